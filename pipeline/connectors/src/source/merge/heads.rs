//! The heads of all streams, and which of them goes next. Sans-IO but for looking into the buffers; time comes in.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::Incoming;
use super::MergeConfig;
use super::lag::Standing;
use super::stream::{Ready, Word};

/// What to wait for when no more can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The batch is full: room to hand it over.
    Full,
    /// A stream that is catching up, until this instant.
    Waiting { until: Instant },
    /// Any stream.
    Idle,
    /// Nothing: every stream has ended and is empty.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// The others wait for it until this instant; `None`: from when it is next found empty.
    Until(Option<Instant>),
    /// They do not.
    No,
    Ended,
}

struct Stream {
    name: Arc<str>,
    /// `None`: it has ended, and has given back what the buffer took.
    inbox: Option<mpsc::Receiver<Word>>,
    standing: Arc<Standing>,
    /// In order; taken from the back of `reversed` so that a piece is moved once.
    reversed: Vec<Ready>,
    waits: Waits,
    /// It failed since it last gave records, and was waited for because of that.
    failed: bool,
}

pub(super) struct Heads {
    streams: Vec<Stream>,
    /// The clock of each head and its stream; of equal clocks the stream that was added first.
    order: BinaryHeap<Reverse<(i64, usize)>>,
    /// Streams that have not ended and have no head.
    empty: BTreeSet<usize>,
    names: BTreeMap<Arc<str>, usize>,
    patience: Duration,
    opening: Duration,
    batch_records: usize,
    batch_bytes: usize,
}

impl Heads {
    pub(super) fn new(config: &MergeConfig) -> Self {
        Self {
            streams: Vec::new(),
            order: BinaryHeap::new(),
            empty: BTreeSet::new(),
            names: BTreeMap::new(),
            patience: config.patience,
            opening: config.opening,
            batch_records: config.batch_records.max(1),
            batch_bytes: config.batch_bytes.max(1),
        }
    }

    pub(super) fn add(&mut self, name: Arc<str>, inbox: mpsc::Receiver<Word>, standing: Arc<Standing>, now: Instant) {
        let waits = Waits::Until(Some(now + self.opening));
        let stream = Stream { name: name.clone(), inbox: Some(inbox), standing, reversed: Vec::new(), waits, failed: false };
        // One that begins again has its old place, unless something of before is still to go.
        let index = match self.names.get(&name).and_then(|index| Some((*index, self.streams.get_mut(*index)?))) {
            Some((index, before)) if before.waits == Waits::Ended && before.reversed.is_empty() => {
                *before = stream;
                index
            }
            _ => {
                self.streams.push(stream);
                self.streams.len() - 1
            }
        };
        self.names.insert(name, index);
        self.empty.insert(index);
    }

    /// What is durable of each stream.
    pub(super) fn durable(&self, newest: &BTreeMap<Arc<str>, u64>) {
        for (name, offset) in newest {
            if let Some(stream) = self.names.get(name).and_then(|index| self.streams.get(*index)) {
                stream.standing.durable(*offset);
            }
        }
    }

    /// Moves to `batch` all that may go now, oldest first.
    pub(super) fn collect(&mut self, batch: &mut Vec<Incoming>, now: Instant) -> Next {
        let mut bytes = batch.iter().map(|record| record.bytes.len()).sum::<usize>();
        let looked_at: Vec<usize> = self.empty.iter().copied().collect();
        let mut until = None;
        for index in looked_at {
            if let Some(wait) = self.look(index, now) {
                until = Some(until.map_or(wait, |until: Instant| until.min(wait)));
            }
        }
        loop {
            if batch.len() >= self.batch_records || bytes >= self.batch_bytes {
                return Next::Full;
            }
            if let Some(until) = until {
                return Next::Waiting { until };
            }
            let Some(Reverse((_, index))) = self.order.pop() else { break };
            let Some(stream) = self.streams.get_mut(index) else { continue };
            // As long as no other head is older the heap need not be asked.
            let rival = self.order.peek().map_or((i64::MAX, usize::MAX), |Reverse(rival)| *rival);
            while let Some(ready) = stream.reversed.pop_if(|head| (head.clock_ms, index) <= rival) {
                bytes += ready.bytes.len();
                if ready.clock_ms != i64::MIN {
                    stream.standing.clock(ready.clock_ms);
                }
                batch.push(Incoming { stream: stream.name.clone(), offset: ready.offset, bytes: ready.bytes });
                if batch.len() >= self.batch_records || bytes >= self.batch_bytes {
                    break;
                }
            }
            match stream.reversed.last() {
                Some(head) => self.order.push(Reverse((head.clock_ms, index))),
                None => until = self.look(index, now),
            }
        }
        if self.empty.is_empty() { Next::Ended } else { Next::Idle }
    }

    /// Looks into the buffer of a stream without a head. Until when it is waited for, if it still has none.
    fn look(&mut self, index: usize, now: Instant) -> Option<Instant> {
        let stream = self.streams.get_mut(index)?;
        loop {
            match stream.inbox.as_mut().map_or(Err(mpsc::error::TryRecvError::Disconnected), mpsc::Receiver::try_recv) {
                Ok(Word::Records(mut records)) => {
                    records.reverse();
                    stream.waits = Waits::Until(None);
                    stream.failed = false;
                    let Some(head) = records.last() else { continue };
                    self.order.push(Reverse((head.clock_ms, index)));
                    stream.reversed = records;
                    self.empty.remove(&index);
                    return None;
                }
                Ok(Word::AtHead) => stream.waits = Waits::No,
                Ok(Word::Down) => {
                    if matches!(stream.waits, Waits::Until(_)) && !stream.failed {
                        stream.waits = Waits::Until(Some(now + self.opening));
                        stream.failed = true;
                    }
                }
                Ok(Word::Ended) | Err(mpsc::error::TryRecvError::Disconnected) => {
                    stream.waits = Waits::Ended;
                    stream.inbox = None;
                    self.empty.remove(&index);
                    return None;
                }
                Err(mpsc::error::TryRecvError::Empty) => break,
            }
        }
        self.empty.insert(index);
        let until = match stream.waits {
            Waits::Until(Some(until)) => until,
            Waits::Until(None) => now + self.patience,
            Waits::No | Waits::Ended => return None,
        };
        stream.waits = if until > now { Waits::Until(Some(until)) } else { Waits::No };
        (until > now).then_some(until)
    }
}
