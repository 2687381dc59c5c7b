//! Steps of the worker into the outbox. Nothing is committed that the log might still lose.

use std::sync::Arc;

use rasid_connectors::Disposition;
use rasid_connectors::effect::{Item, Settled, Standing};
use rasid_connectors::log::{DeadLetterLog, Letter};
use rasid_connectors::outbox::{Commit, CommittedAlert, Outbox};

use crate::clock::Now;
use crate::decide::worker::{SetAside, Step, WrittenAlert};

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

impl CommitError {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::DeadLetters(error) => error.disposition(),
            Self::Outbox(error) => error.disposition(),
        }
    }
}

/// What is to be committed, until it is.
struct Work {
    now: Now,
    position: u64,
    letters: Vec<SetAside>,
    alerts: Vec<WrittenAlert>,
    items: Vec<Item>,
    settled: Vec<Settled>,
    standing: Vec<Standing>,
}

/// What keeps effects until they are acknowledged.
pub struct Committer {
    outbox: Arc<Outbox>,
    dead_letters: DeadLetterLog,
    /// The newest position that the outbox knows.
    position: u64,
    /// When old dead letters are looked for next, ms by the monotonic clock.
    retain_ms: i64,
    /// What could not be committed yet.
    unfinished: Option<Work>,
}

impl Committer {
    /// Goes on where the outbox stands.
    pub fn new(outbox: Arc<Outbox>, dead_letters: DeadLetterLog) -> Self {
        Self { position: outbox.position(), outbox, dead_letters, retain_ms: i64::MIN, unfinished: None }
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
    /// [`CommitError`]: where it may pass, call [`Committer::finish`] until it has, and nothing else before; else stop, and
    /// start again from what is durable.
    ///
    /// # Panics
    /// Where a commit waits to be finished: the invariant C1.
    pub fn commit(&mut self, now: Now, steps: Vec<Step>, settled: Vec<Settled>, standing: Vec<Standing>) -> Result<Vec<Item>, CommitError> {
        assert!(self.unfinished.is_none(), "C1: one commit after another");
        let position = steps.iter().map(|step| step.position).max().unwrap_or(0).max(self.position);
        let mut work = Work { now, position, letters: Vec::new(), alerts: Vec::new(), items: Vec::new(), settled, standing };
        for step in steps {
            work.letters.extend(step.dead_letters);
            work.items.extend(step.items.into_iter().map(|item| Item { committed_ms: now.wall_ms, ..item }));
            work.alerts.extend(step.alerts);
        }
        self.unfinished = Some(work);
        self.finish()
    }

    /// Goes on with the commit that could not be made; what of it is done already is not done twice. Gives its items, as far
    /// as it is known which they are.
    ///
    /// # Errors
    /// As of [`Committer::commit`].
    pub fn finish(&mut self) -> Result<Vec<Item>, CommitError> {
        let Some(work) = &self.unfinished else { return Ok(Vec::new()) };
        let letters: Vec<Letter<'_>> = work
            .letters
            .iter()
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
            self.dead_letters.append(work.now.wall_ms, &letters).map_err(CommitError::DeadLetters)?;
            self.dead_letters.sync().map_err(CommitError::DeadLetters)?;
        }
        if work.now.monotonic_ms >= self.retain_ms {
            self.dead_letters.retain(work.now.settled_ms).map_err(CommitError::DeadLetters)?;
            self.retain_ms = work.now.monotonic_ms + RETAIN_EVERY_MS;
        }
        let alerts: Vec<CommittedAlert<'_>> =
            work.alerts.iter().map(|alert| CommittedAlert { position: alert.position, json: alert.json.as_bytes() }).collect();
        let commit =
            Commit { position: work.position, alerts: &alerts, items: &work.items, settled: &work.settled, standing: &work.standing };
        let items = self.outbox.commit(commit).map_err(CommitError::Outbox)?;
        self.position = work.position;
        self.unfinished = None;
        Ok(items)
    }

    /// Whether a commit waits to be finished.
    pub fn is_unfinished(&self) -> bool {
        self.unfinished.is_some()
    }
}
