//! Waits where memory is full: their tables evict all the time, and still one log gives one answer.

#![expect(clippy::indexing_slicing, reason = "what is out of range fails the test")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use rasid_compiler::ruleset::Ruleset;
use rasid_detectors::entity::{EntityKind, KeyHasher};
use rasid_detectors::event::time::format_rfc3339;
use rasid_engine::{Alert, Config, Engine, Part, Pseudonymizer, Record, ScoreChange};

use crate::common::{ARRIVAL_MS, FORM_RULES, RULES, START_MS, Saved, ruleset};

const MINUTE_MS: i64 = 60_000;
/// How long the rules wait.
const WINDOW_MS: i64 = 3 * MINUTE_MS;

/// A code to a phone, or the use of one.
#[derive(Clone, Debug)]
struct Code {
    at_ms: i64,
    used: bool,
    /// By index into [`PHONES`].
    phone: usize,
    /// Only codes of that purpose are answered.
    is_login: bool,
    /// Bytes of a field that nobody knows: what a wait costs differs.
    padding: usize,
}

#[derive(Clone, Debug)]
enum Entry {
    /// With the number that makes its id.
    Code(usize, Code),
    /// By index into [`RULESETS`].
    Switch(usize),
    Tick(i64),
}

/// Waits alone; waits whose firings are counted; and beside them what is no wait and competes with them.
static RULESETS: LazyLock<[Ruleset; 3]> =
    LazyLock::new(|| [&FORM_RULES[..1], &FORM_RULES[..2], &[FORM_RULES[0], FORM_RULES[1], RULES[0]]].map(ruleset));

fn pseudonymizer() -> Pseudonymizer {
    Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough")
}

/// Telephone numbers whose states fall into three of the 256 shards, so that they compete for the memory of few tables.
static PHONES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let hasher = KeyHasher::new(pseudonymizer().seed());
    let shard = |phone: &String| (hasher.key(EntityKind::Phone, phone) >> 32) % 256;
    (0..).map(|number| format!("+2010{number:08}")).filter(|phone| shard(phone) < 3).take(64).collect()
});

fn json(id: usize, code: &Code) -> String {
    let Code { at_ms, used, phone, is_login, padding } = code;
    let name = if *used { "auth.otp_verified" } else { "auth.otp_requested" };
    let (time, phone) = (format_rfc3339(START_MS + at_ms), &PHONES[*phone]);
    let (purpose, note) = (if *is_login { "login" } else { "payout" }, "x".repeat(*padding));
    format!(
        r#"{{"specversion":"1.0","id":"e{id}","source":"/test","type":"{name}","time":"{time}","data":{{"phone":"{phone}","ip":"192.0.2.1","purpose":"{purpose}","note":"{note}"}}}}"#
    )
}

/// How a log is worked off.
#[derive(Clone, Debug)]
struct Course {
    memory_max: usize,
    /// From one position of the log to the next: memory is dealt at every 65,536.
    stride: u64,
    threads: usize,
    /// Sizes of the batches, over and over; a control record ends one.
    sizes: Vec<usize>,
    /// After which entries the engine is given up for one that is restored, with so many threads.
    restores: BTreeMap<usize, usize>,
}

impl Course {
    fn plain(memory_max: usize) -> Self {
        Self { memory_max, stride: 1, threads: 1, sizes: vec![usize::MAX], restores: BTreeMap::new() }
    }

    fn config(&self, threads: usize) -> Config {
        Config { memory_max: self.memory_max, events_per_s: 0, threads, ..Config::default() }
    }
}

/// Everything that leaves and everything that stays.
#[derive(PartialEq, Debug)]
struct Left {
    alerts: Vec<Alert>,
    changes: Vec<ScoreChange>,
    counters: String,
    evicted: u64,
    state: Saved,
}

impl Left {
    /// How many alerts are of waits.
    fn of_waits(&self) -> usize {
        self.alerts.iter().filter(|alert| alert.rule.starts_with("auth.unused")).count()
    }
}

fn run(log: &[Entry], course: &Course) -> Left {
    let mut in_force = 0;
    let mut engine = Engine::new(RULESETS[0].clone(), course.config(course.threads), pseudonymizer()).expect("an engine");
    let (mut alerts, mut changes, mut next, mut sizes) = (Vec::new(), Vec::new(), 0, course.sizes.iter().cycle());
    while next < log.len() {
        let texts: Vec<String> = log[next..]
            .iter()
            .map_while(|entry| if let Entry::Code(id, code) = entry { Some(json(*id, code)) } else { None })
            .take(*sizes.next().expect("a cycle"))
            .take(course.restores.range(next + 1..).next().map_or(usize::MAX, |(stop, _)| stop - next))
            .collect();
        let position = (next as u64 + 1) * course.stride;
        let output = match &log[next] {
            Entry::Code(..) => {
                let records = (0..).map(|number| position + number * course.stride).zip(&texts);
                let records: Vec<Record<'_>> =
                    records.map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
                engine.process(&records)
            }
            Entry::Switch(which) => {
                in_force = *which;
                engine.switch(position, RULESETS[in_force].clone())
            }
            Entry::Tick(at_ms) => engine.tick(position, *at_ms),
        };
        assert!(engine.memory_bytes() <= course.memory_max, "M1: {} of {}", engine.memory_bytes(), course.memory_max);
        alerts.extend(output.alerts);
        changes.extend(output.scores);
        next += texts.len().max(1);
        if let Some(threads) = course.restores.get(&next) {
            let saved = Saved::of(&engine.snapshot());
            let mut part = |part: Part<'_>| saved.get(part);
            engine =
                Engine::restore(RULESETS[in_force].clone(), course.config(*threads), pseudonymizer(), &mut part).expect("what was saved");
            assert!(Saved::of(&engine.snapshot()) == saved, "a restored engine is the same to the byte");
        }
    }
    let counters = format!("{:?} {:?} {:?} {}", engine.counters(), engine.rule_counters(), engine.evictions(), engine.memory_bytes());
    assert_eq!(engine.evictions().values().sum::<u64>(), engine.counters().evicted);
    Left { alerts, changes, counters, evicted: engine.counters().evicted, state: Saved::of(&engine.snapshot()) }
}

fn codes(count: usize) -> impl Strategy<Value = Vec<Code>> {
    // Two seconds apart and often at once; some come minutes late.
    let step = prop_oneof![1 => Just(0_i64), 3 => 0..4_000_i64];
    let late = prop_oneof![8 => Just(0_i64), 1 => 0..6 * MINUTE_MS];
    let draw =
        (step, late, prop::bool::weighted(0.1), 0..PHONES.len(), prop::bool::weighted(0.8), prop_oneof![Just(0_usize), 0..1_500_usize]);
    proptest::collection::vec(draw, count / 2..count).prop_map(|draws| {
        let mut clock_ms = 0;
        let code = |(step_ms, late_ms, used, phone, is_login, padding)| {
            clock_ms += step_ms;
            Code { at_ms: clock_ms - late_ms, used, phone, is_login, padding }
        };
        draws.into_iter().map(code).collect()
    })
}

/// Codes with switches and ticks between them, and a tick by which all that waits is over.
fn logs(count: usize) -> impl Strategy<Value = Vec<Entry>> {
    let control = (any::<Index>(), 0_usize..6);
    (codes(count), proptest::collection::vec(control, 0..4)).prop_map(|(codes, controls)| {
        let end_ms = START_MS + codes.iter().map(|code| code.at_ms).max().unwrap_or(0);
        let mut log: Vec<Entry> = codes.into_iter().enumerate().map(|(id, code)| Entry::Code(id, code)).collect();
        for (place, what) in controls {
            let place = place.index(log.len());
            let reached =
                log[..place].iter().filter_map(|entry| if let Entry::Code(_, code) = entry { Some(code.at_ms) } else { None }).max();
            let tick_ms = START_MS + reached.unwrap_or(0) + Config::default().lateness_ms + MINUTE_MS;
            log.insert(place, if what < RULESETS.len() { Entry::Switch(what) } else { Entry::Tick(tick_ms) });
        }
        log.push(Entry::Tick(end_ms + Config::default().lateness_ms + WINDOW_MS + 1));
        log
    })
}

/// Most of what waits has its place, some of it, or one or two of a table.
fn bounds() -> impl Strategy<Value = usize> {
    select(vec![16_000_000_usize, 4_000_000, 1_000_000])
}

/// Without it what follows would say nothing: waits are evicted, and others fire.
#[test]
fn a_full_table_costs_waits_and_the_others_fire() {
    let code = |id: usize| Code { at_ms: 1_000 * i64::try_from(id).expect("small"), used: false, phone: id, is_login: true, padding: 0 };
    let mut log: Vec<Entry> = (0..PHONES.len()).map(|id| Entry::Code(id, code(id))).collect();
    log.push(Entry::Tick(START_MS + Config::default().lateness_ms + 60 * MINUTE_MS));
    let left = run(&log, &Course::plain(4_000_000));
    assert!(left.evicted > 0 && left.of_waits() > 0, "{} evicted, {} fired", left.evicted, left.of_waits());
    assert_eq!(left.evicted + left.of_waits() as u64, PHONES.len() as u64, "each wait is over, or evicted and counted");
    let all = run(&log, &Course::plain(400_000_000));
    assert_eq!((all.evicted, all.of_waits()), (0, PHONES.len()));
    assert!(left.alerts.iter().all(|alert| all.alerts.contains(alert)), "what is left fires as it would have");
}

/// Nor would it if the logs that follow were of another sort.
#[test]
fn most_logs_fill_the_tables() {
    let mut runner = TestRunner::deterministic();
    let full: Vec<(usize, u64, usize)> = std::iter::repeat_with(|| {
        let (log, memory_max) = (logs(400), bounds()).new_tree(&mut runner).expect("a tree").current();
        let left = run(&log, &Course::plain(memory_max));
        (memory_max, left.evicted, left.of_waits())
    })
    .take(60)
    .collect();
    assert!(full.iter().filter(|(_, evicted, fired)| *evicted > 5 && *fired > 5).count() > 40, "{full:?}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/engine/proptest-regressions/full.txt"))),
        ..ProptestConfig::default()
    })]

    /// E1 and M1: any batches, any threads, taken up anywhere.
    #[test]
    fn e1_a_full_table_of_waits_is_one_whatever_batches_threads_and_restarts(
        log in logs(400), memory_max in bounds(), threads in 1_usize..9, sizes in proptest::collection::vec(1_usize..100, 1..6),
        restores in proptest::collection::btree_map(1_usize..400, 1_usize..5, 0..4), stride in select(vec![1_u64, 5_000, 70_000]),
    ) {
        let plain = Course { stride, ..Course::plain(memory_max) };
        let (whole, cut) = (run(&log, &plain), run(&log, &Course { threads, sizes, restores, ..plain }));
        prop_assert_eq!(&whole.alerts, &cut.alerts);
        prop_assert_eq!(&whole.changes, &cut.changes);
        prop_assert_eq!(&whole.counters, &cut.counters);
        prop_assert!(whole == cut, "what stays differs");
        let mut ids: Vec<&str> = whole.alerts.iter().map(|alert| alert.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), whole.alerts.len(), "E2");
    }

    /// E3: what is delivered twice arms, answers and evicts nothing a second time.
    #[test]
    fn e3_duplicates_change_nothing_in_a_full_table(
        codes in codes(300), memory_max in bounds(), copies in proptest::collection::vec((any::<Index>(), 0_usize..200), 1..60),
    ) {
        let once: Vec<Entry> = codes.into_iter().enumerate().map(|(id, code)| Entry::Code(id, code)).collect();
        let mut twice = once.clone();
        for (which, after) in copies {
            let copy = once[which.index(once.len())].clone();
            let Entry::Code(id, _) = &copy else { unreachable!("there is nothing else") };
            let first = twice.iter().position(|entry| matches!(entry, Entry::Code(other, _) if other == id)).expect("it is there");
            twice.insert((first + 1 + after).min(twice.len()), copy);
        }
        let (once, twice) = (run(&once, &Course::plain(memory_max)), run(&twice, &Course::plain(memory_max)));
        let without_position = |left: &Left| left.alerts.iter().map(|alert| Alert { position: 0, ..alert.clone() }).collect::<Vec<_>>();
        prop_assert_eq!(without_position(&once), without_position(&twice));
        prop_assert_eq!(once.evicted, twice.evicted);
    }
}
