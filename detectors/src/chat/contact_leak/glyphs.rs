//! What strange characters are read as: the table of `data/glyphs.tsv`.

use std::sync::LazyLock;

use super::data;
use super::normalise::{Fold, ODD, UPPER};

/// Characters that are read alike, in the order of their codes.
static GLYPHS: LazyLock<Vec<Glyphs>> = LazyLock::new(|| {
    let mut glyphs = data::GLYPHS.each(|[codes, reads, flags, _]| Glyphs::new(codes, reads, flags));
    glyphs.sort_by_key(|glyphs| glyphs.first);
    glyphs
});

struct Glyphs {
    first: u32,
    last: u32,
    /// What the first is read as.
    reads: Fold,
    /// Each is read as the character after that of the one before it.
    counts: bool,
}

impl Glyphs {
    fn new(codes: &str, reads: &str, flags: &str) -> Result<Self, String> {
        let code = |text: &str| {
            let number = text.strip_prefix("U+").and_then(|hex| u32::from_str_radix(hex, 16).ok());
            number.ok_or_else(|| format!("found {text}, expected U+ and hexadecimal digits"))
        };
        let (first, last) = codes.split_once('-').unwrap_or((codes, codes));
        let (first, last) = (code(first)?, code(last)?);
        let flags = flags.split(' ').try_fold(0, |sum, flag| match flag {
            "odd" => Ok(sum | ODD),
            "upper" => Ok(sum | UPPER),
            "-" => Ok(sum),
            _ => Err(format!("found the flag {flag}, expected odd, upper or -")),
        })?;
        let (text, counts) = reads.strip_suffix("..").map_or((reads, false), |text| (text, true));
        let mut chars = text.chars();
        let reads = match (chars.next(), chars.next(), chars.next()) {
            (Some(one), None, _) => Fold::One(one, flags),
            (Some(first), Some(second), None) if flags == ODD && !counts => Fold::Two(first, second),
            _ => return Err(format!("found {reads}, expected one character, one and .., or two that are odd")),
        };
        if first > last {
            return Err("found a range that ends before it begins".to_owned());
        }
        Ok(Self { first, last, reads, counts })
    }

    fn read(&self, code: u32) -> Fold {
        match self.reads {
            Fold::One(first, flags) if self.counts => {
                Fold::One(char::from_u32(u32::from(first) + (code - self.first)).unwrap_or(first), flags)
            }
            reads => reads,
        }
    }
}

/// What a character is read as; its own small letter where the table does not have it.
pub(super) fn read(c: char) -> Fold {
    let code = u32::from(c);
    let behind = GLYPHS.partition_point(|glyphs| glyphs.first <= code);
    let glyphs = behind.checked_sub(1).and_then(|place| GLYPHS.get(place)).filter(|glyphs| code <= glyphs.last);
    glyphs.map_or_else(|| Fold::One(c.to_lowercase().next().unwrap_or(c), 0), |glyphs| glyphs.read(code))
}

/// Pictures of digits, in the order of their codes.
static PICTURES: LazyLock<Vec<(char, u8)>> = LazyLock::new(|| {
    let mut pictures = data::PICTURES.each(|[code, digit, _]| {
        let code = code.strip_prefix("U+").and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32);
        Ok((code.ok_or("found no U+ and hexadecimal digits")?, data::number(digit)?))
    });
    pictures.sort_unstable();
    pictures
});

/// The digit that a picture shows.
pub(super) fn pictured(c: char) -> Option<u8> {
    let place = PICTURES.binary_search_by_key(&c, |(picture, _)| *picture).ok()?;
    PICTURES.get(place).map(|(_, digit)| *digit)
}

/// Whether a mark shows a thing that may be counted: emoji, and the symbols from which they come.
pub(super) fn is_thing(c: char) -> bool {
    matches!(c, '\u{2600}'..='\u{27BF}' | '\u{2B00}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_glyph_stands_in_two_lines() {
        for (before, after) in GLYPHS.iter().zip(GLYPHS.iter().skip(1)) {
            assert!(before.last < after.first, "U+{:04X} and U+{:04X}", before.first, after.first);
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_says_what_was_expected() {
        for (codes, reads, flags, part) in [
            ("0966", "0", "odd", "expected U+ and hexadecimal digits"),
            ("U+0966-U+0965", "0", "odd", "ends before it begins"),
            ("U+0966", "0", "bold", "the flag bold"),
            ("U+0966", "100", "odd", "expected one character"),
            ("U+0966", "10..", "odd", "expected one character"),
        ] {
            assert!(Glyphs::new(codes, reads, flags).err().is_some_and(|error| error.contains(part)), "{codes} {reads} {flags}");
        }
    }
}
