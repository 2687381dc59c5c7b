//! Impossible speed: two fixes of one driver farther apart than a vehicle can have come.
//!
//! ```text
//! Input    gps.position                                                     Key  driver
//! Formula  d_lb = max(0, d − radius_factor · (r₁ + r₂)) (kernel/lower_bound_speed.rs); Δt = time between + tolerance_s (kernel/track.rs)
//! Fires    d_lb > distance_m_min (500 m) and d_lb > speed_mps_max (55.6 m/s = 200 km/h) · Δt
//! Strength 1 − speed_mps_max · Δt / d_lb, in 0..1
//! State    the anchor fix: place, radius, both times; forgotten after 24 h of silence
//! Misses   after a silence of over twenty minutes what a flight explains (kernel/track.rs); slow drift; a false track that keeps to the
//!          speed limit; a jump that a long silence explains; fixes that are said to come from towers and routers
//! Alarms   wrongly on single glitches of a receiver that reports a good radius, and on trains: it judges one leg, and one fix accuses
//!          nobody by itself (`teleport` waits for the next)
//! Source   traccar `FilterHandler` and scikit-mobility `filter` (speed from the previous fix), with the receiver's
//!          radius taken off as Android's `Location.getAccuracy` defines it (68 %)
//! ```
//!
//! A fix that is older than the anchor is judged against it but does not replace it, so that a batch delivered out of order cannot
//! drag the anchor back; one of the anchor's own time is judged and replaces it. What a fix is, and by which clock, says kernel/track.rs.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::event::{Event, EventType};
use crate::kernel::lower_bound_speed::{self, Bounds, Fix, judge};
use crate::kernel::track::{Ping, RADIUS_M_DEFAULT, elapsed_s, flown_mps};
use crate::operator::{Fact, Feeds, Operator, Setup, Yields};
use crate::signal::Signal;

/// See the module's header.
pub struct ImpossibleSpeed;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Fastest credible speed, m/s. 55.6: 200 km/h, faster than any road here. Lower accuses trains.
    #[schemars(range(min = 1.0, max = 100_000.0), example = 55.6)]
    pub speed_mps_max: f64,
    /// Jumps up to this are never judged, m. 500: what buildings and tunnels do to an honest receiver.
    #[schemars(range(min = 0.0, max = 20_000_000.0), example = 500.0)]
    pub distance_m_min: f64,
    /// How many 68 % radii of both fixes to take off the distance. 1.5 is about 87 % of honest error; 0 is the naive form.
    #[schemars(range(min = 0.0, max = 10.0), example = 1.5)]
    pub radius_factor: f64,
    /// Radius of a fix that reports none, m. 30: a phone in a street.
    #[schemars(range(min = 0.0, max = 100_000.0), example = 30.0)]
    pub radius_m_default: f64,
    /// Widest radius that is believed, m; a wider claim counts as this one. 5 000: a fix by a country road's only tower.
    #[schemars(range(min = 0.0, max = 100_000.0), example = 5_000.0)]
    pub radius_m_max: f64,
    /// How far the device's clock may wander between two fixes, s.
    #[schemars(range(min = 0.0, max = 3_600.0), example = 3.0)]
    pub tolerance_s: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            speed_mps_max: 55.6,
            distance_m_min: 500.0,
            radius_factor: 1.5,
            radius_m_default: RADIUS_M_DEFAULT,
            radius_m_max: 5_000.0,
            tolerance_s: 3.0,
        }
    }
}

/// The anchor fix.
pub type State = Option<Ping>;

impl Operator for ImpossibleSpeed {
    const NAME: &'static str = "impossible_speed";
    const VERSION: u16 = 2;
    const FORMER_VERSION: Option<u16> = Some(1);
    const GIVES: &'static str = "Two fixes of one driver farther apart than a vehicle can go in the time between.";
    const FEEDS: Feeds = Feeds::Fixed { inputs: &[EventType::GpsPosition], reads: &["lat", "lon", "accuracy_m", "provider"] };
    const YIELDS: Yields = Yields::Signal(lower_bound_speed::FIELDS);
    const NEEDS_RAW: bool = true;
    type Params = Params;
    type State = State;

    fn ttl_ms(_: &Setup<Params>) -> i64 {
        24 * 3_600_000
    }

    /// Version 1 kept one time for both clocks.
    fn former<'de, D: Deserializer<'de>>(deserializer: D) -> Result<State, D::Error> {
        let fix = Option::<Fix>::deserialize(deserializer)?;
        Ok(fix.map(|Fix { position, radius_m, time_ms }| Ping { position, radius_m, device_ms: time_ms, clock_ms: time_ms }))
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        Self::observe(&setup.params, fact.event, state)
    }
}

impl ImpossibleSpeed {
    /// Looks at one event of the key that `state` belongs to.
    fn observe(params: &Params, event: &Event<'_>, state: &mut State) -> Option<Signal> {
        let (ping, _) = Ping::of(event, params.radius_m_default)?;
        let Some(anchor) = *state else {
            *state = Some(ping);
            return None;
        };
        let between_s = elapsed_s(&anchor, &ping);
        let bounds = Bounds {
            speed_mps_max: params.speed_mps_max.max(flown_mps(between_s)),
            distance_m_min: params.distance_m_min,
            radius_factor: params.radius_factor,
            tolerance_s: params.tolerance_s,
            radius_m_max: params.radius_m_max,
        };
        // The time between them, before or after the anchor.
        let apart_ms = millis(between_s);
        let time_ms = if ping.taken_ms() < anchor.taken_ms() { -apart_ms } else { apart_ms };
        let fix = Fix { position: ping.position, radius_m: ping.radius_m, time_ms };
        let mut newest = Some(Fix { position: anchor.position, radius_m: anchor.radius_m, time_ms: 0 });
        let found = judge(&mut newest, fix, &bounds);
        if newest == Some(fix) {
            *state = Some(ping);
        }
        found.map(|found| found.signal())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the difference of two times in ms is below 2^64, and what is cut off is more than a life"
)]
fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Data;
    use crate::event::gps::GpsPosition;
    use crate::event::text::DriverId;
    use crate::event::units::{Latitude, Longitude, Metres, Reported, Timestamp};
    use rstest::rstest;

    /// A fix `north_m` metres north of Cairo.
    fn ping(north_m: f64, accuracy_m: Option<f64>, at_s: i64) -> Event<'static> {
        Event {
            id: "1".into(),
            source: "s".into(),
            time: Timestamp::from_millis(1_700_000_000_000 + at_s * 1000),
            received: Some(Timestamp::from_millis(1_700_000_000_000 + 3_600_000)), // the network's delay says nothing about speed
            data: Data::GpsPosition(Box::new(GpsPosition {
                entity_id: DriverId::new("t_1"),
                lat: Latitude::try_from(30.0444 + north_m / 111_195.08).expect("in range"),
                lon: Longitude::try_from(31.2357).expect("in range"),
                accuracy_m: accuracy_m.map(|radius| Reported::Known(Metres::try_from(radius).expect("in range"))),
                speed_mps: None,
                heading_deg: None,
                mock: None,
                provider: None,
                device_id: None,
                task_id: None,
            })),
        }
    }

    fn fires(params: &Params, pings: &[Event<'_>]) -> Vec<bool> {
        let mut state = State::default();
        pings.iter().map(|ping| ImpossibleSpeed::observe(params, ping, &mut state).is_some()).collect()
    }

    fn naive() -> Params {
        Params { speed_mps_max: 50.0, radius_factor: 0.0, tolerance_s: 0.0, ..Params::default() }
    }

    #[rstest]
    #[case::just_too_fast(1_010.0, 20, true)]
    #[case::just_slow_enough(990.0, 20, false)]
    #[case::just_under_the_least_distance(495.0, 1, false)]
    #[case::just_over_the_least_distance(505.0, 1, true)]
    #[case::the_same_instant(2_000.0, 0, true)]
    fn the_bound_is_where_the_header_says(#[case] metres: f64, #[case] after_s: i64, #[case] expected: bool) {
        assert_eq!(fires(&naive(), &[ping(0.0, None, 0), ping(metres, None, after_s)]), [false, expected]);
    }

    #[test]
    fn a_poor_fix_accuses_nobody() {
        let params = Params::default();
        assert_eq!(fires(&params, &[ping(0.0, Some(10.0), 0), ping(3_000.0, Some(2_000.0), 10), ping(100.0, Some(10.0), 20)]), [false; 3]);
        assert_eq!(fires(&params, &[ping(0.0, Some(10.0), 0), ping(3_000.0, Some(10.0), 10)]), [false, true]);
    }

    #[test]
    fn a_domestic_flight_accuses_nobody() {
        let params = Params { speed_mps_max: 100.0, ..Params::default() };
        let live = |north_m, at_s| Event { received: None, ..ping(north_m, None, at_s) };
        assert_eq!(fires(&params, &[live(0.0, 0), live(680_000.0, 4_500)]), [false, false], "151 m/s over 75 minutes");
        assert_eq!(fires(&params, &[live(0.0, 0), live(680_000.0, 1_800)]), [false, true], "within half an hour");
    }

    #[test]
    fn a_late_fix_is_judged_and_does_not_replace_the_newest() {
        let pings = [ping(1_000.0, None, 100), ping(0.0, None, 60), ping(1_100.0, None, 110)];
        assert_eq!(fires(&naive(), &pings), [false; 3]);
        let jump = [ping(0.0, None, 100), ping(90_000.0, None, 60), ping(100.0, None, 110)];
        assert_eq!(fires(&naive(), &jump), [false, true, false]);
    }

    /// Fixes that the gateway received ten seconds apart, each far from the one before, by a device whose clock stands
    /// `offset_s` off and runs `rate` times too fast.
    fn jumps(offset_s: i64, rate: i64) -> Vec<bool> {
        let pings: Vec<Event<'_>> = (0..4_i32)
            .map(|n| {
                let received = Some(Timestamp::from_millis(1_700_000_000_000 + i64::from(n) * 10_000));
                Event { received, ..ping(f64::from(n) * 90_000.0, None, offset_s + i64::from(n) * 10 * rate) }
            })
            .collect();
        fires(&naive(), &pings)
    }

    #[test]
    fn a_clock_that_is_not_believed_excuses_nothing() {
        assert_eq!(jumps(0, 1), [false, true, true, true]);
        let year_s = 365 * 86_400;
        assert_eq!(jumps(year_s, 1), [false, true, true, true], "set to next year");
        assert_eq!(jumps(-50 * year_s, 360), [false, true, true, true], "racing through 1973");
    }

    #[test]
    fn a_claimed_radius_excuses_only_so_much() {
        let params = Params::default();
        let far = |at_s| ping(90_000.0, Some(1e6), at_s);
        assert_eq!(fires(&params, &[ping(0.0, Some(1e6), 0), far(10), ping(180_000.0, Some(1e6), 20)]), [false, true, true]);
    }

    #[test]
    fn the_same_fix_twice_is_no_movement() {
        assert_eq!(fires(&naive(), &[ping(0.0, None, 0), ping(0.0, None, 0)]), [false, false]);
    }
}
