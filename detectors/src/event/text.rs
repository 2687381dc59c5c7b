//! Text as it stands in events: borrowed from the record where it can be, and personal where it is.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use serde_json::value::RawValue;

use super::fault::Fault;
use super::field::{FieldType, FieldValue, Privacy};
use super::json::{self, Told};
use super::salvage::{Notes, Salvage};
use crate::entity::{EntityKind, ID_BYTES_MAX};
use crate::value::Value;

/// Text borrowed from the record, owned only where JSON escapes had to be undone.
#[derive(Clone)]
pub struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'a> Text<'a> {
    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself.
    pub fn into_inner(self) -> Cow<'a, str> {
        self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            #[inline]
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text)))
            }
        }

        deserializer.deserialize_str(TextVisitor).map(|text| Text(text.0))
    }
}

/// Reads text out of what somebody garbled: half a surrogate pair is U+FFFD, a number is as it is written.
///
/// # Errors
/// Where it is neither text nor a number.
pub(super) fn salvage<'a>(raw: &'a RawValue, notes: &mut Notes) -> Result<Text<'a>, Fault> {
    Ok(Text(match json::text(raw)? {
        Told::Plain(text) => text,
        Told::Mended(text) => {
            notes.note(|| json::HALF_PAIR.to_owned());
            Cow::Owned(text)
        }
        Told::Number(written) => {
            notes.note(|| "found a number, expected a string".to_owned());
            Cow::Borrowed(written)
        }
    }))
}

macro_rules! text_type {
    ($(#[$meta:meta])* $name:ident, $privacy:expr, $entities:expr, $empty:expr, $oversized:expr, $check:expr, $shown:expr, $schema:expr) => {
        $(#[$meta])*
        #[derive(Clone)]
        pub struct $name<'a>(Text<'a>);

        impl<'a> $name<'a> {
            /// Wraps text that is known to be of this kind.
            pub fn new(text: impl Into<Cow<'a, str>>) -> Self {
                Self(Text(text.into()))
            }

            /// The characters as they came. What it is for must never be to print them.
            pub fn expose(&self) -> &str {
                self.0.as_str()
            }

            /// The text itself.
            pub fn into_inner(self) -> Cow<'a, str> {
                self.0.into_inner()
            }
        }

        impl<'de: 'a, 'a> Deserialize<'de> for $name<'a> {
            #[inline]
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                let text = Text::deserialize(deserializer)?;
                check(text.as_str()).map_err(de::Error::custom)?;
                Ok(Self(text))
            }
        }

        impl<'a> Salvage<'a> for $name<'a> {
            fn salvage(raw: &'a RawValue, notes: &mut Notes) -> Result<Self, Fault> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                let text = salvage(raw, notes)?;
                check(text.as_str()).map_err(Fault::whole)?;
                Ok(Self(text))
            }

            fn lost() -> Option<Self> {
                // What is absent where it is empty is lost by being empty.
                matches!($empty, Value::Absent).then(|| Self::new(""))
            }
        }

        impl FieldValue for $name<'_> {
            const TYPE: FieldType = FieldType::String;
            const PRIVACY: Privacy = $privacy;
            const ENTITIES: &'static [EntityKind] = &$entities;

            #[inline]
            fn value(&self) -> Value<'_> {
                if self.0.as_str().is_empty() || self.oversized() > 0 { $empty } else { Value::Str(self.0.as_str()) }
            }

            #[inline]
            fn oversized(&self) -> u32 {
                let oversized: fn(&str) -> bool = $oversized;
                u32::from(oversized(self.0.as_str()))
            }
        }

        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let shown: fn(&Self) -> &str = $shown;
                f.write_str(shown(self))
            }
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }

        impl schemars::JsonSchema for $name<'_> {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    };
}

/// An opaque identifier, clear wherever it is no phone or the like itself. An empty one is absent: it names nobody, and it
/// would make one entity of everybody whose client leaves it empty. One that is too long is absent too.
macro_rules! identifier {
    ($(#[$meta:meta])* $name:ident, $privacy:expr, [$($kind:ident),*], $doc:literal) => {
        text_type!(
            $(#[$meta])* $name, $privacy, [$(EntityKind::$kind),*], Value::Absent, is_long, |_| Ok(()), |id| id.expose(),
            schemars::json_schema!({ "type": "string", "maxLength": ID_BYTES_MAX, "description": $doc })
        );
    };
}

/// A personal identifier: hidden in debug output, a pseudonym wherever it leaves.
macro_rules! personal {
    ($(#[$meta:meta])* $name:ident, $pseudonym:ident, [$($kind:ident),*], $check:expr, $doc:literal) => {
        personal!($(#[$meta])* $name, $pseudonym, [$($kind),*], $check, schemars::json_schema!({
            "type": "string", "maxLength": ID_BYTES_MAX, "description": $doc
        }));
    };
    ($(#[$meta:meta])* $name:ident, $pseudonym:ident, [$($kind:ident),*], $check:expr, $schema:expr) => {
        text_type!(
            $(#[$meta])* $name, Privacy::Pseudonym(EntityKind::$pseudonym), [$(EntityKind::$kind),*], Value::Absent,
            |text| EntityKind::$pseudonym.is_oversized(text), $check,
            |_| concat!("[", stringify!($name), "]"),
            $schema
        );
    };
}

identifier!(/// An account.
    UserId, Privacy::Opaque(EntityKind::User), [User], "An account; opaque.");
identifier!(/// A driver, who is also an account.
    DriverId, Privacy::Opaque(EntityKind::User), [User, Driver], "A driver; the same identifiers as accounts.");
identifier!(/// A booking; telemetry calls it a task.
    BookingId, Privacy::Opaque(EntityKind::Booking), [Booking], "A booking; opaque.");
identifier!(/// A chat between two people.
    ConversationId, Privacy::Opaque(EntityKind::Conversation), [Conversation], "A conversation; opaque.");
identifier!(/// A ledger account.
    AccountId, Privacy::Opaque(EntityKind::Account), [Account], "A ledger account; opaque.");
identifier!(/// A member of staff.
    AdminId, Privacy::Opaque(EntityKind::Admin), [Admin], "A member of staff; opaque.");
identifier!(/// A payment, SMS or map provider.
    ProviderId, Privacy::Opaque(EntityKind::Provider), [Provider], "A provider; opaque.");
identifier!(/// A payment, refund or payout.
    PaymentId, Privacy::Opaque(EntityKind::Payment), [Payment], "A payment, refund or payout; opaque.");
identifier!(/// An identifier that names no entity of its own: a route, a reason code.
    OpaqueId, Privacy::Clear, [], "Opaque.");

identifier!(/// The first digits of a card number, of which many cards have the same; no card.
    CardRange, Privacy::Clear, [], "The first six to eight digits of a card number.");

personal!(/// A telephone number; keyed and pseudonymised in E.164.
    Phone, Phone, [Phone, PhonePrefix, PhoneCountry, Carrier], |_| Ok(()), "A telephone number, best in E.164; personal.");
personal!(/// An e-mail address; keyed and pseudonymised in lower case.
    EmailAddress, Email, [Email, EmailDomain], |_| Ok(()), "An e-mail address; personal.");
personal!(/// A device identifier.
    DeviceId, Device, [Device], |_| Ok(()), "A device; personal.");
personal!(/// A device fingerprint.
    Fingerprint, Fingerprint, [Fingerprint], |_| Ok(()), "A device fingerprint; personal.");
personal!(/// A hash of an identity document: two accounts that show one are one person, and that is all it is for.
    DocumentHash, Document, [Document], |_| Ok(()), "A hash of an identity document; personal.");
personal!(/// A card, wallet or bank account token.
    InstrumentId, Instrument, [Instrument], |_| Ok(()), "A payment instrument's token; personal.");
personal!(/// An IPv4 or IPv6 address.
IpAddress, Ip, [Ip, IpPrefix], is_address, schemars::json_schema!({
    "type": "string", "pattern": address_pattern(), "description": "An IPv4 or IPv6 address; personal."
}));

text_type!(
    /// Why something happened, as people or providers put it; matched against, and never leaves.
    Reason, Privacy::Hidden, [], Value::Str(""), |_| false, |_| Ok(()), |_| "[Reason]",
    schemars::json_schema!({ "type": "string", "description": "Why, in somebody's words; personal." })
);
text_type!(
    /// What a person wrote. It is matched against and never leaves.
    FreeText, Privacy::Hidden, [], Value::Str(""), |_| false, |_| Ok(()), |_| "[FreeText]",
    schemars::json_schema!({ "type": "string", "description": "What a person wrote; personal." })
);

/// Whether an identifier that is taken as it stands is longer than one may be.
#[inline]
fn is_long(text: &str) -> bool {
    text.len() > ID_BYTES_MAX
}

/// What [`is_address`] takes, as a pattern for JSON Schema: the two must agree, and a test compares them. A `::` stands for one
/// group of zeros at least.
fn address_pattern() -> String {
    const GROUP: &str = "[0-9A-Fa-f]{1,4}";
    let byte = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    let v4 = format!("{byte}(?:\\.{byte}){{3}}");
    // Up to so many groups, the last two of which may be written as IPv4; none where there is no room.
    let groups = |most: usize| match most {
        0 => String::new(),
        1 => format!("(?:{GROUP})?"),
        _ => format!("(?:(?:{GROUP}:){{0,{}}}{GROUP}|(?:{GROUP}:){{0,{}}}{v4})?", most - 1, most - 2),
    };
    let cut = (0..8).map(|before: usize| match before {
        0 => format!("::{}", groups(7)),
        _ => format!("(?:{GROUP}:){{{}}}{GROUP}::{}", before - 1, groups(7 - before)),
    });
    let whole = [String::new(), v4.clone(), format!("(?:{GROUP}:){{7}}{GROUP}"), format!("(?:{GROUP}:){{6}}{v4}")];
    format!("^(?:{})$", whole.into_iter().chain(cut).collect::<Vec<_>>().join("|"))
}

fn is_address(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.parse::<std::net::IpAddr>().is_ok() { Ok(()) } else { Err("not an IPv4 or IPv6 address") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_types_show_nothing_of_what_they_hold() {
        let shown = format!(
            "{:?} {} {:?} {:?} {:?} {:?} {:?}",
            Phone::new("+201000000001"),
            Phone::new("+201000000001"),
            DeviceId::new("d_secret"),
            IpAddress::new("192.0.2.1"),
            InstrumentId::new("tok_secret"),
            Fingerprint::new("f_secret"),
            FreeText::new("call me on 010")
        );
        assert_eq!(shown, "[Phone] [Phone] [DeviceId] [IpAddress] [InstrumentId] [Fingerprint] [FreeText]");
    }

    #[test]
    fn opaque_identifiers_are_clear() {
        assert_eq!(format!("{:?}", UserId::new("u_42")), "u_42");
    }

    #[test]
    fn an_identifier_that_is_too_long_is_absent_and_counted() {
        let read = |value: Value<'_>| matches!(value, Value::Str(_));
        for (bytes, there) in [(1, true), (255, true), (256, true), (257, false), (200_000, false)] {
            let long = "u".repeat(bytes);
            let (user, device, token) = (UserId::new(long.as_str()), DeviceId::new(long.as_str()), InstrumentId::new(long.as_str()));
            assert_eq!([read(user.value()), read(device.value()), read(token.value())], [there; 3], "{bytes}");
            assert_eq!(user.oversized() + device.oversized() + Some(token).oversized(), if there { 0 } else { 3 }, "{bytes}");
            assert_eq!((FreeText::new(long.as_str()).oversized(), read(FreeText::new(long.as_str()).value())), (0, true));
        }
        // Bytes count, not characters; and a number is as long as it is in E.164.
        assert_eq!((UserId::new("م".repeat(128)).oversized(), UserId::new("م".repeat(129)).oversized()), (0, 1));
        let digits = |count: usize| Phone::new(format!("0{}", "1".repeat(count - 1)));
        assert_eq!((digits(254).oversized(), digits(255).oversized()), (0, 1), "+20 takes the place of 0");
    }

    proptest::proptest! {
        #[test]
        fn the_pattern_of_an_address_says_what_is_one(
            text in "((::)?([0-9a-fA-F]{1,5}:){0,8}(:|::)?([0-9a-f]{0,4}:){0,7}[0-9a-f]{0,4}|[0-9a-f:.]{0,12})(([0-9]{1,3}|25[0-9]|0[0-9])\\.){0,4}[0-9]{0,3}"
        ) {
            thread_local! {
                static PATTERN: regex::Regex = regex::Regex::new(&address_pattern()).expect("a pattern");
            }
            let matched = PATTERN.with(|pattern| pattern.is_match(&text));
            proptest::prop_assert_eq!(is_address(&text).is_ok(), matched, "{}", text);
        }
    }

    #[rstest::rstest]
    #[case("1:2:3:4:5:6:7::", true)]
    #[case("::2:3:4:5:6:7:8", true)]
    #[case("1::3:4:5:6:7:8:9", false)]
    #[case("1:2:3:4::5:6:7:8", false)]
    #[case("::ffff:192.0.2.1", true)]
    #[case("1:2:3:4:5:6:192.0.2.1", true)]
    #[case("1:2:3:4:5:6:7:192.0.2.1", false)]
    #[case("::", true)]
    #[case(":::", false)]
    #[case("192.0.2.01", false)]
    #[case("fe80::1%eth0", false)]
    fn an_address_is_one(#[case] text: &str, #[case] good: bool) {
        assert_eq!(is_address(text).is_ok(), good);
        assert_eq!(regex::Regex::new(&address_pattern()).expect("a pattern").is_match(text), good);
    }

    #[test]
    fn escapes_are_undone_and_plain_text_is_borrowed() {
        let plain: Text<'_> = sonic_rs::from_str(r#""plain""#).expect("a string");
        assert!(matches!(plain.into_inner(), Cow::Borrowed("plain")));
        let escaped: Text<'_> = sonic_rs::from_str(r#""a\nb""#).expect("a string");
        assert!(matches!(escaped.into_inner(), Cow::Owned(text) if text == "a\nb"));
    }
}
