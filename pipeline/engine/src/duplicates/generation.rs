//! A stretch of first deliveries in the order in which they came. Once closed it never changes: snapshots share it, and
//! write it once.

use std::sync::OnceLock;

use rasid_detectors::event::EventType;
use twox_hash::XxHash3_64;

/// What events are remembered together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `gps.*`: most of the traffic, and sent again within minutes or never.
    Gps,
    /// All else: providers retry for days.
    Other,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Gps, Self::Other];

    #[inline]
    pub(crate) fn of(event_type: EventType) -> Self {
        if event_type.name().starts_with("gps.") { Self::Gps } else { Self::Other }
    }

    /// Length of a generation, ms of event clock.
    #[inline]
    pub(super) fn generation_ms(self) -> i64 {
        match self {
            Self::Gps => 10 * 60_000,
            Self::Other => 3_600_000,
        }
    }

    /// How many generations an identity outlives that of its first delivery.
    #[inline]
    pub(super) fn generations(self) -> i64 {
        match self {
            Self::Gps => 3,
            Self::Other => 72,
        }
    }

    /// How long an identity is remembered at the least where memory allows, ms.
    pub(crate) fn horizon_ms(self) -> i64 {
        self.generation_ms() * self.generations()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gps => "gps",
            Self::Other => "other",
        }
    }
}

/// Bytes of an entry as it is stored.
pub(super) const ENTRY_BYTES: usize = 12;

/// A delivered event: its identity, and a part of the hash of its record's bytes. In words of four bytes, so that it takes twelve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seen([u32; 3]);

impl Seen {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "cut into its halves")]
    pub(super) fn new(identity: u64, content: u32) -> Self {
        Self([identity as u32, (identity >> 32) as u32, content])
    }

    #[inline]
    pub(super) fn identity(self) -> u64 {
        u64::from(self.0[0]) | u64::from(self.0[1]) << 32
    }

    #[inline]
    pub(super) fn content(self) -> u32 {
        self.0[2]
    }
}

/// See the module's header.
#[derive(Clone)]
pub(super) struct Generation {
    pub(super) kind: Kind,
    /// Which of its kind since the log began, from 0.
    pub(super) ordinal: u64,
    /// Event clock over the length of a generation, at all of its deliveries.
    pub(super) number: i64,
    /// Event clock at its first delivery, Unix ms.
    pub(super) first_ms: i64,
    /// Event clock at its last delivery, Unix ms.
    pub(super) last_ms: i64,
    pub(super) entries: Vec<Seen>,
}

impl Generation {
    /// All entries, 12 bytes each.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len() * ENTRY_BYTES);
        for word in self.entries.iter().flat_map(|seen| seen.0) {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// What [`Generation::bytes`] gave; `None` where it cannot have.
    pub(super) fn entries(bytes: &[u8]) -> Option<Vec<Seen>> {
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        let word = |entry: &[u8; ENTRY_BYTES], at: usize| {
            let (words, _) = entry.as_chunks::<4>();
            u32::from_le_bytes(words[at])
        };
        rest.is_empty().then(|| entries.iter().map(|entry| Seen([word(entry, 0), word(entry, 1), word(entry, 2)])).collect())
    }
}

/// One that is over, or full.
pub(super) struct Closed {
    pub(super) generation: Generation,
    name: OnceLock<String>,
}

impl Closed {
    pub(super) fn new(mut generation: Generation) -> Self {
        generation.entries.shrink_to_fit();
        Self { generation, name: OnceLock::new() }
    }

    /// What it is known by on disk. Two of the same name are equal: two histories of one log, of two versions of the engine or
    /// with entries lost to damage, may have different ones of the same ordinal.
    pub(super) fn name(&self) -> &str {
        self.name.get_or_init(|| name_of(self.generation.kind, self.generation.ordinal, &self.generation.bytes()))
    }
}

/// The name of the generation with those bytes: its place, and 128 bits that only these give.
pub(super) fn name_of(kind: Kind, ordinal: u64, bytes: &[u8]) -> String {
    let (one, other) = (XxHash3_64::oneshot(bytes), XxHash3_64::oneshot_with_seed(1, bytes));
    format!("seen-{}-{ordinal:012}-{one:016x}{other:016x}", kind.name())
}
