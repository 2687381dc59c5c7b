//! How accounts hang together, in an engine: by closed hours, near a list that may change, through a restart.

use rasid_detectors::event::time::format_rfc3339;
use rasid_engine::{Config, Engine, Part, Pseudonymizer, Record, run_tests};
use serde_json::{Value, json};

use crate::common::{ARRIVAL_MS, Saved, ruleset};

/// The beginning of an hour.
const START_MS: i64 = 1_790_002_800_000;
const MINUTE_MS: i64 = 60_000;

const RULE: &str = r#"
rule: account.probe
title: What hangs together
on: payment.captured
entity: user(user_id)
let:
  ring: {component: [auth.login_succeeded, payment.captured], links: [device, instrument], near: list.banned, by: user(user_id), window: 7d}
  card: {component: [auth.login_succeeded, payment.captured], links: [device, instrument], near: list.banned, by: instrument, window: 7d}
when: ring > 0
suppress: 0s
explain: "{ring}, {card} by the card"
"#;

fn rules(banned: &str) -> Vec<(&'static str, String)> {
    let entry = if banned.is_empty() { String::new() } else { format!("{{value: {banned}, reason: r}}") };
    vec![("account/probe.yaml", RULE.to_owned()), ("lists/banned.yaml", format!("list: banned\nkind: user\nentries: [{entry}]\n"))]
}

fn of(banned: &str) -> rasid_compiler::ruleset::Ruleset {
    let rules = rules(banned);
    ruleset(&rules.iter().map(|(name, text)| (*name, text.as_str())).collect::<Vec<_>>())
}

fn secret() -> Pseudonymizer {
    Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough")
}

fn event(number: u64, minute: i64, name: &str, data: &Value) -> String {
    let time = format_rfc3339(START_MS + minute * MINUTE_MS);
    json!({ "specversion": "1.0", "id": format!("e{number}"), "source": "/t", "type": name, "time": time, "data": data }).to_string()
}

fn login(number: u64, minute: i64, user: &str, device: &str) -> String {
    let data = json!({ "user_id": user, "device_id": device, "ip": "192.0.2.1" });
    event(number, minute, "auth.login_succeeded", &data)
}

fn payment(number: u64, minute: i64, user: &str, card: Option<&str>) -> String {
    let mut data =
        json!({ "payment_id": "p", "user_id": user, "amount": 1, "currency": "EGP", "method": "card", "counterparty_id": "u_9" });
    if let (Some(card), Some(fields)) = (card, data.as_object_mut()) {
        fields.insert("instrument_id".to_owned(), card.into());
    }
    event(number, minute, "payment.captured", &data)
}

/// What the alerts of those events show.
fn shown(engine: &mut Engine, log: &[(u64, String)]) -> Vec<Value> {
    let records: Vec<Record<'_>> =
        log.iter().map(|(position, text)| Record { position: *position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
    engine.process(&records).alerts.iter().map(|alert| serde_json::to_value(&alert.values).expect("JSON")).collect()
}

fn numbered(log: impl IntoIterator<Item = String>) -> Vec<(u64, String)> {
    (1..).zip(log).collect()
}

/// (nodes, accounts, share, hops) of what is bound to a name.
fn read(shown: &Value, name: &str) -> [Value; 4] {
    [name.to_owned(), format!("{name}.accounts"), format!("{name}.inside"), format!("{name}.distance")].map(|name| shown[&name].clone())
}

#[test]
fn an_hour_closes_and_a_ring_is_seen() {
    let mut engine = Engine::new(of("u_1"), Config::default(), secret()).expect("an engine");
    let log = numbered([
        login(1, 0, "u_1", "d_1"),
        login(2, 1, "u_2", "d_1"),
        payment(3, 30, "u_2", Some("c_1")),
        payment(4, 59, "u_3", Some("c_1")),
        payment(5, 60, "u_3", None),
        payment(6, 61, "u_4", Some("c_1")),
        payment(7, 62, "u_4", None),
        payment(8, 120, "u_4", None),
    ]);
    let shown = shown(&mut engine, &log);
    let null = Value::Null;
    assert_eq!(read(&shown[0], "ring"), [json!(2), json!(1), json!(0.0), null.clone()], "the hour is open: himself and his card");
    assert_eq!(read(&shown[2], "ring"), [json!(5), json!(3), json!(0.0), json!(4)]);
    assert_eq!(read(&shown[2], "card"), [null.clone(), null.clone(), null.clone(), null.clone()], "no card, no value");
    assert_eq!(read(&shown[3], "ring"), [json!(6), json!(4), json!(0.0), json!(4)], "by his own card at once");
    assert_eq!(read(&shown[3], "card"), [json!(6), json!(4), json!(0.0), json!(3)]);
    assert_eq!(read(&shown[4], "ring"), [json!(1), json!(1), json!(0.0), null], "and by himself until the hour is over");
    assert_eq!(read(&shown[5], "ring"), [json!(6), json!(4), json!(0.0), json!(4)]);
}

/// Edges outlive another list, and what is near it is told from then on; a restart changes nothing of that.
#[test]
fn another_list_counts_from_the_change_of_rules_on() {
    let before = || {
        let mut engine = Engine::new(of(""), Config::default(), secret()).expect("an engine");
        let log = numbered([login(1, 0, "u_1", "d_1"), login(2, 1, "u_2", "d_1"), payment(3, 70, "u_2", None)]);
        let shown = shown(&mut engine, &log);
        assert_eq!(read(&shown[0], "ring"), [json!(3), json!(2), json!(0.0), Value::Null]);
        engine.switch(4, of("u_1"));
        engine
    };
    let after = |engine: &mut Engine| shown(engine, &[(5, payment(5, 71, "u_2", None)), (6, payment(6, 72, "u_1", None))]);
    let (mut through, mut engine) = (before(), before());
    let saved = Saved::of(&engine.snapshot());
    assert!(!saved.parts.iter().any(|part| part.windows(3).any(|bytes| bytes == b"u_1")), "no entry of a list is in a snapshot");
    let mut restored =
        Engine::restore(of("u_1"), Config::default(), secret(), &mut |part: Part<'_>| saved.get(part)).expect("what was saved");
    assert_eq!(restored.state_bytes(), through.state_bytes());
    let found = after(&mut through);
    assert_eq!(read(&found[0], "ring"), [json!(3), json!(2), json!(0.0), json!(2)]);
    assert_eq!(read(&found[1], "ring"), [json!(3), json!(2), json!(0.0), json!(0)]);
    assert_eq!(after(&mut restored), found);
}

/// Memory that is short costs the oldest links, and is counted.
#[test]
fn memory_that_is_short_costs_links() {
    let memory_max = 600_000;
    let mut engine = Engine::new(of("u_1"), Config { memory_max, ..Config::default() }, secret()).expect("an engine");
    let log = numbered(
        (0..6_000_u64)
            .map(|number| login(number, i64::try_from(number / 20).expect("few"), &format!("u_{number}"), &format!("d_{}", number / 2))),
    );
    shown(&mut engine, &log);
    assert!(engine.counters().evicted > 0 && engine.state_bytes() < memory_max, "{} bytes", engine.state_bytes());
    let found = shown(&mut engine, &[(7_000, payment(7_000, 400, "u_5999", None)), (7_001, payment(7_001, 400, "u_1", None))]);
    assert_eq!((&found[0]["ring.accounts"], &found[1]["ring.accounts"]), (&json!(2), &json!(1)));
}

/// The rule of the page is run with its list.
#[test]
fn the_rule_of_the_cookbook_is_true() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules.md")).expect("the page");
    let block = |begin: &str| {
        page.split("```yaml\n").find_map(|rest| rest.split("```").next().filter(|block| block.starts_with(begin))).expect("a block")
    };
    let files =
        [("account/near_banned.yaml", block("rule: account.near_banned")), ("lists/banned_accounts.yaml", block("list: banned_accounts"))];
    let outcome = run_tests(&ruleset(&files)).expect("an engine");
    assert!(outcome.failures.is_none(), "{}", outcome.failures.map(|report| report.render(false)).unwrap_or_default());
}
