//! Redis: what core services read before they trust somebody.
//!
//! ```text
//! rasid:risk:v1:{user:u_42}   hash   score level as_of low_until medium_until high_until critical_until reasons version ruleset
//!                                     advice advice_until watch_until challenge_until hold_until block_until
//!                                    (announce: our own, while a rise waits for the stream); gone once below 1.
//!                                    One with a version alone is a tombstone: the score was taken away
//! rasid:risk:v1:changes       stream entity version level score; one entry a rise of level, at least once, capped
//! rasid:risk:v1:meta          hash   as_of lag_ms ruleset instance epoch (server, epoch_next: our own)
//! rasid:risk:v1:witness:<n>   string a token in each part of a cluster's slots: our own
//! ```
//!
//! The braces are a Cluster hash tag. Every write is one script over the entity's own key, so versions are compared and
//! replaced in one step, and an older one is refused whoever sends it. The reader's side is docs/redis.md.

mod cluster;
mod config;
mod connection;
mod link;
mod look;
mod memory;
mod options;
mod reader;
mod scripts;
mod sentinel;
mod slots;

use std::collections::{BTreeSet, HashMap};

use ::redis::{ServerErrorKind, Value, cmd, from_redis_value};
use async_trait::async_trait;
use rasid_compiler::ruleset::Advice;
use rasid_engine::{Level, ScoreChange};
use tracing::info;

pub use self::config::{Config, Login, Place, Sentinels};
pub use self::connection::Error;
use self::link::{Answered, Keyed, Link};
pub use self::look::Looked;
use self::look::is_wrong_type;
pub use self::memory::{KEEPS, Policy, UNKNOWN};
pub use self::options::Options;
pub use self::reader::{Reading, read_score};
use crate::effect::Body;
use crate::sink::{Answer, Batch, Sink};

/// What every key begins with.
pub const PREFIX: &str = "rasid:risk:v1:";
/// The heartbeat.
pub const META: &str = "rasid:risk:v1:meta";
/// The stream of rises of level.
pub const CHANGES: &str = "rasid:risk:v1:changes";
/// What the keys begin with that tell whether a part of a cluster was flushed.
const WITNESS: &str = "rasid:risk:v1:witness:";
/// Keys of which it is remembered that another's value stands there, until somebody asks.
const FOREIGN_MAX: usize = 1_000;
/// How often a script is loaded for one call: once, and again where a failover comes in between.
const LOADS_MAX: usize = 3;

/// Why a score is not written.
const FOREIGN: &str = "somebody else's value stands under the score's key";

/// The key of an entity's score.
///
/// ```
/// assert_eq!(rasid_connectors::sink::redis::key("user:u_42"), "rasid:risk:v1:{user:u_42}");
/// ```
pub fn key(entity: &str) -> String {
    format!("{PREFIX}{{{entity}}}")
}

/// A level as readers see it.
pub fn level_name(level: Level) -> &'static str {
    match level {
        Level::Low => "low",
        Level::Medium => "medium",
        Level::High => "high",
        Level::Critical => "critical",
    }
}

/// What the heartbeat says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Everything that had arrived by then is in the scores, Unix ms.
    pub as_of: i64,
    /// How far behind that is, ms.
    pub lag_ms: i64,
    /// The ruleset in force.
    pub ruleset: String,
    /// Which instance writes.
    pub instance: String,
}

/// Whether Redis still holds what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Epoch {
    /// It does.
    Same,
    /// It does not for certain: flushed, restarted, failed over, or never written. Publish all live scores again, then
    /// say so with [`RedisSink::republished`]. Until then readers see no heartbeat.
    Gone {
        /// Names this loss.
        token: String,
    },
}

/// What became of written scores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Keys written.
    pub written: usize,
    /// Scores taken away, because nothing is left of them or their end has passed.
    pub deleted: usize,
    /// Older than what is there, and so left alone.
    pub older: usize,
    /// Rises of level that went to the stream.
    pub rises: usize,
    /// Not writable while another's value stands there: index in the changes given, and why.
    pub refused: Vec<(usize, String)>,
    /// Rises that could not go to the stream, because another's value stands under its key.
    pub untold: usize,
}

/// Redis.
pub struct RedisSink {
    name: String,
    config: Config,
    link: Option<Link>,
    /// SHA-1 of [`scripts::WRITE`], what EVALSHA calls it by.
    write: ::redis::Script,
    /// Keys under which another's value was found.
    foreign: BTreeSet<String>,
}

impl RedisSink {
    /// Prepares; the connection is made when it is first needed.
    ///
    /// # Errors
    /// [`Error`] where an address, a certificate or a key is unusable.
    pub fn new(name: &str, config: Config) -> Result<Self, Error> {
        Link::check(&config.place)?;
        config.tls.check()?;
        Ok(Self { name: name.to_owned(), config, link: None, write: ::redis::Script::new(scripts::WRITE), foreign: BTreeSet::new() })
    }

    /// Writes scores: of each entity its newest version, all in one round trip; then rises of level to the stream.
    /// Harmless to repeat. An error leaves some or none of it done: write the same again.
    pub async fn write(&mut self, changes: &[ScoreChange]) -> Result<Written, Error> {
        let changes: Vec<(usize, &ScoreChange)> = changes.iter().enumerate().collect();
        self.write_indexed(&changes).await
    }

    async fn write_indexed(&mut self, changes: &[(usize, &ScoreChange)]) -> Result<Written, Error> {
        let newest = coalesce(changes);
        if newest.is_empty() {
            return Ok(Written::default());
        }
        let mut link = self.linked().await?;
        let outcome = self.write_to(&mut link, &newest).await;
        if let Ok(done) = &outcome {
            let refused = done.refused.iter().filter_map(|(refused, _)| newest.iter().find(|(index, _)| index == refused));
            let keys: Vec<String> = refused.map(|(_, change)| key(&change.entity)).collect();
            self.found_foreign(keys);
            self.found_foreign((done.untold > 0).then(|| CHANGES.to_owned()));
        }
        self.keep(link, outcome)
    }

    fn found_foreign(&mut self, keys: impl IntoIterator<Item = String>) {
        for key in keys {
            if self.foreign.len() < FOREIGN_MAX {
                self.foreign.insert(key);
            }
        }
    }

    /// Keys of ours under which another's value was found since the last call, by writing or by looking; of very many, some.
    /// Nothing is written there, and everything else is.
    pub fn take_foreign(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.foreign)
    }

    /// Looks whether scores are there, which were written some time ago: whatever their version.
    ///
    /// # Errors
    /// Nothing is known then; look again.
    pub async fn look(&mut self, scores: &[ScoreChange]) -> Result<Looked, Error> {
        let mut link = self.linked().await?;
        let outcome = look::look(&mut link, &self.config, scores).await;
        if let Ok(looked) = &outcome {
            let keys: Vec<String> =
                looked.foreign.iter().filter_map(|index| scores.get(*index)).map(|change| key(&change.entity)).collect();
            self.found_foreign(keys);
        }
        self.keep(link, outcome)
    }

    /// What the servers do when their memory is full, each policy once; only [`KEEPS`] keeps scores. With `anew` all are
    /// asked, else those that have not been since the connection to them was made.
    ///
    /// # Errors
    /// A server does not answer. One that does not permit the question answers [`UNKNOWN`].
    pub async fn policies(&mut self, anew: bool) -> Result<BTreeSet<Policy>, Error> {
        let mut link = self.linked().await?;
        let outcome = link.policies(&self.config, anew).await;
        self.keep(link, outcome)
    }

    async fn write_to(&self, link: &mut Link, newest: &[(usize, &ScoreChange)]) -> Result<Written, Error> {
        let commands: Vec<Keyed> = newest.iter().map(|(_, change)| self.write_one(change)).collect();
        let mut answers = link.run(&self.config, &commands).await?;
        let unknown = |answer: &Answered| matches!(answer, Err(error) if error.kind() == Some(ServerErrorKind::NoScript));
        for _ in 0..LOADS_MAX {
            if !answers.iter().any(unknown) {
                break;
            }
            // A new server, or SCRIPT FLUSH: whatever was done already is done again, with the same end.
            link.load(&self.config, &self.write).await?;
            info!("redis did not know the script, loaded it again");
            answers = link.run(&self.config, &commands).await?;
        }
        let mut done = Written::default();
        let mut rises = Vec::new();
        for ((index, change), answer) in newest.iter().zip(answers) {
            match answer {
                Ok(Value::BulkString(word)) => match word.as_slice() {
                    b"older" => done.older += 1,
                    // No number of tries changes that.
                    b"foreign" => done.refused.push((*index, FOREIGN.to_owned())),
                    b"deleted" => done.deleted += 1,
                    b"rises" => {
                        done.written += 1;
                        rises.push(*change);
                    }
                    _ => done.written += 1,
                },
                Err(error) => return Err(Error::Command(error.into())),
                Ok(_) => return Err(Error::Foreign { key: key(&change.entity), reason: "an unexpected answer".to_owned() }),
            }
        }
        done.rises = rises.len();
        if !self.announce(link, &rises).await? {
            done.untold = rises.len();
        }
        Ok(done)
    }

    fn write_one(&self, change: &ScoreChange) -> Keyed {
        let key = key(&change.entity);
        let mut command = cmd("EVALSHA");
        command.arg(self.write.get_hash()).arg(1).arg(&key).arg(change.version).arg(scripts::TOMBSTONE_S);
        if let Some(score) = &change.score {
            let or_empty = |until: Option<i64>| until.map(|until| until.to_string()).unwrap_or_default();
            command
                .arg(change.live_until)
                .arg(score.score)
                .arg(score.as_of)
                .arg(serde_json::to_string(&score.reasons).expect("names and numbers have a JSON form"))
                .arg(&score.ruleset)
                .arg(score.level.map_or("", level_name));
            for until in [score.low_until, score.medium_until, score.high_until, score.critical_until] {
                command.arg(or_empty(until));
            }
            command.arg(score.advice.map_or("", Advice::name));
            for until in [score.advice_until, score.watch_until, score.challenge_until, score.hold_until, score.block_until] {
                command.arg(or_empty(until));
            }
        }
        Keyed { key, command }
    }

    /// Appends rises to the stream, and only then takes the marks off that would have them told again. Whether they are in
    /// the stream: not where another's value stands under its key.
    async fn announce(&self, link: &mut Link, rises: &[&ScoreChange]) -> Result<bool, Error> {
        let mut append = Vec::with_capacity(rises.len());
        let mut unmark = Vec::with_capacity(rises.len());
        for change in rises {
            let Some(score) = &change.score else { continue };
            let mut command = cmd("XADD");
            command.arg(CHANGES).arg("MAXLEN").arg("~").arg(self.config.changes_max).arg("*");
            command.arg("entity").arg(&change.entity).arg("version").arg(change.version);
            command.arg("level").arg(score.level.map_or("", level_name)).arg("score").arg(score.score);
            append.push(Keyed { key: CHANGES.to_owned(), command });
            let key = key(&change.entity);
            let mut command = cmd("EVAL");
            command.arg(scripts::UNMARK).arg(1).arg(&key).arg(change.version);
            unmark.push(Keyed { key, command });
        }
        if append.is_empty() {
            return Ok(true);
        }
        for answer in link.run(&self.config, &append).await? {
            match answer {
                Ok(_) => {}
                Err(error) if is_wrong_type(&error.to_string()) => return Ok(false),
                Err(error) => return Err(Error::Command(error.into())),
            }
        }
        link.run_all(&self.config, &unmark).await?;
        Ok(true)
    }

    /// Says that the pipeline is alive and how far it is. Call it every second or so.
    pub async fn heartbeat(&mut self, beat: &Heartbeat) -> Result<Epoch, Error> {
        self.beat("beat", "", beat).await
    }

    /// Says that all live scores have been written since `Epoch::Gone` came with that token. `Gone` again where Redis was
    /// flushed meanwhile.
    pub async fn republished(&mut self, token: &str, beat: &Heartbeat) -> Result<Epoch, Error> {
        self.beat("republished", token, beat).await
    }

    async fn beat(&mut self, what: &str, token: &str, beat: &Heartbeat) -> Result<Epoch, Error> {
        let mut link = self.linked().await?;
        let outcome = self.beat_to(&mut link, what, token, beat).await;
        let token = self.keep(link, outcome)?;
        Ok(if token.is_empty() { Epoch::Same } else { Epoch::Gone { token } })
    }

    async fn beat_to(&self, link: &mut Link, what: &str, token: &str, beat: &Heartbeat) -> Result<String, Error> {
        let mut command = cmd("EVAL");
        command.arg(scripts::HEARTBEAT).arg(1).arg(META).arg(what).arg(link.identity(&self.config).await?).arg(token);
        command.arg(beat.as_of).arg(beat.lag_ms).arg(&beat.ruleset).arg(&beat.instance).arg(random_token());
        let answers = match link.run_all(&self.config, &[Keyed { key: META.to_owned(), command }]).await {
            Err(Error::Command(error)) if is_wrong_type(&error.to_string()) => {
                return Err(Error::Foreign { key: META.to_owned(), reason: "a value of another type".to_owned() });
            }
            answers => answers?,
        };
        let foreign = || Error::Foreign { key: META.to_owned(), reason: "an unexpected answer".to_owned() };
        answers.into_iter().next().and_then(|answer| from_redis_value(answer).ok()).ok_or_else(foreign)
    }

    /// The way to the servers, made if there is none. It is taken out while in use, so a call that is given up leaves none
    /// behind whose answers would be the next one's.
    async fn linked(&mut self) -> Result<Link, Error> {
        match self.link.take() {
            Some(link) => Ok(link),
            None => Link::to(&self.config).await,
        }
    }

    /// Keeps it for the next call, unless it is of no more use.
    fn keep<T>(&mut self, link: Link, outcome: Result<T, Error>) -> Result<T, Error> {
        if outcome.as_ref().err().is_none_or(|error| link.is_of_use_after(error)) {
            self.link = Some(link);
        }
        outcome
    }
}

#[async_trait]
impl Sink for RedisSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn batch_max(&self) -> usize {
        self.config.batch_max
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> Answer {
        let mut changes = Vec::with_capacity(batch.items.len());
        for (index, item) in batch.items.iter().enumerate() {
            if let Body::Score(change) = &item.body {
                changes.push((index, change));
            }
        }
        match self.write_indexed(&changes).await {
            Ok(done) => Answer::Taken { refused: done.refused },
            Err(error) => error.into(),
        }
    }
}

/// Of each entity the newest change, in the order of their places.
fn coalesce<'a>(changes: &[(usize, &'a ScoreChange)]) -> Vec<(usize, &'a ScoreChange)> {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(changes.len());
    let mut newest: Vec<(usize, &ScoreChange)> = Vec::with_capacity(changes.len());
    for (index, change) in changes {
        let place = *places.entry(&change.entity).or_insert(newest.len());
        match newest.get_mut(place) {
            Some(held) if held.1.version > change.version => {}
            Some(held) => *held = (*index, change),
            None => newest.push((*index, change)),
        }
    }
    newest
}

fn random_token() -> String {
    let mut bytes = [0; 16];
    // Without randomness from the system nothing else here would work either; a fixed token only makes a flush in the
    // midst of publishing again go unseen.
    if getrandom::fill(&mut bytes).is_err() {
        bytes = [0; 16];
    }
    data_encoding::HEXLOWER.encode(&bytes)
}
