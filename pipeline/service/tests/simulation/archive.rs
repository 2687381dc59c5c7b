//! Everything that the log ever held durably, kept where retention and crashes cannot reach it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rasid_connectors::log::{Block, Control, Entry, LogConfig, LogReader, LogWriter, Origin};
use rasid_connectors::seal::Keyring;
use rasid_connectors::storage::{Memory, Storage};
use rasid_service::recover::layout;

use super::random::Random;

#[derive(Clone, Debug, PartialEq)]
enum Archived {
    Event { arrival_ms: i64, stream: String, offset: u64, bytes: Vec<u8> },
    Control(Control),
}

impl Archived {
    fn of(entry: &Entry<'_>) -> Self {
        match entry {
            Entry::Event { arrival_ms, origin, bytes } => {
                let Origin { stream, offset } = *origin;
                Self::Event { arrival_ms: *arrival_ms, stream: stream.to_owned(), offset, bytes: bytes.to_vec() }
            }
            Entry::Control(control) => Self::Control(control.clone()),
        }
    }

    fn entry(&self) -> Entry<'_> {
        match self {
            Self::Event { arrival_ms, stream, offset, bytes } => {
                Entry::Event { arrival_ms: *arrival_ms, origin: Origin { stream, offset: *offset }, bytes }
            }
            Self::Control(control) => Entry::Control(control.clone()),
        }
    }
}

#[derive(Default)]
pub(crate) struct Archive {
    entries: Vec<Archived>,
}

impl Archive {
    pub(crate) fn last(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Reads on to `durable`.
    pub(crate) fn read_on(&mut self, storage: Arc<dyn Storage>, keys: Keyring, durable: u64) {
        if self.last() >= durable {
            return;
        }
        let mut reader = LogReader::open(storage, layout::LOG, keys, self.last() + 1).expect("what was durable is in the log");
        let mut block = Block::new();
        while self.last() < durable && reader.next(&mut block).expect("what was durable can be read") {
            for (position, entry) in block.entries() {
                assert_eq!(position, self.last() + 1, "positions have no gaps");
                self.entries.push(Archived::of(&entry));
            }
        }
        assert_eq!(self.last(), durable, "what was durable is in the log");
    }

    /// What of it the log still holds is the same there.
    pub(crate) fn compare(&self, storage: Arc<dyn Storage>, keys: Keyring) {
        let mut reader = LogReader::oldest(storage, layout::LOG, keys).expect("the log can be read");
        let mut block = Block::new();
        let mut position = reader.position() - 1;
        while reader.next(&mut block).expect("the log can be read") {
            for (at, entry) in block.entries() {
                position = at;
                let index = usize::try_from(at).expect("small") - 1;
                assert_eq!(self.entries.get(index), Some(&Archived::of(&entry)), "position {at} was something else once");
            }
        }
        assert_eq!(position, self.last(), "the log ends where it did");
    }

    /// All of it, with positions.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u64, Entry<'_>)> {
        (1..).zip(self.entries.iter().map(Archived::entry))
    }

    /// Offsets and bytes by stream, in the order of the log.
    pub(crate) fn streams(&self) -> BTreeMap<&str, Vec<(u64, &[u8])>> {
        let mut streams: BTreeMap<&str, Vec<(u64, &[u8])>> = BTreeMap::new();
        for entry in &self.entries {
            if let Archived::Event { stream, offset, bytes, .. } = entry {
                streams.entry(stream).or_default().push((*offset, bytes));
            }
        }
        streams
    }

    /// A log of the same entries, cut into other blocks, from its beginning.
    pub(crate) fn reader(&self, random: &mut Random) -> LogReader {
        let storage: Arc<dyn Storage> = Arc::new(Memory::new());
        let keys = || Keyring::open(Arc::clone(&storage), layout::KEYS, b"another secret").expect("nothing fails");
        let (mut log, _) = LogWriter::open(Arc::clone(&storage), layout::LOG, keys(), LogConfig::default()).expect("nothing fails");
        let mut rest = self.entries.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at((1 + random.index(60)).min(rest.len()));
            let entries: Vec<Entry<'_>> = now.iter().map(Archived::entry).collect();
            log.append(0, &entries).expect("nothing fails");
            rest = later;
        }
        LogReader::open(Arc::clone(&storage), layout::LOG, keys(), 1).expect("it begins at 1")
    }
}
