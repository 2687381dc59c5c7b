//! Readers beside the writer.

use super::*;
use crate::storage::Disk;
use proptest::prelude::*;

/// Whether what was asked for was dropped when its time was over: its segment, or its day's key.
fn is_retired(error: &Error) -> bool {
    matches!(error, Error::Retired { .. } | Error::Seal(seal::Error::RetentionEnded { .. }))
}

#[test]
fn a_reader_can_begin_anywhere() {
    let disk = Memory::new();
    let (mut log, _) = open(&disk, SMALL);
    for block in 0..20 {
        let texts: Vec<String> = (0..3).map(|index| format!("entry {}", block * 3 + index + 1)).collect();
        let entries: Vec<Entry<'_>> = texts.iter().map(|text| event("a", 0, text.as_bytes())).collect();
        log.append(NOW, &entries).expect("room");
    }
    for from in 1..=61 {
        let (all, error) = read(reader(&disk, from).expect("there"));
        assert!(error.is_none());
        assert_eq!(all, (from..=60).map(|position| (position, format!("entry {position}"))).collect::<Vec<_>>());
    }
    let mut block = Block::new();
    let mut within = reader(&disk, 5).expect("there");
    assert_eq!(within.position(), 5);
    assert!(within.next(&mut block).expect("whole"));
    assert_eq!((block.first(), block.len(), block.end(), within.position()), (5, 2, 7, 7));
    let error = reader(&disk, 62).err().expect("never written");
    assert_eq!(error.to_string(), "position 62 is beyond the log, which goes on with 61");
}

#[test]
fn a_reader_waits_for_a_log_that_is_not_there_yet() {
    let disk = Memory::new();
    let mut early = reader(&disk, 1).expect("nothing is an empty log");
    let mut block = Block::new();
    assert!(!early.next(&mut block).expect("none yet"));
    assert!(matches!(reader(&disk, 2), Err(Error::Beyond { position: 2, next: 1 })));
    let (mut log, _) = open(&disk, SMALL);
    put(&mut log, NOW, "first");
    assert!(early.next(&mut block).expect("whole"));
    assert_eq!(early.rest().expect("readable"), 0);
}

#[test]
fn a_reader_is_told_what_retention_dropped() {
    let disk = grown();
    let mut late = reader(&disk, 2).expect("there");
    let mut block = Block::new();
    let mut behind = reader(&disk, 1).expect("there");
    assert!(behind.next(&mut block).expect("whole"), "it has read ahead what is dropped now");
    let (mut log, _) = open(&disk, LogConfig { bytes_max: 0, ..SMALL });
    let retained = log.retain(NOW, 20).expect("writable");
    assert!(retained.first > 2 && retained.keys == 0);
    assert_eq!((log.first_position(), open(&disk, SMALL).1.first), (retained.first, retained.first));
    let error = reader(&disk, 1).err().expect("dropped");
    assert_eq!(error.to_string(), format!("position 1 is retired: the log begins with {}", retained.first));
    assert!(is_retired(&error));
    let ended = loop {
        match late.next(&mut block) {
            Ok(more) => assert!(more, "it cannot wait for what was dropped"),
            Err(error) => break error,
        }
    };
    assert!(is_retired(&ended), "{ended}");
    assert_eq!(read_all(&disk)[0].0, retained.first);
}

#[test]
fn a_key_that_is_gone_is_told_from_damage() {
    let disk = grown();
    keys(&disk).forget_before(seal::Day::of_ms(NOW + DAY_MS)).expect("writable");
    let (all, error) = read(reader(&disk, 1).expect("headers are clear"));
    let error = error.expect("nothing can be read");
    assert_eq!((all.len(), error.to_string()), (0, "retention ended: the key of 2026-11-22 is gone".to_owned()));
    assert!(is_retired(&error));
    assert_eq!(try_open(&disk, SMALL).err().expect("nor resumed").to_string(), error.to_string());
}

#[test]
fn damage_is_told_at_every_call() {
    let disk = grown();
    let path = segments(&disk)[1].clone();
    let length = disk.len(&path).expect("listed");
    assert!(disk.damage(&path, length - 1, 1), "the last block of an older segment");
    assert_eq!(open(&disk, SMALL).1.cut, None, "opening reads only the newest through");
    let mut reader = reader(&disk, 1).expect("there");
    let mut block = Block::new();
    while reader.next(&mut block).is_ok() {}
    for _ in 0..3 {
        assert!(matches!(reader.next(&mut block), Err(Error::Damaged { path: told, .. }) if told == path));
    }
    // And where it ends too early.
    let disk = grown();
    disk.truncate(&path, length - 1).expect("listed");
    let (_, error) = read(self::reader(&disk, 1).expect("there"));
    assert!(matches!(error, Some(Error::Damaged { path: told, .. }) if told == path));
}

#[test]
fn a_segment_that_lost_its_end_is_told() {
    let disk = grown();
    let paths = segments(&disk);
    let mut ends = vec![];
    let bytes = disk.read(&paths[0]).expect("listed");
    let mut at = header_length(&bytes);
    while let format::Parsed::Whole(_, length) = format::BlockHead::parse(&bytes[at..]) {
        at += length;
        ends.push(at as u64);
    }
    disk.truncate(&paths[0], ends[ends.len() - 2]).expect("listed");
    let (all, error) = read(reader(&disk, 1).expect("there"));
    assert_eq!(all.len(), ends.len() - 1);
    assert!(matches!(error, Some(Error::Damaged { reason: "blocks are missing at its end", .. })), "{error:?}");
}

fn header_length(bytes: &[u8]) -> usize {
    format::SegmentHead::parse(bytes, format::LOG).expect("whole").1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// The writer's bytes become visible piece by piece, as on a system that copies slowly.
    #[test]
    fn no_half_written_block_is_ever_given_out(pieces in proptest::collection::vec(1_usize..200, 1..60), polls in 0_usize..3) {
        let source = grown();
        let shown = Memory::new();
        for path in source.paths().iter().filter(|path| path.starts_with("keys/")) {
            shown.replace(path, &source.read(path).expect("listed")).expect("room");
        }
        let (mut reader, mut block, mut all) = (reader(&shown, 1).expect("empty"), Block::new(), Vec::new());
        let mut pieces = pieces.iter().cycle();
        for path in segments(&source) {
            let bytes = source.read(&path).expect("listed");
            let header = header_length(&bytes);
            shown.replace(&path, &bytes[..header]).expect("room"); // as the writer does
            let mut file = shown.append(&path).expect("room");
            let mut rest = &bytes[header..];
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*pieces.next().expect("it cycles")));
                file.append(piece).expect("room");
                rest = after;
                for _ in 0..polls {
                    if reader.next(&mut block).expect("what is on its way is not damaged") {
                        all.extend(block.entries().map(|(position, entry)| (position, text(&entry))));
                    }
                }
            }
        }
        while reader.next(&mut block).expect("whole") {
            all.extend(block.entries().map(|(position, entry)| (position, text(&entry))));
        }
        prop_assert_eq!(all, read_all(&source));
    }
}

fn numbered(number: usize) -> String {
    format!("entry {number} {}", "x".repeat(number % 700))
}

#[test]
fn readers_on_a_real_disk_see_every_block_once_in_order() {
    const BLOCKS: usize = 3_000;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk: Arc<dyn Storage> = Arc::new(Disk::open(folder.path()).expect("writable"));
    let keys = Keyring::open(Arc::clone(&disk), "keys", SECRET).expect("no keys yet");
    let config = LogConfig { segment_bytes: 64 << 10, ..LogConfig::default() };
    let (mut log, _) = LogWriter::open(Arc::clone(&disk), "log", keys.clone(), config).expect("empty");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let mut reader = LogReader::open(Arc::clone(&disk), "log", keys.clone(), 1).expect("empty");
            scope.spawn(move || {
                let (mut block, mut next) = (Block::new(), 1);
                while next <= BLOCKS * 2 {
                    if !reader.next(&mut block).expect("nothing is damaged") {
                        std::thread::yield_now();
                        continue;
                    }
                    for (position, entry) in block.entries() {
                        assert_eq!((position, text(&entry)), (next as u64, numbered(next)));
                        next += 1;
                    }
                }
            });
        }
        for block in 0..BLOCKS {
            let texts = [1, 2].map(|index| numbered(block * 2 + index));
            log.append(NOW, &[event("a", 0, texts[0].as_bytes()), event("a", 0, texts[1].as_bytes())]).expect("room");
        }
        log.sync().expect("takes it");
    });
    assert!(log.segments() > 20);
    assert_eq!(log.append(NOW, &[event("a", 0, &vec![7; 1 << 20])]).expect("larger than a segment, a segment of its own").start, 6_001);
    let mut reader = LogReader::open(disk, "log", keys, 6_001).expect("there");
    let mut block = Block::new();
    assert!(reader.next(&mut block).expect("larger than what is read at once"));
}
