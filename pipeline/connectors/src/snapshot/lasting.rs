//! Parts that never change: closed stretches of state that snapshot after snapshot refers to, and that are not written again.
//!
//! ```text
//! snapshots/lasting/0/<name>   sealed with the key of the day on which it was written, bound to its place
//! snapshots/lasting/1/<name>   the other copy
//! ```
//!
//! Where two snapshots or more are kept, one refers to one copy and the next to the other, so that a file that is damaged takes one of
//! them and not both. A file is put in place whole before the manifest that refers to it, and removed when no manifest
//! does; what a crash leaves between is removed, or taken up, when the next snapshot is written.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::manifest::{Lasting, Manifest};
use super::{Contents, Error, SnapshotStore, Why};
use crate::seal::{Day, Kind, Nonce};

/// Copies that there are.
pub(super) const COPIES: u8 = 2;

/// Files that this process has written, or read and found whole: the copy and the name. Of these only the length is looked at again.
#[derive(Clone, Default)]
pub(super) struct Verified(Arc<Mutex<BTreeSet<(u8, String)>>>);

impl Verified {
    fn with<T>(&self, run: impl FnOnce(&mut BTreeSet<(u8, String)>) -> T) -> T {
        run(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether a lasting part may be called so: it is the name of a file.
pub(super) fn is_name(name: &str) -> bool {
    let is_of = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= 200 && name.bytes().all(is_of)
}

impl SnapshotStore {
    /// Writes the lasting parts that are not there, and names all of them in the manifest; the bytes written.
    pub(super) fn write_lasting(&self, manifest: &mut Manifest, contents: &impl Contents) -> Result<u64, Error> {
        let before: Vec<Manifest> = self.finished()?.into_iter().rev().filter_map(|position| self.manifest(position).ok()).collect();
        manifest.copy = match before.first() {
            Some(newest) if self.keep > 1 => (newest.copy + 1) % COPIES,
            Some(newest) => newest.copy,
            None => 0,
        };
        let copy = manifest.copy;
        let of_copy = before.iter().rev().filter(|manifest| manifest.copy == copy).flat_map(|manifest| &manifest.lasting);
        let known: BTreeMap<&str, &Lasting> = of_copy.map(|part| (part.name.as_str(), part)).collect();
        let mut written_bytes = 0;
        for name in contents.lasting() {
            if let Some(known) = known.get(name.as_str())
                && self.is_there(copy, known)
            {
                manifest.lasting.push(Lasting::clone(known));
                continue;
            }
            let path = self.lasting_path(copy, &name);
            let mut sealed = contents.lasting_part(&name);
            let day = Day::of_ms(manifest.written_ms);
            let done = self.keys.seal(day, nonce(copy, &name), bound(copy, &name).as_bytes(), &mut sealed);
            done.map_err(|source| Error::Seal { path: path.clone(), source })?;
            self.storage.replace(&path, &sealed).map_err(|source| Error::Io { what: "write", path, source })?;
            written_bytes += sealed.len() as u64;
            manifest.lasting.push(Lasting::of(&name, &sealed, manifest.written_ms));
            self.verified.with(|verified| verified.insert((copy, name)));
        }
        Ok(written_bytes)
    }

    /// Whether the file is what was written. One that is not is written anew.
    fn is_there(&self, copy: u8, part: &Lasting) -> bool {
        let path = self.lasting_path(copy, &part.name);
        let key = (copy, part.name.clone());
        if self.verified.with(|verified| verified.contains(&key)) {
            return self.storage.len(&path).is_ok_and(|bytes| bytes == part.bytes);
        }
        let is_whole = self.storage.read(&path).is_ok_and(|sealed| part.check(&path, &sealed).is_ok());
        if is_whole {
            self.verified.with(|verified| verified.insert(key));
        }
        is_whole
    }

    /// Whether all that a manifest refers to is what was written.
    pub(super) fn check_lasting(&self, manifest: &Manifest) -> Result<(), Why> {
        for part in &manifest.lasting {
            part.check(&bound(manifest.copy, &part.name), &self.read_lasting(manifest.copy, &part.name)?)?;
        }
        Ok(())
    }

    /// What was given as the lasting part `name` of that snapshot.
    pub(super) fn lasting_part(&self, manifest: &Manifest, name: &str) -> Result<Vec<u8>, Why> {
        let copy = manifest.copy;
        let Some(part) = manifest.lasting.iter().find(|part| part.name == name) else {
            return Err(Why::Torn { what: format!("its manifest names no lasting part {name:?}, which is asked for") });
        };
        let mut bytes = self.read_lasting(copy, name)?;
        part.check(&bound(copy, name), &bytes)?;
        let opened = self.keys.unseal(Day::of_ms(part.written_ms), nonce(copy, name), bound(copy, name).as_bytes(), &mut bytes);
        opened.map_err(|error| Why::Sealed { error })?;
        Ok(bytes)
    }

    /// Removes what no manifest refers to. Where one cannot be read that may be whole, nothing is removed.
    pub(super) fn remove_unreferenced(&self) -> Result<(), Error> {
        let mut named = BTreeSet::new();
        for position in self.finished()? {
            match self.manifest(position) {
                Ok(manifest) => named.extend(manifest.lasting.into_iter().map(|part| (manifest.copy, part.name))),
                Err(Why::Torn { .. } | Why::Foreign { .. }) => {}
                Err(_) => return Ok(()),
            }
        }
        for copy in 0..COPIES {
            let files = self.list(&format!("{}/lasting/{copy}", self.dir))?;
            // What is named otherwise is not ours.
            for name in files.into_iter().filter(|name| is_name(name) && !named.contains(&(copy, name.clone()))) {
                let path = self.lasting_path(copy, &name);
                self.storage.remove(&path).map_err(|source| Error::Io { what: "remove", path, source })?;
                self.verified.with(|verified| verified.remove(&(copy, name)));
            }
        }
        Ok(())
    }

    pub(super) fn lasting_path(&self, copy: u8, name: &str) -> String {
        format!("{}/{}", self.dir, bound(copy, name))
    }

    fn read_lasting(&self, copy: u8, name: &str) -> Result<Vec<u8>, Why> {
        self.storage.read(&self.lasting_path(copy, name)).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Why::Torn { what: format!("{} is missing", bound(copy, name)) },
            _ => Why::Unreadable { what: bound(copy, name), error: source },
        })
    }
}

/// Its place below the folder of the snapshots, which it is sealed to.
fn bound(copy: u8, name: &str) -> String {
    format!("lasting/{copy}/{name}")
}

/// By its place: what is written there again is the same text.
fn nonce(copy: u8, name: &str) -> Nonce {
    let hash = blake3::hash(bound(copy, name).as_bytes());
    let (half, _) = hash.as_bytes().split_first_chunk().expect("it has 32 bytes");
    Nonce::new(Kind::Lasting, u64::from_le_bytes(*half), 0)
}
