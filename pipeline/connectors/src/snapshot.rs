//! Snapshots on disk: all of the engine's state at one log position, to begin a replay from.
//!
//! ```text
//! snapshots/00000000000000048213/part-000 … part-015   sealed, one chunk a file
//! snapshots/00000000000000048213/manifest.json         put last: without it the snapshot does not exist
//! snapshots/lasting/0/…, snapshots/lasting/1/…         parts that never change, written once and referred to by many
//! ```
//!
//! The manifest names position, ruleset, engine, settings, and length and BLAKE3 of every part, also of the lasting ones;
//! it holds nothing personal. Parts are sealed with the key of the day, bound to the manifest's head and to their place in it, so a part of
//! another snapshot never passes for one of this. A snapshot that cannot be used is refused with the reason, and the one
//! before it is taken.

use std::io;
use std::sync::Arc;

use crate::log::Settings;
use crate::seal::{Day, Keyring, Kind, Nonce};
use crate::storage::Storage;

mod error;
mod lasting;
mod manifest;
#[cfg(test)]
mod tests;
mod version;

pub use error::{Error, Refused, Why};
use lasting::Verified;
use manifest::{Manifest, Part};

const MANIFEST: &str = "manifest.json";
/// The keys of snapshots are kept as long as the snapshots, whatever becomes of the log's.
const KEYS: &str = "snapshots";

/// What a snapshot is made of.
pub trait Contents {
    /// How many parts it has of its own.
    fn parts(&self) -> usize;

    /// The bytes of one of them.
    fn part(&self, number: usize) -> Vec<u8>;

    /// Names of the lasting parts: of letters, digits and hyphens, and the same name the same bytes for ever.
    fn lasting(&self) -> Vec<String>;

    /// The bytes of one of them.
    fn lasting_part(&self, name: &str) -> Vec<u8>;
}

impl Contents for rasid_engine::Snapshot {
    fn parts(&self) -> usize {
        Self::PARTS
    }

    fn part(&self, number: usize) -> Vec<u8> {
        self.write(number)
    }

    fn lasting(&self) -> Vec<String> {
        Self::lasting(self).map(str::to_owned).collect()
    }

    fn lasting_part(&self, name: &str) -> Vec<u8> {
        self.write_lasting(name).expect("it names it")
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its position.
    pub position: u64,
    /// Bytes on disk, the lasting parts that it refers to with them.
    pub bytes: u64,
    /// Bytes written for it: without the lasting parts that were there.
    pub written_bytes: u64,
    /// Whether it was there already, whole; then nothing was written.
    pub already: bool,
    /// Positions of the snapshots dropped because newer ones are there.
    pub dropped: Vec<u64>,
}

/// A whole snapshot.
#[derive(Clone)]
pub struct Found {
    store: SnapshotStore,
    manifest: Manifest,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Found").field(&self.manifest).finish()
    }
}

impl Found {
    /// The log position it stands at: the replay begins after it.
    pub fn position(&self) -> u64 {
        self.manifest.position
    }

    /// Hash of the ruleset in force there.
    pub fn ruleset(&self) -> &str {
        &self.manifest.ruleset
    }

    /// Version of the engine that wrote it.
    pub fn engine(&self) -> &str {
        &self.manifest.engine
    }

    /// The settings in force there.
    pub fn settings(&self) -> &Settings {
        &self.manifest.settings
    }

    /// When it was written, Unix ms.
    pub fn written_ms(&self) -> i64 {
        self.manifest.written_ms
    }

    /// How many parts it has.
    pub fn parts(&self) -> usize {
        self.manifest.parts.len()
    }

    /// Bytes on disk, the manifest apart.
    pub fn bytes(&self) -> u64 {
        self.manifest.bytes()
    }

    /// What was given as the lasting part of that name.
    pub fn lasting(&self, called: &str) -> Result<Vec<u8>, Error> {
        let part = self.store.lasting_part(&self.manifest, called);
        part.map_err(|why| Error::Part { name: name(self.manifest.position), why })
    }

    /// What was given as part `number`.
    pub fn part(&self, number: usize) -> Result<Vec<u8>, Error> {
        let part = self.store.part(&self.manifest, number);
        part.map_err(|why| Error::Part { name: name(self.manifest.position), why })
    }
}

/// The snapshots in one folder. Clones are the same folder.
#[derive(Clone)]
pub struct SnapshotStore {
    storage: Arc<dyn Storage>,
    dir: String,
    keys: Keyring,
    engine: String,
    keep: usize,
    verified: Verified,
}

impl std::fmt::Debug for SnapshotStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { dir, engine, keep, .. } = self;
        f.debug_struct("SnapshotStore").field("dir", dir).field("engine", engine).field("keep", keep).finish_non_exhaustive()
    }
}

impl SnapshotStore {
    /// The snapshots in `dir`, of which the newest `keep` are kept (1 at least), for the engine of version `engine`. They
    /// are sealed with a family of keys of their own, dropped with the last snapshot of their day.
    pub fn open(storage: Arc<dyn Storage>, dir: &str, keys: &Keyring, engine: &str, keep: usize) -> Self {
        Self {
            storage,
            dir: dir.to_owned(),
            keys: keys.family(KEYS),
            engine: engine.to_owned(),
            keep: keep.max(1),
            verified: Verified::default(),
        }
    }

    /// Writes the snapshot of `position`, durably, then drops those that are older than the newest `keep`, and the lasting
    /// parts that none refers to any more. If it fails, or the process ends before it returns, the snapshots that were there still are.
    pub fn write(
        &self,
        position: u64,
        ruleset: &str,
        settings: &Settings,
        contents: &impl Contents,
        now_ms: i64,
    ) -> Result<Written, Error> {
        self.remove_unfinished()?;
        if self.has_manifest(position)? {
            match self.examine(position) {
                Ok(found) if found.ruleset == ruleset && found.settings == *settings => {
                    return Ok(Written { position, bytes: found.bytes(), written_bytes: 0, already: true, dropped: self.drop_old()? });
                }
                _ => self.remove(position)?,
            }
        }
        let mut manifest = Manifest::head(position, ruleset, &self.engine, settings, now_ms);
        let lasting_bytes = match self.write_parts(&mut manifest, contents) {
            Ok(lasting_bytes) => lasting_bytes,
            Err(error) => {
                // What is there of it takes up room that may be what was missing.
                if let Err(also) = self.remove_folder(position).and_then(|()| self.remove_unreferenced()) {
                    tracing::warn!(position, error = %also, "snapshot: unfinished folder stays until the next one is written");
                }
                return Err(error);
            }
        };
        let written_bytes = lasting_bytes + manifest.parts.iter().map(|part| part.bytes).sum::<u64>();
        Ok(Written { position, bytes: manifest.bytes(), written_bytes, already: false, dropped: self.drop_old()? })
    }

    /// Writes what is not there yet, the manifest last; the bytes of new lasting parts.
    fn write_parts(&self, manifest: &mut Manifest, contents: &impl Contents) -> Result<u64, Error> {
        let (lasting_bytes, parts) = (self.write_lasting(manifest, contents)?, contents.parts());
        let head = manifest.clone();
        for number in 0..parts {
            let path = self.path(manifest.position, &part_name(number));
            let mut sealed = contents.part(number);
            let nonce = Nonce::new(Kind::Snapshot, head.position, place(number));
            let done = self.keys.seal(head.day(), nonce, &head.bound(parts, number), &mut sealed);
            done.map_err(|source| Error::Seal { path: path.clone(), source })?;
            let written = self.storage.append(&path).and_then(|mut file| file.append(&sealed).and_then(|()| file.sync()));
            written.map_err(|source| Error::Io { what: "write", path, source })?;
            manifest.parts.push(Part::of(number, &sealed));
        }
        let path = self.path(manifest.position, MANIFEST);
        self.storage.replace(&path, &manifest.sealed()).map_err(|source| Error::Io { what: "write", path, source })?;
        Ok(lasting_bytes)
    }

    /// The newest whole snapshot that this engine reads, and why each newer one is refused.
    pub fn newest(&self) -> Result<(Option<Found>, Vec<Refused>), Error> {
        self.newest_before(u64::MAX)
    }

    /// The same among those before `position`: what to take when the engine would not have the newest.
    pub fn newest_before(&self, position: u64) -> Result<(Option<Found>, Vec<Refused>), Error> {
        let mut refused = Vec::new();
        for position in self.finished()?.into_iter().rev().filter(|found| *found < position) {
            match self.examine(position) {
                Ok(manifest) => return Ok((Some(Found { store: self.clone(), manifest }), refused)),
                Err(why) => refused.push(Refused { name: name(position), why }),
            }
        }
        Ok((None, refused))
    }

    /// Every snapshot that was finished, oldest first: what it is, or why it cannot be used.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn each(&self) -> Result<Vec<Result<Found, Refused>>, Error> {
        let looked = |position| match self.examine(position) {
            Ok(manifest) => Ok(Found { store: self.clone(), manifest }),
            Err(why) => Err(Refused { name: name(position), why }),
        };
        Ok(self.finished()?.into_iter().map(looked).collect())
    }

    /// Position of the oldest snapshot that a start could fall back to: the log after it, and the alerts' hashes, are
    /// still needed.
    pub fn oldest_position(&self) -> Result<Option<u64>, Error> {
        Ok(self.finished()?.first().copied())
    }

    /// Whether the snapshot is whole and ours: its manifest, or why not.
    fn examine(&self, position: u64) -> Result<Manifest, Why> {
        let manifest = self.manifest(position)?;
        version::not_newer(&manifest.engine, &self.engine)?;
        for (number, part) in manifest.parts.iter().enumerate() {
            part.check(&self.read(position, &part.name)?)?;
            if number == 0 {
                self.part(&manifest, 0)?;
            }
        }
        self.check_lasting(&manifest)?;
        Ok(manifest)
    }

    fn manifest(&self, position: u64) -> Result<Manifest, Why> {
        Manifest::read(&self.read(position, MANIFEST)?, position)
    }

    fn part(&self, manifest: &Manifest, number: usize) -> Result<Vec<u8>, Why> {
        let Some(part) = manifest.parts.get(number) else {
            return Err(Why::Torn { what: format!("it has {} parts, and part {number} is asked for", manifest.parts.len()) });
        };
        let mut bytes = self.read(manifest.position, &part.name)?;
        part.check(&bytes)?;
        let nonce = Nonce::new(Kind::Snapshot, manifest.position, place(number));
        let bound = manifest.clone().into_head().bound(manifest.parts.len(), number);
        self.keys.unseal(manifest.day(), nonce, &bound, &mut bytes).map_err(|error| Why::Sealed { error })?;
        Ok(bytes)
    }

    fn read(&self, position: u64, file: &str) -> Result<Vec<u8>, Why> {
        self.storage.read(&self.path(position, file)).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Why::Torn { what: format!("{file} is missing") },
            _ => Why::Unreadable { what: file.to_owned(), error: source },
        })
    }

    /// Drops what is older than the newest `keep`, and the keys that nothing left was sealed with. Those of which a file is missing or cut do not count.
    fn drop_old(&self) -> Result<Vec<u64>, Error> {
        let (mut kept, mut dropped) = (0, Vec::new());
        for position in self.finished()?.into_iter().rev() {
            if kept == self.keep {
                self.remove(position)?;
                dropped.push(position);
            } else if self.has_every_byte(position) {
                kept += 1;
            }
        }
        self.remove_unreferenced()?;
        let days = self.finished()?.into_iter().filter_map(|position| Some(self.manifest(position).ok()?.oldest_day()));
        if let Some(oldest) = days.min() {
            self.keys.forget_before(oldest).map_err(Error::Keys)?;
        }
        Ok(dropped)
    }

    fn has_every_byte(&self, position: u64) -> bool {
        let Ok(manifest) = self.manifest(position) else { return false };
        let has = |path: &str, bytes| self.storage.len(path).is_ok_and(|found| found == bytes);
        manifest.parts.iter().all(|part| has(&self.path(position, &part.name), part.bytes))
            && manifest.lasting.iter().all(|part| has(&self.lasting_path(manifest.copy, &part.name), part.bytes))
    }

    fn remove_unfinished(&self) -> Result<(), Error> {
        for position in self.positions()? {
            if !self.has_manifest(position)? {
                self.remove_folder(position)?;
            }
        }
        Ok(())
    }

    /// The manifest first: what is left if that is cut short does not exist.
    fn remove(&self, position: u64) -> Result<(), Error> {
        let path = self.path(position, MANIFEST);
        self.storage.remove(&path).map_err(|source| Error::Io { what: "remove", path, source })?;
        self.remove_folder(position)
    }

    fn remove_folder(&self, position: u64) -> Result<(), Error> {
        let path = format!("{}/{}", self.dir, name(position));
        match self.storage.remove_dir(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Io { what: "remove", path, source }),
            _ => Ok(()),
        }
    }

    /// Positions that have a manifest, oldest first.
    fn finished(&self) -> Result<Vec<u64>, Error> {
        let mut finished = Vec::new();
        for position in self.positions()? {
            if self.has_manifest(position)? {
                finished.push(position);
            }
        }
        Ok(finished)
    }

    fn has_manifest(&self, position: u64) -> Result<bool, Error> {
        Ok(self.list(&format!("{}/{}", self.dir, name(position)))?.iter().any(|file| file == MANIFEST))
    }

    /// Positions that have a folder, oldest first. What is named otherwise is not ours to read or remove.
    fn positions(&self) -> Result<Vec<u64>, Error> {
        let names = self.list(&self.dir)?;
        let mut positions: Vec<u64> =
            names.iter().filter_map(|found| found.parse().ok().filter(|position| name(*position) == *found)).collect();
        positions.sort_unstable();
        Ok(positions)
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, Error> {
        self.storage.list(dir).map_err(|source| Error::Io { what: "read", path: dir.to_owned(), source })
    }

    fn path(&self, position: u64, file: &str) -> String {
        format!("{}/{}/{file}", self.dir, name(position))
    }
}

fn name(position: u64) -> String {
    format!("{position:020}")
}

fn part_name(number: usize) -> String {
    format!("part-{number:03}")
}

/// The part's number in its nonce. Two that share one are bound to other places, and the cipher bears a nonce twice.
fn place(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}
