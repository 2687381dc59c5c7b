//! What is damaged is found, and mending it loses that and nothing else.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::log::format::{BlockHead, Parsed, SegmentHead};

/// What happens to a file.
#[derive(Clone, Debug)]
enum Harm {
    Flip { at: u64, bit: u8 },
    Cut { at: u64, bytes: u64 },
    Zero { at: u64, bytes: u64 },
    Remove,
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        4 => (any::<u64>(), 0_u8..8).prop_map(|(at, bit)| Harm::Flip { at, bit }),
        3 => (any::<u64>(), 1_u64..400).prop_map(|(at, bytes)| Harm::Cut { at, bytes }),
        2 => (any::<u64>(), 1_u64..400).prop_map(|(at, bytes)| Harm::Zero { at, bytes }),
        1 => Just(Harm::Remove),
    ]
}

/// A part of a file: a header, or a block with its positions.
struct Part {
    path: String,
    from: u64,
    to: u64,
    positions: std::ops::Range<u64>,
}

fn parts(disk: &Memory) -> Vec<Part> {
    let mut parts = Vec::new();
    for path in segments(disk) {
        let bytes = disk.read(&path).expect("listed");
        let (head, header) = SegmentHead::parse(&bytes, format::LOG).expect("whole");
        parts.push(Part { path: path.clone(), from: 0, to: header as u64, positions: head.first..head.first });
        let mut offset = header;
        while let Parsed::Whole(head, length) = BlockHead::parse(&bytes[offset..]) {
            parts.push(Part { path: path.clone(), from: offset as u64, to: (offset + length) as u64, positions: head.first..head.end() });
            offset += length;
        }
        assert_eq!(offset, bytes.len());
    }
    parts
}

impl Harm {
    /// Does it to a file; the bytes that it touches.
    fn strike(&self, disk: &Memory, path: &str) -> std::ops::Range<u64> {
        let mut bytes = disk.read(path).expect("listed");
        let length = bytes.len() as u64;
        let place = |at: u64| usize::try_from(at).expect("small");
        match *self {
            Self::Flip { at, bit } => {
                bytes[place(at % length)] ^= 1 << bit;
                disk.replace(path, &bytes).expect("room");
                at % length..at % length + 1
            }
            Self::Cut { at, bytes: count } => {
                let (from, to) = (at % length, (at % length + count).min(length));
                bytes.drain(place(from)..place(to));
                disk.replace(path, &bytes).expect("room");
                from..to
            }
            Self::Zero { at, bytes: count } => {
                let (from, to) = (at % length, (at % length + count).min(length));
                bytes[place(from)..place(to)].fill(0);
                disk.replace(path, &bytes).expect("room");
                from..to
            }
            Self::Remove => {
                disk.remove(path).expect("listed");
                0..length
            }
        }
    }
}

fn checkup(disk: &Memory, committed: u64) -> Checkup {
    Checkup::of_log(Arc::new(disk.clone()), "log", keys(disk), committed).expect("it can be read")
}

/// All positions, with the text of those that are not lost.
fn all(disk: &Memory) -> Vec<(u64, Option<String>)> {
    let (mut all, mut block) = (Vec::new(), Block::new());
    let mut reader = LogReader::oldest(Arc::new(disk.clone()), "log", keys(disk)).expect("it begins");
    while reader.next(&mut block).expect("whole") {
        all.extend(block.entries().map(|(position, entry)| match entry {
            Entry::Control(Control::Lost) => (position, None),
            entry => (position, Some(text(&entry))),
        }));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_damaged_is_found_and_nothing_else_is_lost(
        blocks in proptest::collection::vec(1_usize..5, 12..30),
        harms in proptest::collection::vec((any::<prop::sample::Index>(), harm()), 1..3),
        is_committed: bool,
        crash_after in prop::option::of(0_u64..6),
        seed: u64,
    ) {
        let disk = Memory::new();
        let (mut log, _) = open(&disk, SMALL);
        for count in blocks {
            let first = log.next_position();
            let texts: Vec<String> = (0..count as u64).map(|index| format!("entry {}", first + index)).collect();
            let entries: Vec<Entry<'_>> = texts.iter().map(|text| event("a", first, text.as_bytes())).collect();
            log.append(NOW, &entries).expect("room");
            log.sync().expect("takes it");
        }
        let next = log.next_position();
        drop(log);
        let before = all(&disk);
        let committed = if is_committed { next - 1 } else { 0 };
        prop_assert!(checkup(&disk, committed).segments().all(Segment::is_whole));

        let (parts, paths) = (parts(&disk), segments(&disk));
        let mut touched: BTreeSet<u64> = BTreeSet::new();
        let mut struck = BTreeSet::new();
        let (mut whole_files, mut ends) = (BTreeSet::new(), BTreeSet::new());
        for (which, harm) in &harms {
            let path = which.get(&paths);
            if (path == paths.first().expect("several") && matches!(harm, Harm::Remove)) || !struck.insert(path.clone()) {
                continue; // what is left of the offsets would be guesswork; a beginning that is gone is retention's
            }
            let length = disk.len(path).expect("listed");
            let was = disk.read(path).expect("listed");
            let bytes = harm.strike(&disk, path);
            if disk.read(path).is_ok_and(|now| now == was) {
                continue; // zeros where zeros were
            }
            let hit: Vec<&Part> = parts.iter().filter(|part| part.path == *path && part.from < bytes.end && bytes.start < part.to).collect();
            touched.extend(hit.iter().flat_map(|part| part.positions.clone()));
            if matches!(harm, Harm::Remove | Harm::Cut { .. }) && bytes.end == length {
                ends.insert(path.clone());
            }
            if matches!(harm, Harm::Remove) {
                whole_files.insert(path.clone());
            }
        }
        // A log that ends earlier, and of which nobody knows how far it came, is whole.
        let last = paths.iter().rev().find(|path| !whole_files.contains(*path)).expect("the first is not removed");
        let only_the_end = struck.iter().all(|path| path > last || (path == last && ends.contains(path)));
        let found = match Checkup::of_log(Arc::new(disk.clone()), "log", keys(&disk), committed) {
            Ok(found) => found,
            // Cut so that other bytes stand where the version was, and nothing of ours in it or behind it: what a newer version's looks like.
            Err(Error::Newer { path, .. }) => {
                let nothing_behind = paths.iter().all(|other| *other <= path || struck.contains(other));
                prop_assert!(nothing_behind && harms.iter().any(|(_, harm)| matches!(harm, Harm::Cut { .. })), "{path}");
                return Ok(());
            }
            Err(error) => panic!("{error}"),
        };
        let lost: BTreeSet<u64> = found.lost().into_iter().flat_map(|lost| lost.first..=lost.last).collect();
        prop_assert!(lost.is_subset(&touched), "{lost:?} of {touched:?}");
        let finds = found.segments().any(|segment| !segment.is_whole() || segment.torn_tail.is_some());
        prop_assert!(finds || struck.is_empty() || (only_the_end && committed == 0) || touched.is_empty());

        if let Some(after) = crash_after {
            disk.inject(after, Fault::Crash);
            drop(found.mend(NOW));
            disk.crash(seed);
        }
        let again = checkup(&disk, committed);
        let kept_aside = again.mend(NOW).expect("room");
        prop_assert!(kept_aside.iter().all(|path| disk.len(path).is_ok()), "{kept_aside:?}");
        let mended = checkup(&disk, committed);
        prop_assert!(mended.segments().all(Segment::is_whole), "{:#?}", mended.segments().collect::<Vec<_>>());
        prop_assert!(mended.mend(NOW).expect("nothing to do").is_empty());

        let (mut log, opened) = open(&disk, SMALL);
        prop_assert!(opened.next <= next && (committed == 0 || opened.next == next), "{} of {next}", opened.next);
        for ((position, is), (_, was)) in all(&disk).into_iter().zip(&before) {
            prop_assert!(is.as_ref() == was.as_ref() || (is.is_none() && touched.contains(&position)), "{position} is {is:?}");
        }
        prop_assert!((opened.next..next).all(|position| touched.contains(&position)), "the end is gone from {}", opened.next);
        put(&mut log, NOW, "goes on");
        prop_assert_eq!(all(&disk).len() as u64, opened.next);
    }
}

#[test]
fn a_header_that_says_a_newer_version_is_believed_where_nothing_speaks_against_it() {
    let disk = Memory::new();
    let (mut log, _) = open(&disk, SMALL);
    while segments(&disk).len() < 3 {
        put(&mut log, NOW, "entry");
    }
    drop(log);
    let paths = segments(&disk);
    let was = paths.iter().map(|path| disk.read(path).expect("listed")).collect::<Vec<_>>();
    let with = |index: usize, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = was[index].clone();
        change(&mut bytes);
        disk.replace(&paths[index], &bytes).expect("room");
        let found = Checkup::of_log(Arc::new(disk.clone()), "log", keys(&disk), 0).map(|found| found.segments().any(|one| !one.is_whole()));
        disk.replace(&paths[index], &was[index]).expect("room");
        found
    };
    let header = SegmentHead::parse(&was[2], format::LOG).expect("whole").1;
    let newer: &dyn Fn(&mut Vec<u8>) = &|bytes| bytes[8] ^= 64;
    let newer_and_cut: &dyn Fn(&mut Vec<u8>) = &|bytes| {
        bytes[8] ^= 64;
        bytes.truncate(header - 1);
    };
    for (index, change) in [(0, newer), (0, newer_and_cut), (1, newer_and_cut), (2, newer)] {
        assert!(with(index, change).expect("one of ours is behind it, or its header is"), "{index}");
    }
    assert!(matches!(with(2, newer_and_cut), Err(Error::Newer { path, .. }) if path == paths[2]));
}

#[test]
fn a_key_that_cannot_be_used_costs_its_day_and_no_other() {
    let disk = Memory::new();
    let (mut log, _) = open(&disk, SMALL);
    for day in 0..3 {
        for _ in 0..4 {
            put(&mut log, NOW + day * DAY_MS, "entry");
        }
    }
    drop(log);
    let damaged = "keys/2026-11-23.key";
    assert!(disk.damage(damaged, 40, 1));
    assert_eq!(keys(&disk).damaged().expect("readable"), [damaged]);
    let found = checkup(&disk, 12);
    assert_eq!(found.lost(), [Positions { first: 5, last: 8 }]);
    disk.remove(damaged).expect("there");
    let found = checkup(&disk, 12);
    assert_eq!(found.lost(), [Positions { first: 5, last: 8 }]);
    found.mend(NOW).expect("room");
    let lost: Vec<u64> = all(&disk).into_iter().filter(|(_, text)| text.is_none()).map(|(position, _)| position).collect();
    assert_eq!(lost, [5, 6, 7, 8]);
    assert_eq!(open(&disk, SMALL).1.next, 13);
}

#[test]
fn what_was_mended_at_the_newest_end_is_written_on_no_more() {
    let disk = Memory::new();
    let (mut log, _) = open(&disk, LogConfig::default());
    for _ in 0..6 {
        put(&mut log, NOW, "entry");
    }
    drop(log);
    let path = segments(&disk).remove(0);
    let second = parts(&disk).into_iter().find(|part| part.positions.contains(&2)).expect("a block");
    assert!(disk.damage(&path, second.from + 50, 4));
    let error = try_open(&disk, LogConfig::default()).err().expect("it is damage");
    assert!(error.is_damage(), "{error}");
    let found = checkup(&disk, 6);
    let damage = &found.segments().next().expect("one").damage;
    assert_eq!((damage.len(), damage[0].offset, damage[0].positions), (1, second.from, Some(Positions { first: 2, last: 2 })));
    assert_eq!(found.mend(NOW).expect("room").len(), 1);
    assert_eq!(segments(&disk), [path, format::path("log", 7)]);
    let (mut log, opened) = open(&disk, LogConfig::default());
    assert_eq!((opened.next, opened.cut, opened.offsets["a"]), (7, None, 6));
    put(&mut log, NOW, "goes on");
    assert_eq!(all(&disk).len(), 7);
}

#[test]
fn dead_letters_are_mended_too() {
    let disk = Memory::new();
    let open = || DeadLetterLog::open(Arc::new(disk.clone()), "dead-letters", &keys(&disk), SMALL);
    let letter = |position| Letter { position, field: None, reason: "no event", record: b"{}", arrival_ms: NOW, stream: "a" };
    let (mut log, _) = open().expect("nothing there");
    for position in 1..=20 {
        log.append(NOW, &[letter(position * 10)]).expect("room");
        log.sync().expect("takes it");
    }
    let path = disk.paths().into_iter().find(|path| path.starts_with("dead-letters/")).expect("several");
    assert!(disk.damage(&path, disk.len(&path).expect("listed") - 10, 1));
    let checkup = || Checkup::of_dead_letters(Arc::new(disk.clone()), "dead-letters", &keys(&disk)).expect("it can be read");
    assert_eq!(checkup().lost().len(), 1);
    checkup().mend(NOW).expect("room");
    assert!(checkup().segments().all(Segment::is_whole));
    assert_eq!(open().expect("whole").1.newest, 200);
    let mut reader = DeadLetterReader::open(Arc::new(disk.clone()), "dead-letters", &keys(&disk)).expect("whole");
    let (mut block, mut count) = (LetterBlock::new(), 0);
    while reader.next(&mut block).expect("whole") {
        count += block.letters().count();
    }
    assert_eq!(count, 19, "a placeholder is no letter");
}

#[test]
fn an_end_that_was_committed_is_refused_and_not_cut() {
    for (committed, flipped_at_header) in [(6, false), (6, true), (5, false)] {
        let disk = Memory::new();
        let (mut log, _) = open(&disk, LogConfig::default());
        for _ in 0..6 {
            put(&mut log, NOW, "entry");
        }
        drop(log);
        let path = segments(&disk).remove(0);
        let last = parts(&disk).into_iter().find(|part| part.positions.contains(&6)).expect("a block");
        let at = if flipped_at_header { last.from } else { last.to - 1 };
        assert!(disk.damage(&path, at, 4));
        let before = disk.read(&path).expect("there");
        let opened = LogWriter::open_behind(Arc::new(disk.clone()), "log", keys(&disk), LogConfig::default(), committed);
        if committed == 6 {
            let error = opened.err().expect("it was durable");
            assert!(matches!(&error, Error::Damaged { offset, .. } if *offset == last.from), "{error}");
            assert_eq!(disk.read(&path).expect("there"), before, "it may be wanted yet");
            assert_eq!(checkup(&disk, committed).lost(), [Positions { first: 6, last: 6 }]);
        } else {
            assert_eq!(opened.expect("nobody acknowledged it").1.next, 6);
        }
    }
}
