//! Control records at their bounds: rulesets switched, doubt taken back, the clock moved in silence.

#![expect(clippy::indexing_slicing, reason = "what is out of range fails the test")]

use rasid_compiler::ruleset::{Mode, Receiver};
use rasid_engine::{Alert, Config, Engine, Level, Output, Record};
use rstest::rstest;

use crate::common::{ARRIVAL_MS, Draw, RULES, START_MS, engine, json, ruleset};

const MINUTE: i64 = 60_000;
/// The codes that one phone is sent in ten minutes, and a rule that counts something else.
const FLOOD: (&str, &str) = RULES[0];
const OTHER: (&str, &str) = RULES[3];

fn otp(id: usize, at_ms: i64) -> String {
    json(id, &Draw { at_ms, kind: 0, who: 0, how: 0 })
}

fn feed(engine: &mut Engine, log: &[String]) -> Output {
    let records: Vec<Record<'_>> =
        (1..).zip(log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
    engine.process(&records)
}

/// Codes at each of these times, ms after the start; ids begin at `first`.
fn codes(first: usize, times: &[i64]) -> Vec<String> {
    times.iter().enumerate().map(|(index, at_ms)| otp(first + index, *at_ms)).collect()
}

fn modes(alerts: &[Alert]) -> Vec<Mode> {
    alerts.iter().map(|alert| alert.mode).collect()
}

/// The rule comes at minute 1; its window of ten minutes is whole from minute 11 on.
#[rstest]
#[case::just_below("", 11 * MINUTE - 1, Mode::Shadow)]
#[case::at("", 11 * MINUTE, Mode::Active)]
#[case::just_above("", 11 * MINUTE + 1, Mode::Active)]
#[case::said_so("while_warming: active\n", 4 * MINUTE, Mode::Active)]
#[case::said_the_default("while_warming: shadow\n", 4 * MINUTE, Mode::Shadow)]
#[case::in_shadow_anyhow("mode: shadow\nwhile_warming: active\n", 20 * MINUTE, Mode::Shadow)]
fn a_rule_whose_window_is_not_whole_runs_in_shadow(#[case] keys: &str, #[case] hit_ms: i64, #[case] mode: Mode) {
    let mut engine = engine(&[OTHER], Config::default());
    feed(&mut engine, &[otp(0, MINUTE)]);
    let rule = FLOOD.1.replace("on: auth", &format!("{keys}on: auth"));
    assert!(engine.switch(2, ruleset(&[(FLOOD.0, &rule), OTHER])).scores.is_empty());
    let id = engine.rule_counters()[0].rule.clone();
    let warming: Vec<(String, i64)> = engine.warming_rules().map(|(rule, until_ms)| (rule.to_owned(), until_ms)).collect();
    let expected = if keys.contains("active") { vec![] } else { vec![(id, START_MS + 11 * MINUTE)] };
    assert_eq!(warming, expected);
    let output = feed(&mut engine, &codes(1, &[hit_ms - 3, hit_ms - 2, hit_ms - 1, hit_ms]));
    assert_eq!(modes(&output.alerts), [mode]);
    assert_eq!(engine.warming_rules().count(), usize::from(hit_ms < 11 * MINUTE && !keys.contains("active")), "by the event clock");
    let active = mode == Mode::Active;
    assert_eq!(output.alerts[0].deliver, if active { vec![Receiver::Core] } else { vec![] });
    assert_eq!((output.scores.len(), engine.live_scores().len()), (usize::from(active), usize::from(active)));
    assert_eq!(output.alerts[0].ruleset, engine.ruleset_hash());
}

#[test]
fn an_alert_of_the_warming_hides_no_hit_of_the_warm_rule() {
    let mut engine = engine(&[OTHER], Config::default());
    feed(&mut engine, &[otp(0, MINUTE)]);
    engine.switch(2, ruleset(&[FLOOD, OTHER]));
    let end = 11 * MINUTE;
    let output = feed(&mut engine, &codes(1, &[end - 4, end - 3, end - 2, end - 1, end, end + 1]));
    assert_eq!(modes(&output.alerts), [Mode::Shadow, Mode::Active], "and the one after is suppressed");
}

#[rstest]
#[case::before_the_first_event(&[], 0, Mode::Active)]
#[case::nothing_but_another_risk(&[FLOOD], 0, Mode::Active)]
#[case::off_until_now(&[(FLOOD.0, "off")], 0, Mode::Shadow)]
#[case::gone_and_back(&[FLOOD], 1, Mode::Shadow)]
fn what_was_fed_all_along_is_warm(#[case] first: &[(&str, &str)], #[case] gone: usize, #[case] mode: Mode) {
    let off = FLOOD.1.replace("on: auth", "mode: off\non: auth");
    let rules: Vec<(&str, &str)> = first.iter().map(|(name, text)| (*name, if *text == "off" { off.as_str() } else { *text })).collect();
    let rules: Vec<(&str, &str)> = rules.into_iter().chain([OTHER]).collect();
    let mut engine = engine(&rules, Config::default());
    if !first.is_empty() {
        feed(&mut engine, &codes(0, &[0, 1]));
    }
    for _ in 0..gone {
        engine.switch(1, ruleset(&[OTHER]));
    }
    engine.switch(2, ruleset(&[(FLOOD.0, &FLOOD.1.replace("risk: 60", "risk: 50")), OTHER]));
    let output = feed(&mut engine, &codes(10, &[10, 11, 12, 13, 14, 15]));
    assert_eq!(modes(&output.alerts), [mode]);
}

/// Scores of a rule that leaves, by what becomes of it: (how its file reads then, score left).
#[rstest]
#[case::gone(None, None)]
#[case::off(Some("mode: off\n"), None)]
#[case::in_shadow(Some("mode: shadow\n"), None)]
#[case::kept(Some("while_warming: active\n"), Some(60))]
fn a_rule_that_leaves_takes_its_reasons_out_of_the_scores(#[case] then: Option<&str>, #[case] left: Option<u8>) {
    let mut engine = engine(&[FLOOD, OTHER], Config::default());
    let raised = feed(&mut engine, &codes(0, &[0, 1, 2, 3])).scores;
    assert_eq!(raised.len(), 1);
    let rule = then.map(|keys| FLOOD.1.replace("on: auth", &format!("{keys}on: auth")));
    let rules: Vec<(&str, &str)> = rule.iter().map(|text| (FLOOD.0, text.as_str())).chain([OTHER]).collect();
    let changes = engine.switch(9, ruleset(&rules)).scores;
    let counted = engine.rule_counters().iter().find(|counters| counters.rule == "auth.otp_flood").map(|counters| counters.alerts);
    assert_eq!(counted, then.map(|_| 1));
    assert_eq!(engine.scores().first().map(|score| score.score), left);
    assert_eq!(changes.len(), usize::from(left.is_none()));
    for change in &changes {
        assert_eq!((change.position, &change.score), (9, &None));
        assert!(change.version > raised[0].version && change.live_until < engine.clock_ms());
    }
    // Counters go on by id, however often the rule comes and goes.
    engine.switch(10, ruleset(&[FLOOD, OTHER]));
    assert_eq!(engine.rule_counters()[0].alerts, 1);
}

#[test]
fn doubts_name_their_rules_over_any_switch() {
    let mut engine = engine(&[FLOOD, OTHER], Config::default());
    feed(&mut engine, &codes(0, &[0, 1, 2, 3]));
    // Two rules before it in the order of ids.
    engine.switch(9, ruleset(&[FLOOD, OTHER, RULES[1], RULES[2]]));
    let reasons = |engine: &Engine| engine.scores()[0].reasons.iter().map(|reason| reason.rule.clone()).collect::<Vec<_>>();
    assert_eq!(reasons(&engine), ["auth.otp_flood"]);
    engine.switch(10, ruleset(&[FLOOD]));
    assert_eq!(reasons(&engine), ["auth.otp_flood"]);
    assert_eq!(engine.scores()[0].ruleset, engine.ruleset_hash());
}

#[rstest]
#[case::all(0, 0, None)]
#[case::from_the_second(6 * MINUTE, 59, Some(Level::Medium))]
#[case::just_after_the_second(6 * MINUTE + 1, 84, None)]
fn a_retraction_takes_back_from_an_instant_on(#[case] since_ms: i64, #[case] left: u8, #[case] level: Option<Level>) {
    let mut engine = engine(&[FLOOD], Config::default());
    // Alerts at 3 ms and at 6 min.
    let output = feed(&mut engine, &codes(0, &[0, 1, 2, 3, 6 * MINUTE]));
    assert_eq!((output.alerts.len(), output.scores.len()), (2, 2));
    assert_eq!(engine.scores()[0].score, 84);
    let changes = engine.retract(7, "auth.otp_flood", START_MS + since_ms).scores;
    assert_eq!(engine.scores().first().map_or(0, |score| score.score), left);
    assert_eq!(changes.len(), usize::from(since_ms <= 6 * MINUTE));
    assert_eq!(changes.first().and_then(|change| change.score.as_ref()).and_then(|score| score.level), level);
    assert!(engine.retract(8, "auth.otp_flood", START_MS + since_ms).scores.is_empty(), "it is taken back");
    assert!(engine.retract(9, "auth.unknown", i64::MIN).scores.is_empty());
}

/// The clock in silence: lateness is five minutes.
#[rstest]
#[case::on_time(60 * MINUTE, false)]
#[case::as_late_as_allowed(50 * MINUTE, false)]
#[case::later(50 * MINUTE - 1, true)]
fn after_a_silence_what_is_on_time_is_not_late(#[case] at_ms: i64, #[case] late: bool) {
    let mut engine = engine(&[FLOOD], Config::default());
    feed(&mut engine, &[otp(0, 0)]);
    engine.tick(2, START_MS + 60 * MINUTE);
    assert_eq!(engine.clock_ms(), START_MS + 55 * MINUTE);
    engine.tick(3, START_MS + 10 * MINUTE);
    assert_eq!(engine.clock_ms(), START_MS + 55 * MINUTE, "it never goes back");
    feed(&mut engine, &[otp(1, at_ms)]);
    assert_eq!(engine.counters().late, u64::from(late));
}
