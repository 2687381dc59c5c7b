//! Standard Webhooks 1.0: how a receiver knows who sent a request, and that it is new.
//!
//! ```text
//! webhook-id         names one delivery; the same when it is sent again
//! webhook-timestamp  seconds since 1970, when this attempt was signed
//! webhook-signature  "v1,<base64>" once for every secret in force, a space between them
//!                    v1 = HMAC-SHA256(secret, id ‖ "." ‖ timestamp ‖ "." ‖ body)
//! ```
//!
//! Rotation: both sides list the new secret before the old one; the sender signs with all, one that verifies is enough.
//! → <https://github.com/standard-webhooks/standard-webhooks>, spec/standard-webhooks.md

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Header that names the delivery.
pub const ID: &str = "webhook-id";
/// Header with the time of signing.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// Header with the signatures.
pub const SIGNATURE: &str = "webhook-signature";

/// The three, in that order.
pub const HEADERS: [&str; 3] = [ID, TIMESTAMP, SIGNATURE];
/// The same as Svix calls them, from whose libraries the specification came.
pub const SVIX_HEADERS: [&str; 3] = ["svix-id", "svix-timestamp", "svix-signature"];

/// How far the sender's clock may be from ours, s.
const TOLERANCE_S: i64 = 5 * 60;
/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret, as the specification has it.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Longest id, bytes.
const ID_BYTES_MAX: usize = 256;
/// Signatures looked at: more is not rotation, it is somebody trying.
const SIGNATURES_MAX: usize = 16;

/// Why secrets were refused. The message holds nothing of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is none.
    #[error("no webhook secret is given")]
    None,
    /// Not base64.
    #[error("webhook secret {} is not `whsec_` and base64", index + 1)]
    NotBase64 {
        /// Which, from 0; said from 1, as lines are.
        index: usize,
    },
    /// Too short to be safe, or longer than the specification has it.
    #[error("webhook secret {} has {found} bytes, expected 24 to 64", index + 1)]
    Length {
        /// Which, from 0; said from 1, as lines are.
        index: usize,
        /// Its bytes.
        found: usize,
    },
}

impl SecretError {
    /// The same of the only one there is, whose place the caller says.
    pub fn of_one(&self) -> String {
        match self {
            Self::None => "no webhook secret is given".to_owned(),
            Self::NotBase64 { .. } => "not `whsec_` and base64".to_owned(),
            Self::Length { found, .. } => format!("the base64 is of {found} bytes, expected 24 to 64"),
        }
    }
}

/// Why a request was not accepted. Tell the sender as much: it says nothing about the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Empty, too long, with other than visible ASCII, or with the full stop that separates what is signed.
    #[error("webhook-id is not 1 to 256 visible ASCII characters without a full stop")]
    Id,
    /// Not a number of seconds.
    #[error("webhook-timestamp is not a number of seconds")]
    Timestamp,
    /// More than 5 min ago: a request somebody kept.
    #[error("webhook-timestamp is more than 5 min ago")]
    TooOld,
    /// More than 5 min ahead.
    #[error("webhook-timestamp is more than 5 min ahead")]
    TooNew,
    /// Not a single signature of the version that is known.
    #[error("webhook-signature holds no `v1,` and base64 of 32 bytes")]
    Form,
    /// None of the signatures fits.
    #[error("webhook-signature does not fit")]
    Signature,
}

/// Whether it can be what a delivery is called.
pub(crate) fn check_id(id: &str) -> Result<(), VerifyError> {
    let wrong = id.is_empty() || id.len() > ID_BYTES_MAX || id.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'.');
    if wrong { Err(VerifyError::Id) } else { Ok(()) }
}

/// What the three headers of a request say, found to be in form and of now. Whether it is true takes the body.
#[derive(Clone, Debug)]
pub struct Claimed<'h> {
    id: &'h str,
    timestamp: &'h str,
    signatures: Vec<[u8; 32]>,
}

impl<'h> Claimed<'h> {
    /// Of the headers' values at that time, Unix ms. It costs next to nothing, so that it can be asked before anything of a
    /// body is read; but whoever knows the form can have it.
    pub fn new(id: &'h str, timestamp: &'h str, signatures: &str, now_ms: i64) -> Result<Self, VerifyError> {
        check_id(id)?;
        // Digits alone: "+1", "01" and "1" would be one second with different signatures.
        let seconds: i64 = timestamp.parse().map_err(|_| VerifyError::Timestamp)?;
        if seconds.to_string() != timestamp {
            return Err(VerifyError::Timestamp);
        }
        let now = now_ms.div_euclid(1000);
        if seconds < now.saturating_sub(TOLERANCE_S) {
            return Err(VerifyError::TooOld);
        }
        if seconds > now.saturating_add(TOLERANCE_S) {
            return Err(VerifyError::TooNew);
        }
        let signatures: Vec<[u8; 32]> = signatures
            .split(' ')
            .filter_map(|signature| signature.strip_prefix("v1,"))
            .take(SIGNATURES_MAX)
            .filter_map(|signature| BASE64.decode(signature.as_bytes()).ok()?.try_into().ok())
            .collect();
        if signatures.is_empty() { Err(VerifyError::Form) } else { Ok(Self { id, timestamp, signatures }) }
    }

    /// Names the delivery.
    pub fn id(&self) -> &'h str {
        self.id
    }
}

/// Signs and verifies with one secret or, while they are being changed, several.
#[derive(Clone)]
pub struct Webhook {
    macs: Vec<Hmac<Sha256>>,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Webhook({} secrets)", self.macs.len())
    }
}

impl Webhook {
    /// From secrets as they are handed out: `whsec_` and base64, 24 to 64 bytes; the newest first.
    pub fn new<S: AsRef<str>>(secrets: &[S]) -> Result<Self, SecretError> {
        let mac = |(index, secret): (usize, &S)| {
            let secret = secret.as_ref().trim();
            let secret = secret.strip_prefix(PREFIX).unwrap_or(secret);
            let key = BASE64.decode(secret.as_bytes()).map_err(|_| SecretError::NotBase64 { index })?;
            if !SECRET_BYTES.contains(&key.len()) {
                return Err(SecretError::Length { index, found: key.len() });
            }
            Hmac::new_from_slice(&key).map_err(|_| SecretError::Length { index, found: key.len() })
        };
        let macs: Vec<_> = secrets.iter().enumerate().map(mac).collect::<Result<_, _>>()?;
        if macs.is_empty() { Err(SecretError::None) } else { Ok(Self { macs }) }
    }

    /// The value of `webhook-signature` for a body sent under this id at this second.
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let timestamp = timestamp_s.to_string();
        let signatures: Vec<String> = self
            .macs
            .iter()
            .map(|mac| format!("v1,{}", BASE64.encode(&signed(mac, id, &timestamp, body).finalize().into_bytes())))
            .collect();
        signatures.join(" ")
    }

    /// Whether what the headers claim of this body is true.
    pub fn fits(&self, claimed: &Claimed<'_>, body: &[u8]) -> bool {
        self.macs.iter().any(|mac| {
            let expected = signed(mac, claimed.id, claimed.timestamp, body);
            // `verify_slice` takes as long for a wrong byte in front as for one at the end.
            claimed.signatures.iter().any(|signature| expected.clone().verify_slice(signature).is_ok())
        })
    }
}

fn signed(mac: &Hmac<Sha256>, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = mac.clone();
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OLD: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const NOW_MS: i64 = 1_649_367_553_000;

    fn webhook(secrets: &[&str]) -> Webhook {
        Webhook::new(secrets).expect("good secrets")
    }

    #[test]
    fn signs_as_the_specification_has_it() {
        // The example of the reference implementations.
        let signature = webhook(&[OLD]).sign(
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            br#"{"email":"test@example.com","username":"test_user"}"#,
        );
        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    /// Both halves: the headers, then the body.
    fn verify(by: &Webhook, id: &str, timestamp: &str, signatures: &str, body: &[u8], now_ms: i64) -> Result<(), VerifyError> {
        let claimed = Claimed::new(id, timestamp, signatures, now_ms)?;
        if by.fits(&claimed, body) { Ok(()) } else { Err(VerifyError::Signature) }
    }

    #[rstest]
    #[case::as_sent("msg_1", "1649367553", b"body", 0, Ok(()))]
    #[case::oldest_allowed("msg_1", "1649367553", b"body", 300_000, Ok(()))]
    #[case::too_old("msg_1", "1649367553", b"body", 301_000, Err(VerifyError::TooOld))]
    #[case::newest_allowed("msg_1", "1649367553", b"body", -300_000, Ok(()))]
    #[case::too_new("msg_1", "1649367553", b"body", -300_001, Err(VerifyError::TooNew))]
    #[case::other_body("msg_1", "1649367553", b"bodY", 0, Err(VerifyError::Signature))]
    #[case::other_id("msg_2", "1649367553", b"body", 0, Err(VerifyError::Signature))]
    #[case::other_second("msg_1", "1649367554", b"body", 0, Err(VerifyError::Signature))]
    #[case::no_number("msg_1", "now", b"body", 0, Err(VerifyError::Timestamp))]
    #[case::signed_number("msg_1", "+1649367553", b"body", 0, Err(VerifyError::Timestamp))]
    #[case::zeros("msg_1", "01649367553", b"body", 0, Err(VerifyError::Timestamp))]
    #[case::no_id("", "1649367553", b"body", 0, Err(VerifyError::Id))]
    #[case::full_stop_in_the_id("msg.1", "1649367553", b"body", 0, Err(VerifyError::Id))]
    fn accepts_what_was_signed_and_is_new(
        #[case] id: &str,
        #[case] timestamp: &str,
        #[case] body: &[u8],
        #[case] later_ms: i64,
        #[case] expected: Result<(), VerifyError>,
    ) {
        let webhook = webhook(&[SECRET]);
        let signature = webhook.sign("msg_1", 1_649_367_553, b"body");
        assert_eq!(verify(&webhook, id, timestamp, &signature, body, NOW_MS + later_ms), expected);
    }

    #[test]
    fn either_secret_will_do_while_they_are_changed() {
        let (both, new, old) = (webhook(&[SECRET, OLD]), webhook(&[SECRET]), webhook(&[OLD]));
        let stranger = webhook(&["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]);
        let verify = |by: &Webhook, signature: &str| self::verify(by, "msg_1", "1649367553", signature, b"{}", NOW_MS);
        let rotating = both.sign("msg_1", 1_649_367_553, b"{}");
        assert_eq!(rotating.split(' ').count(), 2);
        assert_eq!(verify(&new, &rotating), Ok(()));
        assert_eq!(verify(&old, &rotating), Ok(()));
        assert_eq!(verify(&both, &old.sign("msg_1", 1_649_367_553, b"{}")), Ok(()));
        assert_eq!(verify(&stranger, &rotating), Err(VerifyError::Signature));
        assert_eq!(verify(&both, &format!("v1a,AAAA v2,x {rotating}")), Ok(()), "other versions are passed over");
        for signature in ["", "v1,", "v1", "v1,not base64", "v1,AAAA"] {
            assert_eq!(verify(&both, signature), Err(VerifyError::Form), "{signature}");
        }
        // A flood of signatures costs no more than a handful.
        let another = format!("v1,{} ", BASE64.encode(&[0; 32]));
        assert_eq!(verify(&both, &format!("{}{rotating}", another.repeat(SIGNATURES_MAX - 1))), Ok(()));
        assert_eq!(verify(&both, &format!("{}{rotating}", another.repeat(SIGNATURES_MAX))), Err(VerifyError::Signature));
    }

    #[rstest]
    #[case::short("whsec_AAAA", SecretError::Length { index: 0, found: 3 })]
    #[case::no_base64("whsec_***", SecretError::NotBase64 { index: 0 })]
    fn bad_secrets_are_refused_without_showing_them(#[case] secret: &str, #[case] expected: SecretError) {
        let error = Webhook::new(&[secret]).expect_err("bad");
        assert_eq!(error, expected);
        assert!(!error.to_string().contains("AAAA"));
        assert_eq!(Webhook::new::<&str>(&[]).expect_err("none"), SecretError::None);
        assert_eq!(format!("{:?}", webhook(&[SECRET])), "Webhook(1 secrets)");
    }

    proptest! {
        #[test]
        fn agrees_with_the_reference_library(
            key in proptest::collection::vec(any::<u8>(), 24..=64), id in "[!-\\-/-~]{1,40}", seconds in 0_i64..4_000_000_000, body in "\\PC{0,200}",
        ) {
            let secret = format!("whsec_{}", BASE64.encode(&key));
            let ours = webhook(&[&secret]);
            let theirs = standardwebhooks::Webhook::new(&secret).expect("a good secret");
            let signature = ours.sign(&id, seconds, body.as_bytes());
            prop_assert_eq!(&signature, &theirs.sign(&id, seconds, body.as_bytes()).expect("text"));
            prop_assert_eq!(verify(&ours, &id, &seconds.to_string(), &signature, body.as_bytes(), seconds * 1000), Ok(()));
        }
    }
}
