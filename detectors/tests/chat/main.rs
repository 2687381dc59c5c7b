//! The chat detectors against generated messages: what is hidden must be found, and honest talk left alone.
//!
//! Sentences stand in TSV files beside the modules. A third of them, and half of the chains of tricks, are kept out of
//! tuning by a hash of their text ([`support::kept_out`]): the tables that `-- --nocapture` prints give both parts.
//! `RASID_SEED=n` draws other messages than the fixed seed.

#![allow(clippy::print_stdout, reason = "the tables are what the tests are read for")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic, and what it cuts are digits")]

mod addresses;
mod honest;
mod hostile;
mod numbers;
mod plan;
mod properties;
mod proposals;
mod support;
mod tricks;
mod unseen;
mod words_speed;
