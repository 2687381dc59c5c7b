//! What a rule's condition saw at one event, by the old rules and by the new ones.

use rasid_compiler::ruleset::{Rule, Ruleset};
use rasid_compiler::terms::{Came, Joins, Term};
use rasid_engine::{Trace, Values};
use serde::Serialize;

/// What both conditions saw at one event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Why {
    /// The old rule; `None` where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Saw>,
    /// The new one; `None` where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Saw>,
}

/// What one condition saw.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Saw {
    /// `hit`, `no`, or why it had no value.
    pub came: String,
    /// Every term of the condition, as it is written, with what it came to; those that were not asked are left out.
    pub terms: Vec<TermSaw>,
    /// What it saw.
    pub values: Values,
}

/// One term of a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TermSaw {
    /// As the file has it.
    pub text: String,
    /// `true`, `false`, or why it had no value.
    pub came: String,
}

impl Saw {
    /// Out of a trace of a rule of `ruleset`.
    pub fn of(trace: &Trace, ruleset: &Ruleset, rule: &Rule) -> Self {
        let text = ruleset.sources.get(rule.source).map_or("", |source| source.text.as_str());
        let mut terms = Vec::new();
        let asked = trace.came.get(rule.terms.applies.len()..).unwrap_or_default();
        collect(&rule.terms.when, &mut asked.iter(), text, &mut terms);
        Self { came: came(trace), terms, values: trace.values.clone() }
    }

    /// In lines, for a person: values, and each term with what it came to.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let shown = |(name, value): &(String, serde_json::Value)| format!("{name} {}", crate::text::plain(value));
        if !self.values.0.is_empty() {
            lines.push(format!("  {}", self.values.0.iter().map(shown).collect::<Vec<_>>().join(", ")));
        }
        lines.extend(self.terms.iter().map(|term| format!("  `{}` {}", term.text, term.came)));
        lines.push(format!("  → {}", self.came));
        lines
    }

    /// Whether the condition held.
    pub fn is_hit(&self) -> bool {
        self.came == "hit"
    }
}

/// What a condition came to.
pub(crate) fn came(trace: &Trace) -> String {
    match &trace.held {
        None => "names no entity".to_owned(),
        Some(Ok(true)) => "hit".to_owned(),
        Some(Ok(false)) => "no".to_owned(),
        Some(Err(error)) => format!("no value: {error}"),
    }
}

/// The terms that are no connective, in the order of the file.
fn collect<'c>(term: &Term, came: &mut impl Iterator<Item = &'c Came>, text: &str, out: &mut Vec<TermSaw>) {
    let own = came.next();
    if term.joins == Joins::Nothing
        && let Some(Some(came)) = own
    {
        let written = text.get(term.span.clone()).unwrap_or_default();
        let said = match came {
            Ok(held) => held.to_string(),
            Err(error) => format!("no value: {error}"),
        };
        out.push(TermSaw { text: written.split_whitespace().collect::<Vec<_>>().join(" "), came: said });
    }
    for part in &term.parts {
        collect(part, came, text, out);
    }
}
