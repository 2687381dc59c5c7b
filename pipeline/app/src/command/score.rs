//! `rasid score get`: an entity's score as readers of Redis see it now.

use std::collections::BTreeMap;
use std::time::Duration;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::time::format_rfc3339;
use rasid_engine::{Level, Pseudonymizer, Reason};
use rasid_service::settings::RedisSettings;
use serde::Serialize;

use super::{Failure, OutputFormat, print_json, print_line, say, span};
use crate::clock::now_ms;
use crate::config::{self, Layers};
use crate::key;

/// What keys begin with.
const PREFIX: &str = "rasid:risk:v1:";
/// A heartbeat older than this is none: it is written every second or so.
const HEARTBEAT_MS_MAX: u64 = 10_000;

/// See `--help`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Print the score of one entity, from Redis; exit status 1 where there is none
    #[command(after_help = "Examples:\n  rasid score get user:u_42\n  rasid score get phone:+201000000042 --output json\n  \
        rasid score get phone:p1_6q3mzt4kq2w5h7n3x6c2vbaa4e\n\n\
        Redis is the one that sinks.redis of the configuration names.")]
    Get {
        /// The entity; a personal identifier in any spelling, or its pseudonym
        #[arg(value_name = "KIND:ID", value_parser = entity)]
        entity: (EntityKind, String),
        #[command(flatten)]
        layers: Layers,
        /// How the result is written
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        output: OutputFormat,
    },
}

fn entity(text: &str) -> Result<(EntityKind, String), String> {
    let (name, id) = text.split_once(':').ok_or("expected KIND:ID, such as user:u_42")?;
    if id.is_empty() {
        return Err("the identifier is empty".to_owned());
    }
    Ok((super::pseudonym::kind(name)?, id.to_owned()))
}

/// Whether an identifier is a pseudonym already: `p1_` and 26 characters of base32.
fn is_pseudonym(id: &str) -> bool {
    let number_and_rest = id.strip_prefix('p').and_then(|rest| rest.split_once('_'));
    number_and_rest.is_some_and(|(number, rest)| {
        number.parse::<u8>().is_ok() && rest.len() == 26 && rest.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
    })
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let What::Get { entity: (kind, id), layers, output } = &args.what;
    let loaded = layers.load()?;
    let settings = config::redis(&loaded)?
        .ok_or_else(|| Failure::Configuration("no Redis is configured: set sinks.redis.url, or RASID_SINKS__REDIS__URL".to_owned()))?;
    let known = if kind.is_personal() && !is_pseudonym(id) { Some(key::configured(&loaded)?) } else { None };
    let entity = format!("{}:{}", kind.name(), leaving(*kind, id, known.as_ref()));
    let (score, heartbeat) =
        read(&settings, &entity).map_err(|error| Failure::Outside(format!("Redis at {}: {error}", settings.url).into()))?;
    let now_ms = now_ms();
    let answer = Answer::new(entity, &score, &heartbeat, now_ms);
    match output {
        OutputFormat::Json => print_json(&answer)?,
        OutputFormat::Text => answer.text(now_ms).iter().try_for_each(|line| print_line(line))?,
    }
    if !answer.heartbeat.alive {
        say(format_args!(
            "note: no heartbeat within {}: the pipeline may be down, and no score then means nothing",
            span(HEARTBEAT_MS_MAX)
        ));
    }
    if answer.score.is_some() { Ok(()) } else { Err(Failure::Said(1)) }
}

fn leaving(kind: EntityKind, id: &str, pseudonymizer: Option<&Pseudonymizer>) -> String {
    match pseudonymizer {
        Some(pseudonymizer) => pseudonymizer.leave(kind, id),
        None if kind.is_personal() => id.to_owned(),
        None => kind.normalise(id).into_owned(),
    }
}

type Hash = BTreeMap<String, String>;

/// The entity's fields and those of the heartbeat.
fn read(settings: &RedisSettings, entity: &str) -> redis::RedisResult<(Hash, Hash)> {
    let address = settings.login_url();
    let address = String::from_utf8_lossy(address.reveal());
    let timeout = Duration::from_millis(settings.timeout_ms);
    let mut connection = redis::Client::open(address.as_ref())?.get_connection_with_timeout(timeout)?;
    connection.set_read_timeout(Some(timeout))?;
    let score = redis::cmd("HGETALL").arg(format!("{PREFIX}{{{entity}}}")).query(&mut connection)?;
    let heartbeat = redis::cmd("HGETALL").arg(format!("{PREFIX}meta")).query(&mut connection)?;
    Ok((score, heartbeat))
}

/// What is known about an entity.
#[derive(Serialize)]
struct Answer {
    entity: String,
    /// `None`: no known risk.
    score: Option<Standing>,
    heartbeat: Heartbeat,
}

#[derive(Serialize)]
struct Standing {
    /// As of `as_of`.
    score: u8,
    /// As of now, from the instants at which levels end.
    level: Level,
    as_of: i64,
    medium_until: Option<i64>,
    high_until: Option<i64>,
    critical_until: Option<i64>,
    reasons: Vec<Reason>,
    version: i64,
    ruleset: String,
}

/// Whether the pipeline lives.
#[derive(Serialize)]
struct Heartbeat {
    alive: bool,
    age_ms: Option<u64>,
    instance: Option<String>,
    epoch: Option<String>,
}

impl Answer {
    fn new(entity: String, score: &Hash, heartbeat: &Hash, now_ms: i64) -> Self {
        let number = |name: &str| score.get(name).and_then(|text| text.parse::<i64>().ok());
        let until = |name: &str| number(name).filter(|until| *until > 0);
        let standing = score.get("score").and_then(|text| text.parse().ok()).map(|value| Standing {
            score: value,
            level: level_at(now_ms, until("medium_until"), until("high_until"), until("critical_until")),
            as_of: number("as_of").unwrap_or_default(),
            medium_until: until("medium_until"),
            high_until: until("high_until"),
            critical_until: until("critical_until"),
            reasons: score.get("reasons").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
            version: number("version").unwrap_or_default(),
            ruleset: score.get("ruleset").cloned().unwrap_or_default(),
        });
        let as_of = heartbeat.get("as_of").and_then(|text| text.parse::<i64>().ok());
        let age_ms = as_of.map(|as_of| u64::try_from(now_ms - as_of).unwrap_or_default());
        let field = |name: &str| heartbeat.get(name).cloned();
        let alive = age_ms.is_some_and(|age| age <= HEARTBEAT_MS_MAX);
        let heartbeat = Heartbeat { alive, age_ms, instance: field("instance"), epoch: field("epoch") };
        Self { entity, score: standing, heartbeat }
    }

    fn text(&self, now_ms: i64) -> Vec<String> {
        let ago = |at: i64| format!("{} ago", span(u64::try_from(now_ms - at).unwrap_or_default()));
        let mut lines = Vec::new();
        match &self.score {
            None => lines.push(format!("{}  no known risk", self.entity)),
            Some(standing) => {
                let until = match standing.level {
                    Level::Low => None,
                    Level::Medium => standing.medium_until,
                    Level::High => standing.high_until,
                    Level::Critical => standing.critical_until,
                };
                let until = until.map_or_else(String::new, |until| format!(" until {}", format_rfc3339(until)));
                lines.push(format!("{}  {}{until}", self.entity, format!("{:?}", standing.level).to_lowercase()));
                lines.push(format!("  score    {} as of {} ({})", standing.score, format_rfc3339(standing.as_of), ago(standing.as_of)));
                lines.extend(standing.reasons.iter().map(|reason| {
                    let half_life = span(u64::try_from(reason.half_life_s).unwrap_or_default() * 1000);
                    format!("  reason   {} {} at {}, half-life {half_life}", reason.rule, reason.risk, format_rfc3339(reason.at))
                }));
                lines.push(format!("  version  {} by ruleset {}", standing.version, standing.ruleset));
            }
        }
        lines.push(match self.heartbeat.age_ms {
            Some(age_ms) => format!("  pipeline last heard of {} ago", span(age_ms)),
            None => "  pipeline never heard of".to_owned(),
        });
        lines
    }
}

/// The level now: a reader compares instants with its own clock, and does no maths.
fn level_at(now_ms: i64, medium_until: Option<i64>, high_until: Option<i64>, critical_until: Option<i64>) -> Level {
    let holds = |until: Option<i64>| until.is_some_and(|until| now_ms <= until);
    if holds(critical_until) {
        Level::Critical
    } else if holds(high_until) {
        Level::High
    } else if holds(medium_until) {
        Level::Medium
    } else {
        Level::Low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(fields: &[(&str, &str)]) -> Hash {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_level_is_that_of_now() {
        for (now, expected) in
            [(10, Level::Critical), (11, Level::High), (20, Level::High), (21, Level::Medium), (30, Level::Medium), (31, Level::Low)]
        {
            assert_eq!(level_at(now, Some(30), Some(20), Some(10)), expected, "at {now}");
        }
        assert_eq!(level_at(0, None, None, None), Level::Low);
    }

    #[test]
    fn an_answer_says_level_score_reasons_and_whether_the_pipeline_lives() {
        let reasons = r#"[{"rule":"auth.otp_flood","risk":60.0,"at":1763719300000,"half_life_s":21600}]"#;
        let score = hash(&[
            ("score", "60"),
            ("level", "high"),
            ("as_of", "1763719300000"),
            ("medium_until", "1763740900000"),
            ("high_until", "1763719300500"),
            ("reasons", reasons),
            ("version", "1763719300000"),
            ("ruleset", "sha256:9b1f"),
        ]);
        let heartbeat = hash(&[("as_of", "1763719399000"), ("instance", "rasid-1"), ("epoch", "e")]);
        let now = 1_763_719_400_000;
        let answer = Answer::new("user:u_42".to_owned(), &score, &heartbeat, now);
        let text = answer.text(now).join("\n");
        for part in
            ["user:u_42  medium until 2025-11-21T16:01:40.000Z", "60 as of", "1 min ago", "auth.otp_flood 60", "half-life 6 h", "1.0 s ago"]
        {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(answer.heartbeat.alive);
        let gone = Answer::new("user:u_43".to_owned(), &Hash::new(), &Hash::new(), now);
        assert!(gone.score.is_none() && !gone.heartbeat.alive);
        assert_eq!(gone.text(now), ["user:u_43  no known risk", "  pipeline never heard of"]);
    }

    #[test]
    fn a_personal_identifier_is_looked_up_by_its_pseudonym() {
        let pseudonymizer = Pseudonymizer::new(b"0123456789abcdef", 1).expect("long enough");
        let pseudonym = leaving(EntityKind::Phone, "01000000042", Some(&pseudonymizer));
        assert_eq!(pseudonym, "p1_iqf6wulxc4yrfrrk77l3g4ks7u");
        assert!(is_pseudonym(&pseudonym) && !is_pseudonym("p1_short") && !is_pseudonym("+201000000042"));
        assert_eq!(leaving(EntityKind::User, "u_42", None), "u_42");
        assert!(entity("u_42").is_err() && entity("user:").is_err() && entity("person:u_42").is_err());
    }
}
