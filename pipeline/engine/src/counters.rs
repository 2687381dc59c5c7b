//! What the engine has done so far, in numbers. Functions of the log, like everything else here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counts over the whole log so far. Every accepted record is one of: event processed, duplicate, dead letter, or of
/// an unknown type (invariant C2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Records read.
    pub records: u64,
    /// Events processed.
    pub events: u64,
    /// Records set aside.
    pub dead_letters: u64,
    /// Deliveries of an event that had been delivered.
    pub duplicates: u64,
    /// Among the duplicates, those with other bytes than the first delivery.
    pub duplicate_conflicts: u64,
    /// Events of types outside the vocabulary, passed over.
    pub unknown_types: u64,
    /// Events processed later than the allowed lateness.
    pub late: u64,
    /// `where` conditions that gave no value, and amounts for which there was no rate.
    pub filter_errors: u64,
    /// States, suppressions, scores and identities forgotten before their time, to stay under the memory bound.
    pub evicted: u64,
    /// Alerts opened, in every mode.
    pub alerts: u64,
    /// Identifiers of more than 256 bytes, which read as absent.
    pub oversized_ids: u64,
    /// Events of which a field was not as the contract says; each delivery.
    pub bad_events: u64,
    /// Waits that were given up when they came due, as the event that armed them cannot be read any more: another version
    /// took it.
    pub waits_lost: u64,
}

/// The counters as snapshots up to format 4 hold them, in this order; what came later stands behind the part's state.
pub(crate) type FirstCounters = (u64, u64, u64, u64, u64, u64, u64, u64, u64, u64);

impl Counters {
    pub(crate) fn of_first(first: FirstCounters) -> Self {
        let (records, events, dead_letters, duplicates, duplicate_conflicts, unknown_types, late, filter_errors, evicted, alerts) = first;
        Self {
            records,
            events,
            dead_letters,
            duplicates,
            duplicate_conflicts,
            unknown_types,
            late,
            filter_errors,
            evicted,
            alerts,
            oversized_ids: 0,
            bad_events: 0,
            waits_lost: 0,
        }
    }
}

/// Counts of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleCounters {
    /// The rule.
    pub rule: String,
    /// Alerts opened.
    pub alerts: u64,
    /// Hits that only counted towards an open alert.
    pub suppressed: u64,
    /// Events at which its condition gave no value.
    pub errors: u64,
    /// Events that do not name its own entity, by the field that should have.
    pub entity_missing: BTreeMap<String, u64>,
    /// Events at which its condition gave no value, as they lack the key of something that it reads, by the field.
    pub key_missing: BTreeMap<String, u64>,
    /// Events at which its condition gave no value, as they lie a window or more behind a newer one of their entity.
    pub behind: u64,
    /// Alerts opened in shadow, of those above.
    pub shadow: u64,
    /// Of those, the ones about entities that no other rule cast doubt on at the time: what the rule would add.
    pub shadow_alone: u64,
    /// And the ones about entities that other rules did cast doubt on, by rule.
    pub shadow_beside: BTreeMap<String, u64>,
}

/// Stands for the field in what a snapshot up to format 4 counted: that told none apart.
const FIELD_UNKNOWN: &str = "unknown";

/// The same as snapshots up to format 4 hold them.
pub(crate) type FirstRuleCounters = (String, u64, u64, u64, u64);

impl RuleCounters {
    pub(crate) fn of_first((rule, alerts, suppressed, errors, entity_missing): FirstRuleCounters) -> Self {
        let entity_missing = (entity_missing > 0).then(|| (FIELD_UNKNOWN.to_owned(), entity_missing)).into_iter().collect();
        Self { rule, alerts, suppressed, errors, entity_missing, ..Self::default() }
    }
}
