//! Places on the Earth. The one file that turns our (latitude, longitude) into h3o's order.

use serde_json::value::RawValue;

use super::fault::Fault;
use super::field::{Due, Record as _};
use super::json;
use super::salvage::{Notes, Salvage};
use super::units::{Kilometres, Latitude, Longitude, Metres, Reported};
use crate::entity::EntityKind;
use crate::{choice, nested_record, record};

/// The H3 resolution of the `region` entity kind (about 250 km² a cell).
const REGION: h3o::Resolution = h3o::Resolution::Five;

/// How near to 0 or −1 an axis is that number, degrees: what rounding to six places leaves of it, a decimetre.
const UNSET_DEG: f64 = 1e-6;
/// How far around (0, 0) is open sea, degrees: the nearest coast is five of them away.
const SEA_DEG: f64 = 1.0;

/// A point, WGS 84 degrees, in range by construction.
#[derive(Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    lat: f64,
    lon: f64,
}

impl Position {
    /// The point at those coordinates.
    pub fn new(lat: Latitude, lon: Longitude) -> Self {
        Self { lat: lat.get(), lon: lon.get() }
    }

    /// Degrees north.
    pub fn lat(self) -> f64 {
        self.lat
    }

    /// Degrees east.
    pub fn lon(self) -> f64 {
        self.lon
    }

    /// Whether somebody can be there at all, or these are the numbers that devices and look-ups send when they do not know:
    /// 0 on both axes or on one of them (a field that was never set), a place within a degree of (0, 0), where 500 km around there is
    /// nothing but sea, or −1 on both axes.
    pub fn is_place(self) -> bool {
        // Almost everybody is far from all of these.
        if self.lat.abs() > 2.0 * SEA_DEG && self.lon.abs() > 2.0 * SEA_DEG {
            return true;
        }
        let is = |axis: f64, number: f64| (axis - number).abs() <= UNSET_DEG;
        let is_unset = is(self.lat, 0.0) || is(self.lon, 0.0) || is(self.lat, -1.0) && is(self.lon, -1.0);
        !is_unset && (self.lat.abs() > SEA_DEG || self.lon.abs() > SEA_DEG)
    }

    /// The H3 cell of the `region` entity kind.
    pub fn region(self) -> u64 {
        h3o::LatLng::new(self.lat, self.lon).map_or(0, |place| u64::from(place.to_cell(REGION)))
    }
}

/// The middle of a cell.
pub(super) fn centre(cell: h3o::CellIndex) -> Position {
    let middle = h3o::LatLng::from(cell);
    Position { lat: middle.lat(), lon: middle.lng() }
}

/// The cells around one: six, around each of the twelve pentagons five. None around what is no cell.
pub fn around(cell: u64) -> Vec<u64> {
    let found = h3o::CellIndex::try_from(cell).map(|cell| cell.grid_disk::<Vec<_>>(1)).unwrap_or_default();
    found.into_iter().map(u64::from).filter(|other| *other != cell).collect()
}

impl std::fmt::Debug for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[Position]")
    }
}

choice! {
    /// How a location became known.
    pub enum LocationSource {
        /// Looked up from the address.
        Geoip = "geoip",
        /// Told by the device.
        Device = "device",
    }
}

record! {
    /// Where a request seems to come from.
    pub struct Location where accuracy_km hides [lat, lon, source] {
        /// Degrees north.
        pub lat: Latitude,
        /// Degrees east.
        pub lon: Longitude,
        /// Radius within which the true place lies with about 68 % probability, km; negative: the place is none.
        pub accuracy_km: Option<Reported<Kilometres>>,
        /// How it became known.
        pub source: Option<LocationSource>,
    }
}
nested_record!(place [] Location, &[EntityKind::Region], Location::is_placed);

impl Location {
    /// The point itself, unless its accuracy says that it is none, or nobody can be there.
    pub fn position(&self) -> Option<Position> {
        self.place().filter(|position| position.is_place())
    }
}

record! {
    /// What shows that work was done, and where.
    pub struct Proof where accuracy_m hides [lat, lon] {
        /// Degrees north.
        pub lat: Latitude,
        /// Degrees east.
        pub lon: Longitude,
        /// 68 % radius, m; negative: the place is none.
        pub accuracy_m: Option<Reported<Metres>>,
        /// Whether there is a photo.
        pub photo: Due<bool>,
    }
}
nested_record!([] Proof, &[], |_| true);

/// Points of a planned route, in order, two or more.
#[derive(Clone, serde::Deserialize)]
#[serde(try_from = "Vec<(Latitude, Longitude)>")]
pub struct Points(Vec<(Latitude, Longitude)>);

impl schemars::JsonSchema for Points {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Points".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let point = generator.subschema_for::<(Latitude, Longitude)>();
        schemars::json_schema!({ "type": "array", "minItems": 2, "items": point, "description": "Points of a planned route, in order, two or more." })
    }
}

impl TryFrom<Vec<(Latitude, Longitude)>> for Points {
    type Error = &'static str;

    fn try_from(points: Vec<(Latitude, Longitude)>) -> Result<Self, Self::Error> {
        if points.len() < 2 { Err("too few points, expected two or more") } else { Ok(Self(points)) }
    }
}

impl<'a> Salvage<'a> for Points {
    fn salvage(raw: &'a RawValue, _: &mut Notes) -> Result<Self, Fault> {
        json::strict_inside(raw)
    }
}

impl Points {
    /// The points, at least two.
    pub fn positions(&self) -> impl Iterator<Item = Position> + '_ {
        self.0.iter().map(|(lat, lon)| Position::new(*lat, *lon))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl std::fmt::Debug for Points {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[Points]")
    }
}

impl super::field::FieldValue for Points {
    const TYPE: super::field::FieldType = super::field::FieldType::List;
    const PRIVACY: super::field::Privacy = super::field::Privacy::Hidden;
    const ELEMENTS: super::field::Elements = super::field::Elements::Points;

    fn value(&self) -> crate::value::Value<'_> {
        crate::value::Value::Object
    }

    fn elements(&self) -> Option<usize> {
        Some(self.0.len())
    }

    fn element(&self, index: usize, field: u8) -> crate::value::Value<'_> {
        match (self.0.get(index), field) {
            (Some((lat, _)), 0) => crate::value::Value::Double(lat.get()),
            (Some((_, lon)), 1) => crate::value::Value::Double(lon.get()),
            _ => crate::value::Value::Absent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::cairo(30.05, 31.24, true)]
    #[case::both_zero(0.0, 0.0, false)]
    #[case::no_latitude(0.0, 31.24, false)]
    #[case::no_longitude(30.05, 0.0, false)]
    #[case::rounded_away(30.05, -0.000_000_4, false)]
    #[case::near_zero(0.3, -0.9, false)]
    #[case::minus_one_twice(-1.0, -1.0, false)]
    #[case::minus_one_once(-1.0, 36.8, true)]
    #[case::greenwich(51.477_9, -0.001_5, true)]
    #[case::the_equator_in_kenya(-0.000_5, 37.07, true)]
    #[case::sao_tome(0.336, 6.73, true)]
    #[case::the_pole(90.0, 12.0, true)]
    #[case::the_date_line(-16.8, 180.0, true)]
    fn what_devices_send_when_they_do_not_know_is_no_place(#[case] lat: f64, #[case] lon: f64, #[case] expected: bool) {
        let position = Position::new(Latitude::try_from(lat).expect("in range"), Longitude::try_from(lon).expect("in range"));
        assert_eq!(position.is_place(), expected);
    }
}
