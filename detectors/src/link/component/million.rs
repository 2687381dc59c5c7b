//! A graph of a million accounts with planted rings: how many of them are found, how many others are, and what an hour's close takes.

use std::collections::BTreeMap;
use std::time::Instant;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{NodeIndex, UnGraph};

use super::*;

const ACCOUNTS: u64 = 1_000_000;
const RINGS: u64 = 200;
/// The hour that is closed; things were last seen in the thirty days before it.
const HOUR: u32 = 500_000;
const WINDOW_H: u32 = 720;

/// `SplitMix64` (Steele, Lea, Flood, OOPSLA 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}

/// What was seen, and who is of which ring.
struct World {
    random: Random,
    hasher: KeyHasher,
    open: Open,
    things: u64,
    rings: BTreeMap<u64, u64>,
}

impl World {
    fn account(&self, number: u64) -> u64 {
        self.hasher.key(EntityKind::User, &format!("u_{number}"))
    }

    fn thing(&mut self) -> u64 {
        self.things += 1;
        self.hasher.key(EntityKind::Device, &format!("d_{}", self.things))
    }

    fn link(&mut self, account: u64, thing: u64) {
        let hour = HOUR - 1 - u32::try_from(self.random.below(WINDOW_H.into())).expect("few");
        let account = self.account(account);
        self.open.links.push(Link { thing, account, hour });
    }

    fn meet(&mut self, one: u64, other: u64) {
        let hour = HOUR - 1 - u32::try_from(self.random.below(WINDOW_H.into())).expect("few");
        let (one, other) = (self.account(one), self.account(other));
        self.open.meetings.push(Meeting { one: one.min(other), other: one.max(other), hour, count: 1 });
    }

    /// Everybody has a phone, one device or two and one card or two; one in ten lives with others, mostly one, and shares a device
    /// with them; one in a hundred of these households is of five.
    fn honest(&mut self) {
        let mut household: Option<(u64, u64)> = None;
        for account in 0..ACCOUNTS {
            let own = 3 + u64::from(self.random.one_in(3)) + u64::from(self.random.one_in(3));
            for _ in 0..own {
                let thing = self.thing();
                self.link(account, thing);
            }
            household = match household {
                Some((thing, left)) => {
                    self.link(account, thing);
                    (left > 1).then_some((thing, left - 1))
                }
                None if self.random.one_in(20) => {
                    let others = [(70, 1), (90, 2), (99, 3), (100, 4)];
                    let drawn = self.random.below(100);
                    let left = others.into_iter().find(|(until, _)| drawn < *until).map_or(1, |(_, left)| left);
                    let thing = self.thing();
                    self.link(account, thing);
                    Some((thing, left))
                }
                None => None,
            };
        }
        for _ in 0..2 * ACCOUNTS {
            let (one, other) = (self.random.below(ACCOUNTS), self.random.below(ACCOUNTS));
            self.meet(one, other);
        }
    }

    /// Addresses and tablets of many: 200 of 100 to 5,000 accounts.
    fn crowds(&mut self) {
        for _ in 0..200 {
            let (thing, size) = (self.thing(), 100 + self.random.below(4_900));
            for _ in 0..size {
                let account = self.random.below(ACCOUNTS);
                self.link(account, thing);
            }
        }
    }

    /// Rings of 5 to 30 accounts: each shares a card or a device with the next one and nothing with the others; of forty links one was
    /// not seen. They book each other.
    fn rings(&mut self) {
        let mut next = ACCOUNTS;
        for ring in 0..RINGS {
            let size = 5 + self.random.below(26);
            let members: Vec<u64> = (next..next + size).collect();
            next += size;
            for account in &members {
                self.rings.insert(self.account(*account), ring);
                for _ in 0..2 {
                    let thing = self.thing();
                    self.link(*account, thing);
                }
            }
            for pair in members.windows(2) {
                let thing = self.thing();
                self.link(pair[0], thing);
                if !self.random.one_in(40) {
                    self.link(pair[1], thing);
                }
                self.meet(pair[0], pair[1]);
            }
        }
    }
}

/// The components of the same, by petgraph: for each account the least key of its component's accounts, and how many nodes that has.
fn oracle(graph: &Graph, degree_max: usize) -> Vec<(u64, usize)> {
    let mut oracle: UnGraph<Option<u64>, ()> = UnGraph::default();
    let accounts: Vec<NodeIndex> = graph.accounts.iter().map(|account| oracle.add_node(Some(*account))).collect();
    for group in graph.edges.chunk_by(|one, other| one.thing == other.thing).filter(|group| group.len() <= degree_max) {
        let thing = oracle.add_node(None);
        for edge in group {
            oracle.add_edge(thing, accounts[edge.account as usize], ());
        }
    }
    let count = graph.accounts.len();
    let mut of = vec![(0, 0); count];
    for set in kosaraju_scc(&oracle) {
        let least = set.iter().filter_map(|node| oracle[*node]).min().expect("no thing without an account");
        set.iter().filter(|node| node.index() < count).for_each(|node| of[node.index()] = (least, set.len()));
    }
    of
}

#[test]
#[ignore = "a minute, and figures that say something only where code is optimised"]
#[expect(clippy::disallowed_methods, reason = "it measures how long something takes")]
fn rings_among_a_million_accounts_are_found() {
    let mut world = World { random: Random(7), hasher: KeyHasher::new([7; 16]), open: Open::default(), things: 0, rings: BTreeMap::new() };
    world.honest();
    world.crowds();
    world.rings();
    // What came in the last hour is a five-hundredth of all.
    let mut last = Open {
        links: world.open.links.iter().copied().filter(|link| link.thing % 500 == 0).collect(),
        meetings: world.open.meetings.iter().copied().filter(|met| met.one % 500 == 0).collect(),
    };
    let mut graph = Graph::default();
    world.open.links.retain(|link| link.thing % 500 != 0);
    world.open.meetings.retain(|met| met.one % 500 != 0);
    world.open.tidy();
    graph.close(&world.open, HOUR - WINDOW_H);
    last.tidy();
    let came = last.len();

    let banned = world.rings.iter().filter(|(_, ring)| **ring % 10 == 0).map(|(account, _)| (*account, i64::MAX)).collect();
    let (near, degree_max) = (Near::new(banned), 50);
    let begin = Instant::now();
    graph.close(&last, HOUR - WINDOW_H);
    let closed = begin.elapsed();
    let begin = Instant::now();
    let components = Components::new(&graph, degree_max, &near, i64::from(HOUR) * HOUR_MS);
    let worked_out = begin.elapsed();
    let begin = Instant::now();
    let reading = Reading { graph: &graph, components: &components, degree_max };
    let read: u64 = graph.accounts.iter().step_by(10).map(|account| reading.alone(*account).accounts).sum();
    let reads = begin.elapsed() / u32::try_from(graph.accounts.len() / 10).expect("few");
    eprintln!(
        "{} accounts, {} edges, {} pairs: {} bytes kept, {} worked out; {came} came: merged in {closed:?}, worked out in {worked_out:?}; read in {reads:?} ({read})",
        graph.accounts.len(),
        graph.edges.len(),
        graph.pairs.len(),
        graph.bytes(),
        components.bytes(),
    );

    let expected = oracle(&graph, degree_max);
    for (place, (least, nodes)) in expected.iter().enumerate() {
        let place = u32::try_from(place).expect("a million");
        let of_least = components.of_place(graph.place(*least).expect("an account"));
        assert_eq!((components.of_place(place), components.sums(of_least).nodes as usize), (of_least, *nodes), "{place}");
    }

    let ring_of = |account: &u64| world.rings.get(account);
    let recalls = [(5, 0.95), (6, 0.9), (8, 0.85)].map(|(accounts_min, recall_min)| {
        let flagged = |inside_min: f64| -> Vec<&u64> {
            let is_flagged = |account: &&u64| {
                let found = reading.alone(**account);
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let share = found.inside as f64 / found.pairs.max(1) as f64;
                found.accounts >= accounts_min && share >= inside_min
            };
            graph.accounts.iter().filter(is_flagged).collect()
        };
        for inside_min in [0.0, 0.5] {
            let flagged = flagged(inside_min);
            let members = flagged.iter().filter(|account| ring_of(account).is_some()).count();
            let mut rings: Vec<u64> = flagged.iter().filter_map(|account| ring_of(account).copied()).collect();
            rings.sort_unstable();
            rings.dedup();
            eprintln!(
                "accounts >= {accounts_min}, inside >= {inside_min}: {} of {RINGS} rings, {members} of {} members, {} others",
                rings.len(),
                world.rings.len(),
                flagged.len() - members,
            );
        }
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let recall = flagged(0.0).iter().filter(|account| ring_of(account).is_some()).count() as f64 / world.rings.len() as f64;
        (recall, recall_min)
    });
    assert!(recalls.iter().all(|(recall, recall_min)| recall >= recall_min), "{recalls:?}");
}
