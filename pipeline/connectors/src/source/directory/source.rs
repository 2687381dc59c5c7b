//! Reads one content: from where it is to go on until it is at its end for long enough, or is no more.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::generation::{offset_of, parts_of};
use super::super::lines::{CutLine, Lines};
use super::super::{Fetched, FileConfig, Notice, Observer, Opener, Source, SourceRecord};
use super::content::{Content, End, Named};
use super::input::{Input, Opened, Step, begin};
use super::print::{HEAD, Print, Shape, hash, tail_of};
use crate::{Disposition, Error};

/// What sources of one folder share.
pub(super) struct Shared {
    pub(super) file: FileConfig,
    pub(super) rotate_wait: Duration,
    pub(super) idle_close: Duration,
    pub(super) observer: Arc<dyn Observer>,
    /// Tells the follower that a content is not read any more.
    pub(super) wake: Notify,
    /// More files wait to be read than may be open.
    pub(super) crowded: AtomicBool,
}

/// Opens the stream of a content, as long as it has its place among the open files.
pub(super) struct ContentOpener {
    content: Arc<Content>,
    shared: Arc<Shared>,
    place: Mutex<Option<OwnedSemaphorePermit>>,
}

impl ContentOpener {
    pub(super) fn new(content: Arc<Content>, shared: Arc<Shared>, place: OwnedSemaphorePermit) -> Self {
        let mut state = content.state();
        (state.live, state.was_live) = (true, false);
        drop(state);
        Self { content, shared, place: Mutex::new(Some(place)) }
    }
}

/// However its reading ended, it is not read any more.
impl Drop for ContentOpener {
    fn drop(&mut self) {
        self.content.state().live = false;
        drop(self.place.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.shared.wake.notify_one();
    }
}

#[async_trait]
impl Opener for ContentOpener {
    fn stream(&self) -> &str {
        &self.content.stream
    }

    async fn open(&self, after: Option<u64>) -> Result<Box<dyn Source>, Error> {
        let resume = match after.map(parts_of) {
            Some((generation, position)) if generation == self.content.generation => position.max(self.content.from),
            _ => self.content.from,
        };
        let lines = Lines::new(resume, self.shared.file.line_bytes_max);
        Ok(Box::new(ContentSource {
            content: Arc::clone(&self.content),
            shared: Arc::clone(&self.shared),
            lines,
            skip_to: 0,
            input: None,
            under_way: None,
            head: Vec::new(),
            recent: Vec::new(),
            newest: None,
            said_head: false,
            kept: false,
            ended: false,
            grown: Instant::now(),
        }))
    }
}

struct ContentSource {
    content: Arc<Content>,
    shared: Arc<Shared>,
    lines: Lines,
    /// Records up to here are passed over: what is compressed cannot be entered in the middle.
    skip_to: u64,
    /// `None`: not opened yet, or out of here while a read is under way.
    input: Option<Input>,
    under_way: Option<JoinHandle<(Input, io::Result<Step>)>>,
    /// The beginning of the text, as far as it is hashed.
    head: Vec<u8>,
    /// The last that was read.
    recent: Vec<u8>,
    newest: Option<u64>,
    said_head: bool,
    /// The follower was told that something is read.
    kept: bool,
    ended: bool,
    /// When it last gave something.
    grown: Instant,
}

impl ContentSource {
    /// Opens the file. `false`: it is not where it was.
    async fn begin(&mut self) -> Result<bool, Error> {
        let (path, from) = (self.content.state().path.clone(), self.lines.offset());
        let shown = path.display().to_string();
        let content = Arc::clone(&self.content);
        let opened = tokio::task::spawn_blocking(move || begin(&path, &content, from)).await;
        let opened = match opened.map_err(io::Error::other).and_then(|opened| opened) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            opened => opened.map_err(|source| Error::Open { path: shown, source })?,
        };
        let Some(Opened { input, head, compressed }) = opened else { return Ok(false) };
        if compressed {
            self.skip_to = from;
            self.lines = Lines::new(0, self.shared.file.line_bytes_max);
        }
        self.recent = if let Input::Plain { before, .. } = &input { before.clone() } else { Vec::new() };
        self.head = head;
        self.input = Some(input);
        Ok(true)
    }

    /// One read. It may be left and taken up again.
    async fn step(&mut self) -> Result<Step, Error> {
        if let Some(mut input) = self.input.take() {
            let read_bytes = self.shared.file.read_bytes.max(1);
            self.under_way = Some(tokio::task::spawn_blocking(move || {
                let step = input.step(read_bytes);
                (input, step)
            }));
        }
        let path = || self.content.state().path.display().to_string();
        let Some(under_way) = &mut self.under_way else {
            return Err(Error::Read { path: path(), source: io::ErrorKind::NotConnected.into() });
        };
        let done = under_way.await;
        self.under_way = None;
        let (input, step) = done.map_err(|error| Error::Read { path: path(), source: io::Error::other(error) })?;
        let format = if let Input::Compressed { format, .. } = &input { Some(*format) } else { None };
        self.input = Some(input);
        step.map_err(|source| match format {
            // What the system answers has a number; what is left is the decompressor's own finding.
            Some(format) if source.raw_os_error().is_none() => Error::Corrupt { path: path(), format, source },
            _ => Error::Unavailable { stream: self.content.stream.to_string(), source: source.into() },
        })
    }

    /// Takes what was read; the records in it.
    fn take(&mut self, bytes: &[u8], shape: Shape) -> Vec<SourceRecord> {
        let room = HEAD.saturating_sub(self.head.len());
        if self.lines.offset() == self.head.len() as u64 {
            self.head.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        }
        let begin = self.lines.offset() - self.recent.len() as u64;
        self.recent.extend_from_slice(bytes);
        let (mut records, mut cuts) = (Vec::new(), Vec::new());
        self.lines.feed(bytes, &mut records, &mut cuts);
        if let Some(last) = records.last() {
            self.mark(last.offset, begin);
            if !std::mem::replace(&mut self.kept, true) {
                self.shared.wake.notify_one(); // what it is known by is to be kept
            }
        }
        let mut state = self.content.state();
        (state.shape, state.seen_ns) = (shape, shape.changed_ns);
        state.remember(bytes, self.lines.offset());
        drop(state);
        let kept = tail_of(&self.recent).to_vec();
        self.recent = kept;
        self.counted(records, &cuts)
    }

    /// It is read as far as `position`; what `recent` holds begins at `begin`.
    fn mark(&self, position: u64, begin: u64) {
        let upto = usize::try_from(position.saturating_sub(begin)).unwrap_or(usize::MAX);
        let before = self.recent.get(..upto.min(self.recent.len())).unwrap_or_default();
        let head_len = self.head.len().min(usize::try_from(position).unwrap_or(HEAD));
        let head = hash(self.head.get(..head_len).unwrap_or_default());
        let mut state = self.content.state();
        if position >= state.resume || !matches!(self.input, Some(Input::Compressed { .. })) {
            state.read(Print { head_len, head, position, tail: hash(tail_of(before)) });
        }
    }

    /// Takes a last line without its line end.
    fn take_rest(&mut self) -> Vec<SourceRecord> {
        let mut cuts = Vec::new();
        let record = self.lines.finish(&mut cuts);
        if let Some(record) = &record {
            self.mark(record.offset, self.lines.offset() - self.recent.len() as u64);
        }
        self.counted(record.into_iter().collect(), &cuts)
    }

    fn counted(&mut self, mut records: Vec<SourceRecord>, cuts: &[CutLine]) -> Vec<SourceRecord> {
        let generation = self.content.generation;
        records.retain(|record| record.offset > self.skip_to);
        for record in &mut records {
            record.offset = offset_of(generation, record.offset);
        }
        for CutLine { offset, length } in cuts.iter().filter(|cut| cut.offset > self.skip_to) {
            self.notice(&Notice::Cut { offset: offset_of(generation, *offset), length: *length });
        }
        if !records.is_empty() {
            self.said_head = false;
        }
        records
    }

    /// Nothing more can be read just now: what to say, or `None` to read on.
    async fn at_end(&mut self) -> Option<Fetched> {
        if !self.said_head {
            self.said_head = true;
            return Some(Fetched::AtHead);
        }
        let (named, idle) = (self.content.state().named, self.grown.elapsed());
        let partial = self.content.state().print.position < self.lines.offset();
        if named != Named::Own && idle >= self.shared.rotate_wait {
            let read = self.lines.offset();
            let records = self.take_rest();
            self.notice(&Notice::Rotated { read });
            self.end(End::Over);
            return (!records.is_empty()).then_some(Fetched::Records(records));
        }
        let crowded = self.shared.crowded.load(Relaxed) && idle >= self.shared.file.poll * 2;
        if named != Named::Gone && (crowded || idle >= self.shared.idle_close) && (named == Named::Own || !partial) {
            self.ended = true;
            return None;
        }
        // The longer nothing came, the longer until it is looked at again.
        let pause = (idle / 10).clamp(self.shared.file.poll, Duration::from_secs(1).max(self.shared.file.poll));
        tokio::time::sleep(pause).await;
        None
    }

    fn end(&mut self, end: End) {
        self.content.state().end = end;
        self.ended = true;
    }

    fn notice(&self, notice: &Notice<'_>) {
        self.shared.observer.notice(&self.content.stream, notice);
    }
}

#[async_trait]
impl Source for ContentSource {
    fn stream(&self) -> &str {
        &self.content.stream
    }

    fn newest(&self) -> Option<u64> {
        self.newest
    }

    async fn fetch(&mut self) -> Result<Fetched, Error> {
        let fetched = self.next().await;
        if fetched.as_ref().is_err_and(|error| error.disposition() == Disposition::Halt) {
            self.content.state().end = End::Broken;
        }
        fetched
    }
}

impl ContentSource {
    async fn next(&mut self) -> Result<Fetched, Error> {
        loop {
            if self.ended {
                return Ok(Fetched::End);
            }
            if self.input.is_none() && self.under_way.is_none() && !self.begin().await? {
                self.ended = true; // the follower looks for it
                continue;
            }
            // Nothing is awaited between taking what was read and handing it over, so nothing is lost on the way.
            match self.step().await? {
                Step::Cut { length } => {
                    self.content.state().shape.length = length;
                    self.end(End::Cut);
                }
                Step::End { shape, torn } => {
                    self.content.state().shape = shape;
                    self.end(if torn { End::Torn } else { End::Idle });
                    let records = if torn { Vec::new() } else { self.take_rest() };
                    if !records.is_empty() {
                        return Ok(Fetched::Records(records));
                    }
                }
                Step::Bytes { bytes, shape } => {
                    let compressed = matches!(self.input, Some(Input::Compressed { .. }));
                    self.newest = (!compressed).then(|| offset_of(self.content.generation, shape.length));
                    if bytes.is_empty() {
                        if shape.length > self.lines.offset() {
                            continue; // it grew between the read and the look
                        }
                        self.content.state().shape = shape;
                        if let Some(fetched) = self.at_end().await {
                            return Ok(fetched);
                        }
                        continue;
                    }
                    self.grown = Instant::now();
                    let records = self.take(&bytes, shape);
                    if !records.is_empty() {
                        return Ok(Fetched::Records(records));
                    }
                }
            }
        }
    }
}
