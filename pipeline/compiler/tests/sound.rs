//! Whatever a warning says of a condition is so, whatever it is run over: what is called never true never is, what is called always
//! true is never false, and a condition that needs a field does not hold without it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use rasid_compiler::expression::{EvalError, Expr, Scope};
use rasid_compiler::ruleset::{Rule, Ruleset};
use rasid_compiler::terms::Term;
use rasid_compiler::{Code, SourceFile, compile, is_hit};
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, FieldPath};
use rasid_detectors::value::{OwnedValue, Value};

const EVENT: EventType = EventType::PaymentCaptured;

fn ruleset(condition: &str) -> (String, Ruleset) {
    let mut text = "rule: a.b\ntitle: T\non: payment.captured\nentity: user(user_id)\nparams: {limit: 2}\nlet:\n".to_owned();
    for (name, binding) in [
        ("n", "count: payment.captured, by: user(user_id), window: 1h"),
        ("s", "sum: payment.captured, of: amount, by: user(user_id), window: 1h"),
        ("r", "ratio: payment.failed, per: payment.captured, by: user(user_id), window: 1h"),
        ("d", "distinct: payment.captured, of: user_id, by: device, window: 1h"),
    ] {
        writeln!(text, "  {name}: {{{binding}}}").expect("a String takes all");
    }
    write!(text, "when: '{condition}'\nexplain: \"{{n}} {{s}} {{r}} {{d}} {{params.limit}}\"\n").expect("a String takes all");
    let compiled = compile(&[SourceFile { name: "a/b.yaml".to_owned(), text: text.clone() }]);
    (text, compiled.unwrap_or_else(|report| panic!("{}", report.render(false))))
}

/// What a condition sees.
#[derive(Clone, Debug)]
struct Seen {
    /// By the operator's name.
    bindings: BTreeMap<&'static str, OwnedValue>,
    /// By the field's name.
    fields: BTreeMap<&'static str, OwnedValue>,
    score: i64,
    /// The operators' names, by the numbers of what is read.
    reads: Vec<&'static str>,
}

impl Scope for Seen {
    fn field(&self, path: FieldPath) -> Value<'_> {
        let name = field::at(EVENT.fields(), path).map_or("", |spec| spec.name);
        self.fields.get(name).map_or(Value::Absent, OwnedValue::borrow)
    }

    fn unknown(&self, _: &str) -> OwnedValue {
        OwnedValue::Absent
    }

    fn binding(&self, index: usize) -> Value<'_> {
        let value = self.reads.get(index).and_then(|name| self.bindings.get(name));
        value.map_or(Value::Absent, OwnedValue::borrow)
    }

    fn fired(&self, _: usize) -> Option<bool> {
        None
    }

    fn time(&self) -> i64 {
        0
    }

    fn score(&self) -> Value<'_> {
        Value::Int(self.score)
    }

    fn signal(&self, _: usize, _: usize) -> Value<'_> {
        Value::Absent
    }
}

fn seen() -> impl Strategy<Value = Seen> {
    let whole = || prop_oneof![-2..5_i64, 99..103_i64];
    let count = || prop_oneof![3 => (0..5_i64).prop_map(OwnedValue::Int), 1 => (99..103_i64).prop_map(OwnedValue::Int), 1 => Just(OwnedValue::Absent)];
    let ratio = prop_oneof![
        prop::sample::select(vec![0.0, 0.25, 0.5, 1.0, 2.0, 2.5, 3.0, 1e300]).prop_map(OwnedValue::Double),
        Just(OwnedValue::Absent)
    ];
    let word = || prop::sample::select(vec!["a", "b", "c"]).prop_map(|word| OwnedValue::Str(word.into()));
    let device = prop::option::of(word());
    (count(), whole(), ratio, count(), whole(), word(), device, 0..=100_i64).prop_map(|(n, s, r, d, amount, currency, device, score)| {
        let mut fields = BTreeMap::from([("amount", OwnedValue::Int(amount)), ("currency", currency)]);
        // Without the device there is nothing that is counted by it.
        let d = if device.is_some() { d } else { OwnedValue::Absent };
        fields.extend(device.map(|device| ("device_id", device)));
        let bindings = BTreeMap::from([("count", n), ("sum", OwnedValue::Int(s)), ("ratio", r), ("distinct", d)]);
        Seen { bindings, fields, score, reads: Vec::new() }
    })
}

fn condition() -> impl Strategy<Value = String> {
    let sign = || prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let number = || prop::sample::select(vec!["n", "s", "d", "score", "data.amount", "(n + s)", "size(data.currency)"]);
    let limit = || prop::sample::select(vec!["-1", "0", "1", "2", "3", "100", "params.limit", "0.5", "2.0", "2.5", "9223372036854775807"]);
    let real = || prop::sample::select(vec!["-1.0", "0.0", "0.5", "2.0", "2.5", "1"]);
    let word = || prop::sample::select(vec!["\"a\"", "\"b\"", "\"z\""]);
    let leaf = prop_oneof![
        4 => (number(), sign(), limit()).prop_map(|(read, sign, limit)| format!("{read} {sign} {limit}")),
        1 => (limit(), sign(), number()).prop_map(|(limit, sign, read)| format!("{limit} {sign} {read}")),
        2 => (sign(), real()).prop_map(|(sign, limit)| format!("r {sign} {limit}")),
        2 => (prop::sample::select(vec!["==", "!="]), word()).prop_map(|(sign, word)| format!("data.currency {sign} {word}")),
        1 => (word(), word()).prop_map(|(one, other)| format!("data.currency in [{one}, {other}]")),
        1 => prop::sample::select(vec!["n in [1, 2]", "s in [-1, 100]", "has(data.device_id)", "has(values.d)", "true", "1 > 2"]).prop_map(str::to_owned),
        1 => word().prop_map(|word| format!("(has(data.device_id) && data.device_id == {word})")),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            3 => (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} && {other})")),
            3 => (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} || {other})")),
            1 => inner.clone().prop_map(|inner| format!("!({inner})")),
            1 => (inner.clone(), inner.clone(), inner).prop_map(|(asked, yes, no)| format!("({asked} ? {yes} : {no})")),
        ]
    })
}

/// Every term with its program.
fn terms<'a>(term: &'a Term, expr: &'a Expr, found: &mut Vec<(&'a Term, &'a Expr)>) {
    found.push((term, expr));
    for (part, program) in term.parts.iter().zip(term.programs(expr)) {
        terms(part, program, found);
    }
}

fn reads(ruleset: &Ruleset, rule: &Rule) -> Vec<&'static str> {
    let reads = rule.triggers.iter().flat_map(|trigger| &trigger.reads);
    reads.filter_map(|read| Some(ruleset.bindings.get(read.binding)?.operator.spec().name)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_warned_of_is_so(condition in condition(), seen in prop::collection::vec(seen(), 60)) {
        let (text, ruleset) = ruleset(&condition);
        let rule = &ruleset.rules[0];
        let whole = rule.terms.program(&rule.triggers[0].programs[0]);
        let mut all = Vec::new();
        terms(&rule.terms.when, whole, &mut all);
        for seen in seen {
            let seen = Seen { reads: reads(&ruleset, rule), ..seen };
            for found in &ruleset.warnings {
                let here = || all.iter().filter(|(term, _)| term.span == found.span);
                let shown = text.get(found.span.clone()).unwrap_or_default();
                match found.code {
                    Code::NeverTrue => for (_, expr) in here() {
                        prop_assert_ne!(is_hit(expr, &seen), Ok(true), "{} in {:?}", shown, seen);
                    },
                    Code::AlwaysTrue => for (_, expr) in here() {
                        prop_assert_ne!(is_hit(expr, &seen), Ok(false), "{} in {:?}", shown, seen);
                    },
                    Code::Hides if !seen.fields.contains_key("device_id") => {
                        prop_assert!(found.message.contains("`device_id`"), "{}", found.message);
                        prop_assert_ne!(is_hit(whole, &seen), Ok(true), "{} in {:?}", shown, seen);
                    }
                    _ => {}
                }
            }
            // Taken term by term it comes to the same, and each term to what it is by itself where it is asked.
            let mut came = Vec::new();
            prop_assert_eq!(rule.terms.when.run(whole, &seen, &mut came), is_hit(whole, &seen));
            prop_assert_eq!(came.len(), all.len());
            for (came, (_, expr)) in came.into_iter().zip(&all) {
                let alone: Result<bool, EvalError> = is_hit(expr, &seen);
                prop_assert!(came.is_none_or(|came| came == alone));
            }
        }
    }
}
