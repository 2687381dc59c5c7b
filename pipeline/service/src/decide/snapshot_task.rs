//! Snapshots to disk, beside the engine, which goes on meanwhile.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rasid_connectors::outbox::Outbox;
use rasid_connectors::snapshot::{self, SnapshotStore};
use tokio::sync::{mpsc, watch};

use crate::chain::Chain;
use crate::clock::{Clock, age_ms};
use crate::decide::engine_thread::SnapshotJob;
use crate::decide::log_thread::LogAppender;
use crate::decide::store_thread::ToStore;
use crate::health::hindrance::{Area, Hindrances};
use crate::health::stats::SnapshotStats;

/// Time between two looks at what retention has ended.
const RETAIN_EVERY: Duration = Duration::from_hours(1);

pub(crate) struct SnapshotTask {
    pub(crate) snapshots: SnapshotStore,
    pub(crate) jobs: mpsc::Receiver<SnapshotJob>,
    /// The committed position: a snapshot ahead of it would hide effects that nobody has.
    pub(crate) committed: watch::Receiver<u64>,
    /// Where the alert store is told to say durably how far it has come, for as long as the committer tells it anything; and that
    /// position: a snapshot ahead of it would keep from the store what it lacks.
    pub(crate) store: mpsc::WeakSender<ToStore>,
    pub(crate) stored: watch::Receiver<u64>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) log: LogAppender,
    pub(crate) stats: Arc<Mutex<SnapshotStats>>,
    pub(crate) hindrances: Hindrances,
    /// How long what a receiver refused for good is kept, ms.
    pub(crate) parked_retention_ms: i64,
    pub(crate) clock: Clock,
}

impl SnapshotTask {
    /// Writes until the engine is gone.
    pub(crate) async fn run(mut self) {
        let mut hourly = tokio::time::interval(RETAIN_EVERY);
        hourly.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let job = tokio::select! {
                job = self.jobs.recv() => job,
                // Retention is a promise about time, whether or not anything happens.
                _ = hourly.tick() => {
                    self.forget(self.snapshots.oldest_position().ok().flatten().unwrap_or(0)).await;
                    continue;
                }
            };
            let Some(job) = job else { return };
            let position = job.position;
            if self.committed.wait_for(|committed| *committed >= position).await.is_err() {
                return;
            }
            // A store that has ended has come as far as it could.
            if let Some(store) = self.store.upgrade() {
                drop(store.send(ToStore::UpTo(position)).await);
            }
            if self.stored.wait_for(|stored| *stored >= position).await.is_err() {
                return;
            }
            let (store, began, clock) = (self.snapshots.clone(), self.clock.now(), self.clock.clone());
            tracing::debug!(position, "snapshot");
            let written = tokio::task::spawn_blocking(move || {
                let written = write(&store, &job, began.wall_ms)?;
                Ok::<_, snapshot::Error>((written, age_ms(clock.monotonic_ms(), began.monotonic_ms), store.oldest_position()?))
            });
            match written.await {
                Ok(Ok((written, duration_ms, oldest))) => {
                    self.hindrances.over(Area::Snapshot);
                    tracing::info!(position, bytes = written.bytes, written_bytes = written.written_bytes, duration_ms, "snapshot written");
                    {
                        let mut stats = self.lock();
                        let failures_total = stats.failures_total;
                        *stats = SnapshotStats {
                            position: Some(position),
                            written_ms: Some(began.wall_ms),
                            duration_ms,
                            bytes: written.bytes,
                            failures_total,
                        };
                    }
                    self.forget(oldest.unwrap_or(0)).await;
                }
                Ok(Err(error)) => {
                    self.lock().failures_total += 1;
                    self.hindrances.meet(Area::Snapshot, &error);
                    tracing::error!(position, error = %Chain(&error), "snapshot not written; the one before stands");
                }
                Err(error) => {
                    self.lock().failures_total += 1;
                    tracing::error!(position, %error, "snapshot not written; the one before stands");
                }
            }
        }
    }

    /// What lies before the oldest snapshot is never replayed: the log may retire it, and no comparison needs it.
    async fn forget(&self, oldest: u64) {
        self.log.retain(oldest).await;
        let outbox = Arc::clone(&self.outbox);
        let parked_before_ms = self.clock.settled_ms().saturating_sub(self.parked_retention_ms);
        let forgotten = tokio::task::spawn_blocking(move || {
            outbox.forget_alerts_before(oldest)?;
            outbox.forget_parked_before(parked_before_ms)
        });
        match forgotten.await {
            Ok(Ok(0)) => {}
            Ok(Ok(parked)) => tracing::warn!(parked, "what receivers refused long ago was forgotten"),
            Ok(Err(error)) => tracing::warn!(error = %Chain(&error), "old alerts not forgotten"),
            Err(error) => tracing::warn!(%error, "old alerts not forgotten"),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, SnapshotStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a job's state; the parts are encoded one at a time.
pub(crate) fn write(store: &SnapshotStore, job: &SnapshotJob, now_ms: i64) -> Result<snapshot::Written, snapshot::Error> {
    store.write(job.position, &job.ruleset, &job.settings, &job.snapshot, now_ms)
}
