//! The brake: a rule that opens more alerts than people can be told of.

use proptest::prelude::*;
use rasid_compiler::ruleset::{Mode, Receiver};
use rasid_engine::{Alert, Config, Engine, Output, Pseudonymizer, Record};

use crate::common::{ARRIVAL_MS, START_MS, Saved, engine, ruleset};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// Alerts on every code of a login; more than three of ten events in an hour are too many.
const LOUD: (&str, &str) = (
    "probe/loud.yaml",
    r#"
rule: probe.loud
title: Every code
on: auth.otp_requested
entity: phone
when: data.purpose == "login"
risk: 30
suppress: 0s
deliver: [core, oncall]
brake: {alerts: 3, share: 30}
explain: "a code"
"#,
);

/// A code that one of some phones asks for.
fn code(id: usize, at_ms: i64, login: bool) -> String {
    let time = rasid_detectors::event::time::format_rfc3339(START_MS + at_ms);
    let (phone, purpose) = (id % 7, if login { "login" } else { "signup" });
    format!(
        r#"{{"specversion":"1.0","id":"e{id}","source":"/test","type":"auth.otp_requested","time":"{time}","data":{{"phone":"+20100000000{phone}","ip":"192.0.2.1","purpose":"{purpose}"}}}}"#
    )
}

fn feed(engine: &mut Engine, first: usize, log: &[String]) -> Output {
    let records: Vec<Record<'_>> =
        (first as u64 + 1..).zip(log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
    engine.process(&records)
}

/// Hours with so many logins and so many other codes, a minute apart; ids begin at `first`.
fn hours(first: usize, hours: &[(i64, usize, usize)]) -> Vec<String> {
    let minutes = hours.iter().flat_map(|(hour, logins, others)| {
        (0..logins + others).map(move |minute| (hour * HOUR + i64::try_from(minute).expect("few") * MINUTE, minute < *logins))
    });
    minutes.enumerate().map(|(index, (at_ms, login))| code(first + index, at_ms, login)).collect()
}

fn pages(alerts: &[Alert]) -> Vec<bool> {
    alerts.iter().map(|alert| alert.deliver.contains(&Receiver::Oncall)).collect()
}

#[test]
fn after_a_loud_hour_people_are_told_of_one_alert_an_hour() {
    let mut engine = engine(&[LOUD], Config::default());
    // Four of ten are too many; the hour after it has few, and the one after that is as usual.
    let output = feed(&mut engine, 0, &hours(0, &[(0, 4, 6), (1, 3, 9), (2, 2, 9)]));
    assert_eq!(pages(&output.alerts), [true, true, true, true, true, false, false, true, true]);
    let says: Vec<bool> = output.alerts.iter().map(|alert| alert.explanation.contains("4 alerts at 10 events")).collect();
    assert_eq!(says, [false, false, false, false, true, false, false, false, false]);
    assert!(output.alerts.iter().all(|alert| alert.mode == Mode::Active && alert.deliver.contains(&Receiver::Core)));
    assert_eq!(output.scores.len(), 9, "scores go on");
}

/// The same rule, of which the core alone is told but where much is asked for.
#[test]
fn the_first_that_people_are_told_of_is_the_first_that_is_for_them() {
    let quiet =
        LOUD.1.replace("deliver: [core, oncall]", "severity: SEV2\noverrides: [{if: data.phone == \"+201000000006\", severity: SEV1}]");
    let mut engine = engine(&[(LOUD.0, &quiet)], Config::default());
    let output = feed(&mut engine, 0, &hours(0, &[(0, 10, 0), (1, 14, 0)]));
    assert_eq!(pages(&output.alerts[10..]).iter().filter(|told| **told).count(), 1, "one of two in the hour");
    let first = output.alerts[10..].iter().find(|alert| alert.deliver.contains(&Receiver::Oncall)).expect("one");
    assert!(first.explanation.contains("10 alerts at 10 events"), "{}", first.explanation);
}

/// Whoever mends a loud rule has not made it loud.
#[test]
fn a_changed_rule_answers_for_none_of_the_alerts_before() {
    let mut engine = engine(&[LOUD], Config::default());
    feed(&mut engine, 0, &hours(0, &[(0, 9, 0)]));
    engine.switch(9, ruleset(&[(LOUD.0, &LOUD.1.replace("risk: 30", "risk: 20"))]));
    let output = feed(&mut engine, 9, &hours(100, &[(1, 2, 0)]));
    assert!(output.alerts.iter().all(|alert| alert.mode == Mode::Active) && engine.braked_rules().is_empty());
}

/// What is in shadow while its window fills makes no rule loud.
#[test]
fn what_warms_is_not_loud() {
    let counting = LOUD
        .1
        .replace("when: data.purpose == \"login\"", "let: {sends: {count: auth.otp_requested, by: phone, window: 7d}}\nwhen: sends >= 0");
    let mut engine = engine(&[LOUD], Config::default());
    feed(&mut engine, 0, &hours(0, &[(0, 1, 0)]));
    engine.switch(1, ruleset(&[(LOUD.0, &counting)]));
    let output = feed(&mut engine, 1, &hours(100, &[(0, 9, 0), (1, 3, 0)]));
    assert!(output.alerts.iter().all(|alert| alert.mode == Mode::Shadow) && engine.braked_rules().is_empty());
}

#[test]
fn both_bounds_must_be_passed() {
    for hour in [(0, 3, 0), (0, 4, 10), (0, 3, 7)] {
        let mut engine = engine(&[LOUD], Config::default());
        let output = feed(&mut engine, 0, &hours(0, &[hour, (1, 2, 0)]));
        assert!(pages(&output.alerts).iter().all(|told| *told), "{hour:?}");
        assert!(engine.braked_rules().is_empty());
    }
}

#[test]
fn an_hour_without_a_hit_lets_go() {
    let mut engine = engine(&[LOUD], Config::default());
    let output = feed(&mut engine, 0, &hours(0, &[(0, 9, 0), (2, 2, 0)]));
    assert!(pages(&output.alerts).iter().all(|told| *told));
}

#[test]
fn a_rule_that_is_too_loud_after_its_change_goes_to_shadow_until_it_is_changed() {
    let mut engine = engine(&[(LOUD.0, &LOUD.1.replace("risk: 30", "risk: 20"))], Config::default());
    feed(&mut engine, 0, &hours(0, &[(0, 1, 0)]));
    engine.switch(2, ruleset(&[LOUD]));
    let output = feed(&mut engine, 2, &hours(100, &[(1, 9, 0), (2, 2, 0)]));
    assert_eq!(output.alerts[8..].iter().map(|alert| alert.mode).collect::<Vec<_>>(), [Mode::Active, Mode::Shadow, Mode::Shadow]);
    assert!(engine.live_scores().is_empty(), "what it cast is taken out");
    assert!(output.scores.len() > 9, "and told");
    let braked = engine.braked_rules();
    assert_eq!((braked.len(), braked[0].rule.as_str(), braked[0].shadow), (1, "probe.loud", true));
    // Other rules beside it change nothing; its own file does.
    let other = ("probe/other.yaml", &*LOUD.1.replace("probe.loud", "probe.other").replace("login", "payout"));
    engine.switch(20, ruleset(&[LOUD, other]));
    assert_eq!(feed(&mut engine, 20, &hours(200, &[(3, 1, 0)])).alerts[0].mode, Mode::Shadow);
    let calmer = LOUD.1.replace("alerts: 3", "alerts: 30");
    engine.switch(30, ruleset(&[(LOUD.0, &calmer), other]));
    assert_eq!(feed(&mut engine, 30, &hours(300, &[(4, 1, 0)])).alerts[0].mode, Mode::Active);
}

#[test]
fn a_day_after_its_change_a_loud_rule_stays_active() {
    let mut engine = engine(&[(LOUD.0, &LOUD.1.replace("risk: 30", "risk: 20"))], Config::default());
    feed(&mut engine, 0, &hours(0, &[(0, 1, 0)]));
    engine.switch(2, ruleset(&[LOUD]));
    let output = feed(&mut engine, 2, &hours(100, &[(23, 9, 0), (24, 2, 0)]));
    assert!(output.alerts.iter().all(|alert| alert.mode == Mode::Active));
    assert_eq!(pages(&output.alerts)[9..], [true, false]);
}

proptest! {
    /// However the log is cut, and wherever it is taken up again from a snapshot, the brake holds for the same alerts.
    #[test]
    fn cuts_and_restarts_change_nothing(
        draws in proptest::collection::vec((0..5 * HOUR, any::<bool>()), 1..60),
        cuts in proptest::collection::vec(0..60_usize, 0..4),
    ) {
        let changed = LOUD.1.replace("risk: 30", "risk: 40");
        let log: Vec<String> = draws.iter().enumerate().map(|(id, (at_ms, login))| code(id, *at_ms, *login)).collect();
        let whole = |cuts: &[usize], restart: bool| {
            let mut engine = engine(&[LOUD], Config::default());
            let (mut alerts, mut scores, mut from) = (Vec::new(), Vec::new(), 0);
            let switch = log.len() / 2;
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % log.len()).chain([switch, log.len()]).collect();
            ends.sort_unstable();
            for end in ends {
                let output = feed(&mut engine, from, &log[from..end]);
                alerts.extend(output.alerts.into_iter().map(|alert| (serde_json::to_string(&alert).expect("text"), alert.deliver)));
                scores.extend(output.scores);
                from = end;
                if from == switch && engine.ruleset_hash() == ruleset(&[LOUD]).hash {
                    scores.extend(engine.switch(from as u64, ruleset(&[(LOUD.0, &changed)])).scores);
                }
                if restart {
                    let saved = Saved::of(&engine.snapshot());
                    let rules = if from < switch { ruleset(&[LOUD]) } else { ruleset(&[(LOUD.0, &changed)]) };
                    let pseudonymizer = Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough");
                    engine = Engine::restore(rules, Config::default(), pseudonymizer, &mut |part| saved.get(part)).expect("whole");
                }
            }
            (alerts, scores, Saved::of(&engine.snapshot()))
        };
        let expected = whole(&[], false);
        prop_assert_eq!(&whole(&cuts, false), &expected);
        prop_assert_eq!(&whole(&cuts, true), &expected);
    }
}
