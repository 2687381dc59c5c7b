//! CEL text into CEL's syntax tree, with the place of every node in the rule file. The one file that knows how the
//! `cel` crate reports offsets and errors.

use std::ops::Range;

use cel::common::ast::{EntryExpr, Expr as Ast, IdedExpr, SourceInfo};
use cel::parser::Parser;

use crate::diagnostic::{Code, Fault};
use crate::yaml::TextMap;

/// Longest expression, bytes. The longest shipped condition has about three hundred.
pub(crate) const BYTES_MAX: usize = 4096;
/// Deepest nesting of brackets, and highest syntax tree: parser, checker and programs recurse.
pub(crate) const NESTING_MAX: u16 = 32;
pub(crate) const HEIGHT_MAX: usize = 128;

/// A parsed expression.
pub(crate) struct Source<'a> {
    pub(crate) root: IdedExpr,
    info: SourceInfo,
    text: &'a str,
    map: TextMap,
}

impl<'a> Source<'a> {
    /// Parses the text that stands at `span` of `file`.
    pub(crate) fn parse(file: &str, span: &Range<usize>, text: &'a str) -> Result<Self, Fault> {
        let refused =
            |message: String| Fault::new(Code::BadExpression, span.clone(), message).help("split it into bindings, or into two rules");
        if text.len() > BYTES_MAX {
            return Err(refused(format!("an expression of {} bytes, expected {BYTES_MAX} at most", text.len())));
        }
        if chained_too_long(text) {
            return Err(refused(format!("an expression nested too deep, expected {HEIGHT_MAX} levels at most")));
        }
        let map = TextMap::new(file, span, text);
        match Parser::new().max_recursion_depth(NESTING_MAX).parse_with_source_info(text) {
            Ok((root, info)) => {
                if height(&root) > HEIGHT_MAX {
                    return Err(refused(format!("an expression nested too deep, expected {HEIGHT_MAX} levels at most")));
                }
                Ok(Self { root, info, text, map })
            }
            Err(errors) => {
                let Some(error) = errors.errors.into_iter().next() else { return Err(refused("not CEL".to_owned())) };
                if error.msg.contains("Recursion limit") {
                    return Err(refused(format!("brackets nested too deep, expected {NESTING_MAX} levels at most")));
                }
                let at = offset(text, error.pos);
                let end = text.get(at..).and_then(|rest| rest.chars().next()).map_or(at, |c| at + c.len_utf8());
                Err(syntax(map.range(&(at..end)), &error.msg, text, at..end))
            }
        }
    }

    /// Every name that stands for something, and where it stands in the file.
    pub(crate) fn names(&self) -> Vec<(String, Range<usize>)> {
        let mut names = Vec::new();
        let mut open = vec![&self.root];
        while let Some(node) = open.pop() {
            if let Ast::Ident(name) = &node.expr {
                names.push((name.clone(), self.span(node)));
            }
            children(node, |child| open.push(child));
        }
        names
    }

    /// Where a node stands in the file: from its leftmost token to its rightmost.
    pub(crate) fn span(&self, node: &IdedExpr) -> Range<usize> {
        self.map.range(&self.extent(node))
    }

    fn extent(&self, node: &IdedExpr) -> Range<usize> {
        let mut extent = self.token(node.id);
        let mut cover = |range: Range<usize>| {
            extent = match (extent.is_empty(), range.is_empty()) {
                (true, _) => range,
                (_, true) => extent.clone(),
                _ => extent.start.min(range.start)..extent.end.max(range.end),
            };
        };
        match &node.expr {
            Ast::Select(select) => {
                cover(self.extent(&select.operand));
                if select.test {
                    // The token is the bracket of `has(`; the field's name is the last thing before the closing one.
                    let bracket = self.token(node.id).start;
                    let close = self.text.get(bracket..).and_then(|rest| rest.find(')')).map_or(bracket, |at| bracket + at + 1);
                    cover(bracket.saturating_sub(3)..close);
                } else {
                    let dot = self.token(node.id).end;
                    let rest = self.text.get(dot..).unwrap_or_default();
                    let blanks = rest.len() - rest.trim_start().len();
                    cover(dot..(dot + blanks + select.field.len()).min(self.text.len()));
                }
            }
            Ast::Call(call) => {
                for part in call.target.iter().map(AsRef::as_ref).chain(&call.args) {
                    cover(self.extent(part));
                }
                if call.func_name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    self.cover_call(node.id, &call.func_name, call.target.is_some(), &mut cover);
                } else if call.func_name == "_[_]" {
                    let end = call.args.last().map_or(0, |arg| self.extent(arg).end);
                    cover(end..self.through(end, ']'));
                }
            }
            Ast::Comprehension(repeat) => {
                cover(self.extent(&repeat.iter_range));
                self.cover_call(node.id, "", true, &mut cover);
            }
            Ast::List(list) => {
                let mut end = self.token(node.id).end;
                for item in &list.elements {
                    end = end.max(self.extent(item).end);
                }
                cover(self.token(node.id).start..self.through(end, ']'));
            }
            _ => {}
        }
        extent
    }

    /// A function's token is its opening bracket: take in its name (of a method, its target is there already) and
    /// the closing bracket.
    fn cover_call(&self, id: u64, name: &str, method: bool, cover: &mut impl FnMut(Range<usize>)) {
        let bracket = self.token(id);
        if !method {
            let before = self.text.get(..bracket.start).unwrap_or_default().trim_end();
            cover(before.len().saturating_sub(name.len())..bracket.end);
        }
        let (mut depth, mut end) = (0_usize, bracket.end);
        let mut quote = None;
        for (at, c) in self.text.get(bracket.start..).unwrap_or_default().char_indices() {
            match (quote, c) {
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), _) if open == c => quote = None,
                (None, '(') => depth += 1,
                (None, ')') => {
                    depth -= 1;
                    if depth == 0 {
                        end = bracket.start + at + 1;
                        break;
                    }
                }
                _ => {}
            }
        }
        cover(bracket.start..end);
    }

    /// The end of the text from `from` through `close`, where only blanks are between.
    fn through(&self, from: usize, close: char) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        let blanks = rest.len() - rest.trim_start_matches([' ', '\n', '\t', '\r', ',']).len();
        if rest.trim_start_matches([' ', '\n', '\t', '\r', ',']).starts_with(close) { from + blanks + close.len_utf8() } else { from }
    }

    fn token(&self, id: u64) -> Range<usize> {
        self.info.offset_for(id).map_or(0..0, |(start, last)| {
            let start = usize::try_from(start).unwrap_or_default().min(self.text.len());
            let end = usize::try_from(last).unwrap_or_default().saturating_add(1).min(self.text.len());
            start..end.max(start)
        })
    }
}

/// What is written for what other languages write: a word, or a span of time, where ANTLR stopped.
fn instead(text: &str, at: usize) -> Option<&'static str> {
    let (before, rest) = (text.get(..at)?, text.get(at..)?);
    let word = rest.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    match word.to_ascii_lowercase().as_str() {
        "and" => Some("both are written a && b"),
        "or" => Some("one or the other is written a || b"),
        "not" => Some("what is not so is written !a"),
        "d" | "h" | "m" | "s" | "ms" if before.ends_with(|c: char| c.is_ascii_digit()) => {
            Some("a span of time is written duration(\"24h\"), in hours, minutes and seconds")
        }
        _ => None,
    }
}

/// ANTLR's words in a reader's. `at`: the character that it stopped at.
fn syntax(span: Range<usize>, message: &str, text: &str, at: Range<usize>) -> Fault {
    let (instead, at) = (instead(text, at.start), text.get(at).unwrap_or_default());
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let said = message.split(" expecting ").next().unwrap_or(message);
    let input = said.split_once(" input ").map(|(_, input)| input.trim_matches('\''));
    let (reason, help) = if said.contains("<EOF>") && !said.contains("extraneous") {
        ("it ends too early".to_owned(), "something stands to the right of every operator, and every bracket is closed")
    } else if at == "=" {
        ("`=` stands for nothing".to_owned(), "equality is written ==")
    } else if said.contains("token recognition") {
        (format!("`{at}` stands for nothing"), "text stands in quotes: 'word' or \"word\"")
    } else if said.contains("argument to has()") {
        (said.to_owned(), "has() takes a field, has(data.user_id); of a field outside the contract write \"name\" in data")
    } else {
        (
            input.map_or(said.to_owned(), |input| format!("`{input}` is not expected here")),
            "conditions are CEL (https://cel.dev): a > b && c == 'word'",
        )
    };
    Fault::new(Code::BadExpression, span, format!("not CEL: {reason}")).help(instead.unwrap_or(help))
}

/// The byte at a line and column, both from 1.
fn offset(text: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line).unwrap_or(1).max(1) - 1;
    let column = usize::try_from(column).unwrap_or(1).max(1) - 1;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
}

/// Whether so many operators or dots follow one another that the parser itself would recurse too deep.
fn chained_too_long(text: &str) -> bool {
    let heights = |marks: &[char]| text.chars().filter(|c| marks.contains(c)).count();
    heights(&['+', '-', '*', '/', '%', '!', '<', '>', '=', '?', '.', '[', '{']) > 4 * HEIGHT_MAX
}

/// How many nodes there are.
pub(crate) fn nodes(root: &IdedExpr) -> usize {
    let mut count = 0;
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        count += 1;
        children(node, |child| open.push(child));
    }
    count
}

fn height(root: &IdedExpr) -> usize {
    let mut highest = 0;
    let mut open = vec![(root, 1)];
    while let Some((node, depth)) = open.pop() {
        highest = highest.max(depth);
        children(node, |child| open.push((child, depth + 1)));
    }
    highest
}

fn children<'a>(node: &'a IdedExpr, mut push: impl FnMut(&'a IdedExpr)) {
    match &node.expr {
        Ast::Call(call) => call.target.iter().map(AsRef::as_ref).chain(&call.args).for_each(push),
        Ast::Select(select) => push(&select.operand),
        Ast::List(list) => list.elements.iter().for_each(push),
        Ast::Comprehension(repeat) => {
            [&repeat.iter_range, &repeat.accu_init, &repeat.loop_cond, &repeat.loop_step, &repeat.result].into_iter().for_each(push);
        }
        Ast::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    push(&entry.key);
                    push(&entry.value);
                }
            }
        }
        _ => {}
    }
}
