//! The brake: a rule that opens more alerts than people can be told of.
//!
//! ```text
//! an hour closes     it held more alerts of a rule than its `brake` allows, in number and as a share of its events:
//!   usual rule       in the hour after it people are told of the first alert alone, which says so. Scores and the core go on:
//!                    nobody can flood a rule into silence
//!   changed < 24 h   the rule goes to shadow until it is changed again, and its reasons leave all scores: the change was bad
//! ```
//!
//! Hours are those of the log's clock, and close when the first hit after them is concluded: a function of the log, however it is cut.

use std::collections::BTreeMap;

use rasid_compiler::ruleset::{Mode, Rule, Ruleset};
use rasid_detectors::event::EventType;
use serde::{Deserialize, Serialize};

const HOUR_MS: i64 = 3_600_000;
/// An hour before all others.
const BEFORE: i64 = i64::MIN / HOUR_MS;
/// How long after its change a rule that is too loud goes to shadow, ms.
const FRESH_MS: i64 = 24 * HOUR_MS;

/// See the module's header.
pub(crate) struct Brake {
    /// The hour in which the last hit was concluded, hours since 1970.
    hour: i64,
    /// Events by type of the newest hour, and of those before it in which hits may yet be concluded.
    newest: OfHour,
    earlier: Vec<OfHour>,
    /// By rule.
    rules: Vec<OfRule>,
}

/// Events of an hour, by type.
struct OfHour {
    hour: i64,
    /// When it ends, ms: what every event is asked.
    end_ms: i64,
    events: Vec<u64>,
}

impl OfHour {
    fn new(hour: i64) -> Self {
        Self { hour, end_ms: hour.saturating_add(1).saturating_mul(HOUR_MS), events: vec![0; EventType::ALL.len()] }
    }

    /// Events that a rule watched.
    fn of(&self, rule: &Rule) -> u64 {
        rule.triggers.iter().map(|trigger| self.events[trigger.event as usize]).sum()
    }
}

/// What is known of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct OfRule {
    /// Active alerts of the open hour: what is in shadow wakes nobody.
    alerts: u64,
    /// Alerts and events of the hour before, where they were too many.
    held: Option<(u64, u64)>,
    /// People were told of one in the open hour.
    told: bool,
    /// When its file last changed, ms; `None`: it is as old as the log.
    changed_ms: Option<i64>,
    /// It was too loud after a change.
    shadow: bool,
}

/// The same in a snapshot, by names.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SavedBrake {
    hour: i64,
    /// By hour and type.
    events: BTreeMap<i64, BTreeMap<String, u64>>,
    /// Of the rules of which anything is known.
    rules: BTreeMap<String, OfRule>,
}

impl Default for SavedBrake {
    fn default() -> Self {
        Self { hour: BEFORE, events: BTreeMap::new(), rules: BTreeMap::new() }
    }
}

/// Whether people are told of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// As the rule says.
    Usual,
    /// It is the first of its hour; in the hour before, so many alerts were opened at so many events.
    First(u64, u64),
    /// They were told of the first one alone.
    Grouped,
}

/// A rule whose brake holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrakedRule {
    /// The rule.
    pub rule: String,
    /// It is in shadow until it is changed; else people are told of one alert an hour.
    pub shadow: bool,
}

impl Brake {
    /// At the beginning of a log.
    pub(crate) fn new(ruleset: &Ruleset) -> Self {
        let rules = ruleset.rules.iter().map(|_| OfRule::default()).collect();
        Self { hour: BEFORE, newest: OfHour::new(BEFORE), earlier: Vec::new(), rules }
    }

    /// Counts an event as it gets its place in the order.
    pub(crate) fn count(&mut self, event: EventType, clock_ms: i64) {
        if clock_ms >= self.newest.end_ms {
            let hour = clock_ms.div_euclid(HOUR_MS);
            // An alert that a timer opened may have been there first.
            let there = self.earlier.iter().position(|of| of.hour == hour).map(|place| self.earlier.swap_remove(place));
            let newest = std::mem::replace(&mut self.newest, there.unwrap_or_else(|| OfHour::new(hour)));
            self.earlier.push(newest);
        }
        self.newest.events[event as usize] += 1;
    }

    /// Counts alerts as the events that they are to the rules on alerts, when they open: events after them are in order already.
    pub(crate) fn count_alerts(&mut self, count: u64, clock_ms: i64) {
        let hour = clock_ms.div_euclid(HOUR_MS);
        let of = if self.newest.hour == hour {
            &mut self.newest
        } else {
            let place = self.earlier.iter().position(|of| of.hour == hour).unwrap_or_else(|| {
                self.earlier.push(OfHour::new(hour));
                self.earlier.len() - 1
            });
            &mut self.earlier[place]
        };
        of.events[EventType::AlertOpened as usize] += count;
    }

    /// Forgets hours in which no hit can be concluded any more: every event that was counted has been.
    pub(crate) fn forget(&mut self) {
        let hour = self.hour;
        self.earlier.retain(|of| of.hour == hour);
    }

    /// A hit at that clock: closes the hours before it. Whether that puts any rule in shadow.
    pub(crate) fn pass(&mut self, clock_ms: i64, rules: &[Rule]) -> bool {
        let hour = clock_ms.div_euclid(HOUR_MS);
        if hour <= self.hour {
            return false;
        }
        let closed = std::iter::once(&self.newest).chain(&self.earlier).find(|of| of.hour == self.hour);
        let mut any = false;
        for (of, rule) in self.rules.iter_mut().zip(rules) {
            let alerts = std::mem::take(&mut of.alerts);
            of.told = false;
            let events = closed.map_or(0, |closed| closed.of(rule));
            let holds = alerts > 0 && rule.brake.holds(alerts, events);
            // An hour without a hit lies between: it held too many of nothing.
            of.held = (holds && hour == self.hour + 1).then_some((alerts, events));
            let is_fresh = of.changed_ms.is_some_and(|changed_ms| clock_ms < changed_ms.saturating_add(FRESH_MS));
            if holds && is_fresh && rule.mode == Mode::Active && !of.shadow {
                of.shadow = true;
                any = true;
            }
        }
        self.hour = hour;
        any
    }

    /// What becomes of the hits of the rule of that number.
    pub(crate) fn mode(&self, rule: usize, usual: Mode) -> Mode {
        if usual == Mode::Active && self.rules[rule].shadow { Mode::Shadow } else { usual }
    }

    /// An active alert of that rule opens, of which people are to be told or not.
    pub(crate) fn opens(&mut self, rule: usize, tells: bool) -> Told {
        let of = &mut self.rules[rule];
        of.alerts += 1;
        match of.held.filter(|_| tells) {
            None => Told::Usual,
            Some((alerts, events)) if !std::mem::replace(&mut of.told, true) => Told::First(alerts, events),
            Some(_) => Told::Grouped,
        }
    }

    /// Goes on under other rules: a rule whose file is another has changed at that clock, is out of shadow again, and answers for none of
    /// the alerts before.
    pub(crate) fn switch(&mut self, before: &Ruleset, after: &Ruleset, clock_ms: i64) {
        let mut former: BTreeMap<&str, (&Rule, OfRule)> =
            before.rules.iter().zip(std::mem::take(&mut self.rules)).map(|(rule, of)| (rule.id.as_str(), (rule, of))).collect();
        let now = (clock_ms != i64::MIN).then_some(clock_ms);
        self.rules = after
            .rules
            .iter()
            .map(|rule| match former.remove(rule.id.as_str()) {
                Some((old, of)) if text_of(before, old) == text_of(after, rule) => of,
                _ => OfRule { changed_ms: now, ..OfRule::default() },
            })
            .collect();
    }

    /// The rules whose brake holds.
    pub(crate) fn holding(&self, ruleset: &Ruleset) -> Vec<BrakedRule> {
        let of = |(rule, of): (&Rule, &OfRule)| {
            (of.shadow || of.held.is_some()).then(|| BrakedRule { rule: rule.id.clone(), shadow: of.shadow })
        };
        ruleset.rules.iter().zip(&self.rules).filter_map(of).collect()
    }

    pub(crate) fn save(&self, ruleset: &Ruleset) -> SavedBrake {
        let events = |of: &OfHour| {
            let counts = EventType::ALL.iter().zip(&of.events).filter(|(_, count)| **count > 0);
            (of.hour, counts.map(|(event, count)| (event.name().to_owned(), *count)).collect())
        };
        // Those alone that are asked for when the hour closes, so that equal states are equal bytes.
        let open = self.earlier.iter().chain([&self.newest]).filter(|of| of.hour == self.hour);
        let newest = std::iter::once(&self.newest).filter(|of| of.hour > self.hour);
        let rules = ruleset.rules.iter().zip(&self.rules).filter(|(_, of)| **of != OfRule::default());
        SavedBrake {
            hour: self.hour,
            events: open.chain(newest).map(events).collect(),
            rules: rules.map(|(rule, of)| (rule.id.clone(), of.clone())).collect(),
        }
    }

    pub(crate) fn load(ruleset: &Ruleset, mut saved: SavedBrake) -> Self {
        let hours = saved.events.into_iter().map(|(hour, counts)| {
            let mut of = OfHour::new(hour);
            for (event, count) in EventType::ALL.iter().zip(&mut of.events) {
                *count = counts.get(event.name()).copied().unwrap_or(0);
            }
            of
        });
        let mut earlier: Vec<OfHour> = hours.collect();
        let newest = earlier.pop().unwrap_or_else(|| OfHour::new(BEFORE));
        let rules = ruleset.rules.iter().map(|rule| saved.rules.remove(&rule.id).unwrap_or_default()).collect();
        Self { hour: saved.hour, newest, earlier, rules }
    }
}

/// What a rule's file says.
fn text_of<'r>(ruleset: &'r Ruleset, rule: &Rule) -> Option<&'r str> {
    ruleset.sources.get(rule.source).map(|source| source.text.as_str())
}
