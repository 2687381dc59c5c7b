//! A closer look at one alert, for whoever must say why it was opened: what its condition saw, with both sides of every comparison, and
//! the events that stood behind each value.
//!
//! ```text
//! first pass   … ── the moment: the condition at the event that opens the alert; of each binding the key that it is read under
//! second pass  … ── every event that feeds a binding under that key and that its window still has at the moment; the newest are shown
//! ```
//!
//! The second pass goes over the same log in an engine that begins anew: whose state is read is known only at the moment. What is
//! looked at is what the engine itself feeds and reads; nothing is worked out a second time. Nothing raw leaves.

use rasid_compiler::expression::{Comparison, Expr};
use rasid_compiler::ruleset::{Program, Rule, Shown, Trigger};
use rasid_compiler::terms::{Joins, Term};
use rasid_detectors::entity::KeyHasher;
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, Privacy};
use rasid_detectors::reading::Reading;
use serde::Serialize;

use crate::alert::leave;
use crate::batch::{At, Chunk};
use crate::condition::{RowScope, Verdict, scope, verdict};
use crate::plan::{Plan, Stage, TriggerPlan};
use crate::population::Populations;
use crate::pseudonym::{Pseudonymizer, alert_id};
use crate::scatter::Item;
use crate::trace::{Trace, trace_of};

mod counted;
mod shown;

pub use counted::{Counted, SHOWN_MAX};
pub use shown::{EventShown, Fix};

use counted::Watched;
use shown::reading;

/// What stands on both sides of a comparison, as it may leave.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// How they are compared: `>`, `==`.
    pub sign: &'static str,
    /// The left side; null where it has no value.
    pub left: serde_json::Value,
    /// The right one.
    pub right: serde_json::Value,
    /// Whether the limit stands on the left: what the rule says, and nothing that was found.
    pub limit_is_left: bool,
}

/// A condition at the event that opens the alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// What it saw.
    pub trace: Trace,
    /// The override that applied, by its place; `None` where none did.
    pub applied: Option<usize>,
    /// Of each term of `when`, itself before those in it, both sides, where it compares two values.
    pub compared: Vec<Option<Compared>>,
    /// The event; of an alert that a timer opens, the one that armed it.
    pub event: EventShown,
    /// How its chat message was read, where it is one.
    pub message: Option<Reading>,
    /// Its place among the rows of its record.
    ordinal: usize,
}

/// The engine around a row.
#[derive(Clone, Copy)]
pub(crate) struct Around<'e> {
    pub(crate) plan: &'e Plan,
    pub(crate) populations: &'e Populations,
    pub(crate) pseudonymizer: &'e Pseudonymizer,
    pub(crate) hasher: &'e KeyHasher,
}

/// What is looked at. It has no `Debug`: messages and places are in it until it is finished.
pub struct Look {
    rule: String,
    id: String,
    at_ms: i64,
    moment: Option<Moment>,
    /// What the condition reads at the moment.
    watched: Vec<Watched>,
    /// Whether this is the second pass.
    counts: bool,
}

impl Look {
    /// At the alert of that id, which the rule opened at `at_ms`, Unix ms of the event clock.
    pub fn new(rule: &str, id: &str, at_ms: i64) -> Self {
        Self { rule: rule.to_owned(), id: id.to_owned(), at_ms, moment: None, watched: Vec::new(), counts: false }
    }

    /// The moment, once it has come.
    pub fn moment(&self) -> Option<&Moment> {
        self.moment.as_ref()
    }

    /// Made ready for the second pass; `None` where the moment has not come.
    pub fn again(self) -> Option<Self> {
        self.moment.is_some().then_some(Self { counts: true, ..self })
    }

    /// The moment, and what stood behind it by binding, in the order in which the condition reads them.
    pub fn finish(self) -> Option<(Moment, Vec<Counted>)> {
        let moment = self.moment?;
        Some((moment, self.watched.into_iter().map(Watched::finish).collect()))
    }

    /// Looks for the moment among the rows of a chunk, at rules that read no score.
    pub(crate) fn seek(&mut self, chunk: &Chunk<'_, '_>, around: Around<'_>) {
        if self.moment.is_some() {
            return;
        }
        let at_ms = self.at_ms;
        for (index, at) in chunk.live().filter(|(_, at)| at.row.at_ms == at_ms) {
            for (_, of) in around.plan.of(at.row.event.data.event_type()).triggers_at(at).filter(|(_, of)| !of.reads_score) {
                self.see(index, chunk, of, None, around);
            }
        }
    }

    /// Looks whether a condition at a row is the one that opens the alert, and if so, at all of it.
    pub(crate) fn see(&mut self, index: usize, chunk: &Chunk<'_, '_>, of: &TriggerPlan, doubt: Option<u8>, around: Around<'_>) {
        let at @ At { row, mark } = chunk.at(index);
        let (rule, trigger) = around.plan.trigger(of);
        if self.moment.is_some() || row.at_ms != self.at_ms || rule.id != self.rule {
            return;
        }
        let trace = trace_of(at, chunk, around.plan, of, doubt, around.populations, around.pseudonymizer);
        let Some(entity) = &trace.entity else { return };
        let (source, id) = (around.pseudonymizer.leave_id(&row.event.source), around.pseudonymizer.leave_id(&row.event.id));
        let id = if mark.due.is_some() { format!("{id} due {}", row.at_ms).into() } else { id };
        if alert_id(&rule.id, entity, &source, &id) != self.id {
            return;
        }
        let scope = scope(at, chunk, around.plan, &of.cells, doubt);
        let Verdict::Gave { program: number, .. } = verdict(trigger, &scope, &mut 0) else { return };
        let program = &trigger.programs[number];
        let compared = compared(rule, trigger, number, &scope, around.pseudonymizer);
        self.watched = (0..trigger.reads.len()).map(|read| Watched::new(read, trigger, program, row, around)).collect();
        let message = shown::text(&row.event).map(|text| reading(&around.plan.ruleset, trigger, &[text]).swap_remove(0));
        let event = EventShown::of(&row.event, trace.position, around.pseudonymizer);
        let applied = program.applies.is_some().then_some(number);
        self.moment = Some(Moment { trace, applied, compared, event, message, ordinal: ordinal(chunk, index) });
    }

    /// Takes down which of what a stage feeds is watched.
    pub(crate) fn count(&mut self, chunks: &[Chunk<'_, '_>], stage: Stage, items: &[Item], around: Around<'_>) {
        let (true, Some(moment)) = (self.counts, &self.moment) else { return };
        for watched in &mut self.watched {
            let is_it = |item: &&Item| item.fed.is_some() && watched.is_of(item);
            let mut fed: Vec<&Item> = items.iter().filter(is_it).collect();
            // Shard by shard they come; of the whole stream they lie in all.
            fed.sort_by_key(|item| (item.chunk, item.row));
            for item in fed {
                let chunk = &chunks[item.chunk as usize];
                let index = item.row as usize;
                if moment.is_after(chunk, index) {
                    watched.take(item, stage, chunk.at(index), chunk.record(chunk.at(index).row).position, around);
                }
            }
        }
    }
}

impl Moment {
    /// Whether it comes after a row, or at it.
    fn is_after(&self, chunk: &Chunk<'_, '_>, index: usize) -> bool {
        let At { row, mark } = chunk.at(index);
        let position = chunk.record(row).position;
        position < self.trace.position
            || position == self.trace.position
                && match (self.trace.due, mark.due.is_some()) {
                    (false, false) => ordinal(chunk, index) <= self.ordinal,
                    // What is due comes before what passes it.
                    (false, true) => true,
                    (true, true) => row.at_ms <= self.trace.at_ms,
                    (true, false) => false,
                }
    }
}

/// A row's place among those of its record, which follow each other in one chunk.
fn ordinal(chunk: &Chunk<'_, '_>, index: usize) -> usize {
    let record = chunk.rows[index].record;
    chunk.rows[..index].iter().rev().take_while(|row| row.record == record).count()
}

/// Both sides of each term of a rule's condition that compares two values, as its program of that number has them.
pub(crate) fn compared(
    rule: &Rule,
    trigger: &Trigger,
    number: usize,
    scope: &RowScope<'_, '_>,
    pseudonymizer: &Pseudonymizer,
) -> Vec<Option<Compared>> {
    let program = &trigger.programs[number];
    let mut compared = Vec::with_capacity(rule.terms.when.count());
    Sides { program, event: trigger.event, scope, pseudonymizer }.collect(&rule.terms.when, rule.terms.program(program), &mut compared);
    compared
}

/// What a condition compares.
struct Sides<'s, 'r, 'a> {
    program: &'s Program,
    event: EventType,
    scope: &'s RowScope<'r, 'a>,
    pseudonymizer: &'s Pseudonymizer,
}

impl Sides<'_, '_, '_> {
    /// Of a term and of those in it, in the order of [`Term::run`].
    fn collect(&self, term: &Term, expr: &Expr, out: &mut Vec<Option<Compared>>) {
        out.push(match expr {
            Expr::Compare(comparison, left, right) if term.joins == Joins::Nothing => Some(Compared {
                sign: sign(*comparison),
                left: self.side(left),
                right: self.side(right),
                limit_is_left: is_said(left) && !is_said(right),
            }),
            _ => None,
        });
        for (part, program) in term.parts.iter().zip(term.programs(expr)) {
            self.collect(part, program, out);
        }
    }

    /// A side as it may leave.
    fn side(&self, expr: &Expr) -> serde_json::Value {
        match expr.eval(self.scope) {
            Ok(value) => leave(&value.value(), self.privacy(expr), self.pseudonymizer),
            Err(_) => serde_json::Value::Null,
        }
    }

    /// Whether what a program gives may leave: what is worked out of anything that may not leave as it is does not leave.
    fn privacy(&self, expr: &Expr) -> Privacy {
        match expr {
            Expr::Const(_) | Expr::Time | Expr::Score | Expr::Has(_) | Expr::HasBinding(_) => Privacy::Clear,
            Expr::Field(path) => field::at(self.event.fields(), *path).map_or(Privacy::Hidden, |spec| spec.privacy),
            Expr::Binding(_) | Expr::Fired(_) | Expr::Signal(..) => {
                let shown = self.program.shown.iter().find(|shown: &&Shown| shown.value.is_same(expr));
                shown.map_or(Privacy::Hidden, |shown| shown.privacy)
            }
            Expr::Negate(_) | Expr::Arithmetic(..) | Expr::Conditional(..) | Expr::Size(_) | Expr::Call(..) => {
                let is_clear = expr.parts().into_iter().all(|part| self.privacy(part) == Privacy::Clear);
                if is_clear { Privacy::Clear } else { Privacy::Hidden }
            }
            _ => Privacy::Hidden,
        }
    }
}

/// Whether the rule alone says it.
fn is_said(expr: &Expr) -> bool {
    match expr {
        Expr::Const(_) => true,
        Expr::Negate(_) | Expr::Arithmetic(..) | Expr::Call(..) => expr.parts().into_iter().all(is_said),
        _ => false,
    }
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "==",
        Comparison::NotEqual => "!=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

/// What a binding is called in the conditions that read it at that place; `None` where nothing of it may be shown.
fn called(program: &Program, read: usize) -> Option<&str> {
    let is_its = |shown: &&Shown| match shown.value {
        Expr::Binding(index) | Expr::Fired(index) | Expr::Signal(index, _) => index == read,
        _ => false,
    };
    let name = &program.shown.iter().find(is_its)?.name;
    Some(name.split('.').next().unwrap_or(name))
}

/// The binding that a trigger reads at that place.
fn binding_of(trigger: &Trigger, read: usize) -> usize {
    trigger.reads[read].binding
}
