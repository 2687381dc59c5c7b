//! Component: which accounts hang together by the devices, instruments and phones that they were seen with.
//!
//! ```text
//! Formula  accounts and things are nodes; an edge is an event that names both, and lasts `window` after the hour in which it was
//!          last seen; a thing with more than `degree_max` accounts joins nobody. What is joined is one component:
//!          `component` its nodes, `accounts` those of them that are accounts, `inside` of the events that name two accounts, one
//!          or both of them in it, the share with both in it, `distance` the hops to the nearest node that `near` lists, 6 at the most
//! Edges    a thing belongs to the event's account, `user_id` or else the first that it names; where the names of two fields begin
//!          with one word, to that: `tasker_device_id` to `tasker_id`. Two accounts of one event are a pair, and no edge
//! Reads    closed hours of the log's clock. At an event that feeds it, its account and things are joined besides, as far as
//!          none of them is crowded: sizes are added up, and what is new counts as one each. What nothing links is one account
//! State    one for all: 16 bytes an edge, 8 an account, 16 a pair and hour of it, and 24 an edge or a pair of the hour that is open;
//!          what is worked out of that, 5 bytes an account and 16 a component, is not saved
//! Misses   rings that share nothing which an event names; what the open hour joins, but for the event's own. Who reads the rule
//!          may crowd one thing on purpose, which leaves his accounts apart here: `distinct` of users by device sees that.
//!          He may log in on somebody's device to be joined with him: `distance` is a reason to look, and none to refuse
//! Source   connected components by disjoint sets (kernel/disjoint.rs); hops breadth first
//! ```

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

use crate::entity::{EntityKind, KeyHasher};
use crate::event::Event;
use crate::near::Near;
use crate::operator::{Fact, Feeds, Form, HeapBounds, Measure, Named, OfField, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

mod components;
mod graph;
#[cfg(test)]
mod million;
mod named;
#[cfg(test)]
mod tests;

use components::{Components, HOPS_MAX, Node};
use graph::{Edge, Graph, Link, Meeting, Open, hour_of};
use named::named;

/// Edges and pairs that are kept at the most, whatever memory there is: up to 1.2 GB.
const ENTRIES_MAX: usize = 1 << 24;

const FIELDS: &[SignalField] = &[
    SignalField { name: "component", ty: SignalType::Int, doc: "accounts and things that hang together" },
    SignalField { name: "accounts", ty: SignalType::Int, doc: "accounts of them" },
    SignalField {
        name: "inside",
        ty: SignalType::Double { decimals: 3 },
        doc: "of the events that name two accounts, one or both of them of these, the share with both; 0 where there are none",
    },
    SignalField {
        name: "distance",
        ty: SignalType::Int,
        doc: "hops to the nearest that `near` lists: one of the same device is 2 away; no value beyond 6",
    },
];

/// See the module's header.
pub struct Component;

/// A kind of thing that links the accounts that were seen with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    /// A phone or computer.
    Device,
    /// A card, wallet or bank account.
    Instrument,
    /// A telephone number.
    Phone,
    /// An address. Many people share one: a low `degree_max` leaves the crowded ones out.
    Ip,
}

impl Thing {
    const ALL: [Self; 4] = [Self::Device, Self::Instrument, Self::Phone, Self::Ip];

    fn kind(self) -> EntityKind {
        match self {
            Self::Device => EntityKind::Device,
            Self::Instrument => EntityKind::Instrument,
            Self::Phone => EntityKind::Phone,
            Self::Ip => EntityKind::Ip,
        }
    }
}

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// What links accounts. Default device, instrument, phone.
    #[serde(deserialize_with = "in_order")]
    #[schemars(length(min = 1), example = few_links())]
    pub links: Vec<Thing>,
    /// Accounts of one thing beyond which it joins nobody: a shop's tablet, an address of many. Higher sees larger rings at one
    /// thing, and joins more honest people.
    #[schemars(range(min = 2.0, max = 10_000.0), example = 50.0)]
    pub degree_max: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { links: vec![Thing::Device, Thing::Instrument, Thing::Phone], degree_max: 50 }
    }
}

/// For the schema.
fn few_links() -> [Thing; 2] {
    [Thing::Device, Thing::Instrument]
}

/// Equal sets are one text, however they are written.
fn in_order<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Thing>, D::Error> {
    let given = Vec::<Thing>::deserialize(deserializer)?;
    if given.is_empty() {
        return Err(serde::de::Error::custom("nothing that links, expected one or more of `device`, `instrument`, `phone`, `ip`"));
    }
    Ok(Thing::ALL.into_iter().filter(|thing| given.contains(thing)).collect())
}

/// What was seen.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// Since the last hour was closed; of a part, all.
    open: Open,
    /// Of closed hours.
    #[serde(serialize_with = "save", deserialize_with = "load")]
    graph: Arc<Graph>,
    /// The hour that is open.
    hour: u32,
    /// What is read; `None` where it has yet to be worked out.
    #[serde(skip)]
    components: Option<Arc<Components>>,
}

fn save<S: Serializer>(graph: &Arc<Graph>, serializer: S) -> Result<S::Ok, S::Error> {
    graph.as_ref().serialize(serializer)
}

fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Graph>, D::Error> {
    Graph::deserialize(deserializer).map(Arc::new)
}

impl Operator for Component {
    const NAME: &'static str = "component";
    const VERSION: u16 = 1;
    const GIVES: &'static str =
        "How many accounts, devices, instruments and phones hang together with somebody by what they were seen with in closed hours.";
    const FEEDS: Feeds = Feeds::Named(Named {
        types: "The event types that link accounts with things, and whose pairs of accounts are counted.",
        of: OfField::None { because: "links accounts with things", instead: "remove it; which things link is said by `links`" },
        by: "Whose component is read: a user, or a kind that `links` names.",
        window: "How long something links after it was last seen, 1h to 90d. Longer sees slower rings and keeps more state.",
        near: Some(
            "A list of users, or of a kind that `links` names: `distance` is counted from its entries. Another list counts from the next change of rules on.",
        ),
        ..Named::USUAL
    });
    const YIELDS: Yields = Yields::Measure(Measure { of: |_| true, fields: FIELDS });
    const FORM: Form = Form::Graph;
    const LEAST: Option<i64> = Some(1);
    type Params = Params;
    type State = State;

    fn heap_bytes(state: &State) -> usize {
        state.open.bytes() + state.graph.bytes() + state.components.as_ref().map_or(0, |components| components.bytes())
    }

    fn heap_bounds(_: &Setup<Params>) -> HeapBounds {
        // An account and what is worked out of it: a pair may bring two.
        let account = size_of::<u64>() + size_of::<u32>() + size_of::<u8>() + size_of::<components::Sums>();
        HeapBounds { first: size_of::<Link>(), most: ENTRIES_MAX * (size_of::<Edge>() + 2 * account) }
    }

    fn kinds(setup: &Setup<Params>) -> Vec<EntityKind> {
        std::iter::once(EntityKind::User).chain(setup.params.links.iter().map(|thing| thing.kind())).collect()
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        let (named, hour) = (named(fact.event, &setup.params.links, fact.hasher), hour_of(fact.at_ms));
        state.open.links.extend(named.links.iter().map(|(account, thing)| Link { thing: *thing, account: *account, hour }));
        state.open.meetings.extend(named.pairs().map(|(one, other)| Meeting {
            one: one.min(other),
            other: one.max(other),
            hour,
            count: 1,
        }));
        None
    }

    fn fold(_: &Setup<Params>, _: i64, whole: &mut State, part: &State) {
        whole.open.extend(&part.open);
    }

    fn forget(state: &mut State) -> bool {
        let was_any = state.open.len() + state.graph.len() > 0;
        if !Arc::make_mut(&mut state.graph).forget() {
            state.open = Open::default();
        }
        if was_any {
            state.components = None;
        }
        was_any
    }

    fn settle(setup: &Setup<Params>, closed_ms: i64, state: &mut State, near: &Near) {
        state.open.tidy();
        let hour = hour_of(closed_ms);
        if hour > state.hour {
            let first_hour = hour.saturating_sub(hours(setup.window_ms));
            Arc::make_mut(&mut state.graph).close(&std::mem::take(&mut state.open), first_hour);
            state.hour = hour;
            state.components = None;
        }
        while state.open.len() + state.graph.len() > ENTRIES_MAX && Self::forget(state) {}
        if state.components.as_ref().is_none_or(|components| components.near != *near) {
            let components = Components::new(&state.graph, degree_max(setup), near, i64::from(state.hour) * HOUR_MS);
            state.components = Some(Arc::new(components));
        }
    }

    fn read_under(setup: &Setup<Params>, whole: &State, key: u64, fed: Option<(&Event<'_>, &KeyHasher)>) -> Option<Signal> {
        let none = Components::default();
        let reading =
            Reading { graph: &whole.graph, components: whole.components.as_deref().unwrap_or(&none), degree_max: degree_max(setup) };
        let star = fed.and_then(|(event, hasher)| named(event, &setup.params.links, hasher).around(key));
        let found = match star {
            Some((account, things)) => reading.joined(key, account, &things),
            None => reading.alone(key),
        };
        Some(found.signal())
    }
}

const HOUR_MS: i64 = 3_600_000;

/// Hours that a window reaches back, begun ones counted.
fn hours(window_ms: i64) -> u32 {
    u32::try_from(window_ms.max(0).saturating_add(HOUR_MS - 1) / HOUR_MS).unwrap_or(u32::MAX)
}

fn degree_max(setup: &Setup<Params>) -> usize {
    usize::try_from(setup.params.degree_max).unwrap_or(usize::MAX)
}

/// What is read of closed hours.
struct Reading<'s> {
    graph: &'s Graph,
    components: &'s Components,
    degree_max: usize,
}

/// What a key reads as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    nodes: u64,
    accounts: u64,
    pairs: u64,
    inside: u64,
    hops: Option<u8>,
}

impl Found {
    /// What nothing links.
    const ALONE: Self = Self { nodes: 1, accounts: 1, pairs: 0, inside: 0, hops: None };

    fn signal(self) -> Signal {
        #[expect(clippy::cast_precision_loss, reason = "numbers of events, far below 2^53")]
        let inside = if self.pairs == 0 { 0.0 } else { self.inside as f64 / self.pairs as f64 };
        let int = |number: u64| OwnedValue::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let distance = self.hops.map_or(OwnedValue::Absent, |hops| OwnedValue::Int(hops.into()));
        Signal::new(FIELDS, [int(self.nodes), int(self.accounts), OwnedValue::Double(inside), distance])
    }
}

impl Reading<'_> {
    /// The component of a key.
    fn alone(&self, key: u64) -> Found {
        match self.components.node(self.graph, self.degree_max, key, None) {
            Node::In { component, hops } => Found { hops, ..self.sum(&[component]) },
            Node::Unknown | Node::Crowded => Found { hops: self.components.is_listed(key).then_some(0), ..Found::ALONE },
        }
    }

    /// Those of an account and its things, as one.
    fn joined(&self, key: u64, account: u64, things: &[u64]) -> Found {
        let hops_of = |node: Node, key: u64| match node {
            Node::In { hops, .. } => hops,
            Node::Unknown | Node::Crowded => self.components.is_listed(key).then_some(0),
        };
        let of_account = self.components.node(self.graph, self.degree_max, account, None);
        let mut new = Found { nodes: 0, accounts: 0, ..Found::ALONE };
        let mut components: SmallVec<[u32; 6]> = SmallVec::new();
        if let Node::In { component, .. } = of_account {
            components.push(component);
        } else {
            (new.nodes, new.accounts) = (1, 1);
        }
        let (mut hops, mut of_key) = (hops_of(of_account, account), None);
        for thing in things {
            let node = self.components.node(self.graph, self.degree_max, *thing, Some(account));
            match node {
                Node::In { component, .. } => components.push(component),
                Node::Unknown => new.nodes += 1,
                Node::Crowded => {}
            }
            let its = hops_of(node, *thing);
            of_key = if *thing == key { its } else { of_key };
            hops = [hops, its.map(|hops| hops + 1)].into_iter().flatten().min();
        }
        components.sort_unstable();
        components.dedup();
        // A thing is one hop from its account.
        let hops = if key == account { hops } else { [of_key, hops.map(|hops| hops + 1)].into_iter().flatten().min() };
        let known = self.sum(&components);
        Found {
            nodes: known.nodes + new.nodes,
            accounts: known.accounts + new.accounts,
            hops: hops.filter(|hops| *hops <= HOPS_MAX),
            ..known
        }
    }

    fn sum(&self, components: &[u32]) -> Found {
        let nothing = Found { nodes: 0, accounts: 0, pairs: 0, inside: 0, hops: None };
        components.iter().map(|component| self.components.sums(*component)).fold(nothing, |all, sums| Found {
            nodes: all.nodes + u64::from(sums.nodes),
            accounts: all.accounts + u64::from(sums.accounts),
            pairs: all.pairs + u64::from(sums.pairs),
            inside: all.inside + u64::from(sums.inside),
            hops: None,
        })
    }
}
