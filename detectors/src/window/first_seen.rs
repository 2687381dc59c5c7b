//! When a key was first seen.

use serde::{Deserialize, Serialize};

/// The oldest instant of a key that is still remembered.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct FirstSeen(Option<i64>);

impl FirstSeen {
    /// An event at `at_ms`.
    pub fn feed(&mut self, at_ms: i64) {
        self.0 = Some(self.0.map_or(at_ms, |first| first.min(at_ms)));
    }

    /// The oldest instant, ms since the Unix epoch.
    pub fn value(&self) -> Option<i64> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_instant_stays_whatever_the_order() {
        let mut first = FirstSeen::default();
        assert_eq!(first.value(), None);
        for at in [50, 90, 20, 70] {
            first.feed(at);
        }
        assert_eq!(first.value(), Some(20));
    }
}
