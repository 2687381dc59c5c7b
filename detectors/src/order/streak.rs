//! Streak: how many events came in a row, with none between them that ends it.
//!
//! ```text
//! Formula  the events of the `streak` types in (T − W, T] that are newer than the newest of the `until` types; what is of both
//!          counts where its `where` holds, and else ends the streak. By event time: a late end ends what it is newer than, and
//!          what comes late from before the newest end counts not at all; of one instant the end wins
//! State    the newest end, and what came since: 16 bytes an instant, 4 KiB a key at the most (kernel/series.rs)
//! Exact    to 256 instants in a row. Then by buckets of W/128: the oldest counts until all of it has left the window, and one
//!          that begins at an end or before it goes whole, so that nothing from before an end is ever counted
//! Misses   whoever has something between that ends it: a failed code for each good one. Count those beside it
//! Source   a run of like events, as in runs tests (Wald and Wolfowitz, 1940); here only its length
//! ```

use serde::{Deserialize, Serialize};

use crate::event::field::FieldType;
use crate::kernel::series::{self, Total};
use crate::operator::{Fact, Feeds, HeapBounds, Named, NoParams, OfField, Operator, Second, Setup, Yields};
use crate::signal::Signal;
use crate::value::OwnedValue;

/// See the module's header.
pub struct Streak;

/// What came in a row.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Row {
    /// Only what is newer than the end.
    events: Total,
    ended_ms: Option<i64>,
}

impl Operator for Streak {
    const NAME: &'static str = "streak";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "How many events came in a row since the last of the `until` types.";
    const FEEDS: Feeds = Feeds::Named(Named {
        types: "The event types that are counted.",
        of: OfField::None { because: "counts events", instead: "remove it; which events are counted is said by `where`" },
        by: "The kind of entity that has a streak of its own; several for each combination.",
        filter: "Which of the events that are counted, in CEL over their `data`, parameters and lists; of firings, over the signal too.",
        second: Some(Second {
            key: "until",
            types: "The event types that end it, all of whose events do; of a type that is counted too, those for which `where` does not hold.",
            required: true,
        }),
        ..Named::USUAL
    });
    const YIELDS: Yields = Yields::Value(|_| Some(FieldType::Int));
    const LEAST: Option<i64> = Some(0);
    type Params = NoParams;
    type State = Row;

    fn heap_bytes(state: &Row) -> usize {
        state.events.heap_bytes()
    }

    fn heap_bounds(_: &Setup<NoParams>) -> HeapBounds {
        series::HEAP
    }

    fn newest_ms(state: &Row) -> Option<i64> {
        Some(state.events.newest_ms()).max(state.ended_ms)
    }

    fn feed(setup: &Setup<NoParams>, fact: &Fact<'_, '_>, state: &mut Row) -> Option<Signal> {
        if fact.above {
            state.count(fact.at_ms, setup.window_ms);
        } else if fact.below {
            state.end(fact.at_ms);
        }
        None
    }

    fn read(setup: &Setup<NoParams>, at_ms: i64, state: &Row) -> OwnedValue {
        OwnedValue::Int(state.length(at_ms, setup.window_ms))
    }
}

impl Row {
    fn count(&mut self, at_ms: i64, window_ms: i64) {
        if self.ended_ms.is_none_or(|ended_ms| at_ms > ended_ms) {
            self.events.feed(at_ms, 1, window_ms);
        }
    }

    fn end(&mut self, at_ms: i64) {
        if self.ended_ms.is_none_or(|ended_ms| at_ms > ended_ms) {
            self.ended_ms = Some(at_ms);
            self.events.forget(at_ms);
        }
    }

    fn length(&self, at_ms: i64, window_ms: i64) -> i64 {
        self.events.value(at_ms, window_ms, 0).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: i64 = 1_000;

    /// (instant, whether it ends the streak), in the order in which they came.
    fn fed(events: &[(i64, bool)]) -> Row {
        let mut row = Row::default();
        for (at_ms, ends) in events {
            if *ends { row.end(*at_ms) } else { row.count(*at_ms, WINDOW) }
        }
        row
    }

    /// The instants in the window that are newer than the newest end.
    fn by_hand(events: &[(i64, bool)]) -> Vec<i64> {
        let newest = events.iter().map(|(at_ms, _)| *at_ms).max().unwrap_or(0);
        let ended = events.iter().filter(|(_, ends)| *ends).map(|(at_ms, _)| *at_ms).max();
        let is_of_it = |(at_ms, ends): &&(i64, bool)| !ends && ended.is_none_or(|ended| *at_ms > ended);
        events.iter().filter(is_of_it).map(|(at_ms, _)| *at_ms).filter(|at_ms| *at_ms > newest.saturating_sub(WINDOW)).collect()
    }

    #[test]
    fn an_end_ends_what_it_is_newer_than() {
        assert_eq!(fed(&[]).length(0, WINDOW), 0);
        assert_eq!(fed(&[(1, false), (2, false), (3, false)]).length(3, WINDOW), 3);
        assert_eq!(fed(&[(1, false), (2, true), (3, false)]).length(3, WINDOW), 1);
        assert_eq!(fed(&[(1, false), (3, false), (2, true)]).length(3, WINDOW), 1, "an end that came late");
        assert_eq!(fed(&[(5, true), (3, false), (6, false)]).length(6, WINDOW), 1, "an event from before the end");
        assert_eq!(fed(&[(5, false), (5, true), (5, false)]).length(5, WINDOW), 0, "of one instant the end wins");
        assert_eq!(fed(&[(5, true), (3, true), (4, false)]).length(5, WINDOW), 0, "an end before the newest changes nothing");
        assert_eq!(fed(&[(1, false), (2, false), (1_001, false)]).length(1_001, WINDOW), 2, "one has left the window");
        assert_eq!(fed(&[(1, false), (2, false)]).length(1_002, WINDOW), 0, "and a later reader sees less");
    }

    #[test]
    fn a_flood_before_an_end_is_gone() {
        let mut row = fed(&(0..900).map(|at_ms| (at_ms, false)).collect::<Vec<_>>());
        assert!(row.events.cells() <= 256 && row.length(0, WINDOW) >= 900);
        row.end(896);
        assert!(row.length(0, WINDOW) <= 3, "{}", row.length(0, WINDOW));
        row.end(i64::MAX);
        row.count(i64::MAX, WINDOW);
        assert_eq!((row.length(i64::MAX, WINDOW), row.events.heap_bytes()), (0, 0));
    }

    fn instant() -> impl Strategy<Value = i64> {
        prop_oneof![9 => 0_i64..3_000, 1 => prop::sample::select(vec![0, i64::MAX - 1, i64::MAX])]
    }

    proptest! {
        #[test]
        fn it_is_what_stands_in_a_list_whatever_the_order(events in proptest::collection::vec((instant(), prop::bool::weighted(0.1)), 1..200).prop_shuffle()) {
            let mut sorted = events.clone();
            sorted.sort_unstable();
            let expected = i64::try_from(by_hand(&events).len()).expect("a few");
            prop_assert_eq!(fed(&events).length(0, WINDOW), expected);
            prop_assert_eq!(fed(&sorted).length(0, WINDOW), expected);
        }

        /// Past 256 instants: never what lies before the end, and no more missing or over than a bucket.
        #[test]
        fn a_flood_is_good_to_a_bucket(events in proptest::collection::vec((0_i64..3_000, prop::bool::weighted(0.005)), 500..1_500)) {
            let width = WINDOW / 128;
            let (row, exact) = (fed(&events), by_hand(&events));
            let newest = events.iter().map(|(at_ms, _)| *at_ms).max().unwrap_or(0);
            let since = row.ended_ms.unwrap_or(-1);
            let over = events.iter().filter(|(at_ms, ends)| !ends && *at_ms > since && (newest - WINDOW - width..=newest - WINDOW).contains(at_ms)).count();
            let under = exact.iter().filter(|at_ms| **at_ms <= since + width).count();
            let (length, exact) = (usize::try_from(row.length(0, WINDOW)).expect("a count"), exact.len());
            prop_assert!(length + under >= exact && length <= exact + over, "{} for {}", length, exact);
        }
    }
}
