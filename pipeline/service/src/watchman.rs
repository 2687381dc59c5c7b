//! What the person on call must know about Rasid itself. Conditions hold until they are ended, and are said again while
//! they hold, so that a page resolves by itself when the service that raised it is gone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rasid_connectors::sink::alertmanager::{AlertmanagerSink, OpsAlert};
use rasid_rules::ruleset::Severity;

use crate::clock::Clock;
use crate::start::held;
use crate::tally::Tally;

/// How often it looks, and says what holds.
const ROUND: Duration = Duration::from_secs(15);

/// Something that a person must look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    /// A bounded name: the alert's.
    pub(crate) name: String,
    /// What is wrong, in one sentence.
    pub(crate) summary: String,
    /// The page that says what to do.
    pub(crate) runbook: Option<String>,
}

/// What holds now.
#[derive(Clone, Default)]
pub(crate) struct Conditions {
    holding: Arc<Mutex<Holding>>,
}

#[derive(Default)]
struct Holding {
    conditions: BTreeMap<String, Condition>,
    /// Ended since they were last said.
    ended: Vec<String>,
}

impl Conditions {
    /// It holds from now on; the newest words stand.
    pub(crate) fn raise(&self, condition: Condition) {
        held(&self.holding).conditions.insert(condition.name.clone(), condition);
    }

    /// It holds no more.
    pub(crate) fn end(&self, name: &str) {
        let mut holding = held(&self.holding);
        if let Some(condition) = holding.conditions.remove(name) {
            holding.ended.push(condition.name);
        }
    }

    fn take(&self) -> (Vec<Condition>, Vec<String>) {
        let mut holding = held(&self.holding);
        (holding.conditions.values().cloned().collect(), std::mem::take(&mut holding.ended))
    }
}

/// Tells the person on call.
pub(crate) struct Watchman {
    pub(crate) pager: AlertmanagerSink,
    pub(crate) conditions: Conditions,
    pub(crate) tally: Arc<Tally>,
    pub(crate) clock: Clock,
}

impl Watchman {
    /// Looks until it is dropped.
    pub(crate) async fn run(self) {
        let mut interval = tokio::time::interval(ROUND);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            self.look();
            let (holding, ended) = self.conditions.take();
            for condition in holding {
                let alert = OpsAlert {
                    name: condition.name.clone(),
                    severity: Severity::Sev1,
                    summary: condition.summary.clone(),
                    runbook: condition.runbook.clone(),
                };
                let answer = self.pager.ops_alert(self.clock.wall_ms(), &alert).await.bounded();
                if answer != rasid_connectors::sink::Answer::TAKEN {
                    tracing::warn!(name = condition.name, ?answer, "on-call could not be told; tried again next round");
                }
            }
            for name in ended {
                let answer = self.pager.resolve_ops(self.clock.wall_ms(), &name).await.bounded();
                if answer != rasid_connectors::sink::Answer::TAKEN {
                    tracing::warn!(name, ?answer, "on-call could not be told that it is over; it ends by itself");
                }
            }
        }
    }

    /// What the figures alone show.
    fn look(&self) {
        let stats = self.tally.stats(self.clock.now());
        if stats.worker.divergence_total > 0 {
            self.conditions.raise(Condition {
                name: "rasid_replay_divergence".to_owned(),
                summary: format!(
                    "{} replayed alerts differ from those committed before: the engine is not what it was",
                    stats.worker.divergence_total
                ),
                runbook: Some("docs/runbooks/replay_divergence.md".to_owned()),
            });
        }
        if stats.outbox.full {
            self.conditions.raise(Condition {
                name: "rasid_outbox_full".to_owned(),
                summary: "The outbox is full and ingestion is paused: a sink has been away for too long".to_owned(),
                runbook: Some("docs/runbooks/sink_down.md".to_owned()),
            });
        } else {
            self.conditions.end("rasid_outbox_full");
        }
    }
}
