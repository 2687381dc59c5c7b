//! Why an alert was opened: its condition term by term, what each value came from, and the events that stood behind it.
//!
//! ```text
//! found    all rules over the past, until the alert opens; where it is known already (a store of alerts has it) this is left out
//! looked   its rule alone, to the moment: what the condition saw, and whose state it read
//! counted  its rule alone once more: the events that fed that state
//! ```

use std::collections::BTreeMap;

use rasid_compiler::gather::{Chosen, gather};
use rasid_compiler::param::bindings;
use rasid_compiler::ruleset::{Mode, Rule, Ruleset, Severity};
use rasid_detectors::event::time::parse_rfc3339;
use rasid_engine::{Alert, Config, Counted, Engine, EngineError, Look, Moment, Opened, Pseudonymizer};
use serde::{Deserialize, Serialize};

use crate::taken::Taken;

mod text;
mod told;

pub use told::{Behind, Explained, Replayed, TermTold, ValueTold};

/// Alerts about the same entity within this are neighbours, ms.
pub const NEIGHBOUR_MS: i64 = 86_400_000;
/// Neighbours that are shown: the nearest in time.
pub const NEIGHBOURS_MAX: usize = 20;

/// Another alert about the same entity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Neighbour {
    /// Its id.
    pub id: String,
    /// Its rule.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether people were told of it.
    pub mode: Mode,
    /// When it opened, RFC 3339.
    pub opened_at: String,
    /// What it says.
    pub explanation: String,
}

/// What was looked through for an alert.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Searched {
    /// The alerts whose ids begin as was asked: JSON as the engine writes it, and where they stand.
    pub found: Vec<Known>,
    /// Neighbours of the first of them, in order of time.
    pub neighbours: Vec<Neighbour>,
    /// Alerts that were looked through.
    pub alerts: u64,
}

/// An alert, known by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// Its rule.
    pub rule: String,
    /// Whom it is about.
    pub entity: String,
    /// When it opened, Unix ms.
    pub opened_at_ms: i64,
    /// The ruleset in which it was in force.
    pub ruleset: String,
    /// All of it, byte for byte as it was written.
    pub json: String,
}

/// An engine on its way through the past, and where that began.
struct Walk {
    engine: Engine,
    from_ms: Option<i64>,
}

impl Walk {
    fn new(ruleset: Ruleset, config: &Config, pseudonymizer: &Pseudonymizer) -> Result<Self, EngineError> {
        Ok(Self { engine: Engine::new(ruleset, config.clone(), pseudonymizer.clone())?, from_ms: None })
    }

    fn step(&mut self, mut taken: Taken<'_>) -> Vec<Alert> {
        let mut alerts = Vec::new();
        // The first event by itself, for its clock.
        while self.from_ms.is_none()
            && let Some((first, rest)) = taken.split_first()
        {
            alerts.extend(self.take(first));
            self.from_ms = (self.engine.clock_ms() > i64::MIN).then(|| self.engine.clock_ms());
            taken = rest;
        }
        alerts.extend(self.take(taken));
        alerts
    }

    fn take(&mut self, taken: Taken<'_>) -> Vec<Alert> {
        let opened = Opened::default();
        let next = taken.next(&mut self.engine, &opened);
        let alerts = next.step(&mut self.engine).alerts;
        next.recycle(&mut self.engine);
        alerts
    }

    fn period_ms(&self) -> Option<(i64, i64)> {
        self.from_ms.map(|from_ms| (from_ms, self.engine.clock_ms()))
    }
}

/// An alert as a line of JSON has it.
#[derive(Deserialize)]
struct Line {
    id: String,
    rule: String,
    ruleset: String,
    severity: Severity,
    mode: Mode,
    entity: String,
    opened_at: String,
    explanation: String,
}

/// The search for an alert among all that are opened.
pub struct Search {
    begins: String,
    found: Vec<Known>,
    /// By entity, with when they opened.
    all: BTreeMap<String, Vec<(i64, Neighbour)>>,
    alerts: u64,
}

impl Search {
    /// For the alerts whose ids begin so.
    pub fn new(begins: &str) -> Self {
        Self { begins: begins.to_owned(), found: Vec::new(), all: BTreeMap::new(), alerts: 0 }
    }

    /// Takes an alert, as it is written.
    ///
    /// # Errors
    /// It is no alert.
    pub fn take(&mut self, json: &str) -> Result<(), serde_json::Error> {
        let Line { id, rule, ruleset, severity, mode, entity, opened_at, explanation } = serde_json::from_str(json)?;
        self.alerts += 1;
        let opened_at_ms = parse_rfc3339(&opened_at).unwrap_or_default();
        if id.starts_with(&self.begins) {
            let (id, rule, entity) = (id.clone(), rule.clone(), entity.clone());
            self.found.push(Known { id, rule, entity, opened_at_ms, ruleset, json: json.to_owned() });
        }
        self.all.entry(entity).or_default().push((opened_at_ms, Neighbour { id, rule, severity, mode, opened_at, explanation }));
        Ok(())
    }

    /// What was found, when all is looked through.
    pub fn finish(mut self) -> Searched {
        let neighbours = match self.found.first() {
            Some(alert) => nearest(self.all.remove(&alert.entity).unwrap_or_default(), &alert.id, alert.opened_at_ms),
            None => Vec::new(),
        };
        Searched { found: self.found, neighbours, alerts: self.alerts }
    }
}

/// All rules over the past, for a search.
pub struct Everything {
    walk: Walk,
}

impl Everything {
    /// At the beginning of the past.
    ///
    /// # Errors
    /// The threads cannot be started.
    pub fn new(ruleset: Ruleset, config: &Config, pseudonymizer: &Pseudonymizer) -> Result<Self, EngineError> {
        Ok(Self { walk: Walk::new(ruleset, config, pseudonymizer)? })
    }

    /// Takes what comes next in the past; gives the alerts that it opens, as they are written.
    ///
    /// # Errors
    /// An alert cannot be written.
    pub fn step(&mut self, taken: Taken<'_>) -> Result<Vec<String>, serde_json::Error> {
        self.walk.step(taken).iter().map(serde_json::to_string).collect()
    }

    /// The first event's clock and the newest one so far, Unix ms; `None` of no events.
    pub fn period_ms(&self) -> Option<(i64, i64)> {
        self.walk.period_ms()
    }
}

/// Of alerts about one entity the nearest within a day of one, which is not among them, in order of time.
pub fn nearest(mut about: Vec<(i64, Neighbour)>, id: &str, at_ms: i64) -> Vec<Neighbour> {
    about.retain(|(other_ms, other)| other.id != id && other_ms.abs_diff(at_ms) <= NEIGHBOUR_MS.unsigned_abs());
    about.sort_by_key(|(other_ms, _)| other_ms.abs_diff(at_ms));
    about.truncate(NEIGHBOURS_MAX);
    about.sort_by(|(a_ms, a), (b_ms, b)| a_ms.cmp(b_ms).then_with(|| a.id.cmp(&b.id)));
    about.into_iter().map(|(_, neighbour)| neighbour).collect()
}

/// A closer look at a known alert: two passes over the past, [`Pass::again`] between them.
pub struct Pass {
    walk: Walk,
    rules: Ruleset,
    config: Config,
    pseudonymizer: Pseudonymizer,
    counts: bool,
}

impl Pass {
    /// At the beginning of the past; `None` where the ruleset has no such rule.
    ///
    /// # Errors
    /// The threads cannot be started.
    pub fn new(ruleset: &Ruleset, alert: &Known, config: &Config, pseudonymizer: &Pseudonymizer) -> Result<Option<Self>, EngineError> {
        let Some(place) = ruleset.place(&alert.rule) else { return Ok(None) };
        let Some(rule) = ruleset.rules.get(place) else { return Ok(None) };
        let rules = if rule.reads_others() { ruleset.clone() } else { gather([Chosen { ruleset, rule: place, id: &alert.rule }]) };
        let mut walk = Walk::new(rules.clone(), config, pseudonymizer)?;
        walk.engine.look_at(Look::new(&alert.rule, &alert.id, alert.opened_at_ms));
        Ok(Some(Self { walk, rules, config: config.clone(), pseudonymizer: pseudonymizer.clone(), counts: false }))
    }

    /// Takes what comes next in the past; whether there is more to be seen behind it.
    pub fn step(&mut self, taken: Taken<'_>) -> bool {
        self.walk.step(taken);
        let moment = self.walk.engine.look().and_then(Look::moment);
        match moment {
            None => true,
            Some(_) if !self.counts => false,
            Some(moment) => taken.last().is_none_or(|last| last <= moment.trace.position),
        }
    }

    /// Ready for the second pass; `None` where the alert's event did not come.
    ///
    /// # Errors
    /// The threads cannot be started.
    pub fn again(mut self) -> Result<Option<Self>, EngineError> {
        let Some(look) = self.walk.engine.looked().and_then(Look::again) else { return Ok(None) };
        let mut walk = Walk::new(self.rules.clone(), &self.config, &self.pseudonymizer)?;
        walk.engine.look_at(look);
        Ok(Some(Self { walk, counts: true, ..self }))
    }

    /// What was seen.
    pub fn finish(mut self) -> Option<(Moment, Vec<Counted>)> {
        self.walk.engine.looked().and_then(Look::finish)
    }

    /// The first event's clock and the newest one so far, Unix ms; `None` of no events.
    pub fn period_ms(&self) -> Option<(i64, i64)> {
        self.walk.period_ms()
    }
}

/// The bindings that a rule may name, as they are written.
fn definitions(ruleset: &Ruleset, rule: &Rule) -> BTreeMap<String, String> {
    let shared = ruleset.shared_files().filter(|file| file.name.ends_with("shared.yaml"));
    shared.chain(ruleset.sources.get(rule.source)).flat_map(bindings).collect()
}
