//! The schema and the decoder are one: a record that the schema takes is a clean event, and one that it does not is a dead letter or
//! an event with a bad field. Over generated records of every type, from the schema's own description of each field.
//!
//! What JSON Schema cannot say is left out: bytes of text, nesting, a name given twice, half a surrogate pair, numbers that are
//! no doubles, and the instants within a day of the ends of the event clock.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::EventType;
use super::envelope::{Decoded, Limits, check, decode};
use super::schema::event_schema;

/// Values of every sort: good ones, those just beside, huge and hostile ones.
fn any_value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        proptest::sample::select(vec![
            "0",
            "-0",
            "-0.0",
            "1",
            "5",
            "6",
            "-1",
            "0.5",
            "100",
            "100.0",
            "1e2",
            "1.5e1",
            "1e-1",
            "-90",
            "90",
            "90.5",
            "-180",
            "180",
            "180.1",
            "360",
            "361",
            "1e300",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "-9223372036854775808",
            "1e18",
            "1e19",
            "1e40",
            "-1e40",
        ])
        .prop_map(|text| serde_json::from_str(text).expect("a number")),
        any::<i32>().prop_map(Value::from),
        (-400.0..400.0).prop_map(Value::from),
    ];
    let time = "(1969|1970|2026|2028|9999|10000|0000)-(02|06|12|13)-(15|29|30|31)[Tt ](10|24):00:(00|60|61)([.,][0-9]{1,12})?(Z|z|[+-](02:00|23:59|24:00)|)";
    let text = prop_oneof![
        time,
        proptest::sample::select(vec![
            "",
            "EG",
            "eg",
            "EGY",
            "EGP",
            "egp",
            "T1",
            "otp",
            "login",
            "card",
            "cash",
            "telco",
            "phone",
            "client",
            "system",
            "spam",
            "expired",
            "gps",
            "image",
            "192.0.2.1",
            "192.0.2.256",
            "2001:db8::1",
            "::",
            "1::2::3",
            "+201000000042",
            "2026-11-21T10:00:00Z",
            "true",
            "unknown",
            "magic",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9_:+ @.-]{1,12}",
        "(a|é|م|😀){1,90}",
        Just("x".repeat(257)),
        Just("x".repeat(256)),
        Just("y".repeat(20_000)),
    ];
    let scalar = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), number, text.prop_map(Value::from)];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            (-91.0..91.0, -181.0..181.0, inner.clone(), inner.clone())
                .prop_map(|(lat, lon, a, b)| json!({ "lat": lat, "lon": lon, "accuracy_km": a, "source": b })),
            (-91.0..91.0, -181.0..181.0, inner.clone(), inner.clone())
                .prop_map(|(lat, lon, a, b)| json!({ "lat": lat, "lon": lon, "accuracy_m": a, "photo": b })),
            proptest::collection::vec((-91.0..91.0, -181.0..181.0), 0..4).prop_map(|points| json!(points)),
            proptest::collection::vec((inner.clone(), any::<i32>(), "(EGP|USD|usd|)"), 0..4).prop_map(|lines| {
                lines
                    .into_iter()
                    .map(|(account, amount, currency)| json!({ "account": account, "amount": amount, "currency": currency }))
                    .collect()
            }),
            proptest::collection::vec(("[a-z]{1,4}", inner), 0..3).prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

/// A good value of what a schema describes.
fn good(schema: &Value, defs: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        return good(&defs[name.rsplit('/').next().unwrap_or_default()], defs);
    }
    if let Some(branches) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        return good(&branches[0], defs);
    }
    if let Some(word) = schema.get("const").or_else(|| schema["enum"].get(0)) {
        return word.clone();
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or_default();
    match kind {
        "boolean" => json!(true),
        "integer" => json!(3),
        "number" => json!(30.5),
        "object" => {
            let fields = schema["properties"].as_object().expect("fields");
            Value::Object(fields.iter().map(|(name, schema)| (name.clone(), good(schema, defs))).collect())
        }
        "array" => match schema["prefixItems"].as_array() {
            Some(items) => items.iter().map(|item| good(item, defs)).collect(),
            None => [0, 1].iter().map(|_| good(&schema["items"], defs)).collect(),
        },
        _ => match schema["pattern"].as_str() {
            Some(pattern) => ["EGP", "EG", "192.0.2.1", "2026-11-21T10:00:00Z"]
                .into_iter()
                .find(|text| regex::Regex::new(pattern).expect("a pattern").is_match(text))
                .expect("a good text of every pattern")
                .into(),
            None => "text".into(),
        },
    }
}

struct Both {
    validator: jsonschema::Validator,
    schema: Value,
}

impl Both {
    fn new() -> Self {
        let schema = event_schema();
        Self { validator: jsonschema::draft202012::new(&schema).expect("a schema"), schema }
    }

    /// A record of that type with every field of its data.
    fn record(&self, event_type: EventType) -> Value {
        let branch = self.schema["allOf"]
            .as_array()
            .expect("branches")
            .iter()
            .find(|branch| branch["if"]["properties"]["type"]["const"] == event_type.name())
            .expect("a branch of each type");
        let data = good(&branch["then"]["properties"]["data"], &self.schema["$defs"]);
        json!({ "specversion": "1.0", "id": "1", "source": "s", "type": event_type.name(), "time": "2026-11-21T10:00:00Z", "data": data })
    }

    /// Whether the two say the same of a record.
    fn agree(&self, record: &Value) -> Result<(), TestCaseError> {
        // In bytes, an identifier may be longer than in characters, which are what a schema counts.
        prop_assume!(!longest_text(record).is_some_and(|text| text.len() > 256 && text.chars().count() <= 256));
        let text = record.to_string();
        let clean = match decode(text.as_bytes(), &Limits::default()) {
            Ok(Decoded::Event(event)) => event.data.oversized() == 0,
            Ok(Decoded::UnknownType) => true,
            Ok(Decoded::Encoded) => check(text.as_bytes(), &Limits::default()).is_ok(),
            Ok(Decoded::Garbled { .. }) | Err(_) => false,
        };
        let valid = self.validator.is_valid(record);
        let said = check(text.as_bytes(), &Limits::default());
        let errors: Vec<String> = self.validator.iter_errors(record).map(|error| error.to_string()).take(3).collect();
        prop_assert_eq!(clean, valid, "decoder {:?}, schema {:?}: {:.600}", said, errors, text);
        Ok(())
    }
}

fn longest_text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Array(items) => items.iter().filter_map(longest_text).max_by_key(|text| text.len()),
        Value::Object(members) => members.values().filter_map(longest_text).max_by_key(|text| text.len()),
        _ => None,
    }
}

/// The object at a field: `data` itself or one in it; and a name in it.
fn places(data: &Value) -> Vec<(Option<String>, String)> {
    let members = data.as_object().expect("an object");
    let inner = members.iter().filter_map(|(name, value)| Some((name, value.as_object()?)));
    let inner = inner.flat_map(|(outer, fields)| fields.keys().map(move |name| (Some(outer.clone()), name.clone())));
    members.keys().map(|name| (None, name.clone())).chain(inner).chain([(None, "unheard_of".to_owned())]).collect()
}

/// The member of that name, in `data` or in an object in it.
fn holder<'v>(record: &'v mut Value, object: Option<&str>) -> &'v mut Map<String, Value> {
    let data = &mut record["data"];
    let holder = if let Some(object) = object { &mut data[object] } else { data };
    holder.as_object_mut().expect("an object")
}

#[test]
fn what_is_there_missing_and_null_is_the_same_to_both() {
    let both = Both::new();
    for event_type in EventType::PRODUCED {
        let record = both.record(*event_type);
        assert!(both.validator.is_valid(&record), "{record}");
        both.agree(&record).expect("both take it");
        for (object, name) in places(&record["data"]) {
            let mut changed = record.clone();
            holder(&mut changed, object.as_deref()).remove(&name);
            both.agree(&changed).unwrap_or_else(|error| panic!("{error}"));
            holder(&mut changed, object.as_deref()).insert(name, Value::Null);
            both.agree(&changed).unwrap_or_else(|error| panic!("{error}"));
        }
        for name in ["specversion", "id", "source", "type", "time", "data"] {
            let mut changed = record.clone();
            changed.as_object_mut().expect("an object").remove(name);
            both.agree(&changed).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

thread_local! {
    static BOTH: Both = Both::new();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_into_a_record(
        event_type in proptest::sample::select(EventType::PRODUCED.to_vec()),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any_value()), 1..4),
        attribute in proptest::option::weighted(0.3, (proptest::sample::select(vec!["id", "source", "specversion", "time", "receivedtime", "subject", "data", "x"]), any_value())),
    ) {
        BOTH.with(|both| {
            let mut record = both.record(event_type);
            for (place, value) in changes {
                let places = places(&record["data"]);
                let (object, name) = place.get(&places);
                holder(&mut record, object.as_deref()).insert(name.clone(), value);
            }
            if let Some((name, value)) = attribute {
                record[name] = value;
            }
            both.agree(&record)
        })?;
    }
}
