//! One binding's keyed state: what each event changes in it, and what a condition reads.

use rasid_compiler::ruleset::{Binding, BindingKind, Feed, Of};
use rasid_detectors::entity::KeyHasher;
use rasid_detectors::event::field::{self, FieldType};
use rasid_detectors::value::{OwnedValue, Value, from_ordered_bits, ordered_bits};
use rasid_detectors::window::distinct::Distinct;
use rasid_detectors::window::first_seen::FirstSeen;
use rasid_detectors::window::mean::Mean;
use rasid_detectors::window::newest::Newest;
use rasid_detectors::window::ratio::Ratio;
use rasid_detectors::window::series::{Max, Merge, Min, Series, Total};

use crate::batch::{Cell, Row};
use crate::detector_table::{DetectorTable, new_detector_table};
use crate::keyed_state::{Keyed, Table};

/// One binding's states in one shard.
pub(crate) enum BindingTable {
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

/// One event at one binding.
pub(crate) struct Visit<'r, 'a> {
    pub(crate) key: u64,
    pub(crate) row: &'r Row<'a>,
    /// How the event changes the binding, if it does.
    pub(crate) feed: Option<&'r Feed>,
    /// Whether the feed's filter holds.
    pub(crate) holds: bool,
    pub(crate) window_ms: i64,
    /// Whether a condition reads the value here.
    pub(crate) read: bool,
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

/// Does the same with the table of whichever binding it is.
macro_rules! each {
    ($self:expr, $table:ident => $body:expr) => {
        match $self {
            Self::Count($table) | Self::Sum($table) => $body,
            Self::Min($table, _) => $body,
            Self::Max($table, _) => $body,
            Self::Mean($table, _) => $body,
            Self::Ratio($table) => $body,
            Self::FirstSeen($table) => $body,
            Self::Distinct($table) => $body,
            Self::Last($table) | Self::Previous($table) => $body,
            Self::Detector($table) => $body,
        }
    };
}

impl BindingTable {
    /// Empty, of `share` bytes at most. State is kept for the window and the allowed lateness, so that an event that is
    /// late within bounds finds it as it would have been.
    pub(crate) fn new(binding: &Binding, lateness_ms: i64, share: usize) -> Self {
        let ttl_ms = ttl_ms(binding, lateness_ms);
        match &binding.kind {
            BindingKind::Count => Self::Count(Table::new(ttl_ms, share)),
            BindingKind::Sum => Self::Sum(Table::new(ttl_ms, share)),
            BindingKind::Min => Self::Min(Table::new(ttl_ms, share), of_doubles(binding)),
            BindingKind::Max => Self::Max(Table::new(ttl_ms, share), of_doubles(binding)),
            BindingKind::Avg => Self::Mean(Table::new(ttl_ms, share), if of_doubles(binding) { DOUBLE_STEPS } else { 1.0 }),
            BindingKind::Ratio => Self::Ratio(Table::new(ttl_ms, share)),
            BindingKind::FirstSeen => Self::FirstSeen(Table::new(ttl_ms, share)),
            BindingKind::Distinct => Self::Distinct(Table::new(ttl_ms, share)),
            BindingKind::Last => Self::Last(Table::new(ttl_ms, share)),
            BindingKind::Previous => Self::Previous(Table::new(ttl_ms, share)),
            BindingKind::Detector(params) => Self::Detector(new_detector_table(params, lateness_ms, share)),
        }
    }

    pub(crate) fn prefetch(&self, key: u64) {
        each!(self, table => table.prefetch(key));
    }

    /// Memory as the bound counts it.
    pub(crate) fn bytes(&self) -> usize {
        each!(self, table => table.bytes())
    }

    /// Entries that the memory bound has cost so far.
    pub(crate) fn evicted(&self) -> u64 {
        each!(self, table => table.evicted())
    }

    /// Sets its share of memory again.
    pub(crate) fn set_share(&mut self, share: usize, clock_ms: i64) {
        each!(self, table => table.set_share(share, clock_ms));
    }

    /// Sets again how long its states are kept: the table of a binding that goes on under another allowed lateness is the
    /// one that a snapshot gives under it.
    pub(crate) fn set_lateness(&mut self, binding: &Binding, lateness_ms: i64, clock_ms: i64) {
        let ttl_ms = ttl_ms(binding, lateness_ms);
        match self {
            Self::Count(table) | Self::Sum(table) => table.set_ttl(ttl_ms, clock_ms),
            Self::Min(table, _) => table.set_ttl(ttl_ms, clock_ms),
            Self::Max(table, _) => table.set_ttl(ttl_ms, clock_ms),
            Self::Mean(table, _) => table.set_ttl(ttl_ms, clock_ms),
            Self::Ratio(table) => table.set_ttl(ttl_ms, clock_ms),
            Self::FirstSeen(table) => table.set_ttl(ttl_ms, clock_ms),
            Self::Distinct(table) => table.set_ttl(ttl_ms, clock_ms),
            Self::Last(table) | Self::Previous(table) => table.set_ttl(ttl_ms, clock_ms),
            Self::Detector(table) => table.set_lateness(lateness_ms, clock_ms),
        }
    }

    /// The same for a snapshot.
    pub(crate) fn share(&mut self) -> Self {
        match self {
            Self::Count(table) => Self::Count(table.share()),
            Self::Sum(table) => Self::Sum(table.share()),
            Self::Min(table, doubles) => Self::Min(table.share(), *doubles),
            Self::Max(table, doubles) => Self::Max(table.share(), *doubles),
            Self::Mean(table, steps) => Self::Mean(table.share(), *steps),
            Self::Ratio(table) => Self::Ratio(table.share()),
            Self::FirstSeen(table) => Self::FirstSeen(table.share()),
            Self::Distinct(table) => Self::Distinct(table.share()),
            Self::Last(table) => Self::Last(table.share()),
            Self::Previous(table) => Self::Previous(table.share()),
            Self::Detector(table) => Self::Detector(table.share()),
        }
    }

    /// Appends it to `out`.
    pub(crate) fn save(&self, out: Vec<u8>) -> Vec<u8> {
        each!(self, table => table.save(out))
    }

    /// Fills an empty one, and gives the bytes after it.
    pub(crate) fn load<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], postcard::Error> {
        each!(self, table => table.load(bytes))
    }

    pub(crate) fn apply(&mut self, visit: &Visit<'_, '_>, hasher: &KeyHasher) -> Cell {
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
}

/// How long a state is kept after it last changed, ms of event clock.
fn ttl_ms(binding: &Binding, lateness_ms: i64) -> i64 {
    binding.window_ms.saturating_add(lateness_ms)
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
