//! Conditions over gathered rows.

use rasid_compiler::expression::{EvalError, List, Scope};
use rasid_compiler::is_hit;
use rasid_compiler::ruleset::{EntityField, KeyPart, Program, Trigger};
use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::columns::StandIn;
use rasid_detectors::event::envelope::{unknown_field, unknown_list};
use rasid_detectors::event::field::{self, FieldPath};
use rasid_detectors::event::{Data, Event};
use rasid_detectors::signal::Signal;
use rasid_detectors::value::{OwnedValue, Value};

use crate::batch::{At, Cell, Chunk};
use crate::plan::{Plan, TriggerPlan};

/// What a `where` sees: the event alone, and the firing that is counted.
pub(crate) struct EventScope<'r, 'a> {
    pub(crate) plan: &'r Plan,
    pub(crate) event: &'r Event<'a>,
    pub(crate) at_ms: i64,
    pub(crate) record: &'r [u8],
    pub(crate) firing: Option<&'r Signal>,
}

/// What a condition sees: the event and the bindings at it.
pub(crate) struct RowScope<'r, 'a> {
    pub(crate) plan: &'r Plan,
    pub(crate) event: &'r Event<'a>,
    pub(crate) at_ms: i64,
    pub(crate) record: &'r [u8],
    /// The row's cells.
    pub(crate) cells: &'r [Cell],
    /// For each binding that the trigger reads, its cell.
    pub(crate) reads: &'r [Option<usize>],
    /// The score of the rule's entity, for a rule that reads it.
    pub(crate) score: Option<u8>,
}

impl RowScope<'_, '_> {
    #[inline]
    fn cell(&self, index: usize) -> &Cell {
        self.reads.get(index).copied().flatten().and_then(|cell| self.cells.get(cell)).unwrap_or(&Cell::Absent)
    }

    /// The first binding that the trigger reads under a key that the event lacks, by its index among the reads.
    pub(crate) fn keyless(&self) -> Option<usize> {
        (0..self.reads.len()).find(|index| matches!(self.cell(*index), Cell::NoEntity))
    }

    /// Whether the event lies a window or more behind the newest one of an entity that the trigger reads of.
    fn is_behind(&self) -> bool {
        (0..self.reads.len()).any(|index| matches!(self.cell(index), Cell::Behind))
    }
}

impl Scope for RowScope<'_, '_> {
    #[inline]
    fn field(&self, path: FieldPath) -> Value<'_> {
        self.event.data.get(path)
    }

    fn unknown(&self, name: &str) -> OwnedValue {
        match &self.event.data {
            Data::Columns(columns) => columns.unknown(name),
            _ => unknown_field(self.record, name),
        }
    }

    #[inline]
    fn binding(&self, index: usize) -> Value<'_> {
        self.cell(index).value()
    }

    #[inline]
    fn fired(&self, index: usize) -> Option<bool> {
        match self.cell(index) {
            Cell::NoEntity => None,
            cell => Some(matches!(cell, Cell::Signal(_))),
        }
    }

    fn time(&self) -> i64 {
        self.at_ms
    }

    fn listed(&self, list: &List, stand_in: &StandIn) -> Result<bool, EvalError> {
        self.plan.listed(list, stand_in, self.at_ms)
    }

    fn score(&self) -> Value<'_> {
        self.score.map_or(Value::Absent, |score| Value::Int(score.into()))
    }

    fn signal(&self, index: usize, field: usize) -> Value<'_> {
        match self.cell(index) {
            Cell::Signal(signal) => signal.get(field).map_or(Value::Absent, OwnedValue::borrow),
            _ => Value::Absent,
        }
    }

    fn count(&self, path: FieldPath) -> Option<usize> {
        self.event.data.count(path)
    }

    fn element(&self, path: FieldPath, index: usize, field: u8) -> Value<'_> {
        self.event.data.element(path, index, field)
    }

    fn unknown_list(&self, name: &str) -> Option<Vec<OwnedValue>> {
        match &self.event.data {
            Data::Columns(_) => None,
            _ => unknown_list(self.record, name),
        }
    }
}

/// A condition that holds at a row.
pub(crate) struct Hit {
    pub(crate) row: usize,
    /// Index in the type's triggers.
    pub(crate) trigger: usize,
    /// Index in the trigger's programs.
    pub(crate) program: usize,
}

/// What one condition says at one row.
pub(crate) enum Verdict {
    /// The event does not name the rule's own entity.
    EntityMissing,
    /// The program of that index gave this.
    Gave {
        program: usize,
        /// Whether it holds.
        held: Result<bool, EvalError>,
    },
}

/// Runs one trigger at one row: the first of its programs that applies.
pub(crate) fn verdict(trigger: &Trigger, scope: &RowScope<'_, '_>, errors: &mut u64) -> Verdict {
    if !is_there(KeyPart::Entity(trigger.entity), scope.event) {
        return Verdict::EntityMissing;
    }
    // An override whose `if` gives no value does not apply, and is counted.
    let applies = |program: &Program| {
        program.applies.as_ref().is_none_or(|applies| {
            is_hit(applies, scope).unwrap_or_else(|_| {
                *errors += 1;
                false
            })
        })
    };
    let program = trigger.programs.iter().position(applies).unwrap_or(trigger.programs.len() - 1);
    Verdict::Gave { program, held: is_hit(&trigger.programs[program].when, scope) }
}

/// What the conditions of a chunk's rows come to, in stream order.
#[derive(Default)]
pub(crate) struct Verdicts {
    pub(crate) hits: Vec<Hit>,
    /// By rule: conditions that gave no value.
    pub(crate) errors: Vec<(usize, u64)>,
    /// By rule and field: events that do not name its own entity.
    pub(crate) entity_missing: Vec<((usize, &'static str), u64)>,
    /// By rule and field: conditions that gave no value at an event without a key of what they read.
    pub(crate) key_missing: Vec<((usize, &'static str), u64)>,
    /// By rule: conditions that gave no value at an event that lies a window or more behind.
    pub(crate) behind: Vec<(usize, u64)>,
}

/// The scope of one trigger at one row.
pub(crate) fn scope<'r, 'a>(
    at: At<'r, 'a>,
    chunk: &'r Chunk<'_, 'a>,
    plan: &'r Plan,
    reads: &'r [Option<usize>],
    doubt: Option<u8>,
) -> RowScope<'r, 'a> {
    let cells = chunk.laid.cells.get(at.mark.begins.cells..).unwrap_or_default();
    RowScope { plan, event: &at.row.event, at_ms: at.row.at_ms, record: chunk.record(at.row).bytes, cells, reads, score: doubt }
}

/// Runs the conditions of a chunk's rows, but for those that read scores.
pub(crate) fn evaluate(chunk: &Chunk<'_, '_>, plan: &Plan) -> Verdicts {
    let mut verdicts = Verdicts::default();
    for (index, at) in chunk.live() {
        let asked = &chunk.laid.asked[at.mark.begins.asked..];
        for (number, trigger_plan) in plan.of(at.row.event.data.event_type()).triggers_at(at).filter(|(_, plan)| !plan.reads_score) {
            if !asked[number] && is_settled(at, plan, trigger_plan) {
                continue;
            }
            verdicts.judge(index, at, chunk, plan, (number, trigger_plan), None);
        }
    }
    verdicts
}

impl Verdicts {
    /// Runs one condition at one row, and keeps what it says.
    pub(crate) fn judge(
        &mut self,
        index: usize,
        at: At<'_, '_>,
        chunk: &Chunk<'_, '_>,
        plan: &Plan,
        (number, trigger_plan): (usize, &TriggerPlan),
        doubt: Option<u8>,
    ) {
        let verdicts = self;
        let (_, trigger) = plan.trigger(trigger_plan);
        let scope = scope(at, chunk, plan, &trigger_plan.cells, doubt);
        let mut errors = 0;
        match verdict(trigger, &scope, &mut errors) {
            Verdict::Gave { program, held: Ok(true) } => verdicts.hits.push(Hit { row: index, trigger: number, program }),
            Verdict::Gave { held: Ok(false), .. } => {}
            Verdict::Gave { held: Err(_), .. } => verdicts.say_nothing(trigger_plan.rule, trigger, &scope, &mut errors),
            Verdict::EntityMissing => {
                let field = field_of(KeyPart::Entity(trigger.entity), scope.event);
                count(&mut verdicts.entity_missing, (trigger_plan.rule, field), 1);
            }
        }
        if errors > 0 {
            count(&mut verdicts.errors, trigger_plan.rule, errors);
        }
    }

    /// Counts why a condition gave no value.
    #[cold]
    fn say_nothing(&mut self, rule: usize, trigger: &Trigger, scope: &RowScope<'_, '_>, errors: &mut u64) {
        if let Some(read) = scope.keyless() {
            let key = trigger.reads[read].key.as_deref().unwrap_or_default();
            let lacking = key.iter().find(|part| !is_there(**part, scope.event)).or(key.first());
            let field = lacking.map_or("", |part| field_of(*part, scope.event));
            count(&mut self.key_missing, (rule, field), 1);
        } else if scope.is_behind() {
            count(&mut self.behind, rule, 1);
        } else {
            *errors += 1;
        }
    }
}

/// Whether a condition that may not hold says nothing more: the `if` of an override may fail, and the event may lack the rule's entity,
/// which are counted.
fn is_settled(at: At<'_, '_>, plan: &Plan, trigger_plan: &TriggerPlan) -> bool {
    let (_, trigger) = plan.trigger(trigger_plan);
    trigger.programs.len() == 1 && is_there(KeyPart::Entity(trigger.entity), &at.row.event)
}

fn count<K: PartialEq>(counts: &mut Vec<(K, u64)>, of: K, times: u64) {
    match counts.iter_mut().find(|(other, _)| *other == of) {
        Some((_, n)) => *n += times,
        None => counts.push((of, times)),
    }
}

/// Whether the event has that part of a key.
fn is_there(part: KeyPart, event: &Event<'_>) -> bool {
    match part {
        KeyPart::Entity(EntityField { path: Some(path), .. }) | KeyPart::Value(path) => event.data.get(path).is_present(),
        KeyPart::Entity(EntityField { kind: EntityKind::Region, .. }) => event.data.region().is_some(),
        KeyPart::Entity(_) => true,
    }
}

/// The field that it comes from; of a region, the place.
fn field_of(part: KeyPart, event: &Event<'_>) -> &'static str {
    let path = match part {
        KeyPart::Entity(entity) => entity.path,
        KeyPart::Value(path) => Some(path),
    };
    let spec = path.and_then(|path| field::at(event.data.event_type().fields(), path));
    spec.map_or("location", |spec| spec.name)
}
