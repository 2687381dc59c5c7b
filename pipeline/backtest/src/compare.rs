//! Two runs over one past, held against each other.
//!
//! ```text
//! the same  both opened it: one id, which is a function of rule, entity and opening event
//! changed   the same, and it says something else: severity, risk, mode, values
//! moved     rule and entity are the same and another event opened it, while the other one's alert still covered its hits
//! new, gone only the new rules opened it, only the old ones did
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::direction::Direction;
use crate::found::Found;
use crate::saw::Why;

/// How an alert differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only the new rules open it.
    New,
    /// Only the old rules opened it.
    Gone,
    /// Another event opens it.
    Moved,
    /// It says something else.
    Changed,
}

impl Change {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Moved => "moved",
            Self::Changed => "changed",
        }
    }
}

/// One alert that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// How.
    pub change: Change,
    /// The rule.
    pub rule: String,
    /// Whom it is about.
    pub entity: String,
    /// By the old rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Found>,
    /// By the new ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Found>,
    /// What both saw at the event, where that was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
}

impl Difference {
    /// The alert: as the new rules open it, else as the old ones did.
    ///
    /// # Panics
    /// Never: one of them opened it.
    pub fn found(&self) -> &Found {
        self.new.as_ref().or(self.old.as_ref()).expect("one of them opened it")
    }
}

/// What a change of rules comes to for one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Alerts by the old rules.
    pub old: u64,
    /// Alerts by the new ones.
    pub new: u64,
    /// Of both, word for word.
    pub same: u64,
    /// Only by the new ones.
    pub added: u64,
    /// Only by the old ones.
    pub gone: u64,
    /// Opened by another event.
    pub moved: u64,
    /// Saying something else.
    pub changed: u64,
}

/// Two runs held against each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// By rule, those that opened any alert.
    pub rules: BTreeMap<String, Counts>,
    /// What the change of a rule's condition can do at all, by rule, where that can be told.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub directions: BTreeMap<String, Direction>,
    /// Alert by alert, by rule, then time.
    pub differences: Vec<Difference>,
}

impl Comparison {
    /// Whether both opened the same alerts, word for word.
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }

    /// All rules together.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for counts in self.rules.values() {
            total.old += counts.old;
            total.new += counts.new;
            total.same += counts.same;
            total.added += counts.added;
            total.gone += counts.gone;
            total.moved += counts.moved;
            total.changed += counts.changed;
        }
        total
    }
}

/// Holds `new` against `old`; `covers` is how long an alert of a rule covers what follows, ms.
pub fn compare(old: Vec<Found>, new: Vec<Found>, covers: impl Fn(&str) -> i64) -> Comparison {
    let mut comparison = Comparison::default();
    for found in &old {
        comparison.rules.entry(found.rule.clone()).or_default().old += 1;
    }
    for found in &new {
        comparison.rules.entry(found.rule.clone()).or_default().new += 1;
    }
    let by_id = |all: Vec<Found>| -> BTreeMap<String, Found> { all.into_iter().map(|found| (found.id.clone(), found)).collect() };
    let (mut old, mut new) = (by_id(old), by_id(new));
    let both: BTreeSet<String> = old.keys().filter(|id| new.contains_key(*id)).cloned().collect();
    for id in both {
        let (Some(then), Some(now)) = (old.remove(&id), new.remove(&id)) else { continue };
        let counts = comparison.rules.entry(now.rule.clone()).or_default();
        if then == now {
            counts.same += 1;
        } else {
            counts.changed += 1;
            comparison.differences.push(difference(Change::Changed, Some(then), Some(now)));
        }
    }
    for (then, now) in pairs(old.into_values().collect(), new.into_values().collect(), covers) {
        let change = match (&then, &now) {
            (Some(_), Some(_)) => Change::Moved,
            (Some(_), None) => Change::Gone,
            _ => Change::New,
        };
        let difference = difference(change, then, now);
        let counts = comparison.rules.entry(difference.rule.clone()).or_default();
        match change {
            Change::Moved => counts.moved += 1,
            Change::Gone => counts.gone += 1,
            Change::New | Change::Changed => counts.added += 1,
        }
        comparison.differences.push(difference);
    }
    let order = |difference: &Difference| {
        let found = difference.found();
        (difference.rule.clone(), found.opened_ms, found.position, difference.entity.clone(), difference.change)
    };
    comparison.differences.sort_by_cached_key(order);
    comparison
}

fn difference(change: Change, old: Option<Found>, new: Option<Found>) -> Difference {
    let found = new.as_ref().or(old.as_ref()).expect("one of them opened it");
    let (rule, entity) = (found.rule.clone(), found.entity.clone());
    Difference { change, rule, entity, old, new, why: None }
}

/// Old and new alerts of one rule about one entity, the earliest first, each with the other one that it has moved to.
fn pairs(old: Vec<Found>, new: Vec<Found>, covers: impl Fn(&str) -> i64) -> Vec<(Option<Found>, Option<Found>)> {
    let mut about: BTreeMap<(String, String), (Vec<Found>, Vec<Found>)> = BTreeMap::new();
    for found in old {
        about.entry((found.rule.clone(), found.entity.clone())).or_default().0.push(found);
    }
    for found in new {
        about.entry((found.rule.clone(), found.entity.clone())).or_default().1.push(found);
    }
    let mut pairs = Vec::new();
    for ((rule, _), (mut old, mut new)) in about {
        let covered_ms = covers(&rule);
        old.sort_by_key(|found| (found.opened_ms, found.position));
        new.sort_by_key(|found| (found.opened_ms, found.position));
        let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
        loop {
            let apart_ms = old.peek().zip(new.peek()).map(|(then, now)| now.opened_ms.saturating_sub(then.opened_ms));
            match apart_ms {
                // At one instant, or while the other one stood.
                Some(apart_ms) if apart_ms.unsigned_abs() < covered_ms.max(1).unsigned_abs() => pairs.push((old.next(), new.next())),
                Some(apart_ms) if apart_ms > 0 => pairs.push((old.next(), None)),
                Some(_) => pairs.push((None, new.next())),
                None => break,
            }
        }
        pairs.extend(old.map(|then| (Some(then), None)));
        pairs.extend(new.map(|now| (None, Some(now))));
    }
    pairs
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use rasid_compiler::ruleset::{Mode, Severity};
    use rasid_engine::Values;

    use super::*;

    pub(crate) fn found(rule: &str, entity: &str, opened_ms: i64) -> Found {
        Found {
            id: format!("al_{rule}_{entity}_{opened_ms}"),
            rule: rule.to_owned(),
            entity: entity.to_owned(),
            opened_at: rasid_detectors::event::time::format_rfc3339(opened_ms),
            opened_ms,
            position: u64::try_from(opened_ms).unwrap_or_default(),
            event: format!("e{opened_ms}"),
            severity: Severity::Sev2,
            mode: Mode::Active,
            risk: 40,
            values: Values(Vec::new()),
            explanation: String::new(),
            right: None,
        }
    }

    fn said(comparison: &Comparison) -> Vec<(Change, i64)> {
        comparison.differences.iter().map(|difference| (difference.change, difference.found().opened_ms)).collect()
    }

    #[test]
    fn what_another_event_opens_within_its_cover_has_moved() {
        let old = vec![found("a.b", "user:u", 1_000), found("a.b", "user:v", 1_000), found("a.b", "user:w", 9_000)];
        let new = vec![found("a.b", "user:u", 1_500), found("a.b", "user:v", 5_000), found("a.b", "user:w", 9_000)];
        let comparison = compare(old, new, |_| 1_000);
        assert_eq!(said(&comparison), [(Change::Gone, 1_000), (Change::Moved, 1_500), (Change::New, 5_000)]);
        let counts = Counts { old: 3, new: 3, same: 1, added: 1, gone: 1, moved: 1, changed: 0 };
        assert_eq!(comparison.total(), counts);
    }

    #[test]
    fn one_that_says_something_else_is_told() {
        let louder = Found { severity: Severity::Sev1, ..found("a.b", "user:u", 7) };
        let comparison = compare(vec![found("a.b", "user:u", 7)], vec![louder], |_| 0);
        assert_eq!(said(&comparison), [(Change::Changed, 7)]);
        assert!(compare(vec![found("a.b", "user:u", 7)], vec![found("a.b", "user:u", 7)], |_| 0).is_same());
    }

    fn alerts() -> impl Strategy<Value = Vec<Found>> {
        let one = (0..3_usize, 0..3_usize, prop_oneof![0_i64..50, Just(i64::MAX), Just(0)]);
        proptest::collection::vec(one, 0..40).prop_map(|all| {
            let mut all: Vec<Found> = all
                .into_iter()
                .map(|(rule, entity, at)| found(["a.a", "a.b", "c.d"][rule], ["user:u", "ip:x", "all:all"][entity], at))
                .collect();
            all.sort_by(|a, b| a.id.cmp(&b.id));
            all.dedup_by(|a, b| a.id == b.id); // an id occurs once (E2)
            all
        })
    }

    proptest! {
        /// Every alert of either side is told of once: as the same, or as a difference.
        #[test]
        fn nothing_is_lost_and_nothing_told_twice(old in alerts(), new in alerts(), cover in 0_i64..20) {
            let comparison = compare(old.clone(), new.clone(), |_| cover);
            let total = comparison.total();
            prop_assert_eq!((total.old, total.new), (old.len() as u64, new.len() as u64));
            prop_assert_eq!(total.old, total.same + total.changed + total.moved + total.gone);
            prop_assert_eq!(total.new, total.same + total.changed + total.moved + total.added);
            for difference in comparison.differences.iter().filter(|difference| difference.change == Change::Moved) {
                let (then, now) = (difference.old.as_ref().expect("both"), difference.new.as_ref().expect("both"));
                prop_assert!((&then.rule, &then.entity) == (&now.rule, &now.entity) && then.id != now.id);
            }
            prop_assert!(compare(new.clone(), new, |_| cover).is_same());
        }

        /// The other way round, what was new is gone.
        #[test]
        fn it_is_a_mirror(old in alerts(), new in alerts(), cover in 0_i64..20) {
            let (there, back) = (compare(old.clone(), new.clone(), |_| cover).total(), compare(new, old, |_| cover).total());
            prop_assert_eq!((there.added, there.gone, there.moved, there.same), (back.gone, back.added, back.moved, back.same));
        }
    }
}
