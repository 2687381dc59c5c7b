//! `rasid detect DATA_FOLDER`: a service's log gone through again.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use rasid_connectors::log::{Control, Entry, LogConfig, LogWriter};
use rasid_connectors::seal::Keyring;
use rasid_connectors::storage::{Disk, Storage};

use crate::judge;
use crate::service::PATIENCE;
use crate::site::{SECRET, Site, until};
use crate::traffic::Traffic;

const DAY_MS: i64 = 86_400_000;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_gives_its_alerts_again_beside_the_service_and_after_it() {
    let site = Site::new("").await;
    let mut service = site.start(None);
    service.heard("up", PATIENCE).await;
    let traffic = Traffic::start(&site.path("events"), 7, "1");
    traffic.rounds(100).await;
    let told = |risk: &str| judge::accepted(&site).values().any(|alert| alert.contains("auth.burst") && alert.contains(risk));
    until("an alert of the first ruleset", async || told("\"risk\":30")).await;
    site.switch_rules(1);
    service.heard("ruleset switched", PATIENCE).await;
    traffic.rounds(300).await;
    until("one of the second", async || told("\"risk\":45")).await;
    let beside = judge::detect(&site);
    let retract = ["retract", "payment.refunds", "--reason", "a test"];
    let retracted = site.rasid(&retract).output().expect("it starts");
    assert!(retracted.status.success(), "{}", said(&retracted));
    traffic.stop().await;
    site.settle(PATIENCE).await;
    assert!(service.drain().await.success());
    let after = judge::assert_whole(&site).await;
    assert!(beside.records <= after.records && beside.alerts.len() > 10, "{} records, {} alerts", beside.records, beside.alerts.len());
    assert!(after.alerts.starts_with(&beside.alerts), "what was told stands");
    assert!(site.core.accepted().iter().any(|event| event.kind == "rasid.alert.retracted"), "the core API was told");
    let switched = |risk: &str| after.for_core.values().any(|alert| alert.contains("auth.burst") && alert.contains(risk));
    assert!(switched("\"risk\":30") && switched("\"risk\":45"), "each ruleset in its time");

    // The rules of the end over the whole log, as if they had always stood: but for the one file in which they differ, the same alerts.
    let tried = site.rasid(&["backtest", "data", "--alerts", "tried.jsonl"]).output().expect("it starts");
    assert!(tried.status.success(), "{}", said(&tried));
    let ids = |lines: &mut dyn Iterator<Item = &str>| -> Vec<String> {
        let alerts = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an alert"));
        alerts.filter(|alert| alert["rule"] != "auth.burst").map(|alert| alert["id"].to_string()).collect()
    };
    let again = std::fs::read_to_string(site.path("tried.jsonl")).expect("it was written");
    let told = ids(&mut after.alerts.iter().map(|(_, json)| json.as_str()));
    assert!(ids(&mut again.lines()) == told && told.len() > 10, "the alerts of a backtest are those of the service");

    // Out of an archive of that log they are the same again, byte for byte, but for the rule that reads what is said.
    #[cfg(feature = "archive")]
    {
        let archived = site.rasid(&["archive", "data", "--out", "archived"]).output().expect("it starts");
        assert!(archived.status.success(), "{}", said(&archived));
        let tried = site.rasid(&["backtest", "archived", "--alerts", "of_archive.jsonl"]).output().expect("it starts");
        assert!(tried.status.success() && said(&tried).contains("chat.any"), "{}", said(&tried));
        let of_archive = std::fs::read_to_string(site.path("of_archive.jsonl")).expect("it was written");
        let of_log: Vec<&str> = again.lines().filter(|line| !line.contains("\"rule\":\"chat.any\"")).collect();
        assert!(of_archive.lines().eq(of_log.iter().copied()) && of_log.len() > 10, "{of_archive}\n{of_log:?}");
    }

    // What the log says by itself is not asked for, and its folder is not written to.
    let unasked = ["detect", "data", "--rules", "nosuch", "--memory", "16MiB", "--alerts", "x.jsonl"];
    let output = site.rasid(&unasked).output().expect("it starts");
    for option in ["--rules", "--memory"] {
        assert!(output.status.success() && said(&output).contains(&format!("{option} is not used")), "{}", said(&output));
    }
    for (arguments, status, part) in [
        (&["detect", "data", "events/partition-0.jsonl"][..], 2, "read alone"),
        (&["detect", "data", "--alerts", "data/alerts.jsonl"][..], 2, "would write into the data folder"),
        (&["detect", "data", "--scores", "data/log/scores.jsonl"][..], 2, "would write into the data folder"),
        (&["detect", "events"][..], 3, "events"),
    ] {
        let output = site.rasid(arguments).output().expect("it starts");
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(part), "{arguments:?}: {}", said(&output));
    }
    let another = |key: Option<&str>| {
        let mut command = site.rasid(&["detect", "data"]);
        match key {
            Some(key) => command.env("RASID_KEY", key),
            None => command.env_remove("RASID_KEY"),
        };
        command.output().expect("it starts")
    };
    let other = another(Some("another secret, also long enough"));
    assert_eq!((other.status.code(), other.stdout.len()), (Some(2), 0));
    assert!(said(&other).contains("bound to another secret"), "{}", said(&other));
    let none = another(None);
    assert_eq!(none.status.code(), Some(2));
    assert!(said(&none).contains("set RASID_KEY"), "{}", said(&none));
}

fn rasid(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rasid"));
    command.args(arguments).current_dir(folder).env("RASID_KEY", SECRET).env_remove("RASID_CONFIG").output().expect("it starts")
}

#[test]
fn a_log_without_its_beginning_is_refused_and_an_empty_one_is_said_to_be_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let storage: Arc<dyn Storage> = Arc::new(Disk::open(&folder.path().join("data")).expect("a writable folder"));
    let keys = Keyring::open(Arc::clone(&storage), "keys", SECRET.as_bytes()).expect("new keys");
    let config = LogConfig { segment_bytes: 1, retention_ms: 1, ..LogConfig::default() };
    let (mut log, _) = LogWriter::open(storage, "log", keys, config).expect("a new log");
    std::fs::create_dir_all(folder.path().join("data/log")).expect("a writable folder");
    let empty = rasid(folder.path(), &["detect", "data"]);
    assert!(empty.status.success() && said(&empty).contains("is empty"), "{}", said(&empty));
    for day in 0..3 {
        log.append(day * DAY_MS, &[Entry::Control(Control::Tick { at_ms: day })]).expect("a disk");
        log.sync().expect("a disk");
    }
    assert!(log.retain(9 * DAY_MS, 2).expect("a disk").segments > 0, "the beginning is gone");
    let output = rasid(folder.path(), &["detect", "data"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{}", said(&output));
    assert!(said(&output).contains("the beginning of the log is retired"), "{}", said(&output));
}
