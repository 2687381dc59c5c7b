//! Where the threads leave their figures, for whoever asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rasid_connectors::source::Incoming;
use rasid_engine::{BrakedRule, Counters, ProducerCounters, Reach, RuleCounters};
use tokio::sync::mpsc;

use crate::clock::{Clock, age_ms};
use crate::decide::comparison::Compared;
use crate::health::stats::{ArchiveStats, LogStats, QueueStats};
use crate::held::held;

/// How far the archive is.
#[derive(Debug, Default)]
pub(crate) struct ArchiveFigures {
    /// Whether there is one.
    pub(crate) is_on: AtomicBool,
    /// Rows in whole parts since the start.
    pub(crate) rows: AtomicU64,
    /// Whole parts since the start.
    pub(crate) parts: AtomicU64,
    /// Bytes of all of it.
    pub(crate) bytes: AtomicU64,
    /// Newest position in a whole part.
    pub(crate) position: AtomicU64,
    /// Newest position gone through.
    pub(crate) reached: AtomicU64,
}

impl ArchiveFigures {
    /// The same for others, where the log is committed to that position.
    pub(crate) fn stats(&self, committed: u64) -> Option<ArchiveStats> {
        let of = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        self.is_on.load(Ordering::Relaxed).then(|| ArchiveStats {
            position: of(&self.position),
            lag_records: committed.saturating_sub(of(&self.reached)),
            rows_total: of(&self.rows),
            parts_total: of(&self.parts),
            bytes: of(&self.bytes),
        })
    }
}

/// Figures of the engine, as of its last block.
#[derive(Clone, Debug, Default)]
pub(crate) struct EngineFigures {
    /// The newest position applied.
    pub position: u64,
    /// When the newest event applied arrived, Unix ms; 0 before the first.
    pub arrival_ms: i64,
    /// When everything that had been appended was applied, last, ms by the monotonic clock; `None`: not since the start.
    pub caught_up_ms: Option<i64>,
    /// Event clock, Unix ms.
    pub clock_ms: i64,
    /// Keyed state, bytes.
    pub state_bytes: usize,
    /// How far back duplicates are known.
    pub reach: Option<Reach>,
    /// Hash of the ruleset in force.
    pub ruleset: String,
    /// Counts of the whole log.
    pub counters: Counters,
    /// What the memory bound has cost, by operator and other holders of state.
    pub evicted: BTreeMap<String, u64>,
    /// Counts of each rule.
    pub rules: Vec<RuleCounters>,
    /// Counts of each producer.
    pub producers: Vec<ProducerCounters>,
    /// Rules that were in force before and are no more.
    pub former_rules: Vec<String>,
    /// Rules that run in shadow until their windows are whole, and until when, Unix ms.
    pub warming: Vec<(String, i64)>,
    /// Rules whose brake holds.
    pub braked: Vec<BrakedRule>,
    /// What became of the outputs that had been committed before.
    pub compared: Compared,
    /// Entries that were lost to damage.
    pub lost: u64,
}

impl EngineFigures {
    /// How far behind it is while there is something that it has not applied, ms: the oldest of that came after the newest
    /// event that it has applied, and after it was last caught up.
    pub(crate) fn behind_ms(&self, clock: &Clock) -> u64 {
        let arrived = clock.age_ms(self.arrival_ms);
        self.caught_up_ms.map_or(arrived, |caught_up_ms| arrived.min(age_ms(clock.monotonic_ms(), caught_up_ms)))
    }
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
    by_stream: Mutex<BTreeMap<Arc<str>, u64>>,
}

impl LogFigures {
    /// Counts events of streams.
    pub(crate) fn count(&self, events: &[Incoming]) {
        self.events.fetch_add(events.len() as u64, Ordering::Relaxed);
        let mut by_stream = held(&self.by_stream);
        for event in events {
            match by_stream.get_mut(&event.stream) {
                Some(count) => *count += 1,
                None => drop(by_stream.insert(Arc::clone(&event.stream), 1)),
            }
        }
    }

    /// How many of a stream.
    pub(crate) fn of_stream(&self, stream: &str) -> u64 {
        held(&self.by_stream).get(stream).copied().unwrap_or(0)
    }

    /// As of now; `next` and `durable` are what the log has come to.
    pub(crate) fn stats(&self, next: u64, durable: u64) -> LogStats {
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

    /// As of now.
    pub(crate) fn stats(&self) -> QueueStats {
        let (depth, capacity) = (self.look)();
        QueueStats { name: self.name, depth: depth as u64, capacity: capacity as u64 }
    }
}
