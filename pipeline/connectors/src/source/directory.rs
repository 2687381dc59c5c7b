//! A followed folder: every file in it is a stream, new ones are taken up in order of name.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{FileConfig, FileOpener, MergeHandle, Notice, Observer};
use crate::Error;

/// Which files are taken, and how often the folder is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryConfig {
    /// How often the folder is looked at. 1 s.
    pub poll: Duration,
    /// Endings of plain files, which are followed until they are removed. `.jsonl`, `.ndjson`.
    pub plain: Vec<String>,
    /// Endings of compressed files, which are read once, as soon as they no longer change. `.gz`, `.zst`.
    pub compressed: Vec<String>,
    /// How each file is read.
    pub file: FileConfig,
}

impl Default for DirectoryConfig {
    fn default() -> Self {
        let endings = |all: [&str; 2]| all.map(str::to_owned).to_vec();
        Self {
            poll: Duration::from_secs(1),
            plain: endings([".jsonl", ".ndjson"]),
            compressed: endings([".gz", ".zst"]),
            file: FileConfig::default(),
        }
    }
}

/// Adds each file of `dir` to the merge as the stream `jsonl:<dir>/<name>`, and each new one once it is there, in order
/// of name. Hidden files and folders are passed over. Runs until the merge ends or it is dropped. A folder that cannot be
/// listed is waited for, at the start as later: the observer is told once why ([`Notice::Fault`]), and when it can be again.
///
/// A name stands for one file: under a new name a file would be a new stream, and read again (the engine knows an event
/// by its id for a while, not for ever), and a file that takes the name of one that was removed is read only after the
/// next start. Write files elsewhere and move them in, or append to them in place.
pub async fn follow_directory(dir: &str, config: DirectoryConfig, handle: MergeHandle, observer: Arc<dyn Observer>) {
    let stream = format!("jsonl:{dir}");
    let mut known = BTreeSet::new();
    let mut settling: BTreeMap<String, (u64, Option<SystemTime>)> = BTreeMap::new();
    let mut attempts = 0_u32;
    loop {
        let listed = match list(dir).await {
            Ok(listed) => {
                if attempts > 0 {
                    observer.notice(&stream, &Notice::Recovered { attempts });
                }
                attempts = 0;
                listed
            }
            Err(error) => {
                attempts = attempts.saturating_add(1);
                if attempts == 1 {
                    let error = Error::Unfit { stream: stream.clone(), why: unlisted(&error) };
                    let retry_in_ms = u64::try_from(config.poll.as_millis()).ok();
                    observer.notice(&stream, &Notice::Fault { error: &error, attempt: 1, retry_in_ms });
                }
                BTreeMap::new()
            }
        };
        for (name, shape) in listed {
            let ends_in = |endings: &[String]| endings.iter().any(|ending| name.ends_with(ending.as_str()));
            let (plain, compressed) = (ends_in(&config.plain), ends_in(&config.compressed));
            let path = Path::new(dir).join(&name).to_string_lossy().into_owned();
            if known.contains(&name) || !(plain || compressed) {
                continue;
            }
            // A compressed file that is still being written would be found damaged.
            if !plain && settling.insert(name.clone(), shape) != Some(shape) {
                continue;
            }
            settling.remove(&name);
            let opener = if plain {
                FileOpener::until_gone(&path, config.file.clone(), observer.clone())
            } else {
                FileOpener::once(&path, config.file.clone(), observer.clone())
            };
            if !handle.add(Arc::new(opener)).await {
                return;
            }
            known.insert(name);
        }
        tokio::time::sleep(config.poll).await;
    }
}

/// Why a folder is not read, and what to do about it.
fn unlisted(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such folder; it is waited for: make it, or mend sources.jsonl.follow_dirs".to_owned(),
        _ => format!("the folder cannot be listed, {error}; it is tried again: mend its permissions, or sources.jsonl.follow_dirs"),
    }
}

/// Names of the files in a folder, with length and time of the last change.
async fn list(dir: &str) -> io::Result<BTreeMap<String, (u64, Option<SystemTime>)>> {
    let mut found = BTreeMap::new();
    let mut entries = tokio::fs::read_dir(dir).await?;
    while let Some(entry) = entries.next_entry().await? {
        let name = entry.file_name().to_string_lossy().into_owned();
        // A file that is removed between listing and looking was never there.
        let Ok(metadata) = tokio::fs::metadata(entry.path()).await else { continue };
        if metadata.is_file() && !name.starts_with('.') {
            found.insert(name, (metadata.len(), metadata.modified().ok()));
        }
    }
    Ok(found)
}
