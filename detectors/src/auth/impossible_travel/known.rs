//! What is remembered of one user: where he was last, his places, devices, addresses and countries, and by what lines he comes.

use serde::{Deserialize, Serialize};

use super::Params;
use super::jump::{From, Jump};
use super::suspicion::{Evidence, Known};
use super::visit::{Network, Visit};
use crate::event::position::Position;
use crate::event::units::Country;
use crate::kernel::great_circle::distance_m;
use crate::kernel::lower_bound_speed::Fix;
use crate::operator::{DAY_MS, HeapBounds};

/// Places and devices of one user: what people use within weeks.
const REMEMBERED: usize = 6;
/// Addresses: a carrier gives a phone several.
const ADDRESSES: usize = 8;
/// Countries.
const COUNTRIES: usize = 4;
/// Logins that are counted; beyond, all counts are halved, so that half a year ago weighs less than last month.
const LOGINS: u16 = 64;
/// A place is familiar once it was seen so often, or this long ago first, ms.
const FAMILIAR_TIMES: u32 = 3;
const FAMILIAR_MS: i64 = DAY_MS;

/// What is remembered of one user.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// Where the person was by the newest address that shows it.
    address: Option<Anchor>,
    /// Where the device itself said that it was.
    device: Option<Anchor>,
    /// Where the newest line ended that does not show where the person was.
    exit: Option<Anchor>,
    places: Vec<Place>,
    devices: Vec<Used<u64>>,
    addresses: Vec<Used<u64>>,
    countries: Vec<Used<Country>>,
    /// Logins by network.
    logins: [u16; Network::COUNT],
    /// The newest login that taught nothing.
    doubted: Option<Box<Visit>>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Anchor {
    fix: Fix,
    network: Network,
    device: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Place {
    position: Position,
    times: u32,
    first_ms: i64,
    newest_ms: i64,
}

/// Something, and when it was used last, ms.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Used<T> {
    what: T,
    newest_ms: i64,
}

impl State {
    pub(super) const HEAP_BOUNDS: HeapBounds = {
        let each = size_of::<Place>() + size_of::<Used<u64>>();
        let most = REMEMBERED * each + ADDRESSES * size_of::<Used<u64>>() + COUNTRIES * size_of::<Used<Country>>() + size_of::<Visit>();
        HeapBounds { first: each + size_of::<Used<u64>>() + size_of::<Used<Country>>(), most }
    };

    pub(super) fn heap_bytes(&self) -> usize {
        self.places.len() * size_of::<Place>()
            + (self.devices.len() + self.addresses.len()) * size_of::<Used<u64>>()
            + self.countries.len() * size_of::<Used<Country>>()
            + self.doubted.as_ref().map_or(0, |_| size_of::<Visit>())
    }

    /// The place that a login cannot have been travelled to from, and what told that one. Of several the one that is farthest past
    /// the bound.
    pub(super) fn jump(&self, params: &Params, visit: &Visit) -> Option<(Jump, From)> {
        // The middle of a country says which one it is, and no more.
        if visit.is_middle && self.is_abroad(visit) != Some(true) {
            return None;
        }
        let is_known_address = visit.address.is_some_and(|address| self.addresses.iter().any(|used| used.what == address));
        let to = |anchor: &Option<Anchor>| anchor.as_ref().and_then(|anchor| Jump::between(params, &anchor.fix, &visit.fix));
        // Two places that devices told have nothing to do with addresses.
        let device = if visit.by_device || !is_known_address { to(&self.device) } else { None };
        let address = if is_known_address { None } else { to(&self.address) };
        match (device, address) {
            (Some(device), Some(address)) if address.strength > device.strength => Some((address, From::Address)),
            (Some(device), _) => Some((device, From::Device)),
            (None, Some(address)) => Some((address, From::Address)),
            (None, None) if !is_known_address && self.is_foreign(params, visit) => to(&self.exit).map(|jump| (jump, From::Exit)),
            (None, None) => None,
        }
    }

    /// Whether nothing of a login is the account's: neither device, nor place, nor country; of an account of which a place is known.
    fn is_foreign(&self, params: &Params, visit: &Visit) -> bool {
        (self.address.is_some() || self.device.is_some())
            && self.knows_device(visit) == Known::New
            && self.place(params, visit) == Known::New
            && self.is_abroad(visit) == Some(true)
    }

    /// What speaks for and against its being the owner.
    pub(super) fn evidence(&self, params: &Params, visit: &Visit, from: From) -> Evidence {
        let anchor = match from {
            From::Address => &self.address,
            From::Device => &self.device,
            From::Exit => &self.exit,
        };
        let is_carrier = |network| network == Network::Mobile;
        Evidence {
            device: self.knows_device(visit),
            place: self.place(params, visit),
            network: visit.network,
            by_device: visit.by_device,
            one_device_told: visit.by_device
                && from == From::Device
                && visit.device.is_some()
                && anchor.is_some_and(|anchor| anchor.device == visit.device),
            over_carrier: !visit.by_device && (is_carrier(visit.network) || anchor.is_some_and(|anchor| is_carrier(anchor.network))),
            abroad: self.is_abroad(visit),
            logins: self.logins.iter().copied().fold(0, u16::saturating_add),
            logins_by_network: self.logins.get(visit.network as usize).copied().unwrap_or_default(),
        }
    }

    fn knows_device(&self, visit: &Visit) -> Known {
        match visit.device {
            None => Known::Unknown,
            Some(device) if self.devices.iter().any(|used| used.what == device) => Known::Familiar,
            Some(_) => Known::New,
        }
    }

    /// How well a place is known. Where a line ends is a place of many people's, and never one of the user's.
    fn place(&self, params: &Params, visit: &Visit) -> Known {
        match self.places.iter().find(|place| visit.shows_person() && place.is_at(params, visit.fix.position)) {
            None => Known::New,
            Some(place) if place.times >= FAMILIAR_TIMES || visit.fix.time_ms - place.first_ms > FAMILIAR_MS => Known::Familiar,
            Some(_) => Known::Seen,
        }
    }

    /// Whether the country is none of those that the user was in; `None` where it is not told, or where a device tells its place behind a
    /// line that ends somewhere else.
    fn is_abroad(&self, visit: &Visit) -> Option<bool> {
        let country = visit.country.filter(|_| !(visit.by_device && visit.network.is_egress()))?;
        (!self.countries.is_empty()).then(|| self.countries.iter().all(|used| used.what != country))
    }

    /// Remembers a login.
    pub(super) fn learn(&mut self, params: &Params, visit: &Visit) {
        let at_ms = visit.fix.time_ms;
        if self.doubted.as_ref().is_some_and(|doubted| doubted.device == visit.device && doubted.address == visit.address) {
            self.doubted = None;
        }
        if let Some(count) = self.logins.get_mut(visit.network as usize) {
            *count += 1;
        }
        if self.logins.iter().copied().fold(0, u16::saturating_add) > LOGINS {
            self.logins.iter_mut().for_each(|count| *count /= 2);
        }
        for (used, what, most) in [(&mut self.devices, visit.device, REMEMBERED), (&mut self.addresses, visit.address, ADDRESSES)] {
            if let Some(what) = what {
                use_again(used, what, at_ms, most);
            }
        }
        if let Some(country) = visit.country.filter(|_| !visit.network.is_egress()) {
            use_again(&mut self.countries, country, at_ms, COUNTRIES);
        }
        let anchor = Anchor { fix: visit.fix, network: visit.network, device: visit.device };
        if !visit.shows_person() {
            if !visit.is_middle {
                anchor.take_place_of(&mut self.exit, params);
            }
            return;
        }
        anchor.take_place_of(if visit.by_device { &mut self.device } else { &mut self.address }, params);
        if let Some(place) = self.places.iter_mut().find(|place| place.is_at(params, visit.fix.position)) {
            place.times = place.times.saturating_add(1);
            place.first_ms = place.first_ms.min(at_ms);
            place.newest_ms = place.newest_ms.max(at_ms);
        } else {
            let place = Place { position: visit.fix.position, times: 1, first_ms: at_ms, newest_ms: at_ms };
            push(&mut self.places, place, REMEMBERED, |place| place.newest_ms);
        }
    }

    /// Keeps a login that teaches nothing, until it is confirmed.
    pub(super) fn doubt(&mut self, visit: Visit) {
        if self.doubted.as_ref().is_none_or(|before| before.fix.time_ms <= visit.fix.time_ms) {
            self.doubted = Some(Box::new(visit));
        }
    }

    /// Takes that login out, if it is the one.
    pub(super) fn take_doubted(&mut self, is_its: impl Fn(&Visit) -> bool) -> Option<Visit> {
        self.doubted.take_if(|visit| is_its(visit)).map(|visit| *visit)
    }

    /// The newest login, in the naive form.
    pub(super) fn last(&self) -> Option<Fix> {
        self.address.map(|anchor| anchor.fix)
    }

    /// The same: remembers nothing else.
    pub(super) fn follow(&mut self, visit: &Visit) {
        if self.address.is_none_or(|anchor| visit.fix.time_ms >= anchor.fix.time_ms) {
            self.address = Some(Anchor { fix: visit.fix, network: visit.network, device: visit.device });
        }
    }
}

impl Anchor {
    /// Becomes the anchor, unless it says less: because it is older, or because its doubt is wider than the other's has become by
    /// travelling at full speed since. Otherwise one vague place between two sharp ones would excuse any jump.
    fn take_place_of(self, anchor: &mut Option<Self>, params: &Params) {
        let doubt_m = |fix: &Fix| params.radius_factor * fix.radius_m;
        let says_less = anchor.is_some_and(|before| {
            let elapsed_ms = self.fix.time_ms.saturating_sub(before.fix.time_ms);
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of some thousand years are below 2^53")]
            let grown_m = doubt_m(&before.fix) + params.speed_mps_max * elapsed_ms as f64 / 1000.0;
            elapsed_ms < 0 || doubt_m(&self.fix) > grown_m
        });
        if !says_less {
            *anchor = Some(self);
        }
    }
}

impl Place {
    fn is_at(&self, params: &Params, position: Position) -> bool {
        distance_m(self.position, position) <= params.place_m
    }
}

fn use_again<T: PartialEq>(used: &mut Vec<Used<T>>, what: T, at_ms: i64, most: usize) {
    match used.iter_mut().find(|used| used.what == what) {
        Some(used) => used.newest_ms = used.newest_ms.max(at_ms),
        None => push(used, Used { what, newest_ms: at_ms }, most, |used| used.newest_ms),
    }
}

/// Adds one, in the place of the one longest unused where there are enough.
fn push<T>(kept: &mut Vec<T>, new: T, most: usize, newest_ms: impl Fn(&T) -> i64) {
    if kept.len() < most {
        kept.push(new);
    } else if let Some(oldest) = kept.iter_mut().min_by_key(|kept| newest_ms(kept)) {
        *oldest = new;
    }
}
