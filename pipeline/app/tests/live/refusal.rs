//! A core that refuses everything, as after a bad deploy.

use std::time::Duration;

use rasid_testbed::{Alertmanager, Fault};
use serde_json::Value;

use crate::judge;
use crate::service::PATIENCE;
use crate::site::Site;
use crate::traffic::Traffic;

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let seen = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, seen).await.is_ok(), "{what}: not seen in {PATIENCE:?}");
}

/// What the service says of its core.
fn core_of(site: &Site) -> Value {
    let status = site.status().expect("it answers");
    let sinks = status.pointer("/stats/sinks").and_then(Value::as_array).expect("sinks");
    sinks.iter().find(|sink| sink["name"] == "core").expect("core").clone()
}

async fn is_paged(alertmanager: &Alertmanager) -> bool {
    alertmanager.alerts().await.iter().any(|alert| alert.pointer("/labels/rule") == Some(&"rasid_sink_refusing".into()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_that_answers_422_parks_a_few_pages_and_gets_the_rest() {
    let alertmanager = Alertmanager::start().await;
    let site = Site::new(&format!("alertmanager.url = {:?}", alertmanager.url())).await;
    let mut service = site.start(None);
    service.heard("up", PATIENCE).await;
    site.core.fail(Fault::Status(422));
    let traffic = Traffic::start(&site.path("events"), 9, "1");
    until("the core counts as refusing", async || core_of(&site)["refusing"] == true).await;
    until("a hundred items wait", async || core_of(&site)["depth"].as_u64() > Some(100)).await;
    until("the person on call is told", async || is_paged(&alertmanager).await).await;
    let status = site.rasid(&["status"]).output().expect("it starts");
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(text.contains("REFUSED  whatever core is sent"), "{text}");
    traffic.stop().await;

    // Five alerts, five scores.
    let parked = core_of(&site)["parked_total"].as_u64().expect("a number");
    assert!((1..=10).contains(&parked), "{parked} were parked");
    let lines = service.lines();
    let of = |message: &str| lines.iter().filter(|line| line.message == message).count();
    assert!(of("a receiver refused items; they are parked") <= 10, "a line a batch");
    let refuses = "a receiver refuses everything; no more is parked, it waits until something is taken";
    assert!((1..=2).contains(&of(refuses)), "said once");

    site.core.heal();
    site.settle(PATIENCE).await;
    until("the page is taken back", async || !is_paged(&alertmanager).await).await;
    assert_eq!(core_of(&site)["refusing"], false);
    let listed = site.rasid(&["parked", "list", "--sink", "core", "--output", "json"]).output().expect("it starts");
    let listed: Vec<Value> = serde_json::from_slice(&listed.stdout).expect("JSON");
    let alerts = listed.iter().filter(|item| item["rule"].is_string()).count();
    // Scores may have opened the circuit before any alert was refused by itself; a parked score goes when a newer one arrives.
    assert!(alerts <= 5 && listed.len() as u64 <= parked, "{listed:#?}");
    let retry = |more: &[&str]| {
        let output = site.rasid(&["parked", "retry", "core", "--reason", "it was mended"]).args(more).output().expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(retry(&["--rule", "no.such"]), "0 offered to core once more\n");
    assert_eq!(retry(&["--since", "2099-01-01T00:00:00Z"]), "0 offered to core once more\n");
    assert_eq!(retry(&["--all"]), format!("{} offered to core once more\n", listed.len()));
    site.settle(PATIENCE).await;
    assert_eq!(core_of(&site)["parked"], 0);
    assert!(service.drain().await.success());
    service.assert_sound();
    judge::assert_whole(&site).await;
}
