//! A service's log again, from its beginning and with nothing committed: what its engine makes of it, for whoever asks.
//!
//! Only reads, so it may run beside the service; it then ends where the log stood when it got there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rasid_connectors::bundle::BundleStore;
use rasid_connectors::log::{self, Block, LogReader};
use rasid_connectors::seal::{self, Keyring, Secrets};
use rasid_connectors::storage::{Disk, Storage};
use rasid_engine::{Engine, Pseudonymizer, SecretError};

use crate::decide::comparison::ENGINE;
use crate::decide::engine_setup::EngineSetup;
use crate::decide::route::Routes;
use crate::decide::worker::{Step, Worker, WorkerError};
use crate::recover::layout;
use crate::recover::rulesets::KnownRulesets;
use crate::settings::Secret;

/// Why a log cannot be gone through again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There is no log.
    #[error("{} is no data folder of a service: there is no {}/ in it", dir.display(), layout::LOG)]
    NoLog {
        /// The folder.
        dir: PathBuf,
    },
    /// The secret makes no pseudonyms.
    #[error("the pseudonym secret")]
    Secret(#[from] SecretError),
    /// The day keys cannot be used: the secret is another, or they are damaged.
    #[error("cannot open the day keys")]
    Keys(#[from] seal::Error),
    /// The beginning is gone, and with it what the state of today was made of.
    #[error("the beginning of the log is retired: it begins at position {first}, so what came of it cannot be worked out again")]
    NoBeginning {
        /// The oldest position there is.
        first: u64,
    },
    /// The log cannot be read.
    #[error("cannot read the log (where it is damaged, `rasid log check` says what is lost)")]
    Log(#[source] log::Error),
    /// A record cannot be applied.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

impl From<log::Error> for ReplayError {
    fn from(error: log::Error) -> Self {
        match error {
            log::Error::Retired { first, .. } => Self::NoBeginning { first },
            error => Self::Log(error),
        }
    }
}

/// An engine on its way through a log.
pub struct Replay {
    reader: LogReader,
    worker: Worker,
    block: Block,
}

impl Replay {
    /// At the beginning of the log in the data folder `dir`. Arrivals, rulesets and settings are those that the log
    /// holds; `secret` is the service's, `threads` share the work. `number` is that of a folder which is not bound to one:
    /// what one is bound to, it says itself.
    ///
    /// # Errors
    /// [`ReplayError`], in words for a person.
    pub fn open(dir: &Path, secret: &Secret, number: u8, threads: usize) -> Result<Self, ReplayError> {
        if !layout::is_data_folder(dir) {
            return Err(ReplayError::NoLog { dir: dir.to_owned() });
        }
        let storage: Arc<dyn Storage> = Arc::new(Disk::existing(dir));
        let pseudonymizers = match Secrets::existing(&*storage, layout::KEYS, secret.reveal())? {
            Some(secrets) => secrets.pseudonymizers()?,
            None => vec![Pseudonymizer::new(secret.reveal(), number)?],
        };
        let keys = Keyring::open(Arc::clone(&storage), layout::KEYS, secret.reveal())?;
        let reader = LogReader::open(Arc::clone(&storage), layout::LOG, keys, 1)?;
        let bundles = Arc::new(BundleStore::open(storage, layout::RULESETS, ENGINE));
        let setup = EngineSetup { pseudonymizers, threads };
        let worker = Worker::new(setup, Box::new(KnownRulesets::new(bundles)), Routes::default());
        Ok(Self { reader, worker, block: Block::default() })
    }

    /// What the next block comes to; `None` at the end of the log as it is now.
    ///
    /// # Errors
    /// [`ReplayError`]; there is no going on after it.
    pub fn step(&mut self) -> Result<Option<Step>, ReplayError> {
        if !self.reader.next(&mut self.block)? {
            return Ok(None);
        }
        Ok(Some(self.worker.apply(&self.block)?))
    }

    /// The newest position applied; 0 at the beginning.
    pub fn position(&self) -> u64 {
        self.worker.position()
    }

    /// Entries so far that were lost to damage and given up, with those that nobody can judge because of them.
    pub fn lost(&self) -> u64 {
        self.worker.lost()
    }

    /// The engine as of the last step; `None` before the first ruleset.
    pub fn engine(&self) -> Option<&Engine> {
        self.worker.engine()
    }
}
