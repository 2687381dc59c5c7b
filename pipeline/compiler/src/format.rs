//! How an explanation writes a value: `{data.amount:money}`, `{travel.distance_m:km}`, `{share:%}`.

use rasid_detectors::currency;
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, FieldPath};

use crate::ty::Ty;

/// How a value is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// As it is.
    #[default]
    Plain,
    /// An amount in the smallest unit, in the event's own currency: `12,345.00 EGP`.
    Money(FieldPath),
    /// The same in that currency.
    Currency(String),
    /// Metres as kilometres: `65.1 km`.
    Kilometres,
    /// Metres a second as kilometres an hour: `250 km/h`.
    KilometresAnHour,
    /// A share of 1: `37 %`.
    Percent,
}

/// What may stand behind the colon.
pub(crate) const FORMS: &str = "money, a currency such as EGP, km, km/h or %";

impl Format {
    /// Whether it writes amounts.
    pub(crate) fn is_of_amounts(&self) -> bool {
        matches!(self, Self::Money(_) | Self::Currency(_))
    }

    /// The one of that name in events of a type; why there is none, and what would help.
    pub(crate) fn read(name: &str, ty: Ty, event: EventType) -> Result<Self, (String, String)> {
        let format = match name {
            "money" => {
                let missing = || format!("{} has no currency that `money` could be in", event.name());
                let found = field::find(event.fields(), currency::FIELD);
                Self::Money(found.ok_or_else(|| (missing(), "say which it is: {came:EGP}".to_owned()))?.0)
            }
            "km" => Self::Kilometres,
            "km/h" => Self::KilometresAnHour,
            "%" => Self::Percent,
            code if currency::is_code(code) => Self::Currency(code.to_owned()),
            other => return Err((format!("there is no way to write a value called `{other}`"), format!("expected {FORMS}"))),
        };
        if !matches!(ty, Ty::Int | Ty::Double | Ty::Dyn) {
            return Err((format!("`{name}` is for numbers, and this is {}", ty.name()), "leave the colon and what follows out".to_owned()));
        }
        Ok(format)
    }

    /// A number as it is written; `None` of what is none. `currency`: the event's own.
    pub fn write(&self, number: &serde_json::Value, currency: Option<&str>) -> Option<String> {
        let real = number.as_f64()?;
        #[expect(clippy::cast_possible_truncation, reason = "out of range, it saturates")]
        let amount = || number.as_i64().unwrap_or_else(|| real.round() as i64);
        Some(match self {
            Self::Plain => return None,
            Self::Money(_) => currency::written(amount(), currency?),
            Self::Currency(code) => currency::written(amount(), code),
            Self::Kilometres => format!("{:.1} km", real / 1000.0),
            Self::KilometresAnHour => format!("{:.0} km/h", real * 3.6),
            // Below one in ten a whole number says too little.
            Self::Percent if real.abs() < 0.1 => format!("{:.1} %", real * 100.0),
            Self::Percent => format!("{:.0} %", real * 100.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("money", json!(80_000), "800.00 EGP")]
    #[case("money", json!(1234.5), "12.35 EGP")]
    #[case("KWD", json!(80_000), "80.000 KWD")]
    #[case("km", json!(65_104.0), "65.1 km")]
    #[case("km/h", json!(69.4), "250 km/h")]
    #[case("%", json!(0.374), "37 %")]
    #[case("%", json!(0.015), "1.5 %")]
    #[case("%", json!(1), "100 %")]
    fn numbers_are_written_as_people_do(#[case] name: &str, #[case] number: serde_json::Value, #[case] expected: &str) {
        let format = Format::read(name, Ty::Double, EventType::PaymentCaptured).expect("one of them");
        assert_eq!(format.write(&number, Some("EGP")).as_deref(), Some(expected));
        assert_eq!(format.write(&json!("a word"), Some("EGP")), None);
    }

    #[rstest]
    #[case("money", Ty::Int, EventType::ChatMessage)]
    #[case("miles", Ty::Int, EventType::PaymentCaptured)]
    #[case("km", Ty::Text(None), EventType::PaymentCaptured)]
    fn what_cannot_be_written_so_is_refused(#[case] name: &str, #[case] ty: Ty, #[case] event: EventType) {
        assert!(Format::read(name, ty, event).is_err());
    }
}
