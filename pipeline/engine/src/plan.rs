//! What each event type sets in motion, worked out once for a ruleset: work per event grows with what its type
//! touches, not with the number of rules.

use rasid_compiler::ruleset::{Binding, KeyPart, Mode, Rule, Ruleset, Trigger};
use rasid_detectors::event::EventType;
use rasid_detectors::operator::Yields;

/// A ruleset, laid out for running.
pub(crate) struct Plan {
    pub(crate) ruleset: Ruleset,
    /// By event type number.
    types: Vec<TypePlan>,
    /// By binding: whether a rule that is not off reads it, or what counts its firings. What nobody reads is not fed either.
    pub(crate) used: Vec<bool>,
    /// Whether there is a second stage at all.
    pub(crate) has_second: bool,
}

/// What an event of one type does.
#[derive(Default)]
pub(crate) struct TypePlan {
    /// The different keys that its steps use.
    pub(crate) keys: Vec<Vec<KeyPart>>,
    /// The bindings that events feed, and that it feeds or reads, in the order of their numbers.
    pub(crate) steps: Vec<Step>,
    /// The same of the bindings that firings feed: the second stage, which comes when the first has been gathered.
    pub(crate) second: Vec<Step>,
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
    /// Of the second stage, the row's cell with the firing that it is fed; without one there it is not fed.
    pub(crate) firing: Option<usize>,
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
            ruleset.with_sources(trigger.reads.iter().copied()).into_iter().for_each(|binding| used[binding] = true);
        }
        let types = EventType::ALL.iter().map(|event| TypePlan::new(*event, &ruleset, &used)).collect();
        let has_second = ruleset.bindings.iter().zip(&used).any(|(binding, used)| *used && is_second(binding));
        Self { ruleset, types, used, has_second }
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

/// Whether a binding is of the second stage: fed by firings, at some type at least.
fn is_second(binding: &Binding) -> bool {
    binding.feeds.iter().any(|feed| feed.firings_of.is_some())
}

impl TypePlan {
    /// The steps of a stage.
    pub(crate) fn stage(&self, stage: Stage) -> &[Step] {
        match stage {
            Stage::First => &self.steps,
            Stage::Second => &self.second,
        }
    }
}

/// Which bindings are taken over a batch: those that events feed, then those that firings of the first feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    First,
    Second,
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
        // What fires is there before what counts its firings.
        let (first, second): (Vec<_>, Vec<_>) = ruleset.bindings.iter().enumerate().partition(|(_, binding)| !is_second(binding));
        // The bindings whose firings at this type something counts.
        let counted: Vec<usize> = second
            .iter()
            .filter(|(number, _)| used[*number])
            .flat_map(|(_, binding)| &binding.feeds)
            .filter(|feed| feed.event == event)
            .filter_map(|feed| feed.firings_of)
            .collect();
        for (number, binding) in first.into_iter().chain(second) {
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
            let kept = read || counted.contains(&number);
            let cell = kept.then_some(plan.cells);
            plan.cells += usize::from(kept);
            cell_of[number] = cell;
            let source = feed.and_then(|feed| binding.feeds[feed].firings_of);
            let firing = source.and_then(|source| cell_of[source]);
            let steps = if is_second(binding) { &mut plan.second } else { &mut plan.steps };
            steps.push(Step { binding: number, key, feed, firing, cell });
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
