//! YAML into a tree that knows where each node stands. The one file that knows the YAML parser.
//!
//! Rule files are plain data, so anchors, aliases, tags and further documents are refused: that is also what makes a
//! small file that expands into a large one impossible. Scalars are read by YAML 1.2's core schema, where `on` and
//! `off` are words.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::Value;

use crate::diagnostic::{Code, Fault};
use crate::scalar::plain;

/// Longest rule file, bytes. Shipped rules are about two thousand bytes.
pub(crate) const BYTES_MAX: usize = 256 * 1024;
/// Most nodes in one file.
const NODES_MAX: usize = 20_000;
/// The same for a list, which is data: an entry is some hundred bytes and four nodes.
pub(crate) const LIST_BYTES_MAX: usize = 4 * 1024 * 1024;
const LIST_NODES_MAX: usize = 160_000;
/// Deepest nesting; a rule needs six levels.
const DEPTH_MAX: usize = 32;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// Bytes of the file.
    pub(crate) span: Range<usize>,
    /// What it is.
    pub(crate) value: NodeValue,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NodeValue {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Seq(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a map and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) span: Range<usize>,
    pub(crate) name: String,
}

impl Node {
    /// The node's type in a reader's words.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            NodeValue::Null => "nothing",
            NodeValue::Bool(_) => "true or false",
            NodeValue::Int(_) => "a whole number",
            NodeValue::Float(_) => "a number with a fraction",
            NodeValue::Str(_) => "text",
            NodeValue::Seq(_) => "a list",
            NodeValue::Map(_) => "a map",
        }
    }

    /// What stands under a key, of a map.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        let NodeValue::Map(entries) = &self.value else { return None };
        entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// The node as JSON.
    pub(crate) fn to_json(&self) -> Value {
        match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Bool(value) => (*value).into(),
            NodeValue::Int(value) => (*value).into(),
            NodeValue::Float(value) => (*value).into(),
            NodeValue::Str(value) => value.as_str().into(),
            NodeValue::Seq(items) => items.iter().map(Self::to_json).collect(),
            NodeValue::Map(entries) => entries.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect(),
        }
    }
}

/// Reads one file.
///
/// # Errors
/// The faults that keep it from being a tree: bad syntax (one fault, the parser stops there), duplicate keys and numbers
/// that are none (each).
pub(crate) fn parse(text: &str) -> Result<Node, Vec<Fault>> {
    read(text, BYTES_MAX, NODES_MAX)
}

/// Reads one list, which may be longer than a rule.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_list(text: &str) -> Result<Node, Vec<Fault>> {
    read(text, LIST_BYTES_MAX, LIST_NODES_MAX)
}

/// The fault of a file of more than `bytes_max`.
pub(crate) fn too_long(bytes_max: usize, is_list: bool) -> Fault {
    let help = if is_list { "split the list into two" } else { "keep one rule a file" };
    Fault::new(Code::TooMuch, 0..0, format!("the file has more than {bytes_max} bytes")).help(help)
}

fn read(text: &str, bytes_max: usize, nodes_max: usize) -> Result<Node, Vec<Fault>> {
    if text.len() > bytes_max {
        return Err(vec![too_long(bytes_max, bytes_max == LIST_BYTES_MAX)]);
    }
    let mut reader = Reader { parser: Parser::new_from_str(text), text, nodes: 0, nodes_max, faults: Vec::new() };
    match reader.document() {
        Ok(node) if reader.faults.is_empty() => Ok(node),
        Ok(_) => Err(reader.faults),
        Err(fault) => {
            reader.faults.push(fault);
            Err(reader.faults)
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    text: &'a str,
    nodes: usize,
    nodes_max: usize,
    /// Those that reading goes on behind.
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Range<usize>), Fault> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let end = self.text.len();
                let range = span.byte_range().unwrap_or(end..end);
                Ok((event, range.start.min(end)..range.end.min(end)))
            }
            Some(Err(error)) => {
                let at = error.marker().byte_offset().unwrap_or(self.text.len()).min(self.text.len());
                Err(Fault::new(Code::BadYaml, at..at, format!("not YAML: {}", error.info())).help(self.advice(at)))
            }
            None => Err(Fault::new(Code::BadYaml, self.text.len()..self.text.len(), "the file ends too early")),
        }
    }

    /// What usually brings the parser to a halt at `at`.
    fn advice(&self, at: usize) -> &'static str {
        let line = self.text.get(..at).unwrap_or_default().rsplit('\n').next().unwrap_or_default();
        let rest = self.text.get(at..).unwrap_or_default();
        if line.contains('\t') || rest.starts_with('\t') {
            "YAML indents by blanks, never by tabs"
        } else {
            "look for a quote or bracket that is not closed, an indentation that does not line up, or `: `, ` #` or `{n}` in text that wants quotes"
        }
    }

    fn document(&mut self) -> Result<Node, Fault> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(..), _) => {}
                (Event::StreamEnd, span) => {
                    return Err(Fault::new(Code::BadYaml, span, "the file is empty").help("write a rule, beginning with `rule: area.name`"));
                }
                (event, span) => {
                    let node = self.node(event, span, 0)?;
                    return self.end().map(|()| node);
                }
            }
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentStart(..), span) => {
                    return Err(Fault::new(Code::BadYaml, span, "a second document in one file").help("keep one rule a file"));
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Range<usize>, depth: usize) -> Result<Node, Fault> {
        self.nodes += 1;
        if self.nodes > self.nodes_max || depth > DEPTH_MAX {
            let message = format!("too much for one file, expected {} values and {DEPTH_MAX} levels at most", self.nodes_max);
            return Err(Fault::new(Code::BadYaml, span, message));
        }
        let plain_data = |anchor: usize, tagged: bool| match (anchor, tagged) {
            (0, false) => Ok(()),
            (0, true) => Err(Fault::new(Code::BadYaml, span.clone(), "rule files take no tags").help(
                "text that begins with `!` wants quotes around the whole: when: '!(data.phone in list.trusted_phones) && sends > 5'",
            )),
            _ => Err(no_alias(span.clone())),
        };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                plain_data(anchor, tag.is_some())?;
                let value = match style {
                    ScalarStyle::Plain => plain(&text).unwrap_or_else(|why| {
                        self.faults.push(why.fault(&text, span.clone()));
                        NodeValue::Null
                    }),
                    _ => NodeValue::Str(text.into_owned()),
                };
                Ok(Node { span, value })
            }
            Event::SequenceStart(_, anchor, tag) => {
                plain_data(anchor, tag.is_some())?;
                self.sequence(span, depth)
            }
            Event::MappingStart(_, anchor, tag) => {
                plain_data(anchor, tag.is_some())?;
                self.mapping(span, depth)
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => Err(no_alias(span)),
            _ => Err(Fault::new(Code::BadYaml, span, "expected a value")),
        }
    }

    fn sequence(&mut self, span: Range<usize>, depth: usize) -> Result<Node, Fault> {
        let (start, mut end) = (span.start, span.end);
        let mut items: Vec<Node> = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, close) => {
                    if !close.is_empty() {
                        end = close.end;
                    }
                    return Ok(Node { span: start..end, value: NodeValue::Seq(items) });
                }
                (event, span) => {
                    let item = self.node(event, span, depth + 1)?;
                    end = item.span.end.max(end);
                    items.push(item);
                }
            }
        }
    }

    fn mapping(&mut self, span: Range<usize>, depth: usize) -> Result<Node, Fault> {
        let (start, mut end) = (span.start, span.end);
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut places: HashMap<String, Range<usize>> = HashMap::new();
        loop {
            let (event, key_span) = self.next()?;
            if event == Event::MappingEnd {
                if !key_span.is_empty() {
                    end = key_span.end;
                }
                return Ok(Node { span: start..end, value: NodeValue::Map(entries) });
            }
            let Event::Scalar(name, _, 0, None) = event else {
                return Err(Fault::new(Code::BadYaml, key_span, "a key that is no word").help("keys are plain words"));
            };
            let key = Key { span: key_span, name: name.into_owned() };
            let (event, span) = self.next()?;
            let mut value = self.node(event, span, depth + 1)?;
            if value.span.is_empty() && value.value == NodeValue::Null {
                value.span = key.span.clone(); // nothing stands there: show the key
            }
            end = value.span.end.max(end);
            match places.entry(key.name.clone()) {
                Entry::Occupied(first) => {
                    let fault = Fault::new(Code::DuplicateKey, key.span, format!("`{}` is given twice", key.name));
                    self.faults.push(fault.also(first.get().clone(), "first here").help("remove one of the two"));
                }
                Entry::Vacant(place) => {
                    place.insert(key.span.clone());
                    entries.push((key, value));
                }
            }
        }
    }
}

fn no_alias(span: Range<usize>) -> Fault {
    Fault::new(Code::BadYaml, span, "rule files take no anchors and aliases")
        .help("write the value where it is used, in quotes if it begins with `&`, `*` or `!`: `when: \"!has(data.ip) && n > 3\"`")
}

/// Where the bytes of a scalar's text stand in the file: quotes, escapes, folded lines and block indentation make
/// the two differ. Made by walking both side by side; where they part, the whole scalar stands for the rest.
pub(crate) struct TextMap {
    /// For each byte of the text, its place in the file; one more for the end.
    places: Vec<usize>,
}

impl TextMap {
    pub(crate) fn new(file: &str, span: &Range<usize>, text: &str) -> Self {
        let raw = file.get(span.clone()).unwrap_or_default();
        let quote = raw.chars().next().filter(|c| matches!(c, '"' | '\''));
        let mut at = usize::from(quote.is_some());
        let mut places = Vec::with_capacity(text.len() + 1);
        for c in text.chars() {
            let rest = raw.get(at..).unwrap_or_default();
            let skipped = if c.is_whitespace() { 0 } else { rest.len() - rest.trim_start().len() };
            let rest = rest.trim_start_matches(|w: char| !c.is_whitespace() && w.is_whitespace());
            at += skipped;
            let step = match (quote, rest.as_bytes()) {
                (Some('"'), [b'\\', b'x', ..]) => 4,
                (Some('"'), [b'\\', b'u', ..]) => 6,
                (Some('"'), [b'\\', b'U', ..]) => 10,
                (Some('"'), [b'\\', ..]) | (Some('\''), [b'\'', b'\'', ..]) => 2,
                _ => rest.chars().next().map_or(0, char::len_utf8),
            };
            places.extend(std::iter::repeat_n(span.start + at, c.len_utf8()));
            at = (at + step).min(raw.len());
        }
        places.push(span.start + at);
        Self { places }
    }

    /// The file's bytes behind bytes of the text.
    pub(crate) fn range(&self, text: &Range<usize>) -> Range<usize> {
        let last = self.places.len().saturating_sub(1);
        let place = |index: usize| self.places.get(index.min(last)).copied().unwrap_or_default();
        let start = place(text.start);
        start..place(text.end).max(start)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use rstest::rstest;

    fn value(text: &str) -> NodeValue {
        match parse(&format!("k: {text}\n")).expect("YAML").value {
            NodeValue::Map(mut entries) => entries.remove(0).1.value,
            other => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case("on", NodeValue::Str("on".into()))]
    #[case("off", NodeValue::Str("off".into()))]
    #[case("yes", NodeValue::Str("yes".into()))]
    #[case("true", NodeValue::Bool(true))]
    #[case("12", NodeValue::Int(12))]
    #[case("-12", NodeValue::Int(-12))]
    #[case("0x1F", NodeValue::Int(31))]
    #[case("0o17", NodeValue::Int(15))]
    #[case("-0", NodeValue::Int(0))]
    #[case("9223372036854775807", NodeValue::Int(i64::MAX))]
    #[case("-9223372036854775808", NodeValue::Int(i64::MIN))]
    #[case("0.5", NodeValue::Float(0.5))]
    #[case(".5", NodeValue::Float(0.5))]
    #[case("-1.", NodeValue::Float(-1.0))]
    #[case("0e9", NodeValue::Float(0.0))]
    #[case("1e", NodeValue::Str("1e".into()))]
    #[case(".", NodeValue::Str(".".into()))]
    #[case("0x", NodeValue::Str("0x".into()))]
    #[case("0b101", NodeValue::Str("0b101".into()))]
    #[case("12:30", NodeValue::Str("12:30".into()))]
    #[case("u_12", NodeValue::Str("u_12".into()))]
    #[case("\".nan\"", NodeValue::Str(".nan".into()))]
    #[case("1.5", NodeValue::Float(1.5))]
    #[case("1e3", NodeValue::Float(1000.0))]
    #[case("10m", NodeValue::Str("10m".into()))]
    #[case("192.0.2.1", NodeValue::Str("192.0.2.1".into()))]
    #[case("\"12\"", NodeValue::Str("12".into()))]
    #[case("", NodeValue::Null)]
    #[case("[]", NodeValue::Seq(vec![]))]
    fn scalars_are_read_by_the_core_schema(#[case] text: &str, #[case] expected: NodeValue) {
        assert_eq!(value(text), expected);
    }

    #[rstest]
    #[case(".inf")]
    #[case("-.INF")]
    #[case(".nan")]
    #[case(".NaN")]
    #[case("1e999")]
    #[case("-1e999")]
    #[case("1e-999")]
    #[case("5e-324")]
    #[case("9223372036854775808")]
    #[case("-9223372036854775809")]
    #[case("0x8000000000000000")]
    #[case("0o7777777777777777777777")]
    #[case(&"1".repeat(5_000))]
    #[case("017")]
    #[case("01000000042")]
    #[case("-007")]
    #[case("12_000")]
    #[case("[1, .nan]")]
    fn what_is_written_as_a_number_never_becomes_a_word(#[case] text: &str) {
        let file = format!("k: {text}\n");
        let faults = parse(&file).expect_err("no number");
        assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [Code::BadNumber]);
        assert!(faults[0].message.len() < 200 && faults[0].help.is_some() && faults[0].span.start >= 3);
    }

    #[test]
    fn every_number_that_is_none_is_told_in_one_pass() {
        let faults = parse("a: .nan\nb: 1\nc: [1e999, 012]\n").expect_err("no numbers");
        assert_eq!(faults.len(), 3);
    }

    #[test]
    fn byte_order_marks_and_windows_line_ends_are_read() {
        assert_eq!(parse("\u{FEFF}a: 1\r\nb: text\r\n").map(|node| node.kind()), Ok("a map"));
        let NodeValue::Map(entries) = parse("a: text\r\n").expect("YAML").value else { panic!("a map") };
        assert_eq!(entries[0].1.value, NodeValue::Str("text".into()));
    }

    #[test]
    fn many_keys_cost_no_more_than_their_number() {
        let mut file = String::new();
        for number in 0..79_000 {
            writeln!(file, "k{number}: 1").expect("a string grows");
        }
        assert!(parse_list(&file).is_ok());
    }

    #[rstest]
    #[case::plain("when: a > bcd\n", "bcd")]
    #[case::double("when: \"a == \\\"x\\\" && bcd\"\n", "bcd")]
    #[case::single("when: 'a == ''x'' && bcd'\n", "bcd")]
    #[case::folded("when: >-\n  a &&\n  bcd\n", "bcd")]
    #[case::literal("when: |\n  a &&\n    bcd\n", "bcd")]
    #[case::plain_over_lines("when: a &&\n  bcd\n", "bcd")]
    #[case::arabic("when: \"'رقم' == bcd\"\n", "bcd")]
    fn a_part_of_a_text_is_found_in_the_file(#[case] file: &str, #[case] part: &str) {
        let NodeValue::Map(entries) = parse(file).expect("YAML").value else { panic!("a map") };
        let node = &entries[0].1;
        let NodeValue::Str(text) = &node.value else { panic!("text") };
        let at = text.find(part).expect("there");
        let range = TextMap::new(file, &node.span, text).range(&(at..at + part.len()));
        assert_eq!(file.get(range), Some(part));
    }

    #[rstest]
    #[case::tab("rule: a.b\nlet:\n\tx: 1\n", 3)]
    #[case::quote("rule: a.b\ntitle: \"never closed\nwhen: true\n", 3)] // where the parser sees that it cannot go on
    #[case::duplicate("rule: a.b\nrule: a.c\n", 2)]
    #[case::bomb("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", 1)]
    #[case::tag("a: !!set {x, y}\n", 1)]
    #[case::two_documents("a: 1\n---\nb: 2\n", 2)]
    #[case::complex_key("? [a, b]\n: 1\n", 1)]
    #[case::empty("", 1)]
    #[case::deep(&"[".repeat(5_000), 1)]
    #[case::wide(&format!("a: [{}]", "1,".repeat(30_000)), 1)]
    #[case::megabyte(&"a: b\n".repeat(210_000), 1)]
    fn what_is_no_rule_file_is_one_fault_with_a_line(#[case] text: &str, #[case] line: usize) {
        let faults = parse(text).expect_err("bad");
        assert_eq!(faults.len(), 1, "{faults:?}");
        let found = text.get(..faults[0].span.start).expect("a boundary").matches('\n').count() + 1;
        assert_eq!(found, line, "{faults:?}");
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[a-c:{}\\[\\],&*!|>'\"#%@ \\-\\n\\té]{0,60}") {
            if let Err(faults) = parse(&text) {
                proptest::prop_assert!(faults.iter().all(|fault| fault.span.end <= text.len()));
            }
        }
    }
}
