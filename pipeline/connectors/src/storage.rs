//! The port to the disk: what the log, the snapshots and the keys are kept on.

use std::io;

/// Files below one folder. Paths are relative, with `/`.
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

    /// Puts a whole file in place: written beside it, made durable, renamed. After a crash there is the old one or the
    /// new one.
    fn replace(&self, path: &str, bytes: &[u8]) -> io::Result<()>;

    /// Cuts a file to `length` bytes, durably.
    fn truncate(&self, path: &str, length: u64) -> io::Result<()>;

    /// Removes a file, durably.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Removes a folder and what is in it.
    fn remove_dir(&self, dir: &str) -> io::Result<()>;
}

/// A file that grows at its end.
pub trait AppendFile: Send {
    /// Writes all of `bytes` at the end. They are readable at once, and durable after the next [`AppendFile::sync`].
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything appended durable.
    fn sync(&mut self) -> io::Result<()>;

    /// Length, bytes.
    fn length(&self) -> u64;
}
