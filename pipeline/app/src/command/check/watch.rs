//! `--watch`: what is checked again when a file has changed. Files are looked at three times a second: that costs nothing, and holds for
//! every file system and editor there is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Args;
use super::parts::{Part, parts};
use crate::command::{Failure, say};

/// How often files are looked at.
const EVERY: Duration = Duration::from_millis(300);

/// By file: when it was changed, and its length.
type Stamps = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// Checks, and again after every change, until it is interrupted.
pub(super) fn watch(args: &Args) -> Result<(), Failure> {
    let parts = parts(&args.paths)?;
    loop {
        // Before they are read: what changes while they are checked is a change.
        let stamps = stamps(&parts);
        clear()?;
        match args.once() {
            Ok(()) | Err(Failure::Said(_)) => {}
            Err(Failure::ReaderGone) => return Err(Failure::ReaderGone),
            // A folder that is gone for a moment may come back.
            Err(failure) => failure.report(),
        }
        say(format_args!("checked again when a file changes; Ctrl-C ends"));
        while self::stamps(&parts) == stamps {
            pause();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "nothing else is to be done on this thread, and Ctrl-C ends the process")]
fn pause() {
    std::thread::sleep(EVERY);
}

/// Takes what was said before off a terminal; a pipe keeps it.
fn clear() -> Result<(), Failure> {
    let mut out = std::io::stdout();
    if !out.is_terminal() {
        return Ok(());
    }
    out.write_all(b"\x1b[2J\x1b[3J\x1b[H").and_then(|()| out.flush()).map_err(|error| Failure::Outside(Box::new(error)))
}

/// Every file that a rule, a list or shared bindings may stand in.
fn stamps(parts: &[Part]) -> Stamps {
    let (mut found, mut seen) = (Stamps::new(), BTreeSet::new());
    for part in parts {
        look(&part.dir, &mut found, &mut seen);
    }
    found
}

/// What cannot be read is no file; checking says what is wrong with it.
fn look(folder: &Path, found: &mut Stamps, seen: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = folder.canonicalize().and_then(|known| if seen.insert(known) { folder.read_dir().map(Some) } else { Ok(None) }) else {
        return;
    };
    for path in entries.into_iter().flatten().flatten().map(|entry| entry.path()) {
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let Some(metadata) = path.metadata().ok().filter(|_| !is_hidden) else { continue };
        if metadata.is_dir() {
            look(&path, found, seen);
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.insert(path, (metadata.modified().ok(), metadata.len()));
        }
    }
}
