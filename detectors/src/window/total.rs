//! Whole numbers added up over the window: the amounts of a field for a sum, ones for a count. Saturates at the ends of
//! `i64`, so that a hostile amount cannot wrap round to a small one.

use smallvec::SmallVec;

/// Cells kept one instant each; more in one window and they are kept by bucket. 256: 4 KiB a key at most, and far
/// above any limit that a rule about one person sets.
const EXACT_MAX: usize = 256;
/// Buckets a window is divided into once it is past [`EXACT_MAX`].
const BUCKETS: i64 = 128;

/// Integers over time. A cell is an instant, or a bucket of `width` ms that begins there.
#[derive(Clone, Debug, Default)]
pub struct Total {
    /// (begin, total), by begin; every cell lies at least partly inside the window that ends at `newest`.
    cells: SmallVec<[(i64, i64); 1]>,
    newest: i64,
    bucketed: bool,
}

impl Total {
    /// Adds `amount` at instant `at_ms`. An instant that has left the window of the newest is not kept.
    pub fn feed(&mut self, at_ms: i64, amount: i64, window_ms: i64) {
        if self.cells.is_empty() {
            self.bucketed = false;
            self.newest = self.newest.max(at_ms);
        } else if at_ms > self.newest {
            self.newest = at_ms;
            self.expire(window_ms);
        }
        if at_ms <= super::start(self.newest, window_ms) {
            return;
        }
        let begin = if self.bucketed { bucket_of(at_ms, window_ms) } else { at_ms };
        self.put(begin, amount);
        if !self.bucketed && self.cells.len() > EXACT_MAX {
            self.bucketed = true;
            for (begin, amount) in std::mem::take(&mut self.cells) {
                self.put(bucket_of(begin, window_ms), amount);
            }
        }
    }

    /// The total over the window that ends at `at_ms` or at the newest instant, whichever is later. Saturates.
    pub fn value(&self, at_ms: i64, window_ms: i64) -> i64 {
        let start = super::start(self.newest.max(at_ms), window_ms);
        let last_of_cell = if self.bucketed { width(window_ms) - 1 } else { 0 };
        self.cells
            .iter()
            .rev()
            .take_while(|(begin, _)| begin + last_of_cell > start)
            .fold(0_i64, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    /// How many cells are kept.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }

    fn put(&mut self, begin: i64, amount: i64) {
        // New events are almost always the newest, so the place is looked for from the end.
        let after = self.cells.iter().rposition(|(other, _)| *other <= begin);
        match after.and_then(|index| self.cells.get_mut(index)) {
            Some((other, total)) if *other == begin => *total = total.saturating_add(amount),
            _ => self.cells.insert(after.map_or(0, |index| index + 1), (begin, amount)),
        }
    }

    fn expire(&mut self, window_ms: i64) {
        let start = super::start(self.newest, window_ms);
        let last_of_cell = if self.bucketed { width(window_ms) - 1 } else { 0 };
        let gone = self.cells.iter().take_while(|(begin, _)| begin + last_of_cell <= start).count();
        if gone > 0 {
            self.cells.drain(..gone);
        }
        if self.cells.is_empty() {
            self.bucketed = false;
            self.cells.shrink_to_fit();
        }
    }
}

/// Width of one bucket, ms.
fn width(window_ms: i64) -> i64 {
    (window_ms / BUCKETS).max(1)
}

fn bucket_of(at_ms: i64, window_ms: i64) -> i64 {
    let width = width(window_ms);
    at_ms.div_euclid(width) * width
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: i64 = 600_000;

    fn fed(events: &[(i64, i64)]) -> Total {
        let mut total = Total::default();
        for (at, amount) in events {
            total.feed(*at, *amount, WINDOW);
        }
        total
    }

    /// What the header promises, computed from the whole history.
    fn expected(events: &[(i64, i64)]) -> i64 {
        let newest = events.iter().map(|(at, _)| *at).max().unwrap_or(0);
        events.iter().filter(|(at, _)| *at > newest - WINDOW).map(|(_, amount)| *amount).sum()
    }

    #[test]
    fn the_window_is_open_at_its_start_and_closed_at_its_end() {
        let total = fed(&[(1_000, 1), (1_001, 1), (601_000, 1)]);
        assert_eq!(total.value(601_000, WINDOW), 2);
        assert_eq!(total.value(601_001, WINDOW), 1, "a later reader sees less");
        assert_eq!(total.value(0, WINDOW), 2, "an earlier reader sees the newest window");
    }

    #[test]
    fn what_is_too_old_is_not_kept() {
        let total = fed(&[(700_000, 1), (100_000, 1), (100_001, 1)]);
        assert_eq!(total.value(700_000, WINDOW), 2);
    }

    #[test]
    fn a_long_silence_starts_afresh() {
        let mut events: Vec<(i64, i64)> = (0..300).map(|i| (i * 10, 1)).collect();
        events.push((10_000_000, 1));
        let total = fed(&events);
        assert_eq!((total.value(10_000_000, WINDOW), total.bucketed, total.cells()), (1, false, 1));
    }

    #[test]
    fn totals_saturate() {
        assert_eq!(fed(&[(1, i64::MAX), (1, i64::MAX), (2, i64::MAX)]).value(2, WINDOW), i64::MAX);
    }

    #[test]
    fn past_the_exact_limit_nothing_is_under_counted_and_the_excess_is_one_bucket() {
        let events: Vec<(i64, i64)> = (0..5_000).map(|i| (i * 313, 1)).collect();
        let mut total = Total::default();
        for (seen, (at, amount)) in events.iter().enumerate() {
            total.feed(*at, *amount, WINDOW);
            let (value, exact) = (total.value(*at, WINDOW), expected(&events[..=seen]));
            assert!(value >= exact && value <= exact + width(WINDOW) / 313 + 1, "{value} for {exact}");
            assert!(total.cells() <= EXACT_MAX);
        }
        assert!(total.bucketed);
    }

    proptest! {
        #[test]
        fn exact_and_in_any_order(events in proptest::collection::vec((0_i64..2_000_000, 1_i64..1_000), 1..200).prop_shuffle()) {
            let total = fed(&events);
            let mut sorted = events.clone();
            sorted.sort_unstable();
            let in_order = fed(&sorted);
            prop_assert_eq!(total.value(0, WINDOW), expected(&events));
            prop_assert_eq!(&total.cells, &in_order.cells);
            prop_assert_eq!(total.newest, in_order.newest);
        }

        #[test]
        fn order_matters_by_one_bucket_at_most_past_the_limit(events in proptest::collection::vec((0_i64..1_500_000, 1_i64..2), 600..900)) {
            let newest = events.iter().map(|(at, _)| *at).max().unwrap_or(0);
            let boundary = newest - WINDOW;
            let inside_first_bucket = events.iter().filter(|(at, _)| (bucket_of(boundary, WINDOW)..=boundary).contains(at)).count();
            let mut sorted = events.clone();
            sorted.sort_unstable();
            let (shuffled, in_order) = (fed(&events).value(0, WINDOW), fed(&sorted).value(0, WINDOW));
            prop_assert!(shuffled.abs_diff(in_order) <= inside_first_bucket as u64);
        }
    }
}
