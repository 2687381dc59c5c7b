//! The end of a run: faults stop, everything drains, and what the receivers have is held against a fresh worker that goes
//! through the whole log once.

use std::collections::BTreeMap;

use rasid_connectors::alerts::{AlertStore, Filter, KeptAlert};
use rasid_connectors::effect::Body;
use rasid_connectors::log::{Block, DeadLetterReader, LetterBlock};
use rasid_connectors::outbox::backend;
use rasid_engine::{ScoreChange, Snapshot};
use rasid_service::decide::comparison::digest;
use rasid_service::decide::worker::{SetAside, Worker};
use rasid_service::recover::layout;

use super::receivers::said;
use super::schedule::{ahead, answer, republish};
use super::world::{CORE, JSONL, SINKS, World};

/// Rounds after which whatever has not drained never will.
const ROUNDS_MAX: usize = 3_000;

/// What should have happened.
struct Reference {
    worker: Worker,
    /// Id and bytes of what the core API is told, and the file.
    core: Vec<(String, String)>,
    file: Vec<(String, String)>,
    /// Positions and digests of all alerts.
    alerts: Vec<(u64, [u8; 16])>,
    dead_letters: Vec<SetAside>,
    /// What the alert store should hold.
    store: AlertStore,
    /// The newest change of each score.
    scores: BTreeMap<String, ScoreChange>,
}

/// How much a run has covered, so that nobody mistakes an empty one for a good one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Covered {
    pub(crate) alerts: usize,
    pub(crate) parked: usize,
    pub(crate) dead_letters: usize,
    pub(crate) scores: usize,
    pub(crate) retracted: usize,
    pub(crate) retired: u64,
    pub(crate) deaths: u64,
    pub(crate) hindered: u64,
    /// Alerts about which something was said, and those that are not kept any more.
    pub(crate) said: usize,
    pub(crate) let_go: usize,
    /// Files that snapshots share.
    pub(crate) lasting: usize,
}

/// Lets everything drain, and judges.
pub(crate) fn judge(world: &mut World) -> Covered {
    settle_down(world);
    let mut reference = reference(world);
    let mut covered = compare(world, &reference);
    covered.lasting = world.storage.paths().iter().filter(|path| path.starts_with("snapshots/lasting/")).count();
    // And once more from the disk: the same state, nothing to say again.
    world.die(true);
    world.boot(false);
    world.with("replay", |world, service| {
        same_store(&service.store, &reference.store);
        while service.apply(true)? {}
        let snapshot = service.worker.snapshot().expect("a ruleset is in force");
        let expected = reference.worker.snapshot().expect("a ruleset is in force");
        for part in 0..Snapshot::PARTS {
            assert!(snapshot.write(part) == expected.write(part), "part {part} of the state differs from that of one run through the log");
        }
        for sink in SINKS {
            assert_eq!(service.outbox.depth(sink), 0, "{sink} is told nothing again");
        }
        assert_eq!(service.next, world.partitions.iter().map(|partition| partition.records.len()).collect::<Vec<_>>());
        Ok(())
    });
    let state = blake3::hash(&reference.worker.snapshot().expect("a ruleset is in force").write(0));
    world.trace.note(world.now_ms, format!("{covered:?} {state} {:?}", world.storage.paths()));
    covered
}

fn settle_down(world: &mut World) {
    if world.armed {
        world.die(true);
    } else if world.full {
        world.room();
    }
    world.stalled_until_ms = [0; SINKS.len()];
    world.now_ms += 7_200_000;
    for _ in 0..ROUNDS_MAX {
        if world.service.is_none() {
            world.boot(false);
        }
        world.append(40, Vec::new());
        while let Some(items) = world.late.pop_front() {
            world.receive(0, &items);
        }
        let done = world.with("settle", |world, service| {
            service.sync()?;
            while service.apply(true)? {}
            let now = world.now();
            while service.commit(now, 64, &mut |service| ahead(world, service))? > 0 {}
            service.keep(usize::MAX)?;
            ahead(world, service);
            republish(world, service);
            let mut wait_ms = 1_000;
            for sink in 0..SINKS.len() {
                wait_ms = wait_ms.max(service.send(sink, world.now())?.unwrap_or(0));
                answer(world, service, sink, false);
            }
            world.now_ms += wait_ms;
            let read = world.partitions.iter().zip(&service.next).all(|(partition, next)| *next == partition.records.len());
            let told = SINKS.iter().all(|sink| service.outbox.depth(sink) == 0);
            Ok(read && told && service.is_idle() && !world.redis_lost)
        });
        if done == Some(true) {
            return;
        }
    }
    panic!("the service does not drain");
}

fn reference(world: &mut World) -> Reference {
    let service = world.service.take().expect("it runs");
    world.archive.read_on(world.shared_storage(), service.keys.clone(), service.durable);
    world.archive.compare(world.shared_storage(), service.keys.clone());
    let mut worker = Worker::new(world.setup(), Box::new(service.rulesets.clone()), World::routes());
    world.service = Some(service);
    let mut reader = world.archive.reader(&mut world.random);
    let mut block = Block::new();
    let (mut core, mut file, mut alerts, mut dead_letters) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut scores = BTreeMap::new();
    let store = AlertStore::with_backend(backend::Memory::new().backend(), world.retention).expect("nothing fails");
    store.begin(0).expect("nothing fails");
    while reader.next(&mut block).expect("nothing fails") {
        let step = worker.apply(&block).expect("what was applied once can be applied again");
        store.apply(step.position, &step.changes).expect("nothing fails");
        for item in &step.items {
            match (item.sink.as_str(), &item.body) {
                (CORE, Body::Score(change)) => drop(scores.insert(change.entity.clone(), change.clone())),
                (CORE, body) => core.push(said(body)),
                (JSONL, body) => file.push(said(body)),
                _ => {}
            }
        }
        alerts.extend(step.alerts.iter().map(|alert| (alert.position, digest(alert.json.as_bytes()))));
        dead_letters.extend(step.dead_letters);
    }
    Reference { worker, core, file, alerts, dead_letters, store, scores }
}

fn compare(world: &mut World, reference: &Reference) -> Covered {
    let service = world.service.take().expect("it runs");
    // Every record of every partition once, and in order.
    let streams = world.archive.streams();
    for partition in &world.partitions {
        let sent: Vec<(u64, &[u8])> = partition.records.iter().map(|(offset, _, bytes)| (*offset, bytes.as_slice())).collect();
        let logged = streams.get(partition.stream.as_str()).map(Vec::as_slice).unwrap_or_default();
        assert!(
            logged == sent,
            "{}: {} records were sent, {} are in the log, or in another order",
            partition.stream,
            sent.len(),
            logged.len()
        );
    }

    // What was told: the same ids and bytes, in the same order, but for what the core API would not have.
    let (poison, wanted): (Vec<_>, Vec<_>) = reference.core.iter().cloned().partition(|(id, _)| world.is_poison(id));
    same("the core API", &world.core.told, &wanted);
    same("the file", &world.file.told, &reference.file);
    let parked = service.outbox.parked(None, usize::MAX).expect("it can be read");
    let mut parked: Vec<_> = parked.iter().map(|parked| said(&parked.item.body)).collect();
    let mut expected = poison.clone();
    parked.sort_unstable();
    expected.sort_unstable();
    same("parked items", &parked, &expected);

    // Scores.
    assert!(world.core.scores == reference.scores, "the core API has other scores");
    let evicted = reference.worker.engine().is_some_and(|engine| engine.counters().evicted > 0);
    scores_in_redis(world, reference, evicted);

    // Dead letters.
    let mut letters = Vec::new();
    let mut reader = DeadLetterReader::open(world.shared_storage(), layout::DEAD_LETTERS, &service.keys).expect("they can be read");
    let mut block = LetterBlock::new();
    while reader.next(&mut block).expect("they can be read") {
        letters.extend(block.letters().map(|letter| SetAside {
            position: letter.position,
            arrival_ms: letter.arrival_ms,
            field: letter.field.map(str::to_owned),
            reason: letter.reason.to_owned(),
            stream: letter.stream.to_owned(),
            record: letter.record.to_vec(),
        }));
    }
    assert_eq!(letters, reference.dead_letters);

    // Alerts with what was said about them, whatever ended on the way.
    same_store(&service.store, &reference.store);
    let kept = kept(&service.store);

    // What a replay would be compared with.
    let (first, last) = (service.log.first_position(), service.appended());
    let digests = service.outbox.alerts_between(first, last).expect("it can be read");
    let expected: Vec<_> = reference.alerts.iter().copied().filter(|(position, _)| *position >= first).collect();
    assert!(expected.ends_with(&digests), "the digests kept are not those of the newest alerts");
    assert_eq!(service.committer.position(), last);
    let retracted = reference.core.iter().filter(|(id, _)| id.starts_with("retract_")).count();
    let covered = Covered {
        alerts: reference.alerts.len(),
        parked: poison.len(),
        dead_letters: letters.len(),
        scores: reference.scores.len(),
        retracted,
        retired: first - 1,
        deaths: world.deaths,
        hindered: world.hindered,
        said: kept.iter().filter(|alert| !alert.state.history.is_empty()).count(),
        let_go: reference.alerts.len() - kept.len(),
        lasting: 0,
    };
    world.service = Some(service);
    covered
}

/// What an alert store has that was there through the whole log.
pub(crate) fn reference_store(world: &mut World) -> AlertStore {
    reference(world).store
}

/// Every alert that a store keeps.
pub(crate) fn kept(store: &AlertStore) -> Vec<KeptAlert> {
    let (mut alerts, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(&Filter::default(), after.as_ref(), 1_000).expect("it can be read");
        alerts.extend(page.alerts);
        let Some(next) = page.next else { return alerts };
        after = Some(next);
    }
}

pub(crate) fn same_store(found: &AlertStore, expected: &AlertStore) {
    let (found_alerts, expected_alerts) = (kept(found), kept(expected));
    for (found, expected) in found_alerts.iter().zip(&expected_alerts) {
        assert_eq!(found, expected, "the alert store has {} otherwise", expected.id);
    }
    assert_eq!(found_alerts.len(), expected_alerts.len(), "the alert store has more or fewer");
    assert_eq!(found.figures(), expected.figures());
}

fn same(who: &str, found: &[(String, String)], expected: &[(String, String)]) {
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found, expected, "{who}: entry {index} differs");
    }
    assert_eq!(found.len(), expected.len(), "{who}: one has more than the other");
}

/// Redis has what the engine has, of what has not ended by the wall clock.
fn scores_in_redis(world: &mut World, reference: &Reference, evicted: bool) {
    let now_ms = world.now_ms;
    let live = reference.worker.engine().map(rasid_engine::Engine::live_scores).unwrap_or_default();
    let held = world.redis.held(now_ms);
    let stands = |change: &ScoreChange| (change.version, change.live_until, change.score.as_ref().map(|score| score.reasons.clone()));
    let live: BTreeMap<&str, &ScoreChange> =
        live.iter().filter(|change| change.live_until >= now_ms).map(|change| (change.entity.as_str(), change)).collect();
    for (entity, change) in &live {
        let held = held.get(*entity).map(stands);
        assert_eq!(held, Some(stands(change)), "Redis has {entity} otherwise than the engine");
    }
    for (entity, change) in held.iter().filter(|_| !evicted) {
        assert!(live.contains_key(entity.as_str()), "Redis has {entity}, and the engine has nothing: {change:?}");
    }
}
