//! The wall clock, as the service is given it: arrivals are stamped by it, and what decides never sees it.

use std::sync::Arc;

/// Now, Unix ms.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;
