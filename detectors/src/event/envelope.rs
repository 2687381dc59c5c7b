//! One record of the log, read and checked: CloudEvents 1.0 in structured JSON mode, then the data of its type.
//!
//! A good record is read once, straight into its type (`sonic-rs`, borrowing from the record). A bad one is read a
//! second time by `serde_json`, slower, which knows the field that is wrong.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

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
    /// Longest record in bytes. 256 KiB: a planned route of ten thousand points fits; raising it raises what one
    /// hostile record may cost.
    pub record_bytes_max: usize,
    /// Deepest nesting of objects and lists. 32: the vocabulary needs 4; JSON parsers recurse, and a stack that
    /// overflows takes the process with it.
    pub nesting_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { record_bytes_max: 256 * 1024, nesting_max: 32 }
    }
}

/// What a good record is.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// An event of the vocabulary.
    Event(Event<'a>),
    /// An envelope of a type that is not in the vocabulary: counted and passed over.
    UnknownType,
}

/// Why a record is a dead letter. It never quotes the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field that is wrong, as a path (`data.location.lat`), where it is known.
    pub field: Option<String>,
    /// What is wrong in one line: what was found and what was expected.
    pub reason: String,
}

impl Fault {
    fn whole(reason: impl Into<String>) -> Self {
        Self { field: None, reason: reason.into() }
    }
}

/// Reads one record.
///
/// # Errors
/// A [`Fault`] when it is too long, nested too deep, no JSON, no CloudEvents envelope, or its data is not what its type requires.
pub fn decode<'a>(record: &'a [u8], limits: &Limits) -> Result<Decoded<'a>, Fault> {
    if record.len() > limits.record_bytes_max {
        return Err(Fault::whole(format!("record of {} bytes, expected {} at most", record.len(), limits.record_bytes_max)));
    }
    if nested_deeper_than(record, limits.nesting_max) {
        return Err(Fault::whole(format!("nested too deep, expected {} levels at most", limits.nesting_max)));
    }
    let first = match sonic_rs::from_slice::<Parsed<'a>>(record) {
        // The first reading has seen that the record is whole and ends where it should.
        Ok(Parsed::TypeAfterData(known)) => {
            EnvelopeSeed { known: Some(known) }.deserialize(&mut sonic_rs::Deserializer::from_slice(record))
        }
        other => other,
    };
    match first {
        Ok(Parsed::Event(event)) => Ok(Decoded::Event(event)),
        Ok(Parsed::UnknownType | Parsed::TypeAfterData(_)) => Ok(Decoded::UnknownType),
        Err(_) => Err(explain(record)),
    }
}

/// Whether brackets outside strings nest deeper than `max`. Counting every bracket first settles the usual record in
/// one fast pass: what has no more than `max` of them cannot nest deeper.
fn nested_deeper_than(record: &[u8], max: usize) -> bool {
    if memchr::memchr2_iter(b'{', b'[', record).nth(max).is_none() {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in record {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_string = false,
            (false, b'"') => in_string = true,
            (false, b'{' | b'[') => {
                depth += 1;
                if depth > max {
                    return true;
                }
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Finds what is wrong with a record that the fast reader refused.
fn explain(record: &[u8]) -> Fault {
    if record.trim_ascii().is_empty() {
        return Fault::whole("empty record, expected a JSON object");
    }
    if record.starts_with(b"\xEF\xBB\xBF") {
        return Fault::whole("byte-order mark, expected a JSON object");
    }
    if let Err(error) = std::str::from_utf8(record) {
        return Fault::whole(format!("invalid UTF-8 at byte {}", error.valid_up_to()));
    }
    let read = |known| {
        let mut track = serde_path_to_error::Track::new();
        let mut json = serde_json::Deserializer::from_slice(record);
        let parsed = EnvelopeSeed { known }.deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track));
        match parsed.and_then(|parsed| json.end().map(|()| parsed)) {
            Ok(parsed) => Ok(parsed),
            Err(error) => Err((track.path().to_string(), error)),
        }
    };
    let result = match read(None) {
        Ok(Parsed::TypeAfterData(known)) => read(Some(known)),
        other => other,
    };
    match result {
        Err((path, error)) => fault(&path, &error),
        Ok(_) => Fault::whole("not valid JSON"),
    }
}

/// A fault from serde's message, less every value that the message quotes.
fn fault(path: &str, error: &serde_json::Error) -> Fault {
    let position = format!("byte {}", error.column());
    match error.classify() {
        serde_json::error::Category::Syntax => return Fault::whole(format!("not valid JSON at {position}")),
        serde_json::error::Category::Eof => return Fault::whole(format!("cut off at {position}, expected more JSON")),
        serde_json::error::Category::Io | serde_json::error::Category::Data => {}
    }
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    let mut field = (path != "." && !path.is_empty()).then(|| path.to_owned());
    let reason = if let Some(rest) = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: ")) {
        let (found, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, "something else"));
        format!("found {}, expected {}", kind_of(found), plain(expected))
    } else if let Some(rest) = message.strip_prefix("unknown variant ") {
        let expected = rest.rsplit_once(", expected ").map_or("", |(_, expected)| expected);
        format!("found another word, expected {}", expected.replace('`', ""))
    } else if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        let name = match &field {
            Some(path) if !path.ends_with(name) => format!("{path}.{name}"),
            Some(path) => path.clone(),
            None => name.to_owned(),
        };
        field = Some(name);
        "missing, but its type requires it".to_owned()
    } else if message.starts_with("number out of range") {
        "number out of range".to_owned()
    } else {
        message.to_owned() // a duplicate field by its own name, or one of our own messages: neither quotes a value
    };
    Fault { field, reason }
}

/// `string "ten"` → `a string`: serde's description of what it found, less the content.
fn kind_of(found: &str) -> &'static str {
    const KINDS: [(&str, &str); 9] = [
        ("string", "a string"),
        ("integer", "a whole number"),
        ("floating point", "a number with a fraction"),
        ("boolean", "true or false"),
        ("null", "null"),
        ("unit", "null"),
        ("map", "an object"),
        ("sequence", "a list"),
        ("number", "a number"),
    ];
    KINDS.into_iter().find(|(prefix, _)| found.starts_with(prefix)).map_or("something else", |(_, kind)| kind)
}

/// serde's names of Rust types in a reader's words.
fn plain(expected: &str) -> String {
    match expected {
        "i64" | "u64" => "a whole number".to_owned(),
        "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        other if other.starts_with("struct ") => "an object".to_owned(),
        other => other.to_owned(),
    }
}

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
        Ok(EventType::from_name(name.as_str()).map_or(Self::Unknown, Self::Known))
    }
}

/// An attribute that identifies the event, and so must not be empty or too long: an event without is none.
struct Identity<'a>(Text<'a>);

impl<'de: 'a, 'a> de::Deserialize<'de> for Identity<'a> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        match text.as_str().len() {
            0 => Err(de::Error::custom("empty, expected at least one character")),
            1..=ID_BYTES_MAX => Ok(Self(text)),
            bytes => Err(de::Error::custom(format_args!("of {bytes} bytes, expected {ID_BYTES_MAX} at most"))),
        }
    }
}

/// The version attribute, which has one good value.
struct Version;

impl<'de> de::Deserialize<'de> for Version {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let version = Text::deserialize(deserializer)?;
        if version.as_str() == "1.0" {
            Ok(Self)
        } else {
            Err(de::Error::custom("another version of CloudEvents, expected specversion 1.0"))
        }
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
                        return Err(de::Error::custom("event clock out of range, expected 1970 to 9999"));
                    }
                    Ok(Parsed::Event(event))
                }
            },
        }
    }
}

/// One field of `data` that the vocabulary does not know, for rules that name it as `data["name"]`. Scalars only.
pub fn unknown_field(record: &[u8], name: &str) -> crate::value::OwnedValue {
    use crate::value::OwnedValue;
    use sonic_rs::{JsonValueTrait as _, LazyValue};

    let Ok(found): Result<LazyValue<'_>, _> = sonic_rs::get(record, ["data", name].iter()) else { return OwnedValue::Absent };
    if let Some(value) = found.as_bool() {
        OwnedValue::Bool(value)
    } else if let Some(value) = found.as_i64() {
        OwnedValue::Int(value)
    } else if let Some(value) = found.as_f64() {
        OwnedValue::Double(value)
    } else if let Some(value) = found.as_str() {
        OwnedValue::Str(value.into())
    } else if found.is_null() {
        OwnedValue::Absent
    } else {
        OwnedValue::Object
    }
}
