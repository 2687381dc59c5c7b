//! Other settings from one record on: what else the log's meaning hangs on beside the ruleset.

use super::{Config, Engine};
use crate::pseudonym::Pseudonymizer;

impl Engine {
    /// Lets identifiers leave under another secret from the next record on. The state's keys keep their seed, so it must be
    /// the same; scores stand under the names that they have until an alert gives them the new one.
    ///
    /// # Panics
    /// When the seed is another.
    pub fn rename(&mut self, pseudonymizer: Pseudonymizer) {
        assert!(pseudonymizer.seed() == self.pseudonymizer.seed(), "the seed of the state's keys never changes");
        self.pseudonymizer = pseudonymizer;
    }

    /// Puts the allowed lateness, the bound on the future and the memory bound with what is reserved of it, of `config` in force, from the next record
    /// on; threads and the rest stay as they are. Call [`Engine::switch`] next: it lays keyed state out under them.
    pub fn reconfigure(&mut self, config: &Config) {
        let Config { lateness_ms, future_ms, memory_max, events_per_s, .. } = *config;
        self.config = Config { lateness_ms, future_ms, memory_max, events_per_s, ..self.config.clone() };
        self.deal_otherwise();
    }
}
