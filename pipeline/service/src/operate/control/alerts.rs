//! What can be asked about alerts that are kept.

use rasid_compiler::ruleset::{Mode, Severity};
use rasid_connectors::alerts::{Happened, Said, Status};
use rasid_connectors::log::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Any, Who};

/// Which alerts; what is left out is not asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertFilter {
    /// Of this rule.
    pub rule: Option<String>,
    /// Of the rules of this area.
    pub area: Option<String>,
    /// About this entity, `kind:id`.
    pub entity: Option<String>,
    /// As bad as this.
    pub severity: Any<Severity>,
    /// Those with which people have come so far.
    pub status: Any<Status>,
    /// Those that were delivered, or those in shadow.
    pub mode: Option<Mode>,
    /// With this verdict.
    pub verdict: Option<Verdict>,
    /// With a verdict, or without one.
    pub judged: Option<bool>,
    /// Those that were taken back with their rule's others, or those that were not.
    pub retracted: Option<bool>,
    /// Opened from then on, Unix ms of the event clock.
    pub since_ms: Option<i64>,
    /// Opened before then, Unix ms of the event clock.
    pub until_ms: Option<i64>,
    /// Where to go on, as the page before said.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: usize,
}

impl Default for AlertFilter {
    fn default() -> Self {
        Self {
            rule: None,
            area: None,
            entity: None,
            severity: Any::default(),
            status: Any::default(),
            mode: None,
            verdict: None,
            judged: None,
            retracted: None,
            since_ms: None,
            until_ms: None,
            cursor: None,
            limit: 100,
        }
    }
}

/// Some alerts, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertList {
    /// They.
    pub alerts: Vec<AlertInfo>,
    /// Ask again with `cursor` set to this for what follows. A page may be short, and empty, and others follow.
    pub next: Option<String>,
}

/// An alert that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertInfo {
    /// Its id.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// Hash of the ruleset in which it was in force.
    pub ruleset: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether people were told of it.
    pub mode: Mode,
    /// Whom it is about, `kind:id`.
    pub entity: String,
    /// Event clock of the opening event, Unix ms.
    pub opened_at_ms: i64,
    /// Its place in the log.
    pub position: u64,
    /// The rule's title.
    pub title: String,
    /// The rule's explanation, filled in.
    pub explanation: String,
    /// The share of doubt that it casts on the entity, 0 to 100.
    pub risk: u8,
    /// How far people have come with it.
    pub status: Status,
    /// Who looks at it, or did last.
    pub assignee: Option<String>,
    /// The first acknowledgement.
    pub acknowledged: Option<Said>,
    /// The newest closing; none while it is not closed.
    pub closed: Option<Said>,
    /// The newest verdict.
    pub verdict: Option<Verdict>,
    /// Who gave it.
    pub judged: Option<Said>,
    /// The log position at which its rule's alerts were taken back, this one among them.
    pub retracted: Option<u64>,
}

/// Asks for one alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRequest {
    /// Its id, or a beginning of it that no other has.
    pub id: String,
}

/// An alert with its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertShown {
    /// What is kept of it.
    pub info: AlertInfo,
    /// The alert as the engine wrote it, byte for byte.
    pub json: String,
    /// What was said about it, oldest first.
    pub history: Vec<Happened>,
    /// Entries of the history that are no longer kept: they were the oldest.
    pub forgotten: u64,
}

/// Says that somebody looks at alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AckRequest {
    /// Their ids, or beginnings of them that no others have.
    pub ids: Vec<String>,
    /// Who looks at them; who asks where nobody is named.
    #[serde(default)]
    pub assignee: Option<String>,
    /// Who asks, for the audit and the history.
    pub who: Who,
    /// Why, where there is something to say.
    #[serde(default)]
    pub why: String,
}

/// Says that nobody needs to look at alerts any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseRequest {
    /// Their ids, or beginnings of them that no others have.
    pub ids: Vec<String>,
    /// Who asks, for the audit and the history.
    pub who: Who,
    /// Why.
    pub why: String,
}

/// Says whether alerts were right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerdictRequest {
    /// Their ids, or beginnings of them that no others have.
    pub ids: Vec<String>,
    /// Whether they were.
    pub verdict: Verdict,
    /// Who asks, for the audit and the history.
    pub who: Who,
    /// Why.
    pub why: String,
}

/// Something was said about alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertsChanged {
    /// Of the control record in the log.
    pub position: u64,
    /// The ids of the alerts, whole.
    pub alerts: Vec<String>,
}
