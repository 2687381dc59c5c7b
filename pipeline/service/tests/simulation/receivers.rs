//! Those who are told, as their sides of the contract say: docs/core-api.md, docs/redis.md.

use std::collections::BTreeMap;

use rasid_connectors::effect::{Body, Item};
use rasid_engine::ScoreChange;

/// Keeps what it is told by id, in the order in which it first was; scores by version. The core API, and the file.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Id and bytes, in order.
    pub(crate) told: Vec<(String, String)>,
    by_id: BTreeMap<String, usize>,
    /// The newest version by entity.
    pub(crate) scores: BTreeMap<String, ScoreChange>,
}

impl Ledger {
    pub(crate) fn take(&mut self, item: &Item) {
        let (id, said) = match &item.body {
            Body::Score(change) => {
                let held = self.scores.get(&change.entity);
                if held.is_none_or(|held| held.version <= change.version) {
                    self.scores.insert(change.entity.clone(), change.clone());
                }
                return;
            }
            body => said(body),
        };
        if let Some(index) = self.by_id.get(&id) {
            assert_eq!(self.told[*index].1, said, "the receiver is told {id} again, and otherwise");
        } else {
            self.by_id.insert(id.clone(), self.told.len());
            self.told.push((id, said));
        }
    }
}

/// What an alert or a retraction says, with its id.
pub(crate) fn said(body: &Body) -> (String, String) {
    match body {
        Body::Alert(alert) => (alert.id.clone(), alert.json.clone()),
        Body::Retracted(retracted) => (retracted.id.clone(), format!("{} since {}", retracted.rule, retracted.since_ms)),
        Body::Score(_) => (body.id(), String::new()),
    }
}

/// Redis: a version that is older than the one held changes nothing; one that says that nothing is left, or that has
/// ended, removes the key, and with it all memory of its version.
#[derive(Default)]
pub(crate) struct Cache {
    held: BTreeMap<String, ScoreChange>,
}

impl Cache {
    pub(crate) fn write(&mut self, change: &ScoreChange, now_ms: i64) {
        self.expire(now_ms);
        if self.held.get(&change.entity).is_some_and(|held| held.version > change.version) {
            return;
        }
        if change.score.is_none() || change.live_until < now_ms {
            self.held.remove(&change.entity);
        } else {
            self.held.insert(change.entity.clone(), change.clone());
        }
    }

    /// Loses everything, as after FLUSHALL or a failover to an empty replica.
    pub(crate) fn lose(&mut self) {
        self.held.clear();
    }

    pub(crate) fn held(&mut self, now_ms: i64) -> &BTreeMap<String, ScoreChange> {
        self.expire(now_ms);
        &self.held
    }

    fn expire(&mut self, now_ms: i64) {
        self.held.retain(|_, change| change.live_until >= now_ms);
    }
}
