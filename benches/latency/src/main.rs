//! How long it takes from an event to its score being readable in Redis, beside the same way without Rasid.
//!
//! ```text
//! cargo run --profile dist -p rasid-latency -- [RATE EVENTS/S] [SECONDS]
//!
//! rasid   event ─→ log thread, fsync ─→ engine, shipped rules ─→ Redis ─→ seen
//! empty   event ─→ log thread, fsync ────────────────────────────→ Redis ─→ seen
//! ```
//!
//! One event in twenty is about a user of its own and raises his score; the others are what a marketplace sends. A user's
//! event is timed from before it is handed over to the arrival of its entry in the stream of changes, which is written
//! after the score: an upper bound. Redis is a real server on loopback, the data folder a real disk.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rasid_connectors::clock::Clock;
use rasid_connectors::log::{Entry, LogConfig, LogWriter, Origin};
use rasid_connectors::seal::Keyring;
use rasid_connectors::sink::redis::Options as RedisOptions;
use rasid_connectors::source::{Appender, Incoming};
use rasid_connectors::storage::Disk;
use rasid_service::Service;
use rasid_service::health::hindrance::Hindrances;
use rasid_service::settings::{Alerts, Archive, Engine, Log, Outbox, Rules, Secret, Settings, Sinks, Snapshot, Sources};
use rasid_testbed::RedisServer;
use tokio::sync::mpsc;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const SECRET: &[u8] = b"a secret for the latency benchmark";
/// One event in so many is timed.
const MARKED: u64 = 20;
/// Batches handed over in a second.
const BATCHES_PER_S: u64 = 1_000;
/// How long what was sent may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);
const MARKER: &str = "rule: auth.marked
title: An event of the benchmark
severity: SEV3
on: auth.login_succeeded
entity: user
when: has(data.method) && data.method == \"password\"
risk: 50
half_life: 1h
suppress: 0s
explain: one of those that are timed
runbook: docs/runbooks/takeover.md
false_positives: none
known_gaps: none
";

#[expect(clippy::disallowed_methods, reason = "a stopwatch is what this program is")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "events carry the time of the run")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let rate: u64 = arguments.next().map_or(Ok(20_000), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(20), |text| text.parse())?;
    for round in 1..=2 {
        eprintln!("round {round}, {rate} events/s for {seconds} s");
        empty(rate, seconds).await?;
        rasid(rate, seconds).await?;
    }
    Ok(())
}

async fn rasid(rate: u64, seconds: u64) -> Result<(), Failure> {
    let redis = RedisServer::start().await;
    let folder = tempfile::tempdir_in(".")?;
    let rules = folder.path().join("rules");
    copy_rules(Path::new("rules"), &rules)?;
    std::fs::write(rules.join("auth/marked.yaml"), MARKER)?;
    let running = Service::start(settings(folder.path(), &rules, redis.url()), Clock::new(now_ms, now_ms), Hindrances::default())
        .await
        .map_err(|error| error.to_string())?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let appender = running.appender();
    measure("rasid", rate, seconds, &redis.url(), move |batch| {
        let appender = appender.clone();
        async move { appender.append(batch).await.map(drop).map_err(Into::into) }
    })
    .await?;
    let stats = running.control().stats();
    eprintln!("    {} events, {} alerts, {} syncs", stats.engine.counters.events, stats.engine.counters.alerts, stats.log.syncs_total);
    running.drain().await
}

/// The log and Redis, and nothing between them.
async fn empty(rate: u64, seconds: u64) -> Result<(), Failure> {
    let redis = RedisServer::start().await;
    let folder = tempfile::tempdir_in(".")?;
    let storage = Arc::new(Disk::open(folder.path())?);
    let keys = Keyring::open(storage.clone(), "keys", SECRET)?;
    let (mut log, _) = LogWriter::open(storage, "log", keys, LogConfig::default())?;
    let (batches, mut arriving) = mpsc::channel::<Vec<Incoming>>(256);
    let (durable, mut written) = mpsc::channel::<Vec<String>>(256);
    let thread = std::thread::spawn(move || -> Result<(), Failure> {
        while let Some(first) = arriving.blocking_recv() {
            let mut all = first;
            while let Ok(more) = arriving.try_recv() {
                all.extend(more);
            }
            let now_ms = now_ms();
            let entries: Vec<Entry<'_>> = all
                .iter()
                .map(|event| Entry::Event {
                    arrival_ms: now_ms,
                    origin: Origin { stream: &event.stream, offset: event.offset },
                    bytes: &event.bytes,
                })
                .collect();
            log.append(now_ms, &entries)?;
            log.sync()?;
            let marked = all.iter().filter(|event| event.offset % MARKED == 0).map(|event| format!("user:{}", user(event.offset)));
            durable.blocking_send(marked.collect())?;
        }
        Ok(())
    });
    let client = redis::Client::open(redis.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let writer = tokio::spawn(async move {
        while let Some(mut users) = written.recv().await {
            while let Ok(more) = written.try_recv() {
                users.extend(more);
            }
            if users.is_empty() {
                continue;
            }
            let (mut scores, mut changes) = (redis::pipe(), redis::pipe());
            for user in &users {
                scores.cmd("HSET").arg(format!("score:{{{user}}}")).arg("score").arg(50);
                changes.cmd("XADD").arg(CHANGES).arg("MAXLEN").arg("~").arg(100_000).arg("*").arg("entity").arg(user);
            }
            scores.exec_async(&mut connection).await?;
            changes.exec_async(&mut connection).await?;
        }
        Ok::<_, Failure>(())
    });
    measure("empty", rate, seconds, &redis.url(), move |batch| {
        let batches = batches.clone();
        async move { batches.send(batch).await.map_err(Into::into) }
    })
    .await?;
    writer.await??;
    thread.join().map_err(|_| "the log thread panicked")?
}

const CHANGES: &str = "rasid:risk:v1:changes";

fn user(number: u64) -> String {
    format!("u_{number}")
}

/// Hands events over at an even rate and waits for the marked ones in the stream of changes.
async fn measure<F, H>(name: &str, rate: u64, seconds: u64, url: &str, hand_over: H) -> Result<(), Failure>
where
    H: Fn(Vec<Incoming>) -> F,
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let sent: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let expected = rate * seconds / MARKED;
    let watching = tokio::spawn(watch(url.to_owned(), Arc::clone(&sent), expected));
    let stream: Arc<str> = "bench".into();
    let mut interval = tokio::time::interval(Duration::from_micros(1_000_000 / BATCHES_PER_S));
    let (mut number, begun) = (0, now());
    while number < rate * seconds {
        interval.tick().await;
        let elapsed = u64::try_from(begun.elapsed().as_micros())?;
        let due = (elapsed * rate / 1_000_000).min(rate * seconds);
        if due <= number {
            continue;
        }
        let now_ms = now_ms();
        let batch: Vec<Incoming> = (number + 1..=due)
            .map(|offset| Incoming { stream: Arc::clone(&stream), offset, bytes: event(offset, now_ms).into_bytes() })
            .collect();
        {
            let (handed, mut sent) = (now(), sent.lock().map_err(|_| "poisoned")?);
            sent.extend((number + 1..=due).filter(|number| number % MARKED == 0).map(|number| (format!("user:{}", user(number)), handed)));
        }
        number = due;
        tokio::spawn(hand_over(batch));
    }
    drop(hand_over);
    let took = begun.elapsed();
    let mut latencies = tokio::time::timeout(PATIENCE, watching).await???;
    latencies.sort_unstable();
    let at = |permille: usize| latencies.get(latencies.len() * permille / 1_000).copied().unwrap_or_default().as_secs_f64() * 1_000.0;
    eprintln!(
        "  {name}: {} timed, sent in {:.1} s; p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, longest {:.2} ms",
        latencies.len(),
        took.as_secs_f64(),
        at(500),
        at(900),
        at(990),
        at(999),
        latencies.last().copied().unwrap_or_default().as_secs_f64() * 1_000.0,
    );
    Ok(())
}

/// Reads the stream of changes until all are there.
async fn watch(url: String, sent: Arc<Mutex<HashMap<String, Instant>>>, expected: u64) -> Result<Vec<Duration>, Failure> {
    let client = redis::Client::open(url)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let (mut after, mut latencies) = ("0".to_owned(), Vec::new());
    while (latencies.len() as u64) < expected {
        let read: Option<redis::streams::StreamReadReply> = redis::cmd("XREAD")
            .arg("COUNT")
            .arg(10_000)
            .arg("BLOCK")
            .arg(100)
            .arg("STREAMS")
            .arg(CHANGES)
            .arg(&after)
            .query_async(&mut connection)
            .await?;
        let seen = now();
        let mut sent = sent.lock().map_err(|_| "poisoned")?;
        for entry in read.into_iter().flat_map(|read| read.keys).flat_map(|key| key.ids) {
            after.clone_from(&entry.id);
            if let Some(handed) = entry.get::<String>("entity").and_then(|entity| sent.remove(&entity)) {
                latencies.push(seen - handed);
            }
        }
    }
    Ok(latencies)
}

/// What a marketplace sends: mostly positions, then chat, codes and logins.
fn event(number: u64, now_ms: i64) -> String {
    let time = rasid_detectors::event::time::format_rfc3339(now_ms);
    let head = |kind: &str| format!(r#"{{"specversion":"1.0","id":"b{number}","source":"/bench","type":"{kind}","time":"{time}","data":"#);
    let (who, who_else) = (number * 7 % 50_000, number * 13 % 50_000);
    match number % MARKED {
        0 => format!(
            r#"{}{{"user_id":"{}","device_id":"d_{number}","ip":"156.160.1.9","method":"password"}}}}"#,
            head("auth.login_succeeded"),
            user(number)
        ),
        1..=10 => {
            #[expect(clippy::cast_precision_loss, reason = "a step of a driver")]
            let step = (number / 1_000) as f64 * 1e-5;
            format!(
                r#"{}{{"entity_id":"dr_{who}","lat":{:.5},"lon":{:.5},"accuracy_m":12.0,"speed_mps":8.5}}}}"#,
                head("gps.position"),
                30.05 + step,
                31.23 + step
            )
        }
        11..=14 => format!(
            r#"{}{{"conversation_id":"c_{who}","sender_id":"v_{who}","recipient_id":"v_{who_else}","text":"تمام، هوصل كمان عشر دقايق"}}}}"#,
            head("chat.message")
        ),
        15..=17 => format!(
            r#"{}{{"phone":"+2010{:08}","user_id":"v_{who}","device_id":"d_{who}","ip":"156.{}.{}.9","purpose":"login"}}}}"#,
            head("auth.otp_requested"),
            number % 100_000_000,
            number % 200,
            number / 200 % 250
        ),
        _ => {
            format!(r#"{}{{"user_id":"v_{who}","device_id":"d_{who}","ip":"156.160.1.9","method":"otp"}}}}"#, head("auth.login_succeeded"))
        }
    }
}

fn copy_rules(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else { continue };
        if path.is_dir() {
            copy_rules(&path, &to.join(name))?;
        } else {
            std::fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

fn settings(data: &Path, rules: &Path, url: String) -> Settings {
    Settings {
        instance: "latency".to_owned(),
        rules: Rules { dir: rules.display().to_string(), poll_s: 2 },
        data_dir: data.join("data"),
        secret: Secret::new(SECRET),
        secret_number: 1,
        former_secret: None,
        sources: Sources::default(),
        log: Log { bytes_max: u64::MAX, dead_letter_bytes_max: u64::MAX, ..Log::default() },
        engine: Engine { threads: 1, memory_bytes_max: 4 << 30, events_per_s: 5_000, lateness_s: 300, future_s: 300 },
        snapshot: Snapshot { interval_s: 10, keep: 2 },
        outbox: Outbox { bytes_max: 1 << 30 },
        alerts: Alerts::default(),
        archive: Archive::default(),
        sinks: Sinks { redis: RedisOptions { url: Some(url), changes_max: 1_000_000, ..RedisOptions::default() }, ..Sinks::default() },
    }
}
