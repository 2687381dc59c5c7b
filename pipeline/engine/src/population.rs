//! What all keys together are like: shards keep parts, which are added up here when a minute of the log's clock closes.

use std::any::Any;

use rasid_compiler::ruleset::Binding;
use rasid_detectors::entity::KeyHasher;
use rasid_detectors::event::Event;
use rasid_detectors::near::Near;
use rasid_detectors::operator::{Lacking, Operator, OperatorVisitor, Setup};

use crate::batch::Cell;
use crate::memory::{Memory, Party};
use crate::operator_table::value;
use crate::shard::{GoesOn, Layout, Shard};

const MINUTE_MS: i64 = 60_000;

/// The minute of an instant of the log's clock: its beginning, ms.
pub(crate) fn minute_of(clock_ms: i64) -> i64 {
    clock_ms.div_euclid(MINUTE_MS).saturating_mul(MINUTE_MS)
}

/// The instant after a minute, ms.
pub(crate) fn end_of_minute(clock_ms: i64) -> i64 {
    minute_of(clock_ms).saturating_add(MINUTE_MS)
}

/// The state of all keys, for each binding that has one.
pub(crate) struct Populations {
    /// By binding.
    wholes: Vec<Option<Box<dyn Whole>>>,
    /// The minute that is open, by its beginning, ms; `i64::MIN` before the first event.
    open_ms: i64,
    /// What all of them may take together on the heap, bytes.
    quota: usize,
}

/// One binding's state of all keys.
pub(crate) trait Whole: Send + Sync {
    /// Adds parts, as of the instant that closed their minute.
    fn close(&mut self, closed_ms: i64, parts: &mut dyn Iterator<Item = Box<dyn Any + Send>>);
    /// What a condition reads until the next minute closes.
    fn read(&self) -> Cell;
    /// What a condition reads under a key. `fed`: the current event, where that feeds it.
    fn read_under(&self, key: u64, fed: Option<(&Event<'_>, &KeyHasher)>) -> Cell;
    /// How far it is from having a value, where it has none and can tell.
    fn lacks(&self) -> Option<Lacking>;
    /// Memory, bytes.
    fn bytes(&self) -> usize;
    /// Memory on the heap alone, bytes.
    fn heap_bytes(&self) -> usize;
    /// Forgets the oldest, for want of memory; whether there was any.
    fn forget(&mut self) -> bool;
    /// Works out what is read of it.
    fn settle(&mut self);
    /// How much the memory bound has cost so far.
    fn evicted(&self) -> u64;
    /// Sets again to whose entries it tells how near somebody is.
    fn set_near(&mut self, near: Near);
    /// The same for a snapshot.
    fn share(&self) -> Box<dyn Whole>;
    /// Appends it to `out`.
    fn save(&self, out: Vec<u8>) -> Vec<u8>;
    /// Fills an empty one, with all of `bytes`.
    fn load(&mut self, bytes: &[u8]) -> Result<(), postcard::Error>;
}

struct Typed<O: Operator> {
    setup: Setup<O::Params>,
    state: O::State,
    closed_ms: i64,
    near: Near,
    /// What a condition reads of it: the same until the next minute closes, so it is worked out once and not for each event.
    now: Cell,
    evicted: u64,
}

impl<O: Operator> Whole for Typed<O> {
    fn close(&mut self, closed_ms: i64, parts: &mut dyn Iterator<Item = Box<dyn Any + Send>>) {
        for part in parts {
            let part = part.downcast::<O::State>().expect("parts of a binding are of its operator");
            O::fold(&self.setup, closed_ms, &mut self.state, &part);
        }
        O::fold(&self.setup, closed_ms, &mut self.state, &O::State::default());
        self.closed_ms = closed_ms;
    }

    fn read(&self) -> Cell {
        self.now.clone()
    }

    fn read_under(&self, key: u64, fed: Option<(&Event<'_>, &KeyHasher)>) -> Cell {
        O::read_under(&self.setup, &self.state, key, fed).map_or(Cell::Absent, |measure| Cell::Signal(Box::new(measure)))
    }

    fn lacks(&self) -> Option<Lacking> {
        O::lacks(&self.setup, &self.state)
    }

    fn bytes(&self) -> usize {
        size_of::<O::State>() + O::heap_bytes(&self.state)
    }

    fn evicted(&self) -> u64 {
        self.evicted
    }

    fn set_near(&mut self, near: Near) {
        self.near = near;
    }

    fn heap_bytes(&self) -> usize {
        O::heap_bytes(&self.state)
    }

    fn forget(&mut self) -> bool {
        let forgot = O::forget(&mut self.state);
        self.evicted += u64::from(forgot);
        forgot
    }

    fn settle(&mut self) {
        O::settle(&self.setup, self.closed_ms, &mut self.state, &self.near);
        self.now = value::<O>(&self.setup, self.closed_ms, &self.state);
    }

    fn share(&self) -> Box<dyn Whole> {
        let (setup, state) = (self.setup.clone(), self.state.clone());
        Box::new(Self { setup, state, near: self.near.clone(), now: self.now.clone(), ..*self })
    }

    fn save(&self, out: Vec<u8>) -> Vec<u8> {
        postcard::to_extend(&(self.closed_ms, self.evicted, &self.state), out).expect("plain data, into a vector that grows")
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), postcard::Error> {
        (self.closed_ms, self.evicted, self.state) = postcard::from_bytes(bytes)?;
        Ok(())
    }
}

/// Makes the state of all keys, where an operator has one.
struct New {
    near: Near,
}

impl OperatorVisitor for New {
    type Output = Option<Box<dyn Whole>>;

    fn visit<O: Operator>(self, setup: &Setup<O::Params>) -> Self::Output {
        if !O::FORM.is_of_all() {
            return None;
        }
        let (near, setup, state) = (self.near, setup.clone(), O::State::default());
        Some(Box::new(Typed::<O> { setup, state, closed_ms: i64::MIN, near, now: Cell::Absent, evicted: 0 }))
    }
}

impl Populations {
    /// Before the first event.
    pub(crate) fn new(layout: Layout<'_>, memory: &Memory, hasher: &KeyHasher) -> Self {
        let wholes = layout.bindings.iter().map(|binding| binding.operator.accept(New { near: near(binding, hasher) }));
        Self { wholes: wholes.collect(), open_ms: i64::MIN, quota: memory.quota(Party::Populations) }
    }

    /// Takes another quota, and keeps to it at once.
    pub(crate) fn set_quota(&mut self, quota: usize) {
        self.quota = quota;
        self.keep_to_quota();
    }

    /// Works out what is read, and forgets the oldest of what takes most: what is worked out takes memory too.
    fn keep_to_quota(&mut self) {
        loop {
            self.wholes.iter_mut().flatten().for_each(|whole| whole.settle());
            let bytes: usize = self.wholes.iter().flatten().map(|whole| whole.heap_bytes()).sum();
            let largest = self.wholes.iter_mut().flatten().max_by_key(|whole| whole.heap_bytes());
            if bytes <= self.quota || !largest.is_some_and(|whole| whole.forget()) {
                break;
            }
        }
    }

    /// Closes the minutes before `minute_ms`: what shards have taken in is added up. A minute that is open already stays so.
    pub(crate) fn close(&mut self, minute_ms: i64, shards: &mut [Shard]) {
        if minute_ms <= self.open_ms || self.wholes.iter().all(Option::is_none) {
            return;
        }
        for (binding, whole) in self.wholes.iter_mut().enumerate() {
            if let Some(whole) = whole {
                whole.close(minute_ms, &mut shards.iter_mut().filter_map(|shard| shard.take_part(binding)));
            }
        }
        self.keep_to_quota();
        self.open_ms = minute_ms;
    }

    /// What a condition reads of a binding that has one state for all keys.
    pub(crate) fn read(&self, binding: usize) -> Cell {
        self.wholes[binding].as_ref().map_or(Cell::Absent, |whole| whole.read())
    }

    /// What a condition reads of one that is read under a key. `fed`: the current event, where that feeds it.
    pub(crate) fn read_under(&self, binding: usize, key: u64, fed: Option<(&Event<'_>, &KeyHasher)>) -> Cell {
        self.wholes[binding].as_ref().map_or(Cell::Absent, |whole| whole.read_under(key, fed))
    }

    /// How far such a binding is from having a value, where it has none and can tell.
    pub(crate) fn lacks(&self, binding: usize) -> Option<Lacking> {
        self.wholes.get(binding)?.as_ref()?.lacks()
    }

    /// Makes those of another ruleset: `kept` says for each of its bindings which of the old ones it goes on with.
    pub(crate) fn switch(&mut self, layout: Layout<'_>, memory: &Memory, kept: &[Option<usize>], hasher: &KeyHasher) {
        let mut old = std::mem::replace(self, Self { open_ms: self.open_ms, ..Self::new(layout, memory, hasher) });
        for ((whole, kept), binding) in self.wholes.iter_mut().zip(kept).zip(layout.bindings) {
            if let Some(mut kept) = kept.and_then(|number| old.wholes[number].take()) {
                kept.set_near(near(binding, hasher));
                *whole = Some(kept);
            }
        }
        self.keep_to_quota();
    }

    pub(crate) fn bytes(&self) -> usize {
        self.wholes.iter().flatten().map(|whole| whole.bytes()).sum()
    }

    /// How much of a binding's the memory bound has cost so far.
    pub(crate) fn evicted(&self, binding: usize) -> u64 {
        self.wholes[binding].as_ref().map_or(0, |whole| whole.evicted())
    }

    /// The same for a snapshot.
    pub(crate) fn share(&self) -> Self {
        let wholes = self.wholes.iter().map(|whole| whole.as_ref().map(|whole| whole.share()));
        Self { wholes: wholes.collect(), ..*self }
    }

    /// Appends the minute that is open and each binding's state with its length, which is 0 where there is none.
    pub(crate) fn save(&self, out: Vec<u8>) -> Vec<u8> {
        let saved: Vec<Vec<u8>> =
            self.wholes.iter().map(|whole| whole.as_ref().map_or_else(Vec::new, |whole| whole.save(Vec::new()))).collect();
        postcard::to_extend(&(self.open_ms, saved), out).expect("plain data, into a vector that grows")
    }

    /// Fills empty ones, as [`Shard::load`] does.
    pub(crate) fn load<'b>(&mut self, bytes: &'b [u8], order: &[Option<GoesOn>]) -> Result<&'b [u8], postcard::Error> {
        let ((open_ms, saved), rest): ((i64, Vec<&[u8]>), _) = postcard::take_from_bytes(bytes)?;
        self.open_ms = open_ms;
        for (saved, goes_on) in saved.into_iter().zip(order).filter(|(saved, _)| !saved.is_empty()) {
            if let Some(whole) = goes_on.and_then(|of| self.wholes[of.binding].as_mut()) {
                whole.load(saved)?;
            }
        }
        self.keep_to_quota();
        Ok(rest)
    }
}

/// The keys of the list that a binding names.
fn near(binding: &Binding, hasher: &KeyHasher) -> Near {
    let Some((list, kind)) = binding.near.as_ref().and_then(|list| Some((list, list.kind?))) else { return Near::default() };
    let mut keys = Vec::new();
    list.each(|value, ends_ms| keys.push((hasher.key(kind, value), ends_ms)));
    Near::new(keys)
}
