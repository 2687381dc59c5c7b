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

use rasid_compiler::ruleset::Advice;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a score means to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// Whose, `kind:id`.
    pub entity: String,
    /// 0 to 100 as of `as_of`.
    pub score: u8,
    /// What that means; `None` below 1, where only advice stands.
    pub level: Option<Level>,
    /// Unix ms.
    pub as_of: i64,
    /// Last instant at which the score is 1 or more, Unix ms; `None` where it is not.
    pub low_until: Option<i64>,
    /// Last instant at which the level is medium or above.
    pub medium_until: Option<i64>,
    /// Last instant at which the level is high or above.
    pub high_until: Option<i64>,
    /// Last instant at which the level is critical.
    pub critical_until: Option<i64>,
    /// The strongest advice that stands.
    pub advice: Option<Advice>,
    /// Last instant at which it does, Unix ms.
    pub advice_until: Option<i64>,
    /// Last instant at which the advice is to watch or a stronger one.
    pub watch_until: Option<i64>,
    /// Last instant at which it is to challenge or a stronger one.
    pub challenge_until: Option<i64>,
    /// Last instant at which it is to hold or to block.
    pub hold_until: Option<i64>,
    /// Last instant at which it is to block.
    pub block_until: Option<i64>,
    /// One a rule that casts doubt, by rule.
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
    /// Last instant at which the score is 1 or more or advice stands, Unix ms; past already where nothing is left.
    pub live_until: i64,
}

impl ScoreChange {
    /// The same under another name of the same entity.
    #[must_use]
    pub fn under(&self, entity: String) -> Self {
        let score = self.score.clone().map(|score| Score { entity: entity.clone(), ..score });
        Self { entity, score, ..*self }
    }
}
