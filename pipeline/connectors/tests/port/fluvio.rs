//! A partition of a topic as a stream.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fluvio::{Fluvio, TopicProducerPool};
use rasid_connectors::source::fluvio::{FluvioConfig, Topic};
use rasid_connectors::source::{Merge, MergeConfig, MergeHandle, Opener, Traced};
use tokio::task::JoinHandle;

use super::{Port, cluster};

/// A topic of one partition.
pub(crate) struct Partition {
    topic: Arc<Topic>,
    producer: TopicProducerPool,
    _client: Fluvio,
    /// Asks the controller for the ends, as a service does.
    watching: JoinHandle<()>,
    _handle: MergeHandle,
}

impl Partition {
    pub(crate) async fn new(endpoint: &str) -> Self {
        let name = cluster::create(endpoint, "contract", 1).await;
        let (client, producer) = cluster::producer(endpoint, &name, Duration::ZERO).await;
        let topic = Topic::new(FluvioConfig::new(endpoint, &name), Arc::new(Traced));
        // A merge that nobody runs: only the controller is watched.
        let (merge, handle) = Merge::new(MergeConfig::default(), BTreeMap::new(), Arc::new(Traced));
        let (following, kept) = (topic.clone().follow(handle.clone()), handle);
        let watching = tokio::spawn(async move {
            following.await;
            drop(merge);
        });
        Self { topic, producer, _client: client, watching, _handle: kept }
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

#[async_trait]
impl Port for Partition {
    async fn write(&mut self, records: &[Vec<u8>]) {
        let keyless: Vec<_> = records.iter().map(|record| (None, record.clone())).collect();
        cluster::send(&self.producer, keyless).await;
    }

    fn opener(&self) -> Arc<dyn Opener> {
        Arc::new(self.topic.partition(0))
    }
}
