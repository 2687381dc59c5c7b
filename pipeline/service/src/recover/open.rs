//! The data folder at a start: locked, made its owner's alone, and opened part by part.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rasid_connectors::Disposition;
use rasid_connectors::alerts::{self, AlertStore};
use rasid_connectors::audit::Audit;
use rasid_connectors::log::LogConfig;
use rasid_connectors::outbox::{self, Outbox};
use rasid_connectors::seal::{self, Change, Given, Keyring, Secrets};
use rasid_connectors::storage::{Disk, Storage};

use crate::decide::engine_setup::EngineSetup;
use crate::decide::route::Routes;
use crate::error::StartError;
use crate::health::hindrance::{Area, Hindrances};
use crate::recover::lock::{FolderLock, LockError};
use crate::recover::take_up::{Layout, RecoverError, Recovered, recover};
use crate::recover::{exposure, layout};
use crate::settings::{Secret, Settings};

/// Why the data folder cannot be taken up, with the folder.
#[derive(Debug, thiserror::Error)]
#[error("cannot take up the data folder {}{}", dir.display(), source.help(dir))]
pub(crate) struct CannotTakeUp {
    /// The folder.
    dir: PathBuf,
    /// Why.
    #[source]
    source: TakeUpError,
}

/// Why the data folder cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeUpError {
    /// It cannot be made or read.
    #[error(transparent)]
    Folder(std::io::Error),
    /// Another process has it, or its lock cannot be made.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The day keys cannot be opened.
    #[error("cannot open the day keys")]
    Keys(#[from] rasid_connectors::seal::Error),
    /// The audit cannot be opened.
    #[error(transparent)]
    Audit(#[from] rasid_connectors::audit::Error),
    /// The outbox cannot be opened.
    #[error("cannot open the outbox")]
    Outbox(#[from] outbox::Error),
    /// The alert store cannot be opened.
    #[error("cannot open the alert store")]
    Alerts(#[from] alerts::Error),
    /// What is in it cannot be taken up.
    #[error(transparent)]
    Recover(#[from] RecoverError),
}

impl TakeUpError {
    /// The command that goes on from there.
    fn help(&self, dir: &Path) -> String {
        let is_damage = match self {
            Self::Recover(error) => error.is_damage(),
            Self::Keys(error) => matches!(error, rasid_connectors::seal::Error::Damaged { .. }),
            _ => false,
        };
        if is_damage {
            format!(" (`rasid log check {}` says what is damaged and what mending it would lose)", dir.display())
        } else {
            String::new()
        }
    }

    /// What to do about it.
    fn disposition(&self) -> Disposition {
        match self {
            Self::Folder(source) => rasid_connectors::of_io(source),
            Self::Audit(error) => error.disposition(),
            Self::Lock(error) => error.disposition(),
            Self::Keys(error) => error.disposition(),
            Self::Outbox(error) => error.disposition(),
            Self::Alerts(error) => error.disposition(),
            Self::Recover(error) => error.disposition(),
        }
    }
}

/// The folder, opened.
pub(crate) struct Opened {
    pub(crate) lock: FolderLock,
    pub(crate) storage: Arc<dyn Storage>,
    /// Day keys.
    pub(crate) keys: Keyring,
    /// Pseudonym secrets.
    pub(crate) secrets: Secrets,
    pub(crate) audit: Audit,
    pub(crate) recovered: Recovered,
}

/// Opens it, however long there is no room for that.
///
/// # Errors
/// [`StartError`]: what is in it cannot be gone on from, or another process has it.
pub(crate) async fn open(settings: &Settings, routes: Routes, hindrances: &Hindrances) -> Result<Opened, StartError> {
    let (settings, hindrances) = (settings.clone(), hindrances.clone());
    let opened = tokio::task::spawn_blocking(move || {
        let opened = hindrances.until_done(Area::Start, TakeUpError::disposition, || open_once(&settings, routes));
        opened.map_err(|source| CannotTakeUp { dir: settings.data_dir, source })
    });
    opened.await.map_err(StartError::outside)?.map_err(not_taken_up)
}

/// A secret that is not the folder's is the configuration's fault; trying again does not help.
fn not_taken_up(error: CannotTakeUp) -> StartError {
    match error.source {
        TakeUpError::Keys(source) if source.is_configuration() => StartError::Configuration(source.to_string()),
        _ => StartError::outside(error),
    }
}

/// The folder's secrets, held to the configuration's and changed where it says so, and the keys that they open.
fn secrets(settings: &Settings, storage: &Arc<dyn Storage>) -> Result<(Secrets, Keyring), seal::Error> {
    let owned = |secret: &Secret| secret.reveal().to_vec().into();
    let given = Given {
        secret: owned(&settings.secret),
        number: settings.secret_number,
        former: settings.former_secret.as_ref().map(|(secret, number)| (*number, owned(secret))),
    };
    let (secrets, change) = Secrets::open(storage, layout::KEYS, &given, &seal::system_random())?;
    let keys = Keyring::open(Arc::clone(storage), layout::KEYS, settings.secret.reveal())?;
    let rewrapped = keys.rewrap()?;
    match change {
        Change::None => {}
        Change::Bound => tracing::info!(number = settings.secret_number, "the data folder is bound to the pseudonym secret and its number"),
        Change::Rotated { from } => tracing::warn!(from, to = settings.secret_number, "the pseudonym secret is changed"),
    }
    if rewrapped > 0 {
        tracing::info!(keys = rewrapped, "day keys are wrapped under the secret in force");
    }
    Ok((secrets, keys))
}

fn open_once(settings: &Settings, routes: Routes) -> Result<Opened, TakeUpError> {
    // The disk makes the folder for its owner alone; nothing in it is read before the lock is taken.
    let storage: Arc<dyn Storage> = Arc::new(Disk::open(&settings.data_dir).map_err(TakeUpError::Folder)?);
    let lock = FolderLock::take(&settings.data_dir)?;
    exposure::tighten(&settings.data_dir).say();
    let (secrets, keys) = secrets(settings, &storage)?;
    let pseudonymizers = secrets.pseudonymizers()?;
    let audit = Audit::open(&storage, layout::AUDIT)?;
    let outbox = Arc::new(Outbox::open(&settings.data_dir.join(layout::OUTBOX))?);
    let store = Arc::new(AlertStore::open(&settings.data_dir.join(layout::ALERTS), settings.alerts.retention())?);
    let log = &settings.log;
    let layout = Layout {
        storage: Arc::clone(&storage),
        keys: keys.clone(),
        log: LogConfig { segment_bytes: log.segment_bytes, retention_ms: log.retention_ms(), bytes_max: log.bytes_max },
        dead_letters: LogConfig {
            segment_bytes: log.segment_bytes,
            retention_ms: log.dead_letter_retention_ms(),
            bytes_max: log.dead_letter_bytes_max,
        },
        snapshots_keep: settings.snapshot.keep.into(),
        setup: EngineSetup { pseudonymizers, threads: settings.engine.threads.into() },
        routes,
    };
    let recovered = recover(layout, outbox, store)?;
    Ok(Opened { lock, storage, keys, secrets, audit, recovered })
}
