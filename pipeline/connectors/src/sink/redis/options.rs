//! The options of `[sinks.redis]`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Config, Login, Place, RedisSink, Sentinels};
use crate::secret::Secret;
use crate::sink::Sink;
use crate::sink::declared::{Alerts, Declared, MakeError, Section, Told, tls_files};

const SCHEMES: [&str; 2] = ["redis://", "rediss://"];
const LOGIN: &str = "use `sinks.redis.username` and `sinks.redis.password_file`";
const SENTINEL_LOGIN: &str = "use `sinks.redis.sentinel_username` and `sinks.redis.sentinel_password_file`";

/// Risk scores in Redis.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RedisSink")]
pub struct Options {
    /// `redis://host:port/db`, or `rediss://host:port/db` for TLS, without a password: the one server.
    pub url: Option<String>,
    /// In place of `url`: sentinels, `redis://host:port` or `rediss://host:port`, which are asked in order for the master
    /// called `sentinel_master`. The master is reached by TLS where they are.
    pub sentinels: Vec<String>,
    /// What the sentinels call the master.
    pub sentinel_master: Option<String>,
    /// The user for the sentinels, where they want one; `username` and `password` are for the servers.
    pub sentinel_username: Option<String>,
    /// The password for the sentinels, only from the environment: `RASID_SINKS__REDIS__SENTINEL_PASSWORD`.
    pub sentinel_password: Option<Secret>,
    /// File that holds the password for the sentinels.
    pub sentinel_password_file: Option<String>,
    /// In place of `url`: some nodes of a Redis Cluster, `redis://host:port` or `rediss://host:port`, by which the others are
    /// found. Name several: one of them must be up.
    pub cluster: Vec<String>,
    /// The user, where the server has several.
    pub username: Option<String>,
    /// The password, only from the environment: `RASID_SINKS__REDIS__PASSWORD`.
    pub password: Option<Secret>,
    /// File that holds the password.
    pub password_file: Option<String>,
    /// File with the certificates, PEM, of the authorities that its certificate is verified by, in place of the system's.
    /// Verification cannot be switched off. The three files are read anew for new connections, so that a renewed one needs
    /// no restart.
    pub ca_file: Option<String>,
    /// File with our own certificate, PEM, and what leads from it to an authority, for a receiver that asks for one.
    pub client_cert_file: Option<String>,
    /// File with that certificate's private key, PEM, not encrypted. One that others may read is refused, as of every secret
    /// (`secrets.shared_files`).
    pub client_key_file: Option<String>,
    /// Most writes of one round trip. Higher: more scores a second over a slow network. Lower: the first of them is readable
    /// sooner.
    #[schemars(range(min = 1, max = 10_000))]
    pub batch_max: u32,
    /// An answer that has not come in this time is given up and the write tried again, ms. Lower: a server that is only
    /// slow gets more work. Higher: a dead one is noticed later.
    #[schemars(range(min = 10, max = 60_000))]
    pub timeout_ms: u32,
    /// About how many rises of level the stream `rasid:risk:v1:changes` keeps. Lower: a reader that is away loses some.
    #[schemars(range(min = 100, max = 100_000_000))]
    pub changes_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            url: None,
            sentinels: Vec::new(),
            sentinel_master: None,
            sentinel_username: None,
            sentinel_password: None,
            sentinel_password_file: None,
            cluster: Vec::new(),
            username: None,
            password: None,
            password_file: None,
            ca_file: None,
            client_cert_file: None,
            client_key_file: None,
            batch_max: 512,
            timeout_ms: 3000,
            changes_max: 100_000,
        }
    }
}

impl Options {
    /// Where the scores are; `None` where no Redis is named.
    pub fn config(&self) -> Option<Config> {
        let login = |username: &Option<String>, password: &Option<Secret>| Login {
            username: username.clone(),
            password: password.as_ref().and_then(Secret::text).map(str::to_owned),
        };
        let place = match (&self.url, &self.sentinel_master) {
            (Some(url), _) => Place::Server(url.clone()),
            _ if !self.cluster.is_empty() => Place::Cluster(self.cluster.clone()),
            (None, Some(master)) if !self.sentinels.is_empty() => {
                let login = login(&self.sentinel_username, &self.sentinel_password);
                Place::Sentinel(Sentinels { urls: self.sentinels.clone(), master: master.clone(), login })
            }
            _ => return None,
        };
        Some(Config {
            place,
            login: login(&self.username, &self.password),
            tls: tls_files(self.tls()),
            timeout: Duration::from_millis(self.timeout_ms.into()),
            batch_max: self.batch_max as usize,
            changes_max: self.changes_max,
            ..Config::default()
        })
    }

    fn tls(&self) -> [&Option<String>; 3] {
        [&self.ca_file, &self.client_cert_file, &self.client_key_file]
    }

    /// Addresses of servers that are reached in one way.
    fn check_list(section: &mut Section<'_>, name: &str, urls: &[String], login: &str) {
        for url in urls {
            section.address(name, Some(url), &SCHEMES, false, Some(login));
        }
        let by_tls = urls.iter().filter(|url| url.starts_with("rediss://")).count();
        if by_tls != 0 && by_tls != urls.len() {
            section.fault(name, "found redis:// and rediss://, expected one of them for all", None);
        }
    }
}

impl Declared for Options {
    const NAME: &'static str = "redis";
    const TOLD: Told = Told { alerts: Alerts::None, scores: true, retractions: false };

    fn is_on(&self) -> bool {
        self.config().is_some()
    }

    fn check(&self, section: &mut Section<'_>) {
        section.address("url", self.url.as_deref(), &SCHEMES, true, Some(LOGIN));
        Self::check_list(section, "sentinels", &self.sentinels, SENTINEL_LOGIN);
        Self::check_list(section, "cluster", &self.cluster, LOGIN);
        let places = [("url", self.url.is_some()), ("sentinels", !self.sentinels.is_empty()), ("cluster", !self.cluster.is_empty())];
        let places: Vec<&str> = places.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect();
        if let [first, second, ..] = places.as_slice() {
            section.fault(second, format!("`sinks.redis.{first}` is set, too: scores are in one place"), None);
        }
        match (self.sentinels.is_empty(), &self.sentinel_master) {
            (false, None) => section.fault("sentinel_master", "sentinels are set, and not what they call the master", None),
            (true, Some(_)) => section.fault("sentinel_master", "a master without `sinks.redis.sentinels`", None),
            _ => {}
        }
        let first = self.url.as_ref().or(self.sentinels.first()).or(self.cluster.first());
        section.tls(first.is_some_and(|url| url.starts_with("rediss://")), "rediss://", self.tls());
    }

    fn read(&mut self, section: &mut Section<'_>) {
        if !self.sentinels.is_empty() {
            section.read_password("sentinel_password", &mut self.sentinel_password, self.sentinel_password_file.as_deref());
        }
        section.read_password("password", &mut self.password, self.password_file.as_deref());
        section.read_tls(self.tls());
    }

    fn make(&self, name: &str) -> Result<Box<dyn Sink>, MakeError> {
        let config = self.config().ok_or("no address is set")?;
        Ok(Box::new(RedisSink::new(name, config)?))
    }
}
