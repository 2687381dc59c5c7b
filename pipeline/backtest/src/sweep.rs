//! One rule under many values of its parameters, over one decoding pass.
//!
//! Each value makes a rule of its own in one small ruleset. What is counted under equal definitions is counted once for all of them, so
//! values of a parameter that stands in `when` alone share all state. A rule that reads other rules' scores or alerts gets all other
//! rules of its ruleset beside it.

use std::collections::{BTreeMap, BTreeSet};

use rasid_compiler::gather::{Chosen, gather};
use rasid_compiler::param::params;
use rasid_compiler::ruleset::Ruleset;
use rasid_compiler::{SourceFile, compile};
use serde::Serialize;

use crate::found::Found;
use crate::label::{Labels, Truth};
use crate::measure::{Extent, Measures, measure, rounded};
use crate::share::Share;

/// Most rules that one pass tries.
pub const VARIANTS_MAX: usize = 400;
const WEEK_MS: i64 = 7 * 86_400_000;

/// `rule.param=from..to:step`, or a list: `rule.param=3,5,8`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// The rule.
    pub rule: String,
    /// The parameter.
    pub param: String,
    /// Its values, as the rule file would have them.
    pub values: Vec<String>,
}

/// Why there is no sweep.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// It is written otherwise.
    #[error("`{text}`: {what}; a sweep is written rule.param=from..to:step or rule.param=3,5,8, such as auth.otp_flood.sends_max=5..12:1")]
    Written {
        /// What was given.
        text: String,
        /// What is wrong.
        what: String,
    },
    /// There is no such rule or parameter.
    #[error("{0}")]
    Unknown(String),
    /// A value makes no rule.
    #[error("{rule} with {values} is no rule: {what}")]
    Faulty {
        /// The rule.
        rule: String,
        /// The parameters.
        values: String,
        /// The first fault.
        what: String,
    },
    /// Too many.
    #[error("{count} combinations of values, and {VARIANTS_MAX} at the most are tried at once: make the steps larger")]
    TooMany {
        /// How many.
        count: usize,
    },
}

impl std::str::FromStr for Sweep {
    type Err = SweepError;

    fn from_str(text: &str) -> Result<Self, SweepError> {
        let wrong = |what: &str| SweepError::Written { text: text.to_owned(), what: what.to_owned() };
        let (name, values) = text.split_once('=').ok_or_else(|| wrong("there is no `=`"))?;
        let (rule, param) =
            name.rsplit_once('.').filter(|(rule, _)| rule.contains('.')).ok_or_else(|| wrong("`rule.param` stands before `=`"))?;
        let values = match values.split_once("..") {
            None => values.split(',').map(|value| value.trim().to_owned()).collect(),
            Some((from, rest)) => {
                let (to, step) = rest.split_once(':').ok_or_else(|| wrong("there is no `:step` behind the range"))?;
                range(from, to, step).map_err(|what| wrong(&what))?
            }
        };
        if values.iter().any(String::is_empty) {
            return Err(wrong("a value is empty"));
        }
        Ok(Self { rule: rule.to_owned(), param: param.to_owned(), values })
    }
}

/// The values of a range of numbers or of times in one unit, both ends included.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundred steps")]
fn range(from: &str, to: &str, step: &str) -> Result<Vec<String>, String> {
    let unit = |text: &str| text.trim().trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-').to_owned();
    let number = |text: &str| -> Result<f64, String> {
        let digits = text.trim().trim_end_matches(|c: char| c.is_ascii_alphabetic());
        digits.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(|| format!("`{text}` is no number"))
    };
    if unit(from) != unit(to) || unit(to) != unit(step) {
        return Err("both ends and the step are in one unit".to_owned());
    }
    let (first, last, by) = (number(from)?, number(to)?, number(step)?);
    if by <= 0.0 || last < first {
        return Err("the step is above 0, and the first value not above the last".to_owned());
    }
    let steps = ((last - first) / by + 1e-9).floor();
    if steps >= VARIANTS_MAX as f64 {
        return Err(format!("more than {VARIANTS_MAX} values"));
    }
    let whole = [first, by].iter().all(|number| number.fract() == 0.0) && !from.contains('.') && !step.contains('.');
    let written = |at: u32| {
        let value = first + f64::from(at) * by;
        // Steps of a tenth give no 0.30000000000000004.
        let value = (value * 1e9).round() / 1e9;
        if whole { format!("{value:.0}{}", unit(from)) } else { format!("{value:?}{}", unit(from)) }
    };
    Ok((0..=steps as u32).map(written).collect())
}

/// One combination of values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Variant {
    /// Parameters and their values, in the order in which they were asked for.
    pub values: Vec<(String, String)>,
    /// Whether it is what the rule says now.
    pub current: bool,
}

impl Variant {
    fn shown(&self) -> String {
        self.values.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    }
}

/// A rule under all its variants.
#[derive(Debug)]
pub struct Trial {
    /// The rule.
    pub rule: String,
    /// Its variants.
    pub variants: Vec<Variant>,
    /// Parameters that an override sets, too: where it applies, the sweep changes nothing.
    pub overridden: Vec<String>,
}

impl Trial {
    /// The trials that some sweeps of rules of `ruleset` come to: one a rule, of every combination of its parameters' values, each with
    /// the ruleset in which every variant is a rule of its own.
    ///
    /// # Errors
    /// [`SweepError`].
    pub fn of(sweeps: &[Sweep], ruleset: &Ruleset) -> Result<Vec<(Self, Ruleset)>, SweepError> {
        let mut by_rule: BTreeMap<&str, Vec<&Sweep>> = BTreeMap::new();
        for sweep in sweeps {
            by_rule.entry(&sweep.rule).or_default().push(sweep);
        }
        let count: usize = by_rule.values().map(|of_rule| of_rule.iter().map(|sweep| sweep.values.len()).product::<usize>()).sum();
        if count > VARIANTS_MAX {
            return Err(SweepError::TooMany { count });
        }
        by_rule.into_iter().map(|(rule, sweeps)| Self::of_rule(rule, &sweeps, ruleset)).collect()
    }

    fn of_rule(rule: &str, sweeps: &[&Sweep], ruleset: &Ruleset) -> Result<(Self, Ruleset), SweepError> {
        let unknown = || SweepError::Unknown(format!("there is no rule `{rule}`"));
        let place = ruleset.place(rule).ok_or_else(unknown)?;
        let found = ruleset.rules.get(place).ok_or_else(unknown)?;
        let file = ruleset.sources.get(found.source).ok_or_else(unknown)?;
        let written = params(file);
        for sweep in sweeps {
            if !written.iter().any(|param| param.name == sweep.param) {
                let names: Vec<&str> = written.iter().map(|param| param.name.as_str()).collect();
                let has = if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
                return Err(SweepError::Unknown(format!("{rule} has no parameter `{}`: {has}", sweep.param)));
            }
        }
        let mut combinations: Vec<Vec<(String, String)>> = vec![Vec::new()];
        for sweep in sweeps {
            let with = |before: &Vec<(String, String)>| -> Vec<Vec<(String, String)>> {
                let one = |value: &String| before.iter().cloned().chain([(sweep.param.clone(), value.clone())]).collect();
                sweep.values.iter().map(one).collect()
            };
            combinations = combinations.iter().flat_map(with).collect();
        }
        let shared: Vec<SourceFile> = ruleset.shared_files().cloned().collect();
        let now = |name: &str| written.iter().find(|param| param.name == name).map(|param| param.value.trim_matches(['"', '\'']));
        let mut rulesets = Vec::with_capacity(combinations.len());
        let mut variants = Vec::with_capacity(combinations.len());
        for values in combinations {
            let current = values.iter().all(|(name, value)| now(name) == Some(value));
            let variant = Variant { values, current };
            rulesets.push(varied(file, &variant, &shared, rule)?);
            variants.push(variant);
        }
        let swept = |name: &str| sweeps.iter().any(|sweep| sweep.param == name);
        let overridden = written.iter().filter(|param| param.overridden && swept(&param.name)).map(|param| param.name.clone()).collect();
        let ids: Vec<String> = (0..rulesets.len()).map(|variant| format!("{rule}~{variant:04}")).collect();
        let mut chosen: Vec<Chosen<'_>> = rulesets.iter().zip(&ids).map(|(ruleset, id)| Chosen { ruleset, rule: 0, id }).collect();
        if found.reads_others() {
            let others = ruleset.rules.iter().enumerate().filter(|(other, _)| *other != place);
            chosen.extend(others.map(|(rule, other)| Chosen { ruleset, rule, id: &other.id }));
        }
        Ok((Self { rule: rule.to_owned(), variants, overridden }, gather(chosen)))
    }

    /// What came of it: the alerts of each variant, by its place.
    pub fn sort(&self, found: Vec<Found>) -> Vec<Vec<Found>> {
        let mut sorted: Vec<Vec<Found>> = vec![Vec::new(); self.variants.len()];
        for mut alert in found {
            let number = alert.rule.strip_prefix(self.rule.as_str()).and_then(|rest| rest.strip_prefix('~')?.parse::<usize>().ok());
            if let Some(own) = number.and_then(|number| sorted.get_mut(number)) {
                self.rule.clone_into(&mut alert.rule);
                own.push(alert);
            }
        }
        sorted
    }
}

/// The rule of that file with other values, by itself.
fn varied(file: &SourceFile, variant: &Variant, shared: &[SourceFile], rule: &str) -> Result<Ruleset, SweepError> {
    let mut varied = file.clone();
    for (name, value) in &variant.values {
        // Places shift with each value that is put in.
        let Some(param) = params(&varied).into_iter().find(|param| param.name == *name) else { continue };
        let quoted = param.value.starts_with(['"', '\'']);
        varied = param.with(&varied, &if quoted { format!("\"{value}\"") } else { value.clone() });
    }
    let files: Vec<SourceFile> = shared.iter().cloned().chain([varied]).collect();
    compile(&files).map_err(|report| {
        let what = report.faults.first().map(|fault| fault.message.clone()).unwrap_or_default();
        SweepError::Faulty { rule: rule.to_owned(), values: variant.shown(), what }
    })
}

/// One point of the curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The values.
    #[serde(flatten)]
    pub variant: Variant,
    /// Alerts.
    pub alerts: u64,
    /// Alerts a day.
    pub alerts_per_day: f64,
    /// Different entities.
    pub entities: u64,
    /// How often the rule was right, of the alerts that have a label.
    pub precision: Share,
    /// Stories of harm that the rule saw, of all in the period.
    pub recall: Share,
    /// Whether the curve turns here: from here on little is lost for many alerts more, or many alerts come for little.
    pub knee: bool,
}

impl Point {
    /// The harmonic mean of precision and recall; `None` where one of them has none.
    pub fn f1(&self) -> Option<f64> {
        f1(self.precision, self.recall)
    }
}

/// A rule's curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// The rule.
    pub rule: String,
    /// A point each variant, in the order of the values.
    pub points: Vec<Point>,
    /// Parameters that an override sets, too.
    pub overridden: Vec<String>,
    /// How the best value of the other weeks fares in each week, where there are labels and two weeks or more.
    pub weeks: Vec<OfWeek>,
}

/// A week judged by the rest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfWeek {
    /// Its first instant, RFC 3339.
    pub from: String,
    /// The values that are best in all other weeks.
    pub values: Vec<(String, String)>,
    /// What they give in this one: the harmonic mean of precision and recall.
    pub f1: Option<f64>,
    /// What the best values of this week itself give in it.
    pub best_f1: Option<f64>,
}

/// The curve of a trial whose variants opened these alerts.
pub fn curve(trial: &Trial, found: &[Vec<Found>], labels: &Labels, extent: Extent) -> Curve {
    let point = |(variant, alerts): (&Variant, &Vec<Found>)| point(variant, &measure(alerts, labels, extent));
    let mut points: Vec<Point> = trial.variants.iter().zip(found).map(point).collect();
    if let Some(knee) = knee(&points).and_then(|at| points.get_mut(at)) {
        knee.knee = true;
    }
    let weeks = if labels.is_empty() { Vec::new() } else { weeks(trial, found, labels, extent) };
    Curve { rule: trial.rule.clone(), points, overridden: trial.overridden.clone(), weeks }
}

fn point(variant: &Variant, measures: &Measures) -> Point {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let alerts_per_day = rounded(measures.alerts as f64 / measures.extent.days());
    Point {
        variant: variant.clone(),
        alerts: measures.alerts,
        alerts_per_day,
        entities: measures.entities,
        precision: measures.precision,
        recall: measures.recall,
        knee: false,
    }
}

/// Where the curve of alerts a day turns: the point furthest from the straight line between its ends, both axes from 0 to 1
/// (Satopää and others, "Finding a kneedle in a haystack", 2011, for curves that bend one way). `None` of fewer than three points, or
/// where alerts do not change, or for more than one parameter, where there is no line.
#[expect(clippy::cast_precision_loss, reason = "some hundred points")]
fn knee(points: &[Point]) -> Option<usize> {
    if points.len() < 3 || points.iter().any(|point| point.variant.values.len() != 1) {
        return None;
    }
    let (first, last) = (points.first()?.alerts_per_day, points.last()?.alerts_per_day);
    let height = last - first;
    if height.abs() < f64::EPSILON {
        return None;
    }
    let off = |(at, point): (usize, &Point)| {
        let x = at as f64 / (points.len() - 1) as f64;
        (at, ((point.alerts_per_day - first) / height - x).abs())
    };
    let furthest = points.iter().enumerate().map(off).max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
    (furthest.1 > 0.05).then_some(furthest.0)
}

/// What a variant comes to in one week. A story, and every alert about it, belongs to the week that the story begins in.
#[derive(Clone, Copy, Default)]
struct OfPart {
    right: u64,
    labelled: u64,
    seen: u64,
    stories: u64,
}

impl OfPart {
    fn f1(self) -> Option<f64> {
        f1(Share { hits: self.right, of: self.labelled }, Share { hits: self.seen, of: self.stories })
    }

    fn with(self, other: Self) -> Self {
        Self {
            right: self.right + other.right,
            labelled: self.labelled + other.labelled,
            seen: self.seen + other.seen,
            stories: self.stories + other.stories,
        }
    }
}

/// Each week of the period, judged with the values that are best in the others; none where there are fewer than two.
fn weeks(trial: &Trial, found: &[Vec<Found>], labels: &Labels, extent: Extent) -> Vec<OfWeek> {
    let count = usize::try_from((extent.to_ms.saturating_sub(extent.from_ms) + WEEK_MS / 2) / WEEK_MS).unwrap_or(0);
    if !(2..=52).contains(&count) {
        return Vec::new();
    }
    let week = |at_ms: i64| usize::try_from(at_ms.saturating_sub(extent.from_ms) / WEEK_MS).unwrap_or(0).min(count - 1);
    let of_story = |story: usize| labels.stories.get(story).map(|story| week(story.from_ms.max(extent.from_ms)));
    let mut empty = vec![OfPart::default(); count];
    for (number, _) in labels.stories.iter().enumerate().filter(|(_, story)| story.harm && story.is_in(extent)) {
        if let Some(part) = of_story(number).and_then(|week| empty.get_mut(week)) {
            part.stories += 1;
        }
    }
    let tallied = |alerts: &Vec<Found>| -> Vec<OfPart> {
        let (mut parts, mut seen) = (empty.clone(), BTreeSet::new());
        for alert in alerts {
            let stories: Vec<usize> = labels.harms(alert).collect();
            let own = stories.first().and_then(|story| of_story(*story)).unwrap_or_else(|| week(alert.opened_ms));
            if let Some(part) = parts.get_mut(own) {
                let truth = labels.truth(alert);
                part.right += u64::from(truth == Truth::Right);
                part.labelled += u64::from(truth != Truth::Unknown);
            }
            seen.extend(stories.into_iter().filter(|story| labels.stories.get(*story).is_some_and(|story| story.is_in(extent))));
        }
        for story in seen {
            if let Some(part) = of_story(story).and_then(|week| parts.get_mut(week)) {
                part.seen += 1;
            }
        }
        parts
    };
    let all: Vec<Vec<OfPart>> = found.iter().map(tallied).collect();
    let best = |inside: &dyn Fn(usize) -> bool| -> Option<(usize, f64)> {
        let whole = |parts: &Vec<OfPart>| {
            let inside = parts.iter().enumerate().filter(|(week, _)| inside(*week)).map(|(_, part)| *part);
            inside.fold(OfPart::default(), OfPart::with).f1()
        };
        let scored = all.iter().enumerate().filter_map(|(at, parts)| Some((at, whole(parts)?)));
        scored.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
    };
    let judged = |week: usize| {
        let chosen = best(&|other| other != week)?.0;
        let from_ms = extent.from_ms + i64::try_from(week).ok()? * WEEK_MS;
        Some(OfWeek {
            from: rasid_detectors::event::time::format_rfc3339(from_ms),
            values: trial.variants.get(chosen)?.values.clone(),
            f1: all.get(chosen)?.get(week)?.f1().map(rounded),
            best_f1: best(&|other| other == week).map(|(_, f1)| rounded(f1)),
        })
    };
    (0..count).filter_map(judged).collect()
}

/// The harmonic mean of precision and recall; `None` where one of them has none.
fn f1(precision: Share, recall: Share) -> Option<f64> {
    let (precision, recall) = (precision.share()?, recall.share()?);
    Some(if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Result<Vec<String>, String> {
        text.parse::<Sweep>().map(|sweep| sweep.values).map_err(|error| error.to_string())
    }

    #[test]
    fn a_sweep_is_a_range_or_a_list() {
        let sweep: Sweep = "auth.otp_flood.sends_max=5..8:1".parse().expect("a sweep");
        assert_eq!(
            (sweep.rule.as_str(), sweep.param.as_str(), sweep.values.as_slice()),
            ("auth.otp_flood", "sends_max", ["5", "6", "7", "8"].map(str::to_owned).as_slice())
        );
        assert_eq!(values("a.b.c=0.1..0.5:0.2"), Ok(vec!["0.1".to_owned(), "0.3".to_owned(), "0.5".to_owned()]));
        assert_eq!(values("a.b.c=10m..30m:10m"), Ok(vec!["10m".to_owned(), "20m".to_owned(), "30m".to_owned()]));
        assert_eq!(values("a.b.c=-2..0:1"), Ok(vec!["-2".to_owned(), "-1".to_owned(), "0".to_owned()]));
        assert_eq!(values("a.b.c=login, payout"), Ok(vec!["login".to_owned(), "payout".to_owned()]));
        for (text, what) in [
            ("sends_max=5..8:1", "`rule.param` stands before `=`"),
            ("a.b.c", "there is no `=`"),
            ("a.b.c=5..8", "there is no `:step`"),
            ("a.b.c=8..5:1", "not above the last"),
            ("a.b.c=1..5:0", "the step is above 0"),
            ("a.b.c=1m..5h:1m", "one unit"),
            ("a.b.c=1..1000000:1", "more than 400 values"),
            ("a.b.c=-..2:1", "no number"),
            ("a.b.c=1,,2", "a value is empty"),
        ] {
            let error = values(text).expect_err(text);
            assert!(error.contains(what) && error.contains("auth.otp_flood.sends_max=5..12:1"), "{error}");
        }
    }

    /// A story from Sunday night on whose alerts open on Monday belongs to one week, with its alerts.
    #[test]
    fn a_week_is_judged_by_the_stories_that_begin_in_it() {
        let lines = r#"{"label":"harm","entity":"user:u_1","from":"1970-01-07T23:00:00Z","to":"1970-01-08T05:00:00Z"}
{"label":"harm","entity":"user:u_2","from":"1970-01-10T00:00:00Z","to":"1970-01-10T05:00:00Z"}"#;
        let pseudonymizer = rasid_engine::Pseudonymizer::new(b"a secret that is long enough", 0).expect("long enough");
        let labels = Labels::read(lines.as_bytes(), &pseudonymizer, true).expect("labels");
        let found = |entity: &str, hour: i64| crate::compare::tests::found("a.b", entity, hour * 3_600_000);
        let variant = |value: &str| Variant { values: vec![("p".to_owned(), value.to_owned())], current: false };
        let trial = Trial { rule: "a.b".to_owned(), variants: vec![variant("1"), variant("2")], overridden: Vec::new() };
        // The first sees both stories, each once, and wrongs nobody; the second wrongs one in each week.
        let right = vec![found("user:u_1", 7 * 24 + 1), found("user:u_2", 9 * 24 + 1)];
        let wrong = [right.clone(), vec![found("user:u_8", 30), found("user:u_9", 10 * 24)]].concat();
        let judged = weeks(&trial, &[right, wrong], &labels, Extent { events: 1, from_ms: 0, to_ms: 2 * WEEK_MS - 1 });
        let said: Vec<(&str, Option<f64>, Option<f64>)> =
            judged.iter().map(|week| (week.values[0].1.as_str(), week.f1, week.best_f1)).collect();
        assert_eq!(said, [("1", Some(1.0), Some(1.0)), ("1", Some(1.0), Some(1.0))]);
    }

    #[test]
    fn the_knee_is_where_the_curve_turns() {
        let point = |alerts_per_day: f64| Point {
            variant: Variant { values: vec![("p".to_owned(), String::new())], current: false },
            alerts: 0,
            alerts_per_day,
            entities: 0,
            precision: Share::default(),
            recall: Share::default(),
            knee: false,
        };
        let curve = |alerts: &[f64]| knee(&alerts.iter().map(|alerts| point(*alerts)).collect::<Vec<_>>());
        assert_eq!(curve(&[100.0, 40.0, 10.0, 8.0, 6.0, 4.0, 2.0, 0.0]), Some(2));
        assert_eq!(curve(&[4.0, 3.0, 2.0, 1.0]), None, "a straight line has none");
        assert_eq!((curve(&[1.0, 1.0, 1.0]), curve(&[2.0, 1.0])), (None, None));
    }
}
