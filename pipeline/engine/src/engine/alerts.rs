//! The last stage: alerts are events to the rules that look at alerts.

use rasid_compiler::ruleset::{Advice, Mode, Severity};
use rasid_detectors::event::alert::{self, Region};
use rasid_detectors::event::text::OpaqueId;
use rasid_detectors::event::units::Timestamp;
use rasid_detectors::event::{Data, Event};

use super::{Engine, Output};
use crate::alert::Alert;
use crate::batch::{At, Begins, Chunk, Laid, Mark, Record, Row};
use crate::condition::evaluate;
use crate::plan::Stage;
use crate::scatter::{scatter, shard_of};
use crate::trace::{Trace, trace};

/// What sends alerts: the `source` of the events that they are, here and at the core API.
pub const SOURCE: &str = "/rasid";

impl Engine {
    /// The rules that look at alerts, at those active ones that one event has opened: of the output, those from `from` on. What
    /// they open themselves is none to them, so nothing goes round in a circle. It is done at once, before the next event is
    /// concluded, so that no cut of the log changes in which order anything is remembered.
    pub(super) fn judge_alerts(
        &mut self,
        at: At<'_, '_>,
        record: &Record<'_>,
        from: usize,
        output: &mut Output,
        traces: Option<&mut Vec<Trace>>,
    ) {
        // In the test of such a rule the events are alerts themselves.
        if !self.plan.looks_at_alerts() || at.row.event.data.event_type().is_alert() {
            return;
        }
        let opened = || output.alerts[from..].iter().filter(|alert| alert.mode == Mode::Active);
        if opened().next().is_none() {
            return;
        }
        let region = at.row.event.data.region().and_then(Region::new);
        let rows: Vec<Row<'_>> = opened().map(|alert| Row::new(event(alert, at.row.at_ms, region.clone()), 0, &[], &self.hasher)).collect();
        self.brake.count_alerts(rows.len() as u64, at.mark.clock_ms);
        let mark = Mark { clock_ms: at.mark.clock_ms, begins: Begins::default(), late: at.mark.late, live: true, due: None };
        let records = [Record { bytes: &[], ..*record }];
        let mut chunks = [Chunk { records: &records, rows: &rows, marks: vec![mark; rows.len()], laid: Laid::default() }];
        for stage in Stage::all(&self.plan) {
            let scattered = scatter(&mut chunks[0], 0, stage, &self.plan, &self.populations, &self.hasher, traces.is_some());
            self.counters.filter_errors += scattered.filter_errors;
            self.looking(|look, around| look.count(&chunks, stage, &scattered.items, around));
            let mut gathered = Vec::new();
            for item in &scattered.items {
                let shard = &mut self.shards[shard_of(item.key)];
                shard.apply(std::slice::from_ref(item), stage, &chunks, &self.plan, &self.hasher, &mut gathered);
            }
            for value in gathered {
                chunks[0].laid.cells[value.cell] = value.value;
            }
        }
        let [chunk] = &chunks;
        self.looking(|look, around| look.seek(chunk, around));
        let verdicts = evaluate(chunk, &self.plan);
        if let Some(traces) = traces {
            traces.extend(trace(chunk, &self.plan, &self.populations, &self.pseudonymizer));
        }
        self.count(&verdicts);
        for hit in &verdicts.hits {
            self.open(chunk, hit, None, output);
        }
    }
}

/// An alert as an event.
fn event(of: &Alert, at_ms: i64, region: Option<Region>) -> Event<'static> {
    let area = of.rule.split('.').next().unwrap_or_default();
    let data = alert::Alert {
        rule: OpaqueId::new(of.rule.clone()),
        severity: match of.severity {
            Severity::Sev0 => alert::Severity::Sev0,
            Severity::Sev1 => alert::Severity::Sev1,
            Severity::Sev2 => alert::Severity::Sev2,
            Severity::Sev3 => alert::Severity::Sev3,
        },
        area: OpaqueId::new(area.to_owned()),
        entity: OpaqueId::new(of.entity.clone()),
        region,
        advice: of.advice.map(|advice| match advice {
            Advice::Watch => alert::Advice::Watch,
            Advice::Challenge => alert::Advice::Challenge,
            Advice::Hold => alert::Advice::Hold,
            Advice::Block => alert::Advice::Block,
        }),
    };
    Event {
        id: of.id.clone().into(),
        source: SOURCE.into(),
        time: Timestamp::from_millis(at_ms),
        received: None,
        data: Data::AlertOpened(Box::new(data)),
    }
}
