//! Impossible travel: two logins of one user farther apart than travel allows.
//!
//! ```text
//! Input    auth.login_succeeded with location                               Key  user
//! Formula  d_lb = max(0, d − radius_factor · (r₁ + r₂)); Δt = |t₂ − t₁| + tolerance_s   (kernel/lower_bound_speed.rs)
//! Fires    d_lb > distance_m_min (100 km) and d_lb > speed_mps_max (250 m/s) · Δt
//! Strength 1 − speed_mps_max · Δt / d_lb, in 0..1
//! State    the anchor login: location, radius, event clock; forgotten after half_earth / speed_mps_max
//! Misses   travel inside one city; a user's first login; an attacker near the victim, or behind a VPN throughout
//! Alarms   wrongly on VPN exits that are not marked as such, and on carriers' gateways whose radius is too small
//! Source   Panther `impossible_travel_login` and its kin (great-circle speed over 900 km/h), with the geo-IP radius
//!          that they pass over: median error on mobile networks is 179–207 km (arXiv 2605.21937)
//! ```
//!
//! Times are the event clock: a login's own clock is the service's. A login older than the anchor is judged against it
//! but does not replace it; one at the same instant is judged and replaces it. A login through a data centre, VPN,
//! company line or satellite shows where the line ends and not where the person is: it is never the anchor, so nobody is
//! accused for switching a VPN off, and no attacker hides a journey behind one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::detector::Detector;
use crate::event::auth::AsnType;
use crate::event::{Data, Event, EventType};
use crate::kernel::great_circle::EARTH_RADIUS_M;
use crate::kernel::lower_bound_speed::{self, Bounds, Fix, judge};
use crate::signal::{Signal, SignalField};

/// See the module's header.
pub struct ImpossibleTravel;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Fastest credible travel, m/s. 250: an airliner's cruise. Higher misses more, lower accuses travellers.
    #[schemars(range(min = 1.0, max = 100_000.0), example = 250.0)]
    pub speed_mps_max: f64,
    /// Jumps up to this are never judged, m. 100 000: what geo-IP confuses inside one country.
    #[schemars(range(min = 0.0, max = 20_000_000.0), example = 100_000.0)]
    pub distance_m_min: f64,
    /// How many 68 % radii of both places to take off the distance. 1 believes the reported accuracy; 0 is the naive
    /// form, which accuses on every carrier gateway.
    #[schemars(range(min = 0.0, max = 10.0), example = 1.0)]
    pub radius_factor: f64,
    /// Radius of a location that reports none, m. 50 000: geo-IP on fixed lines, with room.
    #[schemars(range(min = 0.0, max = 5_000_000.0), example = 50_000.0)]
    pub radius_m_default: f64,
    /// Widest radius that is believed, m; a wider claim counts as this one. 500 000: geo-IP that knows the country only.
    #[schemars(range(min = 0.0, max = 20_000_000.0), example = 500_000.0)]
    pub radius_m_max: f64,
    /// Whether logins through data centres, VPNs, company lines and satellites are judged as well. They are common
    /// among honest people, and their place is the line's.
    #[schemars(example = false)]
    pub judge_egress: bool,
    /// How far two servers' clocks may disagree, s.
    #[schemars(range(min = 0.0, max = 3_600.0), example = 120.0)]
    pub tolerance_s: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            speed_mps_max: 250.0,
            distance_m_min: 100_000.0,
            radius_factor: 1.0,
            radius_m_default: 50_000.0,
            radius_m_max: 500_000.0,
            judge_egress: false,
            tolerance_s: 120.0,
        }
    }
}

/// The anchor login.
pub type State = Option<Fix>;

impl Detector for ImpossibleTravel {
    const NAME: &'static str = "impossible_travel";
    const INPUTS: &'static [EventType] = &[EventType::LoginSucceeded];
    const FIELDS: &'static [SignalField] = lower_bound_speed::FIELDS;
    type Params = Params;
    type State = State;

    fn ttl_ms(params: &Params) -> i64 {
        // Past this, no two places on Earth are too far apart.
        #[expect(clippy::cast_possible_truncation, reason = "at most 2·10⁷ m at 1 m/s or more: far inside i64")]
        {
            libm::ceil(std::f64::consts::PI * EARTH_RADIUS_M / params.speed_mps_max.max(1.0) * 1000.0) as i64
        }
    }

    fn observe(params: &Params, event: &Event<'_>, state: &mut State) -> Option<Signal> {
        let Data::LoginSucceeded(login) = &event.data else { return None };
        let location = login.location.as_ref()?;
        let position = location.position();
        if position.is_null_island() {
            return None; // geo-IP without an answer
        }
        let radius_m = location.accuracy_km.map_or(params.radius_m_default, |radius| radius.get() * 1000.0);
        let fix = Fix { position, radius_m, time_ms: event.clock() };
        let bounds = Bounds {
            speed_mps_max: params.speed_mps_max,
            distance_m_min: params.distance_m_min,
            radius_factor: params.radius_factor,
            tolerance_s: params.tolerance_s,
            radius_m_max: params.radius_m_max,
        };
        if login.asn_type.is_some_and(is_egress) {
            let anchor = state.as_ref().filter(|_| params.judge_egress)?;
            return lower_bound_speed::excess(anchor, &fix, &bounds).map(|found| found.signal());
        }
        judge(state, fix, &bounds).map(|found| found.signal())
    }
}

/// Whether an address of that kind shows where a line ends rather than where a person is.
fn is_egress(asn_type: AsnType) -> bool {
    match asn_type {
        AsnType::Hosting | AsnType::Vpn | AsnType::Corporate | AsnType::Satellite => true,
        AsnType::Mobile | AsnType::Residential => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::auth::Login;
    use crate::event::position::Location;
    use crate::event::text::{DeviceId, IpAddress, UserId};
    use crate::event::units::{Kilometres, Latitude, Longitude, Timestamp};
    use crate::value::OwnedValue;
    use rstest::rstest;

    const CAIRO: (f64, f64) = (30.0444, 31.2357);
    const ALEXANDRIA: (f64, f64) = (31.2001, 29.9187);
    const DUBAI: (f64, f64) = (25.2048, 55.2708);

    fn login(place: (f64, f64), accuracy_km: Option<f64>, at_s: i64) -> Event<'static> {
        Event {
            id: "1".into(),
            source: "s".into(),
            time: Timestamp::from_millis(1_700_000_000_000 + at_s * 1000),
            received: None,
            data: Data::LoginSucceeded(Box::new(Login {
                user_id: UserId::new("u_1"),
                device_id: DeviceId::new("d_1"),
                ip: IpAddress::new("192.0.2.1"),
                location: Some(Location {
                    lat: Latitude::try_from(place.0).expect("in range"),
                    lon: Longitude::try_from(place.1).expect("in range"),
                    accuracy_km: accuracy_km.map(|radius| Kilometres::try_from(radius).expect("in range")),
                    source: None,
                }),
                country: None,
                asn_type: None,
                method: None,
            })),
        }
    }

    fn fires(params: &Params, logins: &[Event<'_>]) -> Vec<bool> {
        let mut state = State::default();
        logins.iter().map(|login| ImpossibleTravel::observe(params, login, &mut state).is_some()).collect()
    }

    fn naive() -> Params {
        Params { radius_factor: 0.0, tolerance_s: 0.0, ..Params::default() }
    }

    /// Cairo to Dubai is 2 417 km: 9 668 s at 250 m/s.
    #[rstest]
    #[case::just_too_fast(9_600, true)]
    #[case::just_possible(9_720, false)]
    #[case::the_same_instant(0, true)]
    fn the_bound_is_where_the_header_says(#[case] after_s: i64, #[case] expected: bool) {
        assert_eq!(fires(&naive(), &[login(CAIRO, None, 0), login(DUBAI, None, after_s)]), [false, expected]);
    }

    #[test]
    fn the_radius_of_a_carrier_explains_a_jump_but_not_a_continent() {
        let params = Params::default();
        assert_eq!(fires(&params, &[login(CAIRO, Some(200.0), 0), login(ALEXANDRIA, Some(200.0), 60)]), [false, false]);
        assert_eq!(fires(&params, &[login(CAIRO, Some(200.0), 0), login(DUBAI, Some(20.0), 600)]), [false, true]);
    }

    #[test]
    fn a_late_login_is_judged_and_does_not_replace_the_newest() {
        let logins = [login(CAIRO, None, 3_600), login(DUBAI, None, 0), login(CAIRO, None, 3_700)];
        assert_eq!(fires(&naive(), &logins), [false, true, false]);
    }

    fn through(asn_type: AsnType, mut event: Event<'static>) -> Event<'static> {
        if let Data::LoginSucceeded(login) = &mut event.data {
            login.asn_type = Some(asn_type);
        }
        event
    }

    #[test]
    fn switching_a_vpn_off_accuses_nobody_and_one_in_between_hides_nothing() {
        let vpn = |place, at_s| through(AsnType::Vpn, login(place, None, at_s));
        assert_eq!(fires(&Params::default(), &[vpn(DUBAI, 0), login(CAIRO, None, 60)]), [false, false]);
        assert_eq!(fires(&Params::default(), &[login(CAIRO, None, 0), vpn(DUBAI, 60), login(DUBAI, None, 120)]), [false, false, true]);
        let judged = Params { judge_egress: true, ..Params::default() };
        assert_eq!(fires(&judged, &[login(CAIRO, None, 0), vpn(DUBAI, 60), login(CAIRO, None, 120)]), [false, true, false]);
    }

    #[test]
    fn the_same_login_twice_is_no_travel() {
        assert_eq!(fires(&naive(), &[login(CAIRO, None, 0), login(CAIRO, None, 0)]), [false, false]);
    }

    #[test]
    fn null_island_is_no_place() {
        assert_eq!(fires(&naive(), &[login(CAIRO, None, 0), login((0.0, 0.0), None, 60), login(CAIRO, None, 120)]), [false; 3]);
    }

    #[test]
    fn a_reader_can_redo_the_sum() {
        let mut state = State::default();
        assert!(ImpossibleTravel::observe(&naive(), &login(CAIRO, None, 0), &mut state).is_none());
        let signal = ImpossibleTravel::observe(&naive(), &login(DUBAI, None, 600), &mut state).expect("fires");
        let field = |index| match signal.get(index) {
            Some(OwnedValue::Double(value)) => *value,
            other => panic!("expected a number, got {other:?}"),
        };
        assert!((field(0) / field(1) - field(2)).abs() < 0.1);
        assert!((1.0 - 250.0 * field(1) / field(0) - field(3)).abs() < 0.001);
    }
}
