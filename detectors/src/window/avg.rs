//! The mean of a field of numbers over the window: a sum beside a count, so that both end at the same instant.

use serde::{Deserialize, Serialize};

use crate::event::field::FieldType;
use crate::kernel::extreme::of_numbers;
use crate::kernel::moments::{in_steps, steps_of};
use crate::kernel::series::{self, Total};
use crate::operator::{Fact, Feeds, HeapBounds, Named, NoParams, OfField, Operator, Setup, Yields};
use crate::signal::Signal;
use crate::value::OwnedValue;

/// See the module's header.
pub struct Avg;

/// A mean over time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Mean {
    sum: Total,
    count: Total,
}

impl Operator for Avg {
    const NAME: &'static str = "avg";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "The mean of a field of numbers, a double.";
    const FEEDS: Feeds =
        Feeds::Named(Named { of: OfField::Of { takes: "a field of numbers", example: "amount", clears: false }, ..Named::USUAL });
    const YIELDS: Yields = Yields::Value(|ty| of_numbers(ty).map(|_| FieldType::Double));
    const TAKES_OFFSET: bool = true;
    type Params = NoParams;
    type State = Mean;

    fn heap_bytes(state: &Mean) -> usize {
        state.sum.heap_bytes() + state.count.heap_bytes()
    }

    fn heap_bounds(_: &Setup<NoParams>) -> HeapBounds {
        series::HEAP.and(series::HEAP)
    }

    fn newest_ms(state: &Mean) -> Option<i64> {
        Some(state.count.newest_ms())
    }

    fn feed(setup: &Setup<NoParams>, fact: &Fact<'_, '_>, state: &mut Mean) -> Option<Signal> {
        if let Some(number) = in_steps(fact.value()) {
            state.feed(fact.at_ms, number, setup.window_ms);
        }
        None
    }

    fn read(setup: &Setup<NoParams>, at_ms: i64, state: &Mean) -> OwnedValue {
        let mean = state.value(at_ms, setup.window_ms, setup.offset_ms);
        mean.map_or(OwnedValue::Absent, |mean| OwnedValue::Double(mean / steps_of(setup.of)))
    }
}

impl Mean {
    fn feed(&mut self, at_ms: i64, number: i64, window_ms: i64) {
        self.sum.feed(at_ms, number, window_ms);
        self.count.feed(at_ms, 1, window_ms);
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean is a double, good to 53 bits")]
    fn value(&self, at_ms: i64, window_ms: i64, offset_ms: i64) -> Option<f64> {
        let (sum, count) = (self.sum.value(at_ms, window_ms, offset_ms)?, self.count.value(at_ms, window_ms, offset_ms)?);
        Some(sum as f64 / count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_of_what_the_window_holds() {
        let mut mean = Mean::default();
        assert_eq!(mean.value(0, 100, 0), None);
        for (at, number) in [(0, 1_000), (50, 10), (50, 20), (100, 30)] {
            mean.feed(at, number, 100);
        }
        assert_eq!(mean.value(100, 100, 0), Some(20.0));
        assert_eq!(mean.value(100, 100, 1), Some(15.0), "but for the newest");
        assert_eq!(mean.value(200, 100, 0), None);
    }
}
