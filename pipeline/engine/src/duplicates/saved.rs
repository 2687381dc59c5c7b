//! What was delivered lately, as snapshots hold it.
//!
//! ```text
//! part 1   event clock, identities evicted, then gps.*
//! part 2   all else
//!          each: generations so far, what memory has made it forget, the closed ones {name, place, clocks, entries},
//!          the open one {place, clocks, entries}
//! closed   a lasting part each: 12 bytes an entry, identity and content, little-endian, in the order of delivery
//! ```
//!
//! Formats 1 to 3 hold two generations of 15 minutes of everything, 16 bytes an entry. Which of them are `gps.*` is not known any more, so
//! all of them are taken over as all else, and it is not known how far back they reach.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::generation::{Closed, ENTRY_BYTES, Generation, Kind, Seen, name_of};
use super::{Duplicates, GENERATION_ENTRIES, Held, Memory, SLOTS};

/// Length of a generation in formats 1 to 3, ms.
const FORMER_GENERATION_MS: i64 = 15 * 60_000;

/// What was delivered lately, for a snapshot: it does not change with the [`Duplicates`] that go on.
pub(crate) struct Shared {
    clock_ms: i64,
    evicted: u64,
    memories: [SharedMemory; 2],
}

struct SharedMemory {
    opened: u64,
    lost_ms: Option<i64>,
    closed: Vec<Arc<Closed>>,
    /// A copy.
    open: Option<Generation>,
}

#[derive(Serialize, Deserialize)]
struct SavedMemory {
    opened: u64,
    lost_ms: Option<i64>,
    closed: Vec<(String, SavedGeneration)>,
    open: Option<(SavedGeneration, Vec<[u8; ENTRY_BYTES]>)>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct SavedGeneration {
    ordinal: u64,
    number: i64,
    first_ms: i64,
    last_ms: i64,
    entries: u64,
}

/// Why it could not be read.
pub(crate) enum LoadError<E> {
    /// A part does not decode.
    Decode(postcard::Error),
    /// A lasting part could not be had.
    Lasting { name: String, source: E },
    /// What is saved is none of ours.
    Foreign(String),
    /// A lasting part is not the one that was saved.
    ForeignLasting(String),
}

impl<E> From<postcard::Error> for LoadError<E> {
    fn from(error: postcard::Error) -> Self {
        Self::Decode(error)
    }
}

/// A delivered event of formats 1 to 3.
#[derive(Serialize, Deserialize)]
struct Former(#[serde(with = "postcard::fixint::le")] u64, #[serde(with = "postcard::fixint::le")] u64);

impl Duplicates {
    /// The same for a snapshot. Closed generations are shared, the open ones copied, which are small.
    pub(crate) fn share(&self) -> Shared {
        let memories = Kind::ALL.map(|kind| {
            let Memory { closed, open, opened, lost_ms } = &self.memories[kind as usize];
            let held = |slot: &u16| &self.slots[usize::from(*slot)].held;
            let share = |slot| match held(slot) {
                Held::Closed(closed) => Some(Arc::clone(closed)),
                _ => None,
            };
            let closed = closed.iter().filter_map(share).collect();
            SharedMemory {
                opened: *opened,
                lost_ms: *lost_ms,
                closed,
                open: open.map(|slot| self.slots[usize::from(slot)].generation().clone()),
            }
        });
        Shared { clock_ms: self.clock_ms, evicted: self.evicted, memories }
    }

    /// Fills an empty one with what [`Shared::save`] wrote of a kind, and gives the bytes after it. `lasting` gives lasting
    /// parts by their names. After the last kind follows [`Duplicates::loaded`].
    pub(crate) fn load<'b, E>(
        &mut self,
        kind: Kind,
        bytes: &'b [u8],
        lasting: &mut dyn FnMut(&str) -> Result<Vec<u8>, E>,
    ) -> Result<&'b [u8], LoadError<E>> {
        let mut rest = bytes;
        if kind == Kind::Gps {
            ((self.clock_ms, self.evicted), rest) = postcard::take_from_bytes(rest)?;
        }
        let (saved, rest): (SavedMemory, _) = postcard::take_from_bytes(rest)?;
        for (name, head) in saved.closed {
            let bytes = lasting(&name).map_err(|source| LoadError::Lasting { name: name.clone(), source })?;
            let entries = Generation::entries(&bytes).filter(|_| name_of(kind, head.ordinal, &bytes) == name);
            let Some(entries) = entries else { return Err(LoadError::ForeignLasting(name)) };
            self.take(kind, head, entries, false)?;
        }
        if let Some((head, entries)) = saved.open {
            let entries = Generation::entries(entries.as_flattened()).unwrap_or_default();
            self.take(kind, head, entries, true)?;
        }
        let memory = &mut self.memories[kind as usize];
        (memory.opened, memory.lost_ms) = (saved.opened, saved.lost_ms);
        Ok(rest)
    }

    /// Adds the next generation of what is loaded.
    fn take<E>(&mut self, kind: Kind, head: SavedGeneration, entries: Vec<Seen>, open: bool) -> Result<(), LoadError<E>> {
        let SavedGeneration { ordinal, number, first_ms, last_ms, entries: count } = head;
        if entries.len() as u64 != count || !(1..=GENERATION_ENTRIES).contains(&entries.len()) {
            return Err(LoadError::Foreign(format!("of generation {ordinal} with {} entries, where {count} are named", entries.len())));
        }
        if self.slots.len() == SLOTS {
            return Err(LoadError::Foreign(format!("of more than {SLOTS} generations")));
        }
        self.live += entries.len();
        let generation = Generation { kind, ordinal, number, first_ms, last_ms, entries };
        let slot = self.hold(if open { Held::Open(generation) } else { Held::Closed(Arc::new(Closed::new(generation))) });
        let memory = &mut self.memories[kind as usize];
        if open {
            memory.open = Some(slot);
        } else {
            memory.closed.push_back(slot);
        }
        Ok(())
    }

    /// Reads one of the two generations of formats 1 to 3, the current one and then the one before, and gives the bytes
    /// after it. `clock_ms` is the event clock.
    pub(crate) fn load_former<'b>(&mut self, before: bool, bytes: &'b [u8], clock_ms: i64) -> Result<&'b [u8], postcard::Error> {
        let mut rest = bytes;
        if !before {
            // The generation's number stands for the clock of first deliveries until the one before is read.
            ((self.clock_ms, self.evicted), rest) = postcard::take_from_bytes(rest)?;
        }
        let (entries, rest): (Vec<Former>, _) = postcard::take_from_bytes(rest)?;
        let began_ms = self.clock_ms.saturating_sub(i64::from(before)).saturating_mul(FORMER_GENERATION_MS);
        let last_ms = if before { began_ms.saturating_add(FORMER_GENERATION_MS - 1) } else { clock_ms.max(began_ms) };
        #[expect(clippy::cast_possible_truncation, reason = "the low half is what is kept")]
        let entries: Vec<Seen> = entries.iter().map(|Former(identity, content)| Seen::new(*identity, *content as u32)).collect();
        let most = self.generation_entries_max();
        let (kind, length) = (Kind::Other, Kind::Other.generation_ms());
        let mut slots = Vec::new();
        for part in entries.chunks(most) {
            let ordinal = self.memories[kind as usize].opened;
            self.memories[kind as usize].opened += 1;
            let number = began_ms.div_euclid(length);
            let generation = Generation { kind, ordinal, number, first_ms: began_ms, last_ms, entries: part.to_vec() };
            slots.push(self.hold(Held::Closed(Arc::new(Closed::new(generation)))));
            self.live += part.len();
        }
        let closed = &mut self.memories[kind as usize].closed;
        if before {
            slots.into_iter().rev().for_each(|slot| closed.push_front(slot));
            if self.clock_ms != i64::MIN {
                for memory in &mut self.memories {
                    memory.lost_ms = Some(began_ms);
                }
                self.clock_ms = clock_ms;
            }
        } else {
            closed.extend(slots);
        }
        Ok(rest)
    }

    /// Everything is loaded.
    pub(crate) fn loaded(&mut self) {
        if self.live > self.entries_max {
            self.evict(self.entries_max);
        }
        self.reindex();
    }
}

impl Shared {
    /// Appends what there is of a kind; with the first, what all hang on.
    pub(crate) fn save(&self, kind: Kind, out: Vec<u8>) -> Vec<u8> {
        let out = if kind == Kind::Gps { plain(&(self.clock_ms, self.evicted), out) } else { out };
        let SharedMemory { opened, lost_ms, closed, open } = &self.memories[kind as usize];
        let saved = SavedMemory {
            opened: *opened,
            lost_ms: *lost_ms,
            closed: closed.iter().map(|closed| (closed.name().to_owned(), SavedGeneration::of(&closed.generation))).collect(),
            open: open.as_ref().map(|open| (SavedGeneration::of(open), open.bytes().as_chunks().0.to_vec())),
        };
        plain(&saved, out)
    }

    /// Names of the lasting parts.
    pub(crate) fn lasting(&self) -> impl Iterator<Item = &str> {
        self.memories.iter().flat_map(|memory| &memory.closed).map(|closed| closed.name())
    }

    /// The lasting part of that name.
    pub(crate) fn lasting_bytes(&self, name: &str) -> Option<Vec<u8>> {
        let found = self.memories.iter().flat_map(|memory| &memory.closed).find(|closed| closed.name() == name);
        found.map(|closed| closed.generation.bytes())
    }
}

impl SavedGeneration {
    fn of(generation: &Generation) -> Self {
        let Generation { ordinal, number, first_ms, last_ms, entries, .. } = generation;
        Self { ordinal: *ordinal, number: *number, first_ms: *first_ms, last_ms: *last_ms, entries: entries.len() as u64 }
    }
}

fn plain<T: Serialize>(value: &T, out: Vec<u8>) -> Vec<u8> {
    postcard::to_extend(value, out).expect("plain data, into a vector that grows")
}
