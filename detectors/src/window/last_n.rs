//! Last n: what the newest few numbers of a key are like.
//!
//! ```text
//! Formula  of the `n` newest values in (T − W, T], by event time and the current one included: how many there are, the least,
//!          the greatest, the oldest, the newest, the mean. Of one instant the greater is the newer, whichever came first
//! State    16 bytes a value, 512 bytes a key at the most
//! Misses   what lies further back: whoever puts a few unlike ones between has others for his last five
//! Source   order by event time, as in the row frames of SQL (ISO/IEC 9075-2, `ROWS n PRECEDING`)
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::field::FieldType;
use crate::kernel::numbers::{Numbers, bits_of, number_of};
use crate::operator::{Fact, Feeds, HeapBounds, Measure, Named, OfField, Operator, Setup, Yields, is_number};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::{OwnedValue, from_ordered_bits};

const FIELDS: &[SignalField] = &[
    SignalField { name: "last_n", ty: SignalType::Int, doc: "how many there are, `n` at the most" },
    SignalField { name: "min", ty: SignalType::OfField, doc: "the least of them" },
    SignalField { name: "max", ty: SignalType::OfField, doc: "the greatest" },
    SignalField { name: "first", ty: SignalType::OfField, doc: "the oldest" },
    SignalField { name: "last", ty: SignalType::OfField, doc: "the newest" },
    SignalField { name: "mean", ty: SignalType::Double { decimals: 6 }, doc: "their mean" },
];

/// See the module's header.
pub struct LastN;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// How many of the newest are looked at. Five alike are a pattern; of more, an honest one among them hides it.
    #[schemars(range(min = 2.0, max = 32.0), example = 5.0)]
    pub n: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { n: 5 }
    }
}

impl Operator for LastN {
    const NAME: &'static str = "last_n";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "What the newest `n` values of a field of numbers are like, the current one included.";
    const FEEDS: Feeds =
        Feeds::Named(Named { of: OfField::Of { takes: "a field of numbers", example: "amount", clears: false }, ..Named::USUAL });
    const YIELDS: Yields = Yields::Measure(Measure { of: is_number, fields: FIELDS });
    const LEAST: Option<i64> = Some(0);
    type Params = Params;
    type State = Numbers;

    fn heap_bytes(state: &Numbers) -> usize {
        state.heap_bytes()
    }

    fn heap_bounds(setup: &Setup<Params>) -> HeapBounds {
        Numbers::heap(most(&setup.params))
    }

    fn newest_ms(state: &Numbers) -> Option<i64> {
        state.newest_ms()
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut Numbers) -> Option<Signal> {
        if let Some(bits) = bits_of(fact.value()) {
            state.feed(fact.at_ms, bits, setup.window_ms, most(&setup.params));
        }
        None
    }

    fn measure(setup: &Setup<Params>, at_ms: i64, state: &Numbers) -> Option<Signal> {
        Some(measured(state.inside(at_ms, setup.window_ms), setup.of))
    }
}

/// Values that are kept of a key.
fn most(params: &Params) -> usize {
    usize::try_from(params.n).unwrap_or(usize::MAX)
}

/// What they are like, oldest first.
fn measured(mut numbers: impl ExactSizeIterator<Item = i64> + Clone, of: Option<FieldType>) -> Signal {
    let count = OwnedValue::Int(i64::try_from(numbers.len()).unwrap_or(i64::MAX));
    let all = numbers.clone();
    let Some(first) = numbers.next() else {
        return Signal::new(
            FIELDS,
            [count, OwnedValue::Absent, OwnedValue::Absent, OwnedValue::Absent, OwnedValue::Absent, OwnedValue::Absent],
        );
    };
    let (min, max, last) = numbers.fold((first, first, first), |(min, max, _), bits| (bits.min(min), bits.max(max), bits));
    let [min, max, first, last] = [min, max, first, last].map(|bits| number_of(bits, of));
    Signal::new(FIELDS, [count, min, max, first, last, OwnedValue::Double(mean(all, of))])
}

#[expect(clippy::cast_precision_loss, reason = "a mean is a double, good to 53 bits")]
fn mean(numbers: impl ExactSizeIterator<Item = i64>, of: Option<FieldType>) -> f64 {
    let count = numbers.len() as f64;
    if of == Some(FieldType::Double) {
        // Divided first: the sum of the largest doubles is none.
        return numbers.map(|bits| from_ordered_bits(bits) / count).sum();
    }
    numbers.map(i128::from).sum::<i128>() as f64 / count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(signal: &Signal) -> Vec<OwnedValue> {
        (0..FIELDS.len()).filter_map(|index| signal.get(index).cloned()).collect()
    }

    #[test]
    fn five_are_told_of() {
        let mut numbers = Numbers::default();
        assert!(values(&measured(numbers.inside(0, 100), Some(FieldType::Int)))[1..].iter().all(|value| *value == OwnedValue::Absent));
        for (at_ms, amount) in [(1, 900), (3, 10), (2, 40), (4, 20), (6, 5), (5, 30)] {
            numbers.feed(at_ms, amount, 100, 5);
        }
        let found = values(&measured(numbers.inside(6, 100), Some(FieldType::Int)));
        let int = OwnedValue::Int;
        assert!(found == [int(5), int(5), int(40), int(40), int(5), OwnedValue::Double(21.0)], "the oldest has been driven out");
    }

    proptest! {
        /// Integers and doubles up to their ends, and nothing that is no number comes of them.
        #[test]
        fn it_agrees_with_a_list(numbers in proptest::collection::vec(any::<i64>(), 1..32), doubles in proptest::collection::vec(-1e308_f64..1e308, 1..32)) {
            let found = values(&measured(numbers.iter().copied(), Some(FieldType::Int)));
            let int = |number: Option<&i64>| OwnedValue::Int(*number.expect("there are some"));
            prop_assert!(found[1..5] == [int(numbers.iter().min()), int(numbers.iter().max()), int(numbers.first()), int(numbers.last())]);
            let found = values(&measured(doubles.iter().map(|number| crate::value::ordered_bits(*number)), Some(FieldType::Double)));
            let (min, max) = (doubles.iter().copied().fold(f64::INFINITY, f64::min), doubles.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            let double = |number: f64| OwnedValue::Double(number);
            prop_assert!(found[1..5] == [double(min), double(max), double(doubles[0]), double(doubles[doubles.len() - 1])]);
            let OwnedValue::Double(mean) = found[5] else { panic!("a mean") };
            prop_assert!(mean.is_finite() && mean >= min - 1e293 && mean <= max + 1e293, "{} of {} to {}", mean, min, max);
        }
    }
}
