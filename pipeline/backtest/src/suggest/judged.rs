//! What tried values come to, by what is known.

use std::collections::BTreeSet;

use rasid_compiler::SourceFile;
use rasid_compiler::param::params;
use rasid_detectors::event::time::format_rfc3339;
use serde::Serialize;

use crate::found::Found;
use crate::label::{Labels, Truth};
use crate::measure::{Extent, rounded};
use crate::share::Share;
use crate::sweep::Trial;

const WEEK_MS: i64 = 7 * 86_400_000;
/// Weeks that are told apart at the most.
const WEEKS_MAX: usize = 52;
/// Suggestions that are told.
const TOLD_MAX: usize = 8;

/// What is suggested for a rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suggested {
    /// The rule.
    pub rule: String,
    /// The period's beginning, RFC 3339.
    pub from: String,
    /// Its end.
    pub to: String,
    /// As the file has it: alerts, and how often they were right of those that have a label.
    pub alerts: u64,
    /// See above.
    pub precision: Share,
    /// Single changes that are better by what is known, the best first.
    pub suggestions: Vec<Suggestion>,
    /// Values that were tried.
    pub tried: usize,
    /// What a reader must know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One parameter with another value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suggestion {
    /// The parameter.
    pub param: String,
    /// As the file has it.
    pub from: String,
    /// As it would be.
    pub to: String,
    /// Alerts with it.
    pub alerts: u64,
    /// False alerts that are gone, of those that there were.
    pub spared: Share,
    /// What true alerts were about, harm or somebody, that is still seen, of all that was seen before.
    pub kept: Share,
    /// How often it is right with it, of the alerts that have a label.
    pub precision: Share,
    /// The harmonic mean of that precision and of what is kept.
    pub f1: f64,
    /// How the choice fares in weeks that it was not made by; nothing where there are fewer than two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// Whether an override sets the parameter too: where that applies, nothing changes.
    pub overridden: bool,
    /// The line to be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit: Option<Edit>,
}

/// What came of choosing a parameter's value by all other weeks, added up over the weeks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Weeks.
    pub weeks: usize,
    /// False alerts that are gone.
    pub spared: Share,
    /// What true alerts were about that is still seen.
    pub kept: Share,
    /// The values that weeks chose, in order, each once.
    pub chosen: Vec<String>,
}

/// One line of a rule file, before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// The file.
    pub file: String,
    /// The line, from 1 on.
    pub line: usize,
    /// As it is.
    pub old: String,
    /// As it would be.
    pub new: String,
}

/// What true alerts are about: a story of harm, or somebody.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    Story(usize),
    Entity(String),
}

/// One week of one variant.
#[derive(Clone, Default)]
struct Week {
    right: u64,
    wrong: u64,
    about: BTreeSet<About>,
}

/// A variant, week by week.
struct Tally {
    alerts: u64,
    weeks: Vec<Week>,
}

/// What a variant comes to beside the file's own values, in some weeks.
#[derive(Clone, Copy, Default)]
struct Outcome {
    right: u64,
    wrong: u64,
    wrong_before: u64,
    kept: u64,
    about_before: u64,
}

impl Outcome {
    fn of(now: &Tally, variant: &Tally, inside: impl Fn(usize) -> bool) -> Self {
        let mut outcome = Self::default();
        for (_, (before, after)) in now.weeks.iter().zip(&variant.weeks).enumerate().filter(|(week, _)| inside(*week)) {
            outcome.right += after.right;
            outcome.wrong += after.wrong;
            outcome.wrong_before += before.wrong;
            outcome.kept += before.about.intersection(&after.about).count() as u64;
            outcome.about_before += before.about.len() as u64;
        }
        outcome
    }

    fn precision(self) -> Share {
        Share { hits: self.right, of: self.right + self.wrong }
    }

    fn spared(self) -> Share {
        Share { hits: self.wrong_before.saturating_sub(self.wrong), of: self.wrong_before }
    }

    fn kept(self) -> Share {
        Share { hits: self.kept, of: self.about_before }
    }

    /// 0 where nothing is right.
    fn f1(self) -> f64 {
        let (Some(precision), Some(kept)) = (self.precision().share(), self.kept().share()) else { return 0.0 };
        if precision + kept > 0.0 { 2.0 * precision * kept / (precision + kept) } else { 0.0 }
    }
}

/// Judges trials, the first variant of each being what the file says.
pub(super) fn judge(
    rule: &str,
    file: Option<&SourceFile>,
    trials: &[(Trial, Vec<Vec<Found>>)],
    labels: &Labels,
    extent: Extent,
) -> Suggested {
    let weeks = usize::try_from((extent.to_ms.saturating_sub(extent.from_ms) + WEEK_MS / 2) / WEEK_MS).unwrap_or(0).clamp(1, WEEKS_MAX);
    let tally = |alerts: &Vec<Found>| tally(alerts, labels, extent, weeks);
    let mut suggested = Suggested {
        rule: rule.to_owned(),
        from: format_rfc3339(extent.from_ms),
        to: format_rfc3339(extent.to_ms),
        alerts: 0,
        precision: Share::default(),
        suggestions: Vec::new(),
        tried: 0,
        notes: Vec::new(),
    };
    let mut before = Outcome::default();
    for (trial, found) in trials {
        let tallies: Vec<Tally> = found.iter().map(tally).collect();
        let Some(now) = tallies.first() else { continue };
        before = Outcome::of(now, now, |_| true);
        (suggested.alerts, suggested.precision) = (now.alerts, before.precision());
        suggested.tried += tallies.len() - 1;
        // The best, and the best that loses nothing.
        let outcomes = || tallies.iter().enumerate().skip(1).map(|(number, tally)| (number, Outcome::of(now, tally, |_| true)));
        let better = outcomes().filter(|(_, outcome)| outcome.f1() > before.f1() + 1e-9 && outcome.wrong < outcome.wrong_before);
        let best = best(better);
        let lossless = outcomes().filter(|(_, outcome)| outcome.kept == outcome.about_before && outcome.wrong < outcome.wrong_before);
        let lossless = lossless.min_by_key(|(number, outcome)| (outcome.wrong, *number));
        let mut told: Vec<usize> = [best, lossless.map(|(number, _)| number)].into_iter().flatten().collect();
        told.dedup();
        let held = held(trial, &tallies, weeks);
        for number in told {
            let (Some(tally), Some((param, to))) = (tallies.get(number), value(trial, number)) else { continue };
            let outcome = Outcome::of(now, tally, |_| true);
            suggested.suggestions.push(Suggestion {
                param: param.clone(),
                from: value(trial, 0).map(|(_, value)| value.clone()).unwrap_or_default(),
                to: to.clone(),
                alerts: tally.alerts,
                spared: outcome.spared(),
                kept: outcome.kept(),
                precision: outcome.precision(),
                f1: rounded(outcome.f1()),
                held: held.clone(),
                overridden: trial.overridden.contains(param),
                edit: file.and_then(|file| edit(file, param, to)),
            });
        }
    }
    suggested.suggestions.sort_by(|a, b| b.f1.total_cmp(&a.f1).then(b.spared.hits.cmp(&a.spared.hits)).then_with(|| a.param.cmp(&b.param)));
    suggested.suggestions.truncate(TOLD_MAX);
    suggested.notes = notes(before, weeks);
    suggested
}

fn value(trial: &Trial, number: usize) -> Option<&(String, String)> {
    trial.variants.get(number)?.values.first()
}

/// The one with the highest mean; of equals that which loses less, then the first.
fn best(outcomes: impl Iterator<Item = (usize, Outcome)>) -> Option<usize> {
    let order = |(a, one): &(usize, Outcome), (b, other): &(usize, Outcome)| {
        one.f1().total_cmp(&other.f1()).then(one.kept.cmp(&other.kept)).then(b.cmp(a))
    };
    outcomes.max_by(order).map(|(number, _)| number)
}

fn tally(alerts: &[Found], labels: &Labels, extent: Extent, weeks: usize) -> Tally {
    let mut tally = Tally { alerts: alerts.len() as u64, weeks: vec![Week::default(); weeks] };
    let week = |at_ms: i64| usize::try_from(at_ms.saturating_sub(extent.from_ms) / WEEK_MS).unwrap_or(0).min(weeks - 1);
    for alert in alerts {
        let stories: Vec<usize> = labels.harms(alert).collect();
        // A story and its alerts belong to the week in which it begins.
        let began = stories.first().and_then(|story| labels.stories.get(*story)).map(|story| story.from_ms.max(extent.from_ms));
        let Some(week) = tally.weeks.get_mut(week(began.unwrap_or(alert.opened_ms))) else { continue };
        match labels.truth(alert) {
            Truth::Wrong => week.wrong += 1,
            Truth::Unknown => {}
            Truth::Right => {
                week.right += 1;
                if stories.is_empty() {
                    week.about.insert(About::Entity(alert.entity.clone()));
                } else {
                    week.about.extend(stories.into_iter().map(About::Story));
                }
            }
        }
    }
    tally
}

/// Each week with the value that is best in the others; `None` where there are fewer than two.
fn held(trial: &Trial, tallies: &[Tally], weeks: usize) -> Option<Held> {
    let now = tallies.first()?;
    if weeks < 2 {
        return None;
    }
    let mut sum = Outcome::default();
    let mut chosen = BTreeSet::new();
    for week in 0..weeks {
        let outcomes = tallies.iter().enumerate().map(|(number, tally)| (number, Outcome::of(now, tally, |other| other != week)));
        let number = best(outcomes).unwrap_or(0);
        chosen.insert(number);
        let outcome = Outcome::of(now, tallies.get(number)?, |other| other == week);
        sum.wrong += outcome.wrong;
        sum.wrong_before += outcome.wrong_before;
        sum.kept += outcome.kept;
        sum.about_before += outcome.about_before;
    }
    let chosen = chosen.into_iter().filter_map(|number| Some(value(trial, number)?.1.clone())).collect();
    Some(Held { weeks, spared: sum.spared(), kept: sum.kept(), chosen })
}

/// The line of the file that has the parameter, with that value.
fn edit(file: &SourceFile, name: &str, value: &str) -> Option<Edit> {
    let param = params(file).into_iter().find(|param| param.name == name)?;
    let quoted = param.value.starts_with(['"', '\'']);
    let changed = param.with(file, &if quoted { format!("\"{value}\"") } else { value.to_owned() });
    let number = file.text.get(..param.span.start)?.matches('\n').count();
    let line = |text: &str| text.lines().nth(number).map(|line| line.trim_end().to_owned());
    Some(Edit { file: file.name.clone(), line: number + 1, old: line(&file.text)?, new: line(&changed.text)? })
}

fn notes(before: Outcome, weeks: usize) -> Vec<String> {
    let mut notes = Vec::new();
    let labelled = before.precision();
    if labelled.of == 0 {
        notes.push("not enough labels: none of its alerts has one".to_owned());
    } else if labelled.is_thin() {
        notes.push(format!("not enough labels: {} of its alerts have one, and fewer than {} say little", labelled.of, Share::ENOUGH));
    }
    if labelled.of > 0 && before.about_before == 0 {
        notes.push("none of its alerts was right, so that there is nothing that a limit could keep".to_owned());
    }
    if (1..Share::ENOUGH).contains(&before.about_before) {
        let about = before.about_before;
        notes.push(format!(
            "what its true alerts are about is {about} in all, and fewer than {} say little of what would be lost",
            Share::ENOUGH
        ));
    }
    if weeks < 2 && labelled.of > 0 {
        notes.push("there is one week and no other to hold it against: what fits one week may fit no other".to_owned());
    }
    notes
}
