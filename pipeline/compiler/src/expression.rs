//! Typed programs: what CEL is lowered to, and how they run.

use std::cell::Cell;
use std::sync::Arc;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::columns::StandIn;
use rasid_detectors::event::field::FieldPath;
use rasid_detectors::value::{OwnedValue, Value};

use crate::canonical;
use crate::items::Item;
pub use crate::library::Function;
pub use crate::list::keyed::Keyed;
use crate::list::keyed::Reach;
use crate::list::members::Members;
use crate::zone::Zone;

/// What a program reads while it runs: one event, and the values of the bindings at it.
pub trait Scope {
    /// The event's field at `path`, [`Value::Absent`] where there is none.
    fn field(&self, path: FieldPath) -> Value<'_>;
    /// A field of `data` outside the vocabulary.
    fn unknown(&self, name: &str) -> OwnedValue;
    /// The value of the aggregate that is `index`-th among the trigger's reads.
    fn binding(&self, index: usize) -> Value<'_>;
    /// Whether the detector that is `index`-th among the trigger's reads fired on this event; `None` where the event does not
    /// name whom it remembers.
    fn fired(&self, index: usize) -> Option<bool>;
    /// The event clock at this event, ms since the Unix epoch.
    fn time(&self) -> i64;
    /// The score of the rule's entity, from the reasons of rules that do not read it, 0 to 100.
    fn score(&self) -> Value<'_>;
    /// The `field`-th value of its signal, [`Value::Absent`] where it did not fire.
    fn signal(&self, index: usize, field: usize) -> Value<'_>;
    /// How many elements the event's list at `path` has; `None` where it is not there, or its elements are not at hand.
    fn count(&self, path: FieldPath) -> Option<usize> {
        let _ = path;
        None
    }
    /// A field of an element of the event's list at `path`, or one of the two numbers of a point.
    fn element(&self, path: FieldPath, index: usize, field: u8) -> Value<'_> {
        let _ = (path, index, field);
        Value::Absent
    }
    /// The scalars of a list outside the vocabulary; `None` where there is none.
    fn unknown_list(&self, name: &str) -> Option<Vec<OwnedValue>> {
        let _ = name;
        None
    }
    /// What a loop's variable stands for; the loop that binds it knows.
    fn item(&self, slot: u8) -> Item<'_> {
        let _ = slot;
        Item::Value(Value::Absent)
    }
    /// Whether a list holds what a stand-in stands for.
    ///
    /// # Errors
    /// [`EvalError::StandIn`] where that cannot be told: nobody has the list by keys, or it takes no stand-ins.
    fn listed(&self, list: &List, stand_in: &StandIn) -> Result<bool, EvalError> {
        let _ = (list, stand_in);
        Err(EvalError::StandIn)
    }
    /// The steps that are left to the outermost loop around; `None` outside of loops.
    fn steps(&self) -> Option<&Cell<u32>> {
        None
    }
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
    /// `has(values.name)`: whether the aggregate has a value.
    HasBinding(usize),
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
    /// `place in zone.name`, by latitude and longitude.
    InZone(Box<[Expr; 2]>, Arc<Zone>),
    /// `time`: the event clock.
    Time,
    /// `score`: what the rules that do not read it have made of the rule's entity.
    Score,
    /// `size(x)` of a string: its code points.
    Size(Box<Expr>),
    /// `x.startsWith(y)` and its kin.
    Text(Box<Expr>, StringTest),
    /// A function of the library, with its arguments; of a method the first is what it is called on.
    Call(Function, Vec<Expr>),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// A list of the event.
    Elements(FieldPath),
    /// A loop's variable, by the number of loops around that loop.
    Item(u8),
    /// `list[index]`.
    At(Box<Expr>, Box<Expr>),
    /// A field of an element of a list of the event, or a number of a point.
    Part(Box<Expr>, u8),
    /// Whether that is there.
    HasPart(Box<Expr>, u8),
    /// `list.all(x, …)` and its kin.
    Loop(Box<Loop>),
}

/// The programs that one is made of, shared or to be changed: the one place that knows them.
macro_rules! parts {
    ($expr:expr, $($mutable:tt)?) => {
        match $expr {
            Self::Not(a)
            | Self::Negate(a)
            | Self::Size(a)
            | Self::InList(a, _)
            | Self::Part(a, _)
            | Self::HasPart(a, _)
            | Self::Text(a, StringTest::Matches(_)) => vec![a],
            Self::And(a, b)
            | Self::Or(a, b)
            | Self::Compare(_, a, b)
            | Self::Arithmetic(_, a, b)
            | Self::At(a, b)
            | Self::Text(a, StringTest::StartsWith(b) | StringTest::EndsWith(b) | StringTest::Contains(b)) => vec![a, b],
            Self::Conditional(a, b, c) => vec![a, b, c],
            Self::In(a, list) => [& $($mutable)? **a].into_iter().chain(list).collect(),
            Self::InZone(place, _) => {
                let [lat, lon] = & $($mutable)? **place;
                vec![lat, lon]
            }
            Self::Call(_, parts) | Self::List(parts) => parts.into_iter().collect(),
            Self::Loop(repeat) => {
                let Loop { list, body, keep, .. } = & $($mutable)? **repeat;
                [list, body].into_iter().chain(keep).collect()
            }
            Self::Const(_)
            | Self::Field(_)
            | Self::Has(_)
            | Self::Unknown(_)
            | Self::HasUnknown(_)
            | Self::Binding(_)
            | Self::HasBinding(_)
            | Self::Fired(_)
            | Self::Signal(..)
            | Self::Time
            | Self::Score
            | Self::Elements(_)
            | Self::Item(_) => Vec::new(),
        }
    };
}

impl Expr {
    /// The programs that it is made of.
    pub fn parts(&self) -> Vec<&Expr> {
        parts!(self,)
    }

    /// Whether it is the same program, constants and lists' entries included.
    pub fn is_same(&self, other: &Self) -> bool {
        let text = |expr: &Self| canonical::text(expr, canonical::Fields::Numbered);
        text(self) == text(other)
    }

    /// The same, to change them.
    pub(crate) fn parts_mut(&mut self) -> Vec<&mut Expr> {
        parts!(self, mut)
    }
}

/// What a loop makes of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopKind {
    /// Whether the body holds of all.
    All,
    /// Whether it holds of one or more.
    Exists,
    /// Whether it holds of exactly one.
    ExistsOne,
    /// Those of which it holds.
    Filter,
    /// The body's value of each.
    Map,
}

/// A loop over a list.
#[derive(Clone, Debug)]
pub struct Loop {
    /// What is made of the list.
    pub kind: LoopKind,
    /// The number of its variable: of loops around it.
    pub slot: u8,
    /// What it runs over.
    pub list: Expr,
    /// What is asked of each element.
    pub body: Expr,
    /// Of a map with a condition: which elements are taken.
    pub keep: Option<Expr>,
    /// Steps of one round: the programs in it, loops inside it counted once.
    pub cost: u32,
}

/// A list of values with reasons: `rules/lists/<name>.yaml`.
#[derive(Clone, Default, PartialEq)]
pub struct List {
    /// Its name.
    pub name: String,
    /// The kind of entity whose identifiers it holds, by which both sides are normalised; `None`: plain text.
    pub kind: Option<EntityKind>,
    /// What it holds, in 32 bytes.
    pub(crate) digest: [u8; 32],
    pub(crate) reach: Reach,
    pub(crate) members: Members,
}

/// What a list holds, as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListId(pub(crate) [u8; 32], pub(crate) Option<u8>);

/// How many entries there are, never which: they may be personal.
impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("List")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("entries", &self.members.len())
            .finish_non_exhaustive()
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
    /// A text is none of what it was to be converted to, or out of that range.
    #[error("a value that cannot be converted")]
    Conversion,
    /// An amount for whose currency there is no rate at that time, or that does not fit.
    #[error("an amount without a rate")]
    NoRate,
    /// An index or a place outside the list or the text.
    #[error("an index out of range")]
    OutOfRange,
    /// A text or a list longer than one that is made may be.
    #[error("a text or list too long")]
    TooLong,
    /// A loop that takes more steps than it may.
    #[error("too many steps in a loop")]
    TooManySteps,
    /// What stands for a personal value was read as if it were the value.
    #[error("a personal value is not at hand in an archive")]
    StandIn,
}
