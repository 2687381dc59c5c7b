//! What log shippers do to files, by Debian's logrotate and by hand, against what writers are at when they do it: every line
//! once, or a loss that is told.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rstest::rstest;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::book::{Book, Following};

/// What is done to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// logrotate's default: renamed, a new one is made.
    Rename,
    /// The same, under a name that is followed itself.
    RenameDated,
    CopyTruncate,
    /// The copy has a name that is followed itself.
    CopyTruncateDated,
    NoCreate,
    /// No new one is made, and the writer goes on in the old one for a while.
    LateReopen,
    DeleteAndMakeAgain,
    Compress,
    DelayCompress,
    WhileDown,
    /// The same, compressed.
    WhileDownCompress,
    /// Rotated twice while down, so that one file was never seen under the name that is followed.
    WhileDownTwice,
    CutWithinAPoll,
    SymlinkMoved,
}

/// What the writer is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rhythm {
    Steady,
    Bursts,
    /// Rotated in the middle of a line.
    PartialLine,
}

fn line(n: u32) -> String {
    format!("{{\"id\":\"line {n}\",\"what\":\"{}\"}}\n", "something ".repeat(n as usize % 7))
}

struct Writer {
    path: PathBuf,
    file: File,
    next: u32,
    /// The rest of a line whose beginning is written.
    rest: String,
    /// Lines that were cut while they were written: their halves are records, or gone.
    broken: Vec<u32>,
}

impl Writer {
    fn open(path: &Path) -> Self {
        Self { path: path.to_owned(), file: append(path), next: 0, rest: String::new(), broken: Vec::new() }
    }

    fn reopen(&mut self) {
        self.file = append(&self.path);
    }

    fn lines(&mut self, count: u32) {
        let mut text = std::mem::take(&mut self.rest);
        for n in self.next..self.next + count {
            text += &line(n);
        }
        self.next += count;
        self.file.write_all(text.as_bytes()).expect("written");
    }

    async fn write(&mut self, rhythm: Rhythm, count: u32) {
        match rhythm {
            Rhythm::Bursts => self.lines(count * 10),
            Rhythm::Steady | Rhythm::PartialLine => {
                for _ in 0..count {
                    self.lines(1);
                    sleep(Duration::from_millis(1)).await;
                }
            }
        }
        if rhythm == Rhythm::PartialLine {
            let text = line(self.next);
            let (half, rest) = text.split_at(text.len() / 2);
            self.file.write_all(half.as_bytes()).expect("written");
            rest.clone_into(&mut self.rest);
            self.next += 1;
        }
    }
}

fn append(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("opened")
}

struct Site {
    /// Beside the folder that is followed lies what logrotate needs.
    place: TempDir,
    events: PathBuf,
    book: Book,
    following: Option<Following>,
    /// How often the symbolic link was moved.
    moved: u32,
}

impl Site {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let events = place.path().join("events");
        fs::create_dir(&events).expect("made");
        let book = Book::default();
        let following = Some(Following::start(&events, &book));
        Self { place, events, book, following, moved: 0 }
    }

    fn logrotate(&self, options: &str) {
        let (config, state) = (self.place.path().join("rotate.conf"), self.place.path().join("state"));
        let text = format!("{}/app.jsonl {{\n  rotate 20\n{options}\n}}\n", self.events.display());
        fs::write(&config, text).expect("written");
        let done = Command::new("logrotate").arg("--force").arg("--state").arg(state).arg(config).output().expect("it starts");
        assert!(done.status.success() && done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Waits until the newest line that is whole was read.
    async fn read(&self, writer: &Writer) {
        let whole = writer.next - u32::from(!writer.rest.is_empty());
        let Some(last) = whole.checked_sub(1).filter(|last| !writer.broken.contains(last)) else { return };
        let wanted = line(last);
        for _ in 0..60_000 {
            if self.book.texts().iter().rev().any(|text| text == wanted.trim_end()) {
                return;
            }
            sleep(Duration::from_millis(2)).await;
        }
        panic!("line {last} is not read: told {:?}", self.book.told.all());
    }

    async fn turn(&mut self, way: Way, writer: &mut Writer, turn: u32) {
        match way {
            Way::Rename => {
                self.logrotate("create");
                writer.lines(0); // it ends its line, and then heeds the signal
                writer.reopen();
            }
            Way::RenameDated => {
                self.logrotate(&format!("create\ndateext\ndateformat -%Y%m%d-{turn}\nextension .jsonl"));
                writer.lines(0);
                writer.reopen();
            }
            Way::CopyTruncate | Way::CopyTruncateDated => {
                let dated = format!("dateext\ndateformat -%Y%m%d-{turn}\nextension .jsonl");
                self.logrotate(&format!("copytruncate\n{}", if way == Way::CopyTruncate { "" } else { &dated }));
                if !writer.rest.is_empty() {
                    writer.broken.push(writer.next - 1);
                }
            }
            Way::NoCreate => {
                self.logrotate("nocreate");
                writer.lines(0);
                writer.reopen();
            }
            Way::LateReopen => {
                self.logrotate("nocreate");
                for _ in 0..20 {
                    writer.lines(1);
                    sleep(Duration::from_millis(5)).await;
                }
                writer.reopen();
            }
            Way::DeleteAndMakeAgain => {
                self.read(writer).await;
                fs::remove_file(&writer.path).expect("removed");
                writer.lines(3);
                writer.reopen();
            }
            Way::Compress | Way::DelayCompress => {
                self.read(writer).await;
                self.logrotate(if way == Way::Compress { "create\ncompress" } else { "create\ncompress\ndelaycompress" });
                writer.lines(5);
                writer.reopen();
            }
            Way::WhileDown | Way::WhileDownCompress | Way::WhileDownTwice => {
                if let Some(following) = self.following.take() {
                    following.stop().await;
                }
                writer.lines(15);
                for _ in 0..if way == Way::WhileDownTwice { 2 } else { 1 } {
                    self.logrotate(if way == Way::WhileDownCompress { "create\ncompress" } else { "create" });
                    writer.reopen();
                    writer.lines(7);
                }
                self.following = Some(Following::start(&self.events, &self.book));
            }
            Way::CutWithinAPoll => {
                self.read(writer).await;
                let before = fs::metadata(&writer.path).expect("there").len();
                if !writer.rest.is_empty() {
                    writer.rest.clear();
                    writer.broken.push(writer.next - 1);
                }
                let mut text = String::new();
                while text.len() as u64 <= before + 1_000 {
                    text += &line(writer.next);
                    writer.next += 1;
                }
                fs::write(&writer.path, text).expect("written");
            }
            Way::SymlinkMoved => {
                self.read(writer).await;
                self.moved += 1;
                let (target, link) = (self.place.path().join(format!("app-{}.log", self.moved)), self.place.path().join("link"));
                File::create(&target).expect("made");
                symlink(&target, &link).expect("linked");
                fs::rename(&link, &writer.path).expect("moved");
                writer.lines(5);
                writer.reopen();
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn every_line_once_or_told(
    #[values(
        Way::Rename,
        Way::RenameDated,
        Way::CopyTruncate,
        Way::CopyTruncateDated,
        Way::NoCreate,
        Way::LateReopen,
        Way::DeleteAndMakeAgain,
        Way::Compress,
        Way::DelayCompress,
        Way::WhileDown,
        Way::WhileDownCompress,
        Way::WhileDownTwice,
        Way::CutWithinAPoll,
        Way::SymlinkMoved
    )]
    way: Way,
    #[values(Rhythm::Steady, Rhythm::Bursts, Rhythm::PartialLine)] rhythm: Rhythm,
) {
    const TURNS: u32 = 3;
    let mut site = Site::new();
    let path = site.events.join("app.jsonl");
    if way == Way::SymlinkMoved {
        let target = site.place.path().join("app-0.log");
        File::create(&target).expect("made");
        symlink(target, &path).expect("linked");
    }
    let mut writer = Writer::open(&path);
    writer.lines(1);
    site.read(&writer).await; // it is followed
    sleep(Duration::from_millis(200)).await; // and what it is known by is kept
    for turn in 0..TURNS {
        writer.write(rhythm, 40).await;
        site.turn(way, &mut writer, turn).await;
    }
    writer.write(rhythm, 40).await;
    writer.lines(1);
    let expected: Vec<u32> = (0..writer.next).filter(|n| !writer.broken.contains(n)).collect();
    site.book.holds(expected.len()).await;
    site.read(&writer).await;
    let whole = |texts: &[String]| {
        let id = |text: &String| {
            text.strip_prefix("{\"id\":\"line ")?.split_once('"')?.0.parse::<u32>().ok().filter(|n| line(*n).trim_end() == text)
        };
        let mut found: Vec<u32> = texts.iter().filter_map(id).collect();
        found.sort_unstable();
        found
    };
    let all_came = tokio::time::timeout(Duration::from_secs(20), async {
        while whole(&site.book.texts()).len() < expected.len() {
            sleep(Duration::from_millis(5)).await;
        }
    });
    drop(all_came.await);
    // As long again as what is renamed is read on.
    sleep(Duration::from_millis(900)).await;
    let texts = site.book.texts();
    let (told, found) = (site.book.told.all(), whole(&texts));
    let missing: Vec<u32> = expected.iter().filter(|n| !found.contains(n)).copied().collect();
    assert!(missing.is_empty(), "{} lines are missing, from {:?}; told {told:?}", missing.len(), missing.first());
    assert_eq!(found, expected, "twice; told {told:?}");
    let halves = texts.len() - found.len();
    assert!(halves <= 2 * writer.broken.len(), "{halves} records are none of the lines");
    let lost = site.book.told.of("truncated") + site.book.told.of("vanished");
    assert_eq!(lost, if way == Way::CutWithinAPoll { TURNS as usize } else { 0 }, "told {told:?}");
    if let Some(following) = site.following.take() {
        following.stop().await;
    }
}
