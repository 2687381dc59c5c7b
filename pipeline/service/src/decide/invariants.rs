//! Invariants that what comes out of the engine is held to, block by block: what breaks one is not committed.
//!
//! That a replay gives what was committed (C1, E1) is [`super::comparison`]'s; that positions rise, the log reader's, the
//! worker's and the outbox's.

use std::collections::{HashMap, HashSet};

use rasid_engine::{Alert, Counters, ScoreChange};

/// Highest score (E4).
const SCORE_MAX: u8 = 100;

/// An invariant does not hold: the engine is at fault, and going on would tell receivers something wrong.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("invariant {invariant} is broken at log position {position}: {what}")]
pub struct Broken {
    /// Its number.
    pub invariant: &'static str,
    /// Where.
    pub position: u64,
    /// What was found.
    pub what: &'static str,
}

/// E2: an alert id occurs once. It names rule, entity and opening event, of an alert that a timer opens the due time too, so that
/// only alerts of one position may share one.
///
/// # Errors
/// [`Broken`].
pub(crate) fn alerts(alerts: &[Alert]) -> Result<(), Broken> {
    // After a silence thousands of timers are due at one position.
    let mut seen = HashSet::with_capacity(alerts.len());
    match alerts.iter().find(|alert| !seen.insert((alert.position, alert.id.as_str()))) {
        Some(Alert { position, .. }) => Err(Broken { invariant: "E2", position: *position, what: "an alert id occurs twice" }),
        None => Ok(()),
    }
}

/// E4: scores stay in 0..=100 and versions only rise.
///
/// # Errors
/// [`Broken`].
pub(crate) fn scores(changes: &[ScoreChange]) -> Result<(), Broken> {
    let mut versions = HashMap::with_capacity(changes.len());
    for change in changes {
        let broken = |what| Broken { invariant: "E4", position: change.position, what };
        if change.score.as_ref().is_some_and(|score| score.score > SCORE_MAX) {
            return Err(broken("a score is above 100"));
        }
        if versions.insert(change.entity.as_str(), change.version).is_some_and(|before| before >= change.version) {
            return Err(broken("the version of a score does not rise"));
        }
    }
    Ok(())
}

/// Records that the counters do not account for.
pub(crate) fn unaccounted(counters: &Counters) -> u64 {
    let Counters { records, events, duplicates, dead_letters, unknown_types, .. } = counters;
    records.wrapping_sub(events + duplicates + dead_letters + unknown_types)
}

/// C2: every record is processed, a duplicate, or set aside; of a type that is not in the vocabulary, passed over. `before` is
/// how many were not accounted for when the engine was restored, from the snapshot of another version perhaps.
///
/// # Errors
/// [`Broken`].
pub(crate) fn records(counters: &Counters, before: u64, position: u64) -> Result<(), Broken> {
    if unaccounted(counters) == before {
        Ok(())
    } else {
        Err(Broken { invariant: "C2", position, what: "a record is neither processed, nor a duplicate, nor set aside" })
    }
}

#[cfg(test)]
mod tests {
    use rasid_compiler::ruleset::{Mode, Severity};
    use rasid_engine::{EventRef, Level, Score, Values};
    use rstest::rstest;

    use super::*;

    fn alert(position: u64, id: &str) -> Alert {
        Alert {
            id: id.to_owned(),
            rule: "auth.otp_flood".to_owned(),
            ruleset: "sha256:9b1f".to_owned(),
            engine: "0.3.0".to_owned(),
            severity: Severity::Sev2,
            mode: Mode::Active,
            title: "t".to_owned(),
            entity: "user:u_1".to_owned(),
            event: EventRef { source: "s".to_owned(), id: "e".to_owned() },
            opened_at: "2026-11-21T10:01:40.000Z".to_owned(),
            late: false,
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

    #[rstest]
    #[case::different(&[(3, "al_1"), (3, "al_2"), (4, "al_3")], None)]
    #[case::twice(&[(2, "al_1"), (3, "al_1"), (3, "al_2"), (3, "al_1")], Some(3))]
    fn e2_an_alert_id_occurs_once(#[case] found: &[(u64, &str)], #[case] broken: Option<u64>) {
        let found: Vec<Alert> = found.iter().map(|(position, id)| alert(*position, id)).collect();
        assert_eq!(alerts(&found).err().map(|broken| (broken.invariant, broken.position)), broken.map(|position| ("E2", position)));
    }

    #[rstest]
    #[case::rising(&[("user:u_1", 5, 100), ("user:u_2", 5, 0), ("user:u_1", 6, 1)], None)]
    #[case::the_same_again(&[("user:u_1", 5, 50), ("user:u_1", 5, 60)], Some("the version of a score does not rise"))]
    #[case::falling(&[("user:u_1", 5, 50), ("user:u_2", 9, 50), ("user:u_1", 4, 60)], Some("the version of a score does not rise"))]
    #[case::too_high(&[("user:u_1", 5, 101)], Some("a score is above 100"))]
    fn e4_scores_stay_in_bounds_and_versions_rise(#[case] found: &[(&str, i64, u8)], #[case] broken: Option<&'static str>) {
        let change = |(entity, version, score): &(&str, i64, u8)| ScoreChange {
            position: 7,
            entity: (*entity).to_owned(),
            version: *version,
            score: Some(Score {
                entity: (*entity).to_owned(),
                score: *score,
                level: Some(Level::Low),
                as_of: 1,
                low_until: None,
                medium_until: None,
                high_until: None,
                critical_until: None,
                reasons: Vec::new(),
                version: *version,
                ruleset: "sha256:9b1f".to_owned(),
                ..Score::default()
            }),
            live_until: 1,
        };
        let found: Vec<ScoreChange> = found.iter().map(change).collect();
        assert_eq!(scores(&found), broken.map_or(Ok(()), |what| Err(Broken { invariant: "E4", position: 7, what })));
    }

    #[test]
    fn c2_every_record_is_accounted_for() {
        let whole = Counters { records: 10, events: 5, duplicates: 2, dead_letters: 2, unknown_types: 1, ..Counters::default() };
        assert_eq!(records(&whole, 0, 9), Ok(()));
        let error = records(&Counters { events: 4, ..whole }, 0, 9).expect_err("one is missing");
        let said = "invariant C2 is broken at log position 9: a record is neither processed, nor a duplicate, nor set aside";
        assert_eq!(error.to_string(), said);
    }
}
