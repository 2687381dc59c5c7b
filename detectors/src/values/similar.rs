//! Similar: how many other values of a key are nearly as large as this one.
//!
//! ```text
//! Formula  of the other values b in (T − W, T], those with | |a| − |b| | ≤ within · |a|, a the current event's: by size, so that
//!          what goes out is like what came in. Each event counts, equal ones too
//! Reads    at an event that feeds it; elsewhere it has no value
//! State    16 bytes a value, the newest 256: 4 KiB a key at the most. Exact up to there, then too few
//! Misses   whoever adds noise of more than `within`, or splits an amount in unlike parts; and 256 others drive one out
//! Alarms   wrongly where prices are fixed: a fee of 50 is like every other. Ask for the amount too
//! Source   a relative tolerance measured by one of the two, the asymmetric test that PEP 485 (Barker, 2015) weighs
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::field::FieldType;
use crate::kernel::numbers::{Numbers, bits_of, number_of};
use crate::operator::{Fact, Feeds, HeapBounds, Heard, Measure, Named, OfField, Operator, Setup, Yields, is_number};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::{OwnedValue, from_ordered_bits};

/// Values that are kept of a key. 4 KiB, and far more than any limit that a rule about one person sets.
const VALUES_MAX: usize = 256;

const FIELDS: &[SignalField] = &[
    SignalField { name: "similar", ty: SignalType::Int, doc: "how many others lie within the tolerance" },
    SignalField { name: "nearest", ty: SignalType::OfField, doc: "the other that is nearest in size, within it or not" },
];

/// See the module's header.
pub struct Similar;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// How far another may be off, as a share of the current one. More sees through noise, and finds more by chance.
    #[schemars(range(min = 0.0, max = 1.0), example = 0.01)]
    pub within: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { within: 0.01 }
    }
}

impl Operator for Similar {
    const NAME: &'static str = "similar";
    const VERSION: u16 = 1;
    const GIVES: &'static str =
        "How many other values of a field of numbers are nearly as large as the current event's; a value only at events that feed it.";
    const FEEDS: Feeds =
        Feeds::Named(Named { of: OfField::Of { takes: "a field of numbers", example: "amount", clears: false }, ..Named::USUAL });
    const YIELDS: Yields = Yields::Measure(Measure { of: is_number, fields: FIELDS });
    const HEARD: Heard = Heard::WhereFed;
    const LEAST: Option<i64> = Some(0);
    type Params = Params;
    type State = Numbers;

    fn heap_bytes(state: &Numbers) -> usize {
        state.heap_bytes()
    }

    fn heap_bounds(_: &Setup<Params>) -> HeapBounds {
        Numbers::heap(VALUES_MAX)
    }

    fn newest_ms(state: &Numbers) -> Option<i64> {
        state.newest_ms()
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut Numbers) -> Option<Signal> {
        let bits = bits_of(fact.value())?;
        let sizes = if setup.of == Some(FieldType::Double) { Sizes::Doubles } else { Sizes::Integers };
        let (count, nearest) = feed(state, (fact.at_ms, bits), setup.window_ms, (sizes, setup.params.within))?;
        let nearest = nearest.map_or(OwnedValue::Absent, |bits| number_of(bits, setup.of));
        Some(Signal::new(FIELDS, [OwnedValue::Int(count), nearest]))
    }
}

/// How numbers are compared by size.
#[derive(Clone, Copy)]
enum Sizes {
    Integers,
    Doubles,
}

impl Sizes {
    /// How far apart two are, in the order of distances.
    fn apart(self, one: i64, other: i64) -> u64 {
        match self {
            Self::Integers => one.unsigned_abs().abs_diff(other.unsigned_abs()),
            // Doubles that are not negative have the order of their bits.
            Self::Doubles => (from_ordered_bits(one).abs() - from_ordered_bits(other).abs()).abs().to_bits(),
        }
    }

    /// That distance as a share of a number. It is divided rather than multiplied, so that 29 of 2,900 is 0.01 to the bit.
    #[expect(clippy::cast_precision_loss, reason = "a share, good to 53 bits")]
    fn share(self, apart: u64, of: i64) -> f64 {
        match (self, apart) {
            (_, 0) => 0.0,
            (Self::Integers, _) => apart as f64 / of.unsigned_abs() as f64,
            (Self::Doubles, _) => f64::from_bits(apart) / from_ordered_bits(of).abs(),
        }
    }
}

/// Takes in a value; how many others are like it, and the nearest. `None` where it has left the window.
fn feed(state: &mut Numbers, (at_ms, bits): (i64, i64), window_ms: i64, (sizes, within): (Sizes, f64)) -> Option<(i64, Option<i64>)> {
    if state.is_behind(at_ms, window_ms) {
        return None;
    }
    let others = state.inside(at_ms, window_ms);
    let count = others.clone().filter(|other| sizes.share(sizes.apart(bits, *other), bits) <= within).count();
    // Of several that are as near the smallest, so that their order changes nothing.
    let nearest = others.min_by_key(|other| (sizes.apart(bits, *other), *other));
    state.feed(at_ms, bits, window_ms, VALUES_MAX);
    Some((i64::try_from(count).unwrap_or(i64::MAX), nearest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ordered_bits;
    use proptest::prelude::*;

    const WINDOW: i64 = 1_000;

    fn fed(events: &[(i64, i64)], within: f64) -> Vec<Option<(i64, Option<i64>)>> {
        let mut state = Numbers::default();
        events.iter().map(|event| feed(&mut state, *event, WINDOW, (Sizes::Integers, within))).collect()
    }

    #[test]
    fn others_count_to_the_bound_and_on_both_sides() {
        let found = fed(&[(1, 2_871), (2, 2_929), (3, 2_930), (4, -2_900), (5, 2_900)], 0.01);
        assert_eq!(found[0], Some((0, None)));
        assert_eq!(found[4], Some((3, Some(-2_900))), "2,930 is one too many, and what went out is as large");
        assert_eq!(fed(&[(1, 100), (2, 100), (3, 100)], 0.0)[2], Some((2, Some(100))), "equal ones each");
        assert_eq!(fed(&[(1, 0), (2, 1), (3, 0)], 1.0)[2], Some((1, Some(0))), "nothing but nothing is near nothing");
    }

    #[test]
    fn what_has_left_the_window_is_no_other() {
        let found = fed(&[(1, 100), (1_001, 100), (1_000, 100), (1, 100)], 0.01);
        assert_eq!(found, [Some((0, None)), Some((0, None)), Some((1, Some(100))), None]);
    }

    #[test]
    fn a_flood_is_bounded_and_drives_the_oldest_out() {
        let mut state = Numbers::default();
        for number in 0..2_000 {
            feed(&mut state, (number / 10, 1_000_000 + number), WINDOW, (Sizes::Integers, 0.1));
            assert!(state.heap_bytes() <= Numbers::heap(VALUES_MAX).most);
        }
        assert_eq!(feed(&mut state, (200, 1_000_000), WINDOW, (Sizes::Integers, 0.1)), Some((256, Some(1_001_744))));
    }

    #[test]
    fn doubles_are_compared_as_they_are() {
        let mut state = Numbers::default();
        let mut one = |at_ms, number: f64| {
            let found = feed(&mut state, (at_ms, ordered_bits(number)), WINDOW, (Sizes::Doubles, 0.1));
            found.map(|(count, nearest)| (count, nearest.map(crate::value::from_ordered_bits)))
        };
        assert_eq!(one(1, 30.0), Some((0, None)));
        assert_eq!(one(2, -31.5), Some((1, Some(30.0))));
        assert_eq!(one(3, f64::MAX), Some((0, Some(-31.5))));
        assert_eq!(one(4, 0.0), Some((0, Some(30.0))));
        assert_eq!(one(5, -0.0), Some((1, Some(0.0))));
    }

    proptest! {
        /// Late, repeated, up to the ends of numbers: what a list of all that came says, in whole numbers.
        #[test]
        fn it_agrees_with_a_list(
            events in proptest::collection::vec((prop_oneof![20 => 0_i64..3_000, 1 => Just(i64::MAX)], prop_oneof![4 => -300_i64..300, 1 => any::<i64>()]), 1..120),
            thousandths in 0_u32..200,
        ) {
            let found = fed(&events, f64::from(thousandths) / 1_000.0);
            for (index, ((at_ms, current), found)) in events.iter().zip(&found).enumerate() {
                let newest = events[..=index].iter().map(|(at_ms, _)| *at_ms).max().expect("one at least");
                let others = || events[..index].iter().filter(|(at_ms, _)| *at_ms > newest - WINDOW).map(|(_, number)| *number);
                let apart = |other: i64| i128::from(current.unsigned_abs().abs_diff(other.unsigned_abs()));
                // Of numbers so large that a double does not hold them a share is good to 53 bits.
                let is_sure = |other: i64| current.unsigned_abs().max(other.unsigned_abs()) < 1 << 52;
                let is_like = |other: &i64| apart(*other) * 1_000 <= i128::from(thousandths) * i128::from(current.unsigned_abs());
                if *at_ms <= newest - WINDOW {
                    prop_assert_eq!(*found, None);
                    continue;
                }
                let (count, nearest) = found.expect("it is in the window");
                prop_assert_eq!(nearest, others().min_by_key(|other| (apart(*other), *other)));
                if others().all(is_sure) && is_sure(*current) {
                    prop_assert_eq!(usize::try_from(count).expect("a count"), others().filter(is_like).count());
                }
            }
        }
    }
}
