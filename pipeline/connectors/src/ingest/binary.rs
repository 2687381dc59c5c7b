//! CloudEvents in binary mode: the attributes are headers, `ce-id` and its like, and the body is the data.
//!
//! → <https://github.com/cloudevents/spec>, cloudevents/bindings/http-protocol-binding.md, 3.1

use axum::http::{HeaderMap, HeaderValue};

use super::problem::Problem;

/// What the headers' names begin with.
const PREFIX: &str = "ce-";
/// The attributes that every event has; any of them says that binary mode is meant.
const REQUIRED: [&str; 4] = ["specversion", "id", "source", "type"];
/// What is no attribute in a header: the content type and the body say it.
const ELSEWHERE: [&str; 2] = ["data", "datacontenttype"];

/// The attributes of one event, as they stand in its record: JSON up to where the data begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attributes(Vec<u8>);

/// Whether a request's headers are those of an event.
pub(super) fn is_meant(headers: &HeaderMap) -> bool {
    REQUIRED.iter().any(|name| headers.contains_key(format!("{PREFIX}{name}")))
}

impl Attributes {
    /// Of a request's headers; `content_type` is the data's, empty where it has none.
    pub(super) fn of(headers: &HeaderMap, content_type: &str) -> Result<Self, Problem> {
        let invalid = |why: String| Problem::Invalid { why };
        let mut names: Vec<&str> = REQUIRED.to_vec();
        let others = headers.keys().filter_map(|name| name.as_str().strip_prefix(PREFIX));
        // Every other name is no attribute's; a proxy or a library may have put it there.
        let others = others.filter(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        names.extend(others.filter(|name| !name.is_empty() && !REQUIRED.contains(name) && !ELSEWHERE.contains(name)));
        let mut record = Vec::new();
        let mut put = |name: &str, value: &str| {
            record.extend_from_slice(if record.is_empty() { b"{\"" } else { b",\"" });
            record.extend_from_slice(name.as_bytes());
            record.extend_from_slice(b"\":");
            record.extend_from_slice(serde_json::Value::from(value).to_string().as_bytes());
        };
        for name in names {
            let mut values = headers.get_all(format!("{PREFIX}{name}")).iter();
            let value = values.next().filter(|_| values.next().is_none());
            let value = value.ok_or_else(|| invalid(format!("expected one header {PREFIX}{name}")))?;
            let text = decoded(value).ok_or_else(|| invalid(format!("the header {PREFIX}{name} is not percent-encoded UTF-8")))?;
            put(name, &text);
        }
        if !content_type.is_empty() {
            put("datacontenttype", content_type);
        }
        Ok(Self(record))
    }

    /// The record with this data, which is one JSON value; empty where there is none.
    pub(super) fn with(&self, data: &[u8]) -> Vec<u8> {
        let mut record = self.0.clone();
        if !data.is_empty() {
            record.extend_from_slice(b",\"data\":");
            record.extend_from_slice(data);
        }
        record.push(b'}');
        record
    }
}

/// A header's text: quotes are undone, as older senders put them, then percent signs, once. A percent sign that begins no escape
/// stands for itself, as senders write it that do not escape. `None` where no text comes of it.
fn decoded(value: &HeaderValue) -> Option<String> {
    let bytes = value.as_bytes();
    let unquoted = match bytes {
        [b'"', inner @ .., b'"'] => unescaped(inner),
        _ => bytes.to_vec(),
    };
    let mut text = Vec::with_capacity(unquoted.len());
    let mut rest = unquoted.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        let escape = behind.first_chunk::<2>().filter(|_| *first == b'%');
        match escape.and_then(|digits| {
            u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok().filter(|_| digits.iter().all(u8::is_ascii_hexdigit))
        }) {
            Some(byte) => {
                text.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => text.push(*first),
        }
    }
    String::from_utf8(text).ok()
}

/// What stands between quotes, without the backslashes.
fn unescaped(quoted: &[u8]) -> Vec<u8> {
    let mut bytes = quoted.iter().copied();
    let mut plain = Vec::with_capacity(quoted.len());
    while let Some(byte) = bytes.next() {
        plain.extend(if byte == b'\\' { bytes.next() } else { Some(byte) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).expect("a header"));
        }
        headers
    }

    const FOUR: [(&str, &str); 4] = [("ce-type", "auth.sim_changed"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-specversion", "1.0")];

    #[rstest]
    #[case("Euro%20%E2%82%AC%20%F0%9F%98%80", Some("Euro € 😀"))]
    #[case("Euro%20%e2%82%ac", Some("Euro €"))]
    #[case("%41%25", Some("A%"))]
    #[case("%2541", Some("%41"))]
    #[case("\"a \\\"quoted\\\" %41\"", Some("a \"quoted\" A"))]
    #[case("100% of it", Some("100% of it"))]
    #[case("%+1%", Some("%+1%"))]
    #[case("as it is: €", Some("as it is: €"))]
    #[case("%C0%A0", None)]
    #[case("%FF", None)]
    fn as_the_binding_has_it(#[case] value: &str, #[case] expected: Option<&str>) {
        assert_eq!(decoded(&HeaderValue::from_bytes(value.as_bytes()).expect("a header")).as_deref(), expected);
    }

    #[test]
    fn headers_and_body_become_a_record() {
        let more = [("ce-time", "2026-11-21T10:00:00Z"), ("ce-traceparent", "00-\"1\""), ("ce-data", "no"), ("ce-not_one", "no")];
        let attributes = Attributes::of(&headers(&[&FOUR[..], &more].concat()), "application/json").expect("good");
        let record = String::from_utf8(attributes.with(b"{\"a\":1}")).expect("text");
        assert!(record.starts_with(r#"{"specversion":"1.0","id":"1","source":"/s","type":"auth.sim_changed","#), "{record}");
        let read: serde_json::Value = serde_json::from_str(&record).expect("JSON");
        assert_eq!(
            read,
            serde_json::json!({
                "specversion": "1.0", "id": "1", "source": "/s", "type": "auth.sim_changed", "time": "2026-11-21T10:00:00Z",
                "traceparent": "00-\"1\"", "datacontenttype": "application/json", "data": {"a": 1}
            })
        );
        assert!(!String::from_utf8(attributes.with(b"")).expect("text").contains("\"data\":"));
    }

    #[test]
    fn what_is_missing_there_twice_or_no_text_is_named() {
        let said = |all: &[(&'static str, &str)]| match Attributes::of(&headers(all), "") {
            Err(Problem::Invalid { why }) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(said(&FOUR[1..]), "expected one header ce-type");
        assert_eq!(said(&[&FOUR[..], &[("ce-id", "2")]].concat()), "expected one header ce-id");
        assert_eq!(said(&[&FOUR[..], &[("ce-subject", "%FF")]].concat()), "the header ce-subject is not percent-encoded UTF-8");
        assert!(is_meant(&headers(&FOUR[..1])) && !is_meant(&headers(&[("ce-time", "x"), ("content-type", "x")])));
    }

    proptest! {
        /// Whatever stands in headers makes one JSON object, and what was encoded comes back.
        #[test]
        fn any_text_comes_through(text in "\\PC{0,40}", raw in "[ -~]{0,40}") {
            let encode = |text: &str| text.bytes().map(|byte| if byte.is_ascii_graphic() && byte != b'"' && byte != b'%' {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }).collect::<String>();
            prop_assert_eq!(decoded(&HeaderValue::from_str(&encode(&text)).expect("a header")), Some(text));
            if let Ok(attributes) = Attributes::of(&headers(&[&FOUR[..], &[("ce-subject", raw.trim())]].concat()), "application/json") {
                let record = attributes.with(b"{}");
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&record).is_ok());
            }
        }
    }
}
