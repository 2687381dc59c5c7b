//! What an archive is made of.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::Error;
use crate::folder::sync_folder;

/// The file's name.
pub const MANIFEST: &str = "manifest.json";

/// The newest schema of an archive that is known: what files and columns are called and mean.
pub const SCHEMA: u32 = 1;

/// What positions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Those of a service's log.
    Log,
    /// The numbers of lines that were read.
    Lines,
}

/// What an archive is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The schema.
    pub schema: u32,
    /// The version of rasid that wrote last.
    pub engine: String,
    /// What positions are.
    pub origin: Origin,
    /// What tells one secret's keys of state from another's; it gives nothing of the secret away.
    pub keys: String,
    /// The first position that it speaks of.
    pub from: u64,
    /// What went by age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Retired>,
    /// Positions that the log had lost before they were archived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// Its hours, in order.
    pub hours: Vec<Hour>,
}

/// What went by age.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// The last position of it.
    pub last: u64,
    /// The last hour of it.
    pub hour: String,
    /// How many hours.
    pub hours: u64,
    /// How many rows.
    pub rows: u64,
}

/// Positions without anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// An hour of the log's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    /// Its name, `2026-09-21T14`; with `-2` where the archive was written on within it.
    pub hour: String,
    /// The first position: the one behind the hour before.
    pub first: u64,
    /// The last position. What has no row was no event: the dead letters have it.
    pub last: u64,
    /// The log's clock at its end, Unix ms.
    pub clock_ms: i64,
    /// The vocabulary that its columns are of.
    pub vocabulary: String,
    /// What tells the secrets apart under which its names were made.
    pub names: Vec<String>,
    /// Its parts, by family.
    pub parts: Vec<Part>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its path in the folder, `auth/2026-09-21T14.parquet`.
    pub file: String,
    /// Rows.
    pub rows: u64,
    /// The first row's position.
    pub first: u64,
    /// The last row's.
    pub last: u64,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of all of it.
    pub blake3: String,
}

impl Hour {
    /// Rows in all its parts.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.rows).sum()
    }

    /// Bytes of all its parts.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }
}

/// The file: what the archive is made of, and its hash, which a byte that is another one does not pass.
#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    blake3: String,
    #[serde(borrow)]
    archive: &'a RawValue,
}

/// What is read before anything else.
#[derive(Deserialize)]
struct Head {
    schema: u32,
    #[serde(default)]
    engine: String,
}

/// Whether a folder is an archive.
pub fn is_archive(folder: &Path) -> bool {
    folder.join(MANIFEST).is_file()
}

impl Manifest {
    /// That of the archive in `folder`.
    ///
    /// # Errors
    /// [`Error`]: there is none, it is damaged, or a newer version wrote it.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(MANIFEST);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Error::NoArchive { folder: folder.to_owned() }),
            text => text.map_err(Error::io(&path))?,
        };
        let fault = |reason: String| Error::Manifest { path: path.clone(), reason };
        let sealed: Sealed<'_> = serde_json::from_slice(&text).map_err(|error| fault(format!("no manifest of an archive: {error}")))?;
        let archive = sealed.archive.get();
        let head: Head = serde_json::from_str(archive).map_err(|error| fault(format!("no manifest of an archive: {error}")))?;
        if head.schema > SCHEMA {
            return Err(Error::Newer { path, found: head.schema, known: SCHEMA, engine: head.engine });
        }
        let found = blake3::hash(archive.as_bytes()).to_hex();
        if found.as_str() != sealed.blake3 {
            return Err(fault(format!("other bytes than were written: BLAKE3 {found}, expected {}", sealed.blake3)));
        }
        let manifest: Self = serde_json::from_str(archive).map_err(|error| fault(error.to_string()))?;
        manifest.is_whole(&path)?;
        Ok(manifest)
    }

    /// Puts it into `folder`, durably and at once.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(MANIFEST);
        let fault = |error: serde_json::Error| Error::Manifest { path: path.clone(), reason: error.to_string() };
        let archive = serde_json::value::to_raw_value(self).map_err(fault)?;
        let sealed = Sealed { blake3: blake3::hash(archive.get().as_bytes()).to_hex().to_string(), archive: &archive };
        let text = serde_json::to_vec(&sealed).map_err(fault)?;
        let new = folder.join("manifest.json.part");
        let mut file = File::create(&new).map_err(Error::io(&new))?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(Error::io(&new))?;
        std::fs::rename(&new, &path).map_err(Error::io(&path))?;
        sync_folder(folder)
    }

    /// The position behind the last that it speaks of.
    pub fn next(&self) -> u64 {
        let last = self.hours.last().map(|hour| hour.last).into_iter().chain(self.retired.as_ref().map(|retired| retired.last));
        let last = last.chain(self.gaps.last().map(|gap| gap.last)).max();
        last.map_or(self.from, |last| last.saturating_add(1))
    }

    /// Whether hour follows hour without positions that are missing.
    fn is_whole(&self, path: &Path) -> Result<(), Error> {
        let mut next = self.retired.as_ref().map_or(self.from, |retired| retired.last.saturating_add(1));
        let mut before = self.retired.as_ref().map_or_else(|| "the beginning".to_owned(), |retired| retired.hour.clone());
        for hour in &self.hours {
            while let Some(gap) = self.gaps.iter().find(|gap| gap.first == next && gap.last < hour.first) {
                next = gap.last.saturating_add(1);
            }
            if hour.first != next {
                let (first, last) = (next.min(hour.first), hour.first.saturating_sub(1).max(next.saturating_sub(1)));
                return Err(Error::Missing { path: path.to_owned(), first, last, before, after: hour.hour.clone() });
            }
            next = hour.last.saturating_add(1);
            before.clone_from(&hour.hour);
        }
        Ok(())
    }

    /// Rows in all its parts.
    pub fn rows(&self) -> u64 {
        self.hours.iter().map(Hour::rows).sum()
    }

    /// Bytes of all its parts.
    pub fn bytes(&self) -> u64 {
        self.hours.iter().map(Hour::bytes).sum()
    }
}
