//! Impossible travel: two logins of one user farther apart than travel allows, weighed by what is known of the user.
//!
//! ```text
//! Input    auth.login_succeeded with a place; auth.otp_verified confirms one that taught nothing            Key  user
//! Formula  d_lb = max(0, d − radius_factor · (r₁ + r₂)); Δt = |t₂ − t₁| + tolerance_s   (kernel/lower_bound_speed.rs)
//!          r = max(reported, floor of the network: mobile 200 km, fixed 50, egress 25, satellite 1 500; of a device's own
//!          place 1 km); in the middle of a country that country's (impossible_travel/middle.rs)
//!          reach = max(ground_mps_max · Δt, speed_mps_max · (Δt − flight_s)): by road or rail, or by a flight with its taxiing
//! Fires    d_lb > distance_m_min (100 km) and d_lb > reach, from an address that the account was not let in from before
//! Strength 1 − reach / d_lb, in 0..1; suspicion in 0..1 says whether it is somebody else (impossible_travel/suspicion.rs)
//! State    three anchors: the newest place by address, by the device itself, and where a line ended; six places, six devices,
//!          eight addresses, four countries, logins by network, one login to be confirmed; forgotten after 60 days of silence
//! Misses   travel inside one country over a carrier's gateway; a user's first login; places that a device makes up; a thief near
//!          the victim, on an address of his, or who confirms himself with the owner's code
//! Alarms   wrongly on families that share an account, and on VPN exits that are not marked as such, in an account's first weeks
//! Source   Panther `impossible_travel_login` and its kin (great-circle speed over 900 km/h), with the geo-IP radius
//!          that they pass over: median error on mobile networks is 179–207 km (arXiv 2605.21937), and about 70 % of
//!          mobile prefixes span over 100 km, so a smaller claim is not believed; familiar places and devices as
//!          Datadog's and Okta's baselines use them; likelihood ratios as in Freeman et al., NDSS 2016
//! ```
//!
//! **Time.** A login is judged by its own time, which its service stamps, and not by when it arrived: what an outage held back
//! for hours is no travel. A time later than the event clock, or more than `delay_s_max` before it, is not believed, and the event
//! clock stands in. A login older than an anchor is judged against it but does not replace it; one at the same instant is judged
//! and replaces it, so order of arrival accuses nobody.
//!
//! **Place.** A login through a data centre, VPN, company line or satellite (egress) shows where the line ends and not where the
//! person is: it is judged, because that is how thieves come, but it never is where the person was. So nobody is accused for switching a
//! VPN off. Where one line ended, another one may be set against it in one case: on another device, in another country, at a place that the
//! account does not know. A place that the device tells itself (`source: device`) is the person's whatever the line, and sharp. The
//! middle of a country is what geo-IP gives when it knows no more: it is set against places of other countries, and teaches no place. An
//! address that the account was let in from has not travelled, whatever geo-IP says of it now.
//!
//! **Learning.** What fires on a device that is not the account's, with `learned_suspicion_max` or more, teaches nothing: else the
//! thief's second login would be as familiar as the owner's. It is learned when a login code is verified after it on that device, or at
//! that address where there is no device, within a day (the code that let it in is no second proof); or by the next login from there that travel explains. The account's own device always
//! teaches: else each use of a new VPN would be told again.
//!
//! With `radius_factor: 0` this is the naive form that other systems use: place and time alone, every login an anchor.

mod jump;
mod known;
mod middle;
mod suspicion;
#[cfg(test)]
mod tests;
mod visit;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::entity::{EntityKind, KeyHasher};
use crate::event::auth::{Otp, OtpPurpose};
use crate::event::position::Position;
use crate::event::units::Country;
use crate::event::{Data, Event, EventType};
use crate::kernel::lower_bound_speed::Fix;
use crate::operator::{Fact, Feeds, HeapBounds, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;
use jump::{From, Jump};
pub use known::State;
use suspicion::Evidence;
use visit::{Visit, named, time_ms};

/// How long a user is remembered, ms.
const MEMORY_MS: i64 = 60 * 86_400_000;
/// How long after a login that taught nothing a code confirms it, ms: a challenge is answered on the day.
const CONFIRMED_WITHIN_MS: i64 = 86_400_000;

/// See the module's header.
pub struct ImpossibleTravel;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Fastest credible flight, m/s. 277.8: 1 000 km/h, an airliner with the wind. Higher misses more, lower accuses
    /// travellers.
    #[schemars(range(min = 1.0, max = 100_000.0), example = 277.8)]
    pub speed_mps_max: f64,
    /// Fastest credible way on the ground, m/s; above it, it takes a flight. 83.3: 300 km/h, high-speed rail.
    #[schemars(range(min = 0.0, max = 100_000.0), example = 83.3)]
    pub ground_mps_max: f64,
    /// How much longer than its distance at full speed a flight takes, s. 900: taxiing out and in (17 min on average in Europe by
    /// Eurocontrol's CODA digests) and the slow ends of the way, with nobody waiting. 0 lets people fly from door to door.
    #[schemars(range(min = 0.0, max = 36_000.0), example = 900.0)]
    pub flight_s: f64,
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
    /// Least radius that is believed of a mobile carrier's address, m. 200 000: the median error that was measured.
    #[schemars(range(min = 0.0, max = 20_000_000.0), example = 200_000.0)]
    pub mobile_radius_m_min: f64,
    /// The same of a fixed line, and of a network of an unknown kind, m. 50 000: a city and what hangs on its exchange.
    #[schemars(range(min = 0.0, max = 20_000_000.0), example = 50_000.0)]
    pub fixed_radius_m_min: f64,
    /// The same of a data centre, VPN or company, m. 25 000: a city.
    #[schemars(range(min = 0.0, max = 20_000_000.0), example = 25_000.0)]
    pub egress_radius_m_min: f64,
    /// The same of a satellite operator, m. 1 500 000: its footprint.
    #[schemars(range(min = 0.0, max = 20_000_000.0), example = 1_500_000.0)]
    pub satellite_radius_m_min: f64,
    /// Least radius that is believed of a place that the device tells, m. 1 000: a phone indoors, by its cell.
    #[schemars(range(min = 0.0, max = 20_000_000.0), example = 1_000.0)]
    pub device_radius_m_min: f64,
    /// How far two servers' clocks may disagree, s.
    #[schemars(range(min = 0.0, max = 3_600.0), example = 120.0)]
    pub tolerance_s: f64,
    /// How long a login may have been held back before its own time is no longer believed, s. 259 200: three days, the longest that a
    /// duplicate is known.
    #[schemars(range(min = 0.0, max = 7_776_000.0), example = 259_200.0)]
    pub delay_s_max: f64,
    /// Two logins this close are at one place, m. 60 000: a city and its surroundings.
    #[schemars(range(min = 0.0, max = 1_000_000.0), example = 60_000.0)]
    pub place_m: f64,
    /// A login on another device that fires with this suspicion or more teaches nothing about the user, 0 to 1. 0.5: as likely
    /// somebody else as the owner. Lower, and honest people who moved stay strangers; higher, and a thief becomes familiar.
    #[schemars(range(min = 0.0, max = 1.0), example = 0.5)]
    pub learned_suspicion_max: f64,
    /// How many of all logins are thieves', 0 to 1. Higher raises every suspicion. 0.002: one account in a hundred taken over a
    /// month, a few logins each.
    #[schemars(range(min = 0.000_001, max = 0.5), example = 0.002)]
    pub thief_share: f64,
    /// How many of the logins of an owner of whom little is known come on a device new to the account, 0 to 1. 0.1: people have
    /// two or three.
    #[schemars(range(min = 0.000_001, max = 1.0), example = 0.1)]
    pub device_share: f64,
    /// The same through a VPN. 0.02.
    #[schemars(range(min = 0.000_001, max = 1.0), example = 0.02)]
    pub vpn_share: f64,
    /// The same through a data centre: VPNs that are not marked as such. 0.001.
    #[schemars(range(min = 0.000_001, max = 1.0), example = 0.001)]
    pub hosting_share: f64,
    /// The same through a company's line. 0.03.
    #[schemars(range(min = 0.000_001, max = 1.0), example = 0.03)]
    pub corporate_share: f64,
    /// The same through a satellite. 0.05: who is on board has no other line.
    #[schemars(range(min = 0.000_001, max = 1.0), example = 0.05)]
    pub satellite_share: f64,
    /// How many of an owner's logins geo-IP has somewhere else altogether, 0 to 1: a block of addresses that moved, an account that is shared.
    /// 0.0008.
    #[schemars(range(min = 0.000_001, max = 1.0), example = 0.000_8)]
    pub error_share: f64,
    /// How many of an owner's logins a device has somewhere else altogether than it told before, 0 to 1: a made-up place, a fix kept
    /// from another town. 0.00001, a judgement: far below geo-IP's, as fixes are made by the phone's own receivers.
    #[schemars(range(min = 0.000_001, max = 1.0), example = 0.000_01)]
    pub device_error_share: f64,
    /// How many of the logins of an owner of whom little is known jump inside one country over a mobile carrier, 0 to 1: to one of its
    /// gateways that he did not come by before. 0.1.
    #[schemars(range(min = 0.000_001, max = 1.0), example = 0.1)]
    pub carrier_share: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            speed_mps_max: 277.8,
            ground_mps_max: 83.3,
            flight_s: 900.0,
            distance_m_min: 100_000.0,
            radius_factor: 1.0,
            radius_m_max: 1_500_000.0,
            mobile_radius_m_min: 200_000.0,
            fixed_radius_m_min: 50_000.0,
            egress_radius_m_min: 25_000.0,
            satellite_radius_m_min: 1_500_000.0,
            device_radius_m_min: 1_000.0,
            tolerance_s: 120.0,
            delay_s_max: 259_200.0,
            place_m: 60_000.0,
            learned_suspicion_max: 0.5,
            thief_share: 0.002,
            device_share: 0.1,
            vpn_share: 0.02,
            hosting_share: 0.001,
            corporate_share: 0.03,
            satellite_share: 0.05,
            error_share: 0.000_8,
            device_error_share: 0.000_01,
            carrier_share: 0.1,
        }
    }
}

/// What its signal carries.
const FIELDS: &[SignalField] = &[
    SignalField { name: "distance_m", ty: SignalType::Double { decimals: 0 }, doc: "distance less the radii, m" },
    SignalField { name: "elapsed_s", ty: SignalType::Double { decimals: 3 }, doc: "time between the logins and the tolerance, s" },
    SignalField { name: "speed_mps", ty: SignalType::Double { decimals: 1 }, doc: "slowest speed that explains both, m/s" },
    SignalField { name: "strength", ty: SignalType::Double { decimals: 3 }, doc: "how far past the bound, 0 to 1" },
    SignalField { name: "suspicion", ty: SignalType::Double { decimals: 3 }, doc: "how likely it is somebody else, 0 to 1" },
    SignalField { name: "device", ty: SignalType::Text, doc: "new or known; unknown where the login names none" },
    SignalField { name: "place", ty: SignalType::Text, doc: "new, seen or familiar" },
    SignalField { name: "apart_m", ty: SignalType::Double { decimals: 0 }, doc: "distance between the two places, m" },
    SignalField { name: "radii_m", ty: SignalType::Double { decimals: 0 }, doc: "what the radii of both take off it, m" },
    SignalField {
        name: "implied_mps",
        ty: SignalType::Double { decimals: 1 },
        doc: "speed that the two places and times alone imply, m/s",
    },
    SignalField { name: "from", ty: SignalType::Text, doc: "what told the other place: address, device, or exit, where a line ended" },
    SignalField { name: "logins", ty: SignalType::Int, doc: "logins of the account that are known, up to 64" },
];

impl Operator for ImpossibleTravel {
    const NAME: &'static str = "impossible_travel";
    const VERSION: u16 = 2;
    const GIVES: &'static str =
        "Two logins of one user farther apart than travel allows, and how likely it is that somebody else is behind the second.";
    const FEEDS: Feeds = Feeds::Fixed {
        inputs: &[EventType::LoginSucceeded, EventType::OtpVerified],
        reads: &["location", "asn_type", "country", "device_id", "ip", "purpose"],
    };
    const FIRES_ON: &'static [EventType] = &[EventType::LoginSucceeded];
    const YIELDS: Yields = Yields::Signal(FIELDS);
    const NEEDS_RAW: bool = true;
    type Params = Params;
    type State = State;

    fn ttl_ms(_: &Setup<Params>) -> i64 {
        MEMORY_MS
    }

    /// Passes over a state of version 1: it had neither addresses nor counts of logins, and a suspicion would be wrong without.
    fn former<'de, D: Deserializer<'de>>(deserializer: D) -> Result<State, D::Error> {
        /// Anchor, its address and country, places and devices.
        type First = (Option<Fix>, u64, Option<Country>, Vec<(Position, bool, u32, i64, i64)>, Vec<(u64, i64)>);
        First::deserialize(deserializer).map(|_| State::default())
    }

    fn heap_bytes(state: &State) -> usize {
        state.heap_bytes()
    }

    fn heap_bounds(_: &Setup<Params>) -> HeapBounds {
        State::HEAP_BOUNDS
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        Self::observe(&setup.params, fact.event, fact.hasher, state)
    }
}

impl ImpossibleTravel {
    /// Looks at one event of the key that `state` belongs to.
    fn observe(params: &Params, event: &Event<'_>, hasher: &KeyHasher, state: &mut State) -> Option<Signal> {
        match &event.data {
            Data::LoginSucceeded(login) => Self::judge(params, Visit::of(params, event, login, hasher)?, state),
            Data::OtpVerified(code) => {
                Self::confirm(params, event, hasher, code, state);
                None
            }
            _ => None,
        }
    }

    /// Judges a login, and learns from it.
    fn judge(params: &Params, visit: Visit, state: &mut State) -> Option<Signal> {
        if params.radius_factor <= 0.0 {
            let found = state.last().and_then(|last| Jump::between(params, &last, &visit.fix));
            let said = found.map(|jump| signal(&jump, From::Address, &state.evidence(params, &visit, From::Address), params));
            state.follow(&visit);
            return said;
        }
        let found = state.jump(params, &visit);
        let evidence = found.map(|(_, from)| state.evidence(params, &visit, from));
        let is_strange = evidence.is_some_and(|of| !of.is_own_device() && of.suspicion(params) >= params.learned_suspicion_max);
        let said = found.zip(evidence).map(|((jump, from), evidence)| signal(&jump, from, &evidence, params));
        if is_strange {
            state.doubt(visit);
        } else {
            state.learn(params, &visit);
        }
        said
    }

    /// A code that was verified after a login that taught nothing, on its device or else at its address, is a second proof of it.
    fn confirm(params: &Params, event: &Event<'_>, hasher: &KeyHasher, code: &Otp<'_>, state: &mut State) {
        if code.purpose.get() != Some(&OtpPurpose::Login) {
            return;
        }
        let device = code.device_id.as_ref().and_then(|device| named(hasher, EntityKind::Device, device.expose()));
        let address = named(hasher, EntityKind::Ip, code.ip.expose());
        let now_ms = time_ms(params, event);
        let is_its = |visit: &Visit| {
            let is_same = if visit.device.is_some() { visit.device == device } else { visit.address.is_some() && visit.address == address };
            is_same && (1..=CONFIRMED_WITHIN_MS).contains(&now_ms.saturating_sub(visit.fix.time_ms))
        };
        if let Some(visit) = state.take_doubted(is_its) {
            state.learn(params, &visit);
        }
    }
}

fn signal(jump: &Jump, from: From, evidence: &Evidence, params: &Params) -> Signal {
    let implied_mps = jump.apart_m / (jump.elapsed_s - params.tolerance_s).max(1.0);
    Signal::new(
        FIELDS,
        [
            OwnedValue::Double(jump.distance_m),
            OwnedValue::Double(jump.elapsed_s),
            OwnedValue::Double(jump.speed_mps),
            OwnedValue::Double(jump.strength),
            OwnedValue::Double(evidence.suspicion(params)),
            OwnedValue::Str(evidence.device_word().into()),
            OwnedValue::Str(evidence.place_word().into()),
            OwnedValue::Double(jump.apart_m),
            OwnedValue::Double(jump.radii_m),
            OwnedValue::Double(implied_mps),
            OwnedValue::Str(from.word().into()),
            OwnedValue::Int(i64::from(evidence.logins)),
        ],
    )
}
