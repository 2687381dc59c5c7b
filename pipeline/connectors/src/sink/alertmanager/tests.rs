use super::*;
use crate::effect::Item;

const NOW_MS: i64 = 1_795_000_000_000;

fn sink(config: Config) -> AlertmanagerSink {
    AlertmanagerSink::new("oncall", Config { url: "http://127.0.0.1:9".to_owned(), ..config }).expect("an address")
}

fn alert(id: u32, rule: &str, severity: Severity, age_ms: i64) -> Item {
    let alert = AlertItem {
        id: format!("al_{id}"),
        rule: rule.to_owned(),
        severity,
        entity: format!("user:u_{id}"),
        opened_at_ms: NOW_MS - age_ms,
        title: "A title".to_owned(),
        explanation: format!("explanation {id}"),
        runbook: Some("docs/runbooks/otp.md".to_owned()),
        json: "{}".to_owned(),
    };
    Item { sink: "oncall".to_owned(), seq: u64::from(id), position: 1, committed_ms: NOW_MS, body: Body::Alert(alert) }
}

fn batch(items: &[Item]) -> Batch<'_> {
    Batch { id: "dl_1", now_ms: NOW_MS, items }
}

#[test]
fn alerts_of_one_rule_are_one_alert_with_bounded_labels() {
    let sink = sink(Config {
        external_url: Some("https://rasid.example/".to_owned()),
        runbook_url: Some("https://wiki.example/rasid".to_owned()),
        ..Config::default()
    });
    let items = [
        alert(1, "auth.otp_flood", Severity::Sev1, 5_000),
        alert(2, "chat.contact_leak", Severity::Sev3, 0),
        alert(3, "auth.otp_flood", Severity::Sev1, 1_000),
    ];
    let alerts = sink.alerts(&batch(&items));
    assert_eq!(alerts.len(), 2);
    assert_eq!(
        alerts[0],
        json!({
            "labels": {"alertname": "auth.otp_flood", "rule": "auth.otp_flood", "area": "auth", "severity": "SEV1"},
            "annotations": {
                "summary": "A title", "description": "explanation 3", "entity": "user:u_3", "alert_id": "al_3",
                "alerts": "2 in this delivery, this is the newest", "runbook_url": "https://wiki.example/rasid/docs/runbooks/otp.md",
            },
            "startsAt": format_rfc3339(NOW_MS - 5_000),
            "endsAt": format_rfc3339(NOW_MS + 3_600_000),
            "generatorURL": "https://wiki.example/rasid/docs/runbooks/otp.md",
        })
    );
}

#[test]
fn every_alert_links_to_what_is_there() {
    let (ours, wiki) = (Some("https://rasid.example/".to_owned()), Some("https://wiki.example".to_owned()));
    let elsewhere = Some("https://pages.example/otp".to_owned());
    let (figures, page) = (Some("https://rasid.example/metrics"), Some("https://wiki.example/docs/runbooks/otp.md"));
    for (external_url, runbook_url, runbook, expected) in [
        (&None, &None, Some("docs/runbooks/otp.md"), None),
        (&ours, &None, Some("docs/runbooks/otp.md"), figures),
        (&ours, &wiki, None, figures),
        (&ours, &wiki, Some("docs/runbooks/otp.md"), page),
        (&None, &wiki, Some("docs/runbooks/otp.md"), page),
        (&ours, &wiki, elsewhere.as_deref(), elsewhere.as_deref()),
    ] {
        let sink = sink(Config { external_url: external_url.clone(), runbook_url: runbook_url.clone(), ..Config::default() });
        let mut item = alert(1, "auth.otp_flood", Severity::Sev1, 0);
        if let Body::Alert(alert) = &mut item.body {
            alert.runbook = runbook.map(str::to_owned);
        }
        let alerts = sink.alerts(&batch(&[item]));
        assert_eq!(alerts[0].get("generatorURL").and_then(Value::as_str), expected, "{external_url:?} {runbook_url:?} {runbook:?}");
        let own = OpsAlert {
            name: "rasid_outbox_full".to_owned(),
            severity: Severity::Sev1,
            summary: String::new(),
            runbook: runbook.map(str::to_owned),
        };
        assert_eq!(sink.own(NOW_MS, &own).get("generatorURL").and_then(Value::as_str), expected, "of the service itself");
        let summary = sink.summary(NOW_MS, &CatchUp::new());
        assert_eq!(summary[0].get("generatorURL").is_some(), external_url.is_some(), "of what is old news");
    }
}

#[test]
fn an_event_clock_ahead_does_not_start_after_now() {
    let alerts = sink(Config::default()).alerts(&batch(&[alert(1, "a.b", Severity::Sev0, -7_200_000)]));
    assert_eq!(alerts[0]["startsAt"], format_rfc3339(NOW_MS));
    assert_eq!(alerts[0]["annotations"]["runbook"], "docs/runbooks/otp.md");
}

#[test]
fn old_news_is_what_is_more_than_a_quarter_of_an_hour_old() {
    let mut sink = sink(Config::default());
    let just = [alert(1, "a.b", Severity::Sev2, 900_000)];
    assert_eq!((sink.alerts(&batch(&just)).len(), sink.old_news(&batch(&just)).is_none()), (1, true));
    let old: Vec<Item> = (1..=30).map(|n| alert(n, &format!("a.rule_{}", n % 12), Severity::Sev2, 900_001)).collect();
    assert!(sink.alerts(&batch(&old)).is_empty());
    let total = sink.old_news(&batch(&old)).expect("old news");
    let summary = sink.summary(NOW_MS, &total);
    assert_eq!(summary.len(), 1);
    assert_eq!(summary[0]["labels"]["alertname"], CATCH_UP);
    assert_eq!(summary[0]["labels"]["severity"], "SEV2");
    assert_eq!(summary[0]["annotations"]["summary"], "30 alerts were delivered more than 15 min after they opened");
    let description = summary[0]["annotations"]["description"].as_str().expect("text");
    assert!(description.starts_with("a.rule_1 ×3, ") && description.ends_with(", 2 more rules"), "{description}");

    // The next batch counts on, and a worse one takes the place of the milder.
    sink.catch_up = Some((NOW_MS, total));
    let worse = [alert(40, "a.rule_1", Severity::Sev0, 2_000_000)];
    let summary = sink.summary(NOW_MS, &sink.old_news(&batch(&worse)).expect("old news"));
    assert_eq!(summary[0]["annotations"]["summary"], "31 alerts were delivered more than 15 min after they opened");
    assert_eq!((&summary[0]["labels"]["severity"], &summary[1]["labels"]["severity"]), (&json!("SEV0"), &json!("SEV2")));
    assert_eq!(summary[1]["endsAt"], format_rfc3339(NOW_MS));
    assert_eq!(summary[1]["annotations"]["summary"], "30 alerts were delivered more than 15 min after they opened");

    // After it has ended, counting begins anew.
    sink.catch_up = sink.catch_up.take().map(|(_, total)| (NOW_MS - 1, total));
    let again = sink.old_news(&batch(&worse)).expect("old news").annotations(15);
    assert_eq!(again["summary"], "1 alerts were delivered more than 15 min after they opened");
}

fn retraction(rule: &str) -> Item {
    let body = Body::Retracted(RetractedItem { id: "retract_9".to_owned(), rule: rule.to_owned(), since_ms: 0 });
    Item { sink: "oncall".to_owned(), seq: 9, position: 9, committed_ms: 0, body }
}

#[test]
fn a_retraction_ends_what_stands_of_the_rule_and_says_what_it_was() {
    let mut sink = sink(Config::default());
    let items = [alert(1, "a.b", Severity::Sev2, 0), alert(2, "a.bc", Severity::Sev1, 0)];
    let mut posted = sink.alerts(&batch(&items));
    sink.pages.post(NOW_MS, &mut posted);
    sink.pages.posted(NOW_MS, &posted);
    let mut ends = sink.alerts(&batch(&[retraction("a.b")]));
    let mut expected = posted[0].clone();
    expected["endsAt"] = json!(format_rfc3339(NOW_MS));
    assert_eq!(ends, [expected]);

    // One that was not taken is posted again; one that was is over.
    sink.pages.post(NOW_MS, &mut ends);
    assert_eq!(sink.alerts(&batch(&[retraction("a.b")])), ends);
    sink.pages.posted(NOW_MS, &ends);
    assert!(sink.pages.ends(NOW_MS, "a.b").is_empty());
    assert_eq!(sink.standing_names().into_iter().collect::<Vec<_>>(), ["a.bc"]);
}

#[test]
fn a_retraction_of_what_nobody_knows_to_stand_ends_every_severity() {
    let alerts = sink(Config::default()).alerts(&batch(&[retraction("a.b")]));
    assert_eq!(alerts.len(), 4);
    assert!(alerts.iter().all(|alert| alert["endsAt"] == format_rfc3339(NOW_MS) && alert["labels"]["rule"] == "a.b"));
}

#[test]
fn what_is_taken_back_in_the_same_delivery_is_not_raised() {
    let items =
        [alert(1, "a.b", Severity::Sev2, 0), alert(2, "c.d", Severity::Sev2, 0), retraction("a.b"), alert(3, "a.b", Severity::Sev3, 0)];
    let alerts = sink(Config::default()).alerts(&batch(&items));
    let standing: Vec<_> = alerts
        .iter()
        .filter(|alert| alert["endsAt"] != format_rfc3339(NOW_MS))
        .map(|alert| (&alert["labels"]["rule"], &alert["labels"]["severity"]))
        .collect();
    assert_eq!(standing, [(&json!("c.d"), &json!("SEV2")), (&json!("a.b"), &json!("SEV3"))]);
}
