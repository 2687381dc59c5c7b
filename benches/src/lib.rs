//! Benchmarks and what they measure on.
//!
//! ```text
//! workload/    gen_events.py: seeded events of every family; oracle.py: the exact number of events that meet each
//!              reference condition
//! reference/   those conditions as rule files, for `rasid detect --rules benches/reference`
//! records/     results by date and machine
//! ```
//!
//! A speed without the right answer is none: a run counts only if its alerts are the oracle's.
