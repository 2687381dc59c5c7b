//! One process at a time works on a data folder.

use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rasid_connectors::Disposition;

use crate::recover::layout;

/// The lock on a data folder; held as long as it lives.
#[derive(Debug)]
pub struct FolderLock {
    _file: std::fs::File,
}

impl FolderLock {
    /// Takes the folder at `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// Another process has it, or the disk failed; in words for a person.
    pub fn take(dir: &Path) -> Result<Self, LockError> {
        let path = dir.join(layout::LOCK);
        let failed = |source| LockError::Disk { path: path.clone(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        let file = std::fs::File::options().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(std::fs::TryLockError::WouldBlock) => Err(LockError::Held { dir: dir.to_owned() }),
            Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

/// Why a data folder cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// A service runs on it.
    #[error("another rasid runs on {}", dir.display())]
    Held {
        /// The folder.
        dir: PathBuf,
    },
    /// The disk failed.
    #[error("cannot use {}", path.display())]
    Disk {
        /// The lock file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl LockError {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Held { .. } => Disposition::Halt,
            Self::Disk { source, .. } => rasid_connectors::of_io(source),
        }
    }
}
