//! What each event type sets in motion, worked out once for a ruleset: work per event grows with what its type
//! touches, not with the number of rules.

use rasid_compiler::ruleset::{KeyPart, Mode, Rule, Ruleset, Trigger};
use rasid_detectors::event::EventType;
use rasid_detectors::operator::Yields;

/// A ruleset, laid out for running.
pub(crate) struct Plan {
    pub(crate) ruleset: Ruleset,
    /// By event type number.
    types: Vec<TypePlan>,
    /// By binding: whether a rule that is not off reads it. What nobody reads is not fed either.
    pub(crate) used: Vec<bool>,
}

/// What an event of one type does.
#[derive(Default)]
pub(crate) struct TypePlan {
    /// The different keys that its steps use.
    pub(crate) keys: Vec<Vec<KeyPart>>,
    /// The bindings it feeds or reads, in the order of their numbers.
    pub(crate) steps: Vec<Step>,
    /// The rules it may hit, in the order of their ids.
    pub(crate) triggers: Vec<TriggerPlan>,
    /// How many values its row gathers.
    pub(crate) cells: usize,
}

/// One binding at one event type.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    /// Which binding.
    pub(crate) binding: usize,
    /// Which of the type's keys.
    pub(crate) key: usize,
    /// Which of the binding's feeds, if events of this type change it.
    pub(crate) feed: Option<usize>,
    /// The row's cell that its value goes to, if a condition reads it here.
    pub(crate) cell: Option<usize>,
}

/// One rule at one event type.
pub(crate) struct TriggerPlan {
    pub(crate) rule: usize,
    trigger: usize,
    /// For each binding that the trigger reads, the row's cell with its value; `None` where this type never has one.
    pub(crate) cells: Vec<Option<usize>>,
}

impl Plan {
    pub(crate) fn new(ruleset: Ruleset) -> Self {
        let mut used = vec![false; ruleset.bindings.len()];
        for trigger in ruleset.rules.iter().filter(|rule| is_live(rule)).flat_map(|rule| &rule.triggers) {
            trigger.reads.iter().for_each(|binding| used[*binding] = true);
        }
        let types = EventType::ALL.iter().map(|event| TypePlan::new(*event, &ruleset, &used)).collect();
        Self { ruleset, types, used }
    }

    /// What an event of that type does.
    pub(crate) fn of(&self, event: EventType) -> &TypePlan {
        &self.types[event as usize]
    }

    /// The rule and the program that a trigger plan stands for.
    pub(crate) fn trigger(&self, plan: &TriggerPlan) -> (&Rule, &Trigger) {
        let rule = &self.ruleset.rules[plan.rule];
        (rule, &rule.triggers[plan.trigger])
    }
}

fn is_live(rule: &Rule) -> bool {
    rule.mode != Mode::Off
}

impl TypePlan {
    fn new(event: EventType, ruleset: &Ruleset, used: &[bool]) -> Self {
        let mut plan = Self::default();
        // (rule, trigger) of this type
        let mine: Vec<(usize, usize)> = ruleset
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| is_live(rule))
            .flat_map(|(index, rule)| rule.triggers.iter().enumerate().filter(|(_, t)| t.event == event).map(move |(t, _)| (index, t)))
            .collect();
        let mut cell_of = vec![None; ruleset.bindings.len()];
        for (number, binding) in ruleset.bindings.iter().enumerate() {
            let read = mine.iter().any(|(rule, trigger)| ruleset.rules[*rule].triggers[*trigger].reads.contains(&number));
            let feed = binding.feeds.iter().position(|feed| feed.event == event);
            // A detector says something only about the events it looks at.
            let read = read && (feed.is_some() || !matches!(binding.operator.spec().yields, Yields::Signal(_)));
            let Some((_, parts)) = binding.keys.iter().find(|(other, _)| *other == event) else { continue };
            if !used[number] || (feed.is_none() && !read) {
                continue;
            }
            let key = plan.keys.iter().position(|known| known == parts).unwrap_or_else(|| {
                plan.keys.push(parts.clone());
                plan.keys.len() - 1
            });
            let cell = read.then_some(plan.cells);
            plan.cells += usize::from(read);
            cell_of[number] = cell;
            plan.steps.push(Step { binding: number, key, feed, cell });
        }
        plan.triggers = mine
            .into_iter()
            .map(|(rule, trigger)| {
                let cells = ruleset.rules[rule].triggers[trigger].reads.iter().map(|binding| cell_of[*binding]).collect();
                TriggerPlan { rule, trigger, cells }
            })
            .collect();
        plan
    }
}
