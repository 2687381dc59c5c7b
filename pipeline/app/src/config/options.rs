//! The options, with what each does, what raising and lowering it costs, its unit, its range and the reason for its default.
//! `docs/configuration.md` and `docs/schema/config.schema.json` are made from the types, so the text is for the person who
//! runs the service. What the service takes is declared there (`rasid_service::settings`), a sink's options with the sink; the
//! sections here are the program's own. A path that is relative is so to the folder in which the program was started.

use rasid_connectors::Secret;
use rasid_connectors::sink::Sinks;
use rasid_service::settings::{Alerts, Archive, Engine, Log, Outbox, Rules, Snapshot, Sources};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The configuration of `rasid run`. Every option has a default or may be left out.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The rule files, and how soon a change of them is in force.
    pub(crate) rules: Rules,
    /// Where everything is kept that must outlive the process.
    pub(crate) data: Data,
    /// The secret that pseudonyms are made with.
    pub(crate) pseudonyms: Pseudonyms,
    /// The files that hold secrets, all of them.
    pub(crate) secrets: Secrets,
    /// Where events come from. At least one source must be on.
    pub(crate) sources: Sources,
    /// The log, in which every event and control record has its one position, and the dead letters.
    pub(crate) log: Log,
    /// What decides. All but `threads` is written into the log, because it is part of what the log means.
    pub(crate) engine: Engine,
    /// Copies of the engine's state, so that a restart need not read the whole log.
    pub(crate) snapshot: Snapshot,
    /// What is kept until its receiver has acknowledged it.
    pub(crate) outbox: Outbox,
    /// The alerts that are kept, with what people said about them.
    pub(crate) alerts: Alerts,
    /// The past as Parquet, for analysts and backtests.
    pub(crate) archive: Archive,
    /// Where alerts and scores go. A sink without its `url` (or `file`) is off.
    pub(crate) sinks: Sinks,
    /// HTTP: probes, metrics and, where it is on, events.
    pub(crate) server: Server,
    /// What the service says on stderr.
    pub(crate) telemetry: Telemetry,
}

/// Where everything is kept that must outlive the process.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Data {
    /// The data folder: log, dead letters, snapshots, rulesets, outbox, alerts, audit, control socket. Made if it is not there; one
    /// process at a time. Put it on a disk of its own that keeps what it was told to keep (fsync).
    pub(crate) dir: String,
}

impl Default for Data {
    fn default() -> Self {
        Self { dir: "data".to_owned() }
    }
}

/// The secret that pseudonyms are made with.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Pseudonyms {
    /// The secret, 16 bytes or more, only from the environment: `RASID_KEY`. It also wraps the keys that the log and the
    /// snapshots are sealed with: with another secret they cannot be read.
    pub(crate) key: Option<Secret>,
    /// File that holds the secret; also `RASID_KEY_FILE`. Spaces and line ends around it do not count.
    pub(crate) key_file: Option<String>,
    /// Number of the secret, which every pseudonym carries (`p1_…`), so that readers see when it was changed. The data
    /// folder is bound to secret and number at its first start, and refuses others. 0 is the development key's.
    #[schemars(range(min = 1, max = 255))]
    pub(crate) key_number: u8,
    /// The secret before this one, only from the environment: `RASID_PSEUDONYMS__FORMER_KEY`. Setting it beside a new
    /// secret with a new number changes the data folder's secret at the next start. As long as it is set, scores are told
    /// under its names as well; without it only under the new ones (docs/operations.md, Secrets).
    pub(crate) former_key: Option<Secret>,
    /// File that holds the secret before this one.
    pub(crate) former_key_file: Option<String>,
    /// Number of the secret before this one; needed where that is set.
    #[schemars(range(min = 1, max = 255))]
    pub(crate) former_key_number: Option<u8>,
}

impl Default for Pseudonyms {
    fn default() -> Self {
        Self { key: None, key_file: None, key_number: 1, former_key: None, former_key_file: None, former_key_number: None }
    }
}

/// The files that hold secrets: every option whose name ends in `key_file`, `secret_file` or `password_file`.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Secrets {
    /// Whether a file is taken that others than its owner may read. Off, such a file is refused, as is one that belongs to
    /// neither root nor the user who reads it: on a machine of several users its secret is known to all of them. Set it to
    /// `true` in a container, where secrets are mounted for the container alone and often as 0440 (Kubernetes with
    /// `fsGroup`) or 0444 (Docker). A file that others may change is refused either way.
    pub(crate) shared_files: bool,
}

/// HTTP: probes, metrics and, where it is on, events.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    /// `address:port` to listen at. The default is reachable from this machine only; for anything wider set `server.tls`, or put a
    /// proxy before it: probes and metrics have no login.
    pub(crate) listen: String,
    /// TLS, in place of plain HTTP, for all that is served at `server.listen`.
    pub(crate) tls: ServerTls,
    /// Most connections at once. At the bound the one that has got nowhere for the longest is closed for a new one, those of
    /// producers whose signature was seen last. Higher: more memory, some 20 kB each at rest. Lower: strangers who come in a
    /// crowd put out honest ones sooner. What the limit of open files leaves after 256 for everything else is a bound as well
    /// (systemd: `LimitNOFILE`). The default is far above what producers and probes hold.
    #[schemars(range(min = 16, max = 1_000_000))]
    pub(crate) connections_max: u32,
    /// `/healthz?fresh` says 503 when the scores that readers have are older than this, ms: an event waits for its decision, or
    /// a score for Redis. Lower: probes fail in bursts that are worked off by themselves. The default is where people begin to
    /// notice.
    #[schemars(range(min = 100, max = 3_600_000))]
    pub(crate) fresh_lag_ms_max: u32,
    /// How long a drain may take after SIGTERM, s; then the process stops as after a crash, which loses nothing and makes the
    /// next start replay. Keep it below the supervisor's own patience (systemd: 90 s).
    #[schemars(range(min = 1, max = 3600))]
    pub(crate) drain_s_max: u32,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8480".to_owned(),
            tls: ServerTls::default(),
            connections_max: 1024,
            fresh_lag_ms_max: 10_000,
            drain_s_max: 30,
        }
    }
}

/// TLS, in place of plain HTTP: 1.2 or newer. Both files or none.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServerTls {
    /// File with the certificate, PEM, and what leads from it to an authority, in that order. Both files are read anew when they
    /// change, so that a renewed certificate needs no restart.
    pub(crate) cert_file: Option<String>,
    /// File with its private key, PEM, not encrypted. One that others may read is refused, as of every secret
    /// (`secrets.shared_files`).
    pub(crate) key_file: Option<String>,
}

/// What the service says on stderr.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Telemetry {
    /// How log lines are written.
    pub(crate) log_format: LogFormat,
    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,rasid_connectors=debug`. `RASID_LOG`
    /// wins. A log line never holds a record or any part of one, at any level.
    pub(crate) log_filter: String,
    /// A name for this process in the heartbeat, the audit and `rasid status`. Default: the machine's name.
    pub(crate) instance: Option<String>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { log_format: LogFormat::Text, log_filter: "info".to_owned(), instance: None }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for a log collector.
    Json,
}
