//! `--watch`: what is checked again when a file has changed. Files are looked at three times a second: that costs nothing, and holds for
//! every file system and editor there is.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use rasid_compiler::Look;

use super::Args;
use super::parts::{Part, parts};
use crate::command::{Failure, say};

/// How often files are looked at.
const EVERY: Duration = Duration::from_millis(300);

/// Checks, and again after every change, until it is interrupted.
pub(super) fn watch(args: &Args) -> Result<(), Failure> {
    let parts = parts(&args.paths)?;
    loop {
        // Before they are read: what changes while they are checked is a change.
        let before = look(&parts);
        clear()?;
        match args.once() {
            Ok(()) | Err(Failure::Said(_)) => {}
            Err(Failure::ReaderGone) => return Err(Failure::ReaderGone),
            // A folder that is gone for a moment may come back.
            Err(failure) => failure.report(),
        }
        say(format_args!("checked again when a file changes; Ctrl-C ends"));
        while look(&parts) == before {
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

/// What the folders look like; `None`: it cannot be listed, and checking says why.
fn look(parts: &[Part]) -> Vec<Option<Look>> {
    parts.iter().map(|part| Look::at(&part.dir).ok()).collect()
}
