//! `rasid check`: every fault of every rule file, then every test in them.

use std::path::{Path, PathBuf};

use rasid_compiler::ruleset::Ruleset;
use rasid_compiler::{Diagnostic, LoadError, Report};
use serde::Serialize;

use super::{Command, Failure, colour, print_json, print_line, say_block};
use crate::clock::Stopwatch;

/// Check rule files: every fault with its line underlined, then the tests in them
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rasid check rules\n  rasid check rules/auth/otp_flood.yaml rules/lists/trusted_phones.yaml\n  rasid check rules --mutate\n\n\
    A file is checked with the lists and the shared.yaml of its rules folder, which is the file's own folder or the one\n\
    above it, whichever has a shared.yaml or a folder lists."
)]
pub(crate) struct Args {
    /// Folders of rule files, and single files: rules, lists, shared.yaml
    #[arg(value_name = "PATH", default_value = "rules", num_args = 1..)]
    paths: Vec<PathBuf>,
    /// How the result on stdout is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    /// Turn each comparison and connective and move each threshold by a fifth, and tell what no test of its rule notices
    #[arg(long)]
    mutate: bool,
}

/// How what was found is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people
    #[default]
    Text,
    /// For programs: one JSON object
    Json,
    /// For GitHub Actions: one workflow command a fault, shown at its line of the change
    Github,
}

/// What is checked together.
struct Part {
    dir: PathBuf,
    /// Its files by their paths below it; `None`: all.
    names: Option<Vec<String>>,
}

impl Part {
    fn load(&self) -> Result<Ruleset, LoadError> {
        match &self.names {
            None => rasid_compiler::load(&self.dir),
            Some(names) => rasid_compiler::load_some(&self.dir, names),
        }
    }
}

/// Each folder by itself; files by the rules folder that they lie in, less those of a folder that is checked whole.
fn parts(paths: &[PathBuf]) -> Result<Vec<Part>, Failure> {
    let known = |dir: &Path| dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let is_file = |path: &Path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") && !path.is_dir();
    let mut parts: Vec<Part> = Vec::new();
    for dir in paths.iter().filter(|path| !is_file(path)) {
        if dir.is_file() {
            let message = format!("{} is no rule file: the name of one ends in .yaml or .yml", dir.display());
            return Err(Failure::Configuration(message));
        }
        if parts.iter().all(|part| known(&part.dir) != known(dir)) {
            parts.push(Part { dir: dir.clone(), names: None });
        }
    }
    for file in paths.iter().filter(|path| is_file(path)) {
        let (dir, name) = rasid_compiler::place_of(file);
        match parts.iter_mut().find(|part| known(&part.dir) == known(&dir)) {
            None => parts.push(Part { dir, names: Some(vec![name]) }),
            Some(Part { names: Some(names), .. }) => names.push(name),
            Some(Part { names: None, .. }) => {}
        }
    }
    Ok(parts)
}

/// What was found, for programs.
#[derive(Serialize)]
struct Found<'a> {
    rules: usize,
    tests: usize,
    /// Rules whose alerts go to the person on call, if there is one.
    pages: Vec<String>,
    /// With `--mutate`: how much was turned. What no test noticed is among the faults.
    #[serde(skip_serializing_if = "Option::is_none")]
    mutants: Option<usize>,
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

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        let watch = Stopwatch::start();
        let (mut rules, mut tests, mut untested, mut status, mut mutants) = (0, 0, 0, 0, 0);
        let (mut reports, mut pages): (Vec<Report>, Vec<String>) = (Vec::new(), Vec::new());
        for part in parts(&self.paths)? {
            let ruleset = match part.load() {
                Ok(ruleset) => ruleset,
                Err(LoadError::Faults(report)) => {
                    status = 2;
                    reports.push(report);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let outcome = rasid_engine::run_tests(&ruleset).map_err(|error| Failure::Outside(Box::new(error)))?;
            let passed = outcome.failures.is_none();
            let mut found: Vec<Report> = outcome.failures.into_iter().collect();
            // Tests that fail say nothing of what else would make them fail.
            if self.mutate && passed {
                let turned = rasid_engine::turn(&ruleset).map_err(|error| Failure::Outside(Box::new(error)))?;
                mutants += turned.tried;
                found.extend(turned.survivors);
            }
            for report in found {
                status = status.max(1);
                reports.push(Report { dir: Some(part.dir.clone()), ..report });
            }
            rules += ruleset.rules.len();
            tests += outcome.tests;
            pages.extend(ruleset.rules.iter().filter(|rule| rule.pages()).map(|rule| rule.id.clone()));
            untested += ruleset.rules.iter().filter(|rule| rule.tests.is_empty()).count();
        }
        match self.output {
            Output::Json => json(rules, tests, pages, self.mutate.then_some(mutants), &reports)?,
            Output::Github => reports.iter().try_for_each(github)?,
            Output::Text if reports.is_empty() => {
                let note = if untested == 0 { String::new() } else { format!("; {} without a test", counted(untested, "rule")) };
                let (rules, tests) = (counted(rules, "rule"), counted(tests, "test"));
                print_line(&format!("{rules}, {tests} passed in {:.2} s{note}", watch.elapsed().as_secs_f64()))?;
                if self.mutate {
                    print_line(&format!("a test notices each of {}", counted(mutants, "change")))?;
                }
                print_line(&match pages.as_slice() {
                    [] => "none pages the person on call (SEV0, SEV1 or `deliver: [core, oncall]` would)".to_owned(),
                    pages => format!("{} of them page the person on call: {}", pages.len(), pages.join(", ")),
                })?;
            }
            Output::Text => reports.iter().for_each(|report| say_block(report.render(colour()).trim_end())),
        }
        if status == 0 { Ok(()) } else { Err(Failure::Said(status)) }
    }
}

/// `1 rule`, `2 rules`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A workflow command for each fault of a report.
///
/// The form: docs.github.com, "Workflow commands for GitHub Actions", `error`; what would end a value is written in per cent.
fn github(report: &Report) -> Result<(), Failure> {
    let value = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| value(text).replace(':', "%3A").replace(',', "%2C");
    for found in &report.faults {
        let (line, column) = report.position(found);
        let help = found.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
        let (file, message) = (property(&report.path(found)), value(&format!("{}{help}", found.message)));
        print_line(&format!("::error file={file},line={line},col={column},title={}::{message}", found.code.as_str()))?;
    }
    Ok(())
}

fn json(rules: usize, tests: usize, pages: Vec<String>, mutants: Option<usize>, reports: &[Report]) -> Result<(), Failure> {
    let faults = reports.iter().flat_map(|report| {
        report.faults.iter().map(|found| {
            let (line, column) = report.position(found);
            let Diagnostic { code, message, help, .. } = found;
            Fault { code: code.as_str(), file: report.path(found), line, column, message, help: help.as_deref() }
        })
    });
    print_json(&Found { rules, tests, pages, mutants, faults: faults.collect() })
}
