//! Since when each binding has been fed, and from when on each rule may be believed.
//!
//! A binding that a change of rules brings is born at the event clock of that change. A rule that reads it runs in shadow
//! at events before birth + window: the window (T − W, T] of a later one lies wholly after the birth. What is there at
//! the beginning of the log is as old as the log, so it is never younger than its window. A detector keeps its own time
//! and says nothing before it has seen enough; it has no window to wait for.

use rasid_compiler::ruleset::{Mode, Rule, Ruleset, WhileWarming};

/// See the module's header.
pub(crate) struct Warming {
    /// By binding, Unix ms; `None`: as old as the log.
    births: Vec<Option<i64>>,
    /// By rule: the first instant at which all that it reads is as old as its window, Unix ms.
    warm_ms: Vec<i64>,
}

impl Warming {
    pub(crate) fn new(ruleset: &Ruleset, births: Vec<Option<i64>>) -> Self {
        let warm = |binding: usize| births[binding].map(|born_ms| born_ms.saturating_add(ruleset.bindings[binding].window_ms));
        let warm_ms = ruleset
            .rules
            .iter()
            .map(|rule| match rule.while_warming {
                WhileWarming::Active => i64::MIN,
                WhileWarming::Shadow => {
                    rule.triggers.iter().flat_map(|trigger| &trigger.reads).filter_map(|read| warm(read.binding)).max().unwrap_or(i64::MIN)
                }
            })
            .collect();
        Self { births, warm_ms }
    }

    /// The mode of the rule of that number at an event.
    pub(crate) fn mode(&self, number: usize, rule: &Rule, at_ms: i64) -> Mode {
        if rule.mode == Mode::Active && at_ms < self.warm_ms[number] { Mode::Shadow } else { rule.mode }
    }

    /// The instant up to which an active rule of that number runs in shadow, Unix ms; `None`: it does not at the event clock.
    pub(crate) fn until_ms(&self, number: usize, rule: &Rule, clock_ms: i64) -> Option<i64> {
        (rule.mode == Mode::Active && clock_ms < self.warm_ms[number]).then_some(self.warm_ms[number])
    }

    pub(crate) fn births(&self) -> &[Option<i64>] {
        &self.births
    }
}
