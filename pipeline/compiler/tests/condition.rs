//! Which conditions are taken, and what is said of the others.

use rasid_compiler::{Code, SourceFile, compile};
use rstest::rstest;

/// The codes of a condition's faults.
fn codes(on: &str, condition: &str) -> Vec<Code> {
    let entity = match on {
        "ledger.posted" => "booking",
        "gps.route_planned" | "gps.position" => "driver",
        on if on.contains("chat") => "conversation",
        _ => "user(user_id)",
    };
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
#[case("'a' + data.user_id == 'ab' && data[\"new\"] + 'b' == 'c'")]
#[case("params.l == params.l && params.l[0] == 'card' && size(params.l) == 2")]
#[case("params.l.exists(m, m == data.method) && !(data.method in params.l.map(m, m + 's'))")]
#[case("[1, 2].filter(x, x > n).all(y, y > 1) && [1, 'a'][0] == 1")]
#[case("data.user_id.split('_')[1] in ['7', '8'] && 'x' in data.user_id.split('')")]
#[case("int('5') + int(2.5) > n && double(n) > 0.5 && string(n) == '5' && bool('true')")]
#[case("time.getHours('Africa/Cairo') < 5 || time.getDayOfWeek('+02:00') == 5 || time.getMonth() == 0")]
#[case("data[\"zone\"] == 'x' || time.getHours(data.user_id) == 3")]
#[case("has(data.account_created_at) && (time - data.account_created_at).getHours() < 24")]
#[case("timestamp(data[\"at\"]) < time && time - timestamp(data.user_id) < duration(params.t)")]
#[case("\"vip\" in data[\"tags\"] || data[\"tags\"].exists(t, t.startsWith('v')) || size(data[\"tags\"]) > 2")]
#[case("data[\"tags\"][0] == 'a' || data[\"tags\"].map(t, size(t)).exists(l, l > 3)")]
#[case("data.user_id.trim().lowerAscii().replace('-', '').substring(0, 2) == 'u_'")]
#[case("distance_m([30.0, 31.0], [30.0, 32.0]) > 1000.0")]
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
#[case("5.0 % 2.0 == 1.0", Code::TypeMismatch)]
#[case("'a' + 1 == 'a1'", Code::TypeMismatch)]
#[case("[1] + 1 == [1]", Code::TypeMismatch)]
#[case("[1] == ['a', true][0]", Code::TypeMismatch)]
#[case("[1] < [2]", Code::TypeMismatch)]
#[case("time.getHours('Cairo') == 3", Code::TypeMismatch)]
#[case("time.getHours('+25:00') == 3", Code::TypeMismatch)]
#[case("time.getHours(5) == 3", Code::TypeMismatch)]
#[case("duration('1h').getMonth() == 3", Code::TypeMismatch)]
#[case("duration('1h').getHours('UTC') == 3", Code::TypeMismatch)]
#[case("data[\"at\"].getHours() == 3", Code::TypeMismatch)]
#[case("int(true) == 1 || int(duration('1s')) == 1", Code::TypeMismatch)]
#[case("double(time) > 1.0 || bool(1)", Code::TypeMismatch)]
#[case("timestamp(2.5) < time || duration(5) < duration('1s')", Code::TypeMismatch)]
#[case("timestamp('0000-01-01T00:00:00Z') < time", Code::TypeMismatch)]
#[case("timestamp('2026-11-21 10:00:00Z') < time", Code::TypeMismatch)]
#[case("data.amount[0] == 1", Code::TypeMismatch)]
#[case("data.amount.all(x, x > 0)", Code::TypeMismatch)]
#[case("[1].all(x, x)", Code::TypeMismatch)]
#[case("[1].map(x, x + 'a') == ['1a']", Code::TypeMismatch)]
#[case("[1][true] == 1", Code::TypeMismatch)]
#[case("[1, 2].join('-') == '1-2'", Code::TypeMismatch)]
#[case("data.user_id.substring('a') == 'b'", Code::TypeMismatch)]
#[case("distance_m(data.amount, [30.0, 31.0]) > 5.0", Code::TypeMismatch)]
#[case("distance_m([30, 31], [30.0, 31.0]) > 5.0", Code::TypeMismatch)]
#[case("[1].exists(x, y > 0)", Code::UnknownName)]
#[case("[1].exists(x, x > 0) && x > 1", Code::UnknownName)]
#[case("[1].exists(data, data > 0)", Code::NotInSubset)]
#[case("[[1]] == [[1]]", Code::NotInSubset)]
#[case("[1].map(x, [x]) == [[1]]", Code::NotInSubset)]
#[case("[1].exists(i, v, v > 0)", Code::NotInSubset)]
#[case("'%d'.format([1]) == '1'", Code::NotInSubset)]
#[case("type(1) == type(2)", Code::NotInSubset)]
#[case("cel.bind(x, 1, x > 0)", Code::NotInSubset)]
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
#[case("n == 5u", Code::NotInSubset)]
#[case("data.user_id == b'x'", Code::NotInSubset)]
#[case("data.user_id == null", Code::NotInSubset)]
#[case("{'a': 1}.a == 1", Code::NotInSubset)]
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

/// Lists of the event: their elements by index and in loops, their fields by name.
#[test]
fn lists_of_events_are_reached() {
    let posted = |condition: &str| codes("ledger.posted", condition);
    assert_eq!(posted("data.lines.all(l, l.amount != 0) && data.lines[0].account != data.lines[1].account"), []);
    assert_eq!(posted("data.lines.filter(l, l.amount < 0).map(l, l.amount).exists(a, a < -100) && size(data.lines) > 2"), []);
    assert_eq!(
        posted("data.lines.exists(l, has(l.currency) && l.currency == 'EGP') && data.lines.filter(l, l.amount > 0)[0].amount > 5"),
        []
    );
    assert_eq!(posted("data.lines.all(a, data.lines.exists(b, a.amount == -b.amount))"), []);
    assert_eq!(posted("data.lines.exists(l, l.amuont > 5)"), [Code::UnknownField]);
    assert_eq!(posted("data.lines.exists(l, l == 5)"), [Code::TypeMismatch]);
    assert_eq!(posted("data.lines.exists(l, l.amount == 'x')"), [Code::TypeMismatch]);
    assert_eq!(posted("data.lines.map(l, l) == []"), [Code::NotInSubset]);
    assert_eq!(posted("data.lines == data.lines"), [Code::TypeMismatch]);
    assert_eq!(posted("5 in data.lines"), [Code::TypeMismatch]);
    assert_eq!(posted("data.lines.account == 'x'"), [Code::UnknownField]);
    let planned = |condition: &str| codes("gps.route_planned", condition);
    assert_eq!(planned("data.points.all(p, p[0] > 22.0 && p[1] > 25.0) && distance_m(data.points[0], data.points[1]) > 5.0"), []);
    assert_eq!(planned("data.points[0][2] > 5.0"), [Code::NotInSubset]);
    assert_eq!(planned("data.points[0].lat > 5.0"), [Code::TypeMismatch]);
}

/// Places are compared by their distance; one that may be absent is asked for first.
#[test]
fn places_have_a_distance() {
    let login = |condition: &str| codes("auth.login_succeeded", condition);
    assert_eq!(login("has(data.location) && distance_m(data.location, [30.04, 31.24]) > 5000.0"), []);
    assert_eq!(login("distance_m(data.location, [30.04, 31.24]) > 5000.0"), [Code::MayBeAbsent]);
    assert_eq!(codes("gps.position", "distance_m(data, [30.04, 31.24]) > 5000.0"), []);
    assert_eq!(login("distance_m(data, [30.04, 31.24]) > 5000.0"), [Code::NotInSubset]);
}

#[test]
fn text_is_matched_freely_but_objects_are_not_values() {
    assert_eq!(codes("chat.message", "data.text.contains('whatsapp') && data.text.matches('01[0-9]{9}')"), []);
    assert_eq!(codes("auth.login_succeeded", "has(data.location) && data.location == 'x'"), [Code::TypeMismatch]);
    assert_eq!(codes("auth.login_succeeded", "has(data.location.accuracy_km)"), [Code::MayBeAbsent]);
    assert_eq!(codes("auth.login_succeeded", "has(data.location) && has(data.location.source) && data.location.source == 'geoip'"), []);
}
