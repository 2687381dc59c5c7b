//! JSON text below the level of types: escapes, nesting, whole numbers however they are written.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde_json::value::RawValue;

use super::fault::Fault;

pub(super) const HALF_PAIR: &str = "half a surrogate pair, expected a whole character";

/// Bytes that are counted at a time: as many as one byte can count, and whole vectors.
const CHUNK: usize = 224;
/// Bytes of a vector.
const VECTOR: usize = 32;

/// Whether a record nests no deeper than `max` and has every escape whole. One pass settles the usual record, which has few
/// brackets and no backslash: it counts, a chunk at a time, without a branch for what it finds.
#[inline]
pub(super) fn is_plain(record: &[u8], max: usize) -> bool {
    let (whole, rest) = record.split_at(record.len() / VECTOR * VECTOR);
    // The last bytes are looked at as a whole vector that reaches back: what it counts a second time makes for a closer look.
    let last = record.last_chunk::<VECTOR>().map_or(rest, <[u8; VECTOR]>::as_slice);
    let (mut brackets, mut others) = marks(last);
    for chunk in whole.chunks(CHUNK) {
        let (of_chunk, others_of_chunk) = marks(chunk);
        brackets += of_chunk;
        others += others_of_chunk;
    }
    let settled = brackets <= max && (others == 0 || memchr::memchr(b'\\', record).is_none());
    settled || (!nested_deeper_than(record, max) && escapes(record) == Escapes::Whole)
}

/// How many bytes of a chunk open something, and how many are a backslash or `|`.
#[inline(never)]
fn marks(chunk: &[u8]) -> (usize, usize) {
    let (mut brackets, mut others) = (0_u8, 0_u8);
    for byte in chunk {
        // With that bit set `[` is `{`, and a backslash is `|`.
        brackets += u8::from(byte | 0x20 == b'{');
        others += u8::from(byte | 0x20 == b'|');
    }
    (brackets.into(), others.into())
}

/// Whether brackets outside strings nest deeper than `max`. Counting every bracket first settles the usual record in
/// one fast pass: what has no more than `max` of them cannot nest deeper.
#[inline]
pub(super) fn nested_deeper_than(record: &[u8], max: usize) -> bool {
    memchr::memchr2_iter(b'{', b'[', record).nth(max).is_some() && really_nested_deeper_than(record, max)
}

fn really_nested_deeper_than(record: &[u8], max: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in record {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_string = false,
            (false, b'"') => in_string = true,
            (false, b'{' | b'[') => {
                depth += 1;
                if depth > max {
                    return true;
                }
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// What the escapes of a text are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// There are none, or each is one of JSON's.
    Whole,
    /// They are JSON's, but a `\u` names half a surrogate pair without its other half.
    HalfPair,
    /// One is none of JSON's.
    Wrong,
}

/// Looks at every escape. The fast reader does not, where it passes over a value.
#[inline]
pub(super) fn escapes(text: &[u8]) -> Escapes {
    match memchr::memchr(b'\\', text) {
        None => Escapes::Whole,
        Some(first) => escapes_from(text, first),
    }
}

fn escapes_from(text: &[u8], first: usize) -> Escapes {
    let mut found = Escapes::Whole;
    let mut rest = text.get(first..).unwrap_or_default();
    loop {
        rest = match rest {
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', rest @ ..] => rest,
            [b'\\', b'u', a, b, c, d, rest @ ..] => match (hex([*a, *b, *c, *d]), rest) {
                (Some(0xD800..=0xDBFF), [b'\\', b'u', a, b, c, d, rest @ ..]) if matches!(hex([*a, *b, *c, *d]), Some(0xDC00..=0xDFFF)) => {
                    rest
                }
                (Some(0xD800..=0xDFFF), rest) => {
                    found = Escapes::HalfPair;
                    rest
                }
                (Some(_), rest) => rest,
                (None, _) => return Escapes::Wrong,
            },
            [b'\\', ..] => return Escapes::Wrong,
            plain => match memchr::memchr(b'\\', plain) {
                Some(next) => plain.get(next..).unwrap_or_default(),
                None => return found,
            },
        };
    }
}

fn hex(digits: [u8; 4]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
}

/// Reads a value as its type and nothing else.
pub(super) fn strict<'a, T: de::Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Fault> {
    serde_json::from_str(raw.get()).map_err(|error| Fault::of(&error))
}

/// Reads a value as its type and nothing else; a fault names the place inside it.
pub(super) fn strict_inside<'a, T: de::Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Fault> {
    let mut track = serde_path_to_error::Track::new();
    let mut json = serde_json::Deserializer::from_str(raw.get());
    T::deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track)).map_err(|error| {
        let fault = Fault::of(&error);
        match track.path().to_string() {
            path if path == "." => fault,
            path => fault.inside(&path),
        }
    })
}

/// Text, and what was done to have it.
pub(super) enum Told<'a> {
    /// It is a string.
    Plain(Cow<'a, str>),
    /// It is a string with half a surrogate pair, in whose place U+FFFD stands.
    Mended(String),
    /// It is a number, and this is how it is written.
    Number(&'a str),
}

/// Reads a string, or a number in the place of one.
pub(super) fn text(raw: &RawValue) -> Result<Told<'_>, Fault> {
    let written = raw.get();
    match written.as_bytes() {
        [b'"', inner @ .., b'"'] if memchr::memchr(b'\\', inner).is_none() => {
            Ok(Told::Plain(Cow::Borrowed(written.get(1..written.len() - 1).unwrap_or_default())))
        }
        [b'"', ..] => {
            let mut json = serde_json::Deserializer::from_str(written);
            let bytes = json.deserialize_bytes(Wtf8).map_err(|error| Fault::of(&error))?;
            Ok(String::from_utf8(bytes).map_or_else(|error| Told::Mended(mended(error.into_bytes())), |text| Told::Plain(text.into())))
        }
        [b'-' | b'0'..=b'9', ..] => Ok(Told::Number(written)),
        _ => strict::<super::text::Text<'_>>(raw).map(|text| Told::Plain(text.into_inner())),
    }
}

/// The record is UTF-8, so what is not has come from an escape: half a pair, of three bytes as U+FFFD is.
fn mended(mut bytes: Vec<u8>) -> String {
    let mut at = 0;
    while let Some(next) = memchr::memchr(0xED, bytes.get(at..).unwrap_or_default()) {
        at += next;
        if let Some(half @ [_, 0xA0..=0xBF, _]) = bytes.get_mut(at..at + 3) {
            half.copy_from_slice("\u{FFFD}".as_bytes());
        }
        at += 3;
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The bytes of a string; half a pair among them is three bytes that are no UTF-8.
struct Wtf8;

impl Visitor<'_> for Wtf8 {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
}

/// A number without a fraction, however it is written: `100`, `100.0`, `1e2`, `-0`. It is read digit by digit, so that
/// no rounding makes a whole number of one that is not, or another of it.
pub(super) fn whole(raw: &RawValue) -> Result<i64, Fault> {
    let written = raw.get();
    if !matches!(written.as_bytes(), [b'-' | b'0'..=b'9', ..]) {
        return strict(raw); // which it is not; the words of the fault are serde's
    }
    let (negative, number) = written.strip_prefix('-').map_or((false, written), |rest| (true, rest));
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let after = after.trim_end_matches('0');
    // Of zero, the exponent says nothing.
    if after.is_empty() && before.bytes().all(|digit| digit == b'0') {
        return Ok(0);
    }
    // An exponent of more digits than a record has bytes is as far out of range as one of a few.
    let exponent: i64 = exponent.parse().unwrap_or(if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 });
    let digits = before.bytes().chain(after.bytes()).skip_while(|digit| *digit == b'0');
    let significant = digits.clone().count();
    let trailing = if after.is_empty() { before.bytes().rev().take_while(|digit| *digit == b'0').count() } else { 0 };
    // value = the significant digits · 10^shift
    let shift = exponent.saturating_sub(i64::try_from(after.len()).unwrap_or(i64::MAX));
    if shift.saturating_add(i64::try_from(trailing).unwrap_or(i64::MAX)) < 0 {
        return Err(Fault::whole("found a number with a fraction, expected a whole number"));
    }
    let out_of_range = || Fault::whole(format!("out of range, expected a whole number of {} to {}", i64::MIN, i64::MAX));
    let length = i64::try_from(significant).unwrap_or(i64::MAX).saturating_add(shift);
    if length > 19 {
        return Err(out_of_range());
    }
    let kept = usize::try_from(length).unwrap_or(0);
    let value = digits.chain(std::iter::repeat(b'0')).take(kept).fold(0_i128, |sum, digit| sum * 10 + i128::from(digit - b'0'));
    i64::try_from(if negative { -value } else { value }).map_err(|_| out_of_range())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).expect("JSON")
    }

    #[rstest]
    #[case("100", Ok(100))]
    #[case("100.0", Ok(100))]
    #[case("1e2", Ok(100))]
    #[case("1.5E+1", Ok(15))]
    #[case("1500e-1", Ok(150))]
    #[case("1505e-1", Err("fraction"))]
    #[case("-0", Ok(0))]
    #[case("-0.0e99999999999999999999", Ok(0))]
    #[case("0.000", Ok(0))]
    #[case("0.1e1", Ok(1))]
    #[case("0.01e1", Err("fraction"))]
    #[case("9007199254740993.0", Ok(9_007_199_254_740_993))]
    #[case("1.0000000000000000001", Err("fraction"))]
    #[case("9223372036854775807", Ok(i64::MAX))]
    #[case("9223372036854775807.000", Ok(i64::MAX))]
    #[case("9223372036854775808", Err("range"))]
    #[case("-9223372036854775808", Ok(i64::MIN))]
    #[case("-9223372036854775809", Err("range"))]
    #[case("1e18", Ok(1_000_000_000_000_000_000))]
    #[case("1e19", Err("range"))]
    #[case("1e99999999999999999999", Err("range"))]
    #[case("1e-99999999999999999999", Err("fraction"))]
    #[case("10000000000000000000000e-20", Ok(100))]
    #[case("\"ten\"", Err("a string"))]
    #[case("[1]", Err("a list"))]
    fn a_whole_number_is_one_however_it_is_written(#[case] text: &str, #[case] expected: Result<i64, &str>) {
        match (whole(raw(text)), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(fault), Err(word)) => assert!(fault.reason.contains(word), "{}", fault.reason),
            (found, _) => panic!("{found:?}"),
        }
    }

    #[rstest]
    #[case("plain", Escapes::Whole)]
    #[case(r#"\"\\\/\b\f\n\r\t\u00e9\uD83D\ude00"#, Escapes::Whole)]
    #[case(r"\\ud83d", Escapes::Whole)]
    #[case(r"\ud83d", Escapes::HalfPair)]
    #[case(r"\ude00", Escapes::HalfPair)]
    #[case(r"\ude00\ud83d", Escapes::HalfPair)]
    #[case(r"\ud83d\ud83d\ude00", Escapes::HalfPair)]
    #[case(r"\ud83d\n", Escapes::HalfPair)]
    #[case(r"\ud83d\x", Escapes::Wrong)]
    #[case(r"\uqqqq", Escapes::Wrong)]
    #[case(r"\u12", Escapes::Wrong)]
    #[case(r"\x", Escapes::Wrong)]
    #[case("\\", Escapes::Wrong)]
    fn every_escape_is_looked_at(#[case] text: &str, #[case] expected: Escapes) {
        assert_eq!(escapes(text.as_bytes()), expected);
    }

    #[rstest]
    #[case(r#""d\ud83d""#, "d\u{fffd}")]
    #[case(r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}")]
    #[case(r#""\ud83d\ud83d\ude00ي\n""#, "\u{fffd}😀ي\n")]
    #[case(r#""힟\ud7ff\ud800""#, "힟\u{d7ff}\u{fffd}")]
    fn half_a_pair_is_a_replacement_character(#[case] json: &str, #[case] expected: &str) {
        assert!(matches!(text(raw(json)), Ok(Told::Mended(text)) if text == expected));
    }

    proptest! {
        #[test]
        fn whole_numbers_agree_with_the_integers(number in any::<i64>(), zeros in 0_usize..4) {
            let zeroes = "0".repeat(zeros);
            prop_assert_eq!(whole(raw(&number.to_string())).ok(), Some(number));
            prop_assert_eq!(whole(raw(&format!("{number}.0{zeroes}"))).ok(), Some(number));
            prop_assert_eq!(whole(raw(&format!("{number}{zeroes}e-{zeros}"))).ok(), Some(number));
        }

        #[test]
        fn one_pass_says_what_two_say(text in r#"([{\[}\]|\\"]|\\u00e9|\\ud83d|[a-z ]{0,40}){0,300}"#, max in 0_usize..40) {
            let record = text.as_bytes();
            prop_assert_eq!(is_plain(record, max), !nested_deeper_than(record, max) && escapes(record) == Escapes::Whole);
        }

        #[test]
        fn escapes_are_those_of_serde(text in r"(a|\\|u|n|x|d83d|de00|00e9|qqqq|\\ud83d|\\ude00|\\n)*") {
            let json = format!("\"{text}\"");
            let (mut bytes, mut strict) = (serde_json::Deserializer::from_str(&json), serde_json::Deserializer::from_str(&json));
            let valid = bytes.deserialize_bytes(Wtf8).is_ok() && bytes.end().is_ok();
            let clean = strict.deserialize_str(Wtf8Text).is_ok() && strict.end().is_ok();
            let expected = if clean { Escapes::Whole } else if valid { Escapes::HalfPair } else { Escapes::Wrong };
            // A backslash before the closing quote takes it in: what `escapes` is shown ends elsewhere then.
            prop_assume!(!(text.ends_with('\\')));
            prop_assert_eq!(escapes(text.as_bytes()), expected, "{}", json);
        }
    }

    struct Wtf8Text;

    impl Visitor<'_> for Wtf8Text {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E>(self, _: &str) -> Result<(), E> {
            Ok(())
        }
    }
}
