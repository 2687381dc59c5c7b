//! The log of dead letters: records set aside, in the segments of the log, under day keys of their own.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::entry::{as_bytes, decode, encode};
use super::reader::Blocks;
use super::segments::{Part, Segments};
use super::{Cut, Error, LogConfig, Retained, format};
use crate::seal::Keyring;
use crate::storage::Storage;

/// The keys' family: they are kept longer than the log's.
pub(super) const FAMILY: &str = "dead-letters";

/// A record set aside.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter<'a> {
    /// Its position in the log.
    pub position: u64,
    /// The field that is wrong, as a path, where it is known.
    pub field: Option<&'a str>,
    /// What is wrong, in one line.
    pub reason: &'a str,
    /// The record as it came.
    #[serde(serialize_with = "as_bytes")]
    pub record: &'a [u8],
    /// When it arrived, Unix ms.
    pub arrival_ms: i64,
    /// The stream that it came from.
    pub stream: &'a str,
}

impl Letter<'_> {
    /// Takes the place of one that cannot be read any more.
    pub(super) const LOST: Letter<'static> =
        Letter { position: 0, field: None, reason: "lost to damage", record: b"", arrival_ms: 0, stream: "" };

    /// Whether it is only such a placeholder: no entry of the log has that position.
    pub(super) fn is_lost(&self) -> bool {
        self.position == 0
    }
}

/// Never what the record says, which is raw.
impl std::fmt::Debug for Letter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { position, field, reason, record, arrival_ms, stream } = self;
        let bytes = record.len();
        write!(
            f,
            "Letter {{ position: {position}, field: {field:?}, reason: {reason:?}, record: [{bytes} redacted], arrival_ms: {arrival_ms}, stream: {stream:?} }}"
        )
    }
}

/// What opening the dead letters found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedLetters {
    /// The newest position that was set aside; 0: none ever.
    pub newest: u64,
    /// What was cut.
    pub cut: Option<Cut>,
}

/// Appends dead letters; there is one in the world.
pub struct DeadLetterLog {
    segments: Segments,
    /// The newest position in it.
    newest: u64,
    plain: Vec<u8>,
}

impl DeadLetterLog {
    /// Opens the dead letters in `dir`, which need not be there yet. Their day keys are the family `dead-letters` of
    /// `keys`.
    ///
    /// # Errors
    /// As of [`super::LogWriter::open`].
    pub fn open(storage: Arc<dyn Storage>, dir: &str, keys: &Keyring, config: LogConfig) -> Result<(Self, OpenedLetters), Error> {
        let mut newest = 0;
        let (segments, found) =
            Segments::open(storage, dir, keys.family(FAMILY), format::DEAD_LETTERS, config, 0, &mut |part| match part {
                Part::Summary(bytes) => {
                    newest = postcard::from_bytes(bytes).map_err(|_| "the summary does not decode")?;
                    Ok(())
                }
                Part::Block(head, plain) => {
                    let count = decode::<Letter<'_>>(plain).inspect(|letter| newest = newest.max(letter.position)).count();
                    if count == head.count as usize { Ok(()) } else { Err("a letter does not decode") }
                }
            })?;
        Ok((Self { segments, newest, plain: Vec::new() }, OpenedLetters { newest, cut: found.cut }))
    }

    /// Appends the letters as one block, less those at or before the newest position that was in it already: after a crash
    /// the same letters come again. How many were new. Durable after the next [`DeadLetterLog::sync`].
    ///
    /// # Errors
    /// As of [`super::LogWriter::append`].
    pub fn append(&mut self, now_ms: i64, letters: &[Letter<'_>]) -> Result<usize, Error> {
        self.plain.clear();
        let (mut count, mut newest) = (0_u32, self.newest);
        for letter in letters.iter().filter(|letter| letter.position > self.newest) {
            encode(letter, &mut self.plain)?;
            newest = newest.max(letter.position);
            count += 1;
        }
        if count > 0 {
            let before = self.newest;
            self.segments.append(now_ms, count, &mut self.plain, &|| stored(before))?;
            self.newest = newest;
        }
        Ok(count as usize)
    }

    /// Makes everything appended durable.
    ///
    /// # Errors
    /// As of [`super::LogWriter::sync`].
    pub fn sync(&mut self) -> Result<(), Error> {
        self.segments.sync()
    }

    /// The newest position that was set aside; 0: none ever.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.bytes()
    }

    /// Drops what is too old or too much, and the day keys that are needed no longer.
    ///
    /// # Errors
    /// As of [`super::LogWriter::retain`].
    pub fn retain(&mut self, now_ms: i64) -> Result<Retained, Error> {
        let newest = self.newest;
        self.segments.retain(now_ms, u64::MAX, &|| stored(newest))
    }
}

fn stored(newest: u64) -> Result<Vec<u8>, Error> {
    postcard::to_stdvec(&newest).map_err(Error::Encode)
}

/// Reads the dead letters from the oldest on, beside the one who writes them.
pub struct DeadLetterReader {
    blocks: Blocks,
}

/// Letters that were appended together.
#[derive(Default)]
pub struct LetterBlock {
    plain: Vec<u8>,
}

impl LetterBlock {
    /// An empty block.
    pub fn new() -> Self {
        Self::default()
    }

    /// The letters in order.
    pub fn letters(&self) -> impl Iterator<Item = Letter<'_>> {
        decode(&self.plain).filter(|letter: &Letter<'_>| !letter.is_lost())
    }
}

impl DeadLetterReader {
    /// Reads what is in `dir`, where there need not be anything yet.
    ///
    /// # Errors
    /// What is wrong with the oldest segment.
    pub fn open(storage: Arc<dyn Storage>, dir: &str, keys: &Keyring) -> Result<Self, Error> {
        let blocks = Blocks::open(storage, dir, keys.family(FAMILY), format::DEAD_LETTERS, None)?;
        Ok(Self { blocks })
    }

    /// The next letters; `false`: none yet.
    ///
    /// # Errors
    /// As of [`super::LogReader::next`].
    pub fn next(&mut self, block: &mut LetterBlock) -> Result<bool, Error> {
        let letters = |plain: &[u8]| decode::<Letter<'_>>(plain).count();
        Ok(self.blocks.next(&mut block.plain, letters)?.is_some())
    }
}
