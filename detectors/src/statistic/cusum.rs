//! CUSUM: whether a key has more events than it used to, added up from stretch to stretch, so that a little more for long
//! counts as much as a lot at once.
//!
//! ```text
//! Formula  S ← max(0, S + (x − μ)/σ − k) at the end of each stretch of `window`, whose events are x; σ = √max(μ, 1), as of a
//!          Poisson count; μ the mean of the stretches before, in which one `half_life` ago weighs half, each taken for μ + 3σ at
//!          the most, so that an attack teaches nothing at once. S is 100 at the most: it is back at 0 after 100/k quiet stretches
//! Limits   at k = 0.5, which looks for one σ more, S > 4 comes by chance once in 340 stretches of a key and S > 5 once in 940
//!          (Siegmund's approximation); more often where μ is below some 5, as small counts are skewed
//! Value    of closed stretches alone, the same all through one. Stretches are aligned to the epoch and close by the key's own
//!          newest event; one without events counts as 0. The first one is not whole and counts for nothing, and until
//!          `warm_up` more have closed there is no value
//! State    64 bytes a key, for `warm_up` and four half-lives after its newest event, 90 days at the most
//! Late     an event counts in its stretch while that is open, and else in none: here the order of arrival matters
//! Misses   what is there from the first day, as `warm_up` takes all for usual; and who adds less than k·σ a stretch is
//!          followed by μ and never seen. What falls away: it looks upwards alone
//! Source   Page, "Continuous inspection schemes", Biometrika 41, 1954; Siegmund, "Sequential analysis", 1985
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operator::{Fact, Feeds, Measure, Named, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

/// How high the sum may rise: twenty times what rules ask for.
const SUM_MAX: f64 = 100.0;
/// The least that is taken off it for each stretch, so that it is at zero after 1,000 quiet ones.
const K_MIN: f64 = 0.1;
/// How many σ above its mean a stretch may teach.
const TAUGHT_MAX: f64 = 3.0;
/// Half-lives for which a key is remembered: what is left of a mean by then is a sixteenth.
const HALF_LIVES: i64 = 4;
/// As far back as anything is remembered.
const TTL_MAX_MS: i64 = 90 * 86_400_000;

const FIELDS: &[SignalField] = &[
    SignalField { name: "cusum", ty: SignalType::Double { decimals: 3 }, doc: "the sum up to the newest closed stretch" },
    SignalField { name: "expected", ty: SignalType::Double { decimals: 3 }, doc: "the mean of the stretches before that one" },
    SignalField { name: "count", ty: SignalType::Int, doc: "events in that one" },
];

/// See the module's header.
pub struct Cusum;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// How many standard deviations more a stretch may have without adding to the sum: half the shift that is looked for.
    /// Lower sees smaller shifts and is wrong more often.
    #[schemars(range(min = 0.1, max = 10.0), example = 0.5)]
    pub k: f64,
    /// Stretches after which one weighs half in the mean. Lower follows the key sooner, and an attack too.
    #[schemars(range(min = 1.0, max = 1_000.0), example = 24.0)]
    pub half_life: u32,
    /// Whole stretches without a value, from which the mean is learned first.
    #[schemars(range(min = 1.0, max = 1_000.0), example = 24.0)]
    pub warm_up: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { k: 0.5, half_life: 24, warm_up: 24 }
    }
}

/// What one key has shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The newest event clock, ms: it lies in the open stretch.
    newest_ms: i64,
    /// Events in the open stretch; 0 while there was none ever.
    open: u64,
    /// Stretches that have closed, the first one too.
    closed: u64,
    /// Events in the newest of them.
    count: u64,
    /// The mean before that one.
    expected: f64,
    /// Weighted sum of what the whole ones taught, and their weights.
    taught: f64,
    weight: f64,
    sum: f64,
}

impl Operator for Cusum {
    const NAME: &'static str = "cusum";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "How far a key's events have risen above their mean, added up over closed stretches of the window; no value until `warm_up` of them.";
    const FEEDS: Feeds = Feeds::Named(Named {
        window: "How long a stretch is, aligned to the epoch; some minutes to a day, such that a usual one holds some five events: of what is rarer, count over long windows. Longer sees later.",
        ..Named::USUAL
    });
    const YIELDS: Yields = Yields::Measure(Measure { of: |_| true, fields: FIELDS });
    type Params = Params;
    type State = State;

    fn ttl_ms(setup: &Setup<Params>) -> i64 {
        let stretches = i64::from(setup.params.warm_up) + HALF_LIVES * i64::from(setup.params.half_life);
        setup.window_ms.saturating_mul(stretches).min(TTL_MAX_MS).max(setup.window_ms.saturating_mul(2))
    }

    fn newest_ms(state: &State) -> Option<i64> {
        (state.open > 0).then_some(state.newest_ms)
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        state.feed(fact.at_ms, setup.window_ms, &setup.params);
        None
    }

    fn measure(setup: &Setup<Params>, at_ms: i64, state: &State) -> Option<Signal> {
        let mut then = state.clone();
        then.close(at_ms, setup.window_ms, &setup.params);
        let State { closed, sum, expected, count, .. } = then;
        let count = OwnedValue::Int(i64::try_from(count).unwrap_or(i64::MAX));
        // The first one taught nothing.
        (closed > setup.params.warm_up.into()).then(|| Signal::new(FIELDS, [OwnedValue::Double(sum), OwnedValue::Double(expected), count]))
    }
}

impl State {
    fn feed(&mut self, at_ms: i64, window_ms: i64, params: &Params) {
        if self.open == 0 {
            (self.newest_ms, self.open) = (at_ms, 1);
            return;
        }
        self.close(at_ms, window_ms, params);
        if stretch_of(at_ms, window_ms) == stretch_of(self.newest_ms, window_ms) {
            self.open = self.open.saturating_add(1);
        }
    }

    /// Closes the stretches before that of an instant.
    fn close(&mut self, at_ms: i64, window_ms: i64, params: &Params) {
        if self.open == 0 || at_ms <= self.newest_ms {
            return;
        }
        let over = stretch_of(at_ms, window_ms).abs_diff(stretch_of(self.newest_ms, window_ms));
        self.newest_ms = at_ms;
        if over == 0 {
            return;
        }
        let keeps = 1.0 - learned(params);
        let count = std::mem::take(&mut self.open);
        self.step(count, params);
        let mut empty = over - 1;
        // Without events the sum falls, and stays at zero: from there on all of them are one step.
        while empty > 1 && self.sum > 0.0 {
            self.step(0, params);
            empty -= 1;
        }
        if empty > 1 {
            #[expect(clippy::cast_precision_loss, reason = "past 2^53 stretches nothing is left of a mean")]
            let left = libm::pow(keeps, (empty - 1) as f64);
            self.taught *= left;
            self.weight = 1.0 - (1.0 - self.weight) * left;
            self.closed = self.closed.saturating_add(empty - 1);
        }
        if empty > 0 {
            self.step(0, params);
        }
    }

    /// A stretch has closed with so many events.
    fn step(&mut self, count: u64, params: &Params) {
        let is_whole = self.closed > 0;
        let is_warm = self.closed > params.warm_up.into();
        self.closed = self.closed.saturating_add(1);
        if !is_whole {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let seen = count as f64;
        let expected = if self.weight > 0.0 { self.taught / self.weight } else { seen };
        let sigma = libm::sqrt(expected.max(1.0));
        (self.count, self.expected) = (count, expected);
        let mut teaches = seen;
        if is_warm {
            self.sum = (self.sum + (seen - expected) / sigma - params.k.max(K_MIN)).clamp(0.0, SUM_MAX);
            teaches = seen.min(expected + TAUGHT_MAX * sigma);
        }
        let learned = learned(params);
        self.taught += learned * (teaches - self.taught);
        self.weight += learned * (1.0 - self.weight);
    }
}

/// The share of the mean that a new stretch makes up once there are many.
fn learned(params: &Params) -> f64 {
    1.0 - libm::exp2(-1.0 / f64::from(params.half_life.max(1)))
}

fn stretch_of(at_ms: i64, window_ms: i64) -> i64 {
    at_ms.div_euclid(window_ms.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: i64 = 100;

    fn setup(half_life: u32, warm_up: u32) -> Setup<Params> {
        Setup { window_ms: WINDOW, offset_ms: 0, of: None, params: Params { k: 0.5, half_life, warm_up } }
    }

    fn fed(times: &[i64], params: &Params) -> State {
        let mut state = State::default();
        for at_ms in times {
            state.feed(*at_ms, WINDOW, params);
        }
        state
    }

    /// Sum, expected and count.
    fn read(setup: &Setup<Params>, at_ms: i64, state: &State) -> Option<(f64, f64, i64)> {
        let said = Cusum::measure(setup, at_ms, state)?;
        match (said.get(0), said.get(1), said.get(2)) {
            (Some(OwnedValue::Double(sum)), Some(OwnedValue::Double(expected)), Some(OwnedValue::Int(count))) => {
                Some((*sum, *expected, *count))
            }
            other => panic!("{}", other.0.is_some()),
        }
    }

    /// So many events in each stretch from the first on.
    fn times(counts: &[i64]) -> Vec<i64> {
        (0..).zip(counts).flat_map(|(stretch, count)| (0..*count).map(move |number| stretch * WINDOW + number % WINDOW)).collect()
    }

    #[test]
    fn a_little_more_for_long_adds_up() {
        let setup = setup(1_000, 4);
        let state = fed(&times(&[1, 9, 9, 9, 9, 15, 15, 1]), &setup.params);
        assert_eq!(read(&setup, 0, &fed(&times(&[1, 9, 9, 9, 1]), &setup.params)), None, "three whole ones are closed");
        assert_eq!(read(&setup, 0, &fed(&times(&[1, 9, 9, 9, 9, 1]), &setup.params)), Some((0.0, 9.0, 9)));
        let (sum, expected, count) = read(&setup, 700, &state).expect("a value");
        assert!((sum - 2.503).abs() < 0.01 && (expected - 10.2).abs() < 0.01 && count == 15, "{sum} over {expected}");
        assert_eq!(read(&setup, 799, &state), read(&setup, 700, &state), "the same all through a stretch");
        assert!(read(&setup, 1_100, &state).is_some_and(|(sum, ..)| sum <= 0.0), "and is over when it is quiet");
    }

    #[test]
    fn an_attack_teaches_little_at_once() {
        let setup = setup(24, 24);
        let mut counts = vec![4; 40];
        counts.extend([1_000, 1_000, 1]);
        let (sum, expected, count) = read(&setup, 0, &fed(&times(&counts), &setup.params)).expect("a value");
        assert!(sum >= SUM_MAX && expected < 4.3 && count == 1_000, "{sum} over {expected}");
    }

    #[test]
    fn what_is_late_counts_while_its_stretch_is_open() {
        let params = setup(24, 1).params;
        let state = fed(&[10, 120, 250, 210, 199, 20], &params);
        assert_eq!((state.open, state.closed, state.count), (2, 2, 1));
    }

    #[test]
    fn ages_go_by_at_once() {
        let setup = setup(24, 2);
        let mut state = fed(&times(&[1, 50, 50, 50, 9_000, 1]), &setup.params);
        assert!(read(&setup, 0, &state).expect("a value").0 > 99.0);
        let (sum, expected, count) = read(&setup, i64::MAX, &state).expect("a value");
        assert!(sum <= 0.0 && expected <= 0.0 && count == 0);
        state.feed(i64::MAX, WINDOW, &setup.params);
        state.feed(i64::MIN, WINDOW, &setup.params);
        assert_eq!(state.open, 1);
        let mut state = fed(&[i64::MIN], &setup.params);
        state.feed(i64::MAX, 1, &setup.params);
        assert!(read(&setup, i64::MAX, &state).is_some());
    }

    #[test]
    fn it_is_kept_for_its_half_lives() {
        let of = |window_ms| Cusum::ttl_ms(&Setup { window_ms, ..setup(24, 24) });
        assert_eq!((of(3_600_000), of(86_400_000), of(90 * 86_400_000)), (120 * 3_600_000, TTL_MAX_MS, 180 * 86_400_000));
    }

    /// Stretch by stretch from the definition; the newest closed one's sum, mean and count.
    fn by_hand(times: &[i64], at_ms: i64, params: &Params) -> Option<(f64, f64, i64)> {
        let mut counts: Vec<i64> = Vec::new();
        let mut first = None;
        for at in times {
            let place = usize::try_from(at / WINDOW - *first.get_or_insert(at / WINDOW));
            // Before the first one, all is closed.
            let Ok(place) = place else { continue };
            if place + 1 >= counts.len() {
                counts.resize(place + 1, 0);
                counts[place] += 1;
            }
        }
        let open = usize::try_from(at_ms / WINDOW - first?).map_or(0, |open| open).max(counts.len() - 1);
        counts.resize(open + 1, 0);
        let whole = &counts[1.min(open)..open];
        let keeps = libm::exp2(-1.0 / f64::from(params.half_life));
        let (mut sum, mut seen): (f64, Vec<f64>) = (0.0, Vec::new());
        let mut last = None;
        for (place, count) in whole.iter().enumerate() {
            let count_f = f64::from(u16::try_from(*count).expect("small"));
            let weights: Vec<f64> =
                (0..seen.len()).rev().map(|age| libm::pow(keeps, f64::from(u16::try_from(age).expect("few")))).collect();
            let mean = if seen.is_empty() {
                count_f
            } else {
                seen.iter().zip(&weights).map(|(x, w)| x * w).sum::<f64>() / weights.iter().sum::<f64>()
            };
            let sigma = libm::sqrt(mean.max(1.0));
            let is_warm = place >= params.warm_up as usize;
            if is_warm {
                sum = (sum + (count_f - mean) / sigma - params.k).clamp(0.0, SUM_MAX);
            }
            seen.push(if is_warm { count_f.min(mean + TAUGHT_MAX * sigma) } else { count_f });
            last = Some((mean, *count));
        }
        (whole.len() >= params.warm_up as usize).then(|| last.map(|(mean, count)| (sum, mean, count))).flatten()
    }

    proptest! {
        /// Late, repeated, with gaps and bursts: the definition, stretch by stretch.
        #[test]
        fn it_agrees_with_the_definition(
            draws in proptest::collection::vec((prop_oneof![8 => -150_i64..150, 1 => 0_i64..9_000], 1_usize..30), 1..80),
            half_life in 1_u32..60, warm_up in 1_u32..8, later in 0_i64..2_000,
        ) {
            let setup = setup(half_life, warm_up);
            let mut at_ms = 1_000_000;
            let times: Vec<i64> = draws.iter().flat_map(|(step, count)| {
                at_ms += step;
                std::iter::repeat_n(at_ms, *count)
            }).collect();
            let end = times.iter().max().expect("one at least") + later;
            let (found, exact) = (read(&setup, end, &fed(&times, &setup.params)), by_hand(&times, end, &setup.params));
            prop_assert_eq!(found.is_some(), exact.is_some());
            if let (Some(found), Some(exact)) = (found, exact) {
                let near = |one: f64, other: f64| (one - other).abs() < 0.002;
                prop_assert!(near(found.0, exact.0) && near(found.1, exact.1) && found.2 == exact.2, "{:?} for {:?}", found, exact);
            }
        }

        #[test]
        fn no_time_is_too_strange(times in proptest::collection::vec(any::<i64>(), 1..20), at_ms in any::<i64>(), window_ms in 1_000_i64..1_000_000) {
            let setup = Setup { window_ms, ..setup(24, 1) };
            let mut state = State::default();
            for at_ms in times {
                state.feed(at_ms, window_ms, &setup.params);
            }
            let read = read(&setup, at_ms, &state);
            prop_assert!(read.is_none_or(|(sum, expected, count)| (0.0..=SUM_MAX).contains(&sum) && expected >= 0.0 && count >= 0));
        }
    }
}
