//! Project tasks: `cargo xtask help` lists them. Each runs the tools that a person would run by hand, from the
//! repository's root, and says which.

mod bench_workload;
mod cel;
mod counts;
mod fixtures;
mod fluvio;
mod fmt;
mod kill;
mod language;
mod pages;
mod quality;
mod schema;
mod step;
mod test;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask test                           everything that must hold before a change is merged
cargo xtask fmt [--check]                  formats the code, or looks whether it is
cargo xtask schema [--check]               writes the committed JSON Schemas, or compares them with the program's
cargo xtask pages [--check]                writes the pages made from the code, or compares them
cargo xtask fixtures [--check]             makes the fixtures again, or compares them with what their scripts make
cargo xtask fluvio --endpoint HOST:PORT [--run-dir DIR] [--records N]
                                           the Fluvio source against a real cluster; kills its processes if DIR names them
cargo xtask kill [--rounds N] [--seed S]   kills the live service N times, in all phases of its work
cargo xtask cel                            cel-spec's simple tests: what the rule language takes it answers as CEL does
cargo xtask counts [--record --reason WHY]
                                           counts the benchmarks' instructions: holds them to those on record, or records them
cargo xtask quality [tracks] [--page FILE] [--misses] [--wrong] [--seeds N] [--half tuned] [--only KIND,…]
                                           simulated weeks through the shipped rules: what is caught, and whom they wrong
cargo xtask bench-workload COUNT [SEED]    writes target/bench/events_COUNT_SEED.jsonl and its exact counts
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(error.downcast_ref::<step::Failed>().map_or(1, |failed| failed.code))
        }
    }
}

fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["test"] => test::run(),
        ["fmt"] => fmt::run(false),
        ["fmt", "--check"] => fmt::run(true),
        ["schema"] => schema::run(false),
        ["schema", "--check"] => schema::run(true),
        ["pages"] => pages::run(false),
        ["pages", "--check"] => pages::run(true),
        ["fixtures"] => fixtures::run(false),
        ["fixtures", "--check"] => fixtures::run(true),
        ["cel"] => cel::run(),
        ["fluvio", options @ ..] => fluvio::run(options),
        ["counts", options @ ..] => counts::run(options),
        ["bench-workload", count] => bench_workload::run(count, "7"),
        ["bench-workload", count, seed] => bench_workload::run(count, seed),
        ["quality", options @ ..] => quality::run(options),
        ["kill", options @ ..] => kill::run(options),
        [] | ["help" | "--help" | "-h"] => {
            eprint!("{HELP}");
            Ok(())
        }
        other => bail!("no task `{}`; the tasks are\n{HELP}", other.join(" ")),
    }
}
