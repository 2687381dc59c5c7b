//! Hurried track: a driver is faster, and his velocity changes faster, than he ever drives: a track that is played too fast.
//!
//! ```text
//! Input    gps.position                                                     Key  driver
//! Formula  fixes at least 10 s apart, by the device's clock; v = the way between two over its time, a vector;
//!          change = |v₂ − v₁|, pace of change = change / half the time of both;
//!          V, C and P the medians of |v|, change and pace over the last moves_min (24) moves
//!          usual V and P: four in five of his stretches of 24 moves at over 2 m/s are slower; learned from stretch to stretch, in
//!          logarithms: x > usual ? usual += 0.8 w : usual −= 0.2 w, w = 1/n and 1/20 at the least (for P one and a half times that)
//! Fires    V > speed_ratio_min (1.7) · usual V, P > pace_ratio_min (3) · usual P, with stretches_min (10) stretches known,
//!          C > change_mps_min (7 m/s), P > pace_mps2_min (0.3 m/s²), and C under 30 m/s, which no way has however fast it is played
//! Strength 1 − speed_ratio_min · usual V / V, in 0..1
//! State    the newest fix, the velocity to it, 24 times three numbers, what is usual, and at most twelve fixes on the way: 1.1 kB;
//!          forgotten after 30 days of silence
//! Misses   a track played less than twice as fast; one on straight roads; less than 26 fixes of it; whoever plays so from the first day
//!          on, and in the first hours of a driver
//! Alarms   wrongly on receivers that are wrong by a hundred metres from fix to fix, as in a railway carriage
//! Source   dilation of time: played f times as fast, every speed and every change of velocity is f times as large and its pace f² times; the
//!          usual is his own, because dense streets and a phone that sends often turn the velocity more than others do. A quantile by steps:
//!          Robbins and Monro, A Stochastic Approximation Method (1951). In 31 000 km of taxis and buses C is 3.5 m/s in the median of a
//!          quarter of an hour and 12.7 m/s in one in a hundred, P 0.07 and 0.34 m/s²
//! ```
//!
//! A median is not moved by single wild fixes or wrong dates. What is delivered late is put in order where it can be, and else passed over.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::EventType;
use crate::kernel::track::{Order, Ping, RADIUS_M_DEFAULT, offset_m};
use crate::operator::{DAY_MS, Fact, Feeds, HeapBounds, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

/// A vaguer fix makes changes of its own, m.
const RADIUS_M_MAX: f64 = 100.0;
/// Nearer in time, a receiver's noise is taken for a change, ms.
const STEP_MS_MIN: i64 = 10_000;
/// A longer silence says nothing of how he drove, ms.
const STEP_MS_MAX: i64 = 120_000;
/// A median change over this is no way at all but wild fixes, m/s: four times the 7.5 m/s that traffic changes by.
const CHANGE_MPS_MAX: f64 = 30.0;
/// Slower stretches are waiting and no driving, m/s.
const DRIVES_MPS: f64 = 2.0;
/// The share of his stretches that lie under what is usual.
const QUANTILE: f64 = 0.8;
/// The least weight of a stretch: some hours on the way are remembered.
const WEIGHT_MIN: f64 = 0.05;
/// A pace varies more than a speed: so many times as large are its steps.
const PACE_STEPS: f64 = 1.5;
/// Less pace than this is the receiver's own, m/s².
const PACE_MPS2_MIN: f64 = 0.003;

/// See the module's header.
pub struct HurriedTrack;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Moves that are looked at together. 24: four to twelve minutes. Fewer see shorter tracks and are moved by less.
    #[schemars(range(min = 4, max = 64), example = 24)]
    pub moves_min: u8,
    /// Smallest median change of velocity from move to move, m/s. 7: 25 km/h, twice what traffic changes by.
    #[schemars(range(min = 0.1, max = 30.0), example = 7.0)]
    pub change_mps_min: f64,
    /// Smallest median pace of it, m/s². 0.3: a taxi's in one quarter of an hour in eighty.
    #[schemars(range(min = 0.01, max = 100.0), example = 0.3)]
    pub pace_mps2_min: f64,
    /// How many times as fast as usual he is. 1.7: whoever turns from side streets into a fast road is under it.
    #[schemars(range(min = 1.0, max = 100.0), example = 1.7)]
    pub speed_ratio_min: f64,
    /// And how many times as large the pace of his changes. 3: 1.7², as a faster track has it.
    #[schemars(range(min = 1.0, max = 1_000.0), example = 3.0)]
    pub pace_ratio_min: f64,
    /// Stretches after which his usual is known. 10: one to two hours on the way.
    #[schemars(range(min = 1, max = 50), example = 10)]
    pub stretches_min: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { moves_min: 24, change_mps_min: 7.0, pace_mps2_min: 0.3, speed_ratio_min: 1.7, pace_ratio_min: 3.0, stretches_min: 10 }
    }
}

/// A move, or the medians of some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Move {
    speed_mps: f64,
    change_mps: f64,
    pace_mps2: f64,
}

/// What is usual of a driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Usual {
    /// Stretches that it was learned from.
    stretches: u32,
    /// Logarithms.
    ln_speed: f64,
    ln_pace: f64,
    /// Moves since the last of them.
    moves: u8,
}

impl Usual {
    /// Counts a move; from the `moves_min`-th on a stretch with these medians ends where he drives.
    fn learn(&mut self, moves_min: u8, medians: Move) {
        self.moves = self.moves.saturating_add(1);
        if self.moves < moves_min || medians.speed_mps < DRIVES_MPS {
            return;
        }
        self.moves = 0;
        self.stretches = self.stretches.saturating_add(1);
        let (ln_speed, ln_pace) = (libm::log(medians.speed_mps), libm::log(medians.pace_mps2.max(PACE_MPS2_MIN)));
        if self.stretches == 1 {
            (self.ln_speed, self.ln_pace) = (ln_speed, ln_pace);
            return;
        }
        let weight = (1.0 / f64::from(self.stretches)).max(WEIGHT_MIN);
        let step = |is_over: bool| if is_over { QUANTILE * weight } else { (QUANTILE - 1.0) * weight };
        self.ln_speed += step(ln_speed > self.ln_speed);
        self.ln_pace += PACE_STEPS * step(ln_pace > self.ln_pace);
    }

    /// Whether these medians are past it, and past what traffic is at all.
    fn is_passed(&self, params: &Params, medians: Move) -> bool {
        let Move { speed_mps, change_mps, pace_mps2 } = medians;
        self.stretches >= params.stretches_min
            && change_mps > params.change_mps_min
            && change_mps < CHANGE_MPS_MAX
            && pace_mps2 > params.pace_mps2_min
            && speed_mps > params.speed_ratio_min * self.speed_mps()
            && pace_mps2 > params.pace_ratio_min * self.pace_mps2()
    }

    fn speed_mps(&self) -> f64 {
        libm::exp(self.ln_speed)
    }

    fn pace_mps2(&self) -> f64 {
        libm::exp(self.ln_pace)
    }
}

/// What is remembered of one driver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    order: Order,
    newest: Option<Ping>,
    /// The velocity of the last move, m/s north and east, and how long it took, s.
    velocity: Option<(f64, f64, f64)>,
    /// The last moves, the oldest first.
    moves: Vec<Move>,
    usual: Usual,
}

/// What its signal carries.
const FIELDS: &[SignalField] = &[
    SignalField { name: "speed_mps", ty: SignalType::Double { decimals: 1 }, doc: "median speed of the moves, m/s" },
    SignalField { name: "usual_mps", ty: SignalType::Double { decimals: 1 }, doc: "what that is usually not over, m/s" },
    SignalField { name: "change_mps", ty: SignalType::Double { decimals: 1 }, doc: "median change of velocity from move to move, m/s" },
    SignalField { name: "pace_mps2", ty: SignalType::Double { decimals: 2 }, doc: "median pace of that change, m/s²" },
    SignalField { name: "moves", ty: SignalType::Int, doc: "moves that were looked at" },
    SignalField { name: "strength", ty: SignalType::Double { decimals: 3 }, doc: "how far past the bound, 0 to 1" },
];

impl Operator for HurriedTrack {
    const NAME: &'static str = "hurried_track";
    const VERSION: u16 = 1;
    const GIVES: &'static str =
        "A driver is faster, and his velocity changes faster, than he ever drives: a track that is played too fast.";
    const FEEDS: Feeds = Feeds::Fixed { inputs: &[EventType::GpsPosition], reads: &["lat", "lon", "accuracy_m", "provider"] };
    const YIELDS: Yields = Yields::Signal(FIELDS);
    const NEEDS_RAW: bool = true;
    type Params = Params;
    type State = State;

    fn ttl_ms(_: &Setup<Params>) -> i64 {
        30 * DAY_MS
    }

    fn heap_bytes(state: &State) -> usize {
        state.order.heap_bytes() + state.moves.len() * size_of::<Move>()
    }

    fn heap_bounds(setup: &Setup<Params>) -> HeapBounds {
        let moves = usize::from(setup.params.moves_min) * size_of::<Move>();
        HeapBounds { first: 0, most: Order::HEAP_BYTES_MAX + moves }
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        let (ping, _) = Ping::of(fact.event, RADIUS_M_DEFAULT)?;
        state.observe(&setup.params, ping)
    }
}

impl State {
    fn observe(&mut self, params: &Params, ping: Ping) -> Option<Signal> {
        if !ping.is_dated() || ping.radius_m > RADIUS_M_MAX {
            return None;
        }
        let mut order = std::mem::take(&mut self.order);
        let mut fired = None;
        order.push(ping, |next| fired = self.judge(params, next).or(fired.take()));
        self.order = order;
        fired
    }

    fn judge(&mut self, params: &Params, next: Ping) -> Option<Signal> {
        let Some(newest) = self.newest else {
            self.newest = Some(next);
            return None;
        };
        let step_ms = next.device_ms.saturating_sub(newest.device_ms);
        if step_ms < STEP_MS_MIN {
            return None;
        }
        self.newest = Some(next);
        if step_ms > STEP_MS_MAX {
            self.velocity = None;
            self.moves.clear();
            return None;
        }
        let seconds = f64::from(i32::try_from(step_ms).unwrap_or(i32::MAX)) / 1000.0;
        let (north_m, east_m) = offset_m(newest.position, next.position);
        let velocity = (north_m / seconds, east_m / seconds, seconds);
        let (north, east, before_s) = self.velocity.replace(velocity)?;
        let change_mps = libm::hypot(velocity.0 - north, velocity.1 - east);
        let moves = usize::from(params.moves_min);
        if self.moves.len() >= moves {
            self.moves.remove(0);
        }
        let speed_mps = libm::hypot(velocity.0, velocity.1);
        self.moves.push(Move { speed_mps, change_mps, pace_mps2: change_mps / f64::midpoint(before_s, seconds) });
        if self.moves.len() < moves {
            return None;
        }
        let of = |number: fn(&Move) -> f64| median(self.moves.iter().map(number));
        let medians = Move { speed_mps: of(|one| one.speed_mps), change_mps: of(|one| one.change_mps), pace_mps2: of(|one| one.pace_mps2) };
        if !self.usual.is_passed(params, medians) {
            self.usual.learn(params.moves_min, medians);
            return None;
        }
        self.moves.clear();
        let usual_mps = self.usual.speed_mps();
        let strength = (1.0 - params.speed_ratio_min * usual_mps / medians.speed_mps).max(0.0);
        let numbers = [medians.speed_mps, usual_mps, medians.change_mps, medians.pace_mps2].map(OwnedValue::Double);
        let rest = [OwnedValue::Int(i64::from(params.moves_min)), OwnedValue::Double(strength)];
        Some(Signal::new(FIELDS, numbers.into_iter().chain(rest)))
    }
}

/// The lower of the two in the middle.
fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.collect();
    let middle = sorted.len().saturating_sub(1) / 2;
    if sorted.is_empty() { 0.0 } else { *sorted.select_nth_unstable_by(middle, f64::total_cmp).1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::track::tests::{START_MS, ping, position};
    use proptest::prelude::*;
    use rstest::rstest;

    /// A drive that turns at every fix by a right angle at so many m/s, a fix each so many seconds.
    fn turning(fixes: i32, mps: f64, seconds: i64) -> Vec<Ping> {
        let metres = mps * f64::from(i32::try_from(seconds).expect("small"));
        let mut here = (30.0, 31.2);
        (0..fixes)
            .map(|n| {
                if n % 2 == 0 {
                    here.0 += metres / 111_195.08;
                } else {
                    here.1 += metres / (111_195.08 * libm::cos(here.0.to_radians()));
                }
                let at_s = i64::from(n) * seconds;
                Ping { position: position(here.0, here.1), ..ping(0.0, at_s, at_s) }
            })
            .collect()
    }

    /// Two hours of a driver who drives so before, and then these fixes.
    fn count_after(before: &[Ping], pings: &[Ping]) -> usize {
        let (params, mut state) = (Params::default(), State::default());
        for ping in before {
            assert!(state.observe(&params, *ping).is_none(), "what is usual");
        }
        let start_ms = before.last().map_or(START_MS, |last| last.device_ms + 60_000) - START_MS;
        let later = pings.iter().map(|ping| Ping { device_ms: ping.device_ms + start_ms, clock_ms: ping.clock_ms + start_ms, ..*ping });
        later.into_iter().filter(|ping| state.observe(&params, *ping).is_some()).count()
    }

    /// Whose usual speed is 4 m/s, and its pace 0.226 m/s².
    fn count(pings: &[Ping]) -> usize {
        count_after(&turning(300, 4.0, 25), pings)
    }

    /// A right angle at v changes the velocity by √2 · v.
    #[rstest]
    #[case::three_times_as_fast(14.0, 20, 1)]
    #[case::over_both_ratios(8.3, 15, 1)]
    #[case::just_under_three_times_the_pace(7.1, 15, 0)]
    #[case::over_its_speed(7.6, 11, 1)]
    #[case::just_under_its_speed(6.7, 11, 0)]
    #[case::slow_change(10.0, 60, 0)]
    #[case::too_often_to_tell_from_noise(14.0, 2, 0)]
    #[case::wild_fixes_and_no_way(22.0, 20, 0)]
    fn the_bounds_are_where_the_header_says(#[case] mps: f64, #[case] seconds: i64, #[case] expected: usize) {
        assert_eq!(count(&turning(27, mps, seconds)), expected);
    }

    #[rstest]
    #[case::just_over_the_least_change(5.0, 15, 1)]
    #[case::just_under(4.9, 15, 0)]
    #[case::just_over_the_least_pace(12.0, 55, 1)]
    #[case::just_under_it(12.0, 57, 0)]
    fn the_least_holds_where_less_is_usual(#[case] mps: f64, #[case] seconds: i64, #[case] expected: usize) {
        assert_eq!(count_after(&turning(300, 2.1, 60), &turning(27, mps, seconds)), expected);
    }

    #[test]
    fn whose_ways_always_turn_like_that_is_left_alone() {
        assert_eq!(count_after(&turning(300, 10.0, 15), &turning(100, 14.0, 12)), 0, "dense streets, and fast");
        let known = |fixes| count_after(&turning(fixes, 4.0, 25), &turning(27, 14.0, 20));
        assert_eq!((known(270), known(230)), (1, 0), "ten stretches of 24 moves");
        assert_eq!(count_after(&[], &turning(400, 14.0, 20)), 0, "so from the first fix on");
        let waiting: Vec<Ping> = turning(300, 1.0, 25);
        assert_eq!(count_after(&waiting, &turning(27, 14.0, 20)), 0, "who waits shows nothing of how he drives");
    }

    #[test]
    fn it_takes_all_the_moves_without_a_silence() {
        let later = |ping: Ping| Ping { device_ms: ping.device_ms + 600_000, clock_ms: ping.clock_ms + 600_000, ..ping };
        let after_silence: Vec<Ping> = turning(40, 14.0, 20).into_iter().map(later).collect();
        let of = |fixes: usize| count(after_silence.get(..fixes).expect("there are forty"));
        assert_eq!((of(25), of(26)), (0, 1));
        let mut broken = after_silence.clone();
        for ping in broken.iter_mut().skip(20) {
            (ping.device_ms, ping.clock_ms) = (ping.device_ms + 121_000, ping.clock_ms + 121_000);
        }
        assert_eq!(count(&broken), 0);
    }

    proptest! {
        /// What is usual is under one stretch in five, to what twenty steps allow.
        #[test]
        fn the_usual_is_a_quantile(speeds in proptest::collection::vec(2.0..30.0_f64, 200)) {
            let mut usual = Usual::default();
            for speed_mps in &speeds {
                usual.learn(1, Move { speed_mps: *speed_mps, change_mps: 1.0, pace_mps2: speed_mps / 10.0 });
            }
            let over = speeds.iter().filter(|speed| **speed > usual.speed_mps()).count();
            prop_assert!(over <= 95, "{} of 200 are over {}", over, usual.speed_mps());
            // It may be over all of them, by the step that the last of them that was over it made: at most that of the second.
            let fastest = speeds.iter().copied().fold(0.0, f64::max);
            prop_assert!(usual.speed_mps() <= fastest * libm::exp(QUANTILE / 2.0), "{} where the fastest is {}", usual.speed_mps(), fastest);
        }
    }

    #[test]
    fn equal_earlier_and_doubled_times_are_no_moves() {
        let twice: Vec<Ping> = turning(26, 14.0, 20).into_iter().flat_map(|ping| [ping, ping]).collect();
        assert_eq!(count(&twice), 1, "all twice");
        let back: Vec<Ping> = turning(60, 14.0, 20).into_iter().rev().collect();
        assert_eq!(count(&back), 0, "newest first");
        let wild: Vec<Ping> = turning(200, 4.0, 20)
            .into_iter()
            .zip(0..)
            .map(|(one, n)| if n % 7 == 0 { Ping { position: position(31.0, 31.2), ..one } } else { one })
            .collect();
        assert_eq!(count(&wild), 0, "each seventh is wild");
    }

    proptest! {
        #[test]
        fn memory_is_bounded_whatever_comes(pings in proptest::collection::vec((any::<i64>(), 0_i64..90_000, -90.0..=90.0_f64, -180.0..=180.0_f64), 1..200)) {
            let (params, mut state) = (Params::default(), State::default());
            for ((jump, behind_ms, lat, lon), n) in pings.into_iter().zip(0..) {
                let clock_ms = if jump % 7 == 0 { jump } else { START_MS + n * 20_000 };
                let _ = state.observe(&params, Ping { position: position(lat, lon), radius_m: 5.0, device_ms: clock_ms.saturating_sub(behind_ms), clock_ms });
                prop_assert!(HurriedTrack::heap_bytes(&state) <= Order::HEAP_BYTES_MAX + 24 * size_of::<Move>());
            }
        }
    }
}
