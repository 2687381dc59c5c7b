//! How the parts are, as they say it themselves: figures, what hinders them, what a person must know, why one has ended.

pub(crate) mod conditions;
pub(crate) mod ended;
pub mod hindrance;
pub mod latency;
pub mod stats;
