//! Duplicate deliveries: the same (source, id) within the horizon has no second effect (invariant E3).
//!
//! Two generations of fifteen minutes of event clock, so an identity is remembered for at least fifteen minutes and at
//! most thirty. An identity is a 64-bit keyed hash. What was delivered first wins; the same identity with other bytes
//! is counted apart, because a producer that reuses ids loses events by it.

use hashbrown::HashTable;

/// Length of one generation, ms of event clock.
const GENERATION_MS: i64 = 15 * 60_000;

/// (identity, hash of the record's bytes).
type Seen = HashTable<(u64, u64)>;

/// What was delivered lately.
pub(crate) struct Duplicates {
    current: Seen,
    before: Seen,
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
        Self { current: Seen::new(), before: Seen::new(), generation: i64::MIN, entries_max: (bytes_max / 80).max(1024), evicted: 0 }
    }

    /// Looks the delivery of an event at `at_ms` up, and remembers it if it is the first. Only a first delivery moves
    /// the horizon, as only it moves the event clock.
    pub(crate) fn check(&mut self, identity: u64, content: u64, at_ms: i64) -> Delivery {
        let found = [&self.current, &self.before].into_iter().find_map(|seen| seen.find(identity, |entry| entry.0 == identity));
        if let Some((_, known)) = found {
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
        self.current.insert_unique(identity, (identity, content), |entry| entry.0);
        Delivery::First
    }

    /// Identities that the memory bound has made it forget before their time.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    fn rotate(&mut self) {
        std::mem::swap(&mut self.current, &mut self.before);
        self.current.clear();
    }
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
    fn a_flood_shortens_the_horizon_and_not_the_memory() {
        let mut duplicates = Duplicates::new(0);
        for identity in 0..10_000 {
            assert_eq!(duplicates.check(identity, 0, 0), Delivery::First);
            assert!(duplicates.current.len() + duplicates.before.len() <= 2 * 1024);
        }
        assert_eq!(duplicates.check(9_999, 0, 0), Delivery::Duplicate);
    }
}
