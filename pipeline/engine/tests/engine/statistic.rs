//! Rules that set a key against itself, tested as analysts test them.

use rasid_compiler::SourceFile;
use rstest::rstest;

fn outcome(text: &str) -> Result<(), String> {
    let name = format!(
        "{}.yaml",
        text.trim_start().lines().next().and_then(|line| line.strip_prefix("rule: ")).expect("a rule").replace('.', "/")
    );
    let ruleset = rasid_compiler::compile(&[SourceFile { name, text: text.to_owned() }]).map_err(|report| report.render(false))?;
    assert!(ruleset.rules.iter().all(|rule| rule.tests.len() >= 3));
    rasid_engine::run_tests(&ruleset).expect("an engine").failures.map_or(Ok(()), |report| Err(report.render(false)))
}

/// Money that comes in equal parts: no spread at all.
const STEADY: &str = r#"rule: payment.in_parts
title: Money comes in equal parts
on: payment.captured
entity: user(user_id)
let:
  spread: {stddev: payment.captured, of: amount, by: user(user_id), window: 1d}
  parts: {count: payment.captured, by: user(user_id), window: 1d}
when: parts >= 4 && spread < 100.0
explain: "{parts} parts, {spread} apart"
tests:
  - name: four alike
    events: [{at: 0s, every: 1h, times: 4, type: payment.captured, data: {payment_id: "p_{n}", user_id: u_1, amount: 50000, currency: EGP, method: card}}]
    alerts: [{at: 3h, entity: user}]
  - name: one of the four is another
    events:
      - {at: 0s, every: 1h, times: 3, type: payment.captured, data: {payment_id: "p_{n}", user_id: u_1, amount: 50000, currency: EGP, method: card}}
      - {at: 3h, type: payment.captured, data: {payment_id: p_x, user_id: u_1, amount: 50400, currency: EGP, method: card}}
    alerts: []
  - name: a single one has no spread
    events: [{at: 0s, type: payment.captured, data: {payment_id: p_1, user_id: u_1, amount: 50000, currency: EGP, method: card}}]
    alerts: []
"#;

/// Codes to one prefix, against the hour before.
const SUDDEN: &str = r#"rule: auth.codes_triple
title: One prefix is sent three times the codes of the hour before
on: auth.otp_requested
entity: phone_prefix
let:
  codes: {rate_of_change: auth.otp_requested, by: phone_prefix, window: 1h, at_least: 4}
when: codes >= 2.0 && codes.now >= 12
explain: "{codes.now} codes after {codes.before}, {codes} more"
tests:
  - name: twelve of another prefix
    events:
      - {at: 0s, every: 10m, times: 4, type: auth.otp_requested, data: {phone: "+201000000001", ip: 192.0.2.1, purpose: login}}
      - {at: 95m, every: 10s, times: 12, type: auth.otp_requested, data: {phone: "+201000100002", ip: 192.0.2.1, purpose: login}}
    alerts: []
  - name: twelve after four
    events:
      - {at: 0s, every: 10m, times: 4, type: auth.otp_requested, data: {phone: "+201000000001", ip: 192.0.2.1, purpose: login}}
      - {at: 95m, every: 10s, times: 12, type: auth.otp_requested, data: {phone: "+201000000002", ip: 192.0.2.1, purpose: login}}
    alerts: [{at: 5810s, entity: phone_prefix}]
  - name: eleven
    events:
      - {at: 0s, every: 10m, times: 4, type: auth.otp_requested, data: {phone: "+201000000001", ip: 192.0.2.1, purpose: login}}
      - {at: 95m, every: 10s, times: 11, type: auth.otp_requested, data: {phone: "+201000000002", ip: 192.0.2.1, purpose: login}}
    alerts: []
  - name: too few before
    events:
      - {at: 0s, every: 10m, times: 3, type: auth.otp_requested, data: {phone: "+201000000001", ip: 192.0.2.1, purpose: login}}
      - {at: 95m, every: 10s, times: 40, type: auth.otp_requested, data: {phone: "+201000000002", ip: 192.0.2.1, purpose: login}}
    alerts: []
"#;

/// Failures by one method: twice as many as usual, for a while.
const CREEPING: &str = r#"rule: payment.failures_creep
title: One method fails more and more
on: payment.failed
entity: all
let:
  failures: {cusum: payment.failed, by: data.method, window: 10m, warm_up: 12}
when: failures > 4.0
suppress: 6h
explain: "{failures}, or {failures.cusum}, at {failures.count} for {failures.expected}"
tests:
  - name: twice as many for an hour
    events:
      - {at: 0s, every: 150s, times: 72, type: payment.failed, data: {payment_id: "p_{n}", user_id: "u_{n}", amount: 100, currency: EGP, method: card}}
      - {at: 3h, every: 75s, times: 48, type: payment.failed, data: {payment_id: "q_{n}", user_id: "u_{n}", amount: 100, currency: EGP, method: card}}
    alerts: [{at: 220m, entity: all}]
  - name: as many as ever
    events: [{at: 0s, every: 150s, times: 200, type: payment.failed, data: {payment_id: "p_{n}", user_id: "u_{n}", amount: 100, currency: EGP, method: card}}]
    alerts: []
  - name: twice as many from the first day on
    events: [{at: 0s, every: 75s, times: 400, type: payment.failed, data: {payment_id: "p_{n}", user_id: "u_{n}", amount: 100, currency: EGP, method: card}}]
    alerts: []
"#;

#[rstest]
#[case::stddev(STEADY)]
#[case::rate_of_change(SUDDEN)]
#[case::cusum(CREEPING)]
fn its_tests_pass(#[case] rule: &str) {
    if let Err(failure) = outcome(rule) {
        panic!("{failure}");
    }
}

/// The binding's own name stands for it, and both may be shown.
#[test]
fn the_first_of_several_fields_may_be_named_too() {
    let text = "rule: x.a\ntitle: T\non: payment.failed\nentity: all\nlet:\n  n: {cusum: payment.failed, by: data.method, window: 1h}\nwhen: n.cusum > 1.0\nexplain: \"{n.cusum} {n} {n.count}\"\n";
    rasid_compiler::compile(&[SourceFile { name: "x/a.yaml".to_owned(), text: text.to_owned() }])
        .unwrap_or_else(|report| panic!("{}", report.render(false)));
}

/// Where somebody usually is stays in the engine, like each place that it is made of.
#[test]
fn a_mean_of_hidden_numbers_is_hidden() {
    let text = "rule: x.a\ntitle: T\non: gps.position\nentity: driver\nlet:\n  n: {zscore: gps.position, of: lat, by: driver, window: 1d}\nwhen: n > 3.0\nexplain: \"{n.mean}\"\n";
    let report = rasid_compiler::compile(&[SourceFile { name: "x/a.yaml".to_owned(), text: text.to_owned() }]).expect_err("it is hidden");
    assert!(report.render(false).contains("never leaves the engine"), "{}", report.render(false));
}

/// A day that is none is shown where it stands; a parameter that is too small too.
#[rstest]
#[case::no_date("baseline: payment.failed, by: data.method, window: 28d, holidays: [2026-13-01]", "`2026-13-01` is no date")]
#[case::no_list("baseline: payment.failed, by: data.method, window: 28d, holidays: 2026-01-01", "a parameter of baseline")]
#[case::warm_up("baseline: payment.failed, by: data.method, window: 7d", "never gives a value: its window holds fewer weeks")]
#[case::too_few("zscore: payment.failed, of: amount, by: data.method, window: 28d, at_least: 1", "`at_least` is 1, expected 2 to 1000000")]
#[case::of_words("zscore: payment.failed, of: method, by: data.method, window: 28d", "`zscore` takes a field of numbers")]
#[case::no_field("cusum: payment.failed, of: amount, by: data.method, window: 1h", "counts events")]
fn what_is_wrong_is_said(#[case] binding: &str, #[case] said: &str) {
    let text = format!("rule: x.a\ntitle: T\non: payment.failed\nentity: all\nlet:\n  n: {{{binding}}}\nwhen: n > 1.0\nexplain: x\n");
    let report = rasid_compiler::compile(&[SourceFile { name: "x/a.yaml".to_owned(), text }]).expect_err("it is wrong").render(false);
    assert!(report.contains(said), "{report}");
}
