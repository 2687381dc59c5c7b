//! The outbox by example; `model` holds it to a plain map through crashes.

use std::fs;

use rasid_compiler::ruleset::Severity;
use rasid_engine::{Level, Reason, Score, ScoreChange};
use redb::{Database, TableDefinition};
use rstest::rstest;

use super::*;
use crate::effect::{AlertItem, Body, Fate, RetractedItem};

mod model;

pub(super) fn item(sink: &str, position: u64, body: Body) -> Item {
    Item { sink: sink.to_owned(), seq: 0, position, committed_ms: 1_000 * i64::try_from(position).unwrap(), body }
}

pub(super) fn alert(id: u64) -> Body {
    Body::Alert(AlertItem {
        id: format!("al_{id}"),
        rule: "auth.otp_flood".to_owned(),
        severity: Severity::Sev2,
        entity: "phone:p1_6q3m".to_owned(),
        opened_at_ms: 1_763_719_300_000,
        title: "One phone is sent too many codes".to_owned(),
        explanation: "6 codes in 10 min".to_owned(),
        runbook: None,
        json: format!(r#"{{"id":"al_{id}"}}"#),
    })
}

/// A change to a score with a reason where the version is even, to none where it is odd.
pub(super) fn score(entity: &str, version: i64) -> Body {
    let reason = Reason { rule: "a.b".to_owned(), risk: 0.64, at: version, half_life_s: 21_600 };
    let score = Score {
        entity: entity.to_owned(),
        score: 64,
        level: Some(Level::High),
        as_of: version,
        low_until: Some(version),
        medium_until: Some(version + 1),
        high_until: Some(version + 2),
        critical_until: None,
        reasons: vec![reason],
        version,
        ruleset: "sha256:9b1f".to_owned(),
        ..Score::default()
    };
    let score = (version % 2 == 0).then_some(score);
    Body::Score(ScoreChange { position: 1, entity: entity.to_owned(), version, score, live_until: version })
}

fn in_memory() -> Outbox {
    Outbox::with_backend(backend::Memory::new().backend()).unwrap()
}

fn put(outbox: &Outbox, position: u64, items: &[Item]) -> Vec<Item> {
    outbox.commit(Commit { position, items, ..Commit::default() }).unwrap()
}

fn settle(outbox: &Outbox, sink: &str, seq: u64, fate: Fate) {
    let settled = [Settled { sink: sink.to_owned(), seq, fate }];
    outbox.commit(Commit { position: outbox.position(), settled: &settled, ..Commit::default() }).unwrap();
}

fn parked(answer: &str) -> Fate {
    Fate::Parked { answer: answer.to_owned() }
}

fn seqs(items: &[Item]) -> Vec<u64> {
    items.iter().map(|item| item.seq).collect()
}

#[test]
fn a_new_outbox_is_empty() {
    let outbox = in_memory();
    assert_eq!((outbox.position(), outbox.depth("core"), outbox.bytes()), (0, 0, 0));
    assert_eq!(outbox.pending("core", 0, 10).unwrap(), []);
    assert_eq!(outbox.parked(None, 10).unwrap(), []);
    assert_eq!(outbox.held(), []);
}

#[test]
fn a_commit_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.redb");
    let retracted = RetractedItem { id: "retract_3".to_owned(), rule: "auth.otp_flood".to_owned(), since_ms: 5 };
    let items = [item("core", 2, alert(1)), item("redis", 2, score("user:u_1", 7)), item("core", 3, Body::Retracted(retracted))];
    let alerts = [CommittedAlert { position: 2, json: b"one" }, CommittedAlert { position: 2, json: b"two" }];
    let outbox = Outbox::open(&path).unwrap();
    let queued = outbox.commit(Commit { position: 3, alerts: &alerts, items: &items, ..Commit::default() }).unwrap();
    assert_eq!(seqs(&queued), [1, 1, 2]);
    let bytes = outbox.bytes();
    drop(outbox);

    let outbox = Outbox::open(&path).unwrap();
    assert_eq!(outbox.position(), 3);
    assert_eq!(outbox.pending("core", 0, 10).unwrap(), [queued[0].clone(), queued[2].clone()]);
    assert_eq!(outbox.pending("core", 1, 10).unwrap(), [queued[2].clone()]);
    assert_eq!(outbox.pending("core", 0, 1).unwrap(), [queued[0].clone()]);
    assert_eq!(outbox.pending("core", u64::MAX, 10).unwrap(), []);
    assert_eq!(outbox.pending("redis", 0, 10).unwrap(), [queued[1].clone()]);
    assert_eq!((outbox.depth("core"), outbox.depth("redis"), outbox.depth("oncall")), (2, 1, 0));
    let hash = |json: &[u8]| *blake3::hash(json).as_bytes().first_chunk::<16>().unwrap();
    assert_eq!(outbox.alerts_between(0, 3).unwrap(), [(2, hash(b"one")), (2, hash(b"two"))]);
    assert_eq!(outbox.alerts_between(3, 3).unwrap(), []);
    assert_eq!(outbox.alerts_between(3, 2).unwrap(), []);
    assert_eq!(outbox.bytes(), bytes);
    assert!(fs::metadata(&path).unwrap().len() > bytes);
    assert!(!folder.path().join("outbox.redb.new").exists());
}

#[test]
fn sinks_whose_names_begin_alike_are_apart() {
    let outbox = in_memory();
    put(&outbox, 1, &[item("core", 1, alert(1)), item("core2", 1, alert(2)), item("cor", 1, alert(3))]);
    assert_eq!(outbox.pending("core", 0, 10).unwrap().len(), 1);
    assert_eq!(outbox.held().len(), 3);
}

#[test]
fn a_position_never_falls() {
    let outbox = in_memory();
    put(&outbox, 5, &[]);
    let fallen = outbox.commit(Commit { position: 4, items: &[item("core", 4, alert(1))], ..Commit::default() });
    assert!(matches!(fallen, Err(Error::PositionFell { committed: 5, asked: 4 })), "{fallen:?}");
    assert_eq!((outbox.position(), outbox.depth("core")), (5, 0));
    put(&outbox, 5, &[]);
    assert_eq!(outbox.position(), 5);
}

/// C1: what was committed before left with that commit.
#[rstest]
#[case::committed_before(5, false)]
#[case::first_possible(6, true)]
#[case::last_possible(8, true)]
#[case::beyond_the_commit(9, false)]
fn an_item_belongs_to_the_commit_of_its_position(#[case] position: u64, #[case] taken: bool) {
    let outbox = in_memory();
    put(&outbox, 5, &[]);
    let answer = outbox.commit(Commit { position: 8, items: &[item("core", position, alert(1))], ..Commit::default() });
    assert_eq!(answer.is_ok(), taken);
    assert!(taken || matches!(answer, Err(Error::ItemOutside { after: 5, upto: 8, .. })), "{answer:?}");
    assert_eq!((outbox.position(), outbox.depth("core")), if taken { (8, 1) } else { (5, 0) });
}

#[rstest]
#[case::committed_before(&[5], false)]
#[case::first_possible(&[6], true)]
#[case::last_possible(&[8], true)]
#[case::beyond_the_commit(&[9], false)]
#[case::in_order(&[6, 6, 7, 8], true)]
#[case::out_of_order(&[7, 6], false)]
fn alerts_belong_to_their_commit(#[case] positions: &[u64], #[case] taken: bool) {
    let outbox = in_memory();
    put(&outbox, 5, &[]);
    let alerts: Vec<_> = positions.iter().map(|position| CommittedAlert { position: *position, json: b"{}" }).collect();
    let answer = outbox.commit(Commit { position: 8, alerts: &alerts, ..Commit::default() });
    assert_eq!(answer.is_ok(), taken, "{answer:?}");
    assert_eq!(outbox.alerts_between(0, u64::MAX).unwrap().len(), if taken { positions.len() } else { 0 });
    assert_eq!(outbox.position(), if taken { 8 } else { 5 });
}

#[test]
fn hashes_before_a_position_are_forgotten() {
    let outbox = in_memory();
    let alerts: Vec<_> = (1..=4).map(|position| CommittedAlert { position, json: b"{}" }).collect();
    outbox.commit(Commit { position: 4, alerts: &alerts, ..Commit::default() }).unwrap();
    outbox.forget_alerts_before(3).unwrap();
    let left: Vec<_> = outbox.alerts_between(0, u64::MAX).unwrap().into_iter().map(|(position, _)| position).collect();
    assert_eq!(left, [3, 4]);
    assert_eq!(outbox.bytes(), 2 * tables::ALERT_BYTES);
}

#[test]
fn a_newer_score_goes_to_the_end_in_place_of_the_older() {
    let outbox = in_memory();
    put(&outbox, 1, &[item("redis", 1, score("user:u_1", 10)), item("redis", 1, score("user:u_2", 10))]);
    let queued = put(&outbox, 2, &[item("redis", 2, score("user:u_1", 20))]);
    assert_eq!(seqs(&queued), [3]);
    let pending = outbox.pending("redis", 0, 10).unwrap();
    assert_eq!(pending.iter().map(|item| item.body.id()).collect::<Vec<_>>(), ["user:u_2#10", "user:u_1#20"]);
    // Another sink has its own newest.
    assert_eq!(put(&outbox, 3, &[item("core", 3, score("user:u_1", 5))]).len(), 1);
}

#[rstest]
#[case::older(9, &[1])]
#[case::same(10, &[2])]
#[case::newer(11, &[2])]
fn an_older_score_is_left_out(#[case] version: i64, #[case] expected: &[u64]) {
    let outbox = in_memory();
    put(&outbox, 1, &[item("redis", 1, score("user:u_1", 10))]);
    let queued = put(&outbox, 2, &[item("redis", 2, score("user:u_1", version))]);
    assert_eq!(seqs(&outbox.pending("redis", 0, 10).unwrap()), expected);
    assert_eq!(queued.len(), usize::from(version >= 10));
}

#[test]
fn a_score_that_changes_twice_in_a_commit_is_given_back_once() {
    let outbox = in_memory();
    let queued = put(&outbox, 1, &[item("redis", 1, score("user:u_1", 1)), item("redis", 1, score("user:u_1", 2))]);
    assert_eq!(queued, outbox.pending("redis", 0, 10).unwrap());
    assert_eq!(seqs(&queued), [2]);
}

#[rstest]
#[case::delivered(Fate::Delivered)]
#[case::parked(parked("400"))]
fn an_answer_to_the_older_score_leaves_the_newer(#[case] fate: Fate) {
    let outbox = in_memory();
    let older = put(&outbox, 1, &[item("redis", 1, score("user:u_1", 1))]);
    let newer = put(&outbox, 2, &[item("redis", 2, score("user:u_1", 2))]);
    settle(&outbox, "redis", older[0].seq, fate);
    assert_eq!(outbox.pending("redis", 0, 10).unwrap(), newer);
    assert_eq!(outbox.parked(None, 10).unwrap(), []);
}

#[test]
fn what_is_delivered_is_gone_and_its_seq_is_not_given_again() {
    let outbox = in_memory();
    put(&outbox, 1, &[item("core", 1, alert(1)), item("core", 1, alert(2))]);
    settle(&outbox, "core", 2, Fate::Delivered);
    settle(&outbox, "core", 2, Fate::Delivered);
    settle(&outbox, "nobody", 1, Fate::Delivered);
    settle(&outbox, "core", 1, Fate::Delivered);
    assert_eq!((outbox.depth("core"), outbox.bytes()), (0, 0));
    assert_eq!(seqs(&put(&outbox, 2, &[item("core", 2, alert(3))])), [3]);
}

#[test]
fn what_is_parked_waits_with_its_answer_and_can_go_back() {
    let outbox = in_memory();
    let queued = put(&outbox, 1, &[item("core", 1, alert(1)), item("core", 1, alert(2))]);
    settle(&outbox, "core", 1, parked("400 no such booking"));
    let kept = Parked { item: queued[0].clone(), answer: "400 no such booking".to_owned() };
    assert_eq!(outbox.parked(None, 10).unwrap(), std::slice::from_ref(&kept));
    assert_eq!(outbox.parked(Some("core"), 10).unwrap(), [kept]);
    assert_eq!(outbox.parked(Some("redis"), 10).unwrap(), []);
    assert_eq!(outbox.held(), [Held { sink: "core".to_owned(), pending: 1, parked: 1 }]);

    let back = outbox.unpark("core", 1).unwrap().unwrap();
    assert_eq!((back.seq, &back.body), (3, &queued[0].body));
    assert_eq!(seqs(&outbox.pending("core", 0, 10).unwrap()), [2, 3]);
    assert_eq!(outbox.parked(None, 10).unwrap(), []);
    assert_eq!(outbox.unpark("core", 1).unwrap(), None);
}

#[test]
fn many_parked_items_go_back_at_once_and_are_found_by_what_they_are() {
    let outbox = in_memory();
    let items: Vec<Item> = (1..=6).map(|n| item("core", n, alert(n))).collect();
    put(&outbox, 6, &items);
    (1..=6).for_each(|seq| settle(&outbox, "core", seq, parked("422")));
    put(&outbox, 7, &[item("other", 7, alert(7))]);
    settle(&outbox, "other", 1, parked("400"));
    let found = |sink, after, max| -> Vec<(String, u64)> {
        let wanted = |parked: &Parked| parked.item.position % 2 == 1;
        outbox.parked_where(sink, after, max, wanted).unwrap().into_iter().map(|parked| (parked.item.sink, parked.item.seq)).collect()
    };
    let at = |sink: &str, seq| (sink.to_owned(), seq);
    assert_eq!(found(Some("core"), 0, 10), [at("core", 1), at("core", 3), at("core", 5)]);
    assert_eq!(found(Some("core"), 1, 1), [at("core", 3)]);
    assert_eq!(found(None, 0, 10).len(), 4);
    assert_eq!((outbox.parked_newest("core").unwrap(), outbox.parked_newest("nobody").unwrap()), (6, 0));

    assert_eq!(outbox.unpark_all("core", &[2, 9, 4, 2]).unwrap(), [2, 4]);
    let back: Vec<(u64, u64)> = outbox.pending("core", 0, 10).unwrap().iter().map(|item| (item.seq, item.position)).collect();
    assert_eq!(back, [(7, 2), (8, 4)]);
    assert_eq!(outbox.parked(Some("core"), 10).unwrap().len(), 4);
}

#[test]
fn a_parked_score_goes_when_a_newer_one_comes() {
    let outbox = in_memory();
    put(&outbox, 1, &[item("core", 1, score("user:u_1", 1))]);
    settle(&outbox, "core", 1, parked("422"));
    put(&outbox, 2, &[item("core", 2, score("user:u_1", 2))]);
    assert_eq!(outbox.parked(None, 10).unwrap(), []);
    assert_eq!(outbox.unpark("core", 1).unwrap(), None);
    assert_eq!(outbox.depth("core"), 1);
}

#[test]
fn old_parked_items_are_forgotten() {
    let outbox = in_memory();
    put(&outbox, 2, &[item("core", 1, alert(1)), item("core", 2, alert(2))]);
    settle(&outbox, "core", 1, parked("a"));
    settle(&outbox, "core", 2, parked("b"));
    assert_eq!(outbox.forget_parked_before(2_000).unwrap(), 1);
    assert_eq!(outbox.parked(None, 10).unwrap().into_iter().map(|parked| parked.answer).collect::<Vec<_>>(), ["b"]);
    assert_eq!(outbox.forget_parked_before(2_001).unwrap(), 1);
    assert_eq!(outbox.bytes(), 0);
}

#[test]
fn a_second_process_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.redb");
    let first = Outbox::open(&path).unwrap();
    let second = Outbox::open(&path).unwrap_err();
    assert_eq!(second.to_string(), format!("another rasid runs on {}", path.display()));
    drop(first);
    Outbox::open(&path).unwrap();
}

#[test]
fn a_file_of_before_standing_pages_is_taken_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.redb");
    let outbox = Outbox::open(&path).unwrap();
    let queued = put(&outbox, 1, &[item("core", 1, alert(1))]);
    let write = outbox.database().unwrap().begin_write().unwrap();
    write.delete_table(STANDING).unwrap();
    write.open_table(META).unwrap().insert("format", 1).unwrap();
    write.commit().unwrap();
    drop(outbox);

    let outbox = Outbox::open(&path).unwrap();
    assert_eq!((outbox.pending("core", 0, 10).unwrap(), outbox.standing("core").unwrap()), (queued, Vec::new()));
    let page = Page { starts_ms: 1, ends_ms: 2, json: "{}".to_owned() };
    let standing = |sink: &str, page: Option<Page>| Standing { sink: sink.to_owned(), key: "a.b SEV1".to_owned(), page };
    let changes = [standing("alertmanager", Some(page.clone())), standing("alertmanagers", Some(page.clone()))];
    outbox.commit(Commit { position: 1, standing: &changes, ..Commit::default() }).unwrap();
    drop(outbox);
    let outbox = Outbox::open(&path).unwrap();
    assert_eq!(outbox.standing("alertmanager").unwrap(), [("a.b SEV1".to_owned(), page)]);
    outbox.commit(Commit { position: 1, standing: &[standing("alertmanager", None)], ..Commit::default() }).unwrap();
    assert_eq!(outbox.standing("alertmanager").unwrap(), []);
}

#[test]
fn a_newer_format_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.redb");
    let outbox = Outbox::open(&path).unwrap();
    let write = outbox.database().unwrap().begin_write().unwrap();
    write.open_table(META).unwrap().insert("format", FORMAT + 1).unwrap();
    write.commit().unwrap();
    drop(outbox);
    let error = Outbox::open(&path).unwrap_err();
    assert!(matches!(error, Error::Newer { format, .. } if format == FORMAT + 1), "{error:?}");
    assert!(error.to_string().ends_with("has outbox format 4, and this rasid reads up to 3: run the rasid that wrote it"), "{error}");
}

#[rstest]
#[case::text(b"position,alerts\n1,2\n".repeat(300))]
#[case::short(b"x".to_vec())]
#[case::zeros(vec![0; 8192])]
fn another_file_is_told(#[case] bytes: Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.redb");
    fs::write(&path, &bytes).unwrap();
    let error = Outbox::open(&path).unwrap_err();
    assert!(matches!(error, Error::Foreign { .. }), "{error:?}");
    assert_eq!(error.disposition(), Disposition::Halt);
    assert_eq!(fs::read(&path).unwrap(), bytes, "it is left as it was");
}

#[test]
fn another_database_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.redb");
    let database = Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(TableDefinition::<u64, u64>::new("ledger")).unwrap();
    write.commit().unwrap();
    drop(database);
    let error = Outbox::open(&path).unwrap_err();
    assert!(error.to_string().ends_with("is no outbox of rasid: its tables are ledger"), "{error}");
}

#[test]
fn a_file_that_was_not_finished_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.redb");
    fs::write(folder.path().join("outbox.redb.new"), [0; 4096]).unwrap();
    assert_eq!(Outbox::open(&path).unwrap().position(), 0);
    // Made, but the process ended before the first transaction.
    fs::remove_file(&path).unwrap();
    make_missing(NAME, &path).unwrap();
    assert_eq!(Outbox::open(&path).unwrap().position(), 0);
}

#[test]
fn a_damaged_value_is_told() {
    let outbox = in_memory();
    put(&outbox, 1, &[item("core", 1, alert(1))]);
    let write = outbox.database().unwrap().begin_write().unwrap();
    write.open_table(QUEUE).unwrap().insert(("core", 1), b"\xff\xff".as_slice()).unwrap();
    write.commit().unwrap();
    let error = outbox.pending("core", 0, 10).unwrap_err();
    assert_eq!(error.to_string(), "the outbox is damaged: an item cannot be read");
}

/// The bytes of an item are the file's format: where this changes, so must [`FORMAT`].
#[test]
fn an_item_has_the_form_of_this_format() {
    let hex = |body: Body| data_encoding::HEXLOWER.encode(&tables::encode(&item("core", 9, body)));
    let retracted = RetractedItem { id: "r".to_owned(), rule: "a.b".to_owned(), since_ms: 5 };
    assert_eq!(hex(Body::Retracted(retracted)), "04636f72650009d08c0102017203612e620a");
    assert_eq!(hex(score("user:u_1", 3)), "04636f72650009d08c01010108757365723a755f31060006");
    let full = concat!(
        "04636f72650009d08c01010108757365723a755f31040108757365723a755f314001020401040106010800000000000000",
        "0103612e627b14ae47e17ae43f04c0d102040b7368613235363a3962316604"
    );
    assert_eq!(hex(score("user:u_1", 2)), full);
}

#[test]
fn what_was_forgotten_is_known_to_be_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.redb");
    let outbox = Outbox::open(&path).unwrap();
    assert_eq!((outbox.alerts_from(), outbox.engines().unwrap()), (0, vec![]));
    outbox.commits_by("0.3.0").unwrap();
    outbox.commits_by("0.3.0").unwrap();
    let alerts = [CommittedAlert { position: 3, json: b"a" }, CommittedAlert { position: 7, json: b"b" }];
    outbox.commit(Commit { position: 9, alerts: &alerts, ..Commit::default() }).unwrap();
    outbox.commits_by("0.4.0").unwrap();
    outbox.forget_alerts_before(5).unwrap();
    outbox.forget_alerts_before(2).unwrap();
    let known = |outbox: &Outbox| (outbox.alerts_from(), outbox.engines().unwrap());
    let expected = (5, vec![(1, "0.3.0".to_owned()), (10, "0.4.0".to_owned())]);
    assert_eq!(known(&outbox), expected);
    drop(outbox);
    assert_eq!(known(&Outbox::open(&path).unwrap()), expected);
}

/// As files were before it was kept what is forgotten and who committed.
#[test]
fn a_file_of_before_begins_with_the_oldest_alert_that_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    for (positions, expected) in [(&[3, 7][..], 3), (&[], 10)] {
        let path = folder.path().join(format!("{expected}.redb"));
        let outbox = Outbox::open(&path).unwrap();
        let alerts: Vec<_> = positions.iter().map(|position| CommittedAlert { position: *position, json: b"a" }).collect();
        outbox.commit(Commit { position: 9, alerts: &alerts, ..Commit::default() }).unwrap();
        let write = outbox.database().unwrap().begin_write().unwrap();
        assert!(write.delete_table(tables::ENGINES).unwrap());
        write.open_table(META).unwrap().remove("alerts_from").unwrap();
        write.open_table(META).unwrap().insert("format", 1).unwrap();
        write.commit().unwrap();
        drop(outbox);
        let outbox = Outbox::open(&path).unwrap();
        assert_eq!((outbox.alerts_from(), outbox.engines().unwrap()), (expected, vec![]));
        outbox.commits_by("0.4.0").unwrap();
        outbox.commit(Commit { position: 12, alerts: &[CommittedAlert { position: 11, json: b"c" }], ..Commit::default() }).unwrap();
        drop(outbox);
        let outbox = Outbox::open(&path).unwrap();
        assert_eq!((outbox.alerts_from(), outbox.engines().unwrap()), (expected, vec![(10, "0.4.0".to_owned())]));
    }
}

/// What 0.3.0 wrote: an alert, a retraction, a score and the end of one that wait, and an alert that was refused.
const RELEASE_BEFORE: &[u8] = include_bytes!("tests/0.3.0.redb.zst");

#[test]
fn an_outbox_of_the_release_before_goes_on_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.redb");
    fs::write(&path, zstd::decode_all(RELEASE_BEFORE).unwrap()).unwrap();
    let outbox = Outbox::open(&path).unwrap();
    assert_eq!(outbox.position(), 3);
    let retracted = RetractedItem { id: "retract_3".to_owned(), rule: "auth.otp_flood".to_owned(), since_ms: 5 };
    let kept = |seq, item: Item| Item { seq, ..item };
    assert_eq!(
        outbox.pending("core", 0, 10).unwrap(),
        [kept(1, item("core", 2, alert(1))), kept(2, item("core", 3, Body::Retracted(retracted)))]
    );
    assert_eq!(
        outbox.pending("redis", 0, 10).unwrap(),
        [kept(1, item("redis", 2, score("user:u_1", 7))), kept(2, item("redis", 2, score("user:u_2", 8)))]
    );
    let parked_items = outbox.parked(None, 10).unwrap();
    let [parked] = parked_items.as_slice() else { panic!("one: {parked_items:?}") };
    assert_eq!((&parked.item, parked.answer.as_str()), (&kept(3, item("core", 3, alert(2))), "400 no such rule"));
    let hash = |json: &[u8]| *blake3::hash(json).as_bytes().first_chunk::<16>().unwrap();
    assert_eq!(outbox.alerts_between(0, 3).unwrap(), [(2, hash(b"one")), (3, hash(b"two"))]);
    put(&outbox, 4, &[item("core", 4, alert(3))]);
    assert_eq!(seqs(&outbox.pending("core", 0, 10).unwrap()), [1, 2, 4]);
}

/// A change of score in format 2, as it was written for `score(…, 2)`: postcard.
#[derive(serde::Serialize)]
struct FormerItem<'a> {
    sink: &'a str,
    seq: u64,
    position: u64,
    committed_ms: i64,
    /// The body's variant.
    body: u8,
    change: (u64, &'a str, i64, Option<FormerScore<'a>>, i64),
}

#[derive(serde::Serialize)]
struct FormerScore<'a> {
    entity: &'a str,
    score: u8,
    level: Level,
    as_of: i64,
    untils: [Option<i64>; 3],
    reasons: &'a [Reason],
    version: i64,
    ruleset: &'a str,
}

/// As format 1 or 2 held an item with a score. In format 1 the level before stands at its end.
fn formerly(item: &Item, format: u64) -> Vec<u8> {
    let Body::Score(change) = &item.body else { panic!("a score") };
    let score = change.score.as_ref().map(|score| FormerScore {
        entity: &score.entity,
        score: score.score,
        level: score.level.unwrap(),
        as_of: score.as_of,
        untils: [score.medium_until, score.high_until, score.critical_until],
        reasons: &score.reasons,
        version: score.version,
        ruleset: &score.ruleset,
    });
    let change = (change.position, change.entity.as_str(), change.version, score, change.live_until);
    let (sink, seq) = (item.sink.as_str(), item.seq);
    let bytes = tables::encode(&FormerItem { sink, seq, position: item.position, committed_ms: item.committed_ms, body: 1, change });
    if format == 1 { [bytes, vec![1, 1]].concat() } else { bytes }
}

#[rstest]
#[case(1)]
#[case(2)]
fn scores_of_the_formats_before_are_written_anew(#[case] format: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.redb");
    let outbox = Outbox::open(&path).unwrap();
    let of = |number: i64| item("redis", 1, score(&format!("user:u_{number}"), 2));
    put(&outbox, 1, &(0..2_001).map(of).collect::<Vec<_>>());
    let parked = Settled { sink: "redis".to_owned(), seq: 2_001, fate: Fate::Parked { answer: "WRONGTYPE".to_owned() } };
    outbox.commit(Commit { position: 1, settled: &[parked], ..Commit::default() }).unwrap();
    let kept = |outbox: &Outbox| (outbox.pending("redis", 0, 3_000).unwrap(), outbox.parked(None, 10).unwrap(), outbox.bytes());
    let (pending, parked, bytes) = kept(&outbox);
    assert_eq!((pending.len(), parked.len()), (2_000, 1));
    let write = outbox.database().unwrap().begin_write().unwrap();
    let mut bytes_before = 0;
    for item in &pending {
        let value = formerly(item, format);
        bytes_before += value.len() as u64;
        write.open_table(QUEUE).unwrap().insert(("redis", item.seq), value.as_slice()).unwrap();
    }
    let answered = [formerly(&parked[0].item, format), tables::encode(&parked[0].answer)].concat();
    bytes_before += answered.len() as u64;
    write.open_table(PARKED).unwrap().insert(("redis", 2_001), answered.as_slice()).unwrap();
    write.open_table(SINKS).unwrap().insert("redis", (2_002, 2_000, 1, bytes_before)).unwrap();
    write.open_table(META).unwrap().insert("format", format).unwrap();
    write.commit().unwrap();
    drop(outbox);
    assert_eq!(kept(&Outbox::open(&path).unwrap()), (pending.clone(), parked.clone(), bytes));
    assert_eq!(kept(&Outbox::open(&path).unwrap()), (pending, parked, bytes), "once");
}
