//! How the memory bound is dealt.
//!
//! What duplicates are owed comes first: memory for half an hour of `events_per_s` events a second, and an eighth at the
//! least. Of what is left, suppression, issued alerts and scores get a seventh each, and the rest is keyed state.

use crate::Config;
use crate::duplicates::reserve_bytes;

/// The most of the bound that is reserved, whatever was asked for: half.
const RESERVE_PART: usize = 2;

/// The shares of the memory bound, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    pub(crate) duplicates: usize,
    /// Of suppression, of issued alerts and of scores, each.
    pub(crate) each: usize,
    pub(crate) keyed: usize,
}

impl Shares {
    pub(crate) fn of(config: &Config) -> Self {
        let Config { memory_max, events_per_s, .. } = *config;
        let reserve = usize::try_from(reserve_bytes(events_per_s)).unwrap_or(usize::MAX);
        let duplicates = reserve.min(memory_max / RESERVE_PART).max(memory_max / 8);
        let seventh = (memory_max - duplicates) / 7;
        Self { duplicates, each: seventh, keyed: seventh * 4 }
    }
}

/// Bytes of the memory bound that are reserved for half an hour of duplicates at `events_per_s` events a second.
pub fn reserved_bytes(events_per_s: u32) -> u64 {
    reserve_bytes(events_per_s)
}

/// The highest rate that memory can be reserved for: half of the bound is left for all else.
pub fn events_per_s_max(memory_max: u64) -> u32 {
    let half = memory_max / RESERVE_PART as u64;
    let (mut low, mut high) = (0, u32::MAX);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if reserve_bytes(middle) <= half { low = middle } else { high = middle - 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(memory_max: usize, events_per_s: u32) -> Shares {
        Shares::of(&Config { memory_max, events_per_s, ..Config::default() })
    }

    #[test]
    fn the_default_rate_costs_nothing_beyond_the_eighth_of_the_default_bound() {
        let eighth = (4 << 30) / 8;
        assert_eq!(Shares::of(&Config::default()), Shares { duplicates: eighth, each: eighth, keyed: 4 * eighth });
        assert_eq!(Shares::of(&Config::default()), shares(4 << 30, 0));
    }

    #[test]
    fn what_duplicates_are_owed_is_taken_before_anything_else_is_dealt() {
        for (memory_max, events_per_s) in [(1 << 30, 5_000), (4 << 30, 40_000), (16 << 20, 0), (1 << 40, 1_000_000), (16 << 20, 5_000)] {
            let Shares { duplicates, each, keyed } = shares(memory_max, events_per_s);
            let owed = usize::try_from(reserved_bytes(events_per_s)).expect("64 bits");
            assert_eq!(duplicates, owed.min(memory_max / 2).max(memory_max / 8));
            let dealt = duplicates + 3 * each + keyed;
            assert!(dealt <= memory_max && dealt + 7 > memory_max, "{memory_max} {events_per_s}: {dealt}");
        }
    }

    #[test]
    fn the_highest_rate_is_the_last_that_leaves_half() {
        for memory_max in [16 << 20, 1 << 30, 4 << 30, 1 << 40] {
            let most = events_per_s_max(memory_max);
            assert!(reserved_bytes(most) <= memory_max / 2 && reserved_bytes(most + 1) > memory_max / 2, "{memory_max}: {most}");
        }
    }
}
