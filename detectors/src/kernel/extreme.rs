//! The smallest or the largest number over the window, whole or real.

use super::series::{Merge, Series};
use crate::event::field::FieldType;
use crate::operator::{Fact, NoParams, Setup};
use crate::value::{OwnedValue, Value, from_ordered_bits, ordered_bits};

/// The type of the field, where it is one of numbers.
pub fn of_numbers(ty: FieldType) -> Option<FieldType> {
    matches!(ty, FieldType::Int | FieldType::Double).then_some(ty)
}

/// Takes in the number of an event. Doubles are kept as integers of their order.
pub fn feed<M: Merge<Cell = i64>>(setup: &Setup<NoParams>, fact: &Fact<'_, '_>, state: &mut Series<M>) {
    let number = match fact.value() {
        Value::Int(number) => number,
        Value::Double(number) => ordered_bits(number),
        _ => return,
    };
    state.feed(fact.at_ms, number, setup.window_ms);
}

/// The number that the window holds the most or the least of.
pub fn read<M: Merge<Cell = i64>>(setup: &Setup<NoParams>, at_ms: i64, state: &Series<M>) -> OwnedValue {
    match state.value(at_ms, setup.window_ms, setup.offset_ms) {
        Some(bits) if setup.of == Some(FieldType::Double) => OwnedValue::Double(from_ordered_bits(bits)),
        Some(number) => OwnedValue::Int(number),
        None => OwnedValue::Absent,
    }
}
