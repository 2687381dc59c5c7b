//! What ten million identities take, and how long the slowest of them:
//! `cargo nextest run --workspace --lib --run-ignored only -E 'test(figures_of_ten_million)' --no-capture`

use std::time::{Duration, Instant};

use super::*;

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4096
}

/// Bytes an entry, in tenths.
fn each(bytes: u64, entries: usize) -> String {
    let tenths = bytes * 10 / entries as u64;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Takes in those ids, a thousand at a time; how long the slowest thousand took.
#[expect(clippy::disallowed_methods, reason = "a stopwatch")]
fn take_in(duplicates: &mut Duplicates, thousands: u64, ids_a_ms: u64) -> Duration {
    let mut slowest = Duration::ZERO;
    for thousand in 0..thousands {
        let started = Instant::now();
        for id in thousand * 1_000..(thousand + 1) * 1_000 {
            assert_eq!(other(duplicates, id, i64::try_from(id / ids_a_ms).expect("small")), First);
        }
        slowest = slowest.max(started.elapsed());
    }
    slowest
}

#[test]
#[ignore = "takes a minute, and its figures want an idle machine"]
#[expect(clippy::disallowed_methods, reason = "a stopwatch")]
fn figures_of_ten_million_identities() {
    for (name, entries_max) in [("a full memory", 10_000_000_usize), ("one with room for twice as many", 20_000_000)] {
        let (before, begun) = (resident(), Instant::now());
        let mut duplicates = Duplicates::new(entries_max * ENTRY_MEMORY);
        let slowest = take_in(&mut duplicates, 10_000, 100);
        let elapsed = begun.elapsed();
        let (bytes, index) = (each(resident() - before, 10_000_000), each(duplicates.index.bytes() as u64, 10_000_000));
        eprintln!("{name}: {bytes} bytes an entry resident, {index} of them the index");
        eprintln!("  {:?} a delivery, the slowest thousand {slowest:?}", elapsed / 10_000_000);
        let started = Instant::now();
        let shared = duplicates.share();
        eprintln!("  share: {:?}", started.elapsed());
        let state = saved(&shared);
        let started = Instant::now();
        let restored = load(entries_max * ENTRY_MEMORY, &state);
        let (own, lasting) = (state.0.len() + state.1.len(), state.2.len());
        eprintln!("  {own} bytes with each snapshot, {lasting} lasting parts; restored in {:?}", started.elapsed());
        assert!(restored.is_ok_and(|restored| restored.live == duplicates.live));
    }
    // A full memory that goes on: as many are over as come.
    let mut duplicates = Duplicates::new(10_000_000 * ENTRY_MEMORY);
    let slowest = take_in(&mut duplicates, 40_000, 1);
    let index = each(duplicates.index.bytes() as u64, duplicates.live);
    eprintln!("after thrice as many more: the index {index} bytes an entry of {}, the slowest thousand {slowest:?}", duplicates.live);
}
