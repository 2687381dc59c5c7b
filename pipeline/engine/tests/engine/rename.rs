//! The secret behind pseudonyms changes in the middle of a stream: names change from there on and nothing else does.

use proptest::prelude::*;
use rasid_engine::{Alert, Config, Engine, Output, Part, Pseudonymizer, Record, ScoreChange};

use crate::common::{ARRIVAL_MS, Draw, Saved, all_rules, draws_of, engine, json, ruleset};

fn first() -> Pseudonymizer {
    Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough")
}

/// The second secret alone, and with the names of the first.
fn second() -> [Pseudonymizer; 2] {
    let alone = Pseudonymizer::new(b"another secret for tests", 2).expect("long enough").with_seed(first().seed());
    [alone.clone(), alone.after(&first())]
}

fn step(engine: &mut Engine, position: usize, text: &str) -> Output {
    engine.process(&[Record { position: position as u64 + 1, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }])
}

fn restored(engine: &mut Engine, pseudonymizer: &Pseudonymizer) -> Engine {
    let saved = bytes(engine);
    let mut part = |part: Part<'_>| saved.get(part);
    Engine::restore(ruleset(&all_rules()), Config::default(), pseudonymizer.clone(), &mut part).expect("whole")
}

fn bytes(engine: &mut Engine) -> Saved {
    Saved::of(&engine.snapshot())
}

/// What an alert says, but for the names.
fn nameless(alert: &Alert) -> (u64, &str, &str, u64, usize) {
    (alert.position, &alert.rule, &alert.opened_at, alert.suppressed_before, alert.related.len())
}

/// The same of a change of score.
fn figures(change: &ScoreChange) -> (u64, i64, Option<u8>, i64) {
    (change.position, change.version, change.score.as_ref().map(|score| score.score), change.live_until)
}

fn names(alert: &Alert) -> impl Iterator<Item = &str> {
    std::iter::once(&alert.entity).chain(&alert.related).map(String::as_str)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whenever it comes: alerts and scores are those of a stream without it but for their names, every change of a personal
    /// score is told under both names while that is asked for, and an engine restored at any place goes on the same.
    #[test]
    fn only_names_change_and_scores_are_told_under_both(
        draws in draws_of(6, 160), at in any::<prop::sample::Index>(), dropped in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(),
    ) {
        let log: Vec<String> = draws.iter().enumerate().map(|(id, draw)| json(id, draw)).collect();
        let (at, dropped, cut) = (at.index(log.len()), dropped.index(log.len()), cut.index(log.len()));
        let (at, dropped) = (at.min(dropped), at.max(dropped));
        let [alone, both] = second();
        let mut plain = engine(&all_rules(), Config::default());
        let mut renamed = engine(&all_rules(), Config::default());
        let mut in_force = first();
        for (position, text) in log.iter().enumerate() {
            if position == at {
                in_force = both.clone();
                renamed.rename(in_force.clone());
            }
            if position == dropped {
                in_force = alone.clone();
                renamed.rename(in_force.clone());
            }
            if position == cut {
                let mut again = restored(&mut renamed, &in_force);
                prop_assert_eq!(bytes(&mut again), bytes(&mut renamed));
                prop_assert_eq!(again.live_scores(), renamed.live_scores());
                prop_assert_eq!(again.state_bytes(), renamed.state_bytes());
                renamed = again;
            }
            let (expected, found) = (step(&mut plain, position, text), step(&mut renamed, position, text));
            prop_assert_eq!(expected.alerts.iter().map(nameless).collect::<Vec<_>>(), found.alerts.iter().map(nameless).collect::<Vec<_>>());
            let (mine, others) = if position >= at { ("p2_", "p1_") } else { ("p1_", "p2_") };
            for (alert, plain) in found.alerts.iter().zip(&expected.alerts) {
                let of = |prefix: &str| names(alert).filter(|name| name.contains(&format!(":{prefix}"))).count();
                prop_assert_eq!(of(others), 0);
                prop_assert_eq!(of(mine), names(plain).filter(|name| name.contains(":p1_")).count());
            }
            let told = |prefix: &str| found.scores.iter().filter(|change| change.entity.contains(&format!(":{prefix}"))).map(figures).collect::<Vec<_>>();
            let personal: Vec<_> = expected.scores.iter().filter(|change| change.entity.contains(":p1_")).map(figures).collect();
            prop_assert_eq!(told(mine), personal.clone());
            prop_assert_eq!(told(others), if position >= at && position < dropped { personal.clone() } else { Vec::new() });
            prop_assert_eq!(found.scores.len(), expected.scores.len() + told(others).len(), "what is not personal is told once");
            for change in &found.scores {
                prop_assert!(change.score.as_ref().is_none_or(|score| score.entity == change.entity));
            }
        }
    }
}

fn otp(id: usize, at_ms: i64, who: u8) -> String {
    json(id, &Draw { at_ms, kind: 0, who, how: 0 })
}

#[test]
fn a_score_of_before_stands_under_its_old_name_until_an_alert_renames_it_and_is_taken_back_under_both() {
    let mut engine = engine(&all_rules(), Config::default());
    let mut position = 0;
    let mut send = |engine: &mut Engine, at_ms: i64, who: u8| {
        position += 1;
        step(engine, position, &otp(position, at_ms, who))
    };
    // Two phones are sent more codes than they may.
    for who in [1, 2] {
        for n in 0..8 {
            send(&mut engine, i64::from(n) * 1_000, who);
        }
    }
    let phones = |engine: &Engine| -> Vec<String> {
        engine.live_scores().into_iter().map(|change| change.entity).filter(|entity| entity.starts_with("phone:")).collect()
    };
    let old = phones(&engine);
    assert_eq!(old.len(), 2, "{old:?}");
    let [alone, both] = second();
    engine.rename(both);
    assert_eq!(phones(&engine), old, "nobody knows the new name of a hash");
    let (scores, last_ms) = engine.scores_named_otherwise();
    assert!(scores >= 2 && last_ms > engine.clock_ms());
    // The first of them again, an hour later.
    for n in 0..8 {
        send(&mut engine, 3_600_000 + n * 1_000, 1);
    }
    let now = phones(&engine);
    assert_eq!((now.len(), now.iter().filter(|name| old.contains(name)).count()), (3, 2), "{now:?}");
    assert!(engine.scores_named_otherwise().0 < scores, "its address is renamed with it");
    let mut again = restored(&mut engine, &alone);
    let taken = again.retract(99, "auth.otp_flood", 0).scores;
    let mut told: Vec<String> = taken.into_iter().map(|change| change.entity).filter(|entity| entity.starts_with("phone:")).collect();
    told.sort_unstable();
    assert_eq!(told, now, "under every name that they stand under");
}
