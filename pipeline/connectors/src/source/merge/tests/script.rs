//! Streams that do as they are told, and a log in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use crate::Error;
use crate::source::{Appender, Fetched, Incoming, Notice, Observer, Opener, Source, SourceRecord, event_clock};

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Records with these clocks, offsets given in order.
    Clocks(Vec<i64>),
    /// Records as they are.
    Records(Vec<SourceRecord>),
    AtHead,
    Pause(u64),
    /// The fetch fails; open it again.
    Fail,
    /// The fetch fails, and so does the next opening.
    FailOpening,
    /// It fails for good.
    Break,
}

pub(super) fn clocks(clocks: impl IntoIterator<Item = i64>) -> Step {
    Step::Clocks(clocks.into_iter().collect())
}

pub(super) fn count(steps: &[Step]) -> u64 {
    steps.iter().map(|step| if let Step::Clocks(clocks) = step { clocks.len() as u64 } else { 0 }).sum()
}

pub(super) fn event(clock_ms: i64) -> Vec<u8> {
    let (seconds, ms) = (clock_ms / 1000, clock_ms % 1000);
    format!(r#"{{"time":"1970-01-01T00:{:02}:{:02}.{ms:03}Z"}}"#, seconds / 60, seconds % 60).into_bytes()
}

fn unavailable() -> Error {
    Error::Unavailable { stream: "script".to_owned(), source: "as told".into() }
}

/// A stream of a script, with offsets from 1.
pub(super) struct Scripted {
    stream: String,
    steps: Mutex<Option<VecDeque<Step>>>,
    /// What is left of the script when a source is dropped.
    left: Arc<Mutex<Option<Left>>>,
    read: Arc<AtomicU64>,
}

struct Left {
    steps: VecDeque<Step>,
    offset: u64,
}

impl Scripted {
    pub(super) fn new(stream: &str, steps: Vec<Step>) -> Self {
        Self { stream: stream.to_owned(), steps: Mutex::new(Some(steps.into())), left: Arc::default(), read: Arc::default() }
    }

    /// How many records were fetched.
    pub(super) fn read(&self) -> Arc<AtomicU64> {
        self.read.clone()
    }
}

#[async_trait]
impl Opener for Scripted {
    fn stream(&self) -> &str {
        &self.stream
    }

    async fn open(&self, after: Option<u64>) -> Result<Box<dyn Source>, Error> {
        let first = self.steps.lock().expect("no panic").take();
        let mut left = match first {
            Some(steps) => Left { steps, offset: 0 },
            None => self.left.lock().expect("no panic").take().expect("it is opened again only when it was dropped"),
        };
        if matches!(left.steps.front(), Some(Step::FailOpening)) {
            left.steps.pop_front();
            *self.left.lock().expect("no panic") = Some(left);
            return Err(unavailable());
        }
        Ok(Box::new(Reading {
            stream: self.stream.clone(),
            after: after.unwrap_or(0),
            left: Some(left),
            back: self.left.clone(),
            read: self.read.clone(),
        }))
    }
}

struct Reading {
    stream: String,
    after: u64,
    left: Option<Left>,
    back: Arc<Mutex<Option<Left>>>,
    read: Arc<AtomicU64>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        *self.back.lock().expect("no panic") = self.left.take();
    }
}

#[async_trait]
impl Source for Reading {
    fn stream(&self) -> &str {
        &self.stream
    }

    async fn fetch(&mut self) -> Result<Fetched, Error> {
        loop {
            let left = self.left.as_mut().expect("it is not dropped");
            let Some(step) = left.steps.pop_front() else { return Ok(Fetched::End) };
            let records = match step {
                Step::Clocks(clocks) => clocks
                    .into_iter()
                    .map(|clock_ms| {
                        left.offset += 1;
                        SourceRecord { offset: left.offset, bytes: event(clock_ms) }
                    })
                    .filter(|record| record.offset > self.after)
                    .collect(),
                Step::Records(records) => records,
                Step::AtHead => return Ok(Fetched::AtHead),
                Step::Pause(ms) => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    continue;
                }
                Step::Fail => return Err(unavailable()),
                Step::FailOpening => {
                    left.steps.push_front(Step::FailOpening);
                    return Err(unavailable());
                }
                Step::Break => return Err(Error::Unfit { stream: self.stream.clone(), why: "as told".to_owned() }),
            };
            self.read.fetch_add(records.len() as u64, SeqCst);
            if !records.is_empty() {
                return Ok(Fetched::Records(records));
            }
        }
    }
}

/// A log in memory.
#[derive(Clone, Default)]
pub(super) struct Book {
    written: Arc<Mutex<Vec<Incoming>>>,
    appends: Arc<AtomicUsize>,
    in_flight: Arc<AtomicUsize>,
    most_in_flight: Arc<AtomicUsize>,
    takes: Duration,
    fails_at: Option<usize>,
}

impl Book {
    /// Each append takes so long to be durable.
    pub(super) fn taking(mut self, takes: Duration) -> Self {
        self.takes = takes;
        self
    }

    /// It takes so many appends and no more.
    pub(super) fn failing_at(mut self, appends: usize) -> Self {
        self.fails_at = Some(appends);
        self
    }

    pub(super) fn clocks(&self) -> Vec<i64> {
        self.written.lock().expect("no panic").iter().filter_map(|record| event_clock(&record.bytes)).collect()
    }

    pub(super) fn streams(&self) -> Vec<String> {
        self.written.lock().expect("no panic").iter().map(|record| record.stream.to_string()).collect()
    }

    pub(super) fn offsets(&self, stream: &str) -> Vec<u64> {
        let written = self.written.lock().expect("no panic");
        written.iter().filter(|record| &*record.stream == stream).map(|record| record.offset).collect()
    }

    pub(super) fn newest(&self) -> BTreeMap<String, u64> {
        self.written.lock().expect("no panic").iter().map(|record| (record.stream.to_string(), record.offset)).collect()
    }

    pub(super) fn most_in_flight(&self) -> usize {
        self.most_in_flight.load(SeqCst)
    }
}

#[async_trait]
impl Appender for Book {
    async fn append(&self, records: Vec<Incoming>) -> Result<u64, Error> {
        if self.fails_at.is_some_and(|fails_at| self.appends.fetch_add(1, SeqCst) >= fails_at) {
            return Err(Error::Append { source: "as told".into() });
        }
        let position = {
            let mut written = self.written.lock().expect("no panic");
            written.extend(records);
            written.len() as u64
        };
        let in_flight = self.in_flight.fetch_add(1, SeqCst) + 1;
        self.most_in_flight.fetch_max(in_flight, SeqCst);
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        self.in_flight.fetch_sub(1, SeqCst);
        Ok(position)
    }
}

/// The stream, what it was, and whether a person must look.
type Told = (String, &'static str, bool);

/// Remembers what it hears.
#[derive(Clone, Default)]
pub(super) struct Heard {
    all: Arc<Mutex<Vec<Told>>>,
}

impl Heard {
    pub(super) fn kinds(&self, stream: &str) -> Vec<&'static str> {
        self.all.lock().expect("no panic").iter().filter(|(of, ..)| of == stream).map(|(_, kind, _)| *kind).collect()
    }

    /// The streams of what a person must look at.
    pub(super) fn alerts(&self) -> Vec<String> {
        self.all.lock().expect("no panic").iter().filter(|(.., alert)| *alert).map(|(stream, ..)| stream.clone()).collect()
    }
}

impl Observer for Heard {
    fn notice(&self, stream: &str, notice: &Notice<'_>) {
        self.all.lock().expect("no panic").push((stream.to_owned(), notice.kind(), notice.is_ops_alert()));
    }
}
