//! What `let` binds, as documented forms, one for each operator.

use std::borrow::Cow;

use rasid_detectors::operator::{Beside, Feeds, Form, Named, OPERATORS, OfField, OperatorSpec, Yields};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::{CountedName, OneOrMore, Span, StateKey};

/// What a name stands for: an aggregate or a detector, with its parameters.
#[derive(Clone, Debug)]
pub struct BindingFile(
    /// Its keys, which its operator knows.
    pub Map<String, Value>,
);

impl JsonSchema for BindingFile {
    fn schema_name() -> Cow<'static, str> {
        "Binding".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let forms: Vec<Value> = OPERATORS
            .iter()
            .map(|spec| match &spec.feeds {
                Feeds::Named(named) => aggregate(spec, named, generator),
                Feeds::Fixed { .. } => detector(spec, generator),
            })
            .collect();
        json_schema!({ "description": "What a name stands for: an aggregate, or a detector with its parameters.", "anyOf": forms })
    }
}

/// What `in` means.
const IN: &str = "A currency that amounts are converted into before they are taken, by the rates of `rates.yaml` at their time.";

/// What `offset` means.
const OFFSET: &str = "How much of the newest is left out: `window: 7d, offset: 7d` is the week before the last. Both together up to 90d.";

/// A schema with a description of its own.
fn described<T: JsonSchema>(description: &str, generator: &mut SchemaGenerator) -> Value {
    let mut schema = generator.subschema_for::<T>();
    schema.insert("description".to_owned(), description.into());
    schema.into()
}

fn aggregate(spec: &OperatorSpec, named: &Named, generator: &mut SchemaGenerator) -> Value {
    let mut properties = Map::new();
    let mut required = vec![spec.name];
    let types = if named.steps { steps(named.types, generator) } else { described::<OneOrMore<CountedName>>(named.types, generator) };
    properties.insert(spec.name.to_owned(), types);
    if let OfField::Of { example, .. } = named.of {
        let field = json!({ "type": "string", "description": "The field, with or without `data.`.", "examples": [example] });
        properties.insert("of".to_owned(), field);
        required.push("of");
        properties.insert(
            "in".to_owned(),
            json!({ "type": "string", "pattern": "^([A-Z]{3}|params\\.[a-z][a-z0-9_]*)$", "description": IN, "examples": ["EGP"] }),
        );
    }
    if let OfField::Beside(Beside { key, means, example, .. }) = named.of {
        properties.insert(key.to_owned(), json!({ "type": "string", "description": means, "examples": [example] }));
    }
    if let Some(second) = named.second {
        properties.insert(second.key.to_owned(), described::<OneOrMore<CountedName>>(second.types, generator));
        required.extend(second.required.then_some(second.key));
    }
    if spec.form != Form::Population {
        properties.insert("by".to_owned(), described::<OneOrMore<StateKey>>(named.by, generator));
    }
    if !spec.form.is_of_all() {
        properties.insert("match".to_owned(), matched());
    }
    if let Some(near) = named.near {
        let list = json!({ "type": "string", "pattern": r"^(list\.)?[a-z][a-z0-9_]*$", "description": near, "examples": ["list.banned_accounts"] });
        properties.insert("near".to_owned(), list);
    }
    required.push("window");
    properties.insert("window".to_owned(), described::<Span>(named.window, generator));
    if spec.takes_offset {
        properties.insert("offset".to_owned(), described::<Span>(OFFSET, generator));
    }
    if !named.steps {
        properties.insert("where".to_owned(), json!({ "type": "string", "description": named.filter }));
    }
    properties.extend(own_properties(spec));
    form(spec, &gives(spec), &properties, &required)
}

/// Steps: each event types, or those with what is asked of them.
fn steps(description: &str, generator: &mut SchemaGenerator) -> Value {
    let types = Value::from(generator.subschema_for::<OneOrMore<CountedName>>());
    let on = described::<OneOrMore<CountedName>>("The event types.", generator);
    let filter = json!({ "type": "string", "description": "Which of them, in CEL over their `data`, parameters and lists." });
    let times = json!({ "type": ["integer", "string"], "minimum": 1, "maximum": 32, "description": "How many. Default 1." });
    let within = described::<Span>("How long after the event before it each may come.", generator);
    let whole = json!({
        "type": "object",
        "properties": { "on": on, "where": filter, "times": times, "within": within },
        "required": ["on"],
        "additionalProperties": false,
    });
    json!({ "type": "array", "minItems": 2, "maxItems": 8, "description": description, "items": { "anyOf": [types, whole] } })
}

/// `match`: by fields, or by event types.
fn matched() -> Value {
    let pairs = json!({ "type": "object", "minProperties": 1, "additionalProperties": { "type": "string" } });
    json!({
        "description": "Fields that differ and name the same: those of the events that are counted on the left, those of the current event on the right; by event type where the types differ. Either this or `by`, or both.",
        "examples": [{ "user_id": "client_id" }, { "payment.captured": { "counterparty_id": "user_id" } }],
        "anyOf": [pairs, { "type": "object", "minProperties": 1, "additionalProperties": pairs }],
    })
}

/// What it gives, with the fields of its signal if it has one.
fn gives(spec: &OperatorSpec) -> String {
    let fields: Vec<String> = spec.fields().iter().map(|field| format!(", `.{}` ({})", field.name, field.doc)).collect();
    let fields = fields.concat();
    match spec.yields {
        Yields::Value(_) => spec.gives.to_owned(),
        Yields::Measure(_) => format!("{} Its fields{}; its own name stands for the first.", spec.gives, fields.replacen(',', "", 1)),
        Yields::Signal(_) => format!("{} It gives `.fired`{fields}.", spec.gives),
    }
}

fn detector(spec: &OperatorSpec, generator: &mut SchemaGenerator) -> Value {
    let mut properties = Map::new();
    properties.insert("detector".to_owned(), json!({ "const": spec.name, "description": "The bad pattern that it sees." }));
    properties.insert("by".to_owned(), described::<OneOrMore<StateKey>>("The kind of entity that it remembers apart.", generator));
    properties.extend(own_properties(spec));
    form(spec, &gives(spec), &properties, &["detector", "by"])
}

fn form(spec: &OperatorSpec, description: &str, properties: &Map<String, Value>, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "title": spec.name,
        "$comment": spec.file,
        "description": description,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// An operator's own parameters: name and schema of each.
pub(crate) fn own_properties(spec: &OperatorSpec) -> Map<String, Value> {
    let mut generator = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    let schema = (spec.schema)(&mut generator);
    schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
}
