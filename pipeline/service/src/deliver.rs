//! Delivering: out of the outbox to the receivers, each at its own pace, and what became of it back to the committer.

pub(crate) mod back_pressure;
pub(crate) mod delivery;
pub mod dispatch;
pub(crate) mod redis_task;
pub(crate) mod redis_watch;
pub(crate) mod sinks;
