//! Foreign text on its way to a person's eyes: identifiers, answers of receivers, names of files. What a terminal or a
//! log would obey instead of showing it is written out.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character does something to what stands around it instead of being seen: controls (C0, DEL, C1, and so the
/// start of every escape sequence and every line end), the marks, overrides and isolates of writing direction, separators
/// of lines, and what has no width. The joiners U+200C and U+200D stay, because Persian and emoji are spelled with them.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61C}'
                | '\u{200B}'
                | '\u{200E}'
                | '\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{FEFF}'
                | '\u{FFF9}'..='\u{FFFB}'
                | '\u{E0000}'..='\u{E007F}'
        )
}

/// Text as it may be shown in one line: what is unseen is written as `\n`, `\u{1b}`, `\u{202e}`.
///
/// ```
/// use rasid_detectors::shown::shown;
/// assert_eq!(shown("u_42"), "u_42");
/// assert_eq!(shown("a\u{1b}[31m\u{202e}b"), r"a\u{1b}[31m\u{202e}b");
/// ```
pub fn shown(text: &str) -> Cow<'_, str> {
    keep(text, |_, _| false)
}

/// The beginning of a text as it may be shown in one line: `chars_max` characters before they are written out, and `…`
/// where there was more.
pub fn beginning(text: &str, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        None => shown(text),
        Some((end, _)) => Cow::Owned(shown(text.get(..end).unwrap_or_default()).into_owned() + "…"),
    }
}

/// One line that was put together here, of parts that may be foreign: colours (`ESC [ … m`) stay where `coloured`.
pub fn line(text: &str, coloured: bool) -> Cow<'_, str> {
    keep(text, |c, rest| coloured && c == '\u{1b}' && is_colour(rest))
}

/// Several lines that were put together here, of parts that may be foreign: line ends, tabs and, where `coloured`, colours
/// (`ESC [ … m`) stay.
pub fn block(text: &str, coloured: bool) -> Cow<'_, str> {
    keep(text, |c, rest| matches!(c, '\n' | '\t') || (coloured && c == '\u{1b}' && is_colour(rest)))
}

/// A JSON document that says the same, with what is unseen written as `\u202e`: JSON itself wants that of U+0000 to U+001F
/// only. Line ends between its values stay.
pub fn json(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c != '\n' && is_unseen(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut units = [0; 2];
    for c in text.chars() {
        if c == '\n' || !is_unseen(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            write!(out, "\\u{unit:04x}").expect("writing to a String cannot fail");
        }
    }
    Cow::Owned(out)
}

/// The text with what is unseen written out, less what `kept` says, which is given a character and what follows it.
fn keep(text: &str, kept: impl Fn(char, &str) -> bool) -> Cow<'_, str> {
    let stays = |at: usize, c: char| !is_unseen(c) || kept(c, text.get(at + c.len_utf8()..).unwrap_or_default());
    if text.char_indices().all(|(at, c)| stays(at, c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for (at, c) in text.char_indices() {
        if stays(at, c) { out.push(c) } else { out.extend(c.escape_default()) }
    }
    Cow::Owned(out)
}

/// Whether what follows an escape character makes it a colour and nothing else: `[0;31m`.
fn is_colour(rest: &str) -> bool {
    rest.strip_prefix('[').is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("u_42", "u_42")]
    #[case::arabic("رقم ١٢", "رقم ١٢")]
    #[case::joiner("می\u{200C}خواهم", "می\u{200C}خواهم")]
    #[case::colour("\u{1b}[31mred", r"\u{1b}[31mred")]
    #[case::title("\u{1b}]0;owned\u{7}", r"\u{1b}]0;owned\u{7}")]
    #[case::c1("\u{9b}31m", r"\u{9b}31m")]
    #[case::lines("a\r\nb\tc", r"a\r\nb\tc")]
    #[case::override_("u\u{202E}1", r"u\u{202e}1")]
    #[case::isolate("\u{2066}u\u{2069}", r"\u{2066}u\u{2069}")]
    #[case::separator("a\u{2028}b", r"a\u{2028}b")]
    #[case::zero_width("a\u{200B}\u{FEFF}b", r"a\u{200b}\u{feff}b")]
    fn what_is_unseen_is_written_out(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(shown(text), expected);
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        assert_eq!(beginning("abc", 3), "abc");
        assert_eq!(beginning("ab\u{1b}d", 3), "ab\\u{1b}…");
        assert_eq!(beginning(&"ا".repeat(1_000), 500).chars().count(), 501);
    }

    #[test]
    fn a_block_keeps_its_lines_and_its_own_colours() {
        assert_eq!(block("a\n\tb \u{1b}[1;31mred\u{1b}[0m", true), "a\n\tb \u{1b}[1;31mred\u{1b}[0m");
        assert_eq!(block("a\n\u{1b}[1;31m", false), "a\n\\u{1b}[1;31m");
        assert_eq!(block("\u{1b}]0;t\u{7}\u{1b}[2J\u{85}", true), r"\u{1b}]0;t\u{7}\u{1b}[2J\u{85}");
    }

    proptest! {
        #[test]
        fn nothing_unseen_is_left(text in any::<String>()) {
            prop_assert!(!shown(&text).chars().any(is_unseen));
            prop_assert!(!beginning(&text, 5).chars().any(is_unseen));
            prop_assert!(!block(&text, false).chars().any(|c| is_unseen(c) && !matches!(c, '\n' | '\t')));
        }

        #[test]
        fn json_says_the_same(text in "[a\u{7f}-\u{9f}\u{200e}\u{202a}-\u{202e}\u{E0041}\"\\\\\n]{0,20}") {
            let document = serde_json::to_string(&text).expect("text");
            let safe = json(&document);
            prop_assert!(!safe.chars().any(|c| is_unseen(c) && c != '\n'));
            prop_assert_eq!(serde_json::from_str::<String>(&safe).expect("JSON"), text);
        }
    }
}
