//! What hangs together in a graph: each account's component, what that comes to, and how far the account is from one that is listed.

use crate::kernel::disjoint::DisjointSets;
use crate::link::component::graph::{Edge, Graph};
use crate::near::Near;

/// Hops beyond which nobody is near: three accounts away.
pub(super) const HOPS_MAX: u8 = 6;
/// Stands for more hops than are counted.
const FAR: u8 = u8::MAX;

/// What a component comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Accounts and things.
    pub(super) nodes: u32,
    pub(super) accounts: u32,
    /// Events that name two accounts of which one or both are in it.
    pub(super) pairs: u32,
    /// Those of which both are.
    pub(super) inside: u32,
}

/// What one node reads as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Nothing links it.
    Unknown,
    /// A thing of so many that it joins nobody.
    Crowded,
    /// It is in the component of that number, and so many hops from one that is listed, where that is near.
    In { component: u32, hops: Option<u8> },
}

/// See the module's header. 5 bytes an account and 16 a component; made anew of the graph after a restart.
#[derive(Clone, Debug, Default)]
pub(super) struct Components {
    /// By account: the number of its component.
    of: Vec<u32>,
    /// By account: hops to the nearest that is listed.
    hops: Vec<u8>,
    sums: Vec<Sums>,
    /// What was near when it was made, and as of when.
    pub(super) near: Near,
    pub(super) at_ms: i64,
}

impl Components {
    /// Those of a graph, where a thing of more than `degree_max` accounts joins nobody.
    pub(super) fn new(graph: &Graph, degree_max: usize, near: &Near, at_ms: i64) -> Self {
        let mut sets = DisjointSets::new(graph.accounts.len());
        for group in joining(graph, degree_max) {
            if let [first, rest @ ..] = group {
                for edge in rest {
                    sets.join(first.account, edge.account);
                }
            }
        }
        let mut found = Self { near: near.clone(), at_ms, ..Self::default() };
        for place in 0..u32::try_from(graph.accounts.len()).unwrap_or(u32::MAX) {
            let least = sets.least(place);
            // The least of a component comes before all others of it.
            let number = if least == place { found.begin() } else { found.component(least) };
            found.of.push(number);
            found.add(number, |sums| {
                sums.nodes += 1;
                sums.accounts += 1;
            });
        }
        for group in joining(graph, degree_max) {
            if let Some(first) = group.first() {
                found.add(found.component(first.account), |sums| sums.nodes += 1);
            }
        }
        for pair in &graph.pairs {
            let (one, other) = (found.component(pair.one), found.component(pair.other));
            let add = |sums: &mut u32| *sums = sums.saturating_add(pair.count);
            found.add(one, |sums| add(&mut sums.pairs));
            if one == other {
                found.add(one, |sums| add(&mut sums.inside));
            } else {
                found.add(other, |sums| add(&mut sums.pairs));
            }
        }
        found.hops = if near.is_empty() { Vec::new() } else { hops(graph, degree_max, near, at_ms) };
        found
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.of.as_slice()) + size_of_val(self.hops.as_slice()) + size_of_val(self.sums.as_slice())
    }

    pub(super) fn sums(&self, component: u32) -> Sums {
        self.sums.get(component as usize).copied().unwrap_or_default()
    }

    /// What an account or a thing reads as. `with`: an account that it is being linked to, and is counted with where it is new.
    pub(super) fn node(&self, graph: &Graph, degree_max: usize, key: u64, with: Option<u64>) -> Node {
        let listed = || self.near.holds(key, self.at_ms).then_some(0);
        if let Some(place) = graph.place(key) {
            return Node::In { component: self.component(place), hops: listed().or(self.hops(place)) };
        }
        let place = with.and_then(|account| graph.place(account));
        let (mut degree, mut is_new, mut first, mut nearest) = (0, with.is_some(), None, FAR);
        for edge in graph.edges_of(key).take(degree_max.saturating_add(1)) {
            degree += 1;
            is_new &= Some(edge.account) != place;
            first = first.or(Some(edge.account));
            nearest = nearest.min(self.hops(edge.account).unwrap_or(FAR));
        }
        match first {
            None => Node::Unknown,
            Some(_) if degree + usize::from(is_new) > degree_max => Node::Crowded,
            Some(account) => Node::In { component: self.component(account), hops: listed().or(within(nearest.saturating_add(1))) },
        }
    }

    /// Whether a key that nothing may link is listed itself.
    pub(super) fn is_listed(&self, key: u64) -> bool {
        self.near.holds(key, self.at_ms)
    }

    /// The component of the account at a place.
    #[cfg(test)]
    pub(super) fn of_place(&self, place: u32) -> u32 {
        self.component(place)
    }

    fn begin(&mut self) -> u32 {
        self.sums.push(Sums::default());
        u32::try_from(self.sums.len() - 1).unwrap_or(u32::MAX)
    }

    fn component(&self, account: u32) -> u32 {
        self.of.get(account as usize).copied().unwrap_or(u32::MAX)
    }

    fn hops(&self, account: u32) -> Option<u8> {
        self.hops.get(account as usize).copied().and_then(within)
    }

    fn add(&mut self, component: u32, add: impl Fn(&mut Sums)) {
        if let Some(sums) = self.sums.get_mut(component as usize) {
            add(sums);
        }
    }
}

/// The edges of each thing that joins its accounts.
fn joining(graph: &Graph, degree_max: usize) -> impl Iterator<Item = &[Edge]> {
    graph.edges.chunk_by(|one, other| one.thing == other.thing).filter(move |group| group.len() <= degree_max)
}

/// Of each account the hops to the nearest that is listed. What an analyst lists counts from itself on, however many use it.
fn hops(graph: &Graph, degree_max: usize, near: &Near, at_ms: i64) -> Vec<u8> {
    let mut hops = vec![FAR; graph.accounts.len()];
    let mut listed = near.at(at_ms).peekable();
    for (account, hops) in graph.accounts.iter().zip(&mut hops) {
        while listed.next_if(|key| key < account).is_some() {}
        if listed.peek() == Some(account) {
            *hops = 0;
        }
    }
    let mut listed = near.at(at_ms).peekable();
    for group in graph.edges.chunk_by(|one, other| one.thing == other.thing) {
        let Some(Edge { thing, .. }) = group.first() else { continue };
        while listed.next_if(|key| key < thing).is_some() {}
        if listed.peek() == Some(thing) {
            nearer(&mut hops, group, 1);
        }
    }
    // Each round finds all that are two hops farther, and what it finds beyond those is no nearer than it is.
    for _ in 0..HOPS_MAX / 2 {
        for group in joining(graph, degree_max) {
            let nearest = group.iter().filter_map(|edge| hops.get(edge.account as usize)).min();
            if let Some(through) = nearest.and_then(|hops| within(hops.saturating_add(2))) {
                nearer(&mut hops, group, through);
            }
        }
    }
    hops
}

/// Makes the accounts of a group no farther than that.
fn nearer(hops: &mut [u8], group: &[Edge], at_most: u8) {
    for edge in group {
        if let Some(hops) = hops.get_mut(edge.account as usize) {
            *hops = at_most.min(*hops);
        }
    }
}

/// So many hops, where that is near.
fn within(hops: u8) -> Option<u8> {
    (hops <= HOPS_MAX).then_some(hops)
}
