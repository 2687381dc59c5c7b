//! Functions on texts: those of cel-go's `ext.Strings` whose output is bounded by their input. Places count code points.

use rasid_detectors::value::{OwnedValue, Value};

use crate::eval::Evaluated;
use crate::expression::{EvalError, Expr, Scope};
use crate::items::{Items, LIST_ELEMENTS_MAX, Making, TEXT_BYTES_MAX, spend, steps_of};

/// A text of so many bytes at most.
pub(crate) fn made(bytes: usize, text: impl FnOnce() -> String) -> Result<Box<str>, EvalError> {
    if bytes > TEXT_BYTES_MAX { Err(EvalError::TooLong) } else { Ok(text().into()) }
}

/// The place that an optional last argument gives.
pub(crate) fn place(rest: &[Value<'_>]) -> Result<Option<i64>, EvalError> {
    match rest {
        [] => Ok(None),
        [Value::Int(place)] => Ok(Some(*place)),
        _ => Err(EvalError::NoOverload),
    }
}

/// The byte at which the character of that number begins; the number of characters is the end.
fn byte_of(text: &str, place: i64) -> Result<usize, EvalError> {
    let place = usize::try_from(place).map_err(|_| EvalError::OutOfRange)?;
    if place == 0 {
        return Ok(0);
    }
    let mut ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    ends.nth(place - 1).ok_or(EvalError::OutOfRange)
}

fn places(text: &str) -> Result<i64, EvalError> {
    i64::try_from(text.chars().count()).map_err(|_| EvalError::Overflow)
}

pub(crate) fn char_at(text: &str, place: i64) -> Result<Box<str>, EvalError> {
    let rest = text.get(byte_of(text, place)?..).unwrap_or_default();
    Ok(rest.chars().take(1).collect::<String>().into())
}

/// Where `part` stands first at or after `from`, or last at or before it; -1 where it does not. A place to begin at is inside
/// the text, unless nothing is looked for.
pub(crate) fn index_of(text: &str, part: &str, from: Option<i64>, last: bool) -> Result<i64, EvalError> {
    let length = places(text)?;
    if let Some(from) = from {
        if from < 0 || (from >= length && !part.is_empty()) {
            return Err(EvalError::OutOfRange);
        }
        if part.is_empty() {
            return Ok(from.min(length));
        }
    }
    let found = match (from, last) {
        (None, false) => text.find(part),
        (None, true) => text.rfind(part),
        (Some(from), false) => {
            let start = byte_of(text, from)?;
            text.get(start..).and_then(|rest| rest.find(part)).map(|at| start + at)
        }
        (Some(from), true) => {
            // A part that begins at `from` at the latest ends there; where that is inside a character, none begins at `from`.
            let mut end = (byte_of(text, from)? + part.len()).min(text.len());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.get(..end).and_then(|before| before.rfind(part))
        }
    };
    found.map_or(Ok(-1), |at| places(text.get(..at).unwrap_or_default()))
}

pub(crate) fn substring(text: &str, start: i64, end: Option<i64>) -> Result<&str, EvalError> {
    if end.is_some_and(|end| end < start) {
        return Err(EvalError::OutOfRange);
    }
    let (start, end) = (byte_of(text, start)?, end.map_or(Ok(text.len()), |end| byte_of(text, end))?);
    text.get(start..end).ok_or(EvalError::OutOfRange)
}

/// Unicode's white space at both ends.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim()
}

/// The first `times` of `old` as `new`; a negative number is all.
pub(crate) fn replace(text: &str, old: &str, new: &str, times: i64) -> Result<Box<str>, EvalError> {
    let times = usize::try_from(times).unwrap_or(usize::MAX);
    let found = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() }.min(times);
    let length = text.len().saturating_sub(found.saturating_mul(old.len())).saturating_add(found.saturating_mul(new.len()));
    made(length, || text.replacen(old, new, times))
}

/// The parts between separators, `limit` at most, the last with all that is left; a negative number is no limit. An empty
/// separator parts characters.
pub(crate) fn split<S: Scope + ?Sized>(arguments: &[Expr], scope: &S) -> Result<Items<'static>, EvalError> {
    let (subject, separator, limit) = match arguments {
        [subject, separator] => (subject, separator, None),
        [subject, separator, limit] => (subject, separator, Some(limit.eval(scope)?.into_owned())),
        _ => return Err(EvalError::NoOverload),
    };
    let limit = match limit {
        None => usize::MAX,
        Some(OwnedValue::Int(limit)) => usize::try_from(limit).unwrap_or(usize::MAX),
        Some(_) => return Err(EvalError::NoOverload),
    };
    let (subject, separator) = (subject.eval(scope)?, separator.eval(scope)?);
    let (subject, separator) = match (subject.value(), separator.value()) {
        (Value::Str(subject), Value::Str(separator)) => (subject, separator),
        (Value::StandIn(_), _) | (_, Value::StandIn(_)) => return Err(EvalError::StandIn),
        _ => return Err(EvalError::NoOverload),
    };
    spend(scope, steps_of(subject.len()))?;
    let mut making = Making::default();
    let mut push = |part: &str| {
        spend(scope, 1)?;
        making.push(OwnedValue::Str(part.into()))
    };
    if limit == 0 {
        return Ok(making.done());
    }
    if separator.is_empty() {
        let mut rest = subject;
        let mut left = limit;
        while left > 1
            && let Some(first) = rest.chars().next()
        {
            let (part, more) = rest.split_at(first.len_utf8());
            if more.is_empty() {
                break;
            }
            push(part)?;
            (rest, left) = (more, left - 1);
        }
        if !rest.is_empty() {
            push(rest)?;
        }
        return Ok(making.done());
    }
    for part in subject.splitn(limit.min(LIST_ELEMENTS_MAX + 1), separator) {
        push(part)?;
    }
    Ok(making.done())
}

/// The texts of a list, with a separator between them.
pub(crate) fn join<'a, S: Scope + ?Sized>(list: &Expr, rest: &[Expr], scope: &S) -> Result<Evaluated<'a>, EvalError> {
    let separator = match rest {
        [] => None,
        [separator] => Some(separator.eval(scope)?),
        _ => return Err(EvalError::NoOverload),
    };
    let separator = match separator.as_ref().map(Evaluated::value) {
        None => "",
        Some(Value::Str(separator)) => separator,
        Some(Value::StandIn(_)) => return Err(EvalError::StandIn),
        Some(_) => return Err(EvalError::NoOverload),
    };
    let items = list.items(scope)?;
    let mut joined = String::new();
    for (index, part) in items.values().enumerate() {
        let Value::Str(part) = part? else { return Err(EvalError::NoOverload) };
        let between = if index == 0 { "" } else { separator };
        if joined.len() + between.len() + part.len() > TEXT_BYTES_MAX {
            return Err(EvalError::TooLong);
        }
        joined.push_str(between);
        joined.push_str(part);
    }
    spend(scope, items.len() + steps_of(joined.len()))?;
    Ok(Evaluated::Owned(OwnedValue::Str(joined.into())))
}
