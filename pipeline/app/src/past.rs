//! The past as commands read it: files of events, stdin, or the log of a service.

use std::path::Path;
use std::rc::Rc;

use rasid_connectors::source::jsonl::Limits;
use rasid_connectors::source::{Batch, JsonLines};
use rasid_engine::{Pseudonymizer, Record};
use rasid_service::recover::layout::is_data_folder;
use rasid_service::recover::past;
use rasid_service::recover::replay::ReplayError;

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
}

impl Past {
    /// What lies in `files`: events, one after another, or one data folder. `arrival_ms`: when events of files arrived.
    pub(crate) fn open(files: &[String], arrival_ms: i64, threads: u16) -> Result<Self, Failure> {
        let limits = limits(threads);
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
        if let Some(dir) = files.iter().find(|file| is_data_folder(Path::new(file.as_str()))) {
            return Err(Failure::Configuration(format!(
                "{dir} is the data folder of a service, and such a folder is read alone: its log is one order of events"
            )));
        }
        look_at(files, limits)?;
        Ok(Self { from: From::Files(files.to_vec()), pseudonymizer: key::pseudonymizer()?, arrival_ms, limits })
    }

    /// What names people as they are named there.
    pub(crate) fn pseudonymizer(&self) -> &Pseudonymizer {
        &self.pseudonymizer
    }

    /// Hands on all events, in order: also those behind the period, which may be late ones of it.
    pub(crate) fn read(self, mut take: impl FnMut(&[Record<'_>])) -> Result<(), Failure> {
        self.read_while(|records| {
            take(records);
            true
        })
    }

    /// The same, as long as `take` wants more.
    pub(crate) fn read_while(self, mut take: impl FnMut(&[Record<'_>]) -> bool) -> Result<(), Failure> {
        let mut progress = Progress::start();
        match self.from {
            From::Files(files) => {
                let mut position = 0;
                'files: for file in &files {
                    let (mut source, mut batch) = (JsonLines::open_with(file, self.limits)?, Batch::new());
                    while source.next_batch(&mut batch)? {
                        let record = |(number, bytes)| Record { position: number, arrival_ms: self.arrival_ms, bytes };
                        let records: Vec<Record<'_>> = (position + 1..).zip(batch.iter()).map(record).collect();
                        position += records.len() as u64;
                        let more = take(&records);
                        progress.show(position);
                        if !more {
                            break 'files;
                        }
                    }
                }
            }
            From::Held(held) => {
                let record = |(number, bytes)| Record { position: number, arrival_ms: self.arrival_ms, bytes };
                let records: Vec<Record<'_>> = (1..).zip(held.iter()).map(record).collect();
                for part in records.chunks(self.limits.lines_max) {
                    let more = take(part);
                    progress.show(part.last().map_or(0, |last| last.position));
                    if !more {
                        break;
                    }
                }
            }
            From::Log(mut log) => {
                let mut count = 0;
                loop {
                    let Some(records) = log.records().map_err(failure)? else { break };
                    count += records.len() as u64;
                    let more = records.is_empty() || take(&records);
                    progress.show(count);
                    if !more {
                        break;
                    }
                }
                if log.lost() > 0 {
                    say(format_args!(
                        "note: {} entries of this log were lost to damage and given up: nobody knows what they held",
                        log.lost()
                    ));
                }
            }
        }
        progress.end();
        Ok(())
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
