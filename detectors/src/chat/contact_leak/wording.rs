//! What a message sounds like as a whole: proposals in words that no list has, and talk that only shares their words.
//!
//! ```text
//! Pieces   three and four letters in a row of each word, its ends among them and a drawn-out letter taken once; what a word does
//!          (speech) or is (lexicon); the same of two words of which one stands at most four behind the other; question marks and numbers,
//!          by how many digits they have, three of them at the most
//! Score    b + Σ w(piece) / √(pieces + 20), each as often as it stands there, also those without a weight. The 20 cost nothing in
//!          cross-validation; without them three odd words would outweigh a sentence
//! Weights  data/wording.tsv, in sixteenths: a linear support vector machine with squared hinge loss (Hsieh, Chang, Lin, Keerthi,
//!          Sundararajan: A Dual Coordinate Descent Method for Large-scale Linear SVM, ICML 2008), from messages that many people's
//!          voices wrote for this project, fixtures/chat/wording; `cargo run -p rasid-quality -- --wording` makes them anew
//! ```
//!
//! It knows how often pieces stood in proposals, and nothing of what they mean, so it speaks after the reading of clauses (`intent`)
//! has: it never overrules the refusal of a contact or of another place, a warning or somebody's words retold, as pieces know little of
//! what is denied.

use std::sync::LazyLock;

use super::data;
use super::intent::{Message, Spoken};
use super::lexicon;
use super::normalise::{Kind, Text};
use super::speech;

/// A score from which on a message that nothing else speaks of sounds like a proposal. Of what `fixtures/chat/wording/unseen_*.tsv`
/// hold, docs/detection-quality.md says how much is found and how much is accused there.
pub(super) const SOUNDS: f64 = 0.5;
/// What weights are multiples of.
const UNIT: f64 = 1.0 / 16.0;
/// How many words behind another one is looked at together with it.
const REACH: usize = 4;
/// Pieces that every message is taken to have beside its own.
const SMOOTHING: u32 = 20;
/// Numbers and question marks that are looked at: whoever writes a column of numbers behind a sentence says no less by it.
const OTHERS_MAX: usize = 3;
/// Digits from which on one number is as long as another.
const DIGITS_MAX: u16 = 5;
/// Letters of a word that are looked at: a longer one is none.
const LETTERS_MAX: usize = 24;

/// The ends of a word among its letters: no word has these marks.
const BEGINS: char = '<';
const ENDS: char = '>';
/// In the place of a letter that takes more than sixteen bits: scripts of which nobody writes here.
const RARE: u16 = 0xFFFD;
/// Before everything that is no letters: no character has this code.
const NO_LETTERS: u64 = 0xFFFF << 48;
/// What is no word, by what it is.
const FIGURES: u64 = 1;
const MARK: u64 = 2;
/// The number of the lexicon's first class among what words do.
const IS: u32 = u64::BITS;

/// How much the message sounds like a proposal: 0 is as much as it does not.
pub(super) fn score(message: &Message) -> f64 {
    let weights = &*WEIGHTS;
    let (mut sum, mut pieces) = (0_i32, 0_u32);
    each(message, |piece| {
        sum += i32::from(weights.of_piece(piece));
        pieces += 1;
    });
    (f64::from(sum) / f64::from(pieces + SMOOTHING).sqrt() + f64::from(weights.bias)) * UNIT
}

/// Hands over every piece of a message.
fn each(message: &Message, mut take: impl FnMut(u64)) {
    for word in message.words() {
        letters(word.letters(), &mut take);
    }
    let does: smallvec::SmallVec<[(u64, u32); 48]> = message.words().map(Spoken::does_and_is).collect();
    for (at, first) in does.iter().enumerate() {
        for one in bits(*first) {
            take(together(one, None));
            for second in does.iter().skip(at + 1).take(REACH) {
                bits(*second).for_each(|other| take(together(one, Some(other))));
            }
        }
    }
    let others = message.text().tokens.iter().filter_map(|token| match token.kind {
        Kind::Digits => Some(other(FIGURES, (token.end - token.start).min(DIGITS_MAX))),
        Kind::Mark(mark @ ('?' | '؟')) => Some(other(MARK, code(mark))),
        Kind::Mark(_) | Kind::Word | Kind::Mixed | Kind::Space => None,
    });
    others.take(OTHERS_MAX).for_each(take);
}

/// Three and four letters in a row; all of a word that has fewer.
fn letters(word: impl Iterator<Item = char>, take: &mut impl FnMut(u64)) {
    let mut row: smallvec::SmallVec<[u16; LETTERS_MAX + 2]> = smallvec::SmallVec::new();
    for c in std::iter::once(BEGINS).chain(word.take(LETTERS_MAX)).chain([ENDS]) {
        let code = code(c);
        // Drawn out, a letter is one.
        if row.last() != Some(&code) {
            row.push(code);
        }
    }
    let packed = |letters: &[u16]| letters.iter().fold(0, |packed, code| packed << 16 | u64::from(*code));
    if row.len() < 3 {
        take(packed(&row));
    }
    for width in [3, 4] {
        row.windows(width).for_each(|letters| take(packed(letters)));
    }
}

fn code(c: char) -> u16 {
    u16::try_from(u32::from(c)).unwrap_or(RARE)
}

/// The numbers of all that a word does and is.
fn bits((does, is): (u64, u32)) -> impl Iterator<Item = u32> {
    let ones = |mut rest: u64| {
        std::iter::from_fn(move || {
            let one = (rest != 0).then(|| rest.trailing_zeros());
            rest &= rest.wrapping_sub(1);
            one
        })
    };
    ones(does).chain(ones(is.into()).map(|one| one + IS))
}

/// What one word does, and another behind it.
fn together(first: u32, second: Option<u32>) -> u64 {
    NO_LETTERS | u64::from(first + 1) << 16 | second.map_or(0, |second| u64::from(second + 1))
}

/// What is no word.
fn other(what: u64, value: u16) -> u64 {
    NO_LETTERS | what << 32 | u64::from(value)
}

/// Weights by piece: open addressing.
struct Weights {
    /// Free places are 0, which is no piece.
    pieces: Vec<u64>,
    /// What each speaks for, in sixteenths.
    speaks: Vec<i8>,
    bias: i32,
}

static WEIGHTS: LazyLock<Weights> = LazyLock::new(|| {
    let entries = data::WORDING.each(|[kind, piece, weight]| Ok((Piece::parse(kind, piece)?, data::number::<i32>(weight)?)));
    Weights::of(&entries)
});

impl Weights {
    fn of(entries: &[(Piece, i32)]) -> Self {
        let places = (entries.len() * 2).next_power_of_two();
        let mut weights = Self { pieces: vec![0; places], speaks: vec![0; places], bias: 0 };
        for (piece, weight) in entries {
            match piece {
                Piece::Bias => weights.bias = *weight,
                Piece::Key(key) => {
                    let place = weights.place(*key);
                    if let (Some(piece), Some(of)) = (weights.pieces.get_mut(place), weights.speaks.get_mut(place)) {
                        *piece = *key;
                        *of = i8::try_from(*weight).expect("the file is written so, and tests read it");
                    }
                }
            }
        }
        weights
    }

    /// Where a piece stands, or would.
    #[inline]
    fn place(&self, piece: u64) -> usize {
        let mask = self.pieces.len() - 1;
        // Fibonacci hashing: Knuth, The Art of Computer Programming 3, 6.4.
        let mut place = (piece.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize & mask;
        while self.pieces.get(place).is_some_and(|other| *other != 0 && *other != piece) {
            place = (place + 1) & mask;
        }
        place
    }

    #[inline]
    fn of_piece(&self, piece: u64) -> i8 {
        self.speaks.get(self.place(piece)).copied().unwrap_or(0)
    }
}

/// An entry of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Bias,
    Key(u64),
}

/// What a row of letters is called in the file.
const LETTERS: &str = "letters";
/// What a word does.
const DOES: &str = "does";
/// What two words do.
const PAIR: &str = "pair";
/// How many digits a number has.
const DIGITS: &str = "digits";
/// A question mark.
const MARKS: &str = "mark";
/// What every message has.
const BIAS: &str = "bias";

impl Piece {
    fn parse(kind: &str, text: &str) -> Result<Self, String> {
        let act = |name: &str| acts().position(|known| known == name).map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        let unknown = || format!("found {kind} {text}, expected a piece of a message");
        Ok(match kind {
            BIAS => Self::Bias,
            DIGITS => Self::Key(other(FIGURES, data::number(text)?)),
            MARKS => {
                let mut chars = text.chars();
                let (Some(mark), None) = (chars.next(), chars.next()) else { return Err(unknown()) };
                Self::Key(other(MARK, code(mark)))
            }
            LETTERS if (2..=4).contains(&text.chars().count()) => {
                let code = |c: char| u16::try_from(u32::from(c)).map_err(|_| unknown());
                Self::Key(text.chars().try_fold(0, |packed, c| Ok::<_, String>(packed << 16 | u64::from(code(c)?)))?)
            }
            DOES => Self::Key(together(act(text).ok_or_else(unknown)?, None)),
            PAIR => {
                let (first, second) = text.split_once('>').ok_or_else(unknown)?;
                Self::Key(together(act(first).ok_or_else(unknown)?, Some(act(second).ok_or_else(unknown)?)))
            }
            _ => return Err(unknown()),
        })
    }
}

/// What words do and are, by number: the classes of the lexicon behind those of `speech`.
fn acts() -> impl Iterator<Item = String> {
    let does = speech::ACTS.iter().map(|(name, _)| name.to_lowercase());
    let free = IS as usize - speech::ACTS.len();
    let is = lexicon::CLASSES.iter().map(|(name, _)| format!("is_{}", name.to_lowercase()));
    does.chain(std::iter::repeat_n(String::new(), free)).chain(is)
}

/// The pieces of a message as the file names them, kind and piece: what weights are made from.
pub fn wording(raw: &str) -> Vec<(&'static str, String)> {
    let names: Vec<String> = acts().collect();
    let name = |number: u64| usize::try_from(number - 1).ok().and_then(|number| names.get(number)).map_or("", String::as_str);
    let mut pieces = Vec::new();
    each(&Message::new(&Text::new(raw)), |key| {
        let [first, second, third, fourth] = [48, 32, 16, 0].map(|shift| key >> shift & 0xFFFF);
        let letter = |code: u64| u32::try_from(code).ok().filter(|code| *code != 0).and_then(char::from_u32);
        pieces.push(match (first << 48 == NO_LETTERS, second, third, fourth) {
            (true, FIGURES, _, digits) => (DIGITS, digits.to_string()),
            (true, MARK, _, mark) => (MARKS, letter(mark).into_iter().collect()),
            (true, _, one, 0) => (DOES, name(one).to_owned()),
            (true, _, one, other) => (PAIR, format!("{}>{}", name(one), name(other))),
            (false, ..) => (LETTERS, [first, second, third, fourth].into_iter().filter_map(letter).collect()),
        });
    });
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_piece_is_found_by_the_name_that_it_has() {
        let text = "aywaaa, send me your number on 5od ra2my, ابعتلي رقمك ٣ 𐐷𐐷𐐷 ok?";
        let mut keys = Vec::new();
        each(&Message::new(&Text::new(text)), |key| keys.push(key));
        let named: Vec<u64> = wording(text)
            .iter()
            .map(|(kind, piece)| match Piece::parse(kind, piece).expect("its own name") {
                Piece::Key(key) => key,
                Piece::Bias => panic!("a message has none"),
            })
            .collect();
        assert_eq!(named, keys);
        assert!(keys.iter().all(|key| *key != 0));
    }

    #[test]
    fn a_weight_is_that_of_its_piece_alone() {
        let entries: Vec<(Piece, i32)> =
            (1..2000_i32).map(|number| (Piece::Key(u64::from(number.unsigned_abs()) << 20), number % 100)).collect();
        let weights = Weights::of(&entries);
        for (piece, weight) in &entries {
            let Piece::Key(key) = piece else { panic!("no bias") };
            assert_eq!((i32::from(weights.of_piece(*key)), weights.of_piece(*key + 1)), (*weight, 0));
        }
    }

    #[test]
    fn a_word_of_no_list_is_told_from_another() {
        let score = |text: &str| score(&Message::new(&Text::new(text)));
        assert!(
            score("let us settle it between the two of us, they need not know")
                > score("the two of us settle the couch between the windows")
        );
    }

    proptest! {
        /// Whatever is written, a score is a number, and the longest message costs no more than its letters.
        #[test]
        fn every_message_has_a_score(text in "\\PC{0,400}") {
            prop_assert!(score(&Message::new(&Text::new(&text))).is_finite());
        }
    }
}
