//! From the options to what the service takes: what one schema cannot say is checked here, secrets are read here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rasid_connectors::sink::declared::{Declared as _, Section};
use rasid_connectors::sink::tls::ClientFiles;
use rasid_connectors::webhook::Webhook;
use rasid_service::settings::{Secret, Settings, Sources};

use super::report::Faults;
use super::{Fault, Loaded, environment_name, failure, secret_file};
use crate::command::Failure;
use crate::http::ServerTls;
use crate::key::DEVELOPMENT_KEY;

/// What the program needs to serve HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) listen: SocketAddr,
    /// What it is secured by, where it is.
    pub(crate) tls: Option<Arc<ServerTls>>,
    pub(crate) connections_max: usize,
    pub(crate) fresh_lag_ms_max: u64,
    pub(crate) drain_max: Duration,
}

/// Faults that show only when options are seen together, or that a schema cannot say. No file is read here.
pub(super) fn check(loaded: &Loaded) -> Vec<Fault> {
    let config = &loaded.config;
    let mut faults = Vec::new();
    let mut fault = |option: &str, message: String, help: Option<&str>| {
        let fault = Fault::new(&loaded.origin(option), option, message);
        faults.push(match help {
            Some(help) => fault.help(help),
            None => fault,
        });
    };
    if config.server.listen.parse::<SocketAddr>().is_err() {
        let help = "a name is not looked up: 127.0.0.1:8480, [::1]:8480";
        fault("server.listen", format!("found \"{}\", expected address:port", config.server.listen), Some(help));
    }
    let tls = &config.server.tls;
    if tls.cert_file.is_some() != tls.key_file.is_some() {
        let (there, missing) = if tls.cert_file.is_some() { ("cert_file", "key_file") } else { ("key_file", "cert_file") };
        fault(&format!("server.tls.{there}"), format!("`server.tls.{there}` without `server.tls.{missing}`"), None);
    }
    let fluvio = &config.sources.fluvio;
    match (&fluvio.endpoint, fluvio.topics.is_empty()) {
        (Some(_), true) => fault("sources.fluvio.topics", "the source is on and has no topic".to_owned(), None),
        (None, false) => fault("sources.fluvio.topics", "topics without `sources.fluvio.endpoint`".to_owned(), None),
        (Some(_), false) if !cfg!(feature = "fluvio") => {
            let help = "build with `cargo build --release --features fluvio`";
            fault("sources.fluvio.endpoint", "this build does not read Fluvio".to_owned(), Some(help));
        }
        _ => {}
    }
    if config.archive.dir.is_some() && !cfg!(feature = "archive") {
        let help = "build with `cargo build --release --features archive`";
        fault("archive.dir", "this build writes no archive".to_owned(), Some(help));
    }
    if config.log.bytes_max < 2 * config.log.segment_bytes {
        let message = format!("found {}, expected twice `log.segment_bytes` ({}) or more", config.log.bytes_max, config.log.segment_bytes);
        fault("log.bytes_max", message, None);
    }
    let http = &config.sources.http;
    if http.bodies_bytes_max / 4 < http.body_bytes_max {
        let message =
            format!("found {}, expected four times `sources.http.body_bytes_max` ({}) or more", http.bodies_bytes_max, http.body_bytes_max);
        fault("sources.http.bodies_bytes_max", message, Some("room for one large body that comes slowly, and for others beside it"));
    }
    if http.bodies_bytes_max / 2 < http.unpacked_bytes_max {
        let message = format!(
            "found {}, expected twice `sources.http.unpacked_bytes_max` ({}) or more",
            http.bodies_bytes_max, http.unpacked_bytes_max
        );
        fault("sources.http.bodies_bytes_max", message, Some("room for one body that is being unpacked, and for others beside it"));
    }
    for name in config.sources.http.producers.keys() {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
            let help = "lower-case letters, digits and _: it becomes part of the stream's name and of a variable's";
            fault(&format!("sources.http.producers.{name}"), "no name for a producer".to_owned(), Some(help));
        } else if name == rasid_connectors::ingest::UNKNOWN {
            let message = "figures name those so whom no signature tells".to_owned();
            fault(&format!("sources.http.producers.{name}"), message, Some("name the service that sends"));
        }
    }
    let (rate, bound) = (config.engine.events_per_s, config.engine.memory_bytes_max);
    let most = rasid_engine::events_per_s_max(bound);
    if rate > most {
        let reserved = rasid_engine::reserved_bytes(rate);
        let message = format!(
            "found {rate}, expected {most} at most: 30 minutes of it take {reserved} bytes, over half of `engine.memory_bytes_max` ({bound})"
        );
        let help = format!("raise `engine.memory_bytes_max` to {} or more, or lower the rate to what comes at most", reserved * 2);
        fault("engine.events_per_s", message, Some(&help));
    }
    let pseudonyms = &config.pseudonyms;
    let former = pseudonyms.former_key.is_some() || pseudonyms.former_key_file.is_some();
    match pseudonyms.former_key_number {
        None if former => {
            let help = Some("the `pseudonyms.key_number` that it had");
            fault("pseudonyms.former_key_number", "a former secret without its number".to_owned(), help);
        }
        Some(_) if !former => {
            fault("pseudonyms.former_key_number", "the number of a former secret without `pseudonyms.former_key_file`".to_owned(), None);
        }
        Some(number) if number == pseudonyms.key_number => {
            let message = format!("found {number}, which is `pseudonyms.key_number`: two secrets never share a number");
            fault("pseudonyms.former_key_number", message, None);
        }
        _ => {}
    }
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(&config.telemetry.log_filter) {
        fault("telemetry.log_filter", format!("found \"{}\": {error}", config.telemetry.log_filter), None);
    }
    let mut report = Faults::of(loaded);
    config.sinks.check(&mut report);
    faults.extend(report.found);
    faults
}

/// The pseudonym secret, its number, and the secret before it.
pub(crate) struct Key {
    pub(crate) secret: Secret,
    pub(crate) number: u8,
    pub(crate) former: Option<(Secret, u8)>,
}

/// The configured pseudonym secret; `None` where none is.
///
/// # Errors
/// [`Failure`] when a file cannot be read.
pub(crate) fn key(loaded: &Loaded) -> Result<Option<Key>, Failure> {
    let options = &loaded.config.pseudonyms;
    let failed = |fault| failure(&[fault]);
    let secret = secret(loaded, "pseudonyms.key", options.key.as_ref(), options.key_file.as_deref()).map_err(failed)?;
    let former = former_key(loaded).map_err(failed)?;
    Ok(secret.map(|secret| Key { secret, number: options.key_number, former }))
}

/// The secret before, and its number.
fn former_key(loaded: &Loaded) -> Result<Option<(Secret, u8)>, Fault> {
    let options = &loaded.config.pseudonyms;
    let found = secret(loaded, "pseudonyms.former_key", options.former_key.as_ref(), options.former_key_file.as_deref())?;
    // Both are there or neither is: the configuration was checked.
    Ok(found.zip(options.former_key_number))
}

/// A secret: what the environment holds, else what its file holds, without the white space around it.
pub(super) fn secret(loaded: &Loaded, option: &str, text: Option<&Secret>, file: Option<&str>) -> Result<Option<Secret>, Fault> {
    if let Some(text) = text {
        return Ok(Some(text.clone()));
    }
    let Some(file) = file else { return Ok(None) };
    let option = format!("{option}_file");
    let read = secret_file::read(file, loaded.config.secrets.shared_files);
    read.map(|bytes| Some(Secret::new(bytes))).map_err(|secret_file::Refused { message, help }| {
        let fault = Fault::new(&loaded.origin(&option), &option, message);
        match help {
            Some(help) => fault.help(help),
            None => fault,
        }
    })
}

/// What the service and the server need, with every secret read.
///
/// # Errors
/// [`Failure`] with everything that is missing or cannot be read, the development key among it.
pub(crate) fn service(loaded: &Loaded) -> Result<(Settings, Server), Failure> {
    let config = &loaded.config;
    let mut faults = Vec::new();
    let sources = sources(loaded, &mut faults);
    let mut sinks = config.sinks.clone();
    let mut report = Faults::of(loaded);
    sinks.read(&mut report);
    faults.extend(report.found);
    let secret = usable_key(loaded, &mut faults);
    let former_secret = former_key(loaded).unwrap_or_else(|fault| {
        faults.push(fault);
        None
    });
    let tls = server_tls(loaded, &mut faults);
    let (Some(secret), Ok(listen), true) = (secret, config.server.listen.parse(), faults.is_empty()) else { return Err(failure(&faults)) };
    let settings = Settings {
        instance: config.telemetry.instance.clone().unwrap_or_else(machine),
        rules: config.rules.clone(),
        data_dir: PathBuf::from(&config.data.dir),
        secret,
        secret_number: config.pseudonyms.key_number,
        former_secret,
        sources,
        log: config.log.clone(),
        engine: config.engine.clone(),
        snapshot: config.snapshot.clone(),
        outbox: config.outbox.clone(),
        alerts: config.alerts.clone(),
        archive: config.archive.clone(),
        sinks,
    };
    let server = Server {
        listen,
        tls,
        connections_max: size(config.server.connections_max),
        fresh_lag_ms_max: config.server.fresh_lag_ms_max.into(),
        drain_max: Duration::from_secs(config.server.drain_s_max.into()),
    };
    Ok((settings, server))
}

/// Certificate and key of the server, which are there and fit one another now.
fn server_tls(loaded: &Loaded, faults: &mut Vec<Fault>) -> Option<Arc<ServerTls>> {
    let options = &loaded.config.server.tls;
    let (certificate, key) = options.cert_file.as_ref().zip(options.key_file.as_ref())?;
    let files = ClientFiles { certificate: PathBuf::from(certificate), key: PathBuf::from(key) };
    match ServerTls::new(files, loaded.config.secrets.shared_files) {
        Ok(tls) => Some(Arc::new(tls)),
        Err((message, help)) => {
            let fault = Fault::new(&loaded.origin("server.tls.cert_file"), "server.tls", message);
            faults.push(match help {
                Some(help) => fault.help(help),
                None => fault,
            });
            None
        }
    }
}

fn usable_key(loaded: &Loaded, faults: &mut Vec<Fault>) -> Option<Secret> {
    const HELP: &str = "make one with `(umask 077; openssl rand -base64 32 > /etc/rasid/key)`, readable by the service alone, and set \
        `pseudonyms.key_file`, RASID_KEY_FILE or RASID_KEY";
    let options = &loaded.config.pseudonyms;
    let found = match secret(loaded, "pseudonyms.key", options.key.as_ref(), options.key_file.as_deref()) {
        Ok(found) => found,
        Err(fault) => {
            faults.push(fault);
            return None;
        }
    };
    let option = if options.key.is_some() { "pseudonyms.key" } else { "pseudonyms.key_file" };
    let refused = match &found {
        None => Some("no secret is set, and `run` does not work with the development key, which everybody knows".to_owned()),
        Some(secret) if secret.reveal() == DEVELOPMENT_KEY => Some("this is the development key, which everybody knows".to_owned()),
        Some(secret) => rasid_engine::Pseudonymizer::new(secret.reveal(), options.key_number).err().map(|error| error.to_string()),
    };
    let Some(message) = refused else { return found };
    faults.push(Fault::new(&loaded.origin(option), option, message).help(HELP));
    None
}

/// The sources, with the producers' secrets read.
fn sources(loaded: &Loaded, faults: &mut Vec<Fault>) -> Sources {
    let mut sources = loaded.config.sources.clone();
    if sources.http.enabled {
        if sources.http.producers.is_empty() {
            let help = "name each in a section `[sources.http.producers.NAME]`, with a `secret_file` where it signs what it sends";
            let origin = loaded.origin("sources.http.enabled");
            faults.push(Fault::new(&origin, "sources.http.producers", "HTTP is on and nobody may send").help(help));
        }
        let mut report = Faults::of(loaded);
        for (name, producer) in &mut sources.http.producers {
            let section = format!("sources.http.producers.{name}");
            let mut section = Section::new(&section, &mut report);
            // One that has none shows tokens.
            section.read_webhook_secret("secret", &mut producer.secret, producer.secret_file.as_deref(), None);
        }
        faults.extend(report.found);
    }
    if sources.fluvio.endpoint.is_none() && !sources.http.enabled && !sources.jsonl.reads() {
        let help =
            "set `sources.fluvio.endpoint` and `.topics`, `sources.http.enabled`, or `sources.jsonl.files`, `.follow_dirs`, `.stdin`";
        faults.push(Fault::new(&super::Origin::Default, "sources", "no source is on").help(help));
    }
    sources
}

/// Where the scores are read and written; `None` where no Redis is configured.
///
/// # Errors
/// [`Failure`] when a password, a certificate or a key cannot be read.
pub(crate) fn redis(loaded: &Loaded) -> Result<Option<rasid_connectors::sink::redis::Config>, Failure> {
    let mut redis = loaded.config.sinks.redis.clone();
    let mut report = Faults::of(loaded);
    if redis.is_on() {
        redis.read(&mut Section::new("sinks.redis", &mut report));
    }
    if report.found.is_empty() { Ok(redis.config()) } else { Err(failure(&report.found)) }
}

/// What is wrong with the lines of a text that holds a webhook secret in each, by the file and line where it stands. Nothing
/// of a secret is shown.
pub(super) fn unusable(loaded: &Loaded, option: &str, file: Option<&str>, text: &Secret) -> Vec<Fault> {
    const HELP: &str = "make one with `echo \"whsec_$(openssl rand -base64 32)\"`: `whsec_` and base64 of 24 to 64 bytes, a line each";
    let option = file.map_or_else(|| option.to_owned(), |_| format!("{option}_file"));
    let fault = |(number, line): (usize, &[u8])| {
        let line = line.trim_ascii();
        let wrong = match std::str::from_utf8(line) {
            _ if line.is_empty() => return None,
            Ok(line) => Webhook::new(&[line]).err().map(|error| error.of_one()),
            Err(_) => Some("not `whsec_` and base64".to_owned()),
        };
        let place = file.map_or_else(|| format!("line {}", number + 1), |file| format!("{file}:{}", number + 1));
        Some(Fault::new(&loaded.origin(&option), &option, format!("{place}: {}", wrong?)).help(HELP))
    };
    text.reveal().split(|byte| *byte == b'\n').enumerate().filter_map(fault).collect()
}

/// A secret that something which is on needs.
pub(super) fn missing(loaded: &Loaded, needed_by: &str, option: &str) -> Fault {
    let help = format!("set `{option}_file`, or the variable {}", environment_name(option));
    Fault::new(&loaded.origin(needed_by), option, format!("`{needed_by}` needs a secret")).help(help)
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The machine's name.
fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "rasid".to_owned() } else { name.trim().to_owned() }
}
