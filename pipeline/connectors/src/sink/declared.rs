//! What a sink declares of itself: the options of its section, what it is told, and how it is made of them. Whatever else must
//! know of a sink (the configuration, its schema and page, what is routed, queued, measured and shown) is made from the list
//! in [`Sinks`](super::Sinks).

use std::path::PathBuf;

use rasid_compiler::ruleset::Receiver;

use super::http::SCHEMES;
use super::tls::ClientFiles;
use super::{Sink, TlsFiles};
use crate::secret::Secret;

/// Of alerts, which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alerts {
    /// None.
    None,
    /// Those of rules that name the receiver, and of none that is in shadow.
    Of(Receiver),
    /// Every one, in shadow too.
    All,
}

/// What a sink is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Alerts.
    pub alerts: Alerts,
    /// Changes of scores.
    pub scores: bool,
    /// That a rule's alerts are taken back.
    pub retractions: bool,
}

/// Why a sink cannot be made.
pub type MakeError = Box<dyn std::error::Error + Send + Sync>;

/// The options of a sink, `[sinks.<name>]`.
pub trait Declared {
    /// The sink's name in configuration, metrics, outbox and status.
    const NAME: &'static str;
    /// What it is told.
    const TOLD: Told;

    /// Whether it is on.
    fn is_on(&self) -> bool;

    /// Says what does not go together. No file is read here.
    fn check(&self, section: &mut Section<'_>);

    /// Reads the files that the options name, where the sink is on, and puts secrets into the options beside them.
    fn read(&mut self, section: &mut Section<'_>);

    /// The sink, called `name`. Connections are made when they are first needed.
    ///
    /// # Errors
    /// What stands in the way.
    fn make(&self, name: &str) -> Result<Box<dyn Sink>, MakeError>;
}

/// Something is at fault, and it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faulted;

/// Who is told what is wrong with the configuration, and reads secrets where nobody else could have.
pub trait Report {
    /// The option at that path is at fault.
    fn fault(&mut self, option: &str, message: String, help: Option<&str>);

    /// A secret: its text where there is one, else what its file holds.
    ///
    /// # Errors
    /// The file is no good for a secret.
    fn secret(&mut self, option: &str, text: Option<&Secret>, file: Option<&str>) -> Result<Option<Secret>, Faulted>;

    /// The same, of secrets that requests are signed with (`whsec_…`), one a line.
    ///
    /// # Errors
    /// The file or a line is no good.
    fn webhook_secret(&mut self, option: &str, text: Option<&Secret>, file: Option<&str>) -> Result<Option<Secret>, Faulted>;

    /// The option `needed_by` is set and needs a secret that is not.
    fn missing(&mut self, needed_by: &str, option: &str);
}

/// One section of the configuration: options by their own names.
pub struct Section<'a> {
    path: &'a str,
    report: &'a mut dyn Report,
}

impl<'a> Section<'a> {
    /// The section at that path, such as `sinks.redis`.
    pub fn new(path: &'a str, report: &'a mut dyn Report) -> Self {
        Self { path, report }
    }

    fn option(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// That option is at fault.
    pub fn fault(&mut self, name: &str, message: impl Into<String>, help: Option<&str>) {
        let option = self.option(name);
        self.report.fault(&option, message.into(), help);
    }

    /// One address, of which `below` says whether it may go on after the port. `login` is what to do with a user and password
    /// that stand in it.
    pub fn address(&mut self, name: &str, url: Option<&str>, schemes: &[&str], below: bool, login: Option<&str>) {
        let Some(url) = url else { return };
        let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme)).unwrap_or_default();
        let after = url.split_once("://").map_or(url, |(_, after)| after);
        let (authority, path) = after.split_once('/').unwrap_or((after, ""));
        if authority.contains('@') {
            self.fault(name, "a user or password must not stand in the address", login);
        } else if rest.is_empty() || rest.starts_with('/') || (login.is_some() && rest.contains(['?', '#'])) || (!below && !path.is_empty())
        {
            self.fault(name, format!("found \"{url}\", expected {}host:port", schemes.join("host:port or ")), None);
        }
    }

    /// Where a sink is that speaks HTTP: its `url` and `proxy`, and its files for TLS.
    pub fn http(&mut self, url: Option<&str>, proxy: Option<&str>, tls: [&Option<String>; 3]) {
        self.address("url", url, &SCHEMES, true, None);
        self.address("proxy", proxy, &SCHEMES, false, None);
        self.tls([url, proxy].into_iter().flatten().any(|url| url.starts_with("https://")), "https://", tls);
    }

    /// Files for TLS where there is TLS, and a certificate with its key.
    pub fn tls(&mut self, by_tls: bool, scheme: &str, [ca, certificate, key]: [&Option<String>; 3]) {
        let named = [("ca_file", ca), ("client_cert_file", certificate), ("client_key_file", key)];
        for (name, _) in named.iter().filter(|(_, file)| file.is_some() && !by_tls) {
            self.fault(name, format!("is of use with {scheme} only, and `{}` has no such address", self.path), None);
        }
        match (certificate, key) {
            (Some(_), None) => self.fault("client_key_file", "a certificate needs its key", None),
            (None, Some(_)) => self.fault("client_cert_file", "a key needs its certificate", None),
            _ => {}
        }
    }

    /// Those files are there and fit one another now. The key is a secret like any other.
    pub fn read_tls(&mut self, [ca, certificate, key]: [&Option<String>; 3]) {
        let option = self.option("client_key");
        if self.report.secret(&option, None, key.as_deref()).is_err() {
            return;
        }
        let TlsFiles { ca, client } = tls_files([ca, certificate, key]);
        for (name, files) in [("ca_file", TlsFiles { ca, client: None }), ("client_cert_file", TlsFiles { ca: None, client })] {
            if let Err(error) = files.check() {
                self.fault(name, error.to_string(), None);
            }
        }
    }

    /// Puts the secret of that name where its text would be.
    pub fn read_secret(&mut self, name: &str, text: &mut Option<Secret>, file: Option<&str>) {
        let option = self.option(name);
        if let Ok(secret) = self.report.secret(&option, text.as_ref(), file) {
            *text = secret;
        }
    }

    /// The same of a password, which is text.
    pub fn read_password(&mut self, name: &str, text: &mut Option<Secret>, file: Option<&str>) {
        self.read_secret(name, text, file);
        if text.as_ref().is_some_and(|secret| secret.text().is_none()) {
            self.fault(&format!("{name}_file"), "is not UTF-8", None);
        }
    }

    /// The same of secrets that requests are signed with. Where there is none, `needed_by` is at fault.
    pub fn read_webhook_secret(&mut self, name: &str, text: &mut Option<Secret>, file: Option<&str>, needed_by: Option<&str>) {
        let option = self.option(name);
        match (self.report.webhook_secret(&option, text.as_ref(), file), needed_by.map(|needed_by| self.option(needed_by))) {
            (Ok(None), Some(needed_by)) => self.report.missing(&needed_by, &option),
            (Ok(secret), _) => *text = secret,
            (Err(Faulted), _) => {}
        }
    }
}

/// What the options for TLS say.
pub fn tls_files([ca, certificate, key]: [&Option<String>; 3]) -> TlsFiles {
    let client = certificate.as_ref().zip(key.as_ref());
    TlsFiles {
        ca: ca.as_ref().map(PathBuf::from),
        client: client.map(|(certificate, key)| ClientFiles { certificate: PathBuf::from(certificate), key: PathBuf::from(key) }),
    }
}

macro_rules! sinks {
    ($($(#[$meta:meta])* $name:ident: $options:ty,)*) => {
        /// Where alerts and scores go.
        #[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct Sinks {
            $($(#[$meta])* pub $name: $options,)*
        }

        /// Every sink that there is: its name, and what it is told.
        pub const SINKS: &[(&str, Told)] = &[$((<$options as Declared>::NAME, <$options as Declared>::TOLD),)*];

        impl Sinks {
            /// Says what does not go together.
            pub fn check(&self, report: &mut dyn Report) {
                $(self.$name.check(&mut Section::new(concat!("sinks.", stringify!($name)), report));)*
            }

            /// Reads the files of those that are on.
            pub fn read(&mut self, report: &mut dyn Report) {
                $(if self.$name.is_on() {
                    self.$name.read(&mut Section::new(concat!("sinks.", stringify!($name)), report));
                })*
            }

            /// Names of those that are on.
            pub fn on(&self) -> impl Iterator<Item = &'static str> {
                [$(self.$name.is_on().then_some(<$options as Declared>::NAME),)*].into_iter().flatten()
            }

            /// Those that are on and `wanted` by their name.
            ///
            /// # Errors
            /// What stands in the way of one of them, and its name.
            pub fn make(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<Box<dyn Sink>>, (&'static str, MakeError)> {
                let mut made = Vec::new();
                $(
                    let name = <$options as Declared>::NAME;
                    if self.$name.is_on() && wanted(name) {
                        made.push(self.$name.make(name).map_err(|error| (name, error))?);
                    }
                )*
                Ok(made)
            }
        }

        #[cfg(test)]
        const SECTIONS: &[&str] = &[$(stringify!($name),)*];
    };
}

pub(super) use sinks;
