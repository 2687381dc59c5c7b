//! How many of how many, and how sure that is.

use serde::{Serialize, Serializer};

/// z of a confidence of 95 %.
const Z: f64 = 1.959_964;

/// How many of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// So many of them.
    pub hits: u64,
    /// All.
    pub of: u64,
}

impl Share {
    /// Fewer than these say little: an interval of 95 % is then 0.35 wide at the best known of shares, one half.
    pub const ENOUGH: u64 = 30;

    /// Counts one more.
    pub fn add(&mut self, hit: bool) {
        self.hits += u64::from(hit);
        self.of += 1;
    }

    /// The share, 0 to 1; `None` of none.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn share(self) -> Option<f64> {
        (self.of > 0).then(|| self.hits as f64 / self.of as f64)
    }

    /// Wilson's score interval of 95 % (Wilson 1927); `None` of none.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn interval(self) -> Option<(f64, f64)> {
        let (n, p) = (self.of as f64, self.share()?);
        let middle = p + Z * Z / (2.0 * n);
        let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        Some((((middle - spread) / scale).max(0.0), ((middle + spread) / scale).min(1.0)))
    }

    /// Whether they are too few to go by.
    pub fn is_thin(self) -> bool {
        self.of < Self::ENOUGH
    }
}

/// `{"hits", "of", "share", "low", "high"}`, the last three rounded to 4 places, null of none.
impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written {
            hits: u64,
            of: u64,
            share: Option<f64>,
            low: Option<f64>,
            high: Option<f64>,
        }
        let round = |share: f64| (share * 1e4).round() / 1e4;
        let interval = self.interval();
        let (low, high) = (interval.map(|(low, _)| round(low)), interval.map(|(_, high)| round(high)));
        Written { hits: self.hits, of: self.of, share: self.share().map(round), low, high }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval_is_that_of_his_paper() {
        let (low, high) = Share { hits: 8, of: 10 }.interval().expect("some");
        assert!((low - 0.490_2).abs() < 1e-3 && (high - 0.943_3).abs() < 1e-3, "{low} {high}");
        assert_eq!((Share::default().interval(), Share::default().share()), (None, None));
        assert!(Share { hits: 29, of: 29 }.is_thin() && !Share { hits: 0, of: 30 }.is_thin());
    }
}
