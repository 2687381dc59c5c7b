//! What rules would have done: the very engine that runs live, over the past.
//!
//! ```text
//! records ─→ decoded once ─→ the rules ─────────→ alerts ─→ measures (volume, overlap, labels) ─┐
//!                         ├→ a baseline ────────→ alerts ─→ comparison (new, gone, moved, why) ─┼→ report ─→ text, JSON, HTML; gates
//!                         └→ a rule by values ──→ alerts ─→ curve (knee, week by week) ─────────┘
//! ```
//!
//! Reads no file and writes none: whoever calls brings records, or events out of an archive, in the order of the past.

pub mod act;
pub mod backtest;
pub mod compare;
pub mod direction;
pub mod explain;
pub mod found;
pub mod gate;
pub mod html;
pub mod label;
pub mod measure;
pub mod pass;
pub mod report;
pub mod saw;
pub mod share;
pub mod suggest;
pub mod sweep;
pub mod taken;
pub mod text;
pub mod why_not;
