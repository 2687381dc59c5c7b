//! The rules folder on disk: which of its files are rule files, and what they say. Whatever else lies there, a walk ends,
//! takes bounded memory, and waits for nobody; what cannot be read is a fault of its own and hides no other.
//!
//! A rule file is one whose name ends in `.yaml` or `.yml` and does not begin with a dot: `.#otp.yaml`, `.otp.yaml.swp`
//! and `otp.yaml~`, which editors leave, are none. In `lists/` a name that ends in `.txt`, `.csv` or `.geojson` is one too. Links are followed, each place once.

use std::collections::HashMap;
use std::fs::{DirEntry, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rasid_detectors::shown::beginning;

use crate::SourceFile;
use crate::diagnostic::{Code, Fault};
use crate::{list, yaml, zone};

/// Deepest folder that is looked into; rules lie at `area/rule.yaml`, lists at `lists/list.yaml`.
const DEPTH_MAX: usize = 8;
/// Most entries of any kind below the folder that are looked at.
const ENTRIES_MAX: usize = 50_000;
/// Most files: rules, lists and their entries.
const FILES_MAX: usize = 10_000;
/// All rule files together, bytes. The largest lists in YAML fit sixteen times, the largest plain files of entries twice.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// Characters of a file's name that a fault shows.
const NAME_CHARS_MAX: usize = 200;

/// A rule file as it was found, or what is wrong with it.
pub(crate) struct Read {
    pub(crate) file: SourceFile,
    pub(crate) faults: Vec<Fault>,
}

/// Whether a file is looked at whose path below the rules folder is `name`, with `/`.
pub fn is_rule_file(name: &str) -> bool {
    let is_yaml = Path::new(name).extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let is_hidden = name.split('/').any(|part| part.starts_with('.'));
    !is_hidden && (is_yaml || list::lines::is_entries(name) || zone::is_zone(name))
}

/// Every rule file below `dir`.
///
/// # Errors
/// `dir` itself cannot be listed.
pub(crate) fn read(dir: &Path) -> io::Result<Vec<Read>> {
    let mut left = BYTES_MAX;
    Ok(walk(dir, "")?.into_iter().map(|found| found.read(&mut left)).collect())
}

/// Every list of `dir`, and those of its files that `names` names by their paths below it.
///
/// # Errors
/// The lists cannot be listed.
pub(crate) fn read_some(dir: &Path, names: &[String]) -> io::Result<Vec<Read>> {
    let mut left = BYTES_MAX;
    let mut files = match walk(&dir.join(list::FOLDER), list::FOLDER) {
        Ok(lists) => lists,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let found = |name: &String| {
        let path = dir.join(name);
        let stamp = std::fs::metadata(&path).map_or_else(|error| Err(unreadable(&error, &path)), |meta| regular(&meta));
        Found { name: name.clone(), path, stamp }
    };
    let others: Vec<Found> = names.iter().filter(|name| files.iter().all(|file| file.name != **name)).map(found).collect();
    files.extend(others);
    Ok(files.into_iter().map(|found| found.read(&mut left)).collect())
}

/// What the files of a rules folder look like from outside: where, how long, and when they were changed. Two equal looks
/// some time apart show a folder at rest.
#[derive(Clone, Debug, Default)]
pub struct Look {
    files: Vec<(String, Result<Stamp, String>)>,
    newest_ms: Option<i64>,
}

/// A file from outside. A mounted configuration that is swapped by a link changes the inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    place: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Look {
    /// As it looks now.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn at(dir: &Path) -> io::Result<Self> {
        let mut look = Self { files: Vec::new(), newest_ms: None };
        for found in walk(dir, "")? {
            let said = found.stamp.map_err(|fault| format!("{}: {}", fault.code, fault.message));
            look.newest_ms = look.newest_ms.max(said.as_ref().ok().map(|stamp| stamp.changed.0 * 1_000 + stamp.changed.1 / 1_000_000));
            look.files.push((found.name, said));
        }
        Ok(look)
    }

    /// When a file that is there now was last changed, by the file system's clock, Unix ms.
    pub fn newest_ms(&self) -> Option<i64> {
        self.newest_ms
    }
}

impl PartialEq for Look {
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files
    }
}

impl Eq for Look {}

/// One rule file before it is read.
struct Found {
    /// Its path below the folder, with `/`.
    name: String,
    path: PathBuf,
    stamp: Result<Stamp, Fault>,
}

impl Found {
    /// Reads it; `left` is what all files together may still have.
    fn read(self, left: &mut usize) -> Read {
        let bytes = self.stamp.and_then(|_| contents(&self.path, &self.name, left));
        let (text, faults) = match bytes.and_then(text) {
            Ok((text, fault)) => (text, fault.into_iter().collect()),
            Err(fault) => (String::new(), vec![fault]),
        };
        Read { file: SourceFile { name: self.name, text }, faults }
    }
}

fn contents(path: &Path, name: &str, left: &mut usize) -> Result<Vec<u8>, Fault> {
    // What lies at the path now may be another thing than the walk saw: it is asked for its kind once it is open, and
    // opening a pipe that nobody writes to must not wait.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    let file: File = opened.map_err(|error| unreadable(&error, path))?;
    regular(&file.metadata().map_err(|error| unreadable(&error, path))?)?;
    let (is_entries, is_long) = (list::lines::is_entries(name), list::is_list(name) || zone::is_zone(name));
    let most = match is_entries {
        true => list::lines::BYTES_MAX,
        false if is_long => yaml::LIST_BYTES_MAX,
        false => yaml::BYTES_MAX,
    };
    let mut bytes = Vec::new();
    // Its length is no promise: it may grow while it is read.
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error, path))?;
    if bytes.len() > most {
        return Err(yaml::too_long(most, is_entries || is_long));
    }
    *left = left.checked_sub(bytes.len()).ok_or_else(|| {
        let message = format!("the rule files up to this one have more than {BYTES_MAX} bytes together");
        Fault::new(Code::TooMuch, 0..0, message).help("keep in the folder what is a rule, a list, shared.yaml or rates.yaml")
    })?;
    Ok(bytes)
}

/// The text of a file, with a fault where it is not UTF-8: then the characters that are none are U+FFFD.
fn text(bytes: Vec<u8>) -> Result<(String, Option<Fault>), Fault> {
    const HELP: &str = "save it as UTF-8: iconv -f WINDOWS-1256 -t UTF-8 old.yaml > new.yaml, if that is what it was written in";
    if matches!(bytes.as_slice(), [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [_, 0, ..] | [0, ..]) {
        let fault = Fault::new(Code::NotUtf8, 0..0, "the file is UTF-16, expected UTF-8");
        return Err(fault.help("save it as UTF-8: iconv -f UTF-16 -t UTF-8 old.yaml > new.yaml"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((text, None)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let found = bytes.get(at).copied().unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
            let fault = Fault::new(Code::NotUtf8, at..end, format!("not UTF-8: byte {} is 0x{found:02X}", at + 1)).help(HELP);
            Ok((text, Some(fault)))
        }
    }
}

/// Every rule file below `dir`, in the order of their names, which begin with `prefix`.
fn walk(dir: &Path, prefix: &str) -> io::Result<Vec<Found>> {
    let mut walk = Walk { found: Vec::new(), seen: HashMap::new(), entries: 0, files: 0 };
    let meta = std::fs::metadata(dir)?;
    walk.seen.insert((meta.dev(), meta.ino()), ".".to_owned());
    walk.folder(dir, prefix, prefix.matches('/').count())?;
    walk.found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(walk.found)
}

struct Walk {
    found: Vec<Found>,
    /// By device and inode, the name that each file and folder was reached by.
    seen: HashMap<(u64, u64), String>,
    entries: usize,
    files: usize,
}

impl Walk {
    fn folder(&mut self, dir: &Path, prefix: &str, depth: usize) -> io::Result<()> {
        let mut entries: Vec<(bool, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                let fault = Fault::new(Code::TooMuch, 0..0, format!("more than {ENTRIES_MAX} files and folders"));
                self.fault(prefix, dir, fault.help("keep in the folder what is a rule, a list, shared.yaml or rates.yaml"));
                return Ok(());
            }
            entries.push((is_link(&entry), entry.path()));
        }
        // What is there itself comes before what only points there.
        entries.sort_unstable();
        for (_, path) in entries {
            if self.entries > ENTRIES_MAX || self.files > FILES_MAX {
                return Ok(());
            }
            self.entry(path, prefix, depth);
        }
        Ok(())
    }

    fn entry(&mut self, path: PathBuf, prefix: &str, depth: usize) {
        let Some(file_name) = path.file_name() else { return };
        let lossy = file_name.to_string_lossy();
        if lossy.starts_with('.') {
            return;
        }
        let shown = format!("{prefix}{lossy}");
        let is_rule_file = is_rule_file(&shown);
        let meta = match std::fs::metadata(&path) {
            Ok(meta) => meta,
            // A link to nowhere may have been a folder of rules.
            Err(error) => return self.fault(&shown, &path, unreadable(&error, &path)),
        };
        if !meta.is_dir() && !is_rule_file {
            return;
        }
        if file_name.to_str().is_none() {
            let fault = Fault::new(Code::NotUtf8, 0..0, "a name that is not UTF-8").help("rename it");
            return self.fault(&shown, &path, fault);
        }
        if !meta.is_dir()
            && let Err(fault) = regular(&meta)
        {
            return self.fault(&shown, &path, fault);
        }
        let place = (meta.dev(), meta.ino());
        if let Some(first) = self.seen.get(&place) {
            let what = if meta.is_dir() { "folder" } else { "file" };
            let message = format!("the same {what} as `{}`, reached once more", beginning(first, NAME_CHARS_MAX));
            return self.fault(&shown, &path, Fault::new(Code::ReachedTwice, 0..0, message).help("remove the link, or the other name"));
        }
        self.seen.insert(place, shown.clone());
        if !meta.is_dir() {
            self.files += 1;
            if self.files > FILES_MAX {
                let fault = Fault::new(Code::TooMuch, 0..0, format!("more than {FILES_MAX} rule files"));
                return self.fault(&shown, &path, fault.help("keep in the folder what is a rule, a list, shared.yaml or rates.yaml"));
            }
            self.found.push(Found { name: shown, path, stamp: Ok(stamp(&meta)) });
        } else if depth == DEPTH_MAX {
            let fault = Fault::new(Code::TooMuch, 0..0, format!("a folder {} levels deep, expected {DEPTH_MAX} at most", depth + 1));
            self.fault(&shown, &path, fault.help("rules lie at area/rule.yaml, lists at lists/list.yaml"));
        } else if let Err(error) = self.folder(&path, &format!("{shown}/"), depth + 1) {
            self.fault(&shown, &path, unreadable(&error, &path));
        }
    }

    fn fault(&mut self, name: &str, path: &Path, fault: Fault) {
        let name = name.strip_suffix('/').unwrap_or(name);
        let name = if name.is_empty() { "." } else { name };
        self.found.push(Found { name: name.to_owned(), path: path.to_owned(), stamp: Err(fault) });
    }
}

fn is_link(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_symlink())
}

fn stamp(meta: &Metadata) -> Stamp {
    Stamp {
        place: (meta.dev(), meta.ino()),
        bytes: meta.len(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
    }
}

/// What there is to know about a file; a fault where it is no file that can be read to an end.
fn regular(meta: &Metadata) -> Result<Stamp, Fault> {
    let kind = meta.file_type();
    let found = if kind.is_file() {
        return Ok(stamp(meta));
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(Fault::new(Code::NoFile, 0..0, format!("{found}, expected a file"))
        .help("remove it, or give it a name that does not end in .yaml or .yml"))
}

/// The fault of a file or folder that the system does not give.
fn unreadable(error: &io::Error, path: &Path) -> Fault {
    let link = std::fs::read_link(path).ok().map(|to| beginning(&to.to_string_lossy(), NAME_CHARS_MAX).into_owned());
    let (message, help) = match (error.kind(), link) {
        (io::ErrorKind::NotFound, Some(to)) => (format!("a link to `{to}`, where nothing is"), "mend the link, or remove it"),
        (_, Some(to)) if error.raw_os_error() == Some(libc::ELOOP) => {
            (format!("a link to `{to}`, which leads back to it"), "mend the link, or remove it")
        }
        (io::ErrorKind::PermissionDenied, _) => {
            ("cannot be read: permission denied".to_owned(), "let the user that rasid runs as read it: chmod, chown")
        }
        _ => (format!("cannot be read: {error}"), "see whether it is there, and whether the disk is well"),
    };
    Fault::new(Code::Unreadable, 0..0, message).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::ascii(b"rule: a.b".as_slice(), None)]
    #[case::arabic("title: رقم".as_bytes(), None)]
    #[case::byte_order_mark(b"\xEF\xBB\xBFrule: a.b".as_slice(), None)]
    #[case::windows_1256(b"title: \xD1\xDE\xE3".as_slice(), Some((7, "byte 8 is 0xD1")))]
    #[case::cut_off(b"title: \xD8".as_slice(), Some((7, "byte 8 is 0xD8")))]
    #[case::utf16_little(b"\xFF\xFEr\0u\0".as_slice(), Some((0, "UTF-16")))]
    #[case::utf16_big(b"\xFE\xFF\0r\0u".as_slice(), Some((0, "UTF-16")))]
    #[case::utf16_without_a_mark(b"r\0u\0l\0".as_slice(), Some((0, "UTF-16")))]
    fn a_file_is_utf_8(#[case] bytes: &[u8], #[case] expected: Option<(usize, &str)>) {
        let fault = match text(bytes.to_vec()) {
            Ok((text, fault)) => {
                assert!(fault.is_some() || text.as_bytes() == bytes);
                fault
            }
            Err(fault) => Some(fault),
        };
        assert_eq!(fault.as_ref().map(|fault| fault.span.start), expected.map(|(at, _)| at));
        if let (Some(fault), Some((_, part))) = (fault, expected) {
            assert!(fault.message.contains(part) && fault.code == Code::NotUtf8, "{fault:?}");
        }
    }
}
