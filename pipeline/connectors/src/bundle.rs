//! Rulesets on disk, by hash: what the log and the snapshots name is kept as files that make the same ruleset again.
//!
//! ```text
//! rulesets/9b1f….json    {"ruleset": "sha256:9b1f…", "engine": "0.3.0", "files": [{"name": "auth/otp_flood.yaml", "text": "…"}]}
//! ```

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use rasid_compiler::ruleset::Ruleset;
use rasid_compiler::{Report, SourceFile};
use serde::{Deserialize, Serialize};

use crate::Disposition;
use crate::storage::Storage;

#[cfg(test)]
mod tests;

const PREFIX: &str = "sha256:";
const SUFFIX: &str = ".json";

/// Why a ruleset could not be kept or found again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk.
    #[error("cannot {what} {path}")]
    Io {
        /// `read`, `write` or `remove`.
        what: &'static str,
        /// The file or folder.
        path: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// What was asked for is no ruleset's hash.
    #[error("{hash:?} is no ruleset: one is named sha256: and 64 hex digits")]
    NoHash {
        /// What was asked for.
        hash: String,
    },
    /// The ruleset is not kept.
    #[error("ruleset {hash} is not kept: there is no {path}")]
    Missing {
        /// Its hash.
        hash: String,
        /// Where it would be.
        path: String,
    },
    /// The file is not a bundle.
    #[error("{path} is no bundle of rule files")]
    NotBundle {
        /// The file.
        path: String,
        /// The parser's answer.
        #[source]
        source: serde_json::Error,
    },
    /// The files are not those of the ruleset.
    #[error("{path} does not hold ruleset {hash}: its files make {found}")]
    Mismatch {
        /// The file.
        path: String,
        /// What was asked for.
        hash: String,
        /// What it holds.
        found: String,
    },
    /// The files no longer compile.
    #[error("ruleset {hash}, written by engine {engine}, does not compile with this one: {report}")]
    Faults {
        /// Its hash.
        hash: String,
        /// Who wrote it.
        engine: String,
        /// What is wrong with it now.
        report: Box<Report>,
    },
}

impl Error {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Io { what: "write" | "remove", .. } => Disposition::Retry,
            _ => Disposition::Halt,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Bundle {
    ruleset: String,
    engine: String,
    files: Vec<BundledFile>,
}

#[derive(PartialEq, Serialize, Deserialize)]
struct BundledFile {
    name: String,
    text: String,
}

impl Bundle {
    fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("rule files are text")
    }
}

/// The rulesets in one folder.
#[derive(Clone)]
pub struct BundleStore {
    storage: Arc<dyn Storage>,
    dir: String,
    engine: String,
}

impl std::fmt::Debug for BundleStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BundleStore").field("dir", &self.dir).field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl BundleStore {
    /// The rulesets in `dir`, for the engine of version `engine`.
    pub fn open(storage: Arc<dyn Storage>, dir: &str, engine: &str) -> Self {
        Self { storage, dir: dir.to_owned(), engine: engine.to_owned() }
    }

    /// Keeps the ruleset's files, durably: call it before the log names the ruleset. One that is kept whole already stays
    /// as it is.
    pub fn save(&self, ruleset: &Ruleset) -> Result<(), Error> {
        let path = self.path(&ruleset.hash)?;
        let files = ruleset.sources.iter().map(|file| BundledFile { name: file.name.clone(), text: file.text.clone() }).collect();
        let bundle = Bundle { ruleset: ruleset.hash.clone(), engine: self.engine.clone(), files };
        let kept = self.storage.read(&path).ok().and_then(|bytes| serde_json::from_slice::<Bundle>(&bytes).ok());
        if kept.is_some_and(|kept| kept.ruleset == bundle.ruleset && kept.files == bundle.files) {
            return Ok(());
        }
        self.storage.replace(&path, &bundle.json()).map_err(|source| Error::Io { what: "write", path, source })
    }

    /// The ruleset of that hash, compiled again from its files; they are those that were kept, byte for byte.
    pub fn load(&self, hash: &str) -> Result<Ruleset, Error> {
        let path = self.path(hash)?;
        let bytes = self.storage.read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Missing { hash: hash.to_owned(), path: path.clone() },
            _ => Error::Io { what: "read", path: path.clone(), source },
        })?;
        let bundle: Bundle = serde_json::from_slice(&bytes).map_err(|source| Error::NotBundle { path: path.clone(), source })?;
        let files: Vec<SourceFile> = bundle.files.into_iter().map(|file| SourceFile { name: file.name, text: file.text }).collect();
        let ruleset = rasid_compiler::compile(&files).map_err(|report| Error::Faults {
            hash: hash.to_owned(),
            engine: bundle.engine,
            report: Box::new(report),
        })?;
        if ruleset.hash != hash {
            return Err(Error::Mismatch { path, hash: hash.to_owned(), found: ruleset.hash });
        }
        Ok(ruleset)
    }

    /// Removes every ruleset that is not among `named`, and gives the hashes of those removed.
    pub fn keep_only(&self, named: &BTreeSet<String>) -> Result<Vec<String>, Error> {
        let mut removed = Vec::new();
        for hash in self.kept()?.into_iter().filter(|hash| !named.contains(hash)) {
            let path = self.path(&hash)?;
            self.storage.remove(&path).map_err(|source| Error::Io { what: "remove", path, source })?;
            removed.push(hash);
        }
        Ok(removed)
    }

    /// Hashes of the rulesets that are kept, sorted.
    pub fn kept(&self) -> Result<Vec<String>, Error> {
        let names = self.storage.list(&self.dir).map_err(|source| Error::Io { what: "read", path: self.dir.clone(), source })?;
        let hashes = names.iter().filter_map(|name| Some(format!("{PREFIX}{}", name.strip_suffix(SUFFIX)?)));
        Ok(hashes.filter(|hash| hex(hash).is_some()).collect())
    }

    fn path(&self, hash: &str) -> Result<String, Error> {
        let hex = hex(hash).ok_or_else(|| Error::NoHash { hash: hash.to_owned() })?;
        Ok(format!("{}/{hex}{SUFFIX}", self.dir))
    }
}

/// The digits of a ruleset's hash, and nothing that could name another file.
fn hex(hash: &str) -> Option<&str> {
    let digits = hash.strip_prefix(PREFIX)?;
    (digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))).then_some(digits)
}
