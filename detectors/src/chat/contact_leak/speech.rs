//! What a word does in a sentence: asks, gives, talks, refuses, names this place or another. For proposals alone, so it is looked up only
//! in messages that may hold one.
//!
//! Arabic verbs are found by their stem: signs of person and tense go before it (ا ت ن ي, ه, ب), signs of whom it is done to behind it
//! (ني, لي, لك, هالي); م…ش around all of it denies it. Franco has the same in Latin letters, where vowels are written as one likes: its
//! stems are consonants.

use std::sync::LazyLock;

use super::data;
use super::lexicon::{filter_bit, franco_key, plain_key};
use super::normalise::{self, Sym};

data::named_bits! {
    ACTS: u64;
    /// The app, its chat.
    APP,
    /// This place.
    HERE,
    /// What is booked.
    BOOKING,
    /// "outside", "without", "skip".
    OUT,
    /// Saving or sharing a cost.
    AVOID,
    /// What the marketplace takes.
    FEE,
    /// An e-mail, a telephone: some contact.
    CONTACT,
    /// A name by which somebody is found.
    NAME,
    /// Of the other.
    YOURS,
    /// Of the writer.
    MINE,
    /// "the same".
    SAME,
    /// A picture, a sign: where a number can be read.
    PHOTO,
    /// It is to be read there.
    WRITTEN,
    /// Talking, between the two.
    TALK,
    /// To the writer.
    TOME,
    /// To the other.
    TOYOU,
    /// The two together.
    WE,
    /// Getting to the other, or meeting.
    REACH,
    /// Asking for something.
    ASK,
    /// Handing something over.
    GIVE,
    /// Looking for somebody.
    FIND,
    /// Giving one for another.
    EXCHANGE,
    /// Having, using.
    HAVE,
    /// Agreeing, working, meeting.
    DEAL,
    /// "directly", "between us".
    DIRECT,
    /// Taking a booking back.
    CANCEL,
    /// Paying, and what is paid.
    PAY,
    /// A way to pay that is not the marketplace's.
    WALLET,
    /// Money in hand.
    CASH,
    /// "better", "easier".
    BETTER,
    /// A code.
    CODE,
    /// A message, its coming, and what a code in it is for.
    SENT,
    /// What makes a number one that confirms.
    VERIFYNUMBER,
    /// What else has a code.
    THING,
    /// Negation.
    NEG,
    /// "need".
    NEED,
    /// What is allowed.
    RULE,
    /// Anybody, and what would be.
    SUPPOSE,
    /// "why"; "when" in Arabic.
    WHY,
    /// "when", which asks where one of the next stands behind it.
    WHEN,
    /// "do", "can", "is".
    AUX,
    /// Somebody else.
    SOMEBODY,
    /// Said, asked, wanted: by whom, the word before tells.
    SAYS,
    /// Somebody else said it.
    RETOLD,
    /// The same, where "of me" follows.
    ASKED,
    /// "of me".
    FROMME,
    /// A warning.
    WARN,
    /// Work on telephones, networks, pages.
    JOB,
    /// Somebody who is looked for to do it.
    HIRE,
    /// Staying.
    STAY,
    /// "but", "so": another thought begins.
    BUT,
    /// "it".
    IT,
    /// "in", "through".
    IN,
    /// He, she or they do it.
    THEY,
    /// "yes", "fine".
    AGREE,
    /// What a "no" before it takes nothing away by: "no problem", "if you don't mind".
    MIND,
    /// Courtesy, and words that look like another's form.
    POLITE,
    /// A word of many sentences, which is nobody's name.
    COMMON,
    /// It came to the other.
    CAME,
    /// "do not": asked of the other.
    DONT,
    /// The writer, as who acts.
    SELF,
    /// Others: "away from them".
    THEM,
    /// A shop, a hall: what has a page and is nobody.
    PLACE,
    /// "if", "when", "where": what is asked for is none of the things that are named.
    IF,
}

/// What a word is looked up as.
#[derive(Clone, Copy)]
enum Form {
    Arabic,
    English,
    Franco,
    ArabicStem,
    FrancoStem,
}

/// Keys and classes: open addressing.
struct Table {
    slots: Vec<(u64, u64)>,
    /// One bit a key, small enough for the first-level cache: most words are in no list.
    filter: Box<[u64; 512]>,
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

const ARABIC_STEM: u64 = 0xA2A3_5E3D_11B9_0F01;
const FRANCO_STEM: u64 = 0x5C1D_7B0E_93F4_A6C1;

impl Table {
    fn new() -> Self {
        let mut table = Self { slots: vec![(0, 0); 8192], filter: Box::new([0; 512]) };
        let entries = data::SPEECH.each(|[word, language, classes]| {
            let form = match language {
                "arabic" => Form::Arabic,
                "english" => Form::English,
                "franco" => Form::Franco,
                "arabic stem" => Form::ArabicStem,
                "franco stem" => Form::FrancoStem,
                _ => return Err(format!("found the language {language}")),
            };
            Ok((data::word(word)?, form, data::classes(classes, ACTS, "speech.rs")?))
        });
        for (word, form, classes) in entries {
            let syms = normalise::fold(word);
            let plain = plain_key(syms.iter().map(|sym| sym.c));
            let key = match form {
                Form::Arabic => plain,
                Form::English => english_key(&syms),
                Form::Franco => franco_key(&syms),
                Form::ArabicStem => plain ^ ARABIC_STEM,
                Form::FrancoStem => plain ^ FRANCO_STEM,
            };
            let (word, bit) = filter_bit(key);
            if let Some(bits) = table.filter.get_mut(word) {
                *bits |= bit;
            }
            let slot = table.slot(key);
            if let Some((hash, has)) = table.slots.get_mut(slot) {
                *hash = key;
                *has |= classes;
            }
        }
        table
    }

    fn slot(&self, key: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = (key >> 32) as usize & mask;
        while self.slots.get(slot).is_some_and(|(hash, _)| *hash != 0 && *hash != key) {
            slot = (slot + 1) & mask;
        }
        slot
    }

    #[inline]
    fn get(&self, key: u64) -> Option<u64> {
        let (word, bit) = filter_bit(key);
        if self.filter.get(word).is_none_or(|bits| bits & bit == 0) {
            return None;
        }
        self.slots.get(self.slot(key)).filter(|(hash, _)| *hash == key).map(|(_, classes)| *classes)
    }
}

/// Letters of a word, at the most; a longer one is none of these.
const LETTERS_MAX: usize = 24;
type Letters = smallvec::SmallVec<[char; LETTERS_MAX]>;

/// What a word does.
pub(super) fn of(syms: &[Sym]) -> u64 {
    if syms.first().is_some_and(|sym| sym.c.is_ascii()) { latin(syms) } else { arabic(syms) }
}

/// What an Arabic word does.
fn arabic(syms: &[Sym]) -> u64 {
    if syms.len() > LETTERS_MAX {
        return 0;
    }
    let mut letters: Letters = syms.iter().map(|sym| sym.c).collect();
    // Drawn out, a letter is one.
    letters.dedup();
    if let Some(classes) = whole(&letters) {
        return classes | verb(&letters).unwrap_or(0);
    }
    match letters.as_slice() {
        // م…ش around a verb, and behind a "with": بيتعاملش.
        ['م', 'ت', inner @ .., 'ش'] if inner.len() >= 2 => NEG | DONT | verb(inner).unwrap_or(0),
        ['م', inner @ .., 'ش'] if inner.len() >= 3 => NEG | verb(inner).unwrap_or(0),
        ['و' | 'ف', rest @ ..] if rest.len() >= 2 => match rest {
            ['م', inner @ .., 'ش'] if inner.len() >= 3 => NEG | verb(inner).unwrap_or(0),
            _ => whole(rest).or_else(|| verb(&letters)).or_else(|| verb(rest)).unwrap_or(0),
        },
        letters => verb(letters).unwrap_or(0),
    }
}

/// A word of the list, also behind its articles.
fn whole(letters: &[char]) -> Option<u64> {
    let table = &*TABLE;
    let get = |letters: &[char]| table.get(plain_key(letters.iter().copied()));
    get(letters).or_else(|| match letters {
        ['ب' | 'ع' | 'ف' | 'و' | 'ه', 'ا', 'ل', rest @ ..] | ['ا' | 'ل' | 'ع', 'ل', rest @ ..] | ['ب' | 'ل' | 'ع', rest @ ..]
            if rest.len() >= 2 =>
        {
            get(rest)
        }
        _ => None,
    })
}

/// A stem with what stands before and behind it.
fn verb(letters: &[char]) -> Option<u64> {
    let table = &*TABLE;
    let starts: &[(usize, u64)] = match letters {
        ['ه' | 'ح' | 'ب', person @ ('ا' | 'ت' | 'ن' | 'ي'), ..] => &[(2, of_person(*person)), (1, 0), (0, 0)],
        ['ه' | 'ح' | 'ب', ..] => &[(1, 0), (0, 0)],
        [person @ ('ا' | 'ت' | 'ن' | 'ي'), ..] => &[(1, of_person(*person)), (0, 0)],
        _ => &[(0, 0)],
    };
    starts.iter().find_map(|(start, person)| {
        let rest = letters.get(*start..)?;
        (2..=rest.len()).rev().find_map(|length| {
            let (stem, behind) = rest.split_at_checked(length)?;
            let whom = whom(behind)?;
            table.get(plain_key(stem.iter().copied()) ^ ARABIC_STEM).map(|classes| classes | person | whom)
        })
    })
}

const fn of_person(sign: char) -> u64 {
    match sign {
        'ن' => WE,
        'ي' => THEY,
        _ => 0,
    }
}

/// To whom a verb's ending does it; `None` for what is no ending.
fn whom(ending: &[char]) -> Option<u64> {
    Some(match ending {
        []
        | ['ي' | 'و' | 'ت' | 'ه' | 'ا']
        | ['و', 'ا' | 'ه']
        | ['ه', 'ا' | 'م']
        | ['ي' | 'و', 'ه', 'ا']
        | ['ل', 'ه']
        | ['ل', 'ه', 'ا' | 'م'] => 0,
        ['ن' | 'ل', 'ي']
        | ['ي' | 'و' | 'ت', 'ن' | 'ل', 'ي']
        | ['ه', 'ا' | 'و', 'ل', 'ي']
        | ['ل', 'ن', 'ا']
        | ['ي', 'ه', 'ا' | 'و', 'ل', 'ي'] => TOME,
        ['ن', 'ا'] | ['ن'] => WE,
        ['ك']
        | ['ك', 'ي' | 'م']
        | ['ل', 'ك']
        | ['ل', 'ك', 'ي' | 'م']
        | ['ل', 'ي', 'ك']
        | ['ي', 'ل', 'ك']
        | ['ه', 'ا' | 'و', 'ل', 'ك']
        | ['ه', 'ا' | 'و', 'ل', 'ي', 'ك'] => TOYOU,
        _ => return None,
    })
}

/// Letters of a word that is short.
const SHORT: usize = 3;

/// The key of an English word. A short one is itself: "fee" is not Franco's "fe".
fn english_key(syms: &[Sym]) -> u64 {
    let letters = syms.iter().map(|sym| sym.c);
    if syms.len() > SHORT { plain_key(letters) } else { plain_key(letters.flat_map(|c| [c, ' '])) }
}

/// An English word, also a short one that is drawn out.
fn english(syms: &[Sym]) -> Option<u64> {
    let table = &*TABLE;
    table.get(english_key(syms)).or_else(|| {
        let mut letters: smallvec::SmallVec<[Sym; LETTERS_MAX]> = syms.iter().copied().collect();
        letters.dedup_by_key(|sym| sym.c);
        if letters.len() > SHORT || letters.len() == syms.len() { None } else { table.get(english_key(&letters)) }
    })
}

/// What a word in Latin letters does: in English, by its sound, or by a Franco verb's consonants.
pub(super) fn latin(syms: &[Sym]) -> u64 {
    if syms.len() > LETTERS_MAX {
        return 0;
    }
    let table = &*TABLE;
    if let Some(classes) = english(syms) {
        return classes;
    }
    let letters: Letters = syms.iter().map(|sym| sym.c).collect();
    if let Some(classes) = table.get(franco_key(syms)) {
        return classes | franco_verb(&letters).unwrap_or(0);
    }
    match letters.as_slice() {
        [.., 'n', '\'', 't'] => NEG,
        // The e-mail's, the tasker's.
        [.., '\'', 's'] => syms.get(..syms.len() - 2).and_then(english).unwrap_or(0),
        ['m', 'a', 't', inner @ .., 's', 'h'] | ['m', 't', inner @ .., 's', 'h'] if inner.len() >= 2 => {
            NEG | DONT | franco_verb(inner).unwrap_or(0)
        }
        ['m', inner @ .., 's', 'h'] if inner.len() >= 3 => NEG | franco_verb(inner).unwrap_or(0),
        letters => franco_verb(letters).unwrap_or(0),
    }
}

fn franco_verb(letters: &[char]) -> Option<u64> {
    let sounds = consonants(letters);
    let they = matches!(letters, ['y', ..] | ['h' | 'b', 'y', ..] | ['h' | 'b', 'a' | 'e' | 'i', 'y', ..]);
    let person = if they { THEY } else { 0 };
    let starts: &[(usize, u64)] = match sounds.as_slice() {
        ['h' | 'b', 'n', ..] => &[(2, WE), (1, 0), (0, 0)],
        ['h' | 'b', 't', ..] => &[(2, 0), (1, 0), (0, 0)],
        ['n', ..] => &[(1, WE), (0, 0)],
        ['h' | 'b' | 't', ..] => &[(1, 0), (0, 0)],
        _ => &[(0, 0)],
    };
    let table = &*TABLE;
    starts.iter().find_map(|(start, with)| {
        let rest = sounds.get(*start..)?;
        (2..=rest.len()).rev().find_map(|length| {
            let (stem, behind) = rest.split_at_checked(length)?;
            let whom = match behind {
                [] | ['h' | 't'] => 0,
                ['n' | 'l'] | ['h', 'l'] | ['l', 'n'] | ['t', 'n' | 'l'] => TOME,
                ['k'] | ['l' | 't', 'k'] | ['h' | 't', 'l', 'k'] => TOYOU,
                _ => return None,
            };
            table.get(plain_key(stem.iter().copied()) ^ FRANCO_STEM).map(|classes| classes | with | person | whom)
        })
    })
}

/// A Franco word without its vowels; letters and figures of one sound are one.
fn consonants(letters: &[char]) -> Letters {
    let mut sounds = Letters::new();
    let mut at = 0;
    while let Some(&c) = letters.get(at) {
        let next = letters.get(at + 1).copied().unwrap_or('\0');
        let (sound, width) = match (c, next) {
            ('k', 'h') | ('7', '\'') => ('x', 2),
            ('g', 'h') | ('3', '\'') => ('8', 2),
            ('s' | 'c', 'h') => ('$', 2),
            ('5', _) => ('x', 1),
            ('7', _) => ('h', 1),
            ('q', _) => ('2', 1),
            ('c', _) => ('k', 1),
            ('v', _) => ('f', 1),
            ('a' | 'e' | 'i' | 'o' | 'u' | 'y' | '\'', _) => ('\0', 1),
            (other, _) => (other, 1),
        };
        if sound != '\0' && sounds.last() != Some(&sound) && !(sound == '2' && sounds.is_empty()) {
            sounds.push(sound);
        }
        at += width;
    }
    sounds
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::stem("هنتكلم", TALK | WE)]
    #[case::to_the_writer("ابعتهولي", GIVE | TOME)]
    #[case::to_the_other("هبعتلك", GIVE | TOYOU)]
    #[case::denied("متدفعش", NEG | PAY)]
    #[case::article("والتطبيق", APP)]
    #[case::franco("hadfa3lak", PAY | TOYOU)]
    #[case::franco_vowels("eb3atli", GIVE | TOME)]
    #[case::franco_denied("matedfa3sh", NEG | PAY)]
    #[case::english("Don't", NEG)]
    #[case::unknown("سباك", 0)]
    fn words_do_what_they_say(#[case] word: &str, #[case] expected: u64) {
        let acts = of(&normalise::fold(word));
        assert_eq!(acts & expected, expected, "{acts:b}");
        assert!(expected != 0 || acts == 0, "{acts:b}");
    }
}
