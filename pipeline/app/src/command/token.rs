//! `rasid token`: bearer tokens, for programs that cannot sign what they send and for people and programs that ask.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rasid_connectors::audit::{Audit, Entry};
use rasid_connectors::storage::{Disk, Storage};
use rasid_connectors::tokens::{Lock, PREFIX, Scope, Token, TokensError};
use rasid_detectors::event::time::format_rfc3339;
use rasid_service::recover::layout;
use serde_json::json;

use super::{Command, Failure, OutputFormat, is_owner, print_json, print_line, say, who};
use crate::clock::now_ms;
use crate::config::Layers;
use crate::user;

/// Bearer tokens, for programs that cannot sign what they send and for whoever asks over HTTP
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Make a token and print it, this once: only its hash is kept
    #[command(group = clap::ArgGroup::new("whose").required(true).args(["producer", "owner"]))]
    #[command(after_help = "Examples:\n  rasid token create --producer vector --expires 90d\n  \
        (umask 077; rasid token create --producer vector --reason \"the shop's log shipper\" > /etc/vector/rasid-token)\n  \
        rasid token create --owner amal --expires 90d --reason \"on call\"\n\n\
        The producer stands in the configuration: `producers.vector = {}` under [sources.http]. A running service takes the token\n\
        up by itself. Two tokens of one producer may stand at once: make the new one, change the producer, revoke the old one.")]
    Create {
        /// The program that will send events with it: a name under `sources.http.producers`
        #[arg(long, value_name = "NAME")]
        producer: Option<String>,
        /// The person or program that will ask with it: a name for the audit
        #[arg(long, value_name = "NAME", value_parser = owner)]
        owner: Option<String>,
        /// What may be asked with it [default: write:events of a producer; read:alerts, write:feedback and read:risk of an owner]
        #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
        scopes: Vec<Named>,
        /// How long it is good for, such as 12h or 90d; without it until it is revoked
        #[arg(long, value_name = "SPAN", value_parser = span_ms)]
        expires: Option<i64>,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        layers: Layers,
        /// How the result is written
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        output: OutputFormat,
    },
    /// List tokens: names, producers, scopes and times
    #[command(after_help = "Example:\n  rasid token list")]
    List {
        #[command(flatten)]
        layers: Layers,
        /// How the result is written
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        output: OutputFormat,
    },
    /// Revoke tokens: they are good no more from the next request on
    #[command(
        after_help = "Examples:\n  rasid token revoke tk_5f0c9a1b2c3d\n  rasid token revoke --producer vector --reason \"it was in a ticket\""
    )]
    #[command(group = clap::ArgGroup::new("which").required(true).args(["ids", "owner"]))]
    Revoke {
        /// Their names, as `list` shows them
        #[arg(value_name = "ID")]
        ids: Vec<String>,
        /// All of this producer or owner
        #[arg(long, value_name = "NAME", visible_alias = "producer")]
        owner: Option<String>,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        layers: Layers,
    },
}

/// A scope as the command line has it.
#[derive(Clone, Copy)]
struct Named(Scope);

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

fn scope(text: &str) -> Result<Named, String> {
    let known = || Scope::ALL.map(Scope::name).join(", ");
    Scope::from_name(text).map(Named).ok_or_else(|| format!("expected one of {}", known()))
}

/// A span on the command line, ms.
fn span_ms(text: &str) -> Result<i64, String> {
    const UNITS: [(char, i64); 3] = [('m', 60_000), ('h', 3_600_000), ('d', 86_400_000)];
    let wrong = || "expected a whole number of m, h or d above 0, such as 12h or 90d".to_owned();
    let (number, unit) = UNITS.iter().find_map(|(letter, ms)| Some((text.strip_suffix(*letter)?, ms))).ok_or_else(wrong)?;
    let number: u32 = number.parse().map_err(|_| wrong())?;
    i64::from(number).checked_mul(*unit).filter(|ms| (1..=36_500 * 86_400_000).contains(ms)).ok_or_else(wrong)
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        match &self.what {
            What::Create { producer, owner, scopes, expires, reason, layers, output } => {
                let whose = Whose { producer: producer.as_deref(), owner: owner.as_deref() };
                create(&whose, scopes, *expires, &why(reason.as_deref())?, layers, *output)
            }
            What::List { layers, output } => list(layers, *output),
            What::Revoke { ids, owner, reason, layers } => revoke(ids, owner.as_deref(), &why(reason.as_deref())?, layers),
        }
    }
}

fn why(reason: Option<&str>) -> Result<String, Failure> {
    reason.map_or(Ok(String::new()), super::reason)
}

/// The name of somebody who asks: what an audit, a log and a page can show.
fn owner(text: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte));
    if !fits || text.contains(PREFIX) {
        return Err("expected 1 to 64 of letters, digits and -_.@".to_owned());
    }
    Ok(text.to_owned())
}

/// Whose a token is to be: a producer's, or somebody's who asks.
struct Whose<'a> {
    producer: Option<&'a str>,
    owner: Option<&'a str>,
}

impl Whose<'_> {
    /// Its name and its scopes; the producers are those of the configuration.
    fn granted(&self, scopes: &[Named], is_producer: impl Fn(&str) -> bool) -> Result<(&str, Vec<Scope>), Failure> {
        let (name, usual): (&str, &[Scope]) = match (self.producer, self.owner) {
            (Some(producer), _) if !is_producer(producer) => {
                let shown = if producer.contains(PREFIX) { "that" } else { producer };
                return Err(Failure::Configuration(format!(
                    "no producer is called {shown}: put `producers.NAME = {{}}` under [sources.http] of the configuration, and restart the service"
                )));
            }
            (Some(producer), _) => (producer, &[Scope::WriteEvents]),
            (None, owner) => (owner.unwrap_or_default(), &[Scope::ReadAlerts, Scope::WriteFeedback, Scope::ReadRisk]),
        };
        let mut granted: Vec<Scope> = if scopes.is_empty() { usual.to_vec() } else { Vec::new() };
        for Named(scope) in scopes {
            if !granted.contains(scope) {
                granted.push(*scope);
            }
        }
        if self.producer.is_none() && granted.contains(&Scope::WriteEvents) {
            return Err(Failure::Configuration("events are sent by producers: expected --producer with write:events".to_owned()));
        }
        Ok((name, granted))
    }
}

fn create(
    whose: &Whose<'_>,
    scopes: &[Named],
    expires: Option<i64>,
    why: &str,
    layers: &Layers,
    output: OutputFormat,
) -> Result<(), Failure> {
    let config = layers.load()?.config;
    let (owner, granted) = whose.granted(scopes, |name| config.sources.http.producers.contains_key(name))?;
    let store = Store::open(Path::new(&config.data.dir))?;
    let mut tokens = store.lock.read().map_err(failed)?;
    let now_ms = now_ms();
    let (token, text) = tokens.create(owner, &granted, now_ms, expires.map(|span| now_ms + span)).map_err(failed)?;
    store.audit("token create", why, std::slice::from_ref(&token))?;
    store.lock.write(&tokens).map_err(failed)?;
    match output {
        OutputFormat::Json => {
            let mut shown = described(&token, now_ms);
            shown.extend([("token".to_owned(), text.reveal().into())]);
            print_json(&shown)
        }
        OutputFormat::Text => {
            say(format_args!("{}; it is shown this once:", line(&token, now_ms).trim_end()));
            print_line(text.reveal())
        }
    }
}

fn list(layers: &Layers, output: OutputFormat) -> Result<(), Failure> {
    let store = Store::open(Path::new(&layers.load()?.config.data.dir))?;
    let (tokens, now_ms) = (store.lock.read().map_err(failed)?, now_ms());
    match output {
        OutputFormat::Json => print_json(&tokens.iter().map(|token| described(token, now_ms)).collect::<Vec<_>>()),
        OutputFormat::Text => {
            tokens.iter().try_for_each(|token| print_line(&line(token, now_ms)))?;
            say(format_args!("{} tokens", tokens.iter().count()));
            Ok(())
        }
    }
}

fn revoke(ids: &[String], owner: Option<&str>, why: &str, layers: &Layers) -> Result<(), Failure> {
    let store = Store::open(Path::new(&layers.load()?.config.data.dir))?;
    let mut tokens = store.lock.read().map_err(failed)?;
    let revoked = tokens.revoke(|token| ids.contains(&token.id) || owner == Some(token.owner.as_str()));
    let missing: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !revoked.iter().any(|token| token.id == *id)).collect();
    if !revoked.is_empty() {
        store.audit("token revoke", why, &revoked)?;
        store.lock.write(&tokens).map_err(failed)?;
    }
    for token in &revoked {
        print_line(&format!("revoked {} of {}", token.id, token.owner))?;
    }
    if revoked.is_empty() || !missing.is_empty() {
        // Whoever gives the token in the place of its name must not find it in a log.
        let named: Vec<&str> = missing.iter().map(|id| if id.contains(PREFIX) { "that (a token, not its name)" } else { id }).collect();
        say(format_args!("no token {}", owner.map_or_else(|| named.join(", "), |name| format!("of {name}"))));
        return Err(Failure::Said(1));
    }
    Ok(())
}

/// The tokens of a data folder, nobody else changing them.
struct Store {
    lock: Lock,
    data: PathBuf,
}

impl Store {
    fn open(data: &Path) -> Result<Self, Failure> {
        if !data.is_dir() {
            return Err(Failure::Configuration(format!(
                "there is no data folder {}: name it with --data, or start the service once, as the user that it runs as",
                data.display()
            )));
        }
        is_owner(data, "change its tokens")?;
        Ok(Self { lock: Lock::take(data).map_err(failed)?, data: data.to_owned() })
    }

    /// What is done stands in the audit before it is done.
    fn audit(&self, action: &str, why: &str, tokens: &[Token]) -> Result<(), Failure> {
        let storage: Arc<dyn Storage> = Arc::new(Disk::existing(&self.data));
        let outside = |error: rasid_connectors::audit::Error| Failure::Outside(Box::new(error));
        let mut audit = Audit::open(&storage, layout::AUDIT).map_err(outside)?;
        for token in tokens {
            let mut details = BTreeMap::from([("token", token.id.clone()), ("owner", token.owner.clone()), ("scopes", scopes(token))]);
            details.extend(token.expires_ms.map(|expires| ("expires", format_rfc3339(expires))));
            let (user, claimed) = (user::named_or_numbered(user::own()), who().claimed);
            let entry = Entry { at_ms: now_ms(), who: &user, claimed: &claimed, from: "command line", action, why, details };
            audit.append(&entry).map_err(outside)?;
        }
        Ok(())
    }
}

fn failed(error: TokensError) -> Failure {
    Failure::Outside(Box::new(error))
}

fn scopes(token: &Token) -> String {
    token.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ")
}

fn line(token: &Token, now_ms: i64) -> String {
    let until = match token.expires_ms {
        None => "until it is revoked".to_owned(),
        Some(expires) if token.is_expired(now_ms) => format!("EXPIRED {}", format_rfc3339(expires)),
        Some(expires) => format!("until {}", format_rfc3339(expires)),
    };
    format!("{}  {:<16}{}  made {}, {until}", token.id, token.owner, scopes(token), format_rfc3339(token.created_ms))
}

fn described(token: &Token, now_ms: i64) -> serde_json::Map<String, serde_json::Value> {
    let members = [
        ("id", json!(token.id)),
        ("owner", json!(token.owner)),
        ("scopes", json!(token.scopes)),
        ("created", json!(format_rfc3339(token.created_ms))),
        ("expires", json!(token.expires_ms.map(format_rfc3339))),
        ("expired", json!(token.is_expired(now_ms))),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_scopes_are_read() {
        for (text, ms) in [("5m", 300_000), ("12h", 43_200_000), ("90d", 7_776_000_000), ("36500d", 3_153_600_000_000)] {
            assert_eq!(span_ms(text), Ok(ms), "{text}");
        }
        for text in ["", "d", "0d", "-1d", "90", "1.5h", "36501d", "99999999999d", "1w"] {
            assert!(span_ms(text).is_err(), "{text}");
        }
        assert_eq!(scope("read:risk").map(|named| named.to_string()), Ok("read:risk".to_owned()));
        assert!(scope("write").is_err_and(|error| error.contains("write:events")));
    }
}
