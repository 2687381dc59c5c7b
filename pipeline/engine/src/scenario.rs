//! The tests in rule files, run through the real engine: a rule alone, its events in order of time, and the alerts that
//! it must open, no more and no fewer (invariant R1: a rule whose tests fail is never active).

use std::fmt::Write as _;
use std::ops::Range;

use rasid_compiler::expression::EvalError;
use rasid_compiler::ruleset::{Binding, ExpectedAlert, Mode, Rule, Ruleset, Scenario, ScenarioEvent};
use rasid_compiler::{Code, Report};
use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::envelope::Limits;
use rasid_detectors::event::time::parse_rfc3339;

use crate::Record;
use crate::alert::Alert;
use crate::engine::{Config, Engine, EngineError, Output};
use crate::pseudonym::Pseudonymizer;
use crate::trace::Trace;

/// When every test begins: midnight before 1 January 2026, UTC.
const START_MS: i64 = 1_767_225_600_000;
/// Tests are about rules, and every secret gives the same alerts up to pseudonyms.
const TEST_SECRET: &[u8] = b"the tests in rule files";
/// Rows of the table that a failure shows; a longer test shows its beginning and its end.
const ROWS_MAX: usize = 24;

/// What running every test of a ruleset came to.
#[derive(Debug)]
pub struct Outcome {
    /// How many tests were run.
    pub tests: usize,
    /// Those that failed, each shown in its file; `None` if none did.
    pub failures: Option<Report>,
}

/// Runs every test of every rule, whatever the rule's mode.
///
/// # Errors
/// [`EngineError`] when an engine cannot be set up.
///
/// # Panics
/// Never: the secret that tests are run with is long enough.
pub fn run_tests(ruleset: &Ruleset) -> Result<Outcome, EngineError> {
    let pseudonymizer = Pseudonymizer::new(TEST_SECRET, 0).expect("the test secret is long enough");
    let (mut tests, mut failures) = (0, Vec::new());
    for rule in ruleset.rules.iter().filter(|rule| !rule.tests.is_empty()) {
        let alone = alone(ruleset, rule);
        for scenario in &rule.tests {
            tests += 1;
            if let Some((message, table)) = run(&alone, scenario, &pseudonymizer)? {
                failures.push((rule.source, scenario.span.clone(), message, Some(table)));
            }
        }
    }
    let failures: Vec<(usize, Range<usize>, String, Option<String>)> = failures;
    Ok(Outcome { tests, failures: (!failures.is_empty()).then(|| Report::of_rules(ruleset, Code::TestFailed, failures)) })
}

/// A ruleset of that rule and the bindings that it reads.
fn alone(ruleset: &Ruleset, rule: &Rule) -> Ruleset {
    let mut rule = Rule { mode: Mode::Active, tests: Vec::new(), ..rule.clone() };
    let kept = ruleset.with_sources(rule.triggers.iter().flat_map(|trigger| trigger.reads.iter().map(|read| read.binding)));
    for trigger in &mut rule.triggers {
        for read in &mut trigger.reads {
            read.binding = kept.partition_point(|binding| *binding < read.binding);
        }
    }
    let mut bindings: Vec<Binding> = kept.iter().map(|binding| ruleset.bindings[*binding].clone()).collect();
    for feed in bindings.iter_mut().flat_map(|binding| &mut binding.feeds) {
        feed.firings_of = feed.firings_of.map(|source| kept.partition_point(|binding| *binding < source));
    }
    Ruleset { rules: vec![rule], bindings, hash: ruleset.hash.clone(), sources: Vec::new(), warnings: Vec::new() }
}

/// A test as a log.
struct Log<'t> {
    /// In order of time.
    events: Vec<&'t ScenarioEvent>,
    lines: Vec<String>,
    /// When all that waits is over, Unix ms.
    end_ms: i64,
}

impl<'t> Log<'t> {
    fn of(ruleset: &Ruleset, scenario: &'t Scenario) -> Self {
        let mut events: Vec<&ScenarioEvent> = scenario.events.iter().collect();
        events.sort_by_key(|event| event.at_ms);
        let lines: Vec<String> = events.iter().enumerate().map(|(number, event)| event.record(START_MS, number)).collect();
        // When the events are over time goes on, until all that waits is over too.
        // A wait may be begun by the end of another one.
        let mut windows: Vec<i64> = ruleset.bindings.iter().map(|binding| binding.window_ms).collect();
        windows.sort_unstable();
        let waits_ms: i64 = windows.iter().rev().take(2).sum();
        let end_ms = START_MS + events.last().map_or(0, |event| event.at_ms) + waits_ms + Config::default().lateness_ms + 1;
        Self { events, lines, end_ms }
    }

    fn records(&self) -> Vec<Record<'_>> {
        (1..).zip(&self.lines).map(|(position, line)| Record { position, arrival_ms: i64::MAX, bytes: line.as_bytes() }).collect()
    }

    /// Where the log ends.
    fn end(&self) -> u64 {
        self.lines.len() as u64 + 1
    }

    /// What every condition saw.
    fn traces(&self, mut engine: Engine) -> Vec<Trace> {
        let (_, mut traces) = engine.process_traced(&self.records());
        traces.extend(engine.tick_traced(self.end(), self.end_ms).1);
        traces
    }
}

fn engine(ruleset: &Ruleset, scenario: &Scenario, pseudonymizer: &Pseudonymizer) -> Result<Engine, EngineError> {
    // A test says which alerts a rule that looks at alerts has before it.
    let limits = Limits { own: true, ..Limits::default() };
    let mut engine = Engine::new(ruleset.clone(), Config { limits, ..Config::default() }, pseudonymizer.clone())?;
    engine.assume(scenario.score);
    Ok(engine)
}

/// What the conditions of a rule alone saw in each of its tests.
///
/// # Panics
/// Never: the secret that tests are run with is long enough.
pub(crate) fn traces(ruleset: &Ruleset, rule: &Rule) -> Result<Vec<Trace>, EngineError> {
    let pseudonymizer = Pseudonymizer::new(TEST_SECRET, 0).expect("the test secret is long enough");
    let alone = alone(ruleset, rule);
    let mut traces = Vec::new();
    for scenario in &rule.tests {
        traces.extend(Log::of(&alone, scenario).traces(engine(&alone, scenario, &pseudonymizer)?));
    }
    Ok(traces)
}

/// Runs one test; what was wrong, and what every condition saw, if it failed.
fn run(ruleset: &Ruleset, scenario: &Scenario, pseudonymizer: &Pseudonymizer) -> Result<Option<(String, String)>, EngineError> {
    let log = Log::of(ruleset, scenario);
    let mut first = engine(ruleset, scenario, pseudonymizer)?;
    let Output { mut alerts, dead_letters, .. } = first.process(&log.records());
    alerts.extend(first.tick(log.end(), log.end_ms).alerts);
    let output = Output { alerts, dead_letters, ..Output::default() };
    let at = |alert: &Alert| parse_rfc3339(&alert.opened_at).unwrap_or(START_MS) - START_MS;
    let as_expected = output.dead_letters.is_empty()
        && output.alerts.len() == scenario.alerts.len()
        && output
            .alerts
            .iter()
            .zip(&scenario.alerts)
            .all(|(alert, expected)| at(alert) == expected.at_ms && about(alert, expected, pseudonymizer));
    if as_expected {
        return Ok(None);
    }
    let mut message =
        format!("`{}` expected {}", scenario.name, list(scenario.alerts.iter().map(|alert| (alert.at_ms, alert.entity.as_str()))));
    write!(message, ", got {}", list(output.alerts.iter().map(|alert| (at(alert), alert.entity.as_str())))).expect("a String takes all");
    for letter in &output.dead_letters {
        write!(message, "; event {} was refused: {}", letter.position, letter.reason).expect("a String takes all");
    }
    let traces = log.traces(engine(ruleset, scenario, pseudonymizer)?);
    Ok(Some((message, table(&log.events, &traces))))
}

/// Whether an alert is about whom the test says: a kind, or one entity of it.
fn about(alert: &Alert, expected: &ExpectedAlert, pseudonymizer: &Pseudonymizer) -> bool {
    match expected.entity.split_once(':') {
        None => alert.entity.split(':').next() == Some(expected.entity.as_str()),
        Some((kind, id)) => {
            EntityKind::from_name(kind).is_some_and(|known| alert.entity == format!("{kind}:{}", pseudonymizer.leave(known, id)))
        }
    }
}

fn list<'a>(alerts: impl Iterator<Item = (i64, &'a str)>) -> String {
    let alerts: Vec<String> = alerts.map(|(at_ms, entity)| format!("{entity} at {}", span(at_ms))).collect();
    match alerts.len() {
        0 => "no alert".to_owned(),
        1 => format!("one alert, {}", alerts.join("")),
        n => format!("{n} alerts, {}", alerts.join(", ")),
    }
}

/// A time as rule files write it, in its largest whole unit: 96h, 190m, 100s.
fn span(at_ms: i64) -> String {
    let units = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let whole = units.into_iter().find(|(unit, _)| at_ms != 0 && at_ms % unit == 0);
    match whole {
        Some((unit, name)) => format!("{}{name}", at_ms / unit),
        None if at_ms == 0 => "0s".to_owned(),
        None => format!("{at_ms}ms"),
    }
}

/// What the rule saw, an event a line: when, which type, every binding, and what the condition gave; and where a wait was
/// over, of the event that armed it.
fn table(events: &[&ScenarioEvent], traces: &[Trace]) -> String {
    let saw = |trace: &Trace| {
        let values = trace.values.0.iter().filter(|(name, _)| !name.starts_with("params."));
        let mut saw: Vec<String> = values.map(|(name, value)| format!("{name}={}", plain(value))).collect();
        saw.push(match &trace.held {
            None => "→ names no entity".to_owned(),
            Some(Ok(true)) => "→ hit".to_owned(),
            Some(Ok(false)) => "→ no".to_owned(),
            Some(Err(EvalError::Absent)) if !trace.lacking.is_empty() => {
                let lacking = trace.lacking.iter().map(|(name, lacking)| format!("`{name}` has {lacking}"));
                format!("→ no value: {}", lacking.collect::<Vec<_>>().join(", "))
            }
            Some(Err(error)) => format!("→ no value: {error}"),
        });
        saw.join(" ")
    };
    let of_event = (1_u64..).zip(events).map(|(position, event)| {
        let trace = traces.iter().find(|trace| trace.position == position && !trace.due);
        (event.at_ms, [span(event.at_ms), event.event.name().to_owned(), trace.map_or_else(String::new, saw)])
    });
    let due = traces.iter().filter(|trace| trace.due);
    let due = due.map(|trace| (trace.at_ms - START_MS, [span(trace.at_ms - START_MS), "(a wait is over)".to_owned(), saw(trace)]));
    let mut rows: Vec<(i64, [String; 3])> = of_event.chain(due).collect();
    rows.sort_by_key(|(at_ms, _)| *at_ms); // stable: what is due at an instant comes after its events
    let rows: Vec<[String; 3]> = rows.into_iter().map(|(_, row)| row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    let line = |row: &[String; 3]| format!("{:>first$}  {:second$}  {}", row[0], row[1], row[2]).trim_end().to_owned();
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if lines.len() > ROWS_MAX {
        let left_out = lines.len() - ROWS_MAX;
        lines.splice(ROWS_MAX / 2..ROWS_MAX / 2 + left_out, [format!("… {left_out} more events …")]);
    }
    format!("what the rule saw at each event:\n{}", lines.join("\n"))
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "–".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
