//! The figures of a running service at one moment. Counts are since this process started unless they say otherwise; the
//! program turns them into metrics.

use std::collections::BTreeMap;

use rasid_connectors::alerts::{Figures, Status};
use rasid_connectors::log::Verdict;
use rasid_connectors::sink::redis::{KEEPS, UNKNOWN};
use rasid_engine::{BrakedRule, Counters, ProducerCounters, RuleCounters};
use serde::{Deserialize, Serialize};

use crate::clock::Seen;
use crate::health::latency::Latency;

/// All figures.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// Whether it accepts and persists.
    pub readiness: Readiness,
    /// The log.
    pub log: LogStats,
    /// One a stream.
    pub sources: Vec<SourceStats>,
    /// How often streams told something, by its kind: a loss, a rotation, a copy of what was read.
    pub stream_notices: BTreeMap<&'static str, u64>,
    /// What takes events over HTTP, where that is on.
    pub ingest: Option<IngestStats>,
    /// The engine.
    pub engine: EngineStats,
    /// Who runs the engine over the log.
    pub worker: WorkerStats,
    /// Snapshots.
    pub snapshot: SnapshotStats,
    /// The outbox.
    pub outbox: OutboxStats,
    /// The alert store.
    pub alerts: AlertStats,
    /// The archive; `None` where there is none.
    pub archive: Option<ArchiveStats>,
    /// One a sink.
    pub sinks: Vec<SinkStats>,
    /// What Redis keeps, where there is one.
    pub redis: Option<RedisStats>,
    /// The ruleset.
    pub ruleset: RulesetStats,
    /// Bounded queues between the parts.
    pub queues: Vec<QueueStats>,
    /// From an event's arrival to its score being readable.
    pub latency: Latency,
    /// The wall clock.
    pub clock: ClockStats,
    /// How old the scores are that readers have.
    pub freshness: Freshness,
    /// What cannot be written for want of room, one an area.
    pub hindrances: Vec<HindranceStats>,
}

/// Something that is written to the disk, and whether it can be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HindranceStats {
    /// `log`, `outbox`, …
    pub area: &'static str,
    /// It cannot be written, and is tried again.
    pub now: bool,
    /// Tries that failed.
    pub failures_total: u64,
}

/// How far what readers of scores have is behind what has arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Freshness {
    /// By this much, ms: the longest that something has waited on its way from the log to the readers of scores.
    pub lag_ms: u64,
    /// What has waited that long; empty where nothing does.
    pub why: String,
}

/// Whether it accepts and persists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "why", rename_all = "snake_case")]
pub enum Readiness {
    /// It does.
    Ready,
    /// It does not, because: restoring, the outbox is full, the disk failed, producers are sent away, draining.
    NotReady(String),
}

impl Default for Readiness {
    fn default() -> Self {
        Self::NotReady("starting".to_owned())
    }
}

/// The log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogStats {
    /// Oldest position kept.
    pub first: u64,
    /// The next position to be given.
    pub next: u64,
    /// Newest durable position.
    pub durable: u64,
    /// Bytes of all segments.
    pub bytes: u64,
    /// How many segments.
    pub segments: u64,
    /// Events appended.
    pub events_total: u64,
    /// Control records appended, ticks aside.
    pub controls_total: u64,
    /// Ticks appended.
    pub ticks_total: u64,
    /// Bytes appended.
    pub appended_bytes_total: u64,
    /// Times the log was made durable.
    pub syncs_total: u64,
    /// Longest time that making it durable took since the last call of `stats`, ms.
    pub sync_ms_max: u64,
}

/// A stream that events come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceStats {
    /// `fluvio:auth/0`, `jsonl:/path`, `http:checkout`.
    pub stream: String,
    /// The followed folder whose file it is, as a stream: `jsonl:/folder`. There may be many thousands of one.
    pub folder: Option<String>,
    /// Newest offset in the log.
    pub offset: Option<u64>,
    /// Records that the source has and the log has not, where the source says so.
    pub lag_records: Option<u64>,
    /// Records appended.
    pub records_total: u64,
    /// Gaps in the offsets that could not be closed: records are lost.
    pub gaps_total: u64,
    /// Errors; after each it is tried again.
    pub errors_total: u64,
    /// Requests that were refused, by reason (HTTP only).
    pub refused: BTreeMap<&'static str, u64>,
    /// Why it is not read until somebody does something about it; `None` where it is, or is tried again as after any
    /// outage. A topic stands here beside its partitions.
    pub stopped: Option<String>,
}

/// What takes events over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IngestStats {
    /// Bytes of bodies that are held.
    pub bodies_bytes: u64,
    /// Most that may be.
    pub bodies_bytes_max: u64,
    /// Whether the file of tokens as it is now cannot be used; those that were read before stay in force.
    pub tokens_unusable: bool,
}

/// The engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EngineStats {
    /// Counts over the whole log.
    pub counters: Counters,
    /// What the memory bound has cost, by kind: an operator, `duplicates`, `suppression`, `alerts` (those that were given) or
    /// `scores`.
    pub evicted: BTreeMap<String, u64>,
    /// Counts of each rule over the whole log.
    pub rules: Vec<RuleCounters>,
    /// Active rules that run in shadow until all that they read is as old as its window.
    pub warming: Vec<WarmingRule>,
    /// Rules that opened more alerts than people can be told of, and what became of that.
    pub braked: Vec<BrakedRule>,
    /// Counts of each producer over the whole log.
    pub producers: Vec<ProducerCounters>,
    /// Bytes of keyed state, where it is known.
    pub state_bytes: Option<u64>,
    /// How far back an event that is delivered again is known, s of event clock, by kind (`gps`, `other`); none before the first
    /// ruleset.
    pub duplicate_reach_s: BTreeMap<&'static str, u64>,
    /// The event clock, Unix ms.
    pub event_clock_ms: i64,
}

/// A rule that accuses nobody yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WarmingRule {
    /// The rule.
    pub rule: String,
    /// The event clock from which on it does, Unix ms.
    pub until_ms: i64,
}

/// Who runs the engine over the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WorkerStats {
    /// Newest position processed.
    pub position: u64,
    /// Newest position committed.
    pub committed: u64,
    /// Entries in the log that are not processed.
    pub lag_records: u64,
    /// Age of the oldest of them, ms; 0 where there is none.
    pub lag_ms: u64,
    /// Replayed outputs that were not those committed before. Must stay 0.
    pub divergence_total: u64,
    /// Replayed outputs of which it is not known any more what had been committed.
    pub replay_unknown_total: u64,
    /// Replayed outputs that were not those that another version had committed.
    pub replay_other_version_total: u64,
    /// The same behind entries that were lost to damage: what was said when they were given up.
    pub excused_total: u64,
    /// Entries gone through since the start that were lost to damage, with those that nobody could judge because of them.
    pub lost_total: u64,
    /// Dead letters written.
    pub dead_letters_total: u64,
    /// Those among them that were written since this start.
    pub set_aside_total: u64,
}

/// Snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SnapshotStats {
    /// Of the newest; `None` before the first.
    pub position: Option<u64>,
    /// When the newest was written, Unix ms.
    pub written_ms: Option<i64>,
    /// What it took, ms.
    pub duration_ms: u64,
    /// Its size.
    pub bytes: u64,
    /// Snapshots that could not be written.
    pub failures_total: u64,
}

/// The outbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OutboxStats {
    /// Bytes on disk.
    pub bytes: u64,
    /// At which ingestion is paused.
    pub bytes_max: u64,
    /// Whether it is paused for that.
    pub full: bool,
    /// Commits.
    pub commits_total: u64,
}

/// The alert store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AlertStats {
    /// What came of the log up to there is in it.
    pub position: u64,
    /// And from there on; what was opened before was never put in.
    pub from: u64,
    /// First and last positions of what was never put in since.
    pub gaps: Vec<(u64, u64)>,
    /// Alerts by status.
    pub by_status: BTreeMap<Status, u64>,
    /// Alerts that have a verdict, by rule.
    pub verdicts: BTreeMap<String, BTreeMap<Verdict, u64>>,
}

impl AlertStats {
    pub(crate) fn of(figures: Figures) -> Self {
        let Figures { position, from, gaps, by_status, verdicts: counted } = figures;
        let mut verdicts: BTreeMap<String, BTreeMap<Verdict, u64>> = BTreeMap::new();
        for ((rule, verdict), count) in counted {
            verdicts.entry(rule).or_default().insert(verdict, count);
        }
        Self { position, from, gaps, by_status, verdicts }
    }
}

/// The archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ArchiveStats {
    /// Newest position in a whole part.
    pub position: u64,
    /// Committed positions that it has not gone through.
    pub lag_records: u64,
    /// Rows in whole parts since the start.
    pub rows_total: u64,
    /// Whole parts since the start.
    pub parts_total: u64,
    /// Bytes of all of it.
    pub bytes: u64,
}

/// A sink.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SinkStats {
    /// `redis`, `core`, `alertmanager`, `jsonl`.
    pub name: String,
    /// Items that wait in the outbox.
    pub depth: u64,
    /// Age of the oldest of them, ms; 0 where there is none.
    pub oldest_ms: u64,
    /// Items that are parked.
    pub parked: u64,
    /// Items that the receiver acknowledged.
    pub delivered_total: u64,
    /// Items that the receiver refused for good.
    pub parked_total: u64,
    /// Requests sent again.
    pub retries_total: u64,
    /// Its circuit breaker.
    pub breaker: Breaker,
    /// Whether the receiver refuses whatever it is sent of some kind: nothing more is parked, it waits.
    pub refusing: bool,
    /// Pages that stand at the receiver.
    pub standing: u64,
    /// Why it takes nothing just now; `None` where it took what it was sent last.
    pub trouble: Option<Trouble>,
}

/// A receiver does not take what it is sent, and is tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// In a few words of our own: `not reached`, `no answer`, `last answer 401`, … What receivers write is in the log alone.
    pub why: String,
    /// For how long, ms.
    pub for_ms: u64,
    /// Since then, ms by the monotonic clock.
    #[serde(skip)]
    pub since_ms: i64,
}

impl Trouble {
    /// Of an error as a sink tells it, of the whole of which nothing but its kind is kept: it may quote what was sent.
    pub(crate) fn new(error: &str, since_ms: i64) -> Self {
        let told = error.strip_prefix("answered ").unwrap_or(error);
        let status = told.split([' ', ',']).next().filter(|word| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_digit()));
        let why = match status {
            Some(status) => format!("last answer {status}"),
            None if error.contains("timed out") => "no answer in time".to_owned(),
            None if error.starts_with("Redis did not carry out") => "a command failed".to_owned(),
            None if error.starts_with("cannot write") => "cannot be written".to_owned(),
            None => "not reached".to_owned(),
        };
        Self { why, for_ms: 0, since_ms }
    }
}

/// Whether Redis keeps what it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisStats {
    /// `maxmemory-policy` of its servers, each once: one of Redis' own, `other`, or `unknown` where it does not say. Empty
    /// before one was asked.
    pub policies: Vec<String>,
    /// Scores that were looked for.
    pub looked_total: u64,
    /// Of these those that were gone, and were published again.
    pub missing_total: u64,
    /// Keys of ours under which somebody else's value was found, in this round or the one before; a thousand at most.
    pub foreign_keys: u64,
    /// In this time every score is looked for, s.
    pub round_s: u64,
}

impl RedisStats {
    /// Why scores may go without a word, for a person; `None` where they do not, or nobody was asked yet.
    pub fn may_forget(&self) -> Option<String> {
        let others: Vec<&str> = self.policies.iter().map(String::as_str).filter(|policy| *policy != KEEPS).collect();
        match others.as_slice() {
            [] => None,
            [UNKNOWN] => Some("redis does not say its maxmemory-policy, so it may take scores away".to_owned()),
            others => Some(format!("redis may take scores away: its maxmemory-policy is {}", others.join(" and "))),
        }
    }
}

/// State of a circuit breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    /// All is well.
    #[default]
    Closed,
    /// One request is on its way to see whether all is well again.
    HalfOpen,
    /// The receiver is left alone.
    Open,
}

/// The ruleset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RulesetStats {
    /// In force, `sha256:…`.
    pub hash: String,
    /// Rules in it.
    pub rules: u64,
    /// Switches since the start.
    pub switches_total: u64,
    /// Changed folders that were refused, because of a fault or a failing test.
    pub refused_total: u64,
    /// Whether the folder as it is now is refused: what is in force is not what is in the folder.
    pub refused: bool,
    /// Rules whose alerts go to the person on call, where there is one.
    pub pages: Vec<String>,
}

/// A bounded queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QueueStats {
    /// Between whom: `append`, `commit`, `redis`; `http` are the verified requests under way.
    pub name: &'static str,
    /// How many wait.
    pub depth: u64,
    /// How many can.
    pub capacity: u64,
}

/// The wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClockStats {
    /// How often it was set.
    pub jumps_total: u64,
    /// How far it is ahead of the time that is believed, ms; negative where it is behind. 0 unless it was set just now.
    pub ahead_ms: i64,
}

impl From<Seen> for ClockStats {
    fn from(seen: Seen) -> Self {
        Self { jumps_total: seen.jumps_total, ahead_ms: seen.ahead_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_receivers_words_nothing_but_the_status_is_kept() {
        for (error, why) in [
            ("401 no such key for +201000000042", "last answer 401"),
            ("503", "last answer 503"),
            ("answered 202, expected 200 and what is refused", "last answer 202"),
            ("answered 200 without {\"refused\":[…]}: +201000000042", "last answer 200"),
            ("cannot connect to Redis at 127.0.0.1:6379: refused", "not reached"),
            ("error sending request: operation timed out", "no answer in time"),
            ("Redis did not carry out a command: NOAUTH", "a command failed"),
            ("cannot write out.jsonl: no room", "cannot be written"),
        ] {
            assert_eq!(Trouble::new(error, 7), Trouble { why: why.to_owned(), for_ms: 0, since_ms: 7 }, "{error}");
        }
    }
}
