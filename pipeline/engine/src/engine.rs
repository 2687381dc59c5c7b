//! The engine itself: state, and the step that takes it over a batch of the log.

mod change;
mod conclude;
mod config;
mod reconfigure;
mod snapshot;

use std::collections::BTreeMap;

use rasid_compiler::ruleset::Ruleset;
use rasid_detectors::entity::KeyHasher;
use rayon::prelude::*;

use crate::alert::Alert;
use crate::batch::{Chunk, Spare, with_opened};
use crate::condition::{Verdicts, evaluate};
use crate::counters::{Counters, RuleCounters};
use crate::duplicates::{Delivery, Duplicates, Kind};
use crate::memory::Shares;
use crate::plan::{Plan, Stage};
use crate::producers::{ProducerCounters, Producers};
use crate::pseudonym::Pseudonymizer;
use crate::scatter::{ByShard, Scattered, scatter};
use crate::score::{Score, ScoreChange};
use crate::scores::{LivePart, Moment, Scores};
use crate::shard::{Gathered, Layout, Shard, shards};
use crate::suppress::{Issued, Suppression};
use crate::trace::{Trace, trace};
use crate::warming::Warming;

pub use config::Config;
pub use snapshot::{BoxError, Part, RestoreError, Snapshot};

/// Rows whose identities are looked for together.
const PREFETCH: usize = 32;

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

/// A record set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its index in the batch.
    pub record: usize,
    /// Its place in the log.
    pub position: u64,
    /// The field that is wrong, where it is known.
    pub field: Option<String>,
    /// What is wrong, in one line that quotes nothing of it.
    pub reason: String,
}

/// What a batch or a control record gives, in stream order; what one control record does, by entity.
#[derive(Debug, Default)]
pub struct Output {
    /// Alerts opened.
    pub alerts: Vec<Alert>,
    /// Records set aside.
    pub dead_letters: Vec<DeadLetter>,
    /// Scores changed, each change.
    pub scores: Vec<ScoreChange>,
}

/// How far back every first delivery is still known, ms of event clock: the horizon, or less where memory has cost some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Of `gps.*`; half an hour where memory allows.
    pub gps_ms: i64,
    /// Of all else; three days where memory allows.
    pub other_ms: i64,
}

/// Why an engine cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The system refused the threads.
    #[error("cannot start {threads} threads")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system says.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
}

/// `(state, next batch) → (state′, alerts, score changes)`.
pub struct Engine {
    config: Config,
    plan: Plan,
    pseudonymizer: Pseudonymizer,
    hasher: KeyHasher,
    pool: Option<rayon::ThreadPool>,
    /// The newest event clock so far, ms.
    clock_ms: i64,
    duplicates: Duplicates,
    shards: Vec<Shard>,
    suppression: Suppression,
    issued: Issued,
    scores: Scores,
    counters: Counters,
    producers: Producers,
    /// By rule of the ruleset in force.
    rules: Vec<RuleCounters>,
    /// Of the rules that are in it no more, by id.
    former_rules: BTreeMap<String, RuleCounters>,
    /// By rule: the number that scores know it by.
    rule_numbers: Vec<u32>,
    warming: Warming,
    /// Bindings that the snapshot lacked which this was restored from; none once the rules are switched.
    anew: Vec<usize>,
    /// Entries that the memory bound had cost tables that are gone.
    evicted_before: u64,
    /// Memory of the batch before.
    spare: Vec<Spare>,
}

impl Engine {
    /// An engine at the beginning of the log.
    ///
    /// # Errors
    /// [`EngineError::Threads`] when the threads cannot be started.
    pub fn new(ruleset: Ruleset, config: Config, pseudonymizer: Pseudonymizer) -> Result<Self, EngineError> {
        let pool = match config.threads {
            0 | 1 => None,
            threads => Some(
                rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .thread_name(|index| format!("engine-{index}"))
                    .build()
                    .map_err(|source| EngineError::Threads { threads, source })?,
            ),
        };
        let Shares { duplicates, each, .. } = Shares::of(&config);
        let mut scores = Scores::new(each);
        Ok(Self {
            hasher: pseudonymizer.key_hasher(),
            pseudonymizer,
            pool,
            clock_ms: i64::MIN,
            duplicates: Duplicates::new(duplicates),
            shards: shards(layout(&ruleset, &config)),
            suppression: Suppression::new(suppress_ms_max(&ruleset), config.lateness_ms, each),
            issued: Issued::new(each),
            rule_numbers: ruleset.rules.iter().map(|rule| scores.number(&rule.id)).collect(),
            scores,
            counters: Counters::default(),
            producers: Producers::default(),
            rules: ruleset.rules.iter().map(|rule| RuleCounters { rule: rule.id.clone(), ..RuleCounters::default() }).collect(),
            former_rules: BTreeMap::new(),
            warming: Warming::new(&ruleset, vec![None; ruleset.bindings.len()]),
            anew: Vec::new(),
            evicted_before: 0,
            plan: Plan::new(ruleset),
            spare: Vec::new(),
            config,
        })
    }

    /// Takes the state over the next records of the log. However they are cut into batches, the outputs are the same.
    pub fn process(&mut self, records: &[Record<'_>]) -> Output {
        self.step(records, None)
    }

    /// Does the same, and says what every condition saw on the way.
    pub fn process_traced(&mut self, records: &[Record<'_>]) -> (Output, Vec<Trace>) {
        let mut traces = Vec::new();
        let output = self.step(records, Some(&mut traces));
        (output, traces)
    }

    fn step(&mut self, records: &[Record<'_>], traces: Option<&mut Vec<Trace>>) -> Output {
        let output = Output::default();
        if records.is_empty() {
            return output;
        }
        let mut chunks = self.decode(records);
        // Rare, and then worth a second decoding: everything else is read from records as they came.
        let opened: Vec<_> = chunks.iter_mut().flat_map(|chunk| std::mem::take(&mut chunk.opened)).collect();
        if opened.is_empty() {
            return self.decided(chunks, records, output, traces);
        }
        self.spare.extend(chunks.into_iter().map(Chunk::into_spare));
        let records = with_opened(records, &opened);
        let chunks = self.decode(&records);
        self.decided(chunks, &records, output, traces)
    }

    /// What comes of records that are decoded.
    fn decided(
        &mut self,
        mut chunks: Vec<Chunk<'_>>,
        records: &[Record<'_>],
        mut output: Output,
        traces: Option<&mut Vec<Trace>>,
    ) -> Output {
        self.order(&mut chunks, records, &mut output);
        for stage in [Stage::First, Stage::Second].into_iter().take(if self.plan.has_second { 2 } else { 1 }) {
            let scattered = self.scatter(&mut chunks, stage, records);
            self.apply(&mut chunks, stage, &scattered);
        }
        let verdicts = self.evaluate(&chunks, records);
        if let Some(traces) = traces {
            traces.extend(chunks.iter().flat_map(|chunk| trace(chunk, records, &self.plan, &self.pseudonymizer)));
        }
        self.conclude(&chunks, &verdicts, records, &mut output);
        self.spare.extend(chunks.into_iter().map(Chunk::into_spare));
        output
    }

    /// Every score of 1 or more as of the event clock, by entity.
    pub fn scores(&self) -> Vec<Score> {
        self.live_scores().into_iter().filter_map(|change| change.score).collect()
    }

    /// The same as changes, for telling them to a receiver that has lost them: with the version of each one's newest
    /// change, the level that it has as the one before, and position 0.
    pub fn live_scores(&self) -> Vec<ScoreChange> {
        self.scores.live(Moment { position: 0, clock_ms: self.clock_ms.max(0), ruleset: &self.plan.ruleset.hash })
    }

    /// The same in parts, so that one who looks through all of them holds nobody up: those in `places` places from `from` on,
    /// which begins at 0.
    pub fn live_scores_part(&self, from: usize, places: usize) -> LivePart {
        self.scores.live_part(Moment { position: 0, clock_ms: self.clock_ms.max(0), ruleset: &self.plan.ruleset.hash }, from, places)
    }

    /// How many live scores stand under pseudonyms of another secret alone, and when the last of them ends by itself, Unix
    /// ms: an alert gives a score the new name, and nothing else can.
    pub fn scores_named_otherwise(&self) -> (usize, i64) {
        self.scores.named_otherwise(&format!("p{}_", self.pseudonymizer.number()), self.clock_ms.max(0))
    }

    /// The event clock: the newest so far, Unix ms; `i64::MIN` before the first event.
    pub fn clock_ms(&self) -> i64 {
        self.clock_ms
    }

    /// Counts so far.
    pub fn counters(&self) -> Counters {
        let shards = self.shards.iter().map(Shard::evicted).sum::<u64>();
        let evicted = self.evicted_before
            + shards
            + self.suppression.evicted()
            + self.issued.evicted()
            + self.scores.evicted()
            + self.duplicates.evicted();
        Counters { evicted, ..self.counters.clone() }
    }

    /// Counts of each producer so far, in the order in which they first came.
    pub fn producer_counters(&self) -> Vec<ProducerCounters> {
        self.producers.counters()
    }

    /// Counts of each rule so far, in the order of their ids.
    pub fn rule_counters(&self) -> &[RuleCounters] {
        &self.rules
    }

    /// Ids of all rules that were ever in force and are in the ruleset no more, in order.
    pub fn former_rules(&self) -> impl Iterator<Item = &str> {
        self.former_rules.keys().map(String::as_str)
    }

    /// Active rules that run in shadow yet, as something that they read is younger than its window, with the event clock up to
    /// which they do, Unix ms.
    pub fn warming_rules(&self) -> impl Iterator<Item = (&str, i64)> {
        let until = |(number, rule)| Some((rule, self.warming.until_ms(number, rule, self.clock_ms)?));
        self.plan.ruleset.rules.iter().enumerate().filter_map(until).map(|(rule, until_ms)| (rule.id.as_str(), until_ms))
    }

    /// Hash of the ruleset in force.
    pub fn ruleset_hash(&self) -> &str {
        &self.plan.ruleset.hash
    }

    /// How far back an event that is delivered again is known.
    pub fn reach(&self) -> Reach {
        Reach { gps_ms: self.duplicates.reach_ms(Kind::Gps), other_ms: self.duplicates.reach_ms(Kind::Other) }
    }

    /// Keyed state as the memory bound counts it, bytes.
    pub fn state_bytes(&self) -> usize {
        self.shards.iter().map(Shard::bytes).sum()
    }

    /// Records to events and faults, chunk by chunk.
    fn decode<'a>(&mut self, records: &[Record<'a>]) -> Vec<Chunk<'a>> {
        let (limits, hasher) = (&self.config.limits, &self.hasher);
        match &self.pool {
            None => vec![Chunk::decode(records, 0, limits, hasher, self.spare.pop().unwrap_or_default())],
            Some(pool) => {
                // Several chunks a thread, so that one of long records does not hold up the rest.
                let size = records.len().div_ceil(pool.current_num_threads() * 4).max(1);
                self.spare.resize_with(records.len().div_ceil(size), Spare::default);
                let spare = std::mem::take(&mut self.spare);
                pool.install(|| {
                    let parts = records.par_chunks(size).enumerate().zip(spare);
                    parts.map(|((number, part), spare)| Chunk::decode(part, number * size, limits, hasher, spare)).collect()
                })
            }
        }
    }

    /// What depends on the order of the whole stream: the event clock, lateness, the future, duplicates.
    fn order(&mut self, chunks: &mut [Chunk<'_>], records: &[Record<'_>], output: &mut Output) {
        let Self { config, counters, producers, duplicates, clock_ms, .. } = self;
        counters.records += records.len() as u64;
        let mut dead_letter = |record: usize, field: Option<String>, reason: String| {
            output.dead_letters.push(DeadLetter { record, position: records[record].position, field, reason });
        };
        for chunk in chunks.iter_mut() {
            counters.unknown_types += chunk.unknown_types;
            counters.oversized_ids += chunk.oversized_ids;
            counters.bad_events += chunk.tally.bad_events();
            producers.add(&chunk.tally);
            for (record, fault) in chunk.faults.drain(..) {
                dead_letter(record, fault.field, fault.reason);
            }
            for rows in chunk.rows.chunks_mut(PREFETCH) {
                duplicates.prefetch(rows.iter().map(|row| row.identity));
                for row in rows {
                    if row.at_ms > records[row.record].arrival_ms.saturating_add(config.future_ms) {
                        row.live = false;
                        let field = if row.event.received.is_some() { "receivedtime" } else { "time" };
                        let reason = format!("future: more than {} s ahead of its arrival", config.future_ms / 1000);
                        dead_letter(row.record, Some(field.to_owned()), reason);
                        continue;
                    }
                    match duplicates.check(Kind::of(row.event.data.event_type()), row.identity, row.content, row.at_ms) {
                        Delivery::First => {}
                        delivery => {
                            row.live = false;
                            counters.duplicates += 1;
                            counters.duplicate_conflicts += u64::from(delivery == Delivery::Conflict);
                            continue;
                        }
                    }
                    row.late = row.at_ms < clock_ms.saturating_sub(config.lateness_ms);
                    *clock_ms = (*clock_ms).max(row.at_ms);
                    row.clock_ms = *clock_ms;
                    counters.events += 1;
                    counters.late += u64::from(row.late);
                }
            }
        }
        output.dead_letters.sort_by_key(|letter| letter.record);
        counters.dead_letters += output.dead_letters.len() as u64;
    }

    /// Finds which state each row touches.
    fn scatter(&mut self, chunks: &mut [Chunk<'_>], stage: Stage, records: &[Record<'_>]) -> ByShard {
        let (plan, hasher) = (&self.plan, &self.hasher);
        let run = |(number, chunk): (usize, &mut Chunk<'_>)| scatter(chunk, number, stage, records, plan, hasher);
        let scattered: Vec<Scattered> = match &self.pool {
            None => chunks.iter_mut().enumerate().map(run).collect(),
            Some(pool) => pool.install(|| chunks.par_iter_mut().enumerate().map(run).collect()),
        };
        self.counters.filter_errors += scattered.iter().map(|part| part.filter_errors).sum::<u64>();
        ByShard::new(&scattered)
    }

    /// Applies each shard's share in stream order, then gathers the values into their rows.
    fn apply(&mut self, chunks: &mut [Chunk<'_>], stage: Stage, items: &ByShard) {
        let (plan, hasher) = (&self.plan, &self.hasher);
        let gathered: Vec<Gathered> = {
            let chunks = &*chunks;
            let run =
                |number: usize, shard: &mut Shard, out: &mut Vec<Gathered>| shard.apply(items.of(number), stage, chunks, plan, hasher, out);
            match &self.pool {
                None => {
                    let mut out = Vec::new();
                    self.shards.iter_mut().enumerate().for_each(|(number, shard)| run(number, shard, &mut out));
                    out
                }
                Some(pool) => pool.install(|| {
                    self.shards
                        .par_iter_mut()
                        .enumerate()
                        .fold(Vec::new, |mut out, (number, shard)| {
                            run(number, shard, &mut out);
                            out
                        })
                        .flatten_iter()
                        .collect()
                }),
            }
        };
        // Each cell is written by one shard, so the order of writing says nothing.
        for Gathered { chunk, cell, value } in gathered {
            chunks[chunk as usize].cells[cell] = value;
        }
    }

    /// Runs the conditions.
    fn evaluate(&self, chunks: &[Chunk<'_>], records: &[Record<'_>]) -> Vec<Verdicts> {
        let plan = &self.plan;
        match &self.pool {
            None => chunks.iter().map(|chunk| evaluate(chunk, records, plan)).collect(),
            Some(pool) => pool.install(|| chunks.par_iter().map(|chunk| evaluate(chunk, records, plan)).collect()),
        }
    }
}

/// What keyed state is made for.
fn layout<'a>(ruleset: &'a Ruleset, config: &Config) -> Layout<'a> {
    Layout { bindings: &ruleset.bindings, lateness_ms: config.lateness_ms, bytes_max: Shares::of(config).keyed }
}

fn suppress_ms_max(ruleset: &Ruleset) -> i64 {
    ruleset.rules.iter().map(|rule| rule.suppress_ms).max().unwrap_or(0)
}
