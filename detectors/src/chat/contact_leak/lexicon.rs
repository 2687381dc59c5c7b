//! The words that contact details are made of, and those around them, in Arabic, Franco-Arabic and English.
//!
//! ```text
//! plain key    letters, a run of one letter counted once      zeeero = zero, sittta = sita
//! Franco key   the sound: 7→h, 5 and kh→x, 3→a, e i y→i, o u→u   wa7ed = wahed = wahid, 5amsa = khamsa = 7'amsa
//! disguised    digits that stand for letters, in English words    thr33 = three
//! ```
//!
//! The words are those of `data/`. Each is one lookup in one table of 64-bit hashes; prefixes (و, ال, ب …) are taken off Arabic words that miss,
//! and possessive endings are put on nouns when the table is made. So an entry here covers a family of spellings.

use std::sync::LazyLock;

use super::data;
use super::normalise::{self, Sym};

/// What a word means as a number.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Num {
    #[default]
    None,
    /// 0 to 99, and hundreds. English puts tens before ones, Arabic after an "and".
    Value { value: u16, english: bool },
    /// Several of a digit: "threes", اصفار.
    Plural(u8),
    /// What follows, so many times: "double".
    Repeat(u8),
    /// What came before, once more: "twice", مرتين.
    Again,
    /// "hundred", after a count.
    Hundred,
    /// "plus": what follows is an international number.
    Plus,
}

/// What is known of a word.
#[derive(Clone, Copy, Default)]
pub(super) struct Lex {
    pub(super) num: Num,
    pub(super) class: u32,
    /// It was glued to an "and": وستين.
    pub(super) and: bool,
}

impl Num {
    /// As numbers.tsv writes it; a value is not yet of a language.
    fn named(text: &str) -> Result<Self, String> {
        Ok(match text.split_once(' ') {
            Some(("plural", digit)) => Self::Plural(data::number(digit)?),
            Some(("repeat", times)) => Self::Repeat(data::number(times)?),
            None if text == "again" => Self::Again,
            None if text == "hundred" => Self::Hundred,
            None if text == "plus" => Self::Plus,
            _ => Self::Value { value: data::number(text)?, english: false },
        })
    }
}

/// What a word is written in, which says how it is looked up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Arabic,
    /// Arabic in Latin letters: by its sound.
    Franco,
    English,
}

impl Language {
    fn named(text: &str) -> Result<Self, String> {
        match text {
            "arabic" => Ok(Self::Arabic),
            "franco" => Ok(Self::Franco),
            "english" => Ok(Self::English),
            _ => Err(format!("found {text}, expected arabic, franco or english")),
        }
    }
}

impl Lex {
    pub(super) fn is_number(self) -> bool {
        !matches!(self.num, Num::None | Num::Plus)
    }

    pub(super) fn is(self, class: u32) -> bool {
        self.class & class != 0
    }
}

data::named_bits! {
    CLASSES: u32;
    /// Telephones, and ringing somebody: what follows may well be a number.
    CALL,
    /// A telephone or its number, as a thing that somebody has.
    PHONE,
    /// "number" alone: of anything.
    NUMBER,
    /// Things that have long numbers of their own.
    LOWER,
    /// Measures, money, clock times, parts of an address.
    UNIT,
    /// "backwards".
    REVERSE,
    /// "at" in an e-mail address.
    AT,
    /// "dot".
    DOT,
    /// "underscore".
    UNDERSCORE,
    /// "slash".
    SLASH,
    /// "and".
    AND,
    /// Words that people put between the pieces of a number.
    LINK,
    /// A messenger or a social network.
    CHANNEL,
    /// A provider of mailboxes.
    MAIL,
    /// Last label of a domain.
    TLD,
    /// A name on some platform.
    USER,
    /// "add me", "look for me".
    FIND,
    /// A site of one's own.
    SITE,
    /// Negation, refusal.
    NEG,
    /// This app, this chat.
    APP,
    /// "here".
    HERE,
    /// "outside".
    OUTSIDE,
    /// Asking for something, or giving it.
    ASK,
    /// "Talk to me": calling, writing, sending to the one who speaks.
    TALK,
    /// "let us agree", paying.
    DEAL,
    /// "your".
    YOURS,
    /// "my".
    MINE,
    /// "better", "instead".
    BETTER,
    /// "directly".
    DIRECT,
    /// Broken, wanted for work: the platform is the job.
    JOB,
    /// "is", "it", "at": what stands between a platform and a name on it.
    FILLER,
    /// Zero is spoken of.
    ZERO,
}

/// The classes that a file names, a space between them.
fn classes(text: &str) -> Result<u32, String> {
    data::classes(text, CLASSES, "lexicon.rs")
}

/// Hashes and what they mean: open addressing, a quarter full, so that a miss is one probe.
struct Table {
    slots: Vec<(u64, Lex)>,
    /// One bit a key, small enough for the first-level cache: most words of a message are in no list.
    filter: Box<[u64; 512]>,
    /// Pairs of first letters with which number words begin, as a filter for words run together.
    openings: [u64; 8],
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

const PLAIN: u64 = 0x51;
const FRANCO: u64 = 0xF7;

impl Table {
    fn new() -> Self {
        let mut table = Self { slots: vec![(0, Lex::default()); 8192], filter: Box::new([0; 512]), openings: [0; 8] };
        for (word, language, num) in
            data::NUMBERS.each(|[word, language, num]| Ok((data::word(word)?, Language::named(language)?, Num::named(num)?)))
        {
            let num = if let Num::Value { value, .. } = num { Num::Value { value, english: language == Language::English } } else { num };
            table.number(word, num, language);
        }
        for (word, language, class) in
            data::WORDS.each(|[word, language, class]| Ok((data::word(word)?, Language::named(language)?, classes(class)?)))
        {
            table.add(word, class, Num::None, language);
        }
        let endings = data::ENDINGS.each(|[ending, language, class]| {
            Ok((data::some(ending).map_or(Ok(""), data::word)?, Language::named(language)?, data::some(class).map_or(Ok(0), classes)?))
        });
        for (noun, language, class) in
            data::NOUNS.each(|[noun, language, class]| Ok((data::word(noun)?, Language::named(language)?, classes(class)?)))
        {
            for (ending, _, more) in endings.iter().filter(|(_, of, _)| *of == language) {
                table.add(&format!("{noun}{ending}"), class | more, Num::None, language);
            }
        }
        table
    }

    fn number(&mut self, word: &str, num: Num, language: Language) {
        let class = if matches!(num, Num::Value { value: 0, .. }) { ZERO } else { 0 };
        self.add(word, class, num, language);
        let syms = normalise::fold(word);
        if let Some(bit) = opening(&syms)
            && let Some(slot) = self.openings.get_mut(bit / 64)
        {
            *slot |= 1 << (bit % 64);
        }
    }

    /// A word may stand in several lists: classes add up, and the first number stays.
    fn add(&mut self, word: &str, class: u32, num: Num, language: Language) {
        let syms = normalise::fold(word);
        let key = if language == Language::Franco { franco_key(&syms) } else { plain_key(syms.iter().map(|sym| sym.c)) };
        let (word, bit) = filter_bit(key);
        if let Some(bits) = self.filter.get_mut(word) {
            *bits |= bit;
        }
        let slot = self.slot(key);
        if let Some((hash, lex)) = self.slots.get_mut(slot) {
            *hash = key;
            lex.class |= class;
            if lex.num == Num::None {
                lex.num = num;
            }
        }
    }

    /// Where a key stands, or would stand.
    #[inline]
    fn slot(&self, key: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = (key >> 32) as usize & mask;
        while self.slots.get(slot).is_some_and(|(hash, _)| *hash != 0 && *hash != key) {
            slot = (slot + 1) & mask;
        }
        slot
    }

    #[inline]
    fn get(&self, key: u64) -> Option<Lex> {
        let (word, bit) = filter_bit(key);
        if self.filter.get(word).is_none_or(|bits| bits & bit == 0) {
            return None;
        }
        self.slots.get(self.slot(key)).filter(|(hash, _)| *hash == key).map(|(_, lex)| *lex)
    }
}

/// Where a key stands in the filter: the word, and the bit in it.
#[inline]
pub(super) fn filter_bit(key: u64) -> (usize, u64) {
    let word = (key >> 55) as usize;
    (word, 1 << ((key >> 49) & 63))
}

fn opening(syms: &[Sym]) -> Option<usize> {
    let (first, second) = (syms.first()?, syms.get(1)?);
    let mixed = u64::from(u32::from(first.c)) * 31 + u64::from(u32::from(second.c)) * 7;
    usize::try_from(mixed % 512).ok()
}

#[inline]
fn mix(hash: u64, c: char) -> u64 {
    (hash.rotate_left(5) ^ u64::from(u32::from(c))).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The hash of letters, a run of one letter counted once. Never 0, which marks a free slot.
#[inline]
pub(super) fn plain_key(chars: impl Iterator<Item = char>) -> u64 {
    let (mut hash, mut last) = (PLAIN, '\0');
    for c in chars {
        if c != last || c.is_ascii_digit() {
            hash = mix(hash, c);
        }
        last = c;
    }
    hash | 1
}

/// The hash of how a Franco word sounds.
pub(super) fn franco_key(syms: &[Sym]) -> u64 {
    let (mut hash, mut last) = (FRANCO, '\0');
    let at = |index: usize| syms.get(index).map_or('\0', |sym| sym.c);
    let mut index = 0;
    while index < syms.len() {
        let (sound, width) = match (at(index), at(index + 1)) {
            ('k', 'h') | ('7', '\'') => ('x', 2),
            ('s' | 'c', 'h') => ('$', 2),
            ('t', 'h') => ('t', 2),
            ('d', 'h') => ('d', 2),
            ('g', 'h') | ('3', '\'') => ('8', 2),
            ('5', _) => ('x', 1),
            ('7', _) => ('h', 1),
            ('6', _) => ('t', 1),
            ('9', _) => ('s', 1),
            ('3' | '2', _) if index == 0 => ('\0', 1),
            ('3', _) => ('a', 1),
            ('\'' | '2', _) => ('\0', 1),
            ('e' | 'i' | 'y', _) => ('i', 1),
            ('o' | 'u', _) => ('u', 1),
            ('c' | 'q', _) => ('k', 1),
            ('p', _) => ('b', 1),
            ('v', _) => ('f', 1),
            (other, _) => (other, 1),
        };
        if sound != '\0' && sound != last {
            hash = mix(hash, sound);
            last = sound;
        }
        index += width;
    }
    hash | 1
}

/// An Arabic word, folded.
pub(super) fn arabic(syms: &[Sym]) -> Lex {
    let table = &*TABLE;
    let key = |from: usize| plain_key(syms.iter().skip(from).map(|sym| sym.c));
    let at = |index: usize| syms.get(index).map_or('\0', |sym| sym.c);
    // An "and" before a word that begins with its letter: وواحد.
    if at(0) == 'و'
        && at(1) == 'و'
        && let Some(lex) = table.get(key(1))
    {
        return Lex { and: true, ..lex };
    }
    if let Some(lex) = table.get(key(0)) {
        return lex;
    }
    // م…ش around a verb negates it.
    if syms.len() >= 5 && at(0) == 'م' && at(syms.len() - 1) == 'ش' {
        return Lex { class: NEG, ..Lex::default() };
    }
    let and = at(0) == 'و' && syms.len() >= 3;
    if and && let Some(lex) = table.get(key(1)) {
        return Lex { and: true, ..lex };
    }
    let from = usize::from(and);
    let skip = match (at(from), at(from + 1), at(from + 2)) {
        ('ب' | 'ع' | 'ف', 'ا', 'ل') => 3,
        ('ا' | 'ل' | 'ع', 'ل', _) => 2,
        ('ب' | 'ل' | 'ع' | 'ف' | 'ه', _, _) => 1,
        _ => return Lex::default(),
    };
    // "The zero" speaks of a digit and does not dial it.
    let lex = if syms.len() >= from + skip + 2 { table.get(key(from + skip)) } else { None };
    lex.map_or(Lex::default(), |lex| {
        let zero = if lex.num == (Num::Value { value: 0, english: false }) { ZERO } else { 0 };
        Lex { class: lex.class & !(AT | AND) | zero, ..Lex::default() }
    })
}

/// A word in Latin letters: English, then Franco, then English with digits for letters.
pub(super) fn latin(syms: &[Sym], has_digits: bool) -> Lex {
    let table = &*TABLE;
    if let Some(lex) = table.get(plain_key(syms.iter().map(|sym| sym.c))) {
        return lex;
    }
    let lex = table.get(franco_key(syms));
    if let Some(lex) = lex {
        return lex;
    }
    let at = |index: usize| syms.get(index).map_or('\0', |sym| sym.c);
    if has_digits {
        let unmasked = syms.iter().map(|sym| match sym.c {
            '0' => 'o',
            '1' => 'i',
            '3' => 'e',
            '4' => 'a',
            '5' => 's',
            '7' => 't',
            other => other,
        });
        return table.get(plain_key(unmasked)).unwrap_or_default();
    }
    let end = |back: usize| syms.len().checked_sub(back).map_or('\0', at);
    let negated = (at(0) == 'm' && syms.len() >= 6 && end(2) == 's' && end(1) == 'h') || (end(3) == 'n' && end(2) == '\'' && end(1) == 't');
    Lex { class: if negated { NEG } else { 0 }, ..Lex::default() }
}

/// Words that sound like a digit's, by the key of the word.
static SOUNDS: LazyLock<Vec<(u64, u8)>> = LazyLock::new(|| {
    let mut sounds = data::SOUNDS.each(|[word, language, digit]| {
        let syms = normalise::fold(data::word(word)?);
        let franco = Language::named(language)? == Language::Franco;
        Ok((if franco { franco_key(&syms) } else { plain_key(syms.iter().map(|sym| sym.c)) }, data::number(digit)?))
    });
    sounds.sort_unstable();
    sounds
});

/// The digit whose word a word sounds like.
pub(super) fn sounds_like(syms: &[Sym]) -> Option<u8> {
    [plain_key(syms.iter().map(|sym| sym.c)), franco_key(syms)].iter().find_map(|key| {
        let place = SOUNDS.binary_search_by_key(key, |(of, _)| *of).ok()?;
        SOUNDS.get(place).map(|(_, digit)| *digit)
    })
}

/// The value below a hundred of a number word that `syms` is with one letter too many, too few, wrong, or swapped with its neighbour.
pub(super) fn misspelt(syms: &[Sym]) -> Option<u16> {
    let table = &*TABLE;
    let latin = syms.first()?.c.is_ascii();
    let value = |word: &[Sym]| {
        let found = table.get(plain_key(word.iter().map(|sym| sym.c))).filter(|lex| lex.is_number());
        match found.or_else(|| if latin { table.get(franco_key(word)) } else { None })?.num {
            Num::Value { value, .. } if value < 100 => Some(value),
            _ => None,
        }
    };
    let letters = || if latin { 'a'..='z' } else { '\u{0627}'..='\u{064A}' };
    let mut word: smallvec::SmallVec<[Sym; 16]> = syms.iter().copied().collect();
    for at in 0..syms.len() {
        let removed = word.remove(at);
        if let Some(value) = value(&word) {
            return Some(value);
        }
        word.insert(at, removed);
        if at + 1 < syms.len() {
            word.swap(at, at + 1);
            if let Some(value) = value(&word) {
                return Some(value);
            }
            word.swap(at, at + 1);
        }
        for c in letters() {
            if let Some(sym) = word.get_mut(at) {
                sym.c = c;
            }
            if let Some(value) = value(&word) {
                return Some(value);
            }
        }
        if let Some(sym) = word.get_mut(at) {
            *sym = removed;
        }
        for c in letters() {
            word.insert(at, Sym { c, flags: 0, at: 0 });
            if let Some(value) = value(&word) {
                return Some(value);
            }
            word.remove(at);
        }
    }
    None
}

/// The numbers in words that were run together (`صفرواحد`, `zerooneone`), if the whole of `syms` is that: at least two,
/// with [`Num::None`] for an "and" between them.
pub(super) fn glued(syms: &[Sym]) -> Option<smallvec::SmallVec<[Num; 16]>> {
    const LONGEST: usize = 12;
    const SYMS_MAX: usize = 160;
    let length = syms.len();
    if !(6..=SYMS_MAX).contains(&length) {
        return None;
    }
    let table = &*TABLE;
    let bit = opening(syms)?;
    if table.openings.get(bit / 64).is_none_or(|slot| slot & (1 << (bit % 64)) == 0) {
        return None;
    }
    // step[i]: length of the word by which position i was reached first; positions are visited in order, so work is
    // bounded by length · LONGEST lookups.
    let mut step: smallvec::SmallVec<[(u8, Num); 64]> = smallvec::smallvec![(0, Num::None); length + 1];
    for start in 0..length {
        if start > 0 && step.get(start).is_none_or(|(width, _)| *width == 0) {
            continue;
        }
        // An "and" between two of them counts for nothing of its own.
        if start > 0
            && syms.get(start).is_some_and(|sym| sym.c == 'و')
            && let Some(slot @ (0, _)) = step.get_mut(start + 1)
        {
            *slot = (1, Num::None);
        }
        for width in 2..=LONGEST.min(length - start) {
            let word = syms.get(start..start + width)?;
            let lex = table.get(plain_key(word.iter().map(|sym| sym.c))).filter(|lex| lex.is_number());
            let lex = lex.or_else(|| table.get(franco_key(word)).filter(|lex| lex.is_number()));
            if let (Some(lex), Some(slot @ (0, _))) = (lex, step.get_mut(start + width)) {
                *slot = (u8::try_from(width).unwrap_or(0), lex.num);
            }
        }
    }
    let mut nums = smallvec::SmallVec::new();
    let mut at = length;
    while at > 0 {
        let (width, num) = *step.get(at)?;
        if width == 0 {
            return None;
        }
        nums.push(num);
        at -= usize::from(width);
    }
    nums.reverse();
    (nums.iter().filter(|num| **num != Num::None).count() >= 2).then_some(nums)
}
