//! What each event type sets in motion, worked out once for a ruleset: work per event grows with what its type
//! touches, not with the number of rules.

use std::collections::HashMap;
use std::sync::OnceLock;

use rasid_compiler::expression::{EvalError, Expr, Keyed, List, ListId};
use rasid_compiler::is_hit;
use rasid_compiler::ruleset::{Binding, EntityField, KeyPart, Mode, Rule, Ruleset, Trigger};
use rasid_detectors::entity::KeyHasher;
use rasid_detectors::event::EventType;
use rasid_detectors::event::columns::StandIn;
use rasid_detectors::operator::{Form, Of};
use smallvec::SmallVec;

use crate::batch::At;
use crate::condition::EventScope;
use crate::population::end_of_minute;
use crate::scatter::is_region;

/// A ruleset, laid out for running.
pub(crate) struct Plan {
    pub(crate) ruleset: Ruleset,
    /// By event type number.
    types: Vec<TypePlan>,
    /// By binding: whether a rule that is not off reads it, or what counts its firings. What nobody reads is not fed either.
    pub(crate) used: Vec<bool>,
    /// Whether there is a second stage at all.
    pub(crate) has_second: bool,
    /// The bindings whose time alone makes them fire.
    pub(crate) timers: Vec<usize>,
    /// The shortest of their windows, ms.
    timer_ms: Option<i64>,
    /// Whether a binding has one state for all keys.
    has_populations: bool,
    /// Whether a rule reads scores.
    pub(crate) reads_scores: bool,
    hasher: KeyHasher,
    /// The lists by keys, from the first stand-in on that is looked for in one.
    lists: OnceLock<HashMap<ListId, Keyed>>,
}

/// How far a segment of the stream may go.
pub(crate) struct Span {
    /// The latest clock of its rows, ms.
    pub(crate) last_ms: i64,
    /// What is due in it is due before this, ms.
    pub(crate) end_ms: i64,
}

/// What an event of one type does.
#[derive(Default)]
pub(crate) struct TypePlan {
    /// The different keys that its steps use.
    pub(crate) keys: Vec<Vec<KeyPart>>,
    /// The different parts of those, and the entities that its feeds look at.
    pub(crate) parts: Vec<KeyPart>,
    /// The parts of those keys that have several, by their numbers. What such a row is laid out with are all parts, then these keys.
    pub(crate) joined: Vec<SmallVec<[usize; 4]>>,
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
pub(crate) struct Step {
    /// Which binding.
    pub(crate) binding: usize,
    /// Which of the type's keys.
    pub(crate) key: usize,
    /// Where that is among what the row is laid out with.
    pub(crate) key_at: usize,
    /// Which of the binding's feeds, if events of this type change it.
    pub(crate) feed: Option<usize>,
    /// Which of the type's parts of keys is that of the entity that the feed looks at, if it looks at one.
    pub(crate) value: Option<usize>,
    /// The same feed, where it hangs on the event whether that changes it.
    pub(crate) asks: Option<usize>,
    /// Of the second stage, the row's cell with the firing that it is fed; without one there it is not fed.
    pub(crate) firing: Option<usize>,
    /// The row's cell that its value goes to, if a condition reads it here.
    pub(crate) cell: Option<usize>,
    /// The triggers that read it.
    pub(crate) readers: SmallVec<[usize; 4]>,
    /// Whether that is read whatever the conditions: what counts firings reads it.
    pub(crate) is_counted: bool,
    /// Whose state it is.
    pub(crate) whose: Whose,
    /// Whether what feeds it feeds its neighbours too: its key has a region.
    pub(crate) is_spread: bool,
    /// Whether it looks into raw values.
    pub(crate) needs_raw: bool,
}

/// Whose state a step touches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// That of its key.
    Key,
    /// The one of all keys.
    All,
    /// The same, which it reads under its key and does not feed.
    AllUnderKey,
}

/// One rule at one event type.
pub(crate) struct TriggerPlan {
    pub(crate) rule: usize,
    trigger: usize,
    /// For each binding that the trigger reads, the row's cell with its value; `None` where this type never has one.
    pub(crate) cells: Vec<Option<usize>>,
    /// The bindings whose timers bring an event back for it.
    timers: Vec<usize>,
    /// Whether something that it reads looks into raw values.
    needs_raw: bool,
    /// Whether its rule reads scores, and is judged after those that do not.
    pub(crate) reads_score: bool,
    /// What its programs' conditions come to at the least, by the event alone; `None` where one of them hangs on state from the
    /// beginning.
    guards: Option<Vec<Expr>>,
}

impl TriggerPlan {
    /// Whether a condition may hold at an event, as far as that alone tells: where none may, nothing need be read for it.
    #[inline]
    pub(crate) fn may_hold(&self, scope: &EventScope<'_, '_>) -> bool {
        self.guards.as_ref().is_none_or(|guards| guards.iter().any(|guard| is_hit(guard, scope) != Ok(false)))
    }
}

impl Stage {
    /// Those that there are, one after the other.
    pub(crate) fn all(plan: &Plan) -> impl Iterator<Item = Self> + use<> {
        [Self::First, Self::Second].into_iter().take(if plan.has_second { 2 } else { 1 })
    }
}

impl Plan {
    pub(crate) fn new(ruleset: Ruleset, hasher: KeyHasher) -> Self {
        let mut used = vec![false; ruleset.bindings.len()];
        for trigger in ruleset.rules.iter().filter(|rule| is_live(rule)).flat_map(|rule| &rule.triggers) {
            ruleset.with_sources(trigger.reads.iter().map(|read| read.binding)).into_iter().for_each(|binding| used[binding] = true);
        }
        let types: Vec<TypePlan> = EventType::ALL.iter().map(|event| TypePlan::new(*event, &ruleset, &used)).collect();
        let of_form = |is: fn(Form) -> bool| {
            let bindings = ruleset.bindings.iter().zip(&used).enumerate();
            bindings.filter(move |(_, (binding, used))| **used && is(binding.operator.spec().form)).map(|(number, _)| number)
        };
        let timers: Vec<usize> = of_form(|form| form == Form::Timer).collect();
        let timer_ms = timers.iter().map(|number| ruleset.bindings[*number].window_ms).min();
        let has_populations = of_form(Form::is_of_all).next().is_some();
        let has_second = ruleset.bindings.iter().zip(&used).any(|(binding, used)| *used && is_second(binding));
        let reads_scores = types.iter().flat_map(|of| &of.triggers).any(|trigger| trigger.reads_score);
        Self { ruleset, types, used, has_second, timers, timer_ms, has_populations, reads_scores, hasher, lists: OnceLock::new() }
    }

    /// Whether a list holds what a stand-in stands for.
    pub(crate) fn listed(&self, list: &List, stand_in: &StandIn, at_ms: i64) -> Result<bool, EvalError> {
        let keyed = |list: &List| Some((list.id(), list.keyed(&self.hasher)?));
        let lists = self.lists.get_or_init(|| self.ruleset.lists().into_iter().filter_map(keyed).collect());
        lists.get(&list.id()).and_then(|keyed| keyed.holds(stand_in, at_ms)).ok_or(EvalError::StandIn)
    }

    /// Whether a rule looks at alerts.
    pub(crate) fn looks_at_alerts(&self) -> bool {
        !self.of(EventType::AlertOpened).triggers.is_empty()
    }

    /// Whether the stream is cut into segments at all.
    pub(crate) fn cuts(&self) -> bool {
        self.timer_ms.is_some() || self.has_populations
    }

    /// How far a segment may go that begins at that clock: not to where a timer may be due that is armed in it, nor over the
    /// end of a minute where that closes something.
    pub(crate) fn span(&self, from_ms: i64) -> Span {
        let timer_ms = self.timer_ms.map_or(i64::MAX, |timer_ms| from_ms.saturating_add(timer_ms));
        let minute_ms = if self.has_populations { end_of_minute(from_ms) } else { i64::MAX };
        Span { last_ms: timer_ms.min(minute_ms.saturating_sub(1)), end_ms: timer_ms.min(minute_ms) }
    }

    /// What an event of that type does.
    pub(crate) fn of(&self, event: EventType) -> &TypePlan {
        &self.types[event as usize]
    }

    /// Whether something that the rule reads looks into raw values.
    pub(crate) fn needs_raw(&self, rule: &Rule) -> bool {
        rule.triggers.iter().any(|trigger| self.ruleset.needs_raw(trigger))
    }

    /// The rule and the program that a trigger plan stands for.
    pub(crate) fn trigger(&self, plan: &TriggerPlan) -> (&Rule, &Trigger) {
        let rule = &self.ruleset.rules[plan.rule];
        (rule, &rule.triggers[plan.trigger])
    }
}

/// Whether a binding is of the second stage: fed by firings, at some type at least.
pub(crate) fn is_second(binding: &Binding) -> bool {
    binding.feeds.iter().any(|feed| feed.firings_of.is_some())
}

impl TypePlan {
    /// Whether events of the type change nothing and ask nothing.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.steps.is_empty() && self.second.is_empty() && self.triggers.is_empty()
    }

    /// Whether something is fed by an event out of columns, or asked at one.
    pub(crate) fn reads_columns(&self) -> bool {
        self.steps.iter().chain(&self.second).any(|step| !step.needs_raw) || self.triggers.iter().any(|trigger| !trigger.needs_raw)
    }

    /// The rules that an event may hit, with their numbers: all of the type; of one that a timer brings back, those that read it
    /// or what counts its firings; of one out of columns, those that need nothing raw.
    pub(crate) fn triggers_at(&self, At { row, mark }: At<'_, '_>) -> impl Iterator<Item = (usize, &TriggerPlan)> {
        let (due, is_raw) = (mark.due.map(usize::from), row.is_raw());
        let is_asked =
            move |trigger: &TriggerPlan| due.is_none_or(|binding| trigger.timers.contains(&binding)) && (is_raw || !trigger.needs_raw);
        self.triggers.iter().enumerate().filter(move |(_, trigger)| is_asked(trigger))
    }

    /// The step by which a binding is fed at events of the type, where it is.
    pub(crate) fn step_of(&self, binding: usize) -> Option<&Step> {
        self.steps.iter().chain(&self.second).find(|step| step.binding == binding && step.feed.is_some())
    }

    /// The row's cell of what fires at events of the type, where something reads it.
    pub(crate) fn cell_of(&self, binding: usize) -> Option<usize> {
        self.step_of(binding).and_then(|step| step.cell)
    }

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
        // By binding: the keys under which the rules read it here.
        let mut read_under: Vec<Vec<&[KeyPart]>> = vec![Vec::new(); ruleset.bindings.len()];
        for read in mine.iter().flat_map(|(rule, trigger)| &ruleset.rules[*rule].triggers[*trigger].reads) {
            read_under[read.binding].extend(read.key.as_deref());
        }
        // By binding: the keys under which it is read here, each with its cell.
        let mut cells: Vec<Vec<(&[KeyPart], usize)>> = vec![Vec::new(); ruleset.bindings.len()];
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
        for (number, binding) in first.into_iter().chain(second).filter(|(number, _)| used[*number]) {
            let feed = binding.feeds.iter().position(|feed| feed.event == event);
            let own = feed.map(|feed| binding.feeds[feed].key.as_slice());
            let mut keys = std::mem::take(&mut read_under[number]);
            // A detector says something only about the events it looks at.
            keys.retain(|key| !binding.operator.spec().yields.fires() || Some(*key) == own);
            keys.extend(own.filter(|_| counted.contains(&number)));
            keys.sort_unstable();
            keys.dedup();
            // An event that changes the state under one key and reads it under another does first what the operator does.
            let others = keys.iter().copied().filter(|key| Some(*key) != own);
            let mut visits: Vec<(&[KeyPart], Option<usize>)> =
                own.into_iter().map(|key| (key, feed)).chain(others.map(|key| (key, None))).collect();
            if binding.operator.spec().reads_before {
                visits.sort_by_key(|(_, feed)| feed.is_some());
            }
            for (parts, feed) in visits {
                let key = number_of(&mut plan.keys, parts.to_vec());
                let cell = keys.contains(&parts).then_some(plan.cells);
                plan.cells += usize::from(cell.is_some());
                cells[number].extend(cell.map(|cell| (parts, cell)));
                let source = feed.and_then(|feed| binding.feeds[feed].firings_of);
                let firing = source.and_then(|source| {
                    let fires = ruleset.bindings[source].feeds.iter().find(|feed| feed.event == event)?;
                    cell_under(&cells[source], &fires.key)
                });
                let steps = if is_second(binding) { &mut plan.second } else { &mut plan.steps };
                let spec = binding.operator.spec();
                let whose = match spec.form {
                    Form::Keyed | Form::Timer => Whose::Key,
                    Form::Graph if feed.is_none() => Whose::AllUnderKey,
                    Form::Population | Form::Graph => Whose::All,
                };
                // What fires would do so once for each of them.
                let is_spread = !spec.yields.fires() && feed.is_some() && parts.iter().any(|part| is_region(*part));
                let is_counted = counted.contains(&number);
                let value = feed.and_then(|feed| match binding.feeds[feed].of {
                    Some(Of::Field { path, kind: Some(kind) }) => {
                        Some(number_of(&mut plan.parts, KeyPart::Entity(EntityField { kind, path: Some(path) })))
                    }
                    _ => None,
                });
                steps.push(Step {
                    binding: number,
                    key,
                    key_at: 0,
                    feed,
                    value,
                    asks: feed.filter(|feed| !binding.feeds[*feed].is_plain()),
                    firing,
                    cell,
                    readers: SmallVec::new(),
                    is_counted,
                    whose,
                    is_spread,
                    needs_raw: spec.needs_raw,
                });
            }
        }
        plan.triggers = mine
            .into_iter()
            .map(|(rule, trigger)| {
                let reads = &ruleset.rules[rule].triggers[trigger].reads;
                let cells = reads.iter().map(|read| cell_under(&cells[read.binding], read.key.as_deref()?)).collect();
                let mut timers = ruleset.with_sources(reads.iter().map(|read| read.binding));
                timers.retain(|binding| ruleset.bindings[*binding].operator.spec().form == Form::Timer);
                let needs_raw = ruleset.needs_raw(&ruleset.rules[rule].triggers[trigger]);
                let reads_score = ruleset.rules[rule].reads_score();
                let guards = ruleset.rules[rule].triggers[trigger].programs.iter().map(|program| program.when.guard()).collect();
                TriggerPlan { rule, trigger, cells, timers, needs_raw, reads_score, guards }
            })
            .collect();
        plan.lay_out();
        plan
    }

    /// Says where its steps find their keys, and who reads what they give.
    fn lay_out(&mut self) {
        let Self { keys, parts, joined, steps, second, triggers, .. } = self;
        let numbers: Vec<SmallVec<[usize; 4]>> = keys.iter().map(|key| key.iter().map(|part| number_of(parts, *part)).collect()).collect();
        let mut place = |numbers: SmallVec<[usize; 4]>| {
            if let [part] = numbers.as_slice() {
                return *part;
            }
            joined.push(numbers);
            parts.len() + joined.len() - 1
        };
        let places: Vec<usize> = numbers.into_iter().map(&mut place).collect();
        for step in steps.iter_mut().chain(second) {
            step.key_at = places[step.key];
            let reads = |trigger: &TriggerPlan| step.cell.is_some() && trigger.cells.contains(&step.cell);
            step.readers = triggers.iter().enumerate().filter(|(_, trigger)| reads(trigger)).map(|(number, _)| number).collect();
        }
    }
}

/// The number of something among what is known, to which it is added if need be.
fn number_of<T: PartialEq>(known: &mut Vec<T>, one: T) -> usize {
    known.iter().position(|other| *other == one).unwrap_or_else(|| {
        known.push(one);
        known.len() - 1
    })
}

/// The cell of what is read under that key.
fn cell_under(cells: &[(&[KeyPart], usize)], key: &[KeyPart]) -> Option<usize> {
    cells.iter().find(|(other, _)| *other == key).map(|(_, cell)| *cell)
}
