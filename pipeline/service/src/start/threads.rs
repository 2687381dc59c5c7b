//! The threads: the log, the engine, the committer, the alert store, and the archive where there is one.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rasid_connectors::log::{DeadLetterLog, LogReader};
use tokio::sync::{Notify, mpsc, watch};

use crate::decide::commit::Committer;
use crate::decide::commit_thread::{Ahead, CommitThread, ToCommit};
use crate::decide::engine_thread::{Ask, EngineThread, SnapshotJob};
use crate::decide::log_thread::LogThread;
use crate::decide::set_aside::SetAsides;
use crate::decide::store_thread::{StoreThread, ToStore};
use crate::decide::worker::Worker;
use crate::error::StartError;
use crate::start::shared::Shared;

/// What they have to themselves.
pub(super) struct Threads {
    pub(super) log: LogThread,
    pub(super) reader: LogReader,
    pub(super) worker: Worker,
    pub(super) dead_letters: DeadLetterLog,
    pub(super) messages: mpsc::Receiver<ToCommit>,
    pub(super) asked: mpsc::Receiver<Ask>,
    pub(super) for_store: mpsc::Receiver<ToStore>,
    pub(super) committed: watch::Sender<u64>,
    pub(super) stored: watch::Sender<u64>,
    pub(super) snapshots: mpsc::Sender<SnapshotJob>,
    pub(super) snapshot_every_ms: i64,
    pub(super) ahead: Option<mpsc::Sender<Ahead>>,
    pub(super) sinks: Vec<Arc<Notify>>,
    #[cfg(feature = "archive")]
    pub(super) archive: Option<crate::archive::thread::ArchiveThread>,
}

impl Threads {
    pub(super) fn start(self, shared: &Shared) -> Result<Vec<JoinHandle<()>>, StartError> {
        let engine = EngineThread {
            worker: self.worker,
            reader: self.reader,
            progress: Arc::clone(&shared.progress),
            commits: shared.commits.clone(),
            asks: self.asked,
            snapshots: self.snapshots,
            snapshot_every_ms: self.snapshot_every_ms,
            figures: Arc::clone(&shared.figures.engine),
            clock: shared.clock.clone(),
        };
        let commit = CommitThread {
            committer: Committer::new(Arc::clone(&shared.outbox), self.dead_letters),
            messages: self.messages,
            progress: Arc::clone(&shared.progress),
            ahead: self.ahead,
            store: shared.to_store.clone(),
            sinks: self.sinks,
            commits: Arc::clone(&shared.figures.commits),
            committed: self.committed,
            hindrances: shared.hindrances.clone(),
            set_aside: SetAsides::counted_in(Arc::clone(&shared.figures.set_aside)),
            clock: shared.clock.clone(),
        };
        let store = StoreThread {
            store: Arc::clone(&shared.store),
            messages: self.for_store,
            stored: self.stored,
            hindrances: shared.hindrances.clone(),
        };
        let log = self.log;
        let [of_log, of_engine, of_commit, of_store] = std::array::from_fn(|_| shared.ended.clone());
        let threads = vec![
            spawn("log", move || of_log.unless_ok("the log", log.run()))?,
            spawn("engine", move || of_engine.unless_ok("the engine", engine.run()))?,
            spawn("commit", move || of_commit.unless_ok("the outbox", commit.run()))?,
            spawn("alerts", move || of_store.unless_ok("the alert store", store.run()))?,
        ];
        #[cfg(feature = "archive")]
        let threads = match self.archive {
            None => threads,
            Some(archive) => threads.into_iter().chain([spawn("archive", move || archive.run())?]).collect(),
        };
        Ok(threads)
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(StartError::outside)
}
