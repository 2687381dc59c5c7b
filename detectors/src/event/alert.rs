//! `rasid.alert`: an alert was opened. The engine makes it of its own alerts, for the rules that look at those.

use h3o::CellIndex;
use serde_json::value::RawValue;

use super::fault::Fault;
use super::field::{FieldType, FieldValue, Privacy};
use super::position::{self, Position};
use super::salvage::{Notes, Salvage};
use super::text::{OpaqueId, Text};
use crate::value::Value;
use crate::{choice, record};

choice! {
    /// How bad it is, from the worst.
    pub enum Severity {
        /// Money or safety is being lost now.
        Sev0 = "SEV0",
        /// Somebody must act within the hour.
        Sev1 = "SEV1",
        /// Somebody must look within the day.
        Sev2 = "SEV2",
        /// For the record.
        Sev3 = "SEV3",
    }
}

choice! {
    /// What the marketplace is advised to do.
    pub enum Advice {
        /// Look closer.
        Watch = "watch",
        /// Ask for another proof.
        Challenge = "challenge",
        /// Let nothing go out.
        Hold = "hold",
        /// Refuse.
        Block = "block",
    }
}

record! {
    /// `rasid.alert`: an active rule opened an alert. The engine's own; no producer sends it.
    pub struct Alert<'a> {
        /// The rule that opened it.
        pub rule: OpaqueId<'a>,
        /// How bad it is.
        pub severity: Severity,
        /// The rule's area: what stands before the point of its name.
        pub area: OpaqueId<'a>,
        /// Whom it is about, as the alert names it: `user:u_42`, `phone:p1_…`.
        pub entity: OpaqueId<'a>,
        /// The H3 cell of the place of the event that opened it, where that has one.
        pub region: Option<Region>,
        /// What the marketplace is advised to do, where the rule advises.
        pub advice: Option<Advice>,
    }
}

/// An H3 cell of the `region` entity kind, in its usual spelling: fifteen hexadecimal digits.
#[derive(Clone)]
pub struct Region {
    place: Position,
    text: String,
}

impl Region {
    /// The cell of that number; `None` where it is none of a region.
    pub fn new(cell: u64) -> Option<Self> {
        let place = position::centre(CellIndex::try_from(cell).ok()?);
        (place.region() == cell).then(|| Self { place, text: format!("{cell:x}") })
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        let cell = u64::from_str_radix(text, 16).ok().filter(|cell| format!("{cell:x}") == text);
        cell.and_then(Self::new).ok_or("expected an H3 cell of resolution 5, fifteen hexadecimal digits in lower case")
    }
}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> serde::Deserialize<'de> for Region {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(Text::deserialize(deserializer)?.as_str()).map_err(serde::de::Error::custom)
    }
}

impl<'a> Salvage<'a> for Region {
    fn salvage(raw: &'a RawValue, notes: &mut Notes) -> Result<Self, Fault> {
        Self::read(super::text::salvage(raw, notes)?.as_str()).map_err(Fault::whole)
    }
}

impl schemars::JsonSchema for Region {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Region".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{15}$", "description": "An H3 cell of resolution 5." })
    }
}

impl FieldValue for Region {
    const TYPE: FieldType = FieldType::String;
    const PRIVACY: Privacy = Privacy::Clear;
    const PLACED: bool = true;

    /// The middle of the cell, whose region is the cell.
    fn place(&self) -> Option<Position> {
        Some(self.place)
    }

    fn value(&self) -> Value<'_> {
        Value::Str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::units::{Latitude, Longitude};

    #[test]
    fn a_region_is_the_cell_of_its_own_place() {
        let cairo = Position::new(Latitude::try_from(30.05).expect("in range"), Longitude::try_from(31.24).expect("in range")).region();
        let region = Region::new(cairo).expect("a cell");
        assert_eq!(region.place().map(Position::region), Some(cairo));
        assert_eq!(Region::read(&format!("{region:?}")).expect("its own spelling").place().map(Position::region), Some(cairo));
        // Another resolution, no cell, and another spelling of one.
        for text in ["863f5a527ffffff", "0", "", "85", "853E6903FFFFFFF", "0853e6903fffffff"] {
            assert!(Region::read(text).is_err(), "{text}");
        }
    }
}
