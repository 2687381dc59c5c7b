//! The thread that runs the engine along the log, and hands its state to whoever writes snapshots.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rasid_connectors::log::{Block, LogReader, Settings as LogSettings};
use rasid_engine::{Engine, LivePart, Score, ScoreChange, Snapshot};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::decide::commit_thread::ToCommit;
use crate::decide::figures::EngineFigures;
use crate::decide::progress::Progress;
use crate::decide::worker::{Step, Worker, WorkerError};

/// How long the thread sleeps when nothing wakes it.
const PATIENCE: Duration = Duration::from_millis(200);
/// Applied positions after which the committer is told, though nothing is to be kept: replay is as long as what it does not know.
const TELL_EVERY: u64 = 100_000;
/// The same in ms.
const TELL_EVERY_MS: i64 = 1_000;
/// Time from the start to the first snapshot, ms.
const FIRST_SNAPSHOT_MS: i64 = 5_000;
/// How often the figures that take a walk over all shards are made anew, ms.
const FIGURES_EVERY_MS: i64 = 100;

/// Most questions that are answered between two blocks of the log.
const ASKS_MAX: usize = 4;

/// Something that only the engine knows.
pub(crate) enum Ask {
    /// Every score of 1 or more.
    LiveScores(oneshot::Sender<LiveScores>),
    /// Some of them: those in `places` places of its table from `from` on.
    LivePart { from: usize, places: usize, answer: oneshot::Sender<Part> },
    /// The score of the entity of that name.
    Score { entity: String, answer: oneshot::Sender<Option<Score>> },
    /// A snapshot when the log has ended and is read to its end.
    LastSnapshot,
}

/// Every score of 1 or more at one position.
pub(crate) struct LiveScores {
    pub(crate) position: u64,
    pub(crate) scores: Vec<ScoreChange>,
}

/// Some live scores, as of a position.
pub(crate) struct Part {
    /// Newest position that they are of.
    pub(crate) position: u64,
    /// They.
    pub(crate) live: LivePart,
}

/// State to be written.
pub(crate) struct SnapshotJob {
    pub(crate) position: u64,
    pub(crate) ruleset: String,
    pub(crate) settings: LogSettings,
    pub(crate) snapshot: Snapshot,
}

/// Why the thread ended before its time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineThreadError {
    /// The log cannot be read.
    #[error("cannot read the log (where it is damaged, `rasid log check` says what is lost)")]
    Log(#[from] rasid_connectors::log::Error),
    /// A record cannot be applied.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

pub(crate) struct EngineThread {
    pub(crate) worker: Worker,
    pub(crate) reader: LogReader,
    pub(crate) progress: Arc<Progress>,
    pub(crate) commits: mpsc::Sender<ToCommit>,
    pub(crate) asks: mpsc::Receiver<Ask>,
    pub(crate) snapshots: mpsc::Sender<SnapshotJob>,
    pub(crate) snapshot_every_ms: i64,
    pub(crate) figures: Arc<Mutex<EngineFigures>>,
    pub(crate) clock: Clock,
}

impl EngineThread {
    /// Runs until the log is closed and read to its end, or the committer is gone.
    pub(crate) fn run(mut self) -> Result<(), EngineThreadError> {
        let mut block = Block::default();
        let (mut told, mut told_ms) = (self.worker.position(), self.clock.monotonic_ms());
        // The first snapshot comes soon: a service that never lives for an interval would replay more at each start.
        let soon_ms = self.snapshot_every_ms.min(FIRST_SNAPSHOT_MS);
        let (mut kept, mut kept_ms) = (self.worker.position(), told_ms - self.snapshot_every_ms + soon_ms);
        let mut counted_ms = self.publish(0, i64::MIN)?;
        let mut last_snapshot = false;
        loop {
            last_snapshot |= self.answer();
            let looked_ms = self.clock.monotonic_ms();
            let read = self.reader.next(&mut block)?;
            let mut step = Step { position: self.worker.position(), ..Step::default() };
            if read {
                step = self.worker.apply(&block)?;
                counted_ms = self.publish(step.arrival_ms, counted_ms)?;
            }
            let now_ms = self.clock.monotonic_ms();
            let position = self.worker.position();
            let due = position >= told + TELL_EVERY || (position > told && now_ms - told_ms >= TELL_EVERY_MS);
            if step.has_effects() || due {
                (told, told_ms) = (position, now_ms);
                if self.commits.blocking_send(ToCommit::Step(Box::new(step))).is_err() {
                    return Ok(());
                }
            }
            // The job's writer may still be at the one before; then the next round tries again.
            if position > kept
                && now_ms - kept_ms >= self.snapshot_every_ms
                && let Ok(permit) = self.snapshots.try_reserve()
                && let Some(job) = job(&mut self.worker)
            {
                permit.send(job);
                (kept, kept_ms) = (position, now_ms);
            }
            if read {
                continue;
            }
            counted_ms = self.publish(0, counted_ms)?;
            self.figures.lock().unwrap_or_else(PoisonError::into_inner).caught_up_ms = Some(looked_ms);
            let reached = self.progress.wait_appended(position, PATIENCE);
            if reached.closed && reached.appended <= position {
                last_snapshot |= self.answer();
                self.end(told, kept, last_snapshot);
                return Ok(());
            }
        }
    }

    /// Answers what was asked; whether a last snapshot is wanted.
    fn answer(&mut self) -> bool {
        let mut last_snapshot = false;
        // Whoever asks on and on does not keep the log waiting.
        for _ in 0..ASKS_MAX {
            let Ok(ask) = self.asks.try_recv() else { break };
            match ask {
                // Scores from before the committed position are older than those that receivers have, and what has
                // changed since is not told again. Who asks gets no answer, and asks again later.
                Ask::LiveScores(answer) if self.worker.is_replaying() => drop(answer),
                Ask::LiveScores(answer) => {
                    let scores = self.worker.engine().map(Engine::live_scores).unwrap_or_default();
                    // Who asked may have gone.
                    drop(answer.send(LiveScores { position: self.worker.position(), scores }));
                }
                Ask::LivePart { answer, .. } if self.worker.is_replaying() => drop(answer),
                Ask::LivePart { from, places, answer } => {
                    let live = self.worker.engine().map(|engine| engine.live_scores_part(from, places)).unwrap_or_default();
                    drop(answer.send(Part { position: self.worker.position(), live }));
                }
                Ask::Score { answer, .. } if self.worker.is_replaying() => drop(answer),
                Ask::Score { entity, answer } => {
                    drop(answer.send(self.worker.engine().and_then(|engine| engine.live_score(&entity))));
                }
                Ask::LastSnapshot => last_snapshot = true,
            }
        }
        last_snapshot
    }

    /// The log has ended: the committer learns how far it went, and the next start need not replay.
    fn end(mut self, told: u64, kept: u64, snapshot: bool) {
        let position = self.worker.position();
        if position > told {
            let step = Step { position, ..Step::default() };
            drop(self.commits.blocking_send(ToCommit::Step(Box::new(step)))); // a committer that is gone has said why
        }
        if snapshot
            && position > kept
            && let Some(job) = job(&mut self.worker)
        {
            drop(self.snapshots.blocking_send(job));
        }
    }

    /// Leaves the figures for whoever asks: position and clock at once, the rest if it was last counted a while before.
    /// When that was.
    fn publish(&self, arrival_ms: i64, counted_ms: i64) -> Result<i64, WorkerError> {
        let Some(engine) = self.worker.engine() else { return Ok(counted_ms) };
        let now_ms = self.clock.monotonic_ms();
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.position = self.worker.position();
        figures.arrival_ms = figures.arrival_ms.max(arrival_ms);
        figures.clock_ms = engine.clock_ms();
        (figures.compared, figures.lost) = (self.worker.compared(), self.worker.lost());
        if now_ms < counted_ms.saturating_add(FIGURES_EVERY_MS) {
            return Ok(counted_ms);
        }
        self.worker.accounted()?;
        figures.counters = engine.counters();
        figures.evicted = engine.evictions().into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect();
        if figures.ruleset != engine.ruleset_hash() {
            engine.ruleset_hash().clone_into(&mut figures.ruleset);
            figures.former_rules = engine.former_rules().map(str::to_owned).collect();
        }
        figures.warming.clear();
        figures.warming.extend(engine.warming_rules().map(|(rule, until_ms)| (rule.to_owned(), until_ms)));
        figures.braked = engine.braked_rules();
        figures.producers = engine.producer_counters();
        figures.rules.clear();
        figures.rules.extend_from_slice(engine.rule_counters());
        figures.state_bytes = engine.state_bytes();
        figures.reach = Some(engine.reach());
        Ok(now_ms)
    }
}

fn job(worker: &mut Worker) -> Option<SnapshotJob> {
    let (position, settings) = (worker.position(), *worker.settings()?);
    let ruleset = worker.engine()?.ruleset_hash().to_owned();
    Some(SnapshotJob { position, ruleset, settings, snapshot: worker.snapshot()? })
}
