//! Optional fields that hide whoever leaves them out.
//!
//! An event that lacks a key of what a condition reads gives it no value there, and `has()` of a field that is not there is false. Where
//! a condition cannot hold then, an adversary has nothing to do but to leave the field out. Asked of what his own device says: itself,
//! its address, its place. What the marketplace knows he cannot leave out, and what the rule itself is about is not asked for: a rule
//! about devices sees no others.

use std::collections::BTreeMap;
use std::ops::Range;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::FieldSpec;
use rasid_detectors::value::OwnedValue;

use crate::binding::Draft;
use crate::diagnostic::{Code, Fault, listed};
use crate::expression::{Expr, StringTest};
use crate::ruleset::{EntityField, KeyPart, Rule};
use crate::terms::{Joins, Term};

/// Warns of each place at which a condition needs a field that may be left out, unless the rule's `known_gaps` names the field: then its
/// author knows.
pub(super) fn look(rule: &Rule, lets: &[Draft], gaps: &str, found: &mut Vec<Fault>) {
    // By place, because a condition is looked at once for each event type.
    let mut places: BTreeMap<(usize, usize), Vec<(&'static str, EventType)>> = BTreeMap::new();
    for trigger in &rule.triggers {
        let Some(program) = trigger.programs.last() else { continue };
        let (expr, fields) = (rule.terms.program(program), trigger.event.fields());
        if !(Without { event: trigger.event, field: None, lets }).comes(expr).may_hold {
            continue; // that has nothing to do with a field
        }
        for (number, spec) in fields
            .iter()
            .enumerate()
            .filter(|(_, spec)| spec.optional && spec.entities.iter().any(|kind| is_of_clients(*kind)) && !is_named(spec.name, gaps))
        {
            let without = Without { event: trigger.event, field: u8::try_from(number).ok().map(|number| (number, spec)), lets };
            if !without.is_of(KeyPart::Entity(trigger.entity)) && !without.comes(expr).may_hold {
                let Range { start, end } = without.place(&rule.terms.when, expr);
                places.entry((start, end)).or_default().push((spec.name, trigger.event));
            }
        }
    }
    for ((start, end), lacking) in places {
        found.extend(warning(start..end, &lacking));
    }
}

/// Whether a text names the field, as a word.
fn is_named(field: &str, text: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == field)
}

/// Whether it is the client's device that says it.
fn is_of_clients(kind: EntityKind) -> bool {
    matches!(kind, EntityKind::Device | EntityKind::Ip | EntityKind::IpPrefix | EntityKind::Fingerprint | EntityKind::Region)
}

fn warning(span: Range<usize>, lacking: &[(&'static str, EventType)]) -> Option<Fault> {
    let mut names: Vec<&str> = lacking.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    let (name, event) = lacking.first().copied()?;
    let one = names.len() == 1;
    let message =
        format!("whoever leaves out {} is not seen: without {} the condition cannot hold", listed(names), if one { "it" } else { "them" });
    let required = event.fields().iter().filter(|spec| !spec.optional).filter_map(|spec| Some((*spec.entities.first()?, spec.name)));
    // What is new each time counts to one.
    let is_new = |kind| matches!(kind, EntityKind::Payment | EntityKind::Booking | EntityKind::Conversation);
    let required = required.min_by_key(|(kind, _)| is_new(*kind));
    let key = required.map_or_else(
        || "all".to_owned(),
        |(kind, field)| {
            let is_alone = event.fields().iter().filter(|spec| spec.entities.contains(&kind)).count() == 1;
            if is_alone { kind.name().to_owned() } else { format!("{}({field})", kind.name()) }
        },
    );
    let help = format!(
        "`{name}` is optional in {}: add a second term under a key that is always there, `… || other > limit` with `other: {{…, by: {key}}}`, or one for those without it, `!has(data.{name}) && …`; or name `{name}` in the rule's `known_gaps`",
        event.name()
    );
    Some(Fault::new(Code::Hides, span, message).help(help))
}

/// What a program may come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Comes {
    may_hold: bool,
    may_not: bool,
    may_fail: bool,
}

impl Comes {
    const ANYHOW: Self = Self { may_hold: true, may_not: true, may_fail: true };
    const FAILS: Self = Self { may_hold: false, may_not: false, may_fail: true };

    fn just(value: bool) -> Self {
        Self { may_hold: value, may_not: !value, may_fail: false }
    }

    fn not(self) -> Self {
        Self { may_hold: self.may_not, may_not: self.may_hold, ..self }
    }

    fn and(self, other: Self) -> Self {
        let may_fail = (self.may_fail && (other.may_hold || other.may_fail)) || (self.may_hold && other.may_fail);
        Self { may_hold: self.may_hold && other.may_hold, may_not: self.may_not || other.may_not, may_fail }
    }

    fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }

    fn either(self, other: Self) -> Self {
        Self {
            may_hold: self.may_hold || other.may_hold,
            may_not: self.may_not || other.may_not,
            may_fail: self.may_fail || other.may_fail,
        }
    }
}

/// Events of a type without one of its fields; `None`: with all of them.
#[derive(Clone, Copy)]
struct Without<'a> {
    event: EventType,
    field: Option<(u8, &'static FieldSpec)>,
    /// What the bindings are, by the numbers that programs name them by.
    lets: &'a [Draft],
}

impl Without<'_> {
    /// Whether that part of a key is of the field.
    fn is_of(&self, part: KeyPart) -> bool {
        let Some((field, spec)) = self.field else { return false };
        match part {
            KeyPart::Entity(EntityField { path: Some(path), .. }) | KeyPart::Value(path) => path.field == field,
            KeyPart::Entity(EntityField { kind, path: None }) => kind == EntityKind::Region && spec.entities.contains(&kind),
        }
    }

    /// Whether a binding is read under a key that the event lacks.
    fn lacks(&self, binding: usize) -> bool {
        let reads = self.lets.get(binding).map(|draft| draft.reads.as_slice()).unwrap_or_default();
        reads.iter().filter(|(event, _)| *event == self.event).flat_map(|(_, key)| key).any(|part| self.is_of(*part))
    }

    fn comes(&self, expr: &Expr) -> Comes {
        let field = self.field.map(|(field, _)| field);
        let fails = |parts: &[&Expr]| if parts.iter().any(|part| self.comes(part) == Comes::FAILS) { Comes::FAILS } else { Comes::ANYHOW };
        match expr {
            Expr::Const(OwnedValue::Bool(value)) => Comes::just(*value),
            Expr::Field(path) | Expr::Elements(path) if Some(path.field) == field => Comes::FAILS,
            // Inside an object that is not there it is an error.
            Expr::Has(path) if Some(path.field) == field => {
                if path.child.is_some() {
                    Comes::FAILS
                } else {
                    Comes::just(false)
                }
            }
            Expr::Binding(index) | Expr::Fired(index) | Expr::Signal(index, _) if self.lacks(*index) => Comes::FAILS,
            Expr::HasBinding(index) if self.lacks(*index) => Comes::just(false),
            Expr::Not(inner) => self.comes(inner).not(),
            Expr::And(one, other) => self.comes(one).and(self.comes(other)),
            Expr::Or(one, other) => self.comes(one).or(self.comes(other)),
            Expr::Conditional(asked, yes, no) => {
                let (asked, yes, no) = (self.comes(asked), self.comes(yes), self.comes(no));
                let may = [(asked.may_hold, yes), (asked.may_not, no), (asked.may_fail, Comes::FAILS)];
                let nothing = Comes { may_hold: false, may_not: false, may_fail: false };
                may.into_iter().filter(|(is_so, _)| *is_so).fold(nothing, |all, (_, one)| all.either(one))
            }
            Expr::Compare(_, one, other) | Expr::Arithmetic(_, one, other) => fails(&[one, other]),
            Expr::Negate(inner)
            | Expr::Size(inner)
            | Expr::InList(inner, _)
            | Expr::In(inner, _)
            | Expr::Text(inner, StringTest::Matches(_)) => fails(&[inner]),
            Expr::InZone(place, _) => {
                let [lat, lon] = place.as_ref();
                fails(&[lat, lon])
            }
            Expr::Text(inner, StringTest::StartsWith(other) | StringTest::EndsWith(other) | StringTest::Contains(other)) => {
                fails(&[inner, other])
            }
            _ => Comes::ANYHOW,
        }
    }

    /// The smallest term that cannot hold: of several that must hold together, the one.
    fn place(&self, term: &Term, expr: &Expr) -> Range<usize> {
        if term.joins == Joins::And {
            let mut parts = term.parts.iter().zip(term.programs(expr));
            if let Some((part, program)) = parts.find(|(_, program)| !self.comes(program).may_hold) {
                return self.place(part, program);
            }
        }
        term.span.clone()
    }
}
