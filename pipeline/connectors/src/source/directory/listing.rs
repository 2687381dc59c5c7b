//! What lies in a followed folder.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirEntryExt as _;
use std::path::{Path, PathBuf};

use super::print::Shape;

/// A file of the folder.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// Its name as streams and people read it: bytes that are no UTF-8 as `\xNN`.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) shape: Shape,
    pub(super) kind: Kind,
}

/// What its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Plain,
    Compressed,
    /// None that is followed.
    Other,
}

/// A name as text, one for each name.
pub(super) fn shown(name: &OsStr) -> String {
    let mut shown = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        shown.push_str(chunk.valid());
        shown.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    shown
}

/// Files in order of name: those that `kind` knows by their names and those that `wanted` knows by their inodes or names. Hidden
/// ones and folders are passed over.
pub(super) fn list(dir: &Path, kind: impl Fn(&OsStr) -> Kind, wanted: impl Fn(u64, &OsStr) -> bool) -> io::Result<Vec<Listed>> {
    let mut names: Vec<(OsString, Kind)> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let kind = kind(&name);
        if !name.as_bytes().starts_with(b".") && (kind != Kind::Other || wanted(entry.ino(), &name)) {
            names.push((name, kind));
        }
    }
    names.sort_unstable();
    let mut found = Vec::with_capacity(names.len());
    for (name, kind) in names {
        let path = dir.join(&name);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => found.push(Listed { name: shown(&name), path, shape: Shape::of(&metadata), kind }),
            Ok(_) => {}
            // One that was removed between listing and looking was never there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_text_of_its_own() {
        assert_eq!(shown(OsStr::new("مرحبا.jsonl")), "مرحبا.jsonl");
        assert_eq!(shown(OsStr::from_bytes(b"caf\xe9.jsonl")), "caf\\xe9.jsonl");
        assert_ne!(shown(OsStr::from_bytes(b"\xe8")), shown(OsStr::from_bytes(b"\xe9")));
    }
}
