//! The task that keeps Redis as the engine has it: changes as soon as the log is durable, what waited in the outbox, a
//! heartbeat, and everything again where Redis has lost it. What it loses without a word is looked for (`redis_watch.rs`).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rasid_connectors::latest;
use rasid_connectors::sink::redis::{Epoch, Error, Heartbeat, RedisSink};
use tokio::sync::{mpsc, oneshot, watch};

use crate::chain::Chain;
use crate::decide::commit_thread::Ahead;
use crate::decide::engine_thread::{Ask, LiveScores, Part};
use crate::decide::figures::EngineFigures;
use crate::decide::progress::Progress;
use crate::deliver::delivery::Delivery;
use crate::deliver::redis_watch::{BATCH, Reached, Watch};
use crate::health::latency::Latency;

/// Time between heartbeats. A reader that finds one older than a few of them knows that nobody watches.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long Redis is left alone after it failed.
const PAUSE: Duration = Duration::from_millis(500);
/// Every so many missed heartbeats it is said again.
const SAY_EVERY: u64 = 60;

/// The heartbeat in Redis, as readers find it; in ms of the clock that nobody sets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beats {
    /// When the service began to beat.
    pub(crate) since_ms: i64,
    /// The scores are whole as of then, by the newest that Redis took and that vouches for all of them.
    pub(crate) as_of_ms: Option<i64>,
}

pub(crate) struct RedisTask {
    pub(crate) delivery: Delivery<RedisSink>,
    pub(crate) ahead: mpsc::Receiver<Ahead>,
    pub(crate) asks: mpsc::Sender<Ask>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) figures: Arc<Mutex<EngineFigures>>,
    pub(crate) latency: Arc<Mutex<Latency>>,
    pub(crate) beats: Arc<Mutex<Beats>>,
    /// The committed position.
    pub(crate) committed: watch::Receiver<u64>,
    /// Whether Redis keeps what it was given.
    pub(crate) watch: Watch,
    pub(crate) instance: String,
    /// How often the clock had been set when all scores were last known to be in Redis.
    pub(crate) jumps: u64,
    /// Redis has had scores from here before.
    pub(crate) known: bool,
    /// Heartbeats that it has not taken, one after another.
    pub(crate) missed: u64,
}

impl RedisTask {
    /// Runs until it is drained.
    pub(crate) async fn run(mut self) -> Result<(), rasid_connectors::outbox::Error> {
        let mut beat = tokio::time::interval(HEARTBEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut draining = self.delivery.draining.clone();
        loop {
            tokio::select! {
                biased;
                // First, and with a turn for what waits: changes may come without a pause.
                _ = beat.tick() => {
                    self.heartbeat().await;
                    self.watch.take_foreign(&mut self.delivery.sink);
                    self.ask_for_a_part();
                    self.delivery.queue.committed();
                    self.delivery.turn().await?;
                }
                part = self.watch.part() => self.look(part).await,
                first = self.ahead.recv() => match first {
                    Some(first) => self.send_ahead(first).await,
                    None => break,
                },
                () = self.delivery.more.notified() => self.delivery.queue.committed(),
                _ = draining.changed() => break,
                () = tokio::time::sleep(PAUSE) => self.delivery.queue.committed(),
            }
            // One batch of what waits, then the newest changes again: they are what somebody reads in a moment.
            while self.ahead.is_empty() && !latest(&draining) && self.delivery.turn().await? {}
        }
        // The last commits, and what they left in the queue.
        while let Ok(last) = self.ahead.try_recv() {
            self.send_ahead(last).await;
        }
        self.delivery.queue.committed();
        while self.delivery.turn().await? {
            if self.delivery.queue.courier().trouble().is_some() {
                break; // it stays in the outbox
            }
        }
        self.heartbeat().await;
        Ok(())
    }

    /// Writes what the engine has just changed, with all that has gathered since. Where Redis does not take it, it comes
    /// again out of the outbox.
    async fn send_ahead(&mut self, first: Ahead) {
        if !self.delivery.queue.may_send_ahead() {
            while self.ahead.try_recv().is_ok() {} // they come out of the outbox, in their order
            return;
        }
        let (mut arrivals, mut changes) = (vec![(first.arrival_ms, first.changes.len())], first.changes);
        while let Ok(more) = self.ahead.try_recv() {
            arrivals.push((more.arrival_ms, more.changes.len()));
            changes.extend(more.changes);
        }
        // A retraction may change a great many at once: Redis is not to be held up by them.
        for part in changes.chunks(BATCH) {
            match self.delivery.sink.write(part).await {
                Ok(written) if written.refused.is_empty() => self.delivery.queue.sent_ahead(part),
                // What is refused is parked on its way out of the outbox.
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(error = %Chain(&error), "redis did not take scores; they come again from the outbox");
                    return;
                }
            }
        }
        let clock = &self.delivery.clock;
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        for (arrival_ms, count) in arrivals {
            let took_us = clock.age_ms(arrival_ms).saturating_mul(1_000);
            (0..count).for_each(|_| latency.record_us(took_us));
        }
    }

    async fn heartbeat(&mut self) {
        let beat = self.beat();
        match self.delivery.sink.heartbeat(&beat).await {
            Ok(Epoch::Same) => {
                self.beaten(&beat);
                self.after_a_jump().await;
                self.watch.ask_for_policy(&mut self.delivery.sink).await;
            }
            Ok(Epoch::Gone { token }) => {
                if let Err(error) = self.republish(&token).await {
                    tracing::warn!(error = %Chain(&error), "scores not published; the next heartbeat tries once more");
                }
            }
            Err(error) => {
                self.delivery.fails(&error.to_string());
                if self.missed.is_multiple_of(SAY_EVERY) {
                    tracing::warn!(missed = self.missed, error = %Chain(&error), "redis does not take the heartbeat");
                }
                self.missed += 1;
            }
        }
    }

    /// Redis has taken a heartbeat that vouches for the scores.
    fn beaten(&mut self, beat: &Heartbeat) {
        if std::mem::take(&mut self.missed) > 0 {
            tracing::info!("redis takes the heartbeat again");
            self.delivery.answers();
        }
        self.known = true;
        self.beats.lock().unwrap_or_else(PoisonError::into_inner).as_of_ms = Some(self.delivery.clock.monotonic_ms() - beat.lag_ms);
    }

    fn beat(&self) -> Heartbeat {
        let clock = &self.delivery.clock;
        let figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        // With all of the log applied there is nothing that could be missing; else what arrived until then is in, less
        // what still waits to be written.
        let behind = self.progress.now().appended > figures.position;
        let applied_ms = if behind { figures.behind_ms(clock) } else { 0 };
        let lag_ms = self.delivery.queue.oldest_ms().map_or(0, |oldest_ms| clock.age_ms(oldest_ms).saturating_add(1)).max(applied_ms);
        Heartbeat {
            as_of: clock.wall_ms().saturating_sub_unsigned(lag_ms),
            lag_ms: i64::try_from(lag_ms).unwrap_or(i64::MAX),
            ruleset: figures.ruleset.clone(),
            instance: self.instance.clone(),
        }
    }

    /// Redis ends scores by its own clock, which most often is this machine's: while that was ahead it has ended some that
    /// live, and it tells nobody.
    async fn after_a_jump(&mut self) {
        let jumps = self.delivery.clock.seen().jumps_total;
        if jumps == self.jumps {
            return;
        }
        match self.write_all().await {
            Ok(None) => {}
            Ok(Some(scores)) => {
                self.jumps = jumps;
                tracing::info!(scores, "the clock was set, and redis may have ended scores early; all were written again");
            }
            Err(error) => tracing::warn!(error = %Chain(&error), "scores not written again; the next heartbeat tries once more"),
        }
    }

    /// Writes every live score, because Redis does not vouch for having them: it never had, was flushed or restarted, or a
    /// replica without them took over.
    async fn republish(&mut self, token: &str) -> Result<(), Error> {
        let Some(scores) = self.write_all().await? else { return Ok(()) };
        let beat = self.beat();
        if let Epoch::Gone { .. } = self.delivery.sink.republished(token, &beat).await? {
            return Ok(()); // flushed meanwhile: the next heartbeat begins again
        }
        if self.known {
            tracing::warn!(scores, "redis was flushed, restarted or replaced and may have lost scores; all were published again");
        } else {
            tracing::info!(scores, "redis is new to this service; all live scores were published");
        }
        self.beaten(&beat);
        self.watch.ask_for_policy(&mut self.delivery.sink).await;
        Ok(())
    }

    /// Asks the engine for the next scores to look for, while Redis answers. It answers when it has the time.
    fn ask_for_a_part(&mut self) {
        if self.missed > 0 || !self.known {
            return;
        }
        let Some((from, places)) = self.watch.wants() else { return };
        let (answer, part) = oneshot::channel();
        if self.asks.try_send(Ask::LivePart { from, places, answer }).is_ok() {
            self.progress.ask();
            self.watch.asked(part);
        }
    }

    async fn look(&mut self, part: Option<Part>) {
        let Some(part) = part else { return };
        let reached = Reached {
            durable: self.progress.now().durable,
            committed: latest(&self.committed),
            oldest_ms: self.delivery.queue.oldest_ms(),
        };
        self.watch.look(&mut self.delivery.sink, part, reached).await;
    }

    /// Writes every live score; how many. `None`: just now nobody can say which those are.
    async fn write_all(&mut self) -> Result<Option<usize>, Error> {
        let (answer, live) = oneshot::channel();
        if self.asks.send(Ask::LiveScores(answer)).await.is_err() {
            return Ok(None); // the engine has ended, and so shall we
        }
        self.progress.ask();
        let Ok(LiveScores { position, scores }) = live.await else { return Ok(None) };
        // Nobody may read a score that the log could still lose.
        if self.progress.watch_durable().wait_for(|durable| *durable >= position).await.is_err() {
            return Ok(None);
        }
        for batch in scores.chunks(BATCH) {
            self.delivery.sink.write(batch).await?;
        }
        Ok(Some(scores.len()))
    }
}
