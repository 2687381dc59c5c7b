//! Why a rule said nothing of somebody: every time that it was asked about him, and when it came nearest.

use rasid_compiler::gather::{Chosen, gather};
use rasid_compiler::ruleset::{Mode, Rule, Ruleset};
use rasid_detectors::event::EventType;
use rasid_detectors::event::time::format_rfc3339;
use rasid_engine::{Config, Engine, EngineError, Opened, Pseudonymizer, Trace};
use serde::Serialize;

use crate::pass::Period;
use crate::saw::{Saw, TermSaw};
use crate::taken::Taken;

/// One time that the rule was asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Asked {
    /// The event's clock, RFC 3339.
    pub at: String,
    /// The event's place in what was read.
    pub position: u64,
    /// Whether it was a wait that was over, and no event of its own.
    pub due: bool,
    /// What the condition saw.
    pub saw: Saw,
    /// How much of its condition was there, 0 to 1: the share of its terms that held, those that compare two numbers by how near they were.
    pub nearness: f64,
}

/// What is known of a rule and somebody.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The rule.
    pub rule: String,
    /// Whom it was asked about, as alerts name him.
    pub entity: String,
    /// Whether the rule's alerts would be delivered.
    pub mode: Mode,
    /// Events that the rule looked at, about anybody.
    pub looked_at: u64,
    /// Of them those that name nobody whom the rule could speak of.
    pub nobody: u64,
    /// How often it was asked about him.
    pub asked: u64,
    /// How often its condition held.
    pub hits: u64,
    /// Alerts about him.
    pub alerts: u64,
    /// When it was asked first, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// When it was asked last, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// When it came nearest without a hit; the latest of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Asked>,
    /// The first hit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_hit: Option<Asked>,
}

/// The question on its way through the past.
pub struct WhyNot {
    engine: Engine,
    ruleset: Ruleset,
    place: usize,
    period: Period,
    answer: Answer,
}

impl WhyNot {
    /// Why the rule of that id says nothing of `entity`, which is named as alerts name people. `None` where there is no such rule.
    ///
    /// # Errors
    /// The threads cannot be started.
    pub fn new(
        ruleset: Ruleset,
        rule: &str,
        entity: &str,
        config: &Config,
        pseudonymizer: &Pseudonymizer,
        period: Period,
    ) -> Result<Option<Self>, EngineError> {
        let Some(place) = ruleset.place(rule) else { return Ok(None) };
        let Some(found) = ruleset.rules.get(place) else { return Ok(None) };
        let alone = if found.reads_others() { ruleset.clone() } else { gather([Chosen { ruleset: &ruleset, rule: place, id: rule }]) };
        let answer = Answer {
            rule: rule.to_owned(),
            entity: entity.to_owned(),
            mode: found.mode,
            looked_at: 0,
            nobody: 0,
            asked: 0,
            hits: 0,
            alerts: 0,
            first: None,
            last: None,
            nearest: None,
            first_hit: None,
        };
        let engine = Engine::new(alone, config.clone(), pseudonymizer.clone())?;
        Ok(Some(Self { engine, ruleset, place, period, answer }))
    }

    /// Whether fields of events of that type out of an archive matter to the rule.
    pub fn reads_columns_of(&self, event: EventType) -> bool {
        self.engine.reads_columns_of(event)
    }

    /// Takes what comes next in the past.
    pub fn step(&mut self, taken: Taken<'_>) {
        let opened = Opened::default();
        let next = taken.next(&mut self.engine, &opened);
        let (output, traces) = next.step_traced(&mut self.engine);
        next.recycle(&mut self.engine);
        let own = output.alerts.iter().filter(|alert| alert.rule == self.answer.rule && alert.entity == self.answer.entity);
        let inside = |at: &str| rasid_detectors::event::time::parse_rfc3339(at).is_some_and(|at_ms| self.period.contains(at_ms));
        self.answer.alerts += own.filter(|alert| inside(&alert.opened_at)).count() as u64;
        let Some(rule) = self.ruleset.rules.get(self.place) else { return };
        for trace in &traces {
            if trace.rule != self.answer.rule || !self.period.contains(trace.at_ms) {
                continue;
            }
            self.answer.looked_at += 1;
            self.answer.nobody += u64::from(trace.entity.is_none());
            if trace.entity.as_deref() == Some(self.answer.entity.as_str()) {
                self.answer.take(asked(trace, &self.ruleset, rule));
            }
        }
    }

    /// The answer, when all is read.
    pub fn finish(self) -> Answer {
        self.answer
    }
}

impl Answer {
    fn take(&mut self, asked: Asked) {
        self.asked += 1;
        self.first.get_or_insert_with(|| asked.at.clone());
        self.last = Some(asked.at.clone());
        if asked.saw.is_hit() {
            self.hits += 1;
            self.first_hit.get_or_insert(asked);
        } else if self.nearest.as_ref().is_none_or(|nearest| nearest.nearness <= asked.nearness) {
            self.nearest = Some(asked);
        }
    }

    /// In lines, for a person.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.mode == Mode::Off {
            lines.push(format!("{} is off: it opens no alert about anybody", self.rule));
        }
        if self.asked == 0 {
            let of = if self.looked_at == 0 {
                "there is no event that it looks at".to_owned()
            } else {
                format!("it looked at {} events, none of which names him", self.looked_at)
            };
            lines.push(format!("{} was never asked about {}: {of}", self.rule, self.entity));
            if self.nobody > 0 {
                lines.push(format!("{} of them name nobody whom it could speak of", self.nobody));
            }
            return lines;
        }
        let times = if self.asked == 1 { "once".to_owned() } else { format!("{} times", self.asked) };
        let (first, last) = (self.first.as_deref().unwrap_or_default(), self.last.as_deref().unwrap_or_default());
        lines.push(format!("{} was asked about {} {times}, from {first} to {last}", self.rule, self.entity));
        match (self.hits, self.alerts) {
            (0, _) => {}
            (hits, 0) => lines.push(format!(
                "its condition held {hits} times, and no alert opened: he is spared, or an alert stood from before the period"
            )),
            (hits, alerts) => {
                lines.push(format!("its condition held {hits} times, and {alerts} alerts opened; the rest were counted with them"));
            }
        }
        if let Some(hit) = &self.first_hit {
            lines.push(format!("it held first at {}:", hit.at));
            lines.extend(hit.saw.lines());
        }
        if let Some(nearest) = &self.nearest {
            let percent = crate::text::percent(nearest.nearness);
            lines.push(format!("without a hit it came nearest at {}, {percent} of the way:", nearest.at));
            lines.extend(nearest.saw.lines());
        }
        lines
    }
}

fn asked(trace: &Trace, ruleset: &Ruleset, rule: &Rule) -> Asked {
    let saw = Saw::of(trace, ruleset, rule);
    let nearness = nearness(&saw);
    Asked { at: format_rfc3339(trace.at_ms), position: trace.position, due: trace.due, saw, nearness }
}

/// The mean over the terms that were asked: 1 of one that held; of a comparison of two numbers that did not, how much of the way it was, below 1;
/// else 0.
#[expect(clippy::cast_precision_loss, reason = "some terms")]
fn nearness(saw: &Saw) -> f64 {
    if saw.is_hit() {
        return 1.0;
    }
    let of = |term: &TermSaw| if term.came == "true" { 1.0 } else { part(term, saw).unwrap_or(0.0) };
    let sum: f64 = saw.terms.iter().map(of).sum();
    (sum / saw.terms.len().max(1) as f64 * 1e4).round() / 1e4
}

/// How much of the way a comparison of two numbers above 0 was.
fn part(term: &TermSaw, saw: &Saw) -> Option<f64> {
    let (sign, at) = [">=", "<=", ">", "<"].into_iter().find_map(|sign| Some((sign, term.text.find(sign)?)))?;
    let (left, right) = term.text.split_at(at);
    let number = |text: &str| -> Option<f64> {
        let text = text.trim();
        text.parse().ok().or_else(|| saw.values.0.iter().find(|(name, _)| name == text)?.1.as_f64())
    };
    let (left, right) = (number(left)?, number(right.strip_prefix(sign)?)?);
    let (small, large) = if sign.starts_with('>') { (left, right) } else { (right, left) };
    (small >= 0.0 && large > 0.0).then(|| (small / large).min(0.99))
}

#[cfg(test)]
mod tests {
    use rasid_compiler::{SourceFile, compile};
    use rasid_engine::Record;

    use super::*;

    fn answer(entity: &str, codes: usize) -> Answer {
        let text = "rule: auth.t\ntitle: t\non: auth.otp_requested\nentity: phone\nparams: {most: 8}\nlet: {n: {count: auth.otp_requested, by: phone, window: 10m}}\nwhen: n > params.most && data.purpose == \"login\"\nsuppress: 1h\nexplain: '{n}'\n";
        let ruleset = compile(&[SourceFile { name: "auth/t.yaml".to_owned(), text: text.to_owned() }])
            .unwrap_or_else(|report| panic!("{}", report.render(false)));
        let pseudonymizer = Pseudonymizer::new(b"a secret that is long enough", 0).expect("long enough");
        let entity = format!("phone:{}", pseudonymizer.leave(rasid_detectors::entity::EntityKind::Phone, entity));
        let mut question =
            WhyNot::new(ruleset, "auth.t", &entity, &Config::default(), &pseudonymizer, Period::ALL).expect("an engine").expect("a rule");
        let line = |number: usize| {
            let time = format_rfc3339(1_767_225_600_000 + 1_000 * i64::try_from(number).expect("few"));
            format!(
                r#"{{"specversion":"1.0","id":"e{number}","source":"/t","time":"{time}","type":"auth.otp_requested","data":{{"phone":"+201000000001","ip":"192.0.2.1","purpose":"login"}}}}"#
            )
        };
        let lines: Vec<String> = (0..codes).map(line).collect();
        let records: Vec<Record<'_>> =
            (1..).zip(&lines).map(|(position, line)| Record { position, arrival_ms: i64::MAX, bytes: line.as_bytes() }).collect();
        question.step(Taken::Records(&records));
        question.finish()
    }

    #[test]
    fn it_says_how_near_it_came_and_what_was_missing() {
        let answer = answer("+201000000001", 6);
        assert_eq!((answer.asked, answer.hits, answer.alerts), (6, 0, 0));
        let nearest = answer.nearest.as_ref().expect("it was asked");
        assert_eq!((nearest.position, nearest.nearness), (6, 0.75), "6 of 8, and what stands behind was not asked");
        let said = answer.lines().join("\n");
        assert!(
            said.contains("`n > params.most` false")
                && said.contains("n 6")
                && said.contains("75.0 % of the way")
                && !said.contains("1000000001"),
            "{said}"
        );
    }

    #[test]
    fn a_hit_and_nobody_are_told_too() {
        let hit = answer("+201000000001", 11);
        assert_eq!((hit.asked, hit.hits, hit.alerts), (11, 3, 1));
        assert!(hit.lines().join("\n").contains("held 3 times, and 1 alerts opened"));
        let nobody = answer("+201000000002", 3);
        assert_eq!(nobody.asked, 0);
        assert!(nobody.lines()[0].contains("it looked at 3 events, none of which names him"), "{:?}", nobody.lines());
    }
}
