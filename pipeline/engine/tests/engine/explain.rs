//! How an alert's explanation writes its values.

use rasid_engine::{Config, Record};
use rstest::rstest;

use crate::common::{ARRIVAL_MS, START_MS, engine};

const PAID: (&str, &str) = (
    "payment/paid.yaml",
    r#"
rule: payment.paid
title: Money comes in
on: payment.captured
entity: user(user_id)
params: {limit: 250000}
let:
  came: {avg: payment.captured, of: amount, by: user(user_id), window: 1h}
  carded: {ratio: payment.captured, by: user(user_id), window: 1h, where: data.method == "card"}
when: data.amount > 0
suppress: 0s
explain: "{data.amount:money}, on average {came:money}, limit {params.limit:EGP}, {carded:%} by card, {data.amount} in all"
"#,
);

#[rstest]
#[case::egyptian("EGP", "12,345.00 EGP, on average 12,345.00 EGP, limit 2,500.00 EGP, 100 % by card, 1234500 in all")]
#[case::kuwaiti("KWD", "1,234.500 KWD, on average 1,234.500 KWD, limit 2,500.00 EGP, 100 % by card, 1234500 in all")]
#[case::japanese("JPY", "1,234,500 JPY, on average 1,234,500 JPY, limit 2,500.00 EGP, 100 % by card, 1234500 in all")]
fn numbers_are_written_as_people_write_them(#[case] currency: &str, #[case] expected: &str) {
    let time = rasid_detectors::event::time::format_rfc3339(START_MS);
    let text = format!(
        r#"{{"specversion":"1.0","id":"e","source":"/test","type":"payment.captured","time":"{time}","data":{{"payment_id":"p","user_id":"u","amount":1234500,"currency":"{currency}","method":"card"}}}}"#
    );
    let mut engine = engine(&[PAID], Config::default());
    let output = engine.process(&[Record { position: 1, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }]);
    let alert = output.alerts.first().expect("one");
    assert_eq!(alert.explanation, expected);
    assert_eq!(serde_json::to_value(alert).expect("JSON")["values"]["came"], 1_234_500.0, "the plain number");
}
