//! The pseudonym secret as it is configured (`pseudonyms.key_file`, `RASID_KEY_FILE`, `RASID_KEY`), with its number.

use std::path::Path;

use rasid_connectors::seal::Secrets;
use rasid_connectors::storage::Disk;
use rasid_engine::Pseudonymizer;
use rasid_service::recover::layout;

use crate::command::{Failure, say, say_block};
use crate::config::{self, Key, Layers, Loaded};

/// Stands in where nothing leaves this machine. Everybody knows it, so its pseudonyms protect nobody.
pub(crate) const DEVELOPMENT_KEY: &[u8] = b"rasid development key, not a secret";
/// Pseudonyms of people who do not exist need no secret.
pub(crate) const DEMO_KEY: &str = "rasid demo, nobody here exists";

/// The pseudonymizer of the secret around a command that has no options for it; of the development key, with a word on
/// stderr, where there is none.
pub(crate) fn pseudonymizer() -> Result<Pseudonymizer, Failure> {
    let loaded = Layers::surrounding().load()?;
    config::key(&loaded)?.map_or_else(development, |key| of(&key))
}

/// The pseudonymizer of the secret around a command; `None` where there is none.
#[cfg(feature = "archive")]
pub(crate) fn of_service() -> Result<Option<Pseudonymizer>, Failure> {
    config::key(&Layers::surrounding().load()?)?.map(|key| of(&key)).transpose()
}

/// The pseudonymizer of the configured secret, as `rasid run` uses it, with the names of before if they are told too; of
/// the development key where there is none.
pub(crate) fn configured(loaded: &Loaded) -> Result<Pseudonymizer, Failure> {
    let Some(key) = config::key(loaded)? else { return stranger() };
    bound(Path::new(&loaded.config.data.dir), key.number)?;
    of(&key)
}

fn of(key: &Key) -> Result<Pseudonymizer, Failure> {
    let refused = |error: rasid_engine::SecretError| Failure::Configuration(error.to_string());
    let current = Pseudonymizer::new(key.secret.reveal(), key.number).map_err(refused)?;
    match &key.former {
        None => Ok(current),
        Some((secret, number)) => Ok(current.after(&Pseudonymizer::new(secret.reveal(), *number).map_err(refused)?)),
    }
}

/// Holds the configured number to the data folder's, where that is here: names under another are nobody's.
fn bound(data: &Path, number: u8) -> Result<(), Failure> {
    // A folder that cannot be read belongs to the service; this is no reason not to compute a name.
    match Secrets::number(&Disk::existing(data), layout::KEYS) {
        Ok(Some(folder)) if folder != number => Err(Failure::Configuration(format!(
            "pseudonyms.key_number is {number}, and the pseudonyms of the data folder {} carry number {folder}",
            data.display()
        ))),
        _ => Ok(()),
    }
}

/// Where a name is asked for that a service would know, the development key gives another, which must not be taken for it.
fn stranger() -> Result<Pseudonymizer, Failure> {
    say_block(
        "WARNING: no pseudonym secret is configured, so this goes by the development key, which everybody knows.\n  \
         A name that begins with p0_ is no service's, and nothing is found under it.\n  \
         = help: export RASID_CONFIG=/etc/rasid/rasid.toml, or set RASID_KEY_FILE or RASID_KEY to the service's secret",
    );
    development_key()
}

fn development() -> Result<Pseudonymizer, Failure> {
    say(format_args!(
        "note: pseudonyms are made with the development key; set RASID_KEY to a secret of your own before they leave this machine"
    ));
    development_key()
}

fn development_key() -> Result<Pseudonymizer, Failure> {
    Pseudonymizer::new(DEVELOPMENT_KEY, 0).map_err(|error| Failure::Configuration(format!("development key: {error}")))
}
