//! Instructions of what an event sets in motion, from the benchmarks' counts on record. They are of a mix of events that is none of
//! anybody's, so what is made of them is an estimate.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rasid_compiler::expression::{Expr, StringTest};
use rasid_detectors::event::EventType;

/// Records in one run of a benchmark of reading them.
pub const RECORDS_COUNTED: usize = 100;
/// Events in one run of any other, of a type of which the workload has as many.
pub const EVENTS_COUNTED: usize = 1_000;

/// By benchmark: the instructions of one run.
static COUNTS: LazyLock<BTreeMap<&'static str, u64>> = LazyLock::new(|| {
    let lines = include_str!("../../../../benches/records/instructions.txt").lines().filter(|line| !line.starts_with('#'));
    let line = |line: &'static str| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?.parse().ok()?))
    };
    lines.filter_map(line).collect()
});

/// Of one event; 0 where it is on no record.
fn each(benchmark: &str) -> u64 {
    let events = if benchmark.starts_with("decode/") { RECORDS_COUNTED } else { EVENTS_COUNTED };
    COUNTS.get(benchmark).map_or(0, |instructions| instructions / events as u64)
}

/// Reading the record of an event of that type; nothing of the engine's own, which are on no record.
pub(super) fn of_record(event: EventType) -> u64 {
    each(&format!("decode/{}/clean", event.name()))
}

/// Feeding an operator, or reading it.
pub(super) fn of_operator(name: &str, what: &str) -> u64 {
    each(&format!("operator/{name}/{what}"))
}

/// Running a condition: each term by the dearest form in it.
pub(super) fn of_condition(expr: &Expr) -> u64 {
    match expr {
        Expr::And(one, other) | Expr::Or(one, other) => of_condition(one) + of_condition(other),
        Expr::Not(inner) => of_condition(inner),
        Expr::Conditional(asked, yes, no) => of_condition(asked) + of_condition(yes).max(of_condition(no)),
        Expr::Const(_) => 0,
        term => each(form(term)),
    }
}

/// The benchmark that a term is most like.
fn form(term: &Expr) -> &'static str {
    match term {
        Expr::Unknown(_) | Expr::HasUnknown(_) => "condition/unknown",
        Expr::Text(_, StringTest::Matches(_)) => "condition/pattern",
        Expr::Text(..)
        | Expr::Size(_)
        | Expr::Call(..)
        | Expr::Loop(_)
        | Expr::List(_)
        | Expr::At(..)
        | Expr::Part(..)
        | Expr::HasPart(..) => "condition/text",
        Expr::In(..) | Expr::InList(..) | Expr::InZone(..) => "condition/word",
        Expr::Time => "condition/time",
        Expr::Has(_) | Expr::HasBinding(_) | Expr::Fired(_) => "condition/has",
        Expr::Compare(_, one, other) => dearest(one, other, "condition/compare"),
        Expr::Arithmetic(_, one, other) => dearest(one, other, "condition/arithmetic"),
        Expr::Negate(inner) => form(inner),
        _ => "condition/compare",
    }
}

fn dearest(one: &Expr, other: &Expr, own: &'static str) -> &'static str {
    [own, form(one), form(other)].into_iter().max_by_key(|benchmark| each(benchmark)).unwrap_or(own)
}

#[cfg(test)]
mod tests {
    use rasid_detectors::operator::OPERATORS;

    use super::*;

    #[test]
    fn everything_is_on_record() {
        for event in EventType::PRODUCED {
            assert!(of_record(*event) > 1_000, "{}", event.name());
        }
        for spec in OPERATORS {
            let reads = !spec.yields.fires();
            assert!(of_operator(spec.name, "feed") > 0 && (of_operator(spec.name, "read") > 0) == reads, "{}", spec.name);
        }
        let forms = ["unknown", "pattern", "text", "word", "time", "has", "compare", "arithmetic"];
        assert!(forms.iter().all(|form| each(&format!("condition/{form}")) > 0), "{:?}", *COUNTS);
    }
}
