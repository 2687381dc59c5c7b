//! What is odd about a rule and no fault: a condition that never holds, a list's entry that has ended, a rule without a test.
//!
//! A warning is sound or it is not given: `constant` says that a term is never or always true, and `hiding` that a condition cannot
//! hold without a field, only where no values make it otherwise.

mod constant;
pub(crate) mod currencies;
mod division;
mod domain;
mod expired;
mod hiding;

use std::cell::Cell;
use std::ops::Range;

use rasid_detectors::event::EventType;

use crate::binding::Draft;
use crate::diagnostic::{Code, Diagnostic, Fault, Report};
use crate::expression::Expr;
use crate::ruleset::{Rule, Ruleset};
use crate::terms::Term;

/// A condition of a rule under one set of parameters, at one event type.
#[derive(Clone, Copy)]
struct View<'a> {
    expr: &'a Expr,
    event: EventType,
    /// What its bindings are, by the numbers that it names them by.
    lets: &'a [Draft],
    /// The steps that are left to look at all conditions of the rule: rules are compiled while they are in force, and nobody waits
    /// long for a warning.
    steps: &'a Cell<u32>,
}

/// Steps for one rule; a usual one takes some hundred.
const STEPS_MAX: u32 = 50_000;

/// What is odd about a rule without a fault. Its programs name bindings by their place in `lets`, of which the
/// first `own` are its own; `id` is where its id stands.
pub(crate) fn warnings(rule: &Rule, lets: &[Draft], own: usize, id: &Range<usize>) -> Vec<Fault> {
    let mut found = Vec::new();
    let steps = &Cell::new(STEPS_MAX);
    let triggers = || {
        rule.triggers.iter().flat_map(|trigger| trigger.programs.iter().enumerate().map(move |(number, of)| (trigger.event, number, of)))
    };
    let view = |event, expr| View { expr, event, lets, steps };
    let views: Vec<View<'_>> = triggers().map(|(event, _, program)| view(event, rule.terms.program(program))).collect();
    constant::look(&rule.terms.when, &views, "the rule opens no alert", &mut found);
    division::look(&rule.terms.when, &views, &mut found);
    for (number, span) in rule.terms.applies.iter().enumerate() {
        let of_override = triggers().filter(|(_, other, _)| *other == number);
        let views: Vec<View<'_>> = of_override.filter_map(|(event, _, program)| Some(view(event, program.applies.as_ref()?))).collect();
        constant::look(&Term::alone(span.clone()), &views, "the override never applies", &mut found);
    }
    hiding::look(rule, lets, rule.prose.known_gaps.as_deref().unwrap_or_default(), &mut found);
    currencies::look(lets.get(..own).unwrap_or_default(), &mut found);
    if rule.runbook.is_none() {
        let fault = Fault::new(Code::NoRunbook, id.clone(), "the rule has no runbook");
        found.push(fault.help("add `runbook: docs/runbooks/….md`, the page that says what to do when it alerts"));
    }
    tested(rule, id, &mut found);
    found
}

/// Whether there are tests, of both sorts.
fn tested(rule: &Rule, id: &Range<usize>, found: &mut Vec<Fault>) {
    let (silent, loud): (Vec<_>, Vec<_>) = rule.tests.iter().partition(|test| test.alerts.is_empty());
    let mut warn = |code, message: &str, help: &str| found.push(Fault::new(code, id.clone(), message).help(help));
    if rule.tests.is_empty() {
        warn(Code::NoAlertTested, "the rule has no test", "add `tests`: one that opens an alert, one just below, one of somebody honest");
    } else if loud.is_empty() {
        warn(
            Code::NoAlertTested,
            "no test of the rule expects an alert",
            "add one whose events open an alert, so that it is known to fire",
        );
    } else if silent.is_empty() {
        let help = "add one just below the limit, and one of somebody honest who looks alike, both with `alerts: []`";
        warn(Code::NoSilenceTested, "no test of the rule expects that no alert opens", help);
    }
}

impl Ruleset {
    /// Every warning at an instant, Unix ms: what the rules' own is, and the entries of lists that have expired by then.
    pub fn warnings_at(&self, now_ms: i64) -> Option<Report> {
        let mut faults = self.warnings.clone();
        for (file, source) in self.sources.iter().enumerate() {
            faults.extend(expired::of(source, now_ms).into_iter().map(|fault| Diagnostic::new(file, fault)));
        }
        faults.sort_by_key(|fault| (fault.file, fault.span.start));
        (!faults.is_empty()).then(|| Report { faults, sources: self.sources.clone(), dir: None })
    }
}
