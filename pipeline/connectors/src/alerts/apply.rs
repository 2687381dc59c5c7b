//! What a transaction does to the tables.

use redb::{ReadableTable as _, Table, WriteTransaction};

use super::state::{self, Opened, State, Status};
use super::tables::{ALERTS, COUNTS, FROM, GAPS, META, ORDERS, POSITION, RETRACTIONS, STATES, VERDICTS, decode, encode};
use super::{Change, Changed, Error, Known, Retention};
use crate::log::{Feedback, Verdict};

/// Alerts that go at most when one is opened. What is beyond a bound that was lowered goes in such steps, and never in one
/// that people wait for.
const STEP: usize = 16;

/// Begins a new store at that position.
pub(super) fn begin(write: &WriteTransaction, known: &mut Known, position: u64) -> Result<(), Error> {
    let mut meta = write.open_table(META).map_err(Error::write)?;
    meta.insert(POSITION, position).map_err(Error::write)?;
    meta.insert(FROM, position + 1).map_err(Error::write)?;
    (known.position, known.from) = (Some(position), position + 1);
    Ok(())
}

/// Puts a file of format 1 into order: what it lacks is made of its states.
pub(super) fn renew(write: &WriteTransaction) -> Result<(), Error> {
    super::tables::make(write)?;
    let mut tables = Tables::open(write)?;
    let mut orders = Vec::new();
    for entry in tables.states.iter().map_err(Error::write)? {
        let (id, state) = entry.map_err(Error::write)?;
        let state: State = decode("the state of an alert", state.value())?;
        orders.push((id.value().to_owned(), state));
    }
    for (id, state) in orders {
        for (order, place) in state.orders() {
            tables.orders.insert((order.as_str(), place, id.as_str()), ()).map_err(Error::write)?;
        }
        tables.count(Some(&state), true)?;
    }
    Ok(())
}

/// Goes on behind a gap.
pub(super) fn skip(write: &WriteTransaction, known: &mut Known, position: u64) -> Result<(), Error> {
    let first = known.position.unwrap_or(0) + 1;
    write.open_table(GAPS).map_err(Error::write)?.insert(first, position).map_err(Error::write)?;
    write.open_table(META).map_err(Error::write)?.insert(POSITION, position).map_err(Error::write)?;
    known.position = Some(position);
    known.gaps.push((first, position));
    Ok(())
}

/// Puts in what is behind the store's position, up to `position`.
pub(super) fn apply(
    write: &WriteTransaction,
    known: &mut Known,
    retention: Retention,
    position: u64,
    changes: &[Changed],
) -> Result<(), Error> {
    let before = known.position.unwrap_or(0);
    let mut tables = Tables::open(write)?;
    let mut last = 0;
    for change in changes {
        if change.position < last || change.position > position {
            return Err(Error::Outside { position: change.position, after: before, upto: position });
        }
        last = change.position;
        if change.position <= before {
            continue;
        }
        match &change.change {
            Change::Opened(opened) => {
                if tables.opened(known, change.position, opened)? {
                    tables.retain(known, retention)?;
                }
            }
            Change::Feedback(feedback) => tables.feedback(known, change.position, feedback)?,
            Change::Retracted { rule, since_ms } => {
                tables.retracted(change.position, rule, *since_ms)?;
            }
        }
    }
    drop(tables);
    known.position = Some(position.max(before));
    let mut meta = write.open_table(META).map_err(Error::write)?;
    meta.insert(POSITION, position.max(before)).map_err(Error::write)?;
    for status in Status::ALL {
        meta.insert(status.name(), known.count(status)).map_err(Error::write)?;
    }
    Ok(())
}

/// The tables, open for writing.
struct Tables<'a> {
    alerts: Table<'a, &'static str, &'static [u8]>,
    states: Table<'a, &'static str, &'static [u8]>,
    orders: Table<'a, (&'static str, i64, &'static str), ()>,
    retractions: Table<'a, (&'static str, u64), i64>,
    verdicts: Table<'a, (&'static str, &'static str), u64>,
    counts: Table<'a, (&'static str, i64, u8), u64>,
}

impl<'a> Tables<'a> {
    fn open(write: &'a WriteTransaction) -> Result<Self, Error> {
        Ok(Self {
            alerts: write.open_table(ALERTS).map_err(Error::write)?,
            states: write.open_table(STATES).map_err(Error::write)?,
            orders: write.open_table(ORDERS).map_err(Error::write)?,
            retractions: write.open_table(RETRACTIONS).map_err(Error::write)?,
            verdicts: write.open_table(VERDICTS).map_err(Error::write)?,
            counts: write.open_table(COUNTS).map_err(Error::write)?,
        })
    }

    /// Whether it is new: an id names one alert (E2), and the first stands.
    fn opened(&mut self, known: &mut Known, position: u64, opened: &Opened) -> Result<bool, Error> {
        let id = opened.id.as_str();
        if self.states.get(id).map_err(Error::write)?.is_some() {
            return Ok(false);
        }
        self.alerts.insert(id, opened.json.as_bytes()).map_err(Error::write)?;
        let state = State::new(position, opened);
        self.change(known, id, None, Some(&state))?;
        Ok(true)
    }

    /// What is said about an alert that is not kept (any more) is heard by nobody.
    fn feedback(&mut self, known: &mut Known, position: u64, feedback: &Feedback) -> Result<(), Error> {
        for id in &feedback.alerts {
            let Some(before) = self.state(id)? else { continue };
            let mut after = before.clone();
            after.take(position, feedback);
            self.change(known, id, Some(&before), Some(&after))?;
        }
        Ok(())
    }

    /// Of two at one position the one that takes more back counts.
    fn retracted(&mut self, position: u64, rule: &str, since_ms: i64) -> Result<(), Error> {
        let known = self.retractions.get((rule, position)).map_err(Error::write)?.map(|since_ms| since_ms.value());
        let since_ms = known.map_or(since_ms, |known| known.min(since_ms));
        self.retractions.insert((rule, position), since_ms).map_err(Error::write)?;
        Ok(())
    }

    fn state(&self, id: &str) -> Result<Option<State>, Error> {
        let value = self.states.get(id).map_err(Error::write)?;
        value.map(|value| decode("the state of an alert", value.value())).transpose()
    }

    /// Puts a state in the place of another, with its orders and what is counted of it.
    fn change(&mut self, known: &mut Known, id: &str, before: Option<&State>, after: Option<&State>) -> Result<(), Error> {
        let of = |state: Option<&State>| state.map(State::orders).unwrap_or_default();
        let (from, to) = (of(before), of(after));
        for (order, place) in from.iter().filter(|order| !to.contains(order)) {
            self.orders.remove((order.as_str(), *place, id)).map_err(Error::write)?;
        }
        for (order, place) in to.iter().filter(|order| !from.contains(order)) {
            self.orders.insert((order.as_str(), *place, id), ()).map_err(Error::write)?;
        }
        if before.map(State::counted) != after.map(State::counted) {
            self.count(before, false)?;
            self.count(after, true)?;
        }
        match after {
            Some(state) => drop(self.states.insert(id, encode(state).as_slice()).map_err(Error::write)?),
            None => drop(self.states.remove(id).map_err(Error::write)?),
        }
        if let Some(state) = before {
            *known.count_mut(state.status) -= 1;
        }
        if let Some(state) = after {
            *known.count_mut(state.status) += 1;
        }
        let verdict = |state: Option<&State>| state.and_then(|state| Some((state.rule.clone(), state.verdict.as_ref()?.0)));
        let (was, is) = (verdict(before), verdict(after));
        if was != is {
            self.judge(known, was, false)?;
            self.judge(known, is, true)?;
        }
        Ok(())
    }

    /// Counts one more, or one less, of its rule, hour and class.
    fn count(&mut self, state: Option<&State>, more: bool) -> Result<(), Error> {
        let Some(state) = state else { return Ok(()) };
        let (hour_ms, class) = state.counted();
        let key = (state.rule.as_str(), hour_ms, class);
        let count = self.counts.get(key).map_err(Error::write)?.map_or(0, |count| count.value());
        match if more { count + 1 } else { count.saturating_sub(1) } {
            0 => drop(self.counts.remove(key).map_err(Error::write)?),
            count => drop(self.counts.insert(key, count).map_err(Error::write)?),
        }
        Ok(())
    }

    fn judge(&mut self, known: &mut Known, of: Option<(String, Verdict)>, more: bool) -> Result<(), Error> {
        let Some((rule, verdict)) = of else { return Ok(()) };
        let key = (rule.clone(), verdict);
        let count = known.verdicts.get(&key).copied().unwrap_or(0);
        let count = if more { count + 1 } else { count.saturating_sub(1) };
        if count == 0 {
            known.verdicts.remove(&key);
            self.verdicts.remove((rule.as_str(), verdict.name())).map_err(Error::write)?;
        } else {
            known.verdicts.insert(key, count);
            self.verdicts.insert((rule.as_str(), verdict.name()), count).map_err(Error::write)?;
        }
        Ok(())
    }

    /// Removes what is too old, by the newest there is, and what is too much: the oldest that is closed, else the oldest.
    /// After every alert and not after every commit, so that what is kept does not hang on how commits were cut.
    fn retain(&mut self, known: &mut Known, retention: Retention) -> Result<(), Error> {
        let newest_ms = self.last(&state::all())?.map_or(i64::MIN, |(opened_at_ms, _)| opened_at_ms);
        let oldest_ms = newest_ms.saturating_sub(retention.age_ms);
        for _ in 0..STEP {
            let oldest = self.first(&state::all())?;
            let gone = match oldest {
                Some((opened_at_ms, id)) if opened_at_ms < oldest_ms => Some(id),
                Some((_, id)) if known.alerts() > retention.count_max => {
                    Some(self.first(&state::of_status(Status::Closed))?.map_or(id, |(_, id)| id))
                }
                _ => None,
            };
            let Some(id) = gone else { break };
            let state = self.state(&id)?;
            self.change(known, &id, state.as_ref(), None)?;
            self.alerts.remove(id.as_str()).map_err(Error::write)?;
        }
        Ok(())
    }

    fn first(&self, order: &str) -> Result<Option<(i64, String)>, Error> {
        let mut found = self.orders.range((order, i64::MIN, "")..(order, i64::MAX, "")).map_err(Error::write)?;
        let entry = found.next().transpose().map_err(Error::write)?;
        Ok(entry.map(|(key, _)| (key.value().1, key.value().2.to_owned())))
    }

    fn last(&self, order: &str) -> Result<Option<(i64, String)>, Error> {
        let mut found = self.orders.range((order, i64::MIN, "")..(order, i64::MAX, "")).map_err(Error::write)?;
        let entry = found.next_back().transpose().map_err(Error::write)?;
        Ok(entry.map(|(key, _)| (key.value().1, key.value().2.to_owned())))
    }
}
