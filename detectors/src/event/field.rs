//! How an event's fields describe themselves: name, type, privacy and the entities they name, once, in the type.
//! The rule checker, the engine's keys, the redaction of what leaves and the tables in the documentation all read this.

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
    /// A list, opaque to conditions.
    List,
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
}

impl FieldSpec {
    /// The description of a field of type `T`.
    pub const fn of<T: FieldValue>(name: &'static str) -> Self {
        Self { name, ty: T::TYPE, optional: T::OPTIONAL, privacy: T::PRIVACY, entities: T::ENTITIES, children: T::CHILDREN }
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

    /// How many of its identifiers are longer than one may be, and so read as absent.
    fn oversized(&self) -> u32;
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
/// [`Record`] (and, for a nested object, through [`FieldValue`]).
#[macro_export]
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident<'a> { $($(#[$field_meta:meta])* pub $field:ident: $ty:ty,)* }) => {
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

        $crate::record!(@impl [<'a>] $name<'a> { $($field: $ty,)* });
    };
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $ty:ty,)* }) => {
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

        $crate::record!(@impl [] $name { $($field: $ty,)* });
    };
    (@impl [$($generics:tt)*] $name:ty { $($field:ident: $ty:ty,)* }) => {
        impl $($generics)* $crate::event::field::Record for $name {
            const FIELDS: &'static [$crate::event::field::FieldSpec] =
                &[$($crate::event::field::FieldSpec::of::<$ty>(stringify!($field)),)*];

            #[inline]
            fn get(&self, path: $crate::event::field::FieldPath) -> $crate::value::Value<'_> {
                use $crate::event::field::FieldValue as _;
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

            #[inline]
            fn oversized(&self) -> u32 {
                use $crate::event::field::FieldValue as _;
                0 $(+ self.$field.oversized())*
            }
        }
    };
}

/// Makes a [`Record`] usable as a nested object that never leaves whole.
#[macro_export]
macro_rules! nested_record {
    ([$($generics:tt)*] $name:ty, $entities:expr) => {
        impl $($generics)* $crate::event::field::FieldValue for $name {
            const TYPE: $crate::event::field::FieldType = $crate::event::field::FieldType::Object;
            const PRIVACY: $crate::event::field::Privacy = $crate::event::field::Privacy::Hidden;
            const ENTITIES: &'static [$crate::entity::EntityKind] = $entities;
            const CHILDREN: &'static [$crate::event::field::FieldSpec] = <Self as $crate::event::field::Record>::FIELDS;

            fn value(&self) -> $crate::value::Value<'_> {
                $crate::value::Value::Object
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
