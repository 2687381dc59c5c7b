//! What can go wrong outside, and what the caller does about it.

use std::io;

use crate::storage::is_shortage;

/// Why a source or a sink cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A source cannot be opened.
    #[error("cannot open {path}")]
    Open {
        /// What was to be opened.
        path: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A source that was open cannot be read on.
    #[error("cannot read {path}")]
    Read {
        /// What was being read.
        path: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A compressed source is damaged or ends too early. What the decompressor gave before that was handed over, less a
    /// line that was not whole.
    #[error("{path} is not whole {format} data")]
    Corrupt {
        /// What was being read.
        path: String,
        /// `gzip` or `zstd`, as its first bytes say.
        format: &'static str,
        /// The decompressor's answer.
        #[source]
        source: io::Error,
    },
    /// A sink cannot be made.
    #[error("cannot create {path}")]
    Create {
        /// What was to be made.
        path: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A sink cannot be written on. How much of the last lines reached it is not known.
    #[error("cannot write {path}")]
    Write {
        /// What was being written.
        path: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Whoever read a sink has gone away, as `head` does after ten lines. For a program that writes to a pipe this is
    /// the usual way to end, and no failure.
    #[error("{path} was closed by its reader")]
    Closed {
        /// What was being written.
        path: String,
    },
    /// A value has no JSON form. Nothing of it was written.
    #[error("cannot write a record to {path} as JSON")]
    Encode {
        /// What was being written.
        path: String,
        /// The serialiser's answer.
        #[source]
        source: serde_json::Error,
    },
    /// A stream cannot be reached or read just now. Nothing of it was lost.
    #[error("{stream} cannot be read just now")]
    Unavailable {
        /// The stream.
        stream: String,
        /// What was answered.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stream cannot be read as it is configured, and reading on would lose records.
    #[error("{stream} cannot be read: {why}")]
    Unfit {
        /// The stream.
        stream: String,
        /// What is wrong, and what to do about it.
        why: String,
    },
    /// The log does not take records any more. What was handed over and not yet acknowledged is durable or not.
    #[error("the log takes no more records")]
    Append {
        /// The log's answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What the caller does about an [`Error`]; it need not know more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Back off and try the same again: nothing was consumed.
    Retry,
    /// Set this one record aside and go on.
    DeadLetter,
    /// Stop: going on would lose or repeat records.
    Halt,
}

impl Error {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Open { source, .. } | Self::Create { source, .. } if passes(source) => Disposition::Retry,
            Self::Unavailable { .. } => Disposition::Retry,
            Self::Encode { .. } => Disposition::DeadLetter,
            Self::Open { .. }
            | Self::Create { .. }
            | Self::Read { .. }
            | Self::Corrupt { .. }
            | Self::Write { .. }
            | Self::Closed { .. }
            | Self::Unfit { .. }
            | Self::Append { .. } => Disposition::Halt,
        }
    }

    pub(crate) fn write(path: &str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed { path: path.to_owned() },
            _ => Self::Write { path: path.to_owned(), source },
        }
    }
}

/// What to do about an answer of the system to which nothing was consumed. A disk that is full has room again one day; one
/// that has turned read-only has failed, and what is on it must be looked at before anything goes on.
pub fn of_io(source: &io::Error) -> Disposition {
    let full = matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    if full || passes(source) { Disposition::Retry } else { Disposition::Halt }
}

/// Whether the system may answer otherwise a little later: a network file system that is away, a file that is held, no
/// descriptor to give.
fn passes(source: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, NetworkDown, ResourceBusy, StaleNetworkFileHandle, TimedOut, WouldBlock};
    is_shortage(source)
        || matches!(source.kind(), Interrupted | NetworkDown | ResourceBusy | StaleNetworkFileHandle | TimedOut | WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn open(kind: io::ErrorKind) -> Error {
        Error::Open { path: "events.jsonl".to_owned(), source: kind.into() }
    }

    #[rstest]
    #[case::no_such_file(open(io::ErrorKind::NotFound), Disposition::Halt)]
    #[case::not_allowed(open(io::ErrorKind::PermissionDenied), Disposition::Halt)]
    #[case::held_by_somebody(open(io::ErrorKind::ResourceBusy), Disposition::Retry)]
    #[case::no_descriptor(Error::Open { path: "events.jsonl".to_owned(), source: io::Error::from_raw_os_error(24) }, Disposition::Retry)]
    #[case::disk_full(Error::write("out", io::ErrorKind::StorageFull.into()), Disposition::Halt)]
    #[case::reader_gone(Error::write("out", io::ErrorKind::BrokenPipe.into()), Disposition::Halt)]
    fn what_to_do(#[case] error: Error, #[case] expected: Disposition) {
        assert_eq!(error.disposition(), expected);
    }

    #[rstest]
    #[case::full(io::ErrorKind::StorageFull, Disposition::Retry)]
    #[case::quota(io::ErrorKind::QuotaExceeded, Disposition::Retry)]
    #[case::read_only(io::ErrorKind::ReadOnlyFilesystem, Disposition::Halt)]
    #[case::failed(io::ErrorKind::Other, Disposition::Halt)]
    fn what_to_do_about_a_disk(#[case] kind: io::ErrorKind, #[case] expected: Disposition) {
        assert_eq!(of_io(&kind.into()), expected);
    }

    #[test]
    fn a_closed_pipe_is_a_case_of_its_own() {
        assert!(matches!(Error::write("-", io::ErrorKind::BrokenPipe.into()), Error::Closed { .. }));
        assert_eq!(open(io::ErrorKind::NotFound).to_string(), "cannot open events.jsonl");
    }
}
