//! Fluvio topics: every partition is the stream `fluvio:<topic>/<partition>`.
//!
//! How it is read, and why so (client 0.50.1):
//!
//! - **One connection and one record stream a partition.** A stream over several partitions keeps one position for all
//!   of them and corrupts it when it reconnects; on a shared connection a partition that is not taken from just now
//!   holds up the others.
//! - **A fetch takes a whole segment.** The server cuts an answer at `max_bytes` wherever that falls, and the client
//!   drops what it has of the batch that was cut. An answer never crosses a segment, so with segments no larger than
//!   `max_bytes` nothing is cut; a topic whose segments are larger is refused ([`Error::Unfit`]).
//! - **Offsets are checked one by one** all the same ([`Contiguity`](super::Contiguity)). A gap is read again from where
//!   it begins; one that stays, or that retention made, is told as [`Notice::Lost`].
//! - **Positions are ours.** Reading goes on behind the newest offset in the log; what Fluvio keeps for its consumers is
//!   not used.
//! - **Reconnecting is ours.** The client's own retrying is off: it passes over evicted records without a word. An
//!   outage is an [`Error::Unavailable`]; whoever holds the source opens it again.
//! - **Acknowledgements are quick.** The server writes an answer in three pieces with Nagle's algorithm on; without
//!   `TCP_QUICKACK` each costs 40 ms.
//! - **A topic may go and come again.** One that is deleted, or cannot be read without loss any more, stops its own
//!   partitions and is taken up again when it is there and fit. One that was made again has offsets from 0: its
//!   partitions begin again in another [generation](super::generation), and what is lost by that is told
//!   ([`Notice::Remade`], how that is known: [`remade`](super::remade)).
//! - **A dead connection is noticed** by the controller knowing of records that do not come; the client would wait for
//!   hours.
//!
//! The client waits up to `FLV_SOCKET_WAIT` seconds (60 by default) for an answer. Everything here has a shorter
//! timeout of its own; set the variable to 5 to 10 all the same, so that what was given up is also cleaned up.

mod client;
mod partition;

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::remade::{Course, Life, News, Start, Word};
use super::{MergeHandle, Notice, Observer, Opener, Source};
use crate::Error;
use client::{Controller, Ends};

/// Which topic is read, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FluvioConfig {
    /// The controller's public address, `host:port`.
    pub endpoint: String,
    /// The topic.
    pub topic: String,
    /// Most bytes one fetch of a partition takes: the topic's segment size or more. 16 MiB. Each partition may need
    /// that much memory while it catches up.
    pub max_bytes: u32,
    /// How long a connection, an opening and a question to the controller may take. 3 s; after a restart a server looks
    /// through all its logs first, and what is asked meanwhile is asked again.
    pub timeout: Duration,
    /// How often the controller is asked for the ends of the partitions and for their number. 1 s.
    pub refresh: Duration,
    /// Without a record for this long the controller is asked whether there are more. 25 ms.
    pub quiet: Duration,
    /// With more records known at the controller and none coming for this long, the connection is taken for dead. 10 s.
    pub stalled: Duration,
    /// How many times a gap is read again before it is taken for lost. 3.
    pub reopenings_max: NonZeroU32,
    /// Most records handed over at once. 1,024.
    pub records_max: usize,
}

impl FluvioConfig {
    /// The topic at this controller, with the defaults.
    pub fn new(endpoint: &str, topic: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            topic: topic.to_owned(),
            max_bytes: 16 << 20,
            timeout: Duration::from_secs(3),
            refresh: Duration::from_secs(1),
            quiet: Duration::from_millis(25),
            stalled: Duration::from_secs(10),
            reopenings_max: NonZeroU32::MIN.saturating_add(2),
            records_max: 1024,
        }
    }

    fn stream(&self) -> String {
        format!("fluvio:{}", self.topic)
    }

    fn unavailable(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Unavailable { stream: self.stream(), source: source.into() }
    }

    fn unfit(&self, why: String) -> Error {
        Error::Unfit { stream: self.stream(), why }
    }
}

/// What the controller said last.
#[derive(Clone, Debug, Default)]
struct Known {
    life: Life,
    ends: Ends,
}

/// A topic: its partitions, and what the controller says about them.
pub struct Topic {
    config: FluvioConfig,
    observer: Arc<dyn Observer>,
    known: watch::Sender<Known>,
    /// Asks for the ends now instead of at the next turn.
    ask: Notify,
}

impl Topic {
    /// Asks nothing yet.
    pub fn new(config: FluvioConfig, observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Self { config, observer, known: watch::Sender::default(), ask: Notify::new() })
    }

    /// How many partitions the topic has. An error if it is not there, or cannot be read without loss.
    pub async fn check(&self) -> Result<u32, Error> {
        match Controller::connect(&self.config).await?.check(&self.config).await? {
            Word::Fit(partitions) => Ok(partitions),
            Word::Unfit(why) | Word::Absent(why) => Err(self.config.unfit(why)),
        }
    }

    /// Opens a partition.
    pub fn partition(self: &Arc<Self>, partition: u32) -> impl Opener + use<> {
        Partition { stream: format!("{}/{partition}", self.config.stream()), index: partition, topic: self.clone(), course: Arc::default() }
    }

    /// Adds every partition to the merge, and each that the topic is given later. Keeps an eye on the controller, which
    /// is how partitions know that they are at their head, and that they may be read. Runs until the merge ends or it is
    /// dropped; a controller that is away, a topic that is not there or cannot be read without loss, is waited for and
    /// told.
    pub async fn follow(self: Arc<Self>, handle: MergeHandle) {
        let mut known = 0;
        let mut attempt = 0;
        while let Err(error) = self.watch(&handle, &mut known, &mut attempt).await {
            attempt += 1;
            let pause = self.config.refresh.saturating_mul(attempt.min(10));
            self.fault(&error, attempt, pause);
            tokio::time::sleep(pause).await;
        }
    }

    /// Follows the topic over one connection, until the merge ends.
    async fn watch(self: &Arc<Self>, handle: &MergeHandle, known: &mut u32, attempt: &mut u32) -> Result<(), Error> {
        let controller = Controller::connect(&self.config).await?;
        loop {
            let word = controller.check(&self.config).await?;
            let ends = controller.ends(&self.config).await?;
            let attempts = std::mem::take(attempt);
            let mut news = None;
            self.known.send_modify(|known| {
                news = known.life.hears(&word);
                known.ends = ends;
            });
            match news {
                Some(News::Stopped(why)) => self.fault(&self.config.unfit(why), 1, self.config.refresh),
                Some(News::Resumed) => self.notice(&Notice::Recovered { attempts: attempts + 1 }),
                // A controller that is back: what it says of the topic is what it said before.
                None if attempts > 0 && matches!(word, Word::Fit(_)) => self.notice(&Notice::Recovered { attempts }),
                None => {}
            }
            if let Word::Fit(partitions) = word {
                if *known > 0 && partitions != *known {
                    self.notice(&Notice::Partitions { before: *known, now: partitions });
                }
                // Those that it has no more stay in the merge: a name there stands for one stream.
                for partition in *known..partitions {
                    if !handle.add(Arc::new(self.partition(partition))).await {
                        return Ok(());
                    }
                }
                *known = partitions.max(*known);
            }
            tokio::select! {
                () = tokio::time::sleep(self.config.refresh) => {}
                () = self.ask.notified() => {}
                () = handle.ended() => return Ok(()),
            }
        }
    }

    fn fault(&self, error: &Error, attempt: u32, pause: Duration) {
        self.notice(&Notice::Fault { error, attempt, retry_in_ms: u64::try_from(pause.as_millis()).ok() });
    }

    fn notice(&self, notice: &Notice<'_>) {
        self.observer.notice(&self.config.stream(), notice);
    }
}

struct Partition {
    stream: String,
    index: u32,
    topic: Arc<Topic>,
    /// Shared with what it opens.
    course: Arc<Mutex<Course>>,
}

fn held(course: &Mutex<Course>) -> MutexGuard<'_, Course> {
    course.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Opener for Partition {
    fn stream(&self) -> &str {
        &self.stream
    }

    async fn open(&self, after: Option<u64>) -> Result<Box<dyn Source>, Error> {
        let start = {
            #[expect(clippy::disallowed_methods, reason = "let go at the end of the block, and held alone")]
            let known = self.topic.known.borrow();
            if let Some(why) = known.life.stopped() {
                return Err(Error::Unavailable { stream: self.stream.clone(), source: why.into() });
            }
            let end = known.ends.get(&self.index).map(|(_, end)| *end);
            held(&self.course).open(after, &known.life, end, Instant::now())
        };
        let Start { generation, after, again } = start;
        if let Some(again) = again {
            let observer = &self.topic.observer;
            observer.notice(&self.stream, &Notice::Remade { read: again.read });
            if let Some(lost) = again.lost {
                observer.notice(&self.stream, &Notice::Lost(lost));
            }
        }
        let mut source = partition::Records::new(&self.topic, self.index, &self.stream, generation, after, &self.course);
        source.connect().await?;
        Ok(Box::new(source))
    }
}
