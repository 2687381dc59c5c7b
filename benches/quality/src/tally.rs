//! Weeks added up.

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use rasid_backtest::share::Share;
use rasid_compiler::ruleset::Severity;
use rasid_simulate::{Config, Half, Kind, Level};

use crate::week::{Verdict, Week};

/// z of a confidence of 95 %.
const Z: f64 = 1.959_964;

/// What became of the campaigns of one kind and level.
#[derive(Default)]
pub(crate) struct Cell {
    /// Caught, by half.
    pub(crate) tuned: Share,
    pub(crate) untuned: Share,
    /// From a campaign's first event to the first alert, ms.
    pub(crate) delays: Vec<i64>,
}

/// What one rule did.
#[derive(Default)]
pub(crate) struct OfRule {
    pub(crate) right: u64,
    /// Wrong alerts, by week.
    pub(crate) wrong: BTreeMap<u64, u64>,
    /// What they were about.
    pub(crate) about: BTreeMap<&'static str, u64>,
    /// Alerts of how the platform fares that no campaign's event opened.
    pub(crate) operational: u64,
}

impl OfRule {
    pub(crate) fn wrong(&self) -> u64 {
        self.wrong.values().sum()
    }
}

/// All weeks together.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) weeks: u64,
    pub(crate) events: u64,
    /// Thousands of honest people times days, of all weeks.
    pub(crate) thousand_days: f64,
    /// The same of one week.
    pub(crate) week_thousand_days: f64,
    pub(crate) cells: BTreeMap<(&'static str, &'static str, Level), Cell>,
    /// Rules that saw campaigns of a kind.
    pub(crate) seen_by: BTreeMap<&'static str, BTreeSet<String>>,
    pub(crate) rules: BTreeMap<String, OfRule>,
    /// Right of all that accuse, by severity.
    pub(crate) precision: BTreeMap<Severity, Share>,
    /// Wrong alerts about each look-alike, and how often it happened.
    pub(crate) look_alikes: BTreeMap<&'static str, (u64, u64)>,
}

impl Tally {
    pub(crate) fn add(&mut self, config: &Config, week: &Week) {
        self.weeks += 1;
        self.events += week.events;
        self.week_thousand_days = f64::from(config.honest_users()) / 1_000.0 * f64::from(config.hours) / 24.0;
        self.thousand_days += self.week_thousand_days;
        for (campaign, seen) in week.campaigns.iter().zip(&week.seen) {
            let kind: Kind = campaign.kind;
            let cell = self.cells.entry((kind.family(), kind.word(), campaign.level)).or_default();
            let share = if config.half == Some(Half::Untuned) { &mut cell.untuned } else { &mut cell.tuned };
            share.add(!seen.is_empty());
            cell.delays.extend(seen.iter().map(|sight| sight.after_ms).min());
            self.seen_by.entry(kind.word()).or_default().extend(seen.iter().map(|sight| sight.rule.clone()));
        }
        for (look_alike, times) in &week.look_alikes {
            self.look_alikes.entry(look_alike).or_default().1 += times;
        }
        for alert in &week.alerts {
            let rule = self.rules.entry(alert.rule.clone()).or_default();
            match &alert.verdict {
                Verdict::Right => rule.right += 1,
                Verdict::Operational => rule.operational += 1,
                Verdict::Wrong { look_alike } => {
                    *rule.wrong.entry(config.seed).or_default() += 1;
                    *rule.about.entry(look_alike.unwrap_or("everyday life")).or_default() += 1;
                    if let Some(name) = look_alike {
                        self.look_alikes.entry(name).or_default().0 += 1;
                    }
                }
            }
            if !alert.operational {
                self.precision.entry(alert.severity).or_default().add(alert.verdict == Verdict::Right);
            }
        }
    }

    /// A rate for each 1,000 honest people and day, and its interval of 95 % by the weeks' own spread (normal approximation).
    #[expect(clippy::cast_precision_loss, reason = "counts of a few thousand")]
    pub(crate) fn rate(&self, by_week: &BTreeMap<u64, u64>) -> (f64, f64, f64) {
        let weeks = self.weeks.max(1) as f64;
        let scale = 1.0 / self.week_thousand_days.max(f64::MIN_POSITIVE);
        let mean = by_week.values().sum::<u64>() as f64 / weeks;
        let zeros = weeks - by_week.len() as f64;
        let squares = by_week.values().map(|count| (*count as f64 - mean).powi(2)).sum::<f64>() + zeros * mean * mean;
        let error = (squares / (weeks - 1.0).max(1.0) / weeks).sqrt();
        (mean * scale, ((mean - Z * error) * scale).max(0.0), (mean + Z * error) * scale)
    }

    /// All rules' wrong alerts, by week.
    pub(crate) fn all_wrong(&self) -> BTreeMap<u64, u64> {
        let mut all = BTreeMap::new();
        for (week, count) in self.rules.values().flat_map(|rule| &rule.wrong) {
            *all.entry(*week).or_default() += count;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_by_week_and_weeks_without_an_alert_count() {
        let tally = Tally { weeks: 4, week_thousand_days: 21.0, ..Tally::default() };
        let (mean, low, high) = tally.rate(&BTreeMap::from([(1, 21), (2, 21)]));
        assert!((mean - 0.5).abs() < 1e-9 && low < 0.01 && (high - 1.066).abs() < 0.01, "{mean} {low} {high}");
    }
}
