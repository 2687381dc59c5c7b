//! The options, with what each does, what raising and lowering it costs, its unit, its range and the reason for its default.
//! `docs/configuration.md` and `docs/schema/config.schema.json` are made from this file, so the text is for the person who
//! runs the service. A path that is relative is so to the folder in which the program was started.

mod sinks;
mod sources;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) use sinks::Sinks;
pub(crate) use sources::Sources;

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
    /// Where alerts and scores go. A sink without its `url` (or `file`) is off.
    pub(crate) sinks: Sinks,
    /// HTTP: probes, metrics and, where it is on, events.
    pub(crate) server: Server,
    /// What the service says on stderr.
    pub(crate) telemetry: Telemetry,
}

/// The rule files, and how soon a change of them is in force.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rules {
    /// Folder of rule files. Checked first at start and at every change, tests included; a faulty change leaves the rules in
    /// force as they are.
    pub(crate) dir: String,
    /// How often the folder is looked at for changes, s. Higher: a change takes longer to be in force. Lower: more reading
    /// for nothing. The default is soon enough that a person does not wait.
    #[schemars(range(min = 1, max = 3600))]
    pub(crate) poll_s: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self { dir: "rules".to_owned(), poll_s: 2 }
    }
}

/// Where everything is kept that must outlive the process.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Data {
    /// The data folder: log, dead letters, snapshots, rulesets, outbox, audit, control socket. Made if it is not there; one
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
    pub(crate) key: Option<SecretText>,
    /// File that holds the secret; also `RASID_KEY_FILE`. Spaces and line ends around it do not count.
    pub(crate) key_file: Option<String>,
    /// Number of the secret, which every pseudonym carries (`p1_…`), so that readers see when it was changed. The data
    /// folder is bound to secret and number at its first start, and refuses others. 0 is the development key's.
    #[schemars(range(min = 1, max = 255))]
    pub(crate) key_number: u8,
    /// The secret before this one, only from the environment: `RASID_PSEUDONYMS__FORMER_KEY`. Setting it beside a new
    /// secret with a new number changes the data folder's secret at the next start. As long as it is set, scores are told
    /// under its names as well; without it only under the new ones (docs/operations.md, Secrets).
    pub(crate) former_key: Option<SecretText>,
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

/// The log and the dead letters.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// A segment file is closed at this size, bytes. Higher: retention goes in coarser steps. Lower: more files. The default
    /// is a few minutes at 1000 events/s.
    #[schemars(range(min = 1_048_576, max = 1_073_741_824))]
    pub(crate) segment_bytes: u64,
    /// Entries are kept this long, h, then their day's key is dropped. Higher: more disk, and personal data is kept longer.
    /// Lower: a shorter past can be replayed. The default is a week, for an incident that is found on Monday.
    #[schemars(range(min = 1, max = 8760))]
    pub(crate) retention_h: u32,
    /// Most bytes of all segments: beyond it the oldest go early, if a snapshot covers them. Keep it well below the disk. The
    /// default is a week at 250 events/s.
    #[schemars(range(min = 16_777_216, max = 1_099_511_627_776_u64))]
    pub(crate) bytes_max: u64,
    /// Dead letters are kept this long, h. Lower: less time to mend a producer and retry. The default is 30 days.
    #[schemars(range(min = 1, max = 8760))]
    pub(crate) dead_letter_retention_h: u32,
    /// Most bytes of all dead letters: beyond it the oldest go early.
    #[schemars(range(min = 1_048_576, max = 1_099_511_627_776_u64))]
    pub(crate) dead_letter_bytes_max: u64,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            retention_h: 7 * 24,
            bytes_max: 64 << 30,
            dead_letter_retention_h: 30 * 24,
            dead_letter_bytes_max: 1 << 30,
        }
    }
}

/// What decides.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Engine {
    /// Threads that share the work of a batch; the alerts are the same with any number. Higher helps above some 500 000
    /// events/s only, and takes cores from the rest. The default leaves the other cores to the disk and the sinks.
    #[schemars(range(min = 1, max = 256))]
    pub(crate) threads: u16,
    /// Bound on the state of all entities, bytes: at it the least valuable are forgotten early, and counted. It is not taken
    /// before it is needed. Lower: rules see a shorter past when many entities are active. Keep it at half of the machine's
    /// memory or less: a snapshot shares it while it is written; a start warns where it is more. What is forgotten decides
    /// which alerts there are, so the default is a number and no share of the machine, and a change is written into the log.
    #[schemars(range(min = 16_777_216, max = 1_099_511_627_776_u64))]
    pub(crate) memory_bytes_max: u64,
    /// Events a second of which the last 30 minutes are always remembered, so that one delivered again has no second effect
    /// (docs/producers.md): memory for that, 41 kB for each event a second, is taken of `memory_bytes_max` before anything
    /// else is dealt, and a start is refused where it is more than half. Higher: a faster flood is stood. Lower: more memory
    /// for all else, down to the eighth that duplicates always have. The default is within that eighth of the default memory,
    /// so it costs nothing. A change is written into the log. Since 0.3.0.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub(crate) events_per_s: u32,
    /// An event this far behind the newest is late, s: processed, and its alerts marked. Higher: memory for longer. The default is
    /// what a phone in a tunnel needs to catch up.
    #[schemars(range(min = 0, max = 86_400))]
    pub(crate) lateness_s: u32,
    /// An event this far ahead of its arrival is from the future and set aside, s: one of them would make every honest event
    /// late. Higher: a worse clock is believed. The default is what badly set clocks differ by.
    #[schemars(range(min = 0, max = 86_400))]
    pub(crate) future_s: u32,
}

impl Default for Engine {
    fn default() -> Self {
        Self { threads: 1, memory_bytes_max: 4 << 30, events_per_s: 5_000, lateness_s: 300, future_s: 300 }
    }
}

/// Copies of the engine's state.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Snapshot {
    /// Time from one snapshot to the next, s. Higher: a restart replays more. Lower: more writing. The default is replayed
    /// in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(crate) interval_s: u32,
    /// How many are kept; one that is damaged is passed over for the one before. More: more disk, a copy of the state each.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) keep: u16,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self { interval_s: 60, keep: 2 }
    }
}

/// What is kept until its receiver has acknowledged it.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Outbox {
    /// Bound of what is kept in it, bytes (the file may be larger): at it ingestion is paused until receivers have taken some, and nothing is dropped. Higher: a
    /// receiver may be away for longer. The default holds some hundred thousand alerts.
    #[schemars(range(min = 16_777_216, max = 1_099_511_627_776_u64))]
    pub(crate) bytes_max: u64,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { bytes_max: 1 << 30 }
    }
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

/// A secret: read, never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretText(String);

impl SecretText {
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none() // no door for a secret, not even by accident
    }
}

impl JsonSchema for SecretText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "writeOnly": true})
    }
}
