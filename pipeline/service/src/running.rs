//! The live service at work, as its program sees it, and how it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::decide::engine_thread::Ask;
use crate::decide::log_thread::LogAppender;
use crate::decide::progress::Progress;
use crate::error::BoxError;
use crate::health::ended::Ended;
use crate::health::hindrance::Hindrances;
use crate::operate::control::{Control, Restored};
use crate::operate::operator::Operator;
use crate::receive::sources::Sources;
use crate::recover::lock::FolderLock;

/// How long a drain waits for the sinks; what is left stays in the outbox for the next start.
const SINKS_PATIENCE: Duration = Duration::from_secs(10);

/// What runs.
pub(crate) struct Parts {
    pub(crate) operator: Arc<Operator>,
    pub(crate) restored: Restored,
    pub(crate) sources: Sources,
    pub(crate) router: Option<axum::Router>,
    pub(crate) appender: LogAppender,
    pub(crate) progress: Arc<Progress>,
    pub(crate) asks: mpsc::Sender<Ask>,
    /// Those that only look: they are dropped when the rest ends.
    pub(crate) tasks: JoinSet<()>,
    /// Holds ingestion up while the outbox is full; it lets the last of it in at a drain.
    pub(crate) pausing: tokio::task::JoinHandle<()>,
    pub(crate) sink_tasks: JoinSet<()>,
    pub(crate) snapshot_task: tokio::task::JoinHandle<()>,
    pub(crate) threads: Vec<JoinHandle<()>>,
    pub(crate) draining: watch::Sender<bool>,
    pub(crate) stopping: Arc<AtomicBool>,
    pub(crate) hindrances: Hindrances,
    pub(crate) ended: Ended,
    pub(crate) lock: FolderLock,
}

/// The live service at work.
pub struct Running {
    parts: Parts,
}

impl Running {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// What an operator can ask of it, its figures included.
    pub fn control(&self) -> Arc<dyn Control> {
        Arc::clone(&self.parts.operator) as Arc<dyn Control>
    }

    /// What receives events over HTTP, if that is on.
    pub fn router(&self) -> Option<axum::Router> {
        self.parts.router.clone()
    }

    /// What it took up.
    pub fn restored(&self) -> &Restored {
        &self.parts.restored
    }

    /// Appends records from within the process.
    pub fn appender(&self) -> LogAppender {
        self.parts.appender.clone()
    }

    /// Until it cannot go on: what a part outside said. Never while all is well, at the end of a finite source neither.
    pub async fn stopped(&mut self) -> BoxError {
        self.parts.ended.wait().await
    }

    /// Accepts nothing new, processes and commits what is in the log, gives the sinks a last turn, writes a snapshot.
    ///
    /// # Errors
    /// A part had failed, or failed on the way; what was accepted is in the log all the same.
    pub async fn drain(self) -> Result<(), BoxError> {
        let Parts {
            operator,
            sources,
            appender,
            progress,
            asks,
            mut tasks,
            pausing,
            mut sink_tasks,
            snapshot_task,
            threads,
            draining,
            stopping,
            hindrances,
            ended,
            lock,
            ..
        } = self.parts;
        stopping.store(true, Ordering::Relaxed);
        // A drain does not wait for room: what is not written is told again by whoever sent it.
        hindrances.stop();
        tracing::info!("draining");
        sources.stop().await;
        tasks.shutdown().await;
        pausing.abort();
        // The engine is asked for a snapshot before the log ends, and takes it when it has read all.
        let last = progress.now().appended;
        let stats = operator.stats();
        if stats.worker.position > 0 || last > 0 {
            drop(asks.send(Ask::LastSnapshot).await); // an engine that is gone has said why
        }
        drop((asks, operator));
        // The log ends; then the engine, which has read all of it, then the sinks, then the committer.
        appender.end().await;
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().all(|thread| thread.join().is_ok()));
        if ended.is_some() {
            // A part has failed: nothing that the snapshot waits for may come any more.
            draining.send_replace(true);
        }
        let snapshot = snapshot_task.await;
        draining.send_replace(true);
        let sinks = async { while sink_tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(SINKS_PATIENCE, sinks).await.is_err() {
            tracing::warn!("a sink did not finish in time; what is left is sent after the next start");
        }
        sink_tasks.shutdown().await;
        let whole = joined.await?;
        drop(lock);
        if let Some(error) = ended.take() {
            return Err(error);
        }
        snapshot?;
        if whole { Ok(()) } else { Err("a thread of the service panicked".into()) }
    }
}
