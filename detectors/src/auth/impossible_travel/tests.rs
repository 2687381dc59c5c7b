use super::*;
use crate::event::auth::{AsnType, Login};
use crate::event::position::{Location, LocationSource};
use crate::event::text::{DeviceId, IpAddress, Phone, UserId};
use crate::event::units::{Country, Kilometres, Latitude, Longitude, Reported, Timestamp};
use proptest::prelude::*;
use rstest::rstest;

const CAIRO: (f64, f64) = (30.0444, 31.2357);
const ALEXANDRIA: (f64, f64) = (31.2001, 29.9187);
const ASWAN: (f64, f64) = (24.0889, 32.8998);
const HURGHADA: (f64, f64) = (27.2579, 33.8116);
const DUBAI: (f64, f64) = (25.2048, 55.2708);
const FRANKFURT: (f64, f64) = (50.1109, 8.6821);
const AUCKLAND: (f64, f64) = (-36.8485, 174.7633);
const HONOLULU: (f64, f64) = (21.3069, -157.8583);

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;

fn hasher() -> KeyHasher {
    KeyHasher::new([7; 16])
}

/// One login: at home, on the owner's device over his home line, until something else is said of it.
#[derive(Clone, Debug)]
struct At {
    s: i64,
    arrives_s: Option<i64>,
    place: (f64, f64),
    accuracy_km: Option<f64>,
    device: &'static str,
    ip: String,
    country: Option<&'static str>,
    asn_type: Option<AsnType>,
    source: Option<LocationSource>,
}

/// A login there, after so many seconds; one address a place.
fn at(s: i64, place: (f64, f64)) -> At {
    let ip = format!("192.0.2.{}", place.0.abs().trunc());
    At { s, arrives_s: None, place, accuracy_km: None, device: "d_1", ip, country: None, asn_type: None, source: None }
}

impl At {
    fn on(self, device: &'static str) -> Self {
        Self { device, ..self }
    }

    fn from(self, ip: &str) -> Self {
        Self { ip: ip.to_owned(), ..self }
    }

    fn within(self, accuracy_km: f64) -> Self {
        Self { accuracy_km: Some(accuracy_km), ..self }
    }

    fn over(self, asn_type: AsnType) -> Self {
        Self { asn_type: Some(asn_type), ..self }
    }

    fn country(self, country: &'static str) -> Self {
        Self { country: Some(country), ..self }
    }

    fn by_device(self) -> Self {
        Self { source: Some(LocationSource::Device), accuracy_km: Some(0.05), ..self }
    }

    fn arrives(self, s: i64) -> Self {
        Self { arrives_s: Some(s), ..self }
    }

    fn event(&self) -> Event<'static> {
        Event {
            id: "1".into(),
            source: "s".into(),
            time: Timestamp::from_millis(1_700_000_000_000 + self.s * 1000),
            received: self.arrives_s.map(|s| Timestamp::from_millis(1_700_000_000_000 + s * 1000)),
            data: Data::LoginSucceeded(Box::new(Login {
                user_id: UserId::new("u_1"),
                device_id: DeviceId::new(self.device),
                ip: IpAddress::new(self.ip.clone()),
                location: Some(Location {
                    lat: Latitude::try_from(self.place.0).expect("in range"),
                    lon: Longitude::try_from(self.place.1).expect("in range"),
                    accuracy_km: self.accuracy_km.map(|radius| Reported::Known(Kilometres::try_from(radius).expect("in range"))),
                    source: self.source,
                }),
                country: self.country.map(|code| Country::try_from(code).expect("two letters")),
                asn: None,
                asn_type: self.asn_type,
                method: None,
            })),
        }
    }
}

fn signals(params: &Params, logins: &[At]) -> Vec<Option<Signal>> {
    let mut state = State::default();
    logins.iter().map(|login| ImpossibleTravel::observe(params, &login.event(), &hasher(), &mut state)).collect()
}

fn fires(params: &Params, logins: &[At]) -> Vec<bool> {
    signals(params, logins).iter().map(Option::is_some).collect()
}

fn number(signal: &Signal, name: &str) -> f64 {
    let index = FIELDS.iter().position(|field| field.name == name).expect("declared");
    match signal.get(index) {
        Some(OwnedValue::Double(value)) => *value,
        other => panic!("expected a number, got {other:?}"),
    }
}

/// What each login that fires is taken for.
fn suspicions(logins: &[At]) -> Vec<Option<f64>> {
    signals(&Params::default(), logins).iter().map(|signal| signal.as_ref().map(|signal| number(signal, "suspicion"))).collect()
}

/// Whether any of them makes somebody ask for a second proof.
fn accuses(logins: &[At]) -> bool {
    suspicions(logins).iter().flatten().any(|suspicion| *suspicion >= 0.4)
}

fn naive() -> Params {
    Params { speed_mps_max: 250.0, radius_factor: 0.0, tolerance_s: 0.0, ..Params::default() }
}

/// Some days of an account at home, the last of them now.
fn days(days: i64) -> Vec<At> {
    (1..=days).map(|day| at((day - days) * DAY_S, CAIRO).over(AsnType::Residential).country("EG")).collect()
}

/// The same, and then these.
fn after(known: Vec<At>, then: impl IntoIterator<Item = At>) -> Vec<At> {
    known.into_iter().chain(then).collect()
}

/// Cairo to Dubai is 2 423 km: 9 693 s at 250 m/s.
#[rstest]
#[case::just_too_fast(9_600, true)]
#[case::just_possible(9_720, false)]
#[case::the_same_instant(0, true)]
fn the_naive_bound_is_where_the_header_says(#[case] after_s: i64, #[case] expected: bool) {
    assert_eq!(fires(&naive(), &[at(0, CAIRO), at(after_s, DUBAI)]), [false, expected]);
}

/// 2 423 km less twice 50 are 2 323 km: 8 363 s at 277.8 m/s, and 900 of taxiing less the tolerance of 120 on top.
#[rstest]
#[case::just_too_fast(9_120, true)]
#[case::just_possible(9_160, false)]
fn a_flight_takes_its_time_on_the_ground_too(#[case] after_s: i64, #[case] expected: bool) {
    assert_eq!(fires(&Params::default(), &[at(0, CAIRO), at(after_s, DUBAI)]), [false, expected]);
}

/// 671 km less twice 50 are 571 km: two hours by fast train, 50 minutes by air.
#[rstest]
#[case::half_an_hour(1_800, true)]
#[case::an_hour(3_600, false)]
fn short_ways_are_no_flight_of_half_an_hour(#[case] after_s: i64, #[case] expected: bool) {
    assert_eq!(fires(&Params::default(), &[at(0, CAIRO), at(after_s, ASWAN)]), [false, expected]);
}

#[test]
fn the_radius_of_a_carrier_explains_a_jump_but_not_a_continent() {
    let params = Params::default();
    let mobile = |s, place| at(s, place).within(20.0).over(AsnType::Mobile);
    assert_eq!(fires(&params, &[mobile(0, CAIRO), mobile(60, ALEXANDRIA)]), [false, false]);
    assert_eq!(fires(&params, &[mobile(0, CAIRO), at(600, DUBAI).within(20.0)]), [false, true]);
}

#[test]
fn a_late_login_is_judged_and_does_not_replace_the_newest() {
    let logins = [at(3_600, CAIRO), at(0, DUBAI), at(3_700, CAIRO)];
    assert_eq!(fires(&naive(), &logins), [false, true, false]);
}

#[test]
fn switching_a_vpn_off_accuses_nobody_and_one_in_between_hides_nothing() {
    let vpn = |s, place| at(s, place).over(AsnType::Vpn).from("203.0.113.5");
    assert_eq!(fires(&Params::default(), &[vpn(0, DUBAI), at(60, CAIRO)]), [false, false]);
    assert_eq!(fires(&Params::default(), &[at(0, CAIRO), vpn(60, DUBAI), at(120, DUBAI)]), [false, true, true]);
}

#[test]
fn a_stranger_beside_the_owners_vpn_is_seen() {
    let home = days(20);
    let vpn = at(DAY_S, FRANKFURT).over(AsnType::Vpn).country("DE").from("203.0.113.5");
    let stranger = |device| at(DAY_S + 600, AUCKLAND).over(AsnType::Hosting).country("NZ").from("198.51.100.9").on(device);
    // A day after he was seen at home, nobody can say that he is not there; but that his line ended in Frankfurt a moment ago.
    let seen = signals(&Params::default(), &after(home.clone(), [vpn.clone(), stranger("d_9")]));
    let last = seen.last().and_then(Option::as_ref).expect("fires");
    assert!(number(last, "suspicion") > 0.9 && last.get(10) == Some(&OwnedValue::Str("exit".into())));
    assert!(!accuses(&after(home, [vpn, stranger("d_1")])), "his own device, on another exit");
}

#[test]
fn suspicion_tells_a_thief_from_the_owner() {
    let thief = at(600, DUBAI).on("d_9").over(AsnType::Hosting);
    let owner = at(600, DUBAI).over(AsnType::Vpn);
    let of = |known: Vec<At>, login: &At| suspicions(&after(known, [login.clone()])).pop().flatten().expect("fires");
    assert!(of(days(20), &thief) > 0.95, "another device, another place, a data centre");
    assert!(of(days(20), &owner) < 0.3, "the owner's device through a VPN");
    assert!(of(days(1), &at(600, DUBAI).on("d_9").over(AsnType::Vpn)) < 0.5, "of an account that nobody knows yet, a VPN says little");
    assert!(of(days(20), &at(600, DUBAI).on("d_9").over(AsnType::Vpn)) > 0.9, "of one that never used one it does");
}

#[test]
fn a_place_of_the_account_is_no_strangers() {
    let of = |n| if n % 2 == 0 { at(n * DAY_S, CAIRO).country("EG") } else { at(n * DAY_S, DUBAI).country("AE") };
    let commuter: Vec<At> = (0..4).map(of).collect();
    let other = at(3 * DAY_S + 600, CAIRO).on("d_9").from("192.0.2.99");
    assert!(!accuses(&after(commuter.clone(), [other.clone().country("EG")])), "another device at a familiar place");
    let said = suspicions(&after(commuter, [other])).pop().flatten().expect("fires");
    assert!(said < 0.5, "where no country is told it says less: {said}");
}

#[test]
fn a_session_of_the_owners_device_in_a_data_centre_is_a_signal_once_the_account_is_known() {
    let replay = at(600, FRANKFURT).over(AsnType::Hosting).country("DE").from("198.51.100.9");
    let seen = signals(&Params::default(), &after(days(20), [replay.clone()]));
    let last = seen.last().and_then(Option::as_ref).expect("fires");
    assert!(number(last, "suspicion") >= 0.5 && last.get(5) == Some(&OwnedValue::Str("known".into())));
    assert!(!accuses(&after(days(1), [replay.clone()])), "an account of a day");
    let habit = after(days(20), (1..4).map(|n| At { s: n * 600, ..replay.clone() }.from(&format!("198.51.100.{n}"))));
    let said = suspicions(&habit);
    assert!(said.iter().rev().take(2).flatten().all(|suspicion| *suspicion < 0.4), "told once: {said:?}");
}

#[test]
fn a_device_that_told_two_places_at_once_is_a_signal() {
    let home: Vec<At> = days(20).into_iter().map(At::by_device).collect();
    let there = at(300, ASWAN).over(AsnType::Residential).country("EG").from("203.0.113.9");
    assert!(accuses(&after(home.clone(), [there.clone().by_device()])));
    assert!(!accuses(&after(home.clone(), [there.clone()])), "geo-IP has its line wrong");
    assert!(!accuses(&after(days(20), [there.clone().by_device()])), "geo-IP had it wrong before");
    let two_phones = home.iter().flat_map(|here| [At { s: here.s - DAY_S / 2, ..here.clone() }.on("d_2"), here.clone()]);
    assert!(!accuses(&after(two_phones.collect(), [there.on("d_2").by_device()])), "one of the family's phones has left");
}

#[test]
fn a_thief_does_not_become_familiar() {
    let logins = after(days(9), (1..6).map(|n| at(n * 600, DUBAI).on("d_9").over(AsnType::Residential)));
    assert!(suspicions(&logins).iter().skip(9).all(|suspicion| suspicion.is_some_and(|suspicion| suspicion > 0.9)));
}

#[rstest]
#[case::a_code_on_that_device("d_9", OtpPurpose::Login, 900, false)]
#[case::a_code_before_the_login("d_9", OtpPurpose::Login, 500, true)]
#[case::a_code_on_the_owners_device("d_1", OtpPurpose::Login, 900, true)]
#[case::a_code_for_something_else("d_9", OtpPurpose::Payout, 900, true)]
#[case::a_code_two_days_later("d_9", OtpPurpose::Login, 600 + 2 * DAY_S, true)]
fn a_code_confirms_a_login(#[case] device: &'static str, #[case] purpose: OtpPurpose, #[case] s: i64, #[case] fires_again: bool) {
    let (params, mut state) = (Params::default(), State::default());
    let abroad = |s| at(s, DUBAI).on("d_9").over(AsnType::Residential);
    for login in after(days(9), [abroad(600)]) {
        ImpossibleTravel::observe(&params, &login.event(), &hasher(), &mut state);
    }
    let code = Event {
        data: Data::OtpVerified(Box::new(Otp {
            phone: Phone::new("+201000000001"),
            user_id: Some(UserId::new("u_1")),
            device_id: Some(DeviceId::new(device)),
            ip: IpAddress::new("192.0.2.25"),
            location: None,
            purpose: purpose.into(),
            country: None,
            asn_type: None,
            channel: None,
        })),
        ..at(s, CAIRO).event()
    };
    assert!(ImpossibleTravel::observe(&params, &code, &hasher(), &mut state).is_none());
    // At home again meanwhile, so that it is a jump once more.
    ImpossibleTravel::observe(&params, &at(1_200, CAIRO).event(), &hasher(), &mut state);
    let again = ImpossibleTravel::observe(&params, &abroad(1_800).from("192.0.2.26").event(), &hasher(), &mut state);
    assert_eq!(again.is_some_and(|signal| number(&signal, "suspicion") >= 0.5), fires_again);
}

#[test]
fn memory_of_a_user_is_bounded() {
    let (params, mut state) = (Params::default(), State::default());
    let devices = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"];
    for n in 0..200_u8 {
        let place = (f64::from(n) / 3.0 + 0.1, f64::from(n) / 2.0 + 0.1);
        let login = at(i64::from(n) * DAY_S, place).from(&format!("192.0.2.{n}")).on(devices[usize::from(n) % devices.len()]);
        ImpossibleTravel::observe(&params, &login.event(), &hasher(), &mut state);
        assert!(state.heap_bytes() <= State::HEAP_BOUNDS.most);
    }
    assert!(state.heap_bytes() + size_of::<State>() < 1_100, "{} and {}", state.heap_bytes(), size_of::<State>());
}

#[test]
fn the_same_login_twice_is_no_travel() {
    assert_eq!(fires(&naive(), &[at(0, CAIRO), at(0, CAIRO)]), [false, false]);
    assert_eq!(fires(&Params::default(), &[at(0, CAIRO), at(0, CAIRO)]), [false, false]);
}

#[test]
fn a_reader_can_redo_the_sum() {
    let logins = [at(0, CAIRO).within(100.0), at(600, DUBAI)];
    let signal = signals(&Params::default(), &logins).pop().flatten().expect("fires");
    let of = |name| number(&signal, name);
    assert!((of("apart_m") - of("radii_m") - of("distance_m")).abs() <= 2.0 && (of("radii_m") - 150_000.0).abs() <= 1.0);
    assert!((of("distance_m") / of("elapsed_s") - of("speed_mps")).abs() < 0.1);
    assert!((of("apart_m") / (of("elapsed_s") - 120.0) - of("implied_mps")).abs() < 0.1);
    assert!((1.0 - 83.3 * of("elapsed_s") / of("distance_m") - of("strength")).abs() < 0.001, "sooner by train than by air");
}

/// What is told of others' systems, in several dresses.
mod of_the_field {
    use super::*;

    fn home() -> Vec<At> {
        vec![at(0, CAIRO).over(AsnType::Residential).country("EG").within(20.0)]
    }

    fn thief(place: (f64, f64), country: &'static str) -> At {
        at(60, place).on("d_9").over(AsnType::Residential).country(country).from("203.0.113.9").within(20.0)
    }

    #[rstest]
    #[case::mapped("192.0.2.30", "::ffff:192.0.2.30")]
    #[case::mapped_in_hexadecimal("192.0.2.30", "::FFFF:C000:021E")]
    #[case::the_other_way_round("::ffff:192.0.2.30", "192.0.2.30")]
    #[case::zeros_written_out("2001:db8::7", "2001:0DB8:0000:0000:0000:0000:0000:0007")]
    fn one_address_has_not_travelled_however_it_is_written(#[case] first: &str, #[case] second: &str) {
        let home = home().remove(0).from(first);
        assert!(!accuses(&[home.clone(), thief(FRANKFURT, "DE").from(second)]));
        assert!(accuses(&[home, thief(FRANKFURT, "DE").from("2001:db8:1::7")]), "another one has");
    }

    #[test]
    fn an_address_from_before_the_last_one_has_not_travelled_either() {
        let moved = thief(FRANKFURT, "DE").from("192.0.2.30");
        let walked = at(30, CAIRO).over(AsnType::Mobile).country("EG").from("198.51.100.3");
        assert!(!accuses(&after(home(), [walked, moved])));
    }

    #[rstest]
    #[case::never_told("", "")]
    #[case::told_at_home_only("d_1", "")]
    #[case::told_abroad_only("", "d_9")]
    fn a_device_that_is_not_told_is_nobodys(#[case] at_home: &'static str, #[case] abroad: &'static str) {
        let home = at(-3 * HOUR_S, CAIRO).over(AsnType::Residential).country("EG").on(at_home);
        assert!(accuses(&[home.clone(), At { s: 0, ..home }, thief(FRANKFURT, "DE").on(abroad)]));
    }

    #[rstest]
    #[case::its_satellite_stands_abroad((38.9, -77.2), 20.0)]
    #[case::at_home_by_its_station((50.1, 8.7), 1_000.0)]
    #[case::far_in_the_south((-36.8, 174.8), 100.0)]
    fn wifi_in_the_plane_is_no_travel(#[case] station: (f64, f64), #[case] accuracy_km: f64) {
        let board = at(1_800, station).on("d_2").over(AsnType::Satellite).country("US").within(accuracy_km).from("203.0.113.9");
        let landed = at(5 * HOUR_S, DUBAI).on("d_2").over(AsnType::Residential).country("AE").from("203.0.113.20");
        assert!(!accuses(&after(days(30), [board.clone(), landed.clone()])));
        assert!(!accuses(&after(home(), [board, landed])));
    }

    /// Two logins, seven hours of flight apart.
    #[rstest]
    #[case::together(25_200, 25_202)]
    #[case::the_newer_first(25_202, 25_200)]
    #[case::two_days_later(2 * DAY_S, 2 * DAY_S)]
    #[case::the_first_alone_was_held_back(90_000, 25_140)]
    fn what_an_outage_held_back_is_no_travel(#[case] first_s: i64, #[case] second_s: i64) {
        let first = home().remove(0).arrives(first_s);
        let second = At { s: 25_140, ..thief(DUBAI, "AE") }.arrives(second_s);
        let order = if first_s <= second_s { [first, second] } else { [second, first] };
        assert!(!accuses(&order));
    }

    #[rstest]
    #[case::a_clock_an_hour_ahead(HOUR_S, 0)]
    #[case::a_year_behind(-365 * DAY_S, 0)]
    fn a_time_that_cannot_be_excuses_nothing(#[case] own_s: i64, #[case] arrives_s: i64) {
        let second = At { s: own_s, ..thief(DUBAI, "AE") }.arrives(arrives_s + 60);
        assert!(accuses(&[home().remove(0).arrives(arrives_s), second]));
    }

    #[rstest]
    #[case::egypt(CAIRO, (26.82, 30.8), "EG")]
    #[case::egypt_in_whole_degrees(CAIRO, (27.0, 30.0), "EG")]
    #[case::saudi_arabia((21.4858, 39.1925), (23.89, 45.08), "SA")]
    #[case::the_united_states((40.7128, -74.006), (37.751, -97.822), "US")]
    #[case::europe(FRANKFURT, (54.53, 15.26), "EU")]
    fn the_middle_of_a_country_is_no_place(#[case] home: (f64, f64), #[case] middle: (f64, f64), #[case] country: &'static str) {
        let home = at(0, home).over(AsnType::Residential).country(country).within(20.0);
        let line = At { accuracy_km: None, ..thief(middle, country) }.from("2001:db8:7::1");
        assert!(!accuses(&[home.clone(), line.clone()]));
        assert!(!accuses(&[line, At { s: 120, ..home }.on("d_3")]), "nor a place to come from");
        assert!(accuses(&[at(0, AUCKLAND).country("NZ"), thief(middle, country)]), "but it is in its country");
        assert!(!accuses(&[at(0, AUCKLAND), At { country: None, ..thief(middle, country) }]), "which nobody says");
    }

    #[rstest]
    #[case::zero((0.0, 0.0))]
    #[case::nearly_zero((0.02, -0.3))]
    #[case::one_axis((0.0, 31.2))]
    #[case::the_other_axis((30.0, 0.0))]
    #[case::minus_one((-1.0, -1.0))]
    fn what_look_ups_give_when_they_do_not_know_is_no_place(#[case] nowhere: (f64, f64)) {
        let logins = [at(0, CAIRO), thief(nowhere, "EG"), At { s: 120, ..at(120, CAIRO) }.on("d_2").from("192.0.2.31")];
        assert_eq!(fires(&Params::default(), &logins), [false; 3]);
        assert_eq!(fires(&naive(), &logins), [false; 3]);
    }

    #[rstest]
    #[case::over_one_carrier(HURGHADA, "EG", AsnType::Mobile, AsnType::Mobile)]
    #[case::behind_one_vpn(DUBAI, "AE", AsnType::Vpn, AsnType::Vpn)]
    #[case::at_home_and_behind_a_data_centre(ASWAN, "EG", AsnType::Residential, AsnType::Hosting)]
    #[case::behind_the_companys_line(ALEXANDRIA, "EG", AsnType::Corporate, AsnType::Corporate)]
    fn places_that_devices_tell_are_sharp_whatever_the_line(
        #[case] place: (f64, f64),
        #[case] country: &'static str,
        #[case] first: AsnType,
        #[case] second: AsnType,
    ) {
        let home = home().remove(0).over(first).by_device();
        let there = At { s: 300, ..thief(place, country) }.over(second).by_device();
        assert!(accuses(&[home.clone(), there.clone()]));
        assert!(accuses(&[home.clone(), there.clone().from(&home.ip)]), "by one address too");
        assert!(!accuses(&[home, At { s: 10 * HOUR_S, ..there }]), "ten hours later he may be there");
    }

    #[rstest]
    #[case::the_date_line((-16.8, 179.9), (-16.8, -179.9))]
    #[case::the_date_line_far_north((78.0, 179.0), (78.0, -179.0))]
    #[case::the_pole((89.9, 10.0), (89.9, -170.0))]
    #[case::the_other_pole((-89.8, -120.0), (-89.8, 60.0))]
    fn neighbours_across_a_line_on_the_map_are_neighbours(#[case] here: (f64, f64), #[case] there: (f64, f64)) {
        assert!(!accuses(&[at(0, here).country("FJ"), thief(there, "FJ")]));
        assert!(accuses(&[at(0, here).country("FJ"), thief((-here.0 / 2.0, here.1), "FJ")]), "far away is far away");
    }

    #[rstest]
    #[case::in_the_far_south(CAIRO, ASWAN, "EG")]
    #[case::between_two_ends_of_the_red_sea((24.7136, 46.6753), (21.4858, 39.1925), "SA")]
    #[case::across_the_gulf_of_the_country((29.3759, 47.9774), (25.2854, 51.531), "KW")]
    #[case::over_two_oceans(AUCKLAND, HONOLULU, "NZ")]
    fn a_relay_in_the_owners_country_is_far_too(#[case] home: (f64, f64), #[case] relay: (f64, f64), #[case] country: &'static str) {
        let home = at(0, home).over(AsnType::Residential).country(country).within(20.0);
        assert!(accuses(&[home, At { s: 600, ..thief(relay, country) }]));
    }
}

/// Degrees east, within a turn.
fn turned(place: (f64, f64), by: f64) -> (f64, f64) {
    (place.0, (place.1 + by + 180.0).rem_euclid(360.0) - 180.0)
}

prop_compose! {
    fn a_place()(lat in -89.0..89.0, lon in -179.9..179.9) -> (f64, f64) {
        (lat, lon)
    }
}

prop_compose! {
    fn a_login()(
        s in 0_i64..400_000, place in a_place(), accuracy_km in proptest::option::of(0.0..2_000.0), device in 0_usize..4,
        ip in 0_u8..6, network in 0_usize..7, by_device in any::<bool>(), country in 0_usize..4, late in proptest::option::of(0_i64..400_000),
    ) -> At {
        let networks = [None, Some(AsnType::Mobile), Some(AsnType::Residential), Some(AsnType::Hosting), Some(AsnType::Vpn),
            Some(AsnType::Corporate), Some(AsnType::Satellite)];
        At {
            s, place, accuracy_km, device: ["", "d_1", "d_2", "d_9"][device], ip: format!("192.0.2.{ip}"), asn_type: networks[network],
            country: [None, Some("EG"), Some("AE"), Some("US")][country], source: by_device.then_some(LocationSource::Device),
            arrives_s: late.map(|late| s + late),
        }
    }
}

proptest! {
    #[test]
    fn whatever_comes_the_numbers_are_numbers_and_the_memory_is_bounded(logins in prop::collection::vec(a_login(), 1..40)) {
        let (params, mut state) = (Params::default(), State::default());
        for login in &logins {
            let said = ImpossibleTravel::observe(&params, &login.event(), &hasher(), &mut state);
            prop_assert!(state.heap_bytes() <= State::HEAP_BOUNDS.most);
            let Some(said) = said else { continue };
            for field in FIELDS.iter().filter(|field| matches!(field.ty, SignalType::Double { .. })) {
                prop_assert!(number(&said, field.name).is_finite() && number(&said, field.name) >= 0.0, "{}", field.name);
            }
            prop_assert!(number(&said, "suspicion") <= 1.0 && number(&said, "strength") <= 1.0);
        }
    }

    #[test]
    fn more_doubt_never_accuses(
        from in a_place(), to in a_place(), s in 0_i64..40_000, radius in 0.0..1_000.0, more in 0.0..1_000.0, tolerance in 0.0..3_000.0,
    ) {
        let jump = |params: &Params, radius: f64| {
            let pair = [at(0, from).within(radius), at(s, to).within(radius).on("d_9").from("203.0.113.9")];
            signals(params, &pair).pop().flatten()
        };
        let sharp = jump(&Params::default(), radius);
        let wide = jump(&Params::default(), radius + more);
        let slack = jump(&Params { tolerance_s: 120.0 + tolerance, ..Params::default() }, radius);
        for looser in [wide, slack].into_iter().flatten() {
            let sharp = sharp.as_ref().expect("more doubt accuses of nothing new");
            prop_assert!(number(&looser, "speed_mps") <= number(sharp, "speed_mps") + 0.1);
            prop_assert!(number(&looser, "strength") <= number(sharp, "strength") + 0.001);
        }
    }

    /// Turning the Earth changes nothing, nor does the date line in the middle of things. South of where countries have their middles.
    #[test]
    fn longitudes_are_a_circle(logins in prop::collection::vec(a_login(), 1..12), by in -720.0..720.0) {
        let south = |login: At| At { place: (-65.5 + login.place.0 / 4.0, login.place.1), ..login };
        let logins: Vec<At> = logins.into_iter().map(south).collect();
        let turn: Vec<At> = logins.iter().map(|login| At { place: turned(login.place, by), ..login.clone() }).collect();
        for (one, other) in signals(&Params::default(), &logins).iter().zip(signals(&Params::default(), &turn)) {
            prop_assert_eq!(one.is_some(), other.is_some());
            if let (Some(one), Some(other)) = (one, other) {
                prop_assert!((number(one, "apart_m") - number(&other, "apart_m")).abs() <= 2.0);
                prop_assert!((number(one, "suspicion") - number(&other, "suspicion")).abs() <= 0.01);
            }
        }
    }

    /// Somebody who is where his logins say, within their radii, and never moves faster than a car: in whatever order they come, late,
    /// twice, on whatever device and line.
    #[test]
    fn an_honest_history_accuses_nobody_in_any_order(
        start in a_place(), steps in prop::collection::vec((0_i32..20_000, -1.0_f64..1.0, -1.0_f64..1.0, 0_usize..3, 0_u8..9), 1..12),
        order in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..12), by_device in any::<bool>(),
    ) {
        let (mut s, mut place, mut logins) = (0, (start.0 * 0.3, start.1), Vec::new());
        for (seconds, north, east, device, ip) in steps {
            s += i64::from(seconds);
            // At most 28 m/s along each axis: a degree is 111 km at the most.
            let degrees = f64::from(seconds) / 4_000.0;
            place = turned((place.0 + north * degrees, place.1 + east * degrees), 0.0);
            let login = at(s, place).on(["d_1", "d_2", "d_9"][device]).from(&format!("192.0.2.{ip}"));
            logins.push(if by_device { login.by_device() } else { login });
        }
        for (index, is_twice) in order {
            let login = logins.remove(index.index(logins.len())).arrives(s);
            if is_twice {
                logins.push(login.clone());
            }
            logins.push(login);
        }
        prop_assert!(fires(&Params::default(), &logins).iter().all(|fired| !fired));
    }
}
