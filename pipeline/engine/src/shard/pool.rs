//! What the tables of one stage may take together in one shard: all bindings compete for it.
//!
//! A stage's tables are changed one item after the other, in stream order, and a stage is gone through apart from the others.
//! So what is evicted, which hangs on all of them, is the same for any threads and any cut of the log into batches.

use super::Shard;
use crate::keyed_state::{Rank, room_in, take_least};
use crate::memory::{Memory, Party};
use crate::scatter::SHARDS;

/// See the module's header.
#[derive(Clone, Default)]
pub(super) struct Pool {
    quota: usize,
    used: usize,
}

impl Shard {
    /// Takes other quotas, and keeps to them at once.
    pub(crate) fn set_quotas(&mut self, memory: &Memory, clock_ms: i64) {
        for (number, party) in Party::SHARDED.iter().enumerate() {
            self.pools[number].quota = memory.quota(*party) / SHARDS;
            if self.pools[number].used > self.pools[number].quota {
                self.make_room(number, clock_ms);
            }
        }
    }

    /// Memory of each of [`Party::SHARDED`], as the bound counts it.
    pub(crate) fn used(&self) -> [usize; Party::SHARDED.len()] {
        std::array::from_fn(|pool| self.pools[pool].used)
    }

    /// Counts again what one table takes.
    #[inline]
    pub(super) fn count(&mut self, binding: usize) {
        let slot = &mut self.tables[binding];
        let (before, pool) = (slot.bytes, &mut self.pools[slot.pool]);
        slot.bytes = slot.table.as_ref().map_or(0, |table| table.bytes());
        pool.used = pool.used + slot.bytes - before;
    }

    /// The same of all.
    pub(super) fn count_anew(&mut self) {
        for binding in 0..self.tables.len() {
            self.tables[binding].bytes = 0;
        }
        self.pools.iter_mut().for_each(|pool| pool.used = 0);
        (0..self.tables.len()).for_each(|binding| self.count(binding));
    }

    /// One table has changed: makes room where its pool is full by that.
    #[inline]
    pub(super) fn settle(&mut self, binding: usize, clock_ms: i64) {
        self.count(binding);
        let pool = self.tables[binding].pool;
        if self.pools[pool].used > self.pools[pool].quota {
            self.make_room(pool, clock_ms);
        }
    }

    /// Forgets what is over, and then what is worth least, down to seven eighths of the quota.
    #[cold]
    fn make_room(&mut self, pool: usize, clock_ms: i64) {
        self.each_of(pool, |shard, binding| {
            if let Some(table) = &mut shard.tables[binding].table {
                table.sweep(clock_ms);
            }
        });
        let Pool { quota, used } = self.pools[pool];
        let target = room_in(quota);
        if used <= target {
            return;
        }
        let mut ranks: Vec<Rank> = Vec::new();
        for (binding, slot) in (0_u16..).zip(&self.tables).filter(|(_, slot)| slot.pool == pool) {
            if let Some(table) = &slot.table {
                table.ranks(binding, &mut ranks);
            }
        }
        let mut left = used;
        take_least(&mut ranks, &mut left, target, |rank| {
            if let Some(table) = &mut self.tables[usize::from(rank.binding)].table {
                table.evict(rank);
            }
        });
        self.each_of(pool, |shard, binding| {
            if let Some(table) = &mut shard.tables[binding].table {
                table.fit();
            }
        });
    }

    /// Does something with each binding of a pool, and counts again what it takes.
    fn each_of(&mut self, pool: usize, mut change: impl FnMut(&mut Self, usize)) {
        for binding in 0..self.tables.len() {
            if self.tables[binding].pool == pool {
                change(self, binding);
                self.count(binding);
            }
        }
    }
}
