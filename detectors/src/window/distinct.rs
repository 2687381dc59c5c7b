//! How many different values of a field a key has shown in the window.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::event::field::FieldType;
use crate::kernel::hyperloglog::{self, SlidingHyperLogLog};
use crate::kernel::series::start_of;
use crate::operator::{Fact, Feeds, HeapBounds, Named, NoParams, OfField, Operator, Setup, Yields, is_scalar};
use crate::signal::Signal;
use crate::value::OwnedValue;

/// Values kept one by one; more in one window and they are estimated. 32 times 16 bytes a key, and above the limits
/// that fan-out rules set.
const EXACT_MAX: usize = 32;

/// How often within one window a sketch is cleared of what has left it.
const CLEARINGS: i64 = 64;

/// See the module's header.
pub struct Distinct;

impl Operator for Distinct {
    const NAME: &'static str = "distinct";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "How many different values of a field.";
    const FEEDS: Feeds =
        Feeds::Named(Named { of: OfField::Of { takes: "a scalar field", example: "device_id", clears: true }, ..Named::USUAL });
    const YIELDS: Yields = Yields::Value(|ty| is_scalar(ty).then_some(FieldType::Int));
    const LEAST: Option<i64> = Some(0);
    type Params = NoParams;
    type State = Values;

    fn heap_bytes(state: &Values) -> usize {
        state.heap_bytes()
    }

    fn heap_bounds(_: &Setup<NoParams>) -> HeapBounds {
        HeapBounds { first: 16, most: 16 * hyperloglog::CELLS_USUAL }
    }

    fn newest_ms(state: &Values) -> Option<i64> {
        Some(state.newest)
    }

    fn feed(setup: &Setup<NoParams>, fact: &Fact<'_, '_>, state: &mut Values) -> Option<Signal> {
        if let Some(hash) = fact.value_key() {
            state.feed(fact.at_ms, hash, setup.window_ms);
        }
        None
    }

    fn read(setup: &Setup<NoParams>, at_ms: i64, state: &Values) -> OwnedValue {
        OwnedValue::Int(state.value(at_ms, setup.window_ms))
    }
}

/// Different values over time, each as a 64-bit hash with the newest instant that showed it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Values {
    repr: Repr,
    newest: i64,
    /// The window's start when the sketch was last cleared of what had left it.
    cleared: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Repr {
    /// (hash, newest instant), by hash.
    Exact(SmallVec<[(u64, i64); 1]>),
    Sketch(Box<SlidingHyperLogLog>),
}

impl Default for Values {
    fn default() -> Self {
        Self { repr: Repr::Exact(SmallVec::new()), newest: 0, cleared: 0 }
    }
}

impl Values {
    /// The value with that hash, shown at `at_ms`.
    fn feed(&mut self, at_ms: i64, hash: u64, window_ms: i64) {
        self.newest = self.newest.max(at_ms);
        let start = start_of(self.newest, window_ms);
        match &mut self.repr {
            Repr::Exact(values) => {
                values.retain(|(_, at)| *at > start);
                if at_ms <= start {
                    return;
                }
                match values.binary_search_by_key(&hash, |(value, _)| *value) {
                    Ok(index) => values.iter_mut().skip(index).take(1).for_each(|(_, at)| *at = (*at).max(at_ms)),
                    Err(index) => values.insert(index, (hash, at_ms)),
                }
                if values.len() > EXACT_MAX {
                    let mut sketch = SlidingHyperLogLog::default();
                    for (hash, at) in values.iter() {
                        sketch.feed(*hash, *at);
                    }
                    sketch.keep_for(start);
                    self.repr = Repr::Sketch(Box::new(sketch));
                }
            }
            Repr::Sketch(sketch) => {
                // What has left the window is not counted when it is read, so a busy key need not clear it each time.
                if start >= self.cleared.saturating_add(window_ms / CLEARINGS) {
                    self.cleared = start;
                    sketch.forget(start);
                }
                if at_ms > start {
                    if sketch.is_empty() {
                        self.repr = Repr::Exact(SmallVec::from_iter([(hash, at_ms)]));
                        return;
                    }
                    sketch.feed(hash, at_ms);
                }
                sketch.keep_for(start);
            }
        }
    }

    /// Different values in the window that ends at `at_ms` or at the newest event, whichever is later.
    fn value(&self, at_ms: i64, window_ms: i64) -> i64 {
        let start = start_of(self.newest.max(at_ms), window_ms);
        match &self.repr {
            #[expect(clippy::cast_possible_wrap, reason = "33 at most")]
            Repr::Exact(values) => values.iter().filter(|(_, at)| *at > start).count() as i64,
            Repr::Sketch(sketch) => sketch.estimate(start),
        }
    }

    /// Memory, bytes, for the bound.
    fn heap_bytes(&self) -> usize {
        16 * match &self.repr {
            Repr::Exact(values) => values.len(),
            Repr::Sketch(sketch) => sketch.cells(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const WINDOW: i64 = 3_600_000;

    fn hash(value: u64) -> u64 {
        crate::entity::KeyHasher::new([1; 16]).combine(&[value])
    }

    fn fed(events: &[(i64, u64)]) -> Values {
        let mut distinct = Values::default();
        for (at, value) in events {
            distinct.feed(*at, hash(*value), WINDOW);
        }
        distinct
    }

    fn expected(events: &[(i64, u64)]) -> usize {
        let newest = events.iter().map(|(at, _)| *at).max().unwrap_or(0);
        events.iter().filter(|(at, _)| *at > newest - WINDOW).map(|(_, value)| *value).collect::<BTreeSet<_>>().len()
    }

    #[test]
    fn a_value_seen_again_stays() {
        let distinct = fed(&[(0, 1), (1, 2), (WINDOW, 1)]);
        assert_eq!(distinct.value(WINDOW, WINDOW), 2);
        assert_eq!(distinct.value(WINDOW + 1, WINDOW), 1);
    }

    #[test]
    fn many_values_are_estimated_within_the_stated_error() {
        for n in [33_u64, 100, 1_000, 20_000] {
            let events: Vec<(i64, u64)> = (0..n).map(|value| (i64::try_from(value).expect("small"), value)).collect();
            let estimate = fed(&events).value(0, WINDOW).unsigned_abs();
            assert!(estimate.abs_diff(n) * 100 <= n * 12, "{estimate} for {n}");
        }
    }

    #[test]
    fn the_sketch_slides_and_gives_way_when_all_has_left() {
        let mut distinct = fed(&(0_u64..2_000).map(|value| (i64::try_from(value).expect("small") * 1_000, value)).collect::<Vec<_>>());
        let tail = distinct.value(1_999_000 + WINDOW - 200_000, WINDOW);
        assert!((180..=220).contains(&tail), "{tail} of the last 200");
        distinct.feed(100 * WINDOW, hash(7), WINDOW);
        assert_eq!((distinct.value(0, WINDOW), distinct.heap_bytes()), (1, 16));
    }

    proptest! {
        #[test]
        fn exact_and_in_any_order(events in proptest::collection::vec((0_i64..10_000_000, 0_u64..32), 1..120).prop_shuffle()) {
            let mut sorted = events.clone();
            sorted.sort_unstable();
            prop_assert_eq!(usize::try_from(fed(&events).value(0, WINDOW)).expect("a count"), expected(&events));
            prop_assert_eq!(usize::try_from(fed(&sorted).value(0, WINDOW)).expect("a count"), expected(&events));
        }
    }
}
