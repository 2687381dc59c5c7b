//! How many numbers there are, their sum and that of their squares: mean and standard deviation, the same in whatever order
//! the numbers came.
//!
//! ```text
//! Formula  s² = Σ(x − x̄)² / (n − 1), with Σ(x − x̄)² = (n·Σx² − (Σx)²) / n out of whole numbers
//! Exact    up to Σx² = 2^128, which takes four numbers at the ends of i64, or 2^48 of 10^12: there is no deviation from there on.
//!          What is exact until the last division cancels nothing out, as sums of doubles would
//! Source   Chan, Golub, LeVeque, "Algorithms for computing the sample variance", The American Statistician 37, 1983
//! ```

use serde::{Deserialize, Serialize};

use super::series::{Merge, Series};
use crate::event::field::FieldType;
use crate::value::Value;

/// Steps of one unit that doubles are kept in: sums of integers are the same in any order.
const DOUBLE_STEPS: f64 = 1_000_000.0;

/// A number of a field in whole steps; `None` where it is none. Out of range, it saturates.
pub fn in_steps(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => Some(number),
        #[expect(clippy::cast_possible_truncation, reason = "out of range, it saturates")]
        Value::Double(number) => Some(libm::round(number * DOUBLE_STEPS) as i64),
        _ => None,
    }
}

/// How many steps are one unit of a field of that type.
pub fn steps_of(of: Option<FieldType>) -> f64 {
    if of == Some(FieldType::Double) { DOUBLE_STEPS } else { 1.0 }
}

/// What numbers come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moments {
    count: u64,
    sum: i128,
    squares: u128,
}

impl Moments {
    /// Those of one number.
    pub fn of(number: i64) -> Self {
        Self { count: 1, sum: number.into(), squares: u128::from(number.unsigned_abs()).pow(2) }
    }

    /// How many numbers.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean; 0 of none.
    #[expect(clippy::cast_precision_loss, reason = "a mean is a double, good to 53 bits")]
    pub fn mean(&self) -> f64 {
        self.sum as f64 / self.count.max(1) as f64
    }

    /// How far a number lies over their mean, less where it lies under.
    #[expect(clippy::cast_precision_loss, reason = "the last division")]
    pub fn over_mean(&self, number: i64) -> f64 {
        let times = i128::from(number).saturating_mul(self.count.into());
        times.saturating_sub(self.sum) as f64 / self.count.max(1) as f64
    }

    /// Their sample standard deviation; `None` of less than two, or where their squares are past what is exact.
    #[expect(clippy::cast_precision_loss, reason = "the last divisions")]
    pub fn stddev(&self) -> Option<f64> {
        if self.count < 2 || self.squares == u128::MAX {
            return None;
        }
        // Σx = n·m + r. About m it is Σx² − n·m² − 2·m·r, of which nothing is over Σx²; about the mean, r²/n less.
        let count = u128::from(self.count);
        let (mean, rest) = (self.sum.unsigned_abs() / count, self.sum.unsigned_abs() % count);
        let (square, twice) = (mean.saturating_mul(mean).saturating_mul(count), mean.saturating_mul(rest * 2));
        let about = self.squares.saturating_sub(square).saturating_sub(twice);
        let spread = match about.checked_mul(count) {
            Some(times) => times.saturating_sub(rest * rest) as f64 / count as f64,
            // So much that the rest, which is below the count, is nothing to it.
            None => about as f64,
        };
        Some(libm::sqrt(spread / (count - 1) as f64))
    }
}

/// Adds moments up. The squares saturate, and say so.
#[derive(Clone, Copy, Debug, Default)]
pub struct AddMoments;

impl Merge for AddMoments {
    type Cell = Moments;

    fn merge(a: Moments, b: Moments) -> Moments {
        Moments { count: a.count.saturating_add(b.count), sum: a.sum.saturating_add(b.sum), squares: a.squares.saturating_add(b.squares) }
    }
}

/// Moments over time: 64 bytes an instant.
pub type Spread = Series<AddMoments>;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(numbers: &[i64]) -> Moments {
        numbers.iter().map(|number| Moments::of(*number)).reduce(AddMoments::merge).unwrap_or_default()
    }

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        assert_eq!((of(&[]).stddev(), of(&[5]).stddev()), (None, None));
        assert_eq!(of(&[2, 4]).stddev(), Some(std::f64::consts::SQRT_2));
        assert_eq!(of(&[7, 7, 7]).stddev(), Some(0.0));
        let numbers = of(&[2, 4, 4, 4, 5, 5, 7, 9]);
        assert_eq!((numbers.mean(), numbers.stddev()), (5.0, Some(libm::sqrt(32.0 / 7.0))));
        assert_eq!((numbers.over_mean(9), numbers.over_mean(-1)), (4.0, -6.0));
    }

    /// What sums of doubles lose: a deviation of a half about 10^18.
    #[test]
    fn nothing_cancels_out() {
        let numbers: Vec<i64> = (0..100).map(|number| 1_000_000_000_000_000_000 + number % 2).collect();
        assert_eq!(of(&numbers).stddev(), Some(libm::sqrt(25.0 / 99.0)));
    }

    #[test]
    fn three_at_the_ends_fit_and_four_have_none() {
        let three = of(&[i64::MIN, i64::MIN, i64::MAX]).stddev().expect("three fit");
        assert!((three / (libm::sqrt(4.0 / 3.0) * libm::exp2(63.0)) - 1.0).abs() < 1e-15, "{three}");
        assert_eq!(of(&[i64::MIN; 3]).stddev(), Some(0.0));
        assert_eq!(of(&[i64::MIN; 4]).stddev(), None);
        assert!(of(&[i64::MIN; 4]).over_mean(i64::MAX).is_finite());
    }

    #[test]
    fn doubles_are_kept_in_steps() {
        assert_eq!((in_steps(Value::Double(0.5)), in_steps(Value::Double(f64::MAX))), (Some(500_000), Some(i64::MAX)));
        assert_eq!((in_steps(Value::Int(-3)), in_steps(Value::Bool(true))), (Some(-3), None));
    }

    proptest! {
        /// Against Σ(n·x − Σx)² = n²·Σ(x − x̄)², one by one.
        #[test]
        fn it_is_that_of_a_plain_list(middle in -1_000_000_000_000_i64..1_000_000_000_000, off in proptest::collection::vec(-10_000_i64..10_000, 2..60)) {
            let numbers: Vec<i64> = off.iter().map(|off| middle + off).collect();
            let (count, sum) = (numbers.len() as i128, numbers.iter().copied().map(i128::from).sum::<i128>());
            let squares: i128 = numbers.iter().map(|number| (i128::from(*number) * count - sum).pow(2)).sum();
            #[expect(clippy::cast_precision_loss, reason = "the last division")]
            let exact = libm::sqrt(squares as f64 / (count * count * (count - 1)) as f64);
            let found = of(&numbers).stddev().expect("two at least");
            prop_assert!((found - exact).abs() <= exact * 1e-14, "{} for {}", found, exact);
        }

        #[test]
        fn any_numbers_in_any_order(numbers in proptest::collection::vec(prop_oneof![any::<i64>(), Just(i64::MIN), -3_i64..3], 1..20)) {
            let mut sorted = numbers.clone();
            sorted.sort_unstable();
            prop_assert_eq!(of(&numbers), of(&sorted));
            let deviation = of(&numbers).stddev();
            prop_assert!(deviation.is_none_or(|deviation| (0.0..2e19).contains(&deviation)));
        }
    }
}
