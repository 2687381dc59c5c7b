//! The smallest value of a field of numbers over the window.

use crate::kernel::extreme;
use crate::kernel::series;
use crate::operator::{Fact, Feeds, HeapBounds, Named, NoParams, OfField, Operator, Setup, Yields};
use crate::signal::Signal;
use crate::value::OwnedValue;

/// See the module's header.
pub struct Min;

impl Operator for Min {
    const NAME: &'static str = "min";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "The smallest value of a field of numbers.";
    const FEEDS: Feeds =
        Feeds::Named(Named { of: OfField::Of { takes: "a field of numbers", example: "amount", clears: false }, ..Named::USUAL });
    const YIELDS: Yields = Yields::Value(extreme::of_numbers);
    const TAKES_OFFSET: bool = true;
    type Params = NoParams;
    type State = series::Min;

    fn heap_bytes(state: &series::Min) -> usize {
        state.heap_bytes()
    }

    fn heap_bounds(_: &Setup<NoParams>) -> HeapBounds {
        series::HEAP
    }

    fn newest_ms(state: &series::Min) -> Option<i64> {
        Some(state.newest_ms())
    }

    fn feed(setup: &Setup<NoParams>, fact: &Fact<'_, '_>, state: &mut series::Min) -> Option<Signal> {
        extreme::feed(setup, fact, state);
        None
    }

    fn read(setup: &Setup<NoParams>, at_ms: i64, state: &series::Min) -> OwnedValue {
        extreme::read(setup, at_ms, state)
    }
}
