//! How likely it is that a login which nobody can have travelled to is somebody else's.
//!
//! ```text
//! odds       thief_share / (1 − thief_share) · device · line · place; suspicion = odds / (1 + odds)
//! device     new: 0.7 / p, known: 0.3 / (1 − p), with p = device_share / (n + 1); not named: 1
//! line       egress: T / ((c + share of the network) / (n + 1))
//!            else, and of a device's own place: T · 0.85 / (0.3 · error_share) in another country,
//!            T · 0.15 / (0.7 · error_share + carrier_share / (n + 1) over a carrier) in one of the user's, both sums where it is not told;
//!            error_share is device_error_share where one device told both places
//!            T = how many of thieves' logins come so: data centre 0.4, fixed 0.3, VPN 0.15, mobile 0.1, company and satellite 0.002;
//!            the rest, to 1, come in ways that no field tells
//! place      seen: 0.02 / 0.3, familiar: 0.02 / 0.6; new: 1
//!            n logins are known of the account, c of them by such a line
//! ```
//!
//! Each factor is a likelihood ratio: how often thieves' logins show it over how often the owner's do (Freeman, Jain, Dürmuth, Biggio and
//! Giacinto, "Who Are You? A Statistical Approach to Measuring User Authenticity", NDSS 2016). What the owner does is estimated from his
//! own logins, and from everybody's where there are few: a Dirichlet prior of the weight of one login, so what was not seen in n logins
//! has its share of one among n + 1 (Laplace's rule of succession). The same VPN is thus an owner's on the third login, and a stranger's
//! on the thirtieth; learning periods of others do the same by a step (Microsoft Entra: 14 days or 10 logins). Thieves' shares are a
//! judgement in the order that incident reports give: data centres and residential proxies before VPNs that are marked as such; seven of
//! ten come on a device of their own, the others with a stolen session.

use super::Params;
use super::visit::Network;

// The likelihoods below are judgements, as the header says, and no parameters: only their ratios to the owner's shares count, and those
// shares are parameters.

/// How many of thieves' logins come on a device that is new to the account; the others have a session of its own.
const THIEF_ON_NEW_DEVICE: f64 = 0.7;
/// How many are in a country that the account was not in, and how many of the owner's that geo-IP has wrong.
const THIEF_ABROAD: f64 = 0.85;
const ERROR_ABROAD: f64 = 0.3;
/// How many come from a place of the account; how many of the owner's impossible ones come from one that is new to it but for
/// a login or two, and from one that he uses.
const THIEF_AT_PLACE: f64 = 0.02;
const OWNER_AT_SEEN: f64 = 0.3;
const OWNER_AT_FAMILIAR: f64 = 0.6;

/// How well something is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It is not told.
    Unknown,
    New,
    /// Of a place: once or twice, since a day at the most.
    Seen,
    Familiar,
}

/// What speaks for and against a login's being the owner's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    pub(super) device: Known,
    pub(super) place: Known,
    pub(super) network: Network,
    /// Whether the device itself told the place.
    pub(super) by_device: bool,
    /// Whether one device told both places.
    pub(super) one_device_told: bool,
    /// Whether an address of a mobile carrier told one of the two places.
    pub(super) over_carrier: bool,
    /// Whether it is in a country that the user was not in.
    pub(super) abroad: Option<bool>,
    /// n: logins that are known.
    pub(super) logins: u16,
    /// c: those by such a network.
    pub(super) logins_by_network: u16,
}

impl Evidence {
    pub(super) fn is_own_device(&self) -> bool {
        self.device == Known::Familiar
    }

    pub(super) fn device_word(&self) -> &'static str {
        match self.device {
            Known::Unknown => "unknown",
            Known::New => "new",
            Known::Seen | Known::Familiar => "known",
        }
    }

    pub(super) fn place_word(&self) -> &'static str {
        match self.place {
            Known::Unknown | Known::New => "new",
            Known::Seen => "seen",
            Known::Familiar => "familiar",
        }
    }

    /// See the module's header; 0 to 1.
    pub(super) fn suspicion(&self, params: &Params) -> f64 {
        let odds =
            params.thief_share / (1.0 - params.thief_share) * self.device_ratio(params) * self.line_ratio(params) * self.place_ratio();
        odds / (1.0 + odds)
    }

    fn device_ratio(&self, params: &Params) -> f64 {
        let new = params.device_share / (f64::from(self.logins) + 1.0);
        match self.device {
            Known::Unknown => 1.0,
            Known::New => THIEF_ON_NEW_DEVICE / new,
            // A share of all is a parameter's bound, and would leave nothing here.
            Known::Seen | Known::Familiar => (1.0 - THIEF_ON_NEW_DEVICE) / (1.0 - new).max(0.01),
        }
    }

    fn line_ratio(&self, params: &Params) -> f64 {
        let thief = if self.by_device { of_thieves(Network::Fixed) } else { of_thieves(self.network) };
        let by_egress = |share| thief * (f64::from(self.logins) + 1.0) / (f64::from(self.logins_by_network) + share);
        match self.network {
            Network::Hosting if !self.by_device => by_egress(params.hosting_share),
            Network::Vpn if !self.by_device => by_egress(params.vpn_share),
            Network::Corporate if !self.by_device => by_egress(params.corporate_share),
            Network::Satellite if !self.by_device => by_egress(params.satellite_share),
            _ => {
                let carrier = if self.over_carrier { params.carrier_share / (f64::from(self.logins) + 1.0) } else { 0.0 };
                let error = if self.one_device_told { params.device_error_share } else { params.error_share };
                let (error_abroad, error_at_home) = (ERROR_ABROAD * error, (1.0 - ERROR_ABROAD) * error + carrier);
                match self.abroad {
                    Some(true) => thief * THIEF_ABROAD / error_abroad,
                    Some(false) => thief * (1.0 - THIEF_ABROAD) / error_at_home,
                    None => thief / (error_abroad + error_at_home),
                }
            }
        }
    }

    fn place_ratio(&self) -> f64 {
        match self.place {
            Known::Unknown | Known::New => 1.0,
            Known::Seen => THIEF_AT_PLACE / OWNER_AT_SEEN,
            Known::Familiar => THIEF_AT_PLACE / OWNER_AT_FAMILIAR,
        }
    }
}

/// How many of thieves' logins come by such a line.
fn of_thieves(network: Network) -> f64 {
    match network {
        Network::Hosting => 0.4,
        Network::Fixed => 0.3,
        Network::Vpn => 0.15,
        Network::Mobile => 0.1,
        Network::Corporate | Network::Satellite => 0.002,
    }
}
