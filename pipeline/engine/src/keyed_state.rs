//! Memory per entity: one table for each binding and shard, and one each for suppression, issued alerts and scores.
//!
//! Three things happen inside the shard's own event order and nowhere else, so that any number of threads makes the
//! same table: an entry is reset when it is read past its time (whether or not it was swept by then), the table is
//! swept when it has grown to twice what it was after the last sweep, and entries are evicted when memory is full: expired
//! ones first, then those that count the least, the oldest, and by key. A table that has a quota of its own does the last
//! itself; those of a shard have one together, and the shard does it ([`Rank`], `shard/pool.rs`).

mod rank;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Serialize};

use crate::entries::{self, Entries};
pub(crate) use rank::{Rank, room_in, take_least};

/// What a table must know of the states in it.
pub(crate) trait Keyed: Clone + Default + Serialize + DeserializeOwned {
    /// Heap memory in cells of 16 bytes; a function of what the state holds, never of what its collections could hold.
    fn cells(&self) -> usize;

    /// Whether somebody goes through the table in parts: its places stay until it is full, so that nothing is passed over.
    const READ_IN_PARTS: bool = false;

    /// How much it counts: the states that count the least are evicted first.
    fn count(&self) -> usize {
        self.cells()
    }

    /// An instant of event clock until which the state must be kept however long ago it changed, ms.
    fn keep_until_ms(&self) -> i64 {
        i64::MIN
    }

    /// A number that must not fall even over the state's eviction.
    fn version(&self) -> i64 {
        0
    }
}

/// Entries below which a table is not worth sweeping.
const SWEEP_MIN: usize = 16;
/// Bytes of one cell.
pub(crate) const CELL_BYTES: usize = 16;

#[derive(Clone, Serialize, Deserialize)]
struct Entry<S> {
    #[serde(with = "postcard::fixint::le")] // a hash: as a varint it would take ten bytes
    key: u64,
    /// The log's newest event clock when the state last changed, ms. The log's, not the event's own: an entity whose
    /// events all come late is remembered like any other, and an old file is read as it was live.
    changed_ms: i64,
    state: S,
}

/// States by key.
pub(crate) struct Table<S> {
    entries: Entries<Entry<S>>,
    /// Entries at which the next sweep happens.
    sweep_at: usize,
    /// Cells of all entries together.
    cells: usize,
    /// An entry is forgotten this long after it last changed, ms of the log's event clock.
    ttl_ms: i64,
    bytes_max: usize,
    evicted: u64,
    /// The highest version of an evicted state.
    version_lost: i64,
}

/// A table as it is saved: all that its future hangs on and that the ruleset does not say.
#[derive(Serialize, Deserialize)]
struct Saved<E> {
    sweep_at: u64,
    evicted: u64,
    version_lost: i64,
    /// By key.
    entries: Vec<E>,
}

impl<S: Keyed> Table<S> {
    pub(crate) fn new(ttl_ms: i64, bytes_max: usize) -> Self {
        Self { entries: Entries::with_capacity(0), sweep_at: SWEEP_MIN, cells: 0, ttl_ms, bytes_max, evicted: 0, version_lost: 0 }
    }

    /// The state of `key` at event clock `clock_ms`; `None` where there is none or its time is over.
    pub(crate) fn get(&self, key: u64, clock_ms: i64) -> Option<&S> {
        self.entries.find(key).filter(|entry| !entry.expired(self.ttl_ms, clock_ms)).map(|entry| &entry.state)
    }

    /// The state of `key`, also one whose time is over.
    pub(crate) fn find(&self, key: u64) -> Option<&S> {
        self.entries.find(key).map(|entry| &entry.state)
    }

    /// Brings what [`Table::update`] will need into the cache. Looking up several keys before any is used lets their
    /// cache misses overlap, as the processor sees that they do not depend on each other.
    pub(crate) fn prefetch(&self, key: u64) {
        std::hint::black_box(self.entries.find(key).is_some());
    }

    /// Changes the state of `key`, a fresh one where there is none or its time is over.
    pub(crate) fn update<T>(&mut self, key: u64, clock_ms: i64, change: impl FnOnce(&mut S) -> T) -> T {
        let ttl_ms = self.ttl_ms;
        if let Some(entry) = self.entries.find_mut(key) {
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
        self.entries.insert(Entry { key, changed_ms: clock_ms, state });
        if self.bytes() > self.bytes_max {
            self.evict(clock_ms);
        }
        result
    }

    /// The same table for a snapshot; it does not change with this one.
    pub(crate) fn share(&mut self) -> Self {
        Self { entries: self.entries.share(), ..*self }
    }

    /// Changes every state whose time is not over and for which `change` gives something. What is changed is the same
    /// whatever the table's order; what comes out is in no order.
    pub(crate) fn change_all<T>(&mut self, clock_ms: i64, mut change: impl FnMut(&mut S) -> Option<T>) -> Vec<T> {
        let (ttl_ms, mut cells, mut out) = (self.ttl_ms, self.cells, Vec::new());
        self.entries.own().iter_mut().filter(|entry| !entry.expired(ttl_ms, clock_ms)).for_each(|entry| {
            let before = entry.state.cells();
            if let Some(changed) = change(&mut entry.state) {
                entry.changed_ms = clock_ms;
                out.push(changed);
            }
            cells = cells + entry.state.cells() - before;
        });
        self.cells = cells;
        out
    }

    /// Sets its share of memory again, and keeps to it at once.
    pub(crate) fn set_share(&mut self, bytes_max: usize, clock_ms: i64) {
        self.bytes_max = bytes_max;
        if self.bytes() > self.bytes_max {
            self.evict(clock_ms);
        }
    }

    /// Sets again how long an entry is kept. What is over by the old time goes first, so that a longer one revives
    /// nothing.
    pub(crate) fn set_ttl(&mut self, ttl_ms: i64, clock_ms: i64) {
        if ttl_ms != self.ttl_ms {
            self.sweep(clock_ms);
            self.ttl_ms = ttl_ms;
        }
    }

    /// Appends the table to `out`: the same bytes for the same contents, however they came about.
    pub(crate) fn save(&self, out: Vec<u8>) -> Vec<u8> {
        let mut entries: Vec<&Entry<S>> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|entry| entry.key);
        let saved = Saved { sweep_at: self.sweep_at as u64, evicted: self.evicted, version_lost: self.version_lost, entries };
        postcard::to_extend(&saved, out).expect("plain data, into a vector that grows")
    }

    /// Fills an empty table with what [`Table::save`] wrote, and gives the bytes after it.
    pub(crate) fn load<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], postcard::Error> {
        self.load_former(bytes, |state: S| state)
    }

    /// The same of a table whose states had another form when it was saved.
    pub(crate) fn load_former<'b, F: DeserializeOwned>(
        &mut self,
        bytes: &'b [u8],
        today: impl Fn(F) -> S,
    ) -> Result<&'b [u8], postcard::Error> {
        let (saved, rest): (Saved<Entry<F>>, _) = postcard::take_from_bytes(bytes)?;
        if saved.entries.windows(2).any(|pair| pair[0].key >= pair[1].key) {
            return Err(postcard::Error::custom("entries are not ordered by key"));
        }
        self.sweep_at = usize::try_from(saved.sweep_at).map_err(postcard::Error::custom)?;
        (self.evicted, self.version_lost, self.cells) = (saved.evicted, saved.version_lost, 0);
        self.entries = Entries::with_capacity(saved.entries.len());
        for Entry { key, changed_ms, state } in saved.entries {
            let state = today(state);
            self.cells += state.cells();
            self.entries.insert(Entry { key, changed_ms, state });
        }
        Ok(rest)
    }

    /// How many states there are, also those whose time is over.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Every state with its key, also those whose time is over; in no order.
    pub(crate) fn states(&self) -> impl Iterator<Item = (u64, &S)> {
        self.entries.iter().map(|entry| (entry.key, &entry.state))
    }

    /// Adds to a state that was just loaded what is saved apart from it.
    pub(crate) fn amend(&mut self, key: u64, change: impl FnOnce(&mut S)) {
        if let Some(entry) = self.entries.find_mut(key) {
            let before = entry.state.cells();
            change(&mut entry.state);
            self.cells = self.cells + entry.state.cells() - before;
        }
    }

    /// The highest version of a state that the memory bound has cost; 0 without any.
    pub(crate) fn version_lost(&self) -> i64 {
        self.version_lost
    }

    /// The same in parts, in no order: those in `places` places from `from` on, and where to go on; 0 after the last part.
    pub(crate) fn live_part(&self, clock_ms: i64, from: usize, places: usize) -> (Vec<&S>, usize) {
        let (part, next) = self.entries.part(from, places);
        let live = part.into_iter().filter(|entry| !entry.expired(self.ttl_ms, clock_ms));
        (live.map(|entry| &entry.state).collect(), next)
    }

    /// How many places there are for states, taken or not.
    pub(crate) fn places(&self) -> usize {
        self.entries.places()
    }

    /// Every state whose time is not over, by key.
    pub(crate) fn live(&self, clock_ms: i64) -> Vec<&S> {
        let mut live: Vec<&Entry<S>> = self.entries.iter().filter(|entry| !entry.expired(self.ttl_ms, clock_ms)).collect();
        live.sort_unstable_by_key(|entry| entry.key);
        live.into_iter().map(|entry| &entry.state).collect()
    }

    /// A state whose time is not over and that is as wanted: the first that is come upon.
    pub(crate) fn find_live(&self, clock_ms: i64, is_wanted: impl Fn(&S) -> bool) -> Option<&S> {
        let live = self.entries.iter().filter(|entry| !entry.expired(self.ttl_ms, clock_ms));
        live.map(|entry| &entry.state).find(|state| is_wanted(state))
    }

    /// Memory as the bound counts it.
    pub(crate) fn bytes(&self) -> usize {
        self.entries.len() * Self::entry_bytes(0) + self.cells * CELL_BYTES
    }

    /// That of one entry with so many cells: a hash table that has just grown is half empty, so an entry costs two places.
    pub(crate) const fn entry_bytes(cells: usize) -> usize {
        2 * size_of::<Entry<S>>() + cells * CELL_BYTES
    }

    /// Entries that the memory bound has cost so far.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Forgets what is over, and gives memory back that nothing needs any more.
    pub(crate) fn sweep(&mut self, clock_ms: i64) {
        let (ttl_ms, mut cells) = (self.ttl_ms, 0);
        // A snapshot may hold the entries: they are not copied for nothing.
        if self.entries.iter().any(|entry| entry.expired(ttl_ms, clock_ms)) {
            self.entries.own().retain(|entry| {
                let keep = !entry.expired(ttl_ms, clock_ms);
                cells += if keep { entry.state.cells() } else { 0 };
                keep
            });
            self.cells = cells;
            if !S::READ_IN_PARTS {
                self.fit();
            }
        }
    }

    /// Gives back memory for more than twice as many entries as there are: what is counted is two places an entry.
    pub(crate) fn fit(&mut self) {
        let len = self.entries.len();
        if self.entries.capacity() > 2 * len + SWEEP_MIN {
            self.entries.own().shrink_to(len, |entry| entry.key);
        }
    }

    /// Appends what each entry is worth, and the binding that it is of.
    pub(crate) fn ranks(&self, binding: u16, out: &mut Vec<Rank>) {
        out.extend(self.entries.iter().map(|Entry { key, changed_ms, state }| Rank {
            count: state.count(),
            changed_ms: *changed_ms,
            key: *key,
            binding,
            bytes: Self::entry_bytes(state.cells()),
        }));
    }

    /// Takes out the entry of that key for want of memory.
    pub(crate) fn evict_entry(&mut self, key: u64) {
        if let Ok(entry) = self.entries.own().find_entry(key, |entry| entry.key == key) {
            let (entry, _) = entry.remove();
            self.version_lost = self.version_lost.max(entry.state.version());
            self.cells -= entry.state.cells();
            self.evicted += 1;
        }
    }

    /// Makes room: down to seven eighths of the bound, so that the next insert need not do it again.
    #[cold]
    fn evict(&mut self, clock_ms: i64) {
        self.sweep(clock_ms);
        let (mut ranks, mut bytes, target) = (Vec::new(), self.bytes(), room_in(self.bytes_max));
        if bytes <= target {
            return;
        }
        self.ranks(0, &mut ranks);
        take_least(&mut ranks, &mut bytes, target, |rank| self.evict_entry(rank.key));
        self.fit();
    }
}

impl<S: Keyed> entries::Entry for Entry<S> {
    fn key(&self) -> u64 {
        self.key
    }
}

impl<S: Keyed> Entry<S> {
    fn expired(&self, ttl_ms: i64, clock_ms: i64) -> bool {
        self.changed_ms.max(self.state.keep_until_ms()).saturating_add(ttl_ms) <= clock_ms
    }
}

#[cfg(test)]
mod tests;
