//! The end of a step: what the hits of a batch come to.

use rasid_compiler::ruleset::{Mode, Receiver};

use super::{Engine, Output};
use crate::alert::{Alert, Opening, entity_of, former_entity_of};
use crate::batch::{At, Chunk};
use crate::brake::Told;
use crate::condition::{Hit, Verdicts, scope};
use crate::doubt::Cast;
use crate::look::Around;
use crate::plan::TriggerPlan;
use crate::scatter::key_of_entity;
use crate::scores::{About, Moment};
use crate::suppress::Verdict;
use crate::trace::{Trace, trace_of};

impl Engine {
    /// Hits to alerts and scores, one by one in stream order. At each event the rules that read scores come after those that
    /// make them, and those that look at alerts last.
    pub(super) fn conclude(
        &mut self,
        chunks: &[Chunk<'_, '_>],
        verdicts: &[Verdicts],
        output: &mut Output,
        mut traces: Option<&mut Vec<Trace>>,
    ) {
        for (chunk, verdicts) in chunks.iter().zip(verdicts) {
            self.count(verdicts);
            let mut hits = verdicts.hits.iter().peekable();
            if self.plan.reads_scores || self.plan.looks_at_alerts() {
                for (index, at) in chunk.live() {
                    let before = output.alerts.len();
                    while let Some(hit) = hits.next_if(|hit| hit.row <= index) {
                        self.open(chunk, hit, None, output);
                    }
                    self.judge_by_score(index, at, chunk, output, traces.as_deref_mut());
                    self.judge_alerts(at, chunk.record(at.row), before, output, traces.as_deref_mut());
                }
            }
            for hit in hits {
                self.open(chunk, hit, None, output);
            }
        }
    }

    pub(super) fn count(&mut self, verdicts: &Verdicts) {
        for (rule, errors) in &verdicts.errors {
            self.rules[*rule].errors += errors;
        }
        for ((rule, field), missing) in &verdicts.entity_missing {
            *self.rules[*rule].entity_missing.entry((*field).to_owned()).or_default() += missing;
        }
        for ((rule, field), missing) in &verdicts.key_missing {
            *self.rules[*rule].key_missing.entry((*field).to_owned()).or_default() += missing;
        }
        for (rule, behind) in &verdicts.behind {
            self.rules[*rule].behind += behind;
        }
    }

    /// The rules that read scores, at one event whose other rules have been concluded.
    fn judge_by_score(
        &mut self,
        index: usize,
        at: At<'_, '_>,
        chunk: &Chunk<'_, '_>,
        output: &mut Output,
        mut traces: Option<&mut Vec<Trace>>,
    ) {
        if !self.plan.reads_scores {
            return;
        }
        let event_type = at.row.event.data.event_type();
        let numbers: Vec<usize> =
            self.plan.of(event_type).triggers_at(at).filter(|(_, plan)| plan.reads_score).map(|(number, _)| number).collect();
        for number in numbers {
            let trigger_plan = &self.plan.of(event_type).triggers[number];
            let score = self.score_at(at, trigger_plan);
            if let Some(traces) = &mut traces {
                traces.push(trace_of(at, chunk, &self.plan, trigger_plan, score, &self.populations, &self.pseudonymizer));
            }
            if let Some(look) = &mut self.look {
                let (plan, populations) = (&self.plan, &self.populations);
                let around = Around { plan, populations, pseudonymizer: &self.pseudonymizer, hasher: &self.hasher };
                look.see(index, chunk, trigger_plan, score, around);
            }
            let mut verdicts = Verdicts::default();
            verdicts.judge(index, at, chunk, &self.plan, (number, trigger_plan), score);
            self.count(&verdicts);
            for hit in &verdicts.hits {
                self.open(chunk, hit, score, output);
            }
        }
    }

    /// What the rules that read no score have made of a trigger's entity.
    fn score_at(&self, at: At<'_, '_>, trigger_plan: &TriggerPlan) -> Option<u8> {
        if let Some(score) = self.assumed_score {
            return Some(score);
        }
        let (_, trigger) = self.plan.trigger(trigger_plan);
        let key = key_of_entity(&at.row.event, trigger.entity, &self.hasher)?;
        Some(self.scores.of(key, at.mark.clock_ms, &self.score_readers))
    }

    /// Closes the hours of the brake before a hit; what that puts in shadow leaves all scores.
    fn brake_for(&mut self, clock_ms: i64, position: u64, output: &mut Output) {
        let rules = &self.plan.ruleset.rules;
        if self.brake.pass(clock_ms, rules) {
            let numbers = rules.iter().enumerate().zip(&self.rule_numbers);
            let active = numbers.filter(|((number, rule), _)| self.brake.mode(*number, rule.mode) == Mode::Active);
            let active: Vec<u32> = active.map(|(_, number)| *number).collect();
            let moment = Moment { position, clock_ms, ruleset: &self.plan.ruleset.hash };
            output.scores.extend(self.scores.keep_only(&active, moment));
        }
    }

    /// What one hit comes to.
    pub(super) fn open(&mut self, chunk: &Chunk<'_, '_>, hit: &Hit, doubt: Option<u8>, output: &mut Output) {
        let at @ At { row, mark } = chunk.at(hit.row);
        self.brake_for(mark.clock_ms, chunk.record(row).position, output);
        let trigger_plan = &self.plan.of(row.event.data.event_type()).triggers[hit.trigger];
        let (rule, trigger) = self.plan.trigger(trigger_plan);
        let Some(key) = key_of_entity(&row.event, trigger.entity, &self.hasher) else { return };
        let mode = self.brake.mode(trigger_plan.rule, self.warming.mode(trigger_plan.rule, rule, row.at_ms));
        let suppress_ms = if self.config.suppress { rule.suppress_ms } else { 0 };
        let suppressed_before = if suppress_ms == 0 {
            0
        } else {
            let key = self.hasher.combine(&[self.hasher.hash(&[rule.id.as_bytes()]), key]);
            match self.suppression.hit(key, row.at_ms, mark.clock_ms, suppress_ms, mode != Mode::Active) {
                Verdict::Opens { suppressed_before } => suppressed_before,
                Verdict::Suppressed => {
                    self.rules[trigger_plan.rule].suppressed += 1;
                    return;
                }
            }
        };
        let Some(entity) = entity_of(row, trigger, &self.pseudonymizer) else { return };
        let record = chunk.record(row);
        let scope = scope(at, chunk, &self.plan, &trigger_plan.cells, doubt);
        let program = &trigger.programs[hit.program];
        let opening = Opening {
            row,
            late: mark.late,
            due: mark.due.is_some(),
            position: record.position,
            rule,
            mode,
            trigger,
            program,
            scope,
            entity,
            suppressed_before,
        };
        let mut alert = Alert::open(opening, &self.plan.ruleset.hash, &self.pseudonymizer);
        if !self.issued.first(self.hasher.hash(&[alert.id.as_bytes()]), mark.clock_ms) {
            self.rules[trigger_plan.rule].suppressed += 1;
            return;
        }
        if mode == Mode::Active {
            let former = former_entity_of(row, trigger, &self.pseudonymizer);
            let about = About { key, entity: &alert.entity, former: former.as_deref() };
            let cast = Cast { at_ms: row.at_ms, half_life_ms: rule.half_life_ms, risk: program.weight.risk };
            let moment = Moment { position: record.position, clock_ms: mark.clock_ms, ruleset: &self.plan.ruleset.hash };
            let advice = program.weight.advice.map(|advice| (advice, row.at_ms.saturating_add(rule.advice_for_ms)));
            if let Some(change) = self.scores.raise(about, self.rule_numbers[trigger_plan.rule], cast, advice, moment) {
                let formerly = former.map(|former| change.under(former));
                output.scores.push(change);
                output.scores.extend(formerly);
            }
        }
        if mode == Mode::Shadow {
            let beside = self.scores.doubted_by(key, mark.clock_ms, self.rule_numbers[trigger_plan.rule]);
            let counters = &mut self.rules[trigger_plan.rule];
            counters.shadow += 1;
            counters.shadow_alone += u64::from(beside.is_empty());
            for other in beside {
                *counters.shadow_beside.entry(other.to_owned()).or_default() += 1;
            }
        }
        if mode == Mode::Active {
            match self.brake.opens(trigger_plan.rule, alert.deliver.contains(&Receiver::Oncall)) {
                Told::Usual => {}
                Told::First(alerts, events) => alert.say_braked(alerts, events),
                Told::Grouped => alert.deliver.retain(|receiver| *receiver != Receiver::Oncall),
            }
        }
        self.counters.alerts += 1;
        self.rules[trigger_plan.rule].alerts += 1;
        output.alerts.push(alert);
    }
}
