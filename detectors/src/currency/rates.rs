//! What currencies are worth in one another, by a list that the operator keeps.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::minor_digits;

/// Most digits of a rate that say something.
pub const DIGITS_MAX: usize = 12;
/// Most of them behind the point.
pub const SCALE_MAX: u32 = 9;

/// A decimal above 0, exactly: so many units of the base for one of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    digits: u64,
    /// How many of them stand behind the point.
    scale: u32,
}

impl Rate {
    /// Reads a plain decimal, `47.85`: digits with at most one point among them. `None` where it is another thing, 0, or has
    /// more than [`DIGITS_MAX`] digits or [`SCALE_MAX`] behind the point, zeros at either end left out.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || text.ends_with('.') {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let scale = u32::try_from(fraction.len()).ok().filter(|scale| *scale <= SCALE_MAX)?;
        let all = format!("{whole}{fraction}");
        let all = all.trim_start_matches('0');
        let digits = all.parse().ok().filter(|_| (1..=DIGITS_MAX).contains(&all.len()))?;
        Some(Self { digits, scale })
    }
}

/// The rates of some currencies against one, each from an instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    base: String,
    /// By currency: (from when on, Unix ms; the rate), in order of time.
    by_currency: BTreeMap<String, Vec<(i64, Rate)>>,
}

impl Rates {
    /// Rates against `base`, none yet.
    pub fn new(base: String) -> Self {
        Self { base, by_currency: BTreeMap::new() }
    }

    /// Adds the rate of a currency from an instant on; whether none began there yet.
    pub fn add(&mut self, currency: &str, since_ms: i64, rate: Rate) -> bool {
        let rates = self.by_currency.entry(currency.to_owned()).or_default();
        let place = rates.partition_point(|(since, _)| *since < since_ms);
        let is_new = rates.get(place).is_none_or(|(since, _)| *since != since_ms);
        if is_new {
            rates.insert(place, (since_ms, rate));
        }
        is_new
    }

    /// The currency that the others are told in.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Whether it is the base, or has a rate at some time.
    pub fn knows(&self, currency: &str) -> bool {
        currency == self.base || self.by_currency.contains_key(currency)
    }

    /// Every currency that it knows, the base first.
    pub fn currencies(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.base()).chain(self.by_currency.keys().map(String::as_str))
    }

    /// An amount in the smallest unit of one currency, in that of another, at an instant: by the newest rates that began by
    /// then, over the base, in one division that is rounded half away from zero. The same currency is the same amount. `None`
    /// where a rate is missing, and where the amount, or what it is reckoned by (38 digits), does not fit.
    ///
    /// Of `a` in units of 10^−m, at `f` of the base a unit, it is `a·f/t · 10^(n−m)` in units of 10^−n of what is worth `t`
    /// (ISO 4217: m and n are 2 of EGP, 3 of KWD, 0 of JPY).
    pub fn convert(&self, amount: i64, from: &str, to: &str, at_ms: i64) -> Option<i64> {
        if from == to {
            return Some(amount);
        }
        let (f, t) = (self.at(from, at_ms)?, self.at(to, at_ms)?);
        let (up, down) = (t.scale + minor_digits(to), f.scale + minor_digits(from));
        let power = |by: u32| 10_i128.checked_pow(by);
        let over = i128::from(amount).checked_mul(f.digits.into())?.checked_mul(power(up.saturating_sub(down))?)?;
        let under = i128::from(t.digits).checked_mul(power(down.saturating_sub(up))?)?;
        let (whole, rest) = (over / under, over % under);
        let away = if rest.unsigned_abs() * 2 >= under.unsigned_abs() { over.signum() } else { 0 };
        i64::try_from(whole + away).ok()
    }

    fn at(&self, currency: &str, at_ms: i64) -> Option<Rate> {
        if currency == self.base {
            return Some(Rate { digits: 1, scale: 0 });
        }
        let rates = self.by_currency.get(currency)?;
        let newest = rates.partition_point(|(since, _)| *since <= at_ms).checked_sub(1)?;
        rates.get(newest).map(|(_, rate)| *rate)
    }
}

/// Into one currency.
#[derive(Clone, PartialEq)]
pub struct Exchange {
    /// By these rates.
    pub rates: Arc<Rates>,
    /// Which one.
    pub to: Arc<str>,
}

impl Exchange {
    /// An amount in that currency; see [`Rates::convert`].
    pub fn of(&self, amount: i64, from: &str, at_ms: i64) -> Option<i64> {
        self.rates.convert(amount, from, &self.to, at_ms)
    }
}

/// Of what it is told by its currency alone: other rates make no other state.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn rate(text: &str) -> Rate {
        Rate::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    fn rates() -> Rates {
        let mut rates = Rates::new("EGP".to_owned());
        let of = [("USD", 100, "48.1"), ("USD", 0, "47.85"), ("LBP", 0, "0.00053"), ("KWD", 0, "155.5"), ("JPY", 50, "0.32")];
        assert!(of.into_iter().all(|(currency, since_ms, text)| rates.add(currency, since_ms, rate(text))));
        rates
    }

    #[rstest]
    #[case("47.85", Some((4_785, 2)))]
    #[case("0047.8500", Some((4_785, 2)))]
    #[case("100", Some((100, 0)))]
    #[case("0.000000001", Some((1, 9)))]
    #[case("999999999999", Some((999_999_999_999, 0)))]
    #[case("0.0000000001", None)]
    #[case("1234567890123", None)]
    #[case("0", None)]
    #[case("0.000", None)]
    #[case("", None)]
    #[case(".5", None)]
    #[case("5.", None)]
    #[case("-1", None)]
    #[case("+1", None)]
    #[case("1e3", None)]
    #[case("1_000", None)]
    #[case("1.2.3", None)]
    #[case("inf", None)]
    #[case("٤٧", None)]
    fn a_rate_is_a_plain_decimal(#[case] text: &str, #[case] expected: Option<(u64, u32)>) {
        assert_eq!(Rate::parse(text).map(|rate| (rate.digits, rate.scale)), expected);
    }

    #[rstest]
    // 100.00 USD at 47.85, then at 48.10; before any rate there is none.
    #[case(10_000, "USD", "EGP", 0, Some(478_500))]
    #[case(10_000, "USD", "EGP", 99, Some(478_500))]
    #[case(10_000, "USD", "EGP", 100, Some(481_000))]
    #[case(10_000, "USD", "EGP", -1, None)]
    #[case(10_000, "JPY", "EGP", 49, None)]
    // 3,000.00 LBP are 1.59 EGP; 1.000 KWD, of which one is 1,000 units, is 155.50; 1,000 JPY, which have none smaller, are 320.00.
    #[case(300_000, "LBP", "EGP", 0, Some(159))]
    #[case(1_000, "KWD", "EGP", 0, Some(15_550))]
    #[case(1_000, "JPY", "EGP", 50, Some(32_000))]
    #[case(32_000, "EGP", "JPY", 50, Some(1_000))]
    // Over the base, rounded once: 1.00 USD is 0.308 KWD (47.85 / 155.5 = 0.30772…).
    #[case(100, "USD", "KWD", 0, Some(308))]
    // Half away from zero: 0.5 JPY.
    #[case(16, "EGP", "JPY", 50, Some(1))]
    #[case(-16, "EGP", "JPY", 50, Some(-1))]
    #[case(15, "EGP", "JPY", 50, Some(0))]
    // The same is the same, even of what nobody has a rate of.
    #[case(7, "XXX", "XXX", 0, Some(7))]
    #[case(7, "XXX", "EGP", 0, None)]
    #[case(i64::MAX, "USD", "EGP", 0, None)]
    #[case(i64::MIN, "EGP", "EGP", 0, Some(i64::MIN))]
    fn amounts_are_converted(#[case] amount: i64, #[case] from: &str, #[case] to: &str, #[case] at_ms: i64, #[case] expected: Option<i64>) {
        assert_eq!(rates().convert(amount, from, to, at_ms), expected);
    }

    #[test]
    fn a_rate_begins_once() {
        let mut rates = rates();
        assert!(!rates.add("USD", 100, rate("50")));
        assert_eq!(rates.convert(100, "USD", "EGP", 100), Some(4_810));
        assert!(rates.knows("EGP") && rates.knows("LBP") && !rates.knows("EUR"));
        assert_eq!(rates.currencies().collect::<Vec<_>>(), ["EGP", "JPY", "KWD", "LBP", "USD"]);
    }

    fn decimal() -> impl Strategy<Value = String> {
        (1_u64..1_000_000_000_000, 0_usize..=9).prop_map(|(digits, scale)| {
            let text = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = text.split_at(text.len() - scale);
            if scale == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") }
        })
    }

    proptest! {
        /// Against doubles, which are near; odd about zero; more is never less; and nothing up to 10^13 is lost to the reckoning.
        #[test]
        fn what_comes_out_is_near_and_in_order(
            from in decimal(), to in decimal(), amount in -10_000_000_000_000_i64..10_000_000_000_000, more in 0_i64..1_000_000,
            codes in prop::sample::select(vec![("USD", "AED"), ("KWD", "USD"), ("JPY", "KWD"), ("CLF", "JPY"), ("EGP", "USD")]),
        ) {
            let mut rates = Rates::new("EGP".to_owned());
            if codes.0 != "EGP" { rates.add(codes.0, 0, rate(&from)); }
            rates.add(codes.1, 0, rate(&to));
            let value = |text: &str| text.parse::<f64>().expect("a number");
            let of_from = if codes.0 == "EGP" { 1.0 } else { value(&from) };
            let digits = |code: &str| 10_f64.powi(i32::try_from(minor_digits(code)).expect("few"));
            #[expect(clippy::cast_precision_loss, reason = "the oracle is near")]
            let expected = amount as f64 * of_from / value(&to) * digits(codes.1) / digits(codes.0);
            let found = rates.convert(amount, codes.0, codes.1, 0);
            let Some(found) = found else {
                prop_assert!(expected.abs() > 9.2e18, "{} is lost", expected);
                return Ok(());
            };
            #[expect(clippy::cast_precision_loss, reason = "the oracle is near")]
            let off = (found as f64 - expected).abs();
            prop_assert!(off <= 0.5 + expected.abs() * 1e-12, "{} for {}", found, expected);
            prop_assert_eq!(rates.convert(-amount, codes.0, codes.1, 0), Some(-found));
            if let Some(next) = rates.convert(amount + more, codes.0, codes.1, 0) { prop_assert!(next >= found); }
        }
    }
}
