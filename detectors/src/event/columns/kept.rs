//! Events out of columns as any version may have kept them: names in place of places, and whatever this version does not
//! know read as far as it can be.

use serde::{Deserialize, Deserializer, Serialize};

use super::{Columns, ColumnsEvent, is_of};
use crate::entity::EntityKind;
use crate::event::EventType;
use crate::event::field::{self, FieldPath};
use crate::value::OwnedValue;

/// A [`ColumnsEvent`] as any version may have kept it.
#[derive(Deserialize)]
pub(crate) struct KeptEvent {
    id: Box<str>,
    source: Box<str>,
    time_ms: i64,
    received_ms: Option<i64>,
    columns: Named,
}

impl KeptEvent {
    /// What it is to this version; `None` where it is of a type that is gone.
    pub(crate) fn today(self) -> Option<ColumnsEvent> {
        let Self { id, source, time_ms, received_ms, columns } = self;
        Some(ColumnsEvent { id, source, time_ms, received_ms, columns: Columns::try_from(columns).ok()? })
    }
}

/// The data with names in place of places, which a version may move.
#[derive(Serialize, Deserialize)]
pub(super) struct Named {
    event_type: Box<str>,
    fields: Vec<(Box<str>, OwnedValue)>,
    region: Option<u64>,
    unknown: Vec<(Box<str>, OwnedValue)>,
}

impl From<Columns> for Named {
    fn from(columns: Columns) -> Self {
        let Columns { event_type, fields, region, unknown } = columns;
        let named = |(path, value)| Some((name_of(event_type, path)?.into(), value));
        Self { event_type: event_type.name().into(), fields: fields.into_iter().filter_map(named).collect(), region, unknown }
    }
}

impl TryFrom<Named> for Columns {
    type Error = String;

    fn try_from(named: Named) -> Result<Self, String> {
        let Named { event_type, fields, region, unknown } = named;
        let event_type = EventType::from_name(&event_type).ok_or_else(|| format!("there is no event type `{event_type}`"))?;
        let mut columns = Self { region, ..Self::new(event_type) };
        // As in a record: what the vocabulary of this version does not know is a field outside it, and a value that is none of
        // the field's is not there.
        for (name, value) in fields.into_iter().chain(unknown) {
            match field::find(event_type.fields(), &name) {
                None => columns = columns.with_unknown(&name, value),
                Some((path, spec)) if is_of(spec, &value) => columns.set(path, value),
                Some(_) => {}
            }
        }
        Ok(columns)
    }
}

/// Reads what there is by kind of entity; what is of a kind that this version does not know is left out.
pub(super) fn known<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<(EntityKind, T)>, D::Error> {
    let all: Vec<(u8, T)> = Vec::deserialize(deserializer)?;
    Ok(all.into_iter().filter_map(|(number, of)| Some((EntityKind::from_number(number)?, of))).collect())
}

fn name_of(event_type: EventType, path: FieldPath) -> Option<String> {
    let outer = event_type.fields().get(usize::from(path.field))?;
    match path.child {
        None => Some(outer.name.to_owned()),
        Some(child) => Some(format!("{}.{}", outer.name, outer.children.get(usize::from(child))?.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::StandIn;
    use super::*;
    use crate::entity::KeyHasher;

    fn phone() -> OwnedValue {
        let kinds = [EntityKind::Phone, EntityKind::PhonePrefix];
        let stand_in = StandIn::of(&kinds, "01000000042", &KeyHasher::new([7; 16]), |kind, raw| kind.normalise(raw).into_owned());
        OwnedValue::StandIn(Box::new(stand_in.expect("two kinds")))
    }

    /// What another version has kept is read as far as this one knows it.
    #[test]
    fn columns_of_another_version_are_read_as_a_record_would_be() {
        let text = |word: &str| OwnedValue::Str(word.into());
        let fields = vec![
            ("phone".into(), phone()),
            ("purpose".into(), OwnedValue::Int(7)),  // it is a word today
            ("attempts".into(), OwnedValue::Int(3)), // it is gone
            ("carrier".into(), text("01000000042")), // it is gone, and may have been anything
            ("country".into(), text("EG")),
        ];
        // Nobody knew it then.
        let unknown = vec![("channel".into(), text("sms")), ("note".into(), OwnedValue::Bool(true))];
        let kept = Named { event_type: "auth.otp_requested".into(), fields, region: Some(5), unknown };
        let columns: Columns = serde_json::from_slice(&serde_json::to_vec(&kept).expect("plain data")).expect("it is read");
        let read = |name: &str| {
            let (path, _) = field::find(EventType::OtpRequested.fields(), name).expect("a field");
            columns.get(path).to_owned()
        };
        assert_eq!((read("phone"), read("country"), read("channel"), columns.region()), (phone(), text("EG"), text("sms"), Some(5)));
        assert_eq!(read("purpose"), OwnedValue::Absent);
        assert_eq!((columns.unknown("attempts"), columns.unknown("note")), (OwnedValue::Int(3), OwnedValue::Bool(true)));
        assert_eq!(columns.unknown("carrier"), OwnedValue::Absent);
        let again = serde_json::from_slice(&serde_json::to_vec(&columns).expect("plain data")).expect("it is read");
        assert!(columns == again);
    }

    #[test]
    fn a_kind_of_entity_that_is_gone_names_nothing_in_a_stand_in() {
        let kept =
            ("p1_x", vec![(EntityKind::Phone as u8, 7_u64), (250, 8)], vec![(251_u8, "x"), (EntityKind::PhonePrefix as u8, "+2010")]);
        let stand_in: StandIn = serde_json::from_slice(&serde_json::to_vec(&kept).expect("plain data")).expect("it is read");
        assert_eq!(stand_in.keys, [(EntityKind::Phone, 7)]);
        assert_eq!(stand_in.shown(EntityKind::PhonePrefix), "+2010");
    }
}
