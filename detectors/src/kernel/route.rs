//! A way on a plane: how far along it somebody is, and how far from it.
//!
//! Degrees become metres by the radii of curvature of the WGS 84 ellipsoid at the way's middle latitude φ: along the meridian
//! M = a (1 − e²) / (1 − e² sin² φ)^1.5 and across it N = a / √(1 − e² sin² φ) (Torge, Geodesy, ch. 4). Against a geodesic that is wrong
//! by 0.002 % over a kilometre and by 0.03 % over twenty.
//!
//! Points are thinned to [`POINTS_MAX`] by Douglas and Peucker's measure (1973), the one farthest from the chord first, so that those stay
//! that matter most; how far the thinned way is from the one that was given is kept beside it.

use std::collections::BinaryHeap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::track::around_deg;
use crate::event::position::Position;

/// So many points are kept at the most.
pub const POINTS_MAX: usize = 512;
/// And so many are looked at: of more, every so-many-th one.
const READ_MAX: usize = 4_096;
/// Points that lie so near the chord say nothing, m.
const STRAIGHT_M: f64 = 3.0;
/// Half of the Earth's longer axis, m, and the square of its eccentricity: WGS 84.
const AXIS_M: f64 = 6_378_137.0;
const ECCENTRICITY_2: f64 = 0.006_694_379_990_14;
/// A way that spans more degrees is no drive, and no plane holds it.
const SPAN_DEG_MAX: f64 = 10.0;
/// Nearer to a pole there are no roads, and a degree of longitude is no measure.
const LAT_DEG_MAX: f64 = 85.0;
/// Pieces before and after the last one that are looked at first.
const BEFORE: usize = 2;
const AFTER: usize = 20;

/// Metres north and east of the way's first point.
pub type Metres = (f64, f64);

/// The way.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    origin: Position,
    /// Metres in a degree to the north and to the east.
    degree_m: Metres,
    points: Box<[Point]>,
    /// How far a point that was left out lies from it at the most, m.
    thinned_m: f64,
}

/// Metres; single precision is a decimetre over a thousand kilometres.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Point {
    north: f32,
    east: f32,
    /// How far along the way it lies.
    along: f32,
}

/// A place on the way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The piece that it lies on, from 0.
    pub piece: u32,
    /// How far along the way, m.
    pub along_m: f64,
    /// How far somebody is from it, m.
    pub off_m: f64,
}

impl Route {
    /// The heap memory of the longest, bytes.
    pub const HEAP_BYTES_MAX: usize = POINTS_MAX * size_of::<Point>();

    /// That of two or more points, of which those that are no place are left out. `None`: no plane holds it, or it leads nowhere.
    pub fn of(positions: impl Iterator<Item = Position>) -> Option<Self> {
        let positions: Vec<Position> = positions.filter(|position| position.is_place()).collect();
        let origin = *positions.first()?;
        let degrees: Vec<Metres> = positions.iter().map(|position| around_deg(origin, *position)).collect();
        let span = |axis: fn(&Metres) -> f64| {
            degrees.iter().map(axis).fold((0.0_f64, 0.0_f64), |(least, most), degrees| (least.min(degrees), most.max(degrees)))
        };
        let (north, east) = (span(|degrees| degrees.0), span(|degrees| degrees.1));
        let is_polar = origin.lat() + north.1 > LAT_DEG_MAX || origin.lat() + north.0 < -LAT_DEG_MAX;
        if is_polar || north.1 - north.0 > SPAN_DEG_MAX || east.1 - east.0 > SPAN_DEG_MAX {
            return None;
        }
        let degree_m = degree_m(origin.lat() + f64::midpoint(north.0, north.1));
        let metres: Vec<Metres> = degrees.iter().map(|(north, east)| (north * degree_m.0, east * degree_m.1)).collect();
        let kept = thinned(&metres);
        let off_m = |(from, to): (&usize, &usize)| {
            let (Some(start), Some(end), Some(between)) = (metres.get(*from), metres.get(*to), metres.get(*from..*to)) else { return 0.0 };
            between.iter().map(|point| nearest(*point, *start, *end).0).fold(0.0, f64::max)
        };
        let thinned_m = kept.iter().zip(kept.iter().skip(1)).map(off_m).fold(0.0, f64::max);
        let (mut along_m, mut last) = (0.0, (0.0, 0.0));
        let points: Box<[Point]> = kept
            .iter()
            .filter_map(|index| metres.get(*index))
            .map(|point| {
                along_m += length_m(last, *point);
                last = *point;
                Point::new(*point, along_m)
            })
            .collect();
        (along_m > 0.0).then_some(Self { origin, degree_m, points, thinned_m })
    }

    /// Where somebody is on the plane.
    pub fn metres(&self, position: Position) -> Metres {
        let (north, east) = around_deg(self.origin, position);
        (north * self.degree_m.0, east * self.degree_m.1)
    }

    /// From its first point to its last, m.
    pub fn length_m(&self) -> f64 {
        self.points.last().map_or(0.0, |point| f64::from(point.along))
    }

    /// Straight to its first point and to its last, m.
    pub fn ends_m(&self, at: Metres) -> (f64, f64) {
        let to = |point: Option<&Point>| point.map_or(0.0, |point| length_m(at, point.metres()));
        (to(self.points.first()), to(self.points.last()))
    }

    /// How far the way that was given lies from the thinned one at the most, m.
    pub fn thinned_m(&self) -> f64 {
        self.thinned_m
    }

    /// Heap memory, bytes.
    pub fn heap_bytes(&self) -> usize {
        self.points.len() * size_of::<Point>()
    }

    /// Where on the way somebody is. Of all places that are up to `slack_m` farther off than the nearest one, the first that he can have
    /// gone on to from the last, where there is one: a way may cross itself, and lead back as it came. It is looked for around the last
    /// one, and where that is farther than `slack_m`, everywhere.
    pub fn place(&self, at: Metres, last: Option<&Place>, slack_m: f64) -> Place {
        let all = self.points.len().saturating_sub(1);
        let from_m = last.map_or(0.0, |last| last.along_m) - slack_m;
        if let Some(last) = last {
            let piece = usize::try_from(last.piece).unwrap_or(0);
            let near = self.best(at, piece.saturating_sub(BEFORE)..(piece + AFTER + 1).min(all), from_m, slack_m);
            if near.off_m <= slack_m {
                return near;
            }
        }
        self.best(at, 0..all, from_m, slack_m)
    }

    fn best(&self, at: Metres, pieces: Range<usize>, from_m: f64, slack_m: f64) -> Place {
        let least_m = self.places(at, pieces.clone()).map(|place| place.off_m).fold(f64::INFINITY, f64::min);
        let mut best: Option<Place> = None;
        for place in self.places(at, pieces).filter(|place| place.off_m <= least_m + slack_m) {
            let is_better = best.is_none_or(|best| {
                if best.along_m >= from_m { place.along_m >= from_m && place.along_m < best.along_m } else { place.along_m > best.along_m }
            });
            if is_better {
                best = Some(place);
            }
        }
        best.unwrap_or(Place { piece: 0, along_m: 0.0, off_m: f64::MAX })
    }

    /// The nearest place on each of those pieces.
    fn places(&self, at: Metres, pieces: Range<usize>) -> impl Iterator<Item = Place> {
        self.pieces(pieces).map(move |(piece, from, to)| {
            let (off_m, share) = nearest(at, from.metres(), to.metres());
            let (from_m, to_m) = (f64::from(from.along), f64::from(to.along));
            Place { piece, along_m: from_m + share * (to_m - from_m), off_m }
        })
    }

    fn pieces(&self, pieces: Range<usize>) -> impl Iterator<Item = (u32, &Point, &Point)> {
        let ends = self.points.get(pieces.start..=pieces.end).unwrap_or_default();
        (0_u32..)
            .zip(ends.iter().zip(ends.iter().skip(1)))
            .map(move |(index, (from, to))| (u32::try_from(pieces.start).unwrap_or(u32::MAX).saturating_add(index), from, to))
    }

    /// Whether a step to `at`, whose place that is, leads against the way: within 60° of its opposite, and within 60° along no piece of it
    /// that is up to `within_m` off.
    pub fn is_against(&self, place: &Place, at: Metres, step: Metres, within_m: f64) -> bool {
        let along = |from: &Point, to: &Point| {
            let (start, end) = (from.metres(), to.metres());
            let piece = (end.0 - start.0, end.1 - start.1);
            let product = piece.0 * step.0 + piece.1 * step.1;
            product / (libm::hypot(piece.0, piece.1) * libm::hypot(step.0, step.1)).max(f64::MIN_POSITIVE)
        };
        let own = usize::try_from(place.piece).unwrap_or(0);
        let is_opposite = self.pieces(own..own + 1).any(|(_, from, to)| along(from, to) < -0.5);
        let is_with = |(_, from, to): (u32, &Point, &Point)| along(from, to) > 0.5 && nearest(at, from.metres(), to.metres()).0 <= within_m;
        is_opposite && !self.pieces(0..self.points.len().saturating_sub(1)).any(is_with)
    }
}

/// Shows nobody's places, as [`Position`]'s does.
impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[Route of {} points]", self.points.len())
    }
}

impl Point {
    #[expect(clippy::cast_possible_truncation, reason = "a decimetre over a thousand kilometres is what it is kept to")]
    fn new((north_m, east_m): Metres, along_m: f64) -> Self {
        Self { north: north_m as f32, east: east_m as f32, along: along_m as f32 }
    }

    fn metres(&self) -> Metres {
        (f64::from(self.north), f64::from(self.east))
    }
}

/// Metres between two places of the plane.
pub fn length_m(from: Metres, to: Metres) -> f64 {
    libm::hypot(to.0 - from.0, to.1 - from.1)
}

/// Metres in a degree to the north and to the east at a latitude.
fn degree_m(lat_deg: f64) -> Metres {
    let (sin, cos) = (libm::sin(lat_deg.to_radians()), libm::cos(lat_deg.to_radians()));
    let flat = 1.0 - ECCENTRICITY_2 * sin * sin;
    let across_m = AXIS_M / libm::sqrt(flat);
    ((across_m * (1.0 - ECCENTRICITY_2) / flat).to_radians(), (across_m * cos).to_radians())
}

/// How far from a piece somebody is, m, and at which share of it he is nearest.
fn nearest(at: Metres, from: Metres, to: Metres) -> (f64, f64) {
    let (north, east) = (to.0 - from.0, to.1 - from.1);
    let square = north * north + east * east;
    let share = if square > 0.0 { (((at.0 - from.0) * north + (at.1 - from.1) * east) / square).clamp(0.0, 1.0) } else { 0.0 };
    (length_m(at, (from.0 + share * north, from.1 + share * east)), share)
}

/// Which points stay: the first, the last, and of those between them always the one that lies farthest from its chord.
fn thinned(points: &[Metres]) -> Vec<usize> {
    let last = points.len().saturating_sub(1);
    let every = points.len().div_ceil(READ_MAX).max(1);
    let mut read: Vec<usize> = (0..last).step_by(every).collect();
    read.push(last);
    // The distance's bits are in its order, as it is not negative.
    let farthest = |from: usize, to: usize| {
        let point = |index: usize| read.get(index).and_then(|index| points.get(*index)).copied();
        let (start, end) = (point(from)?, point(to)?);
        let far = (from + 1..to).filter_map(|index| Some((nearest(point(index)?, start, end).0.to_bits(), from, to, index))).max();
        far.filter(|(bits, ..)| f64::from_bits(*bits) > STRAIGHT_M)
    };
    let mut kept = vec![0, read.len() - 1];
    kept.dedup();
    let mut waiting: BinaryHeap<_> = farthest(0, read.len() - 1).into_iter().collect();
    while kept.len() < POINTS_MAX
        && let Some((_, from, to, at)) = waiting.pop()
    {
        kept.push(at);
        waiting.extend(farthest(from, at).into_iter().chain(farthest(at, to)));
    }
    kept.sort_unstable();
    kept.into_iter().filter_map(|index| read.get(index).copied()).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::kernel::great_circle;
    use crate::kernel::track::tests::position;
    use proptest::prelude::*;

    /// A place so many metres north and east of Cairo.
    pub(crate) fn around_cairo((north_m, east_m): Metres) -> Position {
        let degree = degree_m(30.0444);
        position(30.0444 + north_m / degree.0, 31.2357 + east_m / degree.1)
    }

    pub(crate) fn route(points: &[Metres]) -> Route {
        Route::of(points.iter().copied().map(around_cairo)).expect("a way")
    }

    #[test]
    fn a_degree_has_the_metres_of_the_ellipsoid() {
        // Arc lengths of a degree from the same formulas in Snyder, Map Projections, table 5: 110 852 and 96 486 m at 30°.
        let (north, east) = degree_m(30.0);
        assert!((north - 110_852.0).abs() < 2.0 && (east - 96_486.0).abs() < 2.0, "{north} {east}");
    }

    #[test]
    fn somebody_is_beside_the_piece_that_is_nearest() {
        let route = route(&[(0.0, 0.0), (1_000.0, 0.0), (1_000.0, 2_000.0)]);
        assert!((route.length_m() - 3_000.0).abs() < 1.0);
        let place = route.place((400.0, 30.0), None, 15.0);
        assert_eq!(place.piece, 0);
        assert!((place.along_m - 400.0).abs() < 1.0 && (place.off_m - 30.0).abs() < 1.0, "{place:?}");
        let place = route.place((1_040.0, 700.0), Some(&place), 15.0);
        assert_eq!(place.piece, 1);
        assert!((place.along_m - 1_700.0).abs() < 1.0 && (place.off_m - 40.0).abs() < 1.0, "{place:?}");
        let (start_m, end_m) = route.ends_m((1_000.0, 1_000.0));
        assert!((start_m - 1_414.2).abs() < 1.0 && (end_m - 1_000.0).abs() < 1.0);
    }

    #[test]
    fn where_a_way_leads_back_he_goes_on() {
        let route = route(&[(0.0, 0.0), (1_000.0, 0.0), (0.0, 5.0)]);
        let mut last = None;
        for step in 0..=38_i32 {
            let along_m = f64::from(step) * 50.0;
            let at = if along_m < 1_000.0 { (along_m, 0.0) } else { (2_000.0 - along_m, 3.0) };
            let place = route.place(at, last.as_ref(), 20.0);
            assert!((place.along_m - along_m).abs() < 45.0, "{along_m}: {place:?}");
            last = Some(place);
        }
    }

    #[test]
    fn a_step_against_one_carriageway_may_go_along_the_other() {
        let one = route(&[(0.0, 0.0), (3_000.0, 0.0)]);
        let against = |route: &Route, at: Metres, step: Metres| route.is_against(&route.place(at, None, 20.0), at, step, 75.0);
        assert!(against(&one, (1_000.0, 10.0), (-100.0, 20.0)));
        assert!(!against(&one, (1_000.0, 10.0), (100.0, 20.0)) && !against(&one, (1_000.0, 10.0), (-20.0, 100.0)));
        let two = route(&[(0.0, 0.0), (3_000.0, 0.0), (3_000.0, 40.0), (0.0, 40.0)]);
        assert!(!against(&two, (1_000.0, 0.0), (-100.0, 0.0)));
    }

    #[test]
    fn what_no_plane_holds_and_what_leads_nowhere_is_no_way() {
        let of = |points: &[(f64, f64)]| Route::of(points.iter().map(|(lat, lon)| position(*lat, *lon)));
        assert!(of(&[(30.0, 31.0), (30.0, 31.0), (30.0, 31.0)]).is_none(), "equal points");
        assert!(of(&[(30.0, 31.0), (0.0, 0.0)]).is_none(), "one place");
        assert!(of(&[(30.0, 31.0), (41.0, 31.0)]).is_none() && of(&[(30.0, 31.0), (30.0, -140.0)]).is_none());
        assert!(of(&[(89.9, 31.0), (89.8, 31.0)]).is_none() && of(&[(-90.0, 0.0), (-89.0, 0.0)]).is_none());
        let over = of(&[(-16.8, 179.95), (-16.8, -179.95)]).expect("across the date line");
        assert!((over.length_m() - 10_658.0).abs() < 20.0, "{}", over.length_m());
    }

    #[test]
    fn forty_thousand_points_are_thinned_and_the_rest_is_known() {
        let long: Vec<Metres> = (0..40_000_i32).map(|n| (f64::from(n) * 2.0, 400.0 * libm::sin(f64::from(n) / 300.0))).collect();
        let thin = route(&long);
        assert!(thin.heap_bytes() <= Route::HEAP_BYTES_MAX && thin.thinned_m() < 5.0, "{thin:?}, {} m", thin.thinned_m());
        // A comb whose every tooth matters: what is left out is allowed for.
        let comb: Vec<Metres> = (0..40_000_i32).map(|n| (f64::from(n), f64::from(n / 10 % 2) * 300.0)).collect();
        let thin = route(&comb);
        assert_eq!(thin.heap_bytes(), Route::HEAP_BYTES_MAX);
        for point in comb.iter().step_by(997) {
            assert!(thin.place(*point, None, 0.0).off_m <= thin.thinned_m() + 1.0);
        }
        assert_eq!(format!("{thin:?}"), "[Route of 512 points]");
    }

    proptest! {
        #[test]
        fn thinning_leaves_no_point_farther_than_it_says(points in proptest::collection::vec((-5_000.0..5_000.0_f64, -5_000.0..5_000.0_f64), 2..900)) {
            let route = route(&points);
            prop_assert!(route.heap_bytes() <= Route::HEAP_BYTES_MAX);
            for point in points {
                let off_m = route.place(route.metres(around_cairo(point)), None, 0.0).off_m;
                prop_assert!(off_m <= route.thinned_m() + 0.1, "{off_m} over {}", route.thinned_m());
            }
        }

        #[test]
        fn the_plane_agrees_with_the_sphere(lat in -60.0..60.0, lon in -180.0..180.0, dlat in -0.05..0.05_f64, dlon in -0.05..0.05_f64) {
            prop_assume!(dlat.abs() + dlon.abs() > 1e-4);
            let from = position(lat, lon);
            let to = position(lat + dlat, if lon + dlon > 180.0 { lon + dlon - 360.0 } else if lon + dlon < -180.0 { lon + dlon + 360.0 } else { lon + dlon });
            prop_assume!(from.is_place() && to.is_place());
            let route = Route::of([from, to].into_iter()).expect("a way");
            let sphere = great_circle::distance_m(from, to);
            prop_assert!((route.length_m() - sphere).abs() < 0.007 * sphere, "{} {sphere}", route.length_m());
        }
    }
}
