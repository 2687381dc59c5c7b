//! What of a data folder is whole and what is damaged, what mending would lose, and the mending: of a folder on which no
//! service runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rasid_connectors::audit::{self, Audit};
use rasid_connectors::bundle::BundleStore;
use rasid_connectors::log::{self, Checkup, DAMAGED_DIR, Positions, Segment};
use rasid_connectors::outbox::Outbox;
use rasid_connectors::seal::{self, Keyring};
use rasid_connectors::snapshot::{self, SnapshotStore};
use rasid_connectors::storage::{Disk, Storage};
use serde::Serialize;

use crate::chain::Chain;
use crate::decide::comparison::ENGINE;
use crate::recover::layout;
use crate::recover::lock::{FolderLock, LockError};
use crate::settings::Secret;

/// Families of day keys, besides the log's own.
const FAMILIES: [&str; 2] = ["dead-letters", "snapshots"];

/// Why a folder cannot be gone through or mended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DamageError {
    /// There is no log.
    #[error("{} is no data folder of a service: there is no {}/ in it", dir.display(), layout::LOG)]
    NoLog {
        /// The folder.
        dir: PathBuf,
    },
    /// A service runs on it, or its lock cannot be taken.
    #[error("the folder is mended only while no service runs on it")]
    Lock(#[from] LockError),
    /// The keys cannot be read: another secret, a disk that does not answer.
    #[error("cannot read the day keys")]
    Keys(#[from] seal::Error),
    /// A segment cannot be read or put in place.
    #[error("cannot go through the segments")]
    Log(#[from] log::Error),
    /// The snapshots cannot be listed.
    #[error("cannot look through the snapshots")]
    Snapshot(#[from] snapshot::Error),
    /// The outbox, which says how far the log had come, cannot be opened.
    #[error("cannot open the outbox, which says how far the log had come")]
    Outbox(#[from] rasid_connectors::outbox::Error),
    /// A damaged key cannot be kept aside.
    #[error("cannot use {path}")]
    Disk {
        /// The file.
        path: String,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Everything is mended, and the audit does not say so.
    #[error("the log is mended, but the audit entry could not be written")]
    Audit(#[from] audit::Error),
}

/// A file beside the segments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Looked {
    /// The file or folder.
    pub path: String,
    /// What is wrong with it; `None`: it is whole.
    pub damaged: Option<String>,
}

/// What it means that entries are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// A whole snapshot stands behind them: a start needs them no more. Going through the log again does.
    Covered,
    /// What they opened was decided and sent. The state that the next start makes again lacks them.
    Judged,
    /// Nobody has judged them, and nobody will.
    Unjudged,
}

/// Entries that cannot be read any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// Which.
    #[serde(flatten)]
    pub positions: Positions,
    /// What that means.
    pub means: Means,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The folder.
    pub data: String,
    /// A service runs on it, or its lock could not be taken: what is being written may look torn, and how far effects were
    /// committed is not known.
    pub in_use: bool,
    /// The position up to which effects were committed.
    pub committed: Option<u64>,
    /// The newest whole snapshot: the next start begins behind it.
    pub snapshot: Option<u64>,
    /// Segments of the log, oldest first.
    pub log: Vec<Segment>,
    /// Segments of the dead letters, oldest first; their positions count letters.
    pub dead_letters: Vec<Segment>,
    /// Day keys.
    pub keys: Vec<Looked>,
    /// Snapshots, oldest first.
    pub snapshots: Vec<Looked>,
    /// Rulesets that the log or a snapshot names.
    pub rulesets: Vec<Looked>,
    /// What mending the log would lose, in order.
    pub lost: Vec<Lost>,
    /// How many dead letters.
    pub lost_dead_letters: u64,
}

impl Report {
    /// Whether nothing is damaged; a torn tail is what a crash leaves, and cut by the next start.
    pub fn is_whole(&self) -> bool {
        !self.needs_mending() && [&self.snapshots, &self.rulesets].into_iter().flatten().all(|looked| looked.damaged.is_none())
    }

    /// Whether there is something that [`Folder::mend`] mends. A damaged snapshot is passed over and written anew in its
    /// time; a ruleset is kept anew when the service is started with its rule files.
    pub fn needs_mending(&self) -> bool {
        let segments = self.log.iter().chain(&self.dead_letters);
        !segments.into_iter().all(Segment::is_whole) || self.keys.iter().any(|looked| looked.damaged.is_some())
    }
}

/// A data folder, gone through.
pub struct Folder {
    dir: PathBuf,
    secret: Secret,
    storage: Arc<dyn Storage>,
    report: Report,
    lock: Option<FolderLock>,
}

/// Who mends, and why; for the audit.
#[derive(Clone, Debug)]
pub struct Act<'a> {
    /// When, Unix ms.
    pub now_ms: i64,
    /// The user, by name.
    pub who: &'a str,
    /// Whom they say they are; behind `sudo -u rasid` it is the person.
    pub claimed: &'a str,
    /// The reason given.
    pub why: &'a str,
}

impl Folder {
    /// Goes through the folder `dir`. Beside a running service it only reads, and knows less.
    ///
    /// # Errors
    /// [`DamageError`]: it cannot be gone through. Damage is none.
    pub fn check(dir: &Path, secret: &Secret) -> Result<Self, DamageError> {
        is_log(dir)?;
        Self::look(dir, secret, FolderLock::take(dir).ok())
    }

    /// The same for mending: it fails where a service runs.
    ///
    /// # Errors
    /// [`DamageError`].
    pub fn take(dir: &Path, secret: &Secret) -> Result<Self, DamageError> {
        is_log(dir)?;
        Self::look(dir, secret, Some(FolderLock::take(dir)?))
    }

    fn look(dir: &Path, secret: &Secret, lock: Option<FolderLock>) -> Result<Self, DamageError> {
        let storage: Arc<dyn Storage> = Arc::new(Disk::existing(dir));
        let outbox = dir.join(layout::OUTBOX);
        let committed = match &lock {
            Some(_) if outbox.exists() => Some(Outbox::open(&outbox)?.position()),
            Some(_) => Some(0),
            None => None,
        };
        let report = look(dir, secret, &storage, lock.is_none(), committed)?;
        Ok(Self { dir: dir.to_owned(), secret: secret.clone(), storage, report, lock })
    }

    /// What was found.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Keeps what is damaged aside and gives up what it held; nothing that is whole is touched. Gives the files that were kept
    /// aside. Whatever ends it on the way, it can be done again.
    ///
    /// # Errors
    /// [`DamageError`].
    pub fn mend(self, act: &Act<'_>) -> Result<Vec<String>, DamageError> {
        let Self { dir, secret, storage, report, lock } = self;
        let lock = lock.map_or_else(|| FolderLock::take(&dir), Ok)?;
        let mut aside = Vec::new();
        for key in report.keys.iter().filter(|key| key.damaged.is_some()) {
            aside.push(keep_aside(&*storage, &key.path)?);
        }
        let keys = keyring(&storage, &secret)?;
        let checkup = Checkup::of_log(Arc::clone(&storage), layout::LOG, keys.clone(), report.committed.unwrap_or(0))?;
        aside.extend(checkup.mend(act.now_ms)?);
        aside.extend(Checkup::of_dead_letters(Arc::clone(&storage), layout::DEAD_LETTERS, &keys)?.mend(act.now_ms)?);
        let listed = |lost: &Lost| format!("{}-{}", lost.positions.first, lost.positions.last);
        let details = BTreeMap::from([
            ("lost", report.lost.iter().map(listed).collect::<Vec<_>>().join(",")),
            ("lost_dead_letters", report.lost_dead_letters.to_string()),
            ("kept_aside", aside.join(",")),
        ]);
        let Act { now_ms, who, claimed, why } = *act;
        let entry = audit::Entry { at_ms: now_ms, who, claimed, from: "command line", action: "mend the log", why, details };
        Audit::open(&storage, layout::AUDIT)?.append(&entry)?;
        drop(lock);
        Ok(aside)
    }
}

fn is_log(dir: &Path) -> Result<(), DamageError> {
    if layout::is_data_folder(dir) { Ok(()) } else { Err(DamageError::NoLog { dir: dir.to_owned() }) }
}

fn keyring(storage: &Arc<dyn Storage>, secret: &Secret) -> Result<Keyring, seal::Error> {
    Keyring::untried(Arc::clone(storage), layout::KEYS, secret.reveal())
}

fn keep_aside(storage: &dyn Storage, path: &str) -> Result<String, DamageError> {
    let aside = format!("{DAMAGED_DIR}/{path}");
    let failed = |source| DamageError::Disk { path: path.to_owned(), source };
    storage.replace(&aside, &storage.read(path).map_err(failed)?).map_err(failed)?;
    storage.remove(path).map_err(failed)?;
    Ok(aside)
}

fn look(dir: &Path, secret: &Secret, storage: &Arc<dyn Storage>, in_use: bool, committed: Option<u64>) -> Result<Report, DamageError> {
    let keys = keyring(storage, secret)?;
    let mut looked_keys = Vec::new();
    for (family, dir) in std::iter::once((keys.clone(), layout::KEYS.to_owned()))
        .chain(FAMILIES.map(|name| (keys.family(name), format!("{}/{name}", layout::KEYS))))
    {
        let damaged: BTreeSet<String> = family.damaged()?.into_iter().collect();
        let path = |day: seal::Day| format!("{dir}/{day}.key");
        looked_keys.extend(family.days()?.into_iter().map(path).map(|path| Looked {
            damaged: damaged.contains(&path).then(|| "it is damaged or is no day key: all that was sealed with it is lost".to_owned()),
            path,
        }));
    }
    let log = Checkup::of_log(Arc::clone(storage), layout::LOG, keys.clone(), committed.unwrap_or(0))?;
    let dead_letters = Checkup::of_dead_letters(Arc::clone(storage), layout::DEAD_LETTERS, &keys)?;

    let (mut newest, mut snapshots, mut rulesets) = (None, Vec::new(), log.rulesets());
    let path = |name: &str| format!("{}/{name}", layout::SNAPSHOTS);
    for snapshot in SnapshotStore::open(Arc::clone(storage), layout::SNAPSHOTS, &keys, ENGINE, usize::MAX).each()? {
        match snapshot {
            Ok(found) => {
                // One ahead of what was committed is not used.
                if committed.is_none_or(|committed| found.position() <= committed) {
                    newest = Some(found.position());
                }
                rulesets.insert(found.ruleset().to_owned());
                snapshots.push(Looked { path: path(&format!("{:020}", found.position())), damaged: None });
            }
            Err(refused) => snapshots.push(Looked { path: path(&refused.name), damaged: Some(refused.why.to_string()) }),
        }
    }
    let bundles = BundleStore::open(Arc::clone(storage), layout::RULESETS, ENGINE);
    let rulesets = rulesets.into_iter().map(|hash| Looked {
        damaged: bundles.load(&hash).err().map(|error| Chain(&error).to_string()),
        path: format!("{}/{}.json", layout::RULESETS, hash.trim_start_matches("sha256:")),
    });
    Ok(Report {
        data: dir.display().to_string(),
        in_use,
        committed,
        snapshot: newest,
        lost: meaning(&log.lost(), newest.unwrap_or(0), committed.unwrap_or(0)),
        lost_dead_letters: dead_letters.lost().into_iter().map(Positions::count).sum(),
        log: log.segments().cloned().collect(),
        dead_letters: dead_letters.segments().cloned().collect(),
        keys: looked_keys,
        snapshots,
        rulesets: rulesets.collect(),
    })
}

/// The lost positions, cut where their meaning changes.
fn meaning(all: &[Positions], snapshot: u64, committed: u64) -> Vec<Lost> {
    let kinds = [
        (0, snapshot, Means::Covered),
        (snapshot, committed.max(snapshot), Means::Judged),
        (committed.max(snapshot), u64::MAX, Means::Unjudged),
    ];
    let cut = |one: &Positions| {
        let one = *one;
        kinds.into_iter().filter_map(move |(after, upto, means)| {
            let (first, last) = (one.first.max(after + 1), one.last.min(upto));
            (first <= last).then_some(Lost { positions: Positions { first, last }, means })
        })
    };
    all.iter().flat_map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_cut_where_its_meaning_changes() {
        let lost = [Positions { first: 5, last: 25 }, Positions { first: 40, last: 40 }];
        let found: Vec<_> =
            meaning(&lost, 10, 20).into_iter().map(|lost| (lost.positions.first, lost.positions.last, lost.means)).collect();
        let expected = [(5, 10, Means::Covered), (11, 20, Means::Judged), (21, 25, Means::Unjudged), (40, 40, Means::Unjudged)];
        assert_eq!(found, expected);
        assert_eq!(meaning(&lost[1..], 40, 40)[0].means, Means::Covered);
    }
}
