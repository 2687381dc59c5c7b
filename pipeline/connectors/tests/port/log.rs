//! The log as a stream: what one service wrote, another reads.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rasid_connectors::Error;
use rasid_connectors::log::{Block, Entry, LogConfig, LogReader, LogWriter, Origin};
use rasid_connectors::seal::Keyring;
use rasid_connectors::source::{Fetched, Opener, Source, SourceRecord};
use rasid_connectors::storage::{Memory, Storage};

use super::Port;

const SECRET: &[u8] = b"a secret for tests, long enough for it";
const NOW_MS: i64 = 1_795_255_200_000;
const STREAM: &str = "log:test";

fn unavailable(error: rasid_connectors::log::Error) -> Error {
    Error::Unavailable { stream: STREAM.to_owned(), source: error.into() }
}

#[derive(Clone)]
struct Place {
    storage: Arc<dyn Storage>,
    keys: Keyring,
}

/// A log in memory, and its writer.
pub(crate) struct Log {
    place: Place,
    writer: LogWriter,
    written: u64,
}

impl Log {
    pub(crate) fn new() -> Self {
        let storage: Arc<dyn Storage> = Arc::new(Memory::new());
        let keys = Keyring::open(storage.clone(), "keys", SECRET).expect("keys");
        // Small segments, so that a reader passes from one to the next.
        let config = LogConfig { segment_bytes: 20_000, ..LogConfig::default() };
        let (writer, _) = LogWriter::open(storage.clone(), "log", keys.clone(), config).expect("a log");
        Self { place: Place { storage, keys }, writer, written: 0 }
    }
}

#[async_trait]
impl Port for Log {
    async fn write(&mut self, records: &[Vec<u8>]) {
        for block in records.chunks(40) {
            let first = self.written;
            let entries: Vec<Entry<'_>> = (first..)
                .zip(block)
                .map(|(offset, bytes)| Entry::Event { arrival_ms: NOW_MS, origin: Origin { stream: "jsonl:-", offset }, bytes })
                .collect();
            self.writer.append(NOW_MS, &entries).expect("appended");
            self.written += block.len() as u64;
        }
        self.writer.sync().expect("durable");
    }

    fn opener(&self) -> Arc<dyn Opener> {
        Arc::new(self.place.clone())
    }
}

#[async_trait]
impl Opener for Place {
    fn stream(&self) -> &'static str {
        STREAM
    }

    async fn open(&self, after: Option<u64>) -> Result<Box<dyn Source>, Error> {
        let from = after.map_or(1, |after| after + 1);
        let reader = LogReader::open(self.storage.clone(), "log", self.keys.clone(), from).map_err(unavailable)?;
        Ok(Box::new(Entries { reader, block: Block::new(), after: after.unwrap_or(0), said_head: false }))
    }
}

struct Entries {
    reader: LogReader,
    block: Block,
    after: u64,
    said_head: bool,
}

#[async_trait]
impl Source for Entries {
    fn stream(&self) -> &'static str {
        STREAM
    }

    async fn fetch(&mut self) -> Result<Fetched, Error> {
        loop {
            if self.reader.next(&mut self.block).map_err(unavailable)? {
                let after = self.after;
                let records: Vec<_> = self
                    .block
                    .entries()
                    .filter_map(|(offset, entry)| match entry {
                        Entry::Event { bytes, .. } if offset > after => Some(SourceRecord { offset, bytes: bytes.to_vec() }),
                        _ => None,
                    })
                    .collect();
                if !records.is_empty() {
                    self.said_head = false;
                    return Ok(Fetched::Records(records));
                }
            } else if self.said_head {
                tokio::time::sleep(Duration::from_millis(5)).await;
            } else {
                self.said_head = true;
                return Ok(Fetched::AtHead);
            }
        }
    }
}
