//! Parameters in what a binding counts: each value keeps state of its own.

use rasid_compiler::ruleset::{Receiver, Severity};
use rasid_engine::{Config, Record};

use crate::common::{ARRIVAL_MS, START_MS, engine, ruleset};

const UNDER: (&str, &str) = (
    "payment/under_limit.yaml",
    r#"
rule: payment.under_limit
title: Amounts just under a limit, again and again
on: payment.captured
entity: user(user_id)
params: {limit: 10000, least: 9000, span: 1h, methods: [card, wallet]}
overrides:
  - {if: data.method == "wallet", params: {limit: 5000, least: 4500}}
  - {if: data.method == "bank", params: {span: 2h, methods: [bank]}}
let:
  near: {count: payment.captured, by: user(user_id), window: params.span, where: data.amount < params.limit && data.amount >= params.least && data.method in params.methods}
  all:  {count: payment.captured, by: user(user_id), window: 1h}
when: near > 0
suppress: 0s
explain: "{near} of {all} under {params.limit}"
"#,
);

fn payment(id: usize, minute: i64, amount: i64, method: &str) -> String {
    let time = rasid_detectors::event::time::format_rfc3339(START_MS + minute * 60_000);
    format!(
        r#"{{"specversion":"1.0","id":"p{id}","source":"/test","type":"payment.captured","time":"{time}","data":{{"payment_id":"p{id}","user_id":"u","amount":{amount},"currency":"EGP","method":"{method}"}}}}"#
    )
}

#[test]
fn an_override_reads_a_state_of_its_own() {
    let log: Vec<String> = [
        (0, 9_500, "card"),
        (1, 4_600, "wallet"),
        (2, 4_700, "wallet"),
        (3, 10_000, "card"),
        (4, 9_000, "card"),
        (5, 9_100, "bank"),
        (61, 9_200, "card"),
        (66, 9_300, "bank"),
    ]
    .into_iter()
    .enumerate()
    .map(|(id, (minute, amount, method))| payment(id, minute, amount, method))
    .collect();
    let records: Vec<Record<'_>> =
        (1..).zip(&log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
    let opened = engine(&[UNDER], Config::default()).process(&records).alerts;
    let said: Vec<(u64, &str)> = opened.iter().map(|alert| (alert.position, alert.explanation.as_str())).collect();
    assert_eq!(
        said,
        [
            (1, "1 of 1 under 10000"),
            (2, "1 of 2 under 5000"),
            (3, "2 of 3 under 5000"),
            (4, "1 of 4 under 10000"),
            (5, "2 of 5 under 10000"),
            (6, "1 of 6 under 10000"),
            (7, "2 of 5 under 10000"),
            (8, "2 of 2 under 10000"),
        ]
    );
}

/// Of those that an override leaves as they are there is one.
#[test]
fn only_what_differs_is_kept_twice() {
    let ruleset = ruleset(&[UNDER]);
    let windows: Vec<i64> = ruleset.bindings.iter().map(|binding| binding.window_ms).collect();
    assert_eq!(windows, [3_600_000, 3_600_000, 3_600_000, 7_200_000], "the usual, all, the wallet's, the bank's");
}

const WEIGHED: (&str, &str) = (
    "payment/large.yaml",
    r#"
rule: payment.large
title: A large payment
severity: SEV3
on: payment.captured
entity: user(user_id)
risk: 10
suppress: 0s
overrides:
  - {if: data.amount > 50000, severity: SEV1, risk: 80}
  - {if: data.method == "wallet", risk: 0}
except: [partners]
when: data.amount > 1000
explain: "{data.amount}"
"#,
);
const PARTNERS: (&str, &str) = (
    "lists/partners.yaml",
    r"
list: partners
kind: user
entries:
  - {value: u_partner, reason: contract of 2026, expires: 2026-09-22}
",
);

fn of(user: &str, record: &str) -> String {
    record.replace(r#""user_id":"u""#, &format!(r#""user_id":"{user}""#))
}

#[test]
fn an_override_weighs_otherwise_and_a_list_spares() {
    let late = rasid_detectors::event::time::parse_rfc3339("2026-09-22T00:00:00Z").expect("an instant");
    let minutes = (late - START_MS) / 60_000 + 1;
    let log = [
        payment(0, 0, 2_000, "card"),
        payment(1, 1, 60_000, "wallet"),
        payment(2, 2, 3_000, "wallet"),
        of("u_partner", &payment(3, 3, 60_000, "card")),
        of("u_partner", &payment(4, minutes, 2_000, "card")),
    ];
    let records: Vec<Record<'_>> =
        (1..).zip(&log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
    let opened = engine(&[WEIGHED, PARTNERS], Config::default()).process(&records).alerts;
    let weighed: Vec<_> = opened.iter().map(|alert| (alert.position, alert.severity, alert.risk, alert.deliver.as_slice())).collect();
    let (core, both) = ([Receiver::Core].as_slice(), [Receiver::Core, Receiver::Oncall].as_slice());
    assert_eq!(
        weighed,
        [(1, Severity::Sev3, 10, core), (2, Severity::Sev1, 80, both), (3, Severity::Sev3, 0, core), (5, Severity::Sev3, 10, core)],
        "the partner is spared until the contract ends"
    );
}
