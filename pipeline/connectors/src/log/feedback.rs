//! What people say about alerts. It is on record in its place of the log, and changes nothing that the engine does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What somebody said about some alerts.
///
/// Its stored form is postcard: a field more takes a form of its own beside this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// Ids of the alerts.
    pub alerts: Vec<String>,
    /// What was said.
    pub act: Act,
    /// The user or token, by name, as it was proven.
    pub who: String,
    /// Whom they say they are, which nobody checked; empty where they do not say.
    pub claimed: String,
    /// The reason given; empty where none was asked for.
    pub why: String,
    /// When, Unix ms.
    pub at_ms: i64,
}

/// What can be said about an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Somebody looks at it. One that was closed is taken up again.
    Acknowledge {
        /// Who looks at it from now on; `None`: who says so.
        assignee: Option<String>,
    },
    /// Nobody needs to look at it any more.
    Close,
    /// Whether it was right.
    Verdict(Verdict),
}

/// Whether an alert was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was: fraud or abuse.
    TruePositive,
    /// It was not.
    FalsePositive,
    /// Nobody can say.
    Unsure,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::TruePositive, Self::FalsePositive, Self::Unsure];

    /// As it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::TruePositive => "true_positive",
            Self::FalsePositive => "false_positive",
            Self::Unsure => "unsure",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
}
