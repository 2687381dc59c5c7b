//! Numbering plans: which digits are a number, as `data/` has them.
//!
//! Egypt's own is known by prefix and length; of other countries the code and how many digits follow it, which is as much as
//! tells a number from any other digits behind a plus.

use std::sync::LazyLock;

use super::data;
use super::numbers::Digits;

/// Beginnings of mobile numbers behind the trunk zero.
static CARRIERS: LazyLock<Vec<Digits>> = LazyLock::new(|| data::CARRIERS.each(|[prefix, _]| digits(prefix)));
static AREAS: LazyLock<Vec<Code>> = LazyLock::new(|| data::AREAS.each(|[area, next, least, most, _]| Code::new(area, next, least, most)));
/// Those without a wildcard first.
static COUNTRIES: LazyLock<Vec<Code>> = LazyLock::new(|| {
    let mut codes = data::COUNTRIES.each(|[code, next, least, most, _]| Code::new(code, next, least, most));
    codes.sort_by_key(|code| code.digits.contains(&ANY));
    codes
});

/// Stands for any digit.
const ANY: u8 = 10;

/// A code and what may follow it.
struct Code {
    digits: Digits,
    /// Least and greatest of the digit behind it.
    next: (u8, u8),
    /// Least and greatest length: of an Egyptian landline with its area, of another country's number without its code.
    length: (usize, usize),
}

impl Code {
    fn new(code: &str, next: &'static str, fewest: &str, most: &str) -> Result<Self, String> {
        let next = match data::some(next).map(|next| next.split_once('-').unwrap_or((next, next))) {
            None => (0, 9),
            Some((first, last)) => (digit(first)?, digit(last)?),
        };
        let length = (data::number(fewest)?, data::number(most)?);
        if next.0 > next.1 || length.0 > length.1 {
            return Err("found a range that ends before it begins".to_owned());
        }
        Ok(Self { digits: digits(code)?, next, length })
    }

    /// Whether it begins those digits.
    fn begins(&self, digits: &[u8]) -> bool {
        digits.len() > self.digits.len()
            && self.digits.iter().zip(digits).all(|(code, digit)| code == digit || *code == ANY)
            && digits.get(self.digits.len()).is_some_and(|next| (self.next.0..=self.next.1).contains(next))
    }
}

fn digits(text: &str) -> Result<Digits, String> {
    text.chars().map(|c| if c == 'x' { Ok(ANY) } else { digit(c.encode_utf8(&mut [0; 4])) }).collect()
}

fn digit(text: &str) -> Result<u8, String> {
    data::number(text).ok().filter(|digit| *digit < 10).ok_or_else(|| format!("found {text}, expected a digit"))
}

/// Whether an Egyptian number, without its trunk zero, begins as mobile numbers do.
pub(super) fn is_mobile(national: &[u8]) -> bool {
    CARRIERS.iter().any(|prefix| national.starts_with(prefix))
}

/// How many digits the area code of an Egyptian landline has; `national` is without the trunk zero, and as long as the landlines
/// of that area are.
pub(super) fn area_len(national: &[u8]) -> Option<usize> {
    let area = AREAS.iter().find(|area| area.begins(national))?;
    (area.length.0..=area.length.1).contains(&national.len()).then_some(area.digits.len())
}

/// How many digits the country code has of a number that is as long as those of that country are.
pub(super) fn country_len(digits: &[u8]) -> Option<usize> {
    let country = COUNTRIES.iter().find(|country| country.begins(digits))?;
    let code_len = country.digits.len();
    ((country.length.0..=country.length.1).contains(&(digits.len() - code_len)) && digits.get(code_len) != Some(&0)).then_some(code_len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn of(text: &str) -> Digits {
        digits(text).expect("digits")
    }

    #[rstest]
    #[case::at_the_shortest("9715012345", None)]
    #[case::short("97141234567", Some(3))]
    #[case::short_for_a_mobile("97150123456", None)]
    #[case::long("971501234567", Some(3))]
    #[case::past_the_longest("9715012345678", None)]
    #[case::next_digit("12125550100", Some(1))]
    #[case::not_that_next_digit("11125550100", None)]
    #[case::trunk_zero("970012345678", None)]
    #[case::literal_before_wildcard("96112345678", Some(3))]
    #[case::literal_is_shorter("9611234567890", None)]
    #[case::wildcard("9601234567", Some(3))]
    #[case::egypt_is_no_other_country("201012345678", None)]
    fn codes_of_countries(#[case] number: &str, #[case] expected: Option<usize>) {
        assert_eq!(country_len(&of(number)), expected);
    }

    #[rstest]
    #[case::cairo("223456789", Some(1))]
    #[case::alexandria("34567890", Some(1))]
    #[case::alexandria_too_long("345678901", None)]
    #[case::banha("132345678", Some(2))]
    #[case::next_digit_of_banha("134345678", None)]
    #[case::damietta_of_two_lengths("57234567", Some(2))]
    #[case::nowhere("412345678", None)]
    fn areas_of_egypt(#[case] national: &str, #[case] expected: Option<usize>) {
        assert_eq!(area_len(&of(national)), expected);
    }

    #[test]
    fn no_code_hides_behind_another() {
        for codes in [&*AREAS, &*COUNTRIES] {
            for (index, code) in codes.iter().enumerate() {
                let hidden = codes.iter().take(index).find(|before| {
                    let meets = before.next.0 <= code.next.1 && code.next.0 <= before.next.1;
                    let begins = code.digits.starts_with(&before.digits) && (before.digits.len() < code.digits.len() || meets);
                    begins && !before.digits.contains(&ANY)
                });
                assert!(hidden.is_none(), "{:?} hides behind {:?}", code.digits, hidden.map(|code| &code.digits));
            }
        }
    }
}
