//! The service in a world that fails: the parts that production puts on threads, driven step by step from one seed, with
//! disks that lose and tear what was not synced, receivers that stall, lose answers and refuse, and a process that ends
//! anywhere, in its start too. In the end every receiver must have exactly what one undisturbed run through the log gives.
//!
//! `SIM_SEED=7` runs that seed alone, `SIM_SEEDS=5000` runs so many. A seed that has found something becomes a test with
//! a name.

#![expect(clippy::indexing_slicing, reason = "a test that looks for what is not there should fail")]

mod simulation {
    pub(crate) mod archive;
    pub(crate) mod damage;
    pub(crate) mod events;
    pub(crate) mod oracle;
    pub(crate) mod random;
    pub(crate) mod receivers;
    pub(crate) mod schedule;
    pub(crate) mod service;
    pub(crate) mod trace;
    pub(crate) mod wall;
    pub(crate) mod world;
}

use rasid_connectors::alerts::{AlertStore, Retention};
use rasid_connectors::outbox::backend;
use rasid_service::decide::comparison::Compared;
use rasid_service::recover::layout;
use simulation::oracle::{self, Covered, judge};
use simulation::schedule::Schedule;
use simulation::wall::Setting;
use simulation::world::World;

/// Seeds that every run of the tests tries.
const SEEDS: u64 = 64;
/// Steps of one run before everything drains.
const STEPS: usize = 900;

/// One run: what it covered, and what happened.
fn run(seed: u64) -> (Covered, Vec<String>) {
    let (covered, trace, _) = run_under(seed, Setting::Seconds);
    (covered, trace)
}

/// One run in which nobody says anything about alerts and their store's disk does not fail: a seed that was found before
/// there was a store stays what it was.
fn run_without_people(seed: u64) {
    let mut world = World::new(seed, Setting::Seconds);
    world.people = false;
    run_in(world);
}

/// The same under a wall clock that is set like that; and how often it was.
fn run_under(seed: u64, setting: Setting) -> (Covered, Vec<String>, u64) {
    run_in(World::new(seed, setting))
}

fn run_in(mut world: World) -> (Covered, Vec<String>, u64) {
    let schedule = Schedule::new(&mut world.random.fork());
    for _ in 0..STEPS {
        schedule.step(&mut world);
    }
    let covered = judge(&mut world);
    (covered, world.trace.take(), world.wall.steps)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn run_all(seeds: impl IntoIterator<Item = u64>) -> Covered {
    let mut sum = Covered::default();
    for seed in seeds {
        let (covered, _) = run(seed);
        sum.alerts += covered.alerts;
        sum.parked += covered.parked;
        sum.dead_letters += covered.dead_letters;
        sum.scores += covered.scores;
        sum.retracted += covered.retracted;
        sum.retired += covered.retired;
        sum.deaths += covered.deaths;
        sum.hindered += covered.hindered;
        sum.said += covered.said;
        sum.let_go += covered.let_go;
        sum.lasting += covered.lasting;
    }
    sum
}

#[test]
fn receivers_have_what_one_run_through_the_log_gives() {
    if let Some(seed) = number("SIM_SEED") {
        let (covered, trace) = run(seed);
        eprintln!("{}\n{covered:?}", trace.join("\n"));
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(SEEDS);
    let first = number("SIM_FIRST").unwrap_or(0);
    let sum = run_all(first..first + seeds);
    eprintln!("{seeds} seeds: {sum:?}");
    let least = [sum.alerts, sum.dead_letters, sum.scores, sum.retracted, sum.lasting, sum.said, sum.let_go]
        .map(|count| count as u64)
        .into_iter()
        .chain([sum.deaths, sum.retired]);
    assert!(least.into_iter().all(|count| count >= seeds), "the world is too quiet: {sum:?}");
    assert!(sum.hindered >= seeds / 8, "no disk was full: {sum:?}");
}

/// Alerts, their late marks, scores, dead letters, what is retired and when, each wait of each sink: byte for byte.
#[test]
fn a_wall_clock_that_is_wrong_for_seconds_changes_nothing() {
    let mut steps = 0;
    for seed in 0..number("SIM_SEEDS").unwrap_or(6) {
        let (_, with, set) = run_under(seed, Setting::Seconds);
        let (_, without, _) = run_under(seed, Setting::Right);
        steps += set;
        assert_eq!(with, without, "SIM_SEED={seed}");
    }
    assert!(steps > 200, "the clock was set {steps} times only");
}

/// It may make events late or dead letters; what receivers have is what the log gives all the same.
#[test]
fn a_wall_clock_that_stays_wrong_is_on_record() {
    let mut steps = 0;
    for seed in 0..number("SIM_SEEDS").unwrap_or(6) {
        steps += run_under(seed, Setting::Stays).2;
    }
    assert!(steps > 20, "the clock was set {steps} times only");
}

#[test]
fn scores_written_ahead_never_leave_an_older_one_behind_them() {
    run_without_people(2); // a score that had ended was sent ahead of an older one in the queue, and stayed
}

#[test]
fn scores_are_published_again_only_when_the_replay_is_over() {
    run_without_people(41); // Redis was told scores from before the newest commits, and those were never told again
}

#[test]
fn a_restart_keeps_state_for_as_long_as_the_newest_lateness_says() {
    run_without_people(327); // tables that a switch had kept went by the lateness before it, and those of a snapshot did not
}

#[test]
fn a_reader_at_the_end_of_a_retired_segment_goes_on() {
    run_without_people(319); // the engine had read all of a segment, which then was retired, and found no file where it stood
}

#[test]
fn a_mended_log_comes_to_what_it_does_without_what_was_lost() {
    let lost: Vec<usize> = (0..24).map(simulation::damage::run).collect();
    assert!(lost.iter().filter(|lost| **lost > 0).count() > 12, "{lost:?}");
}

/// Nobody but the comparison sees that the log has come to mean something else.
#[test]
#[should_panic(expected = "the replay differs from what was committed")]
fn a_replay_that_comes_out_otherwise_is_noticed() {
    let mut world = World::new(1, Setting::Right);
    world.boot(false);
    for _ in 0..60 {
        world.now_ms += 60_000;
        world.append(12, Vec::new());
    }
    assert!(process(&mut world) > Some(100));
    world.die(false);
    world.secret_number = 2;
    world.boot(false);
    process(&mut world);
}

/// Applies and commits all that is in the log.
fn process(world: &mut World) -> Option<u64> {
    world.with("process", |world, service| {
        service.sync()?;
        while service.apply(true)? {}
        while service.commit(world.now(), 64, &mut |_| {})? > 0 {}
        service.keep(usize::MAX)?;
        Ok(service.committer.position())
    })
}

/// Takes some events through, with a snapshot in the midst of them, before which the outbox forgets; then the snapshots are
/// gone, as the runbook has it, and all is replayed under the secret of that number. How it compares.
fn replay_from_before_what_is_remembered(number: u8) -> Compared {
    let mut world = World::new(1, Setting::Right);
    world.boot(false);
    for round in 0..60 {
        world.now_ms += 60_000;
        world.append(12, Vec::new());
        process(&mut world);
        if round == 40 {
            world.with("snapshot", |world, service| {
                let taken = service.take_snapshot().expect("there is state");
                assert_eq!(service.write_snapshot(world.now_ms)?, Some(taken));
                Ok(service.outbox.forget_alerts_before(taken)?)
            });
        }
    }
    world.die(false);
    world.shared_storage().remove_dir(layout::SNAPSHOTS).expect("a disk");
    world.secret_number = number;
    world.boot(false);
    process(&mut world);
    world.with("compare", |_, service| Ok(service.worker.compared())).expect("it runs")
}

/// How an alert store comes to lack something.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lag {
    /// It is an old copy, and the log has everything.
    Copy,
    /// It is an old copy, and the log's beginning is gone.
    CopyWithoutLog,
    /// It is gone.
    Gone,
}

/// Takes some events through, puts another alert store in place, and goes on; what it says then, what one has that was
/// always there, and the newest snapshot's position.
fn with_another_store(lag: Lag) -> (AlertStore, AlertStore, u64) {
    let mut world = World::new(1, Setting::Right);
    world.retention = Retention { age_ms: 1 << 50, count_max: u64::MAX };
    world.boot(false);
    let mut snapshot = 0;
    for round in 0..60 {
        world.now_ms += 60_000;
        world.append(12, Vec::new());
        process(&mut world);
        if round % 20 == 19 {
            let written = world.with("snapshot", |world, service| {
                service.take_snapshot();
                service.write_snapshot(world.now_ms)
            });
            snapshot = written.flatten().expect("there was something to write");
        }
    }
    let first = world.with("retain", |world, service| {
        world.archive.read_on(world.shared_storage(), service.keys.clone(), service.durable);
        if lag == Lag::CopyWithoutLog {
            service.log.retain(world.now_ms + 30 * 86_400_000, snapshot)?;
        }
        Ok(service.log.first_position())
    });
    assert_eq!(first > Some(1), lag == Lag::CopyWithoutLog);
    world.die(false);
    (world.store_disk, world.stored) = (backend::Memory::new(), 0);
    if lag != Lag::Gone {
        let copy = AlertStore::with_backend(world.store_disk.backend(), world.retention).expect("memory");
        copy.begin(0).expect("memory");
    }
    world.boot(false);
    for _ in 0..10 {
        world.now_ms += 60_000;
        world.append(12, Vec::new());
        process(&mut world);
    }
    let expected = oracle::reference_store(&mut world);
    world.die(false);
    (AlertStore::with_backend(world.store_disk.backend(), world.retention).expect("memory"), expected, snapshot)
}

#[test]
fn an_alert_store_that_lags_is_filled_from_the_log() {
    let (store, expected, _) = with_another_store(Lag::Copy);
    assert!(oracle::kept(&expected).len() > 20);
    oracle::same_store(&store, &expected);
}

#[test]
fn an_alert_store_that_the_log_cannot_fill_says_what_it_lacks() {
    let (store, expected, snapshot) = with_another_store(Lag::CopyWithoutLog);
    assert_eq!(store.figures().gaps, [(1, snapshot)]);
    let behind: Vec<_> = oracle::kept(&expected).into_iter().filter(|alert| alert.state.position > snapshot).collect();
    assert!(!behind.is_empty());
    assert_eq!(oracle::kept(&store), behind);
}

#[test]
fn an_alert_store_that_is_gone_begins_where_effects_were_committed() {
    let (store, expected, _) = with_another_store(Lag::Gone);
    let from = store.figures().from;
    assert!(from > 100 && store.figures().gaps.is_empty());
    let behind: Vec<_> = oracle::kept(&expected).into_iter().filter(|alert| alert.state.position >= from).collect();
    assert!(!behind.is_empty());
    assert_eq!(oracle::kept(&store), behind);
}

#[test]
fn what_is_forgotten_is_no_difference() {
    let Compared { same, diverged, other_version, unknown, .. } = replay_from_before_what_is_remembered(1);
    assert!(same > 0 && unknown > 0, "{same} {unknown}");
    assert_eq!((diverged, other_version), (0, 0));
}

#[test]
#[should_panic(expected = "the replay differs from what was committed")]
fn a_difference_behind_what_is_forgotten_is_noticed() {
    replay_from_before_what_is_remembered(2);
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in [3, 11] {
        assert_eq!(run(seed).1, run(seed).1);
    }
}
