//! One task a sink: sends what its queue gives, and tells the committer what became of it. A slow or dead sink slows
//! nothing but itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rasid_connectors::courier::{Next, State};
use rasid_connectors::effect::Fate;
use rasid_connectors::outbox;
use rasid_connectors::sink::{Answer, Sink};
use tokio::sync::{Notify, mpsc, watch};

use crate::clock::Clock;
use crate::commit_thread::ToCommit;
use crate::dispatch::Queue;
use crate::stats::{Breaker, SinkStats};

/// How often a queue with nothing to do looks again by itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// What one sink's task shares.
pub(crate) struct Delivery<S: Sink + ?Sized> {
    pub(crate) sink: Box<S>,
    pub(crate) queue: Queue,
    /// The outbox has more.
    pub(crate) more: Arc<Notify>,
    pub(crate) commits: mpsc::Sender<ToCommit>,
    pub(crate) stats: Arc<Mutex<SinkStats>>,
    pub(crate) clock: Clock,
    /// Becomes true when the task shall end as soon as its queue is empty, or stuck.
    pub(crate) draining: watch::Receiver<bool>,
}

impl<S: Sink + ?Sized> Delivery<S> {
    /// Runs until it is drained or the committer is gone.
    pub(crate) async fn run(mut self) -> Result<(), outbox::Error> {
        loop {
            self.queue.committed();
            if !self.turn().await? && !self.wait().await {
                return Ok(());
            }
        }
    }

    /// Sends at most one batch; false where there is nothing to send now.
    pub(crate) async fn turn(&mut self) -> Result<bool, outbox::Error> {
        let now_ms = (self.clock)();
        let Next::Send(parcel) = self.queue.next(now_ms)? else {
            self.settle().await;
            return Ok(false);
        };
        tracing::trace!(sink = self.sink.name(), items = parcel.items().len(), "send");
        let answer = self.sink.deliver(&parcel.batch(now_ms)).await;
        let retry = matches!(answer, Answer::Unavailable { .. } | Answer::Unknown { .. });
        if let Answer::Unavailable { error, .. } | Answer::Unknown { error } = &answer {
            tracing::warn!(sink = self.sink.name(), error, "sink did not take a batch");
        }
        self.queue.answered((self.clock)(), answer);
        self.lock().retries_total += u64::from(retry);
        self.settle().await;
        Ok(true)
    }

    /// Tells the committer what became of items.
    async fn settle(&mut self) {
        let settled = self.queue.take_settled();
        let parked = settled.iter().filter(|settled| matches!(settled.fate, Fate::Parked { .. })).count() as u64;
        {
            let mut stats = self.lock();
            stats.parked_total += parked;
            stats.delivered_total += settled.len() as u64 - parked;
            stats.breaker = match self.queue.courier().state() {
                State::Closed => Breaker::Closed,
                State::Open => Breaker::Open,
                State::HalfOpen => Breaker::HalfOpen,
            };
        }
        if parked > 0 {
            tracing::warn!(sink = self.sink.name(), parked, "a receiver refused items; they are parked");
        }
        if !settled.is_empty() {
            tracing::trace!(sink = self.sink.name(), items = settled.len(), "acknowledged");
            // A committer that is gone has made its last commit; the items stay in the outbox for the next start.
            drop(self.commits.send(ToCommit::Settled(settled)).await);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, SinkStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do; false when the task shall end.
    async fn wait(&mut self) -> bool {
        if *self.draining.borrow() {
            return false;
        }
        let until_ms = match self.queue.next((self.clock)()) {
            Ok(Next::Wait { until_ms }) => Some(until_ms),
            _ => None,
        };
        let patience = until_ms
            .map_or(PATIENCE, |until_ms| Duration::from_millis(u64::try_from(until_ms - (self.clock)()).unwrap_or(0)).min(PATIENCE));
        tokio::select! {
            () = self.more.notified() => {}
            _ = self.draining.changed() => {}
            () = tokio::time::sleep(patience) => {}
        }
        true
    }
}
