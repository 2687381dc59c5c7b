//! The field's value in the newest event, the current one included.

use crate::kernel::newest::{self, Newest};
use crate::operator::{Fact, Feeds, HeapBounds, Named, NoParams, OfField, Operator, Setup, Yields, is_scalar};
use crate::signal::Signal;
use crate::value::OwnedValue;

/// See the module's header.
pub struct Last;

impl Operator for Last {
    const NAME: &'static str = "last";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "The field's value in the newest event, the current one included.";
    const FEEDS: Feeds =
        Feeds::Named(Named { of: OfField::Of { takes: "a scalar field", example: "country", clears: false }, ..Named::USUAL });
    const YIELDS: Yields = Yields::Value(|ty| is_scalar(ty).then_some(ty));
    type Params = NoParams;
    type State = Newest;

    fn heap_bytes(state: &Newest) -> usize {
        state.heap_bytes()
    }

    fn heap_bounds(setup: &Setup<NoParams>) -> HeapBounds {
        newest::heap(setup.of)
    }

    fn newest_ms(state: &Newest) -> Option<i64> {
        Some(state.newest_ms())
    }

    fn feed(_: &Setup<NoParams>, fact: &Fact<'_, '_>, state: &mut Newest) -> Option<Signal> {
        state.take(fact);
        None
    }

    fn read(setup: &Setup<NoParams>, at_ms: i64, state: &Newest) -> OwnedValue {
        state.value(at_ms, setup.window_ms).to_owned()
    }
}
