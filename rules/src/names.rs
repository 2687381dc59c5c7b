//! What an expression or an explanation may name beside the event.

use std::collections::BTreeSet;

use rasid_detectors::detector::DetectorSpec;
use rasid_detectors::event::field::{FieldPath, Privacy};
use rasid_detectors::value::OwnedValue;

use crate::ty::Ty;

/// What `let` binds to a name, as conditions see it. `read` is its index among the trigger's reads.
#[derive(Clone)]
pub(crate) enum Bound {
    Aggregate { read: usize, ty: Ty, privacy: Privacy },
    Detector { read: usize, spec: &'static DetectorSpec },
}

/// A parameter of a rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Param {
    Scalar(OwnedValue),
    List(Vec<OwnedValue>),
}

/// The names in scope.
pub(crate) struct Names<'a> {
    /// In file order. `None`: its binding has a fault of its own.
    pub(crate) lets: &'a [(String, Option<Bound>)],
    /// In file order.
    pub(crate) params: &'a [(String, Param)],
    /// Whether this is a binding's `where`, which sees the event alone.
    pub(crate) filter: bool,
}

impl<'a> Names<'a> {
    /// What a filter sees.
    pub(crate) const FILTER: Names<'static> = Names { lets: &[], params: &[], filter: true };

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
