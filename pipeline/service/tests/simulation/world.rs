//! The world around the service: its disk, its sources and receivers, the clock, and what befalls them. One seed decides
//! what happens next, and so everything.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use rasid_connectors::alerts::{self, AlertStore, Retention};
use rasid_connectors::effect::Item;
use rasid_connectors::log::{Control, Entry, LogConfig, Origin, Settings as Meaning};
use rasid_connectors::outbox::{Outbox, backend};
use rasid_connectors::seal::Keyring;
use rasid_connectors::storage::{Fault, Memory, Storage};
use rasid_connectors::{Disposition, bundle, courier, log, outbox, seal};
use rasid_engine::Pseudonymizer;
use rasid_service::clock::Now;
use rasid_service::decide::commit::CommitError;
use rasid_service::decide::comparison::ENGINE;
use rasid_service::decide::engine_setup::EngineSetup;
use rasid_service::decide::route::{REDIS, Routes};
use rasid_service::deliver::dispatch::Queue;
use rasid_service::recover::layout;
use rasid_service::recover::take_up::{Layout, RecoverError, Recovered, recover};

use super::archive::Archive;
use super::events::{self, Partition, START_MS};
use super::random::Random;
use super::receivers::{Cache, Ledger};
use super::service::{Failed, Service};
use super::trace::Trace;
use super::wall::{Setting, Wall};

/// What to do about it, as the part says that failed.
fn disposition(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Disposition {
    let known = [
        error.downcast_ref::<log::Error>().map(log::Error::disposition),
        error.downcast_ref::<outbox::Error>().map(outbox::Error::disposition),
        error.downcast_ref::<bundle::Error>().map(bundle::Error::disposition),
        error.downcast_ref::<seal::Error>().map(seal::Error::disposition),
        error.downcast_ref::<alerts::Error>().map(alerts::Error::disposition),
        error.downcast_ref::<CommitError>().map(CommitError::disposition),
        error.downcast_ref::<RecoverError>().map(RecoverError::disposition),
    ];
    known.into_iter().flatten().next().unwrap_or(Disposition::Halt)
}

/// The sinks, by their index here.
/// The core API.
pub(crate) const CORE: &str = "core";
/// A file of every alert.
pub(crate) const JSONL: &str = "jsonl";
pub(crate) const SINKS: [&str; 3] = [CORE, REDIS, JSONL];
const SECRET: &[u8] = b"the secret of the simulation";
const DAY_MS: i64 = 86_400_000;

#[expect(clippy::struct_excessive_bools, reason = "each says whether one thing is so")]
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) trace: Trace,
    /// The true time.
    pub(crate) now_ms: i64,
    pub(crate) wall: Wall,
    pub(crate) storage: Memory,
    outbox_disk: backend::Memory,
    pub(crate) store_disk: backend::Memory,
    /// What befalls the alert store, and what people say: seeds of before there was one are the same without it.
    pub(crate) store_random: Random,
    /// Whether anything befalls the alert store, and people say anything.
    pub(crate) people: bool,
    pub(crate) retention: Retention,
    new_keys: Arc<Mutex<Random>>,
    pub(crate) secret_number: u8,
    config: LogConfig,
    courier: courier::Config,
    snapshots_keep: usize,
    pub(crate) partitions: Vec<Partition>,
    /// Number of the ruleset in the rules folder.
    pub(crate) rules: usize,
    pub(crate) meaning: Meaning,
    pub(crate) core: Ledger,
    pub(crate) file: Ledger,
    pub(crate) redis: Cache,
    /// Redis has lost its scores and has not been told them again.
    pub(crate) redis_lost: bool,
    pub(crate) stalled_until_ms: [i64; SINKS.len()],
    /// Batches to the core API that somebody gave up on and that are still on their way.
    pub(crate) late: VecDeque<Vec<Item>>,
    /// One alert in so many is one that the core API will not have; 0: none.
    poison_in: u64,
    pub(crate) archive: Archive,
    pub(crate) service: Option<Service>,
    /// A fault that the service dies of is waiting for its moment, or has struck.
    pub(crate) armed: bool,
    /// A disk is full, or will be at its moment, until there is room again.
    pub(crate) full: bool,
    /// How often something had no room.
    pub(crate) hindered: u64,
    /// What no crash may take back: durable log, committed position.
    durable: u64,
    committed: u64,
    pub(crate) stored: u64,
    pub(crate) deaths: u64,
    /// How long nothing may happen any more, all in all, ms.
    idle_ms_left: i64,
}

impl World {
    pub(crate) fn new(seed: u64, setting: Setting) -> Self {
        let mut random = Random::new(seed);
        let partitions = events::partitions(&mut random);
        let config = LogConfig {
            segment_bytes: 1 << (11 + random.below(5)),
            retention_ms: 60_000 + random.ms(2 * 3_600_000),
            bytes_max: if random.one_in(2) { 1 << (13 + random.below(4)) } else { u64::MAX },
        };
        let courier = courier::Config {
            queue_items_max: 1 + random.index(24),
            queue_bytes_max: 2_000 + random.index(20_000),
            batch_items_max: 1 + random.index(8),
            batch_bytes_max: 1_000 + random.index(8_000),
            // A receiver that refuses everything is the business of the courier's own tests: here some items are at fault.
            refused_max: u32::MAX,
            ..courier::Config::default()
        };
        let memory_max = if random.one_in(8) { 200_000 } else { 64 << 20 };
        let meaning = Meaning { lateness_ms: 60_000, future_ms: 300_000, memory_max, events_per_s: 1, keys: None };
        let mut trace = Trace::new(seed);
        trace.note(START_MS, format!("{meaning:?} {config:?} {courier:?}"));
        let mut store_random = Random::new(seed.rotate_left(17) ^ 0x616c_6572_7473);
        let retention = Retention {
            age_ms: if store_random.one_in(3) { 600_000 + store_random.ms(7_200_000) } else { 1 << 50 },
            count_max: if store_random.one_in(2) { 5 + store_random.below(40) } else { u64::MAX },
        };
        let now_ms = START_MS + if random.one_in(3) { DAY_MS * 3 / 8 } else { 0 };
        Self {
            trace,
            now_ms,
            wall: Wall::new(setting, Random::new(!seed), now_ms),
            storage: Memory::new(),
            outbox_disk: backend::Memory::new(),
            store_disk: backend::Memory::new(),
            store_random,
            people: true,
            retention,
            new_keys: Arc::new(Mutex::new(random.fork())),
            secret_number: 1,
            config,
            courier,
            snapshots_keep: 1 + random.index(3),
            partitions,
            rules: random.index(events::RULESETS),
            meaning,
            core: Ledger::default(),
            file: Ledger::default(),
            redis: Cache::default(),
            redis_lost: false,
            stalled_until_ms: [0; SINKS.len()],
            late: VecDeque::new(),
            poison_in: if random.one_in(2) { 3 + random.below(10) } else { 0 },
            archive: Archive::default(),
            service: None,
            armed: false,
            full: false,
            hindered: 0,
            durable: 0,
            committed: 0,
            stored: 0,
            deaths: 0,
            idle_ms_left: 5 * DAY_MS,
            random,
        }
    }

    /// What the service reads off its clocks.
    pub(crate) fn now(&self) -> Now {
        self.wall.now(self.now_ms)
    }

    pub(crate) fn shared_storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.storage.clone())
    }

    pub(crate) fn setup(&self) -> EngineSetup {
        let pseudonymizer = Pseudonymizer::new(SECRET, self.secret_number).expect("the secret is long enough");
        EngineSetup { pseudonymizers: vec![pseudonymizer], threads: 1 }
    }

    pub(crate) fn routes() -> Routes {
        Routes::to(&SINKS)
    }

    /// Whether the core API will never have that alert.
    pub(crate) fn is_poison(&self, id: &str) -> bool {
        let sum = id.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        self.poison_in > 0 && id.starts_with("al_") && Random::new(sum).one_in(self.poison_in)
    }

    /// Does something with the service if it runs. If the disk fails it, it dies of that; if the disk is full, it does the
    /// same again another time; nothing else may fail it.
    pub(crate) fn with<T>(&mut self, what: &str, act: impl FnOnce(&mut Self, &mut Service) -> Result<T, Failed>) -> Option<T> {
        let mut service = self.service.take()?;
        let done = act(self, &mut service);
        self.durable = self.durable.max(service.durable);
        self.committed = self.committed.max(service.committer.position());
        self.stored = self.stored.max(service.store.position().unwrap_or(0));
        match done {
            Ok(done) => {
                self.service = Some(service);
                Some(done)
            }
            Err(error) if disposition(&*error) == Disposition::Retry => {
                assert!(self.armed || self.full, "{what}: {error:?}, though there was room");
                self.trace.note(self.now_ms, format!("{what} has no room"));
                self.hindered += 1;
                self.service = Some(service);
                None
            }
            Err(error) => {
                assert!(self.armed || (self.full && self.storage.has_dropped()), "{what}: {error:?}, though no fault was in the way");
                self.trace.note(self.now_ms, format!("{what} failed"));
                self.service = Some(service);
                let power = self.random.one_in(2);
                self.die(power);
                None
            }
        }
    }

    /// The process ends where it is; with `power` the machine too, and the disk loses what was not synced.
    pub(crate) fn die(&mut self, power: bool) {
        // What a full disk has dropped can be read until the machine ends, and no longer: that is the end to be tried.
        let power = power || self.storage.is_down() || self.storage.has_dropped();
        self.trace.note(self.now_ms, format!("{} ends", if power { "the machine" } else { "the process" }));
        self.deaths += 1;
        if let Some(mut service) = self.service.take() {
            for (sink, task) in service.sinks.iter_mut().enumerate() {
                let Some(parcel) = task.in_flight.take() else { continue };
                match self.random.below(3) {
                    0 => self.receive(sink, parcel.items()),
                    1 if sink == 0 => self.late.push_back(parcel.items().to_vec()),
                    _ => {}
                }
            }
            // The disk goes first, so that what the outbox does as it is dropped comes too late.
            self.outbox_disk.crash(self.random.next());
            self.store_disk.crash(self.store_random.next());
            drop(service);
        } else {
            self.outbox_disk.crash(self.random.next());
            self.store_disk.crash(self.store_random.next());
        }
        if power {
            self.storage.crash(self.random.next());
        } else {
            self.storage.heal();
        }
        (self.armed, self.full) = (false, false);
    }

    /// There is room again on both disks.
    pub(crate) fn room(&mut self) {
        self.storage.heal();
        self.outbox_disk.heal();
        self.store_disk.heal();
        self.full = false;
        self.trace.note(self.now_ms, "there is room again".to_owned());
    }

    /// Up to two days go by. What repeats an alert of a week ago may say it otherwise, so all of a run takes less.
    pub(crate) fn pass(&mut self) {
        let idle_ms = self.random.ms(self.idle_ms_left.clamp(1, 2 * DAY_MS));
        self.idle_ms_left -= idle_ms;
        self.now_ms += idle_ms;
        self.trace.note(self.now_ms, "nothing happened for a while".to_owned());
    }

    /// Strikes at one of the next operations of a disk.
    pub(crate) fn inject(&mut self) {
        let after = self.random.below(40);
        let what = self.random.below(9);
        match what {
            0..=2 => self.storage.inject(after, Fault::Crash),
            3 => self.storage.inject(after / 4, Fault::Sync),
            4 => self.outbox_disk.fail_after(after),
            5 => self.storage.inject(after, Fault::Full),
            6 => self.storage.inject(after / 4, Fault::FullAtSync),
            7 => self.outbox_disk.fill_after(after),
            _ => {
                self.storage.inject(after, Fault::Full);
                self.outbox_disk.fill_after(after);
            }
        }
        self.armed |= what < 5;
        self.full |= what >= 5;
        self.trace.note(self.now_ms, format!("fault {what} in {after}"));
    }

    /// The same of the alert store's disk.
    pub(crate) fn inject_into_store(&mut self) {
        let after = self.store_random.below(40);
        if self.store_random.one_in(2) {
            self.store_disk.fail_after(after);
            self.armed = true;
        } else {
            self.store_disk.fill_after(after);
            self.full = true;
        }
        self.trace.note(self.now_ms, format!("fault of the alert store in {after}"));
    }

    /// Starts the service as production does, from what the disk holds.
    pub(crate) fn boot(&mut self, faults: bool) {
        if faults && self.random.one_in(8) {
            self.inject();
        }
        if let Err(error) = self.try_boot() {
            let has_no_room = disposition(&*error) == Disposition::Retry;
            assert!(self.armed || self.full, "the service does not start: {error:?}, though no fault was in the way");
            if has_no_room && !self.storage.has_dropped() {
                self.trace.note(self.now_ms, "no room to start".to_owned());
                self.hindered += 1;
                return;
            }
            self.trace.note(self.now_ms, "start failed".to_owned());
            let power = self.random.one_in(2);
            self.die(power);
        }
    }

    fn try_boot(&mut self) -> Result<(), Failed> {
        let storage = self.shared_storage();
        let new_keys = Arc::clone(&self.new_keys);
        let fill = Arc::new(move |bytes: &mut [u8]| {
            let mut random = new_keys.lock().expect("nobody panics with it");
            for byte in bytes {
                *byte = random.next().to_le_bytes()[0];
            }
            Ok(())
        });
        let keys = Keyring::with_random(Arc::clone(&storage), layout::KEYS, SECRET, fill)?;
        let outbox = Arc::new(Outbox::with_backend(self.outbox_disk.backend())?);
        let store = Arc::new(AlertStore::with_backend(self.store_disk.backend(), self.retention)?);
        let forever = i64::MAX / 4;
        let layout = Layout {
            storage: Arc::clone(&storage),
            keys: keys.clone(),
            log: self.config,
            dead_letters: LogConfig { retention_ms: forever, bytes_max: u64::MAX, ..self.config },
            snapshots_keep: self.snapshots_keep,
            setup: self.setup(),
            routes: Self::routes(),
        };
        let recovered = recover(layout, Arc::clone(&outbox), Arc::clone(&store))?;
        let Recovered { opened, snapshot, refused, .. } = &recovered;
        self.wall.start(self.now_ms);
        if let Some(newest_ms) = opened.newest_ms {
            self.wall.at(self.now_ms).was(newest_ms);
        }
        assert!(refused.is_empty(), "no snapshot is damaged: {refused:?}");
        assert!(opened.next > self.durable, "the log was durable to {} and ends before {}", self.durable, opened.next);
        assert!(outbox.position() >= self.committed, "{} was committed, and {} is left of it", self.committed, outbox.position());
        assert!(store.position() >= Some(self.stored), "the alert store had come to {}, and is at {:?}", self.stored, store.position());
        let note = format!("start: log {} to {}, committed {}, snapshot {snapshot:?}", opened.first, opened.next - 1, outbox.position());
        self.trace.note(self.now_ms, note);
        let next = self.partitions.iter().map(|partition| partition.after(opened.offsets.get(&partition.stream).copied())).collect();
        let in_force = opened.ruleset.clone();
        let queue = |sink: &&str| Queue::new(sink, Arc::clone(&outbox), self.courier.clone(), self.now_ms.unsigned_abs());
        let queues = SINKS.iter().map(queue).collect();
        let mut service = Service::new(recovered, keys, queues, next);
        self.durable = service.durable;
        self.archive.read_on(storage, service.keys.clone(), service.durable);
        let ruleset = events::ruleset(self.rules);
        if in_force.is_none_or(|switched| switched.ruleset != ruleset.hash || switched.settings != self.meaning) {
            service.rulesets.save(&ruleset)?;
            service.append(self.now().wall_ms, &[Entry::Control(self.switch(ruleset.hash))])?;
            service.sync()?;
        }
        self.service = Some(service);
        Ok(())
    }

    pub(crate) fn switch(&self, ruleset: String) -> Control {
        Control::Switch { ruleset, engine: ENGINE.to_owned(), settings: self.meaning }
    }

    /// A block of what the sources have, and of those control records.
    pub(crate) fn append(&mut self, most: usize, controls: Vec<Control>) {
        self.with("append", |world, service| {
            let mut taken: Vec<(usize, usize)> = Vec::new();
            for _ in 0..world.random.index(4) {
                let number = world.random.index(world.partitions.len());
                for _ in 0..world.random.index(most + 1) {
                    let (partition, index) = (&world.partitions[number], service.next[number]);
                    let visible = |(_, at_ms, _): &(u64, i64, Vec<u8>)| START_MS + at_ms + partition.lag_ms <= world.now_ms;
                    if partition.records.get(index).is_some_and(visible) {
                        taken.push((number, index));
                        service.next[number] += 1;
                    }
                }
            }
            let stamp_ms = world.now().wall_ms;
            let events = taken.iter().map(|(number, index)| {
                let partition = &world.partitions[*number];
                let (offset, _, bytes) = &partition.records[*index];
                Entry::Event { arrival_ms: stamp_ms, origin: Origin { stream: &partition.stream, offset: *offset }, bytes }
            });
            let mut entries: Vec<Entry<'_>> = events.collect();
            for control in controls {
                let place = world.random.index(entries.len() + 1);
                entries.insert(place, Entry::Control(control));
            }
            if !entries.is_empty() {
                if let Err(error) = service.append(stamp_ms, &entries) {
                    // Whoever handed them over does so again.
                    for (number, index) in taken.iter().rev() {
                        service.next[*number] = *index;
                    }
                    return Err(error);
                }
                world.trace.note(world.now_ms, format!("append {} to {}", entries.len(), service.appended()));
            }
            Ok(())
        });
    }

    /// A receiver gets those items, and keeps them.
    pub(crate) fn receive(&mut self, sink: usize, items: &[Item]) {
        for item in items {
            match (sink, &item.body) {
                (0, body) if self.is_poison(&body.id()) => {}
                (0, _) => self.core.take(item),
                (1, rasid_connectors::effect::Body::Score(change)) => self.redis.write(change, self.now_ms),
                (2, _) => self.file.take(item),
                (_, body) => panic!("{} is not what that sink is told", body.id()),
            }
        }
    }
}
