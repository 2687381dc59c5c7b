//! One scalar, as conditions, windows and alerts pass it around.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::entity::{EntityKind, KeyHasher};
use crate::event::columns::StandIn;

/// A scalar read out of an event, a window or a signal. Sixteen bytes of payload at most; strings are borrowed.
///
/// Its `Debug` shows the type only: a string may be personal, and a debug line is a door.
#[derive(Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// The field was not in the event, or the window holds nothing.
    Absent,
    /// True or false.
    Bool(bool),
    /// A whole number: a count, an amount in minor units.
    Int(i64),
    /// A real number, never NaN and never infinite when it comes from an event.
    Double(f64),
    /// Text, or the wire name of an enumerated value.
    Str(&'a str),
    /// An instant, milliseconds since the Unix epoch.
    Time(i64),
    /// A span of time in milliseconds.
    Duration(i64),
    /// An object or a list is there; its inside is reached by name, not as a value.
    Object,
    /// What stands for a personal value outside the raw zone.
    StandIn(&'a StandIn),
}

impl Value<'_> {
    /// Whether there is a value at all.
    pub fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// The key of the entity of that kind that it names; `None` where it is no name.
    pub fn key(&self, kind: EntityKind, hasher: &KeyHasher) -> Option<u64> {
        match self {
            Self::Str(raw) => Some(hasher.key(kind, raw)),
            Self::StandIn(stand_in) => stand_in.key(kind),
            _ => None,
        }
    }

    /// A copy that owns its text.
    pub fn to_owned(&self) -> OwnedValue {
        match *self {
            Self::Absent => OwnedValue::Absent,
            Self::Bool(v) => OwnedValue::Bool(v),
            Self::Int(v) => OwnedValue::Int(v),
            Self::Double(v) => OwnedValue::Double(v),
            Self::Str(v) => OwnedValue::Str(v.into()),
            Self::Time(v) => OwnedValue::Time(v),
            Self::Duration(v) => OwnedValue::Duration(v),
            Self::Object => OwnedValue::Object,
            Self::StandIn(stand_in) => OwnedValue::StandIn(Box::new(stand_in.clone())),
        }
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Bool(_) => "Bool(…)",
            Self::Int(_) => "Int(…)",
            Self::Double(_) => "Double(…)",
            Self::Str(_) => "Str(…)",
            Self::Time(_) => "Time(…)",
            Self::Duration(_) => "Duration(…)",
            Self::Object => "Object",
            Self::StandIn(_) => "StandIn(…)",
        })
    }
}

/// A [`Value`] that owns its text, for keyed state and signals.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub enum OwnedValue {
    /// See [`Value::Absent`].
    #[default]
    Absent,
    /// See [`Value::Bool`].
    Bool(bool),
    /// See [`Value::Int`].
    Int(i64),
    /// See [`Value::Double`].
    Double(f64),
    /// See [`Value::Str`].
    Str(Box<str>),
    /// See [`Value::Time`].
    Time(i64),
    /// See [`Value::Duration`].
    Duration(i64),
    /// See [`Value::Object`].
    Object,
    /// See [`Value::StandIn`].
    StandIn(Box<StandIn>),
}

impl OwnedValue {
    /// Heap memory, bytes.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Str(text) => text.len(),
            Self::StandIn(stand_in) => size_of::<StandIn>() + stand_in.heap_bytes(),
            _ => 0,
        }
    }

    /// The same scalar, borrowed.
    pub fn borrow(&self) -> Value<'_> {
        match self {
            Self::Absent => Value::Absent,
            Self::Bool(v) => Value::Bool(*v),
            Self::Int(v) => Value::Int(*v),
            Self::Double(v) => Value::Double(*v),
            Self::Str(v) => Value::Str(v),
            Self::Time(v) => Value::Time(*v),
            Self::Duration(v) => Value::Duration(*v),
            Self::Object => Value::Object,
            Self::StandIn(stand_in) => Value::StandIn(stand_in),
        }
    }
}

impl fmt::Debug for OwnedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrow().fmt(f)
    }
}

/// A double as an integer of the same order, so that integers' windows can hold it: −0 below 0, infinities at the ends.
pub fn ordered_bits(number: f64) -> i64 {
    let bits = number.to_bits().cast_signed();
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

/// The double of [`ordered_bits`].
pub fn from_ordered_bits(bits: i64) -> f64 {
    f64::from_bits((if bits < 0 { bits ^ i64::MAX } else { bits }).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_keep_their_order_as_integers() {
        let numbers = [f64::NEG_INFINITY, -1e300, -1.5, -1e-300, -0.0, 0.0, 1e-300, 1.5, 1e300, f64::INFINITY];
        for pair in numbers.windows(2) {
            assert!(ordered_bits(pair[0]) < ordered_bits(pair[1]), "{pair:?}");
        }
        for number in numbers {
            assert_eq!(from_ordered_bits(ordered_bits(number)).to_bits(), number.to_bits());
        }
    }

    #[test]
    fn debug_output_never_shows_the_content() {
        let shown = format!("{:?} {:?}", Value::Str("+201000000001"), OwnedValue::Str("secret text".into()));
        assert_eq!(shown, "Str(…) Str(…)");
    }

    #[test]
    fn owning_and_borrowing_round_trips() {
        for value in [
            Value::Absent,
            Value::Bool(true),
            Value::Int(-1),
            Value::Double(0.5),
            Value::Str("x"),
            Value::Time(9),
            Value::Duration(7),
            Value::Object,
        ] {
            assert_eq!(value.to_owned().borrow(), value);
        }
    }
}
