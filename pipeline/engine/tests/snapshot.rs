//! Snapshots that are damaged, mixed up or of something else are refused and told; and what taking one costs.

#![expect(clippy::indexing_slicing, reason = "what is out of range fails the test")]

use rasid_engine::{Config, Engine, Pseudonymizer, Record, RestoreError, Snapshot};
use rasid_rules::ruleset::Ruleset;
use rstest::rstest;

mod common;

use common::{ARRIVAL_MS, Draw, RULES, START_MS, all_rules, engine, json, ruleset};

fn fed(events: usize) -> Engine {
    let mut engine = engine(&all_rules(), Config::default());
    for id in 0..events {
        let who = u8::try_from(id % 200).expect("below 256");
        let draw = Draw { at_ms: i64::try_from(id).expect("small") * 1_000, kind: who % 4, who, how: who };
        engine.process(&[Record { position: id as u64 + 1, arrival_ms: ARRIVAL_MS, bytes: json(id, &draw).as_bytes() }]);
    }
    engine
}

fn parts(engine: &mut Engine) -> Vec<Vec<u8>> {
    let snapshot = engine.snapshot();
    (0..Snapshot::PARTS).map(|part| snapshot.write(part)).collect()
}

fn restore(ruleset: Ruleset, secret: &[u8], parts: &[Vec<u8>]) -> Result<Engine, RestoreError> {
    let mut part = |number: usize| Ok(parts[number].clone());
    Engine::restore(ruleset, Config::default(), Pseudonymizer::new(secret, 1).expect("long enough"), &mut part)
}

const SECRET: &[u8] = b"a secret for the tests";

#[rstest]
fn every_cut_of_every_part_is_refused_by_its_number(#[values(0, 1, 2, 3, 4, 5, 15)] part: usize) {
    let whole = parts(&mut fed(400));
    assert!(restore(ruleset(&all_rules()), SECRET, &whole).is_ok());
    for cut in (0..whole[part].len()).step_by(7).chain([whole[part].len() - 1]) {
        let mut damaged = whole.clone();
        damaged[part].truncate(cut);
        match restore(ruleset(&all_rules()), SECRET, &damaged) {
            Err(RestoreError::Decode { part: told, .. }) => assert_eq!(told, part),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("part {part} cut at {cut} was taken"),
        }
    }
    let mut longer = whole;
    longer[part].push(0);
    assert!(matches!(restore(ruleset(&all_rules()), SECRET, &longer), Err(RestoreError::Foreign { part: told, .. }) if told == part));
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let (whole, later) = (parts(&mut fed(400)), parts(&mut fed(401)));
    let said = |parts: &[Vec<u8>]| restore(ruleset(&all_rules()), SECRET, parts).err().map(|error| error.to_string());
    let mut mixed = whole.clone();
    mixed[9].clone_from(&later[9]);
    assert_eq!(said(&mixed).as_deref(), Some("part 9 of the snapshot is of another snapshot than part 0"));
    let mut swapped = whole.clone();
    swapped.swap(6, 7);
    assert_eq!(said(&swapped).as_deref(), Some("part 6 of the snapshot is its part 7"));
    let mut newer = whole;
    newer[0][0] = 4;
    assert_eq!(said(&newer).as_deref(), Some("part 0 of the snapshot is of format 4, and this engine reads 3"));
}

#[test]
fn a_snapshot_of_a_format_before_is_read() {
    let mut engine = fed(400);
    let uncounted = postcard::to_allocvec(&(engine.counters().bad_events, engine.producer_counters())).expect("plain data");
    let mut older = parts(&mut engine);
    let restored = |older: &mut [Vec<u8>], format: u8| {
        for part in older.iter_mut() {
            part[0] = format;
        }
        restore(ruleset(&all_rules()), SECRET, older).expect("it is read")
    };
    let left = older[0].len() - uncounted.len();
    assert_eq!(older[0].split_off(left), uncounted); // what format 2 did not count
    assert!(restored(&mut older, 2).producer_counters().is_empty());
    older[0].pop(); // what format 1 did not count: none
    older[5].pop(); // nor were there former names
    assert_eq!(restored(&mut older, 1).counters().records, engine.counters().records);
}

#[test]
fn another_ruleset_another_secret_and_a_missing_part_are_refused() {
    let whole = parts(&mut fed(50));
    assert!(matches!(restore(ruleset(RULES), SECRET, &whole), Err(RestoreError::Ruleset { .. })));
    assert!(matches!(restore(ruleset(&all_rules()), b"another secret of tests", &whole), Err(RestoreError::Secret)));
    let mut part = |number: usize| if number == 3 { Err("gone".into()) } else { Ok(whole[number].clone()) };
    let pseudonymizer = Pseudonymizer::new(SECRET, 1).expect("long enough");
    let error = Engine::restore(ruleset(&all_rules()), Config::default(), pseudonymizer, &mut part).err().expect("part 3 is gone");
    assert_eq!(error.to_string(), "cannot read part 3 of the snapshot");
}

/// The same files, read otherwise by another version of the engine.
#[test]
fn bindings_that_do_not_match_are_told() {
    let whole = parts(&mut fed(50));
    let mut other = ruleset(&all_rules());
    other.bindings[0].canonical.push('!');
    let error = restore(other, SECRET, &whole).err().expect("another binding");
    assert!(matches!(&error, RestoreError::Binding { canonical } if !canonical.is_empty()), "{error}");
}

#[test]
fn a_snapshot_of_nothing_is_the_beginning() {
    let restored = restore(ruleset(&all_rules()), SECRET, &parts(&mut engine(&all_rules(), Config::default()))).expect("whole");
    assert_eq!((restored.clock_ms(), restored.counters().records), (i64::MIN, 0));
}

/// Prints what a snapshot of a million states costs:
/// `cargo test -p rasid-engine --test snapshot -- --ignored --nocapture`
#[test]
#[ignore = "takes a minute, and its figures want an idle machine"]
#[expect(clippy::disallowed_methods, reason = "a stopwatch")]
fn figures_of_a_million_states() {
    use std::time::{Duration, Instant};

    const STATES: usize = 1_000_000;
    const BATCH: usize = 1_000;
    let mut engine = engine(&RULES[..1], Config { threads: 2, ..Config::default() });
    let line = |id: usize| {
        let time = rasid_detectors::event::time::format_rfc3339(START_MS + i64::try_from(id / 5_000).expect("small"));
        let phone = 1_000_000_000 + id * 7 % STATES;
        format!(
            r#"{{"specversion":"1.0","id":"e{id}","source":"/test","type":"auth.otp_requested","time":"{time}","data":{{"phone":"+20{phone}","ip":"192.0.2.1","purpose":"login"}}}}"#
        )
    };
    let mut next = 0;
    let mut batch = |engine: &mut Engine| {
        let lines: Vec<String> = (next..next + BATCH).map(line).collect();
        let records: Vec<Record<'_>> =
            lines.iter().map(|text| Record { position: 1, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
        next += BATCH;
        let begun = Instant::now();
        engine.process(&records);
        begun.elapsed()
    };
    for _ in 0..STATES / BATCH {
        batch(&mut engine);
    }
    let mut usual: Vec<Duration> = (0..100).map(|_| batch(&mut engine)).collect();
    usual.sort_unstable();
    let begun = Instant::now();
    let snapshot = engine.snapshot();
    let taken = begun.elapsed();
    let (writing, stalls, bytes) = std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            let begun = Instant::now();
            let bytes: usize = (0..Snapshot::PARTS).map(|part| snapshot.write(part).len()).sum();
            (begun.elapsed(), bytes)
        });
        let stalls: Vec<Duration> = (0..30).map(|_| batch(&mut engine)).collect();
        let (writing, bytes) = writer.join().expect("written");
        (writing, stalls, bytes)
    });
    eprintln!("states {STATES}, batch {BATCH}, {bytes} bytes in {} parts", Snapshot::PARTS);
    eprintln!("process() before: median {:?}, longest {:?}", usual[50], usual[99]);
    eprintln!("snapshot(): {taken:?}; all parts: {writing:?}");
    eprintln!("process() right after: first {:?}, longest {:?}, then {:?}", stalls[0], stalls.iter().max(), &stalls[1..6]);
    let begun = Instant::now();
    let whole = parts(&mut engine);
    eprintln!("all parts with the engine at rest: {:?}", begun.elapsed());
    let begun = Instant::now();
    let restored = restore(ruleset(&RULES[..1]), SECRET, &whole).expect("whole");
    eprintln!("restore: {:?}", begun.elapsed());
    assert_eq!(restored.state_bytes(), engine.state_bytes());
}
