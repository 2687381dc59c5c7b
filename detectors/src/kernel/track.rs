//! A driver's fixes: what one is, whose clock dates it, how much time lies between two, and in which order they were taken.
//!
//! ```text
//! a fix     a place that can be one (event/position.rs), by satellites or by several sources together; not one that was looked up from
//!           towers and routers alone: whose router moved house is shown at its old one, to twenty metres
//! dated by  the device's clock, where it is at most two minutes ahead of the event clock and at most seven days behind it; else by
//!           the event clock. An old fix that says that it is old is judged by its own time: a drive that was buffered, last night's
//!           fix first, a cached one among live ones
//! Δt        the longer of the time by the device's clock and the time by the event clock. A device whose fix time stands still moves
//!           by arrival, and one that hands over hours of driving in a second moves by its own clock. Where one of two is not dated by
//!           its own clock: by the event clock, unless both stand wrong by the same
//! ```
//!
//! The longer of two times is the doubt that spares the honest: who holds his fixes back explains by it what he could have driven in
//! silence as well. A clock that stands wrong is judged by how it runs; setting it is for `clock_tampering` to see.

use serde::{Deserialize, Serialize};

use super::great_circle;
use crate::event::gps::{FixProvider, GpsPosition};
use crate::event::position::Position;
use crate::event::units::Reported;
use crate::event::{Data, Event};

/// How far ahead of the event clock a device's clock is believed, ms: clocks that are set by the network agree to seconds.
pub const AHEAD_MS_MAX: i64 = 120_000;
/// And how far behind, ms: what lies in a phone for a week is the past, not a lie.
pub const BEHIND_MS_MAX: i64 = 7 * 86_400_000;
/// Two clocks stand wrong by the same where that differs by no more, ms.
const SAME_OFFSET_MS: u64 = 120_000;
/// How fast an airliner flies from gate to gate, m/s: 900 km/h.
const FLIGHT_MPS: f64 = 250.0;
/// Less this, s: a phone that is switched off at the gate and on again at the other.
const FLIGHT_GROUND_S: f64 = 1_200.0;
/// The radius of a fix that reports none, m: a phone in a street.
pub const RADIUS_M_DEFAULT: f64 = 30.0;

/// A fix.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ping {
    /// Where.
    pub position: Position,
    /// 68 % radius, m.
    pub radius_m: f64,
    /// When by the device's clock, Unix ms.
    pub device_ms: i64,
    /// The event clock, Unix ms.
    pub clock_ms: i64,
}

impl Ping {
    /// The fix in an event, and what else the device says with it. `radius_m_default`: of one that reports none.
    pub fn of<'e, 'a>(event: &'e Event<'a>, radius_m_default: f64) -> Option<(Self, &'e GpsPosition<'a>)> {
        let Data::GpsPosition(ping) = &event.data else { return None };
        if ping.provider == Some(FixProvider::Network) {
            return None;
        }
        let position = ping.position()?;
        let radius_m = ping.accuracy_m.as_ref().and_then(Reported::known).map_or(radius_m_default, |radius| radius.get());
        Some((Self { position, radius_m, device_ms: event.time.millis(), clock_ms: event.clock() }, ping))
    }

    /// By how much the device's clock is behind the event clock, ms; negative where it is ahead.
    pub fn behind_ms(&self) -> i64 {
        self.clock_ms.saturating_sub(self.device_ms)
    }

    /// Whether it is the same fix, delivered again: its place and its own time are.
    pub fn is_same(&self, other: &Self) -> bool {
        self.device_ms == other.device_ms && self.position == other.position
    }

    /// Whether the device's clock can be right.
    pub fn is_dated(&self) -> bool {
        (-AHEAD_MS_MAX..=BEHIND_MS_MAX).contains(&self.behind_ms())
    }

    /// When it was taken, as far as that is believed, Unix ms.
    pub fn taken_ms(&self) -> i64 {
        if self.is_dated() { self.device_ms } else { self.clock_ms }
    }
}

/// The time between two fixes, s, see the module's header.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of some thousand years are below 2^53")]
pub fn elapsed_s(from: &Ping, to: &Ping) -> f64 {
    let (device_ms, clock_ms) = (from.device_ms.abs_diff(to.device_ms), from.clock_ms.abs_diff(to.clock_ms));
    let is_one_clock = from.is_dated() && to.is_dated()
        || !from.is_dated() && !to.is_dated() && from.behind_ms().abs_diff(to.behind_ms()) <= SAME_OFFSET_MS;
    (if is_one_clock { device_ms.max(clock_ms) } else { clock_ms }) as f64 / 1000.0
}

/// The mean speed at which somebody can have flown in so long a silence, m/s; 0 in one of under twenty minutes.
pub fn flown_mps(silence_s: f64) -> f64 {
    if silence_s > FLIGHT_GROUND_S { FLIGHT_MPS * (1.0 - FLIGHT_GROUND_S / silence_s) } else { 0.0 }
}

/// The least distance between two fixes, m: the great circle less so many of both radii.
pub fn distance_m(from: &Ping, to: &Ping, radius_factor: f64) -> f64 {
    (great_circle::distance_m(from.position, to.position) - radius_factor * (from.radius_m + to.radius_m)).max(0.0)
}

/// How long a device that sends often is waited for, until what was delayed on the way has come too, ms of its own clock.
const HOLD_MS: i64 = 6_000;
/// Fixes farther apart than this are not waited for, ms: they seldom overtake each other, and what comes is judged at once.
const SPARSE_MS: i64 = 10_000;
/// So many are held at the most.
const HELD_MAX: usize = 12;

/// Puts fixes that overtook each other on the way back into the order in which they were taken, as far as [`HOLD_MS`] allows: at most
/// twelve are held. What comes later than that comes out later.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Order {
    held: Vec<Ping>,
    newest_ms: Option<i64>,
}

impl Order {
    /// Takes in one as it arrives; `take` gets those whose turn has come.
    pub fn push(&mut self, ping: Ping, mut take: impl FnMut(Ping)) {
        let at_ms = ping.taken_ms();
        let Some(newest_ms) = self.newest_ms else {
            // What overtook the first one comes before it.
            (self.newest_ms, self.held) = (Some(at_ms), vec![ping]);
            return;
        };
        if at_ms.saturating_sub(SPARSE_MS) > newest_ms {
            self.held.drain(..).for_each(&mut take);
            self.newest_ms = Some(at_ms);
            take(ping);
            return;
        }
        let newest_ms = newest_ms.max(at_ms);
        self.newest_ms = Some(newest_ms);
        let place = self.held.partition_point(|held| held.taken_ms() <= at_ms);
        self.held.insert(place, ping);
        let over_ms = newest_ms.saturating_sub(HOLD_MS);
        let over = self.held.partition_point(|held| held.taken_ms() <= over_ms).max(self.held.len().saturating_sub(HELD_MAX));
        self.held.drain(..over).for_each(&mut take);
    }

    /// Heap memory, bytes.
    pub fn heap_bytes(&self) -> usize {
        self.held.len() * size_of::<Ping>()
    }

    /// The most of that.
    pub const HEAP_BYTES_MAX: usize = (HELD_MAX + 1) * size_of::<Ping>();
}

/// The fourth decimal of a degree, in its sixth.
const GRAIN_MICRO: i32 = 100;

/// The 1e-6 of a degree, a decimetre, in which two fixes are the same place bit for bit: what phones and receivers send at least.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    lat: i32,
    lon: i32,
}

impl Spot {
    /// That of a place. ±180° are one meridian.
    #[expect(clippy::cast_possible_truncation, reason = "180 million fits")]
    pub fn of(position: Position) -> Self {
        let micro = |degrees: f64| libm::round(degrees * 1e6) as i32;
        let lon = micro(position.lon());
        Self { lat: micro(position.lat()), lon: if lon == -180_000_000 { 180_000_000 } else { lon } }
    }

    /// Whether both coordinates have four decimals at the most, 11 m: a client that rounds so repeats its places, and nothing of them
    /// says that they are made up. Of places to the decimetre it is one in ten thousand.
    pub fn is_rounded(self) -> bool {
        self.lat % GRAIN_MICRO == 0 && self.lon % GRAIN_MICRO == 0
    }

    /// A hash of it that is the same on every machine (the finaliser of `SplitMix64`, Steele et al., OOPSLA 2014).
    pub fn hash(self) -> u32 {
        let mut bits = u64::from(self.lat.cast_unsigned()) << 32 | u64::from(self.lon.cast_unsigned());
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 32) as u32
    }
}

/// Shows nobody's place, as [`Position`]'s does.
impl std::fmt::Debug for Spot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[Spot]")
    }
}

/// Degrees (north, east) from one place to another, the shorter way around the Earth.
pub fn around_deg(from: Position, to: Position) -> (f64, f64) {
    let mut east_deg = to.lon() - from.lon();
    if east_deg > 180.0 {
        east_deg -= 360.0;
    } else if east_deg < -180.0 {
        east_deg += 360.0;
    }
    (to.lat() - from.lat(), east_deg)
}

/// Metres (north, east) from one place to another on the plane that touches the Earth between them: to 0.2 % over 10 km.
pub fn offset_m(from: Position, to: Position) -> (f64, f64) {
    let (north_deg, east_deg) = around_deg(from, to);
    let middle = f64::midpoint(from.lat(), to.lat()).to_radians();
    let metres = great_circle::EARTH_RADIUS_M.to_radians();
    (north_deg * metres, east_deg * metres * libm::cos(middle))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::event::text::DriverId;
    use crate::event::units::{Latitude, Longitude, Metres, Timestamp};
    use proptest::prelude::*;

    pub(crate) const START_MS: i64 = 1_700_000_000_000;

    pub(crate) fn position(lat: f64, lon: f64) -> Position {
        Position::new(Latitude::try_from(lat).expect("in range"), Longitude::try_from(lon).expect("in range"))
    }

    /// A fix by the device's clock and the event clock, s after the start, so many metres north of Cairo.
    pub(crate) fn ping(north_m: f64, device_s: i64, clock_s: i64) -> Ping {
        Ping {
            position: position(30.0444 + north_m / 111_195.08, 31.2357),
            radius_m: 10.0,
            device_ms: START_MS + device_s * 1000,
            clock_ms: START_MS + clock_s * 1000,
        }
    }

    /// The same as an event.
    fn event(ping: &Ping) -> Event<'static> {
        Event {
            id: "1".into(),
            source: "s".into(),
            time: Timestamp::from_millis(ping.device_ms),
            received: Some(Timestamp::from_millis(ping.clock_ms)),
            data: Data::GpsPosition(Box::new(GpsPosition {
                entity_id: DriverId::new("t_1"),
                lat: Latitude::try_from(ping.position.lat()).expect("in range"),
                lon: Longitude::try_from(ping.position.lon()).expect("in range"),
                accuracy_m: Metres::try_from(ping.radius_m).ok().map(Reported::Known),
                speed_mps: None,
                heading_deg: None,
                mock: None,
                provider: None,
                device_id: None,
                task_id: None,
            })),
        }
    }

    #[test]
    fn towers_alone_and_what_is_no_place_are_no_fix() {
        let told = |change: fn(&mut GpsPosition<'static>)| {
            let mut event = event(&ping(0.0, 0, 0));
            if let Data::GpsPosition(ping) = &mut event.data {
                change(ping);
            }
            Ping::of(&event, RADIUS_M_DEFAULT).map(|(ping, _)| ping.radius_m)
        };
        assert_eq!(told(|_| {}), Some(10.0));
        assert_eq!(told(|ping| ping.accuracy_m = None), Some(RADIUS_M_DEFAULT));
        assert_eq!(told(|ping| ping.accuracy_m = Some(Reported::Unsure)), None);
        assert_eq!(told(|ping| ping.provider = Some(FixProvider::Network)), None);
        assert_eq!(told(|ping| ping.provider = Some(FixProvider::Fused)), Some(10.0));
        assert_eq!(told(|ping| ping.lon = Longitude::try_from(0.0).expect("in range")), None);
    }

    #[test]
    fn a_fix_is_dated_by_a_clock_that_can_be_right() {
        for (device_s, dated) in
            [(0, true), (120, true), (121, false), (-7 * 86_400, true), (-7 * 86_400 - 1, false), (i64::MAX / 10_000, false)]
        {
            assert_eq!(ping(0.0, device_s, 0).is_dated(), dated, "{device_s}");
        }
    }

    #[test]
    fn time_between_two_is_the_longer_of_both_clocks() {
        let cases = [
            ("a stopped device clock", ping(0.0, 0, 0), ping(0.0, 0, 120), 120.0),
            ("a buffer", ping(0.0, -30_000, 0), ping(0.0, -29_700, 1), 300.0),
            ("both wrong by eight years", ping(0.0, 252_000_000, 0), ping(0.0, 252_000_030, 30), 30.0),
            ("a clock that races through a year", ping(0.0, -31_000_000, 0), ping(0.0, -30_996_400, 10), 10.0),
            ("set to next year between them", ping(0.0, 0, 0), ping(0.0, 31_000_000, 10), 10.0),
            ("the same twice", ping(0.0, 5, 5), ping(0.0, 5, 5), 0.0),
        ];
        for (what, from, to, expected) in cases {
            assert!((elapsed_s(&from, &to) - expected).abs() < 1e-9 && (elapsed_s(&to, &from) - expected).abs() < 1e-9, "{what}");
        }
    }

    #[test]
    fn places_are_compared_to_a_decimetre_and_across_the_date_line() {
        assert_eq!(Spot::of(position(30.05, 31.24)), Spot::of(position(30.050_000_1, 31.24)));
        assert_ne!(Spot::of(position(30.05, 31.24)), Spot::of(position(30.050_001, 31.24)));
        assert_eq!(format!("{:?}", Spot::of(position(30.05, 31.24))), "[Spot]");
        let is_rounded = |lat, lon| Spot::of(position(lat, lon)).is_rounded();
        assert!(
            is_rounded(30.0444, 31.2357)
                && is_rounded(-30.0444, -31.2)
                && !is_rounded(30.0444, 31.23571)
                && !is_rounded(30.044_401, 31.2357)
        );
        assert_eq!(Spot::of(position(-16.8, 180.0)), Spot::of(position(-16.8, -180.0)));
        let (north, east) = offset_m(position(-16.8, 179.9), position(-16.8, -179.9));
        assert!(north.abs() < 1e-6 && (east - 21_290.0).abs() < 30.0, "{east}");
    }

    #[test]
    fn a_flight_takes_its_time_on_the_ground() {
        assert!(flown_mps(1_200.0).abs() < 1e-9 && flown_mps(0.0).abs() < 1e-9);
        assert!((flown_mps(2_400.0) - 125.0).abs() < 1e-9);
        assert!(flown_mps(4_500.0) * 4_500.0 > 680_000.0 && flown_mps(f64::MAX) <= FLIGHT_MPS);
    }

    proptest! {
        #[test]
        fn what_overtook_within_the_hold_comes_out_in_order(steps in proptest::collection::vec(1_i64..4, 2..60), late in proptest::collection::vec(0_i64..3, 60)) {
            let mut at = 0;
            let mut sent: Vec<(i64, i64)> = steps.iter().zip(late).map(|(step, late)| { at += step; (at + late, at) }).collect();
            sent.sort_unstable();
            let (mut order, mut out) = (Order::default(), Vec::new());
            for (clock_s, device_s) in &sent {
                order.push(ping(0.0, *device_s, *clock_s), |ping| out.push(ping.device_ms));
                prop_assert!(order.heap_bytes() <= Order::HEAP_BYTES_MAX);
            }
            prop_assert!(out.is_sorted());
            prop_assert!(out.len() + 12 >= sent.len());
        }

        #[test]
        fn the_plane_agrees_with_the_sphere(lat in -80.0..80.0, lon in -179.9..179.9, dlat in -0.05..0.05, dlon in -0.05..0.05) {
            let (from, to) = (position(lat, lon), position(lat + dlat, lon + dlon));
            let (north, east) = offset_m(from, to);
            let sphere = great_circle::distance_m(from, to);
            prop_assert!((libm::hypot(north, east) - sphere).abs() < 0.002 * sphere + 0.01);
        }
    }
}
