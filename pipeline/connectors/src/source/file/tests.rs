use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

use rstest::rstest;
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;

/// Longer than any fetch that has something to say.
const SOON: Duration = Duration::from_mins(2);
/// Longer than a followed file needs to be looked at several times.
const A_WHILE: Duration = Duration::from_millis(60);

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn all(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }
}

impl Observer for Heard {
    fn notice(&self, _stream: &str, notice: &Notice<'_>) {
        self.0.lock().expect("no panic").push(format!("{notice:?}"));
    }
}

struct Place {
    dir: TempDir,
    heard: Heard,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a folder"), heard: Heard::default() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("events.jsonl")
    }

    fn write(&self, text: &str) {
        fs::write(self.path(), text).expect("written");
    }

    fn append(&self, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path()).expect("opened");
        file.write_all(text.as_bytes()).expect("written");
    }

    fn opener(&self, mode: Mode) -> FileOpener {
        let config = FileConfig { poll: Duration::from_millis(5), read_bytes: 7, line_bytes_max: 100 };
        FileOpener::new(&self.path().to_string_lossy(), mode, config, Arc::new(self.heard.clone()))
    }

    async fn open(&self, mode: Mode, after: Option<u64>) -> Box<dyn Source> {
        self.opener(mode).open(after).await.expect("it opens")
    }
}

/// So many lines.
fn numbered(lines: usize) -> String {
    (0..lines).fold(String::new(), |text, n| text + &format!("line {n}\n"))
}

type Lines = Vec<(u64, String)>;

/// Reads until there is nothing more for now.
async fn to_head(source: &mut dyn Source) -> Lines {
    let mut lines = Vec::new();
    loop {
        match timeout(SOON, source.fetch()).await.expect("it says something").expect("it reads") {
            Fetched::Records(records) => {
                lines.extend(records.into_iter().map(|record| (record.offset, String::from_utf8(record.bytes).expect("text"))));
            }
            Fetched::AtHead | Fetched::End => return lines,
        }
    }
}

fn texts(lines: &Lines) -> Vec<&str> {
    lines.iter().map(|(_, text)| text.as_str()).collect()
}

#[tokio::test]
async fn a_file_to_its_end() {
    let place = Place::new();
    place.write("one\r\n\ntwo\nthree, which is long\nfour");
    let mut source = place.open(Mode::Once, None).await;
    let expected = [(5, "one"), (6, ""), (10, "two"), (31, "three, which is long"), (35, "four")];
    let lines = to_head(source.as_mut()).await;
    assert_eq!(lines, expected.map(|(offset, text)| (offset, text.to_owned())));
    assert_eq!(source.fetch().await.expect("it reads"), Fetched::End);
    assert_eq!(source.newest(), Some(35));
    for (index, (offset, _)) in expected.iter().enumerate() {
        let mut source = place.open(Mode::Once, Some(*offset)).await;
        assert_eq!(to_head(source.as_mut()).await, lines[index + 1..], "behind {offset}");
    }
    assert_eq!(place.heard.all(), [""; 0]);
}

#[tokio::test]
async fn a_file_that_is_not_there_cannot_be_read_to_its_end() {
    let place = Place::new();
    let error = place.opener(Mode::Once).open(None).await.err().expect("an error");
    assert!(matches!(error, Error::Open { .. }), "{error}");
}

#[rstest]
#[case::gzip(true)]
#[case::zstd(false)]
#[tokio::test]
async fn compressed_files_are_resumed_in_their_text(#[case] gzip: bool) {
    let place = Place::new();
    let text = numbered(200) + "last";
    let bytes = if gzip {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    } else {
        zstd::encode_all(text.as_bytes(), 1).expect("memory")
    };
    fs::write(place.path(), &bytes).expect("written");
    let lines = to_head(place.open(Mode::Followed, None).await.as_mut()).await;
    assert_eq!(lines.len(), 201);
    assert_eq!(lines[200], (text.len() as u64, "last".to_owned()));
    for index in [0, 100, 199, 200] {
        let rest = to_head(place.open(Mode::Once, Some(lines[index].0)).await.as_mut()).await;
        assert_eq!(rest, lines[index + 1..], "behind line {index}");
    }
    fs::write(place.path(), &bytes[..bytes.len() / 2]).expect("written");
    let mut source = place.open(Mode::Once, None).await;
    let error = loop {
        match source.fetch().await {
            Ok(Fetched::End) => panic!("half a file is not whole"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn a_line_is_a_record_when_it_ends() {
    let place = Place::new();
    let mut source = place.open(Mode::Followed, None).await;
    assert!(to_head(source.as_mut()).await.is_empty(), "it is not there yet");
    assert!(timeout(A_WHILE, source.fetch()).await.is_err(), "said once");
    place.append("one\ntw");
    assert_eq!(texts(&to_head(source.as_mut()).await), ["one"]);
    assert!(timeout(A_WHILE, source.fetch()).await.is_err(), "no line end, no record");
    place.append("o\nthree\n");
    assert_eq!(to_head(source.as_mut()).await, [(8, "two".to_owned()), (14, "three".to_owned())]);
    assert_eq!(source.newest(), Some(14));
    let mut resumed = place.open(Mode::Followed, Some(8)).await;
    assert_eq!(texts(&to_head(resumed.as_mut()).await), ["three"]);
    assert_eq!(place.heard.all(), [""; 0]);
}

#[tokio::test]
async fn a_renamed_file_is_read_to_its_end_before_its_successor() {
    let place = Place::new();
    place.write("one\n");
    let mut source = place.open(Mode::Followed, None).await;
    assert_eq!(texts(&to_head(source.as_mut()).await), ["one"]);
    let aside = place.dir.path().join("events.1");
    fs::rename(place.path(), &aside).expect("renamed");
    assert!(timeout(A_WHILE, source.fetch()).await.is_err(), "its writer may not have noticed yet");
    OpenOptions::new().append(true).open(&aside).expect("opened").write_all(b"two\nhalf").expect("written");
    place.write("new\n");
    let lines = to_head(source.as_mut()).await;
    assert_eq!(texts(&lines), ["two", "half", "new"]);
    assert!(lines.windows(2).all(|pair| pair[0].0 < pair[1].0), "offsets rise: {lines:?}");
    assert_eq!(place.heard.all(), ["Rotated { read: 12 }"]);
    assert_eq!(parts_of(lines[2].0), (1, 4));
    place.append("more\n");
    let mut resumed = place.open(Mode::Followed, Some(lines[2].0)).await;
    let more = to_head(resumed.as_mut()).await;
    assert_eq!(texts(&more), ["more"]);
    assert_eq!(parts_of(more[0].0), (1, 9));
}

#[tokio::test]
async fn a_cut_file_begins_again_and_is_told() {
    let place = Place::new();
    place.write("one\ntwo\n");
    let mut source = place.open(Mode::Followed, None).await;
    let before = to_head(source.as_mut()).await;
    place.write("new\n");
    let after = to_head(source.as_mut()).await;
    assert_eq!(texts(&after), ["new"]);
    assert!(after[0].0 > before[1].0);
    assert_eq!(place.heard.all(), ["Truncated { read: 8, length: 4 }"]);
}

#[rstest]
#[case::shorter("new\n", &["new"], true)]
#[case::no_line_end_there("something else\n", &["something else"], true)]
#[case::the_same("one\ntwo\nthree\n", &["three"], false)]
#[tokio::test]
async fn what_was_exchanged_while_nobody_looked(#[case] now: &str, #[case] expected: &[&str], #[case] told: bool) {
    let place = Place::new();
    place.write(now);
    let mut source = place.open(Mode::Followed, Some(8)).await;
    let lines = to_head(source.as_mut()).await;
    assert_eq!(texts(&lines), expected);
    assert!(lines[0].0 > 8);
    assert_eq!(place.heard.all().iter().any(|notice| notice.starts_with("Truncated")), told);
}

#[tokio::test]
async fn a_long_line_is_cut_and_told() {
    let place = Place::new();
    place.write(&format!("{}\nshort\n", "x".repeat(250)));
    let lines = to_head(place.open(Mode::Followed, None).await.as_mut()).await;
    assert_eq!(lines.iter().map(|(offset, text)| (*offset, text.len())).collect::<Vec<_>>(), [(251, 100), (257, 5)]);
    assert_eq!(place.heard.all(), ["Cut { offset: 251, length: 250 }"]);
}

#[tokio::test]
async fn a_fetch_that_is_dropped_has_taken_nothing() {
    let place = Place::new();
    let text = numbered(300);
    place.write(&text);
    let mut source = place.open(Mode::Followed, None).await;
    let mut lines = Vec::new();
    let mut dropped = 0;
    while lines.len() < 300 {
        // Polled once and dropped: most often while a read is under way.
        let fetched = tokio::select! {
            biased;
            fetched = source.fetch() => Some(fetched.expect("it reads")),
            () = tokio::task::yield_now() => None,
        };
        match fetched {
            Some(Fetched::Records(records)) => lines.extend(records.into_iter().map(|record| record.bytes)),
            Some(_) => {}
            None => dropped += 1,
        }
    }
    assert!(dropped > 10, "only {dropped}");
    assert_eq!(lines, text.lines().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_pipe_is_read_as_it_comes() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let heard = Heard::default();
    let mut source = pipe::open("jsonl:-", reader, Some(1000), &FileConfig::default(), Arc::new(heard)).expect("a thread");
    assert!(to_head(&mut source).await.is_empty());
    writer.write_all(b"one\ntw").expect("written");
    assert_eq!(to_head(&mut source).await, [(1004, "one".to_owned())]);
    writer.write_all(b"o\nlast").expect("written");
    drop(writer);
    let mut rest = to_head(&mut source).await;
    rest.extend(to_head(&mut source).await);
    assert_eq!(rest, [(1008, "two".to_owned()), (1012, "last".to_owned())]);
    assert_eq!(source.fetch().await.expect("it reads"), Fetched::End);
}
