//! The events of a service's log, as they came: what other rules would have made of them.
//!
//! Only reads, so it may run beside the service. It begins where the log begins now, which may be days after the service did, and ends
//! where it stood when it got there.

use std::path::Path;
use std::sync::Arc;

use rasid_compiler::ruleset::Ruleset;
use rasid_connectors::bundle::BundleStore;
use rasid_connectors::log::{Block, Control, Entry, LogReader};
use rasid_connectors::seal::{Keyring, Secrets};
use rasid_connectors::storage::{Disk, Storage};
use rasid_engine::{Pseudonymizer, Record};

use crate::decide::comparison::ENGINE;
use crate::recover::layout;
use crate::recover::replay::ReplayError;
use crate::settings::Secret;

/// A log, block by block.
pub struct Past {
    reader: LogReader,
    block: Block,
    pseudonymizer: Pseudonymizer,
    lost: u64,
}

impl Past {
    /// The log in the data folder `dir`; `secret` is the service's, `number` that of a folder which is not bound to one.
    ///
    /// # Errors
    /// [`ReplayError`], in words for a person.
    pub fn open(dir: &Path, secret: &Secret, number: u8) -> Result<Self, ReplayError> {
        if !layout::is_data_folder(dir) {
            return Err(ReplayError::NoLog { dir: dir.to_owned() });
        }
        let storage: Arc<dyn Storage> = Arc::new(Disk::existing(dir));
        let secrets = Secrets::existing(&*storage, layout::KEYS, secret.reveal())?;
        let current = match &secrets {
            Some(secrets) => secrets.pseudonymizers()?.pop(),
            None => None,
        };
        let pseudonymizer = match current {
            Some(current) => current,
            None => Pseudonymizer::new(secret.reveal(), number)?,
        };
        let keys = Keyring::open(Arc::clone(&storage), layout::KEYS, secret.reveal())?;
        let reader = LogReader::oldest(storage, layout::LOG, keys)?;
        Ok(Self { reader, block: Block::default(), pseudonymizer, lost: 0 })
    }

    /// A ruleset of the service in the data folder `dir` by its hash, `sha256:…`, which an alert names.
    ///
    /// # Errors
    /// It is not kept, or does not compile any more.
    pub fn ruleset(dir: &Path, hash: &str) -> Result<Ruleset, rasid_connectors::bundle::Error> {
        BundleStore::open(Arc::new(Disk::existing(dir)), layout::RULESETS, ENGINE).load(hash)
    }

    /// What makes the names that the service uses today.
    pub fn pseudonymizer(&self) -> &Pseudonymizer {
        &self.pseudonymizer
    }

    /// The events of the next block, with their positions and arrivals; `None` at the end of the log as it is now.
    ///
    /// # Errors
    /// [`ReplayError`]; there is no going on after it.
    pub fn records(&mut self) -> Result<Option<Vec<Record<'_>>>, ReplayError> {
        if !self.reader.next(&mut self.block)? {
            return Ok(None);
        }
        let mut records = Vec::with_capacity(self.block.len());
        for (position, entry) in self.block.entries() {
            match entry {
                Entry::Event { arrival_ms, bytes, .. } => records.push(Record { position, arrival_ms, bytes }),
                Entry::Control(Control::Lost) => self.lost += 1,
                Entry::Control(_) => {}
            }
        }
        Ok(Some(records))
    }

    /// Entries so far that were lost to damage.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}
