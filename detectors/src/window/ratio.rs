//! How many events of one sort there are for each of another: codes that were used for each that was sent.

use serde::{Deserialize, Serialize};

use super::series::Total;

/// Two counts over time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ratio {
    above: Total,
    below: Total,
}

impl Ratio {
    /// An event at `at_ms` that counts above the line, below it, or both.
    pub fn feed(&mut self, at_ms: i64, above: bool, below: bool, window_ms: i64) {
        // A side that gains nothing still learns how far time has come, so that both windows end at the same instant.
        self.above.feed(at_ms, i64::from(above), window_ms);
        self.below.feed(at_ms, i64::from(below), window_ms);
    }

    /// The ratio over the window that ends at `at_ms` or at the newest event, whichever is later; `None` where there is
    /// nothing below the line.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn value(&self, at_ms: i64, window_ms: i64) -> Option<f64> {
        let below = self.below.value(at_ms, window_ms).filter(|below| *below > 0)?;
        Some(self.above.value(at_ms, window_ms).unwrap_or(0) as f64 / below as f64)
    }

    /// Memory in cells, for the bound.
    pub fn cells(&self) -> usize {
        self.above.cells() + self.below.cells()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_of_what_the_window_holds() {
        let mut ratio = Ratio::default();
        ratio.feed(0, true, false, 100);
        assert_eq!(ratio.value(0, 100), None, "nothing below the line");
        for (at, above) in [(10, false), (20, true), (110, false), (115, false)] {
            ratio.feed(at, above, true, 100);
        }
        assert_eq!(ratio.value(115, 100), Some(1.0 / 3.0));
        assert_eq!(ratio.value(120, 100), Some(0.0), "what was above the line has left");
    }
}
