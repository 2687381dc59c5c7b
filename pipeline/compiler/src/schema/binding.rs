//! What `let` binds, as documented types.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rasid_detectors::detector::{DETECTORS, DetectorSpec};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{EntityKey, EventName, OneOrMore, ParamValue, Span};

/// How many events.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Count {
    /// The event types that are counted.
    pub count: OneOrMore<EventName>,
    /// The kind of entity that has a count of its own; several for each combination.
    pub by: OneOrMore<EntityKey>,
    /// How far back, 1s to 30d. Longer sees slower abuse and keeps more state.
    pub window: Span,
    /// Which of those events, in CEL over `data` alone.
    pub r#where: Option<String>,
}

macro_rules! aggregate {
    ($(#[$meta:meta])* $name:ident, $key:ident, $(#[$of:meta])*) => {
        $(#[$meta])*
        #[derive(Clone, Debug, JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub struct $name {
            /// The event types that it looks at.
            pub $key: OneOrMore<EventName>,
            $(#[$of])*
            pub of: String,
            /// The kind of entity that has a value of its own; several for each combination.
            pub by: OneOrMore<EntityKey>,
            /// How far back, 1s to 30d. Longer sees slower abuse and keeps more state.
            pub window: Span,
            /// Which of those events, in CEL over `data` alone.
            pub r#where: Option<String>,
        }
    };
}

aggregate!(
    /// The sum of a whole-number field.
    Sum, sum,
    /// The field, with or without `data.`.
    #[schemars(example = &"amount")]
);
aggregate!(
    /// How many different values of a field.
    Distinct, distinct,
    /// The field, with or without `data.`.
    #[schemars(example = &"device_id")]
);
aggregate!(
    /// The field's value in the newest event, the current one included.
    Last, last,
    /// The field, with or without `data.`.
    #[schemars(example = &"country")]
);
aggregate!(
    /// The field's value in the newest event before the current one.
    Previous, previous,
    /// The field, with or without `data.`.
    #[schemars(example = &"country")]
);

aggregate!(
    /// The smallest value of a field of numbers.
    Min, min,
    /// The field, with or without `data.`.
    #[schemars(example = &"amount")]
);
aggregate!(
    /// The largest value of a field of numbers.
    Max, max,
    /// The field, with or without `data.`.
    #[schemars(example = &"speed_mps")]
);
aggregate!(
    /// The mean of a field of numbers, a double.
    Avg, avg,
    /// The field, with or without `data.`.
    #[schemars(example = &"amount")]
);

/// When the key was first seen, a timestamp, the current event included.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FirstSeen {
    /// The event types that it is seen in.
    pub first_seen: OneOrMore<EventName>,
    /// The kind of entity that is seen; several for each combination.
    pub by: OneOrMore<EntityKey>,
    /// How long after its newest event a key is forgotten, 1s to 30d. Longer keeps more state.
    pub window: Span,
    /// Which of those events, in CEL over `data` alone.
    pub r#where: Option<String>,
}

/// How many events of the `ratio` types there are for each of the `per` types, a double; no value while there is none.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Ratio {
    /// The event types above the line.
    pub ratio: OneOrMore<EventName>,
    /// The event types below the line, all of whose events count. Default the types above it, and then `where` is
    /// required.
    pub per: Option<OneOrMore<EventName>>,
    /// The kind of entity that has a ratio of its own; several for each combination.
    pub by: OneOrMore<EntityKey>,
    /// How far back, 1s to 30d. Longer sees slower abuse and keeps more state.
    pub window: Span,
    /// Which of the events above the line, in CEL over `data` alone.
    pub r#where: Option<String>,
}

/// What a name stands for: an aggregate, or a detector with its parameters.
#[derive(Clone, Debug)]
pub enum BindingFile {
    /// How many events.
    Count(Count),
    /// The sum of a field.
    Sum(Sum),
    /// The smallest value of a field.
    Min(Min),
    /// The largest value of a field.
    Max(Max),
    /// The mean of a field.
    Avg(Avg),
    /// How many different values of a field.
    Distinct(Distinct),
    /// The newest value of a field.
    Last(Last),
    /// The newest value before the current one.
    Previous(Previous),
    /// When the key was first seen.
    FirstSeen(FirstSeen),
    /// How many events for each of others.
    Ratio(Ratio),
    /// What a detector says of the event.
    Detector {
        /// The bad pattern that it sees.
        detector: String,
        /// The kind of entity that it remembers apart.
        by: OneOrMore<EntityKey>,
        /// Its own parameters, beside the other keys; each has a default.
        params: BTreeMap<String, ParamValue>,
    },
}

impl JsonSchema for BindingFile {
    fn schema_name() -> Cow<'static, str> {
        "Binding".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut forms: Vec<serde_json::Value> = vec![
            generator.subschema_for::<Count>().into(),
            generator.subschema_for::<Sum>().into(),
            generator.subschema_for::<Min>().into(),
            generator.subschema_for::<Max>().into(),
            generator.subschema_for::<Avg>().into(),
            generator.subschema_for::<Distinct>().into(),
            generator.subschema_for::<Last>().into(),
            generator.subschema_for::<Previous>().into(),
            generator.subschema_for::<FirstSeen>().into(),
            generator.subschema_for::<Ratio>().into(),
        ];
        let by = serde_json::Value::from(generator.subschema_for::<OneOrMore<EntityKey>>());
        for spec in DETECTORS {
            let mut properties = detector_properties(spec);
            properties
                .insert("detector".to_owned(), serde_json::json!({ "const": spec.name, "description": "The bad pattern that it sees." }));
            properties.insert("by".to_owned(), by.clone());
            let fields: Vec<String> = spec.fields.iter().map(|field| format!("`{}` ({})", field.name, field.doc)).collect();
            forms.push(serde_json::json!({
                "type": "object",
                "title": spec.name,
                "description": format!("The detector {}: `fired`, {}.", spec.name, fields.join(", ")),
                "properties": properties,
                "required": ["detector", "by"],
                "additionalProperties": false,
            }));
        }
        json_schema!({ "description": "What a name stands for: an aggregate, or a detector with its parameters.", "anyOf": forms })
    }
}

/// A detector's parameters: name and schema of each.
pub(crate) fn detector_properties(spec: &DetectorSpec) -> serde_json::Map<String, serde_json::Value> {
    let mut generator = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    let schema = (spec.schema)(&mut generator);
    schema.get("properties").and_then(serde_json::Value::as_object).cloned().unwrap_or_default()
}
