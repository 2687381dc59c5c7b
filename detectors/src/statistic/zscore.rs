//! Z-score: how many standard deviations a number lies over the mean of its key's own earlier ones.
//!
//! ```text
//! Formula  z = (x − x̄) / max(s, stddev_min), x̄ and s of the key's numbers at earlier instants in the window (kernel/moments.rs);
//!          the event itself is left out of them
//! State    count, sum and sum of squares an instant, 64 bytes; past 256 instants, W/128 buckets, of which the newest may hold
//!          what is of the event's own instant or a little later: 16 KiB a key at the most
//! Value    only at an event that brings a number, and only where `at_least` are before it; a late event is set against what
//!          was before it, of which the oldest may be gone by then
//! Misses   a history that was warmed up: of n numbers before, one as large as x leaves z at some √n · (1 − 1/n), which is 2.8 of
//!          ten and 4.2 of twenty. Who means to take much once takes much before, or a little more each time: ask for a
//!          sum besides, or compare with everybody. Four numbers at the ends of `i64` leave no value at all
//! Alarms   wrongly on amounts of a few sizes, which are no bell curve: the first large one of an honest key, too
//! Source   Grubbs, "Procedures for detecting outlying observations in samples", Technometrics 11, 1969, with the observation
//!          left out, so that it cannot hide itself
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::moments::{Moments, Spread, in_steps, steps_of};
use crate::kernel::series::start_of;
use crate::operator::{Fact, Feeds, HeapBounds, Heard, Measure, Named, OfField, Operator, Setup, Yields, is_number};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

const FIELDS: &[SignalField] = &[
    SignalField { name: "zscore", ty: SignalType::Double { decimals: 3 }, doc: "standard deviations over the mean, negative under it" },
    SignalField { name: "mean", ty: SignalType::Double { decimals: 6 }, doc: "the mean of the numbers before" },
    SignalField { name: "stddev", ty: SignalType::Double { decimals: 6 }, doc: "their sample standard deviation" },
    SignalField { name: "count", ty: SignalType::Int, doc: "how many they are" },
];

/// See the module's header.
pub struct Zscore;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Numbers before the event's own, under which there is no value: a deviation of a few says little.
    #[schemars(range(min = 2.0, max = 1_000_000.0), example = 10.0)]
    pub at_least: u32,
    /// The least that a standard deviation is taken for, in the field's own unit: somebody who always paid the same would be
    /// infinitely far off with a piastre more.
    #[schemars(range(min = 0.000_001, max = 1_000_000_000_000.0), example = 1.0)]
    pub stddev_min: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { at_least: 10, stddev_min: 1.0 }
    }
}

impl Operator for Zscore {
    const NAME: &'static str = "zscore";
    const VERSION: u16 = 1;
    const GIVES: &'static str =
        "How many standard deviations an event's number lies over the mean of its key's earlier ones; only at events that feed it.";
    // A mean of what lies close together is nearly each of them.
    const FEEDS: Feeds =
        Feeds::Named(Named { of: OfField::Of { takes: "a field of numbers", example: "amount", clears: false }, ..Named::USUAL });
    const YIELDS: Yields = Yields::Measure(Measure { of: is_number, fields: FIELDS });
    const HEARD: Heard = Heard::WhereFed;
    type Params = Params;
    type State = Spread;

    fn heap_bytes(state: &Spread) -> usize {
        state.heap_bytes()
    }

    fn heap_bounds(_: &Setup<Params>) -> HeapBounds {
        Spread::HEAP
    }

    fn newest_ms(state: &Spread) -> Option<i64> {
        Some(state.newest_ms())
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut Spread) -> Option<Signal> {
        let number = in_steps(fact.value())?;
        let before = before(state, fact.at_ms, setup.window_ms);
        state.feed(fact.at_ms, Moments::of(number), setup.window_ms);
        let before = before.filter(|before| before.count() >= setup.params.at_least.into())?;
        let (steps, stddev) = (steps_of(setup.of), before.stddev()?);
        let (mean, stddev, over) = (before.mean() / steps, stddev / steps, before.over_mean(number) / steps);
        let count = i64::try_from(before.count()).unwrap_or(i64::MAX);
        let zscore = over / stddev.max(setup.params.stddev_min);
        Some(Signal::new(
            FIELDS,
            [OwnedValue::Double(zscore), OwnedValue::Double(mean), OwnedValue::Double(stddev), OwnedValue::Int(count)],
        ))
    }
}

/// What lies before an instant, of what the window holds then.
fn before(state: &Spread, at_ms: i64, window_ms: i64) -> Option<Moments> {
    let start_ms = start_of(state.newest_ms().max(at_ms), window_ms);
    if at_ms > start_ms { state.between(start_ms, at_ms.saturating_sub(1), window_ms) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::KeyHasher;
    use crate::event::envelope::{Decoded, Limits, decode};
    use crate::event::field::{self, FieldType};
    use crate::event::{Event, EventType};
    use crate::operator::Of;
    use proptest::prelude::*;

    const WINDOW: i64 = 1_000;

    fn event() -> Event<'static> {
        let record = br#"{"specversion":"1.0","id":"e","source":"/t","type":"payment.captured","time":"2026-11-21T10:00:00Z","data":{"payment_id":"p","user_id":"u","amount":1,"currency":"EGP","method":"card"}}"#;
        match decode(record, &Limits::default()) {
            Ok(Decoded::Event(event)) => event,
            other => panic!("{other:?}"),
        }
    }

    fn fed(events: &[(i64, i64)], params: Params) -> (Vec<Option<Signal>>, Spread) {
        let (path, _) = field::find(EventType::PaymentCaptured.fields(), "amount").expect("a field");
        let setup = Setup { window_ms: WINDOW, offset_ms: 0, of: Some(FieldType::Int), params };
        let (event, hasher, mut state) = (event(), KeyHasher::new([7; 16]), Spread::default());
        let said = events.iter().map(|(at_ms, amount)| {
            let fact = Fact {
                event: &event,
                at_ms: *at_ms,
                clock_ms: *at_ms,
                record: &[],
                identity: 0,
                of: Some(Of::Field { path, kind: None }),
                amount: Some(*amount),
                known_key: None,
                firing: None,
                above: false,
                below: false,
                steps: 0,
                hasher: &hasher,
            };
            Zscore::feed(&setup, &fact, &mut state)
        });
        (said.collect(), state)
    }

    fn double(signal: &Signal, field: usize) -> f64 {
        if let Some(OwnedValue::Double(number)) = signal.get(field) { *number } else { panic!("a double") }
    }

    fn params(at_least: u32) -> Params {
        Params { at_least, ..Params::default() }
    }

    #[test]
    fn it_is_how_far_off_the_earlier_ones_a_number_lies() {
        let (said, state) = fed(&[(1, 100), (2, 300), (3, 500), (3, 700)], params(2));
        assert!(said[..2].iter().all(Option::is_none), "too few before");
        let third = Signal::new(FIELDS, [2.121, 200.0, 141.421_356].map(OwnedValue::Double).into_iter().chain([OwnedValue::Int(2)]));
        assert!(said[2] == Some(third), "{:?}", said[2]);
        assert!((double(said[3].as_ref().expect("a value"), 0) - 3.536).abs() < 1e-9, "what is of its instant is not before it");
        assert!(Zscore::measure(&Setup { window_ms: WINDOW, offset_ms: 0, of: None, params: params(2) }, 4, &state).is_none());
    }

    #[test]
    fn who_always_paid_the_same_is_far_off_by_a_little() {
        let mut events: Vec<(i64, i64)> = (0..10).map(|at| (at, 5_000)).collect();
        events.push((10, 5_150));
        assert!((double(fed(&events, Params::default()).0[10].as_ref().expect("a value"), 0) - 150.0).abs() < 1e-9);
        let coarse = Params { stddev_min: 100.0, ..Params::default() };
        assert!((double(fed(&events, coarse).0[10].as_ref().expect("a value"), 0) - 1.5).abs() < 1e-9);
    }

    /// The header's figures of a history that was warmed up.
    #[test]
    fn one_large_number_before_hides_the_next() {
        for (before, expected) in [(10, 2.8), (20, 4.2)] {
            let mut events: Vec<(i64, i64)> = (1..before).map(|at| (at, 0)).collect();
            events.extend([(before, 1_000_000), (before + 1, 1_000_000)]);
            let said = fed(&events, params(10)).0;
            let last = said.last().and_then(Option::as_ref).expect("a value");
            assert!((double(last, 0) - expected).abs() < 0.06, "{}", double(last, 0));
        }
    }

    proptest! {
        /// Late, of one instant, in any order and beyond any reason: what a plain list of what came before it gives.
        #[test]
        fn it_agrees_with_a_plain_list(
            events in proptest::collection::vec((0_i64..3_000, prop_oneof![4 => -1_000_i64..1_000, 1 => any::<i64>()]), 1..60),
        ) {
            let said = fed(&events, params(3)).0;
            for (index, ((at_ms, number), said)) in events.iter().zip(&said).enumerate() {
                let newest = events[..=index].iter().map(|(at, _)| *at).max().expect("itself");
                let kept = |place: usize| {
                    let (at, then) = (events[place].0, events[..=place].iter().map(|(at, _)| *at).max().unwrap_or(0));
                    at > then - WINDOW && at > newest - WINDOW && at < *at_ms
                };
                let before: Vec<i64> = (0..index).filter(|place| kept(*place)).map(|place| events[place].1).collect();
                let squares = before.iter().fold(0_u128, |squares, number| squares.saturating_add(u128::from(number.unsigned_abs()).pow(2)));
                let has_value = before.len() >= 3 && squares < u128::MAX && *at_ms > newest - WINDOW;
                prop_assert_eq!(said.is_some(), has_value, "{} of {:?}", index, events);
                let Some(said) = said else { continue };
                #[expect(clippy::cast_precision_loss, reason = "compared with a tolerance")]
                let (count, numbers): (f64, Vec<f64>) = (before.len() as f64, before.iter().map(|number| *number as f64).collect());
                let mean = numbers.iter().sum::<f64>() / count;
                let stddev = libm::sqrt(numbers.iter().map(|number| (number - mean) * (number - mean)).sum::<f64>() / (count - 1.0));
                #[expect(clippy::cast_precision_loss, reason = "compared with a tolerance")]
                let zscore = (*number as f64 - mean) / stddev.max(1.0);
                prop_assert!((double(said, 0) - zscore).abs() <= 1e-3 + zscore.abs() * 1e-9, "{} for {}", double(said, 0), zscore);
            }
        }
    }
}
