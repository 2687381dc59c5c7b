//! Rulesets by hash: those that this process has compiled, else from the bundles.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rasid_compiler::ruleset::Ruleset;
use rasid_connectors::bundle::BundleStore;

use crate::decide::worker::Rulesets;

/// Bundles on disk, and the compiled form of the newest.
#[derive(Clone)]
pub struct KnownRulesets {
    bundles: Arc<BundleStore>,
    compiled: Arc<Mutex<HashMap<String, Ruleset>>>,
}

impl KnownRulesets {
    /// Those in the store.
    pub fn new(bundles: Arc<BundleStore>) -> Self {
        Self { bundles, compiled: Arc::default() }
    }

    /// Keeps a ruleset, on disk first: the log names nothing that is not there.
    ///
    /// # Errors
    /// The disk failed.
    pub fn save(&self, ruleset: &Ruleset) -> Result<(), rasid_connectors::bundle::Error> {
        self.bundles.save(ruleset)?;
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner).insert(ruleset.hash.clone(), ruleset.clone());
        Ok(())
    }

    /// The ruleset of that hash, out of its bundle, whoever else needs it.
    ///
    /// # Errors
    /// There is no such bundle, it cannot be read, or it does not compile.
    pub fn look(&self, hash: &str) -> Result<Ruleset, Box<dyn std::error::Error + Send + Sync>> {
        if let Some(ruleset) = self.compiled.lock().unwrap_or_else(PoisonError::into_inner).get(hash) {
            return Ok(ruleset.clone());
        }
        Ok(self.bundles.load(hash)?)
    }
}

impl Rulesets for KnownRulesets {
    fn load(&self, hash: &str) -> Result<Ruleset, Box<dyn std::error::Error + Send + Sync>> {
        // Taken out: it is needed once, and a switch back finds it on disk.
        if let Some(ruleset) = self.compiled.lock().unwrap_or_else(PoisonError::into_inner).remove(hash) {
            return Ok(ruleset);
        }
        Ok(self.bundles.load(hash)?)
    }
}
