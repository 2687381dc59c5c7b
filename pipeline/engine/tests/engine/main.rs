//! The engine from outside, a file for each thing that it promises; in one program, as each would be linked with the whole engine.

mod common;

mod advice;
mod alerts_seen;
mod brake;
mod continuity;
mod control;
mod cost;
mod coverage;
mod currencies;
mod evasion;
mod explain;
mod field;
mod forms;
mod full;
mod garbled;
mod hostile;
mod invariants;
mod join;
mod language;
mod late;
mod ledger;
mod links;
mod many_rules;
mod memory;
mod memory_measures;
mod params;
mod rename;
mod score;
mod second_stage;
mod snapshot;
mod statistic;
mod values;
mod waits;
