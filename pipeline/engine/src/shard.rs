//! One of 256 parts of all keyed state. A shard applies its share of a batch in stream order and never looks at
//! another, so who runs it, and when, changes nothing.

use rasid_detectors::detector::{Detector, DetectorVisitor};
use rasid_detectors::entity::KeyHasher;
use rasid_detectors::event::Event;
use rasid_detectors::signal::Signal;
use rasid_detectors::value::{OwnedValue, Value};
use rasid_detectors::window::distinct::Distinct;
use rasid_detectors::window::newest::Newest;
use rasid_detectors::window::total::Total;
use rasid_rules::ruleset::{Binding, BindingKind, Feed, Of};

use crate::batch::{Cell, Chunk, Row};
use crate::keyed_state::{Keyed, Table};
use crate::plan::Plan;
use crate::scatter::{Item, SHARDS};

/// A value on its way to its row.
pub(crate) struct Gathered {
    pub(crate) chunk: u32,
    /// Index in the chunk's cells.
    pub(crate) cell: usize,
    pub(crate) value: Cell,
}

/// One table for each binding.
pub(crate) struct Shard {
    tables: Vec<BindingTable>,
}

enum BindingTable {
    Count(Table<Total>),
    Sum(Table<Total>),
    Distinct(Table<Distinct>),
    /// `last`: the current event included.
    Last(Table<Newest>),
    /// `previous`: the current event left out.
    Previous(Table<Newest>),
    Detector(Box<dyn DetectorTable>),
}

impl Shard {
    /// Empty tables that together take `bytes_max` at most. State is kept for the window and the allowed lateness, so
    /// that an event that is late within bounds finds it as it would have been.
    pub(crate) fn new(bindings: &[Binding], lateness_ms: i64, bytes_max: usize) -> Self {
        let share = bytes_max / bindings.len().max(1);
        let tables = bindings
            .iter()
            .map(|binding| {
                let ttl_ms = binding.window_ms.saturating_add(lateness_ms);
                match &binding.kind {
                    BindingKind::Count => BindingTable::Count(Table::new(ttl_ms, share)),
                    BindingKind::Sum => BindingTable::Sum(Table::new(ttl_ms, share)),
                    BindingKind::Distinct => BindingTable::Distinct(Table::new(ttl_ms, share)),
                    BindingKind::Last => BindingTable::Last(Table::new(ttl_ms, share)),
                    BindingKind::Previous => BindingTable::Previous(Table::new(ttl_ms, share)),
                    BindingKind::Detector(params) => BindingTable::Detector(params.accept(NewDetectorTable { lateness_ms, share })),
                }
            })
            .collect();
        Self { tables }
    }

    /// Applies items in stream order; what conditions read is appended to `out`, absent values left out.
    pub(crate) fn apply(&mut self, items: &[Item], chunks: &[Chunk<'_>], plan: &Plan, hasher: &KeyHasher, out: &mut Vec<Gathered>) {
        for item in items {
            self.tables[item.binding as usize].prefetch(item.key);
        }
        for item in items {
            let row = &chunks[item.chunk as usize].rows[item.row as usize];
            let step = &plan.of(row.event.data.event_type()).steps[item.step as usize];
            let binding = &plan.ruleset.bindings[step.binding];
            let feed = step.feed.filter(|_| item.feeds).map(|feed| &binding.feeds[feed]);
            let value = self.tables[step.binding].apply(item.key, row, feed, binding.window_ms, step.cell.is_some(), hasher);
            if let Some(cell) = step.cell
                && !matches!(value, Cell::Absent)
            {
                out.push(Gathered { chunk: item.chunk, cell: row.cells + cell, value });
            }
        }
    }

    /// Entries that the memory bound has cost so far.
    pub(crate) fn evicted(&self) -> u64 {
        self.tables.iter().map(|table| table.account().1).sum()
    }

    /// Memory as the bound counts it.
    pub(crate) fn bytes(&self) -> usize {
        self.tables.iter().map(|table| table.account().0).sum()
    }
}

impl BindingTable {
    fn apply(&mut self, key: u64, row: &Row<'_>, feed: Option<&Feed>, window_ms: i64, read: bool, hasher: &KeyHasher) -> Cell {
        let (at_ms, clock_ms) = (row.at_ms, row.clock_ms);
        match self {
            Self::Count(table) => int(if feed.is_some() {
                table.update(key, clock_ms, |count| {
                    count.feed(at_ms, 1, window_ms);
                    if read { count.value(at_ms, window_ms) } else { 0 }
                })
            } else {
                table.get(key, clock_ms).map_or(0, |count| count.value(at_ms, window_ms))
            }),
            Self::Sum(table) => int(match feed.map(|feed| of_value(feed, row)) {
                Some(Value::Int(amount)) => table.update(key, clock_ms, |sum| {
                    sum.feed(at_ms, amount, window_ms);
                    if read { sum.value(at_ms, window_ms) } else { 0 }
                }),
                _ => table.get(key, clock_ms).map_or(0, |sum| sum.value(at_ms, window_ms)),
            }),
            Self::Distinct(table) => int(match feed.and_then(|feed| of_hash(feed, row, hasher)) {
                Some(hash) => table.update(key, clock_ms, |distinct| {
                    distinct.feed(at_ms, hash, window_ms);
                    if read { distinct.value(at_ms, window_ms) } else { 0 }
                }),
                None => table.get(key, clock_ms).map_or(0, |distinct| distinct.value(at_ms, window_ms)),
            }),
            Self::Last(table) => {
                if let Some(value @ (Value::Bool(_) | Value::Int(_) | Value::Double(_) | Value::Str(_) | Value::Time(_))) =
                    feed.map(|feed| of_value(feed, row))
                {
                    table.update(key, clock_ms, |newest| newest.feed(at_ms, row.identity, value));
                }
                table.get(key, clock_ms).map_or(Cell::Absent, |newest| present(newest.value(at_ms, window_ms)))
            }
            Self::Previous(table) => {
                let before = table.get(key, clock_ms).map_or(Cell::Absent, |newest| present(newest.value(at_ms, window_ms)));
                if let Some(value @ (Value::Bool(_) | Value::Int(_) | Value::Double(_) | Value::Str(_) | Value::Time(_))) =
                    feed.map(|feed| of_value(feed, row))
                {
                    table.update(key, clock_ms, |newest| newest.feed(at_ms, row.identity, value));
                }
                before
            }
            Self::Detector(table) => match feed {
                Some(_) => table.observe(key, &row.event, clock_ms).map_or(Cell::Absent, |signal| Cell::Signal(Box::new(signal))),
                None => Cell::Absent,
            },
        }
    }

    fn prefetch(&self, key: u64) {
        match self {
            Self::Count(table) | Self::Sum(table) => table.prefetch(key),
            Self::Distinct(table) => table.prefetch(key),
            Self::Last(table) | Self::Previous(table) => table.prefetch(key),
            Self::Detector(table) => table.prefetch(key),
        }
    }

    /// (bytes, evicted entries).
    fn account(&self) -> (usize, u64) {
        match self {
            Self::Count(table) | Self::Sum(table) => (table.bytes(), table.evicted()),
            Self::Distinct(table) => (table.bytes(), table.evicted()),
            Self::Last(table) | Self::Previous(table) => (table.bytes(), table.evicted()),
            Self::Detector(table) => (table.bytes(), table.evicted()),
        }
    }
}

fn int(value: i64) -> Cell {
    Cell::Value(OwnedValue::Int(value))
}

fn present(value: Value<'_>) -> Cell {
    if value.is_present() { Cell::Value(value.to_owned()) } else { Cell::Absent }
}

fn of_value<'r>(feed: &Feed, row: &'r Row<'_>) -> Value<'r> {
    feed.of.map_or(Value::Absent, |of| row.event.data.get(of.path))
}

/// A hash that tells the field's values apart; two spellings of one entity are one value.
fn of_hash(feed: &Feed, row: &Row<'_>, hasher: &KeyHasher) -> Option<u64> {
    let Of { path, kind } = feed.of?;
    match row.event.data.get(path) {
        Value::Str(text) => Some(kind.map_or_else(|| hasher.hash(&[b"s", text.as_bytes()]), |kind| hasher.key(kind, text))),
        Value::Int(number) => Some(hasher.hash(&[b"i", &number.to_le_bytes()])),
        Value::Double(number) => Some(hasher.hash(&[b"d", &number.to_bits().to_le_bytes()])),
        Value::Bool(truth) => Some(hasher.hash(&[b"b", &[u8::from(truth)]])),
        Value::Time(instant) => Some(hasher.hash(&[b"t", &instant.to_le_bytes()])),
        Value::Absent | Value::Duration(_) | Value::Object => None,
    }
}

impl Keyed for Total {
    fn cells(&self) -> usize {
        Total::cells(self)
    }
}

impl Keyed for Distinct {
    fn cells(&self) -> usize {
        Distinct::cells(self)
    }
}

impl Keyed for Newest {
    fn cells(&self) -> usize {
        Newest::cells(self)
    }
}

/// A detector's states, its type behind it.
trait DetectorTable: Send {
    fn observe(&mut self, key: u64, event: &Event<'_>, clock_ms: i64) -> Option<Signal>;
    fn prefetch(&self, key: u64);
    fn bytes(&self) -> usize;
    fn evicted(&self) -> u64;
}

/// A detector's state.
#[derive(Default)]
struct Remembered<S>(S);

impl<S: Default> Keyed for Remembered<S> {
    fn cells(&self) -> usize {
        0 // a detector's state is bounded and inline
    }
}

struct Typed<D: Detector> {
    params: D::Params,
    table: Table<Remembered<D::State>>,
}

impl<D: Detector> DetectorTable for Typed<D> {
    fn observe(&mut self, key: u64, event: &Event<'_>, clock_ms: i64) -> Option<Signal> {
        let params = &self.params;
        self.table.update(key, clock_ms, |remembered| D::observe(params, event, &mut remembered.0))
    }

    fn prefetch(&self, key: u64) {
        self.table.prefetch(key);
    }

    fn bytes(&self) -> usize {
        self.table.bytes()
    }

    fn evicted(&self) -> u64 {
        self.table.evicted()
    }
}

struct NewDetectorTable {
    lateness_ms: i64,
    share: usize,
}

impl DetectorVisitor for NewDetectorTable {
    type Output = Box<dyn DetectorTable>;

    fn visit<D: Detector>(self, params: &D::Params) -> Self::Output {
        let ttl_ms = D::ttl_ms(params).saturating_add(self.lateness_ms);
        Box::new(Typed::<D> { params: params.clone(), table: Table::new(ttl_ms, self.share) })
    }
}

/// All shards, empty.
pub(crate) fn shards(bindings: &[Binding], lateness_ms: i64, bytes_max: usize) -> Vec<Shard> {
    (0..SHARDS).map(|_| Shard::new(bindings, lateness_ms, bytes_max / SHARDS)).collect()
}
