//! Whether a stream with dense offsets is whole, record by record. Sans-IO: it is told what came and says what to do.
//!
//! A reader that must not lose records cannot trust that the record after offset 7 is offset 8: a fetch may be cut
//! inside a batch, a reconnect may skip, retention may have deleted what lies between. So every offset is checked
//! against the one before. On a gap the stream is opened again where the gap begins, a few times; what is missing even
//! then, or is evicted by the stream's own word, is lost, is said, and the stream goes on behind it.

use std::num::NonZeroU32;

/// Offsets that did not come, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

impl Missing {
    /// How many records.
    pub fn records(&self) -> u64 {
        self.to.saturating_sub(self.from).saturating_add(1)
    }
}

/// What to do about a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the next one.
    Take {
        /// A gap that this record shows to be closed.
        closed: Option<Missing>,
        /// What is now known to be lost before it.
        lost: Option<Missing>,
    },
    /// It came before: pass it over.
    Repeat,
    /// Records are missing before it: drop the stream, this record too, and open it at `missing.from`.
    Reopen {
        /// What is missing.
        missing: Missing,
    },
}

/// Follows the offsets of one stream.
#[derive(Clone, Debug)]
pub struct Contiguity {
    /// The offset that must come next; `None` before the first record of a stream that nothing was read of.
    expected: Option<u64>,
    reopenings_max: NonZeroU32,
    /// The gap being closed, and how many times the stream was opened at it.
    open: Option<(Missing, u32)>,
}

impl Contiguity {
    /// Begins behind offset `after`, or with whatever the stream begins with. A gap is given up when the stream was
    /// opened at it `reopenings_max` times and still did not give its first record.
    pub fn new(after: Option<u64>, reopenings_max: NonZeroU32) -> Self {
        Self { expected: after.map(|after| after.saturating_add(1)), reopenings_max, open: None }
    }

    /// Where the stream is to be opened; `None`: at its beginning.
    pub fn expected(&self) -> Option<u64> {
        self.expected
    }

    /// A record with this offset came.
    pub fn observe(&mut self, offset: u64) -> Verdict {
        let expected = self.expected.unwrap_or(offset);
        if offset < expected {
            return Verdict::Repeat;
        }
        if offset == expected {
            let closed = self.open.take().map(|(missing, _)| missing);
            self.expected = Some(offset.saturating_add(1));
            return Verdict::Take { closed, lost: None };
        }
        let missing = Missing { from: expected, to: offset - 1 };
        let tried = self.open.map_or(0, |(_, tried)| tried);
        if tried < self.reopenings_max.get() {
            self.open = Some((missing, tried + 1));
            return Verdict::Reopen { missing };
        }
        self.open = None;
        self.expected = Some(offset.saturating_add(1));
        Verdict::Take { closed: None, lost: Some(missing) }
    }

    /// The stream says that its records before `next_available` are gone. What is lost by that; `None`: nothing that
    /// was not read before, or nothing was read yet and nothing was promised.
    pub fn evicted(&mut self, next_available: u64) -> Option<Missing> {
        self.open = None;
        let before = self.expected?;
        if next_available <= before {
            return None;
        }
        self.expected = Some(next_available);
        Some(Missing { from: before, to: next_available - 1 })
    }
}

#[cfg(test)]
mod tests;
