//! What rules cost, before they run: the memory of each binding for one key, and instructions for one event. Memory is counted as the
//! bound on it counts; instructions are an estimate, from those of the benchmarks on record.

mod instructions;

use std::collections::{BTreeMap, BTreeSet};

use rasid_compiler::expression::Expr;
use rasid_compiler::ruleset::{Binding, EntityField, KeyPart, Mode, Program, Rule, Ruleset};
use rasid_detectors::entity::{EntityKind, KeyHasher};
use rasid_detectors::event::{EventType, field};

pub use self::instructions::{EVENTS_COUNTED, RECORDS_COUNTED};
use crate::operator_table::entry_bytes;
use crate::plan::{Plan, Step};

/// What a ruleset costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Each binding that a rule reads, once, however many do.
    pub bindings: Vec<BindingCost>,
    /// Each rule that is not off, in order.
    pub rules: Vec<RuleCost>,
    /// What all of them take for an event, by type, reading the record included; types that touch no rule are left out.
    pub events: Vec<EventCost>,
}

/// Bytes that the memory bound counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// For one key with one event in the window.
    pub first: usize,
    /// For one key at the most, however busy it is.
    pub most: usize,
}

impl Bytes {
    /// That of so many keys.
    #[must_use]
    pub fn times(self, keys: usize) -> Self {
        Self { first: self.first.saturating_mul(keys), most: self.most.saturating_mul(keys) }
    }
}

/// One piece of keyed state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingCost {
    /// What it computes: `count`.
    pub operator: &'static str,
    /// The window, ms; 0 for a detector, which keeps its own time.
    pub window_ms: i64,
    /// What has a state of its own: `phone`, `user, data.method`; empty where there is one for all.
    pub by: String,
    /// What a state takes.
    pub bytes: Bytes,
    /// The rules that read it.
    pub rules: Vec<String>,
}

/// What one rule costs, with all that it shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCost {
    /// Its id.
    pub rule: String,
    /// What it reads, by index into [`Cost::bindings`], in the order of its `let`.
    pub reads: Vec<Reading>,
    /// What it takes for an event, by type, without reading the record.
    pub events: Vec<EventCost>,
}

/// A binding as a rule names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its name in `let`; the operator's, where it is not shown or is fed to another.
    pub name: String,
    /// Its index into [`Cost::bindings`].
    pub binding: usize,
    /// Whether it is there for an override alone, whose parameters it is made with.
    pub of_override: bool,
}

/// What an event takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventCost {
    /// Its type.
    pub event: EventType,
    /// About how many instructions.
    pub instructions: u64,
}

impl Cost {
    /// What one key of each binding takes together, each binding counted once.
    pub fn bytes(&self) -> Bytes {
        sum(self.bindings.iter())
    }

    /// The same by what has a state of its own: what a phone takes, what a user takes.
    pub fn bytes_by(&self) -> BTreeMap<&str, Bytes> {
        let keys: BTreeSet<&str> = self.bindings.iter().map(|binding| binding.by.as_str()).filter(|by| !by.is_empty()).collect();
        keys.into_iter().map(|by| (by, sum(self.bindings.iter().filter(|binding| binding.by == by)))).collect()
    }

    /// The same of what one rule reads.
    pub fn bytes_of(&self, rule: &RuleCost) -> Bytes {
        let read: BTreeSet<usize> = rule.reads.iter().map(|reading| reading.binding).collect();
        sum(read.into_iter().filter_map(|binding| self.bindings.get(binding)))
    }
}

/// What has one state for all keys does not grow with them.
fn sum<'a>(bindings: impl Iterator<Item = &'a BindingCost>) -> Bytes {
    bindings
        .filter(|binding| !binding.by.is_empty())
        .fold(Bytes::default(), |all, BindingCost { bytes, .. }| Bytes { first: all.first + bytes.first, most: all.most + bytes.most })
}

/// What a ruleset costs. Rules that are off cost nothing.
pub fn cost(ruleset: &Ruleset) -> Cost {
    let plan = Plan::new(ruleset.clone(), KeyHasher::new([0; 16]));
    let used: Vec<usize> = (0..ruleset.bindings.len()).filter(|binding| plan.used[*binding]).collect();
    let place = |binding: usize| used.binary_search(&binding).ok();
    let live: Vec<&Rule> = ruleset.rules.iter().filter(|rule| rule.mode != Mode::Off).collect();
    let rules: Vec<RuleCost> = live
        .iter()
        .map(|rule| {
            let mut reads = readings(ruleset, rule);
            reads.retain_mut(|reading| {
                place(reading.binding).is_some_and(|place| {
                    reading.binding = place;
                    true
                })
            });
            let own = |step: &Step| place(step.binding).is_some_and(|place| reads.iter().any(|reading| reading.binding == place));
            let events = EventType::ALL.iter().filter_map(|event| {
                let conditions = rule.triggers.iter().filter(|trigger| trigger.event == *event).map(|trigger| condition(&trigger.programs));
                let instructions = steps(&plan, *event, own) + conditions.sum::<u64>();
                (instructions > 0).then_some(EventCost { event: *event, instructions })
            });
            RuleCost { rule: rule.id.clone(), events: events.collect(), reads }
        })
        .collect();
    let bindings = used.iter().enumerate().map(|(number, binding)| {
        let binding = &ruleset.bindings[*binding];
        let reads = |rule: &&RuleCost| rule.reads.iter().any(|reading| reading.binding == number);
        BindingCost {
            operator: binding.operator.spec().name,
            window_ms: binding.window_ms,
            by: key(binding),
            bytes: entry_bytes(binding),
            rules: rules.iter().filter(reads).map(|rule| rule.rule.clone()).collect(),
        }
    });
    let events = EventType::ALL.iter().filter_map(|event| {
        let triggers = live.iter().flat_map(|rule| &rule.triggers).filter(|trigger| trigger.event == *event);
        let touched = steps(&plan, *event, |_| true) + triggers.map(|trigger| condition(&trigger.programs)).sum::<u64>();
        (touched > 0).then(|| EventCost { event: *event, instructions: touched + instructions::of_record(*event) })
    });
    Cost { bindings: bindings.collect(), events: events.collect(), rules }
}

/// What feeding and reading some of an event's bindings takes.
fn steps(plan: &Plan, event: EventType, of: impl Fn(&Step) -> bool) -> u64 {
    let of_type = plan.of(event);
    let steps = of_type.steps.iter().chain(&of_type.second).filter(|step| of(step));
    let each = steps.map(|step| {
        let operator = plan.ruleset.bindings[step.binding].operator.spec().name;
        let fed = if step.feed.is_some() { instructions::of_operator(operator, "feed") } else { 0 };
        let read = if step.cell.is_some() { instructions::of_operator(operator, "read") } else { 0 };
        fed + read
    });
    each.sum()
}

/// What a condition takes: that of the rule itself, and the `if` of every override before it.
fn condition(programs: &[Program]) -> u64 {
    let asked = programs.iter().filter_map(|program| program.applies.as_ref());
    asked.chain(programs.last().map(|program| &program.when)).map(instructions::of_condition).sum()
}

/// Everything that a rule reads: what its own condition does first, then what is there for an override alone, then what feeds them.
fn readings(ruleset: &Ruleset, rule: &Rule) -> Vec<Reading> {
    let mut found: Vec<Reading> = Vec::new();
    for trigger in &rule.triggers {
        let (own, others) = trigger.programs.split_last().map_or((None, [].as_slice()), |(own, others)| (Some(own), others));
        for (program, of_override) in own.into_iter().map(|own| (own, false)).chain(others.iter().map(|other| (other, true))) {
            for shown in &program.shown {
                let (Expr::Binding(read) | Expr::Fired(read)) = shown.value else { continue };
                let Some(read) = trigger.reads.get(read) else { continue };
                let name = shown.name.trim_end_matches(".fired").to_owned();
                if found.iter().all(|reading| reading.binding != read.binding) {
                    found.push(Reading { name, binding: read.binding, of_override });
                }
            }
        }
    }
    let all = ruleset.with_sources(rule.triggers.iter().flat_map(|trigger| trigger.reads.iter().map(|read| read.binding)));
    for binding in all {
        if found.iter().all(|reading| reading.binding != binding) {
            let name = ruleset.bindings[binding].operator.spec().name.to_owned();
            found.push(Reading { name, binding, of_override: false });
        }
    }
    found
}

/// What has a state of its own, in a rule's words.
fn key(binding: &Binding) -> String {
    if binding.operator.spec().form.is_of_all() {
        return String::new();
    }
    let Some(feed) = binding.feeds.first() else { return String::new() };
    let named = |path| field::at(feed.event.fields(), path).map_or("", |spec| spec.name);
    let kinds: Vec<EntityKind> =
        feed.key.iter().filter_map(|part| if let KeyPart::Entity(entity) = part { Some(entity.kind) } else { None }).collect();
    let part = |part: &KeyPart| match part {
        // Two people are told apart by their fields.
        KeyPart::Entity(EntityField { kind, path: Some(path) }) if kinds.iter().filter(|other| *other == kind).count() > 1 => {
            format!("{}({})", kind.name(), named(*path))
        }
        KeyPart::Entity(entity) => entity.kind.name().to_owned(),
        KeyPart::Value(path) => format!("data.{}", named(*path)),
    };
    feed.key.iter().map(part).collect::<Vec<_>>().join(", ")
}
