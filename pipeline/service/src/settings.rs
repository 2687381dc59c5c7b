//! What the service is told when it starts: sections of the configuration, checked by whoever read them, and with every secret
//! in its place. A section is declared here once, as the person who runs the service writes it: what each option does, what
//! raising and lowering it costs, its unit, its range and the reason for its default. Sinks declare theirs themselves
//! ([`rasid_connectors::sink::Sinks`]).

mod sources;

use std::path::PathBuf;

pub use rasid_connectors::Secret;
use rasid_connectors::alerts::Retention;
pub use rasid_connectors::sink::Sinks;
use rasid_connectors::webhook::Webhook;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::sources::{Fluvio, Http, JsonlSource, Producer, Sources};
use crate::error::StartError;

/// Everything.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A name for this process in the heartbeat and in the audit.
    pub instance: String,
    /// Rule files.
    pub rules: Rules,
    /// Folder of everything that is kept; made if it is not there. One process at a time.
    pub data_dir: PathBuf,
    /// Makes pseudonyms, the seed of the state's keys and the key that wraps day keys. At least 16 bytes.
    pub secret: Secret,
    /// Number of that secret, which pseudonyms carry.
    pub secret_number: u8,
    /// The secret before it and its number, from the change until scores need not be told under its names any more.
    pub former_secret: Option<(Secret, u8)>,
    /// Where events come from.
    pub sources: Sources,
    /// The log and the dead letters.
    pub log: Log,
    /// The engine.
    pub engine: Engine,
    /// Snapshots.
    pub snapshot: Snapshot,
    /// The outbox.
    pub outbox: Outbox,
    /// The alert store.
    pub alerts: Alerts,
    /// The archive.
    pub archive: Archive,
    /// Where effects go.
    pub sinks: Sinks,
}

/// The rule files, and how soon a change of them is in force.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Folder of rule files. Checked first at start and at every change, tests included; a faulty change leaves the rules in
    /// force as they are.
    pub dir: String,
    /// How often the folder is looked at for changes, s. Higher: a change takes longer to be in force. Lower: more reading
    /// for nothing. The default is soon enough that a person does not wait.
    #[schemars(range(min = 1, max = 3600))]
    pub poll_s: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self { dir: "rules".to_owned(), poll_s: 2 }
    }
}

impl Rules {
    /// The same, ms.
    pub fn poll_ms(&self) -> u64 {
        u64::from(self.poll_s) * 1000
    }
}

/// The log and the dead letters.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A segment file is closed at this size, bytes. Higher: retention goes in coarser steps. Lower: more files. The default
    /// is a few minutes at 1000 events/s.
    #[schemars(range(min = 1_048_576, max = 1_073_741_824))]
    pub segment_bytes: u64,
    /// Entries are kept this long, h, then their day's key is dropped. Higher: more disk, and personal data is kept longer.
    /// Lower: a shorter past can be replayed. The default is a week, for an incident that is found on Monday.
    #[schemars(range(min = 1, max = 8760))]
    pub retention_h: u32,
    /// Most bytes of all segments: beyond it the oldest go early, if a snapshot covers them. Keep it well below the disk. The
    /// default is a week at 250 events/s.
    #[schemars(range(min = 16_777_216, max = 1_099_511_627_776_u64))]
    pub bytes_max: u64,
    /// Dead letters are kept this long, h. Lower: less time to mend a producer and retry. The default is 30 days.
    #[schemars(range(min = 1, max = 8760))]
    pub dead_letter_retention_h: u32,
    /// Most bytes of all dead letters: beyond it the oldest go early.
    #[schemars(range(min = 1_048_576, max = 1_099_511_627_776_u64))]
    pub dead_letter_bytes_max: u64,
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

impl Log {
    /// How long entries are kept, ms.
    pub fn retention_ms(&self) -> i64 {
        i64::from(self.retention_h) * 3_600_000
    }

    /// How long dead letters are kept, ms.
    pub fn dead_letter_retention_ms(&self) -> i64 {
        i64::from(self.dead_letter_retention_h) * 3_600_000
    }
}

/// What decides.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Engine {
    /// Threads that share the work of a batch; the alerts are the same with any number. Higher helps above some 500 000
    /// events/s only, and takes cores from the rest. The default leaves the other cores to the disk and the sinks.
    #[schemars(range(min = 1, max = 256))]
    pub threads: u16,
    /// One bound for all that is remembered, bytes: of entities, of events that may come again, of alerts and scores. What one of
    /// them does not use the others have; at the bound what is worth least is forgotten early, and counted by kind
    /// (`docs/runbooks/states_forgotten.md`). It is not taken before it is needed. Lower: rules see a shorter past when many entities are active. Keep it at half of the machine's
    /// memory or less: a snapshot shares it while it is written; a start warns where it is more. What is forgotten decides
    /// which alerts there are, so the default is a number and no share of the machine, and a change is written into the log.
    #[schemars(range(min = 16_777_216, max = 1_099_511_627_776_u64))]
    pub memory_bytes_max: u64,
    /// Events a second of which the last 30 minutes are always remembered, so that one delivered again has no second effect
    /// (docs/producers.md): memory for that, 41 kB for each event a second, is taken of `memory_bytes_max` before anything
    /// else is dealt, and a start is refused where it is more than half. Higher: a faster flood is stood. Lower: more memory
    /// for all else, down to the eighth that duplicates always may have. The default is within that eighth of the default memory,
    /// so it costs nothing. A change is written into the log. Since 0.3.0.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub events_per_s: u32,
    /// An event this far behind the newest is late, s: processed, and its alerts marked. Higher: memory for longer. The default is
    /// what a phone in a tunnel needs to catch up.
    #[schemars(range(min = 0, max = 86_400))]
    pub lateness_s: u32,
    /// An event this far ahead of its arrival is from the future and set aside, s: one of them would make every honest event
    /// late. Higher: a worse clock is believed. The default is what badly set clocks differ by.
    #[schemars(range(min = 0, max = 86_400))]
    pub future_s: u32,
}

impl Default for Engine {
    fn default() -> Self {
        Self { threads: 1, memory_bytes_max: 4 << 30, events_per_s: 5_000, lateness_s: 300, future_s: 300 }
    }
}

impl Engine {
    /// The lateness, ms.
    pub fn lateness_ms(&self) -> i64 {
        i64::from(self.lateness_s) * 1000
    }

    /// How far ahead of its arrival an event is from the future, ms.
    pub fn future_ms(&self) -> i64 {
        i64::from(self.future_s) * 1000
    }
}

/// Copies of the engine's state.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Snapshot {
    /// Time from one snapshot to the next, s. Higher: a restart replays more. Lower: more writing. The default is replayed
    /// in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub interval_s: u32,
    /// How many are kept; one that is damaged is passed over for the one before. More: more disk, a copy of the state each.
    #[schemars(range(min = 1, max = 100))]
    pub keep: u16,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self { interval_s: 60, keep: 2 }
    }
}

impl Snapshot {
    /// Time from one to the next, ms.
    pub fn interval_ms(&self) -> u64 {
        u64::from(self.interval_s) * 1000
    }
}

/// What is kept until its receiver has acknowledged it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Outbox {
    /// Bound of what is kept in it, bytes (the file may be larger): at it ingestion is paused until receivers have taken some, and nothing is dropped. Higher: a
    /// receiver may be away for longer. The default holds some hundred thousand alerts.
    #[schemars(range(min = 16_777_216, max = 1_099_511_627_776_u64))]
    pub bytes_max: u64,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { bytes_max: 1 << 30 }
    }
}

/// The alerts that are kept, with what people said about them.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alerts {
    /// Alerts are kept this long, h, by the event clock of the newest. Higher: more disk, some 3 kB an alert. Lower: fewer verdicts to
    /// tune rules by. The default is 400 days, so that a season can be held to the one a year before. Since 0.4.0.
    #[schemars(range(min = 1, max = 87_600))]
    pub retention_h: u32,
    /// At most so many are kept; then the oldest that is closed goes when one is opened, or the oldest. Higher: more disk. Lower:
    /// a flood of one rule pushes out what others opened. The default takes some 15 GB. Since 0.4.0.
    #[schemars(range(min = 1_000, max = 1_000_000_000))]
    pub count_max: u64,
}

impl Default for Alerts {
    fn default() -> Self {
        Self { retention_h: 400 * 24, count_max: 5_000_000 }
    }
}

impl Alerts {
    /// The same, as the store takes it.
    pub fn retention(&self) -> Retention {
        Retention { age_ms: i64::from(self.retention_h) * 3_600_000, count_max: self.count_max }
    }
}

/// The past as Parquet, for analysts and backtests: nothing raw is in it, and it outlives the log (docs/archive.md).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Archive {
    /// Folder of the archive, made if it is not there; without it there is none. Analysts read it, and it is no part of the data folder. A
    /// build without the feature `archive` refuses it. Since 0.4.0.
    pub dir: Option<String>,
    /// Hours are kept this long, d, by the log's clock; then they go whole. Higher: more disk, some 2 GB for a hundred million
    /// events. Lower: a shorter past to try rules on. The default holds a rule's window of 90 days, and as much before it. Since 0.4.0.
    #[schemars(range(min = 1, max = 3_650))]
    pub retention_d: u32,
}

impl Default for Archive {
    fn default() -> Self {
        Self { dir: None, retention_d: 180 }
    }
}

impl Archive {
    /// How long hours are kept, ms.
    pub fn retention_ms(&self) -> i64 {
        i64::from(self.retention_d) * 86_400_000
    }
}

/// Signs or verifies with those secrets, one a line.
pub(crate) fn webhook(what: &str, secrets: &Secret) -> Result<Webhook, StartError> {
    let texts: Result<Vec<&str>, _> = secrets.lines().map(std::str::from_utf8).collect();
    Webhook::new(&texts.map_err(|error| StartError::wrong(what, &error))?).map_err(|error| StartError::wrong(what, &error))
}
