//! A sketch of a distribution that says every quantile at most 1 % too high and never too low, and adds up: what two
//! sketches saw, one that saw both says byte for byte.
//!
//! `DDSketch` (Masson, Rim, Lee: "a fast and fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019):
//! a number x is counted in bucket i = ⌈ln |x| / ln γ⌉, whose numbers lie in (γ^(i − 1), γ^i]. The paper answers with the
//! middle of a bucket, which is off by as much either way; here it is the upper end, so that no number is greater than a
//! quantile that it is one of. Counts are whole numbers and logarithms are libm's, so the bytes are the same on any machine.

use serde::{Deserialize, Serialize};

/// ln γ of γ = 1.01: a quantile is 1 % too high at the most.
const LN_GAMMA: f64 = 0.009_950_330_853_168_083;
/// What rounding of the logarithm may make of a number at the end of its bucket.
const ROUNDING: f64 = 1e-12;
/// Numbers nearer to zero than this count as zero.
const LEAST: f64 = 1e-9;
/// And those beyond this as this: ten million million pounds in piastres.
const GREATEST: f64 = 1e15;
/// Puts the bucket of [`LEAST`] above that of zero.
const OFFSET: i32 = 2_100;

/// See the module's header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sketch {
    /// (bucket, how many), by bucket: negative numbers below 0, which is zero's.
    buckets: Vec<(i32, u64)>,
    count: u64,
}

impl Sketch {
    /// Takes in a number that is not NaN.
    pub fn add(&mut self, number: f64) {
        self.put(bucket_of(number), 1);
    }

    /// Takes in all that another one took in.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            self.put(*bucket, *count);
        }
    }

    /// Takes off what another one took in, which this one did too.
    pub fn take_off(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            if let Ok(place) = self.buckets.binary_search_by_key(bucket, |(bucket, _)| *bucket)
                && let Some((_, kept)) = self.buckets.get_mut(place)
            {
                *kept = kept.saturating_sub(*count);
            }
        }
        self.buckets.retain(|(_, count)| *count > 0);
        self.count = self.count.saturating_sub(other.count);
    }

    /// How many numbers it took in.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The number at rank q (n − 1) of the n it took in, in order, from 0, or up to 1 % more. `None` where there is
    /// none.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let last = self.count.checked_sub(1)?;
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts are far below 2^53, and q is 0 to 1"
        )]
        let rank = (q.clamp(0.0, 1.0) * last as f64) as u64;
        let mut below = 0;
        let found = self.buckets.iter().find(|(_, count)| {
            below += count;
            below > rank
        });
        found.map(|(bucket, _)| number_of(*bucket))
    }

    /// Buckets of numbers that lie within a hundred million of each other, for what is said of memory beforehand.
    pub const BUCKETS_USUAL: usize = 2_000;

    /// Heap memory, bytes.
    pub fn heap_bytes(&self) -> usize {
        Self::heap_bytes_of(self.buckets.len())
    }

    /// That of so many buckets, bytes.
    pub const fn heap_bytes_of(buckets: usize) -> usize {
        buckets * size_of::<(i32, u64)>()
    }

    fn put(&mut self, bucket: i32, count: u64) {
        let place = self.buckets.partition_point(|(other, _)| *other < bucket);
        match self.buckets.get_mut(place).filter(|(other, _)| *other == bucket) {
            Some((_, kept)) => *kept = kept.saturating_add(count),
            None => self.buckets.insert(place, (bucket, count)),
        }
        self.count = self.count.saturating_add(count);
    }
}

fn bucket_of(number: f64) -> i32 {
    let size = number.abs().min(GREATEST);
    if size < LEAST {
        return 0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "between the buckets of the least and the greatest")]
    let bucket = libm::ceil(libm::log(size) / LN_GAMMA) as i32 + OFFSET;
    if number < 0.0 { -bucket } else { bucket }
}

/// The greatest number of a bucket.
fn number_of(bucket: i32) -> f64 {
    if bucket == 0 {
        return 0.0;
    }
    let upper = |bucket: i32| libm::exp(f64::from(bucket - OFFSET) * LN_GAMMA);
    if bucket > 0 { upper(bucket) * (1.0 + ROUNDING) } else { -upper(-bucket - 1) * (1.0 - ROUNDING) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::cast_precision_loss, reason = "numbers far below 2^53, or any of that size")]

    use proptest::prelude::*;

    use super::*;

    const ERROR_MAX: f64 = 0.01;

    fn of(numbers: &[f64]) -> Sketch {
        numbers.iter().fold(Sketch::default(), |mut sketch, number| {
            sketch.add(*number);
            sketch
        })
    }

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (1_i64..10_000_000).prop_map(|piastres| piastres as f64),
            1 => -1e6..1e6_f64,
            1 => prop::sample::select(vec![0.0, -0.0, 1e-12, 1e15, -1e15, 1.0, i64::MAX as f64 / 1e5]),
        ]
    }

    proptest! {
        /// Against the sorted numbers themselves.
        #[test]
        fn every_quantile_is_up_to_one_percent_too_high(numbers in prop::collection::vec(number(), 1..400), q in 0.0..=1.0_f64) {
            let found = of(&numbers).quantile(q).expect("there are some");
            let mut sorted = numbers.clone();
            sorted.sort_by(f64::total_cmp);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
            let exact = sorted[(q * (numbers.len() - 1) as f64) as usize];
            let least = if exact.abs() < LEAST { 0.0 } else { exact };
            prop_assert!(found >= least && found - exact <= exact.abs() * (ERROR_MAX + 1e-9) + LEAST, "{} for {}", found, exact);
        }

        /// Any split, any order: the same bytes; and what is taken off is as if it never came.
        #[test]
        fn sketches_add_up(numbers in prop::collection::vec(number(), 0..300), at in any::<prop::sample::Index>()) {
            let (one, other) = numbers.split_at(at.index(numbers.len() + 1));
            let mut merged = of(other);
            merged.merge(&of(one));
            prop_assert_eq!(&merged, &of(&numbers));
            merged.take_off(&of(one));
            prop_assert_eq!(merged, of(other));
        }
    }

    #[test]
    fn the_logarithm_is_gammas() {
        assert!((libm::log(1.0 + ERROR_MAX) - LN_GAMMA).abs() < 1e-15, "{:.20}", libm::log(1.0 + ERROR_MAX));
    }

    #[test]
    fn hostile_numbers_have_a_bounded_number_of_buckets() {
        let buckets = [LEAST, GREATEST, f64::MAX, f64::INFINITY, -f64::MAX].map(bucket_of);
        assert!(buckets.iter().all(|bucket| (1..5_600).contains(&bucket.abs())), "{buckets:?}");
        assert_eq!([0.0, -0.0, 1e-10, -1e-10].map(bucket_of), [0; 4]);
    }
}
