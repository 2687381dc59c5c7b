//! Which time it is, and how much of it has passed: two clocks, because the first is set by people and by NTP.
//!
//! A wall clock that is set an hour ahead, and back after some seconds, would leave its mark for good: a tick in the log
//! makes every event of that hour late, a day key that is dropped too early is gone. So three times are told apart:
//!
//! | | what it is | for |
//! |---|---|---|
//! | [`Clock::monotonic_ms`] | nobody sets it | spans, waits, ages |
//! | [`Clock::wall_ms`] | the wall clock, less what it has said for under [`CONFIRM_MS`] | stamps, signatures, what others compare with their clocks |
//! | [`Clock::settled_ms`] | the least that was believed over [`SETTLE_MS`] | what cannot be taken back: retention |
//!
//! A new time is believed once it has stood for [`CONFIRM_MS`], because that is what a correction looks like. Until then
//! the one before goes on, driven by the monotonic clock. In the first [`CONFIRM_MS`] of a process nothing stands yet, and
//! the wall clock is followed as it goes; [`Clock::confirmed_ms`] is for what would rather wait.

mod steady;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rasid_detectors::event::time::format_rfc3339;

use self::steady::{Look, News, Steady};

/// How long a new time must stand before it is believed, ms. A correction by hand or by NTP that is taken back takes some
/// seconds; meanwhile a correction that is right is only as wrong as what it corrects.
pub const CONFIRM_MS: i64 = 30_000;
/// By how much the wall clock must go another way than the monotonic one to have been set, ms. Leap seconds and NTP's small
/// steps are followed.
pub const JUMP_MS: i64 = 2_000;
/// How long a later time must stand before what cannot be taken back goes by it, ms.
pub const SETTLE_MS: i64 = 3_600_000;

/// Gives ms.
type Read = Box<dyn Fn() -> i64 + Send + Sync>;

/// The clocks that a part is given. Clones are the same clocks, and know together what was seen of them.
#[derive(Clone)]
pub struct Clock(Arc<Shared>);

struct Shared {
    wall: Read,
    monotonic: Read,
    steady: Mutex<Steady>,
}

/// The clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// As of [`Clock::wall_ms`].
    pub wall_ms: i64,
    /// As of [`Clock::monotonic_ms`].
    pub monotonic_ms: i64,
    /// As of [`Clock::settled_ms`].
    pub settled_ms: i64,
}

/// What was seen of the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How often it was set by more than [`JUMP_MS`].
    pub jumps_total: u64,
    /// How far it is ahead of [`Clock::wall_ms`], ms: it was set, and is not believed yet.
    pub ahead_ms: i64,
}

impl Clock {
    /// Of what reads the wall clock, Unix ms, and what reads a clock that nobody sets and that goes on while the machine
    /// sleeps, ms.
    pub fn new(wall_ms: impl Fn() -> i64 + Send + Sync + 'static, monotonic_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        let steady = Steady::new(look(&wall_ms, &monotonic_ms));
        Self(Arc::new(Shared { wall: Box::new(wall_ms), monotonic: Box::new(monotonic_ms), steady: Mutex::new(steady) }))
    }

    /// The wall clock as far as it is believed, Unix ms. It falls, and leaps, where the wall clock was set for good.
    pub fn wall_ms(&self) -> i64 {
        self.now().wall_ms
    }

    /// Ms since a moment of no meaning. It never falls, and goes on while the machine sleeps.
    pub fn monotonic_ms(&self) -> i64 {
        (self.0.monotonic)()
    }

    /// As [`Clock::wall_ms`], once it has stood for [`CONFIRM_MS`] since the start.
    pub fn confirmed_ms(&self) -> Option<i64> {
        let (steady, monotonic_ms) = self.look();
        steady.is_confirmed().then(|| steady.wall_ms(monotonic_ms))
    }

    /// What it is at least, Unix ms, by all that was believed over the last [`SETTLE_MS`]; far in the past as long as
    /// there is too little of that. What it lets go is old, even if the wall clock is set days ahead meanwhile.
    pub fn settled_ms(&self) -> i64 {
        self.now().settled_ms
    }

    /// All of them.
    pub fn now(&self) -> Now {
        let (steady, monotonic_ms) = self.look();
        Now { wall_ms: steady.wall_ms(monotonic_ms), monotonic_ms, settled_ms: steady.settled_ms(monotonic_ms) }
    }

    /// It was `stamp_ms` already before the start, Unix ms, says what was written then: so much is settled.
    pub fn was(&self, stamp_ms: i64) {
        let (mut steady, monotonic_ms) = self.look();
        steady.was(stamp_ms, monotonic_ms);
    }

    /// How long ago something was stamped with [`Clock::wall_ms`], ms: a clock that was set since makes it no older. 0 for
    /// what lies ahead, as the stamp of an earlier process may.
    pub fn age_ms(&self, stamp_ms: i64) -> u64 {
        let (steady, monotonic_ms) = self.look();
        steady.age_ms(stamp_ms, monotonic_ms)
    }

    /// What was seen of the wall clock.
    pub fn seen(&self) -> Seen {
        let (steady, _) = self.look();
        Seen { jumps_total: steady.jumps, ahead_ms: steady.ahead_ms() }
    }

    /// Looks at both clocks. Whoever finds that the wall clock was set says so, once.
    fn look(&self) -> (MutexGuard<'_, Steady>, i64) {
        // Looks are in the order in which they are taken in, or an older one would be a jump back.
        let mut steady = self.0.steady.lock().unwrap_or_else(PoisonError::into_inner);
        let look = look(&self.0.wall, &self.0.monotonic);
        match steady.look(look) {
            None => {}
            Some(News::Jumped { from_ms, to_ms }) => tracing::warn!(
                from = format_rfc3339(from_ms),
                to = format_rfc3339(to_ms),
                by_ms = to_ms.saturating_sub(from_ms),
                confirm_s = CONFIRM_MS / 1_000,
                "the wall clock was set; it is believed once it has stood"
            ),
            Some(News::Believed { from_ms, to_ms }) => tracing::warn!(
                from = format_rfc3339(from_ms),
                to = format_rfc3339(to_ms),
                by_ms = to_ms.saturating_sub(from_ms),
                "the wall clock has stood since it was set and is believed"
            ),
        }
        (steady, look.after_ms)
    }
}

fn look(wall_ms: impl Fn() -> i64, monotonic_ms: impl Fn() -> i64) -> Look {
    let before_ms = monotonic_ms();
    let wall_ms = wall_ms();
    Look { before_ms, wall_ms, after_ms: monotonic_ms() }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("seen", &self.seen()).finish()
    }
}

/// From `since_ms` to `now_ms`, ms; 0 where the first lies ahead, as a stamp of another machine or another day may.
pub fn age_ms(now_ms: i64, since_ms: i64) -> u64 {
    u64::try_from(now_ms.saturating_sub(since_ms)).unwrap_or(0)
}
