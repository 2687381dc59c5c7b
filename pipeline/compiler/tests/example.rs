//! The rule of CONTRACT.md, section 2, compiles to what it says; bindings are shared; a folder loads.

use rasid_compiler::expression::{EvalError, Scope};
use rasid_compiler::ruleset::{EntityField, KeyPart, Mode, Piece, Read, Receiver, Rule, Ruleset, Severity};
use rasid_compiler::{LoadError, SourceFile, compile, is_hit, load};
use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{FieldPath, Privacy, find};
use rasid_detectors::operator::Of;
use rasid_detectors::value::{OwnedValue, Value};
use rstest::rstest;

const OTP_FLOOD: &str = r#"rule: auth.otp_flood
title: One phone is sent too many codes
description: Harassment, or someone trying to get in. Pumping is auth.otp_pumping.
severity: SEV2                  # SEV0 funds or breach · SEV1 takeover wave · SEV2 local abuse · SEV3 notice
mode: active                    # active · shadow (recorded and counted, never delivered, no score) · off
on: auth.otp_requested          # a type or a list of types
entity: phone                   # whom the alert and the score are about
params: {sends_max: 5}
let:                            # what the condition may name; equal definitions are computed once for all rules
  sends:    {count: auth.otp_requested, by: phone, window: 10m}
  verified: {count: auth.otp_verified,  by: phone, window: 10m}
when: sends > params.sends_max && verified == 0
risk: 60                        # the share of doubt one alert casts on the entity, 0..100
half_life: 6h
suppress: 1h                    # 0s: an alert on every event
deliver: [core, oncall]         # default core; oncall by default only for SEV0, SEV1
explain: "{sends} codes in 10 min, limit {params.sends_max}, none verified"
runbook: docs/runbooks/otp.md
false_positives: Call-centre test phones (list trusted_phones).
known_gaps: Slow drips under the limit (auth.otp_pumping sees those by prefix).
"#;

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile { name: name.to_owned(), text: text.to_owned() }
}

fn good(files: &[SourceFile]) -> Ruleset {
    compile(files).unwrap_or_else(|report| panic!("{}", report.render(false)))
}

fn path(event: EventType, name: &str) -> FieldPath {
    find(event.fields(), name).expect("a field").0
}

/// Bindings by their index, an event without fields but those given.
struct Values(Vec<Value<'static>>, Vec<(FieldPath, Value<'static>)>);

impl Scope for Values {
    fn field(&self, path: FieldPath) -> Value<'_> {
        self.1.iter().find(|(other, _)| *other == path).map_or(Value::Absent, |(_, value)| *value)
    }
    fn unknown(&self, _: &str) -> OwnedValue {
        OwnedValue::Absent
    }
    fn binding(&self, index: usize) -> Value<'_> {
        self.0.get(index).copied().unwrap_or(Value::Absent)
    }
    fn fired(&self, _: usize) -> Option<bool> {
        Some(true)
    }
    fn time(&self) -> i64 {
        0
    }
    fn score(&self) -> Value<'_> {
        Value::Absent
    }
    fn signal(&self, _: usize, _: usize) -> Value<'_> {
        Value::Double(300.0)
    }
}

#[test]
fn the_example_of_the_contract_compiles_to_what_it_says() {
    let ruleset = good(&[file("auth/otp_flood.yaml", OTP_FLOOD)]);
    assert!(ruleset.hash.starts_with("sha256:") && ruleset.hash.len() == 71);
    let [rule] = ruleset.rules.as_slice() else { panic!("one rule") };
    assert_eq!((rule.id.as_str(), rule.title.as_str()), ("auth.otp_flood", "One phone is sent too many codes"));
    let weight = &rule.triggers[0].programs.last().expect("its own").weight;
    assert_eq!((weight.severity, rule.mode, rule.entity), (Severity::Sev2, Mode::Active, EntityKind::Phone));
    assert_eq!((weight.risk, rule.half_life_ms, rule.suppress_ms), (60, 21_600_000, 3_600_000));

    assert_eq!(rule.runbook.as_deref(), Some("docs/runbooks/otp.md"));

    let [trigger] = rule.triggers.as_slice() else { panic!("one trigger") };
    let [program] = trigger.programs.as_slice() else { panic!("one program") };
    assert!(program.applies.is_none() && rule.tests.is_empty() && rule.source == 0);
    assert_eq!(program.weight.deliver, [Receiver::Core, Receiver::Oncall]);
    let phone = EntityField { kind: EntityKind::Phone, path: Some(path(EventType::OtpRequested, "phone")) };
    assert_eq!((trigger.event, trigger.entity), (EventType::OtpRequested, phone));
    let by_phone = vec![KeyPart::Entity(phone)];
    let read = |binding| Read { binding, key: Some(by_phone.clone()) };
    assert_eq!(trigger.reads, [read(0), read(1)]);
    let shown: Vec<&str> = program.shown.iter().map(|shown| shown.name.as_str()).collect();
    assert_eq!(shown, ["sends", "verified", "params.sends_max"]);
    let explained: String = program
        .explain
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Value(index, _) => format!("<{}>", program.shown[*index].name),
        })
        .collect();
    assert_eq!(explained, "<sends> codes in 10 min, limit <params.sends_max>, none verified");

    let [sends, verified] = ruleset.bindings.as_slice() else { panic!("two bindings") };
    assert_eq!((sends.operator.spec().name, sends.window_ms), ("count", 600_000));
    for (binding, event) in [(sends, EventType::OtpRequested), (verified, EventType::OtpVerified)] {
        assert_eq!(binding.feeds.iter().map(|feed| (feed.event, &feed.key)).collect::<Vec<_>>(), [(event, &by_phone)]);
    }

    for (sends, verified, hit) in [(5, 0, Ok(false)), (6, 0, Ok(true)), (6, 1, Ok(false))] {
        assert_eq!(is_hit(&program.when, &Values(vec![Value::Int(sends), Value::Int(verified)], vec![])), hit);
    }
    assert_eq!(is_hit(&program.when, &Values(vec![Value::Absent, Value::Int(0)], vec![])), Err(EvalError::Absent));
    assert_eq!(is_hit(&program.when, &Values(vec![Value::Absent, Value::Int(1)], vec![])), Ok(false));
}

#[test]
fn what_is_left_out_takes_its_default() {
    let text = |severity: &str| {
        format!(
            "rule: a.b\ntitle: T\n{severity}on: auth.sim_changed\nentity: phone\nwhen: data.reported_by == 'telco'\nexplain: A new card\n"
        )
    };
    let weight = |rule: &Rule| rule.triggers[0].programs[0].weight.clone();
    let rule = |severity: &str| good(&[file("a/b.yaml", &text(severity))]).rules.remove(0);
    let plain = rule("");
    assert_eq!(
        (weight(&plain).severity, plain.mode, weight(&plain).risk, plain.half_life_ms, plain.suppress_ms),
        (Severity::Sev2, Mode::Active, 0, 86_400_000, 3_600_000)
    );
    let told = |rule: &Rule| rule.triggers[0].programs[0].weight.deliver.clone();
    assert_eq!(told(&plain), [Receiver::Core]);
    assert_eq!(told(&rule("severity: SEV1\n")), [Receiver::Core, Receiver::Oncall]);
    assert_eq!(told(&rule("severity: SEV1\ndeliver: core\n")), [Receiver::Core]);
    assert_eq!(rule("suppress: 0s\nmode: off\n").suppress_ms, 0);
    let shown: Vec<&str> = plain.triggers[0].programs[0].shown.iter().map(|shown| shown.name.as_str()).collect();
    assert_eq!(shown, ["data.reported_by"]);
}

fn counting(name: &str, binding: &str, on: &str) -> SourceFile {
    file(
        &format!("{name}.yaml"),
        &format!("rule: x.{name}\ntitle: T\non: {on}\nentity: user(user_id)\nlet:\n  n: {binding}\nwhen: n > 3\nexplain: \"{{n}}\"\n"),
    )
}

#[test]
fn equal_bindings_are_one_however_they_are_written() {
    let one =
        "{count: [payment.captured, payment.failed], by: [user(user_id), device], window: 1h, where: has(data.ip) && data.amount > 5}";
    let same =
        "{where: \"has(data.ip)&&data.amount>5\", by: [device, user(user_id)], window: 60m, count: [payment.failed, payment.captured]}";
    let ruleset = good(&[counting("a", one, "payment.captured"), counting("b", same, "payment.refund_issued")]);
    assert_eq!(ruleset.bindings.len(), 1, "{:#?}", ruleset.bindings);
    let events: Vec<EventType> = ruleset.bindings[0].feeds.iter().map(|feed| feed.event).collect();
    assert_eq!(events, [EventType::PaymentCaptured, EventType::PaymentFailed]);
    for other in [
        one.replace("1h", "2h"),
        one.replace("> 5", "> 6"),
        one.replace("has(data.ip) &&", ""),
        one.replace(", device", ""),
        one.replace("user(user_id), device", "user(counterparty_id), device"),
        one.replace("payment.failed", "payment.authorized"),
        one.replace("count:", "of: amount, sum:"),
        one.replace("count:", "of: amount, distinct:"),
        one.replace("count:", "of: balance_after, distinct:"),
    ] {
        assert_eq!(good(&[counting("a", one, "payment.captured"), counting("b", &other, "payment.captured")]).bindings.len(), 2, "{other}");
    }
}

#[test]
fn a_binding_is_read_by_whatever_field_names_the_kind() {
    let logins = counting("a", "{count: auth.login_failed, by: user, window: 1h}", "auth.login_succeeded");
    let text = "rule: x.b\ntitle: T\non: gps.position\nentity: driver\nlet:\n  n: {count: auth.login_failed, by: user, window: 1h}\nwhen: n > 3\nexplain: \"{n}\"\n";
    let ruleset = good(&[logins, file("b.yaml", text)]);
    assert_eq!(ruleset.bindings.len(), 1);
    let user =
        |event: EventType, field: &str| vec![KeyPart::Entity(EntityField { kind: EntityKind::User, path: Some(path(event, field)) })];
    assert_eq!(ruleset.bindings[0].feeds[0].key, user(EventType::LoginFailed, "user_id"));
    let reads: Vec<Option<Vec<KeyPart>>> = ruleset.rules.iter().map(|rule| rule.triggers[0].reads[0].key.clone()).collect();
    assert_eq!(reads, [Some(user(EventType::LoginSucceeded, "user_id")), Some(user(EventType::GpsPosition, "entity_id"))]);
}

#[test]
fn what_two_people_have_counted_in_one_place_is_one_binding_read_twice() {
    let let_ = "{sent: {count: chat.message, by: user(sender_id), window: 1h}, theirs: {count: chat.message, match: {sender_id: recipient_id}, window: 1h}}";
    let text = format!(
        "rule: x.b\ntitle: T\non: chat.message\nentity: user(sender_id)\nlet: {let_}\nwhen: sent > theirs\nexplain: \"{{sent}} {{theirs}}\"\n"
    );
    let ruleset = good(&[file("b.yaml", &text)]);
    assert_eq!(ruleset.bindings.len(), 1);
    let user = |field: &str| vec![KeyPart::Entity(EntityField { kind: EntityKind::User, path: Some(path(EventType::ChatMessage, field)) })];
    let reads: Vec<Option<Vec<KeyPart>>> = ruleset.rules[0].triggers[0].reads.iter().map(|read| read.key.clone()).collect();
    assert_eq!(reads, [Some(user("sender_id")), Some(user("recipient_id"))]);
}

#[test]
fn a_detector_shows_its_signal() {
    let text = "rule: auth.travel\ntitle: T\non: auth.login_succeeded\nentity: user\nlet:\n  travel: {detector: impossible_travel, by: user, speed_mps_max: 300}\nwhen: travel.fired && travel.speed_mps > 250.0\nexplain: \"{travel.speed_mps} m/s, from {data.device_id}\"\n";
    let ruleset = good(&[file("auth/travel.yaml", text)]);
    let trigger = &ruleset.rules[0].triggers[0];
    let program = &trigger.programs[0];
    let shown: Vec<&str> = program.shown.iter().map(|shown| shown.name.as_str()).collect();
    let spec = rasid_detectors::operator::find("impossible_travel").expect("a detector");
    let mut expected = vec!["travel.fired".to_owned()];
    expected.extend(spec.fields().iter().map(|field| format!("travel.{}", field.name)));
    expected.push("data.device_id".to_owned());
    assert_eq!(shown, expected);
    assert_eq!(program.shown.last().map(|shown| shown.privacy), Some(Privacy::Pseudonym(EntityKind::Device)));
    assert_eq!(is_hit(&program.when, &Values(vec![], vec![])), Ok(true));
    let operator = &ruleset.bindings[0].operator;
    assert!(operator.canonical().contains("300"), "{}", operator.canonical());
    // A default that is written out is the same detector.
    let spelt = text.replace("auth.travel\n", "auth.spelt\n").replace("300}", "300, radius_factor: 1}");
    assert_eq!(good(&[file("auth/travel.yaml", text), file("auth/spelt.yaml", &spelt)]).bindings.len(), 1);
}

#[test]
fn hidden_values_are_in_no_alert_and_regions_have_no_field() {
    let text = "rule: auth.place\ntitle: T\non: auth.login_succeeded\nentity: region\nlet:\n  n: {distinct: auth.login_succeeded, of: data.user_id, by: region, window: 1h}\nwhen: n > 3 && has(data.location) && data.location.lat > 30.0 && has(data.country)\nexplain: \"{n} in {data.country}\"\n";
    let ruleset = good(&[file("auth/place.yaml", text)]);
    let trigger = &ruleset.rules[0].triggers[0];
    let program = &trigger.programs[0];
    assert_eq!(trigger.entity, EntityField { kind: EntityKind::Region, path: None });
    assert_eq!(program.shown.iter().map(|shown| shown.name.as_str()).collect::<Vec<_>>(), ["n", "data.country"]);
    assert_eq!(
        ruleset.bindings[0].feeds[0].of,
        Some(Of::Field { path: path(EventType::LoginSucceeded, "user_id"), kind: Some(EntityKind::User) })
    );
}

#[rstest]
#[case("first < data.account_created_at", Ok(true))]
#[case("data.account_created_at - first >= duration(\"1h\")", Ok(true))]
#[case("data.account_created_at - first > duration(\"1h\")", Ok(false))]
#[case("first + duration(\"1h\") == data.account_created_at", Ok(true))]
#[case("data.account_created_at > timestamp(\"1970-01-01T00:59:59.999Z\")", Ok(true))]
#[case("timestamp(\"9999-01-01T00:00:00Z\") + duration(\"87600h\") > first", Err(EvalError::Overflow))]
#[case("duration(\"1h\") - duration(\"2h\") < duration(\"0s\")", Ok(true))]
fn times_and_spans_are_computed(#[case] condition: &str, #[case] expected: Result<bool, EvalError>) {
    let text = format!(
        "rule: a.b\ntitle: T\non: payment.captured\nentity: user(user_id)\nlet:\n  first: {{last: payment.captured, of: account_created_at, by: user(user_id), window: 1h}}\nwhen: has(data.account_created_at) && ({condition})\nexplain: \"{{first}}\"\n"
    );
    let ruleset = good(&[file("a/b.yaml", &text)]);
    let created = (path(EventType::PaymentCaptured, "account_created_at"), Value::Time(3_600_000));
    assert_eq!(is_hit(&ruleset.rules[0].triggers[0].programs[0].when, &Values(vec![Value::Time(0)], vec![created])), expected);
}

#[test]
fn a_folder_loads_in_the_order_of_its_paths_and_its_hash_says_what_it_held() {
    let dir = tempfile::tempdir().expect("a folder");
    assert!(matches!(load(dir.path()), Err(LoadError::Empty { .. })));
    assert!(matches!(load(&dir.path().join("none")), Err(LoadError::Io { .. })));
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    write("auth/otp_flood.yaml", OTP_FLOOD);
    write("rule.schema.json", "{}");
    write("auth/.hidden.yaml", "not a rule");
    write("README.md", "not a rule");
    let first = load(dir.path()).expect("one rule");
    assert_eq!(first.rules.len(), 1);
    assert_eq!(first.hash, good(&[file("auth/otp_flood.yaml", OTP_FLOOD)]).hash);
    write("otp_slow.yml", &OTP_FLOOD.replace("otp_flood", "otp_slow").replace("10m", "1h"));
    let second = load(dir.path()).expect("two rules");
    assert_eq!(second.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["auth.otp_flood", "auth.otp_slow"]);
    assert_ne!(first.hash, second.hash);
    // Lists and shared bindings count, whether or not a rule names them.
    write("lists/trusted_phones.yaml", "list: trusted_phones\nkind: phone\nentries: [{value: \"+201000000001\", reason: test}]\n");
    let third = load(dir.path()).expect("two rules and a list");
    assert_ne!(second.hash, third.hash);
    write("shared.yaml", "let: {sent: {count: auth.otp_requested, by: phone, window: 1h}}\n");
    let fourth = load(dir.path()).expect("two rules and what they share");
    assert_ne!(third.hash, fourth.hash);
    assert_eq!(
        fourth.rules.iter().map(|rule| fourth.sources[rule.source].name.as_str()).collect::<Vec<_>>(),
        ["auth/otp_flood.yaml", "otp_slow.yml"]
    );
    write("auth/broken.yaml", "rule: [");
    let Err(LoadError::Faults(report)) = load(dir.path()) else { panic!("faults") };
    assert!(report.render(false).contains("auth/broken.yaml:1:"), "{}", report.render(false));
}

#[test]
fn the_shipped_rules_compile() {
    match load(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules"))) {
        Ok(ruleset) => assert!(!ruleset.rules.is_empty()),
        Err(LoadError::Faults(report)) => panic!("{}", report.render(false)),
        Err(error) => panic!("{error}"),
    }
}
