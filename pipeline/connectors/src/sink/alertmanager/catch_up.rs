//! What is old news at delivery: counted by rule, over all batches until it has been quiet for a while.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rasid_compiler::ruleset::Severity;
use rasid_detectors::event::time::format_rfc3339;
use serde_json::{Value, json};

use super::label;
use crate::effect::AlertItem;

/// Rules that a summary names.
const RULES_MAX: usize = 10;

/// Old news so far.
#[derive(Clone, Debug)]
pub(super) struct CatchUp {
    rules: BTreeMap<String, u64>,
    oldest_ms: i64,
    /// The worst severity, as its label.
    pub(super) worst: &'static str,
}

impl CatchUp {
    pub(super) fn new() -> Self {
        Self { rules: BTreeMap::new(), oldest_ms: i64::MAX, worst: label(Severity::Sev3) }
    }

    pub(super) fn add(&mut self, alert: &AlertItem) {
        *self.rules.entry(alert.rule.clone()).or_default() += 1;
        self.oldest_ms = self.oldest_ms.min(alert.opened_at_ms);
        self.worst = self.worst.min(label(alert.severity)); // SEV0 is the worst and the first
    }

    pub(super) fn annotations(&self, after_min: u64) -> Value {
        let mut rules: Vec<(&String, &u64)> = self.rules.iter().collect();
        rules.sort_by_key(|(_, count)| Reverse(**count));
        let mut named: Vec<String> = rules.iter().take(RULES_MAX).map(|(rule, count)| format!("{rule} ×{count}")).collect();
        if rules.len() > RULES_MAX {
            named.push(format!("{} more rules", rules.len() - RULES_MAX));
        }
        let count: u64 = self.rules.values().sum();
        json!({
            "summary": format!("{count} alerts were delivered more than {after_min} min after they opened"),
            "description": named.join(", "),
            "oldest": format_rfc3339(self.oldest_ms),
        })
    }
}
