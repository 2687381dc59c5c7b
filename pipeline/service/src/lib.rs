//! The live service between its ports: one log in, one engine, effects out, and what a crash leaves is taken up again.
//!
//! ```text
//!  sources ─→ log thread ─→ log ─→ engine thread ─→ commit thread ─→ outbox ─→ one task a sink
//!             group commit         worker: engine,   waits until the          (Redis also ahead of the commit)
//!                                  comparison        log is durable  └─→ alert store
//! ```
//!
//! A room for each thing that it does. Each depends on those above it in this list, and on none below:
//!
//! ```text
//!  health    how the parts are: figures, what hinders them, what a person must know
//!  decide    the log, the engine along it, what is committed
//!  recover   what a crash has left in the data folder
//!  receive   events from the sources into the log
//!  deliver   effects to their receivers
//!  operate   asked by people, watched for them, told new rules
//! ```
//!
//! `start` puts the parts together, `running` ends them. [`decide::worker`], [`decide::commit`] and
//! [`deliver::dispatch`] decide everything and know no thread, clock or socket: the simulation drives the same code that
//! the threads run.

#[cfg(feature = "archive")]
pub mod archive;
mod chain;
pub mod clock;
pub mod decide;
pub mod deliver;
mod error;
pub mod health;
mod held;
pub mod operate;
mod receive;
pub mod recover;
mod running;
mod service;
pub mod settings;
mod start;

pub use chain::Chain;
pub use decide::log_thread::LogAppender;
pub use error::{BoxError, StartError};
pub use running::Running;
pub use service::Service;
