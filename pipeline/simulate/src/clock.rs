//! Instants as Unix milliseconds, their written form, Cairo's clock and the rhythm of the day.

use crate::random::Random;

/// ms in a second.
pub(crate) const SECOND: i64 = 1_000;
/// ms in a minute.
pub(crate) const MINUTE: i64 = 60 * SECOND;
/// ms in an hour.
pub(crate) const HOUR: i64 = 60 * MINUTE;
/// ms in a day.
pub(crate) const DAY: i64 = 24 * HOUR;

/// How busy each local hour is, 0 to 23: quiet at night, a lunch hump, evenings busy until late.
const WEEKDAY: [u32; 24] = [30, 14, 7, 4, 4, 6, 12, 24, 40, 55, 62, 64, 66, 64, 62, 62, 66, 74, 86, 100, 104, 98, 80, 52];
/// Friday: the morning and the noon prayer are quiet, the evening is the week's busiest.
const FRIDAY: [u32; 24] = [44, 24, 12, 6, 4, 5, 6, 8, 10, 14, 18, 16, 10, 22, 48, 64, 76, 88, 104, 116, 118, 108, 88, 56];

/// Year, month and day of a count of days since 1970 (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days since 1970 of a date; the inverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// 0 is Sunday.
fn weekday(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}

/// How far Cairo's clock is ahead of UTC, ms: three hours from the last Friday of April to the end of the last Thursday of
/// October (Law 24 of 2023), else two.
fn cairo_offset(at: i64) -> i64 {
    let (year, _, _) = civil(at.div_euclid(DAY));
    let last = |month: i64, day: i64, wanted: i64| {
        let end = days(year, month, day);
        end - (weekday(end) - wanted).rem_euclid(7)
    };
    let from = last(4, 30, 5) * DAY - 2 * HOUR;
    let to = (last(10, 31, 4) + 1) * DAY - 3 * HOUR;
    if (from..to).contains(&at) { 3 * HOUR } else { 2 * HOUR }
}

/// The hour that a clock in Cairo shows, 0 to 23.
pub(crate) fn cairo_hour(at: i64) -> i64 {
    (at + cairo_offset(at)).rem_euclid(DAY) / HOUR
}

/// Day and month that a calendar in Cairo shows.
pub(crate) fn cairo_date(at: i64) -> (i64, i64, i64) {
    civil((at + cairo_offset(at)).div_euclid(DAY))
}

/// The day of the week that a calendar in Cairo shows; 0 is Sunday.
pub(crate) fn cairo_weekday(at: i64) -> i64 {
    weekday((at + cairo_offset(at)).div_euclid(DAY))
}

/// An instant of the day that starts at `day_start`, as likely as people are awake and busy.
pub(crate) fn busy_instant(random: &mut Random, day_start: i64) -> i64 {
    let mut weights = [0_u32; 24];
    let mut from = day_start;
    for weight in &mut weights {
        let local = from + cairo_offset(from);
        let table = if weekday(local.div_euclid(DAY)) == 5 { &FRIDAY } else { &WEEKDAY };
        let hour = usize::try_from(local.rem_euclid(DAY) / HOUR).unwrap_or_default();
        *weight = table.get(hour).copied().unwrap_or(1);
        from += HOUR;
    }
    let hour = i64::try_from(random.weighted(&weights)).unwrap_or_default();
    day_start + hour * HOUR + random.between(0, HOUR - 1)
}

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn rfc3339(at: i64) -> String {
    let (year, month, day) = civil(at.div_euclid(DAY));
    let of_day = at.rem_euclid(DAY);
    let (hour, minute) = (of_day / HOUR, of_day / MINUTE % 60);
    let (second, millis) = (of_day / SECOND % 60, of_day % SECOND);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_as_the_standard_says() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_795_255_200_123), "2026-11-21T10:00:00.123Z");
        assert_eq!(rfc3339(1_709_164_800_000), "2024-02-29T00:00:00.000Z");
    }

    #[test]
    fn dates_come_back() {
        for day in -1_000..40_000 {
            let (year, month, date) = civil(day);
            assert_eq!(days(year, month, date), day);
        }
    }

    #[test]
    fn cairo_keeps_summer_time_between_its_bounds() {
        let at = |year, month, day, hour| days(year, month, day) * DAY + hour * HOUR;
        assert_eq!(cairo_offset(at(2026, 4, 23, 21)), 2 * HOUR); // Thursday 23:00 local
        assert_eq!(cairo_offset(at(2026, 4, 23, 22)), 3 * HOUR); // midnight becomes one o'clock
        assert_eq!(cairo_offset(at(2026, 10, 29, 20)), 3 * HOUR);
        assert_eq!(cairo_offset(at(2026, 10, 29, 21)), 2 * HOUR);
        assert_eq!(cairo_hour(at(2026, 11, 2, 22)), 0);
        assert_eq!(cairo_date(at(2026, 11, 2, 22)), (2026, 11, 3));
    }

    #[test]
    fn friday_morning_is_quiet_and_evenings_are_busy() {
        let count = |day_start: i64, hours: std::ops::Range<i64>| {
            let mut random = Random::of(3, "rhythm", 0, 0);
            (0..20_000).filter(|_| hours.contains(&cairo_hour(busy_instant(&mut random, day_start)))).count()
        };
        let (monday, friday) = (days(2026, 11, 2) * DAY, days(2026, 11, 6) * DAY);
        assert!(count(friday, 8..12) * 2 < count(monday, 8..12));
        assert!(count(monday, 18..22) > 3 * count(monday, 2..6));
    }
}
