//! New: whether a key shows a value that it has not shown before.
//!
//! ```text
//! Formula  new: something is known of the key, and this value is not. A value stays known as long as the key is remembered, W after
//!          its newest event, however long ago it was seen itself: coming home is not new. A key's first event is not new, as
//!          there is nothing to compare it with; nor is one that comes late with a value that a newer one has shown
//! Reads    at an event that feeds it; elsewhere it has no value. What comes a window or more late has none
//! State    the keyed hash of each value and the newest instant that showed it: 16 bytes a value, 64 of them, 1 KiB a key at the
//!          most. Of more the one seen longest ago goes
//! Misses   the value of a first event; whoever is quiet for W begins anew; whoever shows the value where it does no harm
//!          has made it known. 64 others push a value out, and it is new again: an alarm that its owner's next visit raises
//! Source   first occurrence per entity, as in the new-terms rules of Elastic Security
//! ```

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::kernel::series::start_of;
use crate::operator::{Fact, Feeds, HeapBounds, Heard, Measure, Named, NoParams, OfField, Operator, Setup, Yields, is_scalar};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

/// Values that are known of a key at the most: countries, devices or payees of one person are fewer.
const VALUES_MAX: usize = 64;

const FIELDS: &[SignalField] = &[
    SignalField { name: "new", ty: SignalType::Bool, doc: "whether the value is none of those that are known" },
    SignalField { name: "known", ty: SignalType::Int, doc: "how many values were known before the event" },
];

/// See the module's header.
pub struct New;

/// What one key has shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// (hash, newest instant), by hash.
    values: SmallVec<[(u64, i64); 1]>,
    newest_ms: i64,
}

impl Operator for New {
    const NAME: &'static str = "new";
    const VERSION: u16 = 1;
    const GIVES: &'static str =
        "Whether the key shows a value of the field that it has not shown before, true or false; a value only at events that feed it.";
    const FEEDS: Feeds = Feeds::Named(Named {
        of: OfField::Of { takes: "a scalar field", example: "country", clears: true },
        window: "The silence of the key after which all its values are forgotten, 1s to 90d; a value by itself never is. Longer keeps more state.",
        ..Named::USUAL
    });
    const YIELDS: Yields = Yields::Measure(Measure { of: is_scalar, fields: FIELDS });
    const HEARD: Heard = Heard::WhereFed;
    type Params = NoParams;
    type State = Known;

    fn heap_bytes(state: &Known) -> usize {
        state.values.len() * size_of::<(u64, i64)>()
    }

    fn heap_bounds(_: &Setup<NoParams>) -> HeapBounds {
        HeapBounds { first: size_of::<(u64, i64)>(), most: VALUES_MAX * size_of::<(u64, i64)>() }
    }

    fn newest_ms(state: &Known) -> Option<i64> {
        Some(state.newest_ms)
    }

    fn feed(setup: &Setup<NoParams>, fact: &Fact<'_, '_>, state: &mut Known) -> Option<Signal> {
        let (is_new, known) = state.feed(fact.at_ms, fact.value_key()?, setup.window_ms)?;
        let known = OwnedValue::Int(i64::try_from(known).unwrap_or(i64::MAX));
        Some(Signal::new(FIELDS, [OwnedValue::Bool(is_new), known]))
    }
}

impl Known {
    /// Takes in a value; whether it is new, and how many were known before. `None` where it comes too late.
    fn feed(&mut self, at_ms: i64, hash: u64, window_ms: i64) -> Option<(bool, usize)> {
        // The table that keeps states keeps them a little longer, for what comes late.
        if self.values.is_empty() || start_of(at_ms, window_ms) >= self.newest_ms {
            *self = Self { values: SmallVec::new(), newest_ms: at_ms };
        }
        if at_ms <= start_of(self.newest_ms, window_ms) {
            return None;
        }
        self.newest_ms = self.newest_ms.max(at_ms);
        let known = self.values.len();
        match self.values.binary_search_by_key(&hash, |(value, _)| *value) {
            Ok(place) => {
                self.values.iter_mut().skip(place).take(1).for_each(|(_, seen_ms)| *seen_ms = at_ms.max(*seen_ms));
                Some((false, known))
            }
            Err(place) => {
                self.values.insert(place, (hash, at_ms));
                if self.values.len() > VALUES_MAX {
                    let oldest = self.values.iter().enumerate().min_by_key(|(_, (hash, seen_ms))| (*seen_ms, *hash));
                    if let Some((place, _)) = oldest {
                        self.values.remove(place);
                    }
                }
                Some((known > 0, known))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: i64 = 1_000;

    fn fed(events: &[(i64, u64)]) -> (Vec<Option<(bool, usize)>>, Known) {
        let mut known = Known::default();
        (events.iter().map(|(at_ms, hash)| known.feed(*at_ms, *hash, WINDOW)).collect(), known)
    }

    #[test]
    fn coming_home_is_not_new() {
        let (found, _) = fed(&[(0, 1), (900, 2), (1_800, 2), (2_700, 1), (2_700, 3)]);
        assert_eq!(found, [Some((false, 0)), Some((true, 1)), Some((false, 2)), Some((false, 2)), Some((true, 2))]);
    }

    #[test]
    fn after_a_window_of_silence_a_key_begins_anew() {
        let (found, state) = fed(&[(0, 1), (999, 2), (1_999, 3), (1_999, 1), (999, 1), (1_000, 3)]);
        assert_eq!(found, [Some((false, 0)), Some((true, 1)), Some((false, 0)), Some((true, 1)), None, Some((false, 2))]);
        assert_eq!(New::heap_bytes(&state), 32);
    }

    #[test]
    fn what_comes_late_is_compared_with_all_that_is_known() {
        let (found, _) = fed(&[(500, 1), (600, 2), (100, 2), (50, 3), (100, 3)]);
        assert_eq!(found[2..], [Some((false, 2)), Some((true, 2)), Some((false, 3))]);
    }

    #[test]
    fn sixty_four_others_push_one_out() {
        let mut events: Vec<(i64, u64)> = (0..64).map(|hash| (100 + i64::try_from(hash).expect("small"), hash)).collect();
        events.extend([(170, 64), (171, 1), (172, 0), (173, 2)]);
        let (found, state) = fed(&events);
        // 64 drove out 0, which then drove out 2: 1 had just been seen.
        assert_eq!(found[64..], [Some((true, 64)), Some((false, 64)), Some((true, 64)), Some((true, 64))]);
        assert_eq!(state.values.len(), VALUES_MAX);
    }

    fn instant() -> impl Strategy<Value = i64> {
        prop_oneof![30 => 0_i64..6_000, 1 => prop::sample::select(vec![0, i64::MAX, i64::MAX - 1])]
    }

    proptest! {
        /// Late, repeated, after silences, more than are kept: what a list says that is gone through anew at each event.
        #[test]
        fn it_agrees_with_a_list(events in proptest::collection::vec((instant(), 0_u64..90), 1..300), narrow in 1_u64..90) {
            let events: Vec<(i64, u64)> = events.into_iter().map(|(at_ms, hash)| (at_ms, hash % narrow)).collect();
            let mut shown: Vec<(i64, u64)> = Vec::new(); // by value the newest instant
            let (found, _) = fed(&events);
            for ((at_ms, hash), found) in events.iter().zip(found) {
                let newest = shown.iter().map(|(at_ms, _)| *at_ms).max();
                if newest.is_some_and(|newest| at_ms - WINDOW >= newest) {
                    shown.clear();
                } else if newest.is_some_and(|newest| *at_ms <= newest - WINDOW) {
                    prop_assert_eq!(found, None);
                    continue;
                }
                let of_it = shown.iter().position(|(_, other)| other == hash);
                prop_assert_eq!(found, Some((of_it.is_none() && !shown.is_empty(), shown.len())));
                let seen_ms = of_it.map_or(*at_ms, |place| shown.remove(place).0.max(*at_ms));
                shown.push((seen_ms, *hash));
                shown.sort_unstable();
                if shown.len() > VALUES_MAX {
                    shown.remove(0);
                }
            }
        }

        /// Where nothing is quiet for long, the order in which events come changes nothing in what is known.
        #[test]
        fn what_is_known_has_no_order(events in proptest::collection::vec((0_i64..WINDOW, 0_u64..120), 1..300).prop_shuffle()) {
            let mut sorted = events.clone();
            sorted.sort_unstable();
            prop_assert_eq!(fed(&events).1, fed(&sorted).1);
        }
    }
}
