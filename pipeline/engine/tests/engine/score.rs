//! `score` in a condition: what the rules that do not read it have made of the entity, at that event.

use rasid_engine::{Alert, Config, Engine, Pseudonymizer, Record};
use rstest::rstest;

use crate::common::{ARRIVAL_MS, Saved, code_event as event, engine, ruleset};

const SENT: (&str, &str) = (
    "auth/sent.yaml",
    r#"
rule: auth.sent
title: A code is sent
on: auth.otp_requested
entity: phone
when: data.purpose == "payout"
risk: 60
half_life: 1h
suppress: 0s
explain: sent
"#,
);
/// Two that read it, at the event that makes it and at another, and weigh on it themselves.
const GATES: [(&str, &str); 2] = [
    (
        "auth/asked.yaml",
        r#"
rule: auth.asked
title: A code is sent to somebody of whom there is doubt
on: auth.otp_requested
entity: phone
when: score > 0
risk: 50
half_life: 1h
suppress: 0s
explain: "asked at {score}"
"#,
    ),
    (
        "auth/used.yaml",
        r#"
rule: auth.used
title: One who is doubted uses a code
on: auth.otp_verified
entity: phone
params: {score_min: 30}
when: score >= params.score_min
risk: 50
half_life: 1h
suppress: 0s
explain: "used at {score}"
"#,
    ),
];

fn log() -> Vec<String> {
    vec![
        event(0, "otp_verified", "login", 0),
        event(1, "otp_requested", "payout", 0),
        event(2, "otp_verified", "login", 0),
        event(3, "otp_verified", "login", 60),
        event(4, "otp_requested", "payout", 60),
        event(5, "otp_requested", "login", 120),
        event(6, "otp_verified", "login", 270),
    ]
}

fn run(engine: &mut Engine, log: &[String], from: usize, cut: usize) -> Vec<Alert> {
    let records: Vec<Record<'_>> =
        (from as u64 + 1..).zip(log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
    records.chunks(cut).flat_map(|batch| engine.process(batch).alerts).collect()
}

fn said(alerts: &[Alert]) -> Vec<(u64, &str)> {
    alerts.iter().map(|alert| (alert.position, alert.explanation.as_str())).collect()
}

/// 60; half of it an hour later; 1 − 0.7 · 0.4 = 72 with the second; half of that two hours on, in all 36, and 6 in the end.
const EXPECTED: [(u64, &str); 8] = [
    (2, "sent"),
    (2, "asked at 60"),
    (3, "used at 60"),
    (4, "used at 30"),
    (5, "sent"),
    (5, "asked at 72"),
    (6, "asked at 36"),
    (7, "used at 6"),
];

#[rstest]
fn a_rule_reads_what_the_others_made_and_nothing_of_its_own(#[values(1, 2, 3, 7)] cut: usize, #[values(1, 4)] threads: usize) {
    let rules = [SENT, GATES[0], GATES[1]];
    let mut engine = engine(&rules, Config { threads, ..Config::default() });
    let alerts = run(&mut engine, &log(), 0, cut);
    assert_eq!(said(&alerts), EXPECTED[..7], "the last is under the limit");
    assert!(engine.live_scores()[0].score.as_ref().is_some_and(|score| score.reasons.len() == 3), "all three weigh");
}

#[test]
fn a_restart_changes_nothing_of_it() {
    let rules = [SENT, GATES[0], (GATES[1].0, &GATES[1].1.replace("score_min: 30", "score_min: 5"))];
    let log = log();
    for stop in 0..log.len() {
        let mut before = engine(&rules, Config::default());
        let mut alerts = run(&mut before, &log[..stop], 0, 2);
        let saved = Saved::of(&before.snapshot());
        let secret = Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough");
        let mut after = Engine::restore(ruleset(&rules), Config::default(), secret, &mut |part| saved.get(part)).expect("what was saved");
        alerts.extend(run(&mut after, &log[stop..], stop, 2));
        assert_eq!(said(&alerts), EXPECTED, "{stop}");
    }
}

#[test]
fn who_is_accused_by_gates_alone_has_no_score_for_them() {
    let asked = GATES[0].1.replace("score > 0", "score == 0");
    let mut engine = engine(&[(GATES[0].0, &asked)], Config::default());
    let alerts = run(&mut engine, &log(), 0, 3);
    assert_eq!(said(&alerts), [(2, "asked at 0"), (5, "asked at 0"), (6, "asked at 0")]);
}
