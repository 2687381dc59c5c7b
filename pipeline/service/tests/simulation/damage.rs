//! A log that rots, is mended and goes on: what comes of it is what comes of the same log without the entries that were lost.

use std::collections::BTreeSet;

use rasid_connectors::log::{Checkup, Control, Entry, Segment};
use rasid_connectors::storage::Storage as _;
use rasid_engine::{Engine, Record, Snapshot};
use rasid_service::decide::worker::Rulesets as _;
use rasid_service::recover::layout;

use super::events::START_MS;
use super::wall::Setting;
use super::world::World;

/// Runs a service, damages its log, mends it and goes on; how many entries were lost.
pub(crate) fn run(seed: u64) -> usize {
    let mut world = World::new(seed, Setting::Right);
    world.boot(false);
    go_on(&mut world, 30);
    let (keys, rulesets, committed) = world
        .with("look", |world, service| {
            world.archive.read_on(world.shared_storage(), service.keys.clone(), service.durable);
            Ok((service.keys.clone(), service.rulesets.clone(), service.committer.position()))
        })
        .expect("nothing fails");
    assert!(committed > 100, "there is something to be lost");
    world.die(false);

    let segments: Vec<String> = world.storage.paths().into_iter().filter(|path| path.starts_with("log/")).collect();
    for _ in 0..=world.random.index(4) {
        let path = &segments[world.random.index(segments.len())];
        let offset = world.random.below(world.storage.len(path).expect("listed"));
        assert!(world.storage.damage(path, offset, 1 << world.random.below(8)));
    }
    let checkup = || Checkup::of_log(world.shared_storage(), layout::LOG, keys.clone(), committed).expect("it can be read");
    let lost: BTreeSet<u64> = checkup().lost().into_iter().flat_map(|lost| lost.first..=lost.last).collect();
    checkup().mend(world.now_ms).expect("there is room");
    assert!(checkup().segments().all(Segment::is_whole));

    world.boot(false);
    go_on(&mut world, 10);
    world.with("compare", |world, service| {
        world.archive.read_on(world.shared_storage(), service.keys.clone(), service.durable);
        assert!(service.worker.lost() >= lost.len() as u64, "{} of {}", service.worker.lost(), lost.len());
        let mut engine: Option<Engine> = None;
        for (position, entry) in world.archive.entries().filter(|(position, _)| !lost.contains(position)) {
            match (entry, &mut engine) {
                (Entry::Control(Control::Switch { ruleset, settings, .. }), engine) => {
                    let (ruleset, config) = (rulesets.load(&ruleset)?, world.setup().config(&settings));
                    if let Some(engine) = engine {
                        engine.reconfigure(&config);
                        engine.switch(position, ruleset);
                    } else {
                        let pseudonymizer = world.setup().pseudonymizer(&settings).ok_or("no such secret")?;
                        *engine = Some(Engine::new(ruleset, config, pseudonymizer)?);
                    }
                }
                (Entry::Event { arrival_ms, bytes, .. }, Some(engine)) => {
                    drop(engine.process(&[Record { position, arrival_ms, bytes }]));
                }
                _ => {}
            }
        }
        let expected = engine.expect("a ruleset is in force").snapshot();
        let snapshot = service.worker.snapshot().expect("a ruleset is in force");
        for part in 0..Snapshot::PARTS {
            assert!(snapshot.write(part) == expected.write(part), "part {part} of the state is not that of the log without what was lost");
        }
        Ok(())
    });
    lost.len()
}

/// Takes in what there is, applies and commits it.
fn go_on(world: &mut World, rounds: usize) {
    world.now_ms = world.now_ms.max(START_MS + 60 * 60_000);
    for _ in 0..rounds {
        world.now_ms += 10_000;
        world.append(12, Vec::new());
        world.with("go on", |world, service| {
            service.sync()?;
            while service.apply(true)? {}
            while service.commit(world.now(), 64, &mut |_| {})? > 0 {}
            Ok(())
        });
    }
}
