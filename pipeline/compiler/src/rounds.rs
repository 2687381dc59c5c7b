//! Loops while a program runs: what a round sees, and what is made of all of them.

use std::cell::Cell;

use rasid_detectors::event::columns::StandIn;
use rasid_detectors::event::field::FieldPath;
use rasid_detectors::value::{OwnedValue, Value};

use crate::expression::{EvalError, List, Loop, LoopKind, Scope};
use crate::items::{Item, Items, LOOP_STEPS_MAX, Making, spend, steps_of};

/// What one round of a loop sees: its variable, and all that is around.
struct Round<'a> {
    around: &'a dyn Scope,
    slot: u8,
    item: Item<'a>,
    steps: &'a Cell<u32>,
}

impl Round<'_> {
    /// Takes the steps of reading a text. What is read is read; the next part of the loop finds no steps left.
    fn read<'v>(&self, value: Value<'v>) -> Value<'v> {
        if let Value::Str(text) = value {
            self.steps.set(self.steps.get().saturating_sub(u32::try_from(steps_of(text.len())).unwrap_or(u32::MAX)));
        }
        value
    }
}

impl Scope for Round<'_> {
    fn field(&self, path: FieldPath) -> Value<'_> {
        self.read(self.around.field(path))
    }

    fn unknown(&self, name: &str) -> OwnedValue {
        let value = self.around.unknown(name);
        self.read(value.borrow());
        value
    }

    fn binding(&self, index: usize) -> Value<'_> {
        self.read(self.around.binding(index))
    }

    fn fired(&self, index: usize) -> Option<bool> {
        self.around.fired(index)
    }

    fn score(&self) -> Value<'_> {
        self.around.score()
    }

    fn listed(&self, list: &List, stand_in: &StandIn) -> Result<bool, EvalError> {
        self.around.listed(list, stand_in)
    }

    fn time(&self) -> i64 {
        self.around.time()
    }

    fn signal(&self, index: usize, field: usize) -> Value<'_> {
        self.read(self.around.signal(index, field))
    }

    fn count(&self, path: FieldPath) -> Option<usize> {
        self.around.count(path)
    }

    fn element(&self, path: FieldPath, index: usize, field: u8) -> Value<'_> {
        self.read(self.around.element(path, index, field))
    }

    fn unknown_list(&self, name: &str) -> Option<Vec<OwnedValue>> {
        self.around.unknown_list(name)
    }

    fn item(&self, slot: u8) -> Item<'_> {
        let item = if slot == self.slot { self.item } else { self.around.item(slot) };
        if let Item::Value(value) = item {
            self.read(value);
        }
        item
    }

    fn steps(&self) -> Option<&Cell<u32>> {
        Some(self.steps)
    }
}

/// A scope of any kind as one of a known size, so that rounds in rounds are of one type.
struct Around<'a, S: ?Sized>(&'a S);

impl<S: Scope + ?Sized> Scope for Around<'_, S> {
    fn field(&self, path: FieldPath) -> Value<'_> {
        self.0.field(path)
    }

    fn unknown(&self, name: &str) -> OwnedValue {
        self.0.unknown(name)
    }

    fn binding(&self, index: usize) -> Value<'_> {
        self.0.binding(index)
    }

    fn fired(&self, index: usize) -> Option<bool> {
        self.0.fired(index)
    }

    fn score(&self) -> Value<'_> {
        self.0.score()
    }

    fn listed(&self, list: &List, stand_in: &StandIn) -> Result<bool, EvalError> {
        self.0.listed(list, stand_in)
    }

    fn time(&self) -> i64 {
        self.0.time()
    }

    fn signal(&self, index: usize, field: usize) -> Value<'_> {
        self.0.signal(index, field)
    }

    fn count(&self, path: FieldPath) -> Option<usize> {
        self.0.count(path)
    }

    fn element(&self, path: FieldPath, index: usize, field: u8) -> Value<'_> {
        self.0.element(path, index, field)
    }

    fn unknown_list(&self, name: &str) -> Option<Vec<OwnedValue>> {
        self.0.unknown_list(name)
    }

    fn item(&self, slot: u8) -> Item<'_> {
        self.0.item(slot)
    }

    fn steps(&self) -> Option<&Cell<u32>> {
        self.0.steps()
    }
}

impl Loop {
    /// Runs `each` for every element, until it says that that is enough. The first loop brings the steps.
    fn rounds<S: Scope + ?Sized>(
        &self,
        items: &Items<'_>,
        scope: &S,
        mut each: impl FnMut(&Round<'_>, usize) -> Result<bool, EvalError>,
    ) -> Result<(), EvalError> {
        let fresh = Cell::new(LOOP_STEPS_MAX);
        let steps = scope.steps().unwrap_or(&fresh);
        let around = Around(scope);
        for index in 0..items.len() {
            let round = Round { around: &around, slot: self.slot, item: items.get(index)?, steps };
            spend(&round, self.cost as usize)?;
            if each(&round, index)? {
                break;
            }
        }
        Ok(())
    }

    /// `all`, `exists`, `exists_one`. As `&&` and `||` do, the first two pass over an error where another element decides;
    /// `exists_one` does not.
    pub(crate) fn is_true<S: Scope + ?Sized>(&self, scope: &S) -> Result<bool, EvalError> {
        let items = self.list.items(scope)?;
        if self.kind == LoopKind::ExistsOne {
            let mut found = 0_usize;
            self.rounds(&items, scope, |round, _| {
                found += usize::from(self.body.is_true(round)?);
                Ok(false)
            })?;
            return Ok(found == 1);
        }
        let deciding = self.kind == LoopKind::Exists;
        let (mut decided, mut error) = (false, None);
        self.rounds(&items, scope, |round, _| {
            match self.body.is_true(round) {
                Ok(value) => decided = value == deciding,
                Err(EvalError::TooManySteps) => return Err(EvalError::TooManySteps),
                Err(first) => error = error.or(Some(first)),
            }
            Ok(decided)
        })?;
        match error {
            Some(error) if !decided => Err(error),
            _ => Ok(decided == deciding),
        }
    }

    /// `filter`, `map`.
    pub(crate) fn list<S: Scope + ?Sized>(&self, scope: &S) -> Result<Items<'static>, EvalError> {
        let items = self.list.items(scope)?;
        let (mut made, mut chosen) = (Making::default(), Vec::new());
        self.rounds(&items, scope, |round, _| {
            match self.kind {
                LoopKind::Filter => {
                    if self.body.is_true(round)? {
                        match round.item {
                            Item::Value(value) => made.push(value.to_owned())?,
                            Item::Element(_, index) => chosen.push(index),
                        }
                    }
                }
                LoopKind::Map => {
                    if self.keep.as_ref().map_or(Ok(true), |keep| keep.is_true(round))? {
                        made.push(self.body.eval(round)?.into_owned())?;
                    }
                }
                _ => return Err(EvalError::NoOverload),
            }
            Ok(false)
        })?;
        Ok(match items {
            Items::Event(path, _) | Items::Chosen(path, _) if self.kind == LoopKind::Filter => Items::Chosen(path, chosen),
            _ => made.done(),
        })
    }
}
