//! The log into parts, hour by hour.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;

use rasid_detectors::event::time::format_rfc3339;
use rasid_engine::{ColumnsRecord, Config, Pseudonymizer};

use crate::control::{Control, Said};
use crate::error::Error;
use crate::family::{self, LOG, VOCABULARY};
use crate::folder::{UNFINISHED, strays, sync_folder};
use crate::manifest::{Gap, Hour, Manifest, Origin, Part, Retired, SCHEMA, is_archive};
use crate::part::PartWriter;
use crate::row;

const HOUR_MS: i64 = 3_600_000;

/// How parts are written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Rows of a row group: what of a family is in memory at once, written or read.
    pub rows: usize,
    /// Whether pages are compressed, by zstd.
    pub compressed: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { rows: 32_768, compressed: true }
    }
}

/// What a writer has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows in parts that are whole.
    pub rows: u64,
    /// Parts that are whole.
    pub parts: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// An archive that is written. What it is given comes in the order of the log; what is not in a whole part when it is dropped is given
/// again to the next one.
pub struct Writer {
    folder: PathBuf,
    options: Options,
    manifest: Manifest,
    /// The newest event clock so far, Unix ms.
    clock_ms: i64,
    /// The newest position gone through.
    reached: u64,
    /// What tells the secret apart under which names are made now.
    names: String,
    hour: Option<Open>,
    written: Written,
}

/// The hour that is written.
struct Open {
    hour_ms: i64,
    name: String,
    first: u64,
    names: Vec<String>,
    parts: BTreeMap<&'static str, PartWriter>,
}

impl Writer {
    /// A new archive in `folder`, which has none, from the position `from` on.
    ///
    /// # Errors
    /// [`Error`].
    pub fn create(folder: &Path, pseudonymizer: &Pseudonymizer, origin: Origin, from: u64, options: Options) -> Result<Self, Error> {
        if is_archive(folder) {
            return Err(Error::Exists { folder: folder.to_owned() });
        }
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let manifest = Manifest {
            schema: SCHEMA,
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            origin,
            keys: pseudonymizer.keys_fingerprint(),
            from,
            retired: None,
            gaps: Vec::new(),
            hours: Vec::new(),
        };
        Self::with(folder, manifest, pseudonymizer, options)
    }

    /// The archive of a log in `folder`, which can be written and is gone on with; where there is none, a new one from the position `from` on. `last`
    /// is the log's last position.
    ///
    /// # Errors
    /// [`Error`]: also where it is the archive of something else.
    pub fn resume(folder: &Path, pseudonymizer: &Pseudonymizer, from: u64, last: u64, options: Options) -> Result<Self, Error> {
        if !is_archive(folder) {
            return Self::create(folder, pseudonymizer, Origin::Log, from, options);
        }
        let mut manifest = Manifest::read(folder)?;
        let other = |reason: String| Error::Resume { folder: folder.to_owned(), reason };
        if manifest.origin != Origin::Log {
            return Err(other("this archive was made of files and no log goes on from it; name another folder".to_owned()));
        }
        let expected = pseudonymizer.keys_fingerprint();
        if manifest.keys != expected {
            return Err(Error::Secret { path: folder.join(crate::MANIFEST), found: manifest.keys, expected });
        }
        if manifest.next() > last.saturating_add(1) {
            let reached = manifest.next().saturating_sub(1);
            return Err(other(format!("it has positions up to {reached}, and the log ends at {last}: it is the archive of another log")));
        }
        for stray in strays(folder, &manifest)? {
            fs::remove_file(&stray).map_err(Error::io(&stray))?;
        }
        if from > manifest.next() {
            manifest.gaps.push(Gap { first: manifest.next(), last: from - 1 });
        }
        env!("CARGO_PKG_VERSION").clone_into(&mut manifest.engine);
        Self::with(folder, manifest, pseudonymizer, options)
    }

    fn with(folder: &Path, manifest: Manifest, pseudonymizer: &Pseudonymizer, options: Options) -> Result<Self, Error> {
        for name in family::names() {
            let of_family = folder.join(name);
            fs::create_dir_all(&of_family).map_err(Error::io(&of_family))?;
        }
        manifest.write(folder)?;
        let clock_ms = manifest.hours.last().map_or(i64::MIN, |hour| hour.clock_ms);
        let (reached, names) = (manifest.next().saturating_sub(1), pseudonymizer.names_fingerprint());
        Ok(Self { folder: folder.to_owned(), options, manifest, clock_ms, reached, names, hour: None, written: Written::default() })
    }

    /// What is whole.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What it has done since it was made.
    pub fn written(&self) -> Written {
        self.written
    }

    /// The position behind the last that is in a whole part: where a reader of the log goes on after a crash.
    pub fn next(&self) -> u64 {
        self.manifest.next()
    }

    /// The newest position gone through.
    pub fn reached(&self) -> u64 {
        self.reached
    }

    /// What tells the secret apart under which the names at the end of what is whole were made.
    pub fn last_names(&self) -> Option<&str> {
        self.manifest.hours.last()?.names.last().map(String::as_str)
    }

    /// From here on names are made under this secret.
    pub fn named(&mut self, pseudonymizer: &Pseudonymizer) {
        self.names = pseudonymizer.names_fingerprint();
        let names = &self.names;
        if let Some(open) = self.hour.as_mut().filter(|open| open.names.last() != Some(names)) {
            open.names.push(names.clone());
        }
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// [`Error`].
    pub fn event(&mut self, record: &ColumnsRecord) -> Result<(), Error> {
        let clock_ms = record.event.received_ms.unwrap_or(record.event.time_ms);
        // As the engine: an event from the future is none that time goes by.
        let is_future = clock_ms > record.arrival_ms.saturating_add(Config::default().future_ms);
        self.come_to(record.position, if is_future { None } else { Some(clock_ms) }, record.arrival_ms)?;
        let name = family::family_of(record.event.columns.event_type());
        let Some(family) = family::family(name) else { return Ok(()) };
        let rows = self.options.rows;
        let part = self.part(name)?;
        row::put(part.begin(record.position), family, record);
        part.flush(rows)
    }

    /// Takes the next control record, that came at `at_ms`, Unix ms.
    ///
    /// # Errors
    /// [`Error`].
    pub fn said(&mut self, said: &Said, at_ms: i64) -> Result<(), Error> {
        let clock_ms = match said.control {
            // As the engine: the clock comes to the allowed lateness before it.
            Control::Tick(at_ms) => Some(at_ms.saturating_sub(Config::default().lateness_ms)),
            _ => None,
        };
        self.come_to(said.position, clock_ms, at_ms)?;
        let rows = self.options.rows;
        let part = self.part(LOG)?;
        row::put_said(part.begin(said.position), &said.control);
        part.flush(rows)
    }

    /// Says that everything up to a position was given, also where there was nothing that an archive keeps.
    pub fn reach(&mut self, position: u64) {
        self.reached = self.reached.max(position);
    }

    /// Has everything given so far in whole parts: the end of what is to be archived.
    ///
    /// # Errors
    /// [`Error`].
    pub fn finish(mut self) -> Result<(Manifest, Written), Error> {
        if self.hour.is_none() && self.reached >= self.manifest.next() {
            self.open(self.clock_ms.max(0));
        }
        self.close(self.reached)?;
        Ok((self.manifest, self.written))
    }

    /// Removes hours that ended more than `age_ms` before the newest, oldest first.
    ///
    /// # Errors
    /// [`Error`]; what is not removed yet, goes with the next.
    pub fn retire(&mut self, age_ms: i64) -> Result<(), Error> {
        let Some(newest) = self.manifest.hours.last() else { return Ok(()) };
        let before_ms = newest.clock_ms.saturating_sub(age_ms);
        let old = self.manifest.hours.partition_point(|hour| hour.clock_ms < before_ms);
        let gone: Vec<Hour> = self.manifest.hours.drain(..old).collect();
        let Some(last) = gone.last() else { return Ok(()) };
        let before = self.manifest.retired.take();
        self.manifest.retired = Some(Retired {
            last: last.last,
            hour: last.hour.clone(),
            hours: before.as_ref().map_or(0, |before| before.hours) + gone.len() as u64,
            rows: before.as_ref().map_or(0, |before| before.rows) + gone.iter().map(Hour::rows).sum::<u64>(),
        });
        self.manifest.gaps.retain(|gap| gap.first > last.last);
        self.manifest.write(&self.folder)?;
        for part in gone.iter().flat_map(|hour| &hour.parts) {
            let path = self.folder.join(&part.file);
            match fs::remove_file(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed.map_err(Error::io(&path))?,
            }
        }
        Ok(())
    }

    /// Comes to a position at which the log's clock is `clock_ms`, where that is known; closes the hour that is over.
    fn come_to(&mut self, position: u64, clock_ms: Option<i64>, arrival_ms: i64) -> Result<(), Error> {
        self.clock_ms = self.clock_ms.max(clock_ms.unwrap_or(i64::MIN));
        let now_ms = if self.clock_ms == i64::MIN { arrival_ms } else { self.clock_ms };
        let hour_ms = now_ms.div_euclid(HOUR_MS) * HOUR_MS;
        if self.hour.as_ref().is_some_and(|open| open.hour_ms < hour_ms) {
            self.close(position.saturating_sub(1))?;
        }
        if self.hour.is_none() {
            self.open(hour_ms);
        }
        self.reached = self.reached.max(position);
        Ok(())
    }

    fn open(&mut self, at_ms: i64) {
        let hour_ms = at_ms.div_euclid(HOUR_MS) * HOUR_MS;
        let plain: String = format_rfc3339(hour_ms).chars().take("2026-09-21T14".len()).collect();
        let known = |name: &str| self.manifest.hours.iter().any(|hour| hour.hour == name);
        let mut name = plain.clone();
        for number in 2_u32.. {
            if !known(&name) {
                break;
            }
            name = format!("{plain}-{number}");
        }
        let first = self.manifest.next();
        self.hour = Some(Open { hour_ms, name, first, names: vec![self.names.clone()], parts: BTreeMap::new() });
    }

    fn part(&mut self, family: &'static str) -> Result<&mut PartWriter, Error> {
        let Some(open) = &mut self.hour else {
            return Err(Error::Resume { folder: self.folder.clone(), reason: "no hour is open".to_owned() });
        };
        match open.parts.entry(family) {
            std::collections::btree_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::btree_map::Entry::Vacant(free) => {
                let path = self.folder.join(family).join(format!("{}.{UNFINISHED}", open.name));
                let specs = family::columns_of(family).unwrap_or_default();
                Ok(free.insert(PartWriter::create(path, specs, self.options.compressed)?))
            }
        }
    }

    /// Closes the hour, whose last position that is: its parts are on disk and in the manifest.
    fn close(&mut self, last: u64) -> Result<(), Error> {
        let Some(open) = self.hour.take() else { return Ok(()) };
        let (mut parts, mut wholes) = (Vec::with_capacity(open.parts.len()), Vec::with_capacity(open.parts.len()));
        for (family, part) in open.parts {
            let whole = part.finish()?;
            let file = format!("{family}/{}.parquet", open.name);
            parts.push(Part { file, rows: whole.rows, first: whole.first, last: whole.last, bytes: whole.bytes, blake3: whole.blake3 });
            wholes.push((self.folder.join(family), whole.file));
        }
        named(&open.name, &wholes)?;
        self.written.rows += parts.iter().map(|part| part.rows).sum::<u64>();
        self.written.bytes += parts.iter().map(|part| part.bytes).sum::<u64>();
        self.written.parts += parts.len() as u64;
        self.manifest.hours.push(Hour {
            hour: open.name,
            first: open.first,
            last,
            clock_ms: self.clock_of(open.hour_ms),
            vocabulary: VOCABULARY.clone(),
            names: open.names,
            parts,
        });
        self.manifest.write(&self.folder)
    }

    /// The log's clock at the end of an hour that is over, or of the one that goes on.
    fn clock_of(&self, hour_ms: i64) -> i64 {
        self.clock_ms.clamp(hour_ms, hour_ms.saturating_add(HOUR_MS - 1))
    }
}

/// Has parts on disk under their names. All at once: a disk takes many of them in the time of one.
fn named(hour: &str, parts: &[(PathBuf, File)]) -> Result<(), Error> {
    let durable = |(folder, file): &(PathBuf, File)| {
        let (from, to) = (folder.join(format!("{hour}.{UNFINISHED}")), folder.join(format!("{hour}.parquet")));
        file.sync_all().map_err(Error::io(&from))?;
        fs::rename(&from, &to).map_err(Error::io(&to))?;
        sync_folder(folder)
    };
    thread::scope(|scope| {
        let all: Vec<_> = parts.iter().map(|part| scope.spawn(move || durable(part))).collect();
        all.into_iter().try_for_each(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
