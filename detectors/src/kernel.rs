//! Formulas that several detectors and windows share, each with its source.

pub mod great_circle;
pub mod hyperloglog;
pub mod lower_bound_speed;
