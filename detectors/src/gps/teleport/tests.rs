use super::*;
use crate::kernel::track::tests::{START_MS, ping, position};
use proptest::prelude::*;
use rstest::rstest;

/// (s, m north): a fix that is delivered at once. Which of them fire, in the order given.
fn fires(fixes: &[(i64, f64)]) -> Vec<bool> {
    feed(&fixes.iter().map(|(at_s, north_m)| ping(*north_m, *at_s, *at_s)).collect::<Vec<_>>())
}

fn feed(pings: &[Ping]) -> Vec<bool> {
    let (params, mut state) = (Params::default(), State::default());
    pings.iter().map(|ping| state.observe(&params, *ping).is_some()).collect()
}

fn count(pings: &[Ping]) -> usize {
    feed(pings).into_iter().filter(|fired| *fired).count()
}

#[rstest]
#[case::a_jump_that_one_more_fix_confirms(&[(0, 0.0), (30, 0.0), (60, 5_000.0), (90, 5_100.0)], &[false, false, false, true])]
#[case::one_wild_fix(&[(0, 0.0), (30, 0.0), (60, 55_000.0), (90, 100.0), (120, 200.0)], &[false; 5])]
#[case::as_far_as_a_car_goes(&[(0, 0.0), (30, 0.0), (60, 1_180.0), (90, 1_180.0)], &[false; 4])]
#[case::a_short_one_wants_a_third(&[(0, 0.0), (30, 0.0), (60, 2_000.0), (90, 2_000.0), (120, 2_000.0)], &[false, false, false, false, true])]
#[case::just_under_the_least_distance(&[(0, 0.0), (5, 0.0), (10, 1_520.0), (15, 1_520.0), (20, 1_520.0), (40, 1_520.0)], &[false; 6])]
#[case::confirmed_too_late(&[(0, 0.0), (30, 0.0), (60, 9_000.0), (181, 9_000.0)], &[false; 4])]
#[case::just_in_time(&[(0, 0.0), (30, 0.0), (60, 9_000.0), (180, 9_000.0)], &[false, false, false, true])]
#[case::one_wild_fix_twice(&[(0, 0.0), (30, 0.0), (60, 9_000.0), (60, 9_000.0), (90, 100.0)], &[false; 5])]
#[case::the_first_one_is_wild(&[(0, 9_000.0), (30, 0.0), (60, 0.0), (90, 100.0)], &[false; 4])]
#[case::the_first_one_is_wild_and_came_twice(&[(0, 9_000.0), (0, 9_000.0), (30, 0.0), (60, 0.0), (90, 100.0)], &[false; 5])]
#[case::a_flight_of_an_hour(&[(0, 0.0), (30, 0.0), (4_530, 680_000.0), (4_560, 680_100.0), (4_590, 680_200.0)], &[false; 5])]
#[case::farther_than_any_flight(&[(0, 0.0), (30, 0.0), (1_830, 400_000.0), (1_860, 400_000.0)], &[false, false, false, true])]
#[case::a_car_park_after_a_silence(&[(0, 0.0), (600, 20_000.0), (630, 20_000.0)], &[false; 3])]
#[case::what_was_driven_in_silence_is_dated_close_together(&[(0, 0.0), (600, 100.0), (601, 12_000.0), (640, 12_100.0)], &[false; 4])]
fn a_jump_is_what_stays(#[case] fixes: &[(i64, f64)], #[case] expected: &[bool]) {
    assert_eq!(fires(fixes), expected);
}

#[test]
fn a_place_that_alternates_with_live_ones_is_none() {
    let fixes: Vec<(i64, f64)> =
        (0_i32..40).map(|n| (i64::from(n) * 10, if n % 2 == 0 { f64::from(n) * 80.0 } else { -5_500.0 })).collect();
    assert!(!fires(&fixes).contains(&true));
}

#[test]
fn equal_and_earlier_times_and_duplicates_are_no_movement() {
    assert!(
        !fires(&[(0, 0.0), (0, 0.0), (30, 0.0), (30, 0.0), (20, 0.0), (60, 9_000.0), (90, 100.0), (60, 9_000.0), (120, 150.0)])
            .contains(&true)
    );
    let at = |north_m| ping(north_m, 60, 60);
    assert_eq!(
        count(&[ping(0.0, 0, 0), ping(0.0, 30, 30), at(9_000.0), at(9_000.0), ping(9_000.0, 90, 90)]),
        1,
        "of one instant, and one more"
    );
}

#[test]
fn a_device_with_glitches_must_show_more() {
    let mut fixes = vec![(0, 0.0)];
    for n in 1..5 {
        fixes.extend([(n * 60, 9_000.0), (n * 60 + 20, 0.0)]);
    }
    fixes.extend([(300, 9_000.0), (320, 9_000.0)]);
    assert!(!fires(&fixes).contains(&true), "four glitches within minutes, and two fixes");
    fixes.extend([(340, 9_000.0)]);
    assert!(fires(&fixes).contains(&true));
}

#[test]
fn whom_the_scatter_left_at_a_wild_place_is_not_accused_of_coming_home() {
    let mut fixes = vec![(0, 0.0), (30, 0.0)];
    fixes.extend((1_i32..=7).map(|n| (30 + i64::from(n) * 30, f64::from(n) * 50_000.0)));
    fixes.extend([(270, 0.0), (300, 0.0), (330, 0.0)]);
    assert!(!fires(&fixes).contains(&true));
}

#[test]
fn glitches_ask_for_three_more_fixes_at_the_most() {
    let mut fixes = vec![(0, 0.0)];
    for n in 1..21 {
        fixes.extend([(n * 60, 9_000.0), (n * 60 + 20, 0.0)]);
    }
    fixes.extend((0..5).map(|n| (1_270 + n * 20, 9_000.0)));
    let fired = fires(&fixes);
    assert_eq!(fired.iter().position(|fired| *fired), Some(fixes.len() - 1), "the fifth");
}

#[test]
fn the_clock_excuses_nothing_and_a_wrong_one_accuses_nobody() {
    let year_s = 365 * 86_400;
    let jump =
        |offset_s: i64| [(0, 0.0), (30, 0.0), (60, 20_000.0), (90, 20_000.0)].map(|(at_s, north_m)| ping(north_m, at_s + offset_s, at_s));
    assert_eq!((count(&jump(0)), count(&jump(8 * year_s)), count(&jump(-3_600))), (1, 1, 1));
    // One fix of the future between honest ones, at 90 km/h.
    let mut drive: Vec<Ping> = (0_i32..60).map(|n| ping(f64::from(n) * 750.0, i64::from(n) * 30, i64::from(n) * 30)).collect();
    drive[20].device_ms += year_s * 1000;
    assert_eq!(count(&drive), 0);
    // The fix time stands still while the arrival goes on.
    let stopped: Vec<Ping> = (0_i32..30).map(|n| ping(f64::from(n) * 3_000.0, 0, i64::from(n) * 120)).collect();
    assert_eq!(count(&stopped), 0);
    // And a clock that is put back by half an hour.
    let back: Vec<Ping> =
        (0_i32..90).map(|n| ping(f64::from(n) * 600.0, i64::from(n) * 30 - if n > 30 { 1_800 } else { 0 }, i64::from(n) * 30)).collect();
    assert_eq!(count(&back), 0);
}

/// An honest drive: seconds between fixes, m/s, turned anywhere on the Earth.
fn drive() -> impl Strategy<Value = Vec<Ping>> {
    let step = (1_i64..90, 0.0..33.0_f64, -0.3..0.3_f64);
    (proptest::collection::vec(step, 2..80), -89.9..89.9_f64, -180.0..180.0_f64).prop_map(|(steps, lat, lon)| {
        let (mut at_s, mut heading, mut here) = (0, 0.0_f64, (lat, lon));
        steps
            .into_iter()
            .map(|(step_s, mps, turn)| {
                at_s += step_s;
                heading += turn;
                let metres = mps * f64::from(i32::try_from(step_s).expect("small"));
                here.0 = (here.0 + metres * libm::cos(heading) / 111_195.08).clamp(-90.0, 90.0);
                let wide = (111_195.08 * libm::cos(here.0.to_radians())).max(1.0);
                here.1 = wrapped(here.1 + metres * libm::sin(heading) / wide);
                Ping {
                    position: position(here.0, here.1),
                    radius_m: 10.0,
                    device_ms: START_MS + at_s * 1000,
                    clock_ms: START_MS + at_s * 1000,
                }
            })
            .collect()
    })
}

fn wrapped(lon: f64) -> f64 {
    (lon + 540.0).rem_euclid(360.0) - 180.0
}

proptest! {
    #[test]
    fn no_delivery_of_an_honest_drive_accuses(
        drive in drive(), late in proptest::collection::vec(0_i64..60_000, 80), twice in proptest::collection::vec(prop::bool::weighted(0.2), 80),
        buffered in prop::option::of(0_usize..80), shuffle in any::<bool>(),
    ) {
        prop_assert_eq!(count(&drive), 0);
        let mut sent: Vec<Ping> = drive.iter().zip(&late).map(|(ping, late)| Ping { clock_ms: ping.clock_ms + late, ..*ping }).collect();
        sent.extend(drive.iter().zip(&late).zip(&twice).filter(|(_, twice)| **twice).map(|((ping, late), _)| Ping { clock_ms: ping.clock_ms + 60_000 - late, ..*ping }));
        sent.sort_by_key(|ping| ping.clock_ms);
        prop_assert_eq!(count(&sent), 0, "late and twice");
        // From one on all are kept and handed over at once, in any order.
        let (from, end_ms) = (buffered.unwrap_or(0).min(drive.len()), drive.last().expect("one").clock_ms + 3_600_000);
        let mut whole = drive.clone();
        for (n, ping) in whole.iter_mut().enumerate().skip(from) {
            ping.clock_ms = end_ms + i64::try_from(n).expect("small") * 10;
        }
        prop_assert_eq!(count(&whole), 0, "buffered");
        if shuffle { whole[from..].reverse(); }
        prop_assert_eq!(count(&whole), 0, "newest first");
    }

    #[test]
    fn turning_the_earth_changes_nothing(drive in drive(), jump_km in 3.0..300.0_f64, at in 1_usize..60, turn in -360.0..360.0_f64) {
        let moved = |turn: f64| -> Vec<Ping> {
            drive.iter().enumerate().map(|(n, ping)| {
                let lat = ping.position.lat();
                let lat = if n >= at { if lat > 0.0 { lat - jump_km / 111.2 } else { lat + jump_km / 111.2 } } else { lat };
                Ping { position: position(lat, wrapped(ping.position.lon() + turn)), ..*ping }
            }).collect()
        };
        prop_assert_eq!(feed(&moved(0.0)), feed(&moved(turn)));
    }

    #[test]
    fn memory_is_bounded_whatever_comes(
        pings in proptest::collection::vec((any::<i64>(), any::<i64>(), -90.0..=90.0_f64, -180.0..=180.0_f64, prop_oneof![0.0..400.0_f64, Just(f64::MAX)]), 1..200),
    ) {
        let (params, mut state) = (Params::default(), State::default());
        for (device_ms, clock_ms, lat, lon, radius_m) in pings {
            let _ = state.observe(&params, Ping { position: position(lat, lon), radius_m, device_ms, clock_ms });
            prop_assert!(state.order.heap_bytes() <= Order::HEAP_BYTES_MAX);
            prop_assert!(state.peak_mps.is_finite() && state.glitches.is_finite() && state.interval_s.is_finite());
        }
    }

    #[test]
    fn more_doubt_never_raises_the_bound(north_m in 0.0..300_000.0_f64, after_s in 0_i64..4_000, radius in 0.0..300.0_f64, more in 0.0..3_000.0_f64, tolerance in 0.0..600.0_f64) {
        let state = State::default();
        let (from, to) = (ping(0.0, 0, 0), Ping { radius_m: radius, ..ping(north_m, after_s, after_s) });
        let sure = state.excess(&Params::default(), &from, &to);
        let wider = state.excess(&Params::default(), &from, &Ping { radius_m: radius + more, ..to });
        let looser = state.excess(&Params { tolerance_s: 3.0 + tolerance, ..Params::default() }, &from, &to);
        for doubted in [wider, looser].into_iter().flatten() {
            prop_assert!(sure.is_some_and(|sure| sure.distance_m >= doubted.distance_m && sure.speed_mps >= doubted.speed_mps && sure.strength >= doubted.strength));
        }
    }
}
