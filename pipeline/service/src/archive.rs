//! The log into an archive: by a thread beside the running service, or at once by whoever asks for it.

pub(crate) mod thread;

use rasid_archive::{Control as Kept, Error, Said as KeptSaid, Writer};
use rasid_connectors::log::Control;
use rasid_engine::{Config, Engine, EngineError, Opened, Pseudonymizer};

use crate::recover::past::Said;

/// Memory of the engine that decodes: it has no rules, and keeps nothing.
const MEMORY_MAX: usize = 16 << 20;

/// Puts what a log says into an archive.
pub struct Archiver {
    decoder: Engine,
    writer: Writer,
    /// One a secret that was ever in force, the first one first.
    known: Vec<Pseudonymizer>,
}

impl Archiver {
    /// By `writer`. Names are made by the one of `known` that made the last names of the archive, or by `current` where none did, until
    /// the log changes to another; `threads` share the work.
    ///
    /// # Errors
    /// The threads cannot be started.
    ///
    /// # Panics
    /// Never: there is no fault in no rules.
    pub fn new(mut writer: Writer, current: &Pseudonymizer, known: Vec<Pseudonymizer>, threads: usize) -> Result<Self, EngineError> {
        let of_last = |known: &&Pseudonymizer| writer.last_names() == Some(known.names_fingerprint().as_str());
        let current = known.iter().find(of_last).unwrap_or(current).clone();
        writer.named(&current);
        let none = rasid_compiler::compile(&[]).expect("there is no fault in no rules");
        let config = Config { threads, memory_max: MEMORY_MAX, events_per_s: 1, ..Config::default() };
        Ok(Self { decoder: Engine::new(none, config, current)?, writer, known })
    }

    /// Takes what comes next, that was appended at `at_ms`, Unix ms.
    ///
    /// # Errors
    /// [`Error`]; a new one goes on from what is whole.
    pub fn take(&mut self, said: &Said<'_>, at_ms: i64) -> Result<(), Error> {
        match said {
            Said::Records(records) => {
                let opened = Opened::default();
                let batch = self.decoder.decode(records, &opened);
                let archived = self.decoder.archived(&batch);
                self.decoder.recycle(batch);
                archived.iter().try_for_each(|record| self.writer.event(record))?;
                self.writer.reach(records.last().map_or(0, |record| record.position));
                Ok(())
            }
            Said::Control { position, control } => {
                if let Control::Switch { settings, .. } = control {
                    let number = settings.keys.map(|keys| keys.number);
                    let of_number = |known: &&Pseudonymizer| number.is_none_or(|number| known.number() == number);
                    if let Some(current) = self.known.iter().find(of_number).cloned() {
                        self.writer.named(&current);
                        self.decoder.rename(current);
                    }
                }
                self.writer.said(&KeptSaid { position: *position, control: kept(control) }, at_ms)
            }
        }
    }

    /// What is written.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// The same, to be changed.
    pub fn writer_mut(&mut self) -> &mut Writer {
        &mut self.writer
    }

    /// The same, at the end.
    pub fn into_writer(self) -> Writer {
        self.writer
    }
}

/// What of a control record is kept.
fn kept(control: &Control) -> Kept {
    match control {
        Control::Switch { ruleset, engine, .. } => Kept::Switch { ruleset: ruleset.clone(), engine: engine.clone() },
        Control::Retract { rule, since_ms } => Kept::Retract { rule: rule.clone(), since_ms: *since_ms },
        Control::Tick { at_ms } => Kept::Tick(*at_ms),
        Control::Feedback(_) => Kept::Feedback,
        Control::Lost => Kept::Lost,
    }
}
