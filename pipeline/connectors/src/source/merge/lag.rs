//! Where each stream stands, for metrics and for people. Read at any time, from anywhere.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::generation::parts_of;

/// How a stream is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// It is being opened; nothing came yet.
    Opening,
    /// It gives records, or should.
    CatchingUp,
    /// It has given all it has.
    AtHead,
    /// It cannot be read just now and is tried again.
    Down,
    /// It has ended.
    Ended,
    /// It cannot be read and is not tried again.
    GivenUp,
}

/// Where one stream stands. Offsets are counted in the stream's own unit: records of a topic, bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The stream.
    pub stream: Arc<str>,
    /// How it is doing.
    pub state: State,
    /// Newest offset that was read.
    pub read: Option<u64>,
    /// Newest offset that is durable in the log.
    pub durable: Option<u64>,
    /// Newest offset that the stream is known to hold.
    pub newest: Option<u64>,
    /// Event clock of the newest record handed over, Unix ms.
    pub clock_ms: Option<i64>,
    /// Records passed over because they had come before.
    pub repeated: u64,
    /// Faults since the start.
    pub faults: u64,
}

impl Lag {
    /// How far what is durable is behind the newest that is known, in the stream's unit; 0 at the head.
    pub fn behind(&self) -> Option<u64> {
        if self.state == State::AtHead && self.read == self.durable {
            return Some(0);
        }
        let (newest, durable) = (self.newest?, self.durable?);
        // Of what begins again nothing is durable yet.
        let begun_again = parts_of(newest).0 > parts_of(durable).0;
        Some(if begun_again { parts_of(newest).1 } else { newest.saturating_sub(durable) })
    }
}

/// All streams of a merge.
#[derive(Clone, Default)]
pub struct Lags {
    all: Arc<Mutex<All>>,
}

#[derive(Default)]
struct All {
    in_order: Vec<Arc<Standing>>,
    by_name: HashMap<Arc<str>, Arc<Standing>>,
}

impl Lags {
    /// Each stream, in the order in which they were added.
    pub fn each(&self) -> Vec<Lag> {
        self.lock().in_order.iter().map(|standing| standing.lag()).collect()
    }

    /// One stream; `None`: it was never added.
    pub fn of(&self, stream: &str) -> Option<Lag> {
        self.lock().by_name.get(stream).map(|standing| standing.lag())
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream that begins, or begins again behind what was read of it; `None`: it is being read.
    pub(super) fn begin(&self, stream: Arc<str>, after: Option<u64>) -> Option<(Arc<Standing>, Option<u64>)> {
        let before = self.lock().by_name.get(&stream).cloned();
        let Some(standing) = before else { return Some((self.add(stream, after), after)) };
        let lag = standing.lag();
        matches!(lag.state, State::Ended | State::GivenUp).then(|| {
            standing.is(State::Opening);
            (standing, lag.read)
        })
    }

    pub(super) fn add(&self, stream: Arc<str>, after: Option<u64>) -> Arc<Standing> {
        let standing = Arc::new(Standing {
            stream: Arc::clone(&stream),
            state: AtomicU8::new(State::Opening as u8),
            read: AtomicU64::new(plus_one(after)),
            durable: AtomicU64::new(plus_one(after)),
            newest: AtomicU64::new(0),
            clock_ms: AtomicI64::new(i64::MIN),
            repeated: AtomicU64::new(0),
            faults: AtomicU64::new(0),
        });
        let mut all = self.lock();
        all.in_order.push(standing.clone());
        all.by_name.insert(stream, standing.clone());
        drop(all);
        standing
    }
}

/// The figures of one stream, written by its reader and by the merge. Offsets are kept plus one, 0 for none.
pub(super) struct Standing {
    pub(super) stream: Arc<str>,
    state: AtomicU8,
    read: AtomicU64,
    durable: AtomicU64,
    newest: AtomicU64,
    clock_ms: AtomicI64,
    repeated: AtomicU64,
    faults: AtomicU64,
}

impl Standing {
    pub(super) fn is(&self, state: State) {
        self.state.store(state as u8, Relaxed);
    }

    pub(super) fn read(&self, offset: u64, newest: Option<u64>) {
        self.read.store(plus_one(Some(offset)), Relaxed);
        self.knows(newest);
    }

    pub(super) fn knows(&self, newest: Option<u64>) {
        if newest.is_some() {
            self.newest.store(plus_one(newest), Relaxed);
        }
    }

    pub(super) fn durable(&self, offset: u64) {
        self.durable.store(plus_one(Some(offset)), Relaxed);
    }

    pub(super) fn clock(&self, clock_ms: i64) {
        self.clock_ms.store(clock_ms, Relaxed);
    }

    pub(super) fn repeated(&self, records: u64) {
        self.repeated.fetch_add(records, Relaxed);
    }

    pub(super) fn fault(&self) {
        self.faults.fetch_add(1, Relaxed);
        self.is(State::Down);
    }

    fn lag(&self) -> Lag {
        let offset = |plus_one: &AtomicU64| plus_one.load(Relaxed).checked_sub(1);
        let clock_ms = self.clock_ms.load(Relaxed);
        let state = self.state.load(Relaxed);
        let states = [State::Opening, State::CatchingUp, State::AtHead, State::Down, State::Ended];
        Lag {
            stream: self.stream.clone(),
            state: states.into_iter().find(|known| *known as u8 == state).unwrap_or(State::GivenUp),
            read: offset(&self.read),
            durable: offset(&self.durable),
            newest: offset(&self.newest),
            clock_ms: (clock_ms != i64::MIN).then_some(clock_ms),
            repeated: self.repeated.load(Relaxed),
            faults: self.faults.load(Relaxed),
        }
    }
}

fn plus_one(offset: Option<u64>) -> u64 {
    offset.map_or(0, |offset| offset.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::super::super::generation::offset_of;
    use super::*;

    #[test]
    fn how_far_a_stream_is_behind_that_begins_again() {
        let behind = |newest, durable| {
            let standing = Lags::default().add("a".into(), Some(durable));
            standing.knows(Some(newest));
            standing.lag().behind()
        };
        assert_eq!(behind(90, 50), Some(40));
        assert_eq!(behind(offset_of(1, 30), 50), Some(30));
        assert_eq!(behind(offset_of(2, 30), offset_of(2, 7)), Some(23));
        assert_eq!(behind(50, offset_of(1, 7)), Some(0), "the controller is behind");
    }
}
