//! The live service between its ports: one log in, one engine, effects out, and what a crash leaves is taken up again.

pub mod control;
mod service;
pub mod settings;
pub mod stats;

pub use service::{BoxError, Running, Service, StartError};
