//! Sequence: one thing after another of the same key: failed codes, a success, a payout.
//!
//! ```text
//! Formula  events e1 … en, the i-th one of step i, with t1 ≤ t2 ≤ … ≤ tn < t1 + window and, where a step says so,
//!          ti ≤ ti-1 + within; a step of `times: k` is k such events. Of one instant, what may be an earlier step stands first
//! Fires    at the event that completes it, be that the last one or one that came late; as long as its events lie in the
//!          window, each further last step completes it again
//! State    the newest 32 events, so that one that comes late finds its place, and of all before them the best beginnings:
//!          for each step the latest starts that reach it, at most 4. Events that are nothing new cost an adversary nothing
//!          to send and drive nothing out
//! Misses   what comes after 32 newer events of its key that are steps too and would have stood before them
//! Source   patterns as in SASE+ (Agrawal et al., SIGMOD 2008), skip-till-any-match, which keeps no runs but the best ones
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::operator::{Fact, Feeds, HeapBounds, Named, OfField, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

/// Events kept one by one. An honest source delays a few; a flood is summed up in beginnings.
const RECENT_MAX: usize = 32;
/// Beginnings kept of each step: more than one only where a step has a time of its own, so that the latest start need not
/// be the one that is near enough.
const BEGINNINGS_MAX: usize = 4;

const FIELDS: &[SignalField] =
    &[SignalField { name: "span_s", ty: SignalType::Double { decimals: 3 }, doc: "seconds from its first event to its last" }];

/// See the module's header.
pub struct Sequence;

/// What an analyst may set beside the steps themselves: nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Of each step, what is asked beside its events; out of the list of steps.
    #[schemars(skip)]
    pub steps: Vec<StepParams>,
}

/// What is asked of a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepParams {
    /// How many events.
    pub times: u32,
    /// How long after the event before it each may come, ms.
    pub within_ms: Option<i64>,
}

/// What one key has shown.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// The newest events in their order.
    recent: SmallVec<[Seen; 1]>,
    /// What the events before those come to.
    begun: Vec<Beginning>,
    /// What all of them come to: what comes next in order need look at nothing else.
    all: Vec<Beginning>,
    newest_ms: i64,
}

/// One event, and which steps it may be, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    at_ms: i64,
    steps: u8,
}

impl Seen {
    /// By time; of one instant, what may come first stands first, whichever arrived first.
    fn order(self) -> (i64, u32) {
        (self.at_ms, self.steps.trailing_zeros())
    }
}

/// A part of a sequence: that its places up to and with this one are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Beginning {
    place: u8,
    start_ms: i64,
    at_ms: i64,
}

impl Operator for Sequence {
    const NAME: &'static str = "sequence";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "One thing after another within the window: it fires on the event that completes it.";
    const FEEDS: Feeds = Feeds::Named(Named {
        types: "The steps, 2 to 8, first to last: event types, or `{on: types, where: …, times: 3, within: 5m}`, where `times` asks for several such events and `within` says how long after the event before it each may come.",
        of: OfField::None { because: "looks for events", instead: "remove it; which events are a step is said by the step's `where`" },
        by: "What they have in common, as a kind of entity or several.",
        window: "How long it may take from the first step to the last, 1s to 90d.",
        steps: true,
        ..Named::USUAL
    });
    const YIELDS: Yields = Yields::Signal(FIELDS);
    type Params = Params;
    type State = State;

    fn heap_bytes(state: &State) -> usize {
        state.recent.len() * size_of::<Seen>() + (state.begun.len() + state.all.len()) * size_of::<Beginning>()
    }

    fn heap_bounds(setup: &Setup<Params>) -> HeapBounds {
        let (seen, places) = (size_of::<Seen>(), places(&setup.params).count());
        let begun = size_of::<Beginning>();
        HeapBounds { first: seen + begun, most: RECENT_MAX * seen + 2 * places * BEGINNINGS_MAX * begun }
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        let took_ms = state.feed(Seen { at_ms: fact.at_ms, steps: fact.steps }, setup.window_ms, &setup.params)?;
        #[expect(clippy::cast_precision_loss, reason = "a span of ninety days at the most")]
        let span_s = took_ms as f64 / 1_000.0;
        Some(Signal::new(FIELDS, [OwnedValue::Double(span_s)]))
    }
}

/// The places of a sequence: of each the step's number and its time; a step of several events has several.
fn places(params: &Params) -> impl Iterator<Item = (u32, Option<i64>)> {
    let of = |(number, step): (u32, &StepParams)| std::iter::repeat_n((number, step.within_ms), step.times as usize);
    (0..).zip(&params.steps).flat_map(of)
}

impl State {
    /// Takes in an event; how long the sequence took, ms, where this event is of one that is complete.
    fn feed(&mut self, seen: Seen, window_ms: i64, params: &Params) -> Option<i64> {
        self.newest_ms = if self.recent.is_empty() { seen.at_ms } else { self.newest_ms.max(seen.at_ms) };
        let start_ms = self.newest_ms.saturating_sub(window_ms);
        self.begun.retain(|begun| begun.start_ms > start_ms);
        self.all.retain(|begun| begun.start_ms > start_ms);
        self.recent.retain(|other| other.at_ms > start_ms);
        if seen.at_ms <= start_ms {
            return None;
        }
        let places: SmallVec<[(u32, Option<i64>); 8]> = places(params).collect();
        let asked = Asked { window_ms, places: &places };
        let place = self.recent.iter().rposition(|other| other.order() <= seen.order()).map_or(0, |index| index + 1);
        let (before, after) = self.recent.split_at(place);
        // From here on only what goes through this event: nothing begins anew.
        let mut through = if after.is_empty() {
            asked.extend(&self.all, seen, true)
        } else {
            let begun = asked.over(&self.begun, before);
            asked.extend(&begun, seen, true)
        };
        for other in after {
            asked.take(&mut through, *other, false);
        }
        let took_ms = through.iter().filter(|begun| asked.is_last(begun)).map(|begun| begun.at_ms - begun.start_ms).min();

        let is_next = after.is_empty();
        self.recent.insert(place, seen);
        if self.recent.len() > RECENT_MAX {
            let oldest = self.recent.remove(0);
            self.begun = asked.over(&self.begun, &[oldest]).into_vec();
        }
        self.all = if is_next { asked.over(&self.all, &[seen]) } else { asked.over(&self.begun, &self.recent) }.into_vec();
        took_ms
    }
}

/// What is asked of a sequence.
#[derive(Clone, Copy)]
struct Asked<'p> {
    window_ms: i64,
    places: &'p [(u32, Option<i64>)],
}

type Beginnings = SmallVec<[Beginning; 16]>;

impl Asked<'_> {
    /// What beginnings come to with the events after them, but for what is complete: that begins nothing.
    fn over(self, begun: &[Beginning], events: &[Seen]) -> Beginnings {
        let mut all: Beginnings = begun.into();
        for seen in events {
            self.take(&mut all, *seen, true);
        }
        all.retain(|begun| !self.is_last(begun));
        all
    }

    fn is_last(self, begun: &Beginning) -> bool {
        usize::from(begun.place) + 1 == self.places.len()
    }

    /// Adds what an event makes of beginnings that all lie before it. `begins`: it may be the first of one.
    fn take(self, begun: &mut Beginnings, seen: Seen, begins: bool) {
        for new in self.extend(begun, seen, begins) {
            // It is the latest of its place, so one that does not start later is no better in anything.
            begun.retain(|other| other.place != new.place || other.start_ms > new.start_ms);
            let of_place = || begun.iter().filter(|other| other.place == new.place);
            if of_place().count() >= BEGINNINGS_MAX
                && let Some(first_ms) = of_place().map(|other| other.at_ms).min()
            {
                begun.retain(|other| other.place != new.place || other.at_ms != first_ms);
            }
            begun.push(new);
        }
    }

    /// What an event makes of beginnings: of each place that it may take, the one that starts latest.
    fn extend(self, begun: &[Beginning], seen: Seen, begins: bool) -> Beginnings {
        let may_take = |(_, (step, _)): &(u8, &(u32, Option<i64>))| seen.steps & (1 << step) != 0;
        let taken = (0_u8..).zip(self.places).filter(may_take).filter_map(|(place, (_, within_ms))| {
            let start_ms = match place.checked_sub(1) {
                None => begins.then_some(seen.at_ms),
                Some(former) => begun
                    .iter()
                    .filter(|begun| begun.place == former && seen.at_ms - begun.start_ms < self.window_ms)
                    .filter(|begun| within_ms.is_none_or(|within_ms| seen.at_ms - begun.at_ms <= within_ms))
                    .map(|begun| begun.start_ms)
                    .max(),
            };
            start_ms.map(|start_ms| Beginning { place, start_ms, at_ms: seen.at_ms })
        });
        taken.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: i64 = 100;

    fn params(steps: &[(u32, Option<i64>)]) -> Params {
        Params { steps: steps.iter().map(|(times, within_ms)| StepParams { times: *times, within_ms: *within_ms }).collect() }
    }

    fn fed(events: &[(i64, u8)], params: &Params) -> Vec<Option<i64>> {
        let mut state = State::default();
        events.iter().map(|(at_ms, steps)| state.feed(Seen { at_ms: *at_ms, steps: *steps }, WINDOW, params)).collect()
    }

    /// Whether some events in their order are a sequence with the one of that number: tried one by one.
    fn by_hand(events: &[(i64, u8)], with: usize, params: &Params) -> Option<i64> {
        fn search(events: &[(i64, u8)], taken: &mut Vec<usize>, with: usize, places: &[(u32, Option<i64>)], best: &mut Option<i64>) {
            let first_ms = taken.first().map(|first| events[*first].0);
            if taken.len() == places.len() {
                if taken.contains(&with) {
                    let took = events[*taken.last().expect("places")].0 - first_ms.expect("places");
                    *best = Some(best.map_or(took, |best| best.min(took)));
                }
                return;
            }
            let (step, within_ms) = places[taken.len()];
            for index in 0..events.len() {
                let ((at, steps), last) = (events[index], taken.last().copied());
                let order = |index: usize| (events[index].0, events[index].1.trailing_zeros(), index);
                let follows = last.is_none_or(|last| order(index) > order(last));
                let near = last.is_none_or(|last| within_ms.is_none_or(|within_ms| at - events[last].0 <= within_ms));
                let inside = first_ms.is_none_or(|first_ms| at - first_ms < WINDOW);
                if !taken.contains(&index) && steps & (1 << step) != 0 && follows && near && inside {
                    taken.push(index);
                    search(events, taken, with, places, best);
                    taken.pop();
                }
            }
        }
        let places: Vec<_> = places(params).collect();
        let mut best = None;
        search(events, &mut Vec::new(), with, &places, &mut best);
        best
    }

    #[test]
    fn it_fires_on_the_event_that_completes_it() {
        let of = params(&[(1, None), (1, None), (1, None)]);
        assert_eq!(fed(&[(0, 1), (10, 2), (20, 4)], &of), [None, None, Some(20)]);
        assert_eq!(fed(&[(0, 2), (10, 1), (20, 4)], &of), [None, None, None], "in another order");
        assert_eq!(fed(&[(0, 1), (10, 2), (100, 4)], &of), [None, None, None], "not within the window");
        assert_eq!(fed(&[(0, 1), (10, 2), (20, 4), (30, 4)], &of)[3], Some(30), "and again");
        assert_eq!(fed(&[(0, 1), (20, 4), (10, 2)], &of), [None, None, Some(20)], "what came late");
        assert_eq!(fed(&[(5, 4), (5, 2), (5, 1)], &of), [None, None, Some(0)], "all at once");
    }

    #[test]
    fn a_step_may_be_asked_for_several_times_and_each_within_its_own() {
        let of = params(&[(3, None), (1, Some(10))]);
        assert_eq!(fed(&[(0, 1), (1, 1), (2, 1), (12, 2)], &of)[3], Some(12));
        assert_eq!(fed(&[(0, 1), (1, 1), (2, 1), (13, 2)], &of)[3], None, "too long after");
        assert_eq!(fed(&[(0, 1), (1, 1), (12, 2)], &of)[2], None, "too few");
    }

    #[test]
    fn a_flood_drives_nothing_out() {
        let of = params(&[(1, None), (1, None), (1, None)]);
        let mut events = vec![(0, 1)];
        events.extend((0..500).map(|index| (1 + index / 10, 2)));
        events.push((60, 4));
        assert_eq!(fed(&events, &of).last(), Some(&Some(60)));
        let mut state = State::default();
        for at_ms in 0..100_000 {
            state.feed(Seen { at_ms, steps: (at_ms % 7).try_into().expect("small") }, WINDOW, &of);
            assert!(state.recent.len() <= RECENT_MAX && state.begun.len() <= 3 * BEGINNINGS_MAX);
        }
    }

    proptest! {
        /// What is kept for the next in order is what all that is kept comes to.
        #[test]
        fn what_is_kept_is_what_it_comes_to(
            events in proptest::collection::vec((0_i64..400, 1_u8..8), 1..120),
            times in proptest::collection::vec((1_u32..3, proptest::option::of(5_i64..60)), 2..4),
        ) {
            let (of, mut state) = (params(&times), State::default());
            let places: Vec<_> = places(&of).collect();
            for (at_ms, steps) in events {
                state.feed(Seen { at_ms, steps }, WINDOW, &of);
                let asked = Asked { window_ms: WINDOW, places: &places };
                let mut all = asked.over(&state.begun, &state.recent).into_vec();
                all.retain(|begun| begun.start_ms > state.newest_ms - WINDOW);
                let by_place = |all: &[Beginning]| { let mut all = all.to_vec(); all.sort_by_key(|one| (one.place, one.start_ms, one.at_ms)); all };
                // Where there are as many as are kept, which they are may hang on what has left the window since.
                let is_full = (0..8).any(|place| all.iter().filter(|one| one.place == place).count() >= BEGINNINGS_MAX);
                prop_assert!(is_full || by_place(&state.all) == by_place(&all));
            }
        }

        /// Late and at one instant or in order, each step of several events or one: the same as trying all.
        #[test]
        fn it_agrees_with_trying_all(
            events in proptest::collection::vec((0_i64..150, 1_u8..8), 1..12),
            times in proptest::collection::vec((1_u32..3, proptest::option::of(5_i64..60)), 2..4),
        ) {
            let of = params(&times);
            let given: Vec<(i64, u8)> = events;
            let fired = fed(&given, &of);
            for (index, fired) in fired.iter().enumerate() {
                let newest = given[..=index].iter().map(|(at, _)| *at).max().expect("one at least");
                let known: Vec<(i64, u8)> = given[..=index].iter().copied().map(|(at, steps)| (at, if at > newest - WINDOW { steps } else { 0 })).collect();
                let expected = by_hand(&known, index, &of);
                prop_assert_eq!(fired.is_some(), expected.is_some(), "{:?} at {}", given, index);
            }
        }
    }
}
