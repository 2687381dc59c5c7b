//! Parts of instants and of spans of time.
//!
//! Zones are those of the IANA database that is built into the program (crate `jiff`, its own copy), so that no file of the
//! machine changes what a rule says; offsets are as CEL writes them, `+02:00`, `-09:30` or `02:00`.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use rasid_detectors::value::Value;

use crate::expression::EvalError;

const DAY_MS: i64 = 86_400_000;
/// One for the program, so that a zone that an event names is read once.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A part of a timestamp or of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names are those of the functions")]
pub enum Part {
    FullYear,
    /// From 0.
    Month,
    /// The day of the month from 1.
    Date,
    /// From 0.
    DayOfMonth,
    /// From 0, Sunday.
    DayOfWeek,
    /// From 0.
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

impl Part {
    /// The part that a function of that name gives.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "getFullYear" => Self::FullYear,
            "getMonth" => Self::Month,
            "getDate" => Self::Date,
            "getDayOfMonth" => Self::DayOfMonth,
            "getDayOfWeek" => Self::DayOfWeek,
            "getDayOfYear" => Self::DayOfYear,
            "getHours" => Self::Hours,
            "getMinutes" => Self::Minutes,
            "getSeconds" => Self::Seconds,
            "getMilliseconds" => Self::Milliseconds,
            _ => return None,
        })
    }

    /// Whether a duration has it.
    pub(crate) fn is_of_durations(self) -> bool {
        matches!(self, Self::Hours | Self::Minutes | Self::Seconds | Self::Milliseconds)
    }
}

/// A time zone, with the name by which it was found.
#[derive(Clone)]
pub struct Zone {
    name: Box<str>,
    zone: TimeZone,
}

impl Zone {
    /// UTC.
    pub fn utc() -> Self {
        Self { name: "UTC".into(), zone: TimeZone::UTC }
    }

    /// The zone of that name or offset; `None` where there is none.
    pub fn find(name: &str) -> Option<Self> {
        let zone = match offset(name) {
            Some(seconds) => TimeZone::fixed(Offset::from_seconds(seconds).ok()?),
            // The database takes any case; CEL's is not so kind.
            None => ZONES.get(name).ok().filter(|zone| zone.iana_name() == Some(name))?,
        };
        Some(Self { name: name.into(), zone })
    }

    /// A name near to a wrong one.
    pub(crate) fn near(name: &str) -> Option<String> {
        let wanted = name.to_ascii_lowercase().replace(' ', "_");
        let known: Vec<String> = ZONES.available().map(|known| known.to_string()).collect();
        let city = |known: &str| known.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let exact = known.iter().find(|known| city(known) == city(&wanted) && known.contains('/'));
        let like = || known.iter().min_by_key(|known| strsim::damerau_levenshtein(&known.to_ascii_lowercase(), &wanted));
        exact.or_else(like).cloned()
    }

    /// How far it is ahead of UTC at an instant, ms. The database ends a day before CEL does: its last rule holds on.
    fn offset_ms(&self, at_ms: i64) -> i64 {
        let last = if at_ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let instant = Timestamp::from_millisecond(at_ms).unwrap_or(last);
        i64::from(self.zone.to_offset(instant).seconds()) * 1_000
    }

    /// Its name, as the rule has it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// Seconds of an offset, `+02:00`; the sign may be left out.
fn offset(text: &str) -> Option<i32> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, text.get(1..)?),
        b'+' => (1, text.get(1..)?),
        _ => (1, text),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |text: &str| text.parse::<i32>().ok().filter(|_| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()));
    let (hours, minutes) = (number(hours).filter(|hours| *hours < 24)?, number(minutes).filter(|minutes| *minutes < 60)?);
    Some(sign * (hours * 3_600 + minutes * 60))
}

/// A part of an instant in a zone. Local time may lie in the years 0 and 10000, beyond which no instant is.
pub(crate) fn of_timestamp(part: Part, at_ms: i64, zone: &Zone) -> Value<'static> {
    let local_ms = at_ms + zone.offset_ms(at_ms);
    let in_day = local_ms.rem_euclid(DAY_MS);
    let date = || Civil::of(local_ms.div_euclid(DAY_MS));
    Value::Int(match part {
        Part::FullYear => date().year,
        Part::Month => date().month - 1,
        Part::Date => date().day,
        Part::DayOfMonth => date().day - 1,
        Part::DayOfWeek => (local_ms.div_euclid(DAY_MS) + 4).rem_euclid(7), // 1970 began on a Thursday
        Part::DayOfYear => date().day_of_year,
        Part::Hours => in_day / 3_600_000,
        Part::Minutes => in_day / 60_000 % 60,
        Part::Seconds => in_day / 1_000 % 60,
        Part::Milliseconds => in_day % 1_000,
    })
}

/// An instant as RFC 3339 in UTC, without zeros at the end of its second.
pub(crate) fn written(at_ms: i64) -> String {
    let (days, in_day) = (at_ms.div_euclid(DAY_MS), at_ms.rem_euclid(DAY_MS));
    let date = Civil::of(days);
    let (hour, minute, second, millis) = (in_day / 3_600_000, in_day / 60_000 % 60, in_day / 1_000 % 60, in_day % 1_000);
    let fraction = if millis == 0 { String::new() } else { format!(".{millis:03}").trim_end_matches('0').to_owned() };
    format!("{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z", date.year, date.month, date.day)
}

/// A date of the proleptic Gregorian calendar.
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    /// From 0.
    day_of_year: i64,
}

impl Civil {
    /// The date that is so many days after 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    fn of(days: i64) -> Self {
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let from_march = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let of_march = (5 * from_march + 2) / 153;
        let day = from_march - (153 * of_march + 2) / 5 + 1;
        let month = if of_march < 10 { of_march + 3 } else { of_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        // March is the sixtieth day of a usual year, counted from 1; January comes 306 days after it.
        let day_of_year = if month > 2 { from_march + 59 + i64::from(is_leap) } else { from_march - 306 };
        Self { year, month, day, day_of_year }
    }
}

/// A part of a span: all of it in hours, minutes or seconds, towards zero; its milliseconds within the second.
pub(crate) fn of_duration(part: Part, span_ms: i64) -> Result<Value<'static>, EvalError> {
    Ok(Value::Int(match part {
        Part::Hours => span_ms / 3_600_000,
        Part::Minutes => span_ms / 60_000,
        Part::Seconds => span_ms / 1_000,
        Part::Milliseconds => span_ms % 1_000,
        _ => return Err(EvalError::NoOverload),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("+02:00", Some(7_200))]
    #[case("-09:30", Some(-34_200))]
    #[case("02:00", Some(7_200))]
    #[case("-00:00", Some(0))]
    #[case("23:59", Some(86_340))]
    #[case("24:00", None)]
    #[case("02:60", None)]
    #[case("2:00", None)]
    #[case("+2", None)]
    #[case("++2:00", None)]
    #[case("", None)]
    fn offsets_are_written_as_cel_does(#[case] text: &str, #[case] expected: Option<i32>) {
        assert_eq!(offset(text), expected);
    }

    /// Egypt has had summer time again since 2023, and had none in 2020.
    #[rstest]
    #[case("2026-07-01T22:30:00Z", 1)]
    #[case("2026-12-01T22:30:00Z", 0)]
    #[case("2020-07-01T22:30:00Z", 0)]
    fn zones_are_known_without_a_file(#[case] instant: &str, #[case] hour: i64) {
        let at_ms = rasid_detectors::event::time::parse_rfc3339(instant).expect("an instant");
        let zone = Zone::find("Africa/Cairo").expect("a zone");
        assert!(of_timestamp(Part::Hours, at_ms, &zone) == Value::Int(hour));
    }

    /// Every day of CEL's years against the database's own calendar, and what lies at their ends.
    #[test]
    fn dates_are_those_of_the_calendar() {
        let first = jiff::civil::date(1, 1, 1);
        for (days, date) in (-719_162_i64..).zip(first.series(jiff::Span::new().days(1))).step_by(7) {
            let civil = Civil::of(days);
            let expected = (i64::from(date.year()), i64::from(date.month()), i64::from(date.day()), i64::from(date.day_of_year()) - 1);
            assert_eq!((civil.year, civil.month, civil.day, civil.day_of_year), expected, "{date}");
            let weekday = of_timestamp(Part::DayOfWeek, days * DAY_MS, &Zone::utc());
            assert!(weekday == Value::Int(date.weekday().to_sunday_zero_offset().into()), "{date}");
        }
        let (begin, end) = (*crate::arithmetic::TIMES_MS.start(), *crate::arithmetic::TIMES_MS.end());
        assert_eq!((written(begin), written(end)), ("0001-01-01T00:00:00Z".to_owned(), "9999-12-31T23:59:59.999Z".to_owned()));
        let cairo = Zone::find("Africa/Cairo").expect("a zone");
        assert!(of_timestamp(Part::FullYear, end, &cairo) == Value::Int(10_000));
        assert!(of_timestamp(Part::FullYear, begin, &Zone::find("-01:00").expect("an offset")) == Value::Int(0));
    }

    #[test]
    fn a_wrong_name_is_none_and_has_a_near_one() {
        for wrong in ["Cairo", "africa/cairo", "Africa/Cario", "", "+99:00", "EST5EDT4"] {
            assert!(Zone::find(wrong).is_none(), "{wrong}");
        }
        assert_eq!(Zone::near("Cairo").as_deref(), Some("Africa/Cairo"));
        assert_eq!(Zone::near("africa/cairo").as_deref(), Some("Africa/Cairo"));
        assert_eq!(Zone::near("Africa/Cario").as_deref(), Some("Africa/Cairo"));
    }

    #[rstest]
    #[case(Part::Hours, 10_000_000, Ok(Value::Int(2)))]
    #[case(Part::Minutes, -3_730_000, Ok(Value::Int(-62)))]
    #[case(Part::Seconds, 1_999, Ok(Value::Int(1)))]
    #[case(Part::Milliseconds, 123_321, Ok(Value::Int(321)))]
    #[case(Part::Month, 1, Err(EvalError::NoOverload))]
    fn durations_have_parts(#[case] part: Part, #[case] span_ms: i64, #[case] expected: Result<Value<'static>, EvalError>) {
        assert!(of_duration(part, span_ms) == expected);
    }
}
