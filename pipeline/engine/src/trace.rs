//! What the conditions saw, event by event: for people who ask why a rule fired, or why it did not.

use rasid_compiler::expression::EvalError;

use crate::alert::Values;
use crate::batch::Chunk;
use crate::condition::{Verdict, scope, verdict};
use crate::plan::Plan;
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
    /// What the condition gave; `None` where the event does not name an entity that the rule needs.
    pub held: Option<Result<bool, EvalError>>,
    /// What it saw.
    pub values: Values,
}

/// Every condition at every row of a chunk, in stream order.
pub(crate) fn trace(chunk: &Chunk<'_, '_>, plan: &Plan, pseudonymizer: &Pseudonymizer) -> Vec<Trace> {
    let mut traces = Vec::new();
    for (_, at) in chunk.live() {
        let record = chunk.record(at.row);
        for (_, trigger_plan) in plan.of(at.row.event.data.event_type()).triggers_at(at) {
            let (rule, trigger) = plan.trigger(trigger_plan);
            let scope = scope(at, chunk, &trigger_plan.cells);
            let (held, values) = match verdict(trigger, &scope, &mut 0) {
                Verdict::EntityMissing => (None, Values(Vec::new())),
                Verdict::Gave { program, held } => (Some(held), Values::of(&trigger.programs[program], &scope, pseudonymizer)),
            };
            let (at_ms, due) = (at.row.at_ms, at.mark.due.is_some());
            traces.push(Trace { position: record.position, at_ms, due, rule: rule.id.clone(), held, values });
        }
    }
    traces
}
