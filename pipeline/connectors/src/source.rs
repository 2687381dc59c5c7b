//! Sources: the ports by which records enter.
//!
//! There are two. [`JsonLines`] reads one input from its beginning to its end, blocking, for `detect`. [`Source`] is
//! the port of the live service: streams with offsets, each read by a task, brought together by [`Merge`].
//!
//! What a [`JsonLines`] guarantees:
//!
//! - **Order.** Records come in one order, each exactly once, and the same input gives the same records in the same
//!   order, however reads and batches happen to fall.
//! - **Bytes as they are.** A record is not decoded, trimmed or repaired; what is no event is for the caller to set
//!   aside, with the position that it counts.
//! - **No waiting for company.** A record that is there is handed over, even alone; a batch is large only when much is
//!   there at once.
//! - **Bounded memory.** One record, however long, costs at most a bound; what lies beyond it is passed over and the
//!   record is marked as cut.
//! - **An error ends it.** The records before the fault are handed over first; after the error there is nothing more.

mod appender;
mod clock;
mod contiguity;
mod directory;
mod file;
#[cfg(feature = "fluvio")]
pub mod fluvio;
mod generation;
pub mod jsonl;
mod lines;
mod merge;
mod observer;
mod port;
#[cfg(any(test, feature = "fluvio"))]
mod remade;
pub(crate) mod scan;

use std::ops::Range;

pub use appender::{Appender, Incoming};
pub use clock::event_clock;
pub use contiguity::{Contiguity, Missing, Verdict};
pub use directory::{DirectoryConfig, FOLLOWED_DIR, Footing, follow_directory};
pub use file::{FileConfig, FileOpener, StdinOpener};
pub use jsonl::JsonLines;
pub use merge::{Lag, Lags, Merge, MergeConfig, MergeHandle, Merged, State};
pub use observer::{Notice, Observer, Traced};
pub use port::{Fetched, Opener, Source, SourceRecord};

/// Records that were read together. One batch is made once and filled again and again.
#[derive(Debug, Default)]
pub struct Batch {
    /// Only `..filled` counts; beyond it lies what earlier batches left, kept so that growing need not clear it again.
    bytes: Vec<u8>,
    filled: usize,
    lines: Vec<Range<usize>>,
    /// Index and whole length of each line that was cut, in order. All but always empty.
    cuts: Vec<(usize, u64)>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Record `index`, less its line end; `None` past the last.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.bytes.get(self.lines.get(index)?.clone())
    }

    /// All records in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.lines.iter().map(|line| self.bytes.get(line.clone()).unwrap_or_default())
    }

    /// Where each record lies in [`Batch::bytes`].
    pub fn lines(&self) -> &[Range<usize>] {
        &self.lines
    }

    /// The text that the records lie in, line ends included.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }

    /// How long record `index` really is, if it is longer than the source takes and only its beginning is here.
    pub fn cut(&self, index: usize) -> Option<u64> {
        let found = self.cuts.binary_search_by_key(&index, |(line, _)| *line).ok()?;
        self.cuts.get(found).map(|(_, length)| *length)
    }

    fn clear(&mut self) {
        self.filled = 0;
        self.lines.clear();
        self.cuts.clear();
    }

    /// Appends bytes that belong to no line yet.
    fn extend(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        if let Some(room) = self.bytes.get_mut(self.filled..end) {
            room.copy_from_slice(bytes);
        }
        self.filled = end;
    }

    /// Up to `length` writable bytes behind the filled ones.
    fn room(&mut self, length: usize) -> &mut [u8] {
        let end = self.filled + length;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes.get_mut(self.filled..end).unwrap_or_default()
    }

    /// Adds `line` as a record of which at most `line_bytes_max` bytes count; `length` is how long it really is.
    fn push(&mut self, line: Range<usize>, length: u64, line_bytes_max: usize) {
        let end = line.end.min(line.start.saturating_add(line_bytes_max));
        if length > (end - line.start) as u64 {
            self.cuts.push((self.lines.len(), length));
        }
        self.lines.push(line.start..end);
    }
}
