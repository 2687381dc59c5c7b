//! What the conditions saw, event by event: for people who ask why a rule fired, or why it did not.

use rasid_compiler::expression::EvalError;

use crate::Record;
use crate::alert::Values;
use crate::batch::Chunk;
use crate::condition::{Verdict, scope, verdict};
use crate::plan::Plan;
use crate::pseudonym::Pseudonymizer;

/// One condition at one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The event's place in the log.
    pub position: u64,
    /// The rule.
    pub rule: String,
    /// What the condition gave; `None` where the event does not name an entity that the rule needs.
    pub held: Option<Result<bool, EvalError>>,
    /// What it saw.
    pub values: Values,
}

/// Every condition at every row of a chunk, in stream order.
pub(crate) fn trace(chunk: &Chunk<'_>, records: &[Record<'_>], plan: &Plan, pseudonymizer: &Pseudonymizer) -> Vec<Trace> {
    let mut traces = Vec::new();
    for row in chunk.rows.iter().filter(|row| row.live) {
        let record = &records[row.record];
        for trigger_plan in &plan.of(row.event.data.event_type()).triggers {
            let (rule, trigger) = plan.trigger(trigger_plan);
            let scope = scope(row, chunk, record, &trigger_plan.cells);
            let (held, values) = match verdict(trigger, &scope, &mut 0) {
                Verdict::EntityMissing => (None, Values(Vec::new())),
                Verdict::Gave { program, held } => (Some(held), Values::of(&trigger.programs[program], &scope, pseudonymizer)),
            };
            traces.push(Trace { position: record.position, rule: rule.id.clone(), held, values });
        }
    }
    traces
}
