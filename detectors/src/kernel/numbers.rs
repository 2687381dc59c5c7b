//! The newest numbers of a key over the window, one by one.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::series::start_of;
use crate::event::field::FieldType;
use crate::operator::HeapBounds;
use crate::value::{OwnedValue, Value, from_ordered_bits, ordered_bits};

/// A number as an integer of its order; `None` where it is none.
pub fn bits_of(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => Some(number),
        Value::Double(number) => Some(ordered_bits(number)),
        _ => None,
    }
}

/// The number of [`bits_of`] in a field of that type.
pub fn number_of(bits: i64, of: Option<FieldType>) -> OwnedValue {
    if of == Some(FieldType::Double) { OwnedValue::Double(from_ordered_bits(bits)) } else { OwnedValue::Int(bits) }
}

/// Numbers over time, each as its [`bits_of`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// (instant, number), in that order, so that arrival changes nothing.
    kept: SmallVec<[(i64, i64); 1]>,
}

impl Numbers {
    /// What so many take.
    pub const fn heap(most: usize) -> HeapBounds {
        HeapBounds { first: size_of::<(i64, i64)>(), most: most * size_of::<(i64, i64)>() }
    }

    /// Adds one. Of more than `most` the oldest go; what has left the window of the newest is not kept.
    pub fn feed(&mut self, at_ms: i64, bits: i64, window_ms: i64, most: usize) {
        let start_ms = self.start_ms(at_ms, window_ms);
        let gone = self.kept.partition_point(|(at_ms, _)| *at_ms <= start_ms);
        if gone > 0 {
            self.kept.drain(..gone);
        }
        if at_ms <= start_ms {
            return;
        }
        let place = self.kept.partition_point(|other| *other <= (at_ms, bits));
        self.kept.insert(place, (at_ms, bits));
        if self.kept.len() > most {
            self.kept.remove(0);
        }
    }

    /// Those in the window that ends at `at_ms` or at the newest, whichever is later, oldest first.
    pub fn inside(&self, at_ms: i64, window_ms: i64) -> impl ExactSizeIterator<Item = i64> + Clone {
        let start_ms = self.start_ms(at_ms, window_ms);
        let gone = self.kept.partition_point(|(at_ms, _)| *at_ms <= start_ms);
        self.kept.get(gone..).unwrap_or_default().iter().map(|(_, bits)| *bits)
    }

    /// Whether an event lies a window or more behind the newest.
    pub fn is_behind(&self, at_ms: i64, window_ms: i64) -> bool {
        at_ms <= self.start_ms(at_ms, window_ms)
    }

    /// The start of the window that ends at `at_ms` or at the newest, whichever is later.
    fn start_ms(&self, at_ms: i64, window_ms: i64) -> i64 {
        start_of(self.newest_ms().map_or(at_ms, |newest_ms| newest_ms.max(at_ms)), window_ms)
    }

    /// The instant of the newest, ms: it is never driven out.
    pub fn newest_ms(&self) -> Option<i64> {
        self.kept.last().map(|(at_ms, _)| *at_ms)
    }

    /// Their memory, bytes.
    pub fn heap_bytes(&self) -> usize {
        self.kept.len() * size_of::<(i64, i64)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: i64 = 1_000;
    const MOST: usize = 8;

    fn fed(events: &[(i64, i64)]) -> Numbers {
        let mut numbers = Numbers::default();
        for (at_ms, bits) in events {
            numbers.feed(*at_ms, *bits, WINDOW, MOST);
        }
        numbers
    }

    #[test]
    fn a_number_is_its_own_again() {
        for value in [Value::Int(i64::MIN), Value::Int(7), Value::Double(-0.5), Value::Double(1e300)] {
            let of = if matches!(value, Value::Int(_)) { FieldType::Int } else { FieldType::Double };
            assert!(number_of(bits_of(value).expect("a number"), Some(of)).borrow() == value);
        }
        assert_eq!(bits_of(Value::Str("7")), None);
    }

    #[test]
    fn the_window_is_open_at_its_start() {
        let numbers = fed(&[(1, 10), (2, 20), (1_001, 30)]);
        assert_eq!(numbers.inside(0, WINDOW).collect::<Vec<_>>(), [20, 30]);
        assert_eq!(numbers.inside(1_002, WINDOW).collect::<Vec<_>>(), [30], "a later reader sees less");
        assert_eq!(fed(&[]).inside(0, WINDOW).len(), 0);
    }

    proptest! {
        /// Late, repeated, at the ends of time and of numbers: the newest of a sorted list.
        #[test]
        fn they_are_the_newest_of_a_list(
            events in proptest::collection::vec((prop_oneof![20 => -500_i64..3_000, 1 => Just(i64::MAX)], prop_oneof![-3_i64..3, any::<i64>()]), 1..60).prop_shuffle(),
        ) {
            let mut sorted = events.clone();
            sorted.sort_unstable();
            let newest = sorted.last().map_or(0, |(at_ms, _)| *at_ms);
            let inside: Vec<i64> = sorted.iter().filter(|(at_ms, _)| *at_ms > newest - WINDOW).map(|(_, bits)| *bits).collect();
            let expected = &inside[inside.len().saturating_sub(MOST)..];
            let (numbers, in_order) = (fed(&events), fed(&sorted));
            prop_assert_eq!(numbers.inside(i64::MIN, WINDOW).collect::<Vec<_>>(), expected);
            prop_assert_eq!(&numbers, &in_order);
            prop_assert!(numbers.heap_bytes() <= Numbers::heap(MOST).most && numbers.newest_ms() == Some(newest));
        }
    }
}
