//! What is said of the values that a key shows, and of what comes in a row, by rules with their tests.

use rstest::rstest;

const STARS: &str = r#"
rule: review.praise
title: Somebody is praised five times and never blamed
on: review.submitted
entity: user(reviewee_id)
let:
  praise: {streak: review.submitted, until: review.submitted, by: user(reviewee_id), window: 30d, where: data.rating == 5}
when: praise >= 5
explain: "{praise} times five stars in a row"
tests:
  - name: the fifth
    events: [{at: 0s, every: 1d, times: 5, type: review.submitted, data: {review_id: "r_{n}", reviewer_id: "u_{n}", reviewee_id: u_9, rating: 5, verified_booking: true}}]
    alerts: [{at: 4d, entity: user}]
  - name: another rating ends it
    events:
      - {at: 0s, every: 1d, times: 4, type: review.submitted, data: {review_id: "r_{n}", reviewer_id: "u_{n}", reviewee_id: u_9, rating: 5, verified_booking: true}}
      - {at: 4d, type: review.submitted, data: {review_id: r_x, reviewer_id: u_x, reviewee_id: u_9, rating: 4, verified_booking: true}}
      - {at: 5d, every: 1d, times: 4, type: review.submitted, data: {review_id: "s_{n}", reviewer_id: "u_{n}", reviewee_id: u_9, rating: 5, verified_booking: true}}
    alerts: []
"#;

const MIRRORED: &str = r#"
rule: payment.passed_on
title: What comes in goes out nearly as it came
on: [payment.captured, payment.payout_requested, auth.login_succeeded]
entity: user(user_id)
let:
  alike: {similar: [payment.captured, payment.payout_requested], of: amount, by: user(user_id), window: 1d, within: 0.02, where: data.currency == "EGP"}
when: has(values.alike) && alike >= 1
explain: "{alike} like it, the nearest {alike.nearest}"
tests:
  - name: two of a hundred less
    events:
      - {at: 0s, type: payment.captured, data: {payment_id: p_1, user_id: u_1, amount: 98000, currency: EGP, method: card}}
      - {at: 1h, type: payment.payout_requested, data: {payment_id: p_2, user_id: u_1, amount: 100000, currency: EGP, method: bank}}
    alerts: [{at: 1h, entity: user}]
  - name: a little less than that
    events:
      - {at: 0s, type: payment.captured, data: {payment_id: p_1, user_id: u_1, amount: 97999, currency: EGP, method: card}}
      - {at: 1h, type: payment.payout_requested, data: {payment_id: p_2, user_id: u_1, amount: 100000, currency: EGP, method: bank}}
    alerts: []
  - name: a login has no amount, and reads none
    events:
      - {at: 0s, every: 1h, times: 2, type: payment.captured, data: {payment_id: "p_{n}", user_id: u_1, amount: 98000, currency: EGP, method: card}}
      - {at: 2h, type: auth.login_succeeded, data: {user_id: u_1, device_id: d_1, ip: 192.0.2.1}}
    alerts: [{at: 1h, entity: user}]
  - name: a day later
    events:
      - {at: 0s, type: payment.captured, data: {payment_id: p_1, user_id: u_1, amount: 100000, currency: EGP, method: card}}
      - {at: 1d, type: payment.payout_requested, data: {payment_id: p_2, user_id: u_1, amount: 100000, currency: EGP, method: bank}}
    alerts: []
"#;

const PUMPED: &str = r#"
rule: auth.numbers_in_a_row
title: Codes go to numbers that stand in a row
on: auth.otp_requested
entity: ip
let:
  numbers: {sequential: auth.otp_requested, of: phone, by: ip, window: 10m}
when: numbers >= 4 && numbers * 2 > numbers.distinct
explain: "{numbers} of {numbers.distinct} numbers stand next to another"
tests:
  - name: each second one, however it is written
    events:
      - {at: 0s, type: auth.otp_requested, data: {phone: "+201000000042", ip: 192.0.2.1, purpose: login}}
      - {at: 1m, type: auth.otp_requested, data: {phone: "01000000046", ip: 192.0.2.1, purpose: login}}
      - {at: 2m, type: auth.otp_requested, data: {phone: "+20 100 000 00-44", ip: 192.0.2.1, purpose: login}}
      - {at: 3m, type: auth.otp_requested, data: {phone: "tel:+201000000048", ip: 192.0.2.1, purpose: login}}
    alerts: [{at: 3m, entity: ip}]
  - name: each third one
    events:
      - {at: 0s, type: auth.otp_requested, data: {phone: "+201000000042", ip: 192.0.2.1, purpose: login}}
      - {at: 1m, type: auth.otp_requested, data: {phone: "+201000000045", ip: 192.0.2.1, purpose: login}}
      - {at: 2m, type: auth.otp_requested, data: {phone: "+201000000048", ip: 192.0.2.1, purpose: login}}
      - {at: 3m, type: auth.otp_requested, data: {phone: "+201000000051", ip: 192.0.2.1, purpose: login}}
    alerts: []
  - name: one number that asks again and again
    events: [{at: 0s, every: 1m, times: 9, type: auth.otp_requested, data: {phone: "+201000000042", ip: 192.0.2.1, purpose: login}}]
    alerts: []
"#;

const YOUNG: &str = r#"
rule: payment.stranger
title: A payout to somebody who was not here a year ago
on: payment.payout_requested
entity: user(user_id)
let:
  first: {first_seen: [payment.captured, payment.payout_requested], by: user(user_id), window: 400d}
when: time - first < duration("8640h")
explain: "since {first}"
tests:
  - name: a year of silence is remembered
    events:
      - {at: 0s, type: payment.captured, data: {payment_id: p_1, user_id: u_1, amount: 1, currency: EGP, method: card}}
      - {at: 360d, type: payment.payout_requested, data: {payment_id: p_2, user_id: u_1, amount: 1, currency: EGP, method: bank}}
    alerts: []
  - name: a little less than a year
    events:
      - {at: 0s, type: payment.captured, data: {payment_id: p_1, user_id: u_1, amount: 1, currency: EGP, method: card}}
      - {at: 359d, type: payment.payout_requested, data: {payment_id: p_2, user_id: u_1, amount: 1, currency: EGP, method: bank}}
    alerts: [{at: 359d, entity: user}]
"#;

#[rstest]
#[case::streak(STARS)]
#[case::similar(MIRRORED)]
#[case::sequential(PUMPED)]
#[case::first_seen(YOUNG)]
fn a_rule_passes_its_tests(#[case] text: &str) {
    let id = text.trim_start().lines().next().and_then(|line| line.strip_prefix("rule: ")).expect("its id");
    let name = format!("{}.yaml", id.replace('.', "/"));
    let outcome = rasid_engine::run_tests(&crate::common::ruleset(&[(&name, text)])).expect("an engine");
    assert!(outcome.tests >= 2 && outcome.failures.is_none(), "{}", outcome.failures.expect("a failure").render(false));
}
