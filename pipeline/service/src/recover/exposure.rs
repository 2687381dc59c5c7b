//! What others of the machine may do with the data folder: nothing. What is made in it is made for its owner alone; this
//! mends what was made otherwise, by an older version, a copy or a person.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::recover::layout;

/// Everything that the service makes in the folder; what else lies there is not its own to change.
const OURS: [&str; 15] = [
    layout::LOG,
    layout::KEYS,
    layout::DEAD_LETTERS,
    layout::SNAPSHOTS,
    layout::RULESETS,
    layout::OUTBOX,
    "outbox.redb.new",
    layout::ALERTS,
    "alerts.redb.new",
    layout::LOCK,
    layout::AUDIT,
    layout::CONTROL,
    layout::FOLLOWED,
    "tokens.json",
    "tokens.lock",
];
/// What group and others may do.
const OTHERS: u32 = 0o077;

/// What was found looser than it should be.
#[derive(Debug, Default)]
pub(crate) struct Looser {
    /// Mended: so many.
    pub(crate) tightened: usize,
    /// The first of them, with the mode that it had.
    pub(crate) example: Option<(PathBuf, u32)>,
    /// Not mended, and why.
    pub(crate) left: Vec<(PathBuf, u32, io::Error)>,
    /// The folder itself, left as it is because of something in it that is not the service's.
    pub(crate) shared: Option<PathBuf>,
}

impl Looser {
    /// Says it, if there is anything to say.
    pub(crate) fn say(&self) {
        if let Some((path, mode)) = &self.example {
            let mode = format!("{mode:04o}");
            tracing::warn!(files = self.tightened, example = %path.display(), mode, "others could read or change what the data folder holds; it is for its owner alone again");
        }
        if let Some(other) = &self.shared {
            tracing::warn!(other = %other.display(), "others may look into the data folder, which is left so because something else lies in it; give the service a folder of its own");
        }
        for (path, mode, error) in &self.left {
            let mode = format!("{mode:04o}");
            tracing::error!(path = %path.display(), mode, %error, "others can read or change what the data folder holds");
        }
    }
}

/// Takes from group and others what they may do with the data folder at `dir` and what the service has made in it.
pub(crate) fn tighten(dir: &Path) -> Looser {
    let mut looser = Looser::default();
    // A folder that holds more than the service's own (`/tmp`, say) is not its to close.
    match other_in(dir) {
        None => one(dir, &mut looser),
        Some(other) => looser.shared = fs::metadata(dir).is_ok_and(|found| found.mode() & OTHERS != 0).then_some(other),
    }
    for name in OURS {
        below(&dir.join(name), &mut looser);
    }
    looser
}

fn other_in(dir: &Path) -> Option<PathBuf> {
    let ours = |name: &std::ffi::OsStr| name == "lost+found" || OURS.iter().any(|ours| name == *ours);
    fs::read_dir(dir).into_iter().flatten().flatten().find(|entry| !ours(&entry.file_name())).map(|entry| entry.path())
}

fn below(path: &Path, looser: &mut Looser) {
    let Ok(found) = fs::symlink_metadata(path) else { return }; // not there
    if found.is_symlink() {
        return; // what it leads to was put there by somebody who knows why
    }
    one(path, looser);
    if found.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            below(&entry.path(), looser);
        }
    }
}

fn one(path: &Path, looser: &mut Looser) {
    let Ok(metadata) = fs::metadata(path) else { return };
    let mode = metadata.mode() & 0o7777;
    if mode & OTHERS == 0 {
        return;
    }
    match fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS)) {
        Ok(()) => {
            looser.tightened += 1;
            looser.example.get_or_insert((path.to_owned(), mode));
        }
        Err(error) => looser.left.push((path.to_owned(), mode, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_services_is_tightened_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("snapshots/1")).expect("a folder");
        fs::create_dir(at("mine")).expect("a folder");
        for (name, mode) in [("snapshots/1/part-000", 0o644), ("outbox.redb", 0o660), ("lock", 0o600), ("mine/notes", 0o644)] {
            fs::write(at(name), "x").expect("a file");
            fs::set_permissions(at(name), Permissions::from_mode(mode)).expect("ours");
        }
        for name in ["snapshots", "snapshots/1", "mine", "."] {
            fs::set_permissions(at(name), Permissions::from_mode(0o755)).expect("ours");
        }
        std::os::unix::fs::symlink(at("mine"), at("rulesets")).expect("a link");
        let looser = tighten(folder.path());
        assert_eq!((looser.tightened, looser.left.len(), looser.shared), (4, 0, Some(at("mine"))));
        let mode = |name: &str| fs::metadata(at(name)).expect("there").mode() & 0o777;
        for (name, expected) in [
            (".", 0o755),
            ("snapshots", 0o700),
            ("snapshots/1", 0o700),
            ("snapshots/1/part-000", 0o600),
            ("outbox.redb", 0o600),
            ("mine", 0o755),
            ("mine/notes", 0o644),
        ] {
            assert_eq!(mode(name), expected, "{name}");
        }
        assert_eq!(tighten(folder.path()).tightened, 0, "once");
        fs::remove_dir_all(at("mine")).expect("ours");
        let looser = tighten(folder.path());
        assert_eq!((looser.tightened, looser.shared, mode(".")), (1, None, 0o700), "alone it is its own");
    }
}
