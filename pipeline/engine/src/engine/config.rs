//! What the engine is told at its start.

use rasid_detectors::event::envelope::Limits;

/// How the engine is set up. Every value but `threads` is part of what the log means: change one, and the same log
/// gives other alerts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bounds on one record.
    pub limits: Limits,
    /// An event this far behind the newest one is late: processed, and its alerts marked. ms; 5 min: what a phone in a
    /// tunnel needs to catch up.
    pub lateness_ms: i64,
    /// An event this far ahead of its arrival is from the future and set aside: one of them would otherwise make every
    /// honest event late. ms; 5 min: what badly set clocks differ by.
    pub future_ms: i64,
    /// Bound on keyed state, bytes.
    pub memory_max: usize,
    /// Events a second of which half an hour is always remembered, so that one delivered again has no second effect: memory
    /// for it is taken before anything else is dealt, half of the bound at most. Above it, half an hour is remembered as far
    /// as memory goes. 5000: more than a marketplace of a million users sends, and no more than the eighth of the default
    /// bound that duplicates have anyhow.
    pub events_per_s: u32,
    /// Whether rules' `suppress` holds; without it every hit is an alert.
    pub suppress: bool,
    /// Threads that share the work of a batch; 0 and 1 are the calling one alone.
    pub threads: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            lateness_ms: 300_000,
            future_ms: 300_000,
            memory_max: 4 << 30,
            events_per_s: 5_000,
            suppress: true,
            threads: 1,
        }
    }
}
