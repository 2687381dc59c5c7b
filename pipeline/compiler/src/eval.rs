//! How programs run.
//!
//! CEL's semantics: an operation on an error is that error, but `&&` and `||` pass over it where the other side
//! decides. Strings are ordered by code points, which is the order of their UTF-8 bytes. Whole numbers and real ones
//! compare as doubles. Nothing on the usual path allocates; only a field outside the vocabulary comes owned.

use std::cmp::Ordering;

use rasid_detectors::event::field::FieldPath;
use rasid_detectors::value::{OwnedValue, Value};

use crate::arithmetic::{arithmetic, negate};
use crate::expression::{Comparison, EvalError, Expr, List, ListId, Scope, StringTest};
use crate::items::Item;
use crate::library;

/// What a program gave.
#[derive(Clone, Debug)]
pub enum Evaluated<'a> {
    /// Borrowed from the event, the state or the program.
    Borrowed(Value<'a>),
    /// Made on the way.
    Owned(OwnedValue),
}

impl Evaluated<'_> {
    /// The value.
    #[inline]
    pub fn value(&self) -> Value<'_> {
        match self {
            Self::Borrowed(value) => *value,
            Self::Owned(value) => value.borrow(),
        }
    }

    /// The value, owning its text.
    pub fn into_owned(self) -> OwnedValue {
        match self {
            Self::Borrowed(value) => value.to_owned(),
            Self::Owned(value) => value,
        }
    }
}

/// Whether a rule's condition holds.
///
/// # Errors
/// As CEL says; an error is no hit.
#[inline]
pub fn is_hit<S: Scope + ?Sized>(condition: &Expr, scope: &S) -> Result<bool, EvalError> {
    condition.is_true(scope)
}

impl Expr {
    /// The program's value.
    ///
    /// # Errors
    /// As CEL says: an absent read, an overflow, a division by zero, a field outside the vocabulary of another type.
    pub fn eval<'a, S: Scope + ?Sized>(&'a self, scope: &'a S) -> Result<Evaluated<'a>, EvalError> {
        if let Some(value) = self.leaf(scope) {
            return if value.is_present() { Ok(Evaluated::Borrowed(value)) } else { Err(EvalError::Absent) };
        }
        let scalar = match self {
            Self::Unknown(name) => {
                let value = scope.unknown(name);
                return if value.borrow().is_present() { Ok(Evaluated::Owned(value)) } else { Err(EvalError::Absent) };
            }
            Self::Score => match scope.score() {
                Value::Absent => return Err(EvalError::Absent),
                doubt => doubt,
            },
            Self::Negate(inner) => inner.with(scope, negate)?,
            Self::Arithmetic(operation, left, right) => {
                left.with(scope, |left| right.with(scope, |right| arithmetic(*operation, left, right)))?
            }
            Self::Conditional(condition, yes, no) => {
                return if condition.is_true(scope)? { yes.eval(scope) } else { no.eval(scope) };
            }
            Self::Item(slot) => match scope.item(*slot) {
                Item::Value(Value::Absent) => return Err(EvalError::Absent),
                Item::Value(value) => value,
                Item::Element(..) => Value::Object,
            },
            Self::At(list, index) => return Self::at(list, index, scope),
            Self::Part(of, field) => {
                let (path, index) = of.element(scope)?;
                match scope.element(path, index, *field) {
                    Value::Absent => return Err(EvalError::Absent),
                    value => return Ok(Evaluated::Borrowed(value)),
                }
            }
            Self::Call(function, arguments) => return library::call(function, arguments, scope),
            Self::List(_) | Self::Elements(_) => return Err(EvalError::NoOverload),
            Self::Size(inner) => inner.with(scope, |value| match value {
                Value::Str(text) => i64::try_from(text.chars().count()).map(Value::Int).map_err(|_| EvalError::Overflow),
                Value::Object => i64::try_from(inner.items(scope)?.len()).map(Value::Int).map_err(|_| EvalError::Overflow),
                Value::StandIn(_) => Err(EvalError::StandIn),
                _ => Err(EvalError::NoOverload),
            })?,
            _ => Value::Bool(self.is_true(scope)?),
        };
        Ok(Evaluated::Borrowed(scalar))
    }

    /// The program's value as true or false.
    ///
    /// # Errors
    /// As [`Expr::eval`], and [`EvalError::NoOverload`] where the value is neither.
    #[inline]
    pub fn is_true<S: Scope + ?Sized>(&self, scope: &S) -> Result<bool, EvalError> {
        match self {
            Self::And(left, right) => match left.is_true(scope) {
                Ok(false) => Ok(false),
                Ok(true) => right.is_true(scope),
                Err(error) => {
                    if right.is_true(scope) == Ok(false) {
                        Ok(false)
                    } else {
                        Err(error)
                    }
                }
            },
            Self::Or(left, right) => match left.is_true(scope) {
                Ok(true) => Ok(true),
                Ok(false) => right.is_true(scope),
                Err(error) => {
                    if right.is_true(scope) == Ok(true) {
                        Ok(true)
                    } else {
                        Err(error)
                    }
                }
            },
            Self::Not(inner) => inner.is_true(scope).map(|value| !value),
            Self::Compare(comparison, left, right) => left.with(scope, |left| right.with(scope, |right| compare(*comparison, left, right))),
            Self::Has(path) => has(*path, scope),
            Self::HasUnknown(name) => Ok(scope.unknown(name).borrow().is_present()),
            Self::HasBinding(index) => Ok(scope.binding(*index).is_present()),
            Self::Fired(index) => scope.fired(*index).ok_or(EvalError::Absent),
            Self::In(item, list) => item.with(scope, |item| is_in(item, list, scope)),
            Self::InList(item, list) => item.with(scope, |item| match item {
                Value::Str(item) => Ok(list.holds(item, scope.time())),
                Value::StandIn(item) => scope.listed(list, item),
                _ => Err(EvalError::NoOverload),
            }),
            Self::InZone(place, zone) => {
                let [lat, lon] = place.as_ref();
                let place = library::place(lat, lon, scope)?;
                // What a device sends when it does not know lies nowhere.
                if !place.is_place() {
                    return Err(EvalError::Absent);
                }
                Ok(zone.holds(place.lat(), place.lon()))
            }
            Self::Text(subject, test) => subject.with(scope, |subject| match subject {
                Value::Str(subject) => string_test(subject, test, scope),
                Value::StandIn(_) => Err(EvalError::StandIn),
                _ => Err(EvalError::NoOverload),
            }),
            Self::HasPart(of, field) => {
                let (path, index) = of.element(scope)?;
                Ok(scope.element(path, index, *field).is_present())
            }
            Self::Loop(repeat) => repeat.is_true(scope),
            Self::Const(_)
            | Self::Field(_)
            | Self::Call(..)
            | Self::List(_)
            | Self::Elements(_)
            | Self::Item(_)
            | Self::At(..)
            | Self::Part(..)
            | Self::Unknown(_)
            | Self::Binding(_)
            | Self::Signal(..)
            | Self::Time
            | Self::Score
            | Self::Negate(_)
            | Self::Arithmetic(..)
            | Self::Conditional(..)
            | Self::Size(_) => match self.eval(scope)?.value() {
                Value::Bool(value) => Ok(value),
                _ => Err(EvalError::NoOverload),
            },
        }
    }

    /// The value of a node that only reads; `None` for a node that computes.
    #[inline]
    fn leaf<'a, S: Scope + ?Sized>(&'a self, scope: &'a S) -> Option<Value<'a>> {
        match self {
            Self::Const(value) => Some(value.borrow()),
            Self::Field(path) => Some(scope.field(*path)),
            Self::Binding(index) => Some(scope.binding(*index)),
            Self::Signal(index, field) => Some(scope.signal(*index, *field)),
            Self::Time => Some(Value::Time(scope.time())),
            _ => None,
        }
    }

    /// Hands the value to `then`, borrowed, so that reading nodes pay for no ownership.
    #[inline]
    fn with<S: Scope + ?Sized, T>(&self, scope: &S, then: impl FnOnce(Value<'_>) -> Result<T, EvalError>) -> Result<T, EvalError> {
        match self.leaf(scope) {
            Some(Value::Absent) => Err(EvalError::Absent),
            Some(value) => then(value),
            None => then(self.eval(scope)?.value()),
        }
    }
}

impl List {
    /// Whether it holds `value` at an instant: an entry ends at its expiry, which is no longer part of it.
    #[inline]
    pub fn holds(&self, value: &str, at_ms: i64) -> bool {
        self.members.holds(self.kind, value, at_ms)
    }

    /// Gives each single value that is listed, as an entry of its kind is written, with the instant that ends it, Unix ms: of a
    /// network each address, of a prefix nothing.
    pub fn each(&self, take: impl FnMut(&str, i64)) {
        self.members.each(self.kind, take);
    }

    /// What it holds, as what: lists of one id hold the same.
    pub fn id(&self) -> ListId {
        ListId(self.digest, self.kind.map(|kind| kind as u8))
    }

    /// How many addresses its networks come to.
    pub(crate) fn addresses(&self) -> u128 {
        self.members.addresses()
    }
}

/// `has(data.x)`; of a field inside an object that is not there it is an error, as CEL says.
#[inline]
fn has<S: Scope + ?Sized>(path: FieldPath, scope: &S) -> Result<bool, EvalError> {
    if scope.field(path).is_present() {
        return Ok(true);
    }
    let whole = FieldPath { field: path.field, child: None };
    if path.child.is_some() && !scope.field(whole).is_present() { Err(EvalError::Absent) } else { Ok(false) }
}

/// Membership. The list is a value of its own, so an error in any item is one of the whole, found or not.
fn is_in<S: Scope + ?Sized>(item: Value<'_>, list: &[Expr], scope: &S) -> Result<bool, EvalError> {
    let mut found = false;
    for other in list {
        if found && matches!(other, Expr::Const(_)) {
            continue;
        }
        found |= other.with(scope, |other| equal(item, other))?;
    }
    Ok(found)
}

#[inline]
fn string_test<S: Scope + ?Sized>(subject: &str, test: &StringTest, scope: &S) -> Result<bool, EvalError> {
    let against = |other: &Expr, test: fn(&str, &str) -> bool| {
        other.with(scope, |other| match other {
            Value::Str(other) => Ok(test(subject, other)),
            Value::StandIn(_) => Err(EvalError::StandIn),
            _ => Err(EvalError::NoOverload),
        })
    };
    match test {
        StringTest::StartsWith(other) => against(other, |subject, other| subject.starts_with(other)),
        StringTest::EndsWith(other) => against(other, |subject, other| subject.ends_with(other)),
        StringTest::Contains(other) => against(other, |subject, other| subject.contains(other)),
        StringTest::Matches(regex) => Ok(regex.is_match(subject)),
    }
}

#[inline]
pub(crate) fn compare(comparison: Comparison, left: Value<'_>, right: Value<'_>) -> Result<bool, EvalError> {
    match comparison {
        Comparison::Equal => equal(left, right),
        Comparison::NotEqual => equal(left, right).map(|equal| !equal),
        Comparison::Less => ordered(left, right).map(Ordering::is_lt),
        Comparison::LessOrEqual => ordered(left, right).map(Ordering::is_le),
        Comparison::Greater => ordered(left, right).map(Ordering::is_gt),
        Comparison::GreaterOrEqual => ordered(left, right).map(Ordering::is_ge),
    }
}

/// Equality; values of different types differ.
#[inline]
pub(crate) fn equal(left: Value<'_>, right: Value<'_>) -> Result<bool, EvalError> {
    match (left, right) {
        (Value::Object, Value::Object) => Err(EvalError::NoOverload), // their insides are not at hand
        (Value::Absent, _) | (_, Value::Absent) => Err(EvalError::Absent),
        (Value::Str(a), Value::Str(b)) => Ok(a == b),
        // Values of one kind have one stand-in; whether a text is what one stands for is not known.
        (Value::StandIn(a), Value::StandIn(b)) => Ok(a.is(b)),
        (Value::StandIn(_), Value::Str(_)) | (Value::Str(_), Value::StandIn(_)) => Err(EvalError::StandIn),
        _ => Ok(order(left, right) == Ok(Some(Ordering::Equal))),
    }
}

/// Order. CEL gives NaN none: to order by it is an error, in cel-go and in crate `cel` alike.
#[inline]
fn ordered(left: Value<'_>, right: Value<'_>) -> Result<Ordering, EvalError> {
    order(left, right)?.ok_or(EvalError::NoOverload)
}

/// Order; `None` where one side is NaN.
#[inline]
fn order(left: Value<'_>, right: Value<'_>) -> Result<Option<Ordering>, EvalError> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) | (Value::Time(a), Value::Time(b)) | (Value::Duration(a), Value::Duration(b)) => Ok(Some(a.cmp(&b))),
        (Value::Double(a), Value::Double(b)) => Ok(a.partial_cmp(&b)),
        (Value::Int(a), Value::Double(b)) => Ok(nearest(a).partial_cmp(&b)),
        (Value::Double(a), Value::Int(b)) => Ok(a.partial_cmp(&nearest(b))),
        (Value::Str(a), Value::Str(b)) => Ok(Some(a.cmp(b))),
        (Value::Bool(a), Value::Bool(b)) => Ok(Some(a.cmp(&b))),
        (Value::Absent, _) | (_, Value::Absent) => Err(EvalError::Absent),
        (Value::StandIn(_), _) | (_, Value::StandIn(_)) => Err(EvalError::StandIn),
        _ => Err(EvalError::NoOverload),
    }
}

/// A whole number as CEL compares it with a real one: as the nearest double (cel-spec, `comparisons`, the lossy ones).
#[expect(clippy::cast_precision_loss, reason = "that is what it is for")]
fn nearest(whole: i64) -> f64 {
    whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(9_007_199_254_740_993, 9_007_199_254_740_992.0, Some(Ordering::Equal))]
    #[case(9_007_199_254_740_993, 9_007_199_254_740_994.0, Some(Ordering::Less))]
    #[case(i64::MAX, 9_223_372_036_854_775_808.0, Some(Ordering::Equal))]
    #[case(i64::MIN, -9_223_372_036_854_775_808.0, Some(Ordering::Equal))]
    #[case(i64::MIN, -1e300, Some(Ordering::Greater))]
    #[case(1, 1.5, Some(Ordering::Less))]
    #[case(-1, -1.5, Some(Ordering::Greater))]
    #[case(0, -0.0, Some(Ordering::Equal))]
    #[case(0, f64::NAN, None)]
    #[case(0, f64::INFINITY, Some(Ordering::Less))]
    fn whole_and_real_numbers_compare_as_doubles(#[case] whole: i64, #[case] real: f64, #[case] expected: Option<Ordering>) {
        assert_eq!(order(Value::Int(whole), Value::Double(real)), Ok(expected));
        assert_eq!(order(Value::Double(real), Value::Int(whole)), Ok(expected.map(Ordering::reverse)));
    }

    #[test]
    fn nan_is_neither_equal_nor_ordered() {
        let nan = Value::Double(f64::NAN);
        assert_eq!(compare(Comparison::Equal, nan, nan), Ok(false));
        assert_eq!(compare(Comparison::NotEqual, nan, nan), Ok(true));
        assert_eq!(compare(Comparison::LessOrEqual, nan, Value::Int(1)), Err(EvalError::NoOverload));
    }

    #[test]
    fn values_of_different_types_differ_but_have_no_order() {
        assert_eq!(compare(Comparison::Equal, Value::Str("1"), Value::Int(1)), Ok(false));
        assert_eq!(compare(Comparison::Less, Value::Str("1"), Value::Int(1)), Err(EvalError::NoOverload));
        assert_eq!(compare(Comparison::Equal, Value::Object, Value::Int(1)), Ok(false));
    }
}
