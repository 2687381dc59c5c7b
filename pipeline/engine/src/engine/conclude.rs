//! The end of a step: what the hits of a batch come to.

use rasid_compiler::ruleset::Mode;

use super::{Engine, Output};
use crate::alert::{Alert, Opening, entity_of, former_entity_of};
use crate::batch::{At, Chunk};
use crate::condition::{Verdicts, scope};
use crate::doubt::Cast;
use crate::scatter::key_of_part;
use crate::scores::{About, Moment};
use crate::suppress::Verdict;

impl Engine {
    /// Hits to alerts and scores, one by one in stream order.
    pub(super) fn conclude(&mut self, chunks: &[Chunk<'_, '_>], verdicts: &[Verdicts], output: &mut Output) {
        for (chunk, verdicts) in chunks.iter().zip(verdicts) {
            for (rule, errors) in &verdicts.errors {
                self.rules[*rule].errors += errors;
            }
            for (rule, missing) in &verdicts.entity_missing {
                self.rules[*rule].entity_missing += missing;
            }
            for (rule, behind) in &verdicts.behind {
                self.rules[*rule].behind += behind;
            }
            for hit in &verdicts.hits {
                let At { row, mark } = chunk.at(hit.row);
                let trigger_plan = &self.plan.of(row.event.data.event_type()).triggers[hit.trigger];
                let (rule, trigger) = self.plan.trigger(trigger_plan);
                let Some(key) = key_of_part(&row.event, trigger.entity, &self.hasher) else { continue };
                let mode = self.warming.mode(trigger_plan.rule, rule, row.at_ms);
                let suppress_ms = if self.config.suppress { rule.suppress_ms } else { 0 };
                let suppressed_before = if suppress_ms == 0 {
                    0
                } else {
                    let key = self.hasher.combine(&[self.hasher.hash(&[rule.id.as_bytes()]), key]);
                    match self.suppression.hit(key, row.at_ms, mark.clock_ms, suppress_ms, mode != Mode::Active) {
                        Verdict::Opens { suppressed_before } => suppressed_before,
                        Verdict::Suppressed => {
                            self.rules[trigger_plan.rule].suppressed += 1;
                            continue;
                        }
                    }
                };
                let Some(entity) = entity_of(row, trigger, &self.pseudonymizer) else { continue };
                let record = chunk.record(row);
                let scope = scope(chunk.at(hit.row), chunk, &trigger_plan.cells);
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
                let alert = Alert::open(opening, &self.plan.ruleset.hash, &self.pseudonymizer);
                if !self.issued.first(self.hasher.hash(&[alert.id.as_bytes()]), mark.clock_ms) {
                    self.rules[trigger_plan.rule].suppressed += 1;
                    continue;
                }
                if mode == Mode::Active {
                    let former = former_entity_of(row, trigger, &self.pseudonymizer);
                    let about = About { key, entity: &alert.entity, former: former.as_deref() };
                    let cast = Cast { at_ms: row.at_ms, half_life_ms: rule.half_life_ms, risk: rule.risk };
                    let moment = Moment { position: record.position, clock_ms: mark.clock_ms, ruleset: &self.plan.ruleset.hash };
                    if let Some(change) = self.scores.raise(about, self.rule_numbers[trigger_plan.rule], cast, moment) {
                        let formerly = former.map(|former| change.under(former));
                        output.scores.push(change);
                        output.scores.extend(formerly);
                    }
                }
                self.counters.alerts += 1;
                self.rules[trigger_plan.rule].alerts += 1;
                output.alerts.push(alert);
            }
        }
    }
}
