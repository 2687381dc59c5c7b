//! How personal identifiers leave: as pseudonyms that the core service can compute in any language.
//!
//! `p<key>_` + base32 of HMAC-SHA256(secret, kind ‖ 0 ‖ normalised value) cut to 128 bits (RFC 2104, RFC 4648 without
//! padding, lower case).

use std::borrow::Cow;

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rasid_detectors::entity::personal::reads_as_personal;
use rasid_detectors::entity::{EntityKind, KeyHasher};
use sha2::{Digest as _, Sha256};

/// Shortest secret, bytes: what HMAC-SHA256 needs for its full strength is 32; 16 is the least that resists a search.
const SECRET_BYTES_MIN: usize = 16;

/// Why a secret was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pseudonym secret has {found} bytes, expected {SECRET_BYTES_MIN} or more")]
pub struct SecretError {
    found: usize,
}

/// Bytes of the seed of the state's keys.
pub const SEED_BYTES: usize = 16;

/// One secret and its number.
#[derive(Clone)]
struct Key {
    mac: Hmac<Sha256>,
    /// Which the pseudonym carries.
    number: u8,
}

impl Key {
    fn pseudonym(&self, kind: &str, normalised: &str) -> String {
        let mut mac = self.mac.clone();
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(normalised.as_bytes());
        format!("p{}_{}", self.number, short(&mac.finalize().into_bytes()))
    }
}

/// Makes pseudonyms and the seed of the state's keys out of one secret.
///
/// When the secret is changed, identifiers leave under the new one; the state's keys keep their seed, or nothing known
/// would be found again; and for a while scores are told under the name of before too.
#[derive(Clone)]
pub struct Pseudonymizer {
    key: Key,
    seed: [u8; SEED_BYTES],
    former: Option<Key>,
}

impl Pseudonymizer {
    /// From the secret with that number.
    ///
    /// # Errors
    /// [`SecretError`] when the secret is shorter than 16 bytes.
    pub fn new(secret: &[u8], key: u8) -> Result<Self, SecretError> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(SecretError { found: secret.len() });
        }
        let mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| SecretError { found: secret.len() })?;
        let mut of_seed = mac.clone();
        of_seed.update(b"keyed state\0");
        let mut seed = [0; SEED_BYTES];
        seed.iter_mut().zip(of_seed.finalize().into_bytes()).for_each(|(slot, byte)| *slot = byte);
        Ok(Self { key: Key { mac, number: key }, seed, former: None })
    }

    /// With the seed of another secret: of the one that the state's keys were first made with.
    #[must_use]
    pub fn with_seed(self, seed: [u8; SEED_BYTES]) -> Self {
        Self { seed, ..self }
    }

    /// The seed of the state's keys, which is as secret as the secret.
    pub fn seed(&self) -> [u8; SEED_BYTES] {
        self.seed
    }

    /// What tells the state's keys of one secret from another's: 16 hexadecimal digits, a keyed hash of a constant, which gives
    /// nothing of the secret away.
    pub fn keys_fingerprint(&self) -> String {
        format!("{:016x}", self.key_hasher().hash(&[b"fingerprint"]))
    }

    /// The same of the names: the pseudonym of nobody, of no kind.
    pub fn names_fingerprint(&self) -> String {
        self.key.pseudonym("fingerprint", "")
    }

    /// That also knows the names of before: those under the secret of `former`.
    #[must_use]
    pub fn after(self, former: &Self) -> Self {
        Self { former: Some(former.key.clone()), ..self }
    }

    /// Number of the secret, which the pseudonyms carry.
    pub fn number(&self) -> u8 {
        self.key.number
    }

    /// An identifier as it may leave: a pseudonym if its kind is personal or it is itself a phone or the like
    /// ([`EntityKind::hides`]), else as it is, normalised.
    pub fn leave(&self, kind: EntityKind, raw: &str) -> String {
        let normalised = kind.normalise(raw);
        if kind.hides(&normalised) { self.key.pseudonym(kind.name(), &normalised) } else { normalised.into_owned() }
    }

    /// An identifier that names no entity, as it may leave: an event's, its source, a payment's. What is itself a phone or
    /// the like leaves as the pseudonym of the kind `id`.
    pub fn leave_id<'a>(&self, raw: &'a str) -> Cow<'a, str> {
        if reads_as_personal(raw) { self.key.pseudonym("id", raw).into() } else { raw.into() }
    }

    /// The name of before, under which readers may still look for a personal identifier; `None` where there is none.
    pub fn leave_formerly(&self, kind: EntityKind, raw: &str) -> Option<String> {
        let normalised = kind.normalise(raw);
        let former = self.former.as_ref().filter(|_| kind.hides(&normalised))?;
        Some(former.pseudonym(kind.name(), &normalised))
    }

    /// The hasher for keys of keyed state: its seed is derived from a secret, so keys say nothing without it.
    pub(crate) fn key_hasher(&self) -> KeyHasher {
        KeyHasher::new(self.seed)
    }
}

impl std::fmt::Debug for Pseudonymizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pseudonymizer {{ key: {}, secret: [redacted] }}", self.key.number)
    }
}

/// The first 128 bits of a digest in 26 lower-case characters.
fn short(digest: &[u8]) -> String {
    BASE32_NOPAD.encode(digest.get(..16).unwrap_or(digest)).to_lowercase()
}

/// The id of the alert that `event` opens: a function of rule, entity and event alone, so that a replay makes it again.
pub(crate) fn alert_id(rule: &str, entity: &str, source: &str, event: &str) -> String {
    let mut hash = Sha256::new();
    for part in [rule, entity, source, event] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    format!("al_{}", short(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `python3 -c "import hmac,hashlib,base64; print(base64.b32encode(hmac.new(b'0123456789abcdef',
    /// b'phone\0+201000000042',hashlib.sha256).digest()[:16]).decode().lower().rstrip('='))"`.
    #[test]
    fn any_language_computes_the_same_pseudonym() {
        let pseudonymizer = Pseudonymizer::new(b"0123456789abcdef", 1).expect("long enough");
        assert_eq!(pseudonymizer.leave(EntityKind::Phone, "01000000042"), "p1_iqf6wulxc4yrfrrk77l3g4ks7u");
        assert_eq!(pseudonymizer.leave(EntityKind::User, "u_42"), "u_42");
    }

    /// The same sum over `user\0+201000000042` and `id\0a@b.eg`: an id is taken as it stands, so that two ids stay two.
    #[test]
    fn an_opaque_id_that_is_a_phone_leaves_as_a_pseudonym_of_its_own_kind() {
        let pseudonymizer = Pseudonymizer::new(b"0123456789abcdef", 1).expect("long enough");
        assert_eq!(pseudonymizer.leave(EntityKind::User, "+201000000042"), "p1_5gwpr7cpwuatoj6s57p62m3uza");
        assert_ne!(pseudonymizer.leave(EntityKind::User, "00201000000042"), "p1_5gwpr7cpwuatoj6s57p62m3uza");
        assert_eq!(pseudonymizer.leave_id("a@b.eg"), "p1_p3mzmdc4pu5usjcryopffgvvbi");
        assert_eq!(pseudonymizer.leave_id("01JD8Z6Q1V9G"), "01JD8Z6Q1V9G");
        for kind in EntityKind::ALL {
            assert_eq!(pseudonymizer.leave(kind, "+201000000042").starts_with("p1_"), !kind.is_coarse(), "{kind:?}");
        }
        assert_eq!(pseudonymizer.leave(EntityKind::PhonePrefix, "+201000000042"), "+20100000");
    }

    #[test]
    fn short_secrets_are_refused_and_none_is_shown() {
        assert_eq!(
            Pseudonymizer::new(b"short", 1).expect_err("too short").to_string(),
            "the pseudonym secret has 5 bytes, expected 16 or more"
        );
        let shown = format!("{:?}", Pseudonymizer::new(b"0123456789abcdef", 1).expect("long enough"));
        assert_eq!(shown, "Pseudonymizer { key: 1, secret: [redacted] }");
    }

    #[test]
    fn a_changed_secret_changes_names_and_not_the_state_and_knows_the_names_of_before() {
        let first = Pseudonymizer::new(b"0123456789abcdef", 1).expect("long enough");
        let alone = Pseudonymizer::new(b"fedcba9876543210", 2).expect("long enough");
        let second = alone.clone().with_seed(first.seed()).after(&first);
        let hash = |pseudonymizer: &Pseudonymizer| pseudonymizer.keys_fingerprint();
        assert_ne!(second.names_fingerprint(), first.names_fingerprint());
        assert_eq!(second.names_fingerprint(), alone.names_fingerprint());
        assert_eq!(hash(&second), hash(&first));
        assert_ne!(hash(&second), hash(&alone));
        let phone = EntityKind::Phone;
        assert_eq!(second.leave(phone, "01000000042"), alone.leave(phone, "01000000042"));
        assert!(second.leave(phone, "01000000042").starts_with("p2_"));
        assert_eq!(second.leave_formerly(phone, "01000000042"), Some(first.leave(phone, "+201000000042")));
        assert_eq!((second.leave_formerly(EntityKind::User, "u_42"), first.leave_formerly(phone, "01000000042")), (None, None));
    }

    #[test]
    fn alert_ids_tell_their_parts_apart() {
        assert_ne!(alert_id("a", "bc", "d", "e"), alert_id("ab", "c", "d", "e"));
        assert_eq!(alert_id("a", "b", "c", "d").len(), 3 + 26);
    }
}
