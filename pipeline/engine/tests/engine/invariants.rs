//! The numbered invariants of the design, as properties over generated streams.

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rasid_detectors::event::time::parse_rfc3339;
use rasid_engine::{Alert, Config, Engine, Output, Record, Score};

use crate::common::{
    ALERT_RULES, ARRIVAL_MS, DETECTOR_RULES, Draw, FORM_RULES, JOIN_RULES, LEDGER_RULES, PROBE, RULES, SECOND_RULES, all_rules, astray,
    draws, draws_of, engine, is_ahead, json, strays,
};

/// Everything that leaves, as text.
#[derive(PartialEq, Debug)]
struct Left {
    alerts: Vec<Alert>,
    dead_letters: Vec<(u64, Option<String>, String)>,
    scores: Vec<Score>,
    counters: String,
}

/// Runs a log cut into batches of the given sizes, over and over.
fn run(rules: &[(&str, &str)], config: &Config, log: &[String], sizes: &[usize]) -> Left {
    run_by(rules, config, log, sizes, Engine::process)
}

/// The same, each batch by `process`.
fn run_by(
    rules: &[(&str, &str)],
    config: &Config,
    log: &[String],
    sizes: &[usize],
    process: impl Fn(&mut Engine, &[Record<'_>]) -> Output,
) -> Left {
    let mut engine = engine(rules, config.clone());
    let records: Vec<Record<'_>> =
        (1..).zip(log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
    let (mut alerts, mut dead_letters, mut rest) = (Vec::new(), Vec::new(), records.as_slice());
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (batch, after) = rest.split_at((*size).clamp(1, rest.len()));
        let output = process(&mut engine, batch);
        for letter in &output.dead_letters {
            assert_eq!(batch.get(letter.record).map(|record| record.position), Some(letter.position));
        }
        alerts.extend(output.alerts);
        dead_letters.extend(output.dead_letters.into_iter().map(|letter| (letter.position, letter.field, letter.reason)));
        rest = after;
    }
    let counters = format!("{:?} {:?} {:?}", engine.counters(), engine.rule_counters(), engine.producer_counters());
    Left { alerts, dead_letters, scores: engine.scores(), counters }
}

/// Rules of every shape and form.
fn every_rule() -> Vec<(&'static str, &'static str)> {
    let more = DETECTOR_RULES.iter().chain(SECOND_RULES).chain(FORM_RULES).chain(JOIN_RULES).chain(LEDGER_RULES).chain(ALERT_RULES);
    all_rules().into_iter().chain(more.copied()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/engine/proptest-regressions/invariants.txt"))),
        ..ProptestConfig::default()
    })]

    /// E1: batch sizes, threads and a full table change no byte of what leaves. E2, E4 on the way.
    #[test]
    fn e1_batches_threads_and_a_full_table_change_nothing(
        draws in draws_of(8, 400), strays in strays(), sizes in proptest::collection::vec(1_usize..150, 1..6), threads in 2_usize..9,
        broken in any::<prop::sample::Index>(), memory_max in prop::sample::select(vec![1_usize << 30, 3_000_000, 400_000]),
    ) {
        let draws = astray(draws, &strays);
        let mut log: Vec<String> = draws.iter().enumerate().map(|(id, draw)| json(id, draw)).collect();
        let index = broken.index(log.len());
        log[index].truncate(40); // one dead letter among them
        let config = Config { memory_max, ..Config::default() };
        let rules: Vec<(&str, &str)> = every_rule();
        let whole = run(&rules, &config, &log, &[usize::MAX]);
        let cut = run(&rules, &config, &log, &sizes);
        let shared = run(&rules, &Config { threads, ..config }, &log, &sizes);
        prop_assert_eq!(&whole, &cut);
        prop_assert_eq!(&whole, &shared);
        prop_assert_eq!(serde_json::to_string(&whole.alerts).expect("plain data"), serde_json::to_string(&shared.alerts).expect("plain data"));

        let mut ids: Vec<&str> = whole.alerts.iter().map(|alert| alert.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), whole.alerts.len(), "E2");
        for score in &whole.scores {
            prop_assert!((1..=100).contains(&score.score), "E4");
            prop_assert!(score.reasons.iter().all(|reason| (0.0..=100.0).contains(&reason.risk)), "E4");
        }
    }

    /// Where everything is read, for traces, the same leaves as where only that is which a condition may need.
    #[test]
    fn what_no_condition_may_need_is_not_missed(draws in draws_of(8, 300), strays in strays(), size in 1_usize..100) {
        let draws = astray(draws, &strays);
        let log: Vec<String> = draws.iter().enumerate().map(|(id, draw)| json(id, draw)).collect();
        let rules = every_rule();
        let all = run_by(&rules, &Config::default(), &log, &[size], |engine, batch| engine.process_traced(batch).0);
        prop_assert_eq!(run(&rules, &Config::default(), &log, &[size]), all);
    }

    /// E3: a duplicate within the horizon changes nothing but the count of duplicates.
    #[test]
    fn e3_duplicates_change_nothing(
        draws in draws(300), strays in strays(), copies in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..200), 1..60),
        slower in prop::sample::select(vec![1_i64, 20, 400]),
    ) {
        let draws: Vec<Draw> = draws.into_iter().map(|draw| Draw { at_ms: draw.at_ms * slower, ..draw }).collect();
        let draws = astray(draws, &strays);
        let log: Vec<String> = draws.iter().enumerate().map(|(id, draw)| json(id, draw)).collect();
        let mut doubled: Vec<(usize, &String)> = log.iter().enumerate().collect();
        for (index, after) in copies {
            let original = index.index(log.len());
            // Redelivered within the horizon of its kind: half an hour of `gps.*`, three days of all else.
            let first = doubled.iter().position(|(at, _)| *at == original).expect("in the log");
            let place = (first + 1 + after).min(doubled.len());
            // By the event clock, which a late event finds where it is.
            let clock_ms = |until: usize| doubled[..until].iter().map(|(at, _)| &draws[*at]).filter(|draw| !is_ahead(draw)).map(|draw| draw.at_ms).max();
            let horizon_ms = if draws[original].kind == 3 { 30 * 60_000 } else { 72 * 3_600_000 };
            let is_within = clock_ms(first + 1).is_none_or(|then| clock_ms(place).is_some_and(|now| now - then <= horizon_ms));
            if is_within { doubled.insert(place, (original, &log[original])); }
        }
        let rules = every_rule();
        let once = run(&rules, &Config::default(), &log, &[64]);
        let twice = run(&rules, &Config::default(), &doubled.iter().map(|(_, text)| (*text).clone()).collect::<Vec<_>>(), &[64]);
        let without_position = |alerts: &[Alert]| alerts.iter().map(|alert| Alert { position: 0, ..alert.clone() }).collect::<Vec<_>>();
        prop_assert_eq!(without_position(&once.alerts), without_position(&twice.alerts));
        prop_assert_eq!(once.scores, twice.scores);
    }

    /// Order within the lateness bound changes no window's final content.
    #[test]
    fn order_within_the_lateness_bound_changes_no_windows_final_content(draws in draws(200), delays in proptest::collection::vec(0_i64..290_000, 200)) {
        let events: Vec<(i64, String)> = draws.iter().enumerate()
            .map(|(id, draw)| (draw.at_ms, json(id, &Draw { kind: 0, ..*draw }))).collect();
        let mut arrived: Vec<(i64, String)> = events.iter().zip(&delays).map(|((at, text), delay)| (at + delay, text.clone())).collect();
        arrived.sort_by_key(|(at, _)| *at);
        // A probe of each phone at the end, seen by both.
        let end = draws.last().expect("not empty").at_ms;
        let probes: Vec<String> = (0..8).map(|who| json(10_000 + usize::from(who), &Draw { at_ms: end, kind: 1, who, how: 0 })).collect();
        let held = |stream: &[(i64, String)]| {
            let log: Vec<String> = stream.iter().map(|(_, text)| text.clone()).chain(probes.clone()).collect();
            let left = run(&[PROBE], &Config::default(), &log, &[50]);
            assert_eq!(left.alerts.len(), 8);
            left.alerts.into_iter().map(|alert| alert.values).collect::<Vec<_>>()
        };
        prop_assert_eq!(held(&events), held(&arrived));
    }

    /// In whatever order the hits of one entity come, no two of its alerts lie closer than `suppress`; so they open no more
    /// alerts than in order, where each opens as soon as it may.
    #[test]
    fn no_order_of_arrival_opens_more_alerts_than_time_does(minutes in proptest::collection::vec(0_i64..5 * 24 * 60, 1..150), backlog in any::<bool>()) {
        let mut ordered = minutes.clone();
        ordered.sort_unstable();
        let arrived = if backlog {
            // What is newest comes first; all else catches up, oldest first.
            let half = ordered.len() / 2;
            ordered[half..].iter().chain(&ordered[..half]).copied().collect()
        } else {
            minutes
        };
        let in_order = opened(&ordered);
        let as_arrived = opened(&arrived);
        prop_assert!(as_arrived.windows(2).all(|pair| pair[1] - pair[0] >= 3_600_000), "{as_arrived:?}");
        prop_assert!(as_arrived.len() <= in_order.len(), "{} and not {}", as_arrived.len(), in_order.len());
    }

    /// M1: keyed state stays under its bound.
    #[test]
    fn m1_memory_stays_under_its_bound(draws in draws(400), strays in strays()) {
        let draws = astray(draws, &strays);
        let mut engine = engine(&every_rule(), Config { memory_max: 1_000_000, ..Config::default() });
        for (id, draw) in draws.iter().enumerate() {
            let text = json(id, draw);
            engine.process(&[Record { position: 1, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }]);
        }
        prop_assert!(engine.state_bytes() <= 1_000_000);
    }

    /// C2: every record is processed, a duplicate, of an unknown type, or a dead letter.
    #[test]
    fn c2_every_record_is_accounted_for(lines in proptest::collection::vec(prop_oneof![
        any::<String>(), Just(json(1, &Draw { at_ms: 0, kind: 0, who: 0, how: 0 })),
        (0_usize..50).prop_map(|id| json(id, &Draw { at_ms: 5, kind: 2, who: 1, how: 9 })),
        Just(r#"{"specversion":"1.0","id":"1","source":"s","type":"not.known"}"#.to_owned()),
    ], 1..100)) {
        let mut engine = engine(&every_rule(), Config::default());
        let records: Vec<Record<'_>> = (1..).zip(&lines).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
        engine.process(&records);
        let counters = engine.counters();
        prop_assert_eq!(counters.records, lines.len() as u64);
        prop_assert_eq!(counters.records, counters.events + counters.duplicates + counters.dead_letters + counters.unknown_types);
    }
}

/// When the alerts opened of a rule to which each of these events, of one entity, is a hit, Unix ms in order.
fn opened(minutes: &[i64]) -> Vec<i64> {
    let rule = PROBE.1.replace("suppress: 0s", "suppress: 1h");
    let verified = |(id, minute): (usize, &i64)| json(id, &Draw { at_ms: minute * 60_000, kind: 1, who: 0, how: 0 });
    let log: Vec<String> = minutes.iter().enumerate().map(verified).collect();
    let left = run(&[(PROBE.0, &rule)], &Config::default(), &log, &[64]);
    let mut opened: Vec<i64> = left.alerts.iter().map(|alert| parse_rfc3339(&alert.opened_at).expect("an instant")).collect();
    opened.sort_unstable();
    opened
}

/// 90 hits, one each 15 minutes of yesterday, behind a burst of today.
#[test]
fn a_late_backlog_is_no_storm() {
    let (yesterday, today): (Vec<i64>, Vec<i64>) =
        ((0..90).map(|quarter| quarter * 15).collect(), (0..6).map(|minute| 36 * 60 + minute).collect());
    let late: Vec<i64> = today.iter().chain(&yesterday).copied().collect();
    let in_order: Vec<i64> = yesterday.iter().chain(&today).copied().collect();
    assert_eq!(opened(&late).len(), 24, "one an hour, and one of today");
    assert_eq!(opened(&late), opened(&in_order));
    let backwards: Vec<i64> = late.iter().rev().copied().collect();
    assert!(opened(&backwards).len() <= 24);
}

fn one(at_ms: i64, id: usize) -> String {
    json(id, &Draw { at_ms, kind: 0, who: 0, how: 0 })
}

fn process<'a>(engine: &mut rasid_engine::Engine, log: &'a [String]) -> rasid_engine::Output {
    let records: Vec<Record<'a>> =
        (1..).zip(log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
    engine.process(&records)
}

#[test]
fn a_burst_whose_first_event_arrives_last_is_still_seen() {
    let mut engine = engine(RULES, Config::default());
    let log = [one(10_000, 2), one(20_000, 3), one(30_000, 4), one(0, 1)];
    let output = process(&mut engine, &log);
    assert_eq!(output.alerts.iter().map(|alert| alert.rule.as_str()).collect::<Vec<_>>(), ["auth.otp_flood"]);
}

#[test]
fn the_future_is_set_aside_and_moves_no_clock() {
    let mut engine = engine(RULES, Config::default());
    let log = [one(0, 1), one(31 * 86_400_000, 2), one(1_000, 3)];
    let output = process(&mut engine, &log);
    assert_eq!(output.dead_letters.len(), 1);
    assert_eq!(output.dead_letters[0].reason, "future: more than 300 s ahead of its arrival");
    assert_eq!((engine.counters().events, engine.counters().late), (2, 0));
}

#[test]
fn a_late_event_is_processed_and_its_alert_marked() {
    let mut engine = engine(RULES, Config::default());
    let log = [one(0, 1), one(1, 2), one(400_000, 9), one(3, 4)];
    let output = process(&mut engine, &log);
    assert_eq!(engine.counters().late, 1);
    assert_eq!(output.alerts.iter().map(|alert| (alert.rule.as_str(), alert.late)).collect::<Vec<_>>(), [("auth.otp_flood", true)]);
}

#[test]
fn the_same_id_with_other_bytes_loses_and_is_counted() {
    let mut engine = engine(RULES, Config::default());
    process(&mut engine, &[one(0, 1), one(0, 1), one(5, 1)]);
    let counters = engine.counters();
    assert_eq!((counters.events, counters.duplicates, counters.duplicate_conflicts), (1, 2, 1));
}

#[test]
fn a_shadow_rule_weighs_on_no_score_and_an_off_rule_is_silent() {
    for (mode, alerts, scores) in [("active", 1, 1), ("shadow", 1, 0), ("off", 0, 0)] {
        let text = RULES[0].1.replace("on: auth", &format!("mode: {mode}\non: auth"));
        let mut engine = engine(&[(RULES[0].0, &text)], Config::default());
        let output = process(&mut engine, &[one(0, 1), one(1, 2), one(2, 3), one(3, 4)]);
        assert_eq!((output.alerts.len(), engine.scores().len()), (alerts, scores), "{mode}");
    }
}

/// One event ahead of all others, within the bound of the future, must not blind the engine to those behind it.
#[test]
fn an_event_far_ahead_of_the_rest_blinds_nothing() {
    let mut engine = engine(RULES, Config::default());
    let ahead = json(99, &Draw { at_ms: 29 * 86_400_000, kind: 0, who: 7, how: 0 });
    let output = process(&mut engine, &[ahead, one(0, 1), one(1, 2), one(2, 3), one(3, 4), one(4, 5)]);
    let flood: Vec<bool> = output.alerts.iter().filter(|alert| alert.rule == "auth.otp_flood").map(|alert| alert.late).collect();
    assert_eq!(flood, [true], "seen, and suppressed once it was");
}

/// E2: an event that is delivered again after the horizon of duplicates opens no alert that was given.
#[test]
fn an_old_file_read_twice_gives_no_alert_twice() {
    let minutes = (0_u32..200).chain([5 * 24 * 60]); // and one five days later, when the others are forgotten
    let log: Vec<String> =
        (0..).zip(minutes).map(|(id, minute)| json(id, &Draw { at_ms: i64::from(minute) * 60_000, kind: 0, who: 1, how: 0 })).collect();
    let mut engine = engine(&[(RULES[1].0, RULES[1].1)], Config::default());
    let first = process(&mut engine, &log).alerts;
    let scores = engine.scores();
    let again = process(&mut engine, &log).alerts;
    assert!(!first.is_empty());
    assert_eq!(engine.counters().duplicates, 1, "the newest alone");
    let ids = |alerts: &[Alert]| alerts.iter().map(|alert| alert.id.clone()).collect::<std::collections::BTreeSet<_>>();
    assert!(ids(&first).is_disjoint(&ids(&again)));
    assert!(engine.scores().len() >= scores.len());
}
