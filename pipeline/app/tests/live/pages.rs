//! The person on call: what stands outlives Alertmanager and the service, and the way to the phone can be proven.

use std::process::Output;
use std::time::Duration;

use rasid_detectors::event::time::format_rfc3339;
use rasid_testbed::{Alertmanager, Pager};
use serde_json::Value;

use crate::service::{PATIENCE, Service};
use crate::site::Site;
use crate::traffic::{Traffic, now_ms};

async fn up(site: &Site) -> Service {
    let service = site.start(None);
    service.heard("up", PATIENCE).await;
    service
}

/// Waits until the alerts that stand are as they should be.
async fn until(alertmanager: &Alertmanager, what: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let seen = async {
        loop {
            let alerts = alertmanager.alerts().await;
            if what(&alerts) {
                return alerts;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    if let Ok(alerts) = tokio::time::timeout(PATIENCE, seen).await {
        return alerts;
    }
    panic!("not seen in {PATIENCE:?}: {:#?}", alertmanager.alerts().await)
}

fn label<'a>(alert: &'a Value, name: &str) -> &'a str {
    alert.pointer(&format!("/labels/{name}")).and_then(Value::as_str).unwrap_or_default()
}

/// What a person sees of pages: whose they are, since when and until when.
fn seen(alerts: &[Value]) -> Vec<(&str, &Value, &Value, &Value)> {
    alerts.iter().map(|alert| (label(alert, "rule"), &alert["startsAt"], &alert["endsAt"], &alert["annotations"])).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_stands_outlives_an_alertmanager_that_forgets_and_a_kill() {
    let mut alertmanager = Alertmanager::start().await;
    let site = Site::new(&format!("alertmanager.url = {:?}", alertmanager.url())).await;
    let mut service = up(&site).await;
    let pages = service.heard("pages", PATIENCE).await;
    assert_eq!((pages.number("count"), &pages.fields["pages"]), (Some(2), &"auth.guess, payment.refunds".into()));
    let traffic = Traffic::start(&site.path("events"), 8, "1");
    let both =
        |alerts: &[Value]| ["auth.guess", "payment.refunds"].iter().all(|rule| alerts.iter().any(|alert| label(alert, "rule") == *rule));
    until(&alertmanager, both).await;
    traffic.stop().await;
    site.settle(PATIENCE).await;
    let before = until(&alertmanager, both).await;

    service.kill().await;
    alertmanager.restart_empty().await;
    assert_eq!(alertmanager.alerts().await, Vec::<Value>::new());
    let begun_ms = now_ms();
    let mut service = up(&site).await;
    let after = until(&alertmanager, both).await;
    eprintln!("the pages were back {} ms after the start", now_ms() - begun_ms);
    assert_eq!(seen(&after), seen(&before), "with their beginning and their end");
    let status = site.status().expect("it answers");
    let sink = status.pointer("/stats/sinks").and_then(Value::as_array).expect("sinks").iter().find(|sink| sink["name"] == "alertmanager");
    assert_eq!(sink.and_then(|sink| sink["delivered_total"].as_u64()), Some(0), "to say it again is no delivery");
    assert!(service.drain().await.success());
    service.assert_sound();
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn paged(pager: &Pager, status: &str) -> Value {
    let seen = async {
        loop {
            if let Some(page) = pager.pages().into_iter().find(|page| page["status"] == status) {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("nobody was paged {status}: {:#?}", pager.pages()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_page_arrives_and_says_what_holds_it_back() {
    let pager = Pager::start().await;
    let mut alertmanager = Alertmanager::start_paging(&pager.url()).await;
    let site = Site::new(&format!("alertmanager.url = {:?}", alertmanager.url())).await;
    let _service = up(&site).await;
    let ask = |more: &[&str]| {
        let output = site.rasid(&["page", "test", "--reason", "a drill"]).args(more).output().expect("it starts");
        (output.status.code(), said(&output))
    };
    let (code, text) = ask(&[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("rasid_page_test is active") && text.contains("goes to       pager"), "{text}");
    let page = paged(&pager, "firing").await;
    assert_eq!(page.pointer("/alerts/0/labels/severity"), Some(&"SEV1".into()));
    let summary = page.pointer("/alerts/0/annotations/summary").and_then(Value::as_str).expect("a summary");
    assert!(summary.starts_with("TEST of the way to the person on call"), "{summary}");
    assert_eq!(ask(&["--resolve"]).0, Some(0));
    paged(&pager, "resolved").await;

    let (from, to) = (format_rfc3339(now_ms() - 1_000), format_rfc3339(now_ms() + 3_600_000));
    let silence = alertmanager.silence("rasid_page_test", &from, &to).await;
    let (code, text) = ask(&["--severity", "sev2"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("silenced by   {silence}")) && text.contains("NOBODY IS TOLD"), "{text}");
    let (code, text) = ask(&["--output", "json"]);
    let shown: Value = serde_json::from_str(&text).expect("one JSON object");
    assert_eq!((code, &shown["shown"]["state"]), (Some(1), &"suppressed".into()), "{text}");

    alertmanager.kill();
    let (code, text) = ask(&[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("did not take it"), "{text}");
    let audit = std::fs::read_to_string(site.path("data/audit.jsonl")).expect("an audit");
    assert_eq!(audit.matches("\"action\":\"page test\"").count(), 4, "{audit}");
    assert_eq!(audit.matches("\"action\":\"end page test\"").count(), 1, "{audit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_nobody_on_call_there_is_nobody_to_test() {
    let site = Site::new("").await;
    let _service = up(&site).await;
    let output = site.rasid(&["page", "test"]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("sinks.alertmanager.url"), "{}", said(&output));
}
