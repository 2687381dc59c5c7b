//! Tells the person on call about Rasid itself. Conditions are said again while they hold, so that a page resolves by itself
//! when the service that raised it is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rasid_compiler::ruleset::Severity;
use rasid_connectors::sink::alertmanager::{AlertmanagerSink, OpsAlert};
use rasid_connectors::sink::{Answer, Sink as _};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::decide::commit_thread::ToCommit;
use crate::health::conditions::{Condition, Conditions};
use crate::health::stats::Stats;
use crate::operate::tally::Tally;

/// How often it looks, and says what is new.
const ROUND: Duration = Duration::from_secs(15);
/// How often it says what it has said before, ms.
const AGAIN_MS: i64 = 60_000;
/// Tells the person on call.
pub(crate) struct Watchman {
    pager: AlertmanagerSink,
    conditions: Conditions,
    tally: Arc<Tally>,
    commits: mpsc::Sender<ToCommit>,
    clock: Clock,
    /// What was said, and when, ms by the monotonic clock, by name.
    said: BTreeMap<String, (Condition, i64)>,
    /// What has ended, and Alertmanager has not been told.
    ended: BTreeSet<String>,
    /// When all is said again, ms by the monotonic clock.
    again_ms: i64,
    /// Alertmanager does not take what it is told, which was logged.
    unheard: bool,
}

impl Watchman {
    /// `pager` has taken up what stood when the service last ran.
    pub(crate) fn new(
        pager: AlertmanagerSink,
        conditions: Conditions,
        tally: Arc<Tally>,
        commits: mpsc::Sender<ToCommit>,
        clock: Clock,
    ) -> Self {
        let again_ms = clock.monotonic_ms() + AGAIN_MS;
        Self { pager, conditions, tally, commits, clock, said: BTreeMap::new(), ended: BTreeSet::new(), again_ms, unheard: false }
    }

    /// Looks until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut interval = tokio::time::interval(ROUND);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let stats = self.tally.stats(&self.clock);
            look(&stats, self.tally.hindrances.all(), &self.conditions);
            let heard = self.tell().await;
            if !heard && !self.unheard {
                tracing::warn!("on-call could not be told about the service itself; tried again every round");
            }
            self.unheard = !heard;
            let standing = self.pager.take_standing();
            if !standing.is_empty() && self.commits.send(ToCommit::Settled(Vec::new(), standing)).await.is_err() {
                return; // the service ends
            }
        }
    }

    /// Says what is new, what has ended, and, when it is time, everything again; whether all of it was taken.
    async fn tell(&mut self) -> bool {
        let (holding, ended) = self.conditions.take();
        let now_ms = self.clock.monotonic_ms();
        self.ended.extend(ended);
        self.said.retain(|name, _| holding.iter().any(|condition| condition.name == *name));
        let mut heard = true;
        for condition in &holding {
            self.ended.remove(&condition.name);
        }
        for name in self.ended.clone() {
            if self.pager.resolve(self.clock.wall_ms(), &name).await == Answer::TAKEN {
                self.ended.remove(&name);
            } else {
                heard = false;
            }
        }
        let is_due =
            |condition: &&Condition| self.said.get(&condition.name).is_none_or(|(said, at)| said != *condition || now_ms - *at >= AGAIN_MS);
        let due: Vec<Condition> = holding.iter().filter(is_due).cloned().collect();
        if !due.is_empty() {
            let alert = |condition: &Condition| OpsAlert {
                name: condition.name.clone(),
                severity: Severity::Sev1,
                summary: condition.summary.clone(),
                runbook: condition.runbook.clone(),
            };
            let alerts: Vec<OpsAlert> = due.iter().map(alert).collect();
            if self.pager.raise(self.clock.wall_ms(), &alerts).await == Answer::TAKEN {
                self.said.extend(due.into_iter().map(|condition| (condition.name.clone(), (condition, now_ms))));
            } else {
                heard = false;
            }
        }
        if heard && now_ms >= self.again_ms {
            heard = self.pager.say_again(self.clock.wall_ms()).await.is_none_or(|answer| answer == Answer::TAKEN);
            if heard {
                self.again_ms = now_ms + AGAIN_MS;
            }
        }
        heard
    }
}

/// What the figures alone show, and `hindered`: what hinders, in words.
fn look(stats: &Stats, hindered: Option<String>, conditions: &Conditions) {
    let raise = |name: &str, summary: String, runbook: &str| {
        conditions.raise(Condition { name: name.to_owned(), summary, runbook: Some(format!("docs/runbooks/{runbook}.md")) });
    };
    let divergences = stats.worker.divergence_total;
    if divergences > 0 {
        let summary = format!("{divergences} replayed alerts differ from those committed before: the engine is not what it was");
        raise("rasid_replay_divergence", summary, "replay_divergence");
    }
    match hindered {
        Some(words) => raise("rasid_disk_full", format!("The disk has no room: {words}"), "disk_full"),
        None => conditions.end("rasid_disk_full"),
    }
    if stats.outbox.full {
        let summary = "The outbox is full and ingestion is paused: a sink has been away for too long".to_owned();
        raise("rasid_outbox_full", summary, "sink_down");
    } else {
        conditions.end("rasid_outbox_full");
    }
    let refusing: Vec<&str> = stats.sinks.iter().filter(|sink| sink.refusing).map(|sink| sink.name.as_str()).collect();
    if refusing.is_empty() {
        conditions.end("rasid_sink_refusing");
    } else {
        let summary = format!("All that is sent is refused by {}: what is meant for it waits in the outbox", refusing.join(" and by "));
        raise("rasid_sink_refusing", summary, "sink_refusing");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::stats::SinkStats;

    fn taken(conditions: &Conditions) -> (Vec<String>, Vec<String>) {
        let (holding, ended) = conditions.take();
        (holding.into_iter().map(|condition| condition.name).collect(), ended)
    }

    #[test]
    fn what_a_process_before_has_raised_is_ended_by_this_one() {
        let conditions = Conditions::default();
        conditions.inherit(["rasid_outbox_full", "rasid_sink_refusing", "rasid_stream_gap"].map(str::to_owned).into());
        let mut stats = Stats::default();
        stats.sinks.push(SinkStats { name: "core".to_owned(), refusing: true, ..SinkStats::default() });
        look(&stats, None, &conditions);
        assert_eq!(taken(&conditions), (vec!["rasid_sink_refusing".to_owned()], vec!["rasid_outbox_full".to_owned()]));
        look(&stats, None, &conditions);
        assert_eq!(taken(&conditions), (vec!["rasid_sink_refusing".to_owned()], Vec::new()), "once");
        look(&Stats::default(), None, &conditions);
        assert_eq!(taken(&conditions), (Vec::new(), vec!["rasid_sink_refusing".to_owned()]));
        conditions.end("rasid_stream_gap");
        assert_eq!(taken(&conditions), (Vec::new(), vec!["rasid_stream_gap".to_owned()]));
    }

    #[test]
    fn the_summary_of_a_refusal_names_the_sinks_and_no_answer() {
        let conditions = Conditions::default();
        let mut stats = Stats::default();
        for name in ["core", "jsonl", "redis"] {
            stats.sinks.push(SinkStats { name: name.to_owned(), refusing: name != "jsonl", ..SinkStats::default() });
        }
        look(&stats, None, &conditions);
        let (holding, _) = conditions.take();
        assert_eq!(holding[0].summary, "All that is sent is refused by core and by redis: what is meant for it waits in the outbox");
    }
}
