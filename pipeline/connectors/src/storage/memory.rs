//! Files in memory that a seed can crash, for the simulation.
//!
//! The model of a crash is the least that a disk promises:
//!
//! - What was synced is there, and so are names made by [`Storage::replace`], removals and cuts that had returned.
//! - Of what was appended and not synced a random prefix is there, and the end of that prefix may be zeros or garbage, as
//!   when a file's length reached the disk before its bytes did.
//! - A file made by [`Storage::append`] and never synced may be gone altogether.
//! - An operation that was under way ([`Fault::Crash`]) happened or did not; a folder being removed lost any of its files.
//!
//! One seed gives one outcome. Handles that were open before a crash only give errors after it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{AppendFile, Storage};

/// A disk in memory; clones are the same disk.
#[derive(Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

/// What goes wrong on command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The disk is full, until [`Memory::heal`]: an append writes half of its bytes and fails, a replace fails.
    Full,
    /// One sync fails. What it was to make durable stays readable and is at the mercy of the next crash.
    Sync,
    /// The disk is full, until [`Memory::heal`], and has said so to nobody yet: one sync fails for want of room, and what it
    /// was to make durable never will be, whatever a later sync says, unless it is cut and written anew.
    FullAtSync,
    /// The power goes: the operation is left half-way, and all that follow fail until [`Memory::crash`].
    Crash,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Contents>,
    /// Raised by a crash, so that handles from before it are known.
    generation: u64,
    /// Writing operations so far.
    operations: u64,
    /// The fault, and the operation from which on it waits for one that it concerns.
    fault: Option<(u64, Fault)>,
    full: bool,
    down: bool,
    /// What was under way when the power went.
    half_way: Option<HalfWay>,
}

#[derive(Default)]
struct Contents {
    bytes: Vec<u8>,
    /// How many of them are durable.
    synced: usize,
    /// The name is durable.
    named: bool,
    /// From here on the disk has dropped what was appended, and syncing more does not bring it back.
    dropped: Option<usize>,
}

enum HalfWay {
    Replace(String, Vec<u8>),
    Truncate(String, usize),
    Remove(String),
    RemoveDir(String),
}

/// What a writing operation is, as far as faults go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Write,
    Sync,
    Other,
}

impl Memory {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// The fault strikes the first writing operation it concerns after `after` more have been done (0: the next).
    pub fn inject(&self, after: u64, fault: Fault) {
        let mut state = self.state();
        state.fault = Some((state.operations + after, fault));
    }

    /// There is room again, and no fault is waiting.
    pub fn heal(&self) {
        let mut state = self.state();
        state.full = false;
        state.fault = None;
    }

    /// How many writing operations (append, sync, replace, cut, remove) were begun. Crashing after each number in turn
    /// tries every point of a run.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Whether a [`Fault::Crash`] has struck and [`Memory::crash`] has not been called since.
    pub fn is_down(&self) -> bool {
        self.state().down
    }

    /// The power goes, and comes back: what was not durable is lost or torn as the seed says.
    pub fn crash(&self, seed: u64) {
        let mut random = Random(seed);
        let mut state = self.state();
        state.generation += 1;
        (state.down, state.full, state.fault) = (false, false, None);
        match state.half_way.take() {
            Some(HalfWay::Replace(path, bytes)) if random.below(2) == 0 => {
                state.files.insert(path, Contents::durable(bytes));
            }
            Some(HalfWay::Truncate(path, length)) if random.below(2) == 0 => {
                if let Some(file) = state.files.get_mut(&path) {
                    file.cut(length);
                }
            }
            Some(HalfWay::Remove(path)) if random.below(2) == 0 => {
                state.files.remove(&path);
            }
            Some(HalfWay::RemoveDir(dir)) => state.files.retain(|path, _| !is_below(path, &dir) || random.below(2) == 0),
            _ => {}
        }
        state.files.retain(|_, file| {
            if !file.named && random.below(2) == 0 {
                return false;
            }
            let unsynced = file.bytes.len().saturating_sub(file.synced);
            file.bytes.truncate(file.synced + random.below(unsynced as u64 + 1));
            let kept = file.bytes.get_mut(file.synced..).unwrap_or_default();
            let fill = random.below(4); // 0 and 1: a plain prefix
            let from = random.below(kept.len() as u64 + 1);
            if fill >= 2 {
                kept.iter_mut().skip(from).for_each(|byte| *byte = if fill == 2 { 0 } else { random.next().to_le_bytes()[0] });
            }
            (file.synced, file.named, file.dropped) = (file.bytes.len(), true, None);
            true
        });
    }

    /// Whether the disk holds bytes to be read that it will never make durable ([`Fault::FullAtSync`]).
    pub fn has_dropped(&self) -> bool {
        self.state().files.values().any(|file| file.dropped.is_some())
    }

    /// Paths of all files, sorted.
    pub fn paths(&self) -> Vec<String> {
        self.state().files.keys().cloned().collect()
    }

    /// Flips the bits of `mask` in the byte at `offset`, durably, as a failing disk does. Whether there is such a byte.
    pub fn damage(&self, path: &str, offset: u64, mask: u8) -> bool {
        let mut state = self.state();
        let byte = state.files.get_mut(path).and_then(|file| file.bytes.get_mut(usize::try_from(offset).ok()?));
        byte.map(|byte| *byte ^= mask).is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds it can stop half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn file(&self, path: &str) -> io::Result<&Contents> {
        if self.down {
            return Err(power_gone());
        }
        self.files.get(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn file_mut(&mut self, path: &str) -> io::Result<&mut Contents> {
        self.files.get_mut(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Counts an operation, and says which fault strikes it.
    fn begin(&mut self, operation: Operation) -> io::Result<Option<Fault>> {
        if self.down {
            return Err(power_gone());
        }
        let number = self.operations;
        self.operations += 1;
        let struck = self.fault.filter(|(from, fault)| {
            number >= *from
                && match fault {
                    Fault::Full => operation == Operation::Write,
                    Fault::Sync | Fault::FullAtSync => operation == Operation::Sync,
                    Fault::Crash => true,
                }
        });
        if let Some((_, fault)) = struck {
            self.fault = None;
            self.full |= matches!(fault, Fault::Full | Fault::FullAtSync);
            self.down |= fault == Fault::Crash;
        }
        let full = (self.full && operation == Operation::Write).then_some(Fault::Full);
        Ok(struck.map(|(_, fault)| fault).or(full))
    }
}

impl Contents {
    fn durable(bytes: Vec<u8>) -> Self {
        Self { synced: bytes.len(), bytes, named: true, dropped: None }
    }

    fn cut(&mut self, length: usize) {
        self.bytes.resize(length, 0);
        self.dropped = self.dropped.filter(|from| *from < length);
        (self.synced, self.named) = (self.dropped.unwrap_or(length), true);
    }
}

fn power_gone() -> io::Error {
    io::Error::other("the power is gone")
}

fn is_below(path: &str, dir: &str) -> bool {
    dir.is_empty() || path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
}

impl Storage for Memory {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        Ok(self.state().file(path)?.bytes.clone())
    }

    fn read_at(&self, path: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.state();
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = state.file(path)?.bytes.get(from..).unwrap_or_default();
        let read = bytes.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(read)
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        Ok(self.state().file(path)?.bytes.len() as u64)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let state = self.state();
        if state.down {
            return Err(power_gone());
        }
        let skipped = if dir.is_empty() { 0 } else { dir.len() + 1 };
        let below = state.files.keys().filter(|path| is_below(path, dir));
        let names: BTreeSet<&str> = below.filter_map(|path| path.get(skipped..)?.split('/').next()).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn AppendFile>> {
        let mut state = self.state();
        if state.down {
            return Err(power_gone());
        }
        state.files.entry(path.to_owned()).or_default();
        Ok(Box::new(Appending { disk: self.clone(), path: path.to_owned(), generation: state.generation }))
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        match state.begin(Operation::Write)? {
            Some(Fault::Full) => Err(io::ErrorKind::StorageFull.into()),
            Some(_) => {
                state.half_way = Some(HalfWay::Replace(path.to_owned(), bytes.to_vec()));
                Err(power_gone())
            }
            None => {
                state.files.insert(path.to_owned(), Contents::durable(bytes.to_vec()));
                Ok(())
            }
        }
    }

    fn truncate(&self, path: &str, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut state = self.state();
        let struck = state.begin(Operation::Other)?;
        let file = state.file_mut(path)?;
        if struck.is_some() {
            state.half_way = Some(HalfWay::Truncate(path.to_owned(), length));
            return Err(power_gone());
        }
        file.cut(length);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        let struck = state.begin(Operation::Other)?;
        state.file_mut(path)?;
        if struck.is_some() {
            state.half_way = Some(HalfWay::Remove(path.to_owned()));
            return Err(power_gone());
        }
        state.files.remove(path);
        Ok(())
    }

    fn remove_dir(&self, dir: &str) -> io::Result<()> {
        let mut state = self.state();
        if state.begin(Operation::Other)?.is_some() {
            state.half_way = Some(HalfWay::RemoveDir(dir.to_owned()));
            return Err(power_gone());
        }
        state.files.retain(|path, _| !is_below(path, dir));
        Ok(())
    }
}

struct Appending {
    disk: Memory,
    path: String,
    generation: u64,
}

impl Appending {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.generation == self.generation { Ok(state) } else { Err(io::Error::other("the file was open before a crash")) }
    }
}

impl AppendFile for Appending {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state()?;
        let struck = state.begin(Operation::Write)?;
        let file = state.file_mut(&self.path)?;
        match struck {
            Some(Fault::Full) => {
                file.bytes.extend(bytes.iter().take(bytes.len() / 2));
                Err(io::ErrorKind::StorageFull.into())
            }
            struck => {
                file.bytes.extend_from_slice(bytes);
                if struck.is_some() { Err(power_gone()) } else { Ok(()) }
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.state()?;
        match state.begin(Operation::Sync)? {
            Some(Fault::Sync) => Err(io::Error::other("the disk did not take it")),
            Some(Fault::FullAtSync) => {
                let file = state.file_mut(&self.path)?;
                file.dropped = Some(file.synced);
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(_) => Err(power_gone()),
            None => {
                let file = state.file_mut(&self.path)?;
                (file.synced, file.named) = (file.dropped.unwrap_or(file.bytes.len()), true);
                Ok(())
            }
        }
    }

    fn length(&self) -> u64 {
        self.disk.state().files.get(&self.path).map_or(0, |file| file.bytes.len() as u64)
    }
}

/// `SplitMix64` (Steele, Lea, Flood 2014): one seed, one sequence, whatever library is in fashion.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `0..bound`; 0 for a bound of 0.
    fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.next().checked_rem(bound).unwrap_or(0)).unwrap_or(0)
    }
}
