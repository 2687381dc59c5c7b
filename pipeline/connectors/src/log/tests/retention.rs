//! What goes when, and what must stay.

use super::*;
use crate::seal::Day;

const WEEK: LogConfig = LogConfig { segment_bytes: 64 << 20, retention_ms: 7 * DAY_MS, bytes_max: u64::MAX };

/// One entry a day for `days` days from NOW on, at ten in the morning.
fn daily(days: i64, config: LogConfig) -> (Memory, LogWriter) {
    let disk = Memory::new();
    let (mut log, _) = open(&disk, config);
    for day in 0..days {
        put(&mut log, NOW + day * DAY_MS, &format!("day {day}"));
    }
    (disk, log)
}

fn days(disk: &Memory) -> Vec<String> {
    keys(disk).days().expect("readable").iter().map(Day::to_string).collect()
}

#[test]
fn a_day_has_a_segment_and_a_key_of_its_own() {
    let (disk, log) = daily(3, WEEK);
    assert_eq!((log.segments(), segments(&disk).len()), (3, 3));
    assert_eq!(days(&disk), ["2026-11-22", "2026-11-23", "2026-11-24"]);
}

#[rstest]
// The entry of 22 November 10:00 is followed by one a day later; its day is over at midnight.
#[case::not_yet(NOW + 14 * 3_600_000 + 7 * DAY_MS - 1, 0, 1)]
#[case::its_day_is_over(NOW + 14 * 3_600_000 + 7 * DAY_MS, 1, 2)]
#[case::two_days(NOW + 14 * 3_600_000 + 8 * DAY_MS, 2, 3)]
fn a_segment_goes_with_its_day(#[case] now_ms: i64, #[case] dropped: usize, #[case] first: u64) {
    let (disk, mut log) = daily(5, WEEK);
    let bytes = log.bytes();
    let retained = log.retain(now_ms, 5).expect("writable");
    assert_eq!((retained.segments, retained.keys, retained.first), (dropped, dropped, first));
    assert_eq!(log.bytes(), bytes - retained.bytes);
    assert_eq!(read_all(&disk).len(), 5 - dropped);
    assert_eq!(days(&disk).len(), 5 - dropped);
    assert_eq!(log.retain(now_ms, 5).expect("writable"), Retained { first, ..Retained::default() }, "once is enough");
}

#[test]
fn within_a_day_a_segment_goes_when_the_next_is_old_enough() {
    let disk = Memory::new();
    let (mut log, _) = open(&disk, LogConfig { retention_ms: 3_600_000, ..SMALL });
    for minute in 0..60 {
        put(&mut log, NOW + minute * 60_000, "entry");
    }
    let retained = log.retain(NOW + 90 * 60_000, 60).expect("writable");
    assert!((20..=31).contains(&retained.first), "{retained:?}");
    assert_eq!(retained.keys, 0, "the day is not over");
}

#[test]
fn nothing_goes_that_no_snapshot_covers() {
    let (disk, mut log) = daily(5, WEEK);
    let late = NOW + 100 * DAY_MS;
    for (covered, first) in [(0, 1), (1, 2), (3, 4)] {
        assert_eq!(log.retain(late, covered).expect("writable").first, first);
        assert_eq!(days(&disk).len() as u64, 6 - first);
    }
    assert_eq!(read_all(&disk).len(), 2);
    // With all of it covered the newest goes too, and the positions go on.
    let retained = log.retain(late, 5).expect("writable");
    assert_eq!((retained.segments, retained.keys, retained.first), (2, 2, 6));
    assert_eq!((read_all(&disk).len(), log.next_position(), segments(&disk).len()), (0, 6, 1));
    let (mut log, opened) = open(&disk, WEEK);
    assert_eq!((opened.first, opened.next, opened.offsets["a"]), (6, 6, 5));
    // And while nothing comes, no key of a day that is over is kept.
    let later = late + 30 * DAY_MS;
    log.retain(later, 5).expect("writable");
    assert_eq!(days(&disk), [Day::of_ms(later).to_string()]);
    assert_eq!(put(&mut log, later, "after a long silence"), 6);
    assert_eq!(read_all(&disk), [(6, "after a long silence".to_owned())]);
    assert_eq!(read(reader(&disk, 6).expect("there")).0.len(), 1);
    assert_eq!(open(&disk, WEEK).1.next, 7);
}

#[test]
fn too_many_bytes_go_from_the_oldest_on() {
    let disk = grown();
    let bytes = open(&disk, SMALL).0.bytes();
    let (mut log, _) = open(&disk, LogConfig { bytes_max: bytes - 1, ..SMALL });
    assert_eq!(log.retain(NOW, 0).expect("writable").segments, 0, "no snapshot covers them");
    let retained = log.retain(NOW, 20).expect("writable");
    assert_eq!((retained.segments, retained.keys), (1, 0), "as few as will do; the day is not over");
    let (mut log, _) = open(&disk, LogConfig { bytes_max: 0, ..SMALL });
    log.retain(NOW, 20).expect("writable");
    assert_eq!(log.segments(), 1, "the newest stays");
}

#[test]
fn a_clock_set_back_makes_a_segment_of_its_day() {
    let (disk, mut log) = daily(2, WEEK);
    put(&mut log, NOW, "again the first day");
    assert_eq!((log.segments(), days(&disk).len()), (3, 2));
    assert_eq!(read_all(&disk).len(), 3);
    // The segment between says it is of the later day, but what follows it was made on the first.
    assert_eq!(log.retain(NOW + 14 * 3_600_000 + 7 * DAY_MS, 3).expect("writable").first, 4);
}

#[test]
fn a_crash_while_dropping_leaves_a_log() {
    for after in 0..12 {
        for seed in 0..4 {
            let (disk, mut log) = daily(5, WEEK);
            disk.inject(after, Fault::Crash);
            let late = NOW + 100 * DAY_MS;
            let ended = log.retain(late, 4);
            disk.crash(seed);
            let (mut log, opened) = open(&disk, WEEK);
            assert_eq!((opened.next, opened.cut), (6, None), "{ended:?}");
            assert_eq!(read_all(&disk).len() as u64, 6 - opened.first);
            assert_eq!(log.retain(late, 4).expect("writable").first, 5);
            assert_eq!(days(&disk), ["2026-11-26"]);
        }
    }
}
