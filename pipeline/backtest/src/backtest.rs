//! A ruleset over the past, with all that is asked of it, in one pass.

use rasid_compiler::ruleset::{Mode, Ruleset};
use rasid_detectors::event::EventType;
use rasid_detectors::event::time::format_rfc3339;
use rasid_engine::{Config, EngineError, Opened, Pseudonymizer};

use crate::found::Found;
use crate::gate::Gate;
use crate::label::{Labels, Truth};
use crate::measure::{Extent, measure};
use crate::pass::{Diff, LOOKED_INTO_MAX, Period, Run};
use crate::report::Report;
use crate::sweep::{Curve, Sweep, SweepError, Trial, curve};
use crate::taken::{Taken, beyond_archives};

/// What is asked.
#[derive(Debug)]
pub struct Question {
    /// The rules.
    pub ruleset: Ruleset,
    /// What they are held against.
    pub baseline: Option<Ruleset>,
    /// Parameters to be tried.
    pub sweeps: Vec<Sweep>,
    /// From when to when alerts count.
    pub period: Period,
    /// What is known of the past.
    pub labels: Labels,
    /// What must not be.
    pub gates: Vec<Gate>,
}

/// Why there is no backtest.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// A sweep asks for what is not there.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// A gate does.
    #[error("{0}")]
    Gate(String),
    /// No engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The rules that are asked about, alone or beside others.
enum Main {
    Alone(Box<Run>),
    Beside(Box<Diff>),
}

impl Main {
    fn run(&mut self) -> &mut Run {
        match self {
            Self::Alone(run) => run,
            Self::Beside(diff) => diff.new_run(),
        }
    }
}

/// A backtest on its way through the past.
pub struct Backtest {
    main: Main,
    trials: Vec<(Trial, Run)>,
    period: Period,
    labels: Labels,
    gates: Vec<Gate>,
    ruleset: String,
    baseline: Option<String>,
    /// Rules in force.
    rules: Vec<String>,
    /// The first event's clock, Unix ms.
    from_ms: Option<i64>,
    /// The rules that an archive does not suffice for, of the baseline too.
    beyond: Vec<String>,
    /// Whether events came out of an archive.
    of_columns: bool,
}

impl Backtest {
    /// At the beginning.
    ///
    /// # Errors
    /// [`BacktestError`].
    pub fn new(question: Question, config: &Config, pseudonymizer: &Pseudonymizer) -> Result<Self, BacktestError> {
        let Question { ruleset, baseline, sweeps, period, labels, gates } = question;
        for gate in &gates {
            if gate.rule().is_some_and(|rule| ruleset.rules.iter().all(|other| other.id != rule)) {
                return Err(BacktestError::Gate(format!("`{gate}`: there is no such rule")));
            }
            if gate.compares() && baseline.is_none() {
                return Err(BacktestError::Gate(format!("`{gate}` speaks of a difference, and there is no baseline: add --baseline")));
            }
        }
        let trials = Trial::of(&sweeps, &ruleset)?;
        let trials = trials.into_iter().map(|(trial, ruleset)| Ok((trial, Run::new(ruleset, config, pseudonymizer, period)?)));
        let trials = trials.collect::<Result<Vec<_>, EngineError>>()?;
        let rules = ruleset.rules.iter().filter(|rule| rule.mode != Mode::Off).map(|rule| rule.id.clone()).collect();
        let mut beyond = beyond_archives(&ruleset);
        beyond.extend(baseline.as_ref().map(beyond_archives).unwrap_or_default());
        beyond.sort();
        beyond.dedup();
        let (hash, baseline_hash) = (ruleset.hash.clone(), baseline.as_ref().map(|baseline| baseline.hash.clone()));
        let main = match baseline {
            None => Main::Alone(Box::new(Run::new(ruleset, config, pseudonymizer, period)?)),
            Some(baseline) => Main::Beside(Box::new(Diff::new((baseline, ruleset), config, pseudonymizer, period)?)),
        };
        Ok(Self {
            main,
            trials,
            period,
            labels,
            gates,
            ruleset: hash,
            baseline: baseline_hash,
            rules,
            from_ms: None,
            beyond,
            of_columns: false,
        })
    }

    /// Takes what comes next in the past.
    pub fn step(&mut self, mut taken: Taken<'_>) {
        // The first event by itself, for its clock.
        while self.from_ms.is_none()
            && let Some((first, rest)) = taken.split_first()
        {
            self.take(first);
            let clock_ms = self.main.run().engine().clock_ms();
            self.from_ms = (clock_ms > i64::MIN).then_some(clock_ms);
            taken = rest;
        }
        if !taken.is_empty() {
            self.take(taken);
        }
    }

    fn take(&mut self, taken: Taken<'_>) {
        self.of_columns |= matches!(taken, Taken::Columns(_));
        let opened = Opened::default();
        let next = taken.next(self.main.run().engine_mut(), &opened);
        match &mut self.main {
            Main::Alone(run) => {
                run.step(&next);
            }
            Main::Beside(diff) => diff.step(&next),
        }
        for (_, run) in &mut self.trials {
            run.step(&next);
        }
        next.recycle(self.main.run().engine_mut());
    }

    /// Whether fields of events of that type out of an archive matter to any of its rules.
    pub fn reads_columns_of(&self, event: EventType) -> bool {
        let reads = match &self.main {
            Main::Alone(run) => run.engine().reads_columns_of(event),
            Main::Beside(diff) => diff.reads_columns_of(event),
        };
        reads || self.trials.iter().any(|(_, run)| run.engine().reads_columns_of(event))
    }

    /// The report, and the alerts that the rules opened in the period, when all is read.
    pub fn finish(mut self) -> (Report, Vec<Found>) {
        let engine = self.main.run().engine();
        let (counters, clock_ms) = (engine.counters(), engine.clock_ms());
        let (from_ms, to_ms) = match self.from_ms {
            None => (0, 0),
            Some(first_ms) => (first_ms.max(self.period.since_ms), clock_ms.min(self.period.until_ms.saturating_sub(1))),
        };
        let extent = Extent { events: counters.events, from_ms, to_ms: to_ms.max(from_ms) };
        let mut report = Report {
            ruleset: self.ruleset,
            baseline: self.baseline,
            from: format_rfc3339(from_ms),
            to: format_rfc3339(to_ms),
            records: counters.records,
            dead_letters: counters.dead_letters,
            duplicates: counters.duplicates,
            evicted: counters.evicted,
            labels: (self.labels.stories.len(), self.labels.verdicts()),
            not_asked: if self.of_columns { self.beyond } else { Vec::new() },
            ..Report::default()
        };
        let mut found = match self.main {
            Main::Alone(run) => run.into_found(),
            Main::Beside(diff) => {
                report.changed_rules = diff.changed().to_vec();
                let (comparison, found) = diff.finish();
                report.comparison = Some(comparison);
                found
            }
        };
        report.measures = measure(&found, &self.labels, extent);
        let is_silent = |rule: &String| report.measures.rules.iter().all(|of| of.rule != *rule) && !report.not_asked.contains(rule);
        report.silent = self.rules.into_iter().filter(is_silent).collect();
        let curve = |(trial, run): (Trial, Run)| -> Curve { curve(&trial, &trial.sort(run.into_found()), &self.labels, extent) };
        report.sweeps = self.trials.into_iter().map(curve).collect();
        report.notes = notes(&report, self.labels.is_empty());
        for alert in &mut found {
            alert.right = match self.labels.truth(alert) {
                Truth::Right => Some(true),
                Truth::Wrong => Some(false),
                Truth::Unknown => None,
            };
        }
        report.gates = self.gates.iter().map(|gate| gate.judge(&report)).collect();
        (report, found)
    }
}

fn notes(report: &Report, unlabelled: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if report.dead_letters > 0 {
        notes.push(format!(
            "{} of {} records are no events, and no rule saw them: `rasid detect` says why",
            report.dead_letters, report.records
        ));
    }
    if report.evicted > 0 {
        notes.push(format!(
            "{} states did not fit into memory: what looks far back saw less than it should; give more with --memory",
            report.evicted
        ));
    }
    if !report.not_asked.is_empty() {
        notes.push(format!(
            "{} rules say nothing or too little here, as they need what an archive has not, or read what such rules open; the sealed log of the service has it: {}",
            report.not_asked.len(),
            report.not_asked.join(", ")
        ));
    }
    if !unlabelled && report.measures.precision.is_thin() {
        notes.push(format!("not enough labels: {} alerts have one, and fewer than 30 say little", report.measures.precision.of));
    }
    if report.changed_rules.len() > LOOKED_INTO_MAX {
        let more = report.changed_rules.len() - LOOKED_INTO_MAX;
        notes.push(format!("{} rules differ; what the conditions of {more} of them saw was not looked into", report.changed_rules.len()));
    }
    notes
}
