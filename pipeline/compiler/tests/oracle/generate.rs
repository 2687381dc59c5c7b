//! Conditions, typed by construction, and events to judge them over.

use proptest::prelude::*;
use proptest::sample::select;
use rasid_detectors::value::OwnedValue;

use crate::Case;

const WORDS: [&str; 12] = ["gps", "fused", "", "é", "a-b", "gpsgps", " A\u{3000}", "42", "2026", "true", "-1.5", "😀é"];

fn int() -> impl Strategy<Value = i64> {
    prop_oneof![-3_i64..10, select(vec![i64::MAX, i64::MIN + 1, 1 << 40])]
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![(-8_i32..40).prop_map(|n| f64::from(n) / 4.0), select(vec![1e300, -1e300, 9_007_199_254_740_992.0, 9.3e18, 0.0, -0.0])]
}

fn word() -> impl Strategy<Value = OwnedValue> {
    select(WORDS.to_vec()).prop_map(|word| OwnedValue::Str(word.into()))
}

fn any_value() -> impl Strategy<Value = OwnedValue> {
    prop_oneof![int().prop_map(OwnedValue::Int), double().prop_map(OwnedValue::Double), word(), any::<bool>().prop_map(OwnedValue::Bool)]
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let real = || double().prop_map(OwnedValue::Double);
    let maybe = proptest::option::of::<BoxedStrategy<OwnedValue>>;
    (
        (
            word(),
            real(),
            maybe(real().boxed()),
            maybe(any::<bool>().prop_map(OwnedValue::Bool).boxed()),
            maybe(select(vec!["gps", "network", "fused"]).prop_map(|w| OwnedValue::Str(w.into())).boxed()),
        ),
        (maybe(any_value().boxed()), maybe(any_value().boxed())),
        (0_i64..10, maybe(int().prop_map(OwnedValue::Int).boxed()), maybe(real().boxed())),
    )
        .prop_map(|((id, lat, speed, mock, provider), (x, y), (n, m, v))| Case {
            fields: vec![("entity_id", Some(id)), ("lat", Some(lat)), ("speed_mps", speed), ("mock", mock), ("provider", provider)],
            unknown: vec![("x", x), ("y", y)],
            bindings: vec![("n", Some(OwnedValue::Int(n))), ("m", m), ("v", v)],
        })
}

/// A condition's source, typed by construction.
pub(crate) fn boolean(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("has(data.speed_mps)".to_owned()),
        Just("has(data.mock) && data.mock".to_owned()),
        Just("!has(data.provider) || data.provider == params.s".to_owned()),
        Just("\"x\" in data".to_owned()),
        Just("data[\"x\"] == true".to_owned()),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let (b, i, d, s) = (move || boolean(depth - 1), move || integer(depth - 1), move || real(depth - 1), move || text(depth - 1));
    let (is, ss, at, sp) = (move || integers(depth - 1), move || texts(depth - 1), move || moment(depth - 1), move || span(depth - 1));
    let asks = || select(vec!["all", "exists", "exists_one"]);
    let order = || select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let dynamic = || prop_oneof![Just("data[\"x\"]".to_owned()), Just("data[\"y\"]".to_owned())];
    prop_oneof![
        1 => leaf,
        4 => (b(), b()).prop_map(|(a, b)| format!("({a}) && ({b})")),
        4 => (b(), b()).prop_map(|(a, b)| format!("({a}) || ({b})")),
        2 => b().prop_map(|a| format!("!({a})")),
        3 => (i(), order(), i()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        3 => (d(), order(), d()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        3 => (i(), order(), d()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        2 => (d(), order(), i()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        2 => (s(), order(), s()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        2 => (dynamic(), order(), prop_oneof![i(), d(), s(), dynamic()]).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        1 => (dynamic(), b()).prop_map(|(a, b)| format!("{a} && ({b})")),
        1 => (b(), dynamic()).prop_map(|(a, b)| format!("({a}) || {b}")),
        2 => (s(), select(vec!["startsWith", "endsWith", "contains"]), s()).prop_map(|(a, test, b)| format!("{a}.{test}({b})")),
        1 => (s(), select(vec!["^g", "[a-z]+$", "é", "p.g"])).prop_map(|(a, pattern)| format!("{a}.matches('{pattern}')")),
        2 => (i(), i(), i()).prop_map(|(a, b, c)| format!("{a} in [{b}, {c}]")),
        1 => (i(), d()).prop_map(|(a, b)| format!("{a} in [{b}]")),
        1 => s().prop_map(|a| format!("{a} in params.l")),
        1 => (dynamic(), i(), s()).prop_map(|(a, b, c)| format!("{a} in [{b}, {c}]")),
        1 => (b(), b(), b()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
        3 => (is(), asks(), order(), i()).prop_map(|(a, asks, op, b)| format!("{a}.{asks}(x, x {op} {b})")),
        2 => (is(), asks(), i(), i(), b()).prop_map(|(a, asks, b, c, d)| format!("{a}.{asks}(x, {b} / x == {c} || ({d}))")),
        2 => (is(), is(), asks(), asks(), order()).prop_map(|(a, b, one, other, op)| format!("{a}.{one}(x, {b}.{other}(y, x {op} y))")),
        2 => (ss(), asks(), s(), b()).prop_map(|(a, asks, b, c)| format!("{a}.{asks}(w, w.contains({b}) && ({c}))")),
        1 => (ss(), asks(), i()).prop_map(|(a, asks, b)| format!("{a}.{asks}(w, w.charAt({b}) == 'g')")),
        1 => (i(), is()).prop_map(|(a, b)| format!("{a} in {b}")),
        1 => (s(), ss()).prop_map(|(a, b)| format!("{a} in {b}")),
        1 => (is(), select(vec!["==", "!="]), is()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        1 => (ss(), select(vec!["==", "!="]), ss()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        2 => (at(), order(), at()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        2 => (sp(), order(), sp()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        1 => s().prop_map(|a| format!("bool({a})")),
    ]
    .boxed()
}

/// A list of whole numbers.
fn integers(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        proptest::collection::vec(int().prop_map(|n| n.to_string()), 0..4).prop_map(|parts| format!("[{}]", parts.join(", "))),
        Just("[1, n, 3]".to_owned()),
        Just("[m, 2]".to_owned()),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let (i, is, ss) = (move || integer(depth - 1), move || integers(depth - 1), move || texts(depth - 1));
    prop_oneof![
        3 => leaf,
        1 => (i(), i()).prop_map(|(a, b)| format!("[{a}, {b}]")),
        1 => (is(), i()).prop_map(|(a, b)| format!("{a}.filter(x, x > {b})")),
        1 => (is(), i()).prop_map(|(a, b)| format!("{a}.map(x, x + {b})")),
        1 => (is(), i(), i()).prop_map(|(a, b, c)| format!("{a}.map(x, x % {b} == 0, x * {c})")),
        1 => ss().prop_map(|a| format!("{a}.map(w, size(w))")),
        1 => (is(), is()).prop_map(|(a, b)| format!("({a} + {b})")),
    ]
    .boxed()
}

/// A list of texts.
fn texts(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![Just("params.l".to_owned()), Just("['gps', 'é', data.entity_id]".to_owned()), Just("['a-b']".to_owned())];
    if depth == 0 {
        return leaf.boxed();
    }
    let (s, ss, i) = (move || text(depth - 1), move || texts(depth - 1), move || integer(depth - 1));
    prop_oneof![
        3 => leaf,
        2 => (s(), s()).prop_map(|(a, b)| format!("{a}.split({b})")),
        1 => (s(), s(), i()).prop_map(|(a, b, c)| format!("{a}.split({b}, {c})")),
        1 => (ss(), s()).prop_map(|(a, b)| format!("{a}.filter(w, w != {b})")),
        1 => (ss(), s()).prop_map(|(a, b)| format!("{a}.map(w, w + {b})")),
    ]
    .boxed()
}

/// An instant.
fn moment(depth: u32) -> BoxedStrategy<String> {
    let leaf = select(vec![
        "timestamp('2026-07-01T22:30:15.250Z')",
        "timestamp('2024-02-29T23:59:59Z')",
        "timestamp('1969-12-31T23:59:59.999Z')",
        "timestamp('9999-12-31T23:59:59Z')",
        "timestamp('0001-01-01T00:00:00Z')",
        "timestamp('2023-04-28T00:00:00Z')",
    ])
    .prop_map(str::to_owned);
    if depth == 0 {
        return leaf.boxed();
    }
    let (b, i, s) = (move || boolean(depth - 1), move || integer(depth - 1), move || text(depth - 1));
    let (t, sp) = (move || moment(depth - 1), move || span(depth - 1));
    prop_oneof![
        3 => leaf,
        2 => (t(), select(vec!["+", "-"]), sp()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
        1 => (sp(), t()).prop_map(|(a, b)| format!("({a} + {b})")),
        1 => i().prop_map(|a| format!("timestamp({a})")),
        1 => s().prop_map(|a| format!("timestamp({a} + '-01-01T00:00:00Z')")),
        1 => (b(), t(), t()).prop_map(|(a, b, c)| format!("(({a}) ? {b} : {c})")),
    ]
    .boxed()
}

/// A span of time.
fn span(depth: u32) -> BoxedStrategy<String> {
    let leaf = select(vec!["1h", "-90m", "1.5s", "250ms", "0s", "2000000h", "-1ms"]).prop_map(|span| format!("duration('{span}')"));
    if depth == 0 {
        return leaf.boxed();
    }
    let (t, sp) = (move || moment(depth - 1), move || span(depth - 1));
    prop_oneof![
        3 => leaf,
        2 => (sp(), select(vec!["+", "-"]), sp()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
        2 => (t(), t()).prop_map(|(a, b)| format!("({a} - {b})")),
    ]
    .boxed()
}

/// A part of a timestamp, in a zone or without.
fn part() -> impl Strategy<Value = String> {
    let names = vec![
        "getFullYear",
        "getMonth",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getHours",
        "getMinutes",
        "getSeconds",
        "getMilliseconds",
    ];
    let zones = vec!["", "'Africa/Cairo'", "'Asia/Tashkent'", "'America/St_Johns'", "'+05:45'", "'-09:30'", "'UTC'"];
    (select(names), select(zones)).prop_map(|(name, zone)| format!("{name}({zone})"))
}

fn integer(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![int().prop_map(|n| n.to_string()), Just("n".to_owned()), Just("m".to_owned()), Just("params.i".to_owned())];
    if depth == 0 {
        return leaf.boxed();
    }
    let (b, i, s) = (move || boolean(depth - 1), move || integer(depth - 1), move || text(depth - 1));
    prop_oneof![
        2 => leaf,
        3 => (i(), select(vec!["+", "-", "*", "/", "%"]), i()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
        1 => i().prop_map(|a| format!("-({a})")),
        1 => s().prop_map(|a| format!("size({a})")),
        1 => integers(depth - 1).prop_map(|a| format!("size({a})")),
        1 => (integers(depth - 1), i()).prop_map(|(a, b)| format!("{a}[{b}]")),
        1 => real(depth - 1).prop_map(|a| format!("int({a})")),
        1 => s().prop_map(|a| format!("int({a})")),
        1 => (s(), select(vec!["indexOf", "lastIndexOf"]), s()).prop_map(|(a, name, b)| format!("{a}.{name}({b})")),
        1 => (s(), select(vec!["indexOf", "lastIndexOf"]), s(), i()).prop_map(|(a, name, b, c)| format!("{a}.{name}({b}, {c})")),
        2 => (moment(depth - 1), part()).prop_map(|(a, part)| format!("{a}.{part}")),
        1 => (span(depth - 1), select(vec!["getHours", "getMinutes", "getSeconds"])).prop_map(|(a, part)| format!("{a}.{part}()")),
        1 => moment(depth - 1).prop_map(|a| format!("int({a})")),
        1 => (b(), i(), i()).prop_map(|(a, b, c)| format!("(({a}) ? {b} : {c})")),
    ]
    .boxed()
}

fn real(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        double().prop_map(|n| format!("{n:?}")),
        Just("data.lat".to_owned()),
        Just("v".to_owned()),
        Just("params.d".to_owned()),
        Just("(has(data.speed_mps) ? data.speed_mps : 1.5)".to_owned()),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let (b, d) = (move || boolean(depth - 1), move || real(depth - 1));
    prop_oneof![
        2 => leaf,
        3 => (d(), select(vec!["+", "-", "*", "/"]), d()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
        1 => d().prop_map(|a| format!("-({a})")),
        1 => integer(depth - 1).prop_map(|a| format!("double({a})")),
        1 => text(depth - 1).prop_map(|a| format!("double({a})")),
        1 => (b(), d(), d()).prop_map(|(a, b, c)| format!("(({a}) ? {b} : {c})")),
    ]
    .boxed()
}

fn text(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        select(WORDS.to_vec()).prop_map(|word| format!("'{word}'")),
        Just("data.entity_id".to_owned()),
        Just("params.s".to_owned())
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let (i, s, ss) = (move || integer(depth - 1), move || text(depth - 1), move || texts(depth - 1));
    prop_oneof![
        6 => leaf,
        1 => (boolean(depth - 1), s(), s()).prop_map(|(a, b, c)| format!("(({a}) ? {b} : {c})")),
        2 => (s(), s()).prop_map(|(a, b)| format!("({a} + {b})")),
        1 => (s(), select(vec!["lowerAscii", "upperAscii", "trim", "reverse"])).prop_map(|(a, name)| format!("{a}.{name}()")),
        1 => (s(), i()).prop_map(|(a, b)| format!("{a}.charAt({b})")),
        1 => (s(), i()).prop_map(|(a, b)| format!("{a}.substring({b})")),
        1 => (s(), i(), i()).prop_map(|(a, b, c)| format!("{a}.substring({b}, {c})")),
        1 => (s(), s(), s()).prop_map(|(a, b, c)| format!("{a}.replace({b}, {c})")),
        1 => (s(), s(), s(), i()).prop_map(|(a, b, c, d)| format!("{a}.replace({b}, {c}, {d})")),
        1 => (ss(), s()).prop_map(|(a, b)| format!("{a}.join({b})")),
        1 => (ss(), i()).prop_map(|(a, b)| format!("{a}[{b}]")),
        1 => i().prop_map(|a| format!("string({a})")),
        1 => boolean(depth - 1).prop_map(|a| format!("string({a})")),
        1 => moment(depth - 1).prop_map(|a| format!("string({a})")),
        1 => span(depth - 1).prop_map(|a| format!("string({a})")),
    ]
    .boxed()
}
