//! The courier: what one sink's items go through on their way, without a socket, a clock or a thread of its own.
//!
//! ```text
//!   offer ─→ queue (bounded) ─→ one batch in flight ─→ Taken        delivered; refused ones parked
//!                                   ↑        │      ─→ Refused      halved, down to one item, which is parked
//!                                   │        │      ─→ Unavailable, Unknown
//!                                   └─ wait ←┘         the same batch again, under the same id
//! ```
//!
//! - Items are settled in the order offered, each once, and never out of memory: an item leaves only as delivered or
//!   parked. One batch in flight gives every entity's items their order.
//! - A batch is named by its content, so the same batch has the same name over resends and over a crash.
//! - Waits grow exponentially with full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog,
//!   2015); a Retry-After is honoured. After several failures in a row the circuit opens: nothing is tried for a while,
//!   then one batch as a probe, which closes it or opens it again.
//! - Only a plain 4xx, or being refused one by one in an answer, says that items are at fault. Trouble that passes or that
//!   an operator mends (401, 403, 404, 408, 425, 429, 5xx, no connection) is waited out, however long: it parks nothing.
//! - Nor does a receiver that refuses everything: after a few items in a row the circuit opens for that too, and what is
//!   left waits, whole, for one that is taken (`courier/refusals.rs`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::effect::{Fate, Item, Settled};
use crate::sink::Answer;

mod parcel;
mod refusals;
#[cfg(test)]
mod tests;

pub use parcel::Parcel;
use parcel::weight;
use refusals::{Doubt, Kind, Refusals};

/// How a courier behaves. The defaults suit a receiver in the same data centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Most items queued, in flight included; more wait in the outbox.
    pub queue_items_max: usize,
    /// Most bytes queued, in flight included; one item alone is always taken.
    pub queue_bytes_max: usize,
    /// Most items of one batch.
    pub batch_items_max: usize,
    /// Most bytes of one batch; one item alone always goes.
    pub batch_bytes_max: usize,
    /// Longest wait after the first failure, ms. Doubles with each further one.
    pub backoff_min_ms: u64,
    /// Longest wait after any failure while the circuit is closed, ms.
    pub backoff_max_ms: u64,
    /// Longest Retry-After that is believed, ms: a receiver's slip must not silence a sink for days.
    pub retry_after_max_ms: u64,
    /// Failures in a row that open the circuit.
    pub open_after: u32,
    /// How long it stays open before the next probe, ms; up to half as much again is added by chance.
    pub open_ms: u64,
    /// Items of one kind that may be parked in a row, with none taken between; then the receiver counts as refusing
    /// everything unless another item is taken. More: more to be retried by hand after a receiver's bad deploy. Fewer: a
    /// few bad items in a row cost a request more, or, where nothing else waits, a pause.
    pub refused_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            queue_items_max: 8192,
            queue_bytes_max: 32 << 20,
            batch_items_max: 256,
            batch_bytes_max: 1 << 20,
            backoff_min_ms: 200,
            backoff_max_ms: 10_000,
            retry_after_max_ms: 3_600_000,
            open_after: 5,
            open_ms: 10_000,
            refused_max: 5,
        }
    }
}

/// What to do now.
#[derive(Clone, Debug)]
pub enum Next {
    /// Hand this over, then say what came of it with [`Courier::answered`].
    Send(Parcel),
    /// Come again then.
    Wait {
        /// Ms, by the clock of [`Courier::next`].
        until_ms: i64,
    },
    /// Nothing until an item is offered or an answer comes.
    Idle,
}

/// The circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The receiver answers, or has not failed often enough.
    Closed,
    /// Nothing is tried.
    Open,
    /// One batch is out to see whether it answers again.
    HalfOpen,
}

impl State {
    /// As metrics and logs call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Carries one sink's items.
#[derive(Debug)]
pub struct Courier {
    sink: String,
    config: Config,
    queue: VecDeque<Item>,
    /// Sizes of the batches that the front of the queue was halved into.
    halves: VecDeque<usize>,
    /// The batch that is out, or waits to be sent again.
    parcel: Option<Parcel>,
    in_flight: bool,
    refusals: Refusals,
    /// That batch is an item before its turn, a copy of one in the queue, to see whether anything is taken.
    doubt: Option<Doubt>,
    /// Items and bytes, queued and in the parcel.
    depth: usize,
    bytes: usize,
    /// Newest place in the sink's queue that was offered.
    offered: u64,
    state: State,
    failures: u32,
    not_before_ms: i64,
    last_error: Option<String>,
    random: u64,
}

impl Courier {
    /// For the sink of that name. The seed feeds the jitter alone.
    pub fn new(sink: &str, config: Config, seed: u64) -> Self {
        Self {
            sink: sink.to_owned(),
            config,
            queue: VecDeque::new(),
            halves: VecDeque::new(),
            parcel: None,
            in_flight: false,
            refusals: Refusals::default(),
            doubt: None,
            depth: 0,
            bytes: 0,
            offered: 0,
            state: State::Closed,
            failures: 0,
            not_before_ms: i64::MIN,
            last_error: None,
            random: seed,
        }
    }

    /// Queues an item, which must come in the order of `seq`. `false` where there is no room: it is dropped here, and
    /// read from the outbox again later.
    #[must_use]
    pub fn offer(&mut self, item: Item) -> bool {
        let weight = weight(&item);
        if self.depth >= self.config.queue_items_max || (self.depth > 0 && self.bytes + weight > self.config.queue_bytes_max) {
            return false;
        }
        self.depth += 1;
        self.bytes += weight;
        self.offered = item.seq;
        self.queue.push_back(item);
        true
    }

    /// What to do at that time, ms by a clock that nobody sets: an hour that the wall clock is put back is no hour to wait.
    pub fn next(&mut self, now_ms: i64) -> Next {
        if self.in_flight || (self.parcel.is_none() && self.queue.is_empty()) {
            return Next::Idle;
        }
        if now_ms < self.not_before_ms {
            return Next::Wait { until_ms: self.not_before_ms };
        }
        let parcel = match self.parcel.take() {
            Some(parcel) => parcel,
            None => self.pack(),
        };
        if self.state == State::Open {
            self.state = State::HalfOpen;
        }
        self.in_flight = true;
        self.parcel = Some(parcel.clone());
        Next::Send(parcel)
    }

    /// What came of the batch in flight, by the same clock; the items that are done with, in order. Without a batch in
    /// flight, nothing.
    pub fn answered(&mut self, now_ms: i64, answer: Answer) -> Vec<Settled> {
        if !std::mem::take(&mut self.in_flight) {
            return Vec::new();
        }
        let Some(parcel) = self.parcel.take() else { return Vec::new() };
        let doubt = self.doubt.take();
        let refused = match answer {
            Answer::Taken { refused } => {
                refused.into_iter().filter(|(index, _)| *index < parcel.items.len()).collect::<BTreeMap<usize, String>>()
            }
            Answer::Refused { answer } if parcel.items.len() == 1 => BTreeMap::from([(0, answer)]),
            Answer::Refused { answer } => {
                self.take_apart(now_ms, &parcel, answer);
                return Vec::new();
            }
            Answer::Unavailable { retry_after_ms, error } => {
                self.parcel = doubt.is_none().then_some(parcel);
                self.failed(now_ms, retry_after_ms, error);
                return Vec::new();
            }
            Answer::Unknown { error } => {
                self.parcel = doubt.is_none().then_some(parcel);
                self.failed(now_ms, None, error);
                return Vec::new();
            }
        };
        let Some(kind) = parcel.items.first().map(Kind::of) else { return Vec::new() };
        if refused.len() < parcel.items.len() {
            self.refusals.taken(kind);
            self.reached();
            return if doubt.is_some() { Vec::new() } else { self.settle_all(&parcel, refused) };
        }
        let newest = refused.values().next_back().cloned().unwrap_or_default();
        if let Some(doubt) = doubt {
            self.ask(now_ms, doubt, newest);
            return Vec::new();
        }
        // Each was refused, so each may be parked, as far as that goes.
        let (parked, rest) = parcel.items.split_at(self.refusals.room(kind, self.config.refused_max).min(parcel.items.len()));
        let answers = refused.into_values();
        let settled = parked.iter().zip(answers).map(|(item, answer)| self.settle(item, Fate::Parked { answer })).collect();
        self.put_back(rest);
        self.refusals.parked(kind, parked.len());
        match parcel.items.last() {
            Some(last) if self.refusals.room(kind, self.config.refused_max) == 0 => self.ask(now_ms, Doubt::new(last, rest.len()), newest),
            _ => self.reached(),
        }
        settled
    }

    /// The circuit breaker.
    pub fn state(&self) -> State {
        self.state
    }

    /// Items queued, those in flight included.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Bytes queued, those in flight included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many more items there is room for, as far as their number goes.
    pub fn room(&self) -> usize {
        self.config.queue_items_max.saturating_sub(self.depth)
    }

    /// The newest `seq` taken by [`Courier::offer`]: the outbox is read on from there. 0 before the first.
    pub fn offered(&self) -> u64 {
        self.offered
    }

    /// Failures in a row, and the newest of them.
    pub fn trouble(&self) -> Option<(u32, &str)> {
        self.last_error.as_deref().map(|error| (self.failures, error))
    }

    /// Whether there is a kind of items that the receiver refuses, all of them: nothing more of it is parked.
    pub fn is_refused(&self) -> bool {
        self.refusals.is_all()
    }

    /// Whether a batch that was refused is being halved: what becomes of the rest of it is yet to come.
    pub fn is_halving(&self) -> bool {
        !self.halves.is_empty()
    }

    /// The next batch off the front of the queue: items of one kind, or what halving left.
    fn pack(&mut self) -> Parcel {
        let count = self.halves.pop_front().unwrap_or_else(|| {
            let kind = self.queue.front().map(|item| std::mem::discriminant(&item.body));
            let mut bytes = 0;
            let fits = |(index, item): &(usize, &Item)| {
                bytes += weight(item);
                Some(std::mem::discriminant(&item.body)) == kind && (*index == 0 || bytes <= self.config.batch_bytes_max)
            };
            self.queue.iter().enumerate().take(self.config.batch_items_max.max(1)).take_while(fits).count()
        });
        let items: Arc<[Item]> = self.queue.drain(..count).collect();
        Parcel::new(&self.sink, items)
    }

    fn settle_all(&mut self, parcel: &Parcel, mut refused: BTreeMap<usize, String>) -> Vec<Settled> {
        let fate = |index| refused.remove(&index).map_or(Fate::Delivered, |answer| Fate::Parked { answer });
        let fates: Vec<Fate> = (0..parcel.items.len()).map(fate).collect();
        parcel.items.iter().zip(fates).map(|(item, fate)| self.settle(item, fate)).collect()
    }

    /// A batch that was refused whole: halved, or, where no more may be parked, put back.
    fn take_apart(&mut self, now_ms: i64, parcel: &Parcel, answer: String) {
        self.put_back(&parcel.items);
        let Some(first) = parcel.items.first() else { return };
        if self.refusals.room(Kind::of(first), self.config.refused_max) == 0 {
            self.ask(now_ms, Doubt::new(first, 1), answer);
            return;
        }
        self.reached();
        let half = parcel.items.len() / 2;
        self.halves.push_front(parcel.items.len() - half);
        self.halves.push_front(half);
    }

    /// No more may be parked: an item from further back shall vouch for the receiver. Where none does, the circuit opens.
    fn ask(&mut self, now_ms: i64, mut doubt: Doubt, answer: String) {
        self.halves.clear();
        let queue = std::mem::take(&mut self.queue);
        let voucher = doubt.next(&queue, |most| self.below(most));
        self.queue = queue;
        if let Some(item) = voucher {
            self.parcel = Some(Parcel::new(&self.sink, Arc::new([item])));
            self.doubt = Some(doubt);
            return;
        }
        self.refusals.all(doubt.kind);
        self.failures = self.failures.saturating_add(1);
        self.last_error = Some(answer);
        self.open(now_ms, 0);
    }

    /// To the front of the queue, in their order.
    fn put_back(&mut self, items: &[Item]) {
        for item in items.iter().rev() {
            self.queue.push_front(item.clone());
        }
    }

    fn settle(&mut self, item: &Item, fate: Fate) -> Settled {
        self.depth -= 1;
        self.bytes -= weight(item);
        Settled { sink: self.sink.clone(), seq: item.seq, fate }
    }

    /// It answered, whatever it said: the circuit closes.
    fn reached(&mut self) {
        self.state = State::Closed;
        self.failures = 0;
        self.last_error = None;
        self.not_before_ms = i64::MIN;
    }

    fn failed(&mut self, now_ms: i64, retry_after_ms: Option<u64>, error: String) {
        self.failures = self.failures.saturating_add(1);
        self.last_error = Some(error);
        let asked = retry_after_ms.unwrap_or(0).min(self.config.retry_after_max_ms);
        if self.failures >= self.config.open_after {
            self.open(now_ms, asked);
            return;
        }
        let doubled = self.config.backoff_min_ms.checked_shl(self.failures - 1).unwrap_or(u64::MAX);
        let wait = self.below(doubled.min(self.config.backoff_max_ms)).max(asked);
        self.not_before_ms = now_ms.saturating_add_unsigned(wait);
    }

    /// Nothing is tried for a while, and not before the receiver has asked to be.
    fn open(&mut self, now_ms: i64, asked_ms: u64) {
        self.state = State::Open;
        let wait = self.config.open_ms.saturating_add(self.below(self.config.open_ms / 2)).max(asked_ms);
        self.not_before_ms = now_ms.saturating_add_unsigned(wait);
    }

    /// By chance, 0 to `most` (`SplitMix64`; Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
    fn below(&mut self, most: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        most.checked_add(1).map_or(bits, |bound| bits % bound)
    }
}
