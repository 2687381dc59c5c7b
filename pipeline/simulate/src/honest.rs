//! Everyday life, a family a file. Each story of a day has its own random stream.

pub(crate) mod auth;
pub(crate) mod booking;
pub(crate) mod books;
pub(crate) mod chat;
mod delivery;
pub(crate) mod gateway;
pub(crate) mod gps;
pub(crate) mod ops;
pub(crate) mod payment;
pub(crate) mod staff;

use crate::Config;
use crate::people::Population;
use crate::wire::Outbox;

/// Writes the day that starts at `day_start`, and what its stories still bring after it. Tells who has bought a phone: the person's
/// number, and the device.
pub(crate) fn day(config: &Config, population: &Population, day_start: i64, out: &mut Outbox) -> Vec<(u64, String)> {
    payment::open(config, population, day_start, out);
    let bought = auth::day(config, population, day_start, out);
    booking::day(config, population, day_start, out);
    gps::day(config, population, day_start, out);
    ops::day(config, population, day_start, out);
    gateway::day(config, population, day_start, out);
    bought
}

/// The number of the day in the stories' names: days since 1970, so that two simulations of one seed that start on
/// different days are different days.
pub(crate) fn day_number(day_start: i64) -> u64 {
    day_start.div_euclid(crate::clock::DAY).unsigned_abs()
}
