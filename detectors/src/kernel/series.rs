//! Whole numbers over the window, merged by instant: added up for a count, a sum or a mean, compared for the smallest
//! and the largest; or what several of them come to at once.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::operator::HeapBounds;

/// Cells kept one instant each; more in one window and they are kept by bucket. 256: 4 KiB a key at most, and far
/// above any limit that a rule about one person sets.
const EXACT_MAX: usize = 256;
/// Buckets a window is divided into once it is past [`EXACT_MAX`].
const BUCKETS: i64 = 128;

/// How two of one cell, or of one window, are one. The order must change nothing.
pub trait Merge: Clone + Default {
    /// What a cell holds: a number, mostly.
    type Cell: Copy + std::fmt::Debug + Serialize + DeserializeOwned;

    /// The one of two.
    fn merge(a: Self::Cell, b: Self::Cell) -> Self::Cell;
}

/// The sum. It saturates at the ends of `i64`, so that a hostile amount cannot wrap round to a small one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Add;

/// The smaller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Least;

/// The larger.
#[derive(Clone, Copy, Debug, Default)]
pub struct Greatest;

impl Merge for Add {
    type Cell = i64;

    fn merge(a: i64, b: i64) -> i64 {
        a.saturating_add(b)
    }
}

impl Merge for Least {
    type Cell = i64;

    fn merge(a: i64, b: i64) -> i64 {
        a.min(b)
    }
}

impl Merge for Greatest {
    type Cell = i64;

    fn merge(a: i64, b: i64) -> i64 {
        a.max(b)
    }
}

/// A count or a sum.
pub type Total = Series<Add>;
/// The smallest number.
pub type Min = Series<Least>;
/// The largest number.
pub type Max = Series<Greatest>;

/// Integers over time. A cell is an instant, or a bucket of `width` ms that begins there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Series<M: Merge> {
    merge: PhantomData<M>,
    /// (begin, total), by begin; every cell lies at least partly inside the window that ends at `newest`.
    cells: SmallVec<[(i64, M::Cell); 1]>,
    newest: i64,
    bucketed: bool,
}

/// What one series of numbers takes.
pub const HEAP: HeapBounds = Total::HEAP;

impl<M: Merge> Series<M> {
    /// What one takes: a cell, and as many as are kept at the most.
    pub const HEAP: HeapBounds = HeapBounds { first: size_of::<(i64, M::Cell)>(), most: EXACT_MAX * size_of::<(i64, M::Cell)>() };

    /// Adds `amount` at instant `at_ms`. An instant that has left the window of the newest is not kept.
    pub fn feed(&mut self, at_ms: i64, amount: M::Cell, window_ms: i64) {
        if self.cells.is_empty() {
            self.bucketed = false;
            self.newest = self.newest.max(at_ms);
        } else if at_ms > self.newest {
            self.newest = at_ms;
            self.expire(window_ms);
        }
        if at_ms <= start_of(self.newest, window_ms) {
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

    /// All of the window that ends at `at_ms` or at the newest instant, whichever is later, but for the last `offset_ms` of
    /// it, merged; `None` where that holds nothing. A bucket that lies partly inside is taken whole.
    pub fn value(&self, at_ms: i64, window_ms: i64, offset_ms: i64) -> Option<M::Cell> {
        let end = self.newest.max(at_ms);
        self.between(start_of(end, window_ms), start_of(end, offset_ms), window_ms)
    }

    /// What lies after `start` and not after `end`, within the window that is kept, merged; `None` where that is nothing. A
    /// bucket that lies partly inside is taken whole.
    pub fn between(&self, start: i64, end: i64, window_ms: i64) -> Option<M::Cell> {
        let last_of_cell = if self.bucketed { width(window_ms) - 1 } else { 0 };
        self.cells
            .iter()
            .rev()
            .skip_while(|(begin, _)| *begin > end)
            .take_while(|(begin, _)| begin.saturating_add(last_of_cell) > start)
            .map(|(_, amount)| *amount)
            .reduce(M::merge)
    }

    /// Forgets all up to that instant and at it. A bucket that begins by then goes whole, so that nothing of it is left.
    pub fn forget(&mut self, through_ms: i64) {
        let gone = self.cells.partition_point(|(begin, _)| *begin <= through_ms);
        self.drop_first(gone);
    }

    /// How many cells are kept.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }

    /// Their memory, bytes.
    pub fn heap_bytes(&self) -> usize {
        self.cells() * size_of::<(i64, M::Cell)>()
    }

    /// The newest instant that it was fed, ms.
    pub fn newest_ms(&self) -> i64 {
        self.newest
    }

    fn put(&mut self, begin: i64, amount: M::Cell) {
        // New events are almost always the newest, so the place is looked for from the end.
        let after = self.cells.iter().rposition(|(other, _)| *other <= begin);
        match after.and_then(|index| self.cells.get_mut(index)) {
            Some((other, merged)) if *other == begin => *merged = M::merge(*merged, amount),
            _ => self.cells.insert(after.map_or(0, |index| index + 1), (begin, amount)),
        }
    }

    fn expire(&mut self, window_ms: i64) {
        let start = start_of(self.newest, window_ms);
        let last_of_cell = if self.bucketed { width(window_ms) - 1 } else { 0 };
        let gone = self.cells.iter().take_while(|(begin, _)| begin.saturating_add(last_of_cell) <= start).count();
        self.drop_first(gone);
    }

    fn drop_first(&mut self, cells: usize) {
        if cells > 0 {
            self.cells.drain(..cells);
        }
        if self.cells.is_empty() {
            self.bucketed = false;
            self.cells.shrink_to_fit();
        }
    }
}

/// The start of the window that ends at `end_ms`: instants after it are inside.
pub fn start_of(end_ms: i64, window_ms: i64) -> i64 {
    end_ms.saturating_sub(window_ms)
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

    fn sum(total: &Total, at_ms: i64) -> i64 {
        total.value(at_ms, WINDOW, 0).unwrap_or(0)
    }

    /// What the header promises, computed from the whole history.
    fn expected(events: &[(i64, i64)]) -> i64 {
        let newest = events.iter().map(|(at, _)| *at).max().unwrap_or(0);
        events.iter().filter(|(at, _)| *at > newest - WINDOW).map(|(_, amount)| *amount).sum()
    }

    #[test]
    fn the_window_is_open_at_its_start_and_closed_at_its_end() {
        let total = fed(&[(1_000, 1), (1_001, 1), (601_000, 1)]);
        assert_eq!(sum(&total, 601_000), 2);
        assert_eq!(sum(&total, 601_001), 1, "a later reader sees less");
        assert_eq!(sum(&total, 0), 2, "an earlier reader sees the newest window");
    }

    #[test]
    fn the_newest_is_left_out_up_to_the_offset() {
        let total = fed(&[(1_000, 1), (301_000, 2), (301_001, 4), (601_000, 8)]);
        let before = |at_ms| total.value(at_ms, WINDOW, 300_000);
        assert_eq!((before(601_000), before(601_001), before(901_000)), (Some(2), Some(6), Some(12)));
        assert_eq!((before(0), total.value(601_000, WINDOW, WINDOW - 1)), (Some(2), None), "an earlier reader sees the newest window");
    }

    #[test]
    fn what_is_too_old_is_not_kept() {
        let total = fed(&[(700_000, 1), (100_000, 1), (100_001, 1)]);
        assert_eq!(sum(&total, 700_000), 2);
    }

    #[test]
    fn a_long_silence_starts_afresh() {
        let mut events: Vec<(i64, i64)> = (0..300).map(|i| (i * 10, 1)).collect();
        events.push((10_000_000, 1));
        let total = fed(&events);
        assert_eq!((sum(&total, 10_000_000), total.bucketed, total.cells()), (1, false, 1));
    }

    /// Snapshots of earlier versions hold it.
    #[test]
    fn what_is_saved_stays_as_it_was() {
        let saved = postcard::to_allocvec(&fed(&[(3, 100), (600_001, -7)])).expect("plain data");
        assert_eq!(saved, [2, 6, 200, 1, 130, 159, 73, 13, 130, 159, 73, 0]);
        let back: Total = postcard::from_bytes(&saved).expect("its own");
        assert_eq!(sum(&back, 0), 93);
    }

    #[test]
    fn what_is_forgotten_is_so_up_to_an_instant() {
        let mut total = fed(&[(1, 1), (2, 2), (3, 4), (4, 8)]);
        total.forget(2);
        assert_eq!(sum(&total, 4), 12);
        total.forget(9);
        assert_eq!((sum(&total, 4), total.newest_ms()), (0, 4));
        let mut flood = fed(&(0..300).map(|at| (at * 10, 1)).collect::<Vec<_>>());
        flood.forget(1_000);
        assert!((199 - width(WINDOW) / 10..199).contains(&sum(&flood, 0)), "{}: the bucket goes whole", sum(&flood, 0));
    }

    #[test]
    fn totals_saturate() {
        assert_eq!(sum(&fed(&[(1, i64::MAX), (1, i64::MAX), (2, i64::MAX)]), 2), i64::MAX);
    }

    #[test]
    fn past_the_exact_limit_nothing_is_under_counted_and_the_excess_is_one_bucket() {
        let events: Vec<(i64, i64)> = (0..5_000).map(|i| (i * 313, 1)).collect();
        let mut total = Total::default();
        for (seen, (at, amount)) in events.iter().enumerate() {
            total.feed(*at, *amount, WINDOW);
            let (value, exact) = (sum(&total, *at), expected(&events[..=seen]));
            assert!(value >= exact && value <= exact + width(WINDOW) / 313 + 1, "{value} for {exact}");
            assert!(total.cells() <= EXACT_MAX);
        }
        assert!(total.bucketed);
    }

    #[test]
    fn the_smallest_and_the_largest_leave_with_their_instants() {
        let (mut min, mut max) = (Min::default(), Max::default());
        for (at, number) in [(0, 9), (10, 1), (20, 5), (600_005, 7)] {
            min.feed(at, number, WINDOW);
            max.feed(at, number, WINDOW);
        }
        assert_eq!((min.value(0, WINDOW, 0), max.value(0, WINDOW, 0)), (Some(1), Some(7)));
        assert_eq!((min.value(600_010, WINDOW, 0), max.value(1_200_005, WINDOW, 0)), (Some(5), None));
    }

    proptest! {
        #[test]
        fn exact_and_in_any_order(events in proptest::collection::vec((0_i64..2_000_000, 1_i64..1_000), 1..200).prop_shuffle()) {
            let total = fed(&events);
            let mut sorted = events.clone();
            sorted.sort_unstable();
            let in_order = fed(&sorted);
            prop_assert_eq!(sum(&total, 0), expected(&events));
            prop_assert_eq!(&total.cells, &in_order.cells);
            prop_assert_eq!(total.newest, in_order.newest);
        }

        #[test]
        fn exact_before_an_offset_and_a_bucket_more_past_the_limit(
            events in proptest::collection::vec((0_i64..2_000_000, 1_i64..2), 1..700).prop_shuffle(), offset in 0_i64..WINDOW,
        ) {
            let total = fed(&events);
            let newest = events.iter().map(|(at, _)| *at).max().unwrap_or(0);
            let between = |start: i64, end: i64| events.iter().filter(|(at, _)| *at > start && *at <= end).count();
            let between = |start, end| i64::try_from(between(start, end)).expect("a few");
            let (start, end) = (newest - WINDOW, newest - offset);
            let (value, exact) = (total.value(0, WINDOW, offset).unwrap_or(0), between(start, end));
            let excess = between(start - width(WINDOW), start) + between(end, end + width(WINDOW));
            prop_assert!(value >= exact && value <= exact + if total.bucketed { excess } else { 0 }, "{value} for {exact}");
        }

        #[test]
        fn order_matters_by_one_bucket_at_most_past_the_limit(events in proptest::collection::vec((0_i64..1_500_000, 1_i64..2), 600..900)) {
            let newest = events.iter().map(|(at, _)| *at).max().unwrap_or(0);
            let boundary = newest - WINDOW;
            let inside_first_bucket = events.iter().filter(|(at, _)| (bucket_of(boundary, WINDOW)..=boundary).contains(at)).count();
            let mut sorted = events.clone();
            sorted.sort_unstable();
            let (shuffled, in_order) = (sum(&fed(&events), 0), sum(&fed(&sorted), 0));
            prop_assert!(shuffled.abs_diff(in_order) <= inside_first_bucket as u64);
        }
    }
}
