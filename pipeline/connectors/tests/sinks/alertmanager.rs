use std::time::Duration;

use rasid_compiler::ruleset::Severity;
use rasid_connectors::effect::{Item, Standing};
use rasid_connectors::sink::alertmanager::{CATCH_UP, Config, OpsAlert, PageShown, TEST_PAGE};
use rasid_connectors::sink::{AlertmanagerSink, Answer, Batch, Reach, Sink as _};
use rasid_detectors::event::time::format_rfc3339;
use rasid_testbed::{Alertmanager, Pager};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{HOUR, alert, carry, courier, delivered, now_ms, retracted};

/// Longer than a busy machine takes.
const SOON: Duration = Duration::from_mins(1);

fn sink(alertmanager: &Alertmanager) -> AlertmanagerSink {
    AlertmanagerSink::new("sink", Config { url: alertmanager.url(), reach: Reach::within(SOON, SOON), ..Config::default() })
        .expect("an address")
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
    let mut sink = sink(&alertmanager);
    let trouble = OpsAlert {
        name: "rasid.ruleset_refused".to_owned(),
        severity: Severity::Sev2,
        summary: "the changed rules fail a test, the old ones stay in force".to_owned(),
        runbook: Some("docs/runbooks/ruleset.md".to_owned()),
    };
    assert_eq!(sink.raise(now_ms(), std::slice::from_ref(&trouble)).await, Answer::TAKEN);
    let alerts = until(&alertmanager, |alerts| alerts.len() == 1).await;
    assert_eq!(alerts[0]["labels"], json!({"alertname": trouble.name, "rule": trouble.name, "area": "rasid", "severity": "SEV2"}));
    assert_eq!(alerts[0]["annotations"]["runbook"], "docs/runbooks/ruleset.md");
    paged(&pager, "firing").await;
    assert_eq!(sink.resolve(now_ms(), &trouble.name).await, Answer::TAKEN);
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

/// What tells an alert from another, and when it began and ends.
fn spans(alerts: &[Value]) -> Vec<(Value, Value, Value)> {
    alerts.iter().map(|alert| (alert["labels"].clone(), alert["startsAt"].clone(), alert["endsAt"].clone())).collect()
}

#[tokio::test]
async fn what_stands_is_posted_again_to_an_alertmanager_that_has_forgotten_it() {
    let mut alertmanager = Alertmanager::start().await;
    let mut first = sink(&alertmanager);
    let now = now_ms();
    assert_eq!(first.say_again(now).await, None, "nothing stands");
    for (seq, ago_ms) in [(1, 60_000), (2, 1_000)] {
        assert_eq!(deliver(&mut first, &[alert(seq, "auth.otp_flood", now - ago_ms)]).await, Answer::TAKEN);
    }
    assert_eq!(deliver(&mut first, &[alert(3, "chat.contact_leak", now - HOUR)]).await, Answer::TAKEN);
    let before = until(&alertmanager, |alerts| alerts.len() == 2 && alerts[0]["annotations"]["entity"] == "user:u_2").await;

    // Both are started anew, and what is kept of the pages is all that the new one has.
    let kept: Vec<Standing> = first.take_standing();
    assert_eq!((kept.len(), first.take_standing(), first.standing()), (2, Vec::new(), 2));
    let mut second = sink(&alertmanager);
    second.take_up(kept.into_iter().filter_map(|change| Some((change.key, change.page?))).collect());
    alertmanager.restart_empty().await;
    assert_eq!(alertmanager.alerts().await, Vec::<Value>::new());
    assert_eq!(second.say_again(now_ms()).await, Some(Answer::TAKEN));
    let after = until(&alertmanager, |alerts| alerts.len() == 2).await;
    assert_eq!(spans(&after), spans(&before), "as it was: no later end, no other beginning");
    assert_eq!(after[0]["annotations"], before[0]["annotations"]);
    assert_eq!(second.take_standing(), [], "to say it again changes nothing");

    // A further alert goes on from there.
    assert_eq!(deliver(&mut second, &[alert(4, "auth.otp_flood", now)]).await, Answer::TAKEN);
    let further = until(&alertmanager, |alerts| alerts.len() == 2 && alerts[0]["annotations"]["entity"] == "user:u_4").await;
    assert_eq!(further[0]["startsAt"], before[0]["startsAt"]);
    assert!(further[0]["endsAt"].as_str() > before[0]["endsAt"].as_str());

    // What has ended is not posted, and not kept.
    assert_eq!(second.say_again(now_ms() + 2 * HOUR).await, None);
    assert!(second.take_standing().iter().all(|change| change.page.is_none()));
    assert_eq!(second.standing(), 0);
}

#[tokio::test]
async fn what_was_taken_back_is_never_posted_again() {
    let mut alertmanager = Alertmanager::start().await;
    let mut sink = sink(&alertmanager);
    assert_eq!(deliver(&mut sink, &[alert(1, "auth.otp_flood", now_ms())]).await, Answer::TAKEN);
    let trouble = |name: &str| OpsAlert { name: name.to_owned(), severity: Severity::Sev1, summary: "s".to_owned(), runbook: None };
    assert_eq!(sink.raise(now_ms(), &[trouble("rasid_a"), trouble("rasid_b")]).await, Answer::TAKEN);
    assert_eq!(sink.standing_names().into_iter().collect::<Vec<_>>(), ["auth.otp_flood", "rasid_a", "rasid_b"]);
    // Nobody knows whether this one arrives; from now on it must be taken for ended.
    alertmanager.kill();
    assert_ne!(deliver(&mut sink, &[retracted(2, "auth.otp_flood")]).await, Answer::TAKEN);
    assert_ne!(sink.resolve(now_ms(), "rasid_a").await, Answer::TAKEN);
    alertmanager.restart_empty().await;
    assert_eq!(sink.say_again(now_ms()).await, Some(Answer::TAKEN));
    let alerts = until(&alertmanager, |alerts| alerts.len() == 1).await;
    assert_eq!(alerts[0]["labels"]["rule"], "rasid_b");
}

#[tokio::test]
async fn many_pages_are_posted_again_in_batches() {
    let mut alertmanager = Alertmanager::start().await;
    let mut sink = sink(&alertmanager);
    let now = now_ms();
    for hundred in 0..9 {
        let items: Vec<Item> = (0..100).map(|n| alert(n + 1, &format!("auth.rule_{hundred}_{n}"), now)).collect();
        assert_eq!(deliver(&mut sink, &items).await, Answer::TAKEN);
    }
    alertmanager.restart_empty().await;
    assert_eq!(sink.say_again(now_ms()).await, Some(Answer::TAKEN));
    until(&alertmanager, |alerts| alerts.len() == 900).await;
    alertmanager.kill();
    assert_ne!(sink.say_again(now_ms()).await, Some(Answer::TAKEN));
    assert_eq!(sink.standing(), 900);
}

#[tokio::test]
async fn a_test_page_is_looked_up_with_all_that_holds_it_back() {
    let pager = Pager::start().await;
    let alertmanager = Alertmanager::start_paging(&pager.url()).await;
    let sink = sink(&alertmanager);
    let now = now_ms();
    assert_eq!(sink.test(now, Severity::Sev1, "TEST").await, Answer::TAKEN);
    let shown = sink.look_up_test(Severity::Sev1).await.expect("it answers").expect("it shows it");
    let expected =
        PageShown { state: "active".to_owned(), ends_ms: now + 600_000, receivers: vec!["pager".to_owned()], ..PageShown::default() };
    assert_eq!(shown, expected);
    paged(&pager, "firing").await;
    assert_eq!(pager.pages()[0]["alerts"][0]["annotations"]["summary"], "TEST");
    assert_eq!(sink.standing(), 0, "a test stands for nobody");

    let silence = alertmanager.silence(TEST_PAGE, &format_rfc3339(now), &format_rfc3339(now + HOUR)).await;
    let shown = sink.look_up_test(Severity::Sev1).await.expect("it answers").expect("it shows it");
    assert_eq!((shown.state.as_str(), shown.silenced_by), ("suppressed", vec![silence]));
    assert_eq!(sink.end_test(now_ms()).await, Answer::TAKEN);
    until(&alertmanager, <[Value]>::is_empty).await;
}

#[tokio::test]
async fn a_receiver_with_nobody_behind_it_is_told() {
    let alertmanager = Alertmanager::start().await;
    let sink = sink(&alertmanager);
    assert_eq!(sink.test(now_ms(), Severity::Sev0, "TEST").await, Answer::TAKEN);
    let shown = sink.look_up_test(Severity::Sev0).await.expect("it answers").expect("it shows it");
    assert_eq!((shown.receivers, shown.deaf), (vec!["nobody".to_owned()], vec!["nobody".to_owned()]));
}
