//! What the conditions saw, event by event: for people who ask why a rule fired, or why it did not.

use rasid_compiler::expression::{EvalError, Expr};
use rasid_compiler::ruleset::{Program, Trigger};
use rasid_compiler::terms::Came;
use rasid_detectors::operator::Lacking;

use crate::alert::{Values, entity_of};
use crate::batch::{At, Chunk};
use crate::condition::{Verdict, scope, verdict};
use crate::look::{Compared, compared};
use crate::plan::{Plan, TriggerPlan};
use crate::population::Populations;
use crate::pseudonym::Pseudonymizer;

/// One condition at one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The event's place in the log; of one that a timer brings back, that of the record that passed the due time.
    pub position: u64,
    /// Its event clock, Unix ms; of one that a timer brings back, the due time.
    pub at_ms: i64,
    /// Whether a timer brings it back.
    pub due: bool,
    /// The rule.
    pub rule: String,
    /// Whom an alert would be about, as it leaves: `kind:id`; `None` where the event names nobody.
    pub entity: Option<String>,
    /// What the condition gave; `None` where the event does not name an entity that the rule needs.
    pub held: Option<Result<bool, EvalError>>,
    /// What the `if` of each override and then each term of the condition came to, in the order of the rule's terms; nothing where the
    /// condition was not asked.
    pub came: Vec<Came>,
    /// Of a hit, both sides of each term that compares two values, in the order of the terms of `when`.
    pub compared: Vec<Option<Compared>>,
    /// What it saw.
    pub values: Values,
    /// Of what has no value there and can tell how far it is from one: its name, and that.
    pub lacking: Vec<(String, Lacking)>,
}

/// Every condition at every row of a chunk, in stream order, but for those that read scores.
pub(crate) fn trace(chunk: &Chunk<'_, '_>, plan: &Plan, populations: &Populations, pseudonymizer: &Pseudonymizer) -> Vec<Trace> {
    let mut traces = Vec::new();
    for (_, at) in chunk.live() {
        for (_, trigger_plan) in plan.of(at.row.event.data.event_type()).triggers_at(at).filter(|(_, plan)| !plan.reads_score) {
            traces.push(trace_of(at, chunk, plan, trigger_plan, None, populations, pseudonymizer));
        }
    }
    traces
}

/// One condition at one row.
pub(crate) fn trace_of(
    at: At<'_, '_>,
    chunk: &Chunk<'_, '_>,
    plan: &Plan,
    trigger_plan: &TriggerPlan,
    doubt: Option<u8>,
    populations: &Populations,
    pseudonymizer: &Pseudonymizer,
) -> Trace {
    let (rule, trigger) = plan.trigger(trigger_plan);
    let scope = scope(at, chunk, plan, &trigger_plan.cells, doubt);
    let (held, came, sides, values, lacking) = match verdict(trigger, &scope, &mut 0) {
        Verdict::EntityMissing => (None, Vec::new(), Vec::new(), Values(Vec::new()), Vec::new()),
        Verdict::Gave { program: number, held } => {
            let (program, came) = (&trigger.programs[number], rule.terms.came(&trigger.programs, number, &scope));
            let sides = if held == Ok(true) { compared(rule, trigger, number, &scope, pseudonymizer) } else { Vec::new() };
            (Some(held), came, sides, Values::of(program, &scope, pseudonymizer), lacking(program, trigger, populations))
        }
    };
    let (at_ms, due) = (at.row.at_ms, at.mark.due.is_some());
    let entity = entity_of(at.row, trigger, pseudonymizer);
    let position = chunk.record(at.row).position;
    Trace { position, at_ms, due, rule: rule.id.clone(), entity, held, came, compared: sides, values, lacking }
}

/// Of the bindings that a program shows, those that have no value and can tell how far they are from one.
fn lacking(program: &Program, trigger: &Trigger, populations: &Populations) -> Vec<(String, Lacking)> {
    let shown = program.shown.iter().filter_map(|shown| match shown.value {
        Expr::Binding(read) => Some((shown.name.clone(), populations.lacks(trigger.reads.get(read)?.binding)?)),
        _ => None,
    });
    shown.collect()
}
