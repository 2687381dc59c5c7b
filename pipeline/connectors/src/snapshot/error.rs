//! What can go wrong with snapshots, in words for a person.

use std::fmt;
use std::io;

use crate::Disposition;
use crate::seal;

/// Why a snapshot could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk.
    #[error("cannot {what} {path}")]
    Io {
        /// `read`, `write` or `remove`.
        what: &'static str,
        /// The file or folder.
        path: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A part could not be sealed.
    #[error("cannot seal {path}")]
    Seal {
        /// The part.
        path: String,
        /// Why.
        #[source]
        source: seal::Error,
    },
    /// The keys of snapshots that are no more could not be dropped.
    #[error("cannot drop the keys of old snapshots")]
    Keys(#[source] seal::Error),
    /// A part of a snapshot that was found whole cannot be read now.
    #[error("snapshot {name}: {why}")]
    Part {
        /// The snapshot's name.
        name: String,
        /// Why.
        why: Why,
    },
}

impl Error {
    /// What to do about it: a snapshot not written is written again later, from what is then; one that cannot be read
    /// stops the start.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Io { what: "read", .. } | Self::Part { .. } => Disposition::Halt,
            Self::Io { .. } | Self::Seal { .. } | Self::Keys(_) => Disposition::Retry,
        }
    }
}

/// Why a snapshot is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// Part of it is missing or is not what was written.
    #[error("it is torn: {what}")]
    Torn {
        /// Which part, and what is wrong with it.
        what: String,
    },
    /// It is none of rasid's.
    #[error("it is foreign: {what}")]
    Foreign {
        /// What says so.
        what: String,
    },
    /// A later rasid wrote it in another form.
    #[error("it is newer: it has snapshot format {format}, and this rasid reads {ours}")]
    NewerFormat {
        /// Its format.
        format: u64,
        /// What this one reads.
        ours: u64,
    },
    /// A later engine wrote it.
    #[error("it is newer: engine {engine} wrote it, and this is engine {ours}")]
    NewerEngine {
        /// Who wrote it.
        engine: String,
        /// Who reads it.
        ours: String,
    },
    /// It cannot be unsealed.
    #[error("it cannot be unsealed: {error}")]
    Sealed {
        /// Another secret, a key that is gone, a part of another snapshot.
        error: seal::Error,
    },
    /// The disk does not give it back.
    #[error("{what} cannot be read: {error}")]
    Unreadable {
        /// Which file.
        what: String,
        /// The system's answer.
        error: io::Error,
    },
}

/// A snapshot that is not used, and why.
#[derive(Debug)]
pub struct Refused {
    /// Its name: its position, in 20 digits.
    pub name: String,
    /// Why.
    pub why: Why,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "snapshot {} is not used: {}", self.name, self.why)
    }
}
