//! The pseudonym secrets of one data folder: the one in force, those before it, and the seed of the engine's state, which
//! was derived from the first of them and never changes.
//!
//! The file binds the folder to a secret and to its number. It is sealed under the secret in force alone, so that whoever
//! has that one can go through the whole log, whose older alerts carry older names.
//!
//! ```text
//! keys/secrets                little endian
//!   0  magic                  "RASIDSEC"
//!   8  version                u8, 1
//!   9  number                 u8, of the secret in force: readable without it
//!  10  check                  8 bytes of HMAC-SHA256(secret, "rasid day key check v1")
//!  18  nonce                  12 random bytes
//!  30  sealed                 postcard {seed, [(number, secret)] of those before, oldest first} and a tag of 16, under
//!                             HMAC-SHA256(secret, "rasid secrets wrap v1"), bound to all before the nonce
//!   …  checksum               XXH3-64 of all before it
//! ```
//!
//! A change of secret writes this file first, in one piece; day keys still wrapped under the secret before are read with
//! it until they are wrapped anew ([`super::Keyring::rewrap`]).

use std::io;
use std::sync::Arc;

use aes_gcm_siv::{AeadInOut as _, Aes256GcmSiv, KeyInit as _};
use rasid_engine::{Pseudonymizer, SEED_BYTES, SecretError};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;
use zeroize::Zeroizing;

use super::{CHECK_BYTES, Error, Fill, Keyring, NONCE_BYTES, check_of, derive};
use crate::log::Keys;
use crate::storage::Storage;

/// The file's name beside the day keys.
pub(super) const FILE: &str = "secrets";
const MAGIC: &[u8; 8] = b"RASIDSEC";
const VERSION: u8 = 1;
/// Magic, version, number and check: what the sealed part is bound to.
const HEAD_BYTES: usize = MAGIC.len() + 2 + CHECK_BYTES;
const WRAP: &[u8] = b"rasid secrets wrap v1";

/// What the configuration says.
#[derive(Clone)]
pub struct Given {
    /// The secret that is to be in force.
    pub secret: Zeroizing<Vec<u8>>,
    /// Its number.
    pub number: u8,
    /// The one before it and its number, as long as scores are to be told under its names too.
    pub former: Option<(u8, Zeroizing<Vec<u8>>)>,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Given {{ number: {}, secret: [redacted], former: {} }}", self.number, self.former.is_some())
    }
}

/// What opening did to the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: the folder was bound to this secret and number.
    None,
    /// It is bound from now on.
    Bound,
    /// Its secret was changed.
    Rotated {
        /// Number of the secret before.
        from: u8,
    },
}

/// The secrets of one data folder.
#[derive(Clone)]
pub struct Secrets {
    /// Oldest first; the last is in force. Never empty.
    numbered: Arc<Vec<Numbered>>,
    seed: [u8; SEED_BYTES],
    /// Number of the one before, where its names are to be told too.
    former: Option<u8>,
}

#[derive(Clone)]
struct Numbered {
    number: u8,
    secret: Zeroizing<Vec<u8>>,
}

/// The sealed part; `S` is a secret's bytes, lent or owned.
#[derive(Serialize, Deserialize)]
struct Sealed<S> {
    seed: [u8; SEED_BYTES],
    former: Vec<(u8, S)>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<u8> = self.numbered.iter().map(|numbered| numbered.number).collect();
        write!(f, "Secrets {{ numbers: {numbers:?}, secrets: [redacted] }}")
    }
}

impl Secrets {
    /// Those of the folder whose keys lie in `dir`, which is bound to what is given if it is not bound yet; where the
    /// secret given is a new one and the former is the folder's, the folder's secret is changed.
    ///
    /// # Errors
    /// [`Error::NotBound`], [`Error::OtherNumber`], [`Error::NumberTaken`], [`Error::FormerUnknown`], [`Error::OtherSecret`]
    /// when what is given is not what the folder has; what is wrong with the file or the disk. Nothing was changed.
    pub fn open(storage: &Arc<dyn Storage>, dir: &str, given: &Given, random: &Fill) -> Result<(Self, Change), Error> {
        let path = format!("{dir}/{FILE}");
        let Some(file) = read(&**storage, &path)? else {
            // Day keys may be there, of before there was this file; they tell another secret.
            Keyring::with_random(Arc::clone(storage), dir, &given.secret, Arc::clone(random))?;
            if given.former.is_some() {
                return Err(Error::FormerUnknown { path });
            }
            let first = Numbered { number: given.number, secret: given.secret.clone() };
            let seed = Pseudonymizer::new(&given.secret, given.number)?.seed();
            let bound = Self { numbered: Arc::new(vec![first]), seed, former: None };
            bound.write(&**storage, path, random)?;
            return Ok((bound, Change::Bound));
        };
        let head = Head::of(&file, &path)?;
        if head.check == check_of(&given.secret) {
            if head.number != given.number {
                return Err(Error::OtherNumber { path, folder: head.number, given: given.number });
            }
            let mut secrets = Self::unseal(&file, head, &given.secret, &path)?;
            secrets.former = match &given.former {
                None => None,
                Some((number, former)) => {
                    Some(secrets.before(former).filter(|known| known == number).ok_or(Error::FormerUnknown { path })?)
                }
            };
            return Ok((secrets, Change::None));
        }
        let Some((number, former)) = given.former.as_ref().filter(|(_, former)| check_of(former) == head.check) else {
            return Err(Error::NotBound { path, number: head.number });
        };
        if *number != head.number {
            return Err(Error::OtherNumber { path, folder: head.number, given: *number });
        }
        let before = Self::unseal(&file, head, former, &path)?;
        if before.numbered.iter().any(|numbered| numbered.number == given.number) {
            return Err(Error::NumberTaken { number: given.number });
        }
        Pseudonymizer::new(&given.secret, given.number)?;
        let mut numbered = before.numbered.to_vec();
        numbered.push(Numbered { number: given.number, secret: given.secret.clone() });
        let changed = Self { numbered: Arc::new(numbered), seed: before.seed, former: Some(head.number) };
        changed.write(&**storage, path, random)?;
        Ok((changed, Change::Rotated { from: head.number }))
    }

    /// Those of the folder, with its secret in force, for whoever only reads; `None` where it is not bound yet.
    ///
    /// # Errors
    /// [`Error::NotBound`] when it has another secret; what is wrong with the file or the disk.
    pub fn existing(storage: &dyn Storage, dir: &str, secret: &[u8]) -> Result<Option<Self>, Error> {
        let path = format!("{dir}/{FILE}");
        let Some(file) = read(storage, &path)? else { return Ok(None) };
        let head = Head::of(&file, &path)?;
        if head.check != check_of(secret) {
            return Err(Error::NotBound { path, number: head.number });
        }
        Self::unseal(&file, head, secret, &path).map(Some)
    }

    /// The number that the folder is bound to; `None` where it is not bound yet.
    ///
    /// # Errors
    /// What is wrong with the file or the disk.
    pub fn number(storage: &dyn Storage, dir: &str) -> Result<Option<u8>, Error> {
        let path = format!("{dir}/{FILE}");
        read(storage, &path)?.map(|file| Head::of(&file, &path).map(|head| head.number)).transpose()
    }

    /// The keys that the log is to go on under; `None` as long as the first secret was never changed.
    pub fn keys(&self) -> Option<Keys> {
        let (last, before) = self.numbered.split_last()?;
        (!before.is_empty()).then_some(Keys { number: last.number, former: self.former })
    }

    /// What makes names under each of them, oldest first, all with the seed of the state.
    ///
    /// # Errors
    /// [`Error::TooShort`]: none, as they were taken.
    pub fn pseudonymizers(&self) -> Result<Vec<Pseudonymizer>, Error> {
        let of = |numbered: &Numbered| Ok(Pseudonymizer::new(&numbered.secret, numbered.number)?.with_seed(self.seed));
        self.numbered.iter().map(of).collect()
    }

    /// Those before the one in force.
    pub(super) fn former(&self) -> impl Iterator<Item = &[u8]> {
        let before = self.numbered.split_last().map_or(&[][..], |(_, before)| before);
        before.iter().map(|numbered| numbered.secret.as_slice())
    }

    /// Number of the secret before the one in force, if it is this one.
    fn before(&self, secret: &[u8]) -> Option<u8> {
        let before = self.numbered.iter().rev().nth(1)?;
        (*before.secret == secret).then_some(before.number)
    }

    fn unseal(file: &[u8], head: Head, secret: &[u8], path: &str) -> Result<Self, Error> {
        let damaged = || Error::Damaged { path: path.to_owned() };
        let (bound, rest) = file.split_at_checked(HEAD_BYTES).ok_or_else(damaged)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
        let (sealed, _) = rest.split_last_chunk::<8>().ok_or_else(damaged)?;
        let mut plain = Zeroizing::new(sealed.to_vec());
        let opened = wrap(secret).decrypt_in_place(&(*nonce).into(), bound, &mut *plain);
        opened.map_err(|_| damaged())?;
        let Sealed::<Vec<u8>> { seed, former } = postcard::from_bytes(&plain).map_err(|_| damaged())?;
        let mut numbered: Vec<Numbered> =
            former.into_iter().map(|(number, secret)| Numbered { number, secret: Zeroizing::new(secret) }).collect();
        numbered.push(Numbered { number: head.number, secret: Zeroizing::new(secret.to_vec()) });
        Ok(Self { numbered: Arc::new(numbered), seed, former: None })
    }

    fn write(&self, storage: &dyn Storage, path: String, random: &Fill) -> Result<(), Error> {
        let damaged = || Error::Damaged { path: path.clone() };
        let (last, before) = self.numbered.split_last().ok_or_else(damaged)?;
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce).map_err(Error::Random)?;
        let mut file = Vec::new();
        file.extend_from_slice(MAGIC);
        file.extend([VERSION, last.number]);
        file.extend_from_slice(&check_of(&last.secret));
        let plain = Sealed { seed: self.seed, former: before.iter().map(|before| (before.number, before.secret.as_slice())).collect() };
        let mut sealed = Zeroizing::new(postcard::to_stdvec(&plain).map_err(|_| damaged())?);
        sealed.reserve_exact(super::TAG_BYTES);
        wrap(&last.secret).encrypt_in_place(&nonce.into(), &file, &mut *sealed).map_err(|_| damaged())?;
        file.extend_from_slice(&nonce);
        file.extend_from_slice(&sealed);
        file.extend_from_slice(&XxHash3_64::oneshot(&file).to_le_bytes());
        storage.replace(&path, &file).map_err(|source| Error::Storage { path, source })
    }
}

impl From<SecretError> for Error {
    fn from(error: SecretError) -> Self {
        Self::TooShort(error)
    }
}

/// What can be read of the file without a secret.
#[derive(Clone, Copy)]
struct Head {
    number: u8,
    check: [u8; CHECK_BYTES],
}

impl Head {
    fn of(file: &[u8], path: &str) -> Result<Self, Error> {
        let damaged = || Error::Damaged { path: path.to_owned() };
        let (magic, rest) = file.split_first_chunk().ok_or_else(damaged)?;
        let ([version, number], rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        if magic != MAGIC || *version == 0 {
            return Err(damaged());
        }
        if *version > VERSION {
            return Err(Error::Newer { path: path.to_owned(), version: *version });
        }
        let check = *rest.first_chunk().ok_or_else(damaged)?;
        let whole = file.split_last_chunk().is_some_and(|(body, sum)| XxHash3_64::oneshot(body).to_le_bytes() == *sum);
        if whole { Ok(Self { number: *number, check }) } else { Err(damaged()) }
    }
}

fn read(storage: &dyn Storage, path: &str) -> Result<Option<Vec<u8>>, Error> {
    match storage.read(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Storage { path: path.to_owned(), source }),
    }
}

fn wrap(secret: &[u8]) -> Aes256GcmSiv {
    Aes256GcmSiv::new(&(*derive(secret, WRAP)).into())
}

#[cfg(test)]
mod tests;
