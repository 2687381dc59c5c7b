//! What a backtest found, for whoever goes on from there: labels to be filled in, and lists.

use std::collections::BTreeMap;

use rasid_detectors::entity::EntityKind;
use serde::Serialize;

use crate::found::Found;
use crate::label::is_pseudonym;

/// An alert as a label; what nobody knows yet is left open.
#[derive(Serialize)]
struct Line<'a> {
    alert: &'a str,
    rule: &'a str,
    entity: &'a str,
    opened_at: &'a str,
    /// Empty until somebody has filled it in.
    verdict: &'static str,
    explanation: &'a str,
}

/// The alerts as labels, one JSON object a line, each with what is known of it: [`Labels::read`](crate::label::Labels::read) takes it, and
/// passes over what nobody has filled in.
///
/// # Errors
/// A line cannot be written.
pub fn labels(found: &[Found]) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    for alert in found {
        let verdict = match alert.right {
            Some(true) => "true_positive",
            Some(false) => "false_positive",
            None => "",
        };
        let Found { id, rule, entity, opened_at, explanation, .. } = alert;
        text.push_str(&serde_json::to_string(&Line { alert: id, rule, entity, opened_at, verdict, explanation })?);
        text.push('\n');
    }
    Ok(text)
}

/// Why there is no list.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// No name of a list.
    #[error("`{0}` is no name of a list: a lower-case letter, then lower-case letters, digits and `_`, and the file is called so")]
    Name(String),
    /// Nobody was found.
    #[error("{0} found nobody")]
    Nobody(String),
    /// Alerts name them by pseudonyms.
    #[error(
        "a list holds identifiers as events have them, and alerts of {rule} name a {kind} by a pseudonym: nobody can make a list of those"
    )]
    Pseudonyms {
        /// The rule.
        rule: String,
        /// The kind of entity.
        kind: &'static str,
    },
    /// The rule is about everybody.
    #[error("{0} is about everybody, and no list holds that")]
    Everybody(String),
}

/// The entities that a rule found as a list of `rules/lists`, in the order of their names. Those alone that leave as events have them: a
/// pseudonym equals nothing that an event has.
///
/// # Errors
/// [`ListError`].
pub fn list(name: &str, rule: &str, found: &[Found]) -> Result<String, ListError> {
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !is_name {
        return Err(ListError::Name(name.to_owned()));
    }
    let mut entities: BTreeMap<&str, u64> = BTreeMap::new();
    let mut kinds: Vec<EntityKind> = Vec::new();
    let mut hidden = 0_u64;
    for alert in found.iter().filter(|alert| alert.rule == rule) {
        let Some((kind, id)) = alert.entity.split_once(':') else { continue };
        let Some(kind) = EntityKind::from_name(kind) else { continue };
        if kind == EntityKind::All {
            return Err(ListError::Everybody(rule.to_owned()));
        }
        if is_pseudonym(id) {
            if kind.is_personal() {
                return Err(ListError::Pseudonyms { rule: rule.to_owned(), kind: kind.name() });
            }
            // An opaque id that reads as a phone or the like.
            hidden += 1;
            continue;
        }
        kinds.push(kind);
        *entities.entry(id).or_default() += 1;
    }
    let Some(kind) = kinds.first() else { return Err(ListError::Nobody(rule.to_owned())) };
    let mut text = format!("list: {name}\nkind: {}\nreason: found by {rule}\nentries:\n", kind.name());
    if hidden > 0 {
        text.insert_str(0, &format!("# {hidden} alerts name somebody by a pseudonym; no list can hold that\n"));
    }
    for (id, alerts) in entities {
        let quoted = serde_json::Value::from(id).to_string();
        let s = if alerts == 1 { "" } else { "s" };
        let entry = format!("  - {{value: {quoted}, reason: {alerts} alert{s} of {rule}}}\n");
        text.push_str(&entry);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use rasid_compiler::{SourceFile, compile};
    use rasid_engine::Pseudonymizer;

    use super::*;
    use crate::compare::tests::found;
    use crate::label::{Labels, Truth};

    #[test]
    fn what_is_known_and_what_is_not_is_read_back() {
        let wrong = Found { right: Some(false), ..found("a.b", "user:u_1", 5) };
        let open = found("a.b", "user:u_2", 5);
        let pseudonymizer = Pseudonymizer::new(b"a secret that is long enough", 0).expect("long enough");
        let text = labels(&[wrong.clone(), open.clone()]).expect("written");
        let labels = Labels::read(text.as_bytes(), &pseudonymizer, false).expect("labels");
        assert_eq!((labels.truth(&wrong), labels.truth(&open), labels.verdicts()), (Truth::Wrong, Truth::Unknown, 1));
    }

    #[test]
    fn a_list_is_one_that_rules_may_name() {
        let all = [found("a.b", "user:u_2", 5), found("a.b", "user:u_1", 6), found("a.b", "user:u_2", 7), found("a.c", "user:u_9", 7)];
        let text = list("ring", "a.b", &all).expect("a list");
        assert_eq!(
            text,
            "list: ring\nkind: user\nreason: found by a.b\nentries:\n  - {value: \"u_1\", reason: 1 alert of a.b}\n  - {value: \"u_2\", reason: 2 alerts of a.b}\n"
        );
        let rule =
            "rule: auth.t\ntitle: t\non: booking.created\nentity: user(client_id)\nwhen: data.client_id in list.ring\nexplain: 'x'\n";
        let file = |name: &str, text: &str| SourceFile { name: name.to_owned(), text: text.to_owned() };
        let compiled = compile(&[file("auth/t.yaml", rule), file("lists/ring.yaml", &text)]);
        assert!(compiled.is_ok(), "{}", compiled.err().map(|report| report.render(false)).unwrap_or_default());
    }

    #[test]
    fn whom_alerts_do_not_name_is_in_no_list() {
        let pseudonym = format!("phone:p0_{}", "a".repeat(26));
        let error = |name: &str, entity: &str| list(name, "a.b", &[found("a.b", entity, 5)]).expect_err("no list").to_string();
        assert!(error("phones", &pseudonym).contains("name a phone by a pseudonym"));
        assert!(error("Ring", "user:u_1").contains("no name of a list"));
        assert!(error("ring", "all:all").contains("everybody"));
        assert_eq!(list("ring", "a.b", &[]), Err(ListError::Nobody("a.b".to_owned())));
    }
}
