//! Frozen position: on a job, a driver's place stays the same to the decimetre while time goes on.
//!
//! ```text
//! Input    gps.position                                                     Key  driver
//! Formula  run = fixes in a row at one spot (1e-6°, a decimetre); of it those with a task are counted, from the first one on; span = the
//!          shorter of what they took by the device's clock and by the event clock. A silence of over five minutes ends a run, a
//!          radius over 100 m does, and so does a place of four decimals at the most
//! Fires    fixes ≥ fixes_min (10) and span ≥ span_s_min (600 s), at each further fix, where the device does not hold still by habit; and
//!          at the fix that leaves such a run by a jump: d_lb > 300 m and d_lb > leave_mps_max (18 m/s) · (Δt + 3 s)
//! Strength min(1, span / (3 · span_s_min))
//! State    the run, and how often the device held still of late: 200 bytes; forgotten after 30 days of silence
//! Misses   a place that is made to wander; a freeze of under ten minutes; a second freeze on a device that holds still by habit and
//!          whose end is no jump; one with a wide radius, or whose place is a round number
//! Alarms   wrongly the first two times that a phone which shows a car at rest as one point waits for long on a job
//! Source   live receivers wander by metres: runs of bit-identical fixes are up to 34 long in GeoLife and 19 in bus data, and in three
//!          taxis' 24 days none lasted ten minutes
//! ```
//!
//! A device holds still by habit that stood for eight minutes of a job at one spot twice within the last two weeks, and then drove off from
//! there, as a parked car does: no jump. Of such a one only a run that ends with a jump says anything. Where satellites are out of sight,
//! sources that are fused repeat the last fix with a radius that grows, and nobody knows how he left after a silence: neither accuses.

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
/// A longer silence ends a run, s.
const SILENCE_S: f64 = 300.0;
/// A vaguer fix may be the last one repeated, m: a receiver that sees satellites is better.
const RADIUS_M_MAX: f64 = 100.0;
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
    newest: Ping,
    job: Option<Job>,
}

/// The fixes of a run that had a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Job {
    first: Ping,
    newest: Ping,
    fixes: u32,
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
        if self.run.as_ref().is_some_and(|run| ping.taken_ms() <= run.newest.taken_ms()) {
            return None; // the same one again, or what was delayed and says nothing of now
        }
        let spot = Spot::of(ping.position);
        if ping.radius_m > RADIUS_M_MAX || spot.is_rounded() {
            self.run = None;
            return None;
        }
        let is_after_silence = self.run.as_ref().is_some_and(|run| elapsed_s(&run.newest, &ping) > SILENCE_S);
        let Some(run) = self.run.as_mut().filter(|run| run.spot == spot && !is_after_silence) else {
            let run = self.run.replace(Run { spot, newest: ping, job: is_on_job.then(|| Job::new(ping)) });
            // After a silence nobody knows how he left.
            return run.filter(|_| !is_after_silence).and_then(|run| self.leave(params, &ping, &run));
        };
        run.newest = ping;
        if !is_on_job {
            return None;
        }
        let job = match run.job.take() {
            Some(job) if elapsed_s(&job.newest, &ping) <= SILENCE_S => Job { newest: ping, fixes: job.fixes.saturating_add(1), ..job },
            _ => Job::new(ping),
        };
        run.job = Some(job.clone());
        let has_habit = self.rests >= HABIT_RESTS && ping.clock_ms.saturating_sub(self.rested_ms) <= HABIT_MS;
        (job.is_long(params) && !has_habit).then(|| self.signal(params, &job, 0.0))
    }

    /// The first fix elsewhere.
    fn leave(&mut self, params: &Params, ping: &Ping, run: &Run) -> Option<Signal> {
        let job = run.job.as_ref()?;
        let distance_m = distance_m(&run.newest, ping, RADIUS_FACTOR);
        let reach_m = params.leave_mps_max * (elapsed_s(&run.newest, ping) + TOLERANCE_S);
        if distance_m > NEAR_M && distance_m > reach_m {
            return job.is_long(params).then(|| self.signal(params, job, distance_m));
        }
        if job.fixes >= HABIT_FIXES_MIN && job.span_s() >= HABIT_S_MIN {
            let is_old = ping.clock_ms.saturating_sub(self.rested_ms) > HABIT_MS;
            self.rests = if is_old { 1 } else { self.rests.saturating_add(1) };
            self.rested_ms = ping.clock_ms;
        }
        None
    }

    fn signal(&self, params: &Params, job: &Job, left_m: f64) -> Signal {
        let span_s = job.span_s();
        let strength = (span_s / (3.0 * params.span_s_min)).min(1.0);
        let values = [
            OwnedValue::Int(i64::from(job.fixes)),
            OwnedValue::Double(span_s),
            OwnedValue::Double(left_m),
            OwnedValue::Int(i64::from(self.rests)),
            OwnedValue::Double(strength),
        ];
        Signal::new(FIELDS, values)
    }
}

impl Job {
    fn new(at: Ping) -> Self {
        Self { first: at, newest: at, fixes: 1 }
    }

    /// How long it lasts by both clocks, s.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of some thousand years are below 2^53")]
    fn span_s(&self) -> f64 {
        let by_device = self.newest.taken_ms().saturating_sub(self.first.taken_ms());
        let by_clock = self.newest.clock_ms.saturating_sub(self.first.clock_ms);
        by_device.min(by_clock).max(0) as f64 / 1000.0
    }

    fn is_long(&self, params: &Params) -> bool {
        self.fixes >= params.fixes_min && self.span_s() >= params.span_s_min
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::track::tests::ping;
    use proptest::prelude::*;

    /// A fix whose place has six decimals.
    fn exact(north_m: f64, device_s: i64, clock_s: i64) -> Ping {
        ping(north_m + 1.5, device_s, clock_s)
    }

    /// (s, m north, on a job).
    fn fires(fixes: &[(i64, f64, bool)]) -> Vec<bool> {
        let (params, mut state) = (Params::default(), State::default());
        fixes.iter().map(|(at_s, north_m, job)| state.observe(&params, exact(*north_m, *at_s, *at_s), *job).is_some()).collect()
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
        let buffered: Vec<Ping> = (0..30).map(|n| exact(0.0, -n * 60, n)).collect();
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
    fn who_drives_off_fast_between_two_fixes_is_at_rest_by_habit_as_well() {
        let fixes: Vec<_> = (0..4)
            .flat_map(|day| {
                let mut fixes = still(day * 86_400, 0.0, 20, true);
                fixes.push((day * 86_400 + 1_200, 900.0, true));
                fixes
            })
            .collect();
        assert_eq!(fires(&fixes).iter().skip(42).filter(|fired| **fired).count(), 0, "15 m/s after the first two days");
    }

    #[test]
    fn fixes_with_a_task_are_counted_from_the_first_one_on() {
        let mut before = still(0, 0.0, 30, false);
        before.extend(still(1_800, 0.0, 11, true));
        assert_eq!(fires(&before).iter().position(|fired| *fired), Some(40), "it began before the order was taken");
        let mut once = still(0, 0.0, 11, true);
        once[5].2 = false;
        assert_eq!(count(&once), 1, "one fix without a task");
        let mut two = still(0, 0.0, 8, true);
        two.extend(still(480, 0.0, 60, false));
        two.extend(still(480 + 3_600, 0.0, 8, true));
        assert_eq!(count(&two), 0, "two jobs of eight minutes, and an hour between");
        let off = |day: i64| still(day * 86_400, 0.0, 20, false).into_iter().chain([(day * 86_400 + 1_200, 120.0, false)]);
        let rests: Vec<_> = (0..3).flat_map(off).chain(still(3 * 86_400, 0.0, 11, true)).collect();
        assert_eq!(count(&rests), 1, "rests without a task are no habit");
    }

    #[test]
    fn what_is_repeated_without_satellites_is_no_freeze() {
        let (params, mut state) = (Params::default(), State::default());
        let grows = (0_i32..60).map(|n| Ping { radius_m: 10.0 + f64::from(n) * 12.0, ..exact(0.0, i64::from(n) * 60, i64::from(n) * 60) });
        assert!(grows.into_iter().all(|ping| state.observe(&params, ping, true).is_none()), "underground");
        assert!(state.observe(&params, exact(20_000.0, 3_600, 3_600), true).is_none(), "and out of it");
        let mut silent = still(0, 0.0, 9, true);
        silent.extend(still(481 + 300, 0.0, 9, true));
        assert_eq!(count(&silent), 0, "a silence between two rests");
        let mut left = still(0, 0.0, 10, true);
        left.extend([(901, 90_000.0, true)]);
        assert_eq!(count(&left), 0, "a silence before the way");
    }

    #[test]
    fn a_client_that_rounds_its_places_is_not_frozen() {
        let (params, mut state) = (Params::default(), State::default());
        assert!((0..60).all(|n| state.observe(&params, ping(0.0, n * 60, n * 60), true).is_none()));
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
