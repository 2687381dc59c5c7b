//! The outbox: effects kept on disk until their receiver has acknowledged them.
//!
//! One file, one durable transaction a commit. What a commit holds is there whole or not at all, whatever happens to the
//! process or the machine:
//!
//! ```text
//! meta            "format" → 2 · "position" → newest committed log position; it never falls
//!                 "alerts_from" → position from which on `alerts` holds every one; absent in files of before it was kept
//! alerts          (position, n) → BLAKE3 of the alert's JSON cut to 128 bits, to compare a replay with
//! engines         position → version of the engine that committed from there on
//! sinks           sink → (next seq, pending, parked, bytes)
//! queue           (sink, seq) → item, pending; a sink takes them in order of seq
//! newest_scores   (sink, entity) → (seq, version) of the score in `queue`: one an entity, the newest
//! parked          (sink, seq) → item and answer: what the receiver would not have
//! parked_scores   (sink, entity) → seq of the score in `parked`
//! standing        (sink, key) → page: what stands at a receiver that forgets, and is said again until its end
//! ```
//!
//! Values are postcard. A score that changes again before it is delivered takes the place of the older one and goes to
//! the end of the queue, so a sink that is away for an hour holds one score an entity; a parked score goes when a newer
//! one comes. What is settled under an older seq leaves the newer one alone.
//!
//! Commits are redb's plain one-phase kind: one fsync, checksums telling a torn one after a crash. Two phases (a second
//! fsync a commit) guard against somebody who both chooses the bytes and the order in which pages reach the disk, whom
//! this file does not face; quick repair doubles the time of every commit to save a walk over the file after a crash,
//! which takes some 2 s a GiB. `outbox/measure.rs` has the figures.
//!
//! Nothing raw is in here: items hold pseudonyms and masks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, TryLockError};

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageBackend, TableHandle};
use serde::{Deserialize, Serialize};

use crate::Disposition;
use crate::effect::{Item, Page, Settled, Standing};
use crate::embedded::{Unopened, builder, make_missing};

pub mod backend;
mod commit;
mod former;
#[cfg(test)]
mod full;
#[cfg(test)]
mod measure;
mod tables;
#[cfg(test)]
mod tests;

use tables::{ALERTS, Counters, ENGINES, FORMAT, META, PARKED, QUEUE, SINKS, STANDING, decode};

/// As messages call it.
const NAME: &str = "outbox";

/// Why the outbox cannot go on. Where it may pass ([`Error::disposition`]) the same can be asked for again; after any other it
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
    #[error("{} has outbox format {format}, and this rasid reads up to {FORMAT}: run the rasid that wrote it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u64,
    },
    /// The file is something else.
    #[error("{} is no outbox of rasid: {why}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it has that an outbox has not, or the other way round.
        why: String,
    },
    /// The file cannot be made or opened.
    #[error("cannot open the outbox {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: Box<redb::Error>,
    },
    /// The file cannot be read or written on. Whether what was being committed is durable is not known.
    #[error("cannot {what} the outbox")]
    Store {
        /// `read` or `write`.
        what: &'static str,
        /// The system's answer.
        #[source]
        source: Box<redb::Error>,
    },
    /// A value in the file is not what its table holds.
    #[error("the outbox is damaged: {what} cannot be read")]
    Damaged {
        /// Which value.
        what: String,
        /// The decoder's answer.
        #[source]
        source: postcard::Error,
    },
    /// A commit that would go back in the log. Nothing of it was done.
    #[error("a commit at position {asked} after one at {committed}: positions never fall")]
    PositionFell {
        /// Committed before.
        committed: u64,
        /// Asked for.
        asked: u64,
    },
    /// An item of another commit: sent already, or made of what is not committed (invariant C1). Nothing of the commit was done.
    #[error("an item of position {position} in a commit of positions {after} to {upto}")]
    ItemOutside {
        /// The item's position.
        position: u64,
        /// Committed before, excluded.
        after: u64,
        /// The commit's position, included.
        upto: u64,
    },
    /// An alert outside its commit, or out of order in it. Nothing of the commit was done.
    #[error("an alert of position {position} in a commit of positions {after} to {upto}, or not in order")]
    AlertOutside {
        /// The alert's position.
        position: u64,
        /// Committed before, excluded.
        after: u64,
        /// The commit's position, included.
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

/// What goes into the outbox at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Commit<'a> {
    /// The log is processed up to here. The same as before where only answers are committed.
    pub position: u64,
    /// The alerts of the positions since the last commit, in order, also those that nobody is told of.
    pub alerts: &'a [CommittedAlert<'a>],
    /// What leaves, in order. Their `seq` is given here, whatever it is.
    pub items: &'a [Item],
    /// What became of items committed before.
    pub settled: &'a [Settled],
    /// What that has changed of what stands at receivers, in order.
    pub standing: &'a [Standing],
}

/// An alert as a replay would make it again.
#[derive(Clone, Copy, Debug)]
pub struct CommittedAlert<'a> {
    /// The log position that opened it.
    pub position: u64,
    /// Its JSON, byte for byte.
    pub json: &'a [u8],
}

/// An item that its receiver would not have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parked {
    /// The item.
    pub item: Item,
    /// What the receiver said.
    pub answer: String,
}

/// How much one sink has in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The sink's name.
    pub sink: String,
    /// Items that wait for their receiver.
    pub pending: u64,
    /// Items that the receiver would not have.
    pub parked: u64,
}

/// Effects kept until their receiver acknowledged them. Any number of readers beside one writer; a commit blocks for an
/// fsync, so it belongs on a thread that may block.
pub struct Outbox {
    /// `None` after a failure that may pass: redb does nothing more with a file that it once could not write. Whoever needs it
    /// next opens it again.
    database: RwLock<Option<Database>>,
    opens: Box<dyn Fn() -> Result<Database, Error> + Send + Sync>,
    path: Option<PathBuf>,
    /// Held while a transaction writes, so that `kept` is what the newest one left.
    writer: Mutex<Writer>,
    kept: RwLock<Kept>,
}

/// What the writer remembers.
#[derive(Debug, Default)]
struct Writer {
    /// The position of a commit that has failed, and may be durable all the same.
    doubtful: Option<u64>,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").field("path", &self.path).field("kept", &self.kept).finish_non_exhaustive()
    }
}

/// What is asked for often, as of the last commit.
#[derive(Clone, Debug, Default)]
struct Kept {
    position: u64,
    /// From there on every alert is held.
    alerts_from: u64,
    alerts: u64,
    sinks: BTreeMap<String, Counters>,
}

impl Outbox {
    /// Opens the outbox in the file at `path`, made if it is not there. After a crash it is brought back to the last
    /// commit that was whole.
    pub fn open(path: &Path) -> Result<Self, Error> {
        make_missing(NAME, path).map_err(|source| open_error(path, source))?;
        let opened = path.to_owned();
        let opens = move || builder(NAME).open(&opened).map_err(|source| open_error(&opened, source));
        Self::over(Box::new(opens), path, Some(path.to_owned()))
    }

    /// An outbox over something else than a file, such as [`backend::Memory`]; `backend` gives it anew each time it is opened.
    pub fn with_backend<B: StorageBackend>(backend: impl Fn() -> B + Send + Sync + 'static) -> Result<Self, Error> {
        let path = Path::new("in memory");
        let opens = move || builder(NAME).create_with_backend(backend()).map_err(|source| open_error(path, source));
        Self::over(Box::new(opens), path, None)
    }

    fn over(opens: Box<dyn Fn() -> Result<Database, Error> + Send + Sync>, shown: &Path, path: Option<PathBuf>) -> Result<Self, Error> {
        let database = opens()?;
        Self::prepare(&database, shown)?;
        let kept = RwLock::new(Kept::read(&database)?);
        Ok(Self { database: RwLock::new(Some(database)), opens, path, writer: Mutex::default(), kept })
    }

    /// Makes the tables of a new file; refuses one that is none of ours.
    fn prepare(database: &Database, shown: &Path) -> Result<(), Error> {
        let read = database.begin_read().map_err(Error::read)?;
        let names: Vec<String> = read.list_tables().map_err(Error::read)?.map(|table| table.name().to_owned()).collect();
        if names.is_empty() {
            let write = database.begin_write().map_err(Error::write)?;
            tables::make(&write)?;
            write.commit().map_err(Error::write)?;
        } else if names.iter().any(|name| name == META.name()) {
            let foreign = |why: redb::TableError| Error::Foreign { path: shown.to_owned(), why: why.to_string() };
            let format = read.open_table(META).map_err(foreign)?.get("format").map_err(Error::read)?.map(|value| value.value());
            match format {
                Some(FORMAT) => {}
                Some(format) if former::FORMATS.contains(&format) => {
                    let write = database.begin_write().map_err(Error::write)?;
                    let items = former::renew(format, &write)?;
                    write.open_table(META).map_err(Error::write)?.insert("format", FORMAT).map_err(Error::write)?;
                    write.commit().map_err(Error::write)?;
                    tracing::info!(from = format, to = FORMAT, items, "the outbox is written in another format from now on");
                }
                Some(format) => return Err(Error::Newer { path: shown.to_owned(), format }),
                None => return Err(Error::Foreign { path: shown.to_owned(), why: "it names no format".to_owned() }),
            }
        } else {
            return Err(Error::Foreign { path: shown.to_owned(), why: format!("its tables are {}", names.join(", ")) });
        }
        Ok(())
    }

    /// The database, opened again if a failure has closed it.
    fn database(&self) -> Result<Opened<'_>, Error> {
        loop {
            let opened = self.database.read().unwrap_or_else(PoisonError::into_inner);
            if opened.is_some() {
                return Ok(Opened(opened));
            }
            drop(opened);
            let mut closed = self.database.write().unwrap_or_else(PoisonError::into_inner);
            if closed.is_none() {
                let database = (self.opens)()?;
                // What a commit left whose end is not known may be readable and not durable. A transaction of our own makes
                // it so, before anybody is told of it.
                let write = database.begin_write().map_err(Error::write)?;
                let kept = Kept::read(&database)?;
                write.open_table(META).map_err(Error::write)?.insert("position", kept.position).map_err(Error::write)?;
                write.commit().map_err(Error::write)?;
                *self.kept.write().unwrap_or_else(PoisonError::into_inner) = kept;
                *closed = Some(database);
                tracing::info!("the outbox was opened again");
            }
        }
    }

    /// Closes what cannot be used any more, so that the next who needs it opens it again.
    fn unless_failed<T>(&self, done: Result<T, Error>) -> Result<T, Error> {
        if done.as_ref().is_err_and(|error| error.disposition() == Disposition::Retry) {
            *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        done
    }

    fn read<T>(&self, what: impl FnOnce(&Database) -> Result<T, Error>) -> Result<T, Error> {
        let done = {
            let opened = self.database()?;
            what(&opened)
        };
        self.unless_failed(done)
    }

    /// The newest committed log position; 0 before the first commit.
    pub fn position(&self) -> u64 {
        self.kept().position
    }

    /// Puts a commit in the outbox durably, as one, and gives its items back with their seqs; a score that is older than
    /// the one already pending is left out.
    ///
    /// After an error that may pass, ask for the same again: if it turns out to have been done, it is not done twice, and no
    /// items are given back; they are in the queues.
    pub fn commit(&self, commit: Commit<'_>) -> Result<Vec<Item>, Error> {
        let mut writer = self.writer();
        let before = self.position();
        let done = self.transaction(|transaction, kept| {
            if writer.doubtful == Some(commit.position) && kept.position == commit.position {
                return Ok(Vec::new());
            }
            commit::apply(transaction, kept, commit)
        });
        // One that moves no position holds answers alone, and those may be given twice.
        let may_be_in = done.as_ref().is_err_and(|error| error.disposition() == Disposition::Retry) && commit.position > before;
        writer.doubtful = if may_be_in { Some(commit.position) } else { writer.doubtful.filter(|_| done.is_err()) };
        done
    }

    /// The oldest items of a sink after `after_seq`, in order, at most `max`.
    pub fn pending(&self, sink: &str, after_seq: u64, max: usize) -> Result<Vec<Item>, Error> {
        let Some(first) = after_seq.checked_add(1) else { return Ok(Vec::new()) };
        self.read(|database| {
            let queue = database.begin_read().map_err(Error::read)?.open_table(QUEUE).map_err(Error::read)?;
            let found = queue.range((sink, first)..=(sink, u64::MAX)).map_err(Error::read)?;
            found.take(max).map(|entry| decode("an item", entry.map_err(Error::read)?.1.value())).collect()
        })
    }

    /// When the oldest item of a sink was committed, Unix ms. For figures: where it cannot be read at once, there is none.
    pub fn oldest_ms(&self, sink: &str) -> Option<i64> {
        let opened = match self.database.try_read() {
            Ok(opened) => opened,
            Err(TryLockError::Poisoned(opened)) => opened.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let queue = opened.as_ref()?.begin_read().ok()?.open_table(QUEUE).ok()?;
        let (_, item) = queue.range((sink, 0)..=(sink, u64::MAX)).ok()?.next()?.ok()?;
        decode::<Item>("an item", item.value()).ok().map(|item| item.committed_ms)
    }

    /// How many items of a sink are pending.
    pub fn depth(&self, sink: &str) -> u64 {
        self.kept().sinks.get(sink).map_or(0, |counters| counters.pending)
    }

    /// Every sink that ever had an item, by name, also those that are no longer configured.
    pub fn held(&self) -> Vec<Held> {
        let kept = self.kept();
        let held =
            kept.sinks.iter().map(|(sink, counters)| Held { sink: sink.clone(), pending: counters.pending, parked: counters.parked });
        held.collect()
    }

    /// Bytes of what is kept: pending, parked, and hashes of alerts. It is what a bound must look at: it falls as
    /// receivers take what waits, while the file shrinks late and by halves.
    pub fn bytes(&self) -> u64 {
        let kept = self.kept();
        kept.sinks.values().map(|counters| counters.bytes).sum::<u64>() + kept.alerts * tables::ALERT_BYTES
    }

    /// Position and hash of the alerts committed from position `from` to position `to`, both included, in order.
    pub fn alerts_between(&self, from: u64, to: u64) -> Result<Vec<(u64, [u8; 16])>, Error> {
        if from > to {
            return Ok(Vec::new());
        }
        self.read(|database| {
            let alerts = database.begin_read().map_err(Error::read)?.open_table(ALERTS).map_err(Error::read)?;
            let found = alerts.range((from, 0)..=(to, u32::MAX)).map_err(Error::read)?;
            found
                .map(|entry| {
                    let (key, hash) = entry.map_err(Error::read)?;
                    Ok((key.value().0, hash.value()))
                })
                .collect()
        })
    }

    /// The position from which on the hash of every committed alert is held; what was committed before it is not known any
    /// more, which says nothing about it.
    pub fn alerts_from(&self) -> u64 {
        self.kept().alerts_from
    }

    /// Says that what is committed from now on is made by the engine of this version.
    pub fn commits_by(&self, engine: &str) -> Result<(), Error> {
        if self.engines()?.last().is_some_and(|(_, known)| known == engine) {
            return Ok(());
        }
        self.write(|transaction, kept| commit::commits_by(transaction, kept, engine))
    }

    /// From which position on which version of the engine has committed, in order. What lies before the first is of a
    /// version that is not known.
    pub fn engines(&self) -> Result<Vec<(u64, String)>, Error> {
        self.read(|database| {
            let engines = database.begin_read().map_err(Error::read)?.open_table(ENGINES).map_err(Error::read)?;
            let found = engines.iter().map_err(Error::read)?;
            found
                .map(|entry| {
                    let (from, engine) = entry.map_err(Error::read)?;
                    Ok((from.value(), engine.value().to_owned()))
                })
                .collect()
        })
    }

    /// Drops the hashes of alerts before `position`, the oldest that a replay can begin at.
    pub fn forget_alerts_before(&self, position: u64) -> Result<(), Error> {
        self.write(|transaction, kept| commit::forget_alerts(transaction, kept, position))
    }

    /// The oldest parked items, of one sink or of all, by sink and seq; at most `max`.
    pub fn parked(&self, sink: Option<&str>, max: usize) -> Result<Vec<Parked>, Error> {
        self.parked_where(sink, 0, max, |_| true)
    }

    /// The oldest parked items that are wanted, of one sink or of all, by sink and seq; those behind seq `after` of each,
    /// at most `max`.
    pub fn parked_where(
        &self,
        sink: Option<&str>,
        after: u64,
        max: usize,
        mut wanted: impl FnMut(&Parked) -> bool,
    ) -> Result<Vec<Parked>, Error> {
        self.read(|database| {
            let parked = database.begin_read().map_err(Error::read)?.open_table(PARKED).map_err(Error::read)?;
            let found = match sink {
                Some(sink) => parked.range((sink, after.saturating_add(1))..=(sink, u64::MAX)),
                None => parked.iter(),
            };
            let mut items = Vec::new();
            for entry in found.map_err(Error::read)? {
                if items.len() == max {
                    break;
                }
                let (key, value) = entry.map_err(Error::read)?;
                let parked: Parked = decode("a parked item", value.value())?;
                if key.value().1 > after && wanted(&parked) {
                    items.push(parked);
                }
            }
            Ok(items)
        })
    }

    /// The newest seq at which something of that sink is parked; 0 where nothing is.
    pub fn parked_newest(&self, sink: &str) -> Result<u64, Error> {
        self.read(|database| {
            let parked = database.begin_read().map_err(Error::read)?.open_table(PARKED).map_err(Error::read)?;
            let newest = parked.range((sink, 0)..=(sink, u64::MAX)).map_err(Error::read)?.next_back();
            Ok(newest.transpose().map_err(Error::read)?.map_or(0, |(key, _)| key.value().1))
        })
    }

    /// What stands at a sink's receiver, by key, as of the last commit.
    pub fn standing(&self, sink: &str) -> Result<Vec<(String, Page)>, Error> {
        self.read(|database| {
            let standing = database.begin_read().map_err(Error::read)?.open_table(STANDING).map_err(Error::read)?;
            let mut pages = Vec::new();
            for entry in standing.range((sink, "")..).map_err(Error::read)? {
                let (key, page) = entry.map_err(Error::read)?;
                if key.value().0 != sink {
                    break;
                }
                pages.push((key.value().1.to_owned(), decode("a standing page", page.value())?));
            }
            Ok(pages)
        })
    }

    /// Puts a parked item back at the end of its sink's queue, and gives it with its new seq; `None` where there is none.
    pub fn unpark(&self, sink: &str, seq: u64) -> Result<Option<Item>, Error> {
        self.write(|transaction, kept| commit::unpark(transaction, kept, sink, seq))
    }

    /// The same for many, in one transaction, in the order of `seqs`; the seqs that they had.
    pub fn unpark_all(&self, sink: &str, seqs: &[u64]) -> Result<Vec<u64>, Error> {
        self.write(|transaction, kept| commit::unpark_all(transaction, kept, sink, seqs))
    }

    /// Drops parked items that were committed before an instant, Unix ms, and says how many.
    pub fn forget_parked_before(&self, committed_ms: i64) -> Result<u64, Error> {
        self.write(|transaction, kept| commit::forget_parked(transaction, kept, committed_ms))
    }

    fn write<T>(&self, change: impl FnOnce(&redb::WriteTransaction, &mut Kept) -> Result<T, Error>) -> Result<T, Error> {
        let _writer = self.writer();
        self.transaction(change)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One durable transaction, of whoever is the writer. What it leaves is kept only once it is on disk.
    fn transaction<T>(&self, change: impl FnOnce(&redb::WriteTransaction, &mut Kept) -> Result<T, Error>) -> Result<T, Error> {
        self.read(|database| {
            let mut kept = self.kept();
            let transaction = database.begin_write().map_err(Error::write)?;
            let value = change(&transaction, &mut kept)?;
            transaction.commit().map_err(Error::write)?;
            *self.kept.write().unwrap_or_else(PoisonError::into_inner) = kept;
            Ok(value)
        })
    }

    fn kept(&self) -> Kept {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The database while somebody uses it.
struct Opened<'a>(RwLockReadGuard<'a, Option<Database>>);

impl std::ops::Deref for Opened<'_> {
    type Target = Database;

    fn deref(&self) -> &Database {
        self.0.as_ref().expect("it is handed out only while it is open")
    }
}

impl Kept {
    fn read(database: &Database) -> Result<Self, Error> {
        let read = database.begin_read().map_err(Error::read)?;
        let position = read.open_table(META).map_err(Error::read)?.get("position").map_err(Error::read)?.map_or(0, |value| value.value());
        let digests = read.open_table(ALERTS).map_err(Error::read)?;
        let alerts = digests.len().map_err(Error::read)?;
        // A file of before this was kept may have forgotten some already: what it holds begins with the oldest it has.
        let oldest = digests.first().map_err(Error::read)?.map_or(position + 1, |(key, _)| key.value().0);
        let alerts_from = read.open_table(META).map_err(Error::read)?.get("alerts_from").map_err(Error::read)?;
        let alerts_from = alerts_from.map_or(if position == 0 { 0 } else { oldest }, |value| value.value());
        let mut sinks = BTreeMap::new();
        for entry in read.open_table(SINKS).map_err(Error::read)?.iter().map_err(Error::read)? {
            let (sink, counters) = entry.map_err(Error::read)?;
            sinks.insert(sink.value().to_owned(), counters.value().into());
        }
        Ok(Self { position, alerts_from, alerts, sinks })
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
