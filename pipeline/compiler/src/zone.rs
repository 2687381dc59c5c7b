//! `lists/<name>.geojson`: areas, as maps draw them (`RFC 7946`), that conditions ask for by `place in zone.name`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use geo::{Intersects as _, LineString, Point, Polygon};
use rstar::{AABB, RTree, RTreeObject};
use sha2::{Digest as _, Sha256};

use crate::diagnostic::{Code, Fault};
use crate::list;
use crate::reader;
use crate::yaml::{Node, NodeValue};

/// Most corners of a zone: the coast of a country, drawn to a hundred metres.
const CORNERS_MAX: usize = 50_000;

/// Every zone by its name; `None`: its file has a fault of its own.
pub(crate) type Zones = BTreeMap<String, Option<Arc<Zone>>>;

/// Whether a file of that name is a zone.
pub(crate) fn is_zone(file: &str) -> bool {
    file.strip_prefix(list::FOLDER).is_some_and(is_zone_name)
}

/// Whether a file of that name, beside lists, is one.
pub(crate) fn is_zone_name(name: &str) -> bool {
    !name.starts_with('.') && !name.contains('/') && name.ends_with(".geojson")
}

/// Areas on the Earth, all together one: service areas, airports, sites from which a carrier's traffic comes.
#[derive(Clone)]
pub struct Zone {
    /// Its name: the file's.
    pub name: String,
    /// What it is, in 32 bytes.
    pub(crate) digest: [u8; 32],
    shapes: RTree<Shape>,
}

/// One polygon, found by the box around it.
#[derive(Clone)]
struct Shape {
    polygon: Polygon<f64>,
    around: AABB<[f64; 2]>,
}

impl RTreeObject for Shape {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        self.around
    }
}

impl Zone {
    /// Whether a place, degrees, lies in it or on its edge. Edges are straight on the map of longitude and latitude, as `RFC 7946` has them.
    pub fn holds(&self, lat: f64, lon: f64) -> bool {
        let at = AABB::from_point([lon, lat]);
        let point = Point::new(lon, lat);
        self.shapes.locate_in_envelope_intersecting(&at).any(|shape| shape.polygon.intersects(&point))
    }
}

/// How many areas there are: a map is long.
impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zone").field("name", &self.name).field("areas", &self.shapes.size()).finish_non_exhaustive()
    }
}

/// Lowers one zone; `file` is its path below the rules directory. `None` where it has a fault.
pub(crate) fn lower(file: &str, root: &Node, faults: &mut Vec<Fault>) -> Option<Zone> {
    let before = faults.len();
    let name = list::stem(file);
    if !list::is_name(name) {
        let fault = Fault::new(Code::BadId, 0..0, format!("`{name}` is no name of a zone"));
        faults.push(fault.help("names are a lower-case letter, then lower-case letters, digits and `_`: cairo_airport.geojson"));
    }
    let mut reading = Reading { faults, polygons: Vec::new(), corners: 0 };
    reading.object(root);
    let Reading { polygons, corners, .. } = reading;
    if faults.len() == before && polygons.is_empty() {
        faults.push(Fault::new(Code::BadZone, root.span.clone(), "there is no area in it").help(SHAPES));
    }
    if corners > CORNERS_MAX {
        let fault = Fault::new(Code::TooMuch, root.span.clone(), format!("{corners} corners, expected {CORNERS_MAX} at most"));
        faults.push(fault.help("simplify it to some tens of metres, or make two zones of it"));
    }
    if faults.len() > before {
        return None;
    }
    let mut hasher = Sha256::new();
    for polygon in &polygons {
        for ring in std::iter::once(polygon.exterior()).chain(polygon.interiors()) {
            hasher.update((ring.0.len() as u64).to_le_bytes());
            for corner in &ring.0 {
                hasher.update(corner.x.to_bits().to_le_bytes());
                hasher.update(corner.y.to_bits().to_le_bytes());
            }
        }
        hasher.update([0xff; 8]);
    }
    let shapes = polygons.into_iter().map(|polygon| {
        let around = AABB::from_points(&polygon.exterior().0.iter().map(|corner| [corner.x, corner.y]).collect::<Vec<_>>());
        Shape { polygon, around }
    });
    Some(Zone { name: name.to_owned(), digest: hasher.finalize().into(), shapes: RTree::bulk_load(shapes.collect()) })
}

/// What a zone may be made of.
const SHAPES: &str = r#"a zone is a FeatureCollection, a Feature, a GeometryCollection, a Polygon or a MultiPolygon: {"type": "Polygon", "coordinates": [[[31.2, 30.0], …]]}"#;

struct Reading<'f> {
    faults: &'f mut Vec<Fault>,
    polygons: Vec<Polygon<f64>>,
    corners: usize,
}

impl Reading<'_> {
    /// An object of `GeoJSON`. Keys that say nothing of an area (`properties`, `id`, `bbox`, a foreign member) are passed over, as
    /// the standard has it (section 6.1).
    fn object(&mut self, node: &Node) {
        let NodeValue::Map(members) = &node.value else {
            self.faults.push(reader::wrong(node, "this", "an object of GeoJSON").help(SHAPES));
            return;
        };
        let member = |name: &str| members.iter().find(|(key, _)| key.name == name).map(|(_, node)| node);
        let lacks =
            |name: &str| Fault::new(Code::MissingKey, node.span.clone(), format!("an object of GeoJSON lacks `{name}`")).help(SHAPES);
        let Some(kind) = member("type") else { return self.faults.push(lacks("type")) };
        let Some(word) = reader::text(kind, "`type`", self.faults) else { return };
        let (inside, each): (&str, fn(&mut Self, &Node)) = match word {
            "FeatureCollection" => ("features", |reading, node| reading.each(node, Self::object)),
            "GeometryCollection" => ("geometries", |reading, node| reading.each(node, Self::object)),
            "Feature" => ("geometry", Self::object),
            "Polygon" => ("coordinates", Self::polygon),
            "MultiPolygon" => ("coordinates", |reading, node| reading.each(node, Self::polygon)),
            other => {
                let fault = Fault::new(Code::BadZone, kind.span.clone(), format!("`{other}` is no area"));
                return self.faults.push(fault.help(SHAPES));
            }
        };
        match member(inside) {
            Some(node) => each(self, node),
            None => self.faults.push(lacks(inside)),
        }
    }

    fn each(&mut self, node: &Node, mut of: impl FnMut(&mut Self, &Node)) {
        match &node.value {
            NodeValue::Seq(items) => items.iter().for_each(|item| of(self, item)),
            _ => self.faults.push(reader::wrong(node, "this", "a list")),
        }
    }

    /// A list of rings: the edge, then holes.
    fn polygon(&mut self, node: &Node) {
        let mut rings = Vec::new();
        self.each(node, |reading, ring| rings.extend(reading.ring(ring)));
        let mut rings = rings.into_iter();
        if let Some(edge) = rings.next() {
            self.polygons.push(Polygon::new(edge, rings.collect()));
        } else if matches!(&node.value, NodeValue::Seq(items) if items.is_empty()) {
            self.faults.push(Fault::new(Code::BadZone, node.span.clone(), "a polygon without a ring").help(SHAPES));
        }
    }

    /// Four positions or more, the last as the first (section 3.1.6).
    fn ring(&mut self, node: &Node) -> Option<LineString<f64>> {
        let mut corners: Vec<(f64, f64, Range<usize>)> = Vec::new();
        let before = self.faults.len();
        self.each(node, |reading, corner| corners.extend(reading.corner(corner)));
        self.corners += corners.len();
        if self.faults.len() > before {
            return None;
        }
        let is_closed = corners.len() >= 4 && corners.first().map(|one| (one.0, one.1)) == corners.last().map(|one| (one.0, one.1));
        if !is_closed {
            let message = format!(
                "a ring of {} positions that {} where it begins",
                corners.len(),
                if corners.len() < 4 { "cannot end" } else { "does not end" }
            );
            self.faults.push(
                Fault::new(Code::BadZone, node.span.clone(), message).help("four positions or more, of which the last is the first again"),
            );
            return None;
        }
        let across = corners.windows(2).find(|pair| matches!(pair, [from, to] if (from.0 - to.0).abs() > 180.0));
        if let Some([_, to]) = across {
            let fault = Fault::new(Code::BadZone, to.2.clone(), "an edge of more than 180 degrees");
            self.faults.push(
                fault.help("cut an area that crosses the 180th meridian into two there, one on either side (RFC 7946, section 3.1.9)"),
            );
            return None;
        }
        Some(corners.into_iter().map(|(lon, lat, _)| (lon, lat)).collect())
    }

    /// Longitude, latitude, and perhaps a height.
    fn corner(&mut self, node: &Node) -> Option<(f64, f64, Range<usize>)> {
        const POSITION: &str = "a position: [longitude, latitude], in degrees";
        let NodeValue::Seq(parts) = &node.value else {
            self.faults.push(reader::wrong(node, "this", POSITION));
            return None;
        };
        let [lon, lat, ..] = parts.as_slice() else {
            self.faults.push(Fault::new(Code::BadZone, node.span.clone(), format!("{} numbers, expected {POSITION}", parts.len())));
            return None;
        };
        let (lon, lat) = (self.degrees(lon, "the longitude, which is the first,", 180.0), self.degrees(lat, "the latitude", 90.0));
        Some((lon?, lat?, node.span.clone()))
    }

    fn degrees(&mut self, node: &Node, what: &str, most: f64) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "degrees")]
        let degrees = match node.value {
            NodeValue::Float(degrees) => degrees,
            NodeValue::Int(degrees) => degrees as f64,
            _ => {
                self.faults.push(reader::wrong(node, what, "a number of degrees"));
                return None;
            }
        };
        if (-most..=most).contains(&degrees) {
            return Some(degrees);
        }
        let fault = Fault::new(Code::OutOfRange, node.span.clone(), format!("{what} is {degrees}, expected -{most} to {most}"));
        self.faults.push(fault.help("GeoJSON has the longitude first"));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;
    use proptest::prelude::*;
    use rstest::rstest;

    fn read(text: &str) -> Result<Zone, Vec<Fault>> {
        let root = yaml::parse_list(text).expect("JSON");
        let mut faults = Vec::new();
        lower("lists/zamalek.geojson", &root, &mut faults).ok_or(faults)
    }

    const ISLAND: &str = r#"{"type": "Polygon", "coordinates": [[[31.21, 30.05], [31.23, 30.05], [31.23, 30.08], [31.21, 30.08], [31.21, 30.05]],
                             [[31.215, 30.06], [31.22, 30.06], [31.22, 30.07], [31.215, 30.07], [31.215, 30.06]]]}"#;

    #[test]
    fn inside_outside_in_the_hole_and_on_the_edge() {
        let zone = read(ISLAND).expect("an area");
        let holds = [(30.055, 31.212), (30.065, 31.217), (30.05, 31.22), (30.04, 31.22), (30.06, 31.215), (30.08, 31.23)]
            .map(|(lat, lon)| zone.holds(lat, lon));
        assert_eq!(holds, [true, false, true, false, true, true]);
        assert_eq!(format!("{zone:?}"), r#"Zone { name: "zamalek", areas: 1, .. }"#);
    }

    #[test]
    fn a_map_of_many_is_one_zone() {
        let other = r#"{"type": "MultiPolygon", "coordinates": [[[[29, 31], [30, 31], [30, 32], [29, 31]]], [[[-1, 5], [0, 5], [0, 6, 12.5], [-1, 5]]]]}"#;
        let feature = |geometry: &str| format!(r#"{{"type": "Feature", "id": 7, "properties": {{"name": "a"}}, "geometry": {geometry}}}"#);
        let all =
            format!(r#"{{"type": "FeatureCollection", "bbox": [0, 0, 1, 1], "features": [{}, {}]}}"#, feature(ISLAND), feature(other));
        let zone = read(&all).expect("areas");
        assert!(zone.holds(30.055, 31.212) && zone.holds(31.2, 29.9) && zone.holds(5.1, -0.1) && !zone.holds(5.9, -0.9));
        assert_ne!(zone.digest, read(other).expect("areas").digest);
    }

    #[rstest]
    #[case::a_point(r#"{"type": "Point", "coordinates": [31, 30]}"#, "`Point` is no area")]
    #[case::no_type(r#"{"coordinates": []}"#, "lacks `type`")]
    #[case::no_coordinates(r#"{"type": "Polygon"}"#, "lacks `coordinates`")]
    #[case::nothing(r#"{"type": "FeatureCollection", "features": []}"#, "no area in it")]
    #[case::no_ring(r#"{"type": "Polygon", "coordinates": []}"#, "without a ring")]
    #[case::no_geometry(r#"{"type": "Feature", "geometry": null}"#, "this is nothing")]
    #[case::open(r#"{"type": "Polygon", "coordinates": [[[1, 1], [2, 1], [2, 2], [1, 2]]]}"#, "does not end where it begins")]
    #[case::two_corners(r#"{"type": "Polygon", "coordinates": [[[1, 1], [2, 1], [1, 1]]]}"#, "a ring of 3 positions")]
    #[case::turned(r#"{"type": "Polygon", "coordinates": [[[30, 131], [31, 131], [31, 132], [30, 131]]]}"#, "the latitude is 131")]
    #[case::text(
        r#"{"type": "Polygon", "coordinates": [[["a", 1], [2, 1], [2, 2], [1, 1]]]}"#,
        "the longitude, which is the first, is text"
    )]
    #[case::one_number(r#"{"type": "Polygon", "coordinates": [[[1], [2, 1], [2, 2], [1, 1]]]}"#, "1 numbers")]
    #[case::across(r#"{"type": "Polygon", "coordinates": [[[179, 1], [-179, 1], [-179, 2], [179, 1]]]}"#, "more than 180 degrees")]
    fn what_is_no_area_is_told(#[case] text: &str, #[case] expected: &str) {
        let faults = read(text).expect_err("a fault");
        assert!(faults[0].message.contains(expected), "{}", faults[0].message);
    }

    proptest! {
        /// As many triangles as there may be: by the tree as by all of them.
        #[test]
        fn the_tree_finds_what_a_walk_over_all_finds(
            triangles in proptest::collection::vec(proptest::collection::vec((-180_i32..=180, -90_i32..=90), 3), 1..20), lat in -90_i32..=90, lon in -180_i32..=180,
        ) {
            let near = |ring: &Vec<(i32, i32)>| ring.iter().all(|(lon, _)| (lon - ring[0].0).abs() <= 180 && (lon - ring[2].0).abs() <= 180);
            let triangles: Vec<_> = triangles.into_iter().filter(near).collect();
            prop_assume!(!triangles.is_empty());
            let area = |ring: &Vec<(i32, i32)>| {
                let corners: Vec<String> = ring.iter().chain(ring.first()).map(|(lon, lat)| format!("[{lon}, {lat}]")).collect();
                format!("[[{}]]", corners.join(", "))
            };
            let text = |areas: &[String]| format!(r#"{{"type": "MultiPolygon", "coordinates": [{}]}}"#, areas.join(", "));
            let areas: Vec<String> = triangles.iter().map(area).collect();
            let (lat, lon) = (f64::from(lat), f64::from(lon));
            let all = read(&text(&areas)).expect("areas").holds(lat, lon);
            let any = areas.iter().any(|area| read(&text(std::slice::from_ref(area))).expect("an area").holds(lat, lon));
            prop_assert_eq!(all, any);
        }
    }
}
