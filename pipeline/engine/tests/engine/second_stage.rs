//! Operators that are fed by a detector's firings: what they count is what fired, in stream order.

#![expect(clippy::indexing_slicing, reason = "what is out of range fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rasid_engine::{Alert, Config, Record};

use crate::common::{ARRIVAL_MS, Draw, Kept, SECOND_RULES, draws_of, engine, json};

const MINUTE_MS: i64 = 60_000;

/// Says what fired, event by event.
const FIRED: (&str, &str) = (
    "probe/fired.yaml",
    r#"
rule: probe.fired
title: A number is passed on
on: chat.message
entity: user(sender_id)
let:
  leak: {detector: contact_leak, by: [conversation, user(sender_id)]}
when: leak.fired
suppress: 0s
explain: "{leak.strength} to {data.recipient_id}"
"#,
);

fn alerts(rules: &[(&str, &str)], log: &[String], cut: usize) -> Vec<Alert> {
    let records: Vec<Record<'_>> =
        (1..).zip(log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
    let mut engine = engine(rules, Config::default());
    records.chunks(cut).flat_map(|batch| engine.process(batch).alerts).collect()
}

fn values(alert: &Alert) -> serde_json::Value {
    serde_json::to_value(alert).expect("JSON")["values"].clone()
}

#[test]
fn the_firing_of_the_event_itself_counts_and_another_types_events_read_it() {
    let chat = |id: usize, minute: i64, how: u8| json(id, &Draw { at_ms: minute * MINUTE_MS, kind: 5, who: 0, how });
    let login = |id: usize, minute: i64, how: u8| json(id, &Draw { at_ms: minute * MINUTE_MS, kind: 4, who: 0, how });
    let refund = |id: usize, minute: i64| json(id, &Draw { at_ms: minute * MINUTE_MS, kind: 2, who: 0, how: 0 });
    // A number, talk, a number; a login, another from 500 km away, a refund, and one when the two hours are over.
    let log = [chat(0, 0, 3), chat(1, 1, 4), chat(2, 2, 3), login(3, 3, 1), login(4, 4, 6), refund(5, 5), refund(6, 124)];
    let said: Vec<(u64, String)> = alerts(SECOND_RULES, &log, 2).into_iter().map(|alert| (alert.position, alert.explanation)).collect();
    assert_eq!(
        said,
        [
            (1, "1 leaks, 1 of them sure, in 1 chats".to_owned()),
            (2, "1 leaks, 1 of them sure, in 1 chats".to_owned()),
            (3, "2 leaks, 2 of them sure, in 1 chats".to_owned()),
            (6, "1 jumps".to_owned()),
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Against a plain list of what fired, over disordered and delayed streams and any cut into batches.
    #[test]
    fn what_is_counted_is_what_fired(
        draws in draws_of(6, 150), delays in proptest::collection::vec(prop_oneof![4 => Just(0_i64), 1 => 0..90 * MINUTE_MS], 150), cut in 1_usize..60,
    ) {
        let draws: Vec<Draw> = draws.into_iter().zip(delays).map(|(draw, delay)| {
            Draw { at_ms: draw.at_ms * 3 - delay, kind: if draw.kind < 3 { 5 } else { draw.kind }, ..draw }
        }).collect();
        let log: Vec<String> = draws.iter().enumerate().map(|(id, draw)| json(id, draw)).collect();
        let fired: BTreeMap<u64, f64> =
            alerts(&[FIRED], &log, 1).iter().map(|alert| (alert.position, values(alert)["leak.strength"].as_f64().expect("a number"))).collect();
        let counted: BTreeMap<u64, serde_json::Value> =
            alerts(&SECOND_RULES[..1], &log, cut).iter().map(|alert| (alert.position, values(alert))).collect();

        let hour = 60 * MINUTE_MS;
        let mut of: BTreeMap<(u8, &str), Kept<(f64, u8)>> = BTreeMap::new();
        let mut clock_ms = i64::MIN;
        for (position, draw) in (1_u64..).zip(&draws) {
            clock_ms = clock_ms.max(crate::common::START_MS + draw.at_ms);
            if draw.kind != 5 { continue; }
            let mut visit = |name: &'static str, window_ms: i64, feeds: bool| {
                let plain = of.entry((draw.who % 2, name)).or_default();
                let strength = fired.get(&position).copied().filter(|_| feeds);
                plain.visit(crate::common::START_MS + draw.at_ms, clock_ms, window_ms, strength.map(|strength| (strength, draw.who % 3)))
            };
            let is_sure = fired.get(&position).is_some_and(|strength| *strength > 0.8);
            let leaks = visit("leaks", 10 * MINUTE_MS, true).map(|found| found.len());
            let sure = visit("sure", hour, is_sure).map(|found| found.len());
            let chats = visit("chats", hour, true).map(|found| found.iter().map(|(_, chat)| *chat).collect::<BTreeSet<u8>>().len());
            let surest = visit("surest", hour, true).and_then(|found| found.into_iter().map(|(strength, _)| strength).reduce(f64::max));
            let Some(leaks) = leaks else {
                prop_assert!(!counted.contains_key(&position), "{} is behind", position);
                continue;
            };
            let values = counted.get(&position).expect("every other message opens");
            prop_assert_eq!(&values["leaks"], &serde_json::json!(leaks), "{}", position);
            prop_assert_eq!(&values["sure"], &serde_json::json!(sure), "{}", position);
            prop_assert_eq!(&values["chats"], &serde_json::json!(chats), "{}", position);
            prop_assert_eq!(values["surest"].as_f64(), surest, "{}", position);
        }
    }
}
