//! Between which shares the true one lies, in 19 of 20 cases, where so many of so many were counted.
//!
//! ```text
//! p = x/n,  z = 1.96
//! (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)
//! ```
//! Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).

/// The two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.96;

/// The lower and the upper bound of a share of which `of` were counted; `None` where none were, or the share is over 1.
pub fn interval(share: f64, of: f64) -> Option<(f64, f64)> {
    if !(0.0..=1.0).contains(&share) || of < 1.0 {
        return None;
    }
    let z_squared_of = Z * Z / of;
    let middle = share + z_squared_of / 2.0;
    let reach = Z * libm::sqrt(share * (1.0 - share) / of + z_squared_of / (4.0 * of));
    let scale = 1.0 + z_squared_of;
    Some((((middle - reach) / scale).max(0.0), ((middle + reach) / scale).min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_intervals() {
        // Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, and 0 of 20.
        let (low, high) = interval(81.0 / 263.0, 263.0).expect("some");
        assert!((low - 0.2553).abs() < 1e-4 && (high - 0.3662).abs() < 1e-4, "{low} {high}");
        let (low, high) = interval(0.0, 20.0).expect("some");
        assert!(low.abs() < 1e-12 && (high - 0.1611).abs() < 1e-4, "{low} {high}");
        assert_eq!((interval(1.5, 10.0), interval(0.5, 0.0)), (None, None));
    }

    proptest! {
        #[test]
        fn the_share_lies_inside_and_more_counted_is_narrower(above in 0_u32..1_000, more in 0_u32..1_000) {
            let of = f64::from(above + more + 1);
            let share = f64::from(above) / of;
            let (low, high) = interval(share, of).expect("some");
            prop_assert!(low <= share + 1e-12 && share <= high + 1e-12 && (0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high));
            let (closer_low, closer_high) = interval(share, of * 10.0).expect("some");
            prop_assert!(closer_low >= low - 1e-9 && closer_high <= high + 1e-9);
        }
    }
}
