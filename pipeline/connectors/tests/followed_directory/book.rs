//! What is read of a followed folder, and what is told of it.

use std::future::pending;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rasid_connectors::Error;
use rasid_connectors::source::{
    Appender, DirectoryConfig, FileConfig, Footing, Incoming, Merge, MergeConfig, MergeHandle, Notice, Observer, follow_directory,
};
use rasid_connectors::storage::{Memory, Storage};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Longer than a busy machine takes.
pub(crate) const SOON: Duration = Duration::from_mins(2);

/// A log in memory, and what is kept beside it.
#[derive(Clone, Default)]
pub(crate) struct Book {
    written: Arc<Mutex<Vec<Incoming>>>,
    pub(crate) kept: Memory,
    pub(crate) told: Arc<Told>,
}

#[async_trait]
impl Appender for Book {
    async fn append(&self, records: Vec<Incoming>) -> Result<u64, Error> {
        let mut written = self.written.lock().expect("no panic");
        written.extend(records);
        Ok(written.len() as u64)
    }
}

impl Book {
    pub(crate) fn texts(&self) -> Vec<String> {
        self.written.lock().expect("no panic").iter().map(|record| String::from_utf8_lossy(&record.bytes).into_owned()).collect()
    }

    pub(crate) fn streams(&self) -> Vec<String> {
        let written = self.written.lock().expect("no panic");
        written.iter().map(|record| record.stream.rsplit('/').next().expect("a name").to_owned()).collect()
    }

    pub(crate) async fn holds(&self, count: usize) -> Vec<String> {
        let full = timeout(SOON, async {
            while self.texts().len() < count {
                sleep(Duration::from_millis(2)).await;
            }
        });
        full.await.unwrap_or_else(|_| panic!("{count} come: {:?}, told {:?}", self.texts(), self.told.all()));
        self.texts()
    }

    /// Forgets the last records, as a kill does that came before they were durable.
    pub(crate) fn lose(&self, count: usize) {
        let mut written = self.written.lock().expect("no panic");
        let left = written.len() - count;
        written.truncate(left);
    }
}

/// What streams tell.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<String>>);

impl Told {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }

    /// How often something of that kind was told.
    pub(crate) fn of(&self, kind: &str) -> usize {
        self.all().iter().filter(|told| told.split(' ').nth(1) == Some(kind)).count()
    }

    pub(crate) async fn says(&self, kind: &str, count: usize) {
        let said = timeout(SOON, async {
            while self.of(kind) < count {
                sleep(Duration::from_millis(2)).await;
            }
        });
        said.await.unwrap_or_else(|_| panic!("{kind} is told: {:?}", self.all()));
    }
}

impl Observer for Told {
    fn notice(&self, stream: &str, notice: &Notice<'_>) {
        let said = match notice {
            Notice::Fault { error, .. } => format!("fault {error}, alert {}", notice.is_ops_alert()),
            other => format!("{} {other:?}", other.kind()),
        };
        self.0.lock().expect("no panic").push(format!("{stream}: {said}"));
    }
}

/// How quickly the tests' folders are looked at.
pub(crate) fn quick() -> DirectoryConfig {
    DirectoryConfig {
        poll: Duration::from_millis(20),
        settle: Duration::from_millis(60),
        rotate_wait: Duration::from_millis(600),
        file: FileConfig { poll: Duration::from_millis(5), ..FileConfig::default() },
        ..DirectoryConfig::default()
    }
}

/// A service that reads a folder.
pub(crate) struct Following {
    pub(crate) book: Book,
    pub(crate) handle: MergeHandle,
    tasks: Vec<JoinHandle<()>>,
}

impl Following {
    pub(crate) fn start(dir: &Path, book: &Book) -> Self {
        Self::start_with(dir, book, quick(), 128)
    }

    pub(crate) fn start_with(dir: &Path, book: &Book, config: DirectoryConfig, places: usize) -> Self {
        let offsets = book.written.lock().expect("no panic").iter().map(|record| (record.stream.to_string(), record.offset)).collect();
        let observer: Arc<dyn Observer> = book.told.clone();
        let (merge, handle) =
            Merge::new(MergeConfig { opening: SOON, patience: SOON, ..MergeConfig::default() }, offsets, Arc::clone(&observer));
        let storage: Arc<dyn Storage> = Arc::new(book.kept.clone());
        let footing = Footing { handle: handle.clone(), observer, places: Arc::new(Semaphore::new(places)), storage: Some(storage) };
        let (dir, appender) = (dir.to_owned(), book.clone());
        let tasks = vec![
            tokio::spawn(async move { follow_directory(&dir, config, footing).await }),
            tokio::spawn(async move { drop(merge.run(appender, pending()).await.expect("it appends")) }),
        ];
        Self { book: book.clone(), handle, tasks }
    }

    /// Kills it.
    pub(crate) async fn stop(self) {
        for task in self.tasks {
            task.abort();
            drop(task.await);
        }
    }
}
