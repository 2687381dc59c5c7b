//! Deciding: what is appended becomes the log, the engine goes along it, and what comes of it is committed.
//!
//! ```text
//!  log thread ─→ log ─→ engine thread ─→ commit thread ─→ outbox
//!  (ticker)             worker, held to  set aside  └─→ store thread ─→ alert store
//!                       a comparison
//!                            └─→ snapshot task
//! ```

pub mod commit;
pub(crate) mod commit_thread;
pub mod comparison;
pub mod engine_setup;
pub(crate) mod engine_thread;
pub(crate) mod figures;
pub mod invariants;
pub(crate) mod log_thread;
pub(crate) mod progress;
pub mod route;
pub(crate) mod set_aside;
pub(crate) mod snapshot_task;
pub(crate) mod store_thread;
pub(crate) mod ticker;
pub mod worker;
