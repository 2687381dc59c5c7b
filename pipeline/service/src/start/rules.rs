//! The rules to start with. A log that has none in force cannot begin without good ones; one that has goes on under those.

use std::path::Path;
use std::sync::Arc;

use rasid_compiler::ruleset::Ruleset;
use rasid_connectors::log::{Settings as LogMeaning, Switched};
use rasid_connectors::seal::Secrets;

use crate::clock::Clock;
use crate::decide::log_thread::LogAppender;
use crate::decide::worker::Rulesets as _;
use crate::error::StartError;
use crate::held::held;
use crate::operate::rules_watch::{Refusal, RulesWatch};
use crate::operate::switching::{REFUSED, Switching};
use crate::recover::rulesets::KnownRulesets;
use crate::recover::take_up::Recovered;
use crate::settings::Settings;
use crate::start::shared::Shared;

/// The rules folder as it is, judged beside what the log has in force.
pub(super) struct FirstRules {
    watch: RulesWatch,
    rulesets: KnownRulesets,
    /// What the log is to mean.
    meaning: LogMeaning,
    in_force: Option<Switched>,
    rules: Rules,
}

/// The rules to start with.
enum Rules {
    /// Those that are in force.
    AsBefore(Ruleset),
    /// Others, which the log is told of.
    Changed(Ruleset),
    /// Those in the folder have faults: what is in force stays.
    Refused(Refusal, Ruleset),
}

impl FirstRules {
    /// Reads the folder and runs the tests in it.
    pub(super) async fn judged(settings: &Settings, secrets: &Secrets, recovered: &Recovered, clock: &Clock) -> Result<Self, StartError> {
        let mut watch = RulesWatch::new(Path::new(&settings.rules.dir));
        let loaded = watch.first(|| clock.wall_ms()).await;
        let meaning = LogMeaning {
            lateness_ms: settings.engine.lateness_ms(),
            future_ms: settings.engine.future_ms(),
            memory_max: settings.engine.memory_bytes_max,
            events_per_s: settings.engine.events_per_s,
            keys: secrets.keys(),
        };
        let (in_force, rulesets) = (recovered.opened.ruleset.clone(), recovered.rulesets.clone());
        let rules = match (loaded, &in_force) {
            (Ok(ruleset), Some(switched)) if switched.ruleset == ruleset.hash && switched.settings == meaning => Rules::AsBefore(ruleset),
            (Ok(ruleset), _) => Rules::Changed(ruleset),
            (Err(refusal), Some(switched)) => {
                let (rulesets, hash) = (rulesets.clone(), switched.ruleset.clone());
                let before = tokio::task::spawn_blocking(move || rulesets.load(&hash)).await;
                Rules::Refused(refusal, before.map_err(StartError::outside)?.map_err(StartError::Outside)?)
            }
            (Err(refusal), None) => return Err(refusal.into()),
        };
        Ok(Self { watch, rulesets, meaning, in_force, rules })
    }

    /// Hash of the ruleset that is in force from the start on.
    pub(super) fn hash(&self) -> &str {
        match &self.rules {
            Rules::AsBefore(ruleset) | Rules::Changed(ruleset) | Rules::Refused(_, ruleset) => &ruleset.hash,
        }
    }

    /// Tells the log where it must be told, and gives what watches the folder from then on.
    pub(super) async fn into_force(self, shared: &Shared, log: &LogAppender) -> Result<Switching, StartError> {
        let Self { watch, rulesets, meaning, in_force, rules } = self;
        let is_meant_otherwise = in_force.as_ref().is_some_and(|switched| switched.settings != meaning);
        let mut switching = Switching {
            watch,
            rulesets,
            log: log.clone(),
            meaning,
            told: in_force.map(|switched| switched.ruleset),
            listing: None,
            stats: Arc::clone(&shared.figures.ruleset),
            conditions: shared.conditions.clone(),
            audit: Arc::clone(&shared.audit),
            clock: shared.clock.clone(),
            oncall: shared.routes.has(crate::decide::route::ONCALL),
            hindrances: log.hindrances(),
        };
        match rules {
            Rules::AsBefore(ruleset) => switching.in_force(&ruleset),
            Rules::Changed(ruleset) => switching.begin(ruleset).await.map_err(StartError::outside)?,
            Rules::Refused(refusal, before) => {
                // What the log means is the configuration's; the rules in force stay as they are.
                if is_meant_otherwise {
                    switching.begin(before).await.map_err(StartError::outside)?;
                } else {
                    switching.in_force(&before);
                }
                switching.refuse(&refusal);
            }
        }
        if !held(&shared.figures.ruleset).refused {
            shared.conditions.end(REFUSED);
        }
        Ok(switching)
    }
}
