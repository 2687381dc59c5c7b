//! Bytes that must not be seen.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A secret: read, never shown. Not in logs, not in `Debug`, not in errors; as an option it comes from the environment or from a
/// file of its own.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Of these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for whoever signs, seals or logs in with them.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// The same as text; `None` where it is none.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Several secrets, one a line.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none() // no door for a secret, not even by accident
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "writeOnly": true})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show() {
        let secret: Secret = serde_json::from_str("\"hunter2 hunter2 hunter2\"").expect("text");
        assert_eq!(secret.reveal(), b"hunter2 hunter2 hunter2");
        assert_eq!((format!("{secret:?}"), serde_json::to_string(&secret).expect("JSON")), ("[redacted]".to_owned(), "null".to_owned()));
    }

    #[test]
    fn lines_are_secrets() {
        let secret = Secret::new(" one\r\n\n two \n".as_bytes());
        assert_eq!(secret.lines().collect::<Vec<_>>(), [b"one", b"two"]);
    }
}
