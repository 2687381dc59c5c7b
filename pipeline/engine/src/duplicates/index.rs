//! Where identities stand: the sequence numbers of entries by identity, four bytes and a tag each.
//!
//! Many small tables and not one of millions: one that grows, or clears away what was removed from it, goes through its
//! entries at once, and a small one is soon through. There are as many as a full memory fills to seven tenths, so that an
//! entry takes some seven bytes when it counts. Where memory becomes another, their number follows section by section.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Places of one table in a full memory, of which seven eighths may be taken.
const TABLE_PLACES: usize = 1 << 15;
/// Entries of one table in a full memory: what lies between them and seven eighths is how many may be taken out before the table is
/// made anew.
const TABLE_ENTRIES: usize = TABLE_PLACES / 10 * 7;

/// Sections: so many that one is made anew in tens of milliseconds where there are tens of millions of entries.
const SECTIONS: usize = 1 << SECTION_BITS;
const SECTION_BITS: u32 = 6;

/// See the module's header. Whether an entry still counts is not known here.
pub(super) struct Index {
    /// The tables of each section.
    sections: Vec<Vec<HashTable<u32>>>,
    /// How many a section is to have.
    tables: usize,
    /// The section that comes to it next; all before it have it.
    next: usize,
    entries: usize,
}

impl Index {
    /// For a memory of so many entries.
    pub(super) fn new(entries_max: usize) -> Self {
        let tables = tables(entries_max);
        Self { sections: (0..SECTIONS).map(|_| new_tables(tables)).collect(), tables, next: SECTIONS, entries: 0 }
    }

    /// Takes everything out.
    pub(super) fn clear(&mut self) {
        for table in self.sections.iter_mut().flatten().filter(|table| table.capacity() > 0) {
            *table = HashTable::new();
        }
        self.entries = 0;
    }

    /// Takes another memory, of so many entries. Few tables too many, or a memory that is not full, are no matter.
    pub(super) fn fit(&mut self, entries_max: usize) {
        let needed = tables(entries_max);
        if !(needed..=needed * 8 / 5).contains(&self.tables) {
            (self.tables, self.next) = (needed * 5 / 4, 0);
        }
    }

    /// Makes the tables of a section anew where it has not as many as it is to have; whether one was left that had not.
    pub(super) fn fit_section(&mut self, identity_of: impl Fn(u32) -> u64) -> bool {
        while self.sections.get(self.next).is_some_and(|tables| tables.len() == self.tables) {
            self.next += 1;
        }
        let Some(section) = self.sections.get_mut(self.next) else { return false };
        for sequence in std::mem::replace(section, new_tables(self.tables)).into_iter().flatten() {
            let identity = identity_of(sequence);
            let place = table_of(identity, section.len());
            with_room(&mut section[place], &identity_of).insert_unique(identity, sequence, |sequence| identity_of(*sequence));
        }
        self.next += 1;
        true
    }

    /// The sequence number of the identity for which `is` holds.
    #[inline]
    pub(super) fn find(&self, identity: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let tables = &self.sections[section_of(identity)];
        tables[table_of(identity, tables.len())].find(identity, |sequence| is(*sequence)).copied()
    }

    /// Brings what is needed of an identity's place into the cache. Done for several before any is used, their cache misses
    /// overlap, as the processor sees that they do not depend on each other.
    #[inline]
    pub(super) fn prefetch(&self, identity: u64) {
        std::hint::black_box(self.find(identity, |sequence| sequence == u32::MAX));
    }

    /// Adds one; `identity_of` says the identity of any that is there.
    #[inline]
    pub(super) fn insert(&mut self, identity: u64, sequence: u32, identity_of: impl Fn(u32) -> u64) {
        with_room(self.table(identity), &identity_of).insert_unique(identity, sequence, |sequence| identity_of(*sequence));
        self.entries += 1;
    }

    /// The sequence number of the identity for which `is` holds; where there is none, this one is added.
    #[inline]
    pub(super) fn find_or_insert(
        &mut self,
        identity: u64,
        sequence: u32,
        is: impl Fn(u32) -> bool,
        identity_of: impl Fn(u32) -> u64,
    ) -> Option<u32> {
        let table = with_room(self.table(identity), &identity_of);
        match table.entry(identity, |other| is(*other), |other| identity_of(*other)) {
            Entry::Occupied(found) => return Some(*found.get()),
            Entry::Vacant(place) => drop(place.insert(sequence)),
        }
        self.entries += 1;
        None
    }

    /// Takes one out that is there.
    pub(super) fn remove(&mut self, identity: u64, sequence: u32) {
        let found = self.table(identity).find_entry(identity, |other| *other == sequence);
        found.expect("every entry stands in the index until it is swept").remove();
        self.entries -= 1;
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.entries
    }

    /// Bytes that the tables take of the system.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.sections.iter().flatten().map(|table| table.allocation_size() + size_of::<HashTable<u32>>()).sum()
    }

    #[inline]
    fn table(&mut self, identity: u64) -> &mut HashTable<u32> {
        let tables = &mut self.sections[section_of(identity)];
        let table = table_of(identity, tables.len());
        &mut tables[table]
    }
}

/// Bits of an identity that say nothing of its place and its tag within a table, which are the lowest and the highest.
#[inline]
fn middle(identity: u64) -> u64 {
    (identity >> 25) & u64::from(u32::MAX)
}

#[inline]
fn section_of(identity: u64) -> usize {
    usize::try_from(middle(identity) >> (u32::BITS - SECTION_BITS)).expect("few bits")
}

/// Which of so many tables of its section an identity's is.
#[inline]
fn table_of(identity: u64, tables: usize) -> usize {
    const BITS: u32 = u32::BITS - SECTION_BITS;
    let rest = middle(identity) % (1 << BITS);
    usize::try_from((rest * tables as u64) >> BITS).expect("below the number of tables")
}

fn new_tables(count: usize) -> Vec<HashTable<u32>> {
    (0..count).map(|_| HashTable::new()).collect()
}

/// A table, when it takes one more without growing.
#[inline]
fn with_room<'t>(table: &'t mut HashTable<u32>, identity_of: &impl Fn(u32) -> u64) -> &'t mut HashTable<u32> {
    if table.len() == table.capacity() {
        make_room(table, identity_of);
    }
    table
}

#[cold]
fn make_room(table: &mut HashTable<u32>, identity_of: &impl Fn(u32) -> u64) {
    let places = table.num_buckets();
    if places < TABLE_PLACES {
        // Four times at once: an entry's identity is a cache miss away, and each growth asks for all of them.
        let more = (places.max(8) * 4).min(TABLE_PLACES) / 8 * 7 - table.len();
        table.reserve(more, |sequence| identity_of(*sequence));
    }
    if table.len() == table.capacity() && places == TABLE_PLACES && table.len() < TABLE_PLACES / 20 * 17 {
        // What was taken out has left marks. A table that is to grow for them would take twice the memory: it is made anew.
        let mut anew = HashTable::with_capacity(TABLE_PLACES / 8 * 7);
        for sequence in table.drain() {
            anew.insert_unique(identity_of(sequence), sequence, |sequence| identity_of(*sequence));
        }
        *table = anew;
    }
}

/// Tables of one section in a memory of so many entries.
fn tables(entries_max: usize) -> usize {
    entries_max.div_ceil(TABLE_ENTRIES * SECTIONS).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn identity_of(sequence: u32) -> u64 {
        u64::from(sequence).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    /// Entries of memories of which a section has one table, two, five and nine.
    const MEMORIES: [usize; 4] = [1_000, 2_000_000, 6_000_000, 12_000_000];

    proptest! {
        /// Whatever memory it is for, and while its sections follow: it names what it was given and not taken.
        #[test]
        fn it_is_a_set_while_its_sections_follow(steps in proptest::collection::vec((0_usize..6, 0_u32..4_000, 1_u32..400), 1..60)) {
            let mut index = Index::new(MEMORIES[0]);
            let mut model = std::collections::BTreeSet::new();
            for (what, first, count) in steps {
                match what {
                    0 => index.fit(MEMORIES[first as usize % MEMORIES.len()]),
                    1 => for _ in 0..first % 80 {
                        if !index.fit_section(identity_of) { break; }
                    },
                    2 | 3 => for sequence in first..first + count {
                        if model.remove(&sequence) { index.remove(identity_of(sequence), sequence); }
                    },
                    _ => for sequence in first..first + count {
                        let found = index.find_or_insert(identity_of(sequence), sequence, |other| other == sequence, identity_of);
                        prop_assert_eq!(found.is_none(), model.insert(sequence));
                    },
                }
                prop_assert_eq!(index.len(), model.len());
                for sequence in 0..4_400 {
                    prop_assert_eq!(index.find(identity_of(sequence), |other| other == sequence).is_some(), model.contains(&sequence));
                }
            }
        }
    }

    #[test]
    fn all_sections_have_what_memory_asks_for_in_the_end() {
        let mut index = Index::new(MEMORIES[0]);
        index.fit(MEMORIES[3]);
        let steps = std::iter::repeat_with(|| index.fit_section(identity_of)).take_while(|more| *more).count();
        assert_eq!(steps, SECTIONS);
        assert!(index.sections.iter().all(|tables| (9..=11).contains(&tables.len())));
        index.fit(MEMORIES[2]);
        assert!(index.fit_section(identity_of), "far fewer are enough");
    }
}
