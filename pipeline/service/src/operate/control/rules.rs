//! What can be asked about rules and entities.

use rasid_compiler::ruleset::{Mode, Prose, Severity};
use rasid_engine::Score;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AlertInfo;

/// Asks for all rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RulesRequest {}

/// What a rule does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleState {
    /// Its alerts are delivered and weigh on scores.
    Active,
    /// Its alerts are recorded and counted alone.
    Shadow,
    /// It runs in shadow until all that it reads is as old as its window.
    Warming,
    /// It opened too many alerts: people are told of one an hour, or of none.
    Braked,
    /// It does not run.
    Off,
}

/// Alerts that it opened, up to the newest alert of all rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FireRate {
    /// In the newest hour and the one before it began: from 1 to 2 hours.
    pub hour: u64,
    /// In the newest 24 hours.
    pub day: u64,
    /// In the newest 168 hours.
    pub week: u64,
}

/// What people said of a rule's alerts that are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Judged {
    /// Right.
    pub true_positive: u64,
    /// Wrong.
    pub false_positive: u64,
    /// Nobody can say.
    pub unsure: u64,
}

/// The share of a rule's alerts that were right, of those that were called right or wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Precision {
    /// The share, 0 to 1.
    pub value: f64,
    /// Wilson's 95 % interval: from there.
    pub low: f64,
    /// To there.
    pub high: f64,
    /// How many were called right or wrong.
    pub of: u64,
}

/// A rule, and how it fares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleInfo {
    /// `area.name`.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// How bad its alerts are; the worst that it can say.
    pub severity: Severity,
    /// What its file says that becomes of its hits.
    pub mode: Mode,
    /// What it does at the moment.
    pub state: RuleState,
    /// Up to which instant it is warming, Unix ms of the event clock.
    pub warming_until_ms: Option<i64>,
    /// Whether the person on call is woken.
    pub pages: bool,
    /// The kind of entity that it is about.
    pub entity: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The page that says what to do.
    pub runbook: Option<String>,
    /// The file, in the rules folder.
    pub file: String,
    /// How often it opens alerts.
    pub alerts: FireRate,
    /// Alerts of the newest 24 hours, by the hour, oldest first.
    pub spark: Vec<u64>,
    /// How long until the doubt that an alert casts has halved, s.
    pub half_life_s: i64,
    /// Alerts that are kept and open.
    pub open: u64,
    /// Hits since the log's beginning that only counted towards an open alert.
    pub suppressed: u64,
    /// Events since then at which its condition gave no value.
    pub errors: u64,
    /// What people said.
    pub verdicts: Judged,
    /// What that makes; `None` where nothing was called right or wrong.
    pub precision: Option<Precision>,
}

/// All rules in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleList {
    /// The ruleset, `sha256:…`.
    pub ruleset: String,
    /// By id.
    pub rules: Vec<RuleInfo>,
}

/// Asks for one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleRequest {
    /// `area.name`.
    pub id: String,
}

/// One rule, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleShown {
    /// How it fares.
    pub rule: RuleInfo,
    /// What its file says to people.
    pub prose: Prose,
    /// The text of its file.
    pub text: String,
}

/// Asks what is known of an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntityRequest {
    /// `kind:id`, as alerts name it.
    pub entity: String,
}

/// Another entity that the alerts about one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Related {
    /// `kind:id`.
    pub entity: String,
    /// In how many of the alerts shown.
    pub alerts: u64,
}

/// What is known of an entity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EntityShown {
    /// `kind:id`.
    pub entity: String,
    /// Its risk as of the event clock; `None`: no known risk.
    pub risk: Option<Score>,
    /// Alerts about it, newest first, 100 at most.
    pub alerts: Vec<AlertInfo>,
    /// Whom else they name, the most often named first.
    pub related: Vec<Related>,
}

/// Asks for an entity's risk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RiskRequest {
    /// `kind:id`, as alerts name it.
    pub entity: String,
}
