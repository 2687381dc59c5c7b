//! The one wall clock and the one stopwatch. What decides never sees them: arrivals are stamped here and then belong to
//! the record.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Now, Unix ms.
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
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
