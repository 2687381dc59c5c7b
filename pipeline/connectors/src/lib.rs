//! Where events enter ([`source`]) and effects leave ([`sink`]). Nothing here decides anything: a source hands over
//! records in order, a sink writes what it is given, and both say what to do when they cannot.

pub mod alerts;
pub mod audit;
pub mod bundle;
pub mod clock;
pub mod courier;
pub mod effect;
mod embedded;
mod error;
pub mod ingest;
mod latest;
pub mod log;
pub mod outbox;
pub mod seal;
pub mod secret;
pub mod sink;
pub mod snapshot;
pub mod source;
pub mod storage;
pub mod tokens;
pub mod webhook;

pub use error::{Disposition, Error, of_io};
pub use latest::latest;
pub use secret::Secret;
