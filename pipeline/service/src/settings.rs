//! What the service is told when it starts: plain values, already checked by whoever read them. A section that is off is
//! `None`, a time is in the unit that its name ends in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rasid_connectors::sink::{TlsFiles, redis};
use rasid_connectors::webhook::Webhook;

use crate::error::StartError;

/// Bytes that must not be seen: not in logs, not in `Debug`, not in errors.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Of these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for whoever signs or seals with them.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Everything.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A name for this process in the heartbeat and in the audit.
    pub instance: String,
    /// Rule files.
    pub rules: RulesSettings,
    /// Folder of everything that is kept; made if it is not there. One process at a time.
    pub data_dir: PathBuf,
    /// Makes pseudonyms, the seed of the state's keys and the key that wraps day keys. At least 16 bytes.
    pub secret: Secret,
    /// Number of that secret, which pseudonyms carry.
    pub secret_number: u8,
    /// The secret before it and its number, from the change until scores need not be told under its names any more.
    pub former_secret: Option<(Secret, u8)>,
    /// Where events come from.
    pub sources: SourcesSettings,
    /// The log and the dead letters.
    pub log: LogSettings,
    /// The engine.
    pub engine: EngineSettings,
    /// Snapshots.
    pub snapshot: SnapshotSettings,
    /// The outbox's bound, bytes: at it ingestion is paused.
    pub outbox_bytes_max: u64,
    /// Where effects go.
    pub sinks: SinksSettings,
}

/// Rule files.
#[derive(Clone, Debug)]
pub struct RulesSettings {
    /// Their folder.
    pub dir: PathBuf,
    /// How often it is looked at for changes, ms.
    pub poll_ms: u64,
}

/// Where events come from.
#[derive(Clone, Debug, Default)]
pub struct SourcesSettings {
    /// Topics of a Fluvio cluster.
    pub fluvio: Option<FluvioSettings>,
    /// `POST /v1/events`.
    pub http: Option<HttpSettings>,
    /// Files and stdin.
    pub jsonl: JsonlSourceSettings,
}

/// Topics of a Fluvio cluster: every partition of each.
#[derive(Clone, Debug)]
pub struct FluvioSettings {
    /// `host:port` of the cluster's controller.
    pub endpoint: String,
    /// The topics.
    pub topics: Vec<String>,
    /// Most bytes of one fetch; not below the topics' segment size, or records are lost on catching up.
    pub fetch_bytes_max: u32,
}

/// `POST /v1/events`.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// By producer's name, the secrets that its signatures may be made with, as they are handed out (`whsec_…`):
    /// several while a secret is being changed, none where it shows a token.
    pub producers: BTreeMap<String, Vec<Secret>>,
    /// Folder with the file of tokens: the data folder.
    pub tokens_dir: PathBuf,
    /// Largest body, bytes.
    pub body_bytes_max: usize,
    /// Largest body, bytes, once it is unpacked.
    pub unpacked_bytes_max: usize,
    /// Most bytes of all bodies that are held at once.
    pub bodies_bytes_max: usize,
    /// Most events in one request.
    pub request_events_max: usize,
    /// Most events of one producer in a second, in the long run.
    pub events_per_s_max: u32,
    /// Most events that a producer may send at once after a pause.
    pub events_burst_max: u32,
    /// Most verified requests under way at once, of all producers; others wait.
    pub requests_max: usize,
    /// Most webhook-ids of one producer remembered at once.
    pub webhook_ids_max: usize,
}

/// Files and stdin, one JSON object a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonlSourceSettings {
    /// Files that are read once, from where the log knows them to.
    pub files: Vec<PathBuf>,
    /// Folders whose `*.jsonl` files are followed as they grow and as new ones come.
    pub follow_dirs: Vec<PathBuf>,
    /// How long a followed file that was renamed or removed is read on after it last grew, s.
    pub rotate_wait_s: u32,
    /// Whether stdin is read.
    pub stdin: bool,
}

impl JsonlSourceSettings {
    /// Whether anything is read by them.
    pub(crate) fn reads(&self) -> bool {
        !self.files.is_empty() || !self.follow_dirs.is_empty() || self.stdin
    }
}

/// The log and the dead letters.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// A segment is closed at this size, bytes.
    pub segment_bytes: u64,
    /// Entries are kept this long, ms.
    pub retention_ms: i64,
    /// Most bytes of all segments: the oldest that a snapshot covers go first.
    pub bytes_max: u64,
    /// Dead letters are kept this long, ms.
    pub dead_letter_retention_ms: i64,
    /// Most bytes of all dead letters.
    pub dead_letter_bytes_max: u64,
}

/// The engine; every value but `threads` is part of what the log means.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Threads that share the work.
    pub threads: usize,
    /// Bound on keyed state, bytes.
    pub memory_bytes_max: u64,
    /// Events a second of which half an hour of duplicates is always known.
    pub events_per_s: u32,
    /// An event this far behind the newest is late, ms.
    pub lateness_ms: i64,
    /// An event this far ahead of its arrival is from the future, ms.
    pub future_ms: i64,
}

/// Snapshots.
#[derive(Clone, Debug)]
pub struct SnapshotSettings {
    /// Time from one to the next, ms.
    pub interval_ms: u64,
    /// How many are kept.
    pub keep: usize,
}

/// Where effects go.
#[derive(Clone, Debug, Default)]
pub struct SinksSettings {
    /// Risk scores.
    pub redis: Option<redis::Config>,
    /// The core marketplace API.
    pub core: Option<CoreSettings>,
    /// The person on call.
    pub alertmanager: Option<AlertmanagerSettings>,
    /// A file.
    pub jsonl: Option<PathBuf>,
}

/// The core marketplace API.
#[derive(Clone, Debug)]
pub struct CoreSettings {
    /// `/alerts` and `/risk-scores` are below it.
    pub url: String,
    /// Sign what is sent (Standard Webhooks), as they are handed out (`whsec_…`); the newest first.
    pub secrets: Vec<Secret>,
    /// Most items of one request.
    pub batch_max: usize,
    /// An answer that has not come in this time will not come, ms.
    pub timeout_ms: u64,
    /// `http://host:port` of the proxy on the way there; none unless named, whatever the environment says.
    pub proxy: Option<String>,
    /// For `https://`: whom to believe, and who we are.
    pub tls: TlsFiles,
}

/// Alertmanager's v2 API.
#[derive(Clone, Debug)]
pub struct AlertmanagerSettings {
    /// `/api/v2/alerts` is below it.
    pub url: String,
    /// Most alerts of one request.
    pub batch_max: usize,
    /// An answer that has not come in this time will not come, ms.
    pub timeout_ms: u64,
    /// `http://host:port` of the proxy on the way there; none unless named, whatever the environment says.
    pub proxy: Option<String>,
    /// For `https://`: whom to believe, and who we are.
    pub tls: TlsFiles,
    /// An alert ends this long after its newest hit, ms.
    pub hold_ms: i64,
    /// What is older than this at delivery goes into the catch-up summary, ms.
    pub catch_up_ms: i64,
    /// Where people reach this service, for the link from an alert that no runbook page explains.
    pub external_url: Option<String>,
    /// What a runbook's path is appended to.
    pub runbook_url: Option<String>,
}

/// Signs or verifies with those secrets.
pub(crate) fn webhook(what: &str, secrets: &[Secret]) -> Result<Webhook, StartError> {
    let texts: Result<Vec<&str>, _> = secrets.iter().map(|secret| std::str::from_utf8(secret.reveal())).collect();
    Webhook::new(&texts.map_err(|error| StartError::wrong(what, &error))?).map_err(|error| StartError::wrong(what, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show() {
        let secret = Secret::new("hunter2 hunter2 hunter2");
        assert_eq!(format!("{secret:?}"), "[redacted]");
        assert_eq!(secret.reveal(), b"hunter2 hunter2 hunter2");
    }
}
