//! Keys of a list's entries, for an operator that tells how near somebody is to one of them. The compiler cannot make them, as
//! it does not know the secret; the engine does when rules are put in force.

use std::sync::Arc;

/// The keys of a list's entries, in order, each with the instant from which on it is in the list no more, Unix ms. Several of one
/// engine share them; no state holds them.
#[derive(Clone, Default)]
pub struct Near(Arc<[(u64, i64)]>);

impl Near {
    /// Those entries.
    pub fn new(mut entries: Vec<(u64, i64)>) -> Self {
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        // Of one key the entry that ends last.
        entries.dedup_by_key(|(key, _)| *key);
        Self(entries.into())
    }

    /// The keys that are in the list at an instant, in order.
    pub fn at(&self, at_ms: i64) -> impl Iterator<Item = u64> {
        self.0.iter().filter(move |(_, ends_ms)| at_ms < *ends_ms).map(|(key, _)| *key)
    }

    /// Whether a key is in the list at an instant.
    pub fn holds(&self, key: u64, at_ms: i64) -> bool {
        let place = self.0.binary_search_by_key(&key, |(other, _)| *other).ok();
        place.and_then(|place| self.0.get(place)).is_some_and(|(_, ends_ms)| at_ms < *ends_ms)
    }

    /// Whether the list has no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Near {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

/// How many there are, never which.
impl std::fmt::Debug for Near {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Near({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_counts_until_the_last_of_its_ends() {
        let near = Near::new(vec![(7, 100), (3, i64::MAX), (7, 200), (5, 100)]);
        assert_eq!(near.at(99).collect::<Vec<_>>(), [3, 5, 7]);
        assert_eq!(near.at(100).collect::<Vec<_>>(), [3, 7]);
        assert!(near.holds(7, 199) && !near.holds(7, 200) && !near.holds(4, 0));
        assert!(near == Near::new(vec![(3, i64::MAX), (5, 100), (7, 200)]) && near != Near::default());
    }
}
