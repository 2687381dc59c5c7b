//! The contract of the port on both disks, and what a crash may and may not do.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use super::*;
use proptest::prelude::*;
use rstest::rstest;

/// A disk, and what keeps it.
fn disk(kind: &str) -> (Arc<dyn Storage>, Option<tempfile::TempDir>) {
    if kind == "memory" {
        return (Arc::new(Memory::new()), None);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    (Arc::new(Disk::open(&folder.path().join("data")).expect("writable")), Some(folder))
}

#[rstest]
fn the_contract(#[values("memory", "disk")] kind: &str) {
    let (disk, _folder) = disk(kind);
    assert_eq!(disk.list("log").expect("no folder is no error"), Vec::<String>::new());
    assert_eq!(disk.read("log/a").expect_err("not there").kind(), io::ErrorKind::NotFound);
    assert_eq!(disk.len("log/a").expect_err("not there").kind(), io::ErrorKind::NotFound);
    assert_eq!(disk.remove("log/a").expect_err("not there").kind(), io::ErrorKind::NotFound);
    disk.remove_dir("log").expect("a folder that is not there is no error");

    let mut file = disk.append("log/a").expect("made with its folder");
    file.append(b"hello ").expect("room");
    file.append(b"world").expect("room");
    assert_eq!((file.length(), disk.len("log/a").expect("there")), (11, 11));
    file.sync().expect("takes it");
    let mut buffer = [b'-'; 8];
    for (offset, expected) in [(0, &b"hello wo"[..]), (6, b"world"), (11, b""), (99, b"")] {
        let read = disk.read_at("log/a", offset, &mut buffer).expect("there");
        assert_eq!(&buffer[..read], expected);
    }
    disk.truncate("log/a", 5).expect("there");
    assert_eq!(disk.append("log/a").expect("there").length(), 5, "opened anew it goes on at the end");

    disk.replace("log/b", b"one").expect("room");
    disk.replace("log/b", b"two").expect("room");
    disk.replace("log/deep/er/c", b"").expect("its folders are made");
    assert_eq!(disk.read("log/b").expect("there"), b"two");
    assert_eq!(disk.list("log").expect("there"), ["a", "b", "deep"]);
    assert_eq!(disk.list("").expect("there"), ["log"]);
    disk.remove("log/a").expect("there");
    disk.remove_dir("log/deep").expect("there");
    assert_eq!(disk.list("log").expect("there"), ["b"]);
}

#[test]
fn files_are_their_owners_alone_and_none_leads_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("deep/data");
    let disk = Disk::open(&root).expect("writable");
    disk.replace("keys/k", b"secret").expect("room");
    disk.append("log/a").expect("room").sync().expect("takes it");
    std::fs::write(root.join("log/left.tmp"), "a crash left it").expect("room");
    assert_eq!(disk.list("log").expect("there"), ["a"], "what is being put in place is not listed");
    let mode = |path: &str| std::fs::metadata(root.join(path)).expect("there").permissions().mode() & 0o777;
    assert_eq!([mode(""), mode("keys"), mode("log")], [0o700; 3]);
    assert_eq!([mode("keys/k"), mode("log/a")], [0o600; 2]);
    for path in ["../out", "/etc/passwd", "log/../../out"] {
        assert_eq!(disk.read(path).expect_err("refused").kind(), io::ErrorKind::InvalidInput, "{path}");
        assert_eq!(disk.replace(path, b"").expect_err("refused").kind(), io::ErrorKind::InvalidInput, "{path}");
    }
}

#[test]
fn a_full_disk_takes_half_until_it_is_healed() {
    let disk = Memory::new();
    let mut file = disk.append("a").expect("room");
    disk.inject(1, Fault::Full);
    file.append(b"1234").expect("one operation still goes");
    file.sync().expect("a full disk syncs");
    assert_eq!(file.append(b"5678").expect_err("full").kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.replace("b", b"").expect_err("full").kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.read("a").expect("there"), b"123456");
    disk.heal();
    file.append(b"9").expect("room again");
    assert_eq!(disk.paths(), ["a"]);
}

#[test]
fn after_the_power_is_gone_nothing_works_until_it_is_back() {
    let disk = Memory::new();
    let mut file = disk.append("a").expect("room");
    disk.inject(0, Fault::Crash);
    file.append(b"1234").expect_err("the power goes");
    assert!(disk.is_down());
    disk.read("a").expect_err("no power");
    disk.list("").expect_err("no power");
    file.sync().expect_err("no power");
    disk.crash(1);
    file.append(b"5").expect_err("the handle is from before");
    disk.append("a").expect("power").append(b"5").expect("power");
}

#[test]
fn a_replace_under_way_leaves_the_old_or_the_new_and_both_happen() {
    let outcomes: std::collections::BTreeSet<Vec<u8>> = (0..32)
        .map(|seed| {
            let disk = Memory::new();
            disk.replace("a", b"old").expect("room");
            disk.inject(0, Fault::Crash);
            disk.replace("a", b"new").expect_err("the power goes");
            disk.crash(seed);
            disk.read("a").expect("one of them")
        })
        .collect();
    assert_eq!(outcomes, [b"new".to_vec(), b"old".to_vec()].into());
}

proptest! {
    #[test]
    fn what_was_synced_survives_and_one_seed_gives_one_outcome(
        synced in proptest::collection::vec(any::<u8>(), 0..40), after in proptest::collection::vec(any::<u8>(), 0..40), seed: u64,
    ) {
        let outcome = || {
            let disk = Memory::new();
            let mut file = disk.append("a").expect("room");
            file.append(&synced).expect("room");
            file.sync().expect("takes it");
            file.append(&after).expect("room");
            disk.append("never/synced").expect("room").append(&after).expect("room");
            disk.crash(seed);
            let found: Vec<_> = disk.paths().iter().map(|path| (path.clone(), disk.read(path).expect("listed"))).collect();
            disk.crash(!seed);
            assert_eq!(found, disk.paths().iter().map(|path| (path.clone(), disk.read(path).expect("listed"))).collect::<Vec<_>>());
            found
        };
        let found = outcome();
        prop_assert_eq!(&found[0].0, "a");
        prop_assert!(found[0].1.starts_with(&synced) && found[0].1.len() <= synced.len() + after.len());
        prop_assert_eq!(found, outcome());
    }
}
