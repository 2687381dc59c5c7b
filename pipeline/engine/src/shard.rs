//! One of 256 parts of all keyed state. A shard applies its share of a batch in stream order and never looks at
//! another, so who runs it, and when, changes nothing.

use rasid_compiler::ruleset::Binding;
use rasid_detectors::entity::KeyHasher;

use crate::batch::{Cell, Chunk};
use crate::binding_table::{BindingTable, Visit};
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

/// What a shard's tables are made for.
#[derive(Clone, Copy)]
pub(crate) struct Layout<'a> {
    pub(crate) bindings: &'a [Binding],
    pub(crate) lateness_ms: i64,
    /// Bound on all shards together.
    pub(crate) bytes_max: usize,
}

impl Layout<'_> {
    /// One table's share.
    fn share(&self) -> usize {
        self.bytes_max / SHARDS / self.bindings.len().max(1)
    }
}

impl Shard {
    /// Empty tables.
    fn new(layout: Layout<'_>) -> Self {
        Self { tables: layout.bindings.iter().map(|binding| BindingTable::new(binding, layout.lateness_ms, layout.share())).collect() }
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

    /// Makes the tables of another ruleset: `kept` says for each of its bindings which of the old tables it goes on with.
    /// Gives how many entries the memory bound had cost the tables that are dropped.
    pub(crate) fn switch(&mut self, layout: Layout<'_>, kept: &[Option<usize>], clock_ms: i64) -> u64 {
        let mut old: Vec<Option<BindingTable>> = std::mem::take(&mut self.tables).into_iter().map(Some).collect();
        let tables = layout.bindings.iter().zip(kept).map(|(binding, kept)| {
            match kept.and_then(|number| old.get_mut(number)).and_then(Option::take) {
                Some(mut table) => {
                    table.set_lateness(binding, layout.lateness_ms, clock_ms);
                    table.set_share(layout.share(), clock_ms);
                    table
                }
                None => BindingTable::new(binding, layout.lateness_ms, layout.share()),
            }
        });
        self.tables = tables.collect();
        old.iter().flatten().map(BindingTable::evicted).sum()
    }

    /// Entries that the memory bound has cost so far.
    pub(crate) fn evicted(&self) -> u64 {
        self.tables.iter().map(BindingTable::evicted).sum()
    }

    /// Memory as the bound counts it.
    pub(crate) fn bytes(&self) -> usize {
        self.tables.iter().map(BindingTable::bytes).sum()
    }

    /// The same for a snapshot.
    pub(crate) fn share(&mut self) -> Self {
        Self { tables: self.tables.iter_mut().map(BindingTable::share).collect() }
    }

    /// Appends every table, in the order of the bindings.
    pub(crate) fn save(&self, out: Vec<u8>) -> Vec<u8> {
        self.tables.iter().fold(out, |out, table| table.save(out))
    }

    /// Fills an empty shard with tables that were saved in the order that `order` gives: for each its binding.
    pub(crate) fn load<'b>(&mut self, mut bytes: &'b [u8], order: &[usize]) -> Result<&'b [u8], postcard::Error> {
        for binding in order {
            bytes = self.tables[*binding].load(bytes)?;
        }
        Ok(bytes)
    }
}

/// All shards, empty.
pub(crate) fn shards(layout: Layout<'_>) -> Vec<Shard> {
    (0..SHARDS).map(|_| Shard::new(layout)).collect()
}
