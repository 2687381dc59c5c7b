//! The subset behaves as CEL does: generated conditions over generated events give the answer of crate `cel`'s
//! interpreter, value or error. One difference is meant: that interpreter compares an int with a double after rounding
//! the int, so the generators make no int that a double cannot hold beside one that is equal to its rounding.

use std::collections::HashMap;
use std::sync::Arc;

use cel::objects::{Key, Value as CelValue};
use cel::{Context, Program};
use proptest::prelude::*;
use proptest::sample::select;
use rasid_compiler::expression::Scope;
use rasid_compiler::{SourceFile, compile, is_hit};
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{FieldPath, find};
use rasid_detectors::value::{OwnedValue, Value};

/// An event, what lies outside its vocabulary, and the bindings.
#[derive(Clone, Debug)]
struct Case {
    fields: Vec<(&'static str, Option<OwnedValue>)>,
    unknown: Vec<(&'static str, Option<OwnedValue>)>,
    bindings: Vec<(&'static str, Option<OwnedValue>)>,
}

struct Event {
    fields: HashMap<FieldPath, OwnedValue>,
    unknown: HashMap<&'static str, OwnedValue>,
    bindings: Vec<OwnedValue>,
}

impl Scope for Event {
    fn field(&self, path: FieldPath) -> Value<'_> {
        self.fields.get(&path).map_or(Value::Absent, OwnedValue::borrow)
    }

    fn unknown(&self, name: &str) -> OwnedValue {
        self.unknown.get(name).cloned().unwrap_or_default()
    }

    fn binding(&self, index: usize) -> Value<'_> {
        self.bindings.get(index).map_or(Value::Absent, OwnedValue::borrow)
    }

    fn fired(&self, _: usize) -> bool {
        false
    }

    fn time(&self) -> i64 {
        0
    }
    fn signal(&self, _: usize, _: usize) -> Value<'_> {
        Value::Absent
    }
}

impl Case {
    fn ours(&self) -> Event {
        let path = |name: &str| find(EventType::GpsPosition.fields(), name).expect("a field").0;
        Event {
            fields: self.fields.iter().filter_map(|(name, value)| Some((path(name), value.clone()?))).collect(),
            unknown: self.unknown.iter().filter_map(|(name, value)| Some((*name, value.clone()?))).collect(),
            bindings: self.bindings.iter().map(|(_, value)| value.clone().unwrap_or_default()).collect(),
        }
    }

    fn theirs(&self) -> Context<'static, 'static> {
        let mut context = Context::default();
        let data: HashMap<Key, CelValue> = self
            .fields
            .iter()
            .chain(&self.unknown)
            .filter_map(|(name, value)| Some((Key::from(*name), foreign(value.as_ref()?))))
            .collect();
        context.add_variable_from_value("data", CelValue::Map(data.into()));
        let params: HashMap<Key, CelValue> = HashMap::from([
            (Key::from("i"), CelValue::Int(5)),
            (Key::from("d"), CelValue::Float(2.5)),
            (Key::from("s"), CelValue::from("gps")),
            (Key::from("l"), CelValue::List(Arc::new(vec![CelValue::from("gps"), CelValue::from("é")]))),
        ]);
        context.add_variable_from_value("params", CelValue::Map(params.into()));
        for (name, value) in &self.bindings {
            if let Some(value) = value {
                context.add_variable_from_value(*name, foreign(value));
            }
        }
        context
    }
}

fn foreign(value: &OwnedValue) -> CelValue {
    match value {
        OwnedValue::Bool(value) => CelValue::Bool(*value),
        OwnedValue::Int(value) => CelValue::Int(*value),
        OwnedValue::Double(value) => CelValue::Float(*value),
        OwnedValue::Str(value) => CelValue::from(value.as_ref()),
        _ => unreachable!("the generators make nothing else"),
    }
}

const WORDS: [&str; 6] = ["gps", "fused", "", "é", "a-b", "gpsgps"];

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

fn case() -> impl Strategy<Value = Case> {
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
fn boolean(depth: u32) -> BoxedStrategy<String> {
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
    ]
    .boxed()
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
    prop_oneof![3 => leaf, 1 => (boolean(depth - 1), text(depth - 1), text(depth - 1)).prop_map(|(a, b, c)| format!("(({a}) ? {b} : {c})"))]
        .boxed()
}

fn rule(condition: &str) -> SourceFile {
    let text = format!(
        r#"rule: gps.generated
title: Generated
on: gps.position
entity: driver
params: {{i: 5, d: 2.5, s: gps, l: [gps, é]}}
let:
  n: {{count: gps.position, by: driver, window: 1h}}
  m: {{sum: payment.captured, of: amount, by: booking, window: 1h}}
  v: {{last: gps.position, of: accuracy_m, by: driver, window: 1h}}
when: |-
  {condition}
explain: "{{n}} {{m}} {{v}} {{params.i}} {{params.d}} {{params.s}} {{params.l}}"
"#
    );
    SourceFile { name: "gps/generated.yaml".to_owned(), text }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(1500)))]

    #[test]
    fn conditions_give_the_answer_of_cel(condition in boolean(3), events in proptest::collection::vec(case(), 1..4)) {
        prop_assume!(condition.len() <= 1500);
        let ruleset = match compile(&[rule(&condition)]) {
            Ok(ruleset) => ruleset,
            Err(report) => {
                // What nests deeper than the bound is refused, and that is all that may be.
                prop_assert!(report.faults.iter().all(|fault| fault.message.contains("too deep")), "{}", report.render(false));
                return Ok(());
            }
        };
        let program = Program::compile(&condition).expect("cel parses what we took");
        for event in events {
            let expected = match program.execute(&event.theirs()) {
                Ok(CelValue::Bool(answer)) => Some(answer),
                _ => None,
            };
            let found = is_hit(&ruleset.rules[0].triggers[0].programs[0].when, &event.ours()).ok();
            prop_assert_eq!(found, expected, "{} over {:?}: {:?}", condition, event.theirs().get_variable("data").map(|_| ()), event);
        }
    }
}
