//! What was found, and how it is written.

use std::path::Path;

use rasid_compiler::{Diagnostic, Report};
use rasid_engine::{Cost, RuleCoverage};
use serde::Serialize;

use crate::clock::Stopwatch;
use crate::command::{Failure, colour, print_json, print_line, say_block};

/// How what was found is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Output {
    /// For people
    #[default]
    Text,
    /// For programs: one JSON object
    Json,
    /// For GitHub Actions: one workflow command a fault or warning, shown at its line of the change
    Github,
}

/// All of it.
#[derive(Default)]
pub(super) struct Found {
    pub(super) rules: usize,
    pub(super) tests: usize,
    /// How many rules have no test.
    pub(super) untested: usize,
    /// The rules whose alerts go to the person on call.
    pub(super) pages: Vec<String>,
    /// The rules that an archive does not suffice for in a backtest.
    pub(super) beyond_archives: Vec<String>,
    /// With `--mutate`: how much was turned.
    pub(super) mutants: Option<usize>,
    /// With `--coverage`: what each rule's tests cover.
    pub(super) coverage: Option<Vec<RuleCoverage>>,
    /// With `--cost`: what the rules take, by what was checked together.
    pub(super) costs: Vec<Cost>,
    pub(super) faults: Vec<Report>,
    pub(super) warnings: Vec<Report>,
    /// 0; 1 where a test fails; 2 where a file is none.
    pub(super) status: u8,
}

/// The same for programs.
#[derive(Serialize)]
struct Shown<'a> {
    rules: usize,
    tests: usize,
    /// Rules whose alerts go to the person on call, if there is one.
    pages: &'a [String],
    /// Rules that a backtest needs the sealed log of the service for; for all others an archive does.
    backtest_needs_log: &'a [String],
    /// With `--mutate`: how much was turned. What no test noticed is among the faults.
    #[serde(skip_serializing_if = "Option::is_none")]
    mutants: Option<usize>,
    /// With `--coverage`: what each rule's tests cover. The terms that they do not are among the warnings.
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<Vec<Tested<'a>>>,
    /// With `--cost`: what the rules take, by what was checked together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    costs: Vec<super::cost::Shown<'a>>,
    faults: Vec<Fault<'a>>,
    /// What is odd and refuses nothing.
    warnings: Vec<Fault<'a>>,
}

/// What a rule's tests cover: of so many terms, so many are made true by a test and false by one.
#[derive(Serialize)]
struct Tested<'a> {
    rule: &'a str,
    tests: usize,
    terms: usize,
    covered: usize,
}

/// One fault or warning.
#[derive(Serialize)]
struct Fault<'a> {
    code: &'a str,
    file: String,
    line: usize,
    column: usize,
    message: &'a str,
    help: Option<&'a str>,
}

impl Found {
    /// Takes in what is wrong with rules that compile.
    pub(super) fn fails(&mut self, dir: &Path, report: Report) {
        self.status = self.status.max(1);
        self.faults.push(Report { dir: Some(dir.to_owned()), ..report });
    }

    /// Takes in what is odd about them.
    pub(super) fn warns(&mut self, dir: &Path, report: Report) {
        self.warnings.push(Report { dir: Some(dir.to_owned()), ..report });
    }

    /// Writes it: what is to be looked at to stderr, what it comes to, and what is for programs, to stdout.
    pub(super) fn show(&self, output: Output, watch: &Stopwatch) -> Result<(), Failure> {
        match output {
            Output::Json => print_json(&Shown {
                rules: self.rules,
                tests: self.tests,
                pages: &self.pages,
                backtest_needs_log: &self.beyond_archives,
                mutants: self.mutants,
                coverage: self.coverage.as_ref().map(|rules| rules.iter().map(covered).collect()),
                costs: self.costs.iter().map(Into::into).collect(),
                faults: listed(&self.faults),
                warnings: listed(&self.warnings),
            }),
            Output::Github => self.faults.iter().chain(&self.warnings).try_for_each(github),
            Output::Text => {
                self.warnings.iter().chain(&self.faults).for_each(|report| say_block(report.render(colour()).trim_end()));
                if self.faults.is_empty() { self.sum_up(watch) } else { Ok(()) }
            }
        }
    }

    fn sum_up(&self, watch: &Stopwatch) -> Result<(), Failure> {
        let note = if self.untested == 0 { String::new() } else { format!("; {} without a test", counted(self.untested, "rule")) };
        let (rules, tests) = (counted(self.rules, "rule"), counted(self.tests, "test"));
        print_line(&format!("{rules}, {tests} passed in {:.2} s{note}", watch.elapsed().as_secs_f64()))?;
        if let Some(mutants) = self.mutants {
            print_line(&format!("a test notices each of {}", counted(mutants, "change")))?;
        }
        for Tested { rule, tests, terms, covered } in self.coverage.iter().flatten().map(covered) {
            let (terms, tests) = (counted(terms, "term"), counted(tests, "test"));
            print_line(&format!("{rule}: {covered} of {terms} made true and made false by {tests}"))?;
        }
        self.costs.iter().try_for_each(super::cost::show)?;
        if !self.beyond_archives.is_empty() {
            let (count, rules) = (self.beyond_archives.len(), self.beyond_archives.join(", "));
            print_line(&format!("{count} of them need the sealed log for a backtest, an archive does for the others: {rules}"))?;
        }
        print_line(&match self.pages.as_slice() {
            [] => "none pages the person on call (SEV0, SEV1 or `deliver: [core, oncall]` would)".to_owned(),
            pages => format!("{} of them page the person on call: {}", pages.len(), pages.join(", ")),
        })
    }
}

fn covered(rule: &RuleCoverage) -> Tested<'_> {
    Tested { rule: &rule.rule, tests: rule.tests, terms: rule.terms, covered: rule.covered }
}

/// `1 rule`, `2 rules`.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A workflow command for each fault or warning of a report.
///
/// The form: docs.github.com, "Workflow commands for GitHub Actions", `error` and `warning`; what would end a value is written in per
/// cent.
fn github(report: &Report) -> Result<(), Failure> {
    let value = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| value(text).replace(':', "%3A").replace(',', "%2C");
    for found in &report.faults {
        let (line, column) = report.position(found);
        let help = found.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
        let (file, message) = (property(&report.path(found)), value(&format!("{}{help}", found.message)));
        let level = if found.code.is_warning() { "warning" } else { "error" };
        print_line(&format!("::{level} file={file},line={line},col={column},title={}::{message}", found.code.as_str()))?;
    }
    Ok(())
}

fn listed(reports: &[Report]) -> Vec<Fault<'_>> {
    let faults = reports.iter().flat_map(|report| {
        report.faults.iter().map(|found| {
            let (line, column) = report.position(found);
            let Diagnostic { code, message, help, .. } = found;
            Fault { code: code.as_str(), file: report.path(found), line, column, message, help: help.as_deref() }
        })
    });
    faults.collect()
}
