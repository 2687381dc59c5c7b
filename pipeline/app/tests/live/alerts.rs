//! Alerts that are kept, and what people say about them, while the service runs, is killed and starts again.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::judge;
use crate::service::PATIENCE;
use crate::site::{Site, until};
use crate::traffic::Traffic;

fn said(output: &Output) -> String {
    format!("{}\n{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What `rasid alerts` answers.
fn alerts(site: &Site, arguments: &[&str]) -> Output {
    site.rasid(&["alerts"]).args(arguments).output().expect("it starts")
}

/// The same as text, where it ends well.
fn text(site: &Site, arguments: &[&str]) -> String {
    let output = alerts(site, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

/// The same as JSON.
fn json(site: &Site, arguments: &[&str]) -> Value {
    let output = alerts(site, &[arguments, &["--output", "json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn listed(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let list = json(site, &[&["list", "--limit", "1000"], arguments].concat());
    list.get("alerts").and_then(Value::as_array).expect("a list").clone()
}

fn id(alert: &Value) -> String {
    alert["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_say_about_alerts_outlives_a_kill() {
    let site = Site::new("").await;
    let mut service = site.start(None);
    service.heard("up", PATIENCE).await;
    let traffic = Traffic::start(&site.path("events"), 16, "1");
    traffic.rounds(200).await;
    until("four alerts of a rule", async || listed(&site, &["--rule", "auth.burst"]).len() >= 4).await;
    let burst = listed(&site, &["--rule", "auth.burst"]);
    let [first, second, third, fourth] = std::array::from_fn(|n| id(&burst[burst.len() - 1 - n]));

    // What was answered is there at once.
    let acknowledged = json(&site, &["ack", first.get(..20).expect("longer"), &second, "--assignee", "noor"]);
    assert_eq!(acknowledged["alerts"], serde_json::json!([first, second]));
    assert_eq!(text(&site, &["close", &second, "--why", "a test phone +20 100 000 0001"]).lines().count(), 1);
    text(&site, &["verdict", &first, &third, "true_positive", "--why", "confirmed"]);
    text(&site, &["verdict", &third, "false_positive", "--why", "on second thought"]);
    let standing = |site: &Site| {
        let of = |id: &String| {
            let shown = json(site, &["show", id]);
            let kept = &shown["kept"];
            let acts = shown["history"].as_array().expect("a list").len();
            (kept["status"].clone(), kept["assignee"].clone(), kept["verdict"].clone(), kept["closed"]["why"].clone(), acts)
        };
        [&first, &second, &third, &fourth].map(of)
    };
    let expected = [
        ("acknowledged".into(), "noor".into(), "true_positive".into(), Value::Null, 2),
        ("closed".into(), "noor".into(), Value::Null, "a test phone +•• ••• ••• ••••".into(), 2),
        ("open".into(), Value::Null, "false_positive".into(), Value::Null, 2),
        ("open".into(), Value::Null, Value::Null, Value::Null, 0),
    ];
    assert_eq!(standing(&site), expected);
    assert_eq!(listed(&site, &["--status", "closed"]).iter().map(id).collect::<Vec<_>>(), [second.as_str()]);
    let table = text(&site, &["list", "--verdict", "any"]);
    assert!(table.starts_with("AGE") && table.lines().count() == 3 && table.contains("open, false_positive"), "{table}");

    // What cannot be is said, and is no crash.
    for (arguments, status, part) in [
        (&["show", "al_"][..], 2, "write more of it"),
        (&["show", "al_none"], 2, "no alert `al_none` is kept"),
        (&["ack", &first, "al_none"], 2, "no alert `al_none` is kept"),
        (&["list", "--after", "x"], 2, "cursor"),
    ] {
        let output = alerts(&site, arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(part), "{arguments:?}: {}", said(&output));
    }

    // The machine's power is not cut here, but nothing is said to be done before it is on the disk.
    service.kill().await;
    let mut service = site.start(None);
    service.heard("up", PATIENCE).await;
    assert_eq!(standing(&site), expected);

    // One is explained by the very rules that opened it, out of the log, and opens again byte for byte.
    let explained = site.rasid(&["explain", &third, "--replay"]).output().expect("it starts");
    let told = said(&explained);
    assert!(explained.status.success(), "{told}");
    for part in ["why: the condition held", "behind `", "byte for byte as it is kept"] {
        assert!(told.contains(part), "{told}");
    }
    let precision = text(&site, &["precision", "--rule", "auth.burst"]);
    assert!(precision.contains("auth.burst  1     1      0       50.0 %"), "{precision}");

    // A rule's alerts are taken back; those of others stand.
    let retract = site.rasid(&["retract", "auth.burst", "--reason", "a test"]).output().expect("it starts");
    assert!(retract.status.success(), "{}", said(&retract));
    until("they are taken back", async || json(&site, &["show", &first])["kept"]["retracted"].is_u64()).await;
    assert!(listed(&site, &["--retracted"]).iter().all(|alert| alert["rule"] == "auth.burst"));

    let export = text(&site, &["list", "--export", "-"]);
    let labels: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let words = |alert: &str| labels.iter().find(|label| label["alert"] == alert).map(|label| (&label["verdict"], &label["why"]));
    assert_eq!(labels.len(), 2);
    assert_eq!(words(&first), Some((&"true_positive".into(), &"confirmed".into())));
    assert_eq!(words(&third), Some((&"false_positive".into(), &"on second thought".into())));
    text(&site, &["list", "--export", "labels.jsonl"]);
    assert_eq!(fs::read_to_string(site.path("labels.jsonl")).expect("it was written"), export);

    traffic.stop().await;
    site.settle(PATIENCE).await;
    let status = site.status().expect("it answers");
    assert_eq!(status.pointer("/stats/alerts/by_status/closed"), Some(&1.into()));
    assert_eq!(status.pointer("/stats/alerts/verdicts/auth.burst"), Some(&serde_json::json!({"true_positive": 1, "false_positive": 1})));
    assert!(service.drain().await.success());
    service.assert_sound();
    let audit = fs::read_to_string(site.path("data/audit.jsonl")).expect("it was written");
    let of = |action: &str| audit.lines().filter(|line| line.contains(&format!("\"action\":\"{action}\""))).count();
    assert_eq!((of("acknowledge alerts"), of("close alerts"), of("give a verdict")), (1, 1, 2), "{audit}");
    judge::assert_whole(&site).await;
}
