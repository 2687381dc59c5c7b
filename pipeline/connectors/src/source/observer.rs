//! What sources have to tell the people who run them.

use super::contiguity::Missing;
use crate::{Disposition, Error};

/// Hears what happens to streams. Called from the streams' own tasks: it must not block.
pub trait Observer: Send + Sync {
    /// Something happened to `stream`.
    fn notice(&self, stream: &str, notice: &Notice<'_>);
}

/// What happened to a stream.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// It cannot be opened or read on. The other streams go on. Where the error is lasting ([`Disposition::Halt`]) and it
    /// is tried again all the same, nothing more is said until it can be read again, or the error is another one.
    Fault {
        /// Why.
        error: &'a Error,
        /// How many times in a row, from 1.
        attempt: u32,
        /// When it is tried again, ms from now; `None`: it is given up.
        retry_in_ms: Option<u64>,
    },
    /// It can be read again.
    Recovered {
        /// How many attempts failed before.
        attempts: u32,
    },
    /// Offsets are missing in what the stream gave; it is being opened again where they should be.
    Gap(Missing),
    /// The missing offsets came after all.
    GapClosed(Missing),
    /// Records are lost for good: the stream no longer has them. It goes on behind them.
    Lost(Missing),
    /// A topic was deleted and made again: it is read from its new beginning. What the old one held behind the last record
    /// that was read is lost, as far as it is known told by [`Notice::Lost`].
    Remade {
        /// The last offset that was read of the old one.
        read: u64,
    },
    /// Records came again and were passed over.
    Repeated {
        /// How many.
        records: u64,
    },
    /// A followed file was renamed, replaced or removed: it was read to its end, and what has its name now is read from its
    /// beginning.
    Rotated {
        /// How many bytes of it were read.
        read: u64,
    },
    /// A followed file is shorter than what was read of it, or is another one than it was: it is read from its
    /// beginning. What was written between the last read and the cut is lost.
    Truncated {
        /// How many bytes of it had been read.
        read: u64,
        /// How long it is now.
        length: u64,
    },
    /// A followed file is a copy of what was read before, under another name or compressed: as far as it is, it is not read again.
    Recognised {
        /// The name under which it was read.
        of: &'a str,
        /// How many bytes of text.
        bytes: u64,
    },
    /// A followed file that was being read when the service stopped is nowhere now, nor is a copy of it: what was written to
    /// it behind what was read is lost.
    Vanished {
        /// How many bytes of it had been read.
        read: u64,
    },
    /// A record is longer than the source takes: only its beginning was handed over.
    Cut {
        /// Its offset.
        offset: u64,
        /// How long it is, bytes.
        length: u64,
    },
    /// A topic has another number of partitions than before.
    Partitions {
        /// How many it had.
        before: u32,
        /// How many it has.
        now: u32,
    },
    /// It has ended.
    Ended,
}

impl Notice<'_> {
    /// Whether a person must look: records are lost, or a stream is not read until something is done about it.
    pub fn is_ops_alert(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Truncated { .. } | Self::Vanished { .. } | Self::Remade { .. } => true,
            Self::Fault { error, .. } => error.disposition() == Disposition::Halt,
            _ => false,
        }
    }

    /// All short names.
    pub const KINDS: [&'static str; 14] = [
        "fault",
        "recovered",
        "gap",
        "gap_closed",
        "lost",
        "remade",
        "repeated",
        "rotated",
        "truncated",
        "recognised",
        "vanished",
        "cut",
        "partitions",
        "ended",
    ];

    /// A short name, for a metric's label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Fault { .. } => "fault",
            Self::Recovered { .. } => "recovered",
            Self::Gap(_) => "gap",
            Self::GapClosed(_) => "gap_closed",
            Self::Lost(_) => "lost",
            Self::Remade { .. } => "remade",
            Self::Repeated { .. } => "repeated",
            Self::Rotated { .. } => "rotated",
            Self::Truncated { .. } => "truncated",
            Self::Recognised { .. } => "recognised",
            Self::Vanished { .. } => "vanished",
            Self::Cut { .. } => "cut",
            Self::Partitions { .. } => "partitions",
            Self::Ended => "ended",
        }
    }
}

/// Writes every notice to the structured log and does nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traced;

impl Observer for Traced {
    fn notice(&self, stream: &str, notice: &Notice<'_>) {
        if notice.is_ops_alert() {
            tracing::error!(stream, kind = notice.kind(), ?notice, "a stream needs attention");
        } else {
            tracing::info!(stream, kind = notice.kind(), ?notice, "a stream has news");
        }
    }
}
