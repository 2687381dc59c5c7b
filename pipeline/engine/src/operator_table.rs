//! One binding's keyed state: what each event changes in it, and what a condition reads. The operator's type stands
//! behind a table that does not show it.

use rasid_compiler::ruleset::{Binding, Feed};
use rasid_detectors::entity::KeyHasher;
use rasid_detectors::operator::{Fact, Operator, OperatorVisitor, Setup, Yields};
use rasid_detectors::signal::Signal;
use rasid_detectors::value::OwnedValue;
use serde::{Deserialize, Serialize};

use crate::batch::{Cell, Row};
use crate::keyed_state::{CELL_BYTES, Keyed, Table};

/// One event at one binding.
pub(crate) struct Visit<'r, 'a> {
    pub(crate) key: u64,
    pub(crate) row: &'r Row<'a>,
    /// How the event changes the binding, if it does.
    pub(crate) feed: Option<&'r Feed>,
    /// The firing that it is fed, where it is one of the second stage.
    pub(crate) firing: Option<&'r Signal>,
    /// Whether the feed's filter holds.
    pub(crate) holds: bool,
    /// Whether a condition reads the value here.
    pub(crate) read: bool,
}

/// One binding's states in one shard.
pub(crate) trait OperatorTable: Send + Sync {
    /// Takes in an event, and gives what a condition reads of it; [`Cell::Absent`] where none does.
    fn apply(&mut self, visit: &Visit<'_, '_>, hasher: &KeyHasher) -> Cell;
    /// Brings a key's state into the cache.
    fn prefetch(&self, key: u64);
    /// Memory as the bound counts it.
    fn bytes(&self) -> usize;
    /// Entries that the memory bound has cost so far.
    fn evicted(&self) -> u64;
    /// Sets its share of memory again.
    fn set_share(&mut self, share: usize, clock_ms: i64);
    /// Sets again how long its states are kept: the table of a binding that goes on under another allowed lateness is the
    /// one that a snapshot gives under it.
    fn set_lateness(&mut self, lateness_ms: i64, clock_ms: i64);
    /// The same for a snapshot.
    fn share(&mut self) -> Box<dyn OperatorTable>;
    /// Appends it to `out`.
    fn save(&self, out: Vec<u8>) -> Vec<u8>;
    /// Fills an empty one, and gives the bytes after it.
    fn load<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], postcard::Error>;
}

/// An empty table, of `share` bytes at most. State is kept for the operator's time and the allowed lateness, so that an
/// event that is late within bounds finds it as it would have been.
pub(crate) fn new_table(binding: &Binding, lateness_ms: i64, share: usize) -> Box<dyn OperatorTable> {
    binding.operator.accept(New { lateness_ms, share })
}

/// An operator's state.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
struct Remembered<O: Operator>(O::State);

impl<O: Operator> Default for Remembered<O> {
    fn default() -> Self {
        Self(O::State::default())
    }
}

impl<O: Operator> Clone for Remembered<O> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<O: Operator> Keyed for Remembered<O> {
    fn cells(&self) -> usize {
        O::heap_bytes(&self.0).div_ceil(CELL_BYTES)
    }
}

struct Typed<O: Operator> {
    setup: Setup<O::Params>,
    table: Table<Remembered<O>>,
}

impl<O: Operator> OperatorTable for Typed<O> {
    fn apply(&mut self, visit: &Visit<'_, '_>, hasher: &KeyHasher) -> Cell {
        let Visit { key, row, feed, firing, holds, read } = *visit;
        let (setup, at_ms) = (&self.setup, row.at_ms);
        let fact = feed.map(|feed| Fact {
            event: &row.event,
            at_ms,
            identity: row.identity,
            of: feed.of,
            firing,
            above: feed.sides.above && holds,
            below: feed.sides.below,
            hasher,
        });
        // An event that lacks the field is none of the operator's: it neither makes a state nor keeps one alive.
        let Some(fact) = fact.filter(|fact| fact.of.is_none() || fact.value().is_present()) else {
            return match self.table.get(key, row.clock_ms) {
                _ if !read => Cell::Absent,
                Some(state) => value::<O>(setup, at_ms, &state.0),
                None => value::<O>(setup, at_ms, &O::State::default()),
            };
        };
        self.table.update(key, row.clock_ms, |state| {
            let before = if O::READS_BEFORE && read { value::<O>(setup, at_ms, &state.0) } else { Cell::Absent };
            let firing = O::feed(setup, &fact, &mut state.0);
            match O::YIELDS {
                Yields::Signal(_) => firing.map_or(Cell::Absent, |signal| Cell::Signal(Box::new(signal))),
                Yields::Value(_) if O::READS_BEFORE || !read => before,
                Yields::Value(_) => value::<O>(setup, at_ms, &state.0),
            }
        })
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

    fn set_share(&mut self, share: usize, clock_ms: i64) {
        self.table.set_share(share, clock_ms);
    }

    fn set_lateness(&mut self, lateness_ms: i64, clock_ms: i64) {
        self.table.set_ttl(O::ttl_ms(&self.setup).saturating_add(lateness_ms), clock_ms);
    }

    fn share(&mut self) -> Box<dyn OperatorTable> {
        Box::new(Self { setup: self.setup.clone(), table: self.table.share() })
    }

    fn save(&self, out: Vec<u8>) -> Vec<u8> {
        self.table.save(out)
    }

    fn load<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], postcard::Error> {
        self.table.load(bytes)
    }
}

/// What a condition reads at `at_ms` of a state.
fn value<O: Operator>(setup: &Setup<O::Params>, at_ms: i64, state: &O::State) -> Cell {
    // What lies a whole window behind the newest event of its key has nothing to do with what the window holds.
    if O::newest_ms(state).is_some_and(|newest_ms| at_ms <= newest_ms.saturating_sub(setup.window_ms)) {
        return Cell::Behind;
    }
    match O::read(setup, at_ms, state) {
        OwnedValue::Absent => Cell::Absent,
        value => Cell::Value(value),
    }
}

struct New {
    lateness_ms: i64,
    share: usize,
}

impl OperatorVisitor for New {
    type Output = Box<dyn OperatorTable>;

    fn visit<O: Operator>(self, setup: &Setup<O::Params>) -> Self::Output {
        let ttl_ms = O::ttl_ms(setup).saturating_add(self.lateness_ms);
        Box::new(Typed::<O> { setup: setup.clone(), table: Table::new(ttl_ms, self.share) })
    }
}
