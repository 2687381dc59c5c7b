//! Text as a reader sees it: glyphs folded to plain ones, invisible marks gone, then cut into tokens.
//!
//! Folding follows NFKC and case folding where that matters for digits and for the words of the lexicon, and goes
//! further where eyes do: Arabic letters lose their hamzas, look-alikes of other scripts become Latin, every digit of
//! Unicode becomes one of `0`–`9`. What it forgets it keeps as a flag, because a strange glyph is evidence.

use super::glyphs;
use super::lexicon::{self, Lex};
use super::trail::Trail;
use super::tricks;

/// Bytes of a message that are looked at. A longer message is judged by its beginning: cost stays bounded.
pub(super) const BYTES_MAX: usize = 4096;

/// The letter was a capital.
pub(super) const UPPER: u8 = 1;
/// The digit was Arabic-Indic or Persian: usual here, no disguise.
pub(super) const ARABIC: u8 = 2;
/// The character was an unusual glyph, or followed marks that were dropped.
pub(super) const ODD: u8 = 4;
/// It followed marks that nobody sees.
pub(super) const HIDDEN: u8 = 8;

/// One folded character.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Sym {
    pub(super) c: char,
    pub(super) flags: u8,
    /// Which character of the message it was, from 0.
    pub(super) at: u16,
}

impl Sym {
    /// The value of a digit.
    pub(super) fn digit(self) -> Option<u8> {
        u8::try_from(self.c).ok().filter(u8::is_ascii_digit).map(|byte| byte - b'0')
    }
}

/// Where something stands in a message as it was sent: characters (Unicode scalar values), from 0, `end` not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start: u16,
    pub(super) end: u16,
}

impl Span {
    /// Of characters in a row.
    pub(super) fn of(syms: &[Sym]) -> Self {
        match (syms.first(), syms.last()) {
            (Some(first), Some(last)) => Self { start: first.at, end: last.at + 1 },
            _ => Self::default(),
        }
    }

    /// From the beginning of the first to the end of the last.
    pub(super) fn around(spans: impl IntoIterator<Item = Self>) -> Self {
        spans.into_iter().reduce(|a, b| Self { start: a.start.min(b.start), end: a.end.max(b.end) }).unwrap_or_default()
    }

    /// Characters in it.
    pub(super) fn length(self) -> u16 {
        self.end.saturating_sub(self.start)
    }

    fn holds(self, at: u16) -> bool {
        (self.start..self.end).contains(&at)
    }
}

/// What a token is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Digits only.
    Digits,
    /// Letters of one script family.
    Word,
    /// Latin letters and digits in one: Franco-Arabic, model numbers, look-alikes.
    Mixed,
    /// One space or line break.
    Space,
    /// One character of punctuation, or one symbol or emoji.
    Mark(char),
}

/// A piece of the folded text, `start..end` of [`Text::syms`].
#[derive(Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: u16,
    pub(super) end: u16,
    pub(super) lex: Lex,
}

/// A message, folded and cut.
#[expect(clippy::struct_excessive_bools, reason = "each says what there is in the message")]
pub(super) struct Text {
    syms: Vec<Sym>,
    pub(super) tokens: Vec<Token>,
    /// Every class that a word of the message has.
    pub(super) classes: u32,
    /// Whether there are digits outside words.
    pub(super) has_digits: bool,
    /// Whether there are number words.
    pub(super) has_numbers: bool,
    /// Whether some mark can be part of an address: `@`, `.`, or `/` and `=` of links.
    pub(super) has_address_marks: bool,
    /// Whether there are pictures of digits, or things to count.
    pub(super) has_pictures: bool,
    /// Whether it is longer than what is looked at.
    pub(super) cut: bool,
    /// How many of `syms` stand in the message; behind them there are copies, of words that were spelled out.
    written: usize,
    /// Where it is noted what is tested, when somebody asks.
    pub(super) trail: Option<Box<Trail>>,
}

impl Text {
    pub(super) fn new(raw: &str) -> Self {
        let scanned = raw.get(..raw.floor_char_boundary(BYTES_MAX)).unwrap_or(raw);
        let syms = fold(scanned);
        let mut text = Self {
            written: syms.len(),
            cut: scanned.len() < raw.len(),
            trail: None,
            syms,
            tokens: Vec::with_capacity(32),
            classes: 0,
            has_digits: false,
            has_numbers: false,
            has_address_marks: false,
            has_pictures: false,
        };
        text.cut();
        text.join_spelled_letters();
        text
    }

    /// The same, with a trail.
    pub(super) fn traced(raw: &str) -> Self {
        Self { trail: Some(Box::default()), ..Self::new(raw) }
    }

    /// The characters of a part of the message, as they were folded.
    pub(super) fn written(&self, span: Span) -> impl Iterator<Item = char> {
        self.syms.iter().take(self.written).filter(move |sym| span.holds(sym.at)).map(|sym| sym.c)
    }

    /// The characters of a token.
    pub(super) fn syms(&self, token: &Token) -> &[Sym] {
        self.syms.get(usize::from(token.start)..usize::from(token.end)).unwrap_or(&[])
    }

    /// Where the tokens from `first` to `last` stand.
    pub(super) fn span(&self, first: usize, last: usize) -> Span {
        Span::around([first, last].iter().filter_map(|index| self.token(*index)).map(|token| Span::of(self.syms(token))))
    }

    /// What the characters of a part of the message are disguised by.
    pub(super) fn tricks(&self, span: Span) -> u16 {
        let (written, spelled) = self.syms.split_at_checked(self.written).unwrap_or((&self.syms, &[]));
        let of = |sym: &Sym| match sym.flags {
            flags if flags & HIDDEN != 0 && sym.at > span.start => tricks::INVISIBLE_CHARACTERS,
            flags if flags & (ODD | HIDDEN) == ODD => tricks::LOOK_ALIKE_GLYPHS,
            _ => 0,
        };
        let odd = written.iter().filter(|sym| span.holds(sym.at)).fold(0, |tricks, sym| tricks | of(sym));
        if spelled.iter().any(|sym| span.holds(sym.at)) { odd | tricks::SPELLED_OUT } else { odd }
    }

    /// Whether there is something that addresses are made of.
    pub(super) fn may_hold_address(&self) -> bool {
        use lexicon::{AT, CHANNEL, DOT, MAIL, SLASH, USER};
        self.has_address_marks || self.classes & (AT | CHANNEL | DOT | MAIL | SLASH | USER) != 0
    }

    /// The token of that index.
    pub(super) fn token(&self, index: usize) -> Option<&Token> {
        self.tokens.get(index)
    }

    fn cut(&mut self) {
        let mut at = 0;
        while let Some(&first) = self.syms.get(at) {
            let syms = &self.syms;
            let start = at;
            let class = class_of(first.c);
            let kind = match class {
                Class::Space => {
                    at += 1;
                    Kind::Space
                }
                Class::Mark => {
                    at += 1;
                    self.has_address_marks |= matches!(first.c, '@' | '.' | '/' | '=');
                    let again = self.tokens.last().is_some_and(|last| last.kind == Kind::Mark(first.c));
                    self.has_pictures |= !first.c.is_ascii() && (glyphs::pictured(first.c).is_some() || again && glyphs::is_thing(first.c));
                    Kind::Mark(first.c)
                }
                Class::Arabic => {
                    while syms.get(at).is_some_and(|sym| class_of(sym.c) == Class::Arabic) {
                        at += 1;
                    }
                    Kind::Word
                }
                Class::Digit | Class::Latin => {
                    let (mut digits, mut letters) = (false, false);
                    while let Some(sym) = syms.get(at) {
                        match class_of(sym.c) {
                            Class::Digit => digits = true,
                            Class::Latin => letters = true,
                            // Franco writes letters as `7'`, English writes `what's`.
                            _ if sym.c == '\'' && syms.get(at + 1).is_some_and(|next| class_of(next.c) == Class::Latin) => {}
                            _ => break,
                        }
                        at += 1;
                    }
                    match (digits, letters) {
                        (true, false) => Kind::Digits,
                        (true, true) => Kind::Mixed,
                        (false, _) => Kind::Word,
                    }
                }
            };
            let chars = syms.get(start..at).unwrap_or(&[]);
            let lex = match kind {
                Kind::Word if class == Class::Arabic => lexicon::arabic(chars),
                Kind::Word | Kind::Mixed => lexicon::latin(chars, kind == Kind::Mixed),
                _ => Lex::default(),
            };
            self.push(kind, start, at, lex);
        }
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize, lex: Lex) {
        let (Ok(start), Ok(end)) = (u16::try_from(start), u16::try_from(end)) else { return };
        self.has_digits |= matches!(kind, Kind::Digits | Kind::Mixed);
        self.has_numbers |= lex.is_number();
        if kind == Kind::Word && !self.has_numbers && lex.class == 0 && end - start >= 6 {
            self.has_numbers = self.syms.get(usize::from(start)..usize::from(end)).is_some_and(|syms| lexicon::glued(syms).is_some());
        }
        self.classes |= lex.class;
        self.tokens.push(Token { kind, start, end, lex });
    }

    /// Letters written one by one (`g m a i l`, `s-e-v-e-n`) become the word that they spell: three or more with the
    /// same single character between them.
    fn join_spelled_letters(&mut self) {
        let single = |token: &Token| token.kind == Kind::Word && token.end - token.start == 1;
        if self.tokens.iter().filter(|token| single(token)).count() < 3 {
            return;
        }
        let tokens = std::mem::take(&mut self.tokens);
        self.has_numbers = false;
        self.has_digits = false;
        self.classes = 0;
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let mut end = at;
            if single(token) {
                let glue =
                    |index: usize| tokens.get(index).map(|token| token.kind).filter(|kind| matches!(kind, Kind::Space | Kind::Mark(_)));
                let script = |token: &Token| self.syms.get(usize::from(token.start)).map(|sym| class_of(sym.c));
                let alike = |next: &Token| single(next) && script(next) == script(token);
                while glue(at + 1).is_some() && glue(end + 1) == glue(at + 1) && tokens.get(end + 2).is_some_and(alike) {
                    end += 2;
                }
            }
            if end >= at + 4 {
                let start = self.syms.len();
                for letter in tokens.get(at..=end).unwrap_or(&[]).iter().filter(|token| single(token)) {
                    let sym = self.syms.get(usize::from(letter.start)).copied();
                    self.syms.extend(sym);
                }
                let word = self.syms.get(start..).unwrap_or(&[]);
                let arabic = word.first().is_some_and(|sym| class_of(sym.c) == Class::Arabic);
                let lex = if arabic { lexicon::arabic(word) } else { lexicon::latin(word, false) };
                let stop = self.syms.len();
                self.push(Kind::Word, start, stop, lex);
            } else {
                self.push(token.kind, token.start.into(), token.end.into(), token.lex);
                end = at;
            }
            at = end + 1;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Digit,
    Latin,
    Arabic,
    Space,
    Mark,
}

#[inline]
fn class_of(c: char) -> Class {
    const ASCII: [Class; 128] = {
        let mut table = [Class::Mark; 128];
        let mut byte = 0;
        while byte < 128 {
            #[expect(clippy::indexing_slicing, reason = "in a constant, out of bounds does not compile")]
            {
                table[byte as usize] = match byte {
                    b'0'..=b'9' => Class::Digit,
                    b'a'..=b'z' => Class::Latin,
                    b' ' | b'\n' => Class::Space,
                    _ => Class::Mark,
                };
            }
            byte += 1;
        }
        table
    };
    if let Some(class) = usize::try_from(u32::from(c)).ok().and_then(|code| ASCII.get(code)) {
        return *class;
    }
    match c {
        '\u{0621}'..='\u{064A}' | '\u{066E}'..='\u{06D3}' => Class::Arabic,
        _ if c.is_alphabetic() => Class::Latin,
        _ => Class::Mark,
    }
}

/// What becomes of one character.
#[derive(Clone, Copy)]
pub(super) enum Fold {
    /// Seen, and no part of a word: a vowel sign, a keycap's frame.
    Drop,
    /// Not seen.
    Hide,
    One(char, u8),
    Two(char, char),
}

pub(super) fn fold(raw: &str) -> Vec<Sym> {
    let mut syms = Vec::with_capacity(raw.len());
    let mut dropped = 0;
    for (at, c) in (0..u16::MAX).zip(raw.chars()) {
        if c.is_ascii() {
            let (c, flags) = match c {
                'A'..='Z' => (c.to_ascii_lowercase(), UPPER),
                '\t' => (' ', 0),
                '\r' | '\x0b' | '\x0c' => ('\n', 0),
                '`' => ('\'', 0),
                _ => (c, 0),
            };
            syms.push(Sym { c, flags: flags | dropped, at });
            dropped = 0;
            continue;
        }
        let wide = match c {
            // The letters of most Arabic words, as they are.
            'ا' | 'ب' | 'ت' | 'ج'..='غ' | 'ف'..='و' | 'ي' => Fold::One(c, 0),
            _ => fold_wide(c),
        };
        match wide {
            Fold::Drop => dropped |= ODD,
            Fold::Hide => dropped |= ODD | HIDDEN,
            Fold::One(c, flags) => {
                syms.push(Sym { c, flags: flags | dropped, at });
                dropped = 0;
            }
            Fold::Two(first, second) => {
                syms.extend([Sym { c: first, flags: ODD, at }, Sym { c: second, flags: ODD, at }]);
                dropped = 0;
            }
        }
    }
    syms
}

#[expect(clippy::match_same_arms, reason = "grouped by script, for the reader")]
fn fold_wide(c: char) -> Fold {
    let code = u32::from(c);
    let plain = |c| Fold::One(c, 0);
    match c {
        // Arabic, as it is written here
        'أ' | 'إ' | 'آ' | 'ٱ' | '\u{0672}' | '\u{0673}' | '\u{0675}' => plain('ا'),
        'ة' | 'ۃ' | 'ە' | 'ہ' | 'ھ' => plain('ه'),
        'ى' | 'ی' | 'ئ' | 'ې' => plain('ي'),
        'ؤ' => plain('و'),
        'ث' | 'ٹ' => plain('ت'), // Egyptians say and write both: ثلاثة, تلاتة
        'ک' | 'ڪ' => plain('ك'),
        'پ' => plain('ب'),
        'ڤ' => plain('ف'),
        'ـ' => Fold::Drop,
        '\u{0660}'..='\u{0669}' => Fold::One(digit(code - 0x660), ARABIC),
        '\u{06F0}'..='\u{06F9}' => Fold::One(digit(code - 0x6F0), ARABIC),
        '\u{0610}'..='\u{061A}'
        | '\u{061C}'
        | '\u{064B}'..='\u{065F}'
        | '\u{0670}'
        | '\u{06D6}'..='\u{06DC}'
        | '\u{06DF}'..='\u{06E8}'
        | '\u{06EA}'..='\u{06ED}' => Fold::Drop,
        '\u{0621}'..='\u{064A}' | '،' | '؛' | '؟' | '٪' | '٫' | '٬' => plain(c),
        // Invisible: zero-width and bidi marks, joiners, tags; then combining marks, keycap frames, variation selectors
        '\u{00AD}'
        | '\u{034F}'
        | '\u{115F}'
        | '\u{1160}'
        | '\u{17B4}'
        | '\u{17B5}'
        | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{3164}'
        | '\u{FEFF}'
        | '\u{FFA0}'
        | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E0000}'..='\u{E0FFF}' => Fold::Hide,
        '\u{0300}'..='\u{036F}'
        | '\u{1AB0}'..='\u{1AFF}'
        | '\u{1DC0}'..='\u{1DFF}'
        | '\u{20D0}'..='\u{20F0}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FE20}'..='\u{FE2F}' => Fold::Drop,
        // Spaces and punctuation
        '\u{0085}' | '\u{2028}' | '\u{2029}' => plain('\n'),
        '\u{00A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' | '\u{2800}' => plain(' '),
        '‘' | '’' | 'ʼ' | '´' | '′' | 'ʻ' => plain('\''),
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' | '﹣' | '－' => plain('-'),
        '․' | '。' | '｡' | '．' | '・' | '·' | '•' | '∙' | '●' => plain('.'),
        '＋' | '﹢' | '➕' | '⁺' | '₊' | '✚' => plain('+'),
        '＠' | '﹫' => plain('@'),
        '⁄' | '∕' | '／' => plain('/'),
        '＿' => plain('_'),
        '：' => plain(':'),
        _ => glyphs::read(c),
    }
}

fn digit(value: u32) -> char {
    char::from_digit(value, 10).unwrap_or('0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn folded(raw: &str) -> String {
        fold(raw).iter().map(|sym| sym.c).collect()
    }

    #[rstest]
    #[case::fullwidth("０１２３４５６７８９", "0123456789")]
    #[case::arabic_indic("٠١٢٣٤٥٦٧٨٩", "0123456789")]
    #[case::persian("۰۱۲۳۴۵۶۷۸۹", "0123456789")]
    #[case::devanagari("०१२३४५६७८९", "0123456789")]
    #[case::thai("๐๑๒๓๔๕๖๗๘๙", "0123456789")]
    #[case::circled("⓪①②③④⑤⑥⑦⑧⑨⑩⑮", "01234567891015")]
    #[case::negative_circled("⓿❶❷❸❹❺❻❼❽❾", "0123456789")]
    #[case::superscript("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")]
    #[case::subscript("₀₁₂₃₄₅₆₇₈₉", "0123456789")]
    #[case::mathematical("𝟎𝟏𝟚𝟛𝟦𝟧𝟼𝟽𝟾𝟿", "0123456789")]
    #[case::segmented("🯰🯱🯲🯳🯴🯵🯶🯷🯸🯹", "0123456789")]
    #[case::keycaps("0️⃣1️⃣2️⃣", "012")]
    #[case::zero_width("0\u{200b}1\u{200f}2\u{2066}3\u{feff}", "0123")]
    #[case::tatweel_and_diacritics("صـــفْر", "صفر")]
    #[case::hamzas("أربعة إثنين آت", "اربعه اتنين ات")]
    #[case::letters("ＧＭａｉｌ 𝐆𝐦𝐚𝐢𝐥 ⓖⓜⓐⓘⓛ zéro", "gmail gmail gmail zero")]
    #[case::look_alikes("О1О", "o1o")]
    #[case::presentation_forms("\u{FEBB}\u{FED4}\u{FEAE}", "صفر")]
    fn glyphs_fold_to_what_eyes_read(#[case] raw: &str, #[case] expected: &str) {
        assert_eq!(folded(raw), expected);
    }

    fn pieces(raw: &str) -> Vec<String> {
        let text = Text::new(raw);
        let solid = text.tokens.iter().filter(|token| token.kind != Kind::Space);
        solid.map(|token| text.syms(token).iter().map(|sym| sym.c).collect()).collect()
    }

    #[rstest]
    #[case::franco_keeps_its_digits("7aga 3ala", &["7aga", "3ala"])]
    #[case::arabic_lets_digits_go("رقمي010كلمني", &["رقمي", "010", "كلمني"])]
    #[case::apostrophes("what's 7'amsa 'x'", &["what's", "7'amsa", "'", "x", "'"])]
    #[case::spelled_letters("g m a i l . c o m", &["gmail", ".", "com"])]
    #[case::two_letters_stay("a b 1", &["a", "b", "1"])]
    fn tokens_are_what_a_reader_would_call_words(#[case] raw: &str, #[case] expected: &[&str]) {
        assert_eq!(pieces(raw), expected);
    }

    #[test]
    fn what_lies_past_the_bound_is_not_read() {
        for (letter, kept) in [("a", BYTES_MAX), ("ا", BYTES_MAX / 2), ("𝟎", BYTES_MAX / 4), ("€", BYTES_MAX / 3)] {
            let whole = Text::new(&letter.repeat(kept));
            assert_eq!((whole.syms.len(), whole.cut), (kept, false), "{letter}");
            let more = Text::new(&letter.repeat(kept + 1));
            assert_eq!((more.syms.len(), more.cut), (kept, true), "{letter}");
        }
    }

    #[rstest]
    #[case::plain("see 01 there", 1, (4, 6))]
    #[case::behind_what_is_dropped("قـــال ٠\u{200b}١", 1, (7, 10))]
    #[case::two_of_one("⑩ 15", 1, (2, 4))]
    #[case::spelled_out("at g m a i l", 1, (3, 12))]
    fn a_token_stands_where_it_was_written(#[case] raw: &str, #[case] solid: usize, #[case] expected: (u16, u16)) {
        let text = Text::new(raw);
        let index = (0..text.tokens.len()).filter(|at| text.tokens[*at].kind != Kind::Space).nth(solid).expect("a token");
        assert_eq!(text.span(index, index), Span { start: expected.0, end: expected.1 });
    }
}
