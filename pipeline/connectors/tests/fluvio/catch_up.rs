//! A service that was away comes back: millions of records over four partitions, read while the cluster's processes are
//! killed. Every record is handed over once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rasid_connectors::Error;
use rasid_connectors::source::fluvio::{FluvioConfig, Topic};
use rasid_connectors::source::{Appender, Incoming, Merge, MergeConfig};
use tokio::time::{Instant, sleep, timeout};

use super::processes::Processes;
use super::{Heard, cluster, endpoint};

const PARTITIONS: u32 = 4;

/// An event of some 200 bytes; its clock goes with its index, a thousand a second.
pub(crate) fn record(index: u64) -> Vec<u8> {
    let (hours, minutes, seconds, ms) = (index / 3_600_000, index / 60_000 % 60, index / 1000 % 60, index % 1000);
    let account = index.wrapping_mul(2_654_435_761) % 1_000_003;
    format!(
        r#"{{"specversion":"1.0","id":"{index:010}","source":"/khidma/auth","type":"auth.login_failed","time":"2026-11-21T{hours:02}:{minutes:02}:{seconds:02}.{ms:03}Z","data":{{"user_id":"u_{account:07}","reason":"bad_code","pad":"0123456789"}}}}"#
    )
    .into_bytes()
}

pub(crate) fn index_of(record: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(record).ok()?;
    text.split_once(r#""id":""#)?.1.split_once('"')?.0.parse().ok()
}

#[derive(Default)]
struct Seen {
    /// How many times each record came.
    times: Vec<u8>,
    newest: BTreeMap<Arc<str>, u64>,
    out_of_order: u64,
    /// Records whose clock is before one that was handed over earlier, and by how much at most.
    late: u64,
    latest: u64,
    latest_by: u64,
    longest_pause: Duration,
    last: Option<Instant>,
}

/// A log that keeps count.
#[derive(Clone)]
struct Counted {
    seen: Arc<Mutex<Seen>>,
    count: Arc<AtomicU64>,
}

#[async_trait]
impl Appender for Counted {
    async fn append(&self, records: Vec<Incoming>) -> Result<u64, Error> {
        let mut seen = self.seen.lock().expect("no panic");
        let now = Instant::now();
        if let Some(last) = seen.last.replace(now) {
            seen.longest_pause = seen.longest_pause.max(now.duration_since(last));
        }
        let count = records.len() as u64;
        for record in records {
            let index = index_of(&record.bytes).expect("one of ours");
            let times = usize::try_from(index).ok().and_then(|index| seen.times.get_mut(index)).expect("one of ours");
            *times = times.saturating_add(1);
            if seen.newest.insert(record.stream, record.offset).is_some_and(|before| record.offset != before + 1) {
                seen.out_of_order += 1;
            }
            if index < seen.latest {
                seen.late += 1;
                seen.latest_by = seen.latest_by.max(seen.latest - index);
            }
            seen.latest = seen.latest.max(index);
        }
        Ok(self.count.fetch_add(count, SeqCst) + count)
    }
}

fn asked_for() -> u64 {
    std::env::var("FLUVIO_RECORDS").ok().and_then(|records| records.parse().ok()).unwrap_or(200_000)
}

/// How many records: `FLUVIO_RECORDS`, 200,000 by default. Where processes may be killed (`FLUVIO_RUN_DIR`) a unit dies
/// at a quarter of the way and at two thirds, the controller in between; each is started again after three seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_in_a_catch_up() {
    let Some(endpoint) = endpoint() else { return };
    let records = asked_for();
    let name = cluster::create(&endpoint, "catch-up", PARTITIONS).await;
    let began = Instant::now();
    let (client, producer) = cluster::producer(&endpoint, &name, Duration::from_millis(10)).await;
    for from in (0..records).step_by(100_000) {
        let piece = from..(from + 100_000).min(records);
        cluster::send(&producer, piece.map(|index| (Some(format!("u{}", index % 5003)), record(index)))).await;
    }
    eprintln!("produced {records} records over {PARTITIONS} partitions in {:.1} s", began.elapsed().as_secs_f64());
    drop((producer, client));

    let heard = Heard::default();
    let counted = Counted {
        seen: Arc::new(Mutex::new(Seen { times: vec![0; usize::try_from(records).expect("64 bits")], ..Seen::default() })),
        count: Arc::default(),
    };
    let topic = Topic::new(FluvioConfig::new(&endpoint, &name), Arc::new(heard.clone()));
    let (merge, handle) = Merge::new(MergeConfig::default(), BTreeMap::new(), Arc::new(heard.clone()));
    let lags = handle.lags().clone();
    let began = Instant::now();
    let following = tokio::spawn(topic.follow(handle));
    let merging = tokio::spawn(merge.run(counted.clone(), std::future::pending()));
    let reached = async |count: u64| {
        let waited = timeout(Duration::from_mins(10), async {
            while counted.count.load(SeqCst) < count {
                sleep(Duration::from_millis(2)).await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("{} of {count}: {:#?} {:#?}", counted.count.load(SeqCst), lags.each(), heard.all()));
        let seconds = began.elapsed().as_secs_f64();
        eprintln!("{:8.3} s: {} records", seconds, counted.count.load(SeqCst));
    };
    if let Some(processes) = Processes::given(&endpoint).map(Arc::new) {
        let unit = *processes.units().first().expect("a unit");
        let mut restarts = Vec::new();
        for (at, name) in
            [(records / 4, format!("spu-{unit}")), (records * 45 / 100, "sc".to_owned()), (records * 2 / 3, format!("spu-{unit}"))]
        {
            reached(at).await;
            processes.kill(&name);
            eprintln!("{:8.3} s: killed {name}", began.elapsed().as_secs_f64());
            // Beside what goes on, so that the next one dies while the last one is still away.
            let processes = processes.clone();
            restarts.push(tokio::spawn(async move {
                sleep(Duration::from_secs(3)).await;
                if name == "sc" {
                    processes.start_controller();
                } else {
                    processes.start_unit(unit);
                }
                eprintln!("{:8.3} s: started {name}", began.elapsed().as_secs_f64());
            }));
        }
        for restart in restarts {
            restart.await.expect("started");
        }
    } else {
        eprintln!("no process is killed: FLUVIO_RUN_DIR does not name the cluster's folder");
    }
    reached(records).await;
    let took = began.elapsed();
    // What came twice would come now.
    sleep(Duration::from_secs(3)).await;
    merging.abort();
    following.abort();
    let seen = counted.seen.lock().expect("no panic");
    let lost = seen.times.iter().map(|times| u64::from(*times == 0)).sum::<u64>();
    let doubled = seen.times.iter().map(|times| u64::from(*times > 1)).sum::<u64>();
    for (kind, notices) in heard.all() {
        eprintln!("{kind}: {}, the first {}", notices.len(), notices[0]);
    }
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let per_s = records as f64 / took.as_secs_f64();
    eprintln!(
        "{records} records in {:.1} s ({per_s:.0}/s), longest pause {:.1} s; lost {lost}, doubled {doubled}, out of order {}; \
         behind the newest clock {} of them, by {} ms at most",
        took.as_secs_f64(),
        seen.longest_pause.as_secs_f64(),
        seen.out_of_order,
        seen.late,
        seen.latest_by,
    );
    assert_eq!((lost, doubled, seen.out_of_order), (0, 0, 0));
    assert_eq!(heard.count("lost"), 0);
    assert_eq!(seen.newest.len(), usize::try_from(PARTITIONS).expect("few"));
}
