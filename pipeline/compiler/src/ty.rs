//! The types of expressions.

use rasid_detectors::event::field::{Elements, FieldSpec, FieldType};
use rasid_detectors::value::OwnedValue;

use crate::expression::{Arithmetic, Comparison};

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
    /// A list of such.
    List(Element),
    /// An object in a list of the event.
    Entry(Fields),
    /// A point in a list of the event: two doubles, latitude and longitude.
    Point,
}

/// What a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    /// Nothing: `[]`.
    Nothing,
    Bool,
    Int,
    Double,
    Text,
    Time,
    Duration,
    Dyn,
    Entry(Fields),
    Point,
}

impl Element {
    pub(crate) fn ty(self) -> Ty {
        match self {
            Self::Bool => Ty::Bool,
            Self::Int => Ty::Int,
            Self::Double => Ty::Double,
            Self::Text => Ty::Text(None),
            Self::Time => Ty::Time,
            Self::Duration => Ty::Duration,
            Self::Nothing | Self::Dyn => Ty::Dyn,
            Self::Entry(fields) => Ty::Entry(fields),
            Self::Point => Ty::Point,
        }
    }

    /// What holds both; `None` where one is an object and the other is not.
    pub(crate) fn join(self, other: Self) -> Option<Self> {
        let is_scalar = |element: Self| !matches!(element, Self::Entry(_) | Self::Point);
        match (self, other) {
            _ if self == other => Some(self),
            (Self::Nothing, one) | (one, Self::Nothing) => Some(one),
            _ => (is_scalar(self) && is_scalar(other)).then_some(Self::Dyn),
        }
    }
}

/// The fields of the objects of one list.
#[derive(Clone, Copy)]
pub(crate) struct Fields(pub(crate) &'static [FieldSpec]);

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Fields {}

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|field| field.name)).finish()
    }
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

    /// The type of a list of the event.
    pub(crate) fn of_elements(elements: Elements) -> Option<Self> {
        match elements {
            Elements::None => None,
            Elements::Objects(fields) => Some(Self::List(Element::Entry(Fields(fields)))),
            Elements::Points => Some(Self::List(Element::Point)),
        }
    }

    /// What a list of such values holds; `None` of lists.
    pub(crate) fn element(self) -> Option<Element> {
        Some(match self {
            Self::Bool => Element::Bool,
            Self::Int => Element::Int,
            Self::Double => Element::Double,
            Self::Text(_) => Element::Text,
            Self::Time => Element::Time,
            Self::Duration => Element::Duration,
            Self::Dyn => Element::Dyn,
            Self::Entry(fields) => Element::Entry(fields),
            Self::Point => Element::Point,
            Self::List(_) => return None,
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
            Self::List(_) => "list",
            Self::Entry(_) => "object",
            Self::Point => "point",
        }
    }

    /// Whether it is a value by itself.
    pub(crate) fn is_scalar(self) -> bool {
        !matches!(self, Self::List(_) | Self::Entry(_) | Self::Point)
    }

    pub(crate) fn is(self, other: Self) -> bool {
        (self == Self::Dyn && other.is_scalar())
            || (other == Self::Dyn && self.is_scalar())
            || std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Double | Self::Dyn)
    }

    pub(crate) fn compares_with(self, other: Self) -> bool {
        let are_scalar = self.is_scalar() && other.is_scalar();
        are_scalar && (self.is(other) || (self.is_number() && other.is_number()))
    }

    /// The type of a value that is one or the other.
    pub(crate) fn join(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Entry(_) | Self::Point, _) | (_, Self::Entry(_) | Self::Point) => None,
            _ if self == other => Some(self),
            (Self::List(one), Self::List(other)) => one.join(other).map(Self::List),
            (Self::List(_), _) | (_, Self::List(_)) => None,
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
        (Ty::Text(_) | Ty::Dyn, Ty::Text(_), Add) | (Ty::Text(_), Ty::Dyn, Add) => Some(Ty::Text(None)),
        (Ty::List(one), Ty::List(other), Add) => one.join(other).filter(|element| element.ty().is_scalar()).map(Ty::List),
        (Ty::Dyn, other, _) | (other, Ty::Dyn, _) if other.is_scalar() && !matches!(other, Ty::Bool | Ty::Text(_)) => Some(Ty::Dyn),
        _ => None,
    }
}

/// What to do instead.
pub(crate) fn arithmetic_help(left: Ty, right: Ty) -> &'static str {
    match (left, right) {
        (Ty::Int, Ty::Double) | (Ty::Double, Ty::Int) => {
            "int and double are not mixed: write 2.0 for 2, and double(…) around a count, a sum or another whole number"
        }
        (Ty::Text(_), _) | (_, Ty::Text(_)) => "text is added to text: write string(x) of anything else",
        _ => "arithmetic takes two int or two double; timestamps take durations",
    }
}

/// The comparison that CEL's parser calls so, and its sign.
pub(crate) fn comparison_named(name: &str) -> Option<(Comparison, &'static str)> {
    Some(match name {
        "_==_" => (Comparison::Equal, "=="),
        "_!=_" => (Comparison::NotEqual, "!="),
        "_<_" => (Comparison::Less, "<"),
        "_<=_" => (Comparison::LessOrEqual, "<="),
        "_>_" => (Comparison::Greater, ">"),
        "_>=_" => (Comparison::GreaterOrEqual, ">="),
        _ => return None,
    })
}

/// The same of arithmetic.
pub(crate) fn arithmetic_named(name: &str) -> Option<(Arithmetic, &'static str)> {
    Some(match name {
        "_+_" => (Arithmetic::Add, "+"),
        "_-_" => (Arithmetic::Subtract, "-"),
        "_*_" => (Arithmetic::Multiply, "*"),
        "_/_" => (Arithmetic::Divide, "/"),
        "_%_" => (Arithmetic::Modulo, "%"),
        _ => return None,
    })
}
