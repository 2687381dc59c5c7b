//! Where events enter ([`source`]) and effects leave ([`sink`]). Nothing here decides anything: a source hands over
//! records in order, a sink writes what it is given, and both say what to do when they cannot.

mod error;
pub mod sink;
pub mod source;

pub use error::{Disposition, Error};
