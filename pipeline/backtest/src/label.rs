//! What is known of the past: who did harm and who did not, as people have found out, or as a simulation was played.
//!
//! A file of labels is JSON Lines; a line is one of
//!
//! ```text
//! {"campaign": "c07", "entity": "user:u_1", "also": ["ip:192.0.2.1"], "from": "…", "to": "…", "event_ids": ["…"]}   harm, of rasid simulate
//! {"look_alike": "shop_day", "entity": …}                                                                        honest, of rasid simulate
//! {"label": "harm", "entity": "user:u_1", "from": "…", "to": "…", "amount": 1250.00}                             one of your own: harm or honest
//! {"alert": "al_…", "rule": "…", "entity": "user:u_1", "opened_at": "…", "verdict": "true_positive"}             rasid alerts list --export;
//!                                                                                     rasid backtest --write-labels, where it may be empty
//! ```
//!
//! An entity may stand there raw or under its pseudonym. Nothing of a line is kept but names as they leave, times and ids.

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::time::parse_rfc3339;
use rasid_engine::Pseudonymizer;
use serde::Deserialize;

use crate::found::Found;
use crate::measure::Extent;

/// An alert that names somebody this long after his story's last event is about it still, ms: what he took is spent then.
const AFTER_MS: i64 = 86_400_000;
/// Longest line, bytes. A campaign of 20,000 events is half a MiB.
const LINE_BYTES_MAX: usize = 16 << 20;

/// What an alert is, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It is right.
    Right,
    /// It wrongs somebody.
    Wrong,
    /// Nobody has said.
    Unknown,
}

/// Something that somebody did, and its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// Its name in the file, or whom it is about.
    pub name: String,
    /// Whether it does harm.
    pub harm: bool,
    /// Its first instant, Unix ms.
    pub from_ms: i64,
    /// Its last one, Unix ms.
    pub to_ms: i64,
    /// What is at stake, in the unit of the file's owner.
    pub amount: Option<f64>,
}

impl Story {
    /// Whether any of it happened in the period.
    pub fn is_in(&self, extent: Extent) -> bool {
        self.from_ms <= extent.to_ms && self.to_ms >= extent.from_ms
    }
}

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// All stories, in the order of the file.
    pub stories: Vec<Story>,
    /// By entity as it leaves, and by event id: which stories.
    of_name: HashMap<String, Vec<usize>>,
    /// Verdicts by alert id.
    of_alert: HashMap<String, Truth>,
    /// Verdicts by rule and entity, with when their alert opened: for rules that have changed since.
    of_rule: BTreeMap<(String, String), Vec<(i64, Truth)>>,
    /// Whoever has no label is honest.
    all_else_honest: bool,
}

/// A line that is no label.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// The file cannot be read.
    #[error("line {line}: cannot be read")]
    Io {
        /// Which one, from 1 on.
        line: usize,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It says something else.
    #[error("line {line}: {what}")]
    Line {
        /// Which one, from 1 on.
        line: usize,
        /// What is wrong, and what was expected; nothing of the line itself.
        what: String,
    },
}

#[derive(Deserialize)]
struct Line {
    campaign: Option<String>,
    look_alike: Option<String>,
    label: Option<String>,
    verdict: Option<String>,
    alert: Option<String>,
    rule: Option<String>,
    entity: Option<String>,
    #[serde(default)]
    also: Vec<String>,
    from: Option<String>,
    to: Option<String>,
    opened_at: Option<String>,
    #[serde(default)]
    event_ids: Vec<String>,
    amount: Option<f64>,
}

impl Labels {
    /// Reads a file; `pseudonymizer` names people as the alerts do. With `all_else_honest` whoever has no label is honest, as in a
    /// simulation, where everything is known.
    ///
    /// # Errors
    /// The first line that is none.
    pub fn read(file: impl BufRead, pseudonymizer: &Pseudonymizer, all_else_honest: bool) -> Result<Self, LabelError> {
        let mut labels = Self { all_else_honest, ..Self::default() };
        for (line, text) in (1..).zip(file.lines()) {
            let text = text.map_err(|source| LabelError::Io { line, source })?;
            if text.trim().is_empty() {
                continue;
            }
            labels.line(&text, pseudonymizer).map_err(|what| LabelError::Line { line, what })?;
        }
        Ok(labels)
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.stories.is_empty() && self.of_alert.is_empty()
    }

    /// How many verdicts on alerts there are.
    pub fn verdicts(&self) -> usize {
        self.of_alert.len()
    }

    fn line(&mut self, text: &str, pseudonymizer: &Pseudonymizer) -> Result<(), String> {
        if text.len() > LINE_BYTES_MAX {
            return Err(format!("{} bytes, and a label has {LINE_BYTES_MAX} at the most", text.len()));
        }
        // What serde says of a value would quote it.
        let place =
            |error: serde_json::Error| format!("no label at column {}: expected a JSON object of text, times and lists", error.column());
        let line: Line = serde_json::from_str(text).map_err(place)?;
        let missing = |name: &str| format!("the field `{name}` is missing");
        let entity = |text: &str| leave(text, pseudonymizer);
        if let Some(verdict) = &line.verdict {
            let truth = match verdict.as_str() {
                // Nobody has filled it in.
                "" => return Ok(()),
                "true_positive" => Truth::Right,
                "false_positive" => Truth::Wrong,
                "unsure" => Truth::Unknown,
                _ => return Err("`verdict` is none of true_positive, false_positive, unsure".to_owned()),
            };
            let alert = line.alert.ok_or_else(|| missing("alert"))?;
            if let (Some(rule), Some(named), Some(at)) = (line.rule, line.entity, line.opened_at) {
                let at_ms = instant("opened_at", &at)?;
                self.of_rule.entry((rule, entity(&named)?)).or_default().push((at_ms, truth));
            }
            self.of_alert.insert(alert, truth);
            return Ok(());
        }
        let (name, harm) = match (line.campaign, line.look_alike, line.label.as_deref()) {
            (Some(name), None, None) => (Some(name), true),
            (None, Some(name), None) => (Some(name), false),
            (None, None, Some("harm")) => (None, true),
            (None, None, Some("honest")) => (None, false),
            (None, None, Some(_)) => return Err("`label` is none of harm, honest".to_owned()),
            _ => return Err("expected one of the fields `label`, `verdict`, `campaign`, `look_alike`".to_owned()),
        };
        let person = entity(&line.entity.ok_or_else(|| missing("entity"))?)?;
        let from_ms = line.from.as_deref().map_or(Ok(i64::MIN), |at| instant("from", at))?;
        let to_ms = line.to.as_deref().map_or(Ok(i64::MAX), |at| instant("to", at))?;
        if to_ms < from_ms {
            return Err("`to` is before `from`".to_owned());
        }
        let number = self.stories.len();
        let also = line.also.iter().map(|other| entity(other)).collect::<Result<Vec<String>, String>>()?;
        let names = std::iter::once(person.clone()).chain(also).filter(|name| !name.starts_with("all:"));
        for name in names.chain(line.event_ids) {
            self.of_name.entry(name).or_default().push(number);
        }
        self.stories.push(Story { name: name.unwrap_or(person), harm, from_ms, to_ms, amount: line.amount });
        Ok(())
    }

    /// What an alert is: by the verdict on it; by one on the same rule and entity within a day; by the harm that its event is of, or
    /// that somebody does whom it names while that goes on or within a day after; else by what honest people do.
    pub fn truth(&self, found: &Found) -> Truth {
        if let Some(truth) = self.of_alert.get(&found.id) {
            return *truth;
        }
        let judged = self.of_rule.get(&(found.rule.clone(), found.entity.clone())).into_iter().flatten();
        let nearest = judged.min_by_key(|(at_ms, _)| at_ms.abs_diff(found.opened_ms));
        if let Some((_, truth)) = nearest.filter(|(at_ms, _)| at_ms.abs_diff(found.opened_ms) < AFTER_MS.unsigned_abs()) {
            return *truth;
        }
        if self.harms(found).next().is_some() {
            return Truth::Right;
        }
        if self.all_else_honest || self.named(found).any(|number| self.stories.get(number).is_some_and(|story| !story.harm)) {
            return Truth::Wrong;
        }
        Truth::Unknown
    }

    /// The stories of harm that an alert is about, by their numbers.
    pub fn harms(&self, found: &Found) -> impl Iterator<Item = usize> {
        let is_harm = |number: &usize| self.stories.get(*number).is_some_and(|story| story.harm);
        self.named(found).filter(is_harm)
    }

    fn named(&self, found: &Found) -> impl Iterator<Item = usize> {
        let of_event = self.of_name.get(&found.event).into_iter().flatten().copied();
        let opened_ms = found.opened_ms;
        let goes_on = move |number: &usize| {
            self.stories.get(*number).is_some_and(|story| (story.from_ms..=story.to_ms.saturating_add(AFTER_MS)).contains(&opened_ms))
        };
        of_event.chain(self.of_name.get(&found.entity).into_iter().flatten().copied().filter(goes_on))
    }
}

/// `kind:id` as it leaves; what is a pseudonym stays one.
///
/// # Errors
/// It is of another form; the text does not quote it.
pub fn leave(entity: &str, pseudonymizer: &Pseudonymizer) -> Result<String, String> {
    let wrong = || "an entity is not of the form kind:id".to_owned();
    let (kind, id) = entity.split_once(':').ok_or_else(wrong)?;
    if kind == "all" {
        return Ok("all:all".to_owned());
    }
    // A simulation names what no alert is about, too.
    let Some(known) = EntityKind::from_name(kind) else { return Ok(format!("{kind}:")) };
    Ok(format!("{kind}:{}", if is_pseudonym(id) { id.to_owned() } else { pseudonymizer.leave(known, id) }))
}

/// Whether an identifier is one that stands for another.
pub(crate) fn is_pseudonym(id: &str) -> bool {
    id.strip_prefix('p').and_then(|rest| rest.split_once('_')).is_some_and(|(key, _)| key.parse::<u8>().is_ok())
}

fn instant(field: &str, text: &str) -> Result<i64, String> {
    parse_rfc3339(text).ok_or_else(|| format!("`{field}` is no time: expected RFC 3339, such as 2026-11-21T10:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::tests::found;

    fn read(text: &str) -> Result<Labels, String> {
        let pseudonymizer = Pseudonymizer::new(b"a secret that is long enough", 0).expect("long enough");
        Labels::read(text.as_bytes(), &pseudonymizer, false).map_err(|error| error.to_string())
    }

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_story_is_known_by_its_events_and_by_its_people_while_it_goes_on() {
        let labels = read(
            r#"{"campaign":"c1","entity":"user:u_1","also":["all:all"],"from":"1970-01-01T01:00:00Z","to":"1970-01-01T02:00:00Z","event_ids":["e7"]}
{"label":"honest","entity":"user:u_2"}

"#,
        )
        .expect("labels");
        let at = |entity: &str, hour: i64| Found { event: "other".to_owned(), ..found("a.b", entity, hour * HOUR) };
        for (alert, truth) in [
            (Found { event: "e7".to_owned(), ..at("user:u_9", 90) }, Truth::Right),
            (at("user:u_1", 1), Truth::Right),
            (at("user:u_1", 26), Truth::Right),
            (at("user:u_1", 27), Truth::Unknown),
            (at("user:u_1", 0), Truth::Unknown),
            (at("all:all", 1), Truth::Unknown),
            (at("user:u_2", 500), Truth::Wrong),
            (at("user:u_3", 1), Truth::Unknown),
        ] {
            assert_eq!(labels.truth(&alert), truth, "{} at {}", alert.entity, alert.opened_ms / HOUR);
        }
    }

    #[test]
    fn a_verdict_holds_for_its_alert_and_for_what_the_rule_says_of_him_that_day() {
        let labels =
            read(r#"{"alert":"al_1","rule":"a.b","entity":"user:u_1","opened_at":"1970-01-02T00:00:00Z","verdict":"false_positive"}"#)
                .expect("labels");
        assert_eq!(labels.truth(&Found { id: "al_1".to_owned(), ..found("x.y", "user:u_5", 0) }), Truth::Wrong);
        assert_eq!(labels.truth(&found("a.b", "user:u_1", 30 * HOUR)), Truth::Wrong);
        assert_eq!(labels.truth(&found("a.b", "user:u_1", 49 * HOUR)), Truth::Unknown);
        assert_eq!(labels.truth(&found("a.c", "user:u_1", 30 * HOUR)), Truth::Unknown);
    }

    #[test]
    fn people_are_named_as_alerts_name_them() {
        let labels = read(r#"{"label":"harm","entity":"phone:+20 100 000 0001"}"#).expect("labels");
        let pseudonymizer = Pseudonymizer::new(b"a secret that is long enough", 0).expect("long enough");
        let name = format!("phone:{}", pseudonymizer.leave(EntityKind::Phone, "+201000000001"));
        assert_eq!(labels.truth(&found("a.b", &name, 5)), Truth::Right);
        assert_eq!(read(&format!(r#"{{"label":"harm","entity":"{name}"}}"#)).expect("labels").truth(&found("a.b", &name, 5)), Truth::Right);
        assert!(!format!("{labels:?}").contains("1000000001"));
    }

    #[test]
    fn a_line_that_is_no_label_is_named_and_not_quoted() {
        for (line, said) in [
            ("{\"entity\":\"user:u_1\"}", "line 2: expected one of the fields `label`"),
            ("{\"label\":\"bad\",\"entity\":\"user:u_1\"}", "line 2: `label` is none of harm, honest"),
            ("{\"label\":\"harm\"}", "line 2: the field `entity` is missing"),
            ("{\"label\":\"harm\",\"entity\":\"0100\"}", "line 2: an entity is not of the form kind:id"),
            ("{\"label\":\"harm\",\"entity\":\"user:u\",\"from\":\"today\"}", "line 2: `from` is no time"),
            ("{\"label\":\"harm\",\"entity\":7}", "line 2: no label at column"),
            ("+20100000001", "line 2: no label at column"),
        ] {
            let error = read(&format!("{{\"label\":\"harm\",\"entity\":\"user:u_1\"}}\n{line}")).expect_err("no label");
            assert!(error.starts_with(said) && !error.contains("0100"), "{error}");
        }
    }
}
