//! Dead letters: once each, kept on their own, listed beside the writer.

use super::*;
use crate::seal::Day;

fn open_letters(disk: &Memory, config: LogConfig) -> (DeadLetterLog, OpenedLetters) {
    DeadLetterLog::open(Arc::new(disk.clone()), "dead-letters", &keys(disk), config).expect("nothing is wrong with it")
}

fn letter(position: u64) -> Letter<'static> {
    Letter {
        position,
        field: Some("data.amount"),
        reason: "found a string",
        record: b"{\"amount\":\"ten\"}",
        arrival_ms: NOW,
        stream: "jsonl:a",
    }
}

fn positions(disk: &Memory) -> Vec<u64> {
    let mut reader = DeadLetterReader::open(Arc::new(disk.clone()), "dead-letters", &keys(disk)).expect("readable");
    let (mut block, mut all) = (LetterBlock::new(), Vec::new());
    while reader.next(&mut block).expect("whole") {
        for letter in block.letters() {
            assert_eq!(letter, Letter { position: letter.position, ..self::letter(0) });
            all.push(letter.position);
        }
    }
    all
}

#[test]
fn a_letter_that_comes_again_is_taken_once() {
    let disk = Memory::new();
    assert_eq!(positions(&disk), Vec::<u64>::new());
    let (mut letters, opened) = open_letters(&disk, LogConfig::dead_letters());
    assert_eq!(opened, OpenedLetters { newest: 0, cut: None });
    assert_eq!(letters.append(NOW, &[letter(3), letter(7)]).expect("room"), 2);
    assert_eq!(letters.append(NOW, &[letter(3), letter(7)]).expect("room"), 0);
    assert_eq!(letters.append(NOW, &[letter(7), letter(9)]).expect("room"), 1);
    assert_eq!(letters.append(NOW, &[]).expect("nothing to do"), 0);
    letters.sync().expect("takes it");
    assert_eq!((letters.newest(), positions(&disk)), (9, vec![3, 7, 9]));
    drop(letters);
    let (mut letters, opened) = open_letters(&disk, LogConfig::dead_letters());
    assert_eq!(opened.newest, 9);
    assert_eq!(letters.append(NOW, &[letter(9), letter(10)]).expect("room"), 1);
    assert_eq!(positions(&disk), [3, 7, 9, 10]);
}

#[test]
fn after_a_crash_the_same_letters_fill_the_hole() {
    for seed in 0..40 {
        let disk = Memory::new();
        let (mut letters, _) = open_letters(&disk, SMALL);
        for position in 1..=10 {
            letters.append(NOW, &[letter(position)]).expect("room");
        }
        letters.sync().expect("takes it");
        for position in 11..=20 {
            letters.append(NOW, &[letter(position)]).expect("room");
        }
        disk.crash(seed);
        let (mut letters, opened) = open_letters(&disk, SMALL);
        assert!((10..=20).contains(&opened.newest));
        for position in 5..=22 {
            letters.append(NOW, &[letter(position)]).expect("room");
        }
        assert_eq!(positions(&disk), (1..=22).collect::<Vec<_>>());
    }
}

#[test]
fn they_outlive_the_log_and_go_after_thirty_days() {
    let disk = Memory::new();
    let (mut log, _) = open(&disk, LogConfig::default());
    let (mut letters, _) = open_letters(&disk, LogConfig::dead_letters());
    put(&mut log, NOW, "entry");
    letters.append(NOW, &[letter(1)]).expect("room");
    letters.append(NOW + DAY_MS, &[letter(2)]).expect("room");
    letters.sync().expect("takes it");
    let now = NOW + 29 * DAY_MS;
    log.retain(now, 1).expect("writable");
    letters.retain(now).expect("writable");
    let first_day = Day::of_ms(NOW);
    assert!(!keys(&disk).days().expect("readable").contains(&first_day), "the log's key is gone");
    assert_eq!(positions(&disk), [1, 2]);
    let retained = letters.retain(NOW + 31 * DAY_MS).expect("writable");
    assert_eq!((retained.segments, retained.keys), (1, 1));
    assert_eq!(positions(&disk), [2]);
    let retained = letters.retain(NOW + 90 * DAY_MS).expect("writable");
    assert_eq!((retained.segments, retained.keys, positions(&disk)), (1, 1, Vec::new()));
    drop(letters);
    let (mut letters, opened) = open_letters(&disk, LogConfig::dead_letters());
    assert_eq!(opened.newest, 2, "though none is left");
    assert_eq!(letters.append(NOW + 90 * DAY_MS, &[letter(2), letter(3)]).expect("room"), 1);
}

#[test]
fn a_log_is_no_folder_of_dead_letters() {
    let disk = grown();
    let error = DeadLetterLog::open(Arc::new(disk.clone()), "log", &keys(&disk), SMALL).err().expect("refused");
    assert!(error.to_string().ends_with("is no segment of the dead letters"), "{error}");
    assert!(DeadLetterReader::open(Arc::new(disk.clone()), "log", &keys(&disk)).is_err());
}
