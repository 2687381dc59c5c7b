//! From tokens to groups of digits: digit runs, number words and look-alike letters, with what stands between them.
//!
//! A group is what a writer put down as one thing: `0100`, "forty four", "double five", `O1OO`. How groups join into a
//! telephone number is the business of [`super::phone`].

use smallvec::SmallVec;

use super::LeakKind;
use super::glyphs;
use super::lexicon::{self, AND, LINK, Num};
use super::normalise::{ARABIC, Kind, ODD, Span, Sym, Text, Token, UPPER};

/// Digits of a group that are kept. One more than any number has, so that longer runs are known as too long.
const GROUP_DIGITS_MAX: usize = 36;
/// Groups of a message that are looked at.
const GROUPS_MAX: usize = 512;

/// Digits, most significant first.
pub(super) type Digits = SmallVec<[u8; 20]>;

/// The digits were written as words.
pub(super) const WORDS: u8 = 1;
/// Some digits were letters that look like them.
pub(super) const LETTERS: u8 = 2;
/// Some digits were unusual glyphs, or had invisible marks between them.
pub(super) const SCRIPT: u8 = 4;
/// Letters touch the digits.
pub(super) const GLUED: u8 = 8;
/// There are ASCII digits.
pub(super) const WESTERN: u8 = 16;
/// There are Arabic-Indic or Persian digits.
pub(super) const EASTERN: u8 = 32;
/// Read as digits only by guess: pictures, counted things, misspelt words.
pub(super) const GUESSED: u8 = 64;

/// What stands between two groups.
#[expect(clippy::struct_excessive_bools, reason = "each says what there is in the gap")]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Gap {
    /// Ordinary words.
    pub(super) words: u8,
    /// Spaces, marks, emoji and joining words.
    pub(super) soft: u8,
    /// The first mark that is no space, else the space, else NUL.
    pub(super) mark: char,
    /// A plus sign that opens what follows: no digit touches it on its left.
    pub(super) plus: bool,
    /// A letter stands right before the mark: `KH-2026`.
    pub(super) label: bool,
    /// There is a space or a line break.
    pub(super) spaced: bool,
    /// The last of it is a mark right behind a word or a digit, as a decimal point is.
    pub(super) tied: bool,
}

/// Digits written as one thing.
#[derive(Clone)]
pub(super) struct Group {
    pub(super) digits: Digits,
    pub(super) origin: u8,
    /// Before it.
    pub(super) gap: Gap,
    /// A plus sign follows right behind, as a right-to-left line shows it.
    pub(super) plus_behind: bool,
    /// Its first token.
    pub(super) at: usize,
    /// Where it stands, with its plus.
    pub(super) span: Span,
}

/// How to read what can be read in two ways.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    /// "Forty four" is 44, not 40 4.
    pub(super) compounds: bool,
    /// What may be a digit is one: letters that look like digits, pictures of digits, things that are counted, words that sound like
    /// a number or are one with a slip in it.
    pub(super) guess: bool,
}

/// The groups of a message.
#[expect(clippy::too_many_lines, reason = "one arm for each way to write a digit")]
pub(super) fn groups(text: &Text, reading: Reading) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut gap = Gap::default();
    let mut slips = if reading.guess { slips(text) } else { None };
    let mut plus = Span::default();
    let mut at = 0;
    while let Some(token) = text.token(at) {
        if groups.len() >= GROUPS_MAX {
            break;
        }
        let first = at;
        let mut push = |digits: Digits, origin: u8, span: Span, gap: &mut Gap| {
            let span = if gap.plus { Span::around([plus, span]) } else { span };
            // Pictures and letters that touch other digits make one group with them.
            if gap.soft == 0
                && gap.words == 0
                && let Some(last) = groups.last_mut()
                && (last.origin | origin) & (LETTERS | GUESSED) != 0
                && (last.origin | origin) & WORDS == 0
            {
                last.digits.extend(digits.into_iter().take(GROUP_DIGITS_MAX.saturating_sub(last.digits.len())));
                last.origin |= origin;
                last.span = Span::around([last.span, span]);
                return;
            }
            groups.push(Group { digits, origin, gap: std::mem::take(gap), plus_behind: false, at: first, span });
        };
        if let Some(end) = identifier_end(text, at) {
            text.note(LeakKind::Phone, false, "inside a link or an account number (IBAN)", || text.span(first, end - 1));
            gap.words = gap.words.saturating_add(1);
            at = end;
            continue;
        }
        let next = at + 1;
        at = next;
        match token.kind {
            Kind::Space => {
                gap.see(if text.syms(token).first().is_some_and(|sym| sym.c == '\n') { '\n' } else { ' ' });
                gap.spaced = true;
                gap.tied = false;
            }
            Kind::Mark('+') => {
                let behind = next >= 2 && text.token(next - 2).is_some_and(|token| token.kind == Kind::Digits);
                if behind && let Some(last) = groups.last_mut() {
                    last.plus_behind = true;
                    last.span = Span::around([last.span, Span::of(text.syms(token))]);
                }
                plus = Span::of(text.syms(token));
                gap.see('+');
                gap.plus = !behind;
            }
            Kind::Mark('°' | '%' | '$' | '€' | '£') => gap.words = gap.words.saturating_add(1),
            Kind::Mark(mark)
                if reading.guess
                    && let Some((digit, after)) = pictured(text, next - 1, mark) =>
            {
                push(smallvec::smallvec![digit], GUESSED, text.span(first, after - 1), &mut gap);
                at = after;
            }
            Kind::Mark(mark) => {
                if matches!(mark, '-' | '/' | '_') {
                    gap.label = next >= 2 && text.token(next - 2).is_some_and(is_label);
                }
                gap.see(mark);
                let before = next.checked_sub(2).and_then(|before| text.token(before));
                gap.tied = matches!(mark, '.' | '٫' | ',' | '-' | '/')
                    && before.is_some_and(|token| !matches!(token.kind, Kind::Space | Kind::Mark(_)));
            }
            Kind::Digits if token.lex.num == Num::None => {
                if let Some((digits, after)) = counted(text, next - 1) {
                    push(digits, WORDS, text.span(first, after - 1), &mut gap);
                    at = after;
                } else {
                    let syms = text.syms(token);
                    let (digits, origin) = digits_of(syms);
                    push(digits, origin, Span::of(syms), &mut gap);
                }
            }
            _ => match token.lex.num {
                Num::Plus => {
                    gap.see('+');
                    gap.plus = true;
                    plus = Span::of(text.syms(token));
                }
                Num::Again => {
                    let again = groups
                        .last()
                        .filter(|last| reading.compounds && !reading.guess && gap.words == 0 && last.digits.len() <= 2)
                        .map(|last| last.digits.clone());
                    if let Some(digits) = again {
                        let span = Span::of(text.syms(token));
                        groups.push(Group { digits, origin: WORDS, gap: std::mem::take(&mut gap), plus_behind: false, at: first, span });
                    } else {
                        gap.words = gap.words.saturating_add(1);
                    }
                }
                Num::None => {
                    let syms = text.syms(token);
                    let span = Span::of(syms);
                    if let Some(nums) = lexicon::glued(syms) {
                        let mut rest = nums.as_slice();
                        while let Some((num, after)) = rest.split_first() {
                            rest = after;
                            match (num, after) {
                                // Ones, "and", tens.
                                (
                                    Num::Value { value: ones @ 1..=9, .. },
                                    [Num::None, Num::Value { value: tens @ 20..=90, .. }, left @ ..],
                                ) => {
                                    push(decimal(ones + tens), WORDS, span, &mut gap);
                                    rest = left;
                                }
                                (Num::Value { value, .. }, _) => push(decimal(*value), WORDS, span, &mut gap),
                                _ => {}
                            }
                        }
                    } else if reading.guess
                        && let Some((digits, origin)) = look_alike(syms).filter(|(_, origin)| *origin != LETTERS || token.lex.class == 0)
                    {
                        push(digits, origin, span, &mut gap);
                    } else if reading.guess
                        && let Some(digits) = letters_beside_digits(text, next - 1)
                    {
                        push(digits, SCRIPT | GUESSED, span, &mut gap);
                    } else if let Some(left) = &mut slips
                        && let Some(digits) = slip(text, token, left)
                    {
                        push(digits, WORDS | GUESSED, span, &mut gap);
                    } else if token.lex.is(AND | LINK) {
                        gap.soft = gap.soft.saturating_add(1);
                        if gap.mark == '\0' {
                            gap.mark = 'w';
                        }
                    } else if token.kind == Kind::Mixed && embedded(syms, &mut gap, &mut push) {
                    } else {
                        gap.words = gap.words.saturating_add(1);
                        gap.plus = false;
                    }
                }
                _ => match number(text, next - 1, reading.compounds) {
                    Some((digits, after)) => {
                        push(digits, WORDS, text.span(first, after - 1), &mut gap);
                        at = after;
                    }
                    None => gap.words = gap.words.saturating_add(1),
                },
            },
        }
    }
    groups
}

impl Gap {
    fn see(&mut self, mark: char) {
        self.soft = self.soft.saturating_add(1);
        if self.mark == '\0' || self.mark == ' ' {
            self.mark = mark;
        }
    }
}

/// Latin letters that label what follows the dash: a prefix of an identifier, unless it means a telephone.
fn is_label(token: &Token) -> bool {
    matches!(token.kind, Kind::Word | Kind::Mixed)
        && !token.lex.is(lexicon::CALL | lexicon::NUMBER | lexicon::PHONE)
        && !token.lex.is_number()
}

/// The digits of a run, and how they were written.
fn digits_of(syms: &[Sym]) -> (Digits, u8) {
    let mut origin = 0;
    for (index, sym) in syms.iter().enumerate() {
        origin |= match sym.flags {
            flags if flags & ODD != 0 && (index > 0 || flags & ARABIC == 0) => SCRIPT,
            flags if flags & ARABIC != 0 => EASTERN,
            _ => WESTERN,
        };
    }
    (syms.iter().filter_map(|sym| sym.digit()).take(GROUP_DIGITS_MAX).collect(), origin)
}

fn decimal(value: u16) -> Digits {
    let mut digits = Digits::new();
    for unit in [1000, 100, 10, 1] {
        if value >= unit || unit == 1 {
            digits.push(u8::try_from(value / unit % 10).unwrap_or(0));
        }
    }
    digits
}

/// "3 zeros": a count in digits and a digit in the plural.
fn counted(text: &Text, at: usize) -> Option<(Digits, usize)> {
    let [count] = text.syms(text.token(at)?) else { return None };
    let (next, token) = after_spaces(text, at + 1)?;
    let (Some(count), Num::Plural(digit)) = (count.digit(), token.lex.num) else { return None };
    (count >= 2).then(|| (smallvec::smallvec![digit; usize::from(count)], next + 1))
}

/// The next token that is no space and no hyphen.
fn after_spaces(text: &Text, mut at: usize) -> Option<(usize, &Token)> {
    loop {
        let token = text.token(at)?;
        if !matches!(token.kind, Kind::Space | Kind::Mark('-')) {
            return Some((at, token));
        }
        at += 1;
    }
}

/// A value after an "and", either glued to it or a word of its own.
fn after_and(text: &Text, at: usize) -> Option<(usize, u16)> {
    let (mut at, mut token) = after_spaces(text, at)?;
    let mut and = token.lex.and;
    if token.lex.is(AND) {
        (at, token) = after_spaces(text, at + 1)?;
        and = true;
    }
    match token.lex.num {
        Num::Value { value, .. } if and => Some((at, value)),
        _ => None,
    }
}

/// The number whose first word stands at `at`, and where it ends.
fn number(text: &Text, at: usize, compounds: bool) -> Option<(Digits, usize)> {
    let token = text.token(at)?;
    match token.lex.num {
        Num::Value { value, english } => {
            if value <= 9
                && let Some((next, after)) = after_spaces(text, at + 1)
            {
                match after.lex.num {
                    Num::Plural(digit) if value >= 2 => {
                        return Some((smallvec::smallvec![digit; usize::from(value)], next + 1));
                    }
                    Num::Hundred if compounds && value > 0 => return Some(hundreds(text, next, value * 100)),
                    _ => {}
                }
            }
            if !compounds {
                return Some((decimal(value), at + 1));
            }
            if value >= 100 {
                return Some(hundreds(text, at, value));
            }
            let (value, last) = below_hundred(text, at, value, english);
            Some((decimal(value), last + 1))
        }
        Num::Repeat(times) => {
            let (next, after) = after_spaces(text, at + 1)?;
            let digit = match (after.kind, after.lex.num, text.syms(after)) {
                (Kind::Digits, _, [sym]) => sym.digit()?,
                (_, Num::Value { value, .. }, _) if value <= 9 => u8::try_from(value).ok()?,
                // "oh" may be written as the bare letter.
                (Kind::Word, _, [sym]) if sym.c == 'o' => 0,
                _ => return None,
            };
            Some((smallvec::smallvec![digit; usize::from(times)], next + 1))
        }
        _ => None,
    }
}

/// Ones and tens in either order, from the token at `at` whose value is `value`: the sum and its last token.
fn below_hundred(text: &Text, at: usize, value: u16, english: bool) -> (u16, usize) {
    let is_tens = |value: u16| (20..100).contains(&value) && value.is_multiple_of(10);
    if (1..=9).contains(&value)
        && !english
        && let Some((last, tens)) = after_and(text, at + 1).filter(|(_, tens)| is_tens(*tens))
    {
        return (value + tens, last);
    }
    if is_tens(value)
        && english
        && let Some((last, token)) = after_spaces(text, at + 1)
        && let Num::Value { value: ones @ 1..=9, english: true } = token.lex.num
    {
        return (value + ones, last);
    }
    (value, at)
}

/// What an "and" adds to hundreds that end at `at`.
fn hundreds(text: &Text, at: usize, value: u16) -> (Digits, usize) {
    let Some((next, rest)) = after_and(text, at + 1).filter(|(_, rest)| *rest < 100 && *rest > 0) else { return (decimal(value), at + 1) };
    let english = text.token(next).is_some_and(|token| matches!(token.lex.num, Num::Value { english: true, .. }));
    let (rest, last) = below_hundred(text, next, rest, english);
    (decimal(value + rest), last + 1)
}

/// Whether a message could have so many digits, all that may be one counted: most have too few for a second look.
pub(super) fn may_guess(text: &Text, digits: usize) -> bool {
    let like = |sym: &Sym| matches!(sym.c, 'o' | 'l' | 'i' | 'z' | 'e' | 'a' | 's' | 'b' | 'g' | 't' | 'q' | 'ا' | 'ه');
    let mut most = 0;
    text.tokens.iter().any(|token| {
        let length = usize::from(token.end - token.start);
        most += match token.kind {
            Kind::Digits | Kind::Mixed if !token.lex.is_number() => length,
            _ if token.lex.is_number() => 3,
            Kind::Word if text.syms(token).iter().all(like) => length,
            Kind::Word => usize::from(text.has_numbers),
            _ => 0,
        };
        most >= digits
    })
}

/// Where a link or an account number ends that begins at a token: its digits are nobody's telephone.
fn identifier_end(text: &Text, at: usize) -> Option<usize> {
    let token = text.token(at)?;
    match token.kind {
        Kind::Mixed => iban_end(text, at, token),
        Kind::Word if text.has_address_marks && at.checked_sub(1).is_none_or(|before| !touches(text, before)) => link_end(text, at),
        _ => None,
    }
}

/// Whether a token belongs to what stands right behind it.
fn touches(text: &Text, at: usize) -> bool {
    text.token(at).is_some_and(|token| matches!(token.kind, Kind::Mixed | Kind::Digits | Kind::Mark('.' | '/' | '@' | '-' | '_')))
}

/// The end of a link: `scheme://host`, `www.host`, `host.tld/path`, `geo:`. It goes on to the next space.
fn link_end(text: &Text, at: usize) -> Option<usize> {
    let mark = |at: usize, mark: char| text.token(at).is_some_and(|token| token.kind == Kind::Mark(mark));
    let word = |at: usize| text.token(at).is_some_and(|token| matches!(token.kind, Kind::Word | Kind::Mixed));
    let spelled = |at: usize, word: &str| text.token(at).is_some_and(|token| text.syms(token).iter().map(|sym| sym.c).eq(word.chars()));
    let scheme = mark(at + 1, ':') && (mark(at + 2, '/') && mark(at + 3, '/') && word(at + 4) || spelled(at, "geo"));
    let www = spelled(at, "www") && mark(at + 1, '.') && word(at + 2);
    let mut last = at;
    while mark(last + 1, '.') && word(last + 2) {
        last += 2;
    }
    let host = last > at && mark(last + 1, '/') && text.token(last).is_some_and(|token| token.end - token.start >= 2);
    if !(scheme || www || host) {
        return None;
    }
    let rest = text.tokens.get(at..)?;
    Some(at + rest.iter().take_while(|token| token.kind != Kind::Space).count())
}

/// The end of an IBAN in fours: two letters and two digits, then at least twelve digits, four and four.
fn iban_end(text: &Text, at: usize, token: &Token) -> Option<usize> {
    let [first, second, third, fourth] = text.syms(token) else { return None };
    let opens = first.c.is_ascii_lowercase() && second.c.is_ascii_lowercase() && third.digit().is_some() && fourth.digit().is_some();
    if !opens {
        return None;
    }
    let (mut end, mut digits) = (at + 1, 0);
    while text.token(end).is_some_and(|token| matches!(token.kind, Kind::Space | Kind::Mark('-')))
        && let Some(part) = text.token(end + 1).filter(|part| part.kind == Kind::Digits && part.end - part.start <= 4)
    {
        digits += part.end - part.start;
        end += 2;
        if part.end - part.start < 4 {
            break;
        }
    }
    (digits >= 12).then_some(end)
}

/// A picture of a digit, or things to be counted: the digit, and where that ends.
fn pictured(text: &Text, at: usize, mark: char) -> Option<(u8, usize)> {
    if mark.is_ascii() {
        return None;
    }
    if let Some(digit) = glyphs::pictured(mark) {
        return Some((digit, at + 1));
    }
    let alike = text.tokens.get(at..)?.iter().take(10).take_while(|token| token.kind == Kind::Mark(mark)).count();
    u8::try_from(alike).ok().filter(|count| (2..=9).contains(count) && glyphs::is_thing(mark)).map(|count| (count, at + alike))
}

/// Words of a message that may be read as a number with a slip in it: each costs some hundred look-ups.
const SLIPS_MAX: u8 = 4;

/// How many words may be read as number words with a slip in them; nothing where there is not enough of a number to guess the rest
/// of it, and none but those that sound like one in a piece of a number, which is short and has little else with it.
fn slips(text: &Text) -> Option<u8> {
    const NUMBERS_MIN: usize = 5;
    const WORDS_MAX: usize = 3;
    let (mut numbers, mut words) = (0, 0);
    for token in &text.tokens {
        if token.lex.is_number() {
            numbers += 1;
        } else if matches!(token.kind, Kind::Word | Kind::Mixed) {
            words += 1;
        }
    }
    if numbers == 0 || numbers >= NUMBERS_MIN {
        return (numbers > 0).then_some(SLIPS_MAX);
    }
    if words <= WORDS_MAX {
        return Some(0);
    }
    let sound = text.tokens.iter().filter(|token| token.kind == Kind::Word && lexicon::sounds_like(text.syms(token)).is_some());
    (numbers + sound.take(NUMBERS_MIN).count() >= NUMBERS_MIN).then_some(SLIPS_MAX)
}

/// Arabic letters that look like Arabic digits, right beside some: alif and heh.
fn letters_beside_digits(text: &Text, at: usize) -> Option<Digits> {
    let syms = text.syms(text.token(at)?);
    let digits = |at: usize| text.token(at).is_some_and(|token| token.kind == Kind::Digits);
    let beside = (1..=6).any(|step| at.checked_sub(step).is_some_and(digits) || digits(at + step));
    (beside && syms.len() <= 4).then_some(())?;
    syms.iter().map(|sym| if sym.c == 'ا' { Some(1) } else { (sym.c == 'ه').then_some(5) }).collect()
}

/// A word that sounds like a number word, or is one with a letter too many, too few, wrong or swapped.
fn slip(text: &Text, token: &Token, left: &mut u8) -> Option<Digits> {
    let syms = text.syms(token);
    if let Some(digit) = lexicon::sounds_like(syms) {
        return Some(smallvec::smallvec![digit]);
    }
    if *left == 0 || token.lex.class != 0 || !(4..=12).contains(&syms.len()) {
        return None;
    }
    *left -= 1;
    lexicon::misspelt(syms).map(decimal)
}

/// A token all of whose letters look like digits.
fn look_alike(syms: &[Sym]) -> Option<(Digits, u8)> {
    let mut digits = Digits::new();
    let mut origin = 0;
    for sym in syms {
        digits.push(match (sym.c, sym.flags & UPPER != 0) {
            ('o', _) => 0,
            ('l' | 'i', _) => 1,
            ('z', _) => 2,
            ('e', true) => 3,
            ('a', true) => 4,
            ('s', _) => 5,
            ('b', false) | ('g', true) => 6,
            ('t', true) => 7,
            ('b', true) => 8,
            ('q' | 'g', false) => 9,
            _ => sym.digit()?,
        });
        origin |= match sym.digit() {
            Some(_) => WESTERN,
            // A letter of another script stands there for its looks.
            None if sym.flags & ODD != 0 => SCRIPT | GUESSED,
            None => LETTERS,
        };
    }
    (digits.len() <= GROUP_DIGITS_MAX).then_some((digits, origin))
}

/// Long digit runs inside a word: `callme01155500156please`. Short ones are Franco letters or model numbers.
fn embedded(syms: &[Sym], gap: &mut Gap, push: &mut impl FnMut(Digits, u8, Span, &mut Gap)) -> bool {
    const RUN_MIN: usize = 7;
    // "…67p12", "…67x12": digits to be dialled after a pause, or an extension.
    let leading = syms.iter().take_while(|sym| sym.digit().is_some()).count();
    if let (digits, [pause, extension @ ..]) = syms.split_at(leading)
        && leading > 0
        && matches!(pause.c, 'p' | 'x' | 'w')
        && (1..=5).contains(&extension.len())
        && extension.iter().all(|sym| sym.digit().is_some())
    {
        let span = Span::of(digits);
        let (digits, origin) = digits_of(digits);
        push(digits, origin, span, gap);
        gap.words = gap.words.saturating_add(1);
        return true;
    }
    // Digits and letters in turn are a hash or a serial.
    let longer = syms
        .chunk_by(|a, b| a.digit().is_some() == b.digit().is_some())
        .filter(|run| run.len() > 1 && run.iter().all(|sym| sym.digit().is_some()));
    if longer.count() > 1 {
        gap.words = gap.words.saturating_add(1);
        return true;
    }
    let mut found = false;
    let mut rest = syms;
    while !rest.is_empty() {
        let length = rest.iter().take_while(|sym| sym.digit().is_some()).count();
        let (run, after) = rest.split_at(length);
        if length >= RUN_MIN {
            let (digits, origin) = digits_of(run);
            push(digits, origin | GLUED, Span::of(run), gap);
            found = true;
        } else if length > 0 {
            gap.words = gap.words.saturating_add(1);
        }
        let letters = after.iter().take_while(|sym| sym.digit().is_none()).count();
        if letters > 0 {
            gap.words = gap.words.saturating_add(1);
        }
        rest = after.split_at(letters).1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn read(raw: &str, letters: bool) -> Vec<String> {
        let groups = groups(&Text::new(raw), Reading { compounds: true, guess: letters });
        groups.iter().map(|group| group.digits.iter().map(|digit| char::from(b'0' + digit)).collect()).collect()
    }

    #[rstest]
    #[case::egyptian("صفر واحد اتنين تلاتة أربعة خمسة ستة سبعة تمانية تسعة", "0 1 2 3 4 5 6 7 8 9")]
    #[case::classical("صفر واحد إثنان ثلاثة أربع خمس ست سبع ثماني تسع عشر", "0 1 2 3 4 5 6 7 8 9 10")]
    #[case::franco("sefr wa7ed etneen tlata arba3a 5amsa setta sab3a tamanya tes3a", "0 1 2 3 4 5 6 7 8 9")]
    #[case::franco_by_sound("sifr wahid itnein talaata arbaa khamsa sitta sabaa tamania tis3a", "0 1 2 3 4 5 6 7 8 9")]
    #[case::english("zero one two three four five six seven eight nine oh", "0 1 2 3 4 5 6 7 8 9 0")]
    #[case::drawn_out("zeeero ooone twooo", "0 1 2")]
    #[case::digits_for_letters("z3ro tw0 thr33 f1ve s3ven", "0 2 3 5 7")]
    #[case::teens("حداشر اتناشر خمستاشر eleven twelve fifteen 7edashar 5amastashar", "11 12 15 11 12 15 11 15")]
    #[case::tens_arabic("تلاتة وأربعين، خمسة و ستين", "43 65")]
    #[case::tens_franco("tamanya w arbe3een 5amsa we 3eshreen", "48 25")]
    #[case::tens_english("forty four twenty-two sixty", "44 22 60")]
    #[case::hundreds("مية وخمسة وعشرين ميتين five hundred and six", "125 200 506")]
    #[case::counts("double five triple zero تلات خمسات 4 zeros two nines", "55 000 555 0000 99")]
    #[case::again("خمسة مرتين", "5 5")]
    #[case::glued("صفرواحدخمسهاتنين zeroonezerofive", "0 1 5 2 0 1 0 5")]
    #[case::glued_with_and("صفرعشرةخمسةوعشرين", "0 10 25")]
    #[case::joined_without_compounding("خمسة و ستة", "5 6")]
    #[case::words_of_franco_are_no_digits("3ala 7aga 2ol ma32ool", "")]
    #[case::the_zero_is_a_thing("ومتنساش الصفر", "")]
    #[case::embedded("callme01155500156please A7X9 R134a", "01155500156")]
    fn numbers_are_read_as_they_are_said(#[case] raw: &str, #[case] expected: &str) {
        assert_eq!(read(raw, false).join(" "), expected);
    }

    #[rstest]
    #[case("O1OO", true, "0100")]
    #[case("oIl SSZ bB", true, "011 552 68")]
    #[case("O1OO", false, "")]
    fn letters_are_digits_only_when_asked(#[case] raw: &str, #[case] letters: bool, #[case] expected: &str) {
        assert_eq!(read(raw, letters).join(" "), expected);
    }
}
