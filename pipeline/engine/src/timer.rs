//! What comes due by itself.

use std::collections::BTreeSet;

use rasid_detectors::event::Event;
use rasid_detectors::event::envelope::{Decoded, Limits, decode};
use rasid_detectors::operator::Stored;

/// So many waits that are over are seen once more together at the most: after an outage longer than their window thousands
/// are, and each is held twice for that time, with 8 KiB of record at the most. 2,048: 16 MiB.
pub(crate) const DUE_MAX: usize = 2_048;

/// Whose turn it is among waits that are over: by due time, operator, key, and in the order of arming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    /// The instant of the log's clock after which it is over, ms.
    pub(crate) over_ms: i64,
    pub(crate) binding: u16,
    pub(crate) key: u64,
    /// Its place among the waits of its key.
    pub(crate) place: usize,
}

/// A wait that is over, with all that its event is seen once more by.
pub(crate) struct Due {
    pub(crate) turn: Turn,
    /// The identity of the event that armed it.
    pub(crate) identity: u64,
    /// The event itself.
    pub(crate) event: Stored,
}

impl Due {
    /// The event that armed it; `None` where it cannot be read any more.
    pub(crate) fn event(&self, limits: &Limits) -> Option<Event<'_>> {
        match &self.event {
            Stored::Record(record) => match decode(record, limits) {
                Ok(Decoded::Event(event) | Decoded::Garbled { event, .. }) => Some(event),
                _ => None,
            },
            Stored::Columns(event) => Some(event.event()),
            Stored::Lost => None,
        }
    }

    /// Its record; empty of one out of columns.
    pub(crate) fn record(&self) -> &[u8] {
        match &self.event {
            Stored::Record(record) => record,
            Stored::Columns(_) | Stored::Lost => &[],
        }
    }
}

/// Which keys of a table wait, by the due time of the first wait of each. It may name what is gone: whoever reads it looks
/// into the state. It is made of the states, and no part of what is saved.
#[derive(Default)]
pub(crate) struct Waiting(BTreeSet<(i64, u64)>);

/// What it costs a key, bytes: there are no more than twice as many entries as states, of three words each.
pub(crate) const WAITING_BYTES: usize = 48;
/// Entries up to which it is not worth making anew.
const ANEW_MIN: usize = 64;

impl Waiting {
    /// Says when the first wait of a key is over, and when it was before it changed.
    pub(crate) fn note(&mut self, former_ms: Option<i64>, first_ms: Option<i64>, key: u64) {
        if former_ms != first_ms {
            former_ms.inspect(|former_ms| {
                self.0.remove(&(*former_ms, key));
            });
            self.0.extend(first_ms.map(|first_ms| (first_ms, key)));
        }
    }

    /// Whether much of what it names is gone, as the table has so few states.
    pub(crate) fn is_stale(&self, states: usize) -> bool {
        self.0.len() > (2 * states).max(ANEW_MIN)
    }

    /// When the first wait is over, by `first_of`, which says so of a key; what is not so is corrected.
    pub(crate) fn first_ms(&mut self, first_of: impl Fn(u64) -> Option<i64>) -> Option<i64> {
        loop {
            let (first_ms, key) = *self.0.first()?;
            let now = first_of(key);
            if now == Some(first_ms) {
                return now;
            }
            self.0.pop_first();
            self.note(None, now, key);
        }
    }

    /// When the first wait is over of each key that may have one that is over before that instant, in order.
    pub(crate) fn before(&self, before_ms: i64) -> impl Iterator<Item = (i64, u64)> {
        self.0.range(..(before_ms, 0)).copied()
    }
}
