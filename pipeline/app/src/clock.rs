//! The system's clocks and the one stopwatch. What decides never sees them: arrivals are stamped by them and then belong
//! to the record.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rasid_service::clock::Clock;

/// Now, Unix ms.
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The clocks of a service.
pub(crate) fn clock() -> Clock {
    Clock::new(now_ms, monotonic_ms)
}

/// Ms since the machine started, those in which it slept included: after a night's sleep the wall clock has not jumped.
#[cfg(target_os = "linux")]
fn monotonic_ms() -> i64 {
    let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    since.tv_sec.saturating_mul(1_000).saturating_add(since.tv_nsec / 1_000_000)
}

/// Ms since it was first asked.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
fn monotonic_ms() -> i64 {
    static FIRST: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    i64::try_from(FIRST.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(i64::MAX)
}

/// Time since it was started.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
