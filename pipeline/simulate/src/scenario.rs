//! The kinds and levels of campaigns, and their words on a command line.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::campaign::FAMILIES;
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

/// One scenario of a family's list: what a campaign does.
pub(crate) struct Scenario {
    /// Its word on command lines and in labels.
    pub(crate) word: &'static str,
    /// What is done, in a line.
    pub(crate) doc: &'static str,
    /// The longest that it takes from its first event, honest or not, to its last, ms: blatant, moderate, careful.
    pub(crate) span_ms: [i64; 3],
    /// Plays it. None where the marketplace has nobody to play it on.
    pub(crate) stage: fn(&mut Scene<'_>, Level, &mut Outbox) -> Option<Cast>,
}

/// What a campaign does: one scenario of the lists under `campaign/`.
#[derive(Clone, Copy)]
pub struct Kind {
    family: &'static str,
    scenario: &'static Scenario,
}

impl Kind {
    /// Every kind, family by family.
    pub fn all() -> Vec<Self> {
        let kinds = |(family, scenarios): &(&'static str, &'static [Scenario])| {
            let family = *family;
            scenarios.iter().map(move |scenario| Self { family, scenario }).collect::<Vec<_>>()
        };
        FAMILIES.iter().flat_map(kinds).collect()
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        self.scenario.word
    }

    /// Whose kind it is: `otp`, `payment`, …
    pub fn family(self) -> &'static str {
        self.family
    }

    /// What is done, in a line.
    pub fn doc(self) -> &'static str {
        self.scenario.doc
    }

    /// The longest that a campaign takes from its first event, honest or not, to its last, ms.
    pub fn span_ms(self, level: Level) -> i64 {
        let [blatant, moderate, careful] = self.scenario.span_ms;
        match level {
            Level::Blatant => blatant,
            Level::Moderate => moderate,
            Level::Careful => careful,
        }
    }

    pub(crate) fn stage(self, scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
        (self.scenario.stage)(scene, level, out)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.word() == other.word()
    }
}

impl Eq for Kind {}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
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

/// Which half of each parameter's range campaigns draw from. Rules are tuned on one half alone and judged on both: what they
/// have learnt by heart shows as a difference. Which half of a range is which is drawn by the parameter's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The half that rules may be tuned on.
    Tuned,
    /// The half that is left out of all tuning.
    Untuned,
}

impl Half {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Tuned, Self::Untuned];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tuned => "tuned",
            Self::Untuned => "untuned",
        }
    }
}

/// A word that names no kind, level or half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    word: String,
    known: Vec<&'static str>,
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown word {:?}, expected one of {}", self.word, self.known.join(", "))
    }
}

impl std::error::Error for UnknownWord {}

macro_rules! words {
    ($type:ty, $all:expr) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $type {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                let unknown = || UnknownWord { word: word.to_owned(), known: $all.into_iter().map(|one| one.word()).collect() };
                $all.into_iter().find(|one| one.word() == word).ok_or_else(unknown)
            }
        }
    };
}

words!(Kind, Kind::all());
words!(Level, Level::ALL);
words!(Half, Half::ALL);
