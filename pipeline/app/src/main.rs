//! `rasid`: streaming fraud and telemetry detection. This crate parses the command line and wires the parts together;
//! what decides is in the engine.

mod archive;
mod clock;
mod command;
mod config;
mod http;
mod key;
mod memory;
mod metrics;
mod notify;
mod past;
mod rulesets;
mod shipped;
mod telemetry;
mod user;

use std::process::ExitCode;

use clap::Parser as _;

use command::Failure;

/// Fewer page faults and faster small allocations than the system's allocator: the engine makes and drops a row a
/// record. (mimalloc: MIT, Microsoft, released this year, a static library without settings.)
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rasid (راصد), one who watches: reads a marketplace's events, runs rules over them, and hands back alerts and risk
/// scores.
#[derive(clap::Parser)]
#[command(version, max_term_width = 110, after_help = "Examples:\n  rasid demo\n  rasid detect fixtures/sample.jsonl --rules rules")]
struct Cli {
    #[command(subcommand)]
    command: command::Given,
}

fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(()) | Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            failure.exit_code()
        }
    }
}
