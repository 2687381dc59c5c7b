//! Which sink is told what.

use rasid_compiler::ruleset::Mode;
use rasid_connectors::effect::{AlertItem, Body, Item, RetractedItem};
use rasid_connectors::sink::declared::{Alerts, Declared, Told};
use rasid_connectors::sink::{SINKS, Sinks, alertmanager, redis};
use rasid_detectors::event::time::parse_rfc3339;
use rasid_engine::{Alert, ScoreChange};

/// The person on call, by Alertmanager.
pub const ONCALL: &str = <alertmanager::Options as Declared>::NAME;
/// Scores for the core services to read.
pub const REDIS: &str = <redis::Options as Declared>::NAME;

/// The sinks that are on, in the order of [`SINKS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Routes([bool; SINKS.len()]);

impl Routes {
    /// To those sinks, by name.
    pub fn to(names: &[&str]) -> Self {
        let mut routes = Self::default();
        routes.0.iter_mut().zip(SINKS).for_each(|(on, (name, _))| *on = names.contains(name));
        routes
    }

    /// To those that the settings name.
    pub(crate) fn of(sinks: &Sinks) -> Self {
        Self::to(&sinks.on().collect::<Vec<_>>())
    }

    /// Whether that sink is on.
    pub fn has(self, name: &str) -> bool {
        self.names().any(|on| on == name)
    }

    /// Names of the sinks that are on.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.told(|_| true)
    }

    /// Names of those that are told such a thing.
    fn told(self, is: impl Fn(&Told) -> bool) -> impl Iterator<Item = &'static str> {
        self.0.into_iter().zip(SINKS).filter(move |(on, (_, told))| *on && is(told)).map(|(_, (name, _))| *name)
    }

    /// Who gets an alert. What is in shadow goes to nobody but the file.
    pub(crate) fn alert(self, alert: &Alert, json: &str, items: &mut Vec<Item>) {
        let told = |told: &Told| match told.alerts {
            Alerts::None => false,
            Alerts::Of(receiver) => alert.mode == Mode::Active && alert.deliver.contains(&receiver),
            Alerts::All => true,
        };
        for sink in self.told(told) {
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
        for sink in self.told(|told| told.scores) {
            items.push(item(sink, change.position, Body::Score(change.clone())));
        }
    }

    /// Who is told that a rule's alerts are taken back.
    pub(crate) fn retracted(self, position: u64, rule: &str, since_ms: i64, items: &mut Vec<Item>) {
        for sink in self.told(|told| told.retractions) {
            let body = RetractedItem { id: format!("retract_{position}"), rule: rule.to_owned(), since_ms };
            items.push(item(sink, position, Body::Retracted(body)));
        }
    }
}

fn item(sink: &str, position: u64, body: Body) -> Item {
    Item { sink: sink.to_owned(), seq: 0, position, committed_ms: 0, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_what_it_declares_where_it_is_on() {
        let all = Routes::to(&["core", REDIS, ONCALL, "jsonl"]);
        let told = |routes: Routes, is: fn(&Told) -> bool| routes.told(is).collect::<Vec<_>>();
        assert_eq!(told(all, |told| told.scores), ["core", REDIS]);
        assert_eq!(told(all, |told| told.retractions), ["core", ONCALL]);
        assert_eq!(told(all, |told| told.alerts == Alerts::All), ["jsonl"], "the file alone has what is in shadow");
        let some = Routes::to(&[REDIS, "no such"]);
        assert_eq!((some.names().collect::<Vec<_>>(), some.has(REDIS), some.has("core")), (vec![REDIS], true, false));
        assert_eq!(told(some, |told| told.retractions), [""; 0]);
    }
}
