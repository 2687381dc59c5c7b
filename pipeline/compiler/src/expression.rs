//! Typed programs: what CEL is lowered to, and how they run.

use std::collections::BTreeMap;
use std::sync::Arc;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::field::FieldPath;
use rasid_detectors::value::{OwnedValue, Value};

/// What a program reads while it runs: one event, and the values of the bindings at it.
pub trait Scope {
    /// The event's field at `path`, [`Value::Absent`] where there is none.
    fn field(&self, path: FieldPath) -> Value<'_>;
    /// A field of `data` outside the vocabulary.
    fn unknown(&self, name: &str) -> OwnedValue;
    /// The value of the aggregate that is `index`-th among the trigger's reads.
    fn binding(&self, index: usize) -> Value<'_>;
    /// Whether the detector that is `index`-th among the trigger's reads fired on this event.
    fn fired(&self, index: usize) -> bool;
    /// The event clock at this event, ms since the Unix epoch.
    fn time(&self) -> i64;
    /// The `field`-th value of its signal, [`Value::Absent`] where it did not fire.
    fn signal(&self, index: usize, field: usize) -> Value<'_>;
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// An arithmetic operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// A test of one string.
#[derive(Clone, Debug)]
pub enum StringTest {
    /// Begins with.
    StartsWith(Box<Expr>),
    /// Ends with.
    EndsWith(Box<Expr>),
    /// Holds.
    Contains(Box<Expr>),
    /// Matches somewhere; linear time (crate regex).
    Matches(Arc<regex::Regex>),
}

/// A program. The checker has given every node its type; running it can only fail as CEL says it does.
#[derive(Clone, Debug)]
pub enum Expr {
    /// A literal, or a rule's parameter.
    Const(OwnedValue),
    /// A field of the event.
    Field(FieldPath),
    /// Whether the event has that field: `has(data.x)`.
    Has(FieldPath),
    /// `data["name"]`: a field outside the vocabulary, typed when it is read.
    Unknown(Box<str>),
    /// `"name" in data`.
    HasUnknown(Box<str>),
    /// An aggregate, by its index among the trigger's reads.
    Binding(usize),
    /// `name.fired` of a detector.
    Fired(usize),
    /// `name.field` of a detector.
    Signal(usize, usize),
    /// `!x`.
    Not(Box<Expr>),
    /// `-x`.
    Negate(Box<Expr>),
    /// `x && y`.
    And(Box<Expr>, Box<Expr>),
    /// `x || y`.
    Or(Box<Expr>, Box<Expr>),
    /// `x < y` and its kin.
    Compare(Comparison, Box<Expr>, Box<Expr>),
    /// `x + y` and its kin.
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    /// `x ? y : z`.
    Conditional(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `x in [ … ]`.
    In(Box<Expr>, Vec<Expr>),
    /// `x in list.name`: whether a list's entry that has not expired at the event clock says so.
    InList(Box<Expr>, Arc<List>),
    /// `time`: the event clock.
    Time,
    /// `size(x)` of a string: its code points.
    Size(Box<Expr>),
    /// `x.startsWith(y)` and its kin.
    Text(Box<Expr>, StringTest),
}

/// A list of values with reasons: `rules/lists/<name>.yaml`.
#[derive(Clone, Default, PartialEq)]
pub struct List {
    /// Its name.
    pub name: String,
    /// The kind of entity whose identifiers it holds, by which both sides are normalised; `None`: plain text.
    pub kind: Option<EntityKind>,
    /// Normalised value to the instant at which the entry ends, ms since the Unix epoch; `None` never does.
    pub entries: BTreeMap<String, Option<i64>>,
}

/// How many entries there are, never which: they may be personal.
impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("List").field("name", &self.name).field("kind", &self.kind).field("entries", &self.entries.len()).finish()
    }
}

/// Why a program gave no value. It is no hit, and is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A field, window or signal that holds nothing was read.
    #[error("read a value that is absent")]
    Absent,
    /// A whole number, timestamp or duration left its range.
    #[error("arithmetic overflow")]
    Overflow,
    /// Division or modulo by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// A field outside the vocabulary turned out to be of a type that the operation does not take.
    #[error("no such overload for the types at hand")]
    NoOverload,
    /// What stands for a personal value was read as if it were the value.
    #[error("a personal value is not at hand in an archive")]
    StandIn,
}
