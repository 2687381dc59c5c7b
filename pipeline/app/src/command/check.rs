//! `rasid check`: every fault and warning of every rule file, then every test in them.

mod cost;
mod found;
mod parts;
mod watch;

use std::path::PathBuf;

use rasid_backtest::taken::beyond_archives;
use rasid_compiler::LoadError;
use rasid_engine::EngineError;

use self::found::{Found, Output};
use self::parts::{Part, parts};
use super::{Command, Failure};
use crate::clock::{Stopwatch, now_ms};

/// Check rule files: every fault and warning with its line underlined, then the tests in them
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rasid check rules\n  rasid check rules/auth/otp_flood.yaml rules/lists/trusted_phones.yaml\n  rasid check rules --mutate\n  rasid check rules --coverage\n  rasid check rules --cost\n  rasid check rules --watch\n\n\
    A file is checked with the lists, shared.yaml and rates.yaml of its rules folder, which is the file's own folder or\n\
    the one above it, whichever has one of them. Warnings alone end with status 0.\n\
    docs/rule-faults.md says what each code means."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub(crate) struct Args {
    /// Folders of rule files, and single files: rules, lists, shared.yaml, rates.yaml
    #[arg(value_name = "PATH", default_value = "rules", num_args = 1..)]
    paths: Vec<PathBuf>,
    /// How the result on stdout is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    /// Turn each comparison and connective and move each threshold by a fifth, and tell what no test of its rule notices
    #[arg(long)]
    mutate: bool,
    /// Tell which terms of a condition no test of its rule makes true, or none makes false
    #[arg(long)]
    coverage: bool,
    /// Tell what each rule takes: memory for an entity, instructions for an event
    #[arg(long)]
    cost: bool,
    /// Check again whenever a file changes, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        if self.watch { watch::watch(self) } else { self.once() }
    }
}

impl Args {
    fn once(&self) -> Result<(), Failure> {
        let watch = Stopwatch::start();
        let (mutants, coverage) = (self.mutate.then_some(0), self.coverage.then(Vec::new));
        let mut found = Found { mutants, coverage, ..Found::default() };
        for part in parts(&self.paths)? {
            self.look(&part, &mut found)?;
        }
        found.show(self.output, &watch)?;
        if found.status == 0 { Ok(()) } else { Err(Failure::Said(found.status)) }
    }

    /// Checks what belongs together.
    fn look(&self, part: &Part, found: &mut Found) -> Result<(), Failure> {
        let ruleset = match part.load() {
            Ok(ruleset) => ruleset,
            Err(LoadError::Faults(report)) => {
                found.status = 2;
                found.faults.push(report);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(report) = ruleset.warnings_at(now_ms()) {
            found.warns(&part.dir, report);
        }
        let outcome = rasid_engine::run_tests(&ruleset).map_err(outside)?;
        let passed = outcome.failures.is_none();
        if let Some(report) = outcome.failures {
            found.fails(&part.dir, report);
        }
        // Tests that fail say nothing of what else would make them fail.
        if self.mutate && passed {
            let turned = rasid_engine::turn(&ruleset).map_err(outside)?;
            found.mutants = found.mutants.map(|mutants| mutants + turned.tried);
            if let Some(report) = turned.survivors {
                found.fails(&part.dir, report);
            }
        }
        if self.coverage && passed {
            let covered = rasid_engine::cover(&ruleset).map_err(outside)?;
            found.coverage.get_or_insert_default().extend(covered.rules);
            if let Some(report) = covered.gaps {
                found.warns(&part.dir, report);
            }
        }
        if self.cost {
            found.costs.push(rasid_engine::cost(&ruleset));
        }
        found.rules += ruleset.rules.len();
        found.tests += outcome.tests;
        found.pages.extend(ruleset.rules.iter().filter(|rule| rule.pages()).map(|rule| rule.id.clone()));
        found.beyond_archives.extend(beyond_archives(&ruleset));
        found.untested += ruleset.rules.iter().filter(|rule| rule.tests.is_empty()).count();
        Ok(())
    }
}

fn outside(error: EngineError) -> Failure {
    Failure::Outside(Box::new(error))
}
