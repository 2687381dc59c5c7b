//! Sinks: the ports by which effects leave.
//!
//! What every sink guarantees:
//!
//! - **Order.** What is written first is there first.
//! - **Whole or not at all.** A value that cannot be written leaves nothing of itself behind.
//! - **No silent loss.** Everything is there once [`JsonLinesSink::finish`] returns `Ok`; until then an error may come
//!   late, because writing is buffered.

pub mod jsonl;

pub use jsonl::{DeadLetter, JsonLinesSink, RawLines};
