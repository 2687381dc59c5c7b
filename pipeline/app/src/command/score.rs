//! `rasid score get`: an entity's score as readers of Redis see it now.

use rasid_compiler::ruleset::Advice;
use rasid_connectors::sink::redis::{Reading, level_name, read_score};
use rasid_detectors::entity::{EntityKind, ID_BYTES_MAX};
use rasid_detectors::event::time::format_rfc3339;
use rasid_engine::{Level, Pseudonymizer, Reason};
use serde::Serialize;

use super::{Command, Failure, OutputFormat, print_json, print_line, say, span};
use crate::clock::now_ms;
use crate::config::{self, Layers};
use crate::key;

/// A heartbeat older than this is none: it is written every second or so.
const HEARTBEAT_MS_MAX: u64 = 10_000;

/// Risk scores in Redis
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
    let kind = super::pseudonym::kind(name)?;
    if kind.is_oversized(id) {
        return Err(format!("the identifier has more than {ID_BYTES_MAX} bytes, and so names nobody"));
    }
    Ok((kind, id.to_owned()))
}

/// Whether an identifier is a pseudonym already: `p1_` and 26 characters of base32.
fn is_pseudonym(id: &str) -> bool {
    let number_and_rest = id.strip_prefix('p').and_then(|rest| rest.split_once('_'));
    number_and_rest.is_some_and(|(number, rest)| {
        number.parse::<u8>().is_ok() && rest.len() == 26 && rest.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
    })
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        let What::Get { entity: (kind, id), layers, output } = &self.what;
        let loaded = layers.load()?;
        let redis = config::redis(&loaded)?.ok_or_else(|| {
            Failure::Configuration(
                "no Redis is configured: set sinks.redis.url (or .sentinels, .cluster), or RASID_SINKS__REDIS__URL".to_owned(),
            )
        })?;
        let known = if kind.hides(&kind.normalise(id)) && !is_pseudonym(id) { Some(key::configured(&loaded)?) } else { None };
        let mut entity = format!("{}:{}", kind.name(), leaving(*kind, id, known.as_ref()));
        let former = known.as_ref().and_then(|known| known.leave_formerly(*kind, id)).map(|id| format!("{}:{id}", kind.name()));
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| Failure::Outside(Box::new(error)))?;
        let config = redis.for_reading();
        let read = |entity: &str| runtime.block_on(read_score(&config, entity)).map_err(|error| Failure::Outside(Box::new(error)));
        let mut reading = read(&entity)?;
        // What no alert has raised since the secret was changed stands under the name of before, until it ends.
        if let (None, Some(former)) = (&reading.score, former) {
            let before = read(&former)?;
            if before.score.is_some() {
                (entity, reading) = (former, before);
            }
        }
        let now_ms = now_ms();
        let answer = Answer::new(entity, reading, now_ms);
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
}

fn leaving(kind: EntityKind, id: &str, pseudonymizer: Option<&Pseudonymizer>) -> String {
    match pseudonymizer {
        Some(pseudonymizer) => pseudonymizer.leave(kind, id),
        None if kind.is_personal() => id.to_owned(),
        None => kind.normalise(id).into_owned(),
    }
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
    /// As of now, from the instants at which levels end; `None` where only advice stands.
    level: Option<Level>,
    as_of: i64,
    low_until: Option<i64>,
    medium_until: Option<i64>,
    high_until: Option<i64>,
    critical_until: Option<i64>,
    /// As of now, too.
    advice: Option<Advice>,
    advice_until: Option<i64>,
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
}

impl Answer {
    fn new(entity: String, reading: Reading, now_ms: i64) -> Self {
        let (level, advice) = (reading.level(now_ms), reading.advice(now_ms));
        let Reading { score, as_of, instance, .. } = reading;
        let standing = score.filter(|_| level.is_some() || advice.is_some()).map(|score| Standing {
            score: score.score,
            level,
            as_of: score.as_of,
            low_until: score.low_until,
            medium_until: score.medium_until,
            high_until: score.high_until,
            critical_until: score.critical_until,
            advice: advice.map(|(advice, _)| advice),
            advice_until: advice.map(|(_, until)| until),
            reasons: score.reasons,
            version: score.version,
            ruleset: score.ruleset,
        });
        let age_ms = as_of.map(|as_of| u64::try_from(now_ms - as_of).unwrap_or_default());
        let alive = age_ms.is_some_and(|age| age <= HEARTBEAT_MS_MAX);
        Self { entity, score: standing, heartbeat: Heartbeat { alive, age_ms, instance } }
    }

    fn text(&self, now_ms: i64) -> Vec<String> {
        let ago = |at: i64| format!("{} ago", span(u64::try_from(now_ms - at).unwrap_or_default()));
        let mut lines = Vec::new();
        match &self.score {
            None => lines.push(format!("{}  no known risk", self.entity)),
            Some(standing) => {
                let until = match standing.level {
                    None | Some(Level::Low) => None,
                    Some(Level::Medium) => standing.medium_until,
                    Some(Level::High) => standing.high_until,
                    Some(Level::Critical) => standing.critical_until,
                };
                let until = until.map_or_else(String::new, |until| format!(" until {}", format_rfc3339(until)));
                lines.push(format!("{}  {}{until}", self.entity, standing.level.map_or("no known risk", level_name)));
                if let Some((advice, until)) = standing.advice.zip(standing.advice_until) {
                    lines.push(format!("  advice   {} until {}", advice.name(), format_rfc3339(until)));
                }
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
            None => "  pipeline does not vouch for its scores: it was never here, or publishes them again".to_owned(),
        });
        lines
    }
}

#[cfg(test)]
mod tests {
    use rasid_engine::Score;

    use super::*;

    #[test]
    fn an_answer_says_level_score_reasons_and_whether_the_pipeline_lives() {
        let score = Score {
            entity: "user:u_42".to_owned(),
            score: 60,
            level: Some(Level::High),
            as_of: 1_763_719_300_000,
            low_until: Some(1_763_840_900_000),
            medium_until: Some(1_763_740_900_000),
            high_until: Some(1_763_719_300_500),
            critical_until: None,
            advice: Some(Advice::Hold),
            advice_until: Some(1_763_719_300_500),
            watch_until: Some(1_763_740_900_000),
            challenge_until: Some(1_763_740_900_000),
            hold_until: Some(1_763_719_300_500),
            block_until: None,
            reasons: vec![Reason { rule: "auth.otp_flood".to_owned(), risk: 60.0, at: 1_763_719_300_000, half_life_s: 21_600 }],
            version: 1_763_719_300_000,
            ruleset: "sha256:9b1f".to_owned(),
        };
        let reading = Reading {
            score: Some(score),
            live_for_ms: Some(1_000),
            as_of: Some(1_763_719_399_000),
            lag_ms: Some(0),
            instance: Some("rasid-1".to_owned()),
        };
        let now = 1_763_719_400_000;
        let answer = Answer::new("user:u_42".to_owned(), reading, now);
        let text = answer.text(now).join("\n");
        for part in [
            "user:u_42  medium until 2025-11-21T16:01:40.000Z",
            "  advice   challenge until 2025-11-21T16:01:40.000Z",
            "60 as of",
            "1 min ago",
            "auth.otp_flood 60",
            "half-life 6 h",
            "1.0 s ago",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(answer.heartbeat.alive);
        let nothing = Reading { score: None, live_for_ms: None, as_of: None, lag_ms: None, instance: None };
        let gone = Answer::new("user:u_43".to_owned(), nothing, now);
        assert!(gone.score.is_none() && !gone.heartbeat.alive);
        assert_eq!(
            gone.text(now),
            ["user:u_43  no known risk", "  pipeline does not vouch for its scores: it was never here, or publishes them again"]
        );
    }

    #[test]
    fn a_personal_identifier_is_looked_up_by_its_pseudonym() {
        let pseudonymizer = Pseudonymizer::new(b"0123456789abcdef", 1).expect("long enough");
        let pseudonym = leaving(EntityKind::Phone, "01000000042", Some(&pseudonymizer));
        assert_eq!(pseudonym, "p1_iqf6wulxc4yrfrrk77l3g4ks7u");
        assert!(is_pseudonym(&pseudonym) && !is_pseudonym("p1_short") && !is_pseudonym("+201000000042"));
        assert_eq!(leaving(EntityKind::User, "u_42", None), "u_42");
        assert!(is_pseudonym(&leaving(EntityKind::User, "+201000000042", Some(&pseudonymizer))), "an id that is a phone");
        assert!(entity(&format!("user:{}", "u".repeat(256))).is_ok() && entity(&format!("user:{}", "u".repeat(257))).is_err());
        assert!(entity("u_42").is_err() && entity("user:").is_err() && entity("person:u_42").is_err());
    }
}
