//! Holds the merged values to the JSON Schema of the types: one mechanism finds every fault at once, with its origin, and
//! says what was found and what is expected.

use serde_json::{Map, Value};

use super::tree::{Node, Origin, joined};
use super::{Fault, environment_name};

/// The schema of the configuration, ready to be walked.
pub(crate) struct Shape {
    root: Value,
}

impl Shape {
    pub(crate) fn new() -> Self {
        Self { root: super::schema() }
    }

    /// The schema of the option at a path, if there is one.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.root, |schema, key| {
            let schema = self.resolved(schema);
            schema
                .get("properties")
                .and_then(|options| options.get(key))
                .or_else(|| schema.get("additionalProperties").filter(|of| of.is_object()))
        })
    }

    /// What a `$ref` stands for.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| self.root.pointer(reference.trim_start_matches('#')))
            .map_or(schema, |target| target)
    }

    /// Text from the environment or the command line, as the option at that path takes it. Text that does not fit stays
    /// text, so that the check finds it.
    pub(crate) fn read(&self, path: &[&str], text: &str) -> Value {
        let schema = self.at(path).map(|schema| self.resolved(schema));
        let takes = |name: &str| schema.is_some_and(|schema| types(schema).any(|found| found == name));
        if text.is_empty() && takes("null") {
            Value::Null
        } else if takes("integer") {
            text.replace('_', "").parse::<i64>().map_or_else(|_| Value::from(text), Value::from)
        } else if takes("boolean") {
            text.parse::<bool>().map_or_else(|_| Value::from(text), Value::from)
        } else if takes("array") && text.trim_start().starts_with('[') {
            // As the file has it; one that is no list stays text.
            let list = Node::from_toml("", &format!("list = {text}")).ok().and_then(|node| node.get("list").map(Node::to_json));
            list.unwrap_or_else(|| Value::from(text))
        } else if takes("array") {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::Array(items.map(Value::from).collect())
        } else {
            Value::from(text)
        }
    }

    /// Whether the option at that path is a secret.
    pub(crate) fn is_secret(&self, path: &str) -> bool {
        let path: Vec<&str> = path.split('.').collect();
        self.at(&path).is_some_and(is_secret)
    }

    /// Every fault of the tree.
    pub(crate) fn check(&self, tree: &Node) -> Vec<Fault> {
        let mut faults = Vec::new();
        self.walk(&self.root, tree, "", &mut faults);
        faults
    }

    fn walk(&self, schema: &Value, node: &Node, path: &str, faults: &mut Vec<Fault>) {
        let schema = self.resolved(schema);
        let nothing = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties").filter(|of| of.is_object());
        let is_table = properties.is_some() || others.is_some();
        match node {
            Node::Table { entries, .. } if is_table => {
                let known = properties.unwrap_or(&nothing);
                for (key, below) in entries {
                    let path = joined(path, key);
                    match known.get(key).or(others) {
                        Some(schema) => self.walk(schema, below, &path, faults),
                        None => faults.push(self.unknown(below.origin(), &path, key, known)),
                    }
                }
            }
            Node::Table { origin, .. } => faults.push(Fault::new(origin, path, format!("found a table, expected {}", expected(schema)))),
            Node::Leaf { origin, .. } if is_table => {
                faults.push(Fault::new(origin, path, "found a value, expected a table of options"));
            }
            Node::Leaf { value, origin } => faults.extend(leaf(schema, value, origin, path)),
        }
    }

    fn unknown(&self, origin: &Origin, path: &str, key: &str, known: &Map<String, Value>) -> Fault {
        let mut elsewhere = Vec::new();
        self.named(&self.root, key, "", &mut elsewhere);
        let help = match elsewhere.as_slice() {
            [] => suggest(key, &known.keys().map(String::as_str).collect::<Vec<_>>()),
            places => format!("did you mean {}?", places.iter().map(|place| format!("`{place}`")).collect::<Vec<_>>().join(" or ")),
        };
        Fault::new(origin, path, "no such option").help(help)
    }

    /// Paths of the options and sections of that name.
    fn named(&self, schema: &Value, name: &str, path: &str, found: &mut Vec<String>) {
        let properties = self.resolved(schema).get("properties").and_then(Value::as_object);
        for (key, below) in properties.into_iter().flatten() {
            let path = joined(path, key);
            if key == name {
                found.push(path.clone());
            }
            self.named(below, name, &path, found);
        }
    }
}

fn is_secret(schema: &Value) -> bool {
    schema.get("writeOnly").and_then(Value::as_bool) == Some(true)
}

fn types(schema: &Value) -> impl Iterator<Item = &str> {
    let types = schema.get("type");
    let one = types.and_then(Value::as_str);
    one.into_iter().chain(types.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str))
}

/// The words that an option takes, if it takes words.
fn words(schema: &Value) -> Vec<&str> {
    let one_of = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let constants = one_of.filter_map(|choice| choice.get("const").and_then(Value::as_str));
    constants.chain(schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)).collect()
}

fn leaf(schema: &Value, value: &Value, origin: &Origin, path: &str) -> Option<Fault> {
    if is_secret(schema) {
        return match origin {
            Origin::File { .. } | Origin::Flag { .. } => {
                let place = if matches!(origin, Origin::File { .. }) { "the configuration file" } else { "the command line" };
                let message = format!("a secret must not stand in {place}, which others can read");
                let file = format!("{path}_file");
                let help = format!("put it into a file and name that as `{file}`, or into the variable {}", environment_name(path));
                Some(Fault::new(origin, path, message).help(help))
            }
            Origin::Environment { .. } | Origin::Default => None,
        };
    }
    let words = words(schema);
    if !words.is_empty() {
        let fits = value.as_str().is_some_and(|text| words.contains(&text));
        return (!fits).then(|| Fault::new(origin, path, format!("found {}, expected {}", shown(value), expected(schema))));
    }
    let fits = types(schema).any(|name| match name {
        "integer" => value.as_i64().is_some_and(|number| in_range(schema, number)),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        "null" => value.is_null(),
        _ => false,
    });
    (!fits).then(|| {
        let fault = Fault::new(origin, path, format!("found {}, expected {}", shown(value), expected(schema)));
        match origin {
            Origin::Flag { .. } | Origin::Environment { .. } if types(schema).any(|name| name == "array") => {
                fault.help("a comma stands between the items: a,b; or as in the file: [\"a\", \"b\"]")
            }
            _ => fault,
        }
    })
}

fn bounds(schema: &Value) -> (Option<i64>, Option<i64>) {
    (schema.get("minimum").and_then(Value::as_i64), schema.get("maximum").and_then(Value::as_i64))
}

fn in_range(schema: &Value, number: i64) -> bool {
    let (low, high) = bounds(schema);
    low.is_none_or(|low| number >= low) && high.is_none_or(|high| number <= high)
}

fn expected(schema: &Value) -> String {
    let words = words(schema);
    if !words.is_empty() {
        return listed(&words);
    }
    match types(schema).next() {
        Some("integer") => match bounds(schema) {
            (Some(low), Some(high)) => format!("a whole number from {low} to {high}"),
            _ => "a whole number".to_owned(),
        },
        Some("boolean") => "true or false".to_owned(),
        Some("array") => "a list of strings".to_owned(),
        Some("object") => "a table".to_owned(),
        _ => "a string".to_owned(),
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ")
}

/// Of names: the one that was probably meant, else all of them.
fn suggest(name: &str, known: &[&str]) -> String {
    let best = known.iter().map(|other| (strsim::jaro_winkler(name, other), other)).max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((score, other)) if score >= 0.84 => format!("did you mean `{other}`?"),
        _ => format!("expected one of {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    }
}

/// A value as a person wrote it, cut where it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { format!("{}…", text.chars().take(59).collect::<String>()) }
}
