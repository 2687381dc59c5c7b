//! What is told of an alert, for programs and for the text.

use std::collections::BTreeMap;

use rasid_compiler::ruleset::{Rule, Ruleset};
use rasid_compiler::terms::{Came, Joins, Term};
use rasid_detectors::reading::Reading;
use rasid_engine::{Compared, Counted, EventShown, Moment};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Known, Neighbour, definitions};

/// Why an alert was opened.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// The alert, byte for byte as it was written.
    pub alert: Box<RawValue>,
    /// The ruleset by which it is explained.
    pub ruleset: String,
    /// What the condition came to: `hit`, `no`, or why it had no value.
    pub came: String,
    /// The `if` of the override that applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<String>,
    /// The condition as a tree.
    pub condition: TermTold,
    /// What it saw, and where each came from.
    pub values: Vec<ValueTold>,
    /// The event that opened it; of an alert that a timer opened, the one that began the wait.
    pub event: EventShown,
    /// How its chat message was read, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Reading>,
    /// The events behind each binding's value.
    pub behind: Vec<Behind>,
    /// Other alerts about the same entity within a day.
    pub neighbours: Vec<Neighbour>,
    /// What came of opening it once more, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replayed: Option<Replayed>,
    /// What a reader must know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A term of the condition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TermTold {
    /// As the file has it.
    pub text: String,
    /// How its parts are joined: `all`, `any`, `not`, `if`; nothing of a term without parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joins: Option<&'static str>,
    /// `true`, `false`, why it had no value; nothing where it was not asked, as what stands before it had decided.
    pub came: Option<String>,
    /// Both sides of a comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared: Option<Compared>,
    /// Of two numbers: what was found less the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beyond: Option<f64>,
    /// Its parts, from left to right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<TermTold>,
}

/// A value that the condition saw.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValueTold {
    /// Its name in the rule.
    pub name: String,
    /// The value, as it may leave.
    pub value: serde_json::Value,
    /// Where it came from: a binding as it is written, the rule's parameters, the event, the entity's score.
    pub from: String,
}

/// The events behind a binding's value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Behind {
    /// The binding as it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// What was counted.
    #[serde(flatten)]
    pub counted: Counted,
}

/// What came of opening an alert once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Whether it opened again.
    pub opened: bool,
    /// Whether it is byte for byte the one that is kept; nothing where none is kept.
    pub same: Option<bool>,
    /// Fields that are otherwise: name, as it is kept, as it is now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<(String, serde_json::Value, serde_json::Value)>,
}

impl Replayed {
    /// `again` held against `kept`.
    pub fn of(kept: Option<&str>, again: Option<&str>) -> Self {
        let Some(again) = again else { return Self { opened: false, same: None, differs: Vec::new() } };
        let Some(kept) = kept else { return Self { opened: true, same: None, differs: Vec::new() } };
        let object = |text: &str| serde_json::from_str::<BTreeMap<String, serde_json::Value>>(text).unwrap_or_default();
        let (then, now) = (object(kept), object(again));
        let names: std::collections::BTreeSet<&String> = then.keys().chain(now.keys()).collect();
        let of = |object: &BTreeMap<String, serde_json::Value>, name: &str| object.get(name).cloned().unwrap_or_default();
        let differs = names.into_iter().filter(|name| then.get(*name) != now.get(*name));
        let differs = differs.map(|name| (name.clone(), of(&then, name), of(&now, name))).collect();
        Self { opened: true, same: Some(kept == again), differs }
    }
}

impl Explained {
    /// Puts together what was seen of an alert of a rule of `ruleset`.
    ///
    /// # Errors
    /// The alert is no JSON.
    pub fn of(
        alert: &Known,
        ruleset: &Ruleset,
        rule: &Rule,
        (moment, counted): (Moment, Vec<Counted>),
        neighbours: Vec<Neighbour>,
    ) -> Result<Self, serde_json::Error> {
        let text = ruleset.sources.get(rule.source).map_or("", |source| source.text.as_str());
        let Moment { trace, applied, compared, event, message, .. } = moment;
        let asked = trace.came.get(rule.terms.applies.len()..).unwrap_or_default();
        let condition = told(&rule.terms.when, &mut asked.iter(), &mut compared.into_iter(), text);
        let applied = applied.and_then(|place| Some(one_line(text.get(rule.terms.applies.get(place)?.clone())?)));
        let written = definitions(ruleset, rule);
        let from = |name: &str| -> String {
            let (first, _) = name.split_once('.').unwrap_or((name, ""));
            match (first, &applied) {
                ("params", Some(applied)) => format!("the rule's parameters, as changed where {applied}"),
                ("params", None) => "the rule's parameters".to_owned(),
                ("data", _) => "the event".to_owned(),
                ("score", _) if name == "score" => "the score that the entity had of other rules".to_owned(),
                _ => written.get(first).cloned().unwrap_or_else(|| "the rule".to_owned()),
            }
        };
        let values = trace.values.0.iter().map(|(name, value)| ValueTold { name: name.clone(), value: value.clone(), from: from(name) });
        let values = values.collect();
        let behind = |counted: Counted| Behind { written: counted.name.as_ref().and_then(|name| written.get(name).cloned()), counted };
        let notes: Vec<String> = (alert.ruleset != ruleset.hash)
            .then(|| format!("the alert was opened by ruleset {}, and is explained by {}", alert.ruleset, ruleset.hash))
            .into_iter()
            .collect();
        Ok(Self {
            alert: serde_json::from_str(&alert.json)?,
            ruleset: ruleset.hash.clone(),
            came: crate::saw::came(&trace),
            applied: applied.clone(),
            condition,
            values,
            event,
            message,
            behind: counted.into_iter().map(behind).collect(),
            neighbours,
            replayed: None,
            notes,
        })
    }

    /// Whether the condition held at the alert's event, seen from where the past begins that was read.
    pub fn is_hit(&self) -> bool {
        self.came == "hit"
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A term with those in it; of a chain of one kind all links are told side by side.
fn told<'c>(
    term: &Term,
    came: &mut impl Iterator<Item = &'c Came>,
    compared: &mut impl Iterator<Item = Option<Compared>>,
    text: &str,
) -> TermTold {
    let own = came.next().and_then(Clone::clone).map(|came| match came {
        Ok(held) => held.to_string(),
        Err(error) => format!("no value: {error}"),
    });
    let compared_here = compared.next().flatten();
    let joins = match term.joins {
        Joins::Nothing => None,
        Joins::And => Some("all"),
        Joins::Or => Some("any"),
        Joins::Not => Some("not"),
        Joins::Conditional => Some("if"),
    };
    let mut parts = Vec::with_capacity(term.parts.len());
    for part in &term.parts {
        let part = told(part, came, compared, text);
        if part.joins == joins && matches!(term.joins, Joins::And | Joins::Or) {
            parts.extend(part.parts);
        } else {
            parts.push(part);
        }
    }
    let beyond = compared_here.as_ref().and_then(|compared| {
        let (found, limit) = if compared.limit_is_left { (&compared.right, &compared.left) } else { (&compared.left, &compared.right) };
        Some(found.as_f64()? - limit.as_f64()?)
    });
    TermTold { text: one_line(text.get(term.span.clone()).unwrap_or_default()), joins, came: own, compared: compared_here, beyond, parts }
}
