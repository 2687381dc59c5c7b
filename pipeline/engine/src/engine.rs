//! The engine itself: state, and the step that takes it over a batch of the log.

mod alerts;
mod change;
mod conclude;
mod config;
mod deal;
mod decode;
mod reconfigure;
mod snapshot;
mod stages;
mod stream;

use std::collections::BTreeMap;

use rasid_compiler::ruleset::Ruleset;
use rasid_detectors::entity::KeyHasher;

use crate::alert::Alert;
use crate::batch::{Batch, Opened, Record, Spare, SpareRows};
use crate::brake::{Brake, BrakedRule};
use crate::counters::{Counters, RuleCounters};
use crate::duplicates::{Duplicates, Kind};
use crate::look::{Around, Look};
use crate::memory::{Memory, Party};
use crate::plan::Plan;
use crate::population::Populations;
use crate::producers::{ProducerCounters, Producers};
use crate::pseudonym::Pseudonymizer;
use crate::score::{Score, ScoreChange};
use crate::scores::{LivePart, Moment, Scores};
use crate::shard::{Layout, Shard, shards};
use crate::suppress::{Issued, Suppression};
use crate::timer::DUE_MAX;
use crate::trace::Trace;
use crate::warming::Warming;

pub use alerts::SOURCE;
pub use config::Config;
pub use snapshot::{BoxError, Part, RestoreError, Snapshot};

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
    memory: Memory,
    duplicates: Duplicates,
    shards: Vec<Shard>,
    populations: Populations,
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
    /// Of the rules that read scores, whose reasons are no part of what they read.
    score_readers: Vec<u32>,
    /// What stands for every score that is read, in a rule's test.
    assumed_score: Option<u8>,
    warming: Warming,
    brake: Brake,
    /// Bindings that the snapshot lacked which this was restored from; none once the rules are switched.
    anew: Vec<usize>,
    /// Entries that the memory bound had cost tables that are gone, by operator.
    evicted_before: BTreeMap<String, u64>,
    /// So many waits that are over are seen once more together at the most.
    due_max: usize,
    /// Memory of the batch before.
    spare: Vec<Spare>,
    spare_rows: Vec<SpareRows>,
    /// The alert that is looked at more closely.
    look: Option<Look>,
}

/// What is counted by rule, at the beginning.
fn counters_of(ruleset: &Ruleset) -> Vec<RuleCounters> {
    ruleset.rules.iter().map(|rule| RuleCounters { rule: rule.id.clone(), ..RuleCounters::default() }).collect()
}

/// The numbers of the rules that read scores.
fn score_readers(ruleset: &Ruleset, scores: &mut Scores) -> Vec<u32> {
    ruleset.rules.iter().filter(|rule| rule.reads_score()).map(|rule| scores.number(&rule.id)).collect()
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
        let memory = Memory::new(&config, &ruleset);
        let hasher = pseudonymizer.key_hasher();
        let mut scores = Scores::new(memory.quota(Party::Scores));
        Ok(Self {
            pseudonymizer,
            pool,
            clock_ms: i64::MIN,
            duplicates: Duplicates::new(memory.quota(Party::Duplicates)),
            shards: shards(layout(&ruleset, &config), &memory),
            populations: Populations::new(layout(&ruleset, &config), &memory, &hasher),
            suppression: Suppression::new(suppress_ms_max(&ruleset), config.lateness_ms, memory.quota(Party::Suppression)),
            issued: Issued::new(memory.quota(Party::Issued)),
            memory,
            hasher,
            rule_numbers: ruleset.rules.iter().map(|rule| scores.number(&rule.id)).collect(),
            score_readers: score_readers(&ruleset, &mut scores),
            assumed_score: None,
            scores,
            counters: Counters::default(),
            producers: Producers::default(),
            rules: counters_of(&ruleset),
            former_rules: BTreeMap::new(),
            warming: Warming::new(&ruleset, vec![None; ruleset.bindings.len()]),
            brake: Brake::new(&ruleset),
            anew: Vec::new(),
            evicted_before: BTreeMap::new(),
            due_max: DUE_MAX,
            plan: Plan::new(ruleset, hasher),
            spare: Vec::new(),
            spare_rows: Vec::new(),
            look: None,
            config,
        })
    }

    /// Goes back to the beginning of the log, with the rules and the set-up that it has: what is left is as if it were new.
    pub(crate) fn restart(&mut self) {
        // By name, so that nothing that an engine has is forgotten here.
        let Self {
            config,
            plan,
            pseudonymizer: _,
            hasher,
            pool: _,
            clock_ms,
            memory,
            duplicates,
            shards,
            populations,
            suppression,
            issued,
            scores,
            counters,
            producers,
            rules,
            former_rules,
            rule_numbers,
            score_readers: readers,
            assumed_score,
            warming,
            brake,
            anew,
            evicted_before,
            due_max: _,
            spare: _,
            spare_rows: _,
            look: _,
        } = self;
        let ruleset = &plan.ruleset;
        *clock_ms = i64::MIN;
        *memory = Memory::new(config, ruleset);
        duplicates.clear();
        for shard in shards {
            shard.clear();
            shard.set_quotas(memory, i64::MIN);
        }
        *populations = Populations::new(layout(ruleset, config), memory, hasher);
        *suppression = Suppression::new(suppress_ms_max(ruleset), config.lateness_ms, memory.quota(Party::Suppression));
        *issued = Issued::new(memory.quota(Party::Issued));
        *scores = Scores::new(memory.quota(Party::Scores));
        (*counters, *producers) = (Counters::default(), Producers::default());
        *rules = counters_of(ruleset);
        former_rules.clear();
        *rule_numbers = ruleset.rules.iter().map(|rule| scores.number(&rule.id)).collect();
        *readers = score_readers(ruleset, scores);
        *assumed_score = None;
        *warming = Warming::new(ruleset, vec![None; ruleset.bindings.len()]);
        *brake = Brake::new(ruleset);
        (*anew, *evicted_before) = (Vec::new(), BTreeMap::new());
    }

    /// Takes it that others have made a score of every entity: what a rule's test says that it reads.
    pub fn assume(&mut self, score: u8) {
        self.assumed_score = Some(score);
    }

    /// Takes the state over the next records of the log: [`Engine::decode`] and [`Engine::step`] in one. However they are cut
    /// into batches, the outputs are the same.
    pub fn process(&mut self, records: &[Record<'_>]) -> Output {
        let opened = Opened::default();
        let batch = self.decode(records, &opened);
        let output = self.step(&batch);
        self.recycle(batch);
        output
    }

    /// Does the same, and says what every condition saw on the way.
    pub fn process_traced(&mut self, records: &[Record<'_>]) -> (Output, Vec<Trace>) {
        let opened = Opened::default();
        let batch = self.decode(records, &opened);
        self.step_traced(&batch)
    }

    /// Takes the state over a batch, which any engine may have decoded that has the same secret and the same bounds on one
    /// record.
    ///
    /// # Panics
    /// When the batch was decoded under another secret: its identities would be nobody's.
    pub fn step(&mut self, batch: &Batch<'_>) -> Output {
        let mut output = Output::default();
        self.take(batch, &mut output, None);
        output
    }

    /// Does the same, and says what every condition saw on the way.
    ///
    /// # Panics
    /// As [`Engine::step`].
    pub fn step_traced(&mut self, batch: &Batch<'_>) -> (Output, Vec<Trace>) {
        let (mut output, mut traces) = (Output::default(), Vec::new());
        self.take(batch, &mut output, Some(&mut traces));
        (output, traces)
    }

    /// Looks more closely at one alert from now on. It costs a comparison for each condition at the alert's instant, in the second pass
    /// one for whatever is fed.
    pub fn look_at(&mut self, look: Look) {
        self.look = Some(look);
    }

    /// What is looked at.
    pub fn look(&self) -> Option<&Look> {
        self.look.as_ref()
    }

    /// The same, when it is over.
    pub fn looked(&mut self) -> Option<Look> {
        self.look.take()
    }

    /// Does something to what is looked at.
    fn looking(&mut self, act: impl FnOnce(&mut Look, Around<'_>)) {
        let Self { look, plan, populations, pseudonymizer, hasher, .. } = self;
        if let Some(look) = look {
            act(look, Around { plan, populations, pseudonymizer, hasher });
        }
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

    /// The score of the entity that leaves by that name, `kind:id`, as of the event clock; `None` below 1 where no advice stands.
    /// It is looked for among all: some milliseconds where there are a hundred thousand.
    pub fn live_score(&self, entity: &str) -> Option<Score> {
        self.scores.named(Moment { position: 0, clock_ms: self.clock_ms.max(0), ruleset: &self.plan.ruleset.hash }, entity)
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
        let evicted = self.evictions().values().sum();
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

    /// Rules that opened more alerts in the last closed hour than people can be told of, and those that did so after a change and are in
    /// shadow since.
    pub fn braked_rules(&self) -> Vec<BrakedRule> {
        self.brake.holding(&self.plan.ruleset)
    }

    /// Hash of the ruleset in force.
    pub fn ruleset_hash(&self) -> &str {
        &self.plan.ruleset.hash
    }

    /// How far back an event that is delivered again is known.
    pub fn reach(&self) -> Reach {
        Reach { gps_ms: self.duplicates.reach_ms(Kind::Gps), other_ms: self.duplicates.reach_ms(Kind::Other) }
    }

    /// How many waits are open at the event clock: what they come to is known when the log goes on.
    pub fn open_waits(&self) -> usize {
        self.shards.iter().map(|shard| shard.open_waits(&self.plan.timers, self.clock_ms)).sum()
    }
}

/// What keyed state is made for.
fn layout<'a>(ruleset: &'a Ruleset, config: &Config) -> Layout<'a> {
    Layout { bindings: &ruleset.bindings, lateness_ms: config.lateness_ms }
}

fn suppress_ms_max(ruleset: &Ruleset) -> i64 {
    ruleset.rules.iter().map(|rule| rule.suppress_ms).max().unwrap_or(0)
}
