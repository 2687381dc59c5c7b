//! The port to the disk: what the log, the snapshots and the keys are kept on.

mod disk;
mod memory;
mod shortage;

use std::io;

pub use disk::Disk;
pub use memory::{Fault, Memory};
pub(crate) use shortage::is_shortage;

/// End of the names of files that are being put in place. They are never listed: a crash may leave one behind, and the
/// next [`Storage::replace`] of the same file writes over it.
const BESIDE: &str = ".tmp";

/// Files below one folder. Paths are relative, with `/`; one that leads out of the folder is refused.
pub trait Storage: Send + Sync {
    /// The whole file.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// Bytes from `offset` on; how many there were, fewer than asked for only at the end.
    fn read_at(&self, path: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Length of the file, bytes.
    fn len(&self, path: &str) -> io::Result<u64>;

    /// Names of the files and folders in `dir`, sorted; none where there is no such folder.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;

    /// Opens a file for appending, made if it is not there, its folder too.
    fn append(&self, path: &str) -> io::Result<Box<dyn AppendFile>>;

    /// Puts a whole file in place, its folder too: written beside it, made durable, renamed, and the name made durable.
    /// After a crash on the way there is the old one or the new one, whole.
    fn replace(&self, path: &str, bytes: &[u8]) -> io::Result<()>;

    /// Cuts a file to `length` bytes, durably.
    fn truncate(&self, path: &str, length: u64) -> io::Result<()>;

    /// Removes a file, durably.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Removes a folder and what is in it, durably; one that is not there is no error.
    fn remove_dir(&self, dir: &str) -> io::Result<()>;
}

/// A file that grows at its end.
pub trait AppendFile: Send {
    /// Writes all of `bytes` at the end. They are readable at once, and durable after the next [`AppendFile::sync`].
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything appended durable, and the file's name if it is new. After an error it is not known what of it is:
    /// trying again would say that all is well while it is not.
    fn sync(&mut self) -> io::Result<()>;

    /// Length, bytes.
    fn length(&self) -> u64;
}

#[cfg(test)]
mod tests;
