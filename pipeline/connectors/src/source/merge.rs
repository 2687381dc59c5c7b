//! Many streams into one log: next comes the record whose event clock is oldest.
//!
//! Every stream is read by a task of its own into a small bounded buffer; the merge takes from the stream whose head
//! is oldest. A head whose clock cannot be read goes at once. So while a backlog is worked off the streams advance
//! together through event time, however unequal their lag, and events are late only where a stream itself is.
//!
//! ```text
//! stream a ─ task ─ [ buffer ] ─┐
//! stream b ─ task ─ [ buffer ] ─┼─ oldest head ─ batch ─ Appender ─ durable
//! stream c ─ task ─ [ buffer ] ─┘                        (a few in flight, in order)
//! ```
//!
//! Whom it waits for when a buffer is empty:
//!
//! | the stream | is waited for |
//! |---|---|
//! | was opened just now, nothing came yet | [`MergeConfig::opening`] |
//! | gave records and has not said that it is at its head | [`MergeConfig::patience`], then not until it gives more |
//! | failed while it was catching up | [`MergeConfig::opening`] once, then not until it gives more |
//! | is at its head, failed there, has ended | not at all |
//!
//! A fault of one stream never stops another: it is opened again behind the last record that it gave, after a pause
//! that doubles, for as long as its error says that this may help.

mod heads;
mod lag;
mod stream;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use lag::{Lag, Lags, State};

use super::{Appender, Incoming, Observer, Opener};
use crate::Error;
use heads::{Heads, Next};

/// What a merge may hold, and how long it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeConfig {
    /// Records read ahead of one stream. 2,048; more only costs memory.
    pub prefetch_records: usize,
    /// Bytes read ahead of one stream, one record more at most. 4 MiB.
    pub prefetch_bytes: usize,
    /// Most records handed over at once. 1,024.
    pub batch_records: usize,
    /// Most bytes handed over at once, one record more at most. 1 MiB.
    pub batch_bytes: usize,
    /// Batches handed over and not yet durable. 4: the next block is written while the one before is being synced.
    pub in_flight: usize,
    /// How long the others wait for a stream that is catching up and has nothing ready. 100 ms: longer than a fetch
    /// takes, short enough for a person. More keeps better order across slow streams, less keeps a slow stream from
    /// holding up the others.
    pub patience: Duration,
    /// How long the others wait for the first word of a stream that was just added, and for one that was catching up
    /// when it failed, once. 5 s: a server that starts again. Without it a stream that is opened again a little later
    /// than the others would find them far ahead, and all its events late.
    pub opening: Duration,
    /// The pause before a stream that failed is opened again; it doubles up to `backoff_max`. 200 ms.
    pub backoff_min: Duration,
    /// The longest such pause. 10 s.
    pub backoff_max: Duration,
}

impl Default for MergeConfig {
    fn default() -> Self {
        Self {
            prefetch_records: 2048,
            prefetch_bytes: 4 << 20,
            batch_records: 1024,
            batch_bytes: 1 << 20,
            in_flight: 4,
            patience: Duration::from_millis(100),
            opening: Duration::from_secs(5),
            backoff_min: Duration::from_millis(200),
            backoff_max: Duration::from_secs(10),
        }
    }
}

/// How a merge ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// Records that are durable by it.
    pub records: u64,
    /// Streams that were given up, in order of name.
    pub given_up: Vec<String>,
}

/// Adds streams to a merge, before and while it runs. While one is held the merge waits for more streams to come, even
/// when all it has have ended.
#[derive(Clone)]
pub struct MergeHandle {
    openers: mpsc::Sender<Arc<dyn Opener>>,
    offsets: Arc<BTreeMap<String, u64>>,
    lags: Lags,
}

impl MergeHandle {
    /// Adds a stream; it is opened behind the newest offset that the log had of it when the merge was made, or that was
    /// read of it since: one that has ended or was given up may be added again. A stream that is read is left as it is.
    /// `false`: the merge has ended.
    pub async fn add(&self, opener: Arc<dyn Opener>) -> bool {
        self.openers.send(opener).await.is_ok()
    }

    /// Ready when the merge has ended.
    pub async fn ended(&self) {
        self.openers.closed().await;
    }

    /// The newest offset of a stream that was read, or that the log had when the merge was made.
    pub fn offset(&self, stream: &str) -> Option<u64> {
        self.lags.of(stream).map_or_else(|| self.offsets.get(stream).copied(), |lag| lag.read)
    }

    /// Whether a stream is not read: never was, has ended or was given up. It may be added.
    pub fn is_over(&self, stream: &str) -> bool {
        self.lags.of(stream).is_none_or(|lag| matches!(lag.state, State::Ended | State::GivenUp))
    }

    /// Shows where a stream stands in the log that need not be read just now.
    pub(super) fn stands(&self, stream: &str) {
        if self.lags.of(stream).is_none() {
            self.lags.add(stream.into(), self.offsets.get(stream).copied()).is(State::Ended);
        }
    }

    /// Where each stream stands.
    pub fn lags(&self) -> &Lags {
        &self.lags
    }
}

/// Takes records from many streams, in the order of their event clocks as well as that can be known.
pub struct Merge {
    config: MergeConfig,
    offsets: Arc<BTreeMap<String, u64>>,
    observer: Arc<dyn Observer>,
    openers: mpsc::Receiver<Arc<dyn Opener>>,
    lags: Lags,
}

impl Merge {
    /// A merge without streams. `offsets` is the newest offset of each stream in the log.
    pub fn new(config: MergeConfig, offsets: BTreeMap<String, u64>, observer: Arc<dyn Observer>) -> (Self, MergeHandle) {
        let (sender, openers) = mpsc::channel(64);
        let lags = Lags::default();
        let offsets = Arc::new(offsets);
        let handle = MergeHandle { openers: sender, offsets: Arc::clone(&offsets), lags: lags.clone() };
        (Self { config, offsets, observer, openers, lags }, handle)
    }

    /// Runs until every stream has ended and no [`MergeHandle`] is left, until `stop` is ready, or until an append
    /// fails. When stopped, what was handed over is waited for; what was only read ahead is left and comes again when
    /// its stream is resumed. Runs inside a tokio runtime with time enabled.
    pub async fn run<A: Appender>(self, appender: A, stop: impl Future<Output = ()> + Send) -> Result<Merged, Error> {
        let Self { config, offsets, observer, mut openers, lags } = self;
        let mut running = Running { heads: Heads::new(&config), appender, in_flight: VecDeque::new(), durable: 0 };
        let wake = Arc::new(Notify::new());
        let mut tasks = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        let (mut batch, mut more_may_come) = (Vec::new(), true);
        let mut given_up = BTreeSet::new();
        loop {
            // However busy it is: what a reader held is kept until it is seen to have ended.
            while let Some(ended) = tasks.try_join_next() {
                given_up.extend(ended.ok().flatten());
            }
            let next = running.heads.collect(&mut batch, Instant::now());
            if !batch.is_empty() && running.in_flight.len() < config.in_flight.max(1) {
                running.hand_over(std::mem::take(&mut batch)).await;
                continue;
            }
            let idle = batch.is_empty() && running.in_flight.is_empty();
            if idle && !more_may_come && matches!(next, Next::Ended) {
                break;
            }
            let until = if let Next::Waiting { until } = next { Some(until) } else { None };
            tokio::select! {
                biased;
                () = &mut stop => break,
                settled = running.settled(), if !running.in_flight.is_empty() => settled?,
                opener = openers.recv(), if more_may_come => match opener {
                    Some(opener) => {
                        let name: Arc<str> = opener.stream().into();
                        let Some((standing, after)) = lags.begin(name.clone(), offsets.get(&*name).copied()) else { continue };
                        given_up.remove(&*name);
                        let (feed, inbox) = stream::feed(&config, wake.clone());
                        running.heads.add(name, inbox, standing.clone(), Instant::now());
                        let reader = stream::Reader { opener, after, config: config.clone(), observer: observer.clone(), standing };
                        tasks.spawn(reader.run(feed));
                    }
                    None => more_may_come = false,
                },
                () = wake.notified() => {}
                () = tokio::time::sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => given_up.extend(ended.ok().flatten()),
            }
        }
        while !running.in_flight.is_empty() {
            running.settled().await?;
        }
        while let Some(ended) = tasks.try_join_next() {
            given_up.extend(ended.ok().flatten());
        }
        Ok(Merged { records: running.durable, given_up: given_up.into_iter().collect() })
    }
}

type Appending = Pin<Box<dyn Future<Output = Result<u64, Error>> + Send>>;

struct Running<A> {
    heads: Heads,
    appender: A,
    /// What was handed over, oldest first: the append, how many records, the newest offset of each stream in it.
    in_flight: VecDeque<(Option<Appending>, Sent)>,
    durable: u64,
}

struct Sent {
    records: u64,
    newest: BTreeMap<Arc<str>, u64>,
    result: Option<Result<u64, Error>>,
}

impl<A: Appender> Running<A> {
    /// Hands a batch over. Polls it once, which is what gives it its place in the log.
    async fn hand_over(&mut self, batch: Vec<Incoming>) {
        let newest = batch.iter().map(|record| (record.stream.clone(), record.offset)).collect();
        let mut sent = Sent { records: batch.len() as u64, newest, result: None };
        let appender = self.appender.clone();
        let mut append: Appending = Box::pin(async move { appender.append(batch).await });
        let first = poll_fn(|context| Poll::Ready(append.as_mut().poll(context))).await;
        let append = match first {
            Poll::Ready(result) => {
                sent.result = Some(result);
                None
            }
            Poll::Pending => Some(append),
        };
        self.in_flight.push_back((append, sent));
    }

    /// Waits for the oldest batch in flight. Polls those behind it too, so that they advance; dropping it loses nothing.
    async fn settled(&mut self) -> Result<(), Error> {
        let in_flight = &mut self.in_flight;
        poll_fn(|context| {
            for (append, sent) in in_flight.iter_mut() {
                if let Some(running) = append
                    && let Poll::Ready(result) = running.as_mut().poll(context)
                {
                    sent.result = Some(result);
                    *append = None;
                }
            }
            if in_flight.front().is_none_or(|(append, _)| append.is_none()) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let Some((_, Sent { records, newest, result: Some(result) })) = self.in_flight.pop_front() else { return Ok(()) };
        result?;
        self.durable += records;
        self.heads.durable(&newest);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
