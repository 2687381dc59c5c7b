//! JSON Lines for the live service: a file to its end, a file that grows, standard input.
//!
//! An offset is the number of bytes up to the end of the line's line end, in the decompressed text where a file is
//! compressed; so resuming is exact. A followed file that is rotated or cut begins again at 0, in another
//! [generation](super::generation), so that offsets rise.
//!
//! What a followed file does, and what that means here:
//!
//! - **It grows**: a line without its line end is no record yet.
//! - **It is renamed and a new one takes its name**: it is read to its end (a last line without its line end is a
//!   record then), then the new one from its beginning. [`Notice::Rotated`].
//! - **It is cut in place**: it is read from its beginning. [`Notice::Truncated`], since what was written after the
//!   last look and cut before the next is lost.
//! - **It was exchanged while nobody looked** (the service was down): known by being shorter than before or by the
//!   place where reading ended being no line end; then as if cut. A longer file with a line end at that very byte is
//!   taken for the same one: rotate by rename while the service runs, or keep rotated files in a followed directory.
//! - **It is not there**: it is waited for.

mod pipe;
mod reading;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::generation::{offset_of, parts_of};
use super::lines::{CutLine, Lines};
use super::{Fetched, Notice, Observer, Opener, Source, SourceRecord};
use crate::Error;
use reading::{Begun, Reading};

pub use pipe::StdinOpener;

/// How files are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileConfig {
    /// How often a followed file is looked at when it has nothing new. 50 ms: what it adds to an event's latency; less
    /// costs one `stat` a file each time.
    pub poll: Duration,
    /// Bytes read at once. 256 KiB.
    pub read_bytes: usize,
    /// Longest line, its end not counted; what is longer is cut here and told ([`Notice::Cut`]). 16 MiB.
    pub line_bytes_max: usize,
}

impl Default for FileConfig {
    fn default() -> Self {
        Self { poll: Duration::from_millis(50), read_bytes: 256 << 10, line_bytes_max: 16 << 20 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// To its end, once.
    Once,
    /// For ever.
    Followed,
}

/// Opens the stream `jsonl:<path>`.
pub struct FileOpener {
    path: String,
    stream: String,
    mode: Mode,
    config: FileConfig,
    observer: Arc<dyn Observer>,
}

impl FileOpener {
    /// The file to its end, plain or compressed with gzip or zstd. A last line without its line end is a record.
    pub fn once(path: &str, config: FileConfig, observer: Arc<dyn Observer>) -> Self {
        Self::new(path, Mode::Once, config, observer)
    }

    /// The file and what will be added to it, for ever; it need not be there yet. A compressed file is read once.
    pub fn followed(path: &str, config: FileConfig, observer: Arc<dyn Observer>) -> Self {
        Self::new(path, Mode::Followed, config, observer)
    }

    fn new(path: &str, mode: Mode, config: FileConfig, observer: Arc<dyn Observer>) -> Self {
        Self { path: path.to_owned(), stream: stream_of(path), mode, config, observer }
    }
}

/// The stream of a file.
pub(super) fn stream_of(path: &str) -> String {
    format!("jsonl:{path}")
}

#[async_trait]
impl Opener for FileOpener {
    fn stream(&self) -> &str {
        &self.stream
    }

    async fn open(&self, after: Option<u64>) -> Result<Box<dyn Source>, Error> {
        if self.mode == Mode::Once && reading::is_pipe(&self.path).await {
            let open = |source| Error::Open { path: self.path.clone(), source };
            let file = tokio::fs::File::open(&self.path).await.map_err(open)?.into_std().await;
            return Ok(Box::new(pipe::open(&self.stream, file, after, &self.config, self.observer.clone())?));
        }
        let mut source = FileSource {
            path: self.path.clone(),
            stream: self.stream.clone(),
            mode: self.mode,
            config: self.config.clone(),
            observer: self.observer.clone(),
            resume: after,
            generation: 0,
            lines: Lines::new(0, self.config.line_bytes_max),
            file: None,
            skip_to: 0,
            newest: None,
            said_head: false,
            draining: false,
            ended: false,
        };
        // A file that is read once must be there, and whoever opened it is told at once if it is not.
        if self.mode == Mode::Once {
            source.begin().await?;
        }
        Ok(Box::new(source))
    }
}

struct FileSource {
    path: String,
    stream: String,
    mode: Mode,
    config: FileConfig,
    observer: Arc<dyn Observer>,
    /// Behind which offset reading begins, until it has begun.
    resume: Option<u64>,
    generation: u64,
    lines: Lines,
    /// `None`: there is no file yet.
    file: Option<Reading>,
    /// Records up to here were handed over before; for compressed files, which cannot be entered in the middle.
    skip_to: u64,
    newest: Option<u64>,
    said_head: bool,
    /// Another file has taken its name: what is left is read once more after a pause.
    draining: bool,
    ended: bool,
}

impl FileSource {
    /// Opens the file where reading is to go on.
    async fn begin(&mut self) -> Result<(), Error> {
        let (generation, bytes) = self.resume.map_or((self.generation, 0), parts_of);
        let checked = self.mode != Mode::Once;
        let Begun { file, identity, length, compressed, fits } = reading::begin(&self.path, bytes, checked).await?;
        let mut from = bytes;
        self.generation = generation;
        if !fits {
            self.notice(&Notice::Truncated { read: bytes, length });
            self.generation += 1;
            from = 0;
        }
        if compressed {
            self.mode = Mode::Once;
            self.skip_to = from;
            from = 0;
        }
        self.resume = None;
        self.newest = (!compressed).then(|| offset_of(self.generation, length));
        self.lines = Lines::new(from, self.config.line_bytes_max);
        self.file = Some(Reading::new(&self.path, file, identity, self.config.read_bytes));
        Ok(())
    }

    /// Takes what was read; the records in it.
    fn take(&mut self, bytes: &[u8]) -> Vec<SourceRecord> {
        let (mut records, mut cuts) = (Vec::new(), Vec::new());
        self.lines.feed(bytes, &mut records, &mut cuts);
        self.counted(records, &cuts)
    }

    /// Takes a last line without its line end.
    fn take_rest(&mut self) -> Vec<SourceRecord> {
        let mut cuts = Vec::new();
        let record = self.lines.finish(&mut cuts);
        self.counted(record.into_iter().collect(), &cuts)
    }

    fn counted(&mut self, mut records: Vec<SourceRecord>, cuts: &[CutLine]) -> Vec<SourceRecord> {
        records.retain(|record| record.offset > self.skip_to);
        for record in &mut records {
            record.offset = offset_of(self.generation, record.offset);
        }
        for CutLine { offset, length } in cuts.iter().filter(|cut| cut.offset > self.skip_to) {
            self.notice(&Notice::Cut { offset: offset_of(self.generation, *offset), length: *length });
        }
        if !records.is_empty() {
            self.said_head = false;
        }
        records
    }

    /// Nothing more can be read of the open file just now: what to say, or `None` to read on.
    async fn at_end(&mut self, open: reading::Identity) -> Result<Option<Fetched>, Error> {
        if self.mode == Mode::Once {
            self.ended = true;
            let records = self.take_rest();
            return Ok(Some(if records.is_empty() { Fetched::End } else { Fetched::Records(records) }));
        }
        let read = self.lines.offset();
        match reading::stat(&self.path).await? {
            Some((identity, length)) if identity == open => {
                self.draining = false;
                if length < read {
                    self.notice(&Notice::Truncated { read, length });
                    self.restart();
                    return Ok(None);
                }
                if length > read { Ok(None) } else { Ok(self.head().await) }
            }
            // Whoever renames a file may write to it until the new one is made.
            None if self.mode == Mode::Followed => Ok(self.head().await),
            _ if !self.draining => {
                self.draining = true;
                tokio::time::sleep(self.config.poll).await;
                Ok(None)
            }
            _ => {
                self.draining = false;
                let records = self.take_rest();
                self.notice(&Notice::Rotated { read });
                self.restart();
                Ok((!records.is_empty()).then_some(Fetched::Records(records)))
            }
        }
    }

    /// What comes next is another file's beginning.
    fn restart(&mut self) {
        self.file = None;
        self.resume = None;
        self.generation += 1;
    }

    /// Says once that there is nothing, then waits a little.
    async fn head(&mut self) -> Option<Fetched> {
        if !self.said_head {
            self.said_head = true;
            return Some(Fetched::AtHead);
        }
        tokio::time::sleep(self.config.poll).await;
        None
    }

    fn notice(&self, notice: &Notice<'_>) {
        self.observer.notice(&self.stream, notice);
    }
}

#[async_trait]
impl Source for FileSource {
    fn stream(&self) -> &str {
        &self.stream
    }

    fn newest(&self) -> Option<u64> {
        self.newest
    }

    async fn fetch(&mut self) -> Result<Fetched, Error> {
        loop {
            if self.ended {
                return Ok(Fetched::End);
            }
            let Some(file) = &mut self.file else {
                match self.begin().await {
                    Err(Error::Open { source, .. }) if source.kind() == std::io::ErrorKind::NotFound && self.mode != Mode::Once => {
                        if let Some(head) = self.head().await {
                            return Ok(head);
                        }
                    }
                    begun => begun?,
                }
                continue;
            };
            let identity = file.identity;
            // Nothing is awaited between taking what was read and handing it over, so nothing is lost on the way.
            let (bytes, length) = file.next().await?;
            self.newest = length.map(|length| offset_of(self.generation, length));
            if bytes.is_empty() {
                if let Some(fetched) = self.at_end(identity).await? {
                    return Ok(fetched);
                }
                continue;
            }
            let records = self.take(&bytes);
            if !records.is_empty() {
                return Ok(Fetched::Records(records));
            }
        }
    }
}

#[cfg(test)]
mod tests;
