//! Alerts: immutable, and nothing raw in them. This is the one place where values leave the engine.

use rasid_compiler::ruleset::{Advice, Format, Mode, Piece, Program, Receiver, Rule, Severity, Shown, Trigger};
use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::field::{FieldPath, Privacy};
use rasid_detectors::event::time::format_rfc3339;
use rasid_detectors::value::Value;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::batch::Row;
use crate::condition::RowScope;
use crate::pseudonym::{Pseudonymizer, alert_id};
use crate::scatter::{Named, named};

/// What an absent value looks like in an explanation.
const ABSENT: &str = "–";

/// One alert, as every receiver gets it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Alert {
    /// A function of rule, entity and opening event; of an alert that a timer opens, of the due time too.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// Hash of the ruleset in force.
    pub ruleset: String,
    /// Version of the engine.
    pub engine: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it is delivered: `shadow` too while something that the rule reads is younger than its window.
    pub mode: Mode,
    /// The rule's title.
    pub title: String,
    /// Whom it is about, `kind:id`.
    pub entity: String,
    /// Event clock of the opening event, RFC 3339; of an alert that a timer opens, the due time.
    pub opened_at: String,
    /// The opening event came later than the allowed lateness.
    pub late: bool,
    /// The opening event; of an alert that a timer opens, the one that armed it.
    pub event: EventRef,
    /// Its place in the log; of an alert that a timer opens, that of the record that passed the due time.
    pub position: u64,
    /// What the condition saw.
    pub values: Values,
    /// The rule's explanation, filled in.
    pub explanation: String,
    /// The share of doubt that it casts on the entity, 0 to 100.
    pub risk: u8,
    /// Hits since the alert before that were only counted.
    pub suppressed_before: u64,
    /// What the marketplace should do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<Advice>,
    /// The last instant at which that stands, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice_until: Option<String>,
    /// The other entities of the event.
    pub related: Vec<String>,
    /// The page that says what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// Who is told; nobody of an alert in shadow. No part of what the alert says.
    #[serde(skip)]
    pub deliver: Vec<Receiver>,
}

impl Alert {
    /// Says that it is the only one of its hour that people are told of.
    pub(crate) fn say_braked(&mut self, alerts: u64, events: u64) {
        let note = format!(
            " (this rule is braked: {alerts} alerts at {events} events in the hour before, so that people are told of one an hour)"
        );
        self.explanation.push_str(&note);
    }
}

/// The JSON Schema of an alert (draft 2020-12).
pub fn alert_schema() -> serde_json::Value {
    let mut schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Alert>();
    schema.insert("title".to_owned(), "Rasid alert".into());
    schema.to_value()
}

/// An event by its identity, as it may leave.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct EventRef {
    /// The producing service.
    pub source: String,
    /// Unique within it.
    pub id: String,
}

/// Named values in the rule's order.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
#[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
pub struct Values(pub Vec<(String, serde_json::Value)>);

impl Values {
    /// What a program shows at one event, as it may leave; null where there is no value.
    pub(crate) fn of(program: &Program, scope: &RowScope<'_, '_>, pseudonymizer: &Pseudonymizer) -> Self {
        let value = |shown: &Shown| match shown.value.eval(scope) {
            Ok(value) => leave(&value.value(), shown.privacy, pseudonymizer),
            Err(_) => serde_json::Value::Null,
        };
        Self(program.shown.iter().map(|shown| (shown.name.clone(), value(shown))).collect())
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The entity that a rule's alert at this event is about, as it leaves: `kind:id`. `None` where the event names none.
pub(crate) fn entity_of(row: &Row<'_>, trigger: &Trigger, pseudonymizer: &Pseudonymizer) -> Option<String> {
    let kind = trigger.entity.kind;
    Some(match named(&row.event, trigger.entity)? {
        Named::Raw(raw) => format!("{}:{}", kind.name(), pseudonymizer.leave(kind, &raw)),
        Named::StandIn(stand_in) => format!("{}:{}", kind.name(), stand_in.shown(kind)),
    })
}

/// The same under the name of before, where there is one that readers may still look for.
pub(crate) fn former_entity_of(row: &Row<'_>, trigger: &Trigger, pseudonymizer: &Pseudonymizer) -> Option<String> {
    let Named::Raw(raw) = named(&row.event, trigger.entity)? else { return None };
    Some(format!("{}:{}", trigger.entity.kind.name(), pseudonymizer.leave_formerly(trigger.entity.kind, &raw)?))
}

/// What opening an alert takes.
pub(crate) struct Opening<'r, 'a> {
    pub(crate) row: &'r Row<'a>,
    pub(crate) late: bool,
    /// Whether a timer opens it.
    pub(crate) due: bool,
    pub(crate) position: u64,
    pub(crate) rule: &'r Rule,
    /// The rule's mode at this event.
    pub(crate) mode: Mode,
    pub(crate) trigger: &'r Trigger,
    pub(crate) program: &'r Program,
    pub(crate) scope: RowScope<'r, 'a>,
    pub(crate) entity: String,
    pub(crate) suppressed_before: u64,
}

impl Alert {
    pub(crate) fn open(opening: Opening<'_, '_>, ruleset: &str, pseudonymizer: &Pseudonymizer) -> Self {
        let Opening { row, late, due, position, rule, mode, trigger, program, scope, entity, suppressed_before } = opening;
        let left = |id: &str| pseudonymizer.leave_id(id).into_owned();
        let event = EventRef { source: left(&row.event.source), id: left(&row.event.id) };
        let values = Values::of(program, &scope, pseudonymizer);
        let explanation = program
            .explain
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Value(index, format) => match values.0.get(*index) {
                    Some((_, serde_json::Value::Null)) | None => ABSENT.to_owned(),
                    Some((_, serde_json::Value::String(text))) => text.clone(),
                    Some((_, value)) => {
                        let plain = || value.to_string().trim_end_matches(".0").to_owned(); // 65104 m, not 65104.0 m
                        format.write(value, currency_of(row, format)).unwrap_or_else(plain)
                    }
                },
            })
            .collect();
        Self {
            id: if due {
                // Apart from what the event itself opened, and from other waits that it began.
                alert_id(&rule.id, &entity, &event.source, &format!("{} due {}", event.id, row.at_ms))
            } else {
                alert_id(&rule.id, &entity, &event.source, &event.id)
            },
            rule: rule.id.clone(),
            ruleset: ruleset.to_owned(),
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            severity: program.weight.severity,
            mode,
            title: rule.title.clone(),
            related: related(row, trigger.entity.path, pseudonymizer),
            entity,
            opened_at: format_rfc3339(row.at_ms),
            late,
            event,
            position,
            values,
            explanation,
            risk: program.weight.risk,
            suppressed_before,
            advice: program.weight.advice,
            advice_until: program.weight.advice.map(|_| format_rfc3339(row.at_ms.saturating_add(rule.advice_for_ms))),
            runbook: rule.runbook.clone(),
            deliver: if mode == Mode::Active { program.weight.deliver.clone() } else { Vec::new() },
        }
    }
}

/// The currency that an amount of the event is in.
fn currency_of<'r>(row: &'r Row<'_>, format: &Format) -> Option<&'r str> {
    let Format::Money(path) = format else { return None };
    match row.event.data.get(*path) {
        Value::Str(code) => Some(code),
        _ => None,
    }
}

/// The entities that the event's other fields name, each once, in the order of the fields.
fn related(row: &Row<'_>, own: Option<FieldPath>, pseudonymizer: &Pseudonymizer) -> Vec<String> {
    let mut related: Vec<String> = Vec::new();
    for (index, field) in (0_u8..).zip(row.event.data.event_type().fields()) {
        let path = FieldPath { field: index, child: None };
        let Some(kind) = field.entities.first() else { continue };
        let name = match row.event.data.get(path) {
            Value::Str(raw) => format!("{}:{}", kind.name(), pseudonymizer.leave(*kind, raw)),
            Value::StandIn(stand_in) => format!("{}:{}", kind.name(), stand_in.shown(*kind)),
            _ => continue,
        };
        if own != Some(path) && *kind != EntityKind::Region && !related.contains(&name) {
            related.push(name);
        }
    }
    related
}

/// A value as it may leave.
pub(crate) fn leave(value: &Value<'_>, privacy: Privacy, pseudonymizer: &Pseudonymizer) -> serde_json::Value {
    match (privacy, value) {
        (_, Value::Absent) => serde_json::Value::Null,
        (Privacy::Pseudonym(kind) | Privacy::Opaque(kind), Value::Str(raw)) => pseudonymizer.leave(kind, raw).into(),
        (Privacy::Pseudonym(kind) | Privacy::Opaque(kind), Value::StandIn(stand_in)) => stand_in.shown(kind).into(),
        (Privacy::Clear, Value::StandIn(stand_in)) => (*stand_in.pseudonym).into(),
        (Privacy::Hidden | Privacy::Pseudonym(_), _) | (_, Value::Object) => "[hidden]".into(),
        (Privacy::Clear | Privacy::Opaque(_), Value::Bool(truth)) => (*truth).into(),
        (Privacy::Clear | Privacy::Opaque(_), Value::Int(number)) => (*number).into(),
        (Privacy::Clear | Privacy::Opaque(_), Value::Double(number)) => (*number).into(),
        (Privacy::Clear, Value::Str(text)) => pseudonymizer.leave_id(text).into(),
        (Privacy::Clear | Privacy::Opaque(_), Value::Time(instant)) => format_rfc3339(*instant).into(),
        (Privacy::Clear | Privacy::Opaque(_), Value::Duration(millis)) => seconds(*millis).into(),
    }
}

/// A duration as CEL writes it: `90s`, `0.5s`.
fn seconds(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let (whole, rest) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
    if rest == 0 { format!("{sign}{whole}s") } else { format!("{sign}{whole}.{}s", format!("{rest:03}").trim_end_matches('0')) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_personal_leaves_as_a_pseudonym_or_not_at_all() {
        let pseudonymizer = Pseudonymizer::new(b"0123456789abcdef", 1).expect("long enough");
        let shown = |value, privacy| leave(&value, privacy, &pseudonymizer).to_string();
        assert!(shown(Value::Str("+201000000042"), Privacy::Pseudonym(EntityKind::Phone)).starts_with("\"p1_"));
        assert_eq!(shown(Value::Str("call me"), Privacy::Hidden), "\"[hidden]\"");
        assert_eq!(shown(Value::Int(6), Privacy::Clear), "6");
        let user = Privacy::Opaque(EntityKind::User);
        assert_eq!(shown(Value::Str("u_42"), user), "\"u_42\"");
        let name = format!("\"{}\"", pseudonymizer.leave(EntityKind::User, "01000000042"));
        assert_eq!(shown(Value::Str("01000000042"), user), name);
        assert!(name.starts_with("\"p1_") && shown(Value::Str("a@b.eg"), Privacy::Clear).starts_with("\"p1_"));
        assert_eq!(shown(Value::Str("login"), Privacy::Clear), "\"login\"");
    }

    #[test]
    fn durations_are_written_as_cel_writes_them() {
        for (millis, text) in [(0, "0s"), (90_000, "90s"), (500, "0.5s"), (-1_250, "-1.25s"), (100_000, "100s"), (1_005, "1.005s")] {
            assert_eq!(seconds(millis), text);
        }
    }
}
