//! The data folder's secret: bound to it with its number, and changed in the midst of the service's life, with a kill on the
//! way. Names change at one position of the log; state, scores and what a replay gives do not.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use crate::judge;
use crate::service::Service;
use crate::site::{SECRET, Site};
use crate::traffic::Traffic;

const PATIENCE: Duration = Duration::from_mins(1);
const SECOND: &str = "the second secret of the live tests";
const PHONE: &str = "+201010000003";

/// `rasid` under a secret with a number, and a former one with its own.
fn under(site: &Site, arguments: &[&str], key: (&str, &str), former: Option<(&str, &str)>) -> Command {
    let mut command = site.rasid(arguments);
    command.env("RASID_KEY", key.0).env("RASID_PSEUDONYMS__KEY_NUMBER", key.1);
    if let Some((secret, number)) = former {
        command.env("RASID_PSEUDONYMS__FORMER_KEY", secret).env("RASID_PSEUDONYMS__FORMER_KEY_NUMBER", number);
    }
    command
}

fn start(site: &Site, key: (&str, &str), former: Option<(&str, &str)>) -> Service {
    Service::start(under(site, &["run"], key, former).env("RASID_LOG", "info,rasid_service=trace"), None)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn printed(mut command: Command) -> String {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

async fn work(site: &Site, seed: u64) {
    let traffic = Traffic::start(&site.path("events"), seed, "1");
    traffic.rounds(150).await;
    traffic.stop().await;
}

async fn version(site: &Site, entity: &str) -> Option<String> {
    site.redis.command::<Option<String>>(&["HGET", &format!("rasid:risk:v1:{{{entity}}}"), "version"]).await
}

/// Works until an entity has a score under that name: chance decides whom a rule fires for.
async fn work_until_known(site: &Site, seeds: std::ops::Range<u64>, entity: &str) {
    for seed in seeds {
        work(site, seed).await;
        site.settle(PATIENCE).await;
        if version(site, entity).await.is_some() {
            return;
        }
    }
    panic!("no alert about {entity}");
}

async fn drained(site: &Site, mut service: Service) {
    site.settle(PATIENCE).await;
    let status = site.status().expect("it answers");
    assert_eq!(status.pointer("/stats/worker/divergence_total"), Some(&0.into()));
    assert!(service.drain().await.success());
    service.assert_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_secret_is_bound_and_changed_without_losing_a_score_or_an_alert() {
    let site = Site::new("").await;
    let (old, new) = ((SECRET, "1"), (SECOND, "2"));
    let service = start(&site, old, None);
    service.heard("up", PATIENCE).await;
    let name = |key, former| printed(under(&site, &["pseudonym", "phone", PHONE], key, former));
    let old_name = name(old, None);
    work_until_known(&site, 100..130, &old_name).await;
    drained(&site, service).await;

    // What the folder is not bound to is refused, and it is left as it is.
    for (key, former, part) in [
        ((SECRET, "2"), None, "carry number 1, and number 2 was given"),
        ((SECOND, "1"), None, "bound to another secret, whose number is 1"),
        ((SECOND, "2"), Some(("a secret that it never had", "1")), "bound to another secret, whose number is 1"),
        ((SECOND, "2"), Some((SECRET, "3")), "carry number 1, and number 3 was given"),
    ] {
        let refused = under(&site, &["run"], key, former).output().expect("it starts");
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains(part), "{part} in {}", said(&refused));
    }
    let elsewhere = under(&site, &["pseudonym", "phone", PHONE], (SECRET, "2"), None).output().expect("it starts");
    assert_eq!(elsewhere.status.code(), Some(2), "{}", said(&elsewhere));
    assert!(said(&elsewhere).contains("carry number 1"), "{}", said(&elsewhere));

    // The change, and a kill soon after it.
    let before = judge::accepted(&site).len();
    let mut service = start(&site, new, Some(old));
    service.heard("the pseudonym secret is changed", PATIENCE).await;
    service.heard("up", PATIENCE).await;
    let renamed = "pseudonyms carry another number; so many scores stand under a name of before alone, until an alert renames them or the last of them ends";
    let renamed = service.heard(renamed, PATIENCE).await;
    assert!(renamed.number("scores").is_some_and(|scores| scores > 0), "{}", renamed.fields);
    work(&site, 22).await;
    service.kill().await;
    let service = start(&site, new, Some(old));
    service.heard("up", PATIENCE).await;
    let new_name = name(new, Some(old));
    work_until_known(&site, 200..230, &new_name).await;
    assert!(old_name.starts_with("phone:p1_") && new_name.starts_with("phone:p2_"), "{old_name} {new_name}");
    let (under_old, under_new) = (version(&site, &old_name).await, version(&site, &new_name).await);
    assert!(under_new.is_some() && under_new == under_old, "one score, under both names: {under_old:?} {under_new:?}");
    let got = printed(under(&site, &["score", "get", &format!("phone:{PHONE}")], new, Some(old)));
    assert!(got.starts_with(&new_name), "{got}");
    drained(&site, service).await;

    // Without the former one: its names are written no more.
    let service = start(&site, new, None);
    service.heard("up", PATIENCE).await;
    work(&site, 24).await;
    drained(&site, service).await;
    let (left, risen) = (version(&site, &old_name).await, version(&site, &new_name).await);
    assert!(left == under_old && risen > under_new, "{left:?} {risen:?}");

    // The secret in force alone goes through all of it: what was told stands, byte for byte.
    let mut again = site.rasid(&["detect", "data", "--alerts", "again.jsonl"]);
    let output = again.env("RASID_KEY", SECOND).output().expect("it starts");
    assert!(output.status.success(), "{}", said(&output));
    let alerts = fs::read_to_string(site.path("again.jsonl")).expect("it was written");
    let for_core: BTreeMap<String, String> = alerts
        .lines()
        .map(|line| (serde_json::from_str::<serde_json::Value>(line).expect("JSON"), line))
        .filter(|(alert, _)| Site::is_for_core(alert))
        .map(|(alert, line)| (alert["id"].as_str().expect("an id").to_owned(), line.to_owned()))
        .collect();
    let accepted = judge::accepted(&site);
    assert!(accepted.len() > before && before > 0);
    assert_eq!(accepted, for_core);
    let of = |prefix: &str| accepted.values().filter(|alert| alert.contains(&format!("\"phone:{prefix}"))).count();
    assert!(of("p1_") > 0 && of("p2_") > 0, "names of both times");
    let output = site.rasid(&["detect", "data"]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2), "the old secret opens nothing: {}", said(&output));
}
