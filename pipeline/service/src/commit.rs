//! Steps of the worker into the outbox. Nothing is committed that the log might still lose.

use std::sync::Arc;

use rasid_connectors::effect::{Item, Settled, Standing};
use rasid_connectors::log::{DeadLetterLog, Letter};
use rasid_connectors::outbox::{Commit, CommittedAlert, Outbox};

use crate::clock::Now;
use crate::worker::Step;

/// Time between two looks for dead letters whose retention is over, ms.
const RETAIN_EVERY_MS: i64 = 3_600_000;

/// Why a commit failed. Whether it is durable is not known until the outbox is opened again.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The dead letters could not be written.
    #[error("cannot keep dead letters")]
    DeadLetters(#[source] rasid_connectors::log::Error),
    /// The outbox could not be written.
    #[error("cannot commit to the outbox")]
    Outbox(#[source] rasid_connectors::outbox::Error),
}

/// What keeps effects until they are acknowledged.
pub struct Committer {
    outbox: Arc<Outbox>,
    dead_letters: DeadLetterLog,
    /// The newest position that the outbox knows.
    position: u64,
    /// When old dead letters are looked for next, ms by the monotonic clock.
    retain_ms: i64,
}

impl Committer {
    /// Goes on where the outbox stands.
    pub fn new(outbox: Arc<Outbox>, dead_letters: DeadLetterLog) -> Self {
        Self { position: outbox.position(), outbox, dead_letters, retain_ms: i64::MIN }
    }

    /// The committed position.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Keeps what the steps, which the log must not lose any more, have brought and what receivers have settled, with
    /// what that changed of what stands there; one
    /// durable transaction. Gives the items with their places in the queues.
    ///
    /// Dead letters go first: their log knows which it has, so doing it again after a crash adds none twice.
    ///
    /// # Errors
    /// [`CommitError`]: stop, and start again from what is durable.
    pub fn commit(&mut self, now: Now, steps: Vec<Step>, settled: &[Settled], standing: &[Standing]) -> Result<Vec<Item>, CommitError> {
        let letters: Vec<Letter<'_>> = steps
            .iter()
            .flat_map(|step| &step.dead_letters)
            .map(|letter| Letter {
                position: letter.position,
                arrival_ms: letter.arrival_ms,
                field: letter.field.as_deref(),
                reason: &letter.reason,
                record: &letter.record,
                stream: &letter.stream,
            })
            .collect();
        if !letters.is_empty() {
            self.dead_letters.append(now.wall_ms, &letters).map_err(CommitError::DeadLetters)?;
            self.dead_letters.sync().map_err(CommitError::DeadLetters)?;
        }
        if now.monotonic_ms >= self.retain_ms {
            self.retain_ms = now.monotonic_ms + RETAIN_EVERY_MS;
            self.dead_letters.retain(now.settled_ms).map_err(CommitError::DeadLetters)?;
        }
        let position = steps.iter().map(|step| step.position).max().unwrap_or(0).max(self.position);
        let (mut items, mut written) = (Vec::new(), Vec::new());
        for step in steps {
            items.extend(step.items.into_iter().map(|item| Item { committed_ms: now.wall_ms, ..item }));
            written.extend(step.alerts);
        }
        let alerts: Vec<CommittedAlert<'_>> =
            written.iter().map(|alert| CommittedAlert { position: alert.position, json: alert.json.as_bytes() }).collect();
        let commit = Commit { position, alerts: &alerts, items: &items, settled, standing };
        let items = self.outbox.commit(commit).map_err(CommitError::Outbox)?;
        self.position = position;
        Ok(items)
    }
}
