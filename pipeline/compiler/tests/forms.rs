//! What is said of bindings that time makes fire, and of those that have one value for all.

use rasid_compiler::{Code, SourceFile, compile};
use rasid_detectors::event::EventType;
use rstest::rstest;

fn rule(on: &str, lets: &str, when: &str) -> SourceFile {
    let text = format!("rule: x.a\ntitle: T\non: {on}\nentity: user(user_id)\nlet:\n{lets}when: {when}\nexplain: x\n");
    SourceFile { name: "x/a.yaml".to_owned(), text }
}

const UNPAID: &str =
    "  unpaid: {absence: payment.captured, after: payment.authorized, by: user(user_id), window: 1h, where: data.amount > 3}\n";

#[test]
fn what_should_follow_and_what_it_follows_are_told_apart() {
    let counted = format!("{UNPAID}  n: {{count: unpaid, by: instrument, window: 1d}}\n");
    let file = rule("[payment.authorized, payment.refund_issued]", &counted, "(unpaid.fired && unpaid.others > 1) || n > 3");
    let ruleset = compile(&[file]).unwrap_or_else(|report| panic!("{}", report.render(false)));
    let [waiting, counting] = ruleset.bindings.as_slice() else { panic!("two bindings") };
    let sides: Vec<_> = waiting.feeds.iter().map(|feed| (feed.event, feed.sides.above, feed.sides.below, feed.filter.is_some())).collect();
    assert_eq!(sides, [(EventType::PaymentAuthorized, false, true, false), (EventType::PaymentCaptured, true, false, true)]);
    // It fires on what was not followed, so that is what its firings carry.
    let fed: Vec<_> = counting.feeds.iter().map(|feed| (feed.event, feed.firings_of)).collect();
    assert_eq!(fed, [(EventType::PaymentAuthorized, Some(0))]);
}

#[test]
fn a_quantile_has_one_value_wherever_it_is_read() {
    let file =
        rule("[payment.captured, auth.login_failed]", "  high: {quantile: payment.captured, of: amount, window: 7d}\n", "high > 5.0");
    let ruleset = compile(&[file]).unwrap_or_else(|report| panic!("{}", report.render(false)));
    let keys = &ruleset.bindings[0].keys;
    assert_eq!(
        keys.iter().map(|(event, parts)| (*event, parts.len())).collect::<Vec<_>>(),
        [(EventType::LoginFailed, 0), (EventType::PaymentCaptured, 0)]
    );
}

#[rstest]
#[case::no_key("  b: {absence: payment.captured, by: user(user_id), window: 1h}\n", "b.fired", Code::MissingKey, "`after`")]
#[case::too_short(
    "  b: {absence: payment.captured, after: payment.authorized, by: user(user_id), window: 59s}\n",
    "b.fired",
    Code::OutOfRange,
    "1m to 30d"
)]
#[case::never_fires(
    "  b: {absence: payment.authorized, after: payment.captured, by: user(user_id), window: 1h}\n",
    "b.fired",
    Code::NeverFires,
    "payment.captured"
)]
#[case::of_something(
    "  b: {absence: payment.captured, after: payment.authorized, of: amount, by: user(user_id), window: 1h}\n",
    "b.fired",
    Code::BadOf,
    "looks for events"
)]
#[case::no_signal(
    "  b: {absence: payment.captured, after: payment.authorized, by: user(user_id), window: 1h}\n",
    "b > 1",
    Code::TypeMismatch,
    "b"
)]
#[case::a_key_of_all(
    "  b: {quantile: payment.captured, of: amount, by: user(user_id), window: 1h}\n",
    "b > 1.0",
    Code::BadBinding,
    "one value for all"
)]
#[case::of_words("  b: {quantile: payment.captured, of: method, window: 1h}\n", "b > 1.0", Code::BadOf, "a field of numbers")]
#[case::beyond_all("  b: {quantile: payment.captured, of: amount, window: 1h, q: 1.5}\n", "b > 1.0", Code::OutOfRange, "0 to 1")]
fn what_is_wrong_is_said(#[case] lets: &str, #[case] when: &str, #[case] code: Code, #[case] said: &str) {
    let report = compile(&[rule("payment.authorized", lets, when)]).expect_err("it is wrong");
    let shown = report.render(false);
    assert!(report.faults.iter().any(|fault| fault.code == code) && shown.contains(said), "{shown}");
}

/// A test names the time at which the wait is over, whether or not anything happens then.
#[rstest]
#[case::over("1h1m", None)]
#[case::at_its_beginning("1m", None)] // an event that the rule watches: it may be wrong, and that is for the test to say
#[case::at_no_time("30m", Some("of a wait that is over"))]
fn a_test_says_when_a_wait_is_over(#[case] at: &str, #[case] help: Option<&str>) {
    let SourceFile { name, text } = rule("payment.authorized", UNPAID, "unpaid.fired");
    let data = "{payment_id: p_1, user_id: u_1, amount: 5, currency: EGP, method: card}";
    let test = format!(
        "tests: [{{name: n, events: [{{at: 1m, type: payment.authorized, data: {data}}}], alerts: [{{at: {at}, entity: user}}]}}]\n"
    );
    match (compile(&[SourceFile { name, text: text + &test }]), help) {
        (Ok(ruleset), None) => assert_eq!(ruleset.rules[0].tests.len(), 1),
        (Err(report), Some(help)) => assert!(report.render(false).contains(help), "{}", report.render(false)),
        (Ok(_), Some(_)) => panic!("nothing happens then"),
        (Err(report), None) => panic!("{}", report.render(false)),
    }
}

/// Whichever stands first in the file; and what is only counted need not be found at the rule's own events.
#[test]
fn a_wait_may_be_begun_by_the_end_of_one_that_stands_below_it() {
    let lets = "  b: {absence: payment.refund_issued, after: unpaid, by: user(user_id), window: 1h}\n";
    let file = rule("payment.authorized", &format!("{lets}{UNPAID}"), "b.fired || unpaid.fired");
    let ruleset = compile(&[file]).unwrap_or_else(|report| panic!("{}", report.render(false)));
    let of_b =
        ruleset.bindings.iter().find(|binding| binding.feeds.iter().any(|feed| feed.firings_of.is_some())).expect("it is fed firings");
    assert!(of_b.feeds.iter().any(|feed| feed.event == EventType::PaymentAuthorized && feed.sides.below));

    let lets = "  unused: {absence: auth.otp_verified, after: auth.otp_requested, by: phone, window: 10m}\n  n: {count: unused, by: ip, window: 1d}\n";
    compile(&[rule("auth.login_succeeded", lets, "n > 3")]).unwrap_or_else(|report| panic!("{}", report.render(false)));
}

/// Two stages, and no third: what is fed firings is counted by nobody.
#[test]
fn a_firing_of_a_firing_is_no_event() {
    let lets = "  jump: {detector: impossible_travel, by: user}\n  modest: {absence: payment.captured, after: jump, by: user(user_id), window: 1h}\n  n: {count: modest, by: user(user_id), window: 1d}\n";
    let report = compile(&[rule("auth.login_succeeded", lets, "modest.fired || n > 1")]).expect_err("a third stage");
    let shown = report.render(false);
    assert!(shown.contains("modest") && report.faults.iter().any(|fault| fault.code == Code::UnknownEventType), "{shown}");
}
