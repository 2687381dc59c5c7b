//! A stretch of the log on its way through the engine: decoded in chunks, put in order, then gathered into.

use rasid_detectors::entity::{ID_BYTES_MAX, KeyHasher};
use rasid_detectors::event::Event;
use rasid_detectors::event::encoded::open;
use rasid_detectors::event::envelope::{Decoded, Limits, decode};
use rasid_detectors::event::fault::Fault;
use rasid_detectors::event::salvage::BadField;
use rasid_detectors::signal::Signal;
use rasid_detectors::value::{OwnedValue, Value};
use twox_hash::XxHash3_64;

use crate::Record;
use crate::producers::Tally;

/// A record of fewer bytes holds no identifier that is too long: its envelope alone has some 130.
const OVERSIZED_FROM: usize = ID_BYTES_MAX + 100;

/// One event of the batch.
pub(crate) struct Row<'a> {
    pub(crate) event: Event<'a>,
    /// Its record's index in the batch.
    pub(crate) record: usize,
    /// Keyed hash of (source, id).
    pub(crate) identity: u64,
    /// A part of the hash of the record's bytes.
    pub(crate) content: u32,
    /// The event clock of this event, ms.
    pub(crate) at_ms: i64,
    /// The newest event clock up to and with this event, ms: what its state is read at.
    pub(crate) clock_ms: i64,
    /// Later than the allowed lateness.
    pub(crate) late: bool,
    /// Processed; not a duplicate and not from the future.
    pub(crate) live: bool,
    /// Where its cells begin in the chunk's.
    pub(crate) cells: usize,
}

/// What a binding says at one event.
#[derive(Clone, Default)]
pub(crate) enum Cell {
    /// Nothing: the window is empty, the detector did not fire.
    #[default]
    Absent,
    /// The event does not name the binding's entity.
    NoEntity,
    /// The event lies a window or more behind its entity's newest one: it has no value there.
    Behind,
    /// An aggregate's value.
    Value(OwnedValue),
    /// A detector fired.
    Signal(Box<Signal>),
}

impl Cell {
    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::Value(value) => value.borrow(),
            _ => Value::Absent,
        }
    }
}

/// Consecutive records, decoded together by one thread.
#[derive(Default)]
pub(crate) struct Chunk<'a> {
    pub(crate) rows: Vec<Row<'a>>,
    /// (record index, what is wrong with it).
    pub(crate) faults: Vec<(usize, Fault)>,
    pub(crate) unknown_types: u64,
    /// (record index, the record to decode in its place): those whose data was base64.
    pub(crate) opened: Vec<(usize, Vec<u8>)>,
    /// Identifiers that are longer than one may be.
    pub(crate) oversized_ids: u64,
    /// Events and bad fields by producer.
    pub(crate) tally: Tally<'a>,
    /// The cells of all rows, each row's together.
    pub(crate) cells: Vec<Cell>,
}

impl<'a> Chunk<'a> {
    /// Decodes records whose indices in the batch begin at `first`, into a chunk made of spare memory.
    pub(crate) fn decode(records: &[Record<'a>], first: usize, limits: &Limits, hasher: &KeyHasher, spare: Spare) -> Self {
        let mut chunk = Self { rows: spare.rows, cells: spare.cells, ..Self::default() };
        chunk.rows.reserve(records.len());
        for (index, record) in records.iter().enumerate() {
            let (event, mut bad) = match decode(record.bytes, limits) {
                Ok(Decoded::Event(event)) => (event, Vec::new()),
                Ok(Decoded::Garbled { event, bad }) => (event, bad),
                Ok(Decoded::UnknownType) => {
                    chunk.unknown_types += 1;
                    continue;
                }
                Ok(Decoded::Encoded) => {
                    match open(record.bytes, limits) {
                        Ok(bytes) => chunk.opened.push((first + index, bytes)),
                        Err(fault) => chunk.faults.push((first + index, fault)),
                    }
                    continue;
                }
                Err(fault) => {
                    chunk.faults.push((first + index, fault));
                    continue;
                }
            };
            if record.bytes.len() > OVERSIZED_FROM {
                let oversized = event.data.oversized();
                if oversized > 0 {
                    chunk.oversized_ids += u64::from(oversized);
                    bad.extend(event.data.oversized_fields().map(BadField::Known));
                    bad.sort_unstable();
                    bad.dedup();
                }
            }
            chunk.tally.count(&event.source, event.data.event_type(), &bad);
            let identity = hasher.hash(&[event.source.as_bytes(), event.id.as_bytes()]);
            let at_ms = event.clock();
            chunk.rows.push(Row {
                record: first + index,
                identity,
                content: content(record.bytes),
                at_ms,
                clock_ms: at_ms,
                late: false,
                live: true,
                cells: 0,
                event,
            });
        }
        chunk
    }
}

/// The records with those put in that were opened.
pub(crate) fn with_opened<'a>(records: &[Record<'a>], opened: &'a [(usize, Vec<u8>)]) -> Vec<Record<'a>> {
    let mut records = records.to_vec();
    for (index, bytes) in opened {
        if let Some(record) = records.get_mut(*index) {
            record.bytes = bytes;
        }
    }
    records
}

/// The low half of the hash: two records of one id are the same for it once in four billion.
#[expect(clippy::cast_possible_truncation, reason = "the low half is what is kept")]
fn content(record: &[u8]) -> u32 {
    XxHash3_64::oneshot(record) as u32
}

/// The memory of an earlier chunk, for the next one: giving it back to the system and asking for it again costs a page
/// fault for each four kilobytes of every batch.
#[derive(Default)]
pub(crate) struct Spare {
    rows: Vec<Row<'static>>,
    cells: Vec<Cell>,
}

impl Chunk<'_> {
    /// What is left of it once its contents are gone.
    pub(crate) fn into_spare(mut self) -> Spare {
        self.rows.clear();
        self.cells.clear();
        // Nothing is left to map; the standard library collects in place, so the memory stays and only its lifetime changes.
        let rows = self.rows.into_iter().map(|_| unreachable!("the rows were cleared")).collect();
        Spare { rows, cells: self.cells }
    }
}
