//! A driver's route is drawn anew on the way, so that a longer one is paid.
#![allow(clippy::unnecessary_wraps, reason = "a stage may be None")]

use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::payload::{Gps, Route};
use crate::people::{Person, Role};
use crate::places::{Point, city_at};
use crate::random::Random;
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::{Outbox, one_digit};

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    word: "route_altered",
    doc: "A driver has the route of a trip drawn anew, and is paid for the longer one.",
    span_ms: [6 * HOUR, 14 * HOUR, 6 * DAY],
    stage: altered,
}];

/// A route between two doors, with that part of its length as a way round.
pub(crate) fn way(from: Point, (north, east): (f64, f64), detour: f64) -> Vec<Point> {
    let out = (-east * detour / 2.0, north * detour / 2.0);
    let part = |share: f64, side: f64| from.offset(north * share + out.0 * side, east * share + out.1 * side);
    vec![from, part(0.2, 0.4), part(0.5, 1.0), part(0.8, 0.4), part(1.0, 0.0)]
}

/// The route is told.
pub(crate) fn plan(driver: &Person, task: &str, points: &[Point], at: i64, random: &mut Random, out: &mut Outbox) {
    let points = points.iter().map(|point| (point.lat, point.lon)).collect();
    let route = Route { route_id: random.id("rt_"), entity_id: &driver.id, task_id: task, points, corridor_m: Some(75.0) };
    out.send("gps.route_planned", at, Some(format!("driver:{}", driver.id)), &route);
}

/// Drives along it, a fix each 20 s or so, at a city's speed; tells when it is done.
pub(crate) fn drive(driver: &Person, task: &str, points: &[Point], from: i64, random: &mut Random, out: &mut Outbox) -> i64 {
    let mut at = from;
    for (here, there) in points.iter().zip(points.iter().skip(1)) {
        let (north, east) = ((there.lat - here.lat) * 111_195.0, (there.lon - here.lon) * 96_000.0);
        let metres = libm::sqrt(north * north + east * east);
        let mut done = 0.0;
        while done < metres {
            let (wait, speed) = (random.between(14, 26), random.real(6.0, 12.0));
            done += speed * f64::from(i32::try_from(wait).unwrap_or(20));
            at += wait * SECOND;
            let share = (done / metres).min(1.0);
            let place =
                here.offset(north * share + random.normal() * 4.0, (there.lon - here.lon) * 96_000.0 * share + random.normal() * 4.0);
            let fix = Gps {
                entity_id: &driver.id,
                lat: place.lat,
                lon: place.lon,
                accuracy_m: Some(one_digit(random.real(3.5, 14.0))),
                speed_mps: Some(one_digit(speed)),
                provider: Some("gps"),
                device_id: Some(driver.device()),
                task_id: Some(task),
                ..Gps::default()
            };
            out.relay(
                "gps.position",
                at - random.between(0, 900),
                at + random.between(150, 900),
                Some(format!("driver:{}", driver.id)),
                &fix,
            );
        }
    }
    at
}

/// He drives the longer way, or tells of it, and is paid by the kilometre. Blatant: again and again in one trip, each longer.
/// Moderate: twice a trip, for some hours. Careful: once a trip, a third longer, as for a closed road, on most trips of days.
fn altered(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let driver = scene.hire(Role::Driver);
    let (trips, again, percent) = match level {
        Level::Blatant => (scene.param("trips", 2, 5), scene.param("plans a trip", 3, 7), scene.param("percent longer", 80, 250)),
        Level::Moderate => (scene.param("trips", 4, 8), scene.param("plans a trip", 2, 3), scene.param("percent longer", 50, 130)),
        Level::Careful => (scene.param("trips", 9, 16), 1, scene.param("percent longer", 25, 60)),
    };
    let times: Vec<i64> = match level {
        Level::Blatant => (0..trips).map(|trip| scene.start + trip * 65 * MINUTE).collect(),
        Level::Moderate => (0..trips).map(|trip| scene.start + trip * 85 * MINUTE).collect(),
        Level::Careful => {
            let days = scene.param("days", 3, 4);
            scene.spread(trips, days)
        }
    };
    let mut place = city_at(driver.city).centre.near(&mut scene.random, 2_000.0);
    let mut also = vec![format!("driver:{}", driver.id), format!("device:{}", driver.device())];
    let (mut free, longer) = (0, f64::from(i32::try_from(percent).unwrap_or(50)) / 100.0);
    for (trip, at) in times.into_iter().enumerate() {
        let at = at.max(free);
        let random = &mut scene.random;
        let task = random.id("b_");
        let from = place;
        let goal = (random.real(1_800.0, 3_600.0) * if trip.is_multiple_of(2) { 1.0 } else { -1.0 }, random.real(-3_000.0, 3_000.0));
        place = from.offset(goal.0, goal.1);
        plan(&driver, &task, &way(from, goal, 0.1), at, random, out);
        let mut then = at;
        for turn in 1..=again {
            then += random.between(60, 150) * SECOND;
            let part = f64::from(i32::try_from(turn).unwrap_or(1)) / f64::from(i32::try_from(again).unwrap_or(1));
            // A way round of d is longer by about the root of 1 + d² less 1.
            let rounder = libm::sqrt((1.0 + longer * part) * (1.0 + longer * part) - 1.0);
            plan(&driver, &task, &way(from, goal, rounder), then, random, out);
        }
        let round = libm::sqrt((1.0 + longer) * (1.0 + longer) - 1.0);
        free = drive(&driver, &task, &way(from, goal, round), at + 20 * SECOND, random, out) + 4 * MINUTE;
        also.push(format!("booking:{task}"));
    }
    Some(Cast { entity: format!("user:{}", driver.id), also })
}
