//! What the tests of a rule make true of its conditions, and what they make false. A term that is only ever one of the two might as well
//! not stand there, as far as the tests know.

use std::ops::Range;

use rasid_compiler::expression::Expr;
use rasid_compiler::ruleset::{Rule, Ruleset};
use rasid_compiler::terms::{Came, Joins, Term};
use rasid_compiler::{Code, Report};

use crate::engine::EngineError;
use crate::scenario::traces;

/// What shows that an override is needed.
const OF_OVERRIDES: &str = "add a test of an event for which the override applies, and one of an event for which it does not";

/// What the tests of a ruleset cover.
#[derive(Debug)]
pub struct Coverage {
    /// Each rule that has tests, in order.
    pub rules: Vec<RuleCoverage>,
    /// The terms that are never true, or never false, each shown in its file; `None` if there is none.
    pub gaps: Option<Report>,
}

/// What the tests of a rule cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCoverage {
    /// Its id.
    pub rule: String,
    /// How many tests it has.
    pub tests: usize,
    /// How many terms its conditions have, the `if` of each override counted as one.
    pub terms: usize,
    /// How many of them a test makes true and a test makes false.
    pub covered: usize,
}

/// Runs every test of every rule, whatever the rule's mode, and looks at what each term comes to where it is asked.
///
/// # Errors
/// As [`run_tests`](crate::run_tests).
pub fn cover(ruleset: &Ruleset) -> Result<Coverage, EngineError> {
    let (mut rules, mut gaps) = (Vec::new(), Vec::new());
    for rule in ruleset.rules.iter().filter(|rule| !rule.tests.is_empty()) {
        let asked = asked(rule);
        let mut came: Vec<Met> = vec![Met::default(); rule.terms.applies.len() + rule.terms.when.count()];
        for trace in traces(ruleset, rule)? {
            came.iter_mut().zip(&trace.came).for_each(|(met, came)| met.note(*came));
        }
        let missing: Vec<_> = asked.iter().filter_map(|(number, span)| Some((span, came.get(*number)?.lacks()?))).collect();
        rules.push(RuleCoverage {
            rule: rule.id.clone(),
            tests: rule.tests.len(),
            terms: asked.len(),
            covered: asked.len() - missing.len(),
        });
        gaps.extend(missing.into_iter().map(|(span, (message, help))| {
            let help = if rule.terms.applies.contains(span) { OF_OVERRIDES } else { help };
            (rule.source, span.clone(), message.to_owned(), Some(help.to_owned()))
        }));
    }
    let gaps = (!gaps.is_empty()).then(|| Report::of_rules(ruleset, Code::NotCovered, gaps));
    Ok(Coverage { rules, gaps })
}

/// The terms that tests should make true and make false, by their numbers among all, with their places: the `if` of each override,
/// and what the condition's operators join. A chain of one operator is no term by itself, a negation is what is in it, and what is
/// written out as true or false is what it is.
fn asked(rule: &Rule) -> Vec<(usize, Range<usize>)> {
    let mut found: Vec<(usize, Range<usize>)> = rule.terms.applies.iter().cloned().enumerate().collect();
    let program = rule.triggers.first().and_then(|trigger| trigger.programs.last());
    if let Some(program) = program {
        let mut number = rule.terms.applies.len();
        visit(&rule.terms.when, rule.terms.program(program), rule.terms.when.joins, &mut number, &mut found);
    }
    found
}

fn visit(term: &Term, expr: &Expr, around: Joins, number: &mut usize, found: &mut Vec<(usize, Range<usize>)>) {
    let is_one = match term.joins {
        Joins::Nothing => !matches!(expr, Expr::Const(_)),
        Joins::Not => false,
        joins => joins != around,
    };
    if is_one {
        found.push((*number, term.span.clone()));
    }
    *number += 1;
    for (part, program) in term.parts.iter().zip(term.programs(expr)) {
        visit(part, program, term.joins, number, found);
    }
}

/// What a term came to in all tests.
#[derive(Clone, Copy, Debug, Default)]
struct Met {
    held: bool,
    did_not: bool,
    asked: bool,
}

impl Met {
    fn note(&mut self, came: Came) {
        self.asked |= came.is_some();
        self.held |= came == Some(Ok(true));
        self.did_not |= came == Some(Ok(false));
    }

    /// What no test shows, and what would.
    fn lacks(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self { held: true, did_not: true, .. } => None,
            Self { asked: false, .. } => {
                Some(("no test asks this: what stands before it has always decided", "add a test in which the condition hangs on it"))
            }
            Self { held: false, did_not: true, .. } => {
                Some(("no test makes this true", "add a test in which it holds and the condition hangs on it"))
            }
            Self { held: true, did_not: false, .. } => {
                Some(("no test makes this false", "add a test in which it does not hold and the rest of the condition does"))
            }
            Self { .. } => Some(("in no test this has a value", "add a test in which what it reads is there")),
        }
    }
}
