//! The types of expressions.

use rasid_detectors::event::field::FieldType;
use rasid_detectors::value::OwnedValue;

use crate::expression::Arithmetic;

/// The type of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ty {
    Bool,
    Int,
    Double,
    /// Text; where it is one of a fixed set of words, those.
    Text(Option<&'static [&'static str]>),
    Time,
    Duration,
    /// A field outside the vocabulary: known when it is read.
    Dyn,
}

impl Ty {
    /// The type of a field; `None` for objects and lists, whose inside is reached by name.
    pub(crate) fn of_field(ty: FieldType) -> Option<Self> {
        Some(match ty {
            FieldType::Bool => Self::Bool,
            FieldType::Int => Self::Int,
            FieldType::Double => Self::Double,
            FieldType::String => Self::Text(None),
            FieldType::Enum(words) => Self::Text(Some(words)),
            FieldType::Time => Self::Time,
            FieldType::Object | FieldType::List => return None,
        })
    }

    /// The type of a parameter.
    pub(crate) fn of_value(value: &OwnedValue) -> Self {
        match value {
            OwnedValue::Bool(_) => Self::Bool,
            OwnedValue::Int(_) => Self::Int,
            OwnedValue::Double(_) => Self::Double,
            OwnedValue::Str(_) => Self::Text(None),
            OwnedValue::Time(_) => Self::Time,
            OwnedValue::Duration(_) => Self::Duration,
            OwnedValue::Absent | OwnedValue::Object | OwnedValue::StandIn(_) => Self::Dyn,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Double => "double",
            Self::Text(_) => "string",
            Self::Time => "timestamp",
            Self::Duration => "duration",
            Self::Dyn => "dyn",
        }
    }

    pub(crate) fn is(self, other: Self) -> bool {
        self == Self::Dyn || other == Self::Dyn || std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Double | Self::Dyn)
    }

    pub(crate) fn compares_with(self, other: Self) -> bool {
        self.is(other) || (self.is_number() && other.is_number())
    }

    /// The type of a value that is one or the other.
    pub(crate) fn join(self, other: Self) -> Option<Self> {
        match (self, other) {
            _ if self == other => Some(self),
            (Self::Dyn, _) | (_, Self::Dyn) => Some(Self::Dyn),
            (Self::Text(_), Self::Text(_)) => Some(Self::Text(None)),
            _ => None,
        }
    }
}

/// The type of an arithmetic operation, `None` where there is none.
pub(crate) fn arithmetic(operation: Arithmetic, left: Ty, right: Ty) -> Option<Ty> {
    use Arithmetic::{Add, Modulo, Subtract};
    match (left, right, operation) {
        (Ty::Int, Ty::Int, _) => Some(Ty::Int),
        (Ty::Double, Ty::Double, Modulo) => None,
        (Ty::Double, Ty::Double, _) => Some(Ty::Double),
        (Ty::Time, Ty::Time, Subtract) | (Ty::Duration, Ty::Duration, Add | Subtract) => Some(Ty::Duration),
        (Ty::Time, Ty::Duration, Add | Subtract) | (Ty::Duration, Ty::Time, Add) => Some(Ty::Time),
        (Ty::Dyn, other, _) | (other, Ty::Dyn, _) if !matches!(other, Ty::Bool | Ty::Text(_)) => Some(Ty::Dyn),
        _ => None,
    }
}

/// What to do instead.
pub(crate) fn arithmetic_help(left: Ty, right: Ty) -> &'static str {
    match (left, right) {
        (Ty::Int, Ty::Double) | (Ty::Double, Ty::Int) => "int and double are not mixed: write 2.0 for 2",
        (Ty::Text(_), _) | (_, Ty::Text(_)) => "text is compared, not added",
        _ => "arithmetic takes two int or two double; timestamps take durations",
    }
}
