//! Replayed track: a driver sends fixes that he has sent before, to the decimetre.
//!
//! ```text
//! Input    gps.position                                                     Key  driver
//! Formula  of each place over 20 m from the one before a hash h of 32 bits; those with h ≤ τ are remembered with the time, at most
//!          `places`, and where there are more τ sinks to the largest that is left (a bottom-k sample: the same places are chosen in a
//!          replay). One that was there age_s_min (6 h) before or longer, by what dates both, is a hit, one that was not a miss:
//!          evidence ← max(0, evidence + ln(0.9 / 0.05)) for a hit, + ln(0.1 / 0.95) for a miss
//! Fires    evidence > evidence_min (7: three hits in a row); it then begins anew, and so it does after half an hour without a hit
//! Strength hits / places looked at since evidence began, in 0..1
//! State    8 bytes a place remembered, 32 KiB at the most with 4 096 of them; forgotten after 60 days of silence
//! Misses   a replay with noise added, or moved, or rounded to four decimals; one of what was driven so long ago that the sample has little of it; a slow one
//! Alarms   wrongly on whoever hands over yesterday's buffer again under new dates
//! Source   sequential probability ratio (Wald 1945) on a bottom-k sample (Cohen and Kaplan, PODC 2007). A receiver's noise makes a
//!          place that is passed again differ: in 31 000 km of taxis, buses and people no honest track repeats three sampled places
//! ```
//!
//! The order of arrival matters little: it is places that are looked up, and not a sequence. What is delivered again with its own old time
//! is no older than it was, whenever it comes (kernel/track.rs says which clock dates a fix). A hit counts once in six hours: from then on
//! its place is as old as the hit, so that one cached fix among live ones is one hit. Places of four decimals at the most are left out: who
//! rounds so comes by the same ones every day.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::EventType;
use crate::event::position::Position;
use crate::kernel::great_circle;
use crate::kernel::track::{Ping, RADIUS_M_DEFAULT, Spot};
use crate::operator::{DAY_MS, Fact, Feeds, HeapBounds, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

/// Who stands does not show where he was, m.
const STEP_M_MIN: f64 = 20.0;
/// A vaguer fix shows the same place again and again: the tower's, m.
const RADIUS_M_MAX: f64 = 300.0;
/// Of a replay's places so many were there, allowing for what overtook on the way.
const REPLAYED_SHARE: f64 = 0.9;
/// Of an honest track's at most so many: ten times what was seen.
const HONEST_SHARE: f64 = 0.05;
/// Evidence without a hit for so long is over, ms.
const STALE_MS: i64 = 1_800_000;
/// Time is kept to the minute.
const MINUTE_MS: i64 = 60_000;

/// See the module's header.
pub struct ReplayedTrack;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Places remembered of one driver. 4 096: all that he passes in three days, a tenth of what he passes in a month. More reaches farther
    /// back, at 8 bytes each.
    #[schemars(range(min = 16, max = 65_535), example = 4_096)]
    pub places: u16,
    /// Younger is no replay but a delivery, s. 21 600: six hours.
    #[schemars(range(min = 60.0, max = 2_592_000.0), example = 21_600.0)]
    pub age_s_min: f64,
    /// How much evidence it takes, nats. 7: three hits in a row, or five with a miss between.
    #[schemars(range(min = 1.0, max = 1_000.0), example = 7.0)]
    pub evidence_min: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { places: 4_096, age_s_min: 21_600.0, evidence_min: 7.0 }
    }
}

/// What is remembered of one driver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Hash, and the minute in which it was taken or last was a hit, by hash.
    places: Vec<(u32, u32)>,
    /// No place with a larger hash is remembered.
    largest: Option<u32>,
    here: Option<Position>,
    evidence: f64,
    hits: u32,
    looked: u32,
    hit_ms: i64,
}

/// What its signal carries.
const FIELDS: &[SignalField] = &[
    SignalField { name: "hits", ty: SignalType::Int, doc: "places that he had sent before, of those that are remembered" },
    SignalField { name: "looked", ty: SignalType::Int, doc: "places that were looked up meanwhile" },
    SignalField { name: "age_s", ty: SignalType::Double { decimals: 0 }, doc: "how long ago the last of them was sent, s" },
    SignalField { name: "strength", ty: SignalType::Double { decimals: 3 }, doc: "share of places that he had sent before, 0 to 1" },
];

impl Operator for ReplayedTrack {
    const NAME: &'static str = "replayed_track";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "A driver sends fixes that he sent hours or weeks ago, to the decimetre.";
    const FEEDS: Feeds = Feeds::Fixed { inputs: &[EventType::GpsPosition], reads: &["lat", "lon", "accuracy_m", "provider"] };
    const YIELDS: Yields = Yields::Signal(FIELDS);
    const NEEDS_RAW: bool = true;
    type Params = Params;
    type State = State;

    fn ttl_ms(_: &Setup<Params>) -> i64 {
        60 * DAY_MS
    }

    fn heap_bytes(state: &State) -> usize {
        state.places.len() * size_of::<(u32, u32)>()
    }

    fn heap_bounds(setup: &Setup<Params>) -> HeapBounds {
        let each = size_of::<(u32, u32)>();
        HeapBounds { first: each, most: usize::from(setup.params.places) * each }
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        let (ping, _) = Ping::of(fact.event, RADIUS_M_DEFAULT)?;
        state.observe(&setup.params, &ping)
    }
}

impl State {
    fn observe(&mut self, params: &Params, ping: &Ping) -> Option<Signal> {
        if ping.radius_m > RADIUS_M_MAX || self.here.is_some_and(|here| great_circle::distance_m(here, ping.position) < STEP_M_MIN) {
            return None;
        }
        self.here = Some(ping.position);
        let spot = Spot::of(ping.position);
        let hash = spot.hash();
        if spot.is_rounded() || self.largest.is_some_and(|largest| hash > largest) {
            return None;
        }
        let minute = u32::try_from(ping.taken_ms().div_euclid(MINUTE_MS)).unwrap_or_default();
        let place = match self.places.binary_search_by_key(&hash, |(hash, _)| *hash) {
            Ok(place) => self.places.get_mut(place),
            Err(place) => {
                self.remember(params, place, (hash, minute));
                None
            }
        };
        let mut age_s = None;
        if let Some((_, before)) = place {
            let since_s = f64::from(minute.saturating_sub(*before)) * 60.0;
            if since_s < params.age_s_min {
                return None; // delivered twice, or there and back: neither
            }
            (age_s, *before) = (Some(since_s), minute);
        }
        self.weigh(params, age_s, ping.clock_ms)
    }

    fn remember(&mut self, params: &Params, place: usize, new: (u32, u32)) {
        self.places.insert(place, new);
        if self.places.len() > usize::from(params.places) {
            self.places.pop();
            self.largest = self.places.last().map(|(hash, _)| *hash);
        }
    }

    fn weigh(&mut self, params: &Params, age_s: Option<f64>, at_ms: i64) -> Option<Signal> {
        if at_ms.saturating_sub(self.hit_ms) > STALE_MS {
            self.begin();
        }
        self.looked = self.looked.saturating_add(1);
        let (hit, miss) = (libm::log(REPLAYED_SHARE / HONEST_SHARE), libm::log((1.0 - REPLAYED_SHARE) / (1.0 - HONEST_SHARE)));
        let Some(age_s) = age_s else {
            self.evidence += miss;
            if self.evidence <= 0.0 {
                self.begin();
            }
            return None;
        };
        self.hit_ms = at_ms;
        self.hits = self.hits.saturating_add(1);
        self.evidence += hit;
        if self.evidence <= params.evidence_min {
            return None;
        }
        let (hits, looked) = (self.hits, self.looked);
        self.begin();
        let strength = f64::from(hits) / f64::from(looked);
        let values =
            [OwnedValue::Int(i64::from(hits)), OwnedValue::Int(i64::from(looked)), OwnedValue::Double(age_s), OwnedValue::Double(strength)];
        Some(Signal::new(FIELDS, values))
    }

    fn begin(&mut self) {
        (self.evidence, self.hits, self.looked) = (0.0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::track::tests::{ping, position};
    use proptest::prelude::*;

    const DAY_S: i64 = 86_400;

    /// A winding drive of so many fixes, 20 s apart, beginning with day `day`; `noise` tells the receiver's errors of the day.
    fn drive(day: i64, fixes: i32, noise: u32) -> Vec<Ping> {
        let mut random = noise;
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(random >> 8) / f64::from(1_u32 << 24) * 1e-4
        };
        (0..fixes)
            .map(|n| {
                let at_s = day * DAY_S + i64::from(n) * 20;
                let place = position(30.0 + f64::from(n) * 0.001 + next(), 31.2 + 0.01 * libm::sin(f64::from(n) / 9.0) + next());
                Ping { position: place, ..ping(0.0, at_s, at_s) }
            })
            .collect()
    }

    fn count(params: &Params, pings: &[Ping]) -> usize {
        let mut state = State::default();
        pings.iter().filter(|ping| state.observe(params, ping).is_some()).count()
    }

    /// The same places on another day.
    fn again(pings: &[Ping], days: i64) -> Vec<Ping> {
        let by_ms = days * DAY_S * 1000;
        pings.iter().map(|ping| Ping { device_ms: ping.device_ms + by_ms, clock_ms: ping.clock_ms + by_ms, ..*ping }).collect()
    }

    #[test]
    fn yesterdays_drive_sent_again() {
        let params = Params::default();
        let drive = drive(0, 60, 1);
        assert_eq!(count(&params, &[drive.clone(), again(&drive, 1)].concat()), 20, "every third hit");
        assert_eq!(count(&params, &[drive.clone(), again(&drive[..3], 1)].concat()), 1);
        assert_eq!(count(&params, &[drive.clone(), again(&drive[..2], 1)].concat()), 0, "two places are chance");
    }

    #[test]
    fn the_same_way_each_day_is_no_replay() {
        let days: Vec<Ping> = (0..30).flat_map(|day| drive(day, 80, 7 + u32::try_from(day).expect("small"))).collect();
        assert_eq!(count(&Params::default(), &days), 0);
    }

    #[test]
    fn delivered_twice_and_standing_is_no_replay() {
        let params = Params::default();
        let drive = drive(0, 60, 1);
        let later: Vec<Ping> = drive.iter().map(|ping| Ping { clock_ms: ping.clock_ms + 5 * 3_600_000, ..*ping }).collect();
        assert_eq!(count(&params, &[drive.clone(), later].concat()), 0, "five hours later");
        let next_day: Vec<Ping> = drive.iter().map(|ping| Ping { clock_ms: ping.clock_ms + DAY_S * 1000, ..*ping }).collect();
        assert_eq!(count(&params, &[drive, next_day].concat()), 0, "a buffer that comes again on the next day, with its own times");
        let parked: Vec<Ping> = (0..100).map(|day| ping(0.0, day * DAY_S, day * DAY_S)).collect();
        assert_eq!(count(&params, &parked), 0, "the same parking place each day");
    }

    #[test]
    fn one_cached_fix_among_live_ones_is_one_hit() {
        let (old, live) = (drive(0, 60, 1), drive(1, 60, 2));
        let cached: Vec<Ping> = live.iter().flat_map(|ping| [*ping, Ping { position: old[7].position, ..*ping }]).collect();
        assert_eq!(count(&Params::default(), &[old, cached].concat()), 0);
    }

    #[test]
    fn a_client_that_rounds_its_places_comes_by_the_same_ones() {
        let rounded = |degrees: f64| libm::round(degrees * 1e4) / 1e4;
        let days: Vec<Ping> = (0..5)
            .flat_map(|day| drive(day, 60, 1))
            .map(|ping| Ping { position: position(rounded(ping.position.lat()), rounded(ping.position.lon())), ..ping })
            .collect();
        assert_eq!(count(&Params::default(), &days), 0);
    }

    #[test]
    fn the_age_is_where_the_header_says() {
        let drive = drive(0, 10, 1);
        let after = |s: i64| {
            [
                drive.clone(),
                drive
                    .iter()
                    .map(|ping| Ping { device_ms: ping.device_ms + s * 1000, clock_ms: ping.clock_ms + s * 1000, ..*ping })
                    .collect(),
            ]
            .concat()
        };
        let params = Params::default();
        assert_eq!((count(&params, &after(21_540)), count(&params, &after(21_600))), (0, 3));
    }

    #[test]
    fn a_sample_finds_what_was_driven_long_before() {
        let params = Params { places: 256, ..Params::default() };
        let drives: Vec<Vec<Ping>> = (0..20).map(|day| drive(day, 100, 77 + u32::try_from(day).expect("small"))).collect();
        let found = drives.iter().filter(|drive| count(&params, &[drives.concat(), again(drive, 40)].concat()) > 0).count();
        assert!(found >= 19, "{found} of 20, of each of which some 13 places are remembered");
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_the_sample_is_the_smallest(places in 16_u16..64, points in proptest::collection::vec((-90.0..=90.0_f64, -180.0..=180.0_f64), 1..300)) {
            let params = Params { places, ..Params::default() };
            let mut state = State::default();
            for ((lat, lon), n) in points.iter().zip(0..) {
                let _ = state.observe(&params, &Ping { position: position(*lat, *lon), ..ping(0.0, n, n) });
            }
            let mut kept: Vec<u32> = state.places.iter().map(|(hash, _)| *hash).collect();
            prop_assert!(kept.len() <= usize::from(places) && kept.is_sorted());
            kept.dedup();
            prop_assert_eq!(kept.len(), state.places.len());
            prop_assert_eq!(ReplayedTrack::heap_bytes(&state), kept.len() * 8);
        }
    }
}
