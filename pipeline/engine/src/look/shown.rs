//! Events, places and messages as they may be shown: what is personal as a pseudonym, places in metres from each other, messages as the
//! chat detector reads them.

use rasid_compiler::ruleset::{Binding, Ruleset, Trigger};
use rasid_detectors::event::field::{self, FieldPath, FieldType, Privacy};
use rasid_detectors::event::position::Position;
use rasid_detectors::event::time::format_rfc3339;
use rasid_detectors::event::{Event, EventType};
use rasid_detectors::kernel::great_circle::{distance_m, offset_m};
use rasid_detectors::reading::{Params, Reading, explain};
use rasid_detectors::value::Value;
use serde::Serialize;

use crate::alert::{EventRef, Values, leave};
use crate::pseudonym::Pseudonymizer;

/// An event as it may be shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventShown {
    /// Its place in the log.
    pub position: u64,
    /// Its event clock, RFC 3339.
    pub at: String,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: &'static str,
    /// Its identity.
    pub event: EventRef,
    /// Its fields that may leave, as they leave, in the order of the contract. Free text and places are not among them.
    pub data: Values,
    /// Whether it only counts below the line of a ratio.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub only_below: bool,
    /// The steps of a sequence that it may be, from 1 on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<u8>,
}

impl EventShown {
    pub(super) fn of(event: &Event<'_>, position: u64, pseudonymizer: &Pseudonymizer) -> Self {
        let left = |id: &str| pseudonymizer.leave_id(id).into_owned();
        let mut data = Vec::new();
        for (index, spec) in (0_u8..).zip(event.data.event_type().fields()) {
            let children = (0_u8..).zip(spec.children).map(|(child, inner)| (Some(child), inner, format!("{}.{}", spec.name, inner.name)));
            for (child, spec, name) in std::iter::once((None, spec, spec.name.to_owned())).chain(children) {
                let value = event.data.get(FieldPath { field: index, child });
                if spec.privacy != Privacy::Hidden && !matches!(value, Value::Absent | Value::Object) {
                    data.push((name, leave(&value, spec.privacy, pseudonymizer)));
                }
            }
        }
        Self {
            position,
            at: format_rfc3339(event.clock()),
            event_type: event.data.event_type().name(),
            event: EventRef { source: left(&event.source), id: left(&event.id) },
            data: Values(data),
            only_below: false,
            steps: Vec::new(),
        }
    }
}

/// One place on a track, in metres from its first one: where that is, nothing says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fix {
    /// Event clock, RFC 3339.
    pub at: String,
    /// Metres east of the first fix, rounded.
    pub east_m: i64,
    /// Metres north of it.
    pub north_m: i64,
    /// Great-circle metres from the fix before.
    pub moved_m: i64,
    /// Seconds since that.
    pub after_s: f64,
}

/// A track of places with their clocks, Unix ms, in the order of the log; none of fewer than two.
#[expect(clippy::cast_possible_truncation, reason = "metres on the Earth")]
#[expect(clippy::cast_precision_loss, reason = "times of one era")]
pub(super) fn track(places: &[(i64, Position)]) -> Vec<Fix> {
    let Some(((_, first), _)) = places.split_first().filter(|(_, rest)| !rest.is_empty()) else { return Vec::new() };
    let befores = std::iter::once(None).chain(places.iter().map(Some));
    let fix = |((at_ms, place), before): (&(i64, Position), Option<&(i64, Position)>)| {
        let (east, north) = offset_m(*first, *place);
        let (moved, after_ms) = before.map_or((0.0, 0), |(then_ms, from)| (distance_m(*from, *place), at_ms.saturating_sub(*then_ms)));
        let metres = |metres: f64| libm::round(metres) as i64;
        Fix {
            at: format_rfc3339(*at_ms),
            east_m: metres(east),
            north_m: metres(north),
            moved_m: metres(moved),
            after_s: after_ms as f64 / 1_000.0,
        }
    };
    places.iter().zip(befores).map(fix).collect()
}

/// Whether a field of those types says where it happened.
pub(super) fn is_place(inputs: &[EventType], name: &str) -> bool {
    let is_hidden_number = |spec: &field::FieldSpec| spec.ty == FieldType::Double && spec.privacy == Privacy::Hidden;
    let of_type = |event: &EventType| {
        let spec = field::find(event.fields(), name).map(|(_, spec)| spec);
        spec.is_some_and(|spec| is_hidden_number(spec) || spec.children.iter().any(is_hidden_number))
    };
    inputs.iter().any(of_type)
}

/// What a chat message says.
pub(super) fn text<'e>(event: &'e Event<'_>) -> Option<&'e str> {
    let event_type = event.data.event_type();
    let index = event_type.fields().iter().position(is_free_text).filter(|_| event_type.name().starts_with("chat."))?;
    match event.data.get(FieldPath { field: u8::try_from(index).ok()?, child: None }) {
        Value::Str(text) => Some(text),
        _ => None,
    }
}

fn is_free_text(spec: &field::FieldSpec) -> bool {
    spec.ty == FieldType::String && spec.privacy == Privacy::Hidden
}

/// The parameters of a detector that reads chat messages; `None` of any other.
pub(super) fn reads_messages(binding: &Binding) -> Option<Params> {
    let spec = binding.operator.spec();
    let reads = |event: &EventType| event.fields().iter().any(|field| is_free_text(field) && spec.reads().contains(&field.name));
    if !spec.inputs().iter().any(|event| event.name().starts_with("chat.") && reads(event)) {
        return None;
    }
    // Its setup as text: the word, its name and its parameters as JSON.
    let setup = binding.operator.canonical();
    let params = setup.splitn(3, ' ').nth(2).and_then(|json| serde_json::from_str(json).ok());
    Some(params.unwrap_or_default())
}

/// How a message was read, by the parameters of a detector that the trigger reads, if there is one.
pub(super) fn reading(ruleset: &Ruleset, trigger: &Trigger, texts: &[&str]) -> Vec<Reading> {
    let bindings = ruleset.with_sources(trigger.reads.iter().map(|read| read.binding));
    let params = bindings.into_iter().find_map(|number| reads_messages(ruleset.bindings.get(number)?));
    explain(&params.unwrap_or_default(), texts)
}
