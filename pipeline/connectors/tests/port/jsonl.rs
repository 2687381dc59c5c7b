//! Files as streams.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rasid_connectors::source::{FileConfig, FileOpener, Opener, Traced};
use tempfile::TempDir;

use super::Port;

fn config() -> FileConfig {
    FileConfig { poll: Duration::from_millis(5), read_bytes: 8 << 10, ..FileConfig::default() }
}

fn lines(records: &[Vec<u8>]) -> Vec<u8> {
    records.iter().flat_map(|record| [record.as_slice(), b"\n"].concat()).collect()
}

/// A file that grows.
pub(crate) struct Followed {
    dir: TempDir,
}

impl Followed {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("events.jsonl")
    }
}

#[async_trait]
impl Port for Followed {
    async fn write(&mut self, records: &[Vec<u8>]) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path()).expect("opened");
        // In pieces that fall anywhere.
        for piece in lines(records).chunks(333) {
            file.write_all(piece).expect("written");
        }
    }

    fn opener(&self) -> Arc<dyn Opener> {
        Arc::new(FileOpener::followed(&self.path().to_string_lossy(), config(), Arc::new(Traced)))
    }
}

/// How a file is written.
pub(crate) enum Coding {
    Plain,
    Gzip,
    Zstd,
}

/// A file that is read to its end.
pub(crate) struct Once {
    dir: TempDir,
    coding: Coding,
}

impl Once {
    pub(crate) fn new(coding: Coding) -> Self {
        Self { dir: tempfile::tempdir().expect("a folder"), coding }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("events")
    }
}

#[async_trait]
impl Port for Once {
    async fn write(&mut self, records: &[Vec<u8>]) {
        let text = lines(records);
        let bytes = match self.coding {
            Coding::Plain => text,
            Coding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(&text).expect("memory");
                encoder.finish().expect("memory")
            }
            Coding::Zstd => zstd::encode_all(text.as_slice(), 1).expect("memory"),
        };
        fs::write(self.path(), bytes).expect("written");
    }

    fn opener(&self) -> Arc<dyn Opener> {
        Arc::new(FileOpener::once(&self.path().to_string_lossy(), config(), Arc::new(Traced)))
    }

    fn grows(&self) -> bool {
        false
    }
}
