//! The wall clock of the service is set an hour ahead and back, and an hour behind and back, while an honest producer sends
//! and the core API fails: nobody is refused, nothing is late, and nothing is told otherwise.
//!
//! Each step is taken back before it has stood for the half minute after which it would be believed (docs/adr/0004). What is
//! signed at the true time is good meanwhile, what is signed by the wrong clock is an hour off and is not: the five minutes
//! of tolerance are around the time that is believed.
//!
//! libfaketime reads the offset from a file at every look, so it changes while the service runs. It leaves the monotonic
//! clock alone. Redis and the core API stand outside of it: Debian's Redis does not start under it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rasid_detectors::event::time::format_rfc3339;
use rasid_testbed::Fault;
use reqwest::Client;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::judge;
use crate::producers::Sent;
use crate::receiver::{client, refused, send, send_signed, stream};
use crate::service::{PATIENCE, Service};
use crate::site::Site;
use crate::traffic::now_ms;

/// A step is taken back after so long at the latest, however busy the machine is: one that stands is believed.
const STEP_MAX: Duration = Duration::from_secs(20);
/// What goes by a clock that is wrong is an hour off; what goes by one that is right, not by half of it on any machine.
const HALF_AN_HOUR_MS: u64 = 1_800_000;
/// What a producer may send in a second, and at once.
const EVENTS_MAX: (&str, &str) = ("100", "20");
/// Events while the clock is wrong: more than may be sent at once.
const WRONG: usize = 24;
/// How often each entity's events are sent until something comes of it.
const SENDS_MAX: usize = 200;
/// Phones and addresses.
const ENTITIES: usize = 8;
const STREAM: &str = "http:checkout";

/// A score that lasts for less than an hour: a Redis whose clock is so far ahead ends it.
const QUICK: &str = "rule: auth.quick
title: Codes, soon forgotten
severity: SEV2
on: auth.otp_requested
entity: ip
let: {sends: {count: auth.otp_requested, by: ip, window: 1m}}
when: sends > 3
risk: 30
half_life: 5m
suppress: 1s
deliver: [oncall]
explain: \"{sends} codes\"
";

/// Where Debian has the library: in the folder of the machine's libraries.
fn libfaketime() -> PathBuf {
    let roots = fs::read_dir("/usr/lib").expect("a folder").map(|entry| entry.expect("readable").path());
    let mut libraries = roots.map(|root| root.join("faketime/libfaketimeMT.so.1"));
    libraries.find(|path| path.is_file()).expect("libfaketime is there: `cargo xtask test` installs the package faketime")
}

/// The wall clock of what is started under it.
struct WallClock {
    folder: TempDir,
    /// Takes the step back that was made.
    back: Option<JoinHandle<()>>,
}

impl WallClock {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        set(folder.path(), "+0");
        Self { folder, back: None }
    }

    fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("LD_PRELOAD", libfaketime().display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.folder.path().join("offset").display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    /// Sets it wrong by so many seconds.
    fn step(&mut self, offset_s: &str) {
        let folder = self.folder.path().to_owned();
        set(&folder, offset_s);
        self.back = Some(tokio::spawn(async move {
            tokio::time::sleep(STEP_MAX).await;
            set(&folder, "+0");
        }));
    }

    /// Sets it right.
    async fn back(&mut self) {
        let back = self.back.take().expect("a step was made");
        back.abort();
        drop(back.await); // it says whether it was done before
        set(self.folder.path(), "+0");
    }
}

/// In one piece: it is read at every look.
fn set(folder: &Path, offset_s: &str) {
    let beside = folder.join("new");
    fs::write(&beside, offset_s).expect("a writable folder");
    fs::rename(beside, folder.join("offset")).expect("one folder");
}

/// An honest producer, whose clock is right.
struct Producer {
    client: Client,
    url: String,
    /// Events, each of a request; the first under the id `msg_0`.
    sent: Vec<String>,
}

impl Producer {
    fn event(number: usize) -> String {
        let (time, who) = (format_rfc3339(now_ms()), number % ENTITIES);
        format!(
            "{{\"specversion\":\"1.0\",\"id\":\"h{number}\",\"source\":\"/checkout\",\"type\":\"auth.otp_requested\",\"time\":\"{time}\",\
             \"data\":{{\"phone\":\"+2012000000{who:02}\",\"ip\":\"192.0.2.{who}\",\"purpose\":\"login\"}}}}"
        )
    }

    /// Sends so many, none of which is refused.
    async fn send(&mut self, count: usize) {
        for number in self.sent.len()..self.sent.len() + count {
            let event = Self::event(number);
            let answer = send(&self.client, &self.url, &format!("msg_{number}"), &event).await;
            assert_eq!(answer.0, 202, "request {number}: {}", answer.1);
            self.sent.push(event);
            // Four in the time in which the service lets five through.
            tokio::time::sleep(Duration::from_millis(12)).await;
        }
    }

    /// Sends until the service says so: an alert of each entity every second or so, so that there is something to deliver.
    async fn send_until(&mut self, site: &Site, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..SENDS_MAX {
            self.send(ENTITIES).await;
            if let Some(status) = site.status().filter(&holds) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        panic!("{what}: not while {SENDS_MAX} events of each entity were sent")
    }

    /// What came before comes again: as it was, which is taken and is nothing new, and as something else, which is refused.
    async fn send_again(&self, number: usize) {
        let id = format!("msg_{number}");
        let answer = send(&self.client, &self.url, &id, self.sent.get(number).expect("it was sent")).await;
        assert_eq!(answer.0, 202, "request {number} again: {}", answer.1);
        let answer = send(&self.client, &self.url, &id, &Self::event(usize::MAX)).await;
        assert_eq!(answer.0, 409, "other events as request {number}: {}", answer.1);
    }

    /// A request that is signed by the service's wrong clock is as far off as that.
    async fn send_wrong(&self, offset_s: &str) {
        let timestamp_s = now_ms() / 1_000 + offset_s.parse::<i64>().expect("seconds");
        let answer = send_signed(&self.client, &self.url, "wrong", &Self::event(usize::MAX), timestamp_s).await;
        assert_eq!(answer.0, 401, "signed {offset_s} s from now: {}", answer.1);
    }
}

fn number(status: &Value, pointer: &str) -> u64 {
    status.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} in {status:#}"))
}

fn sinks(status: &Value) -> &Vec<Value> {
    status.pointer("/stats/sinks").and_then(Value::as_array).expect("sinks")
}

/// The breaker of the core API.
fn breaker(status: &Value) -> &str {
    let core = sinks(status).iter().find(|sink| sink["name"] == "core").expect("core");
    core["breaker"].as_str().expect("a state")
}

/// How far it is: ticks, and the position of the newest snapshot.
fn progress(status: &Value) -> (u64, u64) {
    let snapshot = status.pointer("/stats/snapshot/position").and_then(Value::as_u64).unwrap_or(0);
    (number(status, "/stats/log/ticks_total"), snapshot)
}

fn jumps(status: &Value) -> u64 {
    number(status, "/stats/clock/jumps_total")
}

/// Asks until the service says so.
async fn until(site: &Site, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(status) = site.status() {
                if holds(&status) {
                    return status;
                }
                last = status;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let found = found.await;
    found.unwrap_or_else(|_| panic!("{what}: not in {PATIENCE:?}: {last:#}"))
}

/// It goes on from there: it ticks, so events were not needed for it, and it takes snapshots.
async fn goes_on(site: &Site, what: &str, from: &Value) -> Value {
    let (ticks, snapshot) = progress(from);
    until(site, what, |status| {
        let now = progress(status);
        now.0 > ticks && now.1 > snapshot
    })
    .await
}

/// What a wrong clock must not do, while it is wrong and after.
fn assert_sound(status: &Value, when: &str) {
    assert!(number(status, "/stats/worker/lag_ms") < HALF_AN_HOUR_MS, "{when}: {status:#}");
    assert!(number(status, "/stats/freshness/lag_ms") < HALF_AN_HOUR_MS, "{when}: {status:#}");
    for sink in sinks(status) {
        assert!(number(sink, "/oldest_ms") < HALF_AN_HOUR_MS, "{when}: {sink:#}");
    }
    let event_clock_ms = status.pointer("/stats/engine/event_clock_ms").and_then(Value::as_i64).expect("a clock");
    assert!(now_ms().abs_diff(event_clock_ms) < HALF_AN_HOUR_MS, "{when}: the event clock stands at {event_clock_ms}");
    assert_eq!(number(status, "/stats/engine/counters/late"), 0, "{when}");
    assert_eq!(number(status, "/stats/worker/dead_letters_total"), 0, "{when}");
    assert_eq!(status.pointer("/stats/readiness/state"), Some(&"ready".into()), "{when}: {status:#}");
}

/// The keys of the scores that soon end.
async fn quick(site: &Site) -> Vec<String> {
    site.redis.command(&["KEYS", "rasid:risk:v1:{ip:*"]).await
}

/// One step, and back, with a core API that fails as it begins.
async fn step(site: &Site, clock: &mut WallClock, producer: &mut Producer, offset_s: &str) {
    // So that what waits and what is open began by the clock before.
    site.core.fail(Fault::Status(503));
    let before = producer.send_until(site, "the breaker opens", |status| breaker(status) == "open").await;

    clock.step(offset_s);
    let status = until(site, "the step is seen", |status| jumps(status) > jumps(&before)).await;
    assert_sound(&status, offset_s);
    let newest = producer.sent.len() - 1;
    producer.send(WRONG).await;
    producer.send_again(newest).await;
    producer.send_wrong(offset_s).await;
    let status = goes_on(site, "while the clock is wrong it goes on", &status).await;
    assert_sound(&status, offset_s);
    let meta: BTreeMap<String, String> = site.redis.command(&["HGETALL", "rasid:risk:v1:meta"]).await;
    let as_of_ms: i64 = meta.get("as_of").and_then(|text| text.parse().ok()).expect("a heartbeat");
    assert!(now_ms().abs_diff(as_of_ms) < HALF_AN_HOUR_MS, "{offset_s}: {meta:?}");
    let lasting = quick(site).await;
    assert_eq!(lasting.len(), ENTITIES, "{lasting:?}");
    if offset_s.starts_with('+') {
        // As a Redis does under the same clock.
        let words: Vec<&str> = ["DEL"].into_iter().chain(lasting.iter().map(String::as_str)).collect();
        assert_eq!(site.redis.command::<usize>(&words).await, ENTITIES);
    } else {
        // What is open until some time by the clock before is open for an hour more now; what opens by the clock ahead is so
        // after it.
        site.core.heal();
        until(site, "the breaker closes while the clock is behind", |status| breaker(status) == "closed").await;
    }

    clock.back().await;
    let status = until(site, "it is seen to be right", |status| jumps(status) > jumps(&before) + 1).await;
    // Before anything new is sent, which would be written for itself.
    let whole = tokio::time::timeout(PATIENCE, async {
        while quick(site).await.len() < ENTITIES {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    whole.await.expect("redis has again what lives");
    site.core.heal();
    until(site, "the breaker closes", |status| breaker(status) == "closed").await;
    producer.send(10).await;
    for number in [0, newest, newest + 1] {
        producer.send_again(number).await;
    }
    let status = goes_on(site, "the clock is right and it goes on", &status).await;
    assert_sound(&status, "right again");
}

/// Everything of an alert but its place in the log, which ticks share.
fn without_position(detected: &judge::Detected) -> Vec<Value> {
    let alerts = detected.alerts.iter().map(|(_, alert)| {
        let mut alert: Value = serde_json::from_str(alert).expect("JSON");
        alert.as_object_mut().expect("an alert").remove("position").expect("a place in the log");
        alert
    });
    alerts.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_an_hour_wrong_for_seconds_changes_nothing() {
    let (mut clock, site) = (WallClock::new(), Site::new("").await);
    fs::write(site.path("rules/auth/quick.yaml"), QUICK).expect("a writable folder");
    let mut command = site.rasid(&["run"]);
    command.envs(clock.environment()).env("RASID_LOG", "info,rasid_service=debug");
    let (per_s, burst) = EVENTS_MAX;
    command.env("RASID_SOURCES__HTTP__EVENTS_PER_S_MAX", per_s).env("RASID_SOURCES__HTTP__EVENTS_BURST_MAX", burst);
    let mut service = Service::start(&mut command, None);
    let up = service.heard("up", PATIENCE).await;
    let url = format!("http://{}", up.text("listen").expect("an address"));
    let mut producer = Producer { client: client(), url, sent: Vec::new() };
    producer.send(6 * ENTITIES).await;
    // Ticks wait until the clock has stood since the start.
    until(&site, "it ticks", |status| progress(status).0 > 0).await;
    for offset_s in ["+3600", "-3600"] {
        step(&site, &mut clock, &mut producer, offset_s).await;
    }
    site.settle(PATIENCE).await;
    let status = site.status().expect("it answers");
    assert_eq!(number(&status, "/stats/worker/divergence_total"), 0);
    assert_eq!(jumps(&status), 4, "there and back, twice");
    assert_eq!(number(&status, "/stats/log/events_total"), producer.sent.len() as u64, "what came again is known");
    let reasons = stream(&status, STREAM).get("refused").and_then(Value::as_object).expect("reasons");
    let reused = refused(&status, STREAM, "id_reused");
    let all: u64 = reasons.values().filter_map(Value::as_u64).sum();
    assert_eq!((reused, all), (8, 8), "an honest request was refused: {reasons:?}");
    let metrics = producer.client.get(format!("{}/metrics", producer.url)).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("a body");
    assert!(metrics.lines().any(|line| line == "rasid_clock_jumps_total 4"), "{metrics}");
    assert!(service.drain().await.success());
    service.assert_sound();

    let lines = service.lines();
    let steps: Vec<i64> = lines
        .iter()
        .filter(|line| line.message == "the wall clock was set; it is believed once it has stood")
        .map(|line| line.fields.get("by_ms").and_then(Value::as_i64).expect("a span"))
        .collect();
    let hours: Vec<i64> = steps.iter().map(|by_ms| (by_ms + by_ms.signum() * 10_000) / 3_600_000).collect();
    assert_eq!(hours, [1, -1, -1, 1], "{steps:?}");
    assert!(lines.iter().all(|line| line.message != "the wall clock has stood since it was set and is believed"));

    // Receivers have what one run through the log gives; that is what the events give that no clock has touched.
    fs::write(site.path("sent.jsonl"), producer.sent.join("\n")).expect("a writable folder");
    let requests = producer.sent.len() as u64;
    let sent = Sent { events: producer.sent, requests, repeats: 0 };
    let detected = judge::assert_whole_with(&site, &BTreeMap::from([(STREAM.to_owned(), sent)])).await;
    let untouched = judge::detect_in(&site, "sent.jsonl");
    assert_eq!(without_position(&detected), without_position(&untouched));
    assert_eq!(detected.reasons, untouched.reasons);
    assert!(detected.alerts.iter().all(|(_, alert)| alert.contains("\"late\":false")), "an alert is late");
}
