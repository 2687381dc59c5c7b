//! Duplicate deliveries: the same (source, id) within the horizon has no second effect (invariant E3).
//!
//! Two generations of fifteen minutes of event clock, so an identity is remembered for at least fifteen minutes and at
//! most thirty. An identity is a 64-bit keyed hash. What was delivered first wins; the same identity with other bytes
//! is counted apart, because a producer that reuses ids loses events by it.

use serde::{Deserialize, Serialize};

use crate::entries::{Entries, Entry};

/// Length of one generation, ms of event clock.
const GENERATION_MS: i64 = 15 * 60_000;

/// A delivered event: its identity, and the hash of its record's bytes. Hashes, which would take ten bytes each as varints.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Seen(#[serde(with = "postcard::fixint::le")] u64, #[serde(with = "postcard::fixint::le")] u64);

impl Entry for Seen {
    fn key(&self) -> u64 {
        self.0
    }
}

/// What was delivered lately.
pub(crate) struct Duplicates {
    current: Entries<Seen>,
    before: Entries<Seen>,
    /// Number of the current generation: event clock over its length.
    generation: i64,
    entries_max: usize,
    evicted: u64,
}

/// What a delivery is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    First,
    Duplicate,
    /// The same identity with other bytes.
    Conflict,
}

impl Duplicates {
    pub(crate) fn new(bytes_max: usize) -> Self {
        // Two generations of 17 bytes an entry at a load of seven eighths, doubling while a table grows.
        Self {
            current: Entries::with_capacity(0),
            before: Entries::with_capacity(0),
            generation: i64::MIN,
            entries_max: (bytes_max / 80).max(1024),
            evicted: 0,
        }
    }

    /// Looks the delivery of an event at `at_ms` up, and remembers it if it is the first. Only a first delivery moves
    /// the horizon, as only it moves the event clock.
    pub(crate) fn check(&mut self, identity: u64, content: u64, at_ms: i64) -> Delivery {
        let found = self.current.find(identity).or_else(|| self.before.find(identity));
        if let Some(Seen(_, known)) = found {
            return if *known == content { Delivery::Duplicate } else { Delivery::Conflict };
        }
        let generation = at_ms.div_euclid(GENERATION_MS);
        if generation > self.generation {
            let next = self.generation.checked_add(1) == Some(generation);
            self.rotate();
            if !next {
                self.before.clear();
            }
            self.generation = generation;
        } else if self.current.len() >= self.entries_max {
            self.evicted += self.before.len() as u64;
            self.rotate(); // memory is bounded: under such a flood the horizon is shorter
        }
        self.current.insert(Seen(identity, content));
        Delivery::First
    }

    /// Takes another share of memory; a smaller one holds from the next identity on.
    pub(crate) fn set_share(&mut self, bytes_max: usize) {
        self.entries_max = (bytes_max / 80).max(1024);
    }

    /// Identities that the memory bound has made it forget before their time.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    fn rotate(&mut self) {
        std::mem::swap(&mut self.current, &mut self.before);
        self.current.clear();
    }

    /// The same for a snapshot.
    pub(crate) fn share(&mut self) -> Self {
        Self { current: self.current.share(), before: self.before.share(), ..*self }
    }

    /// Appends the current generation and what both hang on.
    pub(crate) fn save_current(&self, out: Vec<u8>) -> Vec<u8> {
        let out = postcard::to_extend(&(self.generation, self.evicted), out).expect("plain data, into a vector that grows");
        save(&self.current, out)
    }

    /// Appends the generation before.
    pub(crate) fn save_before(&self, out: Vec<u8>) -> Vec<u8> {
        save(&self.before, out)
    }

    /// Reads what [`Duplicates::save_current`] wrote, and gives the bytes after it.
    pub(crate) fn load_current<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], postcard::Error> {
        let (numbers, rest) = postcard::take_from_bytes(bytes)?;
        (self.generation, self.evicted) = numbers;
        let (current, rest) = load(rest)?;
        self.current = current;
        Ok(rest)
    }

    /// Reads what [`Duplicates::save_before`] wrote, and gives the bytes after it.
    pub(crate) fn load_before<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], postcard::Error> {
        let (before, rest) = load(bytes)?;
        self.before = before;
        Ok(rest)
    }
}

/// By identity, so that equal contents are equal bytes.
fn save(seen: &Entries<Seen>, out: Vec<u8>) -> Vec<u8> {
    let mut entries: Vec<Seen> = seen.iter().copied().collect();
    entries.sort_unstable_by_key(|entry| entry.0);
    postcard::to_extend(&entries, out).expect("plain data, into a vector that grows")
}

fn load(bytes: &[u8]) -> Result<(Entries<Seen>, &[u8]), postcard::Error> {
    let (entries, rest): (Vec<Seen>, _) = postcard::take_from_bytes(bytes)?;
    let mut seen = Entries::with_capacity(entries.len());
    for entry in entries {
        seen.insert(entry);
    }
    Ok((seen, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn an_identity_is_remembered_for_fifteen_minutes_and_forgotten_after_thirty() {
        let mut duplicates = Duplicates::new(1 << 20);
        assert_eq!(duplicates.check(1, 7, 14 * MINUTE), Delivery::First);
        assert_eq!(duplicates.check(2, 7, 29 * MINUTE), Delivery::First);
        assert_eq!(duplicates.check(1, 7, 14 * MINUTE), Delivery::Duplicate);
        assert_eq!(duplicates.check(1, 8, 14 * MINUTE), Delivery::Conflict);
        assert_eq!(duplicates.check(3, 7, 30 * MINUTE), Delivery::First);
        assert_eq!(duplicates.check(1, 7, 14 * MINUTE), Delivery::First);
    }

    #[test]
    fn a_long_silence_forgets_what_was_before_it_and_not_what_ended_it() {
        let mut duplicates = Duplicates::new(1 << 20);
        assert_eq!(duplicates.check(1, 7, 0), Delivery::First);
        assert_eq!(duplicates.check(1, 7, 0), Delivery::Duplicate, "the very first event");
        assert_eq!(duplicates.check(2, 7, 100 * MINUTE), Delivery::First);
        assert_eq!(duplicates.check(2, 7, 100 * MINUTE), Delivery::Duplicate);
        assert_eq!(duplicates.check(1, 7, 0), Delivery::First);
    }

    #[test]
    fn a_conflict_from_later_moves_no_horizon() {
        let mut duplicates = Duplicates::new(1 << 20);
        assert_eq!(duplicates.check(1, 7, 0), Delivery::First);
        assert_eq!(duplicates.check(1, 8, 100 * MINUTE), Delivery::Conflict);
        assert_eq!(duplicates.check(1, 7, 0), Delivery::Duplicate);
    }

    #[test]
    fn while_a_snapshot_is_written_nothing_is_forgotten_and_nothing_of_it_changes() {
        let mut duplicates = Duplicates::new(1 << 20);
        assert_eq!(duplicates.check(1, 7, 0), Delivery::First);
        let snapshot = duplicates.share();
        let bytes = snapshot.save_current(Vec::new());
        assert_eq!(duplicates.check(2, 7, 1), Delivery::First);
        assert_eq!((duplicates.check(1, 7, 1), duplicates.check(2, 8, 1)), (Delivery::Duplicate, Delivery::Conflict));
        assert_eq!(snapshot.save_current(Vec::new()), bytes);
        let shared = duplicates.save_current(Vec::new());
        drop(snapshot);
        assert_eq!(duplicates.check(3, 7, 20 * MINUTE), Delivery::First, "the next generation");
        assert_eq!(duplicates.save_before(Vec::new()), shared[shared.len() - duplicates.save_before(Vec::new()).len()..]);
        for identity in 1..=3 {
            assert_eq!(duplicates.check(identity, 7, 20 * MINUTE), Delivery::Duplicate);
        }
    }

    #[test]
    fn a_flood_shortens_the_horizon_and_not_the_memory() {
        let mut duplicates = Duplicates::new(0);
        for identity in 0..10_000 {
            assert_eq!(duplicates.check(identity, 0, 0), Delivery::First);
            assert!(duplicates.current.len() + duplicates.before.len() <= 2 * 1024);
        }
        assert_eq!(duplicates.check(9_999, 0, 0), Delivery::Duplicate);
    }
}
