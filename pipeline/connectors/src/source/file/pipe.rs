//! Standard input and named pipes: read by a thread of their own, since a read there may wait for ever.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::super::jsonl::{decoded, read_some};
use super::super::lines::{CutLine, Lines};
use super::super::{Fetched, Notice, Observer, Opener, Source, SourceRecord};
use super::FileConfig;
use crate::Error;

/// Opens the stream `jsonl:-`. What was read of it is gone: it can be opened once, and after a restart it is another
/// one, whose offsets go on above those of the last.
pub struct StdinOpener {
    config: FileConfig,
    observer: Arc<dyn Observer>,
}

impl StdinOpener {
    /// Standard input, plain or compressed, to its end.
    pub fn new(config: FileConfig, observer: Arc<dyn Observer>) -> Self {
        Self { config, observer }
    }
}

#[async_trait]
impl Opener for StdinOpener {
    fn stream(&self) -> &'static str {
        "jsonl:-"
    }

    async fn open(&self, after: Option<u64>) -> Result<Box<dyn Source>, Error> {
        Ok(Box::new(open(self.stream(), io::stdin(), after, &self.config, self.observer.clone())?))
    }
}

/// After this long without a byte nothing more is there for now: whoever writes is slower than we read.
const QUIET: Duration = Duration::from_millis(20);

/// Reads that wait for the source to take them.
const PIECES: usize = 4;

pub(super) struct PipeSource {
    stream: String,
    pieces: mpsc::Receiver<Result<Vec<u8>, Error>>,
    lines: Lines,
    observer: Arc<dyn Observer>,
    said_head: bool,
    ended: bool,
}

/// Begins to read. The thread ends with its input, or at the first piece that nobody takes any more.
pub(super) fn open(
    stream: &str,
    input: impl Read + Send + 'static,
    after: Option<u64>,
    config: &FileConfig,
    observer: Arc<dyn Observer>,
) -> Result<PipeSource, Error> {
    let (sender, pieces) = mpsc::channel(PIECES);
    let (path, read_bytes) = (stream.to_owned(), config.read_bytes.max(1));
    let unavailable = |source: io::Error| Error::Unavailable { stream: stream.to_owned(), source: source.into() };
    std::thread::Builder::new()
        .name("rasid-pipe".to_owned())
        .spawn(move || pump(input, &path, read_bytes, &sender))
        .map_err(unavailable)?;
    let lines = Lines::of_text(after.unwrap_or(0), config.line_bytes_max);
    Ok(PipeSource { stream: stream.to_owned(), pieces, lines, observer, said_head: false, ended: false })
}

fn pump(input: impl Read + Send + 'static, path: &str, read_bytes: usize, pieces: &mpsc::Sender<Result<Vec<u8>, Error>>) {
    let (mut bytes, format) = match decoded(Box::new(input)) {
        Ok(decoded) => decoded,
        // Where nobody takes the error nobody waits for the input either.
        Err(source) => return drop(pieces.blocking_send(Err(Error::Read { path: path.to_owned(), source }))),
    };
    loop {
        let mut piece = vec![0; read_bytes];
        let piece = match read_some(&mut bytes, &mut piece) {
            Ok(0) => return,
            Ok(read) => {
                piece.truncate(read);
                Ok(piece)
            }
            Err(source) => Err(match format.filter(|_| source.raw_os_error().is_none()) {
                Some(format) => Error::Corrupt { path: path.to_owned(), format, source },
                None => Error::Read { path: path.to_owned(), source },
            }),
        };
        let failed = piece.is_err();
        if pieces.blocking_send(piece).is_err() || failed {
            return;
        }
    }
}

impl PipeSource {
    fn told(&mut self, records: Vec<SourceRecord>, cuts: &[CutLine]) -> Option<Fetched> {
        for CutLine { offset, length } in cuts {
            self.observer.notice(&self.stream, &Notice::Cut { offset: *offset, length: *length });
        }
        self.said_head &= records.is_empty();
        (!records.is_empty()).then_some(Fetched::Records(records))
    }
}

#[async_trait]
impl Source for PipeSource {
    fn stream(&self) -> &str {
        &self.stream
    }

    async fn fetch(&mut self) -> Result<Fetched, Error> {
        loop {
            if self.ended {
                return Ok(Fetched::End);
            }
            let received = if self.said_head {
                self.pieces.recv().await
            } else if let Ok(received) = tokio::time::timeout(QUIET, self.pieces.recv()).await {
                received
            } else {
                self.said_head = true;
                return Ok(Fetched::AtHead);
            };
            let (mut records, mut cuts) = (Vec::new(), Vec::new());
            if let Some(piece) = received {
                self.lines.feed(&piece?, &mut records, &mut cuts);
            } else {
                self.ended = true;
                records.extend(self.lines.finish(&mut cuts));
            }
            if let Some(fetched) = self.told(records, &cuts) {
                return Ok(fetched);
            }
        }
    }
}
