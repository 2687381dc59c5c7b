//! Metrics, made from the service's figures at each scrape: base units, bounded labels. Rule ids, sinks, streams and queues
//! are labels; entities, alerts and event ids never are, nor are the files of a followed folder.

use std::collections::BTreeMap;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use rasid_engine::{FieldCounter, RuleCounters};
use rasid_service::health::latency::LATENCY_BOUNDS_MS;
use rasid_service::health::stats::{Breaker, Readiness, Stats};

use crate::http::ServerStats;
use streams::by_label;

pub(crate) mod grafana;
mod streams;

/// What the answer is, for `Content-Type`.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One metric: its name (a counter's less `_total`), what it says, its kind.
struct Metric {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, help, kind: MetricType::Gauge }
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, help, kind: MetricType::Counter }
}

const UP: Metric = gauge("rasid_ready", "1 while events are accepted and persisted");
const BUILD: Metric = gauge("rasid_build", "Always 1; the label says which version runs");
const CONNECTIONS: Metric = gauge("rasid_http_connections", "Open connections to the HTTP server");
const CONNECTIONS_MAX: Metric = gauge("rasid_http_connections_limit", "Most that may be open at once");
const CONNECTIONS_ACCEPTED: Metric = counter("rasid_http_connections_accepted", "Connections accepted");
const CONNECTIONS_CLOSED: Metric =
    counter("rasid_http_connections_closed", "Connections that the server closed, by reason; shed: another needed the room");
const ACCEPT_ERRORS: Metric = counter("rasid_http_accept_errors", "Connections that the system had no descriptor or memory for");
const CERTIFICATE_UNUSABLE: Metric =
    gauge("rasid_http_certificate_unusable", "1 while the server's certificate was replaced by one that cannot be used");
const TOKENS_UNUSABLE: Metric =
    gauge("rasid_tokens_unusable", "1 while the file of tokens cannot be used; those that were read before stay in force");
const LOG_FIRST: Metric = gauge("rasid_log_first_position", "Oldest position kept in the log");
const LOG_NEXT: Metric = gauge("rasid_log_next_position", "Position that the next entry gets");
const LOG_DURABLE: Metric = gauge("rasid_log_durable_position", "Newest position that survives a crash");
const LOG_BYTES: Metric = gauge("rasid_log_size_bytes", "Size of all segments of the log");
const LOG_SEGMENTS: Metric = gauge("rasid_log_segments", "Segments of the log");
const LOG_ENTRIES: Metric = counter("rasid_log_entries", "Entries appended to the log, by kind");
const LOG_APPENDED: Metric = counter("rasid_log_appended_bytes", "Bytes appended to the log");
const LOG_SYNCS: Metric = counter("rasid_log_syncs", "Times the log was made durable");
const LOG_SYNC_MAX: Metric = gauge("rasid_log_sync_max_seconds", "Longest time that took since the last scrape");
const SOURCE_OFFSET: Metric = gauge("rasid_source_offset", "Newest offset of the stream in the log");
const SOURCE_LAG: Metric = gauge("rasid_source_lag_records", "Records that the source has and the log has not");
const SOURCE_RECORDS: Metric = counter("rasid_source_records", "Records appended, by stream");
const SOURCE_GAPS: Metric = counter("rasid_source_gaps", "Gaps in a stream that could not be closed: records are lost");
const SOURCE_ERRORS: Metric = counter("rasid_source_errors", "Errors of a source; after each it is tried again");
const SOURCE_STOPPED: Metric = gauge("rasid_source_stopped", "1 where a stream is not read until somebody does something about it");
const SOURCE_REFUSED: Metric =
    counter("rasid_source_refused", "Requests refused, by reason; http:unknown are those that no signature tells");
const STREAM_NOTICES: Metric = counter(
    "rasid_stream_notices",
    "What streams told, by kind: lost, truncated and vanished are losses, recognised are copies of what was read",
);
const BODIES_BYTES: Metric = gauge("rasid_ingest_bodies_size_bytes", "Size of the bodies of requests that come in or are under way");
const BODIES_MAX: Metric = gauge("rasid_ingest_bodies_limit_bytes", "Size at which the slowest that are not verified are given up");
const ENGINE_RECORDS: Metric = counter("rasid_engine_records", "Records of the whole log, by what became of them");
const ENGINE_LATE: Metric = counter("rasid_engine_late_events", "Events processed later than the allowed lateness");
const ENGINE_CONFLICTS: Metric = counter("rasid_engine_duplicate_conflicts", "Duplicates with other content than the first delivery");
const ENGINE_OVERSIZED: Metric = counter("rasid_engine_oversized_identifiers", "Identifiers of more than 256 bytes, which read as absent");
const ENGINE_WAITS_LOST: Metric = counter(
    "rasid_engine_waits_lost",
    "Waits of rules that were given up when they came due, as the event that armed them cannot be read any more",
);
const PRODUCER_EVENTS: Metric =
    counter("rasid_producer_events", "Events read, by producer (`source`); `other` are those beyond the first 32");
const PRODUCER_BAD_EVENTS: Metric =
    counter("rasid_producer_bad_events", "Events of which a field was not as the contract says, by producer");
const PRODUCER_BAD_FIELDS: Metric = counter(
    "rasid_producer_bad_fields",
    "Fields that were not as the contract says: absent, unknown or mended, by producer, type and field",
);
const ENGINE_FILTER_ERRORS: Metric = counter("rasid_engine_filter_errors", "Where conditions without a value, and amounts without a rate");
const ENGINE_EVICTED: Metric = counter(
    "rasid_engine_evicted_states",
    "States forgotten early to stay under the memory bound, by operator; and duplicates, suppression, alerts given, scores",
);
const ENGINE_STATE: Metric = gauge("rasid_engine_state_bytes", "Keyed state");
const ENGINE_REACH: Metric =
    gauge("rasid_engine_duplicate_reach_seconds", "How far back an event that is delivered again is known, of the event clock, by kind");
const ENGINE_CLOCK: Metric = gauge("rasid_engine_event_clock_timestamp_seconds", "The event clock");
const RULE_ALERTS: Metric = counter("rasid_rule_alerts", "Alerts opened, by rule");
const RULE_SUPPRESSED: Metric = counter("rasid_rule_suppressed_hits", "Hits that counted towards an open alert, by rule");
const RULE_ERRORS: Metric = counter("rasid_rule_errors", "Events at which the rule's condition gave no value");
const RULE_WARMING: Metric =
    gauge("rasid_rule_warming_until_timestamp_seconds", "Event clock up to which the rule runs in shadow, as its windows are not whole");
const RULE_BRAKED: Metric = gauge(
    "rasid_rule_braked",
    "1 while the rule opens more alerts than people can be told of: grouped, one an hour; shadow, since it was changed",
);
const RULE_SHADOW: Metric = counter("rasid_rule_shadow_alerts", "Alerts opened in shadow, by rule");
const RULE_SHADOW_ALONE: Metric =
    counter("rasid_rule_shadow_alone_alerts", "Alerts opened in shadow about whom no other rule cast doubt: what the rule would add");
const RULE_SHADOW_BESIDE: Metric =
    counter("rasid_rule_shadow_overlap_alerts", "Alerts opened in shadow about whom another rule cast doubt, by that rule");
const RULE_MISSING: Metric = counter("rasid_rule_entity_missing_events", "Events that do not name the rule's own entity, by field");
const RULE_KEY_MISSING: Metric =
    counter("rasid_rule_key_missing_events", "Events at which the condition gave no value for want of a key that it reads by, by field");
const RULE_BEHIND: Metric =
    counter("rasid_rule_behind_events", "Events without a value, as they lie a window or more behind a newer one of their entity");
const WORKER_POSITION: Metric = gauge("rasid_worker_position", "Newest position processed");
const WORKER_COMMITTED: Metric = gauge("rasid_worker_committed_position", "Newest position committed");
const WORKER_LAG: Metric = gauge("rasid_worker_lag_records", "Entries of the log that are not processed");
const WORKER_LAG_S: Metric = gauge("rasid_worker_lag_seconds", "Age of the oldest of them");
const DIVERGENCE: Metric = counter("rasid_replay_divergence", "Replayed outputs that differ from those committed; must stay 0");
const REPLAY_UNKNOWN: Metric = counter("rasid_replay_unknown", "Replayed outputs of which it is forgotten what was committed");
const REPLAY_OTHER_VERSION: Metric =
    counter("rasid_replay_other_version", "Replayed outputs that differ from what another version committed");
const EXCUSED: Metric = counter("rasid_replay_excused", "Replayed outputs that differ behind entries that were lost to damage");
const LOST: Metric = counter("rasid_log_lost_entries", "Entries gone through that were lost to damage and given up");
const DEAD_LETTERS: Metric = counter("rasid_dead_letters", "Records set aside since the start");
const SNAPSHOT_POSITION: Metric = gauge("rasid_snapshot_position", "Position of the newest snapshot");
const SNAPSHOT_TIME: Metric = gauge("rasid_snapshot_timestamp_seconds", "When the newest snapshot was written");
const SNAPSHOT_TOOK: Metric = gauge("rasid_snapshot_duration_seconds", "What the newest snapshot took");
const SNAPSHOT_BYTES: Metric = gauge("rasid_snapshot_size_bytes", "Size of the newest snapshot");
const SNAPSHOT_FAILURES: Metric = counter("rasid_snapshot_failures", "Snapshots that could not be written");
const OUTBOX_BYTES: Metric = gauge("rasid_outbox_size_bytes", "Size of the outbox");
const OUTBOX_MAX: Metric = gauge("rasid_outbox_limit_bytes", "Size of the outbox at which ingestion is paused");
const OUTBOX_FULL: Metric = gauge("rasid_outbox_full", "1 while ingestion is paused because the outbox is full");
const OUTBOX_COMMITS: Metric = counter("rasid_outbox_commits", "Commits of the outbox");
const ALERTS_KEPT: Metric = gauge("rasid_alerts_kept", "Alerts that are kept, by status");
const ALERTS_JUDGED: Metric = gauge("rasid_alerts_judged", "Alerts that are kept and have a verdict, by rule and verdict");
const ALERTS_POSITION: Metric = gauge("rasid_alerts_position", "Position up to which the alert store has what came of the log");
const ALERTS_LACKING: Metric = gauge("rasid_alerts_lacking_positions", "Positions of which the alert store lacks what came of them");
const ARCHIVE_POSITION: Metric = gauge("rasid_archive_position", "Newest position of the log in a whole part of the archive");
const ARCHIVE_LAG: Metric = gauge("rasid_archive_lag_records", "Committed positions that the archive has not gone through");
const ARCHIVE_ROWS: Metric = counter("rasid_archive_rows", "Rows in parts of the archive that became whole");
const ARCHIVE_PARTS: Metric = counter("rasid_archive_parts", "Parts of the archive that became whole");
const ARCHIVE_BYTES: Metric = gauge("rasid_archive_bytes", "Size of the archive");
const SINK_DEPTH: Metric = gauge("rasid_sink_queue_items", "Items that wait for the sink");
const SINK_AGE: Metric = gauge("rasid_sink_queue_age_seconds", "Age of the oldest of them");
const SINK_PARKED_NOW: Metric = gauge("rasid_sink_parked_items", "Items that the receiver refused for good and that are kept aside");
const SINK_DELIVERED: Metric = counter("rasid_sink_delivered_items", "Items that the receiver acknowledged");
const SINK_REFUSED: Metric = counter("rasid_sink_refused_items", "Items that the receiver refused for good");
const SINK_RETRIES: Metric = counter("rasid_sink_retries", "Requests sent again");
const SINK_BREAKER: Metric = gauge("rasid_sink_breaker_open", "1 while the receiver is left alone after failures, 0.5 while it is tried");
const SINK_REFUSING: Metric = gauge("rasid_sink_refusing", "1 while the receiver refuses whatever it is sent, and nothing more is parked");
const SINK_STANDING: Metric = gauge("rasid_sink_standing_pages", "Pages that stand at the receiver and are posted again every minute");
const REDIS_POLICY: Metric = gauge(
    "rasid_redis_maxmemory_policy",
    "Always 1; the label is what a Redis server does when its memory is full, unknown where it does not say",
);
const REDIS_LOOKED: Metric = counter("rasid_redis_looked_scores", "Scores that were looked for in Redis");
const REDIS_MISSING: Metric = counter("rasid_redis_missing_scores", "Scores that were gone from Redis, and were published again");
const REDIS_FOREIGN: Metric =
    gauge("rasid_redis_foreign_keys", "Keys of ours under which somebody else's value stands; their scores are not written");
const REDIS_ROUND: Metric = gauge("rasid_redis_round_seconds", "Time in which every score is looked for in Redis");
const RULESET: Metric = gauge("rasid_ruleset", "Always 1; the label is the hash of the ruleset in force");
const RULESET_PAGES: Metric = gauge("rasid_ruleset_paging_rules", "Rules in force that wake the person on call; 0 where nobody is on call");
const RULESET_RULES: Metric = gauge("rasid_ruleset_rules", "Rules in force");
const RULESET_SWITCHES: Metric = counter("rasid_ruleset_switches", "Ruleset switches");
const RULESET_REFUSALS: Metric = counter("rasid_ruleset_refusals", "Changed rule folders refused for a fault or a failing test");
const RULESET_REFUSED: Metric = gauge("rasid_ruleset_refused", "1 while the rule folder is not what is in force, because it is faulty");
const CLOCK_JUMPS: Metric = counter("rasid_clock_jumps", "Times that the wall clock was set by more than two seconds");
const CLOCK_AHEAD: Metric = gauge("rasid_clock_ahead_seconds", "The wall clock less the time that is believed, since it was set just now");
const QUEUE_DEPTH: Metric = gauge("rasid_queue_items", "Items in a bounded queue");
const QUEUE_CAPACITY: Metric = gauge("rasid_queue_capacity_items", "Items that it can hold");
const DISK_FULL: Metric = gauge("rasid_disk_full", "1 while it cannot be written for want of room and is tried again");
const DISK_FAILURES: Metric = counter("rasid_disk_full_failures", "Tries to write that failed for want of room");
const LATENCY: Metric = Metric {
    name: "rasid_event_to_score_seconds",
    help: "From an event's arrival to its score being readable",
    kind: MetricType::Histogram,
};

/// The figures as `OpenMetrics` text; without figures (the service is starting) what is known all the same.
pub(crate) fn encode(stats: Option<Stats>, server: ServerStats) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Figures(stats, server)));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Figures(Option<Stats>, ServerStats);

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let mut out = Out(encoder);
        let ready = self.0.as_ref().is_some_and(|stats| stats.readiness == Readiness::Ready);
        out.one(&UP, u64::from(ready))?;
        out.each(&BUILD, [(&[("version", env!("CARGO_PKG_VERSION"))][..], 1_u64)])?;
        server(&mut out, &self.1)?;
        let Some(stats) = &self.0 else { return Ok(()) };
        log(&mut out, stats)?;
        sources(&mut out, stats)?;
        engine(&mut out, stats)?;
        worker(&mut out, stats)?;
        sinks(&mut out, stats)?;
        rulesets(&mut out, stats)?;
        out.one(&CLOCK_JUMPS, stats.clock.jumps_total)?;
        out.one(&CLOCK_AHEAD, timestamp(stats.clock.ahead_ms))?;
        let areas = || stats.hindrances.iter();
        out.labelled(&DISK_FULL, "area", areas().map(|of| (of.area, u64::from(of.now))))?;
        out.labelled(&DISK_FAILURES, "area", areas().map(|of| (of.area, of.failures_total)))?;
        let queue = |figure: fn(&rasid_service::health::stats::QueueStats) -> u64| {
            stats.queues.iter().map(move |queue| (queue.name, figure(queue)))
        };
        out.labelled(&QUEUE_DEPTH, "queue", queue(|queue| queue.depth))?;
        out.labelled(&QUEUE_CAPACITY, "queue", queue(|queue| queue.capacity))?;
        out.latency(stats)
    }
}

fn server(out: &mut Out<'_>, server: &ServerStats) -> std::fmt::Result {
    out.one(&CONNECTIONS, server.open)?;
    out.one(&CONNECTIONS_MAX, server.max)?;
    out.one(&CONNECTIONS_ACCEPTED, server.accepted_total)?;
    out.labelled(&CONNECTIONS_CLOSED, "reason", server.closed_total.iter().copied())?;
    out.one(&ACCEPT_ERRORS, server.accept_errors_total)?;
    server.certificate_unusable.map_or(Ok(()), |unusable| out.one(&CERTIFICATE_UNUSABLE, u64::from(unusable)))
}

fn log(out: &mut Out<'_>, stats: &Stats) -> std::fmt::Result {
    let log = &stats.log;
    out.one(&LOG_FIRST, log.first)?;
    out.one(&LOG_NEXT, log.next)?;
    out.one(&LOG_DURABLE, log.durable)?;
    out.one(&LOG_BYTES, log.bytes)?;
    out.one(&LOG_SEGMENTS, log.segments)?;
    out.labelled(&LOG_ENTRIES, "kind", [("event", log.events_total), ("control", log.controls_total), ("tick", log.ticks_total)])?;
    out.one(&LOG_APPENDED, log.appended_bytes_total)?;
    out.one(&LOG_SYNCS, log.syncs_total)?;
    out.one(&LOG_SYNC_MAX, seconds(log.sync_ms_max))
}

fn sources(out: &mut Out<'_>, stats: &Stats) -> std::fmt::Result {
    let streams = by_label(&stats.sources);
    let streams = || streams.values();
    out.labelled(&SOURCE_OFFSET, "stream", streams().filter_map(|of| Some((of.label, of.offset?))))?;
    out.labelled(&SOURCE_LAG, "stream", streams().filter_map(|of| Some((of.label, of.lag_records?))))?;
    out.labelled(&SOURCE_RECORDS, "stream", streams().map(|of| (of.label, of.records)))?;
    out.labelled(&SOURCE_GAPS, "stream", streams().map(|of| (of.label, of.gaps)))?;
    out.labelled(&SOURCE_ERRORS, "stream", streams().map(|of| (of.label, of.errors)))?;
    out.labelled(&SOURCE_STOPPED, "stream", streams().map(|of| (of.label, u64::from(of.stopped))))?;
    let streams = || stats.sources.iter();
    let refused =
        streams().flat_map(|of| of.refused.iter().map(|(reason, count)| ([("stream", of.stream.as_str()), ("reason", *reason)], *count)));
    out.family(&SOURCE_REFUSED, refused)?;
    out.labelled(&STREAM_NOTICES, "kind", stats.stream_notices.iter().map(|(kind, count)| (*kind, *count)))?;
    if let Some(ingest) = &stats.ingest {
        out.one(&BODIES_BYTES, ingest.bodies_bytes)?;
        out.one(&BODIES_MAX, ingest.bodies_bytes_max)?;
        out.one(&TOKENS_UNUSABLE, u64::from(ingest.tokens_unusable))?;
    }
    Ok(())
}

fn engine(out: &mut Out<'_>, stats: &Stats) -> std::fmt::Result {
    let counters = &stats.engine.counters;
    let fates = [
        ("event", counters.events),
        ("duplicate", counters.duplicates),
        ("dead_letter", counters.dead_letters),
        ("unknown_type", counters.unknown_types),
    ];
    out.labelled(&ENGINE_RECORDS, "fate", fates)?;
    out.one(&ENGINE_LATE, counters.late)?;
    out.one(&ENGINE_CONFLICTS, counters.duplicate_conflicts)?;
    out.one(&ENGINE_OVERSIZED, counters.oversized_ids)?;
    out.one(&ENGINE_WAITS_LOST, counters.waits_lost)?;
    out.one(&ENGINE_FILTER_ERRORS, counters.filter_errors)?;
    out.labelled(&ENGINE_EVICTED, "kind", stats.engine.evicted.iter().map(|(kind, count)| (kind.as_str(), *count)))?;
    if let Some(bytes) = stats.engine.state_bytes {
        out.one(&ENGINE_STATE, bytes)?;
    }
    out.labelled(&ENGINE_REACH, "kind", stats.engine.duplicate_reach_s.iter().map(|(kind, reach)| (*kind, *reach)))?;
    out.one(&ENGINE_CLOCK, timestamp(stats.engine.event_clock_ms))?;
    let producers = || stats.engine.producers.iter();
    out.labelled(&PRODUCER_EVENTS, "producer", producers().map(|of| (of.producer.as_str(), of.events)))?;
    out.labelled(&PRODUCER_BAD_EVENTS, "producer", producers().map(|of| (of.producer.as_str(), of.bad_events)))?;
    let fields = producers().flat_map(|of| of.bad_fields.iter().map(|field| (of.producer.as_str(), field)));
    let series = fields.map(|(producer, FieldCounter { event_type, field, events })| {
        ([("producer", producer), ("type", event_type.as_str()), ("field", field.as_str())], *events)
    });
    out.family(&PRODUCER_BAD_FIELDS, series)?;
    let rules = || stats.engine.rules.iter();
    out.labelled(&RULE_ALERTS, "rule", rules().map(|of| (of.rule.as_str(), of.alerts)))?;
    out.labelled(&RULE_SUPPRESSED, "rule", rules().map(|of| (of.rule.as_str(), of.suppressed)))?;
    out.labelled(&RULE_ERRORS, "rule", rules().map(|of| (of.rule.as_str(), of.errors)))?;
    let missing = |of: fn(&RuleCounters) -> &BTreeMap<String, u64>| {
        rules().flat_map(move |rule| {
            of(rule).iter().map(|(field, events)| ([("rule", rule.rule.as_str()), ("field", field.as_str())], *events))
        })
    };
    out.family(&RULE_MISSING, missing(|of| &of.entity_missing))?;
    out.family(&RULE_KEY_MISSING, missing(|of| &of.key_missing))?;
    out.labelled(&RULE_BEHIND, "rule", rules().map(|of| (of.rule.as_str(), of.behind)))?;
    let shadow = || rules().filter(|of| of.shadow > 0);
    out.labelled(&RULE_SHADOW, "rule", shadow().map(|of| (of.rule.as_str(), of.shadow)))?;
    out.labelled(&RULE_SHADOW_ALONE, "rule", shadow().map(|of| (of.rule.as_str(), of.shadow_alone)))?;
    let beside = shadow()
        .flat_map(|of| of.shadow_beside.iter().map(|(other, count)| ([("rule", of.rule.as_str()), ("other", other.as_str())], *count)));
    out.family(&RULE_SHADOW_BESIDE, beside)?;
    let braked = stats.engine.braked.iter();
    out.family(&RULE_BRAKED, braked.map(|of| ([("rule", of.rule.as_str()), ("to", if of.shadow { "shadow" } else { "grouped" })], 1)))?;
    out.labelled(&RULE_WARMING, "rule", stats.engine.warming.iter().map(|of| (of.rule.as_str(), timestamp(of.until_ms))))
}

fn worker(out: &mut Out<'_>, stats: &Stats) -> std::fmt::Result {
    let worker = &stats.worker;
    out.one(&WORKER_POSITION, worker.position)?;
    out.one(&WORKER_COMMITTED, worker.committed)?;
    out.one(&WORKER_LAG, worker.lag_records)?;
    out.one(&WORKER_LAG_S, seconds(worker.lag_ms))?;
    out.one(&DIVERGENCE, worker.divergence_total)?;
    out.one(&REPLAY_UNKNOWN, worker.replay_unknown_total)?;
    out.one(&REPLAY_OTHER_VERSION, worker.replay_other_version_total)?;
    out.one(&EXCUSED, worker.excused_total)?;
    out.one(&LOST, worker.lost_total)?;
    out.one(&DEAD_LETTERS, worker.set_aside_total)?;
    let snapshot = &stats.snapshot;
    if let (Some(position), Some(written_ms)) = (snapshot.position, snapshot.written_ms) {
        out.one(&SNAPSHOT_POSITION, position)?;
        out.one(&SNAPSHOT_TIME, timestamp(written_ms))?;
        out.one(&SNAPSHOT_TOOK, seconds(snapshot.duration_ms))?;
        out.one(&SNAPSHOT_BYTES, snapshot.bytes)?;
    }
    out.one(&SNAPSHOT_FAILURES, snapshot.failures_total)
}

fn sinks(out: &mut Out<'_>, stats: &Stats) -> std::fmt::Result {
    let outbox = &stats.outbox;
    out.one(&OUTBOX_BYTES, outbox.bytes)?;
    out.one(&OUTBOX_MAX, outbox.bytes_max)?;
    out.one(&OUTBOX_FULL, u64::from(outbox.full))?;
    out.one(&OUTBOX_COMMITS, outbox.commits_total)?;
    let alerts = &stats.alerts;
    out.labelled(&ALERTS_KEPT, "status", alerts.by_status.iter().map(|(status, count)| (status.name(), *count)))?;
    let judged = alerts.verdicts.iter().flat_map(|(rule, counts)| {
        counts.iter().map(move |(verdict, count)| ([("rule", rule.as_str()), ("verdict", verdict.name())], *count))
    });
    out.family(&ALERTS_JUDGED, judged)?;
    out.one(&ALERTS_POSITION, alerts.position)?;
    out.one(&ALERTS_LACKING, alerts.gaps.iter().map(|(first, last)| last - first + 1).sum::<u64>())?;
    if let Some(archive) = &stats.archive {
        out.one(&ARCHIVE_POSITION, archive.position)?;
        out.one(&ARCHIVE_LAG, archive.lag_records)?;
        out.one(&ARCHIVE_ROWS, archive.rows_total)?;
        out.one(&ARCHIVE_PARTS, archive.parts_total)?;
        out.one(&ARCHIVE_BYTES, archive.bytes)?;
    }
    let sinks = || stats.sinks.iter();
    out.labelled(&SINK_DEPTH, "sink", sinks().map(|of| (of.name.as_str(), of.depth)))?;
    out.labelled(&SINK_AGE, "sink", sinks().map(|of| (of.name.as_str(), seconds(of.oldest_ms))))?;
    out.labelled(&SINK_PARKED_NOW, "sink", sinks().map(|of| (of.name.as_str(), of.parked)))?;
    out.labelled(&SINK_DELIVERED, "sink", sinks().map(|of| (of.name.as_str(), of.delivered_total)))?;
    out.labelled(&SINK_REFUSED, "sink", sinks().map(|of| (of.name.as_str(), of.parked_total)))?;
    out.labelled(&SINK_RETRIES, "sink", sinks().map(|of| (of.name.as_str(), of.retries_total)))?;
    let open = |breaker| match breaker {
        Breaker::Closed => 0.0,
        Breaker::HalfOpen => 0.5,
        Breaker::Open => 1.0,
    };
    out.labelled(&SINK_BREAKER, "sink", sinks().map(|of| (of.name.as_str(), open(of.breaker))))?;
    out.labelled(&SINK_REFUSING, "sink", sinks().map(|of| (of.name.as_str(), u64::from(of.refusing))))?;
    out.labelled(&SINK_STANDING, "sink", sinks().map(|of| (of.name.as_str(), of.standing)))?;
    let Some(redis) = &stats.redis else { return Ok(()) };
    out.labelled(&REDIS_POLICY, "policy", redis.policies.iter().map(|policy| (policy.as_str(), 1_u64)))?;
    out.one(&REDIS_LOOKED, redis.looked_total)?;
    out.one(&REDIS_MISSING, redis.missing_total)?;
    out.one(&REDIS_FOREIGN, redis.foreign_keys)?;
    out.one(&REDIS_ROUND, redis.round_s)
}

fn rulesets(out: &mut Out<'_>, stats: &Stats) -> std::fmt::Result {
    let ruleset = &stats.ruleset;
    out.labelled(&RULESET, "hash", [(ruleset.hash.as_str(), 1_u64)])?;
    out.one(&RULESET_RULES, ruleset.rules)?;
    out.one(&RULESET_PAGES, ruleset.pages.len() as u64)?;
    out.one(&RULESET_SWITCHES, ruleset.switches_total)?;
    out.one(&RULESET_REFUSALS, ruleset.refused_total)?;
    out.one(&RULESET_REFUSED, u64::from(ruleset.refused))
}

/// A number of either kind.
trait Figure: Copy {
    fn value(self) -> f64;
    fn count(self) -> u64;
}

impl Figure for u64 {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float in the format; counts go out whole")]
    fn value(self) -> f64 {
        self as f64
    }

    fn count(self) -> u64 {
        self
    }
}

impl Figure for f64 {
    fn value(self) -> f64 {
        self
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no counter here is a float")]
    fn count(self) -> u64 {
        self as u64
    }
}

struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn one(&mut self, metric: &Metric, figure: impl Figure) -> std::fmt::Result {
        self.each(metric, [(&[][..], figure)])
    }

    fn labelled<'l, F: Figure>(
        &mut self,
        metric: &Metric,
        label: &'static str,
        figures: impl IntoIterator<Item = (&'l str, F)>,
    ) -> std::fmt::Result {
        self.family(metric, figures.into_iter().map(|(value, figure)| ([(label, value)], figure)))
    }

    /// One series for each set of labels.
    fn family<'l, const N: usize, F: Figure>(
        &mut self,
        metric: &Metric,
        figures: impl IntoIterator<Item = ([(&'static str, &'l str); N], F)>,
    ) -> std::fmt::Result {
        let mut encoder = self.0.encode_descriptor(metric.name, metric.help, None, metric.kind)?;
        for (labels, figure) in figures {
            write(encoder.encode_family(&labels)?, metric.kind, figure)?;
        }
        Ok(())
    }

    fn each<'l, F: Figure>(
        &mut self,
        metric: &Metric,
        figures: impl IntoIterator<Item = (&'l [(&'static str, &'static str)], F)>,
    ) -> std::fmt::Result {
        let mut encoder = self.0.encode_descriptor(metric.name, metric.help, None, metric.kind)?;
        for (labels, figure) in figures {
            if labels.is_empty() {
                return write(encoder, metric.kind, figure);
            }
            write(encoder.encode_family(&labels)?, metric.kind, figure)?;
        }
        Ok(())
    }

    fn latency(&mut self, stats: &Stats) -> std::fmt::Result {
        let bounds = LATENCY_BOUNDS_MS.iter().map(|ms| f64::from(*ms) / 1000.0).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(stats.latency.buckets).collect();
        let sum = stats.latency.sum_us.value() / 1e6;
        let mut encoder = self.0.encode_descriptor(LATENCY.name, LATENCY.help, None, LATENCY.kind)?;
        encoder.encode_histogram::<NoLabelSet>(sum, stats.latency.count(), &buckets, None)
    }
}

fn write(mut encoder: prometheus_client::encoding::MetricEncoder<'_>, kind: MetricType, figure: impl Figure) -> std::fmt::Result {
    match kind {
        MetricType::Counter => encoder.encode_counter::<NoLabelSet, _, u64>(&figure.count(), None),
        _ => encoder.encode_gauge(&figure.value()),
    }
}

/// ms as s.
fn seconds(ms: u64) -> f64 {
    ms.value() / 1000.0
}

/// Ms, of Unix time or negative ones too, as s.
#[expect(clippy::cast_precision_loss, reason = "times of one era, in ms, are far below 2^53")]
fn timestamp(unix_ms: i64) -> f64 {
    unix_ms as f64 / 1000.0
}

#[cfg(test)]
mod tests;
