//! `rasid check`: every fault of every rule file, then every test in them.

use std::path::PathBuf;

use rasid_rules::{LoadError, Report};
use serde::Serialize;

use super::{Failure, OutputFormat, colour, print_line, say};
use crate::clock::Stopwatch;

/// See `--help`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  rasid check rules")]
pub(crate) struct Args {
    /// Folder of rule files
    #[arg(value_name = "DIR", default_value = "rules")]
    dir: PathBuf,
    /// How the result on stdout is written
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

/// What was found, for programs.
#[derive(Serialize)]
struct Found<'a> {
    rules: usize,
    tests: usize,
    /// Rules whose alerts go to the person on call, if there is one.
    pages: Vec<&'a str>,
    faults: Vec<Fault<'a>>,
}

#[derive(Serialize)]
struct Fault<'a> {
    code: &'a str,
    file: String,
    line: usize,
    column: usize,
    message: &'a str,
    help: Option<&'a str>,
}

/// Checks the rule files and runs their tests.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let watch = Stopwatch::start();
    let ruleset = match rasid_rules::load(&args.dir) {
        Ok(ruleset) => ruleset,
        Err(LoadError::Faults(report)) if args.output == OutputFormat::Json => {
            json(0, 0, Vec::new(), Some(&report))?;
            return Err(Failure::Said(2));
        }
        Err(error) => return Err(error.into()),
    };
    let mut outcome = rasid_engine::run_tests(&ruleset).map_err(|error| Failure::Outside(Box::new(error)))?;
    if let Some(report) = &mut outcome.failures {
        report.dir = Some(args.dir.clone());
    }
    let (rules, tests) = (ruleset.rules.len(), outcome.tests);
    let pages: Vec<&str> = ruleset.rules.iter().filter(|rule| rule.pages()).map(|rule| rule.id.as_str()).collect();
    match (args.output, &outcome.failures) {
        (OutputFormat::Json, failures) => json(rules, tests, pages, failures.as_ref())?,
        (OutputFormat::Text, Some(report)) => say(format_args!("{}", report.render(colour()).trim_end())),
        (OutputFormat::Text, None) => {
            let untested = ruleset.rules.iter().filter(|rule| rule.tests.is_empty()).count();
            let note = if untested == 0 { String::new() } else { format!("; {} without a test", counted(untested, "rule")) };
            let (rules, tests) = (counted(rules, "rule"), counted(tests, "test"));
            print_line(&format!("{rules}, {tests} passed in {:.2} s{note}", watch.elapsed().as_secs_f64()))?;
            print_line(&match pages.as_slice() {
                [] => "none pages the person on call (SEV0, SEV1 or `deliver: [core, oncall]` would)".to_owned(),
                pages => format!("{} of them page the person on call: {}", pages.len(), pages.join(", ")),
            })?;
        }
    }
    if outcome.failures.is_some() { Err(Failure::Said(1)) } else { Ok(()) }
}

/// `1 rule`, `2 rules`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn json(rules: usize, tests: usize, pages: Vec<&str>, report: Option<&Report>) -> Result<(), Failure> {
    let fault = |report: &'_ Report, fault: &'_ rasid_rules::Diagnostic| {
        let (line, column) = report.position(fault);
        (report.path(fault), line, column)
    };
    let faults = report.map_or_else(Vec::new, |report| {
        let faults = report.faults.iter().map(|found| {
            let (file, line, column) = fault(report, found);
            Fault { code: found.code.as_str(), file, line, column, message: &found.message, help: found.help.as_deref() }
        });
        faults.collect()
    });
    let text = serde_json::to_string(&Found { rules, tests, pages, faults }).map_err(|error| Failure::Outside(Box::new(error)))?;
    print_line(&text)
}
