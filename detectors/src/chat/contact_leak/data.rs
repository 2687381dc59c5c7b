//! The tables of `data/`: one entry a line, a tab between its columns. Lines that begin with `#` say what the file is, what its
//! columns mean, where the entries come from and under which licence. They are part of the binary and read once.

use std::collections::HashMap;
use std::fmt;
use std::ops::BitOr;

use super::normalise::fold;

/// A file of entries.
#[derive(Clone, Copy)]
pub(super) struct File {
    name: &'static str,
    text: &'static str,
    /// Columns at the beginning of a line that name the entry: no two lines have the same in them.
    key: usize,
}

macro_rules! files {
    ($($(#[$meta:meta])* $constant:ident = $name:literal by $key:literal,)*) => {
        $($(#[$meta])* pub(super) const $constant: File = File {
            name: concat!("detectors/src/chat/contact_leak/data/", $name),
            text: include_str!(concat!("data/", $name)),
            key: $key,
        };)*

        #[cfg(test)]
        const FILES: &[File] = &[$($constant,)*];
    };
}

files! {
    /// Words by what they are evidence of.
    WORDS = "words.tsv" by 2,
    /// Words that are numbers.
    NUMBERS = "numbers.tsv" by 2,
    /// Nouns that take possessive endings.
    NOUNS = "nouns.tsv" by 2,
    /// Those endings.
    ENDINGS = "endings.tsv" by 2,
    /// Hosts that lead to a person.
    HOSTS = "hosts.tsv" by 1,
    /// What leads to one post of a profile.
    POSTS = "posts.tsv" by 1,
    /// Prefixes of Egyptian mobile numbers.
    CARRIERS = "carriers.tsv" by 1,
    /// Area codes of Egypt.
    AREAS = "areas.tsv" by 2,
    /// Codes of other countries.
    COUNTRIES = "countries.tsv" by 2,
    /// What words of proposals do.
    SPEECH = "speech.tsv" by 2,
    /// What strange characters are read as.
    GLYPHS = "glyphs.tsv" by 1,
    /// Pictures of digits.
    PICTURES = "pictures.tsv" by 1,
    /// Words that sound like a digit's.
    SOUNDS = "sounds.tsv" by 2,
    /// What pieces of a message speak for.
    WORDING = "wording.tsv" by 2,
}

/// A line that is not as its file should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    file: &'static str,
    line: usize,
    what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

impl File {
    /// What `read` makes of the columns of each line, in the order of the lines.
    ///
    /// # Panics
    /// On a broken line, which it names: the files are part of the program, and the tests read all of them.
    pub(super) fn each<const N: usize, T>(self, read: impl Fn([&'static str; N]) -> Result<T, String>) -> Vec<T> {
        self.read(read).unwrap_or_else(|broken| panic!("{broken}"))
    }

    fn read<const N: usize, T>(self, read: impl Fn([&'static str; N]) -> Result<T, String>) -> Result<Vec<T>, Broken> {
        let mut entries = Vec::new();
        let mut known = HashMap::new();
        for (line, text) in (1..).zip(self.text.lines()).filter(|(_, text)| !text.starts_with('#')) {
            let broken = |what| Broken { file: self.name, line, what };
            let columns: Vec<&str> = text.split('\t').collect();
            let columns: [&str; N] =
                columns.try_into().map_err(|found: Vec<_>| broken(format!("found {} columns, expected {N}", found.len())))?;
            if let Some(column) = columns.iter().find(|column| column.is_empty() || column.trim() != **column) {
                return Err(broken(format!("found the column \"{column}\", expected text without blanks around it, - for none")));
            }
            if let Some(first) = known.insert(columns.iter().take(self.key).copied().collect::<Vec<_>>(), line) {
                return Err(broken(format!("the same stands on line {first}")));
            }
            entries.push(read(columns).map_err(broken)?);
        }
        Ok(entries)
    }
}

/// A column that may be empty, which is written `-`.
pub(super) fn some(column: &'static str) -> Option<&'static str> {
    (column != "-").then_some(column)
}

/// A word, as the detector folds every text.
pub(super) fn word(column: &'static str) -> Result<&'static str, String> {
    let folded: String = fold(column).iter().map(|sym| sym.c).collect();
    if folded == column { Ok(column) } else { Err(format!("found {column}, expected it folded: {folded}")) }
}

/// A number in decimal.
pub(super) fn number<T: std::str::FromStr>(column: &str) -> Result<T, String> {
    column.parse().map_err(|_| format!("found {column}, expected a number"))
}

/// Names for the bits of classes, and a list of them all: `CLASSES: u32; …`.
macro_rules! named_bits {
    ($all:ident: $bits:ty; $($(#[$meta:meta])* $name:ident,)*) => {
        /// Every class by its name, which the files have in small letters.
        pub(super) const $all: &[(&str, $bits)] = &[$((stringify!($name), $name),)*];

        data::named_bits!(@ $bits, 0; $($(#[$meta])* $name,)*);
    };
    (@ $bits:ty, $bit:expr; $(#[$meta:meta])* $name:ident, $($rest:tt)*) => {
        $(#[$meta])*
        pub(super) const $name: $bits = 1 << ($bit);
        data::named_bits!(@ $bits, $bit + 1; $($rest)*);
    };
    (@ $bits:ty, $bit:expr;) => {};
}
pub(super) use named_bits;

/// The classes that a column names, a space between them; `at` says where they all stand.
pub(super) fn classes<T: Copy + Default + BitOr<Output = T>>(text: &str, all: &[(&str, T)], at: &str) -> Result<T, String> {
    text.split(' ').try_fold(T::default(), |sum, name| {
        let class = all.iter().find(|(of, _)| of.to_lowercase() == name);
        class.map(|(_, class)| sum | *class).ok_or_else(|| format!("found the class {name}, expected one of those in {at}"))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::super::normalise::Text;
    use super::*;

    fn file(text: &'static str) -> File {
        File { name: "data/words.tsv", text, key: 2 }
    }

    #[test]
    fn a_broken_line_is_named() {
        let read = |[first, _, _]: [&'static str; 3]| word(first);
        assert_eq!(file("# columns\nzero\ten\t0\none\ten\t1\n").read(read), Ok(vec!["zero", "one"]));
        for (text, line, what) in [
            ("# columns\nzero\ten\n", 2, "found 2 columns, expected 3"),
            ("zero\ten\t0\n\n", 2, "found 1 columns, expected 3"),
            ("zero\ten\t\n", 1, "found the column \"\", expected text without blanks around it, - for none"),
            ("zero\ten\t0\none\ten\t1\nzero\ten\t2\n", 3, "the same stands on line 1"),
            ("Zero\ten\t0\n", 1, "found Zero, expected it folded: zero"),
            ("أربعة\tar\t4\n", 1, "found أربعة, expected it folded: اربعه"),
        ] {
            let broken = file(text).read(read).expect_err(text);
            assert_eq!(broken.to_string(), format!("data/words.tsv:{line}: {what}"));
        }
    }

    #[test]
    fn every_file_is_read_and_says_what_it_is_and_where_it_comes_from() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/chat/contact_leak/data");
        let there = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").file_name());
        let there: BTreeSet<String> = there.map(|name| name.to_string_lossy().into_owned()).collect();
        let read = FILES.iter().map(|file| file.name.rsplit('/').next().unwrap_or_default().to_owned()).collect();
        assert_eq!(there, read);
        for file in FILES {
            let header: Vec<&str> = file.text.lines().take_while(|line| line.starts_with('#')).collect();
            for part in ["# Origin: ", "# Licence: "] {
                assert!(header.iter().any(|line| line.starts_with(part)), "{}: its header has no line `{part}`", file.name);
            }
            assert!(file.text.ends_with('\n') && file.text.lines().count() > header.len(), "{}: no entries", file.name);
        }
    }

    /// A word of two tokens is never looked up.
    #[test]
    fn every_word_is_one_token() {
        for file in [WORDS, NUMBERS, NOUNS] {
            let words = file.each(|[word, _, _]: [&'static str; 3]| Ok(word));
            let split: Vec<&&str> = words.iter().filter(|word| Text::new(word).tokens.len() != 1).collect();
            assert_eq!(split, [&""; 0], "{}", file.name);
        }
    }
}
