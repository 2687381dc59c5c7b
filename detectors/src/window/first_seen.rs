//! When a key was first seen: the oldest instant of it that is still remembered.
//!
//! A key is one instant, so whoever comes once may be remembered for more than a year: a season, or a yearly sale, makes nobody a
//! stranger again. A key that is quiet for a window begins anew, so an account that sleeps is as young as a new one.

use serde::{Deserialize, Serialize};

use crate::event::field::FieldType;
use crate::operator::{DAY_MS, Fact, Feeds, Named, NoParams, OfField, Operator, Setup, Yields};
use crate::signal::Signal;
use crate::value::OwnedValue;

/// See the module's header.
pub struct FirstSeen;

/// The oldest instant, ms.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Oldest(Option<i64>);

impl Operator for FirstSeen {
    const NAME: &'static str = "first_seen";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "When the key was first seen, a timestamp, the current event included.";
    const FEEDS: Feeds = Feeds::Named(Named {
        types: "The event types that it is seen in.",
        of: OfField::None { because: "says when", instead: "remove it" },
        by: "The kind of entity that is seen; several for each combination.",
        window: "How long after its newest event a key is forgotten, 1s to 400d. Longer keeps more state, and lets a rule that is added wait longer in shadow (`while_warming`).",
        ..Named::USUAL
    });
    const YIELDS: Yields = Yields::Value(|_| Some(FieldType::Time));
    const WINDOW_MS_MAX: i64 = 400 * DAY_MS; // a year, and a month in which it comes round again
    type Params = NoParams;
    type State = Oldest;

    fn feed(_: &Setup<NoParams>, fact: &Fact<'_, '_>, state: &mut Oldest) -> Option<Signal> {
        state.feed(fact.at_ms);
        None
    }

    fn read(_: &Setup<NoParams>, _: i64, state: &Oldest) -> OwnedValue {
        state.0.map_or(OwnedValue::Absent, OwnedValue::Time)
    }
}

impl Oldest {
    fn feed(&mut self, at_ms: i64) {
        self.0 = Some(self.0.map_or(at_ms, |first| first.min(at_ms)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_instant_stays_whatever_the_order() {
        let mut first = Oldest::default();
        for at in [50, 90, 20, 70] {
            first.feed(at);
        }
        assert_eq!(first.0, Some(20));
    }
}
