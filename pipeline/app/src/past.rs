//! The past as commands read it: files of events, stdin, or the log of a service.

use std::path::Path;

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

enum From {
    Files(Vec<String>),
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
        let mut progress = Progress::start();
        match self.from {
            From::Files(files) => {
                let mut position = 0;
                for file in &files {
                    let (mut source, mut batch) = (JsonLines::open_with(file, self.limits)?, Batch::new());
                    while source.next_batch(&mut batch)? {
                        let record = |(number, bytes)| Record { position: number, arrival_ms: self.arrival_ms, bytes };
                        let records: Vec<Record<'_>> = (position + 1..).zip(batch.iter()).map(record).collect();
                        position += records.len() as u64;
                        take(&records);
                        progress.show(position);
                    }
                }
            }
            From::Log(mut log) => {
                let mut count = 0;
                loop {
                    let Some(records) = log.records().map_err(failure)? else { break };
                    count += records.len() as u64;
                    if !records.is_empty() {
                        take(&records);
                    }
                    progress.show(count);
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
