//! The rules folder under a running service: what is put into it by mistake ends nothing, and what a switch changes is said.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::service::{Line, Service};
use crate::site::Site;

const PATIENCE: Duration = Duration::from_mins(1);

/// Waits for a line of that message of which `holds` is true.
async fn heard(service: &Service, message: &str, holds: impl Fn(&Line) -> bool) {
    let found = || service.lines().iter().any(|line| line.message == message && holds(line));
    let wait = async {
        while !found() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("it has not said {message:?} so"));
}

fn names(line: &Line, field: &str) -> String {
    line.fields.get(field).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_folder_ends_nothing_and_a_whole_one_says_so() {
    let site = Site::new("").await;
    let mut service = site.start(None);
    let first = service.heard("ruleset switched", PATIENCE).await;
    assert_eq!(names(&first, "added"), "auth.burst, auth.guess, chat.any, payment.refunds");
    service.heard("up", PATIENCE).await;

    let (pipe, here) = (site.path("rules/auth/pipe.yaml"), site.path("rules/here"));
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there").success());
    symlink(".", &here).expect("a link");
    let refused = service.heard("the changed rules are refused; the ruleset before stays in force", PATIENCE).await;
    assert!(names(&refused, "error").contains("R004"), "{:?}", refused.fields);
    let status = site.rasid(&["status"]).output().expect("it starts");
    assert!(String::from_utf8_lossy(&status.stdout).contains("REFUSED"), "{status:?}");

    fs::remove_file(pipe).expect("removable");
    fs::remove_file(here).expect("removable");
    service.heard("the rules folder is whole again", PATIENCE).await;
    let status = site.rasid(&["status"]).output().expect("it starts");
    assert!(!String::from_utf8_lossy(&status.stdout).contains("REFUSED"), "{status:?}");

    // Hot reload goes on, and says what it does; the two changes may be seen as one or as two.
    site.switch_rules(1);
    fs::remove_file(site.path("rules/payment/refunds.yaml")).expect("removable");
    heard(&service, "ruleset switched", |line| names(line, "changed") == "auth.burst").await;
    heard(&service, "ruleset switched", |line| names(line, "removed") == "payment.refunds").await;
    assert!(service.drain().await.success());
    let audit = fs::read_to_string(site.path("data/audit.jsonl")).expect("it was written");
    let entries: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let said = |at: &str| entries.iter().filter_map(|entry| entry.pointer(at)?.as_str()).collect::<Vec<_>>();
    assert_eq!(said("/details/added")[0], "auth.burst, auth.guess, chat.any, payment.refunds");
    assert!(said("/details/changed").contains(&"auth.burst") && said("/details/removed").contains(&"payment.refunds"), "{audit}");
    assert!(
        said("/action").iter().all(|action| *action == "reload") && said("/from").iter().all(|from| *from == "rules folder"),
        "{audit}"
    );
}
