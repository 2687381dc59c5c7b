//! How many alerts there are, without looking at them.

use redb::{Database, ReadableDatabase as _};

use super::Error;
use super::state::{Class, hour_of};
use super::tables::COUNTS;

/// Alerts of one rule, hour and class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The rule.
    pub rule: String,
    /// The hour in which they opened, Unix ms.
    pub hour_ms: i64,
    /// What they are like.
    pub class: Class,
    /// How many.
    pub alerts: u64,
}

pub(super) fn counts(database: &Database, since_ms: i64, until_ms: i64) -> Result<Vec<Count>, Error> {
    let table = database.begin_read().map_err(Error::read)?.open_table(COUNTS).map_err(Error::read)?;
    let mut counts = Vec::new();
    let mut rule = String::new();
    // From rule to rule: what lies outside the period is not read.
    while let Some(entry) = table.range((rule.as_str(), i64::MIN, 0)..).map_err(Error::read)?.next() {
        let (key, _) = entry.map_err(Error::read)?;
        rule = key.value().0.to_owned();
        for entry in table.range((rule.as_str(), hour_of(since_ms), 0)..(rule.as_str(), until_ms, 0)).map_err(Error::read)? {
            let (key, alerts) = entry.map_err(Error::read)?;
            let (_, hour_ms, code) = key.value();
            let Some(class) = Class::of(code) else { continue };
            counts.push(Count { rule: rule.clone(), hour_ms, class, alerts: alerts.value() });
        }
        rule.push('\0'); // the first name behind it
    }
    Ok(counts)
}
