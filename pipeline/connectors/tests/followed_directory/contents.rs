//! What a file is known by: its content, over renames, copies, compression, cuts and restarts.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use rasid_connectors::storage::Memory;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::book::{Book, Following, quick};

struct Place {
    dir: TempDir,
    book: Book,
}

fn lines(numbers: std::ops::Range<u32>) -> String {
    numbers.fold(String::new(), |text, n| text + &format!("{{\"id\":\"line {n}\"}}\n"))
}

fn expected(numbers: std::ops::Range<u32>) -> Vec<String> {
    lines(numbers).lines().map(str::to_owned).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a folder"), book: Book::default() }
    }

    fn start(&self) -> Following {
        Following::start(self.dir.path(), &self.book)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn append(&self, name: &str, text: &[u8]) {
        append(&self.path(name), text);
    }

    /// Exactly these lines were read, and for a while no other.
    async fn has(&self, numbers: std::ops::Range<u32>) {
        let expected = expected(numbers);
        self.book.holds(expected.len()).await;
        sleep(Duration::from_millis(250)).await;
        let mut found = self.book.texts();
        found.sort_by_key(|line| line.trim_end_matches("\"}").rsplit(' ').next().and_then(|n| n.parse::<u32>().ok()));
        assert_eq!(found, expected, "told {:?}", self.book.told.all());
    }
}

fn append(path: &Path, text: &[u8]) {
    OpenOptions::new().create(true).append(true).open(path).expect("opened").write_all(text).expect("written");
}

#[tokio::test]
async fn what_was_read_comes_back_renamed_copied_or_compressed_and_counts_once() {
    let place = Place::new();
    let following = place.start();
    place.append("app.jsonl", lines(0..300).as_bytes());
    place.has(0..300).await;
    fs::rename(place.path("app.jsonl"), place.path("app-1.jsonl")).expect("renamed");
    place.append("app.jsonl", lines(300..310).as_bytes());
    place.has(0..310).await;
    fs::copy(place.path("app-1.jsonl"), place.path("copy.jsonl")).expect("copied");
    fs::write(place.path("app-1.jsonl.gz"), gzip(&lines(0..300))).expect("written");
    place.book.told.says("recognised", 2).await;
    place.has(0..310).await;
    fs::remove_file(place.path("app-1.jsonl")).expect("removed");
    // Whoever uploads it again, with what came after.
    fs::write(place.path("again.gz"), gzip(&(lines(0..300) + &lines(310..312)))).expect("written");
    place.has(0..312).await;
    following.stop().await;
    // After a restart all of it is known still.
    let following = place.start();
    let before = place.book.told.of("recognised");
    fs::write(place.path("once-more.gz"), gzip(&lines(0..300))).expect("written");
    place.book.told.says("recognised", before + 1).await;
    place.has(0..312).await;
    assert_eq!(place.book.told.of("truncated") + place.book.told.of("vanished"), 0, "{:?}", place.book.told.all());
    following.stop().await;
}

#[tokio::test]
async fn a_file_that_is_cut_and_written_anew_further_than_before_is_another() {
    let place = Place::new();
    let following = place.start();
    place.append("app.jsonl", lines(0..50).as_bytes());
    place.has(0..50).await;
    // In one go, so that no look falls between.
    fs::write(place.path("app.jsonl"), lines(50..150)).expect("written");
    place.has(0..150).await;
    place.book.told.says("truncated", 1).await;
    place.append("app.jsonl", lines(150..151).as_bytes());
    place.has(0..151).await;
    following.stop().await;
}

#[tokio::test]
async fn a_file_that_is_removed_and_made_again_is_another() {
    let place = Place::new();
    let following = place.start();
    for round in 0..4 {
        place.append("app.jsonl", lines(round * 10..round * 10 + 10).as_bytes());
        place.has(0..round * 10 + 10).await;
        fs::remove_file(place.path("app.jsonl")).expect("removed");
        if round % 2 == 0 {
            sleep(Duration::from_millis(100)).await;
        }
    }
    assert_eq!(place.book.told.of("truncated") + place.book.told.of("vanished"), 0, "{:?}", place.book.told.all());
    following.stop().await;
}

#[tokio::test]
async fn what_was_rotated_while_the_service_was_down_is_read_to_its_end() {
    for compressed in [false, true] {
        let place = Place::new();
        let following = place.start();
        place.append("app.jsonl", lines(0..40).as_bytes());
        place.has(0..40).await;
        following.stop().await;
        place.append("app.jsonl", lines(40..60).as_bytes());
        if compressed {
            fs::write(place.path("app.jsonl.1.gz"), gzip(&lines(0..60))).expect("written");
            fs::remove_file(place.path("app.jsonl")).expect("removed");
        } else {
            fs::rename(place.path("app.jsonl"), place.path("app.jsonl.1")).expect("renamed");
        }
        place.append("app.jsonl", lines(60..90).as_bytes());
        let following = place.start();
        place.has(0..90).await;
        assert_eq!(place.book.told.of("truncated") + place.book.told.of("vanished"), 0, "{:?}", place.book.told.all());
        following.stop().await;
    }
}

#[tokio::test]
async fn what_is_gone_after_a_restart_is_told() {
    let place = Place::new();
    let following = place.start();
    place.append("app.jsonl", lines(0..40).as_bytes());
    place.has(0..40).await;
    following.stop().await;
    fs::remove_file(place.path("app.jsonl")).expect("removed");
    let following = place.start();
    place.book.told.says("vanished", 1).await;
    following.stop().await;
    let following = place.start();
    sleep(Duration::from_millis(300)).await;
    assert_eq!(place.book.told.of("vanished"), 1, "told once");
    following.stop().await;
}

#[tokio::test]
async fn a_kill_before_the_last_records_were_durable_reads_them_again_from_where_they_are() {
    let place = Place::new();
    let following = place.start();
    place.append("app.jsonl", lines(0..40).as_bytes());
    place.has(0..40).await;
    place.append("other.gz", &gzip(&lines(40..60)));
    place.has(0..60).await;
    following.stop().await;
    place.book.lose(30);
    fs::rename(place.path("app.jsonl"), place.path("app.jsonl.1")).expect("renamed");
    place.append("app.jsonl", lines(60..70).as_bytes());
    let following = place.start();
    place.has(0..70).await;
    following.stop().await;
}

#[tokio::test]
async fn a_log_of_before_is_resumed_where_it_was() {
    let place = Place::new();
    place.append("app.jsonl", lines(0..40).as_bytes());
    let following = place.start();
    place.has(0..40).await;
    following.stop().await;
    // What is kept of files was not kept then.
    let mut before = place.book.clone();
    before.kept = Memory::default();
    place.append("app.jsonl", lines(40..50).as_bytes());
    let following = Following::start(place.dir.path(), &before);
    place.has(0..50).await;
    assert_eq!(place.book.told.of("truncated"), 0);
    following.stop().await;
}

#[tokio::test]
async fn a_gzip_file_grows_by_members_and_may_be_empty_at_first() {
    let place = Place::new();
    let following = place.start();
    File::create(place.path("app.gz")).expect("made");
    sleep(Duration::from_millis(150)).await;
    for round in 0..3 {
        place.append("app.gz", &gzip(&lines(round * 10..round * 10 + 10)));
        place.has(0..round * 10 + 10).await;
    }
    // A member of which at first only a part is there.
    let member = gzip(&lines(30..2_000));
    place.append("app.gz", &member[..member.len() / 2]);
    sleep(Duration::from_millis(200)).await;
    place.append("app.gz", &member[member.len() / 2..]);
    place.has(0..2_000).await;
    assert_eq!(place.book.told.of("fault"), 0, "{:?}", place.book.told.all());
    following.stop().await;
}

#[tokio::test]
async fn more_files_than_may_be_open_are_read_and_grow() {
    let place = Place::new();
    for n in 0..60 {
        place.append(&format!("{n:02}.jsonl"), lines(n..n + 1).as_bytes());
    }
    let following = Following::start_with(place.dir.path(), &place.book, quick(), 4);
    place.has(0..60).await;
    for n in 60..120 {
        place.append(&format!("{:02}.jsonl", n % 60), lines(n..n + 1).as_bytes());
    }
    place.has(0..120).await;
    assert!(place.book.streams().iter().all(|stream| !stream.contains('#')), "each has a stream of its own");
    following.stop().await;
}

#[tokio::test]
async fn a_file_that_need_not_be_read_after_a_restart_is_shown_where_it_stands() {
    let place = Place::new();
    let following = place.start();
    place.append("app.jsonl", lines(0..40).as_bytes());
    place.has(0..40).await;
    following.stop().await;
    let following = place.start();
    place.append("other.jsonl", lines(40..41).as_bytes());
    place.has(0..41).await;
    let durable: Vec<Option<u64>> = following.handle.lags().each().iter().map(|lag| lag.durable).collect();
    assert!(durable.contains(&Some(lines(0..40).len() as u64)), "{durable:?}");
    place.append("app.jsonl", lines(41..42).as_bytes());
    place.has(0..42).await;
    following.stop().await;
}
