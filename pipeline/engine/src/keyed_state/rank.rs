//! What is evicted first where memory is full.

/// So many are put in order at once.
const RANKS_MIN: usize = 64;

/// What is evicted first is the least: it counts the least, has not changed for the longest time, has the lowest key, and is of
/// the first binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub(super) count: usize,
    pub(super) changed_ms: i64,
    pub(crate) key: u64,
    pub(crate) binding: u16,
    /// What it frees.
    pub(crate) bytes: usize,
}

impl Rank {
    /// That of a state which is not kept by key and is worth most of all that count as much.
    pub(crate) fn of_newest(count: usize, binding: u16, bytes: usize) -> Self {
        Self { count, changed_ms: i64::MAX, key: u64::MAX, binding, bytes }
    }
}

/// What is left in a quota that was full, so that the next insert need not make room again: seven eighths.
pub(crate) fn room_in(quota: usize) -> usize {
    quota / 8 * 7
}

/// Takes out what is least until no more than `target` of `bytes` are left, or nothing. It is the same as if all were in order,
/// and only what is taken is put in order.
pub(crate) fn take_least(ranks: &mut [Rank], bytes: &mut usize, target: usize, mut take: impl FnMut(&Rank)) {
    let mut rest = ranks;
    while *bytes > target && !rest.is_empty() {
        // An eighth is to go, and small ones first.
        let part = (rest.len() / 4).max(RANKS_MIN).min(rest.len());
        if part < rest.len() {
            rest.select_nth_unstable(part);
        }
        let (least, others) = rest.split_at_mut(part);
        least.sort_unstable();
        for rank in least {
            if *bytes <= target {
                return;
            }
            take(rank);
            *bytes -= rank.bytes;
        }
        rest = others;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What is taken, and in which order, is what a list in order gives: as little as leaves the target.
        #[test]
        fn the_least_are_taken_in_order(
            drawn in proptest::collection::vec((0_usize..3, 0_i64..50, 1_usize..40), 0..600), target in 0_usize..12_000,
        ) {
            let rank = |(key, (count, changed_ms, bytes)): (u64, (usize, i64, usize))| Rank { count, changed_ms, key, binding: 0, bytes };
            let mut ranks: Vec<Rank> = (0..).zip(drawn).map(rank).collect();
            let mut sorted = ranks.clone();
            sorted.sort_unstable();
            let all: usize = ranks.iter().map(|rank| rank.bytes).sum();
            let (mut left, mut taken) = (all, Vec::new());
            take_least(&mut ranks, &mut left, target, |rank| taken.push(*rank));
            prop_assert_eq!(&taken[..], &sorted[..taken.len()]);
            prop_assert_eq!(left, all - taken.iter().map(|rank| rank.bytes).sum::<usize>());
            prop_assert!(left <= target && taken.last().is_none_or(|last| left + last.bytes > target));
        }
    }
}
