//! The tests in rule files, run through the real engine: a rule alone, its events in order of time, and the alerts that
//! it must open, no more and no fewer (invariant R1: a rule whose tests fail is never active).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;

use rasid_compiler::expression::EvalError;
use rasid_compiler::ruleset::{Advice, Binding, ExpectedAlert, Mode, Rule, Ruleset, Scenario, ScenarioEvent, Severity};
use rasid_compiler::{Code, Report};
use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::envelope::Limits;
use rasid_detectors::event::time::parse_rfc3339;
use rayon::prelude::*;

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
    let of_rule = |rule: &Rule| -> Result<Vec<Failed>, EngineError> {
        let alone = alone(ruleset, rule);
        let mut engine = engine(&alone, &pseudonymizer)?;
        let mut failed = Vec::new();
        for scenario in &rule.tests {
            if let Some((message, table)) = run(&mut engine, &alone, scenario, &pseudonymizer) {
                failed.push((rule.source, scenario.span.clone(), message, Some(table)));
            }
        }
        Ok(failed)
    };
    let failed: Vec<Vec<Failed>> =
        ruleset.rules.par_iter().filter(|rule| !rule.tests.is_empty()).map(of_rule).collect::<Result<_, EngineError>>()?;
    let failures: Vec<Failed> = failed.into_iter().flatten().collect();
    let tests = ruleset.rules.iter().map(|rule| rule.tests.len()).sum();
    Ok(Outcome { tests, failures: (!failures.is_empty()).then(|| Report::of_rules(ruleset, Code::TestFailed, failures)) })
}

/// A test that failed: its file, its place in that, what was wrong, and what the rule saw.
type Failed = (usize, Range<usize>, String, Option<String>);

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
    fn traces(&self, engine: &mut Engine) -> Vec<Trace> {
        let (_, mut traces) = engine.process_traced(&self.records());
        self.wait(engine, |engine, end_ms| traces.extend(engine.tick_traced(self.end(), end_ms).1));
        traces
    }

    /// Lets time go on until all that waits is over, be it a time that an event names.
    fn wait(&self, engine: &mut Engine, mut tick: impl FnMut(&mut Engine, i64)) {
        tick(engine, self.end_ms);
        while let Some(due_ms) = engine.next_due() {
            tick(engine, due_ms.saturating_add(Config::default().lateness_ms + 1));
        }
    }
}

fn engine(ruleset: &Ruleset, pseudonymizer: &Pseudonymizer) -> Result<Engine, EngineError> {
    // A test says which alerts a rule that looks at alerts has before it.
    let limits = Limits { own: true, ..Limits::default() };
    Engine::new(ruleset.clone(), Config { limits, ..Config::default() }, pseudonymizer.clone())
}

/// Makes the engine ready for a test, whatever it did before.
fn begin(engine: &mut Engine, scenario: &Scenario) {
    engine.restart();
    engine.assume(scenario.score);
}

/// What the conditions of a rule alone saw in each of its tests.
///
/// # Panics
/// Never: the secret that tests are run with is long enough.
pub(crate) fn traces(ruleset: &Ruleset, rule: &Rule) -> Result<Vec<Trace>, EngineError> {
    let pseudonymizer = Pseudonymizer::new(TEST_SECRET, 0).expect("the test secret is long enough");
    let alone = alone(ruleset, rule);
    let mut engine = engine(&alone, &pseudonymizer)?;
    let mut traces = Vec::new();
    for scenario in &rule.tests {
        begin(&mut engine, scenario);
        traces.extend(Log::of(&alone, scenario).traces(&mut engine));
    }
    Ok(traces)
}

/// Runs one test; what was wrong, and what every condition saw, if it failed.
fn run(engine: &mut Engine, ruleset: &Ruleset, scenario: &Scenario, pseudonymizer: &Pseudonymizer) -> Option<(String, String)> {
    let log = Log::of(ruleset, scenario);
    begin(engine, scenario);
    let Output { mut alerts, dead_letters, .. } = engine.process(&log.records());
    log.wait(engine, |engine, end_ms| alerts.extend(engine.tick(log.end(), end_ms).alerts));
    let output = Output { alerts, dead_letters, ..Output::default() };
    let at = |alert: &Alert| parse_rfc3339(&alert.opened_at).unwrap_or(START_MS) - START_MS;
    let as_expected = output.dead_letters.is_empty()
        && output.alerts.len() == scenario.alerts.len()
        && output
            .alerts
            .iter()
            .zip(&scenario.alerts)
            .all(|(alert, expected)| at(alert) == expected.at_ms && about(alert, expected, pseudonymizer) && weighs(alert, expected));
    if as_expected {
        return None;
    }
    let expected = |alert: &ExpectedAlert| (alert.at_ms, alert.entity.clone() + &weight(alert.severity, alert.risk, alert.advice));
    let mut message = format!("`{}` expected {}", scenario.name, list(scenario.alerts.iter().map(expected)));
    // Of what the test asks for in none of its alerts nothing is said.
    let asks = |of: fn(&ExpectedAlert) -> bool| scenario.alerts.iter().any(of);
    let (severity, risk, advice) =
        (asks(|alert| alert.severity.is_some()), asks(|alert| alert.risk.is_some()), asks(|alert| alert.advice.is_some()));
    let got = |alert: &Alert| {
        let said = weight(severity.then_some(alert.severity), risk.then_some(alert.risk), advice.then_some(alert.advice));
        (at(alert), alert.entity.clone() + &said)
    };
    write!(message, ", got {}", list(output.alerts.iter().map(got))).expect("a String takes all");
    for letter in &output.dead_letters {
        write!(message, "; event {} was refused: {}", letter.position, letter.reason).expect("a String takes all");
    }
    begin(engine, scenario);
    let traces = log.traces(engine);
    let opened = output.alerts.iter().map(|alert| (alert.position, at(alert))).collect();
    Some((message, table(&log.events, &traces, &opened)))
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

/// Whether it says what the test asks for.
fn weighs(alert: &Alert, expected: &ExpectedAlert) -> bool {
    expected.severity.is_none_or(|severity| severity == alert.severity)
        && expected.risk.is_none_or(|risk| risk == alert.risk)
        && expected.advice.is_none_or(|advice| advice == alert.advice)
}

/// What an alert says of how bad it is and what should be done.
#[expect(clippy::option_option, reason = "outside: whether the test asks; inside: whether there is any")]
fn weight(severity: Option<Severity>, risk: Option<u8>, advice: Option<Option<Advice>>) -> String {
    let mut said = Vec::new();
    said.extend(severity.map(|severity| format!("{severity:?}").to_uppercase()));
    said.extend(risk.map(|risk| format!("risk {risk}")));
    said.extend(advice.map(|advice| advice.map_or_else(|| "no advice".to_owned(), |advice| format!("advice {}", advice.name()))));
    if said.is_empty() { String::new() } else { format!(" ({})", said.join(", ")) }
}

fn list(alerts: impl Iterator<Item = (i64, String)>) -> String {
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
/// over, of the event that armed it. `opened`: position and time of each alert; a hit at another event was suppressed.
fn table(events: &[&ScenarioEvent], traces: &[Trace], opened: &BTreeSet<(u64, i64)>) -> String {
    let saw = |trace: &Trace| {
        let values = trace.values.0.iter().filter(|(name, _)| !name.starts_with("params."));
        let mut saw: Vec<String> = values.map(|(name, value)| format!("{name}={}", plain(value))).collect();
        saw.push(match &trace.held {
            None => "→ names no entity".to_owned(),
            Some(Ok(true)) if opened.contains(&(trace.position, trace.at_ms - START_MS)) => "→ hit, alert".to_owned(),
            Some(Ok(true)) => "→ hit, suppressed".to_owned(),
            Some(Ok(false)) => "→ no".to_owned(),
            Some(Err(EvalError::Absent)) if !trace.lacking.is_empty() => {
                let lacking = trace.lacking.iter().map(|(name, lacking)| format!("`{name}` has {lacking}"));
                format!("→ no value: {}", lacking.collect::<Vec<_>>().join(", "))
            }
            Some(Err(error)) => format!("→ no value: {error}"),
        });
        saw.join(" ")
    };
    let of_event = (1_u64..).zip(events).flat_map(|(position, event)| {
        // A rule that looks at what an event is made up of is asked for each of that.
        let mut seen: Vec<String> = traces.iter().filter(|trace| trace.position == position && !trace.due).map(saw).collect();
        seen.resize(seen.len().max(1), String::new());
        seen.into_iter().map(|saw| (event.at_ms, [span(event.at_ms), event.event.name().to_owned(), saw]))
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
    format!("what the rule saw at each event, from 2026-01-01T00:00:00Z on:\n{}", lines.join("\n"))
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "–".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use rasid_compiler::{SourceFile, compile};

    use super::*;
    use crate::Snapshot;

    /// All that an engine keeps: counts, joins, firings, waits, a population, lists, a score that is read, and alerts looked at.
    const RULES: [(&str, &str); 5] = [
        (
            "auth/codes.yaml",
            "rule: auth.codes\ntitle: t\non: [auth.otp_requested, payment.captured]\nentity: all\nlet:\n  n: {count: auth.otp_requested, by: all, window: 10m}\n  \
             first: {first_seen: auth.otp_requested, by: all, window: 1d}\n  p: {distinct: auth.otp_requested, of: ip, by: all, window: 10m}\nwhen: n > 1 && p > 0\nsuppress: 0s\nexplain: '{n} {p} {first}'\n",
        ),
        (
            "auth/unused.yaml",
            "rule: auth.unused\ntitle: t\non: auth.otp_requested\nentity: phone\nlet:\n  unused: {absence: auth.otp_verified, after: auth.otp_requested, by: phone, window: 3m}\n  \
             many: {count: unused, by: ip, window: 1h}\nwhen: unused.fired && many > 0\nrisk: 20\nadvice: watch\nsuppress: 1m\nexplain: '{many}'\n",
        ),
        (
            "payment/high.yaml",
            "rule: payment.high\ntitle: t\non: payment.captured\nentity: user(user_id)\nlet:\n  high: {quantile: payment.captured, of: amount, window: 1h, q: 0.5, at_least: 2}\n\
             when: data.amount > high\nrisk: 40\nsuppress: 0s\nexplain: '{high}'\n",
        ),
        (
            "payment/doubt.yaml",
            "rule: payment.doubt\ntitle: t\non: payment.captured\nentity: user(user_id)\nwhen: score > 0\nsuppress: 0s\nexplain: '{score}'\n",
        ),
        (
            "ops/wave.yaml",
            "rule: ops.wave\ntitle: t\non: rasid.alert\nentity: all\nlet:\n  n: {count: rasid.alert, by: data.rule, window: 1h}\nwhen: n > 0\nsuppress: 5m\nexplain: '{n}'\n",
        ),
    ];

    fn log() -> Vec<String> {
        let time = |second: usize| rasid_detectors::event::time::format_rfc3339(START_MS + 1_000 * i64::try_from(second).expect("few"));
        let code = |number: usize| {
            format!(
                r#""type":"auth.otp_requested","data":{{"phone":"+2010000000{:02}","ip":"192.0.2.{}","purpose":"login"}}"#,
                number % 9,
                number % 4
            )
        };
        let paid = |number: usize| {
            format!(
                r#""type":"payment.captured","data":{{"payment_id":"p{number}","user_id":"u{}","amount":{},"currency":"EGP","method":"card"}}"#,
                number % 3,
                number * 10
            )
        };
        let record = |number: usize| {
            let what = if number.is_multiple_of(2) { code(number) } else { paid(number) };
            format!(r#"{{"specversion":"1.0","id":"{number}","source":"/test","time":"{}",{what}}}"#, time(number * 20))
        };
        (0..120).map(record).collect()
    }

    /// An override that a test may ask about.
    const WEIGHED: &str = "rule: auth.weighed\ntitle: t\non: auth.otp_requested\nentity: phone\nseverity: SEV3\nrisk: 10\nadvice: watch\noverrides:\n  - {if: data.purpose == \"payout\", severity: SEV1, risk: 80, advice: none}\nwhen: data.purpose != \"login\"\nexplain: e\ntests:\n  - name: a payout\n    events: [{at: 0s, type: auth.otp_requested, data: {phone: '1', ip: 192.0.2.1, purpose: payout}}]\n    alerts: [{at: 0s, entity: phone, ASKED}]\n";

    #[test]
    fn a_test_may_ask_what_an_alert_weighs() {
        let failed = |asked: &str| {
            let file = SourceFile { name: "auth/weighed.yaml".to_owned(), text: WEIGHED.replace("ASKED", asked) };
            let ruleset = compile(&[file]).unwrap_or_else(|report| panic!("{}", report.render(false)));
            run_tests(&ruleset).expect("an engine").failures.map(|report| report.faults[0].message.clone())
        };
        assert_eq!(failed("severity: SEV1, risk: 80, advice: none"), None);
        for (asked, found) in [("severity: SEV3", "SEV1"), ("risk: 10", "risk 80"), ("advice: watch", "no advice")] {
            let message = failed(asked).unwrap_or_else(|| panic!("{asked}"));
            let wanted = asked.replace("severity: ", "").replace(':', "");
            assert!(message.contains(&format!("expected one alert, phone ({wanted}) at 0s, got one alert, phone:")), "{message}");
            assert!(message.contains(&format!(" ({found}) at 0s")), "{message}");
        }
    }

    #[test]
    fn an_engine_that_is_restarted_is_a_new_one() {
        let files: Vec<SourceFile> =
            RULES.iter().map(|(name, text)| SourceFile { name: (*name).to_owned(), text: (*text).to_owned() }).collect();
        let ruleset = compile(&files).unwrap_or_else(|report| panic!("{}", report.render(false)));
        let pseudonymizer = Pseudonymizer::new(TEST_SECRET, 0).expect("long enough");
        // So small that something is evicted.
        let config = Config { memory_max: 4 << 20, events_per_s: 1, ..Config::default() };
        let new = || Engine::new(ruleset.clone(), config.clone(), pseudonymizer.clone()).expect("an engine");
        let saved = |engine: &mut Engine| {
            let snapshot = engine.snapshot();
            let lasting: Vec<Option<Vec<u8>>> = snapshot.lasting().map(|name| snapshot.write_lasting(name)).collect();
            ((0..Snapshot::PARTS).map(|part| snapshot.write(part)).collect::<Vec<_>>(), lasting)
        };
        let lines = log();
        let records: Vec<Record<'_>> =
            (1..).zip(&lines).map(|(position, line)| Record { position, arrival_ms: i64::MAX, bytes: line.as_bytes() }).collect();
        let mut engine = new();
        let first = engine.process(&records);
        let opened: std::collections::BTreeSet<&str> = first.alerts.iter().map(|alert| alert.rule.as_str()).collect();
        assert_eq!(opened.len(), RULES.len(), "{opened:?}");
        assert!(engine.counters().evicted > 0);
        let after = saved(&mut engine);
        engine.restart();
        assert_eq!(saved(&mut engine), saved(&mut new()));
        let second = engine.process(&records);
        assert_eq!((&second.alerts, &second.scores), (&first.alerts, &first.scores));
        assert_eq!(saved(&mut engine), after);
    }
}
