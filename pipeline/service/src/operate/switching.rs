//! From a changed rules folder to a switch in the log; a ruleset that is refused leaves the old one in force.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rasid_compiler::ruleset::Ruleset;
use rasid_connectors::Disposition;
use rasid_connectors::audit::{self, Audit};
use rasid_connectors::log::{Control, Settings as LogMeaning};

use crate::chain::Chain;
use crate::clock::Clock;
use crate::decide::comparison::ENGINE;
use crate::decide::log_thread::LogAppender;
use crate::decide::worker::Rulesets as _;
use crate::health::conditions::{Condition, Conditions};
use crate::health::hindrance::{Area, Hindrances};
use crate::health::stats::RulesetStats;
use crate::held::held;
use crate::operate::rules_diff::{Changes, Listing};
use crate::operate::rules_watch::{Refusal, RulesWatch, Seen};
use crate::recover::rulesets::KnownRulesets;

/// The name under which a refused ruleset is told.
pub(crate) const REFUSED: &str = "rasid_ruleset_refused";

/// Watches the rules folder, and switches.
pub(crate) struct Switching {
    /// What it judged last is what was loaded.
    pub(crate) watch: RulesWatch,
    pub(crate) rulesets: KnownRulesets,
    pub(crate) log: LogAppender,
    pub(crate) meaning: LogMeaning,
    /// Hash of the newest ruleset that the log was told of.
    pub(crate) told: Option<String>,
    /// What is in it; `None` until it is asked for.
    pub(crate) listing: Option<Listing>,
    pub(crate) stats: Arc<Mutex<RulesetStats>>,
    pub(crate) conditions: Conditions,
    pub(crate) audit: Arc<Mutex<Audit>>,
    pub(crate) clock: Clock,
    /// Whether there is a person on call.
    pub(crate) oncall: bool,
    pub(crate) hindrances: Hindrances,
}

/// Why there was no switch.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSwitched {
    /// The bundle could not be kept; another try may do.
    #[error("the ruleset cannot be kept")]
    Kept(#[source] rasid_connectors::bundle::Error),
    /// The audit cannot be written; another try may do.
    #[error("the switch cannot be audited")]
    Audit(#[source] audit::Error),
    /// Whoever was to keep the bundle came to grief; another try may do.
    #[error("the ruleset cannot be kept")]
    Keeping(#[source] tokio::task::JoinError),
    /// The log takes nothing any more.
    #[error("the log cannot be told")]
    Log(#[source] rasid_connectors::Error),
}

impl NotSwitched {
    /// What to do about it. The log waits for room itself: what it says of it, it says at its end.
    fn disposition(&self) -> Disposition {
        match self {
            Self::Kept(error) => error.disposition(),
            Self::Audit(error) => error.disposition(),
            Self::Keeping(_) | Self::Log(_) => Disposition::Halt,
        }
    }
}

impl Switching {
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

    /// Switches before anything else is done, however long there is no room for it.
    pub(crate) async fn begin(&mut self, ruleset: Ruleset) -> Result<(), NotSwitched> {
        let hindrances = self.hindrances.clone();
        hindrances.until_done_async(Area::Start, NotSwitched::disposition, async || self.switch(ruleset.clone()).await).await
    }

    /// Tells the log to switch; the bundle is on disk before the log names it, and so is the audit.
    async fn switch(&mut self, ruleset: Ruleset) -> Result<(), NotSwitched> {
        let (hash, rules) = (ruleset.hash.clone(), ruleset.rules.len() as u64);
        let (rulesets, known, told) = (self.rulesets.clone(), self.listing.take(), self.told.clone());
        let (audit, at_ms) = (Arc::clone(&self.audit), self.clock.wall_ms());
        tracing::debug!(ruleset = hash, "ruleset switch");
        let saved = tokio::task::spawn_blocking(move || {
            let listing = Listing::of(&ruleset);
            // What was in force is compiled again only for its names, at the first switch of this process.
            let before = known
                .or_else(|| told.as_ref().map_or_else(|| Some(Listing::default()), |told| Some(Listing::of(&rulesets.load(told).ok()?))));
            rulesets.save(&ruleset).map_err(NotSwitched::Kept)?;
            let changes = before.map(|before| listing.since(&before));
            let entry = entry(at_ms, &ruleset.hash, told.as_deref(), changes.as_ref());
            held(&audit).append(&entry).map_err(NotSwitched::Audit)?;
            Ok((ruleset, listing, changes))
        });
        let (ruleset, listing, changes) = saved.await.map_err(NotSwitched::Keeping)??;
        let record = Control::Switch { ruleset: hash.clone(), engine: ENGINE.to_owned(), settings: self.meaning };
        let position = self.log.control(record).await.map_err(NotSwitched::Log)?;
        if let Some(Changes { added, changed, removed, shared }) = changes {
            tracing::info!(ruleset = hash, rules, position, %added, %changed, %removed, %shared, "ruleset switched");
        } else {
            tracing::info!(ruleset = hash, rules, position, before = "cannot be read by this engine", "ruleset switched");
        }
        self.told = Some(hash);
        self.listing = Some(listing);
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
                Seen::Judged(Err(refusal)) => {
                    self.hindrances.over(Area::Ruleset);
                    self.refuse(&refusal);
                }
                Seen::Judged(Ok(ruleset)) => {
                    let hash = ruleset.hash.clone();
                    if self.told.as_deref() == Some(hash.as_str()) {
                        self.hindrances.over(Area::Ruleset);
                        self.whole(&hash);
                        continue;
                    }
                    match self.switch(*ruleset).await {
                        Ok(()) => {
                            self.hindrances.over(Area::Ruleset);
                            self.whole(&hash);
                        }
                        Err(error @ NotSwitched::Log(_)) => {
                            tracing::error!(error = %Chain(&error), "the log was not told of the changed rules");
                            return;
                        }
                        // Tried at every look.
                        Err(error) if error.disposition() == Disposition::Retry => {
                            self.hindrances.meet(Area::Ruleset, &error);
                            self.watch.again();
                        }
                        // Tried at every look too, told once.
                        Err(error) => {
                            if !held(&self.stats).refused {
                                self.refuse(&Refusal::Outside(Box::new(error)));
                            }
                            self.watch.again();
                        }
                    }
                }
            }
        }
    }
}

/// What the audit says of a switch. Who wrote the rule files, nobody here knows: whoever deploys them does.
fn entry<'a>(at_ms: i64, ruleset: &str, before: Option<&str>, changes: Option<&Changes>) -> audit::Entry<'a> {
    let mut details = BTreeMap::from([("ruleset", ruleset.to_owned()), ("before", before.unwrap_or("none").to_owned())]);
    if let Some(Changes { added, changed, removed, shared }) = changes {
        let named = [("added", added), ("changed", changed), ("removed", removed), ("shared", shared)];
        details.extend(named.map(|(kind, names)| (kind, names.to_string())));
    }
    let why = "the rules folder is another";
    audit::Entry { at_ms, who: "unknown", claimed: "", from: "rules folder", action: "reload", why, details }
}
