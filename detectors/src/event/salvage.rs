//! What becomes of a field that cannot be read as the contract says: the field is lost or mended, its event is not.
//!
//! A clean record never comes here, it is read straight into its type. What that reading refuses is read again, field by
//! field, from the text of each: an optional field, an identifier, a text or a boolean that cannot be read is absent; a
//! number, a time or a place that the type requires makes the record a dead letter. Whoever writes badly gains nothing:
//! a field given twice counts once where its values agree, as the readable one where one cannot be read, and else as
//! one that cannot be read. Nothing here recurses into what a record nests.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::EventType;
use super::fault::Fault;
use super::field::{self, FieldPath, FieldSpec, FieldValue};
use super::json;

const MISSING: &str = "missing, but its type requires it";
const TWICE: &str = "given more than once";

/// A field that was not as the contract says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BadField {
    /// A field of the event's type.
    Known(FieldPath),
    /// An attribute of the envelope.
    Attribute(&'static str),
    /// Anything outside the contract.
    Other,
}

impl BadField {
    /// Its name in an event of that type: `device_id`, `location.lat`, and `other` for what the contract does not know.
    pub fn name(self, event_type: EventType) -> Cow<'static, str> {
        let Self::Known(path) = self else {
            return Cow::Borrowed(if let Self::Attribute(name) = self { name } else { "other" });
        };
        let outer = event_type.fields().get(usize::from(path.field)).map_or("other", |spec| spec.name);
        match path.child.and_then(|_| field::at(event_type.fields(), path)) {
            Some(child) => Cow::Owned(format!("{outer}.{}", child.name)),
            None => Cow::Borrowed(outer),
        }
    }
}

/// Where in the record the reading is.
#[derive(Clone, Copy)]
enum At {
    Attribute(&'static str),
    /// In `data`, in none of its fields.
    Data,
    Field(u8),
    Child(u8, u8),
    /// In a list, whose contents count as the list.
    List(u8),
}

/// What was found on the way through one record.
pub struct Notes {
    at: At,
    found: Vec<BadField>,
    nesting_max: usize,
    /// Whether `first` is wanted, whose making costs.
    explains: bool,
    first: Option<(BadField, String)>,
}

impl Notes {
    pub(super) fn new(nesting_max: usize, explains: bool) -> Self {
        Self { at: At::Data, found: Vec::new(), nesting_max, explains, first: None }
    }

    pub(super) fn into_found(self) -> (Vec<BadField>, Option<(BadField, String)>) {
        (self.found, self.first)
    }

    /// Notes the field that is being read; once, however much is wrong with it.
    pub(super) fn note(&mut self, reason: impl FnOnce() -> String) {
        let field = match self.at {
            At::Attribute(name) => BadField::Attribute(name),
            At::Data => BadField::Other,
            At::Field(field) | At::List(field) => BadField::Known(FieldPath { field, child: None }),
            At::Child(field, child) => BadField::Known(FieldPath { field, child: Some(child) }),
        };
        if self.explains && self.first.is_none() {
            self.first = Some((field, reason()));
        }
        if !self.found.contains(&field) {
            self.found.push(field);
        }
    }

    /// Notes something that the contract does not know.
    pub(super) fn other(&mut self, reason: impl FnOnce() -> String) {
        let at = std::mem::replace(&mut self.at, At::Data);
        self.note(reason);
        self.at = at;
    }

    fn within<T>(&mut self, at: At, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.at, at);
        let value = read(self);
        self.at = before;
        value
    }

    pub(super) fn attribute<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.within(At::Attribute(name), read)
    }

    fn field<T>(&mut self, index: u8, read: impl FnOnce(&mut Self) -> T) -> T {
        let at = match self.at {
            At::Data | At::Attribute(_) => At::Field(index),
            At::Field(outer) => At::Child(outer, index),
            inner @ (At::Child(..) | At::List(_)) => inner,
        };
        self.within(at, read)
    }

    /// Reads a list, whose contents count as the list.
    pub(super) fn list<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let at = if let At::Field(field) = self.at { At::List(field) } else { self.at };
        self.within(at, read)
    }

    /// Reads without noting anything, and says whether there was something to note.
    fn silently<T>(&self, read: impl FnOnce(&mut Self) -> T) -> (T, bool) {
        let mut scratch = Self { at: self.at, ..Self::new(self.nesting_max, false) };
        let value = read(&mut scratch);
        (value, scratch.found.is_empty())
    }
}

/// A type that can be read from what somebody garbled.
pub trait Salvage<'a>: Sized {
    /// Reads the text of a value; what was mended on the way is noted.
    ///
    /// # Errors
    /// A [`Fault`] where it cannot be read.
    fn salvage(raw: &'a RawValue, notes: &mut Notes) -> Result<Self, Fault>;

    /// What stands for a value that is missing or cannot be read; `None`: without it there is no event.
    fn lost() -> Option<Self> {
        None
    }
}

impl<'a, T: Salvage<'a>> Salvage<'a> for Option<T> {
    fn salvage(raw: &'a RawValue, notes: &mut Notes) -> Result<Self, Fault> {
        if raw.get() == "null" { Ok(None) } else { T::salvage(raw, notes).map(Some) }
    }

    fn lost() -> Option<Self> {
        Some(None)
    }
}

impl<'a> Salvage<'a> for bool {
    fn salvage(raw: &'a RawValue, _: &mut Notes) -> Result<Self, Fault> {
        json::strict(raw)
    }
}

/// The members of one object by the names that are looked for, each as its text.
pub struct Members<'a> {
    slots: SmallVec<[Option<&'a RawValue>; 24]>,
    /// What came again under a name that had come.
    again: Vec<(u8, &'a RawValue)>,
}

impl<'a> Members<'a> {
    /// The members of an object of those fields; others are looked at only for what has to be noted.
    ///
    /// # Errors
    /// A [`Fault`] where it is no object.
    pub fn of_record(raw: &'a RawValue, fields: &'static [FieldSpec], notes: &mut Notes) -> Result<Self, Fault> {
        let mut json = serde_json::Deserializer::from_str(raw.get());
        Self::read(&mut json, fields.len(), |name| position(fields, name), "an object", notes).map_err(|error| Fault::of(&error))
    }

    /// The members of the object that is read next. `find` gives the number of a name, `expected` says what else is a fault.
    pub(super) fn read(
        json: &mut serde_json::Deserializer<serde_json::de::StrRead<'a>>,
        names: usize,
        find: impl Fn(&[u8]) -> Option<u8>,
        expected: &'static str,
        notes: &mut Notes,
    ) -> Result<Self, serde_json::Error> {
        let members = Self { slots: SmallVec::from_elem(None, names), again: Vec::new() };
        json.deserialize_map(Reading { members, find, expected, notes })
    }

    /// The text under a name, and whether it came once.
    pub(super) fn get(&self, index: u8) -> (Option<&'a RawValue>, bool) {
        let once = !self.again.iter().any(|(again, _)| *again == index);
        (self.slots.get(usize::from(index)).copied().flatten(), once)
    }

    /// Reads a field.
    ///
    /// # Errors
    /// A [`Fault`] where there is no event without it, and it is missing or cannot be read.
    pub fn field<T: Salvage<'a> + FieldValue>(&self, index: u8, name: &'static str, notes: &mut Notes) -> Result<T, Fault> {
        notes.field(index, |notes| match self.get(index) {
            (None, _) => match T::lost() {
                Some(lost) => {
                    if !T::OPTIONAL {
                        notes.note(|| MISSING.to_owned());
                    }
                    Ok(lost)
                }
                None => Err(Fault::whole(MISSING).inside(name)),
            },
            (Some(raw), once) => {
                let read = if once { T::salvage(raw, notes) } else { self.agreed(index, raw, notes) };
                read.or_else(|fault| match T::lost() {
                    Some(lost) => {
                        notes.note(|| fault.reason);
                        Ok(lost)
                    }
                    None => Err(fault.inside(name)),
                })
            }
        })
    }

    /// What a field says that was given more than once: what can be read as it stands says more than what can be mended,
    /// `null` says nothing, and two that differ say nothing together.
    fn agreed<T: Salvage<'a>>(&self, index: u8, first: &'a RawValue, notes: &mut Notes) -> Result<T, Fault> {
        notes.note(|| TWICE.to_owned());
        let given = || std::iter::once(first).chain(self.again.iter().filter(|(again, _)| *again == index).map(|(_, raw)| *raw));
        for wanted in [true, false] {
            let mut found: Option<(&str, T)> = None;
            for raw in given().filter(|raw| raw.get() != "null") {
                if found.as_ref().is_some_and(|(text, _)| *text == raw.get()) {
                    continue;
                }
                if let (Ok(value), clean) = notes.silently(|scratch| T::salvage(raw, scratch))
                    && clean == wanted
                {
                    if found.is_some() {
                        return Err(Fault::whole("given more than once, with different values"));
                    }
                    found = Some((raw.get(), value));
                }
            }
            if let Some((_, value)) = found {
                return Ok(value);
            }
        }
        T::salvage(first, notes)
    }
}

fn position(fields: &'static [FieldSpec], name: &[u8]) -> Option<u8> {
    fields.iter().position(|spec| spec.name.as_bytes() == name).and_then(|index| u8::try_from(index).ok())
}

struct Reading<'a, 'n, F> {
    members: Members<'a>,
    find: F,
    expected: &'static str,
    notes: &'n mut Notes,
}

impl<'a, F: Fn(&[u8]) -> Option<u8>> Visitor<'a> for Reading<'a, '_, F> {
    type Value = Members<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        while let Some(name) = map.next_key_seed(Name(&self.find))? {
            let raw = map.next_value::<&'a RawValue>()?;
            match name {
                Named::Known(index) => match self.members.slots.get_mut(usize::from(index)) {
                    Some(slot @ None) => *slot = Some(raw),
                    _ => self.members.again.push((index, raw)),
                },
                Named::Other { whole } => {
                    // Two levels lie around it: the record and `data`.
                    if json::nested_deeper_than(raw.get().as_bytes(), self.notes.nesting_max.saturating_sub(2)) {
                        let max = self.notes.nesting_max;
                        self.notes.other(|| format!("nested too deep, expected {max} levels at most"));
                    } else if !whole || json::escapes(raw.get().as_bytes()) == json::Escapes::HalfPair {
                        self.notes.other(|| json::HALF_PAIR.to_owned());
                    }
                }
            }
        }
        Ok(self.members)
    }
}

enum Named {
    Known(u8),
    Other {
        /// Whether it has no half of a surrogate pair.
        whole: bool,
    },
}

/// Reads a member's name.
struct Name<'f, F>(&'f F);

impl<'de, F: Fn(&[u8]) -> Option<u8>> DeserializeSeed<'de> for Name<'_, F> {
    type Value = Named;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Named, D::Error> {
        // As text first: that refuses what bytes may have and JSON may not, a bare control character.
        let raw = <&RawValue as serde::Deserialize>::deserialize(deserializer)?;
        serde_json::Deserializer::from_str(raw.get()).deserialize_bytes(self).map_err(serde::de::Error::custom)
    }
}

impl<F: Fn(&[u8]) -> Option<u8>> Visitor<'_> for Name<'_, F> {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_bytes<E: serde::de::Error>(self, name: &[u8]) -> Result<Named, E> {
        Ok((self.0)(name).map_or_else(|| Named::Other { whole: std::str::from_utf8(name).is_ok() }, Named::Known))
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Named, E> {
        self.visit_bytes(name.as_bytes())
    }
}
