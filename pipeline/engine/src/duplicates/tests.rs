//! By example, and as properties against a plain list of all deliveries: over late, repeated, hostile and huge streams.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rasid_detectors::entity::KeyHasher;

use super::sweep::SWEEP;
use super::*;

mod figures;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

use Delivery::{Conflict, Duplicate, First};

/// What identities are: hashes.
fn hash(id: u64) -> u64 {
    KeyHasher::new([7; 16]).hash(&[&id.to_le_bytes()])
}

fn other(duplicates: &mut Duplicates, id: u64, at_ms: i64) -> Delivery {
    duplicates.check(Kind::Other, hash(id), 7, at_ms)
}

fn gps(duplicates: &mut Duplicates, id: u64, at_ms: i64) -> Delivery {
    duplicates.check(Kind::Gps, hash(id), 7, at_ms)
}

#[test]
fn an_identity_is_remembered_for_its_kinds_horizon_and_a_generation_more_at_most() {
    for (kind, horizon, generation) in [(Kind::Gps, 30 * MINUTE, 10 * MINUTE), (Kind::Other, 72 * HOUR, HOUR)] {
        assert_eq!(kind.horizon_ms(), horizon);
        let mut duplicates = Duplicates::new(1 << 20);
        let last = generation - 1; // the last instant of a generation: nothing is remembered more shortly
        assert_eq!(duplicates.check(kind, hash(1), 7, last), First);
        assert_eq!(duplicates.check(kind, hash(2), 7, last + horizon), First);
        assert_eq!(duplicates.check(kind, hash(1), 7, last), Duplicate);
        assert_eq!(duplicates.check(kind, hash(1), 8, last), Conflict);
        assert_eq!(duplicates.check(kind, hash(3), 7, last + horizon + 1), First);
        assert_eq!(duplicates.check(kind, hash(1), 7, last), First);
        assert_eq!(duplicates.reach_ms(kind), horizon, "its time was over, so memory has cost nothing");
    }
}

#[test]
fn a_late_event_belongs_to_the_time_it_was_delivered_at() {
    let mut duplicates = Duplicates::new(1 << 20);
    assert_eq!(gps(&mut duplicates, 1, 100 * MINUTE), First);
    assert_eq!(gps(&mut duplicates, 2, 0), First);
    assert_eq!(gps(&mut duplicates, 3, 130 * MINUTE), First);
    assert_eq!(gps(&mut duplicates, 2, 0), Duplicate);
}

#[test]
fn an_identity_is_one_whatever_its_type_and_lives_as_long_as_that_of_its_first_delivery() {
    let mut duplicates = Duplicates::new(1 << 20);
    assert_eq!(other(&mut duplicates, 1, 0), First);
    assert_eq!(gps(&mut duplicates, 2, 0), First);
    assert_eq!(gps(&mut duplicates, 1, 24 * HOUR), Duplicate);
    assert_eq!(gps(&mut duplicates, 3, 24 * HOUR), First);
    assert_eq!(other(&mut duplicates, 2, 24 * HOUR), First);
}

#[test]
fn a_long_silence_forgets_what_was_before_it_and_not_what_ended_it() {
    let mut duplicates = Duplicates::new(1 << 20);
    assert_eq!(other(&mut duplicates, 1, 0), First);
    assert_eq!(other(&mut duplicates, 1, 0), Duplicate, "the very first event");
    assert_eq!(other(&mut duplicates, 2, 100 * HOUR), First);
    assert_eq!(other(&mut duplicates, 2, 100 * HOUR), Duplicate);
    assert_eq!(other(&mut duplicates, 1, 0), First);
}

#[test]
fn a_conflict_from_later_moves_no_horizon() {
    let mut duplicates = Duplicates::new(1 << 20);
    assert_eq!(other(&mut duplicates, 1, 0), First);
    assert_eq!(duplicates.check(Kind::Other, hash(1), 8, 100 * HOUR), Conflict);
    assert_eq!(other(&mut duplicates, 1, 0), Duplicate);
}

#[test]
fn memory_that_is_full_forgets_first_what_is_owed_no_more() {
    let mut duplicates = Duplicates::new(0);
    (0..256).for_each(|id| assert_eq!(other(&mut duplicates, id, 0), First));
    (256..512).for_each(|id| assert_eq!(gps(&mut duplicates, id, HOUR), First));
    // So much that all that came before is more than half an hour old, though gps.* within its horizon; and then more.
    (512..1_024).for_each(|id| assert_eq!(other(&mut duplicates, id, HOUR + 31 * MINUTE), First));
    assert_eq!(duplicates.evicted(), 0);
    let reach = |duplicates: &Duplicates| (duplicates.reach_ms(Kind::Gps) / MINUTE, duplicates.reach_ms(Kind::Other) / MINUTE);
    let mut flood = |ids: std::ops::Range<u64>| {
        ids.for_each(|id| assert_eq!(other(&mut duplicates, id, HOUR + 31 * MINUTE), First));
        (duplicates.evicted(), reach(&duplicates))
    };
    assert_eq!(flood(1_024..1_025), (64, (30, 72 * 60)), "gps.* beyond its half hour");
    assert_eq!(flood(1_025..1_280), (256, (30, 72 * 60)));
    assert_eq!(flood(1_280..1_281), (320, (30, 91)), "then all else beyond half an hour");
    assert_eq!(flood(1_281..1_537), (576, (30, 0)), "then whatever is oldest");
    assert!(duplicates.live <= 1_024);
    assert_eq!(other(&mut duplicates, 1_536, 0), Duplicate);
}

#[test]
fn a_smaller_share_holds_at_once_and_a_larger_one_too() {
    let mut duplicates = Duplicates::new(ENTRY_MEMORY * 100_000);
    (0..100_000).for_each(|id| assert_eq!(other(&mut duplicates, id, 0), First));
    duplicates.set_quota(ENTRY_MEMORY * 50_000);
    assert!(duplicates.live <= 50_000 && duplicates.index.len() <= 50_000);
    assert_eq!(duplicates.evicted() + duplicates.live as u64, 100_000);
    assert_eq!(other(&mut duplicates, 99_999, 0), Duplicate);
    duplicates.set_quota(ENTRY_MEMORY * 1_000_000);
    (100_000..900_000).for_each(|id| assert_eq!(other(&mut duplicates, id, 0), First));
    assert_eq!(other(&mut duplicates, 99_999, 0), Duplicate);
}

#[test]
fn what_is_over_leaves_the_index_evenly_and_its_slots_are_used_again() {
    let mut duplicates = Duplicates::new(ENTRY_MEMORY * 2_000);
    let mut id = 0;
    for hour in 0..2_000 {
        for _ in 0..if hour % 500 == 0 { 1_900 } else { 3 } {
            let before = duplicates.index.len();
            assert_eq!(other(&mut duplicates, id, hour * HOUR), First);
            let after = duplicates.index.len();
            assert!(after <= before + 1 && before - after.min(before) < SWEEP + 2 + 90 / 16, "from {before} to {after} at once");
            assert!(after <= 2_000 + SWEEP, "{after}");
            id += 1;
        }
    }
    assert!(duplicates.slots.len() < 200, "{}", duplicates.slots.len());
}

/// A generation of one event an hour, behind a great many that are over: the slots would not be enough if each had to wait its turn.
#[test]
fn slots_do_not_run_out() {
    let mut duplicates = Duplicates::new(ENTRY_MEMORY * 400_000);
    (0..400_000).for_each(|id| assert_eq!(other(&mut duplicates, id, 0), First));
    for id in 400_000..440_000 {
        assert_eq!(other(&mut duplicates, id, i64::try_from(id).expect("small") * HOUR), First);
    }
    assert!(duplicates.slots.len() < SLOTS, "{}", duplicates.slots.len());
    assert_eq!(other(&mut duplicates, 439_928, 0), Duplicate);
    assert_eq!(other(&mut duplicates, 439_926, 0), First);
}

type Lasting = BTreeMap<String, Vec<u8>>;

fn saved(shared: &Shared) -> (Vec<u8>, Vec<u8>, Lasting) {
    let lasting = shared.lasting().map(|name| (name.to_owned(), shared.lasting_bytes(name).expect("it names it"))).collect();
    (shared.save(Kind::Gps, Vec::new()), shared.save(Kind::Other, Vec::new()), lasting)
}

fn load(bytes_max: usize, state: &(Vec<u8>, Vec<u8>, Lasting)) -> Result<Duplicates, LoadError<String>> {
    load_with(Duplicates::new(bytes_max), state)
}

fn load_with(mut duplicates: Duplicates, (gps, other, lasting): &(Vec<u8>, Vec<u8>, Lasting)) -> Result<Duplicates, LoadError<String>> {
    let mut part = |name: &str| lasting.get(name).cloned().ok_or_else(|| "gone".to_owned());
    assert_eq!(duplicates.load(Kind::Gps, gps, &mut part)?, [0_u8; 0]);
    assert_eq!(duplicates.load(Kind::Other, other, &mut part)?, [0_u8; 0]);
    duplicates.loaded();
    Ok(duplicates)
}

#[test]
fn a_closed_generation_is_written_once_and_what_is_shared_does_not_change() {
    let mut duplicates = Duplicates::new(1 << 20);
    (0..100).for_each(|id| assert_eq!(other(&mut duplicates, id, 0), First));
    (100..200).for_each(|id| assert_eq!(other(&mut duplicates, id, HOUR), First));
    let (shared, names) = (duplicates.share(), |shared: &Shared| shared.lasting().map(str::to_owned).collect::<Vec<_>>());
    let before = saved(&shared);
    assert_eq!(names(&shared).len(), 1);
    (200..300).for_each(|id| assert_eq!(other(&mut duplicates, id, 2 * HOUR), First));
    assert!(saved(&shared) == before);
    let after = duplicates.share();
    assert_eq!(names(&after)[..1], names(&shared)[..]);
    assert_eq!(names(&after).len(), 2);
    assert_eq!(after.lasting_bytes(&names(&after)[0]), shared.lasting_bytes(&names(&shared)[0]));
    assert_eq!(after.lasting_bytes("another"), None);
    assert!(saved(&after).1.len() < 100 * ENTRY_MEMORY, "the closed ones are not in it: {}", saved(&after).1.len());
}

#[test]
fn what_is_damaged_or_not_the_named_one_is_told() {
    let mut duplicates = Duplicates::new(1 << 20);
    (0..10).for_each(|id| assert_eq!(gps(&mut duplicates, id, 0), First));
    (10..20).for_each(|id| assert_eq!(gps(&mut duplicates, id, 10 * MINUTE), First));
    let whole = saved(&duplicates.share());
    let name = whole.2.keys().next().expect("one is closed").clone();
    let mut gone = whole.clone();
    gone.2.clear();
    assert!(matches!(load(1 << 20, &gone), Err(LoadError::Lasting { name: told, .. }) if told == name));
    let flip: fn(&mut Vec<u8>) = |bytes| bytes[3] ^= 1;
    for harm in [flip, |bytes: &mut Vec<u8>| bytes.truncate(108), |bytes: &mut Vec<u8>| bytes.truncate(100), Vec::clear] {
        let mut harmed = whole.clone();
        harm(harmed.2.get_mut(&name).expect("it is there"));
        assert!(matches!(load(1 << 20, &harmed), Err(LoadError::ForeignLasting(told)) if told == name));
    }
    for cut in 0..whole.0.len() {
        let cut = (whole.0[..cut].to_vec(), whole.1.clone(), whole.2.clone());
        assert!(matches!(load(1 << 20, &cut), Err(LoadError::Decode(_))));
    }
    assert!(load(1 << 20, &whole).is_ok());
}

/// One step of a stream.
#[derive(Clone, Debug)]
enum Step {
    /// So many new ones at one instant, so long after the newest (or before it: late).
    New { gps: bool, count: u16, after_ms: i64 },
    /// One of those that came, counted from the newest, again; with other content; at a time of its own.
    Again { ago: u16, conflict: bool, after_ms: i64 },
    /// Saved and taken up again.
    Restored,
    /// What it is owed, and so many halves of that which others do not want.
    Quota(usize),
}

/// Clocks that stand, creep, run, jump over generations and over horizons; and late events.
fn after_ms() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => Just(0),
        4 => 0..2_000_i64,
        3 => 0..20 * MINUTE,
        1 => 0..5 * HOUR,
        1 => 0..100 * HOUR,
        2 => -10 * MINUTE..0,
        1 => -100 * HOUR..0,
    ]
}

fn steps(count_max: u16, length: usize) -> impl Strategy<Value = Vec<Step>> {
    let new = (any::<bool>(), 1..=count_max, after_ms()).prop_map(|(gps, count, after_ms)| Step::New { gps, count, after_ms });
    let again = (any::<u16>(), any::<bool>(), after_ms()).prop_map(|(ago, conflict, after_ms)| Step::Again { ago, conflict, after_ms });
    proptest::collection::vec(
        prop_oneof![6 => new, 6 => again, 1 => Just(Step::Restored), 2 => (0..6_usize).prop_map(Step::Quota)],
        1..length,
    )
}

/// A first delivery, as the list of all of them has it.
struct Came {
    kind: Kind,
    id: u64,
    content: u32,
    clock_ms: i64,
}

impl Came {
    /// Whether its time is not over.
    fn is_within(&self, clock_ms: i64) -> bool {
        let number = |at_ms: i64| at_ms.div_euclid(self.kind.generation_ms());
        number(clock_ms) - number(self.clock_ms) <= self.kind.generations()
    }
}

/// The memory beside the list, and beside one that is never restored.
struct Twins {
    bytes_max: usize,
    quota: usize,
    duplicates: Duplicates,
    unbroken: Duplicates,
    came: Vec<Came>,
    clock_ms: i64,
    next: u64,
}

impl Twins {
    fn new(bytes_max: usize) -> Self {
        let (duplicates, unbroken) = (Duplicates::new(bytes_max), Duplicates::new(bytes_max));
        Self { bytes_max, quota: bytes_max, duplicates, unbroken, came: Vec::new(), clock_ms: 1_000 * HOUR, next: 0 }
    }

    fn set_quota(&mut self, halves: usize) {
        self.quota = self.duplicates.entries_owed * ENTRY_MEMORY / 2 * (2 + halves);
        for duplicates in [&mut self.duplicates, &mut self.unbroken] {
            duplicates.set_quota(self.quota);
            assert!(duplicates.bytes() <= self.quota);
        }
    }

    fn check(&mut self, kind: Kind, id: u64, content: u32, at_ms: i64) -> Delivery {
        let delivery = self.duplicates.check(kind, hash(id), content, at_ms);
        assert_eq!(delivery, self.unbroken.check(kind, hash(id), content, at_ms), "restored or not is the same");
        if delivery == First {
            self.clock_ms = if self.came.is_empty() { at_ms } else { self.clock_ms.max(at_ms) };
            self.came.push(Came { kind, id, content, clock_ms: self.clock_ms });
        }
        assert!(self.duplicates.live <= self.duplicates.entries_max && self.duplicates.index.len() <= self.duplicates.entries_max + SWEEP);
        delivery
    }

    fn new_one(&mut self, kind: Kind, at_ms: i64) {
        self.next += 1;
        assert_eq!(self.check(kind, self.next, 7, at_ms), First, "it never came before");
    }

    fn restore(&mut self) {
        let state = saved(&self.duplicates.share());
        assert!(state == saved(&self.unbroken.share()), "equal state is equal bytes");
        let mut empty = Duplicates::new(self.bytes_max);
        empty.set_quota(self.quota);
        let Ok(restored) = load_with(empty, &state) else { panic!("what was saved is read") };
        self.duplicates = restored;
        assert!(state == saved(&self.duplicates.share()));
    }

    /// Everything within the reach is known, and within its horizon; and nothing that is over is.
    fn compare(&self) {
        for came in &self.came {
            let known = self.duplicates.find(hash(came.id)).is_some();
            let later = self.came.iter().rev().find(|other| other.id == came.id).expect("itself at least");
            let age_ms = self.clock_ms - later.clock_ms;
            assert!(known || age_ms >= self.duplicates.reach_ms(later.kind), "{age_ms} is within the reach");
            assert!(!known || later.is_within(self.clock_ms), "{age_ms} is over");
        }
    }
}

proptest! {
    /// With memory for all of them it is the plain list, whatever comes and however often it is restored.
    #[test]
    fn with_enough_memory_it_is_a_list_with_horizons(steps in steps(30, 120)) {
        let mut twins = Twins::new(1 << 20);
        for step in steps {
            match step {
                Step::New { gps, count, after_ms } => {
                    let at_ms = twins.clock_ms + after_ms;
                    (0..count).for_each(|_| twins.new_one(if gps { Kind::Gps } else { Kind::Other }, at_ms));
                }
                Step::Again { ago, conflict, after_ms } => {
                    if twins.came.is_empty() { continue; }
                    let index = twins.came.len() - 1 - usize::from(ago) % twins.came.len();
                    let Came { kind, id, .. } = twins.came[index];
                    let newest = twins.came.iter().rev().find(|came| came.id == id).expect("itself at least");
                    let content = newest.content + u32::from(conflict);
                    let expected = match (newest.is_within(twins.clock_ms), conflict) {
                        (false, _) => First,
                        (true, false) => Duplicate,
                        (true, true) => Conflict,
                    };
                    prop_assert_eq!(twins.check(kind, id, content, twins.clock_ms + after_ms), expected);
                }
                Step::Restored => twins.restore(),
                Step::Quota(halves) => twins.set_quota(halves),
            }
        }
        twins.restore();
        twins.compare();
        prop_assert_eq!(twins.duplicates.evicted(), 0);
    }

    /// With too little memory: what it calls a duplicate is one, what it is said to reach is known, and it keeps to its bound.
    #[test]
    fn with_too_little_memory_it_knows_what_it_says_it_reaches(steps in steps(400, 60)) {
        let mut twins = Twins::new(0);
        for step in steps {
            match step {
                Step::New { gps, count, after_ms } => {
                    let at_ms = twins.clock_ms + after_ms;
                    (0..count).for_each(|_| twins.new_one(if gps { Kind::Gps } else { Kind::Other }, at_ms));
                }
                Step::Again { ago, conflict, after_ms } => {
                    if twins.came.is_empty() { continue; }
                    let index = twins.came.len() - 1 - usize::from(ago) % twins.came.len();
                    let Came { kind, id, .. } = twins.came[index];
                    let newest = twins.came.iter().rev().find(|came| came.id == id).expect("itself at least");
                    let (content, is_within) = (newest.content + u32::from(conflict), newest.is_within(twins.clock_ms));
                    let delivery = twins.check(kind, id, content, twins.clock_ms + after_ms);
                    prop_assert!(delivery == First || is_within && (delivery == Conflict) == conflict);
                }
                Step::Restored => twins.restore(),
                Step::Quota(halves) => twins.set_quota(halves),
            }
        }
        twins.restore();
        twins.compare();
        let firsts = twins.came.len();
        prop_assert!(twins.duplicates.live as u64 + twins.duplicates.evicted() <= firsts as u64);
    }

    /// Half an hour of events is never forgotten while they come no faster than memory is reserved for, whatever the pattern: all at one
    /// instant, in bursts, late, with jumps of the clock, of both kinds or of one.
    #[test]
    fn half_an_hour_is_always_known_at_the_rate_that_memory_is_reserved_for(steps in steps(1_800, 60), rate in 1_u32..3) {
        let bytes_max = usize::try_from(reserve_bytes(rate)).expect("small");
        let most = rate as usize * 1_800;
        let mut twins = Twins::new(bytes_max);
        for step in steps {
            match step {
                Step::New { gps, count, after_ms } => {
                    let mut at_ms = twins.clock_ms + after_ms;
                    for _ in 0..count {
                        // Where the rate is reached the next one waits until the oldest of so many is half an hour old.
                        if let Some(first) = twins.came.len().checked_sub(most) {
                            at_ms = at_ms.max(twins.came[first].clock_ms + ALWAYS_MS);
                        }
                        twins.new_one(if gps { Kind::Gps } else { Kind::Other }, at_ms);
                    }
                }
                Step::Again { ago, .. } => {
                    let within: Vec<u64> =
                        twins.came.iter().rev().take_while(|came| twins.clock_ms - came.clock_ms < ALWAYS_MS).map(|came| came.id).collect();
                    if within.is_empty() { continue; }
                    let id = within[usize::from(ago) % within.len()];
                    prop_assert_eq!(twins.check(Kind::Other, id, 7, twins.clock_ms), Duplicate);
                }
                Step::Restored => twins.restore(),
                Step::Quota(halves) => twins.set_quota(halves),
            }
            for kind in Kind::ALL {
                prop_assert!(twins.duplicates.reach_ms(kind) >= ALWAYS_MS, "{:?}: {}", kind, twins.duplicates.reach_ms(kind));
            }
            let within = twins.came.iter().rev().take_while(|came| twins.clock_ms - came.clock_ms < ALWAYS_MS);
            for came in within {
                prop_assert!(twins.duplicates.find(hash(came.id)).is_some());
            }
        }
    }
}
