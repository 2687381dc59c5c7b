//! The mean of a number field over the window.

use serde::{Deserialize, Serialize};

use super::series::Total;

/// A mean over time: a sum beside a count, so that both end at the same instant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Mean {
    sum: Total,
    count: Total,
}

impl Mean {
    /// One number at `at_ms`.
    pub fn feed(&mut self, at_ms: i64, number: i64, window_ms: i64) {
        self.sum.feed(at_ms, number, window_ms);
        self.count.feed(at_ms, 1, window_ms);
    }

    /// The mean over the window that ends at `at_ms` or at the newest number, whichever is later; `None` without any.
    #[expect(clippy::cast_precision_loss, reason = "a mean is a double, good to 53 bits")]
    pub fn value(&self, at_ms: i64, window_ms: i64) -> Option<f64> {
        let (sum, count) = (self.sum.value(at_ms, window_ms)?, self.count.value(at_ms, window_ms)?);
        Some(sum as f64 / count as f64)
    }

    /// Memory in cells, for the bound.
    pub fn cells(&self) -> usize {
        self.sum.cells() + self.count.cells()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_of_what_the_window_holds() {
        let mut mean = Mean::default();
        assert_eq!(mean.value(0, 100), None);
        for (at, number) in [(0, 1_000), (50, 10), (50, 20), (100, 30)] {
            mean.feed(at, number, 100);
        }
        assert_eq!(mean.value(100, 100), Some(20.0));
        assert_eq!(mean.value(200, 100), None);
    }
}
