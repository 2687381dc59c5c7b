//! Which single limit of a rule, set otherwise, would have spared most people, and what that would have cost.
//!
//! ```text
//! looked   the rule alone over the past: how far each alert went beyond each limit, before the next one about the same
//! tried    each parameter under those values, and the file's own, over the past once more: a sweep
//! judged   by labels: false alerts that are gone, true ones that are kept; week by week, chosen by the other weeks
//! ```
//!
//! A parameter that stands in no comparison of `when` (a window, a `where`, a detector's own) is tried at halves and multiples.
//! Nothing is applied.

use std::collections::{BTreeMap, BTreeSet};

use rasid_compiler::SourceFile;
use rasid_compiler::gather::{Chosen, gather};
use rasid_compiler::param::{Written, params};
use rasid_compiler::ruleset::{Rule, Ruleset};
use rasid_compiler::terms::Term;
use rasid_engine::{Config, Engine, EngineError, Opened, Pseudonymizer, Record, Trace};

use crate::label::Labels;
use crate::measure::Extent;
use crate::pass::{Period, Run};
use crate::sweep::{Sweep, SweepError, Trial};

mod judged;
mod text;

pub use judged::{Edit, Held, Suggested, Suggestion};

/// Values that are tried of one parameter.
const VALUES_MAX: usize = 24;
/// Different values that are remembered of one parameter; behind that new ones are left out.
const DIFFERENT_MAX: usize = 100_000;
/// What a parameter is multiplied by that stands in no comparison.
const FACTORS: [f64; 6] = [0.5, 0.75, 1.5, 2.0, 3.0, 4.0];

/// Why nothing can be suggested.
#[derive(Debug, thiserror::Error)]
pub enum SuggestError {
    /// There is no such rule.
    #[error("there is no rule `{0}`")]
    NoRule(String),
    /// It has nothing to turn.
    #[error("{0} has no parameter that is a number or a time: write its limits under `params`, and they can be tried")]
    NoParam(String),
    /// A variant cannot be made.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// No engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What stands in a comparison with one parameter, by the terms of the condition.
struct Limit {
    /// The parameter, by its place.
    param: usize,
    /// The term, by its place.
    term: usize,
    /// Whether the parameter stands alone on its side; else values are scaled.
    alone: bool,
}

/// The first pass: how far alerts went.
pub struct Looking {
    engine: Engine,
    ruleset: Ruleset,
    place: usize,
    written: Vec<Written>,
    limits: Vec<Limit>,
    /// By entity: how far the hits of its standing alert have gone, by limit.
    standing: BTreeMap<String, Vec<Option<f64>>>,
    /// By parameter: how far alerts have gone, in order, and how many so far.
    reached: Vec<BTreeMap<Ordered, (f64, u64)>>,
    period: Period,
}

/// A number in its order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ordered(i64);

impl Ordered {
    /// The order of IEEE 754 `totalOrder`.
    fn of(number: f64) -> Self {
        let bits = number.to_bits().cast_signed();
        Self(bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed())
    }
}

impl Looking {
    /// At the beginning of the past.
    ///
    /// # Errors
    /// [`SuggestError`].
    pub fn new(ruleset: Ruleset, rule: &str, config: &Config, pseudonymizer: &Pseudonymizer, period: Period) -> Result<Self, SuggestError> {
        let no_rule = || SuggestError::NoRule(rule.to_owned());
        let place = ruleset.place(rule).ok_or_else(no_rule)?;
        let found = ruleset.rules.get(place).ok_or_else(no_rule)?;
        let file = ruleset.sources.get(found.source).ok_or_else(no_rule)?;
        let written: Vec<Written> = params(file).into_iter().filter(|param| number_of(&param.value).is_some()).collect();
        if written.is_empty() {
            return Err(SuggestError::NoParam(rule.to_owned()));
        }
        let limits = limits(file, found, &written);
        let alone = if found.reads_others() { ruleset.clone() } else { gather([Chosen { ruleset: &ruleset, rule: place, id: rule }]) };
        let engine = Engine::new(alone, config.clone(), pseudonymizer.clone())?;
        let reached = vec![BTreeMap::new(); written.len()];
        Ok(Self { engine, ruleset, place, written, limits, standing: BTreeMap::new(), reached, period })
    }

    /// Takes the next records of the past.
    pub fn step(&mut self, records: &[Record<'_>]) {
        let (output, traces) = self.engine.process_traced(records);
        let Some(rule) = self.ruleset.rules.get(self.place) else { return };
        let opened: BTreeSet<(u64, &str)> =
            output.alerts.iter().filter(|alert| alert.rule == rule.id).map(|alert| (alert.position, alert.entity.as_str())).collect();
        for trace in
            traces.iter().filter(|trace| trace.rule == rule.id && trace.held == Some(Ok(true)) && self.period.contains(trace.at_ms))
        {
            let Some(entity) = &trace.entity else { continue };
            if opened.contains(&(trace.position, entity.as_str()))
                && let Some(gone) = self.standing.insert(entity.clone(), vec![None; self.limits.len()])
            {
                keep(&self.limits, &mut self.reached, &gone);
            }
            let Some(gone) = self.standing.get_mut(entity) else { continue };
            for (limit, gone) in self.limits.iter().zip(gone) {
                let Some(param) = self.written.get(limit.param) else { continue };
                if let Some((value, is_above)) = in_its_way(trace, rule, limit, param) {
                    let further = |before: f64| if is_above { before.max(value) } else { before.min(value) };
                    *gone = Some(gone.map_or(value, further));
                }
            }
        }
    }

    /// The second pass, when all is read.
    ///
    /// # Errors
    /// [`SuggestError`].
    pub fn finish(self, labels: Labels, config: &Config, pseudonymizer: &Pseudonymizer) -> Result<Trying, SuggestError> {
        let Self { ruleset, place, written, limits, standing, mut reached, period, .. } = self;
        for gone in standing.values() {
            keep(&limits, &mut reached, gone);
        }
        let rule = ruleset.rules.get(place).map(|rule| rule.id.clone()).unwrap_or_default();
        let mut trials = Vec::new();
        for (number, (param, found)) in written.iter().zip(reached).enumerate() {
            let is_limit = limits.iter().any(|limit| limit.param == number);
            let asked = if is_limit { of_alerts(param, &found) } else { multiples(param) };
            let now = param.value.trim_matches(['"', '\'']).to_owned();
            let sweep = |values: Vec<String>| Sweep { rule: rule.clone(), param: param.name.clone(), values };
            // What makes no rule (a window of no time, a share above 1) is not tried.
            let works = |value: &String| *value != now && Trial::of(&[sweep(vec![value.clone()])], &ruleset).is_ok();
            let values: Vec<String> = asked.into_iter().filter(works).collect();
            if values.is_empty() {
                continue;
            }
            for (trial, variants) in Trial::of(&[sweep(std::iter::once(now).chain(values).collect())], &ruleset)? {
                trials.push((trial, Run::new(variants, config, pseudonymizer, period)?));
            }
        }
        Ok(Trying { ruleset, place, trials, period, labels, from_ms: None })
    }
}

/// The second pass: every value tried.
pub struct Trying {
    ruleset: Ruleset,
    place: usize,
    trials: Vec<(Trial, Run)>,
    period: Period,
    labels: Labels,
    from_ms: Option<i64>,
}

impl Trying {
    /// Takes the next records of the past.
    pub fn step(&mut self, mut records: &[Record<'_>]) {
        // The first event by itself, for its clock.
        while self.from_ms.is_none()
            && let Some((first, rest)) = records.split_first()
        {
            self.from_ms = self.take(std::slice::from_ref(first)).filter(|clock_ms| *clock_ms > i64::MIN);
            records = rest;
            if self.trials.is_empty() {
                return;
            }
        }
        if !records.is_empty() {
            self.take(records);
        }
    }

    fn take(&mut self, records: &[Record<'_>]) -> Option<i64> {
        let (_, first) = self.trials.first_mut()?;
        let opened = Opened::default();
        let batch = first.decode(records, &opened);
        for (_, run) in &mut self.trials {
            run.step(&batch);
        }
        let (_, first) = self.trials.first_mut()?;
        first.recycle(batch);
        Some(first.engine().clock_ms())
    }

    /// What is suggested, when all is read.
    pub fn finish(self) -> Suggested {
        let clock_ms = self.trials.first().map_or(0, |(_, run)| run.engine().clock_ms());
        let events = self.trials.first().map_or(0, |(_, run)| run.engine().counters().events);
        let from_ms = self.from_ms.unwrap_or(0).max(self.period.since_ms);
        let to_ms = clock_ms.min(self.period.until_ms.saturating_sub(1)).max(from_ms);
        let extent = Extent { events, from_ms, to_ms };
        let rule = self.ruleset.rules.get(self.place);
        let file = rule.and_then(|rule| self.ruleset.sources.get(rule.source));
        let found = self.trials.into_iter().map(|(trial, run)| {
            let alerts = trial.sort(run.into_found());
            (trial, alerts)
        });
        judged::judge(rule.map_or("", |rule| rule.id.as_str()), file, &found.collect::<Vec<_>>(), &self.labels, extent)
    }
}

/// Where parameters stand in comparisons of `when`, each by itself in its term.
fn limits(file: &SourceFile, rule: &Rule, written: &[Written]) -> Vec<Limit> {
    let mut terms = Vec::new();
    flat(&rule.terms.when, &mut terms);
    let mut limits = Vec::new();
    for (number, term) in terms.into_iter().enumerate().filter(|(_, term)| term.parts.is_empty()) {
        let text = file.text.get(term.span.clone()).unwrap_or_default();
        let named: BTreeSet<&str> = names(text).collect();
        let [name] = named.into_iter().collect::<Vec<_>>()[..] else { continue };
        let Some(param) = written.iter().position(|param| param.name == name) else { continue };
        let whole = format!("params.{name}");
        let alone = text.split(['<', '>', '=', '!']).any(|side| side.trim() == whole);
        limits.push(Limit { param, term: number, alone });
    }
    limits
}

/// A term and those in it, in the order in which they are traced.
fn flat<'t>(term: &'t Term, out: &mut Vec<&'t Term>) {
    out.push(term);
    term.parts.iter().for_each(|part| flat(part, out));
}

/// The parameters that a text names.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let rest = text.split("params.").skip(1);
    rest.filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()).filter(|name| !name.is_empty())
}

/// How far an alert has gone, which is over.
fn keep(limits: &[Limit], reached: &mut [BTreeMap<Ordered, (f64, u64)>], gone: &[Option<f64>]) {
    for (limit, value) in limits.iter().zip(gone) {
        let (Some(value), Some(reached)) = (value, reached.get_mut(limit.param)) else { continue };
        if reached.len() < DIFFERENT_MAX || reached.contains_key(&Ordered::of(*value)) {
            reached.entry(Ordered::of(*value)).or_insert((*value, 0)).1 += 1;
        }
    }
}

/// The value of a parameter at which its term would not have held, or just so: what stood on its other side; and whether that is above the
/// limit where the term holds.
fn in_its_way(trace: &Trace, rule: &Rule, limit: &Limit, param: &Written) -> Option<(f64, bool)> {
    if trace.came.get(rule.terms.applies.len() + limit.term)?.as_ref()? != &Ok(true) {
        return None;
    }
    let compared = trace.compared.get(limit.term)?.as_ref().filter(|compared| compared.sign.starts_with(['<', '>']))?;
    let (found, said) = if compared.limit_is_left { (&compared.right, &compared.left) } else { (&compared.left, &compared.right) };
    let (found, said) = (found.as_f64()?, said.as_f64()?);
    let is_above = compared.sign.starts_with('>') != compared.limit_is_left;
    if limit.alone {
        return Some((found, is_above));
    }
    let (now, _) = number_of(&param.value)?;
    (said != 0.0).then(|| now * found / said).filter(|value| value.is_finite()).map(|value| (value, is_above))
}

/// A parameter's number and its unit; `None` where it is neither a number nor a time.
fn number_of(value: &str) -> Option<(f64, &str)> {
    let value = value.trim_matches(['"', '\'']);
    let at = value.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(value.len());
    let (digits, unit) = value.split_at_checked(at)?;
    let number = digits.parse::<f64>().ok().filter(|number| number.is_finite())?;
    ["", "ms", "s", "m", "h", "d"].contains(&unit).then_some((number, unit))
}

/// As the file would have it.
fn written_as(number: f64, like: &str) -> Option<String> {
    let (_, unit) = number_of(like)?;
    let is_whole = !like.contains('.');
    Some(if is_whole { format!("{:.0}{unit}", number.round()) } else { format!("{number:?}{unit}") })
}

/// How far alerts went: each value, or where there are too many, those behind which equal parts of the alerts lie.
fn of_alerts(param: &Written, reached: &BTreeMap<Ordered, (f64, u64)>) -> Vec<String> {
    let all: u64 = reached.values().map(|(_, count)| count).sum();
    let (mut picked, mut before, mut part): (Vec<String>, u64, u64) = (Vec::new(), 0, 0);
    for (value, count) in reached.values() {
        before += count;
        let now = before * VALUES_MAX as u64 / all.max(1);
        let is_picked = reached.len() <= VALUES_MAX || now > part;
        part = now;
        picked.extend(written_as(*value, &param.value).filter(|value| is_picked && picked.last() != Some(value)));
    }
    picked
}

fn multiples(param: &Written) -> Vec<String> {
    let Some((now, _)) = number_of(&param.value) else { return Vec::new() };
    let mut values: Vec<String> = FACTORS.iter().filter_map(|factor| written_as(now * factor, &param.value)).collect();
    values.dedup();
    values
}

#[cfg(test)]
mod tests;
