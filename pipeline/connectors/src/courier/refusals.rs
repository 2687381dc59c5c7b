//! Whether single items are at fault, or the receiver refuses everything.
//!
//! Items that are refused one after another, with none taken between, say the same either way. So after a few of one kind
//! an item from further back is sent before its turn, and vouches: taken, the refused ones were at fault, and the next few
//! may be parked; refused, or with nobody to vouch, the receiver counts as refusing all of that kind, and no more is parked
//! until it takes one. What vouches stays in the queue: in its turn it comes again, and receivers know it by its id. Where
//! all that waits is about entities of which something waits before it, nobody can vouch until something else comes.

use std::collections::{HashSet, VecDeque};

use crate::effect::{Body, Item};

/// Most items that are asked to vouch, one after another: any of them may be at fault too.
const VOUCHERS_MAX: u32 = 3;

/// Kinds of items. A receiver may take one and refuse another: core has an address for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Alert,
    Score,
    Retracted,
}

impl Kind {
    pub(super) fn of(item: &Item) -> Self {
        match item.body {
            Body::Alert(_) => Self::Alert,
            Body::Score(_) => Self::Score,
            Body::Retracted(_) => Self::Retracted,
        }
    }
}

/// What was refused lately.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    kinds: [OfKind; 3],
}

#[derive(Clone, Copy, Debug, Default)]
struct OfKind {
    /// Parked since one was last taken.
    in_a_row: u32,
    /// Everything is refused.
    all: bool,
}

impl Refusals {
    /// How many more may be parked in a row, where `most` may.
    pub(super) fn room(&self, kind: Kind, most: u32) -> usize {
        most.saturating_sub(self.of(kind).in_a_row) as usize
    }

    pub(super) fn parked(&mut self, kind: Kind, items: usize) {
        let of = self.of_mut(kind);
        of.in_a_row = of.in_a_row.saturating_add(u32::try_from(items).unwrap_or(u32::MAX));
    }

    pub(super) fn taken(&mut self, kind: Kind) {
        *self.of_mut(kind) = OfKind::default();
    }

    pub(super) fn all(&mut self, kind: Kind) {
        self.of_mut(kind).all = true;
    }

    /// Whether there is a kind of which everything is refused.
    pub(super) fn is_all(&self) -> bool {
        self.kinds.iter().any(|of| of.all)
    }

    fn of(&self, kind: Kind) -> OfKind {
        let [alert, score, retracted] = self.kinds;
        match kind {
            Kind::Alert => alert,
            Kind::Score => score,
            Kind::Retracted => retracted,
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut OfKind {
        let [alert, score, retracted] = &mut self.kinds;
        match kind {
            Kind::Alert => alert,
            Kind::Score => score,
            Kind::Retracted => retracted,
        }
    }
}

/// A kind of which no more may be parked, until an item has vouched for the receiver.
#[derive(Debug)]
pub(super) struct Doubt {
    pub(super) kind: Kind,
    /// The rule of what was refused last.
    rule: Option<String>,
    /// Items at the queue's front that were refused themselves.
    skip: usize,
    /// How many have been asked.
    asked: u32,
}

impl Doubt {
    pub(super) fn new(refused: &Item, skip: usize) -> Self {
        Self { kind: Kind::of(refused), rule: rule(refused).map(str::to_owned), skip, asked: 0 }
    }

    /// Who may vouch: an item of the kind that is about an entity of which nothing waits before it, so that sending it early
    /// changes no entity's order, and not behind a retraction, which nothing may overtake. Rather of another rule than what
    /// was refused: receivers refuse rules that they do not know. First the farthest, as bad ones come in bursts; then any,
    /// as `below` has it. `None` where there is none, or enough were asked.
    pub(super) fn next(&mut self, queue: &VecDeque<Item>, below: impl FnOnce(u64) -> u64) -> Option<Item> {
        if self.asked >= VOUCHERS_MAX {
            return None;
        }
        let mut about = HashSet::new();
        let (mut alike, mut other) = (Vec::new(), Vec::new());
        for (index, item) in queue.iter().enumerate() {
            let entity = match &item.body {
                Body::Alert(alert) => &alert.entity,
                Body::Score(change) => &change.entity,
                Body::Retracted(_) => break,
            };
            if about.insert(entity.as_str()) && index >= self.skip && Kind::of(item) == self.kind {
                if rule(item) == self.rule.as_deref() { alike.push(item) } else { other.push(item) }
            }
        }
        let candidates = if other.is_empty() { alike } else { other };
        let last = candidates.len().checked_sub(1)?;
        let chosen = if self.asked == 0 { last } else { usize::try_from(below(last as u64)).unwrap_or(last) };
        self.asked += 1;
        candidates.get(chosen).map(|item| (*item).clone())
    }
}

/// The rule of an alert.
fn rule(item: &Item) -> Option<&str> {
    if let Body::Alert(alert) = &item.body { Some(&alert.rule) } else { None }
}
