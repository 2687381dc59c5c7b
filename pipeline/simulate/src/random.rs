//! Randomness from a seed that is the same on any machine and in any year.
//!
//! The generator is `SplitMix64` (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014,
//! with the constants of Vigna's public-domain `splitmix64.c`): one addition and one mixing function, small enough to be
//! kept here, so that no dependency's next version changes a simulated day. Floating-point draws use +, −, ×, ÷ alone, which
//! IEEE 754 defines to the bit, and `libm` for logarithms.

/// The golden ratio's fraction, the generator's step.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A bijection of 64-bit words that leaves no pattern of its input.
pub(crate) fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A stream of draws.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream of one story. Each story has its own, named by what it is about, so that one more draw in one story
    /// changes no other.
    pub(crate) fn of(seed: u64, story: &str, first: u64, second: u64) -> Self {
        let name = story.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mut state = mix(seed.wrapping_add(STEP)) ^ name;
        for part in [first, second] {
            state = mix(state.wrapping_add(STEP) ^ mix(part.wrapping_add(STEP)));
        }
        Self(state)
    }

    /// Sixty-four bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// 0 to `bound` − 1, or 0 where the bound is 0. The bias of multiplying is under 2⁻³² for the bounds used here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or_default() // the high half of a product of two words is a word
    }

    /// `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low.saturating_add_unsigned(self.below(high.abs_diff(low).saturating_add(1)))
    }

    /// 0 to just under 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    /// `low` to just under `high`.
    pub(crate) fn real(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with that probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of them. The list is never empty: every caller draws from a constant or a population of one at least.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(from.len() as u64)).unwrap_or_default();
        from.get(index).expect("a draw is below the length of a list that is not empty")
    }

    /// The index of one of them, by weight.
    pub(crate) fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut left = self.below(weights.iter().map(|weight| u64::from(*weight)).sum());
        for (index, weight) in weights.iter().enumerate() {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return index,
            }
        }
        0
    }

    /// Mean 0, variance 1, within ±6: the sum of twelve uniform draws, because it is exact on any machine.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// A waiting time with that mean, ms.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "waits are far below 2⁵³ ms")]
    pub(crate) fn wait(&mut self, mean_ms: i64) -> i64 {
        (-libm::log(1.0 - self.unit()) * mean_ms as f64) as i64
    }

    /// How many of something that happens `mean` times on average, one half at most of it by chance.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are small and not negative")]
    pub(crate) fn about(&mut self, mean: f64) -> u64 {
        (mean * self.real(0.85, 1.15) + self.unit()) as u64
    }

    /// An opaque identifier: the prefix and ten characters, 50 bits.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", crate::wire::base32(self.bits() >> 14, 10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The first words of Vigna's splitmix64.c from the state 1234567.
        let mut random = Random(1_234_567);
        assert_eq!(
            [random.bits(), random.bits(), random.bits()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn draws_keep_to_their_bounds() {
        let mut random = Random::of(1, "test", 2, 3);
        for _ in 0..10_000 {
            assert!((-3..=5).contains(&random.between(-3, 5)));
            assert!((0.0..1.0).contains(&random.unit()));
            assert!([0, 2].contains(&random.weighted(&[1, 0, 4])));
            assert!(random.wait(1_000) >= 0);
        }
        assert_eq!(random.between(7, 7), 7);
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn stories_differ_by_name_and_number() {
        let first = |story, a, b| Random::of(9, story, a, b).bits();
        let all = [first("x", 0, 0), first("y", 0, 0), first("x", 1, 0), first("x", 0, 1), Random::of(8, "x", 0, 0).bits()];
        let distinct: std::collections::BTreeSet<u64> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
