use std::collections::BTreeSet;

use super::*;
use crate::http::{Connections, Times};
use rasid_engine::{BrakedRule, FieldCounter, ProducerCounters, RuleCounters};
use rasid_service::health::stats::{
    ArchiveStats, ClockStats, HindranceStats, IngestStats, QueueStats, RedisStats, SinkStats, SourceStats, WarmingRule,
};
use rasid_service::operate::control::{AlertStatus, Verdict};
use rasid_testbed::Alertmanager;

/// Figures with one of everything.
fn full() -> Stats {
    let mut stats = Stats { readiness: Readiness::Ready, ..Stats::default() };
    stats.sources.push(SourceStats {
        stream: "fluvio:auth/0".to_owned(),
        offset: Some(41),
        lag_records: Some(7),
        gaps_total: 1,
        stopped: Some("fluvio:auth/0 cannot be read: there is no such topic".to_owned()),
        ..SourceStats::default()
    });
    let refused = [("id_reused", 2), ("signature", 0)].into();
    stats.sources.push(SourceStats { stream: "http:checkout".to_owned(), refused, ..SourceStats::default() });
    for (name, records_total, gaps_total) in [("a", 5, 0), ("b", 7, 2)] {
        stats.sources.push(SourceStats {
            stream: format!("jsonl:/in/{name}.jsonl"),
            folder: Some("jsonl:/in".to_owned()),
            offset: Some(400),
            lag_records: Some(3),
            records_total,
            gaps_total,
            ..SourceStats::default()
        });
    }
    stats.stream_notices = [("recognised", 4), ("vanished", 0)].into();
    stats.ingest = Some(IngestStats { bodies_bytes: 7, bodies_bytes_max: 1 << 20, tokens_unusable: true });
    stats.engine.rules.push(RuleCounters {
        rule: "auth.otp_flood".to_owned(),
        alerts: 3,
        shadow: 3,
        shadow_alone: 1,
        shadow_beside: [("auth.otp_fanout".to_owned(), 2)].into(),
        ..RuleCounters::default()
    });
    stats.engine.braked.push(BrakedRule { rule: "auth.otp_flood".to_owned(), shadow: true });
    stats.engine.warming.push(WarmingRule { rule: "auth.otp_fanout".to_owned(), until_ms: 1_763_719_300_000 });
    let bad_fields = vec![FieldCounter { event_type: "auth.otp_requested".to_owned(), field: "device_id".to_owned(), events: 12 }];
    stats.engine.producers.push(ProducerCounters { producer: "/khidma/auth".to_owned(), events: 40, bad_events: 12, bad_fields });
    stats.engine.state_bytes = Some(1 << 20);
    stats.engine.evicted = [("count".to_owned(), 17), ("scores".to_owned(), 0)].into();
    stats.engine.duplicate_reach_s = [("gps", 1_800), ("other", 259_200)].into();
    stats.engine.event_clock_ms = 1_763_719_300_500;
    stats.snapshot.position = Some(40);
    stats.snapshot.written_ms = Some(1_763_719_300_000);
    stats.worker.lag_ms = 1_500;
    (stats.worker.lost_total, stats.worker.excused_total) = (12, 2);
    stats.sinks.push(SinkStats { name: "core".to_owned(), breaker: Breaker::HalfOpen, delivered_total: 9, ..SinkStats::default() });
    let policies = vec!["volatile-lru".to_owned()];
    stats.redis = Some(RedisStats { policies, looked_total: 64, missing_total: 5, foreign_keys: 1, round_s: 600 });
    stats.alerts.by_status = [(AlertStatus::Open, 4), (AlertStatus::Closed, 0)].into();
    stats.alerts.verdicts = [("auth.otp_flood".to_owned(), [(Verdict::FalsePositive, 2)].into())].into();
    (stats.alerts.position, stats.alerts.gaps) = (41, vec![(3, 4), (9, 9)]);
    stats.archive = Some(ArchiveStats { position: 40, lag_records: 1, rows_total: 39, parts_total: 2, bytes: 900 });
    stats.ruleset.hash = "sha256:9b1f".to_owned();
    stats.queues.push(QueueStats { name: "append", depth: 2, capacity: 64 });
    stats.hindrances.push(HindranceStats { area: "outbox", now: true, failures_total: 3 });
    stats.clock = ClockStats { jumps_total: 2, ahead_ms: -3_600_000 };
    for us in [900, 12_000, 60_000_000] {
        stats.latency.record_us(us);
    }
    stats
}

fn server() -> ServerStats {
    ServerStats { certificate_unusable: Some(false), ..Connections::new(16, Times::default()).stats() }
}

#[test]
fn figures_are_written_in_base_units() {
    let text = encode(Some(full()), server()).expect("written");
    for line in [
        "rasid_ready 1.0",
        "rasid_http_connections_limit 16.0",
        "rasid_http_connections_closed_total{reason=\"shed\"} 0",
        "rasid_log_entries_total{kind=\"event\"} 0",
        "rasid_source_offset{stream=\"fluvio:auth/0\"} 41.0",
        "rasid_source_gaps_total{stream=\"fluvio:auth/0\"} 1",
        "rasid_source_records_total{stream=\"jsonl:/in\"} 12",
        "rasid_source_gaps_total{stream=\"jsonl:/in\"} 2",
        "rasid_source_lag_records{stream=\"jsonl:/in\"} 6.0",
        "rasid_source_refused_total{stream=\"http:checkout\",reason=\"id_reused\"} 2",
        "rasid_source_refused_total{stream=\"http:checkout\",reason=\"signature\"} 0",
        "rasid_stream_notices_total{kind=\"recognised\"} 4",
        "rasid_stream_notices_total{kind=\"vanished\"} 0",
        "rasid_ingest_bodies_limit_bytes 1048576.0",
        "rasid_engine_evicted_states_total{kind=\"count\"} 17",
        "rasid_engine_evicted_states_total{kind=\"scores\"} 0",
        "rasid_tokens_unusable 1.0",
        "rasid_http_certificate_unusable 0.0",
        "rasid_source_stopped{stream=\"fluvio:auth/0\"} 1.0",
        "rasid_rule_alerts_total{rule=\"auth.otp_flood\"} 3",
        "rasid_producer_events_total{producer=\"/khidma/auth\"} 40",
        "rasid_producer_bad_events_total{producer=\"/khidma/auth\"} 12",
        "rasid_producer_bad_fields_total{producer=\"/khidma/auth\",type=\"auth.otp_requested\",field=\"device_id\"} 12",
        "rasid_worker_lag_seconds 1.5",
        "rasid_engine_event_clock_timestamp_seconds 1763719300.5",
        "rasid_rule_braked{rule=\"auth.otp_flood\",to=\"shadow\"} 1.0",
        "rasid_rule_shadow_alerts_total{rule=\"auth.otp_flood\"} 3",
        "rasid_rule_shadow_alone_alerts_total{rule=\"auth.otp_flood\"} 1",
        "rasid_rule_shadow_overlap_alerts_total{rule=\"auth.otp_flood\",other=\"auth.otp_fanout\"} 2",
        "rasid_rule_warming_until_timestamp_seconds{rule=\"auth.otp_fanout\"} 1763719300.0",
        "rasid_replay_divergence_total 0",
        "rasid_replay_excused_total 2",
        "rasid_log_lost_entries_total 12",
        "rasid_disk_full{area=\"outbox\"} 1.0",
        "rasid_disk_full_failures_total{area=\"outbox\"} 3",
        "rasid_sink_delivered_items_total{sink=\"core\"} 9",
        "rasid_sink_breaker_open{sink=\"core\"} 0.5",
        "rasid_redis_maxmemory_policy{policy=\"volatile-lru\"} 1.0",
        "rasid_redis_missing_scores_total 5",
        "rasid_redis_round_seconds 600.0",
        "rasid_alerts_kept{status=\"open\"} 4.0",
        "rasid_alerts_kept{status=\"closed\"} 0.0",
        "rasid_alerts_judged{rule=\"auth.otp_flood\",verdict=\"false_positive\"} 2.0",
        "rasid_alerts_position 41.0",
        "rasid_alerts_lacking_positions 3.0",
        "rasid_archive_rows_total 39",
        "rasid_archive_lag_records 1.0",
        "rasid_ruleset{hash=\"sha256:9b1f\"} 1.0",
        "rasid_clock_jumps_total 2",
        "rasid_clock_ahead_seconds -3600.0",
        "rasid_queue_items{queue=\"append\"} 2.0",
        "rasid_event_to_score_seconds_bucket{le=\"0.001\"} 1",
        "rasid_event_to_score_seconds_bucket{le=\"0.015\"} 2",
        "rasid_event_to_score_seconds_bucket{le=\"30.0\"} 2",
        "rasid_event_to_score_seconds_bucket{le=\"+Inf\"} 3",
        "rasid_event_to_score_seconds_count 3",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}

#[test]
fn a_service_that_starts_says_that_it_is_not_ready() {
    let text = encode(None, server()).expect("written");
    assert!(text.contains("rasid_ready 0.0") && text.ends_with("# EOF\n"), "{text}");
}

/// Names of the series that a scrape gives.
fn names() -> BTreeSet<String> {
    let text = encode(Some(full()), server()).expect("written");
    let series = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next());
    series.map(str::to_owned).collect()
}

#[test]
fn names_end_in_their_unit_and_every_metric_has_help() {
    let text = encode(Some(full()), server()).expect("written");
    let declared = text.lines().filter(|line| line.starts_with("# TYPE")).count();
    let helped = text.lines().filter(|line| line.starts_with("# HELP") && line.split(' ').count() > 4).count();
    assert_eq!(declared, helped);
    for name in names() {
        assert!(name.starts_with("rasid_") && !name.contains("_ms"), "{name}");
    }
}

/// `alertname` of what the person on call is told about the service itself, where no metric is called so.
const PAGES: [&str; 5] = ["rasid_outbox_full", "rasid_page_test", "rasid_replay_divergence", "rasid_stream_gap", "rasid_stream_stopped"];

/// Alert rules, dashboards and pages name only metrics, and pages to the person on call, that exist.
#[test]
fn what_is_written_about_metrics_names_those_that_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let known = names();
    for file in ["dashboards/prometheus/rasid.rules.yml", "docs/operations.md"] {
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| word.starts_with("rasid_"));
        let mut named = 0;
        for word in words {
            named += 1;
            assert!(known.contains(word) || PAGES.contains(&word), "{file} names {word}, which is neither a metric nor a page");
        }
        assert!(named > 5, "{file} names {named} metrics");
    }
}

/// Each has a case in which it fires and one in which it does not, of which [`alert_rules_pass_their_tests`] sees to the rest.
#[test]
fn every_alert_rule_is_tested_to_fire_and_to_be_quiet() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dashboards/prometheus");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("it is there");
    let (rules, tests) = (read("rasid.rules.yml"), read("rasid.rules.test.yml"));
    let name = |text: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).next().map(str::to_owned);
    let alerts: BTreeSet<String> = rules.split("- alert: ").skip(1).filter_map(name).collect();
    assert!(alerts.len() > 20, "{alerts:?}");
    let (mut fire, mut quiet) = (BTreeSet::new(), BTreeSet::new());
    for case in tests.split("eval_time: ").skip(1) {
        let alert = case.split("alertname: ").nth(1).and_then(name).expect("a name");
        if case.contains("exp_alerts: []") {
            quiet.insert(alert)
        } else {
            fire.insert(alert)
        };
    }
    assert_eq!(fire, alerts, "left: tested to fire");
    assert_eq!(quiet, alerts, "left: tested to be quiet");
}

/// The alert rules fire when they are meant to, and not before.
#[test]
fn alert_rules_pass_their_tests() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dashboards/prometheus");
    let mut promtool = std::process::Command::new("promtool");
    let output = promtool.args(["test", "rules", "rasid.rules.test.yml"]).current_dir(folder).output();
    let output = output.expect("promtool is there: `cargo xtask test` installs it");
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

/// Every query of a dashboard is one that Prometheus takes, asks for series that there are, and goes by labels that they have.
#[test]
fn dashboards_ask_for_what_there_is() {
    let (names, text) = (names(), encode(Some(full()), server()).expect("written"));
    let mut rules = vec!["groups:\n  - name: panels\n    rules:".to_owned()];
    for dashboard in grafana::dashboards() {
        for (query, legend) in dashboard.queries() {
            let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let of: Vec<&str> = words.filter(|word| word.starts_with("rasid_")).collect();
            assert!(!of.is_empty() && of.iter().all(|name| names.contains(*name)), "{}: {query}", dashboard.name);
            for label in legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()).filter(|label| *label != "instance") {
                let has = |line: &str| of.iter().any(|name| line.starts_with(name)) && line.contains(&format!("{label}=\""));
                assert!(text.lines().any(has), "{}: {query} has no label {label}", dashboard.name);
            }
            let query =
                query.replace("$__rate_interval", "5m").replace("$__range", "1h").replace("$job", "rasid").replace("$instance", ".+");
            rules.push(format!("      - record: panels:query:{}\n        expr: '{}'", rules.len(), query.replace('\'', "''")));
        }
        let json = dashboard.json();
        let places: Vec<_> = json["panels"].as_array().expect("panels").iter().map(|panel| panel["gridPos"].to_string()).collect();
        assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), places.len(), "no two in one place");
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), rules.join("\n")).expect("ours");
    let output = std::process::Command::new("promtool").args(["check", "rules"]).arg(file.path()).output().expect("promtool is there");
    assert!(output.status.success() && rules.len() > 30, "{}", String::from_utf8_lossy(&output.stderr));
}

const ALERTMANAGER: &str = include_str!("../../../../dashboards/alertmanager/alertmanager.yml");

/// Who is told of what, by the routes that we give as a beginning.
#[test]
fn routes_wake_whom_they_should() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("alertmanager.yml");
    std::fs::write(&file, ALERTMANAGER).expect("ours");
    let amtool = |arguments: &[&str]| {
        let output =
            std::process::Command::new("amtool").args(arguments).output().expect("amtool is there: `cargo xtask test` installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let file = file.to_str().expect("text");
    amtool(&["check-config", file]);
    for (severity, receiver) in [("SEV0", "pager"), ("SEV1", "pager"), ("SEV2", "pager"), ("SEV3", "morning")] {
        let severity = format!("severity={severity}");
        let labels = ["alertname=auth.otp_flood", "rule=auth.otp_flood", "area=auth", &severity];
        assert_eq!(amtool(&[&["config", "routes", "test", "--config.file", file][..], &labels].concat()), receiver, "{severity}");
    }
}

/// What follows from something that is told of already wakes nobody a second time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_from_another_page_is_held_back() {
    let (rest, _) = ALERTMANAGER.split_once("\nreceivers:").expect("receivers come last");
    let alertmanager = Alertmanager::with(format!("{rest}\nreceivers:\n  - name: pager\n  - name: morning\n")).await;
    let alert = |name: &str, severity: &str, instance: &str| serde_json::json!({"labels": {"alertname": name, "rule": name, "severity": severity, "instance": instance}});
    let alerts = serde_json::json!([
        alert("RasidDown", "SEV1", "a"),
        alert("RasidLag", "SEV1", "a"),
        alert("RasidLag", "SEV1", "b"),
        alert("auth.otp_flood", "SEV1", "a"),
        alert("auth.otp_flood", "SEV2", "a"),
        alert("chat.contact_leak", "SEV2", "a"),
    ]);
    let url = alertmanager.url();
    drop(rustls::crypto::ring::default_provider().install_default()); // an earlier choice stands
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let posted = client.post(format!("{url}/api/v2/alerts")).header("content-type", "application/json").body(alerts.to_string());
    assert!(posted.send().await.expect("it listens").status().is_success());
    // It takes them in one by one.
    let mut held = Vec::new();
    for _ in 0..100 {
        let text = client.get(format!("{url}/api/v2/alerts?active=true&inhibited=true")).send().await.expect("it listens").text().await;
        let found: serde_json::Value = serde_json::from_str(&text.expect("a body")).expect("JSON");
        let suppressed = found.as_array().expect("alerts").iter().filter(|alert| alert["status"]["state"] == "suppressed");
        held = suppressed.map(|alert| format!("{} {}", alert["labels"]["alertname"], alert["labels"]["instance"])).collect();
        held.sort();
        if held.len() > 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(held, [r#""RasidLag" "a""#, r#""auth.otp_flood" "a""#]);
}
