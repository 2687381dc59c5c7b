//! A disk without room, under the service and at its start, and one that cannot be written at all.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rasid_connectors::webhook::Webhook;
use serde_json::Value;

use crate::judge;
use crate::producers::PRODUCERS;
use crate::receiver::client;
use crate::service::{PATIENCE, Service};
use crate::site::Site;
use crate::traffic::{Traffic, now_ms};

const POLL: Duration = Duration::from_millis(50);

/// A file system of a few MiB.
struct Small {
    at: PathBuf,
}

impl Small {
    /// Mounts one at `at`; `None`, and loudly so, where this user may not.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).expect("a writable folder");
        let id = Command::new("id").arg("-u").output().expect("id is there");
        let options = format!("size={size},mode=0700,uid={}", String::from_utf8_lossy(&id.stdout).trim());
        if as_root(&["mount", "-t", "tmpfs", "-o", &options, "tmpfs"], at) {
            return Some(Self { at: at.to_owned() });
        }
        eprintln!("SKIPPED: a file system cannot be mounted here, neither as this user nor by sudo; run this as root");
        None
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.ballast()).expect("a name needs no room");
        for piece in [65_536, 4_096] {
            while file.write_all(&vec![7; piece]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.ballast()).expect("it was filled");
    }

    fn read_only(&self) -> bool {
        as_root(&["mount", "-o", "remount,ro"], &self.at)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        as_root(&["umount", "--lazy"], &self.at);
    }
}

fn as_root(command: &[&str], at: &Path) -> bool {
    let run = |before: &[&str]| {
        let mut words = before.iter().chain(command);
        let program = words.next().expect("not empty");
        let output = Command::new(program).args(words).arg(at).output();
        output.is_ok_and(|output| output.status.success())
    };
    run(&[]) || run(&["sudo", "--non-interactive"])
}

/// A site whose data folder is small, and the address that it listens at.
async fn site(room: &str) -> Option<(Site, Small, String)> {
    let site = Site::new("").await;
    let small = Small::mount(&site.path("data"), room)?;
    let address = format!("127.0.0.1:{}", site.port());
    Some((site, small, address))
}

fn start(site: &Site) -> Service {
    Service::start(site.rasid(&["run"]).env("RASID_LOG", "info"), None)
}

/// Status and text of an answer; `None` where nobody answers yet.
async fn get(address: &str, path: &str) -> Option<(u16, String)> {
    let answer = client().get(format!("http://{address}{path}")).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

/// Waits until `/readyz` answers so; what it says.
async fn readyz(address: &str, status: u16, says: &str, each: impl Fn()) -> String {
    let mut last = None;
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            each();
            last = get(address, "/readyz").await;
            if let Some((found, text)) = &last
                && (*found, text.contains(says)) == (status, true)
            {
                return text.clone();
            }
            tokio::time::sleep(POLL).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("expected {status} with {says:?}, the last answer is {last:?}"))
}

/// Waits until some more events are through.
async fn goes_on(site: &Site) {
    let committed = || site.status()?.pointer("/stats/worker/committed")?.as_u64();
    let before = committed().expect("it answers");
    let waited = tokio::time::timeout(PATIENCE, async {
        while committed().is_none_or(|committed| committed < before + 100) {
            tokio::time::sleep(POLL).await;
        }
    });
    assert!(waited.await.is_ok(), "nothing is committed behind {before}");
}

async fn post(address: &str) -> reqwest::Response {
    let (id, body) = ("msg_full", "{}");
    let timestamp_s = now_ms() / 1_000;
    let signature = Webhook::new(&[PRODUCERS[0].1]).expect("a secret").sign(id, timestamp_s, body.as_bytes());
    let request = client().post(format!("http://{address}/v1/events")).body(body);
    let headers = [("webhook-id", id.to_owned()), ("webhook-timestamp", timestamp_s.to_string()), ("webhook-signature", signature)];
    let request = request.header("content-type", "application/cloudevents+json");
    let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    request.send().await.expect("an answer")
}

/// Alive, not ready, and says where; a producer is sent away, and told for how long.
async fn assert_hindered(address: &str, small: &Small) {
    let why = readyz(address, 503, "no room", || small.fill()).await;
    assert!(why.contains(&small.at.display().to_string()), "it says where: {why}");
    assert_eq!(get(address, "/healthz").await.map(|(status, _)| status), Some(200));
    let answer = post(address).await;
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("retry-after")), (503, true));
}

/// It has said no error but that there is no room.
fn assert_only_room_was_missing(service: &Service) {
    for line in service.lines() {
        let level = line.fields.get("level").and_then(Value::as_str).unwrap_or_default();
        let room = ["cannot write; tried again until it can", "snapshot not written; the one before stands"];
        assert!(level != "ERROR" || room.contains(&line.message.as_str()), "{} {}", line.message, line.fields);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_for_a_while_costs_nothing() {
    let Some((site, small, address)) = site("24m").await else { return };
    let mut service = start(&site);
    service.heard("up", PATIENCE).await;
    let traffic = Traffic::start(&site.path("events"), 7, "1");
    readyz(&address, 200, "ready", || {}).await;
    traffic.rounds(100).await;
    // Under way: it goes on as soon as there is room.
    assert_hindered(&address, &small).await;
    let metrics = get(&address, "/metrics").await.expect("it answers").1;
    assert!(metrics.lines().any(|line| line.starts_with("rasid_disk_full{") && line.ends_with(" 1.0")), "{metrics}");
    small.free();
    readyz(&address, 200, "ready", || {}).await;
    goes_on(&site).await;
    // And killed while it is full, and started while it still is.
    assert_hindered(&address, &small).await;
    service.kill().await;
    assert_only_room_was_missing(&service);
    judge::assert_nothing_made_up(&site);
    small.fill();
    let mut service = start(&site);
    assert_hindered(&address, &small).await;
    small.free();
    readyz(&address, 200, "ready", || {}).await;
    traffic.stop().await;
    site.settle(PATIENCE).await;
    let status = site.status().expect("it answers");
    assert_eq!(status.pointer("/stats/worker/divergence_total"), Some(&0.into()));
    assert!(service.drain().await.success());
    assert_only_room_was_missing(&service);
    judge::assert_whole(&site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_on_a_full_disk_waits_for_room() {
    let Some((site, small, address)) = site("8m").await else { return };
    small.fill();
    let mut service = start(&site);
    let why = readyz(&address, 503, "no room", || small.fill()).await;
    assert!(why.contains(&small.at.display().to_string()), "it says where: {why}");
    assert_eq!(get(&address, "/healthz").await.map(|(status, _)| status), Some(200));
    small.free();
    service.heard("up", PATIENCE).await;
    readyz(&address, 200, "ready", || {}).await;
    assert!(service.drain().await.success());
    assert_only_room_was_missing(&service);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_on_a_full_disk_does_not_wait_for_room() {
    let Some((site, small, address)) = site("24m").await else { return };
    let mut service = start(&site);
    service.heard("up", PATIENCE).await;
    let traffic = Traffic::start(&site.path("events"), 8, "1");
    // Under way: there is something that cannot be written.
    traffic.rounds(100).await;
    assert_hindered(&address, &small).await;
    assert_eq!(service.drain().await.code(), Some(3), "not all could be written");
    small.free();
    let mut service = start(&site);
    readyz(&address, 200, "ready", || {}).await;
    goes_on(&site).await;
    traffic.stop().await;
    site.settle(PATIENCE).await;
    assert!(service.drain().await.success());
    judge::assert_whole(&site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_cannot_be_written_is_named() {
    let Some((site, small, _)) = site("8m").await else { return };
    for what in ["an empty folder", "a folder in use"] {
        if what == "a folder in use" {
            let mut service = start(&site);
            service.heard("up", PATIENCE).await;
            assert!(service.drain().await.success());
        }
        assert!(small.read_only());
        let output = site.rasid(&["run"]).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{what}: {said}");
        let last = said.lines().last().unwrap_or_default();
        assert!(last.contains(&small.at.display().to_string()) && last.contains("Read-only file system"), "{what}: {said}");
        assert!(as_root(&["mount", "-o", "remount,rw"], &small.at));
    }
}
