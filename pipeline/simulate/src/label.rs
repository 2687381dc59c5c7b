//! What is known of a story: the truth that alerts are held against.

use serde::Serialize;

use crate::clock::rfc3339;
use crate::scene::Cast;
use crate::wire::Draft;
use crate::{Kind, Level};

/// One story: who plays it, when, and in which events. The file of labels is its owner's alone: entities stand in it as they are.
#[derive(Clone, Debug, Serialize)]
pub struct Label {
    /// Whom an alert about it should name, `kind:id`; of honest life, who might be taken for an attacker.
    pub entity: String,
    /// Every other entity of theirs that takes part, `kind:id`, in order.
    pub also: Vec<String>,
    /// When its first event happened, RFC 3339.
    pub from: String,
    /// When its last event happened, RFC 3339.
    pub to: String,
    /// Its events' ids, in order of time.
    pub event_ids: Vec<String>,
    /// When its first event happened, Unix ms.
    #[serde(skip)]
    pub from_ms: i64,
    /// When its last event happened, Unix ms.
    #[serde(skip)]
    pub to_ms: i64,
}

impl Label {
    /// The label of what was played; None where nothing was.
    pub(crate) fn of<'d>(cast: Cast, drafts: impl Iterator<Item = &'d Draft>) -> Option<Self> {
        let mut events: Vec<(i64, u64, &str)> = drafts.map(|draft| (draft.at, draft.sequence, draft.id.as_str())).collect();
        events.sort_unstable();
        events.dedup(); // deliveries that came twice
        let (first, last) = (events.first()?.0, events.last()?.0);
        let Cast { entity, mut also } = cast;
        also.retain(|other| *other != entity);
        also.sort_unstable();
        also.dedup();
        let event_ids = events.into_iter().map(|(_, _, id)| id.to_owned()).collect();
        Some(Self { entity, also, from: rfc3339(first), to: rfc3339(last), event_ids, from_ms: first, to_ms: last })
    }
}

/// A campaign, and what is known of it.
#[derive(Clone, Debug, Serialize)]
pub struct Campaign {
    /// Its name in this simulation.
    pub campaign: String,
    /// What is done.
    pub kind: Kind,
    /// How well it hides.
    pub level: Level,
    /// Who, when, in which events.
    #[serde(flatten)]
    pub label: Label,
}

/// Honest life that looks like a campaign: whom an alert about it wrongs.
#[derive(Clone, Debug, Serialize)]
pub struct LookAlike {
    /// What happens, a word of the lists under `look_alike/`.
    pub look_alike: &'static str,
    /// Who, when, in which events.
    #[serde(flatten)]
    pub label: Label,
}

impl Campaign {
    /// One line of a labels file, without its end.
    ///
    /// # Panics
    /// Never: a label is text alone.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text alone")
    }
}

impl LookAlike {
    /// One line of a labels file, without its end.
    ///
    /// # Panics
    /// Never: a label is text alone.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text alone")
    }
}
