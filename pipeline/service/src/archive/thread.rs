//! The thread that archives the log behind its commit.
//!
//! It reads the log by itself, so that it holds nobody up: a disk without room, or an archive that is damaged, is told and tried again,
//! and the service goes on. What is in no whole part when it ends is read from the log again at the next start. What the log has retired
//! before it came here, the archive names as a gap.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rasid_archive::{Options, Writer};
use rasid_connectors::latest;
use rasid_connectors::log::{self, Block, LogReader};
use rasid_connectors::seal::Keyring;
use rasid_connectors::storage::Storage;
use rasid_engine::{EngineError, Pseudonymizer};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::archive::Archiver;
use crate::chain::Chain;
use crate::decide::figures::ArchiveFigures;
use crate::error::StartError;
use crate::health::hindrance::{Area, Hindrances};
use crate::recover::layout;
use crate::recover::past::said;

/// Time before it is tried again: each try reads the hour that is not over from its beginning.
const PAUSE: Duration = Duration::from_mins(1);

/// Why archiving stopped for now.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    /// The archive cannot be written.
    #[error(transparent)]
    Archive(#[from] rasid_archive::Error),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] log::Error),
    /// The engine that decodes cannot be set up.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

pub(crate) struct ArchiveThread {
    pub(crate) folder: PathBuf,
    /// Hours that ended longer before the newest go, ms.
    pub(crate) retention_ms: i64,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) keys: Keyring,
    /// Of the secret in force.
    pub(crate) current: Pseudonymizer,
    /// One a secret that was ever in force, the first one first.
    pub(crate) known: Vec<Pseudonymizer>,
    /// The committed position: what is behind it is not archived.
    pub(crate) committed: watch::Receiver<u64>,
    pub(crate) runtime: Handle,
    pub(crate) figures: Arc<ArchiveFigures>,
    pub(crate) hindrances: Hindrances,
}

impl ArchiveThread {
    /// Refuses a folder that is none of this log's, which has the positions `first` to `last`: whoever configured it hears of it at once.
    ///
    /// # Errors
    /// [`StartError`].
    pub(crate) fn check(&self, first: u64, last: u64) -> Result<(), StartError> {
        match self.writer(first, last) {
            Err(error) if !error.is_disk() => Err(StartError::wrong("archive.dir", &error)),
            _ => Ok(()),
        }
    }

    /// Archives until the committer ends.
    pub(crate) fn run(mut self) {
        self.figures.is_on.store(true, Ordering::Relaxed);
        while let Err(error) = self.go() {
            if self.hindrances.is_stopping() {
                return;
            }
            match &error {
                Stopped::Archive(error) if error.is_disk() => self.hindrances.meet(Area::Archive, error),
                error => tracing::error!(error = %Chain(error), "cannot archive; tried again every minute"),
            }
            self.hindrances.wait(PAUSE);
        }
    }

    fn writer(&self, from: u64, last: u64) -> Result<Writer, rasid_archive::Error> {
        Writer::resume(&self.folder, &self.current, from, last, Options::default())
    }

    /// Goes on from what is whole, until the committer ends.
    fn go(&mut self) -> Result<(), Stopped> {
        let oldest = LogReader::oldest(Arc::clone(&self.storage), layout::LOG, self.keys.clone())?.position();
        let committed = latest(&self.committed);
        let writer = self.writer(oldest, committed)?;
        self.hindrances.over(Area::Archive);
        let next = writer.next();
        let mut archiver = Archiver::new(writer, &self.current, self.known.clone(), 1)?;
        let mut reader = LogReader::open(Arc::clone(&self.storage), layout::LOG, self.keys.clone(), next)?;
        let (mut block, mut whole) = (Block::default(), next);
        self.tell(&archiver, (0, 0));
        loop {
            let committed = *self.committed.borrow_and_update();
            while reader.position() <= committed && reader.next(&mut block)? {
                let before = archiver.writer().written();
                for said in said(&block) {
                    archiver.take(&said, block.appended_ms())?;
                }
                archiver.writer_mut().reach(block.end() - 1);
                if archiver.writer().next() > whole {
                    whole = archiver.writer().next();
                    archiver.writer_mut().retire(self.retention_ms)?;
                    tracing::debug!(position = whole - 1, "archived");
                }
                let after = archiver.writer().written();
                self.tell(&archiver, (after.rows - before.rows, after.parts - before.parts));
                if self.hindrances.is_stopping() {
                    return Ok(());
                }
            }
            let runtime = self.runtime.clone();
            if runtime.block_on(self.committed.changed()).is_err() {
                return Ok(());
            }
        }
    }

    fn tell(&self, archiver: &Archiver, (rows, parts): (u64, u64)) {
        let writer = archiver.writer();
        self.figures.rows.fetch_add(rows, Ordering::Relaxed);
        self.figures.parts.fetch_add(parts, Ordering::Relaxed);
        self.figures.bytes.store(writer.manifest().bytes(), Ordering::Relaxed);
        self.figures.position.store(writer.next() - 1, Ordering::Relaxed);
        self.figures.reached.store(writer.reached(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use rasid_archive::{Control as Kept, Reader, Stretch, verify};
    use rasid_connectors::log::{Control, Entry, LogConfig, LogWriter, Origin};
    use rasid_connectors::storage::Memory;

    use super::*;

    const SECRET: &[u8] = b"a secret that is long enough";
    const HOUR_MS: i64 = 3_600_000;

    struct Log {
        storage: Arc<dyn Storage>,
        keys: Keyring,
        writer: LogWriter,
        committed: watch::Sender<u64>,
    }

    impl Log {
        fn new() -> Self {
            let storage: Arc<dyn Storage> = Arc::new(Memory::new());
            let keys = Keyring::open(Arc::clone(&storage), layout::KEYS, SECRET).expect("memory");
            let (writer, _) = LogWriter::open(Arc::clone(&storage), layout::LOG, keys.clone(), LogConfig::default()).expect("memory");
            Self { storage, keys, writer, committed: watch::Sender::new(0) }
        }

        /// One event a minute of an hour, and a tick.
        fn hour(&mut self, hour: i64) {
            for minute in 0..60 {
                let arrival_ms = hour * HOUR_MS + minute * 60_000;
                let time = rasid_detectors::event::time::format_rfc3339(arrival_ms);
                let event = format!(
                    r#"{{"specversion":"1.0","id":"e{hour}-{minute}","source":"/t","type":"auth.login_failed","time":"{time}","data":{{"user_id":"u","ip":"192.0.2.1","method":"password","reason":"bad_credential"}}}}"#
                );
                let event = Entry::Event { arrival_ms, origin: Origin { stream: "s", offset: 0 }, bytes: event.as_bytes() };
                let tick = Entry::Control(Control::Tick { at_ms: arrival_ms + 1_000 });
                self.writer.append(arrival_ms, &[event, tick]).expect("memory");
            }
        }

        fn commit(&self) {
            self.committed.send_replace(self.writer.next_position() - 1);
        }

        fn thread(&self, folder: &std::path::Path, retention_ms: i64) -> ArchiveThread {
            ArchiveThread {
                folder: folder.to_owned(),
                retention_ms,
                storage: Arc::clone(&self.storage),
                keys: self.keys.clone(),
                current: Pseudonymizer::new(SECRET, 1).expect("long enough"),
                known: Vec::new(),
                committed: self.committed.subscribe(),
                runtime: Handle::current(),
                figures: Arc::default(),
                hindrances: Hindrances::default(),
            }
        }
    }

    /// What is committed is archived, hour by hour; what was not whole is read again by the next one, and what is old goes.
    #[tokio::test]
    async fn hours_that_are_over_are_archived_and_the_next_start_goes_on_from_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = Log::new();
        log.hour(500_000);
        log.hour(500_001);
        log.commit();
        log.hour(500_002);
        let committed = std::mem::replace(&mut log.committed, watch::Sender::new(240));
        let thread = ArchiveThread { committed: committed.subscribe(), ..log.thread(folder.path(), i64::MAX) };
        thread.check(1, 360).expect("a new folder");
        let figures = Arc::clone(&thread.figures);
        drop(committed);
        std::thread::spawn(move || thread.run()).join().expect("no panic");
        let stats = figures.stats(240).expect("it is on");
        assert_eq!(
            (stats.rows_total, stats.parts_total, stats.lag_records, stats.position),
            (120, 2, 0, 120),
            "the second hour is not over"
        );

        // A day later, after a start.
        log.hour(500_024);
        log.commit();
        let thread = log.thread(folder.path(), HOUR_MS);
        let committed = std::mem::replace(&mut log.committed, watch::Sender::new(0));
        drop(committed);
        std::thread::spawn(move || thread.run()).join().expect("no panic");
        let pseudonymizer = Pseudonymizer::new(SECRET, 1).expect("long enough");
        assert!(verify(folder.path(), Some(&pseudonymizer)).faults.is_empty());
        let mut reader = Reader::open(folder.path(), &pseudonymizer).expect("whole");
        let retired = reader.manifest().retired.clone().expect("the first hours are old");
        assert_eq!((retired.hours, retired.last), (1, 120));
        let mut positions = Vec::new();
        while let Some(stretch) = reader.stretch().expect("whole") {
            match stretch {
                Stretch::Events(events) => positions.extend(events.iter().map(|event| event.position)),
                Stretch::Said(said) => {
                    assert!(matches!(said.control, Kept::Tick(_)));
                    positions.push(said.position);
                }
            }
        }
        assert_eq!(positions, (121..=360).collect::<Vec<u64>>());
        let other = ArchiveThread {
            current: Pseudonymizer::new(b"another one, long enough", 1).expect("long enough"),
            ..log.thread(folder.path(), 1)
        };
        assert!(other.check(1, 480).expect_err("another secret").to_string().contains("archive.dir"));
    }
}
