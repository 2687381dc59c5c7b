//! How a find was hidden: words of a fixed list, as a signal carries them.

use super::data;

data::named_bits! {
    ALL: u16;
    /// Number words.
    DIGITS_IN_WORDS,
    /// Letters that look like digits: `O1OO`.
    LETTERS_FOR_DIGITS,
    /// Homoglyphs (UTS 39 calls them confusables), and other glyphs of a letter or digit: full-width, circled, mathematical.
    LOOK_ALIKE_GLYPHS,
    /// Western and Arabic-Indic digits in one number.
    MIXED_DIGITS,
    /// Zero-width and bidirectional marks inside it.
    INVISIBLE_CHARACTERS,
    /// Pictures of digits, and things to be counted.
    PICTURES,
    /// Number words with a slip in them, or by their sound.
    MISSPELT,
    /// Marks between the digits, or around those of an address.
    SEPARATORS,
    /// Ordinary words between the groups of digits.
    WORDS_BETWEEN,
    /// Letters that touch the digits.
    GLUED,
    /// From its end to its beginning, by digits or by groups.
    REVERSED,
    /// Over several messages.
    PIECES,
    /// The marks of an address as words: "at", "dot".
    MARKS_IN_WORDS,
    /// Letter by letter.
    SPELLED_OUT,
}

/// Their names, a comma between them, in the order of the list.
pub(super) fn names(tricks: u16) -> String {
    let named: Vec<String> = ALL.iter().filter(|(_, bit)| tricks & bit != 0).map(|(name, _)| name.to_lowercase()).collect();
    named.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tricks_have_names() {
        assert_eq!(names(0), "");
        assert_eq!(names(PIECES | DIGITS_IN_WORDS), "digits_in_words,pieces");
        assert_eq!(names(u16::MAX).split(',').count(), ALL.len());
    }
}
