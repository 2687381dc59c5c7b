//! What the files of redb here have in common: how they are made, and for whom.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use redb::{Builder, Database, DatabaseError, StorageError};

/// Memory that a file's pages may take.
const CACHE_BYTES: usize = 16 << 20;
/// Beside the file while it is made; it takes its name once it is whole.
const MAKING: &str = "new";
/// For its owner alone, whatever the umask.
const FILE_MODE: u32 = 0o600;

/// Opens files; `name` is what messages call them.
pub(crate) fn builder(name: &'static str) -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder.set_repair_callback(move |session| tracing::info!(progress = session.progress(), "{name}: not closed cleanly, being checked"));
    builder
}

/// Makes the file at `path` if it is not there.
pub(crate) fn make_missing(name: &'static str, path: &Path) -> Result<(), DatabaseError> {
    if path.try_exists()? { Ok(()) } else { make(name, path) }
}

/// Makes the file under another name and renames it once it is whole: redb takes a file that it had not finished making
/// for a foreign one.
fn make(name: &'static str, path: &Path) -> Result<(), DatabaseError> {
    let mut making = path.as_os_str().to_owned();
    making.push(".");
    making.push(MAKING);
    let making = PathBuf::from(making);
    match fs::remove_file(&making) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    // Made before redb makes it, which would leave its mode to the umask.
    drop(File::options().write(true).create_new(true).mode(FILE_MODE).open(&making)?);
    builder(name).create(&making)?.close()?;
    File::open(&making)?.sync_all()?;
    fs::rename(&making, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    Ok(File::open(folder)?.sync_all()?)
}

/// What keeps a file from being opened.
pub(crate) enum Unopened {
    /// Another process has it open.
    Held,
    /// It is something else, for that reason.
    Foreign(String),
    /// The system's answer.
    Failed(Box<redb::Error>),
}

impl From<DatabaseError> for Unopened {
    fn from(source: DatabaseError) -> Self {
        match source {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => Self::Held,
            DatabaseError::UpgradeRequired(_) => Self::Foreign(source.to_string()),
            DatabaseError::Storage(StorageError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Self::Foreign(error.to_string())
            }
            source => Self::Failed(Box::new(source.into())),
        }
    }
}
