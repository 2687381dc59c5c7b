//! How long things take, by bounds.

use serde::Serialize;

/// Upper bounds of the buckets of [`Latency`], ms: around the aim of 20 ms, and out to where a person would notice.
pub const LATENCY_BOUNDS_MS: [u32; 14] = [1, 2, 5, 10, 15, 20, 30, 50, 100, 250, 500, 1_000, 5_000, 30_000];

/// A histogram of durations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// How many took at most the bound of the same index in [`LATENCY_BOUNDS_MS`] and more than the one before; the last
    /// are those beyond all bounds.
    pub buckets: [u64; LATENCY_BOUNDS_MS.len() + 1],
    /// All durations together, µs.
    pub sum_us: u64,
}

impl Latency {
    /// Counts one duration.
    pub fn record_us(&mut self, duration_us: u64) {
        let bucket = LATENCY_BOUNDS_MS.partition_point(|bound| u64::from(*bound) * 1_000 < duration_us);
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
        self.sum_us = self.sum_us.saturating_add(duration_us);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_lands_in_the_first_bucket_that_holds_it() {
        let mut latency = Latency::default();
        for us in [0, 1_000, 1_001, 20_000, 20_001, 30_000_000, 30_000_001] {
            latency.record_us(us);
        }
        let filled: Vec<(usize, u64)> = latency.buckets.iter().copied().enumerate().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(0, 2), (1, 1), (5, 1), (6, 1), (13, 1), (14, 1)]);
        assert_eq!((latency.count(), latency.sum_us), (7, 60_042_003));
    }
}
