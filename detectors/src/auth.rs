//! Detectors of the `auth` family.

pub mod impossible_travel;
