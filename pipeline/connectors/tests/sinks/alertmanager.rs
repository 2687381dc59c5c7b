use std::time::Duration;

use rasid_connectors::effect::Item;
use rasid_connectors::sink::alertmanager::{CATCH_UP, Config, OpsAlert};
use rasid_connectors::sink::{AlertmanagerSink, Answer, Batch, Sink as _};
use rasid_rules::ruleset::Severity;
use rasid_testbed::{Alertmanager, Pager};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{HOUR, alert, carry, courier, delivered, now_ms, retracted};

/// Longer than a busy machine takes.
const SOON: Duration = Duration::from_mins(1);

fn sink(alertmanager: &Alertmanager) -> AlertmanagerSink {
    AlertmanagerSink::new("sink", Config { url: alertmanager.url(), timeout: SOON, ..Config::default() }).expect("an address")
}

async fn deliver(sink: &mut AlertmanagerSink, items: &[Item]) -> Answer {
    sink.deliver(&Batch { id: "dl_1", now_ms: now_ms(), items }).await
}

/// Alerts become visible a moment after they were taken.
async fn until(alertmanager: &Alertmanager, what: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let seen = async {
        loop {
            let alerts = alertmanager.alerts().await;
            if what(&alerts) {
                return alerts;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    if let Ok(alerts) = timeout(SOON, seen).await {
        return alerts;
    }
    panic!("not seen: {:?}", alertmanager.alerts().await)
}

#[tokio::test]
async fn a_rule_s_alerts_are_one_alert_that_ends_and_is_put_off() {
    let alertmanager = Alertmanager::start().await;
    let mut sink = sink(&alertmanager);
    let now = now_ms();
    let mut courier = courier(10);
    for seq in 1..=3 {
        assert!(courier.offer(alert(seq, "auth.otp_flood", now - 60_000)));
    }
    assert_eq!(delivered(&carry(&mut courier, &mut sink, &mut now_ms(), 1).await), [1, 2, 3]);
    let alerts = until(&alertmanager, |alerts| alerts.len() == 1).await;
    let labels = json!({"alertname": "auth.otp_flood", "rule": "auth.otp_flood", "area": "auth", "severity": "SEV1"});
    assert_eq!(alerts[0]["labels"], labels);
    assert_eq!(alerts[0]["annotations"]["entity"], "user:u_3");
    assert!(!alerts[0]["labels"].to_string().contains("user:"));
    let end = |alerts: &[Value]| alerts[0]["endsAt"].as_str().map(str::to_owned).expect("an end");
    let first_end = end(&alerts);
    sleep(Duration::from_millis(10)).await;
    assert_eq!(deliver(&mut sink, &[alert(4, "auth.otp_flood", now)]).await, Answer::TAKEN);
    let alerts = until(&alertmanager, |alerts| alerts.len() == 1 && alerts[0]["annotations"]["entity"] == "user:u_4").await;
    assert!(end(&alerts) > first_end, "{} was {first_end}", end(&alerts));

    assert_eq!(deliver(&mut sink, &[retracted(5, "auth.otp_flood")]).await, Answer::TAKEN);
    until(&alertmanager, <[Value]>::is_empty).await;
}

#[tokio::test]
async fn what_is_old_news_comes_as_one_summary() {
    let alertmanager = Alertmanager::start().await;
    let mut sink = sink(&alertmanager);
    let now = now_ms();
    let mut courier = courier(10);
    for seq in 1..=45 {
        let rule = if seq % 3 == 0 { "chat.contact_leak" } else { "auth.otp_flood" };
        assert!(courier.offer(alert(seq, rule, now - HOUR)));
    }
    assert!(courier.offer(alert(46, "auth.otp_flood", now)));
    assert_eq!(carry(&mut courier, &mut sink, &mut now_ms(), 5).await.len(), 46);
    let alerts = until(&alertmanager, |alerts| alerts.len() == 2).await;
    assert_eq!((&alerts[0]["labels"]["alertname"], &alerts[1]["labels"]["alertname"]), (&json!("auth.otp_flood"), &json!(CATCH_UP)));
    let summary = &alerts[1]["annotations"];
    assert_eq!(summary["summary"], "45 alerts were delivered more than 15 min after they opened");
    assert_eq!(summary["description"], "auth.otp_flood ×30, chat.contact_leak ×15");
}

#[tokio::test]
async fn the_service_s_own_alerts_are_raised_and_taken_back() {
    let pager = Pager::start().await;
    let alertmanager = Alertmanager::start_paging(&pager.url()).await;
    let sink = sink(&alertmanager);
    let trouble = OpsAlert {
        name: "rasid.ruleset_refused".to_owned(),
        severity: Severity::Sev2,
        summary: "the changed rules fail a test, the old ones stay in force".to_owned(),
        runbook: Some("docs/runbooks/ruleset.md".to_owned()),
    };
    assert_eq!(sink.ops_alert(now_ms(), &trouble).await, Answer::TAKEN);
    let alerts = until(&alertmanager, |alerts| alerts.len() == 1).await;
    assert_eq!(alerts[0]["labels"], json!({"alertname": trouble.name, "rule": trouble.name, "area": "rasid", "severity": "SEV2"}));
    assert_eq!(alerts[0]["annotations"]["runbook"], "docs/runbooks/ruleset.md");
    paged(&pager, "firing").await;
    assert_eq!(sink.resolve_ops(now_ms(), &trouble.name).await, Answer::TAKEN);
    until(&alertmanager, <[Value]>::is_empty).await;
    paged(&pager, "resolved").await;
}

async fn paged(pager: &Pager, status: &str) {
    let seen = async {
        while !pager.pages().iter().any(|page| page["status"] == status) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(SOON, seen).await.is_ok(), "nobody was paged {status}: {:?}", pager.pages());
}

#[tokio::test]
async fn an_alertmanager_that_is_away_is_waited_for() {
    let mut alertmanager = Alertmanager::start().await;
    let mut sink = sink(&alertmanager);
    let items = [alert(1, "auth.otp_flood", now_ms())];
    alertmanager.kill();
    assert!(matches!(deliver(&mut sink, &items).await, Answer::Unavailable { .. }));
    alertmanager.restart().await;
    assert_eq!(deliver(&mut sink, &items).await, Answer::TAKEN);
    until(&alertmanager, |alerts| alerts.len() == 1).await;
}
