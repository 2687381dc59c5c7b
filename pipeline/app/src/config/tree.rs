//! Values with their origins: each layer is a tree, a later layer's leaves replace those of an earlier one.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::Serialize;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Origin {
    /// Nowhere.
    Default,
    /// In the file.
    File { file: String, line: usize, column: usize },
    /// In a variable of the environment.
    Environment { name: String },
    /// On the command line.
    Flag { name: String },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line, .. } => write!(f, "{file}:{line}"),
            Self::Environment { name } | Self::Flag { name } => f.write_str(name),
        }
    }
}

/// A value, or a table of them.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Table { entries: BTreeMap<String, Node>, origin: Origin },
    Leaf { value: Value, origin: Origin },
}

impl Node {
    /// A table that nobody wrote.
    pub(crate) fn empty() -> Self {
        Self::Table { entries: BTreeMap::new(), origin: Origin::Default }
    }

    pub(crate) fn origin(&self) -> &Origin {
        match self {
            Self::Table { origin, .. } | Self::Leaf { origin, .. } => origin,
        }
    }

    /// Of values without an origin of their own.
    pub(crate) fn from_defaults(value: Value) -> Self {
        match value {
            Value::Object(map) => {
                let entries = map.into_iter().map(|(key, value)| (key, Self::from_defaults(value))).collect();
                Self::Table { entries, origin: Origin::Default }
            }
            value => Self::Leaf { value, origin: Origin::Default },
        }
    }

    /// Of a file's text.
    ///
    /// # Errors
    /// What is no TOML: a message and the bytes it is about.
    pub(crate) fn from_toml(file: &str, text: &str) -> Result<Self, (String, Range<usize>)> {
        let table = DeTable::parse(text).map_err(|error| (error.message().to_owned(), error.span().unwrap_or(0..0)))?;
        Ok(Source { file, text }.table(table.get_ref(), 0))
    }

    /// Sets the leaf at `path`, making tables on the way; what stood there is replaced.
    pub(crate) fn set(&mut self, path: &[&str], value: Value, origin: &Origin) {
        let Some((key, rest)) = path.split_first() else {
            *self = Self::Leaf { value, origin: origin.clone() };
            return;
        };
        if matches!(self, Self::Leaf { .. }) {
            *self = Self::Table { entries: BTreeMap::new(), origin: origin.clone() };
        }
        if let Self::Table { entries, .. } = self {
            let next = entries.entry((*key).to_owned()).or_insert_with(|| Self::Table { entries: BTreeMap::new(), origin: origin.clone() });
            next.set(rest, value, origin);
        }
    }

    /// Puts `over` over this one.
    pub(crate) fn overlay(&mut self, over: Self) {
        match (self, over) {
            (Self::Table { entries, origin }, Self::Table { entries: over, origin: over_origin }) => {
                if over_origin != Origin::Default {
                    *origin = over_origin;
                }
                for (key, node) in over {
                    match entries.get_mut(&key) {
                        Some(below) => below.overlay(node),
                        None => drop(entries.insert(key, node)),
                    }
                }
            }
            (below, over) => *below = over,
        }
    }

    /// The values alone.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Table { entries, .. } => Value::Object(entries.iter().map(|(key, node)| (key.clone(), node.to_json())).collect()),
            Self::Leaf { value, .. } => value.clone(),
        }
    }

    /// Every leaf with its path, in order.
    pub(crate) fn leaves(&self) -> Vec<(String, &Value, &Origin)> {
        let mut leaves = Vec::new();
        self.collect("", &mut leaves);
        leaves
    }

    fn collect<'a>(&'a self, path: &str, leaves: &mut Vec<(String, &'a Value, &'a Origin)>) {
        match self {
            Self::Leaf { value, origin } => leaves.push((path.to_owned(), value, origin)),
            Self::Table { entries, .. } => {
                for (key, node) in entries {
                    node.collect(&joined(path, key), leaves);
                }
            }
        }
    }

    /// The node at a path such as `sinks.redis.url`.
    pub(crate) fn get(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, key| match node {
            Self::Table { entries, .. } => entries.get(key),
            Self::Leaf { .. } => None,
        })
    }
}

/// `sinks.redis` and `url`: `sinks.redis.url`.
pub(crate) fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A file being read.
struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn table(&self, table: &DeTable<'_>, at: usize) -> Node {
        let entries = table.iter().map(|(key, value)| (key.get_ref().to_string(), self.entry(key, value))).collect();
        Node::Table { entries, origin: self.origin(at) }
    }

    fn entry(&self, key: &Spanned<std::borrow::Cow<'_, str>>, value: &Spanned<DeValue<'_>>) -> Node {
        match value.get_ref() {
            DeValue::Table(table) => self.table(table, key.span().start),
            other => Node::Leaf { value: plain(other), origin: self.origin(key.span().start) },
        }
    }

    fn origin(&self, at: usize) -> Origin {
        let (line, column) = position(self.text, at);
        Origin::File { file: self.file.to_owned(), line, column }
    }
}

/// Line and column, from 1, of a byte of a text; the column counts characters.
pub(crate) fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or_else(|_| Value::String(number.to_string()), Value::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| plain(item.get_ref())).collect()),
        DeValue::Table(table) => {
            Value::Object(table.iter().map(|(key, value)| (key.get_ref().to_string(), plain(value.get_ref()))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leaf_knows_its_line() {
        let text = "[engine]\nthreads = 4\n\n[sources]\nhttp = {enabled = true, body_bytes_max = 0x10_00}\njsonl.files = [\"a\", \"b\"]\n";
        let tree = Node::from_toml("r.toml", text).expect("TOML");
        let leaves: Vec<(String, String, String)> =
            tree.leaves().into_iter().map(|(path, value, origin)| (path, value.to_string(), origin.to_string())).collect();
        let expected = [
            ("engine.threads", "4", "r.toml:2"),
            ("sources.http.body_bytes_max", "4096", "r.toml:5"),
            ("sources.http.enabled", "true", "r.toml:5"),
            ("sources.jsonl.files", "[\"a\",\"b\"]", "r.toml:6"),
        ];
        assert_eq!(leaves, expected.map(|(path, value, origin)| (path.to_owned(), value.to_owned(), origin.to_owned())));
    }

    #[test]
    fn a_later_layer_replaces_leaves_and_nothing_else() {
        let mut tree = Node::from_defaults(serde_json::json!({"a": {"b": 1, "c": 2}, "d": 3}));
        tree.overlay(Node::from_toml("r.toml", "[a]\nb = 5\n").expect("TOML"));
        let mut flags = Node::empty();
        flags.set(&["a", "b"], Value::from(6), &Origin::Flag { name: "--set".to_owned() });
        tree.overlay(flags);
        assert_eq!(tree.to_json(), serde_json::json!({"a": {"b": 6, "c": 2}, "d": 3}));
        assert_eq!(tree.get("a.b").map(|node| node.origin().to_string()).as_deref(), Some("--set"));
        assert_eq!(tree.get("a.c").map(|node| node.origin().to_string()).as_deref(), Some("default"));
    }

    #[test]
    fn what_is_no_toml_is_placed() {
        let (message, span) = Node::from_toml("r.toml", "[engine\nthreads = 4").expect_err("no TOML");
        assert!(!message.is_empty());
        assert_eq!(position("[engine\nthreads = 4", span.start).0, 1);
    }
}
