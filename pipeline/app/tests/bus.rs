//! Real bus tracks with attacks put into them, under the shipped rules: a golden file of the alerts, and the labels'
//! verdict on them.

use std::process::Command;

use serde_json::Value;

fn root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON Lines")).collect()
}

/// The alerts of the shipped GPS rules, on every hit or as suppressed as they ship.
fn alerts(fixture: &str, arguments: &[&str]) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_rasid"))
        .args(["detect", fixture, "--rules", "rules", "--now", "2026-12-31T00:00:00Z"])
        .args(arguments)
        .env("RASID_KEY", "the key of the golden files")
        .current_dir(root())
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    lines(&String::from_utf8_lossy(&output.stdout))
}

fn millis(value: &Value) -> i64 {
    rasid_detectors::event::time::parse_rfc3339(value.as_str().expect("text")).expect("a time")
}

#[test]
fn golden_alerts_of_the_attacked_tracks() {
    let mut text = String::new();
    for mut alert in alerts("fixtures/bus/attacks.jsonl", &[]) {
        alert["ruleset"] = "[ruleset]".into();
        alert["engine"] = "[engine]".into();
        text.push_str(&alert.to_string());
        text.push('\n');
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("fixtures/golden"));
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!("bus_attacks", text));
}

#[test]
fn teleports_are_caught_and_honest_oddities_are_not() {
    let labels = lines(&std::fs::read_to_string(root().join("fixtures/bus/attacks.labels.jsonl")).expect("labels"));
    let alerts = alerts("fixtures/bus/attacks.jsonl", &["--no-suppress"]);
    let touches = |label: &Value, alert: &Value| {
        let at = millis(&alert["opened_at"]);
        let entity = alert["entity"].as_str().and_then(|entity| entity.strip_prefix("driver:"));
        entity == label["entity_id"].as_str() && at >= millis(&label["from_ts"]) && at <= millis(&label["to_ts"]) + 90_000
    };
    for label in &labels {
        let hit = alerts.iter().any(|alert| touches(label, alert));
        assert_eq!(hit, label["fraud"] == true, "{label}");
    }
    for alert in &alerts {
        assert!(labels.iter().any(|label| label["fraud"] == true && touches(label, alert)), "a false alarm: {alert}");
    }
}

#[test]
fn untouched_tracks_are_silent() {
    assert_eq!(alerts("fixtures/bus/clean.jsonl", &["--no-suppress"]), Vec::<Value>::new());
}
