//! Impossible travel: two logins of one user farther apart than travel allows, weighed by what is known of the user.
//!
//! ```text
//! Input    auth.login_succeeded with location                               Key  user
//! Formula  d_lb = max(0, d − radius_factor · (r₁ + r₂)); Δt = |t₂ − t₁| + tolerance_s   (kernel/lower_bound_speed.rs)
//!          r = max(reported, floor of the network: mobile 200 km, fixed 50, egress 25, satellite 1 500)
//!          suspicion = 0.5 + 0.35 new device + 0.15 new place − 0.35 familiar place + 0.1 country changed
//!                    + network (fixed or hosting +0.1, VPN −0.05, company −0.5, satellite −0.6) − 0.25 own device on egress
//! Fires    d_lb > distance_m_min (100 km), d_lb > speed_mps_max (277.8 m/s) · Δt, and another address
//! Strength 1 − speed_mps_max · Δt / d_lb, in 0..1; suspicion in 0..1 says whether it is somebody else
//! State    the anchor login; the six newest places and devices of the user; forgotten after 60 days of silence
//! Misses   travel inside one city; a user's first login; an attacker with the victim's device, or near the victim
//! Alarms   wrongly on VPN exits that are not marked as such, together with a new device
//! Source   Panther `impossible_travel_login` and its kin (great-circle speed over 900 km/h), with the geo-IP radius
//!          that they pass over: median error on mobile networks is 179–207 km (arXiv 2605.21937), and about 70 % of
//!          mobile prefixes span over 100 km, so a smaller claim is not believed; familiar places and devices as
//!          Datadog's and Okta's baselines use them
//! ```
//!
//! Times are the event clock: a login's own clock is the service's. A login older than the anchor is judged against it
//! but does not replace it; one at the same instant is judged and replaces it. A login through a data centre, VPN,
//! company line or satellite (egress) shows where the line ends and not where the person is: it is judged, because that
//! is how thieves come, but it is never the anchor, so nobody is accused for switching a VPN off. A login that is both
//! impossible and suspicious teaches nothing: else the thief's second login would be as familiar as the owner's.
//!
//! With `radius_factor: 0` this is the naive form that other systems use: place and time alone, every login an anchor.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::entity::KeyHasher;
use crate::event::auth::{AsnType, Login};
use crate::event::position::Position;
use crate::event::units::{Country, Reported};
use crate::event::{Data, Event, EventType};
use crate::kernel::great_circle::distance_m;
use crate::kernel::lower_bound_speed::{Bounds, Fix, excess, judge};
use crate::operator::{Fact, Feeds, HeapBounds, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

/// Places and devices remembered of one user: what people use within weeks, and half a kilobyte.
const REMEMBERED: usize = 6;
/// Two logins this close are at one place, m: a city and its surroundings.
const PLACE_M: f64 = 60_000.0;
/// A place is familiar once it was seen so often, or this long ago first, ms.
const FAMILIAR_TIMES: u32 = 3;
const FAMILIAR_MS: i64 = 86_400_000;
/// How long a user is remembered, ms.
const MEMORY_MS: i64 = 60 * 86_400_000;

/// See the module's header.
pub struct ImpossibleTravel;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Fastest credible travel, m/s. 277.8: 1 000 km/h, an airliner with the wind. Higher misses more, lower accuses
    /// travellers.
    #[schemars(range(min = 1.0, max = 100_000.0), example = 277.8)]
    pub speed_mps_max: f64,
    /// Jumps up to this are never judged, m. 100 000: what geo-IP confuses inside one country.
    #[schemars(range(min = 0.0, max = 20_000_000.0), example = 100_000.0)]
    pub distance_m_min: f64,
    /// How many 68 % radii of both places to take off the distance. 1 believes them as they are; 0 is the naive form,
    /// which accuses on every carrier gateway.
    #[schemars(range(min = 0.0, max = 10.0), example = 1.0)]
    pub radius_factor: f64,
    /// Widest radius that is believed, m; a wider claim counts as this one. 1 500 000: a satellite operator's footprint.
    #[schemars(range(min = 0.0, max = 20_000_000.0), example = 1_500_000.0)]
    pub radius_m_max: f64,
    /// How far two servers' clocks may disagree, s.
    #[schemars(range(min = 0.0, max = 3_600.0), example = 120.0)]
    pub tolerance_s: f64,
    /// An impossible login of this suspicion or more teaches nothing about the user, 0 to 1. 0.9: where the shipped rule
    /// alerts. Lower, and honest people who moved stay strangers; higher, and a thief becomes familiar.
    #[schemars(range(min = 0.0, max = 2.0), example = 0.9)]
    pub learned_suspicion_max: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            speed_mps_max: 277.8,
            distance_m_min: 100_000.0,
            radius_factor: 1.0,
            radius_m_max: 1_500_000.0,
            tolerance_s: 120.0,
            learned_suspicion_max: 0.9,
        }
    }
}

/// What is remembered of one user.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    anchor: Option<Fix>,
    /// Hash of the anchor's address.
    ip: u64,
    country: Option<Country>,
    places: Vec<Place>,
    /// (hash, event clock of the newest login).
    devices: Vec<(u64, i64)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Place {
    position: Position,
    /// Reached through a line that ends there.
    egress: bool,
    times: u32,
    first_ms: i64,
    newest_ms: i64,
}

/// How well a place is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    New,
    Seen,
    Familiar,
}

/// What its signal carries.
const FIELDS: &[SignalField] = &[
    SignalField { name: "distance_m", ty: SignalType::Double { decimals: 0 }, doc: "distance less the radii, m" },
    SignalField { name: "elapsed_s", ty: SignalType::Double { decimals: 3 }, doc: "time between the logins and the tolerance, s" },
    SignalField { name: "speed_mps", ty: SignalType::Double { decimals: 1 }, doc: "slowest speed that explains both, m/s" },
    SignalField { name: "strength", ty: SignalType::Double { decimals: 3 }, doc: "how far past the bound, 0 to 1" },
    SignalField { name: "suspicion", ty: SignalType::Double { decimals: 2 }, doc: "how likely it is somebody else, 0 to 1" },
    SignalField { name: "device", ty: SignalType::Text, doc: "new or known" },
    SignalField { name: "place", ty: SignalType::Text, doc: "new, seen or familiar" },
];

impl Operator for ImpossibleTravel {
    const NAME: &'static str = "impossible_travel";
    const VERSION: u16 = 1;
    const GIVES: &'static str =
        "Two logins of one user farther apart than travel allows, and how likely it is that somebody else is behind the second.";
    const FEEDS: Feeds =
        Feeds::Fixed { inputs: &[EventType::LoginSucceeded], reads: &["location", "asn_type", "country", "device_id", "ip"] };
    const YIELDS: Yields = Yields::Signal(FIELDS);
    const NEEDS_RAW: bool = true;
    type Params = Params;
    type State = State;

    fn ttl_ms(_: &Setup<Params>) -> i64 {
        MEMORY_MS
    }

    fn heap_bytes(state: &State) -> usize {
        state.places.len() * size_of::<Place>() + state.devices.len() * size_of::<(u64, i64)>()
    }

    fn heap_bounds(_: &Setup<Params>) -> HeapBounds {
        let each = size_of::<Place>() + size_of::<(u64, i64)>();
        HeapBounds { first: each, most: REMEMBERED * each }
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        Self::observe(&setup.params, fact.event, state)
    }
}

impl ImpossibleTravel {
    /// Looks at one event of the key that `state` belongs to.
    fn observe(params: &Params, event: &Event<'_>, state: &mut State) -> Option<Signal> {
        let Data::LoginSucceeded(login) = &event.data else { return None };
        let location = login.location.as_ref()?;
        let position = location.position()?;
        let naive = params.radius_factor <= 0.0;
        let reported_m = location.accuracy_km.as_ref().and_then(Reported::known).map_or(0.0, |radius| radius.get() * 1000.0);
        let fix = Fix { position, radius_m: reported_m.max(radius_floor_m(login.asn_type)), time_ms: event.clock() };
        let bounds = Bounds {
            speed_mps_max: params.speed_mps_max,
            distance_m_min: params.distance_m_min,
            radius_factor: params.radius_factor,
            tolerance_s: params.tolerance_s,
            radius_m_max: params.radius_m_max,
        };
        let egress = login.asn_type.is_some_and(is_egress);
        // What could not be read is nobody's device and no address, so it is never the one of before.
        let (device, ip) = (named(login.device_id.expose()), named(login.ip.expose()));
        let known_device = state.devices.iter().any(|(known, _)| Some(*known) == device);
        let place = state.known(&fix, egress);
        let suspicion = suspicion(login, known_device, place, state.country, egress);

        let found =
            state.anchor.as_ref().and_then(|anchor| excess(anchor, &fix, &bounds)).filter(|_| naive || ip.is_none_or(|ip| ip != state.ip));
        if naive {
            judge(&mut state.anchor, fix, &bounds);
        } else if found.is_none() || suspicion < params.learned_suspicion_max {
            state.learn(fix, egress, device);
            if !egress {
                judge(&mut state.anchor, fix, &bounds);
                (state.ip, state.country) = (ip.unwrap_or_default(), login.country);
            }
        }
        found.map(|found| {
            let numbers = [found.distance_m, found.elapsed_s, found.speed_mps, found.strength, suspicion].map(OwnedValue::Double);
            let words = [if known_device { "known" } else { "new" }, place.word()].map(|word| OwnedValue::Str(word.into()));
            Signal::new(FIELDS, numbers.into_iter().chain(words))
        })
    }
}

impl State {
    /// How well the place of a login is known.
    fn known(&self, fix: &Fix, egress: bool) -> Known {
        match self.places.iter().find(|place| place.is_at(fix.position, egress)) {
            None => Known::New,
            Some(place) if place.times >= FAMILIAR_TIMES || fix.time_ms - place.first_ms > FAMILIAR_MS => Known::Familiar,
            Some(_) => Known::Seen,
        }
    }

    /// Remembers a login's place and device; the one longest unused makes room.
    fn learn(&mut self, fix: Fix, egress: bool, device: Option<u64>) {
        if let Some(place) = self.places.iter_mut().find(|place| place.is_at(fix.position, egress)) {
            place.times = place.times.saturating_add(1);
            place.first_ms = place.first_ms.min(fix.time_ms);
            place.newest_ms = place.newest_ms.max(fix.time_ms);
        } else {
            let place = Place { position: fix.position, egress, times: 1, first_ms: fix.time_ms, newest_ms: fix.time_ms };
            push(&mut self.places, place, |place| place.newest_ms);
        }
        let Some(device) = device else { return };
        match self.devices.iter_mut().find(|(known, _)| *known == device) {
            Some((_, newest_ms)) => *newest_ms = (*newest_ms).max(fix.time_ms),
            None => push(&mut self.devices, (device, fix.time_ms), |(_, newest_ms)| *newest_ms),
        }
    }
}

impl Place {
    fn is_at(&self, position: Position, egress: bool) -> bool {
        self.egress == egress && distance_m(self.position, position) <= PLACE_M
    }
}

impl Known {
    fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Seen => "seen",
            Self::Familiar => "familiar",
        }
    }
}

/// Adds one, in the place of the one longest unused where there are enough.
fn push<T>(kept: &mut Vec<T>, new: T, newest_ms: impl Fn(&T) -> i64) {
    if kept.len() < REMEMBERED {
        kept.push(new);
    } else if let Some(oldest) = kept.iter_mut().min_by_key(|kept| newest_ms(kept)) {
        *oldest = new;
    }
}

/// How likely a login that nobody can have travelled to is somebody else's, 0 to 1. Weights tuned on generated logins of
/// 20 000 users over 30 days, a third of which are carrier jumps.
fn suspicion(login: &Login<'_>, known_device: bool, place: Known, country: Option<Country>, egress: bool) -> f64 {
    let device = if known_device { 0.0 } else { 0.35 };
    let place = match place {
        Known::New => 0.15,
        Known::Seen => 0.0,
        Known::Familiar => -0.35,
    };
    let network = match login.asn_type {
        Some(AsnType::Hosting | AsnType::Residential) => 0.1,
        Some(AsnType::Vpn) => -0.05,
        Some(AsnType::Corporate) => -0.5,
        Some(AsnType::Satellite) => -0.6,
        Some(AsnType::Mobile | AsnType::Unknown) | None => 0.0,
    };
    let own_device_on_egress = if known_device && egress { -0.25 } else { 0.0 };
    let other_country = if country.is_some() && login.country.is_some() && country != login.country { 0.1 } else { 0.0 };
    f64::clamp(0.5 + device + place + network + own_device_on_egress + other_country, 0.0, 1.0)
}

/// The radius that geo-IP has on such a network whatever it claims, m.
fn radius_floor_m(asn_type: Option<AsnType>) -> f64 {
    match asn_type {
        Some(AsnType::Mobile) => 200_000.0,
        Some(AsnType::Residential | AsnType::Unknown) | None => 50_000.0,
        Some(AsnType::Hosting | AsnType::Vpn | AsnType::Corporate) => 25_000.0,
        Some(AsnType::Satellite) => 1_500_000.0,
    }
}

/// Whether an address of that kind shows where a line ends rather than where a person is.
fn is_egress(asn_type: AsnType) -> bool {
    match asn_type {
        AsnType::Hosting | AsnType::Vpn | AsnType::Corporate | AsnType::Satellite => true,
        AsnType::Mobile | AsnType::Residential | AsnType::Unknown => false,
    }
}

/// The hash of an identifier, where it names somebody or something.
fn named(text: &str) -> Option<u64> {
    (!text.is_empty()).then(|| hash(text))
}

/// Tells a user's own devices and addresses apart; nothing is keyed by it, so it needs no secret.
fn hash(text: &str) -> u64 {
    KeyHasher::new([0; 16]).hash(&[text.as_bytes()])
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
                ip: IpAddress::new(format!("192.0.2.{}", place.0.abs().trunc())), // one address a place
                location: Some(Location {
                    lat: Latitude::try_from(place.0).expect("in range"),
                    lon: Longitude::try_from(place.1).expect("in range"),
                    accuracy_km: accuracy_km.map(|radius| Reported::Known(Kilometres::try_from(radius).expect("in range"))),
                    source: None,
                }),
                country: None,
                asn: None,
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
        Params { speed_mps_max: 250.0, radius_factor: 0.0, tolerance_s: 0.0, ..Params::default() }
    }

    /// What the last of some logins is taken for, if it fires.
    fn suspicion_of(logins: &[Event<'_>]) -> Option<f64> {
        let mut state = State::default();
        let last = logins.iter().map(|login| ImpossibleTravel::observe(&Params::default(), login, &mut state)).last().flatten()?;
        match last.get(4) {
            Some(OwnedValue::Double(suspicion)) => Some(*suspicion),
            other => panic!("expected a number, got {other:?}"),
        }
    }

    fn by(device: &'static str, mut event: Event<'static>) -> Event<'static> {
        if let Data::LoginSucceeded(login) = &mut event.data {
            login.device_id = DeviceId::new(device);
        }
        event
    }

    fn through(asn_type: AsnType, mut event: Event<'static>) -> Event<'static> {
        if let Data::LoginSucceeded(login) = &mut event.data {
            login.asn_type = Some(asn_type);
        }
        event
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

    #[test]
    fn switching_a_vpn_off_accuses_nobody_and_one_in_between_hides_nothing() {
        let vpn = |place, at_s| through(AsnType::Vpn, login(place, None, at_s));
        assert_eq!(fires(&Params::default(), &[vpn(DUBAI, 0), login(CAIRO, None, 60)]), [false, false]);
        assert_eq!(fires(&Params::default(), &[login(CAIRO, None, 0), vpn(DUBAI, 60), login(DUBAI, None, 120)]), [false, true, true]);
    }

    #[test]
    fn suspicion_tells_a_thief_from_the_owner() {
        let home = || login(CAIRO, None, 0);
        let thief = by("d_9", through(AsnType::Hosting, login(DUBAI, None, 600)));
        assert_eq!(suspicion_of(&[home(), thief]), Some(1.0), "another device, another place, a data centre");
        let owner = through(AsnType::Vpn, login(DUBAI, None, 600));
        assert_eq!(suspicion_of(&[home(), owner]), Some(0.35), "the owner's device through a VPN");
        let mut commuter: Vec<Event<'_>> =
            (0..4_i32).map(|n| login(if n % 2 == 0 { CAIRO } else { DUBAI }, None, i64::from(n) * 86_400)).collect();
        commuter.push(login(CAIRO, None, 3 * 86_400 + 600));
        assert_eq!(suspicion_of(&commuter), Some(0.15), "the owner's device at a familiar place");
    }

    #[test]
    fn a_thief_does_not_become_familiar() {
        let mut logins = vec![login(CAIRO, None, 0)];
        logins.extend((1..6).map(|n| by("d_9", through(AsnType::Residential, login(DUBAI, None, n * 600)))));
        assert_eq!(suspicion_of(&logins), Some(1.0));
    }

    #[test]
    fn one_address_is_one_place_whatever_geo_ip_says_of_it() {
        let mut moved = login(DUBAI, None, 600);
        if let Data::LoginSucceeded(login) = &mut moved.data {
            login.ip = IpAddress::new("192.0.2.30");
        }
        assert_eq!(fires(&Params::default(), &[login(CAIRO, None, 0), moved]), [false, false]);
    }

    #[test]
    fn memory_of_a_user_is_bounded() {
        let mut state = State::default();
        for n in 0..100_u8 {
            let place = (f64::from(n) / 2.0, f64::from(n));
            ImpossibleTravel::observe(&Params::default(), &login(place, None, i64::from(n) * 86_400), &mut state);
        }
        assert_eq!(state.places.len(), REMEMBERED);
        assert!(ImpossibleTravel::heap_bytes(&state) < 1_000);
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
