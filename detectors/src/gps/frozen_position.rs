//! Frozen position: on a job, a driver's place stays the same to the decimetre while time goes on.
//!
//! ```text
//! Input    gps.position                                                     Key  driver
//! Formula  run = fixes in a row at one spot (1e-6°, a decimetre), each with a task; span = the shorter of what it took by the device's
//!          clock and by the event clock
//! Fires    fixes ≥ fixes_min (10) and span ≥ span_s_min (600 s), at each further fix, where the device does not hold still by habit; and
//!          at the fix that leaves such a run by a jump: d_lb > 300 m and d_lb > leave_mps_max (18 m/s) · (Δt + 3 s)
//! Strength min(1, span / (3 · span_s_min))
//! State    the run, and how often the device held still of late: 120 bytes; forgotten after 30 days of silence
//! Misses   a place that is made to wander; a freeze of under ten minutes; a second freeze on a device that holds still by habit and
//!          whose end is no jump
//! Alarms   wrongly the first two times that a phone which shows a car at rest as one point waits for long on a job
//! Source   live receivers wander by metres: runs of bit-identical fixes are up to 34 long in GeoLife and 19 in bus data, and in three
//!          taxis' 24 days none lasted ten minutes
//! ```
//!
//! A device holds still by habit that stood for eight minutes at one spot twice within the last two weeks, and then drove off from there, as
//! a parked car does: the next fix within 300 m. Of such a one only a run that ends with a jump says anything.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::EventType;
use crate::kernel::track::{Ping, RADIUS_M_DEFAULT, Spot, distance_m, elapsed_s};
use crate::operator::{DAY_MS, Fact, Feeds, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

/// A car that leaves its place is so near yet, m.
const NEAR_M: f64 = 300.0;
/// How many 68 % radii of both fixes to take off the distance.
const RADIUS_FACTOR: f64 = 1.5;
/// How far a device's clock may wander, s.
const TOLERANCE_S: f64 = 3.0;
/// A longer silence, s.
const SILENCE_S: f64 = 300.0;
/// A rest that shows a habit takes so long, s: shorter ones are red lights and queues.
const HABIT_S_MIN: f64 = 480.0;
/// And so many fixes: two before and after a silence show nothing.
const HABIT_FIXES_MIN: u32 = 5;
/// So many such rests show it.
const HABIT_RESTS: u32 = 2;
/// And so long it is remembered, ms.
const HABIT_MS: i64 = 14 * DAY_MS;

/// See the module's header.
pub struct FrozenPosition;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Fewest fixes at one spot. 10: fewer are a stop.
    #[schemars(range(min = 2, max = 10_000), example = 10)]
    pub fixes_min: u32,
    /// Shortest run, s. 600: ten minutes. Shorter accuses who waits at a door with a phone that holds still.
    #[schemars(range(min = 1.0, max = 86_400.0), example = 600.0)]
    pub span_s_min: f64,
    /// The fastest that a car leaves a place at which it stood, m/s in the mean over the first interval. 18: 65 km/h from a standing start.
    #[schemars(range(min = 1.0, max = 300.0), example = 18.0)]
    pub leave_mps_max: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { fixes_min: 10, span_s_min: 600.0, leave_mps_max: 18.0 }
    }
}

/// What is remembered of one driver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    run: Option<Run>,
    /// How often the device held still for long, and when it did last, by the event clock, ms.
    rests: u32,
    rested_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Run {
    spot: Spot,
    first: Ping,
    newest: Ping,
    fixes: u32,
    /// Each of its fixes had a task.
    is_on_job: bool,
}

/// What its signal carries.
const FIELDS: &[SignalField] = &[
    SignalField { name: "fixes", ty: SignalType::Int, doc: "fixes at one spot in a row" },
    SignalField { name: "span_s", ty: SignalType::Double { decimals: 0 }, doc: "how long, s" },
    SignalField {
        name: "left_m",
        ty: SignalType::Double { decimals: 0 },
        doc: "how far off the fix is that ended it, less radii, m; 0 while it lasts",
    },
    SignalField { name: "rests", ty: SignalType::Int, doc: "how often the device held still of late and then drove off" },
    SignalField { name: "strength", ty: SignalType::Double { decimals: 3 }, doc: "how far past the bound, 0 to 1" },
];

impl Operator for FrozenPosition {
    const NAME: &'static str = "frozen_position";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "On a job a driver's place stays the same to the decimetre for long, or until it jumps.";
    const FEEDS: Feeds = Feeds::Fixed { inputs: &[EventType::GpsPosition], reads: &["lat", "lon", "accuracy_m", "provider", "task_id"] };
    const YIELDS: Yields = Yields::Signal(FIELDS);
    const NEEDS_RAW: bool = true;
    type Params = Params;
    type State = State;

    fn ttl_ms(_: &Setup<Params>) -> i64 {
        30 * DAY_MS
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        let (ping, told) = Ping::of(fact.event, RADIUS_M_DEFAULT)?;
        state.observe(&setup.params, ping, told.task_id.is_some())
    }
}

impl State {
    fn observe(&mut self, params: &Params, ping: Ping, is_on_job: bool) -> Option<Signal> {
        let spot = Spot::of(ping.position);
        if let Some(run) = self.run.as_mut().filter(|run| run.spot == spot) {
            if ping.taken_ms() <= run.newest.taken_ms() {
                return None; // the same one again, or an older one
            }
            run.fixes = run.fixes.saturating_add(1);
            run.newest = ping;
            run.is_on_job &= is_on_job;
            let has_habit = self.rests >= HABIT_RESTS && ping.clock_ms.saturating_sub(self.rested_ms) <= HABIT_MS;
            let run = run.clone();
            return (run.is_long(params) && !has_habit).then(|| self.signal(params, &run, 0.0));
        }
        if self.run.as_ref().is_some_and(|run| ping.taken_ms() < run.newest.taken_ms()) {
            return None; // what was delayed says nothing of now
        }
        self.leave(params, ping, spot, is_on_job)
    }

    /// The first fix elsewhere.
    fn leave(&mut self, params: &Params, ping: Ping, spot: Spot, is_on_job: bool) -> Option<Signal> {
        let run = self.run.replace(Run { spot, first: ping, newest: ping, fixes: 1, is_on_job })?;
        let distance_m = distance_m(&run.newest, &ping, RADIUS_FACTOR);
        let elapsed_s = elapsed_s(&run.newest, &ping);
        let reach_m = params.leave_mps_max * (elapsed_s + TOLERANCE_S);
        if distance_m > NEAR_M && distance_m > reach_m {
            return run.is_long(params).then(|| self.signal(params, &run, distance_m));
        }
        // After a silence nobody knows how he left.
        if distance_m <= NEAR_M && elapsed_s <= SILENCE_S && run.fixes >= HABIT_FIXES_MIN && run.span_s() >= HABIT_S_MIN {
            let is_old = ping.clock_ms.saturating_sub(self.rested_ms) > HABIT_MS;
            self.rests = if is_old { 1 } else { self.rests.saturating_add(1) };
            self.rested_ms = ping.clock_ms;
        }
        None
    }

    fn signal(&self, params: &Params, run: &Run, left_m: f64) -> Signal {
        let span_s = run.span_s();
        let strength = (span_s / (3.0 * params.span_s_min)).min(1.0);
        let values = [
            OwnedValue::Int(i64::from(run.fixes)),
            OwnedValue::Double(span_s),
            OwnedValue::Double(left_m),
            OwnedValue::Int(i64::from(self.rests)),
            OwnedValue::Double(strength),
        ];
        Signal::new(FIELDS, values)
    }
}

impl Run {
    /// How long it lasts by both clocks, s.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of some thousand years are below 2^53")]
    fn span_s(&self) -> f64 {
        let by_device = self.newest.taken_ms().saturating_sub(self.first.taken_ms());
        let by_clock = self.newest.clock_ms.saturating_sub(self.first.clock_ms);
        by_device.min(by_clock).max(0) as f64 / 1000.0
    }

    fn is_long(&self, params: &Params) -> bool {
        self.is_on_job && self.fixes >= params.fixes_min && self.span_s() >= params.span_s_min
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::track::tests::ping;
    use proptest::prelude::*;

    /// (s, m north, on a job).
    fn fires(fixes: &[(i64, f64, bool)]) -> Vec<bool> {
        let (params, mut state) = (Params::default(), State::default());
        fixes.iter().map(|(at_s, north_m, job)| state.observe(&params, ping(*north_m, *at_s, *at_s), *job).is_some()).collect()
    }

    fn count(fixes: &[(i64, f64, bool)]) -> usize {
        fires(fixes).into_iter().filter(|fired| *fired).count()
    }

    /// So many fixes at one spot, 60 s apart.
    fn still(from_s: i64, north_m: f64, fixes: i64, job: bool) -> Vec<(i64, f64, bool)> {
        (0..fixes).map(|n| (from_s + n * 60, north_m, job)).collect()
    }

    #[test]
    fn ten_fixes_and_ten_minutes_on_a_job() {
        assert_eq!(count(&still(0, 0.0, 11, true)), 1, "the eleventh, after ten minutes");
        assert_eq!(count(&still(0, 0.0, 10, true)), 0, "nine minutes");
        let slow: Vec<_> = (0..9).map(|n| (n * 300, 0.0, true)).collect();
        assert_eq!(count(&slow), 0, "nine fixes");
        assert_eq!(count(&still(0, 0.0, 30, false)), 0, "without a job");
        let wander: Vec<_> = (0_i32..30).map(|n| (i64::from(n) * 60, f64::from(n % 2) * 0.3, true)).collect();
        assert_eq!(count(&wander), 0, "a receiver that wanders by decimetres");
    }

    #[test]
    fn the_same_one_again_and_earlier_ones_are_no_run() {
        let again: Vec<_> = (0..200).map(|_| (0, 0.0, true)).collect();
        assert_eq!(count(&again), 0);
        let buffered: Vec<Ping> = (0..30).map(|n| ping(0.0, -n * 60, n)).collect();
        let (params, mut state) = (Params::default(), State::default());
        assert!(buffered.iter().all(|ping| state.observe(&params, *ping, true).is_none()), "handed over newest first");
    }

    #[test]
    fn a_phone_that_holds_still_by_habit_is_known_after_two_rests() {
        let day = |n: i64| {
            let mut fixes = still(n * 86_400, 0.0, 20, true);
            fixes.extend([(n * 86_400 + 1_200, 120.0, true), (n * 86_400 + 1_260, 900.0, true)]);
            fixes
        };
        let fixes: Vec<_> = (0..4).flat_map(day).collect();
        let fired = fires(&fixes);
        let of = |n: usize| fired[n * 22..n * 22 + 22].iter().filter(|fired| **fired).count();
        assert_eq!([of(0), of(1), of(2), of(3)], [10, 10, 0, 0]);
        // And then it is frozen: the end is a jump.
        let mut frozen = fixes;
        frozen.extend(still(5 * 86_400, 0.0, 20, true));
        frozen.push((5 * 86_400 + 1_200, 3_000.0, true));
        let fired = fires(&frozen);
        assert_eq!(fired.iter().skip(88).filter(|fired| **fired).count(), 1);
        assert!(fired.last().expect("one"), "at the fix that leaves");
    }

    #[test]
    fn driving_off_is_no_jump() {
        let mut fixes = still(0, 0.0, 9, true);
        fixes.push((540, 1_000.0, true));
        assert_eq!(count(&fixes), 0, "1 000 m within a minute, after nine minutes");
        let mut fixes = still(0, 0.0, 11, true);
        fixes.push((660, 1_100.0, true));
        assert_eq!(fires(&fixes).last(), Some(&false), "17 m/s");
        let mut fixes = still(0, 0.0, 11, true);
        fixes.push((660, 1_200.0, true));
        assert_eq!(fires(&fixes).last(), Some(&true), "18.6 m/s");
    }

    proptest! {
        #[test]
        fn who_moves_is_not_frozen(steps in proptest::collection::vec((1_i64..120, 0.2_f64..40.0), 1..100)) {
            let (mut at_s, mut north_m) = (0, 0.0);
            let fixes: Vec<_> = steps.into_iter().map(|(step_s, mps)| { at_s += step_s; north_m += mps; (at_s, north_m, true) }).collect();
            prop_assert_eq!(count(&fixes), 0);
        }
    }
}
