//! Arithmetic, and where it ends.

use rasid_detectors::value::Value;

use crate::expression::{Arithmetic, EvalError};

/// The instants that CEL knows, ms: years 1 to 9999.
pub(crate) const TIMES_MS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;
/// The longest span of time, ms: CEL has it in nanoseconds of 64 bits, which is 292 years.
pub(crate) const DURATION_MS_MAX: i64 = 9_223_372_036_854;

pub(crate) fn negate(value: Value<'_>) -> Result<Value<'static>, EvalError> {
    match value {
        Value::Int(number) => number.checked_neg().map(Value::Int).ok_or(EvalError::Overflow),
        Value::Double(number) => Ok(Value::Double(-number)),
        _ => Err(EvalError::NoOverload),
    }
}

#[inline]
pub(crate) fn arithmetic(operation: Arithmetic, left: Value<'_>, right: Value<'_>) -> Result<Value<'static>, EvalError> {
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
}
