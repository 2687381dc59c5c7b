//! Ten thousand hostile records among good ones: none ends the run, each is accounted for, and the good events' alerts
//! are what they are without them.
//!
//! A hostile record that stays a valid event has entities of its own and the time of the good event before it, so that
//! it has no honest reason to change what is found about the others.

#![expect(clippy::indexing_slicing, reason = "a test that looks for what is not there should fail")]

mod support;

use std::collections::HashSet;
use std::fs;

use serde_json::{Value, json};
use support::{SplitMix64, detect, generate};

const HOSTILE: usize = 10_000;
const GOOD: usize = 2 * HOSTILE;

/// The position of a stream's first record.
const FIRST_POSITION: u64 = 1;

/// What must become of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is set aside.
    DeadLetter,
    /// It is a valid event.
    Event,
    /// It is a valid event that was there before.
    Duplicate,
    /// Its type is not in the vocabulary.
    Unknown,
    /// Any of these: what chance made of it was not looked at.
    Any,
}

/// Every identifier in `event`'s data, of its own kind, and none that a good event has.
fn rename(event: &mut Value, number: usize) {
    let Some(data) = event.get_mut("data").and_then(Value::as_object_mut) else { return };
    for (field, value) in data {
        *value = match field.as_str() {
            "phone" => json!(format!("+2011{number:08}")),
            "ip" => json!(format!("198.18.{}.{}", number / 256 % 256, number % 256)),
            name if name.ends_with("_id") => json!(format!("hostile-{}", value.as_str().unwrap_or_default())),
            _ => continue,
        };
    }
    if let Some(id) = event.get_mut("id") {
        *id = json!(format!("hostile-{number}"));
    }
}

/// Everything in a record that could name an entity of a good event.
fn names(value: &Value, found: &mut HashSet<String>) {
    match value {
        Value::String(text) => {
            found.insert(text.clone());
        }
        Value::Array(list) => list.iter().for_each(|item| names(item, found)),
        Value::Object(fields) => {
            for (field, item) in fields {
                if field.ends_with("id") || field == "phone" || field == "ip" || item.is_object() {
                    names(item, found);
                }
            }
        }
        _ => {}
    }
}

struct Mutator {
    random: SplitMix64,
    good: HashSet<String>,
}

impl Mutator {
    /// A hostile record out of the good one that stands before it.
    fn record(&mut self, good: &str, number: usize) -> (Vec<u8>, Fate) {
        let mut event: Value = serde_json::from_str(good).expect("the workload is JSON");
        rename(&mut event, number);
        match self.random.below(100) {
            0..12 => self.cut_off(&event),
            12..30 => self.damaged(&event),
            30..44 => self.wrong_value(event),
            44..54 => self.missing(event),
            54..60 => self.numbers(event),
            60..68 => (self.no_event(), Fate::DeadLetter),
            68..74 => self.text(&event),
            74..80 => Self::times(event, self.random.below(9)),
            80..86 => self.other_type(event),
            86..90 => self.twice(&event),
            90..95 => self.additions(event),
            95 => (good.as_bytes().to_vec(), Fate::Duplicate), // delivered again
            96 => {
                // The good event's id with other bytes: the first one counts.
                event["id"] = serde_json::from_str::<Value>(good).expect("the workload is JSON")["id"].clone();
                (event.to_string().into_bytes(), Fate::Duplicate)
            }
            _ => self.large(event),
        }
    }

    fn cut_off(&mut self, event: &Value) -> (Vec<u8>, Fate) {
        let mut bytes = event.to_string().into_bytes();
        bytes.truncate(self.random.below(bytes.len()));
        (bytes, Fate::DeadLetter)
    }

    /// A few bytes changed, added or taken away, wherever chance has it but in the time.
    fn damaged(&mut self, event: &Value) -> (Vec<u8>, Fate) {
        let mut bytes = event.to_string().into_bytes();
        for _ in 0..=self.random.below(3) {
            let time = find(&bytes, b"\"time\":\"").map_or(0..0, |start| start..start + 34);
            let at = self.random.below(bytes.len());
            let end = (at + 1 + self.random.below(8)).min(bytes.len());
            if at < time.end && end > time.start {
                continue;
            }
            let chance = u8::try_from(self.random.below(256)).expect("below 256");
            let odd = *self.random.pick(b"\"\\{}[]:,0\0\x7f\xff ");
            match self.random.below(5) {
                0 => drop(bytes.drain(at..end)),
                1 => bytes.splice(at..at, [odd]).for_each(drop),
                2 => bytes.splice(at..=at, [odd]).for_each(drop),
                3 => bytes.splice(at..=at, [chance]).for_each(drop),
                _ => {
                    let again = bytes.get(at..end).unwrap_or_default().to_vec();
                    bytes.splice(at..at, again).for_each(drop);
                }
            }
        }
        // Chance may have written the name of somebody good.
        let mut found = HashSet::new();
        if let Ok(value) = serde_json::from_slice(&bytes) {
            names(&value, &mut found);
        }
        if found.is_disjoint(&self.good) { (bytes, Fate::Any) } else { (b"{}".to_vec(), Fate::DeadLetter) }
    }

    /// A field that every event of its type has.
    fn required(&mut self, event: &Value) -> &'static str {
        let fields: &[&str] = match event["type"].as_str().unwrap_or_default() {
            "gps.position" => &["entity_id", "lat", "lon"],
            "chat.message" => &["conversation_id", "sender_id", "recipient_id", "text"],
            "auth.login_succeeded" => &["user_id", "device_id", "ip"],
            kind if kind.starts_with("payment.") => &["payment_id", "user_id", "amount", "currency", "method"],
            _ => &["phone", "ip", "purpose"],
        };
        fields[self.random.below(fields.len())]
    }

    fn wrong_value(&mut self, mut event: Value) -> (Vec<u8>, Fate) {
        let field = self.required(&event);
        let wrong = [Value::Null, json!(true), json!([]), json!({}), json!([1, 2]), json!({"a": "b"}), json!("")];
        event["data"][field] = match (field, self.random.below(4)) {
            ("lat", 0) => json!(95),
            ("lon", 0) => json!(-180.001),
            ("lat" | "lon", 1) => json!("30.1"),
            ("amount", 0) => json!(-1),
            ("amount", 1) => json!("ten"),
            ("amount", 2) => json!(99.5),
            ("currency", 0) => json!("pounds"),
            ("method" | "purpose", 0) => json!("other"),
            ("entity_id" | "user_id" | "phone", 0) => json!(42),
            // An empty message is one, and an empty identifier is absent.
            (field, _) if field == "text" || field == "phone" || field == "ip" || field.ends_with("_id") => {
                self.random.pick(wrong.get(..6).unwrap_or_default()).clone()
            }
            _ => self.random.pick(&wrong).clone(),
        };
        (event.to_string().into_bytes(), without(field))
    }

    fn missing(&mut self, mut event: Value) -> (Vec<u8>, Fate) {
        let attribute = *self.random.pick(&["specversion", "id", "source", "type", "time", "data", ""]);
        if attribute.is_empty() {
            let field = self.required(&event);
            event["data"].as_object_mut().and_then(|data| data.remove(field));
            return (event.to_string().into_bytes(), without(field));
        } else if self.random.below(2) == 0 {
            event.as_object_mut().and_then(|attributes| attributes.remove(attribute));
        } else {
            event[attribute] = self.random.pick(&[json!(7), json!(["a"]), json!(false), Value::Null]).clone();
        }
        (event.to_string().into_bytes(), Fate::DeadLetter)
    }

    /// Numbers that no machine number holds, or only just.
    fn numbers(&mut self, mut event: Value) -> (Vec<u8>, Fate) {
        let long = "9".repeat(400);
        let number = *self.random.pick(&[
            "1e999",
            "-1e999",
            &long,
            "9223372036854775808",
            "-9223372036854775809",
            "1e400",
            "NaN",
            "-Infinity",
            "0x10",
            "+1",
            "01",
            "1.",
            ".5",
        ]);
        let field = match event["type"].as_str() {
            Some("gps.position") => "lat",
            Some(kind) if kind.starts_with("payment.") => "amount",
            _ => return self.wrong_value(event),
        };
        event["data"][field] = json!("@");
        (event.to_string().replace("\"@\"", number).into_bytes(), Fate::DeadLetter)
    }

    /// What is not even the outside of an event.
    fn no_event(&mut self) -> Vec<u8> {
        let whole: [&[u8]; 14] = [
            b"",
            b" ",
            b"\t  \t",
            b"\0",
            b"\0\0\0\0\0\0\0\0",
            b"{}",
            b"[]",
            b"null",
            b"1",
            b"\"event\"",
            b"{\"a\"",
            b"\xEF\xBB\xBF",
            b"# comment",
            b"\x1f\x8b\x08\0\0\0",
        ];
        self.random.pick(&whole).to_vec()
    }

    /// Text that is none, and what surrounds the object.
    fn text(&mut self, event: &Value) -> (Vec<u8>, Fate) {
        let text = event.to_string();
        let id = text.find("hostile-").expect("every record has an id");
        let (before, after) = text.split_at(id);
        let around = |bytes: &[u8]| [before.as_bytes(), bytes, after.as_bytes()].concat();
        let which = self.random.below(9);
        let bytes = match which {
            0 => around(b"\xff"),
            1 => around(b"\xc0\xaf"),         // an overlong slash
            2 => around(b"\xed\xa0\x80"),     // a surrogate written as UTF-8
            3 => around(b"\xf4\x90\x80\x80"), // past the last code point
            4 => around(b"\\ud800"),
            5 => around(b"\\udc00\\ud800"),
            6 => around(b"\0"), // a control character must be escaped
            7 => [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
            _ => [text.as_bytes(), self.random.pick(&["}", " {}", ",", "x", "]", "\0", " null"]).as_bytes()].concat(),
        };
        // Half a surrogate pair is mended; the rest is no text.
        (bytes, if matches!(which, 4 | 5) { Fate::Event } else { Fate::DeadLetter })
    }

    fn times(mut event: Value, which: usize) -> (Vec<u8>, Fate) {
        let attribute = if which.is_multiple_of(2) { "time" } else { "receivedtime" };
        event[attribute] = match which {
            0 => json!("2027-01-01T00:00:00Z"), // after the arrival stamp
            1 => json!("9999-12-31T23:59:59Z"),
            2 => json!("2026-13-01T00:00:00Z"),
            3 => json!("2026-11-01T25:00:00Z"),
            4 => json!("2026-11-01T00:00:00"), // no zone
            5 => json!("yesterday"),
            6 => json!(1_793_491_200),
            7 => json!(""),
            _ => json!("2026-02-30T00:00:00Z"),
        };
        // A time of receipt that is none leaves the event's own.
        (event.to_string().into_bytes(), if matches!(which, 3 | 5 | 7) { Fate::Event } else { Fate::DeadLetter })
    }

    fn other_type(&mut self, mut event: Value) -> (Vec<u8>, Fate) {
        let unknown = ["auth.otp_Requested", "payment.", "x", "gps.position ", "com.example.thing", "rasid.alert", "chat.message\u{0}"];
        let known = [
            "auth.otp_requested",
            "auth.login_succeeded",
            "payment.refund_issued",
            "payment.payout_requested",
            "chat.message",
            "gps.position",
        ];
        if self.random.below(2) == 0 {
            event["type"] = json!(self.random.pick(&unknown));
            return (event.to_string().into_bytes(), Fate::Unknown);
        }
        event["type"] = json!(self.random.pick(&known));
        (event.to_string().into_bytes(), Fate::Any)
    }

    /// A key that is there twice: which one counts would depend on the reader.
    fn twice(&mut self, event: &Value) -> (Vec<u8>, Fate) {
        let text = event.to_string();
        let inside = text.strip_prefix('{').unwrap_or_default();
        match self.random.below(4) {
            0 => (format!("{{\"id\":\"hostile-x\",{inside}").into_bytes(), Fate::DeadLetter),
            1 => (format!("{{\"type\":\"chat.message\",{inside}").into_bytes(), Fate::DeadLetter),
            2 => (format!("{{\"data\":{{}},{inside}").into_bytes(), Fate::DeadLetter),
            _ => {
                (text.replacen("\"data\":{", "\"data\":{\"user_id\":\"hostile-x\",\"entity_id\":\"hostile-x\",", 1).into_bytes(), Fate::Any)
            }
        }
    }

    /// Fields that nobody asked for are no fault.
    fn additions(&mut self, mut event: Value) -> (Vec<u8>, Fate) {
        let strange = [
            json!(null),
            json!([[1], {"a": []}]),
            json!("\u{202e}\u{0}\u{feff}"),
            json!({"$where": "1"}),
            json!(1e308),
            json!(i64::MIN),
            json!("x".repeat(5_000)),
        ];
        event["data"]["note"] = self.random.pick(&strange).clone();
        event["traceparent"] = self.random.pick(&strange).clone();
        (event.to_string().into_bytes(), Fate::Event)
    }

    /// Very long or very deep. Rare, so that the file stays small.
    fn large(&mut self, mut event: Value) -> (Vec<u8>, Fate) {
        match self.random.below(40) {
            0 => {
                event["data"]["text"] = json!("x".repeat(1_100_000));
                (event.to_string().into_bytes(), Fate::DeadLetter)
            }
            1 => {
                event["data"]["text"] = json!("x".repeat(1_000_000));
                (event.to_string().into_bytes(), Fate::Event)
            }
            2..4 => {
                let (open, close) = *self.random.pick(&[("[", "]"), ("{\"a\":", "}"), ("[", ""), ("{\"a\":", "")]);
                let middle = if open.ends_with(':') { "1" } else { "" };
                let deep = [open.repeat(100_000), middle.to_owned(), close.repeat(100_000)].concat();
                event["data"]["deep"] = json!("@");
                let fate = if close.is_empty() { Fate::DeadLetter } else { Fate::Event };
                (event.to_string().replace("\"@\"", &deep).into_bytes(), fate)
            }
            4 => ("[".repeat(200_000).into_bytes(), Fate::DeadLetter),
            5..8 => {
                event["data"]["note"] = json!("ا".repeat(50_000));
                (event.to_string().into_bytes(), Fate::Event)
            }
            _ => {
                let many: serde_json::Map<String, Value> = (0..200).map(|n| (format!("extra_{n}"), json!(n))).collect();
                event["data"].as_object_mut().expect("an object").extend(many);
                (event.to_string().into_bytes(), Fate::Event)
            }
        }
    }
}

/// What becomes of an event without a field that its type requires: without a number there is none.
fn without(field: &str) -> Fate {
    if matches!(field, "lat" | "lon" | "amount") { Fate::DeadLetter } else { Fate::Event }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A record as lines carry it: no line end inside it, and none that would be taken for the line's own.
fn one_line(mut bytes: Vec<u8>) -> Vec<u8> {
    for byte in &mut bytes {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    bytes
}

fn record_of(letter: &Value) -> Vec<u8> {
    match (letter.get("record"), letter.get("record_base64")) {
        (Some(Value::String(text)), None) => text.clone().into_bytes(),
        (None, Some(Value::String(text))) => data_encoding::BASE64.decode(text.as_bytes()).expect("RFC 4648"),
        _ => panic!("a dead letter has its record, as text or in Base64: {letter}"),
    }
}

/// The alerts about good events, less their positions, which other records between them change.
fn alerts_about(alerts: Vec<Value>, good: &HashSet<String>) -> Vec<Value> {
    let about = |alert: &Value| alert["event"]["id"].as_str().is_some_and(|id| good.contains(id));
    let mut alerts: Vec<Value> = alerts.into_iter().filter(about).collect();
    for alert in &mut alerts {
        let position = alert.as_object_mut().and_then(|fields| fields.remove("position"));
        assert!(position.is_some_and(|position| position.is_u64()), "an alert has a position");
    }
    alerts
}

#[test]
fn hostile_records_are_accounted_for_and_change_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (clean, mixed) = (folder.path().join("clean.jsonl"), folder.path().join("mixed.jsonl"));
    generate(&clean, GOOD, 11);
    let text = fs::read_to_string(&clean).expect("just written");
    let (mut good, mut good_ids) = (HashSet::new(), HashSet::new());
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).expect("the workload is JSON");
        good_ids.insert(event["id"].as_str().expect("a string").to_owned());
        names(&event, &mut good);
    }
    let mut mutator = Mutator { random: SplitMix64(2026), good };

    let mut records: Vec<(Vec<u8>, Fate)> = Vec::new();
    let mut hostile = 0;
    for (n, line) in text.lines().enumerate() {
        records.push((line.as_bytes().to_vec(), Fate::Event));
        if n % 2 == 1 {
            let (bytes, fate) = mutator.record(line, hostile);
            records.push((one_line(bytes), fate));
            hostile += 1;
        }
    }
    assert_eq!(hostile, HOSTILE);
    let joined: Vec<u8> = records.iter().flat_map(|(bytes, _)| bytes.iter().copied().chain([b'\n'])).collect();
    fs::write(&mixed, joined).expect("room");

    let alone = detect(folder.path(), &clean, &[]);
    let run = detect(folder.path(), &mixed, &[]);
    let counted = |fate: Fate| records.iter().filter(|(_, is)| *is == fate).count() as u64;

    // Every record is exactly one of four things.
    assert_eq!(run.count("records"), records.len() as u64);
    assert_eq!(
        run.count("records"),
        run.count("events") + run.count("dead_letters") + run.count("duplicates") + run.count("unknown_types"),
        "{}",
        run.summary
    );
    assert!(run.count("duplicates") >= counted(Fate::Duplicate), "{}", run.summary);
    assert!(run.count("unknown_types") >= counted(Fate::Unknown), "{}", run.summary);
    assert!(run.count("events") >= counted(Fate::Event), "{}", run.summary);
    assert_eq!(run.count("late"), 0, "{}", run.summary);

    // A dead letter gives back the record, says where it stood and why, and does not repeat it in the reason.
    assert_eq!(run.count("dead_letters"), run.dead_letters.len() as u64);
    let mut dead = vec![false; records.len()];
    for letter in &run.dead_letters {
        let position = letter["position"].as_u64().expect("a dead letter has a position");
        let index = usize::try_from(position - FIRST_POSITION).expect("a line's number");
        let reason = letter["reason"].as_str().expect("a dead letter has a reason");
        assert!(!reason.is_empty() && reason.len() < 300 && !reason.contains('\n') && !reason.contains("hostile-"), "{reason:?}");
        assert!(letter["field"].is_null() || letter["field"].is_string(), "{}", letter["field"]);
        assert!(record_of(letter) == records[index].0, "the dead letter at {position} ({reason}) is not the record there");
        assert!(!std::mem::replace(&mut dead[index], true), "two dead letters at {position}");
    }
    for (index, ((bytes, fate), dead)) in records.iter().zip(&dead).enumerate() {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(400)]);
        match fate {
            Fate::DeadLetter => assert!(dead, "record {index} was not set aside: {shown}"),
            Fate::Event | Fate::Duplicate | Fate::Unknown => assert!(!dead, "record {index} ({fate:?}) was set aside: {shown}"),
            Fate::Any => {}
        }
    }
    assert!(run.dead_letters.len() > HOSTILE / 2, "{}", run.summary);
    assert!(run.count("bad_events") > HOSTILE as u64 / 20, "{}", run.summary);

    // What is found about the good events is what is found without the others.
    assert_eq!(run.count("alerts"), run.alerts().len() as u64);
    let (expected, found) = (alerts_about(alone.alerts(), &good_ids), alerts_about(run.alerts(), &good_ids));
    assert!(expected.len() > 20, "{} alerts prove little", expected.len());
    let different = expected.iter().zip(&found).find(|(a, b)| a != b);
    assert!(different.is_none(), "an alert is another among hostile records: {different:?}");
    assert_eq!(expected.len(), found.len());
}

#[test]
fn a_stream_of_nothing_but_rubbish_ends_well() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("rubbish.jsonl");
    let mut random = SplitMix64(7);
    let rubbish: Vec<u8> = (0..200_000).map(|_| u8::try_from(random.below(256)).expect("below 256")).collect();
    fs::write(&path, &rubbish).expect("room");
    let run = detect(folder.path(), &path, &[]);
    let lines = rubbish.split_inclusive(|byte| *byte == b'\n').count() as u64;
    assert_eq!((run.count("records"), run.count("dead_letters"), run.count("events")), (lines, lines, 0));

    fs::write(&path, b"").expect("room");
    let run = detect(folder.path(), &path, &[]);
    assert_eq!((run.count("records"), run.count("alerts")), (0, 0));
}
