//! What is said of bindings with one state for all keys that is read under one, and near a list.

use rasid_compiler::{Code, SourceFile, compile};
use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use rstest::rstest;

const LISTS: [(&str, &str); 4] = [
    ("banned", "kind: user\nentries: [{value: u_1, reason: r}, {value: u_2, reason: r, expires: 2026-12-01}]"),
    ("phones", "kind: phone\nentries: [{value: 0100 000 0042, reason: r}]"),
    ("networks", "kind: ip\nentries: [{value: 192.0.2.0/30, reason: r}]"),
    ("wide", "kind: ip\nentries: [{value: 10.0.0.0/8, reason: r}]"),
];

fn files(on: &str, binding: &str) -> Vec<SourceFile> {
    let entity = if on.contains("booking") { "user(client_id)" } else { "user(user_id)" };
    let rule = format!(
        "rule: x.a\ntitle: T\non: {on}\nentity: {entity}\nlet:\n  ring: {{{binding}}}\nwhen: ring > 4 && ring.distance <= 2\nexplain: '{{ring.accounts}} {{ring.inside:%}}'\n"
    );
    let lists = LISTS.map(|(name, text)| SourceFile { name: format!("lists/{name}.yaml"), text: format!("list: {name}\n{text}\n") });
    std::iter::once(SourceFile { name: "x/a.yaml".to_owned(), text: rule }).chain(lists).collect()
}

/// Whoever is named by what feeds it, it is read under the key of the rule's own event.
#[test]
fn it_is_fed_by_all_and_read_under_one() {
    let binding =
        "component: [auth.login_succeeded, payment.captured, booking.created], by: user(client_id), window: 30d, near: list.banned";
    let ruleset = compile(&files("booking.created", binding)).unwrap_or_else(|report| panic!("{}", report.render(false)));
    let [ring] = ruleset.bindings.as_slice() else { panic!("one binding") };
    assert!(ring.feeds.len() == 3 && ring.feeds.iter().all(|feed| feed.key.is_empty()));
    let trigger = &ruleset.rules[0].triggers[0];
    assert!(trigger.event == EventType::BookingCreated && trigger.reads[0].key.as_ref().is_some_and(|key| key.len() == 1));
    assert_eq!(ring.operator.kinds(), [EntityKind::User, EntityKind::Device, EntityKind::Instrument, EntityKind::Phone]);
    assert!(ring.canonical.ends_with(" near=banned") && ring.near.as_ref().is_some_and(|list| list.name == "banned"));
}

/// What a list holds is no part of what the binding is; what links is, however it is written.
#[test]
fn bindings_that_link_by_the_same_are_one() {
    let canonical = |binding: &str| {
        let ruleset = compile(&files("payment.captured", binding)).unwrap_or_else(|report| panic!("{}", report.render(false)));
        ruleset.bindings[0].canonical.clone()
    };
    let of = |rest: &str| canonical(&format!("component: payment.captured, by: user(user_id), window: 1h{rest}"));
    assert_eq!(of(", links: [phone, device, instrument]"), of(""));
    assert_eq!(of(", links: [device, instrument, device, phone], degree_max: 50"), of(""));
    for other in [", links: [device]", ", where: data.amount > 3", ", degree_max: 40", ", near: list.banned", ", near: banned"] {
        assert_ne!(of(other), of(""), "{other}");
    }
    assert_eq!(of(", near: list.banned"), of(", near: banned"));
}

#[rstest]
#[case::user("user", "banned", &["u_1", "u_2"])]
#[case::phone("phone", "phones", &["+201000000042"])]
#[case::ip("ip", "networks", &["192.0.2.0", "192.0.2.1", "192.0.2.2", "192.0.2.3"])]
fn a_list_tells_its_entries(#[case] kind: &str, #[case] name: &str, #[case] expected: &[&str]) {
    let links = if kind == "user" { String::new() } else { format!(", links: [{kind}]") };
    let binding = format!("component: payment.captured, by: user(user_id), window: 1h, near: list.{name}{links}");
    let ruleset = compile(&files("payment.captured", &binding)).unwrap_or_else(|report| panic!("{}", report.render(false)));
    let (mut found, mut ended) = (Vec::new(), 0);
    ruleset.bindings[0].near.as_ref().expect("it names one").each(|value, ends_ms| {
        found.push(value.to_owned());
        ended += usize::from(ends_ms < i64::MAX);
    });
    found.sort_unstable();
    assert_eq!(
        (found.as_slice(), ended),
        (expected.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>().as_slice(), usize::from(kind == "user"))
    );
}

#[rstest]
#[case::no_key("component: payment.captured, window: 1h", Code::MissingKey, "lacks `by`")]
#[case::matched(
    "component: payment.captured, match: {user_id: counterparty_id}, by: user(user_id), window: 1h",
    Code::UnknownKey,
    "`match`"
)]
#[case::of_a_field("component: payment.captured, by: user(user_id), window: 1h, of: amount", Code::BadOf, "said by `links`")]
#[case::a_kind_that_links_nothing(
    "component: payment.captured, by: user(user_id), window: 1h, links: [car]",
    Code::WrongType,
    "`device`, `instrument`, `phone`, `ip`"
)]
#[case::nothing_that_links("component: payment.captured, by: user(user_id), window: 1h, links: []", Code::WrongType, "nothing that links")]
#[case::one_word("component: payment.captured, by: user(user_id), window: 1h, links: device", Code::WrongType, "a sequence")]
#[case::under_what_is_no_node(
    "component: payment.captured, by: payment(payment_id), window: 1h",
    Code::BadBinding,
    "`user`, `device`, `instrument`, `phone`"
)]
#[case::under_what_is_not_linked(
    "component: payment.captured, by: device, window: 1h, links: [instrument]",
    Code::BadBinding,
    "those are `user`, `instrument`"
)]
#[case::under_two("component: payment.captured, by: [device, user(user_id)], window: 1h", Code::BadBinding, "under one key")]
#[case::under_whom("component: payment.captured, by: user, window: 1h", Code::AmbiguousKind, "user(counterparty_id)")]
#[case::too_short("component: payment.captured, by: user(user_id), window: 59m", Code::OutOfRange, "1h to 90d")]
#[case::too_few("component: payment.captured, by: user(user_id), window: 1h, degree_max: 1", Code::OutOfRange, "2 to 10000")]
#[case::near_no_list("component: payment.captured, by: user(user_id), window: 1h, near: list.baned", Code::UnknownList, "`banned`")]
#[case::near_what_is_not_linked(
    "component: payment.captured, by: user(user_id), window: 1h, near: list.networks",
    Code::WrongList,
    "`user`, `device`"
)]
#[case::near_half_the_world(
    "component: payment.captured, by: user(user_id), window: 1h, links: [ip], near: list.wide",
    Code::TooMuch,
    "smaller networks"
)]
#[case::offset("component: payment.captured, by: user(user_id), window: 1h, offset: 1h", Code::UnknownKey, "`offset`")]
#[case::alerts("component: rasid.alert, by: user(user_id), window: 1h", Code::AlertsApart, "takes no alerts")]
#[case::near_of_a_count("count: payment.captured, by: user(user_id), window: 1h, near: list.banned", Code::UnknownKey, "`near`")]
#[case::a_number("component: 5, by: user(user_id), window: 1h", Code::WrongType, "`{component: auth.otp_verified, by: ")]
fn what_is_wrong_is_said(#[case] binding: &str, #[case] code: Code, #[case] said: &str) {
    let report = compile(&files("payment.captured", binding)).expect_err("it is wrong");
    let shown = report.render(false);
    assert!(report.faults.iter().any(|fault| fault.code == code) && shown.contains(said), "{shown}");
}
