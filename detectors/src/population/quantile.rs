//! Quantile: what a field is like in all events of the window, whoever's they are.
//!
//! ```text
//! Formula  the value v of which q of all values of the window are smaller or as small, or up to 1 % more (kernel/sketch.rs)
//! State    a sketch for each stretch of W/128, whole minutes and one at the least: 16 bytes a bucket that holds anything,
//!          11,100 buckets at the most, so 23 MB for a window of hostile numbers and some 200 kB for one of amounts
//! Reads    closed minutes of the log's clock: what happens in a minute is read from the next one on, and a late event
//!          counts in the minute in which it came
//! Source   `DDSketch`: Masson, Rim, Lee, VLDB 2019
//! ```

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::field::FieldType;
use crate::kernel::sketch::Sketch;
use crate::operator::{Fact, Feeds, Form, HeapBounds, Lacking, Named, OfField, Operator, Setup, Yields};
use crate::signal::Signal;
use crate::value::{OwnedValue, Value};

const MINUTE_MS: i64 = 60_000;
/// Stretches that a window is divided into, where they are a minute or more.
const STRETCHES: i64 = 128;

/// See the module's header.
pub struct Quantile;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Which quantile: 0.5 is the median, 0.99 what one in a hundred exceeds.
    #[schemars(range(min = 0.0, max = 1.0), example = 0.99)]
    pub q: f64,
    /// Values below which there is none: a high quantile of a few says nothing.
    #[schemars(range(min = 1.0, max = 1_000_000.0), example = 100.0)]
    pub at_least: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { q: 0.99, at_least: 100 }
    }
}

/// What was seen, by stretch.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// (begin, what came in it), by begin.
    stretches: VecDeque<(i64, Sketch)>,
    /// All of them together.
    total: Sketch,
}

impl Operator for Quantile {
    const NAME: &'static str = "quantile";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "The quantile `q` of a field over everybody's events up to the minute before, or up to 1 % more; no value under `at_least` of them.";
    const FEEDS: Feeds = Feeds::Named(Named {
        types: "The event types that are looked at.",
        of: OfField::Of { takes: "a field of numbers", example: "amount", clears: true },
        window: "How far back, 1m to 30d. Longer follows the market more slowly.",
        ..Named::USUAL
    });
    const YIELDS: Yields = Yields::Value(|of| matches!(of, FieldType::Int | FieldType::Double).then_some(FieldType::Double));
    const FORM: Form = Form::Population;
    type Params = Params;
    type State = State;

    fn heap_bytes(state: &State) -> usize {
        let stretches = state.stretches.iter().map(|(_, sketch)| size_of::<(i64, Sketch)>() + sketch.heap_bytes()).sum::<usize>();
        stretches + state.total.heap_bytes()
    }

    fn heap_bounds(setup: &Setup<Params>) -> HeapBounds {
        let stretch = |buckets: usize| size_of::<(i64, Sketch)>() + Sketch::heap_bytes_of(buckets);
        let stretches = usize::try_from(setup.window_ms / width(setup.window_ms)).unwrap_or(0) + 2;
        HeapBounds {
            first: stretch(1) + Sketch::heap_bytes_of(1),
            most: stretches * stretch(Sketch::BUCKETS_USUAL) + Sketch::heap_bytes_of(Sketch::BUCKETS_USUAL),
        }
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        #[expect(clippy::cast_precision_loss, reason = "one part in 2^53 of a number that is kept within 1 %")]
        let number = match fact.value() {
            Value::Int(number) => number as f64,
            Value::Double(number) => number,
            _ => return None,
        };
        let begin_ms = begin_of(fact.clock_ms, setup.window_ms);
        state.stretch(begin_ms).add(number);
        None
    }

    fn read(setup: &Setup<Params>, _: i64, state: &State) -> OwnedValue {
        if Self::lacks(setup, state).is_some() {
            return OwnedValue::Absent;
        }
        state.total.quantile(setup.params.q).map_or(OwnedValue::Absent, OwnedValue::Double)
    }

    fn lacks(setup: &Setup<Params>, state: &State) -> Option<Lacking> {
        let (have, need) = (state.total.count(), u64::from(setup.params.at_least));
        (have < need).then_some(Lacking { have, param: "at_least", need })
    }

    fn fold(setup: &Setup<Params>, closed_ms: i64, whole: &mut State, part: &State) {
        for (begin_ms, sketch) in &part.stretches {
            whole.stretch(*begin_ms).merge(sketch);
            whole.total.merge(sketch);
        }
        let start_ms = closed_ms.saturating_sub(setup.window_ms);
        while whole.stretches.front().is_some_and(|(begin_ms, _)| begin_ms.saturating_add(width(setup.window_ms)) <= start_ms) {
            Self::forget(whole);
        }
    }

    fn forget(state: &mut State) -> bool {
        let Some((_, sketch)) = state.stretches.pop_front() else { return false };
        state.total.take_off(&sketch);
        true
    }
}

impl State {
    /// The sketch of the stretch that begins there.
    fn stretch(&mut self, begin_ms: i64) -> &mut Sketch {
        let place = self.stretches.partition_point(|(begin, _)| *begin < begin_ms);
        if self.stretches.get(place).is_none_or(|(begin, _)| *begin != begin_ms) {
            self.stretches.insert(place, (begin_ms, Sketch::default()));
        }
        &mut self.stretches.get_mut(place).expect("it is there by now").1
    }
}

/// How long a stretch is, ms: whole minutes, so that a minute lies in one.
fn width(window_ms: i64) -> i64 {
    (window_ms / STRETCHES / MINUTE_MS).max(1) * MINUTE_MS
}

fn begin_of(clock_ms: i64, window_ms: i64) -> i64 {
    clock_ms.div_euclid(width(window_ms)).saturating_mul(width(window_ms))
}
