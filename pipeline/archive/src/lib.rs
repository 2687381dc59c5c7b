//! The past as Parquet: what analysts open with any tool of theirs, and what a backtest goes over. Nothing raw is in it.
//!
//! ```text
//! archive/manifest.json                 what there is, with counts, positions and hashes
//! archive/auth/2026-09-21T14.parquet    the events of one hour of the log's clock and one family, one a row, in the log's order
//! archive/log/2026-09-21T14.parquet     what else the log says: ticks, switches, retractions
//! ```
//!
//! An hour is a stretch of the log without gaps, since the log's clock never goes back. So an hour that is missing shows as positions that
//! are missing, and none passes for a quiet one. A part becomes part of the archive when the manifest names it: it is written under
//! another name, synced, renamed, and the manifest after it.

mod control;
mod error;
mod family;
mod folder;
mod manifest;
mod part;
mod reader;
mod row;
mod table;
mod verify;
mod writer;

pub use control::{Control, Said};
pub use error::Error;
pub use folder::{begin, end};
pub use manifest::{Gap, Hour, MANIFEST, Manifest, Origin, Part, Retired, SCHEMA, is_archive};
pub use reader::{Reader, Stretch};
pub use verify::{Verified, verify};
pub use writer::{Options, Writer, Written};
