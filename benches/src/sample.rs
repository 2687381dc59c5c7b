//! Events of every type, made from the schema that producers are given: every field is there.

use std::sync::LazyLock;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{FieldSpec, FieldType};
use rasid_detectors::event::schema::event_schema;
use rasid_detectors::event::time::format_rfc3339;
use regex::Regex;
use serde_json::{Map, Value, json};

/// When the first of them happens: midnight before 1 November 2026, UTC.
const START_MS: i64 = 1_793_491_200_000;
/// How long until the next, ms.
const STEP_MS: i64 = 60;
/// Different identifiers of a field.
const IDS: usize = 97;
/// Texts of which one fits each pattern.
const TEXTS: [&str; 4] = ["EGP", "EG", "192.0.2.1", "2026-11-01T10:00:00Z"];
/// Half a surrogate pair, as a client leaves it that cuts a text in the middle of an emoji.
const GARBAGE: &str = r#""d\ud83d""#;
/// Stands for it until the record is written.
const HOLE: &str = "hole in the record";

/// That many records of a type; in garbled ones, a field that an event may lose is no JSON text. None where the type has no
/// such field.
pub(crate) fn records(event_type: EventType, count: usize, garbled: bool) -> Option<Vec<String>> {
    static SCHEMA: LazyLock<Value> = LazyLock::new(event_schema);
    let index = EventType::PRODUCED.iter().position(|other| *other == event_type).expect("it is of the vocabulary");
    let branch = SCHEMA.pointer(&format!("/allOf/{index}/then/properties/data")).expect("a branch for each type");
    let good = Sample { definitions: SCHEMA.get("$defs").expect("definitions") }.of(branch);
    let hole = event_type.fields().iter().find(|field| !is_vital(field)).map(|field| field.name);
    if garbled && hole.is_none() {
        return None;
    }
    let record = |number: usize| {
        let mut data = good.clone();
        let fields = data.as_object_mut().expect("data is an object");
        for field in event_type.fields() {
            fields.extend(identifier(field, number).map(|id| (field.name.to_owned(), id)));
        }
        if let Some(hole) = hole.filter(|_| garbled) {
            fields.insert(hole.to_owned(), HOLE.into());
        }
        let time = format_rfc3339(START_MS + i64::try_from(number).expect("few") * STEP_MS);
        let (id, name) = (format!("{number:012x}"), event_type.name());
        let event = json!({ "specversion": "1.0", "id": id, "source": "/khidma/samples", "type": name, "time": time, "data": data });
        event.to_string().replace(&format!("\"{HOLE}\""), GARBAGE)
    };
    Some((0..count).map(record).collect())
}

/// Whether there is no event without it.
fn is_vital(field: &FieldSpec) -> bool {
    !field.optional && matches!(field.ty, FieldType::Int | FieldType::Double | FieldType::Time | FieldType::List)
}

/// One identifier of several, where the field names an entity.
fn identifier(field: &FieldSpec, number: usize) -> Option<Value> {
    let number = number * 31 % IDS;
    match (field.ty, field.entities.first()?) {
        (FieldType::String, EntityKind::Phone | EntityKind::PhonePrefix) => Some(format!("+2010{number:08}").into()),
        (FieldType::String, EntityKind::Ip | EntityKind::IpPrefix) => Some(format!("156.160.{}.{number}", number / 7).into()),
        (FieldType::String, kind) => Some(format!("{}_{number}", kind.name()).into()),
        _ => None,
    }
}

struct Sample<'s> {
    definitions: &'s Value,
}

impl Sample<'_> {
    /// A good value of what a schema describes.
    fn of(&self, schema: &Value) -> Value {
        let first = |key: &str| schema.get(key).and_then(|branches| branches.get(0));
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let name = name.rsplit('/').next().unwrap_or_default();
            return self.of(self.definitions.get(name).expect("a definition for each reference"));
        }
        if let Some(branch) = first("anyOf").or_else(|| first("oneOf")) {
            return self.of(branch);
        }
        if let Some(word) = schema.get("const").or_else(|| first("enum")) {
            return word.clone();
        }
        match schema.get("type").and_then(Value::as_str).or_else(|| first("type").and_then(Value::as_str)).unwrap_or_default() {
            "boolean" => true.into(),
            "integer" => 3.into(),
            "number" => 30.5.into(),
            "object" => {
                let fields = schema.get("properties").and_then(Value::as_object).expect("an object has fields");
                Value::Object(fields.iter().map(|(name, schema)| (name.clone(), self.of(schema))).collect::<Map<_, _>>())
            }
            "array" => match schema.get("prefixItems").and_then(Value::as_array) {
                Some(items) => items.iter().map(|item| self.of(item)).collect(),
                None => vec![self.of(schema.get("items").expect("a list has items")); 2].into(),
            },
            _ => match schema.get("pattern").and_then(Value::as_str) {
                Some(pattern) => {
                    let pattern = Regex::new(pattern).expect("the schema's patterns are good");
                    TEXTS.into_iter().find(|text| pattern.is_match(text)).expect("a text for every pattern").into()
                }
                None => "text".into(),
            },
        }
    }
}
