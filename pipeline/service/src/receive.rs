//! Receiving: events from where they come to the log thread.

pub(crate) mod sources;
pub(crate) mod streams;
