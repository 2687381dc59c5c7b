//! The figures of all parts in one place, for metrics and health.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rasid_connectors::ingest::http::{Ingest, Refused};
use rasid_connectors::outbox::Outbox;
use rasid_connectors::source::{Incoming, Lags, Notice};
use rasid_engine::Reach;

use tokio::sync::mpsc;

use crate::clock::{Clock, age_ms};
use crate::decide::engine_thread::EngineFigures;
use crate::decide::log_thread::LogAppender;
use crate::decide::progress::Progress;
use crate::decide::route::{REDIS, Routes};
use crate::health::hindrance::Hindrances;
use crate::health::stats::{
    EngineStats, Freshness, IngestStats, Latency, LogStats, OutboxStats, QueueStats, Readiness, RedisStats, RulesetStats, SinkStats,
    SnapshotStats, SourceStats, Stats, Trouble, WarmingRule, WorkerStats,
};
use crate::start::is_full;

/// Where each part leaves its figures.
pub(crate) struct Tally {
    pub(crate) progress: Arc<Progress>,
    pub(crate) log: Arc<LogFigures>,
    pub(crate) figures: Arc<Mutex<EngineFigures>>,
    pub(crate) committed: tokio::sync::watch::Receiver<u64>,
    pub(crate) snapshot: Arc<Mutex<SnapshotStats>>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) outbox_bytes_max: u64,
    pub(crate) routes: Routes,
    pub(crate) commits: Arc<AtomicU64>,
    /// Records set aside since the start.
    pub(crate) set_aside: Arc<AtomicU64>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) sinks: Vec<Arc<Mutex<SinkStats>>>,
    pub(crate) ruleset: Arc<Mutex<RulesetStats>>,
    pub(crate) latency: Arc<Mutex<Latency>>,
    pub(crate) beats: Arc<Mutex<Beats>>,
    pub(crate) redis: Option<Arc<Mutex<RedisStats>>>,
    pub(crate) lags: Lags,
    /// Followed folders, as their streams' names begin.
    pub(crate) folders: Vec<String>,
    pub(crate) ingest: Option<Arc<Ingest<LogAppender>>>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) draining: Arc<AtomicBool>,
    /// Why a part has stopped.
    pub(crate) broken: Arc<Mutex<Option<String>>>,
    pub(crate) hindrances: Hindrances,
}

/// The heartbeat in Redis, as readers find it; in ms of the clock that nobody sets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beats {
    /// When the service began to beat.
    pub(crate) since_ms: i64,
    /// The scores are whole as of then, by the newest that Redis took and that vouches for all of them.
    pub(crate) as_of_ms: Option<i64>,
}

/// A heartbeat is written every second; one that is younger than this is no sign of anything, ms.
const BEAT_MS_MAX: u64 = 3_000;

/// A bounded queue between two parts, to be looked at.
pub(crate) struct Queue {
    name: &'static str,
    /// How many wait, and how many can.
    look: Box<dyn Fn() -> (usize, usize) + Send + Sync>,
}

impl Queue {
    /// The queue behind a sender; looking keeps it open no longer than its senders do.
    pub(crate) fn behind<T: Send + 'static>(name: &'static str, sender: &mpsc::Sender<T>) -> Self {
        let sender = sender.downgrade();
        let look = move || sender.upgrade().map_or((0, 0), |sender| (sender.max_capacity() - sender.capacity(), sender.max_capacity()));
        Self { name, look: Box::new(look) }
    }

    fn stats(&self) -> QueueStats {
        let (depth, capacity) = (self.look)();
        QueueStats { name: self.name, depth: depth as u64, capacity: capacity as u64 }
    }
}

/// What streams have told, counted by stream.
#[derive(Default)]
pub(crate) struct Notices {
    by_stream: Mutex<std::collections::BTreeMap<String, Told>>,
    by_kind: Mutex<std::collections::BTreeMap<&'static str, u64>>,
}

/// What one stream has told.
#[derive(Clone, Default)]
pub(crate) struct Told {
    pub(crate) lost: u64,
    pub(crate) faults: u64,
    /// Why it is not read until somebody does something about it.
    pub(crate) stopped: Option<String>,
}

impl Notices {
    /// Counts what a stream told. Faults and losses are counted by stream as well.
    pub(crate) fn count(&self, stream: &str, kind: &'static str, lost: bool, fault: bool) {
        *self.by_kind.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
        if !lost && !fault {
            return;
        }
        let mut by_stream = self.by_stream.lock().unwrap_or_else(PoisonError::into_inner);
        let told = by_stream.entry(stream.to_owned()).or_default();
        told.lost += u64::from(lost);
        told.faults += u64::from(fault);
    }

    /// How often each kind of thing was told, by all streams together.
    fn by_kind(&self) -> std::collections::BTreeMap<&'static str, u64> {
        let counted = self.by_kind.lock().unwrap_or_else(PoisonError::into_inner);
        Notice::KINDS.into_iter().map(|kind| (kind, counted.get(kind).copied().unwrap_or(0))).collect()
    }

    /// It is not read any more, because; or it is again.
    pub(crate) fn stopped(&self, stream: &str, why: Option<String>) {
        self.by_stream.lock().unwrap_or_else(PoisonError::into_inner).entry(stream.to_owned()).or_default().stopped = why;
    }

    pub(crate) fn of(&self, stream: &str) -> Told {
        self.by_stream.lock().unwrap_or_else(PoisonError::into_inner).get(stream).cloned().unwrap_or_default()
    }

    /// What is stopped that is no stream itself: a topic, whose partitions are.
    fn stopped_besides(&self, streams: &[SourceStats]) -> Vec<SourceStats> {
        let by_stream = self.by_stream.lock().unwrap_or_else(PoisonError::into_inner);
        let besides = by_stream.iter().filter(|(name, _)| !streams.iter().any(|source| source.stream == **name));
        let stopped = besides.filter(|(_, told)| told.stopped.is_some());
        stopped
            .map(|(name, told)| SourceStats {
                stream: name.clone(),
                errors_total: told.faults,
                stopped: told.stopped.clone(),
                ..SourceStats::default()
            })
            .collect()
    }
}

fn locked<T: Clone>(mutex: &Mutex<T>) -> T {
    mutex.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl Tally {
    /// Everything, as of now.
    pub(crate) fn stats(&self, clock: &Clock) -> Stats {
        let reached = self.progress.now();
        let figures = locked(&self.figures);
        let bytes = self.outbox.bytes();
        let full = is_full(&self.outbox, self.outbox_bytes_max, self.routes);
        let lag_records = reached.appended.saturating_sub(figures.position);
        let lag_ms = if lag_records == 0 { 0 } else { figures.behind_ms(clock) };
        let sinks = self.sinks(clock);
        Stats {
            readiness: self.readiness(full, &sinks),
            freshness: self.freshness(clock.monotonic_ms(), lag_records, lag_ms, &sinks),
            log: self.log.stats(reached.appended + 1, reached.durable),
            sources: self.sources(),
            stream_notices: self.notices.by_kind(),
            ingest: self.ingest(),
            worker: WorkerStats {
                position: figures.position,
                committed: *self.committed.borrow(),
                lag_records,
                lag_ms,
                divergence_total: figures.compared.diverged,
                replay_unknown_total: figures.compared.unknown,
                replay_other_version_total: figures.compared.other_version,
                excused_total: figures.compared.excused,
                lost_total: figures.lost,
                dead_letters_total: figures.counters.dead_letters,
                set_aside_total: self.set_aside.load(Ordering::Relaxed),
            },
            engine: EngineStats {
                counters: figures.counters,
                rules: figures.rules,
                warming: figures.warming.into_iter().map(|(rule, until_ms)| WarmingRule { rule, until_ms }).collect(),
                producers: figures.producers,
                state_bytes: Some(figures.state_bytes as u64),
                duplicate_reach_s: figures.reach.map(in_seconds).unwrap_or_default(),
                event_clock_ms: figures.clock_ms,
            },
            snapshot: locked(&self.snapshot),
            outbox: OutboxStats { bytes, bytes_max: self.outbox_bytes_max, full, commits_total: self.commits.load(Ordering::Relaxed) },
            sinks,
            redis: self.redis.as_ref().map(|redis| locked(redis)),
            ruleset: RulesetStats { hash: figures.ruleset, ..locked(&self.ruleset) },
            queues: self.queues(),
            latency: locked(&self.latency),
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
            let Beats { since_ms, as_of_ms } = locked(&self.beats);
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
                let told = self.notices.of(&lag.stream);
                SourceStats {
                    offset: lag.durable,
                    lag_records: lag.behind(),
                    records_total: self.log.of_stream(&lag.stream),
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
        sources.extend(self.notices.stopped_besides(&sources));
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
            let records_total = self.log.of_stream(&stream);
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

/// Figures of the log's writer.
#[derive(Default)]
pub(crate) struct LogFigures {
    pub(crate) first: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) controls: AtomicU64,
    pub(crate) ticks: AtomicU64,
    pub(crate) appended_bytes: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) sync_ms_max: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) segments: AtomicU64,
    /// Events by stream.
    by_stream: Mutex<std::collections::BTreeMap<Arc<str>, u64>>,
}

impl LogFigures {
    /// Counts events of streams.
    pub(crate) fn count(&self, events: &[Incoming]) {
        self.events.fetch_add(events.len() as u64, Ordering::Relaxed);
        let mut by_stream = self.by_stream.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            match by_stream.get_mut(&event.stream) {
                Some(count) => *count += 1,
                None => drop(by_stream.insert(Arc::clone(&event.stream), 1)),
            }
        }
    }

    fn of_stream(&self, stream: &str) -> u64 {
        self.by_stream.lock().unwrap_or_else(PoisonError::into_inner).get(stream).copied().unwrap_or(0)
    }

    fn stats(&self, next: u64, durable: u64) -> LogStats {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        LogStats {
            first: of(&self.first),
            next,
            durable,
            bytes: of(&self.bytes),
            segments: of(&self.segments),
            events_total: of(&self.events),
            controls_total: of(&self.controls),
            ticks_total: of(&self.ticks),
            appended_bytes_total: of(&self.appended_bytes),
            syncs_total: of(&self.syncs),
            sync_ms_max: self.sync_ms_max.swap(0, Ordering::Relaxed),
        }
    }
}

/// By kind, whole seconds.
fn in_seconds(reach: Reach) -> std::collections::BTreeMap<&'static str, u64> {
    let seconds = |ms: i64| u64::try_from(ms / 1000).unwrap_or_default();
    [("gps", seconds(reach.gps_ms)), ("other", seconds(reach.other_ms))].into()
}
