//! Impossible speed: two fixes of one driver farther apart than a vehicle can have come.
//!
//! ```text
//! Input    gps.position                                                     Key  driver
//! Formula  d_lb = max(0, d − radius_factor · (r₁ + r₂)); Δt = |t₂ − t₁| + tolerance_s   (kernel/lower_bound_speed.rs)
//! Fires    d_lb > distance_m_min (500 m) and d_lb > speed_mps_max (55.6 m/s = 200 km/h) · Δt
//! Strength 1 − speed_mps_max · Δt / d_lb, in 0..1
//! State    the anchor fix: place, radius, time by the device's clock; forgotten after 24 h of silence
//! Misses   slow drift; a false track that keeps to the speed limit; a jump that a long silence explains, or a device
//!          clock set back by less than six hours
//! Alarms   wrongly on single glitches of a receiver that reports a good radius, and on trains
//! Source   traccar `FilterHandler` and scikit-mobility `filter` (speed from the previous fix), with the receiver's
//!          radius taken off as Android's `Location.getAccuracy` defines it (68 %)
//! ```
//!
//! Times are the device's, because distance belongs to when the device was there and not to when the network
//! delivered it. A fix that is older than the anchor is judged against it but does not replace it, so that a batch
//! delivered out of order cannot drag the anchor back; one of the anchor's own time is judged and replaces it. A device
//! clock more than two minutes ahead of the event clock or six hours behind it is not believed, and the event clock
//! stands in: else a clock set to next year, or one that races through last year, would excuse every jump.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::units::Reported;
use crate::event::{Data, Event, EventType};
use crate::kernel::lower_bound_speed::{self, Bounds, Fix, judge};
use crate::operator::{Fact, Feeds, Operator, Setup, Yields};
use crate::signal::Signal;

/// How far ahead of the event clock a device's clock is believed, ms.
const CLOCK_AHEAD_MS_MAX: i64 = 120_000;
/// And how far behind, ms: a shift without a network.
const CLOCK_BEHIND_MS_MAX: i64 = 6 * 3_600_000;

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
            radius_m_default: 30.0,
            radius_m_max: 5_000.0,
            tolerance_s: 3.0,
        }
    }
}

/// The anchor fix.
pub type State = Option<Fix>;

impl Operator for ImpossibleSpeed {
    const NAME: &'static str = "impossible_speed";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "Two fixes of one driver farther apart than a vehicle can go in the time between.";
    const FEEDS: Feeds = Feeds::Fixed { inputs: &[EventType::GpsPosition], reads: &["lat", "lon", "accuracy_m"] };
    const YIELDS: Yields = Yields::Signal(lower_bound_speed::FIELDS);
    const NEEDS_RAW: bool = true;
    type Params = Params;
    type State = State;

    fn ttl_ms(_: &Setup<Params>) -> i64 {
        24 * 3_600_000
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        Self::observe(&setup.params, fact.event, state)
    }
}

impl ImpossibleSpeed {
    /// Looks at one event of the key that `state` belongs to.
    fn observe(params: &Params, event: &Event<'_>, state: &mut State) -> Option<Signal> {
        let Data::GpsPosition(ping) = &event.data else { return None };
        let position = ping.position()?;
        let radius_m = ping.accuracy_m.as_ref().and_then(Reported::known).map_or(params.radius_m_default, |radius| radius.get());
        let (device_ms, clock_ms) = (event.time.millis(), event.clock());
        let believed = clock_ms - CLOCK_BEHIND_MS_MAX..=clock_ms + CLOCK_AHEAD_MS_MAX;
        let time_ms = if believed.contains(&device_ms) { device_ms } else { clock_ms };
        let fix = Fix { position, radius_m, time_ms };
        let bounds = Bounds {
            speed_mps_max: params.speed_mps_max,
            distance_m_min: params.distance_m_min,
            radius_factor: params.radius_factor,
            tolerance_s: params.tolerance_s,
            radius_m_max: params.radius_m_max,
        };
        judge(state, fix, &bounds).map(|found| found.signal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::gps::GpsPosition;
    use crate::event::text::DriverId;
    use crate::event::units::{Latitude, Longitude, Metres, Timestamp};
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
