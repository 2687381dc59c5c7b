//! The tables of the file, and what their values are.

use redb::{TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::Error;

/// What is in the file. It rises when a reader of the old one would misread the new one; postcard does not tell fields
/// apart, so any change to an item's types is such a change.
pub(super) const FORMAT: u64 = 3;
/// What one alert's hash takes: position, number, hash.
pub(super) const ALERT_BYTES: u64 = 8 + 4 + 16;

pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
pub(super) const ALERTS: TableDefinition<'_, (u64, u32), [u8; 16]> = TableDefinition::new("alerts");
/// From which position on which version of the engine committed.
pub(super) const ENGINES: TableDefinition<'_, u64, &str> = TableDefinition::new("engines");
pub(super) const SINKS: TableDefinition<'_, &str, (u64, u64, u64, u64)> = TableDefinition::new("sinks");
pub(super) const QUEUE: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("queue");
pub(super) const NEWEST_SCORES: TableDefinition<'_, (&str, &str), (u64, i64)> = TableDefinition::new("newest_scores");
pub(super) const PARKED: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("parked");
pub(super) const PARKED_SCORES: TableDefinition<'_, (&str, &str), u64> = TableDefinition::new("parked_scores");
pub(super) const STANDING: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("standing");

/// What one sink has in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counters {
    /// Seq of its next item; the first is 1.
    pub(super) next: u64,
    /// Rows in `queue`.
    pub(super) pending: u64,
    /// Rows in `parked`.
    pub(super) parked: u64,
    /// Bytes of the values of both.
    pub(super) bytes: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self { next: 1, pending: 0, parked: 0, bytes: 0 }
    }
}

impl From<(u64, u64, u64, u64)> for Counters {
    fn from((next, pending, parked, bytes): (u64, u64, u64, u64)) -> Self {
        Self { next, pending, parked, bytes }
    }
}

impl From<Counters> for (u64, u64, u64, u64) {
    fn from(counters: Counters) -> Self {
        (counters.next, counters.pending, counters.parked, counters.bytes)
    }
}

/// Makes every table, so that readers find them.
pub(super) fn make(write: &WriteTransaction) -> Result<(), Error> {
    write.open_table(META).map_err(Error::write)?.insert("format", FORMAT).map_err(Error::write)?;
    write.open_table(ALERTS).map_err(Error::write)?;
    write.open_table(ENGINES).map_err(Error::write)?;
    write.open_table(SINKS).map_err(Error::write)?;
    write.open_table(QUEUE).map_err(Error::write)?;
    write.open_table(NEWEST_SCORES).map_err(Error::write)?;
    write.open_table(PARKED).map_err(Error::write)?;
    write.open_table(PARKED_SCORES).map_err(Error::write)?;
    write.open_table(STANDING).map_err(Error::write)?;
    Ok(())
}

pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("items are plain data, and memory is all that postcard needs")
}

pub(super) fn decode<'a, T: Deserialize<'a>>(what: &str, bytes: &'a [u8]) -> Result<T, Error> {
    postcard::from_bytes(bytes).map_err(|source| Error::Damaged { what: what.to_owned(), source })
}
