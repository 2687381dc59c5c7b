//! What Rasid understands about events, and what it can observe in them.
//!
//! * [`event`]: the vocabulary. An [`event::Event`] is one validated fact; nothing past this crate sees raw JSON.
//! * [`operator`]: what a keyed operator is. Each is a file in a folder below; the list of them is here.
//! * [`kernel`]: formulas that several of them share, each with its source.
//! * [`shown`]: foreign text as people may see it.
//!
//! Everything here is a pure function of its arguments: no clock, no randomness, no I/O, no threads. One input gives
//! one answer on any day and on any machine.

pub mod currency;
pub mod entity;
pub mod event;
pub mod kernel;
#[macro_use]
mod list;
pub mod near;
pub mod operator;
pub mod shown;
pub mod signal;
pub mod span;
pub mod value;

operators! {
    /// Event-time aggregates over one key.
    ///
    /// A value at an event is over (T − W, T] with T = max(t, newest t that this key has been fed), so a burst whose first
    /// event arrives last is still seen whole. Each aggregate keeps what lies in the window of its own newest event and
    /// forgets the rest as that moves on; what is fed older than that is not kept at all, and has no value. Order of arrival
    /// changes nothing in what is kept, within the limits below.
    ///
    /// | aggregate | exact to | then |
    /// |---|---|---|
    /// | count, sum, min, max, avg, ratio ([`kernel::series`](crate::kernel::series)) | 256 distinct instants in the window | W/128 buckets aligned to the epoch; an old bucket counts until all of it has left, so nothing is ever under-counted |
    /// | distinct | 32 values in the window | a sliding HyperLogLog (3.3 % standard error) |
    /// | last_n ([`kernel::numbers`](crate::kernel::numbers)) | the newest n values, 32 at the most | only those |
    /// | last, previous, first_seen | always | – |
    window {
        count: Count,
        sum: Sum,
        min: Min,
        max: Max,
        avg: Avg,
        distinct: Distinct,
        last: Last,
        last_n: LastN,
        previous: Previous,
        first_seen: FirstSeen,
        ratio: Ratio,
    }

    /// How a key's numbers and counts differ from what they were.
    statistic {
        stddev: Stddev,
        zscore: Zscore,
        rate_of_change: RateOfChange,
        cusum: Cusum,
        baseline: Baseline,
    }

    /// What happens in an order.
    order {
        sequence: Sequence,
        streak: Streak,
    }

    /// What values of a field a key shows, each set against the others.
    values {
        similar: Similar,
        new: New,
        sequential: Sequential,
    }

    /// What does not happen: operators that time alone makes fire.
    wait {
        absence: Absence,
    }

    /// What all keys together are like: one state for all, of closed minutes.
    population {
        quantile: Quantile,
    }

    /// How accounts hang together: one state for all, of closed hours.
    link {
        component: Component,
    }

    /// Detectors of the `auth` family.
    auth {
        impossible_travel: ImpossibleTravel,
    }

    /// Detectors of the `gps` family.
    gps {
        impossible_speed: ImpossibleSpeed,
        teleport: Teleport,
        frozen_position: FrozenPosition,
        replayed_track: ReplayedTrack,
        synthetic_track: SyntheticTrack,
        hurried_track: HurriedTrack,
        speed_mismatch: SpeedMismatch,
        clock_tampering: ClockTampering,
        off_route: OffRoute,
    }

    /// Detectors of the `chat` family.
    chat {
        contact_leak: ContactLeak,
    }
}

/// How a chat message was read, for people: the detector of contacts itself, with a trail.
pub mod reading {
    pub use crate::chat::contact_leak::{Candidate, Params, Reading, Test, Verdict, explain, wording};
}
