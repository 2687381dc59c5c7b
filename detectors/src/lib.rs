//! What Rasid understands about events, and what it can observe in them.
//!
//! * [`event`]: the vocabulary. An [`event::Event`] is one validated fact; nothing past this crate sees raw JSON.
//! * [`window`]: event-time aggregates over one key.
//! * [`detector`]: the list of detectors; each one is a file that maps events and a small state to signals.
//! * [`kernel`]: formulas that several of them share, each with its source.
//! * [`shown`]: foreign text as people may see it.
//!
//! Everything here is a pure function of its arguments: no clock, no randomness, no I/O, no threads. One input gives
//! one answer on any day and on any machine.

pub mod auth;
pub mod chat;
pub mod detector;
pub mod entity;
pub mod event;
pub mod gps;
pub mod kernel;
pub mod shown;
pub mod signal;
pub mod value;
pub mod window;
