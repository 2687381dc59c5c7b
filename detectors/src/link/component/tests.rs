//! What is read against plain lists of what came and petgraph's connected components, and a graph of a million accounts.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{NodeIndex, UnGraph};
use proptest::prelude::*;

use super::*;
use crate::event::envelope::{Decoded, Limits, decode};

const MINUTE_MS: i64 = 60_000;
/// Saturday, 21 November 2026.
const START_MS: i64 = 1_795_219_200_000;

/// A payment: who, to whom, by which card and device.
#[derive(Clone, Copy, Debug)]
struct Paid {
    who: u8,
    to: Option<u8>,
    card: Option<u8>,
    device: Option<u8>,
}

impl Paid {
    fn json(self) -> String {
        let field = |name: &str, letter: char, number: Option<u8>| {
            number.map_or_else(String::new, |number| format!(r#","{name}":"{letter}_{number}""#))
        };
        format!(
            r#"{{"specversion":"1.0","id":"e","source":"/t","type":"payment.captured","time":"2026-11-21T00:00:00Z","data":{{"payment_id":"p","user_id":"u_{}","amount":1,"currency":"EGP","method":"card"{}{}{}}}}}"#,
            self.who,
            field("counterparty_id", 'u', self.to),
            field("instrument_id", 'c', self.card),
            field("device_id", 'd', self.device),
        )
    }
}

fn setup(window_h: i64, degree_max: u32) -> Setup<Params> {
    Setup { window_ms: window_h * HOUR_MS, offset_ms: 0, of: None, params: Params { degree_max, ..Params::default() } }
}

/// What an engine does with such an operator, over four shards.
struct Run {
    setup: Setup<Params>,
    hasher: KeyHasher,
    near: Near,
    parts: Vec<State>,
    whole: State,
    clock_ms: i64,
    events: u64,
}

impl Run {
    fn new(setup: Setup<Params>, near: &[(EntityKind, &str)]) -> Self {
        let hasher = KeyHasher::new([7; 16]);
        let near = Near::new(near.iter().map(|(kind, id)| (hasher.key(*kind, id), i64::MAX)).collect());
        let mut run =
            Self { setup, hasher, near, parts: vec![State::default(); 4], whole: State::default(), clock_ms: i64::MIN, events: 0 };
        run.settle(i64::MIN);
        run
    }

    fn settle(&mut self, closed_ms: i64) {
        Component::settle(&self.setup, closed_ms, &mut self.whole, &self.near);
    }

    /// Closes the minutes before an instant.
    fn close(&mut self, clock_ms: i64) {
        let minute = |at_ms: i64| at_ms.div_euclid(MINUTE_MS);
        let is_open = minute(clock_ms) <= minute(self.clock_ms);
        self.clock_ms = self.clock_ms.max(clock_ms);
        if is_open {
            return;
        }
        for part in &mut self.parts {
            Component::fold(&self.setup, clock_ms, &mut self.whole, &std::mem::take(part));
        }
        self.settle(minute(clock_ms) * MINUTE_MS);
    }

    /// What is read of a payment's payer at it, and it is fed then.
    fn pay(&mut self, at_ms: i64, paid: Paid) -> Found {
        self.close(at_ms);
        let record = paid.json();
        let Ok(Decoded::Event(event)) = decode(record.as_bytes(), &Limits::default()) else { panic!("{record}") };
        let key = self.hasher.key(EntityKind::User, &format!("u_{}", paid.who));
        let read = self.read(key, Some(&event));
        self.events += 1;
        let fact = Fact {
            event: &event,
            at_ms,
            clock_ms: self.clock_ms,
            record: &[],
            identity: self.events,
            of: None,
            amount: None,
            known_key: None,
            firing: None,
            above: true,
            below: false,
            steps: 1,
            hasher: &self.hasher,
        };
        let shard = usize::try_from(self.events * 7 % 4).expect("few");
        assert!(Component::feed(&self.setup, &fact, &mut self.parts[shard]).is_none());
        read
    }

    fn reading(&self) -> Reading<'_> {
        let components = self.whole.components.as_deref().expect("it is settled");
        Reading { graph: &self.whole.graph, components, degree_max: degree_max(&self.setup) }
    }

    fn read(&self, key: u64, fed: Option<&Event<'_>>) -> Found {
        let star = fed.and_then(|event| named(event, &self.setup.params.links, &self.hasher).around(key));
        let found = star.map_or_else(|| self.reading().alone(key), |(account, things)| self.reading().joined(key, account, &things));
        let said = Component::read_under(&self.setup, &self.whole, key, fed.map(|event| (event, &self.hasher)));
        assert!(said == Some(found.signal()));
        found
    }

    fn of(&self, kind: EntityKind, id: &str) -> Found {
        self.read(self.hasher.key(kind, id), None)
    }
}

fn paid(who: u8, card: impl Into<Option<u8>>, device: impl Into<Option<u8>>) -> Paid {
    Paid { who, to: None, card: card.into(), device: device.into() }
}

fn sizes(found: Found) -> (u64, u64, Option<u8>) {
    (found.nodes, found.accounts, found.hops)
}

#[test]
fn accounts_of_one_device_and_one_card_hang_together_from_the_next_hour_on() {
    let mut run = Run::new(setup(24, 50), &[(EntityKind::User, "u_1")]);
    let at = |minute: i64| START_MS + minute * MINUTE_MS;
    assert_eq!(sizes(run.pay(at(0), paid(1, None, 1))), (2, 1, Some(0)), "himself and his device, which is new");
    assert_eq!(sizes(run.pay(at(5), paid(2, 1, 1))), (3, 1, None), "the hour is open");
    assert_eq!(sizes(run.pay(at(10), paid(3, 1, None))), (2, 1, None));
    run.close(at(59));
    assert_eq!(sizes(run.of(EntityKind::User, "u_1")), (1, 1, Some(0)));
    run.close(at(60));
    assert_eq!(sizes(run.of(EntityKind::User, "u_3")), (5, 3, Some(4)));
    assert_eq!(sizes(run.of(EntityKind::Device, "d_1")), (5, 3, Some(1)));
    assert_eq!(sizes(run.of(EntityKind::Instrument, "c_1")), (5, 3, Some(3)));
    assert_eq!(sizes(run.of(EntityKind::User, "u_9")), (1, 1, None));
    // Somebody new who pays by the third's card is one of them at once, and six hops away.
    assert_eq!(sizes(run.pay(at(61), paid(4, 1, 9))), (7, 4, Some(4)));
    assert_eq!(sizes(run.pay(at(62), paid(5, None, 9))), (2, 1, None), "nobody else is yet by him");
    run.close(at(120));
    assert_eq!(sizes(run.of(EntityKind::User, "u_5")), (8, 5, Some(6)));
    // A day after it was last seen, the hour counted to its end, nothing is left of it.
    run.close(at(24 * 60 + 59));
    assert_eq!(sizes(run.of(EntityKind::User, "u_3")), (8, 5, Some(4)));
    run.close(at(25 * 60));
    assert_eq!((sizes(run.of(EntityKind::User, "u_3")), sizes(run.of(EntityKind::User, "u_5"))), ((1, 1, None), (4, 2, None)));
    run.close(at(26 * 60));
    assert_eq!(run.whole.graph.len() + run.whole.graph.accounts.len(), 0);
}

#[test]
fn a_crowded_thing_joins_nobody_but_is_near_where_it_is_listed() {
    let mut run = Run::new(setup(24, 3), &[(EntityKind::Device, "d_1")]);
    for who in 1..4 {
        run.pay(START_MS, paid(who, who, 1));
    }
    run.close(START_MS + HOUR_MS);
    assert_eq!(sizes(run.of(EntityKind::User, "u_1")), (7, 3, Some(1)));
    // By the fourth it is one too many, at the event already.
    assert_eq!(sizes(run.pay(START_MS + HOUR_MS, paid(4, None, 1))), (1, 1, Some(1)));
    assert_eq!(sizes(run.pay(START_MS + HOUR_MS, paid(3, None, 1))), (7, 3, Some(1)), "who is one of its three is joined");
    run.close(START_MS + 2 * HOUR_MS);
    assert_eq!(sizes(run.of(EntityKind::User, "u_1")), (2, 1, Some(1)), "he and his card");
    assert_eq!(sizes(run.of(EntityKind::Instrument, "c_2")), (2, 1, Some(2)));
    assert_eq!(sizes(run.of(EntityKind::Device, "d_1")), (1, 1, Some(0)));
}

#[test]
fn who_pays_whom_is_inside_or_not_and_links_nobody() {
    let mut run = Run::new(setup(24, 50), &[]);
    let pay = |who, to, device| Paid { who, to: Some(to), card: None, device: Some(device) };
    for (who, to, device) in [(1, 2, 1), (2, 1, 1), (1, 3, 1), (3, 4, 2), (5, 5, 3)] {
        run.pay(START_MS, pay(who, to, device));
    }
    run.close(START_MS + HOUR_MS);
    let share = |who: &str| {
        let Found { inside, pairs, accounts, .. } = run.of(EntityKind::User, who);
        (inside, pairs, accounts)
    };
    assert_eq!((share("u_1"), share("u_2")), ((2, 3, 2), (2, 3, 2)));
    assert_eq!((share("u_3"), share("u_4"), share("u_5")), ((0, 2, 1), (0, 1, 1), (0, 0, 1)));
    let signal = run.of(EntityKind::User, "u_1").signal();
    assert!(signal.get(2) == Some(&OwnedValue::Double(0.667)) && signal.get(3) == Some(&OwnedValue::Absent));
}

#[test]
fn what_memory_costs_is_the_oldest_first() {
    let mut run = Run::new(setup(24, 50), &[]);
    for hour in 0..16_u8 {
        run.pay(START_MS + i64::from(hour) * HOUR_MS, paid(hour, None, 1));
    }
    run.close(START_MS + 16 * HOUR_MS);
    let before = Component::heap_bytes(&run.whole);
    assert_eq!(run.of(EntityKind::Device, "d_1").accounts, 16);
    assert!(Component::forget(&mut run.whole));
    run.settle(START_MS + 16 * HOUR_MS);
    assert_eq!((run.of(EntityKind::Device, "d_1").accounts, run.of(EntityKind::User, "u_1").accounts), (14, 1));
    assert!(Component::heap_bytes(&run.whole) < before);
    while Component::forget(&mut run.whole) {}
    assert_eq!(Component::heap_bytes(&run.whole), 0);
}

#[test]
fn no_instant_is_too_early_or_too_late() {
    let mut run = Run::new(setup(1, 2), &[]);
    for at_ms in [i64::MIN, -1, 0, i64::MAX / 2, i64::MAX - 60_000] {
        run.pay(at_ms, paid(1, 1, 1));
        run.pay(at_ms, paid(2, 1, 1));
        run.pay(i64::MIN, paid(3, 1, 1));
    }
    assert_eq!(Component::kinds(&run.setup), [EntityKind::User, EntityKind::Device, EntityKind::Instrument, EntityKind::Phone]);
}

#[test]
fn links_are_a_set_and_not_empty() {
    let of = |json: serde_json::Value| serde_json::from_value::<Params>(json);
    let params = of(serde_json::json!({ "links": ["instrument", "device", "device"] })).expect("two kinds");
    assert_eq!(params.links, [Thing::Device, Thing::Instrument]);
    for (wrong, said) in [(serde_json::json!([]), "one or more of `device`"), (serde_json::json!(["car"]), "`car`")] {
        let error = of(serde_json::json!({ "links": wrong })).expect_err("nothing that links").to_string();
        assert!(error.contains(said), "{error}");
    }
}

/// One payment that is kept: when it was, the hour in which it came, and what it said.
#[derive(Clone, Copy)]
struct Kept {
    hour: u32,
    came: u32,
    paid: Paid,
}

/// Node of the oracle: account, card or device.
type Name = (char, u8);

/// What an account reads as of payments of closed hours, with one of its own.
fn oracle(came: &[Kept], hour: u32, window_h: u32, degree_max: usize, near: &[Name], own: Paid) -> Found {
    let closed: Vec<&Kept> = came.iter().filter(|one| one.came < hour && one.hour >= hour.saturating_sub(window_h)).collect();
    let things = |paid: &Paid| [paid.card.map(|card| ('c', card)), paid.device.map(|device| ('d', device))].into_iter().flatten();
    let mut edges: BTreeSet<(Name, Name)> = BTreeSet::new();
    for one in &closed {
        edges.extend(things(&one.paid).map(|thing| (thing, ('u', one.paid.who))));
    }
    let me = ('u', own.who);
    let degree = |thing: Name| edges.iter().filter(|(other, _)| *other == thing).count();
    // Of his own things those that are crowded with him are left out for him.
    let mine: Vec<Name> = things(&own).collect();
    let joins = |thing: Name| degree(thing) + usize::from(!edges.contains(&(thing, me))) <= degree_max;

    let mut graph: UnGraph<Name, ()> = UnGraph::default();
    let mut nodes: BTreeMap<Name, NodeIndex> = BTreeMap::new();
    let mut node = |graph: &mut UnGraph<Name, ()>, name: Name| *nodes.entry(name).or_insert_with(|| graph.add_node(name));
    for (thing, account) in &edges {
        let account = node(&mut graph, *account);
        if degree(*thing) <= degree_max {
            let thing = node(&mut graph, *thing);
            graph.add_edge(thing, account, ());
        }
    }
    node(&mut graph, me);
    let sets: Vec<Vec<Name>> = kosaraju_scc(&graph).into_iter().map(|set| set.into_iter().map(|at| graph[at]).collect()).collect();
    let of = |name: Name| sets.iter().position(|set| set.contains(&name));
    let mut joined: BTreeSet<usize> = of(me).into_iter().collect();
    joined.extend(mine.iter().filter(|thing| joins(**thing)).filter_map(|thing| of(*thing)));
    let all: Vec<Name> = joined.iter().flat_map(|set| sets[*set].iter().copied()).collect();
    let new = mine.iter().filter(|thing| degree(**thing) == 0).count();

    let (mut pairs, mut inside) = (0, 0);
    for one in &closed {
        let Some(to) = one.paid.to.filter(|to| *to != one.paid.who) else { continue };
        let (who, to) = (of(('u', one.paid.who)), of(('u', to)));
        for set in &joined {
            pairs += u64::from(who == Some(*set)) + u64::from(to == Some(*set) && to != who);
            inside += u64::from(who == Some(*set) && to == who);
        }
    }

    // Breadth first from what is listed, then through his own things.
    let mut hops: BTreeMap<Name, u8> = near.iter().map(|name| (*name, 0)).collect();
    for round in 0..6 {
        for (thing, account) in &edges {
            let (of_thing, of_account) = (hops.get(thing).copied(), hops.get(account).copied());
            let passes = degree(*thing) <= degree_max;
            if of_thing == Some(round) && (passes || round == 0) {
                hops.entry(*account).or_insert(round + 1);
            }
            if of_account == Some(round) && passes {
                hops.entry(*thing).or_insert(round + 1);
            }
        }
    }
    let through = mine.iter().filter(|thing| joins(**thing) || near.contains(thing)).filter_map(|thing| hops.get(thing));
    let nearest = through.map(|hops| hops + 1).chain(hops.get(&me).copied()).min().filter(|hops| *hops <= 6);
    Found {
        nodes: all.len() as u64 + new as u64,
        accounts: all.iter().filter(|(letter, _)| *letter == 'u').count() as u64,
        pairs,
        inside,
        hops: nearest,
    }
}

fn payments() -> impl Strategy<Value = Vec<(i64, i64, Paid)>> {
    let paid = (0_u8..12, prop::option::of(0_u8..12), prop::option::of(0_u8..9), prop::option::of(0_u8..7))
        .prop_map(|(who, to, card, device)| Paid { who, to, card, device });
    let behind = prop_oneof![4 => Just(0_i64), 1 => 0_i64..600];
    prop::collection::vec((0_i64..40, behind, paid), 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// Late, repeated, with crowded things and things that are forgotten; saved and restored in between.
    #[test]
    fn what_is_read_is_what_hangs_together(
        payments in payments(), window_h in 1_u32..9, degree_max in 2_u32..6, listed in prop::collection::vec((0_usize..3, 0_u8..9), 0..3), cut in 1_usize..50,
    ) {
        let kinds = [('u', EntityKind::User), ('c', EntityKind::Instrument), ('d', EntityKind::Device)];
        let names: Vec<Name> = listed.iter().map(|(kind, number)| (kinds[*kind].0, *number)).collect();
        let ids: Vec<(EntityKind, String)> = listed.iter().map(|(kind, number)| (kinds[*kind].1, format!("{}_{number}", kinds[*kind].0))).collect();
        let near: Vec<(EntityKind, &str)> = ids.iter().map(|(kind, id)| (*kind, id.as_str())).collect();
        let mut run = Run::new(setup(i64::from(window_h), degree_max), &near);
        let (mut came, mut clock_ms): (Vec<Kept>, i64) = (Vec::new(), START_MS);
        for (number, (after, behind, paid)) in payments.into_iter().enumerate() {
            clock_ms += after * MINUTE_MS;
            // The clock comes first, then what may be late against it.
            run.close(clock_ms);
            if number % cut == 0 {
                let bytes = postcard::to_allocvec(&run.whole).expect("plain data");
                let heap = Component::heap_bytes(&run.whole);
                run.whole = postcard::from_bytes(&bytes).expect("what was saved");
                run.settle(clock_ms.div_euclid(MINUTE_MS) * MINUTE_MS);
                prop_assert_eq!(Component::heap_bytes(&run.whole), heap);
            }
            let at_ms = clock_ms - behind * MINUTE_MS;
            let expected = oracle(&came, hour_of(clock_ms), window_h, degree_max as usize, &names, paid);
            prop_assert_eq!(run.pay(at_ms, paid), expected, "{}", number);
            came.push(Kept { hour: hour_of(at_ms), came: hour_of(clock_ms), paid });
        }
    }

    /// What is closed at once is what is closed hour by hour, in whatever order it came.
    #[test]
    fn order_changes_nothing(payments in payments(), by in any::<prop::sample::Index>(), degree_max in 2_u32..6) {
        let of = |payments: &[(i64, i64, Paid)]| {
            let mut run = Run::new(setup(24 * 30, degree_max), &[]);
            run.close(START_MS);
            for (_, behind, paid) in payments {
                run.pay(START_MS - behind * MINUTE_MS, *paid);
            }
            run.close(START_MS + HOUR_MS);
            run.whole
        };
        let mut turned = payments.clone();
        turned.rotate_left(by.index(payments.len()));
        turned.extend_from_slice(&payments[..payments.len() / 2]);
        let (one, other) = (of(&payments), of(&turned));
        prop_assert_eq!(&one.graph.edges, &other.graph.edges);
        let components = |state: &State| state.components.as_ref().map(|of| (0..12).map(|place| of.of_place(place)).collect::<Vec<_>>());
        prop_assert_eq!(components(&one), components(&other));
    }
}
