//! The pseudonym secret: from `RASID_KEY`, or from the file that `RASID_KEY_FILE` or the configuration names.

use rasid_engine::{Pseudonymizer, SecretError};

use std::path::PathBuf;

use crate::command::{Failure, say};
use crate::config::{self, Loaded};

/// Stands in where nothing leaves this machine. Everybody knows it, so its pseudonyms protect nobody.
pub(crate) const DEVELOPMENT_KEY: &[u8] = b"rasid development key, not a secret";

/// The pseudonymizer of the environment's secret; of the development key, with a word on stderr, where there is none.
pub(crate) fn pseudonymizer() -> Result<Pseudonymizer, Failure> {
    let refused = |place: &str, error: &SecretError| Failure::Configuration(format!("{place}: {error}"));
    if let Some(secret) = std::env::var_os("RASID_KEY") {
        return Pseudonymizer::new(secret.as_encoded_bytes(), 1).map_err(|error| refused("RASID_KEY", &error));
    }
    if let Some(path) = std::env::var_os("RASID_KEY_FILE").map(PathBuf::from) {
        let shown = path.display();
        let secret =
            std::fs::read(&path).map_err(|error| Failure::Configuration(format!("RASID_KEY_FILE: cannot read {shown}: {error}")))?;
        return Pseudonymizer::new(secret.trim_ascii(), 1).map_err(|error| refused(&shown.to_string(), &error));
    }
    development()
}

/// The pseudonymizer of the configured secret, as `rasid run` uses it; of the development key where there is none.
pub(crate) fn configured(loaded: &Loaded) -> Result<Pseudonymizer, Failure> {
    match config::key(loaded)? {
        Some((secret, number)) => Pseudonymizer::new(secret.reveal(), number).map_err(|error| Failure::Configuration(error.to_string())),
        None => development(),
    }
}

fn development() -> Result<Pseudonymizer, Failure> {
    say(format_args!(
        "note: pseudonyms are made with the development key; set RASID_KEY to a secret of your own before they leave this machine"
    ));
    Pseudonymizer::new(DEVELOPMENT_KEY, 0).map_err(|error| Failure::Configuration(format!("development key: {error}")))
}
