//! A folder is bound to one secret and number, changes them only from the one to the next, and opens under the newest alone.

use rasid_detectors::entity::EntityKind;
use rstest::rstest;

use super::*;
use crate::seal::{Day, Kind, Nonce};
use crate::storage::{Fault, Memory};

const FIRST: &[u8] = b"the first secret, long enough";
const SECOND: &[u8] = b"the second secret, long enough";
const THIRD: &[u8] = b"the third secret, long enough";
const PATH: &str = "keys/secrets";
const DAY: Day = Day(20_779);

fn given(secret: &[u8], number: u8, former: Option<&[u8]>) -> Given {
    let owned = |secret: &[u8]| Zeroizing::new(secret.to_vec());
    let number_of = |former: &[u8]| if former == FIRST { 4 } else { 5 };
    Given { secret: owned(secret), number, former: former.map(|former| (number_of(former), owned(former))) }
}

fn open(disk: &Memory, secret: &[u8], number: u8, former: Option<&[u8]>) -> Result<(Secrets, Change), Error> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    Secrets::open(&storage, "keys", &given(secret, number, former), &super::super::system_random())
}

fn keyring(disk: &Memory, secret: &[u8]) -> Result<Keyring, Error> {
    Keyring::open(Arc::new(disk.clone()), "keys", secret)
}

/// A folder with a day key in each of two families, bound to the first secret as number 4.
fn bound() -> (Memory, Vec<Vec<u8>>) {
    let disk = Memory::new();
    assert_eq!(open(&disk, FIRST, 4, None).expect("a new folder").1, Change::Bound);
    let keys = keyring(&disk, FIRST).expect("bound to it");
    let texts = [keys.clone(), keys.family("dead-letters")].map(|keys| {
        let mut text = b"raw".to_vec();
        keys.seal(DAY, Nonce::new(Kind::Block, 7, 0), b"", &mut text).expect("room");
        text
    });
    (disk, texts.to_vec())
}

fn assert_readable(disk: &Memory, secret: &[u8], texts: &[Vec<u8>]) {
    let keys = keyring(disk, secret).expect("the secret in force");
    for (keys, text) in [keys.clone(), keys.family("dead-letters")].iter().zip(texts) {
        let mut text = text.clone();
        keys.unseal(DAY, Nonce::new(Kind::Block, 7, 0), b"", &mut text).expect("its key is there");
        assert_eq!(text, b"raw");
    }
}

fn names(secrets: &Secrets) -> Vec<String> {
    let made = secrets.pseudonymizers().expect("long enough");
    made.iter().map(|made| made.leave(EntityKind::Phone, "+201000000042")).collect()
}

#[rstest]
#[case::the_same(FIRST, 4, None, None)]
#[case::another_number(FIRST, 1, None, Some("the pseudonyms of this data folder carry number 4, and number 1 was given"))]
#[case::another_secret(SECOND, 4, None, Some("bound to another secret, whose number is 4"))]
#[case::another_secret_and_number(SECOND, 5, None, Some("bound to another secret, whose number is 4"))]
#[case::a_former_that_it_never_had(FIRST, 4, Some(SECOND), Some("the former secret that was given is not"))]
#[case::a_change_from_another(SECOND, 5, Some(THIRD), Some("bound to another secret, whose number is 4"))]
#[case::a_change_that_keeps_the_number(SECOND, 4, Some(FIRST), Some("number 4 belongs to another secret"))]
#[case::a_change_to_a_short_one(b"short", 5, Some(FIRST), Some("has 5 bytes, expected 16 or more"))]
fn what_is_given_must_be_what_the_folder_has(
    #[case] secret: &[u8],
    #[case] number: u8,
    #[case] former: Option<&[u8]>,
    #[case] refused: Option<&str>,
) {
    let (disk, texts) = bound();
    let before = disk.read(PATH).expect("bound");
    match (open(&disk, secret, number, former), refused) {
        (Ok((_, change)), None) => assert_eq!(change, Change::None),
        (Err(error), Some(part)) => {
            assert!(error.to_string().contains(part), "{error}");
            assert!(error.is_configuration(), "{error}");
        }
        (outcome, _) => panic!("{outcome:?}"),
    }
    assert_eq!(disk.read(PATH).expect("there"), before);
    assert_readable(&disk, FIRST, &texts);
}

#[test]
fn a_changed_secret_opens_what_the_one_before_sealed_and_knows_all_names() {
    let (disk, texts) = bound();
    let (first, _) = open(&disk, FIRST, 4, None).expect("bound");
    assert_eq!((first.keys(), names(&first).len()), (None, 1));
    let (second, change) = open(&disk, SECOND, 5, Some(FIRST)).expect("changed");
    assert_eq!((change, second.keys()), (Change::Rotated { from: 4 }, Some(Keys { number: 5, former: Some(4) })));
    assert_readable(&disk, SECOND, &texts); // before any key is wrapped anew: the process may end here
    assert!(matches!(keyring(&disk, FIRST), Err(Error::NotBound { number: 5, .. })));
    let keys = keyring(&disk, SECOND).expect("in force");
    assert_eq!((keys.rewrap().expect("room"), keys.rewrap().expect("room")), (2, 0));
    assert_readable(&disk, SECOND, &texts);

    // With the former one for as long as its names are wanted, then without; and on to a third.
    assert_eq!(open(&disk, SECOND, 5, Some(FIRST)).expect("bound").1, Change::None);
    let (alone, _) = open(&disk, SECOND, 5, None).expect("bound");
    assert_eq!(alone.keys(), Some(Keys { number: 5, former: None }));
    assert!(matches!(open(&disk, THIRD, 4, Some(SECOND)), Err(Error::NumberTaken { number: 4 })));
    let (third, _) = open(&disk, THIRD, 6, Some(SECOND)).expect("changed");
    assert_eq!(keyring(&disk, THIRD).expect("in force").rewrap().expect("room"), 2);
    assert_readable(&disk, THIRD, &texts);
    assert_eq!(third.keys(), Some(Keys { number: 6, former: Some(5) }));
    assert!(matches!(open(&disk, THIRD, 6, Some(FIRST)), Err(Error::FormerUnknown { .. })), "the one before the last");
    let all = names(&third);
    assert_eq!((all.len(), &all[..2], &all[..1]), (3, &names(&second)[..], &names(&first)[..]));
    let seeds: Vec<_> = third.pseudonymizers().expect("long enough").iter().map(Pseudonymizer::seed).collect();
    assert_eq!(seeds, [Pseudonymizer::new(FIRST, 1).expect("long enough").seed(); 3], "the state's keys stay");
    let storage: &dyn Storage = &disk;
    assert_eq!(names(&Secrets::existing(storage, "keys", THIRD).expect("in force").expect("bound")), all);
    assert_eq!(Secrets::number(storage, "keys").expect("readable"), Some(6));
}

/// Whatever operation the disk fails at, the folder opens afterwards: with the secret before, or with the new one.
#[test]
fn a_change_that_is_cut_short_is_finished_or_never_was() {
    for fails_after in 0..20 {
        let (disk, texts) = bound();
        disk.inject(fails_after, Fault::Full);
        let changed = open(&disk, SECOND, 5, Some(FIRST)).and_then(|_| keyring(&disk, SECOND)?.rewrap());
        disk.heal();
        disk.crash(fails_after);
        if changed.is_err() && keyring(&disk, FIRST).is_ok() {
            assert_readable(&disk, FIRST, &texts);
        }
        open(&disk, SECOND, 5, Some(FIRST)).expect("again");
        keyring(&disk, SECOND).expect("in force").rewrap().expect("room");
        assert_readable(&disk, SECOND, &texts);
    }
}

#[test]
fn a_folder_of_before_is_bound_to_what_it_is_opened_with() {
    let disk = Memory::new();
    let keys = keyring(&disk, FIRST).expect("a new folder");
    keys.seal(DAY, Nonce::new(Kind::Block, 7, 0), b"", &mut Vec::new()).expect("room");
    let storage: &dyn Storage = &disk;
    assert_eq!(Secrets::number(storage, "keys").expect("readable"), None);
    assert!(matches!(open(&disk, SECOND, 1, None), Err(Error::OtherSecret { .. })));
    assert!(matches!(open(&disk, FIRST, 1, Some(SECOND)), Err(Error::FormerUnknown { .. })));
    assert_eq!(open(&disk, FIRST, 9, None).expect("its secret").1, Change::Bound);
    assert!(matches!(open(&disk, FIRST, 1, None), Err(Error::OtherNumber { folder: 9, given: 1, .. })));
}

#[test]
fn every_flipped_bit_is_told_and_no_secret_is_shown() {
    let (disk, _) = bound();
    open(&disk, SECOND, 5, Some(FIRST)).expect("changed");
    let length = disk.len(PATH).expect("there");
    for (offset, bit) in (0..length).flat_map(|offset| (0..8).map(move |bit| (offset, 1 << bit))) {
        assert!(disk.damage(PATH, offset, bit));
        let error = open(&disk, SECOND, 5, None).expect_err("refused");
        assert!(matches!(error, Error::Damaged { .. } | Error::Newer { .. }), "byte {offset}: {error}");
        assert!(disk.damage(PATH, offset, bit));
    }
    let (secrets, _) = open(&disk, SECOND, 5, None).expect("whole again");
    assert_eq!(format!("{secrets:?}"), "Secrets { numbers: [4, 5], secrets: [redacted] }");
    let file = disk.read(PATH).expect("there");
    assert!(!file.windows(FIRST.len()).any(|window| window == FIRST), "the former one lies sealed");
}
