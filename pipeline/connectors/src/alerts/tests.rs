//! The store by example; `model` holds it to plain lists through crashes.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use rasid_compiler::ruleset::{Mode, Severity};
use redb::TableDefinition;
use rstest::rstest;

use super::state::HOUR_MS;
use super::*;
use crate::log::Act;
use crate::outbox::backend::Memory;

mod model;

const FOREVER: Retention = Retention { age_ms: i64::MAX, count_max: u64::MAX };

fn in_memory(retention: Retention) -> AlertStore {
    let store = AlertStore::with_backend(Memory::new().backend(), retention).unwrap();
    store.begin(0).unwrap();
    store
}

/// An alert of that number, opened at `position`; odd ones are of one rule, even ones of another.
fn opened(position: u64, number: u64, opened_at_ms: i64) -> Changed {
    let rule = if number % 2 == 1 { "auth.odd" } else { "chat.even" }.to_owned();
    let (severity, mode) = if number.is_multiple_of(3) { (Severity::Sev1, Mode::Shadow) } else { (Severity::Sev2, Mode::Active) };
    let (id, entity) = (format!("al_{number:03}"), format!("user:u_{}", number % 5));
    let json = format!(r#"{{"id":"{id}"}}"#);
    Changed { position, change: Change::Opened(Opened { id, rule, severity, mode, entity, opened_at_ms, json }) }
}

fn feedback(position: u64, numbers: &[u64], act: Act) -> Changed {
    let alerts = numbers.iter().map(|number| format!("al_{number:03}")).collect();
    let (who, claimed, why) = ("rasid".to_owned(), "noor".to_owned(), format!("reason {position}"));
    let at_ms = 1_000 * i64::try_from(position).unwrap();
    Changed { position, change: Change::Feedback(Feedback { alerts, act, who, claimed, why, at_ms }) }
}

fn retracted(position: u64, rule: &str, since_ms: i64) -> Changed {
    Changed { position, change: Change::Retracted { rule: rule.to_owned(), since_ms } }
}

fn acknowledge(assignee: Option<&str>) -> Act {
    Act::Acknowledge { assignee: assignee.map(str::to_owned) }
}

fn ids(page: &Page) -> Vec<&str> {
    page.alerts.iter().map(|alert| alert.id.as_str()).collect()
}

fn all(store: &AlertStore) -> Vec<KeptAlert> {
    let page = store.list(&Filter::default(), None, usize::MAX).unwrap();
    assert_eq!(page.next, None);
    page.alerts
}

/// A file of the format before has neither counts nor what changed when.
#[test]
fn a_file_of_the_format_before_is_put_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.redb");
    let store = AlertStore::open(&path, FOREVER).unwrap();
    store.begin(0).unwrap();
    store.apply(9, &[opened(1, 1, 50), opened(2, 2, HOUR_MS), feedback(3, &[1], Act::Close)]).unwrap();
    let (changes, counts) = (store.changes(0, 9).unwrap(), store.counts(0, 2 * HOUR_MS).unwrap());
    assert_eq!(changes.alerts.iter().map(|alert| alert.id.as_str()).collect::<Vec<_>>(), ["al_002", "al_001"]);
    assert_eq!(
        counts.iter().map(|count| (count.rule.as_str(), count.hour_ms, count.alerts)).collect::<Vec<_>>(),
        [("auth.odd", 0, 1), ("chat.even", HOUR_MS, 1)]
    );
    drop(store);

    let database = Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.delete_table(tables::COUNTS).unwrap();
    write.open_table(tables::ORDERS).unwrap().retain(|(order, ..), ()| order != "c").unwrap();
    write.open_table(META).unwrap().insert(NAMED_FORMAT, 1).unwrap();
    write.commit().unwrap();
    drop(database);
    let store = AlertStore::open(&path, FOREVER).unwrap();
    assert_eq!((store.changes(0, 9).unwrap(), store.counts(0, 2 * HOUR_MS).unwrap()), (changes, counts));
}

#[test]
fn an_alert_is_there_after_a_restart_with_all_that_was_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.redb");
    let store = AlertStore::open(&path, FOREVER).unwrap();
    assert_eq!(store.position(), None);
    store.begin(2).unwrap();
    let changes = [
        opened(3, 1, 50),
        feedback(4, &[1, 77], acknowledge(None)),
        feedback(5, &[1], acknowledge(Some("dana"))),
        feedback(6, &[1], Act::Verdict(Verdict::FalsePositive)),
        feedback(7, &[1], Act::Close),
    ];
    store.apply(9, &changes).unwrap();
    let figures = store.figures();
    drop(store);

    let store = AlertStore::open(&path, FOREVER).unwrap();
    assert_eq!((store.position(), store.figures()), (Some(9), figures.clone()));
    assert_eq!((figures.from, figures.gaps), (3, vec![]));
    assert_eq!(figures.by_status, [(Status::Open, 0), (Status::Acknowledged, 0), (Status::Closed, 1)].into());
    assert_eq!(figures.verdicts, [(("auth.odd".to_owned(), Verdict::FalsePositive), 1)].into());
    let KeptAlert { json, state, retracted, .. } = store.get("al_001").unwrap().unwrap();
    assert_eq!((json.as_str(), retracted), (r#"{"id":"al_001"}"#, None));
    assert_eq!((state.position, state.opened_at_ms, state.status, state.assignee.as_deref()), (3, 50, Status::Closed, Some("dana")));
    let at = |said: &Option<Said>| said.as_ref().map(|said| (said.position, said.at_ms, said.who.clone(), said.claimed.clone()));
    assert_eq!(at(&state.acknowledged), Some((4, 4_000, "rasid".to_owned(), "noor".to_owned())), "the first one");
    assert_eq!(at(&state.closed).unwrap().0, 7);
    assert_eq!(state.verdict.map(|(verdict, said)| (verdict, said.why)), Some((Verdict::FalsePositive, "reason 6".to_owned())));
    assert_eq!(state.history.iter().map(|entry| entry.said.position).collect::<Vec<_>>(), [4, 5, 6, 7]);
    assert_eq!(store.get("al_077").unwrap(), None, "nobody hears what is said about an alert that is not there");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert!(!folder.path().join("alerts.redb.new").exists());
}

#[test]
fn what_was_put_in_once_is_not_put_in_again() {
    let store = in_memory(FOREVER);
    let first = [opened(3, 1, 50), feedback(4, &[1], Act::Verdict(Verdict::Unsure))];
    store.apply(4, &first).unwrap();
    store.apply(4, &first).unwrap();
    store.apply(3, &first[..1]).unwrap();
    let more = [first[0].clone(), first[1].clone(), feedback(5, &[1], Act::Close)];
    store.apply(6, &more).unwrap();
    let alerts = all(&store);
    assert_eq!((alerts.len(), alerts[0].state.history.len(), store.position()), (1, 2, Some(6)));
    for wrong in [[opened(9, 2, 1), opened(8, 3, 1)], [opened(8, 2, 1), opened(11, 3, 1)]] {
        let error = store.apply(10, &wrong).unwrap_err();
        assert!(matches!(error, Error::Outside { after: 6, upto: 10, .. }) && error.disposition() == Disposition::Halt, "{error}");
    }
    assert_eq!(all(&store), alerts, "nothing of it was done");
    // An id names one alert (E2).
    store.apply(12, &[opened(12, 1, 99)]).unwrap();
    assert_eq!(all(&store), alerts);
}

#[test]
fn what_is_closed_is_taken_up_again_by_an_acknowledgement() {
    let store = in_memory(FOREVER);
    store.apply(3, &[opened(1, 1, 5), feedback(2, &[1], Act::Close), feedback(3, &[1], acknowledge(None))]).unwrap();
    let state = &all(&store)[0].state;
    assert_eq!((state.status, &state.closed, state.assignee.as_deref()), (Status::Acknowledged, &None, Some("noor")));
    let of = |status| ids(&store.list(&Filter { status: vec![status], ..Filter::default() }, None, 9).unwrap()).len();
    assert_eq!(Status::ALL.map(of), [0, 1, 0]);
}

#[test]
fn a_verdict_is_counted_once_and_a_changed_one_under_its_new_word() {
    let store = in_memory(FOREVER);
    let verdict = |position, numbers: &[u64], verdict| feedback(position, numbers, Act::Verdict(verdict));
    store.apply(3, &[opened(1, 1, 5), opened(1, 2, 5), opened(1, 3, 5)]).unwrap();
    store.apply(4, &[verdict(4, &[1, 2, 3], Verdict::TruePositive)]).unwrap();
    store.apply(6, &[verdict(5, &[1], Verdict::Unsure), verdict(6, &[2], Verdict::TruePositive)]).unwrap();
    let count = |rule: &str, verdict| store.figures().verdicts.get(&(rule.to_owned(), verdict)).copied();
    assert_eq!((count("auth.odd", Verdict::TruePositive), count("chat.even", Verdict::TruePositive)), (Some(1), Some(1)));
    assert_eq!((count("auth.odd", Verdict::Unsure), count("chat.even", Verdict::Unsure)), (Some(1), None));
}

#[rstest]
#[case::all(Filter::default(), &[6, 5, 4, 3, 2, 1])]
#[case::rule(Filter { rule: Some("auth.odd".to_owned()), ..Filter::default() }, &[5, 3, 1])]
#[case::area(Filter { area: Some("chat".to_owned()), ..Filter::default() }, &[6, 4, 2])]
#[case::no_area(Filter { area: Some("cha".to_owned()), ..Filter::default() }, &[])]
#[case::entity(Filter { entity: Some("user:u_1".to_owned()), ..Filter::default() }, &[6, 1])]
#[case::severity(Filter { severity: vec![Severity::Sev1], ..Filter::default() }, &[6, 3])]
#[case::mode(Filter { mode: Some(Mode::Active), ..Filter::default() }, &[5, 4, 2, 1])]
#[case::status(Filter { status: vec![Status::Closed], ..Filter::default() }, &[2])]
#[case::verdict(Filter { verdict: Some(Verdict::Unsure), ..Filter::default() }, &[4])]
#[case::judged(Filter { judged: Some(true), ..Filter::default() }, &[4, 2])]
#[case::unjudged(Filter { judged: Some(false), rule: Some("chat.even".to_owned()), ..Filter::default() }, &[6])]
#[case::retracted(Filter { retracted: Some(true), ..Filter::default() }, &[3])]
#[case::not_retracted(Filter { retracted: Some(false), rule: Some("auth.odd".to_owned()), ..Filter::default() }, &[5, 1])]
#[case::since(Filter { since_ms: Some(50), ..Filter::default() }, &[6, 5])]
#[case::until(Filter { until_ms: Some(50), ..Filter::default() }, &[4, 3, 2, 1])]
#[case::between(Filter { since_ms: Some(20), until_ms: Some(21), ..Filter::default() }, &[2])]
#[case::backwards(Filter { since_ms: Some(50), until_ms: Some(20), ..Filter::default() }, &[])]
#[case::together(Filter { area: Some("chat".to_owned()), judged: Some(true), severity: vec![Severity::Sev2], ..Filter::default() }, &[4, 2])]
fn lists_are_newest_first_and_pages_cover_them_once(#[case] filter: Filter, #[case] expected: &[u64]) {
    let store = in_memory(FOREVER);
    let mut changes: Vec<Changed> = (1..=5).map(|number| opened(number, number, 10 * i64::try_from(number).unwrap())).collect();
    changes.push(retracted(6, "auth.odd", 30)); // of 1, 3 and 5 the one since then that was there, but for the one that ...
    changes.insert(4, retracted(4, "auth.odd", 30)); // ... opened behind this
    changes.retain(|change| change.position != 6);
    changes.push(opened(7, 6, 60));
    changes.push(feedback(8, &[4], Act::Verdict(Verdict::Unsure)));
    changes.push(feedback(9, &[2], Act::Verdict(Verdict::TruePositive)));
    changes.push(feedback(10, &[2], Act::Close));
    store.apply(10, &changes).unwrap();
    let expected: Vec<String> = expected.iter().map(|number| format!("al_{number:03}")).collect();
    for limit in [1, 2, 6, 100] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.list(&filter, after.as_ref(), limit).unwrap();
            assert!(page.alerts.len() <= limit);
            found.extend(ids(&page).into_iter().map(str::to_owned));
            let Some(next) = page.next else { break };
            after = Some(next.to_string().parse().unwrap());
        }
        assert_eq!(found, expected, "{limit} a page");
    }
}

#[test]
fn cursors_are_what_was_given_out() {
    let cursor = Cursor { opened_at_ms: -7, id: "al_1.2".to_owned() };
    assert_eq!(cursor.to_string().parse(), Ok(cursor));
    for text in ["", "7", "x.al_1", ".al_1"] {
        assert_eq!(text.parse::<Cursor>(), Err(NoCursor), "{text}");
    }
}

#[test]
fn an_alert_is_taken_back_with_its_rules_others_that_were_open_then() {
    let store = in_memory(FOREVER);
    let changes = [opened(1, 1, 10), opened(2, 3, 20), retracted(3, "auth.odd", 20), opened(4, 5, 30), retracted(5, "chat.even", 0)];
    store.apply(5, &changes).unwrap();
    let of = |id: &str| store.get(id).unwrap().unwrap().retracted;
    assert_eq!((of("al_001"), of("al_003"), of("al_005")), (None, Some(3), None), "too old; taken back; opened afterwards");
    store.apply(6, &[retracted(6, "auth.odd", 0)]).unwrap();
    assert_eq!((of("al_001"), of("al_003"), of("al_005")), (Some(6), Some(6), Some(6)));
}

#[test]
fn ids_are_found_by_their_beginning() {
    let store = in_memory(FOREVER);
    store.apply(3, &[opened(1, 1, 10), opened(2, 12, 20), opened(3, 13, 30)]).unwrap();
    assert_eq!(store.begin_with("al_00", 5).unwrap(), ["al_001"]);
    assert_eq!(store.begin_with("al_01", 5).unwrap(), ["al_012", "al_013"]);
    assert_eq!(store.begin_with("al_", 2).unwrap().len(), 2);
    assert_eq!(store.begin_with("al_9", 2).unwrap(), [""; 0]);
}

#[rstest]
#[case::as_many_as_may_be(Retention { age_ms: i64::MAX, count_max: 4 }, &[], &[4, 3, 2, 1])]
#[case::one_too_many(Retention { age_ms: i64::MAX, count_max: 3 }, &[], &[4, 3, 2])]
#[case::closed_ones_first(Retention { age_ms: i64::MAX, count_max: 3 }, &[2], &[4, 3, 1])]
#[case::of_those_the_oldest(Retention { age_ms: i64::MAX, count_max: 3 }, &[3, 2], &[4, 3, 1])]
#[case::then_the_oldest(Retention { age_ms: i64::MAX, count_max: 2 }, &[3], &[4, 2])]
#[case::as_old_as_may_be(Retention { age_ms: 30, count_max: 9 }, &[], &[4, 3, 2, 1])]
#[case::too_old(Retention { age_ms: 29, count_max: 9 }, &[], &[4, 3, 2])]
fn what_is_too_old_or_too_much_goes(#[case] retention: Retention, #[case] closed: &[u64], #[case] expected: &[u64]) {
    let store = in_memory(retention);
    let mut changes: Vec<Changed> = (1..=2).map(|number| opened(number, number, 10 * i64::try_from(number).unwrap())).collect();
    changes.push(feedback(3, closed, Act::Close));
    if closed.contains(&3) {
        changes.push(opened(4, 3, 30));
        changes.push(feedback(5, &[3], Act::Close));
    } else {
        changes.push(opened(4, 3, 30));
    }
    changes.push(opened(6, 4, 40));
    store.apply(6, &changes).unwrap();
    let expected: Vec<String> = expected.iter().map(|number| format!("al_{number:03}")).collect();
    assert_eq!(ids(&store.list(&Filter::default(), None, 9).unwrap()), expected);
    assert_eq!(store.figures().by_status.values().sum::<u64>(), expected.len() as u64);
    let gone = (1..=4).map(|number| format!("al_{number:03}")).filter(|id| !expected.contains(id));
    gone.for_each(|id| assert_eq!(store.get(&id).unwrap(), None));
}

#[test]
fn a_bound_that_was_lowered_is_reached_in_steps() {
    let memory = Memory::new();
    let open = |count_max| AlertStore::with_backend(memory.backend(), Retention { count_max, ..FOREVER }).unwrap();
    let store = open(1_000);
    store.begin(0).unwrap();
    let changes: Vec<Changed> = (1..=100).map(|number| opened(number, number, 0)).collect();
    store.apply(100, &changes).unwrap();
    drop(store);
    let store = open(10);
    let count = || all(&store).len();
    let counts: Vec<usize> = (101..=108)
        .map(|number| {
            store.apply(number, &[opened(number, number, 1)]).unwrap();
            count()
        })
        .collect();
    assert_eq!(counts, [85, 70, 55, 40, 25, 10, 10, 10]);
}

#[test]
fn a_history_is_bounded_and_says_what_it_lacks() {
    let store = in_memory(FOREVER);
    store.apply(1, &[opened(1, 1, 10)]).unwrap();
    for position in 2..=130 {
        store.apply(position, &[feedback(position, &[1], acknowledge(Some("noor")))]).unwrap();
    }
    let state = &all(&store)[0].state;
    assert_eq!((state.history.len(), state.forgotten, state.history[0].said.position), (100, 29, 31));
    assert_eq!(state.acknowledged.as_ref().map(|said| said.position), Some(2), "the first is known all the same");
}

#[test]
fn what_was_never_put_in_is_on_record() {
    let memory = Memory::new();
    let store = AlertStore::with_backend(memory.backend(), FOREVER).unwrap();
    store.begin(10).unwrap();
    store.apply(12, &[opened(11, 1, 5)]).unwrap();
    store.skip(20).unwrap();
    store.apply(21, &[opened(21, 2, 6)]).unwrap();
    drop(store);
    let figures = AlertStore::with_backend(memory.backend(), FOREVER).unwrap().figures();
    assert_eq!((figures.position, figures.from, figures.gaps), (21, 11, vec![(13, 20)]));
}

#[test]
fn a_file_that_is_none_of_ours_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let refused = |path: &Path| AlertStore::open(path, FOREVER).unwrap_err();
    fs::write(at("text"), "not a database, and long enough to be looked at").unwrap();
    assert!(matches!(refused(&at("text")), Error::Foreign { .. }));
    drop(crate::outbox::Outbox::open(&at("outbox.redb")).unwrap());
    let error = refused(&at("outbox.redb"));
    assert!(matches!(error, Error::Foreign { .. }) && error.to_string().contains("its tables are"), "{error}");
    let other: TableDefinition<'_, u64, u64> = TableDefinition::new("other");
    let database = Database::create(at("other.redb")).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(other).unwrap();
    write.commit().unwrap();
    drop(database);
    assert!(matches!(refused(&at("other.redb")), Error::Foreign { .. }));

    let path = at("alerts.redb");
    let store = AlertStore::open(&path, FOREVER).unwrap();
    assert!(matches!(refused(&path), Error::Held { .. }));
    drop(store);
    let database = Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(META).unwrap().insert(NAMED_FORMAT, FORMAT + 1).unwrap();
    write.commit().unwrap();
    drop(database);
    let error = refused(&path);
    assert!(matches!(error, Error::Newer { .. }) && error.disposition() == Disposition::Halt, "{error}");
    assert!(error.to_string().contains("format 3, and this rasid reads up to 2"), "{error}");
}

#[test]
fn a_full_disk_is_waited_for_and_nothing_is_put_in_twice() {
    let memory = Memory::new();
    let store = AlertStore::with_backend(memory.backend(), FOREVER).unwrap();
    store.begin(0).unwrap();
    let mut position = 0;
    for writes in 0..12 {
        position += 1;
        let changes = [opened(position, position, 5), feedback(position, &[position], Act::Close)];
        memory.fill_after(writes);
        if let Err(error) = store.apply(position, &changes) {
            assert_eq!(error.disposition(), Disposition::Retry, "{error}");
            memory.heal();
            store.apply(position, &changes).unwrap();
        }
        memory.heal();
    }
    let alerts = all(&store);
    assert_eq!(alerts.len(), 12);
    assert!(alerts.iter().all(|alert| alert.state.history.len() == 1));
}
