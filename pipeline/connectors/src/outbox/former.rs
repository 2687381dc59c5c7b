//! Files of older formats, made into files of today's: every item is written anew, all in one transaction.
//!
//! An item of format 1, which 0.3.0 wrote, held the level before a change of score, which nobody read; formats 1 and 2 knew no
//! advice, and of a score not when it falls below 1.

use std::collections::BTreeMap;
use std::ops::Bound;

use rasid_engine::{Level, Reason, Score, ScoreChange};
use redb::{ReadableTable as _, Table, WriteTransaction};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::tables::{ENGINES, PARKED, QUEUE, SINKS, STANDING, decode, encode};
use super::{Error, Parked};
use crate::effect::{AlertItem, Body, Item, RetractedItem};

/// What such files say that they are.
pub(super) const FORMATS: std::ops::RangeInclusive<u64> = 1..=2;
/// Items that are written anew at once: the queue may be larger than memory.
const PAGE: usize = 1_000;

#[derive(Deserialize)]
struct FormerItem<C> {
    sink: String,
    seq: u64,
    position: u64,
    committed_ms: i64,
    body: FormerBody<C>,
}

#[derive(Deserialize)]
enum FormerBody<C> {
    Alert(AlertItem),
    Score(C),
    Retracted(RetractedItem),
}

#[derive(Deserialize)]
struct FormerScore {
    entity: String,
    score: u8,
    level: Level,
    as_of: i64,
    medium_until: Option<i64>,
    high_until: Option<i64>,
    critical_until: Option<i64>,
    reasons: Vec<Reason>,
    version: i64,
    ruleset: String,
}

/// A change of score in format 2.
#[derive(Deserialize)]
struct FormerChange {
    position: u64,
    entity: String,
    version: i64,
    score: Option<FormerScore>,
    live_until: i64,
}

/// The same in format 1.
#[derive(Deserialize)]
struct FirstChange {
    change: FormerChange,
    _level_before: Option<Level>,
}

#[derive(Deserialize)]
struct FormerParked<C> {
    item: FormerItem<C>,
    answer: String,
}

impl From<FormerChange> for ScoreChange {
    fn from(FormerChange { position, entity, version, score, live_until }: FormerChange) -> Self {
        let score = score.map(|former| Score {
            entity: former.entity,
            score: former.score,
            level: Some(former.level),
            as_of: former.as_of,
            low_until: Some(live_until),
            medium_until: former.medium_until,
            high_until: former.high_until,
            critical_until: former.critical_until,
            reasons: former.reasons,
            version: former.version,
            ruleset: former.ruleset,
            ..Score::default()
        });
        Self { position, entity, version, score, live_until }
    }
}

impl From<FirstChange> for ScoreChange {
    fn from(first: FirstChange) -> Self {
        first.change.into()
    }
}

impl<C: Into<ScoreChange>> From<FormerItem<C>> for Item {
    fn from(FormerItem { sink, seq, position, committed_ms, body }: FormerItem<C>) -> Self {
        let body = match body {
            FormerBody::Alert(alert) => Body::Alert(alert),
            FormerBody::Score(change) => Body::Score(change.into()),
            FormerBody::Retracted(retracted) => Body::Retracted(retracted),
        };
        Self { sink, seq, position, committed_ms, body }
    }
}

/// Makes the tables that such a file may be without, and writes all its items anew; how many.
pub(super) fn renew(format: u64, write: &WriteTransaction) -> Result<u64, Error> {
    if format == 1 { renew_from::<FirstChange>(write) } else { renew_from::<FormerChange>(write) }
}

fn renew_from<C: DeserializeOwned + Into<ScoreChange>>(write: &WriteTransaction) -> Result<u64, Error> {
    write.open_table(STANDING).map_err(Error::write)?;
    write.open_table(ENGINES).map_err(Error::write)?;
    let mut items = 0;
    let mut bytes = BTreeMap::<String, u64>::new();
    let mut count = |sink: &str, value: &[u8]| {
        items += 1;
        *bytes.entry(sink.to_owned()).or_default() += value.len() as u64;
    };
    let item = |value: &[u8]| Ok(encode(&Item::from(decode::<FormerItem<C>>("an item", value)?)));
    each(&mut write.open_table(QUEUE).map_err(Error::write)?, item, &mut count)?;
    let parked = |value: &[u8]| {
        let FormerParked::<C> { item, answer } = decode("a parked item", value)?;
        Ok(encode(&Parked { item: item.into(), answer }))
    };
    each(&mut write.open_table(PARKED).map_err(Error::write)?, parked, &mut count)?;
    let mut sinks = write.open_table(SINKS).map_err(Error::write)?;
    for (sink, bytes) in bytes {
        let counters = sinks.get(sink.as_str()).map_err(Error::write)?.map(|counters| counters.value());
        let Some((next, pending, parked, _)) = counters else { continue };
        sinks.insert(sink.as_str(), (next, pending, parked, bytes)).map_err(Error::write)?;
    }
    Ok(items)
}

/// Puts `anew` of each value in its place, and says it.
fn each(
    table: &mut Table<'_, (&'static str, u64), &'static [u8]>,
    anew: impl Fn(&[u8]) -> Result<Vec<u8>, Error>,
    mut said: impl FnMut(&str, &[u8]),
) -> Result<(), Error> {
    let mut after: Option<(String, u64)> = None;
    loop {
        let mut page = Vec::new();
        let from = after.as_ref().map_or(Bound::Unbounded, |(sink, seq)| Bound::Excluded((sink.as_str(), *seq)));
        for entry in table.range::<(&str, u64)>((from, Bound::Unbounded)).map_err(Error::write)?.take(PAGE) {
            let (key, value) = entry.map_err(Error::write)?;
            page.push((key.value().0.to_owned(), key.value().1, anew(value.value())?));
        }
        let Some((sink, seq, _)) = page.last() else { return Ok(()) };
        after = Some((sink.clone(), *seq));
        for (sink, seq, value) in page {
            table.insert((sink.as_str(), seq), value.as_slice()).map_err(Error::write)?;
            said(&sink, &value);
        }
    }
}
