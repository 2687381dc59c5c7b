//! One of 256 parts of all keyed state. A shard applies its share of a batch in stream order and never looks at
//! another, so who runs it, and when, changes nothing.

use rasid_detectors::detector::{Detector, DetectorVisitor};
use rasid_detectors::entity::KeyHasher;
use rasid_detectors::event::Event;
use rasid_detectors::event::field::{self, FieldType};
use rasid_detectors::signal::Signal;
use rasid_detectors::value::{OwnedValue, Value, from_ordered_bits, ordered_bits};
use rasid_detectors::window::distinct::Distinct;
use rasid_detectors::window::first_seen::FirstSeen;
use rasid_detectors::window::mean::Mean;
use rasid_detectors::window::newest::Newest;
use rasid_detectors::window::ratio::Ratio;
use rasid_detectors::window::series::{Max, Merge, Min, Series, Total};
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
    /// With whether the numbers are doubles, kept as integers of their order.
    Min(Table<Min>, bool),
    Max(Table<Max>, bool),
    /// With what a number is multiplied by to be kept as an integer.
    Mean(Table<Mean>, f64),
    Ratio(Table<Ratio>),
    FirstSeen(Table<FirstSeen>),
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
                    BindingKind::Min => BindingTable::Min(Table::new(ttl_ms, share), of_doubles(binding)),
                    BindingKind::Max => BindingTable::Max(Table::new(ttl_ms, share), of_doubles(binding)),
                    BindingKind::Avg => BindingTable::Mean(Table::new(ttl_ms, share), if of_doubles(binding) { DOUBLE_STEPS } else { 1.0 }),
                    BindingKind::Ratio => BindingTable::Ratio(Table::new(ttl_ms, share)),
                    BindingKind::FirstSeen => BindingTable::FirstSeen(Table::new(ttl_ms, share)),
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
            let visit = Visit { key: item.key, row, feed, holds: item.holds, window_ms: binding.window_ms, read: step.cell.is_some() };
            let value = self.tables[step.binding].apply(&visit, hasher);
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

/// One event at one binding.
struct Visit<'r, 'a> {
    key: u64,
    row: &'r Row<'a>,
    /// How the event changes the binding, if it does.
    feed: Option<&'r Feed>,
    /// Whether the feed's filter holds.
    holds: bool,
    window_ms: i64,
    /// Whether a condition reads the value here.
    read: bool,
}

/// Steps of one unit that a mean of doubles is kept in: sums of integers are the same in any order.
const DOUBLE_STEPS: f64 = 1_000_000.0;

/// Whether the numbers that a binding looks at are doubles. The checker has seen to it that all of them are, or none.
fn of_doubles(binding: &Binding) -> bool {
    let mut fields = binding.feeds.iter().filter_map(|feed| field::at(feed.event.fields(), feed.of?.path));
    fields.any(|spec| spec.ty == FieldType::Double)
}

/// The smallest or largest number: what is fed in, and what is read out again.
fn extreme<M: Merge>(table: &mut Table<Series<M>>, doubles: bool, visit: &Visit<'_, '_>) -> Cell
where
    Series<M>: Keyed,
{
    let (at_ms, clock_ms, window_ms) = (visit.row.at_ms, visit.row.clock_ms, visit.window_ms);
    let number = match visit.feed.map(|feed| of_value(feed, visit.row)) {
        Some(Value::Int(number)) => Some(number),
        Some(Value::Double(number)) => Some(ordered_bits(number)),
        _ => None,
    };
    if let Some(number) = number {
        table.update(visit.key, clock_ms, |series| series.feed(at_ms, number, window_ms));
    }
    match table.get(visit.key, clock_ms).and_then(|series| series.value(at_ms, window_ms)) {
        Some(bits) if doubles => Cell::Value(OwnedValue::Double(from_ordered_bits(bits))),
        Some(number) => int(number),
        None => Cell::Absent,
    }
}

impl BindingTable {
    fn apply(&mut self, visit: &Visit<'_, '_>, hasher: &KeyHasher) -> Cell {
        let Visit { key, row, feed, window_ms, read, .. } = *visit;
        let (at_ms, clock_ms) = (row.at_ms, row.clock_ms);
        match self {
            Self::Min(table, doubles) => extreme(table, *doubles, visit),
            Self::Max(table, doubles) => extreme(table, *doubles, visit),
            Self::Mean(table, steps) => {
                let number = match feed.map(|feed| of_value(feed, row)) {
                    Some(Value::Int(number)) => Some(number),
                    #[expect(clippy::cast_possible_truncation, reason = "out of range, it saturates")]
                    Some(Value::Double(number)) => Some(libm::round(number * *steps) as i64),
                    _ => None,
                };
                if let Some(number) = number {
                    table.update(key, clock_ms, |mean| mean.feed(at_ms, number, window_ms));
                }
                double(table.get(key, clock_ms).and_then(|mean| mean.value(at_ms, window_ms)).map(|mean| mean / *steps))
            }
            Self::Ratio(table) => {
                if let Some(feed) = feed {
                    let above = feed.sides.above && visit.holds;
                    table.update(key, clock_ms, |ratio| ratio.feed(at_ms, above, feed.sides.below, window_ms));
                }
                double(table.get(key, clock_ms).and_then(|ratio| ratio.value(at_ms, window_ms)))
            }
            Self::FirstSeen(table) => {
                if feed.is_some() {
                    table.update(key, clock_ms, |first| first.feed(at_ms));
                }
                match table.get(key, clock_ms).and_then(FirstSeen::value) {
                    Some(first) => Cell::Value(OwnedValue::Time(first)),
                    None => Cell::Absent,
                }
            }
            Self::Count(table) => int(if feed.is_some() {
                table.update(key, clock_ms, |count| {
                    count.feed(at_ms, 1, window_ms);
                    if read { count.value(at_ms, window_ms).unwrap_or(0) } else { 0 }
                })
            } else {
                table.get(key, clock_ms).and_then(|count| count.value(at_ms, window_ms)).unwrap_or(0)
            }),
            Self::Sum(table) => int(match feed.map(|feed| of_value(feed, row)) {
                Some(Value::Int(amount)) => table.update(key, clock_ms, |sum| {
                    sum.feed(at_ms, amount, window_ms);
                    if read { sum.value(at_ms, window_ms).unwrap_or(0) } else { 0 }
                }),
                _ => table.get(key, clock_ms).and_then(|sum| sum.value(at_ms, window_ms)).unwrap_or(0),
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
            Self::Min(table, _) => table.prefetch(key),
            Self::Max(table, _) => table.prefetch(key),
            Self::Mean(table, _) => table.prefetch(key),
            Self::Ratio(table) => table.prefetch(key),
            Self::FirstSeen(table) => table.prefetch(key),
            Self::Distinct(table) => table.prefetch(key),
            Self::Last(table) | Self::Previous(table) => table.prefetch(key),
            Self::Detector(table) => table.prefetch(key),
        }
    }

    /// (bytes, evicted entries).
    fn account(&self) -> (usize, u64) {
        match self {
            Self::Count(table) | Self::Sum(table) => (table.bytes(), table.evicted()),
            Self::Min(table, _) => (table.bytes(), table.evicted()),
            Self::Max(table, _) => (table.bytes(), table.evicted()),
            Self::Mean(table, _) => (table.bytes(), table.evicted()),
            Self::Ratio(table) => (table.bytes(), table.evicted()),
            Self::FirstSeen(table) => (table.bytes(), table.evicted()),
            Self::Distinct(table) => (table.bytes(), table.evicted()),
            Self::Last(table) | Self::Previous(table) => (table.bytes(), table.evicted()),
            Self::Detector(table) => (table.bytes(), table.evicted()),
        }
    }
}

fn int(value: i64) -> Cell {
    Cell::Value(OwnedValue::Int(value))
}

fn double(value: Option<f64>) -> Cell {
    value.map_or(Cell::Absent, |value| Cell::Value(OwnedValue::Double(value)))
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

impl<M: Merge> Keyed for Series<M> {
    fn cells(&self) -> usize {
        Series::cells(self)
    }
}

impl Keyed for Mean {
    fn cells(&self) -> usize {
        Mean::cells(self)
    }
}

impl Keyed for Ratio {
    fn cells(&self) -> usize {
        Ratio::cells(self)
    }
}

impl Keyed for FirstSeen {
    fn cells(&self) -> usize {
        0
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
struct Remembered<D: Detector>(D::State);

impl<D: Detector> Default for Remembered<D> {
    fn default() -> Self {
        Self(D::State::default())
    }
}

impl<D: Detector> Keyed for Remembered<D> {
    fn cells(&self) -> usize {
        D::heap_bytes(&self.0).div_ceil(16)
    }
}

struct Typed<D: Detector> {
    params: D::Params,
    table: Table<Remembered<D>>,
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
