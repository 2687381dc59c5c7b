//! JSON Lines to a file or standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal as _, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use rasid_detectors::shown::json;
use schemars::JsonSchema;
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use crate::Error;
use crate::effect::Body;
use crate::sink::declared::{Alerts, Declared, MakeError, Section, Told};
use crate::sink::{Answer, Batch, Sink};

/// Bytes gathered before they are handed to the system.
const BUFFER: usize = 256 * 1024;
/// Of a file of alerts that is made: who may read them is for its owner to say.
const FILE_MODE: u32 = 0o600;

/// Writes one value a line.
pub struct JsonLinesSink {
    path: String,
    out: BufWriter<Box<dyn Write + Send>>,
    /// The line being made. A value that fails half-way is left here and never begins a line.
    line: Vec<u8>,
    /// A person sees it: what a terminal would obey is written out, which says the same in JSON.
    seen: bool,
}

impl JsonLinesSink {
    /// Makes the file at `path`, emptying it if it is there, or takes standard output for `-`.
    pub fn create(path: &str) -> Result<Self, Error> {
        if path == "-" {
            let seen = io::stdout().is_terminal();
            return Ok(Self { seen, ..Self::new("standard output", io::stdout()) });
        }
        let file = File::create(path).map_err(|source| Error::Create { path: path.to_owned(), source })?;
        Ok(Self::new(path, file))
    }

    /// Writes to anything; `name` is what messages call it.
    pub fn new(name: &str, out: impl Write + Send + 'static) -> Self {
        Self { path: name.to_owned(), out: BufWriter::with_capacity(BUFFER, Box::new(out)), line: Vec::new(), seen: false }
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.path
    }

    /// Writes `value` as one line.
    pub fn write<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, value).map_err(|source| Error::Encode { path: self.path.clone(), source })?;
        if self.seen {
            self.line = json(&String::from_utf8_lossy(&self.line)).into_owned().into_bytes();
        }
        self.line.push(b'\n');
        self.out.write_all(&self.line).map_err(|source| Error::write(&self.path, source))
    }

    /// Hands everything written so far to the system, for a reader that follows along.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(|source| Error::write(&self.path, source))
    }

    /// Flushes and closes. Merely dropping a sink flushes it too, but then nobody learns that it failed.
    pub fn finish(mut self) -> Result<(), Error> {
        self.flush()
    }
}

/// Writes text that is JSON already, one value a line.
pub struct RawLines {
    path: String,
    out: BufWriter<Box<dyn Write + Send>>,
}

impl RawLines {
    /// Makes the file at `path`, emptying it if it is there, or takes standard output for `-`.
    pub fn create(path: &str) -> Result<Self, Error> {
        let JsonLinesSink { path, out, .. } = JsonLinesSink::create(path)?;
        Ok(Self { path, out })
    }

    /// Writes `line`, which holds no line end, and ends it.
    pub fn write(&mut self, line: &str) -> Result<(), Error> {
        let written = self.out.write_all(line.as_bytes()).and_then(|()| self.out.write_all(b"\n"));
        written.map_err(|source| Error::write(&self.path, source))
    }

    /// Flushes and closes.
    pub fn finish(mut self) -> Result<(), Error> {
        self.out.flush().map_err(|source| Error::write(&self.path, source))
    }
}

/// A file of alerts and scores.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "JsonlSink")]
pub struct Options {
    /// The file, appended to, one JSON object a line. After a crash its last lines may stand in it twice, with the same id.
    pub file: Option<String>,
}

impl Declared for Options {
    const NAME: &'static str = "jsonl";
    const TOLD: Told = Told { alerts: Alerts::All, scores: false, retractions: false };

    fn is_on(&self) -> bool {
        self.file.is_some()
    }

    fn check(&self, _: &mut Section<'_>) {}

    fn read(&mut self, _: &mut Section<'_>) {}

    fn make(&self, name: &str) -> Result<Box<dyn Sink>, MakeError> {
        let file = self.file.as_ref().ok_or("no file is set")?;
        Ok(Box::new(AlertsFile::new(name, file)))
    }
}

/// Appends alerts to a file, one a line, byte for byte; durable before a batch counts as taken. A batch that is sent again
/// is there again: readers know an alert by its id, as every receiver does.
#[derive(Debug)]
pub struct AlertsFile {
    name: String,
    path: PathBuf,
    /// Open, and how many bytes of it are whole lines; `None` before the first batch and after a failure.
    file: Option<(File, u64)>,
}

impl AlertsFile {
    /// Appends to the file at `path`, made when first needed.
    pub fn new(name: &str, path: impl Into<PathBuf>) -> Self {
        Self { name: name.to_owned(), path: path.into(), file: None }
    }
}

#[async_trait]
impl Sink for AlertsFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn batch_max(&self) -> usize {
        1024
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> Answer {
        let mut lines = Vec::new();
        for item in batch.items {
            if let Body::Alert(alert) = &item.body {
                lines.extend_from_slice(alert.json.as_bytes());
                lines.push(b'\n');
            }
        }
        let (path, file) = (self.path.clone(), self.file.take());
        // A slow disk must not hold up the other sinks, which share these threads.
        match tokio::task::spawn_blocking(move || append(&path, file, &lines)).await {
            Ok(Ok(file)) => {
                self.file = Some(file);
                Answer::TAKEN
            }
            Ok(Err(error)) => Answer::Unavailable { retry_after_ms: None, error: format!("cannot write {}: {error}", self.path.display()) },
            Err(error) => Answer::Unknown { error: error.to_string() },
        }
    }
}

/// Appends durably. What a crash or a full disk has left of a line goes first: it belongs to a batch that is sent again.
fn append(path: &Path, file: Option<(File, u64)>, lines: &[u8]) -> io::Result<(File, u64)> {
    let (mut file, whole) = if let Some(open) = file {
        open
    } else {
        let mut file = OpenOptions::new().create(true).read(true).write(true).truncate(false).mode(FILE_MODE).open(path)?;
        let whole = whole_lines(&mut file)?;
        file.set_len(whole)?;
        file.seek(SeekFrom::Start(whole))?;
        (file, whole)
    };
    file.write_all(lines)?;
    file.sync_data()?;
    Ok((file, whole + lines.len() as u64))
}

/// Bytes up to and with the last line end.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let piece = usize::try_from(end - start).ok().and_then(|length| block.get_mut(..length)).unwrap_or_default();
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(piece)?;
        if let Some(place) = memchr::memrchr(b'\n', piece) {
            return Ok(start + place as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// A record set aside, with where it stood and why.
///
/// ```
/// use rasid_connectors::sink::DeadLetter;
///
/// let letter = DeadLetter { position: 7, field: Some("data.amount".to_owned()), reason: "found a string".to_owned(), record: b"{}" };
/// assert_eq!(
///     serde_json::to_string(&letter).unwrap(),
///     r#"{"position":7,"field":"data.amount","reason":"found a string","record":"{}"}"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter<'a> {
    /// Its place in the stream.
    pub position: u64,
    /// The field that is wrong, as a path, where it is known.
    pub field: Option<String>,
    /// What is wrong, in one line.
    pub reason: String,
    /// The record as it came. Written as text where it is UTF-8, else as `record_base64` (RFC 4648, with padding):
    /// JSON has no other way to give back the same bytes.
    pub record: &'a [u8],
}

impl Serialize for DeadLetter<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut letter = serializer.serialize_struct("DeadLetter", 4)?;
        letter.serialize_field("position", &self.position)?;
        letter.serialize_field("field", &self.field)?;
        letter.serialize_field("reason", &self.reason)?;
        match std::str::from_utf8(self.record) {
            Ok(text) => letter.serialize_field("record", text)?,
            Err(_) => letter.serialize_field("record_base64", &data_encoding::BASE64.encode(self.record))?,
        }
        letter.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Memory that outlives the sink.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no test panics while holding it").write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("no test panics while holding it").clone()).expect("JSON is UTF-8")
        }
    }

    #[test]
    fn a_terminal_obeys_nothing_in_a_line_and_a_file_has_it_as_it_is() {
        let id = "u\u{202E}1\u{9b}2J";
        for (seen, expected) in [(false, format!("{{\"id\":\"{id}\"}}\n")), (true, "{\"id\":\"u\\u202e1\\u009b2J\"}\n".to_owned())] {
            let memory = Shared::default();
            let mut sink = JsonLinesSink { seen, ..JsonLinesSink::new("memory", memory.clone()) };
            sink.write(&serde_json::json!({ "id": id })).expect("memory");
            sink.finish().expect("memory");
            assert_eq!(memory.text(), expected);
        }
    }

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct HalfWay;

    impl Serialize for HalfWay {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut value = serializer.serialize_struct("HalfWay", 2)?;
            value.serialize_field("good", &1)?;
            Err(serde::ser::Error::custom("no JSON form"))
        }
    }

    #[test]
    fn one_value_a_line_in_order() {
        let memory = Shared::default();
        let mut sink = JsonLinesSink::new("memory", memory.clone());
        sink.write(&1).expect("memory takes it");
        sink.write("a\nb").expect("memory takes it");
        assert_eq!(memory.text(), "", "buffered until asked");
        sink.flush().expect("memory takes it");
        assert_eq!(memory.text(), "1\n\"a\\nb\"\n");
        sink.write(&[true]).expect("memory takes it");
        sink.finish().expect("memory takes it");
        assert_eq!(memory.text(), "1\n\"a\\nb\"\n[true]\n");
    }

    #[test]
    fn a_value_without_json_form_leaves_nothing() {
        let memory = Shared::default();
        let mut sink = JsonLinesSink::new("memory", memory.clone());
        sink.write(&1).expect("memory takes it");
        let error = sink.write(&HalfWay).expect_err("it has none");
        assert_eq!(error.disposition(), crate::Disposition::DeadLetter);
        sink.write(&2).expect("memory takes it");
        sink.finish().expect("memory takes it");
        assert_eq!(memory.text(), "1\n2\n");
    }

    #[test]
    fn a_reader_that_went_away_is_told_from_a_full_disk() {
        for (kind, closed) in [(io::ErrorKind::BrokenPipe, true), (io::ErrorKind::StorageFull, false)] {
            let mut sink = JsonLinesSink::new("-", Failing(kind));
            sink.write(&1).expect("only buffered");
            let error = sink.finish().expect_err("nothing takes it");
            assert_eq!(matches!(error, Error::Closed { .. }), closed, "{error}");
        }
    }

    #[test]
    fn a_file_is_emptied_first_and_a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("out.jsonl");
        std::fs::write(&path, "old\nold\n").expect("writable");
        let mut sink = JsonLinesSink::create(path.to_str().expect("UTF-8")).expect("writable");
        sink.write(&1).expect("room");
        sink.finish().expect("room");
        assert_eq!(std::fs::read_to_string(&path).expect("readable"), "1\n");
        let nowhere = folder.path().join("nowhere/out.jsonl");
        assert!(matches!(JsonLinesSink::create(nowhere.to_str().expect("UTF-8")), Err(Error::Create { .. })));
    }

    fn alerts(ids: &[&str]) -> Vec<crate::effect::Item> {
        let alert = |id: &&str| crate::effect::AlertItem {
            id: (*id).to_owned(),
            rule: "auth.otp_flood".to_owned(),
            severity: rasid_compiler::ruleset::Severity::Sev2,
            entity: "user:u_1".to_owned(),
            opened_at_ms: 0,
            title: String::new(),
            explanation: String::new(),
            runbook: None,
            json: format!("{{\"id\": \"{id}\"}}"),
        };
        let item = |alert| crate::effect::Item { sink: "file".to_owned(), seq: 1, position: 1, committed_ms: 0, body: Body::Alert(alert) };
        ids.iter().map(alert).map(item).collect()
    }

    #[tokio::test]
    async fn alerts_are_appended_and_half_a_line_goes_first() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("alerts.jsonl");
        let deliver = async |sink: &mut AlertsFile, ids: &[&str]| {
            let items = alerts(ids);
            sink.deliver(&Batch { id: "dl_1", now_ms: 0, items: &items }).await
        };
        let mut sink = AlertsFile::new("file", &path);
        assert_eq!(deliver(&mut sink, &["a", "b"]).await, Answer::TAKEN);
        assert_eq!(deliver(&mut sink, &["c"]).await, Answer::TAKEN);
        let whole = "{\"id\": \"a\"}\n{\"id\": \"b\"}\n{\"id\": \"c\"}\n";
        assert_eq!(std::fs::read_to_string(&path).expect("readable"), whole);
        for torn in ["{\"id\"".to_owned(), "x".repeat(10_000)] {
            std::fs::write(&path, format!("{whole}{torn}")).expect("writable");
            assert_eq!(deliver(&mut AlertsFile::new("file", &path), &["d"]).await, Answer::TAKEN);
            assert_eq!(std::fs::read_to_string(&path).expect("readable"), format!("{whole}{{\"id\": \"d\"}}\n"));
        }
        let mut nowhere = AlertsFile::new("file", folder.path().join("nowhere/alerts.jsonl"));
        assert!(matches!(deliver(&mut nowhere, &["a"]).await, Answer::Unavailable { .. }));
    }

    #[test]
    fn a_dead_letter_gives_the_record_back_byte_by_byte() {
        let letter = |record| {
            let letter = DeadLetter { position: 3, field: None, reason: "not valid JSON".to_owned(), record };
            serde_json::to_value(letter).expect("it has a JSON form")
        };
        assert_eq!(
            letter(b"{\"a\"\0 \xD8\xA7"),
            serde_json::json!({"position": 3, "field": null, "reason": "not valid JSON", "record": "{\"a\"\0 ا"})
        );
        assert_eq!(
            letter(b"{\xFF"),
            serde_json::json!({"position": 3, "field": null, "reason": "not valid JSON", "record_base64": "e/8="})
        );
    }
}
