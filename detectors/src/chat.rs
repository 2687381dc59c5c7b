//! Detectors of the `chat` family.

pub mod contact_leak;
