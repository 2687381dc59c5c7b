//! From a changed rules folder to a switch in the log; a ruleset that is refused leaves the old one in force.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rasid_connectors::log::{Control, Settings as LogMeaning};
use rasid_rules::ruleset::Ruleset;

use crate::BoxError;
use crate::chain::Chain;
use crate::log_writer::LogAppender;
use crate::recover::ENGINE;
use crate::rules_diff::{Changes, Listing};
use crate::rules_watch::{Refusal, RulesWatch, Seen};
use crate::rulesets::KnownRulesets;
use crate::start::held;
use crate::stats::RulesetStats;
use crate::watchman::{Condition, Conditions};
use crate::worker::Rulesets as _;

/// The name under which a refused ruleset is told.
pub(crate) const REFUSED: &str = "rasid_ruleset_refused";

pub(crate) struct Switching {
    watch: RulesWatch,
    rulesets: KnownRulesets,
    log: LogAppender,
    meaning: LogMeaning,
    /// Hash of the newest ruleset that the log was told of.
    told: Option<String>,
    /// What is in it; `None` until it is asked for.
    listing: Option<Listing>,
    stats: Arc<Mutex<RulesetStats>>,
    conditions: Conditions,
}

/// Why there was no switch.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSwitched {
    /// The bundle could not be kept; another try may do.
    #[error("the ruleset cannot be kept")]
    Kept(#[source] BoxError),
    /// The log takes nothing any more.
    #[error("the log cannot be told")]
    Log(#[source] BoxError),
}

impl Switching {
    /// Watches on; what `watch` judged is what was loaded.
    pub(crate) fn new(
        watch: RulesWatch,
        rulesets: KnownRulesets,
        log: LogAppender,
        meaning: LogMeaning,
        in_force: Option<String>,
        stats: Arc<Mutex<RulesetStats>>,
        conditions: Conditions,
    ) -> Self {
        Self { watch, rulesets, log, meaning, told: in_force, listing: None, stats, conditions }
    }

    /// Tells the log to switch; the bundle is on disk before the log names it.
    pub(crate) async fn switch(&mut self, ruleset: Ruleset) -> Result<(), NotSwitched> {
        let (hash, rules) = (ruleset.hash.clone(), ruleset.rules.len() as u64);
        let (rulesets, known, told) = (self.rulesets.clone(), self.listing.take(), self.told.clone());
        tracing::debug!(ruleset = hash, "ruleset switch");
        let saved = tokio::task::spawn_blocking(move || {
            let listing = Listing::of(&ruleset);
            // What was in force is compiled again only for its names, at the first switch of this process.
            let before =
                known.or_else(|| told.map_or_else(|| Some(Listing::default()), |told| Some(Listing::of(&rulesets.load(&told).ok()?))));
            rulesets.save(&ruleset).map(|()| (listing, before))
        });
        let (listing, before) =
            saved.await.map_err(|error| NotSwitched::Kept(Box::new(error)))?.map_err(|error| NotSwitched::Kept(Box::new(error)))?;
        let record = Control::Switch { ruleset: hash.clone(), engine: ENGINE.to_owned(), settings: self.meaning };
        let position = self.log.control(record).await.map_err(|error| NotSwitched::Log(Box::new(error)))?;
        if let Some(before) = before {
            let Changes { added, changed, removed, shared } = listing.since(&before);
            tracing::info!(ruleset = hash, rules, position, %added, %changed, %removed, %shared, "ruleset switched");
        } else {
            tracing::info!(ruleset = hash, rules, position, before = "cannot be read by this engine", "ruleset switched");
        }
        self.told = Some(hash);
        self.listing = Some(listing);
        let mut stats = held(&self.stats);
        stats.switches_total += 1;
        stats.rules = rules;
        Ok(())
    }

    /// The old ruleset stays in force, and people are told.
    pub(crate) fn refuse(&self, refusal: &Refusal) {
        tracing::error!(error = %Chain(refusal), "the changed rules are refused; the ruleset before stays in force");
        let mut stats = held(&self.stats);
        stats.refused_total += 1;
        stats.refused = true;
        self.conditions.raise(Condition {
            name: REFUSED.to_owned(),
            summary: format!("The changed rules are refused, and those before stay in force: {}", Chain(refusal)),
            runbook: Some("docs/runbooks/ruleset_refused.md".to_owned()),
        });
    }

    /// The folder has a ruleset that is none to refuse.
    fn whole(&self, hash: &str) {
        if std::mem::replace(&mut held(&self.stats).refused, false) {
            tracing::info!(ruleset = hash, "the rules folder is whole again");
        }
        self.conditions.end(REFUSED);
    }

    /// Looks every `poll_ms`, until the log has ended.
    pub(crate) async fn run(mut self, poll_ms: u64) {
        let mut interval = tokio::time::interval(Duration::from_millis(poll_ms.max(50)));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            // Compiling and testing takes its time; it shall not take the runtime's.
            let mut watch = self.watch.clone();
            let looked = tokio::task::spawn_blocking(move || {
                let seen = watch.look();
                (watch, seen)
            });
            let seen = match looked.await {
                Ok((watch, seen)) => {
                    self.watch = watch;
                    seen
                }
                Err(error) if error.is_cancelled() => return,
                // Watching goes on with the next change.
                Err(error) => {
                    self.watch.judged();
                    Seen::Judged(Err(Refusal::Outside(Box::new(error))))
                }
            };
            match seen {
                Seen::Nothing => {}
                Seen::Restless => tracing::warn!("the rules folder does not come to rest, and is not read until it does"),
                Seen::Judged(Err(refusal)) => self.refuse(&refusal),
                Seen::Judged(Ok(ruleset)) => {
                    let hash = ruleset.hash.clone();
                    if self.told.as_deref() == Some(hash.as_str()) {
                        self.whole(&hash);
                        continue;
                    }
                    match self.switch(*ruleset).await {
                        Ok(()) => self.whole(&hash),
                        Err(error @ NotSwitched::Kept(_)) => {
                            // Tried at every look, told once.
                            if !held(&self.stats).refused {
                                self.refuse(&Refusal::Outside(Box::new(error)));
                            }
                            self.watch.again();
                        }
                        Err(error @ NotSwitched::Log(_)) => {
                            tracing::error!(error = %Chain(&error), "the log was not told of the changed rules");
                            return;
                        }
                    }
                }
            }
        }
    }
}
