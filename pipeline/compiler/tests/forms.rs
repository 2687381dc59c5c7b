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
    assert!(ruleset.bindings[0].feeds.iter().all(|feed| feed.event == EventType::PaymentCaptured && feed.key.is_empty()));
    assert!(ruleset.rules[0].triggers.iter().all(|trigger| trigger.reads[0].key == Some(Vec::new())));
}

#[test]
fn steps_are_numbered_and_each_has_its_own_filter() {
    let lets = "  b: {sequence: [{on: payment.authorized, times: 2}, {on: [payment.captured, payment.authorized], where: data.amount > 3, within: 5m}, payment.captured], by: user(user_id), window: 1h}\n";
    let file = rule("payment.captured", lets, "b.fired && b.span_s < 60.0");
    let ruleset = compile(&[file]).unwrap_or_else(|report| panic!("{}", report.render(false)));
    let [binding] = ruleset.bindings.as_slice() else { panic!("one binding") };
    let steps = |feed: &rasid_compiler::ruleset::Feed| {
        (feed.event, feed.steps.iter().map(|step| (step.number, step.filter.is_some())).collect::<Vec<_>>())
    };
    let fed: Vec<_> = binding.feeds.iter().map(steps).collect();
    let expected = [(EventType::PaymentAuthorized, vec![(0, false), (1, true)]), (EventType::PaymentCaptured, vec![(1, true), (2, false)])];
    assert_eq!(fed, expected);
    assert!(
        binding
            .canonical
            .contains(r#"{"steps":[{"times":2,"within_ms":null},{"times":1,"within_ms":300000},{"times":1,"within_ms":null}]}"#)
    );
}

#[test]
fn only_what_begins_a_wait_has_a_time_to_wait_from() {
    let lets = "  b: {absence: booking.started, after: booking.accepted, from: scheduled_at, by: booking, window: 2h}\n";
    let text = format!("rule: x.a\ntitle: T\non: booking.accepted\nentity: user(client_id)\nlet:\n{lets}when: b.fired\nexplain: x\n");
    let ruleset = compile(&[SourceFile { name: "x/a.yaml".to_owned(), text }]).unwrap_or_else(|report| panic!("{}", report.render(false)));
    let looks: Vec<_> = ruleset.bindings[0].feeds.iter().map(|feed| (feed.event, feed.of.is_some())).collect();
    assert_eq!(looks, [(EventType::BookingAccepted, true), (EventType::BookingStarted, false)]);
}

#[test]
fn a_share_is_read_with_its_bounds() {
    let lets = "  used: {ratio: payment.captured, per: payment.authorized, pair: payment_id, settle: 10m, at_least: 30, by: user(user_id), window: 1h}\n";
    let file = rule("payment.captured", lets, "has(values.used) && used < used.high && used.low < 0.5 && used.count > 3");
    let ruleset = compile(&[file]).unwrap_or_else(|report| panic!("{}", report.render(false)));
    assert!(ruleset.bindings[0].feeds.iter().all(|feed| feed.of.is_some()));
    // What is set up as it is without being told has the state that older versions had.
    let plain = "  used: {ratio: payment.captured, per: payment.authorized, by: user(user_id), window: 1h}\n";
    let ruleset = compile(&[rule("payment.captured", plain, "used < 0.5")]).unwrap_or_else(|report| panic!("{}", report.render(false)));
    assert!(ruleset.bindings[0].canonical.starts_with("ratio window=3600000 payment."), "{}", ruleset.bindings[0].canonical);
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
#[case::from_no_time(
    "  b: {absence: payment.captured, after: payment.authorized, from: amount, by: user(user_id), window: 1h}\n",
    "b.fired",
    Code::BadOf,
    "takes a time"
)]
#[case::one_step(
    "  b: {sequence: [payment.captured], by: user(user_id), window: 1h}\n",
    "b.fired",
    Code::OutOfRange,
    "1 steps, expected 2 to 8"
)]
#[case::within_the_window(
    "  b: {sequence: [payment.authorized, {on: payment.captured, within: 2h}], by: user(user_id), window: 1h}\n",
    "b.fired",
    Code::OutOfRange,
    "longer than the window"
)]
#[case::no_steps("  b: {sequence: payment.captured, by: user(user_id), window: 1h}\n", "b.fired", Code::WrongType, "a list of steps")]
#[case::never_completes(
    "  b: {sequence: [payment.authorized, payment.captured], by: user(user_id), window: 1h}\n",
    "b.fired",
    Code::NeverFires,
    "the last step is `payment.captured`"
)]
#[case::step_of_nothing(
    "  b: {sequence: [payment.captured, {where: data.amount > 1}], by: user(user_id), window: 1h}\n",
    "b.fired",
    Code::MissingKey,
    "`on`"
)]
#[case::where_beside_steps(
    "  b: {sequence: [payment.captured, payment.authorized], where: data.amount > 1, by: user(user_id), window: 1h}\n",
    "b.fired",
    Code::UnknownKey,
    "where"
)]
#[case::too_often(
    "  b: {sequence: [{on: payment.captured, times: 33}, payment.authorized], by: user(user_id), window: 1h}\n",
    "b.fired",
    Code::OutOfRange,
    "1 to 32"
)]
#[case::too_many_together(
    "  b: {sequence: [{on: payment.captured, times: 32}, {on: payment.failed, times: 32}, payment.authorized], by: user(user_id), window: 1h}\n",
    "b.fired",
    Code::OutOfRange,
    "steps of 65 events together, expected 64 at most"
)]
#[case::alerts_among_steps(
    "  b: {sequence: [rasid.alert, payment.authorized], by: all, window: 1h}\n",
    "b.fired",
    Code::AlertsApart,
    "alerts and what is none are counted together"
)]
#[case::alerts_as_steps(
    "  b: {sequence: [rasid.alert, rasid.alert], by: all, window: 1h}\n",
    "b.fired",
    Code::AlertsApart,
    "only a rule that looks at alerts counts them"
)]
#[case::settled_no_span(
    "  b: {ratio: payment.captured, per: payment.authorized, settle: 10, by: user(user_id), window: 1h}\n",
    "b < 0.5",
    Code::BadDuration,
    "`settle`"
)]
#[case::pair_of_another(
    "  b: {ratio: payment.captured, per: payment.authorized, settle: 10m, pair: phone, by: user(user_id), window: 1h}\n",
    "b < 0.5",
    Code::UnknownField,
    "no field `phone`"
)]
#[case::no_such_field(
    "  b: {ratio: payment.captured, per: payment.authorized, by: user(user_id), window: 1h}\n",
    "b.lowest < 0.5",
    Code::UnknownField,
    "low"
)]
#[case::no_end("  b: {streak: payment.failed, by: user(user_id), window: 1h}\n", "b > 1", Code::MissingKey, "`until`")]
#[case::its_own_end(
    "  b: {streak: payment.failed, until: payment.failed, by: user(user_id), window: 1h}\n",
    "b > 1",
    Code::BadBinding,
    "a streak whose `until` names the same events"
)]
#[case::too_many_of_the_last(
    "  b: {last_n: payment.captured, of: amount, n: 33, by: user(user_id), window: 1h}\n",
    "b > 1",
    Code::OutOfRange,
    "2 to 32"
)]
#[case::words_that_are_alike(
    "  b: {similar: payment.captured, of: method, by: user(user_id), window: 1h}\n",
    "b > 1",
    Code::BadOf,
    "a field of numbers"
)]
#[case::words_in_a_row(
    "  b: {sequential: payment.captured, of: method, by: user(user_id), window: 1h}\n",
    "b > 1",
    Code::BadOf,
    "texts that end in one"
)]
#[case::never_new(
    "  b: {new: [payment.captured, payment.failed], of: method, by: user(user_id), window: 1h}\n",
    "b",
    Code::NeverFires,
    "`new` has a value only at `payment.captured`, `payment.failed`, and the rule looks at none of them"
)]
#[case::never_far_off(
    "  b: {zscore: payment.captured, of: amount, by: user(user_id), window: 1h}\n",
    "b > 3.0",
    Code::NeverFires,
    "add one of them to the rule's `on`: `payment.captured`"
)]
#[case::never_alike(
    "  b: {similar: payment.captured, of: amount, match: {user_id: user_id}, window: 1h}\n",
    "b > 3",
    Code::NeverFires,
    "`similar`"
)]
#[case::new_is_no_number(
    "  b: {new: payment.authorized, of: method, by: user(user_id), window: 1h}\n",
    "b > 1",
    Code::TypeMismatch,
    "bool"
)]
#[case::a_count_of_a_year("  b: {count: payment.captured, by: user(user_id), window: 91d}\n", "b > 1", Code::OutOfRange, "1s to 90d")]
#[case::a_key_of_two("  b: {first_seen: payment.captured, by: user(user_id), window: 401d}\n", "b < time", Code::OutOfRange, "1s to 400d")]
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

/// A number where event types belong: what an aggregate's value is, with an example that can be written so.
#[rstest]
#[case::of_all("quantile: 0.99", "quantile")]
#[case::count("count: 5", "count")]
#[case::sum("sum: 5", "sum")]
#[case::distinct("distinct: true", "distinct")]
#[case::last("last: 1", "last")]
#[case::ratio("ratio: 0.5", "ratio")]
#[case::streak("streak: 5, until: payment.captured", "streak")]
#[case::its_end("streak: payment.failed, until: 5", "streak")]
#[case::of_the_last("last_n: 5", "last_n")]
#[case::alike("similar: 2", "similar")]
#[case::not_before("new: true", "new")]
#[case::in_a_row("sequential: 4", "sequential")]
#[case::absence("absence: 1, after: payment.authorized", "absence")]
#[case::of_the_second("absence: payment.captured, after: 3", "absence")]
#[case::of_a_share("ratio: payment.captured, per: 3", "ratio")]
fn a_number_is_no_event_type(#[case] wrong: &str, #[case] name: &str) {
    let of = if ["absence", "count", "ratio", "streak"].contains(&name) { "" } else { "of: amount, " };
    let by = if name == "quantile" { "" } else { "by: user(user_id), " };
    let lets = format!("  b: {{{wrong}, {of}{by}window: 1h}}\n");
    let report = compile(&[rule("payment.authorized", &lets, "b.fired || b > 1")]).expect_err("a number");
    let fault = report.faults.iter().find(|fault| fault.message.contains("expected the name of an event type"));
    let help = fault.and_then(|fault| fault.help.clone()).unwrap_or_else(|| panic!("{}", report.render(false)));
    assert!(!help.contains("quotes"), "{help}");
    let example = help.split('`').nth(1).unwrap_or_else(|| panic!("{help}"));
    assert!(example.starts_with(&format!("{{{name}: ")), "{example}");
    // A wait is heard at what begins it, what else there is at what feeds it.
    let first = example.split(": ").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_else(|| panic!("{example}"));
    let on = if name == "absence" { "auth.otp_requested" } else { first };
    let entity = if on.starts_with("payment.") { "user(user_id)" } else { "phone" };
    let when = if name == "absence" { "b.fired" } else { "b == b" };
    let text = format!("rule: x.a\ntitle: T\non: {on}\nentity: {entity}\nlet:\n  b: {example}\nwhen: {when}\nexplain: x\n");
    compile(&[SourceFile { name: "x/a.yaml".to_owned(), text }]).unwrap_or_else(|report| panic!("{}", report.render(false)));
}

#[test]
fn a_rule_that_looks_at_a_number_is_told_what_belongs_there() {
    let report = compile(&[rule("5", "  b: {count: payment.captured, by: user(user_id), window: 1h}\n", "b > 1")]).expect_err("a number");
    assert!(report.render(false).contains("as in `on: auth.otp_requested`"), "{}", report.render(false));
}

/// What an aggregate takes, and not the names of all the others.
#[rstest]
#[case::within("count: payment.captured, by: user(user_id), within: 1h", "`window`, `offset`, `where`")]
#[case::of_a_field("sum: payment.captured, by: user(user_id), of: amount, within: 1h", "`window`, `offset`, `where`")]
#[case::with_its_own("quantile: payment.captured, of: amount, within: 1h", "`window`, `where`, `at_least`, `q`")]
#[case::a_detector("detector: impossible_travel, by: user, within: 1h", "no parameter `within`")]
fn a_key_that_nobody_knows_is_told_the_likely_ones(#[case] binding: &str, #[case] said: &str) {
    let on = if binding.contains("detector") { "auth.login_succeeded" } else { "payment.captured" };
    let report = compile(&[rule(on, &format!("  b: {{{binding}}}\n"), "b > 1")]).expect_err("an unknown key");
    let shown = report.render(false);
    assert!(shown.contains(said) && !shown.contains("`first_seen`"), "{shown}");
}

/// A binding is no event: how to ask when it fires, and how to count that.
#[rstest]
#[case::a_wait("unpaid", UNPAID, "`on: payment.authorized`", "`n: {count: unpaid, by: user(user_id), window: 1h}`")]
#[case::a_detector(
    "jump",
    "  jump: {detector: impossible_travel, by: user}\n",
    "`on: auth.login_succeeded`",
    "`n: {count: jump, by: user, "
)]
#[case::a_value("n", "  n: {count: payment.captured, by: user(user_id), window: 1h}\n", "event types in `on`", "read `n` in `when`")]
fn a_rule_looks_at_events_and_not_at_bindings(#[case] on: &str, #[case] lets: &str, #[case] looks: &str, #[case] counted: &str) {
    let report = compile(&[rule(on, lets, "true")]).expect_err("no event type");
    let fault =
        report.faults.iter().find(|fault| fault.code == Code::UnknownEventType).unwrap_or_else(|| panic!("{}", report.render(false)));
    let help = fault.help.as_deref().unwrap_or_default();
    assert!(fault.message.contains("a binding of `let`") && help.contains(looks) && help.contains(counted), "{}: {help}", fault.message);
}

/// What another word reads as may stand in a test, as it may in a condition.
#[test]
fn a_test_may_have_a_word_that_is_none_of_the_list() {
    let rule = |method: &str| SourceFile {
        name: "x/a.yaml".to_owned(),
        text: format!(
            "rule: x.a\ntitle: T\non: payment.captured\nentity: user(user_id)\nwhen: data.method == 'unknown'\nexplain: x\ntests:\n  - name: another word\n    events: [{{at: 0s, type: payment.captured, data: {{payment_id: p, user_id: u, amount: 1, currency: EGP, method: {method}}}}}]\n    alerts: [{{at: 0s, entity: user}}]\n"
        ),
    };
    compile(&[rule("unknown")]).unwrap_or_else(|report| panic!("{}", report.render(false)));
    let report = compile(&[rule("instapay")]).expect_err("no such word");
    assert!(report.render(false).contains("found another word"), "{}", report.render(false));
}
