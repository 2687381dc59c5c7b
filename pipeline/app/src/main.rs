//! `rasid`: streaming fraud and telemetry detection. This crate parses the command line and wires the parts together;
//! what decides is in the engine.

mod clock;
mod command;
mod config;
mod http;
mod key;
mod memory;
mod metrics;
mod notify;
mod shipped;
mod telemetry;
mod user;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use command::Failure;

/// Fewer page faults and faster small allocations than the system's allocator: the engine makes and drops a row a
/// record. (mimalloc: MIT, Microsoft, released this year, a static library without settings.)
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rasid (راصد), one who watches: reads a marketplace's events, runs rules over them, and hands back alerts and risk
/// scores.
#[derive(Parser)]
#[command(version, max_term_width = 110, after_help = "Examples:\n  rasid demo\n  rasid detect fixtures/sample.jsonl --rules rules")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The main job with nothing installed: a simulated day through the shipped rules
    Demo(command::demo::Args),
    /// Events in, alerts out: as fast as the machine allows, without a network
    Detect(command::detect::Args),
    /// The live service, until it is stopped
    Run(command::run::Args),
    /// Check rule files: every fault with its line underlined, then the tests in them
    Check(command::check::Args),
    /// A labelled synthetic marketplace: events and the campaigns hidden in them
    Simulate(command::simulate::Args),
    /// The configuration as `run` would have it
    Config(command::config::Args),
    /// Where a running service stands
    Status(command::status::Args),
    /// What a running service set aside because it is no event
    DeadLetters(command::dead_letters::Args),
    /// What receivers refused for good
    Parked(command::parked::Args),
    /// Prove that a page reaches the person on call
    Page(command::page::Args),
    /// What of a data folder is whole, and mending what is not
    Log(command::log::Args),
    /// Risk scores in Redis
    Score(command::score::Args),
    /// Print an identifier as it leaves, so that it can be found in alerts and scores
    Pseudonym(command::pseudonym::Args),
    /// Take a rule's alerts and their effect on scores back
    Retract(command::retract::Args),
    /// Bearer tokens, for programs that cannot sign what they send
    Token(command::token::Args),
    /// Print a JSON Schema, for editors and producers
    Schema(command::schema::Args),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  rasid completions bash > /etc/bash_completion.d/rasid")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    if !matches!(command, Command::Run(_)) {
        telemetry::init(); // `run` logs as it is configured
    }
    let outcome = match command {
        Command::Run(args) => command::run::run(&args),
        Command::Config(args) => command::config::run(&args),
        Command::Status(args) => command::status::run(&args),
        Command::DeadLetters(args) => command::dead_letters::run(&args),
        Command::Parked(args) => command::parked::run(&args),
        Command::Page(args) => command::page::run(&args),
        Command::Log(args) => command::log::run(&args),
        Command::Score(args) => command::score::run(&args),
        Command::Pseudonym(args) => command::pseudonym::run(&args),
        Command::Retract(args) => command::retract::run(&args),
        Command::Detect(args) => command::detect::run(&args),
        Command::Demo(args) => command::demo::run(&args),
        Command::Simulate(args) => command::simulate::run(&args),
        Command::Check(args) => command::check::run(&args),
        Command::Token(args) => command::token::run(&args),
        Command::Schema(args) => command::schema::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "rasid", &mut std::io::stdout());
            Ok(())
        }
    };
    match outcome {
        Ok(()) | Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            failure.exit_code()
        }
    }
}
