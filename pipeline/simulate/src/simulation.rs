//! The stream: days are made one after another, laid in order of arrival, and given out.

use std::collections::VecDeque;

use crate::Config;
use crate::campaign::Plan;
use crate::clock::{DAY, HOUR};
use crate::honest;
use crate::label::{Campaign, LookAlike};
use crate::look_alike;
use crate::people::Population;
use crate::wire::{Delivery, Draft, Outbox, Story};

/// Identifiers of campaigns' events start here: far beyond what honest life reaches, and mixed like all others.
const CAMPAIGN_IDS: u64 = 1 << 62;

/// One record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it reaches the log, Unix ms. Never falls from one record to the next.
    pub arrival_ms: i64,
    /// An event as one line of JSON, without its end. Broken on purpose where malformed records are asked for.
    pub line: String,
    /// The number of its campaign: the place of its label among [`Simulation::labels`].
    pub campaign: Option<u32>,
    /// The number of the honest story it belongs to: the place of its label among [`Simulation::look_alikes`].
    pub look_alike: Option<u32>,
}

/// A simulated marketplace: an iterator over its records.
#[derive(Debug)]
pub struct Simulation {
    config: Config,
    population: Population,
    honest: Outbox,
    fraud: Outbox,
    ready: VecDeque<Draft>,
    plan: Plan,
    labels: Vec<Campaign>,
    look_alikes: Vec<LookAlike>,
    /// Rows of the numbering plan that look-alikes have taken.
    phones: u64,
    /// How many days are made.
    days: i64,
}

/// Starts a simulation.
pub fn simulate(config: &Config) -> Simulation {
    let delivery = Delivery { duplicates_per_million: config.duplicates_per_million, malformed_per_million: config.malformed_per_million };
    Simulation {
        population: Population::new(config),
        honest: Outbox::new(config.seed, 0, delivery),
        fraud: Outbox::new(config.seed, CAMPAIGN_IDS, delivery),
        ready: VecDeque::new(),
        plan: Plan::new(config),
        labels: Vec::new(),
        look_alikes: Vec::new(),
        phones: 0,
        days: 0,
        config: config.clone(),
    }
}

impl Simulation {
    /// The campaigns of the days that were made so far; of all of them once the records have ended.
    pub fn labels(&self) -> &[Campaign] {
        &self.labels
    }

    /// The honest stories that look like campaigns, of the days that were made so far; of all of them once the records have ended.
    pub fn look_alikes(&self) -> &[LookAlike] {
        &self.look_alikes
    }

    fn end_ms(&self) -> i64 {
        self.config.start_ms + i64::from(self.config.hours) * HOUR
    }

    /// Makes the next day, and moves what arrives before its end to `ready`. What arrives later waits for its day: no event
    /// of a later day can come before it.
    fn make_day(&mut self) {
        let day_start = self.config.start_ms + self.days * DAY;
        let day_end = (day_start + DAY).min(self.end_ms());
        let mark = self.fraud.books.mark();
        self.plan.day(&self.config, &self.population, day_end, &mut self.fraud, &mut self.labels);
        // Nobody is paid what is gone, and everybody is who is owed: there is one ledger.
        for (account, at, amount) in self.fraud.books.earners_since(mark) {
            self.honest.books.add(account, at, amount);
        }
        self.honest.troubles.clone_from(&self.fraud.brought);
        let bought = honest::day(&self.config, &self.population, day_start, &mut self.honest);
        look_alike::day(&self.config, &self.population, day_start, &mut self.honest, &mut self.look_alikes, &mut self.phones);
        honest::payment::day(&self.config, &self.population, day_start, &mut self.honest);
        self.population.own(bought);
        self.days += 1;
        let mut due: Vec<Draft> = Vec::new();
        for outbox in [&mut self.honest, &mut self.fraud] {
            let (now, later) = std::mem::take(&mut outbox.drafts).into_iter().partition(|draft| draft.arrival < day_end);
            outbox.drafts = later;
            due.extend::<Vec<Draft>>(now);
        }
        due.sort_by_key(|draft| (draft.arrival, draft.sequence));
        self.ready.extend(due);
    }
}

impl Iterator for Simulation {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        while self.ready.is_empty() && self.config.start_ms + self.days * DAY < self.end_ms() {
            self.make_day();
        }
        let draft = self.ready.pop_front()?;
        let (campaign, look_alike) = match draft.story {
            Some(Story::Campaign(number)) => (Some(number), None),
            Some(Story::LookAlike(number)) => (None, Some(number)),
            None => (None, None),
        };
        Some(Record { arrival_ms: draft.arrival, line: draft.line, campaign, look_alike })
    }
}
