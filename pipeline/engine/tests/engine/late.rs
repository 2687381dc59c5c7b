//! Events that come long after newer ones of their entity: what a window says of them, and that a backlog is no storm.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rasid_engine::{Config, Record};

use crate::common::{ARRIVAL_MS, Draw, RULES, engine, json};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

fn code(id: usize, who: u8, at_ms: i64) -> String {
    json(id, &Draw { at_ms, kind: 0, who, how: 0 })
}

fn records(log: &[String]) -> Vec<Record<'_>> {
    (1..).zip(log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect()
}

/// Codes to one phone every quarter of an hour of yesterday, which never come to more than one in ten minutes, arrive after a
/// burst of today.
#[test]
fn a_late_backlog_is_judged_by_its_own_time() {
    let backlog = (0..90).map(|number| number * 15 * MINUTE_MS);
    let burst = (0..6).map(|number| 2 * DAY_MS + number * 1_000);
    let of = |times: Vec<i64>| -> Vec<String> { times.into_iter().enumerate().map(|(id, at_ms)| code(id, 1, at_ms)).collect() };
    let in_order = of(backlog.clone().chain(burst.clone()).collect());
    let late = of(burst.chain(backlog).collect());

    let mut engine_in_order = engine(&RULES[..1], Config::default());
    assert_eq!(engine_in_order.process(&records(&in_order)).alerts.len(), 1);
    let mut engine_late = engine(&RULES[..1], Config::default());
    assert_eq!(engine_late.process(&records(&late)).alerts.len(), 1);
    let [counters] = engine_late.rule_counters() else { panic!("one rule") };
    assert_eq!((counters.behind, counters.errors), (90, 0));
}

/// Fires on every code, and shows what the windows hold.
const SHOW: (&str, &str) = (
    "probe/late.yaml",
    r#"
rule: probe.late
title: What the windows hold
on: auth.otp_requested
entity: phone
let:
  sends: {count: auth.otp_requested, by: phone, window: 10m}
  before: {count: auth.otp_requested, by: phone, window: 20m, offset: 10m}
  addresses: {distinct: auth.otp_requested, of: ip, by: phone, window: 1h}
when: sends >= 0 || addresses >= 0 || before >= 0
risk: 0
suppress: 0s
explain: "{sends} {before} {addresses}"
"#,
);

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// However late events are, a value is that of the window which ends at the event or at the newest of its entity, and
    /// there is none where the event lies a window or more behind that.
    #[test]
    fn a_value_is_of_the_events_own_window_or_there_is_none(
        events in proptest::collection::vec((0_u8..3, prop_oneof![0..3 * DAY_MS, 0..2 * HOUR_MS, 2 * DAY_MS..2 * DAY_MS + HOUR_MS]), 1..120),
        cut in 1_usize..40,
    ) {
        let log: Vec<String> = events.iter().enumerate().map(|(id, (who, at_ms))| code(id, *who, *at_ms)).collect();
        let records = records(&log);
        let mut engine = engine(&[SHOW], Config::default());
        let alerts: Vec<_> = records.chunks(cut).flat_map(|batch| engine.process(batch).alerts).collect();
        let values: BTreeMap<u64, [serde_json::Value; 3]> = alerts
            .iter()
            .map(|alert| {
                let values = serde_json::to_value(alert).expect("JSON")["values"].clone();
                (alert.position, ["sends", "before", "addresses"].map(|name| values[name].clone()))
            })
            .collect();
        // By phone and window: what was seen, and the log's clock at that. It is forgotten a window and the allowed lateness later.
        let mut seen: BTreeMap<(u8, i64), (Vec<i64>, i64)> = BTreeMap::new();
        let mut clock_ms = i64::MIN;
        for (position, (who, at_ms)) in (1_u64..).zip(&events) {
            clock_ms = clock_ms.max(*at_ms);
            let mut within = |window_ms: i64, offset_ms: i64| {
                let (of_phone, changed_ms) = seen.entry((*who, window_ms)).or_default();
                if *changed_ms + window_ms + Config::default().lateness_ms <= clock_ms {
                    of_phone.clear();
                }
                of_phone.push(*at_ms);
                *changed_ms = clock_ms;
                let newest = of_phone.iter().copied().max().unwrap_or_default();
                (*at_ms > newest - window_ms).then(|| of_phone.iter().filter(|at| **at > newest - window_ms && **at <= newest - offset_ms).count())
            };
            let sends = within(10 * MINUTE_MS, 0).map_or(serde_json::Value::Null, Into::into);
            let before = within(30 * MINUTE_MS, 10 * MINUTE_MS).map_or(serde_json::Value::Null, Into::into);
            let addresses = within(HOUR_MS, 0).map_or(serde_json::Value::Null, |_| 1.into());
            let all = [sends, before, addresses];
            let expected = all.iter().any(|value| !value.is_null()).then_some(all);
            prop_assert_eq!(values.get(&position).cloned(), expected, "event {}", position);
        }
    }
}

/// An event without the field that a binding looks at makes no state, so that a flood of them costs nobody's.
#[test]
fn an_event_without_the_field_leaves_no_state() {
    const NEWEST: (&str, &str) = (
        "probe/newest.yaml",
        r#"
rule: probe.newest
title: The newest country
on: auth.login_succeeded
entity: user
let:
  country: {last: auth.login_succeeded, of: country, by: user, window: 1h}
  countries: {distinct: auth.login_succeeded, of: country, by: user, window: 1h}
when: countries > 1 && country == "EG"
explain: "{countries}"
"#,
    );
    let login = |id: usize, country: &str| {
        let draw = Draw { at_ms: MINUTE_MS, kind: 4, who: 0, how: 0 };
        json(id, &draw).replace(r#","country":"EG""#, country)
    };
    let mut engine = engine(&[NEWEST], Config::default());
    let without = [login(0, "")];
    assert!(!without.iter().any(|text| text.contains("country")));
    engine.process(&records(&without));
    assert_eq!((engine.counters().events, engine.state_bytes()), (1, 0));
    engine.process(&records(&[login(1, r#","country":"EG""#)]));
    assert!(engine.state_bytes() > 0);
}
