//! Which connections are open, how long each may take for what it is at, and which one goes when there are too many.
//!
//! ```text
//! connected ──first byte or not──► head ──head whole──► serving ──answer written──► idle ──next byte──► head
//!               [`Times::head`]                       [`Times::serving`]      [`Times::idle`]
//! ```
//!
//! At the bound a newcomer is let in and another goes, so that strangers who hold connections cannot keep a producer or a
//! probe out. Whoever reads this knows the order as well, so it must not be one that can be had for a few requests:
//!
//! - First goes one whose request was refused and whose rest is only read so that its sender sees the answer.
//! - A connection over which a request came that was signed by a producer is **proven**; a stranger cannot have one. Proven ones
//!   go last, and never while a request of theirs is being served.
//! - Of the others it is the one that has got nowhere for the longest: since it connected, since its request's head was
//!   whole, since it was answered. What a stranger does without a signature (probing, answering late, sending bytes one by
//!   one) puts off its turn no further than an honest newcomer's, who is done in milliseconds. To have that newcomer put out,
//!   strangers must fill all of the bound anew within those milliseconds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rasid_connectors::ingest::Proof;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// How long to wait for somebody to go before looking again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How long a connection may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// For a request's head, from the connection's beginning or the head's first byte on.
    pub(crate) head: Duration,
    /// Without a request, after one was answered.
    pub(crate) idle: Duration,
    /// From a whole head to the answer being written. What comes and goes within it has shorter bounds of its own.
    pub(crate) serving: Duration,
}

impl Default for Times {
    /// A head is a packet or two: 10 s is many retransmissions. Idle: longer than the pauses of a producer's batches and of
    /// Prometheus' scrapes, shorter than the minute after which proxies believe that a connection is gone. Serving: a body's
    /// 10 s, the log's 10 s, and a slow reader.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { head: seconds(10), idle: seconds(55), serving: seconds(60) }
    }
}

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A head is awaited or coming.
    Head,
    /// A request is under way.
    Serving,
    /// Answered, and nothing has come since.
    Idle,
    /// Refused, and it closes once what still comes has been read. The reader has bounds of its own.
    Draining,
}

/// Why a connection was closed by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// No whole head in time.
    Head,
    /// A request took too long, the writing of its answer included.
    Serving,
    /// Nothing came for too long.
    Idle,
    /// Another needed the room.
    Shed,
}

impl Closed {
    const ALL: [Self; 4] = [Self::Head, Self::Serving, Self::Idle, Self::Shed];

    /// The label in metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Head => "head_timeout",
            Self::Serving => "request_timeout",
            Self::Idle => "idle_timeout",
            Self::Shed => "shed",
        }
    }
}

/// How a server's connections stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerStats {
    /// Open now.
    pub(crate) open: u64,
    /// Most that may be.
    pub(crate) max: u64,
    /// Accepted since the start.
    pub(crate) accepted_total: u64,
    /// Closed by us, by reason.
    pub(crate) closed_total: Vec<(&'static str, u64)>,
    /// Times that the system had no connection to give: no descriptor, no memory.
    pub(crate) accept_errors_total: u64,
    /// Whether its certificate was replaced by one that cannot be used; `None` where it has none.
    pub(crate) certificate_unusable: Option<bool>,
}

/// The open connections of one server.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Inner>);

struct Inner {
    max: usize,
    times: Times,
    open: Mutex<Open>,
    /// Told when there may be room.
    freed: Notify,
    /// The server ends.
    ending: watch::Sender<bool>,
    accepted: AtomicU64,
    accept_errors: AtomicU64,
    closed: [AtomicU64; Closed::ALL.len()],
}

#[derive(Default)]
struct Open {
    next: u64,
    /// In order of their coming.
    by_number: BTreeMap<u64, Arc<State>>,
    /// Told to go, and not gone yet.
    going: usize,
}

impl Connections {
    pub(crate) fn new(max: usize, times: Times) -> Self {
        Self(Arc::new(Inner {
            max: max.max(1),
            times,
            open: Mutex::default(),
            freed: Notify::new(),
            ending: watch::channel(false).0,
            accepted: AtomicU64::new(0),
            accept_errors: AtomicU64::new(0),
            closed: std::array::from_fn(|_| AtomicU64::new(0)),
        }))
    }

    pub(crate) fn stats(&self) -> ServerStats {
        let inner = &self.0;
        let open = held(&inner.open);
        ServerStats {
            open: open.len() as u64,
            max: inner.max as u64,
            accepted_total: inner.accepted.load(Relaxed),
            closed_total: Closed::ALL.iter().zip(&inner.closed).map(|(why, times)| (why.name(), times.load(Relaxed))).collect(),
            accept_errors_total: inner.accept_errors.load(Relaxed),
            certificate_unusable: None,
        }
    }

    /// Waits until a newcomer can be let in: there is room, or somebody who can be put out.
    pub(super) async fn room(&self) {
        loop {
            let freed = self.0.freed.notified();
            {
                let open = held(&self.0.open);
                if open.len() < self.0.max || (open.going == 0 && victim(&open).is_some()) {
                    return;
                }
            }
            // Somebody who cannot be put out may be able to a moment later, and says so to nobody.
            drop(tokio::time::timeout(LOOK_AGAIN, freed).await);
        }
    }

    /// A connection has come. Where they are too many, another is told to go.
    pub(super) fn enter(&self) -> Connection {
        self.0.accepted.fetch_add(1, Relaxed);
        let state = Arc::new(State {
            at: Mutex::new((Phase::Head, Instant::now())),
            proof: Proof::default(),
            shed: AtomicBool::new(false),
            changed: Notify::new(),
        });
        let mut open = held(&self.0.open);
        if open.len() >= self.0.max {
            put_out(&mut open);
        }
        let number = open.next;
        open.next += 1;
        open.by_number.insert(number, Arc::clone(&state));
        Connection { of: self.clone(), number, state }
    }

    /// The system has no connection to give: whoever would go next goes now.
    pub(super) fn refused(&self) {
        self.0.accept_errors.fetch_add(1, Relaxed);
        put_out(&mut held(&self.0.open));
    }

    /// Waits until the server is to end.
    pub(super) async fn ending(&self) {
        let mut ending = self.0.ending.subscribe();
        drop(ending.wait_for(|ending| *ending).await); // the sender lives in `self`
    }

    /// Ends the server: nothing new is accepted, and what is being answered has `patience` to be written.
    pub(crate) async fn end(&self, patience: Duration) {
        self.0.ending.send_replace(true);
        let gone = async {
            loop {
                let freed = self.0.freed.notified();
                if held(&self.0.open).is_empty() {
                    return;
                }
                freed.await;
            }
        };
        drop(tokio::time::timeout(patience, gone).await); // who does not read its answer goes without
    }

    fn closed(&self, why: Closed) {
        if let Some(counter) = self.0.closed.get(why as usize) {
            counter.fetch_add(1, Relaxed);
        }
    }
}

impl Open {
    fn len(&self) -> usize {
        self.by_number.len() + self.going
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Who goes next, if somebody can.
fn victim(open: &Open) -> Option<u64> {
    let turn = |(number, state): (&u64, &Arc<State>)| {
        let (phase, since) = *held(&state.at);
        let proven = state.proof.is_given();
        let refused = phase == Phase::Draining;
        (!(proven && phase == Phase::Serving)).then_some((proven, !refused, since, *number))
    };
    open.by_number.iter().filter_map(turn).min().map(|(.., number)| number)
}

fn put_out(open: &mut Open) {
    if let Some(state) = victim(open).and_then(|number| open.by_number.remove(&number)) {
        open.going += 1;
        state.shed.store(true, Relaxed);
        state.changed.notify_one();
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One that is open, for as long as this is held.
pub(super) struct Connection {
    of: Connections,
    number: u64,
    state: Arc<State>,
}

impl Connection {
    pub(super) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// Waits until it has to be closed.
    pub(super) async fn over(&self) -> Closed {
        let why = loop {
            let (phase, since) = *held(&self.state.at);
            let (why, time) = match phase {
                Phase::Head => (Closed::Head, self.of.0.times.head),
                Phase::Serving | Phase::Draining => (Closed::Serving, self.of.0.times.serving),
                Phase::Idle => (Closed::Idle, self.of.0.times.idle),
            };
            if self.state.shed.load(Relaxed) {
                break Closed::Shed;
            }
            let due = since + time;
            if due <= Instant::now() {
                break why;
            }
            // What it is at may change to something that has less time.
            drop(tokio::time::timeout_at(due, self.state.changed.notified()).await);
        };
        self.of.closed(why);
        why
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        {
            let mut open = held(&self.of.0.open);
            if open.by_number.remove(&self.number).is_none() {
                open.going -= 1;
            }
        }
        self.of.0.freed.notify_one();
    }
}

/// What is known of one, told by whoever reads, serves and writes it.
pub(super) struct State {
    at: Mutex<(Phase, Instant)>,
    pub(super) proof: Proof,
    /// It has to go.
    shed: AtomicBool,
    /// Told at each change of the above.
    changed: Notify,
}

impl State {
    /// Bytes came.
    pub(super) fn read(&self) {
        if held(&self.at).0 == Phase::Idle {
            self.is_at(Phase::Head);
        }
    }

    /// A head is whole.
    pub(super) fn serving(&self) {
        self.is_at(Phase::Serving);
    }

    /// The answer is written, as far as this program has to.
    pub(super) fn answered(&self) {
        self.is_at(Phase::Idle);
    }

    /// It is answered, and only what still comes is read.
    pub(super) fn draining(&self) {
        self.is_at(Phase::Draining);
    }

    fn is_at(&self, phase: Phase) {
        let mut at = held(&self.at);
        if at.0 != Phase::Draining {
            *at = (phase, Instant::now());
        }
        drop(at);
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> Times {
        Times { head: Duration::from_secs(10), idle: Duration::from_secs(50), serving: Duration::from_mins(1) }
    }

    /// The connection is over within `patience`, and why; `None` where it goes on.
    async fn over(connection: &Connection, patience: Duration) -> Option<Closed> {
        tokio::time::timeout(patience, connection.over()).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_time_and_bytes_one_by_one_do_not_stretch_it() {
        let connections = Connections::new(10, times());
        let (silent, dripping, served, stuck) = (connections.enter(), connections.enter(), connections.enter(), connections.enter());
        served.state.serving();
        served.state.answered();
        stuck.state.serving();
        for _ in 0..9 {
            tokio::time::advance(Duration::from_secs(1)).await;
            dripping.state.read();
        }
        let soon = Duration::from_millis(1_001);
        for connection in [&silent, &dripping] {
            assert_eq!(over(connection, Duration::from_millis(1)).await, None);
        }
        for connection in [&silent, &dripping] {
            assert_eq!(over(connection, soon).await, Some(Closed::Head));
        }
        tokio::time::advance(Duration::from_secs(39)).await;
        assert_eq!(over(&served, soon).await, Some(Closed::Idle));
        served.state.read();
        assert_eq!(over(&served, Duration::from_secs(9)).await, None, "a head has come to its first byte");
        assert_eq!(over(&served, Duration::from_secs(2)).await, Some(Closed::Head));
        assert_eq!(over(&stuck, soon).await, Some(Closed::Serving));
        let closed: BTreeMap<_, _> = connections.stats().closed_total.into_iter().collect();
        assert_eq!(closed, BTreeMap::from([("head_timeout", 3), ("idle_timeout", 1), ("request_timeout", 1), ("shed", 0)]));
    }

    /// Everybody at the bound, then newcomers one after the other; who goes each time.
    #[tokio::test(start_paused = true)]
    async fn strangers_go_before_producers_and_the_longest_idle_first() {
        let connections = Connections::new(5, times());
        let step = || tokio::time::advance(Duration::from_millis(10));
        let producer_idle = connections.enter();
        producer_idle.state.proof.give();
        producer_idle.state.serving();
        producer_idle.state.answered();
        step().await;
        let producer_served = connections.enter();
        producer_served.state.proof.give();
        producer_served.state.serving();
        step().await;
        let prober = connections.enter();
        step().await;
        let stranger = connections.enter();
        step().await;
        let body = connections.enter();
        body.state.serving();
        step().await;
        // The prober asked later than the stranger connected, which is all that probing gains.
        prober.state.serving();
        prober.state.answered();
        let now = Duration::from_millis(1);
        let mut newcomers = Vec::new();
        for (name, victim) in [("stranger", &stranger), ("body", &body), ("prober", &prober)] {
            step().await;
            newcomers.push(connections.enter());
            assert_eq!(over(victim, now).await, Some(Closed::Shed), "{name}");
        }
        drop((stranger, body, prober));
        for _ in 0..3 {
            step().await;
            let newcomer = connections.enter();
            let first = newcomers.remove(0);
            assert_eq!(over(&first, now).await, Some(Closed::Shed), "newcomers that get nowhere");
            newcomers.push(newcomer);
        }
        assert_eq!(over(&producer_idle, now).await, None);
        // Nobody else is left: the idle producer goes, the one that is being served does not.
        for newcomer in &newcomers {
            newcomer.state.proof.give();
            newcomer.state.serving();
        }
        connections.room().await;
        let last = connections.enter();
        assert_eq!(over(&producer_idle, now).await, Some(Closed::Shed));
        last.state.proof.give();
        last.state.serving();
        assert_eq!(over(&producer_served, now).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_refused_goes_first() {
        let connections = Connections::new(3, times());
        let stranger = connections.enter();
        tokio::time::advance(Duration::from_secs(1)).await;
        let (refused, served) = (connections.enter(), connections.enter());
        refused.state.serving();
        refused.state.draining();
        refused.state.answered();
        refused.state.read();
        served.state.serving();
        let newcomer = connections.enter();
        let now = Duration::from_millis(1);
        assert_eq!(over(&refused, now).await, Some(Closed::Shed));
        for connection in [&stranger, &served, &newcomer] {
            assert_eq!(over(connection, now).await, None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_nobody_can_go_newcomers_wait() {
        let connections = Connections::new(2, times());
        let (one, other) = (connections.enter(), connections.enter());
        for connection in [&one, &other] {
            connection.state.proof.give();
            connection.state.serving();
        }
        assert!(tokio::time::timeout(Duration::from_secs(1), connections.room()).await.is_err());
        assert_eq!((connections.stats().open, connections.stats().max), (2, 2));
        drop(one);
        connections.room().await;
        connections.refused();
        assert_eq!(over(&other, Duration::from_millis(1)).await, None, "it is served");
        assert_eq!(connections.stats().accept_errors_total, 1);
    }
}
