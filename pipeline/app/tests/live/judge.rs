//! What came of a service, held to what `rasid detect` makes of the log that it left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use rasid_connectors::alerts::{AlertStore, Filter, Retention};
use rasid_connectors::log::{Block, DeadLetterReader, Entry, LetterBlock, LogReader};
use rasid_connectors::seal::Keyring;
use rasid_connectors::storage::{Disk, Storage};
use serde_json::Value;

use crate::producers::Sent;
use crate::site::{SECRET, Site};

/// What `rasid detect` makes of a log.
pub(crate) struct Detected {
    /// Those that the core API is to be told, by id: byte for byte.
    pub(crate) for_core: BTreeMap<String, String>,
    /// All alerts, in order: id, and byte for byte.
    pub(crate) alerts: Vec<(String, String)>,
    /// Positions of the records that are no events.
    dead_letters: Vec<u64>,
    /// The reasons of each live score, by entity.
    pub(crate) reasons: BTreeMap<String, Value>,
    /// Records in the log.
    pub(crate) records: u64,
}

/// Runs it over the log of that place.
pub(crate) fn detect(site: &Site) -> Detected {
    detect_in(site, "data")
}

/// The same over events as they are, in a file of that place: no clock has touched those.
pub(crate) fn detect_in(site: &Site, input: &str) -> Detected {
    let outputs = ["--alerts", "again.jsonl", "--scores", "scores.jsonl", "--dead-letters", "dead_letters.jsonl"];
    let output = site.rasid(&["detect", input, "--output", "json"]).args(outputs).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "detect ended with {}: {said}", output.status);
    let lines = |name: &str| -> Vec<String> {
        let text = fs::read_to_string(site.path(name)).expect("it was written");
        text.lines().map(str::to_owned).collect()
    };
    let parsed = |line: &str| -> Value { serde_json::from_str(line).expect("JSON") };
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).expect("a text").to_owned();
    let (mut alerts, mut for_core) = (Vec::new(), BTreeMap::new());
    for line in lines("again.jsonl") {
        let alert = parsed(&line);
        if Site::is_for_core(&alert) {
            assert_eq!(for_core.insert(text(&alert, "id"), line.clone()), None, "an id names one alert");
        }
        alerts.push((text(&alert, "id"), line));
    }
    let position = |line: String| parsed(&line).get("position").and_then(Value::as_u64).expect("a position");
    let dead_letters = lines("dead_letters.jsonl").into_iter().map(position).collect();
    let scores = lines("scores.jsonl").into_iter().map(|line| {
        let score = parsed(&line);
        (text(&score, "entity"), score.get("reasons").expect("reasons").clone())
    });
    // An empty log has no summary.
    let summary = said.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok()).unwrap_or_default();
    let records = summary.get("records").and_then(Value::as_u64).unwrap_or(0);
    Detected { for_core, alerts, dead_letters, reasons: scores.collect(), records }
}

/// What the core API has taken, by id.
pub(crate) fn accepted(site: &Site) -> BTreeMap<String, String> {
    assert_eq!(site.core.complaints(), Vec::<String>::new());
    let alerts = site.core.accepted().into_iter().filter(|event| event.kind == "rasid.alert.opened");
    alerts.map(|alert| (alert.id, String::from_utf8(alert.data).expect("JSON is UTF-8"))).collect()
}

/// Nobody was told what the log does not say. Holds at any time, also while the service is down after a kill.
pub(crate) fn assert_nothing_made_up(site: &Site) {
    let detected = detect(site);
    for (id, data) in accepted(site) {
        assert_eq!(detected.for_core.get(&id), Some(&data), "the core API was told {id}");
    }
}

/// The reasons of every score in Redis, by entity.
pub(crate) async fn reasons_in_redis(site: &Site) -> BTreeMap<String, Value> {
    let keys: Vec<String> = site.redis.command(&["KEYS", "rasid:risk:v1:{*"]).await;
    let mut reasons = BTreeMap::new();
    for key in keys {
        // One that was taken away leaves its version for a while, and nothing else.
        let text: Option<String> = site.redis.command(&["HGET", &key, "reasons"]).await;
        let Some(text) = text else { continue };
        let entity = key.trim_start_matches("rasid:risk:v1:{").trim_end_matches('}').to_owned();
        reasons.insert(entity, serde_json::from_str(&text).expect("JSON"));
    }
    reasons
}

/// The reasons of every score that the core API was told and that is live, by entity; each newer than the one before.
fn reasons_in_core(site: &Site) -> BTreeMap<String, Value> {
    let (mut reasons, mut versions) = (BTreeMap::new(), BTreeMap::new());
    for event in site.core.accepted().into_iter().filter(|event| event.kind == "rasid.risk_score.changed") {
        let data: Value = serde_json::from_slice(&event.data).expect("JSON");
        let version = data.get("version").and_then(Value::as_i64).expect("a version");
        let before = versions.insert(event.subject.clone(), version);
        assert!(before < Some(version), "{} goes from version {before:?} to {version}", event.subject);
        reasons.insert(event.subject, data.get("reasons").expect("reasons").clone());
    }
    reasons.retain(|_, reasons| reasons.as_array().is_some_and(|reasons| !reasons.is_empty()));
    reasons
}

/// Everything, once the service has settled and stopped: the receivers have what the log comes to, no more and no less,
/// and the log has every line of every partition exactly once, in order.
pub(crate) async fn assert_whole(site: &Site) -> Detected {
    assert_whole_with(site, &BTreeMap::new()).await
}

/// The same where producers sent events as well: the log has every event of every request exactly once, in order.
pub(crate) async fn assert_whole_with(site: &Site, sent: &BTreeMap<String, Sent>) -> Detected {
    let detected = detect(site);
    assert!(detected.for_core.len() > 10 && detected.reasons.len() > 10, "there was something to be lost");
    let accepted = accepted(site);
    for (id, data) in &detected.for_core {
        assert_eq!(accepted.get(id), Some(data), "the core API has {id} as it is");
    }
    assert_eq!(accepted.len(), detected.for_core.len(), "the core API has nothing else");
    let in_redis = reasons_in_redis(site).await;
    let in_core = reasons_in_core(site);
    for (entity, reasons) in &detected.reasons {
        assert_eq!(in_redis.get(entity), Some(reasons), "Redis has {entity} as it is");
        assert_eq!(in_core.get(entity), Some(reasons), "the core API has {entity} as it is");
    }
    assert_eq!(in_redis.len(), detected.reasons.len(), "Redis has nothing else");
    assert_eq!(in_core.len(), detected.reasons.len(), "the core API has nothing else");
    assert_file_whole(site, &detected);
    assert_store_whole(site, &detected);
    assert_eq!(dead_letters(site), detected.dead_letters, "every record that is no event is kept once");
    assert_everything_once(site, sent);
    detected
}

/// The file of alerts: what was sent again stands there again, the rest is in order.
fn assert_file_whole(site: &Site, detected: &Detected) {
    let text = fs::read_to_string(site.path("alerts.jsonl")).expect("it was written");
    let mut known = BTreeSet::new();
    let once: Vec<&str> = text.lines().filter(|line| known.insert(*line)).collect();
    let expected: Vec<&str> = detected.alerts.iter().map(|(_, alert)| alert.as_str()).collect();
    let differs = once.iter().zip(&expected).position(|(once, expected)| once != expected);
    assert_eq!((differs, once.len()), (None, expected.len()), "the file of alerts is whole and in order");
}

/// The alert store: every alert once, byte for byte, whatever ended on the way.
fn assert_store_whole(site: &Site, detected: &Detected) {
    let forever = Retention { age_ms: i64::MAX, count_max: u64::MAX };
    let store = AlertStore::open(&site.path("data/alerts.redb"), forever).expect("the alert store");
    let (mut kept, mut after) = (BTreeMap::new(), None);
    loop {
        let page = store.list(&Filter::default(), after.as_ref(), 1_000).expect("it can be read");
        kept.extend(page.alerts.into_iter().map(|alert| (alert.id, alert.json)));
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    let expected: BTreeMap<String, String> = detected.alerts.iter().cloned().collect();
    assert_eq!(kept.len(), expected.len(), "the alert store has as many");
    let differs = kept.iter().zip(&expected).find(|(kept, expected)| kept != expected);
    assert_eq!(differs, None, "the alert store has each as it is");
    let figures = store.figures();
    assert_eq!((figures.from, figures.gaps), (1, Vec::new()));
}

fn sealed(site: &Site) -> (Arc<dyn Storage>, Keyring) {
    let storage: Arc<dyn Storage> = Arc::new(Disk::existing(&site.path("data")));
    let keys = Keyring::open(Arc::clone(&storage), "keys", SECRET.as_bytes()).expect("the keys");
    (storage, keys)
}

/// Positions of the dead letters that the service kept.
fn dead_letters(site: &Site) -> Vec<u64> {
    let (storage, keys) = sealed(site);
    let mut reader = DeadLetterReader::open(storage, "dead-letters", &keys).expect("the dead letters");
    let (mut block, mut positions) = (LetterBlock::new(), Vec::new());
    while reader.next(&mut block).expect("whole") {
        positions.extend(block.letters().map(|letter| letter.position));
    }
    positions
}

fn assert_everything_once(site: &Site, sent: &BTreeMap<String, Sent>) {
    let (storage, keys) = sealed(site);
    let mut reader = LogReader::open(storage, "log", keys, 1).expect("the log");
    let mut block = Block::new();
    let mut logged: BTreeMap<String, Vec<(u64, Vec<u8>)>> = BTreeMap::new();
    while reader.next(&mut block).expect("whole") {
        for (_, entry) in block.entries() {
            if let Entry::Event { origin, bytes, .. } = entry {
                logged.entry(origin.stream.to_owned()).or_default().push((origin.offset, bytes.to_vec()));
            }
        }
    }
    let written = site.written();
    let streams: BTreeSet<&String> = written.keys().chain(sent.keys()).collect();
    assert_eq!(logged.keys().collect::<BTreeSet<_>>(), streams, "streams in the log");
    for (stream, logged) in &logged {
        if let Some(bytes) = written.get(stream) {
            assert_lines_once(stream, logged, bytes);
        } else if let Some(sent) = sent.get(stream) {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let logged: Vec<String> = logged.iter().map(|(_, record)| text(record)).collect();
            let differs = logged.iter().zip(&sent.events).position(|(logged, sent)| logged != sent);
            assert_eq!((differs, logged.len()), (None, sent.events.len()), "every event of {stream} is in the log once, in order");
        }
    }
}

fn assert_lines_once(stream: &str, logged: &[(u64, Vec<u8>)], bytes: &[u8]) {
    let mut end = 0;
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').map(|line| {
        end += line.len() as u64;
        (end, String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line)))
    });
    for (offset, record) in logged {
        let line = lines.next();
        assert_eq!(line, Some((*offset, String::from_utf8_lossy(record))), "what comes next from {stream}");
    }
    assert_eq!(lines.next(), None, "all of {stream} is in the log");
}
