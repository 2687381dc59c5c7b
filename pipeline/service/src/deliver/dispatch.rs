//! One sink's queue: out of the outbox, through the courier, and what became of it back to the outbox.

use std::collections::HashMap;
use std::sync::Arc;

use rasid_connectors::courier::{self, Courier, Next};
use rasid_connectors::effect::{Body, Fate, Item, Settled};
use rasid_connectors::outbox::{self, Outbox};
use rasid_connectors::sink::Answer;
use rasid_engine::ScoreChange;

/// Items read from the outbox at once.
const READ_MAX: usize = 1_000;
/// Scores sent ahead of their commit that are remembered until their item comes.
const AHEAD_MAX: usize = 100_000;

/// What one sink is still to be told. The queue itself is the outbox, on disk; here is only its beginning.
pub struct Queue {
    sink: String,
    outbox: Arc<Outbox>,
    courier: Courier,
    /// The newest place in the outbox's queue that was read.
    read: u64,
    /// Whether the outbox may have more beyond.
    more: bool,
    /// Versions that were sent before they were committed, by entity.
    ahead: HashMap<String, i64>,
    settled: Vec<Settled>,
}

impl Queue {
    /// The queue of that sink, from its beginning.
    pub fn new(sink: &str, outbox: Arc<Outbox>, config: courier::Config, seed: u64) -> Self {
        let courier = Courier::new(sink, config, seed);
        Self { sink: sink.to_owned(), outbox, courier, read: 0, more: true, ahead: HashMap::new(), settled: Vec::new() }
    }

    /// The outbox has got more.
    pub fn committed(&mut self) {
        self.more = true;
    }

    /// When the oldest item that its receiver has not acknowledged was committed, Unix ms.
    pub fn oldest_ms(&self) -> Option<i64> {
        // An outbox that cannot be read stops the queue at its next turn.
        self.outbox.pending(&self.sink, 0, 1).ok()?.first().map(|item| item.committed_ms)
    }

    /// Whether scores may be sent before their commit: not while older ones may be on their way from here. A receiver that
    /// was told that nothing is left of a score keeps no version to hold an older one back by.
    pub fn may_send_ahead(&self) -> bool {
        self.courier.depth() == 0
    }

    /// Scores that were sent, and have been taken, before their commit.
    pub fn sent_ahead(&mut self, changes: &[ScoreChange]) {
        for change in changes {
            if self.ahead.len() >= AHEAD_MAX {
                self.ahead.clear(); // it only saves sending them twice
            }
            self.ahead.insert(change.entity.clone(), change.version);
        }
    }

    /// What to do now, ms by the monotonic clock: send a batch, wait, or nothing.
    ///
    /// # Errors
    /// The outbox cannot be read.
    pub fn next(&mut self, now_ms: i64) -> Result<Next, outbox::Error> {
        self.fill()?;
        Ok(self.courier.next(now_ms))
    }

    /// The receiver has answered what [`Queue::next`] gave; by the same clock.
    pub fn answered(&mut self, now_ms: i64, answer: Answer) {
        self.settled.extend(self.courier.answered(now_ms, answer));
    }

    /// What became of items since the last call, for the next commit.
    pub fn take_settled(&mut self) -> Vec<Settled> {
        std::mem::take(&mut self.settled)
    }

    /// The courier, for its figures.
    pub fn courier(&self) -> &Courier {
        &self.courier
    }

    fn fill(&mut self) -> Result<(), outbox::Error> {
        while self.more && self.courier.room() > 0 {
            let items = self.outbox.pending(&self.sink, self.read, self.courier.room().min(READ_MAX))?;
            self.more = !items.is_empty();
            for item in items {
                let seq = item.seq;
                if self.is_behind(&item) {
                    self.settled.push(Settled { sink: item.sink, seq, fate: Fate::Delivered });
                } else if !self.courier.offer(item) {
                    return Ok(()); // full by bytes: it is read again when there is room
                }
                self.read = seq;
            }
        }
        Ok(())
    }

    /// Whether a version at least as new was sent already.
    fn is_behind(&mut self, item: &Item) -> bool {
        let Body::Score(change) = &item.body else { return false };
        match self.ahead.get(&change.entity) {
            Some(version) if *version == change.version => self.ahead.remove(&change.entity).is_some(),
            Some(version) => *version > change.version,
            None => false,
        }
    }
}
