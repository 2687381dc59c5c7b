//! What the port `Source` promises, held against every stream there is: the log, files, and, where a cluster is named
//! (`FLUVIO_ENDPOINT`) and the feature is on, a partition of a topic.

#[cfg(feature = "fluvio")]
#[path = "port/cluster.rs"]
mod cluster;
#[cfg(feature = "fluvio")]
#[path = "port/fluvio.rs"]
mod fluvio;
#[path = "port/jsonl.rs"]
mod jsonl;
#[path = "port/log.rs"]
mod log;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use rasid_connectors::Error;
use rasid_connectors::source::{Appender, Fetched, Incoming, Merge, MergeConfig, Opener, Source, SourceRecord, Traced};
use tokio::time::{sleep, timeout};

/// Longer than any fetch that has something to say.
const SOON: Duration = Duration::from_mins(2);

/// A stream that a test writes to.
#[async_trait]
trait Port: Send {
    /// Adds records to the stream.
    async fn write(&mut self, records: &[Vec<u8>]);

    /// What opens it.
    fn opener(&self) -> Arc<dyn Opener>;

    /// Whether what is written later belongs to it too; if not, it ends behind what is there.
    fn grows(&self) -> bool {
        true
    }
}

fn event(index: usize) -> Vec<u8> {
    let (minutes, seconds, ms) = (index / 60_000, index / 1000 % 60, index % 1000);
    let pad = "x".repeat(index % 97);
    format!(r#"{{"id":"{index}","time":"2026-11-21T10:{minutes:02}:{seconds:02}.{ms:03}Z","data":{{"pad":"{pad}"}}}}"#).into_bytes()
}

fn events(from: usize, to: usize) -> Vec<Vec<u8>> {
    (from..to).map(event).collect()
}

async fn open(port: &dyn Port, after: Option<u64>) -> Box<dyn Source> {
    let opener = port.opener();
    let source = timeout(SOON, opener.open(after)).await.expect("it opens in time").expect("it opens");
    assert_eq!(source.stream(), opener.stream());
    source
}

async fn fetch(source: &mut dyn Source) -> Fetched {
    timeout(SOON, source.fetch()).await.expect("it says something").expect("it reads")
}

/// Reads until there is nothing more, for now or for ever.
async fn to_head(source: &mut dyn Source) -> Vec<SourceRecord> {
    let mut records = Vec::new();
    loop {
        match fetch(source).await {
            Fetched::Records(more) => {
                assert!(!more.is_empty(), "records are one at least");
                records.extend(more);
            }
            Fetched::AtHead | Fetched::End => return records,
        }
    }
}

/// Reads so many records.
async fn take(source: &mut dyn Source, count: usize) -> Vec<SourceRecord> {
    let mut records = Vec::new();
    while records.len() < count {
        if let Fetched::Records(more) = fetch(source).await {
            records.extend(more);
        }
    }
    records
}

fn offset_of(records: &[SourceRecord], index: usize) -> u64 {
    records.get(index).expect("it was read").offset
}

fn holds(records: &[SourceRecord], expected: &[Vec<u8>]) {
    assert!(records.is_sorted_by(|one, next| one.offset < next.offset), "offsets rise");
    assert_eq!(records.len(), expected.len());
    for (index, (record, expected)) in records.iter().zip(expected).enumerate() {
        assert!(record.bytes == *expected, "record {index} is another one");
    }
}

/// The whole contract, on an empty stream.
async fn contract(port: &mut dyn Port) {
    if port.grows() {
        let mut source = open(port, None).await;
        assert!(to_head(source.as_mut()).await.is_empty(), "an empty stream is at its head");
    }
    port.write(&events(0, 700)).await;
    order_and_head(port).await;
    resuming(port).await;
    reopening(port).await;
    dropped_fetches(port).await;
    if port.grows() {
        growth(port).await;
    }
    merged(port).await;
}

/// Records come whole, in order, with rising offsets; the head or the end is said, once or for ever.
async fn order_and_head(port: &dyn Port) {
    let mut source = open(port, None).await;
    holds(&to_head(source.as_mut()).await, &events(0, 700));
    if port.grows() {
        let more = timeout(Duration::from_millis(200), source.fetch()).await;
        assert!(more.is_err(), "at its head it waits");
    } else {
        assert_eq!(fetch(source.as_mut()).await, Fetched::End);
        assert_eq!(fetch(source.as_mut()).await, Fetched::End);
    }
    let newest = source.newest();
    assert!(newest.is_none_or(|newest| newest > 0));
}

/// Behind any offset come the records above it, and none other.
async fn resuming(port: &dyn Port) {
    let all = to_head(open(port, None).await.as_mut()).await;
    for index in [0, 1, 99, 350, 698, 699] {
        let rest = to_head(open(port, Some(offset_of(&all, index))).await.as_mut()).await;
        assert!(rest.iter().eq(all.iter().skip(index + 1)), "behind record {index}");
    }
}

/// Opened again behind what was handed over, however little that was, nothing is lost and nothing comes twice.
async fn reopening(port: &dyn Port) {
    let (mut records, mut openings) = (Vec::<SourceRecord>::new(), 0);
    while records.len() < 700 {
        let mut source = open(port, records.last().map(|record| record.offset)).await;
        openings += 1;
        if let Fetched::Records(mut more) = fetch(source.as_mut()).await {
            more.truncate(90); // the rest was never made durable
            records.extend(more);
        }
        assert!(openings < 100, "it advances");
    }
    assert!(openings > 7);
    holds(&records, &events(0, 700));
}

/// A fetch that is dropped before it is ready has consumed nothing.
async fn dropped_fetches(port: &dyn Port) {
    let mut source = open(port, None).await;
    let (mut records, mut dropped, mut turns) = (Vec::new(), 0, 0);
    // A few more turns than are needed, so that some fall at the head.
    while records.len() < 700 || turns < 20 {
        let mut fetching = source.fetch();
        let polled = poll_fn(|context| Poll::Ready(fetching.as_mut().poll(context))).await;
        drop(fetching);
        match polled {
            Poll::Ready(Ok(Fetched::Records(more))) => records.extend(more),
            Poll::Ready(Ok(Fetched::AtHead | Fetched::End)) => {}
            Poll::Ready(Err(error)) => panic!("it reads: {error}"),
            Poll::Pending => {
                dropped += 1;
                sleep(Duration::from_millis(1)).await;
            }
        }
        turns += 1;
        assert!(turns < 100_000, "it advances");
    }
    assert!(dropped > 0 || !port.grows(), "some were dropped");
    holds(&records, &events(0, 700));
}

/// What is written while somebody reads comes too, and whoever waits at the head is woken.
async fn growth(port: &mut dyn Port) {
    let mut source = open(port, None).await;
    let mut records = take(source.as_mut(), 700).await;
    for round in 0..5 {
        let from = 700 + round * 60;
        let more = events(from, from + 60);
        let opener = port.opener();
        assert_eq!(opener.stream(), source.stream());
        let (read, ()) = tokio::join!(take(source.as_mut(), 60), async {
            sleep(Duration::from_millis(20)).await;
            port.write(&more).await;
        });
        records.extend(read);
    }
    holds(&records, &events(0, 1000));
    let after = offset_of(&records, 850);
    holds(&to_head(open(port, Some(after)).await.as_mut()).await, &events(851, 1000));
}

#[derive(Clone, Default)]
struct Book(Arc<Mutex<Vec<Incoming>>>);

#[async_trait]
impl Appender for Book {
    async fn append(&self, records: Vec<Incoming>) -> Result<u64, Error> {
        let mut written = self.0.lock().expect("no panic");
        written.extend(records);
        Ok(written.len() as u64)
    }
}

/// Through the merge, stopped and resumed, every record is in the log once.
async fn merged(port: &dyn Port) {
    let expected = if port.grows() { 1000 } else { 700 };
    let book = Book::default();
    for stop_at in [250, 600, expected] {
        let offsets: BTreeMap<String, u64> =
            book.0.lock().expect("no panic").iter().map(|record| (record.stream.to_string(), record.offset)).collect();
        let config = MergeConfig { batch_records: 40, prefetch_records: 80, ..MergeConfig::default() };
        let (merge, handle) = Merge::new(config, offsets, Arc::new(Traced));
        assert!(handle.add(port.opener()).await);
        let count = || book.0.lock().expect("no panic").len();
        let stop = async {
            while count() < stop_at {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(SOON, merge.run(book.clone(), stop)).await.expect("it stops").expect("it appends");
    }
    let written = book.0.lock().expect("no panic");
    let records: Vec<_> = written.iter().map(|record| SourceRecord { offset: record.offset, bytes: record.bytes.clone() }).collect();
    holds(&records, &events(0, expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log() {
    contract(&mut log::Log::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_followed_file() {
    contract(&mut jsonl::Followed::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_to_its_end() {
    contract(&mut jsonl::Once::new(jsonl::Coding::Plain)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gzip_file() {
    contract(&mut jsonl::Once::new(jsonl::Coding::Gzip)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zstd_file() {
    contract(&mut jsonl::Once::new(jsonl::Coding::Zstd)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_of_a_topic() {
    #[cfg(feature = "fluvio")]
    match cluster::endpoint() {
        Some(endpoint) => contract(&mut fluvio::Partition::new(&endpoint).await).await,
        None => eprintln!("SKIPPED: no cluster is named by FLUVIO_ENDPOINT"),
    }
    #[cfg(not(feature = "fluvio"))]
    {
        eprintln!("SKIPPED: built without the feature `fluvio`");
    }
}
