//! What happens next.

use rasid_connectors::alerts::Filter;
use rasid_connectors::effect::{Body, Item};
use rasid_connectors::log::{self, Control, Entry, Feedback, Verdict};
use rasid_connectors::sink::Answer;

use super::events;
use super::random::Random;
use super::service::Service;
use super::world::{SINKS, World};

/// Everything that can happen, and how often.
const STEPS: [(Act, u64); 25] = [
    (Act::Append, 24),
    (Act::Sync, 18),
    (Act::Apply, 18),
    (Act::Commit, 18),
    (Act::Send, 30),
    (Act::Answer, 30),
    (Act::Ahead, 6),
    (Act::Late, 3),
    (Act::TakeSnapshot, 4),
    (Act::WriteSnapshot, 4),
    (Act::Retain, 3),
    (Act::Forget, 2),
    (Act::Switch, 1),
    (Act::Retract, 2),
    (Act::Tick, 2),
    (Act::Stall, 2),
    (Act::Lose, 1),
    (Act::Republish, 3),
    (Act::Unpark, 1),
    (Act::Drain, 1),
    (Act::Kill, 1),
    (Act::Crash, 2),
    (Act::Inject, 2),
    (Act::Away, 1),
    (Act::Night, 1),
];

#[derive(Clone, Copy, Debug)]
enum Act {
    Append,
    Sync,
    Apply,
    Commit,
    Send,
    Answer,
    Ahead,
    Late,
    TakeSnapshot,
    WriteSnapshot,
    Retain,
    Forget,
    Switch,
    Retract,
    Tick,
    Stall,
    Lose,
    Republish,
    Unpark,
    Drain,
    Kill,
    Crash,
    Inject,
    Away,
    Night,
}

/// How often each of them happens under one seed: some not at all, some a lot.
pub(crate) struct Schedule([u64; STEPS.len()]);

impl Schedule {
    pub(crate) fn new(random: &mut Random) -> Self {
        Self(STEPS.map(|(act, often)| match act {
            Act::Append | Act::Sync | Act::Apply | Act::Commit | Act::Send | Act::Answer => often * (1 + random.below(3)),
            _ => often * [0, 1, 1, 3][random.index(4)],
        }))
    }

    pub(crate) fn step(&self, world: &mut World) {
        world.now_ms += if world.random.one_in(40) { world.random.ms(60_000) } else { world.random.ms(4_000) };
        world.wall.step(world.now_ms);
        if world.full && world.random.one_in(25) {
            world.room();
        }
        if world.service.is_none() {
            world.boot(true);
            return;
        }
        keep(world);
        if world.service.is_none() {
            return; // the alert store's disk has failed
        }
        let mut at = world.random.below(self.0.iter().sum());
        for ((act, _), often) in STEPS.iter().zip(self.0) {
            if at < often {
                return act.happens(world);
            }
            at -= often;
        }
    }
}

impl Act {
    fn happens(self, world: &mut World) {
        match self {
            Self::Append => world.append(12, Vec::new()),
            Self::Sync => drop(world.with("sync", |_, service| service.sync())),
            Self::Apply => apply(world),
            Self::Commit => {
                let most = 1 + world.random.index(8);
                commit(world, most);
            }
            Self::Send => {
                let sink = world.random.index(SINKS.len());
                world.with("send", |world, service| service.send(sink, world.now()));
            }
            Self::Answer => {
                let sink = world.random.index(SINKS.len());
                world.with("answer", |world, service| {
                    answer(world, service, sink, true);
                    Ok(())
                });
            }
            Self::Ahead => drop(world.with("ahead", |world, service| {
                ahead(world, service);
                Ok(())
            })),
            Self::Late => {
                if let Some(items) = world.late.pop_front() {
                    world.trace.note(world.now_ms, format!("{} items come late", items.len()));
                    world.receive(0, &items);
                }
            }
            Self::TakeSnapshot => drop(world.with("take a snapshot", |_, service| Ok(service.take_snapshot()))),
            Self::WriteSnapshot => write_snapshot(world),
            Self::Retain => retain(world),
            Self::Forget => drop(world.with("forget alerts", |_, service| match service.forget.take() {
                Some(before) => Ok(service.outbox.forget_alerts_before(before)?),
                None => Ok(()),
            })),
            Self::Switch => switch(world),
            Self::Retract => {
                let rule = events::RULES[world.random.index(events::RULES.len())].to_owned();
                let since_ms = world.now_ms - world.random.ms(1_800_000);
                world.append(4, vec![Control::Retract { rule, since_ms }]);
            }
            Self::Tick => {
                let at_ms = world.wall.at(world.now_ms).confirmed_ms();
                world.append(2, at_ms.map(|at_ms| Control::Tick { at_ms }).into_iter().collect());
            }
            Self::Stall => {
                let sink = world.random.index(SINKS.len());
                world.stalled_until_ms[sink] = world.now_ms + world.random.ms(900_000);
                world.trace.note(world.now_ms, format!("{} stalls", SINKS[sink]));
            }
            Self::Lose => {
                world.redis.lose();
                world.redis_lost = true;
                world.trace.note(world.now_ms, "redis loses everything".to_owned());
            }
            Self::Republish => drop(world.with("republish", |world, service| {
                republish(world, service);
                Ok(())
            })),
            Self::Unpark => unpark(world),
            Self::Drain => drain(world),
            Self::Kill => world.die(false),
            Self::Crash => world.die(true),
            Self::Inject => world.inject(),
            Self::Away => {
                world.die(true);
                world.pass();
            }
            Self::Night => world.pass(),
        }
    }
}

/// What becomes of the alert store in the meantime, and what people say about what is in it.
fn keep(world: &mut World) {
    if !world.people {
        world.with("keep", |_, service| service.keep(usize::MAX));
        return;
    }
    match world.store_random.below(16) {
        0..=4 => {
            let most = 1 + world.store_random.index(4);
            world.with("keep", |_, service| service.keep(most));
        }
        5 => drop(world.with("keep", |_, service| service.keep(usize::MAX))),
        6 if world.store_random.one_in(3) => say(world),
        7 if world.store_random.one_in(25) => world.inject_into_store(),
        _ => {}
    }
}

/// Somebody says something about alerts, one of which may be gone, or have never been.
fn say(world: &mut World) {
    let act = match world.store_random.below(5) {
        0 => log::Act::Acknowledge { assignee: None },
        1 => log::Act::Acknowledge { assignee: Some("noor".to_owned()) },
        2 => log::Act::Close,
        _ => log::Act::Verdict(Verdict::ALL[world.store_random.index(Verdict::ALL.len())]),
    };
    world.with("say", |world, service| {
        let known = service.store.list(&Filter::default(), None, 60)?.alerts;
        let mut alerts: Vec<String> = (0..world.store_random.index(4))
            .filter_map(|_| known.get(world.store_random.index(known.len())).map(|alert| alert.id.clone()))
            .collect();
        if world.store_random.one_in(8) {
            alerts.push("al_none".to_owned());
        }
        let at_ms = world.now().wall_ms;
        let (who, claimed, why) = ("rasid".to_owned(), "dana".to_owned(), format!("for reason {}", world.store_random.below(99)));
        world.trace.note(world.now_ms, format!("{act:?} {alerts:?}"));
        service.append(at_ms, &[Entry::Control(Control::Feedback(Feedback { alerts, act, who, claimed, why, at_ms }))])
    });
}

fn apply(world: &mut World) {
    let tell = world.random.one_in(3);
    world.with("apply", |world, service| {
        if service.apply(tell)? {
            world.trace.note(world.now_ms, format!("apply to {}", service.worker.position()));
        }
        Ok(())
    });
}

/// The scores may be written to Redis before their commit, or after.
fn commit(world: &mut World, most: usize) {
    world.with("commit", |world, service| {
        let early = world.random.one_in(2);
        let count = service.commit(world.now(), most, &mut |service| {
            if early {
                ahead(world, service);
            }
        })?;
        if count > 0 {
            world.trace.note(world.now_ms, format!("commit {count} to {}", service.committer.position()));
        }
        Ok(())
    });
}

/// What a receiver answers to what is in flight.
pub(crate) fn answer(world: &mut World, service: &mut Service, sink: usize, faults: bool) {
    let Some(parcel) = service.sinks[sink].in_flight.clone() else { return };
    let items = parcel.items();
    let what = match (faults, world.now_ms < world.stalled_until_ms[sink]) {
        (false, _) => 20,
        (true, true) => world.random.below(2),
        (true, false) => world.random.below(16),
    };
    let error = || "the world".to_owned();
    let answer = match what {
        0 => Answer::Unknown { error: error() },
        1 => {
            let retry_after_ms = if world.random.one_in(3) { Some(world.random.below(60_000)) } else { None };
            Answer::Unavailable { retry_after_ms, error: error() }
        }
        2 => {
            world.receive(sink, items);
            Answer::Unknown { error: error() }
        }
        3 => {
            let taken = world.random.index(items.len() + 1);
            world.receive(sink, &items[..taken]);
            Answer::Unknown { error: error() }
        }
        4 if sink == 0 => {
            world.late.push_back(items.to_vec());
            Answer::Unknown { error: error() }
        }
        _ => taken(world, sink, items),
    };
    world.trace.note(world.now_ms, format!("{} answers {} items: {what}", SINKS[sink], items.len()));
    service.answered(sink, world.now(), answer);
}

fn taken(world: &mut World, sink: usize, items: &[Item]) -> Answer {
    let poison = |item: &Item| sink == 0 && matches!(&item.body, Body::Alert(alert) if world.is_poison(&alert.id));
    let refused: Vec<usize> = (0..items.len()).filter(|index| poison(&items[*index])).collect();
    if !refused.is_empty() && world.random.one_in(2) {
        return Answer::Refused { answer: "one of them will not do".to_owned() };
    }
    world.receive(sink, items);
    Answer::Taken { refused: refused.into_iter().map(|index| (index, "it will not do".to_owned())).collect() }
}

/// Redis is written to ahead of the commit, by the task that also sends it what waits.
pub(crate) fn ahead(world: &mut World, service: &mut Service) {
    if service.sinks[1].in_flight.is_some() {
        return;
    }
    let changes = service.take_ahead();
    if !service.sinks[1].queue.may_send_ahead() {
        return;
    }
    if changes.is_empty() {
        return;
    }
    let stalled = world.now_ms < world.stalled_until_ms[1];
    let (written, known) = if stalled { (false, false) } else { [(true, true), (true, true), (true, false)][world.random.index(3)] };
    world.trace.note(world.now_ms, format!("{} scores ahead: {written} {known}", changes.len()));
    if written {
        for change in &changes {
            world.redis.write(change, world.now_ms);
        }
    }
    if known {
        service.sinks[1].queue.sent_ahead(&changes);
    }
}

pub(crate) fn republish(world: &mut World, service: &mut Service) {
    if !world.redis_lost
        || service.sinks[1].in_flight.is_some()
        || service.durable < service.worker.position()
        || service.worker.is_replaying()
    {
        return;
    }
    let Some(engine) = service.worker.engine() else { return };
    for change in engine.live_scores() {
        world.redis.write(&change, world.now_ms);
    }
    world.redis_lost = false;
    world.trace.note(world.now_ms, "republish".to_owned());
}

fn write_snapshot(world: &mut World) {
    world.with("snapshot", |world, service| match service.write_snapshot(world.now().wall_ms) {
        // As in production the service goes on without it, unless the machine is gone.
        Err(error) if !world.storage.is_down() => {
            assert!(world.armed || world.full, "a snapshot is not written: {error:?}, though no fault was in the way");
            Ok(())
        }
        written => {
            if let Some(position) = written? {
                world.trace.note(world.now_ms, format!("snapshot at {position}"));
            }
            Ok(())
        }
    });
}

fn retain(world: &mut World) {
    world.with("retain", |world, service| {
        let Some(covered) = service.covered.take() else { return Ok(()) };
        world.archive.read_on(world.shared_storage(), service.keys.clone(), service.durable);
        let retained = service.log.retain(world.now().settled_ms, covered)?;
        world.trace.note(world.now_ms, format!("{retained:?} of {covered}"));
        Ok(())
    });
}

fn switch(world: &mut World) {
    world.rules = world.random.index(events::RULESETS);
    if world.random.one_in(4) {
        world.meaning.lateness_ms = 30_000 + world.random.ms(120_000);
    }
    let ruleset = events::ruleset(world.rules);
    world.trace.note(world.now_ms, format!("ruleset {}", world.rules));
    let saved = world.with("save a ruleset", |_, service| Ok(service.rulesets.save(&ruleset)?));
    if saved.is_some() {
        let control = world.switch(ruleset.hash);
        world.append(4, vec![control]);
    }
}

fn unpark(world: &mut World) {
    world.with("unpark", |world, service| {
        let parked = service.outbox.parked(Some(SINKS[0]), 100)?;
        if let Some(parked) = parked.get(world.random.index(parked.len())) {
            service.outbox.unpark(SINKS[0], parked.item.seq)?;
            world.trace.note(world.now_ms, format!("unpark {}", parked.item.seq));
        }
        Ok(())
    });
}

/// A clean end: everything in the log is processed and committed, mostly with a last snapshot.
fn drain(world: &mut World) {
    world.with("drain", |world, service| {
        service.sync()?;
        while service.apply(true)? {}
        while service.commit(world.now(), 512, &mut |_| {})? > 0 {}
        service.keep(usize::MAX)
    });
    if world.random.one_in(2) {
        world.with("take the last snapshot", |_, service| Ok(service.take_snapshot()));
        write_snapshot(world);
    }
    world.trace.note(world.now_ms, "drained".to_owned());
    if world.service.is_some() {
        world.die(false);
    }
}
