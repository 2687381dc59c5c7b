//! What an expression or an explanation may name beside the event.

use std::collections::BTreeSet;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::field::{FieldPath, FieldType, Privacy};
use rasid_detectors::operator::OperatorSpec;
use rasid_detectors::value::OwnedValue;

use crate::list::Lists;
use crate::rates;
use crate::ty::Ty;
use crate::zone::Zones;

/// What `let` binds to a name, as conditions see it. `read` is its index among the trigger's reads.
#[derive(Clone)]
pub(crate) enum Bound {
    Aggregate { read: usize, ty: Ty, privacy: Privacy },
    Measure { read: usize, spec: &'static OperatorSpec, of: Option<FieldType>, privacy: Privacy },
    Signal { read: usize, spec: &'static OperatorSpec },
}

/// A parameter of a rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Param {
    Scalar(OwnedValue),
    List(Vec<OwnedValue>),
}

/// What rules look things up in, beside the event.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) lists: Lists,
    pub(crate) zones: Zones,
    pub(crate) rates: rates::Table,
}

/// The names in scope.
pub(crate) struct Names<'a> {
    /// In file order, the rule's own first. `None`: its binding has a fault of its own.
    pub(crate) lets: &'a [(String, Option<Bound>)],
    /// In file order.
    pub(crate) params: &'a [(String, Param)],
    /// The key, where that sees the event and the lists alone: a binding's `where`, an override's `if`.
    pub(crate) event_only: Option<&'static str>,
    /// The rule's entity, where that has no score.
    pub(crate) scoreless: Option<EntityKind>,
    /// Whether the shared bindings could not be read, so that a name that is not there may be one of them.
    pub(crate) unsure: bool,
    pub(crate) tables: &'a Tables,
}

impl<'a> Names<'a> {
    /// What `key` sees, which reads the event alone.
    pub(crate) fn event_only(key: &'static str, tables: &'a Tables) -> Self {
        Names { lets: &[], params: &[], event_only: Some(key), scoreless: None, unsure: false, tables }
    }

    pub(crate) fn find(&self, name: &str) -> Option<(usize, Option<&'a Bound>)> {
        let index = self.lets.iter().position(|(other, _)| other == name)?;
        Some((index, self.lets.get(index)?.1.as_ref()))
    }

    pub(crate) fn param(&self, name: &str) -> Option<(usize, &'a Param)> {
        let index = self.params.iter().position(|(other, _)| other == name)?;
        Some((index, &self.params.get(index)?.1))
    }
}

/// What was named, so that an alert shows it and what nothing names is found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mentions {
    pub(crate) lets: BTreeSet<usize>,
    pub(crate) params: BTreeSet<usize>,
    /// Whether the score was.
    pub(crate) score: bool,
    /// Fields outside the vocabulary.
    pub(crate) unknowns: BTreeSet<String>,
    /// In the order of their first mention.
    pub(crate) fields: Vec<(FieldPath, String)>,
}

impl Mentions {
    pub(crate) fn field(&mut self, path: FieldPath, name: &str) {
        if !self.fields.iter().any(|(other, _)| *other == path) {
            self.fields.push((path, name.to_owned()));
        }
    }
}
