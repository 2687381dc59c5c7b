//! Numbers with a unit and a range, and enumerated words. A value of one of these types is good by construction.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use serde_json::value::RawValue;

use super::fault::Fault;
use super::field::{FieldType, FieldValue, Privacy};
use super::json::{self, Told};
use super::salvage::{Notes, Salvage};
use super::{text, time};
use crate::value::Value;

macro_rules! real {
    ($(#[$meta:meta])* $name:ident, $low:expr, $high:expr, $privacy:expr, $message:literal, $schema:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, PartialOrd)]
        pub struct $name(f64);

        impl $name {
            /// The number, in the unit of the type.
            #[inline]
            pub fn get(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = &'static str;

            #[inline]
            fn try_from(value: f64) -> Result<Self, Self::Error> {
                if ($low..=$high).contains(&value) { Ok(Self(value)) } else { Err($message) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            #[inline]
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                f64::deserialize(deserializer)?.try_into().map_err(de::Error::custom)
            }
        }

        impl<'a> Salvage<'a> for $name {
            fn salvage(raw: &'a RawValue, _: &mut Notes) -> Result<Self, Fault> {
                json::strict(raw)
            }
        }

        impl FieldValue for $name {
            const TYPE: FieldType = FieldType::Double;
            const PRIVACY: Privacy = $privacy;

            #[inline]
            fn value(&self) -> Value<'_> {
                Value::Double(self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match $privacy {
                    Privacy::Clear => fmt::Debug::fmt(&self.0, f),
                    _ => f.write_str(concat!("[", stringify!($name), "]")),
                }
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    };
}

real!(/// Degrees north of the equator, WGS 84.
    Latitude, -90.0, 90.0, Privacy::Hidden, "out of range, expected a latitude of -90 to 90 degrees",
    schemars::json_schema!({ "type": "number", "minimum": -90, "maximum": 90, "description": "Degrees north, WGS 84; personal." }));
real!(/// Degrees east of Greenwich, WGS 84.
    Longitude, -180.0, 180.0, Privacy::Hidden, "out of range, expected a longitude of -180 to 180 degrees",
    schemars::json_schema!({ "type": "number", "minimum": -180, "maximum": 180, "description": "Degrees east, WGS 84; personal." }));
real!(/// Metres, not negative.
    Metres, 0.0, f64::MAX, Privacy::Clear, "out of range, expected metres of 0 or more",
    schemars::json_schema!({ "type": "number", "minimum": 0, "description": "Metres." }));
real!(/// Kilometres, not negative.
    Kilometres, 0.0, f64::MAX, Privacy::Clear, "out of range, expected kilometres of 0 or more",
    schemars::json_schema!({ "type": "number", "minimum": 0, "description": "Kilometres." }));
real!(/// Metres per second, not negative.
    MetresPerSecond, 0.0, f64::MAX, Privacy::Clear, "out of range, expected metres per second of 0 or more",
    schemars::json_schema!({ "type": "number", "minimum": 0, "description": "Metres per second." }));
real!(/// Degrees clockwise from north, 0 to 360.
    Heading, 0.0, 360.0, Privacy::Clear, "out of range, expected a heading of 0 to 360 degrees",
    schemars::json_schema!({ "type": "number", "minimum": 0, "maximum": 360, "description": "Degrees clockwise from north." }));

/// What a device reports of its own fix. A negative number is how platforms say that they do not know (iOS: −1): it is
/// none, and no fault; a negative accuracy says so of the whole place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reported<T> {
    /// It knows.
    Known(T),
    /// It does not.
    Unsure,
}

impl<T> Reported<T> {
    /// What it knows.
    #[inline]
    pub fn known(&self) -> Option<&T> {
        if let Self::Known(value) = self { Some(value) } else { None }
    }

    /// Whether it says that it does not know.
    #[inline]
    pub fn is_unsure(&self) -> bool {
        matches!(self, Self::Unsure)
    }
}

impl<'de, T: TryFrom<f64, Error = &'static str>> Deserialize<'de> for Reported<T> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        if number < 0.0 { Ok(Self::Unsure) } else { T::try_from(number).map(Self::Known).map_err(de::Error::custom) }
    }
}

impl<'a, T: TryFrom<f64, Error = &'static str>> Salvage<'a> for Reported<T> {
    fn salvage(raw: &'a RawValue, _: &mut Notes) -> Result<Self, Fault> {
        json::strict(raw)
    }
}

impl<T: FieldValue> FieldValue for Reported<T> {
    const TYPE: FieldType = T::TYPE;
    const PRIVACY: Privacy = T::PRIVACY;

    #[inline]
    fn value(&self) -> Value<'_> {
        self.known().map_or(Value::Absent, T::value)
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Reported<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Reported{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = T::json_schema(generator);
        schema.remove("minimum");
        let unit = schema.get("description").and_then(|unit| unit.as_str()).unwrap_or_default().to_owned();
        schema.insert("description".to_owned(), format!("{unit} Negative: the device does not know.").into());
        schema
    }
}

macro_rules! whole {
    ($(#[$meta:meta])* $name:ident, $range:expr, $message:literal, $schema:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(i64);

        impl $name {
            /// The number, in the unit of the type.
            #[inline]
            pub fn get(self) -> i64 {
                self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            #[inline]
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = i64::deserialize(deserializer)?;
                if $range.contains(&value) { Ok(Self(value)) } else { Err(de::Error::custom($message)) }
            }
        }

        impl<'a> Salvage<'a> for $name {
            fn salvage(raw: &'a RawValue, _: &mut Notes) -> Result<Self, Fault> {
                let value = json::whole(raw)?;
                if $range.contains(&value) { Ok(Self(value)) } else { Err(Fault::whole($message)) }
            }
        }

        impl FieldValue for $name {
            const TYPE: FieldType = FieldType::Int;

            #[inline]
            fn value(&self) -> Value<'_> {
                Value::Int(self.0)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    };
}

whole!(/// An amount of money in minor units (piastres), not negative.
    AmountMinor, (0..), "out of range, expected an amount in minor units of 0 or more",
    schemars::json_schema!({ "type": "integer", "minimum": 0, "maximum": i64::MAX, "description": "Minor units (piastres)." }));
whole!(/// A balance in minor units, which may be negative.
    BalanceMinor, (i64::MIN..), "unreachable: every balance is in range",
    schemars::json_schema!({ "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX, "description": "Minor units (piastres), negative when owed." }));

whole!(/// How many, not negative.
    Count, (0..), "out of range, expected a count of 0 or more",
    schemars::json_schema!({ "type": "integer", "minimum": 0, "maximum": i64::MAX, "description": "How many." }));
whole!(/// One to five stars.
    Rating, (1..=5), "out of range, expected a rating of 1 to 5",
    schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": 5, "description": "One to five stars." }));

/// An ISO 4217 code, three capital letters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default() // three ASCII letters, checked when read
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::Text::deserialize(deserializer)?.as_str().try_into().map_err(de::Error::custom)
    }
}

impl TryFrom<&str> for Currency {
    type Error = &'static str;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        match text.as_bytes() {
            code @ [a, b, c] if code.iter().all(u8::is_ascii_uppercase) => Ok(Self([*a, *b, *c])),
            _ => Err("not a currency, expected an ISO 4217 code of three capital letters"),
        }
    }
}

impl<'a> Salvage<'a> for Currency {
    fn salvage(raw: &'a RawValue, notes: &mut Notes) -> Result<Self, Fault> {
        text::salvage(raw, notes)?.as_str().try_into().map_err(Fault::whole)
    }
}

impl FieldValue for Currency {
    const TYPE: FieldType = FieldType::String;

    fn value(&self) -> Value<'_> {
        Value::Str(self.as_str())
    }
}

impl schemars::JsonSchema for Currency {
    fn schema_name() -> Cow<'static, str> {
        "Currency".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217." })
    }
}

/// An ISO 3166-1 alpha-2 country code, two capital letters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Country([u8; 2]);

impl Country {
    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default() // two ASCII characters, checked when read
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Country {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::Text::deserialize(deserializer)?.as_str().try_into().map_err(de::Error::custom)
    }
}

impl TryFrom<&str> for Country {
    type Error = &'static str;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        match text.as_bytes() {
            // Letters, or what networks use for no country at all, such as T1 for Tor.
            [a, b] if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() => Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()])),
            _ => Err("not a country, expected an ISO 3166-1 code of two letters"),
        }
    }
}

impl<'a> Salvage<'a> for Country {
    fn salvage(raw: &'a RawValue, notes: &mut Notes) -> Result<Self, Fault> {
        text::salvage(raw, notes)?.as_str().try_into().map_err(Fault::whole)
    }
}

impl FieldValue for Country {
    const TYPE: FieldType = FieldType::String;

    fn value(&self) -> Value<'_> {
        Value::Str(self.as_str())
    }
}

impl schemars::JsonSchema for Country {
    fn schema_name() -> Cow<'static, str> {
        "Country".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9]{2}$", "description": "ISO 3166-1 alpha-2." })
    }
}

const NO_TIME: &str = "not a time, expected RFC 3339 with a zone";

/// An instant, milliseconds since the Unix epoch; RFC 3339 with a zone on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Milliseconds since the Unix epoch.
    #[inline]
    pub fn millis(self) -> i64 {
        self.0
    }

    /// The instant that many milliseconds after the Unix epoch.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimestampVisitor;

        impl Visitor<'_> for TimestampVisitor {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            #[inline]
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                time::parse_rfc3339(text).map(Timestamp).ok_or_else(|| E::custom(NO_TIME))
            }
        }

        deserializer.deserialize_str(TimestampVisitor)
    }
}

impl<'a> Salvage<'a> for Timestamp {
    fn salvage(raw: &'a RawValue, _: &mut Notes) -> Result<Self, Fault> {
        match json::text(raw)? {
            Told::Plain(text) => match time::parse_rfc3339(&text) {
                Some(millis) => Ok(Self(millis)),
                None => Err(Fault::whole(NO_TIME)),
            },
            Told::Mended(_) => Err(Fault::whole(NO_TIME)),
            Told::Number(_) => json::strict(raw),
        }
    }
}

impl FieldValue for Timestamp {
    const TYPE: FieldType = FieldType::Time;

    fn value(&self) -> Value<'_> {
        Value::Time(self.0)
    }
}

impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time", "pattern": time::PATTERN, "description": "RFC 3339 with a zone." })
    }
}

/// Declares a set of words. One that is not among them is unknown, which rules see as `unknown`: a producer has a new word
/// before we have.
#[macro_export]
macro_rules! choice {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema)]
        pub enum $name {
            $($(#[$variant_meta])* #[schemars(rename = $word)] $variant,)*
            /// Another word.
            #[schemars(skip)]
            Unknown,
        }

        impl $name {
            const WORDS: &'static [&'static str] = &[$($word,)*];

            fn of(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = $crate::event::text::Text::deserialize(deserializer)?;
                Self::of(word.as_str()).ok_or_else(|| serde::de::Error::custom("another word"))
            }
        }

        impl<'a> $crate::event::salvage::Salvage<'a> for $name {
            fn salvage(
                raw: &'a serde_json::value::RawValue,
                notes: &mut $crate::event::salvage::Notes,
            ) -> Result<Self, $crate::event::fault::Fault> {
                let word = $crate::event::text::salvage(raw, notes)?;
                Ok(Self::of(word.as_str()).unwrap_or_else(|| {
                    notes.note(|| format!("found another word, expected {}", $crate::event::units::one_of(Self::WORDS)));
                    Self::Unknown
                }))
            }
        }

        impl $crate::event::field::FieldValue for $name {
            const TYPE: $crate::event::field::FieldType = $crate::event::field::FieldType::Enum(&[$($word,)* "unknown"]);

            #[inline]
            fn value(&self) -> $crate::value::Value<'_> {
                $crate::value::Value::Str(match self {
                    $(Self::$variant => $word,)*
                    Self::Unknown => "unknown",
                })
            }
        }
    };
}

/// Words as a message lists them.
pub(super) fn one_of(words: &[&str]) -> String {
    match words {
        [only] => (*only).to_owned(),
        [one, other] => format!("{one} or {other}"),
        words => format!("one of {}", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("90", true)]
    #[case("-90.0", true)]
    #[case("90.0000001", false)]
    #[case("1e400", false)]
    #[case("\"30\"", false)]
    fn a_latitude_is_in_range(#[case] json: &str, #[case] good: bool) {
        assert_eq!(serde_json::from_str::<Latitude>(json).is_ok(), good);
    }

    #[rstest]
    #[case("0", true)]
    #[case("9223372036854775807", true)]
    #[case("9223372036854775808", false)]
    #[case("-1", false)]
    #[case("1.5", false)]
    #[case("\"ten\"", false)]
    fn an_amount_is_whole_and_not_negative(#[case] json: &str, #[case] good: bool) {
        assert_eq!(serde_json::from_str::<AmountMinor>(json).is_ok(), good);
    }

    #[test]
    fn places_show_nothing_of_themselves() {
        let place = Latitude::try_from(30.04).expect("in range");
        assert_eq!(format!("{place:?}"), "[Latitude]");
    }
}
