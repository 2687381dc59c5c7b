//! From rows to shards: which state each event reads and changes, and under which key.

use std::borrow::Cow;

use rasid_compiler::expression::{EvalError, Expr, List, Scope};
use rasid_compiler::is_hit;
use rasid_compiler::ruleset::{EntityField, Feed, KeyPart};
use rasid_detectors::entity::{EntityKind, KeyHasher};
use rasid_detectors::event::columns::StandIn;
use rasid_detectors::event::envelope::{unknown_field, unknown_list};
use rasid_detectors::event::position;
use rasid_detectors::event::{Data, Event};
use rasid_detectors::value::{OwnedValue, Value};
use smallvec::SmallVec;

use crate::batch::{Cell, Chunk};
use crate::condition::EventScope;
use crate::plan::{Plan, Stage, Whose};
use crate::population::Populations;

/// Shards of keyed state, whatever the threads.
pub(crate) const SHARDS: usize = 256;

/// One step of one row.
#[derive(Clone, Copy)]
pub(crate) struct Item {
    pub(crate) key: u64,
    pub(crate) chunk: u32,
    pub(crate) row: u32,
    pub(crate) step: u16,
    /// The step's binding.
    pub(crate) binding: u16,
    /// Where the event changes the binding: as what.
    pub(crate) fed: Option<Fed>,
    /// Whether the step's value is read here: not at the neighbours of the event's region.
    pub(crate) reads: bool,
    /// Whether the binding's timer brought the event back.
    pub(crate) due: bool,
}

/// As what an event changes a binding: one bit for each step whose filter holds, the lowest for the feed's own filter where it has
/// no steps; a ratio counts what that does not hold for below the line.
#[derive(Clone, Copy)]
pub(crate) struct Fed(u8);

impl Fed {
    /// Whether the feed's filter holds.
    pub(crate) fn holds(self) -> bool {
        self.0 & 1 != 0
    }

    /// The steps whose filter holds.
    pub(crate) fn steps(self) -> u8 {
        self.0
    }
}

/// What scattering one chunk gives: items in stream order, and what could not be evaluated.
#[derive(Default)]
pub(crate) struct Scattered {
    pub(crate) items: Vec<Item>,
    /// `where` conditions that failed to give a value, and amounts that could not be converted; such an event does not feed the binding.
    pub(crate) filter_errors: u64,
}

/// Lays out the cells of a chunk's rows, asks which conditions may hold as far as the events alone tell, and finds the keys of a
/// stage's steps. An event that a timer brings back feeds nothing a second time; its firing does. What no condition that may hold
/// reads is not read, but where all of it is to be traced.
pub(crate) fn scatter(
    chunk: &mut Chunk<'_, '_>,
    number: usize,
    stage: Stage,
    plan: &Plan,
    populations: &Populations,
    hasher: &KeyHasher,
    is_traced: bool,
) -> Scattered {
    let mut out = Scattered::default();
    let Chunk { records, rows, marks, laid } = chunk;
    for (index, (row, mark)) in rows.iter().zip(marks).enumerate().filter(|(_, (_, mark))| mark.live) {
        let plan_of_type = plan.of(row.event.data.event_type());
        if plan_of_type.is_idle() {
            continue;
        }
        let steps = plan_of_type.stage(stage);
        if stage == Stage::First {
            mark.begins = laid.end();
            laid.cells.resize_with(laid.cells.len() + plan_of_type.cells, Cell::default);
            let scope = EventScope { plan, event: &row.event, at_ms: row.at_ms, record: records[row.record].bytes, firing: None };
            laid.asked.extend(plan_of_type.triggers.iter().map(|trigger| is_traced || trigger.may_hold(&scope)));
            laid.parts.extend(plan_of_type.parts.iter().map(|part| key_of_part(&row.event, *part, hasher)));
            for of in &plan_of_type.joined {
                let key = combined(of.iter().map(|part| laid.parts[mark.begins.parts + part]), hasher);
                laid.parts.push(key);
            }
        }
        if steps.is_empty() {
            continue;
        }
        let (cells, asked) = (&mut laid.cells[mark.begins.cells..], &laid.asked[mark.begins.asked..]);
        let parts = &laid.parts[mark.begins.parts..];
        let is_all = is_traced || mark.due.is_some();
        // What is fed comes before what is read of it.
        let mut fed_of_all = None;
        for (step_number, step) in steps.iter().enumerate() {
            let is_read = || is_all || step.readers.iter().any(|trigger| asked[*trigger]);
            let is_needed = step.is_counted || (step.cell.is_some() && is_read());
            if !is_needed && step.feed.is_none() {
                continue;
            }
            let key = if step.whose == Whose::All { Some(row.identity) } else { parts[step.key_at] };
            let Some(key) = key else {
                if let Some(cell) = step.cell {
                    cells[cell] = Cell::NoEntity;
                }
                continue;
            };
            let fed = match step.asks {
                _ if step.feed.is_none() || (step.needs_raw && !row.is_raw()) => None,
                None => mark.due.is_none().then_some(Fed(1)),
                Some(feed) => {
                    let firing = match step.firing.map(|cell| &cells[cell]) {
                        Some(Cell::Signal(signal)) => Some(signal.as_ref()),
                        _ => None,
                    };
                    let scope = EventScope { plan, event: &row.event, at_ms: row.at_ms, record: records[row.record].bytes, firing };
                    fed_by(&plan.ruleset.bindings[step.binding].feeds[feed], &scope, mark.due.is_some(), &mut out.filter_errors)
                }
            };
            match (step.whose, step.cell) {
                (Whose::All, Some(cell)) if is_needed => cells[cell] = populations.read(step.binding),
                (Whose::AllUnderKey, Some(cell)) if is_needed => {
                    let event = (fed_of_all == Some(step.binding)).then_some((&row.event, hasher));
                    cells[cell] = populations.read_under(step.binding, key, event);
                }
                _ => {}
            }
            if fed.is_some() && step.whose == Whose::All {
                fed_of_all = Some(step.binding);
            }
            let due = mark.due.is_some_and(|binding| usize::from(binding) == step.binding);
            let reads = is_needed && step.cell.is_some() && step.whose == Whose::Key;
            if fed.is_some() || due || reads {
                #[expect(clippy::cast_possible_truncation, reason = "a batch has far fewer than 2^32 rows, a plan than 2^16 bindings")]
                let item = Item {
                    key,
                    chunk: number as u32,
                    row: index as u32,
                    step: step_number as u16,
                    binding: step.binding as u16,
                    fed,
                    reads,
                    due,
                };
                out.items.push(item);
                if fed.is_some() && step.is_spread {
                    let others = neighbours(&row.event, &plan_of_type.keys[step.key], hasher);
                    out.items.extend(others.map(|key| Item { key, reads: false, ..item }));
                }
            }
        }
    }
    out
}

/// As what an event changes a binding; `None` where it does not.
fn fed_by(feed: &Feed, scope: &EventScope<'_, '_>, is_due: bool, errors: &mut u64) -> Option<Fed> {
    let is_seen = if feed.firings_of.is_some() { scope.firing.is_some() } else { !is_due };
    if !is_seen {
        return None;
    }
    let mut holds = |filter: Option<&Expr>| {
        filter.is_none_or(|filter| {
            is_hit(filter, scope).unwrap_or_else(|_| {
                *errors += 1;
                false
            })
        })
    };
    let bits = if feed.steps.is_empty() {
        u8::from(holds(feed.filter.as_ref()))
    } else {
        feed.steps.iter().filter(|step| holds(step.filter.as_ref())).fold(0, |bits, step| bits | 1 << step.number)
    };
    let is_lost = bits != 0 && feed.amount(scope.event, scope.at_ms) == Some(None);
    *errors += u64::from(is_lost);
    let bits = if is_lost { 0 } else { bits };
    (bits != 0 || feed.sides.below).then_some(Fed(bits))
}

/// Items by shard, each shard's in stream order.
pub(crate) struct ByShard {
    items: Vec<Item>,
    /// Where each shard's items begin; one more than there are shards.
    begins: Vec<usize>,
}

impl ByShard {
    /// Sorts items, which are in stream order, by shard (a counting sort, so that order within a shard stays).
    pub(crate) fn new(scattered: &[Scattered]) -> Self {
        let mut begins = vec![0; SHARDS + 1];
        for item in scattered.iter().flat_map(|part| &part.items) {
            begins[shard_of(item.key) + 1] += 1;
        }
        for shard in 0..SHARDS {
            begins[shard + 1] += begins[shard];
        }
        let mut next = begins.clone();
        let nobody = Item { key: 0, chunk: 0, row: 0, step: 0, binding: 0, fed: None, reads: false, due: false };
        let mut items = vec![nobody; begins[SHARDS]];
        for item in scattered.iter().flat_map(|part| &part.items) {
            let place = &mut next[shard_of(item.key)];
            items[*place] = *item;
            *place += 1;
        }
        Self { items, begins }
    }

    /// All of them, shard by shard.
    pub(crate) fn all(&self) -> &[Item] {
        &self.items
    }

    /// One shard's items in stream order.
    pub(crate) fn of(&self, shard: usize) -> &[Item] {
        &self.items[self.begins[shard]..self.begins[shard + 1]]
    }
}

/// The shard of a key: eight bits in its middle. A hash table tells its entries apart by the highest bits and places them
/// by the lowest, so those must differ within a shard.
pub(crate) fn shard_of(key: u64) -> usize {
    (key >> 32) as usize % SHARDS
}

/// The key of an event at a binding; `None` where it names no such entity, or is nothing to the binding.
pub(crate) fn key_at(event: &Event<'_>, binding: usize, plan: &Plan, hasher: &KeyHasher) -> Option<u64> {
    let plan = plan.of(event.data.event_type());
    key_of(event, &plan.keys[plan.step_of(binding)?.key], hasher)
}

/// The key of an event under those parts; `None` where it names no such entity.
pub(crate) fn key_of(event: &Event<'_>, parts: &[KeyPart], hasher: &KeyHasher) -> Option<u64> {
    combined(parts.iter().map(|part| key_of_part(event, *part, hasher)), hasher)
}

/// One key of its parts' keys; `None` where one of those is not there.
fn combined(keys: impl Iterator<Item = Option<u64>>, hasher: &KeyHasher) -> Option<u64> {
    let keys: SmallVec<[u64; 4]> = keys.collect::<Option<_>>()?;
    Some(if let [key] = keys.as_slice() { *key } else { hasher.combine(&keys) })
}

/// The keys of an event in the cells around that of its place: what happens on a border is counted on both sides of it.
fn neighbours(event: &Event<'_>, parts: &[KeyPart], hasher: &KeyHasher) -> impl Iterator<Item = u64> {
    let around = event.data.region().map(position::around).unwrap_or_default();
    around.into_iter().filter_map(move |cell| {
        let key = |part: &KeyPart| if is_region(*part) { Some(hasher.key_of_region(cell)) } else { key_of_part(event, *part, hasher) };
        combined(parts.iter().map(key), hasher)
    })
}

/// Whether it is the cell of the event's place.
pub(crate) fn is_region(part: KeyPart) -> bool {
    matches!(part, KeyPart::Entity(EntityField { kind: EntityKind::Region, .. }))
}

fn key_of_part(event: &Event<'_>, part: KeyPart, hasher: &KeyHasher) -> Option<u64> {
    match part {
        KeyPart::Entity(entity) => key_of_entity(event, entity, hasher),
        KeyPart::Value(path) => match event.data.get(path) {
            Value::Str(text) => Some(hasher.hash(&[b"text", text.as_bytes()])),
            Value::Int(number) => Some(hasher.hash(&[b"int", &number.to_le_bytes()])),
            Value::Bool(truth) => Some(hasher.hash(&[b"bool", &[u8::from(truth)]])),
            _ => None,
        },
    }
}

/// The key of an entity.
pub(crate) fn key_of_entity(event: &Event<'_>, entity: EntityField, hasher: &KeyHasher) -> Option<u64> {
    match (entity.kind, entity.path) {
        (kind, Some(path)) => event.data.get(path).key(kind, hasher),
        (EntityKind::Region, None) => event.data.region().map(|cell| hasher.key_of_region(cell)),
        (kind, None) => Some(hasher.key(kind, "")),
    }
}

/// What names an entity.
pub(crate) enum Named<'r> {
    /// Its identifier as the event has it.
    Raw(Cow<'r, str>),
    /// What stands for that.
    StandIn(&'r StandIn),
}

/// What names an entity in the event.
pub(crate) fn named<'r>(event: &'r Event<'_>, entity: EntityField) -> Option<Named<'r>> {
    match entity.path {
        None if entity.kind == EntityKind::Region => event.data.region().map(|cell| Named::Raw(format!("{cell:x}").into())),
        None => Some(Named::Raw(entity.kind.name().into())),
        Some(path) => match event.data.get(path) {
            Value::Str(raw) => Some(Named::Raw(raw.into())),
            Value::StandIn(stand_in) => Some(Named::StandIn(stand_in)),
            _ => None,
        },
    }
}

impl Scope for EventScope<'_, '_> {
    fn field(&self, path: rasid_detectors::event::field::FieldPath) -> Value<'_> {
        self.event.data.get(path)
    }

    fn unknown(&self, name: &str) -> rasid_detectors::value::OwnedValue {
        match &self.event.data {
            Data::Columns(columns) => columns.unknown(name),
            _ => unknown_field(self.record, name),
        }
    }

    fn binding(&self, _: usize) -> Value<'_> {
        Value::Absent // a `where` sees the event alone
    }

    fn fired(&self, _: usize) -> Option<bool> {
        Some(self.firing.is_some())
    }

    fn signal(&self, _: usize, field: usize) -> Value<'_> {
        self.firing.and_then(|signal| signal.get(field)).map_or(Value::Absent, OwnedValue::borrow)
    }

    fn time(&self) -> i64 {
        self.at_ms
    }

    fn listed(&self, list: &List, stand_in: &StandIn) -> Result<bool, EvalError> {
        self.plan.listed(list, stand_in, self.at_ms)
    }

    fn count(&self, path: rasid_detectors::event::field::FieldPath) -> Option<usize> {
        self.event.data.count(path)
    }

    fn element(&self, path: rasid_detectors::event::field::FieldPath, index: usize, field: u8) -> Value<'_> {
        self.event.data.element(path, index, field)
    }

    fn unknown_list(&self, name: &str) -> Option<Vec<rasid_detectors::value::OwnedValue>> {
        match &self.event.data {
            Data::Columns(_) => None,
            _ => unknown_list(self.record, name),
        }
    }

    fn score(&self) -> Value<'_> {
        Value::Absent // nor a score
    }
}
