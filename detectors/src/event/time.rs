//! RFC 3339 instants as milliseconds since the Unix epoch.

/// What [`parse_rfc3339`] takes, as a pattern for JSON Schema: the two must agree, and a test compares them.
pub const PATTERN: &str = concat!(
    "^(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))",
    "|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)",
    "[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\\.[0-9]+)?",
    "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$"
);

/// Milliseconds since the Unix epoch (negative before 1970) of an RFC 3339 instant with a zone; digits past the
/// millisecond are cut, and a leap second is the second before it. `None` when it is not one.
#[inline]
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let (date_time, rest) = text.as_bytes().split_at_checked(19)?;
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't' | b' ', h1, h2, b':', n1, n2, b':', s1, s2] = date_time else {
        return None;
    };
    let year = number(&[y1, y2, y3, y4])?;
    let (month, day) = (number(&[m1, m2])?, number(&[d1, d2])?);
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (millis, zone) = match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            let (fraction, zone) = fraction.split_at(digits);
            let mut padded = [b'0'; 3];
            for (slot, digit) in padded.iter_mut().zip(fraction) {
                *slot = *digit;
            }
            (number(&padded)?, zone)
        }
        zone => (0, zone),
    };
    let offset_minutes = match zone {
        b"Z" | b"z" => 0,
        &[sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let total = hours * 60 + minutes;
            if sign == b'-' { -total } else { total }
        }
        _ => return None,
    };
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + (minute - offset_minutes) * 60 + second.min(59);
    Some(seconds * 1_000 + millis)
}

#[inline]
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a proleptic Gregorian date (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
#[inline]
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// An instant as RFC 3339 in UTC with milliseconds, as alerts carry it.
pub fn format_rfc3339(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |instant| format!("{instant:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("1970-01-01T00:00:00Z", Some(0))]
    #[case("2026-11-21T10:00:00.123Z", Some(1_795_255_200_123))]
    #[case("2026-11-21T10:00:00.123999Z", Some(1_795_255_200_123))]
    #[case("2026-11-21T12:00:00.1+02:00", Some(1_795_255_200_100))]
    #[case("2026-11-21t10:00:00z", Some(1_795_255_200_000))]
    #[case("2026-02-29T00:00:00Z", None)]
    #[case("2026-11-21T10:00:00", None)]
    #[case("2026-11-21T24:00:00Z", None)]
    #[case("1969-12-31T23:59:59Z", Some(-1_000))]
    #[case("2026-11-21T10:00Z", None)]
    #[case("20261121T100000Z", None)]
    #[case("2026-11-21 10:00:00z", Some(1_795_255_200_000))]
    #[case("2016-12-31T23:59:60Z", Some(1_483_228_799_000))]
    #[case("2026-11-21", None)]
    #[case("", None)]
    #[case("２０２６-11-21T10:00:00Z", None)]
    #[case::ten_digits("2026-11-21T10:00:00.1234567891Z", Some(1_795_255_200_123))]
    #[case::no_digit("2026-11-21T10:00:00.Z", None)]
    #[case::comma("2026-11-21T10:00:00,123Z", None)]
    #[case::widest_offset("2026-11-21T10:00:00+23:59", Some(1_795_255_200_000 - 86_340_000))]
    #[case::offset_of_a_day("2026-11-21T10:00:00+24:00", None)]
    #[case::offset_of_jiff("2026-11-21T10:00:00-25:59", None)]
    #[case::offset_of_sixty_minutes("2026-11-21T10:00:00+01:60", None)]
    #[case::lower_case_with_a_fraction("2026-11-21t10:00:00.5z", Some(1_795_255_200_500))]
    #[case::sixty_one("2016-12-31T23:59:61Z", None)]
    fn instants_are_read_as_the_standard_says(#[case] text: &str, #[case] expected: Option<i64>) {
        assert_eq!(parse_rfc3339(text), expected);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(millis in 0..253_402_300_800_000_i64) {
            let text = format_rfc3339(millis);
            prop_assert_eq!(parse_rfc3339(&text), Some(millis));
            prop_assert_eq!(text.parse::<jiff::Timestamp>().expect("RFC 3339").as_millisecond(), millis);
        }

        /// Instants and what is nearly one: every number around its bounds, every mark in the right and the wrong place.
        #[test]
        fn the_pattern_of_the_schema_says_the_same(
            text in "(0000|1900|1999|2000|2023|2024|2400|9999)-(00|01|02|04|11|12|13)-(00|01|28|29|30|31|32)[Tt _](00|23|24):(00|59|60):(00|59|60|61)([.,][0-9]{0,11})?([Zz]|[+-](00|14|23|24):(00|59|60)|)"
        ) {
            let pattern = regex::Regex::new(PATTERN).expect("a pattern");
            prop_assert_eq!(parse_rfc3339(&text).is_some(), pattern.is_match(&text), "{}", text);
        }
    }
}
