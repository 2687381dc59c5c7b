//! The live service between its ports: one log in, one engine, effects out, and what a crash leaves is taken up again.
//!
//! ```text
//!  sources ─→ log thread ─→ log ─→ engine thread ─→ commit thread ─→ outbox ─→ one task a sink
//!             group commit         worker: engine,   waits until the          (Redis also ahead of the commit)
//!                                  comparison        log is durable
//! ```
//!
//! [`worker`], [`commit`] and [`dispatch`] decide everything and know no thread, clock or socket: the simulation drives
//! the same code that the threads run.

mod chain;
pub mod clock;
pub mod commit;
mod commit_thread;
pub mod comparison;
pub mod control;
pub mod damage;
mod delivery;
pub mod dispatch;
mod engine_thread;
mod exposure;
pub mod hindrance;
mod log_writer;
mod operator;
mod parked;
mod progress;
pub mod recover;
mod redis_task;
mod redis_watch;
mod remembered;
pub mod replay;
pub mod route;
mod rules_diff;
mod rules_watch;
pub mod rulesets;
mod running;
mod service;
mod set_aside;
pub mod settings;
mod sinks;
mod snapshot_task;
mod sources;
mod start;
pub mod stats;
mod switching;
mod tally;
mod ticker;
mod watchman;
pub mod worker;

pub use chain::Chain;
pub use log_writer::LogAppender;
pub use running::Running;
pub use service::{BoxError, Service, StartError};
