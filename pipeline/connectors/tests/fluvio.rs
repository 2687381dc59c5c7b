//! The Fluvio source against a real cluster, named by `FLUVIO_ENDPOINT`; `cargo xtask fluvio` runs these. Each test
//! makes its own topic. `FLUVIO_RUN_DIR` names the cluster's folder where a test may also kill its processes:
//!
//! ```text
//! sc.pid  spu-5001.pid …      process ids
//! spu-5001.conf …             "ID PUBLIC_PORT PRIVATE_PORT SC_PRIVATE_ADDRESS"
//! metadata/  data/  log/      of the controller, of the units, what they print
//! ```
#![cfg(feature = "fluvio")]

#[path = "fluvio/catch_up.rs"]
mod catch_up;
#[path = "port/cluster.rs"]
mod cluster;
#[path = "fluvio/processes.rs"]
mod processes;

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rasid_connectors::source::fluvio::{FluvioConfig, Topic};
use rasid_connectors::source::{Appender, Fetched, Incoming, Merge, MergeConfig, Notice, Observer, Opener as _, State};
use rasid_connectors::{Disposition, Error};
use tokio::time::{Instant, sleep, timeout};

const SOON: Duration = Duration::from_mins(1);

/// Remembers what it hears.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<BTreeMap<&'static str, Vec<String>>>>);

impl Heard {
    fn count(&self, kind: &str) -> usize {
        self.0.lock().expect("no panic").get(kind).map_or(0, Vec::len)
    }

    /// Waits until it has heard so many.
    async fn until(&self, kind: &str, count: usize) {
        let heard = timeout(SOON, async {
            while self.count(kind) < count {
                sleep(Duration::from_millis(20)).await;
            }
        });
        heard.await.unwrap_or_else(|_| panic!("{count} of {kind} are heard: {:?}", self.all()));
    }

    fn all(&self) -> BTreeMap<&'static str, Vec<String>> {
        self.0.lock().expect("no panic").clone()
    }
}

impl Observer for Heard {
    fn notice(&self, stream: &str, notice: &Notice<'_>) {
        self.0.lock().expect("no panic").entry(notice.kind()).or_default().push(format!("{stream}: {notice:?}"));
    }
}

/// The endpoint, or the word that nothing was tested.
fn endpoint() -> Option<String> {
    let endpoint = cluster::endpoint();
    if endpoint.is_none() {
        eprintln!("SKIPPED: no cluster is named by FLUVIO_ENDPOINT");
    }
    endpoint
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_lose_records_is_refused() {
    let Some(endpoint) = endpoint() else { return };
    let topic = cluster::create(&endpoint, "segments", 3).await;
    let fit = FluvioConfig { max_bytes: cluster::SEGMENT_BYTES, ..FluvioConfig::new(&endpoint, &topic) };
    let heard = Arc::new(Heard::default());
    assert_eq!(Topic::new(fit.clone(), heard.clone()).check().await.expect("as large as a segment"), 3);
    let small = FluvioConfig { max_bytes: cluster::SEGMENT_BYTES - 1, ..fit.clone() };
    let error = Topic::new(small.clone(), heard.clone()).check().await.expect_err("smaller than a segment");
    assert_eq!(error.disposition(), Disposition::Halt);
    assert!(error.to_string().contains("set max_bytes to 8388608"), "{error}");
    let (_merge, handle) = Merge::new(MergeConfig::default(), BTreeMap::new(), heard.clone());
    // Followed, it is waited for: somebody may make it fit.
    let following = tokio::spawn(Topic::new(small, heard.clone()).follow(handle.clone()));
    heard.until("fault", 1).await;
    assert!(heard.all()["fault"][0].contains("Unfit"), "{:?}", heard.all());
    sleep(Duration::from_secs(3)).await;
    assert_eq!((heard.count("fault"), following.is_finished(), handle.lags().each().len()), (1, false, 0), "said once, and nothing read");
    following.abort();
    let nowhere = FluvioConfig { topic: "no-such-topic".to_owned(), ..fit.clone() };
    let error = Topic::new(nowhere, heard.clone()).check().await.expect_err("no such topic");
    assert!(matches!(error, Error::Unfit { .. }), "{error}");
    let away = FluvioConfig { endpoint: "127.0.0.1:1".to_owned(), ..fit };
    let error = Topic::new(away, heard).check().await.expect_err("nobody is there");
    assert_eq!(error.disposition(), Disposition::Retry, "{error}");
}

/// The client drops what it has of a batch that an answer was cut in, and goes on behind it. Here answers are cut on
/// purpose; all the same nothing is missing in what is handed over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_cut_answer_lost_is_read_again() {
    let Some(endpoint) = endpoint() else { return };
    let name = cluster::create(&endpoint, "cut", 1).await;
    let (_client, producer) = cluster::producer(&endpoint, &name, Duration::from_millis(10)).await;
    let records = 60_000;
    cluster::send(&producer, (0..records).map(|index| (None, catch_up::record(index)))).await;
    // The end of the last batch would be missed only when more comes.
    let more = tokio::spawn(async move {
        for index in records.. {
            cluster::send(&producer, [(None, catch_up::record(index))]).await;
            sleep(Duration::from_millis(100)).await;
        }
    });
    let heard = Heard::default();
    let config = FluvioConfig { max_bytes: 300_000, ..FluvioConfig::new(&endpoint, &name) };
    let topic = Topic::new(config, Arc::new(heard.clone()));
    let mut source = topic.partition(0).open(None).await.expect("it opens");
    let mut next = 0;
    // What comes behind them may be cut as well: the last gap is read to its end.
    while next < records || heard.count("gap") > heard.count("gap_closed") + heard.count("lost") {
        if let Fetched::Records(more) = timeout(SOON, source.fetch()).await.expect("in time").expect("it reads") {
            for record in more {
                assert_eq!((record.offset, catch_up::index_of(&record.bytes)), (next, Some(next)));
                next += 1;
            }
        }
    }
    more.abort();
    eprintln!("{records} records: {} gaps, {} closed, {} lost", heard.count("gap"), heard.count("gap_closed"), heard.count("lost"));
    assert!(heard.count("gap") > 0, "answers of 300 kB cut batches of 256 KiB");
    assert_eq!((heard.count("gap"), heard.count("lost")), (heard.count("gap_closed"), 0));
}

/// Retention was faster than the reader: that is told, with the offsets, and what is still there comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_retention_took_is_told() {
    use fluvio::metadata::topic::{CleanupPolicy, SegmentBasedPolicy, TopicSpec, TopicStorageConfig};
    let Some(endpoint) = endpoint() else { return };
    let mut spec = TopicSpec::new_computed(1, 1, None);
    spec.set_storage(TopicStorageConfig { segment_size: Some(1 << 20), max_partition_size: None });
    spec.set_cleanup_policy(CleanupPolicy::Segment(SegmentBasedPolicy { time_in_seconds: 10 }));
    let name = cluster::create_as(&endpoint, "retention", spec).await;
    let (client, producer) = cluster::producer(&endpoint, &name, Duration::from_millis(10)).await;
    cluster::send(&producer, (0..20_000).map(|index| (None, catch_up::record(index)))).await;
    drop((producer, client));
    let began = Instant::now();
    let (heard, first) = loop {
        let heard = Heard::default();
        let topic = Topic::new(FluvioConfig::new(&endpoint, &name), Arc::new(heard.clone()));
        let mut source = topic.partition(0).open(Some(99)).await.expect("it opens");
        let Fetched::Records(records) = timeout(SOON, source.fetch()).await.expect("in time").expect("it reads") else { continue };
        if records[0].offset > 100 {
            break (heard, records[0].offset);
        }
        assert_eq!((records[0].offset, heard.count("lost")), (100, 0));
        assert!(began.elapsed() < Duration::from_secs(150), "retention of 10 s took nothing");
        sleep(Duration::from_secs(3)).await;
    };
    eprintln!("after {:.0} s: {:?}", began.elapsed().as_secs_f64(), heard.all());
    assert_eq!(heard.all()["lost"], [format!("fluvio:{name}/0: Lost(Missing {{ from: 100, to: {} }})", first - 1)]);
}

#[derive(Clone, Default)]
struct Book(Arc<Mutex<Vec<(Incoming, Instant)>>>);

#[async_trait]
impl Appender for Book {
    async fn append(&self, records: Vec<Incoming>) -> Result<u64, Error> {
        let mut written = self.0.lock().expect("no panic");
        written.extend(records.into_iter().map(|record| (record, Instant::now())));
        Ok(written.len() as u64)
    }
}

impl Book {
    /// Waits until it holds so many; the offsets of one stream in it.
    async fn holds(&self, count: usize, stream: &str) -> Vec<u64> {
        let full = timeout(SOON, async {
            while self.0.lock().expect("no panic").len() < count {
                sleep(Duration::from_millis(20)).await;
            }
        });
        full.await.unwrap_or_else(|_| panic!("{count} come, not {}", self.0.lock().expect("no panic").len()));
        let written = self.0.lock().expect("no panic");
        written.iter().filter(|(record, _)| &*record.stream == stream).map(|(record, _)| record.offset).collect()
    }
}

/// A topic that is deleted stops its own stream. Made again, it is read from its beginning, and that is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_made_again_is_taken_up_again() {
    use fluvio::metadata::topic::{TopicSpec, TopicStorageConfig};
    let Some(endpoint) = endpoint() else { return };
    let (name, steady) = (cluster::create(&endpoint, "again", 1).await, cluster::create(&endpoint, "steady", 1).await);
    let send = async |topic: &str, count: u64| {
        let (_client, producer) = cluster::producer(&endpoint, topic, Duration::ZERO).await;
        cluster::send(&producer, (0..count).map(|index| (None, catch_up::record(index)))).await;
    };
    let (heard, book) = (Heard::default(), Book::default());
    let (merge, handle) = Merge::new(MergeConfig::default(), BTreeMap::new(), Arc::new(heard.clone()));
    let following = [&name, &steady].map(|name| {
        let topic = Topic::new(FluvioConfig::new(&endpoint, name), Arc::new(heard.clone()));
        tokio::spawn(topic.follow(handle.clone()))
    });
    let merging = tokio::spawn(merge.run(book.clone(), pending()));
    send(&name, 100).await;
    send(&steady, 100).await;
    let stream = format!("fluvio:{name}/0");
    assert_eq!(book.holds(200, &stream).await, (0..100).collect::<Vec<_>>());

    cluster::delete(&endpoint, &name).await;
    let absent = format!("fluvio:{name}: Fault {{ error: Unfit");
    timeout(SOON, async {
        while !heard.all().get("fault").is_some_and(|faults| faults.iter().any(|fault| fault.starts_with(&absent))) {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("it is told that there is no such topic");
    send(&steady, 10).await;
    book.holds(210, &stream).await;

    sleep(Duration::from_secs(2)).await; // the controller gives no answer to who creates at once
    let mut spec = TopicSpec::new_computed(1, 1, None);
    spec.set_storage(TopicStorageConfig { segment_size: Some(cluster::SEGMENT_BYTES), max_partition_size: None });
    cluster::create_named(&endpoint, &name, spec).await;
    send(&name, 7).await;
    let again: Vec<u64> = (0..7).map(|position| (1 << 44) | position).collect();
    assert_eq!(book.holds(217, &stream).await.split_off(100), again);
    assert_eq!(heard.all()["remade"], [format!("{stream}: Remade {{ read: 99 }}")]);
    assert!(heard.all()["recovered"].iter().any(|recovered| recovered.starts_with(&format!("fluvio:{name}:"))), "{:?}", heard.all());
    assert_eq!(heard.count("lost"), 0, "all of the old one had been read");
    merging.abort();
    following.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_are_added_are_read() {
    use fluvio::metadata::topic::{AddPartition, TopicSpec, UpdateTopicAction};
    let Some(endpoint) = endpoint() else { return };
    let name = cluster::create(&endpoint, "more", 1).await;
    let (heard, book) = (Heard::default(), Book::default());
    let topic = Topic::new(FluvioConfig::new(&endpoint, &name), Arc::new(heard.clone()));
    let (merge, handle) = Merge::new(MergeConfig::default(), BTreeMap::new(), Arc::new(heard.clone()));
    let lags = handle.lags().clone();
    let following = tokio::spawn(topic.follow(handle));
    let merging = tokio::spawn(merge.run(book.clone(), pending()));
    let at_head = async |partitions| {
        let all = || lags.each().iter().filter(|lag| lag.state == State::AtHead).count() >= partitions;
        timeout(SOON, async {
            while !all() {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("they are read");
    };
    at_head(1).await;
    let client = cluster::connect(&endpoint).await;
    let action = UpdateTopicAction::AddPartition(AddPartition { count: 1 });
    client.admin().await.update::<TopicSpec>(name.clone(), action).await.expect("it grows");
    at_head(2).await;
    let (_client, producer) = cluster::producer(&endpoint, &name, Duration::ZERO).await;
    cluster::send(&producer, (0..100).map(|index| (None, catch_up::record(index)))).await;
    timeout(SOON, async {
        while book.0.lock().expect("no panic").len() < 100 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("all come");
    let streams: std::collections::BTreeSet<_> =
        book.0.lock().expect("no panic").iter().map(|(record, _)| record.stream.to_string()).collect();
    eprintln!("{streams:?} {:?}", heard.all().get("partitions"));
    assert_eq!(heard.count("partitions"), 1);
    assert_eq!(streams.len(), 2);
    merging.abort();
    following.abort();
}

/// With the client's own connector half of the records take longer than 60 ms.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_record_does_not_wait() {
    let Some(endpoint) = endpoint() else { return };
    let name = cluster::create(&endpoint, "latency", 2).await;
    let (heard, book) = (Heard::default(), Book::default());
    let topic = Topic::new(FluvioConfig::new(&endpoint, &name), Arc::new(heard.clone()));
    let (merge, handle) = Merge::new(MergeConfig::default(), BTreeMap::new(), Arc::new(heard));
    let following = tokio::spawn(topic.follow(handle));
    let merging = tokio::spawn(merge.run(book.clone(), pending()));
    let (_client, producer) = cluster::producer(&endpoint, &name, Duration::ZERO).await;
    let mut sent = Vec::new();
    for index in 0..400_u64 {
        sent.push(Instant::now());
        let record = catch_up::record(index);
        producer.send(format!("k{index}"), record).await.expect("sent");
        sleep(Duration::from_millis(5)).await;
    }
    timeout(SOON, async {
        while book.0.lock().expect("no panic").len() < 400 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("all come");
    let mut took: Vec<Duration> = book
        .0
        .lock()
        .expect("no panic")
        .iter()
        .filter_map(|(record, at)| {
            let index = usize::try_from(catch_up::index_of(&record.bytes)?).ok()?;
            Some(at.duration_since(*sent.get(index)?))
        })
        .skip(50)
        .collect();
    took.sort();
    let (median, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    eprintln!("200 records/s, 2 partitions: sent to handed over, median {median:?}, p99 {p99:?}");
    assert!(median < Duration::from_millis(40), "median {median:?}");
    merging.abort();
    following.abort();
}
