//! What becomes of the index when generations are over, and when memory becomes another: a little with each delivery. How far
//! that has come shows nowhere.

use super::index::Index;
use super::{Duplicates, Held, Slot, entry, sequence};

/// Entries that are taken out of the index together, so that their cache misses overlap.
pub(super) const SWEEP: usize = 64;
/// Deliveries after which another section of the index has the size that memory gives it: all of them have it well before
/// memory may change again.
const FIT_EVERY: usize = 512;

impl Duplicates {
    /// After a delivery: takes entries of generations that are over out of the index, twice as many as come in, and more when
    /// many generations are over at once; and gives it the size that memory asks for.
    #[inline]
    pub(super) fn sweep(&mut self) {
        if self.live.is_multiple_of(FIT_EVERY) {
            let slots = &self.slots;
            self.index.fit_section(|sequence| entry(slots, sequence).identity());
        }
        if self.over.is_empty() {
            return;
        }
        self.due += 2 + self.over.len() / 16;
        if self.due < SWEEP {
            return;
        }
        let due = std::mem::take(&mut self.due);
        self.sweep_many(due);
    }

    /// Takes so many out, if there are.
    fn sweep_many(&mut self, due: usize) {
        if let Some(first) = self.over.front() {
            let entries = self.slots[usize::from(*first)].generation().entries.iter();
            entries.skip(self.swept).take(due).for_each(|seen| self.index.prefetch(seen.identity()));
        }
        for _ in 0..due {
            self.sweep_one();
        }
    }

    pub(super) fn sweep_one(&mut self) {
        let Some(slot) = self.over.front().copied() else { return };
        let entries = &self.slots[usize::from(slot)].generation().entries;
        let (seen, last) = (entries[self.swept], self.swept + 1 == entries.len());
        self.index.remove(seen.identity(), sequence(slot, self.swept));
        self.swept += 1;
        if last {
            self.slots[usize::from(slot)] = Slot { held: Held::Nothing, live: false };
            self.free.push(slot);
            self.over.pop_front();
            self.swept = 0;
        }
    }

    /// Makes the index anew, of what is not over.
    pub(super) fn reindex(&mut self) {
        for slot in std::mem::take(&mut self.over) {
            self.slots[usize::from(slot)].held = Held::Nothing;
            self.free.push(slot);
        }
        self.swept = 0;
        self.index = Index::new(self.entries_max);
        let slots = &self.slots;
        for (number, slot) in (0..).zip(slots).filter(|(_, slot)| slot.live) {
            for (place, seen) in slot.generation().entries.iter().enumerate() {
                self.index.insert(seen.identity(), sequence(number, place), |other| entry(slots, other).identity());
            }
        }
    }

    /// Takes out of the index what it and memory have no room for, and lets its size follow.
    pub(super) fn fit_index(&mut self) {
        while self.index.len() > self.entries_max && !self.over.is_empty() {
            self.sweep_many(SWEEP);
        }
        self.index.fit(self.entries_max);
    }
}
