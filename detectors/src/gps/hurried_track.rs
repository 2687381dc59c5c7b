//! Hurried track: a driver's velocity changes again and again as no vehicle's does: a track that is played too fast.
//!
//! ```text
//! Input    gps.position                                                     Key  driver
//! Formula  fixes at least 10 s apart, by the device's clock; v = the way between two over its time, a vector;
//!          change = |v₂ − v₁|, pace of change = change / half the time of both
//! Fires    over the last moves_min (24) moves: median change > change_mps_min (8.9 m/s) and median pace > pace_mps2_min (0.34 m/s²)
//! Strength 1 − change_mps_min / median change, in 0..1
//! State    the newest fix, the velocity to it, 24 pairs of numbers, and at most twelve fixes on the way: 800 bytes
//! Misses   a track played less than twice as fast; one on straight roads; less than 26 fixes of it
//! Alarms   wrongly on receivers that are wrong by a hundred metres from fix to fix, as in a railway carriage
//! Source   dilation of time: played f times as fast, every change of velocity is f times as large and comes f times as soon. In 31 000 km the
//!          median change of taxis and buses over a quarter of an hour is 3.5 m/s, and 12.7 m/s in one in a hundred; median pace 0.07 and
//!          0.34 m/s²; both at once were seen in one in a thousand
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

/// See the module's header.
pub struct HurriedTrack;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Moves that are looked at together. 24: four to twelve minutes. Fewer see shorter tracks and are moved by less.
    #[schemars(range(min = 4, max = 64), example = 24)]
    pub moves_min: u8,
    /// Smallest median change of velocity from move to move, m/s. 8.9: 32 km/h. Lower accuses who drives in stop and go on fast roads.
    #[schemars(range(min = 0.1, max = 100.0), example = 8.9)]
    pub change_mps_min: f64,
    /// Smallest median pace of it, m/s². 0.34: a taxi's in one quarter of an hour in a hundred.
    #[schemars(range(min = 0.01, max = 100.0), example = 0.34)]
    pub pace_mps2_min: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { moves_min: 24, change_mps_min: 8.9, pace_mps2_min: 0.34 }
    }
}

/// What is remembered of one driver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    order: Order,
    newest: Option<Ping>,
    /// The velocity of the last move, m/s north and east, and how long it took, s.
    velocity: Option<(f64, f64, f64)>,
    /// Change and pace of the last moves, the oldest first.
    moves: Vec<(f64, f64)>,
}

/// What its signal carries.
const FIELDS: &[SignalField] = &[
    SignalField { name: "change_mps", ty: SignalType::Double { decimals: 1 }, doc: "median change of velocity from move to move, m/s" },
    SignalField { name: "pace_mps2", ty: SignalType::Double { decimals: 2 }, doc: "median pace of that change, m/s²" },
    SignalField { name: "moves", ty: SignalType::Int, doc: "moves that were looked at" },
    SignalField { name: "strength", ty: SignalType::Double { decimals: 3 }, doc: "how far past the bound, 0 to 1" },
];

impl Operator for HurriedTrack {
    const NAME: &'static str = "hurried_track";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "A driver's velocity changes again and again as no vehicle's does: a track that is played too fast.";
    const FEEDS: Feeds = Feeds::Fixed { inputs: &[EventType::GpsPosition], reads: &["lat", "lon", "accuracy_m", "provider"] };
    const YIELDS: Yields = Yields::Signal(FIELDS);
    const NEEDS_RAW: bool = true;
    type Params = Params;
    type State = State;

    fn ttl_ms(_: &Setup<Params>) -> i64 {
        DAY_MS
    }

    fn heap_bytes(state: &State) -> usize {
        state.order.heap_bytes() + state.moves.len() * size_of::<(f64, f64)>()
    }

    fn heap_bounds(setup: &Setup<Params>) -> HeapBounds {
        let moves = usize::from(setup.params.moves_min) * size_of::<(f64, f64)>();
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
        self.moves.push((change_mps, change_mps / f64::midpoint(before_s, seconds)));
        if self.moves.len() < moves {
            return None;
        }
        let (change_mps, pace_mps2) = (median(self.moves.iter().map(|one| one.0)), median(self.moves.iter().map(|one| one.1)));
        if change_mps <= params.change_mps_min || pace_mps2 <= params.pace_mps2_min {
            return None;
        }
        self.moves.clear();
        let strength = 1.0 - params.change_mps_min / change_mps;
        let values = [
            OwnedValue::Double(change_mps),
            OwnedValue::Double(pace_mps2),
            OwnedValue::Int(i64::from(params.moves_min)),
            OwnedValue::Double(strength),
        ];
        Some(Signal::new(FIELDS, values))
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

    fn count(pings: &[Ping]) -> usize {
        let (params, mut state) = (Params::default(), State::default());
        pings.iter().filter(|ping| state.observe(&params, **ping).is_some()).count()
    }

    /// A right angle at v changes the velocity by √2 · v.
    #[rstest]
    #[case::twice_as_fast(14.0, 20, 1)]
    #[case::just_over(6.4, 18, 1)]
    #[case::just_under(6.2, 18, 0)]
    #[case::a_city(5.0, 20, 0)]
    #[case::slow_change(10.0, 60, 0)]
    #[case::too_often_to_tell_from_noise(14.0, 2, 0)]
    fn the_bounds_are_where_the_header_says(#[case] mps: f64, #[case] seconds: i64, #[case] expected: usize) {
        assert_eq!(count(&turning(27, mps, seconds)), expected);
    }

    #[test]
    fn it_takes_all_the_moves_without_a_silence() {
        assert_eq!((count(&turning(25, 14.0, 20)), count(&turning(26, 14.0, 20))), (0, 1));
        let mut broken = turning(40, 14.0, 20);
        for ping in broken.iter_mut().skip(20) {
            (ping.device_ms, ping.clock_ms) = (ping.device_ms + 121_000, ping.clock_ms + 121_000);
        }
        assert_eq!(count(&broken), 0);
    }

    #[test]
    fn equal_earlier_and_doubled_times_are_no_moves() {
        let twice: Vec<Ping> = turning(26, 14.0, 20).into_iter().flat_map(|ping| [ping, ping]).collect();
        assert_eq!(count(&twice), 1);
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
                prop_assert!(HurriedTrack::heap_bytes(&state) <= Order::HEAP_BYTES_MAX + 24 * 16);
            }
        }
    }
}
