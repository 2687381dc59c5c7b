//! A disk in memory that can lose power: what the outbox stands on in simulations.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// What a disk writes whole or not at all, bytes.
const SECTOR: u64 = 512;
/// How a file of redb begins once it is made.
const MADE: &[u8] = b"redb";

/// A disk in memory. What was synced outlives a [`Memory::crash`]; of what was not, any sectors may be there.
/// Clones are the same disk.
#[derive(Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Rises with each crash; a database opened before has lost its disk.
    boot: u64,
    /// What a crash cannot take.
    durable: Vec<u8>,
    /// What readers see.
    current: Vec<u8>,
    /// What makes the one the other.
    unsynced: Vec<Change>,
    /// Writes and syncs until all fail.
    left: Option<u64>,
    /// Writes until the disk is full.
    room: Option<u64>,
}

enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Length(u64),
}

impl Memory {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives redb the disk, any number of times until the next crash, for [`super::Outbox::with_backend`].
    pub fn backend(&self) -> impl Fn() -> Attached + Send + Sync + use<> {
        let (state, boot) = (Arc::clone(&self.state), self.lock().boot);
        move || Attached { state: Arc::clone(&state), boot }
    }

    /// Cuts the power. Each sector written since the last sync is there or is not, and so is each change of length, as
    /// `seed` says. Whoever had the disk open has lost it. A file that was not yet made whole is gone, as one is that
    /// [`super::Outbox::open`] was still making under another name.
    pub fn crash(&self, seed: u64) {
        let mut state = self.lock();
        let mut random = seed;
        let survive = next(&mut random) % 5; // none to all, in quarters
        let mut image = std::mem::take(&mut state.durable);
        for change in std::mem::take(&mut state.unsynced) {
            change.apply_in_part(&mut image, || next(&mut random) % 4 < survive);
        }
        if !image.starts_with(MADE) {
            image.clear();
        }
        state.current.clone_from(&image);
        state.durable = image;
        state.boot += 1;
        (state.left, state.room) = (None, None);
    }

    /// Makes every write and sync after the next `operations` fail, until a crash.
    pub fn fail_after(&self, operations: u64) {
        self.lock().left = Some(operations);
    }

    /// The disk is full after the next `writes`, until [`Memory::heal`] or a crash: nothing can be written, in its old place
    /// neither, as on a file system that copies on write.
    pub fn fill_after(&self, writes: u64) {
        self.lock().room = Some(writes);
    }

    /// There is room again.
    pub fn heal(&self) {
        self.lock().room = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Memory").field("boot", &state.boot).field("bytes", &state.current.len()).finish_non_exhaustive()
    }
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Length(length) => image.resize(place(*length), 0),
            Self::Write { offset, bytes } => put(image, *offset, bytes),
        }
    }

    fn apply_in_part(&self, image: &mut Vec<u8>, mut survives: impl FnMut() -> bool) {
        let Self::Write { offset, bytes } = self else {
            if survives() {
                self.apply(image);
            }
            return;
        };
        let (mut offset, mut rest) = (*offset, bytes.as_slice());
        while !rest.is_empty() {
            let length = place(SECTOR - offset % SECTOR).min(rest.len());
            let (sector, after) = rest.split_at(length);
            if survives() {
                put(image, offset, sector);
            }
            offset += length as u64;
            rest = after;
        }
    }
}

fn put(image: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (start, end) = (place(offset), place(offset) + bytes.len());
    if image.len() < end {
        image.resize(end, 0);
    }
    if let Some(target) = image.get_mut(start..end) {
        target.copy_from_slice(bytes);
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).expect("a disk in memory is smaller than memory")
}

/// `SplitMix64`.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The disk as of one boot.
pub struct Attached {
    state: Arc<Mutex<State>>,
    boot: u64,
}

impl Attached {
    fn reading(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.boot == self.boot { Ok(state) } else { Err(io::Error::other("the machine has crashed")) }
    }

    fn writing(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.reading()?;
        match &mut state.left {
            Some(0) => return Err(io::Error::other("the disk fails")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(state)
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.writing()?;
        match &mut state.room {
            Some(0) => return Err(io::ErrorKind::StorageFull.into()),
            Some(left) => *left -= 1,
            None => {}
        }
        change.apply(&mut state.current);
        state.unsynced.push(change);
        Ok(())
    }
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("boot", &self.boot).finish_non_exhaustive()
    }
}

impl StorageBackend for Attached {
    fn len(&self) -> io::Result<u64> {
        Ok(self.reading()?.current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.reading()?;
        let start = place(offset);
        let bytes = state.current.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(Change::Length(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.writing()?;
        let mut durable = std::mem::take(&mut state.durable);
        for change in std::mem::take(&mut state.unsynced) {
            change.apply(&mut durable);
        }
        state.durable = durable;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Write { offset, bytes: data.to_vec() })
    }
}
