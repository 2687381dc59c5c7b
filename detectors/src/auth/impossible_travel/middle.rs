//! The middle of a country is what geo-IP answers when it knows the country alone. It is no place, but the whole country around it.
//!
//! Two families of such points are in use: those of Google's list of countries ("countries.csv", Dataset Publishing Language), and the
//! geographic coordinates of the CIA World Factbook in whole or half degrees, which older databases took over; of the United States also
//! the one in Kansas that `MaxMind` chose in 2016, and those of Europe and of Asia and the Pacific as wholes. Countries whose radius is
//! less than a city's are left out, as is the Congo's point on the equator, which is no place at all.

use std::sync::LazyLock;

use crate::event::position::Position;

/// How near to such a point is at it, degrees: look-ups give two places after the point or more.
const NEAR_DEG: f64 = 0.015;

/// (ISO 3166 code, radius of a circle of its area by the Factbook in km, (degrees north, degrees east) of its middles).
type Country = (&'static str, f64, &'static [(f64, f64)]);

#[rustfmt::skip]
const COUNTRIES: &[Country] = &[
    ("AE", 165.0, &[(23.42, 53.85), (24.0, 54.0)]),
    ("AF", 455.0, &[(33.94, 67.71), (33.0, 65.0)]),
    ("AO", 630.0, &[(-11.2, 17.87), (-12.5, 18.5)]),
    ("AR", 940.0, &[(-38.42, -63.62), (-34.0, -64.0)]),
    ("AT", 165.0, &[(47.52, 14.55), (47.33, 13.33)]),
    ("AU", 1570.0, &[(-25.27, 133.78), (-27.0, 133.0)]),
    ("AZ", 165.0, &[(40.14, 47.58), (40.5, 47.5)]),
    ("BD", 215.0, &[(23.68, 90.36), (24.0, 90.0)]),
    ("BE", 100.0, &[(50.5, 4.47), (50.83, 4.0)]),
    ("BG", 190.0, &[(42.73, 25.49), (43.0, 25.0)]),
    ("BR", 1645.0, &[(-14.24, -51.93), (-10.0, -55.0)]),
    ("BY", 255.0, &[(53.71, 27.95), (53.0, 28.0)]),
    ("CA", 1785.0, &[(56.13, -106.35), (60.0, -95.0)]),
    ("CD", 865.0, &[(-4.04, 21.76)]),
    ("CH", 115.0, &[(46.82, 8.23), (47.0, 8.0)]),
    ("CI", 320.0, &[(7.54, -5.55), (8.0, -5.0)]),
    ("CL", 490.0, &[(-35.68, -71.54), (-30.0, -71.0)]),
    ("CM", 390.0, &[(7.37, 12.35), (6.0, 12.0)]),
    ("CN", 1750.0, &[(35.86, 104.2), (35.0, 105.0)]),
    ("CO", 600.0, &[(4.57, -74.3), (4.0, -72.0)]),
    ("CZ", 160.0, &[(49.82, 15.47), (49.75, 15.5)]),
    ("DE", 335.0, &[(51.17, 10.45), (51.0, 9.0)]),
    ("DK", 115.0, &[(56.26, 9.5), (56.0, 10.0)]),
    ("DZ", 870.0, &[(28.03, 1.66), (28.0, 3.0)]),
    ("EG", 565.0, &[(26.82, 30.8), (27.0, 30.0)]),
    ("ER", 195.0, &[(15.18, 39.78), (15.0, 39.0)]),
    ("ES", 400.0, &[(40.46, -3.75), (40.0, -4.0)]),
    ("ET", 595.0, &[(9.14, 40.49), (8.0, 38.0)]),
    ("FI", 330.0, &[(61.92, 25.75), (64.0, 26.0)]),
    ("FR", 420.0, &[(46.23, 2.21), (46.0, 2.0)]),
    ("GB", 280.0, &[(55.38, -3.44), (54.0, -2.0)]),
    ("GE", 150.0, &[(42.32, 43.36), (42.0, 43.5)]),
    ("GH", 275.0, &[(7.95, -1.02), (8.0, -2.0)]),
    ("GR", 205.0, &[(39.07, 21.82), (39.0, 22.0)]),
    ("HU", 170.0, &[(47.16, 19.5), (47.0, 20.0)]),
    ("ID", 780.0, &[(-0.79, 113.92), (-5.0, 120.0)]),
    ("IE", 150.0, &[(53.41, -8.24), (53.0, -8.0)]),
    ("IN", 1025.0, &[(20.59, 78.96), (20.0, 77.0)]),
    ("IQ", 375.0, &[(33.22, 43.68), (33.0, 44.0)]),
    ("IR", 725.0, &[(32.43, 53.69), (32.0, 53.0)]),
    ("IT", 310.0, &[(41.87, 12.57), (42.83, 12.83)]),
    ("JO", 170.0, &[(30.59, 36.24), (31.0, 36.0)]),
    ("JP", 345.0, &[(36.2, 138.25), (36.0, 138.0)]),
    ("KE", 430.0, &[(-0.02, 37.91), (1.0, 38.0)]),
    ("KR", 180.0, &[(35.91, 127.77), (37.0, 127.5)]),
    ("KZ", 930.0, &[(48.02, 66.92), (48.0, 68.0)]),
    ("LB", 60.0, &[(33.85, 35.86), (33.83, 35.83)]),
    ("LY", 750.0, &[(26.34, 17.23), (25.0, 17.0)]),
    ("MA", 375.0, &[(31.79, -7.09), (32.0, -5.0)]),
    ("MR", 575.0, &[(21.01, -10.94), (20.0, -12.0)]),
    ("MX", 790.0, &[(23.63, -102.55), (23.0, -102.0)]),
    ("MY", 325.0, &[(4.21, 101.98), (2.5, 112.5)]),
    ("NG", 540.0, &[(9.08, 8.68), (10.0, 8.0)]),
    ("NL", 115.0, &[(52.13, 5.29), (52.5, 5.75)]),
    ("NO", 350.0, &[(60.47, 8.47), (62.0, 10.0)]),
    ("NZ", 290.0, &[(-40.9, 174.89), (-41.0, 174.0)]),
    ("OM", 315.0, &[(21.51, 55.92), (21.0, 57.0)]),
    ("PE", 640.0, &[(-9.19, -75.02), (-10.0, -76.0)]),
    ("PH", 310.0, &[(12.88, 121.77), (13.0, 122.0)]),
    ("PK", 505.0, &[(30.38, 69.35), (30.0, 70.0)]),
    ("PL", 315.0, &[(51.92, 19.15), (52.0, 20.0)]),
    ("PT", 170.0, &[(39.4, -8.22), (39.5, -8.0)]),
    ("RO", 275.0, &[(45.94, 24.97), (46.0, 25.0)]),
    ("RS", 155.0, &[(44.02, 21.01), (44.0, 21.0)]),
    ("RU", 2335.0, &[(61.52, 105.32), (60.0, 100.0)]),
    ("SA", 825.0, &[(23.89, 45.08), (25.0, 45.0)]),
    ("SD", 770.0, &[(12.86, 30.22), (15.0, 30.0)]),
    ("SE", 380.0, &[(60.13, 18.64), (62.0, 15.0)]),
    ("SN", 250.0, &[(14.5, -14.45), (14.0, -14.0)]),
    ("SO", 450.0, &[(5.15, 46.2), (10.0, 49.0)]),
    ("SY", 245.0, &[(34.8, 39.0), (35.0, 38.0)]),
    ("TH", 405.0, &[(15.87, 100.99), (15.0, 100.0)]),
    ("TN", 230.0, &[(33.89, 9.54), (34.0, 9.0)]),
    ("TR", 500.0, &[(38.96, 35.24), (39.0, 35.0)]),
    ("TZ", 550.0, &[(-6.37, 34.89), (-6.0, 35.0)]),
    ("UA", 440.0, &[(48.38, 31.17), (49.0, 32.0)]),
    ("UG", 275.0, &[(1.37, 32.29), (1.0, 32.0)]),
    ("US", 1770.0, &[(37.09, -95.71), (38.0, -97.0), (37.75, -97.82)]),
    ("UZ", 375.0, &[(41.38, 64.59), (41.0, 64.0)]),
    ("VE", 540.0, &[(6.42, -66.59), (8.0, -66.0)]),
    ("VN", 325.0, &[(14.06, 108.28), (16.0, 106.0)]),
    ("YE", 410.0, &[(15.55, 48.52), (15.0, 48.0)]),
    ("ZA", 625.0, &[(-30.56, 22.94), (-29.0, 24.0)]),
    ("EU", 1800.0, &[(54.53, 15.26)]),
];

/// The middles (degrees north, degrees east, radius of the country in km) from south to north: every login is looked for.
static MIDDLES: LazyLock<Vec<(f64, f64, f64)>> = LazyLock::new(|| {
    let of = |(_, radius_km, middles): &Country| middles.iter().map(|(lat, lon)| (*lat, *lon, *radius_km)).collect::<Vec<_>>();
    let mut middles: Vec<_> = COUNTRIES.iter().flat_map(of).collect();
    middles.sort_by(|one, other| one.0.total_cmp(&other.0));
    middles
});

/// The radius of the country in whose middle that is, m; `None` where it is in none's. Countries are no circles: half as much again.
pub(super) fn radius_m(position: Position) -> Option<f64> {
    let middles = MIDDLES.as_slice();
    // The belt is wider than what is near, so that rounding at its edges decides nothing.
    let from = middles.partition_point(|(lat, ..)| *lat < position.lat() - 2.0 * NEAR_DEG);
    let mut belt = middles.iter().skip(from).take_while(|(lat, ..)| *lat <= position.lat() + 2.0 * NEAR_DEG);
    belt.find(|(lat, lon, _)| is_near(position, *lat, *lon)).map(|(.., radius_km)| radius_km * 1_500.0)
}

fn is_near(position: Position, lat: f64, lon: f64) -> bool {
    (position.lat() - lat).abs() <= NEAR_DEG && (position.lon() - lon).abs() <= NEAR_DEG
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::units::{Latitude, Longitude};
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::egypt(26.820_553, 30.802_498, Some(847_500.0))]
    #[case::egypt_rounded(26.82, 30.8, Some(847_500.0))]
    #[case::egypt_in_whole_degrees(27.0, 30.0, Some(847_500.0))]
    #[case::kansas(37.751, -97.822, Some(2_655_000.0))]
    #[case::europe(54.53, 15.26, Some(2_700_000.0))]
    #[case::cairo(30.0444, 31.2357, None)]
    #[case::two_kilometres_from_it(26.84, 30.8, None)]
    fn the_middle_of_a_country_is_the_country(#[case] lat: f64, #[case] lon: f64, #[case] expected: Option<f64>) {
        assert_eq!(radius_m(at(lat, lon)), expected);
    }

    fn at(lat: f64, lon: f64) -> Position {
        Position::new(Latitude::try_from(lat).expect("in range"), Longitude::try_from(lon).expect("in range"))
    }

    proptest! {
        /// By latitude it is found where going through all countries finds it, at the very edge too.
        #[test]
        fn it_is_found_as_by_going_through_all(country in 0..COUNTRIES.len(), middle in 0_usize..3, north in -8_i32..=8, east in -8_i32..=8) {
            let (_, _, middles) = COUNTRIES[country];
            let (lat, lon) = middles[middle % middles.len()];
            let position = at(lat + f64::from(north) * 0.005, lon + f64::from(east) * 0.005);
            let plain = COUNTRIES.iter().find(|(_, _, middles)| middles.iter().any(|(lat, lon)| is_near(position, *lat, *lon)));
            prop_assert_eq!(radius_m(position), plain.map(|(_, radius_km, _)| radius_km * 1_500.0));
        }
    }

    #[test]
    fn each_country_stands_there_once_and_its_middles_are_places() {
        for (index, (code, radius_km, middles)) in COUNTRIES.iter().enumerate() {
            assert!(COUNTRIES.iter().skip(index + 1).all(|(other, ..)| other != code), "{code}");
            assert!((50.0..4_000.0).contains(radius_km) && !middles.is_empty(), "{code}");
            assert!(middles.iter().all(|(lat, lon)| lat.abs() < 90.0 && lon.abs() < 180.0 && *lat != 0.0 && *lon != 0.0), "{code}");
        }
    }
}
