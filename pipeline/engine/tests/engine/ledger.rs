//! The lines of ledger entries: events of their own, made of each entry, in its place.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rasid_engine::{Alert, Config, Engine, Opened, Record};

use crate::common::{ARRIVAL_MS, Draw, Kept, LEDGER_RULES, START_MS, astray, draws_of, engine, is_ahead, json, lines, strays};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

fn records(log: &[String]) -> Vec<Record<'_>> {
    (1..).zip(log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect()
}

fn alerts(engine: &mut Engine, log: &[String], cut: usize) -> Vec<Alert> {
    records(log).chunks(cut).flat_map(|batch| engine.process(batch).alerts).collect()
}

/// An entry with lines of these accounts and amounts.
fn entry(id: usize, minute: i64, booking: &str, lines: &[(&str, i64)]) -> String {
    let time = rasid_detectors::event::time::format_rfc3339(START_MS + minute * MINUTE_MS);
    let line = |(account, amount): &(&str, i64)| format!(r#"{{"account":"{account}","amount":{amount},"currency":"EGP"}}"#);
    let lines = lines.iter().map(line).collect::<Vec<_>>().join(",");
    format!(
        r#"{{"specversion":"1.0","id":"e{id}","source":"/ledger","type":"ledger.posted","time":"{time}","data":{{"entry_id":"l_{id}","booking_id":"{booking}","lines":[{lines}]}}}}"#
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Against plain lists, over disordered, delayed and hostile streams, any cut and any threads.
    #[test]
    fn each_line_counts_for_its_account(
        draws in draws_of(8, 200), strays in strays(), cut in 1_usize..60, threads in prop_oneof![Just(1_usize), Just(3)],
    ) {
        let draws: Vec<Draw> = draws.into_iter().map(|draw| Draw { kind: if draw.kind < 4 { 7 } else { draw.kind }, ..draw }).collect();
        let draws = astray(draws, &strays);
        let log: Vec<String> = draws.iter().enumerate().map(|(id, draw)| json(id, draw)).collect();
        let mut engine = engine(&LEDGER_RULES[..1], Config { threads, ..Config::default() });
        let found: BTreeMap<(u64, String), Alert> =
            alerts(&mut engine, &log, cut).into_iter().map(|alert| ((alert.position, alert.entity.clone()), alert)).collect();

        let (mut balances, mut losses): (BTreeMap<u8, Kept<i64>>, BTreeMap<u8, Kept<()>>) = Default::default();
        let mut of_booking: BTreeMap<u8, Kept<u8>> = BTreeMap::new();
        let (mut clock_ms, mut opened) = (i64::MIN, 0);
        for (position, draw) in (1_u64..).zip(&draws).filter(|(_, draw)| !is_ahead(draw) && START_MS + draw.at_ms >= 0) {
            let at_ms = START_MS + draw.at_ms;
            clock_ms = clock_ms.max(at_ms);
            let mut said = BTreeSet::new();
            for (account, amount) in lines(draw).into_iter().filter(|_| draw.kind == 7) {
                let balance = balances.entry(account).or_default().visit(at_ms, clock_ms, HOUR_MS, Some(amount));
                let lost = losses.entry(account).or_default().visit(at_ms, clock_ms, 20 * MINUTE_MS, (amount < 0).then_some(()));
                let accounts = of_booking.entry(draw.who % 3).or_default().visit(at_ms, clock_ms, 2 * HOUR_MS, Some(account));
                let accounts = accounts.map(|accounts| accounts.into_iter().collect::<BTreeSet<_>>().len());
                let balance = balance.map(|amounts| amounts.iter().sum::<i64>());
                // One event opens one alert about one account.
                if amount == 7 || (balance.is_none_or(|balance| balance == 3) && accounts.is_none()) || !said.insert(account) {
                    continue;
                }
                let alert = found.get(&(position, format!("account:acc_{account}")));
                prop_assert!(alert.is_some(), "{} of {}", account, position);
                let values = serde_json::to_value(alert).expect("JSON")["values"].clone();
                let read = serde_json::json!({ "balance": values["balance"], "losses": values["losses"], "accounts": values["accounts"] });
                let expected = serde_json::json!({ "balance": balance, "losses": lost.map(|lost| lost.len()), "accounts": accounts });
                prop_assert_eq!(read, expected, "{} of {}", account, position);
                opened += 1;
            }
        }
        prop_assert_eq!(opened, found.len());
    }
}

#[test]
fn an_alert_is_about_an_account_and_names_the_entry() {
    let log = [
        entry(0, 0, "b_1", &[("cash", -500), ("tasker", 400), ("fees", 100)]),
        entry(1, 1, "b_2", &[("cash", -40), ("cash", -60), ("tasker", 100)]),
    ];
    let mut engine = engine(LEDGER_RULES, Config::default());
    let found = alerts(&mut engine, &log, 1);
    let said: Vec<(u64, &str, &str)> = found
        .iter()
        .filter(|alert| alert.rule == "ledger.balance")
        .map(|alert| (alert.position, alert.entity.as_str(), alert.explanation.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            (1, "account:cash", "-500, 1 losses, 1 accounts of b_1 by l_0"),
            (1, "account:tasker", "400, 0 losses, 2 accounts of b_1 by l_0"),
            (1, "account:fees", "100, 0 losses, 3 accounts of b_1 by l_0"),
            // Of one account once, however many lines it has.
            (2, "account:cash", "-540, 2 losses, 1 accounts of b_2 by l_1"),
            (2, "account:tasker", "500, 0 losses, 2 accounts of b_2 by l_1"),
        ]
    );
    assert!(found.iter().all(|alert| alert.event.id == format!("e{}", alert.position - 1) && alert.event.source == "/ledger"));
    let counters = engine.counters();
    assert_eq!((counters.records, counters.events, counters.duplicates), (2, 2, 0), "lines are no events more");
    // Delivered again it is one duplicate, and its lines count no more than it does.
    assert!(alerts(&mut engine, &log[..1], 1).is_empty());
    assert_eq!((engine.counters().events, engine.counters().duplicates), (2, 1));
}

#[test]
fn a_wait_that_a_line_begins_ends_at_that_line() {
    let log = [
        entry(0, 0, "b_1", &[("cash", -500), ("tasker", 500)]),
        entry(1, 1, "b_2", &[("tasker", -5), ("fees", 5)]),
        entry(2, 9, "b_2", &[("cash", -5), ("fees", 5)]),
    ];
    for cut in [1, 2, 9] {
        let mut engine = engine(&LEDGER_RULES[1..2], Config::default());
        let said: Vec<(String, String, String)> =
            alerts(&mut engine, &log, cut).into_iter().map(|alert| (alert.event.id.clone(), alert.entity, alert.explanation)).collect();
        let of = |id: &str, account: &str, text: &str| (id.to_owned(), format!("account:{account}"), text.to_owned());
        let expected = [
            of("e0", "cash", "3 1 of cash"),
            of("e0", "tasker", "2 1 of tasker"),
            of("e1", "tasker", "1 2 of tasker"),
            of("e1", "fees", "0 1 of fees"),
        ];
        assert_eq!(said, expected, "{cut}");
    }
}

#[test]
fn a_producer_sends_no_line() {
    let time = rasid_detectors::event::time::format_rfc3339(START_MS);
    let record = format!(
        r#"{{"specversion":"1.0","id":"l","source":"/x","type":"ledger.line","time":"{time}","data":{{"entry_id":"l","account":"cash","amount":900,"currency":"EGP"}}}}"#
    );
    let mut engine = engine(LEDGER_RULES, Config::default());
    assert!(alerts(&mut engine, &[record], 1).is_empty());
    assert_eq!((engine.counters().unknown_types, engine.counters().events), (1, 0));
}

#[test]
fn lines_are_at_hand_in_the_raw_zone_alone() {
    let mut engine = engine(LEDGER_RULES, Config::default());
    let log = [entry(0, 0, "b_1", &[("cash", -2_000), ("tasker", 2_000)]), entry(1, 1, "b_1", &[("cash", -5), ("tasker", 5)])];
    let (records, opened) = (records(&log), Opened::default());
    let batch = engine.decode(&records, &opened);
    let archived = engine.archived(&batch);
    assert_eq!(archived.iter().map(|record| record.position).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(engine.rules_that_need_raw().collect::<Vec<_>>(), ["ledger.balance", "ledger.entry", "ledger.silent"]);
    assert_eq!(engine.step(&batch).alerts.iter().filter(|alert| alert.rule == "ledger.entry").count(), 1);
    let columns = engine.columns(&archived);
    assert!(engine.step(&columns).alerts.is_empty());
}

#[test]
fn a_rule_about_lines_is_tested_with_entries() {
    let tests = r#"
tests:
  - name: each line of two entries
    events:
      - {at: 0s, every: 1m, times: 2, type: ledger.posted, data: {entry_id: "l_{n}", booking_id: b_1, lines: [{account: cash, amount: -900, currency: EGP}, {account: "t_{n}", amount: 900, currency: EGP}]}}
    alerts: [{at: 0s, entity: "account:cash"}, {at: 0s, entity: "account:t_0"}, {at: 1m, entity: "account:cash"}, {at: 1m, entity: "account:t_1"}]
"#;
    let text = format!("{}{tests}", LEDGER_RULES[0].1);
    let outcome = rasid_engine::run_tests(&crate::common::ruleset(&[(LEDGER_RULES[0].0, &text)])).expect("an engine");
    assert!(outcome.failures.is_none(), "{}", outcome.failures.expect("some").render(false));
    assert_eq!(outcome.tests, 1);
}
