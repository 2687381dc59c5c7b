//! Redis: what core services read before they trust somebody.
//!
//! ```text
//! rasid:risk:v1:{user:u_42}   hash   score level as_of medium_until high_until critical_until reasons version ruleset
//!                                    (announce: our own, while a rise waits for the stream); gone once below 1.
//!                                    One with a version alone is a tombstone: the score was taken away
//! rasid:risk:v1:changes       stream entity version level score; one entry a rise of level, at least once, capped
//! rasid:risk:v1:meta          hash   as_of lag_ms ruleset instance epoch (server, epoch_next: our own)
//! ```
//!
//! The braces are a Cluster hash tag. Every write is one script over the entity's own key, so versions are compared and
//! replaced in one step, and an older one is refused whoever sends it. The reader's side is docs/redis.md.

mod connection;
mod reader;
mod scripts;

use std::collections::HashMap;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Client, Pipeline, ServerError, ServerErrorKind, Value};
use async_trait::async_trait;
use rasid_engine::{Level, ScoreChange};
use tracing::info;

pub use self::connection::Error;
use self::connection::{Connected, connect, open};
pub use self::reader::{Reading, read_score};
use crate::effect::Body;
use crate::sink::{Answer, Batch, Sink};

/// What every key begins with.
pub const PREFIX: &str = "rasid:risk:v1:";
/// The heartbeat.
pub const META: &str = "rasid:risk:v1:meta";
/// The stream of rises of level.
pub const CHANGES: &str = "rasid:risk:v1:changes";

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

/// Where Redis is and how long it may take.
#[derive(Clone)]
pub struct Config {
    /// `redis://[user[:password]@]host[:port][/db]`, `rediss://…` for TLS with the system's certificates, or `unix:///path`.
    pub url: String,
    /// For a connection, name look-up and log-in included.
    pub connect_timeout: Duration,
    /// For a command or a pipeline of them.
    pub timeout: Duration,
    /// Most scores written in one round trip.
    pub batch_max: usize,
    /// Entries the stream of rises keeps, about.
    pub changes_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: String::new(),
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(3),
            batch_max: 512,
            changes_max: 100_000,
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Config {{ url: [hidden], batch_max: {} }}", self.batch_max) // the address may hold a password
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
    /// Not writable, ever: index in the changes given, and why.
    pub refused: Vec<(usize, String)>,
}

/// Redis.
pub struct RedisSink {
    name: String,
    config: Config,
    client: Client,
    connection: Option<Connected>,
    /// SHA-1 of [`scripts::WRITE`], what EVALSHA calls it by.
    write: ::redis::Script,
    heartbeat: ::redis::Script,
}

impl RedisSink {
    /// Prepares; the connection is made when it is first needed.
    pub fn new(name: &str, config: Config) -> Result<Self, Error> {
        let client = open(&config.url)?;
        let script = ::redis::Script::new;
        Ok(Self {
            name: name.to_owned(),
            config,
            client,
            connection: None,
            write: script(scripts::WRITE),
            heartbeat: script(scripts::HEARTBEAT),
        })
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
        let mut connection = self.connected().await?;
        let outcome = self.write_to(&mut connection.to, &newest).await;
        self.keep(connection, outcome)
    }

    async fn write_to(&self, to: &mut MultiplexedConnection, newest: &[(usize, &ScoreChange)]) -> Result<Written, Error> {
        let mut answers = run(to, &self.write_all(newest)).await?;
        let unknown = |answer: &Answered| matches!(answer, Err(error) if error.kind() == Some(ServerErrorKind::NoScript));
        if answers.iter().any(unknown) {
            // A new server, or SCRIPT FLUSH: whatever was done already is done again, with the same end.
            self.write.load_async(to).await.map_err(Error::Command)?;
            info!("redis did not know the script, loaded it again");
            answers = run(to, &self.write_all(newest)).await?;
        }
        let mut done = Written::default();
        let mut rises = Vec::new();
        for ((index, change), answer) in newest.iter().zip(answers) {
            match answer {
                Ok(Value::BulkString(word)) => match word.as_slice() {
                    b"older" => done.older += 1,
                    b"deleted" => done.deleted += 1,
                    b"rises" => {
                        done.written += 1;
                        rises.push(*change);
                    }
                    _ => done.written += 1,
                },
                // Somebody else's value under our key: no number of tries changes that.
                Err(error) if error.to_string().contains("WRONGTYPE") => done.refused.push((*index, error.to_string())),
                Err(error) => return Err(Error::Command(error.into())),
                Ok(_) => return Err(Error::Foreign { key: key(&change.entity), reason: "an unexpected answer".to_owned() }),
            }
        }
        done.rises = rises.len();
        self.announce(to, &rises).await?;
        Ok(done)
    }

    fn write_all(&self, newest: &[(usize, &ScoreChange)]) -> Pipeline {
        let mut pipeline = Pipeline::with_capacity(newest.len());
        for (_, change) in newest {
            let command = pipeline.cmd("EVALSHA").arg(self.write.get_hash()).arg(1).arg(key(&change.entity));
            command.arg(change.version).arg(scripts::TOMBSTONE_S);
            if let Some(score) = &change.score {
                let or_empty = |until: Option<i64>| until.map(|until| until.to_string()).unwrap_or_default();
                command
                    .arg(change.live_until)
                    .arg(score.score)
                    .arg(level_name(score.level))
                    .arg(score.as_of)
                    .arg(or_empty(score.medium_until))
                    .arg(or_empty(score.high_until))
                    .arg(or_empty(score.critical_until))
                    .arg(serde_json::to_string(&score.reasons).expect("names and numbers have a JSON form"))
                    .arg(&score.ruleset);
            }
        }
        pipeline
    }

    /// Appends rises to the stream, and only then takes the marks off that would have them told again.
    async fn announce(&self, to: &mut MultiplexedConnection, rises: &[&ScoreChange]) -> Result<(), Error> {
        if rises.is_empty() {
            return Ok(());
        }
        let mut append = Pipeline::with_capacity(rises.len());
        let mut unmark = Pipeline::with_capacity(rises.len());
        for change in rises {
            let Some(score) = &change.score else { continue };
            let command = append.cmd("XADD").arg(CHANGES).arg("MAXLEN").arg("~").arg(self.config.changes_max).arg("*");
            command.arg("entity").arg(&change.entity).arg("version").arg(change.version);
            command.arg("level").arg(level_name(score.level)).arg("score").arg(score.score);
            unmark.cmd("EVAL").arg(scripts::UNMARK).arg(1).arg(key(&change.entity)).arg(change.version);
        }
        append.exec_async(to).await.map_err(Error::Command)?;
        unmark.exec_async(to).await.map_err(Error::Command)
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
        let mut connection = self.connected().await?;
        let outcome = self
            .heartbeat
            .key(META)
            .arg(what)
            .arg(&connection.run_id)
            .arg(token)
            .arg(beat.as_of)
            .arg(beat.lag_ms)
            .arg(&beat.ruleset)
            .arg(&beat.instance)
            .arg(random_token())
            .invoke_async::<String>(&mut connection.to)
            .await
            .map_err(Error::Command);
        let token = self.keep(connection, outcome)?;
        Ok(if token.is_empty() { Epoch::Same } else { Epoch::Gone { token } })
    }

    /// The connection, made if there is none. It is taken out while in use, so a call that is given up leaves none behind
    /// whose answers would be the next one's.
    async fn connected(&mut self) -> Result<Connected, Error> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => connect(&self.client, self.config.connect_timeout, self.config.timeout).await,
        }
    }

    /// Keeps the connection for the next call, unless it is of no more use.
    fn keep<T>(&mut self, connection: Connected, outcome: Result<T, Error>) -> Result<T, Error> {
        let of_use = match &outcome {
            Ok(_) | Err(Error::Foreign { .. }) => true,
            // READONLY: this server has become a replica, the master is elsewhere.
            Err(Error::Command(error)) => {
                matches!(error.kind(), ::redis::ErrorKind::Server(kind) if kind != ServerErrorKind::ReadOnly)
            }
            Err(_) => false,
        };
        if of_use {
            self.connection = Some(connection);
        }
        outcome
    }
}

#[async_trait]
impl Sink for RedisSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn takes(&self, body: &Body) -> bool {
        matches!(body, Body::Score(_))
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

type Answered = Result<Value, ServerError>;

/// One round trip for the whole pipeline; each command's own answer.
async fn run(to: &mut MultiplexedConnection, pipeline: &Pipeline) -> Result<Vec<Answered>, Error> {
    let answers: Vec<Value> = to.send_packed_commands(pipeline, 0, pipeline.len()).await.map_err(Error::Command)?;
    Ok(answers
        .into_iter()
        .map(|answer| match answer {
            Value::ServerError(error) => Err(error),
            other => Ok(other),
        })
        .collect())
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
