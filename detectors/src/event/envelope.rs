//! One record of the log, read and checked: CloudEvents 1.0 in structured JSON mode, then the data of its type.
//!
//! A clean record is read once, straight into its type (`sonic-rs`, borrowing from the record). One that this refuses is
//! read a second time by `serde_json`, slower, field by field (`salvage.rs`): what a client can garble must not hide the event.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::encoded::open;
use super::fault::Fault;
use super::json::{self, Told};
use super::salvage::{BadField, Members, Notes, Salvage as _};
use super::text::Text;
use super::units::Timestamp;
use super::{Data, DataSeed, Event, EventType};
use crate::entity::ID_BYTES_MAX;

/// Instants that the event clock may show, ms: 1970-01-01 to 9999-12-31. A device's own clock may show anything: being
/// off is evidence, never a reason to set the event aside.
const EVENT_CLOCK_MS: std::ops::RangeInclusive<i64> = 0..=253_402_300_799_999;

/// Bounds on a record, checked before it is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest record in bytes. 1 MiB: a planned route of forty thousand points fits, and whatever padding a client
    /// gets into an event; raising it raises what one hostile record may cost.
    pub record_bytes_max: usize,
    /// Deepest nesting of objects and lists that is read. 32: the vocabulary needs 4; JSON parsers recurse, and a stack
    /// that overflows takes the process with it. What lies deeper is passed over without.
    pub nesting_max: usize,
    /// Whether alerts are read too: in the tests of rules, and nowhere else.
    pub own: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { record_bytes_max: 1024 * 1024, nesting_max: 32, own: false }
    }
}

/// What a good record is.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// An event of the vocabulary, as the contract says.
    Event(Event<'a>),
    /// One of which some fields were not: what could be made of them is in it.
    Garbled {
        /// The event.
        event: Event<'a>,
        /// The fields, each once.
        bad: Vec<BadField>,
    },
    /// An envelope of a type that is not in the vocabulary: counted and passed over.
    UnknownType,
    /// Its data is base64: read what [`open`](super::encoded::open) makes of the record instead.
    Encoded,
}

/// Reads one record.
///
/// # Errors
/// A [`Fault`] when it is too long, no JSON, no CloudEvents envelope, or lacks or garbles what its type requires of
/// numbers, times and places.
pub fn decode<'a>(record: &'a [u8], limits: &Limits) -> Result<Decoded<'a>, Fault> {
    if record.len() > limits.record_bytes_max {
        return Err(Fault::whole(format!("record of {} bytes, expected {} at most", record.len(), limits.record_bytes_max)));
    }
    if json::is_plain(record, limits.nesting_max) {
        // What is not as the contract says, and what is nobody's unless alerts are read too, is read again.
        match sonic_rs::from_slice::<Parsed<'_>>(record) {
            Ok(Parsed::Event(event)) => return Ok(Decoded::Event(event)),
            Ok(Parsed::UnknownType) if !limits.own => return Ok(Decoded::UnknownType),
            Ok(Parsed::TypeAfterData(known)) => {
                if let Some(event) = decode_as(known, record) {
                    return Ok(Decoded::Event(event));
                }
            }
            Ok(Parsed::UnknownType) | Err(_) => {}
        }
    }
    decode_slowly(record, limits)
}

/// Reads a record field by field.
pub(super) fn decode_slowly<'a>(record: &'a [u8], limits: &Limits) -> Result<Decoded<'a>, Fault> {
    let mut notes = Notes::new(limits.nesting_max, false);
    salvage(record, limits, &mut notes).map(|salvaged| match salvaged {
        Salvaged::UnknownType => Decoded::UnknownType,
        Salvaged::Encoded => Decoded::Encoded,
        Salvaged::Event(event) => match notes.into_found() {
            (bad, _) if bad.is_empty() => Decoded::Event(event),
            (bad, _) => Decoded::Garbled { event, bad },
        },
    })
}

/// What is wrong with a record, be it that it is a dead letter or that a field of it is not as the contract says.
///
/// # Errors
/// The [`Fault`] of the record, or else of the first such field.
pub fn check(record: &[u8], limits: &Limits) -> Result<(), Fault> {
    match decode(record, limits)? {
        Decoded::Event(_) | Decoded::UnknownType => Ok(()),
        Decoded::Encoded => check(&open(record, limits)?, limits),
        Decoded::Garbled { event, .. } => {
            let mut notes = Notes::new(limits.nesting_max, true);
            salvage(record, limits, &mut notes)?;
            match notes.into_found().1 {
                Some((BadField::Attribute(name), reason)) => Err(Fault::whole(reason).inside(name)),
                Some((BadField::Other, reason)) => Err(Fault::whole(reason).inside("data")),
                Some((field, reason)) => Err(Fault::whole(reason).inside(&field.name(event.data.event_type())).inside("data")),
                None => Ok(()),
            }
        }
    }
}

/// Reads a record whose type is known, and of which the first reading has seen that it is whole and ends where it should;
/// `None` where its data is not as the contract says.
#[cold]
fn decode_as(known: EventType, record: &[u8]) -> Option<Event<'_>> {
    match (EnvelopeSeed { known: Some(known) }).deserialize(&mut sonic_rs::Deserializer::from_slice(record)) {
        Ok(Parsed::Event(event)) => Some(event),
        _ => None,
    }
}

/// The attributes that are read.
const ATTRIBUTES: [&str; 8] = ["specversion", "id", "source", "type", "time", "receivedtime", "subject", "data"];
/// Those that are looked at where there is no `data`.
const INSTEAD: [&str; 2] = ["data_base64", "datacontenttype"];

/// The text of an attribute, and whether it came once.
type Given<'a> = (Option<&'a RawValue>, bool);

/// The texts of a record's attributes.
pub(super) struct Attributes<'a> {
    /// Those that are read, each there once at most, by name.
    pub(super) read: [(&'static str, Option<&'a RawValue>); ATTRIBUTES.len()],
    /// Those of [`INSTEAD`].
    pub(super) instead: [Given<'a>; INSTEAD.len()],
}

/// Finds them.
pub(super) fn attributes<'a>(record: &'a [u8], notes: &mut Notes) -> Result<Attributes<'a>, Fault> {
    if record.trim_ascii().is_empty() {
        return Err(Fault::whole("empty record, expected a JSON object"));
    }
    if record.starts_with(b"\xEF\xBB\xBF") {
        return Err(Fault::whole("byte-order mark, expected a JSON object"));
    }
    let text = std::str::from_utf8(record).map_err(|error| Fault::whole(format!("invalid UTF-8 at byte {}", error.valid_up_to())))?;
    let mut json = serde_json::Deserializer::from_str(text);
    let names = || ATTRIBUTES.iter().chain(&INSTEAD);
    let find = |name: &[u8]| names().position(|known| known.as_bytes() == name).and_then(|index| u8::try_from(index).ok());
    let members = Members::read(&mut json, names().count(), find, "a CloudEvents object", notes)
        .and_then(|members| json.end().map(|()| members))
        .map_err(|error| Fault::of(&error))?;
    let mut raws = ATTRIBUTES.map(|name| (name, None));
    let mut indices = 0_u8..;
    for ((name, raw), index) in raws.iter_mut().zip(indices.by_ref()) {
        let (found, once) = members.get(index);
        if !once {
            return Err(Fault::whole("given more than once, expected once").inside(name));
        }
        *raw = found;
    }
    let instead = INSTEAD.map(|_| indices.next().map_or((None, true), |index| members.get(index)));
    Ok(Attributes { read: raws, instead })
}

/// What a record turned out to be.
enum Salvaged<'a> {
    UnknownType,
    Encoded,
    Event(Event<'a>),
}

/// Reads a record attribute by attribute and field by field.
fn salvage<'a>(record: &'a [u8], limits: &Limits, notes: &mut Notes) -> Result<Salvaged<'a>, Fault> {
    let Attributes { read, instead: [(encoded, _), _] } = attributes(record, notes)?;
    let [version, id, source, kind, time, received, subject, data] = read.map(|(_, raw)| raw);

    attribute("specversion", version, |raw| match json::text(raw)? {
        Told::Plain(version) if version == "1.0" => Ok(()),
        Told::Number(_) => Err(Fault::whole(NO_STRING)),
        _ => Err(Fault::whole(VERSION)),
    })?;
    let id = attribute("id", id, |raw| identity(raw, "id", notes))?;
    let source = attribute("source", source, |raw| identity(raw, "source", notes))?;
    let kind = attribute("type", kind, |raw| identity(raw, "type", notes))?;
    // What is part of another event comes with that one.
    let known = if limits.own {
        EventType::from_name(kind.as_str()).filter(|known| known.whole().is_none())
    } else {
        EventType::produced(kind.as_str())
    };
    let Some(event_type) = known else { return Ok(Salvaged::UnknownType) };
    if data.is_none() && encoded.is_some() {
        return Ok(Salvaged::Encoded);
    }
    let time = attribute("time", time.filter(|raw| raw.get() != "null"), |raw| Timestamp::salvage(raw, notes))?;
    let received = received.filter(|raw| raw.get() != "null").and_then(|raw| {
        notes.attribute("receivedtime", |notes| match Timestamp::salvage(raw, notes) {
            Ok(received) if EVENT_CLOCK_MS.contains(&received.millis()) => Some(received),
            Ok(_) => {
                notes.note(|| CLOCK.to_owned());
                None
            }
            Err(fault) => {
                notes.note(|| fault.reason);
                None
            }
        })
    });
    if let Some(raw) = subject.filter(|raw| raw.get() != "null") {
        notes.attribute("subject", |notes| {
            if let Err(fault) = super::text::salvage(raw, notes) {
                notes.note(|| fault.reason);
            }
        });
    }
    let data = attribute("data", data, |raw| Data::salvage(event_type, raw, notes))?;
    let event = Event { id: id.into_inner(), source: source.into_inner(), time, received, data };
    if EVENT_CLOCK_MS.contains(&event.clock()) { Ok(Salvaged::Event(event)) } else { Err(Fault::whole(CLOCK)) }
}

/// An attribute that there must be.
fn attribute<'a, T>(name: &str, raw: Option<&'a RawValue>, read: impl FnOnce(&'a RawValue) -> Result<T, Fault>) -> Result<T, Fault> {
    raw.ok_or_else(|| Fault::whole("missing, but its type requires it")).and_then(read).map_err(|fault| fault.inside(name))
}

/// An attribute that identifies the event. One with half a surrogate pair keeps its escapes, so that two which differ in
/// them alone stay two.
fn identity<'a>(raw: &'a RawValue, name: &'static str, notes: &mut Notes) -> Result<Text<'a>, Fault> {
    let text = match json::text(raw)? {
        Told::Plain(text) => Text(text),
        Told::Mended(_) => {
            notes.attribute(name, |notes| notes.note(|| json::HALF_PAIR.to_owned()));
            Text(raw.get().trim_matches('"').into())
        }
        Told::Number(_) => return Err(Fault::whole(NO_STRING)),
    };
    match text.as_str().len() {
        0 => Err(Fault::whole(EMPTY)),
        1..=ID_BYTES_MAX => Ok(text),
        bytes => Err(Fault::whole(format!("of {bytes} bytes, expected {ID_BYTES_MAX} at most"))),
    }
}

const VERSION: &str = "another version of CloudEvents, expected specversion 1.0";
const EMPTY: &str = "empty, expected at least one character";
const CLOCK: &str = "event clock out of range, expected 1970 to 9999";
const NO_STRING: &str = "found a number, expected a string";

enum Parsed<'a> {
    Event(Event<'a>),
    UnknownType,
    /// `data` came before `type`: read the record again, now that its type is known.
    TypeAfterData(EventType),
}

struct EnvelopeSeed {
    known: Option<EventType>,
}

impl<'de: 'a, 'a> de::Deserialize<'de> for Parsed<'a> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        EnvelopeSeed { known: None }.deserialize(deserializer)
    }
}

impl<'de> DeserializeSeed<'de> for EnvelopeSeed {
    type Value = Parsed<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

enum Attribute {
    Specversion,
    Id,
    Source,
    Type,
    Time,
    Receivedtime,
    Subject,
    Data,
    Other,
}

impl<'de> de::Deserialize<'de> for Attribute {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AttributeVisitor;

        impl Visitor<'_> for AttributeVisitor {
            type Value = Attribute;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an attribute's name")
            }

            #[inline]
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Attribute, E> {
                Ok(match name {
                    "specversion" => Attribute::Specversion,
                    "id" => Attribute::Id,
                    "source" => Attribute::Source,
                    "type" => Attribute::Type,
                    "time" => Attribute::Time,
                    "receivedtime" => Attribute::Receivedtime,
                    "subject" => Attribute::Subject,
                    "data" => Attribute::Data,
                    _ => Attribute::Other,
                })
            }
        }

        deserializer.deserialize_identifier(AttributeVisitor)
    }
}

/// The type attribute: in the vocabulary, or a stranger.
enum Kind {
    Known(EventType),
    Unknown,
}

impl<'de> de::Deserialize<'de> for Kind {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Identity::deserialize(deserializer)?.0;
        Ok(EventType::produced(name.as_str()).map_or(Self::Unknown, Self::Known))
    }
}

/// An attribute that identifies the event, and so must not be empty or too long: an event without is none.
struct Identity<'a>(Text<'a>);

impl<'de: 'a, 'a> de::Deserialize<'de> for Identity<'a> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        match text.as_str().len() {
            1..=ID_BYTES_MAX => Ok(Self(text)),
            _ => Err(de::Error::custom("of another length")),
        }
    }
}

/// The version attribute, which has one good value.
struct Version;

impl<'de> de::Deserialize<'de> for Version {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let version = Text::deserialize(deserializer)?;
        if version.as_str() == "1.0" { Ok(Self) } else { Err(de::Error::custom(VERSION)) }
    }
}

fn once<T, E: de::Error>(slot: &mut Option<T>, value: T, name: &'static str) -> Result<(), E> {
    if slot.replace(value).is_some() { Err(E::duplicate_field(name)) } else { Ok(()) }
}

impl<'de> Visitor<'de> for EnvelopeSeed {
    type Value = Parsed<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudEvents object")
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut specversion, mut id, mut source, mut kind, mut time, mut received, mut subject) =
            (None, None, None, None, None, None, None);
        let mut data: Option<Option<Data<'de>>> = None;
        while let Some(attribute) = map.next_key()? {
            match attribute {
                Attribute::Specversion => once(&mut specversion, map.next_value::<Version>()?, "specversion")?,
                Attribute::Id => once(&mut id, map.next_value::<Identity<'de>>()?.0, "id")?,
                Attribute::Source => once(&mut source, map.next_value::<Identity<'de>>()?.0, "source")?,
                Attribute::Type => once(&mut kind, map.next_value::<Kind>()?, "type")?,
                Attribute::Time => once(&mut time, map.next_value::<Option<Timestamp>>()?, "time")?,
                Attribute::Receivedtime => once(&mut received, map.next_value::<Option<Timestamp>>()?, "receivedtime")?,
                Attribute::Subject => once(&mut subject, map.next_value::<Option<Text<'de>>>()?, "subject")?,
                Attribute::Data => {
                    let known = self.known.or(match kind {
                        Some(Kind::Known(known)) => Some(known),
                        Some(Kind::Unknown) | None => None,
                    });
                    let value = if let Some(event_type) = known {
                        Some(map.next_value_seed(DataSeed(event_type))?)
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        None
                    };
                    once(&mut data, value, "data")?;
                }
                Attribute::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        specversion.ok_or_else(|| de::Error::missing_field("specversion"))?;
        let id = id.ok_or_else(|| de::Error::missing_field("id"))?;
        let source = source.ok_or_else(|| de::Error::missing_field("source"))?;
        match kind.ok_or_else(|| de::Error::missing_field("type"))? {
            Kind::Unknown => Ok(Parsed::UnknownType),
            Kind::Known(event_type) => match data {
                None => Err(de::Error::missing_field("data")),
                Some(None) => Ok(Parsed::TypeAfterData(event_type)),
                Some(Some(data)) => {
                    let time = time.flatten().ok_or_else(|| de::Error::missing_field("time"))?;
                    let event = Event { id: id.into_inner(), source: source.into_inner(), time, received: received.flatten(), data };
                    if !EVENT_CLOCK_MS.contains(&event.clock()) {
                        return Err(de::Error::custom(CLOCK));
                    }
                    Ok(Parsed::Event(event))
                }
            },
        }
    }
}

/// One field of `data` that the vocabulary does not know, for rules that name it as `data["name"]`; of several, the first.
/// Scalars only.
pub fn unknown_field(record: &[u8], name: &str) -> crate::value::OwnedValue {
    unknown_text(record, name).map_or(crate::value::OwnedValue::Absent, |raw| scalar(&raw))
}

/// The elements of a list that the vocabulary does not know, which must be scalars; `None` where it is no such list.
pub fn unknown_list(record: &[u8], name: &str) -> Option<Vec<crate::value::OwnedValue>> {
    use crate::value::OwnedValue;

    let raw = unknown_text(record, name).filter(|raw| raw.starts_with('['))?;
    let elements: Vec<&RawValue> = serde_json::from_str(&raw).ok()?;
    let values: Vec<OwnedValue> = elements.into_iter().map(|element| scalar(element.get())).collect();
    (!values.iter().any(|value| matches!(value, OwnedValue::Absent | OwnedValue::Object))).then_some(values)
}

/// A value of JSON; what is null, or no number that can be held, is absent.
fn scalar(raw: &str) -> crate::value::OwnedValue {
    use crate::value::OwnedValue;

    let text = |raw: &str| match serde_json::from_str::<&RawValue>(raw).map(json::text) {
        Ok(Ok(Told::Plain(text))) => OwnedValue::Str(text.into()),
        Ok(Ok(Told::Mended(text))) => OwnedValue::Str(text.into()),
        _ => OwnedValue::Absent,
    };
    match raw.as_bytes().first() {
        Some(b'"') => text(raw),
        Some(b't') => OwnedValue::Bool(true),
        Some(b'f') => OwnedValue::Bool(false),
        Some(b'n') | None => OwnedValue::Absent,
        Some(b'{' | b'[') => OwnedValue::Object,
        Some(_) => match (raw.parse(), raw.parse::<f64>()) {
            (Ok(whole), _) => OwnedValue::Int(whole),
            (_, Ok(real)) if real.is_finite() => OwnedValue::Double(real),
            _ => OwnedValue::Absent,
        },
    }
}

/// The text of that field. The fast reader recurses into what a record nests and stops at half a surrogate pair, so it is
/// shown records that have neither.
fn unknown_text<'a>(record: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    let nesting_max = Limits::default().nesting_max;
    if json::is_plain(record, nesting_max) {
        let found: sonic_rs::LazyValue<'a> = sonic_rs::get(record, ["data", name].iter()).ok()?;
        return Some(found.as_raw_cow());
    }
    let mut notes = Notes::new(nesting_max, false);
    let mut member = |text: &'a str, name: &str| -> Option<&'a RawValue> {
        let mut json = serde_json::Deserializer::from_str(text);
        let find = |found: &[u8]| (found == name.as_bytes()).then_some(0);
        Members::read(&mut json, 1, find, "an object", &mut notes).ok()?.get(0).0
    };
    let data = member(std::str::from_utf8(record).ok()?, "data")?;
    member(data.get(), name).map(|raw| Cow::Borrowed(raw.get()))
}
