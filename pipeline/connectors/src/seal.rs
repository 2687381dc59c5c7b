//! Sealing of what is raw: the log, the dead letters, the snapshots.
//!
//! Every UTC day of arrival has a key of its own, 32 random bytes; dropping it ends the retention of all that was sealed
//! on that day. On the disk a key is wrapped under one derived from the pseudonym secret, so a copy of the data folder
//! says nothing without the secret. Both are AES-256-GCM-SIV (RFC 8452), which keeps what it seals secret even where a
//! nonce comes twice, as it does when a torn tail is cut and written anew; then it only shows whether two texts are equal.
//!
//! ```text
//! keys/2026-11-22.key         85 bytes, little endian
//!   0  magic                  "RASIDKEY"
//!   8  version                u8, 1
//!   9  check                  8 bytes of HMAC-SHA256(secret, "rasid day key check v1"): another secret is told from damage
//!  17  nonce                  12 random bytes
//!  29  key                    32 bytes and a tag of 16, sealed under HMAC-SHA256(secret, "rasid day key wrap v1"),
//!                             bound to family and date
//!  77  checksum               XXH3-64 of all before it
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aes_gcm_siv::{AeadInOut as _, Aes256GcmSiv, KeyInit as _};
use hmac::{Hmac, Mac as _};
use rasid_detectors::event::time::{format_rfc3339, parse_rfc3339};
use sha2::Sha256;
use twox_hash::XxHash3_64;
use zeroize::Zeroizing;

use crate::Disposition;
use crate::storage::Storage;

mod secrets;

pub use secrets::{Change, Given, Secrets};

const MAGIC: &[u8; 8] = b"RASIDKEY";
const VERSION: u8 = 1;
const CHECK_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
const SEALED_KEY_BYTES: usize = KEY_BYTES + TAG_BYTES;
const KEY_BYTES: usize = 32;
/// What sealing adds to the length, bytes.
pub const TAG_BYTES: usize = 16;
const DAY_MS: i64 = 86_400_000;

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A key file cannot be read or written.
    #[error("cannot use the day key {path}")]
    Storage {
        /// The file.
        path: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The system gives no random bytes for a new key.
    #[error("no random bytes for a new day key")]
    Random(#[source] io::Error),
    /// The secret is not the one the key was wrapped under.
    #[error("{path} is sealed under another secret; give the pseudonym secret that this data folder was made with")]
    OtherSecret {
        /// The file.
        path: String,
    },
    /// The folder is bound to another secret.
    #[error(
        "{path} is bound to another secret, whose number is {number}; give that one, or give it as the former secret beside a new one to change it (docs/operations.md, Secrets)"
    )]
    NotBound {
        /// The file.
        path: String,
        /// The number of its secret.
        number: u8,
    },
    /// The folder is bound to this secret under another number.
    #[error(
        "the pseudonyms of this data folder carry number {folder}, and number {given} was given for the same secret ({path}): with it every alert would come out otherwise when the log is gone through again, and scores would stay in Redis under names that nobody writes any more; give {folder}, or see docs/operations.md, Secrets, for how to change the secret"
    )]
    OtherNumber {
        /// The file.
        path: String,
        /// The folder's.
        folder: u8,
        /// The one that was given.
        given: u8,
    },
    /// A new secret cannot have the number of one before.
    #[error("number {number} belongs to another secret of this data folder; give the new one a number of its own")]
    NumberTaken {
        /// The number.
        number: u8,
    },
    /// The former secret is none that the folder knows.
    #[error("the former secret that was given is not the one that this data folder had before its present one ({path})")]
    FormerUnknown {
        /// The file.
        path: String,
    },
    /// A secret that is too short.
    #[error(transparent)]
    TooShort(rasid_engine::SecretError),
    /// A key file is not whole.
    #[error("{path} is damaged or is no day key")]
    Damaged {
        /// The file.
        path: String,
    },
    /// A key file was written by a newer version.
    #[error("{path} has format version {version}, this version reads {VERSION}: it was written by a newer rasid")]
    Newer {
        /// The file.
        path: String,
        /// Its version.
        version: u8,
    },
    /// The key is gone, and with it all that was sealed on that day.
    #[error("retention ended: the key of {day} is gone")]
    RetentionEnded {
        /// The day.
        day: Day,
    },
    /// The key does not open it: it was changed, or it belongs elsewhere.
    #[error("what was sealed with the key of {day} is damaged, or was moved here from another place")]
    Unauthentic {
        /// The day.
        day: Day,
    },
}

impl Error {
    /// Whether what was given is wrong, and not what was found.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::OtherSecret { .. }
                | Self::NotBound { .. }
                | Self::OtherNumber { .. }
                | Self::NumberTaken { .. }
                | Self::FormerUnknown { .. }
                | Self::TooShort(_)
        )
    }

    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Storage { source, .. } | Self::Random(source) => crate::error::of_io(source),
            _ => Disposition::Halt,
        }
    }
}

/// A UTC day, as days since 1970-01-01. Shown as `2026-11-22`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Day {
    /// The day of an instant, Unix ms.
    pub fn of_ms(ms: i64) -> Self {
        Self(i32::try_from(ms.div_euclid(DAY_MS)).unwrap_or(if ms < 0 { i32::MIN } else { i32::MAX }))
    }

    /// The first instant after it, Unix ms.
    pub fn end_ms(self) -> i64 {
        (i64::from(self.0) + 1) * DAY_MS
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = format_rfc3339(i64::from(self.0) * DAY_MS);
        f.write_str(instant.split('T').next().unwrap_or(&instant))
    }
}

impl FromStr for Day {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        parse_rfc3339(&format!("{text}T00:00:00Z")).map(Self::of_ms).ok_or(())
    }
}

/// What a sealed text is, the first byte of its nonce: two kinds at one position never share a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The header of a segment.
    Header = 1,
    /// A block of a segment.
    Block = 2,
    /// A part of a snapshot.
    Snapshot = 3,
    /// A part that several snapshots share.
    Lasting = 4,
}

/// The 96-bit nonce: kind, part, position. Under one day key a nonce should name one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce([u8; NONCE_BYTES]);

impl Nonce {
    /// Of the text of that kind at that log position; `part` counts those of one position.
    pub fn new(kind: Kind, position: u64, part: u16) -> Self {
        let mut nonce = [0; NONCE_BYTES];
        let fields = [kind as u8].into_iter().chain(part.to_le_bytes()).chain([0]).chain(position.to_le_bytes());
        nonce.iter_mut().zip(fields).for_each(|(slot, byte)| *slot = byte);
        Self(nonce)
    }
}

/// Where random bytes for new keys come from.
pub type Fill = Arc<dyn Fn(&mut [u8]) -> io::Result<()> + Send + Sync>;

/// The system's.
pub fn system_random() -> Fill {
    Arc::new(|bytes| getrandom::fill(bytes).map_err(|error| io::Error::other(error.to_string())))
}

/// The day keys of one data folder. Clones share what they have read.
#[derive(Clone)]
pub struct Keyring {
    shared: Arc<Shared>,
    family: Arc<Family>,
}

struct Shared {
    storage: Arc<dyn Storage>,
    wrap: Wrap,
    /// Under secrets of before, which keys may still be wrapped under.
    former: Vec<Wrap>,
    random: Fill,
}

/// What wraps day keys: one secret's.
struct Wrap {
    cipher: Aes256GcmSiv,
    check: [u8; CHECK_BYTES],
}

impl Wrap {
    fn of(secret: &[u8]) -> Self {
        Self { cipher: Aes256GcmSiv::new(&(*derive(secret, b"rasid day key wrap v1")).into()), check: check_of(secret) }
    }
}

struct Family {
    name: String,
    dir: String,
    /// Keys that were read or made.
    known: Mutex<BTreeMap<Day, Arc<Aes256GcmSiv>>>,
}

impl Keyring {
    /// The keys in `dir`. A key that is there already is tried, so that a wrong secret is told at the start.
    ///
    /// # Errors
    /// [`Error::OtherSecret`], or what is wrong with the newest key file.
    pub fn open(storage: Arc<dyn Storage>, dir: &str, secret: &[u8]) -> Result<Self, Error> {
        Self::with_random(storage, dir, secret, system_random())
    }

    /// As [`Keyring::open`], with new keys from `random`; for the simulation, in which one seed gives one run.
    ///
    /// # Errors
    /// As [`Keyring::open`].
    pub fn with_random(storage: Arc<dyn Storage>, dir: &str, secret: &[u8], random: Fill) -> Result<Self, Error> {
        let keyring = Self::with_secret(storage, dir, secret, random)?;
        if let Some(newest) = keyring.days()?.last() {
            keyring.key(*newest, false)?;
        }
        Ok(keyring)
    }

    fn with_secret(storage: Arc<dyn Storage>, dir: &str, secret: &[u8], random: Fill) -> Result<Self, Error> {
        let bound = Secrets::existing(&*storage, dir, secret)?;
        let former = bound.iter().flat_map(Secrets::former).map(Wrap::of).collect();
        let wrap = Wrap::of(secret);
        let family = Arc::new(Family { name: String::new(), dir: dir.to_owned(), known: Mutex::default() });
        Ok(Self { shared: Arc::new(Shared { storage, wrap, former, random }), family })
    }

    /// The keys in `dir`, none of which is tried: for whoever looks for damaged ones.
    ///
    /// # Errors
    /// [`Error::OtherSecret`], or what is wrong with the file that names the secrets.
    pub fn untried(storage: Arc<dyn Storage>, dir: &str, secret: &[u8]) -> Result<Self, Error> {
        Self::with_secret(storage, dir, secret, system_random())
    }

    /// Files of keys that cannot be used any more.
    ///
    /// # Errors
    /// [`Error::OtherSecret`], [`Error::Newer`], [`Error::Storage`].
    pub fn damaged(&self) -> Result<Vec<String>, Error> {
        let mut damaged = Vec::new();
        for day in self.days()? {
            match self.key(day, false) {
                Ok(_) | Err(Error::RetentionEnded { .. }) => {}
                Err(Error::Damaged { path }) => damaged.push(path),
                Err(error) => return Err(error),
            }
        }
        Ok(damaged)
    }

    /// Keys of their own in the folder `name` below, under the same secret: for what is kept longer or shorter than the
    /// log. Whoever seals with a family drops its keys, by [`Keyring::forget_before`]; the log drops its own alone.
    #[must_use]
    pub fn family(&self, name: &str) -> Self {
        let dir = format!("{}/{name}", self.family.dir);
        let family = Family { name: name.to_owned(), dir, known: Mutex::default() };
        Self { shared: Arc::clone(&self.shared), family: Arc::new(family) }
    }

    /// Seals `buffer` in place with the key of `day`, made if there is none; it grows by [`TAG_BYTES`]. `bound` is not
    /// sealed but must be the same to open it.
    ///
    /// # Errors
    /// What is wrong with the day's key.
    pub fn seal(&self, day: Day, nonce: Nonce, bound: &[u8], buffer: &mut Vec<u8>) -> Result<(), Error> {
        let sealed = self.key(day, true)?.encrypt_in_place(&nonce.0.into(), bound, buffer);
        sealed.map_err(|_| Error::Unauthentic { day })
    }

    /// Opens `buffer` in place. After an error its content means nothing.
    ///
    /// # Errors
    /// [`Error::RetentionEnded`] when the day's key is gone, [`Error::Unauthentic`] when it does not fit.
    pub fn unseal(&self, day: Day, nonce: Nonce, bound: &[u8], buffer: &mut Vec<u8>) -> Result<(), Error> {
        let opened = self.key(day, false)?.decrypt_in_place(&nonce.0.into(), bound, buffer);
        opened.map_err(|_| Error::Unauthentic { day })
    }

    /// The days that have a key, oldest first.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn days(&self) -> Result<Vec<Day>, Error> {
        let storage = |source| Error::Storage { path: self.family.dir.clone(), source };
        let names = self.shared.storage.list(&self.family.dir).map_err(storage)?;
        let mut days: Vec<Day> = names.iter().filter_map(|name| name.strip_suffix(".key")?.parse().ok()).collect();
        days.sort_unstable();
        Ok(days)
    }

    /// Drops the keys of all days before `day`, durably: what was sealed on them can never be read again. How many.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn forget_before(&self, day: Day) -> Result<usize, Error> {
        let mut forgotten = 0;
        for old in self.days()?.into_iter().filter(|old| *old < day) {
            let path = self.path(old);
            self.shared.storage.remove(&path).map_err(|source| Error::Storage { path, source })?;
            self.known().remove(&old);
            forgotten += 1;
        }
        Ok(forgotten)
    }

    fn path(&self, day: Day) -> String {
        format!("{}/{day}.key", self.family.dir)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Day, Arc<Aes256GcmSiv>>> {
        self.family.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, day: Day, make: bool) -> Result<Arc<Aes256GcmSiv>, Error> {
        let mut known = self.known();
        if let Some(key) = known.get(&day) {
            return Ok(Arc::clone(key));
        }
        let path = self.path(day);
        let key = match self.shared.storage.read(&path) {
            Ok(file) => {
                let (key, _) = self.unwrap(&file, day, &path)?;
                Aes256GcmSiv::new_from_slice(&key).map_err(|_| Error::Damaged { path })?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && make => self.make(day, path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::RetentionEnded { day }),
            Err(source) => return Err(Error::Storage { path, source }),
        };
        let key = Arc::new(key);
        known.insert(day, Arc::clone(&key));
        Ok(key)
    }

    /// A new key, durable before anything is sealed with it.
    fn make(&self, day: Day, path: String) -> Result<Aes256GcmSiv, Error> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        (self.shared.random)(&mut *key).map_err(Error::Random)?;
        self.put(&*key, day, path)?;
        Ok(Aes256GcmSiv::new(&(*key).into()))
    }

    /// Wraps a key and puts its file in place.
    fn put(&self, key: &[u8], day: Day, path: String) -> Result<(), Error> {
        let Shared { storage, wrap, random, .. } = &*self.shared;
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce).map_err(Error::Random)?;
        // Room for the tag, so that sealing in place leaves no copy of the bare key behind.
        let mut wrapped = Vec::with_capacity(SEALED_KEY_BYTES);
        wrapped.extend_from_slice(key);
        let sealed = wrap.cipher.encrypt_in_place(&nonce.into(), &self.bound(day), &mut wrapped);
        sealed.map_err(|_| Error::Damaged { path: path.clone() })?;
        let mut file = Vec::new();
        file.extend_from_slice(MAGIC);
        file.push(VERSION);
        file.extend_from_slice(&wrap.check);
        file.extend_from_slice(&nonce);
        file.extend_from_slice(&wrapped);
        file.extend_from_slice(&XxHash3_64::oneshot(&file).to_le_bytes());
        storage.replace(&path, &file).map_err(|source| Error::Storage { path, source })
    }

    /// Wraps every key that is still wrapped under a secret of before under the one in force, in all families; how many.
    /// If it is cut short, the rest is read as before and wrapped the next time.
    ///
    /// # Errors
    /// What is wrong with a key's file, or with the disk.
    pub fn rewrap(&self) -> Result<usize, Error> {
        let dir = &self.family.dir;
        let names = self.shared.storage.list(dir).map_err(|source| Error::Storage { path: dir.clone(), source })?;
        let families =
            names.iter().filter(|name| name.strip_suffix(".key").is_none() && *name != secrets::FILE).map(|name| self.family(name));
        let mut count = 0;
        for family in std::iter::once(self.clone()).chain(families) {
            for day in family.days()? {
                let path = family.path(day);
                let file = self.shared.storage.read(&path).map_err(|source| Error::Storage { path: path.clone(), source })?;
                let (key, formerly) = family.unwrap(&file, day, &path)?;
                if formerly {
                    family.put(&key, day, path)?;
                    count += 1;
                }
            }
        }
        Ok(count)
    }

    /// The key in a file, and whether it is wrapped under a secret of before.
    fn unwrap(&self, file: &[u8], day: Day, path: &str) -> Result<(Zeroizing<Vec<u8>>, bool), Error> {
        let damaged = || Error::Damaged { path: path.to_owned() };
        let Some((MAGIC, rest)) = file.split_first_chunk() else { return Err(damaged()) };
        match rest.first() {
            Some(&VERSION) => {}
            Some(&version) if version > VERSION => return Err(Error::Newer { path: path.to_owned(), version }),
            _ => return Err(damaged()),
        }
        let fields = file.split_last_chunk().filter(|(body, sum)| XxHash3_64::oneshot(body).to_le_bytes() == **sum);
        let fields = fields.and_then(|(body, _)| body.get(MAGIC.len() + 1..)?.split_first_chunk::<CHECK_BYTES>());
        let Some((check, rest)) = fields else { return Err(damaged()) };
        let formerly = *check != self.shared.wrap.check;
        let wrap = if formerly { self.shared.former.iter().find(|wrap| wrap.check == *check) } else { Some(&self.shared.wrap) };
        let Some(wrap) = wrap else { return Err(Error::OtherSecret { path: path.to_owned() }) };
        let Some((nonce, wrapped)) = rest.split_first_chunk::<NONCE_BYTES>() else { return Err(damaged()) };
        let mut key = Zeroizing::new(wrapped.to_vec());
        let opened = wrap.cipher.decrypt_in_place(&(*nonce).into(), &self.bound(day), &mut *key);
        if opened.is_err() || key.len() != KEY_BYTES {
            return Err(damaged());
        }
        Ok((key, formerly))
    }

    /// What a wrapped key is bound to: a key file put in another's place does not open.
    fn bound(&self, day: Day) -> Vec<u8> {
        format!("{}\0{day}", self.family.name).into_bytes()
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring {{ dir: {:?}, keys: [redacted] }}", self.family.dir)
    }
}

/// By which another secret is told from damage.
fn check_of(secret: &[u8]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    check.iter_mut().zip(*derive(secret, b"rasid day key check v1")).for_each(|(slot, byte)| *slot = byte);
    check
}

fn derive(secret: &[u8], purpose: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(purpose);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests;
