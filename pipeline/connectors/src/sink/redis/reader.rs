//! Reading a score as any core service does: for `rasid score get`, and for tests.

use std::collections::BTreeMap;

use ::redis::{FromRedisValue, Value, cmd, from_redis_value};
use rasid_compiler::ruleset::Advice;
use rasid_engine::{Level, Reason, Score};

use super::config::Config;
use super::connection::Error;
use super::link::{Keyed, Link};
use super::{META, key};

/// What Redis says about an entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// As of `as_of`; `None` where there is no known risk, if the heartbeat is fresh.
    pub score: Option<Score>,
    /// In how long the score goes, ms.
    pub live_for_ms: Option<i64>,
    /// As of when the heartbeat vouches for the scores, Unix ms; `None` where nothing vouches.
    pub as_of: Option<i64>,
    /// How far behind that was, ms.
    pub lag_ms: Option<i64>,
    /// Which instance writes.
    pub instance: Option<String>,
}

impl Reading {
    /// The level at `now_ms`, as readers work it out; `None` where there is no known risk.
    pub fn level(&self, now_ms: i64) -> Option<Level> {
        let score = self.score.as_ref()?;
        let stands = |until: Option<i64>| until.is_some_and(|until| now_ms <= until);
        match () {
            () if stands(score.critical_until) => Some(Level::Critical),
            () if stands(score.high_until) => Some(Level::High),
            () if stands(score.medium_until) => Some(Level::Medium),
            // Versions up to 0.3.0 wrote none: there the score ends with its key.
            () if stands(score.low_until) || (score.low_until.is_none() && score.score > 0) => Some(Level::Low),
            () => None,
        }
    }

    /// The strongest advice that stands at `now_ms`, and the last instant at which it does.
    pub fn advice(&self, now_ms: i64) -> Option<(Advice, i64)> {
        let score = self.score.as_ref()?;
        let untils = [score.watch_until, score.challenge_until, score.hold_until, score.block_until];
        let stands = |(advice, until): (Advice, Option<i64>)| Some((advice, until.filter(|until| now_ms <= *until)?));
        Advice::ALL.into_iter().zip(untils).rev().find_map(stands)
    }
}

/// Reads one entity (`kind:id`, as it leaves) and the heartbeat.
pub async fn read_score(config: &Config, entity: &str) -> Result<Reading, Error> {
    let mut link = Link::to(config).await?;
    let place = key(entity);
    let ask = |command: &str, key: &str| Keyed { key: key.to_owned(), command: cmd(command).arg(key).to_owned() };
    let asked = [ask("HGETALL", &place), ask("PTTL", &place), ask("HGETALL", META)];
    let mut answers = link.run_all(config, &asked).await?.into_iter();
    let mut next = || answers.next().unwrap_or(Value::Nil); // there is one to each
    let fields: BTreeMap<String, String> = read(next())?;
    let live_for_ms: i64 = read(next())?;
    let meta: BTreeMap<String, String> = read(next())?;
    // A hash without a score is what is left of one that was taken away.
    let stands = fields.contains_key("score");
    let number = |name: &str| meta.get(name).and_then(|text| text.parse().ok());
    Ok(Reading {
        score: if stands { Some(parse(&place, entity, &fields)?) } else { None },
        live_for_ms: (stands && live_for_ms >= 0).then_some(live_for_ms),
        as_of: number("as_of"),
        lag_ms: number("lag_ms"),
        instance: meta.get("instance").cloned(),
    })
}

fn read<T: FromRedisValue>(value: Value) -> Result<T, Error> {
    from_redis_value(value).map_err(|error| Error::Command(error.into()))
}

fn parse(key: &str, entity: &str, fields: &BTreeMap<String, String>) -> Result<Score, Error> {
    let foreign = |reason: String| Error::Foreign { key: key.to_owned(), reason };
    let text = |name: &str| fields.get(name).map(String::as_str).ok_or_else(|| foreign(format!("there is no {name}")));
    let number = |name: &str| -> Result<i64, Error> { text(name)?.parse().map_err(|_| foreign(format!("{name} is no number"))) };
    let until = |name: &str| if fields.contains_key(name) { number(name).map(Some) } else { Ok(None) };
    let score = u8::try_from(number("score")?).map_err(|_| foreign("score is out of range".to_owned()))?;
    let reasons: Vec<Reason> = serde_json::from_str(text("reasons")?).map_err(|error| foreign(format!("reasons: {error}")))?;
    Ok(Score {
        entity: entity.to_owned(),
        score,
        level: Level::of(score),
        as_of: number("as_of")?,
        low_until: until("low_until")?,
        medium_until: until("medium_until")?,
        high_until: until("high_until")?,
        critical_until: until("critical_until")?,
        advice: match fields.get("advice") {
            None => None,
            Some(name) => Some(Advice::from_name(name).ok_or_else(|| foreign("advice is none that we know".to_owned()))?),
        },
        advice_until: until("advice_until")?,
        watch_until: until("watch_until")?,
        challenge_until: until("challenge_until")?,
        hold_until: until("hold_until")?,
        block_until: until("block_until")?,
        reasons,
        version: number("version")?,
        ruleset: text("ruleset")?.to_owned(),
    })
}
