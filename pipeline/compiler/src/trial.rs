//! One expression by itself, of any type: for the tests against CEL's own, and the examples of the rule reference.

use std::sync::Arc;

use rasid_detectors::currency::rates::{Rate, Rates};
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::Privacy;
use rasid_detectors::value::OwnedValue;

use crate::cel::Source;
use crate::diagnostic::Code;
use crate::expression::{EvalError, Expr, Scope};
use crate::names::{Bound, Mentions, Names, Param, Tables};
use crate::presence::Facts;
use crate::rates;
use crate::ty::Ty;
use crate::typecheck::Checker;

/// What an expression gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A scalar.
    Value(OwnedValue),
    /// A list of them.
    List(Vec<OwnedValue>),
}

/// A checked expression.
#[derive(Clone, Debug)]
pub struct Trial {
    expr: Expr,
    ty: Ty,
}

/// Why an expression is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What kind of fault it has.
    pub code: Code,
    /// What is said of it.
    pub message: String,
    /// What to do instead.
    pub help: Option<String>,
}

/// Checks an expression over the events of a type. `variables` are known by their values' types, and are the scope's bindings in
/// that order; `params` are the parameters.
///
/// # Errors
/// Its first fault.
pub fn check(text: &str, event: EventType, variables: &[(&str, OwnedValue)], params: &[(&str, OwnedValue)]) -> Result<Trial, Refused> {
    let bound = |(read, (name, value)): (usize, &(&str, OwnedValue))| {
        ((*name).to_owned(), Some(Bound::Aggregate { read, ty: Ty::of_value(value), privacy: Privacy::Clear }))
    };
    let lets: Vec<_> = variables.iter().enumerate().map(bound).collect();
    let params: Vec<_> = params.iter().map(|(name, value)| ((*name).to_owned(), Param::Scalar(value.clone()))).collect();
    // The examples of the language's page take a dollar for 47.85 pounds.
    let mut rates = Rates::new("EGP".to_owned());
    Rate::parse("47.85").map(|rate| rates.add("USD", i64::MIN, rate));
    let tables = Tables { rates: rates::Table::Of(Arc::new(rates)), ..Tables::default() };
    let names = Names { lets: &lets, params: &params, event_only: None, scoreless: None, unsure: false, tables: &tables };
    let (mut mentions, mut faults) = (Mentions::default(), Vec::new());
    // The text stands for the file that it would be in, so that spans are offsets in it.
    let checked = Source::parse(text, &(0..text.len()), text).map_err(|fault| faults.push(fault)).ok().and_then(|source| {
        let mut checker =
            Checker { source: &source, event, names: &names, mentions: &mut mentions, faults: &mut faults, locals: Vec::new() };
        checker.check(&source.root, &Facts::new())
    });
    match (checked, faults.into_iter().next()) {
        (Some(typed), None) => Ok(Trial { expr: typed.expr, ty: typed.ty }),
        (_, Some(fault)) => Err(Refused { code: fault.code, message: fault.message, help: fault.help }),
        (None, None) => unreachable!("what has no type has a fault"),
    }
}

impl Trial {
    /// The name of its type.
    pub fn type_name(&self) -> &'static str {
        self.ty.name()
    }

    /// Its value.
    ///
    /// # Errors
    /// As [`Expr::eval`].
    pub fn run<S: Scope + ?Sized>(&self, scope: &S) -> Result<Outcome, EvalError> {
        if matches!(self.ty, Ty::List(_)) {
            let items = self.expr.items(scope)?;
            let values: Result<Vec<_>, _> = items.values().map(|value| value.map(|value| value.to_owned())).collect();
            return values.map(Outcome::List);
        }
        self.expr.eval(scope).map(|value| Outcome::Value(value.into_owned()))
    }
}
