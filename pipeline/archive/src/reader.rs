//! An archive in the order of the log: its families merged by position, a row group of each in memory at once.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rasid_detectors::event::EventType;
use rasid_engine::{ColumnsRecord, Pseudonymizer};

use crate::control::Said;
use crate::error::Error;
use crate::family::{self, LOG, place};
use crate::folder::is_ended;
use crate::manifest::{MANIFEST, Manifest, Part};
use crate::part::{PartReader, Rows};
use crate::row;

/// Events given at once, at the most.
const EVENTS_MAX: usize = 4_096;

/// What comes next in an archive.
#[derive(Debug)]
pub enum Stretch {
    /// Events, in order.
    Events(Vec<ColumnsRecord>),
    /// A control record.
    Said(Said),
}

/// An archive that is read.
pub struct Reader {
    folder: PathBuf,
    manifest: Manifest,
    /// Families whose fields matter; of the others only where their events stand in the log.
    wanted: BTreeSet<&'static str>,
    hour: usize,
    families: Vec<Family>,
    /// The control record that comes behind the events given last.
    waiting: Option<Said>,
    missing: BTreeSet<String>,
    unknown: u64,
    position: u64,
}

/// One part of the hour that is read.
struct Family {
    name: &'static str,
    path: PathBuf,
    reader: PartReader,
    rows: Option<Rows>,
    row: usize,
    /// Of the next row; `None` at the end.
    position: Option<u64>,
}

impl Reader {
    /// The archive in `folder`, which the secret of `pseudonymizer` must have made. All of its parts must be there, in their length;
    /// their bytes are held to what was written when it comes to each.
    ///
    /// # Errors
    /// [`Error`]: it is none, or not whole.
    pub fn open(folder: &Path, pseudonymizer: &Pseudonymizer) -> Result<Self, Error> {
        let manifest = Manifest::read(folder)?;
        is_ended(folder)?;
        is_of(folder, &manifest, pseudonymizer)?;
        for part in manifest.hours.iter().flat_map(|hour| &hour.parts) {
            is_there(folder, part)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
            wanted: family::names().collect(),
            hour: 0,
            families: Vec::new(),
            waiting: None,
            missing: BTreeSet::new(),
            unknown: 0,
            position: 0,
        })
    }

    /// Reads the fields of events of such types alone; of the others only what makes their place in the log.
    #[must_use]
    pub fn of_types(mut self, wanted: impl Fn(EventType) -> bool) -> Self {
        self.wanted = EventType::PRODUCED.iter().filter(|event| wanted(**event)).map(|event| family::family_of(*event)).collect();
        self
    }

    /// What it is made of.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Columns of this vocabulary that parts lack so far: who reads such a field sees none there.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.missing.iter().map(String::as_str)
    }

    /// Rows so far of types that are not in this vocabulary, or of such control records.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// What comes next; `None` at the end.
    ///
    /// # Errors
    /// [`Error`]: what is there is not what was written. There is no going on after it.
    pub fn stretch(&mut self) -> Result<Option<Stretch>, Error> {
        if let Some(said) = self.waiting.take() {
            return Ok(Some(Stretch::Said(said)));
        }
        let mut events = Vec::new();
        while events.len() < EVENTS_MAX {
            let Some(next) = self.earliest() else {
                if self.open_hour()? {
                    continue;
                }
                break;
            };
            let Some(family) = self.families.get_mut(next) else { break };
            let Some((rows, position)) = family.rows.as_ref().zip(family.position) else { break };
            let (path, row) = (family.path.clone(), family.row);
            let content = |reason: String| Error::Content { path: path.clone(), reason };
            if position <= self.position {
                return Err(content(format!("row {row} has position {position}, behind {}", self.position)));
            }
            self.position = position;
            if family.name == LOG {
                let said = row::said(rows, row).map_err(content)?;
                family.advance()?;
                match said {
                    None => self.unknown += 1,
                    Some(said) if events.is_empty() => return Ok(Some(Stretch::Said(said))),
                    Some(said) => {
                        self.waiting = Some(said);
                        break;
                    }
                }
                continue;
            }
            let with_fields = self.wanted.contains(family.name);
            let of_family = family::family(family.name).ok_or_else(|| content("no family of this vocabulary".to_owned()))?;
            match row::event(rows, row, of_family, with_fields).map_err(content)? {
                Some(record) => events.push(record),
                None => self.unknown += 1,
            }
            family.advance()?;
        }
        Ok((!events.is_empty()).then_some(Stretch::Events(events)))
    }

    /// The family whose next row comes first.
    fn earliest(&self) -> Option<usize> {
        let next = self.families.iter().enumerate().filter_map(|(index, family)| Some((family.position?, index)));
        next.min().map(|(_, index)| index)
    }

    /// Opens the parts of the next hour; whether there is one.
    fn open_hour(&mut self) -> Result<bool, Error> {
        let Some(hour) = self.manifest.hours.get(self.hour) else { return Ok(false) };
        self.hour += 1;
        self.families.clear();
        for part in &hour.parts {
            let path = self.folder.join(&part.file);
            let of_part = part.file.split('/').next().unwrap_or_default();
            let Some(name) = family::names().find(|name| *name == of_part) else {
                self.unknown += part.rows; // of a vocabulary that this one does not know
                continue;
            };
            is_as_written(&self.folder, part)?;
            let mut reader = PartReader::open(&path, family::columns_of(name).unwrap_or_default())?;
            self.missing.extend(reader.lacks().map(|column| format!("{name}: {column}")));
            if name != LOG && !self.wanted.contains(name) {
                reader = reader.only(place::TYPE + 1);
            }
            let mut family = Family { name, path, reader, rows: None, row: 0, position: None };
            family.load()?;
            self.families.push(family);
        }
        Ok(true)
    }
}

impl Family {
    fn advance(&mut self) -> Result<(), Error> {
        self.row += 1;
        if self.rows.as_ref().is_some_and(|rows| self.row < rows.count) { self.place() } else { self.load() }
    }

    /// The next row group.
    fn load(&mut self) -> Result<(), Error> {
        self.rows = self.reader.next()?;
        self.row = 0;
        self.place()
    }

    fn place(&mut self) -> Result<(), Error> {
        let Some(rows) = &self.rows else {
            self.position = None;
            return Ok(());
        };
        let position = rows.int(place::POSITION, self.row).map(i64::cast_unsigned);
        let lacks = || Error::Content { path: self.path.clone(), reason: format!("row {} has no position", self.row) };
        self.position = Some(position.ok_or_else(lacks)?);
        Ok(())
    }
}

/// Whether its keys are those of that secret.
pub(crate) fn is_of(folder: &Path, manifest: &Manifest, pseudonymizer: &Pseudonymizer) -> Result<(), Error> {
    let expected = pseudonymizer.keys_fingerprint();
    if manifest.keys == expected {
        Ok(())
    } else {
        Err(Error::Secret { path: folder.join(MANIFEST), found: manifest.keys.clone(), expected })
    }
}

/// Whether a part is there, in its length.
pub(crate) fn is_there(folder: &Path, part: &Part) -> Result<(), Error> {
    let path = folder.join(&part.file);
    match std::fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::NoPart { path, rows: part.rows, first: part.first, last: part.last })
        }
        Err(error) => Err(Error::io(path)(error)),
        Ok(found) if found.len() != part.bytes => Err(Error::Bytes { path, found: found.len(), expected: part.bytes }),
        Ok(_) => Ok(()),
    }
}

/// Whether a part has the bytes that were written.
pub(crate) fn is_as_written(folder: &Path, part: &Part) -> Result<(), Error> {
    is_there(folder, part)?;
    let path = folder.join(&part.file);
    let mut file = File::open(&path).map_err(Error::io(&path))?;
    let (mut hash, mut bytes) = (blake3::Hasher::new(), vec![0; 256 << 10]);
    loop {
        let count = file.read(&mut bytes).map_err(Error::io(&path))?;
        if count == 0 {
            break;
        }
        hash.update(bytes.get(..count).unwrap_or_default());
    }
    let found = hash.finalize().to_hex();
    if found.as_str() == part.blake3 { Ok(()) } else { Err(Error::Hash { path, found: found.to_string(), expected: part.blake3.clone() }) }
}
