//! What might as well stand in a rule: each comparison and connective turned, each threshold moved by a fifth. A test should
//! notice; where none does, nobody knows why the rule says what it says.

use std::ops::Range;

use crate::SourceFile;
use crate::yaml::{self, Node, NodeValue};

/// How far a threshold is moved.
const SHARE: f64 = 0.2;

/// What stands at a place of a rule file, and what might.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// Where, bytes.
    pub span: Range<usize>,
    /// What stands there.
    pub from: String,
    /// What might.
    pub to: String,
}

impl Mutant {
    /// The file with it.
    pub fn of(&self, file: &SourceFile) -> SourceFile {
        let mut text = file.text.clone();
        text.replace_range(self.span.clone(), &self.to);
        SourceFile { text, ..file.clone() }
    }
}

/// All of a rule file: of its condition, its overrides, the `where` of its bindings, and its parameters. None of a file that is
/// no YAML.
pub fn mutants(text: &str) -> Vec<Mutant> {
    let Ok(root) = yaml::parse(text) else { return Vec::new() };
    let mut found = Vec::new();
    for (key, node) in entries(&root) {
        match key {
            "when" => expression(text, node, &mut found),
            "params" => numbers(text, node, &mut found),
            "let" => {
                let bindings = entries(node).flat_map(|(_, binding)| entries(binding));
                bindings.filter(|(key, _)| *key == "where").for_each(|(_, node)| expression(text, node, &mut found));
            }
            "overrides" => {
                let items = if let NodeValue::Seq(items) = &node.value { items.as_slice() } else { &[] };
                for (key, node) in items.iter().flat_map(entries) {
                    match key {
                        "if" => expression(text, node, &mut found),
                        "params" => numbers(text, node, &mut found),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    found
}

fn entries(node: &Node) -> impl Iterator<Item = (&str, &Node)> {
    let entries = if let NodeValue::Map(entries) = &node.value { entries.as_slice() } else { &[] };
    entries.iter().map(|(key, node)| (key.name.as_str(), node))
}

/// The numbers among parameters.
fn numbers(text: &str, node: &Node, found: &mut Vec<Mutant>) {
    for (_, node) in entries(node) {
        if matches!(node.value, NodeValue::Int(_) | NodeValue::Float(_))
            && let Some(written) = text.get(node.span.clone())
        {
            moved(written, &node.span, found);
        }
    }
}

/// A number, larger and smaller.
fn moved(written: &str, span: &Range<usize>, found: &mut Vec<Mutant>) {
    let others = if let Ok(number) = written.parse::<i64>() {
        let step = number.saturating_abs().saturating_add(4) / 5; // a fifth, upwards
        let step = step.max(1);
        [number.saturating_add(step), number.saturating_sub(step)].map(|number| number.to_string())
    } else if let Ok(number) = written.parse::<f64>() {
        let step = if number == 0.0 { 1.0 } else { number * SHARE };
        // 0.7 less a fifth is written 0.56.
        [number + step, number - step].map(|number| format!("{:?}", (number * 1e9).round() / 1e9))
    } else {
        return;
    };
    found.extend(others.map(|to| Mutant { span: span.clone(), from: written.to_owned(), to }));
}

/// What is turned into what: the longer first, as `>` begins `>=`.
const TURNED: [(&str, &str); 8] =
    [(">=", ">"), ("<=", "<"), ("==", "!="), ("!=", "=="), ("&&", "||"), ("||", "&&"), (">", ">="), ("<", "<=")];

/// The tokens of an expression, as they stand in the file.
fn expression(text: &str, node: &Node, found: &mut Vec<Mutant>) {
    let Some(written) = text.get(node.span.clone()) else { return };
    let quote = written.chars().next().filter(|first| matches!(first, '"' | '\''));
    let mut at = quote.map_or(0, char::len_utf8);
    let end = written.len() - at;
    // What ends the text that `at` is in.
    let mut within: Option<&str> = None;
    while at < end {
        let rest = written.get(at..end).unwrap_or_default();
        let Some(first) = rest.chars().next() else { return };
        // Quotes within quotes are written otherwise.
        let delimiter = match quote {
            Some('"') if rest.starts_with("\\\"") => Some("\\\""),
            Some('\'') if rest.starts_with("''") => Some("''"),
            _ => ["\"", "'"].into_iter().find(|mark| rest.starts_with(mark)),
        };
        if let Some(mark) = delimiter {
            within = match within {
                None => Some(mark),
                Some(open) if open == mark => None,
                open => open,
            };
            at += mark.len();
            continue;
        }
        if within.is_some() {
            at += if first == '\\' { 1 + rest.chars().nth(1).map_or(0, char::len_utf8) } else { first.len_utf8() };
            continue;
        }
        let place = |length: usize| node.span.start + at..node.span.start + at + length;
        if let Some((from, to)) = TURNED.iter().find(|(from, _)| rest.starts_with(from)) {
            found.push(Mutant { span: place(from.len()), from: (*from).to_owned(), to: (*to).to_owned() });
            at += from.len();
        } else if first.is_ascii_digit() {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len());
            moved(rest.get(..length).unwrap_or_default(), &place(length), found);
            at += length;
        } else if first.is_alphabetic() || first == '_' {
            at += rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        } else {
            at += first.len_utf8();
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn turned(text: &str) -> Vec<String> {
        mutants(text).into_iter().map(|mutant| format!("{} {}", mutant.from, mutant.to)).collect()
    }

    #[rstest]
    #[case("when: sends > 5 && p99 != 0\n", &["> >=", "5 6", "5 4", "&& ||", "!= ==", "0 1", "0 -1"])]
    #[case("when: 'a == ''x > 1'' || b < 2.5'\n", &["== !=", "|| &&", "< <=", "2.5 3.0", "2.5 2.0"])]
    #[case("when: \"a == \\\"x > 1\\\" || b >= 10\"\n", &["== !=", "|| &&", ">= >", "10 12", "10 8"])]
    #[case("when: |\n  a == \"x\\\" > 1\"\n  && time - first <= duration(\"90s\")\n", &["== !=", "&& ||", "<= <"])]
    #[case("params: {limit: 100, share: 0.5, words: [1, 2], name: x1}\n", &["100 120", "100 80", "0.5 0.6", "0.5 0.4"])]
    #[case("let: {n: {count: x, where: data.amount > 3}}\noverrides: [{if: data.a < 1, params: {x: 5}}]\n", &["> >=", "3 4", "3 2", "< <=", "1 2", "1 0", "5 6", "5 4"])]
    #[case("when: share > 0.7\n", &["> >=", "0.7 0.84", "0.7 0.56"])]
    #[case("when: [\n", &[])]
    fn comparisons_connectives_and_thresholds_are_turned(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(turned(text), expected);
    }

    #[test]
    fn a_mutant_stands_where_it_was() {
        let file = SourceFile { name: "x.yaml".to_owned(), text: "when: \"é > 5\"\n".to_owned() };
        let texts: Vec<String> = mutants(&file.text).iter().map(|mutant| mutant.of(&file).text).collect();
        assert_eq!(texts, ["when: \"é >= 5\"\n", "when: \"é > 6\"\n", "when: \"é > 4\"\n"]);
    }
}
