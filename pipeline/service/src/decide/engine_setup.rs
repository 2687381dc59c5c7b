//! How the engine is set up under what the log says.

use rasid_connectors::log::{Keys, Settings as LogSettings};
use rasid_engine::{Config, Pseudonymizer};

/// What does not hang on the log: who runs the engine.
#[derive(Clone)]
pub struct EngineSetup {
    /// Make pseudonyms, one a secret that was ever in force; the first one first.
    pub pseudonymizers: Vec<Pseudonymizer>,
    /// Threads that share the work of a batch.
    pub threads: usize,
}

impl EngineSetup {
    /// The engine's configuration under those settings of the log.
    pub fn config(&self, settings: &LogSettings) -> Config {
        Config {
            lateness_ms: settings.lateness_ms,
            future_ms: settings.future_ms,
            memory_max: usize::try_from(settings.memory_max).unwrap_or(usize::MAX),
            events_per_s: settings.events_per_s,
            threads: self.threads,
            ..Config::default()
        }
    }

    /// What makes pseudonyms under those settings of the log; `None` where a secret that they name is not known.
    pub fn pseudonymizer(&self, settings: &LogSettings) -> Option<Pseudonymizer> {
        let Some(Keys { number, former }) = settings.keys else { return self.pseudonymizers.first().cloned() };
        let of = |number: u8| self.pseudonymizers.iter().find(|known| known.number() == number);
        let current = of(number)?.clone();
        match former {
            None => Some(current),
            Some(former) => Some(current.after(of(former)?)),
        }
    }
}
