//! What leaves: one item a sink, kept in the outbox until its receiver has acknowledged it.

use rasid_compiler::ruleset::Severity;
use rasid_engine::ScoreChange;
use serde::{Deserialize, Serialize};

/// One effect on its way to one sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The sink's name.
    pub sink: String,
    /// Its place in the sink's queue; the outbox gives it.
    pub seq: u64,
    /// The log position that made it.
    pub position: u64,
    /// When it was committed, Unix ms.
    pub committed_ms: i64,
    /// What it says.
    pub body: Body,
}

/// What an item says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// An alert opened.
    Alert(AlertItem),
    /// A score changed.
    Score(ScoreChange),
    /// A rule's alerts are taken back.
    Retracted(RetractedItem),
}

impl Body {
    /// What receivers de-duplicate on: the alert's id; entity and version of a score.
    pub fn id(&self) -> String {
        match self {
            Self::Alert(alert) => alert.id.clone(),
            Self::Score(change) => format!("{}#{}", change.entity, change.version),
            Self::Retracted(retracted) => retracted.id.clone(),
        }
    }
}

/// An alert, and what receivers route it by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertItem {
    /// The alert's id.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whom it is about, `kind:id`.
    pub entity: String,
    /// Event clock of the opening event, Unix ms.
    pub opened_at_ms: i64,
    /// The rule's title.
    pub title: String,
    /// The rule's explanation, filled in.
    pub explanation: String,
    /// The page that says what to do.
    pub runbook: Option<String>,
    /// The alert as the engine wrote it, byte for byte.
    pub json: String,
}

/// A rule's alerts since some time are taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetractedItem {
    /// `retract_` and the position of the record in the log.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// Alerts opened from this event clock on, Unix ms.
    pub since_ms: i64,
}

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The sink's name.
    pub sink: String,
    /// The item's place in the sink's queue.
    pub seq: u64,
    /// How it ended.
    pub fate: Fate,
}

/// How an item ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// The receiver has it.
    Delivered,
    /// The receiver will not have it; it is kept aside with the answer.
    Parked {
        /// What the receiver said.
        answer: String,
    },
}

/// What stands at a receiver until its end, and is said again until then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Since when, Unix ms.
    pub starts_ms: i64,
    /// Until when, Unix ms.
    pub ends_ms: i64,
    /// As it is said.
    pub json: String,
}

/// A change of what stands at a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The sink's name.
    pub sink: String,
    /// What tells it from the others that stand there.
    pub key: String,
    /// What stands; `None` where it stands no more.
    pub page: Option<Page>,
}
