//! Where what the sources read goes: the log, seen from their side.

use std::sync::Arc;

use async_trait::async_trait;

use crate::Error;

/// A record on its way into the log.
#[derive(Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The stream it comes from.
    pub stream: Arc<str>,
    /// Its offset there.
    pub offset: u64,
    /// The record as it came.
    pub bytes: Vec<u8>,
}

/// Records are people's data: only their length is shown.
impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("stream", &self.stream).field("offset", &self.offset).field("bytes", &self.bytes.len()).finish()
    }
}

/// Appends records to the log.
///
/// What its users rely on:
///
/// - **Order.** An append takes its place when its future is first polled; those of one user lie in the log in that
///   order, each one's records together and in order.
/// - **Durable.** It is ready once its last record is durable, and gives that record's position.
/// - **Backpressure.** What it holds is bounded: it waits for room, however long, and never refuses for want of it.
/// - **An error is final.** After one, nothing that was handed over later becomes durable: otherwise a stream would be
///   resumed behind records that were lost.
/// - A future that is dropped after it was polled leaves its records appended or not; none of them alone.
#[async_trait]
pub trait Appender: Clone + Send + Sync + 'static {
    /// Appends `records`, one at least.
    async fn append(&self, records: Vec<Incoming>) -> Result<u64, Error>;

    /// Why an append would wait, and nobody knows how long, in words for whoever sends; `None` where it would not. Whoever can
    /// send his sender away need not begin to wait.
    fn hindrance(&self) -> Option<&'static str> {
        None
    }
}
