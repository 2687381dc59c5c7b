//! Terms of conditions that are never true, or always.
//!
//! A condition is taken apart into cases: what its bindings and fields would have to be for it to come out so. Cases in which
//! something would have to be two things at once are none; where none is left it cannot come out so. What is not understood may be
//! anything, so that a case is never lost that there is; the same where it would take too long. Only what all programs of a rule agree in is said, as an override or another
//! event type may be why it is asked.

use std::collections::BTreeMap;

use rasid_detectors::event::field::{self, FieldType};
use rasid_detectors::value::OwnedValue;

use super::View;
use super::domain::Domain;
use crate::binding::{Shape, measured};
use crate::diagnostic::{Code, Fault};
use crate::eval::compare;
use crate::expression::{Arithmetic, Comparison, Expr, StringTest};
use crate::terms::{Joins, Term};
use crate::ty::Ty;

/// What is read, and the values that it may have.
type Case = BTreeMap<String, Domain>;

/// Cases beyond which a condition is not taken apart further.
const CASES_MAX: usize = 64;

/// Warns of the smallest terms of a condition that are never or always true. `views`: it, as each program has it; `so`: what comes of
/// it where it never holds.
pub(super) fn look(condition: &Term, views: &[View<'_>], so: &str, found: &mut Vec<Fault>) {
    let never_holds = !views.is_empty() && views.iter().all(|view| !may_be(*view, true));
    visit(condition, views, never_holds.then_some(so), found);
}

/// Whether something was said of it or of a term in it.
fn visit<'a>(term: &Term, views: &[View<'a>], so: Option<&str>, found: &mut Vec<Fault>) -> bool {
    let mut said = false;
    for (number, part) in term.parts.iter().enumerate() {
        let of_part = |view: &View<'a>| Some(View { expr: term.programs(view.expr).get(number).copied()?, ..*view });
        let inner: Vec<View<'a>> = views.iter().filter_map(of_part).collect();
        said |= inner.len() == views.len() && visit(part, &inner, so, found);
    }
    // What reads nothing is what the author wants it to be, and a negation is what is in it.
    if said || views.is_empty() || term.joins == Joins::Not || views.iter().all(|view| !reads(view.expr)) {
        return said;
    }
    let never = views.iter().all(|view| !may_be(*view, true));
    let always = views.iter().all(|view| !may_be(*view, false));
    if never {
        let message = so.map_or_else(|| "this is never true".to_owned(), |so| format!("this is never true, so {so}"));
        let help = "no value meets it: a limit is the wrong one, or `&&` should be `||`";
        found.push(Fault::new(Code::NeverTrue, term.span.clone(), message).help(help));
    } else if always {
        let help = "every value meets it: remove it, or compare with a limit that some do not reach";
        found.push(Fault::new(Code::AlwaysTrue, term.span.clone(), "this is always true").help(help));
    }
    never || always
}

/// Whether a condition may come out so.
fn may_be(view: View<'_>, wanted: bool) -> bool {
    !cases(view, wanted, vec![Case::new()]).is_empty()
}

/// Those of the cases in which it may, narrowed down to what it takes.
fn cases(view: View<'_>, wanted: bool, among: Vec<Case>) -> Vec<Case> {
    let of = |expr, wanted, among| cases(View { expr, ..view }, wanted, among);
    if !view.may_take(1) {
        return among;
    }
    let left = match view.expr {
        Expr::Const(OwnedValue::Bool(value)) => return if *value == wanted { among } else { Vec::new() },
        Expr::And(first, second) | Expr::Or(first, second) => {
            let takes_both = matches!(view.expr, Expr::And(..)) == wanted;
            if takes_both {
                of(second, wanted, of(first, wanted, among.clone()))
            } else {
                let mut either = of(first, wanted, among.clone());
                either.extend(of(second, wanted, among.clone()));
                either
            }
        }
        Expr::Not(inner) => of(inner, !wanted, among.clone()),
        Expr::Conditional(asked, yes, no) => {
            let mut either = of(yes, wanted, of(asked, true, among.clone()));
            either.extend(of(no, wanted, of(asked, false, among.clone())));
            either
        }
        Expr::Compare(comparison, first, second) => {
            let comparison = if wanted { *comparison } else { opposite(*comparison) };
            match (first.as_ref(), second.as_ref()) {
                (Expr::Const(one), Expr::Const(other)) => {
                    return if compare(comparison, one.borrow(), other.borrow()) == Ok(true) { among } else { Vec::new() };
                }
                (read, Expr::Const(to)) => narrowed(View { expr: read, ..view }, comparison, to, among.clone()),
                (Expr::Const(to), read) => narrowed(View { expr: read, ..view }, turned(comparison), to, among.clone()),
                _ => among.clone(),
            }
        }
        Expr::In(read, items) => {
            let constants: Option<Vec<&OwnedValue>> =
                items.iter().map(|item| if let Expr::Const(value) = item { Some(value) } else { None }).collect();
            let read = View { expr: read, ..view };
            match constants {
                None => among.clone(),
                Some(values) if wanted && values.len() * among.len() <= CASES_MAX => {
                    values.into_iter().flat_map(|value| narrowed(read, Comparison::Equal, value, among.clone())).collect()
                }
                Some(_) if wanted => among.clone(),
                Some(values) => values.into_iter().fold(among.clone(), |among, value| narrowed(read, Comparison::NotEqual, value, among)),
            }
        }
        Expr::Fired(_) | Expr::Has(_) | Expr::HasBinding(_) | Expr::Field(_) | Expr::InList(..) | Expr::InZone(..) => {
            narrowed(view, Comparison::Equal, &OwnedValue::Bool(wanted), among.clone())
        }
        _ => return among,
    };
    if left.len() > CASES_MAX { among } else { left }
}

/// The cases in which what is read stands so to a constant.
fn narrowed(view: View<'_>, comparison: Comparison, to: &OwnedValue, among: Vec<Case>) -> Vec<Case> {
    let Some((name, domain)) = name(view.expr).zip(domain(view, to)).filter(|_| view.may_take(among.len())) else { return among };
    let narrow = |mut case: Case| {
        let left = case.entry(name.clone()).or_insert_with(|| domain.clone());
        left.narrow(comparison, to);
        (!left.is_empty()).then_some(case)
    };
    among.into_iter().filter_map(narrow).collect()
}

impl View<'_> {
    /// Takes so many steps, if they are left.
    fn may_take(self, steps: usize) -> bool {
        let left = u32::try_from(steps).ok().and_then(|steps| self.steps.get().checked_sub(steps));
        self.steps.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// Whether it is a whole number, whatever the event.
pub(super) fn is_whole(view: View<'_>) -> bool {
    let binding = |index: &usize| view.lets.get(*index).and_then(|draft| draft.binding.as_ref()).map(|(_, shape)| *shape);
    let of = |expr| is_whole(View { expr, ..view });
    match view.expr {
        Expr::Const(value) => matches!(value, OwnedValue::Int(_)),
        Expr::Field(path) => field::at(view.event.fields(), *path).is_some_and(|spec| matches!(spec.ty, FieldType::Int)),
        Expr::Binding(index) => match binding(index) {
            Some(Shape::Aggregate(ty, _)) => ty == Ty::Int,
            Some(Shape::Measure(spec, of, _)) => measured(spec, of, 0) == Some(Ty::Int),
            Some(Shape::Signal(_)) | None => false,
        },
        Expr::Signal(index, place) => match binding(index) {
            Some(Shape::Measure(spec, of, _)) => measured(spec, of, *place) == Some(Ty::Int),
            Some(Shape::Signal(spec)) => measured(spec, None, *place) == Some(Ty::Int),
            Some(Shape::Aggregate(..)) | None => false,
        },
        Expr::Score | Expr::Size(_) => true,
        Expr::Negate(inner) => of(inner),
        Expr::Arithmetic(_, one, other) => of(one) && of(other),
        _ => false,
    }
}

/// What it may be, before anything is asked of it. `to`: what it is compared with.
fn domain(view: View<'_>, to: &OwnedValue) -> Option<Domain> {
    let binding = |index: &usize| view.lets.get(*index)?.binding.as_ref();
    let least = if let Expr::Binding(index) = view.expr { binding(index).and_then(|(made, _)| made.operator.spec().least) } else { None };
    let is_whole = is_whole(view);
    Some(match (view.expr, to) {
        (Expr::Score, OwnedValue::Int(_) | OwnedValue::Double(_)) => Domain::whole(0, 100),
        (Expr::Size(_), OwnedValue::Int(_) | OwnedValue::Double(_)) => Domain::whole(0, i64::MAX),
        (_, OwnedValue::Int(_) | OwnedValue::Double(_)) if is_whole => Domain::whole(least.unwrap_or(i64::MIN), i64::MAX),
        #[expect(clippy::cast_precision_loss, reason = "what a kind of value is never below is 0, or near it")]
        (_, OwnedValue::Int(_) | OwnedValue::Double(_)) => Domain::real(least.map_or(f64::NEG_INFINITY, |least| least as f64)),
        (_, OwnedValue::Time(_) | OwnedValue::Duration(_)) => Domain::whole(i64::MIN, i64::MAX),
        (_, OwnedValue::Str(_)) => Domain::text(),
        (_, OwnedValue::Bool(_)) => Domain::Truth(true, true),
        _ => return None,
    })
}

/// The same name for what always has the same value at one event; `None` of what is not understood.
fn name(expr: &Expr) -> Option<String> {
    Some(match expr {
        Expr::Const(OwnedValue::Int(value)) => format!("{value}"),
        Expr::Const(OwnedValue::Double(value)) => format!("{value:?}"),
        Expr::Const(OwnedValue::Time(value)) => format!("time {value}"),
        Expr::Const(OwnedValue::Duration(value)) => format!("span {value}"),
        Expr::Field(path) => format!("field {path:?}"),
        Expr::Has(path) => format!("has {path:?}"),
        Expr::Binding(index) => format!("binding {index}"),
        Expr::HasBinding(index) => format!("has binding {index}"),
        Expr::Fired(index) => format!("fired {index}"),
        Expr::Signal(index, place) => format!("signal {index} {place}"),
        Expr::Time => "time".to_owned(),
        Expr::Score => "score".to_owned(),
        Expr::Size(of) => format!("size({})", name(of)?),
        Expr::Negate(of) => format!("-({})", name(of)?),
        Expr::Arithmetic(operation, first, second) => {
            let sign = match operation {
                Arithmetic::Add => '+',
                Arithmetic::Subtract => '-',
                Arithmetic::Multiply => '*',
                Arithmetic::Divide => '/',
                Arithmetic::Modulo => '%',
            };
            format!("({}) {sign} ({})", name(first)?, name(second)?)
        }
        Expr::InList(item, list) => format!("({}) in {}", name(item)?, list.name),
        Expr::InZone(place, zone) => {
            let [lat, lon] = place.as_ref();
            format!("({}, {}) in zone {}", name(lat)?, name(lon)?, zone.name)
        }
        _ => return None,
    })
}

/// Whether it reads anything at all.
fn reads(expr: &Expr) -> bool {
    match expr {
        Expr::Const(_) => false,
        Expr::Not(of) | Expr::Negate(of) | Expr::Size(of) | Expr::Text(of, StringTest::Matches(_)) => reads(of),
        Expr::And(one, other) | Expr::Or(one, other) | Expr::Compare(_, one, other) | Expr::Arithmetic(_, one, other) => {
            reads(one) || reads(other)
        }
        Expr::Conditional(asked, yes, no) => reads(asked) || reads(yes) || reads(no),
        Expr::In(item, items) => reads(item) || items.iter().any(reads),
        _ => true,
    }
}

fn opposite(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Equal => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::GreaterOrEqual,
        Comparison::LessOrEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessOrEqual,
        Comparison::GreaterOrEqual => Comparison::Less,
    }
}

/// The same with its sides changed.
fn turned(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        same => same,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use rasid_detectors::event::EventType;

    use super::*;

    /// A rule may be made so that looking at it takes for ever: then nothing is said, and soon.
    #[test]
    fn what_takes_too_long_is_not_said() {
        let is_below_zero = Expr::Compare(Comparison::Less, Box::new(Expr::Score), Box::new(Expr::Const(OwnedValue::Int(0))));
        let never_said = |allowed: u32| {
            let steps = Cell::new(allowed);
            !may_be(View { expr: &is_below_zero, event: EventType::ChatMessage, lets: &[], steps: &steps }, true)
        };
        assert_eq!([0, 1, 2, 3].map(never_said), [false, false, true, true]);
        let words = Expr::In(Box::new(Expr::Score), (1_000..2_000).map(|number| Expr::Const(OwnedValue::Int(number))).collect());
        let both = Expr::And(Box::new(Expr::Not(Box::new(words))), Box::new(is_below_zero.clone()));
        let steps = Cell::new(500);
        assert!(may_be(View { expr: &both, event: EventType::ChatMessage, lets: &[], steps: &steps }, true));
        assert_eq!(steps.get(), 0);
    }
}
