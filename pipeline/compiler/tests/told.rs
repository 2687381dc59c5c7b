//! What is said of a rule, and with which help: faults whose words depend on what the rule has.

use rasid_compiler::{Code, SourceFile, compile};
use rasid_detectors::operator::{Heard, OPERATORS};
use rstest::rstest;

fn rule(on: &str, lets: &str, when: &str) -> SourceFile {
    let text = format!("rule: x.a\ntitle: T\non: {on}\nentity: user(user_id)\nlet:\n{lets}when: {when}\nexplain: x\n");
    SourceFile { name: "x/a.yaml".to_owned(), text }
}

/// A rule that looks at one of the types that feed such a binding reads it there; what says something at all events may be fed by others alone.
#[rstest]
#[case::new("{new: [payment.authorized, payment.captured], of: method, by: user(user_id), window: 1h}", "b")]
#[case::distinct("{distinct: payment.captured, of: method, by: user(user_id), window: 1h}", "b > 1")]
#[case::rising("{cusum: payment.captured, by: user(user_id), window: 1h}", "b > 1.0")]
fn what_is_heard_somewhere_is_no_fault(#[case] binding: &str, #[case] when: &str) {
    compile(&[rule("[payment.authorized, payment.failed]", &format!("  b: {binding}\n"), when)])
        .unwrap_or_else(|report| panic!("{}", report.render(false)));
}

/// An operator that says so of itself is one that this holds of.
#[test]
fn what_is_heard_at_its_own_events_alone_says_so() {
    for spec in OPERATORS {
        assert_eq!(spec.gives.contains("only at events that feed it"), spec.heard == Heard::WhereFed, "{}", spec.name);
    }
}

/// A detector that an event only teaches does not fire there.
#[test]
fn a_detector_fires_where_it_may() {
    let report = compile(&[SourceFile {
        name: "x/a.yaml".to_owned(),
        text: "rule: x.a\ntitle: T\non: auth.otp_verified\nentity: user\nlet:\n  jump: {detector: impossible_travel, by: user}\nwhen: jump.fired\nexplain: x\n".to_owned(),
    }])
    .expect_err("it never fires there");
    let [fault] = report.faults.as_slice() else { panic!("{}", report.render(false)) };
    assert_eq!(fault.code, Code::NeverFires);
    assert!(
        fault.help.as_deref().is_some_and(|help| help.contains("`auth.login_succeeded`") && !help.contains("otp")),
        "{}",
        report.render(false)
    );
}

/// What a fault keeps from being read is not told to be unread; what nothing reads is, whatever else is wrong.
#[rstest]
#[case::a_slip("  sends: {count: payment.captured, by: user(user_id), window: 1h}\n", "send > 3", &[Code::UnknownName])]
#[case::one_of_two("  a: {count: payment.captured, by: user(user_id), window: 1h}\n  b: {count: payment.failed, by: user(user_id), window: 1h}\n", "c > 3", &[Code::UnknownName])]
#[case::in_a_function("  a: {count: payment.captured, by: user(user_id), window: 1h}\n", "format(a) == '3'", &[Code::NotInSubset])]
#[case::under_a_filter("  a: {count: payment.captured, by: user(user_id), window: 1h}\n  b: {count: payment.captured, by: user(user_id), window: 1h, where: data.amount > a}\n", "b > 3", &[Code::WhereReadsMore])]
#[case::what_fires("  wait: {absence: payment.captured, after: payment.authorized, by: user(user_id), window: 1h}\n  n: {count: wiat, by: user(user_id), window: 1d}\n", "n > 3", &[Code::UnknownEventType])]
#[case::a_parameter("  a: {count: payment.captured, by: user(user_id), window: params.spam}\n", "a > 3", &[Code::UnknownParameter])]
#[case::of_a_binding_with_a_fault("  a: {counts: payment.captured, by: user(user_id), window: params.span}\n", "a > 3", &[Code::UnknownKey])]
#[case::nothing_reads_it("  span_of: {count: payment.captured, by: user(user_id), window: params.span}\n", "data.amont > 3", &[Code::Unused, Code::UnknownField])]
fn what_another_fault_keeps_from_being_read_is_not_unread(#[case] lets: &str, #[case] when: &str, #[case] codes: &[Code]) {
    let file = rule("payment.authorized", lets, when);
    let text = if lets.contains("params.") { file.text.replace("let:", "params: {span: 1h}\nlet:") } else { file.text };
    let report = compile(&[SourceFile { text, ..file }]).expect_err("a fault");
    let found: Vec<Code> = report.faults.iter().map(|fault| fault.code).collect();
    assert_eq!(found, codes, "{}", report.render(false));
}

/// The one fault of a rule: its code, and what helps.
fn only_fault(file: SourceFile) -> (Code, String) {
    let report = compile(&[file]).expect_err("a fault");
    let [fault] = report.faults.as_slice() else { panic!("{}", report.render(false)) };
    (fault.code, fault.help.clone().unwrap_or_default())
}

/// Whoever knows another engine writes `event`.
#[rstest]
#[case::of_data("event.data.amount", "`data.amount`")]
#[case::alone("event.amount", "`data.amount`")]
#[case::of_an_object("event.data.location.lat", "data.field")]
#[case::its_time("event.time", "written `time`")]
#[case::its_type("event.type", "`on`")]
fn a_field_of_the_event_is_told_how_it_is_written(#[case] path: &str, #[case] said: &str) {
    let counted = format!("  a: {{count: payment.captured, by: user(user_id), window: 1h, where: {path} == {path}}}\n");
    for file in [rule("payment.captured", &counted, "a > 3"), rule("payment.captured", "  {}\n", &format!("{path} == {path}"))] {
        let report = compile(&[file]).expect_err("a fault");
        let shown = report.render(false);
        assert!(report.faults.iter().all(|fault| fault.code == Code::NotInSubset) && shown.contains(said), "{shown}");
    }
}

/// `of` takes a field: how the wish is written where a kind stands there, or the time.
#[rstest]
#[case::a_part_of_an_address("auth.login_succeeded", "ip_prefix", "made of `ip`")]
#[case::who("payment.captured", "user", "write `of: user_id`, `of: counterparty_id`")]
#[case::a_device("auth.login_succeeded", "device", "write `of: device_id`")]
#[case::a_place("auth.login_succeeded", "region", "stands in `by`")]
#[case::not_there("payment.captured", "driver", "stands in `by`")]
#[case::when("payment.captured", "time", "time.getHours(\"Africa/Cairo\")")]
#[case::a_slip("payment.captured", "amont", "`amount`")]
fn what_is_no_field_is_told_where_it_stands(#[case] event: &str, #[case] of: &str, #[case] said: &str) {
    let lets = format!("  a: {{distinct: {event}, of: {of}, by: user(user_id), window: 1h}}\n");
    let (code, help) = only_fault(rule(event, &lets, "a > 3"));
    assert!(code == Code::UnknownField && help.contains(said), "{help}");
}

/// A repetition's number is text: what to do where it stands in anything else.
#[rstest]
#[case::a_number_in_quotes("\"1{n}00\"", "2026-01-01T00:00:00Z", "stands in text alone")]
#[case::braces_without_quotes("{n}", "2026-01-01T00:00:00Z", "stands in text alone")]
#[case::a_day_that_is_none("5", "\"2026-01-0{n}T00:00:00Z\"", "`{n}` is 0 here")]
#[case::a_day_as_a_map("5", "{n}", "in quotes")]
fn the_number_of_a_repetition_is_text(#[case] amount: &str, #[case] created: &str, #[case] said: &str) {
    let SourceFile { name, text } = rule("payment.captured", "  {}\n", "data.amount > 3");
    let data =
        format!("{{payment_id: \"p_{{n}}\", user_id: u_1, amount: {amount}, currency: EGP, method: card, account_created_at: {created}}}");
    let test =
        format!("tests: [{{name: n, events: [{{at: 0s, every: 1m, times: 3, type: payment.captured, data: {data}}}], alerts: []}}]\n");
    let (code, help) = only_fault(SourceFile { name, text: text + &test });
    assert!(code == Code::BadEvent && help.contains(said), "{help}");
}

#[test]
fn an_explanation_numbers_nothing() {
    let SourceFile { name, text } = rule("payment.captured", "  a: {count: payment.captured, by: user(user_id), window: 1h}\n", "a > 3");
    let (code, help) = only_fault(SourceFile { name, text: text.replace("explain: x", "explain: '{n} of them'") });
    assert!(code == Code::UnknownName && help.contains("the events of a test") && help.contains("`a`"), "{help}");
}

/// Every word is told with its meaning, and the one that is nearest to that of another scale.
#[rstest]
#[case::high("high", Some("SEV1"))]
#[case::critical("Critical", Some("SEV0"))]
#[case::medium("medium", Some("SEV2"))]
#[case::info("info", Some("SEV3"))]
#[case::small("sev2", Some("SEV2"))]
#[case::priority("P1", Some("SEV1"))]
#[case::number("3", Some("SEV3"))]
#[case::beyond("SEV4", None)]
#[case::of_no_scale("bad", None)]
fn a_severity_of_another_scale_is_told_the_nearest(#[case] word: &str, #[case] nearest: Option<&str>) {
    let SourceFile { name, text } = rule("payment.captured", "  {}\n", "data.amount > 3");
    let (code, help) = only_fault(SourceFile { name, text: format!("{text}severity: {word}\n") });
    let said = nearest.map(|nearest| format!("`{word}` is nearest to `{nearest}`"));
    assert!(code == Code::UnknownWord && help.contains("`SEV0` is funds") && help.contains("`SEV3` is a notice"), "{help}");
    assert!(said.map_or(!help.contains("nearest"), |said| help.contains(&said)), "{help}");
}

/// A rule without parameters is told so, wherever one is named.
#[rstest]
#[case::in_a_condition("  a: {count: payment.captured, by: user(user_id), window: 1h}\n", "a > params.most", "x")]
#[case::in_a_window("  a: {count: payment.captured, by: user(user_id), window: params.most}\n", "a > 3", "x")]
#[case::in_a_filter("  a: {count: payment.captured, by: user(user_id), window: 1h, where: data.amount > params.most}\n", "a > 3", "x")]
#[case::in_an_explanation("  a: {count: payment.captured, by: user(user_id), window: 1h}\n", "a > 3", "'{params.most}'")]
#[case::in_an_override(
    "  a: {count: payment.captured, by: user(user_id), window: 1h}\n",
    "a > 3",
    "x\noverrides: [{if: data.amount > 5, params: {most: 3}}]"
)]
fn a_rule_without_parameters_is_told_so(#[case] lets: &str, #[case] when: &str, #[case] explain: &str) {
    let SourceFile { name, text } = rule("payment.captured", lets, when);
    let (code, help) = only_fault(SourceFile { name, text: text.replace("explain: x", &format!("explain: {explain}")) });
    assert!(code == Code::UnknownParameter && help.contains("no parameters at all: add `params: {most: …}`"), "{help}");
}

/// Where `by` is missing it is told what it takes: the kinds that all types name alike, those that are counted and those that read it.
#[rstest]
#[case::one_type("payment.captured", "{count: payment.captured, window: 1h}", &["`user(user_id)`", "`instrument`", "`all`"], "phone")]
#[case::of_both("auth.otp_requested", "{count: auth.login_failed, window: 1h}", &["`ip`", "`ip_prefix`"], "`booking`")]
#[case::alike_in_none("booking.created", "{count: auth.sim_changed, window: 1h}", &["`match: {theirs: ours}`"], "`phone`")]
#[case::steps("payment.captured", "{sequence: [payment.failed, {on: payment.captured}], window: 1h}", &["`instrument`"], "phone")]
#[case::a_wait("payment.authorized", "{absence: payment.captured, after: payment.authorized, window: 1h}", &["`payment(payment_id)`"], "phone")]
#[case::a_detector("auth.login_succeeded", "{detector: impossible_travel}", &["`user`", "`device`"], "`booking`")]
#[case::who_hangs_together("auth.login_succeeded", "{component: auth.login_succeeded, window: 1d}", &["`device`"], "`booking`")]
fn a_binding_without_by_is_told_what_it_takes(#[case] on: &str, #[case] binding: &str, #[case] kinds: &[&str], #[case] not: &str) {
    let SourceFile { name, text } = rule(on, &format!("  a: {binding}\n"), "true");
    let report = compile(&[SourceFile { name, text: text.replace("user(user_id)\n", "all\n") }]).expect_err("a fault");
    let fault = report.faults.iter().find(|fault| fault.code == Code::MissingKey).unwrap_or_else(|| panic!("{}", report.render(false)));
    let help = fault.help.as_deref().unwrap_or_default();
    assert!(kinds.iter().all(|kind| help.contains(kind)) && !help.contains(not), "{help}");
}

#[test]
fn the_page_of_codes_has_each_with_its_meaning() {
    let page = std::fs::read_to_string("../../docs/rule-faults.md").expect("the page");
    for code in Code::ALL {
        let sort = if code.is_warning() { "warning" } else { "fault" };
        let row = format!("| `{code}` | {sort} | {} |\n", code.means().replace('|', "\\|"));
        assert!(page.contains(&row), "docs/rule-faults.md lacks {row}");
    }
    assert_eq!(page.matches("| `").count(), Code::ALL.len());
}
