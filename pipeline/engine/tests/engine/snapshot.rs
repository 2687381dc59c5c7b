//! Snapshots that are damaged, mixed up or of something else are refused and told; and what taking one costs.

use rasid_compiler::ruleset::{Rule, Ruleset};
use rasid_detectors::event::time::parse_rfc3339;
use rasid_engine::{Config, Engine, Part, Pseudonymizer, Record, RestoreError, Snapshot};
use rstest::rstest;

use crate::common::{ARRIVAL_MS, DETECTOR_RULES, Draw, RULES, SECOND_RULES, START_MS, Saved, all_rules, engine, json, ruleset};

fn fed(events: usize) -> Engine {
    let mut engine = engine(&all_rules(), Config::default());
    for id in 0..events {
        let who = u8::try_from(id % 200).expect("below 256");
        let draw = Draw { at_ms: i64::try_from(id).expect("small") * 1_000, kind: who % 4, who, how: who };
        engine.process(&[Record { position: id as u64 + 1, arrival_ms: ARRIVAL_MS, bytes: json(id, &draw).as_bytes() }]);
    }
    engine
}

fn parts(engine: &mut Engine) -> Saved {
    Saved::of(&engine.snapshot())
}

fn restore(ruleset: Ruleset, secret: &[u8], saved: &Saved) -> Result<Engine, RestoreError> {
    let mut part = |part: Part<'_>| saved.get(part);
    Engine::restore(ruleset, Config::default(), Pseudonymizer::new(secret, 1).expect("long enough"), &mut part)
}

const SECRET: &[u8] = b"a secret for the tests";

#[rstest]
fn every_cut_of_every_part_is_refused_by_its_number(#[values(0, 1, 2, 3, 4, 5, 6, 15)] part: usize) {
    let whole = parts(&mut fed(400));
    assert!(restore(ruleset(&all_rules()), SECRET, &whole).is_ok());
    for cut in (0..whole.parts[part].len()).step_by(7).chain([whole.parts[part].len() - 1]) {
        let mut damaged = whole.clone();
        damaged.parts[part].truncate(cut);
        match restore(ruleset(&all_rules()), SECRET, &damaged) {
            Err(RestoreError::Decode { part: told, .. }) => assert_eq!(told, part),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("part {part} cut at {cut} was taken"),
        }
    }
    let mut longer = whole;
    longer.parts[part].push(0);
    assert!(matches!(restore(ruleset(&all_rules()), SECRET, &longer), Err(RestoreError::Foreign { part: told, .. }) if told == part));
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let (whole, later) = (parts(&mut fed(400)), parts(&mut fed(401)));
    let said = |parts: &Saved| restore(ruleset(&all_rules()), SECRET, parts).err().map(|error| error.to_string());
    let mut mixed = whole.clone();
    mixed.parts[9].clone_from(&later.parts[9]);
    assert_eq!(said(&mixed).as_deref(), Some("part 9 of the snapshot is of another snapshot than part 0"));
    let mut swapped = whole.clone();
    swapped.parts.swap(6, 7);
    assert_eq!(said(&swapped).as_deref(), Some("part 6 of the snapshot is its part 7"));
    let mut newer = whole;
    newer.parts[0][0] = 8;
    assert_eq!(said(&newer).as_deref(), Some("part 0 of the snapshot is of format 8, and this engine reads 7"));
}

/// What 0.2.0 wrote of [`of_before`]: its sixteen parts.
const BEFORE: &[u8] = include_bytes!("snapshots/0.2.0.bin");

/// An event a minute for an hour.
fn of_before() -> impl Iterator<Item = (usize, String)> {
    (0_u8..60).map(|who| {
        let (id, at_ms) = (usize::from(who), i64::from(who) * 60_000);
        (id, json(id, &Draw { at_ms, kind: who % 4, who, how: who }))
    })
}

#[test]
fn snapshots_of_formats_before_are_read() {
    let mut now = engine(&RULES[..2], Config::default());
    for (id, text) in of_before() {
        now.process(&[Record { position: id as u64 + 1, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }]);
    }
    let mut older = Saved { parts: postcard::from_bytes(BEFORE).expect("sixteen parts"), ..Saved::default() };
    let restored = |older: &mut Saved, format: u8| {
        for part in &mut older.parts {
            part[0] = format;
        }
        restore(ruleset(&RULES[..2]), SECRET, older).expect("it is read")
    };
    let mut of_3 = restored(&mut older, 3);
    assert_eq!(of_3.producer_counters(), now.producer_counters());
    assert_eq!((of_3.counters(), of_3.live_scores()), (now.counters(), now.live_scores()));

    // It had two generations of 15 minutes: the newest 28 events, and nothing before.
    assert_eq!((of_3.reach().gps_ms, of_3.reach().other_ms), (1_640_000, 1_640_000));
    let again = |engine: &mut Engine| {
        let before = engine.counters();
        for (_, text) in of_before() {
            engine.process(&[Record { position: 100, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }]);
        }
        let after = engine.counters();
        (after.duplicates - before.duplicates, after.duplicate_conflicts - before.duplicate_conflicts)
    };
    assert_eq!(again(&mut of_3), (28, 0));
    assert_eq!(again(&mut of_3), (60, 0));

    let uncounted = postcard::to_allocvec(&(now.counters().bad_events, now.producer_counters())).expect("plain data");
    let left = older.parts[0].len() - uncounted.len();
    assert_eq!(older.parts[0].split_off(left), uncounted); // what format 2 did not count
    assert!(restored(&mut older, 2).producer_counters().is_empty());
    older.parts[0].pop(); // what format 1 did not count: none
    older.parts[5].pop(); // nor were there former names
    assert_eq!(restored(&mut older, 1).counters().records, now.counters().records);
}

/// What suppresses and what is suppressed, in format 4: [`of_4`] at the end of its first ten minutes.
const SUPPRESSION_OF_4: &[u8] = include_bytes!("snapshots/suppression_4.bin");

/// A flood as two rules see it, of which one is in shadow.
fn two_floods(shadow: &str) -> Vec<(String, String)> {
    let (name, text) = RULES.first().expect("a rule");
    let other = text.replace("auth.otp_flood", "auth.otp_shadow").replace("on: auth", &format!("mode: {shadow}\non: auth"));
    vec![((*name).to_owned(), (*text).to_owned()), ("auth/otp_shadow.yaml".to_owned(), other)]
}

fn floods(shadow: &str) -> Ruleset {
    let floods = two_floods(shadow);
    ruleset(&floods.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect::<Vec<_>>())
}

/// Codes to one phone, one each half minute, and what they open: (rule, ms after the start, hits suppressed before).
fn of_4(engine: &mut Engine, half_minutes: std::ops::Range<usize>) -> Vec<(String, i64, u64)> {
    let mut opened = Vec::new();
    for id in half_minutes {
        let at_ms = i64::try_from(id).expect("small") * 30_000;
        let text = json(id, &Draw { at_ms, kind: 0, who: 0, how: 0 });
        let output = engine.process(&[Record { position: id as u64 + 1, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }]);
        opened.extend(output.alerts.into_iter().map(|alert| {
            let opened_ms = parse_rfc3339(&alert.opened_at).expect("an instant");
            (alert.rule, opened_ms - START_MS, alert.suppressed_before)
        }));
    }
    opened
}

#[test]
fn suppression_of_format_4_goes_on() {
    let pseudonymizer = || Pseudonymizer::new(SECRET, 1).expect("long enough");
    let mut now = Engine::new(floods("shadow"), Config::default(), pseudonymizer()).expect("an engine");
    of_4(&mut now, 0..20);
    let saved = Saved { parts: postcard::from_bytes(SUPPRESSION_OF_4).expect("sixteen parts"), ..Saved::default() };
    let restored = || restore(floods("shadow"), SECRET, &saved).expect("it is read");
    // The newest alerts opened after six minutes and a half: the next open five later, and tell of nine hits in between.
    let next = |rule: &str| (rule.to_owned(), 690_000, 9);
    assert_eq!(of_4(&mut now, 20..24), [next("auth.otp_flood"), next("auth.otp_shadow")]);
    assert_eq!(of_4(&mut restored(), 20..24), [next("auth.otp_flood"), next("auth.otp_shadow")]);
    let mut told = restored();
    told.switch(100, floods("active"));
    assert_eq!(of_4(&mut told, 20..22), [("auth.otp_shadow".to_owned(), 600_000, 6)], "nobody was told of what was in shadow");
}

/// What 0.3.0 wrote of [`of_release_before`]: its sixteen parts and the lasting ones.
const RELEASE_BEFORE: &[u8] = include_bytes!("snapshots/0.3.0.bin");

/// Eight hours of every kind of event.
fn of_release_before() -> impl Iterator<Item = (usize, String)> {
    (0_u8..240).map(|who| {
        let (id, at_ms) = (usize::from(who), i64::from(who) * 120_000);
        (id, json(id, &Draw { at_ms, kind: who % 7, who: who % 12, how: who }))
    })
}

/// Every aggregate and every detector.
fn every_rule() -> Vec<(&'static str, &'static str)> {
    all_rules().into_iter().chain(DETECTOR_RULES.iter().copied()).collect()
}

#[test]
fn a_snapshot_of_the_release_before_goes_on_as_it_was() {
    let (sixteen, lasting) = postcard::from_bytes(RELEASE_BEFORE).expect("parts");
    let mut restored = restore(ruleset(&every_rule()), SECRET, &Saved { parts: sixteen, lasting }).expect("it is read");
    let mut now = engine(&every_rule(), Config::default());
    for (id, text) in of_release_before() {
        now.process(&[Record { position: id as u64 + 1, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }]);
    }
    // What is remembered of logins is another thing since, and of messages more is asked: those start anew, and nothing else does.
    assert_eq!(restored.started_anew().collect::<Vec<_>>(), ["auth.travel", "chat.leak"]);
    assert!(restored.state_bytes() < now.state_bytes(), "there was something to pass over");
    let other =
        said_otherwise(&parts(&mut now), r#""operator":"impossible_travel","version":2"#, r#""operator":"impossible_travel","version":3"#);
    let other = said_otherwise(&other, r#""operator":"contact_leak","version":3"#, r#""operator":"contact_leak","version":4"#);
    let mut now = restore(ruleset(&every_rule()), SECRET, &other).expect("it is read");
    assert_eq!((restored.counters(), restored.rule_counters()), (now.counters(), now.rule_counters()));
    let (restored, now) = (Saved::of(&restored.snapshot()), Saved::of(&now.snapshot()));
    // It knew nothing of brakes, and one alert alone of each rule and entity.
    let but_brake = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.split_once(",\"brake\":").map_or(text.clone(), |(before, _)| before.get(8..).unwrap_or_default().to_owned()).into_bytes()
    };
    let but_suppression = |saved: &Saved| -> Vec<Vec<u8>> {
        let parts = saved.parts.iter().enumerate().filter(|(part, _)| *part != 3);
        parts.map(|(part, bytes)| if part == 0 { but_brake(bytes) } else { bytes.clone() }).collect()
    };
    assert_eq!((but_suppression(&restored), restored.lasting), (but_suppression(&now), now.lasting), "all of it, to the byte");
}

/// A part 0 that says something else of its bindings.
fn said_otherwise(whole: &Saved, from: &str, to: &str) -> Saved {
    let mut other = whole.clone();
    let part = other.parts.first_mut().expect("part 0");
    let found = part.windows(from.len()).enumerate().filter(|(_, window)| *window == from.as_bytes());
    let places: Vec<usize> = found.map(|(place, _)| place).collect();
    for place in places {
        part.splice(place..place + from.len(), to.bytes());
    }
    assert!(from.len() == to.len() && other != *whole, "{from}");
    other
}

/// Format 6 said nothing of how memory is dealt, and what it had cost of what is gone as one number.
#[test]
fn a_snapshot_of_format_6_has_its_shares_and_memory_is_dealt_at_the_next_event() {
    let config = Config { memory_max: 2_000_000, events_per_s: 0, ..Config::default() };
    let mut engine = engine(&all_rules(), config.clone());
    let texts: Vec<String> = (0..6_000).map(flood).collect();
    let take = |engine: &mut Engine, texts: &[String], first: u64| {
        let records = (first..).zip(texts).map(|(n, text)| Record { position: n * 600, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() });
        engine.process(&records.collect::<Vec<_>>());
    };
    take(&mut engine, &texts[..4_000], 1);
    assert!(engine.counters().evicted > 0);
    let whole = parts(&mut engine);
    let mut former = said_otherwise(&whole, r#""memory":{"dealt""#, r#""nobody":{"dealt""#);
    former = said_otherwise(&former, r#""evicted":{}"#, r#""unknown":{}"#);
    former.parts.iter_mut().for_each(|part| part[0] = 6);
    let pseudonymizer = Pseudonymizer::new(SECRET, 1).expect("long enough");
    let mut part = |part: Part<'_>| former.get(part);
    let mut restored = Engine::restore(ruleset(&all_rules()), config, pseudonymizer, &mut part).expect("it is read");
    assert_eq!((restored.counters(), restored.evictions()), (engine.counters(), engine.evictions()));
    assert!(parts(&mut restored) != whole, "each party has its share");
    for engine in [&mut restored, &mut engine] {
        take(engine, &texts[4_000..], 4_001);
        assert!(engine.memory_bytes() <= 2_000_000, "M1");
    }
}

/// A code to a phone of its own.
fn flood(id: usize) -> String {
    let time = rasid_detectors::event::time::format_rfc3339(START_MS);
    format!(
        r#"{{"specversion":"1.0","id":"e{id}","source":"/test","type":"auth.otp_requested","time":"{time}","data":{{"phone":"+20{}","ip":"192.0.2.1","purpose":"login"}}}}"#,
        1_000_000_000 + id
    )
}

#[test]
fn what_a_snapshot_lacks_or_has_of_another_version_starts_anew() {
    let mut engine = engine(&every_rule(), Config::default());
    for (id, text) in of_release_before() {
        engine.process(&[Record { position: id as u64 + 1, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }]);
    }
    let whole = parts(&mut engine);
    let anew = |saved: &Saved| -> (Vec<String>, Vec<String>, usize) {
        let engine = restore(ruleset(&every_rule()), SECRET, saved).unwrap_or_else(|error| panic!("{error}"));
        let anew = engine.started_anew().map(str::to_owned).collect();
        (anew, engine.warming_rules().map(|(rule, _)| rule.to_owned()).collect(), engine.state_bytes())
    };
    assert_eq!(anew(&whole), (Vec::new(), Vec::new(), engine.state_bytes()));
    // Another version of one operator: the rules that read it, and no others.
    let (names, warming, bytes) =
        anew(&said_otherwise(&whole, r#""operator":"distinct","version":1"#, r#""operator":"distinct","version":2"#));
    assert_eq!(names, ["auth.otp_fanout"]);
    assert_eq!(warming, names);
    assert!(bytes < engine.state_bytes());
    // A detector keeps its own time: it starts anew, and is believed at once.
    let other = said_otherwise(&whole, r#""operator":"impossible_speed","version":1"#, r#""operator":"impossible_speed","version":9"#);
    assert_eq!(anew(&other).0, ["gps.speed"]);
    assert_eq!(anew(&other).1, [""; 0]);
    // A binding that this version reads otherwise.
    let (names, ..) = anew(&said_otherwise(&whole, "first_seen window=86400000", "first_seen window=86400001"));
    assert_eq!(names, ["payment.odd_refund"]);
}

/// What counts the firings of a detector that starts anew starts anew with it, and its rules wait for their windows.
#[test]
fn what_counts_another_versions_firings_starts_anew() {
    let mut engine = engine(SECOND_RULES, Config::default());
    for (id, text) in of_release_before() {
        engine.process(&[Record { position: id as u64 + 1, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }]);
    }
    let whole = parts(&mut engine);
    let other = said_otherwise(&whole, r#""operator":"impossible_travel","version":2"#, r#""operator":"impossible_travel","version":3"#);
    let restored = restore(ruleset(SECOND_RULES), SECRET, &other).expect("it is read");
    assert_eq!(restored.started_anew().collect::<Vec<_>>(), ["payment.refund_of_traveller"]);
    assert_eq!(restored.warming_rules().map(|(rule, _)| rule).collect::<Vec<_>>(), ["payment.refund_of_traveller"]);
}

#[test]
fn a_lasting_part_that_is_gone_or_another_is_told() {
    let whole = parts(&mut fed(4_000));
    assert!(!whole.lasting.is_empty(), "it goes over an hour");
    let said = |saved: &Saved| restore(ruleset(&all_rules()), SECRET, saved).err().map(|error| error.to_string());
    assert_eq!(said(&whole), None);
    for name in whole.lasting.keys() {
        let mut gone = whole.clone();
        gone.lasting.remove(name);
        assert_eq!(said(&gone), Some(format!("cannot read the lasting part {name} of the snapshot")));
        let mut other = whole.clone();
        other.lasting.get_mut(name).expect("it is there")[5] ^= 4;
        assert_eq!(said(&other), Some(format!("the lasting part {name} is not what the snapshot names by it")));
    }
}

#[test]
fn another_ruleset_another_secret_and_a_missing_part_are_refused() {
    let whole = parts(&mut fed(50));
    assert!(matches!(restore(ruleset(RULES), SECRET, &whole), Err(RestoreError::Ruleset { .. })));
    assert!(matches!(restore(ruleset(&all_rules()), b"another secret of tests", &whole), Err(RestoreError::Secret)));
    let mut part = |part: Part<'_>| if part == Part::Numbered(3) { Err("gone".into()) } else { whole.get(part) };
    let pseudonymizer = Pseudonymizer::new(SECRET, 1).expect("long enough");
    let error = Engine::restore(ruleset(&all_rules()), Config::default(), pseudonymizer, &mut part).err().expect("part 3 is gone");
    assert_eq!(error.to_string(), "cannot read part 3 of the snapshot");
}

/// The same files, read otherwise by another version of the engine than the one that wrote an older format.
#[test]
fn what_a_snapshot_of_an_older_format_has_otherwise_starts_anew() {
    let older = Saved { parts: postcard::from_bytes(BEFORE).expect("sixteen parts"), ..Saved::default() };
    let whole = restore(ruleset(&RULES[..2]), SECRET, &older).expect("it is read");
    assert_eq!((whole.started_anew().count(), whole.warming_rules().count()), (0, 0));
    let given = ruleset(&RULES[..2]);
    for number in 0..given.bindings.len() {
        let reads = |rule: &&Rule| rule.triggers.iter().flat_map(|trigger| &trigger.reads).any(|read| read.binding == number);
        let readers: Vec<&str> = given.rules.iter().filter(reads).map(|rule| rule.id.as_str()).collect();
        let mut other = ruleset(&RULES[..2]);
        other.bindings[number].former.push('!');
        let restored = restore(other, SECRET, &older).expect("the rest is read");
        assert_eq!(restored.started_anew().collect::<Vec<_>>(), readers);
        assert_eq!(restored.warming_rules().map(|(rule, _)| rule).collect::<Vec<_>>(), readers);
        assert!(restored.state_bytes() < whole.state_bytes());
    }
}

#[test]
fn a_table_of_an_older_format_that_nothing_can_read_is_told() {
    let older = Saved { parts: postcard::from_bytes(BEFORE).expect("sixteen parts"), ..Saved::default() };
    let other = said_otherwise(&older, "distinct window", "distinkt window");
    let error = restore(ruleset(&RULES[..2]), SECRET, &other).err().expect("no such operator");
    assert!(matches!(&error, RestoreError::Binding { canonical } if canonical.starts_with("distinkt")), "{error}");
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
