//! The sum of a whole-number field over the window: money, records read. Saturates at the ends of `i64`, so that a
//! hostile amount cannot wrap round to a small one.

use super::series::Series;

/// A sum over time.
#[derive(Clone, Debug, Default)]
pub struct Sum(Series);

impl Sum {
    /// `amount` at `at_ms`.
    pub fn feed(&mut self, at_ms: i64, amount: i64, window_ms: i64) {
        self.0.add(at_ms, amount, window_ms);
    }

    /// The sum over the window that ends at `at_ms` or at the newest event, whichever is later.
    pub fn value(&self, at_ms: i64, window_ms: i64) -> i64 {
        self.0.total(at_ms, window_ms)
    }

    /// The newest event's instant.
    pub fn newest_ms(&self) -> i64 {
        self.0.newest_ms()
    }

    /// Memory in cells, for the bound.
    pub fn cells(&self) -> usize {
        self.0.cells()
    }
}
