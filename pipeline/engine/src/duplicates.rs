//! Duplicate deliveries: the same (source, id) within the horizon has no second effect (invariant E3).
//!
//! ```text
//! gps.*       generations of 10 min   remembered for 30 min at the least, 40 at most
//! all else    generations of 1 h      for 3 days at the least, 73 h at most
//! ```
//!
//! where memory allows. An identity (a 64-bit keyed hash) belongs to the generation that the event clock is in when it is
//! first delivered; only a first delivery moves that clock. What was delivered first wins; the same identity with other
//! bytes is counted apart, because a producer that reuses ids loses events by it.
//!
//! A generation is a list of twelve bytes an entry that only grows, until its time is over or it is full; then it never
//! changes. One index over all of them (`duplicates/index.rs`) says where an identity stands. Whether it still counts is decided by
//! its generation alone: what the index yet names of those that are over is taken out a little with each delivery, and how
//! far that has come shows nowhere.
//!
//! When memory is full whole generations are forgotten: first what of `gps.*` is beyond its half hour, then what of all
//! else is beyond half an hour, the oldest first; then whatever is oldest. One generation of each kind may reach over that half hour on either side, and none holds
//! more than a sixteenth: so with memory for eight sevenths of half an hour of events, half an hour of them is never
//! forgotten ([`reserve_bytes`]).

use std::collections::VecDeque;
use std::sync::Arc;

mod generation;
mod index;
mod saved;
mod sweep;
#[cfg(test)]
mod tests;

pub(crate) use generation::Kind;
use generation::{Closed, Generation, Seen};
use index::Index;
pub(crate) use saved::{LoadError, Shared};

/// What an entry is counted as, bytes: twelve in its generation and some seven in the index (measured: 19.2 of a full memory
/// that has turned over thrice), with room for what is not yet taken out.
pub(crate) const ENTRY_MEMORY: usize = 20;
/// What is always remembered, ms of event clock, where events come no faster than memory was reserved for.
pub(crate) const ALWAYS_MS: i64 = 30 * 60_000;
/// The shortest generation, ms: nothing ends in between.
const TURN_MS: i64 = 10 * 60_000;
/// Bits of a sequence number that say which entry of its generation; the others say which generation.
const ENTRY_BITS: u32 = 18;
/// Most entries of a generation.
const GENERATION_ENTRIES: usize = 1 << ENTRY_BITS;
/// Most generations at a time.
const SLOTS: usize = 1 << (u32::BITS - ENTRY_BITS);
/// Most entries at a time: more would need more slots.
const ENTRIES: usize = 1 << 31;
/// Fewest entries that are remembered, whatever the share of memory.
const ENTRIES_MIN: usize = 1024;

/// Memory in which half an hour of `events_per_s` events a second is always remembered, bytes.
pub(crate) fn reserve_bytes(events_per_s: u32) -> u64 {
    (u64::from(events_per_s) * (ALWAYS_MS as u64 / 1000)).div_ceil(7) * 8 * ENTRY_MEMORY as u64
}

/// What was delivered lately.
pub(crate) struct Duplicates {
    index: Index,
    slots: Vec<Slot>,
    /// Slots that are free.
    free: Vec<u16>,
    memories: [Memory; 2],
    /// Slots of generations that are over, and that the index still names; the one that came first is the first.
    over: VecDeque<u16>,
    /// Entries of the first of them that are taken out of the index.
    swept: usize,
    /// Entries that are to be taken out of it next.
    due: usize,
    /// The newest event clock of a first delivery, Unix ms.
    clock_ms: i64,
    /// The event clock at which a generation may be over, Unix ms.
    turn_ms: i64,
    /// Entries of generations that are not over.
    live: usize,
    entries_max: usize,
    /// How many it always may have. No generation is larger than a sixteenth of that, however much more memory it has at the
    /// moment: that half an hour is never forgotten must hold when the rest is wanted back.
    entries_owed: usize,
    evicted: u64,
}

/// A generation, by the first bits of its entries' sequence numbers.
struct Slot {
    held: Held,
    /// It is not over.
    live: bool,
}

enum Held {
    Nothing,
    Open(Generation),
    Closed(Arc<Closed>),
}

/// The generations of one kind.
#[derive(Default)]
struct Memory {
    /// The slots of those that are closed and not over, oldest first.
    closed: VecDeque<u16>,
    open: Option<u16>,
    /// Generations so far.
    opened: u64,
    /// Event clock of the newest first delivery that memory has made it forget, Unix ms.
    lost_ms: Option<i64>,
}

/// What a delivery is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    First,
    Duplicate,
    /// The same identity with other bytes.
    Conflict,
}

impl Slot {
    fn generation(&self) -> &Generation {
        match &self.held {
            Held::Open(generation) => generation,
            Held::Closed(closed) => &closed.generation,
            Held::Nothing => unreachable!("a free slot is asked for nothing"),
        }
    }
}

impl Memory {
    fn oldest(&self) -> Option<u16> {
        self.closed.front().copied().or(self.open)
    }
}

/// The entry with that sequence number, in a slot that is not free.
#[inline]
fn entry(slots: &[Slot], sequence: u32) -> Seen {
    slots[(sequence >> ENTRY_BITS) as usize].generation().entries[(sequence as usize) % GENERATION_ENTRIES]
}

/// Whether the entry with that sequence number is of this identity, and of a generation that is not over.
#[inline]
fn counts(slots: &[Slot], sequence: u32, identity: u64) -> bool {
    slots[(sequence >> ENTRY_BITS) as usize].live && entry(slots, sequence).identity() == identity
}

fn sequence(slot: u16, entry: usize) -> u32 {
    u32::from(slot) << ENTRY_BITS | u32::try_from(entry).expect("fewer than a generation holds")
}

impl Duplicates {
    /// With so much memory, which is what it is owed.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let entries_max = entries_max(bytes_max);
        Self::empty(Index::new(entries_max), entries_max, entries_max)
    }

    /// With an index of so many entries, which is empty.
    fn empty(index: Index, entries_max: usize, entries_owed: usize) -> Self {
        Self {
            index,
            slots: Vec::new(),
            free: Vec::new(),
            memories: Default::default(),
            over: VecDeque::new(),
            swept: 0,
            due: 0,
            clock_ms: i64::MIN,
            turn_ms: i64::MIN,
            live: 0,
            entries_max,
            entries_owed,
            evicted: 0,
        }
    }

    /// As it was when it was new, with what it is owed.
    pub(crate) fn clear(&mut self) {
        let mut index = std::mem::replace(&mut self.index, Index::new(0));
        index.clear();
        index.fit(self.entries_owed);
        *self = Self::empty(index, self.entries_owed, self.entries_owed);
    }

    /// Looks the delivery of an event at `at_ms` up, and remembers it if it is the first.
    #[inline]
    pub(crate) fn check(&mut self, kind: Kind, identity: u64, content: u32, at_ms: i64) -> Delivery {
        let told = |known: Seen| if known.content() == content { Delivery::Duplicate } else { Delivery::Conflict };
        let clock_ms = self.clock_ms.max(at_ms);
        // Nearly always nothing ends and nothing must be forgotten: then one look into the index both finds and remembers.
        let Some(slot) = self.open_already(kind, clock_ms) else {
            return match self.find(identity) {
                Some(known) => told(known),
                None => self.remember(kind, identity, content, clock_ms),
            };
        };
        let slots = &self.slots;
        let number = sequence(slot, slots[usize::from(slot)].generation().entries.len());
        let counts = |other: u32| counts(slots, other, identity);
        if let Some(known) = self.index.find_or_insert(identity, number, counts, |other| entry(slots, other).identity()) {
            return told(entry(slots, known));
        }
        self.push(slot, Seen::new(identity, content), clock_ms);
        Delivery::First
    }

    /// The slot of the kind's open generation, where at that event clock a first delivery goes into it and changes nothing else.
    #[inline]
    fn open_already(&self, kind: Kind, clock_ms: i64) -> Option<u16> {
        let open = self.memories[kind as usize].open.filter(|_| clock_ms < self.turn_ms && self.live < self.entries_max)?;
        (self.slots[usize::from(open)].generation().entries.len() < self.generation_entries_max()).then_some(open)
    }

    /// Remembers a first delivery, after what ends or must be forgotten for it.
    #[cold]
    fn remember(&mut self, kind: Kind, identity: u64, content: u32, clock_ms: i64) -> Delivery {
        self.clock_ms = clock_ms;
        if self.clock_ms >= self.turn_ms {
            self.turn();
        }
        if self.live >= self.entries_max {
            self.evict(self.entries_max - 1);
        }
        let slot = self.open(kind);
        let slots = &self.slots;
        let number = sequence(slot, slots[usize::from(slot)].generation().entries.len());
        self.index.insert(identity, number, |other| entry(slots, other).identity());
        self.push(slot, Seen::new(identity, content), clock_ms);
        Delivery::First
    }

    /// Adds the entry that the index names already.
    #[inline]
    fn push(&mut self, slot: u16, seen: Seen, clock_ms: i64) {
        let Held::Open(open) = &mut self.slots[usize::from(slot)].held else { unreachable!("it is an open one's") };
        open.entries.push(seen);
        open.last_ms = clock_ms;
        self.clock_ms = clock_ms;
        self.live += 1;
        self.sweep();
    }

    /// Prepares for [`Duplicates::check`] of several identities, before the first of them is looked up.
    #[inline]
    pub(crate) fn prefetch(&self, identities: impl Iterator<Item = u64>) {
        identities.for_each(|identity| self.index.prefetch(identity));
    }

    /// Takes it that it is owed so much memory.
    pub(crate) fn set_owed(&mut self, bytes: usize) {
        self.entries_owed = entries_max(bytes);
    }

    /// Takes so much memory, and keeps to it at once: what is over leaves the index too, where both together have no room.
    pub(crate) fn set_quota(&mut self, bytes_max: usize) {
        self.entries_max = entries_max(bytes_max);
        if self.live > self.entries_max {
            self.evict(self.entries_max);
        }
        self.fit_index();
    }

    /// Memory of what is remembered, as the bound counts it.
    pub(crate) fn bytes(&self) -> usize {
        self.live * ENTRY_MEMORY
    }

    /// Identities that the memory bound has made it forget before their time.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// How far back every first delivery of the kind is still known, ms of event clock; its horizon at most.
    pub(crate) fn reach_ms(&self, kind: Kind) -> i64 {
        let lost_ms = self.memories[kind as usize].lost_ms;
        lost_ms.map_or(i64::MAX, |lost_ms| self.clock_ms.saturating_sub(lost_ms)).min(kind.horizon_ms())
    }

    #[inline]
    fn find(&self, identity: u64) -> Option<Seen> {
        let slots = &self.slots;
        self.index.find(identity, |sequence| counts(slots, sequence, identity)).map(|sequence| entry(slots, sequence))
    }

    /// Ends what the event clock has gone past.
    #[cold]
    fn turn(&mut self) {
        self.turn_ms = self.clock_ms.div_euclid(TURN_MS).saturating_add(1).saturating_mul(TURN_MS);
        for kind in Kind::ALL {
            let number = self.clock_ms.div_euclid(kind.generation_ms());
            if let Some(open) = self.memories[kind as usize].open
                && self.slots[usize::from(open)].generation().number < number
            {
                self.close(kind);
            }
            while let Some(oldest) = self.memories[kind as usize].closed.front().copied()
                && self.slots[usize::from(oldest)].generation().number.saturating_add(kind.generations()) < number
            {
                self.retire(kind);
            }
        }
    }

    /// The slot of the kind's open generation, which has room for one more.
    fn open(&mut self, kind: Kind) -> u16 {
        if let Some(open) = self.memories[kind as usize].open {
            if self.slots[usize::from(open)].generation().entries.len() < self.generation_entries_max() {
                return open;
            }
            self.close(kind);
        }
        let (number, clock_ms) = (self.clock_ms.div_euclid(kind.generation_ms()), self.clock_ms);
        let memory = &mut self.memories[kind as usize];
        let ordinal = memory.opened;
        memory.opened += 1;
        let generation = Generation { kind, ordinal, number, first_ms: clock_ms, last_ms: clock_ms, entries: Vec::new() };
        let slot = self.hold(Held::Open(generation));
        self.memories[kind as usize].open = Some(slot);
        slot
    }

    fn generation_entries_max(&self) -> usize {
        (self.entries_owed / 16).min(GENERATION_ENTRIES)
    }

    fn close(&mut self, kind: Kind) {
        let memory = &mut self.memories[kind as usize];
        let Some(open) = memory.open.take() else { return };
        memory.closed.push_back(open);
        let held = &mut self.slots[usize::from(open)].held;
        if let Held::Open(generation) = std::mem::replace(held, Held::Nothing) {
            *held = Held::Closed(Arc::new(Closed::new(generation)));
        }
    }

    /// A slot for a generation that is not over.
    fn hold(&mut self, held: Held) -> u16 {
        let slot = Slot { held, live: true };
        while self.free.is_empty() && self.slots.len() == SLOTS {
            self.sweep_one();
        }
        if let Some(free) = self.free.pop() {
            self.slots[usize::from(free)] = slot;
            return free;
        }
        self.slots.push(slot);
        u16::try_from(self.slots.len() - 1).expect("there are fewer slots")
    }

    /// Ends the oldest generation of a kind; how many entries it has, and the event clock of the newest.
    fn retire(&mut self, kind: Kind) -> (usize, i64) {
        if self.memories[kind as usize].closed.is_empty() {
            self.close(kind);
        }
        let slot = self.memories[kind as usize].closed.pop_front().expect("there is one");
        self.over.push_back(slot);
        let slot = &mut self.slots[usize::from(slot)];
        slot.live = false;
        let generation = slot.generation();
        let retired = (generation.entries.len(), generation.last_ms);
        self.live -= retired.0;
        retired
    }

    /// Forgets whole generations, in the order of the module's header, until no more than `entries` are left.
    #[cold]
    fn evict(&mut self, entries: usize) {
        while self.live > entries {
            let newest = |kind: Kind| Some(self.slots[usize::from(self.memories[kind as usize].oldest()?)].generation().last_ms);
            let is_owed = |newest_ms: i64| newest_ms > self.clock_ms.saturating_sub(ALWAYS_MS);
            let kind = match (newest(Kind::Gps), newest(Kind::Other)) {
                (None, _) => Kind::Other,
                (_, None) => Kind::Gps,
                (Some(gps), _) if !is_owed(gps) => Kind::Gps,
                (Some(gps), Some(other)) if is_owed(other) && gps < other => Kind::Gps,
                _ => Kind::Other,
            };
            let (count, newest_ms) = self.retire(kind);
            self.evicted += count as u64;
            let lost_ms = &mut self.memories[kind as usize].lost_ms;
            *lost_ms = (*lost_ms).max(Some(newest_ms));
        }
    }
}

fn entries_max(bytes_max: usize) -> usize {
    (bytes_max / ENTRY_MEMORY).clamp(ENTRIES_MIN, ENTRIES)
}
