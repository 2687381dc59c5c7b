//! What a rule may have beside its condition, and what rules share: overrides, lists, shared bindings, tests.

use rasid_compiler::expression::{EvalError, Scope};
use rasid_compiler::ruleset::{Binding, Ruleset, Sides};
use rasid_compiler::{Code, Report, SourceFile, compile, is_hit};
use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::envelope::{Decoded, Limits, decode};
use rasid_detectors::event::field::{FieldPath, Privacy, find};
use rasid_detectors::event::{EventType, time::parse_rfc3339};
use rasid_detectors::value::{OwnedValue, Value};
use rstest::rstest;

const RULE: &str = r#"rule: auth.otp_flood
title: One phone is sent too many codes
on: auth.otp_requested
entity: phone
params: {sends_max: 5, purposes: [login]}
overrides:
  - {if: data.purpose == "payout", params: {sends_max: 3}}
  - {if: has(data.country) && data.country in list.loud_countries, params: {sends_max: 9, purposes: [login, signup]}}
let:
  first: {first_seen: auth.otp_requested, by: phone, window: 1d}
when: sends > params.sends_max && !(data.phone in list.trusted_phones) && (time - first < duration("12h") || data.purpose in params.purposes) && data["campaign"] != "x"
explain: "{sends} codes in 10 min, limit {params.sends_max}"
tests:
  - name: the sixth code within ten minutes
    events:
      - {at: 0s, every: 20s, times: 6, type: auth.otp_requested, data: {phone: "+201000000001", ip: 192.0.2.1, purpose: login, user_id: "u-{n}", campaign: y}}
      - {at: 1m, time: -1h, type: auth.otp_verified, data: {phone: "+201000000001", ip: 192.0.2.1, purpose: login, location: {lat: 30.0, lon: 31, accuracy_km: 5}}}
    alerts: [{at: 100s, entity: "phone:+201000000001"}]
  - {name: silence, events: [{at: 0s, type: auth.otp_requested, data: {phone: "+201000000001", ip: 192.0.2.1, purpose: login, country: null}}], alerts: []}
"#;
const SHARED: &str = "let:
  failed: {count: auth.otp_failed, by: phone, window: 10m}
  sends: {count: auth.otp_requested, by: phone, window: 10m, where: '!(data.ip in list.offices)'}
  logins: {count: auth.login_succeeded, by: user, window: 10m}
";
const PHONES: &str = "list: trusted_phones
kind: phone
description: They ask often.
entries:
  - {value: 0100 000 0042, reason: call centre}
  - {value: \"+201000000043\", reason: trial, expires: 2026-11-21}
  - {value: \"+201000000044\", reason: trial, expires: \"2026-11-21T12:00:00+02:00\"}
";

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile { name: name.to_owned(), text: text.to_owned() }
}

fn files() -> Vec<SourceFile> {
    vec![
        file("auth/otp_flood.yaml", RULE),
        file("shared.yaml", SHARED),
        file("lists/trusted_phones.yaml", PHONES),
        file("lists/offices.yaml", "list: offices\nkind: ip_prefix\nentries: [{value: 192.0.2.0/24, reason: head office}]\n"),
        file("lists/loud_countries.yml", "list: loud_countries\nentries: [{value: EG, reason: carriers are late}]\n"),
        file("lists/nobody.yaml", "list: nobody\nentries: []\n"),
    ]
}

fn good(files: &[SourceFile]) -> Ruleset {
    compile(files).unwrap_or_else(|report| panic!("{}", report.render(false)))
}

fn path(event: EventType, name: &str) -> FieldPath {
    find(event.fields(), name).expect("a field").0
}

/// An event by its fields, at a time, with bindings by their index.
#[derive(Default)]
struct Values {
    fields: Vec<(&'static str, Value<'static>)>,
    bindings: Vec<Value<'static>>,
    time: i64,
}

impl Scope for Values {
    fn field(&self, wanted: FieldPath) -> Value<'_> {
        let found = self.fields.iter().find(|(name, _)| path(EventType::OtpRequested, name) == wanted);
        found.map_or(Value::Absent, |(_, value)| *value)
    }
    fn unknown(&self, _: &str) -> OwnedValue {
        OwnedValue::Int(1)
    }
    fn binding(&self, index: usize) -> Value<'_> {
        self.bindings.get(index).copied().unwrap_or(Value::Absent)
    }
    fn fired(&self, _: usize) -> Option<bool> {
        Some(false)
    }
    fn time(&self) -> i64 {
        self.time
    }
    fn score(&self) -> Value<'_> {
        Value::Absent
    }
    fn signal(&self, _: usize, _: usize) -> Value<'_> {
        Value::Absent
    }
}

fn instant(text: &str) -> i64 {
    parse_rfc3339(text).expect("an instant")
}

#[test]
fn overrides_are_programs_before_the_rule_s_own() {
    let ruleset = good(&files());
    let trigger = &ruleset.rules[0].triggers[0];
    let [payout, loud, own] = trigger.programs.as_slice() else { panic!("three programs") };
    assert!(own.applies.is_none());
    let event = |purpose, country| Values {
        fields: vec![("purpose", Value::Str(purpose)), ("country", country), ("phone", Value::Str("+201000000001"))],
        // Own bindings first, then the shared ones that are named.
        bindings: vec![Value::Time(0), Value::Int(5)],
        time: 1_000,
    };
    for (values, applies) in [
        (event("payout", Value::Str("EG")), [true, true]),
        (event("login", Value::Str("EG")), [false, true]),
        (event("login", Value::Absent), [false, false]),
    ] {
        let found = [payout, loud].map(|program| is_hit(program.applies.as_ref().expect("an override"), &values));
        assert_eq!(found, applies.map(Ok));
    }
    let values = event("login", Value::Absent);
    assert_eq!([payout, loud, own].map(|program| is_hit(&program.when, &values)), [Ok(true), Ok(false), Ok(false)]);
    for (program, limit) in [(payout, 3), (loud, 9), (own, 5)] {
        let shown = program.shown.iter().find(|shown| shown.name == "params.sends_max").expect("shown");
        assert!(shown.value.eval(&values).expect("a constant").value() == Value::Int(limit));
        let names: Vec<&str> = program.shown.iter().map(|shown| shown.name.as_str()).collect();
        assert_eq!(names, ["first", "sends", "params.sends_max", "params.purposes", "data.phone", "data.purpose"]);
    }
}

#[test]
fn a_rule_has_the_shared_bindings_that_it_names() {
    let ruleset = good(&files());
    let counts: Vec<&str> = ruleset.bindings.iter().map(|binding| binding.operator.spec().name).collect();
    assert_eq!(counts, ["first_seen", "count"]);
    assert_eq!(ruleset.rules[0].triggers[0].reads.iter().map(|read| read.binding).collect::<Vec<_>>(), [0, 1]);
    // An equal binding of another rule's own is the same one.
    let own = RULE
        .replace("auth.otp_flood", "auth.own")
        .replace("let:\n", "let:\n  mine: {count: auth.otp_requested, by: phone, window: 600s, where: '!(data.ip in list.offices)'}\n")
        .replace("sends >", "mine >")
        .replace("{sends}", "{mine}");
    let mut both = files();
    both.push(file("auth/own.yaml", &own));
    assert_eq!(good(&both).bindings.len(), 2);
    // What a list holds is part of a binding's definition: another list, another state.
    let canonical = |files: &[SourceFile]| good(files).bindings[1].canonical.clone();
    let mut changed = files();
    changed[3].text = changed[3].text.replace("192.0.2.0", "198.51.100.0");
    assert_ne!(canonical(&files()), canonical(&changed));
    assert!(!canonical(&files()).contains("192.0.2"), "entries may be personal");
}

#[rstest]
#[case::another_spelling("+20 100 000 0042", "2030-01-01T00:00:00Z", true)]
#[case::stranger("+201000000001", "2026-01-01T00:00:00Z", false)]
#[case::before_the_date("01000000043", "2026-11-20T23:59:59.999Z", true)]
#[case::at_the_date("01000000043", "2026-11-21T00:00:00Z", false)]
#[case::before_the_instant("01000000044", "2026-11-21T09:59:59.999Z", true)]
#[case::at_the_instant("01000000044", "2026-11-21T10:00:00Z", false)]
fn an_entry_is_in_a_list_until_it_expires(#[case] phone: &'static str, #[case] time: &str, #[case] expected: bool) {
    let mut files = files();
    files[0].text =
        "rule: auth.otp_flood\ntitle: T\non: auth.otp_requested\nentity: phone\nwhen: data.phone in list.trusted_phones\nexplain: E\n"
            .to_owned();
    let ruleset = good(&files);
    let when = &ruleset.rules[0].triggers[0].programs[0].when;
    let mut values = Values { fields: vec![("phone", Value::Str(phone))], time: instant(time), ..Values::default() };
    assert_eq!(is_hit(when, &values), Ok(expected));
    values.fields.clear();
    assert_eq!(is_hit(when, &values), Err(EvalError::Absent));
    assert!(!format!("{when:?}").contains("+2010"), "a debug line shows no entry");
}

#[rstest]
#[case("time == timestamp(\"2026-11-21T10:00:00Z\")", Ok(true))]
#[case("time - duration(\"1h\") < timestamp(\"2026-11-21T09:00:00Z\")", Ok(false))]
#[case("time > timestamp(\"2026-11-21T10:00:00Z\") || data[\"n\"] in list.nobody", Err(EvalError::NoOverload))]
#[case("data.purpose in list.nobody", Ok(false))]
fn time_is_the_event_clock(#[case] condition: &str, #[case] expected: Result<bool, EvalError>) {
    let mut files = files();
    files[0].text = format!("rule: auth.otp_flood\ntitle: T\non: auth.otp_requested\nentity: phone\nwhen: '{condition}'\nexplain: E\n");
    let ruleset = good(&files);
    let values = Values { fields: vec![("purpose", Value::Str("login"))], time: instant("2026-11-21T10:00:00Z"), ..Values::default() };
    assert_eq!(is_hit(&ruleset.rules[0].triggers[0].programs[0].when, &values), expected);
}

fn bound(binding: &str) -> (Ruleset, Binding) {
    let text = format!(
        "rule: x.a\ntitle: T\non: payment.captured\nentity: user(user_id)\nlet:\n  n: {binding}\nwhen: 'n == n'\nexplain: \"{{n}}\"\n"
    );
    let ruleset = good(&[file("a.yaml", &text)]);
    let binding = ruleset.bindings.first().expect("a binding").clone();
    (ruleset, binding)
}

#[rstest]
fn the_least_the_most_and_the_mean_look_at_numbers(#[values("min", "max", "avg")] name: &str) {
    let (ruleset, binding) =
        bound(&format!("{{{name}: payment.captured, of: amount, by: user(user_id), window: 1h, where: data.amount > 3}}"));
    assert_eq!(binding.operator.spec().name, name);
    assert_eq!(binding.feeds[0].of.and_then(|of| of.path()), Some(path(EventType::PaymentCaptured, "amount")));
    assert!(binding.feeds[0].filter.is_some() && binding.feeds[0].sides == Sides::default());
    assert_eq!(ruleset.rules[0].triggers[0].programs[0].shown[0].privacy, Privacy::Clear);
}

#[test]
fn exact_places_stay_hidden_behind_an_aggregate() {
    let text = "rule: x.a\ntitle: T\non: gps.position\nentity: driver\nlet:\n  n: {max: gps.position, of: lat, by: driver, window: 1h}\nwhen: n > 3.0\nexplain: E\n";
    let ruleset = good(&[file("a.yaml", text)]);
    assert!(ruleset.rules[0].triggers[0].programs[0].shown.is_empty());
}

#[rstest]
#[case::to_themselves(
    "{ratio: payment.captured, by: user(user_id), window: 1h, where: data.amount > 3}",
    &[(EventType::PaymentCaptured, true, true, true)]
)]
#[case::to_others(
    "{ratio: payment.refund_issued, per: payment.captured, by: user(user_id), window: 1h, where: data.amount > 3}",
    &[(EventType::PaymentCaptured, false, true, false), (EventType::RefundIssued, true, false, true)]
)]
#[case::to_all(
    "{ratio: payment.failed, per: [payment.captured, payment.failed], by: user(user_id), window: 1h}",
    &[(EventType::PaymentCaptured, false, true, false), (EventType::PaymentFailed, true, true, false)]
)]
fn a_ratio_has_two_sides(#[case] text: &str, #[case] expected: &[(EventType, bool, bool, bool)]) {
    let (_, binding) = bound(text);
    let feeds: Vec<_> = binding.feeds.iter().map(|feed| (feed.event, feed.sides.above, feed.sides.below, feed.filter.is_some())).collect();
    assert_eq!(feeds, expected);
    let (_, other) = bound(&text.replace(
        "ratio: payment.failed, per: [payment.captured, payment.failed]",
        "ratio: [payment.captured, payment.failed], per: payment.failed",
    ));
    assert_eq!(other.canonical == binding.canonical, !text.contains("payment.failed"));
}

#[test]
fn a_test_is_written_out() {
    let ruleset = good(&files());
    let [flood, silence] = ruleset.rules[0].tests.as_slice() else { panic!("two tests") };
    assert_eq!((flood.name.as_str(), flood.events.len(), silence.alerts.len()), ("the sixth code within ten minutes", 7, 0));
    assert_eq!(ruleset.sources[ruleset.rules[0].source].text.get(flood.span.clone()), Some("the sixth code within ten minutes"));
    let times: Vec<i64> = flood.events.iter().map(|event| event.at_ms).collect();
    assert_eq!(times, [0, 20_000, 40_000, 60_000, 80_000, 100_000, 60_000]);
    assert!(flood.events[2].data.contains(r#""user_id":"u-2""#), "{}", flood.events[2].data);
    assert_eq!((flood.events[5].time_ms, flood.events[6].time_ms), (None, Some(-3_540_000)));
    let alert = &flood.alerts[0];
    assert_eq!((alert.at_ms, alert.entity.as_str()), (100_000, "phone:+201000000001"));
    let start = instant("2026-11-21T10:00:00Z");
    let record = flood.events[6].record(start, 6);
    let Ok(Decoded::Event(event)) = decode(record.as_bytes(), &Limits::default()) else { panic!("{record}") };
    assert_eq!((event.id.as_ref(), event.source.as_ref()), ("test-6", "/test"));
    assert_eq!((event.clock(), event.time.millis()), (start + 60_000, start - 3_540_000));
    assert!(event.data.get(path(EventType::OtpVerified, "location.lon")) == Value::Double(31.0));
    assert_eq!(ruleset.rules[0].entity, EntityKind::Phone);
}

#[test]
fn what_a_test_may_ask_for_is_bounded() {
    let events =
        "      - {at: 0s, every: 1s, times: 10000, type: auth.otp_requested, data: {phone: \"1\", ip: 192.0.2.1, purpose: login}}\n";
    let tests =
        |count: usize| (0..count).map(|n| format!("  - name: t{n}\n    alerts: []\n    events:\n{events}")).collect::<Vec<_>>().concat();
    let text =
        |count| format!("rule: x.a\ntitle: T\non: auth.otp_requested\nentity: phone\nwhen: true\nexplain: E\ntests:\n{}", tests(count));
    assert_eq!(good(&[file("a.yaml", &text(10))]).rules[0].tests.iter().map(|test| test.events.len()).sum::<usize>(), 100_000);
    let report = compile(&[file("a.yaml", &text(11))]).expect_err("too many");
    assert_eq!(report.faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [Code::OutOfRange]);
}

#[test]
fn a_failing_test_is_shown_where_it_stands() {
    let ruleset = good(&files());
    let rule = &ruleset.rules[0];
    let table = "at    sends\n0s    1\n20s   2".to_owned();
    let failures = vec![
        (rule.source, rule.tests[1].span.clone(), "an alert at 0s that is not expected".to_owned(), None),
        (rule.source, rule.tests[0].alerts[0].span.clone(), "no alert opens at 100s".to_owned(), Some(table)),
    ];
    let report = Report::of_rules(&ruleset, Code::TestFailed, failures);
    assert!(report.faults.iter().all(|fault| fault.code == Code::TestFailed));
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("a_failing_test", report.render(false));
    });
}

#[test]
fn more_bindings_than_can_be_numbered_are_told() {
    let of_file = |area: usize| {
        let names: Vec<String> = (0..600).map(|number| format!("a{number}")).collect();
        let binding = |(number, name): (usize, &String)| {
            format!("  {name}: {{count: auth.otp_requested, by: phone, window: {}s}}\n", 1 + area * 600 + number)
        };
        let bound: String = names.iter().enumerate().map(binding).collect();
        let text = format!(
            "rule: auth.r{area}\ntitle: t\non: auth.otp_requested\nentity: phone\nlet:\n{bound}when: a0 > 0\nexplain: \"{{{}}}\"\n",
            names.join("}{")
        );
        file(&format!("auth/r{area}.yaml"), &text)
    };
    let files: Vec<SourceFile> = (0..101).map(of_file).collect();
    assert_eq!(compile(&files[..100]).unwrap_or_else(|report| panic!("{}", report.render(false))).bindings.len(), 60_000);
    let report = compile(&files).expect_err("too many");
    assert_eq!(report.faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [Code::TooMuch], "{}", report.render(false));
}
