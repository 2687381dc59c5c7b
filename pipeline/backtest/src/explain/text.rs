//! An alert's reasons in lines, for somebody who is asked about it at night.

use std::fmt::Write as _;

use rasid_detectors::reading::Reading;
use rasid_engine::{EventShown, Fix};

use super::{Behind, Explained, Neighbour, Replayed, TermTold, ValueTold};
use crate::text::{grouped, number, percent, plain, seconds};

/// What of an alert is told first.
#[derive(serde::Deserialize)]
struct Head {
    id: String,
    rule: String,
    severity: String,
    mode: String,
    title: String,
    entity: String,
    opened_at: String,
    explanation: String,
    risk: u8,
    advice: Option<String>,
    runbook: Option<String>,
    suppressed_before: u64,
}

impl Explained {
    /// In lines.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.head();
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        lines.push(String::new());
        lines.push(match self.came.as_str() {
            "hit" => "why: the condition held".to_owned(),
            other => format!("from this past alone the condition comes to: {other}. It sees less than what opened the alert saw"),
        });
        if let Some(applied) = &self.applied {
            lines.push(format!("  by the override for `{applied}`"));
        }
        term(&self.condition, "  ", "  ", &mut lines);
        lines.push(String::new());
        lines.push("what it saw".to_owned());
        lines.extend(self.values());
        lines.push(String::new());
        lines.push(format!("the event  {}", event(&self.event, &[])));
        if let Some(message) = &self.message {
            lines.extend(reading(message, "  "));
        }
        // What may not be named says something where there is something.
        for behind in self.behind.iter().filter(|behind| behind.counted.name.is_some() || behind.counted.events > 0) {
            lines.extend(of_binding(behind, self.message.as_ref()));
        }
        lines.push(String::new());
        lines.extend(neighbours(&self.neighbours));
        if let Some(replayed) = &self.replayed {
            lines.push(String::new());
            lines.extend(of_replay(replayed));
        }
        lines
    }

    fn head(&self) -> Vec<String> {
        let Ok(head) = serde_json::from_str::<Head>(self.alert.get()) else { return vec![self.alert.get().to_owned()] };
        let Head { id, rule, severity, mode, title, entity, opened_at, explanation, risk, advice, runbook, suppressed_before } = head;
        let shadow = if mode == "active" { String::new() } else { format!(" {mode}") };
        let mut casts = format!("risk {risk}");
        casts.extend(advice.map(|advice| format!(", advice {advice}")));
        if suppressed_before > 0 {
            write!(casts, ", {} hits counted since the alert before", grouped(suppressed_before)).expect("a String takes all");
        }
        let mut lines = vec![
            format!("{id}  {severity}{shadow}  {rule}  {title}"),
            format!("  {explanation}"),
            format!("  about {entity}, opened {opened_at}, {casts}"),
        ];
        lines.extend(runbook.map(|runbook| format!("  what to do: {runbook}")));
        lines
    }

    fn values(&self) -> Vec<String> {
        let width = |of: &dyn Fn(&ValueTold) -> usize| self.values.iter().map(of).filter(|width| *width <= 24).max().unwrap_or(0);
        let (name, value) = (width(&|told| told.name.chars().count()), width(&|told| plain(&told.value).chars().count()));
        let befores = std::iter::once(None).chain(self.values.iter().map(Some));
        let line = |(told, before): (&ValueTold, Option<&ValueTold>)| {
            // Of a detector's many fields it is said once where they come from.
            let from = if before.is_some_and(|before| before.from == told.from) { "" } else { &told.from };
            format!("  {:name$}  {:value$}  {from}", told.name, plain(&told.value)).trim_end().to_owned()
        };
        self.values.iter().zip(befores).map(line).collect()
    }
}

/// A term and those in it, as a tree.
fn term(told: &TermTold, first: &str, rest: &str, lines: &mut Vec<String>) {
    let came = told.came.as_deref().unwrap_or("not asked");
    let line = match told.joins {
        None => {
            let sides = told.compared.as_ref().map_or_else(String::new, |compared| {
                format!("  {} {} {}{}", plain(&compared.left), compared.sign, plain(&compared.right), margin(told, came))
            });
            format!("{first}`{}` {came}{sides}", told.text)
        }
        Some("all") => format!("{first}all of these: {came}"),
        Some("any") => format!("{first}one of these: {came}"),
        Some("not") => format!("{first}not: {came}"),
        Some(_) => format!("{first}the second if the first holds, else the third: {came}"),
    };
    lines.push(line);
    for (place, part) in told.parts.iter().enumerate() {
        let is_last = place + 1 == told.parts.len();
        let (branch, stem) = if is_last { ("└ ", "  ") } else { ("├ ", "│ ") };
        term(part, &format!("{rest}{branch}"), &format!("{rest}{stem}"), lines);
    }
}

/// How far what was found is from the limit.
fn margin(told: &TermTold, came: &str) -> String {
    let (Some(beyond), Some(compared)) = (told.beyond, &told.compared) else { return String::new() };
    if !compared.sign.starts_with(['<', '>']) {
        return String::new();
    }
    let limit = if compared.limit_is_left { &compared.left } else { &compared.right };
    let share = limit.as_f64().filter(|limit| *limit != 0.0).map(|limit| format!(", {} of the limit", percent((beyond / limit).abs())));
    let word = if came == "true" { "past it by" } else { "short of it by" };
    if beyond.abs() < f64::EPSILON {
        return ", on the limit".to_owned();
    }
    format!(", {word} {}{}", number(beyond.abs()), share.unwrap_or_default())
}

fn event(shown: &EventShown, but: &[&Field]) -> String {
    let mut line = format!("{}  {}", shown.at, shown.event_type);
    let named = fields(shown.data.0.iter().filter(|field| !but.contains(field)));
    if !named.is_empty() {
        line.push_str("  ");
        line.push_str(&named);
    }
    let steps: Vec<String> = shown.steps.iter().map(u8::to_string).collect();
    if !steps.is_empty() {
        write!(line, "  (step {})", steps.join(", ")).expect("a String takes all");
    }
    if shown.only_below {
        line.push_str("  (of the whole alone)");
    }
    line
}

/// A field of an event and its value.
type Field = (String, serde_json::Value);

fn fields<'f>(all: impl Iterator<Item = &'f Field>) -> String {
    all.map(|(name, value)| format!("{name} {}", plain(value))).collect::<Vec<_>>().join(", ")
}

/// `own`: how the event's own message was read, which is told already.
fn of_binding(behind: &Behind, own: Option<&Reading>) -> Vec<String> {
    let counted = &behind.counted;
    let name =
        counted.name.as_ref().map_or_else(|| format!("a value that is not shown ({})", counted.operator), |name| format!("`{name}`"));
    let s = if counted.events == 1 { "" } else { "s" };
    let what = if counted.of_firings { "firing" } else { "event" };
    let is_one = counted.by.iter().all(|key| key == "all");
    let whose = if is_one { "of all".to_owned() } else { format!("of the same {}", counted.by.join(" and ")) };
    let within = match (counted.window_ms, counted.offset_ms) {
        (None, _) => String::new(),
        (Some(window_ms), 0) => format!(" within {}", span(window_ms)),
        (Some(window_ms), offset_ms) => format!(" between {} and {} before", span(window_ms), span(offset_ms)),
    };
    let mut lines = vec![String::new(), format!("behind {name}: {} {what}{s} {whose}{within}", grouped(counted.events))];
    let more = counted.events.saturating_sub(counted.newest.len() as u64);
    if more > 0 {
        lines.push(format!("  {} more before these", grouped(more)));
    }
    // What all have is said once, and each line has what tells it from the others.
    let common: Vec<&Field> = match counted.newest.split_first() {
        Some((first, rest)) if !rest.is_empty() => {
            first.data.0.iter().filter(|field| rest.iter().all(|other| other.data.0.contains(field))).collect()
        }
        _ => Vec::new(),
    };
    if !common.is_empty() {
        lines.push(format!("  all with {}", fields(common.iter().copied())));
    }
    lines.extend(counted.newest.iter().map(|shown| format!("  {}", event(shown, &common))));
    if !counted.track.is_empty() {
        lines.push("  where they were, in metres from the first of these".to_owned());
        lines.extend(counted.track.iter().map(fix));
    }
    let read: Vec<&Reading> = counted.messages.iter().filter(|message| is_worth_telling(message) && Some(*message) != own).collect();
    if !read.is_empty() {
        lines.push("  how the messages among them were read".to_owned());
        lines.extend(read.into_iter().flat_map(|message| reading(message, "    ")));
    }
    lines
}

/// A window: `10 min`, `1 h`, `1 h 30 min`, `7 d`.
fn span(ms: i64) -> String {
    let text = seconds(Some(ms / 1_000));
    let whole = [" 00 min", " 0 h"].into_iter().find_map(|rest| text.strip_suffix(rest));
    whole.unwrap_or(&text).to_owned()
}

fn fix(fix: &Fix) -> String {
    let Fix { at, east_m, north_m, moved_m, after_s } = fix;
    #[expect(clippy::cast_precision_loss, reason = "metres on the Earth")]
    let speed = if *after_s > 0.0 { format!(", {} m/s", number(*moved_m as f64 / after_s)) } else { String::new() };
    format!("    {at}  {east_m} m east, {north_m} m north; {moved_m} m in {} s{speed}", number(*after_s))
}

fn is_worth_telling(message: &Reading) -> bool {
    message.verdict.is_some() || !message.candidates.is_empty()
}

/// A message as the chat detector reads it: what was found is masked, and nothing else of it is shown.
fn reading(message: &Reading, indent: &str) -> Vec<String> {
    let mut lines = Vec::new();
    match &message.verdict {
        Some(verdict) => {
            let mut line = format!("{indent}the message holds {} ({}): {}", verdict.kind.name(), verdict.direction, verdict.evidence);
            write!(line, ", strength {:.2}", verdict.strength).expect("a String takes all");
            if !verdict.tricks.is_empty() {
                write!(line, ", hidden by {}", verdict.tricks).expect("a String takes all");
            }
            if verdict.messages > 1 {
                write!(line, ", in pieces over {} messages", verdict.messages).expect("a String takes all");
            }
            lines.push(line);
        }
        None => lines.push(format!("{indent}in the message no contact is found")),
    }
    for candidate in &message.candidates {
        let tests: Vec<String> =
            candidate.tests.iter().map(|test| format!("{}{}", if test.passed { "" } else { "not " }, test.why)).collect();
        lines.push(format!("{indent}  {} {}: {}", candidate.kind.name(), candidate.masked, tests.join("; ")));
    }
    lines
}

fn neighbours(all: &[Neighbour]) -> Vec<String> {
    if all.is_empty() {
        return vec!["no other alert about the same within a day".to_owned()];
    }
    let mut lines = vec!["other alerts about the same within a day".to_owned()];
    let width = all.iter().map(|other| other.rule.chars().count()).max().unwrap_or(0);
    lines.extend(all.iter().map(|other| {
        let severity = format!("{:?}", other.severity).to_uppercase();
        format!("  {}  {severity}  {:width$}  {}", other.opened_at, other.rule, other.explanation)
    }));
    lines
}

fn of_replay(replayed: &Replayed) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(match (replayed.opened, replayed.same) {
        (false, _) => "replayed: it does not open again from this past alone".to_owned(),
        (true, None) => "replayed: it opens again; none is kept to hold it against".to_owned(),
        (true, Some(true)) => "replayed: it opens again, byte for byte as it is kept".to_owned(),
        (true, Some(false)) => "replayed: it opens again, and is not the one that is kept:".to_owned(),
    });
    lines.extend(replayed.differs.iter().map(|(name, kept, now)| format!("  {name}: kept {}, now {}", plain(kept), plain(now))));
    lines
}
