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
//! - **A dead connection is noticed** by the controller knowing of records that do not come; the client would wait for
//!   hours.
//!
//! The client waits up to `FLV_SOCKET_WAIT` seconds (60 by default) for an answer. Everything here has a shorter
//! timeout of its own; set the variable to 5 to 10 all the same, so that what was given up is also cleaned up.

mod client;
mod partition;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, watch};

use super::{MergeHandle, Notice, Observer, Opener, Source};
use crate::{Disposition, Error};
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
}

/// A topic: its partitions, and what the controller says about them.
pub struct Topic {
    config: FluvioConfig,
    observer: Arc<dyn Observer>,
    ends: watch::Sender<Ends>,
    /// Asks for the ends now instead of at the next turn.
    ask: Notify,
}

impl Topic {
    /// Asks nothing yet.
    pub fn new(config: FluvioConfig, observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Self { config, observer, ends: watch::Sender::default(), ask: Notify::new() })
    }

    /// How many partitions the topic has. An error if it is not there, or cannot be read without loss.
    pub async fn check(&self) -> Result<u32, Error> {
        Controller::connect(&self.config).await?.check(&self.config).await
    }

    /// Opens a partition.
    pub fn partition(self: &Arc<Self>, partition: u32) -> impl Opener + use<> {
        Partition { stream: format!("{}/{partition}", self.config.stream()), index: partition, topic: self.clone() }
    }

    /// Adds every partition to the merge, and each that the topic is given later. Keeps an eye on the controller, which
    /// is how partitions know that they are at their head. Runs until the merge ends, it is dropped, or the topic is
    /// found unfit; a controller that is away is waited for and told.
    pub async fn follow(self: Arc<Self>, handle: MergeHandle) -> Result<(), Error> {
        let mut known = 0;
        let mut attempt = 0;
        let stream = self.config.stream();
        loop {
            let Err(error) = self.watch(&handle, &mut known, &mut attempt).await else { return Ok(()) };
            if error.disposition() == Disposition::Halt {
                self.observer.notice(&stream, &Notice::Fault { error: &error, attempt: attempt + 1, retry_in_ms: None });
                return Err(error);
            }
            attempt += 1;
            let pause = self.config.refresh.saturating_mul(attempt.min(10));
            let retry_in_ms = u64::try_from(pause.as_millis()).ok();
            self.observer.notice(&stream, &Notice::Fault { error: &error, attempt, retry_in_ms });
            tokio::time::sleep(pause).await;
        }
    }

    /// Follows the topic over one connection, until the merge ends.
    async fn watch(self: &Arc<Self>, handle: &MergeHandle, known: &mut u32, attempt: &mut u32) -> Result<(), Error> {
        let controller = Controller::connect(&self.config).await?;
        loop {
            let partitions = controller.check(&self.config).await?;
            let ends = controller.ends(&self.config).await?;
            self.ends.send_replace(ends);
            if *attempt > 0 {
                self.observer.notice(&self.config.stream(), &Notice::Recovered { attempts: std::mem::take(attempt) });
            }
            if *known > 0 && partitions != *known {
                self.observer.notice(&self.config.stream(), &Notice::Partitions { before: *known, now: partitions });
            }
            for partition in *known..partitions {
                if !handle.add(Arc::new(self.partition(partition))).await {
                    return Ok(());
                }
            }
            *known = partitions.max(*known);
            tokio::select! {
                () = tokio::time::sleep(self.config.refresh) => {}
                () = self.ask.notified() => {}
                () = handle.ended() => return Ok(()),
            }
        }
    }
}

struct Partition {
    stream: String,
    index: u32,
    topic: Arc<Topic>,
}

#[async_trait]
impl Opener for Partition {
    fn stream(&self) -> &str {
        &self.stream
    }

    async fn open(&self, after: Option<u64>) -> Result<Box<dyn Source>, Error> {
        let mut source = partition::Records::new(&self.topic, self.index, &self.stream, after);
        source.connect().await?;
        Ok(Box::new(source))
    }
}
