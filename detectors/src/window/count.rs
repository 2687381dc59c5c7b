//! How many events of a key lie in the window.

use super::series::Series;

/// A count over time.
#[derive(Clone, Debug, Default)]
pub struct Count(Series);

impl Count {
    /// One event at `at_ms`.
    pub fn feed(&mut self, at_ms: i64, window_ms: i64) {
        self.0.add(at_ms, 1, window_ms);
    }

    /// Events in the window that ends at `at_ms` or at the newest event, whichever is later.
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
