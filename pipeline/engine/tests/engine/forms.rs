//! What time alone makes fire, and what all keys together are like, against plain lists of what came.

#![expect(clippy::indexing_slicing, reason = "what is out of range fails the test")]
#![expect(clippy::cast_precision_loss, reason = "numbers far below 2^53")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use rasid_detectors::event::envelope::Limits;
use rasid_detectors::event::time::parse_rfc3339;
use rasid_engine::{Alert, Config, Engine, Opened, Output, Pseudonymizer, Record};

use crate::common::{ARRIVAL_MS, Draw, FORM_RULES, START_MS, Saved, astray, draws_of, engine, is_ahead, json, strays};

const MINUTE_MS: i64 = 60_000;
const LATENESS_MS: i64 = 5 * MINUTE_MS;

fn records(log: &[String]) -> Vec<Record<'_>> {
    (1..).zip(log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect()
}

fn alerts(rules: &[(&str, &str)], log: &[String], cut: usize) -> Vec<Alert> {
    let mut engine = engine(rules, Config::default());
    records(log).chunks(cut).flat_map(|batch| engine.process(batch).alerts).collect()
}

fn log_of(draws: &[Draw]) -> Vec<String> {
    draws.iter().enumerate().map(|(id, draw)| json(id, draw)).collect()
}

/// A code to a phone, or the use of one; `login` is what the rule's filter asks for.
fn code(id: usize, at_ms: i64, used: bool, login: bool) -> String {
    json(id, &Draw { at_ms, kind: u8::from(used), who: 0, how: u8::from(!login) })
}

/// (which event, when, by which record), of each alert.
fn opened(alerts: &[Alert]) -> Vec<(String, i64, u64)> {
    let when = |alert: &Alert| parse_rfc3339(&alert.opened_at).expect("an instant") - START_MS;
    alerts.iter().map(|alert| (alert.event.id.clone(), when(alert), alert.position)).collect()
}

#[test]
fn a_wait_is_over_before_the_event_that_passes_it() {
    let log = [
        code(0, 0, false, true),
        code(1, 10_000, false, true),
        code(2, 20_000, true, true),   // answers both
        code(3, 30_000, false, true),  // nobody answers this one
        code(4, 40_000, true, false),  // which the filter does not let answer
        code(5, 210_000, false, true), // at the very instant: it is not passed yet
        code(6, 210_000, true, true),  // and an answer that comes then is in time
        code(7, 400_000, false, true),
        code(8, 600_000, false, false),           // passes the wait of 7
        code(9, 10 * MINUTE_MS + 1, false, true), // and no time passes after this
    ];
    let due = alerts(&FORM_RULES[..1], &log, 3);
    assert_eq!(opened(&due), [("e7".to_owned(), 580_000, 9)]);
    // Without the late answer it is over, and the alert says so of the event that armed it.
    let unanswered: Vec<String> = log.iter().enumerate().filter(|(id, _)| *id != 6).map(|(_, text)| text.clone()).collect();
    let due = alerts(&FORM_RULES[..1], &unanswered, 1);
    assert_eq!(opened(&due), [("e3".to_owned(), 210_000, 7), ("e5".to_owned(), 390_000, 7), ("e7".to_owned(), 580_000, 8)]);
    assert_eq!(due[0].explanation, "unused, and 1 more");
}

/// A booking that is to begin so many minutes after the start.
fn booking(id: usize, at_minute: i64, name: &str, scheduled_minute: Option<i64>) -> String {
    let time = |minute: i64| rasid_detectors::event::time::format_rfc3339(START_MS + minute * MINUTE_MS);
    let scheduled = scheduled_minute.map_or_else(String::new, |minute| format!(r#","scheduled_at":"{}""#, time(minute)));
    let time = time(at_minute);
    format!(
        r#"{{"specversion":"1.0","id":"e{id}","source":"/test","type":"booking.{name}","time":"{time}","data":{{"booking_id":"b_{id}","client_id":"u_1"{scheduled}}}}}"#
    )
}

const NO_SHOW: &[(&str, &str)] = &[(
    "booking/no_show.yaml",
    r#"
rule: booking.no_show
title: Nobody came
on: booking.accepted
entity: user(client_id)
let:
  no_show: {absence: booking.started, after: booking.accepted, from: scheduled_at, by: booking, window: 2h}
when: no_show.fired
suppress: 0s
explain: "x"
"#,
)];

#[test]
fn a_wait_may_begin_at_a_time_of_its_event() {
    const DAY: i64 = 24 * 60;
    let log = [
        booking(0, 0, "accepted", Some(3 * DAY)),
        booking(1, 1, "accepted", None),           // waits for nothing
        booking(2, 2, "accepted", Some(1)),        // its time is over: from now
        booking(3, 3, "accepted", Some(91 * DAY)), // too far ahead
        booking(4, 4, "accepted", Some(2 * DAY)),
        booking(9, 3 * DAY + 119, "accepted", None),
        booking(10, 3 * DAY + 121, "accepted", None),
        booking(11, 100 * DAY, "accepted", None),
    ];
    for cut in 1..log.len() {
        let due = alerts(NO_SHOW, &log, cut);
        let minutes: Vec<(String, i64)> = opened(&due).into_iter().map(|(id, at_ms, _)| (id, at_ms / MINUTE_MS)).collect();
        let expected = [("e2".to_owned(), 122), ("e4".to_owned(), 2 * DAY + 120), ("e0".to_owned(), 3 * DAY + 120)];
        assert_eq!(minutes, expected, "cut at {cut}");
    }
}

#[test]
fn time_passes_in_silence_too() {
    let log = [code(0, 0, false, true), code(1, 1_000, false, true)];
    let mut engine = engine(FORM_RULES, Config::default());
    assert!(engine.process(&records(&log)).alerts.is_empty(), "no timer fires past the last event");
    assert!(engine.tick(3, START_MS + LATENESS_MS + 3 * MINUTE_MS).alerts.is_empty(), "the clock stands at the due time");
    let Output { alerts, scores, .. } = engine.tick(4, START_MS + LATENESS_MS + 3 * MINUTE_MS + 1);
    assert_eq!(opened(&alerts), [("e0".to_owned(), 3 * MINUTE_MS, 4)]);
    assert_eq!(scores.iter().map(|change| change.position).collect::<Vec<_>>(), [4]);
    assert_eq!(engine.tick(5, START_MS + 60 * MINUTE_MS).alerts.len(), 1, "the other one");
    assert!(engine.tick(6, START_MS + 90 * MINUTE_MS).alerts.is_empty());
}

#[test]
fn a_wait_is_kept_until_it_is_over_where_nothing_may_be_late() {
    let log = [code(0, 0, false, true), code(1, 3 * MINUTE_MS, false, true), code(2, 3 * MINUTE_MS + 1, false, true)];
    let mut engine = engine(&FORM_RULES[..1], Config { lateness_ms: 0, ..Config::default() });
    assert_eq!(opened(&engine.process(&records(&log)).alerts), [("e0".to_owned(), 3 * MINUTE_MS, 3)]);
    assert_eq!(engine.tick(4, START_MS + 7 * MINUTE_MS).alerts.len(), 2);
}

/// One rule, its own event and its own wait: two alerts, with ids of their own; and memory does not grow by what comes due.
#[test]
fn what_an_event_opens_and_what_its_wait_opens_are_two() {
    let both = FORM_RULES[0].1.replace("when: unused.fired", "when: unused.fired || data.purpose == \"login\"");
    let log = [code(0, 0, false, true), code(1, 10 * MINUTE_MS, true, false)];
    let found = alerts(&[(FORM_RULES[0].0, &both)], &log, 1);
    assert_eq!(opened(&found), [("e0".to_owned(), 0, 1), ("e0".to_owned(), 3 * MINUTE_MS, 2)]);
    assert_ne!(found[0].id, found[1].id);
}

/// Padding hides no event from a wait, and costs no other its place: the record is kept without it.
#[test]
fn a_padded_record_begins_a_wait_without_its_padding() {
    let padded = |id: usize| code(id, 0, false, true).replace("\"data\":{", &format!("\"data\":{{\"note\":\"{}\",", "x".repeat(300_000)));
    let log = [padded(0), code(1, 0, false, true), code(2, 10 * MINUTE_MS, false, true)];
    let found = opened(&alerts(&FORM_RULES[..1], &log, 1));
    assert_eq!(found, [("e0".to_owned(), 3 * MINUTE_MS, 3), ("e1".to_owned(), 3 * MINUTE_MS, 3)]);
    let mut engine = engine(&FORM_RULES[..1], Config::default());
    engine.process(&records(&[padded(0)]));
    assert!(engine.state_bytes() < 5_000, "{} bytes", engine.state_bytes());
}

/// As another version might: what armed the wait is refused where it is seen once more. It ends, and is counted.
#[test]
fn a_wait_that_cannot_be_read_any_more_ends() {
    let mut before = engine(&FORM_RULES[..1], Config::default());
    before.process(&records(&[code(0, 0, false, true)]));
    let saved = Saved::of(&before.snapshot());
    let limits = Limits { record_bytes_max: 20, ..Limits::default() };
    let secret = Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough");
    let config = Config { limits, ..Config::default() };
    let mut after =
        Engine::restore(crate::common::ruleset(&FORM_RULES[..1]), config, secret, &mut |part| saved.get(part)).expect("what was saved");
    assert!(after.tick(2, START_MS + 60 * MINUTE_MS).alerts.is_empty());
    assert_eq!(after.counters().waits_lost, 1);
    assert!(after.tick(3, START_MS + 90 * MINUTE_MS).alerts.is_empty());
    assert_eq!(after.counters().waits_lost, 1);
}

#[test]
fn how_many_waits_are_open_is_known() {
    let mut engine = engine(&FORM_RULES[..2], Config::default());
    engine.process(&records(&[code(0, 0, false, true), code(1, 10_000, false, true)]));
    assert_eq!(engine.open_waits(), 2);
    engine.process(&records(&[code(2, 5_000, true, true)]));
    assert_eq!(engine.open_waits(), 1, "the first is answered");
    assert_eq!(engine.tick(4, START_MS + LATENESS_MS + 4 * MINUTE_MS).alerts.len(), 1);
    assert_eq!(engine.open_waits(), 0);
}

/// Whose test fails for want of values is told how many there are.
#[test]
fn a_test_says_how_far_a_quantile_is_from_a_value() {
    let refund = |at: i64| {
        format!(
            "{{at: {at}m, type: payment.refund_issued, data: {{payment_id: p_{at}, user_id: u_1, amount: 900, currency: EGP, method: card}}}}"
        )
    };
    let events: Vec<String> = (1..4).map(refund).collect();
    let tests = format!("tests: [{{name: n, events: [{}], alerts: [{{at: 3m, entity: user}}]}}]\n", events.join(", "));
    let text = format!("{}{tests}", FORM_RULES[3].1);
    let outcome = rasid_engine::run_tests(&crate::common::ruleset(&[(FORM_RULES[3].0, &text)])).expect("an engine");
    let shown = outcome.failures.expect("no alert").render(false);
    assert!(shown.contains("→ no value: `high` has 2 of at_least 5"), "{shown}");
}

#[test]
fn one_key_waits_for_sixteen_at_most() {
    let mut log: Vec<String> = (0..40).map(|id| code(id, 1_000, false, true)).collect();
    log.push(code(99, 60 * MINUTE_MS, true, true));
    let due = opened(&alerts(&FORM_RULES[..1], &log, 7));
    assert_eq!(due.iter().map(|(id, ..)| id.as_str()).collect::<Vec<_>>(), (0..16).map(|id| format!("e{id}")).collect::<Vec<_>>());
}

/// Whether an event is no dead letter: neither of the future nor from before 1970.
fn is_taken(draw: &Draw) -> bool {
    !is_ahead(draw) && START_MS + draw.at_ms >= 0
}

/// What was armed and is over: every wait of the rule, by plain search.
fn over(draws: &[Draw]) -> Vec<(String, i64)> {
    const WINDOW_MS: i64 = 3 * MINUTE_MS;
    struct Key {
        changed_ms: i64,
        answers: Vec<i64>,
        /// (id, when, due).
        open: Vec<(usize, i64, i64)>,
    }
    let mut keys: BTreeMap<u8, Key> = BTreeMap::new();
    let (mut clock_ms, mut over) = (i64::MIN, Vec::new());
    for (id, draw) in draws.iter().enumerate().filter(|(_, draw)| is_taken(draw)) {
        clock_ms = clock_ms.max(draw.at_ms);
        for key in keys.values_mut() {
            let (passed, open) = std::mem::take(&mut key.open).into_iter().partition(|(_, _, due_ms)| *due_ms < clock_ms);
            key.open = open;
            let passed: Vec<(usize, i64, i64)> = passed;
            key.changed_ms = passed.iter().map(|(_, _, due_ms)| *due_ms).fold(key.changed_ms, i64::max);
            over.extend(passed.into_iter().map(|(id, _, due_ms)| (due_ms, id)));
        }
        if draw.kind > 1 {
            continue;
        }
        let is_answer = draw.kind == 1 && draw.how % 2 == 0;
        if draw.kind == 1 && !is_answer {
            continue;
        }
        let key = keys.entry(draw.who % 8).or_insert(Key { changed_ms: clock_ms, answers: Vec::new(), open: Vec::new() });
        if key.changed_ms + WINDOW_MS + 1 + LATENESS_MS <= clock_ms {
            key.answers.clear();
        }
        key.changed_ms = clock_ms;
        if is_answer {
            key.answers.push(draw.at_ms);
            key.open.retain(|(_, at_ms, _)| *at_ms > draw.at_ms);
        } else if key.answers.iter().all(|answer_ms| *answer_ms < draw.at_ms) && key.open.len() < 16 {
            key.open.push((id, draw.at_ms, clock_ms + WINDOW_MS));
        }
    }
    over.sort_unstable();
    over.into_iter().map(|(due_ms, id)| (format!("e{id}"), due_ms)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Late, disordered and astray, over any cut into batches.
    #[test]
    fn what_fires_is_what_nothing_answered_in_time(
        draws in draws_of(2, 200), strays in strays(), slower in 1_i64..8,
        delays in prop::collection::vec(prop_oneof![2 => Just(0_i64), 1 => 0..6 * MINUTE_MS], 200), cut in 1_usize..80,
    ) {
        let draws = draws.into_iter().zip(delays).map(|(draw, delay)| Draw { at_ms: draw.at_ms * slower / 2 - delay, ..draw }).collect();
        let draws = astray(draws, &strays);
        let mut found: Vec<(String, i64)> = opened(&alerts(&FORM_RULES[..1], &log_of(&draws), cut)).into_iter().map(|(id, at_ms, _)| (id, at_ms)).collect();
        prop_assert!(found.windows(2).all(|pair| pair[0].1 <= pair[1].1), "in the order of time");
        let number = |(id, at_ms): &(String, i64)| (*at_ms, id.trim_start_matches('e').parse::<usize>().expect("a number"));
        found.sort_by_key(number);
        prop_assert_eq!(found, over(&draws));
    }

    /// What is read at an event is of the minutes that are closed by then, or up to 1 % more.
    #[test]
    fn a_population_is_what_came_in_closed_minutes(draws in draws_of(3, 200), strays in strays(), slower in 1_i64..40, cut in 1_usize..80) {
        let all = FORM_RULES[3].1.replace("data.amount > high", "data.amount >= 0 || data.amount > high");
        // Of no amount there is no refund.
        let draws = draws.into_iter().map(|draw| Draw { at_ms: draw.at_ms * slower, kind: draw.kind.min(1) + 1, how: draw.how.max(1), ..draw }).collect();
        let draws = astray(draws, &strays);
        let read: BTreeMap<u64, Option<f64>> = alerts(&[(FORM_RULES[3].0, &all)], &log_of(&draws), cut)
            .iter()
            .map(|alert| (alert.position, serde_json::to_value(alert).expect("JSON")["values"]["high"].as_f64()))
            .collect();
        let (mut came, mut clock_ms): (Vec<(i64, i64)>, i64) = (Vec::new(), i64::MIN);
        for (position, draw) in (1_u64..).zip(&draws).filter(|(_, draw)| is_taken(draw)) {
            clock_ms = clock_ms.max(START_MS + draw.at_ms);
            if draw.kind != 2 { continue; }
            let minute_ms = clock_ms.div_euclid(MINUTE_MS) * MINUTE_MS;
            // An hour of stretches of a minute, each of which counts until all of it has left.
            let is_read = |(at_ms, _): &&(i64, i64)| *at_ms < minute_ms && at_ms.div_euclid(MINUTE_MS) * MINUTE_MS + MINUTE_MS > minute_ms - 60 * MINUTE_MS;
            let mut amounts: Vec<i64> = came.iter().filter(is_read).map(|(_, amount)| *amount).collect();
            amounts.sort_unstable();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
            let exact = (amounts.len() >= 5).then(|| amounts[(0.9 * (amounts.len() - 1) as f64) as usize] as f64);
            let found = *read.get(&position).expect("every refund opens");
            prop_assert_eq!(found.is_some(), exact.is_some(), "{}", position);
            if let (Some(found), Some(exact)) = (found, exact) {
                prop_assert!(found >= exact && found <= exact * 1.0101, "{} for {} at {}", found, exact, position);
            }
            came.push((clock_ms, i64::from(draw.how) * 500));
        }
    }

    /// One decoded batch, several engines: each does what it does by itself.
    #[test]
    fn a_batch_that_is_decoded_once_may_be_taken_by_many(draws in draws_of(6, 200), strays in strays(), sizes in prop::collection::vec(1_usize..100, 1..5), threads in 1_usize..5) {
        let log = log_of(&astray(draws, &strays));
        let all: Vec<(&str, &str)> = crate::common::all_rules().into_iter().chain(FORM_RULES.iter().copied()).collect();
        let rulesets = [&all[..], FORM_RULES, &all[..3]];
        let mut together = rulesets.map(|rules| engine(rules, Config { threads, ..Config::default() }));
        let mut apart = rulesets.map(|rules| engine(rules, Config::default()));
        let (records, mut rest, mut sizes) = (records(&log), &records(&log)[..], sizes.into_iter().cycle());
        prop_assert_eq!(records.len(), rest.len());
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(sizes.next().expect("a cycle").min(rest.len()));
            rest = after;
            let opened = Opened::default();
            let decoded = together[0].decode(batch, &opened);
            for (one, other) in together.iter_mut().zip(&mut apart) {
                let (found, expected) = (one.step(&decoded), other.process(batch));
                prop_assert_eq!(found.alerts, expected.alerts);
                prop_assert_eq!(found.dead_letters, expected.dead_letters);
                prop_assert_eq!(found.scores, expected.scores);
            }
            together[0].recycle(decoded);
        }
        for (one, other) in together.iter_mut().zip(&mut apart) {
            prop_assert!(Saved::of(&one.snapshot()) == Saved::of(&other.snapshot()), "what stays is the same");
        }
    }

    /// Out of columns, rules that need nothing raw open the alerts that they open by records, whatever is personal.
    #[test]
    fn columns_tell_rules_what_records_do(draws in draws_of(6, 200), strays in strays(), cut in 1_usize..80) {
        let log = log_of(&astray(draws, &strays));
        let mut of_records = engine(COLUMN_RULES, Config::default());
        let mut of_columns = engine(COLUMN_RULES, Config::default());
        prop_assert_eq!(of_columns.rules_that_need_raw().collect::<Vec<_>>(), ["auth.beyond", "auth.foreign", "chat.leaks", "gps.north"]);
        let needs_raw = |alert: &Alert| ["auth.beyond", "auth.foreign", "chat.leaks", "gps.north"].contains(&alert.rule.as_str());
        for batch in records(&log).chunks(cut) {
            let opened = Opened::default();
            let decoded = of_records.decode(batch, &opened);
            let archived = of_records.archived(&decoded);
            let columns: Vec<_> = archived.iter().map(|record| &record.event).collect();
            // A range of addresses is clear.
            let text = serde_json::to_string(&columns).expect("plain data").replace("192.0.2.0/24", "");
            for raw in ["+2010000000", "192.0.2.", "01000000042", "\"d_"] {
                prop_assert!(!text.contains(raw), "{} in {}", raw, text);
            }
            let columns = of_columns.columns(&archived);
            let (mut expected, found) = (of_records.step(&decoded), of_columns.step(&columns));
            expected.alerts.retain(|alert| !needs_raw(alert));
            prop_assert_eq!(found.alerts, expected.alerts);
        }
        prop_assert_eq!(of_columns.counters().events, of_records.counters().events);
    }
}

/// Keys, prefixes, counts of different ones, a last value that is compared, waits, populations; two that need what is raw; one that
/// looks into a phone; one that reads what lies outside the vocabulary; and some that look for phones and addresses in lists.
const COLUMN_RULES: &[(&str, &str)] = &[
    crate::common::RULES[0],
    crate::common::RULES[1],
    crate::common::MORE_RULES[0],
    crate::common::MORE_RULES[1],
    crate::common::SECOND_RULES[0],
    FORM_RULES[0],
    FORM_RULES[1],
    FORM_RULES[3],
    crate::common::RING_RULES[0],
    crate::common::RING_RULES[1],
    (
        "auth/other_address.yaml",
        r#"
rule: auth.other_address
title: A code is asked for from another address than the one before
on: auth.otp_requested
entity: phone
let:
  before: {previous: auth.otp_requested, of: ip, by: phone, window: 1h}
  beside: {count: auth.otp_requested, by: ip_prefix, window: 10m}
when: before != data.ip && beside > 1
suppress: 0s
explain: "{before}, now {data.ip}, {beside} beside it"
"#,
    ),
    (
        "auth/listed.yaml",
        r#"
rule: auth.listed
title: Somebody on a list, or beside one
on: auth.otp_requested
entity: phone
let:
  others: {count: auth.otp_requested, by: ip_prefix, window: 10m, where: '!(data.phone in list.friends)'}
when: data.phone in list.friends || has(data.ip) && data.ip in list.offices || !(data.phone in list.home) || others > 3
suppress: 0s
explain: "{others} others"
"#,
    ),
    (
        "auth/spared.yaml",
        r#"
rule: auth.spared
title: Anybody but friends
on: auth.otp_requested
entity: phone
when: has(data.purpose)
except: [friends]
suppress: 0s
explain: "no friend"
"#,
    ),
    (
        "lists/friends.yaml",
        "list: friends\nkind: phone\nreason: r\nentries: [{value: '+201000000001'}, {value: '01000000003', expires: 2026-09-21T15:00:00Z}]\n",
    ),
    (
        "lists/offices.yaml",
        "list: offices\nkind: ip\nreason: r\nentries: [{value: 192.0.2.0/30}, {value: 192.0.2.5}, {value: '2001:db8::/32'}]\n",
    ),
    (
        "lists/home.yaml",
        "list: home\nkind: phone_prefix\nreason: r\nentries: [{value: '+20', expires: 2026-09-21T16:00:00Z}, {value: '+971'}]\n",
    ),
    (
        "auth/foreign.yaml",
        r#"
rule: auth.foreign
title: A phone from elsewhere
on: auth.otp_requested
entity: phone
when: data.phone.startsWith("+2")
explain: "{data.phone}"
"#,
    ),
    (
        "auth/beyond.yaml",
        r#"
rule: auth.beyond
title: What no vocabulary knows
on: auth.otp_requested
entity: phone
when: data["note"] != "x"
explain: "a note"
"#,
    ),
];
