//! What counts as a difference, and what does not.

use rasid_compiler::ruleset::{Mode, Severity};
use rasid_engine::{Alert, EventRef, Values};
use rstest::rstest;

use super::*;

const OTHER: &str = "0.0.1";

fn alert(position: u64, engine: &str) -> Alert {
    Alert {
        id: format!("al_{position}"),
        rule: "auth.otp_flood".to_owned(),
        ruleset: "sha256:9b1f".to_owned(),
        engine: engine.to_owned(),
        severity: Severity::Sev2,
        mode: Mode::Active,
        title: "One phone is sent too many codes".to_owned(),
        entity: "phone:p1_6q3m".to_owned(),
        opened_at: "2026-11-21T10:01:40.000Z".to_owned(),
        late: false,
        event: EventRef { source: "/khidma/auth".to_owned(), id: format!("e{position}") },
        position,
        values: Values(Vec::new()),
        explanation: String::new(),
        risk: 60,
        suppressed_before: 0,
        advice: None,
        advice_until: None,
        related: Vec::new(),
        runbook: None,
        deliver: Vec::new(),
    }
}

fn json(alert: &Alert) -> String {
    serde_json::to_string(alert).expect("JSON")
}

/// Alerts at those positions were committed up to 10 by that version, and those from `alerts_from` on are known.
fn committed(positions: &[u64], by: Option<&str>, alerts_from: u64) -> Comparison {
    let known = |position: &u64| (*position, digest(json(&alert(*position, by.unwrap_or(ENGINE))).as_bytes()));
    Comparison::new(Committed {
        position: 10,
        alerts_from,
        alerts: positions.iter().filter(|position| **position >= alerts_from).map(known).collect(),
        engines: by.map(|engine| (1, engine.to_owned())).into_iter().collect(),
    })
}

fn replay(mut comparison: Comparison, alerts: &[Alert]) -> Compared {
    for alert in alerts {
        comparison.alert(alert, &json(alert)).expect("JSON");
    }
    comparison.passed(10);
    comparison.say(0, 10);
    comparison.compared()
}

fn changed(position: u64) -> Alert {
    Alert { risk: 61, ..alert(position, ENGINE) }
}

#[rstest]
#[case::the_same(Some(ENGINE), 0, &[alert(3, ENGINE), alert(7, ENGINE)], Compared { same: 2, ..Compared::default() })]
#[case::other_bytes(Some(ENGINE), 0, &[alert(3, ENGINE), changed(7)], Compared { same: 1, diverged: 1, ..Compared::default() })]
#[case::one_missing(Some(ENGINE), 0, &[alert(7, ENGINE)], Compared { same: 1, diverged: 1, ..Compared::default() })]
#[case::one_more(Some(ENGINE), 0, &[alert(3, ENGINE), alert(5, ENGINE), alert(7, ENGINE)], Compared { same: 2, diverged: 1, ..Compared::default() })]
#[case::forgotten(Some(ENGINE), 9, &[alert(3, ENGINE), changed(7)], Compared { unknown: 2, ..Compared::default() })]
#[case::forgotten_in_part(Some(ENGINE), 7, &[alert(3, ENGINE), alert(5, ENGINE), alert(7, ENGINE)], Compared { same: 1, unknown: 2, ..Compared::default() })]
#[case::a_difference_after_what_is_forgotten(Some(ENGINE), 7, &[alert(3, ENGINE), changed(7)], Compared { unknown: 1, diverged: 1, ..Compared::default() })]
#[case::another_version_says_the_same(Some(OTHER), 0, &[alert(3, ENGINE), alert(7, ENGINE)], Compared { same: 2, ..Compared::default() })]
#[case::another_version_says_otherwise(Some(OTHER), 0, &[changed(3)], Compared { other_version: 2, ..Compared::default() })]
#[case::a_version_not_known(None, 0, &[alert(3, ENGINE), changed(7)], Compared { same: 1, other_version: 1, ..Compared::default() })]
fn only_what_is_known_of_this_version_diverges(
    #[case] by: Option<&str>,
    #[case] alerts_from: u64,
    #[case] replayed: &[Alert],
    #[case] expected: Compared,
) {
    assert_eq!(replay(committed(&[3, 7], by, alerts_from), replayed), expected);
}

#[test]
fn each_position_is_held_to_the_version_that_committed_it() {
    let mut comparison = committed(&[3], Some(OTHER), 0);
    comparison.engines.push((5, ENGINE.to_owned()));
    comparison.expected.push_back((7, digest(json(&alert(7, ENGINE)).as_bytes())));
    let compared = replay(comparison, &[changed(3), changed(7)]);
    assert_eq!(compared, Compared { other_version: 1, diverged: 1, ..Compared::default() });
}
