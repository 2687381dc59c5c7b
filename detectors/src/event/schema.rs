//! The vocabulary as a JSON Schema, for producers and editors.

use serde_json::{Value, json};

use super::EventType;
use super::time::PATTERN;
use crate::entity::ID_BYTES_MAX;

/// Years that the event clock shows; within a day of either end, what it shows depends on the offset.
const CLOCK_YEARS: &str = "^(?:19[7-9]|[2-9][0-9]{2})[0-9]-";

/// One JSON Schema (draft 2020-12) of a record: the CloudEvents envelope, and by `type` the data that goes with it. A
/// type outside the vocabulary is allowed, as the pipeline passes it over.
pub fn event_schema() -> Value {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let branches: Vec<Value> = EventType::PRODUCED
        .iter()
        .map(|event_type| {
            json!({
                "if": { "properties": { "type": { "const": event_type.name() } }, "required": ["type"] },
                "then": {
                    "properties": { "data": event_type.schema(&mut generator) },
                    "required": ["time"],
                    "anyOf": [{ "required": ["data"] }, { "required": ["data_base64"], "properties": { "data_base64": { "type": "string" } } }],
                },
            })
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rasid event",
        "description": "CloudEvents 1.0 in structured JSON mode; `data` by `type`. Unknown attributes and fields are allowed.",
        "type": "object",
        "required": ["specversion", "id", "source", "type"],
        "properties": {
            "specversion": { "const": "1.0" },
            "id": { "type": "string", "minLength": 1, "maxLength": ID_BYTES_MAX, "description": "Unique within source; the same (source, id) again is a duplicate delivery." },
            "source": { "type": "string", "minLength": 1, "maxLength": ID_BYTES_MAX, "description": "URI-reference of the producing service." },
            "type": { "type": "string", "minLength": 1, "maxLength": ID_BYTES_MAX, "examples": EventType::PRODUCED.iter().map(|known| known.name()).collect::<Vec<_>>() },
            "time": { "type": "string", "format": "date-time", "pattern": PATTERN, "description": "When it happened, RFC 3339 with zone; for gps.* the device's clock." },
            "receivedtime": { "type": ["string", "null"], "format": "date-time", "pattern": PATTERN, "allOf": [{ "pattern": CLOCK_YEARS }], "description": "When the gateway received it; the event clock where it is given." },
            "subject": { "type": ["string", "null"], "description": "kind:id of the entity the event is mostly about." },
            "data_base64": { "contentEncoding": "base64", "contentMediaType": "application/json", "description": "The data, where there is no `data`: base64 of JSON, which `datacontenttype` says where it is given." },
        },
        // Without a time of its receipt, an event's own time is the event clock.
        "if": { "properties": { "receivedtime": { "type": "null" } } },
        "then": { "properties": { "time": { "pattern": CLOCK_YEARS } } },
        "allOf": branches,
        "$defs": generator.take_definitions(true),
    })
}
