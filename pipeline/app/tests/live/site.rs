//! What a service stands in: a folder with rules, events, data and a configuration, Redis, the core API and a port.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rasid_testbed::{CoreApi, Port, RedisServer};
use serde_json::Value;
use tempfile::TempDir;

use crate::producers::PRODUCERS;
use crate::service::{PATIENCE, Service, Trap};

pub(crate) const SECRET: &str = "a secret for the live tests, long enough";
const CORE_SECRET: &str = "whsec_bGl2ZSB0ZXN0cywgYSBzZWNyZXQgZm9yIHRoZW0=";

/// The one file in which the two rulesets differ.
const BURST: &str = "rule: auth.burst
title: Codes in a burst
severity: SEV2
on: auth.otp_requested
entity: phone
params: {sends_max: SENDS}
let: {sends: {count: auth.otp_requested, by: phone, window: 1m}}
when: sends > params.sends_max
risk: RISK
half_life: 6h
suppress: 1s
explain: \"{sends} codes, limit {params.sends_max}\"
";
const RULES: [(&str, &str); 3] = [
    (
        "auth/guess.yaml",
        "rule: auth.guess
title: Failed logins in a row
severity: SEV1
on: auth.login_failed
entity: user
let: {failures: {count: auth.login_failed, by: user, window: 1m}}
when: failures > 3
risk: 20
half_life: 6h
suppress: 2s
deliver: [core, oncall]
explain: \"{failures} failures\"
",
    ),
    (
        "chat/any.yaml",
        "rule: chat.any
title: Any message
severity: SEV3
mode: shadow
on: chat.message
entity: user(sender_id)
when: size(data.text) > 3
suppress: 0s
explain: \"a message\"
",
    ),
    (
        "payment/refunds.yaml",
        "rule: payment.refunds
title: Refunds in a row
severity: SEV1
on: payment.refund_requested
entity: user(user_id)
let: {refunds: {count: payment.refund_requested, by: user(user_id), window: 1m}}
when: refunds > 2
risk: 35
half_life: 12h
suppress: 3s
deliver: [oncall]
explain: \"{refunds} refunds\"
",
    ),
];
/// Whose active alerts the core API is told.
const TO_CORE: [&str; 2] = ["auth.burst", "auth.guess"];

/// Where a service stands.
pub(crate) struct Site {
    folder: TempDir,
    pub(crate) redis: RedisServer,
    pub(crate) core: CoreApi,
    /// What the service listens on, each time it is started.
    port: Port,
}

impl Site {
    /// With the first of the two rulesets; `more` is added to the configuration's section of sinks.
    pub(crate) async fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (redis, core) = (RedisServer::start().await, CoreApi::start(CORE_SECRET).await);
        let site = Self { folder, redis, core, port: Port::new() };
        for name in ["rules/auth", "rules/chat", "rules/payment", "events", "rotated"] {
            fs::create_dir_all(site.path(name)).expect("a writable folder");
        }
        for (name, text) in RULES {
            fs::write(site.path("rules").join(name), text).expect("a writable folder");
        }
        site.switch_rules(0);
        let at = |name: &str| site.path(name).display().to_string();
        let configuration = format!(
            "rules = {{dir = {:?}, poll_s = 1}}\n\
             data.dir = {:?}\n\
             sources.jsonl.follow_dirs = [{:?}]\n\
             sources.http.enabled = true\n\
             log.segment_bytes = 1048576\n\
             snapshot.interval_s = 1\n\
             server.listen = \"127.0.0.1:{}\"\n\
             server.drain_s_max = 120\n\
             telemetry.log_format = \"json\"\n\
             [sinks]\n\
             redis.url = {:?}\n\
             core = {{url = {:?}, timeout_ms = 500, batch_max = 20}}\n\
             jsonl.file = {:?}\n\
             {more}\n",
            at("rules"),
            at("data"),
            at("events"),
            site.port(),
            site.redis.url(),
            site.core.url(),
            at("alerts.jsonl"),
        );
        fs::write(site.path("rasid.toml"), configuration).expect("a writable folder");
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the service listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }

    /// Puts one of the two rulesets in place, at once.
    pub(crate) fn switch_rules(&self, which: usize) {
        let (sends, risk) = if which.is_multiple_of(2) { ("3", "30") } else { ("2", "45") };
        let beside = self.path("burst.yaml");
        fs::write(&beside, BURST.replace("SENDS", sends).replace("RISK", risk)).expect("a writable folder");
        fs::rename(beside, self.path("rules/auth/burst.yaml")).expect("one folder");
    }

    /// Whether the core API is to be told of an alert.
    pub(crate) fn is_for_core(alert: &Value) -> bool {
        let text = |name: &str| alert.get(name).and_then(Value::as_str).unwrap_or_default();
        text("mode") == "active" && TO_CORE.contains(&text("rule"))
    }

    /// `rasid` with the secrets of this place.
    pub(crate) fn rasid(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rasid"));
        command.args(arguments).current_dir(self.folder.path());
        command.env("RASID_KEY", SECRET).env("RASID_SINKS__CORE__SECRET", CORE_SECRET).env("NO_COLOR", "1").env_remove("RASID_LOG");
        for (name, secret, _) in PRODUCERS {
            command.env(format!("RASID_SOURCES__HTTP__PRODUCERS__{}__SECRET", name.to_uppercase()), secret);
        }
        command
    }

    /// Starts the service.
    pub(crate) fn start(&self, trap: Option<Trap>) -> Service {
        Service::start(self.rasid(&["run"]).env("RASID_LOG", "info,rasid_service=trace"), trap)
    }

    /// What a running service says of itself; `None` where it does not answer.
    pub(crate) fn status(&self) -> Option<Value> {
        let output = self.rasid(&["status", "--output", "json"]).output().expect("it starts");
        output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("JSON"))
    }

    /// Waits until every line of every partition is in the log, all of the log is committed and no sink has anything left.
    pub(crate) async fn settle(&self, patience: Duration) {
        let mut last = Value::Null;
        let mut goal = None;
        let settled = tokio::time::timeout(patience, async {
            loop {
                if let Some(status) = self.status() {
                    if goal.is_none() && self.all_read(&status) {
                        goal = status.pointer("/stats/log/next").and_then(Value::as_u64).map(|next| next - 1);
                    }
                    let committed = status.pointer("/stats/worker/committed").and_then(Value::as_u64).unwrap_or(0);
                    let waiting = status.pointer("/stats/sinks").and_then(Value::as_array).into_iter().flatten();
                    let waiting: u64 = waiting.map(|sink| sink.get("depth").and_then(Value::as_u64).unwrap_or(0)).sum();
                    if goal.is_some_and(|goal| committed >= goal) && waiting == 0 {
                        return;
                    }
                    last = status;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let outcome = settled.await;
        assert!(outcome.is_ok(), "not settled in {patience:?}: {last:#}");
    }

    fn all_read(&self, status: &Value) -> bool {
        self.partitions().iter().all(|path| {
            let length = fs::metadata(path).expect("a file").len();
            length == 0 || offset(status, path) == Some(length)
        })
    }

    /// Moves the files away that a partition has gone on from and that are in the log to their ends; how many. A service
    /// that does not answer has nothing to say about them.
    pub(crate) fn put_away(&self) -> u64 {
        let Some(status) = self.status() else { return 0 };
        let (mut paths, mut moved) = (self.partitions(), 0);
        // Of a partition's files the last by name is written to.
        let partition = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.split('.').next().map(str::to_owned));
        while let Some(path) = paths.pop() {
            for older in paths.extract_if(.., |other| partition(other) == partition(&path)) {
                if offset(&status, &older) == Some(fs::metadata(&older).expect("a file").len()) {
                    fs::rename(&older, self.path("rotated").join(older.file_name().expect("a file"))).expect("one file system");
                    moved += 1;
                }
            }
        }
        moved
    }

    /// The partitions' files that are there, in order of name.
    pub(crate) fn partitions(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("events")).expect("a folder");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
        paths.sort_unstable_by_key(|path| path.with_extension("")); // `partition-0` before `partition-0.0001`
        paths
    }

    /// What was written to each stream of a file, those that were moved away too.
    pub(crate) fn written(&self) -> BTreeMap<String, Vec<u8>> {
        let away = fs::read_dir(self.path("rotated")).expect("a folder").map(|entry| entry.expect("readable").path());
        let all = self.partitions().into_iter().chain(away);
        let stream = |path: &PathBuf| stream_of(&self.path("events").join(path.file_name().expect("a file")));
        all.map(|path| (stream(&path), fs::read(&path).expect("readable"))).filter(|(_, bytes)| !bytes.is_empty()).collect()
    }
}

fn stream_of(path: &Path) -> String {
    format!("jsonl:{}", path.display())
}

/// How far a file is in the log, as a service says.
fn offset(status: &Value, path: &Path) -> Option<u64> {
    let sources = status.pointer("/stats/sources").and_then(Value::as_array)?;
    let stream = stream_of(path);
    let source = sources.iter().find(|source| source.get("stream").and_then(Value::as_str) == Some(&stream))?;
    source.get("offset").and_then(Value::as_u64)
}

/// Looks again and again until it holds.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let held = tokio::time::timeout(PATIENCE, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(held.await.is_ok(), "not within {PATIENCE:?}: {what}");
}
