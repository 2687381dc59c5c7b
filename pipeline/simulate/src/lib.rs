//! A seeded, labelled synthetic marketplace: honest life of clients, taskers and drivers in Egyptian cities, and campaigns
//! of each family of fraud from blatant to careful.
//!
//! ```
//! let config = rasid_simulate::Config { hours: 1, ..rasid_simulate::Config::default() };
//! let mut simulation = rasid_simulate::simulate(&config);
//! let lines: Vec<String> = simulation.by_ref().map(|record| record.line).collect();
//! let labels = simulation.labels(); // complete once the records have ended
//! # assert!(!lines.is_empty() && !labels.is_empty());
//! ```
//!
//! Invariants: the same [`Config`] gives the same bytes on any machine, day and build (`random.rs` says how); records come in
//! order of arrival; every event of a campaign is in its label and no honest event is in any; honest life is the same with campaigns and without, but for
//! whom they shut out, rob or keep from paying; memory holds one day and the stories that go on.
//! Without campaigns, a shorter simulation is the beginning of a longer one.
//!
//! Neighbours: `random.rs` draws, `clock.rs` knows the day's rhythm, `places.rs` the cities and networks, `people.rs` who lives
//! there, `payload.rs` the contract's fields and `wire.rs` the envelope; `honest/` is everyday life, `look_alike/` what of it
//! looks like fraud, `campaign/` is fraud, a family a file; `scene.rs` is the stage of the last two, `trouble.rs` what fraud and faults bring upon
//! others.

mod campaign;
mod clock;
mod honest;
mod label;
mod look_alike;
mod payload;
mod people;
mod places;
mod random;
mod scenario;
mod scene;
mod simulation;
mod trouble;
mod truth;
mod wire;

pub use label::{Campaign, Label, LookAlike};
pub use scenario::{Half, Kind, Level, UnknownWord};
pub use simulation::{Record, Simulation, simulate};
pub use truth::{Truth, Verdict};

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Config {
    /// Everything random comes from it.
    pub seed: u64,
    /// How long, from `start_ms`. Campaigns that need longer than this do not happen.
    pub hours: u32,
    /// When it starts, Unix ms. Default 2026-11-02T00:00:00Z, a Monday: fixed, so that a seed means the same on any day.
    pub start_ms: i64,
    /// People who book. Default 1,500.
    pub clients: u32,
    /// People who are booked. Default 220.
    pub taskers: u32,
    /// People who drive, each with a position every 10 to 30 s of a shift: most of the events. Default 28.
    pub drivers: u32,
    /// Kinds of campaigns to run. Default all.
    pub kinds: Vec<Kind>,
    /// Levels to run them at. Default all.
    pub levels: Vec<Level>,
    /// How many campaigns of each kind and level in the whole simulation. Default 1.
    pub campaigns: u32,
    /// The half of each parameter's range that campaigns draw from. Default none: the whole.
    pub half: Option<Half>,
    /// Events that are delivered twice, of a million. Default 10,000: 1 %.
    pub duplicates_per_million: u32,
    /// Events that are followed by a broken copy of themselves, of a million. Default 0.
    pub malformed_per_million: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            hours: 24,
            start_ms: 1_793_577_600_000,
            clients: 1_500,
            taskers: 220,
            drivers: 28,
            kinds: Kind::all(),
            levels: Level::ALL.to_vec(),
            campaigns: 1,
            half: None,
            duplicates_per_million: 10_000,
            malformed_per_million: 0,
        }
    }
}

impl Config {
    /// Everybody who lives here honestly, for rates by honest user. Newcomers of the day are not among them.
    pub fn honest_users(&self) -> u32 {
        self.clients + self.taskers + self.drivers
    }
}
