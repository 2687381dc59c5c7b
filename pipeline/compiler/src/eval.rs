//! How programs run.
//!
//! CEL's semantics: an operation on an error is that error, but `&&` and `||` pass over it where the other side
//! decides. Strings are ordered by code points, which is the order of their UTF-8 bytes. Whole numbers and real ones
//! compare by their exact values. Nothing on the usual path allocates; only a field outside the vocabulary comes owned.

use std::cmp::Ordering;

use rasid_detectors::event::field::FieldPath;
use rasid_detectors::value::{OwnedValue, Value};

use crate::expression::{Arithmetic, Comparison, EvalError, Expr, List, Scope, StringTest};

/// The instants that CEL knows, ms: years 1 to 9999.
const TIMES_MS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;
/// The longest span of time that CEL knows, ms: ten thousand years.
const DURATION_MS_MAX: i64 = 315_576_000_000_000;

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
            Self::Negate(inner) => inner.with(scope, negate)?,
            Self::Arithmetic(operation, left, right) => {
                left.with(scope, |left| right.with(scope, |right| arithmetic(*operation, left, right)))?
            }
            Self::Conditional(condition, yes, no) => {
                return if condition.is_true(scope)? { yes.eval(scope) } else { no.eval(scope) };
            }
            Self::Size(inner) => inner.with(scope, |value| match value {
                Value::Str(text) => i64::try_from(text.chars().count()).map(Value::Int).map_err(|_| EvalError::Overflow),
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
            Self::Fired(index) => Ok(scope.fired(*index)),
            Self::In(item, list) => item.with(scope, |item| is_in(item, list, scope)),
            Self::InList(item, list) => item.with(scope, |item| match item {
                Value::Str(item) => Ok(list.holds(item, scope.time())),
                Value::StandIn(_) => Err(EvalError::StandIn),
                _ => Err(EvalError::NoOverload),
            }),
            Self::Text(subject, test) => subject.with(scope, |subject| match subject {
                Value::Str(subject) => string_test(subject, test, scope),
                Value::StandIn(_) => Err(EvalError::StandIn),
                _ => Err(EvalError::NoOverload),
            }),
            Self::Const(_)
            | Self::Field(_)
            | Self::Unknown(_)
            | Self::Binding(_)
            | Self::Signal(..)
            | Self::Time
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
        let found = match self.kind {
            Some(kind) => self.entries.get(kind.normalise(value).as_ref()),
            None => self.entries.get(value),
        };
        found.is_some_and(|ends| ends.is_none_or(|ends| at_ms < ends))
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
fn compare(comparison: Comparison, left: Value<'_>, right: Value<'_>) -> Result<bool, EvalError> {
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
fn equal(left: Value<'_>, right: Value<'_>) -> Result<bool, EvalError> {
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
        (Value::Int(a), Value::Double(b)) => Ok(order_exactly(a, b)),
        (Value::Double(a), Value::Int(b)) => Ok(order_exactly(b, a).map(Ordering::reverse)),
        (Value::Str(a), Value::Str(b)) => Ok(Some(a.cmp(b))),
        (Value::Bool(a), Value::Bool(b)) => Ok(Some(a.cmp(&b))),
        (Value::Absent, _) | (_, Value::Absent) => Err(EvalError::Absent),
        (Value::StandIn(_), _) | (_, Value::StandIn(_)) => Err(EvalError::StandIn),
        _ => Err(EvalError::NoOverload),
    }
}

/// A whole number against a real one, by their exact values: not every whole number has a real one.
fn order_exactly(whole: i64, real: f64) -> Option<Ordering> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if real.is_nan() {
        return None;
    }
    if real >= TWO_TO_63 {
        return Some(Ordering::Less);
    }
    if real < -TWO_TO_63 {
        return Some(Ordering::Greater);
    }
    #[expect(clippy::cast_possible_truncation, reason = "inside i64, and a whole number after trunc")]
    let truncated = real.trunc() as i64;
    Some(whole.cmp(&truncated).then_with(|| 0.0_f64.partial_cmp(&real.fract()).unwrap_or(Ordering::Equal)))
}

fn negate(value: Value<'_>) -> Result<Value<'static>, EvalError> {
    match value {
        Value::Int(number) => number.checked_neg().map(Value::Int).ok_or(EvalError::Overflow),
        Value::Double(number) => Ok(Value::Double(-number)),
        _ => Err(EvalError::NoOverload),
    }
}

#[inline]
fn arithmetic(operation: Arithmetic, left: Value<'_>, right: Value<'_>) -> Result<Value<'static>, EvalError> {
    use Arithmetic::{Add, Subtract};
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => whole(operation, a, b).map(Value::Int),
        (Value::Double(a), Value::Double(b)) => real(operation, a, b).map(Value::Double),
        (Value::Time(a), Value::Time(b)) if operation == Subtract => span(a.checked_sub(b)),
        (Value::Time(a), Value::Duration(b)) if operation == Add => instant(a.checked_add(b)),
        (Value::Duration(a), Value::Time(b)) if operation == Add => instant(a.checked_add(b)),
        (Value::Time(a), Value::Duration(b)) if operation == Subtract => instant(a.checked_sub(b)),
        (Value::Duration(a), Value::Duration(b)) if operation == Add => span(a.checked_add(b)),
        (Value::Duration(a), Value::Duration(b)) if operation == Subtract => span(a.checked_sub(b)),
        _ => Err(EvalError::NoOverload),
    }
}

#[inline]
fn whole(operation: Arithmetic, a: i64, b: i64) -> Result<i64, EvalError> {
    let result = match operation {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide | Arithmetic::Modulo if b == 0 => return Err(EvalError::DivisionByZero),
        Arithmetic::Divide => a.checked_div(b),
        Arithmetic::Modulo => a.checked_rem(b),
    };
    result.ok_or(EvalError::Overflow)
}

#[inline]
fn real(operation: Arithmetic, a: f64, b: f64) -> Result<f64, EvalError> {
    match operation {
        Arithmetic::Add => Ok(a + b),
        Arithmetic::Subtract => Ok(a - b),
        Arithmetic::Multiply => Ok(a * b),
        Arithmetic::Divide => Ok(a / b),
        Arithmetic::Modulo => Err(EvalError::NoOverload),
    }
}

fn instant(millis: Option<i64>) -> Result<Value<'static>, EvalError> {
    millis.filter(|millis| TIMES_MS.contains(millis)).map(Value::Time).ok_or(EvalError::Overflow)
}

fn span(millis: Option<i64>) -> Result<Value<'static>, EvalError> {
    millis.filter(|millis| (-DURATION_MS_MAX..=DURATION_MS_MAX).contains(millis)).map(Value::Duration).ok_or(EvalError::Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(9_007_199_254_740_993, 9_007_199_254_740_992.0, Some(Ordering::Greater))]
    #[case(i64::MAX, 9_223_372_036_854_775_808.0, Some(Ordering::Less))]
    #[case(i64::MIN, -9_223_372_036_854_775_808.0, Some(Ordering::Equal))]
    #[case(i64::MIN, -1e300, Some(Ordering::Greater))]
    #[case(1, 1.5, Some(Ordering::Less))]
    #[case(-1, -1.5, Some(Ordering::Greater))]
    #[case(0, -0.0, Some(Ordering::Equal))]
    #[case(0, f64::NAN, None)]
    #[case(0, f64::INFINITY, Some(Ordering::Less))]
    fn whole_and_real_numbers_compare_exactly(#[case] whole: i64, #[case] real: f64, #[case] expected: Option<Ordering>) {
        assert_eq!(order_exactly(whole, real), expected);
    }

    #[rstest]
    #[case(Arithmetic::Add, Value::Int(i64::MAX), Value::Int(1), Err(EvalError::Overflow))]
    #[case(Arithmetic::Divide, Value::Int(i64::MIN), Value::Int(-1), Err(EvalError::Overflow))]
    #[case(Arithmetic::Modulo, Value::Int(7), Value::Int(0), Err(EvalError::DivisionByZero))]
    #[case(Arithmetic::Modulo, Value::Int(-7), Value::Int(3), Ok(Value::Int(-1)))]
    #[case(Arithmetic::Divide, Value::Double(1.0), Value::Double(0.0), Ok(Value::Double(f64::INFINITY)))]
    #[case(Arithmetic::Subtract, Value::Time(5), Value::Time(8), Ok(Value::Duration(-3)))]
    #[case(Arithmetic::Add, Value::Duration(5), Value::Time(8), Ok(Value::Time(13)))]
    #[case(Arithmetic::Add, Value::Time(253_402_300_799_999), Value::Duration(1), Err(EvalError::Overflow))]
    #[case(Arithmetic::Add, Value::Duration(DURATION_MS_MAX), Value::Duration(1), Err(EvalError::Overflow))]
    #[case(Arithmetic::Add, Value::Int(1), Value::Double(1.0), Err(EvalError::NoOverload))]
    #[case(Arithmetic::Add, Value::Str("a"), Value::Str("b"), Err(EvalError::NoOverload))]
    fn arithmetic_ends_at_its_bounds(
        #[case] operation: Arithmetic,
        #[case] a: Value<'_>,
        #[case] b: Value<'_>,
        #[case] expected: Result<Value<'static>, EvalError>,
    ) {
        assert!(arithmetic(operation, a, b) == expected);
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
