//! A followed folder: every file in it is a stream, whatever log shippers do to it.
//!
//! A file is known by device, inode, the hash of its beginning and the hash of what was read last, never by its name.
//! So what happens to files means here:
//!
//! - **It grows**: a line without its line end is no record yet.
//! - **It is renamed**: it is read on, under any name in the folder for as long as it grows there, else to its end and
//!   for `rotate_wait` behind it, for writers that have not noticed. Its successor is read from its beginning meanwhile,
//!   as a stream of its own: `jsonl:<dir>/<name>`, then `…#1`, and so on, each of which is used again.
//! - **It is removed**: the same; and the name is watched for.
//! - **It is cut in place, or cut and written anew further than before**: seen by what was read last; it is read from
//!   its new beginning. Where a copy of what it was lies beside it, that is read to its end; where none does,
//!   [`Notice::Truncated`], since what was written after the last look is lost.
//! - **What was read comes back**, renamed, copied or compressed: it is known by its content, and only what it goes on
//!   with is read. [`Notice::Recognised`].
//! - **All that while the service was down**: the same, by what [`Known`] has kept. [`Notice::Vanished`] where a file
//!   that was being read is nowhere.
//! - **It does not grow**: it is closed, and opened again when it has changed.
//!
//! At most so many files are open at once; others wait for their turn, in order of name.

mod content;
mod follower;
mod input;
mod known;
mod listing;
mod print;
mod recognise;
mod source;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{FileConfig, MergeHandle, Notice, Observer};
use crate::error::of_io;
use crate::storage::Storage;
use crate::{Disposition, Error};
use follower::Follower;

pub use known::FOLLOWED_DIR;

/// Which files are taken, and how often the folder is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryConfig {
    /// How often the folder is looked at. 200 ms; where looking takes long, so seldom that it takes 2.5 % of a core.
    pub poll: Duration,
    /// How long a compressed file must not change before it is first read. 1 s: most are whole then; one that is not is
    /// read on when it grows.
    pub settle: Duration,
    /// How long a file that was renamed or removed is read on after it last grew, and how long a compressed one that ends
    /// in its middle is waited for. 30 s.
    pub rotate_wait: Duration,
    /// How long a file must not grow before it is closed. 60 s; while others wait to be opened it is closed at once.
    pub idle_close: Duration,
    /// Endings of plain files, which are followed. `.jsonl`, `.ndjson`.
    pub plain: Vec<String>,
    /// Endings of compressed files. `.gz`, `.zst`.
    pub compressed: Vec<String>,
    /// How each file is read.
    pub file: FileConfig,
}

impl Default for DirectoryConfig {
    fn default() -> Self {
        let endings = |all: [&str; 2]| all.map(str::to_owned).to_vec();
        Self {
            poll: Duration::from_millis(200),
            settle: Duration::from_secs(1),
            rotate_wait: Duration::from_secs(30),
            idle_close: Duration::from_mins(1),
            plain: endings([".jsonl", ".ndjson"]),
            compressed: endings([".gz", ".zst"]),
            file: FileConfig::default(),
        }
    }
}

/// What followers stand on.
#[derive(Clone)]
pub struct Footing {
    /// Where streams are read.
    pub handle: MergeHandle,
    /// Who hears of them.
    pub observer: Arc<dyn Observer>,
    /// Places for open files, shared by all folders.
    pub places: Arc<Semaphore>,
    /// Where it is kept which file is which, in [`FOLLOWED_DIR`]; without it a restart knows only offsets.
    pub storage: Option<Arc<dyn Storage>>,
}

/// How much of a core looking may take: one part of so many.
const LOOKING: u32 = 40;

/// Reads the files of `dir` and each new one once it is there. Hidden files and folders are passed over. Runs until the
/// merge ends or it is dropped. A folder that cannot be listed is waited for, at the start as later: the observer is told
/// once why ([`Notice::Fault`]), and when it can be again.
pub async fn follow_directory(dir: &Path, config: DirectoryConfig, footing: Footing) {
    let stream = format!("jsonl:{}", dir.display());
    let (poll, observer, handle) = (config.poll, Arc::clone(&footing.observer), footing.handle.clone());
    let dir: PathBuf = dir.to_owned();
    let mut attempts = 0_u32;
    let failed = |error: &std::io::Error, attempts: &mut u32| {
        *attempts = attempts.saturating_add(1);
        if *attempts == 1 {
            let error = match of_io(error) {
                // It passes, as a full disk does, of which the service itself says what is to be done.
                Disposition::Retry => Error::Unavailable { stream: stream.clone(), source: error.to_string().into() },
                _ => Error::Unfit { stream: stream.clone(), why: unlisted(error) },
            };
            let retry_in_ms = u64::try_from(poll.as_millis()).ok();
            observer.notice(&stream, &Notice::Fault { error: &error, attempt: 1, retry_in_ms });
        }
    };
    let mut follower = loop {
        match Follower::open(&dir, &config, &footing) {
            Ok(follower) => break follower,
            Err(error) => failed(&error, &mut attempts),
        }
        tokio::time::sleep(poll).await;
    };
    let shared = follower.shared();
    let mut listed = None;
    loop {
        let (began, lists) = (Instant::now(), listed.is_none_or(|at| at <= Instant::now()));
        let looked = tokio::task::spawn_blocking(move || {
            let before = own_time();
            let starts = follower.look(lists);
            (follower, starts, own_time().saturating_sub(before))
        });
        let Ok((back, starts, took)) = looked.await else { return }; // the runtime ends
        follower = back;
        if lists {
            listed = Some(Instant::now() + poll.max(took * LOOKING));
        }
        match starts {
            Ok(starts) => {
                if attempts > 0 {
                    observer.notice(&stream, &Notice::Recovered { attempts });
                }
                attempts = 0;
                for opener in starts {
                    if !handle.add(Arc::new(opener)).await {
                        return;
                    }
                }
            }
            Err(error) => failed(&error, &mut attempts),
        }
        tokio::select! {
            () = shared.wake.notified() => tokio::time::sleep(poll.min(Duration::from_millis(20))).await,
            () = tokio::time::sleep_until(listed.unwrap_or(began)) => {}
        }
    }
}

/// How long this thread has had the processor: waiting for a busy disk or machine is no reason to look less often.
fn own_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}

/// Why a folder is not read, and what to do about it.
fn unlisted(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such folder; it is waited for: make it, or mend sources.jsonl.follow_dirs".to_owned(),
        _ => format!(
            "the folder cannot be looked through, or what is known of it cannot be kept, {error}; it is tried again: mend the permissions, the disk, or sources.jsonl.follow_dirs"
        ),
    }
}
