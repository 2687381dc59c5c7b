//! Records out of a log, from its folder alone: what a service took in, for `rasid detect` and the comparison with it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::log::{Block, Entry, Error, LogReader};
use crate::seal::Keyring;
use crate::storage::{Disk, Storage};

/// The log's folder within a service's data folder.
pub const LOG_DIR: &str = "log";
/// The day keys' folder within a service's data folder.
pub const KEYS_DIR: &str = "keys";

/// Reads a log from its oldest entry to where it ends now. It changes nothing and may run beside the service.
pub struct LogEntries {
    reader: LogReader,
    block: Block,
}

/// A record of the log.
#[derive(Clone, PartialEq, Eq)]
pub struct LoggedRecord {
    /// Its position.
    pub position: u64,
    /// When it arrived, Unix ms.
    pub arrival_ms: i64,
    /// Its bytes as they came.
    pub bytes: Vec<u8>,
}

/// Whether `path` is the data folder of a service.
pub fn is_data_folder(path: &Path) -> bool {
    path.join(LOG_DIR).is_dir() && path.join(KEYS_DIR).is_dir()
}

impl LogEntries {
    /// Of the data folder `data`, opened with the pseudonym secret it was made with.
    ///
    /// # Errors
    /// [`Error::Storage`] when it is no data folder, [`Error::Seal`] when the secret is another.
    pub fn open(data: &Path, secret: &[u8]) -> Result<Self, Error> {
        if !is_data_folder(data) {
            return Err(Error::Storage { path: data.display().to_string(), source: io::Error::from(io::ErrorKind::NotFound) });
        }
        let storage: Arc<dyn Storage> = Arc::new(Disk::existing(data));
        let keys = Keyring::open(Arc::clone(&storage), KEYS_DIR, secret)?;
        Ok(Self::new(LogReader::oldest(storage, LOG_DIR, keys)?))
    }

    /// From where `reader` stands.
    pub fn new(reader: LogReader) -> Self {
        Self { reader, block: Block::new() }
    }

    /// The next entries of both kinds, those of one append; `None` at the end of what is there now.
    ///
    /// # Errors
    /// As of [`LogReader::next`].
    pub fn next_block(&mut self) -> Result<Option<&Block>, Error> {
        Ok(self.reader.next(&mut self.block)?.then_some(&self.block))
    }

    /// The next records, those of one append that has any; `None` at the end of what is there now.
    ///
    /// # Errors
    /// As of [`LogReader::next`].
    pub fn next_records(&mut self) -> Result<Option<Vec<LoggedRecord>>, Error> {
        while let Some(block) = self.next_block()? {
            let events = block.entries().filter_map(|(position, entry)| match entry {
                Entry::Event { arrival_ms, bytes, .. } => Some(LoggedRecord { position, arrival_ms, bytes: bytes.to_vec() }),
                Entry::Control(_) => None,
            });
            let records: Vec<_> = events.collect();
            if !records.is_empty() {
                return Ok(Some(records));
            }
        }
        Ok(None)
    }

    /// Bytes behind the last whole block: what a crash tore, where no service runs.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn rest(&self) -> Result<u64, Error> {
        self.reader.rest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Control, LogConfig, LogWriter, Origin};

    const SECRET: &[u8] = b"0123456789abcdef";
    const NOW: i64 = 1_795_341_600_000;

    #[test]
    fn the_records_of_a_data_folder_come_in_order_without_what_is_none() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(!is_data_folder(folder.path()));
        assert!(matches!(LogEntries::open(folder.path(), SECRET), Err(Error::Storage { .. })));
        let disk: Arc<dyn Storage> = Arc::new(Disk::open(folder.path()).expect("writable"));
        let keys = Keyring::open(Arc::clone(&disk), KEYS_DIR, SECRET).expect("no keys yet");
        let (mut log, _) = LogWriter::open(disk, LOG_DIR, keys, LogConfig::default()).expect("empty");
        let event = |bytes| Entry::Event { arrival_ms: NOW, origin: Origin { stream: "a", offset: 1 }, bytes };
        let tick = || Entry::Control(Control::Tick { at_ms: NOW });
        log.append(NOW, &[tick()]).expect("room");
        log.append(NOW, &[event(b"one"), tick(), event(b"two")]).expect("room");
        let mut entries = LogEntries::open(folder.path(), SECRET).expect("a data folder");
        let records = entries.next_records().expect("whole").expect("two");
        assert_eq!(records.iter().map(|record| (record.position, &*record.bytes)).collect::<Vec<_>>(), [(2, &b"one"[..]), (4, b"two")]);
        assert!(entries.next_records().expect("whole").is_none());
        log.append(NOW, &[event(b"three")]).expect("room");
        assert_eq!(entries.next_block().expect("whole").map(Block::first), Some(5), "it goes on where the writer does");
        assert_eq!(entries.rest().expect("readable"), 0);
        assert!(matches!(LogEntries::open(folder.path(), b"another secret, as long"), Err(Error::Seal(_))));
    }
}
