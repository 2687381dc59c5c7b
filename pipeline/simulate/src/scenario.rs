//! The kinds and levels of campaigns, and their words on a command line.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::clock::{HOUR, MINUTE};

/// What a campaign does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One phone is sent code after code.
    OtpFlood,
    /// One address or device asks for codes to many phones.
    OtpFanout,
    /// A number is moved to another SIM card, the account entered from far away, re-bound and paid out.
    SimSwapTakeover,
    /// A driver's position is made up.
    GpsSpoof,
    /// A client gets refund after refund.
    RefundVelocity,
    /// An account is emptied in many payouts.
    PayoutVelocity,
    /// A tasker gives clients a way around the marketplace, before the booking is agreed.
    ContactLeak,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::OtpFlood,
        Self::OtpFanout,
        Self::SimSwapTakeover,
        Self::GpsSpoof,
        Self::RefundVelocity,
        Self::PayoutVelocity,
        Self::ContactLeak,
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::OtpFlood => "otp_flood",
            Self::OtpFanout => "otp_fanout",
            Self::SimSwapTakeover => "sim_swap_takeover",
            Self::GpsSpoof => "gps_spoof",
            Self::RefundVelocity => "refund_velocity",
            Self::PayoutVelocity => "payout_velocity",
            Self::ContactLeak => "contact_leak",
        }
    }

    /// The longest that a campaign takes from its first event, honest or not, to its last.
    pub(crate) fn span_ms(self, level: Level) -> i64 {
        let (blatant, moderate, careful) = match self {
            Self::OtpFlood => (12 * MINUTE, 25 * MINUTE, 3 * HOUR),
            Self::OtpFanout => (25 * MINUTE, 50 * MINUTE, 4 * HOUR),
            Self::SimSwapTakeover => (2 * HOUR, 4 * HOUR, 8 * HOUR),
            Self::GpsSpoof => (100 * MINUTE, 110 * MINUTE, 2 * HOUR),
            Self::RefundVelocity => (2 * HOUR, 7 * HOUR, 10 * HOUR),
            Self::PayoutVelocity => (100 * MINUTE, 110 * MINUTE, 9 * HOUR),
            Self::ContactLeak => (90 * MINUTE, 3 * HOUR, 5 * HOUR),
        };
        match level {
            Level::Blatant => blatant,
            Level::Moderate => moderate,
            Level::Careful => careful,
        }
    }
}

/// How well a campaign hides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Without a thought for being seen.
    Blatant,
    /// With ordinary tools and some patience; a good rule sees it.
    Moderate,
    /// Knows the usual limits and stays under them. To be missed by simple rules is what it is for.
    Careful,
}

impl Level {
    /// Every level.
    pub const ALL: [Self; 3] = [Self::Blatant, Self::Moderate, Self::Careful];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Blatant => "blatant",
            Self::Moderate => "moderate",
            Self::Careful => "careful",
        }
    }
}

/// A word that names no kind or level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownScenario {
    word: String,
    known: Vec<&'static str>,
}

impl fmt::Display for UnknownScenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown scenario {:?}, expected one of {}", self.word, self.known.join(", "))
    }
}

impl std::error::Error for UnknownScenario {}

macro_rules! words {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $type {
            type Err = UnknownScenario;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                let unknown = || UnknownScenario { word: word.to_owned(), known: Self::ALL.iter().map(|one| one.word()).collect() };
                Self::ALL.into_iter().find(|one| one.word() == word).ok_or_else(unknown)
            }
        }
    };
}

words!(Kind);
words!(Level);
