//! Currencies: how many digits of an amount in the smallest unit stand behind the point, and what they are worth in one another.

pub mod rates;

/// Digits of the currencies that have not two: ISO 4217, list one (amendment 177); what it lists without a unit (gold, funds'
/// codes of account) is left out.
const OTHERS: [(&str, u32); 26] = [
    ("BHD", 3),
    ("BIF", 0),
    ("CLF", 4),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("UYI", 0),
    ("UYW", 4),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
];

/// The field of an event that says its currency.
pub const FIELD: &str = "currency";
/// The fields of such an event that are amounts in it.
pub const AMOUNTS: [&str; 2] = ["amount", "price"];

/// How many digits of an amount in the smallest unit of that currency stand behind the point: 2 of EGP, 3 of KWD, 0 of JPY; 2
/// where nothing else is known of a code.
pub fn minor_digits(code: &str) -> u32 {
    OTHERS.iter().find(|(other, _)| *other == code).map_or(2, |(_, digits)| *digits)
}

/// Whether it is written as a currency is: three capitals.
pub fn is_code(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// An amount in the smallest unit as people write it: `12,345.00 EGP`.
pub fn written(amount: i64, code: &str) -> String {
    let digits = minor_digits(code);
    let unit = 10_u64.pow(digits);
    let (whole, rest) = (amount.unsigned_abs() / unit, amount.unsigned_abs() % unit);
    let whole = whole.to_string();
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if amount < 0 { "-" } else { "" };
    let fraction = if digits == 0 { String::new() } else { format!(".{rest:0width$}", width = digits as usize) };
    format!("{sign}{grouped}{fraction} {code}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(1_234_500, "EGP", "12,345.00 EGP")]
    #[case(5, "EGP", "0.05 EGP")]
    #[case(-100_000, "EGP", "-1,000.00 EGP")]
    #[case(300_000, "LBP", "3,000.00 LBP")]
    #[case(1_234, "JPY", "1,234 JPY")]
    #[case(1_234, "KWD", "1.234 KWD")]
    #[case(i64::MIN, "EGP", "-92,233,720,368,547,758.08 EGP")]
    fn an_amount_is_written_as_people_do(#[case] amount: i64, #[case] code: &str, #[case] expected: &str) {
        assert_eq!(written(amount, code), expected);
    }

    #[test]
    fn the_list_is_in_order_and_of_codes() {
        assert!(OTHERS.is_sorted_by(|(a, _), (b, _)| a < b) && OTHERS.iter().all(|(code, digits)| is_code(code) && *digits != 2));
        assert!(!is_code("egp") && !is_code("EG") && !is_code("E1P"));
    }
}
