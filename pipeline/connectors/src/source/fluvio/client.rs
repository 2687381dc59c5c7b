//! The client library, with timeouts, and a connector that acknowledges at once.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;
use fluvio::metadata::objects::Metadata;
use fluvio::metadata::partition::PartitionSpec;
use fluvio::metadata::topic::TopicSpec;
use fluvio::{Fluvio, FluvioAdmin, FluvioClusterConfig};
use fluvio_future::net::tcp_stream::stream;
use fluvio_future::net::{
    AsConnectionFd as _, BoxReadConnection, BoxWriteConnection, ConnectionFd, DomainConnector, TcpDomainConnector, TcpStream,
};
use futures_lite::io::AsyncRead;
use tokio::time::timeout;

use super::super::remade::Word;
use super::FluvioConfig;
use crate::Error;

/// What the server makes of a topic that names no segment size.
const SEGMENT_BYTES_DEFAULT: u32 = 1 << 30;

/// Of each partition, as the controller knows it: the offset of its first record, and the one behind its last.
pub(super) type Ends = BTreeMap<u32, (u64, u64)>;

/// A new connection.
pub(super) async fn connect(config: &FluvioConfig) -> Result<Fluvio, Error> {
    let cluster = FluvioClusterConfig::new(&config.endpoint);
    within(config, Fluvio::connect_with_connector(Box::new(QuickAck), &cluster)).await
}

/// The answer, if it comes in time.
pub(super) async fn within<T, E>(config: &FluvioConfig, answer: impl Future<Output = Result<T, E>>) -> Result<T, Error>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match timeout(config.timeout, answer).await {
        Ok(answer) => answer.map_err(|error| config.unavailable(error)),
        Err(late) => Err(config.unavailable(late)),
    }
}

/// A connection to the controller.
pub(super) struct Controller {
    admin: FluvioAdmin,
    /// The connection that `admin` uses.
    _client: Fluvio,
}

impl Controller {
    pub(super) async fn connect(config: &FluvioConfig) -> Result<Self, Error> {
        let client = connect(config).await?;
        let admin = timeout(config.timeout, client.admin()).await.map_err(|late| config.unavailable(late))?;
        Ok(Self { admin, _client: client })
    }

    /// Whether the topic is there and can be read without loss.
    pub(super) async fn check(&self, config: &FluvioConfig) -> Result<Word, Error> {
        let topics = within(config, self.admin.list::<TopicSpec, String>(vec![config.topic.clone()])).await?;
        let Some(topic) = topics.into_iter().find(|topic| topic.name == config.topic) else {
            return Ok(Word::Absent(format!("there is no such topic at {}; create it with segments of 8 MiB", config.endpoint)));
        };
        let segment = topic.spec.get_storage().and_then(|storage| storage.segment_size).unwrap_or(SEGMENT_BYTES_DEFAULT);
        let max = config.max_bytes;
        if max > i32::MAX.unsigned_abs() {
            return Ok(Word::Unfit(format!("max_bytes is {max}, expected {} at most", i32::MAX)));
        }
        if segment > max {
            return Ok(Word::Unfit(format!(
                "its segments are {segment} bytes and a fetch takes {max}, so that answers would be cut and records lost; set max_bytes to \
                 {segment} or more (each partition may need that much memory), or create the topic with a segment size of {max} or less"
            )));
        }
        Ok(Word::Fit(topic.spec.partitions()))
    }

    /// Where each partition ends.
    pub(super) async fn ends(&self, config: &FluvioConfig) -> Result<Ends, Error> {
        let partitions = within(config, self.admin.all::<PartitionSpec>()).await?;
        let ends = |partition: &Metadata<PartitionSpec>| {
            let (topic, index) = partition.name.rsplit_once('-')?;
            (topic == config.topic).then_some(())?;
            let (begin, end) = (partition.status.base_offset.max(0), u64::try_from(partition.status.leader.leo).ok()?);
            Some((index.parse().ok()?, (begin.unsigned_abs(), end)))
        };
        Ok(partitions.iter().filter_map(ends).collect())
    }
}

/// Connects with `TCP_NODELAY` for what we write and `TCP_QUICKACK` for what we read.
#[derive(Clone)]
struct QuickAck;

#[async_trait]
impl TcpDomainConnector for QuickAck {
    async fn connect(&self, address: &str) -> io::Result<(BoxWriteConnection, BoxReadConnection, ConnectionFd)> {
        let stream = stream(address).await?;
        stream.set_nodelay(true)?;
        let descriptor = stream.as_connection_fd();
        let reader = QuickRead(stream.clone());
        Ok((Box::new(stream), Box::new(reader), descriptor))
    }

    fn new_domain(&self, _domain: String) -> DomainConnector {
        Box::new(self.clone())
    }

    fn domain(&self) -> &'static str {
        "localhost"
    }

    fn clone_box(&self) -> DomainConnector {
        Box::new(self.clone())
    }
}

/// The reading half. The kernel takes `TCP_QUICKACK` back by and by, so it is set again around every read.
struct QuickRead(TcpStream);

impl QuickRead {
    fn acknowledge_at_once(&self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = socket2::SockRef::from(&self.0).set_tcp_quickack(true) {
            // Slower, and nothing worse.
            tracing::debug!(%error, "TCP_QUICKACK cannot be set");
        }
    }
}

impl AsyncRead for QuickRead {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.acknowledge_at_once();
        let read = Pin::new(&mut self.0).poll_read(context, buffer);
        if read.is_ready() {
            self.acknowledge_at_once();
        }
        read
    }
}
