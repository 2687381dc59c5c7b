//! Conditions, one of each form that rules are made of.

use rasid_compiler::expression::{Expr, Scope};
use rasid_compiler::{SourceFile, compile, is_hit};
use rasid_detectors::event::envelope::unknown_field;
use rasid_detectors::event::field::FieldPath;
use rasid_detectors::event::{Event, EventType};
use rasid_detectors::value::{OwnedValue, Value};

use crate::{Case, keep, workload};

/// Events in one run.
const EVENTS: usize = rasid_engine::EVENTS_COUNTED;
/// What the binding `n` is at every event.
const BOUND: i64 = 7;

const CONDITIONS: [(&str, &str); 10] = [
    ("compare", "n > 5"),
    ("and", "n > 5 && data.amount > 10000 && data.currency == \"EGP\" && n < 9"),
    ("arithmetic", "data.amount * 3 - 100 > n * 10000 + 5"),
    ("conditional", "(data.amount > 40000 ? n : 5) > 6"),
    ("word", "data.method in [\"card\", \"cash\", \"wallet\"]"),
    ("text", "data.user_id.startsWith(\"u_1\") || has(data.booking_id) && data.booking_id.contains(\"ff\")"),
    ("pattern", "data.user_id.matches(\"^u_[0-9]*7$\")"),
    ("has", "has(data.reason) && data.reason == \"fraud\""),
    ("time", "time - timestamp(\"2026-11-01T00:00:00Z\") > duration(\"5m\")"),
    ("unknown", "data[\"campaign\"] == \"x\" || \"campaign\" in data"),
];

pub(crate) fn cases() -> impl Iterator<Item = Case> {
    let events: &'static [_] = keep(workload::events(&[EventType::PaymentCaptured], EVENTS));
    CONDITIONS.into_iter().map(move |(name, condition)| {
        let condition: &'static Expr = keep(compiled(condition));
        Case::new(format!("condition/{name}"), events.len(), move || {
            move || -> Vec<Option<bool>> { events.iter().map(|(event, record)| is_hit(condition, &Seen { event, record }).ok()).collect() }
        })
    })
}

fn compiled(condition: &str) -> Expr {
    let condition = condition.replace('\'', "''");
    let text = format!(
        "rule: bench.condition\ntitle: T\non: payment.captured\nentity: user(user_id)\nlet:\n  n: {{count: payment.captured, by: user(user_id), window: 1h}}\nwhen: '{condition}'\nexplain: \"{{n}}\"\n"
    );
    let ruleset = compile(&[SourceFile { name: "bench/condition.yaml".to_owned(), text }])
        .unwrap_or_else(|report| panic!("{}", report.render(false)));
    let trigger = ruleset.rules.into_iter().next().and_then(|rule| rule.triggers.into_iter().next());
    trigger.and_then(|trigger| trigger.programs.into_iter().next()).expect("one rule, one type, one program").when
}

/// What a condition sees.
struct Seen<'r> {
    event: &'r Event<'static>,
    record: &'static [u8],
}

impl Scope for Seen<'_> {
    fn field(&self, path: FieldPath) -> Value<'_> {
        self.event.data.get(path)
    }

    fn unknown(&self, name: &str) -> OwnedValue {
        unknown_field(self.record, name)
    }

    fn binding(&self, _: usize) -> Value<'_> {
        Value::Int(BOUND)
    }

    fn fired(&self, _: usize) -> Option<bool> {
        Some(false)
    }

    fn time(&self) -> i64 {
        self.event.clock()
    }
    fn score(&self) -> Value<'_> {
        Value::Absent
    }

    fn signal(&self, _: usize, _: usize) -> Value<'_> {
        Value::Absent
    }
}
