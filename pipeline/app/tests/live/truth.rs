//! What the service says of itself is so: no alarm over what is only forgotten, no freshness that is not there, the person
//! who asked by the system's word; and nobody but its owner may look into what it keeps.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::service::{Line, Service};
use crate::site::Site;
use crate::traffic::Traffic;

const PATIENCE: Duration = Duration::from_mins(1);

fn number(status: &Value, pointer: &str) -> u64 {
    status.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} in {status:#}"))
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let held = tokio::time::timeout(PATIENCE, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    assert!(held.await.is_ok(), "not within {PATIENCE:?}: {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_from_before_what_the_outbox_remembers_is_no_divergence() {
    let site = Site::new("").await;
    let mut service = site.start(None);
    service.heard("nothing to restore: the log is empty", PATIENCE).await;
    service.heard("redis is new to this service; all live scores were published", PATIENCE).await;
    service.heard("up", PATIENCE).await;
    fs::write(site.path("events/bad.jsonl"), "no event\n".repeat(13)).expect("a writable folder");
    let traffic = Traffic::start(&site.path("events"), 9, "1");
    // Two snapshots are kept, so with the third one digests are forgotten.
    let written = |service: &Service| service.lines().iter().filter(|line| line.message == "snapshot written").count();
    until("four snapshots", || written(&service) >= 4).await;
    traffic.stop().await;
    site.settle(PATIENCE).await;
    let dead_letters = || site.status().map(|status| number(&status, "/stats/worker/set_aside_total"));
    assert!(dead_letters().is_some_and(|records| records >= 13), "{:?}, with those of the traffic", dead_letters());
    assert!(service.drain().await.success());
    assert!(service.lines().iter().all(|line| !line.message.starts_with("redis was flushed")), "it never was");

    // The runbook's own step.
    fs::remove_dir_all(site.path("data/snapshots")).expect("it is there");
    let mut service = site.start(None);
    let restored = service.heard("restored", PATIENCE).await;
    assert!(restored.number("uncompared").is_some_and(|entries| entries > 0), "{}", restored.fields);
    let replayed = service.heard("replayed what was committed before", PATIENCE).await;
    assert!(replayed.number("unknown").is_some_and(|alerts| alerts > 0), "{}", replayed.fields);
    assert_eq!(replayed.number("diverged"), Some(0), "{}", replayed.fields);
    service.heard("up", PATIENCE).await;
    site.settle(PATIENCE).await;
    let status = site.status().expect("it answers");
    assert_eq!(number(&status, "/stats/worker/divergence_total"), 0);
    assert_eq!(dead_letters(), Some(0), "they are no news");
    assert_eq!(replayed.number("unknown"), Some(number(&status, "/stats/worker/replay_unknown_total")));
    assert!(service.drain().await.success());
    service.assert_sound();
}

/// Several times: whether a file is closed that was left to the process's end is chance.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_closes_the_outbox() {
    let site = Site::new("").await;
    for start in 0..6 {
        let mut service = site.start(None);
        service.heard("up", PATIENCE).await;
        assert!(site.status().is_some(), "somebody has asked it something");
        assert!(service.drain().await.success());
        let checked = |line: &Line| line.message.starts_with("outbox: not closed cleanly");
        assert!(!service.lines().iter().any(checked), "start {start} had to check it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scores_are_not_called_fresh_while_redis_does_not_have_them() {
    let site = Site::new("").await;
    let service = site.start(None);
    service.heard("redis is new to this service; all live scores were published", PATIENCE).await;
    service.heard("up", PATIENCE).await;
    let lag_ms = || site.status().map_or(0, |status| number(&status, "/stats/freshness/lag_ms"));
    until("fresh at first", || lag_ms() < 3_000).await;
    let pid = site.redis.pid().expect("it runs").to_string();
    let signal = |name: &str| assert!(Command::new("kill").args([name, &pid]).status().expect("it starts").success());
    signal("-STOP");
    let traffic = Traffic::start(&site.path("events"), 10, "1");
    until("scores wait", || lag_ms() > 5_000).await;
    let status = site.status().expect("it answers");
    assert_eq!(number(&status, "/stats/worker/lag_records") / 1_000, 0, "the worker itself goes on");
    let why = status.pointer("/stats/freshness/why").and_then(Value::as_str).expect("a text").to_owned();
    assert!(why.contains("Redis"), "{why}");
    signal("-CONT");
    traffic.stop().await;
    until("fresh again", || lag_ms() < 3_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_is_gone_is_taken_back_and_the_audit_has_who_asked_from_the_system() {
    let site = Site::new("").await;
    let mut service = site.start(None);
    service.heard("up", PATIENCE).await;
    let traffic = Traffic::start(&site.path("events"), 11, "1");
    tokio::time::sleep(Duration::from_secs(2)).await;
    fs::remove_file(site.path("rules/payment/refunds.yaml")).expect("it is there");
    let gone = || site.status().is_some_and(|status| number(&status, "/stats/ruleset/rules") == 3);
    until("the rule is gone", gone).await;
    traffic.stop().await;
    site.settle(PATIENCE).await;
    let retract =
        |rule: &str| site.rasid(&["retract", rule, "--reason", "a test"]).env("SUDO_USER", "mallory").output().expect("it starts");
    let unknown = retract("payment.nosuch");
    assert_eq!(unknown.status.code(), Some(2), "{}", String::from_utf8_lossy(&unknown.stderr));
    let done = retract("payment.refunds");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(!String::from_utf8_lossy(&done.stderr).contains("still in force"));
    let done = retract("auth.guess");
    assert!(String::from_utf8_lossy(&done.stderr).contains("auth.guess is still in force"));
    site.settle(PATIENCE).await;
    let taken_back = |rule: &str| {
        site.core
            .accepted()
            .iter()
            .any(|event| event.kind == "rasid.alert.retracted" && String::from_utf8_lossy(&event.data).contains(rule))
    };
    until("the core API is told", || taken_back("payment.refunds")).await;

    let audit = fs::read_to_string(site.path("data/audit.jsonl")).expect("it is there");
    let mut entries = audit.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let entry = entries.find(|entry| entry["action"] == "retract").expect("an entry");
    let me = String::from_utf8(Command::new("id").arg("-un").output().expect("it starts").stdout).expect("a name");
    assert_eq!((entry["who"].as_str(), entry["claimed"].as_str()), (Some(me.trim()), Some("mallory")), "{entry}");
    assert!(service.drain().await.success());
    service.assert_sound();
}

fn looser(path: &Path, found: &mut Vec<(PathBuf, u32)>) {
    let mode = fs::symlink_metadata(path).expect("it is there").permissions().mode();
    if mode & 0o077 != 0 {
        found.push((path.to_owned(), mode & 0o7777));
    }
    if path.is_dir() {
        fs::read_dir(path).expect("a folder").for_each(|entry| looser(&entry.expect("readable").path(), found));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_is_its_owners_alone_whatever_the_umask() {
    let site = Site::new("").await;
    let start = || {
        let rasid = site.rasid(&["run"]);
        let mut command = Command::new("sh");
        command.args(["-c", "umask 000; exec \"$0\" run"]).arg(rasid.get_program()).env("RASID_LOG", "info,rasid_service=trace");
        command.current_dir(site.path("")).envs(rasid.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Service::start(&mut command, None)
    };
    let mut service = start();
    service.heard("up", PATIENCE).await;
    let traffic = Traffic::start(&site.path("events"), 12, "1");
    service.heard("snapshot written", PATIENCE).await;
    traffic.stop().await;
    site.settle(PATIENCE).await;
    assert!(site.rasid(&["retract", "auth.guess", "--reason", "a test"]).output().expect("it starts").status.success());
    let found = || {
        let mut found = Vec::new();
        looser(&site.path("data"), &mut found);
        looser(&site.path("alerts.jsonl"), &mut found);
        found
    };
    for name in ["log", "keys", "dead-letters", "snapshots", "rulesets", "outbox.redb", "lock", "audit.jsonl", "control.sock"] {
        assert!(site.path("data").join(name).exists(), "{name} was made");
    }
    assert_eq!(found(), []);
    assert!(service.drain().await.success());

    // What a copy or an older version has left open is closed, and said.
    for name in ["data", "data/keys", "data/outbox.redb"] {
        let open = fs::Permissions::from_mode(if name.ends_with("redb") { 0o644 } else { 0o755 });
        fs::set_permissions(site.path(name), open).expect("ours");
    }
    let mut service = start();
    let said = service.heard("others could read or change what the data folder holds; it is for its owner alone again", PATIENCE).await;
    assert_eq!(said.number("files"), Some(3), "{}", said.fields);
    service.heard("up", PATIENCE).await;
    assert_eq!(found(), []);
    assert!(service.drain().await.success());
}
