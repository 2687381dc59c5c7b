//! Conversions, as CEL's standard definitions have them.

use rasid_detectors::event::time::parse_rfc3339;
use rasid_detectors::value::Value;

use crate::arithmetic::TIMES_MS;
use crate::conversion::go_duration;
use crate::expression::EvalError;
use crate::library::moment::written;

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// `int(x)`: towards zero; of a timestamp, whole seconds since 1970.
pub(crate) fn int(value: Value<'_>) -> Result<Value<'static>, EvalError> {
    Ok(Value::Int(match value {
        Value::Int(number) => number,
        #[expect(clippy::cast_possible_truncation, reason = "inside i64")]
        Value::Double(number) if number > -TWO_TO_63 && number < TWO_TO_63 => number as i64,
        Value::Double(_) => return Err(EvalError::Conversion),
        Value::Str(text) => text.parse().map_err(|_| EvalError::Conversion)?,
        Value::Time(at_ms) => at_ms.div_euclid(1_000),
        other => return Err(no_overload(other)),
    }))
}

/// `double(x)`.
pub(crate) fn double(value: Value<'_>) -> Result<Value<'static>, EvalError> {
    Ok(Value::Double(match value {
        Value::Double(number) => number,
        #[expect(clippy::cast_precision_loss, reason = "the nearest one, as CEL says")]
        Value::Int(number) => number as f64,
        Value::Str(text) => real(text).ok_or(EvalError::Conversion)?,
        other => return Err(no_overload(other)),
    }))
}

/// A number as Go's `ParseFloat` takes it, less its hexadecimal ones. What is too large for a double is none.
fn real(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let word = unsigned.to_ascii_lowercase();
    match word.as_str() {
        "inf" | "infinity" => return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        "nan" => return (unsigned.len() == text.len()).then_some(f64::NAN),
        _ => {}
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// `bool(x)`: CEL's own spellings.
pub(crate) fn bool(value: Value<'_>) -> Result<Value<'static>, EvalError> {
    Ok(Value::Bool(match value {
        Value::Bool(value) => value,
        Value::Str("1" | "t" | "true" | "TRUE" | "True") => true,
        Value::Str("0" | "f" | "false" | "FALSE" | "False") => false,
        Value::Str(_) => return Err(EvalError::Conversion),
        other => return Err(no_overload(other)),
    }))
}

/// `string(x)`.
pub(crate) fn string(value: Value<'_>) -> Result<Box<str>, EvalError> {
    Ok(match value {
        Value::Str(text) => text.into(),
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => shortest(number),
        Value::Time(at_ms) => written(at_ms),
        Value::Duration(span_ms) => {
            let sign = if span_ms < 0 { "-" } else { "" };
            let span_ms = span_ms.unsigned_abs();
            let decimal = format!("{sign}{}.{:03}", span_ms / 1_000, span_ms % 1_000);
            format!("{}s", decimal.trim_end_matches('0').trim_end_matches('.'))
        }
        other => return Err(no_overload(other)),
    }
    .into())
}

/// A double in the fewest digits that mean it, with an exponent below 1e-4 and from 1e6: Go's `%g`, which is what CEL's
/// own evaluator writes.
fn shortest(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number != 0.0 && !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.unsigned_abs());
    }
    format!("{number}")
}

/// `timestamp(x)`: RFC 3339, or whole seconds since 1970; kept to the millisecond.
pub(crate) fn timestamp(value: Value<'_>) -> Result<Value<'static>, EvalError> {
    let at_ms = match value {
        Value::Time(at_ms) => Some(at_ms),
        Value::Str(text) => instant(text),
        Value::Int(seconds) => seconds.checked_mul(1_000),
        other => return Err(no_overload(other)),
    };
    at_ms.filter(|at_ms| TIMES_MS.contains(at_ms)).map(Value::Time).ok_or(EvalError::Conversion)
}

/// An instant in the form that CEL takes: capital `T` and `Z`, and no sixtieth second.
pub(crate) fn instant(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let strict = bytes.get(10) == Some(&b'T') && !bytes.ends_with(b"z") && bytes.get(17..19) != Some(b"60");
    parse_rfc3339(text).filter(|at_ms| strict && TIMES_MS.contains(at_ms))
}

/// `duration(x)`; kept to the millisecond.
pub(crate) fn duration(value: Value<'_>) -> Result<Value<'static>, EvalError> {
    let span_ms = match value {
        Value::Duration(span_ms) => Some(span_ms),
        Value::Str(text) => go_duration(text),
        other => return Err(no_overload(other)),
    };
    span_ms.map(Value::Duration).ok_or(EvalError::Conversion)
}

fn no_overload(value: Value<'_>) -> EvalError {
    match value {
        Value::StandIn(_) => EvalError::StandIn,
        Value::Absent => EvalError::Absent,
        _ => EvalError::NoOverload,
    }
}
