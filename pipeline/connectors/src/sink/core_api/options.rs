//! The options of `[sinks.core]`.

use rasid_compiler::ruleset::Receiver;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Config, CoreApiSink};
use crate::secret::Secret;
use crate::sink::Sink;
use crate::sink::declared::{Alerts, Declared, MakeError, Section, Told, tls_files};
use crate::sink::http::Reach;
use crate::webhook::Webhook;

/// The core marketplace API.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "CoreSink")]
pub struct Options {
    /// Where it is: `/alerts` and `/risk-scores` are below it.
    pub url: Option<String>,
    /// The secret that requests are signed with (<https://www.standardwebhooks.com>), `whsec_…`, only from the environment:
    /// `RASID_SINKS__CORE__SECRET`. Needed where `url` is set.
    pub secret: Option<Secret>,
    /// File that holds the secret. Several lines are several secrets, all of which sign: while it is being changed.
    pub secret_file: Option<String>,
    /// Most items of one request. Higher: more a second. Lower: a refused request is halved fewer times to find the item.
    #[schemars(range(min = 1, max = 1000))]
    pub batch_max: u32,
    /// An answer that has not come in this time is given up and the request sent again, ms; the receiver takes an item
    /// once. Lower: a receiver that is only slow gets more work.
    #[schemars(range(min = 10, max = 120_000))]
    pub timeout_ms: u32,
    /// `http://host:port` of the proxy that it is reached through. `HTTP_PROXY` and its kin are not heeded: a variable that
    /// was set for something else must not decide where alerts go.
    pub proxy: Option<String>,
    /// File with the certificates, PEM, of the authorities that its certificate is verified by, in place of the system's.
    /// Verification cannot be switched off. The three files are read anew for new connections, so that a renewed one needs
    /// no restart.
    pub ca_file: Option<String>,
    /// File with our own certificate, PEM, and what leads from it to an authority, for a receiver that asks for one.
    pub client_cert_file: Option<String>,
    /// File with that certificate's private key, PEM, not encrypted. One that others may read is refused, as of every secret
    /// (`secrets.shared_files`).
    pub client_key_file: Option<String>,
}

impl Default for Options {
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

impl Options {
    fn tls(&self) -> [&Option<String>; 3] {
        [&self.ca_file, &self.client_cert_file, &self.client_key_file]
    }
}

impl Declared for Options {
    const NAME: &'static str = "core";
    const TOLD: Told = Told { alerts: Alerts::Of(Receiver::Core), scores: true, retractions: true };

    fn is_on(&self) -> bool {
        self.url.is_some()
    }

    fn check(&self, section: &mut Section<'_>) {
        section.http(self.url.as_deref(), self.proxy.as_deref(), self.tls());
    }

    fn read(&mut self, section: &mut Section<'_>) {
        section.read_webhook_secret("secret", &mut self.secret, self.secret_file.as_deref(), Some("url"));
        section.read_tls(self.tls());
    }

    fn make(&self, name: &str) -> Result<Box<dyn Sink>, MakeError> {
        let secrets: Result<Vec<&str>, _> = self.secret.iter().flat_map(Secret::lines).map(std::str::from_utf8).collect();
        let webhook = Webhook::new(&secrets?)?;
        let reach = Reach::of_options(self.timeout_ms, self.proxy.as_deref(), tls_files(self.tls()));
        let config = Config { url: self.url.clone().unwrap_or_default(), reach, batch_max: self.batch_max as usize };
        Ok(Box::new(CoreApiSink::new(name, &config, webhook)?))
    }
}
