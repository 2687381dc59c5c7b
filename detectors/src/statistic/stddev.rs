//! Standard deviation: how far a field's numbers lie from their mean.
//!
//! ```text
//! Formula  s = √(Σ(x − x̄)² / (n − 1)) of the numbers in the window; doubles in steps of 10⁻⁶ (kernel/moments.rs)
//! State    count, sum and sum of squares an instant, 64 bytes; past 256 instants, W/128 buckets: 16 KiB a key at the most
//! Misses   what four amounts at the ends of `i64` hide, within a window of which there is no value then: compare with `max` too
//! Source   the sample standard deviation; how it is reckoned: Chan, Golub, LeVeque, The American Statistician 37, 1983
//! ```

use crate::event::field::FieldType;
use crate::kernel::extreme::of_numbers;
use crate::kernel::moments::{Moments, Spread, in_steps, steps_of};
use crate::operator::{Fact, Feeds, HeapBounds, Named, NoParams, OfField, Operator, Setup, Yields};
use crate::signal::Signal;
use crate::value::OwnedValue;

/// See the module's header.
pub struct Stddev;

impl Operator for Stddev {
    const NAME: &'static str = "stddev";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "The sample standard deviation of a field of numbers, a double; no value under two of them.";
    const FEEDS: Feeds =
        Feeds::Named(Named { of: OfField::Of { takes: "a field of numbers", example: "amount", clears: true }, ..Named::USUAL });
    const YIELDS: Yields = Yields::Value(|ty| of_numbers(ty).map(|_| FieldType::Double));
    const TAKES_OFFSET: bool = true;
    const LEAST: Option<i64> = Some(0);
    type Params = NoParams;
    type State = Spread;

    fn heap_bytes(state: &Spread) -> usize {
        state.heap_bytes()
    }

    fn heap_bounds(_: &Setup<NoParams>) -> HeapBounds {
        Spread::HEAP
    }

    fn newest_ms(state: &Spread) -> Option<i64> {
        Some(state.newest_ms())
    }

    fn feed(setup: &Setup<NoParams>, fact: &Fact<'_, '_>, state: &mut Spread) -> Option<Signal> {
        if let Some(number) = in_steps(fact.value()) {
            state.feed(fact.at_ms, Moments::of(number), setup.window_ms);
        }
        None
    }

    fn read(setup: &Setup<NoParams>, at_ms: i64, state: &Spread) -> OwnedValue {
        let deviation = state.value(at_ms, setup.window_ms, setup.offset_ms).and_then(|moments| moments.stddev());
        deviation.map_or(OwnedValue::Absent, |deviation| OwnedValue::Double(deviation / steps_of(setup.of)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: i64 = 100;

    fn setup(of: FieldType, offset_ms: i64) -> Setup<NoParams> {
        Setup { window_ms: WINDOW, offset_ms, of: Some(of), params: NoParams {} }
    }

    fn fed(events: &[(i64, i64)]) -> Spread {
        let mut state = Spread::default();
        for (at_ms, number) in events {
            state.feed(*at_ms, Moments::of(*number), WINDOW);
        }
        state
    }

    fn read(state: &Spread, at_ms: i64, offset_ms: i64) -> Option<f64> {
        match Stddev::read(&setup(FieldType::Int, offset_ms), at_ms, state) {
            OwnedValue::Double(deviation) => Some(deviation),
            _ => None,
        }
    }

    #[test]
    fn it_is_of_what_the_window_holds() {
        let state = fed(&[(0, 1_000), (50, 10), (60, 20), (100, 40)]);
        assert_eq!(read(&Spread::default(), 0, 0), None);
        assert_eq!(read(&state, 100, 0), Some(libm::sqrt(700.0 / 3.0)));
        assert_eq!(read(&state, 100, 1), Some(libm::sqrt(50.0)), "but for the newest");
        assert_eq!((read(&state, 159, 0), read(&state, 160, 0)), (Some(libm::sqrt(200.0)), None), "one is left");
    }

    #[test]
    fn of_doubles_it_is_in_their_unit() {
        let mut state = Spread::default();
        for (at_ms, number) in [(1, 0.25), (2, 0.75)] {
            state.feed(at_ms, Moments::of(in_steps(crate::value::Value::Double(number)).expect("a number")), WINDOW);
        }
        let OwnedValue::Double(found) = Stddev::read(&setup(FieldType::Double, 0), 2, &state) else { panic!("a double") };
        assert!((found - libm::sqrt(0.125)).abs() < 1e-15, "{found}");
    }

    proptest! {
        /// Late, at one instant, in any order: the same as of a plain list in two passes.
        #[test]
        fn it_agrees_with_a_plain_list(
            events in proptest::collection::vec((0_i64..300, -1_000_i64..1_000), 1..80).prop_shuffle(), offset in 0..WINDOW,
        ) {
            let newest = events.iter().map(|(at, _)| *at).max().expect("one at least");
            let inside = |at: i64| at > newest - WINDOW && at <= newest - offset;
            let numbers: Vec<f64> = events.iter().filter(|(at, _)| inside(*at)).map(|(_, number)| f64::from(i16::try_from(*number).expect("small"))).collect();
            let count = f64::from(u8::try_from(numbers.len()).expect("few"));
            let mean = numbers.iter().sum::<f64>() / count;
            let exact = libm::sqrt(numbers.iter().map(|number| (number - mean) * (number - mean)).sum::<f64>() / (count - 1.0));
            let found = read(&fed(&events), newest, offset);
            prop_assert_eq!(found.is_some(), numbers.len() >= 2);
            prop_assert!(found.is_none_or(|found| (found - exact).abs() < 1e-9), "{:?} for {}", found, exact);
            let mut sorted = events;
            sorted.sort_unstable();
            prop_assert_eq!(read(&fed(&sorted), newest, offset), found);
        }
    }
}
