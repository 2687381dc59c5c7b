//! The tables of the file, and what their values are.

use redb::{TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::Error;

/// What is in the file. It rises when a reader of the old one would misread the new one; postcard does not tell fields
/// apart, so any change to a state's types is such a change.
pub(super) const FORMAT: u64 = 2;

pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
pub(super) const ALERTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("alerts");
pub(super) const STATES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("states");
/// (order, opening time or position of the newest change, id).
pub(super) const ORDERS: TableDefinition<'_, (&str, i64, &str), ()> = TableDefinition::new("orders");
/// (rule, position) → since when, Unix ms.
pub(super) const RETRACTIONS: TableDefinition<'_, (&str, u64), i64> = TableDefinition::new("retractions");
/// First and last position of what was never put in.
pub(super) const GAPS: TableDefinition<'_, u64, u64> = TableDefinition::new("gaps");
/// Alerts that have that verdict, by rule and verdict.
pub(super) const VERDICTS: TableDefinition<'_, (&str, &str), u64> = TableDefinition::new("verdicts");

/// (rule, hour of opening, [`State::class`](super::State)) → alerts.
pub(super) const COUNTS: TableDefinition<'_, (&str, i64, u8), u64> = TableDefinition::new("counts");

/// Names in `META`, besides those of statuses.
pub(super) const POSITION: &str = "position";
pub(super) const FROM: &str = "from";
pub(super) const NAMED_FORMAT: &str = "format";

/// Makes every table, so that readers find them.
pub(super) fn make(write: &WriteTransaction) -> Result<(), Error> {
    write.open_table(META).map_err(Error::write)?.insert(NAMED_FORMAT, FORMAT).map_err(Error::write)?;
    write.open_table(ALERTS).map_err(Error::write)?;
    write.open_table(STATES).map_err(Error::write)?;
    write.open_table(ORDERS).map_err(Error::write)?;
    write.open_table(RETRACTIONS).map_err(Error::write)?;
    write.open_table(GAPS).map_err(Error::write)?;
    write.open_table(VERDICTS).map_err(Error::write)?;
    write.open_table(COUNTS).map_err(Error::write)?;
    Ok(())
}

pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("states are plain data, and memory is all that postcard needs")
}

pub(super) fn decode<'a, T: Deserialize<'a>>(what: &str, bytes: &'a [u8]) -> Result<T, Error> {
    postcard::from_bytes(bytes).map_err(|source| Error::Damaged { what: what.to_owned(), source })
}
