//! A followed folder through the merge.

mod book;
mod contents;
mod matrix;

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use rasid_connectors::source::State;
use tokio::time::{sleep, timeout};

use book::{Book, Following, SOON};

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
    following.stop().await;
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
        following.stop().await;
    }
}

/// Names are bytes: Windows-1256 and Latin-1 have left many that are no UTF-8.
#[tokio::test]
async fn a_name_that_is_not_utf_8_is_read_and_read_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join(OsStr::from_bytes(b"caf\xe9-\xe3\xd5\xd1.jsonl"));
    fs::write(&path, event(1)).expect("written");
    let book = Book::default();
    let following = Following::start(dir.path(), &book);
    following.book.holds(1).await;
    let mut file = OpenOptions::new().append(true).open(&path).expect("opened");
    file.write_all(event(2).as_bytes()).expect("written");
    assert_eq!(seconds(&following.book.holds(2).await), [1, 2]);
    following.stop().await;
    file.write_all(event(3).as_bytes()).expect("written");
    let following = Following::start(dir.path(), &book);
    assert_eq!(seconds(&following.book.holds(3).await), [1, 2, 3], "known again by its name");
    following.stop().await;
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_waited_for_and_said_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let missing = dir.path().join("missing");
    let book = Book::default();
    let following = Following::start(&missing, &book);
    book.told.says("fault", 1).await;
    let stream = format!("jsonl:{}", missing.display());
    let fault = format!(
        "{stream}: fault {stream} cannot be read: there is no such folder; it is waited for: make it, or mend sources.jsonl.follow_dirs, alert true"
    );
    assert_eq!(book.told.all(), std::slice::from_ref(&fault));
    sleep(Duration::from_millis(50)).await;
    fs::create_dir(&missing).expect("made");
    book.told.says("recovered", 1).await;
    assert_eq!(book.told.of("fault"), 1, "many looks, one line");
    fs::write(missing.join("a.jsonl"), event(1)).expect("written");
    assert_eq!(seconds(&book.holds(1).await), [1]);
    following.stop().await;
}
