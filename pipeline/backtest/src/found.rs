//! An alert as comparisons and reports need it.

use std::collections::BTreeMap;

use rasid_compiler::ruleset::{Mode, Ruleset, Severity};
use rasid_detectors::event::time::parse_rfc3339;
use rasid_engine::{Alert, Values};
use serde::Serialize;

/// An alert that would have been opened. Nothing raw is in it: it is what leaves the engine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// The alert's id, which live gives the same alert.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// Whom it is about, `kind:id`.
    pub entity: String,
    /// When it opened, RFC 3339.
    pub opened_at: String,
    /// The same, Unix ms.
    #[serde(skip)]
    pub opened_ms: i64,
    /// Place of the opening event in what was read; the first record is 1.
    pub position: u64,
    /// Id of the opening event.
    pub event: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it would have been delivered.
    pub mode: Mode,
    /// The share of doubt that it casts, 0 to 100.
    pub risk: u8,
    /// What the condition saw.
    pub values: Values,
    /// The rule's explanation, filled in.
    pub explanation: String,
    /// Whether it was right, as far as labels say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<bool>,
}

impl From<Alert> for Found {
    fn from(alert: Alert) -> Self {
        Self {
            opened_ms: parse_rfc3339(&alert.opened_at).unwrap_or_default(),
            id: alert.id,
            rule: alert.rule,
            entity: alert.entity,
            opened_at: alert.opened_at,
            position: alert.position,
            event: alert.event.id,
            severity: alert.severity,
            mode: alert.mode,
            risk: alert.risk,
            values: alert.values,
            explanation: alert.explanation,
            right: None,
        }
    }
}

/// How long an alert of each rule covers what follows: the rule's `suppress`, ms.
pub fn covers(ruleset: &Ruleset) -> BTreeMap<&str, i64> {
    ruleset.rules.iter().map(|rule| (rule.id.as_str(), rule.suppress_ms)).collect()
}
