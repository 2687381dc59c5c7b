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

/// Bits behind the point of a sum of 2^−rank: as many as the highest rank, so that every sum is exact and no order matters.
const RANK_MAX: u32 = 64 - REGISTER_BITS + 1;

/// Cells that a sketch of a million values in one window stays under: a register keeps a rank for each halving of the values behind it.
/// Nobody can aim at one register, as what is hashed is keyed with a secret.
pub const CELLS_USUAL: usize = 10 * 1024;

/// A sketch of the values seen since some instant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SlidingHyperLogLog {
    /// By register, then by instant; ranks fall as instants rise within a register.
    entries: Vec<Entry>,
    /// Of the window that was last asked for, so that a read need not walk the entries. Made of them, so never saved.
    #[serde(skip)]
    sums: Option<Sums>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    at_ms: i64,
    register: u16,
    rank: u8,
}

/// What an estimate is made of, for all windows that begin within a stretch of time in which no register's highest rank leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sums {
    /// The first start.
    from_ms: i64,
    /// The first start that may be too late: the highest rank of some register left there, when it was last looked for.
    until_ms: i64,
    /// Registers that hold a rank.
    filled: u32,
    /// The sum of their 2^−rank, in units of 2^−[`RANK_MAX`].
    harmonic: u128,
}

impl Sums {
    /// Of windows without any value.
    fn new(start_ms: i64) -> Self {
        Self { from_ms: start_ms, until_ms: i64::MAX, filled: 0, harmonic: 0 }
    }

    fn hold_for(&self, start_ms: i64) -> bool {
        (self.from_ms..self.until_ms).contains(&start_ms)
    }

    /// Takes in the highest rank of a register.
    fn add(&mut self, head: Entry) {
        self.filled += 1;
        self.harmonic += unit(head.rank);
        self.until_ms = self.until_ms.min(head.at_ms);
    }

    /// Takes it out. When it would have left stays a bound: too early at the worst.
    fn remove(&mut self, head: Entry) {
        self.filled -= 1;
        self.harmonic -= unit(head.rank);
    }

    #[expect(clippy::cast_precision_loss, reason = "rounded once, to 53 bits")]
    fn estimate(&self) -> i64 {
        let zeros = REGISTERS - f64::from(self.filled);
        let harmonic = self.harmonic as f64 / unit(0) as f64;
        let alpha = 0.7213 / (1.0 + 1.079 / REGISTERS);
        let raw = alpha * REGISTERS * REGISTERS / (harmonic + zeros);
        let estimate = if raw <= 2.5 * REGISTERS && zeros > 0.0 { REGISTERS * libm::log(REGISTERS / zeros) } else { raw };
        #[expect(clippy::cast_possible_truncation, reason = "at most 2^54 values can be told apart")]
        {
            libm::round(estimate) as i64
        }
    }
}

/// 2^−rank.
fn unit(rank: u8) -> u128 {
    (1_u128 << RANK_MAX).checked_shr(u32::from(rank)).unwrap_or(0)
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
        let start_ms = self.sums.map(|sums| sums.from_ms);
        let head = |kept: &[Entry]| kept.iter().find(|entry| start_ms.is_some_and(|start_ms| entry.at_ms > start_ms)).copied();
        let old = head(&kept);
        kept.retain(|entry| entry.at_ms > at_ms || entry.rank > rank);
        let before = kept.iter().take_while(|entry| entry.at_ms < at_ms).count();
        kept.insert(before, Entry { at_ms, register, rank });
        if let Some(sums) = &mut self.sums {
            let new = head(&kept);
            if new != old {
                if let Some(head) = old {
                    sums.remove(head);
                }
                if let Some(head) = new {
                    sums.add(head);
                }
            }
        }
        self.entries.splice(from..from + count, kept);
    }

    /// Drops what was last shown at `start_ms` or before.
    pub fn forget(&mut self, start_ms: i64) {
        self.entries.retain(|entry| entry.at_ms > start_ms);
        self.sums = self.sums.filter(|sums| start_ms < sums.until_ms);
    }

    /// Makes reads of the window that begins at `start_ms` cheap, and of those that begin later until something leaves.
    pub fn keep_for(&mut self, start_ms: i64) {
        if !self.sums.is_some_and(|sums| sums.hold_for(start_ms)) {
            self.sums = Some(self.sums_of(start_ms));
        }
    }

    /// About how many different values were shown after `start_ms`.
    pub fn estimate(&self, start_ms: i64) -> i64 {
        self.sums.filter(|sums| sums.hold_for(start_ms)).unwrap_or_else(|| self.sums_of(start_ms)).estimate()
    }

    /// Walks all entries.
    fn sums_of(&self, start_ms: i64) -> Sums {
        let mut sums = Sums::new(start_ms);
        let mut register = None;
        // The first entry of a register inside the window has its highest rank.
        for entry in self.entries.iter().filter(|entry| entry.at_ms > start_ms) {
            if register != Some(entry.register) {
                register = Some(entry.register);
                sums.add(*entry);
            }
        }
        sums
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

    /// The estimate as its definition has it: over all entries, in real numbers.
    fn estimate_by_walk(sketch: &SlidingHyperLogLog, start_ms: i64) -> i64 {
        let (mut filled, mut harmonic) = (0.0_f64, 0.0_f64);
        let mut register = None;
        for entry in sketch.entries.iter().filter(|entry| entry.at_ms > start_ms) {
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
        #[expect(clippy::cast_possible_truncation, reason = "as in the code")]
        {
            libm::round(estimate) as i64
        }
    }

    /// What can befall a sketch.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Feed(u64, i64),
        Forget(i64),
        KeepFor(i64),
        /// A snapshot is written and read.
        Save,
    }

    fn step() -> impl Strategy<Value = Step> {
        // Few values, so that they come again, in few registers or in all; instants in no order.
        let value = prop_oneof![0_u64..64, any::<u64>()].prop_map(|value| value.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let hash = (value, any::<bool>()).prop_map(|(hash, few)| if few { hash & !(0xFF << 56) } else { hash });
        prop_oneof![
            12 => (hash, 0_i64..1_000).prop_map(|(hash, at_ms)| Step::Feed(hash, at_ms)),
            1 => (0_i64..1_000).prop_map(Step::Forget),
            3 => (0_i64..1_000).prop_map(Step::KeepFor),
            1 => Just(Step::Save),
        ]
    }

    proptest! {
        #[test]
        fn what_is_kept_up_to_date_is_what_a_walk_finds(steps in proptest::collection::vec(step(), 1..400)) {
            let mut sketch = SlidingHyperLogLog::default();
            for step in steps {
                match step {
                    Step::Feed(hash, at_ms) => sketch.feed(hash, at_ms),
                    Step::Forget(start_ms) => sketch.forget(start_ms),
                    Step::KeepFor(start_ms) => {
                        sketch.keep_for(start_ms);
                        prop_assert!(sketch.sums.is_some_and(|sums| sums.hold_for(start_ms)));
                    }
                    Step::Save => {
                        let saved = postcard::to_allocvec(&sketch).expect("saved");
                        prop_assert_eq!(&saved, &postcard::to_allocvec(&sketch.entries).expect("saved"));
                        sketch = postcard::from_bytes(&saved).expect("loaded");
                    }
                }
                for start_ms in sketch.sums.map_or([-1, 0, 500], |sums| [sums.from_ms, sums.from_ms + 1, sums.until_ms.min(1_000) - 1]) {
                    prop_assert_eq!(sketch.estimate(start_ms), estimate_by_walk(&sketch, start_ms));
                }
            }
        }

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
