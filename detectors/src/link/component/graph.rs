//! The graph of closed hours: which accounts were seen with which things, and which accounts met. It is all that is kept; what
//! hangs together is worked out of it ([`super::components`]).
//!
//! ```text
//! accounts  8 bytes each: every account of an edge or a pair, by key; the others name it by its place
//! edges     16 bytes each: thing, account, hour in which they were last seen together; by thing, then account
//! pairs     16 bytes each: account, account, hour, how many events; by these
//! ```

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An hour, ms.
const HOUR_MS: i64 = 3_600_000;
/// Of all entries, one in so many at the least is forgotten when memory is short, so that it is not done again at once.
const FORGOTTEN: usize = 8;

/// The hour that an instant lies in, counted from 1970.
pub(super) fn hour_of(at_ms: i64) -> u32 {
    u32::try_from(at_ms.div_euclid(HOUR_MS).max(0)).unwrap_or(u32::MAX)
}

/// A thing and an account that were seen together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Link {
    pub(super) thing: u64,
    pub(super) account: u64,
    /// The newest hour of it.
    pub(super) hour: u32,
}

/// Two accounts that met in events of an hour, that of the lesser key first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meeting {
    pub(super) one: u64,
    pub(super) other: u64,
    pub(super) hour: u32,
    pub(super) count: u32,
}

/// What came since an hour was closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Open {
    pub(super) links: Vec<Link>,
    pub(super) meetings: Vec<Meeting>,
}

impl Open {
    pub(super) fn len(&self) -> usize {
        self.links.len() + self.meetings.len()
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.links.as_slice()) + size_of_val(self.meetings.as_slice())
    }

    /// Takes in what another one did.
    pub(super) fn extend(&mut self, other: &Self) {
        self.links.extend_from_slice(&other.links);
        self.meetings.extend_from_slice(&other.meetings);
    }

    /// Makes one of what says the same. What came earlier stands in order already, which this sort makes use of.
    pub(super) fn tidy(&mut self) {
        self.links.sort_by_key(|link| (link.thing, link.account, Reverse(link.hour)));
        self.links.dedup_by_key(|link| (link.thing, link.account));
        self.meetings.sort_by_key(|met| (met.one, met.other, met.hour));
        self.meetings.dedup_by(|next, first| {
            let is_same = (next.one, next.other, next.hour) == (first.one, first.other, first.hour);
            if is_same {
                first.count = first.count.saturating_add(next.count);
            }
            is_same
        });
    }
}

/// A link of closed hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Edge {
    pub(super) thing: u64,
    /// By its place.
    pub(super) account: u32,
    pub(super) hour: u32,
}

/// A meeting of closed hours, the accounts by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pair {
    pub(super) one: u32,
    pub(super) other: u32,
    pub(super) hour: u32,
    pub(super) count: u32,
}

/// See the module's header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Graph {
    pub(super) accounts: Vec<u64>,
    pub(super) edges: Vec<Edge>,
    pub(super) pairs: Vec<Pair>,
}

impl Graph {
    pub(super) fn len(&self) -> usize {
        self.edges.len() + self.pairs.len()
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.accounts.as_slice()) + size_of_val(self.edges.as_slice()) + size_of_val(self.pairs.as_slice())
    }

    /// The place of an account, where it has one.
    pub(super) fn place(&self, account: u64) -> Option<u32> {
        self.accounts.binary_search(&account).ok().and_then(|place| u32::try_from(place).ok())
    }

    /// The edges of a thing.
    pub(super) fn edges_of(&self, thing: u64) -> impl Iterator<Item = &Edge> {
        let from = self.edges.partition_point(|edge| edge.thing < thing);
        self.edges.iter().skip(from).take_while(move |edge| edge.thing == thing)
    }

    /// Takes in what is tidy and came in hours that are closed by now, and forgets what was last seen before `first_hour`.
    #[expect(clippy::stable_sort_primitive, reason = "it merges two runs that are in order, which the unstable one does not")]
    pub(super) fn close(&mut self, open: &Open, first_hour: u32) {
        let of_links = open.links.iter().map(|link| link.account);
        let mut came: Vec<u64> = of_links.chain(open.meetings.iter().flat_map(|met| [met.one, met.other])).collect();
        came.sort_unstable();
        came.dedup();
        let former = std::mem::take(&mut self.accounts);
        self.accounts.clone_from(&former);
        self.accounts.extend(came);
        self.accounts.sort();
        self.accounts.dedup();
        self.renumber(&former);

        let links =
            open.links.iter().filter_map(|link| Some(Edge { thing: link.thing, account: self.place(link.account)?, hour: link.hour }));
        let links: Vec<Edge> = links.collect();
        self.edges.extend(links);
        self.edges.sort_by_key(|edge| (edge.thing, edge.account, Reverse(edge.hour)));
        self.edges.dedup_by_key(|edge| (edge.thing, edge.account));

        let meetings = open
            .meetings
            .iter()
            .filter_map(|met| Some(Pair { one: self.place(met.one)?, other: self.place(met.other)?, hour: met.hour, count: met.count }));
        let meetings: Vec<Pair> = meetings.collect();
        self.pairs.extend(meetings);
        self.pairs.sort_by_key(|pair| (pair.one, pair.other, pair.hour));
        self.pairs.dedup_by(|next, first| {
            let is_same = (next.one, next.other, next.hour) == (first.one, first.other, first.hour);
            if is_same {
                first.count = first.count.saturating_add(next.count);
            }
            is_same
        });
        self.keep_from(first_hour);
    }

    /// Forgets the oldest hours, one in eight entries at the least; whether there was anything.
    pub(super) fn forget(&mut self) -> bool {
        let mut hours: BTreeMap<u32, usize> = BTreeMap::new();
        for hour in self.edges.iter().map(|edge| edge.hour).chain(self.pairs.iter().map(|pair| pair.hour)) {
            *hours.entry(hour).or_default() += 1;
        }
        let (mut gone, enough) = (0, self.len().div_ceil(FORGOTTEN));
        let last = hours.into_iter().find_map(|(hour, count)| {
            gone += count;
            (gone >= enough).then_some(hour)
        });
        if let Some(last) = last {
            self.edges.retain(|edge| edge.hour > last);
            self.pairs.retain(|pair| pair.hour > last);
            self.drop_unused();
        }
        last.is_some()
    }

    fn keep_from(&mut self, first_hour: u32) {
        self.edges.retain(|edge| edge.hour >= first_hour);
        self.pairs.retain(|pair| pair.hour >= first_hour);
        self.drop_unused();
    }

    /// Drops the accounts that nothing names.
    fn drop_unused(&mut self) {
        let mut used = vec![false; self.accounts.len()];
        let of_edges = self.edges.iter().map(|edge| edge.account);
        for place in of_edges.chain(self.pairs.iter().flat_map(|pair| [pair.one, pair.other])) {
            if let Some(used) = used.get_mut(place as usize) {
                *used = true;
            }
        }
        if used.iter().all(|used| *used) {
            return;
        }
        let former = std::mem::take(&mut self.accounts);
        self.accounts = former.iter().zip(&used).filter(|(_, used)| **used).map(|(account, _)| *account).collect();
        self.renumber(&former);
    }

    /// Names by today's places what is named by those of before. The order of edges and pairs stays, as that of accounts does.
    fn renumber(&mut self, former: &[u64]) {
        let (mut places, mut place) = (Vec::with_capacity(former.len()), 0_u32);
        for account in former {
            while self.accounts.get(place as usize).is_some_and(|other| other < account) {
                place += 1;
            }
            places.push(place);
        }
        let today = |place: &mut u32| *place = places.get(*place as usize).copied().unwrap_or(u32::MAX);
        self.edges.iter_mut().for_each(|edge| today(&mut edge.account));
        for pair in &mut self.pairs {
            today(&mut pair.one);
            today(&mut pair.other);
        }
    }
}
