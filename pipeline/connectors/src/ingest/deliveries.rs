//! Which deliveries were seen: each `webhook-id` of a sender counts once. Ages go by a clock that nobody sets.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use twox_hash::XxHash3_64;

/// How long an id is remembered, ms: 15 min. A signature is accepted from 5 min before its timestamp to 5 min after it,
/// so a copy of a request can come 10 min after the first at most; the rest is for clocks that are set.
pub const REMEMBERED_MS: i64 = 15 * 60 * 1000;

/// The origin offset of a record that came under this id; `last` is set for the last record of its request, so that
/// after a crash a request is taken for known only when all of it is in the log.
pub fn delivery_offset(webhook_id: &str, last: bool) -> u64 {
    (XxHash3_64::oneshot(webhook_id.as_bytes()) & !1) | u64::from(last)
}

/// A sender and the hash of an id.
type Key = (usize, u64);

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    UnderWay,
    Durable,
    Failed,
}

/// What is known of a delivery that came.
pub(super) enum Known {
    /// It is the first; who holds this appends it.
    New(Claim),
    /// It is being appended; its outcome will be here.
    UnderWay(watch::Receiver<Outcome>),
    /// It is durable.
    Done,
    /// It cannot be remembered: too many are.
    Full,
}

enum Entry {
    UnderWay(watch::Receiver<Outcome>),
    Done,
}

#[derive(Default)]
struct Memory {
    entries: HashMap<Key, Entry>,
    /// What is done, by when; oldest first.
    ages: VecDeque<(i64, Key)>,
}

/// The memory of all senders' ids.
pub(super) struct Deliveries {
    memory: Mutex<Memory>,
    max: usize,
}

impl Deliveries {
    /// Remembers `max` ids at most. Beyond that new ones are refused until old ones may be forgotten: forgetting early
    /// would let a copy in.
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { memory: Mutex::default(), max: max.max(1) })
    }

    /// A delivery came.
    pub(super) fn arrived(self: &Arc<Self>, sender: usize, webhook_id: &str, now_ms: i64) -> Known {
        let key = (sender, delivery_offset(webhook_id, true));
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.forget(now_ms);
        match memory.entries.get(&key) {
            Some(Entry::Done) => Known::Done,
            Some(Entry::UnderWay(outcome)) => Known::UnderWay(outcome.clone()),
            None if memory.entries.len() >= self.max => Known::Full,
            None => {
                let (sender, receiver) = watch::channel(Outcome::UnderWay);
                memory.entries.insert(key, Entry::UnderWay(receiver));
                Known::New(Claim { deliveries: self.clone(), key, outcome: sender })
            }
        }
    }

    /// A record with this offset is in the log since `at_ms`.
    pub(super) fn remember(&self, sender: usize, offset: u64, at_ms: i64) {
        if offset & 1 == 1 {
            self.memory.lock().unwrap_or_else(PoisonError::into_inner).done((sender, offset), at_ms);
        }
    }
}

impl Memory {
    fn done(&mut self, key: Key, at_ms: i64) {
        if !matches!(self.entries.insert(key, Entry::Done), Some(Entry::Done)) {
            self.ages.push_back((at_ms, key));
        }
    }

    fn forget(&mut self, now_ms: i64) {
        while let Some((at_ms, key)) = self.ages.front()
            && now_ms.saturating_sub(*at_ms) > REMEMBERED_MS
        {
            self.entries.remove(key);
            self.ages.pop_front();
        }
    }
}

/// The right to append one delivery. Dropped without [`Claim::durable`], the delivery is as if it had never come.
pub(super) struct Claim {
    deliveries: Arc<Deliveries>,
    key: Key,
    outcome: watch::Sender<Outcome>,
}

impl Claim {
    /// Where its outcome will be.
    pub(super) fn outcome(&self) -> watch::Receiver<Outcome> {
        self.outcome.subscribe()
    }

    /// All its records are durable.
    pub(super) fn durable(self, now_ms: i64) {
        self.deliveries.memory.lock().unwrap_or_else(PoisonError::into_inner).done(self.key, now_ms);
        self.outcome.send_replace(Outcome::Durable);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if *self.outcome.borrow() == Outcome::Durable {
            return;
        }
        self.deliveries.memory.lock().unwrap_or_else(PoisonError::into_inner).entries.remove(&self.key);
        self.outcome.send_replace(Outcome::Failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(deliveries: &Arc<Deliveries>, id: &str, now_ms: i64) -> Claim {
        let Known::New(claim) = deliveries.arrived(0, id, now_ms) else { panic!("{id} should be new at {now_ms}") };
        claim
    }

    #[test]
    fn once_durable_it_is_known_for_its_time() {
        let deliveries = Deliveries::new(10);
        claim(&deliveries, "a", 0).durable(1000);
        assert!(matches!(deliveries.arrived(0, "a", 1000 + REMEMBERED_MS), Known::Done));
        assert!(matches!(deliveries.arrived(1, "a", 1000), Known::New(_)), "another sender's");
        assert!(matches!(deliveries.arrived(0, "a", 1001 + REMEMBERED_MS), Known::New(_)));
    }

    #[test]
    fn a_copy_hears_of_the_first() {
        let deliveries = Deliveries::new(10);
        let first = claim(&deliveries, "a", 0);
        let Known::UnderWay(outcome) = deliveries.arrived(0, "a", 1) else { panic!("under way") };
        assert_eq!(*outcome.borrow(), Outcome::UnderWay);
        first.durable(2);
        assert_eq!(*outcome.borrow(), Outcome::Durable);
    }

    #[test]
    fn what_failed_never_came() {
        let deliveries = Deliveries::new(10);
        let first = claim(&deliveries, "a", 0);
        let outcome = first.outcome();
        drop(first);
        assert_eq!(*outcome.borrow(), Outcome::Failed);
        claim(&deliveries, "a", 1).durable(1);
    }

    #[test]
    fn memory_is_bounded_and_never_forgets_early() {
        let deliveries = Deliveries::new(2);
        claim(&deliveries, "a", 0).durable(0);
        claim(&deliveries, "b", 1).durable(1);
        assert!(matches!(deliveries.arrived(0, "c", REMEMBERED_MS), Known::Full));
        assert!(matches!(deliveries.arrived(0, "a", REMEMBERED_MS), Known::Done));
        claim(&deliveries, "c", REMEMBERED_MS + 1).durable(REMEMBERED_MS + 1);
    }

    #[test]
    fn a_restart_knows_whole_requests_only() {
        let deliveries = Deliveries::new(10);
        deliveries.remember(0, delivery_offset("half", false), 5);
        deliveries.remember(0, delivery_offset("whole", false), 5);
        deliveries.remember(0, delivery_offset("whole", true), 5);
        assert!(matches!(deliveries.arrived(0, "whole", 6), Known::Done));
        assert!(matches!(deliveries.arrived(0, "half", 6), Known::New(_)));
        assert_ne!(delivery_offset("whole", true), delivery_offset("half", true));
    }
}
