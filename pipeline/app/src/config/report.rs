//! How sinks, which know their own options, say what is wrong with them and have their secrets read.

use rasid_connectors::Secret;
use rasid_connectors::sink::declared::{Faulted, Report};

use super::settings::{missing, secret, unusable};
use super::{Fault, Loaded};

/// Faults, by where the option at fault was set.
pub(super) struct Faults<'a> {
    loaded: &'a Loaded,
    pub(super) found: Vec<Fault>,
}

impl<'a> Faults<'a> {
    pub(super) fn of(loaded: &'a Loaded) -> Self {
        Self { loaded, found: Vec::new() }
    }

    fn failed(&mut self, fault: Fault) -> Faulted {
        self.found.push(fault);
        Faulted
    }
}

impl Report for Faults<'_> {
    fn fault(&mut self, option: &str, message: String, help: Option<&str>) {
        let fault = Fault::new(&self.loaded.origin(option), option, message);
        self.found.push(match help {
            Some(help) => fault.help(help),
            None => fault,
        });
    }

    fn secret(&mut self, option: &str, text: Option<&Secret>, file: Option<&str>) -> Result<Option<Secret>, Faulted> {
        secret(self.loaded, option, text, file).map_err(|fault| self.failed(fault))
    }

    fn webhook_secret(&mut self, option: &str, text: Option<&Secret>, file: Option<&str>) -> Result<Option<Secret>, Faulted> {
        let Some(found) = self.secret(option, text, file)? else { return Ok(None) };
        let wrong = unusable(self.loaded, option, file.filter(|_| text.is_none()), &found);
        let faulted = !wrong.is_empty();
        self.found.extend(wrong);
        if faulted { Err(Faulted) } else { Ok(Some(found)) }
    }

    fn missing(&mut self, needed_by: &str, option: &str) {
        self.found.push(missing(self.loaded, needed_by, option));
    }
}
