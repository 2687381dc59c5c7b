//! Whether Redis keeps what it was given. It tells nobody when it takes a key away, and a score that is away reads as "no
//! known risk": so its policy is asked for, and scores are looked for, some each second, round after round.
//!
//! ```text
//! a part   of the live scores, as the engine has them (the engine is asked for one a second, and answers in passing)
//!   ├─ all there ──────────────────────────────────────────────→ the next part
//!   └─ some missing ─→ the same part again, as it is by then, and only once all that was committed before the first look
//!                      has been delivered: still missing is lost ─→ written again, counted ─→ the next part
//! ```

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rasid_connectors::sink::RedisSink;
use rasid_connectors::sink::redis::{Error, KEEPS, PREFIX, Policy, UNKNOWN};
use rasid_engine::{LivePart, ScoreChange};
use tokio::sync::oneshot;

use crate::chain::Chain;
use crate::clock::Clock;
use crate::decide::engine_thread::Part;
use crate::health::stats::RedisStats;

/// Time in which every score is looked for, s, while that is no more than [`PLACES_MAX`] places a second.
const ROUND_S: usize = 600;
/// Fewest and most places of the engine's table that are looked at in a second; a place holds a score or none.
const PLACES_MIN: usize = 64;
const PLACES_MAX: usize = 2_048;
/// How often servers are asked for their policy, which can be changed while they run, ms.
const POLICY_EVERY_MS: i64 = 60_000;
/// Scores found missing are said at most this often, ms.
const SAY_EVERY_MS: i64 = 60_000;
/// A score that ends by itself within this time is not looked for, ms.
const ENDS_SOON_MS: i64 = 5_000;
/// Keys with another's value that are remembered, so that each is said once.
const KNOWN_MAX: usize = 1_000;
/// Scores written in one round trip.
pub(crate) const BATCH: usize = 512;

/// How far the rest of the service has got when a part is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached {
    /// Newest durable position.
    pub(crate) durable: u64,
    /// Newest committed position.
    pub(crate) committed: u64,
    /// When the oldest score was committed that Redis has not acknowledged, Unix ms.
    pub(crate) oldest_ms: Option<i64>,
}

/// What was missing at the first look at a part.
struct Suspects {
    entities: BTreeSet<String>,
    position: u64,
    wall_ms: i64,
}

/// Watches one Redis.
pub(crate) struct Watch {
    clock: Clock,
    stats: Arc<Mutex<RedisStats>>,
    /// When the servers were last asked for their policy, ms by the monotonic clock.
    asked_ms: Option<i64>,
    policies: BTreeSet<Policy>,
    /// Where the next part begins.
    from: usize,
    /// How large it is.
    places: usize,
    suspects: Option<Suspects>,
    /// A part that the engine was asked for.
    part: Option<oneshot::Receiver<Part>>,
    /// Scores found missing that were not said, and when some were, ms by the monotonic clock.
    unsaid: u64,
    said_ms: Option<i64>,
    /// Keys with another's value that were said, and those that were found since this round began.
    foreign: BTreeSet<String>,
    foreign_again: BTreeSet<String>,
}

impl Watch {
    pub(crate) fn new(clock: Clock, stats: Arc<Mutex<RedisStats>>) -> Self {
        Self {
            clock,
            stats,
            asked_ms: None,
            policies: BTreeSet::new(),
            from: 0,
            places: PLACES_MIN,
            suspects: None,
            part: None,
            unsaid: 0,
            said_ms: None,
            foreign: BTreeSet::new(),
            foreign_again: BTreeSet::new(),
        }
    }

    /// Asks what the servers do when their memory is full: each new connection, and all of them from time to time.
    pub(crate) async fn ask_for_policy(&mut self, sink: &mut RedisSink) {
        let now_ms = self.clock.monotonic_ms();
        let anew = self.asked_ms.is_none_or(|asked_ms| now_ms - asked_ms >= POLICY_EVERY_MS);
        match sink.policies(anew).await {
            Ok(policies) => {
                if anew {
                    self.asked_ms = Some(now_ms);
                }
                self.say_policy(policies);
            }
            Err(error) => tracing::debug!(error = %Chain(&error), "redis was not asked for its policy; the next heartbeat asks"),
        }
    }

    fn say_policy(&mut self, policies: BTreeSet<Policy>) {
        if policies == self.policies {
            return;
        }
        let said = policies.iter().copied().collect::<Vec<_>>().join(", ");
        if policies.iter().any(|policy| ![KEEPS, UNKNOWN].contains(policy)) {
            tracing::warn!(policy = said, "redis may take scores away: its maxmemory-policy is not noeviction");
        } else if policies.contains(UNKNOWN) {
            tracing::warn!("redis does not say its maxmemory-policy, so it may take scores away");
        } else {
            tracing::info!(policy = said, "redis keeps what it is given");
        }
        self.lock().policies = policies.iter().map(|policy| (*policy).to_owned()).collect();
        self.policies = policies;
    }

    /// Says under which keys another's value was found, each once while it is found again every round.
    pub(crate) fn take_foreign(&mut self, sink: &mut RedisSink) {
        let mut found: Vec<String> = sink.take_foreign().into_iter().collect();
        self.foreign_again.extend(found.iter().take(KNOWN_MAX.saturating_sub(self.foreign_again.len())).cloned());
        found.retain(|key| !self.foreign.contains(key));
        found.truncate(KNOWN_MAX.saturating_sub(self.foreign.len()));
        let Some(first) = found.first() else { return };
        // What is behind our prefix: an entity as it leaves, personal ones as pseudonyms, or the name of a key of our own.
        let key = first.strip_prefix(PREFIX).unwrap_or_default();
        tracing::warn!(keys = found.len(), key, "redis holds somebody else's value under a key of ours, which alone is not written");
        self.foreign.extend(found);
        self.lock().foreign_keys = self.foreign.len() as u64;
    }

    /// Where the part begins that is to be asked for and how many places it has; `None` while one is.
    pub(crate) fn wants(&self) -> Option<(usize, usize)> {
        self.part.is_none().then_some((self.from, self.places))
    }

    /// It was asked for.
    pub(crate) fn asked(&mut self, part: oneshot::Receiver<Part>) {
        self.part = Some(part);
    }

    /// The part that was asked for, when it comes; `None` where the engine cannot say just now. It never ends where none was.
    pub(crate) async fn part(&mut self) -> Option<Part> {
        let part = match &mut self.part {
            Some(part) => part.await.ok(),
            None => std::future::pending().await,
        };
        self.part = None;
        part
    }

    /// Looks whether the scores of a part are there, and writes those again that are lost.
    pub(crate) async fn look(&mut self, sink: &mut RedisSink, part: Part, reached: Reached) {
        if let Err(error) = self.look_at(sink, part, reached).await {
            tracing::debug!(error = %Chain(&error), "scores were not looked for; the next heartbeat looks");
        }
    }

    async fn look_at(&mut self, sink: &mut RedisSink, Part { position, live }: Part, reached: Reached) -> Result<(), Error> {
        let LivePart { scores, next, places } = live;
        self.places = places.div_ceil(ROUND_S).clamp(PLACES_MIN, PLACES_MAX);
        self.lock().round_s = places.div_ceil(self.places) as u64;
        let now_ms = self.clock.wall_ms();
        // What ends in a moment may have ended there.
        let scores: Vec<ScoreChange> = scores.into_iter().filter(|change| change.live_until > now_ms + ENDS_SOON_MS).collect();
        let looked = sink.look(&scores).await?;
        let missing: Vec<&ScoreChange> = looked.missing.iter().filter_map(|index| scores.get(*index)).collect();
        match &self.suspects {
            None if missing.is_empty() => {}
            None => {
                let entities = missing.into_iter().map(|change| change.entity.clone()).collect();
                self.suspects = Some(Suspects { entities, position, wall_ms: now_ms });
                return Ok(());
            }
            // Something that was committed before the first look, or was about to be, may still be on its way.
            Some(Suspects { position, wall_ms, .. })
                if reached.committed < *position || reached.oldest_ms.is_some_and(|oldest_ms| oldest_ms <= *wall_ms) =>
            {
                return Ok(());
            }
            Some(suspects) => {
                let lost = missing.into_iter().filter(|change| suspects.entities.contains(&change.entity));
                let lost: Vec<ScoreChange> = lost.cloned().collect();
                if reached.durable < position && !lost.is_empty() {
                    return Ok(()); // nobody may read a score that the log could still lose
                }
                for batch in lost.chunks(BATCH) {
                    let written = sink.write(batch).await?.written as u64;
                    self.unsaid += written;
                    self.lock().missing_total += written;
                }
            }
        }
        self.suspects = None;
        self.from = next;
        if next == 0 {
            self.foreign = std::mem::take(&mut self.foreign_again);
            self.lock().foreign_keys = self.foreign.len() as u64;
        }
        self.lock().looked_total += scores.len() as u64;
        self.say_missing();
        Ok(())
    }

    fn say_missing(&mut self) {
        let now_ms = self.clock.monotonic_ms();
        if self.unsaid > 0 && self.said_ms.is_none_or(|said_ms| now_ms - said_ms >= SAY_EVERY_MS) {
            tracing::warn!(scores = self.unsaid, "scores were gone from redis, and were published again");
            (self.unsaid, self.said_ms) = (0, Some(now_ms));
        }
    }

    fn lock(&self) -> MutexGuard<'_, RedisStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
