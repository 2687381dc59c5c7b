//! Looking for alerts: newest first, page after page.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::str::FromStr;

use rasid_compiler::ruleset::{Mode, Severity};
use redb::{Database, ReadOnlyTable, ReadableDatabase as _, ReadableTable as _};

use super::Error;
use super::changes::Retraction;
use super::state::{self, State, Status};
use super::tables::{ALERTS, ORDERS, RETRACTIONS, STATES, decode};
use crate::log::Verdict;

/// Alerts that one page looks at, at most: a filter that hardly anything passes does not read a store of millions at once.
const LOOK_MAX: usize = 20_000;

/// Which alerts; what is left out is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this rule.
    pub rule: Option<String>,
    /// Of the rules of this area.
    pub area: Option<String>,
    /// About this entity, `kind:id`.
    pub entity: Option<String>,
    /// As bad as one of these; none: as bad as any.
    pub severity: Vec<Severity>,
    /// Those with which people have come as far as one of these; none: any.
    pub status: Vec<Status>,
    /// Those that were delivered, or those in shadow.
    pub mode: Option<Mode>,
    /// With this verdict.
    pub verdict: Option<Verdict>,
    /// With a verdict, or without one.
    pub judged: Option<bool>,
    /// Those that were taken back with their rule's others, or those that were not.
    pub retracted: Option<bool>,
    /// Opened from then on, Unix ms of the event clock.
    pub since_ms: Option<i64>,
    /// Opened before then, Unix ms of the event clock.
    pub until_ms: Option<i64>,
}

impl Filter {
    /// The order with the fewest of those that are wanted.
    fn order(&self) -> String {
        match self {
            Self { entity: Some(entity), .. } => state::of_entity(entity),
            Self { judged: Some(true), .. } | Self { verdict: Some(_), .. } => state::judged(),
            Self { rule: Some(rule), .. } => state::of_rule(rule),
            Self { status, .. } if let [status] = status.as_slice() => state::of_status(*status),
            _ => state::all(),
        }
    }

    fn wants(&self, state: &State) -> bool {
        let area = state.rule.split('.').next();
        let verdict = state.verdict.as_ref().map(|(verdict, _)| *verdict);
        self.rule.as_ref().is_none_or(|rule| *rule == state.rule)
            && self.area.as_deref().is_none_or(|wanted| area == Some(wanted))
            && self.entity.as_ref().is_none_or(|entity| *entity == state.entity)
            && (self.severity.is_empty() || self.severity.contains(&state.severity))
            && (self.status.is_empty() || self.status.contains(&state.status))
            && self.mode.is_none_or(|mode| mode == state.mode)
            && self.verdict.is_none_or(|wanted| verdict == Some(wanted))
            && self.judged.is_none_or(|judged| judged == verdict.is_some())
    }
}

/// A place between two alerts, from which a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) opened_at_ms: i64,
    pub(super) id: String,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.opened_at_ms, self.id)
    }
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no cursor: it is given back as it was given out")]
pub struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (opened_at_ms, id) = text.split_once('.').ok_or(NoCursor)?;
        Ok(Self { opened_at_ms: opened_at_ms.parse().map_err(|_| NoCursor)?, id: id.to_owned() })
    }
}

/// An alert that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAlert {
    /// Its id.
    pub id: String,
    /// The alert, byte for byte.
    pub json: String,
    /// What became of it.
    pub state: State,
    /// The log position at which its rule's alerts were taken back, this one among them; the newest.
    pub retracted: Option<u64>,
}

/// Some alerts, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// They.
    pub alerts: Vec<KeptAlert>,
    /// Where the next page begins; `None` where there are no more. A page may be short, and empty, and others follow.
    pub next: Option<Cursor>,
}

/// The tables, as of one moment.
pub(super) struct Tables {
    alerts: ReadOnlyTable<&'static str, &'static [u8]>,
    states: ReadOnlyTable<&'static str, &'static [u8]>,
    pub(super) orders: ReadOnlyTable<(&'static str, i64, &'static str), ()>,
    retractions: ReadOnlyTable<(&'static str, u64), i64>,
}

impl Tables {
    pub(super) fn open(database: &Database) -> Result<Self, Error> {
        let read = database.begin_read().map_err(Error::read)?;
        Ok(Self {
            alerts: read.open_table(ALERTS).map_err(Error::read)?,
            states: read.open_table(STATES).map_err(Error::read)?,
            orders: read.open_table(ORDERS).map_err(Error::read)?,
            retractions: read.open_table(RETRACTIONS).map_err(Error::read)?,
        })
    }

    fn state(&self, id: &str) -> Result<Option<State>, Error> {
        let value = self.states.get(id).map_err(Error::read)?;
        value.map(|value| decode("the state of an alert", value.value())).transpose()
    }

    fn json(&self, id: &str) -> Result<String, Error> {
        let value = self.alerts.get(id).map_err(Error::read)?;
        Ok(value.map(|value| String::from_utf8_lossy(value.value()).into_owned()).unwrap_or_default())
    }

    /// The alert of that id.
    pub(super) fn alert(&self, id: &str) -> Result<Option<KeptAlert>, Error> {
        let Some(state) = self.state(id)? else { return Ok(None) };
        let retracted = retracted(&self.retractions(&state.rule)?, &state);
        Ok(Some(KeptAlert { id: id.to_owned(), json: self.json(id)?, state, retracted }))
    }

    /// What was taken back behind `after`, up to `upto`, in order.
    pub(super) fn retracted_within(&self, after: u64, upto: u64) -> Result<Vec<Retraction>, Error> {
        let mut found = Vec::new();
        for entry in self.retractions.iter().map_err(Error::read)? {
            let (key, since_ms) = entry.map_err(Error::read)?;
            let (rule, position) = key.value();
            if position > after && position <= upto {
                found.push(Retraction { position, rule: rule.to_owned(), since_ms: since_ms.value() });
            }
        }
        found.sort_by_key(|retraction| retraction.position);
        Ok(found)
    }

    /// Position and instant of the times that a rule's alerts were taken back, in order.
    fn retractions(&self, rule: &str) -> Result<Vec<(u64, i64)>, Error> {
        let found = self.retractions.range((rule, 0)..=(rule, u64::MAX)).map_err(Error::read)?;
        found
            .map(|entry| {
                let (key, since_ms) = entry.map_err(Error::read)?;
                Ok((key.value().1, since_ms.value()))
            })
            .collect()
    }
}

/// The newest of the times that took it back.
fn retracted(retractions: &[(u64, i64)], state: &State) -> Option<u64> {
    let took = |(position, since_ms): &&(u64, i64)| *position > state.position && *since_ms <= state.opened_at_ms;
    retractions.iter().rfind(took).map(|(position, _)| *position)
}

pub(super) fn list(database: &Database, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Page, Error> {
    let tables = Tables::open(database)?;
    let order = filter.order();
    let from = (order.as_str(), filter.since_ms.unwrap_or(i64::MIN), "");
    let until = (order.as_str(), filter.until_ms.unwrap_or(i64::MAX), "");
    let until = after.map_or(until, |cursor| until.min((order.as_str(), cursor.opened_at_ms, cursor.id.as_str())));
    if from >= until {
        return Ok(Page::default());
    }
    let mut retractions: BTreeMap<String, Vec<(u64, i64)>> = BTreeMap::new();
    let mut page = Page::default();
    let found = tables.orders.range((Bound::Included(from), Bound::Excluded(until))).map_err(Error::read)?;
    let mut last = None;
    for (looked, entry) in found.rev().enumerate() {
        if page.alerts.len() >= limit || looked >= LOOK_MAX {
            page.next = last;
            break;
        }
        let (key, _) = entry.map_err(Error::read)?;
        let (_, opened_at_ms, id) = key.value();
        last = Some(Cursor { opened_at_ms, id: id.to_owned() });
        let Some(state) = tables.state(id)? else { continue };
        if !filter.wants(&state) {
            continue;
        }
        if !retractions.contains_key(&state.rule) {
            retractions.insert(state.rule.clone(), tables.retractions(&state.rule)?);
        }
        let retracted = retractions.get(&state.rule).and_then(|of_rule| retracted(of_rule, &state));
        if filter.retracted.is_none_or(|wanted| wanted == retracted.is_some()) {
            page.alerts.push(KeptAlert { id: id.to_owned(), json: tables.json(id)?, state, retracted });
        }
    }
    Ok(page)
}

/// Shows the states of the newest alerts that are as the filter says, `max` looked at in all; whether there are more. Whether
/// a rule's alerts were taken back is not asked.
pub(super) fn look(database: &Database, filter: &Filter, max: usize, mut each: impl FnMut(&str, &State)) -> Result<bool, Error> {
    let tables = Tables::open(database)?;
    let order = filter.order();
    let from = (order.as_str(), filter.since_ms.unwrap_or(i64::MIN), "");
    let until = (order.as_str(), filter.until_ms.unwrap_or(i64::MAX), "");
    if from >= until {
        return Ok(false);
    }
    for (looked, entry) in tables.orders.range(from..until).map_err(Error::read)?.rev().enumerate() {
        if looked >= max {
            return Ok(true);
        }
        let (key, _) = entry.map_err(Error::read)?;
        let id = key.value().2;
        if let Some(state) = tables.state(id)?
            && filter.wants(&state)
        {
            each(id, &state);
        }
    }
    Ok(false)
}

pub(super) fn get(database: &Database, id: &str) -> Result<Option<KeptAlert>, Error> {
    Tables::open(database)?.alert(id)
}

pub(super) fn begin_with(database: &Database, prefix: &str, max: usize) -> Result<Vec<String>, Error> {
    let tables = Tables::open(database)?;
    let mut ids = Vec::new();
    for entry in tables.states.range(prefix..).map_err(Error::read)? {
        let (key, _) = entry.map_err(Error::read)?;
        if ids.len() >= max || !key.value().starts_with(prefix) {
            break;
        }
        ids.push(key.value().to_owned());
    }
    Ok(ids)
}
