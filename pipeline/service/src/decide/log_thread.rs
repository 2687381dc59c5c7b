//! The one thread that writes the log. Whatever waits when it is free becomes one block and one fsync.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rasid_connectors::log::{self, Control, Entry, LogWriter, Origin};
use rasid_connectors::source::{Appender, Incoming};
use rasid_connectors::{Disposition, Error, latest};
use tokio::sync::{mpsc, oneshot, watch};

use crate::chain::Chain;
use crate::clock::{Clock, Now, age_ms};
use crate::decide::figures::{LogFigures, Queue};
use crate::decide::progress::Progress;
use crate::health::hindrance::{Area, Hindrances};

/// Requests that wait at most; behind them sources wait.
const REQUESTS_MAX: usize = 256;
/// Most entries of one block.
const BLOCK_ENTRIES_MAX: usize = 4_096;
/// Most record bytes of one block; a single larger request is one block still.
const BLOCK_BYTES_MAX: usize = 1 << 20;

fn stopped() -> Error {
    Error::Append { source: "the log has been closed".into() }
}

/// What the writer is asked for.
enum Request {
    Append {
        entries: Owned,
        done: oneshot::Sender<u64>,
    },
    /// Drop what is too old or too much and covered by a snapshot at this position.
    Retain {
        covered: u64,
    },
    /// Take nothing after this.
    End,
}

enum Owned {
    Events(Vec<Incoming>),
    Control(Control),
}

impl Owned {
    fn len(&self) -> usize {
        match self {
            Self::Events(events) => events.len(),
            Self::Control(_) => 1,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Events(events) => events.iter().map(|event| event.bytes.len()).sum(),
            Self::Control(_) => 0,
        }
    }
}

/// Appends to the log from tasks.
#[derive(Clone)]
pub struct LogAppender {
    requests: mpsc::Sender<Request>,
    /// Held while a request waits for its place: the lock is fair, so places are in the order of asking.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Whether what comes next must wait, because effects have filled the disk space they may have.
    paused: watch::Receiver<bool>,
    /// When something other than a tick was last appended, ms by the monotonic clock; the least there is before the first.
    last_ms: Arc<AtomicI64>,
    hindrances: Hindrances,
}

impl LogAppender {
    /// Appends a control record; its position once it is durable.
    ///
    /// # Errors
    /// [`Error::Append`] when the log has stopped.
    pub async fn control(&self, control: Control) -> Result<u64, Error> {
        self.request(Owned::Control(control), false).await
    }

    /// Drops what retention has ended, as far as a snapshot at `covered` allows.
    pub(crate) async fn retain(&self, covered: u64) {
        drop(self.requests.send(Request::Retain { covered }).await);
    }

    /// What hinders the log, and everything else.
    pub(crate) fn hindrances(&self) -> Hindrances {
        self.hindrances.clone()
    }

    /// The queue before the log's thread, to be looked at.
    pub(crate) fn queue(&self) -> Queue {
        Queue::behind("append", &self.requests)
    }

    /// Ends the log once all that was asked for before is in it.
    pub(crate) async fn end(&self) {
        drop(self.requests.send(Request::End).await); // a log that has ended already is what was wanted
    }

    /// When something other than a tick was last appended, ms by the monotonic clock; `None`: not since the start.
    pub(crate) fn last_ms(&self) -> Option<i64> {
        Some(self.last_ms.load(Ordering::Relaxed)).filter(|last_ms| *last_ms != i64::MIN)
    }

    async fn request(&self, entries: Owned, pausing: bool) -> Result<u64, Error> {
        let (done, answer) = oneshot::channel();
        let urgent = matches!(&entries, Owned::Control(control) if !matches!(control, Control::Tick { .. }));
        {
            // What an operator asks for must not stand behind what waits for room: it may be what makes room.
            let _turn = if urgent { None } else { Some(self.turn.lock().await) };
            if pausing {
                self.paused.clone().wait_for(|paused| !*paused).await.map_err(|_| stopped())?;
            }
            self.requests.send(Request::Append { entries, done }).await.map_err(|_| stopped())?;
        }
        answer.await.map_err(|_| stopped())
    }
}

#[async_trait::async_trait]
impl Appender for LogAppender {
    async fn append(&self, records: Vec<Incoming>) -> Result<u64, Error> {
        self.request(Owned::Events(records), true).await
    }

    fn hindrance(&self) -> Option<&'static str> {
        if self.hindrances.blocking().is_some() {
            return Some("the disk has no room");
        }
        latest(&self.paused).then_some("nothing is taken until receivers of alerts or scores are back: the outbox is full")
    }
}

/// The writer's end.
pub(crate) struct LogThread {
    log: LogWriter,
    requests: mpsc::Receiver<Request>,
    progress: Arc<Progress>,
    clock: Clock,
    last_ms: Arc<AtomicI64>,
    figures: Arc<LogFigures>,
    hindrances: Hindrances,
}

/// Both ends, for a log whose `progress` is known.
pub(crate) fn log_thread(
    log: LogWriter,
    progress: Arc<Progress>,
    paused: watch::Receiver<bool>,
    figures: Arc<LogFigures>,
    hindrances: Hindrances,
    clock: Clock,
) -> (LogAppender, LogThread) {
    let (sender, requests) = mpsc::channel(REQUESTS_MAX);
    let last_ms = Arc::new(AtomicI64::new(i64::MIN));
    let appender =
        LogAppender { requests: sender, turn: Arc::default(), paused, last_ms: Arc::clone(&last_ms), hindrances: hindrances.clone() };
    (appender, LogThread { log, requests, progress, clock, last_ms, figures, hindrances })
}

impl LogThread {
    /// Writes until every appender is gone.
    ///
    /// # Errors
    /// The disk failed; one without room is waited for. What was not acknowledged may be lost; a log whose fsync failed must
    /// be opened again to know.
    pub(crate) fn run(mut self) -> Result<(), log::Error> {
        let result = self.write();
        self.progress.close();
        result
    }

    fn write(&mut self) -> Result<(), log::Error> {
        while let Some(first) = self.requests.blocking_recv() {
            let (mut waiting, mut entries, mut bytes, mut retain, mut end) = (Vec::new(), 0, 0, None, false);
            let mut request = Some(first);
            while let Some(next) = request.take() {
                match next {
                    Request::Append { entries: owned, done } => {
                        entries += owned.len();
                        bytes += owned.bytes();
                        waiting.push((owned, done));
                    }
                    Request::Retain { covered } => retain = Some(covered),
                    Request::End => end = true,
                }
                if !end && entries < BLOCK_ENTRIES_MAX && bytes < BLOCK_BYTES_MAX {
                    request = self.requests.try_recv().ok();
                }
            }
            self.block(waiting)?;
            if let Some(covered) = retain {
                match self.log.retain(self.clock.settled_ms(), covered) {
                    Ok(retained) => {
                        if retained.segments > 0 {
                            tracing::info!(segments = retained.segments, keys = retained.keys, "log segments retired");
                        }
                        self.figures.first.store(retained.first, Ordering::Relaxed);
                    }
                    // It is asked for again in an hour, and after every snapshot.
                    Err(error) if error.disposition() == Disposition::Retry => {
                        tracing::warn!(error = %Chain(&error), "log segments not retired");
                    }
                    Err(error) => return Err(error),
                }
            }
            if end {
                return Ok(());
            }
        }
        Ok(())
    }

    fn block(&mut self, waiting: Vec<(Owned, oneshot::Sender<u64>)>) -> Result<(), log::Error> {
        if waiting.is_empty() {
            return Ok(());
        }
        let Now { wall_ms, monotonic_ms, .. } = self.clock.now();
        let mut entries = Vec::new();
        let mut ends = Vec::with_capacity(waiting.len());
        let (mut ticks_only, figures) = (true, &self.figures);
        for (owned, _) in &waiting {
            match owned {
                Owned::Events(events) => {
                    ticks_only = false;
                    figures.count(events);
                    figures.appended_bytes.fetch_add(owned.bytes() as u64, Ordering::Relaxed);
                    entries.extend(events.iter().map(|event| Entry::Event {
                        arrival_ms: wall_ms,
                        origin: Origin { stream: &event.stream, offset: event.offset },
                        bytes: &event.bytes,
                    }));
                }
                Owned::Control(control) => {
                    let tick = matches!(control, Control::Tick { .. });
                    ticks_only &= tick;
                    if tick { &figures.ticks } else { &figures.controls }.fetch_add(1, Ordering::Relaxed);
                    entries.push(Entry::Control(control.clone()));
                }
            }
            ends.push(entries.len() as u64);
        }
        tracing::trace!(first = self.log.next_position(), entries = entries.len(), "append");
        let (hindrances, log) = (&self.hindrances, &mut self.log);
        let positions = hindrances.until_done(Area::Log, log::Error::disposition, || log.append(wall_ms, &entries))?;
        let last = positions.end - 1;
        self.progress.appended(last);
        hindrances.until_done(Area::Log, log::Error::disposition, || log.sync())?;
        let took_ms = age_ms(self.clock.monotonic_ms(), monotonic_ms);
        self.figures.syncs.fetch_add(1, Ordering::Relaxed);
        self.figures.sync_ms_max.fetch_max(took_ms, Ordering::Relaxed);
        self.figures.bytes.store(self.log.bytes(), Ordering::Relaxed);
        self.figures.segments.store(self.log.segments() as u64, Ordering::Relaxed);
        tracing::trace!(last, "durable");
        self.progress.durable(last);
        if !ticks_only {
            self.last_ms.store(monotonic_ms, Ordering::Relaxed);
        }
        for ((_, done), end) in waiting.into_iter().zip(ends) {
            if done.send(positions.start + end - 1).is_err() {
                tracing::trace!("whoever asked has gone; the records are in the log all the same");
            }
        }
        Ok(())
    }
}
