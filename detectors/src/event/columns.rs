//! An event out of columns: what is known of one outside the raw zone. A personal value is a [`StandIn`], exact places and
//! free text are not there, and everything else is as it was.

mod kept;

use serde::{Deserialize, Serialize};

use super::field::{self, FieldPath, FieldSpec, FieldType, Privacy};
use super::units::Timestamp;
use super::{Data, Event, EventType};
use crate::entity::personal::reads_as_personal;
use crate::entity::{EntityKind, KeyHasher};
use crate::value::{OwnedValue, Value};

pub(crate) use kept::KeptEvent;

/// What stands for a personal value outside the raw zone: it tells values apart, finds their state and may be shown, and
/// holds nothing raw.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandIn {
    /// As the value leaves.
    pub pseudonym: Box<str>,
    /// The key of state of each kind of entity that the value names.
    #[serde(deserialize_with = "kept::known")]
    pub keys: Vec<(EntityKind, u64)>,
    /// What may be shown of it as each of those kinds, where that is not the pseudonym: a prefix.
    #[serde(deserialize_with = "kept::known")]
    pub clear: Vec<(EntityKind, Box<str>)>,
}

impl StandIn {
    /// What stands for `raw`, a value of a field that names those kinds of entity; `leave` says how one of a kind leaves, `leave_id` how a text that names none.
    pub fn of(kinds: &[EntityKind], raw: &str, hasher: &KeyHasher, leave: impl Fn(EntityKind, &str) -> String) -> Option<Self> {
        let pseudonym: Box<str> = leave(*kinds.first()?, raw).into();
        let clear = kinds.iter().map(|kind| (*kind, leave(*kind, raw).into())).filter(|(_, shown)| *shown != pseudonym);
        let keys = kinds.iter().map(|kind| (*kind, hasher.key(*kind, raw))).collect();
        Some(Self { clear: clear.collect(), keys, pseudonym })
    }

    /// Heap memory, bytes.
    pub fn heap_bytes(&self) -> usize {
        let clear = self.clear.iter().map(|(_, shown)| size_of::<(EntityKind, Box<str>)>() + shown.len());
        self.pseudonym.len() + self.keys.len() * size_of::<(EntityKind, u64)>() + clear.sum::<usize>()
    }

    /// The key of state of that kind; `None` where the value names none.
    pub fn key(&self, kind: EntityKind) -> Option<u64> {
        self.keys.iter().find(|(other, _)| *other == kind).map(|(_, key)| *key)
    }

    /// Whether both stand for one value: by key where they name a kind of entity in common, as pseudonyms change with the
    /// secret.
    pub fn is(&self, other: &Self) -> bool {
        let common = self.keys.iter().find_map(|(kind, key)| other.key(*kind).map(|theirs| *key == theirs));
        common.unwrap_or(self.pseudonym == other.pseudonym)
    }

    /// What may be shown of it as that kind of entity.
    pub fn shown(&self, kind: EntityKind) -> &str {
        self.clear.iter().find(|(other, _)| *other == kind).map_or(&self.pseudonym, |(_, shown)| shown)
    }
}

impl std::fmt::Debug for StandIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.pseudonym)
    }
}

/// Why a value cannot stand in a column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// The type has no such field.
    #[error("{event} has no field `{field}`")]
    Unknown {
        /// The type.
        event: &'static str,
        /// The name.
        field: String,
    },
    /// The value is of another type.
    #[error("`{field}` of {event} is {found} in a column, expected {expected}")]
    Type {
        /// The type of event.
        event: &'static str,
        /// The name.
        field: String,
        /// What was found.
        found: &'static str,
        /// What belongs there.
        expected: &'static str,
    },
}

/// The data of one event.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "kept::Named", into = "kept::Named")]
pub struct Columns {
    event_type: EventType,
    /// By path.
    fields: Vec<(FieldPath, OwnedValue)>,
    region: Option<u64>,
    unknown: Vec<(Box<str>, OwnedValue)>,
}

/// An event out of columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnsEvent {
    /// Unique within `source`; as it left, where it reads as personal.
    pub id: Box<str>,
    /// The producing service; the same.
    pub source: Box<str>,
    /// When it happened, Unix ms.
    pub time_ms: i64,
    /// When the gateway received it, Unix ms.
    pub received_ms: Option<i64>,
    /// Its data.
    pub columns: Columns,
}

impl ColumnsEvent {
    /// The event with those columns for its data.
    pub fn of(event: &Event<'_>, columns: Columns) -> Self {
        Self {
            id: event.id.as_ref().into(),
            source: event.source.as_ref().into(),
            time_ms: event.time.millis(),
            received_ms: event.received.map(Timestamp::millis),
            columns,
        }
    }

    /// The event.
    pub fn event(&self) -> Event<'_> {
        Event {
            id: self.id.as_ref().into(),
            source: self.source.as_ref().into(),
            time: Timestamp::from_millis(self.time_ms),
            received: self.received_ms.map(Timestamp::from_millis),
            data: Data::Columns(Box::new(self.columns.clone())),
        }
    }

    /// Heap memory, bytes.
    pub fn heap_bytes(&self) -> usize {
        self.id.len() + self.source.len() + self.columns.heap_bytes()
    }
}

impl Columns {
    /// An event of that type without any field.
    pub fn new(event_type: EventType) -> Self {
        Self { event_type, fields: Vec::new(), region: None, unknown: Vec::new() }
    }

    /// What may be known outside the raw zone of an event's data, by the contract's fields; `leave` says how an identifier of a
    /// kind leaves.
    pub fn of(data: &Data<'_>, hasher: &KeyHasher, leave: impl Fn(EntityKind, &str) -> String, leave_id: impl Fn(&str) -> String) -> Self {
        let event_type = data.event_type();
        let mut columns = Self { region: data.region(), ..Self::new(event_type) };
        let outer = (0_u8..).zip(event_type.fields());
        let paths = outer.flat_map(|(field, spec)| {
            let children = (0_u8..).zip(spec.children).map(move |(child, spec)| (FieldPath { field, child: Some(child) }, spec));
            std::iter::once((FieldPath { field, child: None }, spec)).chain(children)
        });
        for (path, spec) in paths {
            let value = match (spec.privacy, data.get(path)) {
                (Privacy::Pseudonym(kind), Value::Str(raw)) => stand_in(spec, kind, raw, hasher, &leave),
                (Privacy::Opaque(kind), Value::Str(raw)) if kind.hides(&kind.normalise(raw)) => stand_in(spec, kind, raw, hasher, &leave),
                (Privacy::Clear, Value::Str(text)) if reads_as_personal(text) => OwnedValue::Str(leave_id(text).into()),
                (_, value) => value.to_owned(),
            };
            if value != OwnedValue::Absent && is_of(spec, &value) {
                columns.fields.push((path, value)); // in the order of paths
            }
        }
        columns
    }

    /// With a value of the contract's field of that name, `location.lat`; a personal one must be a stand-in. An absent one
    /// changes nothing.
    ///
    /// # Errors
    /// [`ColumnError`].
    pub fn with(mut self, name: &str, value: OwnedValue) -> Result<Self, ColumnError> {
        let event = self.event_type.name();
        let Some((path, spec)) = field::find(self.event_type.fields(), name) else {
            return Err(ColumnError::Unknown { event, field: name.to_owned() });
        };
        if value == OwnedValue::Absent {
            return Ok(self);
        }
        if !is_of(spec, &value) {
            let (found, expected) = (kind_of(&value), expected(spec));
            return Err(ColumnError::Type { event, field: name.to_owned(), found, expected });
        }
        self.set(path, value);
        Ok(self)
    }

    /// With those values, by path, each as [`with`](Self::with) takes it: an archive's row.
    ///
    /// # Errors
    /// [`ColumnError`].
    pub fn with_all(mut self, values: impl IntoIterator<Item = (FieldPath, OwnedValue)>) -> Result<Self, ColumnError> {
        for (path, value) in values {
            let spec = field::at(self.event_type.fields(), path);
            if spec.is_some_and(|spec| value == OwnedValue::Absent || is_of(spec, &value)) {
                self.set(path, value);
                continue;
            }
            let event = self.event_type.name();
            return Err(match spec {
                Some(spec) => ColumnError::Type { event, field: spec.name.to_owned(), found: kind_of(&value), expected: expected(spec) },
                None => ColumnError::Unknown { event, field: format!("{path:?}") },
            });
        }
        Ok(self)
    }

    fn set(&mut self, path: FieldPath, value: OwnedValue) {
        let place = self.fields.partition_point(|(other, _)| *other < path);
        match self.fields.get_mut(place).filter(|(other, _)| *other == path) {
            Some((_, former)) => *former = value,
            None => self.fields.insert(place, (path, value)),
        }
    }

    /// With the H3 cell of its place.
    #[must_use]
    pub fn with_region(self, cell: u64) -> Self {
        Self { region: Some(cell), ..self }
    }

    /// With a field outside the vocabulary. A text of one is personal: it is a stand-in, or not there.
    #[must_use]
    pub fn with_unknown(mut self, name: &str, value: OwnedValue) -> Self {
        if !matches!(value, OwnedValue::Str(_)) {
            self.unknown.push((name.into(), value));
        }
        self
    }

    /// Its type.
    pub fn event_type(&self) -> EventType {
        self.event_type
    }

    /// The value at `path`.
    pub fn get(&self, path: FieldPath) -> Value<'_> {
        let found = self.fields.binary_search_by_key(&path, |(path, _)| *path).ok();
        found.and_then(|place| self.fields.get(place)).map_or(Value::Absent, |(_, value)| value.borrow())
    }

    /// The H3 cell of its place.
    pub fn region(&self) -> Option<u64> {
        self.region
    }

    /// Heap memory, bytes.
    pub fn heap_bytes(&self) -> usize {
        let fields = self.fields.iter().map(|(_, value)| size_of::<(FieldPath, OwnedValue)>() + value.heap_bytes());
        let unknown = self.unknown.iter().map(|(name, value)| size_of::<(Box<str>, OwnedValue)>() + name.len() + value.heap_bytes());
        fields.sum::<usize>() + unknown.sum::<usize>()
    }

    /// The field of that name outside the vocabulary.
    pub fn unknown(&self, name: &str) -> OwnedValue {
        self.unknown.iter().find(|(other, _)| **other == *name).map_or(OwnedValue::Absent, |(_, value)| value.clone())
    }
}

fn stand_in(spec: &FieldSpec, kind: EntityKind, raw: &str, hasher: &KeyHasher, leave: impl Fn(EntityKind, &str) -> String) -> OwnedValue {
    let kinds = if spec.entities.is_empty() { std::slice::from_ref(&kind) } else { spec.entities };
    StandIn::of(kinds, raw, hasher, leave).map_or(OwnedValue::Absent, |stand_in| OwnedValue::StandIn(Box::new(stand_in)))
}

/// Whether a value may stand in a column of that field.
fn is_of(spec: &FieldSpec, value: &OwnedValue) -> bool {
    match (spec.privacy, value) {
        // An opaque identifier is clear, unless it reads as a phone or the like.
        (Privacy::Pseudonym(_) | Privacy::Opaque(_), OwnedValue::StandIn(_)) => true,
        (Privacy::Pseudonym(_), _) => false,
        (Privacy::Hidden, value) => spec.ty == FieldType::Object && *value == OwnedValue::Object,
        // What reads as personal is none that may stand as it is.
        (_, OwnedValue::Str(text)) if spec.ty == FieldType::String => !reads_as_personal(text),
        _ => matches!(
            (spec.ty, value),
            (FieldType::Bool, OwnedValue::Bool(_))
                | (FieldType::Int, OwnedValue::Int(_))
                | (FieldType::Double, OwnedValue::Double(_))
                | (FieldType::Enum(_), OwnedValue::Str(_))
                | (FieldType::Time, OwnedValue::Time(_))
                | (FieldType::Object | FieldType::List, OwnedValue::Object)
        ),
    }
}

fn expected(spec: &FieldSpec) -> &'static str {
    match (spec.privacy, spec.ty) {
        (Privacy::Hidden, FieldType::Object) | (_, FieldType::Object | FieldType::List) => "an object",
        (Privacy::Hidden, _) => "nothing: it never leaves",
        (Privacy::Pseudonym(_), _) => "a stand-in",
        (_, FieldType::Bool) => "true or false",
        (_, FieldType::Int) => "a whole number",
        (_, FieldType::Double) => "a number",
        (_, FieldType::String | FieldType::Enum(_)) => "text",
        (_, FieldType::Time) => "an instant",
    }
}

fn kind_of(value: &OwnedValue) -> &'static str {
    match value {
        OwnedValue::Absent => "nothing",
        OwnedValue::Bool(_) => "true or false",
        OwnedValue::Int(_) => "a whole number",
        OwnedValue::Double(_) => "a number",
        OwnedValue::Str(_) => "text",
        OwnedValue::Time(_) => "an instant",
        OwnedValue::Duration(_) => "a span of time",
        OwnedValue::Object => "an object",
        OwnedValue::StandIn(_) => "a stand-in",
    }
}

impl std::fmt::Debug for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Columns").field("event_type", &self.event_type).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::envelope::{Decoded, Limits, decode};

    fn phone() -> OwnedValue {
        let leave =
            |kind: EntityKind, raw: &str| if kind == EntityKind::Phone { "p1_x".to_owned() } else { kind.normalise(raw).into_owned() };
        let kinds = [EntityKind::Phone, EntityKind::PhonePrefix];
        OwnedValue::StandIn(Box::new(StandIn::of(&kinds, "01000000042", &KeyHasher::new([7; 16]), leave).expect("two kinds")))
    }

    #[test]
    fn nothing_raw_stands_in_a_column() {
        let columns = || Columns::new(EventType::OtpRequested);
        let refused = columns().with("phone", OwnedValue::Str("01000000042".into())).expect_err("raw");
        assert_eq!(refused.to_string(), "`phone` of auth.otp_requested is text in a column, expected a stand-in");
        assert!(Columns::new(EventType::ChatMessage).with("text", OwnedValue::Str("call me".into())).is_err());
        assert!(Columns::new(EventType::GpsPosition).with("lat", OwnedValue::Double(30.0)).is_err());
        assert!(columns().with("fone", phone()).is_err() && columns().with("purpose", OwnedValue::Int(1)).is_err());
        let good =
            columns().with("phone", phone()).and_then(|columns| columns.with("purpose", OwnedValue::Str("login".into()))).expect("good");
        let OwnedValue::StandIn(stand_in) = phone() else { unreachable!("it is one") };
        assert_eq!((stand_in.shown(EntityKind::Phone), stand_in.shown(EntityKind::PhonePrefix)), ("p1_x", "+20100000"));
        assert_eq!(stand_in.key(EntityKind::Phone), Some(KeyHasher::new([7; 16]).key(EntityKind::Phone, "+201000000042")));
        let shown = format!("{good:?} {stand_in:?} {:?}", phone());
        assert!(!shown.contains("42"), "{shown}");
    }

    /// An identifier that names no entity is clear, unless it is itself a telephone number or the like.
    #[test]
    fn a_clear_text_that_reads_as_personal_leaves_as_it_would_in_an_alert() {
        let record = r#"{"specversion":"1.0","id":"e1","source":"/t","type":"report.handled","time":"2026-09-21T14:00:00Z","data":{"report_id":"01000000042","actor_id":"u_2","outcome":"warned"}}"#;
        let Ok(Decoded::Event(event)) = decode(record.as_bytes(), &Limits::default()) else { panic!("a good record") };
        let columns = Columns::of(&event.data, &KeyHasher::new([7; 16]), |_, raw| raw.to_owned(), |_| "p1_y".to_owned());
        let text = serde_json::to_string(&columns).expect("plain data");
        assert!(text.contains("p1_y") && text.contains("u_2") && !text.contains("01000000042"), "{text}");
        let refused = Columns::new(EventType::ReportHandled).with("report_id", OwnedValue::Str("01000000042".into()));
        assert!(refused.is_err());
        assert!(Columns::new(EventType::ReportHandled).with("report_id", OwnedValue::Str("r_42".into())).is_ok());
        let unknown = Columns::new(EventType::RefundIssued).with_unknown("note", OwnedValue::Str("call me".into()));
        assert_eq!(unknown.unknown("note"), OwnedValue::Absent);
    }

    /// A pseudonym changes with the secret, a key does not.
    #[test]
    fn two_names_of_one_value_are_the_same() {
        let of = |raw: &str, name: &str| {
            let kinds = [EntityKind::Phone, EntityKind::PhonePrefix];
            StandIn::of(&kinds, raw, &KeyHasher::new([7; 16]), |_, _| name.to_owned()).expect("two kinds")
        };
        assert!(of("01000000042", "p1_x").is(&of("+201000000042", "p2_z")));
        assert!(!of("01000000042", "p1_x").is(&of("01000000043", "p1_x")));
    }
}
