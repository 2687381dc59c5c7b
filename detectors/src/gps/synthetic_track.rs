//! Synthetic track: a driver goes straight on at one speed, as no vehicle on a road does.
//!
//! ```text
//! Input    gps.position                                                     Key  driver
//! Formula  least-squares line place(t) = a + v·t through the fixes of a stretch (north and east in metres, t by the device's clock):
//!          residual = √(Σ squared distances from it / (n − 2)),  a stretch ends with the fix that brings it over residual_m_max
//! Fires    residual ≤ residual_m_max (4 m) over ≥ span_s_min (300 s), ≥ 8 fixes, |v| ≥ speed_mps_min (1 m/s), ≥ 750 m; once a stretch
//! Strength 1 − residual / (2 · residual_m_max), in 0..1
//! State    ten sums: 130 bytes; forgotten after a day of silence
//! Misses   lines with more than some metres of noise added, made-up tracks along roads and with stops
//! Alarms   wrongly on trains, ferries, and people who walk a long straight way
//! Source   simple linear regression over time; that simulators are betrayed by speeds unlike the road's: Su et al., DASFAA 2017.
//!          A receiver's own noise is 3 to 5 m (GPS SPS performance standard, 2020); five minutes of traffic leave hundreds
//! ```
//!
//! Order of arrival changes nothing within a stretch: the sums are by the device's clock. Fixes whose clock is not believed, vague ones
//! and duplicates of the newest are left out. Too even is too straight as well: whoever keeps 50 km/h to a percent for five minutes
//! stays within a few metres of that line only on a straight road without traffic.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::EventType;
use crate::event::position::Position;
use crate::kernel::great_circle;
use crate::kernel::track::{Ping, RADIUS_M_DEFAULT, around_deg};
use crate::operator::{DAY_MS, Fact, Feeds, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

/// A vaguer fix says nothing of metres.
const RADIUS_M_MAX: f64 = 300.0;
/// Fewer fixes are a line by chance.
const FIXES_MIN: u32 = 8;
/// A shorter way is none, m.
const LENGTH_M_MIN: f64 = 750.0;
/// A longer silence ends a stretch, s.
const SILENCE_S: f64 = 300.0;
/// What comes later than this ends it, s before its newest fix.
const LATE_S: f64 = 60.0;
/// How far the plane of a stretch reaches, m.
const PLANE_M: f64 = 100_000.0;

/// See the module's header.
pub struct SyntheticTrack;

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// How far fixes lie off the line in the mean, m. 4: what a good receiver's noise is. More finds lines to which noise was added, and
    /// accuses motorways.
    #[schemars(range(min = 0.1, max = 100.0), example = 4.0)]
    pub residual_m_max: f64,
    /// How long a stretch must be, s. 300: five minutes. Shorter finds shorter lines, and accuses who drives a straight and free road.
    #[schemars(range(min = 30.0, max = 86_400.0), example = 300.0)]
    pub span_s_min: f64,
    /// Slower is no way, m/s. 1: a made-up way may be as slow as that; walkers are not so even for 750 m.
    #[schemars(range(min = 0.1, max = 100.0), example = 1.0)]
    pub speed_mps_min: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { residual_m_max: 4.0, span_s_min: 300.0, speed_mps_min: 1.0 }
    }
}

/// The stretch.
pub type State = Option<Stretch>;

/// Sums over its fixes: seconds since its first, metres north and east of that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    origin: Position,
    first_ms: i64,
    newest_ms: i64,
    fixes: u32,
    t: f64,
    tt: f64,
    north: f64,
    east: f64,
    t_north: f64,
    t_east: f64,
    squares: f64,
    has_fired: bool,
}

/// What its signal carries.
const FIELDS: &[SignalField] = &[
    SignalField { name: "span_s", ty: SignalType::Double { decimals: 0 }, doc: "how long, s" },
    SignalField { name: "distance_m", ty: SignalType::Double { decimals: 0 }, doc: "how far, m" },
    SignalField { name: "speed_mps", ty: SignalType::Double { decimals: 1 }, doc: "at which speed, m/s" },
    SignalField { name: "residual_m", ty: SignalType::Double { decimals: 2 }, doc: "how far fixes lie off the line in the mean, m" },
    SignalField { name: "fixes", ty: SignalType::Int, doc: "how many fixes" },
    SignalField { name: "strength", ty: SignalType::Double { decimals: 3 }, doc: "how straight and even, 0 to 1" },
];

impl Operator for SyntheticTrack {
    const NAME: &'static str = "synthetic_track";
    const VERSION: u16 = 1;
    const GIVES: &'static str = "A driver goes straight on at one speed for minutes, to a few metres, as no vehicle on a road does.";
    const FEEDS: Feeds = Feeds::Fixed { inputs: &[EventType::GpsPosition], reads: &["lat", "lon", "accuracy_m", "provider"] };
    const YIELDS: Yields = Yields::Signal(FIELDS);
    const NEEDS_RAW: bool = true;
    type Params = Params;
    type State = State;

    fn ttl_ms(_: &Setup<Params>) -> i64 {
        DAY_MS
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        let (ping, _) = Ping::of(fact.event, RADIUS_M_DEFAULT)?;
        observe(&setup.params, &ping, state)
    }
}

fn observe(params: &Params, ping: &Ping, state: &mut State) -> Option<Signal> {
    if !ping.is_dated() || ping.radius_m > RADIUS_M_MAX {
        return None;
    }
    let Some(before) = state else {
        *state = Some(Stretch::new(ping));
        return None;
    };
    if ping.device_ms == before.newest_ms {
        return None; // the same one again
    }
    let (north, east) = plane_m(before.origin, ping.position);
    let since_newest_s = seconds(ping.device_ms.saturating_sub(before.newest_ms));
    let is_near = north.abs() < PLANE_M && east.abs() < PLANE_M;
    if !(-LATE_S..=SILENCE_S).contains(&since_newest_s) || !is_near {
        // Something from long ago ends nothing.
        if since_newest_s >= -LATE_S {
            *state = Some(Stretch::new(ping));
        }
        return None;
    }
    let mut longer = before.clone();
    longer.add(seconds(ping.device_ms.saturating_sub(before.first_ms)), north, east);
    longer.newest_ms = longer.newest_ms.max(ping.device_ms);
    let (speed_mps, residual_m) = longer.line();
    if residual_m > params.residual_m_max {
        *state = Some(Stretch::new(ping));
        return None;
    }
    let span_s = seconds(longer.newest_ms.saturating_sub(longer.first_ms));
    let is_line = span_s >= params.span_s_min
        && longer.fixes >= FIXES_MIN
        && speed_mps >= params.speed_mps_min
        && speed_mps * span_s >= LENGTH_M_MIN
        && !longer.has_fired;
    longer.has_fired |= is_line;
    let signal = is_line.then(|| {
        let strength = 1.0 - residual_m / (2.0 * params.residual_m_max);
        let numbers = [span_s, speed_mps * span_s, speed_mps, residual_m].map(OwnedValue::Double);
        let rest = [OwnedValue::Int(i64::from(longer.fixes)), OwnedValue::Double(strength)];
        Signal::new(FIELDS, numbers.into_iter().chain(rest))
    });
    *state = Some(longer);
    signal
}

impl Stretch {
    fn new(ping: &Ping) -> Self {
        Self {
            origin: ping.position,
            first_ms: ping.device_ms,
            newest_ms: ping.device_ms,
            fixes: 1,
            t: 0.0,
            tt: 0.0,
            north: 0.0,
            east: 0.0,
            t_north: 0.0,
            t_east: 0.0,
            squares: 0.0,
            has_fired: false,
        }
    }

    fn add(&mut self, t: f64, north: f64, east: f64) {
        self.fixes = self.fixes.saturating_add(1);
        self.t += t;
        self.tt += t * t;
        self.north += north;
        self.east += east;
        self.t_north += t * north;
        self.t_east += t * east;
        self.squares += north * north + east * east;
    }

    /// Speed along the line, m/s, and how far the fixes lie off it in the mean, m.
    fn line(&self) -> (f64, f64) {
        let n = f64::from(self.fixes);
        let spread = self.tt - self.t * self.t / n;
        if spread <= 0.0 {
            return (0.0, 0.0);
        }
        let (along_north, along_east) = (self.t_north - self.t * self.north / n, self.t_east - self.t * self.east / n);
        let along = along_north * along_north + along_east * along_east;
        let all = self.squares - (self.north * self.north + self.east * self.east) / n;
        let residual = libm::sqrt((all - along / spread).max(0.0) / (n - 2.0).max(1.0));
        (libm::sqrt(along) / spread, residual)
    }
}

/// Metres north and east on a plane on which what is linear in degrees is a line: so interpolate those who draw a track.
fn plane_m(origin: Position, place: Position) -> (f64, f64) {
    let metres = great_circle::EARTH_RADIUS_M.to_radians();
    let (north_deg, east_deg) = around_deg(origin, place);
    (north_deg * metres, east_deg * metres * libm::cos(origin.lat().to_radians()))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of some thousand years are below 2^53")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::track::tests::{ping, position};
    use proptest::prelude::*;
    use rstest::rstest;

    fn count(pings: &[Ping]) -> usize {
        let (params, mut state) = (Params::default(), State::default());
        pings.iter().filter(|ping| observe(&params, ping, &mut state).is_some()).count()
    }

    /// So many fixes, each so many seconds and metres after the one before, and off the line by a pattern of so many metres.
    fn line(fixes: i32, step_s: i64, mps: f64, off_m: f64) -> Vec<Ping> {
        let metres = |n: i32| f64::from(n) * mps * f64::from(i32::try_from(step_s).expect("small"));
        let off = [0.0, 1.0, -0.5, -1.0, 0.7, 0.1];
        let at =
            |n: i32| ping(metres(n) + off_m * off[usize::try_from(n).expect("positive") % 6], i64::from(n) * step_s, i64::from(n) * step_s);
        (0..fixes).map(at).collect()
    }

    #[rstest]
    #[case::five_minutes(11, 30, 10.0, 0.0, 1)]
    #[case::just_shorter(10, 30, 10.0, 0.0, 0)]
    #[case::every_second(301, 1, 10.0, 0.0, 1)]
    #[case::a_little_noise(11, 30, 10.0, 3.0, 1)]
    #[case::a_receivers_noise(60, 30, 10.0, 15.0, 0)]
    #[case::at_rest(60, 30, 0.0, 1.0, 0)]
    #[case::too_slow(60, 30, 0.9, 0.0, 0)]
    #[case::too_short(22, 30, 1.1, 0.0, 0)]
    #[case::just_faster(60, 30, 1.1, 0.0, 1)]
    #[case::few_fixes(7, 60, 10.0, 0.0, 0)]
    fn the_bounds_are_where_the_header_says(
        #[case] fixes: i32,
        #[case] step_s: i64,
        #[case] mps: f64,
        #[case] off_m: f64,
        #[case] expected: usize,
    ) {
        assert_eq!(count(&line(fixes, step_s, mps, off_m)), expected);
    }

    #[test]
    fn traffic_is_no_line() {
        let mut at_m = 0.0;
        let drive: Vec<Ping> = (0_i32..200)
            .map(|n| {
                at_m += [300.0, 280.0, 0.0, 150.0, 310.0][usize::try_from(n).expect("positive") % 5];
                ping(at_m, i64::from(n) * 30, i64::from(n) * 30)
            })
            .collect();
        assert_eq!(count(&drive), 0);
    }

    #[test]
    fn across_the_date_line_it_is_the_same() {
        let over = |lon: f64| -> Vec<Ping> {
            line(12, 30, 0.0, 0.0)
                .into_iter()
                .zip(0_i32..)
                .map(|(ping, n)| Ping { position: position(-16.8, (lon + f64::from(n) * 0.003 + 180.0).rem_euclid(360.0) - 180.0), ..ping })
                .collect()
        };
        assert_eq!((count(&over(31.0)), count(&over(179.985))), (1, 1));
    }

    #[test]
    fn a_wrong_clock_and_vague_fixes_are_left_out() {
        let vague: Vec<Ping> = line(20, 30, 10.0, 0.0).into_iter().map(|ping| Ping { radius_m: 400.0, ..ping }).collect();
        let wrong: Vec<Ping> =
            line(20, 30, 10.0, 0.0).into_iter().map(|ping| Ping { device_ms: ping.device_ms + 900_000, ..ping }).collect();
        assert_eq!((count(&vague), count(&wrong)), (0, 0));
    }

    proptest! {
        #[test]
        fn order_within_a_minute_and_duplicates_change_nothing(
            late in proptest::collection::vec(0_i64..55, 40), twice in proptest::collection::vec(any::<bool>(), 40), mps in 2.5..30.0_f64,
        ) {
            let mut sent: Vec<Ping> = line(40, 20, mps, 1.0).into_iter().zip(late).map(|(ping, late)| Ping { clock_ms: ping.clock_ms + late * 1000, ..ping }).collect();
            sent.sort_by_key(|ping| ping.clock_ms);
            let sent: Vec<Ping> = sent.into_iter().zip(twice).flat_map(|(ping, twice)| std::iter::repeat_n(ping, if twice { 2 } else { 1 })).collect();
            prop_assert_eq!(count(&sent), 1);
        }

        #[test]
        fn whatever_comes_the_sums_are_numbers(
            pings in proptest::collection::vec((any::<i64>(), -5_000_000_i64..5_000_000, -90.0..=90.0_f64, -180.0..=180.0_f64), 1..100),
        ) {
            let (params, mut state) = (Params::default(), State::default());
            for (clock_ms, behind_ms, lat, lon) in pings {
                let _ = observe(&params, &Ping { position: position(lat, lon), radius_m: 5.0, device_ms: clock_ms.saturating_sub(behind_ms), clock_ms }, &mut state);
                let (speed_mps, residual_m) = state.as_ref().map_or((0.0, 0.0), Stretch::line);
                prop_assert!(speed_mps.is_finite() && residual_m.is_finite());
            }
        }
    }
}
