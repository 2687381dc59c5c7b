//! What can be wrong with an archive, in words for the person who has it.

use std::path::PathBuf;

/// Why an archive cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk.
    #[error("{}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What lies in a part is no Parquet that can be read.
    #[error("{}: not the Parquet that it should be", path.display())]
    Parquet {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// There is no manifest.
    #[error("{} is no archive: there is no manifest.json in it", folder.display())]
    NoArchive {
        /// Where.
        folder: PathBuf,
    },
    /// Writing it was ended before its end.
    #[error("{} is not finished: whoever wrote it was stopped on the way, and what comes behind its last hour is missing; write it anew", folder.display())]
    Unfinished {
        /// Where.
        folder: PathBuf,
    },
    /// There is one already.
    #[error("{} has an archive in it; name a folder that does not exist yet", folder.display())]
    Exists {
        /// Where.
        folder: PathBuf,
    },
    /// The manifest is not as it was written.
    #[error("{}: {reason}", path.display())]
    Manifest {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer version wrote it.
    #[error("{} has schema {found}, written by rasid {engine}; this rasid reads up to schema {known}", path.display())]
    Newer {
        /// Where.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest one known.
        known: u32,
        /// Who wrote it.
        engine: String,
    },
    /// Its keys were made with another secret.
    #[error(
        "{} was written under another pseudonym secret: its keys are {found}, those of this secret {expected}; set RASID_KEY or RASID_KEY_FILE to that of the archive",
        path.display()
    )]
    Secret {
        /// Where.
        path: PathBuf,
        /// The fingerprint in it.
        found: String,
        /// That of the secret that was given.
        expected: String,
    },
    /// Positions that no hour has.
    #[error("{}: positions {first} to {last} are missing, between {before} and {after}: an hour is not there", path.display())]
    Missing {
        /// Where.
        path: PathBuf,
        /// The first of them.
        first: u64,
        /// The last.
        last: u64,
        /// What comes before.
        before: String,
        /// What comes after.
        after: String,
    },
    /// A part that the manifest names is not there.
    #[error("{} is missing: the manifest has {rows} rows of it, positions {first} to {last}", path.display())]
    NoPart {
        /// Where.
        path: PathBuf,
        /// Its rows.
        rows: u64,
        /// The first position.
        first: u64,
        /// The last.
        last: u64,
    },
    /// A part of another length.
    #[error("{} has {found} bytes, expected {expected}", path.display())]
    Bytes {
        /// Where.
        path: PathBuf,
        /// How many there are.
        found: u64,
        /// How many there were.
        expected: u64,
    },
    /// A part with other bytes.
    #[error("{} has other bytes than were written: BLAKE3 {found}, expected {expected}", path.display())]
    Hash {
        /// Where.
        path: PathBuf,
        /// Of what is there.
        found: String,
        /// Of what was written.
        expected: String,
    },
    /// A part that the manifest does not name.
    #[error("{} is not in the manifest", path.display())]
    Stray {
        /// Where.
        path: PathBuf,
    },
    /// What stands in a part is not what belongs there.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It goes on from something else.
    #[error("{}: {reason}", folder.display())]
    Resume {
        /// Where.
        folder: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        |source| Self::Io { path, source }
    }

    pub(crate) fn parquet(path: impl Into<PathBuf>) -> impl FnOnce(parquet::errors::ParquetError) -> Self {
        let path = path.into();
        |source| match source {
            parquet::errors::ParquetError::External(source) if source.is::<std::io::Error>() => match source.downcast() {
                Ok(source) => Self::Io { path, source: *source },
                Err(source) => Self::Parquet { path, source: parquet::errors::ParquetError::External(source) },
            },
            source => Self::Parquet { path, source },
        }
    }

    /// Whether the disk is at fault and another try may do.
    pub fn is_disk(&self) -> bool {
        matches!(self, Self::Io { .. })
    }
}
