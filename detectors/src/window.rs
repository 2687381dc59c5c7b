//! Event-time aggregates over one key.
//!
//! A value at an event is over (T − W, T] with T = max(t, newest t that this key has been fed), so a burst whose first
//! event arrives last is still seen whole. Each aggregate keeps what lies in the window of its own newest event and
//! forgets the rest as that moves on; what is fed older than that is not kept at all. Order of arrival changes nothing
//! in what is kept, within the limits below.
//!
//! | aggregate | exact to | then |
//! |---|---|---|
//! | [`series`] (count, sum, smallest, largest), [`mean`], [`ratio`] | 256 distinct instants in the window | W/128 buckets aligned to the epoch; an old bucket counts until all of it has left, so nothing is ever under-counted |
//! | [`distinct`] | 32 values in the window | a sliding HyperLogLog (3.3 % standard error) |
//! | [`newest`], [`first_seen`] | always | – |

pub mod distinct;
pub mod first_seen;
pub mod mean;
pub mod newest;
pub mod ratio;
pub mod series;

/// The start of the window that ends at `end`: instants after it are inside.
fn start(end_ms: i64, window_ms: i64) -> i64 {
    end_ms.saturating_sub(window_ms)
}
