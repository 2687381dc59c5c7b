//! Typed reading of the tree: every mistake is a fault, and reading goes on.

use std::ops::{Range, RangeInclusive};

use crate::diagnostic::{Code, Fault, suggest};
use crate::yaml::{Key, Node, NodeValue};

/// A map whose keys are asked for one by one. It remembers what it was asked for, so what nobody asked for is unknown,
/// and the list of known keys cannot be another than the one that is read.
pub(crate) struct MapReader<'a> {
    span: Range<usize>,
    entries: &'a [(Key, Node)],
    asked: Vec<&'static str>,
    what: &'static str,
}

impl<'a> MapReader<'a> {
    pub(crate) fn new(node: &'a Node, what: &'static str, faults: &mut Vec<Fault>) -> Option<Self> {
        let NodeValue::Map(entries) = &node.value else {
            faults.push(wrong(node, what, "a map of keys and values"));
            return None;
        };
        let span = entries.first().map_or(node.span.clone(), |(key, _)| key.span.clone());
        Some(Self { span, entries, asked: Vec::new(), what })
    }

    /// Where to point when something is missing: the first key.
    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(crate) fn optional(&mut self, key: &'static str) -> Option<&'a Node> {
        self.asked.push(key);
        self.entries.iter().find(|(other, _)| other.name == key).map(|(_, node)| node)
    }

    pub(crate) fn required(&mut self, key: &'static str, faults: &mut Vec<Fault>) -> Option<&'a Node> {
        self.required_as(key, || format!("add `{key}: …`"), faults)
    }

    /// The same with what helps where it is not there.
    pub(crate) fn required_as(&mut self, key: &'static str, help: impl FnOnce() -> String, faults: &mut Vec<Fault>) -> Option<&'a Node> {
        let node = self.optional(key);
        if node.is_none() {
            faults.push(Fault::new(Code::MissingKey, self.span(), format!("{} lacks `{key}`", self.what)).help(help()));
        }
        node
    }

    /// The same of one that need not be told to whoever writes another: it stands for something else, or has no place here.
    pub(crate) fn if_there(&mut self, key: &'static str) -> Option<&'a Node> {
        let found = self.entries.iter().find(|(other, _)| other.name == key).map(|(_, node)| node);
        self.asked.extend(found.map(|_| key));
        found
    }

    /// What nobody has asked for yet.
    pub(crate) fn rest(&self) -> impl Iterator<Item = &'a (Key, Node)> + '_ {
        self.entries.iter().filter(|(key, _)| !self.asked.contains(&key.name.as_str()))
    }

    /// Reports what nobody asked for.
    pub(crate) fn finish(&self, faults: &mut Vec<Fault>) {
        self.finish_but(&[], faults);
    }

    /// The same where those keys are read later.
    pub(crate) fn finish_but(&self, later: &[&str], faults: &mut Vec<Fault>) {
        for (key, _) in self.rest().filter(|(key, _)| !later.contains(&key.name.as_str())) {
            let fault = Fault::new(Code::UnknownKey, key.span.clone(), format!("{} has no key `{}`", self.what, key.name));
            // What is there already was not meant, where there is anything else.
            let known = || self.asked.iter().chain(later).copied();
            let open: Vec<&str> = known().filter(|name| !self.entries.iter().any(|(key, _)| key.name == *name)).collect();
            faults.push(fault.help(if open.is_empty() { suggest(&key.name, known()) } else { suggest(&key.name, open) }));
        }
    }
}

/// The fault of a node of another type.
pub(crate) fn wrong(node: &Node, what: &str, expected: &str) -> Fault {
    Fault::new(Code::WrongType, node.span.clone(), format!("{what} is {}, expected {expected}", node.kind()))
}

/// Text; a number or a word like `true` wants quotes.
pub(crate) fn text<'a>(node: &'a Node, what: &str, faults: &mut Vec<Fault>) -> Option<&'a str> {
    match &node.value {
        NodeValue::Str(text) if !text.trim().is_empty() => Some(text),
        NodeValue::Str(_) => {
            faults.push(
                Fault::new(Code::WrongType, node.span.clone(), format!("{what} is empty")).help("say something, or leave the key out"),
            );
            None
        }
        NodeValue::Bool(_) | NodeValue::Int(_) | NodeValue::Float(_) => {
            faults.push(wrong(node, what, "text").help("put it in quotes"));
            None
        }
        _ => {
            faults.push(wrong(node, what, "text"));
            None
        }
    }
}

/// A whole number in a range.
pub(crate) fn whole(node: &Node, what: &str, range: RangeInclusive<i64>, faults: &mut Vec<Fault>) -> Option<i64> {
    let expected = format!("a whole number of {} to {}", range.start(), range.end());
    match node.value {
        NodeValue::Int(number) if range.contains(&number) => Some(number),
        NodeValue::Int(number) => {
            faults.push(Fault::new(Code::OutOfRange, node.span.clone(), format!("{what} is {number}, expected {expected}")));
            None
        }
        _ => {
            faults.push(wrong(node, what, &expected));
            None
        }
    }
}

/// A span of time in a range of milliseconds.
pub(crate) fn duration(node: &Node, what: &str, range: RangeInclusive<i64>, faults: &mut Vec<Fault>) -> Option<i64> {
    const FORM: &str = "whole numbers with ms, s, m, h or d, largest first: 90s, 10m, 1h30m";
    let NodeValue::Str(text) = &node.value else {
        faults.push(
            Fault::new(Code::BadDuration, node.span.clone(), format!("{what} is {}, expected a span of time", node.kind())).help(FORM),
        );
        return None;
    };
    let Some(millis) = parse_duration(text) else {
        faults.push(Fault::new(Code::BadDuration, node.span.clone(), format!("`{text}` is no span of time")).help(FORM));
        return None;
    };
    if range.contains(&millis) {
        return Some(millis);
    }
    let expected = format!("{} to {}", show_duration(*range.start()), show_duration(*range.end()));
    faults.push(Fault::new(Code::OutOfRange, node.span.clone(), format!("{what} is `{text}`, expected {expected}")));
    None
}

/// The same in whole seconds: what is published so must not be cut.
pub(crate) fn seconds(node: &Node, what: &str, range: RangeInclusive<i64>, faults: &mut Vec<Fault>) -> Option<i64> {
    let millis = duration(node, what, range, faults)?;
    if millis % 1_000 == 0 {
        return Some(millis);
    }
    let shown = if let NodeValue::Str(text) = &node.value { text } else { "" };
    let fault = Fault::new(Code::OutOfRange, node.span.clone(), format!("{what} is `{shown}`, expected whole seconds"));
    faults.push(fault.help(format!("write `{}`", show_duration((millis + 500) / 1_000 * 1_000))));
    None
}

/// Units of time, largest first, in milliseconds.
const UNITS: [(&str, i64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// `90s`, `10m`, `1h30m`: each unit once, largest first.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let (mut rest, mut total, mut next) = (text, 0_i64, 0);
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at_checked(digits)?;
        let letters = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, tail) = tail.split_at_checked(letters)?;
        let index = UNITS.iter().position(|(name, _)| *name == unit).filter(|index| *index >= next)?;
        let (_, millis) = UNITS.get(index)?;
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(*millis)?)?;
        next = index + 1;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

pub(crate) fn show_duration(millis: i64) -> String {
    match UNITS.iter().find(|(_, unit)| millis % unit == 0 && millis >= *unit) {
        Some((name, unit)) => format!("{}{name}", millis / unit),
        None => "0s".to_owned(),
    }
}

/// One word of a fixed set.
pub(crate) fn word<T: Copy>(node: &Node, what: &str, words: &[(&str, T)], faults: &mut Vec<Fault>) -> Option<T> {
    let text = text(node, what, faults)?;
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    if found.is_none() {
        let fault = Fault::new(Code::UnknownWord, node.span.clone(), format!("{what} is never `{text}`"));
        faults.push(fault.help(suggest(text, words.iter().map(|(word, _)| *word))));
    }
    found
}

/// A list, or one item that stands for a list of one. An empty list is a fault.
pub(crate) fn one_or_more<'a>(node: &'a Node, what: &str, faults: &mut Vec<Fault>) -> &'a [Node] {
    match &node.value {
        NodeValue::Seq(items) => {
            if items.is_empty() {
                faults.push(Fault::new(Code::WrongType, node.span.clone(), format!("{what} is an empty list")).help("name at least one"));
            }
            items
        }
        _ => std::slice::from_ref(node),
    }
}

/// Items of a set in order; one that is there already is a fault.
pub(crate) fn set<T: PartialEq>(items: impl IntoIterator<Item = (Range<usize>, T)>, what: &str, faults: &mut Vec<Fault>) -> Vec<T> {
    let mut out: Vec<T> = Vec::new();
    for (span, item) in items {
        if out.contains(&item) {
            faults.push(Fault::new(Code::DuplicateKey, span, format!("{what} names this twice")).help("remove one of the two"));
        } else {
            out.push(item);
        }
    }
    out
}

/// Whether CEL can name it and it is not taken.
pub(crate) fn identifier(key: &Key, what: &str, faults: &mut Vec<Fault>) -> bool {
    const TAKEN: [&str; 30] = [
        "data",
        "params",
        "values",
        "score",
        "has",
        "size",
        "duration",
        "timestamp",
        "list",
        "zone",
        "time",
        "in",
        "true",
        "false",
        "null",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
    ];
    let name = key.name.as_str();
    let formed = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let free = !TAKEN.contains(&name) && !matches!(name, "void" | "while");
    if !(formed && free) {
        let reason = if formed { "a word that CEL or a rule has taken" } else { "not a name" };
        let fault = Fault::new(Code::BadName, key.span.clone(), format!("{what} is called `{name}`, {reason}"));
        faults.push(fault.help("names are a lower-case letter, then lower-case letters, digits and `_`: sends_10m"));
    }
    formed && free
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("10m", Some(600_000))]
    #[case("24h", Some(86_400_000))]
    #[case("90s", Some(90_000))]
    #[case("1h30m", Some(5_400_000))]
    #[case("1d12h", Some(129_600_000))]
    #[case("250ms", Some(250))]
    #[case("1s250ms", Some(1_250))]
    #[case("0s", Some(0))]
    #[case("", None)]
    #[case("10", None)]
    #[case("m", None)]
    #[case("10 m", None)]
    #[case("1.5h", None)]
    #[case("-1h", None)]
    #[case("30m1h", None)]
    #[case("1h1h", None)]
    #[case("10M", None)]
    #[case("9223372036854775807d", None)]
    fn spans_of_time(#[case] text: &str, #[case] expected: Option<i64>) {
        assert_eq!(parse_duration(text), expected);
    }

    #[rstest]
    #[case(0, "0s")]
    #[case(10, "10ms")]
    #[case(1_000, "1s")]
    #[case(90_000, "90s")]
    #[case(2_592_000_000, "30d")]
    fn spans_of_time_are_shown_in_their_largest_unit(#[case] millis: i64, #[case] expected: &str) {
        assert_eq!(show_duration(millis), expected);
    }
}
