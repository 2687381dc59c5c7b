//! The options of `[sinks.alertmanager]`.

use std::time::Duration;

use rasid_compiler::ruleset::Receiver;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AlertmanagerSink, Config};
use crate::sink::Sink;
use crate::sink::declared::{Alerts, Declared, MakeError, Section, Told, tls_files};
use crate::sink::http::{HttpError, Reach};

/// Alertmanager's v2 API.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AlertmanagerSink")]
pub struct Options {
    /// Where it is: `/api/v2/alerts` is below it.
    pub url: Option<String>,
    /// Most alerts of one request.
    #[schemars(range(min = 1, max = 1000))]
    pub batch_max: u32,
    /// An answer that has not come in this time is given up and the request sent again, ms; Alertmanager takes the same
    /// alert twice as one.
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
    /// An alert ends this long after its newest hit, s; until then it is posted again every minute. Lower: it resolves and
    /// opens again while the abuse goes on. Higher: it stands for longer than the abuse. The default is what rules usually
    /// suppress for, so that an alert does not end between two of its own.
    #[schemars(range(min = 60, max = 86_400))]
    pub hold_s: u32,
    /// What is older than this when it can be delivered goes into one catch-up summary, s, so that nobody is woken by
    /// yesterday.
    #[schemars(range(min = 60, max = 86_400))]
    pub catch_up_s: u32,
    /// Where people reach this service, such as `https://rasid.internal`: an alert that has no runbook page to link to links
    /// to the figures there, `/metrics`.
    pub external_url: Option<String>,
    /// What the path of a runbook is appended to, a rule's or one of our own, such as `https://git.internal/rasid/blob/main/`.
    pub runbook_url: Option<String>,
}

impl Default for Options {
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

impl Options {
    fn tls(&self) -> [&Option<String>; 3] {
        [&self.ca_file, &self.client_cert_file, &self.client_key_file]
    }

    /// One of its own for whoever has to say something at once, called `name`; `None` where nobody is on call.
    ///
    /// # Errors
    /// [`HttpError`] where the address or a file is no good.
    pub fn pager(&self, name: &str) -> Result<Option<AlertmanagerSink>, HttpError> {
        self.url.as_ref().map(|url| AlertmanagerSink::new(name, self.config(url))).transpose()
    }

    fn config(&self, url: &str) -> Config {
        Config {
            url: url.to_owned(),
            reach: Reach::of_options(self.timeout_ms, self.proxy.as_deref(), tls_files(self.tls())),
            batch_max: self.batch_max as usize,
            hold: Duration::from_secs(self.hold_s.into()),
            catch_up_after: Duration::from_secs(self.catch_up_s.into()),
            external_url: self.external_url.clone(),
            runbook_url: self.runbook_url.clone(),
        }
    }
}

impl Declared for Options {
    const NAME: &'static str = "alertmanager";
    const TOLD: Told = Told { alerts: Alerts::Of(Receiver::Oncall), scores: false, retractions: true };

    fn is_on(&self) -> bool {
        self.url.is_some()
    }

    fn check(&self, section: &mut Section<'_>) {
        section.http(self.url.as_deref(), self.proxy.as_deref(), self.tls());
    }

    fn read(&mut self, section: &mut Section<'_>) {
        section.read_tls(self.tls());
    }

    fn make(&self, name: &str) -> Result<Box<dyn Sink>, MakeError> {
        let pager = self.pager(name)?.ok_or("no address is set")?;
        Ok(Box::new(pager))
    }
}
