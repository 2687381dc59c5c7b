//! The past as commands read it: files of events, stdin, the log of a service, or an archive.

use std::path::Path;
use std::rc::Rc;

use rasid_backtest::taken::Taken;
use rasid_connectors::log::Control;
use rasid_connectors::source::jsonl::Limits;
use rasid_connectors::source::{Batch, JsonLines};
use rasid_detectors::event::EventType;
use rasid_engine::{Pseudonymizer, Record};
use rasid_service::recover::layout::is_data_folder;
use rasid_service::recover::past::{self, Said};
use rasid_service::recover::replay::ReplayError;

use crate::archive;

use crate::command::{Failure, Progress, say};
use crate::config::{self, Key, Layers};
use crate::key;

/// Bytes read at once for each thread, and so what engines take at once: some 800 records, which with their rows stay in the second-level
/// cache.
const READ_BYTES: usize = 256 << 10;
/// Most lines taken at once for each thread, should they be short.
const LINES_MAX: usize = 4096;

/// How much is read at once.
pub(crate) fn limits(threads: u16) -> Limits {
    let threads = usize::from(threads);
    Limits { bytes_max: READ_BYTES * threads, lines_max: LINES_MAX * threads, ..Limits::default() }
}

/// Looks at all inputs first, so that a name that is wrong is told before a long run and not in its middle. They are opened one after
/// another, because there may be more of them than may be open; what is no file, a pipe say, is left alone: it may be read once.
pub(crate) fn look_at(files: &[String], limits: Limits) -> Result<(), Failure> {
    for file in files.iter().filter(|file| Path::new(file).is_file()) {
        drop(JsonLines::open_with(file, limits)?);
    }
    if let Some(file) = files.iter().find(|file| *file != "-" && !Path::new(file).exists()) {
        drop(JsonLines::open_with(file, limits)?);
    }
    Ok(())
}

/// Events on their way.
pub(crate) struct Past {
    from: From,
    pseudonymizer: Pseudonymizer,
    arrival_ms: i64,
    limits: Limits,
}

/// Most bytes of what can be read only once that are held for reading it again.
const HELD_BYTES_MAX: usize = 1 << 30;

/// Events that are gone through more than once.
pub(crate) struct Again<'f> {
    files: &'f [String],
    /// What lies in them, where they can be read only once.
    held: Option<Rc<Held>>,
    /// What names people in files.
    pseudonymizer: Option<Pseudonymizer>,
    arrival_ms: i64,
    threads: u16,
}

impl<'f> Again<'f> {
    /// As [`Past::open`]. What is no file, stdin or a pipe, is read now and held.
    pub(crate) fn new(files: &'f [String], arrival_ms: i64, threads: u16) -> Result<Self, Failure> {
        if let Some(archive) = files.iter().find(|file| archive::is_archive(Path::new(file.as_str()))) {
            return Err(Failure::Configuration(format!(
                "{archive} is an archive, and this goes into what is not in one: name the files of the events, or the service's data folder"
            )));
        }
        let is_once = |file: &String| file == "-" || Path::new(file).metadata().is_ok_and(|meta| !meta.is_file() && !meta.is_dir());
        let held = files.iter().any(is_once).then(|| Held::read(files, limits(threads))).transpose()?.map(Rc::new);
        let is_folder = files.iter().any(|file| is_data_folder(Path::new(file)));
        let pseudonymizer = (!is_folder).then(key::pseudonymizer).transpose()?;
        Ok(Self { files, held, pseudonymizer, arrival_ms, threads })
    }

    /// At the beginning once more.
    pub(crate) fn open(&self) -> Result<Past, Failure> {
        let (limits, arrival_ms) = (limits(self.threads), self.arrival_ms);
        let Some(pseudonymizer) = self.pseudonymizer.clone() else { return Past::open(self.files, arrival_ms, self.threads) };
        let from = if let Some(held) = &self.held {
            From::Held(Rc::clone(held))
        } else {
            look_at(self.files, limits)?;
            From::Files(self.files.to_vec())
        };
        Ok(Past { from, pseudonymizer, arrival_ms, limits })
    }
}

/// Records in memory.
struct Held {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Held {
    fn read(files: &[String], limits: Limits) -> Result<Self, Failure> {
        let mut held = Self { bytes: Vec::new(), ends: Vec::new() };
        for file in files {
            let (mut source, mut batch) = (JsonLines::open_with(file, limits)?, Batch::new());
            while source.next_batch(&mut batch)? {
                for record in batch.iter() {
                    held.bytes.extend_from_slice(record);
                    held.ends.push(held.bytes.len());
                }
                if held.bytes.len() > HELD_BYTES_MAX {
                    return Err(Failure::Configuration(
                        "the events are gone through more than once, and a pipe of more than 1 GiB is not held for that: put them into a file"
                            .to_owned(),
                    ));
                }
            }
        }
        Ok(held)
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).filter_map(|(begin, end)| self.bytes.get(begin..*end))
    }
}

enum From {
    Files(Vec<String>),
    Held(Rc<Held>),
    Log(Box<past::Past>),
    Archive(Box<archive::Past>),
}

impl Past {
    /// What lies in `files`: events, one after another, or one data folder, or one archive. `arrival_ms`: when events of files arrived.
    pub(crate) fn open(files: &[String], arrival_ms: i64, threads: u16) -> Result<Self, Failure> {
        let limits = limits(threads);
        if let [dir] = files
            && archive::is_archive(Path::new(dir))
        {
            let pseudonymizer = key::pseudonymizer()?;
            let past = archive::Past::open(Path::new(dir), &pseudonymizer)?;
            return Ok(Self { from: From::Archive(Box::new(past)), pseudonymizer, arrival_ms, limits });
        }
        if let [dir] = files
            && is_data_folder(Path::new(dir))
        {
            let Some(Key { secret, number, .. }) = config::key(&Layers::surrounding().load()?)? else {
                return Err(Failure::Configuration(format!(
                    "the log in {dir} is sealed: set RASID_KEY or RASID_KEY_FILE to the pseudonym secret of the service"
                )));
            };
            let log = past::Past::open(Path::new(dir), &secret, number).map_err(failure)?;
            let pseudonymizer = log.pseudonymizer().clone();
            return Ok(Self { from: From::Log(Box::new(log)), pseudonymizer, arrival_ms, limits });
        }
        let alone = |file: &&String| is_data_folder(Path::new(file.as_str())) || archive::is_archive(Path::new(file.as_str()));
        if let Some(dir) = files.iter().find(alone) {
            return Err(Failure::Configuration(format!(
                "{dir} is the data folder of a service or an archive, and such a folder is read alone: its log is one order of events"
            )));
        }
        look_at(files, limits)?;
        Ok(Self { from: From::Files(files.to_vec()), pseudonymizer: key::pseudonymizer()?, arrival_ms, limits })
    }

    /// Whether it is the log of a service.
    #[cfg(feature = "archive")]
    pub(crate) fn is_log(&self) -> bool {
        matches!(self.from, From::Log(_))
    }

    /// What makes names, one a secret that was ever in force, the first one first.
    #[cfg(feature = "archive")]
    pub(crate) fn pseudonymizers(&self) -> &[Pseudonymizer] {
        match &self.from {
            From::Log(log) => log.pseudonymizers(),
            From::Files(_) | From::Held(_) | From::Archive(_) => std::slice::from_ref(&self.pseudonymizer),
        }
    }

    /// What names people as they are named there.
    pub(crate) fn pseudonymizer(&self) -> &Pseudonymizer {
        &self.pseudonymizer
    }

    /// Hands on all of it, in order: also what lies behind the period, which may have late events of it. `wanted` says whether the fields
    /// of events of a type matter to anybody.
    pub(crate) fn read(self, wanted: impl Fn(EventType) -> bool, mut take: impl FnMut(Taken<'_>)) -> Result<(), Failure> {
        self.read_while(wanted, |taken| {
            take(taken);
            true
        })
    }

    /// The same, as long as `take` wants more.
    pub(crate) fn read_while(self, wanted: impl Fn(EventType) -> bool, mut take: impl FnMut(Taken<'_>) -> bool) -> Result<(), Failure> {
        if let From::Archive(archive) = self.from {
            let (mut progress, mut more) = (Progress::start(), true);
            archive.read(wanted, |taken| more = more && take(taken), &mut progress)?;
            progress.end();
            return Ok(());
        }
        let mut lost = 0;
        self.each(|said, _| {
            Ok(match said {
                Said::Records(records) => take(Taken::Records(records)),
                Said::Control { control: Control::Lost, .. } => {
                    lost += 1;
                    true
                }
                Said::Control { position, control } => taken(*position, control).is_none_or(&mut take),
            })
        })?;
        note_lost(lost);
        Ok(())
    }

    /// Hands on all of it as it came, in order, each with when it was appended, Unix ms, as long as `take` wants more; nothing of an
    /// archive.
    pub(crate) fn each(self, mut take: impl FnMut(&Said<'_>, i64) -> Result<bool, Failure>) -> Result<(), Failure> {
        let mut progress = Progress::start();
        let (limits, arrival_ms) = (self.limits, self.arrival_ms);
        let mut count = 0;
        let mut records = |records: Vec<&[u8]>, take: &mut dyn FnMut(&Said<'_>, i64) -> Result<bool, Failure>| {
            let record = |(position, bytes)| Record { position, arrival_ms, bytes };
            let records: Vec<Record<'_>> = (count + 1..).zip(records).map(record).collect();
            count += records.len() as u64;
            let more = records.is_empty() || take(&Said::Records(records), arrival_ms)?;
            progress.show(count);
            Ok::<_, Failure>(more)
        };
        match self.from {
            From::Files(files) => {
                'files: for file in &files {
                    let (mut source, mut batch) = (JsonLines::open_with(file, limits)?, Batch::new());
                    while source.next_batch(&mut batch)? {
                        if !records(batch.iter().collect(), &mut take)? {
                            break 'files;
                        }
                    }
                }
            }
            From::Held(held) => {
                let all: Vec<&[u8]> = held.iter().collect();
                for part in all.chunks(limits.lines_max) {
                    if !records(part.to_vec(), &mut take)? {
                        break;
                    }
                }
            }
            From::Log(mut log) => {
                let mut count = 0;
                'log: while log.advance().map_err(failure)? {
                    for said in log.said() {
                        count += if let Said::Records(records) = &said { records.len() as u64 } else { 0 };
                        if !take(&said, log.appended_ms())? {
                            break 'log;
                        }
                    }
                    progress.show(count);
                }
            }
            From::Archive(_) => {}
        }
        progress.end();
        Ok(())
    }
}

/// What a control record is to a backtest: of another ruleset, or of what somebody thinks of an alert, it knows nothing.
fn taken(position: u64, control: &Control) -> Option<Taken<'_>> {
    match control {
        Control::Tick { at_ms } => Some(Taken::Tick { position, at_ms: *at_ms }),
        Control::Retract { rule, since_ms } => Some(Taken::Retract { position, rule, since_ms: *since_ms }),
        Control::Switch { .. } | Control::Feedback(_) | Control::Lost => None,
    }
}

/// Says what damage has cost.
pub(crate) fn note_lost(lost: u64) {
    if lost > 0 {
        say(format_args!("note: {lost} entries of this log were lost to damage and given up: nobody knows what they held"));
    }
}

/// Why a log cannot be gone through: what somebody has configured, or what lies outside.
pub(crate) fn failure(error: ReplayError) -> Failure {
    match error {
        ReplayError::Secret(error) => Failure::Configuration(format!("the pseudonym secret: {error}")),
        ReplayError::Keys(error) if error.is_configuration() => Failure::Configuration(error.to_string()),
        error => Failure::Outside(Box::new(error)),
    }
}
