//! Disjoint sets: which of a number of things hang together, told by what joins two of them.
//!
//! Source: Tarjan, "Efficiency of a good but not linear set union algorithm", JACM 22 (1975); halving of paths: Tarjan and
//! van Leeuwen, JACM 31 (1984).

/// So many things, numbered from 0. A set is named by the least number in it, so the order in which things are joined changes nothing.
pub struct DisjointSets {
    /// Of each another one of its set with a smaller number; its own where there is none.
    before: Vec<u32>,
}

impl DisjointSets {
    /// Each by itself.
    pub fn new(count: usize) -> Self {
        Self { before: (0..u32::try_from(count).unwrap_or(u32::MAX)).collect() }
    }

    /// The least number of the set that a number is in.
    pub fn least(&mut self, mut number: u32) -> u32 {
        loop {
            let before = self.before(number);
            if before == number {
                return number;
            }
            let next = self.before(before);
            self.set(number, next);
            number = next;
        }
    }

    /// Makes one set of those that two numbers are in.
    pub fn join(&mut self, one: u32, other: u32) {
        let (one, other) = (self.least(one), self.least(other));
        if one != other {
            self.set(one.max(other), one.min(other));
        }
    }

    fn before(&self, number: u32) -> u32 {
        self.before.get(number as usize).copied().unwrap_or(number)
    }

    fn set(&mut self, number: u32, before: u32) {
        if let Some(place) = self.before.get_mut(number as usize) {
            *place = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against labels that are written over until nothing changes.
        #[test]
        fn what_is_joined_is_one(joins in prop::collection::vec((0_u32..40, 0_u32..40), 0..60)) {
            let mut sets = DisjointSets::new(40);
            for (one, other) in &joins {
                sets.join(*one, *other);
            }
            let mut labels: Vec<u32> = (0..40).collect();
            for _ in 0..40 {
                for (one, other) in &joins {
                    let least = labels[*one as usize].min(labels[*other as usize]);
                    labels[*one as usize] = least;
                    labels[*other as usize] = least;
                }
            }
            prop_assert_eq!((0..40).map(|number| sets.least(number)).collect::<Vec<_>>(), labels);
        }
    }
}
