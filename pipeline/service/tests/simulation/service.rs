//! One life of the service: the parts that production puts on threads and tasks, each step on command.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rasid_connectors::alerts::{AlertStore, Changed};
use rasid_connectors::courier::{Next, Parcel};
use rasid_connectors::effect::Settled;
use rasid_connectors::log::{Block, Entry, LogReader, LogWriter, Settings as Meaning};
use rasid_connectors::outbox::Outbox;
use rasid_connectors::seal::Keyring;
use rasid_connectors::sink::Answer;
use rasid_connectors::snapshot::SnapshotStore;
use rasid_engine::{ScoreChange, Snapshot};
use rasid_service::clock::Now;
use rasid_service::decide::commit::Committer;
use rasid_service::decide::worker::{Step, Worker};
use rasid_service::deliver::dispatch::Queue;
use rasid_service::recover::rulesets::KnownRulesets;
use rasid_service::recover::take_up::Recovered;

/// Groups of scores that wait to be sent ahead.
const AHEAD_MAX: usize = 4;

/// What a part answers that the disk has failed.
pub(crate) type Failed = Box<dyn std::error::Error + Send + Sync>;

/// What waits for the committer.
enum Message {
    Step(Box<Step>),
    Settled(Vec<Settled>),
}

/// State on its way to a snapshot.
struct Job {
    position: u64,
    ruleset: String,
    meaning: Meaning,
    snapshot: Snapshot,
}

/// One sink's task.
pub(crate) struct SinkTask {
    pub(crate) queue: Queue,
    pub(crate) in_flight: Option<Parcel>,
}

pub(crate) struct Service {
    pub(crate) keys: Keyring,
    pub(crate) log: LogWriter,
    /// Newest durable position.
    pub(crate) durable: u64,
    reader: LogReader,
    block: Block,
    pub(crate) worker: Worker,
    told: u64,
    messages: VecDeque<Message>,
    pub(crate) committer: Committer,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) store: Arc<AlertStore>,
    /// What the alert store is given once the commit is made that could not be.
    unfinished: Option<(u64, Vec<Changed>)>,
    /// What waits for the alert store.
    to_store: VecDeque<(u64, Vec<Changed>)>,
    /// The position up to which it has been given everything.
    reached: u64,
    pub(crate) sinks: Vec<SinkTask>,
    ahead: VecDeque<Vec<ScoreChange>>,
    pub(crate) rulesets: KnownRulesets,
    snapshots: SnapshotStore,
    job: Option<Job>,
    kept: u64,
    /// Position of the oldest snapshot, up to which the log may retire, and alerts be forgotten.
    pub(crate) covered: Option<u64>,
    pub(crate) forget: Option<u64>,
    /// By partition: the next record that the source reads.
    pub(crate) next: Vec<usize>,
}

impl Service {
    pub(crate) fn new(recovered: Recovered, keys: Keyring, queues: Vec<Queue>, next: Vec<usize>) -> Self {
        let Recovered { log, reader, worker, outbox, store, dead_letters, snapshots, rulesets, .. } = recovered;
        Self {
            keys,
            durable: log.next_position() - 1,
            log,
            reader,
            block: Block::new(),
            told: worker.position(),
            kept: worker.position(),
            worker,
            messages: VecDeque::new(),
            committer: Committer::new(Arc::clone(&outbox), dead_letters),
            outbox,
            reached: store.position().expect("it has begun"),
            store,
            unfinished: None,
            to_store: VecDeque::new(),
            sinks: queues.into_iter().map(|queue| SinkTask { queue, in_flight: None }).collect(),
            ahead: VecDeque::new(),
            rulesets,
            snapshots,
            job: None,
            covered: None,
            forget: None,
            next,
        }
    }

    pub(crate) fn appended(&self) -> u64 {
        self.log.next_position() - 1
    }

    /// Nothing is on its way between the parts.
    pub(crate) fn is_idle(&self) -> bool {
        let applied = self.worker.position();
        let sinks = self.sinks.iter().all(|sink| sink.in_flight.is_none());
        applied == self.appended()
            && self.durable == applied
            && self.messages.is_empty()
            && self.to_store.is_empty()
            && !self.committer.is_unfinished()
            && self.ahead.is_empty()
            && sinks
    }

    pub(crate) fn append(&mut self, now_ms: i64, entries: &[Entry<'_>]) -> Result<(), Failed> {
        self.log.append(now_ms, entries)?;
        Ok(())
    }

    pub(crate) fn sync(&mut self) -> Result<(), Failed> {
        self.log.sync()?;
        self.durable = self.appended();
        Ok(())
    }

    /// Reads and applies one block; false at the end of the log.
    pub(crate) fn apply(&mut self, tell: bool) -> Result<bool, Failed> {
        let read = self.reader.next(&mut self.block)?;
        let mut step = Step { position: self.worker.position(), ..Step::default() };
        if read {
            step = self.worker.apply(&self.block)?;
            self.worker.accounted()?;
            assert_eq!(self.worker.divergences(), 0, "the replay differs from what was committed, at or before {}", step.position);
        }
        if step.has_effects() || (tell && step.position > self.told) {
            self.told = step.position;
            self.messages.push_back(Message::Step(Box::new(step)));
        }
        Ok(read)
    }

    /// Commits up to `most` of what waits, as far as the log is durable. `between` runs once the scores are on their way
    /// and before the commit.
    pub(crate) fn commit(&mut self, now: Now, most: usize, between: &mut dyn FnMut(&mut Self)) -> Result<usize, Failed> {
        if self.committer.is_unfinished() {
            self.committer.finish()?;
            self.to_store.extend(self.unfinished.take());
            self.sinks.iter_mut().for_each(|sink| sink.queue.committed());
            return Ok(1);
        }
        let durable = self.durable;
        let may = |message: &Message| match message {
            Message::Step(step) => step.position <= durable,
            Message::Settled(_) => true,
        };
        let (mut steps, mut settled, mut count) = (Vec::new(), Vec::new(), 0);
        while count < most && self.messages.front().is_some_and(may) {
            match self.messages.pop_front() {
                Some(Message::Step(step)) => steps.push(*step),
                Some(Message::Settled(more)) => settled.extend(more),
                None => {}
            }
            count += 1;
        }
        if count == 0 {
            return Ok(0);
        }
        let changes: Vec<ScoreChange> = steps.iter_mut().flat_map(|step| std::mem::take(&mut step.scores)).collect();
        if !changes.is_empty() && self.ahead.len() < AHEAD_MAX {
            self.ahead.push_back(changes);
        }
        between(self);
        let changes = steps.iter_mut().flat_map(|step| std::mem::take(&mut step.changes)).collect();
        self.unfinished = steps.last().map(|last| (last.position, changes));
        self.committer.commit(now, steps, settled, Vec::new())?;
        self.to_store.extend(self.unfinished.take());
        self.sinks.iter_mut().for_each(|sink| sink.queue.committed());
        Ok(count)
    }

    /// Puts up to `most` of what waits into the alert store.
    pub(crate) fn keep(&mut self, most: usize) -> Result<(), Failed> {
        let group = self.to_store.iter().take(most);
        let Some(position) = group.clone().map(|(position, _)| *position).max() else { return Ok(()) };
        let changes: Vec<Changed> = group.flat_map(|(_, changes)| changes.iter().cloned()).collect();
        self.store.apply(position, &changes)?;
        self.reached = self.reached.max(position);
        self.to_store.drain(..most.min(self.to_store.len()));
        Ok(())
    }

    /// The newest of each score that waits to be sent ahead, with all that has gathered.
    pub(crate) fn take_ahead(&mut self) -> Vec<ScoreChange> {
        let mut newest: BTreeMap<String, ScoreChange> = BTreeMap::new();
        for change in self.ahead.drain(..).flatten() {
            newest.insert(change.entity.clone(), change);
        }
        newest.into_values().collect()
    }

    /// What a sink has to send now; it is in flight then. Else how long it waits, ms, if it does.
    pub(crate) fn send(&mut self, sink: usize, now: Now) -> Result<Option<i64>, Failed> {
        let task = &mut self.sinks[sink];
        if task.in_flight.is_some() {
            return Ok(None);
        }
        task.queue.committed();
        let next = task.queue.next(now.monotonic_ms)?;
        let mut wait_ms = None;
        match next {
            Next::Send(parcel) => task.in_flight = Some(parcel),
            Next::Wait { until_ms } => wait_ms = Some(until_ms - now.monotonic_ms),
            Next::Idle => {}
        }
        self.settle(sink);
        Ok(wait_ms)
    }

    /// The answer to what is in flight.
    pub(crate) fn answered(&mut self, sink: usize, now: Now, answer: Answer) {
        self.sinks[sink].in_flight = None;
        self.sinks[sink].queue.answered(now.monotonic_ms, answer);
        self.settle(sink);
    }

    fn settle(&mut self, sink: usize) {
        let settled = self.sinks[sink].queue.take_settled();
        if !settled.is_empty() {
            self.messages.push_back(Message::Settled(settled));
        }
    }

    /// Takes the engine's state, unless the one before has not been written yet.
    pub(crate) fn take_snapshot(&mut self) -> Option<u64> {
        let position = self.worker.position();
        if position <= self.kept || self.job.is_some() {
            return None;
        }
        let (snapshot, meaning) = (self.worker.snapshot()?, *self.worker.settings()?);
        let ruleset = self.worker.engine()?.ruleset_hash().to_owned();
        self.job = Some(Job { position, ruleset, meaning, snapshot });
        self.kept = position;
        Some(position)
    }

    /// Writes what was taken, once it is committed and the alert store has come to it.
    pub(crate) fn write_snapshot(&mut self, now_ms: i64) -> Result<Option<u64>, Failed> {
        let committed = self.committer.position();
        self.keep(usize::MAX)?;
        if self.job.as_ref().is_some_and(|job| job.position > self.reached) {
            return Ok(None);
        }
        let Some(job) = self.job.take_if(|job| committed >= job.position) else { return Ok(None) };
        self.snapshots.write(job.position, &job.ruleset, &job.meaning, &job.snapshot, now_ms)?;
        let oldest = self.snapshots.oldest_position()?.unwrap_or(0);
        (self.covered, self.forget) = (Some(oldest), Some(oldest));
        Ok(Some(job.position))
    }
}
