//! What rules advise: in alerts, and the strongest that still stands beside the score.

use rasid_compiler::ruleset::Advice;
use rasid_engine::{Config, Engine, Output, Pseudonymizer, Record, Score, ScoreChange};

use crate::common::{ARRIVAL_MS, START_MS, Saved, code_event as event, engine, ruleset};

const MINUTE: i64 = 60_000;

/// It advises and casts no doubt.
const USED: (&str, &str) = (
    "auth/used.yaml",
    r#"
rule: auth.used
title: A code is used
on: auth.otp_verified
entity: phone
overrides:
  - {if: data.purpose == "payout", advice: hold, risk: 60}
  - {if: data.purpose == "reset", advice: none}
when: "true"
half_life: 1h
suppress: 0s
advice: watch
advice_for: 10m
explain: used
"#,
);
/// Its advice stands as long as its half-life.
const SENT: (&str, &str) = (
    "auth/sent.yaml",
    r#"
rule: auth.sent
title: A code is sent
on: auth.otp_requested
entity: phone
when: "true"
risk: 10
half_life: 2m
suppress: 0s
advice: block
explain: sent
"#,
);

fn process(engine: &mut Engine, position: u64, text: &str) -> Output {
    engine.process(&[Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }])
}

fn score(changes: &[ScoreChange]) -> &Score {
    changes.last().and_then(|change| change.score.as_ref()).expect("a score")
}

fn advised(score: &Score) -> Option<(Advice, i64)> {
    score.advice.zip(score.advice_until.map(|until| (until - START_MS) / MINUTE))
}

#[test]
fn an_alert_says_what_to_do_and_until_when() {
    let mut engine = engine(&[USED, SENT], Config::default());
    let said: Vec<_> = [("otp_verified", "login"), ("otp_verified", "payout"), ("otp_verified", "reset"), ("otp_requested", "login")]
        .into_iter()
        .zip(1..)
        .map(|((kind, purpose), position)| {
            let output = process(&mut engine, position, &event(position, kind, purpose, 0));
            let alert = output.alerts.first().expect("one");
            let until = alert.advice_until.as_deref().and_then(rasid_detectors::event::time::parse_rfc3339);
            (alert.advice, until.map(|until| (until - START_MS) / MINUTE))
        })
        .collect();
    assert_eq!(said, [(Some(Advice::Watch), Some(10)), (Some(Advice::Hold), Some(10)), (None, None), (Some(Advice::Block), Some(2))]);
}

#[test]
fn the_strongest_that_stands_is_beside_the_score_and_what_outlasts_it_too() {
    let mut engine = engine(&[USED, SENT], Config::default());
    // Nothing but advice: there is no doubt, and yet a key for those who ask.
    let output = process(&mut engine, 1, &event(1, "otp_verified", "login", 0));
    let only = score(&output.scores);
    assert_eq!((only.score, only.level, only.low_until, advised(only)), (0, None, None, Some((Advice::Watch, 10))));
    assert_eq!((output.scores[0].live_until - START_MS, only.reasons.len()), (10 * MINUTE, 0));

    let output = process(&mut engine, 2, &event(2, "otp_requested", "login", 5));
    let both = score(&output.scores);
    assert_eq!((both.score, advised(both)), (10, Some((Advice::Block, 7))));
    let untils = [both.watch_until, both.challenge_until, both.hold_until, both.block_until];
    assert_eq!(untils.map(|until| until.map(|until| (until - START_MS) / MINUTE)), [Some(10), Some(7), Some(7), Some(7)]);

    let output = process(&mut engine, 3, &event(3, "otp_verified", "payout", 8));
    assert_eq!(advised(score(&output.scores)), Some((Advice::Hold, 18)), "the block is over");
}

#[test]
fn advice_goes_with_the_rule_and_with_what_is_retracted() {
    let mut engine = engine(&[USED, SENT], Config::default());
    process(&mut engine, 1, &event(1, "otp_verified", "login", 0));
    process(&mut engine, 2, &event(2, "otp_verified", "payout", 1));
    let retracted = engine.retract(3, "auth.used", START_MS + MINUTE).scores;
    assert_eq!((advised(score(&retracted)), score(&retracted).score), (Some((Advice::Watch, 10)), 0));
    let switched = engine.switch(4, ruleset(&[SENT])).scores;
    assert_eq!(switched.iter().map(|change| &change.score).collect::<Vec<_>>(), [&None]);
    assert!(engine.live_scores().is_empty());
}

#[test]
fn advice_of_an_alert_in_shadow_is_nobodys() {
    let shadow = USED.1.replace("title:", "mode: shadow\ntitle:");
    let mut engine = engine(&[(USED.0, &shadow)], Config::default());
    let output = process(&mut engine, 1, &event(1, "otp_verified", "login", 0));
    assert_eq!((output.alerts.len(), output.scores.len()), (1, 0));
}

#[test]
fn a_restart_changes_nothing_of_it() {
    let said = [("otp_verified", "login"), ("otp_verified", "payout"), ("otp_requested", "login")].into_iter().cycle();
    let log: Vec<String> =
        (0_u64..40).zip(0_i64..).zip(said).map(|((id, number), (kind, purpose))| event(id, kind, purpose, number * 3 % 41)).collect();
    let run = |engine: &mut Engine, from: usize, to: usize| -> Vec<ScoreChange> {
        (from..to).flat_map(|n| process(engine, n as u64 + 1, &log[n]).scores).collect()
    };
    let whole = run(&mut engine(&[USED, SENT], Config::default()), 0, log.len());
    for stop in 0..log.len() {
        let mut before = engine(&[USED, SENT], Config::default());
        let mut changes = run(&mut before, 0, stop);
        let saved = Saved::of(&before.snapshot());
        let secret = Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough");
        let mut after = Engine::restore(ruleset(&[USED, SENT]), Config::default(), secret, &mut |part| saved.get(part)).expect("saved");
        changes.extend(run(&mut after, stop, log.len()));
        assert_eq!(changes, whole, "{stop}");
    }
}
