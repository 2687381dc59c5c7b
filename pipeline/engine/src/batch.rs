//! A stretch of the log on its way through the engine: decoded once, then put in order and gathered into by each engine
//! that takes it.

use std::borrow::Cow;
use std::sync::OnceLock;

use rasid_detectors::entity::{ID_BYTES_MAX, KeyHasher};
use rasid_detectors::event::columns::ColumnsEvent;
use rasid_detectors::event::encoded::open;
use rasid_detectors::event::envelope::{Decoded, Limits, decode};
use rasid_detectors::event::fault::Fault;
use rasid_detectors::event::salvage::BadField;
use rasid_detectors::event::{Data, Event};
use rasid_detectors::signal::Signal;
use rasid_detectors::value::{OwnedValue, Value};
use twox_hash::XxHash3_64;

use crate::producers::Tally;
use crate::pseudonym::SEED_BYTES;

/// A record of fewer bytes holds no identifier that is too long: its envelope alone has some 130.
const OVERSIZED_FROM: usize = ID_BYTES_MAX + 100;

/// One record of the log.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its place in the log; the first is 1.
    pub position: u64,
    /// When it arrived here, Unix ms. What claims to be later than this by more than the bound is from the future.
    pub arrival_ms: i64,
    /// The record as it came.
    pub bytes: &'a [u8],
}

/// A stretch of the log, decoded: what [`Engine::decode`](crate::Engine::decode) gives and
/// [`Engine::step`](crate::Engine::step) takes. It does not change, so several engines may take it.
pub struct Batch<'a> {
    pub(crate) records: Cow<'a, [Record<'a>]>,
    pub(crate) stretches: Vec<Stretch<'a>>,
    /// Of the keys of its identities.
    pub(crate) seed: [u8; SEED_BYTES],
}

/// What a batch keeps beside its records: those whose data was base64, opened.
#[derive(Debug, Default)]
pub struct Opened(pub(crate) OnceLock<Vec<(usize, Vec<u8>)>>);

/// One event, as it was decoded.
pub(crate) struct Row<'a> {
    pub(crate) event: Event<'a>,
    /// Its record's index in the batch.
    pub(crate) record: usize,
    /// Keyed hash of (source, id).
    pub(crate) identity: u64,
    /// A part of the hash of the record's bytes.
    pub(crate) content: u32,
    /// The event clock of this event, ms; of one that a timer brings back, the due time.
    pub(crate) at_ms: i64,
}

/// An event out of an archive's columns, in its place.
#[derive(Clone, Debug)]
pub struct ColumnsRecord {
    /// Its place in the log.
    pub position: u64,
    /// When it arrived here, Unix ms.
    pub arrival_ms: i64,
    /// The event.
    pub event: ColumnsEvent,
}

impl<'a> Row<'a> {
    #[inline]
    pub(crate) fn new(event: Event<'a>, record: usize, bytes: &[u8], hasher: &KeyHasher) -> Self {
        let identity = hasher.hash(&[event.source.as_bytes(), event.id.as_bytes()]);
        Self { record, identity, content: content(bytes), at_ms: event.clock(), event }
    }

    /// Those of the events that this one's is made up of, which come right after it.
    pub(crate) fn parts(&self, hasher: &KeyHasher) -> impl Iterator<Item = Self> {
        let Self { record, identity, content, at_ms, .. } = *self;
        let numbered = (0_u64..).zip(self.event.parts());
        numbered.map(move |(number, event)| Self { event, record, identity: hasher.combine(&[identity, number]), content, at_ms })
    }
}

impl Row<'_> {
    /// Whether it is part of the row before, or of the one that is before all of that one's parts.
    pub(crate) fn is_part(&self) -> bool {
        self.event.data.event_type().whole().is_some()
    }

    /// Whether raw values are at hand: not out of columns.
    pub(crate) fn is_raw(&self) -> bool {
        !matches!(self.event.data, Data::Columns(_))
    }
}

/// What one engine makes of a row.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    /// The newest event clock up to and with this event, ms: what its state is read at.
    pub(crate) clock_ms: i64,
    /// Where what is laid out for it begins in the chunk.
    pub(crate) begins: Begins,
    /// Later than the allowed lateness.
    pub(crate) late: bool,
    /// Processed; not a duplicate and not from the future.
    pub(crate) live: bool,
    /// The binding whose timer brings it back.
    pub(crate) due: Option<u16>,
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
    /// A detector fired, or a measure's value with the others beside it.
    Signal(Box<Signal>),
}

impl Cell {
    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::Value(value) => value.borrow(),
            Self::Signal(signal) => signal.get(0).map_or(Value::Absent, OwnedValue::borrow),
            _ => Value::Absent,
        }
    }
}

/// Consecutive records, decoded together by one thread.
#[derive(Default)]
pub(crate) struct Stretch<'a> {
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
}

impl<'a> Stretch<'a> {
    /// Events out of columns whose indices in the batch begin at `first`.
    pub(crate) fn of_columns(records: &'a [ColumnsRecord], first: usize, hasher: &KeyHasher) -> Self {
        let mut stretch = Self::default();
        stretch.rows.reserve(records.len());
        for (index, record) in records.iter().enumerate() {
            let event = record.event.event();
            stretch.tally.count(&event.source, event.data.event_type(), &[]);
            stretch.rows.push(Row::new(event, first + index, &[], hasher));
        }
        stretch
    }

    /// Decodes records whose indices in the batch begin at `first`, into spare memory.
    pub(crate) fn decode(records: &[Record<'a>], first: usize, limits: &Limits, hasher: &KeyHasher, rows: SpareRows) -> Self {
        let mut stretch = Self { rows, ..Self::default() };
        stretch.rows.reserve(records.len());
        for (index, record) in records.iter().enumerate() {
            let (event, mut bad) = match decode(record.bytes, limits) {
                Ok(Decoded::Event(event)) => (event, Vec::new()),
                Ok(Decoded::Garbled { event, bad }) => (event, bad),
                Ok(Decoded::UnknownType) => {
                    stretch.unknown_types += 1;
                    continue;
                }
                Ok(Decoded::Encoded) => {
                    match open(record.bytes, limits) {
                        Ok(bytes) => stretch.opened.push((first + index, bytes)),
                        Err(fault) => stretch.faults.push((first + index, fault)),
                    }
                    continue;
                }
                Err(fault) => {
                    stretch.faults.push((first + index, fault));
                    continue;
                }
            };
            if record.bytes.len() > OVERSIZED_FROM {
                let oversized = event.data.oversized();
                if oversized > 0 {
                    stretch.oversized_ids += u64::from(oversized);
                    bad.extend(event.data.oversized_fields().map(BadField::Known));
                    bad.sort_unstable();
                    bad.dedup();
                }
            }
            stretch.tally.count(&event.source, event.data.event_type(), &bad);
            let row = Row::new(event, first + index, record.bytes, hasher);
            if row.event.has_parts() {
                let parts: Vec<Row<'_>> = row.parts(hasher).collect();
                stretch.rows.push(row);
                stretch.rows.extend(parts);
            } else {
                stretch.rows.push(row);
            }
        }
        stretch
    }

    /// The memory of its rows, once they are gone.
    pub(crate) fn into_spare(mut self) -> SpareRows {
        self.rows.clear();
        // Nothing is left to map; the standard library collects in place, so the memory stays and only its lifetime changes.
        self.rows.into_iter().map(|_| unreachable!("the rows were cleared")).collect()
    }
}

/// Consecutive rows on their way through an engine.
pub(crate) struct Chunk<'b, 'a> {
    /// What the rows' records are indices of.
    pub(crate) records: &'b [Record<'a>],
    pub(crate) rows: &'b [Row<'a>],
    /// What the engine makes of each.
    pub(crate) marks: Vec<Mark>,
    /// What is laid out for them.
    pub(crate) laid: Laid,
}

/// What is laid out for the rows of a chunk, each row's together, in the order of its type's plan.
#[derive(Default)]
pub(crate) struct Laid {
    /// What the bindings say.
    pub(crate) cells: Vec<Cell>,
    /// Of each trigger, whether its condition may hold as far as the event alone tells. For others nothing is read.
    pub(crate) asked: Vec<bool>,
    /// The parts of keys.
    pub(crate) parts: Vec<Option<u64>>,
}

/// Where one row's begin.
#[derive(Clone, Copy, Default)]
pub(crate) struct Begins {
    pub(crate) cells: usize,
    pub(crate) asked: usize,
    pub(crate) parts: usize,
}

impl Laid {
    /// Where the next row's begin.
    pub(crate) fn end(&self) -> Begins {
        Begins { cells: self.cells.len(), asked: self.asked.len(), parts: self.parts.len() }
    }
}

impl<'b, 'a> Chunk<'b, 'a> {
    /// The rows that are processed, with what is made of them and their indices.
    pub(crate) fn live(&self) -> impl Iterator<Item = (usize, At<'_, 'a>)> {
        self.rows
            .iter()
            .zip(&self.marks)
            .enumerate()
            .filter(|(_, (_, mark))| mark.live)
            .map(|(index, (row, mark))| (index, At { row, mark }))
    }

    /// The row of that index.
    pub(crate) fn at(&self, index: usize) -> At<'_, 'a> {
        At { row: &self.rows[index], mark: &self.marks[index] }
    }

    /// Its record.
    pub(crate) fn record(&self, row: &Row<'_>) -> &'b Record<'a> {
        &self.records[row.record]
    }

    /// What is left of it once its contents are gone.
    pub(crate) fn into_spare(mut self) -> Spare {
        self.marks.clear();
        let Laid { cells, asked, parts } = &mut self.laid;
        cells.clear();
        asked.clear();
        parts.clear();
        Spare { marks: self.marks, laid: self.laid }
    }
}

/// One row and what is made of it.
#[derive(Clone, Copy)]
pub(crate) struct At<'r, 'a> {
    pub(crate) row: &'r Row<'a>,
    pub(crate) mark: &'r Mark,
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

/// The memory of an earlier batch's rows, for the next one: giving it back to the system and asking for it again costs a
/// page fault for each four kilobytes of every batch.
pub(crate) type SpareRows = Vec<Row<'static>>;

/// The same of a chunk.
#[derive(Default)]
pub(crate) struct Spare {
    pub(crate) marks: Vec<Mark>,
    pub(crate) laid: Laid,
}
