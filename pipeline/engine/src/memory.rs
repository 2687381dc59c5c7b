//! How the memory bound is dealt: one bound for everything keyed, usable whole.
//!
//! Each party has a share that is its own. What duplicates are owed comes first: memory for half an hour of `events_per_s`
//! events a second, and an eighth at the least. Of what is left, suppression, issued alerts and scores get a seventh each, and
//! keyed state the rest, dealt among its stages by the number of their bindings. Stages have a quota each, as within a batch
//! the second comes after all of the first.
//!
//! What a party does not use of its share it lends. Quotas are dealt anew from use before the first event or control record at
//! or after each log position divisible by [`DEAL_EVERY`]: a party whose use, with some room to grow, is within its share gets
//! that (and duplicates what they may grow by until the next deal, so that lending never costs them what they are owed); what
//! is spare goes to those that want more, in proportion to their shares, and to duplicates last, as what they are not owed is
//! worth least; what nobody wants yet is dealt in proportion to the shares. So what was lent comes back at the next deal, at
//! which the borrower evicts down to its new quota, and all quotas together never pass the bound. They are functions of the
//! log: use is counted from what is remembered, and a snapshot holds them.

use std::collections::BTreeMap;

use rasid_compiler::ruleset::{Binding, Ruleset};
use serde::{Deserialize, Serialize};

use crate::Config;
use crate::duplicates::{ENTRY_MEMORY, reserve_bytes};
use crate::plan::is_second;

/// The most of the bound that is reserved, whatever was asked for: half.
const RESERVE_PART: usize = 2;
/// Quotas are dealt anew at log positions divisible by this: some seconds of a flood, in which no party grows by much.
pub(crate) const DEAL_EVERY: u64 = POSITIONS as u64;
const POSITIONS: usize = 65_536;
/// What a party may grow by until the next deal: one part in so many of its use,
const USE_PART: usize = 4;
/// or of its share, if that is more.
const SHARE_PART: usize = 8;
/// The most that duplicates grow by until the next deal, bytes.
const DUPLICATES_ROOM: usize = POSITIONS * ENTRY_MEMORY;

/// What shares the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// Deliveries that are known again.
    Duplicates,
    /// Keyed state that events feed.
    First,
    /// Keyed state that firings feed.
    Second,
    /// Keyed state that alerts feed, when all else is concluded.
    Alerts,
    /// What all keys together are like, added up.
    Populations,
    /// The newest alerts of each rule and entity.
    Suppression,
    /// Alerts that were given.
    Issued,
    /// Scores.
    Scores,
}

/// How many there are.
const PARTIES: usize = Party::ALL.len();

impl Party {
    pub(crate) const ALL: [Self; 8] =
        [Self::Duplicates, Self::First, Self::Second, Self::Alerts, Self::Populations, Self::Suppression, Self::Issued, Self::Scores];
    /// Those whose quotas the shards divide.
    pub(crate) const SHARDED: [Self; 3] = [Self::First, Self::Second, Self::Alerts];

    /// That of a binding's state in the shards.
    pub(crate) fn of(binding: &Binding) -> Self {
        match binding {
            _ if binding.feeds.iter().any(|feed| feed.event.is_alert()) => Self::Alerts,
            _ if is_second(binding) => Self::Second,
            _ => Self::First,
        }
    }

    /// Its name in snapshots.
    fn name(self) -> &'static str {
        match self {
            Self::Duplicates => "duplicates",
            Self::First => "first_stage",
            Self::Second => "second_stage",
            Self::Alerts => "alert_stage",
            Self::Populations => "populations",
            Self::Suppression => "suppression",
            Self::Issued => "issued",
            Self::Scores => "scores",
        }
    }
}

/// Bytes of each party.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bytes([usize; PARTIES]);

impl Bytes {
    pub(crate) fn of(self, party: Party) -> usize {
        self.0[party as usize]
    }

    pub(crate) fn set(&mut self, party: Party, bytes: usize) {
        self.0[party as usize] = bytes;
    }

    pub(crate) fn sum(self) -> usize {
        self.0.iter().sum()
    }
}

/// The bound, and how it is dealt at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    bound: usize,
    shares: Bytes,
    quotas: Bytes,
    /// The deal that was last: log positions over [`DEAL_EVERY`].
    dealt: u64,
}

/// The last deal as it is saved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SavedMemory {
    dealt: u64,
    /// By name of the party.
    quotas: BTreeMap<String, u64>,
}

impl Memory {
    /// At the beginning of the log, where each party has its share.
    pub(crate) fn new(config: &Config, ruleset: &Ruleset) -> Self {
        let shares = Shares::of(config).by_party(ruleset);
        Self { bound: config.memory_max, shares, quotas: shares, dealt: 0 }
    }

    pub(crate) fn quota(&self, party: Party) -> usize {
        self.quotas.of(party)
    }

    pub(crate) fn share(&self, party: Party) -> usize {
        self.shares.of(party)
    }

    /// Whether it is time for a deal at that log position; it is so once.
    pub(crate) fn is_due(&mut self, position: u64) -> bool {
        let number = position / DEAL_EVERY;
        let is_due = number > self.dealt;
        self.dealt = self.dealt.max(number);
        is_due
    }

    /// Takes another bound, or another ruleset; a deal must follow.
    pub(crate) fn set(&mut self, config: &Config, ruleset: &Ruleset) {
        (self.bound, self.shares) = (config.memory_max, Shares::of(config).by_party(ruleset));
    }

    /// Deals the bound among those that use so much.
    pub(crate) fn deal(&mut self, used: Bytes) {
        self.quotas = deal(self.bound, self.shares, used);
    }

    pub(crate) fn save(&self) -> SavedMemory {
        let quotas = Party::ALL.iter().map(|party| (party.name().to_owned(), self.quotas.of(*party) as u64));
        SavedMemory { dealt: self.dealt, quotas: quotas.collect() }
    }

    /// Goes on with what was saved; a party of which nothing was has its share.
    pub(crate) fn load(&mut self, SavedMemory { dealt, quotas }: &SavedMemory) {
        self.dealt = *dealt;
        for party in Party::ALL {
            if let Some(bytes) = quotas.get(party.name()) {
                self.quotas.set(party, usize::try_from(*bytes).unwrap_or(usize::MAX));
            }
        }
    }
}

/// The quotas that come of shares and use; see the module's header.
fn deal(bound: usize, shares: Bytes, used: Bytes) -> Bytes {
    let grows = |party: usize| (used.0[party] / USE_PART).max(shares.0[party] / SHARE_PART);
    let mut wanted = Bytes(std::array::from_fn(|party| used.0[party].saturating_add(grows(party))));
    let owed = shares.of(Party::Duplicates).min(used.of(Party::Duplicates).saturating_add(DUPLICATES_ROOM));
    wanted.set(Party::Duplicates, wanted.of(Party::Duplicates).max(owed));
    let mut quotas = Bytes(std::array::from_fn(|party| wanted.0[party].min(shares.0[party])));
    let mut spare = bound.saturating_sub(quotas.sum());
    let is_last = |party: usize| party == Party::Duplicates as usize;
    lend(&mut spare, &mut quotas, shares, wanted, |party| !is_last(party));
    lend(&mut spare, &mut quotas, shares, wanted, is_last);
    let dealt = spare;
    for party in 0..PARTIES {
        quotas.0[party] += part(dealt, shares.0[party], shares.sum());
    }
    quotas
}

/// Lends what is spare to those of them that want more than they have, in proportion to their shares and never more than they
/// want.
fn lend(spare: &mut usize, quotas: &mut Bytes, shares: Bytes, wanted: Bytes, may: impl Fn(usize) -> bool) {
    loop {
        let wants = |quotas: &Bytes, party: usize| may(party) && quotas.0[party] < wanted.0[party];
        let weight: usize = (0..PARTIES).filter(|party| wants(quotas, *party)).map(|party| shares.0[party]).sum();
        let (before, mut is_satisfied) = (*spare, false);
        for party in (0..PARTIES).filter(|party| wants(quotas, *party)).collect::<Vec<_>>() {
            let lacks = wanted.0[party] - quotas.0[party];
            let lent = part(before, shares.0[party], weight).min(lacks);
            quotas.0[party] += lent;
            *spare -= lent;
            is_satisfied |= lent == lacks;
        }
        // What one of them did not want is for the others.
        if !is_satisfied {
            return;
        }
    }
}

/// So much of a whole as a weight is of all weights.
fn part(whole: usize, weight: usize, weights: usize) -> usize {
    let part = (whole as u128 * weight as u128).checked_div(weights as u128).unwrap_or(0);
    usize::try_from(part).expect("no more than the whole")
}

/// The shares of the memory bound, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    pub(crate) duplicates: usize,
    /// Of suppression, of issued alerts and of scores, each.
    pub(crate) each: usize,
    pub(crate) keyed: usize,
}

impl Shares {
    pub(crate) fn of(config: &Config) -> Self {
        let Config { memory_max, events_per_s, .. } = *config;
        let reserve = usize::try_from(reserve_bytes(events_per_s)).unwrap_or(usize::MAX);
        let duplicates = reserve.min(memory_max / RESERVE_PART).max(memory_max / 8);
        let seventh = (memory_max - duplicates) / 7;
        Self { duplicates, each: seventh, keyed: seventh * 4 }
    }

    /// With that of keyed state dealt among the stages by the number of their bindings. What has one state for all keys has
    /// half of a binding's part in the shards, for what they take in, and half where it is added up.
    fn by_party(self, ruleset: &Ruleset) -> Bytes {
        let mut halves = Bytes::default();
        for binding in &ruleset.bindings {
            let of_all = usize::from(binding.operator.spec().form.is_of_all());
            halves.0[Party::of(binding) as usize] += 2 - of_all;
            halves.0[Party::Populations as usize] += of_all;
        }
        if ruleset.bindings.is_empty() {
            halves.set(Party::First, 1);
        }
        let mut shares = Bytes(halves.0.map(|of| part(self.keyed, of, halves.sum())));
        shares.set(Party::Duplicates, self.duplicates);
        for party in [Party::Suppression, Party::Issued, Party::Scores] {
            shares.set(party, self.each);
        }
        shares
    }
}

/// Bytes of the memory bound that are reserved for half an hour of duplicates at `events_per_s` events a second.
pub fn reserved_bytes(events_per_s: u32) -> u64 {
    reserve_bytes(events_per_s)
}

/// The highest rate that memory can be reserved for: half of the bound is left for all else.
pub fn events_per_s_max(memory_max: u64) -> u32 {
    let half = memory_max / RESERVE_PART as u64;
    let (mut low, mut high) = (0, u32::MAX);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if reserve_bytes(middle) <= half { low = middle } else { high = middle - 1 }
    }
    low
}

#[cfg(test)]
mod tests;
