//! The file of tokens: written whole, and read again when it is another.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::{Tokens, TokensError};
use crate::storage::{Disk, Storage as _};

/// The file's name in the data folder.
const NAME: &str = "tokens.json";
/// Held by who changes it.
const LOCK: &str = "tokens.lock";
/// Writing by the group and by all others.
const OTHERS_WRITE: u32 = 0o022;
const PERMISSIONS: u32 = 0o7777;

/// By what it is seen that the file is another: when it was written, how long it is, which file it is, who may change it;
/// `None`: there is none.
type Stamp = Option<(SystemTime, u64, u64, u32, u32)>;

/// The tokens of a data folder, as they are now.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    current: Mutex<(Option<Stamp>, Arc<Tokens>)>,
    unusable: AtomicBool,
}

impl TokenFile {
    /// Of that data folder; what is wrong with the file is said when it is read first.
    pub fn of(data: &Path) -> Self {
        Self { path: data.join(NAME), current: Mutex::default(), unusable: AtomicBool::new(false) }
    }

    /// What is in it; where it has become unusable, what was in it before.
    pub fn current(&self) -> Arc<Tokens> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = stamp(&self.path);
        if current.0 != Some(stamp) {
            match read(&self.path) {
                Ok(tokens) => {
                    if current.0.is_some() {
                        tracing::info!(tokens = tokens.iter().count(), "the tokens were changed");
                    }
                    current.1 = Arc::new(tokens);
                    self.unusable.store(false, Relaxed);
                }
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(%error, cause, "the file of tokens is unusable; those that were read before stay in force");
                    self.unusable.store(true, Relaxed);
                }
            }
            current.0 = Some(stamp);
        }
        Arc::clone(&current.1)
    }

    /// Whether the file as it is now is not what is in force.
    pub fn is_unusable(&self) -> bool {
        self.unusable.load(Relaxed)
    }
}

fn stamp(path: &Path) -> Stamp {
    let about = fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len(), about.ino(), about.mode(), about.uid()))
}

/// The tokens of a file; none where there is no file.
fn read(path: &Path) -> Result<Tokens, TokensError> {
    let name = || path.display().to_string();
    let failed = |source| TokensError::Io { what: "read", path: name(), source };
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Tokens::default()),
        opened => opened.map_err(failed)?,
    };
    let about = file.metadata().map_err(failed)?;
    let (mode, owner, ours) = (about.mode() & PERMISSIONS, about.uid(), rustix::process::geteuid().as_raw());
    if mode & OTHERS_WRITE != 0 || (owner != 0 && owner != ours) {
        return Err(TokensError::Open { path: name(), mode, owner });
    }
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut file, &mut bytes).map_err(failed)?;
    Tokens::from_json(&bytes).map_err(|why| TokensError::Form { path: name(), why })
}

/// The right to change the file, of one program at a time.
#[derive(Debug)]
pub struct Lock {
    disk: Disk,
    /// Locked for as long as it is open.
    _file: File,
}

impl Lock {
    /// Waits for it. The data folder is there.
    ///
    /// # Errors
    /// [`TokensError`] where the folder cannot be written to.
    pub fn take(data: &Path) -> Result<Self, TokensError> {
        let path = data.join(LOCK);
        let failed = |source| TokensError::Io { what: "lock", path: path.display().to_string(), source };
        let disk = Disk::existing(data);
        drop(disk.append(LOCK).map_err(failed)?); // made for its owner alone
        let file = File::options().append(true).open(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(Self { disk, _file: file })
    }

    /// What is in the file.
    ///
    /// # Errors
    /// [`TokensError`] where it is unusable.
    pub fn read(&self) -> Result<Tokens, TokensError> {
        read(&self.disk.root().join(NAME))
    }

    /// Puts these in its place, for its owner alone.
    ///
    /// # Errors
    /// [`TokensError`] where it cannot be written; the file is then as it was.
    pub fn write(&self, tokens: &Tokens) -> Result<(), TokensError> {
        let path = self.disk.root().join(NAME).display().to_string();
        self.disk.replace(NAME, &tokens.to_json()).map_err(|source| TokensError::Io { what: "write", path, source })
    }
}
