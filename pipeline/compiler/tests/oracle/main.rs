//! The subset behaves as CEL does: generated conditions over generated events give the answer of crate `cel`'s
//! interpreter, value or error; `PROPTEST_CASES` says how many. Where the two are meant to differ, because cel-spec or cel-go says
//! otherwise than the crate, stands in `DEPARTURES`; the generators make none of those.

mod generate;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::objects::{Key, Value as CelValue};
use cel::{Context, Env, Program, extensions};
use proptest::prelude::*;
use rasid_compiler::expression::Scope;
use rasid_compiler::trial::{self, Outcome};
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

    fn fired(&self, _: usize) -> Option<bool> {
        Some(false)
    }

    fn time(&self) -> i64 {
        0
    }

    fn score(&self) -> Value<'_> {
        Value::Absent
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
        let mut context = theirs();
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

/// Their interpreter with the functions on texts.
fn theirs() -> Context<'static, 'static> {
    static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
        let mut env = Env::stdlib();
        env.add_extension(extensions::strings).expect("declared once");
        Arc::new(env)
    });
    Context::with_env(Arc::clone(&ENV))
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
    fn conditions_give_the_answer_of_cel(condition in generate::boolean(3), events in proptest::collection::vec(generate::case(), 1..4)) {
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

/// Expressions in which the crate says otherwise than cel-spec or cel-go do, what the language says, and who says so.
const DEPARTURES: [(&str, &str); 7] = [
    // cel-spec, timestamps/duration_converters/get_milliseconds: those within the second.
    ("duration('2.5s').getMilliseconds() == 500", "true"),
    // cel-spec, timestamps: parts are in UTC where no zone is named; the crate keeps the zone of the text.
    ("timestamp('2023-04-28T00:00:00+02:00').getHours() == 22", "true"),
    // cel-go writes doubles as Go's %g.
    ("string(1000000.0) == '1e+06'", "true"),
    ("string(1.0 / 0.0) == '+Inf'", "true"),
    // A text beyond a double is none, as Go's ParseFloat has it; the crate makes an infinity of it.
    ("double('1e400') > 0.0", "error"),
    // RFC 3339 as Go's time.Parse takes it: capital letters, no blank, no sixtieth second.
    ("timestamp('2026-07-01 22:30:15Z') > timestamp('2026-01-01T00:00:00Z')", "refused"),
    ("timestamp('2016-12-31T23:59:60Z') > timestamp('2026-01-01T00:00:00Z')", "refused"),
];

/// Each of them departs still: one that does not is taken off the list, and the generators make it.
#[test]
fn every_departure_departs() {
    let nothing = Case { fields: Vec::new(), unknown: Vec::new(), bindings: Vec::new() };
    for (expression, expected) in DEPARTURES {
        let found = match trial::check(expression, EventType::GpsPosition, &[], &[]) {
            Err(_) => "refused".to_owned(),
            Ok(trial) => match trial.run(&nothing.ours()) {
                Ok(Outcome::Value(OwnedValue::Bool(value))) => value.to_string(),
                _ => "error".to_owned(),
            },
        };
        assert_eq!(found, expected, "{expression}");
        let theirs = match Program::compile(expression).expect("it parses").execute(&theirs()) {
            Ok(CelValue::Bool(value)) => value.to_string(),
            _ => "error".to_owned(),
        };
        let same = theirs == found || (theirs == "error" && found == "refused");
        assert!(!same, "{expression}: no departure, both say {found}");
    }
}
