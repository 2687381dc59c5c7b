//! What the rules did in a period: how loud each was, about whom, beside which others, and how often it was right.

use std::collections::{BTreeMap, BTreeSet};

use rasid_compiler::ruleset::{Mode, Severity};
use serde::Serialize;

use crate::found::Found;
use crate::label::{Labels, Truth};
use crate::share::Share;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Most parts: of days some ten years.
const PARTS_MAX: i64 = 4_000;
/// Two rules speak of the same when they name one entity within this, ms.
const BESIDE_MS: i64 = DAY_MS;
/// Other rules that a rule is told to speak beside.
const BESIDE_MAX: usize = 3;

/// What is known of the period as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Extent {
    /// Events that were read, what lies around the period included.
    pub events: u64,
    /// When it begins, Unix ms.
    pub from_ms: i64,
    /// When it ends, Unix ms.
    pub to_ms: i64,
}

impl Extent {
    /// Its length, days; a second at the least, so that a rate has a value.
    #[expect(clippy::cast_precision_loss, reason = "some days")]
    pub fn days(self) -> f64 {
        self.to_ms.saturating_sub(self.from_ms).max(1_000) as f64 / DAY_MS as f64
    }

    /// How long the parts are in which alerts are counted, ms: hours of up to three days, else days by UTC.
    pub fn part_ms(self) -> i64 {
        if self.to_ms.saturating_sub(self.from_ms) <= 3 * DAY_MS { HOUR_MS } else { DAY_MS }
    }

    /// Its parts: as many as it touches, one at the least.
    fn parts(self) -> usize {
        let part = |at_ms: i64| at_ms.div_euclid(self.part_ms());
        usize::try_from(part(self.to_ms).saturating_sub(part(self.from_ms)).saturating_add(1).clamp(1, PARTS_MAX)).unwrap_or(1)
    }

    /// The part that an instant falls into; what lies outside falls into the first or the last.
    fn part(self, at_ms: i64) -> usize {
        let part = |at_ms: i64| at_ms.div_euclid(self.part_ms());
        usize::try_from(part(at_ms).saturating_sub(part(self.from_ms)).clamp(0, PARTS_MAX - 1)).unwrap_or(0).min(self.parts() - 1)
    }
}

/// One rule in the period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfRule {
    /// Its id.
    pub rule: String,
    /// The worst that its alerts were.
    pub severity: Severity,
    /// Whether any of them would have been delivered.
    pub active: bool,
    /// Alerts.
    pub alerts: u64,
    /// Alerts a day.
    pub alerts_per_day: f64,
    /// Alerts for each 100,000 events of the whole stream.
    pub per_100_000_events: f64,
    /// Different entities.
    pub entities: u64,
    /// The first alert, RFC 3339.
    pub first: String,
    /// The last one, RFC 3339.
    pub last: String,
    /// Alerts in each part of the period, [`Extent::part_ms`] long.
    pub over_time: Vec<u64>,
    /// Of its alerts those about somebody whom no other rule named within a day.
    pub alone: u64,
    /// The rules that most often named the same within a day, and in how many of its alerts.
    pub beside: Vec<(String, u64)>,
    /// How often it was right, of the alerts that have a label.
    pub precision: Share,
    /// Stories of harm that it saw.
    pub harms: u64,
    /// Of them those that no other rule saw.
    pub harms_alone: u64,
    /// From a story's first event to the rule's first alert about it, the median, seconds.
    pub seconds_to_detect: Option<i64>,
    /// What was at stake in the stories that it saw, as far as their labels say.
    pub amount: Option<f64>,
}

/// All rules in the period.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Measures {
    /// What the period is.
    pub extent: Extent,
    /// Each rule that opened an alert, the loudest first.
    pub rules: Vec<OfRule>,
    /// Alerts of all rules.
    pub alerts: u64,
    /// Different entities of all alerts.
    pub entities: u64,
    /// Alerts of all rules in each part of the period, [`Extent::part_ms`] long.
    pub over_time: Vec<u64>,
    /// How often all of them were right, of those that have a label.
    pub precision: Share,
    /// Stories of harm that any rule saw, of all in the period.
    pub recall: Share,
    /// From a story's first event to the first alert about it, the median, seconds.
    pub seconds_to_detect: Option<i64>,
    /// What was at stake in stories that were seen, and in all, as far as labels say.
    pub amount: Option<(f64, f64)>,
    /// Names of the stories that no rule saw, in the order of the labels.
    pub missed: Vec<String>,
}

/// What one rule saw of the stories.
#[derive(Default)]
struct Seen {
    /// By story: the first alert about it, Unix ms.
    first_ms: BTreeMap<usize, i64>,
}

impl Seen {
    fn add(&mut self, story: usize, at_ms: i64) {
        let first = self.first_ms.entry(story).or_insert(at_ms);
        *first = at_ms.min(*first);
    }

    fn seconds(&self, labels: &Labels) -> Option<i64> {
        let after = |(story, at_ms): (&usize, &i64)| {
            let story = labels.stories.get(*story).filter(|story| story.from_ms > i64::MIN)?;
            Some(at_ms.saturating_sub(story.from_ms).max(0) / 1_000)
        };
        let mut after: Vec<i64> = self.first_ms.iter().filter_map(after).collect();
        after.sort_unstable();
        after.get(after.len().saturating_sub(1) / 2).copied()
    }
}

/// Measures the alerts of one run.
pub fn measure(found: &[Found], labels: &Labels, extent: Extent) -> Measures {
    let mut all = Measures { extent, over_time: vec![0; extent.parts()], ..Measures::default() };
    let mut of: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    let mut about: BTreeMap<&str, Vec<(i64, &str)>> = BTreeMap::new();
    for alert in found {
        of.entry(&alert.rule).or_default().push(alert);
        about.entry(&alert.entity).or_default().push((alert.opened_ms, &alert.rule));
        if let Some(count) = all.over_time.get_mut(extent.part(alert.opened_ms)) {
            *count += 1;
        }
    }
    for alerts in about.values_mut() {
        alerts.sort_unstable();
    }
    all.alerts = found.len() as u64;
    all.entities = about.len() as u64;
    let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
    let mut seen_by_any = Seen::default();
    for alert in found {
        // One that was over before the period is no harm of it, and may have alerts in it.
        for story in labels.harms(alert).filter(|story| labels.stories.get(*story).is_some_and(|story| story.is_in(extent))) {
            seen.entry(&alert.rule).or_default().add(story, alert.opened_ms);
            seen_by_any.add(story, alert.opened_ms);
        }
    }
    let mut seen_by: BTreeMap<usize, u64> = BTreeMap::new();
    seen.values().flat_map(|seen| seen.first_ms.keys()).for_each(|story| *seen_by.entry(*story).or_default() += 1);
    for (rule, alerts) in of {
        let measured = of_rule(rule, &alerts, &about, labels, extent);
        all.precision.hits += measured.precision.hits;
        all.precision.of += measured.precision.of;
        let own = seen.remove(rule).unwrap_or_default();
        let amounts = own.first_ms.keys().filter_map(|story| labels.stories.get(*story)?.amount);
        all.rules.push(OfRule {
            harms: own.first_ms.len() as u64,
            harms_alone: own.first_ms.keys().filter(|story| seen_by.get(story) == Some(&1)).count() as u64,
            seconds_to_detect: own.seconds(labels),
            amount: sum(amounts),
            ..measured
        });
    }
    all.rules.sort_by(|a, b| b.alerts.cmp(&a.alerts).then_with(|| a.rule.cmp(&b.rule)));
    for (number, story) in labels.stories.iter().enumerate().filter(|(_, story)| story.harm && story.is_in(extent)) {
        let is_seen = seen_by_any.first_ms.contains_key(&number);
        all.recall.add(is_seen);
        if !is_seen {
            all.missed.push(story.name.clone());
        }
        if let Some(amount) = story.amount {
            let (caught, whole) = all.amount.get_or_insert((0.0, 0.0));
            *caught += if is_seen { amount } else { 0.0 };
            *whole += amount;
        }
    }
    all.seconds_to_detect = seen_by_any.seconds(labels);
    all
}

fn sum(amounts: impl Iterator<Item = f64>) -> Option<f64> {
    amounts.fold(None, |sum, amount| Some(sum.unwrap_or(0.0) + amount))
}

/// All but what the stories say.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn of_rule(rule: &str, alerts: &[&Found], about: &BTreeMap<&str, Vec<(i64, &str)>>, labels: &Labels, extent: Extent) -> OfRule {
    let mut over_time = vec![0; extent.parts()];
    let mut precision = Share::default();
    let (mut alone, mut beside): (u64, BTreeMap<&str, u64>) = (0, BTreeMap::new());
    for alert in alerts {
        if let Some(count) = over_time.get_mut(extent.part(alert.opened_ms)) {
            *count += 1;
        }
        match labels.truth(alert) {
            Truth::Right => precision.add(true),
            Truth::Wrong => precision.add(false),
            Truth::Unknown => {}
        }
        let others = about.get(alert.entity.as_str()).map_or(&[][..], Vec::as_slice);
        let from = others.partition_point(|(at_ms, _)| *at_ms < alert.opened_ms.saturating_sub(BESIDE_MS));
        let near =
            others.get(from..).unwrap_or_default().iter().take_while(|(at_ms, _)| *at_ms <= alert.opened_ms.saturating_add(BESIDE_MS));
        let named: BTreeSet<&str> = near.map(|(_, other)| *other).filter(|other| *other != rule).collect();
        alone += u64::from(named.is_empty());
        for other in named {
            *beside.entry(other).or_default() += 1;
        }
    }
    let mut beside: Vec<(String, u64)> = beside.into_iter().map(|(other, count)| (other.to_owned(), count)).collect();
    beside.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    beside.truncate(BESIDE_MAX);
    let entities: BTreeSet<&str> = alerts.iter().map(|alert| alert.entity.as_str()).collect();
    let opened = |alert: Option<&&Found>| alert.map(|alert| alert.opened_at.clone()).unwrap_or_default();
    let count = alerts.len() as f64;
    OfRule {
        rule: rule.to_owned(),
        severity: alerts.iter().map(|alert| alert.severity).min().unwrap_or(Severity::Sev3),
        active: alerts.iter().any(|alert| alert.mode == Mode::Active),
        alerts: alerts.len() as u64,
        alerts_per_day: rounded(count / extent.days()),
        per_100_000_events: rounded(count * 1e5 / extent.events.max(1) as f64),
        entities: entities.len() as u64,
        first: opened(alerts.iter().min_by_key(|alert| alert.opened_ms)),
        last: opened(alerts.iter().max_by_key(|alert| alert.opened_ms)),
        over_time,
        alone,
        beside,
        precision,
        harms: 0,
        harms_alone: 0,
        seconds_to_detect: None,
        amount: None,
    }
}

/// To two places.
pub(crate) fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use rasid_engine::Pseudonymizer;

    use super::*;
    use crate::compare::tests::found;

    const HOUR: i64 = 3_600_000;

    fn labels(text: &str) -> Labels {
        let pseudonymizer = Pseudonymizer::new(b"a secret that is long enough", 0).expect("long enough");
        Labels::read(text.as_bytes(), &pseudonymizer, false).expect("labels")
    }

    #[test]
    fn a_rule_is_measured_beside_the_others_and_against_what_is_known() {
        let labels = labels(
            r#"{"label":"harm","entity":"user:u_1","from":"1970-01-01T01:00:00Z","to":"1970-01-01T04:00:00Z","amount":100}
{"label":"harm","entity":"user:u_3","from":"1970-01-01T01:00:00Z","to":"1970-01-01T04:00:00Z","amount":300}
{"label":"harm","entity":"user:u_9","from":"1971-01-01T01:00:00Z","to":"1971-01-01T04:00:00Z","amount":900}
{"label":"honest","entity":"user:u_2"}"#,
        );
        let alerts = [
            found("a.a", "user:u_1", 2 * HOUR),
            found("a.a", "user:u_2", 30 * HOUR),
            found("a.b", "user:u_1", 3 * HOUR),
            found("a.a", "user:u_5", HOUR),
        ];
        let extent = Extent { events: 1_000, from_ms: 0, to_ms: 2 * DAY_MS - 1 };
        let measures = measure(&alerts, &labels, extent);
        assert_eq!((measures.alerts, measures.entities, measures.over_time.iter().sum::<u64>()), (4, 3, 4));
        let (a, b) = (&measures.rules[0], &measures.rules[1]);
        assert_eq!((a.rule.as_str(), a.alerts, a.entities, (a.over_time[1], a.over_time[2], a.over_time[30])), ("a.a", 3, 3, (1, 1, 1)));
        assert_eq!((a.alone, a.beside.as_slice()), (2, [("a.b".to_owned(), 1)].as_slice()));
        assert_eq!((a.precision, b.precision), (Share { hits: 1, of: 2 }, Share { hits: 1, of: 1 }));
        assert_eq!((a.harms, a.harms_alone, a.seconds_to_detect, b.seconds_to_detect), (1, 0, Some(3_600), Some(7_200)));
        assert_eq!(
            (measures.recall, measures.missed.as_slice()),
            (Share { hits: 1, of: 2 }, ["user:u_3".to_owned()].as_slice()),
            "the year after is another period"
        );
        assert_eq!((measures.amount, measures.seconds_to_detect), (Some((100.0, 400.0)), Some(3_600)));
        assert!((a.alerts_per_day - 1.5).abs() < 1e-9 && (a.per_100_000_events - 300.0).abs() < 1e-9);
    }

    #[test]
    fn a_story_that_was_over_before_the_period_is_no_harm_of_it() {
        let labels = labels(
            r#"{"label":"harm","entity":"user:u_1","from":"1970-01-01T01:00:00Z","to":"1970-01-01T02:00:00Z"}
{"label":"harm","entity":"user:u_2","from":"1970-01-01T13:00:00Z","to":"1970-01-01T14:00:00Z"}"#,
        );
        let extent = Extent { events: 1_000, from_ms: 12 * HOUR, to_ms: DAY_MS };
        let measures = measure(&[found("a.a", "user:u_1", 13 * HOUR)], &labels, extent);
        assert_eq!((measures.rules[0].harms, measures.recall, measures.precision), (0, Share { hits: 0, of: 1 }, Share { hits: 1, of: 1 }));
    }

    #[test]
    fn nothing_gives_nothing() {
        let measures = measure(&[], &Labels::default(), Extent::default());
        assert_eq!((measures.alerts, measures.rules.len(), measures.recall, measures.amount), (0, 0, Share::default(), None));
    }

    #[test]
    fn instants_at_the_ends_of_time_are_counted() {
        let alerts = [found("a.a", "user:u", i64::MIN + 1), found("a.a", "user:u", i64::MAX)];
        let measures = measure(&alerts, &Labels::default(), Extent { events: 1, from_ms: 0, to_ms: DAY_MS });
        assert_eq!(measures.over_time.iter().sum::<u64>(), 2);
    }
}
