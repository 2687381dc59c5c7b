//! Why a record is a dead letter, in words that never quote it.

/// Why a record is a dead letter. It never quotes the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field that is wrong, as a path (`data.location.lat`), where it is known.
    pub field: Option<String>,
    /// What is wrong in one line: what was found and what was expected.
    pub reason: String,
}

impl Fault {
    pub(super) fn whole(reason: impl Into<String>) -> Self {
        Self { field: None, reason: reason.into() }
    }

    /// The same, of something inside `outer`.
    #[must_use]
    pub(super) fn inside(self, outer: &str) -> Self {
        let field = match self.field {
            None => outer.to_owned(),
            Some(inner) if inner.starts_with('[') => format!("{outer}{inner}"),
            Some(inner) => format!("{outer}.{inner}"),
        };
        Self { field: Some(field), reason: self.reason }
    }

    /// A fault from serde's message, less every value that the message quotes.
    pub(super) fn of(error: &serde_json::Error) -> Self {
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        let position = format!("byte {}", error.column());
        if message.starts_with("number out of range") {
            return Self::whole("number out of range");
        }
        match error.classify() {
            serde_json::error::Category::Syntax => return Self::whole(format!("not valid JSON at {position}")),
            serde_json::error::Category::Eof => return Self::whole(format!("cut off at {position}, expected more JSON")),
            serde_json::error::Category::Io | serde_json::error::Category::Data => {}
        }
        Self::whole(if let Some(rest) = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: ")) {
            let (found, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, "something else"));
            format!("found {}, expected {}", kind_of(found), plain(expected))
        } else {
            message.to_owned() // one of our own messages, which quote nothing
        })
    }
}

/// `string "ten"` → `a string`: serde's description of what it found, less the content.
fn kind_of(found: &str) -> &'static str {
    const KINDS: [(&str, &str); 9] = [
        ("string", "a string"),
        ("integer", "a whole number"),
        ("floating point", "a number with a fraction"),
        ("boolean", "true or false"),
        ("null", "null"),
        ("unit", "null"),
        ("map", "an object"),
        ("sequence", "a list"),
        ("number", "a number"),
    ];
    KINDS.into_iter().find(|(prefix, _)| found.starts_with(prefix)).map_or("something else", |(_, kind)| kind)
}

/// serde's names of Rust types in a reader's words.
fn plain(expected: &str) -> String {
    match expected {
        "i64" | "u64" => "a whole number".to_owned(),
        "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        other if other.starts_with("struct ") => "an object".to_owned(),
        other => other.to_owned(),
    }
}
