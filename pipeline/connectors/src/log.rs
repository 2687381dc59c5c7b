//! The log: the one order of everything that happens.
//!
//! A folder of segments, appended to by one writer and read by any number of readers beside it. An entry's position, from
//! 1 up without gaps, is the only offset there is.
//!
//! ```text
//! log/00000000000000048213.seg   named by its first position; integers little endian
//!
//! header
//!    0  magic          "RASIDLOG"; "RASIDDLQ" for dead letters
//!    8  version        u32, 1
//!   12  first          u64, position of its first entry
//!   20  previous       u64, first position of the segment before it; 0: none
//!   28  created        i64, Unix ms
//!   36  day            i32, days since 1970-01-01: the day key of all of the segment
//!   40  length         u32, of the summary
//!   44  checksum       u64
//!   52  summary        sealed: newest offset of each stream before the segment, newest switch
//! block, one an append, until the end of the file
//!    0  magic          "RBLK"
//!    4  length         u32, of the entries
//!    8  first          u64, position of its first entry
//!   16  count          u32
//!   20  day            i32
//!   24  appended       i64, Unix ms
//!   32  durable        u64: the file before this byte was durable when the block was written
//!   40  checksum       u64
//!   48  entries        sealed: postcard, one after another
//! ```
//!
//! A checksum is the XXH3-64 of the sealed part, seeded with the XXH3-64 of all before the checksum. What is sealed is
//! bound to that same clear part, so that nothing can be changed or moved without the secret ([`crate::seal`]).
//!
//! **What a crash leaves.** A segment's header is put in place whole, after all before it is durable. Only the end of the
//! newest segment can be torn: from the first block that is not whole on, opening cuts it, and tells so. Where a whole
//! block follows that says that this place was durable before, no crash did it, and opening refuses with file and offset;
//! so does a reader at damage in an older segment. [`Checkup`] says what is damaged, and mends it: a block of placeholders
//! ([`Control::Lost`]) takes the positions of what cannot be read.
//!
//! **Retention.** A segment holds one UTC day at most. It goes when its newest arrival is older than the retention, or when
//! there are too many bytes, and never before all of its entries are covered by a snapshot. A day's key goes when no
//! segment needs it and the day is over by the retention.

mod damage;
mod dead_letter;
mod entry;
mod error;
mod feedback;
mod format;
mod mend;
mod reader;
mod segments;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

pub use damage::{Damage, Positions, Segment, TornTail};
pub use dead_letter::{DeadLetterLog, DeadLetterReader, Letter, LetterBlock, OpenedLetters};
pub use entry::{Block, Control, Entry, Keys, Origin, Settings, Switched};
pub use error::Error;
pub use feedback::{Act, Feedback, Verdict};
pub use mend::{Checkup, DAMAGED_DIR};
pub use reader::LogReader;

use crate::seal::Keyring;
use crate::storage::Storage;
use entry::StoredSettings;
use segments::{Part, Segments};
use serde::{Deserialize, Serialize};

const DAY_MS: i64 = 86_400_000;

/// How a log is cut up and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A segment that would grow beyond it is closed, bytes. Opening reads one segment through, and retention drops whole
    /// ones. Default 64 MiB.
    pub segment_bytes: u64,
    /// How long an entry is kept at least, ms; it is gone a day later at most. Default 7 days.
    pub retention_ms: i64,
    /// Older segments are dropped above it, however young, bytes. Default: no bound.
    pub bytes_max: u64,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, retention_ms: 7 * DAY_MS, bytes_max: u64::MAX }
    }
}

impl LogConfig {
    /// For dead letters: 30 days.
    pub fn dead_letters() -> Self {
        Self { retention_ms: 30 * DAY_MS, ..Self::default() }
    }
}

/// What opening a log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The oldest position there is; equal to `next` where there is none.
    pub first: u64,
    /// The position the next entry gets.
    pub next: u64,
    /// What was cut.
    pub cut: Option<Cut>,
    /// The newest offset of each stream, to resume it from.
    pub offsets: BTreeMap<String, u64>,
    /// The ruleset in force.
    pub ruleset: Option<Switched>,
    /// When the newest block was appended, Unix ms, if the newest segment has one.
    pub newest_ms: Option<i64>,
}

/// A torn tail that was cut: what was being written when the process or the machine went down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment.
    pub path: String,
    /// Where it was cut.
    pub offset: u64,
    /// How many bytes were cut.
    pub bytes: u64,
    /// The position that the next entry gets.
    pub position: u64,
}

/// What retention dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// How many segments.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// How many day keys.
    pub keys: usize,
    /// The oldest position there is now.
    pub first: u64,
}

/// Appends to the log; there is one in the world.
pub struct LogWriter {
    segments: Segments,
    known: Known,
    /// The entries of the block being made.
    plain: Vec<u8>,
}

/// What a segment's header says of all before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    offsets: BTreeMap<String, u64>,
    ruleset: Option<Switched>,
}

/// The same as it is stored, followed by the [`Keys`] where there are any, then by the rate: without them it has the form of
/// before. No keys before a rate are those of number 0, which no secret has.
#[derive(Serialize, Deserialize)]
struct StoredKnown<'a> {
    offsets: Cow<'a, BTreeMap<String, u64>>,
    /// Position, ruleset, engine, settings.
    ruleset: Option<(u64, Cow<'a, str>, Cow<'a, str>, StoredSettings)>,
}

/// Where there are none.
const NO_KEYS: Keys = Keys { number: 0, former: None };

impl Known {
    fn take(&mut self, position: u64, entry: &Entry<'_>) {
        match entry {
            Entry::Event { origin, .. } => match self.offsets.get_mut(origin.stream) {
                Some(offset) => *offset = origin.offset,
                None => {
                    self.offsets.insert(origin.stream.to_owned(), origin.offset);
                }
            },
            Entry::Control(Control::Switch { ruleset, engine, settings }) => {
                let (ruleset, engine) = (ruleset.clone(), engine.clone());
                self.ruleset = Some(Switched { position, ruleset, engine, settings: *settings });
            }
            Entry::Control(Control::Retract { .. } | Control::Tick { .. } | Control::Lost | Control::Feedback(_)) => {}
        }
    }

    fn stored(&self) -> Result<Vec<u8>, Error> {
        let ruleset = self.ruleset.as_ref().map(|Switched { position, ruleset, engine, settings }| {
            (*position, Cow::Borrowed(ruleset.as_str()), Cow::Borrowed(engine.as_str()), StoredSettings::of(*settings))
        });
        let known = StoredKnown { offsets: Cow::Borrowed(&self.offsets), ruleset };
        let stored = postcard::to_stdvec(&known).map_err(Error::Encode)?;
        let (keys, events_per_s) =
            self.ruleset.as_ref().map_or((None, 0), |Switched { settings, .. }| (settings.keys, settings.events_per_s));
        let stored = match (keys, events_per_s) {
            (None, 0) => Ok(stored),
            (Some(keys), 0) => postcard::to_extend(&keys, stored),
            (keys, rate) => postcard::to_extend(&(keys.unwrap_or(NO_KEYS), rate), stored),
        };
        stored.map_err(Error::Encode)
    }

    fn read(stored: &[u8]) -> Result<Self, postcard::Error> {
        let (StoredKnown { offsets, ruleset }, rest) = postcard::take_from_bytes(stored)?;
        let (keys, rest): (Option<Keys>, _) = match rest {
            [] => (None, rest),
            rest => postcard::take_from_bytes(rest).map(|(keys, rest)| (Some(keys), rest))?,
        };
        let events_per_s = if rest.is_empty() { 0 } else { postcard::from_bytes(rest)? };
        let ruleset = ruleset.map(|(position, ruleset, engine, settings)| Switched {
            position,
            ruleset: ruleset.into_owned(),
            engine: engine.into_owned(),
            settings: settings.with(keys.filter(|keys| *keys != NO_KEYS), events_per_s),
        });
        Ok(Self { offsets: offsets.into_owned(), ruleset })
    }
}

impl LogWriter {
    /// Opens the log in `dir`, which need not be there yet; cuts a torn tail and makes the rest durable. Reads the newest
    /// segment through, and the headers of the others.
    ///
    /// # Errors
    /// A segment that is damaged, missing, foreign or of a newer version, and a key that does not fit.
    pub fn open(storage: Arc<dyn Storage>, dir: &str, keys: Keyring, config: LogConfig) -> Result<(Self, Opened), Error> {
        Self::open_behind(storage, dir, keys, config, 0)
    }

    /// The same where effects were committed up to a position: the log was durable so far, and an end that is not whole and
    /// lies before is no crash's. It is refused and not cut: what is damaged may be wanted yet.
    ///
    /// # Errors
    /// As of [`LogWriter::open`].
    pub fn open_behind(
        storage: Arc<dyn Storage>,
        dir: &str,
        keys: Keyring,
        config: LogConfig,
        committed: u64,
    ) -> Result<(Self, Opened), Error> {
        let (mut known, mut newest_ms) = (Known::default(), None);
        let (segments, found) = Segments::open(storage, dir, keys, format::LOG, config, committed, &mut |part| match part {
            Part::Summary(bytes) => {
                known = Known::read(bytes).map_err(|_| "the summary does not decode")?;
                Ok(())
            }
            Part::Block(head, plain) => {
                newest_ms = Some(head.at_ms);
                let mut count = 0;
                for (position, entry) in (head.first..).zip(entry::decode::<Entry<'_>>(plain)) {
                    known.take(position, &entry);
                    count += 1;
                }
                if count == head.count { Ok(()) } else { Err("an entry does not decode") }
            }
        })?;
        let opened = Opened {
            first: found.first,
            next: segments.next(),
            cut: found.cut,
            offsets: known.offsets.clone(),
            ruleset: known.ruleset.clone(),
            newest_ms,
        };
        Ok((Self { segments, known, plain: Vec::new() }, opened))
    }

    /// Appends the entries as one block: after a crash all of them are there or none. They can be read at once and are
    /// durable after the next [`LogWriter::sync`]. Returns their positions; without entries nothing is written.
    ///
    /// After an error nothing was appended; one that may pass ([`Error::disposition`]) can be tried again.
    ///
    /// # Errors
    /// [`Error::Append`], [`Error::Storage`], [`Error::Broken`], [`Error::TooLarge`], [`Error::Seal`].
    pub fn append(&mut self, now_ms: i64, entries: &[Entry<'_>]) -> Result<Range<u64>, Error> {
        let first = self.segments.next();
        let Some(count) = u32::try_from(entries.len()).ok().filter(|count| *count > 0) else {
            return if entries.is_empty() {
                Ok(first..first)
            } else {
                Err(Error::TooLarge { bytes: entries.len(), max: format::PLAIN_MAX })
            };
        };
        self.plain.clear();
        for entry in entries {
            entry::encode(entry, &mut self.plain)?;
        }
        self.segments.append(now_ms, count, &mut self.plain, &|| self.known.stored())?;
        let positions = first..self.segments.next();
        for (position, entry) in positions.clone().zip(entries) {
            self.known.take(position, entry);
        }
        Ok(positions)
    }

    /// Makes everything appended durable.
    ///
    /// # Errors
    /// [`Error::Unsynced`], after which it can be asked for again; [`Error::Sync`], after which all that follows is
    /// [`Error::Broken`] until the log is opened anew.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.segments.sync()
    }

    /// The position that the next entry gets.
    pub fn next_position(&self) -> u64 {
        self.segments.next()
    }

    /// The oldest position there is; equal to the next where there is none.
    pub fn first_position(&self) -> u64 {
        self.segments.first()
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.bytes()
    }

    /// How many segments there are.
    pub fn segments(&self) -> usize {
        self.segments.segments()
    }

    /// The newest offset of each stream.
    pub fn offsets(&self) -> &BTreeMap<String, u64> {
        &self.known.offsets
    }

    /// Drops segments that are too old or too many, oldest first, of which all entries are at or before `covered`, and the
    /// day keys that are needed no longer.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::Seal`]; what was dropped before it is dropped.
    pub fn retain(&mut self, now_ms: i64, covered: u64) -> Result<Retained, Error> {
        self.segments.retain(now_ms, covered, &|| self.known.stored())
    }
}

#[cfg(test)]
mod tests;
