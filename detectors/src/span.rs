//! Spans of time among an operator's own parameters: in a rule file as people write them, `10m`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Marks a property of a schema as one: the compiler then reads `10m` and gives milliseconds.
pub const FORMAT: &str = "span";

/// A span of time, ms; in a rule file from `1s` to a day, as people write it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub i64);

impl Span {
    /// The spans that a parameter may be, ms.
    pub const RANGE_MS: std::ops::RangeInclusive<i64> = 1_000..=86_400_000;
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "ParamSpan".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": FORMAT, "pattern": "^(([0-9]+(ms|s|m|h|d))+|params\\.[a-z][a-z0-9_]*)$" })
    }
}
