//! Numbers to hide: Egyptian mobiles and landlines, and mobiles of the countries most written about in Egypt.

use crate::support::Rng;

/// What kind of number is hidden.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    Mobile,
    Landline,
    Foreign,
}

/// A number.
pub(crate) struct Number {
    /// Country code.
    pub(crate) country: String,
    /// Behind the country code.
    pub(crate) national: String,
    /// Digits of the national number that evidence shows: the carrier or the area.
    shown: usize,
    /// Whether the country dials a trunk zero.
    pub(crate) trunk: bool,
}

/// Area codes of Egypt and the digits that follow them.
const AREAS: &[(&str, usize)] = &[
    ("2", 8),
    ("3", 7),
    ("40", 7),
    ("45", 7),
    ("47", 7),
    ("48", 7),
    ("50", 7),
    ("55", 7),
    ("57", 7),
    ("62", 7),
    ("64", 7),
    ("66", 7),
    ("68", 7),
    ("82", 7),
    ("84", 7),
    ("86", 7),
    ("88", 7),
    ("92", 7),
    ("93", 7),
    ("95", 7),
    ("96", 7),
    ("97", 7),
];

/// Country, beginnings of its mobile numbers, digits behind them, and whether it has a trunk zero. After libphonenumber
/// 9.0.43, `type="mobile"`.
const COUNTRIES: &[(&str, &[&str], usize, bool)] = &[
    ("966", &["50", "53", "54", "55", "56", "58", "59"], 7, true),
    ("971", &["50", "52", "54", "55", "56", "58"], 7, true),
    ("965", &["5", "6", "9"], 7, false),
    ("974", &["33", "55", "66", "77"], 6, false),
    ("973", &["33", "36", "39"], 6, false),
    ("968", &["92", "95", "99"], 6, false),
    ("962", &["77", "78", "79"], 7, true),
    ("961", &["3", "70", "71"], 6, true),
    ("964", &["75", "77", "78"], 8, true),
    ("963", &["93", "95", "99"], 7, true),
    ("967", &["71", "73", "77"], 7, true),
    ("970", &["56", "59"], 7, true),
    ("249", &["91", "92", "99"], 7, true),
    ("218", &["91", "92", "94"], 7, true),
    ("216", &["2", "5", "9"], 7, false),
    ("212", &["6", "7"], 8, true),
    ("90", &["53", "54", "55"], 8, true),
    ("44", &["74", "75", "77", "79"], 8, true),
    ("1", &["212555", "415555", "646555"], 4, false),
    ("49", &["151", "160", "171"], 8, true),
];

impl Number {
    pub(crate) fn draw(rng: &mut Rng, plan: Plan) -> Self {
        let egyptian = |national: String, shown| Self { country: "20".to_owned(), national, shown, trunk: true };
        match plan {
            Plan::Mobile => {
                let carrier = *rng.pick(&["10", "11", "12", "15"]);
                egyptian(format!("{carrier}{}", rng.digits(8)), 2)
            }
            Plan::Landline => {
                let (area, rest) = *rng.pick(AREAS);
                egyptian(format!("{area}{}{}", rng.between(2, 9), rng.digits(rest - 1)), area.len())
            }
            Plan::Foreign => {
                let (country, carriers, rest, trunk) = *rng.pick(COUNTRIES);
                let national = format!("{}{}", rng.pick(carriers), rng.digits(rest));
                Self { country: country.to_owned(), national, shown: 0, trunk }
            }
        }
    }

    /// As the evidence of a signal shows it: country, carrier or area, the last two digits, and how many there are.
    pub(crate) fn masked(&self) -> String {
        let mut masked = format!("+{}", self.country);
        for (place, digit) in self.national.chars().enumerate() {
            if place == 0 || place >= 4 && (place - 4) % 3 == 0 {
                masked.push(' ');
            }
            masked.push(if place < self.shown || place + 2 >= self.national.len() { digit } else { '•' });
        }
        masked
    }
}
