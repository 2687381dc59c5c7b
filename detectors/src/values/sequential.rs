//! Sequential: numbers of one range, one after the other: phone numbers that are made up, cards that are tried out.
//!
//! ```text
//! Formula  of the different values in (T − W, T], how many have another at a distance of 1 to `gap` that is there too. A text is the
//!          number that its last digits are, 18 at the most, and what stands before those, in which two neighbours are equal;
//!          what does not end in a digit is none. Phones are taken as they are written once (E.164)
//! State    no number: of each value a keyed hash, the newest instant that showed it and the newest of a neighbour. Neighbours are
//!          found by hashing n ± 1 … ± gap and looking for that. 24 bytes a value, the newest 256: 6 KiB a key at the most. Exact up
//!          to there, then too few, never too many
//! Misses   steps wider than `gap`, numbers drawn at random out of a range, and one number for each key: ask by a coarser one
//! Alarms   wrongly where numbers are given out in a row: a company's phones behind one address, a batch of gift cards
//! Source   "a block of adjacent numbers", by which Twilio's documentation (SMS traffic pumping fraud) tells pumped traffic
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::entity::KeyHasher;
use crate::event::field::FieldType;
use crate::kernel::series::start_of;
use crate::operator::{Fact, Feeds, HeapBounds, Measure, Named, Of, OfField, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::{OwnedValue, Value};

/// Values that are kept of a key.
const VALUES_MAX: usize = 256;
/// Digits of a number in a text: an `i64` holds as many, and neighbours of all that they say.
const DIGITS_MAX: usize = 18;
/// As the number of a kind of entity: of what names none.
const NO_KIND: u8 = u8::MAX;

const FIELDS: &[SignalField] = &[
    SignalField { name: "sequential", ty: SignalType::Int, doc: "how many different values have a neighbour" },
    SignalField { name: "distinct", ty: SignalType::Int, doc: "how many different values there are" },
];

/// See the module's header.
pub struct Sequential;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// How far apart neighbours may be. More sees through numbers that were left out, and finds more by chance.
    #[schemars(range(min = 1.0, max = 10.0), example = 2.0)]
    pub gap: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { gap: 2 }
    }
}

/// What one key has shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// By hash.
    kept: SmallVec<[Shown; 1]>,
    newest_ms: i64,
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Shown {
    hash: u64,
    /// The newest instant that showed it.
    at_ms: i64,
    /// The newest that showed a neighbour; the least number there is where none has been seen.
    beside_ms: i64,
}

impl Operator for Sequential {
    const NAME: &'static str = "sequential";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "How many different values of a field have another one next to them: a run of six, or three couples. Two spellings of a phone are one number.";
    const FEEDS: Feeds = Feeds::Named(Named {
        of: OfField::Of { takes: "a field of numbers or of texts that end in one", example: "phone", clears: true },
        ..Named::USUAL
    });
    const YIELDS: Yields = Yields::Measure(Measure { of: |ty| matches!(ty, FieldType::Int | FieldType::String), fields: FIELDS });
    const NEEDS_RAW: bool = true;
    const LEAST: Option<i64> = Some(0);
    type Params = Params;
    type State = Numbers;

    fn heap_bytes(state: &Numbers) -> usize {
        state.kept.len() * size_of::<Shown>()
    }

    fn heap_bounds(_: &Setup<Params>) -> HeapBounds {
        HeapBounds { first: size_of::<Shown>(), most: VALUES_MAX * size_of::<Shown>() }
    }

    fn newest_ms(state: &Numbers) -> Option<i64> {
        Some(state.newest_ms)
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut Numbers) -> Option<Signal> {
        if let Some(number) = Number::of(fact) {
            state.feed(fact.at_ms, number, i64::from(setup.params.gap), setup.window_ms, fact.hasher);
        }
        None
    }

    fn measure(setup: &Setup<Params>, at_ms: i64, state: &Numbers) -> Option<Signal> {
        let (sequential, distinct) = state.value(at_ms, setup.window_ms);
        Some(Signal::new(FIELDS, [OwnedValue::Int(sequential), OwnedValue::Int(distinct)]))
    }
}

/// A number, and what it is a number of.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Number {
    /// A keyed hash of its kind and of what stands before it.
    range: u64,
    number: i64,
}

impl Number {
    fn of(fact: &Fact<'_, '_>) -> Option<Self> {
        let kind = if let Some(Of::Field { kind, .. }) = fact.of { kind } else { None };
        let of_kind = kind.map_or(NO_KIND, |kind| kind as u8);
        match fact.value() {
            Value::Int(number) => Some(Self { range: fact.hasher.hash(&[b"n", &[of_kind]]), number }),
            Value::Str(text) => Self::in_text(&kind.map_or(text.into(), |kind| kind.normalise(text)), of_kind, fact.hasher),
            _ => None,
        }
    }

    fn in_text(text: &str, of_kind: u8, hasher: &KeyHasher) -> Option<Self> {
        let digits = text.len() - text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (before, digits) = text.split_at_checked(text.len() - digits.min(DIGITS_MAX))?;
        let range = hasher.hash(&[b"n", &[of_kind], before.as_bytes()]);
        Some(Self { range, number: digits.parse().ok()? })
    }

    /// The hash of the number that stands so far from it; `None` past the ends of numbers.
    fn hash(self, distance: i64, hasher: &KeyHasher) -> Option<u64> {
        Some(hasher.combine(&[self.range, self.number.checked_add(distance)?.cast_unsigned()]))
    }
}

impl Numbers {
    fn feed(&mut self, at_ms: i64, number: Number, gap: i64, window_ms: i64, hasher: &KeyHasher) {
        self.newest_ms = if self.kept.is_empty() { at_ms } else { self.newest_ms.max(at_ms) };
        let start_ms = start_of(self.newest_ms, window_ms);
        self.kept.retain(|shown| {
            if shown.beside_ms <= start_ms {
                shown.beside_ms = i64::MIN;
            }
            shown.at_ms > start_ms
        });
        let Some(hash) = number.hash(0, hasher).filter(|_| at_ms > start_ms) else { return };
        let own = self.find(hash).map_or(Shown { hash, at_ms, beside_ms: i64::MIN }, |shown| *shown);
        let mut own = Shown { at_ms: own.at_ms.max(at_ms), ..own };
        for distance in (1..=gap).flat_map(|distance| [-distance, distance]) {
            if let Some(other) = number.hash(distance, hasher).and_then(|hash| self.find(hash)) {
                other.beside_ms = other.beside_ms.max(own.at_ms);
                own.beside_ms = own.beside_ms.max(other.at_ms);
            }
        }
        self.put(own);
    }

    fn find(&mut self, hash: u64) -> Option<&mut Shown> {
        let place = self.kept.binary_search_by_key(&hash, |shown| shown.hash).ok()?;
        self.kept.get_mut(place)
    }

    fn put(&mut self, own: Shown) {
        if let Some(shown) = self.find(own.hash) {
            *shown = own;
            return;
        }
        let place = self.kept.partition_point(|shown| shown.hash < own.hash);
        self.kept.insert(place, own);
        if self.kept.len() > VALUES_MAX {
            let oldest = self.kept.iter().enumerate().min_by_key(|(_, shown)| (shown.at_ms, shown.hash));
            if let Some((place, _)) = oldest {
                self.kept.remove(place);
            }
        }
    }

    /// How many of those in the window have a neighbour in it, and how many there are.
    fn value(&self, at_ms: i64, window_ms: i64) -> (i64, i64) {
        let start_ms = start_of(self.newest_ms.max(at_ms), window_ms);
        let inside = || self.kept.iter().filter(|shown| shown.at_ms > start_ms);
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        (count(inside().filter(|shown| shown.beside_ms > start_ms).count()), count(inside().count()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const WINDOW: i64 = 1_000;

    fn hasher() -> KeyHasher {
        KeyHasher::new([3; 16])
    }

    fn fed(events: &[(i64, i64)], gap: i64) -> Numbers {
        let mut state = Numbers::default();
        for (at_ms, number) in events {
            state.feed(*at_ms, Number { range: 1, number: *number }, gap, WINDOW, &hasher());
        }
        state
    }

    /// The newest instant of each value that is there, of all that came.
    fn shown(events: &[(i64, i64)]) -> (i64, BTreeMap<i64, i64>) {
        let mut shown = BTreeMap::new();
        let mut newest = i64::MIN;
        for (at_ms, number) in events {
            newest = newest.max(*at_ms);
            let seen: &mut i64 = shown.entry(*number).or_insert(*at_ms);
            *seen = (*seen).max(*at_ms);
        }
        (newest, shown)
    }

    fn by_hand(events: &[(i64, i64)], gap: i64, at_ms: i64) -> (i64, i64) {
        let (newest, mut shown) = shown(events);
        shown.retain(|_, seen_ms| *seen_ms > newest.max(at_ms) - WINDOW);
        let numbers: Vec<i64> = shown.into_keys().collect();
        let near = |one: i64, other: i64| one != other && i128::from(one).abs_diff(i128::from(other)) <= u128::from(gap.unsigned_abs());
        let sequential = numbers.iter().filter(|one| numbers.iter().any(|other| near(**one, *other))).count();
        (i64::try_from(sequential).expect("a few"), i64::try_from(numbers.len()).expect("a few"))
    }

    #[test]
    fn neighbours_are_told_from_strangers() {
        assert_eq!(fed(&[(1, 10), (2, 12), (3, 20), (4, 23), (5, 23)], 2).value(5, WINDOW), (2, 4));
        assert_eq!(fed(&[(1, 10), (2, 12), (3, 20), (4, 23)], 3).value(5, WINDOW), (4, 4));
        assert_eq!(fed(&[(1, 10), (2, 10)], 2).value(5, WINDOW), (0, 1), "nobody is his own neighbour");
        assert_eq!(Numbers::default().value(5, WINDOW), (0, 0));
    }

    #[test]
    fn a_value_counts_while_both_are_in_the_window() {
        let state = fed(&[(1, 10), (500, 11), (900, 10)], 1);
        assert_eq!(state.value(1_499, WINDOW), (2, 2));
        assert_eq!(state.value(1_500, WINDOW), (0, 1), "its neighbour has left");
        assert_eq!(state.value(1_900, WINDOW), (0, 0));
    }

    #[test]
    fn a_text_is_what_stands_before_its_number_and_the_number() {
        let number = |text: &str, kind: u8| Number::in_text(text, kind, &hasher());
        let of = |text: &str| number(text, NO_KIND).expect("it ends in a number");
        assert_eq!((of("+201000000042").number, of("507803").number, of("v_0099").number), (201_000_000_042, 507_803, 99));
        assert_eq!(of("v_0099").range, of("v_0100").range);
        assert_ne!(of("v_0099").range, of("w_0100").range);
        assert_ne!(of("7").range, number("7", 4).expect("a number").range, "of another kind");
        let long = of("12345678901234567890123");
        assert_eq!((long.number, long.range), (678_901_234_567_890_123, of("12345999999999999999999").range));
        for none in ["", "v", "7a", "سبعة", "٧"] {
            assert_eq!(number(none, NO_KIND), None, "{none}");
        }
    }

    /// Nothing of a number can be read in what is kept, and at the ends of numbers there are fewer neighbours.
    #[test]
    fn no_number_is_kept() {
        let state = fed(&[(1, 201_000_000_042), (2, i64::MAX), (3, i64::MAX - 1), (4, i64::MIN)], 10);
        assert_eq!(state.value(4, WINDOW), (2, 4));
        let text = format!("{state:?}");
        assert!(!text.contains("201000000042") && !text.contains(&format!(" {}", i64::MAX - 1)), "{text}");
    }

    #[test]
    fn a_flood_counts_too_few_and_never_too_many() {
        let events: Vec<(i64, i64)> = (0..3_000).map(|number| (number / 20, number * 7 % 3_000 + number % 3)).collect();
        let state = fed(&events, 2);
        let ((sequential, distinct), exact) = (state.value(0, WINDOW), by_hand(&events, 2, 0));
        assert_eq!((distinct, Sequential::heap_bytes(&state)), (256, 6_144));
        assert!(sequential <= exact.0 && exact.1 > 256);
    }

    proptest! {
        /// Late, repeated, at the ends of time and of numbers, in any order.
        #[test]
        fn it_agrees_with_a_list(
            events in proptest::collection::vec((
                prop_oneof![30 => 0_i64..3_000, 1 => Just(i64::MAX)],
                prop_oneof![8 => 0_i64..400, 1 => prop::sample::select(vec![i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX])],
            ), 1..150).prop_shuffle(),
            gap in 1_i64..11, later in 0_i64..1_500,
        ) {
            let state = fed(&events, gap);
            let newest = shown(&events).0;
            for at_ms in [0, newest.saturating_add(later)] {
                prop_assert_eq!(state.value(at_ms, WINDOW), by_hand(&events, gap, at_ms));
            }
            let mut sorted = events;
            sorted.sort_unstable();
            prop_assert_eq!(fed(&sorted, gap), state);
        }

        /// Past what is kept: never more than there are.
        #[test]
        fn too_many_are_never_counted(events in proptest::collection::vec((0_i64..3_000, 0_i64..2_000), 300..900)) {
            let (found, exact) = (fed(&events, 2).value(0, WINDOW), by_hand(&events, 2, 0));
            prop_assert!(found.0 <= exact.0 && found.1 == exact.1.min(256), "{:?} of {:?}", found, exact);
        }
    }
}
