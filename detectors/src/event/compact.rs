//! A record without what pads it: for what keeps events, where a padded one must neither be lost nor cost others their place.

use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::EventType;
use super::field::{FieldSpec, FieldType, Privacy};

/// The attributes of an event that are read (CloudEvents 1.0, and `receivedtime`).
const ATTRIBUTES: [&str; 8] = ["specversion", "id", "source", "type", "time", "receivedtime", "subject", "datacontenttype"];
/// Longest field outside the contract that is kept, bytes with its name: an identifier's and some more.
const OTHER_BYTES_MAX: usize = 512;
/// Longest value of an attribute or a field of the contract, bytes as written, but of lists and free text: an identifier of 256 bytes,
/// each as an escape. One that is longer reads as absent.
const VALUE_BYTES_MAX: usize = 6 * 256 + 2;

/// The members of an object as they stand, in order; of those that are given more than once, the first.
struct Members<'a>(Vec<(Box<[u8]>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Of;
        impl<'de> Visitor<'de> for Of {
            type Value = Vec<(Box<[u8]>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key_seed(Name)? {
                    members.push((name, map.next_value()?));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Of).map(Self)
    }
}

/// A name as bytes: half a surrogate pair is in no text.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Box<[u8]>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Box<[u8]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_bytes<E: serde::de::Error>(self, name: &[u8]) -> Result<Self::Value, E> {
        Ok(name.into())
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(name.as_bytes().into())
    }
}

impl Members<'_> {
    /// Writes the members that are to be kept, each once.
    fn write(&self, keep: impl Fn(&str, &str) -> bool, out: &mut Vec<u8>, mut value: impl FnMut(&str, &str, &mut Vec<u8>)) {
        out.push(b'{');
        let mut written: Vec<&str> = Vec::new();
        for (name, raw) in &self.0 {
            let Ok(name) = std::str::from_utf8(name) else { continue };
            if !keep(name, raw.get()) || written.contains(&name) {
                continue;
            }
            if !written.is_empty() {
                out.push(b',');
            }
            out.extend(serde_json::to_vec(name).unwrap_or_default());
            out.push(b':');
            value(name, raw.get(), out);
            written.push(name);
        }
        out.push(b'}');
    }
}

/// What is kept of the value of a field.
fn write_value(field: Option<&FieldSpec>, value: &str, long: bool, out: &mut Vec<u8>) {
    match field.filter(|field| field.ty == FieldType::Object).and_then(|field| Some((field, serde_json::from_str(value).ok()?))) {
        Some((field, Members(inner))) => {
            let child = |name: &str| field.children.iter().find(|child| child.name == name);
            let keep = |name: &str, value: &str| child(name).is_some_and(|child| is_read(child, value, long));
            Members(inner).write(keep, out, |_, value, out| out.extend(value.as_bytes()));
        }
        None => out.extend(value.as_bytes()),
    }
}

/// Whether a value of that length is read at all; `long`: of text and lists that an event may lack, whatever their length.
fn is_read(field: &FieldSpec, value: &str, long: bool) -> bool {
    let may_be_long = match field.ty {
        FieldType::List => (long || !field.optional) && value.starts_with('['),
        FieldType::Object => value.starts_with('{'),
        FieldType::String => long && field.privacy == Privacy::Hidden && value.starts_with('"'),
        _ => false,
    };
    value.len() <= VALUE_BYTES_MAX || may_be_long
}

/// The record with its attributes and the fields of its type, each once, and short ones beside them; where that is too long, without
/// these; and last without its own long text and lists, but for those that its type requires. `None` where even so it has more
/// than `bytes_max` bytes, or cannot be read. What is kept stands as it came.
pub fn compacted(record: &[u8], event_type: EventType, bytes_max: usize) -> Option<Vec<u8>> {
    // A part's record is that of the whole.
    let event_type = event_type.whole().unwrap_or(event_type);
    let Members(whole) = serde_json::from_slice(record).ok()?;
    let data = whole.iter().find(|(name, _)| **name == *b"data")?.1;
    let (whole, data): (_, Members<'_>) = (Members(whole), serde_json::from_str(data.get()).ok()?);
    let field = |name: &str| event_type.fields().iter().find(|field| field.name == name);
    [(OTHER_BYTES_MAX, true), (0, true), (0, false)].into_iter().find_map(|(other_max, long)| {
        let mut out = Vec::new();
        let keep = |name: &str, value: &str| name == "data" || (ATTRIBUTES.contains(&name) && value.len() <= VALUE_BYTES_MAX);
        whole.write(keep, &mut out, |name, value, out| {
            if name != "data" {
                out.extend(value.as_bytes());
                return;
            }
            // Of many short ones, as many as an honest event might have.
            let others = std::cell::Cell::new(0_usize);
            let keep = |name: &str, value: &str| {
                if let Some(field) = field(name) {
                    return is_read(field, value, long);
                }
                let len = name.len() + value.len();
                let room = len <= other_max && others.get() + len <= other_max * 4;
                others.set(others.get() + if room { len } else { 0 });
                room
            };
            data.write(keep, out, |name, value, out| write_value(field(name), value, long, out));
        });
        (out.len() <= bytes_max).then_some(out)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::envelope::{Decoded, Limits, decode};
    use rstest::rstest;

    const MAX: usize = 8_192;

    fn record(outside: &str, inside: &str) -> String {
        format!(
            r#"{{{outside}"specversion":"1.0","id":"e\u0031","source":"/test","type":"auth.otp_requested","time":"2026-11-21T10:00:00Z","data":{{"phone":"+201000000042",{inside}"ip":"192.0.2.1","purpose":"login","note":"kept"}}}}"#
        )
    }

    fn kept(text: &str) -> String {
        let kept = compacted(text.as_bytes(), EventType::OtpRequested, MAX).expect("short enough");
        assert!(matches!(decode(&kept, &Limits::default()), Ok(Decoded::Event(_))), "it is read still");
        String::from_utf8(kept).expect("text")
    }

    #[rstest]
    #[case::a_field(String::new(), format!(r#""padding":"{}","#, "x".repeat(300_000)))]
    #[case::an_attribute(format!(r#""padding":"{}","#, "x".repeat(300_000)), String::new())]
    #[case::a_name(format!(r#""{}":1,"#, "n".repeat(9_000)), format!(r#""{}":1,"#, "n".repeat(9_000)))]
    #[case::many_attributes((0..2_000).map(|n| n.to_string()).fold(String::new(), |all, n| all + "\"a" + &n + "\":1,"), String::new())]
    #[case::its_own_again(String::new(), r#""phone":"+201000000042","#.repeat(1_000))]
    #[case::half_a_pair(String::new(), format!(r#""\ud800":"{}","#, "x".repeat(9_000)))]
    #[case::too_long_to_be_read(String::new(), format!(r#""device_id":"{}","#, "x".repeat(9_000)))]
    #[case::no_object(String::new(), format!(r#""location":"{}","#, "x".repeat(9_000)))]
    fn what_pads_a_record_goes_and_the_rest_stays_as_it_came(#[case] outside: String, #[case] inside: String) {
        assert_eq!(kept(&record(&outside, &inside)), record("", ""));
    }

    #[test]
    fn of_many_short_ones_some_stay() {
        let many = r#""p":"xxxxxxxx","#.repeat(2_000).replace("\"p\"", "\"p0\"");
        let many: String =
            many.split_inclusive(',').enumerate().fold(String::new(), |all, (n, one)| all + &one.replace("p0", &format!("p{n}")));
        let found = kept(&record("", &many));
        assert!(found.len() < 4_000 && found.contains("\"p1\"") && !found.contains("\"p1999\""), "{} bytes", found.len());
    }

    #[test]
    fn what_pads_a_place_goes() {
        let place = format!(r#""location":{{"lat":30.0,"lon":31.0,"accuracy_km":5,"padding":"{}"}},"#, "x".repeat(9_000));
        assert_eq!(kept(&record("", &place)), record("", r#""location":{"lat":30.0,"lon":31.0,"accuracy_km":5},"#));
    }

    #[test]
    fn an_identifier_that_is_written_with_escapes_stays() {
        let long = record("", &format!(r#""padding":"{}","#, "x".repeat(9_000))).replace("e\\u0031", &"\\u0065".repeat(200));
        assert!(kept(&long).contains(&"\\u0065".repeat(200)));
    }

    #[test]
    fn what_its_own_text_makes_too_long_is_kept_without_it() {
        let text = "x".repeat(9_000);
        let chat = format!(
            r#"{{"specversion":"1.0","id":"e1","source":"/test","type":"chat.message","time":"2026-11-21T10:00:00Z","data":{{"conversation_id":"c_1","sender_id":"u_1","recipient_id":"u_2","text":"{text}"}}}}"#
        );
        let kept = compacted(chat.as_bytes(), EventType::ChatMessage, MAX).expect("short enough");
        assert_eq!(String::from_utf8(kept).expect("text"), chat.replace(&format!(",\"text\":\"{text}\""), ""));
        assert_eq!(compacted(chat.as_bytes(), EventType::ChatMessage, 100), None);
        assert_eq!(compacted(b"{", EventType::ChatMessage, MAX), None);
        assert_eq!(compacted(br#"{"data":7}"#, EventType::ChatMessage, MAX), None);
    }

    #[test]
    fn the_lines_of_an_entry_stay_with_each_of_its_lines() {
        let lines = r#"{"account":"a","amount":1,"currency":"EGP"},"#.repeat(60);
        let entry = format!(
            r#"{{"specversion":"1.0","id":"e1","source":"/test","type":"ledger.posted","time":"2026-11-21T10:00:00Z","data":{{"entry_id":"l_1","padding":"{}","lines":[{}]}}}}"#,
            "x".repeat(9_000),
            lines.trim_end_matches(',')
        );
        for event_type in [EventType::LedgerPosted, EventType::LedgerLine] {
            let kept = compacted(entry.as_bytes(), event_type, MAX).expect("short enough");
            assert_eq!(String::from_utf8(kept).expect("text").matches("\"account\"").count(), 60);
        }
    }
}
