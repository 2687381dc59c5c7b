//! A way to the servers, wherever they are: commands by the key that they work on, and an answer for each.

use std::collections::BTreeSet;

use ::redis::{Cmd, Pipeline, RedisError, ServerError, ServerErrorKind, Value};

use super::cluster::Cluster;
use super::config::{Config, Place};
use super::connection::{Connected, Error, connect, parse};
use super::{memory, sentinel};

/// A command that works on one key.
pub(super) struct Keyed {
    pub(super) key: String,
    pub(super) command: Cmd,
}

/// What the server says to one command.
pub(super) type Answered = Result<Value, ServerError>;

pub(super) fn answered(answer: Value) -> Answered {
    match answer {
        Value::ServerError(error) => Err(error),
        other => Ok(other),
    }
}

/// One server, or a cluster of them.
pub(super) enum Link {
    One(Connected),
    Many(Cluster),
}

impl Link {
    pub(super) async fn to(config: &Config) -> Result<Self, Error> {
        Ok(match &config.place {
            Place::Server(url) => Self::One(connect(config, &parse(url)?).await?),
            Place::Sentinel(sentinels) => Self::One(sentinel::master(config, sentinels).await?),
            Place::Cluster(urls) => Self::Many(Cluster::new(urls)?),
        })
    }

    /// Whether the addresses can be read.
    pub(super) fn check(place: &Place) -> Result<(), Error> {
        match place {
            Place::Server(url) => parse(url).map(drop),
            Place::Sentinel(sentinels) => sentinels.urls.iter().try_for_each(|url| parse(url).map(drop)),
            Place::Cluster(urls) => Cluster::new(urls).map(drop),
        }
    }

    /// Runs the commands in one round trip to each server that is concerned, and gives the answer of each.
    pub(super) async fn run(&mut self, config: &Config, commands: &[Keyed]) -> Result<Vec<Answered>, Error> {
        match self {
            Self::One(connected) => {
                let mut pipeline = Pipeline::with_capacity(commands.len());
                for command in commands {
                    pipeline.add_command(command.command.clone());
                }
                let answers: Vec<Value> = connected.to.send_packed_commands(&pipeline, 0, pipeline.len()).await.map_err(Error::Command)?;
                Ok(answers.into_iter().map(answered).collect())
            }
            Self::Many(cluster) => cluster.run(config, commands).await,
        }
    }

    /// Runs the commands, of which none may fail.
    pub(super) async fn run_all(&mut self, config: &Config, commands: &[Keyed]) -> Result<Vec<Value>, Error> {
        let answers: Result<Vec<Value>, ServerError> = self.run(config, commands).await?.into_iter().collect();
        answers.map_err(|error| Error::Command(RedisError::from(error)))
    }

    /// Has the servers know a script.
    pub(super) async fn load(&mut self, config: &Config, script: &::redis::Script) -> Result<(), Error> {
        match self {
            Self::One(connected) => script.load_async(&mut connected.to).await.map(drop).map_err(Error::Command),
            Self::Many(cluster) => cluster.load(config, script).await,
        }
    }

    /// Changes when what was written may have been lost, unless a flush took the heartbeat, too.
    pub(super) async fn identity(&mut self, config: &Config) -> Result<String, Error> {
        match self {
            Self::One(connected) => Ok(connected.run_id.clone()),
            Self::Many(cluster) => cluster.identity(config).await,
        }
    }

    /// What the servers do when their memory is full. Those that were not asked are, and with `anew` all.
    pub(super) async fn policies(&mut self, config: &Config, anew: bool) -> Result<BTreeSet<memory::Policy>, Error> {
        match self {
            Self::One(connected) => {
                memory::ask(connected, anew).await?;
                Ok(memory::all(std::iter::once(&*connected)))
            }
            Self::Many(cluster) => cluster.policies(config, anew).await,
        }
    }

    /// Whether it is of use after that. A cluster gives up those of its connections that are not, and keeps the others.
    pub(super) fn is_of_use_after(&self, error: &Error) -> bool {
        match error {
            Error::Foreign { .. } => true,
            // READONLY: this server has become a replica, the master is elsewhere.
            Error::Command(error) if matches!(self, Self::One(_)) => {
                matches!(error.kind(), ::redis::ErrorKind::Server(kind) if kind != ServerErrorKind::ReadOnly)
            }
            _ => matches!(self, Self::Many(_)),
        }
    }
}
