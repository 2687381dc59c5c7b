//! A login, as it is judged.

use serde::{Deserialize, Serialize};

use super::{Params, middle};
use crate::entity::{EntityKind, KeyHasher};
use crate::event::Event;
use crate::event::auth::{AsnType, Login};
use crate::event::position::LocationSource;
use crate::event::units::{Country, Reported};
use crate::kernel::lower_bound_speed::Fix;

/// What kind of line a login came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Network {
    /// A home line, or none that is known.
    Fixed,
    Mobile,
    Hosting,
    Vpn,
    Corporate,
    Satellite,
}

impl Network {
    /// How many there are.
    pub(super) const COUNT: usize = 6;

    pub(super) fn of(asn_type: Option<AsnType>) -> Self {
        match asn_type {
            Some(AsnType::Residential | AsnType::Unknown) | None => Self::Fixed,
            Some(AsnType::Mobile) => Self::Mobile,
            Some(AsnType::Hosting) => Self::Hosting,
            Some(AsnType::Vpn) => Self::Vpn,
            Some(AsnType::Corporate) => Self::Corporate,
            Some(AsnType::Satellite) => Self::Satellite,
        }
    }

    /// Whether an address of that kind shows where a line ends rather than where a person is.
    pub(super) fn is_egress(self) -> bool {
        !matches!(self, Self::Fixed | Self::Mobile)
    }
}

/// A login, as it is judged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Visit {
    pub(super) fix: Fix,
    /// Whether the device itself told the place.
    pub(super) by_device: bool,
    /// Whether it is the middle of a country.
    pub(super) is_middle: bool,
    pub(super) network: Network,
    /// Keyed hashes; what could not be read is nobody's device and no address, so it is never the one of before.
    pub(super) device: Option<u64>,
    pub(super) address: Option<u64>,
    pub(super) country: Option<Country>,
}

impl Visit {
    /// `None` where the login has no place.
    pub(super) fn of(params: &Params, event: &Event<'_>, login: &Login<'_>, hasher: &KeyHasher) -> Option<Self> {
        let location = login.location.as_ref()?;
        let position = location.position()?;
        let by_device = location.source == Some(LocationSource::Device);
        let network = Network::of(login.asn_type);
        let reported_m = location.accuracy_km.as_ref().and_then(Reported::known).map_or(0.0, |radius| radius.get() * 1000.0);
        let least_m = match network {
            _ if by_device => params.device_radius_m_min,
            Network::Fixed => params.fixed_radius_m_min,
            Network::Mobile => params.mobile_radius_m_min,
            Network::Hosting | Network::Vpn | Network::Corporate => params.egress_radius_m_min,
            Network::Satellite => params.satellite_radius_m_min,
        };
        let country_m = if by_device { None } else { middle::radius_m(position) };
        // Who may claim any radius explains any jump.
        let radius_m = reported_m.max(least_m).min(params.radius_m_max).max(country_m.unwrap_or_default());
        Some(Self {
            fix: Fix { position, radius_m, time_ms: time_ms(params, event) },
            by_device,
            is_middle: country_m.is_some(),
            network,
            device: named(hasher, EntityKind::Device, login.device_id.expose()),
            address: named(hasher, EntityKind::Ip, login.ip.expose()),
            country: login.country,
        })
    }

    /// Whether its place is the person's, and neither where a line ends nor a whole country.
    pub(super) fn shows_person(&self) -> bool {
        self.by_device || !(self.is_middle || self.network.is_egress())
    }
}

/// The key of an identifier, where it names somebody or something.
pub(super) fn named(hasher: &KeyHasher, kind: EntityKind, text: &str) -> Option<u64> {
    (!text.is_empty()).then(|| hasher.key(kind, text))
}

/// When a login was, Unix ms: its own time where that can be.
#[expect(clippy::cast_possible_truncation, reason = "a span of at most ninety days")]
pub(super) fn time_ms(params: &Params, event: &Event<'_>) -> i64 {
    let (own, clock) = (event.time.millis(), event.clock());
    let (ahead, behind) = ((params.tolerance_s * 1000.0) as i64, (params.delay_s_max * 1000.0) as i64);
    if (clock.saturating_sub(behind)..=clock.saturating_add(ahead)).contains(&own) { own } else { clock }
}
