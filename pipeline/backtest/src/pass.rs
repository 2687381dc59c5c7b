//! A ruleset over the past, and two beside each other: each has an engine of its own, and all take the same batches, which are decoded
//! once.

use std::collections::{BTreeMap, BTreeSet};

use rasid_compiler::gather::{Chosen, gather};
use rasid_compiler::ruleset::{Mode, Rule, Ruleset};
use rasid_detectors::event::EventType;
use rasid_engine::{Config, Engine, EngineError, Opened, Output, Pseudonymizer, Trace};

use crate::compare::{Comparison, compare};
use crate::direction::{Direction, direction};
use crate::found::{Found, covers};
use crate::saw::{Saw, Why};
use crate::taken::{Next, Taken};

/// Rules whose conditions are looked into, event by event, where old and new differ: each is asked at every event that it watches.
pub const LOOKED_INTO_MAX: usize = 20;

/// From when to when alerts count; what came before warms up what looks back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first instant that counts, Unix ms.
    pub since_ms: i64,
    /// The first one that does not, Unix ms.
    pub until_ms: i64,
}

impl Period {
    /// Everything there is.
    pub const ALL: Self = Self { since_ms: i64::MIN, until_ms: i64::MAX };

    /// Whether an instant counts.
    pub fn contains(self, at_ms: i64) -> bool {
        (self.since_ms..self.until_ms).contains(&at_ms)
    }
}

/// An engine on its way through the past, and the alerts that it has opened in the period.
pub struct Run {
    engine: Engine,
    period: Period,
    found: Vec<Found>,
}

impl Run {
    /// At the beginning. Rules that are off stay so; what is in shadow is told with the rest.
    ///
    /// # Errors
    /// The threads cannot be started.
    pub fn new(ruleset: Ruleset, config: &Config, pseudonymizer: &Pseudonymizer, period: Period) -> Result<Self, EngineError> {
        Ok(Self { engine: Engine::new(ruleset, config.clone(), pseudonymizer.clone())?, period, found: Vec::new() })
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The alerts in the period so far, in the order in which they opened.
    pub fn found(&self) -> &[Found] {
        &self.found
    }

    /// The same, when all is read.
    pub fn into_found(self) -> Vec<Found> {
        self.found
    }

    /// The engine, which may decode for every run that has the same secret and the same bounds on a record.
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// Takes what comes next; gives the alerts of the period that it opened.
    pub fn step(&mut self, next: &Next<'_>) -> &[Found] {
        let before = self.found.len();
        let Output { alerts, .. } = next.step(&mut self.engine);
        let found = alerts.into_iter().map(Found::from).filter(|found| self.period.contains(found.opened_ms));
        self.found.extend(found);
        self.found.get(before..).unwrap_or_default()
    }
}

/// Old rules and new ones over one past.
pub struct Diff {
    old: Side,
    new: Side,
    /// How long an alert covers what follows: the longer of both, ms.
    covers: BTreeMap<String, i64>,
    /// What both saw at events where they differ, by rule, position and entity.
    why: BTreeMap<(String, u64, String), Why>,
    /// Rules that say something else, more than [`LOOKED_INTO_MAX`] of which are not looked into.
    changed: Vec<String>,
    /// What their change can do at all.
    directions: BTreeMap<String, Direction>,
}

/// One side of a comparison.
struct Side {
    run: Run,
    ruleset: Ruleset,
    /// The rules that are looked into, by themselves.
    traced: Option<Engine>,
}

impl Side {
    /// What the rules that are looked into saw of what comes next; nothing where nobody asks, and they only go on.
    fn traces(&mut self, next: &Next<'_>, asked: bool) -> Vec<Trace> {
        match &mut self.traced {
            Some(engine) if asked => next.step_traced(engine).1,
            Some(engine) => {
                next.step(engine);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// What a rule saw of somebody at an event; where it looks at somebody else there, of him, if he is the only one.
    fn saw(&self, traces: &ByPlace<'_>, rule: &str, position: u64, entity: &str) -> Option<Saw> {
        let found = self.ruleset.rules.get(self.ruleset.place(rule)?)?;
        let of_event = traces.get(&(position, rule))?;
        let mut own = of_event.iter().filter(|trace| trace.entity.as_deref() == Some(entity));
        let first = own.clone().next().or(if of_event.len() == 1 { of_event.first() } else { None })?;
        let hit = own.find(|trace| trace.held == Some(Ok(true))).unwrap_or(first);
        Some(Saw::of(hit, &self.ruleset, found))
    }
}

/// Traces by position and rule: what was waited for may come due by thousands at one position.
type ByPlace<'t> = BTreeMap<(u64, &'t str), Vec<&'t Trace>>;

fn by_place(traces: &[Trace]) -> ByPlace<'_> {
    let mut all = ByPlace::new();
    for trace in traces {
        all.entry((trace.position, trace.rule.as_str())).or_default().push(trace);
    }
    all
}

impl Diff {
    /// At the beginning of the past.
    ///
    /// # Errors
    /// The threads cannot be started.
    pub fn new(
        (old, new): (Ruleset, Ruleset),
        config: &Config,
        pseudonymizer: &Pseudonymizer,
        period: Period,
    ) -> Result<Self, EngineError> {
        let mut covers: BTreeMap<String, i64> = BTreeMap::new();
        for (rule, ms) in self::covers(&old).into_iter().chain(self::covers(&new)) {
            let known = covers.entry(rule.to_owned()).or_default();
            *known = ms.max(*known);
        }
        let same_shared = old.shared_files().eq(new.shared_files());
        let changed = changed(&old, &new, same_shared);
        // What lists hold is in no condition.
        let compared = changed.iter().filter(|_| same_shared);
        let directions = compared.filter_map(|rule| Some((rule.clone(), direction(&old, &new, rule)?))).collect();
        let side = |ruleset: Ruleset| -> Result<Side, EngineError> {
            let chosen = ruleset.rules.iter().enumerate().filter(|(_, rule)| changed.iter().take(LOOKED_INTO_MAX).any(|id| *id == rule.id));
            // What reads other rules' alerts and scores would see none here.
            let chosen = chosen.filter(|(_, rule)| !rule.reads_others() && rule.mode != Mode::Off);
            let chosen: Vec<Chosen<'_>> = chosen.map(|(rule, found)| Chosen { ruleset: &ruleset, rule, id: &found.id }).collect();
            let small = (!chosen.is_empty()).then(|| gather(chosen));
            let traced = small.map(|small| Engine::new(small, config.clone(), pseudonymizer.clone())).transpose()?;
            Ok(Side { run: Run::new(ruleset.clone(), config, pseudonymizer, period)?, ruleset, traced })
        };
        Ok(Self { old: side(old)?, new: side(new)?, covers, why: BTreeMap::new(), changed, directions })
    }

    /// The run of the new rules.
    pub fn new_run(&mut self) -> &mut Run {
        &mut self.new.run
    }

    /// Takes what comes next.
    pub fn take(&mut self, taken: Taken<'_>) {
        let opened = Opened::default();
        let next = taken.next(&mut self.new.run.engine, &opened);
        self.step(&next);
        next.recycle(&mut self.new.run.engine);
    }

    /// Whether fields of events of that type out of an archive matter to any of its rules.
    pub fn reads_columns_of(&self, event: EventType) -> bool {
        [&self.old, &self.new].into_iter().any(|side| side.run.engine.reads_columns_of(event))
    }

    /// Takes what comes next, which one of its runs, or another of the same secret and bounds, has decoded.
    pub fn step(&mut self, next: &Next<'_>) {
        let key = |found: &Found| (found.rule.clone(), found.position, found.entity.clone());
        let then: BTreeSet<_> = self.old.run.step(next).iter().map(key).collect();
        let now: BTreeSet<_> = self.new.run.step(next).iter().map(key).collect();
        let differ = then != now;
        let (old, new) = (self.old.traces(next, differ), self.new.traces(next, differ));
        let (old, new) = (by_place(&old), by_place(&new));
        for (rule, position, entity) in then.symmetric_difference(&now) {
            if self.changed.iter().take(LOOKED_INTO_MAX).any(|id| id == rule) {
                let why = Why { old: self.old.saw(&old, rule, *position, entity), new: self.new.saw(&new, rule, *position, entity) };
                if why.old.is_some() || why.new.is_some() {
                    self.why.insert((rule.clone(), *position, entity.clone()), why);
                }
            }
        }
    }

    /// The engine of the new rules.
    pub fn engine(&self) -> &Engine {
        self.new.run.engine()
    }

    /// Ids of the rules that are not word for word the same on both sides, in order; all of them where what rules share differs.
    pub fn changed(&self) -> &[String] {
        &self.changed
    }

    /// What differs, when all is read, and the alerts of the new rules.
    pub fn finish(self) -> (Comparison, Vec<Found>) {
        let Self { old, new, covers, mut why, directions, .. } = self;
        let all = new.run.into_found();
        let mut comparison = compare(old.run.into_found(), all.clone(), |rule| covers.get(rule).copied().unwrap_or_default());
        comparison.directions = directions;
        for difference in &mut comparison.differences {
            // Of one that has moved: at the event that opened it before.
            let found = difference.old.as_ref().unwrap_or_else(|| difference.found());
            difference.why = why.remove(&(found.rule.clone(), found.position, found.entity.clone()));
        }
        (comparison, all)
    }
}

/// The rules whose files differ, in order of their ids; where what rules share differs, all of them.
fn changed(old: &Ruleset, new: &Ruleset, same_shared: bool) -> Vec<String> {
    let texts = |ruleset: &Ruleset| -> BTreeMap<String, String> {
        let text = |rule: &Rule| ruleset.sources.get(rule.source).map(|source| source.text.clone()).unwrap_or_default();
        ruleset.rules.iter().map(|rule| (rule.id.clone(), text(rule))).collect()
    };
    let (before, after) = (texts(old), texts(new));
    let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    all.into_iter().filter(|id| !same_shared || before.get(*id) != after.get(*id)).cloned().collect()
}
