//! A token bucket: so many events a second, with room for a burst. Time comes in, from a clock that nobody sets.

/// One sender's allowance.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    per_s: f64,
    burst: f64,
    /// Below zero after a request that was larger than what was there.
    tokens: f64,
    at_ms: i64,
}

impl Bucket {
    /// Full at first.
    pub(super) fn new(per_s: u32, burst: u32, now_ms: i64) -> Self {
        let burst = f64::from(burst.max(1));
        Self { per_s: f64::from(per_s.max(1)), burst, tokens: burst, at_ms: now_ms }
    }

    /// Takes tokens for `events`. A request is let in as long as one token is there and goes into debt for the rest, so
    /// that one that is larger than the burst can pass at all. Otherwise: in how many seconds one will be there.
    pub(super) fn take(&mut self, events: usize, now_ms: i64) -> Result<(), u64> {
        #[expect(clippy::cast_precision_loss, reason = "a difference of clocks, far below 2^52 ms")]
        let elapsed_s = now_ms.saturating_sub(self.at_ms).max(0) as f64 / 1000.0;
        self.at_ms = self.at_ms.max(now_ms);
        self.tokens = (self.tokens + elapsed_s * self.per_s).min(self.burst);
        if self.tokens >= 1.0 {
            self.tokens -= f64::from(u32::try_from(events).unwrap_or(u32::MAX));
            return Ok(());
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is above zero")]
        let seconds = ((1.0 - self.tokens) / self.per_s).ceil() as u64;
        Err(seconds.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::a_burst(vec![(0, 5, Ok(())), (0, 5, Ok(())), (0, 1, Err(1))])]
    #[case::it_fills_again(vec![(0, 10, Ok(())), (400, 1, Err(1)), (500, 1, Ok(())), (500, 1, Err(1))])]
    #[case::larger_than_the_burst(vec![(0, 30, Ok(())), (9_000, 1, Err(2)), (10_500, 1, Ok(()))])]
    #[case::never_more_than_the_burst(vec![(3_600_000, 10, Ok(())), (3_600_000, 1, Err(1))])]
    #[case::a_clock_that_goes_back(vec![(1000, 10, Ok(())), (0, 1, Err(1)), (1000, 1, Err(1)), (1500, 1, Ok(()))])]
    fn two_a_second_and_ten_at_once(#[case] steps: Vec<(i64, usize, Result<(), u64>)>) {
        let mut bucket = Bucket::new(2, 10, 0);
        for (now_ms, events, expected) in steps {
            assert_eq!(bucket.take(events, now_ms), expected, "{events} at {now_ms}");
        }
    }

    proptest! {
        /// Whatever the pattern, no more gets through than burst and rate allow, plus the request that made the debt.
        #[test]
        fn the_rate_holds(requests in prop::collection::vec((0_u32..500, 1_u32..40), 1..200)) {
            let mut bucket = Bucket::new(50, 20, 0);
            let (mut now_ms, mut passed) = (0, 0);
            for (pause_ms, events) in requests {
                now_ms += pause_ms;
                if bucket.take(events as usize, now_ms.into()).is_ok() {
                    passed += events;
                }
            }
            prop_assert!(f64::from(passed) <= 20.0 + f64::from(now_ms) / 1000.0 * 50.0 + 40.0);
        }

        /// Who waits as long as it was told gets in.
        #[test]
        fn waiting_helps(events in 1_usize..500, per_s in 1_u32..100) {
            let mut bucket = Bucket::new(per_s, 10, 0);
            prop_assert!(bucket.take(events, 0).is_ok());
            if let Err(seconds) = bucket.take(1, 0) {
                prop_assert!(bucket.take(1, i64::try_from(seconds * 1000).expect("small")).is_ok());
            }
        }
    }
}
