//! The task of one stream: reads ahead into a bounded buffer, opens the stream again when it fails.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::super::{Fetched, Notice, Observer, Opener, Source, SourceRecord, event_clock};
use super::MergeConfig;
use super::lag::{Standing, State};
use crate::{Disposition, Error};

/// A record with the event clock that decides when it goes; the least there is where it cannot be read.
pub(super) struct Ready {
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) clock_ms: i64,
}

/// What a task tells the merge, in order.
pub(super) enum Word {
    Records(Vec<Ready>),
    AtHead,
    Down,
    Ended,
}

/// The writing end of one stream's buffer.
pub(super) struct Feed {
    words: mpsc::Sender<Word>,
    wake: Arc<Notify>,
    records_max: usize,
    bytes_max: usize,
}

/// In how many pieces a buffer is filled: the merge takes one while the reader fills the next.
const PIECES: usize = 4;

/// The two ends of one stream's buffer. Writing wakes the merge.
pub(super) fn feed(config: &MergeConfig, wake: Arc<Notify>) -> (Feed, mpsc::Receiver<Word>) {
    let (words, inbox) = mpsc::channel(PIECES - 1);
    let records_max = (config.prefetch_records / PIECES).max(1);
    let bytes_max = (config.prefetch_bytes / PIECES).max(1);
    (Feed { words, wake, records_max, bytes_max }, inbox)
}

/// The merge has ended: nobody listens any more.
struct Gone;

impl Feed {
    async fn say(&self, word: Word) -> Result<(), Gone> {
        self.words.send(word).await.map_err(|_| Gone)?;
        self.wake.notify_one();
        Ok(())
    }

    /// Hands records over in pieces of bounded size.
    async fn hand(&self, records: Vec<SourceRecord>) -> Result<(), Gone> {
        let (mut piece, mut bytes_held) = (Vec::new(), 0);
        for SourceRecord { offset, bytes } in records {
            bytes_held += bytes.len();
            let clock_ms = event_clock(&bytes).unwrap_or(i64::MIN);
            piece.push(Ready { offset, bytes, clock_ms });
            if piece.len() >= self.records_max || bytes_held >= self.bytes_max {
                bytes_held = 0;
                self.say(Word::Records(std::mem::take(&mut piece))).await?;
            }
        }
        if piece.is_empty() { Ok(()) } else { self.say(Word::Records(piece)).await }
    }
}

/// Reads one stream.
pub(super) struct Reader {
    pub(super) opener: Arc<dyn Opener>,
    /// The last offset that was read.
    pub(super) after: Option<u64>,
    pub(super) config: MergeConfig,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) standing: Arc<Standing>,
}

impl Reader {
    /// Reads until the stream ends, is given up (its name is the answer), or nobody listens.
    pub(super) async fn run(mut self, feed: Feed) -> Option<String> {
        let mut failed = 0;
        loop {
            let error = match self.opener.open(self.after).await {
                Ok(mut source) => match self.read(source.as_mut(), &feed, &mut failed).await {
                    Ok(()) => return None,
                    Err(error) => error,
                },
                Err(error) => error,
            };
            failed += 1;
            self.standing.fault();
            let lasting = error.disposition() == Disposition::Halt;
            let pause = self.pause(failed);
            let retry_in_ms = (!lasting).then(|| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
            self.notice(&Notice::Fault { error: &error, attempt: failed, retry_in_ms });
            if lasting {
                self.standing.is(State::GivenUp);
            }
            if feed.say(if lasting { Word::Ended } else { Word::Down }).await.is_err() {
                return None;
            }
            if lasting {
                return Some(self.opener.stream().to_owned());
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Reads an open stream to its end. `Ok`: it ended, or nobody listens.
    async fn read(&mut self, source: &mut dyn Source, feed: &Feed, failed: &mut u32) -> Result<(), Error> {
        loop {
            let fetched = source.fetch().await?;
            if *failed > 0 {
                self.notice(&Notice::Recovered { attempts: std::mem::take(failed) });
            }
            let said = match fetched {
                Fetched::Records(mut records) => {
                    self.pass_over_repeats(&mut records);
                    let Some(last) = records.last() else { continue };
                    self.after = Some(last.offset);
                    self.standing.is(State::CatchingUp);
                    self.standing.read(last.offset, source.newest());
                    feed.hand(records).await
                }
                Fetched::AtHead => {
                    self.standing.knows(source.newest());
                    self.standing.is(State::AtHead);
                    feed.say(Word::AtHead).await
                }
                Fetched::End => {
                    self.notice(&Notice::Ended);
                    self.standing.is(State::Ended);
                    // Whether anybody hears it or not, this is the end.
                    drop(feed.say(Word::Ended).await);
                    return Ok(());
                }
            };
            if said.is_err() {
                return Ok(());
            }
        }
    }

    /// The port promises that offsets rise; what breaks the promise would be a record twice in the log.
    fn pass_over_repeats(&self, records: &mut Vec<SourceRecord>) {
        let (before, mut last) = (records.len(), self.after);
        records.retain(|record| {
            let rises = last.is_none_or(|last| record.offset > last);
            if rises {
                last = Some(record.offset);
            }
            rises
        });
        let repeated = (before - records.len()) as u64;
        if repeated > 0 {
            self.standing.repeated(repeated);
            self.notice(&Notice::Repeated { records: repeated });
        }
    }

    /// Doubles with every failure.
    fn pause(&self, failed: u32) -> Duration {
        let doubled = self.config.backoff_min.saturating_mul(1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX));
        doubled.min(self.config.backoff_max)
    }

    fn notice(&self, notice: &Notice<'_>) {
        self.observer.notice(self.opener.stream(), notice);
    }
}
