//! The library's functions while a program runs. What each takes and gives is in `catalogue`, which makes the page too.

pub(crate) mod convert;
pub(crate) mod moment;
pub(crate) mod text;

use rasid_detectors::currency::rates::Exchange;
use rasid_detectors::event::position::Position;
use rasid_detectors::event::units::{Latitude, Longitude};
use rasid_detectors::kernel::great_circle;
use rasid_detectors::value::{OwnedValue, Value};

pub use self::moment::{Part, Zone};
use crate::eval::Evaluated;
use crate::expression::{EvalError, Expr, Scope};
use crate::items::{self, spend, steps_of};

/// A function of the library.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "their names are those of the functions")]
pub enum Function {
    /// A part of a timestamp in a zone that is known.
    Moment(Part, Zone),
    /// A part of a timestamp in the zone that the second argument names, or of a duration.
    Calendar(Part),
    Int,
    Double,
    String,
    Bool,
    Timestamp,
    Duration,
    /// `+` of two texts.
    Concat,
    /// `+` of what may be texts or numbers.
    Add,
    CharAt,
    IndexOf,
    LastIndexOf,
    LowerAscii,
    UpperAscii,
    Replace,
    Substring,
    Trim,
    Reverse,
    Join,
    Split,
    /// `+` of two lists.
    Append,
    /// `size` of a list.
    Length,
    /// `in` of a list that is made.
    Holds,
    /// `==` of two lists.
    Same,
    /// `distance_m` of two latitudes and longitudes.
    Distance,
    /// `in_currency` of an amount and its currency, into that one.
    InCurrency(Exchange),
}

/// The value of a function.
pub(crate) fn call<'a, S: Scope + ?Sized>(function: &Function, arguments: &[Expr], scope: &S) -> Result<Evaluated<'a>, EvalError> {
    match (function, arguments) {
        // What is no text is added as numbers are, by the program for that: it has the only call of what adds them.
        (Function::Add, [sum @ Expr::Arithmetic(_, left, right)]) => {
            let (left, right) = (left.eval(scope)?, right.eval(scope)?);
            return match (left.value(), right.value()) {
                (Value::Str(left), Value::Str(right)) => {
                    spend(scope, steps_of(left.len() + right.len()))?;
                    let sum = text::made(left.len() + right.len(), || [left, right].concat())?;
                    Ok(Evaluated::Owned(OwnedValue::Str(sum)))
                }
                _ => Ok(Evaluated::Owned(sum.eval(scope)?.into_owned())),
            };
        }
        (Function::Length, [list]) => {
            let length = i64::try_from(list.items(scope)?.len()).map_err(|_| EvalError::Overflow)?;
            return plain(Value::Int(length));
        }
        (Function::Holds, [item, list]) => {
            let item = item.eval(scope)?;
            return plain(Value::Bool(items::holds(list, item.value(), scope)?));
        }
        (Function::Same, [left, right]) => return plain(Value::Bool(items::same(left, right, scope)?)),
        (Function::Join, [list, rest @ ..]) => return text::join(list, rest, scope),
        (Function::Distance, [..]) => return distance(arguments, scope),
        _ => {}
    }
    let mut values = Vec::with_capacity(arguments.len());
    for argument in arguments {
        values.push(argument.eval(scope)?);
    }
    let values: Vec<Value<'_>> = values.iter().map(Evaluated::value).collect();
    if values.iter().any(|value| matches!(value, Value::StandIn(_))) {
        return Err(EvalError::StandIn);
    }
    let read: usize = values.iter().map(|value| if let Value::Str(text) = value { text.len() } else { 0 }).sum();
    spend(scope, steps_of(read))?;
    let made = match (function, values.as_slice()) {
        (Function::Moment(part, zone), [Value::Time(at)]) => return plain(moment::of_timestamp(*part, *at, zone)),
        (Function::Calendar(part), [Value::Duration(span)]) => return moment::of_duration(*part, *span).and_then(plain),
        (Function::Calendar(part), [Value::Time(at)]) => return plain(moment::of_timestamp(*part, *at, &Zone::utc())),
        (Function::Calendar(part), [Value::Time(at), Value::Str(zone)]) => {
            let zone = Zone::find(zone).ok_or(EvalError::Conversion)?;
            return plain(moment::of_timestamp(*part, *at, &zone));
        }
        (Function::InCurrency(exchange), [Value::Int(amount), Value::Str(from)]) => {
            return exchange.of(*amount, from, scope.time()).map_or(Err(EvalError::NoRate), |amount| plain(Value::Int(amount)));
        }
        (Function::Int, [value]) => return convert::int(*value).and_then(plain),
        (Function::Double, [value]) => return convert::double(*value).and_then(plain),
        (Function::Bool, [value]) => return convert::bool(*value).and_then(plain),
        (Function::Timestamp, [value]) => return convert::timestamp(*value).and_then(plain),
        (Function::Duration, [value]) => return convert::duration(*value).and_then(plain),
        (Function::String, [value]) => convert::string(*value)?,
        (Function::Concat, [Value::Str(left), Value::Str(right)]) => text::made(left.len() + right.len(), || [*left, *right].concat())?,
        (Function::IndexOf | Function::LastIndexOf, [Value::Str(subject), Value::Str(part), rest @ ..]) => {
            let from = text::place(rest)?;
            return text::index_of(subject, part, from, *function == Function::LastIndexOf).and_then(|place| plain(Value::Int(place)));
        }
        (Function::CharAt, [Value::Str(subject), Value::Int(place)]) => text::char_at(subject, *place)?,
        (Function::LowerAscii, [Value::Str(subject)]) => text::made(subject.len(), || subject.to_ascii_lowercase())?,
        (Function::UpperAscii, [Value::Str(subject)]) => text::made(subject.len(), || subject.to_ascii_uppercase())?,
        (Function::Trim, [Value::Str(subject)]) => text::made(0, || text::trimmed(subject).to_owned())?,
        (Function::Reverse, [Value::Str(subject)]) => text::made(subject.len(), || subject.chars().rev().collect())?,
        (Function::Substring, [Value::Str(subject), Value::Int(start)]) => text::substring(subject, *start, None)?.into(),
        (Function::Substring, [Value::Str(subject), Value::Int(start), Value::Int(end)]) => {
            text::substring(subject, *start, Some(*end))?.into()
        }
        (Function::Replace, [Value::Str(subject), Value::Str(old), Value::Str(new)]) => text::replace(subject, old, new, -1)?,
        (Function::Replace, [Value::Str(subject), Value::Str(old), Value::Str(new), Value::Int(times)]) => {
            text::replace(subject, old, new, *times)?
        }
        _ => return Err(EvalError::NoOverload),
    };
    spend(scope, steps_of(made.len()))?;
    Ok(Evaluated::Owned(OwnedValue::Str(made)))
}

#[expect(clippy::unnecessary_wraps, reason = "every function ends in it or in an error")]
fn plain<'a>(value: Value<'static>) -> Result<Evaluated<'a>, EvalError> {
    Ok(Evaluated::Borrowed(value))
}

/// Great-circle metres between two places, given as latitudes and longitudes.
fn distance<'a, S: Scope + ?Sized>(arguments: &[Expr], scope: &S) -> Result<Evaluated<'a>, EvalError> {
    let [from_lat, from_lon, to_lat, to_lon] = arguments else { return Err(EvalError::NoOverload) };
    let (from, to) = (place(from_lat, from_lon, scope)?, place(to_lat, to_lon, scope)?);
    plain(Value::Double(great_circle::distance_m(from, to)))
}

/// The place that a latitude and a longitude are, degrees.
pub(crate) fn place<S: Scope + ?Sized>(lat: &Expr, lon: &Expr, scope: &S) -> Result<Position, EvalError> {
    let degrees = |argument: &Expr| match argument.eval(scope)?.value() {
        Value::Double(degrees) => Ok(degrees),
        _ => Err(EvalError::NoOverload),
    };
    let lat = Latitude::try_from(degrees(lat)?).map_err(|_| EvalError::OutOfRange)?;
    let lon = Longitude::try_from(degrees(lon)?).map_err(|_| EvalError::OutOfRange)?;
    Ok(Position::new(lat, lon))
}
