//! Bindings that count a detector's firings.

use rasid_compiler::ruleset::Ruleset;
use rasid_compiler::{Code, SourceFile, compile};
use rasid_detectors::event::EventType;
use rasid_detectors::operator::Of;
use rstest::rstest;

const LEAK: &str = "  leak: {detector: contact_leak, by: [conversation, user(sender_id)]}\n";

fn good(files: &[SourceFile]) -> Ruleset {
    compile(files).unwrap_or_else(|report| panic!("{}", report.render(false)))
}

#[test]
fn firings_are_counted_where_the_rule_looks_at_nothing_of_the_detector() {
    // Whichever stands first in the file.
    let lets = "  jumps: {count: jump, by: user(user_id), window: 7d, where: jump.suspicion > 0.5}\n  jump: {detector: impossible_travel, by: user}\n  fastest: {max: jump, of: jump.speed_mps, by: user(user_id), window: 7d}\n";
    let text = format!(
        "rule: x.a\ntitle: T\non: payment.captured\nentity: user(user_id)\nlet:\n{lets}when: jumps > 2 && fastest > 300.0\nexplain: a payment\n"
    );
    let ruleset = good(&[SourceFile { name: "x/a.yaml".to_owned(), text: text.clone() }]);
    let names: Vec<&str> = ruleset.bindings.iter().map(|binding| binding.operator.spec().name).collect();
    assert_eq!(names, ["impossible_travel", "count", "max"]);
    for counting in &ruleset.bindings[1..] {
        let [feed] = counting.feeds.as_slice() else { panic!("one type") };
        assert_eq!((feed.event, feed.firings_of), (EventType::LoginSucceeded, Some(0)));
        assert!(counting.canonical.contains("firings=(detector impossible_travel"), "{}", counting.canonical);
    }
    assert!(ruleset.bindings[1].canonical.contains("(Signal 0 suspicion)"), "by its name: {}", ruleset.bindings[1].canonical);
    assert!(matches!(ruleset.bindings[2].feeds[0].of, Some(Of::Signal { name: "speed_mps", .. })));
    assert_eq!(ruleset.with_sources([1, 2]), [0, 1, 2]);

    // Nothing counts it, and the rule looks at nothing of it.
    let uncounted = text.replace("count: jump,", "count: auth.login_succeeded,").replace(", where: jump.suspicion > 0.5", "");
    let uncounted = uncounted
        .replace("{max: jump, of: jump.speed_mps,", "{max: payment.captured, of: amount,")
        .replace("fastest > 300.0", "fastest > 300");
    let report = compile(&[SourceFile { name: "x/a.yaml".to_owned(), text: uncounted }]).expect_err("it never fires");
    assert!(report.faults.iter().any(|fault| fault.code == Code::NeverFires), "{}", report.render(false));
}

#[test]
fn equal_countings_of_two_rules_are_one() {
    let of = |id: &str, name: &str| {
        let lets =
            format!("  {name}: {{detector: contact_leak, by: conversation}}\n  n: {{count: {name}, by: conversation, window: 1h}}\n");
        let text = format!("rule: {id}\ntitle: T\non: chat.message\nentity: conversation\nlet:\n{lets}when: n > 1\nexplain: x\n");
        SourceFile { name: format!("{}.yaml", id.replace('.', "/")), text }
    };
    let ruleset = good(&[of("x.a", "leak"), of("x.b", "other")]);
    assert_eq!(ruleset.bindings.len(), 2);
    // Events of the type are another thing than firings at them.
    let messages = SourceFile {
        text: of("x.c", "leak").text.replace("count: leak", "count: chat.message").replace("n > 1", "n > 1 && leak.fired"),
        ..of("x.c", "leak")
    };
    assert_eq!(good(&[of("x.a", "leak"), messages]).bindings.len(), 3);
}

#[rstest]
#[case::a_name_of_nothing("count: leek", Code::UnknownEventType, "leak")]
#[case::both("count: [leak, chat.message]", Code::BadBinding, "two bindings")]
#[case::twice("count: [leak, leak]", Code::BadBinding, "two bindings")]
#[case::no_field_of_it("count: leak, where: leak.size > 1", Code::UnknownField, "strength")]
#[case::text_of_the_signal("sum: leak, of: kind", Code::BadOf, "another field")]
#[case::an_aggregate("count: other", Code::UnknownEventType, "leak")]
fn what_cannot_be_counted_is_told(#[case] what: &str, #[case] code: Code, #[case] help: &str) {
    let lets =
        format!("{LEAK}  other: {{count: chat.message, by: conversation, window: 1h}}\n  n: {{{what}, by: conversation, window: 1h}}\n");
    let text = format!("rule: x.a\ntitle: T\non: chat.message\nentity: conversation\nlet:\n{lets}when: n > 1 && other > 1\nexplain: x\n");
    let report = compile(&[SourceFile { name: "x/a.yaml".to_owned(), text }]).expect_err("a fault");
    let fault = report.faults.iter().find(|fault| fault.code == code).unwrap_or_else(|| panic!("{}", report.render(false)));
    assert!(fault.help.as_deref().is_some_and(|said| said.contains(help)), "{:?}", fault.help);
}

#[test]
fn an_aggregate_with_a_fault_is_told_once() {
    let lets = "  leak: {detector: contact_leak, by: conversation}\n  n: {count: leak, by: conversation, window: 1x}\n";
    let text = format!("rule: x.a\ntitle: T\non: chat.message\nentity: conversation\nlet:\n{lets}when: n > 1\nexplain: x\n");
    let report = compile(&[SourceFile { name: "x/a.yaml".to_owned(), text }]).expect_err("a fault");
    assert_eq!(report.faults.len(), 1, "{}", report.render(false));
}

#[test]
fn a_detector_with_a_fault_is_told_once() {
    let lets = "  leak: {detector: contact_leak, by: conversation, strength: 1}\n  n: {count: leak, by: conversation, window: 1h}\n";
    let text = format!("rule: x.a\ntitle: T\non: chat.message\nentity: conversation\nlet:\n{lets}when: n > 1\nexplain: x\n");
    let report = compile(&[SourceFile { name: "x/a.yaml".to_owned(), text }]).expect_err("a fault");
    let codes: Vec<Code> = report.faults.iter().map(|fault| fault.code).collect();
    assert_eq!(codes, [Code::UnknownParameter], "{}", report.render(false));
}

/// The rule alone, and with what fires, and what counts it, moved into `shared.yaml`.
#[rstest]
#[case::what_fires(
    "  leak: {detector: contact_leak, by: [conversation, user(sender_id)]}\n",
    "  given: {distinct: leak, of: recipient_id, by: user(sender_id), window: 7d, where: data.text != params.but}\n"
)]
#[case::what_waits(
    "  leak: {absence: booking.created, after: chat.message, by: user(sender_id), match: {booking.created: {client_id: sender_id}}, window: 1h}\n",
    "  given: {count: leak, by: user(sender_id), window: 7d, where: data.text != params.but}\n"
)]
fn what_fires_may_be_shared(#[case] fires: &str, #[case] counts: &str) {
    let fires = fires.replace(", by: user(sender_id), match: {booking.created: {client_id: sender_id}}", ", match: {client_id: sender_id}");
    let rule = |lets: &str| {
        let text = format!(
            "rule: x.a\ntitle: T\non: chat.message\nentity: user(sender_id)\nparams: {{but: x}}\noverrides:\n  - {{if: data.text == \"y\", params: {{but: z}}}}\nlet:\n{lets}when: given > 2\nexplain: '{{given}}'\n"
        );
        SourceFile { name: "x/a.yaml".to_owned(), text }
    };
    let shared = |lets: &str| SourceFile { name: "shared.yaml".to_owned(), text: format!("let:\n{lets}") };
    let texts = |ruleset: &Ruleset| {
        let mut texts: Vec<String> = ruleset.bindings.iter().map(|binding| binding.canonical.clone()).collect();
        texts.sort();
        texts
    };
    let alone = good(&[rule(&format!("{fires}{counts}"))]);
    assert_eq!(alone.bindings.len(), 3, "what fires, and a count for each value");
    assert_eq!(texts(&good(&[rule(counts), shared(&fires)])), texts(&alone));
    let counted = counts.replace(", where: data.text != params.but", "");
    let (own, both) = (rule(&format!("{fires}{counted}")), shared(&format!("{fires}{counted}")));
    let plain = |file: SourceFile| SourceFile {
        text: file.text.replace("params: {but: x}\noverrides:\n  - {if: data.text == \"y\", params: {but: z}}\n", ""),
        ..file
    };
    let shared_both = good(&[plain(rule("")), both].map(|file| SourceFile { text: file.text.replace("let:\nwhen", "when"), ..file }));
    assert_eq!(texts(&shared_both), texts(&good(&[plain(own)])));
    // A name that nobody has is told as before.
    let report = compile(&[rule(&counts.replace("leak", "leek")), shared(&fires)]).expect_err("there is none");
    assert!(report.faults.iter().any(|fault| fault.code == Code::UnknownEventType), "{}", report.render(false));
}

#[test]
fn what_only_teaches_a_detector_is_not_counted() {
    // Plans of routes have no region, and the detector fires at positions alone.
    let lets = "  route: {detector: off_route, by: driver}\n  others: {distinct: route, of: entity_id, by: region, window: 30m}\n";
    let text = format!("rule: x.a\ntitle: T\non: gps.position\nentity: driver\nlet:\n{lets}when: route.fired && others > 2\nexplain: x\n");
    let ruleset = good(&[SourceFile { name: "x/a.yaml".to_owned(), text }]);
    let types = |place: usize| ruleset.bindings[place].feeds.iter().map(|feed| feed.event).collect::<Vec<_>>();
    assert_eq!(types(0), [EventType::GpsPosition, EventType::RoutePlanned]);
    assert_eq!(types(1), [EventType::GpsPosition]);
}
