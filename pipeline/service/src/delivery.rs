//! One task a sink: sends what its queue gives, and tells the committer what became of it. A slow or dead sink slows
//! nothing but itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rasid_connectors::courier::{Next, State};
use rasid_connectors::effect::Fate;
use rasid_connectors::outbox;
use rasid_connectors::sink::{Answer, Sink};
use tokio::sync::{Notify, mpsc, watch};

use crate::clock::{Clock, age_ms};
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
    /// Until when the courier waits, as it last said, ms by the monotonic clock. Asking it again would take a batch that nobody sends.
    pub(crate) until_ms: Option<i64>,
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
        let next = self.queue.next(self.clock.monotonic_ms())?;
        self.until_ms = if let Next::Wait { until_ms } = next { Some(until_ms) } else { None };
        let Next::Send(parcel) = next else {
            self.settle().await;
            return Ok(false);
        };
        tracing::trace!(sink = self.sink.name(), items = parcel.items().len(), "send");
        let answer = self.sink.deliver(&parcel.batch(self.clock.wall_ms())).await.bounded();
        let retry = matches!(answer, Answer::Unavailable { .. } | Answer::Unknown { .. });
        if let Answer::Unavailable { error, .. } | Answer::Unknown { error } = &answer {
            tracing::warn!(sink = self.sink.name(), error, "sink did not take a batch");
        }
        self.queue.answered(self.clock.monotonic_ms(), answer);
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
        let patience =
            self.until_ms.map_or(PATIENCE, |until_ms| Duration::from_millis(age_ms(until_ms, self.clock.monotonic_ms())).min(PATIENCE));
        tokio::select! {
            () = self.more.notified() => {}
            _ = self.draining.changed() => {}
            () = tokio::time::sleep(patience) => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use rasid_connectors::courier;
    use rasid_connectors::effect::{AlertItem, Body, Item};
    use rasid_connectors::outbox::{Commit, Outbox};
    use rasid_connectors::sink::Batch;
    use rasid_rules::ruleset::Severity;

    use super::*;

    /// Is away twice, then takes everything.
    struct Away(u32);

    #[async_trait::async_trait]
    impl Sink for Away {
        fn name(&self) -> &'static str {
            "core"
        }

        fn takes(&self, _: &Body) -> bool {
            true
        }

        fn batch_max(&self) -> usize {
            10
        }

        async fn deliver(&mut self, _: &Batch<'_>) -> Answer {
            if self.0 == 0 {
                return Answer::TAKEN;
            }
            self.0 -= 1;
            Answer::Unavailable { retry_after_ms: Some(1_000), error: "away".to_owned() }
        }
    }

    fn item() -> Item {
        let body = Body::Alert(AlertItem {
            id: "al_1".to_owned(),
            rule: "a.b".to_owned(),
            severity: Severity::Sev2,
            entity: "user:u_1".to_owned(),
            opened_at_ms: 1,
            title: "t".to_owned(),
            explanation: "e".to_owned(),
            runbook: None,
            json: "{}".to_owned(),
        });
        Item { sink: "core".to_owned(), seq: 0, position: 1, committed_ms: 1, body }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sink_that_was_away_is_served_again_however_the_clock_falls() {
        // The clock moves at every look, so a pause ends between any two of them.
        for step_ms in [1, 100, 400, 999, 1_000, 2_500] {
            let memory = rasid_connectors::outbox::backend::Memory::new();
            let outbox = Arc::new(Outbox::with_backend(memory.backend()).expect("memory"));
            outbox.commit(Commit { position: 1, items: &[item()], ..Commit::default() }).expect("memory");
            let now = AtomicI64::new(0);
            let (commits, mut settled) = mpsc::channel(8);
            let (_draining, draining) = watch::channel(false);
            let delivery = Delivery {
                sink: Box::new(Away(2)),
                queue: Queue::new("core", outbox, courier::Config::default(), 1),
                more: Arc::default(),
                commits,
                stats: Arc::default(),
                clock: Clock::new(|| 0, move || now.fetch_add(step_ms, Ordering::Relaxed)),
                draining,
                until_ms: None,
            };
            let task = tokio::spawn(delivery.run());
            let answer = tokio::time::timeout(Duration::from_hours(24), settled.recv()).await.expect("in time");
            assert!(matches!(answer, Some(ToCommit::Settled(items)) if items.len() == 1), "{step_ms}");
            task.abort();
        }
    }
}
