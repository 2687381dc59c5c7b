//! Events whose data is base64: CloudEvents' `data_base64`, which libraries write for data that they were given as bytes.

use data_encoding::BASE64;
use serde_json::value::RawValue;

use super::envelope::{Attributes, Limits, attributes};
use super::fault::Fault;
use super::json::{self, Told};
use super::salvage::Notes;

/// Whether a media type, its parameters aside, is one of JSON: `application/json`, `text/json`, `application/geo+json`.
pub fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let Some((_, subtype)) = essence.split_once('/') else { return false };
    let subtype = subtype.to_ascii_lowercase();
    subtype == "json" || subtype.ends_with("+json")
}

/// The record with its data as it would stand in `data`: what else is read of it, and nothing more. It is shorter.
///
/// # Errors
/// A [`Fault`] where `data_base64` is no base64 of JSON, or `datacontenttype` says that it is of something else.
pub fn open(record: &[u8], limits: &Limits) -> Result<Vec<u8>, Fault> {
    let mut notes = Notes::new(limits.nesting_max, false);
    let Attributes { read, instead: [encoded, content_type] } = attributes(record, &mut notes)?;
    let (data, once) = encoded;
    if !once {
        return Err(Fault::whole("given more than once, expected once").inside("data_base64"));
    }
    if let Some(raw) = content_type.0.filter(|raw| raw.get() != "null") {
        let told = json::text(raw).map_err(|fault| fault.inside("datacontenttype"))?;
        if !content_type.1 || !matches!(&told, Told::Plain(name) if is_json(name)) {
            return Err(Fault::whole("not a type of JSON, expected application/json").inside("datacontenttype"));
        }
    }
    let data = data.ok_or_else(|| Fault::whole("missing, but its type requires it").inside("data"))?;
    let data = decoded(data).map_err(|fault| fault.inside("data_base64"))?;
    let mut opened = Vec::with_capacity(record.len());
    for (name, raw) in read.iter().filter(|(name, _)| *name != "data") {
        if let Some(raw) = raw {
            opened.extend_from_slice(if opened.is_empty() { b"{\"" } else { b",\"" });
            opened.extend_from_slice(name.as_bytes());
            opened.extend_from_slice(b"\":");
            opened.extend_from_slice(raw.get().as_bytes());
        }
    }
    opened.extend_from_slice(if opened.is_empty() { b"{" } else { b"," });
    opened.extend_from_slice(b"\"data\":");
    opened.extend_from_slice(data.get().as_bytes());
    opened.push(b'}');
    Ok(opened)
}

fn decoded(raw: &RawValue) -> Result<Box<RawValue>, Fault> {
    let Told::Plain(text) = json::text(raw)? else { return Err(Fault::whole("not a string, expected base64")) };
    let bytes = BASE64.decode(text.as_bytes()).map_err(|error| Fault::whole(format!("no base64 at byte {}", error.position)))?;
    serde_json::from_slice(&bytes).map_err(|error| Fault::of(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::envelope::{Decoded, check, decode};
    use rstest::rstest;

    const PLAIN: &str = r#"{"specversion":"1.0","id":"1","source":"/s","type":"auth.sim_changed","time":"2026-11-21T10:00:00Z","data":{"phone":"+201000000001","reported_by":"telco"}}"#;

    /// The same event with its data as base64, and what is said of its type.
    fn encoded(data: &[u8], content_type: &str) -> String {
        let (head, _) = PLAIN.split_once("\"data\"").expect("there");
        format!("{head}\"data_base64\":\"{}\"{content_type}}}", BASE64.encode(data))
    }

    fn data() -> &'static [u8] {
        PLAIN.split_once("\"data\":").and_then(|(_, data)| data.strip_suffix('}')).expect("there").as_bytes()
    }

    fn opened(record: &str) -> Result<String, Fault> {
        open(record.as_bytes(), &Limits::default()).map(|bytes| String::from_utf8(bytes).expect("text"))
    }

    #[rstest]
    #[case("application/json", true)]
    #[case("Application/JSON ; charset=utf-8", true)]
    #[case("text/json", true)]
    #[case("application/vnd.khidma+json", true)]
    #[case("application/xml", false)]
    #[case("application/json-seq", false)]
    #[case("json", false)]
    fn types_of_json(#[case] media_type: &str, #[case] expected: bool) {
        assert_eq!(is_json(media_type), expected);
    }

    #[rstest]
    #[case::said("\",\"datacontenttype\":\"application/json; charset=utf-8\"")]
    #[case::unsaid("\"")]
    #[case::null("\",\"datacontenttype\":null")]
    fn what_is_json_stands_in_data(#[case] content_type: &str) {
        let record = encoded(data(), content_type.strip_prefix('"').expect("a quote"));
        assert!(matches!(decode(record.as_bytes(), &Limits::default()), Ok(Decoded::Encoded)), "{record}");
        assert_eq!(opened(&record).as_deref(), Ok(PLAIN));
        assert_eq!(check(record.as_bytes(), &Limits::default()), Ok(()));
    }

    #[rstest]
    #[case::no_base64(r#""data_base64":"%%""#, "data_base64")]
    #[case::a_number(r#""data_base64":7"#, "data_base64")]
    #[case::no_json(r#""data_base64":"aGVsbG8=""#, "data_base64")]
    #[case::not_utf8(r#""data_base64":"Iv8i""#, "data_base64")]
    #[case::twice(r#""data_base64":"e30=","data_base64":"e30=""#, "data_base64")]
    #[case::of_another_type(r#""data_base64":"e30=","datacontenttype":"application/xml""#, "datacontenttype")]
    #[case::nothing(r#""data_base64":null"#, "data_base64")]
    fn what_is_not_is_a_dead_letter(#[case] member: &str, #[case] field: &str) {
        let record = PLAIN.split_once("\"data\"").map(|(head, _)| format!("{head}{member}}}")).expect("there");
        let fault = check(record.as_bytes(), &Limits::default()).expect_err("a fault");
        assert_eq!(fault.field.as_deref(), Some(field), "{}", fault.reason);
    }

    /// What is garbled inside is as if it had come in `data`; and where both stand, `data` is what counts.
    #[test]
    fn inside_it_is_read_as_any_data() {
        let garbled = br#"{"phone":"+201000000001","user_id":7,"reported_by":"pigeon"}"#;
        let record = opened(&encoded(garbled, "")).expect("JSON");
        assert!(matches!(decode(record.as_bytes(), &Limits::default()), Ok(Decoded::Garbled { bad, .. }) if bad.len() == 2), "{record}");
        let both = PLAIN.replace("\"data\"", "\"data_base64\":\"%%\",\"data\"");
        assert!(matches!(decode(both.as_bytes(), &Limits::default()), Ok(Decoded::Event(_))));
        let unknown = encoded(b"{}", "").replace("auth.sim_changed", "no.such");
        assert!(matches!(decode(unknown.as_bytes(), &Limits::default()), Ok(Decoded::UnknownType)));
    }
}
