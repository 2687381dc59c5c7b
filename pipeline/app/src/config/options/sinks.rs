//! Where alerts and scores go.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretText;

/// Where alerts and scores go.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sinks {
    /// Risk scores, for services that ask at every login and payment.
    pub(crate) redis: RedisSink,
    /// The core marketplace API: alerts and scores.
    pub(crate) core: CoreSink,
    /// The person on call, through Alertmanager.
    pub(crate) alertmanager: AlertmanagerSink,
    /// A file, for trying things out and for archives.
    pub(crate) jsonl: JsonlSink,
}

/// Risk scores in Redis.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RedisSink {
    /// `redis://host:port/db`, or `rediss://host:port/db` for TLS, without a password: the one server.
    pub(crate) url: Option<String>,
    /// In place of `url`: sentinels, `redis://host:port` or `rediss://host:port`, which are asked in order for the master
    /// called `sentinel_master`. The master is reached by TLS where they are.
    pub(crate) sentinels: Vec<String>,
    /// What the sentinels call the master.
    pub(crate) sentinel_master: Option<String>,
    /// The user for the sentinels, where they want one; `username` and `password` are for the servers.
    pub(crate) sentinel_username: Option<String>,
    /// The password for the sentinels, only from the environment: `RASID_SINKS__REDIS__SENTINEL_PASSWORD`.
    pub(crate) sentinel_password: Option<SecretText>,
    /// File that holds the password for the sentinels.
    pub(crate) sentinel_password_file: Option<String>,
    /// In place of `url`: some nodes of a Redis Cluster, `redis://host:port` or `rediss://host:port`, by which the others are
    /// found. Name several: one of them must be up.
    pub(crate) cluster: Vec<String>,
    /// The user, where the server has several.
    pub(crate) username: Option<String>,
    /// The password, only from the environment: `RASID_SINKS__REDIS__PASSWORD`.
    pub(crate) password: Option<SecretText>,
    /// File that holds the password.
    pub(crate) password_file: Option<String>,
    /// File with the certificates, PEM, of the authorities that its certificate is verified by, in place of the system's.
    /// Verification cannot be switched off. The three files are read anew for new connections, so that a renewed one needs
    /// no restart.
    pub(crate) ca_file: Option<String>,
    /// File with our own certificate, PEM, and what leads from it to an authority, for a receiver that asks for one.
    pub(crate) client_cert_file: Option<String>,
    /// File with that certificate's private key, PEM, not encrypted. One that others may read is refused, as of every secret
    /// (`secrets.shared_files`).
    pub(crate) client_key_file: Option<String>,
    /// Most writes of one round trip. Higher: more scores a second over a slow network. Lower: the first of them is readable
    /// sooner.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) batch_max: u32,
    /// An answer that has not come in this time is given up and the write tried again, ms. Lower: a server that is only
    /// slow gets more work. Higher: a dead one is noticed later.
    #[schemars(range(min = 10, max = 60_000))]
    pub(crate) timeout_ms: u32,
    /// About how many rises of level the stream `rasid:risk:v1:changes` keeps. Lower: a reader that is away loses some.
    #[schemars(range(min = 100, max = 100_000_000))]
    pub(crate) changes_max: u64,
}

impl Default for RedisSink {
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

/// The core marketplace API.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CoreSink {
    /// Where it is: `/alerts` and `/risk-scores` are below it.
    pub(crate) url: Option<String>,
    /// The secret that requests are signed with (<https://www.standardwebhooks.com>), `whsec_…`, only from the environment:
    /// `RASID_SINKS__CORE__SECRET`. Needed where `url` is set.
    pub(crate) secret: Option<SecretText>,
    /// File that holds the secret. Several lines are several secrets, all of which sign: while it is being changed.
    pub(crate) secret_file: Option<String>,
    /// Most items of one request. Higher: more a second. Lower: a refused request is halved fewer times to find the item.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) batch_max: u32,
    /// An answer that has not come in this time is given up and the request sent again, ms; the receiver takes an item
    /// once. Lower: a receiver that is only slow gets more work.
    #[schemars(range(min = 10, max = 120_000))]
    pub(crate) timeout_ms: u32,
    /// `http://host:port` of the proxy that it is reached through. `HTTP_PROXY` and its kin are not heeded: a variable that
    /// was set for something else must not decide where alerts go.
    pub(crate) proxy: Option<String>,
    /// File with the certificates, PEM, of the authorities that its certificate is verified by, in place of the system's.
    /// Verification cannot be switched off. The three files are read anew for new connections, so that a renewed one needs
    /// no restart.
    pub(crate) ca_file: Option<String>,
    /// File with our own certificate, PEM, and what leads from it to an authority, for a receiver that asks for one.
    pub(crate) client_cert_file: Option<String>,
    /// File with that certificate's private key, PEM, not encrypted. One that others may read is refused, as of every secret
    /// (`secrets.shared_files`).
    pub(crate) client_key_file: Option<String>,
}

impl Default for CoreSink {
    fn default() -> Self {
        Self {
            url: None,
            secret: None,
            secret_file: None,
            batch_max: 256,
            timeout_ms: 10_000,
            proxy: None,
            ca_file: None,
            client_cert_file: None,
            client_key_file: None,
        }
    }
}

/// Alertmanager's v2 API.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AlertmanagerSink {
    /// Where it is: `/api/v2/alerts` is below it.
    pub(crate) url: Option<String>,
    /// Most alerts of one request.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) batch_max: u32,
    /// An answer that has not come in this time is given up and the request sent again, ms; Alertmanager takes the same
    /// alert twice as one.
    #[schemars(range(min = 10, max = 120_000))]
    pub(crate) timeout_ms: u32,
    /// `http://host:port` of the proxy that it is reached through. `HTTP_PROXY` and its kin are not heeded: a variable that
    /// was set for something else must not decide where alerts go.
    pub(crate) proxy: Option<String>,
    /// File with the certificates, PEM, of the authorities that its certificate is verified by, in place of the system's.
    /// Verification cannot be switched off. The three files are read anew for new connections, so that a renewed one needs
    /// no restart.
    pub(crate) ca_file: Option<String>,
    /// File with our own certificate, PEM, and what leads from it to an authority, for a receiver that asks for one.
    pub(crate) client_cert_file: Option<String>,
    /// File with that certificate's private key, PEM, not encrypted. One that others may read is refused, as of every secret
    /// (`secrets.shared_files`).
    pub(crate) client_key_file: Option<String>,
    /// An alert ends this long after its newest hit, s; until then it is posted again every minute. Lower: it resolves and
    /// opens again while the abuse goes on. Higher: it stands for longer than the abuse. The default is what rules usually
    /// suppress for, so that an alert does not end between two of its own.
    #[schemars(range(min = 60, max = 86_400))]
    pub(crate) hold_s: u32,
    /// What is older than this when it can be delivered goes into one catch-up summary, s, so that nobody is woken by
    /// yesterday.
    #[schemars(range(min = 60, max = 86_400))]
    pub(crate) catch_up_s: u32,
    /// Where people reach this service, such as `https://rasid.internal`: an alert that has no runbook page to link to links
    /// to the figures there, `/metrics`.
    pub(crate) external_url: Option<String>,
    /// What the path of a runbook is appended to, a rule's or one of our own, such as `https://git.internal/rasid/blob/main/`.
    pub(crate) runbook_url: Option<String>,
}

impl Default for AlertmanagerSink {
    fn default() -> Self {
        Self {
            url: None,
            batch_max: 256,
            timeout_ms: 10_000,
            proxy: None,
            ca_file: None,
            client_cert_file: None,
            client_key_file: None,
            hold_s: 3600,
            catch_up_s: 900,
            external_url: None,
            runbook_url: None,
        }
    }
}

/// A file of alerts and scores.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct JsonlSink {
    /// The file, appended to, one JSON object a line. After a crash its last lines may stand in it twice, with the same id.
    pub(crate) file: Option<String>,
}
