//! Which deliveries were seen: each `webhook-id` of a sender stands for one body. Ages go by a clock that nobody sets.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// What a delivery brought: a hash of its records, as they stand in the log, in their order. It is made of those again
/// after a restart. It tells a sender's mistakes, and is no seal: a sender could only deceive itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Content(u64);

impl Content {
    pub(super) fn of<'r>(records: impl IntoIterator<Item = &'r [u8]>) -> Self {
        records.into_iter().fold(Self::default(), Self::and)
    }

    fn and(self, record: &[u8]) -> Self {
        Self(XxHash3_64::oneshot_with_seed(self.0, record))
    }
}

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
    /// Its id stands for another body.
    Other,
    /// It cannot be remembered: too many of its sender are.
    Full,
}

struct Entry {
    content: Content,
    /// `None`: it is durable.
    under_way: Option<watch::Receiver<Outcome>>,
}

/// Of one sender.
#[derive(Default)]
struct Memory {
    /// By the hash of the id.
    entries: HashMap<u64, Entry>,
    /// What is done, by when; oldest first.
    ages: VecDeque<(i64, u64)>,
    /// The request whose records are being told from the log: id, arrival, content so far.
    told: Option<(u64, i64, Content)>,
}

/// The memory of all senders' ids, to each its own.
pub(super) struct Deliveries {
    senders: Vec<Mutex<Memory>>,
    max: usize,
}

impl Deliveries {
    /// Remembers `max` ids of each sender at most. Beyond that its new ones are refused until old ones may be forgotten:
    /// forgetting early would let a copy in.
    pub(super) fn new(senders: usize, max: usize) -> Arc<Self> {
        Arc::new(Self { senders: (0..senders).map(|_| Mutex::default()).collect(), max: max.max(1) })
    }

    /// A delivery came.
    pub(super) fn arrived(self: &Arc<Self>, sender: usize, webhook_id: &str, content: Content, now_ms: i64) -> Known {
        let key = delivery_offset(webhook_id, true);
        let Some(mut memory) = self.of(sender) else { return Known::Full };
        memory.forget(now_ms);
        match memory.entries.get(&key) {
            Some(entry) if entry.content != content => Known::Other,
            Some(Entry { under_way: None, .. }) => Known::Done,
            Some(Entry { under_way: Some(outcome), .. }) => Known::UnderWay(outcome.clone()),
            None if memory.entries.len() >= self.max => Known::Full,
            None => {
                let (outcome, under_way) = watch::channel(Outcome::UnderWay);
                memory.entries.insert(key, Entry { content, under_way: Some(under_way) });
                Known::New(Claim { deliveries: self.clone(), sender, key, content, outcome })
            }
        }
    }

    /// A record with this offset is in the log since `at_ms`, told in the log's order. `arrival_ms` is what it is stamped with.
    pub(super) fn remember(&self, sender: usize, offset: u64, arrival_ms: i64, record: &[u8], at_ms: i64) {
        let Some(mut memory) = self.of(sender) else { return };
        // A request's records have one stamp and lie together. What has the id and another stamp was torn by a crash.
        let id = offset & !1;
        let before = memory.told.take().filter(|(told, stamped_ms, _)| (*told, *stamped_ms) == (id, arrival_ms));
        let content = before.map_or(Content::default(), |(.., content)| content).and(record);
        if offset & 1 == 1 {
            memory.done(offset, content, at_ms);
        } else {
            memory.told = Some((id, arrival_ms, content));
        }
    }

    fn of(&self, sender: usize) -> Option<MutexGuard<'_, Memory>> {
        self.senders.get(sender).map(|memory| memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Memory {
    fn done(&mut self, key: u64, content: Content, at_ms: i64) {
        if let Some(Entry { under_way: None, .. }) = self.entries.get(&key) {
            return; // the first counts
        }
        self.entries.insert(key, Entry { content, under_way: None });
        self.ages.push_back((at_ms, key));
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
    sender: usize,
    key: u64,
    content: Content,
    outcome: watch::Sender<Outcome>,
}

impl Claim {
    /// Where its outcome will be.
    pub(super) fn outcome(&self) -> watch::Receiver<Outcome> {
        self.outcome.subscribe()
    }

    /// All its records are durable.
    pub(super) fn durable(self, now_ms: i64) {
        if let Some(mut memory) = self.deliveries.of(self.sender) {
            memory.done(self.key, self.content, now_ms);
        }
        self.outcome.send_replace(Outcome::Durable);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if *self.outcome.borrow() == Outcome::Durable {
            return;
        }
        if let Some(mut memory) = self.deliveries.of(self.sender) {
            memory.entries.remove(&self.key);
        }
        self.outcome.send_replace(Outcome::Failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latest;

    const BODY: Content = Content(1);

    fn claim(deliveries: &Arc<Deliveries>, id: &str, now_ms: i64) -> Claim {
        let Known::New(claim) = deliveries.arrived(0, id, BODY, now_ms) else { panic!("{id} should be new at {now_ms}") };
        claim
    }

    #[test]
    fn once_durable_it_is_known_for_its_time() {
        let deliveries = Deliveries::new(2, 10);
        claim(&deliveries, "a", 0).durable(1000);
        assert!(matches!(deliveries.arrived(0, "a", BODY, 1000 + REMEMBERED_MS), Known::Done));
        assert!(matches!(deliveries.arrived(1, "a", BODY, 1000), Known::New(_)), "another sender's");
        assert!(matches!(deliveries.arrived(0, "a", BODY, 1001 + REMEMBERED_MS), Known::New(_)));
    }

    #[test]
    fn a_copy_hears_of_the_first() {
        let deliveries = Deliveries::new(1, 10);
        let first = claim(&deliveries, "a", 0);
        let Known::UnderWay(outcome) = deliveries.arrived(0, "a", BODY, 1) else { panic!("under way") };
        assert_eq!(latest(&outcome), Outcome::UnderWay);
        first.durable(2);
        assert_eq!(latest(&outcome), Outcome::Durable);
    }

    #[test]
    fn what_failed_never_came() {
        let deliveries = Deliveries::new(1, 10);
        let first = claim(&deliveries, "a", 0);
        let outcome = first.outcome();
        drop(first);
        assert_eq!(latest(&outcome), Outcome::Failed);
        claim(&deliveries, "a", 1).durable(1);
    }

    #[test]
    fn an_id_stands_for_one_body() {
        let deliveries = Deliveries::new(1, 10);
        let first = claim(&deliveries, "a", 0);
        assert!(matches!(deliveries.arrived(0, "a", Content(2), 1), Known::Other), "while it is under way");
        first.durable(2);
        assert!(matches!(deliveries.arrived(0, "a", Content(2), 3), Known::Other), "when it is durable");
        assert!(matches!(deliveries.arrived(0, "a", BODY, 3), Known::Done));
        assert!(matches!(deliveries.arrived(0, "a", Content(2), 3 + REMEMBERED_MS), Known::New(_)), "its time is over");
    }

    #[test]
    fn content_is_the_records_in_their_order() {
        let of = |records: &[&'static str]| Content::of(records.iter().map(|record| record.as_bytes()));
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        for other in [&["abc"][..], &["a", "bc"], &["c", "ab"], &["ab"], &["ab", "c", ""], &[]] {
            assert_ne!(of(&["ab", "c"]), of(other), "{other:?}");
        }
    }

    #[test]
    fn memory_is_bounded_for_each_and_never_forgets_early() {
        let deliveries = Deliveries::new(2, 2);
        claim(&deliveries, "a", 0).durable(0);
        claim(&deliveries, "b", 1).durable(1);
        assert!(matches!(deliveries.arrived(0, "c", BODY, REMEMBERED_MS), Known::Full));
        assert!(matches!(deliveries.arrived(1, "c", BODY, REMEMBERED_MS), Known::New(_)), "another sender has room of its own");
        assert!(matches!(deliveries.arrived(0, "a", BODY, REMEMBERED_MS), Known::Done));
        claim(&deliveries, "c", REMEMBERED_MS + 1).durable(REMEMBERED_MS + 1);
    }

    #[test]
    fn a_restart_knows_whole_requests_only_and_what_they_brought() {
        let deliveries = Deliveries::new(1, 10);
        let tell = |id, records: &[&str], whole: bool, at_ms| {
            for (index, record) in records.iter().enumerate() {
                deliveries.remember(0, delivery_offset(id, whole && index + 1 == records.len()), at_ms, record.as_bytes(), at_ms);
            }
        };
        let content = |records: &[&'static str]| Content::of(records.iter().map(|record| record.as_bytes()));
        tell("half", &["1"], false, 5);
        tell("whole", &["1", "2"], true, 5);
        tell("torn", &["1"], false, 5);
        tell("torn", &["1", "2"], true, 6);
        for id in ["whole", "torn"] {
            assert!(matches!(deliveries.arrived(0, id, content(&["1", "2"]), 7), Known::Done), "{id}");
            assert!(matches!(deliveries.arrived(0, id, content(&["1", "3"]), 7), Known::Other), "{id}");
        }
        assert!(matches!(deliveries.arrived(0, "half", content(&["1", "2"]), 7), Known::New(_)));
        assert_ne!(delivery_offset("whole", true), delivery_offset("half", true));
    }
}
