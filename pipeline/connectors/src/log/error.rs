//! What can go wrong with a log.

use std::io;

use crate::{Disposition, seal};

/// Why a log cannot be opened, written or read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A segment cannot be read, made, cut or removed.
    #[error("cannot use {path}")]
    Storage {
        /// The file or folder.
        path: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A block could not be written. Nothing of it will be read: what reached the file is cut before the next append.
    #[error("cannot append to {path}")]
    Append {
        /// The segment.
        path: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A sync failed. What was appended since the last one that did not may be lost, and asking again would hide that.
    #[error("cannot make {path} durable")]
    Sync {
        /// The segment.
        path: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A sync failed for want of room. What was appended since the last one that did not is kept in memory and written anew
    /// before anything else: asking the system to sync the same bytes again would hide what it has dropped of them.
    #[error("cannot make {path} durable yet")]
    Unsynced {
        /// The segment.
        path: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A sync has failed before; only opening the log anew tells what is left.
    #[error("an earlier sync of the log failed; what was appended since may be lost, and the log must be opened anew")]
    Broken,
    /// A segment is damaged where no crash of ours does it.
    #[error("{path} is damaged at byte {offset}: {reason}")]
    Damaged {
        /// The segment.
        path: String,
        /// Where the block, or the header, begins.
        offset: u64,
        /// What is wrong there.
        reason: &'static str,
    },
    /// A segment is missing between two others.
    #[error("the segment before {path}, which begins with position {expected}, is missing")]
    Missing {
        /// The segment after the hole.
        path: String,
        /// First position of the one that is missing.
        expected: u64,
    },
    /// A file with a segment's name is none of this kind of log.
    #[error("{path} is no segment of {expected}")]
    Foreign {
        /// The file.
        path: String,
        /// What was expected: `the log` or `the dead letters`.
        expected: &'static str,
    },
    /// A segment was written by a newer version.
    #[error("{path} has format version {version}, this version reads {known}: it was written by a newer rasid")]
    Newer {
        /// The segment.
        path: String,
        /// Its version.
        version: u32,
        /// The newest this version reads.
        known: u32,
    },
    /// A reader asks for what retention has dropped.
    #[error("position {position} is retired: the log begins with {first}")]
    Retired {
        /// What was asked for.
        position: u64,
        /// The oldest there is.
        first: u64,
    },
    /// A reader asks for what was never written, or was cut with a torn tail.
    #[error("position {position} is beyond the log, which goes on with {next}")]
    Beyond {
        /// What was asked for.
        position: u64,
        /// The position that the next entry gets.
        next: u64,
    },
    /// More at once than a block holds.
    #[error("{bytes} bytes at once, a block holds {max}")]
    TooLarge {
        /// How many it would be.
        bytes: usize,
        /// The most.
        max: usize,
    },
    /// An entry has no stored form.
    #[error("an entry cannot be encoded")]
    Encode(#[source] postcard::Error),
    /// A key is gone, or does not fit.
    #[error(transparent)]
    Seal(#[from] seal::Error),
}

impl Error {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Storage { source, .. } | Self::Append { source, .. } | Self::Unsynced { source, .. } => crate::error::of_io(source),
            Self::Seal(error) => error.disposition(),
            Self::TooLarge { .. } | Self::Encode(_) => Disposition::DeadLetter,
            _ => Disposition::Halt,
        }
    }

    /// Whether something that was there is damaged or gone: `rasid log check` says what, and what mending would lose.
    pub fn is_damage(&self) -> bool {
        use seal::Error::{Damaged, RetentionEnded, Unauthentic};
        match self {
            Self::Damaged { .. } | Self::Missing { .. } | Self::Foreign { .. } => true,
            Self::Seal(error) => matches!(error, Damaged { .. } | RetentionEnded { .. } | Unauthentic { .. }),
            _ => false,
        }
    }
}
