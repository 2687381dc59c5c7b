//! How many different values, over a sliding window, from a few kilobytes.
//!
//! HyperLogLog (Flajolet, Fusy, Gandouet, Meunier, 2007) with linear counting below 2.5·m, over a window as Chabchoub
//! and Hébrail ("Sliding HyperLogLog", 2010) make it: each register keeps the ranks that could still become its
//! maximum as older ones leave, i.e. those that no later instant matches or exceeds. What is kept is a function of the
//! values and their instants, never of the order in which they came. 1 024 registers: 3.3 % standard error.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Bits of the hash that choose the register.
const REGISTER_BITS: u32 = 10;
const REGISTERS: f64 = 1024.0;

/// Cells that a sketch of a million values in one window stays under: a register keeps a rank for each halving of the values behind it.
/// Nobody can aim at one register, as what is hashed is keyed with a secret.
pub const CELLS_USUAL: usize = 10 * 1024;

/// A sketch of the values seen since some instant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SlidingHyperLogLog {
    /// By register, then by instant; ranks fall as instants rise within a register.
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    at_ms: i64,
    register: u16,
    rank: u8,
}

impl SlidingHyperLogLog {
    /// The value with that 64-bit hash, shown at `at_ms`.
    #[expect(clippy::cast_possible_truncation, reason = "ten bits, and a rank of 55 at most")]
    pub fn feed(&mut self, hash: u64, at_ms: i64) {
        let register = (hash >> (64 - REGISTER_BITS)) as u16;
        let rank = ((hash << REGISTER_BITS) | (1 << (REGISTER_BITS - 1))).leading_zeros() as u8 + 1;
        let from = self.entries.partition_point(|entry| entry.register < register);
        let count = self.entries.iter().skip(from).take_while(|entry| entry.register == register).count();
        let mut kept: SmallVec<[Entry; 8]> = self.entries.iter().skip(from).take(count).copied().collect();
        if kept.iter().any(|entry| entry.at_ms >= at_ms && entry.rank >= rank) {
            return; // a later or equal instant already matches it
        }
        kept.retain(|entry| entry.at_ms > at_ms || entry.rank > rank);
        let before = kept.iter().take_while(|entry| entry.at_ms < at_ms).count();
        kept.insert(before, Entry { at_ms, register, rank });
        self.entries.splice(from..from + count, kept);
    }

    /// Drops what was last shown at `start_ms` or before.
    pub fn forget(&mut self, start_ms: i64) {
        self.entries.retain(|entry| entry.at_ms > start_ms);
    }

    /// About how many different values were shown after `start_ms`.
    pub fn estimate(&self, start_ms: i64) -> i64 {
        let (mut filled, mut harmonic) = (0.0_f64, 0.0_f64);
        let mut register = None;
        // The first entry of a register inside the window has its highest rank.
        for entry in self.entries.iter().filter(|entry| entry.at_ms > start_ms) {
            if register != Some(entry.register) {
                register = Some(entry.register);
                filled += 1.0;
                harmonic += f64::from_bits((1023 - u64::from(entry.rank)) << 52); // 2^−rank, exactly
            }
        }
        let zeros = REGISTERS - filled;
        let alpha = 0.7213 / (1.0 + 1.079 / REGISTERS);
        let raw = alpha * REGISTERS * REGISTERS / (harmonic + zeros);
        let estimate = if raw <= 2.5 * REGISTERS && zeros > 0.0 { REGISTERS * libm::log(REGISTERS / zeros) } else { raw };
        #[expect(clippy::cast_possible_truncation, reason = "at most 2^54 values can be told apart")]
        {
            libm::round(estimate) as i64
        }
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Memory in cells, for the bound.
    pub fn cells(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_kept_does_not_depend_on_order(events in proptest::collection::vec((any::<u64>(), 0_i64..50), 1..300).prop_shuffle()) {
            // A handful of registers, so that several ranks meet in each.
            let events: Vec<(u64, i64)> = events.into_iter().map(|(hash, at)| (hash & !(0xFF << 56), at)).collect();
            let feed = |events: &[(u64, i64)]| {
                let mut sketch = SlidingHyperLogLog::default();
                for (hash, at) in events { sketch.feed(*hash, *at); }
                sketch.entries
            };
            let mut sorted = events.clone();
            sorted.sort_unstable_by_key(|(hash, at)| (*at, *hash));
            prop_assert_eq!(feed(&events), feed(&sorted));
        }

        #[test]
        fn forgetting_equals_never_having_seen(events in proptest::collection::vec((any::<u64>(), 0_i64..100), 1..200), start in 0_i64..100) {
            let mut all = SlidingHyperLogLog::default();
            let mut recent = SlidingHyperLogLog::default();
            for (hash, at) in &events {
                all.feed(*hash, *at);
                if *at > start { recent.feed(*hash, *at); }
            }
            prop_assert_eq!(all.estimate(start), recent.estimate(i64::MIN));
            all.forget(start);
            prop_assert_eq!(all.entries, recent.entries);
        }
    }
}
