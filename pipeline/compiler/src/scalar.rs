//! What a plain scalar of YAML is: a word, or a number that is one for everybody. Its tests are in `yaml`.

use std::ops::Range;

use rasid_detectors::shown::beginning;

use crate::diagnostic::{Code, Fault};
use crate::yaml::NodeValue;

/// Why a plain scalar that is written as a number is none here.
pub(crate) enum NoNumber {
    /// Infinities and what is no number at all.
    Endless,
    /// Further from zero than a whole number may be.
    Whole,
    /// Further from zero, or nearer to it, than a number with a fraction may be.
    Fraction,
    /// YAML 1.1 reads another number than YAML 1.2.
    Octal,
    /// A number in YAML 1.1 only.
    Underscore,
}

impl NoNumber {
    pub(crate) fn fault(&self, text: &str, span: Range<usize>) -> Fault {
        let text = beginning(text, 40);
        let (message, help) = match self {
            Self::Endless => (format!("`{text}` is no number that can be compared"), "write a number, or text in quotes"),
            Self::Whole => (
                format!("`{text}` is too large, expected a whole number of {} to {}", i64::MIN, i64::MAX),
                "if it is an identifier, put it in quotes",
            ),
            Self::Fraction => (
                format!("`{text}` is out of range, expected a number of 2.3e-308 to 1.7e308, or 0"),
                "write a number in that range, or text in quotes",
            ),
            Self::Octal => (
                "a number that begins with a 0, which some read as octal".to_owned(), // a telephone's, most often: not said
                "write a number without it, 0o17 for octal, or text (a telephone number) in quotes",
            ),
            Self::Underscore => {
                (format!("`{text}` has `_` in it, which some read as a number"), "write the digits alone, or text in quotes")
            }
        };
        Fault::new(Code::BadNumber, span, message).help(help)
    }
}

/// A plain scalar by the core schema of YAML 1.2 (section 10.3.2), less what no rule can mean: `.inf`, `.nan`, a number that
/// does not fit, and one that YAML 1.1 reads otherwise. Nothing that is written as a number becomes a word.
pub(crate) fn plain(text: &str) -> Result<NodeValue, NoNumber> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(NodeValue::Null),
        "true" | "True" | "TRUE" => return Ok(NodeValue::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(NodeValue::Bool(false)),
        _ => {}
    }
    let word = || Ok(NodeValue::Str(text.to_owned()));
    let radix = |digits: &str, radix| i64::from_str_radix(digits, radix).map(NodeValue::Int).map_err(|_| NoNumber::Whole);
    if let Some(digits) = text.strip_prefix("0x").filter(|digits| made_of(digits, |c| c.is_ascii_hexdigit())) {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o").filter(|digits| made_of(digits, |c| matches!(c, '0'..='7'))) {
        return radix(digits, 8);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return Err(NoNumber::Endless);
    }
    if made_of(unsigned, |c| c.is_ascii_digit()) {
        return match text.parse() {
            _ if unsigned.len() > 1 && unsigned.starts_with('0') => Err(NoNumber::Octal),
            Ok(number) => Ok(NodeValue::Int(number)),
            Err(_) => Err(NoNumber::Whole),
        };
    }
    if unsigned.starts_with(|c: char| c.is_ascii_digit()) && made_of(unsigned, |c| c.is_ascii_digit() || c == '_') {
        return Err(NoNumber::Underscore);
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let written = digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| made_of(exponent.strip_prefix(['+', '-']).unwrap_or(exponent), |c| c.is_ascii_digit()));
    if !written {
        return word();
    }
    let is_zero = mantissa.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    match text.parse::<f64>() {
        Ok(number) if number.is_normal() || (is_zero && number == 0.0) => Ok(NodeValue::Float(number)),
        _ => Err(NoNumber::Fraction),
    }
}

/// Whether there is something, and all of it is so.
fn made_of(text: &str, so: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(so)
}
