//! A flipped bit in the log: what a start says of it, what checking finds, what mending gives up, and how it goes on.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

use crate::service::PATIENCE;
use crate::site::Site;
use crate::traffic::Traffic;

fn rasid(site: &Site, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = site.rasid(arguments).stdin(std::process::Stdio::null()).output().expect("it starts");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr).into_owned())
}

fn checked(site: &Site) -> (Option<i32>, Value) {
    let (code, out, err) = rasid(site, &["log", "check", "data", "--output", "json"]);
    (code, serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out} {err}")))
}

async fn live_for(site: &Site, seed: u64, world: &'static str) {
    let mut service = site.start(None);
    service.heard("up", PATIENCE).await;
    let traffic = Traffic::start(&site.path("events"), seed, world);
    traffic.rounds(150).await;
    traffic.stop().await;
    site.settle(PATIENCE).await;
    let status = site.status().expect("it answers");
    assert_eq!(status.pointer("/stats/worker/divergence_total"), Some(&0.into()));
    // Beside the service checking only reads; a block on its way is no damage.
    let (code, report) = checked(site);
    assert_eq!((code, report.get("in_use")), (Some(0), Some(&true.into())), "{report:#}");
    assert!(service.drain().await.success());
    service.assert_sound();
}

fn segments(site: &Site) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(site.path("data/log")).expect("a folder").map(|entry| entry.expect("listed").path()).collect();
    paths.sort_unstable();
    paths
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_is_named_given_up_and_gone_on_from() {
    let site = Site::new("").await;
    live_for(&site, 11, "1").await;
    let (code, report) = checked(&site);
    assert_eq!((code, report.get("in_use")), (Some(0), Some(&false.into())), "{report:#}");

    let path = segments(&site).remove(0);
    let mut bytes = fs::read(&path).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&path, &bytes).expect("writable");

    // A start names the command.
    let (code, _, said) = rasid(&site, &["run"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("rasid log check") && said.contains("is damaged at byte"), "{said}");
    // Checking names the place, and what it means: the drain has left a snapshot behind everything.
    let (code, report) = checked(&site);
    assert_eq!(code, Some(1));
    let lost = report.get("lost").and_then(Value::as_array).expect("a list");
    assert_eq!(lost.iter().map(|lost| &lost["means"]).collect::<Vec<_>>(), ["covered"], "{report:#}");
    let damage = report.pointer("/log/0/damage/0").expect("the first segment is damaged");
    let (offset, length) = (damage["offset"].as_u64().expect("a number"), damage["bytes"].as_u64().expect("a number"));
    assert!((offset..offset + length).contains(&(middle as u64)), "{damage}");
    // Nobody gives anything up unasked, or while a service runs.
    let (code, _, said) = rasid(&site, &["log", "mend", "data", "--reason", "a test"]);
    assert_eq!((code, said.contains("--yes")), (Some(2), true), "{said}");
    assert_eq!(fs::read(&path).expect("readable"), bytes, "nothing was changed");
    let (code, told, said) = rasid(&site, &["log", "mend", "data", "--reason", "a bad disk", "--yes"]);
    assert_eq!((code, told.contains("mending loses positions")), (Some(0), true), "{told} {said}");
    let aside = said.lines().find_map(|line| line.strip_prefix("kept aside: ")).expect("one file was");
    assert_eq!(fs::read(site.path("").join(aside)).expect("it is there"), bytes, "as it was");
    let audit = fs::read_to_string(site.path("data/audit.jsonl")).expect("it was written");
    let entry: Value = serde_json::from_str(audit.lines().last().expect("one")).expect("JSON");
    let expected = format!("{}-{}", lost[0]["first"], lost[0]["last"]);
    assert_eq!(
        (&entry["action"], &entry["why"], &entry["details"]["lost"]),
        (&"mend the log".into(), &"a bad disk".into(), &expected.into())
    );
    assert_eq!(checked(&site).0, Some(0));

    // The service goes on, and whoever goes through the log is told.
    live_for(&site, 12, "2").await;
    let (code, _, said) = rasid(&site, &["detect", "data", "--alerts", "again.jsonl"]);
    assert_eq!((code, said.contains("lost to damage")), (Some(0), true), "{said}");
    let (code, _, said) = rasid(&site, &["log", "mend", "data", "--reason", "again", "--yes"]);
    assert_eq!((code, said.contains("nothing to mend")), (Some(0), true), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_the_snapshot_a_replay_that_differs_pages_nobody() {
    let site = Site::new("").await;
    live_for(&site, 13, "1").await;
    let folder = site.path("data/snapshots");
    fs::remove_dir_all(&folder).expect("the drain has left some");
    // The log is gone through from its beginning now, and a third of it is gone.
    let path = segments(&site).remove(0);
    let bytes = fs::read(&path).expect("readable");
    let third = bytes.len() / 3;
    fs::write(&path, [&bytes[..third], &bytes[2 * third..]].concat()).expect("writable");
    let (code, report) = checked(&site);
    assert_eq!((code, &report["lost"][0]["means"]), (Some(1), &"judged".into()), "{report:#}");
    let (code, _, said) = rasid(&site, &["log", "mend", "data", "--reason", "a test", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    let mut service = site.start(None);
    service.heard("up", PATIENCE).await;
    site.settle(PATIENCE).await;
    let status = site.status().expect("it answers");
    let worker = |name: &str| status.pointer(&format!("/stats/worker/{name}")).and_then(Value::as_u64);
    assert_eq!(worker("divergence_total"), Some(0));
    assert!(worker("lost_total") > Some(10) && worker("excused_total") > Some(0), "{status:#}");
    assert!(service.drain().await.success());
}
