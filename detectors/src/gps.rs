//! Detectors of the `gps` family.

pub mod impossible_speed;
