//! What comes next in the past, as records or out of an archive's columns.

use std::collections::BTreeSet;

use rasid_compiler::ruleset::{Mode, Ruleset};
use rasid_engine::{Batch, ColumnsRecord, Engine, Opened, Output, Record, Trace};

/// A stretch of the past. Positions rise from one to the next.
#[derive(Clone, Copy)]
pub enum Taken<'a> {
    /// Records as they came.
    Records(&'a [Record<'a>]),
    /// Events out of an archive: nothing raw is in them.
    Columns(&'a [ColumnsRecord]),
    /// Time went on in silence.
    Tick {
        /// Its place in the log.
        position: u64,
        /// To this instant, Unix ms.
        at_ms: i64,
    },
    /// A rule's alerts were taken back, and with them their part in scores.
    Retract {
        /// Its place in the log.
        position: u64,
        /// The rule.
        rule: &'a str,
        /// From when on, Unix ms.
        since_ms: i64,
    },
}

impl<'a> Taken<'a> {
    /// The first event by itself, and the rest; `None` where there is no event.
    pub(crate) fn split_first(self) -> Option<(Self, Self)> {
        match self {
            Self::Records(records) => records.split_at_checked(1).map(|(first, rest)| (Self::Records(first), Self::Records(rest))),
            Self::Columns(records) => records.split_at_checked(1).map(|(first, rest)| (Self::Columns(first), Self::Columns(rest))),
            Self::Tick { .. } | Self::Retract { .. } => None,
        }
    }

    /// The newest position that it is of; `None` of no event.
    pub fn last(self) -> Option<u64> {
        match self {
            Self::Records(records) => records.last().map(|record| record.position),
            Self::Columns(records) => records.last().map(|record| record.position),
            Self::Tick { position, .. } | Self::Retract { position, .. } => Some(position),
        }
    }

    /// Whether it is none at all.
    pub(crate) fn is_empty(self) -> bool {
        match self {
            Self::Records(records) => records.is_empty(),
            Self::Columns(records) => records.is_empty(),
            Self::Tick { .. } | Self::Retract { .. } => false,
        }
    }

    /// Makes of it what engines take, by one that has their secret and their bounds on a record.
    pub fn next<'o>(self, engine: &mut Engine, opened: &'o Opened) -> Next<'o>
    where
        'a: 'o,
    {
        match self {
            Self::Records(records) => Next::Batch(engine.decode(records, opened)),
            Self::Columns(records) => Next::Batch(engine.columns(records)),
            Self::Tick { position, at_ms } => Next::Tick { position, at_ms },
            Self::Retract { position, rule, since_ms } => Next::Retract { position, rule, since_ms },
        }
    }
}

/// The same once it is decoded: what any number of engines may take.
pub enum Next<'a> {
    /// Events.
    Batch(Batch<'a>),
    /// [`Taken::Tick`].
    Tick {
        /// Its place in the log.
        position: u64,
        /// To this instant, Unix ms.
        at_ms: i64,
    },
    /// [`Taken::Retract`].
    Retract {
        /// Its place in the log.
        position: u64,
        /// The rule.
        rule: &'a str,
        /// From when on, Unix ms.
        since_ms: i64,
    },
}

impl Next<'_> {
    /// What an engine makes of it.
    pub(crate) fn step(&self, engine: &mut Engine) -> Output {
        match self {
            Self::Batch(batch) => engine.step(batch),
            Self::Tick { position, at_ms } => engine.tick(*position, *at_ms),
            Self::Retract { position, rule, since_ms } => engine.retract(*position, rule, *since_ms),
        }
    }

    /// The same, with what its conditions saw.
    pub(crate) fn step_traced(&self, engine: &mut Engine) -> (Output, Vec<Trace>) {
        match self {
            Self::Batch(batch) => engine.step_traced(batch),
            Self::Tick { position, at_ms } => engine.tick_traced(*position, *at_ms),
            Self::Retract { .. } => (self.step(engine), Vec::new()),
        }
    }

    /// Gives the memory of it back to the engine that made it.
    pub fn recycle(self, engine: &mut Engine) {
        if let Self::Batch(batch) = self {
            engine.recycle(batch);
        }
    }
}

/// The rules in force that an archive does not suffice for, in the order of their ids: those that need what is raw, and those that read
/// what such rules open.
pub fn beyond_archives(ruleset: &Ruleset) -> Vec<String> {
    let beyond: BTreeSet<&str> = ruleset.beyond_columns().collect();
    let live = ruleset.rules.iter().filter(|rule| rule.mode != Mode::Off && beyond.contains(rule.id.as_str()));
    live.map(|rule| rule.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use rasid_compiler::{SourceFile, compile};

    use super::*;

    #[test]
    fn what_an_archive_lacks_and_what_hangs_on_it_is_beyond_it() {
        let beyond = |mode: &str| {
            let said = format!(
                "rule: chat.said\ntitle: t\nmode: {mode}\non: chat.message\nentity: user(sender_id)\nwhen: size(data.text) > 3\nexplain: said\n"
            );
            let codes = "rule: auth.codes\ntitle: t\non: auth.otp_requested\nentity: phone\nlet: {n: {count: auth.otp_requested, by: phone, window: 1h}}\nwhen: n > 2\nexplain: '{n}'\n";
            let wave = "rule: ops.wave\ntitle: t\non: rasid.alert\nentity: all\nlet: {n: {count: rasid.alert, by: all, window: 1h}}\nwhen: n > 5\nexplain: '{n}'\n";
            let files = [("chat/said.yaml", said.as_str()), ("auth/codes.yaml", codes), ("ops/wave.yaml", wave)];
            let files: Vec<SourceFile> =
                files.iter().map(|(name, text)| SourceFile { name: (*name).to_owned(), text: (*text).to_owned() }).collect();
            beyond_archives(&compile(&files).unwrap_or_else(|report| panic!("{}", report.render(false))))
        };
        assert_eq!(beyond("active"), ["chat.said", "ops.wave"]);
        assert!(beyond("off").is_empty());
    }
}
