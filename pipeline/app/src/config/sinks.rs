//! Where alerts and scores go: the options of each sink held to one another, and made into what the service takes.

use std::path::PathBuf;
use std::time::Duration;

use rasid_connectors::sink::TlsFiles;
use rasid_connectors::sink::redis::{Config, Login, Place, Sentinels};
use rasid_connectors::sink::tls::ClientFiles;
use rasid_service::settings::{AlertmanagerSettings, CoreSettings, SinksSettings};

use super::options::SecretText;
use super::settings::{lines, missing, seconds_ms, secret, size, unusable};
use super::{Fault, Loaded, failure};
use crate::command::Failure;

const HTTP: [&str; 2] = ["http://", "https://"];
const REDIS: [&str; 2] = ["redis://", "rediss://"];

/// Addresses and names of files that do not go together. No file is read here.
pub(super) fn check(loaded: &Loaded) -> Vec<Fault> {
    let sinks = &loaded.config.sinks;
    let mut found = Faults { loaded, faults: Vec::new() };
    let redis = &sinks.redis;
    found.address("sinks.redis.url", redis.url.as_deref(), &REDIS, true);
    found.list("sinks.redis.sentinels", &redis.sentinels);
    found.list("sinks.redis.cluster", &redis.cluster);
    let places = [("url", redis.url.is_some()), ("sentinels", !redis.sentinels.is_empty()), ("cluster", !redis.cluster.is_empty())];
    let places: Vec<&str> = places.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect();
    if let [first, second, ..] = places.as_slice() {
        found.fault(&format!("sinks.redis.{second}"), format!("`sinks.redis.{first}` is set, too: scores are in one place"), None);
    }
    match (redis.sentinels.is_empty(), &redis.sentinel_master) {
        (false, None) => {
            found.fault("sinks.redis.sentinel_master", "sentinels are set, and not what they call the master".to_owned(), None);
        }
        (true, Some(_)) => found.fault("sinks.redis.sentinel_master", "a master without `sinks.redis.sentinels`".to_owned(), None),
        _ => {}
    }
    let first = redis.url.as_ref().or(redis.sentinels.first()).or(redis.cluster.first());
    found.files(
        "sinks.redis",
        first.is_some_and(|url| url.starts_with("rediss://")),
        "rediss://",
        [&redis.ca_file, &redis.client_cert_file, &redis.client_key_file],
    );
    for (sink, url, proxy, files) in [
        (
            "sinks.core",
            &sinks.core.url,
            &sinks.core.proxy,
            [&sinks.core.ca_file, &sinks.core.client_cert_file, &sinks.core.client_key_file],
        ),
        (
            "sinks.alertmanager",
            &sinks.alertmanager.url,
            &sinks.alertmanager.proxy,
            [&sinks.alertmanager.ca_file, &sinks.alertmanager.client_cert_file, &sinks.alertmanager.client_key_file],
        ),
    ] {
        found.address(&format!("{sink}.url"), url.as_deref(), &HTTP, true);
        found.address(&format!("{sink}.proxy"), proxy.as_deref(), &HTTP, false);
        let by_tls = [url, proxy].into_iter().flatten().any(|url| url.starts_with("https://"));
        found.files(sink, by_tls, "https://", files);
    }
    found.faults
}

struct Faults<'a> {
    loaded: &'a Loaded,
    faults: Vec<Fault>,
}

impl Faults<'_> {
    fn fault(&mut self, option: &str, message: String, help: Option<&str>) {
        let fault = Fault::new(&self.loaded.origin(option), option, message);
        self.faults.push(match help {
            Some(help) => fault.help(help),
            None => fault,
        });
    }

    /// One address, of which `below` says whether it may go on after the port.
    fn address(&mut self, option: &str, url: Option<&str>, schemes: &[&str], below: bool) {
        let Some(url) = url else { return };
        let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme)).unwrap_or_default();
        let after = url.split_once("://").map_or(url, |(_, after)| after);
        let (authority, path) = after.split_once('/').unwrap_or((after, ""));
        let redis = option.starts_with("sinks.redis.");
        if authority.contains('@') {
            let sentinels = option == "sinks.redis.sentinels";
            let help = if sentinels {
                Some("use `sinks.redis.sentinel_username` and `sinks.redis.sentinel_password_file`")
            } else {
                redis.then_some("use `sinks.redis.username` and `sinks.redis.password_file`")
            };
            self.fault(option, "a user or password must not stand in the address".to_owned(), help);
        } else if rest.is_empty() || rest.starts_with('/') || (redis && rest.contains(['?', '#'])) || (!below && !path.is_empty()) {
            self.fault(option, format!("found \"{url}\", expected {}host:port", schemes.join("host:port or ")), None);
        }
    }

    /// Addresses of servers that are reached in one way.
    fn list(&mut self, option: &str, urls: &[String]) {
        for url in urls {
            self.address(option, Some(url), &REDIS, false);
        }
        let by_tls = urls.iter().filter(|url| url.starts_with("rediss://")).count();
        if by_tls != 0 && by_tls != urls.len() {
            self.fault(option, "found redis:// and rediss://, expected one of them for all".to_owned(), None);
        }
    }

    /// Files for TLS where there is TLS, and a certificate with its key.
    fn files(&mut self, sink: &str, by_tls: bool, scheme: &str, [ca, certificate, key]: [&Option<String>; 3]) {
        let named = [("ca_file", ca), ("client_cert_file", certificate), ("client_key_file", key)];
        for (name, _) in named.iter().filter(|(_, file)| file.is_some() && !by_tls) {
            self.fault(&format!("{sink}.{name}"), format!("is of use with {scheme} only, and `{sink}` has no such address"), None);
        }
        match (certificate, key) {
            (Some(_), None) => self.fault(&format!("{sink}.client_key_file"), "a certificate needs its key".to_owned(), None),
            (None, Some(_)) => self.fault(&format!("{sink}.client_cert_file"), "a key needs its certificate".to_owned(), None),
            _ => {}
        }
    }
}

/// What the service needs of them, with every secret and certificate read.
pub(super) fn settings(loaded: &Loaded, faults: &mut Vec<Fault>) -> SinksSettings {
    let options = &loaded.config.sinks;
    let redis = redis_settings(loaded).unwrap_or_else(|fault| {
        faults.push(fault);
        None
    });
    let mut files = |sink: &str, [ca, certificate, key]: [&Option<String>; 3]| {
        tls(loaded, sink, ca.as_deref(), certificate.as_deref(), key.as_deref()).unwrap_or_else(|fault| {
            faults.push(fault);
            TlsFiles::default()
        })
    };
    let core_tls = files("sinks.core", [&options.core.ca_file, &options.core.client_cert_file, &options.core.client_key_file]);
    let oncall = &options.alertmanager;
    let oncall_tls = files("sinks.alertmanager", [&oncall.ca_file, &oncall.client_cert_file, &oncall.client_key_file]);
    let core = options.core.url.clone().and_then(|url| {
        match secret(loaded, "sinks.core.secret", options.core.secret.as_ref(), options.core.secret_file.as_deref()) {
            Ok(Some(secret)) => {
                let file = options.core.secret_file.as_deref().filter(|_| options.core.secret.is_none());
                faults.extend(unusable(loaded, "sinks.core.secret", file, &secret));
                return Some(CoreSettings {
                    url,
                    secrets: lines(&secret),
                    batch_max: size(options.core.batch_max),
                    timeout_ms: options.core.timeout_ms.into(),
                    proxy: options.core.proxy.clone(),
                    tls: core_tls,
                });
            }
            Ok(None) => faults.push(missing(loaded, "sinks.core.url", "sinks.core.secret")),
            Err(fault) => faults.push(fault),
        }
        None
    });
    let alertmanager = options.alertmanager.url.clone().map(|url| AlertmanagerSettings {
        url,
        batch_max: size(options.alertmanager.batch_max),
        timeout_ms: options.alertmanager.timeout_ms.into(),
        proxy: options.alertmanager.proxy.clone(),
        tls: oncall_tls,
        hold_ms: seconds_ms(options.alertmanager.hold_s),
        catch_up_ms: seconds_ms(options.alertmanager.catch_up_s),
        external_url: options.alertmanager.external_url.clone(),
        runbook_url: options.alertmanager.runbook_url.clone(),
    });
    SinksSettings { redis, core, alertmanager, jsonl: options.jsonl.file.as_deref().map(PathBuf::from) }
}

/// Where the scores are read and written; `None` where no Redis is configured.
///
/// # Errors
/// [`Failure`] when a password, a certificate or a key cannot be read.
pub(crate) fn redis(loaded: &Loaded) -> Result<Option<Config>, Failure> {
    redis_settings(loaded).map_err(|fault| failure(&[fault]))
}

fn redis_settings(loaded: &Loaded) -> Result<Option<Config>, Fault> {
    let options = &loaded.config.sinks.redis;
    let place = if let Some(url) = &options.url {
        Place::Server(url.clone())
    } else if !options.cluster.is_empty() {
        Place::Cluster(options.cluster.clone())
    } else if let (Some(master), false) = (&options.sentinel_master, options.sentinels.is_empty()) {
        let password = password(
            loaded,
            "sinks.redis.sentinel_password",
            options.sentinel_password.as_ref(),
            options.sentinel_password_file.as_deref(),
        )?;
        let login = Login { username: options.sentinel_username.clone(), password };
        Place::Sentinel(Sentinels { urls: options.sentinels.clone(), master: master.clone(), login })
    } else {
        return Ok(None);
    };
    let password = password(loaded, "sinks.redis.password", options.password.as_ref(), options.password_file.as_deref())?;
    Ok(Some(Config {
        place,
        login: Login { username: options.username.clone(), password },
        tls: tls(
            loaded,
            "sinks.redis",
            options.ca_file.as_deref(),
            options.client_cert_file.as_deref(),
            options.client_key_file.as_deref(),
        )?,
        timeout: Duration::from_millis(options.timeout_ms.into()),
        batch_max: size(options.batch_max),
        changes_max: options.changes_max,
        ..Config::default()
    }))
}

fn password(loaded: &Loaded, option: &str, text: Option<&SecretText>, file: Option<&str>) -> Result<Option<String>, Fault> {
    let Some(password) = secret(loaded, option, text, file)? else { return Ok(None) };
    let text = std::str::from_utf8(password.reveal()).map(str::to_owned);
    text.map(Some).map_err(|_| Fault::new(&loaded.origin(&format!("{option}_file")), option, "is not UTF-8"))
}

/// Certificates and key of a sink, which are there and fit one another now. The key is a secret like any other.
fn tls(loaded: &Loaded, sink: &str, ca: Option<&str>, certificate: Option<&str>, key: Option<&str>) -> Result<TlsFiles, Fault> {
    secret(loaded, &format!("{sink}.client_key"), None, key)?;
    let ca = TlsFiles { ca: ca.map(PathBuf::from), client: None };
    let client = certificate.zip(key);
    let client = client.map(|(certificate, key)| ClientFiles { certificate: PathBuf::from(certificate), key: PathBuf::from(key) });
    let own = TlsFiles { ca: None, client };
    for (name, files) in [("ca_file", &ca), ("client_cert_file", &own)] {
        let option = format!("{sink}.{name}");
        files.check().map_err(|error| Fault::new(&loaded.origin(&option), &option, error.to_string()))?;
    }
    Ok(TlsFiles { ca: ca.ca, client: own.client })
}
