//! The sum of a whole-number field over the window. It saturates at the ends of `i64`, so that a hostile amount cannot
//! wrap round to a small one.

use crate::event::field::FieldType;
use crate::kernel::series::{self, Total};
use crate::operator::{Fact, Feeds, HeapBounds, Named, NoParams, OfField, Operator, Setup, Yields};
use crate::signal::Signal;
use crate::value::{OwnedValue, Value};

/// See the module's header.
pub struct Sum;

impl Operator for Sum {
    const NAME: &'static str = "sum";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "The sum of a whole-number field.";
    const FEEDS: Feeds =
        Feeds::Named(Named { of: OfField::Of { takes: "a field of whole numbers", example: "amount", clears: true }, ..Named::USUAL });
    const YIELDS: Yields = Yields::Value(|ty| (ty == FieldType::Int).then_some(FieldType::Int));
    const TAKES_OFFSET: bool = true;
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
        if let Value::Int(amount) = fact.value() {
            state.feed(fact.at_ms, amount, setup.window_ms);
        }
        None
    }

    fn read(setup: &Setup<NoParams>, at_ms: i64, state: &Total) -> OwnedValue {
        OwnedValue::Int(state.value(at_ms, setup.window_ms, setup.offset_ms).unwrap_or(0))
    }
}
