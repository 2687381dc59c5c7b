//! What is known of a campaign: the truth that alerts are held against.

use serde::Serialize;

use crate::clock::rfc3339;
use crate::{Kind, Level};

/// One campaign. The file of labels is its owner's alone: entities stand in it as they are.
#[derive(Clone, Debug, Serialize)]
pub struct Label {
    /// Its name in this simulation.
    pub campaign: String,
    /// What is done.
    pub kind: Kind,
    /// How well it hides.
    pub level: Level,
    /// Whom an alert about it should name, `kind:id`.
    pub entity: String,
    /// Every other entity of the attacker's that takes part, `kind:id`, in order.
    pub also: Vec<String>,
    /// When its first event happened, RFC 3339.
    pub from: String,
    /// When its last event happened, RFC 3339.
    pub to: String,
    /// Its events' ids, in order of time.
    pub event_ids: Vec<String>,
}

impl Label {
    /// The label's instants, from Unix ms.
    pub(crate) fn window(from: i64, to: i64) -> (String, String) {
        (rfc3339(from), rfc3339(to))
    }

    /// One line of a labels file, without its end.
    ///
    /// # Panics
    /// Never: a label is text alone.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text alone")
    }
}
