//! Which conditions are taken, and what is said of the others.

use rasid_compiler::{Code, SourceFile, compile};
use rstest::rstest;

/// The codes of a condition's faults.
fn codes(on: &str, condition: &str) -> Vec<Code> {
    let entity = if on.contains("chat") { "conversation" } else { "user(user_id)" };
    let quoted = condition.replace('\'', "''");
    let text = format!(
        "rule: a.b\ntitle: T\non: {on}\nentity: {entity}\nparams: {{i: 5, s: \"01[0-9]+\", l: [card, bank], t: 10m}}\nlet:\n  n: {{count: {on}, by: {entity}, window: 1h}}\nwhen: '{quoted}'\nexplain: \"{{n}} {{params.i}} {{params.s}} {{params.l}} {{params.t}}\"\n"
    );
    match compile(&[SourceFile { name: "a/b.yaml".to_owned(), text }]) {
        Ok(_) => Vec::new(),
        Err(report) => report.faults.into_iter().map(|fault| fault.code).collect(),
    }
}

#[rstest]
#[case("has(data.reason) && data.reason == 'x'")]
#[case("has(data.reason) && n > 3 && data.reason == 'x'")]
#[case("n > 3 && (has(data.reason) && n < 9) && data.reason == 'x'")]
#[case("!has(data.reason) || data.reason == 'x'")]
#[case("!(!has(data.reason) || n > 3) && data.reason == 'x'")]
#[case("has(data.reason) ? data.reason == 'x' : n > 3")]
#[case("!has(data.reason) ? n > 3 : data.reason == 'x'")]
#[case("(has(data.reason) && n > 3 || has(data.reason) && n < 1) && data.reason == 'x'")]
#[case("has(data.amount)")]
#[case("data.amount > 5 && 5 < data.amount && data.amount > 5.5")]
#[case("data.method in params.l")]
#[case("data.method in [\"card\", \"cash\"]")]
#[case("data.user_id.matches(params.s) || matches(data.user_id, \"a\")")]
#[case("duration(params.t) > duration(\"5m\")")]
#[case("size(data.user_id) > 3 && data.user_id.size() < 9")]
#[case("data[\"new\"] > 3 || data[\"new\"] == \"x\" || \"new\" in data")]
#[case("data[\"new\"] + 1 > 3")]
#[case("data[\"new\"]  && n > 3")]
#[case("data.currency < \"USD\"")]
#[case("(n > 3 ? data.amount : 7) % 2 == 1")]
#[case("-data.amount < -5 && -1.5 < 2.0")]
#[case("true")]
fn these_are_taken(#[case] condition: &str) {
    assert_eq!(codes("payment.captured", condition), []);
}

#[rstest]
#[case("data.reason == 'x'", Code::MayBeAbsent)]
#[case("data.reason == 'x' && has(data.reason)", Code::MayBeAbsent)]
#[case("has(data.reason) || data.reason == 'x'", Code::MayBeAbsent)]
#[case("has(data.ip) && data.reason == 'x'", Code::MayBeAbsent)]
#[case("has(data.reason) ? n > 3 : data.reason == 'x'", Code::MayBeAbsent)]
#[case("(has(data.reason) || n > 3) && data.reason == 'x'", Code::MayBeAbsent)]
#[case("!(has(data.reason) && n > 3) && data.reason == 'x'", Code::MayBeAbsent)]
#[case("data.amount", Code::TypeMismatch)]
#[case("data[\"new\"]", Code::TypeMismatch)]
#[case("n && true", Code::TypeMismatch)]
#[case("!n", Code::TypeMismatch)]
#[case("n > 'x'", Code::TypeMismatch)]
#[case("n + 1.0 > 2.0", Code::TypeMismatch)]
#[case("'a' + 'b' == 'ab'", Code::TypeMismatch)]
#[case("5.0 % 2.0 == 1.0", Code::TypeMismatch)]
#[case("-data.user_id == 'x'", Code::TypeMismatch)]
#[case("(n > 3 ? 1 : 1.0) > 0.5", Code::TypeMismatch)]
#[case("n in ['a']", Code::TypeMismatch)]
#[case("n in params.i", Code::TypeMismatch)]
#[case("size(n) > 3", Code::TypeMismatch)]
#[case("data.user_id.contains(5)", Code::TypeMismatch)]
#[case("data.user_id.startsWith('a', 'b')", Code::TypeMismatch)]
#[case("timestamp('today') > timestamp('2026-11-21T10:00:00Z')", Code::TypeMismatch)]
#[case("duration('10 m') > duration('1m')", Code::BadDuration)]
#[case("data.method == 'credit'", Code::NeverThatWord)]
#[case("'credit' != data.method", Code::NeverThatWord)]
#[case("data.method == params.t", Code::NeverThatWord)]
#[case("data.user_id.matches('(')", Code::BadPattern)]
#[case("data.user_id.matches(data.currency)", Code::BadPattern)]
#[case("data.user_id.matches('(a{1000}){1000}')", Code::BadPattern)]
#[case("data.location.lat > 3.0", Code::UnknownField)]
#[case("has(data.nothing)", Code::UnknownField)]
#[case("data.amount.minor > 3", Code::UnknownField)]
#[case("n.fired", Code::UnknownField)]
#[case("nothing > 3", Code::UnknownName)]
#[case("nothing.fired", Code::UnknownName)]
#[case("params.nothing > 3", Code::UnknownParameter)]
#[case("data[\"amount\"] > 3", Code::NotInSubset)]
#[case("'amount' in data", Code::NotInSubset)]
#[case("data[data.user_id] > 3", Code::NotInSubset)]
#[case("params.l == params.l", Code::NotInSubset)]
#[case("n == 5u", Code::NotInSubset)]
#[case("data.user_id == b'x'", Code::NotInSubset)]
#[case("data.user_id == null", Code::NotInSubset)]
#[case("{'a': 1}.a == 1", Code::NotInSubset)]
#[case("[1][0] == 1", Code::NotInSubset)]
#[case("[1].all(x, x > 0)", Code::NotInSubset)]
#[case("int('5') > 3", Code::NotInSubset)]
#[case("data == data", Code::NotInSubset)]
#[case("has(params.i)", Code::NotInSubset)]
#[case("Msg{a: 1} == Msg{a: 1}", Code::NotInSubset)]
#[case("n > ", Code::BadExpression)]
#[case("n > 3 n", Code::BadExpression)]
#[case("has(n)", Code::BadExpression)]
#[case("data?.amount > 3", Code::BadExpression)]
fn these_are_not(#[case] condition: &str, #[case] code: Code) {
    let codes = codes("payment.captured", condition);
    assert!(!codes.is_empty() && codes.iter().all(|found| *found == code), "{condition}: {codes:?}");
}

#[rstest]
#[case::pluses(&format!("{} > 3", vec!["1"; 2000].join("+")))]
#[case::brackets(&format!("{}n > 3{}", "(".repeat(2000), ")".repeat(2000)))]
#[case::nots(&format!("{}(n > 3)", "!".repeat(4000)))]
#[case::minuses(&format!("n > {}5", "-".repeat(4000)))]
#[case::dots(&format!("data{} > 3", ".a".repeat(2000)))]
#[case::lists(&format!("1 in {}1{}", "[".repeat(2000), "]".repeat(2000)))]
#[case::ternaries(&format!("{}true", "true?true:".repeat(400)))]
#[case::comparisons(&format!("true{}", "==true".repeat(600)))]
#[case::calls(&"size(".repeat(800))]
#[case::members(&format!("true{}", " in true".repeat(500)))]
#[case::long(&format!("data.user_id == '{}'", "x".repeat(5000)))]
fn what_would_exhaust_the_stack_is_refused(#[case] condition: &str) {
    assert!(codes("payment.captured", condition).contains(&Code::BadExpression));
}

#[test]
fn a_long_chain_of_conditions_is_no_deep_one() {
    assert_eq!(codes("payment.captured", &vec!["n != 3"; 200].join(" && ")), []);
}

#[test]
fn text_is_matched_freely_but_objects_are_not_values() {
    assert_eq!(codes("chat.message", "data.text.contains('whatsapp') && data.text.matches('01[0-9]{9}')"), []);
    assert_eq!(codes("auth.login_succeeded", "has(data.location) && data.location == 'x'"), [Code::TypeMismatch]);
    assert_eq!(codes("auth.login_succeeded", "has(data.location.accuracy_km)"), [Code::MayBeAbsent]);
    assert_eq!(codes("auth.login_succeeded", "has(data.location) && has(data.location.source) && data.location.source == 'geoip'"), []);
}
