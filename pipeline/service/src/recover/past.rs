//! A service's log as it came: what other rules would have made of it.
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
    pseudonymizers: Vec<Pseudonymizer>,
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
        let mut pseudonymizers = match &secrets {
            Some(secrets) => secrets.pseudonymizers()?,
            None => Vec::new(),
        };
        let pseudonymizer = match pseudonymizers.last() {
            Some(current) => current.clone(),
            None => Pseudonymizer::new(secret.reveal(), number)?,
        };
        if pseudonymizers.is_empty() {
            pseudonymizers.push(pseudonymizer.clone());
        }
        let keys = Keyring::open(Arc::clone(&storage), layout::KEYS, secret.reveal())?;
        let reader = LogReader::oldest(storage, layout::LOG, keys)?;
        Ok(Self { reader, block: Block::default(), pseudonymizer, pseudonymizers })
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

    /// One a secret that was ever in force, the first one first.
    pub fn pseudonymizers(&self) -> &[Pseudonymizer] {
        &self.pseudonymizers
    }

    /// Comes to the next block; whether there is one before the end of the log as it is now.
    ///
    /// # Errors
    /// [`ReplayError`]; there is no going on after it.
    pub fn advance(&mut self) -> Result<bool, ReplayError> {
        Ok(self.reader.next(&mut self.block)?)
    }

    /// What the block says, in order.
    pub fn said(&self) -> Vec<Said<'_>> {
        said(&self.block)
    }

    /// When the block was appended, Unix ms.
    pub fn appended_ms(&self) -> i64 {
        self.block.appended_ms()
    }
}

/// What a log says next.
pub enum Said<'a> {
    /// Events, with their positions and arrivals; not none.
    Records(Vec<Record<'a>>),
    /// What is no event.
    Control {
        /// Its position.
        position: u64,
        /// What it is.
        control: Control,
    },
}

/// What a block says, in order.
pub(crate) fn said(block: &Block) -> Vec<Said<'_>> {
    let mut all: Vec<Said<'_>> = Vec::new();
    for (position, entry) in block.entries() {
        match (entry, all.last_mut()) {
            (Entry::Event { arrival_ms, bytes, .. }, Some(Said::Records(records))) => records.push(Record { position, arrival_ms, bytes }),
            (Entry::Event { arrival_ms, bytes, .. }, _) => all.push(Said::Records(vec![Record { position, arrival_ms, bytes }])),
            (Entry::Control(control), _) => all.push(Said::Control { position, control }),
        }
    }
    all
}
