//! A followed folder through the merge.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::future::pending;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rasid_connectors::Error;
use rasid_connectors::source::{
    Appender, DirectoryConfig, FileConfig, Incoming, Merge, MergeConfig, MergeHandle, Notice, Observer, State, Traced, follow_directory,
};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Longer than a busy machine takes.
const SOON: Duration = Duration::from_mins(2);

#[derive(Clone, Default)]
struct Book(Arc<Mutex<Vec<Incoming>>>);

#[async_trait]
impl Appender for Book {
    async fn append(&self, records: Vec<Incoming>) -> Result<u64, Error> {
        let mut written = self.0.lock().expect("no panic");
        written.extend(records);
        Ok(written.len() as u64)
    }
}

impl Book {
    fn texts(&self) -> Vec<String> {
        self.0.lock().expect("no panic").iter().map(|record| String::from_utf8_lossy(&record.bytes).into_owned()).collect()
    }

    async fn holds(&self, count: usize) -> Vec<String> {
        let full = timeout(SOON, async {
            while self.texts().len() < count {
                sleep(Duration::from_millis(2)).await;
            }
        });
        full.await.unwrap_or_else(|_| panic!("{count} come: {:?}", self.texts()));
        self.texts()
    }
}

struct Following {
    book: Book,
    handle: MergeHandle,
    tasks: Vec<JoinHandle<()>>,
}

impl Following {
    fn start(dir: &Path, book: &Book) -> Self {
        let offsets = book.0.lock().expect("no panic").iter().map(|record| (record.stream.to_string(), record.offset)).collect();
        let (merge, handle) =
            Merge::new(MergeConfig { opening: SOON, patience: SOON, ..MergeConfig::default() }, offsets, Arc::new(Traced));
        let file = FileConfig { poll: Duration::from_millis(5), ..FileConfig::default() };
        let config = DirectoryConfig { poll: Duration::from_millis(20), file, ..DirectoryConfig::default() };
        let (dir, following, appender) = (dir.display().to_string(), handle.clone(), book.clone());
        let tasks = vec![
            tokio::spawn(async move { follow_directory(&dir, config, following, Arc::new(Traced)).await }),
            tokio::spawn(async move { drop(merge.run(appender, pending()).await.expect("it appends")) }),
        ];
        Self { book: book.clone(), handle, tasks }
    }

    fn stop(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn event(second: u32) -> String {
    format!("{{\"time\":\"2026-11-21T10:00:{second:02}Z\"}}\n")
}

fn seconds(texts: &[String]) -> Vec<u32> {
    texts.iter().map(|text| text.rsplit_once(':').expect("a time").1.trim_end_matches("Z\"}").parse().expect("seconds")).collect()
}

#[tokio::test]
async fn every_file_is_a_stream() {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, seconds: &[u32]| {
        let text: String = seconds.iter().map(|second| event(*second)).collect();
        fs::write(dir.path().join(name), text).expect("written");
    };
    write("b.jsonl", &[1, 4]);
    write("a.jsonl", &[2, 3]);
    write(".hidden.jsonl", &[9]);
    write("notes.txt", &[9]);
    fs::create_dir(dir.path().join("folder.jsonl")).expect("made");
    let following = Following::start(dir.path(), &Book::default());
    assert_eq!(seconds(&following.book.holds(4).await), [1, 2, 3, 4], "by time, not by name");
    write("c.ndjson", &[5]);
    following.book.holds(5).await;
    let mut file = OpenOptions::new().append(true).open(dir.path().join("a.jsonl")).expect("opened");
    file.write_all(event(6).as_bytes()).expect("written");
    following.book.holds(6).await;
    let compressed = zstd::encode_all(event(7).as_bytes(), 1).expect("memory");
    fs::write(dir.path().join("d.jsonl.zst"), compressed).expect("written");
    assert_eq!(seconds(&following.book.holds(7).await), [1, 2, 3, 4, 5, 6, 7]);
    fs::remove_file(dir.path().join("b.jsonl")).expect("removed");
    let names = |state: State| -> Vec<String> {
        let lags = following.handle.lags().each();
        let of_state = lags.iter().filter(|lag| lag.state == state);
        of_state.map(|lag| lag.stream.rsplit('/').next().expect("a name").to_owned()).collect()
    };
    let ended = timeout(SOON, async {
        while names(State::Ended).len() < 2 {
            sleep(Duration::from_millis(2)).await;
        }
    });
    ended.await.expect("a removed file ends, and a compressed one");
    assert_eq!(names(State::Ended), ["b.jsonl", "d.jsonl.zst"]);
    assert_eq!(names(State::AtHead), ["a.jsonl", "c.ndjson"]);
    following.stop();
}

#[tokio::test]
async fn after_a_restart_every_file_goes_on_where_it_was() {
    let dir = tempfile::tempdir().expect("a folder");
    let book = Book::default();
    let mut expected = Vec::new();
    for round in 0..4 {
        for name in ["a.jsonl", "b.jsonl"] {
            let second = round * 2 + u32::from(name == "b.jsonl");
            let mut file = OpenOptions::new().create(true).append(true).open(dir.path().join(name)).expect("opened");
            file.write_all(event(second).as_bytes()).expect("written");
            expected.push(second);
        }
        fs::write(dir.path().join(format!("z{round}.gz")), gzip(&event(50 + round))).expect("written");
        expected.push(50 + round);
        let following = Following::start(dir.path(), &book);
        let mut found = seconds(&following.book.holds(expected.len()).await);
        sleep(Duration::from_millis(60)).await;
        assert_eq!(book.texts().len(), found.len(), "nothing comes twice");
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
        following.stop();
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

/// What streams tell, as far as a person must know.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Observer for Told {
    fn notice(&self, stream: &str, notice: &Notice<'_>) {
        let said = match notice {
            Notice::Fault { error, .. } => format!("{error}, alert {}", notice.is_ops_alert()),
            other => other.kind().to_owned(),
        };
        self.0.lock().expect("no panic").push(format!("{stream}: {said}"));
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_waited_for_and_said_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let missing = dir.path().join("missing");
    let (told, book) = (Arc::new(Told::default()), Book::default());
    let (merge, handle) =
        Merge::new(MergeConfig { opening: SOON, patience: SOON, ..MergeConfig::default() }, BTreeMap::new(), Arc::new(Traced));
    let config = DirectoryConfig { poll: Duration::from_millis(5), ..DirectoryConfig::default() };
    let (name, observer, appender) = (missing.display().to_string(), Arc::clone(&told), book.clone());
    let tasks = [
        tokio::spawn(async move { follow_directory(&name, config, handle, observer).await }),
        tokio::spawn(async move { drop(merge.run(appender, pending()).await.expect("it appends")) }),
    ];
    let say = |count: usize| {
        let told = Arc::clone(&told);
        async move {
            let said = timeout(SOON, async {
                while told.0.lock().expect("no panic").len() < count {
                    sleep(Duration::from_millis(2)).await;
                }
            });
            said.await.expect("it is said");
            told.0.lock().expect("no panic").clone()
        }
    };
    let stream = format!("jsonl:{}", missing.display());
    let fault = format!(
        "{stream}: {stream} cannot be read: there is no such folder; it is waited for: make it, or mend sources.jsonl.follow_dirs, alert true"
    );
    assert_eq!(say(1).await, std::slice::from_ref(&fault));
    sleep(Duration::from_millis(50)).await;
    fs::create_dir(&missing).expect("made");
    assert_eq!(say(2).await, [fault, format!("{stream}: recovered")], "many looks, one line");
    fs::write(missing.join("a.jsonl"), event(1)).expect("written");
    assert_eq!(seconds(&book.holds(1).await), [1]);
    tasks.iter().for_each(JoinHandle::abort);
}
