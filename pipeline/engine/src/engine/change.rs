//! Control records: what changes the engine between two events, without a restart.

use std::collections::HashMap;

use rasid_compiler::ruleset::{Mode, Ruleset};
use rayon::prelude::*;

use super::{Engine, Output, layout, suppress_ms_max};
use crate::counters::RuleCounters;
use crate::plan::Plan;
use crate::scores::Moment;
use crate::shard::{Blank, Shard};
use crate::warming::Warming;

impl Engine {
    /// Puts another ruleset in force.
    ///
    /// A binding that both have keeps its state; a new one is born at the event clock, and a rule that reads it runs in
    /// shadow until it is as old as its window, unless the rule says `while_warming: active`. Before the first event
    /// everything is as old as the log. Suppression and counters go on by rule id. A rule that is gone, off or in shadow
    /// takes its reasons out of all scores: those are the changes that come out, by entity.
    pub fn switch(&mut self, position: u64, ruleset: Ruleset) -> Output {
        self.deal_at(position);
        let old = &self.plan;
        let plan = Plan::new(ruleset, self.hasher);
        // What nobody read was not fed, so it holds nothing to go on with.
        let held = old.ruleset.bindings.iter().zip(&old.used).enumerate().filter(|(_, (_, used))| **used);
        let held: HashMap<&str, usize> = held.map(|(number, (binding, _))| (binding.canonical.as_str(), number)).collect();
        let bindings = plan.ruleset.bindings.iter().zip(&plan.used);
        let kept: Vec<Option<usize>> =
            bindings.map(|(binding, used)| held.get(binding.canonical.as_str()).copied().filter(|_| *used)).collect();
        let now = (self.clock_ms != i64::MIN).then_some(self.clock_ms);
        let births = kept.iter().map(|kept| kept.map_or(now, |number| self.warming.births()[number])).collect();
        self.warming = Warming::new(&plan.ruleset, births);
        self.brake.switch(&old.ruleset, &plan.ruleset, self.clock_ms);
        self.anew.clear();

        self.remember_evictions(&kept);
        let (layout, clock_ms) = (layout(&plan.ruleset, &self.config), self.clock_ms);
        let blanks = Blank::all(layout);
        let switch = |shard: &mut Shard| shard.switch(&blanks, &kept, clock_ms);
        match &self.pool {
            None => self.shards.iter_mut().for_each(switch),
            Some(pool) => pool.install(|| self.shards.par_iter_mut().for_each(switch)),
        }
        self.populations.switch(layout, &self.memory, &kept, &self.hasher);
        self.suppression.switch(suppress_ms_max(&plan.ruleset), self.config.lateness_ms, clock_ms);

        self.former_rules.extend(std::mem::take(&mut self.rules).into_iter().map(|counters| (counters.rule.clone(), counters)));
        let counters = |id: &String| RuleCounters { rule: id.clone(), ..RuleCounters::default() };
        let rules = &plan.ruleset.rules;
        self.rules = rules.iter().map(|rule| self.former_rules.remove(&rule.id).unwrap_or_else(|| counters(&rule.id))).collect();
        self.rule_numbers = rules.iter().map(|rule| self.scores.number(&rule.id)).collect();
        self.score_readers = super::score_readers(&plan.ruleset, &mut self.scores);
        let active: Vec<u32> =
            rules.iter().zip(&self.rule_numbers).filter(|(rule, _)| rule.mode == Mode::Active).map(|(_, number)| *number).collect();
        let scores = self.scores.keep_only(&active, Moment { position, clock_ms, ruleset: &plan.ruleset.hash });
        self.plan = plan;
        self.deal_otherwise();
        Output { scores, ..Output::default() }
    }

    /// Takes back the doubt that the rule's alerts have cast that opened at event clock `since_ms` or later, Unix ms. The
    /// changes of scores come out by entity; what comes out is nothing where the rule is not known or has cast nothing.
    ///
    /// Of the newest 32 alerts of the rule about one entity each is taken back by itself, exactly. What came before them
    /// is known only as a whole: it stays if all of it opened before `since_ms`, and goes whole if not.
    pub fn retract(&mut self, position: u64, rule: &str, since_ms: i64) -> Output {
        self.deal_at(position);
        let moment = Moment { position, clock_ms: self.clock_ms, ruleset: &self.plan.ruleset.hash };
        Output { scores: self.scores.retract(rule, since_ms, moment), ..Output::default() }
    }
}
