//! One of 256 parts of all keyed state. A shard applies its share of a batch in stream order and never looks at
//! another, so who runs it, and when, changes nothing.

mod pool;

use std::any::Any;
use std::sync::Arc;

use rasid_compiler::ruleset::Binding;
use rasid_detectors::entity::KeyHasher;
use rasid_detectors::operator::AnyOperator;
use serde::de::Error as _;

use crate::batch::{At, Cell, Chunk};
use crate::memory::{Memory, Party};
use crate::operator_table::{OperatorTable, Visit, new_table};
use crate::plan::{Plan, Stage};
use crate::scatter::{Fed, Item, SHARDS};
use crate::timer::{Due, Turn};
use pool::Pool;

/// Bytes of the length that a saved table begins with, little-endian.
const LENGTH_BYTES: usize = 8;

/// A value on its way to its row.
pub(crate) struct Gathered {
    pub(crate) chunk: u32,
    /// Index in the chunk's cells.
    pub(crate) cell: usize,
    pub(crate) value: Cell,
}

/// One table for each binding, and what those of a stage may take together.
pub(crate) struct Shard {
    tables: Vec<Slot>,
    /// By [`Party::SHARDED`].
    pools: [Pool; Party::SHARDED.len()],
}

/// One binding's table, made when something first feeds it: of thousands of bindings a shard has few in use.
struct Slot {
    blank: Arc<Blank>,
    table: Option<Box<dyn OperatorTable>>,
    /// Which of the shard's pools it is of.
    pool: usize,
    /// What it took when its pool last looked.
    bytes: usize,
}

/// What the tables of a binding are made of, the same in all shards.
pub(crate) struct Blank {
    operator: AnyOperator,
    lateness_ms: i64,
    /// Which of the shard's pools it is of.
    pool: usize,
    /// A table that nothing has fed, for who reads one.
    unfed: Box<dyn OperatorTable>,
    /// The same, as it is saved.
    saved: Vec<u8>,
}

impl Blank {
    /// Those of all bindings.
    pub(crate) fn all(layout: Layout<'_>) -> Vec<Arc<Self>> {
        let Layout { bindings, lateness_ms } = layout;
        let of = |binding: &Binding| {
            let operator = binding.operator.clone();
            let unfed = new_table(&operator, lateness_ms);
            let saved = unfed.save(Vec::new());
            let pool = Party::SHARDED.iter().position(|party| *party == Party::of(binding)).expect("shards hold what is of a stage");
            Arc::new(Self { operator, lateness_ms, pool, unfed, saved })
        };
        bindings.iter().map(of).collect()
    }
}

impl Slot {
    fn new(blank: &Arc<Blank>) -> Self {
        Self { blank: Arc::clone(blank), table: None, pool: blank.pool, bytes: 0 }
    }

    /// The table, made if need be.
    #[inline]
    fn made(&mut self) -> &mut dyn OperatorTable {
        let Self { blank, table, .. } = self;
        table.get_or_insert_with(|| new_table(&blank.operator, blank.lateness_ms)).as_mut()
    }
}

/// What goes on with a table that was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GoesOn {
    pub(crate) binding: usize,
    /// Whether an older version of its operator saved it.
    pub(crate) former: bool,
}

/// What a shard's tables are made for.
#[derive(Clone, Copy)]
pub(crate) struct Layout<'a> {
    pub(crate) bindings: &'a [Binding],
    pub(crate) lateness_ms: i64,
}

impl Shard {
    /// Empty tables.
    fn new(blanks: &[Arc<Blank>]) -> Self {
        Self { tables: blanks.iter().map(Slot::new).collect(), pools: Default::default() }
    }

    /// As it was when it was new, but for its quotas.
    pub(crate) fn clear(&mut self) {
        self.tables.iter_mut().for_each(|slot| slot.table = None);
        self.count_anew();
    }

    /// That of a binding, where something has touched it.
    fn table(&self, binding: usize) -> Option<&dyn OperatorTable> {
        self.tables[binding].table.as_deref()
    }

    /// Applies items in stream order; what conditions read is appended to `out`, absent values left out.
    pub(crate) fn apply(
        &mut self,
        items: &[Item],
        stage: Stage,
        chunks: &[Chunk<'_, '_>],
        plan: &Plan,
        hasher: &KeyHasher,
        out: &mut Vec<Gathered>,
    ) {
        for item in items {
            if let Some(table) = self.table(item.binding as usize) {
                table.prefetch(item.key);
            }
        }
        for item in items {
            let chunk = &chunks[item.chunk as usize];
            let At { row, mark } = chunk.at(item.row as usize);
            let step = &plan.of(row.event.data.event_type()).stage(stage)[item.step as usize];
            let binding = &plan.ruleset.bindings[step.binding];
            let feed = step.feed.filter(|_| item.fed.is_some()).map(|feed| &binding.feeds[feed]);
            let firing = match step.firing.map(|cell| &chunk.laid.cells[mark.begins.cells + cell]) {
                Some(Cell::Signal(signal)) => Some(signal.as_ref()),
                _ => None,
            };
            let record = chunk.record(row).bytes;
            let visit = Visit {
                key: item.key,
                row,
                record,
                clock_ms: mark.clock_ms,
                feed,
                firing,
                value_key: step.value.and_then(|part| chunk.laid.parts[mark.begins.parts + part]),
                holds: item.fed.is_some_and(Fed::holds),
                steps: item.fed.map_or(0, Fed::steps),
                read: item.reads,
            };
            let slot = &mut self.tables[step.binding];
            let value = match (item.due, item.fed) {
                (true, _) => slot.made().fire(item.key, row.identity, mark.clock_ms),
                (false, None) if slot.table.is_none() => slot.blank.unfed.absent(row.at_ms),
                (false, _) => slot.made().apply(&visit, hasher),
            };
            if let Some(cell) = step.cell.filter(|_| item.reads)
                && !matches!(value, Cell::Absent)
            {
                out.push(Gathered { chunk: item.chunk, cell: mark.begins.cells + cell, value });
            }
            if item.fed.is_some() || item.due {
                self.settle(step.binding, mark.clock_ms);
            }
        }
    }

    /// When the first wait of those bindings is over, ms of the log's clock.
    pub(crate) fn next_due(&mut self, timers: &[usize]) -> Option<i64> {
        timers.iter().filter_map(|binding| self.tables[*binding].table.as_mut()?.next_due()).min()
    }

    /// Appends the turns of what of those bindings is due before that instant, `most` of each or somewhat more; where that
    /// leaves some out, gives a turn that none of them comes before.
    pub(crate) fn turns(&self, timers: &[usize], before_ms: i64, most: usize, out: &mut Vec<Turn>) -> Option<Turn> {
        #[expect(clippy::cast_possible_truncation, reason = "a plan has far fewer than 2^16 bindings")]
        let left_out = timers.iter().filter_map(|binding| self.table(*binding)?.turns(*binding as u16, before_ms, most, out));
        left_out.min()
    }

    /// The wait of a turn.
    pub(crate) fn due(&self, turn: Turn) -> Option<Due> {
        self.table(usize::from(turn.binding))?.due(turn)
    }

    /// How many waits of those bindings are open at that instant.
    pub(crate) fn open_waits(&self, timers: &[usize], clock_ms: i64) -> usize {
        timers.iter().filter_map(|binding| self.table(*binding)).map(|table| table.open_waits(clock_ms)).sum()
    }

    /// Ends a wait without a word; whether it was open.
    pub(crate) fn give_up(&mut self, due: &Due) -> bool {
        let Turn { over_ms, binding, key, .. } = due.turn;
        let table = self.tables[usize::from(binding)].table.as_mut();
        let was_open = table.is_some_and(|table| !matches!(table.fire(key, due.identity, over_ms), Cell::Absent));
        self.settle(usize::from(binding), over_ms);
        was_open
    }

    /// What a binding with one state for all keys has taken in since it was asked before.
    pub(crate) fn take_part(&mut self, binding: usize) -> Option<Box<dyn Any + Send>> {
        let part = self.tables[binding].table.as_mut()?.take_part();
        self.count(binding);
        part
    }

    /// Makes the tables of another ruleset: `kept` says for each of its bindings which of the old tables it goes on with.
    /// The quotas stay as they are.
    pub(crate) fn switch(&mut self, blanks: &[Arc<Blank>], kept: &[Option<usize>], clock_ms: i64) {
        let mut old = std::mem::take(&mut self.tables);
        let tables = blanks.iter().zip(kept).map(|(blank, kept)| {
            let mut slot = Slot::new(blank);
            slot.table = kept.and_then(|number| old.get_mut(number)).and_then(|slot| slot.table.take());
            if let Some(table) = &mut slot.table {
                table.set_lateness(blank.lateness_ms, clock_ms);
            }
            slot
        });
        self.tables = tables.collect();
        self.count_anew();
    }

    /// Entries of each binding that the memory bound has cost so far.
    pub(crate) fn evicted(&self) -> impl Iterator<Item = u64> {
        self.tables.iter().map(|slot| slot.table.as_ref().map_or(0, |table| table.evicted()))
    }

    /// The same for a snapshot.
    pub(crate) fn share(&mut self) -> Self {
        let shared = |slot: &mut Slot| {
            let table = slot.table.as_mut().map(|table| table.share());
            Slot { blank: Arc::clone(&slot.blank), table, ..*slot }
        };
        Self { tables: self.tables.iter_mut().map(shared).collect(), pools: self.pools.clone() }
    }

    /// Appends every table with its length, in the order of the bindings.
    pub(crate) fn save(&self, out: Vec<u8>) -> Vec<u8> {
        self.tables.iter().fold(out, |mut out, slot| {
            let begin = out.len();
            out.extend([0; LENGTH_BYTES]);
            let mut out = if let Some(table) = &slot.table {
                table.save(out)
            } else {
                out.extend_from_slice(&slot.blank.saved);
                out
            };
            let length = (out.len() - begin - LENGTH_BYTES) as u64;
            out[begin..begin + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
            out
        })
    }

    /// Fills an empty shard with tables that were saved in the order that `order` gives: for each the binding that goes on
    /// with it, if one does.
    pub(crate) fn load<'b>(&mut self, mut bytes: &'b [u8], order: &[Option<GoesOn>]) -> Result<&'b [u8], postcard::Error> {
        for goes_on in order {
            let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>().ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
            let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let (table, rest) = rest.split_at_checked(length).ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
            if let Some((slot, former)) = goes_on.map(|of| (&mut self.tables[of.binding], of.former))
                && slot.blank.saved != table
                && !slot.made().load(table, former)?.is_empty()
            {
                return Err(postcard::Error::custom("a table that is longer than its entries"));
            }
            bytes = rest;
        }
        self.count_anew();
        Ok(bytes)
    }

    /// The same of snapshots up to format 4, which gave no lengths: what nothing goes on with is read, to be passed over. `readers`
    /// gives for each table a binding whose operator reads it, and which is the one that goes on with it if one does.
    pub(crate) fn load_former<'b>(
        &mut self,
        mut bytes: &'b [u8],
        order: &[Option<GoesOn>],
        readers: &[usize],
    ) -> Result<&'b [u8], postcard::Error> {
        for (goes_on, reader) in order.iter().zip(readers) {
            let slot = &mut self.tables[*reader];
            // All were of their first version then.
            let former = slot.blank.operator.spec().version != 1;
            bytes = match goes_on {
                Some(_) => slot.made().load(bytes, former)?,
                None => new_table(&slot.blank.operator, slot.blank.lateness_ms).load(bytes, former)?,
            };
        }
        self.count_anew();
        Ok(bytes)
    }
}

/// All shards, empty.
pub(crate) fn shards(layout: Layout<'_>, memory: &Memory) -> Vec<Shard> {
    let blanks = Blank::all(layout);
    let shard = |_| {
        let mut shard = Shard::new(&blanks);
        shard.set_quotas(memory, i64::MIN);
        shard
    };
    (0..SHARDS).map(shard).collect()
}
