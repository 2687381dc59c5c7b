//! What no rendering of a message may change, and what no message of somebody else may add.

use proptest::prelude::*;

use crate::support::{Rng, Sender, carriers, found};
use crate::tricks::write;

/// Marks that nobody sees: zero-width and bidi characters, tatweel, a combining mark, a vowel sign.
const INVISIBLE: &[char] =
    &['\u{200b}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202b}', '\u{2066}', '\u{2069}', '\u{feff}', 'ـ', '\u{0301}', '\u{064e}'];

/// Tricks that leave one number in one message.
const TRICKS: &[&[&str]] = &[
    &["form.plus"],
    &["form.idd"],
    &["form.trunk"],
    &["form.foreign"],
    &["glyph.eastern"],
    &["glyph.keycap"],
    &["words.arabic"],
    &["words.franco"],
    &["words.english"],
    &["sep.dash"],
    &["sep.dot", "glyph.mixed"],
    &["sep.space"],
    &["compounds.arabic"],
];

fn said(text: &str) -> Option<(String, String)> {
    found(text).map(|found| (found.kind, found.evidence))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_nobody_sees_changes_nothing(seed: u64, mark in prop::sample::select(INVISIBLE), share in 1_usize..100) {
        let mut rng = Rng::new(seed, "invisible");
        let open = carriers(include_str!("numbers.tsv"));
        let chain = rng.one(TRICKS);
        let written = write(&mut rng, chain);
        let text = rng.pick(&open).with(&written.pieces[0]);
        let marked: String = text.chars().flat_map(|c| [Some(c), rng.chance(share).then_some(mark)]).flatten().collect();
        prop_assert_eq!(said(&marked), said(&text), "{:?} and {:?}", marked, text);
    }

    #[test]
    fn what_is_written_is_read(seed: u64) {
        let mut rng = Rng::new(seed, "written");
        let chain = rng.one(TRICKS);
        let written = write(&mut rng, chain);
        let text = format!("call me on {}", written.pieces[0]);
        let expected = written.number.masked();
        prop_assert_eq!(said(&text).map(|(_, evidence)| evidence), Some(expected), "{:?}", text);
    }

    /// What the offsets hold is what was found: alone, it is found again, and nothing of it lies outside.
    #[test]
    fn offsets_hold_what_was_found(seed: u64, mark in prop::sample::select(INVISIBLE), share in 0_usize..30) {
        let mut rng = Rng::new(seed, "offsets");
        let open = carriers(include_str!("numbers.tsv"));
        let chain = rng.one(TRICKS);
        let written = write(&mut rng, chain);
        let plain = rng.pick(&open).with(&written.pieces[0]);
        let text: String = plain.chars().flat_map(|c| [Some(c), rng.chance(share).then_some(mark)]).flatten().collect();
        if let Some(found) = found(&text).filter(|found| found.kind == "phone") {
            let again = said(&format!("call me on {}", found.of(&text)));
            prop_assert_eq!(again, Some((found.kind.clone(), found.evidence.clone())), "{:?} of {:?}", found.of(&text), text);
            let visible: String = found.of(&text).chars().filter(|c| !INVISIBLE.contains(c)).collect();
            prop_assert!(plain.contains(&visible), "{:?} of {:?}", visible, plain);
            prop_assert_eq!(found.of(&text).chars().count(), found.length);
        }
    }

    #[test]
    fn an_address_stands_where_its_offsets_say(before in "[a-z ,؟]{0,30}", name in "[q-z]{3,8}_[q-z]{3,8}[0-9]{2}", behind in "( [a-z]{2,6}){0,6}") {
        for (lead, address) in [("mail ", format!("{name}@gmail.com")), ("", format!("https://t.me/{name}")), ("my insta ", format!("@{name}"))] {
            let text = format!("{before} {lead}{address}{behind}");
            let found = found(&text).expect("an address");
            prop_assert_eq!(found.of(&text), address);
        }
    }

    /// Offsets lie in what was looked at, whatever the message.
    #[test]
    fn offsets_lie_in_the_message(text in "\\PC{0,80}|([0-9o@.+ \u{200b}⑩واحد]|one |call |wa\\.me/|at |dot com ){0,60}", many in 0_usize..400) {
        let text = format!("{}{text}{}", "ا".repeat(many * 7), " 01012345678".repeat(many));
        if let Some(found) = found(&text) {
            prop_assert!(found.length > 0 && found.start + found.length <= text.chars().count(), "{:?}", found);
            prop_assert_eq!(found.cut, text.len() > 4096);
        }
    }

    /// Pieces of two senders, in turn: neither has written a number.
    #[test]
    fn digits_of_two_senders_are_never_joined(number in "01[0125][0-9]{8}", cut in 3_usize..9) {
        let (left, right) = number.split_at(cut);
        let (mut one, mut other) = (Sender::new(), Sender::new());
        prop_assert_eq!(one.writes(left, 0), None);
        prop_assert_eq!(other.writes(right, 10), None);
        prop_assert_eq!(one.writes("ok", 20), None);
    }

    /// Whatever the order in which pieces arrive, that in which they were written is the number's.
    #[test]
    fn pieces_join_in_the_order_in_which_they_were_written(number in "01[0125][2-9]{8}", turn in 0_usize..3) {
        let mut pieces = [(&number[..4], 0), (&number[4..7], 30), (&number[7..], 60)];
        pieces.rotate_left(turn);
        let mut sender = Sender::new();
        let said: Vec<_> = pieces.iter().map(|(text, at_s)| sender.writes(text, *at_s)).collect();
        let expected = format!("+20 {}•• ••• •{}", &number[1..3], &number[9..]);
        prop_assert_eq!(said[2].as_ref().map(|found| found.evidence.clone()), Some(expected));
    }
}
