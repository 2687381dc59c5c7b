//! Coming to a connection with one server, and what can go wrong with it.

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisError, ServerErrorKind,
    TlsCertificates, cmd,
};

use super::config::{Config, Login};
use crate::sink::tls::{Material, TlsError};
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
    /// A certificate or key is unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no connection; nothing was written by it.
    #[error("cannot connect to Redis at {at}: {error}")]
    Connect {
        /// `host:port`.
        at: String,
        /// What happened.
        error: RedisError,
    },
    /// No sentinel names a master.
    #[error("no sentinel names a master {master:?} that is one: {reason}")]
    Sentinel {
        /// The name that was asked for.
        master: String,
        /// What the last of them said.
        reason: String,
    },
    /// No node of the cluster says who has that slot.
    #[error("no node of the Redis cluster says who has slot {slot}")]
    Unowned {
        /// From 0 to 16383.
        slot: u16,
    },
    /// A command failed; whether it was carried out is known only where the server itself said so.
    #[error("Redis did not carry out a command: {0}")]
    Command(RedisError),
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
    /// What it does when its memory is full; `None` before it was asked.
    pub(super) policy: Option<super::memory::Policy>,
}

pub(super) fn parse(url: &str) -> Result<ConnectionInfo, Error> {
    url.into_connection_info().map_err(|error| Error::Address { reason: error.category().to_owned() })
}

/// `host:port`, without a login.
pub(super) fn address(server: &ConnectionInfo) -> String {
    server.addr().to_string()
}

/// Another server that is spoken to as this one is.
pub(super) fn beside(server: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
    let addr = match server.addr() {
        ConnectionAddr::TcpTls { insecure, .. } => {
            ConnectionAddr::TcpTls { host: host.to_owned(), port, insecure: *insecure, tls_params: None }
        }
        _ => ConnectionAddr::Tcp(host.to_owned(), port),
    };
    server.clone().set_addr(addr)
}

/// A connection by the certificates as they are now.
pub(super) async fn open(config: &Config, server: &ConnectionInfo, login: &Login) -> Result<MultiplexedConnection, Error> {
    install_tls();
    let lost = |error| Error::Connect { at: address(server), error };
    let mut settings = server.redis_settings().clone();
    if let Some(username) = &login.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = &login.password {
        settings = settings.set_password(password);
    }
    let info = server.clone().set_redis_settings(settings);
    let client = if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        let Material { ca, client } = config.tls.read()?;
        let client_tls = client.map(|client| ClientTlsConfig { client_cert: client.certificate, client_key: client.key.to_vec() });
        Client::build_with_tls(info, TlsCertificates { client_tls, root_cert: ca }).map_err(lost)?
    } else {
        Client::open(info).map_err(lost)?
    };
    let times =
        AsyncConnectionConfig::new().set_connection_timeout(Some(config.connect_timeout)).set_response_timeout(Some(config.timeout));
    client.get_multiplexed_async_connection_with_config(&times).await.map_err(lost)
}

/// A connection to a server that holds scores.
pub(super) async fn connect(config: &Config, server: &ConnectionInfo) -> Result<Connected, Error> {
    let mut to = open(config, server, &config.login).await?;
    // A server that does not say who it is counts as always the same one.
    let about: String = match cmd("INFO").arg("server").query_async(&mut to).await {
        Ok(about) => about,
        Err(error) if matches!(error.kind(), ::redis::ErrorKind::Server(kind) if kind != ServerErrorKind::BusyLoading) => String::new(),
        Err(error) => return Err(Error::Connect { at: address(server), error }),
    };
    let run_id = about.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or("unknown").trim().to_owned();
    Ok(Connected { to, run_id, policy: None })
}
