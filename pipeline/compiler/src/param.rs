//! The parameters of a rule file as they are written, and the file with another value in the place of one.

use std::ops::Range;

use crate::SourceFile;
use crate::yaml::{self, Node, NodeValue};

/// A parameter of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name.
    pub name: String,
    /// Its value, as the file has it.
    pub value: String,
    /// Where that stands, bytes.
    pub span: Range<usize>,
    /// Whether an override gives it another value in some cases.
    pub overridden: bool,
}

impl Written {
    /// The file with that value in its place.
    pub fn with(&self, file: &SourceFile, value: &str) -> SourceFile {
        let mut text = file.text.clone();
        text.replace_range(self.span.clone(), value);
        SourceFile { text, ..file.clone() }
    }
}

/// A rule file's parameters, in its order; none of a file that is no YAML or no rule.
pub fn params(file: &SourceFile) -> Vec<Written> {
    let Ok(root) = yaml::parse(&file.text) else { return Vec::new() };
    let of_overrides: Vec<&str> = match root.member("overrides").map(|node| &node.value) {
        Some(NodeValue::Seq(items)) => items.iter().filter_map(|item| item.member("params")).flat_map(names).collect(),
        _ => Vec::new(),
    };
    let Some(Node { value: NodeValue::Map(entries), .. }) = root.member("params") else { return Vec::new() };
    let written = |(key, node): &(yaml::Key, Node)| {
        let value = file.text.get(node.span.clone())?.to_owned();
        Some(Written { name: key.name.clone(), value, span: node.span.clone(), overridden: of_overrides.contains(&key.name.as_str()) })
    };
    entries.iter().filter_map(written).collect()
}

/// What the file binds under `let`, as it is written there, each in one line without comments: a rule's own bindings, or those that rules
/// share.
pub fn bindings(file: &SourceFile) -> Vec<(String, String)> {
    let Ok(root) = yaml::parse(&file.text) else { return Vec::new() };
    let Some(Node { value: NodeValue::Map(entries), .. }) = root.member("let") else { return Vec::new() };
    let written = |(key, node): &(yaml::Key, Node)| Some((key.name.clone(), one_line(file.text.get(node.span.clone())?)));
    entries.iter().filter_map(written).collect()
}

/// Without comments and line breaks.
fn one_line(text: &str) -> String {
    let plain = |line: &'_ str| line.find(" #").and_then(|at| line.get(..at)).unwrap_or(line).trim().to_owned();
    let lines: Vec<String> = text.lines().map(plain).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    // What stands in brackets has its commas.
    lines.join(if text.starts_with(['{', '[']) { " " } else { ", " })
}

fn names(node: &Node) -> impl Iterator<Item = &str> {
    let entries = if let NodeValue::Map(entries) = &node.value { entries.as_slice() } else { &[] };
    entries.iter().map(|(key, _)| key.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_is_shown_as_it_is_written() {
        let text = "rule: auth.t\nlet:\n  n: {count: a.b, by: phone, window: 10m}    # ten\n  wide:\n    count: a.b  # all of them\n    # whoever asks\n    by: all\n";
        let file = SourceFile { name: "auth/t.yaml".to_owned(), text: text.to_owned() };
        let found = bindings(&file);
        let expected = [("n", "{count: a.b, by: phone, window: 10m}"), ("wide", "count: a.b, by: all")];
        assert_eq!(found, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn a_value_is_found_where_it_stands_and_put_in_its_place() {
        let text = "rule: auth.t\nparams: {sends_max: 8, share: 0.5, span: \"10m\"}  # the limits\noverrides:\n  - {if: x, params: {share: 0.7}}\n";
        let file = SourceFile { name: "auth/t.yaml".to_owned(), text: text.to_owned() };
        let found = params(&file);
        let said: Vec<(&str, &str, bool)> =
            found.iter().map(|written| (written.name.as_str(), written.value.as_str(), written.overridden)).collect();
        assert_eq!(said, [("sends_max", "8", false), ("share", "0.5", true), ("span", "\"10m\"", false)]);
        assert_eq!(found[0].with(&file, "12").text, text.replace(": 8,", ": 12,"));
        let none = |text: &str| params(&SourceFile { name: "a.yaml".to_owned(), text: text.to_owned() }).is_empty();
        assert!(none("params: [") && none("params: 3") && none("- a"));
    }
}
