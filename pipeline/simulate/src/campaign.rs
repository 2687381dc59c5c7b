//! Fraud, a family a file. Each campaign has people of its own or one chosen victim, a start drawn from the whole simulation, and a
//! label with all of its events. What honest people do around it (the victim's own login, the driver's shift) is in none.

#![allow(clippy::unnecessary_wraps, reason = "a stage may have nobody to play it on: all return an option")]

mod access;
mod account;
mod admin;
pub(crate) mod booking;
mod card;
mod cash;
mod chat;
pub(crate) mod collusion;
mod farm;
pub(crate) mod gateway;
mod gps;
mod kit;
mod ledger;
mod login;
mod money;
mod otp;
mod otp_wide;
mod outside;
mod payout;
mod payout_cover;
mod promo;
mod refund;
mod report;
mod review;
pub(crate) mod route;
mod takeover;

use crate::Config;
use crate::clock::{DAY, HOUR, MINUTE, SECOND, busy_instant};
use crate::label::Campaign;
use crate::people::Population;
use crate::random::Random;
use crate::scenario::{Kind, Level, Scenario};
use crate::scene::{Numbers, Scene, play};
use crate::wire::{Outbox, Story};

/// Every family, with its scenarios.
pub(crate) const FAMILIES: &[(&str, &[Scenario])] = &[
    ("otp", otp::SCENARIOS),
    ("otp", otp_wide::SCENARIOS),
    ("login", login::SCENARIOS),
    ("takeover", takeover::SCENARIOS),
    ("account", account::SCENARIOS),
    ("farm", farm::SCENARIOS),
    ("farm", promo::SCENARIOS),
    ("gps", gps::SCENARIOS),
    ("payment", refund::SCENARIOS),
    ("payment", payout::SCENARIOS),
    ("payment", payout_cover::SCENARIOS),
    ("payment", card::SCENARIOS),
    ("payment", cash::SCENARIOS),
    ("payment", ledger::SCENARIOS),
    ("chat", chat::SCENARIOS),
    ("jobs", booking::SCENARIOS),
    ("jobs", outside::SCENARIOS),
    ("jobs", collusion::SCENARIOS),
    ("jobs", route::SCENARIOS),
    ("reputation", review::SCENARIOS),
    ("safety", report::SCENARIOS),
    ("inside", admin::SCENARIOS),
    ("inside", access::SCENARIOS),
    ("gateway", gateway::SCENARIOS),
];

/// Numbers above this are campaigns' people; each campaign has room for 4,095.
pub(crate) const CAST: u64 = 1 << 40;

/// A campaign that will be played.
#[derive(Debug)]
struct Planned {
    start: i64,
    kind: Kind,
    level: Level,
    random: Random,
}

/// The campaigns of a simulation, by their beginning; those that are played leave it.
#[derive(Debug)]
pub(crate) struct Plan(Vec<Planned>);

impl Plan {
    /// Draws when each campaign begins. One that takes longer than the simulation does not happen.
    pub(crate) fn new(config: &Config) -> Self {
        let end = config.start_ms + i64::from(config.hours) * HOUR;
        let mut planned = Vec::new();
        for kind in &config.kinds {
            for level in &config.levels {
                for copy in 0..config.campaigns {
                    let mut random = Random::of(config.seed, kind.word(), *level as u64, u64::from(copy));
                    // Room at the end for the slowest delivery: what is labelled is in the records.
                    let (first, last) = (config.start_ms + 5 * MINUTE, end - 3 * MINUTE - kind.span_ms(*level));
                    if first <= last {
                        // Most keep the hours of those among whom they hide.
                        let any = random.between(first, last);
                        let busy = busy_instant(&mut random, any - (any - config.start_ms).rem_euclid(DAY)).clamp(first, last);
                        let start = if random.chance(0.8) { busy } else { any };
                        // What comes minutes before a start is of the same day: days are made one after another.
                        let of_day = (start - config.start_ms).rem_euclid(DAY);
                        let start = (start + (150 * SECOND - of_day).max(0)).min(last);
                        planned.push(Planned { start, kind: *kind, level: *level, random });
                    }
                }
            }
        }
        planned.sort_by_key(|one| std::cmp::Reverse(one.start));
        Self(planned)
    }

    /// Writes the campaigns that begin before `day_end`, and their labels.
    pub(crate) fn day(&mut self, config: &Config, population: &Population, day_end: i64, out: &mut Outbox, labels: &mut Vec<Campaign>) {
        while let Some(Planned { start, kind, level, random }) = self.0.pop_if(|next| next.start < day_end) {
            let number = u32::try_from(labels.len()).unwrap_or(u32::MAX);
            let place = u64::from(number);
            // Numbers that no story before it had, as long as there are no more than 400 campaigns.
            let own = (CAST + (place << 12), Numbers::Block { first: 240_000 + place * 400 % 160_000, count: 400 });
            let name = format!("{kind} {level}");
            let mut scene = Scene::new((config, population), Story::Campaign(number), name, (start, random), own);
            // Half a campaign is none: the next one gets its number.
            if let Some(label) = play(&mut scene, out, |scene, out| kind.stage(scene, level, out)) {
                labels.push(Campaign { campaign: format!("c{:02}", number + 1), kind, level, label });
            }
        }
    }
}
