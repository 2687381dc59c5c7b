//! Snapshots by example, each way of being refused, any byte flipped, and a crash at every operation.

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::Disposition;
use crate::seal;
use crate::storage::{Disk, Fault, Memory};

const DIR: &str = "snapshots";
const HOUR_MS: i64 = 3_600_000;
const SETTINGS: Settings = Settings { lateness_ms: 60_000, future_ms: 300_000, memory_max: 1 << 30, events_per_s: 0, keys: None };

fn store_of(disk: &Memory, secret: &[u8], engine: &str) -> SnapshotStore {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let random: seal::Fill = Arc::new(|bytes| {
        bytes.fill(7);
        Ok(())
    });
    let keys = Keyring::with_random(Arc::clone(&storage), "keys", secret, random).unwrap();
    SnapshotStore::open(storage, DIR, &keys, engine, 2)
}

fn store(disk: &Memory) -> SnapshotStore {
    store_of(disk, b"secret", "0.3.0")
}

fn content(position: u64, part: usize) -> Vec<u8> {
    format!("+201000000001 at {position}, part {part}").repeat(5).into_bytes()
}

fn lasting_content(name: &str) -> Vec<u8> {
    format!("+201000000001, {name}").repeat(4).into_bytes()
}

/// Three parts, and lasting ones: of the hour of the position and of the two before it.
struct State(u64);

impl Contents for State {
    fn parts(&self) -> usize {
        3
    }

    fn part(&self, number: usize) -> Vec<u8> {
        content(self.0, number)
    }

    fn lasting(&self) -> Vec<String> {
        (self.0.saturating_sub(2)..=self.0).map(|hour| format!("seen-{hour}")).collect()
    }

    fn lasting_part(&self, name: &str) -> Vec<u8> {
        lasting_content(name)
    }
}

/// A day after the position before.
fn write(store: &SnapshotStore, position: u64) -> Result<Written, Error> {
    let now_ms = i64::try_from(position).unwrap() * 24 * HOUR_MS;
    store.write(position, "sha256:9b1f", &SETTINGS, &State(position), now_ms)
}

/// The lasting parts on the disk: copy and name.
fn lasting(disk: &Memory) -> Vec<String> {
    let prefix = format!("{DIR}/lasting/");
    disk.paths().iter().filter_map(|path| path.strip_prefix(&prefix).map(str::to_owned)).collect()
}

fn path(position: u64, file: &str) -> String {
    format!("{DIR}/{position:020}/{file}")
}

/// The position of the newest, checked to be what was written, and the words of what is refused.
fn newest(store: &SnapshotStore) -> (Option<u64>, Vec<String>) {
    let (found, refused) = store.newest().unwrap();
    if let Some(found) = &found {
        assert_eq!((found.ruleset(), found.settings(), found.parts()), ("sha256:9b1f", &SETTINGS, 3));
        for part in 0..3 {
            assert_eq!(found.part(part).unwrap(), content(found.position(), part));
        }
        for name in State(found.position()).lasting() {
            assert_eq!(found.lasting(&name).unwrap(), lasting_content(&name));
        }
    }
    (found.map(|found| found.position()), refused.iter().map(ToString::to_string).collect())
}

#[test]
fn what_was_written_is_found() {
    let disk = Memory::new();
    let store = store(&disk);
    assert_eq!(newest(&store), (None, vec![]));
    assert_eq!(store.oldest_position().unwrap(), None);
    let written = write(&store, 7).unwrap();
    assert!(!written.already && written.dropped.is_empty());
    assert_eq!(newest(&store), (Some(7), vec![]));
    let (found, _) = store.newest().unwrap();
    let found = found.unwrap();
    assert_eq!((found.bytes(), found.engine(), found.written_ms()), (written.bytes, "0.3.0", 7 * 24 * HOUR_MS));
    assert_eq!(written.bytes, written.written_bytes);
    assert!(matches!(found.lasting("seen-4"), Err(Error::Part { why: Why::Torn { .. }, .. })));
    assert!(matches!(found.part(3), Err(Error::Part { why: Why::Torn { .. }, .. })));
    assert_eq!(store.oldest_position().unwrap(), Some(7));
    assert_eq!(newest(&store_of(&disk, b"secret", "0.3.1")), (Some(7), vec![]), "a later engine is given it, and says itself");
}

#[test]
fn what_was_written_is_found_on_a_real_disk() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let storage: Arc<dyn Storage> = Arc::new(Disk::open(folder.path()).unwrap());
        let keys = Keyring::open(Arc::clone(&storage), "keys", b"secret").unwrap();
        SnapshotStore::open(storage, DIR, &keys, "0.3.0", 2)
    };
    assert_eq!(newest(&open()), (None, vec![]));
    let dropped: Vec<_> = (1..=4).map(|position| write(&open(), position).unwrap().dropped).collect();
    assert_eq!(dropped, [vec![], vec![], vec![1], vec![2]]);
    std::fs::remove_file(folder.path().join(path(4, "part-001"))).unwrap();
    let why = "snapshot 00000000000000000004 is not used: it is torn: part-001 is missing".to_owned();
    assert_eq!(newest(&open()), (Some(3), vec![why]));
    assert_eq!(std::fs::read_dir(folder.path().join(DIR)).unwrap().count(), 3);
    assert_eq!(std::fs::read_dir(folder.path().join(DIR).join("lasting/0")).unwrap().count(), 3);
}

#[test]
fn nothing_raw_is_on_the_disk() {
    let disk = Memory::new();
    write(&store(&disk), 7).unwrap();
    for file in disk.paths() {
        let bytes = disk.read(&file).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"+2010000"), "{file}");
    }
}

#[test]
fn the_newest_two_are_kept_with_their_keys() {
    let disk = Memory::new();
    let store = store(&disk);
    let dropped: Vec<_> = (1..=4).map(|position| write(&store, position).unwrap().dropped).collect();
    assert_eq!(dropped, [vec![], vec![], vec![1], vec![2]]);
    assert_eq!(store.oldest_position().unwrap(), Some(3));
    // Three days of keys: what lasts was written with an earlier one.
    assert_eq!(store.keys.days().unwrap(), [Day(1), Day(2), Day(3), Day(4)]);
    assert_eq!(newest(&store), (Some(4), vec![]));
    let (before, _) = store.newest_before(4).unwrap();
    assert_eq!(before.unwrap().position(), 3);
}

#[test]
fn a_torn_one_is_not_counted_among_those_kept() {
    let disk = Memory::new();
    let store = store(&disk);
    write(&store, 1).unwrap();
    write(&store, 2).unwrap();
    disk.remove(&path(2, "part-001")).unwrap();
    assert_eq!(write(&store, 3).unwrap().dropped, [0_u64; 0]);
    assert_eq!(write(&store, 4).unwrap().dropped, [2, 1]);
}

#[test]
fn a_snapshot_that_is_there_is_not_written_again() {
    let disk = Memory::new();
    let store = store(&disk);
    write(&store, 7).unwrap();
    assert!(write(&store, 7).unwrap().already);
    disk.damage(&path(7, "part-002"), 3, 1);
    assert!(!write(&store, 7).unwrap().already);
    assert_eq!(newest(&store), (Some(7), vec![]));
}

#[test]
fn an_unfinished_one_does_not_exist_and_makes_room_for_the_next() {
    let disk = Memory::new();
    let store = store(&disk);
    write(&store, 1).unwrap();
    disk.append(&path(2, "part-000")).unwrap().append(b"half").unwrap();
    disk.append(&format!("{DIR}/lost+found/x")).unwrap().append(b"not ours").unwrap();
    assert_eq!(newest(&store), (Some(1), vec![]));
    write(&store, 2).unwrap();
    assert_eq!(newest(&store), (Some(2), vec![]));
    assert!(disk.paths().contains(&format!("{DIR}/lost+found/x")));
}

#[test]
fn a_full_disk_leaves_the_one_before_and_nothing_of_the_new() {
    let disk = Memory::new();
    let store = store(&disk);
    write(&store, 1).unwrap();
    disk.inject(8, Fault::Full);
    let error = write(&store, 2).unwrap_err();
    assert_eq!(error.disposition(), Disposition::Retry);
    assert!(!disk.paths().iter().any(|found| found.starts_with(&path(2, ""))), "{:?}", disk.paths());
    assert_eq!(lasting(&disk), ["0/seen-0", "0/seen-1"]);
    assert_eq!(newest(&store), (Some(1), vec![]));
    disk.heal();
    write(&store, 2).unwrap();
    assert_eq!(newest(&store), (Some(2), vec![]));
}

type Harm = fn(&Memory);

fn copy(copy: u8, name: &str) -> String {
    format!("{DIR}/lasting/{copy}/{name}")
}

fn rewrite(disk: &Memory, from: &str, to: &str) {
    let manifest = String::from_utf8(disk.read(&path(2, MANIFEST)).unwrap()).unwrap();
    assert!(manifest.contains(from), "{manifest}");
    disk.replace(&path(2, MANIFEST), manifest.replace(from, to).as_bytes()).unwrap();
}

#[rstest]
#[case::part_missing(|disk: &Memory| disk.remove(&path(2, "part-002")).unwrap(), "it is torn: part-002 is missing")]
#[case::part_cut(|disk: &Memory| disk.truncate(&path(2, "part-001"), 9).unwrap(), "it is torn: part-001 has 9 of 146 bytes")]
#[case::part_changed(|disk: &Memory| assert!(disk.damage(&path(2, "part-001"), 9, 4)), "it is torn: part-001 is not what was written (BLAKE3 differs)")]
#[case::not_json(
    |disk: &Memory| disk.replace(&path(2, MANIFEST), b"hello").unwrap(),
    "it is foreign: its manifest is not JSON (expected value at line 1 column 1)"
)]
#[case::no_manifest_of_ours(
    |disk: &Memory| disk.replace(&path(2, MANIFEST), br#"{"name": "app"}"#).unwrap(),
    "it is foreign: its manifest names no snapshot format of rasid"
)]
#[case::not_all_of_it(
    |disk: &Memory| disk.replace(&path(2, MANIFEST), br#"{"format": 1}"#).unwrap(),
    "it is foreign: its manifest is not one of rasid's (missing field `position`)"
)]
#[case::newer_format(
    |disk: &Memory| disk.replace(&path(2, MANIFEST), br#"{"format": 3}"#).unwrap(),
    "it is newer: it has snapshot format 3, and this rasid reads 2"
)]
#[case::lasting_missing(|disk: &Memory| disk.remove(&copy(1, "seen-2")).unwrap(), "it is torn: lasting/1/seen-2 is missing")]
#[case::lasting_cut(|disk: &Memory| disk.truncate(&copy(1, "seen-1"), 9).unwrap(), "it is torn: lasting/1/seen-1 has 9 of 100 bytes")]
#[case::lasting_changed(
    |disk: &Memory| assert!(disk.damage(&copy(1, "seen-0"), 9, 4)),
    "it is torn: lasting/1/seen-0 is not what was written (BLAKE3 differs)"
)]
#[case::lasting_elsewhere(
    |disk: &Memory| {
        let mut manifest = Manifest::read(&disk.read(&path(2, MANIFEST)).unwrap(), 2).unwrap();
        manifest.lasting[0].name = "../0/seen-0".to_owned();
        disk.replace(&path(2, MANIFEST), &manifest.sealed()).unwrap();
    },
    r#"it is foreign: its manifest names a lasting part "../0/seen-0""#
)]
#[case::third_copy(
    |disk: &Memory| {
        let mut manifest = Manifest::read(&disk.read(&path(2, MANIFEST)).unwrap(), 2).unwrap();
        manifest.copy = 2;
        disk.replace(&path(2, MANIFEST), &manifest.sealed()).unwrap();
    },
    "it is foreign: its manifest names a copy 2 of lasting parts"
)]
#[case::manifest_changed(|disk: &Memory| rewrite(disk, "9b1f", "9b1e"), "it is torn: its manifest is not what was written (BLAKE3 differs)")]
#[case::moved(
    |disk: &Memory| disk.replace(&path(2, MANIFEST), &disk.read(&path(1, MANIFEST)).unwrap()).unwrap(),
    "it is foreign: its manifest says position 1"
)]
#[case::newer_engine(
    |disk: &Memory| { write(&store_of(disk, b"secret", "0.10.0"), 2).unwrap(); },
    "it is newer: engine 0.10.0 wrote it, and this is engine 0.3.0"
)]
#[case::no_engine(|disk: &Memory| { write(&store_of(disk, b"secret", "main"), 2).unwrap(); }, r#"it is foreign: "main" is no engine version"#)]
#[case::key_gone(
    |disk: &Memory| disk.remove("keys/snapshots/1970-01-03.key").unwrap(),
    "it cannot be unsealed: retention ended: the key of 1970-01-03 is gone"
)]
#[case::other_secret(
    |disk: &Memory| {
        disk.remove("keys/snapshots/1970-01-03.key").unwrap();
        disk.remove(&path(2, MANIFEST)).unwrap();
        write(&store_of(disk, b"another", "0.3.0"), 2).unwrap();
    },
    "it cannot be unsealed: keys/snapshots/1970-01-03.key is sealed under another secret; give the pseudonym secret that this data \
     folder was made with"
)]
#[case::part_of_another(
    |disk: &Memory| {
        let other = disk.read(&path(1, "part-000")).unwrap();
        let mut manifest = Manifest::read(&disk.read(&path(2, MANIFEST)).unwrap(), 2).unwrap();
        manifest.parts[0] = Part::of(0, &other);
        disk.replace(&path(2, "part-000"), &other).unwrap();
        disk.replace(&path(2, MANIFEST), &manifest.sealed()).unwrap();
    },
    "it cannot be unsealed: what was sealed with the key of 1970-01-03 is damaged, or was moved here from another place"
)]
fn a_snapshot_that_is_not_used_says_why(#[case] harm: Harm, #[case] why: &str) {
    let disk = Memory::new();
    write(&store(&disk), 1).unwrap();
    if !why.contains("engine") {
        write(&store(&disk), 2).unwrap();
    }
    harm(&disk);
    let refused = format!("snapshot 00000000000000000002 is not used: {why}");
    // The reader has seen nothing of what was written.
    assert_eq!(newest(&store(&disk)), (Some(1), vec![refused]));
}

#[test]
fn a_crash_at_any_operation_leaves_a_whole_one() {
    for seed in 0..4 {
        for operation in 0.. {
            let disk = Memory::new();
            (1..=2).for_each(|position| drop(write(&store(&disk), position).unwrap()));
            disk.inject(operation, Fault::Crash);
            let written = write(&store(&disk), 3).is_ok();
            let finished = !disk.is_down();
            disk.crash(seed);
            let (position, refused) = newest(&store(&disk));
            assert_eq!(refused, [] as [&str; 0], "operation {operation}, seed {seed}");
            assert!(position == Some(3) || !written && position == Some(2), "operation {operation}, seed {seed}: {position:?}");
            write(&store(&disk), 4).unwrap();
            assert_eq!(newest(&store(&disk)), (Some(4), vec![]));
            write(&store(&disk), 5).unwrap();
            let kept = ["0/seen-2", "0/seen-3", "0/seen-4", "1/seen-3", "1/seen-4", "1/seen-5"];
            let other = ["0/seen-3", "0/seen-4", "0/seen-5", "1/seen-2", "1/seen-3", "1/seen-4"];
            assert!(lasting(&disk) == kept || lasting(&disk) == other, "operation {operation}, seed {seed}: {:?}", lasting(&disk));
            if finished {
                assert!(written && operation > 11, "operation {operation}");
                break;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// A snapshot with a byte changed is refused, unless the change says nothing (a blank in the manifest).
    #[test]
    fn any_flipped_byte_is_seen(file in 0..5_usize, at in any::<prop::sample::Index>(), mask in 1..=u8::MAX) {
        let disk = Memory::new();
        write(&store(&disk), 1).unwrap();
        write(&store(&disk), 2).unwrap();
        let path = if file == 4 { copy(1, "seen-1") } else { path(2, ["part-000", "part-001", "part-002", MANIFEST][file]) };
        let length = disk.read(&path).unwrap().len();
        disk.damage(&path, at.index(length) as u64, mask);
        let (position, refused) = newest(&store(&disk));
        match position {
            Some(1) => prop_assert_eq!(refused.len(), 1),
            other => prop_assert!(file == 3 && other == Some(2) && refused.is_empty(), "{:?} {:?}", other, refused),
        }
    }
}

#[test]
fn what_lasts_is_written_once_for_each_of_two_copies() {
    let disk = Memory::new();
    let store = store(&disk);
    let sealed = |names: u64| names * (lasting_content("seen-0").len() + crate::seal::TAG_BYTES) as u64;
    let written: Vec<Written> = (3..=6).map(|position| write(&store, position).unwrap()).collect();
    let own = written[0].bytes - sealed(3);
    let anew: Vec<u64> = written.iter().map(|written| written.written_bytes - own).collect();
    // Each copy has what it had two snapshots ago.
    assert_eq!(anew, [sealed(3), sealed(3), sealed(2), sealed(2)]);
    assert!(written.iter().all(|written| written.bytes == own + sealed(3)));
    assert_eq!(lasting(&disk), ["0/seen-3", "0/seen-4", "0/seen-5", "1/seen-4", "1/seen-5", "1/seen-6"]);
    assert_eq!(newest(&store), (Some(6), vec![]));
}

#[test]
fn of_a_single_snapshot_there_is_a_single_copy() {
    let disk = Memory::new();
    let store = || SnapshotStore { keep: 1, ..store(&disk) };
    (1..=5).for_each(|position| assert_eq!(write(&store(), position).unwrap().dropped.len(), usize::from(position > 1)));
    assert_eq!(lasting(&disk), ["0/seen-3", "0/seen-4", "0/seen-5"]);
    assert_eq!(newest(&store()), (Some(5), vec![]));
}

#[test]
fn a_damaged_lasting_part_takes_one_snapshot_and_is_written_anew() {
    let disk = Memory::new();
    (1..=4).for_each(|position| drop(write(&store(&disk), position).unwrap()));
    assert!(disk.damage(&copy(1, "seen-3"), 20, 1));
    let why = "snapshot 00000000000000000004 is not used: it is torn: lasting/1/seen-3 is not what was written (BLAKE3 differs)".to_owned();
    assert_eq!(newest(&store(&disk)), (Some(3), vec![why]));
    // The next one is of the other copy, and the one after it finds the damage and mends it.
    write(&store(&disk), 5).unwrap();
    write(&store(&disk), 6).unwrap();
    assert_eq!(newest(&store(&disk)), (Some(6), vec![]));
    assert!(store(&disk).each().unwrap().iter().all(Result::is_ok));
}

#[test]
fn what_may_be_referred_to_and_what_is_not_ours_is_not_removed() {
    let disk = Memory::new();
    write(&store(&disk), 1).unwrap();
    disk.append(&copy(0, "seen-99")).unwrap().append(b"of a crash").unwrap();
    disk.append(&copy(0, "README.txt")).unwrap().append(b"not ours").unwrap();
    let newer = format!("{DIR}/{:020}/{MANIFEST}", 9);
    disk.replace(&newer, br#"{"format": 3}"#).unwrap();
    write(&store(&disk), 2).unwrap();
    assert!(lasting(&disk).contains(&"0/seen-99".to_owned()), "a later version's manifest may name it");
    disk.remove(&newer).unwrap();
    write(&store(&disk), 3).unwrap();
    assert!(!lasting(&disk).contains(&"0/seen-99".to_owned()));
    assert!(lasting(&disk).contains(&"0/README.txt".to_owned()));
}

#[test]
fn a_manifest_without_lasting_parts_is_what_it_was() {
    let mut manifest = Manifest::head(7, "sha256:9b1f", "0.2.0", &SETTINGS, HOUR_MS);
    manifest.format = 1;
    let sealed = manifest.sealed();
    let text = String::from_utf8(sealed.clone()).unwrap();
    assert!(!text.contains("copy") && !text.contains("lasting") && !text.contains("events_per_s"), "{text}");
    assert_eq!(Manifest::read(&sealed, 7).unwrap().lasting, []);
}
