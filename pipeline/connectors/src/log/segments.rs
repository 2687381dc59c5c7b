//! Writing a folder of segments: of the log, and of the dead letters.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::format::{self, BlockHead, Format, NoSegment, PLAIN_MAX, Parsed, SEGMENT_FIXED, SegmentHead};
use super::{Cut, Error, LogConfig, Retained};
use crate::Disposition;
use crate::seal::{Day, Keyring, TAG_BYTES};
use crate::storage::{AppendFile, Storage};

/// Most bytes kept to be written anew after a sync that failed for want of room. Whoever appends more between two syncs
/// cannot go on after such a failure. The service syncs after every block, which is a MiB and one record at most.
const UNSYNCED_MAX: usize = 64 << 20;

/// What opening hands over, in order: what the newest segment's header says of all before it, then its blocks.
pub(super) enum Part<'a> {
    Summary(&'a [u8]),
    Block(&'a BlockHead, &'a [u8]),
}

/// What opening found.
pub(super) struct Found {
    pub(super) first: u64,
    pub(super) cut: Option<Cut>,
}

/// A folder of segments, open for writing.
pub(super) struct Segments {
    storage: Arc<dyn Storage>,
    dir: String,
    keys: Keyring,
    format: Format,
    config: LogConfig,
    /// All but the newest, oldest first. Whole and durable.
    older: VecDeque<Older>,
    newest: Option<Newest>,
    /// The next entry's position.
    next: u64,
    /// A sync failed.
    broken: bool,
    /// The block being made.
    block: Vec<u8>,
}

struct Older {
    head: SegmentHead,
    bytes: u64,
}

struct Newest {
    head: SegmentHead,
    path: String,
    file: Box<dyn AppendFile>,
    /// Bytes of header and whole blocks.
    length: u64,
    /// How many of them are known to be durable.
    durable: u64,
    /// Bytes of the header.
    header: u64,
    /// Something that is no whole block may lie behind `length`.
    torn: bool,
    /// The bytes from `durable` to `length`, as far as they are few enough to be kept.
    unsynced: Vec<u8>,
    /// A sync failed for want of room: what lies behind `durable` must be written anew.
    doubtful: bool,
}

impl Newest {
    /// As of now all of it is durable.
    fn durable(head: SegmentHead, path: String, file: Box<dyn AppendFile>, header: u64, length: u64) -> Self {
        Self { head, path, file, length, durable: length, header, torn: false, unsynced: Vec::new(), doubtful: false }
    }

    /// Whether everything that is not durable can be written anew.
    fn keeps_unsynced(&self) -> bool {
        self.length - self.durable == self.unsynced.len() as u64
    }
}

impl Segments {
    /// Opens the folder, cuts a torn tail of the newest segment and makes the rest of it durable. `committed` was durable
    /// once: what held it is damaged where it is not whole, and is not cut.
    pub(super) fn open(
        storage: Arc<dyn Storage>,
        dir: &str,
        keys: Keyring,
        format: Format,
        config: LogConfig,
        committed: u64,
        each: &mut dyn FnMut(Part<'_>) -> Result<(), &'static str>,
    ) -> Result<(Self, Found), Error> {
        let older = VecDeque::new();
        let mut this =
            Self { storage, dir: dir.to_owned(), keys, format, config, older, newest: None, next: 1, broken: false, block: Vec::new() };
        let mut firsts = list(&*this.storage, dir)?;
        let mut cut = None;
        let Some(newest) = firsts.pop() else { return Ok((this, Found { first: 1, cut })) };
        for first in firsts {
            let (head, _) = read_head(&*this.storage, dir, first, format)?;
            let path = format::path(dir, first);
            let bytes = this.storage.len(&path).map_err(|source| Error::Storage { path, source })?;
            this.follows(&head)?;
            this.older.push_back(Older { head, bytes });
        }
        let path = format::path(dir, newest);
        let bytes = this.storage.read(&path).map_err(|source| Error::Storage { path: path.clone(), source })?;
        match SegmentHead::parse(&bytes, format) {
            Err(NoSegment::Short(_) | NoSegment::Damaged(_))
                if !format::was_durable(&bytes, 0) && (newest == 1 || !this.older.is_empty()) =>
            {
                if newest <= committed {
                    return Err(Error::Damaged {
                        path,
                        offset: 0,
                        reason: "the header is not whole, and effects of the entries behind it were committed",
                    });
                }
                // The crash came while it was being made.
                this.storage.remove(&path).map_err(|source| Error::Storage { path: path.clone(), source })?;
                cut = Some(Cut { path, offset: 0, bytes: bytes.len() as u64, position: newest });
                this.next = newest;
                if let Some(last) = this.older.pop_back() {
                    let path = format::path(dir, last.head.first);
                    let bytes = this.storage.read(&path).map_err(|source| Error::Storage { path, source })?;
                    let tail = this.adopt(&bytes, last.head, committed, each)?;
                    if tail.is_some() || this.next != newest {
                        return Err(Error::Missing { path: format::path(dir, newest), expected: this.next });
                    }
                }
            }
            parsed => {
                let (head, _) = parsed.map_err(|error| refusal(error, path.clone(), format))?;
                if head.first != newest {
                    return Err(Error::Damaged { path, offset: 0, reason: "the header names another position than the file" });
                }
                this.follows(&head)?;
                cut = this.adopt(&bytes, head, committed, each)?;
            }
        }
        let first = this.first();
        Ok((this, Found { first, cut }))
    }

    /// Whether a segment's header names the one before it.
    fn follows(&self, head: &SegmentHead) -> Result<(), Error> {
        match self.older.back() {
            Some(before) if before.head.first != head.previous => {
                Err(Error::Missing { path: format::path(&self.dir, head.first), expected: head.previous })
            }
            _ => Ok(()),
        }
    }

    /// Reads a segment through, cuts what is torn and goes on with it as the newest.
    fn adopt(
        &mut self,
        bytes: &[u8],
        head: SegmentHead,
        committed: u64,
        each: &mut dyn FnMut(Part<'_>) -> Result<(), &'static str>,
    ) -> Result<Option<Cut>, Error> {
        let path = format::path(&self.dir, head.first);
        let damaged = |offset: usize, reason| Error::Damaged { path: path.clone(), offset: offset as u64, reason };
        let header = SEGMENT_FIXED + head.sealed as usize;
        let mut plain = bytes.get(SEGMENT_FIXED..header).unwrap_or_default().to_vec();
        self.keys.unseal(head.day, head.nonce(), &head.bound(self.format), &mut plain)?;
        each(Part::Summary(&plain)).map_err(|reason| damaged(0, reason))?;
        let (mut offset, mut next) = (header, head.first);
        loop {
            let rest = bytes.get(offset..).unwrap_or_default();
            let (block, length) = match BlockHead::parse(rest) {
                Parsed::Whole(block, length) => (block, length),
                _ if rest.is_empty() => break,
                Parsed::Short(_) | Parsed::Wrong(_) if !format::was_durable(rest, offset as u64) => break,
                Parsed::Short(_) => return Err(damaged(offset, "the block's length is wrong")),
                Parsed::Wrong(reason) => return Err(damaged(offset, reason)),
            };
            if block.first != next {
                return Err(damaged(offset, "the block belongs to another position"));
            }
            plain.clear();
            plain.extend_from_slice(rest.get(format::BLOCK_FIXED..length).unwrap_or_default());
            self.keys.unseal(block.day, block.nonce(), &block.bound(), &mut plain)?;
            each(Part::Block(&block, &plain)).map_err(|reason| damaged(offset, reason))?;
            (offset, next) = (offset + length, block.end());
        }
        let torn = bytes.len() - offset;
        let length = offset as u64;
        let cut = (torn > 0).then(|| Cut { path: path.clone(), offset: length, bytes: torn as u64, position: next });
        if torn > 0 && next <= committed {
            return Err(damaged(offset, "the block is not whole, and effects of its entries were committed"));
        }
        if torn > 0 {
            self.storage.truncate(&path, length).map_err(|source| Error::Storage { path: path.clone(), source })?;
        }
        let mut file = self.storage.append(&path).map_err(|source| Error::Storage { path: path.clone(), source })?;
        // Of a process that was killed the system holds blocks that no disk has seen.
        file.sync().map_err(|source| Error::Sync { path: path.clone(), source })?;
        self.newest = Some(Newest::durable(head, path, file, header as u64, length));
        self.next = next;
        Ok(cut)
    }

    /// Appends one block of `count` entries, sealing `plain` in place. `summary` is asked for when a segment begins.
    pub(super) fn append(
        &mut self,
        now_ms: i64,
        count: u32,
        plain: &mut Vec<u8>,
        summary: &dyn Fn() -> Result<Vec<u8>, Error>,
    ) -> Result<(), Error> {
        if self.broken {
            return Err(Error::Broken);
        }
        if plain.len() > PLAIN_MAX {
            return Err(Error::TooLarge { bytes: plain.len(), max: PLAIN_MAX });
        }
        self.mend()?;
        let day = Day::of_ms(now_ms);
        let length = (format::BLOCK_FIXED + plain.len() + TAG_BYTES) as u64;
        let fits = self.newest.as_ref().is_some_and(|newest| {
            newest.head.day == day && (newest.length == newest.header || newest.length + length <= self.config.segment_bytes)
        });
        if !fits {
            self.roll(now_ms, summary)?;
        }
        let first = self.next;
        let Some(newest) = &mut self.newest else { return Err(Error::Broken) };
        let sealed = u32::try_from(plain.len() + TAG_BYTES).unwrap_or(u32::MAX);
        let head = BlockHead { sealed, first, count, day, at_ms: now_ms, durable: newest.durable };
        let bound = head.bound();
        self.keys.seal(day, head.nonce(), &bound, plain)?;
        self.block.clear();
        self.block.extend_from_slice(&bound);
        self.block.extend_from_slice(&format::checksum_of(&bound, plain).to_le_bytes());
        self.block.extend_from_slice(plain);
        newest.torn = true;
        newest.file.append(&self.block).map_err(|source| Error::Append { path: newest.path.clone(), source })?;
        newest.torn = false;
        if newest.keeps_unsynced() && newest.unsynced.len() + self.block.len() <= UNSYNCED_MAX {
            newest.unsynced.extend_from_slice(&self.block);
        }
        newest.length += length;
        self.next = head.end();
        Ok(())
    }

    /// Cuts what an append left that failed half-way, and writes anew what a sync had no room for: the same bytes at the
    /// same place, so whoever has read them has read what will be durable.
    fn mend(&mut self) -> Result<(), Error> {
        let Some(newest) = self.newest.as_mut().filter(|newest| newest.torn || newest.doubtful) else { return Ok(()) };
        let path = &newest.path;
        let whole = if newest.doubtful { newest.durable } else { newest.length };
        let failed = |source| Error::Storage { path: path.clone(), source };
        self.storage.truncate(path, whole).map_err(failed)?;
        newest.file = self.storage.append(path).map_err(failed)?;
        if newest.doubtful {
            newest.file.append(&newest.unsynced).map_err(|source| Error::Append { path: path.clone(), source })?;
        }
        (newest.torn, newest.doubtful) = (false, false);
        Ok(())
    }

    /// Makes everything appended durable.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        if self.broken {
            return Err(Error::Broken);
        }
        if self.newest.as_ref().is_none_or(|newest| newest.durable == newest.length) {
            return Ok(());
        }
        self.mend()?;
        let Some(newest) = &mut self.newest else { return Ok(()) };
        if let Err(source) = newest.file.sync() {
            let path = newest.path.clone();
            newest.doubtful = newest.keeps_unsynced() && crate::error::of_io(&source) == Disposition::Retry;
            self.broken = !newest.doubtful;
            return Err(if self.broken { Error::Sync { path, source } } else { Error::Unsynced { path, source } });
        }
        newest.durable = newest.length;
        newest.unsynced.clear();
        Ok(())
    }

    /// Begins a new segment, whose header is durable when this returns. One without blocks is written over.
    fn roll(&mut self, now_ms: i64, summary: &dyn Fn() -> Result<Vec<u8>, Error>) -> Result<(), Error> {
        self.sync()?;
        let mut sealed = summary()?;
        let previous = match &self.newest {
            Some(newest) if newest.length > newest.header => newest.head.first,
            Some(newest) => newest.head.previous,
            None => 0,
        };
        let day = Day::of_ms(now_ms);
        let length = u32::try_from(sealed.len() + TAG_BYTES).map_err(|_| Error::TooLarge { bytes: sealed.len(), max: PLAIN_MAX })?;
        let head = SegmentHead { first: self.next, previous, created_ms: now_ms, day, sealed: length };
        let mut bytes = head.bound(self.format);
        self.keys.seal(day, head.nonce(), &bytes, &mut sealed)?;
        bytes.extend_from_slice(&format::checksum_of(&bytes, &sealed).to_le_bytes());
        bytes.extend_from_slice(&sealed);
        let path = format::path(&self.dir, head.first);
        let failed = |source| Error::Storage { path: path.clone(), source };
        self.storage.replace(&path, &bytes).map_err(failed)?;
        let file = self.storage.append(&path).map_err(failed)?;
        let length = bytes.len() as u64;
        let newest = Newest::durable(head, path, file, length, length);
        if let Some(before) = self.newest.replace(newest).filter(|before| before.length > before.header) {
            self.older.push_back(Older { head: before.head, bytes: before.length });
        }
        Ok(())
    }

    /// Drops segments that are too old or too many, oldest first, as far as all their entries are `covered`; then the
    /// keys of days that are over and that no segment needs.
    pub(super) fn retain(&mut self, now_ms: i64, covered: u64, summary: &dyn Fn() -> Result<Vec<u8>, Error>) -> Result<Retained, Error> {
        if self.broken {
            return Err(Error::Broken);
        }
        self.mend()?;
        let oldest_ms = now_ms.saturating_sub(self.config.retention_ms);
        let over = self.newest.as_ref().filter(|newest| newest.head.day.end_ms() <= oldest_ms);
        if over.is_some_and(|newest| newest.length == newest.header || covered >= self.next.saturating_sub(1)) {
            self.roll(now_ms, summary)?;
        }
        let mut retained = Retained::default();
        let mut bytes = self.bytes();
        while let Some(oldest) = self.older.front() {
            let Some(after) = self.older.get(1).map(|older| older.head).or(self.newest.as_ref().map(|newest| newest.head)) else { break };
            // Nothing came in after its day was over, nor after the next one was made.
            let newest_ms = oldest.head.day.end_ms().min(after.created_ms);
            let dropped = newest_ms <= oldest_ms || bytes > self.config.bytes_max;
            if !dropped || after.first.saturating_sub(1) > covered {
                break;
            }
            let path = format::path(&self.dir, oldest.head.first);
            match self.storage.remove(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(Error::Storage { path, source }),
                _ => {}
            }
            bytes = bytes.saturating_sub(oldest.bytes);
            retained.segments += 1;
            retained.bytes += oldest.bytes;
            self.older.pop_front();
        }
        let needed = self.older.iter().map(|older| older.head.day).chain(self.newest.as_ref().map(|newest| newest.head.day)).min();
        // A day whose end is at or before `oldest_ms` is over.
        let over = Day::of_ms(oldest_ms);
        retained.keys = self.keys.forget_before(needed.map_or(over, |needed| needed.min(over)))?;
        retained.first = self.first();
        Ok(retained)
    }

    /// The oldest position there is; the next one where there is none.
    pub(super) fn first(&self) -> u64 {
        self.older.front().map(|older| older.head.first).or(self.newest.as_ref().map(|newest| newest.head.first)).unwrap_or(self.next)
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.older.iter().map(|older| older.bytes).sum::<u64>() + self.newest.as_ref().map_or(0, |newest| newest.length)
    }

    pub(super) fn segments(&self) -> usize {
        self.older.len() + usize::from(self.newest.is_some())
    }
}

/// First positions of all segments in `dir`, sorted.
pub(super) fn list(storage: &dyn Storage, dir: &str) -> Result<Vec<u64>, Error> {
    let names = storage.list(dir).map_err(|source| Error::Storage { path: dir.to_owned(), source })?;
    Ok(names.iter().filter_map(|name| format::first_of(name)).collect())
}

/// The clear part of a segment's header, checked, and how long the header is.
pub(super) fn read_head(storage: &dyn Storage, dir: &str, first: u64, format: Format) -> Result<(SegmentHead, usize), Error> {
    let path = format::path(dir, first);
    let failed = |source| Error::Storage { path: path.clone(), source };
    let mut bytes = vec![0; 4096];
    let head = loop {
        let read = storage.read_at(&path, 0, &mut bytes).map_err(failed)?;
        let parsed = SegmentHead::parse(bytes.get(..read).unwrap_or_default(), format);
        match parsed {
            // Only as much as the file has: a length may be damaged.
            Err(NoSegment::Short(needed)) if read == bytes.len() && needed as u64 <= storage.len(&path).map_err(failed)? => {
                bytes.resize(needed, 0);
            }
            parsed => break parsed.map_err(|error| refusal(error, path.clone(), format))?,
        }
    };
    if head.0.first != first {
        return Err(Error::Damaged { path, offset: 0, reason: "the header names another position than the file" });
    }
    Ok(head)
}

pub(super) fn refusal(error: NoSegment, path: String, format: Format) -> Error {
    match error {
        NoSegment::Foreign => Error::Foreign { path, expected: format.name },
        NoSegment::Newer(version) => Error::Newer { path, version, known: format::VERSION },
        NoSegment::Short(_) => Error::Damaged { path, offset: 0, reason: "it ends within its header" },
        NoSegment::Damaged(reason) => Error::Damaged { path, offset: 0, reason },
    }
}
