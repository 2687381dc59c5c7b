//! A real cluster: topics, and records in them. The server is in no registry; it is named by `FLUVIO_ENDPOINT`.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fluvio::metadata::topic::{TopicSpec, TopicStorageConfig};
use fluvio::{Fluvio, FluvioClusterConfig, RecordKey, TopicProducerConfigBuilder, TopicProducerPool};

/// Bytes of a segment: small, so that a fetch takes a whole one.
pub(crate) const SEGMENT_BYTES: u32 = 8 << 20;

/// The controller's address, if a cluster is there to be tested with.
pub(crate) fn endpoint() -> Option<String> {
    std::env::var("FLUVIO_ENDPOINT").ok().filter(|endpoint| !endpoint.is_empty())
}

pub(crate) async fn connect(endpoint: &str) -> Fluvio {
    Fluvio::connect_with_config(&FluvioClusterConfig::new(endpoint)).await.expect("the cluster answers")
}

/// A new topic; its name.
pub(crate) async fn create(endpoint: &str, what: &str, partitions: u32) -> String {
    let mut spec = TopicSpec::new_computed(partitions, 1, None);
    spec.set_storage(TopicStorageConfig { segment_size: Some(SEGMENT_BYTES), max_partition_size: None });
    create_as(endpoint, what, spec).await
}

/// A new topic as the specification has it; its name.
#[expect(clippy::disallowed_methods, reason = "a name that no earlier run has used")]
pub(crate) async fn create_as(endpoint: &str, what: &str, spec: TopicSpec) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
    let name = format!("rasid-{what}-{now}");
    create_named(endpoint, &name, spec).await;
    name
}

/// A new topic of that name.
pub(crate) async fn create_named(endpoint: &str, name: &str, spec: TopicSpec) {
    let client = connect(endpoint).await;
    client.admin().await.create(name.to_owned(), false, spec).await.expect("a new topic");
}

/// Deletes it, with all that it holds.
pub(crate) async fn delete(endpoint: &str, name: &str) {
    let client = connect(endpoint).await;
    client.admin().await.delete::<TopicSpec>(name).await.expect("a topic");
}

pub(crate) async fn producer(endpoint: &str, topic: &str, linger: Duration) -> (Fluvio, TopicProducerPool) {
    let config = TopicProducerConfigBuilder::default()
        .batch_size(256 << 10)
        .max_request_size(32 << 20)
        .batch_queue_size(1000_usize)
        .linger(linger)
        .build()
        .expect("a good configuration");
    let client = connect(endpoint).await;
    let producer = client.topic_producer_with_config(topic.to_owned(), config).await.expect("a producer");
    (client, producer)
}

/// Sends the records in order and waits until all are acknowledged. Without a key they go round the partitions.
pub(crate) async fn send(producer: &TopicProducerPool, records: impl IntoIterator<Item = (Option<String>, Vec<u8>)>) {
    let mut acknowledgements = Vec::new();
    for (key, record) in records {
        let key = key.map_or(RecordKey::NULL, RecordKey::from);
        acknowledgements.push(producer.send(key, record).await.expect("sent"));
    }
    producer.flush().await.expect("flushed");
    for acknowledgement in acknowledgements {
        acknowledgement.wait().await.expect("acknowledged");
    }
}
