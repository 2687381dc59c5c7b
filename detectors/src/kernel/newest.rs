//! The value of a field in a key's newest event, with the current one or without it.

use serde::{Deserialize, Serialize};

use super::series::start_of;
use crate::entity::ID_BYTES_MAX;
use crate::event::field::FieldType;
use crate::operator::{Fact, HeapBounds};
use crate::value::{OwnedValue, Value};

/// The length of an identifier, bytes, for what is said of memory beforehand.
const ID_BYTES_USUAL: usize = 16;

/// What the value of a field of that type takes: a text is an identifier, which is bounded, or a word.
pub fn heap(of: Option<FieldType>) -> HeapBounds {
    match of {
        Some(FieldType::String) => HeapBounds { first: ID_BYTES_USUAL, most: ID_BYTES_MAX },
        Some(FieldType::Enum(words)) => {
            HeapBounds { first: ID_BYTES_USUAL, most: words.iter().map(|word| word.len()).max().unwrap_or(0).max(ID_BYTES_USUAL) }
        }
        _ => HeapBounds::default(),
    }
}

/// The newest event's value. Events of one instant are ordered by a hash of their identity, so that the order in
/// which they arrive says nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Newest {
    at_ms: i64,
    identity: u64,
    value: OwnedValue,
}

impl Newest {
    /// Takes in the field of an event, where it has one.
    pub fn take(&mut self, fact: &Fact<'_, '_>) {
        let value = fact.value();
        if value.is_present() {
            self.feed(fact.at_ms, fact.identity, value);
        }
    }

    /// An event at `at_ms` with that value.
    pub fn feed(&mut self, at_ms: i64, identity: u64, value: Value<'_>) {
        if !self.value.borrow().is_present() || (at_ms, identity) >= (self.at_ms, self.identity) {
            *self = Self { at_ms, identity, value: value.to_owned() };
        }
    }

    /// The value, [`Value::Absent`] where the newest event has left the window that ends at `at_ms`.
    pub fn value(&self, at_ms: i64, window_ms: i64) -> Value<'_> {
        if self.at_ms > start_of(self.at_ms.max(at_ms), window_ms) { self.value.borrow() } else { Value::Absent }
    }

    /// Memory of its text, bytes, for the bound.
    pub fn heap_bytes(&self) -> usize {
        self.value.heap_bytes()
    }

    /// When the newest event was, ms.
    pub fn newest_ms(&self) -> i64 {
        self.at_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_wins_whatever_comes_first() {
        let mut newest = Newest::default();
        assert!(newest.value(5, 100) == Value::Absent);
        newest.feed(50, 1, Value::Str("b"));
        newest.feed(40, 9, Value::Str("a"));
        assert!(newest.value(40, 100) == Value::Str("b"));
        newest.feed(50, 0, Value::Str("c"));
        assert!(newest.value(50, 100) == Value::Str("b"), "of one instant the higher identity");
        newest.feed(50, 2, Value::Str("d"));
        assert!(newest.value(149, 100) == Value::Str("d"));
        assert!(newest.value(150, 100) == Value::Absent, "the window is open at its start");
    }
}
