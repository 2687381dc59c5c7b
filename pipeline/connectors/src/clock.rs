//! Which time it is, and how much of it has passed: two clocks, because the first is set by people and by NTP.

use std::fmt;
use std::sync::Arc;

/// Gives ms.
type Read = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The clocks that a part is given. Clones read the same ones.
///
/// What is stamped, shown, or compared with another machine's clock is asked of [`Clock::wall_ms`]. How long something
/// took, how old it is and when it is due again are differences of [`Clock::monotonic_ms`], which nobody can set.
#[derive(Clone)]
pub struct Clock {
    wall: Read,
    monotonic: Read,
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Unix ms.
    pub wall_ms: i64,
    /// Ms since a moment of no meaning; it never falls.
    pub monotonic_ms: i64,
}

impl Clock {
    /// Of what reads the wall clock, Unix ms, and what reads a clock that nobody sets, ms.
    pub fn new(wall_ms: impl Fn() -> i64 + Send + Sync + 'static, monotonic_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self { wall: Arc::new(wall_ms), monotonic: Arc::new(monotonic_ms) }
    }

    /// Unix ms.
    pub fn wall_ms(&self) -> i64 {
        (self.wall)()
    }

    /// Ms since a moment of no meaning. It never falls, and goes on while the machine sleeps.
    pub fn monotonic_ms(&self) -> i64 {
        (self.monotonic)()
    }

    /// Both.
    pub fn now(&self) -> Now {
        Now { wall_ms: self.wall_ms(), monotonic_ms: self.monotonic_ms() }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// From `since_ms` to `now_ms`, ms; 0 where the first lies ahead, as a stamp of another machine or another day may.
pub fn age_ms(now_ms: i64, since_ms: i64) -> u64 {
    u64::try_from(now_ms.saturating_sub(since_ms)).unwrap_or(0)
}
