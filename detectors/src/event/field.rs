//! How an event's fields describe themselves: name, type, privacy and the entities they name, once, in the type.
//! The rule checker, the engine's keys, the redaction of what leaves and the tables in the documentation all read this.

use serde_json::value::RawValue;

use super::fault::Fault;
use super::position::Position;
use super::salvage::{Notes, Salvage};
use crate::entity::EntityKind;
use crate::value::Value;

/// The type a condition sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// CEL `bool`.
    Bool,
    /// CEL `int`.
    Int,
    /// CEL `double`.
    Double,
    /// CEL `string`.
    String,
    /// CEL `string`, one of these values.
    Enum(&'static [&'static str]),
    /// CEL `timestamp`.
    Time,
    /// An object; its children are reached by name.
    Object,
    /// A list; its elements are reached by index and by loops.
    List,
}

/// What the elements of a list are.
#[derive(Clone, Copy, Debug)]
pub enum Elements {
    /// It is no list.
    None,
    /// Objects of these fields.
    Objects(&'static [FieldSpec]),
    /// Two numbers each, latitude and longitude.
    Points,
}

/// Whether a value may leave the engine as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// It may. What reads as a phone, an e-mail address or their like leaves as a pseudonym all the same
    /// ([`reads_as_personal`](crate::entity::personal::reads_as_personal)).
    Clear,
    /// The same, of an opaque identifier: what reads so leaves as the pseudonym of this kind.
    Opaque(EntityKind),
    /// It leaves as the pseudonym of this kind.
    Pseudonym(EntityKind),
    /// It never leaves: free text, exact places.
    Hidden,
}

/// What a field type says about itself.
pub trait FieldValue {
    /// The type a condition sees.
    const TYPE: FieldType;
    /// Whether an event may lack it.
    const OPTIONAL: bool = false;
    /// Whether it may leave the engine as it is.
    const PRIVACY: Privacy = Privacy::Clear;
    /// The kinds of entity that it names; empty for a mere fact.
    const ENTITIES: &'static [EntityKind] = &[];
    /// The fields of an object.
    const CHILDREN: &'static [FieldSpec] = &[];
    /// What its elements are, of a list.
    const ELEMENTS: Elements = Elements::None;
    /// Whether it may be the place of an event.
    const PLACED: bool = false;

    /// The place that it is.
    #[inline]
    fn place(&self) -> Option<Position> {
        None
    }

    /// How many elements it has; `None` where it is no list, or none is there.
    fn elements(&self) -> Option<usize> {
        None
    }

    /// A field of the element at `index`, or the number at `field` of a point; [`Value::Absent`] where there is none.
    fn element(&self, index: usize, field: u8) -> Value<'_> {
        let _ = (index, field);
        Value::Absent
    }

    /// The value, [`Value::Absent`] where an optional field is not there.
    fn value(&self) -> Value<'_>;

    /// The value of the child of that index.
    fn child(&self, index: u8) -> Value<'_> {
        let _ = index;
        Value::Absent
    }

    /// How many identifiers in it are longer than one may be, and so read as absent.
    #[inline]
    fn oversized(&self) -> u32 {
        0
    }
}

impl<T: FieldValue> FieldValue for Option<T> {
    const TYPE: FieldType = T::TYPE;
    const OPTIONAL: bool = true;
    const PRIVACY: Privacy = T::PRIVACY;
    const ENTITIES: &'static [EntityKind] = T::ENTITIES;
    const CHILDREN: &'static [FieldSpec] = T::CHILDREN;
    const ELEMENTS: Elements = T::ELEMENTS;
    const PLACED: bool = T::PLACED;

    fn elements(&self) -> Option<usize> {
        self.as_ref().and_then(T::elements)
    }

    fn element(&self, index: usize, field: u8) -> Value<'_> {
        self.as_ref().map_or(Value::Absent, |inner| inner.element(index, field))
    }

    #[inline]
    fn place(&self) -> Option<Position> {
        self.as_ref().and_then(T::place)
    }

    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Absent, T::value)
    }

    fn child(&self, index: u8) -> Value<'_> {
        self.as_ref().map_or(Value::Absent, |inner| inner.child(index))
    }

    #[inline]
    fn oversized(&self) -> u32 {
        self.as_ref().map_or(0, T::oversized)
    }
}

impl FieldValue for bool {
    const TYPE: FieldType = FieldType::Bool;

    fn value(&self) -> Value<'_> {
        Value::Bool(*self)
    }
}

/// A field that a type requires and that may be lost all the same, because a client wrote it: a text, a word, a truth. `None`
/// where it is missing or cannot be read; rules that read it do not see the event, all others do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due<T>(pub Option<T>);

impl<T> Due<T> {
    /// The value, where it could be read.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl<T> From<T> for Due<T> {
    fn from(value: T) -> Self {
        Self(Some(value))
    }
}

impl<'de, T: serde::Deserialize<'de>> serde::Deserialize<'de> for Due<T> {
    #[inline]
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| Self(Some(value)))
    }
}

impl<'a, T: Salvage<'a>> Salvage<'a> for Due<T> {
    fn salvage(raw: &'a RawValue, notes: &mut Notes) -> Result<Self, Fault> {
        T::salvage(raw, notes).map(|value| Self(Some(value)))
    }

    fn lost() -> Option<Self> {
        Some(Self(None))
    }
}

impl<T: FieldValue> FieldValue for Due<T> {
    const TYPE: FieldType = T::TYPE;
    const PRIVACY: Privacy = T::PRIVACY;
    const ENTITIES: &'static [EntityKind] = T::ENTITIES;

    #[inline]
    fn value(&self) -> Value<'_> {
        self.0.value()
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Due<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

/// One field of one event type.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// Its name in `data`.
    pub name: &'static str,
    /// The type a condition sees.
    pub ty: FieldType,
    /// Whether an event may lack it.
    pub optional: bool,
    /// Whether it may leave the engine as it is.
    pub privacy: Privacy,
    /// The kinds of entity that it names.
    pub entities: &'static [EntityKind],
    /// The fields of an object, else empty.
    pub children: &'static [FieldSpec],
    /// What the elements of a list are.
    pub elements: Elements,
}

impl FieldSpec {
    /// The description of a field of type `T`.
    pub const fn of<T: FieldValue>(name: &'static str) -> Self {
        Self {
            name,
            ty: T::TYPE,
            optional: T::OPTIONAL,
            privacy: T::PRIVACY,
            entities: T::ENTITIES,
            children: T::CHILDREN,
            elements: T::ELEMENTS,
        }
    }
}

/// Where a field is: its index in [`Record::FIELDS`] and, inside an object, the child's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath {
    /// Index in the record's fields.
    pub field: u8,
    /// Index in the object's fields.
    pub child: Option<u8>,
}

/// A struct whose fields describe themselves; made by [`record!`](crate::record).
pub trait Record {
    /// The fields, in the order of their declaration.
    const FIELDS: &'static [FieldSpec];

    /// The value at `path`, [`Value::Absent`] where there is none.
    fn get(&self, path: FieldPath) -> Value<'_>;

    /// How many elements the list at `path` has; `None` where there is none.
    fn count(&self, path: FieldPath) -> Option<usize>;

    /// A field of the element at `index` of the list at `path`, or a number of that point.
    fn element(&self, path: FieldPath, index: usize, field: u8) -> Value<'_>;

    /// Whether it may say where it happened.
    const PLACED: bool;

    /// Where it happened: the place that the record itself is, else the first that stands in it.
    fn place(&self) -> Option<Position>;

    /// The fields that are absent where the place in it is none.
    const HIDDEN: &'static [&'static str];

    /// How many of its identifiers are longer than one may be, and so read as absent.
    fn oversized(&self) -> u32;

    /// The indices of the fields that hold one.
    fn oversized_fields(&self) -> Vec<u8>;
}

/// Whether `path` is the field of that name.
pub fn is_at(fields: &'static [FieldSpec], path: FieldPath, name: &str) -> bool {
    fields.get(usize::from(path.field)).is_some_and(|spec| spec.name == name)
}

/// The path and description of `name` (`user_id`, `location.lat`) among `fields`.
pub fn find(fields: &'static [FieldSpec], name: &str) -> Option<(FieldPath, &'static FieldSpec)> {
    let (outer, inner) = name.split_once('.').map_or((name, None), |(outer, inner)| (outer, Some(inner)));
    let (field, spec) = position(fields, outer)?;
    match inner {
        None => Some((FieldPath { field, child: None }, spec)),
        Some(inner) => position(spec.children, inner).map(|(child, spec)| (FieldPath { field, child: Some(child) }, spec)),
    }
}

/// The description of the field at `path` among `fields`.
pub fn at(fields: &'static [FieldSpec], path: FieldPath) -> Option<&'static FieldSpec> {
    let spec = fields.get(usize::from(path.field))?;
    path.child.map_or(Some(spec), |child| spec.children.get(usize::from(child)))
}

fn position(fields: &'static [FieldSpec], name: &str) -> Option<(u8, &'static FieldSpec)> {
    let index = fields.iter().position(|spec| spec.name == name)?;
    Some((u8::try_from(index).ok()?, fields.get(index)?))
}

/// Declares the data of an event: a struct read by serde, whose fields describe themselves through
/// [`Record`] (and, for a nested object, through [`FieldValue`]). What serde refuses is read again by
/// [`Salvage`](crate::event::salvage::Salvage), field by field. With `where accuracy hides [lat, lon]` the record is itself a place,
/// and those fields are absent wherever the accuracy says that it is none.
#[macro_export]
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident<'a> $(where $accuracy:ident hides [$($hidden:ident),*])? {
        $($(#[$field_meta:meta])* pub $field:ident: $ty:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, serde::Deserialize, schemars::JsonSchema)]
        #[serde(remote = "Self", bound(deserialize = "'de: 'a"))]
        pub struct $name<'a> { $($(#[$field_meta])* pub $field: $ty,)* }

        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            #[inline]
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize($crate::event::object::Object(deserializer))
            }
        }

        $crate::record!(@impl [<'a>] $name<'a> [$([$accuracy $($hidden)*])?] { $($field: $ty,)* });
    };
    ($(#[$meta:meta])* pub struct $name:ident $(where $accuracy:ident hides [$($hidden:ident),*])? {
        $($(#[$field_meta:meta])* pub $field:ident: $ty:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, serde::Deserialize, schemars::JsonSchema)]
        #[serde(remote = "Self")]
        pub struct $name { $($(#[$field_meta])* pub $field: $ty,)* }

        impl<'de> serde::Deserialize<'de> for $name {
            #[inline]
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize($crate::event::object::Object(deserializer))
            }
        }

        $crate::record!(@impl [] $name [$([$accuracy $($hidden)*])?] { $($field: $ty,)* });
    };
    (@impl [$($generics:tt)*] $name:ty [$([$accuracy:ident $($hidden:ident)*])?] { $($field:ident: $ty:ty,)* }) => {
        impl $($generics)* $name {
            /// Whether the place in it is one: not where its accuracy is negative.
            #[inline]
            fn is_placed(&self) -> bool {
                true $(&& !self.$accuracy.as_ref().is_some_and($crate::event::units::Reported::is_unsure))?
            }
        }

        impl $($generics)* $crate::event::field::Record for $name {
            const FIELDS: &'static [$crate::event::field::FieldSpec] =
                &[$($crate::event::field::FieldSpec::of::<$ty>(stringify!($field)),)*];

            #[inline]
            fn get(&self, path: $crate::event::field::FieldPath) -> $crate::value::Value<'_> {
                use $crate::event::field::FieldValue as _;
                if !self.is_placed() && Self::HIDDEN.iter().any(|name| $crate::event::field::is_at(Self::FIELDS, path, name)) {
                    return $crate::value::Value::Absent;
                }
                let mut index = 0_u8;
                $(
                    if path.field == index {
                        return match path.child {
                            None => self.$field.value(),
                            Some(child) => self.$field.child(child),
                        };
                    }
                    index += 1;
                )*
                debug_assert!(index > 0, "every record has a field");
                $crate::value::Value::Absent
            }

            fn count(&self, path: $crate::event::field::FieldPath) -> Option<usize> {
                use $crate::event::field::FieldValue as _;
                let counts = [$(self.$field.elements(),)*];
                counts.get(usize::from(path.field)).copied().flatten()
            }

            fn element(&self, path: $crate::event::field::FieldPath, element: usize, part: u8) -> $crate::value::Value<'_> {
                use $crate::event::field::FieldValue as _;
                let mut index = 0_u8;
                $(
                    if path.field == index {
                        return self.$field.element(element, part);
                    }
                    index += 1;
                )*
                debug_assert!(index > 0, "every record has a field");
                $crate::value::Value::Absent
            }

            $crate::record!(@place [$($accuracy)?] { $($field: $ty,)* });

            const HIDDEN: &'static [&'static str] = &[$($(stringify!($hidden),)*)?];

            #[inline]
            fn oversized(&self) -> u32 {
                use $crate::event::field::FieldValue as _;
                0 $(+ self.$field.oversized())*
            }

            fn oversized_fields(&self) -> Vec<u8> {
                use $crate::event::field::FieldValue as _;
                let counts = [$(self.$field.oversized(),)*];
                (0_u8..).zip(counts).filter(|(_, count)| *count > 0).map(|(index, _)| index).collect()
            }
        }

        $crate::record!(@salvage [$($generics)*] $name { $($field: $ty,)* });
    };
    (@place [$accuracy:ident] { $($field:ident: $ty:ty,)* }) => {
        const PLACED: bool = true;

        #[inline]
        fn place(&self) -> Option<$crate::event::position::Position> {
            self.is_placed().then(|| $crate::event::position::Position::new(self.lat, self.lon))
        }
    };
    (@place [] { $($field:ident: $ty:ty,)* }) => {
        const PLACED: bool = false $(|| <$ty as $crate::event::field::FieldValue>::PLACED)*;

        #[inline]
        fn place(&self) -> Option<$crate::event::position::Position> {
            use $crate::event::field::FieldValue as _;
            None$(.or_else(|| self.$field.place()))*
        }
    };
    (@salvage [<'a>] $name:ty { $($field:ident: $ty:ty,)* }) => {
        impl<'a> $crate::event::salvage::Salvage<'a> for $name {
            $crate::record!(@read { $($field: $ty,)* });
        }
    };
    (@salvage [] $name:ty { $($field:ident: $ty:ty,)* }) => {
        impl<'a> $crate::event::salvage::Salvage<'a> for $name {
            $crate::record!(@read { $($field: $ty,)* });
        }
    };
    (@read { $($field:ident: $ty:ty,)* }) => {
        fn salvage(
            raw: &'a serde_json::value::RawValue,
            notes: &mut $crate::event::salvage::Notes,
        ) -> Result<Self, $crate::event::fault::Fault> {
            let members = $crate::event::salvage::Members::of_record(raw, <Self as $crate::event::field::Record>::FIELDS, notes)?;
            let mut indices = 0_u8..;
            $(let $field = members.field::<$ty>(indices.next().unwrap_or(u8::MAX), stringify!($field), notes)?;)*
            Ok(Self { $($field,)* })
        }
    };
}

/// Makes a [`Record`] usable as a nested object that never leaves whole; `$there` says whether there is anything in it. With
/// `place` it is where the event around it happened.
#[macro_export]
macro_rules! nested_record {
    (place [$($generics:tt)*] $name:ty, $entities:expr, $there:expr) => {
        nested_record!(@impl [$($generics)*] $name, $entities, $there, {
            const PLACED: bool = true;

            #[inline]
            fn place(&self) -> Option<$crate::event::position::Position> {
                $crate::event::field::Record::place(self)
            }
        });
    };
    ([$($generics:tt)*] $name:ty, $entities:expr, $there:expr) => {
        nested_record!(@impl [$($generics)*] $name, $entities, $there, {});
    };
    (@impl [$($generics:tt)*] $name:ty, $entities:expr, $there:expr, { $($place:tt)* }) => {
        impl $($generics)* $crate::event::field::FieldValue for $name {
            const TYPE: $crate::event::field::FieldType = $crate::event::field::FieldType::Object;
            const PRIVACY: $crate::event::field::Privacy = $crate::event::field::Privacy::Hidden;
            const ENTITIES: &'static [$crate::entity::EntityKind] = $entities;
            const CHILDREN: &'static [$crate::event::field::FieldSpec] = <Self as $crate::event::field::Record>::FIELDS;
            $($place)*

            fn value(&self) -> $crate::value::Value<'_> {
                let there: fn(&Self) -> bool = $there;
                if there(self) { $crate::value::Value::Object } else { $crate::value::Value::Absent }
            }

            fn child(&self, index: u8) -> $crate::value::Value<'_> {
                $crate::event::field::Record::get(self, $crate::event::field::FieldPath { field: index, child: None })
            }

            fn oversized(&self) -> u32 {
                $crate::event::field::Record::oversized(self)
            }
        }
    };
}
