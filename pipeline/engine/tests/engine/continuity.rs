//! What is saved and taken up again, and what control records change: as properties over generated logs.

#![expect(clippy::indexing_slicing, reason = "what is out of range fails the test")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rasid_compiler::ruleset::{Receiver, Ruleset};
use rasid_engine::{Config, DeadLetter, Engine, Part, Pseudonymizer, Record, ScoreChange, Snapshot};

use crate::common::{
    ALERT_RULES, ARRIVAL_MS, DETECTOR_RULES, Draw, FORM_RULES, JOIN_RULES, LEDGER_RULES, PROBE, RULES, SECOND_RULES, START_MS, Saved,
    Stray, astray, draws_of, json, ruleset, strays,
};

/// One entry of a log.
#[derive(Clone, Debug)]
enum Entry {
    Event(String),
    /// By index into [`RULESETS`].
    Switch(usize),
    Retract(&'static str, i64),
    Tick(i64),
}

fn all_rules() -> Vec<(&'static str, &'static str)> {
    let more = DETECTOR_RULES.iter().chain(SECOND_RULES).chain(FORM_RULES).chain(JOIN_RULES).chain(LEDGER_RULES).chain(ALERT_RULES);
    crate::common::all_rules().into_iter().chain(more.copied()).collect()
}

/// Rulesets that differ in each way: as it is; another window, one rule off; one rule gone, one in shadow; more rules.
static RULESETS: LazyLock<Vec<Ruleset>> = LazyLock::new(|| {
    let with = |change: &dyn Fn(&str, &str) -> Option<String>| {
        let rules: Vec<(&str, String)> = all_rules().iter().filter_map(|(name, text)| Some((*name, change(name, text)?))).collect();
        ruleset(&rules.iter().map(|(name, text)| (*name, text.as_str())).collect::<Vec<_>>())
    };
    let windows = |name: &str, text: &str| match name {
        "auth/otp_flood.yaml" => Some(text.replace("window: 10m", "window: 20m")),
        "gps/speed.yaml" => Some(text.replace("on: gps", "mode: off\non: gps")),
        // Another list leaves the state of what is near it.
        "lists/watched.yaml" => Some(text.replace("u_1", "u_2")),
        _ => Some(text.to_owned()),
    };
    let modes = |name: &str, text: &str| match name {
        "auth/otp_fanout.yaml" => Some(text.replace("on: auth", "mode: shadow\non: auth")),
        "payment/refunds.yaml" => None,
        _ => Some(text.to_owned()),
    };
    let more: Vec<(&str, &str)> = all_rules().into_iter().chain([PROBE]).collect();
    vec![ruleset(&all_rules()), with(&windows), with(&modes), ruleset(&more)]
});

fn events(draws: Vec<Draw>, strays: &[Stray]) -> Vec<Entry> {
    astray(draws, strays).iter().enumerate().map(|(id, draw)| Entry::Event(json(id, draw))).collect()
}

fn log(count: usize) -> impl Strategy<Value = Vec<Entry>> {
    let control = (any::<prop::sample::Index>(), 0_u8..8, 0_usize..4, 0_i64..4_000_000);
    let copies = proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..40);
    // An hour, or a day and more of it: over the ends of what duplicates are remembered in.
    let slower = prop_oneof![3 => Just(1_i64), 1 => Just(30)];
    (draws_of(8, count), strays(), copies, slower, proptest::collection::vec(control, 0..6)).prop_map(
        |(mut draws, strays, copies, slower, controls)| {
            for draw in &mut draws {
                draw.at_ms *= slower;
            }
            let end = draws.last().map_or(0, |draw| draw.at_ms);
            let mut log = events(draws, &strays);
            for (what, place) in copies {
                let copy = log[what.index(log.len())].clone();
                log.insert(place.index(log.len()), copy);
            }
            for (place, what, which, ago_ms) in controls {
                let rule = ["auth.otp_flood", "auth.otp_fanout", "payment.refunds", "chat.leak"][which];
                let entry = match what {
                    0..4 => Entry::Switch(which),
                    4..7 => Entry::Retract(rule, START_MS + end - ago_ms),
                    _ => Entry::Tick(START_MS + end + ago_ms / 2),
                };
                log.insert(place.index(log.len()), entry);
            }
            log
        },
    )
}

fn pseudonymizer() -> Pseudonymizer {
    Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough")
}

/// What is remembered of duplicates whatever the bound, and what the states of all keys take without anything in them.
const LEAST_BYTES: usize = 24 * 1024;

/// How a log is worked off.
#[derive(Clone, Debug)]
struct Course {
    config: Config,
    /// From one position of the log to the next: memory is dealt at every 65,536.
    stride: u64,
    /// Sizes of the batches, over and over; a control record ends one.
    sizes: Vec<usize>,
    /// After which entries the engine is given up for one that is restored, with so many threads.
    restores: BTreeMap<usize, usize>,
    /// Over which entries a snapshot is held.
    held: Range<usize>,
}

impl Course {
    fn plain(memory_max: usize) -> Self {
        let config = Config { memory_max, ..Config::default() };
        Self { config, stride: 1, sizes: vec![usize::MAX], restores: BTreeMap::new(), held: 0..0 }
    }
}

/// Everything that leaves and everything that stays.
#[derive(PartialEq, Debug, Default)]
struct Left {
    alerts: Vec<(String, Vec<Receiver>)>,
    dead_letters: Vec<(u64, String)>,
    changes: Vec<ScoreChange>,
    live: Vec<ScoreChange>,
    counters: String,
    state: Saved,
}

fn run(log: &[Entry], course: &Course) -> Left {
    let (mut engine, mut in_force) = (Engine::new(RULESETS[0].clone(), course.config.clone(), pseudonymizer()).expect("an engine"), 0);
    let mut left = Left::default();
    let (mut next, mut sizes) = (0, course.sizes.iter().cycle());
    let mut held: Option<(Snapshot, Saved)> = None;
    while next < log.len() {
        let position = (next as u64 + 1) * course.stride;
        let stops = course.restores.keys().copied().chain([course.held.start, course.held.end]).filter(|stop| *stop > next);
        let most = stops.min().unwrap_or(usize::MAX) - next;
        let events = log[next..].iter().take_while(|entry| matches!(entry, Entry::Event(_))).count();
        let size = events.min(most).min(*sizes.next().expect("a cycle").max(&1)).max(1);
        let output = match &log[next] {
            Entry::Event(_) => {
                let records: Vec<Record<'_>> = log[next..next + size]
                    .iter()
                    .zip((0..).map(|number| position + number * course.stride))
                    .filter_map(|(entry, position)| match entry {
                        Entry::Event(text) => Some(Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }),
                        _ => None,
                    })
                    .collect();
                engine.process(&records)
            }
            Entry::Switch(which) => {
                in_force = *which;
                engine.switch(position, RULESETS[in_force].clone())
            }
            Entry::Retract(rule, since_ms) => engine.retract(position, rule, *since_ms),
            Entry::Tick(at_ms) => engine.tick(position, *at_ms),
        };
        let most = course.config.memory_max + LEAST_BYTES;
        assert!(engine.memory_bytes() <= most, "M1: {} of {most}", engine.memory_bytes());
        left.alerts.extend(output.alerts.iter().map(|alert| (serde_json::to_string(alert).expect("plain data"), alert.deliver.clone())));
        left.dead_letters.extend(output.dead_letters.into_iter().map(|DeadLetter { position, reason, .. }| (position, reason)));
        left.changes.extend(output.scores);
        next += size;
        if course.held.contains(&next) && held.is_none() {
            let snapshot = engine.snapshot();
            let written = Saved::of(&snapshot);
            held = Some((snapshot, written));
        }
        if next == course.held.end
            && let Some((snapshot, written)) = held.take()
        {
            assert!(Saved::of(&snapshot) == written, "a snapshot does not change while the engine goes on");
        }
        if let Some(threads) = course.restores.get(&next) {
            let saved = Saved::of(&engine.snapshot());
            let config = Config { threads: *threads, ..course.config.clone() };
            let mut part = |part: Part<'_>| saved.get(part);
            engine = Engine::restore(RULESETS[in_force].clone(), config, pseudonymizer(), &mut part).expect("what was saved");
            assert!(Saved::of(&engine.snapshot()) == saved, "a restored engine is the same to the byte");
        }
    }
    left.live = engine.live_scores();
    left.counters = format!(
        "{:?} {:?} {:?} {:?} {}",
        engine.counters(),
        engine.evictions(),
        engine.rule_counters(),
        engine.producer_counters(),
        engine.memory_bytes()
    );
    left.state = Saved::of(&engine.snapshot());
    left
}

fn versions_rise(changes: &[ScoreChange]) -> bool {
    let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
    changes.iter().all(|change| newest.insert(&change.entity, change.version).is_none_or(|before| before < change.version))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/engine/proptest-regressions/continuity.txt"))),
        ..ProptestConfig::default()
    })]

    /// E1: to be saved and restored anywhere, with any batches and threads, to the byte; also where memory is full, and
    /// with a snapshot held on the way.
    #[test]
    fn e1_restored_at_any_cut_equals_run_through(
        log in log(400), sizes in proptest::collection::vec(1_usize..150, 1..6), threads in 1_usize..5,
        cuts in proptest::collection::btree_map(1_usize..300, 1_usize..5, 0..4), held in (1_usize..200, 1_usize..100),
        memory_max in prop::sample::select(vec![1_usize << 30, 8_000_000, 3_000_000, 400_000, 20_000]),
        stride in prop::sample::select(vec![1_u64, 5_000, 70_000]),
    ) {
        let plain = Course { stride, ..Course::plain(memory_max) };
        let course = Course {
            config: Config { threads, ..plain.config.clone() },
            sizes,
            restores: cuts,
            held: held.0..held.0 + held.1,
            ..plain
        };
        let (whole, cut) = (run(&log, &plain), run(&log, &course));
        prop_assert_eq!(&whole.alerts, &cut.alerts);
        prop_assert_eq!(&whole.changes, &cut.changes);
        prop_assert!(whole == cut, "what stays differs");
        prop_assert!(versions_rise(&whole.changes), "E4, also where memory is full");
    }

    /// Each change of a score comes out: who only listens knows what the engine knows.
    #[test]
    fn the_changes_tell_all_of_the_scores(log in log(300)) {
        let left = run(&log, &Course::plain(1 << 30));
        // A tick lets time pass: what comes due by it comes one after the other too.
        let is_event =
            |position: u64| matches!(log[usize::try_from(position).expect("small") - 1], Entry::Event(_) | Entry::Tick(_));
        for (a, b) in left.changes.iter().zip(left.changes.iter().skip(1)) {
            let in_order = a.position < b.position || (a.position == b.position && (is_event(a.position) || a.entity < b.entity));
            prop_assert!(in_order, "in stream order, and by entity within a control record");
        }
        prop_assert!(versions_rise(&left.changes), "E4");
        let mut known: BTreeMap<&str, &ScoreChange> = BTreeMap::new();
        for change in &left.changes {
            prop_assert!(change.score.iter().all(|score| score.version == change.version && score.as_of <= change.live_until));
            known.insert(&change.entity, change);
        }
        let as_of = left.live.first().and_then(|change| change.score.as_ref()).map_or(i64::MAX, |score| score.as_of);
        known.retain(|_, change| change.score.is_some() && change.live_until >= as_of);
        let live: BTreeMap<&str, i64> = left.live.iter().map(|change| (change.entity.as_str(), change.version)).collect();
        if as_of < i64::MAX {
            prop_assert_eq!(live, known.into_iter().map(|(entity, change)| (entity, change.version)).collect::<BTreeMap<_, _>>());
        }
    }

    /// A rule that a switch does not change, and that reads nothing of what others make, goes on as if there had been none.
    #[test]
    fn a_switch_touches_no_other_rule(
        draws in draws_of(8, 300), strays in strays(), switches in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..2), 1..6),
    ) {
        let events = events(draws, &strays);
        let mut switched = events.clone();
        for (place, which) in switches {
            switched.insert(place.index(switched.len()), Entry::Switch(which));
        }
        let of_others = |log: &[Entry]| {
            let left = run(log, &Course::plain(1 << 30));
            let alerts: Vec<serde_json::Value> = left.alerts.iter().map(|(alert, _)| serde_json::from_str(alert).expect("JSON")).collect();
            let touched = ["auth.otp_flood", "auth.ring", "gps.speed", "payment.doubtful", "ops.wave", "ops.hot_region"];
            let mut alerts: Vec<serde_json::Value> =
                alerts.into_iter().filter(|alert| !touched.iter().any(|rule| alert["rule"] == *rule)).collect();
            for alert in &mut alerts {
                alert["position"] = 0.into();
                alert["ruleset"] = "".into();
            }
            alerts
        };
        prop_assert_eq!(of_others(&events), of_others(&switched));
    }

    /// To retract a rule from the beginning leaves the scores that it would have left if it had weighed nothing.
    #[test]
    fn a_rule_taken_back_whole_has_weighed_nothing(draws in draws_of(8, 300), strays in strays()) {
        let draws = astray(draws, &strays);
        let mut log = events(draws.clone(), &[]);
        let without = |left: &Left| {
            let scores = left.live.iter().filter_map(|change| change.score.clone());
            scores.map(|score| (score.entity, score.score, score.reasons)).collect::<Vec<_>>()
        };
        let weightless = RULES[1].1.replace("risk: 30", "risk: 0");
        let rules: Vec<(&str, &str)> = all_rules().into_iter().map(|(name, text)| if name == RULES[1].0 { (name, weightless.as_str()) } else { (name, text) }).collect();
        let mut engine = Engine::new(ruleset(&rules), Config::default(), pseudonymizer()).expect("an engine");
        let texts: Vec<String> = draws.iter().enumerate().map(|(id, draw): (usize, &Draw)| json(id, draw)).collect();
        let records: Vec<Record<'_>> = (1..).zip(&texts).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
        engine.process(&records);
        let expected = Left { live: engine.live_scores(), ..Left::default() };
        log.push(Entry::Retract("auth.otp_fanout", i64::MIN));
        prop_assert_eq!(without(&run(&log, &Course::plain(1 << 30))), without(&expected));
    }
}
