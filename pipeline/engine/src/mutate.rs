//! Whether a rule's tests notice that it says something else.

use rasid_compiler::mutate::{Mutant, mutants};
use rasid_compiler::ruleset::{Rule, Ruleset};
use rasid_compiler::{Code, Report, SourceFile, compile};

use crate::engine::EngineError;
use crate::scenario::run_tests;

/// What became of all that a ruleset's rules might say instead.
#[derive(Debug)]
pub struct Turned {
    /// How many were tried: those that compile.
    pub tried: usize,
    /// Those that no test noticed, each shown in its file; `None` if there is none.
    pub survivors: Option<Report>,
}

/// Tries every mutant of every rule that has tests, whatever the rule's mode.
///
/// # Errors
/// As [`run_tests`].
pub fn turn(ruleset: &Ruleset) -> Result<Turned, EngineError> {
    let (mut tried, mut survivors) = (0, Vec::new());
    for rule in ruleset.rules.iter().filter(|rule| !rule.tests.is_empty()) {
        let Some(file) = ruleset.sources.get(rule.source) else { continue };
        for mutant in mutants(&file.text) {
            let Some(failed) = fails(ruleset, rule, file, &mutant)? else { continue };
            tried += 1;
            if !failed {
                let message = format!("`{}` may as well be `{}`: no test of the rule tells them apart", mutant.from, mutant.to);
                let help = "add a test just below and just above, or say less".to_owned();
                survivors.push((rule.source, mutant.span, message, Some(help)));
            }
        }
    }
    let survivors = (!survivors.is_empty()).then(|| Report::of_rules(ruleset, Code::Survives, survivors));
    Ok(Turned { tried, survivors })
}

/// Whether a test fails with the mutant; `None` where that is no rule.
fn fails(ruleset: &Ruleset, rule: &Rule, file: &SourceFile, mutant: &Mutant) -> Result<Option<bool>, EngineError> {
    let others = ruleset.sources.iter().enumerate().filter(|(index, _)| ruleset.rules.iter().all(|rule| rule.source != *index));
    let mut files: Vec<SourceFile> = others.map(|(_, file)| file.clone()).collect();
    files.push(mutant.of(file));
    let Ok(turned) = compile(&files) else { return Ok(None) };
    debug_assert!(turned.rules.iter().all(|other| other.id == rule.id));
    Ok(Some(run_tests(&turned)?.failures.is_some()))
}
