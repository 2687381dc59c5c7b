//! Where identities stand: the sequence numbers of entries by identity, four bytes and a tag each.
//!
//! Many small tables and not one of millions: one that grows, or clears away what was removed from it, goes through its
//! entries at once, and a small one is soon through. There are as many as a full memory fills to seven tenths, so that an
//! entry takes some seven bytes when it counts.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Places of one table in a full memory, of which seven eighths may be taken.
const TABLE_PLACES: usize = 1 << 15;
/// Entries of one table in a full memory: what lies between them and seven eighths is how many may be taken out before the table is
/// made anew.
const TABLE_ENTRIES: usize = TABLE_PLACES / 10 * 7;

/// See the module's header. Whether an entry still counts is not known here.
pub(super) struct Index {
    tables: Vec<HashTable<u32>>,
}

impl Index {
    /// For a memory of so many entries.
    pub(super) fn new(entries_max: usize) -> Self {
        Self { tables: (0..tables(entries_max)).map(|_| HashTable::new()).collect() }
    }

    /// Takes everything out.
    pub(super) fn clear(&mut self) {
        self.tables.iter_mut().filter(|table| table.capacity() > 0).for_each(|table| *table = HashTable::new());
    }

    /// Whether a memory of so many entries has another number of tables.
    pub(super) fn is_of(&self, entries_max: usize) -> bool {
        self.tables.len() == tables(entries_max)
    }

    /// The sequence number of the identity for which `is` holds.
    #[inline]
    pub(super) fn find(&self, identity: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.tables[self.table(identity)].find(identity, |sequence| is(*sequence)).copied()
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
        self.table_with_room(identity, &identity_of).insert_unique(identity, sequence, |sequence| identity_of(*sequence));
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
        let table = self.table_with_room(identity, &identity_of);
        match table.entry(identity, |other| is(*other), |other| identity_of(*other)) {
            Entry::Occupied(found) => Some(*found.get()),
            Entry::Vacant(place) => {
                place.insert(sequence);
                None
            }
        }
    }

    /// The identity's table, which takes one more without growing.
    #[inline]
    fn table_with_room(&mut self, identity: u64, identity_of: &impl Fn(u32) -> u64) -> &mut HashTable<u32> {
        let table = self.table(identity);
        let table = &mut self.tables[table];
        if table.len() == table.capacity() {
            make_room(table, identity_of);
        }
        table
    }

    /// Takes one out that is there.
    pub(super) fn remove(&mut self, identity: u64, sequence: u32) {
        let table = self.table(identity);
        let found = self.tables[table].find_entry(identity, |other| *other == sequence);
        found.expect("every entry stands in the index until it is swept").remove();
    }

    /// Bytes that the tables take of the system.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.tables.iter().map(HashTable::allocation_size).sum::<usize>() + self.tables.len() * size_of::<HashTable<u32>>()
    }

    /// How many entries there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tables.iter().map(HashTable::len).sum()
    }

    /// By bits of the identity that say nothing of its place and its tag within a table, which are the lowest and the highest.
    #[inline]
    fn table(&self, identity: u64) -> usize {
        let middle = (identity >> 25) & u64::from(u32::MAX);
        usize::try_from((middle * self.tables.len() as u64) >> 32).expect("below the number of tables")
    }
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

fn tables(entries_max: usize) -> usize {
    entries_max.div_ceil(TABLE_ENTRIES).max(1)
}
