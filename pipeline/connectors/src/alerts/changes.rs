//! What changed since somebody looked last, by log position.

use redb::{Database, ReadableDatabase as _};

use super::Error;
use super::list::{KeptAlert, Tables};
use super::state::{by_change, place_of};
use super::tables::{META, POSITION};

/// A rule's alerts were taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retraction {
    /// The log position.
    pub position: u64,
    /// The rule.
    pub rule: String,
    /// Those that opened from then on, Unix ms of the event clock.
    pub since_ms: i64,
}

/// What changed behind a log position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Alerts as they are now, in the order of what changed them last.
    pub alerts: Vec<KeptAlert>,
    /// What was taken back, in order.
    pub retractions: Vec<Retraction>,
    /// All up to there is told: ask for what is behind it next.
    pub upto: u64,
    /// There is more already.
    pub more: bool,
}

pub(super) fn changes(database: &Database, after: u64, limit: usize) -> Result<Changes, Error> {
    // The position first: what is put in between the two is told twice rather than never.
    let meta = database.begin_read().map_err(Error::read)?.open_table(META).map_err(Error::read)?;
    let tables = Tables::open(database)?;
    let mut changes = Changes { upto: meta.get(POSITION).map_err(Error::read)?.map_or(0, |value| value.value()), ..Changes::default() };
    let order = by_change();
    let (from, until) = ((order.as_str(), place_of(after.saturating_add(1)), ""), (order.as_str(), i64::MAX, ""));
    let mut last = None;
    for entry in tables.orders.range(from..until).map_err(Error::read)? {
        let (key, _) = entry.map_err(Error::read)?;
        let (_, place, id) = key.value();
        // A position is told whole: whoever has heard of it does not ask for it again.
        if changes.alerts.len() >= limit && last.is_some_and(|last| place > last) {
            (changes.more, changes.upto) = (true, last.and_then(|last| u64::try_from(last).ok()).unwrap_or(after));
            break;
        }
        last = Some(place);
        changes.alerts.extend(tables.alert(id)?);
    }
    changes.retractions = tables.retracted_within(after, changes.upto)?;
    Ok(changes)
}
