//! Where Redis is and how it is spoken to.

use std::fmt;
use std::time::Duration;

use crate::sink::TlsFiles;

/// Where Redis is and how long it may take.
#[derive(Clone)]
pub struct Config {
    /// Where it is.
    pub place: Place,
    /// Who we are to the servers that hold the scores. What an address says of that is overridden.
    pub login: Login,
    /// For `rediss://`: whom to believe, and who we are, to servers and sentinels alike.
    pub tls: TlsFiles,
    /// For a connection, name look-up and log-in included.
    pub connect_timeout: Duration,
    /// For a command or a pipeline of them.
    pub timeout: Duration,
    /// Most scores written in one round trip.
    pub batch_max: usize,
    /// Entries the stream of rises keeps, about.
    pub changes_max: u64,
}

/// Which servers hold the scores. An address is `redis://[user[:password]@]host[:port][/db]`, or `rediss://…` for TLS.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// One server; also `unix:///path`.
    Server(String),
    /// The master that sentinels name. It is reached by TLS where its sentinels are.
    Sentinel(Sentinels),
    /// A cluster: some of its nodes, by which the others are found. They are reached by TLS where the first one is.
    Cluster(Vec<String>),
}

/// Sentinels, and what they are asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct Sentinels {
    /// Their addresses, asked in order until one knows.
    pub urls: Vec<String>,
    /// The name that they know the master by.
    pub master: String,
    /// Who we are to them.
    pub login: Login,
}

/// A user and password, both of which may be missing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The user; old servers have one, `default`.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            place: Place::Server(String::new()),
            login: Login::default(),
            tls: TlsFiles::default(),
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(3),
            batch_max: 512,
            changes_max: 100_000,
        }
    }
}

impl Config {
    /// With the time-outs of one look-up by a person, who would rather be told.
    #[must_use]
    pub fn for_reading(self) -> Self {
        Self { connect_timeout: Duration::from_secs(2), timeout: Duration::from_secs(2), ..self }
    }
}

// An address may hold a password.

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Config {{ place: {:?}, batch_max: {} }}", self.place, self.batch_max)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server(_) => "Server([hidden])",
            Self::Sentinel(_) => "Sentinel([hidden])",
            Self::Cluster(_) => "Cluster([hidden])",
        })
    }
}

impl fmt::Debug for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sentinels {{ urls: [hidden], master: {:?} }}", self.master)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
