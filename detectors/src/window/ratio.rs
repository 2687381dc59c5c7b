//! How many events of one sort there are for each of another: codes that were used for each that was sent.
//!
//! ```text
//! Formula  above / below, each over the window. With `settle`, what is below the line counts once it is that old, and is above it
//!          too if an answer of its own came by then (kernel/pairs.rs): a share, never over 1, of what had its time, over
//!          (T − settle − window, T − settle]
//! Bounds   Wilson's (kernel/wilson.rs), where it is a share
//! State    two series, and with `settle` at most 512 open requests and answers of 24 bytes; past those some pairs stand for all
//! Misses   answers that arrive later than `settle` after their request by the key's own newest event; without `settle` the newest
//!          requests, which nobody can have answered yet, make the ratio small: a burst of honest people looks like an attack
//! Source   E. B. Wilson, JASA 22 (1927)
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::event::field::FieldType;
use crate::kernel::pairs::{self, Pairs};
use crate::kernel::series::{self, Total, start_of};
use crate::kernel::wilson;
use crate::operator::{Beside, Fact, Feeds, HeapBounds, Measure, Named, OfField, Operator, Second, Setup, Yields, is_scalar};
use crate::signal::{Signal, SignalField, SignalType};
use crate::span::Span;
use crate::value::OwnedValue;

const FIELDS: &[SignalField] = &[
    SignalField { name: "share", ty: SignalType::Double { decimals: 6 }, doc: "how many above the line for each below it" },
    SignalField { name: "low", ty: SignalType::Double { decimals: 6 }, doc: "Wilson's lower bound of that, 95 %; no value over 1" },
    SignalField { name: "high", ty: SignalType::Double { decimals: 6 }, doc: "Wilson's upper bound; no value over 1" },
    SignalField { name: "count", ty: SignalType::Int, doc: "how many below the line" },
];

/// See the module's header.
pub struct Ratio;

/// What an analyst may set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// How long an event below the line waits for an answer of its own among those above it, 1s to 1d, before it counts. Without,
    /// each sort is counted as it comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settle: Option<Span>,
    /// How many must lie below the line; below that there is no value.
    #[schemars(range(min = 1.0, max = 1_000_000.0), example = 30.0)]
    #[serde(skip_serializing_if = "is_one")]
    pub at_least: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { settle: None, at_least: 1 }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_one(at_least: &u32) -> bool {
    *at_least == 1
}

/// Two counts over time, and what waits to be counted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sides {
    above: Total,
    below: Total,
    open: Pairs,
    newest_ms: i64,
}

/// As version 1 kept them, which had no `settle`.
#[derive(Deserialize)]
struct Former {
    above: Total,
    below: Total,
}

impl Operator for Ratio {
    const NAME: &'static str = "ratio";
    const VERSION: u16 = 2;
    const FORMER_VERSION: Option<u16> = Some(1);
    const GIVES: &'static str = "How many events of the `ratio` types there are for each of the `per` types; no value while there is none.";
    const FEEDS: Feeds = Feeds::Named(Named {
        types: "The event types above the line.",
        of: OfField::Beside(Beside {
            key: "pair",
            means: "With `settle`, the field that an event below the line and its answer above it have in common. Without, the key itself.",
            example: "phone",
            takes: "a scalar field",
            is: is_scalar,
            second_alone: false,
        }),
        by: "The kind of entity that has a ratio of its own; several for each combination.",
        filter: "Which of the events above the line, in CEL over their `data`, parameters and lists; of firings, over the signal too.",
        second: Some(Second {
            key: "per",
            types: "The event types below the line, all of whose events count. Default the types above it, and then `where` is required.",
            required: false,
        }),
        ..Named::USUAL
    });
    const YIELDS: Yields = Yields::Measure(Measure { of: |ty| ty == FieldType::Object, fields: FIELDS });
    const TAKES_OFFSET: bool = true;
    const LEAST: Option<i64> = Some(0);
    type Params = Params;
    type State = Sides;

    fn ttl_ms(setup: &Setup<Params>) -> i64 {
        setup.window_ms.saturating_add(setup.params.settle.unwrap_or_default().0)
    }

    fn former<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Sides, D::Error> {
        let Former { above, below } = Former::deserialize(deserializer)?;
        let newest_ms = below.newest_ms();
        Ok(Sides { above, below, open: Pairs::default(), newest_ms })
    }

    fn heap_bytes(state: &Sides) -> usize {
        state.above.heap_bytes() + state.below.heap_bytes() + state.open.heap_bytes()
    }

    fn heap_bounds(setup: &Setup<Params>) -> HeapBounds {
        let open = if setup.params.settle.is_some() { pairs::HEAP } else { HeapBounds::default() };
        series::HEAP.and(series::HEAP).and(open)
    }

    fn newest_ms(state: &Sides) -> Option<i64> {
        Some(state.newest_ms)
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut Sides) -> Option<Signal> {
        state.newest_ms = state.newest_ms.max(fact.at_ms);
        match setup.params.settle {
            None => state.feed(fact.at_ms, fact.above, fact.below, setup.window_ms),
            Some(Span(settle_ms)) => {
                let pair = fact.value_key().unwrap_or_default();
                state.settle(setup.window_ms, settle_ms);
                if fact.below {
                    state.open.ask(fact.at_ms, pair, settle_ms);
                }
                if fact.above {
                    state.open.answer(fact.at_ms, pair, settle_ms);
                }
            }
        }
        None
    }

    fn measure(setup: &Setup<Params>, at_ms: i64, state: &Sides) -> Option<Signal> {
        let Setup { window_ms, offset_ms, params, .. } = setup;
        let (above, below, weight) = match params.settle {
            None => (state.above.value(at_ms, *window_ms, *offset_ms), state.below.value(at_ms, *window_ms, *offset_ms), 1),
            Some(Span(settle_ms)) => {
                let until_ms = at_ms.max(state.newest_ms).saturating_sub(settle_ms);
                let of = |total: &Total| total.value(until_ms, *window_ms, *offset_ms).unwrap_or(0);
                let (mut above, mut below) = (of(&state.above), of(&state.below));
                // What has come to its time since the newest event.
                let is_inside = |at_ms: i64| at_ms > start_of(until_ms, *window_ms) && at_ms <= start_of(until_ms, *offset_ms);
                for settled in state.open.ready(until_ms).filter(|settled| is_inside(settled.at_ms)) {
                    above = above.saturating_add(if settled.answered { settled.weight } else { 0 });
                    below = below.saturating_add(settled.weight);
                }
                (Some(above), Some(below), state.open.weight())
            }
        };
        let (above, below) = (above.unwrap_or(0), below.filter(|below| *below > 0)?);
        // Where some stand for all, so many were looked at.
        let looked_at = (below / weight).max(1);
        if looked_at < i64::from(params.at_least) {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let (share, of) = (above as f64 / below as f64, looked_at as f64);
        let bound = |bound: Option<f64>| bound.map_or(OwnedValue::Absent, OwnedValue::Double);
        let (low, high) = wilson::interval(share, of).unzip();
        Some(Signal::new(FIELDS, [OwnedValue::Double(share), bound(low), bound(high), OwnedValue::Int(below)]))
    }
}

/// Counts what has had its time.
fn add((above, below): &mut (Total, Total), settled: pairs::Settled, window_ms: i64) {
    let pairs::Settled { at_ms, answered, weight } = settled;
    above.feed(at_ms, if answered { weight } else { 0 }, window_ms);
    below.feed(at_ms, weight, window_ms);
}

impl Sides {
    fn feed(&mut self, at_ms: i64, above: bool, below: bool, window_ms: i64) {
        // A side that gains nothing still learns how far time has come, so that both windows end at the same instant.
        self.above.feed(at_ms, i64::from(above), window_ms);
        self.below.feed(at_ms, i64::from(below), window_ms);
    }

    /// Counts what is old enough by the newest event.
    fn settle(&mut self, window_ms: i64, settle_ms: i64) {
        let mut totals = (std::mem::take(&mut self.above), std::mem::take(&mut self.below));
        // What has just become as old as that may yet be answered by another event of the same instant.
        let until_ms = self.newest_ms.saturating_sub(settle_ms).saturating_sub(1);
        self.open.settle(until_ms, |settled| add(&mut totals, settled, window_ms));
        (self.above, self.below) = totals;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn setup(window_ms: i64, settle_ms: Option<i64>, at_least: u32) -> Setup<Params> {
        Setup { window_ms, offset_ms: 0, of: None, params: Params { settle: settle_ms.map(Span), at_least } }
    }

    fn share(setup: &Setup<Params>, at_ms: i64, state: &Sides) -> Option<f64> {
        match Ratio::measure(setup, at_ms, state)?.get(0)? {
            OwnedValue::Double(share) => Some(*share),
            _ => None,
        }
    }

    #[test]
    fn the_ratio_is_of_what_the_window_holds() {
        let of = setup(100, None, 1);
        let mut ratio = Sides::default();
        ratio.feed(0, true, false, 100);
        assert_eq!(share(&of, 0, &ratio), None, "nothing below the line");
        for (at, above) in [(10, false), (20, true), (110, false), (115, false)] {
            ratio.feed(at, above, true, 100);
        }
        assert_eq!(share(&of, 115, &ratio), Some(0.333_333));
        assert_eq!(share(&of, 120, &ratio), Some(0.0), "what was above the line has left");
        assert_eq!(share(&setup(100, None, 4), 115, &ratio), None, "too few");
    }

    #[test]
    fn defaults_are_no_part_of_what_a_binding_is_called() {
        assert_eq!(serde_json::to_string(&Params::default()).expect("plain"), "{}");
    }

    /// (instant, pair, whether it is an answer)
    fn settled(events: &[(i64, u64, bool)], window_ms: i64, settle_ms: i64) -> Sides {
        let mut state = Sides::default();
        for (at_ms, pair, is_answer) in events {
            state.newest_ms = state.newest_ms.max(*at_ms);
            state.settle(window_ms, settle_ms);
            if *is_answer { state.open.answer(*at_ms, *pair, settle_ms) } else { state.open.ask(*at_ms, *pair, settle_ms) }
        }
        state
    }

    #[test]
    fn what_is_asked_counts_once_it_has_had_its_time() {
        let of = setup(1_000, Some(100), 1);
        let state = settled(&[(0, 1, false), (10, 2, false), (50, 1, true), (90, 3, false)], 1_000, 100);
        assert_eq!(share(&of, 90, &state), None, "nothing is old enough");
        assert_eq!(share(&of, 100, &state), Some(1.0));
        assert_eq!(share(&of, 110, &state), Some(0.5));
        assert_eq!(share(&of, 190, &state), Some(0.333_333));
        assert_eq!(share(&of, 1_105, &state), Some(0.0), "the first has left");
    }

    proptest! {
        /// In order of time: of every request that is `settle` old and in the window, whether the newest open one before an answer.
        #[test]
        fn it_agrees_with_a_list(events in proptest::collection::vec((1_i64..60, 0_u64..4, any::<bool>()), 1..120), later in 0_i64..400) {
            const WINDOW: i64 = 500;
            const SETTLE: i64 = 100;
            let mut now = 0;
            let events: Vec<(i64, u64, bool)> = events.into_iter().map(|(step, pair, answer)| { now += step; (now, pair, answer) }).collect();
            let state = settled(&events, WINDOW, SETTLE);
            let mut asked: Vec<(i64, u64, bool)> = Vec::new();
            for (at, pair, is_answer) in &events {
                if !is_answer {
                    asked.push((*at, *pair, false));
                } else if let Some(found) = asked.iter_mut().rev().find(|(of, other, answered)| other == pair && !answered && at - of <= SETTLE) {
                    found.2 = true;
                }
            }
            let end = now + later - SETTLE;
            let counted: Vec<bool> = asked.iter().filter(|(at, ..)| *at <= end && *at > end - WINDOW).map(|(.., answered)| *answered).collect();
            let count = |of: usize| u32::try_from(of).map(f64::from).expect("a few");
            let answered = counted.iter().filter(|answered| **answered).count();
            let expected = (!counted.is_empty()).then(|| count(answered) / count(counted.len()));
            let found = share(&setup(WINDOW, Some(SETTLE), 1), now + later, &state);
            prop_assert!(found.zip(expected).is_none_or(|(found, expected)| (found - expected).abs() < 1e-6) && found.is_some() == expected.is_some(), "{found:?} {expected:?}");
        }
    }
}
