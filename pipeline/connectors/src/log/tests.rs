//! The log on a disk that crashes, fills up and rots; and beside its readers.

mod crash;
mod damage;
mod dead_letters;
mod readers;
mod retention;
mod throughput;

use std::sync::Mutex;

use super::*;
use crate::Disposition;
use crate::seal::{self, Fill};
use crate::storage::{Fault, Memory};
use rstest::rstest;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
/// 2026-11-22T10:00:00Z.
const NOW: i64 = 1_795_341_600_000;
/// Segments of a few blocks.
const SMALL: LogConfig = LogConfig { segment_bytes: 900, retention_ms: 7 * DAY_MS, bytes_max: u64::MAX };

fn keys(disk: &Memory) -> Keyring {
    let count = Mutex::new(0_u8);
    let random: Fill = Arc::new(move |bytes| {
        let mut count = count.lock().expect("no test panics while holding it");
        for byte in bytes {
            *count = count.wrapping_mul(5).wrapping_add(3);
            *byte = *count;
        }
        Ok(())
    });
    Keyring::with_random(Arc::new(disk.clone()), "keys", SECRET, random).expect("the same secret")
}

fn try_open(disk: &Memory, config: LogConfig) -> Result<(LogWriter, Opened), Error> {
    LogWriter::open(Arc::new(disk.clone()), "log", keys(disk), config)
}

fn open(disk: &Memory, config: LogConfig) -> (LogWriter, Opened) {
    try_open(disk, config).expect("nothing is wrong with it")
}

fn event<'a>(stream: &'a str, offset: u64, bytes: &'a [u8]) -> Entry<'a> {
    Entry::Event { arrival_ms: NOW, origin: Origin { stream, offset }, bytes }
}

/// Appends a block of one event and syncs.
fn put(log: &mut LogWriter, now_ms: i64, text: &str) -> u64 {
    let next = log.next_position();
    let positions = log.append(now_ms, &[event("a", next, text.as_bytes())]).expect("room");
    log.sync().expect("takes it");
    positions.start
}

fn reader(disk: &Memory, from: u64) -> Result<LogReader, Error> {
    LogReader::open(Arc::new(disk.clone()), "log", keys(disk), from)
}

/// All entries there are, each as text, and the error that ended it if one did.
fn read(mut reader: LogReader) -> (Vec<(u64, String)>, Option<Error>) {
    let (mut all, mut block) = (Vec::new(), Block::new());
    loop {
        match reader.next(&mut block) {
            Ok(true) => all.extend(block.entries().map(|(position, entry)| (position, text(&entry)))),
            Ok(false) => return (all, None),
            Err(error) => return (all, Some(error)),
        }
    }
}

fn read_all(disk: &Memory) -> Vec<(u64, String)> {
    let (all, error) = read(LogReader::oldest(Arc::new(disk.clone()), "log", keys(disk)).expect("readable"));
    assert!(error.is_none(), "{error:?}");
    all
}

fn text(entry: &Entry<'_>) -> String {
    match entry {
        Entry::Event { bytes, .. } => String::from_utf8_lossy(bytes).into_owned(),
        Entry::Control(control) => format!("{control:?}"),
    }
}

fn segments(disk: &Memory) -> Vec<String> {
    disk.paths().into_iter().filter(|path| path.starts_with("log/")).collect()
}

/// The same files on another disk.
fn copy(disk: &Memory) -> Memory {
    let other = Memory::new();
    for path in disk.paths() {
        other.replace(&path, &disk.read(&path).expect("listed")).expect("room");
    }
    other
}

fn switch(ruleset: &str) -> Control {
    let settings = Settings { lateness_ms: 300_000, future_ms: 300_000, memory_max: 1 << 30, events_per_s: 0, keys: None };
    Control::Switch { ruleset: ruleset.to_owned(), engine: "0.1.0".to_owned(), settings }
}

#[test]
fn entries_come_back_in_order_with_positions_from_one() {
    let disk = Memory::new();
    let (mut log, opened) = open(&disk, LogConfig::default());
    assert_eq!((opened.first, opened.next, opened.cut, opened.ruleset), (1, 1, None, None));
    assert_eq!(log.append(NOW, &[]).expect("nothing to do"), 1..1);
    assert_eq!(segments(&disk), Vec::<String>::new());
    let controls =
        [switch("sha256:aa"), Control::Retract { rule: "auth.otp_flood".to_owned(), since_ms: -5 }, Control::Tick { at_ms: NOW }];
    assert_eq!(log.append(NOW, &[event("a", 4, b"one"), event("b", 9, b"\xff\0")]).expect("room"), 1..3);
    assert_eq!(log.append(NOW, &controls.clone().map(Entry::Control)).expect("room"), 3..6);
    assert_eq!(log.append(NOW, &[event("a", 5, b"")]).expect("room"), 6..7);
    log.sync().expect("takes it");

    let mut reader = reader(&disk, 1).expect("there");
    let mut block = Block::new();
    assert!(reader.next(&mut block).expect("whole"));
    let expected = [(1, event("a", 4, b"one")), (2, event("b", 9, b"\xff\0"))];
    assert_eq!(block.entries().collect::<Vec<_>>(), expected);
    assert_eq!(
        (block.first(), block.len(), block.end(), block.appended_ms(), block.day().to_string()),
        (1, 2, 3, NOW, "2026-11-22".to_owned())
    );
    assert!(reader.next(&mut block).expect("whole"));
    assert_eq!(block.entries().collect::<Vec<_>>(), (3..).zip(controls.map(Entry::Control)).collect::<Vec<_>>());
    drop(log);

    let (log, opened) = open(&disk, LogConfig::default());
    assert_eq!((opened.first, opened.next, log.next_position(), opened.cut), (1, 7, 7, None));
    assert_eq!(opened.offsets, BTreeMap::from([("a".to_owned(), 5), ("b".to_owned(), 9)]));
    let ruleset = opened.ruleset.expect("there was a switch");
    assert_eq!((ruleset.position, ruleset.ruleset.as_str(), ruleset.settings.lateness_ms), (3, "sha256:aa", 300_000));
}

/// With and without a rate and keys, in an entry and in a segment's summary; what has neither is stored as it always was.
#[test]
fn settings_come_back_whole() {
    let keys = [None, Some(Keys { number: 3, former: None }), Some(Keys { number: 3, former: Some(2) })];
    for (events_per_s, keys) in [0, 1, 5_000].into_iter().flat_map(|rate| keys.map(|keys| (rate, keys))) {
        let Control::Switch { ruleset, engine, settings } = switch("sha256:aa") else { unreachable!("it is one") };
        let control = Control::Switch { ruleset, engine, settings: Settings { events_per_s, keys, ..settings } };
        let stored = postcard::to_allocvec(&control).expect("plain data");
        assert_eq!(postcard::from_bytes::<Control>(&stored).expect("it was stored"), control);
        assert_eq!(
            stored.first(),
            Some(&if events_per_s > 0 {
                5
            } else if keys.is_some() {
                3
            } else {
                0
            })
        );
        let mut known = Known::default();
        known.take(7, &Entry::Control(control));
        assert_eq!(Known::read(&known.stored().expect("plain data")).expect("it was stored"), known);
    }
}

#[test]
fn one_thread_may_own_the_writer_and_others_the_readers() {
    fn moves<T: Send>() {}
    moves::<LogWriter>();
    moves::<LogReader>();
    moves::<DeadLetterLog>();
}

#[test]
fn offsets_and_ruleset_outlive_the_segment_they_were_in() {
    let disk = Memory::new();
    let (mut log, _) = open(&disk, SMALL);
    log.append(NOW, &[event("old", 41, b"x"), Entry::Control(switch("sha256:aa"))]).expect("room");
    for number in 0..30 {
        put(&mut log, NOW, &format!("entry {number}"));
    }
    assert!(segments(&disk).len() > 3, "{:?}", segments(&disk));
    assert_eq!(log.segments(), segments(&disk).len());
    assert_eq!(log.bytes(), segments(&disk).iter().map(|path| disk.len(path).expect("listed")).sum::<u64>());
    let (log, opened) = open(&disk, SMALL);
    assert_eq!(opened.offsets, BTreeMap::from([("a".to_owned(), 32), ("old".to_owned(), 41)]));
    assert_eq!((opened.ruleset.map(|switched| switched.position), log.next_position()), (Some(2), 33));
    assert_eq!(read_all(&disk).len(), 32);
}

#[test]
fn a_full_disk_loses_nothing_and_leaves_no_hole() {
    let disk = Memory::new();
    let (mut log, _) = open(&disk, SMALL);
    let mut expected = Vec::new();
    for number in 0..40 {
        let text = format!("entry {number}");
        let entry = [event("a", number, text.as_bytes())];
        disk.inject(number % 2, Fault::Full); // in the append, or in the header of a new segment
        while let Err(error) = log.append(NOW, &entry) {
            assert_eq!(error.disposition(), Disposition::Retry, "{error}");
            assert_eq!(log.next_position(), number + 1);
            disk.heal();
        }
        disk.heal();
        log.sync().expect("takes it");
        expected.push((number + 1, text));
    }
    assert_eq!(read_all(&disk), expected);
    assert_eq!(open(&disk, SMALL).1.cut, None);
}

#[test]
fn a_failed_sync_ends_the_writer() {
    let disk = Memory::new();
    let (mut log, _) = open(&disk, SMALL);
    put(&mut log, NOW, "durable");
    log.append(NOW, &[event("a", 2, b"perhaps")]).expect("room");
    disk.inject(0, Fault::Sync);
    let error = log.sync().expect_err("the disk does not take it");
    assert_eq!(
        (error.disposition(), error.to_string()),
        (Disposition::Halt, "cannot make log/00000000000000000001.seg durable".to_owned())
    );
    assert!(matches!(log.sync(), Err(Error::Broken)));
    assert!(matches!(log.append(NOW, &[event("a", 3, b"no")]), Err(Error::Broken)));
    assert!(matches!(log.retain(NOW, 0), Err(Error::Broken)));
    disk.crash(3);
    assert_eq!(read_all(&disk)[0], (1, "durable".to_owned()));
}

#[rstest]
#[case::nothing_since(0)]
#[case::more_since(3)]
fn what_a_sync_had_no_room_for_is_written_anew_and_outlives_a_crash(#[case] more: u64) {
    let disk = Memory::new();
    let (mut log, _) = open(&disk, LogConfig::default());
    put(&mut log, NOW, "durable");
    let mut beside = reader(&disk, 1).expect("it is there");
    log.append(NOW, &[event("a", 2, b"in doubt")]).expect("room, as far as the disk says");
    assert_eq!(read(beside).0.len(), 2, "it can be read at once");
    beside = reader(&disk, 3).expect("the next to come");
    disk.inject(0, Fault::FullAtSync);
    let error = log.sync().expect_err("no room");
    assert_eq!((error.disposition(), matches!(error, Error::Unsynced { .. })), (Disposition::Retry, true));
    log.append(NOW, &[event("a", 3, b"too much")]).expect_err("still full");
    log.sync().expect_err("still full");
    disk.heal();
    for offset in 3..3 + more {
        log.append(NOW, &[event("a", offset, b"goes on")]).expect("room again");
    }
    log.sync().expect("room again");
    assert_eq!(read(beside).0.len() as u64, more, "whoever has read it reads on behind it");
    disk.crash(7);
    assert_eq!(read_all(&disk).len() as u64, 2 + more, "and no crash takes it");
    assert_eq!(open(&disk, LogConfig::default()).1.next, 3 + more);
}

/// A log of several segments, closed.
fn grown() -> Memory {
    let disk = Memory::new();
    let (mut log, _) = open(&disk, SMALL);
    for number in 1..=20 {
        put(&mut log, NOW, &format!("entry {number}"));
    }
    assert!(segments(&disk).len() >= 3);
    disk
}

#[rstest]
#[case::foreign(|disk: &Memory, path: &str| disk.replace(path, b"{\"an\":\"event\"}").expect("room"), "log/X is no segment of the log")]
#[case::newer(|disk: &Memory, path: &str| assert!(disk.damage(path, 8, 3)),
    "log/X has format version 2, this version reads 1: it was written by a newer rasid")]
#[case::header(|disk: &Memory, path: &str| assert!(disk.damage(path, 60, 1)), "log/X is damaged at byte 0: the header does not match its checksum")]
fn a_segment_that_is_none_is_refused(#[case] spoil: impl Fn(&Memory, &str), #[case] expected: &str) {
    let disk = grown();
    for path in segments(&disk) {
        let disk = copy(&disk);
        spoil(&disk, &path);
        let error = try_open(&disk, SMALL).err().expect("refused");
        assert_eq!(error.to_string().replace(&path, "log/X"), expected);
        assert_eq!(error.disposition(), Disposition::Halt);
    }
}

#[test]
fn a_missing_segment_is_told() {
    let disk = grown();
    let paths = segments(&disk);
    for path in &paths[1..paths.len() - 1] {
        let disk = copy(&disk);
        disk.remove(path).expect("listed");
        assert!(matches!(try_open(&disk, SMALL), Err(Error::Missing { .. })));
        let (all, error) = read(reader(&disk, 1).expect("the first is there"));
        assert!(matches!(error, Some(Error::Damaged { .. })), "{} entries, {error:?}", all.len());
    }
    disk.replace(&paths[1], &disk.read(&paths[0]).expect("listed")).expect("room");
    let error = try_open(&disk, SMALL).err().expect("refused");
    assert!(error.to_string().ends_with("damaged at byte 0: the header names another position than the file"), "{error}");
}

#[test]
fn another_secret_is_refused() {
    let disk = grown();
    let error = Keyring::open(Arc::new(disk), "keys", b"another").expect_err("refused");
    assert!(matches!(error, seal::Error::OtherSecret { .. }));
}

#[test]
fn a_newest_segment_without_a_header_is_made_anew() {
    for (length, fill) in [(0, 0), (20, 0), (20, 1)] {
        let disk = grown();
        let whole = disk.read(segments(&disk).last().expect("several")).expect("listed");
        let path = format::path("log", 21);
        let mut torn = whole[..length].to_vec();
        torn.iter_mut().skip(12).for_each(|byte| *byte *= fill);
        disk.replace(&path, &torn).expect("room");
        let (mut log, opened) = open(&disk, SMALL);
        assert_eq!((opened.next, opened.cut.expect("told").bytes), (21, length as u64));
        assert_eq!(opened.offsets["a"], 20);
        assert_eq!(put(&mut log, NOW, "goes on"), 21);
        assert_eq!(read_all(&disk).len(), 21);
    }
}

#[test]
fn nothing_raw_is_in_any_file_or_shown() {
    let canaries = ["+201000000042", "jsonl:/home/mona", "رقمي", "device-77f3"];
    let disk = Memory::new();
    let (mut log, _) = open(&disk, SMALL);
    let (mut letters, _) =
        DeadLetterLog::open(Arc::new(disk.clone()), "dead-letters", &keys(&disk), SMALL).expect("nothing is wrong with it");
    for position in 1..=20 {
        let record = canaries.join(" ");
        let entry = event("jsonl:/home/mona", position, record.as_bytes());
        let letter =
            Letter {
                position, field: Some("device-77f3"), reason: "رقمي", record: record.as_bytes(), arrival_ms: NOW, stream: "jsonl:a"
            };
        let shown = format!("{entry:?} {:?}", Letter { field: None, reason: "", ..letter.clone() });
        assert!(!shown.contains("+20") && !shown.contains("77f3"), "{shown}");
        log.append(NOW, &[entry]).expect("room");
        letters.append(NOW, &[letter]).expect("room");
    }
    assert!(segments(&disk).len() > 3);
    for path in disk.paths() {
        let bytes = disk.read(&path).expect("listed");
        for canary in canaries {
            assert_eq!(memchr::memmem::find(&bytes, canary.as_bytes()), None, "{canary} in {path}");
        }
        assert_eq!(memchr::memmem::find(&bytes, SECRET), None, "the secret is in {path}");
    }
    assert!(read_all(&disk)[19].1.contains(canaries[3]), "and it can be read all the same");
}

/// The bytes of before there were keys: where these change, older versions misread a log whose secret was never changed.
#[test]
fn a_switch_without_keys_has_the_form_of_before_and_one_with_keys_its_own() {
    let hex = |control: &Control| data_encoding::HEXLOWER.encode(&postcard::to_stdvec(control).expect("plain data"));
    let before = switch("sha256:aa");
    assert_eq!(hex(&before), "00097368613235363a616105302e312e30c0cf24c0cf248080808004");
    assert_eq!(hex(&Control::Retract { rule: "a.b".to_owned(), since_ms: -5 }), "0103612e6209");
    assert_eq!(hex(&Control::Tick { at_ms: 3 }), "0206");
    assert_eq!(hex(&Control::Lost), "04");
    let Control::Switch { ruleset, engine, settings } = before else { panic!("a switch") };
    let keys = Some(Keys { number: 2, former: Some(1) });
    let with_keys = Control::Switch { ruleset, engine, settings: Settings { keys, ..settings } };
    assert_eq!(hex(&with_keys), "03097368613235363a616105302e312e30c0cf24c0cf248080808004020101");
    let read: Control = postcard::from_bytes(&postcard::to_stdvec(&with_keys).expect("plain data")).expect("its own form");
    assert_eq!(read, with_keys);
}

#[rstest]
#[case::assigned(Act::Acknowledge { assignee: Some("noor".to_owned()) }, "0001046e6f6f72")]
#[case::acknowledged(Act::Acknowledge { assignee: None }, "0000")]
#[case::closed(Act::Close, "01")]
#[case::unsure(Act::Verdict(Verdict::Unsure), "0202")]
fn feedback_has_a_form_behind_all_others(#[case] act: Act, #[case] stored: &str) {
    let (who, claimed, why) = ("rasid".to_owned(), "noor".to_owned(), "it was".to_owned());
    let control = Control::Feedback(Feedback { alerts: vec!["al_a1".to_owned()], act, who, claimed, why, at_ms: -1 });
    let bytes = postcard::to_stdvec(&control).expect("plain data");
    let expected = format!("060105616c5f6131{stored}057261736964046e6f6f720669742077617301");
    assert_eq!(data_encoding::HEXLOWER.encode(&bytes), expected);
    assert_eq!(postcard::from_bytes::<Control>(&bytes).expect("its own form"), control);
}

#[test]
fn the_keys_in_force_are_known_from_the_newest_segment_alone() {
    let disk = Memory::new();
    let small = LogConfig { segment_bytes: 1, ..LogConfig::default() };
    let (mut log, _) = open(&disk, small);
    let with = |keys| {
        let Control::Switch { ruleset, engine, settings } = switch("sha256:aa") else { panic!("a switch") };
        Control::Switch { ruleset, engine, settings: Settings { keys, ..settings } }
    };
    for keys in [None, Some(Keys { number: 2, former: Some(1) }), Some(Keys { number: 2, former: None })] {
        log.append(NOW, &[Entry::Control(with(keys))]).expect("room");
        for _ in 0..2 {
            log.append(NOW, &[event("a", 4, b"one")]).expect("room");
        }
        log.sync().expect("takes it");
        let (again, opened) = open(&copy(&disk), small);
        assert_eq!(opened.ruleset.expect("switched").settings.keys, keys);
        assert!(again.segments() > 1);
    }
}
