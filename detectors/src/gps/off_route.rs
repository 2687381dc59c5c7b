//! Off route: a driver leaves the way that was planned for his task, drives it back, or stands on it where nothing is to be done.
//!
//! ```text
//! Input    gps.route_planned; gps.position with its task_id                 Key  driver
//! Formula  d = max(0, distance from the way − radius_factor · r), on the plane of kernel/route.rs; s = how far along it
//!          limit = max(corridor_m of the plan, off_m) + what thinning moved the way by
//! Fires    `off`: d > limit for off_s_min (180 s) and four fixes, or d > max(far_m (500 m), limit) for far_s_min (60 s) and three, away_m_min
//!          (200 m) or more from where that began, and since then he has come no nearer to the way's end, nor farther along it beside it
//!          `back`: three steps against the way, to a place that is back_m_min (200 m) or more below the farthest one that two fixes reached
//!          `stopped`: stop_s_min (600 s) and six fixes within stop_radius_m (40 m), over ends_m (150 m) from the way's start and its end
//!          Each once until he is on the way, goes on, or drives on; one at a fix
//! Strength 1 − bound / value of d, of the way back, of the time, in 0..1
//! State    the newest plan, of 512 points at the most: 6.1 kB; where he is on it, and three episodes: 0.4 kB. Forgotten after a day
//! Misses   whoever has come to the way's end (ends_m), comes nearer to it by each street, or gets a new plan; `back` and `stopped` before he
//!          was at its start, or 200 m along it; a way that spans 10° or lies beyond 85° of latitude; who stands nearer than 150 m to an end; a
//!          clock set back to before the plan; a way that leads back as it came
//! Alarms   wrongly on a closed road without a new plan, on a customer who wants to go elsewhere, on ten minutes in a jam
//! Source   matching to the nearest piece from the last one on, as a planned way needs no more of Newson and Krumm (2009); windows over
//!          segments after Valhalla Meili
//! ```
//!
//! A new plan, of this task or another, begins anew. Positions count where they are dated, newer than the last one and than the plan,
//! and to 100 m: of what is delivered late or twice nothing is known here. A silence of five minutes ends what is going on.
//!
//! Before he was at its start a driver is on his way to it: coming nearer to it is as good as to the end. A step goes against the way only
//! where no piece of it within the limit goes along with the step: the other carriageway, or a street that it crosses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::entity::EntityKind;
use crate::event::units::Metres as Width;
use crate::event::{Data, EventType};
use crate::kernel::route::{Metres, Place, Route, length_m};
use crate::kernel::track::{Ping, RADIUS_M_DEFAULT};
use crate::operator::{DAY_MS, Fact, Feeds, HeapBounds, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

/// A vaguer fix says nothing of a street.
const RADIUS_M_MAX: f64 = 100.0;
/// After a longer silence nobody knows what was between, ms.
const SILENCE_MS: i64 = 300_000;
/// A receiver in a street is so far off its lane, m, whatever radius it tells.
const LANE_M: f64 = 15.0;
/// Fewest fixes of each episode: one accuses nobody, nor do two of a batch.
const OFF_FIXES: u32 = 4;
const FAR_FIXES: u32 = 3;
const BACK_STEPS: u32 = 3;
const STOP_FIXES: u32 = 6;
/// So many fixes in a row outside a stop's circle end it: one may be wild.
const STRAYS: u32 = 2;
/// Shorter steps are noise and have no direction, m, less radii.
const STEP_M: f64 = 25.0;
/// Whoever has come so far along the way is under way, m.
const UNDERWAY_M: f64 = 200.0;

/// See the module's header.
pub struct OffRoute;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// How far from the way is off it, m, where its plan names no wider corridor. 75: the next street but one in a city.
    #[schemars(range(min = 10.0, max = 10_000.0), example = 75.0)]
    pub off_m: f64,
    /// For how long, s. 180: a block of one-way streets is driven around in less.
    #[schemars(range(min = 1.0, max = 86_400.0), example = 180.0)]
    pub off_s_min: f64,
    /// How far is another part of the city, m.
    #[schemars(range(min = 10.0, max = 100_000.0), example = 500.0)]
    pub far_m: f64,
    /// For how long, s.
    #[schemars(range(min = 1.0, max = 86_400.0), example = 60.0)]
    pub far_s_min: f64,
    /// How far he must have gone since, straight, m. 200: whoever stops beside the way, for fuel or a customer, has not.
    #[schemars(range(min = 0.0, max = 100_000.0), example = 200.0)]
    pub away_m_min: f64,
    /// How far back along the way, m. 200: a missed door or turn is less.
    #[schemars(range(min = 50.0, max = 100_000.0), example = 200.0)]
    pub back_m_min: f64,
    /// The circle of a stop, m.
    #[schemars(range(min = 10.0, max = 1_000.0), example = 40.0)]
    pub stop_radius_m: f64,
    /// How long a stop needs no explanation, s. 600: level crossings, fuel and the worst lights take less.
    #[schemars(range(min = 60.0, max = 86_400.0), example = 600.0)]
    pub stop_s_min: f64,
    /// How near to its start or its end he is there, m: parking, a compound's gate.
    #[schemars(range(min = 0.0, max = 10_000.0), example = 150.0)]
    pub ends_m: f64,
    /// How many 68 % radii of a fix to take off distances.
    #[schemars(range(min = 0.0, max = 10.0), example = 1.5)]
    pub radius_factor: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            off_m: 75.0,
            off_s_min: 180.0,
            far_m: 500.0,
            far_s_min: 60.0,
            away_m_min: 200.0,
            back_m_min: 200.0,
            stop_radius_m: 40.0,
            stop_s_min: 600.0,
            ends_m: 150.0,
            radius_factor: 1.5,
        }
    }
}

/// What is remembered of one driver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    drive: Option<Drive>,
}

/// The newest plan, and how it is driven.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Drive {
    /// The task's key.
    task: u64,
    /// When it was planned, event clock, ms.
    planned_ms: i64,
    corridor_m: f64,
    /// `None`: a plan that no plane holds.
    route: Option<Route>,
    newest_ms: Option<i64>,
    /// The last place of his that was on the way, and how much of it radii leave in doubt, m.
    place: Option<(Place, f64)>,
    progress: Progress,
    off: Option<Off>,
    is_off_told: bool,
    steps: Option<Steps>,
    is_back_told: bool,
    stop: Option<Stop>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Progress {
    /// On his way to it; the lowest place along it so far, m.
    Coming(f64),
    /// On it; the farthest place that two fixes reached, m.
    Underway(f64),
    /// He has come to its end.
    Arrived,
}

/// A fix on the plane.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Fix {
    at: Metres,
    /// Of its radius so much is taken off distances, m.
    doubt_m: f64,
    /// By the device's clock, ms.
    at_ms: i64,
}

/// Off the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Off {
    first: Fix,
    fixes: u32,
    /// Then: straight to the way's start and to its end, and the place along it that was nearest, m.
    start_m: f64,
    end_m: f64,
    along_m: f64,
    /// Since when he is far off, ms, and in how many fixes.
    far: Option<(i64, u32)>,
}

/// Steps against the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Steps {
    newest: Fix,
    against: u32,
    /// Where the first of those began, ms.
    since_ms: i64,
}

/// At one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stop {
    first: Fix,
    fixes: u32,
    strays: u32,
    is_told: bool,
}

/// What its signal carries.
const FIELDS: &[SignalField] = &[
    SignalField { name: "what", ty: SignalType::Text, doc: "off, back or stopped" },
    SignalField {
        name: "distance_m",
        ty: SignalType::Double { decimals: 0 },
        doc: "off: from the way; back: along it; stopped: from its nearer end; less radii, m",
    },
    SignalField { name: "limit_m", ty: SignalType::Double { decimals: 0 }, doc: "the bound on that, m" },
    SignalField { name: "end_m", ty: SignalType::Double { decimals: 0 }, doc: "straight to the way's end, m" },
    SignalField { name: "span_s", ty: SignalType::Double { decimals: 0 }, doc: "for how long, s" },
    SignalField { name: "fixes", ty: SignalType::Int, doc: "in how many fixes, or steps back" },
    SignalField { name: "strength", ty: SignalType::Double { decimals: 3 }, doc: "how far past the bound, 0 to 1" },
];

impl Operator for OffRoute {
    const NAME: &'static str = "off_route";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "A driver leaves the way planned for his task, drives it back, or stands on it for long.";
    const FEEDS: Feeds = Feeds::Fixed {
        inputs: &[EventType::GpsPosition, EventType::RoutePlanned],
        reads: &["lat", "lon", "accuracy_m", "provider", "task_id", "points", "corridor_m"],
    };
    const YIELDS: Yields = Yields::Signal(FIELDS);
    const FIRES_ON: &'static [EventType] = &[EventType::GpsPosition];
    const NEEDS_RAW: bool = true;
    type Params = Params;
    type State = State;

    fn ttl_ms(_: &Setup<Params>) -> i64 {
        DAY_MS
    }

    fn heap_bytes(state: &State) -> usize {
        state.drive.as_ref().and_then(|drive| drive.route.as_ref()).map_or(0, Route::heap_bytes)
    }

    fn heap_bounds(_: &Setup<Params>) -> HeapBounds {
        HeapBounds { first: 0, most: Route::HEAP_BYTES_MAX }
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        let key = |task: &str| fact.hasher.key(EntityKind::Booking, task);
        if let Data::RoutePlanned(plan) = &fact.event.data {
            let corridor_m = plan.corridor_m.map_or(0.0, Width::get);
            state.plan(key(plan.task_id.expose()), fact.at_ms, corridor_m, || Route::of(plan.points.positions()));
            return None;
        }
        let (ping, told) = Ping::of(fact.event, RADIUS_M_DEFAULT)?;
        let task = told.task_id.as_ref()?;
        let drive = state.drive.as_mut().filter(|drive| drive.task == key(task.expose()))?;
        drive.observe(&setup.params, &ping)
    }
}

impl State {
    /// A plan that was overtaken by a newer one is none.
    fn plan(&mut self, task: u64, planned_ms: i64, corridor_m: f64, route: impl FnOnce() -> Option<Route>) {
        if self.drive.as_ref().is_none_or(|drive| drive.planned_ms <= planned_ms) {
            self.drive = Some(Drive {
                task,
                planned_ms,
                corridor_m,
                route: route(),
                newest_ms: None,
                place: None,
                progress: Progress::Coming(f64::MAX),
                off: None,
                is_off_told: false,
                steps: None,
                is_back_told: false,
                stop: None,
            });
        }
    }
}

impl Drive {
    fn observe(&mut self, params: &Params, ping: &Ping) -> Option<Signal> {
        let is_vague = ping.radius_m > RADIUS_M_MAX || !ping.is_dated();
        let is_late = ping.device_ms < self.planned_ms || self.newest_ms.is_some_and(|newest_ms| ping.device_ms <= newest_ms);
        if is_vague || is_late || matches!(self.progress, Progress::Arrived) {
            return None;
        }
        let route = self.route.take()?;
        let told = self.judge(params, &route, ping);
        self.route = Some(route);
        told
    }

    fn judge(&mut self, params: &Params, route: &Route, ping: &Ping) -> Option<Signal> {
        let fix = Fix { at: route.metres(ping.position), doubt_m: params.radius_factor * ping.radius_m, at_ms: ping.device_ms };
        if self.newest_ms.is_some_and(|newest_ms| fix.at_ms.saturating_sub(newest_ms) > SILENCE_MS) {
            (self.off, self.steps, self.stop) = (None, None, None);
        }
        self.newest_ms = Some(fix.at_ms);
        let slack_m = LANE_M + fix.doubt_m + route.thinned_m();
        let place = route.place(fix.at, self.place.as_ref().map(|(place, _)| place), slack_m);
        let ends_m = route.ends_m(fix.at);
        if ends_m.1 - fix.doubt_m <= params.ends_m && place.along_m >= route.length_m() / 2.0 {
            if matches!(self.progress, Progress::Underway(_)) {
                self.progress = Progress::Arrived;
            }
            (self.off, self.steps, self.stop) = (None, None, None);
            return None;
        }
        let limit_m = self.corridor_m.max(params.off_m) + route.thinned_m();
        let off_m = place.off_m - fix.doubt_m;
        let says = |what: &str, (value_m, limit_m): (f64, f64), since_ms: i64, fixes: u32, strength: f64| {
            let numbers = [value_m, limit_m, ends_m.1, seconds(since_ms, fix.at_ms)].map(OwnedValue::Double);
            let rest = [OwnedValue::Int(i64::from(fixes)), OwnedValue::Double(strength)];
            Signal::new(FIELDS, std::iter::once(OwnedValue::Str(what.into())).chain(numbers).chain(rest))
        };
        let mut told = None;
        if off_m > limit_m {
            self.steps = None;
            let far_m = params.far_m.max(limit_m);
            if let Some((since_ms, fixes)) =
                self.goes_off(params, &fix, (off_m, far_m), place.along_m, ends_m).filter(|_| !self.is_off_told)
            {
                self.is_off_told = true;
                told = Some(says("off", (off_m, limit_m), since_ms, fixes, 1.0 - limit_m / off_m));
            }
        } else {
            (self.off, self.is_off_told) = (None, false);
            let below_m = self.goes_on(params, &fix, &place, ends_m.0);
            self.step(route, &fix, &place, limit_m);
            let steps =
                self.steps.as_ref().filter(|steps| steps.against >= BACK_STEPS && below_m >= params.back_m_min && !self.is_back_told);
            if let Some(steps) = steps {
                let strength = 1.0 - params.back_m_min / below_m;
                told = Some(says("back", (below_m, params.back_m_min), steps.since_ms, steps.against, strength));
                self.is_back_told = true;
            }
        }
        let from_ends_m = ends_m.0.min(ends_m.1) - fix.doubt_m;
        let stop = self.stands(params, &fix).filter(|stop| stop.is_long(params, &fix) && from_ends_m > params.ends_m && !stop.is_told);
        if let (Some(stop), None) = (stop, &told) {
            stop.is_told = true;
            let strength = 1.0 - params.stop_s_min / seconds(stop.first.at_ms, fix.at_ms);
            told = Some(says("stopped", (from_ends_m, params.ends_m), stop.first.at_ms, stop.fixes, strength));
        }
        told
    }

    /// A fix off the way; since when and in how many fixes, where that is long enough.
    fn goes_off(
        &mut self,
        params: &Params,
        fix: &Fix,
        (off_m, far_m): (f64, f64),
        along_m: f64,
        (start_m, end_m): (f64, f64),
    ) -> Option<(i64, u32)> {
        let is_coming = matches!(self.progress, Progress::Coming(_));
        let gets_on = |off: &Off| {
            let is_nearer = end_m < off.end_m || is_coming && start_m < off.start_m;
            is_nearer || off_m <= params.far_m && along_m > off.along_m + STEP_M
        };
        let off = self.off.take().filter(|off| !gets_on(off));
        let mut off = off.unwrap_or(Off { first: *fix, fixes: 0, start_m, end_m, along_m, far: None });
        off.fixes = off.fixes.saturating_add(1);
        off.far = (off_m > far_m).then(|| {
            let (since_ms, fixes) = off.far.unwrap_or((fix.at_ms, 0));
            (since_ms, fixes.saturating_add(1))
        });
        let lasts = |since_ms: i64, fixes: u32, s_min: f64, fixes_min: u32| {
            (fixes >= fixes_min && seconds(since_ms, fix.at_ms) >= s_min).then_some((since_ms, fixes))
        };
        let by_far = off.far.and_then(|(since_ms, fixes)| lasts(since_ms, fixes, params.far_s_min, FAR_FIXES));
        let by_off = lasts(off.first.at_ms, off.fixes, params.off_s_min, OFF_FIXES);
        let away_m = off.first.distance_m(fix);
        self.off = Some(off);
        by_off.or(by_far).filter(|_| away_m >= params.away_m_min)
    }

    /// A fix on the way; how far below the farthest place it is, m, 0 where he is not under way.
    fn goes_on(&mut self, params: &Params, fix: &Fix, place: &Place, start_m: f64) -> f64 {
        let (last, last_doubt_m) = self.place.replace((*place, fix.doubt_m)).unwrap_or((*place, fix.doubt_m));
        let sure_m = (last.along_m - last_doubt_m).min(place.along_m - fix.doubt_m);
        match &mut self.progress {
            Progress::Coming(lowest_m) => {
                *lowest_m = lowest_m.min(place.along_m);
                if start_m - fix.doubt_m <= params.ends_m || sure_m >= *lowest_m + UNDERWAY_M {
                    self.progress = Progress::Underway(sure_m.max(0.0));
                }
                0.0
            }
            Progress::Underway(farthest_m) => {
                if sure_m > *farthest_m {
                    *farthest_m = sure_m;
                    self.is_back_told = false;
                }
                (*farthest_m - place.along_m - fix.doubt_m).max(0.0)
            }
            Progress::Arrived => 0.0,
        }
    }

    /// The step to a fix on the way.
    fn step(&mut self, route: &Route, fix: &Fix, place: &Place, limit_m: f64) {
        let Some(steps) = &mut self.steps else {
            self.steps = Some(Steps { newest: *fix, against: 0, since_ms: fix.at_ms });
            return;
        };
        if steps.newest.distance_m(fix) < STEP_M {
            return;
        }
        let step = (fix.at.0 - steps.newest.at.0, fix.at.1 - steps.newest.at.1);
        if !route.is_against(place, fix.at, step, limit_m + fix.doubt_m) {
            steps.against = 0;
        } else if steps.against == 0 {
            (steps.against, steps.since_ms) = (1, steps.newest.at_ms);
        } else {
            steps.against = steps.against.saturating_add(1);
        }
        steps.newest = *fix;
    }

    /// Where he stands, if he is under way.
    fn stands(&mut self, params: &Params, fix: &Fix) -> Option<&mut Stop> {
        if !matches!(self.progress, Progress::Underway(_)) {
            return None;
        }
        let stop = self.stop.get_or_insert(Stop { first: *fix, fixes: 0, strays: 0, is_told: false });
        if length_m(stop.first.at, fix.at) <= params.stop_radius_m {
            (stop.fixes, stop.strays) = (stop.fixes.saturating_add(1), 0);
        } else {
            stop.strays += 1;
            if stop.strays >= STRAYS {
                *stop = Stop { first: *fix, fixes: 1, strays: 0, is_told: false };
            }
        }
        Some(stop)
    }
}

impl Stop {
    /// Whether he stands there still, and long enough.
    fn is_long(&self, params: &Params, fix: &Fix) -> bool {
        self.strays == 0 && self.fixes >= STOP_FIXES && seconds(self.first.at_ms, fix.at_ms) >= params.stop_s_min
    }
}

impl Fix {
    /// The least distance to another, m.
    fn distance_m(&self, other: &Self) -> f64 {
        length_m(self.at, other.at) - self.doubt_m - other.doubt_m
    }
}

/// Shows nobody's place.
impl std::fmt::Debug for Fix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fix").field("doubt_m", &self.doubt_m).field("at_ms", &self.at_ms).finish_non_exhaustive()
    }
}

/// From one instant to another, s.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of some thousand years are below 2^53")]
fn seconds(from_ms: i64, to_ms: i64) -> f64 {
    to_ms.saturating_sub(from_ms) as f64 / 1000.0
}

#[cfg(test)]
mod tests;
