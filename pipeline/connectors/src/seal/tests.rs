//! Keys: one a day and family, under one secret, and gone when they are dropped.

use super::*;
use crate::storage::Memory;
use rstest::rstest;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const DAY: Day = Day(20_779);

fn keyring(disk: &Memory, secret: &[u8]) -> Result<Keyring, Error> {
    Keyring::open(Arc::new(disk.clone()), "keys", secret)
}

fn nonce(position: u64) -> Nonce {
    Nonce::new(Kind::Block, position, 0)
}

fn sealed(keys: &Keyring, text: &[u8]) -> Vec<u8> {
    let mut buffer = text.to_vec();
    keys.seal(DAY, nonce(7), b"head", &mut buffer).expect("the disk has room");
    buffer
}

fn unsealed(keys: &Keyring, day: Day, nonce: Nonce, bound: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
    let mut buffer = sealed.to_vec();
    keys.unseal(day, nonce, bound, &mut buffer).map(|()| buffer)
}

#[rstest]
#[case::epoch(0, "1970-01-01")]
#[case::last_instant_of_a_day(1_795_391_999_999, "2026-11-22")]
#[case::first_of_the_next(1_795_392_000_000, "2026-11-23")]
#[case::before_the_epoch(-1, "1969-12-31")]
fn a_day_reads_as_its_date(#[case] ms: i64, #[case] date: &str) {
    let day = Day::of_ms(ms);
    assert_eq!(day.to_string(), date);
    assert_eq!(date.parse(), Ok(day));
    assert_eq!((Day::of_ms(day.end_ms() - 1), Day::of_ms(day.end_ms())), (day, Day(day.0 + 1)));
}

#[test]
fn what_is_sealed_opens_in_its_place_alone() {
    let disk = Memory::new();
    let keys = keyring(&disk, SECRET).expect("no keys yet");
    let text = sealed(&keys, b"phone +201000000042");
    assert_eq!(text.len(), 19 + TAG_BYTES);
    let again = keyring(&disk, SECRET).expect("the same secret");
    assert_eq!(unsealed(&again, DAY, nonce(7), b"head", &text).expect("all is the same"), b"phone +201000000042");
    let unauthentic = |result| matches!(result, Err(Error::Unauthentic { day: DAY }));
    assert!(unauthentic(unsealed(&again, DAY, nonce(8), b"head", &text)), "another position");
    assert!(unauthentic(unsealed(&again, DAY, Nonce::new(Kind::Header, 7, 0), b"head", &text)), "another kind");
    assert!(unauthentic(unsealed(&again, DAY, Nonce::new(Kind::Block, 7, 1), b"head", &text)), "another part");
    assert!(unauthentic(unsealed(&again, DAY, nonce(7), b"tail", &text)), "another header");
    assert!(unauthentic(unsealed(&again, DAY, nonce(7), b"head", b"short")), "no tag");
    for at in 0..text.len() {
        let mut flipped = text.clone();
        flipped[at] ^= 1;
        assert!(unauthentic(unsealed(&again, DAY, nonce(7), b"head", &flipped)), "byte {at}");
    }
}

#[test]
fn another_secret_is_told_at_the_start() {
    let disk = Memory::new();
    sealed(&keyring(&disk, SECRET).expect("no keys yet"), b"text");
    let error = keyring(&disk, b"another secret, as long as needed").expect_err("refused");
    assert_eq!(
        error.to_string(),
        "keys/2026-11-22.key is sealed under another secret; give the pseudonym secret that this data folder was made with"
    );
}

#[test]
fn every_flipped_bit_of_a_key_file_is_told() {
    let disk = Memory::new();
    sealed(&keyring(&disk, SECRET).expect("no keys yet"), b"text");
    let length = disk.len("keys/2026-11-22.key").expect("made");
    assert_eq!(length, 85);
    for (offset, bit) in (0..length).flat_map(|offset| (0..8).map(move |bit| (offset, 1 << bit))) {
        assert!(disk.damage("keys/2026-11-22.key", offset, bit));
        let error = keyring(&disk, SECRET).expect_err("refused");
        assert!(matches!(error, Error::Damaged { .. } | Error::Newer { .. }), "byte {offset}: {error}");
        assert!(disk.damage("keys/2026-11-22.key", offset, bit));
    }
    disk.truncate("keys/2026-11-22.key", 40).expect("there");
    assert!(matches!(keyring(&disk, SECRET), Err(Error::Damaged { .. })));
}

#[test]
fn a_key_is_bound_to_its_day_and_family() {
    let disk = Memory::new();
    let keys = keyring(&disk, SECRET).expect("no keys yet");
    let text = sealed(&keys, b"text");
    let letters = keys.family("dead-letters");
    assert!(matches!(unsealed(&letters, DAY, nonce(7), b"head", &text), Err(Error::RetentionEnded { .. })));
    let file = disk.read("keys/2026-11-22.key").expect("made");
    disk.replace("keys/2026-11-21.key", &file).expect("room");
    disk.replace("keys/dead-letters/2026-11-22.key", &file).expect("room");
    assert!(matches!(unsealed(&letters, DAY, nonce(7), b"head", &text), Err(Error::Damaged { .. })));
    assert!(matches!(unsealed(&keys, Day(DAY.0 - 1), nonce(7), b"head", &text), Err(Error::Damaged { .. })));
}

#[test]
fn a_dropped_key_ends_retention() {
    let disk = Memory::new();
    let keys = keyring(&disk, SECRET).expect("no keys yet");
    let text = sealed(&keys, b"text");
    keys.seal(Day(DAY.0 + 1), nonce(8), b"head", &mut Vec::new()).expect("room");
    assert_eq!(keys.days().expect("readable"), [DAY, Day(DAY.0 + 1)]);
    assert_eq!(keys.forget_before(DAY).expect("writable"), 0);
    assert_eq!(keys.forget_before(Day(DAY.0 + 1)).expect("writable"), 1);
    for keys in [keys, keyring(&disk, SECRET).expect("the same secret")] {
        let error = unsealed(&keys, DAY, nonce(7), b"head", &text).expect_err("the key is gone");
        assert_eq!(error.to_string(), "retention ended: the key of 2026-11-22 is gone");
        assert_eq!(keys.days().expect("readable"), [Day(DAY.0 + 1)]);
    }
}

#[test]
fn keys_are_random_and_never_shown() {
    let disk = Memory::new();
    let keys = keyring(&disk, SECRET).expect("no keys yet");
    assert_ne!(sealed(&keys, b"text"), sealed(&keyring(&Memory::new(), SECRET).expect("no keys yet"), b"text"));
    assert_eq!(format!("{keys:?}"), r#"Keyring { dir: "keys", keys: [redacted] }"#);
    let broken: Fill = Arc::new(|_| Err(io::ErrorKind::WouldBlock.into()));
    let keys = Keyring::with_random(Arc::new(Memory::new()), "keys", SECRET, broken).expect("no keys yet");
    let error = keys.seal(DAY, nonce(7), b"", &mut Vec::new()).expect_err("no random bytes");
    assert_eq!(error.disposition(), Disposition::Retry);
}
