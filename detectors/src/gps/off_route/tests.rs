use super::*;
use crate::kernel::route::tests::around_cairo;
use crate::kernel::track::tests::{START_MS, position};
use proptest::prelude::*;
use rstest::rstest;

const TASK: u64 = 7;
/// Five kilometres to the north.
const NORTH: &[Metres] = &[(0.0, 0.0), (5_000.0, 0.0)];

fn fix(at: Metres, at_s: f64) -> Ping {
    let taken_ms = START_MS + millis(at_s);
    Ping { position: around_cairo(at), radius_m: 10.0, device_ms: taken_ms, clock_ms: taken_ms }
}

#[expect(clippy::cast_possible_truncation, reason = "small in tests")]
fn millis(s: f64) -> i64 {
    (s * 1000.0) as i64
}

fn planned(points: &[Metres], corridor_m: f64) -> State {
    let mut state = State::default();
    state.plan(TASK, START_MS, corridor_m, || Route::of(points.iter().copied().map(around_cairo)));
    state
}

/// What is said, in turn.
fn words(state: &mut State, pings: &[Ping]) -> Vec<String> {
    let (params, drive) = (Params::default(), state.drive.as_mut().expect("planned"));
    pings.iter().filter_map(|ping| drive.observe(&params, ping).map(|signal| word(&signal))).collect()
}

fn word(signal: &Signal) -> String {
    if let Some(OwnedValue::Str(word)) = signal.get(0) { word.to_string() } else { String::new() }
}

/// A drive through those places: (place, m/s to it, s that he stands there), a fix each so many seconds.
fn driven(legs: &[(Metres, f64, f64)], interval_s: f64) -> Vec<Ping> {
    track(legs, interval_s).into_iter().map(|(at, at_s)| fix(at, at_s)).collect()
}

fn track(legs: &[(Metres, f64, f64)], interval_s: f64) -> Vec<(Metres, f64)> {
    let mut pings = Vec::new();
    let mut here = legs.first().map_or((0.0, 0.0), |leg| leg.0);
    let (mut at_s, mut next_s) = (1.0, 1.0);
    for (to, mps, stands_s) in legs {
        let (from, takes_s) = (here, length_m(here, *to) / mps);
        let starts_s = at_s;
        at_s += takes_s + stands_s;
        while next_s < at_s {
            let share = if takes_s > 0.0 { ((next_s - starts_s) / takes_s).min(1.0) } else { 1.0 };
            pings.push(((from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1)), next_s));
            next_s += interval_s;
        }
        here = *to;
    }
    pings
}

#[rstest]
#[case::along_it(&[((0.0, 0.0), 8.0, 0.0), ((5_000.0, 0.0), 8.0, 300.0)], &[])]
#[case::away_from_it(&[((0.0, 0.0), 8.0, 0.0), ((1_000.0, 0.0), 8.0, 0.0), ((1_000.0, 2_000.0), 8.0, 0.0)], &["off"])]
#[case::beside_it_and_back(&[((0.0, 0.0), 8.0, 0.0), ((2_000.0, 0.0), 8.0, 0.0), ((2_000.0, 200.0), 8.0, 0.0), ((500.0, 200.0), 8.0, 0.0)], &["off"])]
#[case::for_less_than_three_minutes(&[((0.0, 0.0), 8.0, 0.0), ((2_000.0, 0.0), 8.0, 0.0), ((2_000.0, 200.0), 8.0, 0.0), ((1_200.0, 200.0), 8.0, 0.0), ((1_200.0, 0.0), 8.0, 0.0), ((5_000.0, 0.0), 8.0, 0.0)], &[])]
#[case::the_next_street(&[((0.0, 0.0), 8.0, 0.0), ((1_000.0, 85.0), 8.0, 0.0), ((4_000.0, 85.0), 8.0, 0.0)], &[])]
#[case::another_street_to_the_end(&[((0.0, 0.0), 8.0, 0.0), ((1_000.0, 0.0), 8.0, 0.0), ((1_100.0, 600.0), 8.0, 0.0), ((5_000.0, 600.0), 8.0, 0.0), ((5_000.0, 0.0), 8.0, 0.0)], &[])]
#[case::fuel_beside_it(&[((0.0, 0.0), 8.0, 0.0), ((1_000.0, 0.0), 8.0, 0.0), ((1_000.0, 160.0), 8.0, 500.0), ((1_000.0, 0.0), 8.0, 0.0), ((5_000.0, 0.0), 8.0, 0.0)], &[])]
#[case::twice(&[((0.0, 0.0), 8.0, 0.0), ((1_000.0, 0.0), 8.0, 0.0), ((1_000.0, 1_500.0), 8.0, 0.0), ((1_000.0, 0.0), 8.0, 0.0), ((1_300.0, 0.0), 8.0, 0.0), ((1_300.0, 1_500.0), 8.0, 0.0)], &["off", "off"])]
#[case::elsewhere_once_he_has_come(&[((0.0, 0.0), 8.0, 0.0), ((5_000.0, 0.0), 8.0, 60.0), ((5_000.0, 5_000.0), 8.0, 0.0)], &[])]
#[case::on_his_way_to_the_start(&[((-3_000.0, -3_000.0), 8.0, 0.0), ((-3_000.0, 0.0), 8.0, 0.0), ((5_000.0, 0.0), 8.0, 0.0)], &[])]
#[case::away_from_the_start(&[((-1_000.0, 0.0), 8.0, 0.0), ((-1_000.0, 4_000.0), 8.0, 0.0)], &["off"])]
#[case::back(&[((0.0, 0.0), 8.0, 0.0), ((2_000.0, 0.0), 8.0, 0.0), ((1_000.0, 0.0), 8.0, 0.0)], &["back"])]
#[case::back_to_a_door(&[((0.0, 0.0), 8.0, 0.0), ((2_000.0, 0.0), 8.0, 0.0), ((1_850.0, 0.0), 8.0, 60.0), ((5_000.0, 0.0), 8.0, 0.0)], &[])]
#[case::back_twice(&[((0.0, 0.0), 8.0, 0.0), ((2_000.0, 0.0), 8.0, 0.0), ((1_000.0, 0.0), 8.0, 0.0), ((3_000.0, 0.0), 8.0, 0.0), ((2_000.0, 0.0), 8.0, 0.0)], &["back", "back"])]
#[case::along_it_to_its_start(&[((3_000.0, 0.0), 8.0, 0.0), ((0.0, 0.0), 8.0, 120.0), ((5_000.0, 0.0), 8.0, 0.0)], &[])]
#[case::eleven_minutes(&[((0.0, 0.0), 8.0, 0.0), ((2_000.0, 0.0), 8.0, 660.0), ((5_000.0, 0.0), 8.0, 0.0)], &["stopped"])]
#[case::nine_minutes(&[((0.0, 0.0), 8.0, 0.0), ((2_000.0, 0.0), 8.0, 540.0), ((5_000.0, 0.0), 8.0, 0.0)], &[])]
#[case::an_hour_at_its_start(&[((60.0, 0.0), 8.0, 3_600.0), ((5_000.0, 0.0), 8.0, 0.0)], &[])]
#[case::an_hour_at_its_end(&[((0.0, 0.0), 8.0, 0.0), ((4_870.0, 0.0), 8.0, 3_600.0)], &[])]
#[case::off_and_there_he_stands(&[((0.0, 0.0), 8.0, 0.0), ((1_000.0, 0.0), 8.0, 0.0), ((1_000.0, 2_000.0), 8.0, 900.0)], &["off", "stopped"])]
fn what_is_driven_against_the_plan(#[case] legs: &[(Metres, f64, f64)], #[case] expected: &[&str]) {
    for interval_s in [5.0, 20.0, 30.0] {
        assert_eq!(words(&mut planned(NORTH, 75.0), &driven(legs, interval_s)), expected, "each {interval_s} s");
    }
}

#[test]
fn its_numbers_are_what_is_measured() {
    let legs = [((0.0, 0.0), 8.0, 0.0), ((2_000.0, 0.0), 8.0, 700.0)];
    let (mut state, params) = (planned(NORTH, 0.0), Params::default());
    let drive = state.drive.as_mut().expect("planned");
    let signal = driven(&legs, 20.0).iter().find_map(|ping| drive.observe(&params, ping)).expect("stopped");
    let number = |index| if let Some(OwnedValue::Double(number)) = signal.get(index) { *number } else { f64::NAN };
    assert!((number(1) - 1_985.0).abs() < 30.0 && (number(3) - 3_000.0).abs() < 30.0, "{} {}", number(1), number(3));
    assert!((number(2) - 150.0).abs() < 1e-9 && (600.0..640.0).contains(&number(4)) && (0.0..0.1).contains(&number(6)));
    assert_eq!(signal.get(5), Some(&OwnedValue::Int(31)));
}

#[test]
fn a_corridor_and_a_new_plan_are_understood() {
    let legs = [((0.0, 0.0), 8.0, 0.0), ((1_000.0, 0.0), 8.0, 0.0), ((1_000.0, 2_000.0), 8.0, 0.0)];
    assert_eq!(words(&mut planned(NORTH, 2_500.0), &driven(&legs, 20.0)), [""; 0]);
    let (mut state, params) = (planned(NORTH, 75.0), Params::default());
    for ping in driven(&legs, 20.0) {
        if ping.device_ms >= START_MS + 160_000 {
            state.plan(TASK, START_MS + 160_000, 75.0, || Route::of([(1_000.0, 0.0), (1_000.0, 2_000.0)].map(around_cairo).into_iter()));
        }
        assert!(state.drive.as_mut().expect("planned").observe(&params, &ping).is_none());
    }
    // An older one that comes late is none.
    let before = state.clone();
    state.plan(TASK + 1, START_MS, 75.0, || None);
    assert_eq!(state, before);
    state.plan(TASK + 1, START_MS + 160_000, 75.0, || None);
    let drive = state.drive.as_mut().expect("planned");
    assert_eq!(drive.task, TASK + 1);
    assert!(drive.observe(&params, &fix((0.0, 0.0), 900.0)).is_none(), "a plan that no plane holds");
}

#[test]
fn one_wild_fix_says_nothing_and_hides_nothing() {
    let honest = [((0.0, 0.0), 8.0, 0.0), ((2_000.0, 0.0), 8.0, 400.0), ((5_000.0, 0.0), 8.0, 0.0)];
    let stop = [((0.0, 0.0), 8.0, 0.0), ((2_000.0, 0.0), 8.0, 700.0)];
    for (legs, expected) in [(&honest[..], 0), (&stop[..], 1)] {
        let track = track(legs, 20.0);
        for (wild, far) in (0..track.len()).zip([(1_500.0, 900.0), (-1_500.0, 0.0), (800.0, 0.0), (0.0, -30_000.0)].iter().cycle()) {
            let pings: Vec<Ping> = track
                .iter()
                .enumerate()
                .map(|(index, (at, at_s))| fix(if index == wild { (at.0 + far.0, at.1 + far.1) } else { *at }, *at_s))
                .collect();
            let words = words(&mut planned(NORTH, 75.0), &pings);
            // A wild one at the end of the way would be an arrival: these are not.
            assert!(words.len() == expected || wild + 1 >= track.len() - 3 && expected == 1, "{wild}: {words:?}");
        }
    }
}

#[test]
fn what_is_vague_late_or_of_no_time_is_passed_over() {
    let legs = [((0.0, 0.0), 8.0, 0.0), ((1_000.0, 0.0), 8.0, 0.0), ((1_000.0, 2_000.0), 8.0, 900.0)];
    let pings = driven(&legs, 20.0);
    let changed = |change: fn(Ping) -> Ping| pings.iter().copied().map(change).collect::<Vec<_>>();
    for (what, pings) in [
        ("vague", changed(|ping| Ping { radius_m: 150.0, ..ping })),
        ("of one instant", changed(|ping| Ping { device_ms: START_MS + 5_000, ..ping })),
        ("before the plan", changed(|ping| Ping { device_ms: ping.device_ms - 3_600_000, ..ping })),
        ("of next year", changed(|ping| Ping { device_ms: ping.device_ms + 31_000_000_000, ..ping })),
        (
            "a silence after each",
            changed(|ping| Ping {
                device_ms: START_MS + (ping.device_ms - START_MS) * 20,
                clock_ms: START_MS + (ping.device_ms - START_MS) * 20,
                ..ping
            }),
        ),
    ] {
        assert_eq!(words(&mut planned(NORTH, 75.0), &pings), [""; 0], "{what}");
    }
    let doubled: Vec<Ping> = pings.iter().flat_map(|ping| [*ping, *ping]).collect();
    assert_eq!(words(&mut planned(NORTH, 75.0), &doubled), ["off", "stopped"]);
}

/// Numbers in −1..1 that look like a receiver's noise, from a seed.
struct Noise(u64);

impl Noise {
    #[expect(clippy::cast_precision_loss, reason = "24 bits")]
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / 16_777_216.0
    }

    /// Irwin and Hall's near-normal number of that deviation.
    fn normal(&mut self, deviation: f64) -> f64 {
        ((0..12).map(|_| self.uniform()).sum::<f64>() - 6.0) * deviation
    }
}

/// A way of legs, each (direction, length, m/s, s that he stands at its end), as corners and as it is driven.
fn way(legs: &[(f64, f64, f64, f64)]) -> Vec<(Metres, f64, f64)> {
    let mut here = (0.0, 0.0);
    let corners = legs.iter().map(|(towards, length, mps, stands_s)| {
        here = (here.0 + length * libm::cos(*towards), here.1 + length * libm::sin(*towards));
        (here, *mps, *stands_s)
    });
    std::iter::once(((0.0, 0.0), 8.0, 0.0)).chain(corners).collect()
}

fn any_legs() -> impl Strategy<Value = Vec<(f64, f64, f64, f64)>> {
    let stands = prop_oneof![3 => Just(0.0), 1 => 0.0..540.0_f64];
    proptest::collection::vec((0.0..6.3_f64, 90.0..1_500.0_f64, 4.0..22.0_f64, stands), 1..25)
}

proptest! {
    #[test]
    fn an_honest_drive_is_left_alone(legs in any_legs(), interval_s in 4.0..40.0_f64, late_s in 0.0..60.0_f64, planned_s in prop_oneof![Just(0.0), 0.0..900.0_f64], seed in any::<u64>()) {
        let legs = way(&legs);
        let corners: Vec<Metres> = legs.iter().map(|leg| leg.0).collect();
        let mut noise = Noise(seed);
        let mut sent: Vec<(i64, Ping)> = Vec::new();
        for (at, at_s) in track(&legs, interval_s) {
            // 68 % within 10 m.
            let ping = fix((at.0 + noise.normal(6.6), at.1 + noise.normal(6.6)), at_s);
            for _ in 0..if noise.uniform() < 0.1 { 2 } else { 1 } {
                let late_ms = if noise.uniform() < 0.2 { millis(noise.uniform() * late_s) } else { 0 };
                sent.push((ping.device_ms + late_ms, Ping { clock_ms: ping.device_ms + late_ms, ..ping }));
            }
        }
        sent.sort_by_key(|(at_ms, _)| *at_ms);
        let (mut state, params) = (State::default(), Params::default());
        for (at_ms, ping) in sent {
            if state.drive.is_none() && at_ms >= START_MS + millis(planned_s) {
                state.plan(TASK, START_MS + millis(planned_s), 75.0, || Route::of(corners.iter().copied().map(around_cairo)));
            }
            if let Some(drive) = &mut state.drive {
                let told = drive.observe(&params, &ping);
                prop_assert!(told.is_none(), "{told:?} {} ms after the start", ping.device_ms - START_MS);
            }
        }
    }

    #[test]
    fn longitudes_may_be_counted_from_anywhere(legs in any_legs(), turn in -180.0..180.0_f64, aside in 1..20_usize) {
        let legs = way(&legs);
        // He drives every so-many-th leg aside.
        let track: Vec<(Metres, f64)> = track(&legs, 20.0).into_iter().enumerate().map(|(index, (at, at_s))| {
            if index / 15 % (aside + 1) == aside { ((at.0 + 900.0, at.1 - 700.0), at_s) } else { (at, at_s) }
        }).collect();
        let mut told = Vec::new();
        for turn in [0.0, turn] {
            let turned = |at: Metres| {
                let place = around_cairo(at);
                let lon = libm::remainder(place.lon() + turn, 360.0);
                position(place.lat(), lon)
            };
            let (mut state, params) = (State::default(), Params::default());
            state.plan(TASK, START_MS, 75.0, || Route::of(legs.iter().map(|leg| turned(leg.0))));
            let Some(drive) = &mut state.drive else { continue };
            let pings = track.iter().map(|(at, at_s)| Ping { position: turned(*at), ..fix(*at, *at_s) });
            told.push(pings.map(|ping| drive.observe(&params, &ping).map(|signal| word(&signal))).collect::<Vec<_>>());
        }
        let [here, there] = told.as_slice() else { return Err(TestCaseError::fail("two ways")) };
        prop_assert_eq!(here, there);
    }

    #[test]
    fn any_plan_and_any_fixes_will_do(
        points in proptest::collection::vec((-90.0..=90.0_f64, -180.0..=180.0_f64), 2..40),
        near in any::<bool>(),
        corridor_m in prop_oneof![Just(0.0), Just(f64::MAX), 0.0..1_000.0_f64],
        fixes in proptest::collection::vec((prop_oneof![any::<i64>(), 0..4_000_000_i64], -90.0..=90.0_f64, -180.0..=180.0_f64, 0.0..=100.0_f64), 1..120),
    ) {
        let shrunk = |(lat, lon): (f64, f64)| if near { position(80.0 + lat / 100.0, if lon > 0.0 { 180.0 - lon / 100.0 } else { -180.0 - lon / 100.0 }) } else { position(lat, lon) };
        let (mut state, params) = (State::default(), Params::default());
        state.plan(TASK, START_MS, corridor_m, || Route::of(points.iter().copied().map(shrunk)));
        for (at_ms, lat, lon, radius_m) in fixes {
            let at_ms = START_MS.saturating_add(at_ms);
            let ping = Ping { position: shrunk((lat, lon)), radius_m, device_ms: at_ms, clock_ms: at_ms };
            if let Some(signal) = state.drive.as_mut().and_then(|drive| drive.observe(&params, &ping)) {
                for (index, field) in FIELDS.iter().enumerate() {
                    if let Some(OwnedValue::Double(number)) = signal.get(index) {
                        prop_assert!(number.is_finite() && *number >= 0.0, "{}", field.name);
                    }
                }
            }
            prop_assert!(OffRoute::heap_bytes(&state) <= Route::HEAP_BYTES_MAX);
        }
        let stored = postcard::to_allocvec(&state).expect("plain");
        prop_assert!(postcard::from_bytes::<State>(&stored).expect("its own") == state);
    }
}

#[test]
fn points_of_no_place_are_left_out_of_a_plan() {
    let zero = position(0.0, 0.0);
    let mut state = State::default();
    state.plan(TASK, START_MS, 75.0, || Route::of([zero, around_cairo((0.0, 0.0)), zero, around_cairo((5_000.0, 0.0))].into_iter()));
    let legs = [((0.0, 0.0), 8.0, 0.0), ((2_000.0, 0.0), 8.0, 660.0), ((5_000.0, 0.0), 8.0, 0.0)];
    assert_eq!(words(&mut state, &driven(&legs, 20.0)), ["stopped"]);
}

/// A mountain road of forty thousand points is kept in 512, and what that leaves out accuses nobody.
#[test]
fn a_long_and_winding_way_is_driven() {
    let at = |n: i32| (f64::from(n) * 1.5, 120.0 * libm::sin(f64::from(n) / 45.0) + 800.0 * libm::sin(f64::from(n) / 2_000.0));
    let way: Vec<Metres> = (0..40_000).map(at).collect();
    let mut state = planned(&way, 75.0);
    assert!(OffRoute::heap_bytes(&state) <= Route::HEAP_BYTES_MAX);
    let legs: Vec<(Metres, f64, f64)> = (0..40_000).step_by(6).map(|n| (at(n), 14.0, if n % 9_000 == 0 { 500.0 } else { 0.0 })).collect();
    assert_eq!(words(&mut state, &driven(&legs, 15.0)), [""; 0]);
}
