//! The figures of all parts in one place, for metrics and health.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rasid_connectors::alerts::AlertStore;
use rasid_connectors::ingest::http::{Ingest, Refused};
use rasid_connectors::latest;
use rasid_connectors::outbox::Outbox;
use rasid_connectors::source::Lags;
use rasid_engine::Reach;

use crate::clock::{Clock, age_ms};
use crate::decide::figures::{ArchiveFigures, EngineFigures, LogFigures, Queue};
use crate::decide::log_thread::LogAppender;
use crate::decide::progress::Progress;
use crate::decide::route::{REDIS, Routes};
use crate::deliver::back_pressure::is_full;
use crate::deliver::redis_task::Beats;
use crate::health::hindrance::Hindrances;
use crate::health::latency::Latency;
use crate::health::stats::{
    AlertStats, EngineStats, Freshness, IngestStats, OutboxStats, QueueStats, Readiness, RedisStats, RulesetStats, SinkStats,
    SnapshotStats, SourceStats, Stats, Trouble, WarmingRule, WorkerStats,
};
use crate::held::held;
use crate::receive::streams::Notices;

/// Where each part leaves its figures.
#[derive(Clone, Default)]
pub(crate) struct Figures {
    pub(crate) log: Arc<LogFigures>,
    pub(crate) engine: Arc<Mutex<EngineFigures>>,
    pub(crate) commits: Arc<AtomicU64>,
    /// Records set aside since the start.
    pub(crate) set_aside: Arc<AtomicU64>,
    pub(crate) snapshot: Arc<Mutex<SnapshotStats>>,
    pub(crate) ruleset: Arc<Mutex<RulesetStats>>,
    pub(crate) latency: Arc<Mutex<Latency>>,
    pub(crate) beats: Arc<Mutex<Beats>>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) archive: Arc<ArchiveFigures>,
}

/// All of them, and what else says how the parts are.
pub(crate) struct Tally {
    pub(crate) figures: Figures,
    pub(crate) progress: Arc<Progress>,
    pub(crate) committed: tokio::sync::watch::Receiver<u64>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) store: Arc<AlertStore>,
    pub(crate) outbox_bytes_max: u64,
    pub(crate) routes: Routes,
    pub(crate) queues: Vec<Queue>,
    pub(crate) sinks: Vec<Arc<Mutex<SinkStats>>>,
    pub(crate) redis: Option<Arc<Mutex<RedisStats>>>,
    pub(crate) lags: Lags,
    /// Followed folders, as their streams' names begin.
    pub(crate) folders: Vec<String>,
    pub(crate) ingest: Option<Arc<Ingest<LogAppender>>>,
    pub(crate) draining: Arc<AtomicBool>,
    /// Why a part has stopped.
    pub(crate) broken: Arc<Mutex<Option<String>>>,
    pub(crate) hindrances: Hindrances,
}

/// A heartbeat is written every second; one that is younger than this is no sign of anything, ms.
const BEAT_MS_MAX: u64 = 3_000;

fn locked<T: Clone>(mutex: &Mutex<T>) -> T {
    held(mutex).clone()
}

impl Tally {
    /// Everything, as of now.
    pub(crate) fn stats(&self, clock: &Clock) -> Stats {
        let reached = self.progress.now();
        let figures = locked(&self.figures.engine);
        let bytes = self.outbox.bytes();
        let full = is_full(&self.outbox, self.outbox_bytes_max, self.routes);
        let lag_records = reached.appended.saturating_sub(figures.position);
        let lag_ms = if lag_records == 0 { 0 } else { figures.behind_ms(clock) };
        let sinks = self.sinks(clock);
        let committed = latest(&self.committed);
        Stats {
            readiness: self.readiness(full, &sinks),
            freshness: self.freshness(clock.monotonic_ms(), lag_records, lag_ms, &sinks),
            log: self.figures.log.stats(reached.appended + 1, reached.durable),
            sources: self.sources(),
            stream_notices: self.figures.notices.by_kind(),
            ingest: self.ingest(),
            worker: WorkerStats {
                position: figures.position,
                committed,
                lag_records,
                lag_ms,
                divergence_total: figures.compared.diverged,
                replay_unknown_total: figures.compared.unknown,
                replay_other_version_total: figures.compared.other_version,
                excused_total: figures.compared.excused,
                lost_total: figures.lost,
                dead_letters_total: figures.counters.dead_letters,
                set_aside_total: self.figures.set_aside.load(Ordering::Relaxed),
            },
            engine: EngineStats {
                counters: figures.counters,
                evicted: figures.evicted,
                rules: figures.rules,
                warming: figures.warming.into_iter().map(|(rule, until_ms)| WarmingRule { rule, until_ms }).collect(),
                braked: figures.braked,
                producers: figures.producers,
                state_bytes: Some(figures.state_bytes as u64),
                duplicate_reach_s: figures.reach.map(in_seconds).unwrap_or_default(),
                event_clock_ms: figures.clock_ms,
            },
            snapshot: locked(&self.figures.snapshot),
            outbox: OutboxStats {
                bytes,
                bytes_max: self.outbox_bytes_max,
                full,
                commits_total: self.figures.commits.load(Ordering::Relaxed),
            },
            alerts: AlertStats::of(self.store.figures()),
            archive: self.figures.archive.stats(committed),
            sinks,
            redis: self.redis.as_ref().map(|redis| locked(redis)),
            ruleset: RulesetStats { hash: figures.ruleset, ..locked(&self.figures.ruleset) },
            queues: self.queues(),
            latency: locked(&self.figures.latency),
            clock: clock.seen().into(),
            hindrances: self.hindrances.stats(),
        }
    }

    fn sinks(&self, clock: &Clock) -> Vec<SinkStats> {
        let held = self.outbox.held();
        let standing = |sink: &Arc<Mutex<SinkStats>>| {
            let sink = locked(sink);
            let held = held.iter().find(|held| held.sink == sink.name);
            let (depth, parked) = held.map_or((0, 0), |held| (held.pending, held.parked));
            let for_ms = |since_ms| age_ms(clock.monotonic_ms(), since_ms);
            let trouble = sink.trouble.clone().map(|trouble| Trouble { for_ms: for_ms(trouble.since_ms), ..trouble });
            SinkStats { trouble, depth, parked, oldest_ms: if depth == 0 { 0 } else { self.oldest_ms(&sink.name, clock) }, ..sink }
        };
        self.sinks.iter().map(standing).collect()
    }

    /// The longest wait between an event's arrival and its score's being read.
    fn freshness(&self, monotonic_ms: i64, lag_records: u64, lag_ms: u64, sinks: &[SinkStats]) -> Freshness {
        let mut waits = vec![(lag_ms, format!("{lag_records} records wait to be decided, the oldest for {lag_ms} ms"))];
        if let Some(redis) = sinks.iter().find(|sink| sink.name == REDIS) {
            let SinkStats { depth, oldest_ms, .. } = redis;
            waits.push((*oldest_ms, format!("{depth} scores wait for Redis, the oldest for {oldest_ms} ms")));
            let Beats { since_ms, as_of_ms } = locked(&self.figures.beats);
            let silent_ms = age_ms(monotonic_ms, as_of_ms.unwrap_or(since_ms));
            if silent_ms > BEAT_MS_MAX {
                waits.push((silent_ms, format!("Redis has not taken a heartbeat that vouches for the scores for {silent_ms} ms")));
            }
        }
        let (lag_ms, why) = waits.into_iter().max_by_key(|(lag_ms, _)| *lag_ms).unwrap_or_default();
        Freshness { lag_ms, why: if lag_ms == 0 { String::new() } else { why } }
    }

    /// Age of the oldest item that waits for a sink.
    fn oldest_ms(&self, sink: &str, clock: &Clock) -> u64 {
        self.outbox.oldest_ms(sink).map_or(0, |oldest_ms| clock.age_ms(oldest_ms))
    }

    fn readiness(&self, full: bool, sinks: &[SinkStats]) -> Readiness {
        if let Some(why) = locked(&self.broken) {
            Readiness::NotReady(why)
        } else if self.draining.load(Ordering::Relaxed) {
            Readiness::NotReady("draining".to_owned())
        } else if let Some(words) = self.hindrances.blocking() {
            Readiness::NotReady(format!("the disk has no room, {words}"))
        } else if full {
            Readiness::NotReady(format!("the outbox is full: {}", waiting(sinks)))
        } else if let Some(why) = self.ingest.as_ref().and_then(|ingest| ingest.pressed()) {
            Readiness::NotReady(format!("producers were sent away a moment ago: {why}"))
        } else {
            Readiness::Ready
        }
    }

    fn sources(&self) -> Vec<SourceStats> {
        let mut sources: Vec<SourceStats> = self
            .lags
            .each()
            .into_iter()
            .map(|lag| {
                let told = self.figures.notices.of(&lag.stream);
                SourceStats {
                    offset: lag.durable,
                    lag_records: lag.behind(),
                    records_total: self.figures.log.of_stream(&lag.stream),
                    gaps_total: told.lost,
                    errors_total: told.faults,
                    stopped: told.stopped,
                    folder: self.folder_of(&lag.stream).cloned(),
                    stream: lag.stream.to_string(),
                    ..SourceStats::default()
                }
            })
            .chain(self.received())
            .collect();
        sources.extend(self.figures.notices.stopped_besides(&sources));
        sources
    }

    fn folder_of(&self, stream: &str) -> Option<&String> {
        let parent = stream.rsplit_once('/')?.0;
        self.folders.iter().find(|folder| *folder == parent)
    }

    /// What came over HTTP: each producer's stream, and last what was refused of those that no signature tells.
    fn received(&self) -> Vec<SourceStats> {
        let refused = self.ingest.iter().flat_map(|ingest| ingest.refused());
        let of = |Refused { stream, by_reason }| {
            let records_total = self.figures.log.of_stream(&stream);
            SourceStats { stream, records_total, refused: by_reason, ..SourceStats::default() }
        };
        refused.map(of).collect()
    }

    fn ingest(&self) -> Option<IngestStats> {
        let ingest = self.ingest.as_ref()?;
        let (bytes, max) = ingest.bodies_bytes();
        Some(IngestStats { bodies_bytes: bytes as u64, bodies_bytes_max: max as u64, tokens_unusable: ingest.tokens_unusable() })
    }

    fn queues(&self) -> Vec<QueueStats> {
        let requests = self.ingest.as_ref().map(|ingest| {
            let (depth, capacity) = ingest.under_way();
            QueueStats { name: "http", depth: depth as u64, capacity: capacity as u64 }
        });
        self.queues.iter().map(Queue::stats).chain(requests).collect()
    }
}

/// What fills the outbox, in words.
fn waiting(sinks: &[SinkStats]) -> String {
    let of_sink = |sink: &SinkStats| format!("{} items wait for {}, the oldest for {} s", sink.depth, sink.name, sink.oldest_ms / 1_000);
    sinks.iter().filter(|sink| sink.depth > 0).map(of_sink).collect::<Vec<_>>().join("; ")
}

/// By kind, whole seconds.
fn in_seconds(reach: Reach) -> std::collections::BTreeMap<&'static str, u64> {
    let seconds = |ms: i64| u64::try_from(ms / 1000).unwrap_or_default();
    [("gps", seconds(reach.gps_ms)), ("other", seconds(reach.other_ms))].into()
}
