//! Baseline: whether a key has more events in this hour than it used to have at this hour of the week.
//!
//! ```text
//! Formula  z = (x − m) / max(1.4826 · MAD, √max(m, 1)), of the x events in the last hour; m is the median and MAD the median
//!          distance from it of the samples: in each week of the window, the hour that shows the same time of the same day on
//!          a clock in Cairo (kernel/clock.rs), and the two beside it. √m is what counts vary by themselves (Poisson)
//! History  closed hours alone. One without events is a sample of 0 if it lies after the key's first event; those of
//!          `holidays` are none. A late event counts in its own hour
//! State    8 bytes an hour that had events, for the window: 5 kB a key at 28d and 17 kB at 90d, at the most; and the last hour
//!          (kernel/series.rs), 4 KiB at the most
//! Misses   what grows by a little every week, as each becomes the measure of the next; what was there from the start; half
//!          of the samples and more that an attack has taken over. What happens at an hour when many do: there m is high
//! Alarms   wrongly on a feast or a match that no week before had, and after an outage, whose hours are samples of 0: list the
//!          dates. The day itself is compared all the same. The last hour slides, so it sees 60 beginnings of each hour
//! Source   median and MAD as robust estimates: Hampel, "The influence curve and its role in robust estimation", JASA 69, 1974
//! ```

use std::collections::BTreeSet;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::kernel::clock::{HOUR_MS, WEEK_HOURS, around_in_cairo, in_cairo};
use crate::kernel::series::{self, Total};
use crate::operator::{Fact, Feeds, HeapBounds, Measure, Named, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

/// How they are written.
const HOLIDAYS: [&str; 1] = ["2026-03-20"];
/// What makes the median distance from the median of a bell curve its standard deviation.
const MAD_TO_SIGMA: f64 = 1.4826;
/// Hours kept beyond the window: the one beside the oldest sample, and the one by which clocks may have been put back since.
const BEYOND_HOURS: i64 = 2;

const FIELDS: &[SignalField] = &[
    SignalField {
        name: "baseline",
        ty: SignalType::Double { decimals: 3 },
        doc: "robust standard deviations over what is usual at this hour of the week",
    },
    SignalField { name: "count", ty: SignalType::Int, doc: "events in the last hour" },
    SignalField {
        name: "expected",
        ty: SignalType::Double { decimals: 1 },
        doc: "the median of that hour of the week and the two beside it, in the weeks before: an hour that is busy alone is not expected",
    },
];

/// See the module's header.
pub struct Baseline;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Where neither as many events came in the last hour nor are expected, there is no value: three instead of one is nothing.
    #[schemars(range(min = 0.0, max = 1_000_000.0), example = 5.0)]
    pub at_least: u32,
    /// Weeks of history under which there is no value, from the end of the key's first hour on. A window that is shorter is refused.
    #[schemars(range(min = 1.0, max = 12.0), example = 2.0)]
    pub warm_up_weeks: u32,
    /// Dates in Cairo, `2026-03-20`, whose hours are no measure for others: feasts, outages. Default none.
    #[schemars(example = HOLIDAYS)]
    pub holidays: BTreeSet<Day>,
}

impl Default for Params {
    fn default() -> Self {
        Self { at_least: 5, warm_up_weeks: 2, holidays: BTreeSet::new() }
    }
}

/// A date, `2026-03-20`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Day(
    /// Days from 1970-01-01.
    i64,
);

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let date = text.parse::<Date>().ok().filter(|date| date.to_string() == text);
        let since = date.and_then(|date| date.since(EPOCH).ok());
        since.map(|span| Self(span.get_days().into())).ok_or_else(|| format!("`{text}` is no date, expected one like 2026-03-20"))
    }
}

impl From<Day> for String {
    fn from(Day(days): Day) -> Self {
        EPOCH.saturating_add(jiff::Span::new().days(days)).to_string()
    }
}

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// What one key has shown.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// Hours of UTC from 1970 on that had events, and how many, by hour; the newest one is not over.
    hours: Vec<(i32, u32)>,
    /// The first hour that had any.
    first: Option<i32>,
    /// The events of the last hour.
    recent: Total,
}

impl Operator for Baseline {
    const NAME: &'static str = "baseline";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "How far a key's events in the last hour are above what it has at the same hour of the week (Cairo), in robust standard deviations.";
    const FEEDS: Feeds = Feeds::Named(Named {
        window: "How much history, up to 90d; 28d are four weeks, and what is less than `warm_up_weeks` gives no value.",
        ..Named::USUAL
    });
    const YIELDS: Yields = Yields::Measure(Measure { of: |_| true, fields: FIELDS });
    type Params = Params;
    type State = State;

    fn never(setup: &Setup<Params>) -> Option<&'static str> {
        let weeks = setup.window_ms / HOUR_MS / WEEK_HOURS;
        (weeks < setup.params.warm_up_weeks.max(1).into())
            .then_some("its window holds fewer weeks than `warm_up_weeks`, which is 2 by default")
    }

    fn ttl_ms(setup: &Setup<Params>) -> i64 {
        kept_hours(setup.window_ms).saturating_add(1).saturating_mul(HOUR_MS)
    }

    fn heap_bytes(state: &State) -> usize {
        size_of_val(state.hours.as_slice()) + state.recent.heap_bytes()
    }

    fn heap_bounds(setup: &Setup<Params>) -> HeapBounds {
        let hour = size_of::<(i32, u32)>();
        let hours = usize::try_from(kept_hours(setup.window_ms) + 1).unwrap_or(usize::MAX);
        HeapBounds { first: hour, most: hour.saturating_mul(hours) }.and(series::HEAP)
    }

    fn newest_ms(state: &State) -> Option<i64> {
        Some(state.recent.newest_ms())
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        state.feed(fact.at_ms, setup.window_ms);
        None
    }

    fn measure(setup: &Setup<Params>, at_ms: i64, state: &State) -> Option<Signal> {
        let end_ms = state.recent.newest_ms().max(at_ms);
        let count = state.recent.value(end_ms, HOUR_MS, 0).unwrap_or(0);
        let (expected, sigma) = usual(&state.samples(hour_of(end_ms).into(), setup)?)?;
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let seen = count as f64;
        if seen.max(expected) < setup.params.at_least.into() {
            return None;
        }
        let baseline = (seen - expected) / sigma;
        Some(Signal::new(FIELDS, [OwnedValue::Double(baseline), OwnedValue::Int(count), OwnedValue::Double(expected)]))
    }
}

/// Three samples a week, and up to twelve weeks.
type Samples = SmallVec<[u32; 40]>;

impl State {
    fn feed(&mut self, at_ms: i64, window_ms: i64) {
        self.recent.feed(at_ms, 1, HOUR_MS);
        let newest_ms = self.recent.newest_ms();
        let oldest = i64::from(hour_of(newest_ms)).saturating_sub(kept_hours(window_ms));
        let gone = self.hours.iter().take_while(|(hour, _)| i64::from(*hour) < oldest).count();
        if gone > 0 {
            self.hours.drain(..gone);
        }
        let hour = hour_of(at_ms);
        if i64::from(hour) < oldest {
            return;
        }
        self.first = Some(self.first.map_or(hour, |first| first.min(hour)));
        // New events are almost always of the newest hour, so the place is looked for from the end.
        let after = self.hours.iter().rposition(|(other, _)| *other <= hour);
        match after.and_then(|index| self.hours.get_mut(index)) {
            Some((other, count)) if *other == hour => *count = count.saturating_add(1),
            _ => self.hours.insert(after.map_or(0, |index| index + 1), (hour, 1)),
        }
    }

    /// What an hour that is open is set against; `None` where too few weeks are known.
    fn samples(&self, open: i64, setup: &Setup<Params>) -> Option<Samples> {
        let first = i64::from(self.first?);
        let (shown, weeks) = (in_cairo(open), setup.window_ms / HOUR_MS / WEEK_HOURS);
        let (mut samples, mut known) = (Samples::new(), 0);
        for week in 1..=weeks {
            let same = shown.saturating_sub(week * WEEK_HOURS);
            let is_measure =
                |(hour, shown): &(i64, i64)| first < *hour && *hour < open && !setup.params.holidays.contains(&Day(shown.div_euclid(24)));
            let mut is_known = false;
            for (hour, shown) in around_in_cairo(same).filter(is_measure) {
                is_known |= shown == same;
                samples.push(self.count_in(hour));
            }
            known += u32::from(is_known);
        }
        (known >= setup.params.warm_up_weeks.max(1)).then_some(samples)
    }

    /// Events in an hour of UTC.
    fn count_in(&self, hour: i64) -> u32 {
        let place = self.hours.binary_search_by_key(&hour, |(other, _)| (*other).into());
        place.ok().and_then(|place| self.hours.get(place)).map_or(0, |(_, count)| *count)
    }
}

/// Median and standard deviation of samples, as outliers do not move them.
fn usual(samples: &[u32]) -> Option<(f64, f64)> {
    let median = median(samples.iter().map(|count| f64::from(*count)).collect())?;
    let distance = self::median(samples.iter().map(|count| (f64::from(*count) - median).abs()).collect())?;
    Some((median, (MAD_TO_SIGMA * distance).max(libm::sqrt(median.max(1.0)))))
}

/// The middle one, or the mean of the two in the middle.
fn median(mut numbers: SmallVec<[f64; 40]>) -> Option<f64> {
    numbers.sort_unstable_by(f64::total_cmp);
    let (low, high) = (numbers.get(numbers.len().checked_sub(1)? / 2)?, numbers.get(numbers.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

/// Hours before the open one that may be sampled.
fn kept_hours(window_ms: i64) -> i64 {
    window_ms / HOUR_MS + BEYOND_HOURS
}

/// The hour of UTC, from 1970 on. Those that do not fit lie beyond the years of events.
fn hour_of(at_ms: i64) -> i32 {
    let hour = at_ms.div_euclid(HOUR_MS);
    i32::try_from(hour).unwrap_or(if hour < 0 { i32::MIN } else { i32::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::time::parse_rfc3339;
    use proptest::prelude::*;

    const WEEK_MS: i64 = WEEK_HOURS * HOUR_MS;
    const MINUTE_MS: i64 = 60_000;

    fn setup(weeks: i64, params: Params) -> Setup<Params> {
        Setup { window_ms: weeks * WEEK_MS, offset_ms: 0, of: None, params }
    }

    fn ms(instant: &str) -> i64 {
        parse_rfc3339(instant).expect("an instant")
    }

    fn fed(times: impl IntoIterator<Item = i64>, setup: &Setup<Params>) -> State {
        let mut state = State::default();
        for at_ms in times {
            state.feed(at_ms, setup.window_ms);
        }
        state
    }

    /// Robust z, count and median.
    fn read(setup: &Setup<Params>, at_ms: i64, state: &State) -> Option<(f64, i64, f64)> {
        let said = Baseline::measure(setup, at_ms, state)?;
        match (said.get(0), said.get(1), said.get(2)) {
            (Some(OwnedValue::Double(z)), Some(OwnedValue::Int(count)), Some(OwnedValue::Double(expected))) => {
                Some((*z, *count, *expected))
            }
            _ => panic!("other fields"),
        }
    }

    /// So many events in the minutes after an instant.
    fn burst(at_ms: i64, count: i64) -> impl Iterator<Item = i64> {
        (0..count).map(move |number| at_ms + number * 1_000)
    }

    /// An event on 1 January, and ten in each hour of each Thursday evening of four weeks.
    fn thursdays() -> Vec<i64> {
        let mut times = vec![ms("2026-01-01T00:00:00Z")];
        for week in 0..4 {
            let evening = ms("2026-01-08T16:00:00Z") + week * WEEK_MS;
            times.extend([-1, 0, 1].into_iter().flat_map(|beside| burst(evening + beside * HOUR_MS, 10)));
        }
        times
    }

    #[test]
    fn an_hour_is_set_against_the_same_of_past_weeks() {
        let setup = setup(4, Params::default());
        let mut times = thursdays();
        let now = ms("2026-02-05T16:30:00Z");
        times.extend(burst(now, 30));
        let state = fed(times.clone(), &setup);
        assert_eq!(read(&setup, 0, &state), Some((6.325, 30, 10.0)), "20 more than 10, of which √10 comes and goes");
        assert_eq!(read(&setup, now + 61 * MINUTE_MS, &state), Some((-3.162, 0, 10.0)), "an hour later there are none");
        assert_eq!(read(&setup, now + 2 * HOUR_MS, &state), None, "and then none are expected, as two of three samples have none");
        // A day earlier nothing is usual.
        let mut quiet = thursdays();
        quiet.extend(burst(now - 24 * HOUR_MS, 30));
        assert_eq!(read(&setup, 0, &fed(quiet, &setup)), Some((30.0, 30, 0.0)));
    }

    #[test]
    fn until_weeks_are_known_there_is_no_value() {
        let now = ms("2026-02-05T16:30:00Z");
        let read = |first: i64, weeks: i64, warm_up_weeks: u32| {
            let setup = setup(weeks, Params { warm_up_weeks, ..Params::default() });
            read(&setup, 0, &fed([first].into_iter().chain(burst(now, 30)), &setup)).is_some()
        };
        assert!(read(now - 2 * WEEK_MS - HOUR_MS, 4, 2) && !read(now - 2 * WEEK_MS, 4, 2), "its first hour is not whole");
        assert!(read(now - 3 * WEEK_MS, 2, 2) && !read(now - 3 * WEEK_MS, 1, 2), "a window that is too short");
    }

    #[test]
    fn under_a_volume_there_is_no_value() {
        let now = ms("2026-02-05T16:30:00Z");
        let of = |count: i64, at_least: u32| {
            let setup = setup(4, Params { at_least, ..Params::default() });
            read(&setup, 0, &fed([now - 3 * WEEK_MS].into_iter().chain(burst(now, count)), &setup)).map(|(z, ..)| z)
        };
        assert_eq!((of(4, 5), of(5, 5), of(4, 4)), (None, Some(5.0), Some(4.0)));
        let setup = setup(4, Params::default());
        let mut quiet = thursdays();
        quiet.push(now);
        assert_eq!(read(&setup, 0, &fed(quiet, &setup)), Some((-2.846, 1, 10.0)), "one has come of ten");
    }

    /// Noon in Cairo is another hour of UTC after the clocks were put forward, and another again after they were put back.
    #[test]
    fn the_hour_is_that_of_cairo() {
        for (noons, today) in [
            (["2026-04-09T10:00:00Z", "2026-04-16T10:00:00Z", "2026-04-23T10:00:00Z"], "2026-04-30T09:30:00Z"),
            (["2026-10-11T09:00:00Z", "2026-10-18T09:00:00Z", "2026-10-25T09:00:00Z"], "2026-11-01T10:30:00Z"),
        ] {
            let setup = setup(4, Params::default());
            let mut times = vec![ms(noons[0]) - 30 * HOUR_MS];
            // Were it by UTC, one of the three samples a week would be empty.
            times.extend(noons.iter().flat_map(|noon| [-1, 0, 1].into_iter().flat_map(|beside| burst(ms(noon) + beside * HOUR_MS, 9))));
            times.extend(burst(ms(today), 9));
            assert_eq!(read(&setup, 0, &fed(times.clone(), &setup)), Some((0.0, 9, 9.0)));
            let samples = fed(times, &setup).samples(hour_of(ms(today)).into(), &setup).expect("three weeks");
            assert_eq!(samples.as_slice(), [9; 9]);
        }
    }

    #[test]
    fn holidays_are_no_measure() {
        let now = ms("2026-02-05T16:30:00Z");
        let mut times = thursdays();
        let before = ms("2026-01-29T16:00:00Z");
        times.extend([-1, 0, 1].into_iter().flat_map(|beside| burst(before + beside * HOUR_MS, 500)));
        times.extend(burst(now, 30));
        let samples = |holidays: serde_json::Value| {
            let params: Params = serde_json::from_value(serde_json::json!({ "holidays": holidays })).expect("dates");
            let setup = setup(2, params);
            fed(times.clone(), &setup).samples(hour_of(now).into(), &setup).map(|samples| samples.to_vec())
        };
        assert_eq!(samples(serde_json::json!([])), Some(vec![510, 510, 510, 10, 10, 10]));
        assert_eq!(samples(serde_json::json!(["2026-01-29"])), None, "one week is left, of two");
        assert_eq!(samples(serde_json::json!(["2026-01-28", "2026-02-05"])), Some(vec![510, 510, 510, 10, 10, 10]));
    }

    #[test]
    fn dates_are_written_as_they_are_read() {
        for text in ["2026-03-20", "1969-12-31", "2024-02-29", "9999-12-31"] {
            let day = Day::try_from(text.to_owned()).expect("a date");
            assert_eq!(String::from(day), text);
        }
        assert_eq!(Day::try_from("1970-01-02".to_owned()), Ok(Day(1)));
        for wrong in ["20260320", "2026-3-20", "2026-02-30", "2026-03-20T00:00", "tomorrow", ""] {
            assert!(Day::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_state_is_bounded() {
        let setup = setup(12, Params::default());
        let state = fed((0..3_000).map(|hour| hour * HOUR_MS), &setup);
        assert_eq!(state.hours.len(), 12 * 168 + 3);
        let flood = fed((0..100_000).map(|number| number * 100), &setup);
        assert!(Baseline::heap_bytes(&flood) <= Baseline::heap_bounds(&setup).most);
    }

    /// The samples out of a plain list of events, by going through all hours.
    fn by_hand(times: &[i64], open: i64, setup: &Setup<Params>) -> Vec<u32> {
        let hour = |at_ms: i64| at_ms.div_euclid(HOUR_MS);
        let kept = |place: usize| {
            let newest = times[..=place].iter().copied().max().expect("itself");
            hour(times[place]) >= hour(newest) - kept_hours(setup.window_ms)
        };
        let kept: Vec<i64> = (0..times.len()).filter(|place| kept(*place)).map(|place| hour(times[place])).collect();
        let first = *kept.iter().min().expect("one at least");
        let weeks = setup.window_ms / WEEK_MS;
        let mut samples = Vec::new();
        for hour in (first + 1)..open {
            let off = in_cairo(open) - in_cairo(hour);
            let near = (1..=weeks).any(|week| (off - week * WEEK_HOURS).abs() <= 1);
            if near && !setup.params.holidays.contains(&Day(in_cairo(hour).div_euclid(24))) {
                samples.push(u32::try_from(kept.iter().filter(|other| **other == hour).count()).expect("few"));
            }
        }
        samples.sort_unstable();
        samples
    }

    proptest! {
        /// Late, repeated, over a change of clocks: what a plain list gives, in any order that forgets nothing.
        #[test]
        fn it_agrees_with_a_plain_list(
            draws in proptest::collection::vec((0_i64..28 * 24, 0_i64..HOUR_MS), 1..150).prop_shuffle(),
            days in proptest::collection::btree_set(0_i64..28, 0..4), weeks in 1_i64..5, later in 0_i64..100,
        ) {
            let begin = ms("2026-10-12T00:00:00Z");
            let day = |days: i64| Day(begin.div_euclid(24 * HOUR_MS) + days);
            let setup = setup(weeks, Params { warm_up_weeks: 1, at_least: 0, holidays: days.into_iter().map(day).collect() });
            let times: Vec<i64> = draws.iter().map(|(hour, ms)| begin + hour * HOUR_MS + ms).collect();
            let state = fed(times.clone(), &setup);
            let end = times.iter().max().expect("one at least") + later * HOUR_MS;
            let open = i64::from(hour_of(end));
            let exact = by_hand(&times, open, &setup);
            let samples = state.samples(open, &setup).map(|mut samples| {
                samples.sort_unstable();
                samples.to_vec()
            });
            if let Some(samples) = samples {
                prop_assert_eq!(samples, exact);
            } else {
                prop_assert!(exact.len() <= 2 * 4, "{:?}", exact);
            }
            let count = i64::try_from(times.iter().filter(|at| **at > end - HOUR_MS).count()).expect("few");
            prop_assert!(read(&setup, end, &state).is_none_or(|(_, seen, _)| seen == count));
            let mut sorted = times;
            sorted.sort_unstable();
            if *sorted.first().expect("one") >= sorted.last().expect("one") - setup.window_ms {
                let saved = |state: &State| postcard::to_allocvec(state).expect("plain data");
                prop_assert_eq!(saved(&fed(sorted, &setup)), saved(&state));
            }
        }

        #[test]
        fn no_time_is_too_strange(times in proptest::collection::vec(any::<i64>(), 1..20), at_ms in any::<i64>()) {
            let setup = setup(12, Params { warm_up_weeks: 1, at_least: 0, ..Params::default() });
            let state = fed(times, &setup);
            prop_assert!(read(&setup, at_ms, &state).is_none_or(|(z, ..)| z.is_finite()));
        }
    }
}
