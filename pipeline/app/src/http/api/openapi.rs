//! The `OpenAPI` document, made of the table of operations: it cannot say other than what is served. Schemas are JSON Schema as it is
//! since `OpenAPI` 3.1, from the types that are read and written.

use rasid_service::operate::control::Way;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{Answered, Operation, operations};

/// The document.
pub(crate) fn document() -> Value {
    let mut generator =
        SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = "/components/schemas".into()).into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        let method = match operation.way {
            Way::Get => "get",
            Way::Post => "post",
        };
        let described = described(&operation, &mut generator);
        if let Some(path) = paths.entry(operation.path).or_insert_with(|| json!({})).as_object_mut() {
            path.insert(method.to_owned(), described);
        }
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Problem".to_owned(), problem());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Rasid",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Alerts, rules and risk of a running service. Every question takes a bearer token, which `rasid token create` makes; \
                times are Unix ms; nothing raw is ever answered.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {"Problem": {
                "description": "It is not done, and why.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }},
        },
    })
}

/// RFC 9457.
fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "description": "`about:blank`: the status says it all."},
            "title": {"type": "string", "description": "The status in words."},
            "status": {"type": "integer", "description": "The HTTP status."},
            "detail": {"type": "string", "description": "What happened this time."},
        },
    })
}

fn described(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let Operation { way, path, scope, about, question, answer, .. } = operation;
    let parts: Vec<&str> = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
    let mut parameters: Vec<Value> =
        parts.iter().map(|part| json!({"name": part, "in": "path", "required": true, "schema": {"type": "string"}})).collect();
    let question = question.map(|question| fields(&question(generator), generator)).unwrap_or_default();
    let mut body = None;
    match way {
        Way::Get if parts.is_empty() => parameters.extend(question.properties.into_iter().map(|(name, schema)| {
            let about = schema.get("description").cloned().unwrap_or_default();
            json!({"name": name, "in": "query", "required": question.required.contains(&name), "description": about, "schema": schema})
        })),
        Way::Get => {}
        Way::Post => {
            // The token says who asks, and the path which alert.
            let by_path = |name: &str| name == "who" || (name == "ids" && !parts.is_empty());
            let properties: Map<String, Value> = question.properties.into_iter().filter(|(name, _)| !by_path(name)).collect();
            let required: Vec<String> = question.required.into_iter().filter(|name| !by_path(name)).collect();
            let schema = json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
            body = Some(json!({"required": !required.is_empty(), "content": {"application/json": {"schema": schema}}}));
        }
    }
    let (media, schema) = match answer {
        Answered::Json(schema) => ("application/json", schema(generator)),
        Answered::Events(schema) => ("text/event-stream", schema(generator)),
        Answered::Markdown => ("text/markdown", schemars::json_schema!({"type": "string"})),
    };
    let mut responses = json!({"200": {"description": "Done.", "content": {media: {"schema": schema}}}});
    if let Some(responses) = responses.as_object_mut() {
        let mut refused = vec!["400", "401", "403", "422", "429", "503"];
        refused.extend((!parts.is_empty()).then_some("404"));
        refused.sort_unstable();
        responses.extend(refused.into_iter().map(|status| (status.to_owned(), json!({"$ref": "#/components/responses/Problem"}))));
    }
    let needs = scope.map_or_else(|| "Any token.".to_owned(), |scope| format!("Scope `{}`.", scope.name()));
    let mut described = json!({
        "operationId": name_of(*way, path),
        "description": format!("{about} {needs}"),
        "parameters": parameters,
        "responses": responses,
    });
    if let (Some(body), Some(described)) = (body, described.as_object_mut()) {
        described.insert("requestBody".to_owned(), body);
    }
    described
}

/// `get_alerts_id` for `GET /v1/alerts/{id}`.
fn name_of(way: Way, path: &str) -> String {
    let words = path.split('/').skip(2).map(|part| part.trim_matches(['{', '}']).replace('-', "_"));
    let way = match way {
        Way::Get => "get",
        Way::Post => "post",
    };
    std::iter::once(way.to_owned()).chain(words).collect::<Vec<_>>().join("_")
}

/// The fields of a question.
#[derive(Default)]
struct Fields {
    properties: Map<String, Value>,
    required: Vec<String>,
}

fn fields(schema: &Schema, generator: &SchemaGenerator) -> Fields {
    let named = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
    let whole =
        named.and_then(|name| generator.definitions().get(name)).or_else(|| schema.as_value().is_object().then(|| schema.as_value()));
    let of = |key: &str| whole.and_then(|whole| whole.get(key));
    let required = of("required").and_then(Value::as_array).into_iter().flatten();
    Fields {
        properties: of("properties").and_then(Value::as_object).cloned().unwrap_or_default(),
        required: required.filter_map(|name| Some(name.as_str()?.to_owned())).collect(),
    }
}
