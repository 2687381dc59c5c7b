//! Entities: whom state, alerts and scores are about, and how one identifier of each kind is written so that two
//! spellings of the same person meet in one key.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;

use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

pub mod personal;

/// Longest identifier, bytes, as it came and as it is written here; a longer one reads as absent (EVENTS.md).
pub const ID_BYTES_MAX: usize = 256;

/// A kind of entity. The wire name is the lower-case name with underscores, as in `kind:id`.
///
/// Its number is part of every key under which state is stored: it never changes, a new kind takes the next one, and that of
/// a kind that is gone is not given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum EntityKind {
    /// An account, whatever its role.
    User = 0,
    /// A phone or computer.
    Device = 1,
    /// One address.
    Ip = 2,
    /// The /24 (IPv4) or /48 (IPv6) an address lies in.
    IpPrefix = 3,
    /// A telephone number, E.164.
    Phone = 4,
    /// A telephone number less its last four digits: a range sold together.
    PhonePrefix = 5,
    /// A card, wallet or bank account.
    Instrument = 6,
    /// A chat between two people.
    Conversation = 7,
    /// A booking, which is also what drivers call a task.
    Booking = 8,
    /// A driver; the same identifiers as [`EntityKind::User`].
    Driver = 9,
    /// A device fingerprint.
    Fingerprint = 10,
    /// A member of staff.
    Admin = 11,
    /// A payment, SMS or map provider.
    Provider = 12,
    /// A ledger account.
    Account = 13,
    /// An H3 cell of resolution 5 (about 250 km²).
    Region = 14,
    /// The whole stream: everybody is one.
    All = 15,
    /// The country code of a telephone number: +20.
    PhoneCountry = 16,
    /// The range of a numbering plan that a telephone number lies in: +20 10, +998 90. An operator's, unless it was taken along.
    Carrier = 17,
    /// A payment, refund or payout.
    Payment = 18,
    /// An e-mail address.
    Email = 19,
    /// The domain behind the @ of one, without the hosts below it.
    EmailDomain = 20,
    /// An identity document, by the hash that the marketplace keeps of it.
    Document = 21,
}

impl EntityKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 22] = [
        Self::User,
        Self::Device,
        Self::Ip,
        Self::IpPrefix,
        Self::Phone,
        Self::PhonePrefix,
        Self::Instrument,
        Self::Conversation,
        Self::Booking,
        Self::Driver,
        Self::Fingerprint,
        Self::Admin,
        Self::Provider,
        Self::Account,
        Self::Region,
        Self::All,
        Self::PhoneCountry,
        Self::Carrier,
        Self::Payment,
        Self::Email,
        Self::EmailDomain,
        Self::Document,
    ];

    /// The name used in rule files, alerts and Redis keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Device => "device",
            Self::Ip => "ip",
            Self::IpPrefix => "ip_prefix",
            Self::Phone => "phone",
            Self::PhonePrefix => "phone_prefix",
            Self::Instrument => "instrument",
            Self::Conversation => "conversation",
            Self::Booking => "booking",
            Self::Driver => "driver",
            Self::Fingerprint => "fingerprint",
            Self::Admin => "admin",
            Self::Provider => "provider",
            Self::Account => "account",
            Self::Region => "region",
            Self::All => "all",
            Self::PhoneCountry => "phone_country",
            Self::Carrier => "carrier",
            Self::Payment => "payment",
            Self::Email => "email",
            Self::EmailDomain => "email_domain",
            Self::Document => "document",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind of that number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Whether every identifier of this kind leaves the engine only as a pseudonym. Opaque platform ids and the
    /// coarse kinds ([`EntityKind::is_coarse`]) stay clear, because on-call must act on them.
    pub fn is_personal(self) -> bool {
        matches!(self, Self::Device | Self::Ip | Self::Phone | Self::Instrument | Self::Fingerprint | Self::Email | Self::Document)
    }

    /// Whether it is about so many that it names nobody.
    pub fn is_coarse(self) -> bool {
        matches!(
            self,
            Self::PhonePrefix | Self::IpPrefix | Self::Region | Self::All | Self::PhoneCountry | Self::Carrier | Self::EmailDomain
        )
    }

    /// Whether an alert about it accuses nobody: it tells how the platform fares, and has no score.
    pub fn is_operational(self) -> bool {
        matches!(self, Self::All | Self::Region | Self::Provider | Self::PhoneCountry | Self::Carrier | Self::EmailDomain)
    }

    /// Whether this identifier, normalised, leaves the engine only as a pseudonym: its kind is personal, or it is an opaque
    /// id that is itself a telephone number, an e-mail address or their like ([`personal::reads_as_personal`]).
    pub fn hides(self, normalised: &str) -> bool {
        !self.is_coarse() && (self.is_personal() || personal::reads_as_personal(normalised))
    }

    /// Whether an identifier is longer than one may be, as it came or normalised.
    #[inline]
    pub fn is_oversized(self, raw: &str) -> bool {
        // Of all kinds normalising makes none three times as long.
        raw.len() > ID_BYTES_MAX || (raw.len() > ID_BYTES_MAX / 3 && self.normalise(raw).len() > ID_BYTES_MAX)
    }

    /// The one way to write an identifier of this kind; `raw` is the field's text.
    pub fn normalise(self, raw: &str) -> Cow<'_, str> {
        match self {
            Self::Phone => e164(raw),
            Self::PhonePrefix => prefix_of_phone(&e164(raw)).into(),
            // What is written without a colon is no IPv6 address, and has one form only.
            Self::Ip if !raw.contains(':') => Cow::Borrowed(raw),
            Self::Ip => raw.parse::<IpAddr>().map_or(Cow::Borrowed(raw), |ip| canonical(raw, ip)),
            Self::IpPrefix => raw.parse::<IpAddr>().map_or(Cow::Borrowed(raw), |ip| prefix_of_ip(ip).into()),
            Self::PhoneCountry => numbering(&e164(raw)).0.into(),
            Self::Carrier => numbering(&e164(raw)).1.into(),
            Self::Email => raw.trim().to_lowercase().into(),
            Self::EmailDomain => domain_of(raw).into(),
            _ => Cow::Borrowed(raw),
        }
    }
}

impl Serialize for EntityKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

impl<'de> Deserialize<'de> for EntityKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        Self::from_number(number).ok_or_else(|| de::Error::custom(format!("there is no kind of entity of the number {number}")))
    }
}

/// An address in its shortest form; an IPv4 address mapped into IPv6 is the IPv4 address.
fn canonical(raw: &str, ip: IpAddr) -> Cow<'_, str> {
    match ip {
        IpAddr::V4(_) => Cow::Borrowed(raw), // `FromStr` takes the dotted form only, which is canonical
        IpAddr::V6(_) => ip.to_canonical().to_string().into(),
    }
}

fn prefix_of_ip(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            format!("{}/48", std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

/// What stands for the prefix of a number that is none, or the domain of an address that is none, so that nothing of it shows.
const INVALID: &str = "invalid";

/// The digits of what is certainly a whole number.
fn whole_number(e164: &str) -> Option<&str> {
    let digits = e164.strip_prefix('+').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    // ITU-T E.164: fifteen digits at most; Egypt: the country code and ten at most.
    (7..=if digits.starts_with("20") { 12 } else { 15 }).contains(&digits.len()).then_some(digits)
}

/// Whether it is certainly a whole number, country code first: what is not has no prefix.
pub fn is_whole_number(e164: &str) -> bool {
    whole_number(e164).is_some()
}

/// A number less its last four digits. The prefix leaves in clear, so what is not certainly a whole number has none.
fn prefix_of_phone(e164: &str) -> String {
    match whole_number(e164) {
        Some(_) => e164.chars().take(e164.len() - 4).collect(),
        None => INVALID.to_owned(),
    }
}

/// Country codes of two digits; those of one are 1 and 7, the others have three. ITU-T E.164, list of assigned country codes.
const COUNTRY_CODES_OF_TWO: [u8; 44] = [
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62, 63, 64, 65, 66, 81,
    82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];

/// Whether digits begin with a country code of two. No country code begins another, so they then begin with no other.
fn has_code_of_two(digits: &str) -> bool {
    match digits.as_bytes() {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', ..] => COUNTRY_CODES_OF_TWO.contains(&((tens - b'0') * 10 + (ones - b'0'))),
        _ => false,
    }
}

/// Country codes whose people write a trunk 0 before the national number at home, and none of whose national numbers begins with
/// one: what stands behind the code is the trunk's (libphonenumber 9.0.43, national prefix 0; without Italy, Côte d'Ivoire, Gabon and
/// others where the 0 is part of the number).
const TRUNK_ZERO: [&str; 75] = [
    "20", "27", "31", "32", "33", "40", "41", "43", "44", "46", "49", "51", "54", "55", "58", "60", "61", "62", "63", "64", "66", "81",
    "82", "84", "86", "90", "91", "92", "93", "94", "95", "98", "211", "212", "213", "218", "234", "249", "251", "252", "254", "255",
    "256", "260", "263", "264", "353", "355", "358", "359", "380", "381", "385", "386", "387", "389", "421", "855", "856", "880", "886",
    "961", "962", "963", "964", "966", "967", "970", "971", "972", "976", "977", "994", "995", "996",
];

/// A number, country code first, without the trunk's 0 behind that code; `None` where there is none.
fn without_trunk(digits: &str) -> Option<String> {
    let (code, national) = digits.split_at_checked(if has_code_of_two(digits) { 2 } else { 3 })?;
    let national = national.strip_prefix('0').filter(|_| TRUNK_ZERO.contains(&code))?;
    Some(format!("{code}{national}"))
}

/// The country code of a number, and the range of the plan that it lies in: the first digits of the national number, three
/// where the country is North America's plan, whose area codes have three, else two.
fn numbering(e164: &str) -> (String, String) {
    let Some(digits) = whole_number(e164) else { return (INVALID.to_owned(), INVALID.to_owned()) };
    let (country, range) = match digits.as_bytes() {
        [b'1', ..] => (1, 3),
        [b'7', ..] => (1, 2),
        _ if has_code_of_two(digits) => (2, 2),
        _ => (3, 2),
    };
    match (digits.get(..country), digits.get(country..country + range)) {
        (Some(country), Some(range)) => (format!("+{country}"), format!("+{country} {range}")),
        _ => (INVALID.to_owned(), INVALID.to_owned()),
    }
}

/// Most digits that a domain may have: the shortest telephone numbers in use have one more.
const DOMAIN_DIGITS_MAX: usize = 7;

/// Second-level names under which countries give out names: farm.com.eg is one domain, com.eg is none. The most used of the Public
/// Suffix List (publicsuffix.org); under a name that is not among them two labels are taken for the domain.
const GIVEN_OUT_UNDER: [&str; 16] =
    ["ac", "asso", "co", "com", "edu", "go", "gob", "gouv", "gov", "mil", "ne", "net", "nom", "or", "org", "sci"];

/// What stands behind the last @, in lower case and without a final dot, less the hosts below a domain: they cost nothing, and whoever
/// has a domain has as many as he likes. It leaves in clear, so what is no domain by its form has none, nor has one with as many digits
/// as a telephone number; what is asked is what leaves, or a host of eight digits would hide the domain.
fn domain_of(email: &str) -> String {
    let domain = email.trim().rsplit_once('@').map(|(_, domain)| domain.trim_end_matches('.').to_lowercase()).unwrap_or_default();
    // RFC 1035, 2.3.4: 63 octets at most a label. Letters of other scripts stand as they are (RFC 5890).
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let labels: Vec<&str> = domain.rsplit('.').collect();
    // RFC 1123, 2.1: the last label of a domain has letters, which tells it from an address.
    let is_named = labels.first().is_some_and(|last| !last.chars().all(char::is_numeric));
    let is_domain = labels.len() > 1 && is_named && labels.iter().copied().all(is_label);
    if !is_domain {
        return INVALID.to_owned();
    }
    let is_given_out = matches!(labels.as_slice(), [country, second, _, ..] if country.len() == 2 && GIVEN_OUT_UNDER.contains(second));
    let own = labels.iter().take(if is_given_out { 3 } else { 2 }).rev().copied().collect::<Vec<_>>().join(".");
    let is_hidden = own.chars().filter(|c| c.is_numeric()).count() > DOMAIN_DIGITS_MAX || personal::reads_as_personal(&own);
    if is_hidden { INVALID.to_owned() } else { own }
}

/// A telephone number in E.164, Egypt (+20) where it has no country code. Spaces, dashes, dots and brackets are
/// passed over and Arabic-Indic and Persian digits read; what follows a letter (an extension) is left out; what has no
/// digit at all stays as it is, lower-cased. A trunk zero behind the code of a country that has one is dropped: it is how
/// people write the number of the same phone.
///
/// Numbering plan: ITU-T E.164, and the Egyptian plan (NTRA): ten national digits for a mobile, eight or nine for
/// a landline, each written with a leading 0 inside the country.
pub fn e164(raw: &str) -> Cow<'_, str> {
    if let Some(rest) = raw.strip_prefix('+')
        && !rest.is_empty()
        && rest.bytes().all(|b| b.is_ascii_digit())
        && without_trunk(rest).is_none()
    {
        return Cow::Borrowed(raw);
    }
    let start = raw.find(|c| digit(c).is_some()).unwrap_or(raw.len());
    let (before, number) = raw.split_at(start);
    // A zero in brackets is the trunk's, written for those at home beside the country code for those abroad.
    let is_abroad = before.contains('+') || number.starts_with("00");
    let unbracketed = if is_abroad { number.split_once("(0)").map(|(country, national)| format!("{country}{national}")) } else { None };
    let number = unbracketed.as_deref().unwrap_or(number);
    let digits: String = number.chars().take_while(|c| !c.is_alphabetic()).filter_map(digit).collect();
    if digits.is_empty() {
        return raw.trim().to_lowercase().into();
    }
    let international = if before.contains('+') { Some(digits.as_str()) } else { digits.strip_prefix("00") };
    let whole = match (international, digits.strip_prefix('0')) {
        (Some(whole), _) => whole.to_owned(),
        (None, Some(national)) => format!("20{national}"),
        (None, None) if digits.len() == 10 && digits.starts_with('1') => format!("20{digits}"),
        (None, None) => digits.clone(),
    };
    format!("+{}", without_trunk(&whole).unwrap_or(whole)).into()
}

fn digit(c: char) -> Option<char> {
    let value = match c {
        '0'..='9' => u32::from(c) - u32::from('0'),
        '\u{660}'..='\u{669}' => u32::from(c) - 0x660,
        '\u{6F0}'..='\u{6F9}' => u32::from(c) - 0x6F0,
        '\u{FF10}'..='\u{FF19}' => u32::from(c) - 0xFF10,
        _ => return None,
    };
    char::from_digit(value, 10)
}

/// Makes the 64-bit keys of keyed state: SipHash-1-3 with a secret seed, so that no sender can choose identifiers
/// that collide. (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; one compression round and three
/// at the end, as Rust's own hash maps use it.)
#[derive(Clone, Copy)]
pub struct KeyHasher {
    seed: (u64, u64),
}

impl KeyHasher {
    /// A hasher from 16 secret bytes; the same secret gives the same keys on any machine.
    pub fn new(secret: [u8; 16]) -> Self {
        let wide = u128::from_le_bytes(secret);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
        Self { seed: (wide as u64, (wide >> 64) as u64) }
    }

    /// The key of one identifier: `kind`, then its normalised text.
    pub fn key(&self, kind: EntityKind, raw: &str) -> u64 {
        self.key_of_normalised(kind, &kind.normalise(raw))
    }

    /// The same of an identifier that is written as its kind is.
    pub fn key_of_normalised(&self, kind: EntityKind, normalised: &str) -> u64 {
        self.hash(&[&[kind as u8], normalised.as_bytes()])
    }

    /// The key of one H3 cell.
    pub fn key_of_region(&self, cell: u64) -> u64 {
        let mut text = String::with_capacity(16);
        write!(text, "{cell:x}").expect("writing to a String cannot fail");
        self.key(EntityKind::Region, &text)
    }

    /// One key out of several, order mattering.
    pub fn combine(&self, keys: &[u64]) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.seed.0, self.seed.1);
        for key in keys {
            hasher.write_u64(*key);
        }
        hasher.finish()
    }

    /// A hash of any parts, none of which can run into the next: an event's identity, a distinct value.
    pub fn hash(&self, parts: &[&[u8]]) -> u64 {
        // Hashing one short piece at once is faster than hashing its parts, so they are put together first if they fit.
        let mut joined = [0_u8; 128];
        let mut used = 0;
        for part in parts {
            let Some((length, rest)) = joined.get_mut(used..).and_then(|free| free.split_at_mut_checked(8)) else {
                return self.hash_long(parts);
            };
            let Some(place) = rest.get_mut(..part.len()) else { return self.hash_long(parts) };
            length.copy_from_slice(&(part.len() as u64).to_le_bytes());
            place.copy_from_slice(part);
            used += 8 + part.len();
        }
        SipHasher13::new_with_keys(self.seed.0, self.seed.1).hash(joined.get(..used).unwrap_or_default())
    }

    /// The same hash of parts that are long together.
    fn hash_long(&self, parts: &[&[u8]]) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.seed.0, self.seed.1);
        for part in parts {
            hasher.write(&(part.len() as u64).to_le_bytes());
            hasher.write(part);
        }
        hasher.finish()
    }
}

impl std::fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyHasher { seed: [redacted] }")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("+201000000042", "+201000000042")]
    #[case("01000000042", "+201000000042")]
    #[case("1000000042", "+201000000042")]
    #[case("00201000000042", "+201000000042")]
    #[case("201000000042", "+201000000042")]
    #[case("+20 100 000 00-42", "+201000000042")]
    #[case("٠١٠٠٠٠٠٠٠٤٢", "+201000000042")]
    #[case("(02) 2735-1234", "+20227351234")]
    #[case("19123", "+19123")]
    #[case("Unknown ", "unknown")]
    #[case("+", "+")]
    #[case("+20 (0)100 000 0042", "+201000000042")]
    #[case("+2001000000042", "+201000000042")]
    #[case("002001000000042", "+201000000042")]
    #[case("tel:+201000000042", "+201000000042")]
    #[case("tel:+20-100-000-0042;ext=12", "+201000000042")]
    #[case("+971 (0)50 123 4567", "+971501234567")]
    #[case("00971 (0) 50 123 4567", "+971501234567")]
    #[case("+9710501234567", "+971501234567")]
    #[case("00966 050 123 4567", "+966501234567")]
    #[case("+44 (0)20 7946 0018", "+442079460018")]
    #[case("+4402079460018", "+442079460018")]
    #[case("+39 06 1234567", "+39061234567")]
    #[case("+2250701234567", "+2250701234567")]
    #[case("+20", "+20")]
    #[case("+20 100 000 0042 ext 1234", "+201000000042")]
    fn one_phone_has_one_spelling(#[case] raw: &str, #[case] expected: &str) {
        assert_eq!(EntityKind::Phone.normalise(raw), expected);
    }

    #[rstest]
    #[case("156.160.1.9", "156.160.1.9", "156.160.1.0/24")]
    #[case("::ffff:156.160.1.9", "156.160.1.9", "156.160.1.0/24")]
    #[case("2001:0db8:0001:0000::9", "2001:db8:1::9", "2001:db8:1::/48")]
    fn one_address_has_one_spelling(#[case] raw: &str, #[case] ip: &str, #[case] prefix: &str) {
        assert_eq!(EntityKind::Ip.normalise(raw), ip);
        assert_eq!(EntityKind::IpPrefix.normalise(raw), prefix);
    }

    #[test]
    fn a_phone_prefix_is_the_number_less_four_digits() {
        for (raw, prefix) in [
            ("01000000042", "+20100000"),
            ("+14155550100", "+1415555"),
            ("aya@example.com", "invalid"),
            ("12", "invalid"),
            ("+20100000004212", "invalid"),
            ("+2010000000421234", "invalid"),
        ] {
            assert_eq!(EntityKind::PhonePrefix.normalise(raw), prefix, "{raw}");
        }
    }

    #[rstest]
    #[case("01000000042", "+20", "+20 10")]
    #[case("+998901234567", "+998", "+998 90")]
    #[case("+14155550100", "+1", "+1 415")]
    #[case("+79161234567", "+7", "+7 91")]
    #[case("+989121234567", "+98", "+98 91")]
    #[case("+971 (0)50 123 4567", "+971", "+971 50")]
    #[case("12", "invalid", "invalid")]
    #[case("aya@example.com", "invalid", "invalid")]
    fn a_number_lies_in_a_range_of_a_plan(#[case] raw: &str, #[case] country: &str, #[case] range: &str) {
        assert_eq!(EntityKind::PhoneCountry.normalise(raw), country);
        assert_eq!(EntityKind::Carrier.normalise(raw), range);
    }

    #[rstest]
    #[case(" Aya@Example.COM ", "aya@example.com", "example.com")]
    #[case("a@b@mail.example.", "a@b@mail.example.", "mail.example")]
    #[case("nobody", "nobody", "invalid")]
    #[case("a@localhost", "a@localhost", "invalid")]
    #[case("a@call.01012345678", "a@call.01012345678", "invalid")]
    #[case("a@010-12345678.example", "a@010-12345678.example", "invalid")]
    #[case("a@x12345678.farm.example", "a@x12345678.farm.example", "farm.example")]
    #[case("a@01012345678.farm.com.eg", "a@01012345678.farm.com.eg", "farm.com.eg")]
    #[case("a@x.farm.12", "a@x.farm.12", "invalid")]
    #[case("a@call.٠١٠١٢٣٤٥٦٧٨", "a@call.٠١٠١٢٣٤٥٦٧٨", "invalid")]
    #[case("a@192.0.2.1", "a@192.0.2.1", "invalid")]
    #[case("a@my number.example", "a@my number.example", "invalid")]
    #[case("a@x..example", "a@x..example", "invalid")]
    #[case("a@163.com", "a@163.com", "163.com")]
    #[case("a@بريد.مصر", "a@بريد.مصر", "بريد.مصر")]
    #[case("a@x17.farm.example", "a@x17.farm.example", "farm.example")]
    #[case("a@x.mail.farm.com.eg", "a@x.mail.farm.com.eg", "farm.com.eg")]
    #[case("a@farm.com.eg", "a@farm.com.eg", "farm.com.eg")]
    #[case("a@com.eg", "a@com.eg", "com.eg")]
    #[case("a@x.com.example", "a@x.com.example", "com.example")]
    fn an_address_has_a_domain(#[case] raw: &str, #[case] email: &str, #[case] domain: &str) {
        assert_eq!(EntityKind::Email.normalise(raw), email);
        assert_eq!(EntityKind::EmailDomain.normalise(raw), domain);
    }

    #[test]
    fn kinds_keep_equal_identifiers_apart_and_names_round_trip() {
        let hasher = KeyHasher::new([7; 16]);
        assert_ne!(hasher.key(EntityKind::User, "x"), hasher.key(EntityKind::Driver, "x"));
        assert_ne!(hasher.combine(&[1, 2]), hasher.combine(&[2, 1]));
        assert_ne!(hasher.hash(&[b"ab", b"c"]), hasher.hash(&[b"a", b"bc"]));
        for length in [0, 1, 111, 112, 113, 500] {
            let parts: [&[u8]; 2] = [&vec![7; length], b""];
            assert_eq!(hasher.hash(&parts), hasher.hash_long(&parts), "{length}");
        }
        for kind in EntityKind::ALL {
            assert_eq!(EntityKind::from_name(kind.name()), Some(kind));
        }
    }
}
