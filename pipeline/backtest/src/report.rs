//! What a backtest says, as data.

use serde::Serialize;

use crate::compare::Comparison;
use crate::gate::Outcome;
use crate::measure::Measures;
use crate::sweep::Curve;

/// What a backtest says.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Hash of the ruleset.
    pub ruleset: String,
    /// Hash of the ruleset that it is held against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// When the period begins, RFC 3339.
    pub from: String,
    /// When it ends, RFC 3339.
    pub to: String,
    /// Records read.
    pub records: u64,
    /// Of them those that are no event.
    pub dead_letters: u64,
    /// Of them those that were there before.
    pub duplicates: u64,
    /// States that the memory bound has cost: above 0, what looks far back saw less than live would have.
    pub evicted: u64,
    /// What the rules did.
    pub measures: Measures,
    /// Rules in force that opened no alert.
    pub silent: Vec<String>,
    /// Rules in force, of the baseline too, that an archive does not suffice for; empty where records were read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_asked: Vec<String>,
    /// What differs from the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// Rules whose files differ from the baseline's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed_rules: Vec<String>,
    /// Curves of the sweeps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sweeps: Vec<Curve>,
    /// What must not be, and whether it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Outcome>,
    /// How many labels there were: stories, and verdicts on alerts.
    pub labels: (usize, usize),
    /// What keeps the report from saying more, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Report {
    /// Whether anything that must not be is.
    pub fn is_refused(&self) -> bool {
        self.gates.iter().any(|gate| gate.failed)
    }
}
