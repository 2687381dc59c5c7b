//! Clock tampering: a device's clock is set while its driver is at work.
//!
//! ```text
//! Input    gps.position                                                     Key  driver
//! Formula  behind = event clock − device clock; the newest honest `behind` is what the device is known by
//! Fires    ahead: behind < −ahead_s_max (120 s), where the device was not ahead before
//!          back:  the device's clock is over back_s_min (180 s) below what it showed, and behind > 300 s
//!          Each where the step is eight days at the most and the clock goes on from there as time does: since then both clocks advance
//!          alike, to 20 s and a tenth, and by a minute. At the `fixes`-th in a row (3), each newer than the one before
//! Strength min(1, step / 3 600 s)
//! State    the newest `behind`, the newest device time, the fixes of a step: 100 bytes
//! Misses   steps of under two or three minutes; a clock that was set before the first fix, or by more than eight days
//! Alarms   wrongly on whoever puts a clock right by hand, as on the night when summer time begins
//! Source   the server's clock as the judge of the device's: traccar `FilterHandler` passes over fixes over a day ahead; a step and
//!          not an offset, because devices stand wrong for years (GPS week rollovers, traccar #2809) and hand over buffers in any order
//! ```
//!
//! A clock that is wrong from the first fix on is a device's fault and accuses nobody, and so is one that is years off: who cheats with the
//! time moves it by hours. One fix of the future is a fault too: the third in a row is a clock. What is handed over late has old
//! times as well, but it came after a silence, or comes in one batch: there the event clock stands nearly still.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::EventType;
use crate::kernel::track::{BEHIND_MS_MAX, Ping, RADIUS_M_DEFAULT};
use crate::operator::{DAY_MS, Fact, Feeds, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

/// A larger step is no lie about the hour, ms: it reaches past what is believed of a fix that says that it is old (kernel/track.rs).
const STEP_MS_MAX: i64 = BEHIND_MS_MAX + DAY_MS;
/// A clock that is put back is behind by so much at the least, ms: less is the network.
const BEHIND_MS_MIN: i64 = 300_000;
/// Both clocks advance alike to so much, ms, and to a tenth: what the network delays.
const ALIKE_MS: i64 = 20_000;
/// From the first fix after a step to the last that shows it the event clock advances by so much, ms: a batch comes within less.
const LIVE_MS_MIN: i64 = 60_000;

/// See the module's header.
pub struct ClockTampering;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// How far ahead of the event clock a device's may be, s. 120: clocks that are set by the network agree to seconds.
    #[schemars(range(min = 1.0, max = 86_400.0), example = 120.0)]
    pub ahead_s_max: f64,
    /// A smaller step back is not judged, s. 180: fixes overtake each other by a minute on the way.
    #[schemars(range(min = 1.0, max = 86_400.0), example = 180.0)]
    pub back_s_min: f64,
    /// Fixes in a row that show the step. 3; 1 accuses for one wrong date.
    #[schemars(range(min = 1, max = 100), example = 3)]
    pub fixes: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { ahead_s_max: 120.0, back_s_min: 180.0, fixes: 3 }
    }
}

/// What is remembered of one device's clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    known: Option<Known>,
    step: Option<Step>,
}

/// What the clock was known by before a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    behind_ms: i64,
    /// The newest time that it showed, ms.
    device_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Step {
    first: (i64, i64),
    newest: (i64, i64),
    fixes: u32,
}

/// What its signal carries.
const FIELDS: &[SignalField] = &[
    SignalField { name: "step_s", ty: SignalType::Double { decimals: 0 }, doc: "by how much the clock was set, s; ahead is positive" },
    SignalField { name: "direction", ty: SignalType::Text, doc: "ahead or back" },
    SignalField { name: "fixes", ty: SignalType::Int, doc: "fixes in a row that show it" },
    SignalField { name: "strength", ty: SignalType::Double { decimals: 3 }, doc: "how far, 0 to 1" },
];

impl Operator for ClockTampering {
    const NAME: &'static str = "clock_tampering";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "A device's clock is set by minutes or hours while its driver is at work.";
    const FEEDS: Feeds = Feeds::Fixed { inputs: &[EventType::GpsPosition], reads: &["lat", "lon", "accuracy_m", "provider"] };
    const YIELDS: Yields = Yields::Signal(FIELDS);
    const NEEDS_RAW: bool = true;
    type Params = Params;
    type State = State;

    fn ttl_ms(_: &Setup<Params>) -> i64 {
        7 * DAY_MS
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        let (ping, _) = Ping::of(fact.event, RADIUS_M_DEFAULT)?;
        state.observe(&setup.params, &ping)
    }
}

impl State {
    fn observe(&mut self, params: &Params, ping: &Ping) -> Option<Signal> {
        let behind_ms = ping.behind_ms();
        let Some(known) = &self.known else {
            self.known = Some(Known { behind_ms, device_ms: ping.device_ms });
            return None;
        };
        let (before_ms, shown_ms) = (known.behind_ms, known.device_ms);
        let ahead_ms = millis(params.ahead_s_max);
        let is_ahead = behind_ms < -ahead_ms && before_ms >= -ahead_ms && before_ms.saturating_sub(behind_ms) <= STEP_MS_MAX;
        let back_ms = shown_ms.saturating_sub(ping.device_ms);
        let is_back = back_ms > millis(params.back_s_min) && back_ms <= STEP_MS_MAX && behind_ms > BEHIND_MS_MIN;
        if !is_ahead && !is_back {
            // A clock that is off by days or years is none to be measured by; nor is it forgotten what it was.
            if behind_ms >= -ahead_ms && behind_ms <= STEP_MS_MAX || before_ms < -ahead_ms {
                let device_ms = if before_ms < -ahead_ms { ping.device_ms } else { shown_ms.max(ping.device_ms) };
                self.known = Some(Known { behind_ms, device_ms });
            }
            self.step = None;
            return None;
        }
        let at = (ping.device_ms, ping.clock_ms);
        let step = match self.step.take() {
            Some(step) if at.0 == step.newest.0 => step, // the same one again
            Some(step) if step.goes_on(at) => {
                let is_newer = at.0 > step.newest.0;
                Step { newest: if is_newer { at } else { step.newest }, fixes: step.fixes.saturating_add(u32::from(is_newer)), ..step }
            }
            _ => Step { first: at, newest: at, fixes: 1 },
        };
        if step.fixes < params.fixes || step.newest.1.saturating_sub(step.first.1) < LIVE_MS_MIN {
            self.step = Some(step);
            return None;
        }
        self.known = Some(Known { behind_ms, device_ms: ping.device_ms });
        Some(signal(before_ms.saturating_sub(behind_ms), step.fixes))
    }
}

impl Step {
    /// Whether the clock goes on since the first fix as time does.
    fn goes_on(&self, at: (i64, i64)) -> bool {
        let (device_ms, clock_ms) = (at.0.saturating_sub(self.first.0), at.1.saturating_sub(self.first.1));
        device_ms.abs_diff(clock_ms) <= ALIKE_MS.unsigned_abs() + clock_ms.unsigned_abs() / 10
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a day in ms")]
fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}

#[expect(clippy::cast_precision_loss, reason = "two days in ms")]
fn signal(step_ms: i64, fixes: u32) -> Signal {
    let seconds = step_ms as f64 / 1000.0;
    let direction = if step_ms > 0 { "ahead" } else { "back" };
    let strength = (seconds.abs() / 3_600.0).min(1.0);
    Signal::new(
        FIELDS,
        [OwnedValue::Double(seconds), OwnedValue::Str(direction.into()), OwnedValue::Int(i64::from(fixes)), OwnedValue::Double(strength)],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::track::tests::ping;
    use proptest::prelude::*;
    use rstest::rstest;

    /// (device s, event clock s).
    fn count(times: &[(i64, i64)]) -> usize {
        let (params, mut state) = (Params::default(), State::default());
        times.iter().filter(|(device_s, clock_s)| state.observe(&params, &ping(0.0, *device_s, *clock_s)).is_some()).count()
    }

    /// A fix each half minute, by a clock that is so far ahead from the tenth on.
    fn stepped(seconds: i64) -> Vec<(i64, i64)> {
        (0..40).map(|n| (n * 30 + if n >= 10 { seconds } else { 0 }, n * 30 + 2)).collect()
    }

    #[rstest]
    #[case::ten_minutes_ahead(600, 1)]
    #[case::a_day_ahead(86_400, 1)]
    #[case::two_minutes_ahead(121, 0)]
    #[case::just_over(123, 1)]
    #[case::eight_years_ahead(252_000_000, 0)]
    #[case::ten_minutes_back(-600, 1)]
    #[case::a_day_back(-86_400, 1)]
    #[case::four_minutes_back(-240, 0)]
    #[case::three_days_back(-3 * 86_400, 1)]
    #[case::a_week_back(-7 * 86_400, 1)]
    #[case::nine_days_back(-9 * 86_400, 0)]
    #[case::a_rollover_of_the_gps_week(-1_024 * 7 * 86_400, 0)]
    #[case::eight_years_back(-252_000_000, 0)]
    #[case::the_year_1970(-1_700_000_000, 0)]
    fn a_step_is_seen_once(#[case] step_s: i64, #[case] expected: usize) {
        assert_eq!(count(&stepped(step_s)), expected);
    }

    #[test]
    fn a_clock_that_was_always_wrong_accuses_nobody() {
        for offset_s in [252_000_000, 7_200, -7_200, -40_000_000] {
            let times: Vec<_> = (0..60).map(|n| (n * 30 + offset_s, n * 30)).collect();
            assert_eq!(count(&times), 0, "{offset_s}");
        }
        let stopped: Vec<_> = (0..60).map(|n| (0, n * 120)).collect();
        assert_eq!(count(&stopped), 0, "it stands still");
    }

    #[test]
    fn two_steps_are_no_way_round() {
        let ahead = |n: i64| {
            if n < 10 {
                0
            } else if n < 20 {
                90
            } else {
                10_800
            }
        };
        let times: Vec<_> = (0..40).map(|n| (n * 30 + ahead(n), n * 30)).collect();
        assert_eq!(count(&times), 1, "a little, and then much");
    }

    #[test]
    fn one_date_of_the_future_is_a_fault() {
        let mut times = stepped(0);
        times[12].0 += 7_200;
        times[20].0 += 252_000_000;
        assert_eq!(count(&times), 0);
    }

    #[test]
    fn one_date_of_the_future_that_comes_again_is_one() {
        for again_s in [0, 1, 30, 60] {
            let mut times: Vec<(i64, i64)> = (0..10).map(|n| (n * 30, n * 30)).collect();
            times.extend((0..6).map(|n| (7_500, 300 + n * again_s)));
            assert_eq!(count(&times), 0, "each {again_s} s");
        }
        let mut batch: Vec<(i64, i64)> = (0..10).map(|n| (n * 30, n * 30)).collect();
        batch.extend((0..20).map(|n| (7_500 + n * 30, 300 + n)));
        assert_eq!(count(&batch), 0, "ten minutes of the future in twenty seconds");
    }

    #[test]
    fn the_same_twice_and_in_any_order_is_no_step() {
        let mut times = stepped(0);
        times.extend(stepped(0));
        times.reverse();
        assert_eq!(count(&times), 0);
    }

    proptest! {
        /// From one fix on all are kept, and handed over at once, or one after the other beside live ones, in any order.
        #[test]
        fn no_delivery_of_an_honest_clock_accuses(
            from in 0_usize..60, hours in 0_i64..100, gap_ms in 0_i64..2_000, late in proptest::collection::vec(0_i64..60, 60), reversed in any::<bool>(), twice in any::<bool>(),
        ) {
            let mut times: Vec<(i64, i64)> = late.iter().zip(0..).map(|(late, n)| (n * 30, n * 30 + late)).collect();
            let end_s = 60 * 30 + hours * 3_600;
            let mut kept = times.split_off(from);
            if reversed { kept.reverse(); }
            times.sort_by_key(|(_, clock_s)| *clock_s);
            times.extend(kept.iter().zip(0..).map(|((device_s, _), n)| (*device_s, end_s + n * gap_ms / 1000)));
            if twice { times.extend(times.clone()); }
            prop_assert_eq!(count(&times), 0);
        }

        #[test]
        fn any_times_will_do(times in proptest::collection::vec((any::<i64>(), any::<i64>()), 1..100)) {
            let (params, mut state) = (Params::default(), State::default());
            for (device_ms, clock_ms) in times {
                let _ = state.observe(&params, &Ping { device_ms, clock_ms, ..ping(0.0, 0, 0) });
            }
        }
    }
}
