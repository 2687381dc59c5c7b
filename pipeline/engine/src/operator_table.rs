//! One binding's keyed state: what each event changes in it, and what a condition reads. The operator's type stands
//! behind a table that does not show it.

use std::any::Any;

use rasid_compiler::ruleset::{Binding, Feed};
use rasid_detectors::entity::KeyHasher;
use rasid_detectors::operator::{AnyOperator, Fact, Form, Operator, OperatorVisitor, Setup, Yields};
use rasid_detectors::signal::Signal;
use rasid_detectors::value::OwnedValue;
use serde::{Deserialize, Deserializer, Serialize};

use crate::batch::{Cell, Row};
use crate::cost::Bytes;
use crate::keyed_state::{CELL_BYTES, Keyed, Rank, Table};
use crate::timer::{Due, Turn, WAITING_BYTES, Waiting};

/// One event at one binding.
pub(crate) struct Visit<'r, 'a> {
    pub(crate) key: u64,
    pub(crate) row: &'r Row<'a>,
    pub(crate) record: &'r [u8],
    /// The log's clock at it, ms.
    pub(crate) clock_ms: i64,
    /// How the event changes the binding, if it does.
    pub(crate) feed: Option<&'r Feed>,
    /// The firing that it is fed, where it is one of the second stage.
    pub(crate) firing: Option<&'r Signal>,
    /// The key of the field's value that the feed looks at, where it has one.
    pub(crate) value_key: Option<u64>,
    /// Whether the feed's filter holds.
    pub(crate) holds: bool,
    /// Of the feed's steps, those whose filter holds.
    pub(crate) steps: u8,
    /// Whether a condition reads the value here.
    pub(crate) read: bool,
}

impl<'r, 'a> Visit<'r, 'a> {
    /// What the operator is fed, if it is. An event that lacks the field is none of the operator's: it neither makes a state
    /// nor keeps one alive.
    #[inline]
    fn fact(&self, hasher: &'r KeyHasher) -> Option<Fact<'r, 'a>> {
        let Self { row, record, clock_ms, firing, value_key, holds, steps, .. } = *self;
        let feed = self.feed?;
        let amount = feed.amount(&row.event, row.at_ms).flatten();
        if amount.is_none() && feed.of.is_some_and(|of| !of.value(&row.event, firing).is_present()) {
            return None;
        }
        Some(Fact {
            event: &row.event,
            at_ms: row.at_ms,
            clock_ms,
            record,
            identity: row.identity,
            of: feed.of,
            amount,
            known_key: value_key.filter(|_| amount.is_none()),
            firing,
            above: feed.sides.above && holds,
            below: feed.sides.below,
            steps,
            hasher,
        })
    }
}

/// One binding's states in one shard.
pub(crate) trait OperatorTable: Send + Sync {
    /// Takes in an event, and gives what a condition reads of it; [`Cell::Absent`] where none does.
    fn apply(&mut self, visit: &Visit<'_, '_>, hasher: &KeyHasher) -> Cell;
    /// What a condition reads at `at_ms` under a key that has no state.
    fn absent(&self, at_ms: i64) -> Cell {
        let _ = at_ms;
        Cell::Absent
    }
    /// Ends a wait, and gives what is to be said of that.
    fn fire(&mut self, key: u64, identity: u64, clock_ms: i64) -> Cell {
        let _ = (key, identity, clock_ms);
        Cell::Absent
    }
    /// When its first wait is over, ms of the log's clock.
    fn next_due(&mut self) -> Option<i64> {
        None
    }
    /// Appends the turns of what is due before that instant, those of the keys that come first until there are `most`; where
    /// that leaves some out, gives a turn that none of them comes before.
    fn turns(&self, binding: u16, before_ms: i64, most: usize, out: &mut Vec<Turn>) -> Option<Turn> {
        let _ = (binding, before_ms, most, out);
        None
    }
    /// The wait of a turn.
    fn due(&self, turn: Turn) -> Option<Due> {
        let _ = turn;
        None
    }
    /// How many waits are open at that instant of the log's clock.
    fn open_waits(&self, clock_ms: i64) -> usize {
        let _ = clock_ms;
        0
    }
    /// What one with one state for all keys has taken in since it was asked before.
    fn take_part(&mut self) -> Option<Box<dyn Any + Send>> {
        None
    }
    /// Brings a key's state into the cache.
    fn prefetch(&self, key: u64);
    /// Memory as the bound counts it.
    fn bytes(&self) -> usize;
    /// Entries that the memory bound has cost so far.
    fn evicted(&self) -> u64;
    /// Forgets what is over.
    fn sweep(&mut self, clock_ms: i64) {
        let _ = clock_ms;
    }
    /// Appends what each of its states is worth.
    fn ranks(&self, binding: u16, out: &mut Vec<Rank>);
    /// Takes out what has that rank, for want of memory.
    fn evict(&mut self, rank: &Rank);
    /// Gives back memory that nothing needs any more, once others have been taken out.
    fn fit(&mut self) {}
    /// Sets again how long its states are kept: the table of a binding that goes on under another allowed lateness is the
    /// one that a snapshot gives under it.
    fn set_lateness(&mut self, lateness_ms: i64, clock_ms: i64);
    /// The same for a snapshot.
    fn share(&mut self) -> Box<dyn OperatorTable>;
    /// Appends it to `out`.
    fn save(&self, out: Vec<u8>) -> Vec<u8>;
    /// Fills an empty one, and gives the bytes after it. `former`: as the older version of the operator saved it.
    fn load<'b>(&mut self, bytes: &'b [u8], former: bool) -> Result<&'b [u8], postcard::Error>;
}

/// An empty table. State is kept for the operator's time and the allowed lateness, so that an event that is late within bounds
/// finds it as it would have been.
pub(crate) fn new_table(operator: &AnyOperator, lateness_ms: i64) -> Box<dyn OperatorTable> {
    operator.accept(New { lateness_ms })
}

/// An operator's state.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
struct Remembered<O: Operator>(O::State);

/// The same, read as the older version saved it.
struct Former<O: Operator>(O::State);

impl<'de, O: Operator> Deserialize<'de> for Former<O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        O::former(deserializer).map(Self)
    }
}

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
        cells::<O>(O::heap_bytes(&self.0))
    }

    /// What waits for a time is there when that comes.
    fn keep_until_ms(&self) -> i64 {
        O::waits(&self.0).iter().map(|wait| wait.due_ms).max().unwrap_or(i64::MIN)
    }

    /// What a wait takes is its event's record: that a stranger wrote a long one makes it worth no more.
    fn count(&self) -> usize {
        if O::FORM == Form::Timer { O::waits(&self.0).len() } else { self.cells() }
    }
}

/// Cells of a state that has so much on the heap.
fn cells<O: Operator>(heap_bytes: usize) -> usize {
    let waiting = if O::FORM == Form::Timer { WAITING_BYTES } else { 0 };
    (heap_bytes + waiting).div_ceil(CELL_BYTES)
}

struct Typed<O: Operator> {
    setup: Setup<O::Params>,
    table: Table<Remembered<O>>,
    /// Of a timer; else empty.
    waiting: Waiting,
}

impl<O: Operator> OperatorTable for Typed<O> {
    fn apply(&mut self, visit: &Visit<'_, '_>, hasher: &KeyHasher) -> Cell {
        let Visit { key, clock_ms, read, .. } = *visit;
        let (setup, at_ms) = (&self.setup, visit.row.at_ms);
        let fact = visit.fact(hasher);
        let Some(fact) = &fact else {
            return match self.table.get(key, clock_ms) {
                _ if !read => Cell::Absent,
                Some(state) => value::<O>(setup, at_ms, &state.0),
                None => self.absent(at_ms),
            };
        };
        let (mut former_ms, mut first_ms) = (None, None);
        let cell = self.table.update(key, clock_ms, |state| {
            former_ms = first_of::<O>(&state.0);
            let before = if O::READS_BEFORE && read { value::<O>(setup, at_ms, &state.0) } else { Cell::Absent };
            let said = O::feed(setup, fact, &mut state.0).map(|signal| Cell::Signal(Box::new(signal)));
            first_ms = first_of::<O>(&state.0);
            match O::YIELDS {
                Yields::Signal(_) => said.unwrap_or_default(),
                _ if O::READS_BEFORE || !read => before,
                Yields::Measure(_) if said.is_some() => said.unwrap_or_default(),
                Yields::Measure(_) | Yields::Value(_) => value::<O>(setup, at_ms, &state.0),
            }
        });
        if O::FORM == Form::Timer {
            self.waiting.note(former_ms, first_ms, key);
            self.leave_stale();
        }
        cell
    }

    fn absent(&self, at_ms: i64) -> Cell {
        value::<O>(&self.setup, at_ms, &O::State::default())
    }

    fn fire(&mut self, key: u64, identity: u64, clock_ms: i64) -> Cell {
        // It may have been answered since, or the memory bound may have cost it.
        let is_open = |state: &Remembered<O>| O::waits(&state.0).iter().any(|wait| wait.identity == identity);
        if !self.table.get(key, clock_ms).is_some_and(is_open) {
            return Cell::Absent;
        }
        let (mut former_ms, mut first_ms) = (None, None);
        let setup = &self.setup;
        let cell = self.table.update(key, clock_ms, |state| {
            former_ms = first_of::<O>(&state.0);
            let firing = O::due(setup, identity, &mut state.0);
            first_ms = first_of::<O>(&state.0);
            firing.map_or(Cell::Absent, |signal| Cell::Signal(Box::new(signal)))
        });
        self.waiting.note(former_ms, first_ms, key);
        cell
    }

    fn next_due(&mut self) -> Option<i64> {
        let Self { table, waiting, .. } = self;
        // What is gone by then waits for nothing.
        waiting.first_ms(|key| table.find(key).and_then(|state| first_of::<O>(&state.0)).filter(|due_ms| table.get(key, *due_ms).is_some()))
    }

    fn turns(&self, binding: u16, before_ms: i64, most: usize, out: &mut Vec<Turn>) -> Option<Turn> {
        let most = out.len() + most;
        for (first_ms, key) in self.waiting.before(before_ms) {
            // Of what is gone nothing is due; what came in its place is named by its own time.
            let Some(state) = self.table.find(key).filter(|state| first_of::<O>(&state.0) == Some(first_ms)) else { continue };
            if out.len() >= most {
                return Some(Turn { over_ms: first_ms, binding, key, place: 0 });
            }
            let waits = O::waits(&state.0).iter().enumerate().filter(|(_, wait)| wait.due_ms < before_ms);
            out.extend(waits.map(|(place, wait)| Turn { over_ms: wait.due_ms, binding, key, place }));
        }
        None
    }

    fn due(&self, turn: Turn) -> Option<Due> {
        let wait = O::waits(&self.table.find(turn.key)?.0).get(turn.place)?;
        Some(Due { turn, identity: wait.identity, event: wait.event.clone() })
    }

    fn open_waits(&self, clock_ms: i64) -> usize {
        let of = |(_, state): (u64, &Remembered<O>)| O::waits(&state.0).iter().filter(|wait| wait.due_ms >= clock_ms).count();
        self.table.states().map(of).sum()
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

    fn sweep(&mut self, clock_ms: i64) {
        self.table.sweep(clock_ms);
    }

    fn ranks(&self, binding: u16, out: &mut Vec<Rank>) {
        self.table.ranks(binding, out);
    }

    fn evict(&mut self, rank: &Rank) {
        self.table.evict_entry(rank.key);
    }

    fn fit(&mut self) {
        self.table.fit();
        self.leave_stale();
    }

    fn set_lateness(&mut self, lateness_ms: i64, clock_ms: i64) {
        self.table.set_ttl(O::ttl_ms(&self.setup).saturating_add(lateness_ms), clock_ms);
    }

    fn share(&mut self) -> Box<dyn OperatorTable> {
        Box::new(Self { setup: self.setup.clone(), table: self.table.share(), waiting: Waiting::default() })
    }

    fn save(&self, out: Vec<u8>) -> Vec<u8> {
        self.table.save(out)
    }

    fn load<'b>(&mut self, bytes: &'b [u8], former: bool) -> Result<&'b [u8], postcard::Error> {
        let rest = if former { self.table.load_former(bytes, |Former::<O>(state)| Remembered(state))? } else { self.table.load(bytes)? };
        self.wait_anew();
        Ok(rest)
    }
}

impl<O: Operator> Typed<O> {
    /// Makes what names who waits anew, where much of what it names is gone.
    fn leave_stale(&mut self) {
        if self.waiting.is_stale(self.table.len()) {
            self.wait_anew();
        }
    }

    /// Finds in the states who waits.
    fn wait_anew(&mut self) {
        self.waiting = Waiting::default();
        for (key, state) in self.table.states() {
            self.waiting.note(None, first_of::<O>(&state.0), key);
        }
    }
}

/// When the first wait of a state is over.
fn first_of<O: Operator>(state: &O::State) -> Option<i64> {
    O::waits(state).iter().map(|wait| wait.due_ms).min()
}

/// What one shard takes in of a binding with one state for all keys. It is read where the shards' parts are added up.
struct Taken<O: Operator> {
    setup: Setup<O::Params>,
    part: Option<O::State>,
    evicted: u64,
}

impl<O: Operator> OperatorTable for Taken<O> {
    fn apply(&mut self, visit: &Visit<'_, '_>, hasher: &KeyHasher) -> Cell {
        if let Some(fact) = visit.fact(hasher) {
            O::feed(&self.setup, &fact, self.part.get_or_insert_default());
        }
        Cell::Absent
    }

    fn take_part(&mut self) -> Option<Box<dyn Any + Send>> {
        self.part.take().map(|part| Box::new(part) as Box<dyn Any + Send>)
    }

    fn prefetch(&self, _: u64) {}

    fn bytes(&self) -> usize {
        self.part.as_ref().map_or(0, |part| size_of::<O::State>() + O::heap_bytes(part))
    }

    fn evicted(&self) -> u64 {
        self.evicted
    }

    fn ranks(&self, binding: u16, out: &mut Vec<Rank>) {
        let bytes = self.bytes();
        out.extend(self.part.is_some().then(|| Rank::of_newest(bytes / CELL_BYTES, binding, bytes)));
    }

    fn evict(&mut self, _: &Rank) {
        self.part = None;
        self.evicted += 1;
    }

    fn set_lateness(&mut self, _: i64, _: i64) {}

    fn share(&mut self) -> Box<dyn OperatorTable> {
        Box::new(Self { setup: self.setup.clone(), part: self.part.clone(), ..*self })
    }

    fn save(&self, out: Vec<u8>) -> Vec<u8> {
        postcard::to_extend(&(self.evicted, &self.part), out).expect("plain data, into a vector that grows")
    }

    fn load<'b>(&mut self, bytes: &'b [u8], _: bool) -> Result<&'b [u8], postcard::Error> {
        let ((evicted, part), rest) = postcard::take_from_bytes(bytes)?;
        (self.evicted, self.part) = (evicted, part);
        Ok(rest)
    }
}

/// What a condition reads at `at_ms` of a state.
pub(crate) fn value<O: Operator>(setup: &Setup<O::Params>, at_ms: i64, state: &O::State) -> Cell {
    // What lies a whole window behind the newest event of its key has nothing to do with what the window holds.
    if O::newest_ms(state).is_some_and(|newest_ms| at_ms <= newest_ms.saturating_sub(setup.window_ms)) {
        return Cell::Behind;
    }
    if let Yields::Measure(_) = O::YIELDS {
        return O::measure(setup, at_ms, state).map_or(Cell::Absent, |measure| Cell::Signal(Box::new(measure)));
    }
    match O::read(setup, at_ms, state) {
        OwnedValue::Absent => Cell::Absent,
        value => Cell::Value(value),
    }
}

/// What one state of a binding takes, as its table counts it: after a key's first event, and at the most.
pub(crate) fn entry_bytes(binding: &Binding) -> Bytes {
    binding.operator.accept(EntryBytes)
}

struct EntryBytes;

impl OperatorVisitor for EntryBytes {
    type Output = Bytes;

    fn visit<O: Operator>(self, setup: &Setup<O::Params>) -> Bytes {
        let bounds = O::heap_bounds(setup);
        let entry = |heap: usize| {
            if O::FORM.is_of_all() {
                return size_of::<O::State>() + heap;
            }
            Table::<Remembered<O>>::entry_bytes(cells::<O>(heap))
        };
        Bytes { first: entry(bounds.first), most: entry(bounds.most) }
    }
}

struct New {
    lateness_ms: i64,
}

impl OperatorVisitor for New {
    type Output = Box<dyn OperatorTable>;

    fn visit<O: Operator>(self, setup: &Setup<O::Params>) -> Self::Output {
        if O::FORM.is_of_all() {
            return Box::new(Taken::<O> { setup: setup.clone(), part: None, evicted: 0 });
        }
        let ttl_ms = O::ttl_ms(setup).saturating_add(self.lateness_ms);
        // Its shard bounds it, with others.
        Box::new(Typed::<O> { setup: setup.clone(), table: Table::new(ttl_ms, usize::MAX), waiting: Waiting::default() })
    }
}
