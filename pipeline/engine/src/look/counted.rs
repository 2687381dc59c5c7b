//! What stood behind a value: the events that feed one binding under one key.

use std::collections::VecDeque;

use rasid_compiler::ruleset::{EntityField, KeyPart, Program, Trigger};
use rasid_detectors::event::EventType;
use rasid_detectors::event::field;
use rasid_detectors::event::position::Position;
use rasid_detectors::operator::Form;
use rasid_detectors::reading::{Params, Reading, explain};
use serde::Serialize;

use super::shown::{self, EventShown, Fix, track};
use super::{Around, called};
use crate::batch::{At, Row};
use crate::plan::Stage;
use crate::scatter::{Item, key_of};

/// Events of one binding that are shown: the newest.
pub const SHOWN_MAX: usize = 20;

/// The events behind one binding's value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Counted {
    /// What the rule calls the binding; `None` where its value may not be shown.
    pub name: Option<String>,
    /// Its operator.
    pub operator: &'static str,
    /// How far back it looks, ms; `None` for what keeps its own time.
    pub window_ms: Option<i64>,
    /// How much of that, from the moment back, is left out, ms.
    pub offset_ms: i64,
    /// Under which key it is read: kinds of entity and fields; nothing where it is one for the whole stream.
    pub by: Vec<String>,
    /// Whether it is fed by what a detector fired, and not by events as such.
    pub of_firings: bool,
    /// How many events feed it there that its window has.
    pub events: u64,
    /// The newest of them, in the order of the log.
    pub newest: Vec<EventShown>,
    /// Where they happened, in metres from the first of them, of a detector that looks at places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub track: Vec<Fix>,
    /// How the chat messages among them were read, of a detector that reads such.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Reading>,
}

/// An event that is shown, with what does not leave.
struct Kept {
    event: EventShown,
    at_ms: i64,
    place: Option<Position>,
    text: Option<String>,
}

/// Whose state is read.
#[derive(Clone, Copy)]
enum Whose {
    /// That of all.
    All,
    /// That of one key.
    Key(u64),
    /// Nobody's: the event names none, or events of its type never have a value.
    Nobody,
}

/// One binding under one key.
pub(super) struct Watched {
    /// By its number.
    binding: usize,
    whose: Whose,
    /// Events count that are newer than this, Unix ms.
    after_ms: i64,
    /// And no newer than this.
    until_ms: i64,
    counted: Counted,
    newest: VecDeque<Kept>,
    looks_at_places: bool,
    /// The parameters of a detector that reads messages.
    reads_messages: Option<Params>,
}

impl Watched {
    /// What a trigger reads at that place, as of a row.
    pub(super) fn new(read: usize, trigger: &Trigger, program: &Program, row: &Row<'_>, around: Around<'_>) -> Self {
        let number = super::binding_of(trigger, read);
        let binding = &around.plan.ruleset.bindings[number];
        let spec = binding.operator.spec();
        let parts = trigger.reads[read].key.as_deref();
        let whose = match parts.and_then(|parts| key_of(&row.event, parts, around.hasher)) {
            Some(_) if spec.form.is_of_all() => Whose::All,
            Some(key) => Whose::Key(key),
            None => Whose::Nobody,
        };
        let offset_ms = binding.operator.offset_ms();
        let window_ms = (binding.window_ms > 0).then_some(binding.window_ms);
        let counted = Counted {
            name: called(program, read).map(str::to_owned),
            operator: spec.name,
            window_ms,
            offset_ms,
            by: parts.unwrap_or_default().iter().map(|part| word(*part, trigger.event)).collect(),
            of_firings: binding.feeds.iter().any(|feed| feed.firings_of.is_some()),
            events: 0,
            newest: Vec::new(),
            track: Vec::new(),
            messages: Vec::new(),
        };
        Self {
            binding: number,
            whose,
            // What a wait that is over was begun by lies just a window back.
            after_ms: window_ms.map_or(i64::MIN, |window_ms| row.at_ms.saturating_sub(window_ms + i64::from(spec.form == Form::Timer))),
            until_ms: row.at_ms.saturating_sub(offset_ms),
            counted,
            newest: VecDeque::new(),
            looks_at_places: spec.reads().iter().any(|name| shown::is_place(spec.inputs(), name)),
            reads_messages: shown::reads_messages(binding),
        }
    }

    pub(super) fn is_of(&self, item: &Item) -> bool {
        let is_its = match self.whose {
            Whose::All => true,
            Whose::Key(key) => key == item.key,
            Whose::Nobody => false,
        };
        is_its && usize::from(item.binding) == self.binding
    }

    /// Takes down one that feeds it.
    pub(super) fn take(&mut self, item: &Item, stage: Stage, At { row, .. }: At<'_, '_>, position: u64, around: Around<'_>) {
        if row.at_ms <= self.after_ms || row.at_ms > self.until_ms {
            return;
        }
        self.counted.events += 1;
        if self.newest.len() == SHOWN_MAX {
            self.newest.pop_front();
        }
        let plan = around.plan.of(row.event.data.event_type());
        let feed = plan.stage(stage).get(usize::from(item.step)).and_then(|step| step.feed);
        let feed = feed.map(|feed| &around.plan.ruleset.bindings[self.binding].feeds[feed]);
        let mut event = EventShown::of(&row.event, position, around.pseudonymizer);
        if let (Some(feed), Some(fed)) = (feed, item.fed) {
            event.only_below = feed.sides.below && !(feed.sides.above && fed.holds());
            let steps = feed.steps.iter().filter(|step| fed.steps() & 1 << step.number != 0);
            event.steps = steps.map(|step| step.number + 1).collect();
        }
        let text = if self.reads_messages.is_some() { shown::text(&row.event).map(str::to_owned) } else { None };
        let place = if self.looks_at_places { row.event.data.place().filter(|place| place.is_place()) } else { None };
        self.newest.push_back(Kept { event, at_ms: row.at_ms, place, text });
    }

    pub(super) fn finish(self) -> Counted {
        let Self { mut counted, newest, reads_messages, .. } = self;
        let places: Vec<(i64, Position)> = newest.iter().filter_map(|kept| Some((kept.at_ms, kept.place?))).collect();
        counted.track = track(&places);
        if let Some(params) = reads_messages {
            let texts: Vec<&str> = newest.iter().filter_map(|kept| kept.text.as_deref()).collect();
            counted.messages = explain(&params, &texts);
        }
        counted.newest = newest.into_iter().map(|kept| kept.event).collect();
        counted
    }
}

/// A part of a key as rules write it.
fn word(part: KeyPart, event: EventType) -> String {
    let name = |path| field::at(event.fields(), path).map_or("", |spec| spec.name);
    match part {
        KeyPart::Entity(EntityField { kind, path: None }) => kind.name().to_owned(),
        KeyPart::Entity(EntityField { kind, path: Some(path) }) => {
            let field = name(path);
            if field == kind.name() || field.strip_suffix("_id") == Some(kind.name()) {
                kind.name().to_owned()
            } else {
                format!("{}({field})", kind.name())
            }
        }
        KeyPart::Value(path) => format!("data.{}", name(path)),
    }
}
