//! Lists while a program runs: what they hold, and the bounds of what is made on the way.

use rasid_detectors::event::field::FieldPath;
use rasid_detectors::value::{OwnedValue, Value};

use crate::eval::{Evaluated, equal};
use crate::expression::{EvalError, Expr, Function, Scope};
use crate::library;

/// Steps of an outermost loop with all that is inside it: each round takes as many as its body has parts, and one for every
/// 64 bytes of text that it reads or makes. About a millisecond.
pub const LOOP_STEPS_MAX: u32 = 100_000;
/// Longest text that is made, bytes: as long as a record may be.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Most elements of a list that is made; its texts together are at most as long as one text.
pub const LIST_ELEMENTS_MAX: usize = 10_000;

/// One element of a list.
#[derive(Clone, Copy)]
pub enum Item<'a> {
    /// A scalar.
    Value(Value<'a>),
    /// An object or a point in a list of the event.
    Element(FieldPath, usize),
}

/// A list.
pub(crate) enum Items<'a> {
    /// Literals alone.
    Written(&'a [Expr]),
    /// Made on the way.
    Made(Vec<OwnedValue>),
    /// A list of the event, whole.
    Event(FieldPath, usize),
    /// Those elements of a list of the event.
    Chosen(FieldPath, Vec<usize>),
}

impl Items<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Written(parts) => parts.len(),
            Self::Made(values) => values.len(),
            Self::Event(_, count) => *count,
            Self::Chosen(_, places) => places.len(),
        }
    }

    pub(crate) fn get(&self, index: usize) -> Result<Item<'_>, EvalError> {
        let item = match self {
            Self::Written(parts) => parts.get(index).map(|part| match part {
                Expr::Const(value) => Item::Value(value.borrow()),
                _ => unreachable!("only literals are written"),
            }),
            Self::Made(values) => values.get(index).map(|value| Item::Value(value.borrow())),
            Self::Event(path, count) => (index < *count).then_some(Item::Element(*path, index)),
            Self::Chosen(path, places) => places.get(index).map(|place| Item::Element(*path, *place)),
        };
        item.ok_or(EvalError::OutOfRange)
    }

    /// The scalars; what is no list of scalars has none.
    pub(crate) fn values(&self) -> impl Iterator<Item = Result<Value<'_>, EvalError>> {
        (0..self.len()).map(|index| match self.get(index)? {
            Item::Value(value) => Ok(value),
            Item::Element(..) => Err(EvalError::NoOverload),
        })
    }
}

/// A list that is being made, within its bounds.
#[derive(Default)]
pub(crate) struct Making {
    values: Vec<OwnedValue>,
    bytes: usize,
}

impl Making {
    pub(crate) fn push(&mut self, value: OwnedValue) -> Result<(), EvalError> {
        self.bytes += value.heap_bytes();
        if self.values.len() == LIST_ELEMENTS_MAX || self.bytes > TEXT_BYTES_MAX {
            return Err(EvalError::TooLong);
        }
        self.values.push(value);
        Ok(())
    }

    pub(crate) fn done(self) -> Items<'static> {
        Items::Made(self.values)
    }
}

/// Takes steps from the loop around, where there is one.
pub(crate) fn spend<S: Scope + ?Sized>(scope: &S, steps: usize) -> Result<(), EvalError> {
    let Some(left) = scope.steps() else { return Ok(()) };
    let steps = u32::try_from(steps).unwrap_or(u32::MAX);
    let rest = left.get().checked_sub(steps);
    left.set(rest.unwrap_or(0));
    rest.map(|_| ()).ok_or(EvalError::TooManySteps)
}

/// The steps of reading or making a text.
pub(crate) fn steps_of(bytes: usize) -> usize {
    bytes / 64
}

impl Expr {
    /// The program's value as a list.
    pub(crate) fn items<'a, S: Scope + ?Sized>(&'a self, scope: &S) -> Result<Items<'a>, EvalError> {
        match self {
            Self::List(parts) if parts.iter().all(|part| matches!(part, Self::Const(_))) => Ok(Items::Written(parts)),
            Self::List(parts) => {
                let mut made = Making::default();
                for part in parts {
                    made.push(part.eval(scope)?.into_owned())?;
                }
                Ok(made.done())
            }
            Self::Elements(path) => match scope.count(*path) {
                Some(count) => Ok(Items::Event(*path, count)),
                None if scope.field(*path).is_present() => Err(EvalError::StandIn),
                None => Err(EvalError::Absent),
            },
            Self::Unknown(name) => match scope.unknown_list(name) {
                Some(values) => {
                    let mut made = Making::default();
                    values.into_iter().try_for_each(|value| made.push(value))?;
                    Ok(made.done())
                }
                None if scope.unknown(name).borrow().is_present() => Err(EvalError::NoOverload),
                None => Err(EvalError::Absent),
            },
            Self::Conditional(condition, yes, no) => {
                if condition.is_true(scope)? {
                    yes.items(scope)
                } else {
                    no.items(scope)
                }
            }
            Self::Call(Function::Split, arguments) => library::text::split(arguments, scope),
            Self::Call(Function::Append, arguments) => {
                let mut made = Making::default();
                for list in arguments {
                    for value in list.items(scope)?.values() {
                        made.push(value?.to_owned())?;
                    }
                }
                Ok(made.done())
            }
            Self::Loop(repeat) => repeat.list(scope),
            _ => Err(EvalError::NoOverload),
        }
    }

    /// The program's value as an element of a list of the event.
    pub(crate) fn element<S: Scope + ?Sized>(&self, scope: &S) -> Result<(FieldPath, usize), EvalError> {
        let item = match self {
            Self::Item(slot) => scope.item(*slot),
            Self::At(list, index) => {
                let items = list.items(scope)?;
                match items.get(place(index, scope)?)? {
                    Item::Element(path, index) => Item::Element(path, index),
                    Item::Value(_) => return Err(EvalError::NoOverload),
                }
            }
            _ => return Err(EvalError::NoOverload),
        };
        match item {
            Item::Element(path, index) => Ok((path, index)),
            Item::Value(_) => Err(EvalError::NoOverload),
        }
    }

    /// `list[index]` of a list of scalars.
    pub(crate) fn at<'a, S: Scope + ?Sized>(list: &Expr, index: &Expr, scope: &S) -> Result<Evaluated<'a>, EvalError> {
        let items = list.items(scope)?;
        match items.get(place(index, scope)?)? {
            Item::Value(value) => Ok(Evaluated::Owned(value.to_owned())),
            Item::Element(..) => Err(EvalError::NoOverload),
        }
    }
}

/// An index. A double that is a whole number is one, as CEL says of values whose type is known when they are read.
fn place<S: Scope + ?Sized>(index: &Expr, scope: &S) -> Result<usize, EvalError> {
    match index.eval(scope)?.value() {
        Value::Int(index) => usize::try_from(index).map_err(|_| EvalError::OutOfRange),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number below 2^32")]
        Value::Double(index) if index.fract().abs() < f64::MIN_POSITIVE && (0.0..4e9).contains(&index) => Ok(index as usize),
        Value::Double(_) => Err(EvalError::OutOfRange),
        _ => Err(EvalError::NoOverload),
    }
}

/// Whether a list holds a value.
pub(crate) fn holds<S: Scope + ?Sized>(list: &Expr, item: Value<'_>, scope: &S) -> Result<bool, EvalError> {
    let items = list.items(scope)?;
    spend(scope, items.len())?;
    for other in items.values() {
        if equal(item, other?)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether two lists hold equal values in the same order.
pub(crate) fn same<S: Scope + ?Sized>(left: &Expr, right: &Expr, scope: &S) -> Result<bool, EvalError> {
    let (left, right) = (left.items(scope)?, right.items(scope)?);
    spend(scope, left.len())?;
    if left.len() != right.len() {
        return Ok(false);
    }
    for (one, other) in left.values().zip(right.values()) {
        if !equal(one?, other?)? {
            return Ok(false);
        }
    }
    Ok(true)
}
