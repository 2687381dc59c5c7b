//! Rate of change: how much more events there are in a window than in the one before it.
//!
//! ```text
//! Formula  (now − before) / max(before, 1), of the events in (T − W, T] and in (T − 2W, T − W]: 0 where nothing has changed, 1 where
//!          there are twice as many, −1 where there are none now
//! State    a count an instant, 16 bytes, for two windows; past 256 instants, buckets of W/64, of which the one on a border counts on
//!          both of its sides, so that neither is under-counted: 4 KiB a key at the most
//! Value    only where `at_least` are before. A key that has just come has none before, and after a change of rules a rule
//!          waits in shadow for both windows
//! Misses   what grows slowly: each window is the next one's measure. Who doubles every second window is never over 1
//! Alarms   wrongly on small numbers, of which 3 after 1 is nothing: raise `at_least`, or ask `now` besides
//! Source   the relative change of time series; of counts, their number says how sure it is, at ±√n
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::series::{self, Total, start_of};
use crate::operator::{Fact, Feeds, HeapBounds, Measure, Named, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

const FIELDS: &[SignalField] = &[
    SignalField {
        name: "rate_of_change",
        ty: SignalType::Double { decimals: 6 },
        doc: "how many more there are now, as a share of those before; 1 is twice as many",
    },
    SignalField { name: "now", ty: SignalType::Int, doc: "events in the window" },
    SignalField { name: "before", ty: SignalType::Int, doc: "events in the window before it" },
];

/// See the module's header.
pub struct RateOfChange;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Events in the window before, under which there is no value. At 0, the first window of a key is set against one event.
    #[schemars(range(min = 0.0, max = 1_000_000.0), example = 1.0)]
    pub at_least: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { at_least: 1 }
    }
}

impl Operator for RateOfChange {
    const NAME: &'static str = "rate_of_change";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "How many more events there are in the window than in the one before it, as a share of those.";
    const FEEDS: Feeds = Feeds::Named(Named { window: "How far back, 1s to 90d; as much before that is kept besides.", ..Named::USUAL });
    const YIELDS: Yields = Yields::Measure(Measure { of: |_| true, fields: FIELDS });
    type Params = Params;
    type State = Total;

    fn reach_ms(setup: &Setup<Params>) -> i64 {
        both(setup.window_ms)
    }

    fn ttl_ms(setup: &Setup<Params>) -> i64 {
        both(setup.window_ms)
    }

    fn heap_bytes(state: &Total) -> usize {
        state.heap_bytes()
    }

    fn heap_bounds(_: &Setup<Params>) -> HeapBounds {
        series::HEAP
    }

    fn newest_ms(state: &Total) -> Option<i64> {
        Some(state.newest_ms())
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut Total) -> Option<Signal> {
        state.feed(fact.at_ms, 1, both(setup.window_ms));
        None
    }

    fn measure(setup: &Setup<Params>, at_ms: i64, state: &Total) -> Option<Signal> {
        let (now, before) = counts(state, at_ms, setup.window_ms);
        if before < setup.params.at_least.into() {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let change = now.saturating_sub(before) as f64 / before.max(1) as f64;
        Some(Signal::new(FIELDS, [OwnedValue::Double(change), OwnedValue::Int(now), OwnedValue::Int(before)]))
    }
}

/// How long both windows are together, ms.
fn both(window_ms: i64) -> i64 {
    window_ms.saturating_mul(2)
}

/// Events in the window that ends at an instant or at the newest, whichever is later, and in the one before it.
fn counts(state: &Total, at_ms: i64, window_ms: i64) -> (i64, i64) {
    let end_ms = state.newest_ms().max(at_ms);
    let (border_ms, kept_ms) = (start_of(end_ms, window_ms), both(window_ms));
    let count = |start_ms, end_ms| state.between(start_ms, end_ms, kept_ms).unwrap_or(0);
    (count(border_ms, end_ms), count(start_of(end_ms, kept_ms), border_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: i64 = 100;

    fn fed(times: &[i64], window_ms: i64) -> Total {
        let mut state = Total::default();
        for at_ms in times {
            state.feed(*at_ms, 1, both(window_ms));
        }
        state
    }

    fn change(times: &[i64], at_ms: i64, at_least: u32) -> Option<f64> {
        let setup = Setup { window_ms: WINDOW, offset_ms: 0, of: None, params: Params { at_least } };
        let said = RateOfChange::measure(&setup, at_ms, &fed(times, WINDOW))?;
        if let Some(OwnedValue::Double(change)) = said.get(0) { Some(*change) } else { panic!("a double") }
    }

    #[test]
    fn it_sets_a_window_against_the_one_before() {
        let times = [1, 2, 101, 102, 150, 200];
        assert_eq!(change(&times, 200, 1), Some(1.0), "four after two");
        assert_eq!(change(&times, 201, 1), Some(0.5), "one has left both, one has changed sides");
        assert_eq!(change(&times, 300, 1), Some(-1.0), "none after four");
        assert_eq!((change(&times, 400, 1), change(&times, 400, 0)), (None, Some(0.0)), "nothing at all");
        assert_eq!(change(&times, 0, 1), Some(1.0), "an earlier reader sees the newest windows");
    }

    #[test]
    fn under_at_least_there_is_no_value() {
        assert_eq!((change(&[1, 150, 151], 150, 1), change(&[1, 150, 151], 150, 2)), (Some(1.0), None));
        assert_eq!((change(&[150, 151], 150, 1), change(&[150, 151], 150, 0)), (None, Some(2.0)), "a key that has just come");
    }

    #[test]
    fn a_flood_is_under_counted_on_neither_side() {
        let window = 6_400;
        let times: Vec<i64> = (0..20_000).collect();
        let (now, before) = counts(&fed(&times, window), 0, window);
        assert!((6_400..6_500).contains(&now) && (6_400..6_600).contains(&before), "{now} after {before}");
    }

    proptest! {
        /// Late and in any order: the counts of a plain list.
        #[test]
        fn it_agrees_with_a_plain_list(times in proptest::collection::vec(0_i64..500, 1..120).prop_shuffle(), later in 0_i64..250) {
            let end = times.iter().max().expect("one at least") + later;
            let count = |start: i64, end: i64| i64::try_from(times.iter().filter(|at| **at > start && **at <= end).count()).expect("few");
            let expected = (count(end - WINDOW, end), count(end - 2 * WINDOW, end - WINDOW));
            prop_assert_eq!(counts(&fed(&times, WINDOW), end, WINDOW), expected);
        }

        #[test]
        fn no_instant_is_too_far(times in proptest::collection::vec(any::<i64>(), 1..20), at_ms in any::<i64>()) {
            let (now, before) = counts(&fed(&times, WINDOW), at_ms, WINDOW);
            prop_assert!(now >= 0 && before >= 0 && now + before <= 20);
        }
    }
}
