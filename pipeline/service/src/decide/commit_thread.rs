//! The thread that commits: effects wait here until the log is durable to their position, then leave together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rasid_connectors::effect::{Item, Settled, Standing};
use rasid_engine::ScoreChange;
use tokio::sync::{Notify, mpsc, watch};

use crate::clock::Clock;
use crate::decide::commit::{CommitError, Committer};
use crate::decide::progress::Progress;
use crate::decide::set_aside::SetAsides;
use crate::decide::store_thread::ToStore;
use crate::decide::worker::Step;
use crate::health::hindrance::{Area, Hindrances};

/// Most messages taken into one commit.
const GROUP_MAX: usize = 512;

/// What is to be committed.
pub(crate) enum ToCommit {
    /// What the engine made of a block.
    Step(Box<Step>),
    /// What became of items, and what has changed with it of what stands at their receiver.
    Settled(Vec<Settled>, Vec<Standing>),
}

/// Scores on their way to Redis ahead of their commit.
pub(crate) struct Ahead {
    pub(crate) changes: Vec<ScoreChange>,
    /// When the event that changed the newest of them arrived, Unix ms.
    pub(crate) arrival_ms: i64,
}

pub(crate) struct CommitThread {
    pub(crate) committer: Committer,
    pub(crate) messages: mpsc::Receiver<ToCommit>,
    pub(crate) progress: Arc<Progress>,
    /// `None` without Redis.
    pub(crate) ahead: Option<mpsc::Sender<Ahead>>,
    /// What goes into the alert store.
    pub(crate) store: mpsc::Sender<ToStore>,
    /// The sinks, to be told that there is more.
    pub(crate) sinks: Vec<Arc<Notify>>,
    /// Commits so far.
    pub(crate) commits: Arc<AtomicU64>,
    /// The committed position.
    pub(crate) committed: watch::Sender<u64>,
    pub(crate) hindrances: Hindrances,
    pub(crate) set_aside: SetAsides,
    pub(crate) clock: Clock,
}

impl CommitThread {
    /// Commits until nobody can ask any more.
    pub(crate) fn run(mut self) -> Result<(), CommitError> {
        while let Some(first) = self.messages.blocking_recv() {
            let (mut steps, mut settled, mut standing) = (Vec::new(), Vec::new(), Vec::new());
            let mut message = Some(first);
            while let Some(next) = message.take() {
                match next {
                    ToCommit::Step(step) => steps.push(*step),
                    ToCommit::Settled(more, changes) => {
                        settled.extend(more);
                        standing.extend(changes);
                    }
                }
                if steps.len() + settled.len() < GROUP_MAX {
                    message = self.messages.try_recv().ok();
                }
            }
            if let Some(last) = steps.last()
                && !self.progress.wait_durable(last.position)
            {
                // The log ended before it was durable to here: what it lost, nobody may be told.
                return Ok(());
            }
            self.send_ahead(&mut steps);
            // A replay finds again what was set aside before.
            let (committed, now_ms) = (self.committer.position(), self.clock.monotonic_ms());
            let letters = steps.iter().flat_map(|step| &step.dead_letters);
            self.set_aside.came(letters.filter(|letter| letter.position > committed), now_ms);
            let changes = steps.iter_mut().flat_map(|step| std::mem::take(&mut step.changes)).collect();
            let step = steps.last().map(|last| ToStore::Step { position: last.position, changes });
            self.commit(steps, settled, standing)?;
            // Alerts are on their way by now. A store that is gone has said why.
            if step.is_some_and(|step| self.store.blocking_send(step).is_err()) {
                return Ok(());
            }
            self.committed.send_replace(self.committer.position());
        }
        Ok(())
    }

    fn commit(&mut self, steps: Vec<Step>, settled: Vec<Settled>, standing: Vec<Standing>) -> Result<(), CommitError> {
        let settled_items = settled.len();
        tracing::trace!(steps = steps.len(), settled = settled_items, "commit");
        let mut committed = self.committer.commit(self.clock.now(), steps, settled, standing);
        let waited = committed.is_err();
        if let Err(error) = committed {
            committed = self.finish(error);
        }
        let items = committed?;
        tracing::trace!(position = self.committer.position(), items = items.len(), "committed");
        self.commits.fetch_add(1, Ordering::Relaxed);
        if settled_items > 0 {
            tracing::trace!(items = settled_items, "settled");
        }
        // After a wait it may not be known what there is.
        if !items.is_empty() || waited {
            self.sinks.iter().for_each(|sink| sink.notify_one());
        }
        Ok(())
    }

    /// Waits for room, and makes the commit that found none.
    fn finish(&mut self, error: CommitError) -> Result<Vec<Item>, CommitError> {
        let area = match &error {
            CommitError::DeadLetters(_) => Area::DeadLetters,
            CommitError::Outbox(_) => Area::Outbox,
        };
        let mut first = Some(error);
        let (hindrances, committer) = (&self.hindrances, &mut self.committer);
        hindrances.until_done(area, CommitError::disposition, || match first.take() {
            Some(error) => Err(error),
            None => committer.finish(),
        })
    }

    /// Scores need not wait for the commit: their versions are functions of the log, which is durable by now. Where the
    /// queue is full they go the longer way, with everything else.
    fn send_ahead(&self, steps: &mut [Step]) {
        let Some(ahead) = &self.ahead else { return };
        let arrival_ms = steps.iter().map(|step| step.arrival_ms).max().unwrap_or(0);
        let changes: Vec<ScoreChange> = steps.iter_mut().flat_map(|step| std::mem::take(&mut step.scores)).collect();
        if !changes.is_empty() {
            drop(ahead.try_send(Ahead { changes, arrival_ms }));
        }
    }
}
