//! What the log's tail says of deliveries over HTTP, told to the ingester at a start, so that a copy of what came before
//! is known.
//!
//! What counts is how long ago a delivery came, and the stamps in the log say that only as well as the clock was set then
//! and is now. So ages are summed up from the newest block back: between two blocks nothing less than no time went by,
//! and no more than [`GAP_MS`] is believed. A clock that was an hour behind makes no delivery old enough to be forgotten
//! while its signature is still accepted, and one that was an hour ahead makes none be known for an hour more. Where
//! little comes, little is remembered too long.

use std::sync::Arc;

use rasid_connectors::clock::age_ms;
use rasid_connectors::ingest::REMEMBERED_MS;
use rasid_connectors::ingest::http::Logged;
use rasid_connectors::log::{self, Block, Entry, LogReader};
use rasid_connectors::seal::Keyring;
use rasid_connectors::storage::Storage;

use crate::recover::layout;

/// Most time that two blocks in a row can lie apart, ms.
const GAP_MS: u64 = 60_000;
/// What the streams of producers begin with.
const STREAMS: &str = "http:";

/// Hands over every record over HTTP that is remembered still, in the log's order, and how long ago it came at most, ms.
/// The tail is read twice, for its ages and for its records: it is too much to be held.
pub(crate) fn tell(
    storage: &Arc<dyn Storage>,
    keys: &Keyring,
    now_ms: i64,
    mut each: impl FnMut(&Logged<'_>, u64),
) -> Result<(), log::Error> {
    let open = |first| LogReader::open(Arc::clone(storage), layout::LOG, keys.clone(), first);
    let Some(Tail { first, skip, ages }) = tail(storage, now_ms, open)? else { return Ok(()) };
    let (mut reader, mut block) = (open(first)?, Block::new());
    for _ in 0..skip {
        reader.next(&mut block)?;
    }
    for age_ms in ages {
        reader.next(&mut block)?;
        for (_, entry) in block.entries() {
            if let Entry::Event { arrival_ms, origin, bytes } = entry
                && origin.stream.starts_with(STREAMS)
            {
                each(&Logged { stream: origin.stream, offset: origin.offset, arrival_ms, bytes }, age_ms);
            }
        }
    }
    Ok(())
}

/// The blocks that are remembered still.
struct Tail {
    /// First position of the segment in which the oldest of them lies.
    first: u64,
    /// Blocks of that segment before it.
    skip: usize,
    /// How old each is at most, ms, oldest first.
    ages: Vec<u64>,
}

fn tail(storage: &Arc<dyn Storage>, now_ms: i64, open: impl Fn(u64) -> Result<LogReader, log::Error>) -> Result<Option<Tail>, log::Error> {
    // Segments are named by their first position.
    let names = storage.list(layout::LOG).unwrap_or_default();
    let firsts: Vec<u64> = names.iter().filter_map(|name| name.strip_suffix(".seg")?.parse().ok()).collect();
    let (mut tail, mut age, mut later_ms, mut end) = (None, 0, now_ms, u64::MAX);
    let mut ages = Vec::new();
    'older: for first in firsts.into_iter().rev() {
        let (mut reader, mut block, mut appended) = (open(first)?, Block::new(), Vec::new());
        while reader.position() < end && reader.next(&mut block)? {
            appended.push(block.appended_ms());
        }
        for (before, appended_ms) in appended.into_iter().enumerate().rev() {
            age += age_ms(later_ms, appended_ms).min(GAP_MS);
            later_ms = appended_ms;
            if age > REMEMBERED_MS.unsigned_abs() {
                break 'older;
            }
            ages.push(age);
            tail = Some((first, before));
        }
        end = first;
    }
    ages.reverse();
    Ok(tail.map(|(first, skip)| Tail { first, skip, ages }))
}

#[cfg(test)]
mod tests {
    use rasid_connectors::log::{Control, LogConfig, LogWriter, Origin};
    use rasid_connectors::storage::Memory;
    use rstest::rstest;

    use super::*;

    const NOW: i64 = 1_795_255_200_000;
    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;

    /// A log with a delivery each half minute, ten to a segment: `clock` says how the clock was off when it came so many ms
    /// before [`NOW`].
    fn log(newest_ago_ms: i64, clock: impl Fn(i64) -> i64) -> (Arc<dyn Storage>, Keyring) {
        let storage: Arc<dyn Storage> = Arc::new(Memory::new());
        let keys = Keyring::open(Arc::clone(&storage), layout::KEYS, &[7; 32]).expect("a secret");
        let config = LogConfig { segment_bytes: 2_000, ..LogConfig::default() };
        let (mut log, _) = LogWriter::open(Arc::clone(&storage), layout::LOG, keys.clone(), config).expect("an empty folder");
        for offset in (0..200_u64).rev() {
            let ago_ms = newest_ago_ms + i64::try_from(offset).expect("small") * MINUTE / 2;
            let now_ms = NOW - ago_ms + clock(ago_ms);
            let event = |stream, bytes| Entry::Event { arrival_ms: now_ms, origin: Origin { stream, offset }, bytes };
            log.append(
                now_ms,
                &[event("http:shop", b"{}"), event("jsonl:x", &[b' '; 100]), Entry::Control(Control::Tick { at_ms: now_ms })],
            )
            .expect("memory");
        }
        assert!(log.segments() > 10);
        (storage, keys)
    }

    /// The oldest that is known, by its offset: how many half minutes came after it.
    fn oldest(newest_ago_ms: i64, clock: impl Fn(i64) -> i64) -> u64 {
        let (storage, keys) = log(newest_ago_ms, clock);
        let (mut offsets, mut ages) = (Vec::new(), Vec::new());
        tell(&storage, &keys, NOW, |logged, age_ms| {
            assert_eq!((logged.stream, logged.bytes), ("http:shop", b"{}".as_slice()));
            offsets.push(logged.offset);
            ages.push(age_ms);
        })
        .expect("a whole log");
        let expected: Vec<u64> = (0..offsets.len() as u64).rev().collect();
        assert_eq!(offsets, expected, "every one from the oldest on, in the log's order");
        assert!(ages.is_sorted_by(|older, newer| older >= newer) && ages[0] <= REMEMBERED_MS.unsigned_abs());
        offsets[0]
    }

    #[rstest]
    #[case::never_set(|_| 0, 30..=30)]
    #[case::an_hour_ahead_until_five_minutes_ago(|ago_ms| if ago_ms > 5 * MINUTE { HOUR } else { 0 }, 30..=31)]
    #[case::an_hour_behind_until_five_minutes_ago(|ago_ms| if ago_ms > 5 * MINUTE { -HOUR } else { 0 }, 28..=30)]
    #[case::an_hour_ahead_all_the_time(|_| HOUR, 30..=31)]
    #[case::an_hour_behind_all_the_time(|_| -HOUR, 28..=30)]
    #[case::ahead_for_a_minute(|ago_ms| if (5 * MINUTE..6 * MINUTE).contains(&ago_ms) { HOUR } else { 0 }, 28..=31)]
    fn a_quarter_of_an_hour_is_known_however_the_clock_was_set(
        #[case] clock: impl Fn(i64) -> i64,
        #[case] expected: std::ops::RangeInclusive<u64>,
    ) {
        let oldest = oldest(0, clock);
        assert!(expected.contains(&oldest), "{oldest} half minutes");
    }

    #[test]
    fn a_night_without_a_service_lets_nothing_be_forgotten_early() {
        assert_eq!(oldest(9 * HOUR, |_| 0), 28, "the night counts as a minute");
    }

    #[test]
    fn an_empty_log_tells_nothing() {
        let storage: Arc<dyn Storage> = Arc::new(Memory::new());
        let keys = Keyring::open(Arc::clone(&storage), layout::KEYS, &[7; 32]).expect("a secret");
        tell(&storage, &keys, NOW, |_, _| panic!("nothing is there")).expect("an empty folder");
    }
}
