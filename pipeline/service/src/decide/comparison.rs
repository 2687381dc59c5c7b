//! What a replay gives, held to what was committed the first time: the same log must give the same bytes (invariant C1).
//!
//! What is not known any more is no difference: the outbox forgets an alert's digest once the oldest snapshot stands behind
//! it, and a replay may begin before that (the snapshots are gone, or newer than this version). Nor is it one when
//! another version decides otherwise: each version is the same only as itself. Nor behind entries that were lost to damage:
//! the state is another there than the one that the committed alerts came from, as was said when they were given up. All
//! three are counted apart.

use std::collections::VecDeque;

use rasid_engine::Alert;

/// The version of the engine: what it makes is the same only as itself. Snapshots, bundles, switches and commits carry it.
pub const ENGINE: &str = env!("CARGO_PKG_VERSION");

/// What was committed, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// Up to here; 0 where nothing was.
    pub position: u64,
    /// From here on `alerts` holds every one.
    pub alerts_from: u64,
    /// Position and digest of the alerts, in order.
    pub alerts: Vec<(u64, [u8; 16])>,
    /// From which position on which version of the engine committed, in order; of what lies before, nobody knows.
    pub engines: Vec<(u64, String)>,
}

/// What came of the comparison so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Came out again, byte for byte but for the version that made them.
    pub same: u64,
    /// Came out otherwise, did not come, or came for the first time. Must stay 0.
    pub diverged: u64,
    /// The same, where another version had committed them, or one that is not known.
    pub other_version: u64,
    /// Came out where it is not known any more what was committed.
    pub unknown: u64,
    /// Differ behind entries that were lost to damage.
    pub excused: u64,
}

/// A comparison on its way.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    position: u64,
    alerts_from: u64,
    expected: VecDeque<(u64, [u8; 16])>,
    engines: Vec<(u64, String)>,
    /// The first entry gone through that was lost to damage.
    lost_from: Option<u64>,
    compared: Compared,
    /// Position of the first difference since it was last said.
    unsaid: Option<u64>,
    said: Compared,
}

impl Comparison {
    pub(crate) fn new(committed: Committed) -> Self {
        let Committed { position, alerts_from, alerts, engines } = committed;
        Self { position, alerts_from, expected: alerts.into(), engines, ..Self::default() }
    }

    /// The position up to which something was committed.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn compared(&self) -> Compared {
        self.compared
    }

    /// Holds one alert, whose JSON is given, to what was committed at its position.
    pub(crate) fn alert(&mut self, alert: &Alert, json: &str) -> Result<(), serde_json::Error> {
        let position = alert.position;
        // What was committed before this one and has not come again is missing.
        self.passed(position - 1);
        if position < self.alerts_from {
            self.compared.unknown += 1;
            return Ok(());
        }
        let digest = match self.engine_at(position) {
            Some(engine) if engine != alert.engine => {
                let alert = Alert { engine: engine.to_owned(), ..alert.clone() };
                digest(serde_json::to_string(&alert)?.as_bytes())
            }
            _ => digest(json.as_bytes()),
        };
        match self.expected.front() {
            Some((expected, known)) if *expected == position => {
                let same = *known == digest;
                self.expected.pop_front();
                if same {
                    self.compared.same += 1;
                } else {
                    self.differs(position, &alert.engine);
                }
            }
            _ => self.differs(position, &alert.engine),
        }
        Ok(())
    }

    /// Counts what was committed up to a position that has passed, and did not come again.
    pub(crate) fn passed(&mut self, position: u64) {
        while let Some((expected, _)) = self.expected.front().copied()
            && expected <= position
        {
            self.expected.pop_front();
            self.differs(expected, ENGINE);
        }
    }

    /// An entry that was lost to damage: what comes behind it need not be what was committed.
    pub(crate) fn lost(&mut self, position: u64) {
        self.lost_from.get_or_insert(position);
    }

    /// Says what a step has brought to light, in one line; and once, where it ends, what the whole came to.
    pub(crate) fn say(&mut self, from: u64, to: u64) {
        let Compared { diverged, other_version, excused, .. } = self.compared;
        if let Some(position) = self.unsaid.take() {
            let (alerts, others) = (diverged - self.said.diverged, other_version - self.said.other_version);
            if alerts > 0 {
                tracing::error!(position, alerts, "replayed alerts differ from those that were committed");
            }
            if others > 0 {
                tracing::debug!(position, alerts = others, "replayed alerts differ from those that another version committed");
            }
            if excused > self.said.excused {
                let alerts = excused - self.said.excused;
                tracing::warn!(
                    position,
                    alerts,
                    lost_from = self.lost_from,
                    "replayed alerts differ behind entries that were lost to damage"
                );
            }
            self.said = self.compared;
        }
        if from < self.position && to >= self.position {
            let Compared { same, diverged, other_version, unknown, excused } = self.compared;
            tracing::info!(
                committed = self.position,
                same,
                unknown,
                other_version,
                excused,
                diverged,
                "replayed what was committed before"
            );
        }
    }

    fn differs(&mut self, position: u64, engine: &str) {
        if self.lost_from.is_some_and(|from| from <= position) {
            self.compared.excused += 1;
        } else if self.engine_at(position) == Some(engine) {
            self.compared.diverged += 1;
        } else {
            self.compared.other_version += 1;
        }
        self.unsaid.get_or_insert(position);
    }

    /// The version that committed a position.
    fn engine_at(&self, position: u64) -> Option<&str> {
        self.engines.iter().rev().find(|(from, _)| *from <= position).map(|(_, engine)| engine.as_str())
    }
}

/// What an alert is compared by: 128 bits of BLAKE3 over its bytes.
pub fn digest(json: &[u8]) -> [u8; 16] {
    let mut short = [0; 16];
    for (slot, byte) in short.iter_mut().zip(blake3::hash(json).as_bytes()) {
        *slot = *byte;
    }
    short
}

#[cfg(test)]
mod tests;
