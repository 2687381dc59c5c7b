//! The alert store: every alert that was opened, what people said about it, and the history of that.
//!
//! It is filled from the log, and says up to which position: what is in it is a function of the log and of the retention,
//! however often the process ended on the way.
//!
//! ```text
//! meta          "format" → 1 · "position" → what came of the log up to there is in it · "from" → and from there on ·
//!               a status → how many have it
//! alerts        id → the alert's JSON, byte for byte
//! states        id → position, opening time, rule, entity, severity, mode, status, assignee, verdict, history
//! orders        (order, opening time, id): of all, and of those of a rule, about an entity, of a status, with a verdict;
//!               and (order, log position, id): of all by what changed them last
//! retractions   (rule, position) → since when that rule's alerts are taken back
//! gaps          first → last position of what was never put in
//! verdicts      (rule, verdict) → how many alerts have it
//! counts        (rule, hour of opening, status, severity and mode) → how many alerts are such
//! ```
//!
//! States are postcard. That a rule's alerts are taken back is kept once and held to each alert when it is read: a bad rule
//! may have opened a hundred thousand.
//!
//! **Retention.** When an alert is opened, up to 16 go that are older than the newest by more than the age, or too many: the
//! oldest that is closed, else the oldest. The wall clock has no part in it.
//!
//! Nothing raw is in here: alerts hold pseudonyms and masks, and who writes a reason down masks it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, StorageBackend, TableHandle as _};

use crate::Disposition;
use crate::embedded::{Unopened, builder, make_missing};
use crate::log::{Feedback, Verdict};

mod apply;
mod changes;
mod counts;
mod list;
#[cfg(test)]
mod measure;
mod state;
mod tables;
#[cfg(test)]
mod tests;

pub use changes::{Changes, Retraction};
pub use counts::Count;
pub use list::{Cursor, Filter, KeptAlert, NoCursor, Page};
pub use state::{Class, Happened, Opened, Said, State, Status};
use tables::{FORMAT, FROM, GAPS, META, NAMED_FORMAT, POSITION, VERDICTS};

/// As messages call it.
const NAME: &str = "alert store";

/// Why the store cannot go on. Where it may pass ([`Error::disposition`]) the same can be asked for again; after any other it
/// is not known what the file holds: open it again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process has the file open.
    #[error("another rasid runs on {}", path.display())]
    Held {
        /// The file.
        path: PathBuf,
    },
    /// A later Rasid wrote the file.
    #[error("{} has alert store format {format}, and this rasid reads up to {FORMAT}: run the rasid that wrote it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u64,
    },
    /// The file is something else.
    #[error("{} is no alert store of rasid: {why}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it has that a store has not, or the other way round.
        why: String,
    },
    /// The file cannot be made or opened.
    #[error("cannot open the alert store {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: Box<redb::Error>,
    },
    /// The file cannot be read or written on. Whether what was being put in is durable is not known.
    #[error("cannot {what} the alert store")]
    Store {
        /// `read` or `write`.
        what: &'static str,
        /// The system's answer.
        #[source]
        source: Box<redb::Error>,
    },
    /// A value in the file is not what its table holds.
    #[error("the alert store is damaged: {what} cannot be read")]
    Damaged {
        /// Which value.
        what: String,
        /// The decoder's answer.
        #[source]
        source: postcard::Error,
    },
    /// A change that does not belong to what is put in (invariant C1). Nothing of it was done.
    #[error("a change of position {position} among those of positions {after} to {upto}, or not in order")]
    Outside {
        /// The change's position.
        position: u64,
        /// In the store before, excluded.
        after: u64,
        /// The end of what was to be put in, included.
        upto: u64,
    },
}

impl Error {
    /// What to do about it. A disk without room may have some later; what was asked for is then asked for again, and is done
    /// once, whatever of it had been done.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Store { source, .. } | Self::Open { source, .. } => match &**source {
                redb::Error::Io(source) => crate::error::of_io(source),
                // Somebody else's failure, who says himself whether it may pass.
                redb::Error::PreviousIo => Disposition::Retry,
                _ => Disposition::Halt,
            },
            _ => Disposition::Halt,
        }
    }

    fn read(source: impl Into<redb::Error>) -> Self {
        Self::Store { what: "read", source: Box::new(source.into()) }
    }

    fn write(source: impl Into<redb::Error>) -> Self {
        Self::Store { what: "write", source: Box::new(source.into()) }
    }
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Alerts that opened by more than this before the newest go, ms of the event clock.
    pub age_ms: i64,
    /// At most so many are kept.
    pub count_max: u64,
}

/// What the log says about alerts, at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The log position.
    pub position: u64,
    /// What it says.
    pub change: Change,
}

/// What the log says about alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// One was opened.
    Opened(Opened),
    /// Somebody said something about some.
    Feedback(Feedback),
    /// A rule's are taken back.
    Retracted {
        /// The rule.
        rule: String,
        /// Those that opened from then on, Unix ms of the event clock.
        since_ms: i64,
    },
}

/// What the store says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// What came of the log up to there is in it.
    pub position: u64,
    /// And from there on; what was opened before was never put in.
    pub from: u64,
    /// First and last positions of what was never put in since.
    pub gaps: Vec<(u64, u64)>,
    /// Alerts by status.
    pub by_status: BTreeMap<Status, u64>,
    /// Alerts that have a verdict, by rule and verdict.
    pub verdicts: BTreeMap<(String, Verdict), u64>,
}

/// The alert store. Any number of readers beside one writer; putting something in blocks for an fsync, so it belongs on a
/// thread that may block.
pub struct AlertStore {
    /// `None` after a failure that may pass: redb does nothing more with a file that it once could not write. Whoever needs it
    /// next opens it again.
    database: RwLock<Option<Database>>,
    opens: Box<dyn Fn() -> Result<Database, Error> + Send + Sync>,
    retention: Retention,
    /// Held while a transaction writes.
    writer: Mutex<()>,
    known: RwLock<Known>,
}

impl std::fmt::Debug for AlertStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlertStore").field("retention", &self.retention).field("known", &self.known).finish_non_exhaustive()
    }
}

/// What is asked for often, as of the last transaction.
#[derive(Clone, Debug, Default)]
struct Known {
    /// `None` in a file that was made just now.
    position: Option<u64>,
    from: u64,
    gaps: Vec<(u64, u64)>,
    /// By status, in their order.
    counts: [u64; Status::ALL.len()],
    verdicts: BTreeMap<(String, Verdict), u64>,
}

impl AlertStore {
    /// Opens the store in the file at `path`, made if it is not there. After a crash it is brought back to what was put in
    /// last.
    pub fn open(path: &Path, retention: Retention) -> Result<Self, Error> {
        make_missing(NAME, path).map_err(|source| open_error(path, source))?;
        let opened = path.to_owned();
        let opens = move || builder(NAME).open(&opened).map_err(|source| open_error(&opened, source));
        Self::over(Box::new(opens), path, retention)
    }

    /// A store over something else than a file, such as [`crate::outbox::backend::Memory`]; `backend` gives it anew each time
    /// it is opened.
    pub fn with_backend<B: StorageBackend>(backend: impl Fn() -> B + Send + Sync + 'static, retention: Retention) -> Result<Self, Error> {
        let path = Path::new("in memory");
        let opens = move || builder(NAME).create_with_backend(backend()).map_err(|source| open_error(path, source));
        Self::over(Box::new(opens), path, retention)
    }

    fn over(opens: Box<dyn Fn() -> Result<Database, Error> + Send + Sync>, shown: &Path, retention: Retention) -> Result<Self, Error> {
        let database = opens()?;
        prepare(&database, shown)?;
        let known = RwLock::new(Known::read(&database)?);
        Ok(Self { database: RwLock::new(Some(database)), opens, retention, writer: Mutex::default(), known })
    }

    /// The position up to which what came of the log is in it; `None` where it was made just now and never began.
    pub fn position(&self) -> Option<u64> {
        self.known().position
    }

    /// Begins a store that was made just now: what the log holds behind `position` will be put in, and nothing from before.
    pub fn begin(&self, position: u64) -> Result<(), Error> {
        self.transaction(|write, known| apply::begin(write, known, position))
    }

    /// Gives up what lies between the store's position and `position`, and goes on behind it; what is lacking stays on record.
    pub fn skip(&self, position: u64) -> Result<(), Error> {
        self.transaction(|write, known| apply::skip(write, known, position))
    }

    /// Puts in what the log up to `position` says about alerts, in order and durably, as one. What is in it already is not
    /// put in twice; after an error that may pass, ask for the same again.
    pub fn apply(&self, position: u64, changes: &[Changed]) -> Result<(), Error> {
        self.read(|_| Ok(()))?; // where it was closed, what it holds is known only once it is open again
        if self.known().position.is_some_and(|kept| position <= kept) {
            return Ok(());
        }
        self.transaction(|write, known| apply::apply(write, known, self.retention, position, changes))
    }

    /// Alerts that are as the filter says, newest first, behind `after`; `limit` at most.
    pub fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Page, Error> {
        self.read(|database| list::list(database, filter, after, limit))
    }

    /// Shows id and state of the newest alerts that are as the filter says, whether or not their rule's were taken back; whether
    /// there are more than the `max` that are looked at.
    pub fn look(&self, filter: &Filter, max: usize, each: impl FnMut(&str, &State)) -> Result<bool, Error> {
        self.read(|database| list::look(database, filter, max, each))
    }

    /// The alert of that id.
    pub fn get(&self, id: &str) -> Result<Option<KeptAlert>, Error> {
        self.read(|database| list::get(database, id))
    }

    /// Ids that begin with that, in order; `max` at most.
    pub fn begin_with(&self, prefix: &str, max: usize) -> Result<Vec<String>, Error> {
        self.read(|database| list::begin_with(database, prefix, max))
    }

    /// What changed behind a log position: alerts as they are now, by their newest change, and what was taken back; some `limit`
    /// alerts at most.
    pub fn changes(&self, after: u64, limit: usize) -> Result<Changes, Error> {
        self.read(|database| changes::changes(database, after, limit))
    }

    /// How many alerts there are of each rule, hour and class that were opened in hours from `since_ms` to before `until_ms`.
    pub fn counts(&self, since_ms: i64, until_ms: i64) -> Result<Vec<Count>, Error> {
        self.read(|database| counts::counts(database, since_ms, until_ms))
    }

    /// What it says of itself, as of the last transaction. Cheap, and never waits.
    pub fn figures(&self) -> Figures {
        let known = self.known();
        let by_status = Status::ALL.into_iter().map(|status| (status, known.count(status))).collect();
        Figures { position: known.position.unwrap_or(0), from: known.from, gaps: known.gaps, by_status, verdicts: known.verdicts }
    }

    /// The database, opened again if a failure has closed it.
    fn database(&self) -> Result<OpenDatabase<'_>, Error> {
        loop {
            let opened = self.database.read().unwrap_or_else(PoisonError::into_inner);
            if opened.is_some() {
                return Ok(OpenDatabase(opened));
            }
            drop(opened);
            let mut closed = self.database.write().unwrap_or_else(PoisonError::into_inner);
            if closed.is_none() {
                let database = (self.opens)()?;
                // What a transaction left whose end is not known may be readable and not durable. One of our own makes it so,
                // before anybody is told of it.
                let known = Known::read(&database)?;
                let mut write = database.begin_write().map_err(Error::write)?;
                write.set_quick_repair(true);
                write.open_table(META).map_err(Error::write)?.insert(NAMED_FORMAT, FORMAT).map_err(Error::write)?;
                write.commit().map_err(Error::write)?;
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
                *closed = Some(database);
                tracing::info!("the alert store was opened again");
            }
        }
    }

    fn read<T>(&self, what: impl FnOnce(&Database) -> Result<T, Error>) -> Result<T, Error> {
        let done = {
            let opened = self.database()?;
            what(&opened)
        };
        // What cannot be used any more is closed, so that the next who needs it opens it again.
        if done.as_ref().is_err_and(|error| error.disposition() == Disposition::Retry) {
            *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        done
    }

    /// One durable transaction. What it leaves is known only once it is on disk.
    fn transaction<T>(&self, change: impl FnOnce(&redb::WriteTransaction, &mut Known) -> Result<T, Error>) -> Result<T, Error> {
        let _writer: MutexGuard<'_, ()> = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.read(|database| {
            let mut known = self.known();
            let mut transaction = database.begin_write().map_err(Error::write)?;
            // Twice the fsync, and no walk over gigabytes after a crash: nobody waits for this thread, and everybody would for that.
            transaction.set_quick_repair(true);
            let value = change(&transaction, &mut known)?;
            transaction.commit().map_err(Error::write)?;
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
            Ok(value)
        })
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Makes the tables of a new file; refuses one that is none of ours.
fn prepare(database: &Database, shown: &Path) -> Result<(), Error> {
    let foreign = |why: String| Error::Foreign { path: shown.to_owned(), why };
    let read = database.begin_read().map_err(Error::read)?;
    let names: Vec<String> = read.list_tables().map_err(Error::read)?.map(|table| table.name().to_owned()).collect();
    if names.is_empty() {
        let write = database.begin_write().map_err(Error::write)?;
        tables::make(&write)?;
        return write.commit().map_err(Error::write);
    }
    // The outbox has a table of such a name too, and none of states.
    for needed in [META.name(), tables::STATES.name()] {
        if !names.iter().any(|name| name == needed) {
            return Err(foreign(format!("its tables are {}", names.join(", "))));
        }
    }
    let meta = read.open_table(META).map_err(|error| foreign(error.to_string()))?;
    match meta.get(NAMED_FORMAT).map_err(Error::read)?.map(|value| value.value()) {
        Some(FORMAT) => Ok(()),
        Some(1) => {
            let mut write = database.begin_write().map_err(Error::write)?;
            write.set_quick_repair(true);
            apply::renew(&write)?;
            write.commit().map_err(Error::write)
        }
        Some(format) => Err(Error::Newer { path: shown.to_owned(), format }),
        None => Err(foreign("it names no format".to_owned())),
    }
}

/// The database while somebody uses it.
struct OpenDatabase<'a>(RwLockReadGuard<'a, Option<Database>>);

impl std::ops::Deref for OpenDatabase<'_> {
    type Target = Database;

    fn deref(&self) -> &Database {
        self.0.as_ref().expect("it is handed out only while it is open")
    }
}

impl Known {
    fn read(database: &Database) -> Result<Self, Error> {
        let read = database.begin_read().map_err(Error::read)?;
        let meta = read.open_table(META).map_err(Error::read)?;
        let number = |name: &str| Ok::<_, Error>(meta.get(name).map_err(Error::read)?.map(|value| value.value()));
        let mut known = Self { position: number(POSITION)?, from: number(FROM)?.unwrap_or(0), ..Self::default() };
        for (status, count) in Status::ALL.into_iter().zip(&mut known.counts) {
            *count = number(status.name())?.unwrap_or(0);
        }
        for entry in read.open_table(GAPS).map_err(Error::read)?.iter().map_err(Error::read)? {
            let (first, last) = entry.map_err(Error::read)?;
            known.gaps.push((first.value(), last.value()));
        }
        for entry in read.open_table(VERDICTS).map_err(Error::read)?.iter().map_err(Error::read)? {
            let (key, count) = entry.map_err(Error::read)?;
            let (rule, name) = key.value();
            let Some(verdict) = Verdict::named(name) else { continue };
            known.verdicts.insert((rule.to_owned(), verdict), count.value());
        }
        Ok(known)
    }

    fn count(&self, status: Status) -> u64 {
        self.counts.get(status as usize).copied().unwrap_or(0)
    }

    fn count_mut(&mut self, status: Status) -> &mut u64 {
        self.counts.get_mut(status as usize).expect("there is one of each status")
    }

    fn alerts(&self) -> u64 {
        self.counts.iter().sum()
    }
}

fn open_error(path: &Path, source: DatabaseError) -> Error {
    let path = path.to_owned();
    match source.into() {
        Unopened::Held => Error::Held { path },
        Unopened::Foreign(why) => Error::Foreign { path, why },
        Unopened::Failed(source) => Error::Open { path, source },
    }
}
