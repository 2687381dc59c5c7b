//! Formulas and forms of memory that several operators share, each with its source.

pub mod clock;
pub mod disjoint;
pub mod extreme;
pub mod great_circle;
pub mod hyperloglog;
pub mod lower_bound_speed;
pub mod moments;
pub mod newest;
pub mod numbers;
pub mod pairs;
pub mod route;
pub mod series;
pub mod sketch;
pub mod track;
pub mod wilson;
