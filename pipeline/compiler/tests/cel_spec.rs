//! cel-spec's simple tests (`fixtures/cel/`): what the language takes it answers as CEL does, value or error; what it refuses is
//! counted by feature. `cargo xtask cel` shows the counts.

use std::collections::BTreeMap;

use rasid_compiler::expression::Scope;
use rasid_compiler::trial::{self, Outcome};
use rasid_compiler::{Code, trial::Refused};
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::FieldPath;
use rasid_detectors::value::{OwnedValue, Value};
use serde_json::Value as Json;

/// The variables of a test.
struct Bound(Vec<OwnedValue>);

impl Scope for Bound {
    fn field(&self, _: FieldPath) -> Value<'_> {
        Value::Absent
    }

    fn unknown(&self, _: &str) -> OwnedValue {
        OwnedValue::Absent
    }

    fn binding(&self, index: usize) -> Value<'_> {
        self.0.get(index).map_or(Value::Absent, OwnedValue::borrow)
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

fn scalar(value: &Json) -> Option<OwnedValue> {
    let (kind, inner) = value.as_object()?.iter().next()?;
    Some(match kind.as_str() {
        "boolValue" => OwnedValue::Bool(inner.as_bool()?),
        "int64Value" => OwnedValue::Int(inner.as_str()?.parse().ok()?),
        "doubleValue" => OwnedValue::Double(match inner {
            Json::String(text) => text.replace("Infinity", "inf").parse().ok()?,
            number => number.as_f64()?,
        }),
        "stringValue" => OwnedValue::Str(inner.as_str()?.into()),
        "objectValue" => {
            let text = inner.get("value")?.as_str()?;
            match inner.get("@type")?.as_str()?.rsplit('.').next()? {
                "Duration" => OwnedValue::Duration(run(&format!("duration('{text}')"))?),
                "Timestamp" => OwnedValue::Time(run(&format!("timestamp('{text}')"))?),
                _ => return None,
            }
        }
        _ => return None,
    })
}

fn run(text: &str) -> Option<i64> {
    match trial::check(text, EventType::GpsPosition, &[], &[]).ok()?.run(&Bound(Vec::new())).ok()? {
        Outcome::Value(OwnedValue::Time(millis) | OwnedValue::Duration(millis)) => Some(millis),
        _ => None,
    }
}

fn same(found: &OwnedValue, expected: &OwnedValue) -> bool {
    match (found, expected) {
        (OwnedValue::Double(a), OwnedValue::Double(b)) => {
            a.partial_cmp(b).is_some_and(std::cmp::Ordering::is_eq) || (a.is_nan() && b.is_nan())
        }
        _ => found == expected,
    }
}

fn is(found: &Outcome, expected: &Json) -> bool {
    match found {
        Outcome::Value(found) => scalar(expected).is_some_and(|expected| same(found, &expected)),
        Outcome::List(found) => {
            let Some(list) = expected.get("listValue") else { return false };
            let expected: Option<Vec<OwnedValue>> = list.get("values").and_then(Json::as_array).into_iter().flatten().map(scalar).collect();
            expected.is_some_and(|expected| expected.len() == found.len() && found.iter().zip(&expected).all(|(a, b)| same(a, b)))
        }
    }
}

fn feature(refused: &Refused) -> String {
    match refused.code {
        Code::NotInSubset => refused.message.replace(" is not in the subset of CEL that rules take", ""),
        Code::TypeMismatch => "types that differ where the rule is checked".to_owned(),
        code => format!("{code:?}"),
    }
}

#[derive(Default)]
struct Counts {
    agree: usize,
    refused: BTreeMap<String, usize>,
    differ: Vec<String>,
}

fn judge(test: &Json, counts: &mut Counts) {
    let word = |name: &str| test.get(name).and_then(Json::as_str).expect("a text");
    let (suite, name, expr) = (word("suite"), word("name"), word("expr"));
    let mut variables = Vec::new();
    for (name, bound) in test.get("bindings").and_then(Json::as_object).into_iter().flatten() {
        if name.contains('.') {
            *counts.refused.entry("a name with dots, and containers".to_owned()).or_default() += 1;
            return;
        }
        let Some(value) = bound.get("value").and_then(scalar) else {
            *counts.refused.entry("a variable of a type that no binding has".to_owned()).or_default() += 1;
            return;
        };
        variables.push((name.as_str(), value));
    }
    let trial = match trial::check(expr, EventType::GpsPosition, &variables, &[]) {
        Ok(trial) => trial,
        // What CEL says is an error may be one before it runs.
        Err(_) if test.get("error").is_some() => {
            counts.agree += 1;
            return;
        }
        Err(refused) => {
            *counts.refused.entry(feature(&refused)).or_default() += 1;
            return;
        }
    };
    let found = trial.run(&Bound(variables.into_iter().map(|(_, value)| value).collect()));
    let agrees = match (&found, test.get("error"), test.get("value")) {
        _ if test.get("check_only").is_some() => true,
        (Err(_), Some(_), _) => true,
        (Ok(found), None, Some(expected)) => is(found, expected),
        _ => false,
    };
    if agrees {
        counts.agree += 1;
    } else {
        let shown = match &found {
            Ok(Outcome::Value(value)) => serde_json::to_string(value).unwrap_or_default(),
            Ok(Outcome::List(values)) => serde_json::to_string(values).unwrap_or_default(),
            Err(error) => error.to_string(),
        };
        counts.differ.push(format!(
            "{suite}/{name}: {expr} gave {shown}, expected {}",
            test.get("value").map_or("an error".to_owned(), Json::to_string)
        ));
    }
}

#[test]
fn what_is_taken_is_answered_as_cel_does() {
    let tests: Vec<Json> =
        include_str!("../../../fixtures/cel/simple.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut all = Counts::default();
    let mut suites: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for test in &tests {
        let before = all.agree;
        judge(test, &mut all);
        let suite = test.get("suite").and_then(Json::as_str).expect("a suite").to_owned();
        let (taken, total) = suites.entry(suite).or_default();
        *taken += all.agree - before;
        *total += 1;
    }
    let refused: usize = all.refused.values().sum();
    eprintln!("cel-spec: {} tests, {} agree, {} differ, {refused} refused:", tests.len(), all.agree, all.differ.len());
    for (feature, count) in &all.refused {
        eprintln!("{count:6}  {feature}");
    }
    for (suite, (taken, total)) in &suites {
        eprintln!("{taken:6} of {total:4}  {suite}");
    }
    assert!(all.differ.is_empty(), "{}", all.differ.join("\n"));
}
