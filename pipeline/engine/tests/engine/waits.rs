//! Waits that are taken up again, that another version cannot read, and of which thousands are over at once.

#![expect(clippy::indexing_slicing, reason = "what is out of range fails the test")]

use rasid_detectors::event::envelope::Limits;
use rasid_detectors::event::time::{format_rfc3339, parse_rfc3339};
use rasid_engine::{Alert, Config, Engine, Opened, Part, Pseudonymizer, Record, ScoreChange};
use rstest::rstest;

use crate::common::{ARRIVAL_MS, FORM_RULES, START_MS, Saved, engine, ruleset};

const MINUTE_MS: i64 = 60_000;
const LATENESS_MS: i64 = 5 * MINUTE_MS;

/// A code to a phone that nobody uses, with so many bytes of a field that nobody knows.
fn code(id: usize, at_ms: i64, phone: usize, padding: usize) -> String {
    let (time, note) = (format_rfc3339(START_MS + at_ms), "x".repeat(padding));
    format!(
        r#"{{"specversion":"1.0","id":"e{id}","source":"/test","type":"auth.otp_requested","time":"{time}","data":{{"phone":"+2010{phone:08}","ip":"192.0.2.1","purpose":"login","note":"{note}"}}}}"#
    )
}

fn records(log: &[String], first: u64) -> Vec<Record<'_>> {
    (first..).zip(log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect()
}

fn restore(rules: &[(&str, &str)], limits: Limits, saved: &Saved) -> Engine {
    let secret = Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough");
    let config = Config { limits, ..Config::default() };
    Engine::restore(ruleset(rules), config, secret, &mut |part: Part<'_>| saved.get(part)).unwrap_or_else(|error| panic!("{error:?}"))
}

/// An engine in which two events out of columns have begun waits, and what it is as a snapshot.
fn of_columns(rules: &[(&str, &str)]) -> (Engine, Saved) {
    let log = [code(0, 0, 1, 0), code(1, 1_000, 2, 0)];
    let records = records(&log, 1);
    let (mut decoding, opened) = (engine(rules, Config::default()), Opened::default());
    let decoded = decoding.decode(&records, &opened);
    let archived = decoding.archived(&decoded);
    let mut engine = engine(rules, Config::default());
    let columns = engine.columns(&archived);
    assert!(engine.step(&columns).alerts.is_empty());
    let saved = Saved::of(&engine.snapshot());
    (engine, saved)
}

/// What all waits come to, when the log goes on in silence.
fn over(engine: &mut Engine) -> Vec<Alert> {
    engine.tick(9, START_MS + LATENESS_MS + 10 * MINUTE_MS).alerts
}

#[test]
fn a_wait_out_of_columns_is_taken_up_again() {
    let rules = &FORM_RULES[..2];
    let (mut before, saved) = of_columns(rules);
    let mut after = restore(rules, Limits::default(), &saved);
    assert!(Saved::of(&after.snapshot()) == saved, "the same to the byte");
    let expected = over(&mut before);
    assert_eq!(expected.len(), 2);
    assert_eq!(over(&mut after), expected);
    assert_eq!(after.counters().waits_lost, 0);
    // And as out of records.
    let mut of_records = engine(rules, Config::default());
    of_records.process(&records(&[code(0, 0, 1, 0), code(1, 1_000, 2, 0)], 1));
    assert_eq!(over(&mut of_records), expected);
}

/// A part of a snapshot in which other words stand in the columns than this version knows: a text with its length before it.
fn said_otherwise(saved: &Saved, from: &str, to: &str) -> Saved {
    assert_eq!(from.len(), to.len());
    let (mut other, length) = (saved.clone(), u8::try_from(from.len()).expect("short"));
    let of = |word: &str| [&[length], word.as_bytes()].concat();
    for part in &mut other.parts {
        while let Some(place) = part.windows(from.len() + 1).position(|window| window == of(from)) {
            part.splice(place..=place + from.len(), of(to));
        }
    }
    assert!(other != *saved, "{from}");
    other
}

/// What another version has kept of an event out of columns is read as far as this one knows it.
#[rstest]
#[case::a_field_that_is_gone("purpose", "purpoze", 0)]
#[case::a_type_that_is_gone("auth.otp_requested", "auth.otp_demanded_", 2)]
fn columns_that_a_later_version_drops_cost_no_restore(#[case] from: &str, #[case] to: &str, #[case] lost: u64) {
    let rules = &FORM_RULES[..1];
    let (mut before, saved) = of_columns(rules);
    let mut after = restore(rules, Limits::default(), &said_otherwise(&saved, from, to));
    // Of a field that is gone nothing is said, and all else is as it was.
    let expected = if lost == 0 { over(&mut before) } else { Vec::new() };
    assert_eq!(over(&mut after), expected);
    assert_eq!(after.counters().waits_lost, lost);
    let again = Saved::of(&after.snapshot());
    assert!(Saved::of(&restore(rules, Limits::default(), &again).snapshot()) == again);
}

/// A wait that is given up has its turn like any other: what its key says next does not hang on where the log is cut.
#[test]
fn a_wait_that_is_lost_ends_in_its_turn() {
    let mut before = engine(&FORM_RULES[..1], Config::default());
    before.process(&records(&[code(0, 0, 1, 1_000), code(1, MINUTE_MS, 1, 0), code(2, 2 * MINUTE_MS, 1, 1_000)], 1));
    let saved = Saved::of(&before.snapshot());
    // They are over after 3, 4 and 5 minutes, and each of these passes one.
    let rest = [code(3, 3 * MINUTE_MS + 1, 2, 0), code(4, 4 * MINUTE_MS + 1, 3, 0), code(5, 5 * MINUTE_MS + 1, 4, 0)];
    let runs = [1, 2, 3].map(|cut| {
        let mut engine = restore(&FORM_RULES[..1], Limits { record_bytes_max: 500, ..Limits::default() }, &saved);
        let rest = records(&rest, 4);
        let alerts: Vec<Alert> = rest.chunks(cut).flat_map(|batch| engine.process(batch).alerts).collect();
        assert_eq!(engine.counters().waits_lost, 2);
        let said: Vec<(String, String, u64)> =
            alerts.into_iter().map(|alert| (alert.event.id, alert.explanation, alert.position)).collect();
        (said, Saved::of(&engine.snapshot()))
    });
    assert_eq!(runs[0].0, [("e1".to_owned(), "unused, and 1 more".to_owned(), 5)], "the first is over, the third is open");
    assert!(runs.iter().all(|run| *run == runs[0]), "{:?}", runs.iter().map(|run| &run.0).collect::<Vec<_>>());
}

/// Everything that leaves and everything that stays.
type Left = (Vec<Alert>, Vec<ScoreChange>, String, Saved);

fn run(log: &[String], cut: usize, threads: usize) -> Left {
    let mut engine = engine(&FORM_RULES[..2], Config { threads, ..Config::default() });
    let (mut alerts, mut scores) = (Vec::new(), Vec::new());
    for batch in records(log, 1).chunks(cut) {
        let output = engine.process(batch);
        alerts.extend(output.alerts);
        scores.extend(output.scores);
    }
    let end = engine.tick(log.len() as u64 + 1, START_MS + 60 * MINUTE_MS);
    alerts.extend(end.alerts);
    scores.extend(end.scores);
    let counters = format!("{:?} {:?}", engine.counters(), engine.rule_counters());
    (alerts, scores, counters, Saved::of(&engine.snapshot()))
}

/// After an outage longer than the window all that waits is over by one event: it is taken in parts, and nothing shows it.
#[rstest]
#[case::at_one_instant(0)]
#[case::one_after_the_other(3)]
fn what_is_due_at_once_is_what_is_due_bit_by_bit(#[case] apart_ms: i64) {
    const WAITS: usize = 50_000;
    let mut log: Vec<String> = (0..WAITS).map(|id| code(id, i64::try_from(id).expect("small") * apart_ms, id, 0)).collect();
    // Between the first and the last that is over others begin; then comes the end of the outage.
    log.extend((0..20).map(|n: usize| code(WAITS + n, 3 * MINUTE_MS + i64::try_from(n).expect("small") * 5_000, n, 0)));
    log.push(code(WAITS + 20, 40 * MINUTE_MS, 7, 0));
    let whole = run(&log, usize::MAX, 1);
    let (alerts, ..) = &whole;
    let fired = alerts.iter().filter(|alert| alert.rule == "auth.unused_code").collect::<Vec<_>>();
    assert_eq!(fired.len(), WAITS + 21);
    let opened: Vec<i64> = fired.iter().map(|alert| parse_rfc3339(&alert.opened_at).expect("an instant")).collect();
    assert!(opened.is_sorted(), "in order of time");
    for (cut, threads) in [(999, 1), (usize::MAX, 3)] {
        let other = run(&log, cut, threads);
        assert!(whole.0 == other.0 && whole.1 == other.1, "what leaves differs: {cut}, {threads}");
        assert_eq!(whole.2, other.2);
        assert!(whole.3 == other.3, "what stays differs: {cut}, {threads}");
    }
}
