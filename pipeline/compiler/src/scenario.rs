//! `tests`: events at times, and the alerts that the rule must open.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::envelope::{self, Limits};
use rasid_detectors::event::field::{self, FieldSpec, FieldType};
use rasid_detectors::event::{EventType, time};
use serde_json::Value;

use crate::diagnostic::{Code, Fault, listed, suggest};
use crate::program::ADVICE_OR_NONE;
use crate::reader::{self, MapReader};
use crate::ruleset::{ExpectedAlert, Scenario, ScenarioEvent};
use crate::severity;
use crate::yaml::{Key, Node, NodeValue};

/// The last instant of a test: one year after its beginning.
const TIME_MS_MAX: i64 = 365 * 86_400_000;
/// Most events of one test, and of one file's tests together; every one is kept in memory.
const EVENTS_MAX: usize = 10_000;
const EVENTS_OF_FILE_MAX: usize = 100_000;
/// What a repeated event's number is written as, inside its text.
const NUMBER: &str = "{n}";
/// When a test is taken to begin while its events are checked: 2026-01-01.
const START_MS: i64 = 1_767_225_600_000;

/// The rule that the tests are of.
pub(crate) struct Subject<'a> {
    pub(crate) on: &'a [EventType],
    pub(crate) entity: Option<EntityKind>,
    /// The fields outside the vocabulary that it reads.
    pub(crate) unknowns: &'a BTreeSet<String>,
    /// What it waits for: the events that begin a wait, and how long that is, ms; `None` where the event says from when.
    pub(crate) waits: &'a [(EventType, Option<i64>)],
    /// Whether that is all of it: a binding with a fault might wait too.
    pub(crate) is_whole: bool,
}

impl ScenarioEvent {
    /// The event as a record of the log, of a test that begins at `start_ms`, ms since the Unix epoch. `number` makes
    /// its id. The gateway receives it when it happens; its own clock is apart where the test says so.
    pub fn record(&self, start_ms: i64, number: usize) -> String {
        let instant = |millis| time::format_rfc3339(start_ms.saturating_add(millis));
        // `type` stands before `data`, so that the record is read in one pass.
        format!(
            r#"{{"specversion":"1.0","id":"test-{number}","source":"/test","type":"{}","time":"{}","receivedtime":"{}","data":{}}}"#,
            self.event.name(),
            instant(self.time_ms.unwrap_or(self.at_ms)),
            instant(self.at_ms),
            self.data
        )
    }
}

/// Reads a rule's `tests`.
pub(crate) fn lower(node: &Node, subject: &Subject<'_>, faults: &mut Vec<Fault>) -> Vec<Scenario> {
    let NodeValue::Seq(items) = &node.value else {
        faults.push(reader::wrong(node, "`tests`", "a list of tests").help("- {name: …, events: […], alerts: […]}"));
        return Vec::new();
    };
    let mut tests: Vec<Scenario> = Vec::new();
    let mut left = EVENTS_OF_FILE_MAX;
    for item in items {
        let Some(mut map) = MapReader::new(item, "a test", faults) else { continue };
        let name = map.required("name", faults).and_then(|node| Some((node, reader::text(node, "`name`", faults)?)));
        let events = map.required("events", faults).map(|node| events(node, subject, &mut left, faults));
        let alerts = map.required("alerts", faults).and_then(|node| alerts(node, subject, faults));
        let score = map.optional("score").map_or(Some(0), |node| reader::whole(node, "`score`", 0..=100, faults));
        map.finish(faults);
        let score = score.and_then(|score| u8::try_from(score).ok()).unwrap_or_default();
        let (Some((node, name)), Some(events), Some(alerts)) = (name, events, alerts) else { continue };
        if let Some(events) = &events {
            for alert in &alerts {
                reachable(alert, events, subject, faults);
            }
        }
        if let Some(first) = tests.iter().find(|test| test.name == name) {
            let fault = Fault::new(Code::DuplicateKey, node.span.clone(), format!("two tests are called `{name}`"));
            faults.push(fault.also(first.span.clone(), "first here").help("say in its name what this one shows"));
        }
        tests.push(Scenario { name: name.to_owned(), span: node.span.clone(), events: events.unwrap_or_default(), alerts, score });
    }
    tests
}

/// An alert opens at an event that the rule watches, or when a wait is over that one began.
fn reachable(alert: &ExpectedAlert, events: &[ScenarioEvent], subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    let mut then = events.iter().filter(|event| event.at_ms == alert.at_ms).peekable();
    let none = then.peek().is_none();
    // What an event is made up of comes with it.
    let is = |event: &ScenarioEvent, of: EventType| event.event == of || of.whole() == Some(event.event);
    let is_over = |(begun_by, wait_ms): &(EventType, Option<i64>)| {
        let is_then =
            |event: &ScenarioEvent| wait_ms.map_or(event.at_ms < alert.at_ms, |wait_ms| event.at_ms.saturating_add(wait_ms) == alert.at_ms);
        events.iter().any(|event| is(event, *begun_by) && is_then(event))
    };
    let is_watched = |event: &ScenarioEvent| subject.on.iter().any(|of| is(event, *of));
    if subject.on.is_empty() || !subject.is_whole || then.any(is_watched) || subject.waits.iter().any(is_over) {
        return;
    }
    let message = if none { "an alert at a time at which nothing happens" } else { "an alert at an event that the rule does not watch" };
    let mut help =
        "an alert opens at the event that brings it about; `at` is that event's, with `every` that of the repetition that does".to_owned();
    if !subject.waits.is_empty() {
        help.push_str("; of a wait that is over, the time of the event that began it and the window");
    }
    faults.push(Fault::new(Code::BadAlert, alert.span.clone(), message).help(help));
}

/// A test's events, every repetition written out; `None` where one has a fault.
fn events(node: &Node, subject: &Subject<'_>, left: &mut usize, faults: &mut Vec<Fault>) -> Option<Vec<ScenarioEvent>> {
    let NodeValue::Seq(items) = &node.value else {
        faults.push(reader::wrong(node, "`events`", "a list of events"));
        return None;
    };
    if items.is_empty() {
        faults.push(Fault::new(Code::WrongType, node.span.clone(), "`events` is an empty list").help("name at least one"));
        return None;
    }
    let mut events = Vec::new();
    let mut good = true;
    for item in items {
        let room = (EVENTS_MAX - events.len()).min(*left);
        match (Reading { subject, room, faults }).event(item) {
            Some(repeated) => {
                *left -= repeated.len();
                events.extend(repeated);
            }
            None => good = false,
        }
    }
    good.then_some(events)
}

fn alerts(node: &Node, subject: &Subject<'_>, faults: &mut Vec<Fault>) -> Option<Vec<ExpectedAlert>> {
    let NodeValue::Seq(items) = &node.value else {
        faults.push(reader::wrong(node, "`alerts`", "a list of alerts").help("[{at: 100s, entity: phone}], or [] for none"));
        return None;
    };
    let before = faults.len();
    let mut alerts = Vec::new();
    for item in items {
        let Some(mut map) = MapReader::new(item, "an alert", faults) else { continue };
        let at = map.required("at", faults).and_then(|node| reader::duration(node, "`at`", 0..=TIME_MS_MAX, faults));
        let entity = map.required("entity", faults).and_then(|node| entity(node, subject, faults));
        let severity = map.optional("severity").and_then(|node| severity::read(node, faults));
        let risk = map.optional("risk").and_then(|node| reader::whole(node, "`risk`", 0..=100, faults));
        let advice = map.optional("advice").and_then(|node| reader::word(node, "`advice`", &ADVICE_OR_NONE, faults));
        map.finish(faults);
        if let (Some(at_ms), Some(entity)) = (at, entity) {
            let risk = risk.and_then(|risk| u8::try_from(risk).ok());
            alerts.push(ExpectedAlert { at_ms, entity, severity, risk, advice, span: item.span.clone() });
        }
    }
    (faults.len() == before).then_some(alerts)
}

/// `kind`, or `kind:id`.
fn entity(node: &Node, subject: &Subject<'_>, faults: &mut Vec<Fault>) -> Option<String> {
    let text = reader::text(node, "`entity`", faults)?;
    let (name, id) = text.split_once(':').map_or((text, None), |(name, id)| (name, Some(id)));
    let Some(kind) = EntityKind::from_name(name) else {
        let fault = Fault::new(Code::UnknownKind, node.span.clone(), format!("there is no kind of entity `{name}`"));
        faults.push(fault.help(suggest(name, EntityKind::ALL.map(EntityKind::name))));
        return None;
    };
    if let Some(own) = subject.entity.filter(|own| *own != kind) {
        let fault = Fault::new(Code::BadAlert, node.span.clone(), format!("the rule's alerts are never about the kind `{name}`"));
        faults.push(fault.help(format!("write {0}, or {0}:id", own.name())));
        return None;
    }
    if id.is_some_and(|id| id.trim().is_empty()) {
        let fault = Fault::new(Code::BadAlert, node.span.clone(), format!("`{text}` names nobody"));
        faults.push(fault.help(format!("write {name}, or {name}:id")));
        return None;
    }
    Some(text.to_owned())
}

struct Reading<'a> {
    subject: &'a Subject<'a>,
    /// How many more events there may be.
    room: usize,
    faults: &'a mut Vec<Fault>,
}

impl Reading<'_> {
    fn fault<T>(&mut self, fault: Fault) -> Option<T> {
        self.faults.push(fault);
        None
    }

    /// One item of `events`, written out.
    fn event(&mut self, item: &Node) -> Option<Vec<ScenarioEvent>> {
        let mut map = MapReader::new(item, "an event", self.faults)?;
        let at = map.required("at", self.faults).and_then(|node| reader::duration(node, "`at`", 0..=TIME_MS_MAX, self.faults));
        let (every, times) = (map.optional("every"), map.optional("times"));
        let event = map.required("type", self.faults).and_then(|node| self.event_type(node));
        let data = map.required("data", self.faults);
        let offset = map.optional("time").map_or(Some(None), |node| self.offset(node).map(Some));
        let place = map.span();
        map.finish(self.faults);

        let repeated = self.repeated(every, times);
        let (at, event, data, offset, (every, times)) = (at?, event?, data?, offset?, repeated?);
        if i64::try_from(times - 1).ok().and_then(|last| last.checked_mul(every)?.checked_add(at)).is_none_or(|last| last > TIME_MS_MAX) {
            let fault = Fault::new(Code::OutOfRange, place, "the last repetition is later than 365d after the beginning");
            return self.fault(fault.help("repeat it less often, or faster"));
        }
        let NodeValue::Map(entries) = &data.value else {
            let fault = reader::wrong(data, "`data`", "a map of fields and values");
            return self.fault(fault);
        };
        self.known(entries, event.fields(), event, "")?;
        let template: Arc<str> = data.to_json().to_string().into();
        let numbered = template.contains(NUMBER);
        let mut events = Vec::with_capacity(times);
        for number in 0..times {
            let at_ms = at + every * i64::try_from(number).ok()?;
            let data_here = if numbered { template.replace(NUMBER, &number.to_string()).into() } else { Arc::clone(&template) };
            let time_ms = offset.map(|offset| at_ms + offset);
            let made = ScenarioEvent { at_ms, time_ms, event, data: data_here, span: item.span.clone() };
            if number == 0 || numbered {
                self.accepted(&made, number, data, &place)?;
            }
            events.push(made);
        }
        Some(events)
    }

    fn event_type(&mut self, node: &Node) -> Option<EventType> {
        let name = reader::text(node, "`type`", self.faults)?;
        let event = EventType::from_name(name);
        if event.is_none() {
            let fault = Fault::new(Code::UnknownEventType, node.span.clone(), format!("there is no event type `{name}`"));
            return self.fault(fault.help(suggest(name, EventType::ALL.iter().map(|event| event.name()))));
        }
        if let Some(whole) = event.and_then(EventType::whole) {
            let message = format!("`{name}` comes with a {} and never by itself", whole.name());
            return self
                .fault(Fault::new(Code::UnknownEventType, node.span.clone(), message).help(format!("write type: {}", whole.name())));
        }
        event
    }

    /// How far the device's clock is off, which may be backwards.
    fn offset(&mut self, node: &Node) -> Option<i64> {
        let text = if let NodeValue::Str(text) = &node.value { text.as_str() } else { "" };
        let (sign, span) = text.strip_prefix('-').map_or((1, text), |span| (-1, span));
        if let Some(millis) = reader::parse_duration(span).filter(|millis| *millis <= TIME_MS_MAX) {
            return Some(sign * millis);
        }
        let shown = if text.is_empty() { node.kind().to_owned() } else { format!("`{text}`") };
        let fault = Fault::new(Code::BadDuration, node.span.clone(), format!("`time` is {shown}, expected a span of time of 365d at most"));
        self.fault(fault.help("how far the device's clock is off: -1h is an hour slow, 5s five seconds fast"))
    }

    /// The step, ms, and the number of repetitions.
    fn repeated(&mut self, every: Option<&Node>, times: Option<&Node>) -> Option<(i64, usize)> {
        let step = every.map(|node| reader::duration(node, "`every`", 0..=TIME_MS_MAX, self.faults));
        let most = i64::try_from(EVENTS_MAX).unwrap_or(i64::MAX);
        let count = times.map(|node| reader::whole(node, "`times`", 1..=most, self.faults));
        if let (Some(alone), None) | (None, Some(alone)) = (every, times) {
            let (there, missing) = if every.is_some() { ("every", "times: 6") } else { ("times", "every: 20s") };
            let fault = Fault::new(Code::MissingKey, alone.span.clone(), format!("`{there}` without its other half"));
            return self.fault(fault.help(format!("add `{missing}`: `every` says how often, `times` how many")));
        }
        let step = step.unwrap_or(Some(0))?;
        let count = usize::try_from(count.unwrap_or(Some(1))?).ok()?;
        if count > self.room {
            let span = times.map_or(0..0, |node| node.span.clone());
            let message = format!("more than {EVENTS_MAX} events in a test, or {EVENTS_OF_FILE_MAX} in a file");
            return self.fault(Fault::new(Code::OutOfRange, span, message).help("show it with fewer events, under a lower parameter"));
        }
        Some((step, count))
    }

    /// Refuses fields that neither the type nor the rule knows: usually a slip of the pen, which the log would pass over.
    fn known(&mut self, entries: &[(Key, Node)], fields: &'static [FieldSpec], event: EventType, outer: &str) -> Option<()> {
        let before = self.faults.len();
        for (key, node) in entries {
            match fields.iter().find(|spec| spec.name == key.name) {
                Some(spec) if !spec.children.is_empty() => {
                    if let NodeValue::Map(inner) = &node.value {
                        let outer = format!("{outer}{}.", key.name);
                        // Its faults are counted with ours.
                        let _: Option<()> = self.known(inner, spec.children, event, &outer);
                    }
                }
                Some(_) => {}
                None if outer.is_empty() && self.subject.unknowns.contains(&key.name) => {}
                None => {
                    let message = format!("{} has no field `{outer}{}`", event.name(), key.name);
                    let names = fields.iter().map(|spec| spec.name);
                    let help = match suggest(&key.name, names.chain(self.subject.unknowns.iter().map(String::as_str))) {
                        meant if outer.is_empty() && !meant.starts_with("did") => {
                            format!("{meant}; a field outside the contract is one that the rule reads as data[\"{}\"]", key.name)
                        }
                        other => other,
                    };
                    self.faults.push(Fault::new(Code::UnknownField, key.span.clone(), message).help(help));
                }
            }
        }
        (self.faults.len() == before).then_some(())
    }

    /// Whether the log would take it; `number`: which repetition it is.
    fn accepted(&mut self, made: &ScenarioEvent, number: usize, data: &Node, place: &Range<usize>) -> Option<()> {
        let Err(fault) = envelope::check(named(made).record(START_MS, 0).as_bytes(), &Limits { own: true, ..Limits::default() }) else {
            return Some(());
        };
        let field = fault.field.unwrap_or_default();
        let node = field.strip_prefix("data.").and_then(|path| find(data, path));
        let span = node.map_or(place.clone(), |node| node.span.clone());
        let shown = if field.is_empty() { String::new() } else { format!("`{field}`: ") };
        let ty = field.strip_prefix("data.").and_then(|path| field::find(made.event.fields(), path)).map(|(_, spec)| spec.ty);
        let words = if let Some(FieldType::Enum(words)) = ty { Some(words) } else { None };
        let help = match (node.map(|node| &node.value), words) {
            (Some(value), _) if is_numbered(value) => numbered(number, ty),
            (Some(NodeValue::Str(word)), Some(words)) => suggest(word, words.iter().copied()),
            (Some(NodeValue::Int(_) | NodeValue::Float(_) | NodeValue::Bool(_)), _) if fault.reason.ends_with("a string") => {
                "put it in quotes".to_owned()
            }
            (Some(_), _) => "`rasid schema events` says what each type requires".to_owned(),
            (None, _) => {
                let known = made.event.fields().iter().filter(|spec| !spec.optional).map(|spec| spec.name);
                format!("{} requires {}", made.event.name(), listed(known))
            }
        };
        self.fault(Fault::new(Code::BadEvent, span, format!("not an event of {}: {shown}{}", made.event.name(), fault.reason)).help(help))
    }
}

/// Whether a repetition's number stands in it: in text, or in braces without quotes, which are a map in YAML.
fn is_numbered(value: &NodeValue) -> bool {
    match value {
        NodeValue::Str(text) => text.contains(NUMBER),
        NodeValue::Map(entries) => matches!(entries.as_slice(), [(key, Node { value: NodeValue::Null, .. })] if key.name == "n"),
        _ => false,
    }
}

/// What to do about a repetition's number where it makes no event.
fn numbered(number: usize, ty: Option<FieldType>) -> String {
    match ty {
        Some(FieldType::Int | FieldType::Double | FieldType::Bool) => {
            "`{n}` stands in text alone, and this is none: write one value for all repetitions, or an event for each value".to_owned()
        }
        _ => format!("`{{n}}` is {number} here, one of 0, 1, 2 and so on: in quotes, \"u_{{n}}\", and where each of them will do"),
    }
}

/// The event with a known word wherever it has `unknown`, which is what another word reads as: a test may ask what becomes of one.
fn named(made: &ScenarioEvent) -> ScenarioEvent {
    let mut made = made.clone();
    if !made.data.contains("\"unknown\"") {
        return made;
    }
    let Ok(mut data) = serde_json::from_str::<Value>(&made.data) else { return made };
    for spec in made.event.fields() {
        if let FieldType::Enum([word, ..]) = spec.ty
            && let Some(value) = data.get_mut(spec.name)
            && value == "unknown"
        {
            *value = (*word).into();
        }
    }
    made.data = data.to_string().into();
    made
}

/// The node at a path like `location.lat`, `points[2].lat`.
fn find<'a>(data: &'a Node, path: &str) -> Option<&'a Node> {
    let mut node = data;
    for step in path.split(['.', '[']) {
        node = match (&node.value, step.strip_suffix(']')) {
            (NodeValue::Seq(items), Some(index)) => items.get(index.parse::<usize>().ok()?)?,
            (NodeValue::Map(entries), _) => entries.iter().find(|(key, _)| key.name == step).map(|(_, node)| node)?,
            _ => return None,
        };
    }
    Some(node)
}
