//! From a changed rules folder to a switch in the log; a ruleset that is refused leaves the old one in force.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rasid_connectors::log::{Control, Settings as LogMeaning};
use rasid_rules::ruleset::Ruleset;

use crate::BoxError;
use crate::chain::Chain;
use crate::log_writer::LogAppender;
use crate::recover::ENGINE;
use crate::rules_watch::{Refusal, RulesWatch};
use crate::rulesets::KnownRulesets;
use crate::start::held;
use crate::stats::RulesetStats;
use crate::watchman::{Condition, Conditions};

/// The name under which a refused ruleset is told.
pub(crate) const REFUSED: &str = "rasid_ruleset_refused";

pub(crate) struct Switching {
    watch: RulesWatch,
    rulesets: KnownRulesets,
    log: LogAppender,
    meaning: LogMeaning,
    /// Hash of the newest ruleset that the log was told of by this process.
    told: Option<String>,
    stats: Arc<Mutex<RulesetStats>>,
    conditions: Conditions,
    /// Whether there is a person on call.
    oncall: bool,
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
        Self { watch, rulesets, log, meaning, told: in_force, stats, conditions, oncall: false }
    }

    /// Whether there is a person on call.
    #[must_use]
    pub(crate) fn oncall(self, oncall: bool) -> Self {
        Self { oncall, ..self }
    }

    /// Says which rules of what is in force wake the person on call. That none does is most times a slip, and is seen the
    /// day nobody is woken.
    pub(crate) fn in_force(&self, ruleset: &Ruleset) {
        let (rules, pages) = (ruleset.rules.len(), ruleset.rules.iter().filter(|rule| rule.pages()));
        let pages: Vec<String> = if self.oncall { pages.map(|rule| rule.id.clone()).collect() } else { Vec::new() };
        if !pages.is_empty() {
            tracing::info!(rules, count = pages.len(), pages = pages.join(", "), "pages");
        } else if self.oncall {
            tracing::warn!(rules, "no rule pages, though a person is on call: docs/operations.md says how one does");
        }
        let mut stats = held(&self.stats);
        stats.rules = rules as u64;
        stats.pages = pages;
    }

    /// Tells the log to switch; the bundle is on disk before the log names it.
    pub(crate) async fn switch(&mut self, ruleset: Ruleset) -> Result<(), BoxError> {
        let (hash, rules) = (ruleset.hash.clone(), ruleset.rules.len() as u64);
        let rulesets = self.rulesets.clone();
        tracing::debug!(ruleset = hash, "ruleset switch");
        let ruleset = tokio::task::spawn_blocking(move || rulesets.save(&ruleset).map(|()| ruleset)).await??;
        let record = Control::Switch { ruleset: hash.clone(), engine: ENGINE.to_owned(), settings: self.meaning };
        let position = self.log.control(record).await?;
        tracing::info!(ruleset = hash, rules, position, "ruleset switched");
        self.told = Some(hash);
        held(&self.stats).switches_total += 1;
        self.in_force(&ruleset);
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
            summary: format!("The changed rules are refused, and those before stay in force: {refusal}"),
            runbook: Some("docs/runbooks/ruleset_refused.md".to_owned()),
        });
    }

    /// Looks every `poll_ms`, until the log has ended.
    pub(crate) async fn run(mut self, poll_ms: u64) {
        let mut interval = tokio::time::interval(Duration::from_millis(poll_ms.max(50)));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            // Compiling and testing takes its time; it shall not take the runtime's.
            let mut watch = self.watch;
            let looked = tokio::task::spawn_blocking(move || {
                let seen = watch.look();
                (watch, seen)
            });
            let Ok((watch, seen)) = looked.await else { return };
            self.watch = watch;
            match seen {
                None => {}
                Some(Err(refusal)) => self.refuse(&refusal),
                Some(Ok(ruleset)) => {
                    held(&self.stats).refused = false;
                    self.conditions.end(REFUSED);
                    if self.told.as_deref() != Some(ruleset.hash.as_str())
                        && let Err(error) = self.switch(ruleset).await
                    {
                        tracing::error!(error = %Chain(&*error), "the log was not told of the changed rules");
                        return;
                    }
                }
            }
        }
    }
}
