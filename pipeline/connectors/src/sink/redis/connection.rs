//! Coming to a connection, and what can go wrong with one.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, RedisError, ServerErrorKind, cmd};

use crate::sink::{Answer, install_tls};

/// What went wrong with Redis.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be read. It is not shown: it may hold a password.
    #[error("the Redis address is not redis[s]://[user[:password]@]host[:port][/db]: {reason}")]
    Address {
        /// What is wrong with it.
        reason: String,
    },
    /// There is no connection; nothing was written.
    #[error("cannot connect to Redis: {0}")]
    Connect(#[source] RedisError),
    /// A command failed; whether it was carried out is known only where the server itself said so.
    #[error("Redis did not carry out a command: {0}")]
    Command(#[source] RedisError),
    /// A key holds what Rasid did not write.
    #[error("{key} holds something else than Rasid writes there: {reason}")]
    Foreign {
        /// The key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<Error> for Answer {
    fn from(error: Error) -> Self {
        match &error {
            Error::Command(cause) if !matches!(cause.kind(), ::redis::ErrorKind::Server(_) | ::redis::ErrorKind::Extension) => {
                Self::Unknown { error: error.to_string() }
            }
            _ => Self::Unavailable { retry_after_ms: None, error: error.to_string() },
        }
    }
}

/// A connection, and which server it leads to.
pub(super) struct Connected {
    pub(super) to: MultiplexedConnection,
    pub(super) run_id: String,
}

pub(super) fn open(url: &str) -> Result<Client, Error> {
    install_tls(); // for rediss://
    Client::open(url).map_err(|error| Error::Address { reason: error.category().to_owned() })
}

pub(super) async fn connect(client: &Client, connect_timeout: Duration, timeout: Duration) -> Result<Connected, Error> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(connect_timeout)).set_response_timeout(Some(timeout));
    let mut to = client.get_multiplexed_async_connection_with_config(&config).await.map_err(Error::Connect)?;
    // A server that does not say who it is counts as always the same one.
    let about: String = match cmd("INFO").arg("server").query_async(&mut to).await {
        Ok(about) => about,
        Err(error) if matches!(error.kind(), ::redis::ErrorKind::Server(kind) if kind != ServerErrorKind::BusyLoading) => String::new(),
        Err(error) => return Err(Error::Connect(error)),
    };
    let run_id = about.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or("unknown").trim().to_owned();
    Ok(Connected { to, run_id })
}
