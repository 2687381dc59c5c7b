//! Teleport: a driver's fixes go on somewhere that he cannot have come to, and stay there.
//!
//! ```text
//! Input    gps.position                                                     Key  driver
//! Formula  d_lb = max(0, d − radius_factor · (r₁ + r₂) − peak · min(interval, 60 s));  v = max(speed_mps_max, 1.5 · peak)
//!          unreachable where d_lb > distance_m_min and d_lb > v · (Δt + tolerance_s)            (Δt: kernel/track.rs)
//! Fires    the anchor is the last fix that he can have come to. One that is unreachable from it is a candidate; another one that is
//!          unreachable from the anchor and reachable from the candidate confirms it. The candidate's `fixes`-th fires (2; 3 for jumps
//!          under `short_m_max`, one more for every two glitches of late, at most three more), where none lies more than confirm_s_max
//!          after the first, and the anchor was not the first fix of all: it may be the wild one
//! Strength 1 − v · Δt / d_lb of the jump, in 0..1
//! State    anchor, the fix before the last silence, candidate, peak speed, interval, glitches; at most twelve fixes on the way
//! Misses   one fix, there and back (`impossible_speed` sees its two legs); jumps under some kilometres of a device that sends once a
//!          minute, which a car can drive; a jump of somebody who hops by hundreds of metres a second before, and so has a fast peak; a
//!          jump after a silence that is long enough for the way
//! Alarms   wrongly on a receiver that is wrong alike for minutes, and on batches of fixes that were dated anew by whoever sent them on
//! Source   the two-state filter of anchor and candidate after traccar `FilterHandler` (distance and speed from the last position) and
//!          MovingPandas `OutlierCleaner` (from the last one kept), both of which take a single wild fix for a jump
//! ```
//!
//! The same fix twice (place and device time) is one. After 20 minutes of silence he may have flown (kernel/track.rs).
//!
//! A glitch comes back: the next fix is where the anchor says, and it accuses nobody, however far it was. Fixes that alternate between
//! two places are glitches each time. What is delivered late is put in order where it can be, and else passed over.
//!
//! After a silence of two minutes fixes are often dated too close together: the way was driven while nothing was sent. So for two
//! minutes more a fix must be unreachable from before the silence as well. And a fix of a fast car may be a sampling interval old
//! when it is dated: that way is taken off, `peak` being the fastest of his late steps. A passenger of a fast train has a fast peak.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::EventType;
use crate::kernel::lower_bound_speed::Excess;
use crate::kernel::track::{Order, Ping, RADIUS_M_DEFAULT, distance_m, elapsed_s, flown_mps};
use crate::operator::{Fact, Feeds, HeapBounds, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

/// A vaguer fix neither begins a jump nor says where somebody is, m: towers, and receivers between high walls.
const RADIUS_M_MAX: f64 = 300.0;
/// A silence: longer than any sampling interval in use, s.
const SILENCE_S: f64 = 120.0;
/// How long after one fixes may be dated too close together, s.
const RESUMED_S: f64 = 120.0;
/// The longest interval for which a fix's date may be wrong, s.
const DATED_S_MAX: f64 = 60.0;
/// Somebody who drove so fast may be half as fast again soon.
const PEAK_FACTOR: f64 = 1.5;
/// Faster than this no peak makes him, m/s: 360 km/h, the fastest trains.
const SPEED_MPS_MAX: f64 = 100.0;
/// Steps of less time are a receiver's noise and no speed, s.
const STEP_S_MIN: f64 = 2.0;
/// The peak halves in so much time on the way, s.
const PEAK_HALF_S: f64 = 300.0;
/// Glitches are forgotten by half in so long, s.
const GLITCH_HALF_S: f64 = 3_600.0;
/// So many more fixes glitches ask for at the most.
const GLITCH_FIXES_MAX: f64 = 3.0;
/// So many fixes in turn, each unreachable from the one before, and the first fix of all was the wild one.
const SCATTERED_MAX: u32 = 6;

/// See the module's header.
pub struct Teleport;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Fastest credible speed of a vehicle, m/s. 36: 130 km/h, the fastest that is driven on roads here; somebody's own late peak counts
    /// where it is higher. Lower sees shorter jumps and accuses fast drivers.
    #[schemars(range(min = 1.0, max = 300.0), example = 36.0)]
    pub speed_mps_max: f64,
    /// Jumps up to this are never judged, m. 1 500: what walls, tunnels and wrong dates make of an honest track.
    #[schemars(range(min = 0.0, max = 20_000_000.0), example = 1_500.0)]
    pub distance_m_min: f64,
    /// Jumps under this want a third fix, m. 2 500: the longest that receivers were seen to make for two fixes is 3.2 km, most are under 2.
    #[schemars(range(min = 0.0, max = 20_000_000.0), example = 2_500.0)]
    pub short_m_max: f64,
    /// Fixes at the new place that confirm a jump, with the first. 2: one more.
    #[schemars(range(min = 2, max = 100), example = 2)]
    pub fixes: u32,
    /// How long after the first one they may come, s. 120: later ones say little about when he came there.
    #[schemars(range(min = 1.0, max = 3_600.0), example = 120.0)]
    pub confirm_s_max: f64,
    /// How many 68 % radii of both fixes to take off the distance. 1.5 is about 87 % of honest error.
    #[schemars(range(min = 0.0, max = 10.0), example = 1.5)]
    pub radius_factor: f64,
    /// How far the device's clock may wander between two fixes, s.
    #[schemars(range(min = 0.0, max = 3_600.0), example = 3.0)]
    pub tolerance_s: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            speed_mps_max: 36.0,
            distance_m_min: 1_500.0,
            short_m_max: 2_500.0,
            fixes: 2,
            confirm_s_max: 120.0,
            radius_factor: 1.5,
            tolerance_s: 3.0,
        }
    }
}

/// What is remembered of one driver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    order: Order,
    anchor: Option<Ping>,
    /// How many fixes in a row say that he is there.
    anchor_fixes: u32,
    /// The last fix before the last silence, and the first one after it.
    silence: Option<(Ping, Ping)>,
    candidate: Option<Candidate>,
    /// The fastest of his late steps, m/s.
    peak_mps: f64,
    /// How often he sends, s.
    interval_s: f64,
    scattered: u32,
    /// How many glitches of late, as of the anchor's time.
    glitches: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Candidate {
    first: Ping,
    newest: Ping,
    fixes: u32,
    jump: Jump,
}

/// What made it a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Jump {
    distance_m: f64,
    radius_m: f64,
    elapsed_s: f64,
    strength: f64,
}

/// What its signal carries.
const FIELDS: &[SignalField] = &[
    SignalField { name: "distance_m", ty: SignalType::Double { decimals: 0 }, doc: "distance of the jump less radii and doubt, m" },
    SignalField { name: "radius_m", ty: SignalType::Double { decimals: 0 }, doc: "radii of both fixes, m" },
    SignalField { name: "elapsed_s", ty: SignalType::Double { decimals: 0 }, doc: "time that it took, s" },
    SignalField { name: "speed_mps", ty: SignalType::Double { decimals: 1 }, doc: "slowest speed that explains it, m/s" },
    SignalField { name: "strength", ty: SignalType::Double { decimals: 3 }, doc: "how far past the bound, 0 to 1" },
    SignalField { name: "fixes", ty: SignalType::Int, doc: "fixes at the new place so far" },
    SignalField {
        name: "glitches",
        ty: SignalType::Double { decimals: 1 },
        doc: "wild fixes of the device in the last hours, each halved with every hour",
    },
];

impl Operator for Teleport {
    const NAME: &'static str = "teleport";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "A driver's fixes go on at a place that he cannot have come to; one wild fix that comes back is none.";
    const FEEDS: Feeds = Feeds::Fixed { inputs: &[EventType::GpsPosition], reads: &["lat", "lon", "accuracy_m", "provider"] };
    const YIELDS: Yields = Yields::Signal(FIELDS);
    const NEEDS_RAW: bool = true;
    type Params = Params;
    type State = State;

    fn ttl_ms(_: &Setup<Params>) -> i64 {
        24 * 3_600_000
    }

    fn heap_bytes(state: &State) -> usize {
        state.order.heap_bytes()
    }

    fn heap_bounds(_: &Setup<Params>) -> HeapBounds {
        HeapBounds { first: 0, most: Order::HEAP_BYTES_MAX }
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        let (ping, _) = Ping::of(fact.event, RADIUS_M_DEFAULT)?;
        state.observe(&setup.params, ping)
    }
}

impl State {
    fn observe(&mut self, params: &Params, ping: Ping) -> Option<Signal> {
        if ping.radius_m > RADIUS_M_MAX {
            return None;
        }
        let mut order = std::mem::take(&mut self.order);
        let mut fired = None;
        order.push(ping, |next| fired = self.judge(params, next).or(fired.take()));
        self.order = order;
        fired
    }

    /// Looks at the next one in the order in which they were taken.
    fn judge(&mut self, params: &Params, next: Ping) -> Option<Signal> {
        let Some(anchor) = self.anchor else {
            self.settle(next, 1);
            return None;
        };
        if next.taken_ms() < anchor.taken_ms() {
            return None; // it came too late to say where he is now
        }
        if next.is_same(&anchor) || self.candidate.as_ref().is_some_and(|candidate| next.is_same(&candidate.newest)) {
            return None; // delivered twice
        }
        let jump = self.excess(params, &anchor, &next).filter(|_| !self.is_explained_by_silence(params, &anchor, &next));
        let Some(mut candidate) = self.candidate.take() else {
            match jump {
                None => self.go_on(&anchor, next),
                Some(jump) => self.candidate = Some(Candidate::new(next, &jump)),
            }
            return None;
        };
        if next.taken_ms() < candidate.newest.taken_ms() {
            self.candidate = Some(candidate);
            return None;
        }
        let is_apart = self.excess(params, &candidate.newest, &next).is_some();
        let is_back = match (jump, is_apart) {
            (None, true) => true,
            // Both can be: the one that asks for less speed is meant.
            (None, false) => pace_mps(params, &anchor, &next) <= pace_mps(params, &candidate.newest, &next),
            (Some(_), false) => false,
            (Some(jump), true) => {
                self.scattered += 1;
                if self.scattered >= SCATTERED_MAX && self.anchor_fixes == 1 {
                    self.settle(next, 1);
                } else {
                    self.candidate = Some(Candidate::new(next, &jump));
                }
                return None;
            }
        };
        if is_back {
            self.glitches += 1.0;
            self.go_on(&anchor, next);
            return None;
        }
        candidate.fixes += 1;
        candidate.newest = next;
        let late_s = elapsed_s(&candidate.first, &next);
        let more = u32::from(candidate.jump.distance_m < params.short_m_max);
        let glitches = libm::floor(self.glitches / 2.0).min(GLITCH_FIXES_MAX);
        if late_s > params.confirm_s_max {
            // It says little of when he came there; what follows at once may say more.
            match jump {
                Some(jump) => self.candidate = Some(Candidate::new(next, &jump)),
                None => self.settle(next, candidate.fixes),
            }
        } else if f64::from(candidate.fixes) >= f64::from(params.fixes + more) + glitches {
            // One fix alone may have been the wild one, and this is the way home.
            let signal = (self.anchor_fixes > 1).then(|| candidate.signal(self.glitches));
            self.settle(next, candidate.fixes);
            return signal;
        } else {
            self.candidate = Some(candidate);
        }
        None
    }

    /// He is there now, as so many fixes say.
    fn settle(&mut self, at: Ping, fixes: u32) {
        (self.anchor, self.silence, self.candidate, self.scattered) = (Some(at), None, None, 0);
        self.anchor_fixes = fixes;
    }

    /// He went there.
    fn go_on(&mut self, anchor: &Ping, next: Ping) {
        let elapsed_s = elapsed_s(anchor, &next);
        if elapsed_s > SILENCE_S {
            self.silence = Some((*anchor, next));
        }
        let step_mps = if elapsed_s >= STEP_S_MIN { distance_m(anchor, &next, 0.0) / elapsed_s } else { 0.0 };
        // A silence does not slow anybody down.
        self.peak_mps = (self.peak_mps * libm::exp2(-elapsed_s.min(DATED_S_MAX) / PEAK_HALF_S)).max(step_mps).min(SPEED_MPS_MAX);
        let interval_s = elapsed_s.min(SILENCE_S);
        self.interval_s = if self.interval_s > 0.0 { 0.9 * self.interval_s + 0.1 * interval_s } else { interval_s };
        self.glitches *= libm::exp2(-elapsed_s / GLITCH_HALF_S);
        (self.anchor, self.candidate, self.scattered) = (Some(next), None, 0);
        self.anchor_fixes = self.anchor_fixes.saturating_add(1);
    }

    fn excess(&self, params: &Params, from: &Ping, to: &Ping) -> Option<Excess> {
        let doubt_m = self.peak_mps * self.interval_s.min(DATED_S_MAX);
        let distance_m = (distance_m(from, to, params.radius_factor) - doubt_m).max(0.0);
        let elapsed_s = elapsed_s(from, to) + params.tolerance_s;
        let speed_mps = (PEAK_FACTOR * self.peak_mps).min(SPEED_MPS_MAX).max(params.speed_mps_max).max(flown_mps(elapsed_s));
        let reachable_m = speed_mps * elapsed_s;
        (distance_m > params.distance_m_min && distance_m > reachable_m).then(|| Excess {
            distance_m,
            radius_m: from.radius_m + to.radius_m,
            elapsed_s,
            speed_mps: if elapsed_s > 0.0 { distance_m / elapsed_s } else { distance_m },
            strength: 1.0 - reachable_m / distance_m,
        })
    }

    fn is_explained_by_silence(&self, params: &Params, anchor: &Ping, next: &Ping) -> bool {
        self.silence
            .as_ref()
            .is_some_and(|(before, resumed)| elapsed_s(resumed, anchor) <= RESUMED_S && self.excess(params, before, next).is_none())
    }
}

impl Candidate {
    fn new(at: Ping, jump: &Excess) -> Self {
        let Excess { distance_m, radius_m, elapsed_s, strength, .. } = *jump;
        Self { first: at, newest: at, fixes: 1, jump: Jump { distance_m, radius_m, elapsed_s, strength } }
    }

    fn signal(&self, glitches: f64) -> Signal {
        let Jump { distance_m, radius_m, elapsed_s, strength } = self.jump;
        let speed_mps = if elapsed_s > 0.0 { distance_m / elapsed_s } else { distance_m };
        let numbers = [distance_m, radius_m, elapsed_s, speed_mps, strength].map(OwnedValue::Double);
        let rest = [OwnedValue::Int(i64::from(self.fixes)), OwnedValue::Double(glitches)];
        Signal::new(FIELDS, numbers.into_iter().chain(rest))
    }
}

/// The speed that one fix asks for from another, m/s.
fn pace_mps(params: &Params, from: &Ping, to: &Ping) -> f64 {
    distance_m(from, to, 0.0) / (elapsed_s(from, to) + params.tolerance_s)
}

#[cfg(test)]
mod tests;
