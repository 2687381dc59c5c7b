//! Memory per entity: one table for each binding and shard.
//!
//! Three things happen inside the shard's own event order and nowhere else, so that any number of threads makes the
//! same table: an entry is reset when it is read past its time (whether or not it was swept by then), the table is
//! swept when it has grown to twice what it was after the last sweep, and entries are evicted when its share of memory
//! is full: expired ones first, then those with the fewest cells, the oldest, and by key.

use hashbrown::HashTable;

/// What a table must know of the states in it.
pub(crate) trait Keyed: Default {
    /// Heap memory in cells of 16 bytes.
    fn cells(&self) -> usize;

    /// An instant of event clock until which the state must be kept however long ago it changed, ms.
    fn keep_until_ms(&self) -> i64 {
        i64::MIN
    }
}

/// Entries below which a table is not worth sweeping.
const SWEEP_MIN: usize = 16;
/// Bytes of one cell.
const CELL_BYTES: usize = 16;

struct Entry<S> {
    key: u64,
    /// The log's newest event clock when the state last changed, ms. The log's, not the event's own: an entity whose
    /// events all come late is remembered like any other, and an old file is read as it was live.
    changed_ms: i64,
    state: S,
}

/// States by key.
pub(crate) struct Table<S> {
    entries: HashTable<Entry<S>>,
    /// Entries at which the next sweep happens.
    sweep_at: usize,
    /// Cells of all entries together.
    cells: usize,
    /// An entry is forgotten this long after it last changed, ms of the log's event clock.
    ttl_ms: i64,
    bytes_max: usize,
    evicted: u64,
}

impl<S: Keyed> Table<S> {
    pub(crate) fn new(ttl_ms: i64, bytes_max: usize) -> Self {
        Self { entries: HashTable::new(), sweep_at: SWEEP_MIN, cells: 0, ttl_ms, bytes_max, evicted: 0 }
    }

    /// The state of `key` at event clock `clock_ms`; `None` where there is none or its time is over.
    pub(crate) fn get(&self, key: u64, clock_ms: i64) -> Option<&S> {
        self.entries.find(key, |entry| entry.key == key).filter(|entry| !entry.expired(self.ttl_ms, clock_ms)).map(|entry| &entry.state)
    }

    /// Brings what [`Table::update`] will need into the cache. Looking up several keys before any is used lets their
    /// cache misses overlap, as the processor sees that they do not depend on each other.
    pub(crate) fn prefetch(&self, key: u64) {
        std::hint::black_box(self.entries.find(key, |entry| entry.key == key).is_some());
    }

    /// Changes the state of `key`, a fresh one where there is none or its time is over.
    pub(crate) fn update<T>(&mut self, key: u64, clock_ms: i64, change: impl FnOnce(&mut S) -> T) -> T {
        let ttl_ms = self.ttl_ms;
        if let Some(entry) = self.entries.find_mut(key, |entry| entry.key == key) {
            let before = entry.state.cells();
            if entry.expired(ttl_ms, clock_ms) {
                entry.state = S::default();
            }
            entry.changed_ms = clock_ms;
            let result = change(&mut entry.state);
            self.cells = self.cells + entry.state.cells() - before;
            if self.bytes() > self.bytes_max {
                self.evict(clock_ms);
            }
            return result;
        }
        let mut state = S::default();
        let result = change(&mut state);
        if self.entries.len() >= self.sweep_at {
            self.sweep(clock_ms);
            self.sweep_at = (self.entries.len() * 2).max(SWEEP_MIN);
        }
        self.cells += state.cells();
        self.entries.insert_unique(key, Entry { key, changed_ms: clock_ms, state }, |entry| entry.key);
        if self.bytes() > self.bytes_max {
            self.evict(clock_ms);
        }
        result
    }

    /// Every state whose time is not over, by key.
    pub(crate) fn live(&self, clock_ms: i64) -> Vec<&S> {
        let mut live: Vec<&Entry<S>> = self.entries.iter().filter(|entry| !entry.expired(self.ttl_ms, clock_ms)).collect();
        live.sort_unstable_by_key(|entry| entry.key);
        live.into_iter().map(|entry| &entry.state).collect()
    }

    /// Memory as the bound counts it: a hash table that has just grown is half empty, so an entry costs two places.
    pub(crate) fn bytes(&self) -> usize {
        self.entries.len() * 2 * size_of::<Entry<S>>() + self.cells * CELL_BYTES
    }

    /// Entries that the memory bound has cost so far.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    fn sweep(&mut self, clock_ms: i64) {
        let (ttl_ms, mut cells) = (self.ttl_ms, 0);
        self.entries.retain(|entry| {
            let keep = !entry.expired(ttl_ms, clock_ms);
            cells += if keep { entry.state.cells() } else { 0 };
            keep
        });
        self.cells = cells;
    }

    /// Makes room: down to seven eighths of the bound, so that the next insert need not do it again.
    fn evict(&mut self, clock_ms: i64) {
        self.sweep(clock_ms);
        let target = self.bytes_max / 8 * 7;
        if self.bytes() <= target {
            return;
        }
        let mut order: Vec<(usize, i64, u64)> =
            self.entries.iter().map(|entry| (entry.state.cells(), entry.changed_ms, entry.key)).collect();
        order.sort_unstable();
        for (cells, _, key) in order {
            if self.bytes() <= target {
                break;
            }
            if let Ok(entry) = self.entries.find_entry(key, |entry| entry.key == key) {
                entry.remove();
                self.cells -= cells;
                self.evicted += 1;
            }
        }
        self.entries.shrink_to(self.entries.len(), |entry| entry.key);
    }
}

impl<S: Keyed> Entry<S> {
    fn expired(&self, ttl_ms: i64, clock_ms: i64) -> bool {
        self.changed_ms.max(self.state.keep_until_ms()).saturating_add(ttl_ms) <= clock_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Default)]
    struct Seen {
        times: usize,
    }

    impl Keyed for Seen {
        fn cells(&self) -> usize {
            self.times
        }
    }

    fn see(table: &mut Table<Seen>, key: u64, at: i64) -> usize {
        table.update(key, at, |seen| {
            seen.times += 1;
            seen.times
        })
    }

    #[test]
    fn an_expired_entry_reads_as_absent_whether_swept_or_not() {
        let mut table = Table::new(100, usize::MAX);
        assert_eq!(see(&mut table, 1, 0), 1);
        assert!(table.get(1, 99).is_some());
        assert!(table.get(1, 100).is_none());
        assert_eq!(see(&mut table, 1, 100), 1, "a fresh state");
    }

    #[test]
    fn the_fewest_cells_and_then_the_oldest_leave_first() {
        let entry = size_of::<Entry<Seen>>();
        let mut table = Table::new(i64::MAX / 2, 8 * entry + 5 * CELL_BYTES);
        see(&mut table, 1, 5);
        see(&mut table, 2, 6);
        see(&mut table, 2, 7);
        see(&mut table, 3, 8);
        assert_eq!(table.evicted(), 0);
        see(&mut table, 4, 9);
        see(&mut table, 5, 10);
        assert!(table.evicted() > 0);
        assert!(table.get(1, 10).is_none() && table.get(2, 10).is_some());
    }

    proptest! {
        #[test]
        fn memory_stays_under_its_bound_and_sums_are_right(events in proptest::collection::vec((0_u64..500, 0_i64..5), 1..2_000), bound in 500_usize..20_000) {
            let mut table = Table::new(300, bound);
            let mut now = 0;
            for (key, step) in events {
                now += step;
                see(&mut table, key, now);
                prop_assert!(table.bytes() <= bound.max(2 * size_of::<Entry<Seen>>() + 2_000 * CELL_BYTES));
                let sum: usize = table.entries.iter().map(|entry| entry.state.cells()).sum();
                prop_assert_eq!(sum, table.cells);
            }
        }

        #[test]
        fn without_a_bound_it_is_a_map_with_expiry(events in proptest::collection::vec((0_u64..50, 0_i64..40), 1..1_000)) {
            let mut table = Table::new(300, usize::MAX);
            let mut model: BTreeMap<u64, (i64, usize)> = BTreeMap::new();
            let mut now = 0;
            for (key, step) in events {
                now += step;
                let entry = model.entry(key).or_default();
                if entry.0 + 300 <= now { *entry = (0, 0); }
                *entry = (now, entry.1 + 1);
                prop_assert_eq!(see(&mut table, key, now), entry.1);
            }
        }
    }
}
