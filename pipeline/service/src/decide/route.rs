//! Which sink is told what.

use rasid_compiler::ruleset::{Mode, Receiver};
use rasid_connectors::effect::{AlertItem, Body, Item, RetractedItem};
use rasid_detectors::event::time::parse_rfc3339;
use rasid_engine::{Alert, ScoreChange};

use crate::settings::SinksSettings;

/// The core API: alerts, scores, retractions.
pub const CORE: &str = "core";
/// The person on call, by Alertmanager.
pub const ONCALL: &str = "alertmanager";
/// Scores for the core services to read.
pub const REDIS: &str = "redis";
/// A file of every alert, shadow ones too.
pub const JSONL: &str = "jsonl";

/// The sinks that are configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one a sink, each on or off by itself")]
pub struct Routes {
    /// [`CORE`]
    pub core: bool,
    /// [`ONCALL`]
    pub oncall: bool,
    /// [`REDIS`]
    pub redis: bool,
    /// [`JSONL`]
    pub jsonl: bool,
}

impl Routes {
    /// Those that the settings name.
    pub(crate) fn of(sinks: &SinksSettings) -> Self {
        Self {
            core: sinks.core.is_some(),
            oncall: sinks.alertmanager.is_some(),
            redis: sinks.redis.is_some(),
            jsonl: sinks.jsonl.is_some(),
        }
    }

    /// Names of the sinks that are configured.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [(self.core, CORE), (self.oncall, ONCALL), (self.redis, REDIS), (self.jsonl, JSONL)]
            .into_iter()
            .filter_map(|(on, name)| on.then_some(name))
    }

    /// Who gets an alert. What is in shadow goes to nobody but the file.
    pub(crate) fn alert(self, alert: &Alert, json: &str, items: &mut Vec<Item>) {
        let told = |receiver| alert.mode == Mode::Active && alert.deliver.contains(&receiver);
        let sinks = [(self.core && told(Receiver::Core), CORE), (self.oncall && told(Receiver::Oncall), ONCALL), (self.jsonl, JSONL)];
        for (_, sink) in sinks.into_iter().filter(|(on, _)| *on) {
            let body = Body::Alert(AlertItem {
                id: alert.id.clone(),
                rule: alert.rule.clone(),
                severity: alert.severity,
                entity: alert.entity.clone(),
                opened_at_ms: parse_rfc3339(&alert.opened_at).unwrap_or_default(),
                title: alert.title.clone(),
                explanation: alert.explanation.clone(),
                runbook: alert.runbook.clone(),
                json: json.to_owned(),
            });
            items.push(item(sink, alert.position, body));
        }
    }

    /// Who gets a change of score.
    pub(crate) fn score(self, change: &ScoreChange, items: &mut Vec<Item>) {
        for (_, sink) in [(self.core, CORE), (self.redis, REDIS)].into_iter().filter(|(on, _)| *on) {
            items.push(item(sink, change.position, Body::Score(change.clone())));
        }
    }

    /// Who is told that a rule's alerts are taken back.
    pub(crate) fn retracted(self, position: u64, rule: &str, since_ms: i64, items: &mut Vec<Item>) {
        for (_, sink) in [(self.core, CORE), (self.oncall, ONCALL)].into_iter().filter(|(on, _)| *on) {
            let body = RetractedItem { id: format!("retract_{position}"), rule: rule.to_owned(), since_ms };
            items.push(item(sink, position, Body::Retracted(body)));
        }
    }
}

fn item(sink: &str, position: u64, body: Body) -> Item {
    Item { sink: sink.to_owned(), seq: 0, position, committed_ms: 0, body }
}
