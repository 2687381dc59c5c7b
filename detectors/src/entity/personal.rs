//! Identifiers that are opaque by their field and personal by what stands in them: a platform that takes the phone for the
//! account's id. They leave as pseudonyms like any phone. The rule is told to readers in docs/redis.md; whoever changes one
//! changes both.

use std::net::IpAddr;

use super::digit;
use crate::shown::is_unseen;

/// Lengths of a telephone number in international form without its `+`: ITU-T E.164 has fifteen digits at most, and the
/// shortest in use have eight.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// Whether an identifier, as a whole, reads as an e-mail address, an IP address, a telephone number or a payment card's:
///
/// * an `@` (or `%40`) with something on either side;
/// * an IPv4 or IPv6 address, also in brackets, with a port, a zone or a prefix length;
/// * no letters, and digits that are, whatever stands between them: `+` or `00` and an international number of 8 to 15
///   digits; an Egyptian mobile, `01` and one of 0 1 2 5 and eight more, also with 20 in the place of the 0; a card number
///   of 15 or 16 digits, by its issuer's range and check digit.
///
/// A scheme before it (`tel:`, `whatsapp:`) is passed over. Plain whole numbers are left alone, as databases count: `42`,
/// `1000000042`, a time in milliseconds.
pub fn reads_as_personal(id: &str) -> bool {
    let id = id.trim_matches(|c: char| c.is_whitespace() || is_unseen(c));
    // What can be none of these is most of what comes: no digit and no sign of an address.
    is_mail(id) || is_address(id) || is_number(id)
}

fn is_mail(id: &str) -> bool {
    let within = |at: &str| id.match_indices(at).any(|(place, _)| place > 0 && place + at.len() < id.len());
    within("@") || within("\u{FF20}") || within("%40")
}

fn is_address(id: &str) -> bool {
    if !id.contains(['.', ':']) {
        return false;
    }
    let bare = id.split(['/', '%']).next().unwrap_or(id);
    if bare.parse::<IpAddr>().is_ok() {
        return true;
    }
    let (host, port) = match bare.strip_prefix('[') {
        Some(rest) => rest.split_once(']').unwrap_or(("", rest)),
        None => bare.split_once(':').unwrap_or((bare, "")),
    };
    port.trim_start_matches(':').bytes().all(|byte| byte.is_ascii_digit()) && host.parse::<IpAddr>().is_ok()
}

fn is_number(id: &str) -> bool {
    let bare = match id.split_once(':') {
        Some((scheme, rest)) if !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) => rest,
        _ => id,
    };
    let bare = bare.split([';', '?']).next().unwrap_or(bare); // tel:+20…;ext=1, sms:+20…?body=…
    let (mut plus, mut digits) = (false, String::new());
    for c in bare.chars() {
        match (digit(c), c) {
            (Some(value), _) => digits.push(value),
            (None, '+' | '\u{FF0B}') if !plus && digits.is_empty() => plus = true,
            (None, '+' | '\u{FF0B}') => return false,
            (None, _) if c.is_alphanumeric() => return false,
            (None, _) => {} // blanks, dashes, dots, brackets, marks of direction
        }
    }
    is_phone(plus, &digits) || (!plus && is_card(&digits))
}

fn is_phone(plus: bool, digits: &str) -> bool {
    let international = if plus { Some(digits.trim_start_matches('0')) } else { digits.strip_prefix("00") };
    if let Some(number) = international {
        return !number.starts_with('0') && PHONE_DIGITS.contains(&number.len());
    }
    let national = digits.strip_prefix("20").map_or(digits, |rest| rest.strip_prefix('0').unwrap_or(rest));
    // Of a number without a country code the leading 0 is what tells it from a plain whole number.
    let national = if national.len() == digits.len() { digits.strip_prefix('0').unwrap_or_default() } else { national };
    national.len() == 10 && matches!(national.as_bytes(), [b'1', b'0' | b'1' | b'2' | b'5', ..])
}

/// The ranges of ISO/IEC 7812 that have 15 (34, 37) or 16 digits: 2221 to 2720, 35, 4, 50 to 59 and 6; and the check digit
/// of its annex B. One whole number in a few hundred of that length reads so by chance.
fn is_card(digits: &str) -> bool {
    let range = match (digits.len(), digits.as_bytes()) {
        (15, [b'3', b'4' | b'7', ..]) | (16, [b'4' | b'5' | b'6', ..] | [b'3', b'5', ..]) => true,
        (16, [b'2', ..]) => digits.get(..4).is_some_and(|start| ("2221"..="2720").contains(&start)),
        _ => false,
    };
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let value = u32::from(byte - b'0');
            if place.is_multiple_of(2) { value } else { value * 2 / 10 + value * 2 % 10 }
        })
        .sum();
    range && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("+201000000042")]
    #[case("00201000000042")]
    #[case("01000000042")]
    #[case("01500000042")]
    #[case("201000000042")]
    #[case("2001000000042")]
    #[case("+20 100 000 00-42")]
    #[case("+20 (0)100 000 0042")]
    #[case("٠١٠٠٠٠٠٠٠٤٢")]
    #[case("۰۱۰۰۰۰۰۰۰۴۲")]
    #[case("\u{202A}+20 100 000 0042\u{202C}")]
    #[case("\u{FF0B}201000000042")]
    #[case("tel:+20-100-000-0042")]
    #[case("whatsapp:+201000000042")]
    #[case("tel:+201000000042;ext=1")]
    #[case("010.0000.0042")]
    #[case(" 01000000042 ")]
    #[case("+12345678")]
    #[case("+4915112345678")]
    #[case("+14155550100")]
    #[case("a@b.eg")]
    #[case("mailto:aya@example.com")]
    #[case("aya＠example.com")]
    #[case("aya%40example.com")]
    #[case("156.160.1.9")]
    #[case("156.160.1.9:443")]
    #[case("156.160.1.9/32")]
    #[case("2001:db8::9")]
    #[case("[2001:db8::9]:443")]
    #[case("fe80::1%eth0")]
    #[case("::ffff:156.160.1.9")]
    #[case("4111111111111111")]
    #[case("4111 1111 1111 1111")]
    #[case("5555-5555-5555-4444")]
    #[case("378282246310005")]
    #[case("2223003122003222")]
    fn what_is_personal_is_seen(#[case] id: &str) {
        assert!(reads_as_personal(id), "{id}");
    }

    #[rstest]
    #[case("")]
    #[case("u_42")]
    #[case("u_123")]
    #[case("42")]
    #[case("1000000042")] // ten digits: a database counts so
    #[case("0000000042")]
    #[case("00000000000042")]
    #[case("02027351234")]
    #[case("01300000042")] // no mobile network
    #[case("010000000421")]
    #[case("0100000004")]
    #[case("+1234567")]
    #[case("+1234567890123456")]
    #[case("001234567")]
    #[case("1795219200000")] // ms
    #[case("1795219200000000")] // µs
    #[case("1795219200000000042")]
    #[case("4111111111111112")] // the check digit
    #[case("9111111111111111")]
    #[case("20261127-0042")]
    #[case("2026-11-27")]
    #[case("2026-11-27T10:00:00Z")]
    #[case("01JD8Z6Q1V9G")]
    #[case("550e8400-e29b-41d4-a716-446655440000")]
    #[case("u_+201000000042")]
    #[case("+20100000ABC")]
    #[case("1+201000000042")]
    #[case("@aya")]
    #[case("aya@")]
    #[case("/khidma/auth")]
    #[case("https://khidma.example/auth")]
    #[case("1.2.3")]
    #[case("1:2:3")]
    #[case("12:30")]
    #[case("user:u_1")]
    #[case("p1_iqf6wulxc4yrfrrk77l3g4ks7u")]
    #[case("+20 10•• ••• •01")]
    fn opaque_ids_stay(#[case] id: &str) {
        assert!(!reads_as_personal(id), "{id}");
    }

    proptest::proptest! {
        #[test]
        fn a_phone_is_seen_in_any_dress(
            national in "1[0125][0-9]{8}", dress in 0_usize..6, separators in proptest::collection::vec("[ .()/\u{202A}\u{200E}\u{A0}-]{0,2}", 16),
        ) {
            let bare = match dress {
                0 => format!("+20{national}"),
                1 => format!("0020{national}"),
                2 => format!("20{national}"),
                3 => format!("tel:+20{national}"),
                _ => format!("0{national}"),
            };
            let (scheme, number) = bare.split_once(':').map_or(("", bare.as_str()), |(_, number)| ("tel:", number));
            let arabic = |c: char| c.to_digit(10).and_then(|value| char::from_u32(0x660 + value)).unwrap_or(c);
            let dressed: String = number.chars().zip(&separators).flat_map(|(c, separator)| {
                let c = if dress == 5 { arabic(c) } else { c };
                std::iter::once(c).chain(separator.chars()).collect::<Vec<_>>()
            }).collect();
            proptest::prop_assert!(reads_as_personal(&format!("{scheme}{dressed}")), "{}", dressed);
        }

        #[test]
        fn any_text_can_be_asked_about(text in proptest::prelude::any::<String>()) {
            reads_as_personal(&text);
        }

        #[test]
        fn plain_numbers_of_a_database_stay(number in 0_u64..=9_999_999_999) {
            proptest::prop_assert!(!reads_as_personal(&number.to_string()));
        }
    }
}
