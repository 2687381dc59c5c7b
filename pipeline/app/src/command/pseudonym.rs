//! `rasid pseudonym`: an identifier as it leaves.

use rasid_detectors::entity::{EntityKind, ID_BYTES_MAX};

use super::{Command, Failure, print_line, say};
use crate::config::Layers;
use crate::key;

/// Print an identifier as it leaves, so that it can be found in alerts and scores
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rasid pseudonym phone +201000000042\n  rasid pseudonym ip 156.160.1.9\n\n\
    With the secret that `rasid run` has (RASID_KEY, RASID_KEY_FILE, pseudonyms.key_file). A value on the command line stays\n\
    in the shell's history; - reads it from stdin.")]
pub(crate) struct Args {
    /// Kind of entity
    #[arg(value_name = "KIND", value_parser = kind)]
    kind: EntityKind,
    /// The identifier, in any spelling; - is stdin
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    value: String,
    #[command(flatten)]
    layers: Layers,
}

/// A kind by its name.
pub(super) fn kind(name: &str) -> Result<EntityKind, String> {
    let known = || EntityKind::ALL.map(EntityKind::name).join(", ");
    EntityKind::from_name(name).ok_or_else(|| format!("there is no such kind of entity; the kinds are {}", known()))
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        let mut value = self.value.clone();
        if value == "-" {
            value.clear();
            std::io::stdin().read_line(&mut value).map_err(|error| Failure::Outside(Box::new(error)))?;
        }
        let value = value.trim();
        if value.is_empty() {
            return Err(Failure::Configuration("the identifier is empty".to_owned()));
        }
        if self.kind.is_oversized(value) {
            return Err(Failure::Configuration(format!("the identifier has more than {ID_BYTES_MAX} bytes, and so names nobody")));
        }
        let pseudonymizer = key::configured(&self.layers.load()?)?;
        print_line(&format!("{}:{}", self.kind.name(), pseudonymizer.leave(self.kind, value)))?;
        if let Some(former) = pseudonymizer.leave_formerly(self.kind, value) {
            say(format_args!("note: what was known before the secret was changed may stand under {}:{former} alone", self.kind.name()));
        }
        Ok(())
    }
}
