//! The log into effects: the engine over one block after another, and after a crash the comparison with what had been
//! committed.

use rasid_compiler::ruleset::Ruleset;
use rasid_connectors::alerts::{Change, Changed, Opened};
use rasid_connectors::effect::Item;
use rasid_connectors::log::{Block, Control, Entry, Keys, Settings as LogSettings};
use rasid_detectors::event::time::{format_rfc3339, parse_rfc3339};
use rasid_engine::{Alert, Engine, EngineError, Output, Record, ScoreChange, Snapshot};

use crate::decide::comparison::{Committed, Compared, Comparison};
use crate::decide::engine_setup::EngineSetup;
use crate::decide::invariants::{self, Broken};
use crate::decide::route::Routes;

/// Where the worker gets a ruleset that the log names.
pub trait Rulesets: Send {
    /// The ruleset of that hash.
    fn load(&self, hash: &str) -> Result<Ruleset, Box<dyn std::error::Error + Send + Sync>>;
}

/// Why the log cannot be applied further.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The first record is not a ruleset switch, and there is no state to go on from.
    #[error("log position {position} comes before any ruleset")]
    NoRuleset {
        /// Where.
        position: u64,
    },
    /// A record that is not the next one.
    #[error("log position {found} follows {applied}")]
    OutOfOrder {
        /// The newest that was applied.
        applied: u64,
        /// What came.
        found: u64,
    },
    /// The ruleset that the log switches to is not to be had.
    #[error("the log switches to {hash} at position {position}")]
    Ruleset {
        /// Where.
        position: u64,
        /// Which.
        hash: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The log goes on under a secret that the data folder does not have.
    #[error("the log goes on under pseudonym secrets at position {position} that this data folder does not have: {keys:?}")]
    Keys {
        /// Where.
        position: u64,
        /// Which.
        keys: Option<Keys>,
    },
    /// What the engine gave must not be.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The engine could not be set up.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An alert has no JSON form.
    #[error("an alert at log position {position} has no JSON form")]
    Encode {
        /// Where.
        position: u64,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// One alert as it is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenAlert {
    /// Position of the opening event.
    pub position: u64,
    /// The alert, byte for byte.
    pub json: String,
}

/// A record set aside, with all that its reader needs.
#[derive(Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Its place in the log.
    pub position: u64,
    /// When it arrived, Unix ms.
    pub arrival_ms: i64,
    /// The field that is wrong, where it is known.
    pub field: Option<String>,
    /// What is wrong.
    pub reason: String,
    /// The stream that it came from.
    pub stream: String,
    /// The record as it came.
    pub record: Vec<u8>,
}

impl std::fmt::Debug for SetAside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SetAside {{ position: {}, reason: {:?}, record: [{} bytes] }}", self.position, self.reason, self.record.len())
    }
}

/// What a block of the log comes to.
#[derive(Debug, Default)]
pub struct Step {
    /// The newest position in it.
    pub position: u64,
    /// When its newest event arrived, Unix ms.
    pub arrival_ms: i64,
    /// Alerts opened beyond the committed position.
    pub alerts: Vec<WrittenAlert>,
    /// Records set aside; whoever keeps them knows which it has.
    pub dead_letters: Vec<SetAside>,
    /// Changes of score beyond the committed position.
    pub scores: Vec<ScoreChange>,
    /// What the sinks are to be told.
    pub items: Vec<Item>,
    /// What the alert store lacks, in order; after a start that may be of before the committed position.
    pub changes: Vec<Changed>,
}

impl Step {
    /// Whether it leaves anything to be kept.
    pub fn has_effects(&self) -> bool {
        !(self.alerts.is_empty() && self.dead_letters.is_empty() && self.items.is_empty() && self.changes.is_empty())
    }
}

/// The engine at one position of the log.
pub struct Worker {
    setup: EngineSetup,
    rulesets: Box<dyn Rulesets>,
    routes: Routes,
    /// `None` before the log's first switch.
    engine: Option<(Engine, LogSettings)>,
    /// The newest position applied.
    position: u64,
    /// Outputs that have been committed: they are compared and not given again.
    comparison: Comparison,
    /// The position up to which the alert store has everything.
    stored: u64,
    /// Entries that were lost to damage, and those that nobody could judge because of them.
    lost: u64,
    /// Records that the engine had not accounted for when it was restored.
    unaccounted: u64,
}

impl Worker {
    /// At the beginning of the log.
    pub fn new(setup: EngineSetup, rulesets: Box<dyn Rulesets>, routes: Routes) -> Self {
        Self { setup, rulesets, routes, engine: None, position: 0, comparison: Comparison::default(), stored: 0, lost: 0, unaccounted: 0 }
    }

    /// Goes on from an engine that was restored at `position`.
    #[must_use]
    pub fn restored(mut self, position: u64, engine: Engine, settings: LogSettings) -> Self {
        self.position = position;
        self.unaccounted = invariants::unaccounted(&engine.counters());
        self.engine = Some((engine, settings));
        self
    }

    /// Holds what comes out up to the committed position to the alerts that were committed then.
    #[must_use]
    pub fn replaying(mut self, committed: Committed) -> Self {
        self.comparison = Comparison::new(committed);
        self
    }

    /// Gives the alert store what the log says behind `position`, up to which it has everything.
    #[must_use]
    pub fn storing_behind(mut self, position: u64) -> Self {
        self.stored = position;
        self
    }

    /// The newest position applied; 0 at the beginning.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether what was committed is still being gone through again: the state is older than what receivers know.
    pub fn is_replaying(&self) -> bool {
        self.position < self.comparison.position()
    }

    /// Outputs that were committed once and came out otherwise now (invariant C1: none).
    pub fn divergences(&self) -> u64 {
        self.comparison.compared().diverged
    }

    /// What became of everything that was compared, or could not be.
    pub fn compared(&self) -> Compared {
        self.comparison.compared()
    }

    /// Entries gone through that were lost to damage and given up, with those that nobody could judge because of them.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The engine, once the log has given it a ruleset.
    pub fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref().map(|(engine, _)| engine)
    }

    /// Holds the engine to having accounted for every record (C2).
    ///
    /// # Errors
    /// [`WorkerError::Broken`].
    pub fn accounted(&self) -> Result<(), WorkerError> {
        let Some(engine) = self.engine() else { return Ok(()) };
        Ok(invariants::records(&engine.counters(), self.unaccounted, self.position)?)
    }

    /// What the engine runs under.
    pub fn settings(&self) -> Option<&LogSettings> {
        self.engine.as_ref().map(|(_, settings)| settings)
    }

    /// All state at this position.
    pub fn snapshot(&mut self) -> Option<Snapshot> {
        self.engine.as_mut().map(|(engine, _)| engine.snapshot())
    }

    /// Applies the block's entries that have not been applied.
    ///
    /// # Errors
    /// [`WorkerError`]: going on would lose or repeat something.
    pub fn apply(&mut self, block: &Block) -> Result<Step, WorkerError> {
        let from = self.position;
        let mut step = Step { position: from, ..Step::default() };
        let mut records: Vec<Record<'_>> = Vec::with_capacity(block.len());
        let mut streams: Vec<&str> = Vec::with_capacity(block.len());
        for (position, entry) in block.entries() {
            if position <= self.position {
                continue;
            }
            if position != self.position + 1 {
                return Err(WorkerError::OutOfOrder { applied: self.position, found: position });
            }
            self.position = position;
            match entry {
                Entry::Event { arrival_ms, origin, bytes } => {
                    step.arrival_ms = arrival_ms;
                    records.push(Record { position, arrival_ms, bytes });
                    streams.push(origin.stream);
                }
                Entry::Control(control) => {
                    self.events(&records, &streams, &mut step)?;
                    records.clear();
                    streams.clear();
                    self.control(position, control, &mut step)?;
                }
            }
        }
        self.events(&records, &streams, &mut step)?;
        step.position = self.position;
        self.comparison.passed(self.position);
        self.comparison.say(from, self.position);
        Ok(step)
    }

    fn events(&mut self, records: &[Record<'_>], streams: &[&str], step: &mut Step) -> Result<(), WorkerError> {
        let Some(first) = records.first() else { return Ok(()) };
        if self.is_without_ruleset(records.len()) {
            return Ok(());
        }
        let Some((engine, _)) = &mut self.engine else { return Err(WorkerError::NoRuleset { position: first.position }) };
        let mut output = engine.process(records);
        for letter in std::mem::take(&mut output.dead_letters) {
            let Some(record) = records.get(letter.record) else { continue };
            step.dead_letters.push(SetAside {
                position: letter.position,
                arrival_ms: record.arrival_ms,
                field: letter.field,
                reason: letter.reason,
                stream: streams.get(letter.record).copied().unwrap_or_default().to_owned(),
                record: record.bytes.to_vec(),
            });
        }
        self.effects(output, step)
    }

    fn control(&mut self, position: u64, control: Control, step: &mut Step) -> Result<(), WorkerError> {
        match control {
            Control::Switch { ruleset: hash, settings, .. } => {
                let ruleset = self.rulesets.load(&hash).map_err(|source| WorkerError::Ruleset { position, hash, source })?;
                let pseudonymizer = self.setup.pseudonymizer(&settings).ok_or(WorkerError::Keys { position, keys: settings.keys })?;
                match &mut self.engine {
                    None => {
                        let config = self.setup.config(&settings);
                        let engine = Engine::new(ruleset, config, pseudonymizer)?;
                        self.engine = Some((engine, settings));
                        Ok(())
                    }
                    Some((engine, known)) => {
                        engine.reconfigure(&self.setup.config(&settings));
                        if known.keys != settings.keys {
                            engine.rename(pseudonymizer);
                            renamed(position, engine, settings.keys);
                        }
                        *known = settings;
                        let output = engine.switch(position, ruleset);
                        warming(position, engine);
                        self.effects(output, step)
                    }
                }
            }
            Control::Retract { .. } if self.is_without_ruleset(1) => Ok(()),
            Control::Retract { rule, since_ms } => {
                let Some((engine, _)) = &mut self.engine else { return Err(WorkerError::NoRuleset { position }) };
                let output = engine.retract(position, &rule, since_ms);
                if position > self.comparison.position() {
                    self.routes.retracted(position, &rule, since_ms, &mut step.items);
                }
                self.change(position, step, || Change::Retracted { rule, since_ms });
                self.effects(output, step)
            }
            Control::Tick { at_ms } => {
                let Some((engine, _)) = &mut self.engine else { return Ok(()) };
                let output = engine.tick(position, at_ms);
                self.effects(output, step)
            }
            Control::Feedback(feedback) => {
                self.change(position, step, || Change::Feedback(feedback));
                Ok(())
            }
            Control::Lost => {
                self.lost += 1;
                self.comparison.lost(position);
                Ok(())
            }
        }
    }

    /// Whether the ruleset that the following entries were to be judged by is among what was lost: then so are they.
    fn is_without_ruleset(&mut self, entries: usize) -> bool {
        let without = self.engine.is_none() && self.lost > 0;
        if without {
            self.lost += entries as u64;
        }
        without
    }

    /// Gives the alert store what it lacks.
    fn change(&self, position: u64, step: &mut Step, change: impl FnOnce() -> Change) {
        if position > self.stored {
            step.changes.push(Changed { position, change: change() });
        }
    }

    /// Keeps what is new, and compares the rest.
    fn effects(&mut self, output: Output, step: &mut Step) -> Result<(), WorkerError> {
        invariants::alerts(&output.alerts)?;
        invariants::scores(&output.scores)?;
        for alert in output.alerts {
            let encode = |source| WorkerError::Encode { position: alert.position, source };
            let json = serde_json::to_string(&alert).map_err(encode)?;
            self.change(alert.position, step, || Change::Opened(opened(&alert, &json)));
            if alert.position <= self.comparison.position() {
                self.comparison.alert(&alert, &json).map_err(encode)?;
                continue;
            }
            self.routes.alert(&alert, &json, &mut step.items);
            step.alerts.push(WrittenAlert { position: alert.position, json });
        }
        let committed = self.comparison.position();
        for change in output.scores.into_iter().filter(|change| change.position > committed) {
            self.routes.score(&change, &mut step.items);
            step.scores.push(change);
        }
        Ok(())
    }
}

/// An alert as the store keeps it.
fn opened(alert: &Alert, json: &str) -> Opened {
    Opened {
        id: alert.id.clone(),
        rule: alert.rule.clone(),
        severity: alert.severity,
        mode: alert.mode,
        entity: alert.entity.clone(),
        opened_at_ms: parse_rfc3339(&alert.opened_at).unwrap_or_default(),
        json: json.to_owned(),
    }
}

/// Says which rules a switch has left in shadow, and until when.
fn warming(position: u64, engine: &Engine) {
    let rules: Vec<String> = engine.warming_rules().map(|(rule, until_ms)| format!("{rule} until {}", format_rfc3339(until_ms))).collect();
    if !rules.is_empty() {
        let rules = rules.join(", ");
        tracing::info!(position, rules, "rules run in shadow until their windows are whole; while_warming: active lets one count at once");
    }
}

/// Says which names are in force, and until when readers need those of before.
fn renamed(position: u64, engine: &Engine, keys: Option<Keys>) {
    let Some(Keys { number, former }) = keys else { return };
    let (scores, last_ms) = engine.scores_named_otherwise();
    let last_ends = (scores > 0).then(|| format_rfc3339(last_ms));
    tracing::info!(
        position,
        number,
        former,
        scores,
        last_ends,
        "pseudonyms carry another number; so many scores stand under a name of before alone, until an alert renames them or the last of them ends"
    );
}
