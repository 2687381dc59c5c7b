//! What goes wrong without an error to anybody is seen all the same: records that are none, types that no rule can name, a
//! folder that is not there, receivers that take nothing.

use std::time::Duration;

use rasid_testbed::Fault;

use crate::receiver::{Receiver, client, events, send};
use crate::service::PATIENCE;
use crate::site::Site;

/// What `rasid status` prints, once it says all of that and none of the other.
async fn says(site: &Site, all: &[&str], none: &[&str]) {
    let mut text = String::new();
    let seen = async {
        loop {
            let status = site.rasid(&["status"]).output().expect("it starts");
            text = String::from_utf8_lossy(&status.stdout).into_owned();
            if all.iter().all(|part| text.contains(part)) && !none.iter().any(|part| text.contains(part)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, seen).await.is_ok(), "expected {all:?}, and nothing of {none:?}, in\n{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_is_told_of_stands_in_the_log_and_in_the_status() {
    let mut site = Site::new("").await;
    std::fs::remove_dir(site.path("events")).expect("it is empty");
    let receiver = Receiver::start(&site, 1_024).await;
    let client = client();
    let unknown = events(1, 1).replace("auth.login_failed", "auth.telepathy");
    let bad = format!("not json\n{unknown}not json either\n");
    assert_eq!(send(&client, &receiver.url, "seen-1", &bad).await.0, 202);
    let aside = receiver.service.heard("records were set aside", PATIENCE).await;
    assert_eq!((aside.text("stream"), aside.number("records")), (Some("http:checkout"), Some(2)));
    let folder = format!("STOPPED  jsonl:{} cannot be read: there is no such folder", site.path("events").display());
    let troubles = ["NOT REACHED", "last answer", "STOPPED"];
    says(&site, &["ASIDE    2 dead letters since the start", "UNKNOWN  1 records", &folder], &troubles[..2]).await;

    std::fs::create_dir(site.path("events")).expect("a writable folder");
    says(&site, &["ready"], &["STOPPED"]).await;

    site.core.fail(Fault::Status(401));
    site.redis.kill();
    // One user, five times.
    let five: String = (0..5).map(|time| events(1 + 500 * time, 1)).collect();
    assert_eq!(send(&client, &receiver.url, "seen-2", &five).await.0, 202);
    says(&site, &["last answer 401 for", "NOT REACHED for"], &[]).await;
    site.core.heal();
    site.redis.restart().await;
    says(&site, &["core with 0 waiting", "redis with 0 waiting"], &troubles).await;
}
