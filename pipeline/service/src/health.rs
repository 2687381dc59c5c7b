//! How the parts are, as they say it themselves: figures, and what hinders them.

pub mod hindrance;
pub mod stats;
