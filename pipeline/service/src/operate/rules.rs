//! Rules as people look at them: what they say, what they do at the moment, how they fare.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use rasid_compiler::ruleset::{Mode, Prose, Rule, Ruleset, Severity};
use rasid_connectors::alerts::{AlertStore, Filter, Status};
use rasid_connectors::log::Verdict;
use rasid_detectors::kernel::wilson;

use crate::decide::figures::EngineFigures;
use crate::operate::control::{ControlError, EntityShown, FireRate, Judged, Precision, Related, RuleInfo, RuleList, RuleShown, RuleState};
use crate::operate::groups::newest_ms;
use crate::operate::kept::{self, outside};
use crate::recover::rulesets::KnownRulesets;

const HOUR_MS: i64 = 3_600_000;
/// Hours of a day and of a week.
const DAY: i64 = 24;
const WEEK: i64 = 7 * DAY;
/// Alerts that are shown of an entity, and others that they name.
const ALERTS_MAX: usize = 100;
const RELATED_MAX: usize = 50;

/// What is known of the ruleset in force without its conditions.
pub(crate) struct Catalogue {
    rulesets: KnownRulesets,
    /// The newest that was asked for.
    known: Mutex<Option<Arc<Listed>>>,
}

/// A ruleset, for people.
pub(crate) struct Listed {
    hash: String,
    rules: Vec<ListedRule>,
}

struct ListedRule {
    id: String,
    title: String,
    severity: Severity,
    mode: Mode,
    pages: bool,
    entity: &'static str,
    runbook: Option<String>,
    half_life_ms: i64,
    prose: Prose,
    file: String,
    text: String,
}

impl Listed {
    fn of(ruleset: &Ruleset) -> Self {
        Self { hash: ruleset.hash.clone(), rules: ruleset.rules.iter().map(|rule| ListedRule::of(rule, ruleset)).collect() }
    }
}

impl ListedRule {
    fn of(rule: &Rule, ruleset: &Ruleset) -> Self {
        let weights = rule.triggers.iter().flat_map(|trigger| &trigger.programs).map(|program| program.weight.severity);
        let source = ruleset.sources.get(rule.source);
        Self {
            id: rule.id.clone(),
            title: rule.title.clone(),
            severity: weights.min().unwrap_or(Severity::Sev3),
            mode: rule.mode,
            pages: rule.pages(),
            entity: rule.entity.name(),
            runbook: rule.runbook.clone(),
            half_life_ms: rule.half_life_ms,
            prose: rule.prose.clone(),
            file: source.map(|source| source.name.clone()).unwrap_or_default(),
            text: source.map(|source| source.text.clone()).unwrap_or_default(),
        }
    }
}

impl Catalogue {
    pub(crate) fn new(rulesets: KnownRulesets) -> Self {
        Self { rulesets, known: Mutex::default() }
    }

    /// The ruleset of that hash. It is compiled when it is asked for first, some tenths of a second: on a thread that may block.
    fn listed(&self, hash: &str) -> Result<Arc<Listed>, ControlError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listed) = known.as_ref().filter(|listed| listed.hash == hash) {
            return Ok(Arc::clone(listed));
        }
        let listed = Arc::new(Listed::of(&self.rulesets.look(hash).map_err(ControlError::Outside)?));
        *known = Some(Arc::clone(&listed));
        Ok(listed)
    }

    /// All rules in force.
    pub(crate) fn list(&self, figures: &EngineFigures, store: &AlertStore) -> Result<RuleList, ControlError> {
        let listed = self.listed(&figures.ruleset)?;
        let fare = Fare::of(figures, store)?;
        Ok(RuleList { ruleset: figures.ruleset.clone(), rules: listed.rules.iter().map(|rule| fare.info(rule)).collect() })
    }

    /// The rule of that id.
    pub(crate) fn show(&self, id: &str, figures: &EngineFigures, store: &AlertStore) -> Result<RuleShown, ControlError> {
        let listed = self.listed(&figures.ruleset)?;
        let Some(rule) = listed.rules.iter().find(|rule| rule.id == id) else {
            return Err(ControlError::Unknown(format!("no rule `{id}` is in force")));
        };
        Ok(RuleShown { rule: Fare::of(figures, store)?.info(rule), prose: rule.prose.clone(), text: rule.text.clone() })
    }
}

/// How rules fare.
struct Fare<'a> {
    figures: &'a EngineFigures,
    /// By rule: alerts of the newest hours, newest first, and those that are open.
    hours: HashMap<String, Vec<u64>>,
    open: HashMap<String, u64>,
    verdicts: BTreeMap<(String, Verdict), u64>,
}

impl<'a> Fare<'a> {
    fn of(figures: &'a EngineFigures, store: &AlertStore) -> Result<Self, ControlError> {
        let newest = newest_ms(store)?.unwrap_or(0).div_euclid(HOUR_MS);
        let mut hours: HashMap<String, Vec<u64>> = HashMap::new();
        let mut open: HashMap<String, u64> = HashMap::new();
        for count in store.counts(i64::MIN, i64::MAX).map_err(outside)? {
            if count.class.status == Status::Open {
                *open.entry(count.rule.clone()).or_default() += count.alerts;
            }
            let ago = newest - count.hour_ms.div_euclid(HOUR_MS);
            let of_rule = hours.entry(count.rule).or_insert_with(|| vec![0; usize::try_from(WEEK).unwrap_or_default()]);
            if let Some(hour) = usize::try_from(ago).ok().and_then(|ago| of_rule.get_mut(ago)) {
                *hour += count.alerts;
            }
        }
        Ok(Self { figures, hours, open, verdicts: store.figures().verdicts })
    }

    fn info(&self, rule: &ListedRule) -> RuleInfo {
        let hours = self.hours.get(&rule.id).map(Vec::as_slice).unwrap_or_default();
        let newest = |count: i64| hours.iter().take(usize::try_from(count).unwrap_or_default()).sum();
        let mut spark: Vec<u64> =
            hours.iter().copied().chain(std::iter::repeat(0)).take(usize::try_from(DAY).unwrap_or_default()).collect();
        spark.reverse();
        let counters = self.figures.rules.iter().find(|counters| counters.rule == rule.id);
        let warming_until_ms = self.figures.warming.iter().find(|(id, _)| *id == rule.id).map(|(_, until_ms)| *until_ms);
        let braked = self.figures.braked.iter().any(|braked| braked.rule == rule.id);
        let said = |verdict| self.verdicts.get(&(rule.id.clone(), verdict)).copied().unwrap_or(0);
        let verdicts = Judged {
            true_positive: said(Verdict::TruePositive),
            false_positive: said(Verdict::FalsePositive),
            unsure: said(Verdict::Unsure),
        };
        RuleInfo {
            id: rule.id.clone(),
            title: rule.title.clone(),
            severity: rule.severity,
            mode: rule.mode,
            state: match (rule.mode, braked, warming_until_ms) {
                (Mode::Off, ..) => RuleState::Off,
                (Mode::Shadow, ..) => RuleState::Shadow,
                (Mode::Active, true, _) => RuleState::Braked,
                (Mode::Active, false, Some(_)) => RuleState::Warming,
                (Mode::Active, false, None) => RuleState::Active,
            },
            warming_until_ms,
            pages: rule.pages,
            entity: rule.entity.to_owned(),
            owner: rule.prose.owner.clone(),
            runbook: rule.runbook.clone(),
            file: rule.file.clone(),
            alerts: FireRate { hour: newest(2), day: newest(DAY), week: newest(WEEK) },
            spark,
            half_life_s: rule.half_life_ms / 1000,
            open: self.open.get(&rule.id).copied().unwrap_or(0),
            suppressed: counters.map_or(0, |counters| counters.suppressed),
            errors: counters.map_or(0, |counters| counters.errors),
            verdicts,
            precision: precision(verdicts),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn precision(judged: Judged) -> Option<Precision> {
    let of = judged.true_positive + judged.false_positive;
    let value = judged.true_positive as f64 / of as f64;
    let (low, high) = wilson::interval(value, of as f64)?;
    Some(Precision { value, low, high, of })
}

/// Alerts about an entity, and whom they name beside it.
pub(crate) fn entity(store: &AlertStore, entity: String) -> Result<EntityShown, ControlError> {
    #[derive(serde::Deserialize)]
    struct Told {
        #[serde(default)]
        related: Vec<String>,
    }
    let filter = Filter { entity: Some(entity.clone()), ..Filter::default() };
    let kept = store.list(&filter, None, ALERTS_MAX).map_err(outside)?.alerts;
    let mut named: BTreeMap<String, u64> = BTreeMap::new();
    let mut alerts = Vec::with_capacity(kept.len());
    for alert in kept {
        let told: Told = serde_json::from_str(&alert.json).map_err(|error| ControlError::Outside(Box::new(error)))?;
        told.related.into_iter().for_each(|related| *named.entry(related).or_default() += 1);
        alerts.push(kept::shown(alert)?.info);
    }
    let mut related: Vec<Related> = named.into_iter().map(|(entity, alerts)| Related { entity, alerts }).collect();
    related.sort_by(|a, b| b.alerts.cmp(&a.alerts).then_with(|| a.entity.cmp(&b.entity)));
    related.truncate(RELATED_MAX);
    Ok(EntityShown { entity, risk: None, alerts, related })
}

#[cfg(test)]
mod tests {
    use rasid_connectors::alerts::{Change, Changed, Opened, Retention};
    use rasid_connectors::outbox::backend::Memory;

    use super::*;

    #[test]
    fn a_rule_fares_as_its_alerts_say() {
        let store = AlertStore::with_backend(Memory::new().backend(), Retention { age_ms: i64::MAX, count_max: u64::MAX }).expect("memory");
        store.begin(0).expect("memory");
        let opened = |position: u64, hour: i64| {
            let (id, rule, entity, json) = (format!("al_{position}"), "auth.a".to_owned(), "user:u_1".to_owned(), String::new());
            let opened = Opened { id, rule, severity: Severity::Sev2, mode: Mode::Active, entity, opened_at_ms: hour * HOUR_MS + 1, json };
            Changed { position, change: Change::Opened(opened) }
        };
        let hours = [-4, 0, 150, 166, 167, 168, 168];
        let changes: Vec<Changed> = (1..).zip(hours).map(|(position, hour)| opened(position, hour)).collect();
        store.apply(9, &changes).expect("memory");
        let figures = EngineFigures { warming: vec![("auth.a".to_owned(), 5)], ..EngineFigures::default() };
        let rule = ListedRule {
            id: "auth.a".to_owned(),
            title: "t".to_owned(),
            severity: Severity::Sev2,
            mode: Mode::Active,
            pages: false,
            entity: "user",
            runbook: None,
            half_life_ms: 60_000,
            prose: Prose::default(),
            file: "auth/a.yaml".to_owned(),
            text: String::new(),
        };
        let info = Fare::of(&figures, &store).expect("it fares").info(&rule);
        assert_eq!(info.alerts, FireRate { hour: 3, day: 5, week: 5 }, "hour 0 is 168 hours ago");
        assert_eq!((info.open, info.spark.last(), info.spark.len()), (7, Some(&2), 24));
        assert_eq!((info.state, info.half_life_s, info.precision), (RuleState::Warming, 60, None));
        let precise = precision(Judged { true_positive: 3, false_positive: 1, unsure: 9 }).expect("four");
        assert!((precise.value - 0.75).abs() < 1e-9 && precise.low < 0.4 && precise.high > 0.9 && precise.of == 4, "{precise:?}");
    }
}
