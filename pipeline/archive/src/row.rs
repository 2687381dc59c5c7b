//! An event as a row, and back.

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use rasid_detectors::event::columns::{Columns, ColumnsEvent, StandIn};
use rasid_detectors::event::field::FieldType;
use rasid_detectors::value::{OwnedValue, Value};
use rasid_engine::ColumnsRecord;

use crate::control::{Control, Said};
use crate::family::{Family, Field, log_place, place};
use crate::part::Rows;
use crate::table::Table;

/// Fills the newest row, whose position is there already.
pub(crate) fn put(table: &mut Table, family: &Family, record: &ColumnsRecord) {
    let ColumnsRecord { arrival_ms, event: ColumnsEvent { id, source, time_ms, received_ms, columns }, .. } = record;
    let event = columns.event_type();
    table.int(place::ARRIVAL, *arrival_ms);
    table.int(place::TIME, *time_ms);
    if let Some(received_ms) = received_ms {
        table.int(place::RECEIVED, *received_ms);
    }
    table.text(place::ID, id);
    table.text(place::SOURCE, source);
    table.text(place::TYPE, event.name());
    if let Some(region) = columns.region() {
        table.text(place::REGION, &format!("{region:x}"));
    }
    for field in family.fields.get(&event).into_iter().flatten() {
        match columns.get(field.path) {
            Value::Bool(value) => table.bool(field.value, value),
            Value::Int(value) | Value::Time(value) => table.int(field.value, value),
            Value::Double(value) => table.double(field.value, value),
            Value::Str(value) => table.text(field.value, value),
            Value::Object => table.bool(field.value, true),
            Value::StandIn(stand_in) => put_stand_in(table, field, stand_in),
            Value::Absent | Value::Duration(_) => {}
        }
    }
}

fn put_stand_in(table: &mut Table, field: &Field, stand_in: &StandIn) {
    table.text(field.value, &stand_in.pseudonym);
    for (kind, column) in &field.keys {
        if let Some(key) = stand_in.key(*kind) {
            table.int(*column, key.cast_signed());
        }
    }
    for (kind, column) in &field.shown {
        if let Some((_, shown)) = stand_in.clear.iter().find(|(other, _)| other == kind) {
            table.text(*column, shown);
        }
    }
}

/// The event of a row, without its fields where only its place in the log matters; `None` where its type is not in the vocabulary.
pub(crate) fn event(rows: &Rows, row: usize, family: &Family, with_fields: bool) -> Result<Option<ColumnsRecord>, String> {
    let required = |column: usize| rows.int(column, row).ok_or_else(|| lacks(row, column, family));
    let text = |column: usize| rows.text(column, row).ok_or_else(|| lacks(row, column, family));
    let Some(event) = EventType::produced(text(place::TYPE)?) else { return Ok(None) };
    let mut columns = Columns::new(event);
    if with_fields {
        if let Some(region) = rows.text(place::REGION, row) {
            let cell = u64::from_str_radix(region, 16).map_err(|_| format!("row {row}: `region` is no H3 cell"))?;
            columns = columns.with_region(cell);
        }
        let fields = family.fields.get(&event).into_iter().flatten();
        let values = fields.filter_map(|field| Some((field.path, value(rows, row, field)?)));
        columns = columns.with_all(values).map_err(|error| format!("row {row}: {error}"))?;
    }
    let event = ColumnsEvent {
        id: text(place::ID)?.into(),
        source: text(place::SOURCE)?.into(),
        time_ms: required(place::TIME)?,
        received_ms: rows.int(place::RECEIVED, row),
        columns,
    };
    Ok(Some(ColumnsRecord { position: required(place::POSITION)?.cast_unsigned(), arrival_ms: required(place::ARRIVAL)?, event }))
}

fn lacks(row: usize, column: usize, family: &Family) -> String {
    format!("row {row} has no `{}`", family.columns.get(column).map_or("column", |spec| &spec.name))
}

fn value(rows: &Rows, row: usize, field: &Field) -> Option<OwnedValue> {
    Some(match field.ty {
        FieldType::Bool => OwnedValue::Bool(rows.bool(field.value, row)?),
        FieldType::Int => OwnedValue::Int(rows.int(field.value, row)?),
        FieldType::Double => OwnedValue::Double(rows.double(field.value, row)?),
        FieldType::Time => OwnedValue::Time(rows.int(field.value, row)?),
        FieldType::Object | FieldType::List => rows.bool(field.value, row)?.then_some(OwnedValue::Object)?,
        FieldType::String | FieldType::Enum(_) => {
            let text = rows.text(field.value, row)?;
            let key = |(kind, column): &(EntityKind, usize)| Some((*kind, rows.int(*column, row)?.cast_unsigned()));
            let keys: Vec<(EntityKind, u64)> = field.keys.iter().filter_map(key).collect();
            if keys.is_empty() {
                return Some(OwnedValue::Str(text.into()));
            }
            let shown = |(kind, column): &(EntityKind, usize)| Some((*kind, rows.text(*column, row)?.into()));
            let clear = field.shown.iter().filter_map(shown).collect();
            OwnedValue::StandIn(Box::new(StandIn { pseudonym: text.into(), keys, clear }))
        }
    })
}

/// Fills the newest row of the family of control records.
pub(crate) fn put_said(table: &mut Table, control: &Control) {
    table.text(log_place::KIND, control.name());
    match control {
        Control::Tick(at_ms) => table.int(log_place::AT, *at_ms),
        Control::Retract { rule, since_ms } => {
            table.int(log_place::AT, *since_ms);
            table.text(log_place::RULE, rule);
        }
        Control::Switch { ruleset, engine } => {
            table.text(log_place::RULESET, ruleset);
            table.text(log_place::ENGINE, engine);
        }
        Control::Feedback | Control::Lost => {}
    }
}

/// The control record of a row; `None` where it is of a kind that this version does not know.
pub(crate) fn said(rows: &Rows, row: usize) -> Result<Option<Said>, String> {
    let lacks = |name: &str| format!("row {row} has no `{name}`");
    let position = rows.int(place::POSITION, row).ok_or_else(|| lacks("position"))?.cast_unsigned();
    let at = || rows.int(log_place::AT, row).ok_or_else(|| lacks("at"));
    let text = |column: usize, name: &str| rows.text(column, row).map(str::to_owned).ok_or_else(|| lacks(name));
    let control = match rows.text(log_place::KIND, row).ok_or_else(|| lacks("kind"))? {
        "tick" => Control::Tick(at()?),
        "retract" => Control::Retract { rule: text(log_place::RULE, "rule")?, since_ms: at()? },
        "switch" => Control::Switch { ruleset: text(log_place::RULESET, "ruleset")?, engine: text(log_place::ENGINE, "engine")? },
        "feedback" => Control::Feedback,
        "lost" => Control::Lost,
        _ => return Ok(None),
    };
    Ok(Some(Said { position, control }))
}
