//! Mending a folder of segments: what is whole stays as it is, byte for byte; for what cannot be read, placeholders take its
//! positions, so that the log stays one order without gaps.
//!
//! A damaged file is first kept aside as it is, still sealed, in `damaged/`. Then a whole one takes its place, at once. A
//! crash on the way leaves the one or the other, and mending again does the rest. The newest segment is closed behind what was
//! mended: that later blocks say how far it was durable holds for the file as it was written.

use std::collections::BTreeSet;
use std::sync::Arc;

use twox_hash::XxHash3_64;

use super::Error;
use super::damage::{Content, LetterContent, LogContent, Piece, Positions, Scanned, Segment, scan};
use super::dead_letter::FAMILY;
use super::format::{self, BlockHead, Format, SegmentHead};
use crate::seal::{Day, Keyring, TAG_BYTES};
use crate::storage::Storage;

/// The folder for what was damaged, within the data folder.
pub const DAMAGED_DIR: &str = "damaged";
/// Most placeholders of one block.
const LOST_MAX: u64 = 1 << 20;

/// A log gone through for damage.
pub struct Checkup {
    storage: Arc<dyn Storage>,
    dir: String,
    keys: Keyring,
    format: Format,
    content: Box<dyn Content>,
    scanned: Vec<Scanned>,
}

impl Checkup {
    /// Goes through the log in `dir`. `committed` is a position that it must have held.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::Newer`], and [`Error::Seal`] with another secret.
    pub fn of_log(storage: Arc<dyn Storage>, dir: &str, keys: Keyring, committed: u64) -> Result<Self, Error> {
        Self::new(storage, dir, keys, format::LOG, committed, Box::new(LogContent::default()))
    }

    /// Goes through the dead letters in `dir`.
    ///
    /// # Errors
    /// As of [`Checkup::of_log`].
    pub fn of_dead_letters(storage: Arc<dyn Storage>, dir: &str, keys: &Keyring) -> Result<Self, Error> {
        Self::new(storage, dir, keys.family(FAMILY), format::DEAD_LETTERS, 0, Box::new(LetterContent::default()))
    }

    fn new(
        storage: Arc<dyn Storage>,
        dir: &str,
        keys: Keyring,
        format: Format,
        committed: u64,
        mut content: Box<dyn Content>,
    ) -> Result<Self, Error> {
        let scanned = scan(&*storage, dir, &keys, format, committed, &mut *content)?;
        Ok(Self { storage, dir: dir.to_owned(), keys, format, content, scanned })
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.scanned.iter().map(|scanned| &scanned.segment)
    }

    /// Positions whose entries cannot be read, in order; neighbours are one.
    pub fn lost(&self) -> Vec<Positions> {
        let mut all: Vec<Positions> = Vec::new();
        for lost in self.segments().flat_map(Segment::lost) {
            match all.last_mut() {
                Some(last) if last.last + 1 == lost.first => last.last = lost.last,
                _ => all.push(lost),
            }
        }
        all
    }

    /// Hashes of the rulesets that it names.
    pub fn rulesets(&self) -> BTreeSet<String> {
        self.content.rulesets()
    }

    /// Puts whole files in the place of the damaged ones; says which were kept aside, and where.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::Seal`]: mend again.
    pub fn mend(&self, now_ms: i64) -> Result<Vec<String>, Error> {
        let mut aside = Vec::new();
        let mut before: Option<&Scanned> = None;
        for (index, scanned) in self.scanned.iter().enumerate() {
            if !scanned.segment.is_whole() {
                let mended = self.mended(scanned, before, now_ms)?;
                if !scanned.segment.missing {
                    aside.push(self.keep_aside(scanned)?);
                }
                if index + 1 == self.scanned.len() && scanned.end > scanned.first {
                    // First: until it is there, the damaged one is the newest, and stays as it is.
                    self.close_behind(scanned, now_ms)?;
                }
                self.replace(scanned.first, &mended)?;
            }
            before = Some(scanned);
        }
        Ok(aside)
    }

    /// A copy of the damaged file, under a name of its own for each damage.
    fn keep_aside(&self, scanned: &Scanned) -> Result<String, Error> {
        let bytes = self.read(scanned)?;
        let path = format!("{DAMAGED_DIR}/{}.{:016x}", scanned.segment.path, XxHash3_64::oneshot(&bytes));
        self.storage.replace(&path, &bytes).map_err(|source| Error::Storage { path: path.clone(), source })?;
        Ok(path)
    }

    fn read(&self, scanned: &Scanned) -> Result<Vec<u8>, Error> {
        let path = &scanned.segment.path;
        self.storage.read(path).map_err(|source| Error::Storage { path: path.clone(), source })
    }

    fn replace(&self, first: u64, bytes: &[u8]) -> Result<(), Error> {
        let path = format::path(&self.dir, first);
        self.storage.replace(&path, bytes).map_err(|source| Error::Storage { path, source })
    }

    /// The whole file.
    fn mended(&self, scanned: &Scanned, before: Option<&Scanned>, now_ms: i64) -> Result<Vec<u8>, Error> {
        let old = if scanned.segment.missing { Vec::new() } else { self.read(scanned)? };
        let written_ms = |scanned: &Scanned| {
            scanned.pieces.iter().find_map(|piece| match piece {
                Piece::Whole { head, .. } => Some(head.at_ms),
                Piece::Lost(_) => None,
            })
        };
        // When the entries around it were appended, as near as is known.
        let about_ms = written_ms(scanned).or_else(|| before.and_then(written_ms)).unwrap_or(now_ms);
        let mut bytes = match scanned.header {
            Some((_, length)) => old.get(..length).unwrap_or_default().to_vec(),
            None => self.header(scanned.first, before.map_or(0, |before| before.first), about_ms, scanned.summary.clone())?,
        };
        let mut at_ms = about_ms;
        for piece in &scanned.pieces {
            match piece {
                Piece::Whole { head, offset, length } => {
                    at_ms = head.at_ms;
                    bytes.extend_from_slice(old.get(*offset..offset + length).unwrap_or_default());
                }
                Piece::Lost(positions) => self.lost_blocks(*positions, at_ms, &mut bytes)?,
            }
        }
        Ok(bytes)
    }

    /// A segment without a block, so that the one before is written on no more.
    fn close_behind(&self, newest: &Scanned, now_ms: i64) -> Result<(), Error> {
        let header = self.header(newest.end, newest.first, now_ms, self.content.stored()?)?;
        self.replace(newest.end, &header)
    }

    fn header(&self, first: u64, previous: u64, created_ms: i64, mut summary: Vec<u8>) -> Result<Vec<u8>, Error> {
        let sealed = u32::try_from(summary.len() + TAG_BYTES).unwrap_or(u32::MAX);
        let head = SegmentHead { first, previous, created_ms, day: Day::of_ms(created_ms), sealed };
        let mut bytes = head.bound(self.format);
        self.keys.seal(head.day, head.nonce(), &bytes, &mut summary)?;
        bytes.extend_from_slice(&format::checksum_of(&bytes, &summary).to_le_bytes());
        bytes.extend_from_slice(&summary);
        Ok(bytes)
    }

    fn lost_blocks(&self, positions: Positions, at_ms: i64, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let mut first = positions.first;
        while first <= positions.last {
            let count = u32::try_from((positions.last - first + 1).min(LOST_MAX)).unwrap_or(u32::MAX);
            let mut plain = self.content.lost(count)?;
            let sealed = u32::try_from(plain.len() + TAG_BYTES).unwrap_or(u32::MAX);
            let day = Day::of_ms(at_ms);
            let head = BlockHead { sealed, first, count, day, at_ms, durable: bytes.len() as u64 };
            let bound = head.bound();
            self.keys.seal(day, head.nonce(), &bound, &mut plain)?;
            bytes.extend_from_slice(&bound);
            bytes.extend_from_slice(&format::checksum_of(&bound, &plain).to_le_bytes());
            bytes.extend_from_slice(&plain);
            first += u64::from(count);
        }
        Ok(())
    }
}
