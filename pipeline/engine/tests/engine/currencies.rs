//! Amounts of several currencies in one, by the rates of their time.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rasid_compiler::SourceFile;
use rasid_compiler::ruleset::Ruleset;
use rasid_detectors::currency::minor_digits;
use rasid_engine::{Config, Engine, Pseudonymizer, Record};

use crate::common::{ARRIVAL_MS, Kept, START_MS, Saved};

const HOUR_MS: i64 = 3_600_000;

const RULE: &str = r#"
rule: payment.spent
title: Much money of whatever currency
on: payment.captured
entity: user(user_id)
params: {into: EGP}
let:
  spent: {sum: payment.captured, of: amount, in: params.into, by: user(user_id), window: 2h}
  most: {max: payment.captured, of: amount, in: USD, by: user(user_id), window: 2h}
  large: {count: payment.captured, by: user(user_id), window: 2h, where: 'in_currency(data.amount, data.currency, "EGP") >= 10000'}
when: in_currency(data.amount, data.currency, params.into) >= 0 || has(values.spent) || large >= 0
suppress: 0s
explain: "{spent:EGP} {most:USD} {large}"
"#;

/// Per unit of EGP: from the beginning; a minute after two hours another; what is known from then on alone.
const RATES: &str = "base: EGP\nrates:\n  - {currency: USD, per_unit: 47.85}\n  - {currency: USD, per_unit: 50, since: SINCE}\n  - {currency: KWD, per_unit: 155.123456789, since: SINCE}\n  - {currency: LBP, per_unit: 0.00053}\n";
const CURRENCIES: [&str; 5] = ["EGP", "USD", "KWD", "LBP", "XXX"];

fn ruleset(rates: &str) -> Ruleset {
    let since = rasid_detectors::event::time::format_rfc3339(START_MS + 2 * HOUR_MS);
    let file = |name: &str, text: String| SourceFile { name: name.to_owned(), text };
    let files = [file("payment/spent.yaml", RULE.to_owned()), file("rates.yaml", rates.replace("SINCE", &since))];
    rasid_compiler::compile(&files).unwrap_or_else(|report| panic!("{}", report.render(false)))
}

fn secret() -> Pseudonymizer {
    Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough")
}

fn engine(ruleset: Ruleset, threads: usize) -> Engine {
    Engine::new(ruleset, Config { threads, ..Config::default() }, secret()).expect("an engine")
}

#[derive(Clone, Copy, Debug)]
struct Paid {
    at_ms: i64,
    who: u8,
    amount: i64,
    currency: usize,
}

fn event(id: usize, paid: &Paid) -> String {
    let Paid { at_ms, who, amount, currency } = paid;
    let (time, currency) =
        (rasid_detectors::event::time::format_rfc3339(START_MS + at_ms), CURRENCIES.get(*currency).expect("one of them"));
    format!(
        r#"{{"specversion":"1.0","id":"e{id}","source":"/test","type":"payment.captured","time":"{time}","data":{{"payment_id":"p_{id}","user_id":"u_{who}","amount":{amount},"currency":"{currency}","method":"card"}}}}"#
    )
}

fn records(log: &[String]) -> Vec<Record<'_>> {
    (1..).zip(log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect()
}

/// What an amount is, by doubles: near enough to tell which whole number it is, as a tie takes more digits than amounts here have.
fn reckoned(paid: &Paid, into: &str) -> Option<i64> {
    let later = paid.at_ms >= 2 * HOUR_MS;
    let rate = |currency: &str| match currency {
        "EGP" => Some(1.0),
        "USD" => Some(if later { 50.0 } else { 47.85 }),
        "KWD" => later.then_some(155.123_456_789),
        "LBP" => Some(0.000_53),
        _ => None,
    };
    let from = *CURRENCIES.get(paid.currency)?;
    if from == into {
        return Some(paid.amount);
    }
    let units = |currency: &str| 10_f64.powi(i32::try_from(minor_digits(currency)).expect("few"));
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "amounts are small here")]
    let minor = (paid.amount as f64 / units(from) * rate(from)? / rate(into)? * units(into) + 1e-7).round() as i64;
    Some(minor)
}

fn paid() -> impl Strategy<Value = Vec<Paid>> {
    let one = (0_i64..600_000, 0_u8..3, 0_i64..2_000_000, 0_usize..5, prop_oneof![4 => Just(0_i64), 1 => 0..3 * HOUR_MS]);
    proptest::collection::vec(one, 1..120).prop_map(|drawn| {
        let mut now_ms = 0;
        let mut made = |(step, who, amount, currency, late_ms)| {
            now_ms += step;
            Paid { at_ms: now_ms - late_ms, who, amount, currency }
        };
        drawn.into_iter().map(&mut made).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Against plain lists, over disordered and late streams, any cut and any threads: what has no rate counts nowhere, and is
    /// counted.
    #[test]
    fn sums_are_in_one_currency(paid in paid(), cut in 1_usize..50, threads in prop_oneof![Just(1_usize), Just(3)]) {
        let log: Vec<String> = paid.iter().enumerate().map(|(id, paid)| event(id, paid)).collect();
        let mut engine = engine(ruleset(RATES), threads);
        let alerts: BTreeMap<u64, serde_json::Value> = records(&log)
            .chunks(cut)
            .flat_map(|batch| engine.process(batch).alerts)
            .map(|alert| (alert.position, serde_json::to_value(&alert).expect("JSON")["values"].clone()))
            .collect();
        let (mut spent, mut most): (BTreeMap<u8, Kept<i64>>, BTreeMap<u8, Kept<i64>>) = Default::default();
        let mut large: BTreeMap<u8, Kept<()>> = BTreeMap::new();
        let (mut clock_ms, mut lost) = (i64::MIN, 0);
        for (position, paid) in (1_u64..).zip(&paid) {
            let at_ms = START_MS + paid.at_ms;
            clock_ms = clock_ms.max(at_ms);
            let (pounds, dollars) = (reckoned(paid, "EGP"), reckoned(paid, "USD"));
            // Once by each of the two bindings, and once by the filter of the third.
            lost += 2 * u64::from(pounds.is_none()) + u64::from(dollars.is_none());
            let sum = spent.entry(paid.who).or_default().visit(at_ms, clock_ms, 2 * HOUR_MS, pounds).map(|all| all.iter().sum::<i64>());
            let max = most.entry(paid.who).or_default().visit(at_ms, clock_ms, 2 * HOUR_MS, dollars).and_then(|all| all.into_iter().max());
            let is_large = pounds.filter(|pounds| *pounds >= 10_000).map(|_| ());
            let count = large.entry(paid.who).or_default().visit(at_ms, clock_ms, 2 * HOUR_MS, is_large).map(|all| all.len());
            let expected = serde_json::json!({ "spent": sum, "most": max, "large": count });
            let Some(values) = alerts.get(&position) else {
                prop_assert!(pounds.is_none() && sum.is_none() && count.is_none(), "{} opens nothing: {}", position, expected);
                continue;
            };
            let read = serde_json::json!({ "spent": values["spent"], "most": values["most"], "large": values["large"] });
            prop_assert_eq!(read, expected, "{}", position);
        }
        prop_assert_eq!(engine.counters().filter_errors, lost);
    }
}

/// What is remembered was reckoned by the rates of then, and new rates forget none of it.
#[test]
fn other_rates_go_on_with_what_is_remembered() {
    let paid = |at_ms, currency| Paid { at_ms, who: 0, amount: 10_000, currency };
    let log = [event(0, &paid(0, 1)), event(1, &paid(60_000, 1))];
    let dearer = RATES.replace("47.85", "60");
    let mut first = engine(ruleset(RATES), 1);
    let said = |engine: &mut Engine, of: usize| {
        let records = records(&log);
        let alerts = engine.process(records.get(of..=of).expect("one")).alerts;
        alerts.iter().map(|alert| alert.explanation.clone()).collect::<Vec<_>>()
    };
    assert_eq!(said(&mut first, 0), ["4,785.00 EGP 100.00 USD 1"]);
    let saved = Saved::of(&first.snapshot());
    first.switch(2, ruleset(&dearer));
    assert_eq!(said(&mut first, 1), ["10,785.00 EGP 100.00 USD 2"]);
    let mut restored = Engine::restore(ruleset(RATES), Config::default(), secret(), &mut |part| saved.get(part)).expect("restored");
    restored.switch(2, ruleset(&dearer));
    assert_eq!(said(&mut restored, 1), ["10,785.00 EGP 100.00 USD 2"]);
}
