//! Bindings that look for one thing after another: each step is event types with a filter of its own.

use std::ops::Range;

use rasid_detectors::event::EventType;
use rasid_detectors::operator::{Named, OperatorSpec};

use crate::aggregate::apart;
use crate::binding::{Counted, Lowering, Shape, binding_of, counted_types, named_under};
use crate::diagnostic::{Code, Fault, listed};
use crate::expression::Expr;
use crate::reader::{self, MapReader};
use crate::ruleset::{Binding, Feed, Sides, Step};
use crate::yaml::{Node, NodeValue};

/// Steps that a binding may have: each event says in one byte which of them it is.
const STEPS: std::ops::RangeInclusive<usize> = 2..=8;
/// Times that one step may be asked for.
const TIMES: std::ops::RangeInclusive<i64> = 1..=32;
/// Events that all steps together may be asked for: what is kept of a key grows with them.
const EVENTS_MAX: i64 = 64;
/// How long after the step before one may come.
const WITHIN_MS: std::ops::RangeInclusive<i64> = 1_000..=90 * 86_400_000;

/// One step, as it stands in the file.
struct Written {
    counted: Vec<Counted>,
    /// By what is counted.
    filters: Vec<Option<Expr>>,
    times: i64,
    within_ms: Option<i64>,
    /// Where that is written.
    within_span: Range<usize>,
}

impl Lowering<'_> {
    /// A binding whose own key lists steps.
    pub(crate) fn steps(
        &mut self,
        (spec, named): (&'static OperatorSpec, &'static Named),
        node: &Node,
        mut map: MapReader<'_>,
    ) -> Option<(Binding, Shape)> {
        let matched = map.optional("match");
        let by = if matched.is_some() { map.if_there("by") } else { self.by(&mut map, named_under(node).filter_map(EventType::from_name)) };
        let window = map.required("window", self.faults);
        let own = crate::schema::own_properties(spec);
        map.finish_but(&own.keys().map(String::as_str).collect::<Vec<_>>(), self.faults);
        let NodeValue::Seq(items) = &node.value else {
            let fault = reader::wrong(node, &format!("`{}`", spec.name), "a list of steps");
            return self.fault(fault.help(format!("one after the other: {}", named.types)));
        };
        if !STEPS.contains(&items.len()) {
            let message = format!("{} steps, expected {} to {}", items.len(), STEPS.start(), STEPS.end());
            return self.fault(Fault::new(Code::OutOfRange, node.span.clone(), message).help("what happens once is counted: {count: …}"));
        }
        let written: Vec<Option<Written>> = items.iter().map(|item| self.step(spec, item)).collect();
        let span_ms = window.and_then(|node| self.span(node, None, spec));
        let steps: Vec<Written> = written.into_iter().collect::<Option<_>>()?;
        if let Some((window_ms, _)) = span_ms
            && let Some(step) = steps.iter().find(|step| step.within_ms.is_some_and(|within_ms| within_ms > window_ms))
        {
            let fault =
                Fault::new(Code::OutOfRange, step.within_span.clone(), "this `within` is longer than the window, in which all steps lie");
            return self.fault(fault.help("a longer `window`, or no `within`"));
        }
        let asked: i64 = steps.iter().map(|step| step.times).sum();
        if asked > EVENTS_MAX {
            let message = format!("steps of {asked} events together, expected {EVENTS_MAX} at most");
            return self.fault(
                Fault::new(Code::OutOfRange, node.span.clone(), message).help("ask for fewer by `times`, or count them: {count: …}"),
            );
        }
        let mut counted: Vec<Counted> = Vec::new();
        for one in steps.iter().flat_map(|step| &step.counted) {
            if counted.iter().any(|other| other.event == one.event && other != one) {
                let message = format!("one step takes {} and another a detector's firings at them", one.event.name());
                return self.fault(Fault::new(Code::BadBinding, node.span.clone(), message).help("use two bindings"));
            }
            counted.extend((!counted.contains(one)).then_some(*one));
        }
        if let Some(fault) = apart(spec, &counted, self.on, node) {
            return self.fault(fault);
        }
        let last = &steps.last()?.counted;
        if !self.is_counted && !self.on.is_empty() && !last.iter().any(|one| self.on.contains(&one.event)) {
            let events = listed(last.iter().map(|one| one.event.name()));
            let message = format!("the last step is {events}, and the rule looks at none of them");
            let help = "add one of them to the rule's `on`: it fires on the event that completes it".to_owned();
            return self.fault(Fault::new(Code::NeverFires, node.span.clone(), message).help(help));
        }
        let early: Vec<Counted> = steps.iter().rev().skip(1).flat_map(|step| step.counted.iter().copied()).collect();
        let keys = self.key(spec, (&early, last, &counted), (by, matched));
        let params: Vec<serde_json::Value> =
            steps.iter().map(|step| serde_json::json!({ "times": step.times, "within_ms": step.within_ms })).collect();
        let operator = self.set_up_with(spec, &map, &node.span, (span_ms?, None), [("steps", params.into())]);
        let (operator, keys) = (operator?, keys?);
        let feed = |(one, key): (&Counted, Vec<_>)| {
            let of_step = |(number, step): (u8, &Written)| {
                let place = step.counted.iter().position(|other| other == one)?;
                Some(Step { number, filter: step.filters.get(place).cloned().flatten() })
            };
            Feed {
                event: one.event,
                key,
                firings_of: one.firings_of,
                filter: None,
                steps: (0..).zip(&steps).filter_map(of_step).collect(),
                of: None,
                exchange: None,
                sides: Sides::default(),
            }
        };
        let feeds = counted.iter().zip(keys.feeds).map(feed).collect();
        self.reads = keys.reads;
        Some((binding_of(operator, feeds, self.sources), Shape::Signal(spec)))
    }

    fn step(&mut self, spec: &OperatorSpec, node: &Node) -> Option<Written> {
        let (sources, broken, before) = (self.sources, self.broken, self.faults.len());
        let mut written = Written { counted: Vec::new(), filters: Vec::new(), times: 1, within_ms: None, within_span: 0..0 };
        if let NodeValue::Map(_) = node.value {
            let mut map = MapReader::new(node, "a step", self.faults)?;
            let (types, filter) = (map.required("on", self.faults), map.optional("where"));
            let (times, within) = (map.optional("times"), map.optional("within"));
            map.finish(self.faults);
            written.counted = types.map(|node| counted_types(node, "on", sources, broken, self.faults)).unwrap_or_default();
            written.times = times.map_or(Some(1), |node| self.times(node))?;
            if let Some(node) = within {
                written.within_ms = Some(self.duration(node, "`within`", WITHIN_MS)?);
                written.within_span = node.span.clone();
            }
            written.filters = match filter {
                None => vec![None; written.counted.len()],
                Some(node) => self.filters(node, &written.counted)?,
            };
        } else {
            written.counted = counted_types(node, spec.name, sources, broken, self.faults);
            written.filters = vec![None; written.counted.len()];
        }
        (self.faults.len() == before && !written.counted.is_empty()).then_some(written)
    }

    fn times(&mut self, node: &Node) -> Option<i64> {
        let named = self.param(node);
        if named.is_none() && crate::binding::is_param(node) {
            return None;
        }
        reader::whole(named.as_ref().unwrap_or(node), "`times`", TIMES, self.faults)
    }
}
