//! What money keeps to: the ledger balances, nobody is paid more than is owed, and every campaign with money is within its span.

use std::collections::BTreeMap;

use rasid_detectors::event::time::parse_rfc3339;
use rasid_simulate::{Config, Kind, Level, simulate};
use serde_json::Value;

fn honest(seed: u64) -> Vec<Value> {
    let config = Config { seed, hours: 72, kinds: Vec::new(), duplicates_per_million: 0, ..Config::default() };
    let mut events: Vec<Value> = simulate(&config).map(|record| serde_json::from_str(&record.line).expect("JSON")).collect();
    events.sort_by(|a, b| a["time"].as_str().cmp(&b["time"].as_str()));
    events
}

fn of<'a>(events: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["type"] == kind).map(|event| &event["data"])
}

#[test]
fn honest_entries_balance() {
    for entry in of(&honest(21), "ledger.posted") {
        let lines = entry["lines"].as_array().expect("lines");
        assert!(lines.len() >= 2, "{entry}");
        assert_eq!(lines.iter().map(|line| line["amount"].as_i64().expect("an amount")).sum::<i64>(), 0, "{entry}");
    }
}

#[test]
fn nobody_honest_is_paid_more_than_is_owed() {
    let mut owed: BTreeMap<String, i64> = BTreeMap::new();
    let (mut payouts, mut beyond) = (0, 0);
    for entry in of(&honest(22), "ledger.posted") {
        let lines = entry["lines"].as_array().expect("lines");
        let taken: i64 =
            lines.iter().filter(|line| line["account"] == "provider_clearing").filter_map(|line| line["amount"].as_i64()).sum();
        for line in lines {
            let account = line["account"].as_str().expect("an account");
            let Some(user) = account.strip_prefix("payable:") else { continue };
            let balance = owed.entry(user.to_owned()).or_default();
            *balance -= line["amount"].as_i64().expect("an amount");
            if taken < 0 && entry["booking_id"].is_null() {
                payouts += 1;
                beyond += usize::from(*balance < 0);
            }
        }
    }
    // A refund or the commission of a job in cash may come between the request and the payment.
    assert!(payouts > 60 && beyond * 30 < payouts, "{beyond} of {payouts} payouts in three days");
}

#[test]
fn every_capture_and_receipt_is_posted() {
    let events = honest(23);
    let posted: Vec<&str> = of(&events, "ledger.posted").filter_map(|entry| entry["booking_id"].as_str()).collect();
    let posted: std::collections::BTreeSet<&str> = posted.into_iter().collect();
    // The last hours' entries may be after the end.
    let last = events.len() * 9 / 10;
    for kind in ["payment.captured", "payment.cash_confirmed"] {
        for payment in of(events.get(..last).unwrap_or_default(), kind).filter_map(|payment| payment["booking_id"].as_str()) {
            assert!(posted.contains(payment), "{kind} of {payment}");
        }
    }
}

#[test]
fn campaigns_with_money_are_played_within_their_spans() {
    let kinds: Vec<Kind> = Kind::all().into_iter().filter(|kind| kind.family() == "payment").collect();
    let config = Config { seed: 24, hours: 168, kinds: kinds.clone(), drivers: 2, ..Config::default() };
    let mut simulation = simulate(&config);
    let seen = simulation.by_ref().filter(|record| record.campaign.is_some()).count();
    let labels = simulation.labels();
    assert_eq!(labels.len(), kinds.len() * Level::ALL.len());
    assert!(labels.iter().map(|label| label.label.event_ids.len()).sum::<usize>() <= seen, "what is labelled is in the records");
    for label in labels {
        let (from, to) = (parse_rfc3339(&label.label.from).expect("an instant"), parse_rfc3339(&label.label.to).expect("an instant"));
        assert!(to - from <= label.kind.span_ms(label.level), "{} {} took {} ms", label.kind, label.level, to - from);
    }
}

#[test]
fn where_nobody_lives_nothing_is_paid() {
    let empty = Config { hours: 96, clients: 0, taskers: 0, drivers: 0, kinds: Vec::new(), ..Config::default() };
    assert_eq!(simulate(&empty).count(), 0);
}
