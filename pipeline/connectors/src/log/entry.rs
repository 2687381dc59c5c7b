//! What the log holds, and how an entry is stored: postcard, records as they are.

use serde::{Deserialize, Serialize};

use super::feedback::Feedback;
use crate::seal::Day;

/// Where a record came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin<'a> {
    /// The stream: `fluvio:auth/0`, `jsonl:/path`, `http:checkout`.
    pub stream: &'a str,
    /// Its place in the stream, from which the stream is resumed.
    pub offset: u64,
}

/// One entry.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Entry<'a> {
    /// A record as it came.
    Event {
        /// When it arrived, Unix ms.
        arrival_ms: i64,
        /// Where it came from.
        #[serde(borrow)]
        origin: Origin<'a>,
        /// Its bytes.
        #[serde(serialize_with = "as_bytes")]
        bytes: &'a [u8],
    },
    /// What changes how the following entries are taken.
    Control(Control),
}

/// In one piece; serde's own way for `&[u8]` goes byte by byte.
pub(super) fn as_bytes<S: serde::Serializer>(bytes: &&[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Never what the record says, which is raw.
impl std::fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Event { arrival_ms, origin, bytes } => {
                write!(f, "Event {{ arrival_ms: {arrival_ms}, origin: {origin:?}, bytes: [{} redacted] }}", bytes.len())
            }
            Self::Control(control) => control.fmt(f),
        }
    }
}

/// A change of how the log is taken, in its place in the one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredControl", into = "StoredControl")]
pub enum Control {
    /// From here on another ruleset, engine or settings.
    Switch {
        /// Hash of the ruleset's bundle, `sha256:…`.
        ruleset: String,
        /// The engine's version.
        engine: String,
        /// What else the outcome hangs on.
        settings: Settings,
    },
    /// A rule's alerts since an instant are taken back.
    Retract {
        /// The rule.
        rule: String,
        /// From when on, Unix ms.
        since_ms: i64,
    },
    /// Time went on in silence.
    Tick {
        /// To this instant, Unix ms.
        at_ms: i64,
    },
    /// What was here cannot be read any more, and was given up: it keeps its position, and nothing is known of it.
    Lost,
    /// Somebody said something about alerts; nothing that the engine does hangs on it.
    Feedback(Feedback),
}

/// What else the meaning of a log hangs on besides its ruleset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How far behind the newest event one is late, ms.
    pub lateness_ms: i64,
    /// How far ahead of its arrival an event is from the future, ms.
    pub future_ms: i64,
    /// The bound of the engine's memory, bytes.
    pub memory_max: u64,
    /// Events a second of which half an hour is always remembered; 0 before there was such a rate.
    #[serde(default, skip_serializing_if = "is_none")]
    pub events_per_s: u32,
    /// The pseudonym secrets; `None` before the first of them was ever changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Keys>,
}

/// Which pseudonym secrets identifiers leave under, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The one in force.
    pub number: u8,
    /// The one before, whose names scores are still told under.
    pub former: Option<u8>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_none(events_per_s: &u32) -> bool {
    *events_per_s == 0
}

/// A control record as it is stored. What has no rate, or no [`Keys`] either, has the form of before there were such, byte for
/// byte.
#[derive(Clone, Serialize, Deserialize)]
enum StoredControl {
    SwitchWithoutKeys { ruleset: String, engine: String, settings: StoredSettings },
    Retract { rule: String, since_ms: i64 },
    Tick { at_ms: i64 },
    Switch { ruleset: String, engine: String, settings: StoredSettings, keys: Keys },
    Lost,
    SwitchAtRate { ruleset: String, engine: String, settings: StoredSettings, keys: Option<Keys>, events_per_s: u32 },
    Feedback(Feedback),
}

/// [`Settings`] as they are stored in the log, the keys and the rate apart.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct StoredSettings {
    lateness_ms: i64,
    future_ms: i64,
    memory_max: u64,
}

impl StoredSettings {
    pub(super) fn of(settings: Settings) -> Self {
        let Settings { lateness_ms, future_ms, memory_max, events_per_s: _, keys: _ } = settings;
        Self { lateness_ms, future_ms, memory_max }
    }

    pub(super) fn with(self, keys: Option<Keys>, events_per_s: u32) -> Settings {
        let Self { lateness_ms, future_ms, memory_max } = self;
        Settings { lateness_ms, future_ms, memory_max, events_per_s, keys }
    }
}

impl From<StoredControl> for Control {
    fn from(stored: StoredControl) -> Self {
        match stored {
            StoredControl::SwitchWithoutKeys { ruleset, engine, settings } => {
                Self::Switch { ruleset, engine, settings: settings.with(None, 0) }
            }
            StoredControl::Switch { ruleset, engine, settings, keys } => {
                Self::Switch { ruleset, engine, settings: settings.with(Some(keys), 0) }
            }
            StoredControl::SwitchAtRate { ruleset, engine, settings, keys, events_per_s } => {
                Self::Switch { ruleset, engine, settings: settings.with(keys, events_per_s) }
            }
            StoredControl::Retract { rule, since_ms } => Self::Retract { rule, since_ms },
            StoredControl::Tick { at_ms } => Self::Tick { at_ms },
            StoredControl::Lost => Self::Lost,
            StoredControl::Feedback(feedback) => Self::Feedback(feedback),
        }
    }
}

impl From<Control> for StoredControl {
    fn from(control: Control) -> Self {
        match control {
            Control::Switch { ruleset, engine, settings } => {
                let stored = StoredSettings::of(settings);
                let Settings { events_per_s, keys, .. } = settings;
                match keys {
                    _ if events_per_s > 0 => Self::SwitchAtRate { ruleset, engine, settings: stored, keys, events_per_s },
                    None => Self::SwitchWithoutKeys { ruleset, engine, settings: stored },
                    Some(keys) => Self::Switch { ruleset, engine, settings: stored, keys },
                }
            }
            Control::Retract { rule, since_ms } => Self::Retract { rule, since_ms },
            Control::Tick { at_ms } => Self::Tick { at_ms },
            Control::Lost => Self::Lost,
            Control::Feedback(feedback) => Self::Feedback(feedback),
        }
    }
}

/// The newest [`Control::Switch`], and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switched {
    /// Its position.
    pub position: u64,
    /// Hash of the ruleset's bundle.
    pub ruleset: String,
    /// The engine's version.
    pub engine: String,
    /// What else the outcome hangs on.
    pub settings: Settings,
}

/// Consecutive entries that were appended together. One block is made once and filled again and again.
#[derive(Default)]
pub struct Block {
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) at_ms: i64,
    /// Entries before this position were not asked for.
    pub(super) from: u64,
    pub(super) plain: Vec<u8>,
}

impl Block {
    /// An empty block.
    pub fn new() -> Self {
        Self::default()
    }

    /// Position of the first entry.
    pub fn first(&self) -> u64 {
        self.first.max(self.from)
    }

    /// The position after the last entry.
    pub fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        usize::try_from(self.end().saturating_sub(self.first())).unwrap_or(usize::MAX)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When it was appended, Unix ms.
    pub fn appended_ms(&self) -> i64 {
        self.at_ms
    }

    /// The UTC day under whose key it is sealed.
    pub fn day(&self) -> Day {
        Day::of_ms(self.at_ms)
    }

    /// The entries with their positions, in order.
    pub fn entries(&self) -> impl Iterator<Item = (u64, Entry<'_>)> {
        // All of them decode: a reader that finds one that does not says so instead of giving out the block.
        (self.first..).zip(decode::<Entry<'_>>(&self.plain)).filter(|(position, _)| *position >= self.from)
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block {{ first: {}, len: {} }}", self.first(), self.len())
    }
}

/// The values that `bytes` hold one after another, up to the first that does not decode.
pub(super) fn decode<'a, T: Deserialize<'a> + 'a>(mut bytes: &'a [u8]) -> impl Iterator<Item = T> + 'a {
    std::iter::from_fn(move || {
        let (value, rest) = postcard::take_from_bytes(bytes).ok()?;
        bytes = rest;
        Some(value)
    })
}

/// Adds the stored form of `value`.
pub(super) fn encode<T: Serialize>(value: &T, bytes: &mut Vec<u8>) -> Result<(), super::Error> {
    *bytes = postcard::to_extend(value, std::mem::take(bytes)).map_err(super::Error::Encode)?;
    Ok(())
}
