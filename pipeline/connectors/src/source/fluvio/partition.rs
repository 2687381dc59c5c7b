//! The records of one partition.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use async_trait::async_trait;
use fluvio::consumer::{ConsumerConfigExt, OffsetManagementStrategy, Record, RetryMode};
use fluvio::dataplane::link::ErrorCode;
use fluvio::{Fluvio, Offset};
use futures_util::Stream;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, timeout};

use super::super::generation::offset_of;
use super::super::remade::Course;
use super::super::{Contiguity, Fetched, Notice, Source, SourceRecord, Verdict};
use super::{Topic, client, held};
use crate::Error;

/// Most bytes handed over at once, one record more at most.
const BYTES_MAX: usize = 1 << 20;

struct Open {
    records: Pin<Box<dyn Stream<Item = Result<Record, ErrorCode>> + Send>>,
    /// The connection that they come over.
    _client: Fluvio,
}

pub(super) struct Records {
    topic: Arc<Topic>,
    partition: u32,
    stream: String,
    generation: u64,
    contiguity: Contiguity,
    course: Arc<Mutex<Course>>,
    open: Option<Open>,
    /// What is to be said once the records before it were handed over.
    failed: Option<Error>,
    /// It was at its head since it was opened: when nothing is ready, nothing is there.
    live: bool,
    said_head: bool,
}

/// What the client had ready.
enum Step {
    Records(Vec<SourceRecord>),
    /// It was closed: to be opened again where the records go on.
    Reopen,
}

impl Records {
    /// Behind position `after` in that generation.
    pub(super) fn new(
        topic: &Arc<Topic>,
        partition: u32,
        stream: &str,
        generation: u64,
        after: Option<u64>,
        course: &Arc<Mutex<Course>>,
    ) -> Self {
        Self {
            partition,
            stream: stream.to_owned(),
            generation,
            course: course.clone(),
            contiguity: Contiguity::new(after, topic.config.reopenings_max),
            open: None,
            failed: None,
            live: false,
            said_head: false,
            topic: topic.clone(),
        }
    }

    /// Opens it where the records go on.
    pub(super) async fn connect(&mut self) -> Result<(), Error> {
        self.open = None;
        self.live = false;
        let topic = self.topic.clone();
        let config = &topic.config;
        let start = match self.contiguity.expected() {
            None => Offset::beginning(),
            Some(expected) => {
                let start = i64::try_from(expected).ok().and_then(|expected| Offset::absolute(expected).ok());
                start
                    .ok_or_else(|| Error::Unfit { stream: self.stream.clone(), why: format!("{expected} is no offset that Fluvio has") })?
            }
        };
        let consumer = ConsumerConfigExt::builder()
            .topic(config.topic.clone())
            .partition(self.partition)
            .offset_start(start)
            .offset_strategy(OffsetManagementStrategy::None)
            .max_bytes(i32::try_from(config.max_bytes).unwrap_or(i32::MAX))
            .retry_mode(RetryMode::Disabled)
            .build()
            .map_err(|error| self.unavailable(error))?;
        let client = client::connect(config).await?;
        let records = client::within(config, client.consumer_with_config(consumer)).await?;
        self.open = Some(Open { records: Box::pin(records), _client: client });
        Ok(())
    }

    /// What the client has ready, without waiting for company.
    fn gather(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        let (mut records, mut bytes_held, mut repeated) = (Vec::new(), 0, 0_u64);
        let step = loop {
            let Some(open) = &mut self.open else { break Some(Step::Reopen) };
            if records.len() >= self.topic.config.records_max.max(1) || bytes_held >= BYTES_MAX {
                break None;
            }
            match open.records.as_mut().poll_next(context) {
                Poll::Pending => break None,
                Poll::Ready(Some(Ok(record))) => {
                    // What has no offset has no place; the gap that it leaves is found by the next one.
                    let Ok(offset) = u64::try_from(record.offset) else { continue };
                    match self.contiguity.observe(offset) {
                        Verdict::Repeat => repeated += 1,
                        Verdict::Take { closed, lost } => {
                            for notice in closed.map(Notice::GapClosed).into_iter().chain(lost.map(Notice::Lost)) {
                                self.notice(&notice);
                            }
                            let bytes = record.value().to_vec();
                            bytes_held += bytes.len();
                            records.push(SourceRecord { offset: offset_of(self.generation, offset), bytes });
                        }
                        Verdict::Reopen { missing } => {
                            self.notice(&Notice::Gap(missing));
                            self.open = None;
                        }
                    }
                }
                Poll::Ready(Some(Err(ErrorCode::OffsetEvicted { next_available, .. }))) if next_available >= 0 => {
                    let lost = self.contiguity.evicted(next_available.unsigned_abs());
                    if let Some(lost) = lost {
                        self.notice(&Notice::Lost(lost));
                    } else {
                        self.failed = Some(self.unavailable("its beginning moved while it was read"));
                    }
                    self.open = None;
                }
                Poll::Ready(Some(Err(error))) => {
                    self.failed = Some(self.unavailable(error.to_string()));
                    self.open = None;
                }
                Poll::Ready(None) => {
                    self.failed = Some(self.unavailable("the connection was closed"));
                    self.open = None;
                }
            }
        };
        if repeated > 0 {
            self.notice(&Notice::Repeated { records: repeated });
        }
        match step {
            _ if !records.is_empty() => Poll::Ready(Step::Records(records)),
            Some(step) => Poll::Ready(step),
            // Repeats alone: the stream said that more may be ready, or was polled to the end of what is.
            None => Poll::Pending,
        }
    }

    /// The next step, however long it takes. The client's polls count against the task's budget, and a spent budget
    /// would look like an empty stream; what one turn may take is bounded here.
    async fn step(&mut self) -> Step {
        unconstrained(poll_fn(|context| self.gather(context))).await
    }

    /// The next step if it is there.
    async fn step_now(&mut self) -> Option<Step> {
        unconstrained(poll_fn(|context| match self.gather(context) {
            Poll::Ready(step) => Poll::Ready(Some(step)),
            Poll::Pending => Poll::Ready(None),
        }))
        .await
    }

    /// The next step; `None`: what was handed over is known to be the newest, said once.
    async fn wait(&mut self) -> Result<Option<Step>, Error> {
        if let Some(step) = self.step_now().await {
            return Ok(Some(step));
        }
        let topic = self.topic.clone();
        let mut known = topic.known.subscribe();
        if self.live && !self.said_head {
            return Ok(None);
        }
        if !self.live {
            if let Ok(step) = timeout(topic.config.quiet, self.step()).await {
                return Ok(Some(step));
            }
            topic.ask.notify_one();
        }
        let mut behind_since = None;
        loop {
            let told = tokio::select! {
                biased;
                step = self.step() => return Ok(Some(step)),
                told = known.changed() => told.is_ok(),
            };
            if !told {
                return Ok(Some(self.step().await)); // nobody asks the controller any more
            }
            let known = known.borrow_and_update().clone();
            if known.life.stopped().is_some() {
                return Ok(Some(Step::Reopen)); // which says why it is not opened
            }
            let Some((begin, end)) = known.ends.get(&self.partition).copied() else { continue };
            let read = self.contiguity.expected().and_then(|expected| expected.checked_sub(1));
            if read.is_some_and(|read| held(&self.course).is_short(read, Some(end), Instant::now())) {
                self.open = None;
                return Err(self.unavailable("fewer records are known than were read: the topic was made again"));
            }
            if end <= self.contiguity.expected().unwrap_or(begin) {
                behind_since = None;
                self.live = true;
                if !self.said_head {
                    return Ok(None);
                }
            } else if behind_since.get_or_insert_with(Instant::now).elapsed() >= topic.config.stalled {
                self.open = None;
                return Err(self.unavailable("records are known to be there and do not come"));
            }
        }
    }

    fn unavailable(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Unavailable { stream: self.stream.clone(), source: source.into() }
    }

    fn notice(&self, notice: &Notice<'_>) {
        self.topic.observer.notice(&self.stream, notice);
    }
}

#[async_trait]
impl Source for Records {
    fn stream(&self) -> &str {
        &self.stream
    }

    #[expect(clippy::disallowed_methods, reason = "one alone")]
    fn newest(&self) -> Option<u64> {
        let end = self.topic.known.borrow().ends.get(&self.partition)?.1;
        Some(offset_of(self.generation, end.checked_sub(1)?))
    }

    async fn fetch(&mut self) -> Result<Fetched, Error> {
        loop {
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            // A topic that is gone or unfit is not read on, however much of it is ready.
            #[expect(clippy::disallowed_methods, reason = "one alone")]
            let stopped = self.topic.known.borrow().life.stopped().map(str::to_owned);
            if let Some(why) = stopped {
                self.open = None;
                return Err(self.unavailable(why));
            }
            if self.open.is_none() {
                self.connect().await?;
            }
            match self.wait().await? {
                Some(Step::Records(records)) => {
                    self.said_head = false;
                    return Ok(Fetched::Records(records));
                }
                Some(Step::Reopen) => {}
                None => {
                    self.said_head = true;
                    return Ok(Fetched::AtHead);
                }
            }
        }
    }
}
