//! The outbox against a plain map, through crashes in and between commits.

use proptest::prelude::*;

use super::*;
use crate::outbox::backend::Memory;

const SINKS: [&str; 3] = ["core", "oncall", "redis"];
const ENTITIES: [&str; 3] = ["user:u_1", "user:u_2", "phone:p1_6q3m"];

/// What the outbox should hold, kept the plain way.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    position: u64,
    alerts: Vec<(u64, [u8; 16])>,
    next: BTreeMap<String, u64>,
    queue: BTreeMap<(String, u64), Item>,
    parked: BTreeMap<(String, u64), Parked>,
    standing: BTreeMap<(String, String), Page>,
}

#[derive(Clone, Debug)]
enum Act {
    Commit {
        advance: u64,
        alerts: Vec<u64>,
        items: Vec<(usize, Option<(usize, i64)>)>,
        settled: Vec<(usize, u64, bool)>,
        standing: Vec<(usize, usize, Option<i64>)>,
    },
    Unpark {
        number: usize,
    },
    ForgetAlerts {
        before: u64,
    },
    ForgetParked {
        before_ms: i64,
    },
}

/// An act, and what befalls it: nothing, a crash after it, or a disk that fails that many operations on, and a crash.
#[derive(Clone, Debug)]
struct Step {
    act: Act,
    fails_after: Option<u64>,
    crash: Option<u64>,
}

/// What does an act to an outbox.
type Same = Box<dyn Fn(&Outbox) -> Result<(), Error>>;

fn entity_of(item: &Item) -> Option<&str> {
    match &item.body {
        Body::Score(change) => Some(&change.entity),
        _ => None,
    }
}

fn version_of(item: &Item) -> i64 {
    match &item.body {
        Body::Score(change) => change.version,
        _ => 0,
    }
}

impl Model {
    fn push(&mut self, mut item: Item) {
        if let Some(entity) = entity_of(&item).map(str::to_owned) {
            let same = |other: &Item| other.sink == item.sink && entity_of(other) == Some(&entity);
            if self.queue.values().any(|other| same(other) && version_of(other) > version_of(&item)) {
                return;
            }
            self.queue.retain(|_, other| !same(other));
            self.parked.retain(|_, parked| !same(&parked.item));
        }
        let next = self.next.entry(item.sink.clone()).or_insert(1);
        item.seq = *next;
        *next += 1;
        self.queue.insert((item.sink.clone(), item.seq), item);
    }

    /// Does the act to the model, and gives how to do the same to an outbox.
    fn act(&mut self, act: &Act) -> Same {
        match act {
            Act::Commit { advance, alerts, items, settled, standing } => {
                let (before, position) = (self.position, self.position + advance);
                let mut positions: Vec<u64> = alerts.iter().filter(|_| *advance > 0).map(|at| before + 1 + at % advance).collect();
                positions.sort_unstable();
                let items: Vec<Item> =
                    items.iter().filter(|_| *advance > 0).enumerate().map(|(n, made)| make_item(position, n as u64, *made)).collect();
                let answers: Vec<Settled> = settled.iter().map(|chosen| self.choose(*chosen)).collect();
                self.position = position;
                for (n, at) in positions.iter().enumerate() {
                    let hash = blake3::hash(format!("{at} {n}").as_bytes());
                    self.alerts.push((*at, *hash.as_bytes().first_chunk().unwrap()));
                }
                for answer in &answers {
                    let key = (answer.sink.clone(), answer.seq);
                    if let (Some(item), Fate::Parked { answer }) = (self.queue.remove(&key), &answer.fate) {
                        self.parked.insert(key, Parked { item, answer: answer.clone() });
                    }
                }
                items.iter().cloned().for_each(|item| self.push(item));
                let standing: Vec<Standing> = standing.iter().map(|made| make_standing(*made)).collect();
                for change in standing.iter().cloned() {
                    let key = (change.sink, change.key);
                    match change.page {
                        Some(page) => drop(self.standing.insert(key, page)),
                        None => drop(self.standing.remove(&key)),
                    }
                }
                Box::new(move |outbox| {
                    let jsons: Vec<String> = positions.iter().enumerate().map(|(n, at)| format!("{at} {n}")).collect();
                    let both = positions.iter().zip(&jsons);
                    let alerts: Vec<_> = both.map(|(at, json)| CommittedAlert { position: *at, json: json.as_bytes() }).collect();
                    let queued =
                        outbox.commit(Commit { position, alerts: &alerts, items: &items, settled: &answers, standing: &standing })?;
                    for item in queued {
                        assert_eq!(outbox.pending(&item.sink, item.seq - 1, 1)?, [item], "what is given back is what is pending");
                    }
                    Ok(())
                })
            }
            Act::Unpark { number } => {
                let key = self.parked.keys().nth(number % self.parked.len().max(1)).cloned().unwrap_or_default();
                if let Some(parked) = self.parked.remove(&key) {
                    self.push(parked.item);
                }
                Box::new(move |outbox| outbox.unpark(&key.0, key.1).map(drop))
            }
            Act::ForgetAlerts { before } => {
                let before = *before;
                self.alerts.retain(|(position, _)| *position >= before);
                Box::new(move |outbox| outbox.forget_alerts_before(before))
            }
            Act::ForgetParked { before_ms } => {
                let before_ms = *before_ms;
                self.parked.retain(|_, parked| parked.item.committed_ms >= before_ms);
                Box::new(move |outbox| outbox.forget_parked_before(before_ms).map(drop))
            }
        }
    }

    /// Something that is pending, most times; else a seq that was settled, replaced, or never given.
    fn choose(&self, (number, seq, delivered): (usize, u64, bool)) -> Settled {
        let fate = if delivered { Fate::Delivered } else { parked("no") };
        let pending = self.queue.keys().nth(number % (self.queue.len() + 1)).cloned();
        let (sink, seq) = pending.unwrap_or_else(|| (SINKS[number % 3].to_owned(), seq));
        Settled { sink, seq, fate }
    }

    fn bytes(&self) -> u64 {
        let queue = self.queue.values().map(|item| tables::encode(item).len());
        let parked = self.parked.values().map(|parked| tables::encode(parked).len());
        queue.chain(parked).sum::<usize>() as u64 + self.alerts.len() as u64 * tables::ALERT_BYTES
    }

    /// What the outbox holds, as a model; and that what it says of itself agrees.
    fn of(outbox: &Outbox) -> Self {
        let mut model = Self { position: outbox.position(), alerts: outbox.alerts_between(0, u64::MAX).unwrap(), ..Self::default() };
        for held in outbox.held() {
            let items = outbox.pending(&held.sink, 0, usize::MAX).unwrap();
            assert_eq!((held.pending, outbox.depth(&held.sink)), (items.len() as u64, items.len() as u64));
            let parked = outbox.parked(Some(&held.sink), usize::MAX).unwrap();
            assert_eq!(held.parked, parked.len() as u64);
            model.queue.extend(items.into_iter().map(|item| ((item.sink.clone(), item.seq), item)));
            model.parked.extend(parked.into_iter().map(|parked| ((parked.item.sink.clone(), parked.item.seq), parked)));
            model.next.insert(held.sink.clone(), outbox.kept().sinks[&held.sink].next);
        }
        for sink in SINKS {
            let pages = outbox.standing(sink).unwrap();
            model.standing.extend(pages.into_iter().map(|(key, page)| ((sink.to_owned(), key), page)));
        }
        assert_eq!(outbox.bytes(), model.bytes());
        model
    }
}

fn make_item(position: u64, number: u64, (sink, changed): (usize, Option<(usize, i64)>)) -> Item {
    let body = changed.map_or_else(|| alert(position * 100 + number), |(entity, version)| score(ENTITIES[entity], version));
    item(SINKS[sink], position, body)
}

fn make_standing((sink, key, ends_ms): (usize, usize, Option<i64>)) -> Standing {
    let page = ends_ms.map(|ends_ms| Page { starts_ms: 0, ends_ms, json: format!("{{\"n\":{ends_ms}}}") });
    Standing { sink: SINKS[sink].to_owned(), key: ENTITIES[key].to_owned(), page }
}

fn acts() -> impl Strategy<Value = Act> {
    let items = proptest::collection::vec((0..3_usize, proptest::option::weighted(0.7, (0..3_usize, 0..6_i64))), 0..6);
    let settled = proptest::collection::vec((0..12_usize, 0..12_u64, any::<bool>()), 0..4);
    let alerts = proptest::collection::vec(0..4_u64, 0..4);
    let standing = proptest::collection::vec((0..3_usize, 0..3_usize, proptest::option::of(any::<i64>())), 0..3);
    prop_oneof![
        8 => (0..4_u64, alerts, items, settled, standing)
            .prop_map(|(advance, alerts, items, settled, standing)| Act::Commit { advance, alerts, items, settled, standing }),
        1 => (0..8_usize).prop_map(|number| Act::Unpark { number }),
        1 => (0..20_u64).prop_map(|before| Act::ForgetAlerts { before }),
        1 => (0..20_000_i64).prop_map(|before_ms| Act::ForgetParked { before_ms }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let crash = proptest::option::weighted(0.3, any::<u64>());
    let step = (acts(), proptest::option::weighted(0.3, 0..40_u64), crash);
    proptest::collection::vec(step.prop_map(|(act, fails_after, crash)| Step { act, fails_after, crash }), 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// After a crash the outbox holds what the last commit that returned left, or, whole, what the one that was under
    /// way would have.
    #[test]
    fn the_outbox_is_a_map_that_survives_crashes(steps in steps()) {
        let disk = Memory::new();
        let mut outbox = Outbox::with_backend(disk.backend()).unwrap();
        let mut model = Model::default();
        for step in steps {
            let mut after = model.clone();
            let act = after.act(&step.act);
            if let Some(left) = step.fails_after {
                disk.fail_after(left);
            }
            let done = act(&outbox);
            prop_assert!(done.is_ok() || step.fails_after.is_some(), "{:?}", done);
            if done.is_ok() {
                model = after.clone();
                prop_assert_eq!(Model::of(&outbox), model.clone());
            }
            if step.fails_after.is_some() || step.crash.is_some() {
                disk.crash(step.crash.unwrap_or(7));
                drop(outbox);
                outbox = Outbox::with_backend(disk.backend()).unwrap();
                let found = Model::of(&outbox);
                prop_assert!(found == model || found == after, "found {:?}\nbefore {:?}\nafter {:?}", found, model, after);
                model = found;
            }
        }
    }
}
