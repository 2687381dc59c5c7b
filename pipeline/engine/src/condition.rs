//! Conditions over gathered rows.

use rasid_compiler::expression::{EvalError, Scope};
use rasid_compiler::is_hit;
use rasid_compiler::ruleset::{Program, Trigger};
use rasid_detectors::event::envelope::{unknown_field, unknown_list};
use rasid_detectors::event::field::FieldPath;
use rasid_detectors::event::{Data, Event};
use rasid_detectors::signal::Signal;
use rasid_detectors::value::{OwnedValue, Value};

use crate::batch::{At, Cell, Chunk};
use crate::plan::Plan;

/// What a `where` sees: the event alone, and the firing that is counted.
pub(crate) struct EventScope<'r, 'a> {
    pub(crate) event: &'r Event<'a>,
    pub(crate) at_ms: i64,
    pub(crate) record: &'r [u8],
    pub(crate) firing: Option<&'r Signal>,
}

/// What a condition sees: the event and the bindings at it.
pub(crate) struct RowScope<'r, 'a> {
    pub(crate) event: &'r Event<'a>,
    pub(crate) at_ms: i64,
    pub(crate) record: &'r [u8],
    /// The row's cells.
    pub(crate) cells: &'r [Cell],
    /// For each binding that the trigger reads, its cell.
    pub(crate) reads: &'r [Option<usize>],
}

impl RowScope<'_, '_> {
    #[inline]
    fn cell(&self, index: usize) -> &Cell {
        self.reads.get(index).copied().flatten().and_then(|cell| self.cells.get(cell)).unwrap_or(&Cell::Absent)
    }

    /// Whether the event names the entity of every binding that the trigger reads.
    fn has_entities(&self) -> bool {
        (0..self.reads.len()).all(|index| !matches!(self.cell(index), Cell::NoEntity))
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
    fn fired(&self, index: usize) -> bool {
        matches!(self.cell(index), Cell::Signal(_))
    }

    fn time(&self) -> i64 {
        self.at_ms
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
    /// The event does not name an entity that the rule needs.
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
    let named = trigger.entity.path.map_or_else(|| scope.event.data.region().is_some(), |path| scope.event.data.get(path).is_present());
    if !named || !scope.has_entities() {
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
    /// By rule: events that do not name an entity it needs.
    pub(crate) entity_missing: Vec<(usize, u64)>,
    /// By rule: conditions that gave no value at an event that lies a window or more behind.
    pub(crate) behind: Vec<(usize, u64)>,
}

/// The scope of one trigger at one row.
pub(crate) fn scope<'r, 'a>(at: At<'r, 'a>, chunk: &'r Chunk<'_, 'a>, reads: &'r [Option<usize>]) -> RowScope<'r, 'a> {
    let cells = chunk.cells.get(at.mark.cells..).unwrap_or_default();
    RowScope { event: &at.row.event, at_ms: at.row.at_ms, record: chunk.record(at.row).bytes, cells, reads }
}

/// Runs the conditions of a chunk's rows.
pub(crate) fn evaluate(chunk: &Chunk<'_, '_>, plan: &Plan) -> Verdicts {
    let mut verdicts = Verdicts::default();
    for (index, at) in chunk.live() {
        for (number, trigger_plan) in plan.of(at.row.event.data.event_type()).triggers_at(at) {
            let (_, trigger) = plan.trigger(trigger_plan);
            let scope = scope(at, chunk, &trigger_plan.cells);
            let mut errors = 0;
            match verdict(trigger, &scope, &mut errors) {
                Verdict::EntityMissing => count(&mut verdicts.entity_missing, trigger_plan.rule, 1),
                Verdict::Gave { program, held: Ok(true) } => verdicts.hits.push(Hit { row: index, trigger: number, program }),
                Verdict::Gave { held: Ok(false), .. } => {}
                Verdict::Gave { held: Err(_), .. } if scope.is_behind() => count(&mut verdicts.behind, trigger_plan.rule, 1),
                Verdict::Gave { held: Err(_), .. } => errors += 1,
            }
            if errors > 0 {
                count(&mut verdicts.errors, trigger_plan.rule, errors);
            }
        }
    }
    verdicts
}

fn count(counts: &mut Vec<(usize, u64)>, rule: usize, times: u64) {
    match counts.iter_mut().find(|(other, _)| *other == rule) {
        Some((_, n)) => *n += times,
        None => counts.push((rule, times)),
    }
}
