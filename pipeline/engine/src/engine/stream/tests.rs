//! However much of what is due is taken together, the log says the same; and it is never more than so much.

use std::fmt::Write as _;

use proptest::prelude::*;
use rasid_compiler::SourceFile;
use rasid_compiler::ruleset::Ruleset;
use rasid_detectors::event::time::format_rfc3339;

use crate::engine::{Config, Engine, Output, Snapshot};
use crate::timer::DUE_MAX;
use crate::{Pseudonymizer, Record};

const START_MS: i64 = 1_790_000_000_000;
const MINUTE_MS: i64 = 60_000;

/// Two timers of unlike windows, one begun by the end of another, and counts of their firings.
const RULES: [&str; 2] = [
    r"
rule: a.unused
title: A code that nobody used
on: auth.otp_requested
entity: phone
let:
  unused: {absence: auth.otp_verified, after: auth.otp_requested, by: phone, window: 1m}
  silent: {absence: auth.otp_failed, after: unused, by: phone, window: 90s}
  codes: {count: unused, by: ip, window: 30m}
when: unused.fired || silent.fired
risk: 5
suppress: 0s
explain: '{unused.others} {silent.others} {codes}'
",
    r"
rule: a.untried
title: A code that nobody even tried
on: auth.otp_requested
entity: ip
let:
  untried: {absence: auth.otp_failed, after: auth.otp_requested, by: phone, window: 2m}
when: untried.fired
suppress: 1m
explain: '{untried.others}'
",
];

fn ruleset() -> Ruleset {
    let names = ["a/unused.yaml", "a/untried.yaml"];
    let files: Vec<SourceFile> =
        names.iter().zip(RULES).map(|(name, text)| SourceFile { name: (*name).to_owned(), text: text.to_owned() }).collect();
    rasid_compiler::compile(&files).unwrap_or_else(|report| panic!("{}", report.render(false)))
}

fn engine(due_max: usize, threads: usize) -> Engine {
    let secret = Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough");
    let engine = Engine::new(ruleset(), Config { threads, ..Config::default() }, secret).expect("an engine");
    Engine { due_max, ..engine }
}

fn event(id: usize, at_ms: i64, what: usize, phone: usize) -> String {
    let (time, name) = (format_rfc3339(START_MS + at_ms), ["requested", "verified", "failed"][what]);
    format!(
        r#"{{"specversion":"1.0","id":"e{id}","source":"/test","type":"auth.otp_{name}","time":"{time}","data":{{"phone":"+2010{phone:08}","ip":"192.0.2.1","purpose":"login"}}}}"#
    )
}

fn records(log: &[String]) -> Vec<Record<'_>> {
    (1..).zip(log).map(|(position, text)| Record { position, arrival_ms: i64::MAX, bytes: text.as_bytes() }).collect()
}

/// Everything that leaves and everything that stays.
fn run(mut engine: Engine, log: &[String], cut: usize) -> (String, Vec<Vec<u8>>) {
    let mut said = String::new();
    let mut say = |output: Output| {
        let alerts = serde_json::to_string(&output.alerts).expect("plain data");
        let scores = serde_json::to_string(&output.scores).expect("plain data");
        writeln!(said, "{}", alerts.trim_matches(['[', ']'])).expect("a String takes all");
        writeln!(said, "{}", scores.trim_matches(['[', ']'])).expect("a String takes all");
    };
    for batch in records(log).chunks(cut) {
        say(engine.process(batch));
    }
    say(engine.tick(log.len() as u64 + 1, START_MS + 100 * MINUTE_MS));
    writeln!(said, "{:?} {:?}", engine.counters(), engine.rule_counters()).expect("a String takes all");
    let snapshot = engine.snapshot();
    (said, (0..Snapshot::PARTS).map(|part| snapshot.write(part)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Outages, many at one instant, answers while much is due.
    #[test]
    fn parts_of_what_is_due_are_the_whole(
        draws in proptest::collection::vec((prop_oneof![4 => Just(0_i64), 4 => 0..2_000_i64, 1 => 0..4 * MINUTE_MS], 0..4_usize, 0..40_usize), 1..250),
        due_max in 1_usize..12, threads in 1_usize..4,
    ) {
        let mut at_ms = 0;
        let log: Vec<String> = draws.iter().enumerate().map(|(id, (step_ms, what, phone))| {
            at_ms += step_ms;
            event(id, at_ms, what.saturating_sub(1), *phone)
        }).collect();
        let whole = run(engine(usize::MAX / 4, 1), &log, usize::MAX);
        let parts = run(engine(due_max, threads), &log, usize::MAX);
        prop_assert_eq!(whole.0, parts.0);
        prop_assert!(whole.1 == parts.1, "what stays differs");
    }
}

#[test]
fn no_more_is_taken_together_than_so_much() {
    const WAITS: usize = 3 * DUE_MAX + 5;
    let log: Vec<String> = (0..WAITS).map(|id| event(id, 0, 0, id)).collect();
    let mut engine = engine(DUE_MAX, 1);
    engine.process(&records(&log));
    let (first, left_ms) = engine.due(i64::MAX);
    assert!(first.len() <= DUE_MAX && first.len() > DUE_MAX / 2, "{}", first.len());
    assert_eq!(left_ms, Some(START_MS + MINUTE_MS));
    engine.spare.clear();
    let alerts = engine.tick(WAITS as u64 + 1, START_MS + 100 * MINUTE_MS).alerts;
    assert!(alerts.iter().filter(|alert| alert.rule == "a.unused").count() >= 2 * WAITS);
    let rows = engine.spare.iter().map(|spare| spare.marks.capacity()).max();
    assert!(rows.is_some_and(|rows| rows <= DUE_MAX), "{rows:?} rows in one chunk");
}
