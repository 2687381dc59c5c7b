//! How many events of a key lie in the window.

use crate::event::field::FieldType;
use crate::kernel::series::{self, Total};
use crate::operator::{Fact, Feeds, HeapBounds, Named, NoParams, OfField, Operator, Setup, Yields};
use crate::signal::Signal;
use crate::value::OwnedValue;

/// See the module's header.
pub struct Count;

impl Operator for Count {
    const NAME: &'static str = "count";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "How many events.";
    const FEEDS: Feeds = Feeds::Named(Named {
        types: "The event types that are counted.",
        of: OfField::None { because: "counts events", instead: "remove it, or write `distinct` to count the different values of a field" },
        by: "The kind of entity that has a count of its own; several for each combination.",
        ..Named::USUAL
    });
    const YIELDS: Yields = Yields::Value(|_| Some(FieldType::Int));
    const TAKES_OFFSET: bool = true;
    const LEAST: Option<i64> = Some(0);
    type Params = NoParams;
    type State = Total;

    fn heap_bytes(state: &Total) -> usize {
        state.heap_bytes()
    }

    fn heap_bounds(_: &Setup<NoParams>) -> HeapBounds {
        series::HEAP
    }

    fn newest_ms(state: &Total) -> Option<i64> {
        Some(state.newest_ms())
    }

    fn feed(setup: &Setup<NoParams>, fact: &Fact<'_, '_>, state: &mut Total) -> Option<Signal> {
        state.feed(fact.at_ms, 1, setup.window_ms);
        None
    }

    fn read(setup: &Setup<NoParams>, at_ms: i64, state: &Total) -> OwnedValue {
        OwnedValue::Int(state.value(at_ms, setup.window_ms, setup.offset_ms).unwrap_or(0))
    }
}
