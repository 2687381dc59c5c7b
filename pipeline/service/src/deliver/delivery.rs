//! One task a sink: sends what its queue gives, and tells the committer what became of it. A slow or dead sink slows
//! nothing but itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rasid_connectors::Disposition;
use rasid_connectors::courier::{Next, State};
use rasid_connectors::effect::Fate;
use rasid_connectors::latest;
use rasid_connectors::outbox;
use rasid_connectors::sink::{Answer, Sink};
use tokio::sync::{Notify, mpsc, watch};

use crate::chain::Chain;
use crate::clock::{Clock, age_ms};
use crate::decide::commit_thread::ToCommit;
use crate::deliver::dispatch::Queue;
use crate::health::stats::{Breaker, SinkStats, Trouble};

/// How often a queue with nothing to do looks again by itself.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often what stands at a receiver is said again, ms: as often as Prometheus does to its Alertmanager.
const AGAIN_MS: i64 = 60_000;
/// The same while the receiver does not take it, ms.
const AGAIN_SOON_MS: i64 = 10_000;
/// Longest part of a receiver's answer in a log line, characters.
const SHOWN_CHARS_MAX: usize = 120;

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
    pub(crate) said: Said,
}

/// What the task has said to people and receivers, so that it says neither too often.
#[derive(Default)]
pub(crate) struct Said {
    /// Parked since the last line about it, and the newest answer.
    parked: u64,
    answer: String,
    /// That the receiver refuses everything.
    refused: bool,
    /// When what stands is to be said again, ms by the monotonic clock; from the first turn on.
    again_ms: Option<i64>,
    /// That what stands is not taken.
    not_taken: bool,
}

impl<S: Sink + ?Sized> Delivery<S> {
    /// Runs until it is drained or the committer is gone.
    pub(crate) async fn run(mut self) -> Result<(), outbox::Error> {
        loop {
            self.queue.committed();
            self.say_again().await;
            if !self.turn().await? && !self.wait().await {
                return Ok(());
            }
        }
    }

    /// Sends at most one batch; false where there is nothing to send now.
    pub(crate) async fn turn(&mut self) -> Result<bool, outbox::Error> {
        let next = match self.queue.next(self.clock.monotonic_ms()) {
            // The committer waits for room as well, and tells when there is some.
            Err(error) if error.disposition() == Disposition::Retry => {
                tracing::warn!(sink = self.sink.name(), error = %Chain(&error), "the outbox cannot be read just now");
                self.until_ms = None;
                return Ok(false);
            }
            next => next?,
        };
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
            self.fails(error);
        } else {
            self.answers();
        }
        self.queue.answered(self.clock.monotonic_ms(), answer);
        self.lock().retries_total += u64::from(retry);
        self.settle().await;
        Ok(true)
    }

    /// Says again what stands at the receiver, when it is time. Nothing is counted: it is no delivery, and no failure of
    /// one. A receiver that is away is asked by its queue alone. Not at once after a start: a page may be about to be
    /// taken back by what waits.
    async fn say_again(&mut self) {
        let now_ms = self.clock.monotonic_ms();
        let due_ms = *self.said.again_ms.get_or_insert(now_ms + AGAIN_MS);
        if now_ms < due_ms || self.queue.courier().state() != State::Closed || latest(&self.draining) {
            return;
        }
        let answer = self.sink.say_again(self.clock.wall_ms()).await;
        let taken = answer.as_ref().is_none_or(|answer| *answer == Answer::TAKEN);
        if !taken && !self.said.not_taken {
            tracing::warn!(sink = self.sink.name(), ?answer, "what stands was not taken again; tried on");
        }
        self.said.not_taken = !taken;
        self.said.again_ms = Some(self.clock.monotonic_ms() + if taken { AGAIN_MS } else { AGAIN_SOON_MS });
        self.settle().await;
    }

    /// Tells the committer what became of items.
    async fn settle(&mut self) {
        let settled = self.queue.take_settled();
        let standing = self.sink.take_standing();
        let mut answers =
            settled.iter().filter_map(|settled| if let Fate::Parked { answer } = &settled.fate { Some(answer) } else { None });
        let parked = answers.clone().count() as u64;
        if let Some(answer) = answers.next_back() {
            self.said.answer = answer.chars().take(SHOWN_CHARS_MAX).collect();
        }
        {
            let mut stats = self.lock();
            stats.parked_total += parked;
            stats.delivered_total += settled.len() as u64 - parked;
            stats.breaker = match self.queue.courier().state() {
                State::Closed => Breaker::Closed,
                State::Open => Breaker::Open,
                State::HalfOpen => Breaker::HalfOpen,
            };
            stats.refusing = self.queue.courier().is_refused();
            stats.standing = self.sink.standing() as u64;
        }
        self.said.parked += parked;
        self.say_refused();
        if !settled.is_empty() {
            tracing::trace!(sink = self.sink.name(), items = settled.len(), "acknowledged");
        }
        if !settled.is_empty() || !standing.is_empty() {
            // A committer that is gone has made its last commit; the items stay in the outbox for the next start.
            drop(self.commits.send(ToCommit::Settled(settled, standing)).await);
        }
    }

    /// One line for a batch of which items were parked, when all of it is done with; one when the receiver begins to refuse
    /// everything, and one when it ends.
    fn say_refused(&mut self) {
        let (sink, courier) = (self.sink.name(), self.queue.courier());
        if self.said.parked > 0 && !courier.is_halving() {
            tracing::warn!(sink, parked = self.said.parked, answer = self.said.answer, "a receiver refused items; they are parked");
            self.said.parked = 0;
        }
        let refused = courier.is_refused();
        if refused != std::mem::replace(&mut self.said.refused, refused) {
            if refused {
                let answer: String = courier.trouble().map_or("", |(_, error)| error).chars().take(SHOWN_CHARS_MAX).collect();
                tracing::warn!(sink, answer, "a receiver refuses everything; no more is parked, it waits until something is taken");
            } else {
                tracing::info!(sink, "the receiver takes items again");
            }
        }
    }

    /// The receiver did not take something, for the figures.
    pub(crate) fn fails(&self, error: &str) {
        let now_ms = self.clock.monotonic_ms();
        let mut stats = self.lock();
        let since_ms = stats.trouble.as_ref().map_or(now_ms, |trouble| trouble.since_ms);
        stats.trouble = Some(Trouble::new(error, since_ms));
    }

    /// The receiver answers, whatever it says.
    pub(crate) fn answers(&self) {
        self.lock().trouble = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, SinkStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do; false when the task shall end.
    async fn wait(&mut self) -> bool {
        if latest(&self.draining) {
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
mod tests;
