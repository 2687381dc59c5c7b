//! Speed mismatch: a driver's place goes away while the device says that it stands.
//!
//! ```text
//! Input    gps.position with speed_mps                                      Key  driver
//! Formula  over a stretch of span_s_min (300 s) and more without a silence of two minutes:
//!          d_lb = max(0, d − radius_factor · (r₁ + r₂)), the least from one of its first two fixes to one of its last two, as one of them may
//!          be wild, and less its two longest steps; told = Σ Δt · the larger of the speeds at both ends
//! Fires    d_lb > distance_m_min (200 m) and told < share_max (0.25) · d_lb, eight fixes or more, from a device that told a speed over
//!          1 m/s within the last seven days; heading: where both are told over 3 m/s and headings point away from the motion, told counts as 0
//! Strength 1 − told / (share_max · d_lb), in 0..1
//! State    the first two and the newest two fixes of the stretch, three sums, when the device last told that it moves: 250 bytes
//! Misses   a mock provider that tells speeds to match; a device that never tells one; stretches of less than five minutes
//! Alarms   wrongly on a ferry, or a car on a lorry, where a phone's own step counter holds its speed at 0
//! Source   a place is where the satellites say, and a speed is what their Doppler shift says (Android `Location.getSpeed`; Kaplan and
//!          Hegarty, Understanding GPS, ch. 2): who moves the one leaves the other
//! ```
//!
//! A position that is made to drift away from a parked car keeps its speed of 0. Speeds at both ends of a step and the larger of them: a
//! car that starts and stops between two fixes is told of by neither, so a quarter of the way and two such steps whole are allowed for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::EventType;
use crate::event::units::Reported;
use crate::kernel::track::{Ping, RADIUS_M_DEFAULT, distance_m, elapsed_s, offset_m};
use crate::operator::{DAY_MS, Fact, Feeds, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

/// A vaguer fix says nothing of hundreds of metres.
const RADIUS_M_MAX: f64 = 100.0;
/// Fewer fixes say little of what lies between them.
const FIXES_MIN: u32 = 8;
/// A device that tells such a speed knows one, m/s.
const MOVES_MPS: f64 = 1.0;
/// How long that is remembered, ms.
const MOVES_MS: i64 = 7 * DAY_MS;
/// A longer silence ends a stretch, s.
const SILENCE_S: f64 = 120.0;
/// Slower than this a heading is noise, m/s.
const HEADING_MPS: f64 = 3.0;

/// See the module's header.
pub struct SpeedMismatch;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// How long a stretch must be, s. 300: speeds at fixes half a minute apart are the way to a quarter over five minutes.
    #[schemars(range(min = 60.0, max = 86_400.0), example = 300.0)]
    pub span_s_min: f64,
    /// How far the place must have gone, m. 200: what buildings do to a receiver at rest is less.
    #[schemars(range(min = 10.0, max = 1_000_000.0), example = 200.0)]
    pub distance_m_min: f64,
    /// The largest share of that which speeds may explain. 0.25: an honest device tells of three quarters at the least.
    #[schemars(range(min = 0.01, max = 1.0), example = 0.25)]
    pub share_max: f64,
    /// How many 68 % radii of both fixes to take off the distance.
    #[schemars(range(min = 0.0, max = 10.0), example = 1.5)]
    pub radius_factor: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { span_s_min: 300.0, distance_m_min: 200.0, share_max: 0.25, radius_factor: 1.5 }
    }
}

/// What is remembered of one driver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    stretch: Option<Stretch>,
    /// When the device last told a speed over [`MOVES_MPS`] that its way bore out, event clock, ms.
    moved_ms: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stretch {
    first: Ping,
    second: Option<Ping>,
    /// The newest but one.
    before: Ping,
    newest: Ping,
    /// Speed at the newest, m/s.
    speed_mps: f64,
    told_m: f64,
    /// The two longest steps, the longer first, m.
    longest_m: [f64; 2],
    fixes: u32,
}

/// What its signal carries.
const FIELDS: &[SignalField] = &[
    SignalField { name: "distance_m", ty: SignalType::Double { decimals: 0 }, doc: "how far the place went, less radii, m" },
    SignalField { name: "told_m", ty: SignalType::Double { decimals: 0 }, doc: "how far by the speeds that the device told, m" },
    SignalField { name: "span_s", ty: SignalType::Double { decimals: 0 }, doc: "in how long, s" },
    SignalField { name: "fixes", ty: SignalType::Int, doc: "in how many fixes" },
    SignalField { name: "strength", ty: SignalType::Double { decimals: 3 }, doc: "how far past the bound, 0 to 1" },
];

impl Operator for SpeedMismatch {
    const NAME: &'static str = "speed_mismatch";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "A driver's place goes away while the device says that it stands, or goes elsewhere.";
    const FEEDS: Feeds =
        Feeds::Fixed { inputs: &[EventType::GpsPosition], reads: &["lat", "lon", "accuracy_m", "provider", "speed_mps", "heading_deg"] };
    const YIELDS: Yields = Yields::Signal(FIELDS);
    const NEEDS_RAW: bool = true;
    type Params = Params;
    type State = State;

    fn ttl_ms(_: &Setup<Params>) -> i64 {
        MOVES_MS
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        let (ping, told) = Ping::of(fact.event, RADIUS_M_DEFAULT)?;
        let speed_mps = told.speed_mps.as_ref().and_then(Reported::known).map(|speed| speed.get());
        let heading_deg = told.heading_deg.as_ref().and_then(Reported::known).map(|heading| heading.get());
        state.observe(&setup.params, ping, speed_mps, heading_deg)
    }
}

impl State {
    fn observe(&mut self, params: &Params, ping: Ping, speed_mps: Option<f64>, heading_deg: Option<f64>) -> Option<Signal> {
        if ping.radius_m > RADIUS_M_MAX || !ping.is_dated() {
            return None;
        }
        // What tells no speed is passed over: else whoever leaves it out now and then has no stretch.
        let speed_mps = speed_mps?;
        let Some(stretch) = &mut self.stretch else {
            self.stretch = Some(Stretch::new(ping, speed_mps));
            return None;
        };
        if ping.device_ms <= stretch.newest.device_ms {
            return None; // the same one again, or one that was overtaken
        }
        let step_s = elapsed_s(&stretch.newest, &ping);
        if step_s > SILENCE_S {
            self.stretch = Some(Stretch::new(ping, speed_mps));
            return None;
        }
        let fastest_mps = speed_mps.max(stretch.speed_mps);
        let (north_m, east_m) = offset_m(stretch.newest.position, ping.position);
        let step_m = libm::hypot(north_m, east_m);
        let is_away = heading_deg.is_some_and(|heading| {
            let along_m = north_m * libm::cos(heading.to_radians()) + east_m * libm::sin(heading.to_radians());
            speed_mps.min(stretch.speed_mps) > HEADING_MPS && step_m > HEADING_MPS * step_s && along_m < -0.5 * step_m
        });
        if speed_mps > MOVES_MPS && !is_away && step_m >= 0.5 * speed_mps * step_s {
            self.moved_ms = self.moved_ms.max(Some(ping.clock_ms));
        }
        stretch.step(step_m);
        stretch.told_m += if is_away { 0.0 } else { fastest_mps * step_s };
        stretch.second = stretch.second.or(Some(ping));
        (stretch.before, stretch.newest, stretch.speed_mps) = (stretch.newest, ping, speed_mps);
        stretch.fixes = stretch.fixes.saturating_add(1);
        let span_s = elapsed_s(&stretch.first, &ping);
        if span_s < params.span_s_min || stretch.fixes < FIXES_MIN {
            return None;
        }
        let (told_m, fixes) = (stretch.told_m, stretch.fixes);
        let distance_m = stretch.distance_m(params.radius_factor);
        self.stretch = Some(Stretch::new(ping, speed_mps));
        let knows_speeds = self.moved_ms.is_some_and(|moved_ms| ping.clock_ms.saturating_sub(moved_ms) <= MOVES_MS);
        let explained_m = params.share_max * distance_m;
        (knows_speeds && distance_m > params.distance_m_min && told_m < explained_m).then(|| {
            let numbers = [distance_m, told_m, span_s].map(OwnedValue::Double);
            let rest = [OwnedValue::Int(i64::from(fixes)), OwnedValue::Double(1.0 - told_m / explained_m)];
            Signal::new(FIELDS, numbers.into_iter().chain(rest))
        })
    }
}

impl Stretch {
    fn new(ping: Ping, speed_mps: f64) -> Self {
        Self { first: ping, second: None, before: ping, newest: ping, speed_mps, told_m: 0.0, longest_m: [0.0; 2], fixes: 1 }
    }

    fn step(&mut self, metres: f64) {
        let [first, second] = self.longest_m;
        self.longest_m = [first.max(metres), second.max(first.min(metres))];
    }

    /// How far the place went, whichever one of its fixes is wild, and whatever two of its steps hid, m.
    fn distance_m(&self, radius_factor: f64) -> f64 {
        let starts = [Some(&self.first), self.second.as_ref()].into_iter().flatten();
        let ways = starts.flat_map(|start| [&self.before, &self.newest].map(|end| distance_m(start, end, radius_factor)));
        (ways.fold(f64::INFINITY, f64::min) - self.longest_m.iter().sum::<f64>()).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::track::tests::{ping, position};
    use proptest::prelude::*;
    use rstest::rstest;

    /// (m/s of the place, m/s that the device tells, heading), a fix each 20 s, after so many honest minutes.
    fn fires(honest_min: i32, moves: &[(f64, Option<f64>, Option<f64>)]) -> usize {
        let (params, mut state) = (Params::default(), State::default());
        let honest = std::iter::repeat_n((10.0, Some(10.0), Some(0.0)), usize::try_from(honest_min * 3).expect("positive"));
        let (mut at_s, mut north_m, mut fired) = (0, 0.0, 0);
        for (mps, told, heading) in honest.chain(moves.iter().copied()) {
            at_s += 20;
            north_m += mps * 20.0;
            fired += usize::from(state.observe(&params, ping(north_m, at_s, at_s), told, heading).is_some());
        }
        fired
    }

    #[rstest]
    #[case::a_parked_car_drifts_away(1.5, Some(0.0), None, true)]
    #[case::under_the_least_distance(1.0, Some(0.0), None, false)]
    #[case::a_quarter_is_told(4.0, Some(0.75), None, false)]
    #[case::less_is_told(4.0, Some(0.65), None, true)]
    #[case::no_speed_is_told(4.0, None, None, false)]
    #[case::backwards(10.0, Some(10.0), Some(180.0), true)]
    #[case::crosswise_may_be_a_bend(10.0, Some(10.0), Some(90.0), false)]
    #[case::an_honest_drive(10.0, Some(9.0), Some(0.0), false)]
    fn a_place_that_goes_while_the_device_stands(
        #[case] mps: f64,
        #[case] told: Option<f64>,
        #[case] heading: Option<f64>,
        #[case] expected: bool,
    ) {
        assert_eq!(fires(10, &[(mps, told, heading); 60]) > 0, expected);
    }

    #[test]
    fn one_wild_fix_of_a_parked_car_is_no_way() {
        for wild in 0..40 {
            let at = |n: i32| match n - wild {
                0 => 2_000.0,
                1 => -2_000.0,
                _ => 0.0,
            };
            let moves: Vec<_> = (0..60).map(|n| (at(n) / 20.0, Some(0.0), None)).collect();
            assert_eq!(fires(10, &moves), 0, "the {wild}th");
        }
    }

    #[test]
    fn two_steps_from_stop_to_stop_are_no_way() {
        let mut moves = vec![(0.0, Some(0.0), None); 60];
        for step in [5, 9, 21, 30, 41, 50] {
            moves[step].0 = 30.0;
        }
        assert_eq!(fires(10, &moves), 0, "two of 600 m in each five minutes");
    }

    #[test]
    fn a_device_that_always_tells_0_knows_no_speed() {
        assert_eq!(fires(0, &[(10.0, Some(0.0), None); 300]), 0);
    }

    #[test]
    fn equal_earlier_and_late_fixes_are_no_motion() {
        let (params, mut state) = (Params::default(), State::default());
        for n in 0..200_i64 {
            let north_m = f64::from(i32::try_from(n).expect("small")) * 200.0;
            assert!(state.observe(&params, ping(north_m, n * 20, n * 20), Some(10.0), None).is_none());
            assert!(state.observe(&params, ping(north_m, n * 20, n * 20 + 10), Some(10.0), None).is_none());
            assert!(state.observe(&params, ping(0.0, 0, n * 20 + 11), Some(0.0), None).is_none());
        }
    }

    proptest! {
        /// Whoever tells at each fix the speed that he has there accuses himself of nothing, wherever he stops between.
        #[test]
        fn who_tells_his_speed_is_left_alone(legs in proptest::collection::vec((0.0..25.0_f64, 1_i64..6), 10..100), late in 0_i64..30) {
            let (params, mut state) = (Params::default(), State::default());
            let (mut at_s, mut north_m) = (0, 0.0);
            for (mps, steps) in legs {
                for _ in 0..steps {
                    at_s += 15;
                    north_m += mps * 15.0;
                    prop_assert!(state.observe(&params, ping(north_m, at_s, at_s + late), Some(mps), Some(0.0)).is_none());
                }
            }
        }

        #[test]
        fn any_numbers_will_do(fixes in proptest::collection::vec((any::<i64>(), -90.0..=90.0_f64, -180.0..=180.0_f64, 0.0..=f64::MAX, 0.0..=360.0_f64), 1..60)) {
            let (params, mut state) = (Params::default(), State::default());
            for (at_ms, lat, lon, told, heading) in fixes {
                let ping = Ping { position: position(lat, lon), radius_m: 5.0, device_ms: at_ms, clock_ms: at_ms };
                let _ = state.observe(&params, ping, Some(told), Some(heading));
            }
        }
    }
}
