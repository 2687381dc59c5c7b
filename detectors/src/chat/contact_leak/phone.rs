//! Which groups of digits make a telephone number.
//!
//! ```text
//! mobile       0, a carrier's prefix and 8 digits; also 20, +20, 0020 for the 0; the 0 may lack where telephones are spoken of
//! landline     0, area, 6 or 7 digits (8 in Cairo); where telephones are spoken of, or written as area and rest
//! foreign      + or 00, a country code, as many digits as that country has
//! ```
//!
//! A number must be made of whole groups, and of all of them but one at either end, so that no window into a list, a
//! card or a longer identifier counts. Dates, times, counting and national ids are ruled out by their form. Words that
//! speak of orders or meters veto the weak shapes only: a full mobile number called a price is still a number.
//!
//! Source: the plans of [`super::plan`].

use super::LeakKind;
use super::lexicon::{CALL, CHANNEL, FIND, LOWER, NUMBER, PHONE, REVERSE, TALK, UNIT, ZERO};
use super::normalise::{Span, Text};
use super::numbers::{self, Digits, EASTERN, GLUED, GUESSED, Group, LETTERS, Reading, SCRIPT, WESTERN, WORDS};
use super::ordinary::{CALENDAR, explains, is_calendar, is_counting, is_date, is_year};
use super::plan;
use super::tricks;

/// Digits of the longest dialled form: 0020, a needless 0, and 10 digits, with one to spare.
const WINDOW_DIGITS_MAX: usize = 18;
/// Digits of any number, as it is dialled.
pub(super) const LENGTHS: std::ops::RangeInclusive<usize> = 8..=WINDOW_DIGITS_MAX;
/// Spaces, marks and joining words between two groups of one number.
const GAP_SOFT_MAX: u8 = 12;

/// How a number was hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disguise {
    None,
    Separators,
    Script,
    Words,
    Letters,
    Reversed,
    Split,
}

impl Disguise {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Separators => "separators",
            Self::Script => "script",
            Self::Words => "words",
            Self::Letters => "letters",
            Self::Reversed => "reversed",
            Self::Split => "split",
        }
    }
}

/// A number that was found.
#[derive(Clone)]
pub(super) struct Phone {
    pub(super) e164: Digits,
    pub(super) country_len: usize,
    pub(super) prefix_len: usize,
    pub(super) strength: f64,
    pub(super) disguise: Disguise,
    /// Where it stands; of one in pieces, the first of them in its own message.
    pub(super) span: Span,
    /// What its groups are disguised by: bits of [`tricks`].
    pub(super) tricks: u16,
}

/// What the numbering plans make of some digits.
#[derive(Clone)]
struct Shape {
    e164: Digits,
    country_len: usize,
    prefix_len: usize,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// 01…: the form in which Egyptians write.
    Mobile,
    /// 201…: without a plus.
    MobileBare,
    /// +20 or 0020.
    MobileInternational,
    /// 1…: the trunk zero is missing.
    MobileShort,
    Landline,
    LandlineInternational,
    Foreign,
}

impl Form {
    /// What it is called in a reading.
    fn called(self) -> &'static str {
        match self {
            Self::Mobile => "a mobile number of Egypt",
            Self::MobileBare => "a mobile number of Egypt with 20 before it",
            Self::MobileInternational => "a mobile number of Egypt with +20 or 0020",
            Self::MobileShort => "a mobile number of Egypt without its zero",
            Self::Landline => "a landline of Egypt",
            Self::LandlineInternational => "a landline of Egypt with +20 or 0020",
            Self::Foreign => "a number of another country, with its code",
        }
    }

    /// Strength of a number of that form, undisguised.
    fn strength(self) -> f64 {
        match self {
            Self::MobileInternational => 0.95,
            Self::Mobile | Self::MobileBare => 0.9,
            Self::LandlineInternational | Self::Foreign => 0.85,
            Self::MobileShort => 0.7,
            Self::Landline => 0.65,
        }
    }
}

/// A find below this strength may be a part of a number that another reading has whole.
const WEAK: f64 = 0.75;

/// The strongest number of a message.
pub(super) fn find(text: &Text) -> Option<Phone> {
    let mut best = in_reading(text, Reading { compounds: true, guess: false });
    if best.is_none() && text.has_numbers {
        best = in_reading(text, Reading { compounds: false, guess: false });
    }
    // Pictures of digits are ornaments in the other readings, which may have found a number without them.
    let weak = best.as_ref().is_none_or(|best| best.strength < WEAK);
    if text.has_pictures || weak && (text.has_digits || text.has_numbers) && numbers::may_guess(text, *LENGTHS.start()) {
        best = stronger(best, in_reading(text, Reading { compounds: true, guess: true }));
    }
    best
}

/// The stronger of two numbers, the first of equals.
fn stronger(best: Option<Phone>, next: Option<Phone>) -> Option<Phone> {
    match (&best, &next) {
        (Some(old), Some(new)) if new.strength > old.strength => next,
        (None, _) => next,
        _ => best,
    }
}

fn in_reading(text: &Text, reading: Reading) -> Option<Phone> {
    let groups = numbers::groups(text, reading);
    if groups.iter().map(|group| group.digits.len()).sum::<usize>() < *LENGTHS.start() {
        for group in &groups {
            text.note(LeakKind::Phone, false, "too few digits in the message for a number", || group.span);
        }
        return None;
    }
    let mut best: Option<Phone> = None;
    let mut from = 0;
    while from < groups.len() {
        let joined = |group: &&Group| group.gap.words == 0 && group.gap.soft <= GAP_SOFT_MAX;
        let length = 1 + groups.iter().skip(from + 1).take_while(joined).count();
        let run = groups.get(from..from + length).unwrap_or(&[]);
        if let Some(what) = explains(run) {
            text.note(LeakKind::Phone, false, what, || around(run));
        } else {
            for start in 0..run.len() {
                let found = longest(run, start, text, reading);
                let all = start == 0 && found.as_ref().is_some_and(|(_, end)| end + 1 == run.len());
                best = stronger(best, found.map(|(phone, _)| phone));
                if all {
                    break;
                }
            }
            if best.is_none() {
                best = right_to_left(run, reading);
            }
            if best.is_none() {
                text.note(LeakKind::Phone, false, "no whole groups of it are a number that a numbering plan has", || around(run));
            }
        }
        from += length;
    }
    if best.is_none() && (!reading.guess || text.has_pictures || text.has_numbers) {
        best = across_words(&groups, text);
    }
    best
}

/// The best number that starts with that group of a run, and its last group.
fn longest(run: &[Group], start: usize, text: &Text, reading: Reading) -> Option<(Phone, usize)> {
    let mut digits = Digits::new();
    let mut best: Option<(Phone, usize)> = None;
    for (end, group) in run.iter().enumerate().skip(start) {
        digits.extend_from_slice(&group.digits);
        if digits.len() > WINDOW_DIGITS_MAX {
            break;
        }
        let window = run.get(start..=end).unwrap_or(&[]);
        if digits.len() < *LENGTHS.start() {
            continue;
        }
        let plus = opens_abroad(window, start);
        if window.len() > 1 && !stands_alone(run, start, end) {
            if text.is_traced() && shape(&digits, plus).is_some() {
                text.note(LeakKind::Phone, false, "part of a longer row of digits", || around(window));
            }
            continue;
        }
        if !plus && digits.starts_with(&[0, 0]) && window.first().is_some_and(|first| continues(first, start)) {
            continue;
        }
        let believed = |shape: &Shape| {
            let doubt = doubt(shape, window, run, text);
            text.note(LeakKind::Phone, doubt.is_none(), doubt.unwrap_or(shape.form.called()), || around(window));
            doubt.is_none()
        };
        let mut found = shape(&digits, plus).filter(believed).map(|shape| shape.phone(window));
        let backwards =
            text.classes & REVERSE != 0 || (window.len() == 1 && text.classes & (CALL | NUMBER) != 0 && text.classes & LOWER == 0);
        if backwards && (found.is_none() || text.classes & REVERSE != 0) {
            let reversed: Digits = digits.iter().rev().copied().collect();
            let turned = shape(&reversed, false).filter(|shape| shape.form == Form::Mobile);
            if turned.is_some() {
                text.note(LeakKind::Phone, true, "a mobile number of Egypt when read backwards", || around(window));
            }
            found = turned.map(|shape| shape.phone(window).reversed()).or(found);
        }
        let guessed: usize = window.iter().filter(|group| group.origin == LETTERS).map(|group| group.digits.len()).sum();
        let spare = run.iter().take(start).chain(run.iter().skip(end + 1));
        let doubtful = |group: &Group| group.origin & LETTERS != 0 || group.origin & WORDS != 0 && group.origin & GUESSED != 0;
        let cut_out = window.len() > 1 && window.iter().any(doubtful) && spare.into_iter().any(|group| group.origin != LETTERS);
        if reading.guess && (guessed > 7 || cut_out || window.iter().all(|group| group.origin & (LETTERS | GUESSED) == 0)) {
            if found.is_some() {
                text.note(LeakKind::Phone, false, "too much of it is read as digits by guess", || around(window));
            }
            found = None;
        }
        // Of two of one start, the stronger, or that which leaves nothing over.
        if let Some(found) = found
            && best.as_ref().is_none_or(|(old, _)| found.strength > old.strength || end + 1 == run.len() && found.strength >= old.strength)
        {
            best = Some((found, end));
        }
    }
    best
}

/// Where groups stand.
fn around(groups: &[Group]) -> Span {
    Span::around(groups.iter().map(|group| group.span))
}

/// Whether a group goes on with what stands before it, as the fraction of a decimal does.
fn continues(first: &Group, start: usize) -> bool {
    (start > 0 || first.gap.words > 0) && first.gap.tied
}

/// Whether a window stands behind a plus of its own. A plus or 00 inside a longer thing calls no country.
fn opens_abroad(window: &[Group], start: usize) -> bool {
    let behind = matches!(window, [only] if only.plus_behind && only.digits.len() > 9);
    behind || window.first().is_some_and(|group| group.gap.plus && (start == 0 || group.gap.spaced || group.gap.soft > 1))
}

/// A number whose groups stand in the order in which a right-to-left line shows them: all of a run, its last group the beginning of a
/// mobile number, or the country with its plus on either side.
fn right_to_left(run: &[Group], reading: Reading) -> Option<Phone> {
    const GROUPS: std::ops::RangeInclusive<usize> = 2..=6;
    let last = run.last()?;
    let plus = last.gap.plus || last.plus_behind;
    let short = |group: &Group| group.digits.len() < 2 && group.digits.as_slice() != [0];
    let guessed = run.iter().any(|group| group.origin & (LETTERS | GUESSED) != 0);
    if reading.guess && !guessed || !GROUPS.contains(&run.len()) {
        return None;
    }
    if run.iter().any(|group| group.origin & GLUED != 0) || run.iter().rev().skip(usize::from(plus)).any(short) {
        return None;
    }
    let digits: Digits = run.iter().rev().flat_map(|group| group.digits.iter().copied()).take(WINDOW_DIGITS_MAX).collect();
    let opens = is_dialled_mobile(&last.digits) || plus || last.digits.starts_with(&[0, 0, 2]);
    let found = shape(&digits, plus).filter(|shape| opens && matches!(shape.form, Form::Mobile | Form::MobileInternational))?;
    Some(Phone { strength: 0.75, ..found.phone(run).reversed() })
}

/// Whether digits begin as a mobile number is dialled here.
pub(super) fn is_dialled_mobile(digits: &[u8]) -> bool {
    matches!(digits, [0, national @ ..] if plan::is_mobile(national))
}

/// Digits of a number that may stand before another one.
const BEFORE: std::ops::RangeInclusive<usize> = 9..=14;

/// Whether `start..=end` is all of the run but one group at either end, or the rest is another number.
fn stands_alone(run: &[Group], start: usize, end: usize) -> bool {
    let right = run.len() - 1 - end;
    let opens = |group: &Group| group.gap.plus || is_dialled_mobile(&group.digits);
    let another = right >= 2 && run.get(end + 1).is_some_and(opens);
    // In front there may be the end of another number. More groups than it has digits are none, and not counted: a message of five hundred
    // groups would be gone through for each of its windows.
    let before = || run.iter().take(start).map(|group| group.digits.len()).sum::<usize>();
    (start <= 1 || start <= *BEFORE.end() && BEFORE.contains(&before())) && (right <= 1 || another)
}

/// Numbers whose groups have ordinary words between them (`street 010 building 0338 flat 8330`): only a mobile number that begins as
/// one does, in groups that are all used, and nothing left over.
fn across_words(groups: &[Group], text: &Text) -> Option<Phone> {
    const WORDS_BETWEEN_MAX: u8 = 3;
    for (start, first) in groups.iter().enumerate() {
        if first.gap.label {
            continue;
        }
        let plus = first.gap.plus;
        let is_prefix = first.digits.starts_with(&[0, 1]) && first.digits.len() < 11;
        if !(is_prefix || plus || first.digits.starts_with(&[0, 0]) || first.digits.as_slice() == [0]) {
            continue;
        }
        let mut digits = Digits::new();
        for (end, group) in groups.iter().enumerate().skip(start) {
            let gap = group.gap;
            if end > start && (gap.words > WORDS_BETWEEN_MAX || gap.soft > GAP_SOFT_MAX || gap.plus) {
                break;
            }
            digits.extend_from_slice(&group.digits);
            if digits.len() > WINDOW_DIGITS_MAX {
                break;
            }
            let whole = end + 1 == groups.len() || groups.len() <= 4;
            let window = groups.get(start..=end).unwrap_or(&[]);
            let but_last = window.get(..window.len().saturating_sub(1)).unwrap_or(&[]);
            let piece = |group: &Group| group.digits.len() >= 2 || group.digits.as_slice() == [0];
            let pieces = (is_prefix || plus || first.digits.len() > 1) && but_last.iter().all(piece)
                || plus && start == 0 && end + 1 == groups.len();
            let said = |group: &Group| group.digits.len() == 1 || group.origin & WORDS != 0;
            let all = start == 0 && end + 1 == groups.len() && (first.digits.len() > 1 || first.origin & WORDS != 0);
            let spoken = start == 0 && window.iter().all(said) || all;
            let mobile = |shape: &Shape| matches!(shape.form, Form::Mobile | Form::MobileInternational) && !is_calendar(window);
            if digits.len() >= 11
                && whole
                && (pieces || spoken)
                && !is_near(text, window, LOWER)
                && let Some(shape) = shape(&digits, plus).filter(mobile)
            {
                text.note(LeakKind::Phone, true, "a mobile number of Egypt with words between its groups", || around(window));
                let phone = shape.phone(window);
                let disguise = if phone.disguise == Disguise::None { Disguise::Separators } else { phone.disguise };
                return Some(Phone { strength: 0.75, disguise, ..phone });
            }
        }
    }
    None
}

/// Why a shape is not credible, given how it was written and what the message speaks of; nothing where it is.
fn doubt(shape: &Shape, window: &[Group], run: &[Group], text: &Text) -> Option<&'static str> {
    let called = text.classes & (CALL | CHANNEL | PHONE | NUMBER | TALK | FIND) != 0;
    let lowered = text.classes & LOWER != 0 && is_near(text, window, LOWER);
    let measured = text.classes & UNIT != 0;
    let first = window.first()?;
    let unbroken = window.len() == 1;
    if !unbroken {
        let other = [
            (is_calendar(window), CALENDAR),
            (counts(window), "counts up or down"),
            (is_labelled(first, window), "the tail of an identifier with a label"),
        ];
        if let Some((_, what)) = other.iter().find(|(is, _)| *is) {
            return Some(what);
        }
    }
    let second = window.get(1).map_or(&[][..], |group| group.digits.as_slice());
    let spoken = window.iter().all(|group| group.digits.len() == 1 || group.origin & WORDS != 0);
    let (fits, why) = match shape.form {
        Form::Mobile => (true, ""),
        Form::MobileInternational => {
            (first.gap.plus || is_code_whole(first, window, shape) || first.plus_behind, "00 and the country's code are not of one group")
        }
        // 2010, 2011, 2012 and 2015 are years: bare 20 is believed unbroken, apart from the rest, digit by digit, or where somebody
        // speaks of calling.
        Form::MobileBare => {
            let apart =
                first.digits.as_slice() == [2, 0] && window.len() <= 5 && !window.iter().skip(1).all(|group| group.digits.len() == 2);
            let years = window.iter().filter(|group| is_year(&group.digits)).count() + 2 * usize::from(is_date(&first.digits));
            let whole = window.len() == run.len() && first.digits.len() != 4 && window.len() <= 5 && !measured;
            let fits = unbroken || spoken || (apart && years == 0) || !lowered && (called && years <= 1 || whole && years == 0);
            (fits, "begins with 20 and no plus, in groups that may be years or a list")
        }
        Form::MobileShort => {
            let code = |group: &Group| group.digits.as_slice() == [2, 0] && (group.gap.plus || group.plus_behind);
            // The country may stand at the wrong end.
            let misplaced = run.len() == window.len() + 1 && (run.first().is_some_and(code) || run.last().is_some_and(code));
            // Pairs may be a list of hours or of sizes.
            let pairs = !spoken && window.iter().all(|group| group.digits.len() <= 2) && window.iter().any(|group| group.digits.len() == 2);
            let whole = window.len() == run.len() && !pairs;
            let disguised = window.iter().any(|group| group.origin & (WORDS | SCRIPT) != 0) && !measured;
            let spoken_of = called || disguised || text.classes & ZERO != 0;
            let fraction = first.gap.words > 0 && first.gap.tied;
            let fits = misplaced || (whole && !fraction && !lowered && (spoken_of || unbroken && !measured));
            (fits, "its zero is missing, and nobody speaks of calling, or an order or a measure is spoken of")
        }
        Form::Landline => {
            let area = matches!(first.digits.as_slice(), [0, 2 | 3] | [0, 4..=9, _]);
            let rest = window.get(1..).unwrap_or(&[]);
            let one_mark = |group: &Group| matches!(group.gap.mark, ' ' | '-' | ')' | '_' | '*' | '\n');
            let grouped = area
                && !unbroken
                && rest.len() <= 3
                && rest.iter().all(|group| group.digits.len() >= 3 && one_mark(group))
                && !is_year(second);
            let plain = unbroken || grouped || spoken || window.len() == run.len();
            let elsewhere = !matches!(first.digits.as_slice(), [0, 1, ..]) && !measured && (unbroken || spoken);
            let fits = !lowered && first.origin & GLUED == 0 && (called && plain || grouped || elsewhere);
            (fits, "as long as a landline, and nobody speaks of calling, or an order or a measure is spoken of")
        }
        Form::LandlineInternational | Form::Foreign => {
            let dialled = first.gap.plus
                || first.plus_behind
                || (!lowered && (first.digits.len() >= 4 || called || spoken) && is_code_whole(first, window, shape));
            let clock = |group: &Group| group.gap.mark == ':' && group.gap.soft == 1;
            let fits = dialled && window.iter().all(|group| group.origin & GLUED == 0) && !window.iter().skip(1).any(clock);
            (fits, "no + or 00 of its own before the country's code")
        }
    };
    (!fits).then_some(why)
}

/// Whether a window counts, all of it or all but one group at an end.
fn counts(window: &[Group]) -> bool {
    const COUNTED_MIN: usize = 7;
    let part = |part: Option<&[Group]>| part.is_some_and(|part| part.len() >= COUNTED_MIN && is_counting(part));
    is_counting(window) || part(window.get(1..)) || part(window.get(..window.len().saturating_sub(1)))
}

/// Whether a word of some class stands near a window: a number's name comes before it, or soon behind.
fn is_near(text: &Text, window: &[Group], class: u32) -> bool {
    const TOKENS_BEFORE: usize = 16;
    const TOKENS_BEHIND: usize = 8;
    let (Some(first), Some(last)) = (window.first(), window.last()) else { return false };
    let tokens = text.tokens.get(first.at.saturating_sub(TOKENS_BEFORE)..text.tokens.len().min(last.at + 1 + TOKENS_BEHIND));
    tokens.unwrap_or(&[]).iter().any(|token| token.lex.is(class))
}

/// Whether 00 and the code of a country are not cut in two by the border of the first group: `0096-691220` is an account.
fn is_code_whole(first: &Group, window: &[Group], shape: &Shape) -> bool {
    window.len() == 1 || first.digits.len() >= 2 + shape.country_len || first.digits.len() <= 3
}

impl Shape {
    fn phone(&self, window: &[Group]) -> Phone {
        let origin = window.iter().fold(0, |origin, group| origin | group.origin);
        let disguise = if origin & LETTERS != 0 {
            Disguise::Letters
        } else if origin & WORDS != 0 {
            Disguise::Words
        } else if origin & SCRIPT != 0 || origin & (WESTERN | EASTERN) == WESTERN | EASTERN {
            Disguise::Script
        } else if window.len() > 5 || origin & GLUED != 0 || window.iter().skip(1).any(odd_mark) {
            Disguise::Separators
        } else {
            Disguise::None
        };
        // Hiding a number shows that it is one; guessing it from letters is less sure.
        let bonus = match disguise {
            Disguise::None | Disguise::Separators => 0.0,
            Disguise::Letters => -0.05,
            _ => 0.03,
        };
        Phone {
            e164: self.e164.clone(),
            country_len: self.country_len,
            prefix_len: self.prefix_len,
            strength: self.form.strength() + bonus,
            disguise,
            span: around(window),
            tricks: tricks_of(window),
        }
    }
}

impl Phone {
    fn reversed(self) -> Self {
        Self { disguise: Disguise::Reversed, tricks: self.tricks | tricks::REVERSED, ..self }
    }
}

/// Whether a mark stands before a group that numbers seldom have in them.
fn odd_mark(group: &Group) -> bool {
    !matches!(group.gap.mark, '\0' | ' ' | '-' | '(' | ')')
}

/// What the groups of a number are disguised by.
fn tricks_of(window: &[Group]) -> u16 {
    let origin = window.iter().fold(0, |origin, group| origin | group.origin);
    let inner = window.get(1..).unwrap_or(&[]);
    let guessed = |of: u8| window.iter().any(|group| group.origin & GUESSED != 0 && group.origin & (WORDS | SCRIPT) == of);
    [
        (origin & WORDS != 0, tricks::DIGITS_IN_WORDS),
        (origin & LETTERS != 0, tricks::LETTERS_FOR_DIGITS),
        (guessed(SCRIPT), tricks::LOOK_ALIKE_GLYPHS),
        (origin & (WESTERN | EASTERN) == WESTERN | EASTERN, tricks::MIXED_DIGITS),
        (guessed(0), tricks::PICTURES),
        (guessed(WORDS), tricks::MISSPELT),
        (window.len() > 5 && origin & WORDS == 0 || inner.iter().any(odd_mark), tricks::SEPARATORS),
        (inner.iter().any(|group| group.gap.words > 0), tricks::WORDS_BETWEEN),
        (origin & GLUED != 0, tricks::GLUED),
    ]
    .iter()
    .fold(0, |sum, (is, trick)| if *is { sum | trick } else { sum })
}

/// The number that pieces of several messages make, whole.
pub(super) fn joined(digits: &Digits, plus: bool) -> Option<Phone> {
    let shape = shape(digits, plus)?;
    match shape.form {
        Form::Mobile | Form::MobileBare | Form::MobileInternational => {}
        Form::Foreign | Form::LandlineInternational if plus || digits.starts_with(&[0, 0]) => {}
        _ => return None,
    }
    Some(Phone {
        e164: shape.e164,
        country_len: shape.country_len,
        prefix_len: shape.prefix_len,
        strength: 0.85,
        disguise: Disguise::Split,
        span: Span::default(),
        tricks: tricks::PIECES,
    })
}

fn shape(digits: &[u8], plus: bool) -> Option<Shape> {
    let mobile = |national: &[u8], form| {
        (national.len() == 10 && plan::is_mobile(national)).then(|| Shape {
            e164: [2, 0].iter().chain(national).copied().collect(),
            country_len: 2,
            prefix_len: 2,
            form,
        })
    };
    let international = |rest: &[u8]| match rest {
        [2, 0, 0, national @ ..] | [2, 0, national @ ..] if plan::is_mobile(national) => mobile(national, Form::MobileInternational),
        [2, 0, 0, national @ ..] | [2, 0, national @ ..] => fixed(national, Form::LandlineInternational),
        _ => foreign(rest),
    };
    match digits {
        _ if plus && !matches!(digits, [0, 1 | 0, ..]) => international(digits),
        [0, 0, rest @ ..] => international(rest),
        [0, national @ ..] => mobile(national, Form::Mobile).or_else(|| fixed(national, Form::Landline)),
        [2, 0, national @ ..] => mobile(national, Form::MobileBare),
        _ => mobile(digits, Form::MobileShort),
    }
}

/// A landline's national number, without the trunk zero.
fn fixed(national: &[u8], form: Form) -> Option<Shape> {
    plan::area_len(national).map(|area_len| Shape {
        e164: [2, 0].iter().chain(national).copied().collect(),
        country_len: 2,
        prefix_len: area_len,
        form,
    })
}

/// A number of another country, after its + or 00, also with the trunk zero that is dialled within that country.
fn foreign(digits: &[u8]) -> Option<Shape> {
    let of = |digits: Digits| {
        let country_len = plan::country_len(&digits)?;
        Some(Shape { e164: digits, country_len, prefix_len: 0, form: Form::Foreign })
    };
    let trunk = |place: usize| {
        let mut without: Digits = digits.iter().copied().collect();
        (digits.get(place) == Some(&0)).then(|| without.remove(place))?;
        of(without).filter(|shape| shape.country_len == place)
    };
    of(digits.iter().copied().collect()).or_else(|| (2..=3).find_map(trunk))
}

/// Whether a window is the tail of an identifier: `INV-0102-2026-001`.
fn is_labelled(first: &Group, window: &[Group]) -> bool {
    first.gap.label && window.iter().skip(1).all(|group| group.gap.mark == first.gap.mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn number(raw: &str) -> Option<String> {
        find(&Text::new(raw)).map(|phone| phone.e164.iter().map(|digit| char::from(b'0' + digit)).collect())
    }

    #[rstest]
    #[case::plain("01012345678", "201012345678")]
    #[case::every_carrier("01112345678", "201112345678")]
    #[case::plus("+201212345678", "201212345678")]
    #[case::plus_and_trunk("+20 (0) 15 1234 5678", "201512345678")]
    #[case::idd("0020 10 1234 5678", "201012345678")]
    #[case::bare_country("201012345678", "201012345678")]
    #[case::bare_country_apart("20 1012345678", "201012345678")]
    #[case::trunk_zero_missing("my mobile 1012345678", "201012345678")]
    #[case::cairo("تليفون المكتب 0223456780", "20223456780")]
    #[case::cairo_grouped("02 2345 6780", "20223456780")]
    #[case::alexandria("landline 034567800", "2034567800")]
    #[case::emirates("+971 50 123 4567", "971501234567")]
    #[case::britain("0044 7911 123456", "447911123456")]
    #[case::separators("0-1.0/1*2_3~4|5 6\n7 8", "201012345678")]
    #[case::emoji("010🌟1234🌟5678", "201012345678")]
    #[case::words("zero one zero one two three four five six seven eight", "201012345678")]
    #[case::tens("صفر عشرة، اتناشر، اربعة وتلاتين، ستة وخمسين، تمانية وسبعين", "201012345678")]
    #[case::tens_and_ones("zero ten twenty one two three four five six seven", "201021234567")]
    #[case::letters("O1O l234 S678", "201012345678")]
    #[case::words_between("block 010 unit 1234 door 5678", "201012345678")]
    #[case::reversed("backwards: 87654321010", "201012345678")]
    #[case::second_of_two("0123 456 7890 - 0101 234 5678", "201234567890")]
    #[case::trunk_zero_behind_a_code("+971 (0)50 123 4567", "971501234567")]
    #[case::trunk_zero_of_a_landline("+20 (0)2 2345 6780", "20223456780")]
    #[case::country_at_the_wrong_end("1012345678 (+20)", "201012345678")]
    #[case::plus_behind("201012345678+", "201012345678")]
    #[case::extension("01012345678 x204", "201012345678")]
    #[case::pause("010 1234 5678p12", "201012345678")]
    #[case::right_to_left("رقمي 5678 1234 010", "201012345678")]
    #[case::right_to_left_with_country("رقمي 5678 1234 10 20+", "201012345678")]
    #[case::pictures("⭕🥇0️⃣ 🥇✌️🥉🕓 ✋🕕🕖🎱", "201012345678")]
    #[case::counted("01🍎🍎 5123 4567", "201251234567")]
    #[case::arabic_letters("٠ا٠ ا٢٣٤ ه٦٧٨", "201012345678")]
    #[case::slips("call zero wan zero one tow tree for fiv siks sevne ate", "201012345678")]
    #[case::and_before_its_own_letter("صفر عشرة ميتين وواحد وعشرين ميتين وواحد وعشرين خمسة وخمسين", "201022122155")]
    #[case::talk_between("010 يا باشا 1234 please 5678", "201012345678")]
    fn numbers_are_found(#[case] raw: &str, #[case] expected: &str) {
        assert_eq!(number(raw).as_deref(), Some(expected));
    }

    #[rstest]
    #[case::ten_digits("0101234567")]
    #[case::twelve_digits("010123456789")]
    #[case::dead_carrier("01412345678")]
    #[case::hotline("19123")]
    #[case::toll_free("0800 123 4567")]
    #[case::dates("01.02.2026 - 15.02.2026")]
    #[case::date_and_time("01/02/2026 9:30")]
    #[case::times("01:00, 1:30, 02:15")]
    #[case::timestamp("2015-03-01 09:45")]
    #[case::timestamp_with_a_letter("2025-01-12T11:02:33")]
    #[case::look_alikes_in_a_longer_run("2026 0l 0 123 4567 8 9 10")]
    #[case::years("2010 2012 2015 2019")]
    #[case::years_that_make_a_number("2012 2015 2019")]
    #[case::counting("one two three four five six seven eight nine ten eleven")]
    #[case::list("01 02 03 04 05 06 07")]
    #[case::national_id("29801011234567")]
    #[case::national_id_in_groups("2 980101 1234567")]
    #[case::card("4000 1234 5678 9010")]
    #[case::tracking("7740019283746501")]
    #[case::iban("EG21 0003 0001 0000 0000 1234 5678 9")]
    #[case::labelled("INV-0102-2026-001")]
    #[case::labelled_in_pieces("KH-010-2233-4455")]
    #[case::ten_digits_of_an_order("order 1012345678")]
    #[case::landline_of_a_meter("meter reading 0223456780")]
    #[case::coordinates("30.0444, 31.2357")]
    #[case::price("12,750.50")]
    #[case::sum("3 x 250 + 2 x 175 = 1100")]
    #[case::model("ADQ73214404")]
    #[case::plus_of_no_country("+0 123 456 789")]
    #[case::pin_whose_fraction_begins_as_a_call_abroad("30.004698, 31.297242")]
    #[case::pin_with_its_letters("N30.00502 E31.114477")]
    #[case::link_to_a_map("https://www.google.com/maps/@30.0046,31.2972422,17z")]
    #[case::id_in_a_link("https://shop.example/p/01112345678?v=2")]
    #[case::months_of_a_history("01/2019 – 5/2024, 02/2011-01/2015")]
    #[case::days_of_a_range("01-09 - 12-05 530")]
    #[case::decimals_in_columns("0.125 0.250 0.375 0.5")]
    #[case::machine("10.123.45.67 / 255.255.255.0")]
    #[case::account_that_begins_with_zeros("0096-691220-025")]
    #[case::account_in_fours("0006 0064 3051 3133")]
    #[case::hash("f2be70e055055ae0a29250f90577bb1105920577")]
    fn other_numbers_are_left_alone(#[case] raw: &str) {
        assert_eq!(number(raw), None);
    }
}
