//! What else the log says between events.

/// A control record of the log, in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its place in the log.
    pub position: u64,
    /// What it says.
    pub control: Control,
}

/// What a control record says, as far as it is kept. Who said something about an alert and why is in the alert store and in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Time went on in silence to this instant, Unix ms.
    Tick(i64),
    /// A rule's alerts since an instant were taken back.
    Retract {
        /// The rule.
        rule: String,
        /// From when on, Unix ms.
        since_ms: i64,
    },
    /// From here on another ruleset, engine or settings.
    Switch {
        /// Hash of the ruleset, `sha256:…`.
        ruleset: String,
        /// The engine's version.
        engine: String,
    },
    /// Somebody said something about alerts.
    Feedback,
    /// What was here was lost to damage, and nobody knows what it was.
    Lost,
}

impl Control {
    /// Its name in the column `kind`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Tick(_) => "tick",
            Self::Retract { .. } => "retract",
            Self::Switch { .. } => "switch",
            Self::Feedback => "feedback",
            Self::Lost => "lost",
        }
    }
}
