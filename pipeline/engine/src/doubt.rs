//! One rule's doubt about one entity: what each of its alerts cast, so that a bad rule's part can be taken back.
//!
//! The share r is folded over the alerts in the order in which they came (the formula is in `score.rs`). The newest 32
//! are kept one by one over a folded base, so taking back those that opened at or after an instant gives, to the bit,
//! the share that the others alone would have cast. What is folded cannot be told apart any more: it stays if the newest
//! of it opened before that instant, and goes whole if not. So nothing that is taken back is ever left; of a rule with
//! more than 32 alerts about one entity, what came before may go with it.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Alerts kept one by one. 32: a rule that alerts on one entity each hour, for a day and a third.
const CASTS_MAX: usize = 32;

/// What one alert cast.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cast {
    /// Event clock of the opening event, ms.
    pub(crate) at_ms: i64,
    pub(crate) half_life_ms: i64,
    /// 0..=100.
    pub(crate) risk: u8,
}

/// r as of an instant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Share {
    /// 0..=1.
    value: f64,
    at_ms: i64,
    half_life_ms: i64,
}

impl Share {
    /// Nothing, as of a first alert.
    fn before(first: &Cast) -> Self {
        Self { value: 0.0, at_ms: first.at_ms, half_life_ms: first.half_life_ms }
    }

    fn at(&self, now_ms: i64) -> f64 {
        self.value * decay(now_ms - self.at_ms, self.half_life_ms)
    }

    fn and(self, cast: &Cast) -> Self {
        Self {
            value: 1.0 - (1.0 - self.at(cast.at_ms)) * (1.0 - f64::from(cast.risk) / 100.0),
            // A late alert is weighed as of the rule's newest one: time never runs back for a reader.
            at_ms: self.at_ms.max(cast.at_ms),
            half_life_ms: cast.half_life_ms,
        }
    }
}

/// `2^(−Δ/half_life)`, 1 for Δ < 0.
#[expect(clippy::cast_precision_loss, reason = "times of one era, in ms, are far below 2^53")]
fn decay(elapsed_ms: i64, half_life_ms: i64) -> f64 {
    libm::exp2(-(elapsed_ms.max(0) as f64) / half_life_ms as f64)
}

/// One rule's doubt about one entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Doubt {
    /// The rule, by its number in the table of all rules so far.
    pub(crate) rule: u32,
    share: Share,
    /// What is kept one by one, in the order in which it came.
    casts: SmallVec<[Cast; 1]>,
    /// What came before that.
    folded: Option<Box<Share>>,
}

impl Doubt {
    /// Of a rule's first alert.
    pub(crate) fn new(rule: u32, cast: Cast) -> Self {
        Self { rule, share: Share::before(&cast).and(&cast), casts: SmallVec::from_iter([cast]), folded: None }
    }

    /// A further alert.
    pub(crate) fn add(&mut self, cast: Cast) {
        self.share = self.share.and(&cast);
        if self.casts.len() >= CASTS_MAX {
            let oldest = self.casts.remove(0);
            let folded = self.folded.as_deref().copied().unwrap_or_else(|| Share::before(&oldest));
            self.folded = Some(Box::new(folded.and(&oldest)));
        }
        self.casts.push(cast);
    }

    /// Takes back what was cast at or after `since_ms`; see the module's header for what is no longer known one by one.
    pub(crate) fn take_back(&mut self, since_ms: i64) -> TakenBack {
        let before = (self.casts.len(), self.folded.is_some());
        self.casts.retain(|cast| cast.at_ms < since_ms);
        self.folded = self.folded.take().filter(|folded| folded.at_ms < since_ms);
        if (self.casts.len(), self.folded.is_some()) == before {
            return TakenBack::Nothing;
        }
        let Some(base) = self.folded.as_deref().copied().or_else(|| self.casts.first().map(Share::before)) else {
            return TakenBack::All;
        };
        self.share = self.casts.iter().fold(base, Share::and);
        TakenBack::Some
    }

    /// r as of `now_ms`, 0..=1.
    pub(crate) fn at(&self, now_ms: i64) -> f64 {
        self.share.at(now_ms)
    }

    /// r as of the newest alert.
    pub(crate) fn share(&self) -> f64 {
        self.share.value
    }

    /// The newest alert, ms.
    pub(crate) fn newest_ms(&self) -> i64 {
        self.share.at_ms
    }

    pub(crate) fn half_life_ms(&self) -> i64 {
        self.share.half_life_ms
    }

    /// Memory, bytes; by what is held alone.
    pub(crate) fn bytes(&self) -> usize {
        let spilled = if self.casts.len() > 1 { self.casts.len() * size_of::<Cast>() } else { 0 };
        size_of::<Self>() + spilled + if self.folded.is_some() { size_of::<Share>() } else { 0 }
    }
}

/// What [`Doubt::take_back`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakenBack {
    /// There was nothing to take.
    Nothing,
    /// Some is left.
    Some,
    /// Nothing is left.
    All,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    fn doubt(casts: &[Cast]) -> Option<Doubt> {
        let (first, rest) = casts.split_first()?;
        let mut doubt = Doubt::new(7, *first);
        for cast in rest {
            doubt.add(*cast);
        }
        Some(doubt)
    }

    fn cast(at_ms: i64, risk: u8) -> Cast {
        Cast { at_ms, half_life_ms: 6 * HOUR, risk }
    }

    #[test]
    fn what_is_folded_goes_whole_or_stays_whole() {
        let casts: Vec<Cast> = (0..40).map(|hour| cast(hour * HOUR, 10)).collect();
        // Hours 0 to 7 are folded.
        let mut after = doubt(&casts).expect("casts");
        assert_eq!(after.take_back(8 * HOUR), TakenBack::Some);
        assert_eq!(after.share, doubt(&casts[..8]).expect("casts").share, "just past what is folded: exact");
        let mut inside = doubt(&casts).expect("casts");
        assert_eq!(inside.take_back(7 * HOUR), TakenBack::All, "the newest of what is folded is to go");
        assert_eq!(doubt(&casts).expect("casts").take_back(40 * HOUR), TakenBack::Nothing);
    }

    #[test]
    fn the_history_is_bounded() {
        let casts: Vec<Cast> = (0..1_000).map(|at| cast(at, 1)).collect();
        let doubt = doubt(&casts).expect("casts");
        assert_eq!(doubt.casts.len(), CASTS_MAX);
        assert!(doubt.bytes() <= 1_024, "{}", doubt.bytes());
    }

    proptest! {
        #[test]
        fn taking_back_equals_never_having_cast(
            casts in proptest::collection::vec((0_i64..100 * HOUR, 1_u8..=100, 1_i64..10), 1..=CASTS_MAX), since in 0_i64..100 * HOUR,
        ) {
            let casts: Vec<Cast> = casts.into_iter().map(|(at_ms, risk, hours)| Cast { at_ms, half_life_ms: hours * HOUR, risk }).collect();
            let rest: Vec<Cast> = casts.iter().filter(|cast| cast.at_ms < since).copied().collect();
            let mut taken = doubt(&casts).expect("one or more");
            let expected = match rest.len() {
                0 => TakenBack::All,
                n if n == casts.len() => TakenBack::Nothing,
                _ => TakenBack::Some,
            };
            prop_assert_eq!(taken.take_back(since), expected);
            if expected != TakenBack::All {
                prop_assert_eq!(Some(taken), doubt(&rest));
            }
        }

        #[test]
        fn however_long_the_history_nothing_since_is_left_and_the_share_never_rises(
            casts in proptest::collection::vec((0_i64..100 * HOUR, 1_u8..=100), 1..100), since in 0_i64..100 * HOUR,
        ) {
            let casts: Vec<Cast> = casts.into_iter().map(|(at, risk)| cast(at, risk)).collect();
            let mut taken = doubt(&casts).expect("one or more");
            let before = taken.at(100 * HOUR);
            let all = taken.take_back(since) == TakenBack::All;
            prop_assert!(all || (taken.newest_ms() < since && taken.at(100 * HOUR) <= before + 1e-12));
        }
    }
}
