//! What can be asked about alerts together: groups of them, and what changed.

use rasid_compiler::ruleset::{Mode, Severity};
use rasid_connectors::alerts::Status;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AlertInfo, Any};

/// What makes alerts a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// They are of one rule.
    #[default]
    Rule,
    /// They are about one entity.
    Entity,
    /// They are of one rule, and none comes more than half an hour before the next: a storm.
    Storm,
}

/// Which alerts, and how they are grouped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GroupFilter {
    /// What makes a group.
    pub by: GroupBy,
    /// Of this rule.
    pub rule: Option<String>,
    /// Of the rules of this area.
    pub area: Option<String>,
    /// About this entity, `kind:id`.
    pub entity: Option<String>,
    /// As bad as this.
    pub severity: Any<Severity>,
    /// With which people have come so far.
    pub status: Any<Status>,
    /// Delivered, or in shadow.
    pub mode: Option<Mode>,
    /// From the hour of that instant of the event clock on, Unix ms; left out: the day up to the newest alert.
    pub since_ms: Option<i64>,
    /// Up to the end of the hour in which that instant lies, Unix ms; left out: to the newest alert.
    pub until_ms: Option<i64>,
    /// At most so many groups, those with the newest alerts.
    pub limit: usize,
}

impl Default for GroupFilter {
    fn default() -> Self {
        let (rule, area, entity, mode, since_ms, until_ms) = Default::default();
        let (severity, status) = Default::default();
        Self { by: GroupBy::Rule, rule, area, entity, severity, status, mode, since_ms, until_ms, limit: 50 }
    }
}

/// Alerts that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertGroup {
    /// The rule, the entity, or `<rule>@<first_ms>`.
    pub key: String,
    /// The rule, of a group by rule and of a storm.
    pub rule: Option<String>,
    /// How many alerts there are.
    pub alerts: u64,
    /// Of those, the ones that nobody has looked at.
    pub open: u64,
    /// And the ones that somebody looks at.
    pub acknowledged: u64,
    /// The worst of them.
    pub severity: Severity,
    /// When the oldest opened, Unix ms of the event clock; of a group by rule, the hour.
    pub first_ms: i64,
    /// When the newest opened.
    pub last_ms: i64,
    /// Alerts by stretch of time, oldest first; each as long as the answer's `bucket_ms`.
    pub spark: Vec<u64>,
    /// When the oldest that is open opened; of a group by rule, the hour.
    pub oldest_open_ms: Option<i64>,
    /// The newest.
    pub newest: AlertInfo,
}

/// Groups, those with the newest alerts first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertGroups {
    /// They.
    pub groups: Vec<AlertGroup>,
    /// From where alerts were looked at, Unix ms.
    pub since_ms: i64,
    /// To before which instant.
    pub until_ms: i64,
    /// How long one stretch of the sparklines is, ms.
    pub bucket_ms: i64,
    /// Only the newest alerts of the period were looked at, as there are very many: older ones are not counted.
    pub cut: bool,
}

/// Asks what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChangesRequest {
    /// Behind this position of the log.
    pub after: u64,
    /// Some so many at most.
    pub limit: usize,
}

impl Default for ChangesRequest {
    fn default() -> Self {
        Self { after: 0, limit: 500 }
    }
}

/// An alert that was opened, or about which something was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertChange {
    /// The log position of its newest change.
    pub position: u64,
    /// It was opened behind the position that was asked for; else something was said about it alone.
    pub opened: bool,
    /// The alert as it is now.
    pub alert: AlertInfo,
}

/// A rule's alerts were taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RetractionInfo {
    /// The log position.
    pub position: u64,
    /// The rule.
    pub rule: String,
    /// Those that opened from then on, Unix ms of the event clock.
    pub since_ms: i64,
}

/// What changed behind a position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertChanges {
    /// In the order of their newest changes.
    pub alerts: Vec<AlertChange>,
    /// In order.
    pub retractions: Vec<RetractionInfo>,
    /// All up to this position is told: ask for what is behind it next.
    pub upto: u64,
    /// There is more already.
    pub more: bool,
}
