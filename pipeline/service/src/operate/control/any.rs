//! One of several words, as a query has them: `severity=SEV0,SEV1`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Any of these values; none asks for nothing. Written as words with commas between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Any<T>(pub Vec<T>);

impl<T> Default for Any<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> From<Option<T>> for Any<T> {
    fn from(one: Option<T>) -> Self {
        Self(one.into_iter().collect())
    }
}

impl<T: Serialize> Serialize for Any<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let word = |value: &T| match serde_json::to_value(value) {
            Ok(serde_json::Value::String(word)) => Ok(word),
            _ => Err(S::Error::custom("a value that is no word")),
        };
        let words: Result<Vec<String>, S::Error> = self.0.iter().map(word).collect();
        serializer.serialize_str(&words?.join(","))
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Any<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Left out and null are the same to a client.
        let text: Option<Cow<'de, str>> = Option::deserialize(deserializer)?;
        let words = text.as_deref().unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty());
        words.map(|word| serde_json::from_value(word.into()).map_err(D::Error::custom)).collect::<Result<_, _>>().map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for Any<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("AnyOf{}", T::schema_name()).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "One of the words, or several with commas between them."})
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use rasid_compiler::ruleset::Severity;

    use super::*;

    #[test]
    fn several_words_are_read_as_they_are_written() {
        for (text, severities) in [("", vec![]), ("SEV1", vec![Severity::Sev1]), ("SEV0, SEV3", vec![Severity::Sev0, Severity::Sev3])] {
            let any: Any<Severity> = serde_json::from_value(text.into()).expect("words");
            assert_eq!(any.0, severities, "{text}");
            assert_eq!(serde_json::to_value(&any).expect("words"), text.replace(' ', ""));
        }
        assert_eq!(serde_json::from_str::<Any<Severity>>("null").expect("nothing"), Any::default());
        assert!(serde_json::from_str::<Any<Severity>>("\"SEV9\"").is_err());
    }
}
