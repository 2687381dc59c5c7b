//! The memory bound at work: who uses how much of it, what each may use, and what that has cost.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::Engine;
use crate::memory::{Bytes, Memory, Party};
use crate::shard::Shard;

/// What older snapshots tell of no operator.
const OTHER: &str = "other";

impl Engine {
    /// Deals the memory bound anew if the log has come to a position at which it is dealt. All that comes before that position
    /// is done, and nothing of what comes at it.
    pub(super) fn deal_at(&mut self, position: u64) {
        if self.memory.is_due(position) {
            self.deal();
        }
    }

    /// Deals the memory bound anew, and keeps to it at once.
    pub(super) fn deal(&mut self) {
        let used = self.used();
        self.memory.deal(used);
        self.keep_to_quotas();
    }

    /// Takes another bound or ruleset as it is dealt from now on.
    pub(super) fn deal_otherwise(&mut self) {
        self.memory.set(&self.config, &self.plan.ruleset);
        self.duplicates.set_owed(self.memory.share(Party::Duplicates));
        self.deal();
    }

    /// Goes on with quotas that were saved.
    pub(super) fn keep_to_quotas(&mut self) {
        let Self { memory, clock_ms, duplicates, shards, populations, suppression, issued, scores, pool, .. } = self;
        let (memory, clock_ms): (&Memory, i64) = (memory, *clock_ms);
        duplicates.set_quota(memory.quota(Party::Duplicates));
        let keep = |shard: &mut Shard| shard.set_quotas(memory, clock_ms);
        match pool {
            None => shards.iter_mut().for_each(keep),
            Some(pool) => pool.install(|| shards.par_iter_mut().for_each(keep)),
        }
        populations.set_quota(memory.quota(Party::Populations));
        suppression.set_share(memory.quota(Party::Suppression), clock_ms);
        issued.set_share(memory.quota(Party::Issued), clock_ms);
        scores.set_share(memory.quota(Party::Scores), clock_ms);
    }

    fn used(&self) -> Bytes {
        let mut used = Bytes::default();
        for shard in self.shards.iter().map(Shard::used) {
            for (party, bytes) in Party::SHARDED.into_iter().zip(shard) {
                used.set(party, used.of(party) + bytes);
            }
        }
        used.set(Party::Duplicates, self.duplicates.bytes());
        used.set(Party::Populations, self.populations.bytes());
        used.set(Party::Suppression, self.suppression.bytes());
        used.set(Party::Issued, self.issued.bytes());
        used.set(Party::Scores, self.scores.bytes());
        used
    }

    /// Keyed state as the memory bound counts it, bytes.
    pub fn state_bytes(&self) -> usize {
        self.shards.iter().flat_map(Shard::used).sum::<usize>() + self.populations.bytes()
    }

    /// All that the memory bound bounds, as it counts it, bytes: keyed state, duplicates, suppression, issued alerts and scores.
    pub fn memory_bytes(&self) -> usize {
        self.used().sum()
    }

    /// States that the memory bound has cost so far, by operator, with none of those in force left out; and what it has cost
    /// `duplicates`, `suppression`, `alerts` (those that were issued) and `scores`.
    pub fn evictions(&self) -> BTreeMap<&str, u64> {
        let mut evictions: BTreeMap<&str, u64> = BTreeMap::new();
        for (binding, count) in self.plan.ruleset.bindings.iter().zip(self.evicted_by_binding()) {
            *evictions.entry(binding.operator.spec().name).or_default() += count;
        }
        for (operator, count) in &self.evicted_before {
            *evictions.entry(operator).or_default() += count;
        }
        evictions.extend([
            ("duplicates", self.duplicates.evicted()),
            ("suppression", self.suppression.evicted()),
            ("alerts", self.issued.evicted()),
            ("scores", self.scores.evicted()),
        ]);
        evictions
    }

    fn evicted_by_binding(&self) -> Vec<u64> {
        let mut counts: Vec<u64> = (0..self.plan.ruleset.bindings.len()).map(|binding| self.populations.evicted(binding)).collect();
        for shard in &self.shards {
            counts.iter_mut().zip(shard.evicted()).for_each(|(count, more)| *count += more);
        }
        counts
    }

    /// Remembers what the memory bound has cost those bindings that are given up now.
    pub(super) fn remember_evictions(&mut self, kept: &[Option<usize>]) {
        let counts = self.evicted_by_binding().into_iter().zip(&self.plan.ruleset.bindings).enumerate();
        for (_, (count, binding)) in counts.filter(|(number, (count, _))| *count > 0 && !kept.contains(&Some(*number))) {
            *self.evicted_before.entry(binding.operator.spec().name.to_owned()).or_default() += count;
        }
    }

    /// Takes over what had been counted when a snapshot was taken: by operator, and of operators that are not told.
    pub(super) fn set_evicted_before(&mut self, by_operator: BTreeMap<String, u64>, others: u64) {
        self.evicted_before = by_operator;
        if others > 0 {
            *self.evicted_before.entry(OTHER.to_owned()).or_default() += others;
        }
    }
}
