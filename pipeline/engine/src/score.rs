//! Risk scores: how much doubt the alerts of late cast on an entity.
//!
//! ```text
//! one reason a rule; a further alert of it, Δ after the one before (Δ < 0 counts as 0):
//!     r ← 1 − (1 − r·2^(−Δ/half_life))·(1 − risk/100)
//! score(t) = round(100·(1 − Π(1 − rᵢ·2^(−(t − tᵢ)/half_lifeᵢ))))
//! ```
//!
//! Reasons combine like independent doubts (noisy-or; Pearl, "Probabilistic Reasoning in Intelligent Systems", 1988, §4.3.2), so a score
//! never leaves 0..=100 and one more alert never lowers it (invariant E4). 2^x is `libm`'s: equal bits everywhere.

use serde::{Deserialize, Serialize};

use crate::keyed_state::{Keyed, Table};

/// What a score means to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// From 1.
    Low,
    /// From 30.
    Medium,
    /// From 60.
    High,
    /// From 85.
    Critical,
}

impl Level {
    /// The level of a score; `None` below 1.
    pub fn of(score: u8) -> Option<Self> {
        match score {
            0 => None,
            1..30 => Some(Self::Low),
            30..60 => Some(Self::Medium),
            60..85 => Some(Self::High),
            _ => Some(Self::Critical),
        }
    }
}

/// What one rule has against an entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule.
    pub rule: String,
    /// The share of doubt as of `at`, 0 to 100, to two places.
    pub risk: f64,
    /// The rule's newest alert, Unix ms.
    pub at: i64,
    /// How long until the doubt has halved, s.
    pub half_life_s: i64,
}

/// An entity's score, as readers get it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Whose, `kind:id`.
    pub entity: String,
    /// 0 to 100 as of `as_of`.
    pub score: u8,
    /// What that means.
    pub level: Level,
    /// Unix ms.
    pub as_of: i64,
    /// Last instant at which the level is medium or above, Unix ms; `None` where it is not.
    pub medium_until: Option<i64>,
    /// Last instant at which the level is high or above.
    pub high_until: Option<i64>,
    /// Last instant at which the level is critical.
    pub critical_until: Option<i64>,
    /// One a rule, by rule.
    pub reasons: Vec<Reason>,
    /// Rises with every change of the entity.
    pub version: i64,
    /// The ruleset in force.
    pub ruleset: String,
}

/// How the score of one entity has changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreChange {
    /// The log position of what changed it; 0 where a standing score is said again.
    pub position: u64,
    /// Whose, `kind:id`, as it leaves.
    pub entity: String,
    /// max(the version before + 1, event clock in ms).
    pub version: i64,
    /// The score as of the change; `None` where nothing is left of it.
    pub score: Option<Score>,
    /// Last instant at which the score is 1 or more, Unix ms.
    pub live_until: i64,
    /// The level just before, at the same instant.
    pub level_before: Option<Level>,
}

/// One rule's doubt about one entity.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    rule: usize,
    /// r as of `at_ms`, 0..=1.
    share: f64,
    at_ms: i64,
    half_life_ms: i64,
}

impl Doubt {
    fn at(&self, now_ms: i64) -> f64 {
        self.share * decay(now_ms - self.at_ms, self.half_life_ms)
    }
}

/// `2^(−Δ/half_life)`, 1 for Δ < 0.
#[expect(clippy::cast_precision_loss, reason = "times of one era, in ms, are far below 2^53")]
fn decay(elapsed_ms: i64, half_life_ms: i64) -> f64 {
    libm::exp2(-(elapsed_ms.max(0) as f64) / half_life_ms as f64)
}

/// One entity's doubts.
#[derive(Default)]
pub(crate) struct Doubts {
    entity: String,
    /// By rule.
    reasons: Vec<Doubt>,
    version: i64,
    /// Last instant at which the score is 1 or more, ms.
    live_until_ms: i64,
}

impl Keyed for Doubts {
    /// While it can be read, and until the event clock has passed its version, which must never fall.
    fn keep_until_ms(&self) -> i64 {
        self.live_until_ms.max(self.version)
    }

    fn cells(&self) -> usize {
        2 * self.reasons.len() + self.entity.len().div_ceil(16)
    }
}

impl Doubts {
    fn score(&self, now_ms: i64) -> u8 {
        let innocent = self.reasons.iter().fold(1.0, |product, doubt| product * (1.0 - doubt.at(now_ms)));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=100")]
        {
            libm::round(100.0 * (1.0 - innocent)).clamp(0.0, 100.0) as u8
        }
    }

    /// The last instant from `now_ms` on at which the score is `least` or more; `None` where it is below that now.
    /// The score only falls while nothing happens, so it is found by bisection to the millisecond.
    fn until(&self, now_ms: i64, least: u8) -> Option<i64> {
        if self.score(now_ms) < least {
            return None;
        }
        let mut reached = 0_i64;
        let mut beyond = self.reasons.iter().map(|doubt| doubt.half_life_ms).max().unwrap_or(1);
        while self.score(now_ms + beyond) >= least {
            reached = beyond;
            beyond = beyond.saturating_mul(2);
        }
        while beyond - reached > 1 {
            let middle = reached + (beyond - reached) / 2;
            if self.score(now_ms + middle) >= least { reached = middle } else { beyond = middle }
        }
        Some(now_ms + reached)
    }
}

/// Every entity's score.
pub(crate) struct Scores {
    entities: Table<Doubts>,
}

/// What an alert does to the score of its entity.
#[derive(Clone, Copy)]
pub(crate) struct Weight {
    pub(crate) rule: usize,
    /// 0..=100.
    pub(crate) risk: u8,
    pub(crate) half_life_ms: i64,
}

impl Scores {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { entities: Table::new(1, bytes_max) }
    }

    /// An alert at `at_ms` about the entity of that key.
    pub(crate) fn raise(&mut self, key: u64, entity: &str, at_ms: i64, clock_ms: i64, weight: Weight) {
        if weight.risk == 0 {
            return;
        }
        self.entities.update(key, clock_ms, |doubts| {
            if doubts.entity.is_empty() {
                entity.clone_into(&mut doubts.entity);
            }
            let place = match doubts.reasons.binary_search_by_key(&weight.rule, |doubt| doubt.rule) {
                Ok(place) => place,
                Err(place) => {
                    doubts.reasons.insert(place, Doubt { rule: weight.rule, share: 0.0, at_ms, half_life_ms: weight.half_life_ms });
                    place
                }
            };
            if let Some(doubt) = doubts.reasons.get_mut(place) {
                let before = doubt.at(at_ms);
                // A late alert is weighed as of the rule's newest one: time never runs back for a reader.
                doubt.at_ms = doubt.at_ms.max(at_ms);
                doubt.share = 1.0 - (1.0 - before) * (1.0 - f64::from(weight.risk) / 100.0);
            }
            doubts.version = (doubts.version + 1).max(clock_ms);
            let now_ms = doubts.reasons.iter().map(|doubt| doubt.at_ms).max().unwrap_or(at_ms);
            doubts.live_until_ms = doubts.until(now_ms, 1).unwrap_or(now_ms);
        });
    }

    /// Every score of 1 or more as of `now_ms`, by entity.
    pub(crate) fn all(&self, now_ms: i64, rule_id: impl Fn(usize) -> String, ruleset: &str) -> Vec<Score> {
        let mut scores: Vec<Score> = self
            .entities
            .live(now_ms)
            .into_iter()
            .filter_map(|doubts| {
                let score = doubts.score(now_ms);
                Some(Score {
                    entity: doubts.entity.clone(),
                    score,
                    level: Level::of(score)?,
                    as_of: now_ms,
                    medium_until: doubts.until(now_ms, 30),
                    high_until: doubts.until(now_ms, 60),
                    critical_until: doubts.until(now_ms, 85),
                    reasons: doubts
                        .reasons
                        .iter()
                        .map(|doubt| Reason {
                            rule: rule_id(doubt.rule),
                            risk: libm::round(doubt.share * 10_000.0) / 100.0,
                            at: doubt.at_ms,
                            half_life_s: doubt.half_life_ms / 1000,
                        })
                        .collect(),
                    version: doubts.version,
                    ruleset: ruleset.to_owned(),
                })
            })
            .collect();
        scores.sort_unstable_by(|a, b| a.entity.cmp(&b.entity));
        scores
    }

    /// Entries that the memory bound has cost so far.
    pub(crate) fn evicted(&self) -> u64 {
        self.entities.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const HOUR: i64 = 3_600_000;

    fn raised(alerts: &[(usize, u8, i64)]) -> Scores {
        let mut scores = Scores::new(usize::MAX);
        let mut clock = 0;
        for (rule, risk, at) in alerts {
            clock = clock.max(*at);
            scores.raise(1, "user:u_1", *at, clock, Weight { rule: *rule, risk: *risk, half_life_ms: 6 * HOUR });
        }
        scores
    }

    fn score(alerts: &[(usize, u8, i64)], now: i64) -> u8 {
        raised(alerts).all(now, |rule| format!("r.{rule}"), "sha256:0").first().map_or(0, |score| score.score)
    }

    #[rstest]
    #[case::one(&[(0, 60, 0)], 0, 60)]
    #[case::half_life(&[(0, 60, 0)], 6 * HOUR, 30)]
    #[case::same_rule_again(&[(0, 60, 0), (0, 60, 0)], 0, 84)]
    #[case::same_rule_later(&[(0, 60, 0), (0, 60, 6 * HOUR)], 6 * HOUR, 72)]
    #[case::two_rules(&[(0, 60, 0), (1, 50, 0)], 0, 80)]
    #[case::certain(&[(0, 100, 0)], 0, 100)]
    #[case::late(&[(0, 60, HOUR), (0, 60, 0)], HOUR, 84)]
    #[case::weightless(&[(0, 0, 0)], 0, 0)]
    fn doubts_add_up_as_the_formula_says(#[case] alerts: &[(usize, u8, i64)], #[case] now: i64, #[case] expected: u8) {
        assert_eq!(score(alerts, now), expected);
    }

    #[test]
    fn levels_end_when_the_score_falls_below_them() {
        let all = raised(&[(0, 90, 0)]).all(0, |rule| format!("r.{rule}"), "sha256:0");
        let score = all.first().expect("one");
        assert_eq!(score.level, Level::Critical);
        for (until, least) in [(score.medium_until, 30), (score.high_until, 60), (score.critical_until, 85)] {
            let until = until.expect("critical is all of them");
            assert!(self::score(&[(0, 90, 0)], until) >= least && self::score(&[(0, 90, 0)], until + 1) < least);
        }
    }

    #[test]
    fn a_score_that_has_decayed_below_one_is_gone() {
        assert!(raised(&[(0, 10, 0)]).all(100 * HOUR, |_| String::new(), "").is_empty());
    }

    proptest! {
        #[test]
        fn scores_stay_in_range_and_more_never_lowers_them(
            alerts in proptest::collection::vec((0_usize..5, 0_u8..=100, 0_i64..100 * HOUR), 1..40), after in 0_i64..400 * HOUR,
        ) {
            let now = alerts.iter().map(|(_, _, at)| *at).max().unwrap_or(0) + after;
            let mut before = 0;
            for n in 1..=alerts.len() {
                let value = score(&alerts[..n], now);
                prop_assert!(value <= 100 && value >= before);
                before = value;
            }
            prop_assert!(score(&alerts, now + HOUR) <= before);
        }

        #[test]
        fn versions_only_rise(alerts in proptest::collection::vec((0_usize..5, 1_u8..=100, 0_i64..HOUR), 2..30)) {
            let mut scores = Scores::new(usize::MAX);
            let (mut clock, mut last) = (0, i64::MIN);
            for (rule, risk, at) in alerts {
                clock = clock.max(at);
                scores.raise(1, "user:u_1", at, clock, Weight { rule, risk, half_life_ms: 24 * HOUR });
                let version = scores.entities.get(1, clock).expect("live").version;
                prop_assert!(version > last && version >= clock);
                last = version;
            }
        }
    }
}
