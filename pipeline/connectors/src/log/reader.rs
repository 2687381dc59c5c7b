//! Reading a folder of segments, beside the one who writes it.

use std::io;
use std::sync::Arc;

use super::format::{self, BLOCK_FIXED, BlockHead, Format, Parsed};
use super::segments::{list, read_head};
use super::{Block, Entry, Error, entry};
use crate::seal::Keyring;
use crate::storage::Storage;

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// Reads whole blocks in order, of the log or of the dead letters.
pub(super) struct Blocks {
    storage: Arc<dyn Storage>,
    dir: String,
    keys: Keyring,
    format: Format,
    /// First position of the segment being read; `None` until there is one.
    segment: Option<u64>,
    path: String,
    /// Where in it the next block begins.
    offset: u64,
    /// The position that begins with.
    next: u64,
    /// What was read ahead: `buffer[at..filled]` lies at `offset`.
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    /// Length of the segment when its last bytes were found to be torn, so that it is not gone through again and again.
    judged: u64,
    /// There was no segment after it when its end was first seen; from then on one can only follow at `next`.
    was_newest: bool,
}

impl Blocks {
    /// Goes to the block that holds `from`, or to the end where `from` is next. `None`: to the oldest there is.
    pub(super) fn open(storage: Arc<dyn Storage>, dir: &str, keys: Keyring, format: Format, from: Option<u64>) -> Result<Self, Error> {
        let mut firsts = list(&*storage, dir)?;
        if firsts.last().is_some_and(|last| storage.len(&format::path(dir, *last)).is_ok_and(|length| length == 0)) {
            firsts.pop(); // a crash came while it was made
        }
        let oldest = firsts.first().copied();
        let from = from.or(oldest).unwrap_or(1).max(1);
        let dir = dir.to_owned();
        let mut this = Self {
            storage,
            dir,
            keys,
            format,
            segment: None,
            path: String::new(),
            offset: 0,
            next: from,
            buffer: Vec::new(),
            at: 0,
            filled: 0,
            judged: 0,
            was_newest: false,
        };
        let Some(oldest) = oldest else {
            return if from == 1 { Ok(this) } else { Err(Error::Beyond { position: from, next: 1 }) };
        };
        let before = firsts.partition_point(|first| *first <= from);
        let Some(segment) = before.checked_sub(1).and_then(|index| firsts.get(index)) else {
            return Err(Error::Retired { position: from, first: oldest });
        };
        this.enter(*segment)?;
        while let Some((head, length)) = this.peek()? {
            if head.end() > from {
                return Ok(this);
            }
            this.pass(&head, length);
        }
        if this.next < from { Err(Error::Beyond { position: from, next: this.next }) } else { Ok(this) }
    }

    /// The next whole block, opened into `plain`; `None`: none yet. `entries` counts what decodes, which must be all.
    pub(super) fn next(&mut self, plain: &mut Vec<u8>, entries: fn(&[u8]) -> usize) -> Result<Option<BlockHead>, Error> {
        let Some((head, length)) = self.peek()? else { return Ok(None) };
        plain.clear();
        plain.extend_from_slice(self.buffer.get(self.at + BLOCK_FIXED..self.at + length).unwrap_or_default());
        self.keys.unseal(head.day, head.nonce(), &head.bound(), plain)?;
        if entries(plain) != head.count as usize {
            return Err(self.damage("an entry does not decode"));
        }
        self.pass(&head, length);
        Ok(Some(head))
    }

    /// Bytes behind the last whole block. Beside a writer they are a block on its way; without one, what a crash tore.
    pub(super) fn rest(&self) -> Result<u64, Error> {
        if self.segment.is_none() {
            return Ok(0);
        }
        let length = self.storage.len(&self.path).map_err(|source| self.failed(source))?;
        Ok(length.saturating_sub(self.offset))
    }

    pub(super) fn position(&self) -> u64 {
        self.next
    }

    fn enter(&mut self, first: u64) -> Result<(), Error> {
        let path = format::path(&self.dir, first);
        let (_, header) = match read_head(&*self.storage, &self.dir, first, self.format) {
            Err(Error::Storage { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Err(self.gone(source)),
            head => head?,
        };
        (self.segment, self.path, self.offset, self.next) = (Some(first), path, header as u64, first);
        (self.at, self.filled, self.judged, self.was_newest) = (0, 0, 0, false);
        Ok(())
    }

    fn pass(&mut self, head: &BlockHead, length: usize) {
        self.at += length;
        self.offset += length as u64;
        self.next = head.end();
    }

    /// The next whole block, in the buffer at `at`, and its length. Goes on to the next segment at the end of one.
    fn peek(&mut self) -> Result<Option<(BlockHead, usize)>, Error> {
        loop {
            let Some(segment) = self.segment else {
                let Some(oldest) = list(&*self.storage, &self.dir)?.first().copied() else { return Ok(None) };
                if oldest > self.next {
                    return Err(Error::Retired { position: self.next, first: oldest });
                }
                self.enter(oldest)?;
                continue;
            };
            if let Some(found) = self.parsed()? {
                return Ok(Some(found));
            }
            // In this order: what is in the segment once its successor is there is all that it will ever hold.
            let ended = self.next != segment && self.has_segment(self.next);
            if !self.refill()? {
                self.enter(self.next)?;
                continue;
            }
            if let Some(found) = self.parsed()? {
                return Ok(Some(found));
            }
            if self.at < self.filled {
                return self.torn(segment);
            }
            if ended {
                self.enter(self.next)?;
            } else if self.is_newest(segment)? {
                return Ok(None);
            }
        }
    }

    /// A whole block in the buffer, checked for its place.
    fn parsed(&self) -> Result<Option<(BlockHead, usize)>, Error> {
        match BlockHead::parse(self.buffer.get(self.at..self.filled).unwrap_or_default()) {
            Parsed::Whole(head, _) if head.first != self.next => Err(self.damage("the block belongs to another position")),
            Parsed::Whole(head, length) => Ok(Some((head, length))),
            Parsed::Short(_) | Parsed::Wrong(_) => Ok(None),
        }
    }

    /// Reads anew from the next block on, at least all of it if the file has it. `false`: the segment is gone, and the log
    /// begins with the one after it, so all of it was given out.
    fn refill(&mut self) -> Result<bool, Error> {
        let mut wanted = CHUNK;
        loop {
            if self.buffer.len() < wanted {
                self.buffer.resize(wanted, 0);
            }
            (self.at, self.filled) = (0, 0);
            let read = match self.storage.read_at(&self.path, self.offset, &mut self.buffer) {
                Err(source) if source.kind() == io::ErrorKind::NotFound => {
                    let oldest = list(&*self.storage, &self.dir)?.first().copied();
                    return if oldest == Some(self.next) && self.segment != oldest { Ok(false) } else { Err(self.gone(source)) };
                }
                read => read.map_err(|source| self.failed(source))?,
            };
            self.filled = read;
            match BlockHead::parse(self.buffer.get(..read).unwrap_or_default()) {
                Parsed::Short(needed) if read == self.buffer.len() => {
                    // Only as much as the file has: a length may be damaged.
                    let length = self.storage.len(&self.path).map_err(|source| self.failed(source))?;
                    let rest = usize::try_from(length.saturating_sub(self.offset)).unwrap_or(usize::MAX);
                    wanted = needed.min(rest);
                    if wanted <= read {
                        return Ok(true);
                    }
                }
                _ => return Ok(true),
            }
        }
    }

    /// There are bytes, and they are no whole block: one on its way, a torn one, or damage.
    fn torn(&mut self, segment: u64) -> Result<Option<(BlockHead, usize)>, Error> {
        let length = self.storage.len(&self.path).map_err(|source| self.failed(source))?;
        if length == self.judged {
            return Ok(None);
        }
        let newer = list(&*self.storage, &self.dir)?.last().is_some_and(|last| *last > segment);
        let rest = usize::try_from(length.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        self.buffer.resize(rest.max(CHUNK), 0);
        (self.at, self.filled) = (0, 0);
        self.filled = self.storage.read_at(&self.path, self.offset, &mut self.buffer).map_err(|source| self.failed(source))?;
        if let Some(found) = self.parsed()? {
            return Ok(Some(found));
        }
        let bytes = self.buffer.get(..self.filled).unwrap_or_default();
        if !bytes.is_empty() && (newer || format::was_durable(bytes, self.offset)) {
            let reason = match BlockHead::parse(bytes) {
                Parsed::Wrong(reason) => reason,
                _ => "the block does not end",
            };
            return Err(self.damage(reason));
        }
        self.judged = length;
        Ok(None)
    }

    /// At a clean end with no segment that goes on there: whether this is the newest, so that more will come. If it is not,
    /// it ended or was followed a moment ago, and is to be read again; or the rest of it is missing, which is an error.
    fn is_newest(&mut self, segment: u64) -> Result<bool, Error> {
        if self.was_newest {
            return Ok(true);
        }
        if list(&*self.storage, &self.dir)?.last().is_none_or(|last| *last <= segment) {
            self.was_newest = true;
            return Ok(true);
        }
        let grown = match self.rest() {
            Err(Error::Storage { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(false), // retired a moment ago
            rest => rest? > 0,
        };
        if grown || self.has_segment(self.next) { Ok(false) } else { Err(self.damage("blocks are missing at its end")) }
    }

    /// Whether there is a segment that begins with `first`. One without a byte is none: a crash came while it was made.
    fn has_segment(&self, first: u64) -> bool {
        self.storage.len(&format::path(&self.dir, first)).is_ok_and(|length| length > 0)
    }

    fn damage(&self, reason: &'static str) -> Error {
        Error::Damaged { path: self.path.clone(), offset: self.offset, reason }
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Storage { path: self.path.clone(), source }
    }

    /// A segment that was there is not: retention was faster, if the log now begins later.
    fn gone(&self, source: io::Error) -> Error {
        match list(&*self.storage, &self.dir).map(|firsts| firsts.first().copied()) {
            Ok(Some(first)) if first > self.next => Error::Retired { position: self.next, first },
            _ => self.failed(source),
        }
    }
}

/// Reads the log; any number may, beside the writer.
pub struct LogReader {
    blocks: Blocks,
    from: u64,
}

impl LogReader {
    /// Reads from position `from` on, which may be the next that will be written.
    ///
    /// # Errors
    /// [`Error::Retired`] when `from` was dropped, [`Error::Beyond`] when it is further than the next, and what is wrong
    /// with the segment that holds it.
    pub fn open(storage: Arc<dyn Storage>, dir: &str, keys: Keyring, from: u64) -> Result<Self, Error> {
        let blocks = Blocks::open(storage, dir, keys, format::LOG, Some(from))?;
        Ok(Self { blocks, from })
    }

    /// Reads from the oldest position there is.
    ///
    /// # Errors
    /// What is wrong with the oldest segment.
    pub fn oldest(storage: Arc<dyn Storage>, dir: &str, keys: Keyring) -> Result<Self, Error> {
        let blocks = Blocks::open(storage, dir, keys, format::LOG, None)?;
        let from = blocks.position();
        Ok(Self { blocks, from })
    }

    /// The next whole block; `false`: none yet, so call again when the writer has appended. `block` is then as it was, and
    /// after an error its content means nothing.
    ///
    /// # Errors
    /// [`Error::Damaged`] at damage, at each further call again; [`Error::Retired`] when retention was faster;
    /// [`Error::Seal`] when the day's key is gone.
    pub fn next(&mut self, block: &mut Block) -> Result<bool, Error> {
        let entries = |plain: &[u8]| entry::decode::<Entry<'_>>(plain).count();
        let Some(head) = self.blocks.next(&mut block.plain, entries)? else { return Ok(false) };
        (block.first, block.count, block.at_ms, block.from) = (head.first, head.count, head.at_ms, self.from);
        Ok(true)
    }

    /// The position that the next block goes on with.
    pub fn position(&self) -> u64 {
        self.blocks.position().max(self.from)
    }

    /// Bytes behind the last whole block. Beside a writer they are a block on its way; without one, what a crash tore and
    /// the next writer will cut.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn rest(&self) -> Result<u64, Error> {
        self.blocks.rest()
    }
}
