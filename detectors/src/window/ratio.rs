//! How many events of one sort there are for each of another: codes that were used for each that was sent.

use serde::{Deserialize, Serialize};

use crate::event::field::FieldType;
use crate::kernel::series::{self, Total};
use crate::operator::{Fact, Feeds, HeapBounds, Named, NoParams, OfField, Operator, Second, Setup, Yields};
use crate::signal::Signal;
use crate::value::OwnedValue;

/// See the module's header.
pub struct Ratio;

/// Two counts over time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sides {
    above: Total,
    below: Total,
}

impl Operator for Ratio {
    const NAME: &'static str = "ratio";
    const VERSION: u16 = 1;
    const GIVES: &'static str =
        "How many events of the `ratio` types there are for each of the `per` types, a double; no value while there is none.";
    const FEEDS: Feeds = Feeds::Named(Named {
        types: "The event types above the line.",
        of: OfField::None { because: "counts events", instead: "remove it; which events count above the line is said by `where`" },
        by: "The kind of entity that has a ratio of its own; several for each combination.",
        filter: "Which of the events above the line, in CEL over their `data`, parameters and lists; of firings, over the signal too.",
        second: Some(Second {
            key: "per",
            types: "The event types below the line, all of whose events count. Default the types above it, and then `where` is required.",
            required: false,
        }),
        ..Named::USUAL
    });
    const YIELDS: Yields = Yields::Value(|_| Some(FieldType::Double));
    const TAKES_OFFSET: bool = true;
    const LEAST: Option<i64> = Some(0);
    type Params = NoParams;
    type State = Sides;

    fn heap_bytes(state: &Sides) -> usize {
        state.above.heap_bytes() + state.below.heap_bytes()
    }

    fn heap_bounds(_: &Setup<NoParams>) -> HeapBounds {
        series::HEAP.and(series::HEAP)
    }

    fn newest_ms(state: &Sides) -> Option<i64> {
        Some(state.below.newest_ms())
    }

    fn feed(setup: &Setup<NoParams>, fact: &Fact<'_, '_>, state: &mut Sides) -> Option<Signal> {
        state.feed(fact.at_ms, fact.above, fact.below, setup.window_ms);
        None
    }

    fn read(setup: &Setup<NoParams>, at_ms: i64, state: &Sides) -> OwnedValue {
        state.value(at_ms, setup.window_ms, setup.offset_ms).map_or(OwnedValue::Absent, OwnedValue::Double)
    }
}

impl Sides {
    fn feed(&mut self, at_ms: i64, above: bool, below: bool, window_ms: i64) {
        // A side that gains nothing still learns how far time has come, so that both windows end at the same instant.
        self.above.feed(at_ms, i64::from(above), window_ms);
        self.below.feed(at_ms, i64::from(below), window_ms);
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn value(&self, at_ms: i64, window_ms: i64, offset_ms: i64) -> Option<f64> {
        let below = self.below.value(at_ms, window_ms, offset_ms).filter(|below| *below > 0)?;
        Some(self.above.value(at_ms, window_ms, offset_ms).unwrap_or(0) as f64 / below as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_of_what_the_window_holds() {
        let mut ratio = Sides::default();
        ratio.feed(0, true, false, 100);
        assert_eq!(ratio.value(0, 100, 0), None, "nothing below the line");
        for (at, above) in [(10, false), (20, true), (110, false), (115, false)] {
            ratio.feed(at, above, true, 100);
        }
        assert_eq!(ratio.value(115, 100, 0), Some(1.0 / 3.0));
        assert_eq!(ratio.value(120, 100, 0), Some(0.0), "what was above the line has left");
    }
}
