//! Rules that look at alerts: what the other rules have opened, at the event that opened it, in the order of the log.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rasid_engine::{Alert, Config, Record};
use rstest::rstest;

use crate::common::{ALERT_RULES, ARRIVAL_MS, Draw, Kept, RULES, START_MS, astray, code_event, draws_of, engine, is_ahead, json, strays};

const MINUTE_MS: i64 = 60_000;

fn alerts(rules: &[(&str, &str)], log: &[String], cut: usize, threads: usize) -> Vec<Alert> {
    let records: Vec<Record<'_>> =
        (1..).zip(log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
    let mut engine = engine(rules, Config { threads, ..Config::default() });
    records.chunks(cut).flat_map(|batch| engine.process(batch).alerts).collect()
}

const SENT: (&str, &str) = (
    "auth/sent.yaml",
    "rule: auth.sent\ntitle: A code is sent\non: auth.otp_requested\nentity: phone\nwhen: data.purpose == \"payout\"\nsuppress: 0s\nexplain: sent\n",
);

#[rstest]
fn an_alert_names_the_one_that_opened_it_and_none_of_its_own_kind_comes_of_it(
    #[values(1, 2, 9)] cut: usize,
    #[values(1, 4)] threads: usize,
) {
    let shadow = (SENT.0, SENT.1.replace("rule: auth.sent", "rule: auth.seen").replace("suppress", "mode: shadow\nsuppress"));
    let rules = [SENT, ("auth/seen.yaml", shadow.1.as_str()), ALERT_RULES[0]];
    let log = [
        code_event(0, "otp_requested", "login", 0),
        code_event(1, "otp_requested", "payout", 1),
        code_event(2, "otp_requested", "payout", 2),
    ];
    let found = alerts(&rules, &log, cut, threads);
    let said: Vec<(u64, &str, &str)> =
        found.iter().map(|alert| (alert.position, alert.rule.as_str(), alert.explanation.as_str())).collect();
    let entity = &found[1].entity;
    let first = format!("1 alerts, 1 of auth.sent, 1 in auth; {entity} had – before; –");
    let second = format!("2 alerts, 2 of auth.sent, 1 in auth; {entity} had auth.sent before; –");
    let expected = [
        (2, "auth.seen", "sent"),
        (2, "auth.sent", "sent"),
        (2, "ops.wave", first.as_str()),
        (3, "auth.seen", "sent"),
        (3, "auth.sent", "sent"),
        (3, "ops.wave", second.as_str()),
    ];
    assert_eq!(said, expected, "none of what is in shadow, and none of waves");
    assert!(entity.starts_with("phone:p1_"), "{entity}");
    for pair in found.chunks(3) {
        let wave = &pair[2];
        assert_eq!((wave.event.source.as_str(), wave.event.id.as_str()), ("/rasid", pair[1].id.as_str()));
        assert_eq!((wave.entity.as_str(), wave.opened_at.as_str(), wave.risk), ("all:all", pair[1].opened_at.as_str(), 0));
    }
}

#[test]
fn nobody_sends_an_alert() {
    let time = rasid_detectors::event::time::format_rfc3339(START_MS);
    let record = format!(
        r#"{{"specversion":"1.0","id":"al_1","source":"/rasid","type":"rasid.alert","time":"{time}","data":{{"rule":"auth.sent","severity":"SEV0","area":"auth","entity":"user:u_1"}}}}"#
    );
    let mut engine = engine(ALERT_RULES, Config::default());
    let output = engine.process(&[Record { position: 1, arrival_ms: ARRIVAL_MS, bytes: record.as_bytes() }]);
    assert!(output.alerts.is_empty() && output.dead_letters.is_empty());
    assert_eq!((engine.counters().unknown_types, engine.counters().events), (1, 0));
}

#[test]
fn a_rule_is_tested_with_alerts_that_the_test_makes() {
    let tests = r#"
tests:
  - name: three of one rule
    events: [{at: 0s, every: 1m, times: 3, type: rasid.alert, data: {rule: auth.sent, severity: SEV2, area: auth, entity: "user:u_{n}"}}]
    alerts: [{at: 0s, entity: all}, {at: 1m, entity: all}, {at: 2m, entity: all}]
"#;
    let text = format!("{}{tests}", ALERT_RULES[0].1);
    let outcome = rasid_engine::run_tests(&crate::common::ruleset(&[(ALERT_RULES[0].0, &text)])).expect("an engine");
    assert!(outcome.failures.is_none(), "{}", outcome.failures.expect("some").render(false));
    assert_eq!(outcome.tests, 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Against plain lists of the alerts themselves, over disordered, delayed and hostile streams and any cut into batches.
    #[test]
    fn what_was_opened_is_seen_once_and_in_order(
        draws in draws_of(4, 300), strays in strays(), cut in 1_usize..80, threads in prop_oneof![Just(1_usize), Just(3)],
    ) {
        let draws = astray(draws, &strays);
        let log: Vec<String> = draws.iter().enumerate().map(|(id, draw)| json(id, draw)).collect();
        let loud: Vec<(&str, String)> = RULES.iter().map(|(name, text)| (*name, text.replace("suppress: 5m", "suppress: 0s"))).collect();
        let rules: Vec<(&str, &str)> = loud.iter().map(|(name, text)| (*name, text.as_str())).chain([ALERT_RULES[0]]).collect();
        let found = alerts(&rules, &log, cut, threads);
        prop_assert_eq!(&found, &alerts(&rules, &log, usize::MAX, 1));

        let mut clock_ms = i64::MIN;
        let clocks: Vec<i64> = draws.iter().map(|draw: &Draw| {
            clock_ms = if is_ahead(draw) { clock_ms } else { clock_ms.max(START_MS + draw.at_ms) };
            clock_ms
        }).collect();
        let waves: BTreeMap<&str, &Alert> =
            found.iter().filter(|alert| alert.rule == "ops.wave").map(|alert| (alert.event.id.as_str(), alert)).collect();
        let mut of_all = Kept::default();
        let mut by_rule: BTreeMap<&str, Kept<()>> = BTreeMap::new();
        let mut by_area: BTreeMap<&str, Kept<usize>> = BTreeMap::new();
        let mut seen = Vec::new();
        let sources: Vec<&Alert> = found.iter().filter(|alert| alert.rule != "ops.wave").collect();
        for alert in &sources {
            let at_ms = rasid_detectors::event::time::parse_rfc3339(&alert.opened_at).expect("an instant");
            let clock_ms = clocks[usize::try_from(alert.position).expect("few") - 1];
            let area = alert.rule.split('.').next().expect("an area");
            let number = seen.iter().position(|other| *other == alert.entity).unwrap_or_else(|| {
                seen.push(alert.entity.clone());
                seen.len() - 1
            });
            let all = of_all.visit(at_ms, clock_ms, 20 * MINUTE_MS, Some(())).map(|kept| kept.len());
            let alike = by_rule.entry(&alert.rule).or_default().visit(at_ms, clock_ms, 20 * MINUTE_MS, Some(())).map(|kept| kept.len());
            let people = by_area.entry(area).or_default().visit(at_ms, clock_ms, 60 * MINUTE_MS, Some(number));
            let people = people.map(|kept| kept.into_iter().collect::<BTreeSet<_>>().len());
            let Some(wave) = waves.get(alert.id.as_str()) else {
                prop_assert!(all.is_none(), "{} opens nothing", alert.id);
                continue;
            };
            let values = serde_json::to_value(wave).expect("JSON")["values"].clone();
            let read = serde_json::json!({ "of_all": values["of_all"], "of_rule": values["of_rule"], "people": values["people"] });
            prop_assert_eq!(read, serde_json::json!({ "of_all": all, "of_rule": alike, "people": people }), "{}", alert.id);
        }
        prop_assert!(waves.len() <= sources.len());
    }
}
