//! Hours as a clock in Cairo shows them: people keep their habits by it, whatever the offset from UTC.
//!
//! The zone is that of the IANA database that is built into the program (crate `jiff`, its own copy), so that no file of the
//! machine changes what an event is set against. Egypt puts its clocks an hour forward on the last Friday of April and back
//! on the last Thursday of October, since 2023 again.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// One hour, ms.
pub const HOUR_MS: i64 = 3_600_000;
/// Hours of a week.
pub const WEEK_HOURS: i64 = 168;

static CAIRO: LazyLock<TimeZone> =
    LazyLock::new(|| TimeZoneDatabase::bundled().get("Africa/Cairo").expect("the database that is built in has it"));

/// The hour that a clock in Cairo shows when an hour of UTC begins; both count from the first one of 1970. The database ends a day
/// before events do: its last rule holds on.
pub fn in_cairo(hour: i64) -> i64 {
    let last = if hour < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let instant = Timestamp::from_second(hour.saturating_mul(3_600)).unwrap_or(last);
    hour.saturating_add(i64::from(CAIRO.to_offset(instant).seconds()).div_euclid(3_600))
}

/// The hours of UTC in which a clock in Cairo shows that hour, the one before or the one after, each with what it shows: three, but
/// one less where clocks are put forward and one more where they are put back. Its offset has been two or three hours for as long
/// as there is one.
pub fn around_in_cairo(shown: i64) -> impl Iterator<Item = (i64, i64)> {
    let hours = (1..=4).rev().map(move |before| shown.saturating_sub(before));
    hours.map(|hour| (hour, in_cairo(hour))).filter(move |(_, other)| other.abs_diff(shown) <= 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::time::parse_rfc3339;

    fn hour(instant: &str) -> i64 {
        parse_rfc3339(instant).expect("an instant").div_euclid(HOUR_MS)
    }

    #[test]
    fn clocks_are_put_forward_and_back() {
        let midnight = |date: &str| hour(&format!("{date}T00:00:00Z"));
        assert_eq!(in_cairo(hour("2026-01-01T10:00:00Z")), midnight("2026-01-01") + 12);
        assert_eq!(in_cairo(hour("2026-07-01T10:00:00Z")), midnight("2026-07-01") + 13);
        assert_eq!(in_cairo(hour("2022-07-01T10:00:00Z")), midnight("2022-07-01") + 12, "not in that year");
        // Midnight of 24 April is not shown, 11 pm of 29 October is twice.
        let around = |shown: i64| around_in_cairo(shown).map(|(hour, other)| (hour, other - shown)).collect::<Vec<_>>();
        let (before, after) = (hour("2026-04-23T21:00:00Z"), hour("2026-04-23T22:00:00Z"));
        assert_eq!(around(midnight("2026-04-24")), [(before, -1), (after, 1)]);
        assert_eq!(around(midnight("2026-04-24") + 1), [(after, 0), (after + 1, 1)]);
        let back = hour("2026-10-29T20:00:00Z");
        assert_eq!(around(midnight("2026-10-29") + 23), [(back - 1, -1), (back, 0), (back + 1, 0), (back + 2, 1)]);
    }

    #[test]
    fn every_hour_is_found_again() {
        for hour in hour("2009-01-01T00:00:00Z")..hour("2030-01-01T00:00:00Z") {
            assert!(around_in_cairo(in_cairo(hour)).any(|(found, _)| found == hour), "{hour}");
        }
        for far in [i64::MIN, i64::MAX, hour("0000-01-01T00:00:00Z"), hour("9999-12-31T23:00:00Z")] {
            assert!(in_cairo(far) >= far);
        }
    }
}
