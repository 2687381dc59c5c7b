//! What rules have advised about one entity, until when, so that the advice of a bad rule can be taken back.
//!
//! An alert's advice stands from its event to the end of the rule's `advice_for`, whatever becomes of the score. The newest 32
//! alerts of a rule are kept one by one, what came before is folded as doubts are (`doubt.rs`): it stays if the newest of it
//! opened before the instant from which on a rule is taken back, and goes whole if not.

use rasid_compiler::ruleset::Advice;
use serde::{Deserialize, Serialize};

/// Alerts of one rule kept one by one.
const ALERTS_MAX: usize = 32;

/// What one alert advised, or several that are folded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Advised {
    /// The rule, by its number in the table of all rules so far.
    rule: u32,
    /// Event clock of the newest opening event, ms.
    at_ms: i64,
    /// The last instant at which each advice stands, by its strength, ms; `i64::MIN` where it was not given.
    until_ms: [i64; Advice::ALL.len()],
}

/// All that stands about one entity, or stood when it last changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Advices {
    /// In the order in which it came.
    given: Vec<Advised>,
}

impl Advices {
    /// An alert's advice, which stands up to and at `until_ms`.
    pub(crate) fn give(&mut self, rule: u32, at_ms: i64, advice: Advice, until_ms: i64) {
        let mut by_strength = [i64::MIN; Advice::ALL.len()];
        by_strength[advice as usize] = until_ms;
        self.given.push(Advised { rule, at_ms, until_ms: by_strength });
        let of_rule = |given: &Advised| given.rule == rule;
        if self.given.iter().filter(|given| of_rule(given)).count() > ALERTS_MAX
            && let Some(first) = self.given.iter().position(of_rule)
        {
            let oldest = self.given.remove(first);
            if let Some(next) = self.given.iter_mut().find(|given| of_rule(given)) {
                next.at_ms = next.at_ms.max(oldest.at_ms);
                next.until_ms.iter_mut().zip(oldest.until_ms).for_each(|(until, older)| *until = older.max(*until));
            }
        }
    }

    /// Takes back what alerts of those rules advised that opened at or after `since_ms`; whether there was any.
    pub(crate) fn take_back(&mut self, of: impl Fn(u32) -> bool, since_ms: i64) -> bool {
        let before = self.given.len();
        self.given.retain(|given| !(of(given.rule) && given.at_ms >= since_ms));
        self.given.len() != before
    }

    /// Forgets what stands no longer.
    pub(crate) fn forget(&mut self, now_ms: i64) {
        self.given.retain(|given| given.until_ms.iter().any(|until| *until >= now_ms));
    }

    /// The last instant from `now_ms` on at which the advice is at least that, as none after it is given; `None` where it is not.
    pub(crate) fn until(&self, now_ms: i64, least: Advice) -> Option<i64> {
        let untils = self.given.iter().filter_map(|given| given.until_ms.get(least as usize..)?.iter().max()).copied();
        untils.max().filter(|until| *until >= now_ms)
    }

    /// The strongest that stands, and the last instant at which it does.
    pub(crate) fn strongest(&self, now_ms: i64) -> Option<(Advice, i64)> {
        Advice::ALL.into_iter().rev().find_map(|advice| Some((advice, self.until(now_ms, advice)?)))
    }

    /// Memory, bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.given.len() * size_of::<Advised>()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.given.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_strongest_stands_and_then_what_outlasts_it() {
        let mut advices = Advices::default();
        advices.give(0, 0, Advice::Watch, 100);
        advices.give(1, 10, Advice::Block, 50);
        advices.give(1, 20, Advice::Challenge, 70);
        let at = |now| advices.strongest(now);
        assert_eq!((at(20), at(50)), (Some((Advice::Block, 50)), Some((Advice::Block, 50))));
        assert_eq!((at(51), at(71), at(101)), (Some((Advice::Challenge, 70)), Some((Advice::Watch, 100)), None));
        assert_eq!((advices.until(20, Advice::Watch), advices.until(20, Advice::Hold)), (Some(100), Some(50)));
    }

    /// Rule, event clock, what it advised, and how long it stands.
    type Given = (u32, i64, Advice, i64);

    fn advice() -> impl Strategy<Value = Advice> {
        proptest::sample::select(Advice::ALL.to_vec())
    }

    proptest! {
        /// Held against a plain list of all alerts, late ones and many of one rule too.
        #[test]
        fn what_stands_is_what_was_given_and_not_taken_back(
            alerts in proptest::collection::vec((0_u32..3, 0_i64..1_000, advice(), 0_i64..500), 0..60),
            retracted in 0_u32..3, since in 0_i64..1_000, now in 0_i64..1_500,
        ) {
            let mut advices = Advices::default();
            for (rule, at, advice, lasts) in &alerts {
                advices.give(*rule, *at, *advice, at + lasts);
            }
            let all = |kept: &dyn Fn(&Given) -> bool, now: i64| {
                let standing = alerts.iter().filter(|alert| kept(alert) && alert.1 + alert.3 >= now);
                standing.map(|(_, _, advice, _)| *advice).max()
            };
            prop_assert_eq!(advices.strongest(now).map(|(advice, _)| advice), all(&|_| true, now));
            if let Some((advice, until)) = advices.strongest(now) {
                prop_assert!(all(&|_| true, until) >= Some(advice) && all(&|_| true, until + 1) < Some(advice));
            }
            let mut forgetful = advices.clone();
            forgetful.forget(now);
            prop_assert_eq!(forgetful.strongest(now), advices.strongest(now));

            let many = alerts.iter().filter(|(rule, ..)| *rule == retracted).count() > ALERTS_MAX;
            let changed = advices.take_back(|rule| rule == retracted, since);
            let left = |(rule, at, ..): &Given| *rule != retracted || *at < since;
            prop_assert!(!changed || alerts.iter().any(|alert| !left(alert)));
            let (is, exact) = (advices.strongest(now).map(|(advice, _)| advice), all(&left, now));
            // Of what is folded more may go, never less.
            prop_assert!(if many { is <= exact } else { is == exact }, "{is:?} {exact:?}");
        }
    }
}
