//! Drivers' shifts: jobs along street-like ways, waits at lights, stops at doors, a fix each 10 to 30 s. And what receivers and
//! networks do to honest tracks: metres of noise, tunnels, cell-tower fixes, a rare wild fix, holes in coverage after which a
//! batch of old fixes arrives at once.

use crate::Config;
use crate::clock::{HOUR, MINUTE, SECOND, busy_instant, cairo_hour};
use crate::honest::{day_number, delivery};
use crate::payload::{Gps, Route};
use crate::people::{Person, Population};
use crate::places::{City, Point, city_at};
use crate::random::Random;
use crate::wire::{Outbox, Story, one_digit};

pub(crate) fn day(config: &Config, population: &Population, day_start: i64, out: &mut Outbox) {
    let number = day_number(day_start);
    for driver in &population.drivers {
        let random = &mut Random::of(config.seed, "shift", driver.number, number);
        if random.chance(0.9) {
            let mut from = busy_instant(random, day_start);
            while !(6..19).contains(&cairo_hour(from)) {
                from = busy_instant(random, day_start);
            }
            let length = random.between(5 * HOUR, 9 * HOUR);
            let mut shift = Shift::new(driver, random, from);
            shift.drive(random, from + length, &Honest, out);
            let random = &mut Random::of(config.seed, "deliveries", driver.number, number);
            for run in &shift.runs {
                delivery::booked(driver, run, population, random, out);
            }
        }
    }
}

/// Metres north and east of the city's centre.
pub(crate) type Metres = (f64, f64);

/// What a device reports at a time instead of where it is.
pub(crate) trait Disguise {
    /// Metres north and east to add to the true place, where the report is a lie.
    fn displace(&self, at: i64, place: Metres) -> Option<Metres>;
    /// The story that the lies belong to.
    fn story(&self) -> Option<Story>;
    /// Whether the device admits to a mock provider.
    fn mock(&self) -> bool;
}

/// No disguise.
pub(crate) struct Honest;

impl Disguise for Honest {
    fn displace(&self, _: i64, _: Metres) -> Option<Metres> {
        None
    }

    fn story(&self) -> Option<Story> {
        None
    }

    fn mock(&self) -> bool {
        false
    }
}

/// A driver at work.
pub(crate) struct Shift<'a> {
    driver: &'a Person,
    city: &'static City,
    at: i64,
    place: Metres,
    speed: f64,
    heading: f64,
    interval: i64,
    next_fix: i64,
    /// Receiver noise, m, which wanders instead of jumping.
    noise: Metres,
    task: Option<String>,
    /// Until when fixes are kept on the device, for want of a network.
    offline_until: i64,
    /// Until when there is no sky.
    tunnel_until: i64,
    /// The ways that were driven to their end.
    pub(crate) runs: Vec<Run>,
}

/// One way with a task, driven to its end.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) task: String,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) goal: Point,
}

impl<'a> Shift<'a> {
    pub(crate) fn new(driver: &'a Person, random: &mut Random, at: i64) -> Self {
        let city = city_at(driver.city);
        let place = (random.real(-0.5, 0.5) * city.radius_m, random.real(-0.5, 0.5) * city.radius_m);
        let interval = random.between(10, 30) * SECOND;
        Self {
            driver,
            city,
            at,
            place,
            speed: 0.0,
            heading: 0.0,
            interval,
            next_fix: at,
            noise: (0.0, 0.0),
            task: None,
            offline_until: 0,
            tunnel_until: 0,
            runs: Vec::new(),
        }
    }

    /// Works until that time.
    pub(crate) fn drive(&mut self, random: &mut Random, until: i64, disguise: &dyn Disguise, out: &mut Outbox) {
        while self.at < until {
            let wait = random.between(3 * MINUTE, 14 * MINUTE);
            self.park(random, wait, until, disguise, out);
            self.task = Some(random.id("b_"));
            let limit = self.city.radius_m * 0.7;
            let goal = (random.real(-limit, limit), random.real(-limit, limit));
            let way = self.streets(random, goal);
            let from = self.at;
            self.plan(random, &way, out);
            for corner in way {
                self.drive_leg(random, corner, until, disguise, out);
            }
            if let Some(task) = self.task.clone().filter(|_| self.at < until) {
                self.runs.push(Run { task, from, to: self.at, goal: self.point(self.place) });
            }
            let wait = random.between(2 * MINUTE, 6 * MINUTE);
            self.park(random, wait, until, disguise, out);
            self.task = None;
        }
    }

    /// Stands for a while.
    pub(crate) fn park(&mut self, random: &mut Random, wait: i64, until: i64, disguise: &dyn Disguise, out: &mut Outbox) {
        self.speed = 0.0;
        let end = (self.at + wait).min(until);
        while self.at < end {
            if self.at >= self.next_fix {
                self.ping(random, disguise, out);
            }
            self.at += SECOND;
        }
    }

    /// Corners on a way to the goal along the city's grid, in legs of 90 to 700 m.
    fn streets(&self, random: &mut Random, goal: Metres) -> Vec<Metres> {
        let (sin, cos) = (libm::sin(self.city.grid_rad), libm::cos(self.city.grid_rad));
        let (north, east) = (goal.0 - self.place.0, goal.1 - self.place.1);
        let (mut along, mut across) = (north * cos + east * sin, east * cos - north * sin);
        let mut corners = Vec::new();
        let mut here = self.place;
        for turn in 0..200 {
            if along.abs() < 40.0 && across.abs() < 40.0 {
                break;
            }
            let leg = random.real(90.0, 700.0);
            let left = if turn % 2 == 0 { &mut along } else { &mut across };
            let step = left.clamp(-leg, leg);
            *left -= step;
            if step.abs() < 1.0 {
                continue;
            }
            here = if turn % 2 == 0 { (here.0 + step * cos, here.1 + step * sin) } else { (here.0 - step * sin, here.1 + step * cos) };
            corners.push(here);
        }
        corners
    }

    fn plan(&self, random: &mut Random, way: &[Metres], out: &mut Outbox) {
        let points: Vec<(f64, f64)> =
            std::iter::once(&self.place).chain(way).map(|place| self.point(*place)).map(|point| (point.lat, point.lon)).collect();
        if points.len() < 2 {
            return;
        }
        let Some(task) = &self.task else { return };
        let route = Route { route_id: random.id("rt_"), entity_id: &self.driver.id, task_id: task, points, corridor_m: Some(75.0) };
        out.send("gps.route_planned", self.at, Some(format!("driver:{}", self.driver.id)), &route);
    }

    /// Drives one leg, second by second between fixes, and waits at some corners.
    fn drive_leg(&mut self, random: &mut Random, corner: Metres, until: i64, disguise: &dyn Disguise, out: &mut Outbox) {
        let total = length(self.place, corner);
        // Side streets at 20 to 45 km/h, long legs up to 80.
        let limit = if total > 500.0 { random.real(11.0, 22.0) } else { random.real(5.5, 12.5) };
        self.heading = bearing(self.place, corner);
        if self.city.tunnel && total > 500.0 && random.chance(0.04) {
            self.tunnel_until = self.at + random.between(50 * SECOND, 4 * MINUTE);
        }
        if random.chance(0.012) {
            self.offline_until = self.at + random.between(2 * MINUTE, 9 * MINUTE);
        }
        while self.at < until {
            let left = length(self.place, corner);
            if left < 1.0 {
                break;
            }
            // Braking for the corner at 2 m/s², speeding up at 1.5.
            let target = limit.min((2.0 * 2.0 * left).sqrt()).max(2.5) * random.real(0.9, 1.05);
            self.speed = (self.speed + 1.5).min(target);
            let part = (self.speed / left).min(1.0);
            self.place = (self.place.0 + (corner.0 - self.place.0) * part, self.place.1 + (corner.1 - self.place.1) * part);
            self.at += SECOND;
            if self.at >= self.next_fix {
                self.ping(random, disguise, out);
            }
        }
        if random.chance(0.2) {
            let wait = random.between(8 * SECOND, 70 * SECOND);
            self.park(random, wait, until, disguise, out);
        }
    }

    fn point(&self, place: Metres) -> Point {
        self.city.centre.offset(place.0, place.1)
    }

    /// Reports a fix, unless there is no sky.
    fn ping(&mut self, random: &mut Random, disguise: &dyn Disguise, out: &mut Outbox) {
        self.next_fix = self.at + self.interval;
        self.noise = (self.noise.0 * 0.8 + random.normal() * 2.2, self.noise.1 * 0.8 + random.normal() * 2.2);
        if self.at < self.tunnel_until {
            return;
        }
        let lie = disguise.displace(self.at, self.place);
        let (mut north, mut east) = (self.place.0 + self.noise.0, self.place.1 + self.noise.1);
        let (mut accuracy, mut provider) = (random.real(3.5, 14.0), "gps");
        if let Some(offset) = lie {
            (north, east) = (north + offset.0, east + offset.1);
            provider = "fused";
        } else if random.chance(0.02) {
            // No satellites among towers: the cell's place, honestly said to be coarse.
            (accuracy, provider) = (random.real(150.0, 1_100.0), "network");
            (north, east) = (north + random.normal() * accuracy * 0.6, east + random.normal() * accuracy * 0.6);
        } else if random.chance(0.000_1) {
            // A wild fix that claims to be exact.
            let far = random.real(600.0, 4_000.0);
            (north, east) = (north + far, east - far * random.real(-1.0, 1.0));
        }
        let point = self.point((north, east));
        let fix = Gps {
            entity_id: &self.driver.id,
            lat: point.lat,
            lon: point.lon,
            accuracy_m: Some(one_digit(accuracy)),
            speed_mps: Some(one_digit(self.speed)),
            heading_deg: (self.speed > 0.5).then_some(one_digit(self.heading)),
            mock: (lie.is_some() && disguise.mock()).then_some(true),
            provider: Some(provider),
            device_id: Some(self.driver.device()),
            task_id: self.task.as_deref(),
        };
        // A device without a network keeps its fixes and hands them over when it has one again.
        let sent = if self.at < self.offline_until { self.offline_until + random.between(0, 1_500) } else { self.at };
        let received = sent + 150 + random.wait(350).min(20 * SECOND);
        out.story = lie.and(disguise.story());
        out.relay("gps.position", self.at - random.between(0, 900), received, Some(format!("driver:{}", self.driver.id)), &fix);
        out.story = None;
    }
}

/// Metres between two places.
fn length(a: Metres, b: Metres) -> f64 {
    let (north, east) = (b.0 - a.0, b.1 - a.1);
    (north * north + east * east).sqrt()
}

/// Degrees clockwise from north.
fn bearing(a: Metres, b: Metres) -> f64 {
    let degrees = libm::atan2(b.1 - a.1, b.0 - a.0).to_degrees();
    if degrees < 0.0 { degrees + 360.0 } else { degrees }
}
