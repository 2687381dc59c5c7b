//! The port of the live service: streams whose records carry offsets, read by tasks of their own.

use async_trait::async_trait;

use crate::Error;

/// One stream of records with offsets: a partition of a topic, a file, a pipe.
///
/// What every source guarantees:
///
/// - **Order.** Records come in the stream's own order.
/// - **Offsets rise** from record to record, over every fetch and every reopening. They need not be dense.
/// - **Resuming.** A source opened after offset *n* hands over every record whose offset is above *n*, and none other.
///   An offset that was handed over stays good across restarts, for as long as the stream keeps what follows it.
/// - **At least once.** Between what was handed over and what was made durable by the caller a crash may fall: those
///   records come again after a resume. Within one source nothing comes twice.
/// - **Bytes as they are.** A record is not decoded, trimmed or repaired; it never holds the line end it came with.
/// - **Never silence.** What the stream has lost for good is told to its [`Observer`](super::Observer), with the
///   offsets, and the stream goes on behind it.
/// - **Cancel safety.** A [`fetch`](Source::fetch) that is dropped before it is ready has consumed nothing.
#[async_trait]
pub trait Source: Send {
    /// The stream's name, kept in the log as the origin of its records: `fluvio:auth/0`, `jsonl:/var/log/events.jsonl`.
    fn stream(&self) -> &str;

    /// The next records, as many as are there; waits until something can be said.
    ///
    /// Having said [`Fetched::AtHead`] it waits for records (or the end) and does not say it again before there were
    /// some. After [`Fetched::End`] it says so for ever. After an error it is to be opened again, behind the last
    /// record that it handed over.
    async fn fetch(&mut self) -> Result<Fetched, Error>;

    /// The newest offset that the stream is known to hold, where it can be known: for the lag.
    fn newest(&self) -> Option<u64> {
        None
    }
}

/// What one fetch gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// One record or more, in order.
    Records(Vec<SourceRecord>),
    /// Nothing now, and what was handed over is known to be the newest there is.
    AtHead,
    /// Nothing now and never again.
    End,
}

/// One record of a stream.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceRecord {
    /// Where the stream goes on behind it: reopening after this offset gives the next record.
    pub offset: u64,
    /// The record as it came, less its line end.
    pub bytes: Vec<u8>,
}

/// Records are people's data: only their length is shown.
impl std::fmt::Debug for SourceRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceRecord").field("offset", &self.offset).field("bytes", &self.bytes.len()).finish()
    }
}

/// How a stream is opened, and opened again after a fault.
#[async_trait]
pub trait Opener: Send + Sync {
    /// The name of the stream that it opens.
    fn stream(&self) -> &str;

    /// Opens it behind offset `after`, or at its beginning. An error says by its disposition whether trying again may
    /// help.
    async fn open(&self, after: Option<u64>) -> Result<Box<dyn Source>, Error>;
}
