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
    let (date_time, rest) = text.as_bytes().split_first_chunk::<19>()?;
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't' | b' ', h1, h2, b':', n1, n2, b':', s1, s2] = date_time else {
        return None;
    };
    let [century, year, month, _] = pairs([y1, y2, y3, y4, m1, m2, b'0', b'0'])?;
    let [day, hour, minute, second] = pairs([d1, d2, h1, h2, n1, n2, s1, s2])?;
    let year = century * 100 + year;
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (millis, offset_minutes) = match *rest {
        [b'Z' | b'z'] => (0, 0),
        [b'.', a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b'Z' | b'z'] => {
            let [a, b, c] = [a, b, c].map(|digit| i64::from(digit - b'0'));
            (a * 100 + b * 10 + c, 0)
        }
        _ => fraction_and_zone(rest)?,
    };
    let minutes = i64::from(days_from_civil(year, month, day)) * 1_440 + i64::from(hour * 60 + minute) - offset_minutes;
    Some(minutes * 60_000 + i64::from(second.min(59)) * 1_000 + millis)
}

/// What comes after the seconds, where it is not the usual: milliseconds, and by how many minutes the zone is ahead of UTC.
fn fraction_and_zone(rest: &[u8]) -> Option<(i64, i64)> {
    let (millis, zone) = match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (fraction, zone) = fraction.split_at(digits);
            let digit = |place: usize| fraction.get(place).map_or(0, |digit| i64::from(digit - b'0'));
            (fraction.first().map(|_| digit(0) * 100 + digit(1) * 10 + digit(2))?, zone)
        }
        zone => (0, zone),
    };
    let offset_minutes = match *zone {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (pair(h1, h2)?, pair(m1, m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let total = i64::from(hours) * 60 + i64::from(minutes);
            if sign == b'-' { -total } else { total }
        }
        _ => return None,
    };
    Some((millis, offset_minutes))
}

/// The numbers of four times two digits, all of which are looked at together: eight bytes are one number here.
#[inline]
fn pairs(digits: [u8; 8]) -> Option<[u32; 4]> {
    let digits = u64::from_le_bytes(digits) ^ u64::from_le_bytes([b'0'; 8]);
    // A byte over 9 shows its highest bit, or gets it by what is added.
    if (digits | digits.wrapping_add(u64::from_le_bytes([0x76; 8]))) & u64::from_le_bytes([0x80; 8]) != 0 {
        return None;
    }
    let [first, _, second, _, third, _, fourth, _] = (digits * 10 + (digits >> 8)).to_le_bytes();
    Some([first, second, third, fourth].map(u32::from))
}

/// The number of two digits.
fn pair(tens: u8, ones: u8) -> Option<u8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| tens * 10 + ones)
}

#[inline]
fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400) => 29,
        2 => 28,
        // 31 in odd months up to July, in even ones after it.
        _ => 30 + ((month ^ (month >> 3)) & 1),
    }
}

/// Days since 1970-01-01 of a proleptic Gregorian date (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
#[inline]
fn days_from_civil(year: u32, month: u32, day: u32) -> i32 {
    // Years begin in March, and an era before the first, so that nothing is negative.
    let (year, month) = if month <= 2 { (year + 399, month + 9) } else { (year + 400, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    days.cast_signed() - 146_097 - 719_468
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
